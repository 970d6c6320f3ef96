"""One number over several games, where that can be had honestly.

Elo of different games are different scales: how many Elo lie between the random bot and a good player is a fact
about the game. What games share is players. So a board over games wants everybody to have played every game, and
anchors who are the same in all: one anchor gives every game its zero, two give it its unit as well. A
player's figure is the mean over games, its variance the sum of theirs (matches of different games are
independent), each with the error of the anchors in it (delta method). Nothing that is missing is made up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from orchestrator.ratings.anchor import Anchor
from orchestrator.ratings.bradley_terry import Interval
from orchestrator.ratings.league import League
from orchestrator.ratings.linear import quadratic
from orchestrator.ratings.pairs import t95


class NotComparable(ValueError):
    """What is missing for a board over these games."""


def overall(games: Mapping[str, League], anchors: Sequence[Anchor]) -> dict[str, Interval]:
    """Everybody's mean over the games. NotComparable names what keeps it from being had."""
    missing = _missing(games, anchors)
    if missing:
        raise NotComparable("; ".join(missing))
    players = sorted({name for league in games.values() for name in league.players})
    return {
        name: _mean([_standardised(league, name, anchors) for league in games.values()]) for name in players
    }


def _missing(games: Mapping[str, League], anchors: Sequence[Anchor]) -> list[str]:
    if len(games) < 2:
        return [f"a board over games needs two of them or more, got {len(games)}"]
    if not 1 <= len(anchors) <= 2 or len({anchor.player for anchor in anchors}) < len(anchors):
        return [f"a board over games needs one anchor, or two that differ, got {len(anchors)}"]
    if len({anchor.elo for anchor in anchors}) < len(anchors):
        return ["two anchors at one rating give no unit: set them apart"]
    everybody = {name for league in games.values() for name in league.players}
    found = []
    for name in [*dict.fromkeys(anchor.player for anchor in anchors if anchor.player not in everybody)]:
        found.append(f"the anchor {name} has played none of the games")
    for name in sorted(everybody):
        absent = [game for game, league in games.items() if name not in league.players]
        if absent:
            found.append(f"{name} has not played {', '.join(absent)}")
    apart = [game for game, league in games.items() if len(league.islands) > 1]
    if apart:
        found.append(f"not everybody met, even by way of others, in {', '.join(apart)}")
    if not found and len(anchors) == 2:
        low, high = sorted(anchors, key=lambda anchor: anchor.elo)
        told = [game for game, league in games.items() if not league.above(high.player, low.player)]
        if told:
            found.append(f"{high.player} is not shown to be better than {low.player} in {', '.join(told)}")
    return found


def _standardised(league: League, name: str, anchors: Sequence[Anchor]) -> tuple[float, float, int]:
    """A player's figure in one game, its variance, and its degrees of freedom."""
    ratings = league.ratings
    place = {each: k for k, each in enumerate(ratings.players)}
    first, elo = anchors[0], ratings.elo
    above, weights = elo[place[name]] - elo[place[first.player]], dict.fromkeys(place.values(), 0.0)
    unit = 1.0
    if len(anchors) == 2:
        second = anchors[1]
        gap = elo[place[second.player]] - elo[place[first.player]]
        unit = (second.elo - first.elo) / gap
        weights[place[second.player]] -= unit * above / gap
        weights[place[first.player]] += unit * above / gap
    weights[place[name]] += unit
    weights[place[first.player]] -= unit
    degrees = ratings.degrees(place[name], place[first.player])
    return first.elo + unit * above, quadratic(ratings.covariance, weights), degrees


def _mean(parts: Sequence[tuple[float, float, int]]) -> Interval:
    mid = sum(value for value, _, _ in parts) / len(parts)
    error = math.sqrt(max(0.0, sum(variance for _, variance, _ in parts))) / len(parts)
    half = t95(min(degrees for _, _, degrees in parts)) * error
    return Interval(mid - half, mid, mid + half)
