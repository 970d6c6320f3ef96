"""Whose graded decisions are joined, over runs: the boards that `grade` prints and a report draws.

Players are joined as in `orchestrator.standings`: by their hash with the words of the game at hand, never a stand-in
with a model, and never across games or variants; tracks are told apart by the hash too. What chance chose for a player
after its answers had failed is graded, but is not its own, and decisions without an action are nobody's. Grading itself
is `orchestrator.grades`; means and intervals, clustered by match, are `orchestrator.ratings.quality`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlmodel import select

from orchestrator.ratings.quality import Graded, Quality, quality
from orchestrator.record.reading import reading
from orchestrator.record.tables import Player, Run
from orchestrator.standings import asked_alike, games_of, names, stood_in

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
    """Every game and variant with a graded decision of play.

    A probe asks one position again and again, in clothes of its own, and its matches are one decision each: it says
    itself what its grades come to.
    """
    boards: dict[tuple[str, str], Board] = {}
    asked: dict[tuple[str, bool], Player] = {}
    for report in reports:
        if report.kind == "probe":
            continue
        games, players = _players(report.path)
        hashes = cache(partial(_hash, games, players))
        fakes = {
            player.id: bool(stood_in(player.spec, report.reported.get(player.id, ())))
            for player in report.players.values()
        }
        for decided in report.decisions:
            board = boards.setdefault((decided.game, decided.variant), Board(decided.game, decided.variant))
            player, fake = report.players[decided.player], fakes[decided.player]
            alike = hashes(decided.game, decided.variant, decided.player)
            if (alike, fake) not in board.lines:
                asked.setdefault((alike, fake), players[decided.player])
                board.lines[alike, fake] = Line(player.label, player.spec, alike, fake)
            line = board.lines[alike, fake]
            if decided.own and decided.action is not None:
                line.decisions.append(decided)
    for board in boards.values():
        called = names([(asked[key], key[1]) for key in board.lines])
        for line, name in zip(board.lines.values(), called, strict=True):
            line.name = name
    return [board for _, board in sorted(boards.items())]


def _players(path: Path) -> tuple[list[tuple[str, dict[str, int]]], dict[int, Player]]:
    """A run's games, in the order in which its players keep their prompts, and its players."""
    with reading(path) as session:
        run = session.exec(select(Run)).one()
        players = {player.id: player for player in session.exec(select(Player))}
        session.expunge_all()
    return games_of(run), players


def _hash(
    games: Sequence[tuple[str, dict[str, int]]],
    players: Mapping[int, Player],
    game: str,
    variant: str,
    player: int,
) -> str:
    played = game, json.loads(variant)
    return asked_alike(players[player], games.index(played) if played in games else None)


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
