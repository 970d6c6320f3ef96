"""What can be said of the players of one game from their results, and what cannot.

A list sorted by rating claims more than is known. So:

- who never met, not even by way of others (`islands`), is not compared at all;
- who only ever won or only lost against the others (`blocks`, strongly connected in who took points from whom:
  Ford, Am. Math. Monthly 64, 1957) is compared, but how far off it stands rests on the prior, and is marked so;
- a rank is an interval: all differences on an island are judged at once by Tukey's range, so that in 19 leagues
  of 20 every true rank lies in its interval (Al Mohamad, Goeman & van Zwet 2019, arXiv:1812.05507, is that
  argument); two players between whom no line can be drawn are in one group;
- how well one number a player fits is tested: chi-square of observed less expected score over the pairs of
  players, scaled by the spread that clusters have; and three players who beat each other in a ring, each
  by more than chance allows over all the pairs of players at once (Bonferroni), are named.

The two fits of `bradley_terry.py` are made here, so that a league is all that a page of standings needs.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations
from typing import NamedTuple

from orchestrator.ratings.bradley_terry import Counts, Ratings, Result, count, fit
from orchestrator.ratings.pairs import ELO_PER_LOGIT, Z95
from orchestrator.ratings.quantiles import chi_square_tail, largest_difference, student

FEW_CLUSTERS = 30  # below this a rating is called provisional


class Rank(NamedTuple):
    """Of the players on one island, the best being 1. Who shares a `group` is not told apart by any line."""

    low: int
    high: int
    group: int


class Meeting(NamedTuple):
    """Two players: in how many clusters and comparisons they met, and the first's share of the points in them."""

    first: str
    second: str
    clusters: int
    compared: float
    observed: float
    expected: float
    z: float  # of the observed score against ½, by clusters


class Fitness(NamedTuple):
    """Chi-square of the whole; `spread` is the variance by clusters over that of independent matches."""

    chi_square: float
    degrees: int
    p: float
    spread: float


@dataclass(frozen=True)
class League:
    """All that is known of the players of one game. Computed once each, when first asked for."""

    counts: Counts
    ratings: Ratings

    @property
    def players(self) -> tuple[str, ...]:
        return self.ratings.players

    @cached_property
    def davidson(self) -> Ratings:
        return fit(self.counts, davidson=True)

    @property
    def ties(self) -> bool:
        """Whether any match was drawn."""
        return any(one.ties for kind in self.counts.kinds for one in kind)

    def rating(self, player: str) -> float:
        """In Elo, of which only differences mean anything."""
        return self.ratings.elo[self.players.index(player)]

    def renamed(self, names: Mapping[str, str]) -> League:
        """The same with other names, which must differ."""
        players = tuple(names[player] for player in self.players)
        return League(replace(self.counts, players=players), replace(self.ratings, players=players))

    def provisional(self, player: str) -> bool:
        return self.ratings.clusters[self.players.index(player)] < FEW_CLUSTERS

    # ── who can be compared ──────────────────────────────────────────────────────────────────────────

    @cached_property
    def islands(self) -> tuple[tuple[str, ...], ...]:
        """Players who met, directly or by way of others; the largest first."""
        met: dict[int, set[int]] = {k: set() for k in range(len(self.players))}
        for one in self.counts.sums():
            met[one.plus[0]].add(one.minus[0])
            met[one.minus[0]].add(one.plus[0])
        return self._named(_reach(met, met))

    @cached_property
    def blocks(self) -> tuple[tuple[str, ...], ...]:
        """Players between whom points went both ways, directly or by way of others; the largest first."""
        over: dict[int, set[int]] = {k: set() for k in range(len(self.players))}
        under: dict[int, set[int]] = {k: set() for k in range(len(self.players))}
        for one in self.counts.sums():
            i, j = one.plus[0], one.minus[0]
            for winner, loser, took in ((i, j, one.score > 0), (j, i, one.score < one.weight)):
                if took:
                    over[winner].add(loser)
                    under[loser].add(winner)
        return self._named(_reach(over, under))

    def _named(self, sets: Iterable[Iterable[int]]) -> tuple[tuple[str, ...], ...]:
        named = [tuple(sorted(self.players[k] for k in found)) for found in sets]
        return tuple(sorted(named, key=lambda names: (-len(names), names)))

    def island(self, player: str) -> tuple[str, ...]:
        return next(island for island in self.islands if player in island)

    def rests_on_prior(self, player: str, zero: str = "") -> bool:
        """Whether no points went both ways between it and whoever is set, or else the largest block it is compared to.

        It won all that was between them or lost it all: how far off it is, nobody knows.
        """
        island = self.island(player)
        if zero in island:
            home = next(block for block in self.blocks if zero in block)
        else:
            home = next(block for block in self.blocks if block[0] in island)
        return player not in home

    # ── who is better ────────────────────────────────────────────────────────────────────────────────

    def better(self, one: str, other: str) -> float | None:
        """P(`one` is stronger than `other`); None of the same, and of players on different islands."""
        if one == other or other not in self.island(one):
            return None
        degrees = self.ratings.degrees(self.players.index(one), self.players.index(other))
        error = self.ratings.standard_error(one, other)
        return student((self.rating(one) - self.rating(other)) / error, degrees)

    def above(self, one: str, other: str) -> bool:
        """Whether `one` is better beyond the simultaneous interval of all differences on its island."""
        island = self.island(one)
        if one == other or other not in island:
            return False
        found = self.ratings.difference(one, other)
        return found.mid - (found.mid - found.low) * largest_difference(len(island)) / Z95 > 0

    @cached_property
    def ranks(self) -> Mapping[str, Rank]:
        found = {}
        for island in self.islands:
            beaten = {name: {other for other in island if self.above(name, other)} for name in island}
            groups = self._groups(island, beaten)
            for name in island:
                better = sum(name in beaten[other] for other in island)
                found[name] = Rank(1 + better, len(island) - len(beaten[name]), groups[name])
        return found

    def _groups(self, island: Sequence[str], beaten: Mapping[str, set[str]]) -> dict[str, int]:
        """By rating, a new group wherever all before are better than all after."""
        order = sorted(island, key=lambda name: (-self.rating(name), name))
        groups, group = {}, 1
        for k, name in enumerate(order):
            if k and all(beaten[before].issuperset(order[k:]) for before in order[:k]):
                group += 1
            groups[name] = group
        return groups

    # ── whether one number a player is enough ────────────────────────────────────────────────────────

    @cached_property
    def meetings(self) -> tuple[Meeting, ...]:
        """Every two who met."""
        return tuple(self._meetings[0])

    @cached_property
    def fitness(self) -> Fitness | None:
        """None where as many numbers are fitted as there are pairs of players."""
        return self._meetings[1]

    @cached_property
    def _meetings(self) -> tuple[list[Meeting], Fitness | None]:
        observed = self._by_cluster()
        chances: dict[tuple[int, int], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        for one in self.counts.sums():
            total = chances[one.plus[0], one.minus[0]]
            logits = self._logits(one.plus, one.minus)
            total[0] += one.weight
            total[1] += one.weight / (1 + math.exp(-logits))
            total[2] += one.weight / (2 + math.exp(logits) + math.exp(-logits))
        meetings, off, within, model = [], 0.0, 0.0, 0.0
        for (i, j), (weight, expected, variance) in sorted(chances.items()):
            clusters = observed[i, j]
            score = sum(number * sum_ for sum_, _, number in clusters)
            for sum_, size, number in clusters:
                within += number * (sum_ - size * score / weight) ** 2
            model += variance
            off += (score - expected) ** 2 / variance
            number = sum(each for _, _, each in clusters)
            meetings.append(
                Meeting(
                    self.players[i], self.players[j], number, weight, score / weight, expected / weight,
                    _against_half(clusters),
                )
            )  # fmt: skip
        degrees = len(chances) - len(self.players) + len(self.islands)
        if degrees < 1 or not within:
            return meetings, None
        spread = within / model
        return meetings, Fitness(off / spread, degrees, chi_square_tail(off / spread, degrees), spread)

    def _logits(self, plus: Sequence[int], minus: Sequence[int]) -> float:
        values = self.ratings.values
        return (sum(values[k] for k in plus) - sum(values[k] for k in minus)) / ELO_PER_LOGIT

    def _by_cluster(self) -> dict[tuple[int, int], list[tuple[float, float, int]]]:
        """Of every two: the first's score in a cluster, of how much, and how many such clusters there are."""
        found: dict[tuple[int, int], list[tuple[float, float, int]]] = defaultdict(list)
        for kinds, number in self.counts.clusters.items():
            sums: dict[tuple[int, int], list[float]] = {}
            for kind in kinds:
                for one in self.counts.kinds[kind]:
                    total = sums.setdefault((one.plus[0], one.minus[0]), [0.0, 0.0])
                    total[0] += one.score
                    total[1] += one.weight
            for two, (score, weight) in sums.items():
                found[two].append((score, weight, number))
        return found

    @cached_property
    def rings(self) -> tuple[tuple[str, str, str], ...]:
        """Three of whom each beat the next, beyond chance over all pairs of players at once."""
        wins: set[tuple[str, str]] = set()
        for one in self.meetings:
            if 2 * student(-abs(one.z), max(1, one.clusters - 1)) < 0.05 / len(self.meetings):
                wins.add((one.first, one.second) if one.z > 0 else (one.second, one.first))
        return tuple(
            three
            for three in permutations(sorted({name for two in wins for name in two}), 3)
            if three[0] == min(three) and {(three[k], three[(k + 1) % 3]) for k in range(3)} <= wins
        )


def league(clusters: Iterable[Iterable[Result]]) -> League:
    """From one entry per cluster: its matches. ValueError where no two players were compared."""
    counts = count(clusters)
    return League(counts, fit(counts))


def _against_half(clusters: Sequence[tuple[float, float, int]]) -> float:
    """As `pairs.interval` sees it: with an imaginary pair, and the variance that ½ would have."""
    number = sum(each for _, _, each in clusters)
    total = sum(each * score / size for score, size, each in clusters)
    mean = (total + 0.5) / (number + 1)
    squares = sum(each * (score / size - mean) ** 2 for score, size, each in clusters)
    variance = (squares + (mean**2 + (1 - mean) ** 2) / 2) / (number + 1)
    spread = min(1.0, variance / (mean * (1 - mean)))
    return (mean - 0.5) / math.sqrt(spread / 4 / (number + 1))


def _reach(forth: Mapping[int, set[int]], back: Mapping[int, set[int]]) -> list[set[int]]:
    """Who can be reached from one another, there and back."""
    left, found = set(forth), []
    while left:
        start = min(left)
        both = _from(start, forth) & _from(start, back)
        found.append(both)
        left -= both
    return found


def _from(start: int, ways: Mapping[int, set[int]]) -> set[int]:
    seen, waiting = {start}, [start]
    while waiting:
        for other in ways[waiting.pop()] - seen:
            seen.add(other)
            waiting.append(other)
    return seen
