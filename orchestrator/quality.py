"""Whose graded decisions are joined, over runs: the boards that `grade` prints and a report draws.

Players are joined as in `orchestrator.standings`: by their hash, never a stand-in with a model, and never across
games or variants. What chance chose for a player after its answers had failed is graded, but is not its own, and
decisions without an action are nobody's. Grading itself is `orchestrator.grades`; means and intervals, clustered by
match, are `orchestrator.ratings.quality`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.ratings.quality import Graded, Quality, quality
from orchestrator.standings import stood_in

if TYPE_CHECKING:
    from orchestrator.grades import Decided, Report


@dataclass(slots=True)
class Line:
    """One player over all runs of a board: its own graded decisions."""

    name: str
    spec: str
    hash: str
    stand_in: bool
    decisions: list[Decided] = field(default_factory=list)


@dataclass(slots=True)
class Board:
    """One game and variant."""

    game: str
    variant: str
    lines: dict[tuple[str, bool], Line] = field(default_factory=dict)

    @property
    def title(self) -> str:
        variant: Mapping[str, int] = json.loads(self.variant)
        return self.game + "".join(f" {key}={value}" for key, value in sorted(variant.items()))

    def ranked(self) -> list[Line]:
        """By accuracy, those of whom nothing is known last."""

        def key(line: Line) -> tuple[float, str]:
            found = figures(line.decisions)
            return -(found.accuracy.mean if found and found.accuracy else -1), line.name

        return sorted(self.lines.values(), key=key)


def boards_of(reports: Iterable[Report]) -> list[Board]:
    """Every game and variant with a graded decision."""
    boards: dict[tuple[str, str], Board] = {}
    for report in reports:
        fakes = {
            player.id: bool(stood_in(player.spec, report.reported.get(player.id, ())))
            for player in report.players.values()
        }
        for decided in report.decisions:
            board = boards.setdefault((decided.game, decided.variant), Board(decided.game, decided.variant))
            player, fake = report.players[decided.player], fakes[decided.player]
            name = player.label + (" (stand-in)" if fake else "")
            line = board.lines.setdefault((player.hash, fake), Line(name, player.spec, player.hash, fake))
            if decided.own and decided.action is not None:
                line.decisions.append(decided)
    return [board for _, board in sorted(boards.items())]


def figures(decisions: Iterable[Decided]) -> Quality | None:
    """Of the graded ones among them; None where there is none."""
    return quality(
        Graded(each.cluster, each.known.worth, each.known.worth[each.legal.index(each.action)])
        for each in decisions
        if each.known is not None and each.action is not None
    )


def parts(decisions: Sequence[Decided], by: str, band: int = 1) -> dict[int, list[Decided]]:
    """The decisions of each seat, or of every so many plies, by its number."""
    found: dict[int, list[Decided]] = {}
    for each in decisions:
        found.setdefault(each.seat if by == "seat" else each.ply // band * band, []).append(each)
    return dict(sorted(found.items()))
