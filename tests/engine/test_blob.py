"""Blob against its rules, one by one, against OpenSpiel's Oh Hell, and against those who would peek."""

from __future__ import annotations

import math
import struct
from collections import Counter
from functools import cache
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from librt.vecs import vec
from mypy_extensions import i64

import engine
from engine import Rng
from engine.bits import f32_ratio
from engine.core import VALUE_ONE
from engine.deals import Deals
from engine.games.blob import Blob

SUITS = "SHCD"
RANKS = "23456789TJQKA"
NAMES = {"S": "spades", "H": "hearts", "C": "clubs", "D": "diamonds"}
TRUMPS = ["spades", "hearts", "clubs", "diamonds", "none"]

seeds = st.integers(0, 2**63 - 1)
tables = st.sampled_from(
    [
        {},
        {"players": 3},
        {"players": 3, "cards": 13, "rounds": 1},
        {"players": 4, "cards": 13, "rounds": 2},
        {"players": 6, "cards": 8, "rounds": 3},
        {"players": 8, "rounds": 5},
        {"players": 5, "cards": 10, "rounds": 1},
        {"players": 3, "cards": 2},
        {"players": 4, "cards": 1},
    ]
)
plies = st.integers(0, 400)


def card(text: str) -> int:
    return 13 * SUITS.index(text[1]) + RANKS.index(text[0])


def cards(texts: str) -> int:
    return sum(1 << card(text) for text in texts.split())


def new(seed: int = 1, **variant: int) -> Blob:
    game = engine.new("blob", seed, **variant)
    assert isinstance(game, Blob)
    return game


def played(seed: int, plies: int, **variant: int) -> Blob:
    """A random match after that many plies, counted around its length."""
    game = new(seed, **variant)
    rng = Rng(seed)
    for _ in range(plies % (game.max_plies() + 1)):
        game.apply(game.random_action(rng))
    return game


def position(
    hands: list[str],
    bids: str = "",
    plays: str = "",
    number: int = 1,
    totals: tuple[int, ...] = (),
    **more: int,
) -> Blob:
    """A round, counted from 1, with these cards dealt, and what was bid and played since, in order."""
    game = new(players=len(hands), **more)
    said = [game.parse_action(text) - 52 for text in bids.split()]
    laid = [card(text) for text in plays.split()]
    game.set_position(
        bytes([number - 1, 0, len(said), len(laid)])
        + (12345).to_bytes(8, "little")
        + b"".join(total.to_bytes(2, "little") for total in totals or [0] * len(hands))
        + b"".join(cards(hand).to_bytes(7, "little") for hand in hands)
        + bytes(said + laid)
    )
    return game


def legal(game: Blob) -> str:
    return " ".join(game.action_text(action) for action in game.legal_actions())


# The variant.


def test_the_usual_table() -> None:
    game = new()
    assert game.variant() == {"players": 5, "cards": 7, "rounds": 17}
    assert [int(game.cards_of(r)) for r in range(17)] == [7, 6, 5, 4, 3, 2, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7]
    assert game.max_plies() == 5 * (17 + 59)
    assert game.max_utility() == 170 + 59
    assert game.hidden_information() and not game.zero_sum() and game.num_actions() == 66


@pytest.mark.parametrize("players", range(3, 9))
def test_the_sequence_of_rounds(players: int) -> None:
    for size in range(1, min(13, 52 // players) + 1):
        game = new(players=players, cards=size)
        sizes = [int(game.cards_of(r)) for r in range(game.variant()["rounds"])]
        assert len(sizes) == 2 * (size - 1) + players
        assert sizes == [*range(size, 1, -1), *[1] * players, *range(2, size + 1)]
        short = new(players=players, cards=size, rounds=2)
        short.playout(Rng(1))
        assert short.ply() == short.max_plies() == players * (2 + sum(sizes[:2]))


@pytest.mark.parametrize(("players", "size"), [(3, 7), (4, 7), (5, 7), (6, 7), (7, 7), (8, 6)])
def test_cards_by_default(players: int, size: int) -> None:
    variant = new(players=players).variant()
    assert variant == {"players": players, "cards": size, "rounds": 2 * (size - 1) + players}
    assert new(players=players, cards=size, rounds=variant["rounds"]).variant() == variant


@pytest.mark.parametrize(
    ("variant", "says"),
    [
        ({"players": 2}, "3 to 8 players, got players=2"),
        ({"players": 9}, "3 to 8 players, got players=9"),
        ({"players": 3, "cards": 14}, r"1 to 13 cards .* got cards=14"),
        ({"players": 5, "cards": 11}, r"1 to 10 cards .* got cards=11"),
        ({"players": 8, "cards": 7}, r"1 to 6 cards .* got cards=7"),
        ({"cards": -1}, "got cards=-1"),
        ({"rounds": 18}, r"1 to 17 rounds .* got rounds=18"),
        ({"rounds": -1}, "got rounds=-1"),
    ],
)
def test_what_the_deck_does_not_give_is_refused(variant: dict[str, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        engine.new("blob", **variant)


def test_notation() -> None:
    game = new()
    texts = [game.action_text(action) for action in range(66)]
    assert len(set(texts)) == 66
    assert [texts[a] for a in (0, 12, 13, 34, 51)] == ["2S", "AS", "2H", "TC", "AD"]
    assert texts[52:] == [str(bid) for bid in range(14)]
    assert game.parse_action(" td ") == card("TD") == 47 and game.parse_action("0") == 52


# The rules.


def test_dealer_trump_and_bidders_rotate() -> None:
    for players in range(3, 9):
        game = new(players=players)
        rng = Rng(players)
        for number in range(game.variant()["rounds"]):
            facts = game.facts(0)
            assert facts["round"] == number + 1 and facts["dealer"] == number % players
            assert facts["trump"] == TRUMPS[number % 5]
            assert (
                facts["cards"] == game.cards_of(number) and facts["cards_left"] == [facts["cards"]] * players
            )
            bidders = []
            for _ in range(players):
                bidders.append(int(game.current_player()))
                assert {c.id >= 52 for c in game.view(bidders[-1]).legal} == {True}
                game.apply(game.random_action(rng))
            assert bidders == [(number + 1 + k) % players for k in range(players)]
            assert game.current_player() == (number + 1) % players  # leads
            for _ in range(players * facts["cards"]):
                game.apply(game.random_action(rng))
        assert game.is_terminal() and game.ply() == game.max_plies()


def test_every_round_deals_anew_from_the_seed() -> None:
    deals = []
    for seed in (1, 1, 2):
        game = new(seed, players=3, cards=13, rounds=3)
        hands = []
        while not game.is_terminal():
            if not game.facts(0)["tricks_played"] and None in game.facts(0)["bids"]:
                hands.append(tuple(tuple(game.facts(seat)["hand"]) for seat in range(3)))
            game.apply(game.legal_actions()[0])
        deals.append(list(dict.fromkeys(hands)))
    assert deals[0] == deals[1] != deals[2]
    for deal in deals[0]:
        held = [text for hand in deal for text in hand]
        assert len(held) == len(set(held)) == 3 * len(deal[0])
    assert len(deals[0]) == 3 and len({deal[0] for deal in deals[0]}) == 3


def test_every_card_comes_to_every_seat() -> None:
    counts = Counter(
        (seat, text)
        for seed in range(1500)
        for seat in range(4)
        for text in hand_of(new(seed, players=4), seat)
    )
    assert len(counts) == 208
    expected = 1500 * 7 / 52
    assert sum((n - expected) ** 2 / expected for n in counts.values()) < 208 + 5 * math.sqrt(2 * 208)


def hand_of(game: Blob, seat: int) -> list[str]:
    hand: list[str] = game.facts(seat)["hand"]
    return hand


HANDS = ["AS 4H 2C", "KS 3H 9C", "2D 5H 8C"]


def test_the_dealer_may_not_make_the_bids_come_out() -> None:
    first = {"cards": 3, "hands": HANDS}
    assert legal(position(**first)) == "0 1 2 3"
    assert legal(position(**first, bids="0")) == "0 1 2 3"  # only the last bidder is bound
    assert legal(position(**first, bids="0 0")) == "0 1 2"
    assert legal(position(**first, bids="0 2")) == "0 2 3"
    assert legal(position(**first, bids="1 2")) == "1 2 3"
    assert legal(position(**first, bids="2 2")) == "0 1 2 3"  # -1 would be the forbidden bid
    game = position(**first, bids="0 2")
    assert game.current_player() == game.facts(1)["dealer"] == 0 and game.facts(1)["forbidden_bid"] == 1
    assert position(**first, bids="2 2").facts(0)["forbidden_bid"] is None
    with pytest.raises(engine.IllegalAction):
        game.apply(game.parse_action("1"))


def test_suit_is_followed_by_those_who_can_and_nobody_has_to_trump() -> None:
    bids = "0 0 0"
    game = position(HANDS, bids, cards=3)
    assert game.current_player() == 1 and legal(game) == "KS 3H 9C"
    assert legal(position(HANDS, bids, "9C", cards=3)) == "8C"
    assert legal(position(HANDS, bids, "KS", cards=3)) == "5H 8C 2D"  # P3 lacks spades, and may play anything
    assert legal(position(HANDS, bids, "3H 5H", cards=3)) == "4H"
    game = position(HANDS, bids, "KS 2D", cards=3)
    assert game.facts(0)["voids"] == [[], [], ["spades"]] and legal(game) == "AS"


@pytest.mark.parametrize(
    ("number", "plays", "winner"),
    [
        (1, "3H 5H AS", 0),  # spades are trump, and this is the only one
        (1, "3H 2S AS", 0),  # the higher of two trumps
        (1, "9S 3S 2D", 1),
        (1, "3H 5H 4H", 2),  # the highest card of the suit led
        (1, "3H AC AD", 1),  # higher cards of other suits count for nothing
        (2, "3S AS 2H", 1),  # hearts
        (3, "3H AS 4C", 2),  # clubs
        (4, "3H AS 4D", 0),  # diamonds
        (5, "3H AS AD", 2),  # none
        (5, "3H AS 9H", 1),
    ],
)
def test_who_wins_a_trick_leads_the_next(number: int, plays: str, winner: int) -> None:
    other = [
        rank + suit
        for suit in SUITS
        for rank in RANKS
        if suit != plays[1] and rank + suit not in plays.split()
    ]
    hands = [""] * 3
    for k, text in enumerate(plays.split()):  # the player after the dealer leads
        hands[(number + k) % 3] = " ".join([text, *(other.pop() for _ in range(6 - number))])
    game = position(hands, "0 0 0", plays, number, cards=6)
    assert game.facts(0)["trump"] == TRUMPS[number - 1]
    assert game.current_player() == winner and game.facts(0)["winners"] == [winner]
    assert game.facts(0)["tricks"] == [int(seat == winner) for seat in range(3)]


def test_only_exact_bids_score_and_rounds_add_up() -> None:
    game = position(["AS 4H", "KS 3H", "2D 5H"], "0 0 1", "KS 2D AS 4H 3H", cards=2)
    assert game.facts(0)["scores"] == [0, 0, 0]
    game.apply(game.parse_action("5H"))  # P1 bid and took 1, P2 bid and took 0, P3 took 1 more than it bid
    assert game.facts(0)["round"] == 2 and game.facts(0)["scores"] == [11, 10, 0]
    assert game.returns() == [0, 0, 0]


def test_equal_totals_share_the_win() -> None:
    deal = {"hands": ["AS 4H", "KS 3H", "2D 5H"], "number": 5, "cards": 2, "totals": (12, 0, 0)}
    game = position(**deal, bids="2 1 0", plays="2D AS KS 5H 4H")  # P3 leads, and no trump
    assert game.current_player() == 1 and game.returns() == [0, 0, 0]
    game.apply(game.parse_action("3H"))
    assert game.is_terminal() and game.returns() == [12, 10, 12]
    assert game.value(0) == game.value(2) > 0 > game.value(1)


@pytest.mark.parametrize("players", range(3, 9))
def test_rounds_by_a_slow_referee(players: int) -> None:
    """Whole matches, every trump and size: legal moves, winners and scores counted again from the history."""
    for seed in range(3):
        game = new(seed, players=players, cards=(0, 2, min(13, 52 // players))[seed])
        rng = Rng(seed)
        totals = [0] * players
        for number in range(game.variant()["rounds"]):
            dealer, trump, size = number % players, TRUMPS[number % 5][0].upper(), game.facts(0)["cards"]
            hands = [hand_of(game, seat) for seat in range(players)]
            bids = {}
            for k in range(players):
                seat = (dealer + 1 + k) % players
                free = [b for b in range(size + 1) if k + 1 < players or sum(bids.values()) + b != size]
                assert (game.current_player(), legal(game)) == (seat, " ".join(map(str, free)))
                bids[seat] = free[rng.below(len(free))]
                game.apply(52 + bids[seat])
            leader, taken = (dealer + 1) % players, [0] * players
            for _ in range(size):
                trick: list[tuple[int, str]] = []
                for k in range(players):
                    seat = (leader + k) % players
                    same = [text for text in hands[seat] if trick and text[1] == trick[0][1][1]]
                    assert game.current_player() == seat
                    assert sorted(legal(game).split()) == sorted(same or hands[seat])
                    trick.append((seat, legal(game).split()[rng.below(len(same or hands[seat]))]))
                    hands[seat].remove(trick[-1][1])
                    game.apply(card(trick[-1][1]))
                for suit in (trump, trick[0][1][1]):
                    of_suit = [(RANKS.index(text[0]), seat) for seat, text in trick if text[1] == suit]
                    if of_suit:
                        leader = max(of_suit)[1]
                        break
                taken[leader] += 1
            totals = [t + (10 + bids[s] if taken[s] == bids[s] else 0) for s, t in enumerate(totals)]
            assert game.facts(0)["scores"] == totals
        assert game.returns() == totals and max(totals) <= game.max_utility()


def test_rounds_against_oh_hell() -> None:
    """Bidders, bids, players, cards, tricks and points agree with OpenSpiel's game, which has up to 7 players.

    It differs in the trump, turned up there and never none, and pays for tricks however many were bid.
    """
    rounds = 0
    for seed in range(17):
        for players in range(3, 8):
            game = new(seed, players=players, cards=(0, min(13, 51 // players))[seed % 2])
            rng = Rng(seed)
            while not game.is_terminal():
                before = scores(game)
                judge = their_round(game)
                for _ in range(players * (1 + game.facts(0)["cards"])):
                    action = int(game.random_action(rng))
                    if judge is not None:
                        assert judge.current_player() == game.current_player()
                        assert sorted(map(ours, judge.legal_actions())) == game.legal_actions()
                        judge.apply_action(theirs(action))
                    game.apply(action)
                if judge is not None:
                    assert judge.is_terminal()
                    points = [divmod(int(points), 100) for points in judge.returns()]
                    gained = [10 + tricks if exact else 0 for tricks, exact in points]
                    assert scores(game) == [a + b for a, b in zip(before, gained, strict=True)]
                    rounds += 1
    assert rounds > 1000


def scores(game: Blob) -> list[int]:
    found: list[int] = game.facts(0)["scores"]
    return found


def theirs(action: int) -> int:
    """Their cards count by rank, suits clubs, diamonds, spades, hearts; bids are the same."""
    return action if action >= 52 else 4 * (action % 13) + "CDSH".index(SUITS[action // 13])


def ours(action: int) -> int:
    return action if action >= 52 else 13 * SUITS.index("CDSH"[action % 4]) + action // 4


def their_round(game: Blob) -> Any:
    """Their state after our deal; None where they have no such round: no trump, or no card of it left over."""
    facts, players = game.facts(0), game.num_players()
    hands = [[card(text) for text in hand_of(game, seat)] for seat in range(players)]
    suit = TRUMPS.index(facts["trump"])
    left = [c for c in range(52) if c // 13 == suit and not any(c in hand for hand in hands)]
    if not left:
        return None
    pyspiel = pytest.importorskip("pyspiel", reason="OpenSpiel is not installed")
    state = pyspiel.load_game(f"oh_hell(players={players},points_per_trick=100)").new_initial_state()
    for action in (facts["cards"], facts["dealer"]):
        state.apply_action(action)
    for k in range(facts["cards"]):
        for hand in hands:
            state.apply_action(theirs(hand[k]))
    state.apply_action(theirs(left[0]))
    assert not state.is_chance_node()
    return state


# Positions as bytes.


@given(seed=seeds, plies=plies, variant=tables, at=st.integers(0, 10_000), flip=st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_changed_bytes_are_refused_or_are_another_position(
    seed: int, plies: int, variant: dict[str, int], at: int, flip: int
) -> None:
    game = played(seed, plies, **variant)
    data = game.position_bytes()
    other = game.clone()
    changed = bytearray(data)
    changed[at % len(data)] ^= flip
    try:
        other.set_position(bytes(changed))
    except ValueError:
        assert other.position_bytes() == data
    else:
        assert other.position_bytes() == bytes(changed)
        other.playout(Rng(seed))
        assert other.is_terminal()


@pytest.mark.parametrize(
    "wrong",
    [
        {"hands": ["AS 4H", "AS 3H", "2D 5H"]},  # one card twice
        {"hands": ["AS 4H", "KS", "2D 5H"]},
        {"hands": ["AS 4H 6C", "KS 3H 7C", "2D 5H 8C"]},
        {"bids": "0 0 2"},  # forbidden
        {"bids": "0 3"},
        {"plays": "KS 2D 4H"},  # does not follow
        {"plays": "KS 2D 9S"},  # does not hold it
        {"plays": "KS 2D AS 3H"},  # not the winner's
        {"bids": "0 0", "plays": "KS"},
        {"plays": "KS 2D AS 4H 3H 5H"},  # the next round has begun
        {"number": 2, "hands": ["AS", "KS", "2D"], "bids": "", "plays": "", "totals": (9, 0, 0)},
        {"number": 2, "hands": ["AS", "KS", "2D"], "bids": "", "plays": "", "totals": (13, 0, 0)},
        {"totals": (10, 0, 0)},
    ],
)
def test_positions_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {
        "hands": ["AS 4H", "KS 3H", "2D 5H"],
        "bids": "0 0 1",
        "plays": "KS 2D AS",
        "cards": 2,
    }
    position(**right)
    with pytest.raises(ValueError, match="no position of blob"):
        position(**{**right, **wrong})


@given(seed=seeds, plies=plies, variant=tables)
@settings(max_examples=60, deadline=None)
def test_playouts_from_anywhere_end_where_the_rules_allow(
    seed: int, plies: int, variant: dict[str, int]
) -> None:
    game = played(seed, plies, **variant)
    game.playout(Rng(seed))
    assert game.is_terminal() and game.ply() == game.max_plies()
    other = new(**game.variant())
    other.set_position(game.position_bytes())
    assert other.facts(0) == game.facts(0) and other.returns() == game.returns()
    assert bytes(other.observation(1)) == bytes(game.observation(1))


# What seats see.


@given(seed=seeds, plies=plies, variant=tables)
@settings(max_examples=60, deadline=None)
def test_nothing_that_is_hidden_shows(seed: int, plies: int, variant: dict[str, int]) -> None:
    game = played(seed, plies, **variant)
    for seat in range(game.num_players()):
        before = seen(game, seat)
        for redeal in range(4):
            other = game.clone()
            other.determinize(seat, Rng(redeal))
            assert other.history() == game.history()
            assert seen(other, seat) == before
            assert other.position_bytes() != game.position_bytes()  # if only by the seed


def test_nobody_knows_the_deals_to_come() -> None:
    game = played(3, 25)
    samples = [game.view(0).sample(Rng(k)) for k in range(20)]
    hands = [next_hand(sample) for sample in samples]
    assert len(set(hands)) == 20 and next_hand(game) not in hands
    assert hands[:3] == [next_hand(game.view(0).sample(Rng(k))) for k in range(3)]


def next_hand(game: engine.Game) -> str:
    """What seat 0 gets in the next round."""
    copy = game.clone()
    number = copy.facts(0)["round"]
    while copy.facts(0)["round"] == number:
        copy.step(copy.legal_actions()[0])
    return " ".join(copy.facts(0)["hand"])


def seen(game: Blob, seat: int) -> tuple[object, ...]:
    return (
        repr(game.view(seat)._replace(sample=None)),
        bytes(game.observation(seat)),
        bytes(game.observation(seat, legacy=True)),
        game.legal_actions() if game.current_player() == seat else None,
    )


@given(seed=seeds, plies=plies, variant=tables)
@settings(max_examples=100, deadline=None)
def test_what_is_drawn_agrees_with_what_is_known(seed: int, plies: int, variant: dict[str, int]) -> None:
    game = played(seed, plies, **variant)
    facts = game.facts(0)
    gone = {text for trick in [*facts["tricks_played"], facts["trick"]] for _, text in trick}
    for seat in range(game.num_players()):
        sample = game.clone()
        sample.determinize(seat, Rng(seed))
        held = list(gone)
        for p in range(game.num_players()):
            hand = hand_of(sample, p)
            assert len(hand) == facts["cards_left"][p] == len(hand_of(game, p))
            assert not {NAMES[text[1]] for text in hand} & set(facts["voids"][p])
            held += hand
        assert len(held) == len(set(held))
        assert hand_of(sample, seat) == hand_of(game, seat)
        sample.clone().set_position(sample.position_bytes())  # the rules allow it
        again = sample.clone()
        again.determinize(seat, Rng(7))
        game_again = game.clone()
        game_again.determinize(seat, Rng(7))
        assert again.position_bytes() == game_again.position_bytes()  # the true cards are no part of it


@pytest.mark.parametrize("plies", [0, 7, 13])
def test_searches_and_grades_are_the_same_whatever_others_hold(plies: int) -> None:
    """Handed the true game, they see no more of it than in any world that the mover cannot tell from it."""
    game = played(plies, plies, players=4, cards=4, rounds=2)
    seat = int(game.current_player())
    for number in range(3):
        world = game.clone()
        world.determinize(seat, Rng(number))
        assert engine.grade(world, simulations=60) == engine.grade(game, simulations=60)
        for spec in ("mcts:60", "ismcts:60", "pimc:60?worlds=5"):
            chosen = [engine.new_bot(spec).choose(each, Rng(5)) for each in (game, world)]
            assert chosen[0] == chosen[1]


# Uniform deals.


def drawn(unseen: str, sizes: list[int], lacks: list[str], draws: int) -> Counter[tuple[int, ...]]:
    """How often each deal came."""
    deals, hands, rng = Deals(), vec[i64]([0] * len(sizes)), Rng(3)
    voids = sum(1 << (4 * seat + SUITS.index(suit)) for seat, suits in enumerate(lacks) for suit in suits)
    found: Counter[tuple[int, ...]] = Counter()
    for _ in range(draws):
        for seat, size in enumerate(sizes):
            deals.sizes[seat] = size
        deals.draw(cards(unseen), len(sizes), voids, hands, rng)
        found[tuple(hands)] += 1
    return found


def possible(unseen: str, sizes: list[int], lacks: list[str]) -> list[tuple[int, ...]]:
    """All deals that agree, one by one."""
    if not sizes:
        return [()]
    may = [text for text in unseen.split() if text[1] not in lacks[0]]
    return [
        (cards(" ".join(hand)), *rest)
        for hand in combinations(may, sizes[0])
        for rest in possible(" ".join(t for t in unseen.split() if t not in hand), sizes[1:], lacks[1:])
    ]


@pytest.mark.parametrize(
    ("unseen", "sizes", "lacks"),
    [
        ("2S 3S 4H 5H 6C", [2, 2], ["", ""]),  # one card stays out
        ("2S 3S 4S 5H 6H 7C", [2, 0, 2], ["S", "", ""]),
        ("2S 3S 4S 5H 6H 7C", [2, 1, 1], ["S", "S", ""]),  # one class of two seats
        ("2S 3S 4S 5H 6H 7C", [2, 2, 2], ["S", "H", ""]),
        ("2S 3S 4H 5H 6C 7C 8D", [2, 2, 2], ["SD", "H", "C"]),  # three classes
        ("2S 3H 4C 5D", [1, 1, 1, 1], ["S", "H", "C", "D"]),
        ("2S 3S 4H 5H 6C 7C 8D 9D", [2, 2, 2, 1], ["S", "HC", "C", "SD"]),
        ("2S 3H 4C", [1, 1, 1], ["CD", "SD", "HD"]),  # no exchange of two cards leads from one to the other
        ("2S 3S 4S", [1, 1], ["H", "CD"]),  # lacking what is all gone says nothing
    ],
)
def test_deals_are_uniform(unseen: str, sizes: list[int], lacks: list[str]) -> None:
    ways = possible(unseen, sizes, lacks)
    found = drawn(unseen, sizes, lacks, 40 * len(ways))
    assert set(found) == set(ways)
    distance = sum((n - 40) ** 2 / 40 for n in found.values())
    freedom = len(ways) - 1
    assert distance < freedom + 5 * math.sqrt(2 * freedom) + 5


def test_many_classes_are_weighed_right() -> None:
    """Nine cards each, four different shown voids: the suits of the first hand, against exact numbers."""
    left, sizes, lacks = {"S": 8, "H": 9, "C": 10, "D": 9}, [8, 8, 8, 8], ["S", "H", "SC", "D"]
    unseen = " ".join(rank + suit for suit, n in left.items() for rank in RANKS[:n])
    ways = Counter(dict(by_first_hearts(tuple(left.values()), sizes, lacks)))
    total = sum(ways.values())
    draws = 3000
    found = Counter(
        (deal[0] & cards(" ".join(f"{r}H" for r in RANKS))).bit_count()
        for deal in drawn(unseen, sizes, lacks, draws).elements()
    )
    for hearts, n in ways.items():
        p = n / total
        assert abs(found[hearts] - draws * p) < 5 * math.sqrt(draws * p * (1 - p)) + 3


def by_first_hearts(left: tuple[int, ...], sizes: list[int], lacks: list[str]) -> list[tuple[int, int]]:
    """(hearts of the first hand, exact number of deals), the counts by big integers."""
    found: Counter[int] = Counter()
    for take in takes(left, sizes[0], lacks[0]):
        rest = tuple(n - a for n, a in zip(left, take, strict=True))
        found[take[1]] += math.prod(map(math.comb, left, take)) * count(
            rest, tuple(sizes[1:]), tuple(lacks[1:])
        )
    return list(found.items())


def takes(left: tuple[int, ...], size: int, lacks: str) -> list[tuple[int, ...]]:
    if not left:
        return [()] if size == 0 else []
    suit = SUITS[-len(left)]
    most = 0 if suit in lacks else min(left[0], size)
    return [(a, *rest) for a in range(most + 1) for rest in takes(left[1:], size - a, lacks)]


@cache
def count(left: tuple[int, ...], sizes: tuple[int, ...], lacks: tuple[str, ...]) -> int:
    if not sizes:
        return 1
    return sum(
        math.prod(map(math.comb, left, take))
        * count(tuple(n - a for n, a in zip(left, take, strict=True)), sizes[1:], lacks[1:])
        for take in takes(left, sizes[0], lacks[0])
    )


# Numbers.


@given(part=st.integers(-(2**24) + 1, 2**24 - 1), whole=st.integers(1, 2**24 - 1))
@settings(max_examples=300)
def test_ratios_are_rounded_as_floats_are(part: int, whole: int) -> None:
    assert struct.pack("<i", f32_ratio(part, whole)) == struct.pack("<f", part / whole)


def test_small_ratios() -> None:
    for whole in range(1, 60):
        for part in range(-60, 700):
            assert struct.pack("<i", f32_ratio(part, whole)) == struct.pack("<f", part / whole)


def f32(x: float) -> float:
    y: float = struct.unpack("<f", struct.pack("<f", x))[0]
    return y


@given(seed=seeds, plies=plies, variant=tables)
@settings(max_examples=60, deadline=None)
def test_observation_index_by_index(seed: int, plies: int, variant: dict[str, int]) -> None:
    game = played(seed, plies, **variant)
    n, most = game.num_players(), game.max_utility()
    for seat in range(n):
        f = game.facts(seat)
        size = f["cards"]
        want = [0.0] * (170 + 10 * n)
        for text in f["hand"]:
            want[card(text)] = 1
        for place, (_, text) in enumerate(f["trick"]):
            want[52 + card(text)] = (place + 1) / n
        for _, text in [play for trick in [*f["tricks_played"], f["trick"]] for play in trick]:
            want[104 + card(text)] = 1
        want[156 + TRUMPS.index(f["trump"])] = 1
        if f["trick"]:
            want[161 + SUITS.index(f["trick"][0][1][1])] = 1
        want[165:170] = [
            size / 13,
            len(f["winners"]) / size,
            (f["round"] - (not game.is_terminal())) / f["rounds"],
            float(None in f["bids"]),
            -1 if f["forbidden_bid"] is None else f["forbidden_bid"] / size,
        ]
        for k in range(n):
            p = (seat + k) % n
            want[170 + 10 * k : 180 + 10 * k] = [
                -1 if f["bids"][p] is None else f["bids"][p] / size,
                f["tricks"][p] / size,
                p == f["dealer"],
                p == game.current_player(),
                f["trick"] != [] and best_of(f["trick"], f["trump"]) == p,
                *[name in f["voids"][p] for name in TRUMPS[:4]],
                f["scores"][p] / most,
            ]
        assert list(game.observation(seat)) == [f32(x) for x in want]


def best_of(trick: list[list[Any]], trump: str) -> int:
    for suit in (trump[0].upper(), trick[0][1][1]):
        of_suit = [(RANKS.index(text[0]), seat) for seat, text in trick if text[1] == suit]
        if of_suit:
            return max(of_suit)[1]
    raise AssertionError


@given(seed=seeds, plies=plies, variant=tables)
@settings(max_examples=100, deadline=None)
def test_legacy_observation_index_by_index(seed: int, plies: int, variant: dict[str, int]) -> None:
    game = played(seed, plies, **variant)
    for seat in range(game.num_players()):
        assert list(game.observation(seat, legacy=True)) == [f32(x) for x in legacy(game, seat)]


def legacy(game: Blob, seat: int) -> list[float]:
    """The 256 floats by the table of the rules, from facts."""
    f, n, over = game.facts(seat), game.num_players(), game.is_terminal()
    size, most, rounds = f["cards"], game.variant()["cards"], f["rounds"]
    bids, tricks, hand = f["bids"], f["tricks"], f["hand"]
    plays = [play for trick in [*f["tricks_played"], f["trick"]] for play in trick]
    want = [0.0] * 256
    for text in hand:
        want[card(text)] = 1
    for place, (_, text) in enumerate(f["trick"]):
        want[52 + card(text)] = place + 1
    for _, text in plays:
        want[104 + card(text)] = 1
    for p in range(n):
        want[156 + p] = -1 if bids[p] is None else bids[p] / size
        want[164 + p] = tricks[p] / size
    want[172] = want[156 + seat]
    want[173] = want[164 + seat]
    want[174] = size / 13
    want[175] = len(f["winners"]) / size
    want[176] = (seat - f["dealer"]) % n / n
    want[177] = n / 8
    if f["trump"] != "none":
        want[178 + TRUMPS.index(f["trump"])] = 1
    bidding = None in bids
    want[182] = bidding and seat == f["dealer"]
    want[183], want[184], want[185] = bidding, not bidding and not over, over
    want[186] = len(hand) / 13
    want[187] = sum(who == seat for who, _ in plays) / 13
    want[188] = len(plays) / (n * size)
    want[189] = 0 if bids[seat] is None else (tricks[seat] - bids[seat]) / size
    want[190] = len(f["trick"]) / n
    trumps = [RANKS.index(text[0]) for text in hand if text[1] == f["trump"][0].upper()]
    want[191] = len(trumps) / 13
    for s, suit in enumerate(SUITS):
        want[192 + s] = sum(text[1] == suit for text in hand) / 13
        want[196 + s] = 1 if "A" + suit in hand else 0.5 if "K" + suit in hand else 0
    want[200] = sum(trumps) / (12 * len(trumps)) if trumps else 0
    want[201] = -1 if f["forbidden_bid"] is None else f["forbidden_bid"] / size
    if rounds > 1:
        sizes = [*range(most, 1, -1), *[1] * n, *range(2, most + 1)][:rounds]
        done = f["round"] if over else f["round"] - 1
        for p in range(n):
            want[202 + p] = f["scores"][p] / (done * (10 + most)) if done else 0
        want[210], want[211] = done / rounds, (rounds - done) / rounds
        want[212] = sizes[done:].count(1) / n
        here = f["round"] - 1
        want[213] = 0 if here < most - 1 else 0.5 if here < most - 1 + n else 1
        for k, cards_then in enumerate(sizes[:done][::-1][:15]):
            want[214 + k] = cards_then / most
        want[229], want[230] = n / 8, most / 8
    return want


# What a search looks at.


@given(seed=seeds, plies=plies, variant=tables)
@settings(max_examples=60, deadline=None)
def test_a_narrowed_match_ends_with_its_round(seed: int, plies: int, variant: dict[str, int]) -> None:
    game = played(seed, plies, **variant)
    if game.is_terminal():
        return
    before = [seen(game, seat) for seat in range(game.num_players())]
    number, start = game.facts(0)["round"], scores(game)
    narrow = game.clone()
    narrow.narrow()
    assert [seen(narrow, seat) for seat in range(game.num_players())] == before
    assert narrow.value(0) == 0
    narrow.playout(Rng(seed))
    facts = narrow.facts(0)
    assert facts["round"] == number and facts["cards_left"] == [0] * game.num_players()
    points = [10 + b if b == t else 0 for b, t in zip(facts["bids"], facts["tricks"], strict=True)]
    assert facts["scores"] == [a + b for a, b in zip(start, points, strict=True)] == narrow.returns()
    for seat, own in enumerate(points):
        others = (sum(points) - own) / (len(points) - 1)
        assert abs(narrow.value(seat) / VALUE_ONE - (own - others) / (10 + facts["cards"])) < 2 / VALUE_ONE
    again = new(**game.variant())
    again.set_position(narrow.position_bytes())
    assert again.is_terminal() and again.value(1) == narrow.value(1)


def test_the_value_of_a_match() -> None:
    game = new(5)
    game.playout(Rng(5))
    totals = game.returns()
    for seat, own in enumerate(totals):
        others = (sum(totals) - own) / 4
        assert abs(game.value(seat) / VALUE_ONE - (own - others) / 229) < 2 / VALUE_ONE
    alone = position(["AS", "KS", "2D"], "0 0 0", "KS 2D AS", cards=1, rounds=1)
    assert [alone.payoff(seat) for seat in range(3)] == [0, 10, 10]
    assert alone.value(0) == -10 * VALUE_ONE // 11 and alone.value(1) == 5 * VALUE_ONE // 11


# Words.


def test_the_board() -> None:
    game = position(HANDS, "1 0 0", "KS 2D AS 4H", cards=3)
    assert game.board_text(1).splitlines() == [
        "Round 1 of 7: 3 cards to each player, trump spades, dealer P1",
        "",
        "Trick 1: P2 KS, P3 2D, P1 AS; won by P1",
        "Trick 2: P1 4H; not complete",
        "",
        "player  score  bid  tricks  cards left  has shown to lack",
        "P1          0    0       1           1  -",
        "P2          0    1       0           2  -",
        "P3          0    0       0           2  spades",
        "",
        "Hand of P2: 3H | 9C",
    ]
    assert position(HANDS, cards=3).board_text(0).splitlines()[1:3] == [
        "",
        "player  score  bid  tricks  cards left  has shown to lack",
    ]


@pytest.mark.parametrize("players", range(3, 9))
def test_rules_are_those_of_the_variant(players: int) -> None:
    text = new(players=players, cards=3).rules_text()
    assert f"for {players} players, P1 to P{players}" in text
    assert f"{2 * 2 + players} rounds" in text and f"3, 2, {', '.join(['1'] * players)}, 2, 3 cards" in text
    assert "0 to 3." in text
    one = new(players=players, cards=3, rounds=1).rules_text()
    assert "one round, in which each player is dealt 3 cards" in one and "Spades are trump" in one
