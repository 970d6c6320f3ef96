"""How well a lane finds out what a service takes: `python -m benchmarks.limits [--minutes 12] [--wire]`.

The service is a model of one: a token bucket of requests and one of tokens, answers that take a few seconds,
refusals that take a twelfth of one. A few hundred players ask it without a pause, over the same retries as in
a run. For the middle third of the time it has a third of its capacity. Time is virtual: an hour takes seconds.

`used` is what the service took of all that it had to give, its full bucket at the beginning included; `429`
the share of all answers; `recovered` how long after the capacity came back ten seconds passed in which 85 % of
it were used.

`--wire` plays the same against the stand-in over loopback, through the SDKs, with all clocks `SCALE` times as
fast: a model with headers and one that tells no more than how long to wait.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import selectors
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from orchestrator.limits import Lanes, Limited, Limits
from orchestrator.lines import Direct, unheard
from providers.base import Allowance, Message, Reply, Request, Retryable, Usage
from providers.retry import Leaves, RetryPolicy, complete
from providers.simulated import Behaviour

T = TypeVar("T")
REQUEST = Request("model", "x" * 1200, (Message("user", "y" * 600),))
PROMPT_TOKENS = 450


# ── virtual time ─────────────────────────────────────────────────────────────────────────────────────


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock leaps to the next timer whenever everybody sleeps."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Leaping(self))

    def time(self) -> float:
        return self._now

    def leap(self, seconds: float) -> None:
        self._now += seconds


class _Leaping(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everybody waits and nobody is to come")
            self._loop.leap(timeout)
        return ready


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Like asyncio.run, in virtual time from 0."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


# ── a service ────────────────────────────────────────────────────────────────────────────────────────


class TokenBucket:
    """What a service still takes of one kind; filled evenly, or all at once at the end of every minute."""

    def __init__(self, per_minute: float, burst_s: float, *, windows: bool = False) -> None:
        self.per_minute = per_minute
        self.burst_s = burst_s
        self.windows = windows
        self.given = self.level = self.size
        self._filled = 0.0

    @property
    def size(self) -> float:
        return max(1.0, self.per_minute / 60 * self.burst_s)

    def fill(self, now: float) -> None:
        """`given` is everything that was or could have been taken."""
        if self.windows:
            new = (now // 60 - self._filled // 60) * self.per_minute
        else:
            new = (now - self._filled) * self.per_minute / 60
        self.given += new
        self.level = self.size if self.windows and new else min(self.size, self.level + new)
        self._filled = now

    def set(self, per_minute: float, now: float) -> None:
        self.fill(now)
        self.per_minute = per_minute
        self.level = min(self.level, self.size)

    def until(self, amount: float) -> float:
        """Seconds until there is so much."""
        if self.level >= amount:
            return 0.0
        return 60 - self._filled % 60 if self.windows else (amount - self.level) * 60 / self.per_minute


@dataclass
class Service:
    """Answers or refuses.

    `late_headers`: they are of the moment of the answer, not of the request. `reserves`: a call takes its whole
    output bound, and gives back what it did not use when it is answered.
    """

    requests: TokenBucket
    tokens: TokenBucket
    headers: bool = False
    retry_after: bool = False
    late_headers: bool = True
    reserves: bool = False
    latency_s: float = 2.5
    refuse_s: float = 0.08
    parallel: int = 1_000_000
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    taken: list[tuple[float, int]] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    out: int = 0

    async def send(self, call: str, request: Request, leaves: Leaves = unheard) -> Reply:
        await leaves()
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(self.refuse_s * self.rng.uniform(0.3, 0.7))
        output = round(min(2000, self.rng.lognormvariate(5, 0.7)))
        tokens = PROMPT_TOKENS + output
        self.requests.fill(clock())
        self.tokens.fill(clock())
        cost = PROMPT_TOKENS + request.max_output_tokens if self.reserves else tokens
        wait = max(self.requests.until(1), self.tokens.until(cost))
        if wait > 0 or self.out >= self.parallel:
            self.refused.append(clock())
            allowance, retry_after_s = self._allowance(clock()), wait if self.retry_after else None
            await asyncio.sleep(self.refuse_s * 0.5)
            raise Retryable("rate_limit", "slow down", retry_after_s=retry_after_s, allowance=allowance)
        self.requests.level -= 1
        self.tokens.level -= cost
        self.taken.append((clock(), tokens))
        allowance = self._allowance(clock())
        self.out += 1
        try:
            await asyncio.sleep(self.latency_s * self.rng.lognormvariate(-0.125, 0.5))
        finally:
            self.out -= 1
            self.tokens.level += cost - tokens
        if self.late_headers:
            allowance = self._allowance(clock())
        return Reply("!", Usage(input_fresh=PROMPT_TOKENS, output=output), allowance=allowance)

    def _allowance(self, now: float) -> Allowance | None:
        if not self.headers:
            return None
        told: list[Any] = []
        for bucket in (self.requests, self.tokens):
            bucket.fill(now)
            told += [int(bucket.size), int(bucket.level), bucket.until(bucket.size)]
        return Allowance(*told)

    def set(self, share: float, of: tuple[float, float], now: float) -> None:
        self.requests.set(of[0] * share, now)
        self.tokens.set(of[1] * share, now)


@dataclass(frozen=True)
class Outcome:
    used: float
    refused: float
    phases: tuple[tuple[float, float], ...]  # (used, refused) of each third
    recovered_s: float
    lost: int  # calls given up after all their attempts
    changes: int


async def play(
    service: Service, minutes: float, players: int = 300, share: float = 1 / 3, limits: Limits | None = None
) -> Outcome:
    """Ask the service for so long; for the middle third of the time it has only `share` of its capacity."""
    clock = asyncio.get_running_loop().time
    full, third = (service.requests.per_minute, service.tokens.per_minute), minutes * 20
    changes: list[str] = []
    lanes = Lanes({"": limits or Limits()}, lambda *change: changes.append(change[3]))
    line = Limited(service, lanes.lane("virtual", "", "model"))
    lost = 0

    async def player(number: int) -> None:
        nonlocal lost
        rng = random.Random(number)
        while True:
            try:
                await complete(
                    lambda request, attempt, leaves: line.send("", request, leaves), REQUEST,
                    policy=RetryPolicy(total_s=1e9), rng=rng,
                )  # fmt: skip
            except Retryable:
                lost += 1

    tasks = [asyncio.create_task(player(number)) for number in range(players)]
    given = [(0.0, 0.0)]
    for part in (share, 1.0, 1.0):
        await asyncio.sleep(third)
        given.append((service.requests.given, service.tokens.given))
        service.set(part, full, clock())
        given[-1] = (service.requests.given, service.tokens.given)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    phases = tuple(_phase(service, n * third, (n + 1) * third, given[n], given[n + 1]) for n in range(3))
    whole = _phase(service, 0, 3 * third, given[0], given[3])
    return Outcome(*whole, phases, _recovered(service, full, 2 * third), lost, len(changes))


def _phase(
    service: Service, begin: float, end: float, before: tuple[float, float], after: tuple[float, float]
) -> tuple[float, float]:
    """(share used of the scarcer of requests and tokens, share of answers that were refusals)."""
    taken = [tokens for at, tokens in service.taken if begin <= at < end]
    refused = sum(begin <= at < end for at in service.refused)
    used = max(len(taken) / (after[0] - before[0]), sum(taken) / (after[1] - before[1]))
    return used, refused / max(1, refused + len(taken))


def _recovered(service: Service, full: tuple[float, float], at: float) -> float:
    """Seconds after `at` until the ten before had 85 % of the scarcer capacity."""
    for second in range(1, 600):
        taken = [tokens for when, tokens in service.taken if at + second - 10 <= when < at + second]
        if max(len(taken) * 6 / full[0], sum(taken) * 6 / full[1]) >= 0.85:
            return float(second)
    return float("inf")


# ── on the wire ──────────────────────────────────────────────────────────────────────────────────────

SCALE = 4.0
WIRE = {"openai": "gpt-6-luna", "google": "gemini-3.8-flash"}


class FastClock:
    """The running loop's, `SCALE` times as fast."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def time(self) -> float:
        return self._loop.time() * SCALE

    def call_at(self, when: float, callback: Callable[[], object], /) -> asyncio.TimerHandle:
        return self._loop.call_at(when / SCALE, callback)


async def play_on_wire(
    name: str, minutes: float, rpm: float = 600, players: int = 60
) -> list[tuple[float, float]]:
    """(share used, share refused) of each third; the middle one has a third of the capacity."""
    import engine
    import prompts
    import providers
    from providers.stand_in import serve
    from providers.stand_in.limits import Limits as Taken

    question = prompts.render(engine.new("connect4", 1).view(0), "default", "open")
    message = Message("user", question.user)
    request = Request(WIRE[name], question.system, (message,), question.schema, question.choices)
    behaviour = Behaviour.of("random", latency=str(2.5 / SCALE), tokens="150")
    began = time.time()
    providers.warm(name)
    async with serve(behaviour=behaviour, clock=lambda: began + (time.time() - began) * SCALE) as server:
        provider = providers.create(name, base_url=server.url + ("/v1" if name == "openai" else ""))
        lane = Lanes(clock=FastClock()).lane(name, "https://far.example", request.model)  # begins gently
        line = Limited(Direct(provider), lane)

        async def player() -> None:
            while True:
                with suppress(Retryable):
                    await complete(
                        lambda request, number, leaves: line.send("", request, leaves), request,
                        sleep=lambda seconds: asyncio.sleep(seconds / SCALE),
                    )  # fmt: skip

        server.limit(Taken(rpm=rpm))
        tasks = [asyncio.create_task(player()) for _ in range(players)]
        thirds, before = [], (0.0, 0.0, 0.0)
        for share in (1 / 3, 1.0, 1.0):
            await asyncio.sleep(minutes * 20 / SCALE)
            counts = server.counts["limits"][request.model]
            after = counts["answered"], sum(counts["refused"].values()), counts["offered"]["requests"]
            answered, refused, offered = (b - a for a, b in zip(before, after, strict=True))
            thirds.append((answered / offered, refused / (refused + answered)))
            before = after
            server.limit(Taken(rpm=rpm * share))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await provider.aclose()
    return thirds


def wire_table(minutes: float) -> str:
    """Markdown."""
    lines = ["| stand-in | used, 429 by third |", "| --- | --- |"]
    for name in WIRE:
        thirds = asyncio.run(play_on_wire(name, minutes))
        lines.append(f"| {name} | {', '.join(f'{used:.0%} {refused:.1%}' for used, refused in thirds)} |")
    return "\n".join(lines) + "\n"


# ── the table ────────────────────────────────────────────────────────────────────────────────────────


def service(rpm: float, tpm: float = 1e9, burst_s: float = 60, windows: bool = False, **more: Any) -> Service:
    requests, tokens = (TokenBucket(size, burst_s, windows=windows) for size in (rpm, tpm))
    return Service(requests, tokens, **more)


CASES: dict[str, tuple[dict[str, Any], Limits | None]] = {
    "headers": ({"rpm": 600, "headers": True, "retry_after": True}, None),
    "headers, tokens scarce": ({"rpm": 4000, "tpm": 400_000, "headers": True, "retry_after": True}, None),
    "headers, output reserved": (
        {"rpm": 4000, "tpm": 400_000, "headers": True, "retry_after": True, "reserves": True},
        None,
    ),
    "nothing said, output reserved": ({"rpm": 4000, "tpm": 400_000, "reserves": True}, None),
    "Retry-After alone": ({"rpm": 600, "retry_after": True}, None),
    "nothing said": ({"rpm": 600}, None),
    "nothing said, tokens scarce": ({"rpm": 4000, "tpm": 400_000}, None),
    "nothing said, burst of 5 s": ({"rpm": 600, "burst_s": 5}, None),
    "nothing said, burst of 1 s": ({"rpm": 600, "burst_s": 1}, None),
    "nothing said, 3000 a minute": ({"rpm": 3000}, None),
    "nothing said, 150 a minute": ({"rpm": 150}, None),
    "nothing said, answers of 20 s": ({"rpm": 600, "latency_s": 20}, None),
    "nothing said, whole minutes": ({"rpm": 600, "windows": True}, None),
    "Retry-After, whole minutes": ({"rpm": 600, "windows": True, "retry_after": True}, None),
}


def table(minutes: float = 12, only: str = "") -> str:
    """Markdown."""
    lines = [
        "| service | used | 429 | used, 429 by third | recovered s |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, (about, limits) in CASES.items():
        if only not in name:
            continue
        o = run_virtually(play(service(**about), minutes, limits=limits))
        thirds = ", ".join(f"{used:.0%} {refused:.1%}" for used, refused in o.phases)
        lines.append(f"| {name} | {o.used:.1%} | {o.refused:.2%} | {thirds} | {o.recovered_s:.0f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--only", default="", help="cases with this in their names")
    parser.add_argument(
        "--wire", action="store_true", help="against the stand-in, a quarter of that time each"
    )
    asked = parser.parse_args()
    print(wire_table(asked.minutes) if asked.wire else table(asked.minutes, asked.only))


if __name__ == "__main__":
    main()
