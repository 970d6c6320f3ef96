"""A report for programs and for pages of text: JSON with all there is, a table as CSV, Markdown."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

from orchestrator.cli import text
from orchestrator.cli.drawn.sheet import Sheet, as_table, cell_texts, parts_of, row_head, said
from orchestrator.report.section import (
    Axis,
    Estimated,
    Figure,
    Heatmap,
    Intervals,
    Plot,
    Section,
    Table,
    Value,
)

# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────


def to_json(sheet: Sheet) -> dict[str, Any]:
    """All there is; an estimated value has `low`, `value` and `high`."""
    return {
        "title": sheet.title,
        "facts": dict(sheet.facts),
        "warnings": list(sheet.warnings),
        "runs": [dict(run) for run in sheet.runs],
        "sections": [_section_json(each) for each in sheet.sections],
        "version": sheet.version,
    }


def _section_json(section: Section) -> dict[str, Any]:
    return {
        "key": section.key,
        "title": section.title,
        "says": list(section.says),
        "tables": [_table_json(table) for table in section.tables],
        "figures": [_figure_json(figure) for figure in section.figures],
    }


def _table_json(table: Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "title": table.title,
        "columns": [{"name": head.name, "unit": head.unit} for head in table.columns],
        "rows": [[_value_json(value) for value in row] for row in table.rows],
        "groups": list(table.groups),
        "notes": list(table.notes),
    }


def _figure_json(figure: Figure) -> dict[str, Any]:
    told = {"name": figure.name, "title": figure.title, "says": said(figure)}
    if isinstance(figure, Heatmap):
        return told | {
            "kind": "heatmap",
            "unit": figure.unit,
            "middle": figure.middle,
            "rows": list(figure.rows),
            "columns": list(figure.columns),
            "values": [list(row) for row in figure.values],
            "counts": [list(row) for row in figure.counts],
        }
    if isinstance(figure, Intervals):
        return told | {
            "kind": "intervals",
            "x": _axis_json(figure.x),
            "rows": [{"name": name, **_estimated_json(value)} for name, value in figure.rows],
            "groups": list(figure.groups),
        }
    return told | {
        "kind": "plot",
        "x": _axis_json(figure.x),
        "y": _axis_json(figure.y),
        "diagonal": figure.diagonal,
        "series": _series_json(figure),
    }


def _axis_json(axis: Axis) -> dict[str, Any]:
    return axis._asdict()


def _series_json(plot: Plot) -> list[dict[str, Any]]:
    return [
        {
            "name": series.name,
            "drawn": series.drawn,
            "points": [
                {
                    "x": _value_json(point.x),
                    "y": _value_json(point.y),
                    "label": point.label,
                    "weight": point.weight,
                }
                for point in series.points
            ],
        }
        for series in plot.series
    ]


def _value_json(value: Value) -> Any:
    return _estimated_json(value) if isinstance(value, Estimated) else value


def _estimated_json(value: Estimated) -> dict[str, float | None]:
    return value._asdict()


# ── CSV ──────────────────────────────────────────────────────────────────────────────────────────────


def to_csv(table: Table) -> str:
    """A table with plain numbers; an estimated value takes three columns, the bounds `_low` and `_high`.

    No text begins as a formula of a spreadsheet would.
    """
    estimated = [
        any(isinstance(row[place], Estimated) for row in table.rows) for place in range(len(table.columns))
    ]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        name
        for head, wide in zip(table.columns, estimated, strict=True)
        for name in _heads(text.formula_free(head.name), wide)  # a player's name heads a column of a matrix
    )
    for row in table.rows:
        writer.writerow(
            part for value, wide in zip(row, estimated, strict=True) for part in _csv_parts(value, wide)
        )
    return stream.getvalue()


def _heads(name: str, wide: bool) -> list[str]:
    return [name, f"{name}_low", f"{name}_high"] if wide else [name]


def _csv_parts(value: Value, wide: bool) -> Iterator[Any]:
    if isinstance(value, Estimated):
        yield from (value.value, value.low, value.high)
        return
    yield text.formula_free(value) if isinstance(value, str) else value
    if wide:
        yield from (None, None)


def csv_files(sections: Iterable[Section]) -> dict[str, str]:
    """Of every table, and of what every figure draws, the name of its file and what stands in it."""
    return {f"{name}.csv": to_csv(table) for section in sections for name, table in parts_of(section).items()}


# ── Markdown ─────────────────────────────────────────────────────────────────────────────────────────


def to_markdown(sheet: Sheet) -> str:
    """For an issue or a README: sentences and tables; of the figures, head-to-heads as tables."""
    parts = [
        f"# {text.markdown(sheet.title)}",
        "\n".join(f"- {text.markdown(name)}: {text.markdown(fact)}" for name, fact in sheet.facts),
        *(f"**{text.markdown(warning)}**" for warning in sheet.warnings),
    ]
    for section in sheet.sections:
        parts += _section_markdown(section)
    return "\n\n".join(parts) + f"\n\n---\nduelist {text.markdown(sheet.version)} · {_code(sheet.again)}\n"


def _section_markdown(section: Section) -> Iterator[str]:
    yield f"## {text.markdown(section.title)}"
    yield from (text.markdown(sentence) for sentence in section.says)
    for table in section.tables:
        yield f"**{text.markdown(table.title)}**"
        yield _table_markdown(table)
        yield from (f"<sub>{text.markdown(note)}</sub>" for note in table.notes)
    for figure in section.figures:
        if isinstance(figure, Heatmap):
            yield f"**{text.markdown(figure.title)}**"
            yield _table_markdown(as_table(figure))
            yield f"<sub>{text.markdown(said(figure))}</sub>"


def _table_markdown(table: Table) -> str:
    left = row_head(table)
    heads = [text.markdown(head.name) for head in table.columns]
    marks = [
        "---" if place == left or head.unit == "" else "---:" for place, head in enumerate(table.columns)
    ]
    rows = [
        [" ".join(filter(None, (text.markdown(told.value), told.interval))) for told in row]
        for row in cell_texts(table)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, marks, *rows])


def _code(foreign: str) -> str:
    """A command in a fence that it does not hold itself."""
    told = text.one_line(foreign)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", told)), default=0))
    return f"{fence} {told} {fence}" if "`" in told else f"`{told}`"
