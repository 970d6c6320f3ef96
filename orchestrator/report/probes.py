"""Probes in a report: whether players choose by the position or by how it is drawn.

One table over all runs of the kind `probe`, a row for each player and way of showing, and the shares as intervals
below each other. Quality stands beside it where the run was graded.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.probe_record import answers, probed
from orchestrator.ratings.probes import REPEAT, Consistency
from orchestrator.ratings.shares import Share
from orchestrator.report.section import Axis, Column, Estimated, Intervals, Run, Section, Table, Value

COLUMNS = (
    Column("player"),
    Column("shown"),
    Column("positions", "count"),
    Column("answers", "count"),
    Column("no choice", "count"),
    Column("same move", "share"),
    Column("drop", "share"),
    Column("as good", "share"),
    Column("loss", "signed"),
)
NOTES = (
    "Same move: the choice, mapped back, is that of the position as it was found. Drop: how much less often than when "
    "it is asked again in the same words, paired by position.",
    "As good: the same move or one worth no less, where the run was graded. Loss: mean regret beyond that in the "
    "original and repeated position; a win given away for a draw is 1.",
)


def sections(runs: Sequence[Run]) -> list[Section]:
    """One section over all probes among these runs; none where there is no probe."""
    found = [(run.result.run.id, answers(run.path)) for run in runs if run.result.run.kind == "probe"]
    if not found:
        return []
    players = [
        probed(f"{label} ({name})" if len(found) > 1 else label, shown, given.symmetries)
        for name, given in found
        for label, shown in given.players.items()
    ]
    rows = [_row(player.label, way) for player in players for way in player.ways]
    marks = [
        (f"{player.label}, {_told(way)}", _estimated(way.same))
        for player in players
        for way in player.ways
        if way.same is not None
    ]
    table = Table("probes", "Choices when a position is shown again", COLUMNS, rows, NOTES)
    figure = Intervals(
        "probes-same",
        "How often the same move is chosen",
        Axis("same move", "share", low=0.0, high=1.0),
        [(name, value) for name, value in marks if value is not None],
        says="For each player and way of showing, the share of answers that are the original's choice.",
    )
    title = "Does it matter how a position is drawn?"
    return [Section("probes", title, [player.verdict for player in players], [table], [figure])]


def _row(label: str, way: Consistency) -> list[Value]:
    return [
        label,
        _told(way),
        way.positions,
        way.answers,
        way.missing,
        _estimated(way.same),
        _estimated(way.drop),
        _estimated(way.fine),
        _estimated(way.loss),
    ]


def _told(way: Consistency) -> str:
    return "again, the same" if way.way == REPEAT else way.way


def _estimated(share: Share | None) -> Estimated | None:
    return share and Estimated(share.low, share.mean, share.high)
