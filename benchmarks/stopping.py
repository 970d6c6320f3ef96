"""What stopping early costs and saves: `python -m benchmarks.stopping [--runs 2000]`.

Simulated duels of two players with a true strength and a seat effect of 40 Elo, their pairs drawn independently. Three
tables: the errors and lengths of the test beside a fixed length with the same errors; how often the interval that may
be looked at after every pair ever misses the truth, beside the usual interval looked at as often; and what the rule of
55 % promotes, exactly.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

from orchestrator.ratings.pairs import NELO_PER_SIGMA, elo, estimate, expected
from orchestrator.ratings.sequence import Betting
from orchestrator.ratings.sprt import SIDE, Sprt, promoted

SEAT = 20.0  # Elo, either way
PEEKED = (25, 50, 100, 300)


@dataclass(frozen=True, slots=True)
class Rivals:
    """Two players: the chances of the five pair scores."""

    chances: tuple[float, ...]

    @staticmethod
    def apart(difference: float, draws: float) -> Rivals:
        """So many Elo apart."""
        found = [0.0] * 5
        sides = [_match(expected(difference + seat), draws) for seat in (SEAT, -SEAT)]
        for i, one in enumerate(sides[0]):
            for j, other in enumerate(sides[1]):
                found[i + j] += one * other
        return Rivals(tuple(found))

    @property
    def mean(self) -> float:
        return sum(i / 4 * p for i, p in enumerate(self.chances))

    @property
    def sigma(self) -> float:
        return math.sqrt(sum((i / 4 - self.mean) ** 2 * p for i, p in enumerate(self.chances)))

    def size(self, test: Sprt) -> float:
        """In the unit of the test."""
        if test.normalized:
            return (self.mean - 0.5) / self.sigma / SIDE * NELO_PER_SIGMA
        return elo(self.mean)

    def pairs(self, rng: random.Random) -> Iterator[int]:
        """Points times two, pair after pair."""
        while True:
            yield from rng.choices(range(5), self.chances, k=64)


def _match(mean: float, draws: float) -> tuple[float, float, float]:
    drawn = min(draws, 2 * min(mean, 1 - mean))
    return 1 - mean - drawn / 2, drawn, mean - drawn / 2


def rivals(test: Sprt, size: float, draws: float) -> Rivals:
    """Whose true size is that, by halving."""
    low, high = -600.0, 600.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if Rivals.apart(middle, draws).size(test) < size else (low, middle)
    return Rivals.apart(low, draws)


def fixed(test: Sprt, draws: float) -> float:
    """Pairs that a one-sided test of fixed length takes for the same errors."""
    null, other = (rivals(test, size, draws) for size in (test.elo0, test.elo1))
    z = NormalDist().inv_cdf(1 - test.alpha) * null.sigma + NormalDist().inv_cdf(1 - test.beta) * other.sigma
    return (z / (other.mean - null.mean)) ** 2


@dataclass(frozen=True, slots=True)
class Tested:
    """Over many duels: shares of 1, and pairs."""

    accepted: float  # H1
    pairs: float
    covered: float
    above: float  # estimates above the truth
    off: float  # of the plain estimate, Elo
    off_after: float


def tested(test: Sprt, two: Rivals, runs: int, rng: random.Random) -> Tested:
    truth, ends = elo(two.mean), [_one(test, two, rng) for _ in range(runs)]
    after = [test.after(counts, sum(counts)) for _, counts in ends]
    plain = [estimate([i / 4 for i, n in enumerate(counts) for _ in range(n)]) for _, counts in ends]
    return Tested(
        accepted=fmean(outcome == "H1" for outcome, _ in ends),
        pairs=fmean(sum(counts) for _, counts in ends),
        covered=fmean(found.low <= truth <= found.high for found in after),
        above=fmean(found.elo > truth for found in after),
        off=fmean(found.elo - truth for found in plain if found),
        off_after=fmean(found.elo - truth for found in after),
    )


def _one(test: Sprt, two: Rivals, rng: random.Random) -> tuple[str, list[int]]:
    counts = [0] * 5
    for points in two.pairs(rng):
        counts[points] += 1
        if outcome := test.outcome(counts, sum(counts), 10**6):
            return outcome, counts
    raise AssertionError("a test without a last pair ends by itself")


def tests(runs: int, seed: int = 1) -> str:
    """Markdown."""
    lines = [
        "| test | draws | truth | accepts H1 | pairs, mean | fixed length | fewer | interval after it holds the truth "
        "| estimate above the truth | plain estimate off, that after it |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    rng = random.Random(seed)
    for test in (Sprt(0, 50, normalized=True), Sprt(0, 35)):
        for draws in (0.1, 0.5):
            for truth in (test.elo0, (test.elo0 + test.elo1) / 2, test.elo1):
                found = tested(test, rivals(test, truth, draws), runs, rng)
                length = fixed(test, draws)
                lines.append(
                    f"| {test} | {draws:.0%} | {truth:+g} | {found.accepted:.1%} | {found.pairs:.0f} | {length:.0f} "
                    f"| {1 - found.pairs / length:.0%} | {found.covered:.1%} | {found.above:.1%} "
                    f"| {found.off:+.1f}, {found.off_after:+.1f} Elo |"
                )
    return "\n".join(lines) + "\n"


# ── looking after every pair ─────────────────────────────────────────────────────────────────────────


def peeking(runs: int, seed: int = 2) -> str:
    """Markdown."""
    lines = [
        f"| Elo apart | draws | ever missed in {PEEKED[-1]} pairs | the usual interval | width of the score after "
        f"{', '.join(map(str, PEEKED))} pairs | the usual |",
        "| ---: | ---: | ---: | ---: | --- | --- |",
    ]
    rng = random.Random(seed)
    for apart, draws in ((0, 0.1), (0, 0.5), (100, 0.1), (300, 0.1)):
        two = Rivals.apart(apart, draws)
        duels = [_scores(two, rng) for _ in range(runs)]
        missed = fmean(_betting(scores).rejects(two.mean) for scores in duels)
        fooled = fmean(_fooled(scores, two.mean) for scores in duels[: max(1, runs // 10)])
        widths, usual = zip(*map(_widths, duels[: max(1, runs // 20)]), strict=True)
        lines.append(
            f"| {apart} | {draws:.0%} | {missed:.1%} | {fooled:.0%} | {_columns(widths)} | {_columns(usual)} |"
        )
    return "\n".join(lines) + "\n"


def _scores(two: Rivals, rng: random.Random) -> list[float]:
    return [points / 4 for points, _ in zip(two.pairs(rng), range(PEEKED[-1]), strict=False)]


def _betting(scores: Sequence[float]) -> Betting:
    betting = Betting()
    for score in scores:
        betting.add(score)
    return betting


def _fooled(scores: Sequence[float], mean: float) -> bool:
    """Whether the interval for a length fixed beforehand misses the truth at any length from 10 pairs on."""
    truth = elo(mean)
    seen = (estimate(scores[:n]) for n in range(10, len(scores) + 1))
    return any(not found.elo_low <= truth <= found.elo_high for found in seen if found)


def _widths(scores: Sequence[float]) -> tuple[list[float], list[float]]:
    betting, widths, usual = Betting(), [], []
    for number, score in enumerate(scores, 1):
        betting.add(score)
        if number in PEEKED:
            betting.narrow()
            found = estimate(scores[:number])
            assert found is not None
            widths.append(betting.high - betting.low)
            usual.append(expected(found.elo_high) - expected(found.elo_low))
    return widths, usual


def _columns(rows: Sequence[Sequence[float]]) -> str:
    return ", ".join(f"{fmean(column):.2f}" for column in zip(*rows, strict=True))


def promotion() -> str:
    """Markdown."""
    lines = [
        "| games | an equal player passes with more than 55 % | with 50 % draws | a player of 55 % | of 60 % |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for games in (20, 50, 100, 200, 400):
        chances = (promoted(games), promoted(games, draws=0.5), promoted(games, 0.55), promoted(games, 0.6))
        lines.append(f"| {games} | " + " | ".join(f"{chance:.1%}" for chance in chances) + " |")
    return "\n".join(lines) + "\n"


def table(runs: int = 2000) -> str:
    """Markdown."""
    return "\n".join((tests(runs), peeking(runs), promotion()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stopping", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    print(table(parser.parse_args().runs))


if __name__ == "__main__":
    main()
