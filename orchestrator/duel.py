"""A duel: pairs of matches between players, several at once, on record, resumable at a decision.

A pair is one instance seed played once from each side (with more players: once from every rotation);
it is the unit of error. A match that trouble with a service ends is void and played again, at most
`REPLAYS` times in one go; a pair that still misses a match is reported and does not count.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import engine
from orchestrator.events import Events
from orchestrator.fixture import Fixture
from orchestrator.journal import Journal, Stopped
from orchestrator.match import play
from orchestrator.players import Conduct, Halt, Player, Seated, Void
from orchestrator.record import tables
from orchestrator.record.database import RecordError
from orchestrator.record.store import Record, now, player_hash
from orchestrator.table import Table
from providers.prices import Price

REPLAYS = 2


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, whole: written to the record, so that `--resume` needs nothing else."""

    players: tuple[str, ...]
    game: str = "connect4"
    variant: Mapping[str, int] = field(default_factory=dict)
    pairs: int = 5
    seed: int = 0
    opening: int = 0  # plies drawn from the pair's seed before the players begin
    conduct: Conduct = field(default_factory=Conduct)
    price: str | None = None
    unpriced: bool = False

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Request:
        return Request(**{**data, "players": tuple(data["players"]), "conduct": Conduct(**data["conduct"])})


@dataclass(slots=True)
class Ending:
    """Why a run ended before its time, if it did."""

    reason: str = ""  # empty: everything was played
    interrupted: bool = False
    voids: int = 0  # matches that stayed void after their replays


class Duel:
    """One run of one request on one record; `stop()` drains: no new decision begins, calls out come back."""

    def __init__(
        self, request: Request, record: Record, table: Table, events: Events, concurrency: int
    ) -> None:
        self.request = request
        self.record = record
        self.events = events
        self.concurrency = concurrency
        self.players = seat_players(request, table)
        self.run = self._begin()
        self.journal = Journal(record, events, self.run.id, self.players)
        self.ending = Ending()
        self._waiting: deque[Fixture] = deque()
        self._tasks: list[asyncio.Task[None]] = []
        self._bug: Exception | None = None

    # ── the run ──────────────────────────────────────────────────────────────────────────────────

    async def play(self) -> Ending:
        """Play everything that is not yet played. Raises RecordError if that cannot be written."""
        self._waiting.extend(self._open_fixtures())
        self.events.emit(
            "run",
            run=self.run.id,
            output=str(self.record.directory),
            game=self.request.game,
            players=[player.seated.label for player in self.players],
            specs=[player.seated.spec for player in self.players],
            pairs=self.request.pairs,
            matches=self.request.pairs * len(self.players),
            waiting=len(self._waiting),
            seed=self.request.seed,
            concurrency=self.concurrency,
        )
        self._tasks = [
            asyncio.create_task(self._work()) for _ in range(min(self.concurrency, len(self._waiting)))
        ]
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        self.ending.interrupted |= any(isinstance(end, asyncio.CancelledError) for end in ends)
        self._end()
        if self._bug is not None:
            raise self._bug
        return self.ending

    def stop(self, reason: str = "interrupted") -> None:
        """Drain: matches stop before their next decision."""
        if not self.journal.stopping:
            self.journal.stopping = True
            self.ending.reason = reason
            self.ending.interrupted = reason == "interrupted"

    def abandon(self) -> None:
        """Stop at once; calls in flight are lost (they may be billed)."""
        self.stop()
        for task in self._tasks:
            task.cancel()

    async def _work(self) -> None:
        while self._waiting and not self.journal.stopping:
            await self._play_one(self._waiting.popleft())

    async def _play_one(self, fixture: Fixture) -> None:
        size = len(self.players)
        seats = [self.players[(seat + fixture.swap) % size] for seat in range(size)]
        try:
            result = await play(fixture, seats, self.journal)
        except Void as trouble:
            self.journal.void(fixture, str(trouble))
            self._replay(fixture)
        except Halt as trouble:
            self.journal.stopped(fixture)
            self.stop(str(trouble))
        except Stopped:
            self.journal.stopped(fixture)
        except asyncio.CancelledError:
            self.journal.stopped(fixture)
            raise
        except Exception as bug:  # ours or a bot's: what the others have in flight still comes back
            self._bug = bug
            self.stop(f"{type(bug).__name__}: {bug}")
        else:
            self.journal.finished(fixture, result)

    def _replay(self, fixture: Fixture) -> None:
        tries = self._tries.get((fixture.pair, fixture.swap), 0) + 1
        self._tries[fixture.pair, fixture.swap] = tries
        if tries > REPLAYS:
            self.ending.voids += 1
            return
        self._waiting.append(self._fixture(fixture.pair, fixture.swap, fixture.attempt + 1))

    # ── what there is to play ────────────────────────────────────────────────────────────────────

    def _open_fixtures(self) -> list[Fixture]:
        """Every match of the request without a result: interrupted ones first go on where they stand."""
        self._tries: dict[tuple[int, int], int] = {}
        last: dict[tuple[int, int], tables.Match] = {}
        for row in self.record.matches():
            key = row.pair, row.swap
            if key not in last or row.attempt > last[key].attempt:
                last[key] = row
        fixtures = []
        for pair in range(self.request.pairs):
            for swap in range(len(self.players)):
                row_or_none = last.get((pair, swap))
                if row_or_none is None:
                    fixtures.append(self._fixture(pair, swap, 0))
                elif row_or_none.status == "void":
                    fixtures.append(self._fixture(pair, swap, row_or_none.attempt + 1))
                elif row_or_none.status != "finished":
                    fixture = self._fixture(pair, swap, row_or_none.attempt)
                    self.journal.remember(fixture.id, self.record.past(fixture.id))
                    fixtures.append(fixture)
        return fixtures

    def _fixture(self, pair: int, swap: int, attempt: int) -> Fixture:
        seed = engine.derive(self.request.seed, "pair", pair)
        again = str(attempt + 1) if attempt else ""
        return Fixture(
            id=f"{self.run.id}-{pair + 1:04d}{chr(ord('a') + swap)}{again}",
            pair=pair,
            swap=swap,
            attempt=attempt,
            seed=seed,
            game=self.request.game,
            variant=self.request.variant,
            opening=draw_opening(self.request, seed),
        )

    # ── rows about the run ───────────────────────────────────────────────────────────────────────

    def _begin(self) -> tables.Run:
        found = self.record.run()
        if found is not None:
            found.status, found.reason, found.finished = "running", "", None
            self.record.put(found)
            return found
        run = tables.Run(
            id=new_run_id(),
            kind="duel",
            status="running",
            seed=self.request.seed,
            request=self.request.to_json(),
            version=version(),
            created=now(),
        )
        self.record.put(run)
        for number, player in enumerate(self.players, 1):
            seated = player.seated
            if seated.price is not None:
                self.record.put(price_row(seated, seated.price))
            self.record.put(player_row(number, player))
        return run

    def _end(self) -> None:
        ending = self.ending
        if ending.interrupted:
            status = "stopped"
        elif ending.reason:
            status = "failed"
        else:
            status = "incomplete" if ending.voids else "finished"
        self.run.status, self.run.reason, self.run.finished = status, ending.reason, now()
        self.record.put(self.run)
        self.record.flush()


def seat_players(request: Request, table: Table) -> list[Player]:
    """The players of a request, with labels that tell them apart. Raises SpecError."""
    players = [
        table.seat(spec, request.conduct, price=request.price, unpriced=request.unpriced)
        for spec in request.players
    ]
    labels = [player.seated.label for player in players]
    if len(set(labels)) == len(labels):
        return players
    return [
        table.seat(
            spec,
            request.conduct,
            price=request.price,
            unpriced=request.unpriced,
            label=f"{label} #{number}" if labels.count(label) > 1 else label,
        )
        for number, (spec, label) in enumerate(zip(request.players, labels, strict=True), 1)
    ]


def draw_opening(request: Request, seed: int) -> tuple[int, ...]:
    """Random legal plies from the pair's seed: both matches of a pair start from the same position."""
    if not request.opening:
        return ()
    for trial in range(100):
        rng = engine.Rng(engine.derive(seed, "opening", trial))
        game = engine.new(request.game, seed, **request.variant)
        plies: list[int] = []
        while len(plies) < request.opening and not game.is_terminal():
            legal = game.legal_actions()
            plies.append(legal[rng.below(len(legal))])
            game.apply(plies[-1])
        if not game.is_terminal():
            return tuple(plies)
    raise ValueError(
        f"an opening of {request.opening} plies ends {request.game} before the players move: use fewer"
    )


def new_run_id() -> str:
    """Sorts by time (seconds), unique by chance: r + 7 base-32 digits + 4 random ones."""
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    number, text = int(time.time()), ""
    for _ in range(7):
        number, digit = divmod(number, 32)
        text = digits[digit] + text
    return "r" + text + "".join(secrets.choice(digits) for _ in range(4))


def version() -> str:
    from importlib.metadata import version

    return version("duelist")


def player_row(number: int, player: Player) -> tables.Player:
    seated = player.seated
    return tables.Player(
        id=number,
        spec=seated.spec,
        label=seated.label,
        kind=seated.kind,
        provider=seated.provider,
        model=seated.model,
        style=seated.style,
        track=seated.track,
        parameters=dict(seated.parameters),
        hash=player_hash(seated.spec, seated.style, seated.track, seated.parameters),
    )


def price_row(seated: Seated, price: Price) -> tables.Price:
    numbers = asdict(price)
    about = {name: numbers.pop(name) for name in ("tier", "source", "dated")}
    return tables.Price(
        id=seated.price_id, provider=seated.provider, model=seated.model, numbers=numbers, **about
    )


def open_record(output: Path, *, resume: bool) -> Record:
    """The record of a run's directory. A run that is there needs `resume`, and the other way round."""
    exists = (output / "record.db").exists()
    if exists and not resume:
        raise RecordError(
            f"{output} already holds a run: continue it with --resume, or give another --output"
        )
    if resume and not exists:
        raise RecordError(f"{output} holds no run to resume: leave --resume out to begin one")
    return Record(output)


def resumed_request(record: Record, asked: Sequence[tuple[str, object]]) -> Request:
    """The request on record. What is asked again must agree with it; RecordError names the difference."""
    run = record.run()
    if run is None:
        raise RecordError(f"{record.directory} holds no run that began: give another --output")
    request = Request.from_json(run.request)
    known = request.to_json()
    differences = [
        f"{name}: {known[name]!r} on record, {value!r} asked"
        for name, value in asked
        if known.get(name) != json.loads(json.dumps(value))
    ]
    if differences:
        raise RecordError(
            f"{record.directory} was begun with another request ({'; '.join(differences)}): "
            "resume with --resume and --output alone, or begin a new run"
        )
    return request
