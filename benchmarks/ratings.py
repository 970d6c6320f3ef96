"""Do 95 % intervals hold the truth in 95 of 100? And how long do a million matches take to rate?

    python -m benchmarks.ratings [--tournaments 200] [--matches 1000000]

Every tournament is played by chance with known strengths. What is looked for is what endlessly many matches of the
kind would give: for half-tie ratings that is no difference of strengths, because draws and luck draw them together.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations

from benchmarks.tournaments import (
    Clusters,
    Tournament,
    balanced,
    endless,
    endless_tables,
    lopsided,
    tables,
    unswapped,
)
from orchestrator.ratings.bradley_terry import Ratings, Result, count, fit
from orchestrator.ratings.league import league

TWO = Tournament()
EIGHT = Tournament(players=8)


@dataclass(frozen=True)
class Scenario:
    """`play` makes a tournament from a seed; `truth` says by how much one player is above another."""

    name: str
    of: Tournament
    play: Callable[[int], Clusters]
    truth: Callable[[], dict[tuple[str, str], float]]
    davidson: bool = False


def differences(ratings: Ratings) -> dict[tuple[str, str], float]:
    return {two: ratings.difference(*two).mid for two in combinations(ratings.players, 2)}


def true(of: Tournament) -> dict[tuple[str, str], float]:
    return {(a, b): of.strength[a] - of.strength[b] for a, b in combinations(of.strength, 2)}


def seated(seats: int) -> Scenario:
    of = Tournament(players=8, seats=seats)
    return Scenario(
        f"tables of {seats}: 50 deals, all seats",
        of,
        lambda seed: tables(of, seed),
        lambda: differences(endless_tables(of)),
    )


SCENARIOS = (
    Scenario(
        "balanced: 20 matches a pair, seats swapped", TWO, lambda s: balanced(TWO, s),
        lambda: differences(endless(TWO)),
    ),
    Scenario("the same, Davidson", TWO, lambda s: balanced(TWO, s), lambda: true(TWO), True),
    Scenario(
        "stronger first in 80 % of its matches", TWO, lambda s: lopsided(TWO, s),
        lambda: differences(endless(TWO, share=0.8)),
    ),
    Scenario("the same, Davidson", TWO, lambda s: lopsided(TWO, s), lambda: true(TWO), True),
    Scenario(
        "every match three times, exactly", EIGHT, lambda s: balanced(EIGHT, s, repeats=3),
        lambda: differences(endless(EIGHT)),
    ),
    Scenario(
        "openings of sd 150 Elo, swapped", EIGHT, lambda s: balanced(EIGHT, s, luck=150),
        lambda: differences(endless(EIGHT, luck=150)),
    ),
    Scenario(
        "openings of sd 150 Elo, four matches each, not swapped", EIGHT, lambda s: unswapped(EIGHT, s),
        lambda: differences(endless(EIGHT, luck=150)),
    ),
    seated(4),
    seated(6),
)  # fmt: skip


@dataclass(frozen=True)
class Coverage:
    held: float
    naive: float  # the same where every match counts as one of its own
    width: float
    error: float  # root of the mean square
    ranks: float  # leagues in which every true rank lies in its interval


def coverage(of: Scenario, tournaments: Iterable[int]) -> Coverage:
    """Over all differences of two players in all tournaments."""
    truth = of.truth()
    order = sorted(of.of.strength, key=lambda name: -of.of.strength[name])
    held = naive = ranked = trials = number = 0
    width = error = 0.0
    for seed in tournaments:
        clusters = of.play(seed)
        found = league(clusters)
        ratings = found.davidson if of.davidson else found.ratings
        apart = fit(count([[result] for cluster in clusters for result in cluster]), davidson=of.davidson)
        for two, difference in truth.items():
            low, mid, high = ratings.difference(*two)
            held += low <= difference <= high
            naive += apart.difference(*two).low <= difference <= apart.difference(*two).high
            width += high - low
            error += (mid - difference) ** 2
            trials += 1
        ranked += all(found.ranks[name].low <= k <= found.ranks[name].high for k, name in enumerate(order, 1))
        number += 1
    return Coverage(held / trials, naive / trials, width / trials, (error / trials) ** 0.5, ranked / number)


def table(tournaments: int = 200, matches: int = 1_000_000) -> str:
    lines = [
        f"{tournaments} tournaments each; 450 Elo between the strongest and the weakest, moving first worth 70, equals "
        "draw 20 % of their matches.",
        "",
        "| tournament | truth in the 95 % interval | if matches were clusters | width, Elo | error, Elo "
        "| all true ranks in theirs |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for scenario in SCENARIOS:
        found = coverage(scenario, range(tournaments))
        lines.append(
            f"| {scenario.name} | {found.held:.1%} | {found.naive:.1%} | {found.width:.0f} | {found.error:.1f} "
            f"| {found.ranks:.1%} |"
        )
    return "\n".join([*lines, "", *speed(matches)])


def speed(most: int) -> list[str]:
    """Seconds of one core, from a list of results with the clusters they belong to."""
    told = ["| rated from memory, with clusters | seconds of one core |", "| --- | ---: |"]
    for players, seats, matches in ((10, 2, most), (50, 2, most), (10, 4, most // 10)):
        flat = _many(players, seats, matches)
        start = time.process_time()
        clusters: dict[int, list[Result]] = defaultdict(list)
        for cluster, result in flat:
            clusters[cluster].append(result)
        found = league(clusters.values())
        rated = time.process_time() - start
        assert all((found.ranks, found.davidson, found.meetings))
        whole = time.process_time() - start
        told.append(
            f"| {matches:,} matches of {players} players at tables of {seats} | {rated:.2f} "
            f"(with Davidson, ranks, fit {whole:.2f}) |"
        )
    return told


def _many(players: int, seats: int, matches: int) -> list[tuple[int, Result]]:
    """Clusters of as many matches as there are seats, everybody on each."""
    rng, names = random.Random(players * seats), [f"p{k:02d}" for k in range(players)]
    flat, ranks = [], [float(k) for k in range(seats)]
    for cluster in range(matches // seats):
        sat = rng.sample(names, seats)
        for turn in range(seats):
            at = tuple(sat[turn:] + sat[:turn])
            flat.append((cluster, Result(at, tuple(rng.sample(ranks, seats)))))
    return flat


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ratings", description=__doc__)
    parser.add_argument("--tournaments", type=int, default=200)
    parser.add_argument("--matches", type=int, default=1_000_000)
    asked = parser.parse_args()
    print(table(asked.tournaments, asked.matches))


if __name__ == "__main__":
    main()
