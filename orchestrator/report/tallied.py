"""What each player's part in each match came to, by board and player: what legality and money are counted from.

The sums of a board do for its totals, but an interval asks how matches differ, and which of them hang together: the
matches of a pair do, void ones with it, and so do pairs that repeat each other. Matches still open are left out.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from orchestrator.record.reading import driver, reading
from orchestrator.report.section import Run
from orchestrator.standings import Board

QUERY = """
    SELECT match, player, length(latencies) / 4, wrong_first, fallbacks, cost_pico, unpriced_calls,
           input_tokens + output_tokens FROM tally
"""


class Row(NamedTuple):
    """A line of a record's tallies. `asked`: decisions for which a model was asked."""

    player: int
    asked: int
    wrong_first: int
    fallbacks: int
    cost_pico: int
    unpriced: int
    tokens: int


class Tallied(NamedTuple):
    """One player in one match. `cluster` is equal for what hangs together; a void match is neither finished nor won."""

    cluster: Hashable
    finished: bool
    won: bool
    forfeited: bool
    row: Row


Tallies = Mapping[Path, Mapping[str, Sequence[Row]]]
"""By record and match."""


def tallies(runs: Sequence[Run]) -> Tallies:
    """Of all these runs. Raises RecordError."""
    found: dict[Path, dict[str, list[Row]]] = {}
    for run in runs:
        with reading(run.result.path) as session:
            matches = found.setdefault(run.result.path, {})
            for match, *row in driver(session).execute(QUERY):
                matches.setdefault(match, []).append(Row(*row))
    return found


def of_board(board: Board, tallied: Tallies) -> dict[str, list[Tallied]]:
    """By what players are called in the league."""
    clusters = {
        match: k for k, pairs in enumerate(board.clusters) for pair in pairs for match in pair.matches
    }
    found: dict[str, list[Tallied]] = {key: [] for key in board.lines}
    for part in board.parts:
        rows = tallied.get(part.path, {})
        hang = {match.pair: clusters[match.id] for match in part.played.matches if match.id in clusters}
        for match in part.played.matches:
            cluster: Hashable = hang.get(match.pair, (part.path, match.pair))
            for row in rows.get(match.id, ()):
                places = [place for place in match.seats if place.player == row.player]
                found[part.names[row.player]].append(
                    Tallied(
                        cluster,
                        bool(match.scores),
                        bool(match.scores) and any(place.outcome == "win" for place in places),
                        any(place.forfeit for place in places),
                        row,
                    )
                )
    return found
