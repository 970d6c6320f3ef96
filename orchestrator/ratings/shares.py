"""The score of each player at a table of any size, with its interval, from deals.

A match gives a player the share of the opponents that it beat, ties half. A deal is played once with
everybody on every seat, and its matches hang together; so the deal (a player's mean score over its matches)
is the observation, and the interval is the one that `pairs` draws around the score of a pair: it stays inside
[0, 1], keeps a width where all deals went one way, and counts exact repeats once. It is widened where it must
be to hold the plain mean of the deals, which is what is shown.

Two players of one table are compared deal by deal, by the difference of their scores: what the cards gave to
both of them at once falls out. Left out: strength of opponents. A share is worth what the table is worth,
so shares from tables of other players say nothing about each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.ratings.pairs import interval


class Share(NamedTuple):
    """A mean with its 95 % interval."""

    low: float
    mean: float
    high: float


def share(scores: Sequence[float], distinct: int) -> Share | None:
    """From one score per complete deal, each in [0, 1], of which `distinct` differ; None below two."""
    if distinct < 2:
        return None
    low, _, high = interval(scores, distinct)
    mean = sum(scores) / len(scores)
    return Share(min(low, mean), mean, max(high, mean))


def lead(first: Sequence[float], second: Sequence[float], distinct: int) -> Share | None:
    """How much more the first scored than the second, deal by deal: -1 to 1. None below two deals."""
    halves = share([(1 + a - b) / 2 for a, b in zip(first, second, strict=True)], distinct)
    return halves and Share(*(2 * half - 1 for half in halves))
