"""Small tables of games whose usual match is long, for what looks at every position of whole matches."""

from __future__ import annotations

import engine
from engine import Game

SHORT: dict[str, dict[str, int]] = {"blob": {"players": 3, "cards": 3}}


def new(name: str, seed: int = 0) -> Game:
    """As `engine.new`, at a small table where there is one."""
    return engine.new(name, seed, **SHORT.get(name, {}))
