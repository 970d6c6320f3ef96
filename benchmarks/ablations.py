"""What an ablation finds, and what it does not invent: `python -m benchmarks.ablations [--runs 500]`.

Simulated ablations of one arm against its control, both against an opponent whom they meet from both seats, with a seat
effect of 40 Elo and deals of their own strength. Two tables: how often an arm that is the control under another name is
told from it, whether its p-values are uniform, and how often the interval holds the truth; and how often a planted
difference is found in so many deals.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmarks.page import keep
from orchestrator.ratings.pairs import elo, expected
from orchestrator.ratings.permutation import ALPHA, Compared, compare, detectable, elo_between

SEAT = 20.0  # Elo, either way
PLANTED = 80.0
DEALS = (25, 50, 100, 160, 200)
STATED = 160  # deals in which 80 Elo are found with 80 %, a tenth of the matches drawn


@dataclass(frozen=True, slots=True)
class Table:
    """Who meets whom: Elo of the control above the opponent, the share of draws, how far deals lie apart."""

    name: str
    above: float = 0.0
    draws: float = 0.1
    deals_sd: float = 0.0  # Elo: what a deal gives to whoever moves first
    alike: int = 1  # how often each deal comes, move by move the same

    def deal(self, planted: float, rng: random.Random) -> tuple[float, float]:
        """The scores of the control and of an arm so many Elo better."""
        luck = rng.gauss(0, self.deals_sd)
        return self._pair(self.above, luck, rng), self._pair(self.above + planted, luck, rng)

    def _pair(self, strength: float, luck: float, rng: random.Random) -> float:
        return (self._match(strength + SEAT + luck, rng) + self._match(strength - SEAT - luck, rng)) / 2

    def _match(self, strength: float, rng: random.Random) -> float:
        mean = expected(strength)
        drawn, drawn_at = min(self.draws, 2 * min(mean, 1 - mean)), rng.random()
        return 1.0 if drawn_at < mean - drawn / 2 else 0.5 if drawn_at < mean + drawn / 2 else 0.0


NULLS = (
    Table("equals"),
    Table("half of all matches drawn", draws=0.5),
    Table("nine in ten drawn", draws=0.9),
    Table("a far stronger opponent", above=-350),
    Table("a far weaker opponent", above=350),
    Table("deals 150 Elo apart", deals_sd=150),
    Table("every deal three times alike", alike=3),
)


@dataclass(frozen=True, slots=True)
class Ablated:
    """One simulated ablation: `held` says whether the intervals (of the score, of Elo) hold the truth."""

    compared: Compared
    uniform: float  # p with its tie broken by chance
    held: tuple[bool, bool]


def ablated(table: Table, deals: int, rng: random.Random, planted: float = 0.0) -> Ablated:
    different = [table.deal(planted, rng) for _ in range(math.ceil(deals / table.alike))]
    played = [(number, both) for number, both in enumerate(different) for _ in range(table.alike)][:deals]
    control, arm = [a for _, (a, _) in played], [b for _, (_, b) in played]
    compared = compare(control, arm, [number for number, _ in played])
    assert compared is not None and compared.low is not None and compared.high is not None
    found = elo_between(control, arm, compared)
    truth, true_elo = (0.0, 0.0) if not planted else _truth(table, planted)
    held = compared.low <= truth <= compared.high, found.low <= true_elo <= found.high
    return Ablated(compared, compared.p - rng.random() * compared.tie, held)


def _truth(table: Table, planted: float) -> tuple[float, float]:
    """The differences of mean score, and of the Elo of the mean score; for deals that are alike in strength."""
    control, arm = (
        fmean([expected(strength + side * SEAT) for side in (1, -1)])
        for strength in (table.above, table.above + planted)
    )
    return arm - control, elo(arm) - elo(control)


def uniformity(values: Sequence[float]) -> float:
    """The p-value of values being uniform on [0, 1] (Kolmogorov's test; Stephens, JRSS B 32, 1970)."""
    ordered, n = sorted(values), len(values)
    apart = max(max((i + 1) / n - value, value - i / n) for i, value in enumerate(ordered))
    scaled = (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)) * apart
    if scaled < 0.2:
        return 1.0
    tail = 2 * sum((1 if k % 2 else -1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, tail))


def nulls(runs: int) -> str:
    """Markdown. Each row has a seed of its own; of so many rows one in twenty is below 0.05 by chance."""
    lines = [
        "| null arm, 50 deals | told from the control at 5 % | p uniform (Kolmogorov's p) "
        "| interval holds the truth: score, Elo |",
        "| --- | ---: | ---: | ---: |",
    ]
    every: list[float] = []
    for table in NULLS:
        rng = random.Random(table.name)
        found = [ablated(table, 50, rng) for _ in range(runs)]
        told = fmean([each.compared.p < ALPHA for each in found])
        score, in_elo = (fmean([each.held[which] for each in found]) for which in (0, 1))
        uniform = [each.uniform for each in found]
        every += uniform
        lines.append(f"| {table.name} | {told:.1%} | {uniformity(uniform):.2f} | {score:.1%}, {in_elo:.1%} |")
    rng = random.Random("costs")
    costs = [of_costs(50, rng) for _ in range(runs)]
    told = fmean([each.p < ALPHA for each in costs])
    uniform = [each.p - rng.random() * each.tie for each in costs]
    held = fmean([(each.low or 0) <= 0 <= (each.high or 0) for each in costs])
    lines.append(f"| dollars of a game, lognormal | {told:.1%} | {uniformity(uniform):.2f} | {held:.1%} |")
    lines.append(f"| all together | | {uniformity(every + uniform):.2f} | |")
    return "\n".join(lines) + "\n"


def of_costs(deals: int, rng: random.Random) -> Compared:
    """Figures on no grid, with a heavy tail, such as dollars of a game."""
    first, second = ([rng.lognormvariate(0, 1) for _ in range(deals)] for _ in range(2))
    compared = compare(first, second, scores=False, seed=rng.getrandbits(31))
    assert compared is not None
    return compared


def power(runs: int, seed: int = 2) -> str:
    """Markdown."""
    lines = [
        f"| deals | matches of an arm | {PLANTED:.0f} Elo found, 10 % draws | 50 % draws | deals 150 Elo apart "
        "| smallest difference found with 80 %, 10 % draws |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    rng = random.Random(seed)
    for deals in DEALS:
        found = [
            fmean([ablated(table, deals, rng, PLANTED).compared.p < ALPHA for _ in range(runs)])
            for table in (Table(""), Table("", draws=0.5), Table("", deals_sd=150))
        ]
        least = detectable(math.sqrt(0.9 / 4), deals)  # two pairs of two matches, a tenth of them drawn
        lines.append(
            f"| {deals} | {2 * deals} | " + " | ".join(f"{each:.0%}" for each in found) + f" | "
            f"{2 * elo(0.5 + least / 2):.0f} Elo |"
        )
    return "\n".join(lines) + "\n"


def table(runs: int = 500) -> str:
    """Markdown."""
    return "\n".join((nulls(runs), power(runs)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablations", description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--write", action="store_true", help="keep the tables in docs/results.md")
    asked = parser.parse_args()
    text = table(asked.runs)
    print(text)
    if asked.write:
        keep("ablations", text)


if __name__ == "__main__":
    main()
