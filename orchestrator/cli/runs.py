"""`orchestrator runs`: the runs that there are, newest first, and how each of them stands."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import text

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

WRONG_USE = 2  # nothing of what was named is a run
ROOM_FOR_BEGAN = 96  # columns from where it has one of its own
STYLES = {
    "running": "green",
    "paused": "yellow",
    "finished": "default",
    "budget reached": "yellow",
    "died": "bold red",
    "failed": "red",
}


@click.command(short_help="The runs that there are, and how each of them stands.")
@click.argument("places", nargs=-1, metavar="[DIR]...", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(places: tuple[Path, ...], as_json: bool) -> None:
    """List the runs in DIR, by default in runs/: directories of runs, or folders of them; newest first.

    A run that `died` says that it is being played, but nobody plays it: it can go on where it stands.
    `orchestrator status RUN` tells more of one.
    """
    found, unread = read(places)
    nothing_there = WRONG_USE if places and unread and not found else 0
    if as_json:
        click.echo(json.dumps({"runs": found, "unreadable": unread}, indent=2, allow_nan=False))
        sys.exit(nothing_there)
    console = text.console()
    if found:
        console.print(table(found, console.width, time.time()))
    elif not unread:
        console.print("No runs here. Play one: orchestrator duel bot:mcts:200 vs bot:greedy")
    for each in unread:
        console.print(f"left out: {text.one_line(each['why'], 300)}", style="dim")
    sys.exit(nothing_there)


def read(places: Sequence[Path]) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Runs at a glance, newest first; and what is no run that can be read, with the reason."""
    from orchestrator import overview

    found, unread = [], []
    for place in places or [overview.RUNS] * overview.RUNS.is_dir():
        try:
            directories = overview.runs_in(place)
        except overview.NoRun as error:
            unread.append({"output": str(place), "why": str(error)})
            continue
        for directory in directories:
            try:
                found.append(overview.glance(directory))
            except overview.NoRun as error:
                unread.append({"output": str(directory), "why": str(error)})
    return sorted(found, key=lambda run: -run["created"]), unread


def table(found: Sequence[dict[str, Any]], width: int, now: float) -> Table:
    """Two lines a run: its figures beside its name, and who plays what."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    made = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False, expand=True)
    made.add_column("run", ratio=1, no_wrap=True, overflow="ellipsis")
    made.add_column("status", no_wrap=True)
    made.add_column("games", justify="right", no_wrap=True)
    made.add_column("spent", justify="right", no_wrap=True)
    if width >= ROOM_FOR_BEGAN:
        made.add_column("began", justify="right", no_wrap=True)
    made.add_column("last", justify="right", no_wrap=True)
    for run in found:
        cells: list[RenderableType] = [
            Text(text.one_line(Path(run["output"]).name), "bold")
            + Text(f"\n{run['kind']} {_what(run)}", "not bold dim"),
            Text(text.one_line(run["status"], 20), STYLES.get(run["status"], "default")),
            Text(games(run["finished_matches"], run["planned"])),
            _spent(run),
            Text(ago(run["last"], now)),
        ]
        if width >= ROOM_FOR_BEGAN:
            cells.insert(4, Text(moment(run["created"], now)))
        made.add_row(*cells)
    return made


def _what(run: dict[str, Any]) -> str:
    return text.one_line(f"{run['who']} · {run['game']}", 200)


def _spent(run: dict[str, Any]) -> RenderableType:
    from rich.text import Text

    spent = Text(text.dollars(run["spent_usd"]))
    if run["possibly_usd"]:
        spent.append(f"\n+ {text.dollars(run['possibly_usd'])}?", "dim")
    return spent


def games(finished: int, planned: int | None) -> str:
    return f"{finished:,}" if planned is None else f"{finished:,}/{planned:,}"


def ago(then: float, now: float) -> str:
    """just now, 12 min ago, 3 h ago, 5 days ago."""
    seconds = now - then
    if seconds < 60:
        return "just now" if seconds > -60 else "in the future"
    for size, unit in ((86_400, "day"), (3600, "h"), (60, "min")):
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {unit}{'s' if unit == 'day' and number > 1 else ''} ago"
    raise AssertionError("a minute is the least")


def moment(then: float, now: float) -> str:
    """15:04 of today, 20 Nov 15:04 of this year, 20 Nov 2026 before; local time."""
    local, today = time.localtime(then), time.localtime(now)
    if local[:3] == today[:3]:
        return time.strftime("%H:%M", local)
    return time.strftime("%d %b %H:%M" if local.tm_year == today.tm_year else "%d %b %Y", local)
