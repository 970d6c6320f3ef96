"""Ratings of any number of players from results at tables of any size: Bradley–Terry with seats, two ways of ties.

Every two players of a match are compared. With d = r_i − r_j + s_a − s_b in logits, the difference of their
ratings and of the seats that they had:

- half-tie: a draw is half a win and the expected score is 1 / (1 + e^−d) (Bradley & Terry 1952; on the scale
  of Elo 1978, 400 / ln 10 to a logit). It is the likelihood fit of public arenas (Chiang et al. 2024, Chatbot
  Arena, arXiv:2403.04132): ratings on it say what score to expect;
- Davidson (JASA 65, 1970): win : draw : loss as e^(d/2) : ν : e^(−d/2). Its ratings say how wins stand to losses;
  where there are draws they lie further apart. Shown of it are the seats and how often equals draw, ν / (2 + ν).

Both are fits of the score, the second of draws too, by the same equations: observed less expected is 0.
At a table of k every comparison weighs 1 / (k − 1), so that a match gives each player one unit of score
whatever the table (composite likelihood: Varin, Reid & Firth 2011).

A difference of ratings is that at equal seats: where a seat is worth much, the mean score over both seats lies
nearer to ½ than the difference says, and `pairs.estimate`, which knows no seats, finds less between two players.

Four things keep it honest on few matches:

- a prior of mean 0 and 500 Elo on every parameter, so that sweeps and players who never met stay finite;
- the cluster (a pair, a deal, with all that repeats it) is the unit of error: the covariance is the sandwich
  H⁻¹BH⁻¹ with B summed over clusters (White 1982; Liang & Zeger 1986), quantiles are Student's for their number;
- each player gets one imaginary pair, half a double win and half a double loss, shared among its opponents:
  all draws and all wins have a width too. For two players and seats worth nothing the rating is that of
  `pairs.estimate`, and its interval becomes the same as pairs grow many;
- the seat is in the model, so that ratings hold where seats were not shared evenly, as after matches are left out.

Matches of one kind are counted, and so are clusters of one kind: a step of the fit costs players², whatever the
matches. That is why plain Python will do. Left out: effects of seats that differ from player to player, and
strength that changes in time. What can be said of players from a fit is in `league.py`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from orchestrator.ratings.linear import Matrix, add_square, diagonal, product, quadratic, solve
from orchestrator.ratings.pairs import ELO_PER_LOGIT, t95

PRIOR_ELO = 500.0
PRECISION = (ELO_PER_LOGIT / PRIOR_ELO) ** 2  # of the prior, per logit²
STEPS = 100
SMALL = 1e-10  # logits: where Newton has arrived


class Result(NamedTuple):
    """A match: who sat where, and what each scored. Only the order of the scores counts."""

    players: tuple[str, ...]
    scores: tuple[float, ...]


class Interval(NamedTuple):
    """95 %, in Elo where nothing else is said."""

    low: float
    mid: float
    high: float

    def moved(self, by: float) -> Interval:
        return Interval(self.low + by, self.mid + by, self.high + by)


# ── counting ─────────────────────────────────────────────────────────────────────────────────────────


class Comparison(NamedTuple):
    """Two players at two seats of a table, any number of times; `score` and `ties` are sums, of the first's.

    Players and seats are places in the list of parameters. An imaginary one has no seats.
    """

    plus: tuple[int, ...]
    minus: tuple[int, ...]
    weight: float
    score: float
    ties: float


@dataclass(frozen=True, slots=True)
class Counts:
    """All that a fit needs to know of the matches."""

    players: tuple[str, ...]
    seats: tuple[tuple[int, int], ...]  # (size of the table, seat)
    kinds: tuple[tuple[Comparison, ...], ...]  # of each kind of match what it compares
    clusters: Mapping[tuple[int, ...], int]  # how many clusters consist of matches of these kinds
    matches: int
    took_part: tuple[int, ...]  # in how many clusters each player was compared

    @property
    def grain(self) -> float:
        """What one comparison weighs; the mean, where tables differ in size."""
        sizes = {size for size, _ in self.seats if size > 1}
        return sum(1 / (size - 1) for size in sizes) / len(sizes)

    def sums(self) -> list[Comparison]:
        """One for every two players and seats that met."""
        times: Counter[int] = Counter()
        for kinds, number in self.clusters.items():
            for kind in kinds:
                times[kind] += number
        found: dict[tuple[tuple[int, ...], tuple[int, ...]], list[float]] = {}
        for kind, number in times.items():
            for one in self.kinds[kind]:
                total = found.setdefault((one.plus, one.minus), [0.0, 0.0, 0.0])
                for k, value in enumerate(one[2:]):
                    total[k] += number * value
        return [Comparison(*two, *total) for two, total in sorted(found.items())]


def count(clusters: Iterable[Iterable[Result]]) -> Counts:
    """From one entry per cluster: its matches. ValueError where no two players were compared."""
    numbers: dict[Result, int] = {}
    patterns = Counter(
        tuple(sorted([numbers.setdefault(result, len(numbers)) for result in cluster]))
        for cluster in clusters
    )
    players = tuple(sorted({name for result in numbers for name in result.players}))
    seats = tuple(sorted({(len(r.players), seat) for r in numbers for seat in range(len(r.players))}))
    place = {name: k for k, name in enumerate(players)}
    seat_place = {seat: len(players) + k for k, seat in enumerate(seats)}
    kinds = tuple(_comparisons(result, place, seat_place) for result in numbers)
    if not any(kinds):
        raise ValueError("no match between players who differ: nothing to rate")
    took_part = [0] * len(players)
    for pattern, number in patterns.items():
        for player in {k for kind in pattern for one in kinds[kind] for k in (one.plus[0], one.minus[0])}:
            took_part[player] += number
    matches = sum(len(pattern) * number for pattern, number in patterns.items())
    return Counts(players, seats, kinds, patterns, matches, tuple(took_part))


def _comparisons(
    result: Result, place: Mapping[str, int], seat_place: Mapping[tuple[int, int], int]
) -> tuple[Comparison, ...]:
    size = len(result.players)
    if len(result.scores) != size or any(math.isnan(score) for score in result.scores):
        raise ValueError(f"a match has one score for each of its {size} seats, got {result.scores!r}")
    sat = sorted(
        (place[name], seat_place[size, seat], score)
        for seat, (name, score) in enumerate(zip(result.players, result.scores, strict=True))
    )
    weight = 1 / (size - 1) if size > 1 else 0.0
    return tuple(
        Comparison((i, a), (j, b), weight, weight * ((mine > other) + (mine == other) / 2), weight * tie)
        for (i, a, mine), (j, b, other) in combinations(sat, 2)
        if i != j
        for tie in (float(mine == other),)
    )


# ── ratings ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Ratings:
    """Ratings in Elo, their covariance in Elo², and the clusters that each player took part in.

    `values` and `covariance` are of the players, then of the seats, then, by Davidson, of ln ν (in Elo as well).
    """

    players: tuple[str, ...]
    seats: tuple[tuple[int, int], ...]
    values: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    clusters: tuple[int, ...]
    all_clusters: int

    @property
    def elo(self) -> tuple[float, ...]:
        return self.values[: len(self.players)]

    def difference(self, one: str, other: str) -> Interval:
        """How much stronger `one` is than `other`."""
        i, j = self.players.index(one), self.players.index(other)
        if i == j:
            return Interval(0.0, 0.0, 0.0)
        return self._interval({i: 1.0, j: -1.0}, self.degrees(i, j))

    def about_mean(self, player: str, of: Iterable[str] = ()) -> Interval:
        """How much stronger `player` is than the mean of some, by default of all."""
        i = self.players.index(player)
        others = [self.players.index(name) for name in of or self.players]
        weights = dict.fromkeys(others, -1 / len(others))
        weights[i] = weights.get(i, 0.0) + 1
        return self._interval(weights, self.degrees(i))

    def seat_effect(self, size: int, seat: int) -> Interval:
        """What a seat is worth more than the mean of the others at a table of this size: of two, moving first."""
        weights = {
            len(self.players) + k: 1.0 if at == (size, seat) else -1 / (size - 1)
            for k, at in enumerate(self.seats)
            if at[0] == size
        }
        return self._interval(weights, max(1, self.all_clusters - 1))

    def standard_error(self, one: str, other: str) -> float:
        i, j = self.players.index(one), self.players.index(other)
        return math.sqrt(max(0.0, quadratic(self.covariance, {i: 1.0, j: -1.0}))) if i != j else 0.0

    def degrees(self, *places: int) -> int:
        """Of freedom, for Student's t: one less than the clusters of whoever was in the fewest."""
        return max(1, min(self.clusters[place] for place in places) - 1)

    @property
    def tie_rate(self) -> Interval:
        """How often equals draw; from 0 to 1. Only by Davidson."""
        tie = len(self.players) + len(self.seats)
        found = self._interval({tie: 1.0}, max(1, self.all_clusters - 1))
        return Interval(*(1 / (1 + 2 * math.exp(-elo / ELO_PER_LOGIT)) for elo in found))

    def expected(self, one: str, other: str) -> tuple[float, float, float]:
        """Win, draw and loss of `one`, mean over swapped seats of a table of two; half-tie knows no draws."""
        i, j = self.players.index(one), self.players.index(other)
        ties = len(self.values) > len(self.players) + len(self.seats)
        tie = self.values[-1] / ELO_PER_LOGIT if ties else None
        seat = self.seat_effect(2, 0).mid if (2, 0) in self.seats else 0.0
        chances = [_chance((self.values[i] - self.values[j] + s) / ELO_PER_LOGIT, tie) for s in (seat, -seat)]
        draw = sum(chance.tie for chance in chances) / 2
        win = sum(chance.score for chance in chances) / 2 - draw / 2
        return win, draw, 1 - win - draw

    def _interval(self, weights: Mapping[int, float], degrees: int) -> Interval:
        mid = sum(weight * self.values[k] for k, weight in weights.items())
        half = t95(degrees) * math.sqrt(max(0.0, quadratic(self.covariance, weights)))
        return Interval(mid - half, mid, mid + half)


def fit(counts: Counts, *, davidson: bool = False) -> Ratings:
    """Half-tie, or with Davidson's draws. The order of matches and of clusters does not matter."""
    size = len(counts.players) + len(counts.seats)
    tie = size if davidson else None
    sums, imaginary = counts.sums(), _imaginary(counts)
    values = _newton([*sums, *imaginary], size + davidson, tie)
    covariance = _sandwich(values, counts, [*sums, *imaginary], imaginary, tie)
    return Ratings(
        counts.players,
        counts.seats,
        tuple(value * ELO_PER_LOGIT for value in values),
        tuple(tuple(value * ELO_PER_LOGIT**2 for value in row) for row in covariance),
        counts.took_part,
        sum(counts.clusters.values()),
    )


def _imaginary(counts: Counts) -> list[Comparison]:
    """One drawn-out pair per player, shared among its opponents: one entry per two players that met."""
    met = sorted({(one.plus[0], one.minus[0]) for kind in counts.kinds for one in kind})
    opponents = Counter(player for two in met for player in two)
    weights = {(i, j): 1 / opponents[i] + 1 / opponents[j] for i, j in met}
    return [Comparison((i,), (j,), weight, weight / 2, 0.0) for (i, j), weight in weights.items()]


class _Chance(NamedTuple):
    score: float  # expected
    tie: float
    spread: float  # variance of the score
    shared: float  # covariance of the score with whether it is a tie


def _chance(logits: float, tie: float | None) -> _Chance:
    """Of one comparison; half-tie where ln ν is None."""
    if tie is None:
        score = 1 / (1 + math.exp(-logits)) if logits > -700 else 0.0
        return _Chance(score, 0.0, score * (1 - score), 0.0)
    ahead, even, behind = logits / 2, tie, -logits / 2
    most = max(ahead, even, behind)
    parts = [math.exp(each - most) for each in (ahead, even, behind)]
    win, draw, loss = (part / sum(parts) for part in parts)
    return _Chance(win + draw / 2, draw, (win + loss - (win - loss) ** 2) / 4, draw * (loss - win) / 2)


def _of(values: Sequence[float], one: Comparison, tie: int | None) -> _Chance:
    logits = sum(values[k] for k in one.plus) - sum(values[k] for k in one.minus)
    return _chance(logits, None if tie is None else values[tie])


def _pull(values: Sequence[float], comparisons: Iterable[Comparison], tie: int | None) -> dict[int, float]:
    """Observed less expected: the gradient of the log likelihood, where it is not 0."""
    pull: dict[int, float] = {}
    for one in comparisons:
        chance = _of(values, one, tie)
        off = one.score - one.weight * chance.score
        for k in one.plus:
            pull[k] = pull.get(k, 0.0) + off
        for k in one.minus:
            pull[k] = pull.get(k, 0.0) - off
        if tie is not None:
            pull[tie] = pull.get(tie, 0.0) + one.ties - one.weight * chance.tie
    return pull


def _hessian(values: Sequence[float], sums: Iterable[Comparison], tie: int | None) -> Matrix:
    """Of the log posterior, its sign turned."""
    hessian = diagonal(len(values), PRECISION)
    for one in sums:
        chance = _of(values, one, tie)
        design = dict.fromkeys(one.plus, 1.0) | dict.fromkeys(one.minus, -1.0)
        add_square(hessian, design, one.weight * chance.spread)
        if tie is not None:
            hessian[tie][tie] += one.weight * chance.tie * (1 - chance.tie)
            for k, sign in design.items():
                hessian[k][tie] += sign * one.weight * chance.shared
                hessian[tie][k] += sign * one.weight * chance.shared
    return hessian


def _newton(sums: Sequence[Comparison], size: int, tie: int | None) -> list[float]:
    """The mode, in logits. The log posterior is concave; a step is cut short where it would overshoot."""
    values = [0.0] * size
    for _ in range(STEPS):
        pull = _pull(values, sums, tie)
        gradient = [[pull.get(k, 0.0) - PRECISION * value] for k, value in enumerate(values)]
        step = [found for (found,) in solve(_hessian(values, sums, tie), gradient)]
        longest = max(map(abs, step))
        scale = min(1.0, 2.0 / longest) if longest else 0.0
        values = [value + scale * change for value, change in zip(values, step, strict=True)]
        if longest < SMALL:
            return values
    raise ArithmeticError(f"the fit of {size} parameters did not settle in {STEPS} steps")


def _sandwich(
    values: Sequence[float],
    counts: Counts,
    sums: Sequence[Comparison],
    imaginary: Iterable[Comparison],
    tie: int | None,
) -> Matrix:
    """H⁻¹BH⁻¹ in logits²; B also holds the prior, so that what no match tells keeps the prior's width."""
    meat = diagonal(len(values), PRECISION)
    pulls = [_pull(values, kind, tie) for kind in counts.kinds]
    for kinds, number in counts.clusters.items():
        pull: dict[int, float] = {}
        for kind in kinds:
            for k, off in pulls[kind].items():
                pull[k] = pull.get(k, 0.0) + off
        add_square(meat, pull, number)
    for one in imaginary:  # half a double win, half a double loss
        score = _of(values, one, tie).score
        weight = one.weight * counts.grain * (score * score + (1 - score) * (1 - score))
        add_square(meat, {one.plus[0]: 1.0, one.minus[0]: -1.0}, weight)
    bread = solve(_hessian(values, sums, tie), diagonal(len(values), 1.0))
    return product(product(bread, meat), bread)
