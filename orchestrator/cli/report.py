"""`orchestrator report RUN...`: all that can be said of runs together, in the form that one asks for.

What is said is the business of `orchestrator.report`, how it is drawn that of `orchestrator.cli.drawn`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli import text
from orchestrator.cli.records import read_all

if TYPE_CHECKING:
    from orchestrator.cli.drawn.sheet import Sheet


@click.command(
    short_help="All that can be said of runs: ratings, quality, money, in one page.",
    epilog="Exit status: 0 done, 1 a record could not be read, 2 wrong use or no record could be.",
)
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--only",
    metavar="NAME",
    multiple=True,
    help="Only this section, or a part of it such as money.bill; repeatable.",
)
@click.option("--json", "form", flag_value="json", help="For programs: all there is.")
@click.option(
    "--csv", "form", flag_value="csv", help="A table as --only names it, or all as files below --to DIR."
)
@click.option(
    "--markdown", "form", flag_value="markdown", help="For an issue or a README: sentences and tables."
)
@click.option("--html", "form", flag_value="html", help="One page with plots that opens from disk.")
@click.option("--to", type=click.Path(path_type=Path), help="Where to write it, instead of to the screen.")
def command(runs: tuple[Path, ...], only: tuple[str, ...], form: str | None, to: Path | None) -> None:
    """Report on RUNS together, by default on all of runs/*.

    Files that are no *.db are passed over, so that a shell's runs/* will do. A run that is still being played is
    reported as it stands.

    \b
    orchestrator report runs/NAME
    orchestrator report runs/* --html --to report.html
    orchestrator report runs/NAME --csv --only results.standings
    """
    from orchestrator.cli.drawn.delivery import check, told, write
    from orchestrator.cli.drawn.sheet import Unknown, narrowed, sheet_of
    from orchestrator.cli.drawn.terminal import draw
    from orchestrator.report.section import sections

    check(form, to)
    found, unread = read_all(runs)
    if not found:
        sys.exit(2)
    try:
        sheet = narrowed(sheet_of(found, sections(found), _again(runs, only, form, to)), only)
    except Unknown as error:
        raise click.BadParameter(str(error), param_hint="--only") from None
    if form == "csv":
        _csv(sheet, to)
    elif form is None:
        draw(sheet, text.console())
    else:
        write(told(sheet, form), to)
    sys.exit(1 if unread else 0)


def _again(runs: Sequence[Path], only: Sequence[str], form: str | None, to: Path | None) -> str:
    """The command that gives this report."""
    words = ["report", *map(str, runs)]
    words += [word for name in only for word in ("--only", name)]
    words += [f"--{form}"] if form else []
    return text.command(*words, *(["--to", str(to)] if to else []))


def _csv(sheet: Sheet, to: Path | None) -> None:
    """One table to the screen or to a file, several as files below a directory."""
    from orchestrator.cli.drawn.delivery import put, write
    from orchestrator.cli.drawn.plain import csv_files

    files = csv_files(sheet.sections)
    if len(files) == 1 and (to is None or to.suffix == ".csv"):
        write(next(iter(files.values())), to)
    elif to is None or to.suffix == ".csv":
        names = ", ".join(name.removesuffix(".csv") for name in files) or "nothing"
        raise click.UsageError(
            f"CSV is one table: name it with --only, or all go below a directory with --to DIR; there is {names}"
        )
    else:
        for name, what in files.items():
            put(what, to / name)
        click.echo(f"written: {text.plural(len(files), 'table')} below {to}", err=True)
