"""`orchestrator grade RUN...`: how well each player chose, against a solver or search, with intervals.

Options, progress and printing. Whose decisions are joined is said in `orchestrator.quality`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import text
from orchestrator.cli.rows import Row, fitting, standings

if TYPE_CHECKING:
    from orchestrator.grades import Decided, Report
    from orchestrator.quality import Board, Line
    from orchestrator.ratings.shares import Share

COLUMNS = ("accuracy", "best", "regret", "blunders", "chance", "moves", "exact")  # the last go first
LEGEND = (
    "Accuracy: 1 - regret / stakes. Best: moves that nothing beats; chance: what drawing moves would get.",
    "Regret: best value less the move's, a win being 1 and a loss -1. Blunder: a regret of 0.3 or more.",
    "95 % intervals count matches, not moves. Moves without a choice, and fallbacks, are left out.",
)
BAND = 10  # plies that a line of --by ply has
EVERY_S = 0.2  # between two looks of the progress line


@click.command(
    short_help="How well each move was chosen, against a solver or search.",
    epilog="Exit status: 0 all graded, 1 some could not be, 2 wrong use or nothing to read, 130 interrupted.",
)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--method",
    default="auto",
    show_default=True,
    metavar="exact|search:N|auto[:N]",
    help="By solvers alone; by N simulations a position; or a solver where one reaches, else search.",
)
@click.option("--game", metavar="NAME", default="", help="Only this game.")
@click.option("--match", "matches", metavar="ID", multiple=True, help="Only matches whose ids end so.")
@click.option(
    "--by", type=click.Choice(["seat", "ply"]), help="A line for each seat, or for every ten plies."
)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes.  [default: one for each core]")
@click.option("--json", "as_json", is_flag=True, help="For programs; every seat and ply.")
def command(
    runs: tuple[Path, ...],
    method: str,
    game: str,
    matches: tuple[str, ...],
    by: str | None,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Grade every decision of RUNS: what each legal move was worth, and what was given away.

    Grades are kept in the records, and what is kept is not graded again unless the method is better. A run that is
    being played is graded without touching its record.

    \b
    orchestrator grade runs/NAME
    orchestrator grade runs/* --game othello --method search:20000 --json
    """
    from concurrent.futures.process import BrokenProcessPool

    from orchestrator.grades import Filter, Method, grade_run
    from orchestrator.quality import boards_of
    from orchestrator.record.database import RecordError

    try:
        how = Method.parse(method)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--method") from None
    reports, progress = [], Progress()
    meant = [path for path in runs if path.suffix == ".db" or not path.is_file()]
    for path in meant:
        progress.begin(path)
        try:
            reports.append(grade_run(path, how, Filter(game, matches), jobs or os.cpu_count() or 1, progress))
        except RecordError as error:
            progress.end()
            click.echo(f"left out: {text.one_line(str(error), 400)}", err=True)
        except ValueError as error:  # the book of Connect 4 is missing or damaged
            progress.end()
            raise click.ClickException(text.one_line(str(error), 400)) from error
        except (KeyboardInterrupt, BrokenProcessPool) as ended:
            progress.end()
            what = (
                "interrupted" if isinstance(ended, KeyboardInterrupt) else "a process was ended from outside"
            )
            click.echo(f"{what}: grades so far are on record, the same command goes on from there", err=True)
            sys.exit(130)
        progress.end()
    boards = boards_of(reports)
    if as_json:
        told = {
            "runs": [run_json(each) for each in reports],
            "boards": [board_json(board) for board in boards],
        }
        click.echo(json.dumps(told, indent=2, allow_nan=False))
    else:
        _print(reports, boards, by)
    whole = len(reports) == len(meant) and not any(each.ungraded or each.unread for each in reports)
    sys.exit(0 if whole else 1 if reports else 2)


class Progress:
    """One line on a terminal, overwritten; nothing elsewhere."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._name = ""
        self._began = self._last = 0.0

    def begin(self, path: Path) -> None:
        self._name = text.one_line(str(path), 40)
        self._began = monotonic()

    def __call__(self, done: int, of: int) -> None:
        now = monotonic()
        if self._shown and now - self._last >= EVERY_S:
            self._last = now
            passed = text.duration(now - self._began)
            click.echo(f"\r\x1b[K{self._name}: {done:,} of {of:,} positions, {passed}", nl=False, err=True)

    def end(self) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)


# ── for programs ─────────────────────────────────────────────────────────────────────────────────────


def run_json(report: Report) -> dict[str, Any]:
    return {
        "run": report.run,
        "path": str(report.path),
        "decisions": len(report.decisions) + report.ungraded + sum(report.unread.values()) + report.forced,
        "graded": len(report.decisions),
        "graded_now": report.graded,
        "positions_searched": report.searched,
        "without_choice": report.forced,
        "beyond_method": report.ungraded,
        "unreadable": report.unread,
        "not_kept": report.kept or None,
    }


def board_json(board: Board) -> dict[str, Any]:
    return {
        "game": board.game,
        "variant": json.loads(board.variant),
        "players": [line_json(line) for line in board.ranked()],
    }


def line_json(line: Line) -> dict[str, Any]:
    from orchestrator.quality import parts

    return {
        "name": line.name,
        "spec": line.spec,
        "hash": line.hash,
        "stand_in": line.stand_in,
        **quality_json(line.decisions),
        "by_seat": {seat: quality_json(some) for seat, some in parts(line.decisions, "seat").items()},
        "by_ply": {ply: quality_json(some) for ply, some in parts(line.decisions, "ply").items()},
    }


def quality_json(decisions: Sequence[Decided]) -> dict[str, Any]:
    """Means, each with the ends of its 95 % interval."""
    from orchestrator.quality import figures

    found = figures(decisions)
    if found is None:
        return {"decisions": 0}
    told: dict[str, Any] = {
        "decisions": found.decisions,
        "matches": found.matches,
        "exact": sum(each.known is not None and each.known.exact for each in decisions),
        "chance": round(found.chance, 6),
    }
    for name in ("accuracy", "best", "regret", "blunders"):
        share: Share | None = getattr(found, name)
        told[name] = share and round(share.mean, 6)
        told[f"{name}_low"] = share and round(share.low, 6)
        told[f"{name}_high"] = share and round(share.high, 6)
    return told


# ── for people ───────────────────────────────────────────────────────────────────────────────────────


def _print(reports: Sequence[Report], boards: Sequence[Board], by: str | None) -> None:
    from rich.text import Text

    console = text.console()
    for board in boards:
        rows = [row for line in board.ranked() for row in _rows(line, by)]
        columns = fitting(rows, COLUMNS, console.width)
        console.print(Text(text.one_line(board.title), "bold"))
        console.print(standings(rows, columns))
        if len(columns) < len(COLUMNS):
            console.print(f"No room here for: {', '.join(COLUMNS[len(columns) :])} (all in --json).")
        console.print()
    if boards:
        for note in LEGEND:
            console.print(Text(note, "dim"))
    for report in reports:
        for note in notes(report):
            console.print(note, soft_wrap=True)


def notes(report: Report) -> list[str]:
    """What was done for a run, and what could not be."""
    name = text.one_line(str(report.path))
    found = [
        f"{name}: {text.plural(report.graded, 'decision')} graded now ({text.plural(report.searched, 'position')}), "
        f"{len(report.decisions):,} in all, {report.forced:,} without a choice"
    ]
    if report.kind == "probe":
        found.append(f"{name}: what that says of a probe: {text.command('show', str(report.path))}")
    if report.kept:
        found.append(f"{name}: the grades are not on record: {text.one_line(report.kept)}")
    if report.ungraded:
        found.append(
            f"{name}: {text.plural(report.ungraded, 'decision')} that no solver reaches: --method auto searches"
        )
    found += [
        f"{name}: {text.plural(many, 'decision')} cannot be graded: {text.one_line(reason, 300)}"
        for reason, many in report.unread.items()
    ]
    return found


def _rows(line: Line, by: str | None) -> list[Row]:
    found = [Row(line.name, _cells(line.decisions))]
    if by is not None:
        from orchestrator.quality import parts

        for number, some in parts(line.decisions, by, BAND).items():
            where = f"seat {number + 1}" if by == "seat" else f"plies {number + 1}–{number + BAND}"
            found.append(Row(f"  {where}", _cells(some)))
    return found


def _cells(decisions: Sequence[Decided]) -> dict[str, str]:
    from orchestrator.quality import figures

    found = figures(decisions)
    if found is None:
        return dict.fromkeys(COLUMNS, text.NOTHING)
    exact = sum(each.known is not None and each.known.exact for each in decisions)
    return {
        "accuracy": _percent(found.accuracy),
        "best": _percent(found.best),
        "regret": f"{found.regret.mean:.3f} [{found.regret.low:.3f}, {found.regret.high:.3f}]",
        "blunders": _percent(found.blunders),
        "chance": text.percent(found.chance, 1),
        "moves": text.count(found.decisions),
        "exact": text.percent(exact, found.decisions),
    }


def _percent(share: Share | None) -> str:
    if share is None:
        return text.NOTHING
    return f"{100 * share.mean:.1f} % [{100 * share.low:.0f}, {100 * share.high:.0f}]"
