"""What players said of how their matches would end, and how they ended: read from records, joined as results are.

Whoever was asked for forecasts is one forecaster on each board of `orchestrator.standings`: never over games, variants,
numbers of seats or tracks. What a forecast is held against is the score of its own seat. Left out are

- matches that are void or not finished, which have no score;
- matches that a forfeit ended: the forecast was of the position, and whose answers would fail was not in it. They are
  counted, because whoever forecasts "how likely am I to win" may mean otherwise;
- decisions without a move of the player's own (fallbacks), which say nothing of the match.

An answer that names a move and holds no forecast that can be read is `missing`: it cost nothing, and says nothing.
Where a decision has been graded exactly (`orchestrator grade`), the score that its move was worth against a perfect
opponent stands beside the one that came. Statistics are `orchestrator.ratings.calibration`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.ratings.calibration import Calibration, Forecast, calibration
from orchestrator.record.reading import driver, reading
from orchestrator.standings import Board, Line, boards_of

if TYPE_CHECKING:
    from orchestrator.record.reading import Board as Played
    from orchestrator.record.reading import RunResult

DECIDED = """
    SELECT d.match, d.ply, d.player, d.action, d.legal, d.forecast, g.worth
    FROM decision d LEFT JOIN grade g ON g.decision = d.id AND g.exact
    WHERE d.outcome IN ('ok', 'reasked') AND d.player IN ({players}) ORDER BY d.id
"""


class Said(NamedTuple):
    """A forecast, the score of the match, and what the move was worth where that is known exactly; 0 to 1 all three."""

    cluster: bytes | str  # equal for matches that went alike
    ply: int
    forecast: float
    score: float
    worth: float | None


@dataclass(slots=True)
class Forecaster:
    """One player at one board, over all runs."""

    board: Board
    line: Line
    said: list[Said] = field(default_factory=list)
    missing: int = 0  # answers without a forecast
    forfeited: int = 0  # matches left out

    def calibration(self) -> Calibration | None:
        """Against the scores that came; None without a forecast."""
        return calibration(Forecast(each.cluster, each.forecast, each.score) for each in self.said)

    def against_worth(self) -> Calibration | None:
        """Against what the moves were worth, where that is known."""
        known = [(each, each.worth) for each in self.said if each.worth is not None]
        return calibration(Forecast(each.cluster, each.forecast, worth) for each, worth in known)

    def by_ply(self, band: int) -> dict[int, Calibration]:
        """Of every so many plies, by the first of them."""
        parts: dict[int, list[Forecast]] = {}
        for each in self.said:
            forecast = Forecast(each.cluster, each.forecast, each.score)
            parts.setdefault(each.ply // band * band, []).append(forecast)
        found = {ply: calibration(part) for ply, part in sorted(parts.items())}
        return {ply: part for ply, part in found.items() if part is not None}


def forecasters(results: Sequence[RunResult]) -> list[Forecaster]:
    """Everybody who was asked, board by board, in the order of the standings. Raises RecordError."""
    asked = {result.path: _asked(result) for result in results}
    if not any(asked.values()):
        return []
    told = {path: _decided(path, players) for path, players in asked.items() if players}
    found = []
    for board in boards_of(results):
        of: dict[str, Forecaster] = {}
        for part in board.parts:
            for player in asked[part.path] & part.names.keys():
                key = part.names[player]
                _add(
                    of.setdefault(key, Forecaster(board, board.lines[key])),
                    part.played,
                    told[part.path],
                    player,
                )
        found += [of[key] for line in board.ranked() if (key := board.key(line)) in of]
    return found


class Decided(NamedTuple):
    """A decision for which a forecast was asked."""

    ply: int
    forecast: float | None
    worth: float | None


Told = Mapping[tuple[str, int], Sequence[Decided]]
"""By match and player."""


def _asked(result: RunResult) -> set[int]:
    """The players of a run that were asked for forecasts."""
    return {
        standing.player.id
        for standing in result.standings
        if standing.player.style and standing.player.parameters.get("forecast") is True
    }


def _decided(path: Path, players: Iterable[int]) -> Told:
    query = DECIDED.format(players=", ".join(str(int(player)) for player in players))
    found: dict[tuple[str, int], list[Decided]] = {}
    with reading(path) as session:
        for match, ply, player, action, legal, forecast, worth in driver(session).execute(query):
            value = None if worth is None else (1 + json.loads(worth)[json.loads(legal).index(action)]) / 2
            found.setdefault((match, player), []).append(Decided(ply, forecast, value))
    return found


def _add(forecaster: Forecaster, played: Played, told: Told, player: int) -> None:
    for match in played.finished:
        decided = told.get((match.id, player), ())
        if any(place.forfeit for place in match.seats):
            forecaster.forfeited += bool(decided)
            continue
        score = match.scores.get(player)
        for each in decided:
            if each.forecast is None or score is None:
                forecaster.missing += 1
            else:
                cluster = match.went or match.id
                forecaster.said.append(Said(cluster, each.ply, each.forecast, score, each.worth))
