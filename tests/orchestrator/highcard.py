"""Highcard, the game of hidden cards for 2 to 5 in tests/engine/plain_games.py, as a stranger would install it."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]


def install(place: Path) -> str:
    """Put what names the game into a directory; a PYTHONPATH on which it is found."""
    about = place / "highcard-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: highcard\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[duelist.games]\nhighcard = tests.engine.plain_games:Highcard\n")
    return os.pathsep.join(map(str, (place, ROOT)))
