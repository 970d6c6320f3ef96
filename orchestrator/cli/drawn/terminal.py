"""A report in a terminal, at any width from 80 columns: sentences, tables, and figures where a sketch helps.

A table that is too wide goes on below with its rows' names repeated, so that nothing is left out. Intervals are
sketched beside each other, lines as a row of blocks, head-to-heads as the table they are; what is a cloud of points
is left to its table and to the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from orchestrator.cli import text
from orchestrator.cli.drawn import values
from orchestrator.cli.drawn.sheet import Sheet, as_table, bounds, cell_texts, row_head, said
from orchestrator.report.section import Estimated, Figure, Heatmap, Intervals, Plot, Section, Series, Table

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

NAME_WIDTH = 28  # the widest name beside a sketch
SKETCH_WIDTH = 48  # columns of a sketch where there is room
BLOCKS = "▁▂▃▄▅▆▇█"


def draw(sheet: Sheet, console: Console) -> None:
    for part in _parts(sheet, console.width):
        console.print(part)


def _parts(sheet: Sheet, width: int) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text(sheet.title, "bold")
    yield _facts(sheet)
    yield from (Text(warning, "bold red") for warning in sheet.warnings)
    for section in sheet.sections:
        yield Text("")
        yield Text(section.title, "bold underline")
        yield from _section(section, width)


def _facts(sheet: Sheet) -> RenderableType:
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid.grid(padding=(0, 2, 0, 0))
    for name, fact in sheet.facts:
        grid.add_row(Text(name, "dim"), Text(fact))
    return grid


def _section(section: Section, width: int) -> Iterator[RenderableType]:
    from rich.text import Text

    yield from (Text(text.one_line(sentence)) for sentence in section.says)
    for table in section.tables:
        yield Text("")
        yield from _table(table, width)
    for figure in section.figures:
        drawn = list(_figure(figure, width))
        if drawn:
            yield Text("")
            yield from drawn


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────


def _table(table: Table, width: int) -> Iterator[RenderableType]:
    """The table in as many blocks below each other as it takes."""
    from rich.text import Text

    yield Text(text.one_line(table.title), "italic")
    rows = cell_texts(table)
    for number, block in enumerate(_blocks(table, rows, width)):
        if number:
            yield Text("")
        yield _block(table, rows, block)
    yield from (Text(text.one_line(note), "dim") for note in table.notes)


def _blocks(table: Table, rows: Sequence[Sequence[values.Written]], width: int) -> Iterator[list[int]]:
    """Columns that fit beside each other, in each block those that name the row first."""
    head = row_head(table)
    widths = [_width(table, rows, place) for place in range(len(table.columns))]
    named = _naming(table, rows, head, widths, width)
    before = sum(min(widths[place], _most(place, head, width)) + 2 for place in named)
    block, used = list(named), before
    for place in range(len(named), len(table.columns)):
        if used + widths[place] > width and len(block) > len(named):
            yield block
            block, used = list(named), before
        block.append(place)
        used += widths[place] + 2
    yield block


def _naming(
    table: Table,
    rows: Sequence[Sequence[values.Written]],
    head: int | None,
    widths: Sequence[int],
    width: int,
) -> list[int]:
    """The first columns, up to the head and so many of text as tell rows apart where there is room for them."""
    if head is None:
        return []
    named = list(range(head + 1))
    while len({tuple(row[place] for place in named) for row in rows}) < len(rows):
        place = len(named)
        used = sum(widths[each] + 2 for each in named)
        if place == len(widths) or table.columns[place].unit or used + widths[place] > 3 * width // 5:
            break
        named.append(place)
    return named


def _most(place: int, head: int | None, width: int) -> int:
    """How wide a column may ask to be before it is folded."""
    return max(16, width // 3) if place == head else width


def _width(table: Table, rows: Sequence[Sequence[values.Written]], place: int) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, [text.one_line(table.columns[place].name), *(str(row[place]) for row in rows)]))


def _block(table: Table, rows: Sequence[Sequence[values.Written]], block: Sequence[int]) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as Drawn
    from rich.text import Text

    head = row_head(table)
    drawn = Drawn(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for place in block:
        column = table.columns[place]
        words = column.unit == ""
        drawn.add_column(
            Text(text.one_line(column.name)),
            justify="left" if words else "right",
            overflow="fold",
            no_wrap=not words,
            min_width=min(16, _width(table, rows, place)) if place == head else None,
        )
    for number, row in enumerate(rows):
        cells = [_cell(row[place], place == head) for place in block]
        drawn.add_row(*cells, end_section=_ends(table.groups, number))
    return drawn


def _cell(written: values.Written, head: bool) -> RenderableType:
    from rich.text import Text

    told = Text(written.value, "bold" if head else "")
    return told.append(f" {written.interval}", "dim") if written.interval else told


def _ends(groups: Sequence[object], row: int) -> bool:
    """Whether a gap follows: groups of one row each are not told apart so."""
    if row + 1 >= len(groups) or len(set(groups)) == len(groups):
        return False
    return groups[row] != groups[row + 1]


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────


def _figure(figure: Figure, width: int) -> Iterator[RenderableType]:
    from rich.text import Text

    if isinstance(figure, Heatmap):
        yield from _table(as_table(figure), width)
        yield Text(text.one_line(said(figure)), "dim")
    elif isinstance(figure, Intervals) and figure.rows:
        yield Text(f"{text.one_line(figure.title)}: {text.one_line(figure.x.label)}", "italic")
        yield from _intervals(figure, width)
    elif isinstance(figure, Plot) and any(_is_line(series) for series in figure.series):
        yield Text(text.one_line(figure.title), "italic")
        yield from _lines(figure, width)


def _intervals(figure: Intervals, width: int) -> Iterator[RenderableType]:
    """A line for each: its interval as ├──●──┤, open where a bound is unknown; below them the scale."""
    from rich.cells import set_cell_size
    from rich.text import Text

    told = [value for _, value in figure.rows]
    ends = [bound for value in told for bound in value if bound is not None]
    ends += [end for end in (figure.x.low, figure.x.high) if end is not None]
    low, high = min(ends), max(ends)
    names = max(min(NAME_WIDTH, max(len(text.one_line(name)) for name, _ in figure.rows)), 4)
    room = max(16, min(SKETCH_WIDTH, width - names - 2))
    grouped = len(set(figure.groups)) < len(figure.groups)
    for place, (name, value) in enumerate(figure.rows):
        if grouped and place and figure.groups[place] != figure.groups[place - 1]:
            yield Text("")
        line = Text(set_cell_size(text.one_line(name, names), names), "bold")
        yield line.append("  " + _interval(value, low, high, room), "")
    left, right = (values.tick(_tidy(end), figure.x.unit) for end in (low, high))
    yield Text(" " * (names + 2) + left + right.rjust(room - len(left)), "dim")


def _tidy(number: float) -> float:
    return float(f"{number:.3g}")


def _interval(value: Estimated, low: float, high: float, room: int) -> str:
    def at(number: float) -> int:
        return round((room - 1) * (number - low) / (high - low)) if high > low else room // 2

    begins, middle, ends = (
        at(low if value.low is None else value.low),
        at(value.value),
        at(high if value.high is None else value.high),
    )
    line = [" "] * room
    line[begins : ends + 1] = "─" * (ends + 1 - begins)
    line[begins] = "◄" if value.low is None else "├"
    line[ends] = "►" if value.high is None else "┤"
    line[middle] = "●"
    return "".join(line)


def _is_line(series: Series) -> bool:
    return series.drawn != "points" and len(series.points) > 1


def _lines(plot: Plot, width: int) -> Iterator[RenderableType]:
    """A row of blocks for each line, all on one scale, with where it begins and ends."""
    from rich.cells import set_cell_size
    from rich.text import Text

    lines = [series for series in plot.series if _is_line(series)]
    heights = [bounds(point.y).value for series in lines for point in series.points]
    low, high = min(heights), max(heights)
    names = max(min(NAME_WIDTH, max(len(text.one_line(series.name)) for series in lines)), 4)
    room = max(16, min(SKETCH_WIDTH, width - names - 26))
    for series in lines:
        ys = [bounds(point.y).value for point in series.points]
        first, last = values.column([ys[0], ys[-1]], plot.y.unit)
        line = Text(set_cell_size(text.one_line(series.name, names), names), "bold")
        yield line.append(f"  {_blocks_of(ys, low, high, room)}  {first} → {last}", "")
    xs = [bounds(point.x).value for series in lines for point in series.points]
    ends = " to ".join(values.tick(_tidy(end), plot.x.unit) for end in (min(xs), max(xs)))
    span = " to ".join(values.tick(_tidy(end), plot.y.unit) for end in (low, high))
    yield Text(f"{text.one_line(plot.y.label)}, {span}, over {text.one_line(plot.x.label)}, {ends}.", "dim")


def _blocks_of(ys: Sequence[float], low: float, high: float, room: int) -> str:
    """At most `room` blocks, each the mean of its stretch."""
    count = min(room, len(ys))
    means = []
    for number in range(count):
        stretch = ys[number * len(ys) // count : (number + 1) * len(ys) // count]
        means.append(sum(stretch) / len(stretch))
    top = len(BLOCKS) - 1
    return "".join(
        BLOCKS[round(top * (mean - low) / (high - low)) if high > low else top // 2] for mean in means
    )
