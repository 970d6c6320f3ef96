"""A player whose rating is set, so that the others have something to be above."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Anchor:
    """`player` as in the league; its rating in Elo."""

    player: str
    elo: float = 0.0
