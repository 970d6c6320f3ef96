"""The retry policy around a provider that does as it is told. Nobody sleeps."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from providers.base import Final, Message, Reply, Request, Retryable, Usage
from providers.retry import Attempt, Leaves, RetryPolicy, complete

REQUEST = Request("model", "", (Message("user", "?"),))
REPLY = Reply("!", Usage(), latency_s=0.25)


class Scripted:
    """Gives one outcome after the other: a reply, or an error to raise; `queue_s` passes before each leaves."""

    def __init__(self, *outcomes: Reply | BaseException, queue_s: float = 0.0, out_s: float = 0.0) -> None:
        self.outcomes = list(outcomes)
        self.numbers: list[int] = []
        self.now = 1000.0
        self.queue_s, self.out_s = queue_s, out_s

    async def send(self, request: Request, number: int, leaves: Leaves) -> Reply:
        assert request is REQUEST
        self.numbers.append(number)
        self.now += self.queue_s
        await leaves()
        self.now += self.out_s
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def told(note: Callable[[int, float], None]) -> Callable[[int, float], Awaitable[None]]:
    async def start(number: int, started_unix: float) -> None:
        note(number, started_unix)

    return start


class Run:
    """One call of `complete`, with what it told on the way."""

    def __init__(self, *outcomes: Reply | BaseException, seed: int = 1, **policy: Any) -> None:
        self.attempts: list[Attempt] = []
        self.naps: list[float] = []
        self.started: list[int] = []
        self.line = Scripted(*outcomes)
        self.result: Reply | BaseException
        try:
            self.result = asyncio.run(self._complete(seed, RetryPolicy(**policy)))
        except (Retryable, Final, asyncio.CancelledError) as error:
            self.result = error

    async def _complete(self, seed: int, policy: RetryPolicy) -> Reply:
        return await complete(
            self.line.send,
            REQUEST,
            policy=policy,
            on_start=told(lambda number, _: self.started.append(number)),
            on_attempt=self.attempts.append,
            sleep=self._nap,
            rng=random.Random(seed),
        )

    async def _nap(self, seconds: float) -> None:
        self.naps.append(seconds)


def busy(retry_after_s: float | None = None) -> Retryable:
    return Retryable("rate_limit", "busy", retry_after_s=retry_after_s)


def test_a_reply_is_one_attempt() -> None:
    run = Run(REPLY)
    assert run.result is REPLY
    assert run.naps == []
    [attempt] = run.attempts
    assert (attempt.number, attempt.latency_s, attempt.reply, attempt.error) == (1, 0.25, REPLY, None)


def test_every_attempt_is_reported() -> None:
    first, second = busy(), Retryable("connection", "cut", possibly_billed=True)
    run = Run(first, second, REPLY)
    assert run.result is REPLY
    assert [(a.number, a.error, a.reply) for a in run.attempts] == [
        (1, first, None),
        (2, second, None),
        (3, None, REPLY),
    ]
    assert run.started == [1, 2, 3]
    assert all(a.started_unix > 1.6e9 for a in run.attempts)


def test_a_final_error_passes_at_once() -> None:
    error = Final("auth", "no")
    run = Run(error, REPLY)
    assert run.result is error
    assert [a.error for a in run.attempts] == [error]


def test_the_last_error_is_raised_when_attempts_run_out() -> None:
    errors = [busy() for _ in range(9)]
    run = Run(*errors, attempts=4)
    assert run.result is errors[3]
    assert len(run.attempts) == 4 and len(run.naps) == 3


def test_waits_grow_and_stay_below_their_ceiling() -> None:
    policy = {"attempts": 12, "first_s": 1.0, "longest_s": 8.0, "total_s": 1e6}
    runs = [Run(*[busy()] * 12, seed=seed, **policy) for seed in range(30)]
    for n in range(11):
        waits = [run.naps[n] for run in runs]
        ceiling = min(8.0, 2.0**n)
        assert 0 <= min(waits) < max(waits) <= ceiling
        assert max(waits) > ceiling / 2


def test_waits_come_from_the_given_generator_only() -> None:
    random.seed(5)
    before = random.getstate()
    assert Run(*[busy()] * 5, seed=3).naps == Run(*[busy()] * 5, seed=3).naps
    assert Run(*[busy()] * 5, seed=3).naps != Run(*[busy()] * 5, seed=4).naps
    assert random.getstate() == before


def test_retry_after_is_the_least_wait() -> None:
    run = Run(busy(40.0), busy(0.0), REPLY)
    assert run.naps[0] == 40.0  # the jitter before a second attempt is at most one second
    assert 0 < run.naps[1] <= 2.0


def test_a_wait_beyond_the_total_is_not_begun() -> None:
    error = busy(301.0)
    run = Run(error, REPLY, total_s=300.0)
    assert run.result is error
    assert run.naps == [] and len(run.attempts) == 1
    assert error.too_long_wait, "the service asked for more than there is"


def test_the_total_leaves_room_for_every_attempt() -> None:
    assert REQUEST.timeout_s == 120.0
    assert RetryPolicy(attempts=5).seconds(300.0) == 5 * (300.0 + 60.0)
    assert RetryPolicy(attempts=5, total_s=7.0).seconds(300.0) == 7.0
    run = Run(busy(899.0), REPLY)
    assert run.result is REPLY and run.naps == [899.0]
    run = Run(too_long := busy(901.0), REPLY)
    assert run.result is too_long and too_long.too_long_wait


def test_trying_in_vain_is_not_a_wait_that_is_too_long() -> None:
    errors = [busy(1.0) for _ in range(5)]
    run = Run(*errors)
    assert run.result is errors[-1] and not any(error.too_long_wait for error in errors)
    only = busy(5000.0)
    assert Run(only, attempts=1).result is only and not only.too_long_wait, "the attempts ran out"
    slow = busy()
    assert Run(slow, total_s=0.0).result is slow and not slow.too_long_wait, "our own wait did not fit"


def test_cancelling_is_not_an_error_to_retry() -> None:
    run = Run(asyncio.CancelledError(), REPLY)
    assert isinstance(run.result, asyncio.CancelledError)
    assert run.line.outcomes == [REPLY]
    assert run.attempts == []


class Timed:
    """`complete` on a clock that moves only while a call waits for its turn, is out, or sleeps."""

    def __init__(self, monkeypatch: Any, line: Scripted, **policy: Any) -> None:
        self.line = line
        self.began = line.now
        self.attempts: list[Attempt] = []
        self.starts: list[tuple[int, float]] = []
        for name in ("time", "perf_counter", "monotonic"):
            monkeypatch.setattr(time, name, lambda: line.now)
        self.result = asyncio.run(self._outcome(RetryPolicy(**policy)))

    async def _outcome(self, policy: RetryPolicy) -> Reply | BaseException:
        async def sleep(seconds: float) -> None:
            self.line.now += seconds

        heard = {
            "on_start": told(lambda *start: self.starts.append(start)),
            "on_attempt": self.attempts.append,
        }
        try:
            return await complete(self.line.send, REQUEST, policy=policy, sleep=sleep, **heard)
        except Retryable as error:
            return error


def test_the_clock_starts_when_the_call_leaves(monkeypatch) -> None:
    run = Timed(monkeypatch, Scripted(busy(), REPLY, queue_s=50.0, out_s=2.0))
    assert run.result is REPLY
    first, second = run.attempts
    assert first.started_unix == run.began + 50.0 and first.latency_s == 2.0
    assert second.started_unix >= first.started_unix + 2.0 + 50.0
    assert run.starts == [(1, first.started_unix), (2, second.started_unix)]
    assert run.line.numbers == [1, 2]


def test_waiting_for_a_turn_uses_up_no_time(monkeypatch) -> None:
    slow = {"first_s": 0.0, "total_s": 10.0}
    assert Timed(monkeypatch, Scripted(*[busy(1.0)] * 4, REPLY, queue_s=500.0), **slow).result is REPLY
    spent = Timed(monkeypatch, Scripted(*[busy(1.0)] * 4, REPLY, out_s=4.0), **slow)
    assert isinstance(spent.result, Retryable) and len(spent.attempts) == 3, "begun after 0, 5 and 10 s"


def test_a_call_that_may_not_leave_is_no_attempt() -> None:
    class Closed(Exception):
        pass

    async def refuse(number: int, started_unix: float) -> None:
        raise Closed

    line, attempts = Scripted(REPLY), []
    try:
        asyncio.run(complete(line.send, REQUEST, on_start=refuse, on_attempt=attempts.append))
    except Closed:
        pass
    assert line.outcomes == [REPLY] and attempts == []
