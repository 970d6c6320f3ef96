"""How well moves were chosen: regret and what follows from it, with intervals that know of matches.

Of a decision with a choice (two legal actions or more), values from -1 to 1 as the game's search sees them
(`Game.value`: win 1, draw 0, loss -1, or points in units of the most):

- regret: the best value less that of what was played, 0 to 2;
- best: it was one of those that nothing beats;
- blunder: a regret of 0.3 or more, from where lichess.org speaks of one (its winning chances are also on a scale
  from -1 to 1; a mistake begins at 0.2, an inaccuracy at 0.1: lila, modules/tree/src/main/Advice.scala). Where values
  are exact results, that is a won or drawn position given away;
- accuracy: 1 - regret / (best - worst value), both summed over decisions, so that those weigh by what is at stake
  and noise where nothing is weighs little. 1 is always the best, 0 always the worst. Mean regret is the measure of
  Guid and Bratko (Computer Analysis of World Chess Champions, ICGA Journal 29, 2006); the scale is ours. Regan and
  Haworth (Intrinsic Chess Ratings, AAAI 2011) judge by the values of all moves as well, but by fitting a model of how
  a player chooses among them, which is not done here;
- chance: the share of legal actions that nothing beats, a decision's ease. A player that draws its moves
  has this as its rate of best ones.

All are ratios of sums. Decisions of one match hang together, so matches are what an interval counts: its
standard error is the linearised one of a ratio of cluster totals, and it is Wilson's with the sample size that this
error amounts to and Student's t for the normal quantile. Korn and Graubard (Confidence intervals for proportions with
small expected number of positive counts estimated from survey data, Survey Methodology 24, 1998) put such an effective
sample size into Clopper and Pearson's interval. So it keeps inside the scale and has a width where all went one way.
Matches that went alike, move by move, count once.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from orchestrator.ratings.pairs import t95
from orchestrator.ratings.shares import Share

BLUNDER = 0.3
CLOSE = 1e-9  # two values that differ by less are one


class Graded(NamedTuple):
    """One decision: the values of all legal actions, and of the one that was played."""

    cluster: Hashable  # equal for decisions that hang together
    values: Sequence[float]
    played: float

    @property
    def regret(self) -> float:
        return max(self.values) - self.played

    @property
    def is_best(self) -> bool:
        return self.regret < CLOSE

    @property
    def is_blunder(self) -> bool:
        return self.regret >= BLUNDER - CLOSE

    @property
    def stake(self) -> float:
        return max(self.values) - min(self.values)

    @property
    def chance(self) -> float:
        most = max(self.values)
        return sum(most - value < CLOSE for value in self.values) / len(self.values)


class Quality(NamedTuple):
    """The figures of some decisions. Of one match alone an interval is all of the scale."""

    decisions: int
    matches: int  # that are independent of each other
    regret: Share
    best: Share
    blunders: Share
    accuracy: Share | None  # None where nothing was at stake
    chance: float


def quality(graded: Iterable[Graded]) -> Quality | None:
    """The figures of these decisions; None without any."""
    found = list(graded)
    if not found:
        return None
    ones = [1.0] * len(found)
    stakes = [each.stake for each in found]
    clusters = [each.cluster for each in found]
    regrets = [each.regret for each in found]
    half = ratio(clusters, [regret / 2 for regret in regrets], ones)
    lost = ratio(clusters, regrets, stakes) if sum(stakes) > CLOSE else None
    return Quality(
        len(found),
        len(set(clusters)),
        Share(*(2 * part for part in half)),
        ratio(clusters, [float(each.is_best) for each in found], ones),
        ratio(clusters, [float(each.is_blunder) for each in found], ones),
        lost and Share(1 - lost.high, 1 - lost.mean, 1 - lost.low),
        math.fsum(each.chance for each in found) / len(found),
    )


def ratio(clusters: Sequence[Hashable], parts: Sequence[float], wholes: Sequence[float]) -> Share:
    """Sum of parts over sum of wholes, each part from 0 to its whole, with its 95 % interval by clusters."""
    whole = math.fsum(wholes)
    mean = min(1.0, math.fsum(parts) / whole)
    off: defaultdict[Hashable, float] = defaultdict(float)
    for cluster, part, size in zip(clusters, parts, wholes, strict=True):
        off[cluster] += part - mean * size
    count = len(off)
    if count < 2:
        return Share(0.0, mean, 1.0)
    variance = count / (count - 1) * math.fsum(each * each for each in off.values()) / whole**2
    size = min(mean * (1 - mean) / variance, float(len(parts))) if variance > 1e-18 else float(count)
    spread = t95(count - 1) ** 2 / size
    middle = (mean + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (mean * (1 - mean) + spread / 4)) / (1 + spread)
    return Share(max(0.0, min(mean, middle - half)), mean, min(1.0, max(mean, middle + half)))
