"""What grading costs, and how far search may be trusted where no solver reaches.

    python -m benchmarks.grading [--matches 40] [--positions 150] [--from-ply 0]

Cost: CPU seconds for who wins after each action, over all decisions of matches of `mcts:100` against `greedy` at
Connect 4, equal positions once, last plies first, as `orchestrator grade` asks them. Early plies are dear, so few
matches cost more per decision than many.

Trust: the rank correlation (Spearman's, ties at their mean rank) of what search says of every action with what the
solver does, over random positions of 8 to 31 discs in which not all actions come to the same; and how
often the search's best action is one of the solver's.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator
from time import process_time

import engine
from benchmarks.engine.compare import machine
from engine import Game, Grader, Rng
from engine.games.connect4 import Connect4
from engine.solvers.connect4 import Connect4Solver

BANDS = ((0, 4), (5, 8), (9, 12), (13, 20), (21, 41))
SEARCHES = ((2_000, 1.4), (10_000, 1.4), (10_000, 0.7))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--matches", type=int, default=40)
    parser.add_argument("--positions", type=int, default=150)
    parser.add_argument("--from-ply", type=int, default=0, help="leave the dear early plies out")
    asked = parser.parse_args()
    print(tables(asked.matches, asked.positions, asked.from_ply))


def tables(matches: int = 40, positions: int = 150, first: int = 0) -> str:
    """Both, as Markdown; minutes."""
    return "\n".join([*cost(matches, first), "", *trust(positions), "", f"{machine()}."])


def cost(matches: int, first: int) -> Iterator[str]:
    """Rows by band of plies."""
    decisions: Counter[int] = Counter()
    by_ply: defaultdict[int, dict[bytes, Game]] = defaultdict(dict)
    for game in played(matches):
        decisions[int(game.ply())] += 1
        by_ply[int(game.ply())][game.position_bytes()] = game
    solver, seconds = Connect4Solver(), dict[int, float]()
    for ply in sorted(by_ply, reverse=True):
        if ply >= first:
            began = process_time()
            for game in by_ply[ply].values():
                solver.outcomes(game)
            seconds[ply] = process_time() - began
    yield "| plies | decisions | positions | CPU s | ms per position |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for low, high in BANDS:
        plies = [ply for ply in by_ply if max(low, first) <= ply <= high]
        if plies:
            spent, many = sum(seconds[ply] for ply in plies), sum(len(by_ply[ply]) for ply in plies)
            made = sum(decisions[ply] for ply in plies)
            yield f"| {low} to {high} | {made} | {many} | {spent:.1f} | {1000 * spent / many:.1f} |"
    made = sum(count for ply, count in decisions.items() if ply >= first)
    spent = sum(seconds.values())
    yield ""
    yield f"{made} decisions of {matches} matches: {spent:.1f} CPU s, {1000 * spent / made:.1f} ms each, all exact."


def played(matches: int) -> Iterator[Game]:
    """Every position of those matches in which somebody chose."""
    bots = [engine.new_bot("mcts:100"), engine.new_bot("greedy")]
    for number in range(matches):
        game, rng = engine.new("connect4"), Rng(engine.derive("grading", number))
        while not game.is_terminal():
            yield game.clone()
            game.apply(bots[(game.current_player() + number) % 2].choose(game, rng))


def trust(count: int) -> Iterator[str]:
    """A row for each search."""
    solver = Connect4Solver()
    asked = [(game, solver.outcomes(game), solver.action_values(game)) for game in mixed(solver, count)]
    yield "| search | rank correlation with who wins | with exact scores | its best is a best one |"
    yield "| --- | ---: | ---: | ---: |"
    for simulations, c in SEARCHES:
        grader = Grader(nodes=0, simulations=simulations, c=c)
        found: list[float] = []
        results: list[float] = []
        scores: list[float] = []
        agreed = 0
        for game, outcome, score in asked:
            values = grader.grade(game).values
            found += [entry.value for entry in values]
            results += [float(outcome[entry.action] or 0) for entry in values]
            scores += [float(score[entry.action] or 0) for entry in values]
            best = max(values, key=lambda entry: entry.value).action
            agreed += outcome[best] == max(value for value in outcome.values() if value is not None)
        yield (
            f"| {simulations:,}, c = {c} | {correlation(found, results):.3f} | {correlation(found, scores):.3f} "
            f"| {agreed / len(asked):.1%} |"
        )


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


def correlation(one: list[float], other: list[float]) -> float:
    """Spearman's: Pearson's of the ranks."""
    import numpy as np

    return float(np.corrcoef(ranks(one), ranks(other))[0, 1])


def ranks(values: list[float]) -> list[float]:
    """From 1; equal values have the mean of theirs."""
    places: defaultdict[float, list[int]] = defaultdict(list)
    for place, value in enumerate(sorted(values), 1):
        places[value].append(place)
    means = {value: sum(found) / len(found) for value, found in places.items()}
    return [means[value] for value in values]


if __name__ == "__main__":
    main()
