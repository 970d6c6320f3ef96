"""What a run for data plays: weights met at any point, models with the same deals, and a beginning that stays."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.programme import Board, GameShare, Opponent, Programme, Turns, game_text, read_game

GAMES = (GameShare("connect4"), GameShare("tictactoe"), GameShare("othello"))
BOTS = (Opponent("bot:random", 3), Opponent("bot:greedy", 2), Opponent("bot:mcts:200"))
BLOB = GameShare("blob", {"players": 4, "cards": 2, "rounds": 1})


def programme(models=1, opponents=BOTS, games=GAMES, seed=1) -> Programme:
    return Programme([f"sim:{number}" for number in range(models)], opponents, games, seed)


def boards(of: Programme, pairs: int) -> list[Board]:
    return [of.board(pair) for pair in range(pairs)]


@given(
    weights=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    parts=st.sampled_from([1, 7, 10]),
    seed=st.integers(0, 2**31),
)
def test_at_any_point_everybody_had_their_share_to_within_one(weights, parts, seed) -> None:
    turns = Turns([Fraction(weight, parts) for weight in weights], seed)
    had = Counter()
    most = Fraction(1) - Fraction(1, max(1, 2 * len(weights) - 2)) if len(weights) > 1 else Fraction(0)
    for number in range(1, 120):
        had[turns.next()] += 1
        for one, weight in enumerate(weights):
            assert abs(had[one] - Fraction(number * weight, sum(weights))) <= most


def test_equals_take_turns_in_an_order_that_the_seed_draws() -> None:
    def order(seed: int) -> list[int]:
        turns = Turns([Fraction(1)] * 5, seed)
        return [turns.next() for _ in range(50)]

    assert all(sorted(order(1)[block : block + 5]) == [0, 1, 2, 3, 4] for block in range(0, 50, 5))
    assert order(1) == order(1) != order(2)


@pytest.mark.parametrize("seed", range(3))
def test_every_opponent_has_its_share_of_every_game(seed) -> None:
    games = (GameShare("connect4", weight=2), GameShare("tictactoe"), GameShare("othello"))
    share = {
        (game.game, 2 + at): game.weight / 4 * bot.weight / 6 for game in games for at, bot in enumerate(BOTS)
    }
    had: Counter = Counter()
    for number, board in enumerate(boards(programme(games=games, seed=seed), 240), start=1):
        had[board.game, board.players[1]] += 1
        assert all(abs(had[key] - number * part) < 2 for key, part in share.items())
    assert all(had[key] == round(240 * part) for key, part in share.items())


def test_models_meet_the_same_opponents_from_the_same_deals() -> None:
    played = programme(models=3)
    rounds: dict[int, list[Board]] = {}
    for pair in range(60):
        rounds.setdefault(played.deal(pair), []).append(played.board(pair))
    assert sorted(rounds) == list(range(20))
    for of_round in rounds.values():
        assert [board.players[0] for board in of_round] == [1, 2, 3]
        assert len({(board.game, board.players[1]) for board in of_round}) == 1


def test_a_model_against_itself_is_two_players() -> None:
    played = programme(models=2, opponents=(Opponent("self"), Opponent("bot:random")))
    assert played.specs == ["sim:0", "sim:1", "sim:0", "sim:1", "bot:random"]
    assert {board.players for board in boards(played, 12)} == {(1, 3), (2, 4), (1, 5), (2, 5)}


@pytest.mark.parametrize("models", range(2, 7))
def test_each_other_is_everybody_as_often_as_everybody_else(models) -> None:
    played = programme(models=models, opponents=(Opponent("each-other"),), games=GAMES[:1])
    assert len(played.specs) == models
    met = Counter(board.players for board in boards(played, 100))
    assert set(met) == set(combinations(range(1, models + 1), 2))
    assert max(met.values()) - min(met.values()) <= (1 if models < 5 else 2)
    often = Counter(model for board in boards(played, 100) for model in board.players)
    assert max(often.values()) - min(often.values()) <= 1


def test_the_other_seats_of_a_table_are_filled_from_the_mix() -> None:
    played = programme(opponents=(Opponent("bot:random"), Opponent("bot:greedy")), games=(BLOB,))
    assert played.specs == ["sim:0", *["bot:random"] * 2, *["bot:greedy"] * 2]
    seen = Counter(player for board in boards(played, 40) for player in board.players[1:])
    assert seen[2] + seen[3] == seen[4] + seen[5] == 60, "over all seats, their shares"
    assert all(len(set(board.players)) == 4 for board in boards(played, 40))


def test_models_share_a_table_with_others() -> None:
    played = programme(models=3, opponents=(Opponent("each-other", 2), Opponent("self")), games=(BLOB,))
    for board in boards(played, 20):
        sitting = [played.specs[player - 1] for player in board.players]
        assert len(set(board.players)) == 4 and len({player for player in board.players if player <= 3}) >= 2
        assert all(spec in sitting[:3] for spec in sitting)


@given(
    seed=st.integers(0, 2**31), models=st.integers(1, 4), pairs=st.integers(0, 40), more=st.integers(1, 80)
)
def test_the_first_pairs_are_the_same_however_many_follow(seed, models, pairs, more) -> None:
    opponents = (*BOTS, Opponent("self"), *([Opponent("each-other")] if models > 1 else []))
    short, long = (programme(models, opponents, (*GAMES, BLOB), seed) for _ in range(2))
    long.board(pairs + more)
    assert boards(short, pairs) == boards(long, pairs)
    assert short.specs == long.specs and short.deal(pairs) == long.deal(pairs)


def test_the_boards_of_a_seed_stay_what_they_are() -> None:
    """A run that was begun by an older version goes on: what it has on record must still be what comes first."""
    opponents = (Opponent("bot:random", 2), Opponent("bot:greedy"), Opponent("self"), Opponent("each-other"))
    played = programme(3, opponents, (GameShare("tictactoe", weight=2), BLOB), seed=7)
    found = [" ".join([board.game[0], *map(str, board.players)]) for board in boards(played, 16)]
    assert found == [
        "t 1 4",
        "t 2 4",
        "t 3 4",
        "b 2 3 4 6",
        "t 1 6",
        "t 2 6",
        "t 3 6",
        "t 1 7",
        "t 2 8",
        "t 3 9",
        "b 1 4 5 7",
        "b 2 4 5 8",
        "b 3 4 5 9",
        "t 1 3",
        "t 1 4",
        "t 2 4",
    ]


@pytest.mark.parametrize(("matches", "pairs"), [(1, 3), (6, 3), (7, 6), (100, 51)])
def test_a_run_is_whole_rounds(matches, pairs) -> None:
    assert programme(models=3).pairs(matches) == pairs


@pytest.mark.parametrize(
    ("models", "opponents", "games", "says"),
    [
        (1, (Opponent("bot:random", 0),), GAMES, "bot:random has weight 0: expected a number above 0"),
        (1, (Opponent("bot:random", -1),), GAMES, "weight -1"),
        (1, BOTS, (GameShare("connect4", weight=float("nan")),), "connect4 has weight nan"),
        (
            2,
            (Opponent("each-other"),),
            (BLOB,),
            "blob has 4 seats, but only 2 models play each other: name 4",
        ),
        (1, BOTS, (GameShare("blob", {"players": 99}),), "99"),
    ],
)
def test_what_cannot_be_played_says_why(models, opponents, games, says) -> None:
    with pytest.raises(ValueError, match=says):
        programme(models, opponents, games)


@pytest.mark.parametrize(
    "text", ["connect4", "blob?players=4&cards=2&rounds=1", "openspiel:go(board_size=5)"]
)
def test_a_game_is_read_as_it_is_written(text) -> None:
    assert game_text(*read_game(text)) == text
