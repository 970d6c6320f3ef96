"""What every form of a report is drawn from: the sections, and above them who played what, when and at what price.

Nothing here asks what time it is: the same records give the same report, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.cli import text
from orchestrator.cli.drawn import values
from orchestrator.report.section import (
    Axis,
    Column,
    Estimated,
    Figure,
    Heatmap,
    Intervals,
    Plot,
    Point,
    Run,
    Section,
    Table,
    Value,
)

MOST_NAMES = 6  # players or games that a title or a fact names before it counts them
RANK = "#"  # how a column of ranks is headed
STAND_IN = "simulated/"  # how the stand-in's model names begin
RUNS = "runs"  # the section about the runs themselves


class Said(NamedTuple):
    """A sentence of the summary and the section that it is from."""

    key: str
    title: str
    sentence: str


@dataclass(frozen=True)
class Sheet:
    """A report before it is drawn. `again` is the command that draws it."""

    kind: str  # what it is called: report, leaderboard
    title: str
    facts: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    runs: Sequence[Mapping[str, Any]]  # for programs
    sections: Sequence[Section]
    again: str
    version: str

    @property
    def in_short(self) -> list[Said]:
        """Of every section the first sentence, or what it shows."""
        return [Said(each.key, each.title, _gist(each)) for each in self.sections]


def _gist(section: Section) -> str:
    parts = [*section.tables, *section.figures]
    return section.says[0] if section.says else parts[0].title if parts else ""


def sheet_of(runs: Sequence[Run], sections: Sequence[Section], again: str, kind: str = "report") -> Sheet:
    """The report of these runs; sections of one key are told apart by a number."""
    return Sheet(
        kind=kind,
        title=_title(runs),
        facts=_facts(runs),
        warnings=list(_warnings(runs)),
        runs=[_run_json(run) for run in runs],
        sections=_named_apart([*sections, _about(runs)]),
        again=again,
        version=version("duelist"),
    )


def of_game(runs: Sequence[Run], game: str) -> list[Run]:
    """The runs that played this game, as if they had played no other."""
    told = []
    for run in runs:
        boards = [board for board in run.result.boards if board.game == game]
        if boards:
            standings = [standing for board in boards for standing in board.standings]
            matches = [match for board in boards for match in board.matches]
            result = replace(run.result, boards=boards, standings=standings, matches=matches)
            told.append(run._replace(result=result))
    return told


class Unknown(Exception):
    """Nothing of that name in a report; the message says what there is."""


def narrowed(sheet: Sheet, names: Sequence[str]) -> Sheet:
    """With the sections of these names alone, and of names such as `money.bill` that table or figure; without any
    names as it is. Raises Unknown."""
    if not names:
        return sheet
    known = [name for each in sheet.sections for name in (each.key, *parts_of(each))]
    for name in names:
        if name not in known:
            raise Unknown(f"got {text.one_line(name)!r}, expected one of {', '.join(known)}")
    left = [part for each in sheet.sections if (part := _left(each, names)) is not None]
    return replace(sheet, sections=left)


def parts_of(section: Section) -> dict[str, Table]:
    """Its tables, and what its figures draw, by the names that `--only` and files of CSV have for them."""
    told = {f"{section.key}.{table.name}": table for table in section.tables}
    return told | {f"{section.key}.{figure.name}": as_table(figure) for figure in section.figures}


def as_table(figure: Figure) -> Table:
    """What a figure draws, as a table."""
    if isinstance(figure, Heatmap):
        return Table(
            figure.name,
            figure.title,
            [Column(""), *(Column(name, figure.unit) for name in figure.columns)],
            [[name, *row] for name, row in zip(figure.rows, figure.values, strict=True)],
        )
    if isinstance(figure, Intervals):
        groups = figure.groups if len(figure.groups) == len(figure.rows) else ()
        heads = [Column(""), Column(figure.x.label, figure.x.unit)]
        return Table(figure.name, figure.title, heads, list(figure.rows), groups=groups)
    points = [(series.name, point) for series in figure.series for point in series.points]
    return Table(
        figure.name,
        figure.title,
        _point_heads(figure.x, figure.y, [point for _, point in points]),
        [_point_row(name, point, [each for _, each in points]) for name, point in points],
        groups=[name for name, _ in points],
    )


def _point_heads(x: Axis, y: Axis, points: Sequence[Point]) -> list[Column]:
    return [
        Column("series"),
        *([Column("point")] if any(point.label for point in points) else []),
        Column(x.label, x.unit),
        Column(y.label, y.unit),
        *([Column("weight", "number")] if _weighted(points) else []),
    ]


def _point_row(series: str, point: Point, points: Sequence[Point]) -> list[Value]:
    return [
        series,
        *([point.label] if any(each.label for each in points) else []),
        point.x,
        point.y,
        *([point.weight] if _weighted(points) else []),
    ]


def _weighted(points: Sequence[Point]) -> bool:
    return len({point.weight for point in points}) > 1


def said(figure: Figure) -> str:
    """What a figure shows, in words; never ''."""
    if figure.says:
        return figure.says
    if isinstance(figure, Heatmap):
        return f"Each of {len(figure.rows)} against each of {len(figure.columns)}."
    if isinstance(figure, Intervals):
        return f"{len(figure.rows)} values on the scale of {figure.x.label}, each with its 95 % interval."
    names = [text.one_line(series.name) for series in figure.series if series.name]
    return f"The axes are {figure.x.label} and {figure.y.label}" + (
        f"; drawn: {text_list(names)}." if names else "."
    )


def _left(section: Section, names: Sequence[str]) -> Section | None:
    if section.key in names:
        return section
    tables = [each for each in section.tables if f"{section.key}.{each.name}" in names]
    figures = [each for each in section.figures if f"{section.key}.{each.name}" in names]
    if not tables and not figures:
        return None
    return replace(section, tables=tables, figures=figures)


def _named_apart(sections: Iterable[Section]) -> list[Section]:
    """The same with keys of one use each that are fit for links and names of files, as their parts' names are.

    What is empty is left out.
    """
    keys, told = _Names(), []
    for each in sections:
        parts = _Names()
        tables = [replace(table, name=parts.fresh(table.name)) for table in each.tables if table.rows]
        figures = [replace(figure, name=parts.fresh(figure.name)) for figure in each.figures if _has(figure)]
        if each.says or tables or figures:
            told.append(replace(each, key=keys.fresh(each.key), tables=tables, figures=figures))
    return told


def _has(figure: Figure) -> bool:
    if isinstance(figure, Plot):
        return any(series.points for series in figure.series)
    return bool(figure.rows)


class _Names:
    """Names fit for links and files, each given once."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def fresh(self, name: str) -> str:
        fit = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "part"
        fresh = next(each for each in _numbered(fit) if each not in self._given)
        self._given.add(fresh)
        return fresh


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))


# ── who played what ──────────────────────────────────────────────────────────────────────────────────


def text_list(names: Sequence[str]) -> str:
    """a, b and c; of many the first, and how many more."""
    if len(names) > MOST_NAMES:
        return f"{', '.join(names[: MOST_NAMES - 1])} and {len(names) - MOST_NAMES + 1} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _title(runs: Sequence[Run]) -> str:
    players = _players(runs)
    games = list(_unique(board.game for run in runs for board in run.result.boards))
    who = " vs ".join(players) if len(players) <= 3 else text.plural(len(players), "player")
    return f"{who or 'Nobody'} at {text_list(games)}" if games else who or "No matches"


def _players(runs: Iterable[Run]) -> list[str]:
    """Labels in the order of their first run; that two in a run have one label matters between those two alone."""
    labels = _unique(text.one_line(s.player.label) for run in runs for s in run.result.standings)
    return list(labels if len(labels) < 3 else _unique(re.sub(r" #\d+$", "", label) for label in labels))


def _games(runs: Iterable[Run]) -> list[str]:
    return list(_unique(_game(board.game, board.variant) for run in runs for board in run.result.boards))


def _game(name: str, variant: Mapping[str, int]) -> str:
    return name + "".join(f" {key}={value}" for key, value in sorted(variant.items()))


def _unique(names: Iterable[str]) -> dict[str, None]:
    return dict.fromkeys(names)


def _facts(runs: Sequence[Run]) -> list[tuple[str, str]]:
    players, games = _players(runs), _games(runs)
    probes = [run for run in runs if run.result.run.kind == "probe"]
    shown = sum(len(run.result.matches) for run in probes)  # a position each, and no match that anybody ended
    finished = sum(len(board.finished) for run in runs for board in run.result.boards)
    unfinished = sum(len(run.result.matches) for run in runs) - shown - finished
    tables = any(len(board.standings) > 2 for run in runs for board in run.result.boards)
    matches = f"{finished:,}" + (f" finished, {unfinished:,} others" if unfinished else "")
    return [
        ("Games" if len(games) > 1 else "Game", text_list(games) or text.NOTHING),
        ("Players", text_list(players) or text.NOTHING),
        ("Matches", matches),
        *([("Positions shown", f"{shown:,}")] if shown else []),
        ("Pairs and deals" if tables else "Pairs", f"{sum(len(run.result.pairs) for run in runs):,}"),
        ("Played", _span(runs)),
        ("Cost", _cost(runs)),
    ]


def _span(runs: Sequence[Run]) -> str:
    """The days from the first to the last, in UTC."""
    if not runs:
        return text.NOTHING
    first = _day(min(run.result.run.created for run in runs))
    last = _day(max(run.result.run.finished or run.result.run.created for run in runs))
    return first if first == last else f"{first} to {last}"


def _day(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment.day} {moment:%B %Y}"


def _cost(runs: Iterable[Run]) -> str:
    standings = [standing for run in runs for standing in run.result.standings]
    cost = text.money(sum(standing.cost_pico for standing in standings))
    possibly = sum(standing.possibly_pico for standing in standings)
    return f"{cost}, perhaps {text.money(possibly)} more" if possibly else cost


def _warnings(runs: Sequence[Run]) -> Iterator[str]:
    open_runs = [_name(run.path) for run in runs if run.result.run.status == "running"]
    ended = [_name(run.path) for run in runs if run.result.run.status not in ("running", "finished")]
    fakes = _unique(
        text.one_line(standing.player.label)
        for run in runs
        for standing in run.result.standings
        if any(name.startswith(STAND_IN) for name in standing.reported)
    )
    if open_runs:
        yield f"Not finished: {text_list(open_runs)}. What is said here is of the matches so far."
    if ended:
        yield f"Ended before all was played: {text_list(ended)}."
    if fakes:
        yield f"A stand-in answered for {text_list(list(fakes))}: no model was asked, and its prices are made up."


def _about(runs: Sequence[Run]) -> Section:
    """The runs themselves."""
    heads = [
        Column("run"),
        Column("id"),
        Column("kind"),
        Column("status"),
        Column("began (UTC)"),
        Column("matches", "count"),
        Column("seed"),
        Column("cost", "usd"),
        Column("duelist"),
    ]
    rows = [_run_row(run) for run in runs]
    return Section(RUNS, "Runs", tables=[Table("runs", "The runs of this report", heads, rows)])


def _name(path: Path) -> str:
    """What a run is called: its directory, where it has one to be called by."""
    return (path.parent if path.suffix == ".db" else path).absolute().name


def _run_json(run: Run) -> dict[str, Any]:
    about = run.result.run
    return {
        "id": about.id,
        "path": str(run.path),
        "kind": about.kind,
        "status": about.status,
        "reason": about.reason or None,
        "created": about.created,
        "finished": about.finished,
        "seed": about.seed,
        "version": about.version,
    }


def _run_row(run: Run) -> list[Value]:
    about = run.result.run
    return [
        _name(run.path),
        about.id,
        about.kind,
        about.status + (f": {text.one_line(about.reason, 120)}" if about.reason else ""),
        f"{datetime.fromtimestamp(about.created, UTC):%Y-%m-%d %H:%M}",
        sum(len(board.finished) for board in run.result.boards),
        str(about.seed),
        sum(standing.cost_pico for standing in run.result.standings) / text.PICO,
        about.version,
    ]


def cell_texts(table: Table) -> list[list[values.Written]]:
    """The rows of a table in words, column by column alike."""
    columns = [
        values.column([row[place] for row in table.rows], head.unit)
        for place, head in enumerate(table.columns)
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def row_head(table: Table) -> int | None:
    """Which column names the rows: the first of text that is no rank."""
    heads = enumerate(table.columns)
    return next((place for place, head in heads if head.unit == "" and head.name != RANK), None)


def bounds(value: float | Estimated) -> Estimated:
    return value if isinstance(value, Estimated) else Estimated(None, value, None)
