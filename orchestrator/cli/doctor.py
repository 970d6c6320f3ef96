"""`orchestrator doctor`: what works here and what is missing, without a call, a cent or a shown key."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from orchestrator.cli import text

if TYPE_CHECKING:
    from providers import KeyStatus

PACKAGES = ("duelist", "anthropic", "openai", "google-genai", "litellm")
OLDEST_SQLITE = (3, 32)  # the first with iif()
KEYS_AT = {
    "anthropic": "https://platform.claude.com/settings/keys",
    "google": "https://aistudio.google.com/apikey",
    "openai": "https://platform.openai.com/api-keys",
}
INSTALL = {"litellm": "pip install 'duelist[litellm]'"}

State = Literal["ok", "note", "missing", "broken"]
STYLES: dict[State, str] = {"ok": "green", "note": "cyan", "missing": "yellow", "broken": "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `broken` keeps a duel between bots from being played, `missing` some players."""

    what: str
    state: State
    detail: str
    remedy: str = ""


@click.command(short_help="Check the installation; spends nothing.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(as_json: bool) -> None:
    """Check the installation. Makes no call and shows no key.

    Exit status: 0 if a duel between bots can be played and recorded here, else 1.
    """
    found = list(examine())
    broken = any(finding.state == "broken" for finding in found)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        _print(found, broken)
    sys.exit(1 if broken else 0)


def examine() -> Iterator[Finding]:
    """Everything, in the order in which it is needed."""
    yield Finding("Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from _packages()
    yield from _engine()
    yield _sqlite()
    yield _runs()
    yield _env_file()
    yield from _services()
    yield _terminal()


def _packages() -> Iterator[Finding]:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    yield Finding("packages", "ok", ", ".join(found))


def _engine() -> Iterator[Finding]:
    import engine

    stale = engine.stale()
    if engine.is_compiled() and stale:
        some = ", ".join(stale[:4]) + (", …" if len(stale) > 4 else "")
        yield Finding("engine", "broken", f"compiled, but older than its source: {some}", "make setup")
        return
    try:
        plies = _play_one()
    except Exception as error:  # whatever is wrong with the engine, this is where it is said
        yield Finding("engine", "broken", f"cannot play: {error!r}", "install duelist again")
        return
    if engine.is_compiled():
        yield Finding("engine", "ok", f"compiled; a match of two bots took {plies} plies")
    else:
        asked = os.environ.get("DUELIST_ENGINE") == "pure"
        why = "as DUELIST_ENGINE=pure asks" if asked else "not compiled, so bots that search are slow"
        yield Finding("engine", "note", f"plain Python, {why}", "" if asked else "make setup")


def _play_one() -> int:
    """One match between two random bots, in memory."""
    import engine

    game, rng, bot = engine.new("tictactoe"), engine.Rng(0), engine.new_bot("random")
    while not game.is_terminal():
        game.apply(int(bot.choose(game.clone(), rng)))
    return int(game.ply())


def _sqlite() -> Finding:
    detail = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        return Finding("SQLite", "broken", detail, "a Python with SQLite 3.32 or newer")
    return Finding("SQLite", "ok", detail)


def _runs() -> Finding:
    """Whether a record can be made where duels put them by default."""
    runs = Path("runs")
    place = runs if runs.exists() else Path()
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding(
            "records", "broken", f"{place.resolve()} cannot be written", "another directory, or --output"
        )
    return Finding("records", "ok", f"go to {runs.resolve()}{os.sep}")


def _env_file() -> Finding:
    path = Path(".env")
    if path.is_file():
        return Finding(".env", "ok", f"read from {path.resolve()}")
    return Finding(".env", "note", "none here: keys come from the environment alone")


def _services() -> Iterator[Finding]:
    import providers

    try:
        statuses = providers.key_status()
    except ValueError as error:
        yield Finding("services", "missing", str(error), "mend that variable")
        return
    yield from map(service, statuses)


def service(status: KeyStatus) -> Finding:
    """One service: its package, its key (set or not), where it would be called."""
    from providers.wire import is_loopback

    name, url = status.provider, status.base_url
    if not status.sdk_found:
        return Finding(
            name, "missing", f"{status.sdk} is not installed", INSTALL.get(name, "install duelist again")
        )
    if not url:
        return Finding(name, "ok", "calls other services with their own keys")
    if status.key_needed and is_loopback(url):
        return Finding(name, "note", f"at {url}, on this machine: a stand-in or a proxy, not the vendor")
    if not status.key_needed:
        return Finding(name, "ok", f"at {url}, needs no key")
    if status.key_set:
        variable = next(variable for variable in status.key_variables if os.environ.get(variable))
        return Finding(name, "ok", f"at {url}, {variable} is set")
    where = f"get one at {KEYS_AT[name]} and " if name in KEYS_AT else ""
    remedy = f"{where}put {status.key_variables[0]}=… into .env"
    return Finding(
        name, "missing", f"at {url}, no key: {' or '.join(status.key_variables)} is not set", remedy
    )


def _terminal() -> Finding:
    stream = sys.stdout
    kind = "a terminal" if stream.isatty() else "not a terminal (plain lines)"
    return Finding("output", "ok", f"{kind}, {getattr(stream, 'encoding', 'unknown')}")


def _print(found: list[Finding], broken: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in found:
        detail = Text(text.one_line(finding.detail, 400))
        if finding.remedy:
            detail.append(f"\n→ {finding.remedy}", "dim")
        table.add_row(Text(finding.state, STYLES[finding.state]), finding.what, detail)
    console = text.console()
    console.print(table)
    console.print()
    if broken:
        console.print("Something is broken: see above.")
        return
    console.print("A duel between bots can be played:  orchestrator duel bot:greedy vs bot:random")
    if not any(finding.what in KEYS_AT and finding.state == "ok" for finding in found):
        console.print("No model can be asked yet; without a key:  orchestrator duel sim:greedy vs bot:random")
