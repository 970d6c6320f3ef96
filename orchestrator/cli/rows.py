"""Players below each other with their figures beside: a table that keeps to the width of the terminal.

The first columns matter most: where there is no room for all, the last are left out, and whoever prints the
table says which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.cli import text

if TYPE_CHECKING:
    from rich.table import Table

NAME_WIDTH = 16  # before a longer name is folded


class Row(NamedTuple):
    """One player: by column, what stands there."""

    name: str
    cells: Mapping[str, str]
    ends: bool = False  # a gap follows


def fitting(rows: Sequence[Row], columns: Sequence[str], width: int) -> list[str]:
    """The first of the columns, at least one, that fit beside names folded at their least width."""
    left = list(columns)
    while len(left) > 1 and _width(rows, left) > width:
        left.pop()
    return left


def _width(rows: Sequence[Row], columns: Sequence[str]) -> int:
    return (
        NAME_WIDTH
        + 1
        + sum(2 + max(map(len, [name, *(row.cells[name] for row in rows)])) for name in columns)
    )


def standings(
    rows: Sequence[Row],
    columns: Sequence[str],
    *,
    first: str = "",
    name: str = "player",
    cut_to: int | None = None,
) -> Table:
    """The table with these columns; `first` may name a cell that stands before the player's name.

    A long name is folded or, where every player must keep to one line of a width, cut.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    made = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    if first:
        made.add_column(first, justify="right", no_wrap=True)
    if cut_to is None:
        made.add_column(name, overflow="fold", min_width=NAME_WIDTH)
    else:
        room = max(NAME_WIDTH, NAME_WIDTH + cut_to - _width(rows, columns))
        made.add_column(name, no_wrap=True, min_width=NAME_WIDTH, max_width=room)
    for column in columns:
        made.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        before = [row.cells[first]] if first else []
        player = Text(text.one_line(row.name, 80), "bold")
        made.add_row(*before, player, *(Text(row.cells[column]) for column in columns), end_section=row.ends)
    return made
