"""How well moves were chosen, from the grades on record: by player, by seat and by ply, with intervals by match.

Nothing is graded here. Grading takes minutes of a processor and is `orchestrator grade`'s; what is on record is drawn,
and where something is not, this section says how much and which command would have it. Regret early in a match, where
searches see least, is as sure as its method: how many grades are exact stands beside the figures.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.grades import on_record
from orchestrator.quality import Board, Line, boards_of, figures, parts
from orchestrator.ratings.quality import BLUNDER
from orchestrator.report.section import (
    Axis,
    Column,
    Estimated,
    Plot,
    Point,
    Run,
    Section,
    Series,
    Table,
    Value,
    told_apart,
)
from orchestrator.words import percent, plural

if TYPE_CHECKING:
    from orchestrator.grades import Decided
    from orchestrator.ratings.shares import Share

MOST_BANDS = 12  # points of one line
MOST_DRAWN = 8  # lines of one plot
FIGURES = (
    Column("accuracy", "share"), Column("best", "share"), Column("regret", "number"), Column("blunders", "share"),
    Column("chance", "share"), Column("decisions", "count"), Column("matches", "count"), Column("exact", "share"),
)  # fmt: skip
PLAYERS = (Column("player"), Column("game"), *FIGURES)
SEATS = (Column("player"), Column("game"), Column("seat"), *FIGURES)
NOTES = (
    "Accuracy: 1 - regret / stakes. Best: moves that nothing beats; chance: what drawing moves would get. Regret: best "
    f"value less the move's, a win being 1 and a loss -1. Blunder: a regret of {BLUNDER:g} or more.",
    "95 % intervals count matches, not moves. Moves without a choice, and fallbacks, are left out. Exact: graded by a "
    "solver.",
)


def sections(runs: Sequence[Run]) -> list[Section]:
    """One, of runs with a decision that could be graded; none without.

    A probe asks positions again and again, in clothes of its own: its decisions are in its section, not here.
    """
    runs = [run for run in runs if run.result.run.kind != "probe"]
    reports = [on_record(run.result.path) for run in runs]
    graded, missing = sum(len(each.decisions) for each in reports), sum(each.ungraded for each in reports)
    if not graded + missing:
        return []
    says = [_graded(graded, missing)]
    if missing:
        left = [str(run.path) for run, each in zip(runs, reports, strict=True) if each.ungraded]
        says.append(f"To grade the rest: {shlex.join(['orchestrator', 'grade', *left])}")
    boards = boards_of(reports)
    ranked = [(board, line) for board in boards for line in board.ranked() if figures(line.decisions)]
    seats: list[list[Value]] = [
        [line.name, board.title, f"seat {seat + 1}", *_figures(some)]
        for board, line in ranked
        for seat, some in parts(line.decisions, "seat").items()
    ]
    tables = [
        Table(
            "players",
            "Players",
            PLAYERS,
            [[n.name, b.title, *_figures(n.decisions)] for b, n in ranked],
            NOTES,
        ),
        Table("seats", "By seat", SEATS, seats, groups=[(row[0], row[1]) for row in seats]),
    ]
    tables = [told_apart(table, "game", len(boards)) for table in tables if table.rows]
    return [
        Section("quality", "How well moves were chosen", says, tables, [_by_ply(each) for each in boards])
    ]


def _graded(graded: int, missing: int) -> str:
    if not graded:
        return f"None of {plural(missing, 'decision')} with a choice is graded."
    if not missing:
        return f"All {plural(graded, 'decision')} with a choice are graded."
    of = graded + missing
    return f"{graded:,} of {plural(of, 'decision')} with a choice are graded ({percent(graded, of)}), not the rest."


def _figures(decisions: Sequence[Decided]) -> list[Value]:
    found = figures(decisions)
    if found is None:
        return [None] * len(FIGURES)
    exact = sum(each.known is not None and each.known.exact for each in decisions)
    return [
        _estimated(found.accuracy), _estimated(found.best), _estimated(found.regret), _estimated(found.blunders),
        found.chance, found.decisions, found.matches, exact / found.decisions,
    ]  # fmt: skip


def _estimated(share: Share | None) -> Estimated | None:
    return share and Estimated(*share)


def _by_ply(board: Board) -> Plot:
    """In bands, so many that a line can be read; a band's place is its middle."""
    lines = [line for line in board.ranked() if line.decisions][:MOST_DRAWN]
    last = max((each.ply for line in lines for each in line.decisions), default=0)
    band = max(1, -(-(last + 1) // MOST_BANDS))
    plies = "each ply" if band == 1 else f"{band} plies at a time"
    return Plot(
        "regret-" + "-".join(board.title.replace("=", "-").lower().split()),
        f"Regret by ply: {board.title}",
        Axis("ply", "number", low=1),
        Axis("regret", "number", low=0),
        [Series(line.name, _course(line, band), "line") for line in lines],
        says=f"The mean of {plies}, with 95 % intervals by match; 0 is the best move every time. Where one match alone "
        "came so far, there is no point.",
    )


def _course(line: Line, band: int) -> list[Point]:
    return [
        Point(ply + (band + 1) / 2, Estimated(*found.regret), weight=found.decisions)
        for ply, some in parts(line.decisions, "ply", band).items()
        if (found := figures(some)) is not None
        and found.matches > 1  # of one an interval is all of the scale
    ]
