"""Batch mode: waves in lock step, answers brought home, and nothing lost or asked twice whatever ends a process."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator import batch
from orchestrator.batch import Desk, Pace, cancel_all, collect, forecast, open_waves, seconds_per_wave, span
from orchestrator.events import Event, Events
from orchestrator.lines import Line
from orchestrator.players import Gate, Halt, Stopped, StopSign
from orchestrator.record import tables
from orchestrator.record.reading import reading
from orchestrator.record.store import Record, call_id
from providers.base import (
    BatchLimits,
    BatchProvider,
    BatchStatus,
    Capabilities,
    Final,
    Message,
    ProviderError,
    Reply,
    Request,
    Retryable,
    Usage,
)

RUN = "rtest000run0"
BATCH = Usage(input_fresh=10, output=5, tier="batch")


def answer(request: Request) -> Reply:
    """What a model without moods says: the same to the same question."""
    said = blake2b(repr((request.system, request.messages)).encode(), digest_size=6).hexdigest()
    return Reply(said, BATCH, model=request.model)


# ── a service in memory ──────────────────────────────────────────────────────────────────────────


@dataclass
class Kept:
    """A batch at the service."""

    name: str
    requests: dict[str, Request]
    polls: int  # until it has ended
    results: list[tuple[str, Reply | ProviderError]] | None = None


@dataclass
class Trouble:
    """The share of requests that go wrong, by how."""

    refused: float = 0.0  # a submission does not arrive
    lost: float = 0.0  # it arrives and its answer does not
    unreachable: float = 0.0  # find and poll
    broken: float = 0.0  # results end in the middle
    errored: float = 0.0  # a part
    expired: float = 0.0
    left_out: float = 0.0


@dataclass
class Service:
    """The batches of one service. They are its own: they outlive the process that handed them in."""

    rng: random.Random
    trouble: Trouble = field(default_factory=Trouble)
    limits: BatchLimits = field(default_factory=lambda: BatchLimits(100_000, 10**9, 29 * batch.DAY_S))
    longest: int = 3
    batches: dict[str, Kept] = field(default_factory=dict)
    answered: Counter[str] = field(default_factory=Counter)  # by question: what is on the bill
    cancelled: list[str] = field(default_factory=list)
    polled: int = 0
    step: Callable[[], None] = lambda: None
    name: str = "memory"

    def capabilities(self, model: str) -> Capabilities:
        return Capabilities()

    async def complete(self, request: Request) -> Reply:
        await asyncio.sleep(0)
        return answer(request)

    async def aclose(self) -> None:
        return None

    def batch_limits(self) -> BatchLimits:
        return self.limits

    async def submit(self, name: str, requests: Mapping[str, Request]) -> str:
        self.step()
        await asyncio.sleep(0)
        self.step()
        if self._chance(self.trouble.refused):
            raise Retryable("overloaded", "come back later")
        identifier = f"batch-{len(self.batches) + 1}"
        self.batches[identifier] = Kept(name, dict(requests), self.rng.randint(0, self.longest))
        self.step()
        await asyncio.sleep(0)
        if self._chance(self.trouble.lost):
            raise Retryable("timeout", "no answer", possibly_billed=True)
        self.step()
        return identifier

    async def find(self, name: str, since_unix: float, ids: Sequence[str]) -> str | None:
        self._reach()
        await asyncio.sleep(0)
        for identifier, kept in self.batches.items():
            if kept.name == name:
                assert set(kept.requests) == set(ids)
                return identifier
        return None

    async def poll(self, batch: str) -> BatchStatus:
        self.polled += 1
        self._reach()
        await asyncio.sleep(0)
        kept = self.batches[batch]
        kept.polls -= 1
        if kept.polls < 0 and kept.results is None:
            kept.results = [(call, self._work(request)) for call, request in kept.requests.items()]
        return BatchStatus(kept.results is not None, len(kept.requests))

    async def results(self, batch: str) -> AsyncIterator[tuple[str, Reply | ProviderError]]:
        results = self.batches[batch].results
        assert results is not None, "the results of a batch that has not ended"
        results = [part for part in results if not self._left_out(part[0])]
        self.rng.shuffle(results)
        for part in results:
            self.step()
            if self._chance(self.trouble.broken / len(results)):
                raise Retryable("connection", "cut off")
            yield part
            if self._chance(0.2):
                await asyncio.sleep(0)

    async def cancel(self, batch: str) -> None:
        self.cancelled.append(batch)

    def copy(self, rng: random.Random, trouble: Trouble | None = None) -> Service:
        """As it stands; nobody who has the old one changes it."""
        batches = {name: replace(kept) for name, kept in self.batches.items()}
        return replace(
            self,
            rng=rng,
            trouble=trouble or self.trouble,
            batches=batches,
            answered=self.answered.copy(),
            step=lambda: None,
        )

    def _work(self, request: Request) -> Reply | ProviderError:
        if self._chance(self.trouble.errored):
            return Retryable("server", "internal error", retry_after_s=99999.0)
        if self._chance(self.trouble.expired):
            return Retryable("timeout", "expired")
        self.answered[request.system] += 1
        return answer(request)

    def _left_out(self, call: str) -> bool:
        return random.Random(call).random() < self.trouble.left_out

    def _reach(self) -> None:
        self.step()
        if self._chance(self.trouble.unreachable):
            raise Retryable("connection", "cannot be reached")

    def _chance(self, share: float) -> bool:
        return share > 0 and self.rng.random() < share


# ── an arena of made-up matches ──────────────────────────────────────────────────────────────────


class Killed(BaseException):
    """The process is no more."""


@dataclass
class Plan:
    """Matches that alternate players; None is a bot. A player's number is its lane's."""

    matches: int
    order: tuple[int | None, ...]
    swap: bool = True
    plies: tuple[int, int] = (3, 6)
    again: float = 0.0  # share of questions that are asked twice

    def seats(self, match: int) -> tuple[int | None, ...]:
        return self.order[::-1] if self.swap and match % 2 else self.order

    def length(self, match: int) -> int:
        return random.Random(f"length {match}").randint(*self.plies)

    def asks(self, match: int, ply: int) -> int:
        return 1 + (random.Random(f"again {match} {ply}").random() < self.again)

    def player(self, match: int, ply: int) -> int | None:
        seats = self.seats(match)
        return seats[ply % len(seats)]

    @property
    def players(self) -> list[int]:
        return sorted(player for player in set(self.order) if player is not None)


class Clock:
    """Whoever sleeps moves it on; nobody waits."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def pace(self, **more: Any) -> Pace:
        return Pace(sleep=self.sleep, unix=lambda: self.now, **more)


class Process:
    """One process on a record: matches, a desk, and a journal as small as can be."""

    def __init__(
        self, record: Record, plan: Plan, services: Mapping[int, BatchProvider], seed: int = 0
    ) -> None:
        self.record, self.plan, self.services = record, plan, services
        self.rng = random.Random(f"process {seed}")
        self.clock = Clock()
        self.told: list[Event] = []
        self.events = Events(self.told.append)
        self.stop = StopSign()
        self.purse = SimpleNamespace(waiting=0)
        self.backs: list[tuple[str, Any]] = []
        self.said: dict[int, list[str]] = defaultdict(list)  # by match, every answer in order
        self.step: Callable[[], None] = lambda: None
        if record.run() is None:
            self._begin()
        self.gate = Gate()
        self.desk = Desk(record, self.events, self.stop, self.purse, self.gate, pace=self.clock.pace())

    def _begin(self) -> None:
        about: dict[str, Any] = {"kind": "duel", "status": "running", "seed": 0, "request": {}, "version": ""}
        players = [
            tables.Player(id=number, spec="", label=f"model {number}", kind="memory", parameters={}, hash="")
            for number in (1, 2, 3)
        ]
        self.record.put(tables.Run(id=RUN, created=0.0, **about), *players)

    def line(self, player: int) -> Line:
        return self.desk.line(player, self.services[player], "m")

    async def collect(self) -> int:
        return await collect(
            self.record,
            open_waves(self.record),
            self.services,
            self.back,
            events=self.events,
            stop=self.stop,
            pace=self.clock.pace(),
        )

    async def play(self) -> None:
        """Every match from where the record says it stands."""
        await self.collect()
        self.record.flush()
        past: dict[str, dict[int, tables.Call]] = defaultdict(dict)  # by question, by attempt
        with self.record.session() as session:
            for call in session.exec(batch.select(tables.Call)).all():
                past[call.id.rpartition(".")[0]][call.attempt] = call
            session.expunge_all()
        self.tasks = [asyncio.create_task(self.match(m, past)) for m in range(self.plan.matches)]
        done = await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.desk.aclose()
        for trouble in done:
            if isinstance(trouble, BaseException) and not isinstance(trouble, Stopped):
                raise trouble

    async def match(self, number: int, past: Mapping[str, Mapping[int, tables.Call]]) -> None:
        self.desk.match_begins()
        try:
            for ply in range(self.plan.length(number)):
                player = self.plan.player(number, ply)
                if player is None:
                    for _ in range(self.rng.randint(0, 9)):
                        await asyncio.sleep(0)
                    continue
                for ask in range(self.plan.asks(number, ply)):
                    decision = f"{RUN}-{number:04d}a-{ply:03d}"
                    known = past.get(f"{decision}.{ask:02d}", {})
                    self.said[number].append(await self.ask(player, decision, ask, known))
        finally:
            self.desk.match_ends()

    async def ask(self, player: int, decision: str, ask: int, known: Mapping[int, tables.Call]) -> str:
        for call in known.values():
            if call.answer is not None:
                return call.answer
        match = int(decision.split("-")[1][:4])
        request = Request(
            "m", f"{decision} {ask}", (Message("user", "/".join(self.said[match])),), tier="batch"
        )
        attempt = max(known, default=0)
        while True:
            self.stop.check()
            attempt += 1
            name = call_id(decision, ask, attempt)
            try:
                reply = await self.line(player).send(name, request, partial(self.leaves, name, player))
            except ProviderError as error:
                self.put(name, player, error.kind, possibly=getattr(error, "possibly_billed", False))
                assert getattr(error, "retry_after_s", None) is None, "the next wave is wait enough"
                if isinstance(error, Final):
                    raise
            else:
                self.put(name, player, "ok", reply.text)
                self.step()
                return reply.text

    async def leaves(self, call: str, player: int) -> None:
        self.stop.check()
        self.put(call, player, "sent")
        self.step()
        await self.record.durable()

    def put(self, call: str, player: int, kind: str, said: str | None = None, possibly: bool = True) -> None:
        _, ask, attempt = call.rsplit(".", 2)
        row = tables.Call(
            id=call,
            player=player,
            ask=int(ask),
            attempt=int(attempt),
            kind=kind,
            answer=said,
            possibly_billed=possibly and kind != "ok",
            started=0.0,
        )
        self.record.put(row)

    def back(self, call: tables.Call, came: Reply | ProviderError) -> None:
        self.backs.append((call.id, came))
        with closing(sqlite3.connect(self.record.path)) as db:
            self.record.flush()
            assert db.execute("SELECT kind FROM call WHERE id = ?", (call.id,)).fetchone() == ("sent",), (
                "told twice"
            )
        if isinstance(came, Reply):
            self.put(call.id, call.player, "ok", came.text)
        else:
            self.put(call.id, call.player, came.kind, possibly=getattr(came, "possibly_billed", False))
        self.step()

    def waves(self) -> list[tables.Wave]:
        self.record.flush()
        with reading(self.record.directory) as session:
            waves = list(session.exec(batch.select(tables.Wave).order_by(batch.col(tables.Wave.id))))
            session.expunge_all()
            return waves

    def kinds(self) -> Counter[str]:
        self.record.flush()
        with reading(self.record.directory) as session:
            return Counter(session.exec(batch.select(tables.Call.kind)))


async def online(plan: Plan) -> dict[int, list[str]]:
    """What the same models say to the same matches without any batch."""
    said: dict[int, list[str]] = defaultdict(list)
    for match in range(plan.matches):
        for ply in range(plan.length(match)):
            if plan.player(match, ply) is not None:
                for ask in range(plan.asks(match, ply)):
                    system = f"{RUN}-{match:04d}a-{ply:03d} {ask}"
                    request = Request("m", system, (Message("user", "/".join(said[match])),))
                    said[match].append(answer(request).text)
    return said


def questions(plan: Plan) -> int:
    return sum(
        plan.asks(match, ply)
        for match in range(plan.matches)
        for ply in range(plan.length(match))
        if plan.player(match, ply) is not None
    )


def random_plan(seed: int) -> Plan:
    draw = random.Random(f"plan {seed}")
    order = draw.choice([(1, 2), (1, None), (1, 1), (None, 1, 2), (1, 2, 3)])
    return Plan(draw.randint(1, 8), order, draw.random() < 0.8, (1, 5), again=draw.choice([0.0, 0.3]))


ROUGH = Trouble(0.2, 0.2, 0.2, 0.5, 0.15, 0.1, 0.05)


# ── waves ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(8))
def test_the_same_answers_as_online_each_asked_for_once(tmp_path, seed) -> None:
    plan, rng = random_plan(seed), random.Random(seed)
    services = {player: Service(rng, ROUGH) for player in plan.players}

    async def go() -> Process:
        with Record(tmp_path) as record:
            process = Process(record, plan, services, seed)
            await process.play()
            assert {wave.status for wave in process.waves()} == {"closed"}
            assert process.kinds()["ok"] == questions(plan)
            assert process.kinds()["sent"] == 0
            assert process.said == await online(plan)
            return process

    process = asyncio.run(go())
    assert process.backs == []
    left_out = any(kept.results for service in services.values() for kept in service.batches.values())
    assert left_out and sum(s.answered.total() for s in services.values()) >= questions(plan)


@pytest.mark.parametrize("order", [(1, 2), (1, 2, 3), (1, None), (None, 2, None)])
@pytest.mark.parametrize("seed", range(3))
def test_no_more_waves_than_the_longest_match_has_rounds(tmp_path, order, seed) -> None:
    """However long services and bots take: a player has one wave for every ply at which anybody waits for it."""
    plan = Plan(20, order, swap=True, plies=(2, 9))
    services = {player: Service(random.Random(f"{seed}{player}"), longest=5) for player in plan.players}

    async def go() -> None:
        with Record(tmp_path) as record:
            process = Process(record, plan, services, seed)
            await process.play()
            had = Counter(wave.player for wave in process.waves())
        matches = range(plan.matches)
        assert had.total() <= len(plan.players) * max(map(plan.length, matches))
        own = [[p for p in range(plan.length(m)) if plan.player(m, p) in plan.players] for m in matches]
        if None in order:
            assert had == {plan.players[0]: max(map(len, own))}
        elif order == (1, 2):
            places = {(plan.player(m, p), p) for m in matches for p in own[m]}
            assert had == Counter(player for player, _ in places)

    asyncio.run(go())


def test_attempts_that_failed_join_the_next_wave(tmp_path) -> None:
    """Against a bot a match is in every wave until it ends: the unluckiest one says how many there are."""
    plan = Plan(40, (1, None), swap=False, plies=(6, 6), again=0.1)
    service = Service(random.Random(7), Trouble(errored=0.2))

    async def go() -> None:
        with Record(tmp_path) as record:
            process = Process(record, plan, {1: service})
            await process.play()
            attempts = Counter(
                call.split("-")[1] for kept in service.batches.values() for call in kept.requests
            )
            assert len(process.waves()) == max(attempts.values())
            assert service.answered.total() == questions(plan)

    asyncio.run(go())


def test_five_hundred_matches_at_once(tmp_path) -> None:
    plan = Plan(500, (1, 2), plies=(4, 4))
    services = {player: Service(random.Random(player)) for player in (1, 2)}

    async def go() -> None:
        with Record(tmp_path) as record:
            process = Process(record, plan, services)
            await process.play()
            waves = process.waves()
        assert {(wave.player, wave.number, wave.calls, wave.status) for wave in waves} == {
            (player, number, 250, "closed") for player in (1, 2) for number in range(1, 5)
        }

    asyncio.run(go())


def test_a_wave_too_large_for_a_batch_leaves_as_several(tmp_path) -> None:
    plan = Plan(10, (1, None), swap=False, plies=(2, 2))
    few = Service(random.Random(1), limits=BatchLimits(4, 10**9, batch.DAY_S))
    small = Service(random.Random(1), limits=BatchLimits(1000, 3 * batch._bytes(Request("m", "", ())), 0.0))

    async def go(directory: Path, service: Service) -> list[int]:
        with Record(directory) as record:
            process = Process(record, plan, {1: service})
            await process.play()
            assert service.answered.total() == 10
            return sorted((wave.calls for wave in process.waves()), reverse=True)

    assert asyncio.run(go(tmp_path / "few", few)) == [4, 4, 2]
    assert asyncio.run(go(tmp_path / "small", small)) == [2, 2, 2, 2, 2]


def test_whoever_waits_for_money_is_not_waited_for(tmp_path) -> None:
    service = Service(random.Random(1))

    async def go() -> None:
        with Record(tmp_path) as record:
            process = Process(record, Plan(1, (1, None)), {1: service})
            process.desk.match_begins()
            process.desk.match_begins()
            sending = asyncio.create_task(process.line(1).send("a", Request("m", "a", ())))
            for _ in range(20):
                await asyncio.sleep(0)
            assert not service.batches
            process.purse.waiting = 1
            process.desk.look()
            assert (await sending).text
            await process.desk.aclose()

    asyncio.run(go())


def test_while_the_run_is_paused_no_wave_leaves(tmp_path) -> None:
    service = Service(random.Random(1))

    async def go() -> None:
        with Record(tmp_path) as record:
            process = Process(record, Plan(1, (1,)), {1: service})
            process.desk.match_begins()
            process.gate.shut()
            sending = asyncio.create_task(process.line(1).send("a", Request("m", "a", ())))
            for _ in range(20):
                await asyncio.sleep(0)
            assert not service.batches
            process.gate.open()
            process.desk.look()
            assert (await sending).text
            await process.desk.aclose()

    asyncio.run(go())


def test_a_call_that_is_held_back_as_it_leaves_goes_alone(tmp_path) -> None:
    """What its match says as it leaves may be no: the others leave without it, and it is in no wave."""
    service = Service(random.Random(1))

    async def go() -> None:
        async def no() -> None:
            raise ValueError("not today")

        with Record(tmp_path) as record:
            process = Process(record, Plan(1, (1,)), {1: service})
            process.desk.match_begins()
            held = asyncio.create_task(process.line(1).send("held.00.01", Request("m", "held", ()), no))
            (came,) = await attempts(process, ["a.00.01"])
            assert isinstance(came, Reply)
            with pytest.raises(ValueError, match="not today"):
                await held
            assert [list(kept.requests) for kept in service.batches.values()] == [["a.00.01"]]
            assert [(wave.calls, wave.status) for wave in process.waves()] == [(1, "closed")]

    asyncio.run(go())


# ── trouble ──────────────────────────────────────────────────────────────────────────────────────


class Broken(Service):
    """A service of which given verbs raise what they are told, one error after the other; `always` without end."""

    def __init__(self, **errors: list[ProviderError]) -> None:
        super().__init__(random.Random(1))
        self.errors = errors
        self.submissions = 0

    def _next(self, verb: str) -> None:
        errors = self.errors.get(verb, [])
        if errors:
            raise errors.pop(0) if len(errors) > 1 or verb in ("submit", "find") else errors[0]

    async def submit(self, name: str, requests: Mapping[str, Request]) -> str:
        self.submissions += 1
        self._next("submit")
        return await super().submit(name, requests)

    async def find(self, name: str, since_unix: float, ids: Sequence[str]) -> str | None:
        self._next("find")
        return await super().find(name, since_unix, ids)

    async def poll(self, batch: str) -> BatchStatus:
        self._next("poll")
        return await super().poll(batch)

    async def results(self, batch: str) -> AsyncIterator[tuple[str, Reply | ProviderError]]:
        self._next("results")
        async for part in super().results(batch):
            yield part


async def attempts(
    process: Process, calls: Sequence[str] = ("a.00.01", "b.00.01")
) -> list[Reply | BaseException]:
    """One attempt per match, and what each came to."""

    async def attempt(call: str) -> Reply:
        process.desk.match_begins()
        try:
            reply = await process.line(1).send(call, Request("m", call, ()), partial(process.leaves, call, 1))
            process.put(call, 1, "ok", reply.text)
            return reply
        except ProviderError as error:
            process.put(call, 1, error.kind)
            raise
        finally:
            process.desk.match_ends()

    came = await asyncio.gather(*(attempt(call) for call in calls), return_exceptions=True)
    await process.desk.aclose()
    return came


def with_broken(directory: Path, service: Service, then: Service | None = None) -> list[Any]:
    """What two attempts came to, the wave's row, the process; after a resume if `then` is the service by then."""

    async def go() -> list[Any]:
        with Record(directory) as record:
            process = Process(record, Plan(1, (1,)), {1: service})
            came: list[Any] = [await attempts(process), *process.waves(), process]
            if then is not None:
                process.services = {1: then}
                await process.collect()
                came[1] = process.waves()[0]
            return came

    return asyncio.run(go())


def timeouts(number: int) -> list[ProviderError]:
    return [Retryable("timeout", "no answer") for _ in range(number)]


@pytest.mark.parametrize("kind", ["quota", "auth", "bad_request"])
def test_a_refused_wave_is_refused_to_each_of_its_calls(tmp_path, kind) -> None:
    refusal = Final(kind, "no", status=400, raw_request="all of it")
    came, wave, _ = with_broken(tmp_path, Broken(submit=[refusal]))
    assert [(type(error), error.kind, error.status, error.raw_request) for error in came] == [
        (Final, kind, 400, "")
    ] * 2
    assert (wave.status, wave.batch, wave.error) == ("closed", "", "no")
    assert came[0] is not came[1]


def test_a_submission_that_never_arrives_is_tried_again_and_then_told(tmp_path) -> None:
    came, wave, _ = with_broken(tmp_path / "a", Broken(submit=timeouts(4)))
    assert all(isinstance(reply, Reply) for reply in came)
    assert (wave.status, wave.batch) == ("closed", "batch-1")
    service = Broken(submit=timeouts(5))
    came, wave, _ = with_broken(tmp_path / "b", service)
    assert [(error.kind, error.possibly_billed) for error in came] == [("timeout", False)] * 2
    assert (wave.status, wave.batch, service.submissions) == ("closed", "", 5)


def test_a_submission_whose_answer_is_lost_is_found_and_not_repeated(tmp_path) -> None:
    service = Service(random.Random(1), Trouble(lost=1.0))
    came, wave, process = with_broken(tmp_path, service)
    assert all(isinstance(reply, Reply) for reply in came)
    assert list(service.batches) == ["batch-1"]
    assert process.clock.now - wave.submitted >= Pace().settles_s, (
        "a service shows what it took after a while"
    )


def test_a_strangers_batch_that_was_taken_for_a_lost_wave_is_not_on_our_bill(tmp_path) -> None:
    """Somebody else's of the same size, at the same time and service, under the same key."""

    class Crowded(Service):
        async def submit(self, name: str, requests: Mapping[str, Request]) -> str:
            if not self.batches:
                await super().submit("theirs", {f"their-{call}": each for call, each in requests.items()})
                raise Retryable("connection", "did not arrive")
            return await super().submit(name, requests)

        async def find(self, name: str, since_unix: float, ids: Sequence[str]) -> str | None:
            return next(iter(self.batches))

    came, wave, _ = with_broken(tmp_path, Crowded(random.Random(1)))
    assert [(error.kind, error.possibly_billed) for error in came] == [("protocol", False)] * 2
    assert "another's" in came[0].message and wave.batch == "batch-1"


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed by now"])
def test_another_players_wave_is_not_taken_for_a_lost_one(tmp_path, closed) -> None:
    """A service without names finds by time and size, and both players' waves have the same."""

    class Nameless(Service):
        async def submit(self, name: str, requests: Mapping[str, Request]) -> str:
            if name.endswith(".1") and name not in self.tried:
                self.tried.append(name)
                await others.wait()
                raise Retryable("connection", "did not arrive")
            identifier = await super().submit(name, requests)
            self.batches[identifier].polls = 30
            others.set()
            return identifier

        async def find(self, name: str, since_unix: float, ids: Sequence[str]) -> str | None:
            going_on = [identifier for identifier, kept in self.batches.items() if kept.results is None]
            while closed and any(wave.status != "closed" for wave in process.waves() if wave.batch):  # noqa: ASYNC110
                await asyncio.sleep(0)
            return going_on[0] if going_on else None

        def __init__(self, rng: random.Random) -> None:
            super().__init__(rng)
            self.tried: list[str] = []

    others = asyncio.Event()
    service = Nameless(random.Random(1))
    plan = Plan(2, (1, 2), plies=(1, 1))
    process: Process

    async def go() -> None:
        nonlocal process
        with Record(tmp_path) as record:
            process = Process(record, plan, {1: service, 2: service})
            await process.play()
            assert process.said == await online(plan)
            assert [wave.batch for wave in process.waves()] == ["batch-2", "batch-1"]
            assert process.kinds() == {"ok": 2}

    asyncio.run(go())


@pytest.mark.parametrize("verb", ["poll", "results"])
def test_a_service_that_cannot_be_reached_ends_the_run_and_loses_no_wave(tmp_path, verb) -> None:
    service = Broken(**{verb: timeouts(1)})
    came, wave, process = with_broken(tmp_path, service)
    assert [type(error) for error in came] == [Halt, Halt]
    assert "model 1: timeout: no answer" in str(came[0]) and "resumed" in str(came[0])
    assert (wave.status, process.kinds()) == ("open", {"sent": 2})
    assert sum(process.clock.slept) > 3000, "an hour of patience"
    assert [e["text"] for e in process.told if e["type"] == "notice"] == [batch.left_open(1, 2)]


def test_a_wave_is_collected_once_the_service_is_back(tmp_path) -> None:
    broken = Broken(poll=timeouts(1))
    whole = Service(random.Random(2), batches=broken.batches)
    _, wave, process = with_broken(tmp_path, broken, whole)
    assert (wave.status, process.kinds()) == ("closed", {"ok": 2})
    assert sorted(call for call, _ in process.backs) == ["a.00.01", "b.00.01"]


def test_where_nobody_knows_whether_a_wave_arrived_nothing_is_asked_again(tmp_path) -> None:
    """Neither the submission nor the search for it came back: the wave stays as it is, and is found later."""
    broken = Broken(find=timeouts(Pace().tries))
    broken.trouble.lost = 1.0
    whole = Service(random.Random(2), batches=broken.batches)
    came, wave, process = with_broken(tmp_path, broken, whole)
    assert [type(error) for error in came] == [Halt, Halt]
    assert (wave.status, wave.batch, broken.submissions) == ("closed", "batch-1", 1)
    assert process.kinds() == {"ok": 2}


@pytest.mark.parametrize("verb", ["poll", "results"])
def test_a_lost_key_is_no_lost_wave(tmp_path, verb) -> None:
    came, wave, process = with_broken(tmp_path, Broken(**{verb: [Final("auth", "no such key")]}))
    assert [type(error) for error in came] == [Halt, Halt]
    assert (wave.status, process.kinds()) == ("open", {"sent": 2})


@pytest.mark.parametrize("verb", ["poll", "results"])
def test_results_that_are_gone_are_told_so_and_may_have_cost(tmp_path, verb) -> None:
    gone = Final("unknown_model", "no such batch", status=404)
    came, wave, _ = with_broken(tmp_path, Broken(**{verb: [gone]}))
    assert [(error.kind, error.possibly_billed) for error in came] == [("protocol", True)] * 2
    assert "batch-1" in came[0].message and "no such batch" in came[0].message
    assert wave.status == "closed"


def test_results_kept_no_longer_are_told_with_their_age(tmp_path) -> None:
    async def go() -> None:
        service = Broken(poll=[Final("bad_request", "expired")])
        with Record(tmp_path) as record:
            process = Process(record, Plan(1, (1,)), {1: service})
            process.put("a.00.01", 1, "sent")
            blob = record.blob("a.00.01")
            wave = tables.Wave(
                id="w",
                run=RUN,
                number=1,
                player=1,
                batch="b",
                status="open",
                calls=1,
                calls_blob=blob,
                submitted=0.0,
            )
            record.put(wave)
            process.clock.now = 40 * batch.DAY_S
            assert await process.collect() == 1
            ((_, error),) = process.backs
            assert "kept for 29 days" in error.message and "40 days ago" in error.message
            assert error.possibly_billed
            assert process.waves()[0].status == "closed"

    asyncio.run(go())


def test_a_call_without_a_result_is_an_error_and_no_wait(tmp_path) -> None:
    came, wave, _ = with_broken(tmp_path, Service(random.Random(1), Trouble(left_out=1.0)))
    assert [(error.kind, error.possibly_billed) for error in came] == [("protocol", True)] * 2
    assert wave.status == "closed"


def test_a_bug_leaves_nobody_waiting(tmp_path) -> None:
    class Buggy(Service):
        async def poll(self, batch: str) -> BatchStatus:
            raise ZeroDivisionError("ours")

    came, wave, _ = with_broken(tmp_path, Buggy(random.Random(1)))
    assert [type(error) for error in came] == [ZeroDivisionError] * 2
    assert wave.status == "open"


def test_services_are_asked_gently(tmp_path) -> None:
    service = Service(random.Random(1))

    async def go() -> list[float]:
        with Record(tmp_path) as record:
            process = Process(record, Plan(1, (1,)), {1: service})
            service.rng = SimpleNamespace(
                randint=lambda low, high: 9, random=lambda: 1.0, shuffle=lambda parts: None
            )  # type: ignore[assignment]
            await attempts(process)
            return process.clock.slept

    assert asyncio.run(go()) == [10, 15, 22.5, 33.75, 50.625, 60, 60, 60, 60, 60]


# ── stopping, killing, going on ──────────────────────────────────────────────────────────────────


def test_stopping_waits_for_nothing_and_costs_nothing(tmp_path) -> None:
    """One match's call is out, another's still at the desk: the first is collected later, the second was never sent."""
    service = Service(random.Random(1), longest=10**9)

    async def go() -> None:
        polled = asyncio.Event()
        service.step = lambda: polled.set() if service.polled else None
        with Record(tmp_path) as record:
            process = Process(record, Plan(1, (1,)), {1: service})
            out = asyncio.create_task(attempts(process, ["out.00.01"]))
            await polled.wait()
            process.desk.match_begins()
            leaves = partial(process.leaves, "desk.00.01", 1)
            waits = asyncio.create_task(process.line(1).send("desk.00.01", Request("m", "desk", ()), leaves))
            await asyncio.sleep(0)
            process.stop.put_up()
            with pytest.raises(Stopped):
                await waits
            assert [type(came) for came in await out] == [Stopped]
            assert process.kinds() == {"sent": 1}, "the other was never on the bill"
            assert [(wave.status, wave.batch) for wave in process.waves()] == [("open", "batch-1")]
            assert [e["status"] for e in process.told if e["type"] == "wave"] == ["submitted", "left"]
            assert await cancel_all(process.waves(), {1: service}) == 1
            assert service.cancelled == ["batch-1"]

            service.batches["batch-1"].polls = 0
            later = Process(record, process.plan, {1: service})
            assert await later.collect() == 1
            assert later.kinds() == {"ok": 1}
            assert later.waves()[0].status == "closed"
            assert await later.collect() == 0

    asyncio.run(go())


def test_a_submission_on_its_way_arrives_though_the_run_stops(tmp_path) -> None:
    arrived = asyncio.Event()

    class Slow(Service):
        async def submit(self, name: str, requests: Mapping[str, Request]) -> str:
            process.stop.put_up()
            await arrived.wait()
            return await super().submit(name, requests)

    async def go() -> None:
        nonlocal process
        with Record(tmp_path) as record:
            process = Process(record, Plan(1, (1,)), {1: Slow(random.Random(1))})
            asyncio.get_running_loop().call_later(0.01, arrived.set)
            (came,) = await attempts(process, ["a.00.01"])
            assert isinstance(came, Stopped)
            assert [(wave.status, wave.batch) for wave in process.waves()] == [("open", "batch-1")]

    process: Any = None
    asyncio.run(go())


def test_a_wave_is_not_handed_in_once_the_run_stops(tmp_path, monkeypatch) -> None:
    service = Broken()

    async def go() -> None:
        async def durable() -> None:
            process.stop.put_up()

        with Record(tmp_path) as record:
            process = Process(record, Plan(1, (1,)), {1: service})
            monkeypatch.setattr(record, "durable", durable)
            (came,) = await attempts(process, ["a.00.01"])
            assert isinstance(came, Stopped)
            later = Process(record, process.plan, {1: service})
            assert (await later.collect(), later.kinds()) == (1, {"connection": 1})
        assert service.submissions == 0

    asyncio.run(go())


def test_a_wave_that_never_left_cost_nothing(tmp_path) -> None:
    """Killed between the row and the submission; and a call that had not even a wave."""

    async def go() -> None:
        service = Service(random.Random(1))
        with Record(tmp_path) as record:
            process = Process(record, Plan(1, (1,)), {1: service})
            for call in ("a.00.01", "b.00.01"):
                process.put(call, 1, "sent")
            process.put("online.00.01", 2, "sent")
            blob = record.blob("a.00.01")
            wave = tables.Wave(
                id="w",
                run=RUN,
                number=1,
                player=1,
                status="submitting",
                calls=1,
                calls_blob=blob,
                submitted=0.0,
            )
            record.put(wave)
            await process.collect()
            assert sorted((call, error.possibly_billed) for call, error in process.backs) == [
                ("a.00.01", False),
                ("b.00.01", False),
            ]
            assert process.kinds() == {"connection": 2, "sent": 1}, (
                "a player that is not batched is left alone"
            )
            assert process.waves()[0].status == "closed"

    asyncio.run(go())


def test_waves_are_numbered_on(tmp_path) -> None:
    async def go() -> None:
        with Record(tmp_path) as record:
            for calls in (["a.00.01"], ["b.00.01"]):
                await attempts(Process(record, Plan(1, (1,)), {1: Service(random.Random(1))}), calls)
            waves = [wave.id for wave in Process(record, Plan(1, (1,)), {}).waves()]
        assert waves == [f"{RUN}-w0001.1", f"{RUN}-w0002.1"]

    asyncio.run(go())


def photographed(source: Path, target: Path) -> Path:
    """What a kill would leave of a record: everything that was committed, nothing of what was queued."""
    target.mkdir()
    with (
        closing(sqlite3.connect(source / "record.db")) as old,
        closing(sqlite3.connect(target / "record.db")) as new,
    ):
        old.backup(new)
    return target


@dataclass
class Life:
    """A process that comes to its end, is stopped, or is gone after `steps`: then only the photograph is left."""

    plan: Plan
    services: dict[int, Service]
    directory: Path
    steps: int
    stops: bool
    rng: random.Random
    photograph: tuple[Path, dict[int, Service]] | None = None

    async def live(self, after: Path) -> Process:
        def step() -> None:
            self.steps -= 1
            if self.steps == 0 and self.stops:
                process.stop.put_up()
            elif self.steps == 0:
                left = {player: service.copy(self.rng) for player, service in self.services.items()}
                self.photograph = photographed(self.directory, after), left
                gone.set()

        gone = asyncio.Event()
        with Record(self.directory) as record:
            process = Process(record, self.plan, self.services, self.steps)
            process.step = step
            for service in self.services.values():
                service.step = step
            playing, watching = asyncio.create_task(process.play()), asyncio.create_task(gone.wait())
            await asyncio.wait((playing, watching), return_when=asyncio.FIRST_COMPLETED)
            watching.cancel()
            if self.photograph is not None:
                playing.cancel()
                await asyncio.gather(playing, return_exceptions=True)
                return process
            with suppress(Stopped):
                await playing
            return process


@pytest.mark.parametrize("seed", range(15))
def test_ended_anywhere_nothing_is_lost_and_nothing_asked_twice(tmp_path, seed) -> None:
    """A process is stopped or killed at any step, its service is not; the next ones go on from what is on disk."""
    plan, rng = random_plan(seed), random.Random(f"end {seed}")
    trouble = replace(ROUGH, left_out=0.0)  # what a service loses is asked again, and paid again
    services = {player: Service(rng, trouble) for player in plan.players}
    directory, ends = tmp_path / "0", 0
    while True:
        steps = rng.randint(1, 60) if ends < 12 else 10**9
        life = Life(plan, services, directory, steps, rng.random() < 0.3, rng)
        process = asyncio.run(life.live(tmp_path / str(ends + 1)))
        if life.photograph is not None:
            directory, services = life.photograph
        elif not process.stop.is_up:
            break
        ends += 1

    assert process.said == asyncio.run(online(plan))
    billed = sum((service.answered for service in services.values()), Counter[str]())
    assert len(billed) == billed.total() == questions(plan), "each question is answered, and paid, once"
    with closing(sqlite3.connect(directory / "record.db")) as db:
        kinds = Counter(kind for (kind,) in db.execute("SELECT kind FROM call"))
        assert {status for (status,) in db.execute("SELECT status FROM wave")} <= {"closed"}
    assert (kinds["ok"], kinds["sent"]) == (questions(plan), 0)
    named = Counter(kept.name for service in services.values() for kept in service.batches.values())
    assert max(named.values()) == 1, "no wave was handed in twice"


# ── how long ─────────────────────────────────────────────────────────────────────────────────────


def test_the_forecast_counts_the_longest_match_in_waves() -> None:
    sure = forecast(100, 21, 2, (60, 3600, 86400), ask_again=0.0)
    assert (sure.waves, sure.batches, sure.low_s, sure.high_s) == (21, 42, 21 * 60, 21 * 86400)
    assert (
        str(sure)
        == "about 21 waves one after the other (42 batches): likely 21 h, between 21 min and 21 days"
    )
    assert 22 < forecast(1, 21, 1, ask_again=0.1).waves < forecast(1000, 21, 1, ask_again=0.1).waves <= 42
    assert forecast(1, 10, 2).batches == forecast(1, 10, 2).waves, "one match has one batch out at a time"


def test_the_unluckiest_of_many_matches_takes_about_as_long_as_forecast() -> None:
    draw = random.Random(3)
    longest = [max(40 + sum(draw.random() < 0.1 for _ in range(40)) for _ in range(200)) for _ in range(20)]
    assert abs(forecast(200, 40, 1, ask_again=0.1).waves - sum(longest) / len(longest)) < 3


def test_experience_is_what_closed_waves_took(tmp_path) -> None:
    async def go() -> None:
        with Record(tmp_path) as record:
            process = Process(record, Plan(4, (1,), plies=(5, 5)), {1: Service(random.Random(1))})
            with record.session() as session:
                assert seconds_per_wave(session) is None
            await process.play()
            record.flush()
            with record.session() as session:
                low, likely, high = seconds_per_wave(session) or (0, 0, 0)
            took = sorted(wave.closed - wave.submitted for wave in process.waves() if wave.closed)
            assert (took[0], took[2], took[-1]) == (low, likely, high)
            assert low >= 10

    asyncio.run(go())


def test_spans_in_the_unit_that_suits_them() -> None:
    assert [span(s) for s in (40, 89, 90, 5400, 20_000, 129_600, 10**7)] == [
        "40 s",
        "89 s",
        "1.5 min",
        "1.5 h",
        "5.56 h",
        "1.5 days",
        "116 days",
    ]
