"""Elo as matches come in: what a running tournament shows, and never a result.

Everybody starts from 1000, and a match moves K = 32 times observed less expected score (Elo 1978); at a table
every two are compared and K is shared among a player's opponents. It depends on the order of the matches (by some
40 Elo either way) and has no interval; `bradley_terry.py` has both right. The history keeps how often each two
players had which pair of results beside it, so that any other figure can be had from it later.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

from orchestrator.ratings.bradley_terry import Result

START, K = 1000.0, 32.0
POINTS = 100  # of a history, at most, and its end
LABEL = "live, depends on the order of the matches"


def live(results: Iterable[Result]) -> list[tuple[int, dict[str, float]]]:
    """After so many matches, everybody's Elo: at most 100 times evenly spaced, and at the end."""
    results = list(results)
    every = max(1, -(-len(results) // POINTS))
    elo: dict[str, float] = {}
    history = []
    for number, result in enumerate(results, 1):
        before = {name: elo.setdefault(name, START) for name in result.players}
        for (one, mine), (other, theirs) in combinations(zip(*result, strict=True), 2):
            if one != other:
                expected = 1 / (1 + 10 ** ((before[other] - before[one]) / 400))
                moved = K / (len(result.players) - 1) * ((mine > theirs) + (mine == theirs) / 2 - expected)
                elo[one] += moved
                elo[other] -= moved
        if number % every == 0 or number == len(results):
            history.append((number, dict(elo)))
    return history


def history_json(results: Iterable[Result]) -> dict[str, Any]:
    history = live(results)
    return {
        "label": LABEL,
        "start": START,
        "k": K,
        "elo": {name: round(elo, 1) for name, elo in (history[-1][1] if history else {}).items()},
        "history": [
            {"matches": number, "elo": {name: round(each, 1) for name, each in elo.items()}}
            for number, elo in history
        ],
    }
