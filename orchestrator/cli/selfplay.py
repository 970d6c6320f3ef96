"""`orchestrator selfplay BOT vs BOT`: bots' matches for data, as many as the cores can play."""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn

import click

from orchestrator.cli import text

if TYPE_CHECKING:
    from orchestrator.request import SelfplayRequest
    from orchestrator.selfplay import Quality

EVERY_S = 0.2  # between two looks of the progress line
MOST_NAMED = 10  # corrupt matches


@click.command(
    short_help="Bots play each other for data, on all cores.",
    epilog="Exit status: 0 done, 1 a match on record is corrupt, 2 wrong use, 130 interrupted (resumable).",
)
@click.argument("versus", nargs=-1, metavar="BOT vs BOT [vs ...]")
@click.option("--game", metavar="NAME", default="", help="What is played.  [default: connect4]")
@click.option(
    "--games", type=click.IntRange(min=1), help="Matches, rounded up to whole pairs.  [default: 1000]"
)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="The run's directory.")
@click.option("--resume", is_flag=True, help="Go on with the run in --output, or make it longer by --games.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="One seed gives one result.")
@click.option(
    "--opening", type=click.IntRange(min=0), help="Random plies before each pair begins.  [default: 2]"
)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes.  [default: one for each core]")
@click.option("--json", "as_json", is_flag=True, help="The report for programs.")
def command(**options: Any) -> None:
    """Bots play each other, for data: the matches that `duel` would play from that seed, without its overhead.

    What searching bots found out goes on record too: the share of visits of every legal move as the decision's
    probabilities, and the expected score as its forecast. In the end every match is replayed from its moves and
    compared with its result. `orchestrator export` makes files of it.

    \b
    orchestrator selfplay mcts:200 vs greedy --games 10000
    orchestrator selfplay ismcts:500 vs ismcts:500 vs greedy --game blob --games 2000 --output runs/cards
    orchestrator selfplay --output runs/cards --resume --games 4000
    """
    from orchestrator.record.database import RecordError
    from orchestrator.request import open_record
    from orchestrator.selfplay import play, quality
    from orchestrator.table import SpecError

    output, jobs = options["output"], options["jobs"] or os.cpu_count() or 1
    if options["resume"] and output is None:
        raise click.UsageError("--resume needs --output: the directory of the run to go on with")
    try:
        request = None if options["resume"] else asked_for(options)
        output = output or Path("runs") / named(request)
        with open_record(output, resume=options["resume"]) as record:
            request = request or longer(record, options)
            progress = Progress()
            run = play(request, record, jobs, progress)
            progress.end()
        if run.status != "finished":
            stopped(run.reason, output)
        found = quality(output)
    except KeyboardInterrupt:  # before the first match, or after the last
        if output is None:
            raise
        stopped("interrupted", output)
    except (RecordError, SpecError, OSError, ValueError) as error:
        click.echo(f"error: {text.clean(str(error))}", err=True)
        sys.exit(2)
    if options["as_json"]:
        click.echo(json.dumps({"output": str(output), **found._asdict()}, allow_nan=False))
    else:
        report(found, output)
    sys.exit(1 if found.corrupt else 0)


def stopped(why: str, output: Path) -> NoReturn:
    """Say how to go on."""
    again = text.command("selfplay", "--output", str(output), "--resume")
    click.echo(f"{why}: every match so far is on record; go on with: {again}", err=True)
    sys.exit(130)


def asked_for(options: dict[str, Any]) -> SelfplayRequest:
    """What the options ask for. Raises ValueError, SpecError, UsageError."""
    from orchestrator.cli.playing import check
    from orchestrator.programme import read_game
    from orchestrator.request import DEFAULT_GAME, SelfplayRequest, canonical, seated_game

    names = [word for word in options["versus"] if word.lower() not in ("vs", "vs.", "versus")]
    if len(names) < 2:
        raise click.UsageError("who plays? For example: orchestrator selfplay mcts:200 vs greedy")
    players = canonical(tuple(name if ":" in name and known(name) else f"bot:{name}" for name in names))
    game, variant = seated_game(*read_game(options["game"] or DEFAULT_GAME), len(players))
    request = SelfplayRequest(
        players=players,
        game=game,
        variant=variant,
        pairs=-(-(options["games"] or 1000) // len(players)),
        seed=secrets.randbits(31) if options["seed"] is None else options["seed"],
        opening=2 if options["opening"] is None else options["opening"],
    )
    check(request)
    return request


def known(name: str) -> bool:
    """Whether a name says its kind; `mcts:200` does not."""
    from orchestrator.table import KINDS

    return name.partition(":")[0] in KINDS


def longer(record: Any, options: dict[str, Any]) -> SelfplayRequest:
    """The run on record, with more matches if that is asked. Raises RecordError, UsageError."""
    from dataclasses import replace

    from orchestrator.record.database import RecordError
    from orchestrator.request import SelfplayRequest, request_on_record

    request = request_on_record(record)
    if not isinstance(request, SelfplayRequest):
        raise RecordError(
            f"{record.directory} holds a {request.KIND}: go on with orchestrator {request.KIND}"
        )
    given = [name for name in ("versus", "game", "seed", "opening") if options[name] not in ((), "", None)]
    if given:
        raise click.UsageError(f"a run goes on as it began: leave {', '.join(given)} out, or begin a new one")
    pairs = -(-(options["games"] or 0) // len(request.players))
    return replace(request, pairs=max(pairs, request.pairs))


def named(request: SelfplayRequest | None) -> str:
    """A new directory's name: the players, the game, and the seed."""
    import re

    assert request is not None
    players = "-".join(spec.removeprefix("bot:").partition("?")[0] for spec in request.players)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"selfplay-{players}-{request.game}-{request.seed}")


class Progress:
    """One line on a terminal, overwritten; nothing elsewhere."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._began = monotonic()
        self._last = 0.0
        self._first: int | None = None

    def __call__(self, done: int, of: int) -> None:
        self._first = done if self._first is None else self._first
        now = monotonic()
        if self._shown and now - self._last >= EVERY_S:
            self._last = now
            rate = (done - self._first) / max(now - self._began, 1e-9)
            left = text.duration((of - done) / rate) if rate else "?"
            click.echo(f"\r\x1b[K{done:,} of {of:,} matches, {rate:,.0f}/s, {left} left", nl=False, err=True)

    def end(self) -> None:
        """Leave no trace of it."""
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)


def report(found: Quality, output: Path) -> None:
    """What there is, and whether it is sound."""
    least, mean, most = found.plies
    sound = found.matches - len(found.corrupt)
    lines = {
        "matches": f"{found.matches:,}, {found.different:,} of them different move by move",
        "sound": f"{sound:,} of {found.matches:,} replay, move by move, to the result on record",
        "plies": f"{least} to {most}, {mean:.1f} on average",
        "first seat": f"{found.first_seat:.1%} of the points; {found.draws:.1%} drawn",
        "decisions": f"{found.decisions:,}, {found.choices:,} with a choice, {found.policies:,} with a policy",
        "positions": f"{found.positions:,} different up to symmetry",
    }
    for name, told in lines.items():
        click.echo(f"{name:<11} {told}")
    for match, why in list(found.corrupt.items())[:MOST_NAMED]:
        click.echo(f"CORRUPT     {match}: {text.one_line(why)}")
    if (more := len(found.corrupt) - MOST_NAMED) > 0:
        click.echo(f"CORRUPT     and {more:,} more (all in --json)")
    click.echo(f"{'next':<11} {text.command('export', 'sft', str(output), '--to', f'data/{output.name}')}")
