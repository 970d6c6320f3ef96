"""Batch mode: one ply of many matches is handed to a service together, in lock-step waves, at half the price.

A match is sequential, so nothing within it can be batched. But when every match waits for a model, what they
wait for is one batch: all play at once, each attempt comes to the `Desk`, and a player's wave leaves when no
running match can still add to it. Nothing here polls for that moment: every change at the desk looks.

Three steps make pausing and killing free. A wave is on disk before it is handed in (`submitting`), so that one
whose answer was lost is found again at the service by its name; it is `open` with the service's id after; it
is `closed` once every result is on record. `collect` brings home what an earlier process left open, before
matches go on, and they then find their answers in the record: nothing is asked, or paid, twice.

Left out: retrying a part (the player does, into its next wave), and waves that leave when they are full or late:
half a wave costs everybody another round.

    attempt ─ Line.send ─▶ Desk ─ a lane per player ─▶ wave ─ Courier ─▶ BatchProvider
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Protocol, TypeVar

from sqlmodel import Session, col, func, select
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from orchestrator.events import Events
from orchestrator.lines import unheard
from orchestrator.players import Gate, Halt, Stopped, StopSign
from orchestrator.record import tables
from orchestrator.record.database import RecordError
from orchestrator.record.store import Record, blob_text
from providers.base import (
    BatchLimits,
    BatchProvider,
    BatchStatus,
    Final,
    ProviderError,
    Reply,
    Request,
    Retryable,
)
from providers.retry import Leaves

T = TypeVar("T")

Hand = Callable[[str, Reply | ProviderError], None]
"""Gives a call what it came to."""

Back = Callable[[tables.Call, Reply | ProviderError], None]
"""Keeps what a call of an earlier process came to, in place of its row, which says `sent`."""

DAY_S = 86_400.0
VENDORS_SAY_S = (60.0, 3600.0, DAY_S)
FOUND = "its submission's answer was lost, and the batch was found"  # what a wave's row then says
GRACE_S = 10.0  # for a submission that is on its way when the run ends
FRAME_BYTES = 1024  # what a request's body holds besides its texts, generously


class Purse(Protocol):
    """What the desk knows of the budget: how many matches wait for money (it calls `Desk.look` on a change)."""

    @property
    def waiting(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How gently a service is asked, and for how long one that fails to answer is given time.

    A batch is looked at after `first_s` seconds, then after waits that grow by `growth` up to `longest_s`. A
    verb that fails is tried `tries` times in a row with the same waits: about an hour. A submission that fails
    is looked for at the service, and handed in at most `hand_ins` times in all. A service may show what it took
    only after a while: nobody looks for a submission in the first `settles_s` seconds.
    """

    first_s: float = 10.0
    longest_s: float = 60.0
    growth: float = 1.5
    tries: int = 60
    hand_ins: int = 5
    settles_s: float = 30.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    unix: Callable[[], float] = time.time

    def wait(self, number: int) -> float:
        """Seconds before look or try `number` + 1, which counts from 1."""
        return min(self.longest_s, self.first_s * self.growth ** min(number - 1, 64))


# ── between us and a service ─────────────────────────────────────────────────────────────────────


class Courier:
    """Takes one wave to its service and brings back what came of it; raises Stopped where it would wait."""

    def __init__(
        self,
        providers: Mapping[int, BatchProvider],
        wave: tables.Wave,
        label: str,
        *,
        record: Record,
        events: Events,
        stop: StopSign,
        pace: Pace,
    ) -> None:
        self.providers = providers
        self.provider = providers[wave.player]
        self.wave = wave
        self.label = label
        self.record = record
        self.events = events
        self.stop = stop
        self.pace = pace
        self._done = self._failed = 0

    async def hand_in(self, requests: Mapping[str, Request]) -> None:
        """Submit; one whose answer was lost is looked for before it is submitted again.

        Raises Final where the service refuses, and the last Retryable after `hand_ins`: nothing was taken then.
        """
        for number in range(1, self.pace.hand_ins + 1):
            try:
                self._opened(await self.provider.submit(self.wave.id, requests))
                return
            except Retryable as error:
                lost = error
            await self._sleep(max(self.pace.wait(number), self.pace.settles_s, lost.retry_after_s or 0.0))
            if await self.found(list(requests)):
                return
        raise lost

    async def found(self, calls: Sequence[str]) -> bool:
        """Whether the service has this wave, whose answer was lost; it is then open."""
        age = self.pace.unix() - self.wave.submitted
        if age < self.pace.settles_s:
            await self._sleep(self.pace.settles_s - age)
        try:
            batch = await self._patiently(
                partial(self.provider.find, self.wave.id, self.wave.submitted, calls)
            )
        except Final as error:
            raise self._halt(error) from error
        if batch is None or await self._is_anothers(batch):
            return False
        self.wave.error = FOUND
        self._opened(batch)
        return True

    async def bring(self, awaited: set[str], hand: Hand, coming: Callable[[], None] = lambda: None) -> None:
        """Wait for the end and `hand` each awaited call once what it came to; `coming` is told before the first.

        A batch that was only found, and has nothing of ours when it ends, was somebody else's: a service without
        names for batches knows no better. Ours then never arrived.
        """
        mine, billed = len(awaited), True
        try:
            await self._end()
            coming()
            await self._patiently(partial(self._results, awaited, hand))
            why = "the batch ended without a result for this call"
            if self.wave.error == FOUND and len(awaited) == mine:
                why, billed = "the batch that was taken for it was another's: this call never arrived", False
        except Final as error:
            if error.kind in ("auth", "quota"):  # it can be had another day, with another key
                raise self._halt(error) from error
            coming()
            why = self._lost(error)
        for call in sorted(awaited):
            self._hand(call, Retryable("protocol", why, possibly_billed=billed), hand)
        self.tell("ended", done=self._done, failed=self._failed)

    def close(self) -> None:
        """Every result is on record, or is put before this."""
        self.wave.status, self.wave.closed = "closed", self.pace.unix()
        self.record.put(self.wave)

    def tell(self, status: str, **more: object) -> None:
        wave, seconds = self.wave, round(self.pace.unix() - self.wave.submitted, 1)
        self.events.emit(
            "wave",
            id=wave.id,
            status=status,
            player=self.label,
            calls=wave.calls,
            batch=wave.batch,
            seconds=seconds,
            **more,
        )

    async def _is_anothers(self, batch: str) -> bool:
        """Where a service keeps no names, what it found may be another player's wave of the same time and size."""
        await self.record.durable()
        query = select(tables.Wave.player).where(tables.Wave.batch == batch)  # it may be closed by now
        with self.record.session() as session:
            return any(self.providers.get(player) is self.provider for player in session.exec(query))

    def _opened(self, batch: str) -> None:
        self.wave.batch, self.wave.status = batch, "open"
        self.record.put(self.wave)
        self.tell("submitted")

    async def _end(self) -> None:
        """Look at the batch until it has ended; at once, if it was handed in a while ago."""
        known = BatchStatus(False)
        for number in count(1):
            if number > 1 or self.pace.unix() - self.wave.submitted < self.pace.first_s:
                await self._sleep(self.pace.wait(number))
            status = await self._patiently(partial(self.provider.poll, self.wave.batch))
            if status.ended:
                return
            if (status.done, status.failed, status.detail) != (known.done, known.failed, known.detail):
                self.tell("progress", done=status.done, failed=status.failed, detail=status.detail)
            known = status

    async def _results(self, awaited: set[str], hand: Hand) -> None:
        """One reading of the results; what an earlier one brought is not awaited any more."""
        results = self.provider.results(self.wave.batch)
        try:
            async for call, came in results:
                if call in awaited:
                    awaited.discard(call)
                    self._hand(call, came, hand)
        finally:
            if isinstance(results, AsyncGenerator):
                await results.aclose()

    def _hand(self, call: str, came: Reply | ProviderError, hand: Hand) -> None:
        self._done += isinstance(came, Reply)
        self._failed += isinstance(came, ProviderError)
        hand(call, came)

    async def _patiently(self, verb: Callable[[], Awaitable[T]]) -> T:
        """Retryable trouble does not lose a wave. Raises Halt when patience ends, Final at once."""

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after_s if isinstance(error, Retryable) else None
            return max(self.pace.wait(state.attempt_number), asked or 0.0)

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Retryable),
            wait=wait,
            stop=stop_after_attempt(self.pace.tries),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return await retrying(verb)
        except Retryable as error:
            raise self._halt(error) from error

    async def _sleep(self, seconds: float) -> None:
        self.stop.check()
        await self.stop.unless_up(self.pace.sleep(seconds))

    def _halt(self, error: ProviderError) -> Halt:
        return Halt(
            f"{self.label}: {error.kind}: {error.message}; wave {self.wave.id} stays open and is collected when "
            "the run is resumed"
        )

    def _lost(self, error: Final) -> str:
        """Why the results of an open wave cannot be had any more, in words."""
        kept_s, age_s = self.provider.batch_limits().results_kept_s, self.pace.unix() - self.wave.submitted
        if age_s > DAY_S + kept_s:
            return (
                f"the results of batch {self.wave.batch} were kept for {span(kept_s)} and it was handed in "
                f"{span(age_s)} ago: resume earlier ({error.kind}: {error.message})"
            )
        return (
            f"the service does not give the results of batch {self.wave.batch}: {error.kind}: {error.message}"
        )


# ── where attempts wait ──────────────────────────────────────────────────────────────────────────


@dataclass(slots=True, eq=False)
class _Part:
    """One attempt at the desk. It rests until what it waits for is on its way to it."""

    call: str
    request: Request
    leaves: Leaves
    answer: asyncio.Future[Reply]
    sent: _Sent | None = None
    rests: bool = True


@dataclass(slots=True, eq=False)
class _Sent:
    """A wave that is out; `untaken` are the calls whose match has not taken what came back."""

    courier: Courier
    parts: Mapping[str, _Part]
    untaken: set[str]


@dataclass(slots=True, eq=False)
class _Lane:
    """One player's way to its service: the Line that it sends over."""

    desk: Desk
    player: int
    provider: BatchProvider
    waves: int  # numbers given so far
    waiting: dict[str, _Part] = field(default_factory=dict)
    out: int = 0

    async def send(self, call: str, request: Request, leaves: Leaves = unheard) -> Reply:
        return await self.desk.wait(self, call, request, leaves)


class Desk:
    """Where the attempts of all running matches meet. One per run, on the event loop that plays it.

    Whoever sends puts what came back on record before it awaits anything else: a wave is closed on that. A call
    leaves with its wave; what waits at the desk when the run stops was never on the bill.
    """

    def __init__(
        self,
        record: Record,
        events: Events,
        stop: StopSign,
        budget: Purse,
        gate: Gate,
        *,
        pace: Pace | None = None,
    ) -> None:
        run = record.run()
        assert run is not None, "a desk stands in a run that began"
        self._record, self._events, self._stop = record, events, stop
        self._budget, self._gate = budget, gate
        self._pace = pace or Pace()
        self._run = run.id
        self._labels = {player.id: player.label for player in record.players()}
        self._numbers = _numbers(record)
        self._lanes: dict[int, _Lane] = {}
        self._providers: dict[int, BatchProvider] = {}
        self._sent: set[_Sent] = set()  # not closed
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = self._resting = 0
        self._looking = False

    def line(self, player: int, provider: BatchProvider, model: str) -> _Lane:
        """The Line of a player, by its number in the record; asked twice, it is the same one."""
        if player not in self._lanes:
            self._labels.setdefault(player, model)
            self._providers[player] = provider
            self._lanes[player] = _Lane(self, player, provider, self._numbers.get(player, 0))
        return self._lanes[player]

    def match_begins(self) -> None:
        """A match is played now: waves wait for it until it waits for one itself."""
        self._running += 1

    def match_ends(self) -> None:
        self._running -= 1
        self.look()

    def look(self) -> None:
        """Something changed: once what happens in this turn of the loop has happened, see who can leave."""
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look)

    async def aclose(self) -> None:
        """The run ends: what is being handed in gets a moment to arrive, what is out stays out and is told."""
        await asyncio.sleep(0)  # what was just taken is closed
        if self._tasks:  # once the sign is up, none of them waits for results
            await asyncio.wait(self._tasks, timeout=GRACE_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._sent:
            for sent in self._sent:
                sent.courier.tell("left")
            calls = sum(sent.courier.wave.calls for sent in self._sent)
            self._events.emit("notice", text=left_open(len(self._sent), calls))

    # ── a match's side ───────────────────────────────────────────────────────────────────────────

    async def wait(self, lane: _Lane, call: str, request: Request, leaves: Leaves) -> Reply:
        """One attempt, from joining the player's next wave to what it came to. Raises as `send` does, and Stopped."""
        part = _Part(call, request, leaves, asyncio.get_running_loop().create_future())
        lane.waiting[call] = part
        self._resting += 1
        self.look()
        try:
            reply = await self._stop.unless_up(part.answer)
        except ProviderError:
            self._take(part)
            raise
        except BaseException:  # stopped, or trouble of ours: the wave stays open for whoever resumes
            self._rouse(part)
            lane.waiting.pop(call, None)
            raise
        self._take(part)
        return reply

    def _take(self, part: _Part) -> None:
        """Its match has it, and puts it on record in this turn of the loop; after that the wave may be closed."""
        asyncio.get_running_loop().call_soon(self._taken, part)

    def _taken(self, part: _Part) -> None:
        sent = part.sent
        if sent is None:  # it was held back as it left
            return
        sent.untaken.discard(part.call)
        if not sent.untaken:
            self._sent.discard(sent)
            with suppress(RecordError):  # whoever writes next hears of it
                sent.courier.close()

    def _rouse(self, part: _Part) -> None:
        if part.rests:
            part.rests = False
            self._resting -= 1

    # ── a wave's side ────────────────────────────────────────────────────────────────────────────

    def _look(self) -> None:
        self._looking = False
        busy = self._running - self._resting - self._budget.waiting
        if busy > 0 or self._stop.is_up or not self._gate.is_open:
            return
        for lane in self._lanes.values():
            if lane.waiting and not lane.out:
                parts = [lane.waiting[call] for call in sorted(lane.waiting)]
                lane.waiting.clear()
                for some in _fitting(parts, lane.provider.batch_limits()):
                    lane.out += 1
                    task = asyncio.create_task(self._carry(lane, some))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)

    async def _carry(self, lane: _Lane, parts: Sequence[_Part]) -> None:
        """From the desk to the service and back."""
        try:
            left = await self._leave(parts)
            if left:
                await self._bring(self._wave(lane, left))
        except Stopped:
            pass  # those who wait heard it themselves
        except Exception as trouble:  # a Halt, the disk's, or a bug of ours: nobody is left waiting
            for part in parts:
                self._hold(part, trouble)
        finally:
            lane.out -= 1
            self.look()

    async def _leave(self, parts: Sequence[_Part]) -> dict[str, _Part]:
        """Every part says that it leaves, which may hold it back; those that do, by call."""
        parts = [part for part in parts if not part.answer.done()]
        told = await asyncio.gather(*(part.leaves() for part in parts), return_exceptions=True)
        for part, trouble in zip(parts, told, strict=True):
            if trouble is not None:
                self._hold(part, trouble)
        return {part.call: part for part in parts if not part.answer.done()}

    def _wave(self, lane: _Lane, parts: Mapping[str, _Part]) -> _Sent:
        lane.waves += 1
        wave = tables.Wave(
            id=f"{self._run}-w{lane.waves:04d}.{lane.player}",
            run=self._run,
            number=lane.waves,
            player=lane.player,
            status="submitting",
            calls=len(parts),
            calls_blob=self._record.blob("\n".join(parts)),
            submitted=self._pace.unix(),
        )
        self._record.put(wave)
        courier = Courier(
            self._providers,
            wave,
            self._labels[lane.player],
            record=self._record,
            events=self._events,
            stop=self._stop,
            pace=self._pace,
        )
        sent = _Sent(courier, parts, set(parts))
        for part in parts.values():
            part.sent = sent
        self._sent.add(sent)
        return sent

    async def _bring(self, sent: _Sent) -> None:
        courier, parts = sent.courier, sent.parts
        try:
            await self._record.durable()
            self._stop.check()
            await courier.hand_in({call: part.request for call, part in parts.items()})
        except ProviderError as error:
            courier.wave.error = error.message
            courier.tell("refused", error=error.message)
            self._come(sent)
            for call in parts:
                _answer(parts, call, _of_one(error))
        else:
            await courier.bring(set(parts), partial(_answer, parts), partial(self._come, sent))

    def _come(self, sent: _Sent) -> None:
        """Answers are about to come, one after the other: nobody leaves until the last of them has moved on."""
        for part in sent.parts.values():
            self._rouse(part)

    def _hold(self, part: _Part, trouble: BaseException) -> None:
        self._rouse(part)
        if not part.answer.done():
            part.answer.set_exception(trouble)


def left_open(waves: int, calls: int) -> str:
    """For people, where a run ends with waves out."""
    what = "1 wave" if waves == 1 else f"{waves} waves"
    return (
        f"{what} of {calls} call{'' if calls == 1 else 's'} in all left open: the service goes on answering, "
        "and --resume collects the answers"
    )


def _answer(parts: Mapping[str, _Part], call: str, came: Reply | ProviderError) -> None:
    answer = parts[call].answer
    if answer.done():  # its match was stopped meanwhile
        return
    if isinstance(came, ProviderError):
        if isinstance(came, Retryable):
            came.retry_after_s = None  # the next wave is wait enough, and others would wait for this match
        answer.set_exception(came)
    else:
        answer.set_result(came)


def _of_one(error: ProviderError) -> ProviderError:
    """What a refused wave means to one of its calls; the body that was sent holds the others' too."""
    more = {"status": error.status, "request_id": error.request_id, "raw_response": error.raw_response}
    if isinstance(error, Retryable):
        return Retryable(error.kind, error.message, **more)  # type: ignore[arg-type]
    return Final(error.kind, error.message, **more)  # type: ignore[arg-type]


def _never_left() -> Retryable:
    return Retryable("connection", "the run ended before this call was handed in")


def _fitting(parts: Sequence[_Part], limits: BatchLimits) -> Iterator[list[_Part]]:
    """Consecutive parts that a batch takes; a part that is too large by itself goes alone, to be refused."""
    some: list[_Part] = []
    room = limits.bytes
    for part in parts:
        size = _bytes(part.request)
        if some and (len(some) == limits.requests or size > room):
            yield some
            some, room = [], limits.bytes
        some.append(part)
        room -= size
    yield some


def _bytes(request: Request) -> int:
    """About the size of a request's body in any service's words, rather too much than too little."""
    texts = [
        request.system,
        *(message.content for message in request.messages),
        request.schema,
        request.choices,
    ]
    return len(json.dumps(texts)) + FRAME_BYTES


def _numbers(record: Record) -> dict[int, int]:
    """By player, the highest number that a wave on record has."""
    record.flush()
    with record.session() as session:
        query = select(tables.Wave.player, func.max(tables.Wave.number)).group_by(col(tables.Wave.player))
        return dict(session.exec(query).all())


# ── what an earlier process left ─────────────────────────────────────────────────────────────────


def open_waves(record: Record) -> list[tables.Wave]:
    """The waves that are not closed, oldest first."""
    record.flush()
    with record.session() as session:
        query = select(tables.Wave).where(tables.Wave.status != "closed")
        waves = session.exec(query.order_by(col(tables.Wave.submitted), col(tables.Wave.id))).all()
        session.expunge_all()
        return list(waves)


async def collect(
    record: Record,
    waves: Sequence[tables.Wave],
    providers: Mapping[int, BatchProvider],
    back: Back,
    *,
    events: Events,
    stop: StopSign,
    pace: Pace | None = None,
) -> int:
    """Bring home what an interrupted run left open; how many calls `back` was told of. Before any match goes on.

    `providers` are those of the players in batch mode, by number. Only calls whose row still says `sent` are
    told: what a match had already taken stays as it is, so that this can itself be interrupted and begun again.
    A wave that was never handed in, and a call that is in no wave at all, cost nothing and are told so.

    Raises Stopped; Halt where a service cannot be reached or refuses the key: the waves then stay open; RecordError
    for a wave of a player that is not among `providers`.
    """
    labels = {player.id: player.label for player in record.players()}
    sent = _sent_calls(record, providers)
    told = 0

    def tell(call: str, came: Reply | ProviderError) -> None:
        nonlocal told
        told += 1
        back(sent[call], came)

    for wave in waves:
        if wave.player not in providers:
            raise RecordError(
                f"wave {wave.id} of {labels.get(wave.player, 'a player')} is open, but that player does not play in "
                "batches now: resume as the run was begun"
            )
    handed = {wave.id: _calls(record, wave) for wave in waves}
    for call in sorted(set(sent).difference(*handed.values())):
        tell(call, _never_left())
    for wave in waves:  # one after the other: the services work on all of them meanwhile
        calls = handed[wave.id]
        courier = Courier(
            providers,
            wave,
            labels.get(wave.player, ""),
            record=record,
            events=events,
            stop=stop,
            pace=pace or Pace(),
        )
        awaited = {call for call in calls if call in sent}
        if awaited and (wave.batch or await courier.found(calls)):
            await courier.bring(awaited, tell)
        elif awaited:
            wave.error = "never arrived at the service"
            for call in sorted(awaited):
                tell(call, _never_left())
        courier.close()
    return told


async def cancel_all(waves: Sequence[tables.Wave], providers: Mapping[int, BatchProvider]) -> int:
    """Ask the services to stop what is out; how many waves were asked for. What is answered by then is billed.

    The waves stay open on record: their results, the cancelled ones among them, are collected at a resume.
    Raises the last error after all were asked.
    """
    asked, trouble = 0, None
    for wave in waves:
        if wave.batch:
            try:
                await providers[wave.player].cancel(wave.batch)
                asked += 1
            except ProviderError as error:
                trouble = error
    if trouble is not None:
        raise trouble
    return asked


def _sent_calls(record: Record, players: Mapping[int, BatchProvider]) -> dict[str, tables.Call]:
    """Calls of these players that left and are not back, as far as the record knows, by id."""
    record.flush()
    with record.session() as session:
        query = select(tables.Call).where(
            tables.Call.kind == "sent", col(tables.Call.player).in_(list(players))
        )
        calls = {call.id: call for call in session.exec(query)}
        session.expunge_all()
        return calls


def _calls(record: Record, wave: tables.Wave) -> list[str]:
    with record.session() as session:
        return blob_text(session, wave.calls_blob).split("\n")


# ── how long it will take ────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Forecast:
    """How long a run in batches takes: `waves` one after the other, in `batches` in all; seconds."""

    waves: int
    batches: int
    low_s: float
    likely_s: float
    high_s: float

    def __str__(self) -> str:
        return (
            f"about {self.waves} waves one after the other ({self.batches} batches): likely {span(self.likely_s)}, "
            f"between {span(self.low_s)} and {span(self.high_s)}"
        )


def forecast(
    matches: int,
    plies_per_match: int,
    players: int,
    seconds_per_wave: tuple[float, float, float] = VENDORS_SAY_S,
    ask_again: float = 0.05,
) -> Forecast:
    """How long `matches` take whose longest has `plies_per_match` plies chosen by `players` models in batches.

    A round is as long as its longest match: of n = `plies_per_match` questions the share p = `ask_again` is
    asked once more, which is n + np on average and, for the unluckiest of N matches, about sqrt(2 np(1-p) ln N)
    more (the expected maximum of N Gaussians). Two players have a batch out at the same time, if each of them
    begins in half of the matches.

    `seconds_per_wave` is (low, likely, high): from `seconds_per_wave` where there is experience. Else a minute,
    an hour and a day: services promise a day, and the Anthropic guide (docs.claude.com, Batch processing) says that
    most batches end within an hour.
    """
    mean = plies_per_match * ask_again
    unlucky = math.sqrt(2 * mean * (1 - ask_again) * math.log(max(matches, 1)))
    waves = math.ceil(plies_per_match + min(mean + unlucky, float(plies_per_match)))
    low, likely, high = (waves * seconds for seconds in seconds_per_wave)
    return Forecast(waves, waves * min(players, matches), low, likely, high)


def seconds_per_wave(session: Session) -> tuple[float, float, float] | None:
    """Of a record's closed waves, the seconds that a tenth, half and nine tenths of them took; None: there are none."""
    query = select(tables.Wave.submitted, tables.Wave.closed).where(
        tables.Wave.status == "closed", tables.Wave.batch != ""
    )
    took = sorted(closed - submitted for submitted, closed in session.exec(query) if closed is not None)
    if not took:
        return None
    low, likely, high = (took[round(share * (len(took) - 1))] for share in (0.1, 0.5, 0.9))
    return low, likely, high


def span(seconds: float) -> str:
    """A length of time in the unit that suits it: 40 s, 23 min, 5.5 h, 23 days."""
    for unit, size in (("days", DAY_S), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"
