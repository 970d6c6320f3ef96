"""Batches behind the stand-in: what was handed in, how far it is by the clock, and what came of each part.

A batch is a function of time: it advances evenly through its parts, ends when it is through, when it is
cancelled or when its window is over, and its results are the answers that the same questions get online.
How each vendor puts this into words is `batches_<vendor>.py`.

Left out: webhooks, files as input for Gemini, deletion, and results that are thrown away after a month.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from providers.base import Reply, Request
from providers.dialects import Body, Problem, Wire
from providers.simulated import StandIn
from providers.stand_in.faults import PROBLEMS, bad
from providers.stand_in.tally import Tally, key_of

DAY = 86_400.0
_STOPPING = 0.1  # of a batch's time passes between the order to cancel it and its end
_AT_ONCE = 50  # answers made between two looks at other clients


class Part(NamedTuple):
    """One request of a batch. `question` is a Problem where the vendor would refuse it; `fault` was drawn."""

    id: str
    body: Body
    question: Request | Problem
    mind: StandIn
    fault: str = ""


class Outcome(NamedTuple):
    """What came of a part: succeeded, errored, expired or canceled, with what it left."""

    kind: str
    part: Part
    reply: Reply | None = None
    problem: Problem | None = None


@dataclass(slots=True)
class Batch:
    """`takes`: seconds that all its parts need; `window`: seconds after which the rest expires.

    `about` is what its vendor keeps with it. `errors` are found before it starts and end it at once.
    """

    id: str
    wire: Wire
    parts: tuple[Part, ...]
    created: float
    takes: float
    window: float
    about: Body
    errors: tuple[Body, ...] = ()
    failed: bool = False
    skipped: float = 0.0  # seconds by which it was put forward
    cancelled_after: float | None = None  # seconds of its life at which it was told to stop
    outcomes: list[Outcome] | None = None
    counted: bool = False

    def elapsed(self, now: float) -> float:
        return max(0.0, now - self.created) + self.skipped

    @property
    def span(self) -> float:
        """Seconds from its creation to its end."""
        if self.errors:
            return 0.0
        span = min(self.takes, self.window)
        if self.cancelled_after is None:
            return span
        return min(span, self.cancelled_after + _STOPPING * self.takes)

    def ended(self, now: float) -> bool:
        return self.elapsed(now) >= self.span

    @property
    def ended_at(self) -> float:
        return max(self.created, self.created + self.span - self.skipped)

    def through(self, now: float) -> int:
        """How many of its parts were worked off, from the first."""
        spent = min(self.elapsed(now), self.span)
        if self.cancelled_after is not None:
            spent = min(spent, self.cancelled_after)
        return int(len(self.parts) * min(1.0, spent / self.takes)) if self.takes else len(self.parts)

    def kinds(self, now: float) -> Iterator[tuple[str, Part]]:
        """What came or is to come of each part at its end, in order."""
        through = self.through(now) if not self.errors else 0
        left = "expired" if self.cancelled_after is None else "canceled"
        for index, part in enumerate(self.parts):
            if index >= through:
                yield left, part
            elif self.failed or isinstance(part.question, Problem):
                yield "errored", part
            else:
                yield part.fault or "succeeded", part

    def counts(self, now: float) -> Counter[str]:
        """Parts by outcome; of a batch that runs, those that were worked off, and the rest as processing."""
        if self.ended(now):
            return Counter(kind for kind, _ in self.kinds(now))
        through = self.through(now)
        counts = Counter(kind for kind, _ in list(self.kinds(now))[:through])
        return counts + Counter(processing=len(self.parts) - through)

    async def results(self, now: float) -> list[Outcome]:
        """Of an ended batch; made once, with pauses in which other clients are heard."""
        if self.outcomes is None:
            made = []
            for index, (kind, part) in enumerate(self.kinds(now)):
                made.append(_outcome(kind, part))
                if index % _AT_ONCE == 0:
                    await asyncio.sleep(0)
            self.outcomes = made
        return self.outcomes


def _outcome(kind: str, part: Part) -> Outcome:
    if isinstance(part.question, Problem):
        return Outcome(kind, part, problem=part.question)
    if kind == "succeeded":
        return Outcome(kind, part, reply=part.mind.answer(part.question))
    return Outcome(kind, part, problem=PROBLEMS["500"] if kind == "errored" else None)


class Batches:
    """All batches of a server, and the files that OpenAI's go through."""

    def __init__(self, mind: Callable[[str], StandIn], clock: Callable[[], float], tally: Tally) -> None:
        self._mind = mind
        self._tally = tally
        self.clock = clock
        self.faults: deque[str] = deque()  # what befalls the next batches, one each (`BATCH_FAULTS`)
        self.files: dict[str, tuple[Body, bytes]] = {}
        self._all: dict[str, Batch] = {}
        self._settling = threading.Lock()

    def of(self, wire: Wire) -> list[Batch]:
        """A vendor's batches, the latest first."""
        return [batch for batch in reversed(self._all.values()) if batch.wire.name == wire.name]

    def get(self, wire: Wire, name: str) -> Batch | None:
        batch = self._all.get(name)
        return batch if batch is not None and batch.wire.name == wire.name else None

    def part(self, wire: Wire, name: str, body: Body, model: str = "") -> Part:
        """Draws what befalls it, so that the same request handed in again can fare otherwise."""
        question = understand(wire, body, model)
        known = isinstance(question, Request)
        mind = self._mind(question.model if isinstance(question, Request) else model)
        return Part(name, body, question, mind, mind.batch_fault(question) if known else "")  # type: ignore[arg-type]

    def add(
        self,
        wire: Wire,
        prefix: str,
        parts: Iterable[Part],
        about: Body,
        *,
        window: float = DAY,
        errors: Iterable[Body] = (),
    ) -> Batch:
        parts, fault = tuple(parts), self.faults.popleft() if self.faults else "ok"
        name = f"{prefix}{uuid.uuid4().hex}"
        if fault.startswith("part_") and parts:
            parts = (parts[0]._replace(fault=fault.removeprefix("part_")), *parts[1:])
        if fault != "ok":
            self._tally.faults[f"batch {fault}"] += 1
        takes = parts[0].mind.batch_seconds(name) if parts else 0.0
        takes = 2 * window if fault == "expired" else takes
        batch = Batch(
            name, wire, parts, self.clock(), takes, window, about, tuple(errors), failed=fault == "failed"
        )
        self._all[name] = batch
        for part in () if batch.errors else parts:
            if isinstance(part.question, Request):
                self._tally.asked[key_of(part.mind, part.question)] += 1
        return batch

    def cancel(self, batch: Batch) -> None:
        now = self.clock()
        if batch.cancelled_after is None and not batch.ended(now):
            batch.cancelled_after = batch.elapsed(now)

    def finish(self) -> None:
        """Put every batch forward to its end."""
        now = self.clock()
        for batch in self._all.values():
            if not batch.ended(now):
                batch.skipped += batch.span - batch.elapsed(now) + 1e-6

    def counts(self) -> Body:
        """How many batches there are, how many have ended, and what became of their parts."""
        self.settle()
        now = self.clock()
        parts: Counter[str] = Counter()
        batches = list(self._all.values())
        for batch in batches:
            parts += batch.counts(now)
        ended = sum(batch.ended(now) for batch in batches)
        return {"created": len(batches), "ended": ended, "parts": dict(parts)}

    def settle(self) -> None:
        """Count the answers of batches that have ended since, once, whichever thread looks."""
        with self._settling:
            now = self.clock()
            for batch in list(self._all.values()):
                if not batch.counted and batch.ended(now):
                    batch.counted = True
                    self._count(batch, now)

    def _count(self, batch: Batch, now: float) -> None:
        for kind, part in batch.kinds(now):
            if kind == "succeeded" and isinstance(part.question, Request):
                self._tally.answered[key_of(part.mind, part.question)] += 1


def understand(wire: Wire, body: Body, model: str = "", *, counting: bool = False) -> Request | Problem:
    """What a body asks, or why it cannot be answered; for a count of its tokens it need not be whole."""
    try:
        if body.get("stream"):
            raise ValueError("the stand-in does not stream")
        question = wire.read(body, model)
        why = "" if counting else wire.refuse(body)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return bad(f"the stand-in: unreadable request: {error!r}")
    return bad(why) if why else question
