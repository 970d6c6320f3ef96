"""The table of the engine in docs/results.md is one that the benchmark writes."""

from __future__ import annotations

import re

from benchmarks.engine.rows import TABLES
from benchmarks.engine.sides import SIDES
from benchmarks.page import RESULTS


def test_every_row_that_is_published_is_measured() -> None:
    section = RESULTS.read_text("utf-8").partition("<!-- engine -->")[2].partition("<!-- /engine -->")[0]
    published = [line.split(" | ")[0][2:] for line in section.splitlines() if re.match(r"\| \S.* \| ", line)]
    labels = [row.label for rows in TABLES.values() for row in rows]
    assert [label for label in published if label not in ("per CPU second", "---")] == labels


def test_every_measure_has_a_side() -> None:
    rows = [row for rows in TABLES.values() for row in rows]
    measures = [measure for row in rows for measure in (row.ours, *row.theirs.values())]
    assert {measure.partition("/")[0] for measure in measures} == set(SIDES)
