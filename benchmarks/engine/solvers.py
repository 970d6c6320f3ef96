"""How far the solvers reach: `python -m benchmarks.engine.solvers [--positions N] [--write]`.

Random positions, CPU seconds for a best action without a budget, and how many the default budget of
`bot:perfect` solves; for Connect 4 those in which nobody wins at once, for Othello by empty cells. And what it
costs to grade every decision of whole matches: the values of all actions of each position, opening included.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from statistics import mean, median
from time import process_time

import engine
from benchmarks.engine.compare import machine
from benchmarks.engine.timing import versions
from benchmarks.page import keep
from engine import Game, Rng
from engine.bots.perfect import BUDGET
from engine.games.connect4 import Connect4
from engine.search.connect4 import wins_at_once
from engine.solver import solver_of

POSITIONS = 100
CONNECT4_PLIES = (8, 9, 10, 11, 12, 14, 16)
OTHELLO_EMPTY = (14, 16, 18)
SLOW = {("connect4", 8): 4, ("connect4", 9): 2, ("othello", 18): 2}  # by how much fewer positions
MATCHES = 20


def positions(name: str, moves: int, count: int) -> Iterator[Game]:
    """Positions after so many random moves; `moves` < 0 counts Othello's empty cells instead."""
    rng = Rng(engine.derive("solvers", name, moves))
    while count:
        game = engine.new(name)
        while not game.is_terminal() and not reached(game, moves):
            game.apply(game.random_action(rng))
        if not game.is_terminal() and not won(game):
            yield game
            count -= 1


def reached(game: Game, moves: int) -> bool:
    return empty(game) <= -moves if moves < 0 else game.ply() == moves


def empty(game: Game) -> int:
    return sum(row.count(".") for row in game.facts(0)["rows"])


def won(game: Game) -> bool:
    return isinstance(game, Connect4) and wins_at_once(game.mine(), game.filled())


def reach(name: str, moves: int, count: int) -> str:
    """A row: how long a best action takes, and whether the default budget is enough."""
    solver, seconds, solved = solver_of(engine.new(name)), [], 0
    for game in positions(name, moves, count):
        began = process_time()
        solver.best_action(game)
        seconds.append(process_time() - began)
        solved += solver.best_action(game, BUDGET) is not None
    where = f"{-moves} empty cells" if moves < 0 else f"after {moves} plies"
    return (
        f"| {name}, {where} | {count} | {median(seconds):.3f} | {mean(seconds):.3f} | {max(seconds):.2f} "
        f"| {solved / count:.0%} |"
    )


def grading(matches: int) -> str:
    """What the decisions of `mcts:200` against `greedy` cost to grade at Connect 4."""
    grader, bots = engine.Grader(), [engine.new_bot("mcts:200"), engine.new_bot("greedy")]
    seconds, exact = [], 0
    for number in range(matches):
        game, rng = engine.new("connect4"), Rng(engine.derive("grading", number))
        while not game.is_terminal():
            began = process_time()
            exact += grader.grade(game).exact
            seconds.append(process_time() - began)
            game.apply(bots[(game.current_player() + number) % 2].choose(game, rng))
    return (
        f"Grading all {len(seconds)} decisions of {matches} matches of `mcts:200` against `greedy` at Connect 4 took "
        f"{mean(seconds):.3f} CPU seconds a decision (median {median(seconds):.3f}); {exact / len(seconds):.0%} "
        f"of the grades are exact, the rest searched."
    )


def table(count: int = POSITIONS) -> str:
    """Everything, as Markdown; minutes."""
    lines = [
        "| best action | positions | median s | mean s | worst s | solved within `bot:perfect`'s budget |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    asked = [("connect4", plies) for plies in CONNECT4_PLIES] + [
        ("othello", -cells) for cells in OTHELLO_EMPTY
    ]
    for name, moves in asked:
        lines.append(reach(name, moves, max(2, count // SLOW.get((name, abs(moves)), 1))))
    graded = grading(max(2, count * MATCHES // POSITIONS))
    return "\n".join([*lines, "", graded, "", f"{machine()}; {versions('mypy', 'librt')}.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine.solvers", description=__doc__)
    parser.add_argument("--positions", type=int, default=POSITIONS, metavar="N", help="per row; default 100")
    parser.add_argument("--write", action="store_true", help="keep the table in docs/results.md")
    asked = parser.parse_args()
    if not engine.is_compiled() or engine.stale():
        parser.error("needs the compiled engine, and not an outdated one: unset DUELIST_ENGINE, build again")
    text = table(asked.positions)
    print(text)
    if asked.write:
        keep("solvers", text)


if __name__ == "__main__":
    main()
