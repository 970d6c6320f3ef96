"""What every game owes, checked on random matches of every registered game, of some in plain Python and of
some of OpenSpiel, which stand for all those behind its bridge.

There is no undo to check: going back is `copy_from` and `set_position`, and is checked as that.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from librt.vecs import vec
from mypy_extensions import i32, i64, u8

import engine
from engine import Game, IllegalAction, Rng
from engine.bridges import openspiel
from engine.core import VALUE_ONE
from tests.engine.plain_games import Dice, Highcard, Nim, Race

GAMES: dict[str, Callable[[], Game]] = {name: (lambda name=name: engine.new(name)) for name in engine.games()}
GAMES |= {
    "nim": Nim,
    "race": Race,
    "dice": Dice,
    "highcard": Highcard,
    "highcard5": lambda: Highcard(players=5),
    "blob of small rounds": lambda: engine.new("blob", players=3, cards=2),
}
BRIDGED = [
    f"openspiel:{recipe}"
    for recipe in ("backgammon", "chess", "go(board_size=9)", "hex", "kuhn_poker", "leduc_poker")
]
CHANCE_FOR_ALL_TO_SEE = ("dice", "openspiel:backgammon")
HIDDEN = [name for name in GAMES if GAMES[name]().hidden_information()]
HIDDEN += ["openspiel:kuhn_poker", "openspiel:leduc_poker"]
no_bridge = pytest.mark.skipif(bool(openspiel.missing()), reason=f"no OpenSpiel: {openspiel.missing()}")


def each(names: Iterable[str]) -> list[object]:
    """The parameters of a test, those behind the bridge skipped where OpenSpiel is missing."""
    return [pytest.param(name, marks=[no_bridge] if name in BRIDGED else []) for name in names]


our_games = pytest.mark.parametrize("name", list(GAMES))
GAMES |= {name: (lambda name=name: engine.new(name)) for name in BRIDGED}
every_game = pytest.mark.parametrize("name", each(GAMES))
every_hidden_game = pytest.mark.parametrize("name", each(HIDDEN))
seeds = st.integers(0, 2**63 - 1)
picks = st.lists(st.integers(0, 1000), max_size=60)


def begun(name: str, seed: int) -> Game:
    game = GAMES[name]()
    game.reset(Rng(seed))
    return game


def played(name: str, seed: int, choices: list[int]) -> Game:
    """A position some way into a match, or at its end."""
    game = begun(name, seed)
    for pick in choices:
        legal = game.legal_actions()
        if not legal:
            break
        game.apply(legal[pick % len(legal)])
    return game


def listed(game: Game) -> list[int]:
    """Legal ids by the one source of legality."""
    out = vec[i64]([-1] * game.num_actions())
    return [out[i] for i in range(game.legal_into(out))]


def looks(game: Game) -> tuple[object, ...]:
    """All that can be seen of a game from outside."""
    seats = range(game.num_players())
    return (
        game.to_bytes(),
        game.position_bytes(),
        game.current_player(),
        game.ply(),
        game.legal_actions(),
        game.action_mask(),
        game.history(),
        game.returns(),
        [game.board_text(seat) for seat in seats],
        [game.facts(seat) for seat in seats],
        [bytes(game.observation(seat)) for seat in seats],
    )


@every_game
@given(seed=seeds, choices=picks)
@settings(max_examples=30, deadline=None)
def test_legality_has_one_source(name: str, seed: int, choices: list[int]) -> None:
    game = played(name, seed, choices)
    legal = listed(game)
    size = game.num_actions()
    assert legal == sorted(set(legal)) and all(0 <= a < size for a in legal)
    assert game.is_terminal() == (game.current_player() < 0) == (not legal)
    assert game.legal_actions() == legal
    assert [a for a in range(size) if game.is_legal(a)] == legal and not game.is_legal(size)
    mask = vec[u8]([7] * (size + 1))
    game.mask_into(mask)
    assert list(mask) == [*(int(a in legal) for a in range(size)), 7]
    assert list(game.action_mask()) == list(mask)[:-1]
    with pytest.raises((IndexError, ValueError)):
        game.mask_into(vec[u8]([7] * (size - 1)))
    if legal:
        assert {int(game.random_action(Rng(s))) for s in range(40)} <= set(legal)
        game.legal_actions().clear()
        assert game.legal_actions() == legal  # the list is the caller's own


@every_game
@given(seed=seeds, choices=picks)
@settings(max_examples=20, deadline=None)
def test_illegal_actions_are_refused_and_change_nothing(name: str, seed: int, choices: list[int]) -> None:
    game = played(name, seed, choices)
    before = looks(game)
    legal = game.legal_actions()
    wrong = [a for a in range(-1, game.num_actions() + 1) if a not in legal]
    wrong = wrong if len(wrong) < 200 else [*wrong[:20], *wrong[-20:], *wrong[20 : -20 : len(wrong) // 20]]
    for action in [*wrong, True, False, 1.0, "1", None, 2**64, -(2**70), (0,)]:
        with pytest.raises(IllegalAction) as refused:
            game.apply(action)
        assert refused.value.got is action
        assert [choice.id for choice in refused.value.legal] == legal
        assert repr(action) in str(refused.value) and game.name() in str(refused.value)
        assert pickle.loads(pickle.dumps(refused.value)).legal == refused.value.legal
    assert looks(game) == before


def test_integers_of_numpy_are_actions() -> None:
    numpy = pytest.importorskip("numpy")
    game, same = engine.new("connect4"), engine.new("connect4")
    for kind in (numpy.int64, numpy.uint8, numpy.int32):
        game.apply(kind(3))
        same.apply(3)
    assert game.to_bytes() == same.to_bytes() and type(game.history()[0].action) is int
    for wrong in (numpy.bool_(True), numpy.float64(3), numpy.int64(7), numpy.array([3, 4])):
        with pytest.raises(IllegalAction):
            game.apply(wrong)


@every_game
@given(seed=seeds, choices=picks)
@settings(max_examples=20, deadline=None)
def test_copies_are_equal_and_independent(name: str, seed: int, choices: list[int]) -> None:
    game = played(name, seed, choices)
    before = looks(game)
    clone, other = game.clone(), begun(name, seed + 1 if seed < 2**62 else 0)
    assert type(clone) is type(game) and looks(clone) == before
    past = other.history()
    other.copy_from(game)
    assert other.position_bytes() == game.position_bytes() and other.history() == past
    ended = begun(name, seed)
    ended.playout(Rng(seed))
    ended.copy_from(game)
    assert ended.position_bytes() == game.position_bytes()
    assert ended.current_player() == game.current_player()
    for copy in (clone, other, ended):
        if not copy.is_terminal():
            copy.apply(copy.legal_actions()[-1])
            assert looks(game) == before
    if not game.is_terminal():
        after = looks(clone)
        game.apply(game.legal_actions()[0])
        assert looks(clone) == after


@every_game
@given(seed=seeds, choices=picks)
@settings(max_examples=20, deadline=None)
def test_bytes_bring_everything_back(name: str, seed: int, choices: list[int]) -> None:
    game = played(name, seed, choices)
    data = game.to_bytes()
    for back in (type(game).from_bytes(data), game.from_bytes(data), pickle.loads(pickle.dumps(game))):
        assert type(back) is type(game) and looks(back) == looks(game)
    fresh = begun(name, 0)
    fresh.set_position(game.position_bytes())
    assert fresh.position_bytes() == game.position_bytes()
    assert fresh.legal_actions() == game.legal_actions() and fresh.returns() == game.returns()
    started = begun(name, seed)
    game.set_position(started.position_bytes())
    assert game.position_bytes() == started.position_bytes()
    assert game.legal_actions() == started.legal_actions() != []


@every_game
@given(seed=seeds, choices=picks, cut=st.integers(0, 10_000), flip=st.integers(1, 255))
@settings(max_examples=20, deadline=None)
def test_damaged_bytes_are_refused(name: str, seed: int, choices: list[int], cut: int, flip: int) -> None:
    game = played(name, seed, choices)
    before = looks(game)
    data = game.to_bytes()
    at = cut % len(data)
    damaged = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
    for bad in (data[:at], data + b"\0", damaged, b"", b"DGS1"):
        with pytest.raises(ValueError):
            type(game).from_bytes(bad)
        with pytest.raises(ValueError):
            game.load(bad)
    assert looks(game) == before


@every_game
@pytest.mark.parametrize("other", each(GAMES))
def test_no_game_takes_the_bytes_of_another(name: str, other: str) -> None:
    mine, theirs = begun(name, 1), begun(other, 1)
    if (mine.name(), mine.variant()) == (theirs.name(), theirs.variant()):
        return
    with pytest.raises(ValueError):
        mine.load(theirs.to_bytes())
    if mine.name() != theirs.name():
        with pytest.raises(ValueError):
            mine.set_position(theirs.position_bytes())
    if type(mine) is not type(theirs):
        with pytest.raises(ValueError):
            type(mine).from_bytes(theirs.to_bytes())


@every_game
@given(seed=seeds, choices=picks)
@settings(max_examples=20, deadline=None)
def test_words_come_back_as_actions(name: str, seed: int, choices: list[int]) -> None:
    game = played(name, seed, choices)
    size = game.num_actions()
    for action in range(size) if game.fixed_notation() else game.legal_actions():
        text = game.action_text(action)
        assert text == text.strip() != ""
        assert game.parse_action(text) == game.parse_action(f"  {text}\n") == action
        if name not in BRIDGED:
            assert game.parse_action(text.upper()) == game.parse_action(text.lower()) == action
    for bad in ("", " ", "?", f"{game.num_actions() + 77}", "a1b", "1 2"):
        with pytest.raises(ValueError) as refused:
            game.parse_action(bad)
        assert repr(bad) in str(refused.value)


@every_game
@given(seed=seeds, choices=picks)
@settings(max_examples=20, deadline=None)
def test_numbers(name: str, seed: int, choices: list[int]) -> None:
    game = played(name, seed, choices)
    legal = game.legal_actions()
    size = game.observation_size()
    for seat in range(game.num_players()):
        seen = game.observation(seat)
        assert seen.format == "f" and seen.readonly and len(seen) == size
        out = vec[i32]([7] * (size + 1))
        game.observe_into(seat, out)
        assert out[size] == 7
        assert bytes(memoryview(out))[:-4] == bytes(seen)
        with pytest.raises((IndexError, ValueError)):
            game.observe_into(seat, vec[i32]([7] * (size - 1)))
        if game.legacy_observation_size():
            legacy = game.observation(seat, legacy=True)
            assert len(legacy) == game.legacy_observation_size()
            assert game.hidden_information() or set(legacy.tolist()) <= {0.0, 1.0}
    mover = max(game.current_player(), 0)
    assert bytes(game.observation()) == bytes(game.observation(mover))
    if legal:
        assert len({bytes(game.observation(seat)) for seat in range(game.num_players())}) > 1
    for seat in (-1, game.num_players(), 2**64):
        with pytest.raises(ValueError):
            game.observation(seat)


@every_game
@given(seed=seeds, choices=picks)
@settings(max_examples=20, deadline=None)
def test_view_tells_what_the_seat_may_know(name: str, seed: int, choices: list[int]) -> None:
    game = played(name, seed, choices)
    for seat in range(game.num_players()):
        view = game.view(seat)
        assert (view.game, view.variant, view.seat) == (game.name(), game.variant(), seat)
        assert (view.num_players, view.num_actions) == (game.num_players(), game.num_actions())
        assert (view.ply, view.to_move) == (game.ply(), game.current_player())
        assert view.ply == len(view.history) <= game.max_plies()
        assert [choice.id for choice in view.legal] == (game.legal_actions() if seat == view.to_move else [])
        assert all(choice.text == game.action_text(choice.id) for choice in view.legal)
        assert view.result == (tuple(game.returns()) if game.is_terminal() else None)
        assert view.board == game.board_text(seat) and view.facts == game.facts(seat)
        assert view.rules == begun(name, 1).view(0).rules != ""
        sample = view.sample(Rng(seed))
        assert type(sample) is type(game) and sample.current_player() == game.current_player()
        assert sample.board_text(seat) == view.board and sample.facts(seat) == view.facts
        if name in CHANCE_FOR_ALL_TO_SEE:
            assert sample.history() == game.history() and sample.position_bytes() != game.position_bytes()
        elif not game.hidden_information():
            assert looks(sample) == looks(game)
    with pytest.raises(ValueError):
        game.view(game.num_players())


@every_game
def test_a_view_of_the_past_refuses_to_sample(name: str) -> None:
    game = begun(name, 3)
    view = game.view(0)
    view.sample(Rng(1))
    game.apply(game.legal_actions()[0])
    with pytest.raises(RuntimeError, match="moved on"):
        view.sample(Rng(1))


@our_games
@given(seed=seeds, choices=picks)
@settings(max_examples=20, deadline=None)
def test_symmetries_commute_with_moves(name: str, seed: int, choices: list[int]) -> None:
    game = played(name, seed, choices)
    size, reached = game.num_actions(), game.moves_transformed()
    assert looks(game.transform(0)) == looks(game) and 0 <= reached <= len(game.history())
    for s in some_symmetries(game):
        turned = game.transform(s)
        assert sorted(game.transform_action(s, a) for a in range(size)) == list(range(size))
        assert sorted(game.transform_action(s, a) for a in game.legal_actions()) == turned.legal_actions()
        assert turned.current_player() == game.current_player() and turned.num_symmetries() > s
        assert turned.returns() == game.returns() and turned.ply() == game.ply()
        assert [move.seat for move in turned.history()] == [move.seat for move in game.history()]
        assert looks(turned.clone()) == looks(type(game).from_bytes(turned.to_bytes())) == looks(turned)
        dealt = begun(name, seed)  # a first position need not look the same from all sides
        for move in game.history()[: len(game.history()) - reached]:
            dealt.apply(move.action)
        replayed = dealt.transform(s)
        for move in turned.history()[len(dealt.history()) :]:
            replayed.apply(move.action)
        assert s == 0 or looks(replayed) == looks(turned)
        for action in game.legal_actions():
            after, other = game.clone(), turned.clone()
            after.apply(action)
            other.apply(game.transform_action(s, action))
            if after.moves_transformed() > reached or after.num_symmetries() == 1:
                assert looks(after.transform(s)) == looks(other)
            else:  # dealt again: what chance brings is not rearranged
                assert after.position_bytes() == other.position_bytes()
    for bad in (-1, game.num_symmetries()):
        with pytest.raises(ValueError):
            game.transform(bad)


@our_games
@given(seed=seeds, choices=picks)
@settings(max_examples=20, deadline=None)
def test_symmetries_are_a_group(name: str, seed: int, choices: list[int]) -> None:
    game = played(name, seed, choices)
    size, every = game.num_actions(), range(game.num_symmetries())
    where = [tuple(game.transform_action(s, a) for a in range(size)) for s in every]
    assert where[0] == tuple(range(size)) and len(set(where)) == len(where)
    for s in some_symmetries(game):
        turned = game.transform(s)
        twice = [turned.transform(t) for t in every]
        for t in every:
            assert (
                twice[t].position_bytes()
                == game.transform(where.index(tuple(where[t][a] for a in where[s]))).position_bytes()
            )
        assert looks(game) in [looks(back) for back in twice]


@our_games
@given(seed=seeds, choices=picks)
@settings(max_examples=20, deadline=None)
def test_a_class_is_the_same_from_all_sides(name: str, seed: int, choices: list[int]) -> None:
    game = played(name, seed, choices)
    turned = [game.transform(s) for s in range(game.num_symmetries())]
    assert game.position_class() == min(other.position_bytes() for other in turned)
    assert {other.position_class() for other in turned} == {game.position_class()}
    for seat in range(game.num_players()):
        assert {other.infoset_class(seat) for other in turned} == {game.infoset_class(seat)}
    assert len({game.infoset_class(seat) for seat in range(game.num_players())}) == game.num_players()
    with pytest.raises(ValueError):
        game.infoset_class(game.num_players())


def some_symmetries(game: Game) -> list[int]:
    """All of a few; of many the first and every fifth."""
    count = int(game.num_symmetries())
    return list(range(count)) if count <= 8 else list(range(0, count, 5))


@every_hidden_game
@given(seed=seeds, choices=picks)
@settings(max_examples=10, deadline=None)
def test_a_class_of_what_a_seat_knows_tells_nothing_else(name: str, seed: int, choices: list[int]) -> None:
    game = played(name, seed, choices)
    for seat in range(game.num_players()) if not game.is_terminal() else ():
        classes = {other.infoset_class(seat) for other in anew(game, seat, 5)}
        assert classes == {game.infoset_class(seat)}


@every_game
@given(seed=seeds, choices=picks, on=st.lists(st.integers(0, 1000), min_size=1, max_size=8))
@settings(max_examples=20, deadline=None)
def test_going_back_is_as_if_nothing_had_been_played(
    name: str, seed: int, choices: list[int], on: list[int]
) -> None:
    """Chance included: whoever goes back and plays the same again sees the same again."""
    game = played(name, seed, choices)
    kept, data = game.clone(), game.position_bytes()
    first = further(game, on)
    game.copy_from(kept)
    assert game.position_bytes() == data and further(game, on) == first
    game.set_position(data)
    assert game.position_bytes() == data and further(game, on) == first


def further(game: Game, choices: list[int]) -> list[bytes]:
    """The positions after these choices, unchecked as a search plays them."""
    seen = []
    for pick in choices:
        legal = game.legal_actions()
        if not legal:
            break
        game.step(legal[pick % len(legal)])
        seen.append(game.position_bytes())
    return seen


@every_game
@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_a_whole_match(name: str, seed: int) -> None:
    game, again, quick = begun(name, seed), begun(name, seed), begun(name, seed)
    rng, rng2, rng3 = Rng(seed), Rng(seed), Rng(seed)
    plies = 0
    while not game.is_terminal():
        assert 0 <= game.current_player() < game.num_players()
        assert game.returns() == [0.0] * game.num_players()  # nobody has won anything before the end
        mover, action = game.current_player(), int(game.random_action(rng))
        text = game.action_text(action)
        game.apply(action)
        plies += 1
        assert game.history()[-1] == (mover, action, text)
        again.step(again.random_action(rng2))
        assert again.position_bytes() == game.position_bytes()
    assert plies == len(game.history()) <= game.max_plies()
    assert again.history() == [] and rng.state() == rng2.state()
    if game.zero_sum():
        assert sum(game.returns()) == 0
    seats = range(game.num_players())
    assert all(abs(game.payoff(seat)) <= game.max_utility() for seat in seats)
    assert all(abs(game.value(seat)) <= VALUE_ONE for seat in seats)
    quick.playout(rng3)
    assert quick.is_terminal()
    game.reset(Rng(seed))
    assert looks(game) == looks(begun(name, seed))


@every_hidden_game
@given(seed=seeds, choices=picks)
@settings(max_examples=20, deadline=None)
def test_what_a_seat_cannot_know_is_in_nothing_that_it_is_told(
    name: str, seed: int, choices: list[int]
) -> None:
    game = played(name, seed, choices)
    for seat in range(game.num_players()) if not game.is_terminal() else ():
        before = told(game, seat)
        for other in anew(game, seat, 5):
            assert told(other, seat) == before


@every_hidden_game
@given(seed=seeds)
@settings(max_examples=10, deadline=None)
def test_what_a_seat_cannot_know_is_drawn_anew(name: str, seed: int) -> None:
    game = begun(name, seed)
    for seat in range(game.num_players()):
        others = [each for each in range(game.num_players()) if each != seat]
        dealt = repr([told(game, other) for other in others])
        assert any(repr([told(drawn, other) for other in others]) != dealt for drawn in anew(game, seat, 40))
        assert [drawn.to_bytes() for drawn in anew(game, seat, 2)] == [
            drawn.to_bytes() for drawn in anew(game, seat, 2)
        ]


def test_a_leak_would_be_found() -> None:
    class Leaky(Highcard):
        def observe_into(self, seat: int, out: vec[i32]) -> None:
            super().observe_into(seat, out)
            out[0] += self.hands[seat - 1][0]

    game = Leaky()
    game.reset(Rng(1))
    assert {repr(told(other, 0)) for other in anew(game, 0, 9)} != {repr(told(game, 0))}


def told(game: Game, seat: int) -> list[object]:
    """Everything that a seat is shown, in words and in numbers; both observations, bit by bit."""
    shown = [bytes(game.observation(seat))]
    if game.legacy_observation_size():
        shown.append(bytes(game.observation(seat, legacy=True)))
    return [game.view(seat)._replace(sample=None), *shown]


def anew(game: Game, seat: int, count: int) -> Iterable[Game]:
    """The game as it may be for all that `seat` knows. Its history stays, for the view to hide."""
    for number in range(count):
        other = game.clone()
        other.determinize(seat, Rng(number))
        yield other


@pytest.mark.parametrize("name", ["highcard", "highcard5"])
@given(seed=seeds, choices=picks)
@settings(max_examples=20, deadline=None)
def test_a_view_does_not_depend_on_what_is_hidden(name: str, seed: int, choices: list[int]) -> None:
    game = played(name, seed, choices)
    for seat in range(game.num_players()):
        view = game.view(seat)
        sample = view.sample(Rng(seed))
        if not game.is_terminal():
            assert sample.history() == []
            hidden = [move for move in view.history if move.seat != seat]
            assert all(move.action == -1 for move in hidden)
        assert bytes(sample.observation(seat)) == bytes(game.observation(seat))
    if not game.is_terminal():
        hands = {view_sample_hand(game, Rng(s)) for s in range(20)}
        assert len(hands) > 10


def view_sample_hand(game: Game, rng: Rng) -> tuple[tuple[int, ...], ...]:
    sample = game.view(0).sample(rng)
    assert isinstance(sample, Highcard)
    return tuple(tuple(hand) for hand in [*sample.hands[1:], sample.laid[1:]])


@given(seed=seeds, choices=st.lists(st.integers(0, 1), max_size=5))
@settings(max_examples=20, deadline=None)
def test_open_chance_is_in_no_view_and_drawn_anew_in_every_sample(seed: int, choices: list[int]) -> None:
    game = played("dice", seed, choices)
    assert isinstance(game, Dice)
    states = [*game.rng.state()[:3], *game._second_rng.state()[:3]]
    view = game.view(0)
    text = repr(view._replace(sample=None))
    assert not [word for word in states if word > 9999 and str(word) in text] and "rng" not in text
    assert len({tuple(ahead(view.sample(Rng(s)))) for s in range(20)}) > 10
    assert ahead(view.sample(Rng(1))) == ahead(view.sample(Rng(1)))
    assert ahead(game.clone()) == ahead(game)


def ahead(game: Game) -> list[int]:
    """The next throws, without taking them from the game."""
    copy = game.clone()
    assert isinstance(copy, Dice)
    return [int(copy.throw()) for _ in range(8)]
