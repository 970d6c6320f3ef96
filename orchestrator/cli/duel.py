"""`orchestrator duel A vs B [vs C …]`: read what was asked, play it, print what came of it."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import re
import secrets
import signal
import sys
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from orchestrator.duel import Duel, Ending
    from orchestrator.events import Events
    from orchestrator.record.store import Record
    from orchestrator.request import DuelRequest

DONE, INCOMPLETE, WRONG_USE, INTERRUPTED = 0, 1, 2, 130


@click.command(
    short_help="Play matches between two players or more, on record.",
    epilog="""\b
Players: anthropic:MODEL  google:MODEL  openai:MODEL  litellm:MODEL  local:MODEL
         sim:BOT  human  bot:random|greedy|perfect|mcts:N|ismcts:N|pimc:N
         and aliases (see `orchestrator players`)
\b
Exit status: 0 done, 1 ended with voids or stopped by an error, 2 wrong use, 130 interrupted (resumable).
""",
)
@click.argument("versus", nargs=-1, metavar="[A vs B [vs C ...]]")
@click.option("--player1", metavar="SPEC", help="The player on the first seat in a pair's first match.")
@click.option("--player2", metavar="SPEC", help="The other player.")
@click.option(
    "--table", metavar="A,B,C,...", help="All players, parted by commas: the same as A vs B vs C ..."
)
@click.option("--game", metavar="NAME", help="What is played.  [default: connect4]")
@click.option(
    "--games",
    type=click.IntRange(min=1),
    help="Matches, rounded up to whole pairs or deals.  [default: 10; at a table 5 deals]",
)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="The run's directory.")
@click.option(
    "--resume", is_flag=True, help="Go on with the run in --output; nothing answered is asked again."
)
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), help="One seed gives one result.  [default: drawn, printed]"
)
@click.option("--concurrency", type=click.IntRange(min=1), help="Matches at once.  [default: 8]")
@click.option(
    "--opening", type=click.IntRange(min=0), metavar="PLIES", help="Random plies before each pair begins."
)
@click.option("--style", metavar="NAME", help="Prompt style.  [default: default]")
@click.option(
    "--track", type=click.Choice(["open", "rules"]), help="Are legal moves listed?  [default: open]"
)
@click.option(
    "--reasks", type=click.IntRange(min=0), help="How often a wrong answer is asked again.  [default: 2]"
)
@click.option(
    "--fallback", type=click.Choice(["forfeit", "random"]), help="And after that?  [default: forfeit]"
)
@click.option("--effort", metavar="LEVEL", help="Reasoning effort, where a model has it.  [default: low]")
@click.option("--temperature", type=float, help="For services that have it.")
@click.option(
    "--max-tokens", type=click.IntRange(min=16), help="Longest answer, thinking included.  [default: 4096]"
)
@click.option("--timeout", type=float, metavar="SECONDS", help="For one call.  [default: 120]")
@click.option(
    "--attempts",
    type=click.IntRange(min=1),
    help="Tries of one call before its match is void.  [default: 5]",
)
@click.option("--price", metavar="IN,OUT", help="$ per million tokens, for models without a known price.")
@click.option("--unpriced", is_flag=True, help="Go on without counting what an unknown model costs.")
@click.option("--display", type=click.Choice(["auto", "live", "plain", "json", "none"]), default="auto")
def command(**options: Any) -> None:
    """Play pairs of matches between two players: each pair once from either side.

    A table of more plays deals in their place: each once with everybody on every seat. A game that takes
    several numbers of players gets as many seats as there are players.

    \b
    orchestrator duel claude vs gemini
    orchestrator duel bot:mcts:200 vs bot:greedy --game tictactoe --games 100 --seed 7
    orchestrator duel --table claude,gemini,gpt,bot:mcts:200 --game blob --games 20
    orchestrator duel --output runs/NAME --resume
    """
    from orchestrator.record.database import RecordError
    from orchestrator.request import open_record

    output: Path | None = options["output"]
    resume: bool = options["resume"]
    if resume and output is None:
        raise click.UsageError("--resume needs --output: the directory of the run to go on with")
    try:
        asked = read_options(options)
        if not resume:
            request = new_request(asked)
            output = output or default_output(request)
            check(request)
        assert output is not None
        with open_record(output, resume=resume) as record:
            if resume:
                request = same_request(record, asked)
                require_keys(request)
            status = watched(request, record, options["display"])
    except (RecordError, OSError, ValueError) as error:
        from orchestrator.cli import text

        click.echo(f"error: {text.clean(str(error))}", err=True)
        sys.exit(WRONG_USE)
    if status == INTERRUPTED:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)  # pressed once more, while the interpreter ends
    sys.exit(status)


# ── what was asked ───────────────────────────────────────────────────────────────────────────────


def read_options(options: dict[str, Any]) -> dict[str, Any]:
    """The given options in the words of a DuelRequest; what was not given is left out."""
    from orchestrator.request import canonical

    asked: dict[str, Any] = {}
    players = read_players(options)
    if players:
        asked["players"] = canonical(players)
    if options["game"]:
        asked["game"], asked["variant"] = read_game(options["game"])
    for name in ("games", "seed", "opening", "price", "concurrency", "attempts"):
        if options[name] is not None:
            asked[name] = options[name]
    if options["unpriced"]:
        asked["unpriced"] = True
    conduct = ("style", "track", "reasks", "fallback", "effort", "temperature", "max_tokens", "timeout")
    given = {name: options[name] for name in conduct if options[name] is not None}
    if given:
        asked["conduct"] = given
    return asked


def read_players(options: dict[str, Any]) -> tuple[str, ...]:
    """`A vs B`, or --player1 and --player2, or --table."""
    versus = [word for word in options["versus"] if word.lower() not in ("vs", "vs.", "versus")]
    flags = [flag for flag in (options["player1"], options["player2"]) if flag]
    ways = [players for players in (versus, flags, at_table(options["table"] or "")) if players]
    if len(ways) > 1:
        raise click.UsageError(
            "name the players either as `A vs B` or with --player1 and --player2 or with --table, not both"
        )
    players = ways[0] if ways else []
    if len(players) == 1:
        raise click.UsageError("a duel has two players or more, got 1: orchestrator duel A vs B")
    return tuple(players)


def at_table(text: str) -> list[str]:
    """The specs of --table. A comma parts two of them, but not where it belongs to the options of one.

    Behind a question mark, as in `local:m?price=3,15,claude`, only what begins like a spec is the next one.
    """
    from orchestrator.table import KINDS
    from providers.prices import PriceBook

    known = {"human", *PriceBook.load().aliases}
    specs: list[str] = []
    for part in text.split(",") if text else []:
        kind, colon, _ = part.strip().partition("?")[0].partition(":")
        begins = kind in KINDS if colon else kind in known
        if specs and "?" in specs[-1] and not begins:
            specs[-1] += f",{part}"
        else:
            specs.append(part.strip())
    return specs


def read_game(text: str) -> tuple[str, dict[str, int]]:
    """`connect4`, or `name?parameter=1&…` for a variant."""
    name, _, query = text.partition("?")
    try:
        variant = {
            key: int(value) for key, value in (part.split("=", 1) for part in query.split("&") if part)
        }
    except ValueError:
        raise click.UsageError(f"unreadable game {text!r}: expected name?parameter=number&…") from None
    if "seed" in variant:
        raise click.UsageError("the seed is no variant of a game: give it with --seed")
    return name, variant


def new_request(asked: dict[str, Any]) -> DuelRequest:
    from orchestrator.model import Conduct
    from orchestrator.request import DEFAULT_GAME, DuelRequest

    if "players" not in asked:
        raise click.UsageError("who plays? For example: orchestrator duel bot:mcts:200 vs bot:greedy")
    asked = fitted({"game": DEFAULT_GAME, **asked}, len(asked["players"]))
    seed = asked.pop("seed", secrets.randbits(31))
    conduct = Conduct(**asked.pop("conduct", {}))
    return DuelRequest(**asked, seed=seed, conduct=conduct)


def same_request(record: Record, asked: dict[str, Any]) -> DuelRequest:
    """The request on record, if nothing else was asked now."""
    from orchestrator.request import DuelRequest, resumed_request

    run = record.run()
    if run is not None:
        known = DuelRequest.from_json(run.request)
        if "conduct" in asked:
            asked["conduct"] = {**run.request["conduct"], **asked["conduct"]}
        asked = fitted(asked, len(asked.get("players", known.players)))
    return resumed_request(record, asked)


def fitted(asked: dict[str, Any], players: int) -> dict[str, Any]:
    """What was asked, for so many players: a seat for everybody, and whole pairs or deals. Raises ValueError."""
    from orchestrator.request import seated_game

    asked = dict(asked)
    if "game" in asked:
        asked["game"], asked["variant"] = seated_game(asked["game"], asked.get("variant", {}), players)
    if "games" in asked:
        games = asked.pop("games")
        asked["pairs"] = math.ceil(games / players)
        if games % players:
            what = "a pair is two matches" if players == 2 else f"a deal is {players} matches"
            click.echo(f"--games {games} rounded up to {asked['pairs'] * players}: {what}", err=True)
    return asked


def check(request: DuelRequest) -> None:
    """Everything that can be wrong is found before a directory is made."""
    import engine
    from orchestrator.cli.human import ask_for_move
    from orchestrator.duel import seat_players
    from orchestrator.players import BotPlayer
    from orchestrator.request import draw_opening
    from orchestrator.table import Table

    players = seat_players(request, Table(ask_human=ask_for_move))
    require_keys(request)
    game = engine.new(request.game, 0, **request.variant)
    for player in players:
        if isinstance(player, BotPlayer):
            player.bot.check_game(game)
    for pair in range(request.pairs):
        draw_opening(request, engine.derive(request.seed, "pair", pair))


def require_keys(request: DuelRequest) -> None:
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


def default_output(request: DuelRequest) -> Path:
    """runs/DATE-TIME-A-vs-B-GAME, with nothing in it that a path could trip over, and not too long for one."""
    words = "-vs-".join(spec.split("?")[0] for spec in request.players)[:150] + "-" + request.game
    name = time.strftime("%Y%m%d-%H%M%S-") + re.sub(r"[^A-Za-z0-9.]+", "-", words).strip("-.")
    numbered = (f"{name}-{number}" if number > 1 else name for number in itertools.count(1))
    return next(path for path in (Path("runs") / each for each in numbered) if not path.exists())


# ── playing it ───────────────────────────────────────────────────────────────────────────────────


def watched(request: DuelRequest, record: Record, mode: str) -> int:
    """`run`, where whoever reads the output may go away before the end."""
    try:
        return run(request, record, mode)
    except OSError as error:
        why = "nobody reads the output any more" if isinstance(error, BrokenPipeError) else str(error)
        click.echo(f"stopped: {why}; go on with: {again(record.directory)}", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the exit complains once more
        return INCOMPLETE


def run(request: DuelRequest, record: Record, mode: str) -> int:
    """Play, show, and say how it ended: the exit status."""
    from orchestrator.cli.display import make
    from orchestrator.events import Events
    from orchestrator.record.database import RecordError
    from orchestrator.record.reading import run_result
    from orchestrator.summary import summary

    if any(spec.startswith("human") for spec in request.players):
        request = replace(request, concurrency=1)
        mode = "plain" if mode in ("auto", "live") else mode
    with make(mode) as display:
        events = Events(display)
        ending = asyncio.run(play(request, record, events))
        if isinstance(ending.bug, OSError):
            raise ending.bug
        try:
            events.emit("summary", **summary(run_result(record.directory)))
        except RecordError as error:  # it could not be written, and now it cannot be read either
            events.emit("notice", text=str(error))
    return say_how_it_ended(ending, again(record.directory))


def again(output: Path | None) -> str:
    """The command to go on with, ready to paste."""
    from orchestrator.cli import text

    return text.command("duel", "--output", str(output), "--resume")


def say_how_it_ended(ending: Ending, resume: str) -> int:
    from orchestrator.cli import text
    from orchestrator.record.database import RecordError

    if ending.interrupted:
        click.echo(f"interrupted; go on with: {resume}", err=True)
        return INTERRUPTED
    if ending.bug is not None and not isinstance(ending.bug, RecordError):
        traceback.print_exception(ending.bug)
    if ending.reason:
        click.echo(
            f"stopped: {text.clean(ending.reason)}\nwhen that is mended, go on with: {resume}", err=True
        )
        return INCOMPLETE
    if ending.voids:
        click.echo(f"{ending.voids} matches stayed void; try them again with: {resume}", err=True)
        return INCOMPLETE
    return DONE


async def play(request: DuelRequest, record: Record, events: Events) -> Ending:
    from orchestrator.cli.human import ask_for_move
    from orchestrator.duel import Duel
    from orchestrator.table import Table
    from providers.retry import RetryPolicy

    table = Table(retry=RetryPolicy(attempts=request.attempts), ask_human=ask_for_move)
    try:
        duel = Duel(request, record, table, events)
        table.warm()
        drain_on_interrupt(duel, events)
        return await duel.play()
    finally:
        await table.aclose()


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
        events.emit(
            "notice", text="stopping: calls in flight come back and are recorded; Ctrl-C again stops at once"
        )

    def heard(*_: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(interrupted)

    if threading.current_thread() is threading.main_thread():
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, heard)
