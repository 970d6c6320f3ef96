"""A run played again from its own record, or from a cassette: no network, no key, no SDK, nothing paid.

Every match of the record is played by today's code in a record of its own, under the ids that it had. Questions are
rendered, answers are read, moves are made and money is counted anew; what came from outside is taken from tape:
answers, errors and how long they took, what people chose, and the moves of bots that do not repeat themselves
(a budget in milliseconds). Bots that do are asked again. What a model is asked must be what it was asked:
the first question of a decision is compared to the letter with the record, every question with a cassette, by
everything that shapes its answer. Where they differ the match stops there and the decision is named.

Where a run was interrupted it is interrupted again, at an attempt that never came back, and goes on as it did
then; where it ended before its time, so does its replay. Waits are left out.

`compare` then looks at every row of every table but `meta` and `wave` (how calls travelled), byte by byte, texts
in the place of their numbers. Left out are the columns that tell the clock of the machine
which plays (`CLOCK`), and calls that were made before any match to see whether a model is there; rows of run,
players and prices are what was asked, and copied. A match that a crash left
`running` is `stopped` after its replay.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, get_args

from sqlalchemy import JSON, text
from sqlmodel import Session, SQLModel, col, select

import engine
import providers
from engine import View
from orchestrator.cassette import Cassette, difference, tape
from orchestrator.duel import read_price, seat_players
from orchestrator.events import Events
from orchestrator.fixture import Fixture
from orchestrator.journal import Journal
from orchestrator.lines import unheard
from orchestrator.match import play
from orchestrator.model import ModelPlayer
from orchestrator.players import (
    BotPlayer,
    CallMade,
    Decision,
    Halt,
    HumanPlayer,
    Player,
    Seated,
    Stopped,
    StopSign,
    Turn,
    Void,
    freely,
)
from orchestrator.record import tables
from orchestrator.record.database import RecordError
from orchestrator.record.store import RECORD_FILE, Record, blob_text, blob_texts, reply_of
from orchestrator.record.untouched import untouched
from orchestrator.request import KINDS
from orchestrator.table import Spec, Table
from providers.base import Final, FinalKind, Provider, Reply, Request, Retryable, RetryKind
from providers.retry import Leaves, RetryPolicy

TABLES = ("run", "player", "match", "seat", "decision", "call", "tally", "price")
CLOCK: Mapping[str, tuple[str, ...]] = {
    "match": ("started", "finished"),
    "decision": ("decided",),
    "call": ("started",),
}
AT_ONCE = RetryPolicy(
    attempts=sys.maxsize, total_s=math.inf, first_s=0.0, longest_s=0.0
)  # the tape says when it ends


class Difference(NamedTuple):
    """One column of one row; `row` is its key. A row that only one of them has differs in the column `row`."""

    table: str
    row: str
    column: str
    was: Any
    now: Any


@dataclass(slots=True)
class Replay:
    """What came of playing a run again. `trouble` names decisions that could not be played as they were."""

    rows: dict[str, int] = field(default_factory=dict)  # compared, by table
    trouble: list[str] = field(default_factory=list)
    recited: Counter[str] = field(default_factory=Counter)  # moves taken from the record, by player
    differences: list[Difference] = field(default_factory=list)

    @property
    def same(self) -> bool:
        return not (self.trouble or self.differences)


def replay(run: Path, output: Path, cassette: Path | None = None, concurrency: int | None = None) -> Replay:
    """Play the run in `run` again on a new record in `output`, and compare the two.

    Raises RecordError for what cannot be replayed, CassetteError, SpecError for players that are not here today.
    """
    if (output / RECORD_FILE).exists():
        raise RecordError(f"{output} already holds a run: give another --output")
    with untouched(run) as session:
        script, done = Script(session, run), Replay()
        table = Seating()
        players = cast_of(script, table, done, None if cassette is None else _cassette(cassette))
        with Record(output) as record:
            asyncio.run(
                Stage(script, players, record, done).play(concurrency or script.request.concurrency, table)
            )
            record.flush()
            with untouched(output) as made:
                compare(session, made, done)
    return done


def _cassette(directory: Path) -> Cassette:
    if not directory.is_dir():
        raise RecordError(f"there is no cassette {directory}: leave it out to play from the record itself")
    return Cassette(directory)


# ── what is on record ────────────────────────────────────────────────────────────────────────────────


class Cue(NamedTuple):
    """What was decided, as far as whoever plays it again has to know."""

    action: int | None
    mode: str
    outcome: Any
    fault: str
    latency_ms: float
    legal: str  # JSON
    forecast: float | None
    probabilities: str | None  # JSON
    system_blob: int | None
    user_blob: int | None


class Tried(NamedTuple):
    """One attempt: its kind (`sent`: it never came back) and how long it took."""

    kind: str
    latency_ms: float


_CALL = text("SELECT * FROM call WHERE id = :id").columns(probabilities=JSON())


class Script:
    """A run as it is on record: who sits where, what was decided, and every attempt, by their ids."""

    def __init__(self, session: Session, path: Path) -> None:
        """Raises RecordError where there is nothing to play."""
        self.session = session
        self.path = path
        run = session.exec(select(tables.Run)).first()
        if run is None:
            raise RecordError(f"{path} holds no run that began")
        self.run = run
        if run.kind not in KINDS:
            raise RecordError(f"{path} holds a run of kind {run.kind!r}: expected {' or '.join(KINDS)}")
        self.request = KINDS[run.kind].from_json(run.request)
        self.players = {player.id: player for player in session.exec(select(tables.Player))}
        self.prices = {price.id: price for price in session.exec(select(tables.Price))}
        self.matches = {match.id: match for match in session.exec(select(tables.Match))}
        self.seats: dict[str, tuple[int, ...]] = {}  # by match: the players, counted from 0
        for seat in session.exec(select(tables.Seat).order_by(col(tables.Seat.match), col(tables.Seat.seat))):
            self.seats[seat.match] = (*self.seats.get(seat.match, ()), seat.player - 1)
        cues = text(f"SELECT id, {', '.join(Cue._fields)} FROM decision")
        self.cues = {name: Cue(*rest) for name, *rest in session.execute(cues)}
        tried = text("SELECT id, kind, latency_ms FROM call")
        self.tried = {name: Tried(*rest) for name, *rest in session.execute(tried)}
        self.asked = {name.rsplit(".", 2)[0] for name in self.tried}
        self.calls = Counter(name.rpartition("-")[0] for name in self.tried)  # by match
        if not (self.cues or self.tried):
            raise RecordError(f"nothing was played in {path}: there is nothing to replay")

    def call(self, name: str) -> Any:
        """The row of a call: plain, because an object of it costs more than the rest of its replay."""
        return self.session.execute(_CALL, {"id": name}).one()

    def end(self, decision: str) -> Exception:
        """What ended a match there: trouble with a service, or the end of the run; a finished one goes on."""
        match = self.matches[decision.rpartition("-")[0]]
        if match.status == "void":
            return Void(match.reason)
        return Missing() if match.status == "finished" else Stopped()


class Cut(Stopped):
    """An attempt never came back, and the run went on from there later."""


class Missing(Stopped):
    """The match goes on where the record has nothing."""


# ── playing it ───────────────────────────────────────────────────────────────────────────────────────


class Stage:
    """Plays all matches of a script; who plays and on what is the same as in the run."""

    def __init__(self, script: Script, players: Sequence[Player], record: Record, done: Replay) -> None:
        self.script = script
        self.players = players
        self.record = record
        self.done = done
        self.journal = Journal(record, Events(), script.run.id, players, apart=script.request.apart)
        self.journal.stop = NoWaits()

    async def play(self, concurrency: int, table: Table) -> None:
        script = self.script
        copied = (script.run, *script.players.values(), *script.prices.values())
        self.record.put(*copied)
        waiting = iter(sorted(script.matches.values(), key=lambda match: match.id))

        async def work() -> None:
            for match in waiting:
                await self._match(match)

        try:
            await asyncio.gather(*(work() for _ in range(concurrency)))
        finally:
            await table.aclose()

    async def _match(self, row: tables.Match) -> None:
        """A match from its beginning; where it was interrupted it goes on as it did then."""
        fixture = self._fixture(row)
        seats = [self.players[player] for player in fixture.seating()]
        for _ in range(1 + self.script.calls[row.id]):  # each time at least one of them comes to pass
            try:
                result = await play(fixture, seats, self.journal)
            except Void as trouble:
                return self.journal.void(fixture, str(trouble))
            except (Cut, Halt):
                self.journal.stopped(fixture)
                self.journal.remember(fixture.id, self.record.past(row))
            except Stopped:
                return self.journal.stopped(fixture)
            else:
                return self.journal.finished(fixture, result)
        self.done.trouble.append(f"{row.id}: it is interrupted again and again and comes to no end")

    def _fixture(self, row: tables.Match) -> Fixture:
        seating = self.script.seats.get(row.id, ())
        if len(seating) != engine.new(row.game, row.seed, **row.variant).num_players():
            raise RecordError(f"{self.script.path} is damaged: seats are missing in {row.id}")
        turned = len(seating) - row.swap  # everybody moves back to where the order has them
        order = seating[turned:] + seating[:turned]
        return Fixture(
            row.id,
            row.pair,
            row.swap,
            row.replay,
            row.seed,
            row.game,
            order,
            row.variant,
            tuple(row.opening),
            self.script.request.start(row.pair),
        )


def cast_of(script: Script, table: Table, done: Replay, reels: Cassette | None) -> list[Player]:
    """The players as they sat then: under the name, the address and the prices of the run. Raises SpecError."""
    seated = seat_players(script.request, table, billed=True)
    return [
        _cued(player, script.players[number], script, done, reels) for number, player in enumerate(seated, 1)
    ]


def _cued(player: Player, row: tables.Player, script: Script, done: Replay, reels: Cassette | None) -> Player:
    price = script.prices.get(row.parameters.get("price", ""))
    player.seated = replace(
        player.seated, label=row.label, parameters=row.parameters, price=read_price(price) if price else None
    )
    if isinstance(player, HumanPlayer) or (isinstance(player, BotPlayer) and not player.bot.repeats()):
        return Recited(player.seated, script, done)
    if isinstance(player, ModelPlayer):
        player.retry = AT_ONCE
        if reels is None:
            player.line = RecordLine(script)
        else:
            tape(player, reels, "replay")
    return Cued(player, script, done)


class NoWaits(StopSign):
    """Nobody is waited for a second time."""

    async def sleep(self, seconds: float) -> None:
        self.check()
        await asyncio.sleep(0)


class Seating(Table):
    """Seats without a service: no SDK is looked for, and there is nobody at the terminal to ask."""

    def __init__(self) -> None:
        super().__init__(ask_human=_nobody)

    def _provider(self, spec: Spec, options: Mapping[str, str]) -> Provider:
        return providers.bare(spec.kind, **options)


async def _nobody(view: View) -> int | None:
    raise Halt("a replay asks nobody")


class Cued:
    """A player who plays by itself, for as long as the record goes on."""

    def __init__(self, player: Player, script: Script, done: Replay) -> None:
        self.player = player
        self.script = script
        self.done = done

    @property
    def seated(self) -> Seated:
        return self.player.seated

    @seated.setter
    def seated(self, seated: Seated) -> None:
        self.player.seated = seated

    async def choose(self, view: View, turn: Turn) -> Decision:
        cue = self.script.cues.get(turn.id)
        if cue is None and turn.id not in self.script.asked:
            raise self._end(turn.id)
        own = turn._replace(
            reserve=partial(self._reserve, turn), on_leave=freely, on_call=partial(self._called, turn)
        )
        made = await self.player.choose(view, own)
        if cue is None:
            raise self._end(turn.id)
        if math.isclose(made.latency_s * 1000, cue.latency_ms, rel_tol=1e-9):
            made.latency_s = seconds(cue.latency_ms)  # a sum of what milliseconds had been rounded to
        if made.mode == "bot" and cue.probabilities is None:
            made.forecast = made.probabilities = None  # earlier versions kept nothing of a bot's search
        return made

    async def _reserve(self, turn: Turn, call: CallMade) -> None:
        """An attempt is about to go: into nothing where it never came back, and not at all where none was made."""
        tried = self.script.tried.get(call.id)
        if tried is None:
            raise self._end(turn.id)
        if tried.kind == "sent":
            await turn.on_leave(call)
            raise Cut

    def _called(self, turn: Turn, call: CallMade) -> None:
        """An attempt is back; it is told on with the time that it took then."""
        attempt = call.attempt
        assert attempt is not None
        if attempt.error is not None and attempt.error.kind == "tape":
            self.done.trouble.append(f"{turn.id}: {attempt.error.message}")
            raise Missing
        latency_s = seconds(self.script.tried[call.id].latency_ms)
        turn.on_call(replace(call, attempt=replace(attempt, latency_s=latency_s)))

    def _end(self, decision: str) -> Exception:
        end = self.script.end(decision)
        if isinstance(end, Missing):
            self.done.trouble.append(f"{decision}: there it was over on record, and now it is not")
        return end


class Recited:
    """A player whose moves are taken from the record: a person, or a bot that does not repeat itself."""

    def __init__(self, seated: Seated, script: Script, done: Replay) -> None:
        self.seated = seated
        self.script = script
        self.done = done

    async def choose(self, view: View, turn: Turn) -> Decision:
        await asyncio.sleep(0)
        cue = self.script.cues.get(turn.id)
        if cue is None:
            raise self.script.end(turn.id)
        if cue.action is not None and cue.action not in [action.id for action in view.legal]:
            self.done.trouble.append(f"{turn.id}: the move on record ({cue.action}) is not legal here")
            raise Missing
        self.done.recited[self.seated.label] += 1
        shares = cue.probabilities and {
            int(action): share for action, share in json.loads(cue.probabilities).items()
        }
        return Decision(
            cue.action, cue.outcome, cue.mode, cue.fault, forecast=cue.forecast, probabilities=shares or None
        )


class RecordLine:
    """The record as a tape: every attempt is answered by what came of it then."""

    def __init__(self, script: Script) -> None:
        self.script = script

    async def send(self, call: str, request: Request, leaves: Leaves = unheard) -> Reply:
        """Nothing leaves. Raises what was raised then; Final("tape") where the decision's question was another one."""
        await asyncio.sleep(0)  # as many at once as there were
        row = self.script.call(call)
        if row.ask == 0 and (differs := self._differs(row.decision, request)):
            raise Final("tape", f"another question is asked now ({differs})")
        return self._outcome(row)

    def _differs(self, decision: str, request: Request) -> str:
        """How the question differs from the one on record; later asks of a decision repeat its first."""
        cue = self.script.cues.get(decision)
        if cue is None or cue.user_blob is None:
            return ""  # it was never made
        asked = {
            "system": (cue.system_blob, request.system),
            "user": (cue.user_blob, request.messages[0].content),
        }
        return "; ".join(
            f"{name}: {difference(was, now)}"
            for name, (blob, now) in asked.items()
            if (was := blob_text(self.script.session, blob)) != now
        )

    def _outcome(self, row: Any) -> Reply:
        reasoning, response, sent = blob_texts(self.script.session, row.texts_blob)
        bodies: dict[str, Any] = {"raw_request": sent, "raw_response": response}
        if row.kind == "ok":
            reply = reply_of(row, reasoning)
            return replace(reply, latency_s=seconds(row.latency_ms), **bodies)
        more: dict[str, Any] = {"status": row.http_status, "request_id": row.request_id, **bodies}
        if row.kind in get_args(RetryKind):
            raise Retryable(row.kind, row.error, possibly_billed=bool(row.possibly_billed), **more)
        if row.kind in get_args(FinalKind):
            raise Final(row.kind, row.error, **more)
        raise RecordError(
            f"{self.script.path} is damaged: {row.id} ended as {row.kind!r}, which nothing does"
        )


def seconds(milliseconds: float) -> float:
    """The seconds of which these are the milliseconds, to the last bit: what the record multiplied by 1000."""
    near = milliseconds / 1000
    below, above = math.nextafter(near, -math.inf), math.nextafter(near, math.inf)
    return next((each for each in (near, below, above) if each * 1000 == milliseconds), near)


# ── comparing ────────────────────────────────────────────────────────────────────────────────────────


def compare(was: Session, now: Session, done: Replay) -> None:
    """Two records, row by row: what was compared and what differs goes into `done`."""
    for name in TABLES:
        table = SQLModel.metadata.tables[name]
        columns = [column.name for column in table.columns if column.name not in CLOCK.get(name, ())]
        keys = [column.name for column in table.primary_key]
        done.rows[name] = 0
        played = "WHERE instr(decision, '-ready') = 0" if name == "call" else ""
        for key, before, after in _side_by_side(
            _rows(was, f"{name} {played}", columns, keys), _rows(now, f"{name} {played}", columns, keys)
        ):
            done.rows[name] += 1
            if before is None or after is None:
                there = (None, "there") if before is None else ("there", None)
                done.differences.append(Difference(name, key, "row", *there))
            else:
                done.differences += [
                    Difference(name, key, column, left, right)
                    for column, left, right in zip(columns, before, after, strict=True)
                    if left != right
                    and not (name == "match" and _crashed(column, before[columns.index("status")]))
                ]


def _crashed(column: str, status: Any) -> bool:
    """A match that a crash left running says neither that it stopped nor how far it came."""
    return status == "running" and column in ("status", "plies")


def _rows(
    session: Session, table: str, columns: Sequence[str], keys: Sequence[str]
) -> Iterator[Sequence[Any]]:
    """As they are on disk: JSON as its text, the numbers of blobs as the texts behind them; the keys come first."""
    query = f"SELECT {', '.join(keys)}, {', '.join(columns)} FROM {table} ORDER BY {', '.join(keys)}"
    width = len(keys)
    texts = lru_cache(1024)(partial(blob_texts, session))  # system prompts are many times the same
    blobs = [place for place, column in enumerate(columns, 1) if column.endswith("_blob")]
    for row in session.execute(text(query)):
        found = [tuple(row[:width]), *row[width:]]
        for place in blobs:
            found[place] = texts(found[place])
        yield found


def _side_by_side(
    was: Iterator[Sequence[Any]], now: Iterator[Sequence[Any]]
) -> Iterator[tuple[str, Sequence[Any] | None, Sequence[Any] | None]]:
    """Both in the order of their keys, which come first; None where one of them lacks a row."""
    left, right = next(was, None), next(now, None)
    while left is not None or right is not None:
        first = min(row[0] for row in (left, right) if row is not None)
        mine = left if left is not None and left[0] == first else None
        other = right if right is not None and right[0] == first else None
        yield "/".join(map(str, first)), mine and mine[1:], other and other[1:]
        left = next(was, None) if mine else left
        right = next(now, None) if other else right
