"""Who wins at Connect 4, without how soon: the signs of the exact scores, in whatever order one asks."""

from __future__ import annotations

import pytest

import engine
from engine import Grader
from engine.search.connect4 import (
    Outcomes,
    fills,
    first_outlasts,
    held,
    key_of,
    second_outlasts,
    winning_cells,
    wins_at_once,
)
from engine.solvers.connect4 import Connect4Solver
from engine.solvers.tictactoe import TicTacToeSolver
from tests.engine.test_bots import position

DEEPEST = 24 if engine.is_compiled() else 12  # empty cells that a test searches


def signs(scores: dict[int, int]) -> dict[int, int]:
    return {action: (score > 0) - (score < 0) for action, score in scores.items()}


def test_outcomes_are_the_signs_of_the_scores() -> None:
    solver = Connect4Solver()
    for seed in range(120):
        game = position("connect4", seed, 41 - seed % DEEPEST)
        assert solver.outcomes(game) == signs(solver.action_values(game)), game.board_text(0)
    board = position("tictactoe", 3, 2)
    other = TicTacToeSolver()
    assert other.outcomes(board) == signs(other.action_values(board))


@pytest.mark.skipif(not engine.is_compiled(), reason="as plain Python it takes minutes")
def test_outcomes_are_those_of_bitbully() -> None:
    bitbully = pytest.importorskip("bitbully", reason="bitbully is not installed")
    judge, solver = bitbully.BitBully(), Connect4Solver()
    for seed in range(40):
        game = position("connect4", seed, 14 + seed % 8)
        board = bitbully.Board()
        assert board.play([move.action for move in game.history()])
        assert solver.outcomes(game) == signs(judge.score_all_moves(board)), game.board_text(0)


def test_what_was_asked_before_changes_no_outcome() -> None:
    games = [position("connect4", seed, 41 - DEEPEST + seed % 6) for seed in range(10)]
    one, other = Connect4Solver(), Connect4Solver()
    forth = [one.outcomes(game) for game in games]
    back = [other.outcomes(game) for game in reversed(games)]
    assert forth == back[::-1] == [one.outcomes(game) for game in games]


def test_a_mirror_image_has_the_mirrored_outcomes() -> None:
    solver, few = Connect4Solver(), position("connect4", 4, 9)
    for game in [position("connect4", seed, 41 - DEEPEST) for seed in range(4)]:
        image = game.clone()
        image.transform_position(1)
        assert solver.outcomes(image) == {
            6 - action: value for action, value in solver.outcomes(game).items()
        }
    image = few.clone()
    image.transform_position(1)
    assert key_of(few.mine(), few.filled(), 9) == key_of(image.mine(), image.filled(), 9)


def test_the_second_player_holds_what_it_says() -> None:
    """Where answers in the same column are said to hold the first player, no first player got past it."""
    told, full, outcomes = 0, 0, Outcomes()
    for seed in range(3000 if engine.is_compiled() else 300):
        game = position("connect4", seed, 20 + seed % 10 * 2 if engine.is_compiled() else 32 + seed % 4 * 2)
        if game.is_terminal() or game.ply() % 2 or not held(game.mine(), game.filled()):
            continue
        told += 1
        value = outcomes.of(game.mine(), game.filled())
        assert value <= 0
        if fills(game.filled() ^ game.mine(), game.filled()):
            full += 1
            assert value < 0
    assert told > 20 and full > 5


def test_who_only_has_to_answer_outlasts_the_other() -> None:
    """Where one of the rules says so the exact solver, which has no such rule, says that the mover loses."""
    told, solver = [0, 0], Connect4Solver()
    for seed in range(12_000 if engine.is_compiled() else 400):
        game = position("connect4", seed, 22 + seed % 14 if engine.is_compiled() else 34 + seed % 6)
        mine, filled = (0, 0) if game.is_terminal() else (game.mine(), game.filled())
        if game.is_terminal() or wins_at_once(mine, filled):
            continue
        dangers = winning_cells(filled ^ mine, filled)
        if (
            first_outlasts(filled ^ mine, dangers, filled)
            if game.ply() % 2
            else second_outlasts(mine, dangers, filled)
        ):
            told[game.ply() % 2] += 1
            assert solver.solve(game) < 0, game.board_text(0)
    assert min(told) > (200 if engine.is_compiled() else 2)


def test_grades_without_scores_have_the_same_values() -> None:
    whole, short = Grader(), Grader(scores=False)
    for seed in range(10):
        for name, plies in (("connect4", 41 - DEEPEST + seed), ("tictactoe", seed % 7)):
            game = position(name, seed, plies)
            if game.is_terminal():
                continue
            full, brief = whole.grade(game), short.grade(game)
            assert (brief.method, brief.exact, brief.best()) == (full.method, True, full.best())
            assert [(e.action, e.value) for e in brief.values] == [(e.action, e.value) for e in full.values]
            assert all(entry.score is None for entry in brief.values) and brief.soonest() == brief.best()
    assert short.solved(engine.new("othello", 1)) is None and Grader(nodes=0).solved(game) is None
