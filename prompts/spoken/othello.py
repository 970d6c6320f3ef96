"""Corners in words, row 1 on top."""

from __future__ import annotations

from collections.abc import Collection

SAYS = r"(?i:(?:(?:top|upper|bottom|lower)[ -](?:left|right) )?corner(?: square)?)"


def meant(said: str, legal: Collection[str]) -> tuple[str, ...]:
    words = said.lower()
    rows = (
        "1" if "top" in words or "upper" in words else "8" if "bottom" in words or "lower" in words else "18"
    )
    files = "a" if "left" in words else "h" if "right" in words else "ah"
    return tuple(file + row for file in files for row in rows)
