"""The score of a duel with its interval, from pairs: the one estimate that everything else repeats.

The two matches of a pair share an instance, so the pair (its mean score: 0, ¼, ½, ¾ or 1) is the
observation. The interval is Wilson's score interval (JASA 22, 1927) with two changes: the variance under
a hypothesis μ is φ·μ(1-μ)/n, where φ is the pairs' own variance over m(1-m) — draws and swapped seats
make it small — and Student's t stands for the normal quantile. One imaginary pair, half a double win and
half a double loss, is added; it keeps sweeps and all-draws finite. By simulation 95 % intervals cover
92.5–100 % from 5 pairs on for true scores up to 0.96, whether or not the two matches of a pair hang
together; a sweep is told from equality from 7 pairs on (`tests/orchestrator/test_pairs.py`).

Players without chance of their own play the same pair again and again; an exact repeat carries no news. The
middle keeps every pair, but the interval counts only what they amount to, `independent`: as many as there are
different ones where all repeat equally often, fewer where one of them makes up most (Kish, Survey Sampling,
1965, §8.2). Each pair then weighs independent/pairs, in the sums, against the imaginary pair and in the degrees
of freedom.

Elo differences are half-tie Elo: 400·log10(μ/(1-μ)). Normalized Elo is (μ-½)/(√2·σ) · 800/ln 10 with σ a pair's
standard deviation (Van den Bergh, Normalized Elo, 2020); both ends of its interval are those of the score, each
with the σ that the interval above has there. fishtest and fastchess hold σ for known instead: much the same between
near equals, but at a score of 9 % a third of the width, and it covers half of the time (`test_pairs.py`).
LOS, the likelihood that player 1 is the better one, is one minus the one-sided p-value of the same test, so that
it leaves 2.5–97.5 % exactly where the interval leaves equality.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

ELO_PER_LOGIT = 400 / math.log(10)
NELO_PER_SIGMA = 800 / math.log(10)  # of one match
Z95 = 1.959963985
MANY = 1000  # degrees of freedom: from here on t is as good as normal


@dataclass(frozen=True, slots=True)
class Estimate:
    """`score` is the plain mean of the pairs; Elo is player 1's minus player 2's. `los` is between 0 and 1."""

    pairs: int
    score: float
    elo: float
    elo_low: float
    elo_high: float
    nelo: float
    nelo_low: float
    nelo_high: float
    los: float

    @property
    def decided(self) -> bool:
        """Whether the interval excludes equality."""
        return self.elo_low > 0 or self.elo_high < 0


def estimate(scores: Sequence[float], independent: float | None = None) -> Estimate | None:
    """From one score per complete pair, each in [0, 1]; None without any.

    `independent` is how many the pairs amount to (by default all), see `Repeats`. ValueError if there
    cannot be so many.
    """
    pairs = len(scores)
    if pairs == 0:
        return None
    count = pairs if independent is None else independent
    if not 1 <= count <= pairs:
        raise ValueError(f"of {pairs} pairs between 1 and {pairs} are distinct, got {count}")
    mean, spread, weight = seen(Counter(scores), count)
    low, _, high = interval(scores, count)
    return Estimate(
        pairs=pairs,
        score=sum(scores) / pairs,
        elo=elo(mean),
        elo_low=elo(low),
        elo_high=elo(high),
        nelo=nelo(mean, spread),
        nelo_low=nelo(low, spread),
        nelo_high=nelo(high, spread),
        los=t_below((mean - 0.5) / math.sqrt(spread / 4 / weight), df_of(count)),
    )


class Repeats:
    """How many independent pairs those so far amount to: n²/Σm², where m of n went alike."""

    def __init__(self, went: Iterable[Hashable] = ()) -> None:
        self._times: Counter[Hashable] = Counter()
        self._pairs = self._squares = 0
        for each in went:
            self.add(each)

    def add(self, went: Hashable) -> None:
        """One more pair; `went` is equal for those that repeat each other exactly."""
        self._squares += 2 * self._times[went] + 1
        self._times[went] += 1
        self._pairs += 1

    @property
    def different(self) -> int:
        return len(self._times)

    @property
    def independent(self) -> float:
        return self._pairs**2 / self._squares if self._pairs else 0.0


def interval(scores: Sequence[float], independent: float) -> tuple[float, float, float]:
    """95 % interval of a mean of scores in [0, 1], and between its ends the mean that it is drawn around.

    That mean holds the imaginary pair, so it lies nearer to ½ than that of the scores.
    """
    mean, spread, weight = seen(Counter(scores), independent)
    wide = t95(df_of(independent)) ** 2 * spread / weight
    # (mean - μ)² = wide · μ(1-μ), solved for μ
    middle = 2 * mean + wide
    half = math.sqrt(middle**2 - 4 * (1 + wide) * mean**2)
    low, high = ((middle + side * half) / (2 * (1 + wide)) for side in (-1, 1))
    return low, mean, high


class Seen(NamedTuple):
    """Pairs with the imaginary one."""

    mean: float
    spread: float  # φ: the variance of a pair over μ(1-μ), at most 1
    weight: float  # pairs


def seen(times: Mapping[float, int], independent: float) -> Seen:
    """From how often each score came."""
    pairs = sum(times.values())
    share, weight = independent / pairs if pairs else 0.0, independent + 1
    mean = (share * sum(n * score for score, n in times.items()) + 0.5) / weight
    imagined = (mean**2 + (1 - mean) ** 2) / 2
    variance = (share * sum(n * (score - mean) ** 2 for score, n in times.items()) + imagined) / weight
    return Seen(mean, min(1.0, variance / (mean * (1 - mean))), weight)


def df_of(independent: float) -> int:
    """Degrees of freedom."""
    return max(1, math.floor(independent + 1e-9) - 1)


def elo(score: float) -> float:
    """The Elo difference at which a score in (0, 1) is expected."""
    return 400 * math.log10(score / (1 - score))


def expected(elo: float) -> float:
    """The inverse of `elo`."""
    return 1 / (1 + 10 ** (-elo / 400))


def nelo(score: float, spread: float = 1.0) -> float:
    """Normalized Elo of a mean pair score in (0, 1), where the variance of a pair is spread·score·(1-score)."""
    return (score - 0.5) / math.sqrt(2 * spread * score * (1 - score)) * NELO_PER_SIGMA


def t_below(t: float, df: int) -> float:
    """P(T < t) for Student's t (Abramowitz & Stegun 26.7.3 and 26.7.4); that of 1000 degrees where there are more."""
    df = min(df, MANY)
    angle = math.atan(t / math.sqrt(df))
    cos2 = math.cos(angle) ** 2
    odd = df % 2
    term = math.cos(angle) if odd else 1.0
    total = term if df > 1 else 0.0
    for k in range(2 + odd, df - 1, 2):
        term *= cos2 * (k - 1) / k
        total += term
    within = (angle + math.sin(angle) * total) * 2 / math.pi if odd else math.sin(angle) * total
    return min(1.0, max(0.0, (1 + within) / 2))


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
