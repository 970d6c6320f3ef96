"""Playing a run on record, for every command that plays: its options, the checks before, how it is ended and told.

A command says what is its own (who plays what) and leaves the rest to `begin`; one that has its request and its
record already calls `run`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import os
import re
import secrets
import signal
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from engine import View
    from orchestrator.duel import Duel, Ending
    from orchestrator.estimate import Estimate
    from orchestrator.events import Events
    from orchestrator.log import Log
    from orchestrator.players import Player
    from orchestrator.record.store import Record
    from orchestrator.request import Request

C = TypeVar("C", bound=Callable[..., Any])

DONE, INCOMPLETE, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

OPTIONS = (
    click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="The run's directory."),
    click.option(
        "--resume", is_flag=True, help="Go on with the run in --output; nothing answered is asked again."
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, 2**31 - 1),
        help="One seed gives one result.  [default: drawn, printed]",
    ),
    click.option("--concurrency", type=click.IntRange(min=1), help="Matches at once.  [default: 8]"),
    click.option(
        "--opening", type=click.IntRange(min=0), metavar="PLIES", help="Random plies before each pair begins."
    ),
    click.option("--style", metavar="NAME", help="Prompt style.  [default: default]"),
    click.option(
        "--mode",
        type=click.Choice(["json", "text", "decision"]),
        help="How a model answers; decision: a probability for every move.  [default: json where it can]",
    ),
    click.option(
        "--track", type=click.Choice(["open", "rules"]), help="Are legal moves listed?  [default: open]"
    ),
    click.option(
        "--reasks", type=click.IntRange(min=0), help="How often a wrong answer is asked again.  [default: 2]"
    ),
    click.option(
        "--fallback", type=click.Choice(["forfeit", "random"]), help="And after that?  [default: forfeit]"
    ),
    click.option("--effort", metavar="LEVEL", help="Reasoning effort, where a model has it.  [default: low]"),
    click.option("--temperature", type=float, help="For services that have it."),
    click.option(
        "--max-tokens",
        type=click.IntRange(min=16),
        help="Longest answer, thinking included.  [default: 4096]",
    ),
    click.option("--timeout", type=float, metavar="SECONDS", help="For one call.  [default: 120]"),
    click.option(
        "--tier",
        type=click.Choice(["standard", "flex", "priority", "batch"]),
        help="flex: cheaper and slower, where a service has it.  [default: standard]",
    ),
    click.option("--forecast", is_flag=True, help="Also ask with every move how likely a win is."),
    click.option(
        "--attempts",
        type=click.IntRange(min=1),
        help="Tries of one call before its match is void.  [default: 5]",
    ),
    click.option(
        "--batch",
        is_flag=True,
        help="Ask in the services' batches, at half the price: a move of all matches at a time.",
    ),
    click.option(
        "--max-cost",
        multiple=True,
        metavar="[PLAYER=]USD",
        help="A wall, for the run or for one player; may be repeated, and be raised with --resume.",
    ),
    click.option(
        "--limit",
        "limits",
        multiple=True,
        metavar="[MODEL:]rpm=N,tpm=N,calls=N",
        help="What a service may be sent per minute and at once; may be repeated.  [default: found out]",
    ),
    click.option(
        "--max-voids",
        type=click.FloatRange(0, 1),
        metavar="SHARE",
        help="The run stops itself when more of its matches are void.  [default: 0.25]",
    ),
    click.option("--preflight", is_flag=True, help="Begin with one tiny call to every model."),
    click.option("--dry-run", is_flag=True, help="Say what it will cost, and stop."),
    click.option("--yes", is_flag=True, help="Do not ask before much is spent."),
    click.option(
        "--pilot",
        type=click.IntRange(min=1),
        metavar="GAMES",
        help="Play these first, paid and counted, and estimate the rest from them.",
    ),
    click.option(
        "--cassette",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Tape every call there; what is on the tape already is not asked again.",
    ),
    click.option("--price", metavar="IN,OUT", help="$ per million tokens, for models without a known price."),
    click.option("--unpriced", is_flag=True, help="Go on without counting what an unknown model costs."),
    click.option("--display", type=click.Choice(["auto", "live", "plain", "json", "none"]), default="auto"),
    click.option(
        "--log-file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Append everything that happens, one JSON object per line.",
    ),
)
TERMS = ("seed", "opening", "price", "concurrency", "attempts", "max_voids")
CONDUCT = (
    "style",
    "mode",
    "track",
    "reasks",
    "fallback",
    "effort",
    "temperature",
    "max_tokens",
    "timeout",
    "tier",
)


def options(command: C) -> C:
    """A decorator: the options that every command which plays has, in the order of its help."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def terms(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given of `OPTIONS` in the words of a request; what was not given is left out."""
    asked = {name: given[name] for name in TERMS if given[name] is not None}
    asked |= {name: True for name in ("unpriced", "preflight") if given[name]}
    asked |= {name: given[name] for name in ("max_cost", "limits") if given[name]}
    if given["cassette"]:
        asked["cassette"] = str(given["cassette"])
    conduct = {name: given[name] for name in CONDUCT if given[name] is not None}
    if given["forecast"]:
        conduct["forecast"] = True
    if given["batch"]:
        if conduct.get("tier", "batch") != "batch":
            raise click.UsageError(f"--batch is a tier of its own: leave --tier {conduct['tier']} out")
        conduct["tier"] = "batch"
    if conduct:
        asked["conduct"] = conduct
    return asked


def drawn(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked as the fields of a new request: a seed where none was given. Raises ValueError."""
    from orchestrator.model import Conduct

    conduct = Conduct(**asked.get("conduct", {}))
    return {"seed": secrets.randbits(31), **asked, "conduct": conduct}


def begin(
    kind: str,
    given: Mapping[str, Any],
    read: Callable[[Mapping[str, Any]], dict[str, Any]],
    new: Callable[[dict[str, Any]], Request],
    same: Callable[[dict[str, Any], Request], dict[str, Any]],
) -> NoReturn:
    """Begin a run or go on with one, and leave with its exit status.

    `read` says what was given in the command's words; `new` makes a request of it, `same` the fields in which it
    speaks of one on record.
    """
    from orchestrator import runfile
    from orchestrator.cassette import CassetteError
    from orchestrator.log import Log
    from orchestrator.record.database import RecordError
    from orchestrator.request import open_record

    output: Path | None = given["output"]
    resume: bool = given["resume"]
    if resume and output is None:
        raise click.UsageError("--resume needs --output: the directory of the run to go on with")
    try:
        asked = read(given)
        if not resume:
            request = new(asked)
            output = output or default_output(request)
            check(request)
            agree(before(request, output), request, given)
            make_cassette(request)
        assert output is not None
        log = Log(given["log_file"])
        with open_record(output, resume=resume) as record:
            if resume:
                request = gone_on_with(record, kind, lambda known: same(asked, known))
                agree(left(request, record), request, given)
                make_cassette(request)
                keep(record, request)
            else:
                runfile.write(output, request)
            status = (
                piloted(request, record, given, log)
                if given["pilot"]
                else run(request, record, given["display"], log)
            )
    except (RecordError, CassetteError, OSError, ValueError) as error:
        from orchestrator.cli import text

        told = str(error)
        if isinstance(error, OSError):
            told = f"{error.filename or output}: {error.strerror or error}; give a place that can be written"
        click.echo(f"error: {text.clean(told)}", err=True)
        sys.exit(WRONG_USE)
    if status == INTERRUPTED:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)  # pressed once more, while the interpreter ends
    sys.exit(status)


def make_cassette(request: Request) -> None:
    """A tape that cannot be made is found before the first call is paid. Raises OSError."""
    if request.cassette:
        Path(request.cassette).mkdir(parents=True, exist_ok=True)


def gone_on_with(record: Record, kind: str, asked: Callable[[Request], dict[str, Any]]) -> Request:
    """The request on record as it is to be played now; what is wrong with it is found before anything is written."""
    from orchestrator import runfile
    from orchestrator.record.database import RecordError
    from orchestrator.request import request_on_record

    known = request_on_record(record)
    if kind != known.KIND:
        raise RecordError(
            f"{record.directory} was begun by another command: go on with: {again(known, record)}"
        )
    request = runfile.resumed_request(record, asked(known))
    check_terms(request, begun=True)
    return request


def keep(record: Record, request: Request) -> None:
    """What was asked of a run that goes on, from now on in its file and on record."""
    from orchestrator import runfile

    runfile.write(record.directory, request)  # first: a file that lags behind would read as asking for less
    run = record.run()
    if run is not None and run.request != request.to_json():
        run.request = request.to_json()
        record.put(run)


# ── before anything is made ──────────────────────────────────────────────────────────────────────


def specs(text: str, words: Iterable[str] = ()) -> list[str]:
    """Specs parted by commas. A comma parts two of them, but not where it belongs to the options of one.

    Behind a question mark, as in `local:m?price=3,15,claude`, only what begins like a spec is the next one, or what
    is one of the `words`.
    """
    from orchestrator.table import KINDS
    from providers.prices import PriceBook

    known = {"human", *words, *PriceBook.load().aliases}
    found: list[str] = []
    for part in text.split(",") if text else []:
        kind, colon, _ = re.split("[?=]", part.strip(), maxsplit=1)[0].partition(":")
        begins = kind in KINDS if colon else kind in known
        if found and "?" in found[-1] and not begins:
            found[-1] += f",{part}"
        else:
            found.append(part.strip())
    return found


def check(request: Request) -> None:
    """Everything that can be wrong is found before a directory is made."""
    import engine
    from orchestrator.players import BotPlayer
    from orchestrator.request import draw_opening

    players = check_terms(request)
    for board, _ in request.boards():
        game = engine.new(board.game, 0, **board.variant)
        for player in (players[number - 1] for number in board.players):
            if isinstance(player, BotPlayer):
                player.bot.check_game(game)
    for pair in range(request.pairs):
        seed = engine.derive(request.seed, "pair", request.deal(pair))
        draw_opening(request.board(pair), request.opening, seed)


def check_terms(request: Request, *, begun: bool = False) -> list[Player]:
    """Who plays, once it is sure that nothing is wrong with what they are asked; `begun`: prices are on record."""
    from orchestrator.cli.human import ask_for_move
    from orchestrator.duel import batched, limited, seat_players, walled
    from orchestrator.table import Table

    players = seat_players(request, Table(ask_human=ask_for_move), billed=begun)
    walled(request, players)
    limited(request, players)
    batched(players)
    require_keys(request)
    return players


def require_keys(request: Request) -> None:
    """A key that is missing is named now, and not by the first call."""
    import providers
    from orchestrator.table import Spec, SpecError
    from providers.base import Final
    from providers.prices import PriceBook

    for player in request.players:
        spec = Spec.parse(player, PriceBook.load())
        if spec.kind in providers.names():
            try:
                providers.require_key(spec.kind, spec.options.get("base_url", ""), spec.name)
            except Final as error:
                raise SpecError(error.message) from None


def default_output(request: Request) -> Path:
    """runs/DATE-TIME-A-vs-B-GAME, with nothing in it that a path could trip over, and not too long for one."""
    games = "-".join(each.game for each in request.games)
    words = f"{request.title[:150]}-{games[:60]}"
    name = time.strftime("%Y%m%d-%H%M%S-") + re.sub(r"[^A-Za-z0-9.]+", "-", words).strip("-.")
    numbered = (f"{name}-{number}" if number > 1 else name for number in itertools.count(1))
    return next(path for path in (Path("runs") / each for each in numbered) if not path.exists())


# ── what it will cost ────────────────────────────────────────────────────────────────────────────


def before(request: Request, output: Path) -> Estimate:
    """Of a run that has not begun, by what other runs beside it have shown."""
    from orchestrator.estimate import of_request

    return of_request(request, output)


def left(request: Request, record: Record) -> Estimate:
    """Of what is still to be played of a run, by what it has shown so far."""
    from orchestrator.estimate import from_record

    record.flush()
    return from_record(record.directory, request)


def agree(
    found: Estimate, request: Request, given: Mapping[str, Any], pilot: tuple[int, int] = (0, 0)
) -> None:
    """Show what a run will cost, and ask where that is much. Leaves where the answer is no, and after --dry-run.

    `pilot`: how many matches were just played first, and what they cost. Raises ValueError where somebody would
    have to be asked and nobody is there, and where a wall lets not even one call leave.
    """
    from orchestrator.cli import estimate, text
    from orchestrator.duel import seat_players, walled
    from orchestrator.table import Table

    walls = walled(request, seat_players(request, Table(ask_human=nobody), billed=True))
    if not found.spent_pico:
        estimate.fits(found, walls)
    estimate.show(found, text.console(sys.stderr), walls.get(0), pilot)
    if given["dry_run"]:
        if given["display"] == "json":
            click.echo(json.dumps(estimate.as_json(found)))
        elif found.free:
            click.echo("nobody who plays costs anything", err=True)
        sys.exit(DONE)
    if not estimate.confirm(found, walls.get(0), given["yes"]):
        sys.exit(INCOMPLETE)


async def nobody(view: View) -> int | None:
    """Stands in for a person while it is only looked who plays."""
    raise AssertionError("nobody plays here")


def piloted(request: Request, record: Record, given: Mapping[str, Any], log: Log) -> int:
    """The first games, then what the rest will cost, then the rest: the exit status."""
    board = len(request.board(0).players)
    first = min(math.ceil(given["pilot"] / board), request.pairs)
    before, spent = so_far(record)
    status = run(request, record, given["display"], log, pairs=first)
    if status != DONE or first == request.pairs:
        return status
    matches, cost = so_far(record)
    try:
        agree(left(request, record), request, given, (matches - before, cost - spent))
    except BaseException:  # an answer of no is an exit
        click.echo(
            f"the pilot is played and on record; play the rest with: {again(request, record)}", err=True
        )
        raise
    return run(request, record, given["display"], log)


def so_far(record: Record) -> tuple[int, int]:
    """Matches that are finished, and pico-dollars spent."""
    finished = sum(match.status == "finished" for match in record.matches())
    return finished, sum(record.spent().values())


# ── playing it ───────────────────────────────────────────────────────────────────────────────────


def run(request: Request, record: Record, mode: str, log: Log, pairs: int | None = None) -> int:
    """Play, show, and say how it ended: the exit status. Whoever reads the output may go away before the end.

    `pairs`: only the first so many.
    """
    try:
        return shown(request, record, mode, log, pairs)
    except OSError as error:
        why = "nobody reads the output any more" if isinstance(error, BrokenPipeError) else str(error)
        click.echo(f"stopped: {why}; go on with: {again(request, record)}", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the exit complains once more
        return INCOMPLETE


def shown(request: Request, record: Record, mode: str, log: Log, pairs: int | None) -> int:
    from orchestrator.cli.display import make
    from orchestrator.duel import version
    from orchestrator.events import Events
    from orchestrator.record.database import RecordError
    from orchestrator.record.reading import run_result
    from orchestrator.summary import summary

    if any(spec.startswith("human") for spec in request.players):
        request = replace(request, concurrency=1)
        mode = "plain" if mode in ("auto", "live") else mode
    known = record.run()
    process = log.process(request.KIND, record.directory, version(), known.id if known else "")
    with process, make(mode) as display:
        log.tell = display
        events = Events(display, log)
        ending = asyncio.run(play(request, record, events, pairs))
        if isinstance(ending.bug, OSError):
            raise ending.bug
        try:
            events.emit("summary", **summary(run_result(record.directory)))
        except RecordError as error:  # it could not be written, and now it cannot be read either
            events.emit("notice", text=str(error))
    status = say_how_it_ended(ending, again(request, record, raised=ending.walled))
    log.end(ending.status, status, ending.reason)
    return status


def again(request: Request, record: Record, *, raised: bool = False) -> str:
    """The command to go on with, ready to paste.

    `raised`: with a place for every wall, as those that are given take the place of those that were.
    """
    from orchestrator.cli import text

    walls = [wall.rpartition("=") for wall in request.max_cost] if raised else []
    given = [word for name, equals, _ in walls for word in ("--max-cost", f"{name}{equals}USD")]
    return text.command(request.KIND, "--output", str(record.directory), "--resume", *given)


def say_how_it_ended(ending: Ending, resume: str) -> int:
    from orchestrator.cli import text
    from orchestrator.record.database import RecordError

    if ending.decided:
        return DONE
    if ending.interrupted:
        click.echo(f"{ending.reason}; go on with: {resume}", err=True)
        return INTERRUPTED
    if ending.bug is not None and not isinstance(ending.bug, RecordError):
        traceback.print_exception(ending.bug)
    if ending.walled:
        click.echo(f"stopped: {text.clean(ending.reason)}\nraise the wall and go on with: {resume}", err=True)
        return INCOMPLETE
    if ending.reason:
        click.echo(
            f"stopped: {text.clean(ending.reason)}\nwhen that is mended, go on with: {resume}", err=True
        )
        return INCOMPLETE
    if ending.voids:
        click.echo(f"{ending.voids} matches stayed void; try them again with: {resume}", err=True)
        return INCOMPLETE
    return DONE


async def play(request: Request, record: Record, events: Events, pairs: int | None) -> Ending:
    from orchestrator.cli.human import ask_for_move
    from orchestrator.duel import Duel
    from orchestrator.table import Table
    from providers.retry import RetryPolicy

    table = Table(retry=RetryPolicy(attempts=request.attempts), ask_human=ask_for_move)
    try:
        duel = Duel(request, record, table, events, pairs)
        table.warm()
        drain_on_interrupt(duel, events)
        async with heard(duel, events):
            return await duel.play()
    finally:
        await table.aclose()


@asynccontextmanager
async def heard(duel: Duel, events: Events) -> AsyncIterator[None]:
    """Inside, orders from another shell are obeyed."""
    from orchestrator.control import Order, watch
    from orchestrator.duel import ORDERED

    def tell(text: str) -> None:
        events.emit("notice", text=text)

    def obey(order: Order) -> None:
        if order == "pause":
            duel.pause()
        elif order == "resume":
            duel.go_on()
        else:
            duel.stop(ORDERED)
            tell(f"{ORDERED}: {duel.farewell}")

    watching = asyncio.create_task(watch(duel.record.directory, obey, on_notice=tell))
    try:
        yield
    finally:
        watching.cancel()


def drain_on_interrupt(duel: Duel, events: Events) -> None:
    """Ctrl-C once: calls in flight come back and are recorded. Twice: stop at once.

    The handlers are not the loop's, which takes its own back before the end is told: whoever presses again
    while the run is already ending still reads how to go on.
    """
    pressed = 0
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        nonlocal pressed
        pressed += 1
        if pressed > 1:
            duel.abandon()
            return
        duel.stop()
        events.emit("notice", text=f"stopping: {duel.farewell}; Ctrl-C again stops at once")

    def heard(*_: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(interrupted)

    if threading.current_thread() is threading.main_thread():
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, heard)
