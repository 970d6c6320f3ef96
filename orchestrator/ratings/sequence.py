"""Seen enough: an interval that may be looked at after every pair, and a rule that stops when it is narrow.

The 95 % confidence sequence of a mean of scores in [0, 1] holds the truth after every pair at once with that chance,
whenever one stops and for whatever reason (Waudby-Smith & Ramdas, Estimating means of bounded random variables by
betting, JRSS B 86, 2024: hedged capital, predictable plug-in bets, running intersection). A mean m is out once a
gambler who bets against it, half on "more" and half on "less", has made 20 of 1: both capitals are monotone in m, so
that the interval's ends are found by halving.

The price of looking is a wider interval: about 1.5 times that of `pairs.estimate` at the same length.

Exact repeats carry no news, so a stake is multiplied by the share of the pairs before it that were independent
(`pairs.Repeats`). What is known before a pair may size a bet on it: the sequence stays valid, and of players who always
repeat themselves it stays wide.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestrator.ratings.pairs import Repeats, elo

ALPHA = 0.05
BOLD = 0.5  # no bet can lose more than this share of the capital
FINE = 1e-6  # of a score: how well the ends are found
MOST_ELO = 4000.0  # shown where an end is that of the scale: a score of 0 or 1 is not ruled out


class Interval(NamedTuple):
    """95 %, in Elo."""

    low: float
    mid: float
    high: float

    @property
    def half(self) -> float:
        return (self.high - self.low) / 2


@dataclass(slots=True)
class Betting:
    """The confidence sequence so far; `add` pairs in their order."""

    low: float = 0.0  # scores
    high: float = 1.0
    _scores: list[float] = field(default_factory=list)
    _stakes: list[float] = field(default_factory=list)  # by the rule, before a mean caps them
    _repeats: Repeats = field(default_factory=Repeats)
    _mean: float = 0.5
    _deviations: float = 0.0  # squared, each from the mean of its time

    def add(self, score: float, went: Hashable = None) -> None:
        """`went` is equal for pairs that repeat each other exactly; None repeats nothing. ValueError outside [0, 1]."""
        if not 0 <= score <= 1:
            raise ValueError(f"a pair's mean score lies between 0 and 1, got {score!r}")
        t = len(self._scores) + 1
        independent = self._repeats.independent
        news = independent / (t - 1) if t > 1 else 1.0
        variance = (0.25 + news * self._deviations) / (independent + 1)
        stake = math.sqrt(2 * math.log(2 / ALPHA) / (variance * t * math.log(1 + t)))
        self._stakes.append(stake * news)
        self._scores.append(score)
        self._mean += (score - self._mean) / (t + 1)
        self._deviations += (score - self._mean) ** 2
        self._repeats.add(object() if went is None else went)

    def narrow(self) -> None:
        """Bring `low` and `high` up to date; what was ruled out once stays out."""
        mean = sum(self._scores) / len(self._scores) if self._scores else 0.5
        self.low = _edge(self._scores, self._stakes, self.low, max(mean, self.low))
        mirrored = [1 - score for score in self._scores]
        self.high = 1 - _edge(mirrored, self._stakes, 1 - self.high, 1 - min(mean, self.high))

    def interval(self) -> Interval:
        """What is known now. The middle is the mean, pushed into the interval where it lies outside."""
        self.narrow()
        mean = sum(self._scores) / len(self._scores) if self._scores else 0.5
        return Interval(
            *(_elo(score) for score in (self.low, min(max(mean, self.low), self.high), self.high))
        )

    def rejects(self, mean: float) -> bool:
        """Whether a mean was ruled out by any of the pairs so far."""
        mirrored = [1 - score for score in self._scores]
        return _ruined(self._scores, self._stakes, mean) or _ruined(mirrored, self._stakes, 1 - mean)


def _ruined(scores: Sequence[float], stakes: Sequence[float], mean: float) -> bool:
    """Whether betting on "more than `mean`" ever made 2/α of 1. It falls with the mean."""
    capital, cap = 1.0, BOLD / mean if mean > 0 else math.inf
    for score, stake in zip(scores, stakes, strict=True):
        capital *= 1 + min(stake, cap) * (score - mean)
        if capital >= 2 / ALPHA:
            return True
    return False


def _edge(scores: Sequence[float], stakes: Sequence[float], out: float, within: float) -> float:
    """The largest mean, to FINE, that is ruled out from below, `out` being one; it is rounded to the safe side."""
    if not _ruined(scores, stakes, out + FINE):
        return out
    low, high = out + FINE, max(within, out + FINE)
    while high - low > FINE:
        middle = (low + high) / 2
        low, high = (middle, high) if _ruined(scores, stakes, middle) else (low, middle)
    return low


def _elo(score: float) -> float:
    """Within ±MOST_ELO."""
    return elo(score) if 1e-10 < score < 1 - 1e-10 else math.copysign(MOST_ELO, score - 0.5)


@dataclass(frozen=True, slots=True)
class UntilCi:
    """Play until the interval is ±`half` Elo; with `useful`, also until player 1 is surely less than that ahead.

    The latter is the futility rule: without it a rule that wants to know exactly pays for it where nobody needs to.
    """

    half: float
    useful: float | None = None

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if not self.half > 0:
            raise ValueError(f"an interval of ±{self.half:g} Elo cannot be reached: give a number above 0")
        if self.useful is not None and not math.isfinite(self.useful):
            raise ValueError(f"useful is {self.useful:g}: expected a number of Elo")

    def __str__(self) -> str:
        useful = "" if self.useful is None else f", or surely less than {self.useful:+g}"
        return f"±{self.half:g} Elo{useful}"
