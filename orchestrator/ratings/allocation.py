"""Which two of a field should play next: those whose pair tells most of what is open, for what it costs.

Two players are told apart where their ratings differ by more than a margin: so many standard errors that all
differences of a league hold at once (`league.above`). The order of two who are not is open, and two who are close to
the margin still a little. What is made small is

    S = Σ over all two of open(c, d) · ln v(c, d),

v being the variance of their difference: open differences get narrower, each in proportion, and what is settled draws
no more money. A pair between a and b adds information i to the difference x of their ratings. That takes
i·Vx·xᵀV / (1 + i·xᵀVx) off the covariance V (Sherman & Morrison 1950), so to first order S falls by

    gain(a, b) = i·xᵀGx / (1 + i·xᵀVx)   with   G = V M V,   M = Σ open(c, d)/v(c, d) · (e_c − e_d)(e_c − e_d)ᵀ

and it is the gain for the money that decides. It is sequential design for Bayes A-optimality (Chaloner & Verdinelli,
Statistical Science 10, 1995) with weights; that of Chatbot Arena (Chiang et al. 2024, arXiv:2403.04132, §5), which
draws whatever shrinks its own interval most, knows neither money nor who is settled. Several pairs are chosen one by
one, each as if those before it had been played: what a pair tells does not depend, to first order, on how it ends.

Left out: seats, because both players of a pair have both; and an outlook over more than one pair. Time costs too, so
a pair is never cheaper than a share of the mean one, or whoever is free would play for ever. A choice takes players³,
for 20 of them a few milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from orchestrator.ratings.bradley_terry import PRECISION, Ratings
from orchestrator.ratings.linear import Matrix, add_square, diagonal, product, quadratic, solve
from orchestrator.ratings.pairs import ELO_PER_LOGIT, Z95, t95
from orchestrator.ratings.quantiles import largest_difference

Two = tuple[int, int]

LEAST_COST = 0.1  # of what a pair costs on average


def allocate(
    ratings: Ratings,
    played: Mapping[Two, float],
    costs: Sequence[float],
    many: int,
    coming: Iterable[Two] = (),
    fresh: Mapping[Two, float] | None = None,
) -> list[Two]:
    """The next `many` pairs, as the places of two of `ratings.players`, the smaller first.

    `played` are the pairs so far of each two (without repeats), `costs` what each player is expected to cost in a
    pair, in any unit; `coming` are pairs that were chosen before and have no result yet, `fresh` the share of the next
    pairs of two that will not repeat others (1 where it is not told). The same values give the same choice.
    """
    field = _Field(ratings, played, costs, fresh or {})
    for two in coming:
        field.play(*two)
    return [field.choose() for _ in range(many)]


class _Field:
    """What is known of the players, and what the pairs that are chosen will add."""

    def __init__(
        self,
        ratings: Ratings,
        played: Mapping[Two, float],
        costs: Sequence[float],
        fresh: Mapping[Two, float],
    ) -> None:
        size = len(ratings.players)
        self.every = list(combinations(range(size), 2))
        self.apart = {
            two: abs(ratings.elo[two[0]] - ratings.elo[two[1]]) / ELO_PER_LOGIT for two in self.every
        }
        self.told = {two: _information(ratings, two) for two in self.every}
        information = diagonal(size, PRECISION)
        self.clusters = [0.0] * size
        for (a, b), pairs in played.items():
            add_square(information, {a: 1.0, b: -1.0}, pairs * self.told[a, b])
            self.clusters[a] += pairs
            self.clusters[b] += pairs
        for two, share in fresh.items():
            self.told[two] *= share
        self.covariance = solve(information, diagonal(size, 1.0))
        self.spread = self._spread(ratings)
        self.margin = largest_difference(size) / Z95
        mean = sum(costs[a] + costs[b] for a, b in self.every) / len(self.every)
        least = LEAST_COST * mean or 1.0
        self.costs = {(a, b): max(least, costs[a] + costs[b]) for a, b in self.every}

    def _spread(self, ratings: Ratings) -> float:
        """The variance by clusters over that of independent matches, on average over all two."""
        known = found = 0.0
        for a, b in self.every:
            known += quadratic(self.covariance, {a: 1.0, b: -1.0})
            found += quadratic(ratings.covariance, {a: 1.0, b: -1.0}) / ELO_PER_LOGIT**2
        return found / known if known else 1.0

    def choose(self) -> Two:
        """The best of all, the first of equals; from then on it counts as played."""
        pull = product(product(self.covariance, self._weights()), self.covariance)
        best = max(self.every, key=lambda two: self._gain(two, pull))
        self.play(*best)
        return best

    def _gain(self, two: Two, pull: Matrix) -> float:
        a, b = two
        told = self.told[two]
        drop = told * (pull[a][a] + pull[b][b] - 2 * pull[a][b])
        return drop / (1 + told * self._variance(a, b)) / self.costs[two]

    def _variance(self, a: int, b: int) -> float:
        covariance = self.covariance
        return covariance[a][a] + covariance[b][b] - 2 * covariance[a][b]

    def _weights(self) -> Matrix:
        """M, over players."""
        size = len(self.covariance)
        weights = diagonal(size, 0.0)
        for a, b in self.every:
            variance = self._variance(a, b) * self.spread
            z = self.apart[a, b] / math.sqrt(variance)
            margin = self.margin * t95(max(1, math.floor(min(self.clusters[a], self.clusters[b])) - 1))
            weight = _open(z, margin) / variance
            weights[a][a] += weight
            weights[b][b] += weight
            weights[a][b] -= weight
            weights[b][a] -= weight
        return weights

    def play(self, a: int, b: int) -> None:
        """A pair between them is to come (Sherman & Morrison)."""
        told, covariance = self.told[a, b], self.covariance
        moved = [row[a] - row[b] for row in covariance]
        share = told / (1 + told * self._variance(a, b))
        for row, by in zip(covariance, moved, strict=True):
            scaled = share * by
            for k, other in enumerate(moved):
                row[k] -= scaled * other
        self.clusters[a] += 1
        self.clusters[b] += 1


def _open(z: float, margin: float) -> float:
    """Of two players, z standard errors apart: 1 within the margin, then soon nothing."""
    return 1.0 if z <= margin else math.exp(-((z - margin) ** 2) / 2)


def _information(ratings: Ratings, two: Two) -> float:
    """Of the difference of two ratings, in a pair: p(1 − p) of both matches, in logits⁻²."""
    a, b = two
    seat = ratings.seat_effect(2, 0).mid if (2, 0) in ratings.seats else 0.0
    apart = ratings.elo[a] - ratings.elo[b]
    total = 0.0
    for edge in (apart + seat, apart - seat):
        score = 1 / (1 + math.exp(-edge / ELO_PER_LOGIT))
        total += score * (1 - score)
    return total
