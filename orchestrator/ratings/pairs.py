"""The score of a duel with its interval, from pairs.

The two matches of a pair share an instance, so the pair (its mean score: 0, ¼, ½, ¾ or 1) is the
observation. The interval is a Student-t interval of the mean on the logit scale, where Elo lives
(Elo = 400/ln 10 · logit), after adding one imaginary pair that is half a double win and half a
double loss. That pair keeps sweeps and all-draws finite. By simulation the 95 % interval covers
93.9–100 % from 5 pairs on, for true scores from 0.5 to 0.96 (`tests/orchestrator/test_pairs.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

ELO_PER_LOGIT = 400 / math.log(10)
Z95 = 1.959963985


@dataclass(frozen=True, slots=True)
class Estimate:
    """`score` is the plain mean of the pairs; Elo differences (player 1 minus player 2) are half-tie Elo."""

    pairs: int
    score: float
    elo: float
    elo_low: float
    elo_high: float

    @property
    def decided(self) -> bool:
        """Whether the interval excludes equality."""
        return self.elo_low > 0 or self.elo_high < 0


def estimate(scores: Sequence[float]) -> Estimate | None:
    """From one score per complete pair, each in [0, 1]; None without any."""
    pairs = len(scores)
    if pairs == 0:
        return None
    weight = pairs + 1
    mean = (sum(scores) + 0.5) / weight
    imagined = (mean**2 + (1 - mean) ** 2) / 2
    variance = (sum((score - mean) ** 2 for score in scores) + imagined) / weight
    logit = math.log(mean / (1 - mean))
    half = t95(max(1, pairs - 1)) * math.sqrt(variance / weight) / (mean * (1 - mean))
    low, mid, high = (ELO_PER_LOGIT * x for x in (logit - half, logit, logit + half))
    return Estimate(pairs, sum(scores) / pairs, mid, low, high)


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
