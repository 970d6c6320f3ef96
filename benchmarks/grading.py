"""What grading costs, and how far search may be trusted where no solver reaches.

    python -m benchmarks.grading [--matches 560] [--positions 150] [--write]

Cost: `orchestrator grade RUN --method exact --jobs 2`, all of it, on one record of matches of stand-ins (`sim:greedy`,
`sim:mcts:100`) against bots from openings of three random plies, so that few positions occur twice. Goal: 10,000
decisions in 60 seconds on two cores. CPU seconds are those of the command and its processes; the table's are those of
each position, as the record has them.

Trust: how what search says of every action goes with what the solver does, over random positions of 8 to 31 discs in
which not all actions come to the same. Rank correlations are Spearman's, ties at their mean rank, over the actions of
all positions, and the mean of those within each position. Who wins has three values, so nothing that tells more apart
can reach 1 with it: how far the exact scores themselves come is the ceiling. Free of that is how often, of two
actions of one position that do not come to the same, the better has the higher value (half for equal ones).
"""

from __future__ import annotations

import argparse
import os
import resource
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import combinations
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

import engine
from benchmarks.engine.compare import machine
from benchmarks.page import keep
from engine import Grader, Rng
from engine.games.connect4 import Connect4
from engine.solvers.connect4 import Connect4Solver

BANDS = ((0, 8), (9, 10), (11, 12), (13, 14), (15, 20), (21, 41))
SEARCHES = ((2_000, 1.4), (10_000, 1.4), (10_000, 0.7))
PLAYERS = ("--player", "sim:greedy", "--player", "sim:mcts:100")
OPPONENTS = ("--opponent", "bot:mcts:200,bot:greedy,bot:random,bot:mcts:50")
JOBS = 2


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--matches", type=int, default=560)
    parser.add_argument("--positions", type=int, default=150)
    parser.add_argument("--write", action="store_true", help="keep the tables in docs/results.md")
    asked = parser.parse_args()
    text = tables(asked.matches, asked.positions)
    print(text)
    if asked.write:
        keep("grading", text)


def tables(matches: int = 560, positions: int = 150) -> str:
    """Both, as Markdown; minutes."""
    return "\n".join([*cost(matches), "", *trust(positions), "", f"{machine()}."])


def cost(matches: int) -> Iterator[str]:
    """Rows by band of plies, and the whole."""
    with TemporaryDirectory() as place:
        run = Path(place) / "run"
        asked = ("--game", "connect4", "--games", str(matches), "--opening", "3", "--seed", "1")
        command("generate", *PLAYERS, *OPPONENTS, *asked, "--output", str(run), "--display", "none")
        before, began = children(), perf_counter()
        command("grade", str(run), "--method", "exact", "--jobs", str(JOBS), "--json")
        took, spent = perf_counter() - began, children() - before
        with closing(sqlite3.connect(run / "record.db", isolation_level=None)) as db:
            rows = db.execute(
                "SELECT d.ply, g.seconds, d.state FROM grade g JOIN decision d ON d.id = g.decision"
            ).fetchall()
    seconds: defaultdict[int, dict[bytes, float]] = defaultdict(
        dict
    )  # of one position, however often it occurs
    for ply, each, state in rows:
        seconds[ply][engine.from_bytes(state).position_bytes()] = each
    yield "| plies | decisions | positions | CPU s | ms per position |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for low, high in BANDS:
        found = [each for ply in range(low, high + 1) for each in seconds[ply].values()]
        made = sum(low <= ply <= high for ply, *_ in rows)
        yield f"| {low} to {high} | {made:,} | {len(found):,} | {sum(found):.1f} | {1000 * fmean(found or [0]):.2f} |"
    yield ""
    yield (
        f"{len(rows):,} decisions of {matches} matches by {JOBS} processes: **{took:.0f} s** with "
        f"{spent / took / JOBS:.0%} of {JOBS} cores, {spent:.0f} CPU s, {1000 * spent / len(rows):.1f} ms a decision, "
        f"all exact. Goal: 10,000 in 60 s of {JOBS} cores, that is 12 ms of CPU a decision."
    )


def command(*words: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run(
        [sys.executable, "-m", "orchestrator", *words], env=environment, check=True, stdout=subprocess.DEVNULL
    )


def children() -> float:
    """CPU seconds of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Asked(NamedTuple):
    """A position, and by action who wins and the exact score."""

    game: Connect4
    results: Sequence[float]
    scores: Sequence[float]


def trust(count: int) -> Iterator[str]:
    """A row for each search, and one for the scores as if they were its values."""
    solver = Connect4Solver()
    asked = []
    for game in mixed(solver, count):
        results, scores = solver.outcomes(game), solver.action_values(game)
        asked.append(
            Asked(game, *([float(each or 0) for each in found.values()] for found in (results, scores)))
        )
    yield (
        "| values by | with who wins | within a position | with exact scores | within a position "
        "| the better of two | its best is a best one |"
    )
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for simulations, c in SEARCHES:
        grader = Grader(nodes=0, simulations=simulations, c=c)
        found = [[entry.value for entry in grader.grade(each.game).values] for each in asked]
        yield row(f"{simulations:,} simulations, c = {c}", asked, found)
    yield row("exact scores", asked, [each.scores for each in asked])


def row(label: str, asked: Sequence[Asked], found: Sequence[Sequence[float]]) -> str:
    results, scores = [each.results for each in asked], [each.scores for each in asked]
    cells = []
    for truth in (results, scores):
        cells.append(f"{correlation(flat(found), flat(truth)):.3f}")
        cells.append(f"{fmean(correlation(one, other) for one, other in zip(found, truth, strict=True)):.3f}")
    told = [point for one, truth in zip(found, results, strict=True) for point in told_apart(one, truth)]
    best = [truth[one.index(max(one))] == max(truth) for one, truth in zip(found, results, strict=True)]
    return f"| {label} | {' | '.join(cells)} | {fmean(told):.1%} | {fmean(best):.1%} |"


def told_apart(values: Sequence[float], truth: Sequence[float]) -> Iterator[float]:
    """For two actions that do not come to the same: 1 where the better has the higher value, 0.5 for equal ones."""
    for one, other in combinations(range(len(values)), 2):
        if truth[one] != truth[other]:
            sign = (values[one] - values[other]) * (truth[one] - truth[other])
            yield 0.5 + 0.5 * ((sign > 0) - (sign < 0))


def flat(rows: Sequence[Sequence[float]]) -> list[float]:
    return [value for row in rows for value in row]


def mixed(solver: Connect4Solver, count: int) -> Iterator[Connect4]:
    """Positions after random moves, not all of whose actions come to the same."""
    number = 0
    while count:
        number += 1
        game, rng = engine.new("connect4"), Rng(engine.derive("trust", number))
        plies = 8 + number % 24
        while not game.is_terminal() and game.ply() < plies:
            game.apply(game.random_action(rng))
        if (
            isinstance(game, Connect4)
            and not game.is_terminal()
            and len(set(solver.outcomes(game).values())) > 1
        ):
            count -= 1
            yield game


def correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's: Pearson's of the ranks. 0 where one of them tells nothing apart."""
    import numpy as np

    if len(set(one)) < 2 or len(set(other)) < 2:
        return 0.0
    return float(np.corrcoef(ranks(one), ranks(other))[0, 1])


def ranks(values: Sequence[float]) -> list[float]:
    """From 1; equal values have the mean of theirs."""
    places: defaultdict[float, list[int]] = defaultdict(list)
    for place, value in enumerate(sorted(values), 1):
        places[value].append(place)
    means = {value: sum(found) / len(found) for value, found in places.items()}
    return [means[value] for value in values]


if __name__ == "__main__":
    main()
