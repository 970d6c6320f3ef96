"""`orchestrator pause`, `resume` and `stop`: orders to a run from another shell.

An order is a file that the run looks for (`orchestrator/control.py`). That it was heard shows in the file's
absence, that it was obeyed in the record: only then is the order told as done. A run that nobody plays hears
nothing; `resume` then goes on with it right here.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import text

if TYPE_CHECKING:
    from orchestrator.record.store import Record

HEARD_S = 10.0  # a run looks twice a second
ENDED_S = 600.0  # for calls that are out to come back
LOOK_S = 0.1
NOT_DONE = 1

no_wait = click.option("--no-wait", is_flag=True, help="Give the order and leave.")
RUN = """RUN is a run's directory, its name in runs/, or an unambiguous end of that name."""


@click.command(short_help="Hold a run: no call leaves until it is resumed.", epilog=RUN)
@click.argument("run")
@no_wait
def pause(run: str, no_wait: bool) -> None:
    """Hold RUN, which another shell plays: calls that are out come back, none leaves until `orchestrator resume`.

    Bots go on to the next move of a model. Exit status: 0 done, 1 nobody plays it or it did not hear.
    """
    directory = find(run)
    require_played(directory)
    give(directory, "pause", "calls that are out come back, no new one leaves", "paused", wait=not no_wait)
    click.echo(f"paused; let it go on with: {text.command('resume', str(directory))}")


@click.command(
    short_help="Let a paused run go on, or go on with one that ended early.",
    epilog=RUN,
    context_settings={"ignore_unknown_options": True},
)
@click.argument("run")
@no_wait
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def resume(run: str, no_wait: bool, options: tuple[str, ...]) -> None:
    """Let RUN go on: where another shell plays it and it is paused there, else right here.

    Right here is the command that began it, as `orchestrator duel --resume`, and takes its OPTIONS:

    \b
    orchestrator resume NAME
    orchestrator resume NAME --max-cost 10 --concurrency 16
    """
    from orchestrator.control import is_alive

    directory = find(run)
    if not is_alive(directory):
        go_on_here(directory, options)
    if options:
        raise click.UsageError(
            f"{text.clean(str(directory))} is being played, and hears only whether it goes on: stop it to resume it "
            f"with {' '.join(options)}"
        )
    give(directory, "resume", "calls leave again", "running", wait=not no_wait)
    click.echo(f"running; watch it with: {text.command('status', str(directory), '--watch')}")


@click.command(short_help="End a run early, so that it can go on another day.", epilog=RUN)
@click.argument("run")
@no_wait
@click.option(
    "--cancel-batches",
    is_flag=True,
    help="And ask the services to stop the waves that are out; what they answered by then is billed.",
)
def stop(run: str, no_wait: bool, cancel_batches: bool) -> None:
    """End RUN, which another shell plays: calls that are out come back and are recorded, nothing new begins.

    It ends there as after Ctrl-C, with exit status 130, and can go on where it stands. Waves of a run in batches
    stay out and are collected then, unless they are cancelled. --cancel-batches needs the services' keys here, and
    works for a run that nobody plays too.
    """
    from orchestrator.control import is_alive

    if no_wait and cancel_batches:
        raise click.UsageError("--cancel-batches waits until the run has ended: leave --no-wait out")
    directory = find(run)
    if is_alive(directory) or not cancel_batches:
        require_played(directory)
        give(
            directory,
            "stop",
            "calls that are out come back and are recorded, waves stay open",
            "",
            wait=not no_wait,
        )
    if cancel_batches:
        cancel_waves(directory)
    click.echo(f"stopped; go on with: {text.command('resume', str(directory))}")


# ── giving an order ──────────────────────────────────────────────────────────────────────────────


def find(run: str) -> Path:
    from orchestrator.overview import NoRun, find_run

    try:
        return find_run(run)
    except NoRun as error:
        raise click.UsageError(text.clean(str(error))) from None


def require_played(directory: Path) -> None:
    """Says how a run that nobody plays stands, and leaves."""
    from orchestrator.control import is_alive
    from orchestrator.overview import ENDED_WELL, NoRun, glance

    if is_alive(directory):
        return
    try:
        status = glance(directory)["status"]
    except NoRun as error:
        leave(str(error))
    if status == ENDED_WELL:
        leave(f"nobody plays {directory}: it is finished; see {text.command('show', str(directory))}")
    leave(f"nobody plays {directory} ({status}); go on with: {text.command('resume', str(directory))}")


def leave(why: str) -> Any:
    click.echo(text.clean(why), err=True)
    sys.exit(NOT_DONE)


def give(directory: Path, order: str, means: str, becomes: str, *, wait: bool) -> None:
    """Order it, and wait until the run has obeyed: its record says `becomes`, or without that nobody plays it.

    Leaves with a word where that does not come about.
    """
    from orchestrator.control import Control, ControlError, is_alive
    from orchestrator.overview import NoRun, glance

    control = Control(directory)
    try:
        control.give(order)
    except ControlError as error:
        leave(str(error))
    click.echo(f"{order}: {means}")
    if not wait:
        click.echo("not waiting until it is obeyed")
        sys.exit(0)

    def heard() -> bool:
        return not control.path.exists() or not is_alive(directory)

    def obeyed() -> bool:
        return not is_alive(directory) or (becomes != "" and glance(directory)["status"] == becomes)

    try:
        if not until(heard, HEARD_S):
            leave(
                f"{directory} has not heard within {HEARD_S:.0f} s; the order is left in {control.path}, and is "
                "obeyed when the run looks. Remove that file to take it back"
            )
        if not until(obeyed, HEARD_S if becomes else ENDED_S):
            leave(f"heard, but {directory} is not {becomes or 'at its end yet: calls are still out'}")
    except KeyboardInterrupt:
        leave(f"not waiting any more; see: {text.command('status', str(directory))}")
    except NoRun as error:
        leave(str(error))
    if not is_alive(directory):
        control.clear()  # it may have ended before it heard
        if becomes:
            leave(f"{directory} ended meanwhile; see: {text.command('status', str(directory))}")


def until(true: Callable[[], bool], seconds: float) -> bool:
    """Whether it became true in that time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
    return True


# ── a run that nobody plays ──────────────────────────────────────────────────────────────────────


def go_on_here(directory: Path, options: tuple[str, ...]) -> None:
    """Play on in this process, which then ends as that command does."""
    from orchestrator.overview import NoRun, glance
    from orchestrator.request import KINDS

    try:
        kind = glance(directory)["kind"]
    except NoRun as error:
        leave(str(error))
    if kind not in KINDS:
        leave(f"{directory} was begun by a command that this version has not: {kind}")
    played: click.Command = importlib.import_module(f"orchestrator.cli.{kind}").command
    played.main(["--output", str(directory), "--resume", *options], prog_name=f"orchestrator {kind}")


def cancel_waves(directory: Path) -> None:
    """Ask the services of a run that nobody plays to stop what is out; says of how many waves."""
    from orchestrator.record.database import RecordError
    from orchestrator.record.store import Record
    from providers.base import ProviderError

    try:
        with Record(directory) as record:
            asked = asyncio.run(_cancel(record))
    except (RecordError, ProviderError, ValueError) as error:
        leave(f"not every wave could be cancelled: {error}")
    said = "no wave was out" if not asked else f"{text.plural(asked, 'wave')} asked to stop"
    click.echo(f"{said}; what is answered by then is billed, and collected when the run goes on")


async def _cancel(record: Record) -> int:
    from orchestrator.batch import cancel_all, open_waves
    from orchestrator.duel import batched, seat_players
    from orchestrator.request import request_on_record
    from orchestrator.table import Table

    waves = open_waves(record)
    if not waves:
        return 0
    table = Table()
    try:
        return await cancel_all(waves, batched(seat_players(request_on_record(record), table, billed=True)))
    finally:
        await table.aclose()
