"""Lanes in virtual time: minutes pass in milliseconds, and nothing depends on how busy the machine is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from benchmarks.limits import CASES, play, run_virtually, service
from orchestrator.limits import FIRST_CALLS, Lane, Lanes, Limited, Limits, parse_limits
from orchestrator.lines import unheard
from providers.base import Allowance, Final, Message, Reply, Request, Retryable, Usage
from providers.retry import Leaves

REQUEST = Request("model", "s" * 300, (Message("user", "u" * 300),), max_output_tokens=1000)


def reply(output: int = 100, **allowance: float) -> Reply:
    told = Allowance(**allowance) if allowance else None  # type: ignore[arg-type]
    return Reply("!", Usage(input_fresh=200, output=output), allowance=told)


def busy(kind: str = "rate_limit", retry_after_s: float | None = None, **allowance: float) -> Retryable:
    told = Allowance(**allowance) if allowance else None  # type: ignore[arg-type]
    return Retryable(kind, kind, retry_after_s=retry_after_s, allowance=told)  # type: ignore[arg-type]


class Wire:
    """A line that answers after `seconds` as `answer` says; knows when each call left, and in which order."""

    def __init__(self, answer: Callable[[int], Reply | Exception] = lambda n: reply(), seconds: float = 1.0):
        self.answer, self.seconds = answer, seconds
        self.left: list[tuple[float, str]] = []
        self.out = self.most_out = 0

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.left]

    async def send(self, call: str, request: Request, leaves: Leaves = unheard) -> Reply:
        await leaves()
        self.left.append((now(), call))
        answer = self.answer(len(self.left))
        self.out += 1
        self.most_out = max(self.most_out, self.out)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.out -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer


class Told(list[str]):
    def __call__(self, name: str, in_flight: int, paused_s: float, reason: str) -> None:
        assert name == "test" and in_flight >= 0 and paused_s >= 0
        self.append(reason)


def now() -> float:
    return asyncio.get_running_loop().time()


def flood(wire: Wire, lane: Lane, calls: int) -> list[Reply | BaseException]:
    """So many calls at once; what came of them."""

    async def main() -> list[Reply | BaseException]:
        line = Limited(wire, lane)
        sends = (line.send(str(n), REQUEST) for n in range(calls))
        return await asyncio.gather(*sends, return_exceptions=True)

    return run_virtually(main())


def virtually(main: Callable[[], Awaitable[None]]) -> None:
    run_virtually(main())  # type: ignore[arg-type]


# ── by hand ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rpm=500,tpm=200000,calls=20", ("", Limits(500, 200_000, 20))),
        ("tpm=2_000_000", ("", Limits(None, 2_000_000, None))),
        (" gpt-6-luna: rpm = 5 ", ("gpt-6-luna", Limits(5, None, None))),
        ("local:qwen3:8b:calls=2", ("local:qwen3:8b", Limits(None, None, 2))),
    ],
)
def test_limits_are_read(text, expected) -> None:
    assert parse_limits(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "rpm", "rpm=", "rpm=0", "rpm=-1", "rpm=1.5", "rpm=²", "rps=5", "rpm=5,rpm=6", "m:", "5", "rpm=" + "9" * 5000],
)  # fmt: skip
def test_what_cannot_be_read_is_said(text) -> None:
    with pytest.raises(ValueError, match=r"expected|leave one of them out"):
        parse_limits(text)


def test_requests_set_by_hand() -> None:
    wire = Wire()
    flood(wire, Lane("test", Limits(requests_per_minute=120)), 400)
    for start in (0.0, 40.0, 100.0):
        assert sum(start <= at < start + 60 for at in wire.times) <= 120 + 12, (
            "a minute and a tenth for lulls"
        )
    assert wire.times[-1] == pytest.approx((400 - 12) / 2, abs=8), "and they are used up"


def test_tokens_set_by_hand_are_settled_with_what_was_used() -> None:
    """Each call is 300 tokens; the first were reserved with all the 1000 that an answer may have."""
    wire = Wire()
    flood(wire, Lane("test", Limits(tokens_per_minute=30_000)), 400)
    steady = [at for at in wire.times if at > 30]
    rate = (len(steady) - 1) / (steady[-1] - steady[0])
    assert rate * 300 * 60 == pytest.approx(30_000, rel=0.02)


def test_calls_at_once_set_by_hand_and_first_come_first_served() -> None:
    wire = Wire(seconds=3.0)
    flood(wire, Lane("test", Limits(in_flight=20)), 200)
    assert wire.most_out == 20
    assert [call for _, call in wire.left] == [str(n) for n in range(200)]


def test_a_call_larger_than_a_minute_still_leaves() -> None:
    wire = Wire(lambda n: reply(output=5000))
    assert all(isinstance(r, Reply) for r in flood(wire, Lane("test", Limits(tokens_per_minute=600)), 3))


# ── what is reserved ─────────────────────────────────────────────────────────────────────────────────


def test_an_estimate_is_the_worst_until_something_is_known() -> None:
    lane = Lane("test")
    assert lane.estimate(REQUEST) == 600 // 3 + 1000
    flood(Wire(), lane, 20)
    assert lane.estimate(REQUEST) == 600 // 3 + 100


# ── what the service says ────────────────────────────────────────────────────────────────────────────


def test_never_more_than_is_left_until_the_reset() -> None:
    """The tenth call of a service that takes ten a half minute, all at once anew, and says so."""

    def answer(n: int) -> Reply:
        return reply(requests_limit=10, requests_left=9 - (n - 1) % 10, requests_reset_s=30)

    wire, told = Wire(answer, seconds=0.5), Told()
    flood(wire, Lane("test", on_change=told), 40)
    for before, after in pairwise(wire.times[9::10]):
        assert after - before >= 30
    assert wire.times[39] < 4 * 33, "and no fewer"
    assert len(told) == 3 and all("nothing is left" in reason for reason in told)


def test_tokens_that_are_left_are_obeyed_too() -> None:
    wire = Wire(lambda n: reply(tokens_limit=3000, tokens_left=max(0, 3000 - 300 * n), tokens_reset_s=60))
    flood(wire, Lane("test"), 14)
    assert sum(at < 60 for at in wire.times) in (9, 10), "estimates stand for the calls that are out"


def test_a_service_that_falls_silent_does_not_stop_the_lane() -> None:
    told = [reply(requests_left=0), busy("server")]
    wire = Wire(lambda n: told[n - 1] if n <= 2 else reply())
    results = flood(wire, Lane("test", Limits(in_flight=1)), 12)
    assert sum(isinstance(r, Reply) for r in results) == 11
    assert wire.times[1] >= 60, "no reset was told: a minute"


def test_a_retry_after_holds_the_whole_lane() -> None:
    told = Told()
    wire = Wire(lambda n: busy(retry_after_s=40.0) if n == 5 else reply(), seconds=0.1)
    flood(wire, Lane("test", on_change=told), 60)
    quiet = max(after - before for before, after in pairwise(wire.times))
    assert quiet >= 39.5
    assert sum("asks to wait 40 s" in reason for reason in told) == 1


def test_an_overloaded_service_is_waited_for_but_does_not_slow_the_lane() -> None:
    def lane_after(trouble: Retryable) -> tuple[Wire, Told]:
        told = Told()
        wire = Wire(lambda n: trouble if n == 40 else reply(), seconds=0.1)
        flood(wire, Lane("test", on_change=told), 400)
        return wire, told

    waited, told = lane_after(busy("overloaded", 30.0))
    undisturbed, silence = lane_after(busy("server", 30.0))
    assert waited.times[-1] - undisturbed.times[-1] == pytest.approx(30, abs=1), "as fast as before"
    assert len(told) == 1 and "overloaded" in told[0] and not silence


@pytest.mark.parametrize("kind", ["server", "timeout", "connection", "protocol", "overloaded"])
def test_other_failures_slow_nothing(kind) -> None:
    fine, failing = Wire(seconds=0.1), Wire(lambda n: reply() if n % 2 else busy(kind), seconds=0.1)
    flood(fine, Lane("test"), 300)
    flood(failing, Lane("test"), 300)
    assert failing.times == pytest.approx(fine.times)


def test_many_refused_at_once_slow_the_lane_once() -> None:
    """Those that were out already when the first refusal came back say nothing new."""
    told = Told()
    wire = Wire(lambda n: busy() if 100 < n <= 130 else reply(), seconds=5.0)
    flood(wire, Lane("test", on_change=told), 900)
    assert sum(reason.startswith("refused") for reason in told) == 1
    assert any(reason.startswith("not refused") for reason in told), "and it recovers"


def test_a_wrong_key_fails_few_times() -> None:
    """Nothing else is known before the first answer."""
    wire = Wire(lambda n: Final("auth", "no"), seconds=60.0)

    async def main() -> None:
        line = Limited(wire, Lane("test"))
        calls = [asyncio.create_task(line.send(str(n), REQUEST)) for n in range(500)]
        await asyncio.sleep(59)
        assert wire.most_out == len(wire.left) == FIRST_CALLS
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    virtually(main)


# ── giving back ──────────────────────────────────────────────────────────────────────────────────────


def test_whoever_is_cancelled_gives_back_what_it_holds() -> None:
    """Waiting, just let through, or out: calls are cancelled at random and the lane is as good as new."""

    async def main() -> None:
        rng = random.Random(5)
        wire, lane = Wire(seconds=1.0), Lane("test", Limits(in_flight=5))
        line = Limited(wire, lane)
        calls = []
        for n in range(600):
            calls.append(asyncio.create_task(line.send(str(n), REQUEST)))
            if rng.random() < 0.5:
                await asyncio.sleep(rng.choice((0, 0, 0.3, 1.0)))
            rng.choice(calls).cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert wire.most_out == 5 and lane.in_flight == 0
        assert isinstance(await line.send("after", REQUEST), Reply)

    virtually(main)


def test_cancelled_between_its_turn_and_leaving() -> None:
    async def main() -> None:
        lane = Lane("test", Limits(requests_per_minute=60, in_flight=1))
        await lane.enter(REQUEST)
        second, third = (asyncio.create_task(lane.enter(REQUEST)) for _ in range(2))
        await asyncio.sleep(30)
        lane.lost()  # which lets the second through
        second.cancel()
        place = await third
        assert second.cancelled() and place.left_at == now() == 30.0 and lane.in_flight == 1

    virtually(main)


def test_what_may_not_leave_takes_no_room() -> None:
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    async def main() -> None:
        wire, lane = Wire(), Lane("test", Limits(requests_per_minute=10, tokens_per_minute=12_000))
        line = Limited(wire, lane)
        for _ in range(50):
            with pytest.raises(Stop):
                await line.send("never", REQUEST, stop)
        assert now() == 0.0 and wire.left == [] and lane.in_flight == 0
        await line.send("now", REQUEST)
        assert wire.times == [0.0]

    virtually(main)


def test_a_call_leaves_when_it_has_room_and_not_before() -> None:
    async def main() -> None:
        wire, left = Wire(seconds=10.0), []
        line = Limited(wire, Lane("test", Limits(in_flight=1)))

        async def leaves() -> None:
            left.append(now())

        calls = [asyncio.create_task(line.send(str(n), REQUEST, leaves)) for n in range(3)]
        await asyncio.gather(*calls)
        assert left == wire.times == [0.0, 10.0, 20.0]

    virtually(main)


def test_closing_turns_away_who_waits_and_lets_come_back_who_is_out() -> None:
    class Stopped(Exception):
        pass

    async def main() -> None:
        wire, lanes = Wire(seconds=10.0), Lanes({"": Limits(in_flight=2)})
        line = Limited(wire, lanes.lane("test", "", "model"))
        calls = [asyncio.create_task(line.send(str(n), REQUEST)) for n in range(6)]
        await asyncio.sleep(1)
        lanes.close(Stopped)
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(result) for result in results] == [Reply] * 2 + [Stopped] * 4
        assert now() < 11 and wire.out == 0
        for lane in (line.lane, lanes.lane("test", "", "another")):
            with pytest.raises(Stopped):
                await Limited(wire, lane).send("late", REQUEST)

    virtually(main)


# ── lanes ────────────────────────────────────────────────────────────────────────────────────────────


def test_one_lane_for_each_service_endpoint_and_model() -> None:
    lanes = Lanes({"": Limits(in_flight=3), "b": Limits(in_flight=1), "x:c": Limits(in_flight=2)})
    assert lanes.lane("x", "here", "a") is lanes.lane("x", "here", "a")
    different = {lanes.lane("x", "here", "a"), lanes.lane("x", "there", "a"), lanes.lane("y", "here", "a")}
    assert len(different) == 3

    def at_once(provider: str, model: str) -> int:
        wire = Wire()
        flood(wire, lanes.lane(provider, "", model), 9)
        return wire.most_out

    asked = [("x", "a"), ("x", "b"), ("x", "c"), ("y", "c")]
    assert [at_once(*who) for who in asked] == [3, 1, 2, 3]


def test_trouble_of_one_model_slows_no_other() -> None:
    async def main() -> None:
        lanes = Lanes()
        bad, good = Wire(lambda n: busy(retry_after_s=30.0)), Wire(seconds=0.1)
        sends = [Limited(bad, lanes.lane("x", "", "bad")).send(str(n), REQUEST) for n in range(50)]
        sends += [Limited(good, lanes.lane("x", "", "good")).send(str(n), REQUEST) for n in range(300)]
        troubled = asyncio.gather(*sends, return_exceptions=True)
        await asyncio.sleep(20)
        assert len(good.left) == 300 and len(bad.left) <= FIRST_CALLS
        await troubled

    virtually(main)


def test_waiting_costs_nothing() -> None:
    """One timer at a time, and no more of them than calls and answers."""

    class Counting:
        def __init__(self) -> None:
            self.timers = 0

        def time(self) -> float:
            return now()

        def call_at(self, when: float, callback: Callable[[], object], /) -> asyncio.TimerHandle:
            self.timers += 1
            return asyncio.get_running_loop().call_at(when, callback)

    clock = Counting()
    wire = Wire(lambda n: busy(retry_after_s=600.0) if n == 100 else reply())
    flood(wire, Lane("test", clock=clock), 500)
    assert wire.times[-1] > 600 and clock.timers < 2 * 500


# ── the goal ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "case",
    [
        "headers",
        "headers, tokens scarce",
        "Retry-After alone",
        "nothing said",
        "nothing said, tokens scarce",
        "nothing said, burst of 1 s",
    ],
)
def test_most_of_a_service_is_used_and_few_are_refused(case) -> None:
    """At a third of the capacity for two of six minutes, and back within one."""
    about, limits = CASES[case]
    outcome = run_virtually(play(service(**about), 6, players=100, limits=limits))
    assert outcome.used >= 0.85 and all(used >= 0.85 for used, _ in outcome.phases)
    assert outcome.refused < 0.02
    assert outcome.recovered_s <= 60
    assert outcome.lost == 0


def test_a_lane_that_is_held_lets_nobody_out_and_goes_on_at_its_own_pace() -> None:
    wire = Wire(seconds=0.1)

    async def main() -> None:
        lane = Lane("test", Limits(requests_per_minute=60))
        line = Limited(wire, lane)
        sends = [asyncio.create_task(line.send(str(n), REQUEST)) for n in range(20)]
        await asyncio.sleep(5)
        lane.hold()
        left = len(wire.left)
        sends.append(asyncio.create_task(line.send("late", REQUEST)))
        await asyncio.sleep(600)
        assert len(wire.left) == left < 20 and lane.in_flight == 0
        lane.go_on()
        await asyncio.gather(*sends)
        assert [call for _, call in wire.left] == [*map(str, range(20)), "late"]
        after = wire.times[left:]
        assert after[-1] - after[0] >= len(after) - 1 - 6, "a burst of six seconds, and no more for the pause"

    virtually(main)
