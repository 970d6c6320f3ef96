"""`orchestrator convert IN OUT`: a table from one file format to another."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from orchestrator.cli import text


@click.command(
    short_help="A table as JSONL, Parquet or NPZ, from one to another.",
    epilog="Exit status: 0 done, 2 wrong use or a file that cannot be read.",
)
@click.argument("source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("to", metavar="OUT", type=click.Path(dir_okay=False, path_type=Path))
def command(source: Path, to: Path) -> None:
    """Write OUT as what IN holds, by their suffixes: .jsonl, .parquet, .npz. Types are kept, and so is every value.

    \b
    orchestrator convert data/NAME/connect4.npz connect4.jsonl
    orchestrator convert data/NAME/tables/decisions.parquet decisions.jsonl
    """
    from orchestrator.export.arrays import MISSING
    from orchestrator.export.convert import ConvertError, convert
    from orchestrator.export.tables import have_parquet

    if not have_parquet():
        click.echo(f"error: {MISSING}", err=True)
        sys.exit(2)
    try:
        rows = convert(source, to)
    except (ConvertError, OSError) as error:
        click.echo(f"error: {text.clean(str(error))}", err=True)
        sys.exit(2)
    click.echo(f"{rows:>10,}  {to}")
