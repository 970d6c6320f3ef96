"""Othello's rules and numbers by hand and by known counts, and its end-game solver against independent judges.

The comparison with OpenSpiel move by move stands in test_boards.py, what every game owes in test_contract.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from librt.vecs import vec
from mypy_extensions import i64

import engine
from engine import Game, IllegalAction, Rng
from engine.bits import nth_bit, popcount, signed, write_places
from engine.solvers.othello import ORDER, OthelloSolver, within
from tests.engine.test_boards import after, leaves

COMPILED = engine.is_compiled()
seeds = st.integers(0, 2**63 - 1)


def board(text: str, who: int = 0) -> Game:
    """A position from 64 signs, X, O and anything else, row by row."""
    signs = "".join(text.split())
    x, o = (sum(1 << cell for cell in range(64) if signs[cell] == mark) for mark in "XO")
    game = engine.new("othello")
    game.set_position(x.to_bytes(8, "little") + o.to_bytes(8, "little") + bytes([who]))
    return game


def empty_cells(game: Game) -> int:
    return 64 - sum(game.facts(0)["discs"].values())


def near_the_end(seed: int, empties: int) -> Game:
    """A random position with so many empty cells, or one more or less, that is not over."""
    game, rng = engine.new("othello"), Rng(seed)
    while True:
        game.reset(rng)
        while not game.is_terminal() and empty_cells(game) > empties:
            game.apply(game.random_action(rng))
        if not game.is_terminal():
            return game


def legal_texts(game: Game) -> list[str]:
    return [game.action_text(action) for action in game.legal_actions()]


# Rules.


def test_the_start_and_the_first_moves() -> None:
    game = engine.new("othello")
    rows = game.facts(0)["rows"]
    assert rows == ["........"] * 3 + ["...OX...", "...XO..."] + ["........"] * 3
    assert game.board_text(0).split("\n")[:5:4] == ["  a b c d e f g h", "4 . . . O X . . ."]
    assert legal_texts(game) == ["d3", "c4", "f5", "e6"]
    game.apply(game.parse_action(" F5 "))
    assert game.facts(1)["rows"][4] == "...XXX.." and legal_texts(game) == ["f4", "d6", "f6"]
    facts = game.facts(1)
    assert (facts["mark"], facts["opponent_mark"], facts["discs"]) == ("O", "X", {"X": 4, "O": 1})


STAR = """
X.X.X...
.OOO....
XO.OOX..
.OOOO...
X.OOO...
..X..X..
........
........
"""
STAR_AFTER_C3 = [
    "X.X.X...",
    ".XXX....",
    "XXXXXX..",
    ".XXXO...",
    "X.XOX...",
    "..X..X..",
    "........",
    "........",
]

# From corner to corner, h8 being the sign of the 64 bits.
RIM = """
.OOOOOOX
OO....O.
O.O..O..
O..OO...
O..OO...
O.O..O..
OO....O.
X......X
"""
RIM_AFTER_A1 = [
    "XXXXXXXX",
    "XX....O.",
    "X.X..O..",
    "X..XO...",
    "X..OX...",
    "X.O..X..",
    "XO....X.",
    "X......X",
]


@pytest.mark.parametrize(
    ("signs", "move", "rows"), [(STAR, "c3", STAR_AFTER_C3), (RIM, "a1", RIM_AFTER_A1)], ids=["star", "rim"]
)
def test_a_disc_turns_the_lines_that_it_closes_in_all_directions(
    signs: str, move: str, rows: list[str]
) -> None:
    other = str.maketrans("XO", "OX")
    for symmetry in range(8):
        for who in (0, 1):
            game = board(signs.translate(other) if who else signs, who)
            turned = game.transform(symmetry)
            turned.apply(turned.transform_action(symmetry, game.parse_action(move)))
            expected = board("".join(rows).translate(other) if who else "".join(rows), 1 - who)
            assert turned.position_bytes() == expected.transform(symmetry).position_bytes()


def test_the_shortest_match() -> None:
    """Nine moves, after which white has no disc left; nobody can move with 51 cells empty."""
    game = after("othello", *["e6", "f4", "e3", "f6", "g5", "d6", "e7", "f5", "c5"])
    assert game.is_terminal() and game.returns() == [1.0, -1.0]
    assert game.facts(0)["discs"] == {"X": 13, "O": 0} and game.ply() == 9
    assert game.legal_actions() == [] and set(game.action_mask()) == {0}
    assert set(game.observation(0).tolist()[64:]) == {0.0}


def test_a_pass_is_legal_only_when_forced_and_counts_when_taken() -> None:
    rng, passes, ended_by_no_pass = Rng(5), 0, 0
    for _ in range(200 if COMPILED else 20):
        game = engine.new("othello")
        while not game.is_terminal():
            legal = game.legal_actions()
            if 64 in legal:
                assert legal == [64] and legal_texts(game) == ["pass"] and game.parse_action("PASS") == 64
                before = game.facts(0)
                ply, seat = game.ply(), game.current_player()
                with pytest.raises(IllegalAction, match="pass"):
                    game.apply(0)
                game.apply(64)
                # Nothing has changed but the turn; the opponent can move, or the match had been over.
                assert game.facts(0) == before and game.ply() == ply + 1 == len(game.history())
                assert game.current_player() == 1 - seat and 64 not in game.legal_actions() != []
                passes += 1
            else:
                with pytest.raises(IllegalAction):
                    game.apply(64)
                game.apply(game.random_action(rng))
        ended_by_no_pass += game.history()[-1].action != 64
        discs = game.facts(0)["discs"]
        assert game.returns()[0] == (discs["X"] > discs["O"]) - (discs["X"] < discs["O"])
    assert passes > 5 and ended_by_no_pass == (200 if COMPILED else 20)


def test_perft() -> None:
    """The counts that Othello programs agree on."""
    known = [4, 12, 56, 244, 1396, 8200, 55092, 390216, 3005288]
    depths = 9 if COMPILED else 6
    assert [leaves(engine.new("othello"), depth) for depth in range(1, depths + 1)] == known[:depths]


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_a_playout_draws_and_plays_as_single_moves_do(seed: int) -> None:
    one, many, rng, twin = engine.new("othello"), engine.new("othello"), Rng(seed), Rng(seed)
    for _ in range(seed % 50):
        if not one.is_terminal():
            one.step(one.random_action(Rng(seed)))
    many.copy_from(one)
    while not one.is_terminal():
        one.step(one.random_action(rng))
    many.playout(twin)
    assert many.position_bytes() == one.position_bytes() and many.returns() == one.returns()
    assert rng.state() == twin.state()
    many.playout(twin)
    assert many.returns() == one.returns() and rng.state() == twin.state()  # over is over


# Positions.


def test_four_symmetries_keep_the_start_and_four_exchange_its_colours() -> None:
    start = engine.new("othello")
    forms = [start.transform(s).facts(0)["rows"][3] for s in range(8)]
    assert sorted(forms) == ["...OX..."] * 4 + ["...XO..."] * 4
    assert len({start.transform(s).position_class() for s in range(8)}) == 1
    corners = [start.transform_action(s, 0) for s in range(8)]
    assert sorted(corners) == [0, 0, 7, 7, 56, 56, 63, 63]
    assert {start.transform_action(s, 64) for s in range(8)} == {64}


@pytest.mark.parametrize(
    ("x", "o", "who"),
    [
        (0x0000000810000000, 0x0000001008000000, 2),  # not over
        (0x0000000810000000, 0x0000001008000000, 3),
        (0x0000001810000000, 0x0000001008000000, 0),  # two discs on e5
        (0x0000000800000000, 0x0000001008000000, 0),  # no disc on e4
        (0x8000000810000000, 0x0000001008000000, 0),  # h8 out of touch
        (0x0000000810000000, 0x0000001008000001, 1),  # a1 out of touch
        (0x0000010810008000, 0x0000001008000000, 0),  # h2 and a6 are no neighbours
        (0x0000001818000000, 0x0000000000000000, 0),  # over, since white has nothing
    ],
)
def test_impossible_positions_are_refused(x: int, o: int, who: int) -> None:
    game = after("othello", "f5")
    before = game.to_bytes()
    data = x.to_bytes(8, "little") + o.to_bytes(8, "little") + bytes([who])
    for bad in (data, data[:-1], data + b"\0", b""):
        with pytest.raises(ValueError, match="no position of othello"):
            game.set_position(bad)
    assert game.to_bytes() == before


def test_observations() -> None:
    game = after("othello", "f5")
    x, o, legal = [28, 35, 36, 37], [27], [29, 43, 45]
    for seat, mine, theirs in ((0, x, o), (1, o, x)):
        expected = [*mine, *(64 + cell for cell in theirs)]
        expected += [128 + cell for cell in legal] if seat == 1 else []
        assert [i for i, v in enumerate(game.observation(seat).tolist()) if v] == expected
        old = [*x, *(64 + cell for cell in o), *(128 + cell for cell in legal if seat == 1), 193 + seat]
        assert [i for i, v in enumerate(game.observation(seat, legacy=True).tolist()) if v] == old
    assert len(game.observation(0)) == 193 and len(game.observation(0, legacy=True)) == 195


@given(x=st.integers(-(2**63), 2**63 - 1))
@settings(max_examples=200, deadline=None)
def test_bits_of_all_64_places(x: int) -> None:
    places = [place for place in range(64) if (x >> place) & 1]
    assert popcount(x) == len(places)
    assert [nth_bit(x, k) for k in range(len(places))] == places[::-1]
    out = vec[i64]([0] * 64)
    assert [out[i] for i in range(write_places(x, out))] == places
    assert signed(x) == x


# The solver.


def lead(game: Game, seat: int) -> int:
    discs = game.facts(0)["discs"]
    return int(discs["X"] - discs["O"]) * (1 - 2 * seat)


def by_trying(game: Game) -> dict[int, int]:
    """Every action's score for the mover, from all ways to go on."""
    seat, values = game.current_player(), {}
    for action in game.legal_actions():
        child = game.clone()
        child.step(action)
        if child.is_terminal():
            values[action] = lead(child, seat)
        else:
            values[action] = max(by_trying(child).values()) * (1 if child.current_player() == seat else -1)
    return values


def by_trying_openspiel(state: Any) -> int:
    """The mover's score by OpenSpiel's rules; its text says what lies where."""
    seat, best = state.current_player(), -65
    for action in state.legal_actions():
        child = state.child(action)
        if child.is_terminal():
            rows = "".join(line[2:17] for line in str(child).split("\n") if line[:1].isdigit())
            score = (rows.count("x") - rows.count("o")) * (1 - 2 * seat)
        else:
            score = by_trying_openspiel(child) * (1 if child.current_player() == seat else -1)
        best = max(best, score)
    return best


def test_scores_are_those_of_trying_everything() -> None:
    solver, passes = OthelloSolver(), 0
    for seed in range(150 if COMPILED else 24):
        game = near_the_end(seed, 1 + seed % (8 if COMPILED else 5))
        values = by_trying(game)
        assert solver.action_values(game) == values
        best, score = solver.best_action(game)
        assert values[best] == score == max(values.values()) == solver.solve(game)
        passes += game.legal_actions() == [64]
    assert passes


def test_scores_are_those_of_openspiel() -> None:
    pyspiel = pytest.importorskip("pyspiel", reason="OpenSpiel is not installed")
    othello, solver = pyspiel.load_game("othello"), OthelloSolver()
    for seed in range(40):
        game = near_the_end(seed, 6 if COMPILED else 4)
        state = othello.new_initial_state()
        for move in game.history():
            state.apply_action(move.action)
        assert solver.solve(game) == by_trying_openspiel(state)


# Numbers 1 to 3 of the FFO end-game test, X to move: signs, score, a best move.
FFO = [
    ("--XXXXX--OOOXX-O-OOOXXOX-OXOXOXXOXXXOXXX--XOXOXX-XXXOOO--OOOOO--", 18, "g8"),
    ("-XXXXXX---XOOOO--XOXXOOX-OOOOOOOOOOOOXXOOOOOXXOX--XXOO----XXXX--", 10, "a4"),
    ("----OX----OOXX---OOOXX-XOOXXOOOOOXXOXXOOOXXXOOOOOXXXXOXO--OOOOOX", 2, "d1"),
]


@pytest.mark.parametrize(("signs", "score", "best"), FFO if COMPILED else FFO[:1])
def test_scores_are_the_published_ones(signs: str, score: int, best: str) -> None:
    game, solver = board(signs), OthelloSolver()
    found = solver.best_action(game)
    assert found is not None and found[1] == score
    if game.action_text(found[0]) != best:  # among equals any will do
        game.apply(game.parse_action(best))
        assert solver.solve(game) == -score and game.current_player() == 1


def test_first_among_equals() -> None:
    """The move that leaves fewest replies, corners counted twice; then the earlier cell in ORDER."""
    assert sorted(ORDER) == list(range(64))
    solver, ties = OthelloSolver(), 0

    def rank(game: Game, action: int) -> tuple[int, int]:
        child = game.clone()
        child.step(action)
        seat = child.current_player()
        replies = [a for a in child.legal_actions() if a != 64] if seat == 1 - game.current_player() else []
        return len(replies) + len({0, 7, 56, 63} & set(replies)), ORDER.index(action)

    for seed in range(60 if COMPILED else 15):
        game = near_the_end(seed, 8 if COMPILED else 6)
        values = solver.action_values(game)
        best, score = solver.best_action(game)
        equals = [action for action in values if values[action] == score]
        assert best == (64 if equals == [64] else min(equals, key=lambda action: rank(game, action)))
        ties += len(equals) > 1
    assert ties


def test_budgets() -> None:
    solver, game = OthelloSolver(), near_the_end(3, 13)
    assert solver.solve(game, nodes=400) is None and solver.nodes <= 400
    assert solver.best_action(game, nodes=400) is None
    assert solver.action_values(game, nodes=400) == dict.fromkeys(game.legal_actions())
    near = near_the_end(3, 8)
    whole = solver.action_values(near)
    spent = int(solver.nodes)
    some = solver.action_values(near, nodes=spent // 2)
    assert None in some.values() and set(some.values()) != {None}
    assert all(some[action] in (None, whole[action]) for action in whole)
    assert solver.action_values(near, nodes=spent + 1) == whole == OthelloSolver().action_values(near)


def test_a_budget_that_is_beyond_reach_is_not_spent() -> None:
    solver, start = OthelloSolver(), engine.new("othello")
    assert solver.solve(start, nodes=5_000_000) is None and solver.nodes < 2
    assert solver.best_action(start, milliseconds=3_600_000) is None and solver.nodes < 2
    assert solver.action_values(start, nodes=10**6) == dict.fromkeys(start.legal_actions())
    reach = [within(10**digits, 0) for digits in range(2, 10)]
    assert reach == sorted(set(reach)) and within(0, 0) == 60
    assert within(5_000_000, 0) == within(0, 500) == 21


def test_perfect_plays_othello() -> None:
    game = near_the_end(2, 6)
    best, score = OthelloSolver().best_action(game)
    bot = engine.new_bot("perfect")
    assert (bot.choose(game, Rng(1)), bot.exact, bot.score) == (best, True, score)
    hurried = engine.new_bot("perfect?nodes=1")
    assert hurried.choose(game, Rng(1)) in game.legal_actions() and not hurried.exact
