"""What a row does not hold by itself, found out once for a whole export: whose terms count, and how players are rated.

Ratings are those of `orchestrator leaderboard` over the exported runs, per board: one game, variant, number of
seats and track. A player of no track (a bot) stands on the boards of each track that it met; its rating then is that
of the first, in the order of their names. Who never played a complete pair has none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from orchestrator.export.terms import Terms

Z = 1.959964  # standard errors to either side of a 95 % interval


class Rating(NamedTuple):
    """Elo above its board's zero; `se` is half the width of the interval, in standard errors."""

    elo: float
    se: float


Key = tuple[str, int, str, str]  # run, player's number in its record, game, variant as canonical JSON


@dataclass(frozen=True, slots=True)
class Known:
    """`own` are a user's own terms, which stand before those shipped."""

    own: tuple[Terms, ...] = ()
    ratings: Mapping[Key, Rating] = field(default_factory=dict)


def ratings(paths: Iterable[Path]) -> dict[Key, Rating]:
    """Of all players of these runs. Raises RecordError."""
    from orchestrator.record.reading import run_result
    from orchestrator.standings import boards_of

    results = [run_result(path) for path in paths]
    runs = {result.path: result.run.id for result in results}
    found: dict[Key, Rating] = {}
    for board in boards_of(results):
        for part in board.parts:
            for number, name in part.names.items():
                elo = board.lines[name].elo
                key = runs[part.path], number, board.game, _canonical(board.variant)
                if elo is not None and key not in found:
                    found[key] = Rating(elo.mid, (elo.high - elo.low) / (2 * Z))
    return found


def _canonical(variant: Mapping[str, int]) -> str:
    return json.dumps(variant, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
