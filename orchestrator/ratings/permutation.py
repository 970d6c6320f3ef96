"""Whether two players differ who played the same deals: paired differences, and what chance alone makes of them.

If it does not matter which of two players a deal's two results belong to, then each deal's difference could as well
have had the other sign. The test counts in which share of all those signs the sum is at least as far from 0 as the
one that was seen (Fisher, The Design of Experiments, 1935, §21): nothing is assumed of the distribution, and the
p-value is right at any number of deals. Scores lie on a grid (quarters between two players), so the sums are few and
every one of the 2ⁿ signs is counted, by convolving binomials: p is exact, with no chance in it. Of figures on no grid
(costs, seconds) the signs are counted where the deals are few, and else drawn from a seed, where p is
(b + 1)/(m + 1), never 0 (Phipson & Smyth, Permutation p-values should never be zero, SAGMB 9, 2010).

Deals that went alike move by move are one observation told several times. They keep their weight in the mean, and
take one sign together; intervals and power count what they amount to (`pairs.Repeats`). Whether two deals are alike
must not depend on which result is whose, or the signs would not be free: `went` is to be the same after a swap.

Intervals are Student's over the deals and agree with the test: where the two would say different things of 0, the
end is 0. By simulation they hold the truth in 93-98 % (more below ten deals, or where nearly all is drawn); that of Elo
falls short where an arm wins nearly all in few deals, as Elo has no measure of that.

A discrete p is at most as often below a level as that level says. `Compared.tie` is the chance of the very sum that was
seen, in either direction: p - u·tie with u uniform on [0, 1] is uniform exactly where nothing differs, which is how a
test of this test must look at it.
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from fractions import Fraction
from operator import getitem
from statistics import NormalDist, fmean
from typing import NamedTuple

from orchestrator.ratings.pairs import ELO_PER_LOGIT, Repeats, df_of, elo, t95

ALPHA, POWER = 0.05, 0.8
DRAWS = 9_999  # of signs, where they cannot all be counted
DRAWN_FROM = 17  # differences on no grid: up to 2^16 signs are counted one by one
FINEST = 5040  # denominators up to it are a grid: of quarters, of shares at tables of up to ten
MOST_WORK = 4_000_000  # additions, about a second
FINE = 2**40  # steps between 0 and the largest difference, where there is no grid
NEGLIGIBLE = 1e-30


class Signs(NamedTuple):
    """Two-sided `p`, and the chance of the very sum that was seen, in either direction."""

    p: float
    tie: float
    exact: bool  # all signs were counted


def signs(differences: Sequence[float], seed: int = 0, draws: int = DRAWS) -> Signs:
    """Over all signs of the differences, or `draws` of them."""
    units = _on_a_grid(differences)
    counted = None
    if units is None and len(differences) < DRAWN_FROM:
        largest = max(map(abs, differences), default=0.0) or 1.0
        units = [round(FINE * each / largest) for each in differences]
        counted = _all_signs(units, slack=len(units))
    elif units is not None:
        counted = _all_signs(units)
    return counted or _some_signs(differences, seed, draws)


def _on_a_grid(values: Sequence[float]) -> list[int] | None:
    """As multiples of their largest common part; None where they have none worth the name."""
    parts = [Fraction(value).limit_denominator(FINEST) for value in values]
    near = 1e-9 * max(map(abs, values), default=0.0)  # dollars may be small
    if any(abs(float(part) - value) > near for part, value in zip(parts, values, strict=True)):
        return None
    below = math.lcm(*(part.denominator for part in parts))
    return [int(part * below) for part in parts] if below <= FINEST else None


def _all_signs(units: Sequence[int], slack: int = 0) -> Signs | None:
    """None where that is too much work. Sums within `slack` of each other are held to be equal."""
    sums, work = {0: 1.0}, 0
    for size, times in sorted(Counter(abs(unit) for unit in units if unit).items()):
        of_size = _binomial(size, times)
        work += len(sums) * len(of_size)
        if work > MOST_WORK:
            return None
        longer: defaultdict[int, float] = defaultdict(float)
        for so_far, chance in sums.items():
            for more, its in of_size:
                longer[so_far + more] += chance * its
        sums = {each: chance for each, chance in longer.items() if chance > NEGLIGIBLE}
    seen = abs(sum(units))
    beyond = math.fsum(chance for each, chance in sums.items() if abs(each) > seen + slack)
    tie = math.fsum(chance for each, chance in sums.items() if abs(abs(each) - seen) <= slack)
    return Signs(min(1.0, beyond + tie), min(1.0, tie), True)


def _binomial(size: int, times: int) -> list[tuple[int, float]]:
    """What so many differences of one size can come to, and with which chance."""
    whole = 1 << times
    every = (((2 * up - times) * size, math.comb(times, up) / whole) for up in range(times + 1))
    return [(total, chance) for total, chance in every if chance > NEGLIGIBLE]


def _some_signs(differences: Sequence[float], seed: int, draws: int) -> Signs:
    """Eight differences at a time: what a byte of signs makes of them is looked up."""
    tables = [_by_byte(differences[at : at + 8]) for at in range(0, len(differences), 8)]
    rng = random.Random(seed)
    seen = abs(sum(differences))
    slack = 1e-9 * sum(map(abs, differences))
    beyond = ties = 0
    for _ in range(draws):
        drawn = abs(sum(map(getitem, tables, rng.randbytes(len(tables)))))
        beyond += drawn > seen + slack
        ties += abs(drawn - seen) <= slack
    return Signs((beyond + ties + 1) / (draws + 1), (ties + 1) / (draws + 1), False)


def _by_byte(few: Sequence[float]) -> list[float]:
    return [
        sum(each if byte >> place & 1 else -each for place, each in enumerate(few)) for byte in range(256)
    ]


def holm(ps: Sequence[float]) -> list[float]:
    """Each p adjusted for there being several (Holm, Scandinavian Journal of Statistics 6, 1979), in their order.

    Whoever calls those below a level found calls any wrongly with no more than that chance.
    """
    adjusted, most = [0.0] * len(ps), 0.0
    for place, number in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        most = max(most, min(1.0, (len(ps) - place) * ps[number]))
        adjusted[number] = most
    return adjusted


# ── two players, deal by deal ────────────────────────────────────────────────────────────────────────


class Compared(NamedTuple):
    """The mean of second less first with its 95 % interval, None below two different deals, and its p-value."""

    deals: int
    independent: float  # what they amount to
    low: float | None
    mean: float
    high: float | None
    p: float
    tie: float
    exact: bool


def compare(
    first: Sequence[float],
    second: Sequence[float],
    went: Sequence[Hashable] | None = None,
    *,
    scores: bool = True,
    seed: int = 0,
) -> Compared | None:
    """From one figure of each per deal; None without any.

    `went` is equal for deals that repeat each other exactly. `scores` lie in [0, 1], and their
    interval keeps a width where all deals went one way.
    """
    if not first:
        return None
    differences = [b - a for a, b in zip(first, second, strict=True)]
    alike = list(range(len(differences))) if went is None else went
    blocks: defaultdict[Hashable, float] = defaultdict(float)
    for each, block in zip(differences, alike, strict=True):
        blocks[block] += each
    independent = Repeats(alike).independent
    found = signs(list(blocks.values()), seed)
    low, mean, high = _agreeing(_bounds(differences, independent, scores), found.p)
    known = len(blocks) > 1
    return Compared(
        len(differences), independent, low if known else None, mean, high if known else None, *found
    )


def _bounds(differences: Sequence[float], independent: float, scores: bool) -> tuple[float, float, float]:
    mean = fmean(differences)
    if scores:
        half = t95(df_of(independent)) * _padded(differences, independent) / math.sqrt(independent + 1)
        return max(-1.0, mean - half), mean, min(1.0, mean + half)
    half = t95(df_of(independent)) * _spread(differences) / math.sqrt(independent)
    return mean - half, mean, mean + half


def _agreeing(bounds: tuple[float, float, float], p: float) -> tuple[float, float, float]:
    """Bounds that leave 0 out exactly where the test does."""
    low, mid, high = bounds
    if p >= ALPHA:
        return min(low, 0.0), mid, max(high, 0.0)
    return (max(low, 0.0), mid, high) if mid > 0 else (low, mid, min(high, 0.0))


def _spread(values: Sequence[float]) -> float:
    """The standard deviation of one."""
    mean = fmean(values)
    return math.sqrt(sum((each - mean) ** 2 for each in values) / max(1, len(values) - 1))


def _padded(differences: Sequence[float], independent: float) -> float:
    """The standard deviation of one, with an imaginary deal as far from the mean as any is from 0.

    Scores are coarse: where all deals went one way, the next need not, and an interval without a width would be wrong.
    """
    return math.sqrt(
        (independent * _spread(differences) ** 2 + _furthest(differences) ** 2) / (independent + 1)
    )


def _furthest(differences: Sequence[float]) -> float:
    """From 0; the whole scale where nothing ever differed."""
    return max(map(abs, differences)) or 1.0


class Elo(NamedTuple):
    """A difference with its 95 % interval."""

    low: float
    mid: float
    high: float


def elo_between(first: Sequence[float], second: Sequence[float], compared: Compared) -> Elo:
    """How much stronger the second is against the opponents of both, in half-tie Elo.

    The interval is that of the delta method over deals, so what a deal gave to both falls out. As in `pairs`, one
    imaginary deal, half a clean sweep and half its opposite, keeps the middle of sweeps finite; the width has one too,
    as far out as any deal was.
    """
    independent = compared.independent
    weight = independent + 1
    means = [(independent * fmean(scores) + 0.5) / weight for scores in (first, second)]
    slopes = [ELO_PER_LOGIT / (mean * (1 - mean)) for mean in means]
    moved = [
        slopes[1] * (b - means[1]) - slopes[0] * (a - means[0]) for a, b in zip(first, second, strict=True)
    ]
    swept = any(set(scores) in ({0.0}, {1.0}) for scores in (first, second))  # nobody knows how far it is off
    off = (1.0 if swept else _furthest([b - a for a, b in zip(first, second, strict=True)])) / 2
    imagined = fmean((slopes[1] * b - slopes[0] * a) ** 2 for a in (-off, off) for b in (-off, off))
    variance = (independent * fmean(each**2 for each in moved) + imagined) / weight
    half = t95(df_of(independent)) * math.sqrt(variance / weight)
    mid = elo(means[1]) - elo(means[0])
    return Elo(*_agreeing((mid - half, mid, mid + half), compared.p))


# ── what could have been found ───────────────────────────────────────────────────────────────────────


def detectable(spread: float, independent: float, alpha: float = ALPHA, power: float = POWER) -> float:
    """The mean difference that so many deals find at that level with that chance, by the normal approximation.

    `spread` is the standard deviation of a deal's difference.
    """
    normal = NormalDist()
    reach = normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)
    return reach * spread / math.sqrt(independent)


def spread(first: Sequence[float], second: Sequence[float], independent: float) -> float:
    """The standard deviation of a deal's difference of scores, never 0."""
    return _padded([b - a for a, b in zip(first, second, strict=True)], independent)


def least_deals(alpha: float = ALPHA) -> int:
    """With fewer different deals no result can be found at that level: all n of one sign have p = 2/2ⁿ."""
    return math.ceil(1 - math.log2(alpha))
