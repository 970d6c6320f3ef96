"""Ratings of any number of players from pair scores: half-tie Bradley–Terry with pair-clustered intervals.

The model is P(i beats j) = 1 / (1 + 10^((r_j − r_i)/400)), a draw being half a win (Bradley & Terry 1952;
the scale is Elo's, 1978). It is the likelihood fit that public arenas use (Chiang et al. 2024, Chatbot
Arena, arXiv:2403.04132). Three things keep it honest on few matches:

- a prior of mean 0 and 500 Elo on every rating, so that sweeps and players who never met stay finite;
- the pair, not the match, is the unit of error: the covariance is the sandwich H⁻¹BH⁻¹ with B summed over
  pairs (White 1982; Liang & Zeger 1986), and quantiles are Student's for the number of pairs;
- each player gets one imaginary pair, half a double win and half a double loss, shared among its opponents:
  all draws and all wins have a width too. For two players the rating is that of `pairs.estimate`, and its
  interval becomes the same as pairs grow many.

Left out: the effect of the seat (both seats of a pair are always played), Davidson's tie parameter, and any
correction for comparing many players at once. Plain Python: a Newton step is one small elimination.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.ratings.pairs import ELO_PER_LOGIT, t95

PRIOR_ELO = 500.0
STEPS = 100
SMALL = 1e-10  # logits: where Newton has arrived

Matrix = list[list[float]]


class Pairing(NamedTuple):
    """One pair (matches on one instance, from both sides) of two players: the first's mean score."""

    first: str
    second: str
    score: float
    matches: int = 2


class Interval(NamedTuple):
    """95 %, in Elo."""

    low: float
    mid: float
    high: float


@dataclass(frozen=True, slots=True)
class Ratings:
    """Ratings in Elo, their covariance in Elo², and the clusters that each player took part in."""

    players: tuple[str, ...]
    elo: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    clusters: tuple[int, ...]

    def difference(self, one: str, other: str) -> Interval:
        """How much stronger `one` is than `other`."""
        i, j = self.players.index(one), self.players.index(other)
        if i == j:
            return Interval(0.0, 0.0, 0.0)
        weights = [0.0] * len(self.players)
        weights[i], weights[j] = 1.0, -1.0
        return self._interval(weights, min(self.clusters[i], self.clusters[j]))

    def about_mean(self, player: str) -> Interval:
        """How much stronger `player` is than the mean of all."""
        i, size = self.players.index(player), len(self.players)
        weights = [(k == i) - 1 / size for k in range(size)]
        return self._interval(weights, self.clusters[i])

    def rank(self, player: str) -> int:
        """1 + how many are better beyond the interval of the difference."""
        return 1 + sum(self.difference(other, player).low > 0 for other in self.players)

    def _interval(self, weights: Sequence[float], clusters: int) -> Interval:
        mid = sum(w * r for w, r in zip(weights, self.elo, strict=True))
        size = range(len(weights))
        variance = sum(weights[i] * weights[j] * self.covariance[i][j] for i in size for j in size)
        half = t95(max(1, clusters - 1)) * math.sqrt(max(0.0, variance))
        return Interval(mid - half, mid, mid + half)


def fit(clusters: Sequence[Sequence[Pairing]]) -> Ratings:
    """From one entry per pair: the pairing it holds, or all pairings of it where more than two sat down.

    Pairs that hang together, such as exact repeats, share an entry: all of them count for the ratings, and
    together as one observation for the intervals.

    The order of entries does not matter. ValueError for a score outside [0, 1] or no pairing at all.
    """
    players = tuple(sorted({name for cluster in clusters for p in cluster for name in (p.first, p.second)}))
    if not players:
        raise ValueError("no complete pair: nothing to rate")
    place = {name: i for i, name in enumerate(players)}
    games = [
        [(place[p.first], place[p.second], _checked(p.score), float(p.matches)) for p in cluster]
        for cluster in clusters
    ]
    imaginary = _imaginary(games, len(players))
    rating = _newton(_sums(games, imaginary), len(players))
    covariance = _sandwich(rating, games, imaginary)
    took_part = [
        len([1 for cluster in games if any(i in g[:2] for g in cluster)]) for i in range(len(players))
    ]
    return Ratings(
        players,
        tuple(r * ELO_PER_LOGIT for r in rating),
        tuple(tuple(v * ELO_PER_LOGIT**2 for v in row) for row in covariance),
        tuple(took_part),
    )


Game = tuple[int, int, float, float]  # first, second, mean score of the first, matches
PRECISION = (ELO_PER_LOGIT / PRIOR_ELO) ** 2  # of the prior, per logit²


def _checked(score: float) -> float:
    if not 0 <= score <= 1:
        raise ValueError(f"a pair's mean score lies between 0 and 1, got {score!r}")
    return score


def _imaginary(games: Sequence[Sequence[Game]], size: int) -> list[Game]:
    """One drawn-out pair per player, shared among its opponents: one entry per two players that met."""
    met = sorted({(min(i, j), max(i, j)) for cluster in games for i, j, _, _ in cluster})
    opponents = [sum(i in two for two in met) for i in range(size)]
    return [(i, j, 0.5, 1 / opponents[i] + 1 / opponents[j]) for i, j in met]


def _sums(games: Sequence[Sequence[Game]], imaginary: Sequence[Game]) -> list[Game]:
    """All matches of two players as one entry: counts are all that the fit needs."""
    won: dict[tuple[int, int], list[float]] = {}
    for i, j, score, matches in [*imaginary, *(game for cluster in games for game in cluster)]:
        if i > j:
            i, j, score = j, i, 1 - score
        total = won.setdefault((i, j), [0.0, 0.0])
        total[0] += score * matches
        total[1] += matches
    return [(i, j, wins / matches, matches) for (i, j), (wins, matches) in sorted(won.items())]


def _newton(sums: Sequence[Game], size: int) -> list[float]:
    """The mode, in logits. The log posterior is concave; a step is cut short where it would overshoot."""
    rating = [0.0] * size
    for _ in range(STEPS):
        gradient = [-PRECISION * r for r in rating]
        for i, j, score, matches in sums:
            pull = matches * (score - _chance(rating[i] - rating[j]))
            gradient[i] += pull
            gradient[j] -= pull
        step = solve(_hessian(rating, sums), [[g] for g in gradient])
        longest = max(abs(s[0]) for s in step)
        scale = min(1.0, 2.0 / longest) if longest else 0.0
        rating = [r + scale * s[0] for r, s in zip(rating, step, strict=True)]
        if longest < SMALL:
            return rating
    raise ArithmeticError(f"the fit of {size} players did not settle in {STEPS} steps")


def _hessian(rating: Sequence[float], sums: Sequence[Game]) -> Matrix:
    size = len(rating)
    hessian = [[PRECISION if i == j else 0.0 for j in range(size)] for i in range(size)]
    for i, j, _, matches in sums:
        p = _chance(rating[i] - rating[j])
        _add_square(hessian, {i: 1.0, j: -1.0}, matches * p * (1 - p))
    return hessian


def _sandwich(rating: Sequence[float], games: Sequence[Sequence[Game]], imaginary: Sequence[Game]) -> Matrix:
    """H⁻¹BH⁻¹ in logits²; B also holds the prior, so that what no match tells keeps the prior's width."""
    size = len(rating)
    meat = [[PRECISION if i == j else 0.0 for j in range(size)] for i in range(size)]
    for cluster in games:
        pull: dict[int, float] = {}
        for i, j, score, matches in cluster:
            off = matches * (score - _chance(rating[i] - rating[j]))
            pull[i] = pull.get(i, 0.0) + off
            pull[j] = pull.get(j, 0.0) - off
        _add_square(meat, pull, 1.0)
    for i, j, _, matches in imaginary:  # half a double win, half a double loss
        p = _chance(rating[i] - rating[j])
        _add_square(meat, {i: 1.0, j: -1.0}, 2 * matches * (p * p + (1 - p) * (1 - p)) / 2)
    bread = solve(_hessian(rating, _sums(games, imaginary)), _identity(size))
    return _product(_product(bread, meat), bread)


def _add_square(matrix: Matrix, vector: dict[int, float], weight: float) -> None:
    """matrix += weight · v vᵀ, for a sparse v."""
    for i, a in vector.items():
        for j, b in vector.items():
            matrix[i][j] += weight * a * b


def _chance(logits: float) -> float:
    return 1 / (1 + math.exp(-logits))


def _identity(size: int) -> Matrix:
    return [[float(i == j) for j in range(size)] for i in range(size)]


def _product(left: Matrix, right: Matrix) -> Matrix:
    columns = list(zip(*right, strict=True))
    return [[sum(a * b for a, b in zip(row, column, strict=True)) for column in columns] for row in left]


def solve(matrix: Matrix, right: Matrix) -> Matrix:
    """X of `matrix` · X = `right` for a positive definite `matrix`, by Gauss–Jordan elimination."""
    size = len(matrix)
    rows = [[*matrix[i], *right[i]] for i in range(size)]
    for k in range(size):  # no pivoting: the diagonal of a positive definite matrix stays positive
        pivot = rows[k][k]
        rows[k] = [value / pivot for value in rows[k]]
        for i in range(size):
            factor = rows[i][k]
            if i != k and factor:
                rows[i] = [value - factor * other for value, other in zip(rows[i], rows[k], strict=True)]
    return [row[size:] for row in rows]
