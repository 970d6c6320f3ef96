"""`orchestrator replay RUN`: play a run again with no network and no cost, and say whether the same came of it."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import text

if TYPE_CHECKING:
    from orchestrator.replay import Replay
    from orchestrator.verify import Changed, Verified

SAME, OTHER = 0, 1
SHOWN = 20  # differences told one by one; --json has them all


@click.command(
    short_help="Play a run again from its record, or a cassette; nothing is asked or paid.",
    epilog="Exit status: 0 the same, 1 something differs, 2 wrong use.",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--cassette",
    type=click.Path(file_okay=False, path_type=Path),
    help="Answer from this cassette in place of the record.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the record of the replay here.  [default: it is thrown away]",
)
@click.option("--concurrency", type=click.IntRange(min=1), help="Matches at once.  [default: as in the run]")
@click.option(
    "--verify", is_flag=True, help="Play nothing: ask and read every decision as it would be today."
)
@click.option("--json", "as_json", is_flag=True, help="Everything that differs, as one JSON object.")
def command(
    run: Path,
    cassette: Path | None,
    output: Path | None,
    concurrency: int | None,
    verify: bool,
    as_json: bool,
) -> None:
    """Play a RUN again from its own record: no network, no key, nothing paid, and RUN stays as it is.

    Answers, errors and their times come from the record (or a cassette), what people chose too, and the moves
    of bots with a budget in milliseconds; all else is done anew by the code of today. Then every row is compared,
    byte by byte, but for the columns in which the clock of this machine shows: when a match began and ended,
    when a decision was made, when a call left.

    With --verify nothing is played. For each decision of a model it is said whether today's templates would ask it
    differently, and whether today's reader would read its answers differently.

    \b
    orchestrator replay runs/NAME
    orchestrator replay runs/NAME --cassette tapes/NAME --output runs/NAME-again
    orchestrator replay runs/NAME --verify
    """
    from orchestrator.cassette import CassetteError
    from orchestrator.record.database import RecordError

    if verify and (cassette or output or concurrency):
        raise click.UsageError("--verify plays nothing: leave --cassette, --output and --concurrency out")
    try:
        same = _verify(run, as_json) if verify else _replay(run, cassette, output, concurrency, as_json)
    except (RecordError, CassetteError, OSError, ValueError) as error:
        raise click.UsageError(text.clean(str(error))) from None
    sys.exit(SAME if same else OTHER)


# ── played again ─────────────────────────────────────────────────────────────────────────────────────


def _replay(
    run: Path, cassette: Path | None, output: Path | None, concurrency: int | None, as_json: bool
) -> bool:
    from orchestrator.replay import replay

    with tempfile.TemporaryDirectory(prefix="duelist-") as scratch:
        done = replay(run, output or Path(scratch) / "again", cassette, concurrency)
    lines = [json.dumps(replay_json(done), indent=2, allow_nan=False)] if as_json else _told(done)
    for line in lines:
        click.echo(line)
    return done.same


def replay_json(done: Replay) -> dict[str, Any]:
    return {
        "same": done.same,
        "rows": done.rows,
        "recited": dict(done.recited),
        "trouble": done.trouble,
        "differences": [
            {name: _plain(value) for name, value in each._asdict().items()} for each in done.differences
        ],
    }


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _told(done: Replay) -> Iterator[str]:
    from orchestrator.cassette import difference

    rows = ", ".join(
        text.plural(done.rows[table], noun, many)
        for table, noun, many in (
            ("match", "match", "matches"),
            ("decision", "decision", ""),
            ("call", "call", ""),
        )
    )
    yield f"{rows}: {'the same, row by row' if done.same else 'not the same'}"
    for player, moves in sorted(done.recited.items()):
        yield f"{text.one_line(player)} does not repeat itself: {text.plural(moves, 'move')} taken from the record"
    yield from _some(
        [f"  {text.one_line(each)}" for each in done.trouble], "Could not be played as they were:"
    )
    counts = Counter((each.table, each.column) for each in done.differences)
    if counts:
        yield "Rows that differ: " + ", ".join(f"{table}.{name} {n}" for (table, name), n in counts.items())
    yield from _some(
        [
            f"  {each.table} {text.one_line(each.row)} {each.column}: "
            + text.one_line(difference(_plain(each.was), _plain(each.now)))
            for each in done.differences[:SHOWN]
        ],
        "",
        len(done.differences),
    )


def _some(lines: Sequence[str], head: str, of: int | None = None) -> Iterator[str]:
    """The first of them, and how many more there are."""
    left = (len(lines) if of is None else of) - SHOWN
    if lines and head:
        yield head
    yield from lines[:SHOWN]
    if left > 0:
        yield f"  and {left:,} more: --json has all of them"


# ── looked at again ──────────────────────────────────────────────────────────────────────────────────


def _verify(run: Path, as_json: bool) -> bool:
    from orchestrator.verify import verify

    found = verify(run)
    lines = [json.dumps(verify_json(found), indent=2, allow_nan=False)] if as_json else _found(found)
    for line in lines:
        click.echo(line)
    return found.same


def verify_json(found: Verified) -> dict[str, Any]:
    return {
        "run": found.run,
        "same": found.same,
        "decisions": found.decisions,
        "answers": found.answers,
        "unmade": found.unmade,
        "asked_differently": list(_by_decision(found.asked)),
        "read_differently": list(_by_decision(found.read)),
    }


def _by_decision(changes: Sequence[Changed]) -> Iterator[dict[str, Any]]:
    for decision, group in groupby(changes, key=lambda each: each.decision):
        changed = list(group)
        yield {
            "decision": decision,
            "was": {each.what: each.was for each in changed},
            "now": {each.what: each.now for each in changed},
        }


def _found(found: Verified) -> Iterator[str]:
    yield f"{text.plural(found.decisions, 'decision')}, {text.plural(found.answers, 'answer')}"
    if found.unmade:
        yield f"{text.plural(found.unmade, 'decision')} not looked at: the run ended before anything was decided"
    yield from _list(found.asked, "asked")
    yield from _list(found.read, "read")


def _list(changes: Sequence[Changed], how: str) -> Iterator[str]:
    from orchestrator.cassette import difference

    decisions = list(_by_decision(changes))
    yield f"{how} differently: {len(decisions) or 'none'}"
    for each in decisions:
        yield f"  {text.one_line(each['decision'])}"
        for what, was in each["was"].items():
            yield f"    {what}: {text.one_line(difference(was, each['now'][what]))}"
