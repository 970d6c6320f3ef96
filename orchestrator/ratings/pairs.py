"""The score of a duel with its interval, from pairs.

The two matches of a pair share an instance, so the pair (its mean score: 0, ¼, ½, ¾ or 1) is the
observation. The interval is Wilson's score interval (JASA 22, 1927) with two changes: the variance under
a hypothesis μ is φ·μ(1-μ)/n, where φ is the pairs' own variance over m(1-m) — draws and swapped seats
make it small — and Student's t stands for the normal quantile. One imaginary pair, half a double win and
half a double loss, is added; it keeps sweeps and all-draws finite. By simulation 95 % intervals cover
92.5–100 % from 5 pairs on for true scores up to 0.96, whether or not the two matches of a pair hang
together; a sweep is told from equality from 7 pairs on (`tests/orchestrator/test_pairs.py`).

Players without chance of their own play the same pair again and again; an exact repeat carries no news. The
middle keeps every pair, but all that the interval counts is the distinct ones: each pair then weighs
distinct/pairs, in the sums, against the imaginary pair and in the degrees of freedom.

Elo differences are half-tie Elo: 400·log10(μ/(1-μ)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

ELO_PER_LOGIT = 400 / math.log(10)
Z95 = 1.959963985


@dataclass(frozen=True, slots=True)
class Estimate:
    """`score` is the plain mean of the pairs; Elo is player 1's minus player 2's."""

    pairs: int
    score: float
    elo: float
    elo_low: float
    elo_high: float

    @property
    def decided(self) -> bool:
        """Whether the interval excludes equality."""
        return self.elo_low > 0 or self.elo_high < 0


def estimate(scores: Sequence[float], distinct: int | None = None) -> Estimate | None:
    """From one score per complete pair, each in [0, 1]; None without any.

    `distinct` is how many of the pairs differ move by move (by default all). ValueError if there cannot be
    so many.
    """
    pairs = len(scores)
    if pairs == 0:
        return None
    count = pairs if distinct is None else distinct
    if not 1 <= count <= pairs:
        raise ValueError(f"of {pairs} pairs between 1 and {pairs} are distinct, got {count}")
    low, mean, high = interval(scores, count)
    return Estimate(pairs, sum(scores) / pairs, elo(mean), elo(low), elo(high))


def interval(scores: Sequence[float], distinct: int) -> tuple[float, float, float]:
    """95 % interval of a mean of scores in [0, 1], and between its ends the mean that it is drawn around.

    That mean holds the imaginary pair, so it lies nearer to ½ than that of the scores.
    """
    share, weight = distinct / len(scores), distinct + 1
    mean = (share * sum(scores) + 0.5) / weight
    imagined = (mean**2 + (1 - mean) ** 2) / 2
    variance = (share * sum((score - mean) ** 2 for score in scores) + imagined) / weight
    spread = t95(max(1, distinct - 1)) ** 2 * min(1.0, variance / (mean * (1 - mean))) / weight
    # (mean - μ)² = spread · μ(1-μ), solved for μ
    middle = 2 * mean + spread
    half = math.sqrt(middle**2 - 4 * (1 + spread) * mean**2)
    low, high = ((middle + side * half) / (2 * (1 + spread)) for side in (-1, 1))
    return low, mean, high


def elo(score: float) -> float:
    """The Elo difference at which a score in (0, 1) is expected."""
    return 400 * math.log10(score / (1 - score))


def t95(df: int) -> float:
    """Two-sided 95 % quantile of Student's t: exact for 1 and 2, else to 1 % (Abramowitz & Stegun 26.7.5)."""
    if df == 1:
        return 12.7062
    if df == 2:
        return 4.3027
    z = Z95
    return (
        z
        + (z**3 + z) / (4 * df)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * df**3)
    )
