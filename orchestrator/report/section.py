"""The parts that a report is made of: what every kind of statistics says in, and every form of a report is drawn from.

A kind of statistics is one module of this room with a function `sections(runs) -> list[Section]`, empty where the
runs have nothing of it. It says values and units and knows no screen: a terminal, a page, CSV and JSON are drawn
from the same section, so that they cannot differ. The order of a report is that of `ORDER`.

All texts are plain, and may hold what a model or a service wrote: whoever draws them escapes them.
"""

from __future__ import annotations

import importlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from orchestrator.record.reading import RunResult, run_result

ORDER: tuple[str, ...] = (
    "results",
    "ratings",
    "quality",
    "protocol",
    "money",
    "forecasts",
    "stated",
    "probes",
    "ablation",
)
"""The modules of this room that have sections, in the order of a report."""


class Estimated(NamedTuple):
    """A value with its 95 % interval; a bound that nobody knows is None."""

    low: float | None
    value: float
    high: float | None


Value = str | int | float | Estimated | None
Unit = Literal["", "elo", "usd", "share", "seconds", "count", "number", "signed"]
"""How a value is written: `share` is 0 to 1 and reads as per cent, `signed` keeps its plus; '' is text."""


class Column(NamedTuple):
    name: str
    unit: Unit = ""


@dataclass(frozen=True)
class Table:
    """Rows of values below each other; `name` is its key in JSON and CSV, `title` stands above it.

    What names a row, such as the player, stands in the first column of text, but for a column `#` of ranks; the
    columns that matter most come first.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]
    notes: Sequence[str] = ()  # what one must know to read it, a sentence each
    groups: Sequence[Hashable] = ()  # of each row: equal for neighbours that are shown as belonging together


def told_apart(table: Table, column: str, many: int) -> Table:
    """With a column that names the run or the board of each row only where there are several of these."""
    if many > 1:
        return table
    place = [each.name for each in table.columns].index(column)
    columns = [*table.columns[:place], *table.columns[place + 1 :]]
    return replace(table, columns=columns, rows=[[*row[:place], *row[place + 1 :]] for row in table.rows])


class Axis(NamedTuple):
    label: str
    unit: Unit = "number"
    log: bool = False
    low: float | None = None  # where it begins and ends; None: as the values ask for
    high: float | None = None


class Point(NamedTuple):
    x: float | Estimated
    y: float | Estimated
    label: str = ""
    weight: float = 1.0  # what it rests on, as the area of its mark


class Series(NamedTuple):
    """Points that belong together. `drawn`: marks alone, marks joined in their order, or a staircase."""

    name: str
    points: Sequence[Point]
    drawn: Literal["points", "line", "steps"] = "points"


@dataclass(frozen=True)
class Plot:
    """Series over two axes; `diagonal` where y = x is what one hopes for (calibration)."""

    name: str
    title: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    diagonal: bool = False
    says: str = ""  # in words what it shows, for whoever cannot see it


@dataclass(frozen=True)
class Intervals:
    """A value with its interval for each of several names, the first on top."""

    name: str
    title: str
    x: Axis
    rows: Sequence[tuple[str, Estimated]]
    groups: Sequence[int] = ()  # of each row: rows of one group cannot be told apart
    says: str = ""


@dataclass(frozen=True)
class Heatmap:
    """A value for each of `rows` against each of `columns`, None where they never met.

    It is drawn as a table with colours; what they mean is said by whoever draws, not in `says`.
    """

    name: str
    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float | None]]
    unit: Unit = "share"
    middle: float = 0.5  # the value that favours nobody
    counts: Sequence[Sequence[int]] = ()  # what each value rests on
    says: str = ""


Figure = Plot | Intervals | Heatmap


@dataclass(frozen=True)
class Section:
    """One subject: sentences first, then tables and figures.

    `key` is its name in JSON and for `--only`, of small letters, digits and hyphens; a module that has several
    sections, one for each game say, gives each its own. The first of the sentences stands in a report's summary too.
    """

    key: str
    title: str
    says: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()


class Run(NamedTuple):
    """A run as sections are given it: what came of it, and where its record is for whatever else they read."""

    path: Path
    result: RunResult


def read(paths: Sequence[Path]) -> list[Run]:
    """The runs of these directories or record files. Raises RecordError."""
    return [Run(path, run_result(path)) for path in paths]


def sections(runs: Sequence[Run]) -> list[Section]:
    """All that can be said of these runs together, in the order of a report."""
    return [section for name in ORDER for section in _module(name).sections(runs)]


def _module(name: str) -> Any:
    return importlib.import_module(f"orchestrator.report.{name}")
