"""Where a report goes: to the screen, or to a file that is there whole or not at all."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from orchestrator.cli.drawn.sheet import Sheet


def check(form: str | None, to: Path | None) -> None:
    """Refuses a file without a form, and a page on a screen."""
    if to is not None and form is None:
        raise click.UsageError("--to asks for a form: --html, --markdown, --json or --csv")
    if form == "html" and to is None and sys.stdout.isatty():
        raise click.UsageError("a page is nothing for a screen: add --to FILE")


def told(sheet: Sheet, form: str) -> str:
    """The report in one of the forms `json`, `markdown` and `html`."""
    if form == "json":
        from orchestrator.cli.drawn.plain import to_json

        return json.dumps(to_json(sheet), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    if form == "markdown":
        from orchestrator.cli.drawn.plain import to_markdown

        return to_markdown(sheet)
    from orchestrator.cli.drawn.page import to_html
    from orchestrator.cli.drawn.plots import HINT, available

    if not available():
        click.echo(HINT, err=True)
    return to_html(sheet)


def write(what: str, to: Path | None) -> None:
    """To a file, saying so, or to the screen."""
    if to is None:
        click.echo(what, nl=False)
        return
    put(what, to)
    click.echo(f"written: {to}", err=True)


def put(what: str, to: Path) -> None:
    """The file, which nobody finds half written."""
    part = to.with_name(f"{to.name}.part")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(what, "utf-8")
        part.replace(to)
    except OSError as error:
        raise click.ClickException(f"{to} cannot be written: {error.strerror}") from error
