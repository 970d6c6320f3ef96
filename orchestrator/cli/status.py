"""`orchestrator status RUN`: how one run stands, played or ended, from its record alone."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import text
from orchestrator.cli.rows import Row, fitting, standings
from orchestrator.cli.runs import STYLES, ago, games, moment

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

EVERY_S = 2.0
COLUMNS = ("cost", "calls", "failed", "legal", "p50", "p95", "moves", "tokens in", "tokens out")
WAVES_SHOWN = 8
BAR_WIDTH = 24


@click.command(short_help="How a run stands: pace, bill, failures, and how to go on.")
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="For programs; with --watch one object per line.")
@click.option("--watch", "watching", is_flag=True, help="Look again every 2 s until nobody plays the run.")
def command(run: str, as_json: bool, watching: bool) -> None:
    """How RUN stands, while it is played and afterwards: progress, pace, bill, failures, and how to go on.

    RUN is a run's directory, its name in runs/, or an unambiguous end of that name. Looking at a run disturbs
    nobody who plays it.
    """
    from orchestrator import overview

    try:
        directory = overview.find_run(run)
        if watching:
            sys.exit(watch(directory, as_json))
        show(overview.standing(directory), as_json)
    except overview.NoRun as error:
        raise click.UsageError(text.clean(str(error))) from None


def show(standing: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(standing, indent=2, allow_nan=False))
        return
    _print(standing, text.console())


def _print(standing: Mapping[str, Any], console: Console) -> None:
    console.print(screen(standing, console.width, time.time()))
    console.print(next_step(standing), soft_wrap=True)  # a command that is to be pasted stays on one line


def watch(directory: Path, as_json: bool, every_s: float = EVERY_S) -> int:
    """Until nobody plays it, or Ctrl-C: the exit status."""
    try:
        if as_json:
            for standing in _looks(directory, every_s):
                click.echo(json.dumps(standing, allow_nan=False))
        elif sys.stdout.isatty():
            _redraw(directory, every_s)
        else:
            for standing in _looks(directory, every_s):
                click.echo(line(standing))
                sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    return 0


def _looks(directory: Path, every_s: float) -> Iterator[dict[str, Any]]:
    from orchestrator import overview

    while True:
        standing = overview.standing(directory)
        yield standing
        if standing["status"] not in overview.GOING:
            return
        time.sleep(every_s)


def _redraw(directory: Path, every_s: float) -> None:
    from rich.console import Group
    from rich.live import Live

    console = text.console()
    looks = _looks(directory, every_s)
    standing = next(looks)
    with Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop") as live:
        try:
            while True:
                now = Group(screen(standing, console.width, time.time()), next_step(standing))
                live.update(now, refresh=True)
                standing = next(looks)
        except StopIteration:
            pass
    _print(standing, console)


# ── in a line ────────────────────────────────────────────────────────────────────────────────────


def line(standing: Mapping[str, Any]) -> str:
    """15:04:05  running  23/50 games · 812 moves · $1.23 · 41 games/h · 38 min left"""
    matches = standing["matches"]
    parts = [
        f"{games(matches['finished'], matches['planned'])} games",
        f"{standing['decisions']:,} moves",
        text.dollars(standing["cost"]["spent_usd"]),
        *_pace(standing)[:1],
        *_time_left(standing),
    ]
    return f"{time.strftime('%H:%M:%S')}  {text.one_line(standing['status'], 20)}  {' · '.join(parts)}"


def _pace(standing: Mapping[str, Any]) -> list[str]:
    rate = standing["rate"]
    if not rate:
        return []
    parts = [f"{_number(rate['matches_per_hour'])} games/h", f"{_number(rate['decisions_per_hour'])} moves/h"]
    if rate["calls_per_hour"]:
        parts.append(f"{_number(rate['calls_per_hour'] / 60)} calls/min")
    if rate["usd_per_hour"]:
        parts.append(f"{text.dollars(rate['usd_per_hour'])}/h")
    return parts


def _time_left(standing: Mapping[str, Any]) -> list[str]:
    rate = standing["rate"]
    return [] if not rate or rate["left_s"] is None else [f"{text.duration(rate['left_s'])} left"]


def _number(value: float) -> str:
    return f"{value:.1f}" if value < 10 else text.count(round(value))


# ── whole ────────────────────────────────────────────────────────────────────────────────────────


def screen(standing: Mapping[str, Any], width: int, now: float) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, said in _facts(standing):
        facts.add_row(name, said)
    after = Table.grid(padding=(0, 2))
    after.add_column(style="dim", no_wrap=True)
    after.add_column(overflow="fold")
    for name, said in _after(standing, now):
        after.add_row(name, said)
    return Group(
        Text(text.one_line(standing["output"]), "bold"),
        Text(_asked(standing)),
        _status(standing, now),
        Text(""),
        facts,
        Text(""),
        _players(standing, width),
        Text(""),
        after,
    )


def _asked(standing: Mapping[str, Any]) -> str:
    """What was asked, in a line."""
    request = standing["request"]
    parts = [standing["kind"], standing["who"], standing["game"], f"seed {standing['seed']}"]
    parts.append(f"{request.get('concurrency', 1)} at once")
    return text.one_line(" · ".join(parts), 400)


def _status(standing: Mapping[str, Any], now: float) -> RenderableType:
    from rich.text import Text

    status = text.one_line(standing["status"], 20)
    line = Text(status, STYLES.get(status, "default") + " bold")
    line.append(f" · began {moment(standing['created'], now)}", "default not bold")
    last = "ended" if standing["finished"] else "last active"
    line.append(f" · {last} {ago(standing['finished'] or standing['last'], now)}", "default not bold")
    if standing["reason"] and standing["reason"] != standing["status"]:
        line.append(f"\n{text.one_line(standing['reason'], 400)}", "default not bold")
    return line


def _facts(standing: Mapping[str, Any]) -> Iterator[tuple[str, RenderableType]]:
    yield "games", _games(standing)
    made = [f"{standing['decisions']:,} moves", f"{standing['calls']:,} calls"]
    if standing["out"]:
        made.append(f"{standing['out']:,} calls out")
    yield "done", " · ".join(made)
    if pace := _pace(standing) + _time_left(standing):
        yield "pace", f"{' · '.join(pace)} (of the last {text.duration(standing['rate']['window_s'])})"
    yield "money", _money(standing)
    tokens = standing["tokens"]
    if any(tokens.values()):
        read, cached, written, thought = (
            text.count(tokens[name]) for name in ("input", "cached", "output", "reasoning")
        )
        yield (
            "tokens",
            f"{read} in, {cached} of them from the cache · {written} out, {thought} of them thinking",
        )


def _games(standing: Mapping[str, Any]) -> RenderableType:
    from rich.text import Text

    matches = standing["matches"]
    parts = [games(matches["finished"], matches["planned"])]
    for name, said in (("open", "not over"), ("void", "void")):
        if matches[name]:
            parts.append(f"{matches[name]:,} {said}")
    bar = Text()
    if matches["planned"]:
        full = min(BAR_WIDTH, BAR_WIDTH * matches["finished"] // matches["planned"])
        bar = Text("━" * full, "green") + Text("━" * (BAR_WIDTH - full), "bright_black") + Text("  ")
    return bar + Text(" · ".join(parts))


def _money(standing: Mapping[str, Any]) -> str:
    cost = standing["cost"]
    parts = [f"{text.dollars(cost['spent_usd'])} spent"]
    if cost["possibly_usd"]:
        parts.append(f"up to {text.dollars(cost['possibly_usd'])} more possibly billed")
    if cost["out_usd"]:
        parts.append(f"up to {text.dollars(cost['out_usd'])} for calls that are out")
    if cost["budget_usd"] is not None:
        parts.append(f"{text.dollars(cost['left_usd'])} left of {text.dollars(cost['budget_usd'])}")
    parts += [
        f"{text.dollars(player['left_usd'])} left of {text.dollars(player['budget_usd'])} for "
        f"{text.one_line(player['label'], 40)}"
        for player in standing["players"]
        if player["budget_usd"] is not None
    ]
    if cost["unpriced_calls"]:
        parts.append(f"{cost['unpriced_calls']:,} calls without a known price")
    return " · ".join(parts)


def _players(standing: Mapping[str, Any], width: int) -> RenderableType:
    """Those who are asked in words; everybody, where nobody is."""
    from orchestrator.overview import NO_MODELS

    models = [player for player in standing["players"] if player["kind"] not in NO_MODELS]
    rows = [Row(player["label"], _figures(player)) for player in models or standing["players"]]
    columns = fitting(rows, COLUMNS if models else ("moves",), width)
    return standings(rows, columns, cut_to=width)


def _figures(player: Mapping[str, Any]) -> dict[str, str]:
    took = [
        text.NOTHING if ms is None else text.duration(ms / 1000)
        for ms in (player["latency_ms"], player["latency_p95_ms"])
    ]
    return {
        "cost": text.dollars(player["cost_usd"]),
        "calls": f"{player['calls']:,}",
        "failed": f"{player['failed_calls']:,}",
        "legal": text.percent(player["asked"] - player["wrong_first"], player["asked"]),
        "p50": took[0],
        "p95": took[1],
        "moves": f"{player['decisions']:,}",
        "tokens in": text.count(player["input_tokens"]),
        "tokens out": text.count(player["output_tokens"]),
    }


def _after(standing: Mapping[str, Any], now: float) -> Iterator[tuple[str, RenderableType]]:
    """What went wrong, and what is out."""
    yield from _wrong(standing)
    for number, wave in enumerate(standing["waves"][:WAVES_SHOWN]):
        batch = f" · {text.one_line(wave['batch'], 60)}" if wave["batch"] else ""
        yield (
            "" if number else "waves out",
            f"{wave['id'].rpartition('-')[2]}  {text.one_line(wave['player'], 40)} · {wave['calls']:,} calls · "
            f"{text.one_line(wave['status'], 20)} for {text.duration(max(0, wave['age_s']))}{batch}",
        )
    if len(standing["waves"]) > WAVES_SHOWN:
        yield "", f"and {len(standing['waves']) - WAVES_SHOWN} more"
    for number, each in enumerate(standing["trouble"]):
        at = moment(each["at"], now) if each["at"] else ""
        times = f" ({each['times']:,} times)" if each["times"] > 1 else ""
        said = text.one_line(f"{at} {each['of']}: {each['what']}: {each['text']}", 280) + times
        yield "" if number else "trouble", said


def _wrong(standing: Mapping[str, Any]) -> Iterator[tuple[str, RenderableType]]:
    newest = standing["failures_of_newest"]
    for name, of in (("failures", "failed calls"), ("forfeits", "forfeits")):
        for player in standing["players"]:
            if kinds := player[name]:
                listed = ", ".join(f"{text.one_line(kind, 30)} {count:,}" for kind, count in kinds.items())
                few = (
                    f" (of the newest {newest:,} matches that had some)"
                    if newest and name == "failures"
                    else ""
                )
                yield of, f"{text.one_line(player['label'], 40)}: {listed}{few}"
                of = ""


def next_step(standing: Mapping[str, Any]) -> Text:
    """What to type now."""
    from rich.text import Text

    output = standing["output"]
    if standing["go_on"]:
        return Text("go on with: ", "dim") + Text(text.command(*standing["go_on"]), "bold")
    if standing["status"] == "running":
        return Text("hold it with: ", "dim") + Text(text.command("pause", output), "bold")
    return Text("what came of it: ", "dim") + Text(text.command("show", output), "bold")
