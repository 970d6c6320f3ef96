"""Exact solvers against independent judges: every position of TicTacToe, samples of Connect 4."""

from __future__ import annotations

from functools import cache

import pytest

import engine
from engine import Rng
from engine.solvers.connect4 import Connect4Solver
from engine.solvers.tictactoe import TicTacToeSolver
from tests.engine.test_boards import after
from tests.engine.test_bots import position


@cache
def minimax(mine: frozenset[int], theirs: frozenset[int]) -> int:
    """TicTacToe by the definition of its score, from sets of cells."""
    lines = [{0, 1, 2}, {3, 4, 5}, {6, 7, 8}, {0, 3, 6}, {1, 4, 7}, {2, 5, 8}, {0, 4, 8}, {2, 4, 6}]
    if any(line <= theirs for line in lines):
        return len(mine | theirs) - 10
    free = set(range(9)) - mine - theirs
    return max((-minimax(theirs, mine | {cell}) for cell in free), default=0)


def test_tictactoe_is_solved() -> None:
    solver, level, count = TicTacToeSolver(), {engine.new("tictactoe").position_bytes()}, 0
    game = engine.new("tictactoe")
    while level:
        following = set()
        for data in level:
            game.set_position(data)
            if game.is_terminal():
                continue
            count += 1
            boards = [frozenset(c for c in range(9) if (game.board_of(seat) >> c) & 1) for seat in (0, 1)]
            mine, theirs = boards[game.current_player()], boards[1 - game.current_player()]
            values = solver.action_values(game)
            assert solver.solve(game) == minimax(mine, theirs) == max(values.values())
            assert values == {a: -minimax(theirs, mine | {a}) for a in game.legal_actions()}
            best, score = solver.best_action(game)
            assert values[best] == score == max(values.values())
            for action in values:
                child = game.clone()
                child.step(action)
                following.add(child.position_bytes())
        level = following
    assert count == 4520  # 5,478 less the 958 that are over


def test_perfect_never_loses_tictactoe() -> None:
    bot, rng = engine.new_bot("perfect"), Rng(1)
    for seat in (0, 1):
        level = [engine.new("tictactoe")]
        while level:
            game = level.pop()
            if game.is_terminal():
                assert game.returns()[seat] >= 0
                continue
            mine = game.current_player() == seat
            for action in [bot.choose(game, rng)] if mine else game.legal_actions():
                child = game.clone()
                child.step(action)
                level.append(child)


def test_connect4_scores_are_those_of_bitbully() -> None:
    bitbully = pytest.importorskip("bitbully", reason="bitbully is not installed")
    judge, solver = bitbully.BitBully(), Connect4Solver()
    for seed in range(40):
        game = position("connect4", seed, 41 - seed % (28 if engine.is_compiled() else 12))
        board = bitbully.Board()
        assert board.play([move.action for move in game.history()])
        scores = judge.score_all_moves(board)
        assert solver.action_values(game) == scores
        best, score = solver.best_action(game)
        assert scores[best] == score == max(scores.values()) == solver.solve(game)


def test_connect4_prefers_the_centre_among_equals() -> None:
    solver = Connect4Solver()
    for seed in range(20):
        game = position("connect4", seed, 32)
        values = solver.action_values(game)
        best, score = solver.best_action(game)
        assert best == min((a for a in values if values[a] == score), key=lambda a: (abs(a - 3), a))


def test_budgets() -> None:
    solver, game = Connect4Solver(), engine.new("connect4")
    assert solver.solve(game, nodes=500) is None and solver.nodes <= 500
    assert solver.best_action(game, nodes=500) is None
    assert solver.action_values(game, nodes=500) == dict.fromkeys(range(7))
    assert solver.solve(game, milliseconds=1) is None
    won = after("connect4", *"445566")
    assert solver.best_action(won, nodes=1) == (2, 18) and solver.solve(won) == 18
    pressed = after("connect4", *"43536")
    values = solver.action_values(pressed, nodes=1)
    assert set(values) == set(range(7)) and set(values.values()) == {None, -18}
    assert values[6] is None
