"""What the pairs of a duel look like beside its score: the five counts, draws, the seat, what pairing gained.

A pair's two matches come to 0, ½, 1, 1½ or 2 points for player 1: the pentanomial counts, from which every
statistic of the score can be computed again (fishtest; Van den Bergh, Fishtest Mathematics). Seats go further:
they need the two matches apart.

The seat effect is h in P(player 1 scores) = 1/(1 + 10^(-(d ± h)/400)), + where it moves first: half the difference
of the two logits, by the delta method over pairs, whose matches hang together. One imaginary pair, half each of both
going to the first and both to the second mover, keeps it finite; from a duel that one side sweeps it says nothing,
and the interval is as wide as that. Exact repeats count as in `pairs`.

Pairing gain: variance of the mean with pairs over that of as many matches on instances and seats of their own. Of
equal players without draws it is 4p(1-p) where the first mover scores p (all luck of the instance makes it
smaller still); 0.5 means that unpaired matches would have cost twice as much for the same interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.ratings.pairs import ELO_PER_LOGIT, df_of, t95

Counts = tuple[int, int, int, int, int]


class Sides(NamedTuple):
    """Player 1's scores in one pair, each 0, ½ or 1."""

    first: float  # where it moves first
    second: float


class Seat(NamedTuple):
    """95 %, in Elo: what moving first is worth between equals."""

    low: float
    elo: float
    high: float


@dataclass(frozen=True, slots=True)
class Shape:
    """Of one or more complete pairs."""

    counts: Counts  # pairs with 0, ½, 1, 1½ and 2 points for player 1
    draws: float  # share of matches
    seat: Seat
    gain: float | None  # None where no match differs from the mean


def shape(pairs: Sequence[Sides], independent: float) -> Shape | None:
    """None without a pair. `independent` as for `pairs.estimate`."""
    if not pairs:
        return None
    drawn = sum(score == 0.5 for pair in pairs for score in pair)
    return Shape(
        counts([sum(pair) / 2 for pair in pairs]),
        drawn / (2 * len(pairs)),
        seat_effect(pairs, independent),
        pairing_gain(pairs),
    )


def counts(scores: Sequence[float]) -> Counts:
    """How many pairs came to each of the five mean scores. ValueError for any other."""
    found = [0] * 5
    for score in scores:
        if not 0 <= score <= 1 or 4 * score % 1:
            raise ValueError(f"a pair of two matches scores 0, ¼, ½, ¾ or 1, got {score!r}")
        found[int(4 * score)] += 1
    return found[0], found[1], found[2], found[3], found[4]


def seat_effect(pairs: Sequence[Sides], independent: float) -> Seat:
    """What moving first is worth, in Elo, with its 95 % interval. At least one pair."""
    share, weight = independent / len(pairs), independent + 1
    first = (share * sum(pair.first for pair in pairs) + 0.5) / weight
    second = (share * sum(pair.second for pair in pairs) + 0.5) / weight

    def pull(pair: Sides) -> float:
        return ((pair.first - first) / _slope(first) - (pair.second - second) / _slope(second)) / 2

    imagined = (pull(Sides(1, 0)) ** 2 + pull(Sides(0, 1)) ** 2) / 2
    variance = (share * sum(pull(pair) ** 2 for pair in pairs) + imagined) / weight**2
    half = t95(df_of(independent)) * math.sqrt(variance)
    mid = (math.log(first / (1 - first)) - math.log(second / (1 - second))) / 2
    return Seat(*(ELO_PER_LOGIT * value for value in (mid - half, mid, mid + half)))


def _slope(score: float) -> float:
    """Of a score by its logit."""
    return score * (1 - score)


def pairing_gain(pairs: Sequence[Sides]) -> float | None:
    """Variance of the mean of these pairs over that of as many unpaired matches; None where both are 0."""
    mean = sum(map(sum, pairs)) / (2 * len(pairs))
    paired = sum((sum(pair) / 2 - mean) ** 2 for pair in pairs) / len(pairs)
    alone = sum((score - mean) ** 2 for pair in pairs for score in pair) / (2 * len(pairs)) / 2
    return paired / alone if alone else None
