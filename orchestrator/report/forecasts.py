"""Whether players know how they stand: the forecasts that they gave with their moves, against what came of the matches.

Empty unless a run was asked for forecasts (`--forecast`). A verdict is drawn by a test that counts matches, and told
as such; the plot shows by how much a forecast of a given size is off, with the diagonal as what one hopes for.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.forecasts import Forecaster, forecasters
from orchestrator.ratings.calibration import BINS, CLIP, FEW, Calibration
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

MOST_BANDS = 12  # points of a line by ply
MOST_DRAWN = 6  # forecasters of one plot

FORECASTERS = (
    Column("player"), Column("game"), Column("verdict"), Column("said", "share"), Column("came", "share"),
    Column("ECE", "share"), Column("by chance", "share"), Column("slope", "number"), Column("Brier", "number"),
    Column("skill", "share"), Column("forecasts", "count"), Column("matches", "count"), Column("missing", "count"),
    Column("forfeited", "count"),
)  # fmt: skip
PARTS = (
    Column("player"), Column("game"), Column("Brier", "number"), Column("reliability", "number"),
    Column("resolution", "number"), Column("uncertainty", "number"), Column("within", "signed"),
    Column("log loss", "number"),
)  # fmt: skip
SOLVER = (
    Column("player"), Column("game"), Column("said", "share"), Column("worth", "share"),
    Column("squared error", "number"), Column("forecasts", "count"), Column("matches", "count"),
)  # fmt: skip
NOTES = (
    "A forecast is the score that a player expects after its move: a win 1, a draw ½; at a table the share of the "
    "others that it finishes ahead of. Came: the score of the match.",
    "95 % intervals and verdicts count matches, not forecasts; those that went alike are one. Of players who are right "
    "one in twenty is named all the same, and up to one in nine of those who are often all but sure, in few matches. "
    f"Cannot tell: fewer than {FEW} matches came out otherwise than most.",
    "ECE: how far forecasts are off, over groups of about one size; by chance: what it would be on average if they "
    "were right. Slope: 1 is right, below is over-confident.",
    "Brier: the mean squared error. Skill: how much of the error of always saying the mean score is avoided.",
    "Missing: answers with a move and no forecast that could be read. Forfeited: matches left out because a forfeit "
    "ended them, which nobody could see in the position.",
)
PART_NOTES = (
    "Brier = reliability - resolution + uncertainty + within. Reliability: how far groups of forecasts are off; "
    "resolution: how differently they come out; uncertainty: the variance of scores; within: what forecasts of one "
    f"group differ by. At most {BINS} groups, as large as each other.",
    f"Log loss: in nats, with forecasts taken at least {percent(CLIP, 1)} from 0 and 1.",
)
SOLVER_NOTES = (
    "Of moves that a solver has graded: what was said, and what the move was worth against a perfect opponent, a win 1 "
    "and a draw ½. Nobody has to play perfectly: that the two differ is no error of itself.",
)


def sections(runs: Sequence[Run]) -> list[Section]:
    """One, of runs in which a model was asked for forecasts; none without."""
    asked = forecasters([run.result for run in runs])
    if not asked:
        return []
    found = [(each, figures) for each in asked if (figures := each.calibration()) is not None]
    boards = len({each.board.title for each in asked})
    silent = [each for each in asked if not each.said]
    tables = [
        Table(
            "forecasters",
            "Forecasters",
            FORECASTERS,
            [*(_row(*each) for each in found), *map(_silent, silent)],
            NOTES,
        ),
        Table("brier", "The Brier score and its parts", PARTS, [_parts(*each) for each in found], PART_NOTES),
        Table("solver", "Against the solver", SOLVER, _solver(asked), SOLVER_NOTES),
    ]
    tables = [told_apart(table, "game", boards) for table in tables if table.rows]
    plots = [*_reliability(found), *_by_ply([each for each, _ in found])]
    return [Section("forecasts", "Whether forecasts come true", _says(found, silent), tables, plots)]


def _says(found: Sequence[tuple[Forecaster, Calibration]], silent: Sequence[Forecaster]) -> list[str]:
    says = []
    for each, figures in found:
        who = f"{each.line.name} at {each.board.title}"
        # On the mean over forecasts: a long match counts more than in the score of a board.
        over = f"{plural(figures.forecasts, 'forecast')} in {plural(figures.matches, 'match', 'matches')}"
        told = f"{over} said {percent(figures.said, 1)}, and {percent(figures.came, 1)} came"
        if figures.verdict == "cannot tell":
            says.append(f"{who}: whether its forecasts are right, its matches cannot tell; {told}.")
        elif figures.verdict == "nothing found":
            says.append(f"{who}: nothing is found wrong with its forecasts; {told}.")
        else:
            says.append(f"{who} is {figures.verdict}; {told}.")
    says += [f"{each.line.name} at {each.board.title} gave no forecast that counts." for each in silent]
    return says


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────


def _row(each: Forecaster, figures: Calibration) -> list[Value]:
    fit = figures.recalibration
    return [
        each.line.name, each.board.title, figures.verdict, figures.said, figures.came, figures.ece, figures.by_chance,
        fit and Estimated(*fit.slope), Estimated(*figures.brier), figures.skill,
        figures.forecasts, figures.matches, each.missing, each.forfeited,
    ]  # fmt: skip


def _silent(each: Forecaster) -> list[Value]:
    unknown: list[Value] = [None] * 8
    return [each.line.name, each.board.title, *unknown, 0, 0, each.missing, each.forfeited]


def _parts(each: Forecaster, figures: Calibration) -> list[Value]:
    return [
        each.line.name, each.board.title, figures.brier.mean, figures.reliability, figures.resolution,
        figures.uncertainty, figures.within, figures.log_loss,
    ]  # fmt: skip


def _solver(asked: Sequence[Forecaster]) -> list[list[Value]]:
    return [
        [
            each.line.name, each.board.title, figures.said, figures.came, Estimated(*figures.brier),
            figures.forecasts, figures.matches,
        ]
        for each in asked
        if (figures := each.against_worth()) is not None
    ]  # fmt: skip


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────


def _boards(asked: Sequence[Forecaster]) -> dict[str, list[Forecaster]]:
    found: dict[str, list[Forecaster]] = {}
    for each in asked:
        found.setdefault(each.board.title, []).append(each)
    return {title: some[:MOST_DRAWN] for title, some in found.items()}


def _key(kind: str, title: str) -> str:
    return f"{kind}-" + "-".join(title.replace("=", "-").replace("·", " ").lower().split())


def _reliability(found: Sequence[tuple[Forecaster, Calibration]]) -> list[Plot]:
    of = {id(each): figures for each, figures in found}
    return [
        Plot(
            _key("reliability", title),
            f"What was said, and what came: {title}",
            Axis("forecast", "share", low=0, high=1),
            Axis("score", "share", low=0, high=1),
            [Series(each.line.name, _points(of[id(each)]), "line") for each in some],
            diagonal=True,
            says="Forecasts in groups as large as each other, with 95 % intervals by match. On the diagonal they are "
            "right; flatter than it is over-confident, steeper under-confident, below it too hopeful.",
        )
        for title, some in _boards([each for each, _ in found]).items()
    ]


def _points(figures: Calibration) -> list[Point]:
    return [Point(part.said, Estimated(*part.came), weight=part.size) for part in figures.bins]


def _by_ply(asked: Sequence[Forecaster]) -> list[Plot]:
    return [
        Plot(
            _key("brier", title),
            f"Squared error by ply: {title}",
            Axis("ply", "number", low=1),
            Axis("Brier score", "number", low=0),
            [Series(each.line.name, _course(each, _band(some)), "line") for each in some],
            says="How far forecasts are off as a match goes on, with 95 % intervals by match; 0 is to know its end.",
        )
        for title, some in _boards(asked).items()
    ]


def _band(some: Sequence[Forecaster]) -> int:
    """So many plies at a time that a line can be read."""
    last = max(said.ply for each in some for said in each.said)
    return max(1, -(-(last + 1) // MOST_BANDS))


def _course(each: Forecaster, band: int) -> list[Point]:
    return [
        Point(ply + (band + 1) / 2, Estimated(*part.brier), weight=part.forecasts)
        for ply, part in each.by_ply(band).items()
    ]
