"""The runs that a command over many records is given, by their directories or files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli import text

if TYPE_CHECKING:
    from orchestrator.report.section import Run


def read_all(runs: Sequence[Path]) -> tuple[list[Run], int]:
    """What came of these runs, or of all of runs/*, and how many records could not be read; each is told on stderr.

    Files that are no *.db are passed over, so that a shell's runs/* will do.
    """
    from orchestrator.record.database import RecordError
    from orchestrator.report.section import read

    paths = [path for path in runs if path.suffix == ".db" or not path.is_file()]
    if not runs:
        paths = sorted(path.parent for path in Path("runs").glob("*/record.db"))
    if not paths:
        raise click.UsageError("no records below runs/: play a duel first, or name the runs' directories")
    found: list[Run] = []
    for path in paths:
        try:
            found += read([path])
        except RecordError as error:
            click.echo(f"left out: {text.one_line(str(error), 400)}", err=True)
    return found, len(paths) - len(found)
