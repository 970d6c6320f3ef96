"""Tournaments played by chance with known strengths; and the ratings that endless matches of the kind would give."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import cache
from itertools import combinations, permutations
from statistics import NormalDist

from orchestrator.ratings.bradley_terry import Comparison, Counts, Ratings, Result, count, fit

FIRST = 70.0  # Elo, what moving first is worth
ENDLESS = 1e6  # matches
Clusters = list[list[Result]]


@dataclass(frozen=True)
class Tournament:
    """Players at even distances over `spread` Elo; draws by Davidson, as often between equals as `draws` says."""

    players: int = 10
    spread: float = 450.0
    draws: float = 0.2
    seats: int = 2

    @property
    def strength(self) -> dict[str, float]:
        return {f"p{k:02d}": self.spread * k / (self.players - 1) for k in range(self.players)}

    def chances(self, edge: float) -> tuple[float, float]:
        """Win and draw of a player so many Elo ahead."""
        odds, nu = 10 ** (edge / 800), 2 * self.draws / (1 - self.draws)
        total = odds + nu + 1 / odds
        return odds / total, nu / total

    def expected(self, edge: float) -> float:
        win, draw = self.chances(edge)
        return win + draw / 2

    def play(self, rng: random.Random, one: str, other: str, favour: float = 0.0) -> Result:
        """`one` moves first; the instance favours the first mover by so many Elo more."""
        true = self.strength
        win, draw = self.chances(true[one] - true[other] + FIRST + favour)
        drawn = rng.random()
        first = 1.0 if drawn < win else 0.5 if drawn < win + draw else 0.0
        return Result((one, other), (first, 1 - first))


def balanced(of: Tournament, seed: int, pairs: int = 10, luck: float = 0.0, repeats: int = 1) -> Clusters:
    """Everybody meets everybody from both sides; each pair repeated so often, and its instance lucky (sd, Elo)."""
    rng, clusters = random.Random(seed), []
    for one, other in combinations(of.strength, 2):
        for _ in range(pairs):
            favour = rng.gauss(0, luck)
            clusters.append([of.play(rng, one, other, favour), of.play(rng, other, one, favour)] * repeats)
    return clusters


def lopsided(of: Tournament, seed: int, matches: int = 20, share: float = 0.8) -> Clusters:
    """Single matches; the stronger player moves first in so large a share of them."""
    rng, clusters = random.Random(seed), []
    for weak, strong in combinations(of.strength, 2):
        for _ in range(matches):
            two = (strong, weak) if rng.random() < share else (weak, strong)
            clusters.append([of.play(rng, *two)])
    return clusters


def unswapped(of: Tournament, seed: int, openings: int = 5, luck: float = 150.0) -> Clusters:
    """Every opening four times, the first two seats never swapped within it: it favours one player."""
    rng, clusters = random.Random(seed), []
    for one, other in combinations(of.strength, 2):
        for number in range(openings):
            two = (one, other) if number % 2 else (other, one)
            favour = rng.gauss(0, luck)
            clusters.append([of.play(rng, *two, favour) for _ in range(4)])
    return clusters


def tables(of: Tournament, seed: int, deals: int = 50, luck: float = 60.0) -> Clusters:
    """Deals, everybody once on every seat: ranks by strength, seat and Gumbel chance (Plackett–Luce)."""
    rng, clusters, true = random.Random(seed), [], of.strength
    seat = [FIRST * (of.seats - 1 - 2 * k) / (of.seats - 1) / 2 for k in range(of.seats)]
    scale = 400 / math.log(10)
    for _ in range(deals):
        sat = rng.sample(sorted(true), of.seats)
        cards = [rng.gauss(0, luck) for _ in sat]
        cluster = []
        for turn in range(of.seats):
            at = sat[turn:] + sat[:turn]
            scores = [
                true[name] + seat[k] + cards[k] - scale * math.log(-math.log(rng.random()))
                for k, name in enumerate(at)
            ]
            cluster.append(Result(tuple(at), tuple(scores)))
        clusters.append(cluster)
    return clusters


@cache
def endless(of: Tournament, luck: float = 0.0, share: float = 0.5) -> Ratings:
    """What half-tie ratings of endlessly many matches are, where each pair of players has equally many.

    `luck` is averaged over by its quantiles, `share` is how often the stronger moves first.
    """
    lucks = [luck * NormalDist().inv_cdf((k + 0.5) / 64) for k in range(64)] if luck else [0.0]
    base = count(
        [[Result((a, b), (1.0, 0.0)), Result((b, a), (1.0, 0.0))] for a, b in combinations(of.strength, 2)]
    )
    true, kinds = of.strength, []
    names = base.players
    for kind in base.kinds:
        (one,) = kind
        i, j = one.plus[0], one.minus[0]
        first = one.plus[1] - len(names) == 0
        edge = true[names[i]] - true[names[j]]
        score = sum(of.expected(edge + (FIRST + each if first else -FIRST - each)) for each in lucks) / len(
            lucks
        )
        strong_first = first == (edge > 0)
        weight = (share if strong_first else 1 - share) * ENDLESS
        kinds.append((one._replace(weight=weight, score=weight * score),))
    return fit(Counts(base.players, base.seats, tuple(kinds), base.clusters, base.matches, base.took_part))


@cache
def endless_tables(of: Tournament, luck: float = 60.0) -> Ratings:
    """The same of tables: each two compared by the chance that one beats the other, its cards averaged over."""
    # By Plackett–Luce, who of two does better does not depend on the others at the table.
    names, scale = sorted(of.strength), 400 / math.log(10)
    lucks = [luck * math.sqrt(2) * NormalDist().inv_cdf((k + 0.5) / 64) for k in range(64)]
    seat = [FIRST * (of.seats - 1 - 2 * k) / (of.seats - 1) / 2 for k in range(of.seats)]
    kinds = []
    for i, j in combinations(range(len(names)), 2):
        for a, b in permutations(range(of.seats), 2):
            edge = of.strength[names[i]] - of.strength[names[j]] + seat[a] - seat[b]
            score = sum(1 / (1 + math.exp(-(edge + each) / scale)) for each in lucks) / len(lucks)
            at = len(names)
            kinds.append((Comparison((i, at + a), (j, at + b), ENDLESS, ENDLESS * score, 0.0),))
    patterns: dict[tuple[int, ...], int] = {(k,): 1 for k in range(len(kinds))}
    seats = tuple((of.seats, k) for k in range(of.seats))
    took_part = (len(kinds),) * len(names)
    return fit(Counts(tuple(names), seats, tuple(kinds), patterns, len(kinds), took_part))
