"""The one retry policy of transport: tenacity around one HTTP attempt.

SDK retries are off, so an attempt here is a request on the wire, and every one of them is reported: a failed
attempt may have been billed. Asking again for a legal move is the player's business, not this file's; so is
how an attempt travels. Where it waits its turn on the way, the wait is no part of it: its clock starts when
it leaves.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from providers.base import ProviderError, Reply, Request, Retryable

Leaves = Callable[[], Awaitable[None]]
"""Awaited at the moment an attempt leaves for its service. What it raises holds the attempt back."""

Send = Callable[[Request, int, Leaves], Awaitable[Reply]]
"""One attempt of a request, by its number; it awaits the last argument as it leaves, and raises as `complete`."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `attempts` requests, the last of them begun within `total_s` seconds, waits for a turn apart.

    The wait before attempt n + 1 is drawn from 0 to `first_s` * 2**(n - 1), at most `longest_s`, and is never
    shorter than the service's Retry-After. A wait that would end after `total_s` is not begun. None stands
    for `attempts` * (the request's `timeout_s` + `longest_s`): time for every attempt to run its full length.
    """

    attempts: int = 5
    total_s: float | None = None
    first_s: float = 1.0
    longest_s: float = 60.0

    def seconds(self, timeout_s: float) -> float:
        """The total for a request whose attempts may take `timeout_s` each."""
        return self.attempts * (timeout_s + self.longest_s) if self.total_s is None else self.total_s


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request on the wire, for the ledger: a reply or an error, never both. `number` counts from 1."""

    number: int
    started_unix: float
    latency_s: float
    reply: Reply | None
    error: ProviderError | None


DEFAULT = RetryPolicy()
_JITTER = random.Random()  # how long is waited changes no result


async def at_once(number: int, started_unix: float) -> None:
    """Nobody asked to be told."""


async def complete(
    send: Send,
    request: Request,
    *,
    policy: RetryPolicy = DEFAULT,
    on_start: Callable[[int, float], Awaitable[None]] = at_once,
    on_attempt: Callable[[Attempt], None] = lambda _: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    rng: random.Random | None = None,
) -> Reply:
    """`send`, retried. Raises Final at once, the last Retryable when it gives up.

    It gives up when attempts or time run out; where it is the service's own Retry-After that does not fit
    into the time left, the error's `too_long_wait` is True.

    `on_start` is awaited as an attempt leaves, so that one that a crash cuts short is known, and may raise to
    hold it back; `on_attempt` is told after it.
    """
    draw = rng or _JITTER
    total_s = policy.seconds(request.timeout_s)
    number, queued_s = 0, 0.0

    async def attempt() -> Reply:
        nonlocal number, queued_s
        number += 1
        clock = _Clock(number, on_start)
        try:
            return await _attempt(send, request, clock, on_attempt)
        finally:
            queued_s += clock.queued_s

    def wait(state: RetryCallState) -> float:
        longest = min(policy.longest_s, policy.first_s * 2 ** (state.attempt_number - 1))
        jitter = draw.uniform(0, longest)
        error = _failure(state)
        return max(jitter, (error.retry_after_s or 0.0) if error else 0.0)

    def stop(state: RetryCallState) -> bool:
        if state.attempt_number >= policy.attempts:
            return True
        left = total_s - ((state.seconds_since_start or 0.0) - queued_s)
        error = _failure(state)
        if error is not None:
            error.too_long_wait = (error.retry_after_s or 0.0) > max(left, 0.0)
        return state.upcoming_sleep > left

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Retryable), wait=wait, stop=stop, sleep=sleep, reraise=True
    )
    return await retrying(attempt)


class _Clock:
    """Of one attempt: running from when it was handed over, and anew from when it leaves."""

    def __init__(self, number: int, on_start: Callable[[int, float], Awaitable[None]]) -> None:
        self.number = number
        self.queued_s = 0.0
        self._on_start = on_start
        self._handed_over = time.perf_counter()
        self._start()

    async def leaves(self) -> None:
        await self._on_start(self.number, time.time())
        self._start()
        self.queued_s = self._started - self._handed_over

    def _start(self) -> None:
        self.started_unix, self._started = time.time(), time.perf_counter()

    def latency_s(self) -> float:
        return time.perf_counter() - self._started


async def _attempt(
    send: Send, request: Request, clock: _Clock, on_attempt: Callable[[Attempt], None]
) -> Reply:
    try:
        reply = await send(request, clock.number, clock.leaves)
    except ProviderError as error:
        on_attempt(Attempt(clock.number, clock.started_unix, clock.latency_s(), None, error))
        raise
    on_attempt(Attempt(clock.number, clock.started_unix, reply.latency_s, reply, None))
    return reply


def _failure(state: RetryCallState) -> Retryable | None:
    """The error of the attempt that has just failed."""
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, Retryable) else None
