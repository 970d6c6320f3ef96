"""What strength costs: money for a match, for a win, for 100 Elo, and who gives most of it for the money.

All are ratios, and both sides of a ratio are estimated: what was paid over how often it was won. The matches of a
pair hang together, in their length and so in their price as in who won, so the pair (with all that repeats it) is the
observation, and the interval is Fieller's (J. R. Stat. Soc. B 16, 1954), with Student's t: all ratios R for which the
mean of cost − R · units is not told from 0. It is the honest one: where the units themselves are not told from 0 (a
player that hardly ever wins) it has no upper end, and says so, where a linearised interval would still look narrow.
One imaginary cluster of half all wins and half none is counted among the wins' errors, as in `pairs`: who won all of
ten matches has not been shown to always win. Costs get none: a price is known, not drawn.

Elo means something as a difference alone. So `per_100` is what a match costs for each 100 Elo above whoever is set to
0, and `Step` what 100 more would cost between neighbours of the frontier; errors of costs and of ratings are taken as
independent, though long matches may be dear ones. The error of a difference of ratings is that of the league
(sandwich by clusters, with the covariance between the two); the error of a difference of costs is that of two
independent means, which is too wide rather than too narrow where both were paid for in the same matches.

The frontier is drawn by the estimates: whoever nobody beats at no more money. A player off it is called dominated only
where one player is both stronger, beyond the simultaneous interval of all differences of the league (Tukey's range, see
`league.above`), and no dearer, beyond the 95 % interval of the difference of their costs. Two conditions that must both
hold are together no likelier to err than either alone (intersection–union: Berger, Technometrics 24, 1982). Everybody
else off the frontier is open: behind by the estimates, not for sure. Who is free (a bot, a person) costs exactly 0,
and is as welcome on the frontier as anybody: what a model asks money for must beat it.

Costs are dollars here: they are averaged and divided. Bills are elsewhere, in integers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from orchestrator.ratings.league import League
from orchestrator.ratings.pairs import t95


class Ratio(NamedTuple):
    """With its 95 % interval; a bound that nobody knows is None."""

    low: float | None
    value: float
    high: float | None


class Spent(NamedTuple):
    """One cluster of matches: what a player cost in it, and how many units that bought."""

    cost: float
    units: float


class Cost(NamedTuple):
    """Mean dollars for a match, its standard error (of one cluster alone infinite), and its degrees of freedom."""

    mean: float
    error: float
    degrees: int

    @property
    def within(self) -> Ratio:
        if math.isinf(self.error):
            return Ratio(None, self.mean, None)
        half = t95(self.degrees) * self.error
        return Ratio(max(0.0, self.mean - half), self.mean, self.mean + half)


FREE = Cost(0.0, 0.0, 10**6)
"""Of whoever is not asked for money."""


def per(spent: Iterable[Spent], most: float = 0.0) -> Ratio | None:
    """Cost over units; None where nothing was bought.

    `most` is how many units a cluster can have, where they are won: it sizes the imaginary one. 0 where units are
    counted, not won, such as matches.
    """
    clusters = list(spent)
    count, cost, units = len(clusters), sum(each.cost for each in clusters), sum(e.units for e in clusters)
    if not units:
        return None
    if not cost:
        return Ratio(0.0, 0.0, 0.0)
    if count < 2:
        return Ratio(None, cost / units, None)
    mean_cost, mean_units = cost / count, units / count
    of_cost = sum((each.cost - mean_cost) ** 2 for each in clusters)
    of_units = sum((each.units - mean_units) ** 2 for each in clusters)
    of_units += ((most - mean_units) ** 2 + mean_units**2) / 2 if most else 0.0
    of_both = sum((each.cost - mean_cost) * (each.units - mean_units) for each in clusters)
    scale = count * (count - 1)
    return fieller(
        mean_cost, mean_units, of_cost / scale, of_units / scale, of_both / scale, t95(count - 1)
    )  # fmt: skip


def fieller(part: float, whole: float, of_part: float, of_whole: float, of_both: float, t: float) -> Ratio:
    """part/whole from two estimates ≥ 0 with their variances and covariance; `t` is the quantile.

    Ratios R with (part − R·whole)² ≤ t²·Var(part − R·whole), of those the ones that are not negative.
    """
    square = whole**2 - t * t * of_whole
    middle = part * whole - t * t * of_both
    constant = part**2 - t * t * of_part
    value = part / whole
    root = math.sqrt(max(0.0, middle**2 - square * constant))
    if square > 0:
        return Ratio(
            max(0.0, min(value, (middle - root) / square)), value, max(value, (middle + root) / square)
        )
    if constant <= 0:
        return Ratio(0.0, value, None)
    least = (middle - root) / square if square < 0 else constant / (2 * middle)
    return Ratio(max(0.0, min(value, least)), value, None)


def cost(spent: Sequence[Spent]) -> Cost | None:
    """Of a match, from clusters with the matches as units: a ratio of totals, linearised. None without a match."""
    count, matches = len(spent), sum(each.units for each in spent)
    if not matches:
        return None
    mean = sum(each.cost for each in spent) / matches
    if count < 2:
        return Cost(mean, math.inf, 1)
    off = sum((each.cost - mean * each.units) ** 2 for each in spent)
    return Cost(mean, math.sqrt(off * count / (count - 1)) / matches, count - 1)


def per_100(of: Cost, above: float, error: float, degrees: int) -> Ratio | None:
    """Dollars a match for each 100 Elo above whoever is set to 0; None of whoever is not above.

    `error` is the standard error of `above`, with its degrees of freedom.
    """
    if above <= 0:
        return None
    if not of.mean and not of.error:
        return Ratio(0.0, 0.0, 0.0)
    if math.isinf(of.error):
        return Ratio(None, 100 * of.mean / above, None)
    t = t95(min(of.degrees, degrees))
    return fieller(of.mean, above / 100, of.error**2, (error / 100) ** 2, 0.0, t)


# ── the frontier ─────────────────────────────────────────────────────────────────────────────────────


State = Literal["frontier", "dominated", "open"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a player stands in strength and price. `by`: who dominates it, the strongest of those."""

    player: str
    cost: Cost
    state: State
    by: str = ""


class Step(NamedTuple):
    """From one player of the frontier to the next stronger, dearer one: dollars a match for 100 Elo more."""

    lower: str
    upper: str
    elo: float  # between them
    per_100: Ratio


def places(league: League, costs: Mapping[str, Cost]) -> list[Place]:
    """The players whose cost is known, the cheapest first, then the strongest.

    Of each island on its own: who never met is not compared.
    """
    order = sorted(costs, key=lambda name: (costs[name].mean, -league.rating(name), name))
    return [_place(league, costs, name) for name in order]


def _place(league: League, costs: Mapping[str, Cost], name: str) -> Place:
    rivals = [other for other in league.island(name) if other in costs and other != name]
    sure = [
        other
        for other in rivals
        if league.above(other, name) and not _dearer_perhaps(costs[other], costs[name])
    ]
    if sure:
        return Place(name, costs[name], "dominated", max(sure, key=league.rating))
    mine = (costs[name].mean, -league.rating(name))
    beaten = any(_beats((costs[other].mean, -league.rating(other)), mine) for other in rivals)
    return Place(name, costs[name], "open" if beaten else "frontier")


def _dearer_perhaps(one: Cost, other: Cost) -> bool:
    """Whether `one` could cost more, as far as the interval of the difference tells. Equal means without error: no."""
    error = math.hypot(one.error, other.error)
    half = t95(min(one.degrees, other.degrees)) * error if error else 0.0
    return one.mean - other.mean + half > 0


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """No more money and no less strength, and one of them better."""
    return one != other and one[0] <= other[0] and one[1] <= other[1]


def steps(league: League, found: Iterable[Place]) -> list[Step]:
    """Between neighbours on the frontier of the largest island, from the cheapest up.

    The interval has no end where the stronger one's lead is not told from 0: then nobody knows what 100 Elo cost.
    """
    island = league.islands[0]
    on_it = [place for place in found if place.state == "frontier" and place.player in island]
    return [step for lower, upper in pairwise(on_it) if (step := _step(league, lower, upper)) is not None]


def _step(league: League, lower: Place, upper: Place) -> Step | None:
    elo = league.rating(upper.player) - league.rating(lower.player)
    more = upper.cost.mean - lower.cost.mean
    if elo <= 0 or more <= 0:
        return None
    error = math.hypot(lower.cost.error, upper.cost.error)
    if math.isinf(error):
        return Step(lower.player, upper.player, elo, Ratio(None, 100 * more / elo, None))
    ratings = league.ratings
    degrees = ratings.degrees(ratings.players.index(lower.player), ratings.players.index(upper.player))
    t = t95(min(lower.cost.degrees, upper.cost.degrees, degrees))
    off = ratings.standard_error(upper.player, lower.player) / 100
    return Step(lower.player, upper.player, elo, fieller(more, elo / 100, error**2, off**2, 0.0, t))
