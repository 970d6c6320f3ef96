"""A report as one page: a single file that opens from disk, in light and dark, on a phone and on paper.

It asks nothing of the network and runs nothing. What models and services wrote is escaped by the template, which
has no way around it but for the drawings of `plots`, and a policy in the page forbids scripts all the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.cli import text
from orchestrator.cli.drawn import plots, values
from orchestrator.cli.drawn.sheet import Sheet, as_table, cell_texts, row_head, said
from orchestrator.report.section import Heatmap, Intervals, Plot, Table

if TYPE_CHECKING:
    from jinja2 import Template

MOST_DATA = 60  # points of a plot that stand below it as a table too
FAINT, FULL = 0.0, 72.0  # per cent of colour in a cell at the middle, and as far from it as can be


class Cell(NamedTuple):
    """One of a head-to-head: its words, and how much of which colour."""

    words: str
    rests_on: str
    side: str  # more, less or even
    colour: int  # per cent


def to_html(sheet: Sheet) -> str:
    return _template().render(sheet=sheet, plots=plots.available(), hint=plots.HINT)


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    made.filters["prose"] = prose
    made.globals |= {
        "as_table": as_table,
        "bodies": bodies,
        "cells": heat,
        "drawing": drawing,
        "kind": lambda figure: type(figure).__name__.lower(),
        "middle": lambda figure: values.tick(figure.middle, figure.unit),
        "row_head": row_head,
        "said": said,
        "with_data": with_data,
    }
    return made.get_template("page.html.j2")


def prose(sentence: str) -> str:
    """A sentence as it is set: minus signs as such, and no line that begins with %."""
    return re.sub(r"(?<![^\s(\[<])-(?=\d)", "−", sentence).replace(" %", "\u00a0%")


def _clean(value: Any) -> Any:
    """Text without controls that make a line read differently."""
    if isinstance(value, values.Written):
        raise TypeError("a value and its interval are shown apart")
    return text.clean(value) if type(value) is str else value


def drawing(figure: Intervals | Plot, name: str) -> Any:
    """The figure as SVG, its texts escaped by whoever wrote the SVG."""
    from markupsafe import Markup

    return Markup(plots.svg(figure, name))


def with_data(figure: Intervals | Plot) -> bool:
    """Whether what a figure draws stands below it as well."""
    if isinstance(figure, Intervals):
        return bool(figure.rows)
    return 0 < sum(len(series.points) for series in figure.series) <= MOST_DATA


def bodies(table: Table) -> list[list[list[values.Written]]]:
    """The rows in words, those of one group together; a column of text keeps its hyphens."""
    rows = [
        [_typeset(told) if head.unit else told for told, head in zip(row, table.columns, strict=True)]
        for row in cell_texts(table)
    ]
    if len(table.groups) != len(rows):
        return [rows] if rows else []
    paired = groupby(zip(table.groups, rows, strict=True), key=lambda pair: pair[0])
    return [[row for _, row in group] for _, group in paired]


def _typeset(told: values.Written) -> values.Written:
    return values.Written(told.value.replace("-", "−"), told.interval.replace("-", "−"))


def heat(figure: Heatmap) -> list[list[Cell]]:
    """Of every cell its words, and the colour of the side that it favours: more the farther from the middle."""
    known = [value for row in figure.values for value in row if value is not None]
    farthest = max((abs(value - figure.middle) for value in known), default=0.0)
    if figure.unit == "share":
        farthest = max(figure.middle, 1 - figure.middle)
    told = cell_texts(as_table(figure))
    return [
        [
            _cell(
                value,
                told[down][across + 1].value,
                _rests_on(figure.counts, down, across),
                figure.middle,
                farthest,
            )
            for across, value in enumerate(row)
        ]
        for down, row in enumerate(figure.values)
    ]


def _cell(value: float | None, words: str, rests_on: str, middle: float, farthest: float) -> Cell:
    if value is None:
        return Cell(text.NOTHING, "", "none", 0)
    off = (value - middle) / farthest if farthest else 0.0
    side = "more" if off > 0 else "less" if off < 0 else "even"
    return Cell(words.replace("-", "−"), rests_on, side, round(FULL * min(1.0, abs(off))))


def _rests_on(counts: Sequence[Sequence[int]], down: int, across: int) -> str:
    return text.count(counts[down][across]) if counts else ""
