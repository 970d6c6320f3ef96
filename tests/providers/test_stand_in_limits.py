"""Limits of the stand-in: who is let in, what it is told, and how a client can be judged by the counters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors

from providers.simulated import Behaviour, prompt_tokens
from providers.stand_in import Limits, serve
from providers.stand_in.limits import Denial, Gate, Gates, Grant, duration
from tests.providers.simulated_questions import question
from tests.providers.test_stand_in import CLIENTS, chat, each_client, post

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


def gate(**limits: float) -> tuple[Gate, Clock]:
    clock = Clock()
    return Gate(Limits.of(**limits), clock), clock


def ask(of: Gate, bound: int = 1000) -> Grant | Denial:
    return of.take(question(max_output_tokens=bound))


PROMPT = prompt_tokens(question())


def test_requests_come_back_evenly() -> None:
    one, clock = gate(rpm=60, burst=3)
    taken = [ask(one) for _ in range(4)]
    assert [type(each) for each in taken] == [Grant, Grant, Grant, Denial]
    assert taken[3] == Denial("requests", 60, 1.0)
    clock.time += 0.5
    assert ask(one) == Denial("requests", 60, 0.5)
    clock.time += 0.5
    assert isinstance(ask(one), Grant)
    clock.time += 999
    assert [type(ask(one)) for _ in range(4)] == [Grant, Grant, Grant, Denial], (
        "it holds no more than a burst"
    )
    assert one.counts()["refused"] == {"requests": 3}


def test_tokens_are_reserved_and_what_was_not_used_comes_back() -> None:
    one, clock = gate(tpm=6000)
    assert one.tokens is not None
    grant = ask(one, 1000)
    assert isinstance(grant, Grant) and one.tokens.level == 6000 - PROMPT - 1000
    grant.used = PROMPT + 40
    grant.close()
    grant.close()
    assert one.tokens.level == 6000 - PROMPT - 40
    assert one.counts()["tokens"] == PROMPT + 40
    refused = ask(one, 5990)
    assert isinstance(refused, Denial) and refused.what == "tokens" and refused.wait_s is not None
    clock.time += refused.wait_s
    assert isinstance(ask(one, 6000 - PROMPT), Grant)
    assert one.tokens.level == pytest.approx(0, abs=1e-5)


def test_what_never_fits_is_always_refused() -> None:
    one, clock = gate(tpm=100)
    clock.time += 1e6
    assert isinstance(ask(one, 1000), Denial)


def test_a_call_without_a_bound_and_a_decision_reserve_their_prompts() -> None:
    one, _ = gate(tpm=6000)
    assert one.tokens is not None
    choices = ((0, "a1"), (1, "b1"))
    ask(one, 1 << 20)
    assert one.tokens.level == 6000 - PROMPT
    one.take(question(mode="decision", choices=choices))
    assert one.tokens.level == 6000 - 2 * PROMPT - 2


def test_calls_in_flight_are_counted_until_they_are_closed() -> None:
    one, _ = gate(at_once=2)
    first, second = ask(one), ask(one)
    assert ask(one) == Denial("in flight", 2, None)
    assert isinstance(first, Grant) and isinstance(second, Grant)
    first.close()
    assert isinstance(ask(one), Grant)
    assert one.in_flight == 2 and one.counts() == {
        "answered": 0,
        "refused": {"in flight": 1},
        "tokens": 0,
        "offered": {},
    }


def test_capacity_drops_and_returns() -> None:
    one, clock = gate(rpm=600, burst=10)
    for _ in range(30):
        ask(one)
    one.change(Limits(rpm=60, burst=10))
    assert one.requests is not None and one.requests.level == 10, "what was left, as far as there is room"
    clock.time += 60
    one.fill()
    assert one.requests.offered == 100 + 60
    one.change(Limits(rpm=600, burst=10))
    clock.time += 1
    one.fill()
    assert (one.requests.level, one.requests.offered) == (20, 170)
    one.change(Limits())
    assert all(isinstance(ask(one), Grant) for _ in range(1000))


def test_models_have_limits_of_their_own_that_outlast_the_others() -> None:
    gates = Gates(Limits(rpm=60), {"big": Limits(rpm=6)}, Clock())
    assert [gates.of(name).limits.rpm for name in ("big", "small")] == [6, 60]
    gates.change(Limits(rpm=30))
    assert [gates.of(name).limits.rpm for name in ("big", "small", "new")] == [6, 30, 30]
    gates.change(Limits(rpm=3), "small")
    gates.change(Limits(rpm=1))
    assert [gates.of(name).limits.rpm for name in ("big", "small", "new")] == [6, 3, 1]


@pytest.mark.parametrize("options", [{"rpn": 3}, {"rpm": -1}, {"tpm": "nan"}, {"tpm": "many"}])
def test_wrong_limits_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Limits.of(**options)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.0061, "7ms"), (1.5, "1.5s"), (59.25, "59.25s"), (60, "1m0s"), (3723, "1h2m3s")],
)
def test_durations_are_written_as_openai_does(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def run(scene: Callable[..., Any], **limits: float) -> None:
    """Play a scene before a server of these limits whose clock stands still."""

    async def stage() -> None:
        clock = Clock()
        async with serve(behaviour=Behaviour.of("greedy"), clock=clock, limits=Limits.of(**limits)) as server:
            await scene(server, clock)

    asyncio.run(stage())


@each_client
def test_the_sdks_are_refused_in_their_vendors_words(wire: str) -> None:
    async def scene(server: Any, clock: Clock) -> None:
        async with CLIENTS[wire](server.url) as client:
            assert (await client(question())).text
            with pytest.raises(
                (anthropic.RateLimitError, openai.RateLimitError, errors.ClientError)
            ) as caught:
                await client(question())
            error: Any = caught.value
            if wire == "gemini":
                assert (error.code, error.status) == (429, "RESOURCE_EXHAUSTED")
                (retry,) = error.details["error"]["details"]
                assert retry["retryDelay"] == "1.5s"
                assert "retry-after" not in error.response.headers
            else:
                told = error.response.headers
                assert told["retry-after"] == "2", "whole seconds, rounded up"
                assert told.get("retry-after-ms") == (None if wire == "anthropic" else "1500")
            assert "40 requests per minute" in str(error)
            clock.time += 1.5
            assert (await client(question())).text
        assert server.counts["limits"]["greedy"] == {
            "answered": 2,
            "refused": {"requests": 1},
            "tokens": server.counts["limits"]["greedy"]["tokens"],
            "offered": {"requests": 2.0},
        }
        assert server.counts["answered"] == 2 and server.counts["faults"] == {}

    run(scene, rpm=40, burst=1)


def test_headers_tell_what_is_left_after_the_answer() -> None:
    asked = question(max_output_tokens=900)
    claude: dict[str, Any] = {"model": "m", "max_tokens": 900, "system": asked.system}
    claude["messages"] = [{"role": "user", "content": asked.messages[0].content}]

    async def scene(server: Any, clock: Clock) -> None:
        _, answer, told = await post(f"{server.url}/v1/messages", claude)
        spent = answer["usage"]["input_tokens"] + answer["usage"]["output_tokens"]
        prefix = "anthropic-ratelimit-"
        assert {name.removeprefix(prefix): told[name] for name in told if name.startswith(prefix)} == {
            "requests-limit": "60",
            "requests-remaining": "59",
            "requests-reset": _at(clock.time + 1),
            "tokens-limit": "60000",
            "tokens-remaining": str(60_000 - spent),
            "tokens-reset": _at(clock.time + 1),
        }
        body = chat(asked, max_completion_tokens=900) | {"model": "n"}
        _, answer, told = await post(f"{server.url}/v1/chat/completions", body)
        spent = answer["usage"]["total_tokens"]
        prefix = "x-ratelimit-"
        assert {name.removeprefix(prefix): told[name] for name in told if name.startswith(prefix)} == {
            "limit-requests": "60",
            "remaining-requests": "59",
            "reset-requests": "1s",
            "limit-tokens": "60000",
            "remaining-tokens": str(60_000 - spent),
            "reset-tokens": f"{spent}ms",
        }

    run(scene, rpm=60, tpm=60_000)


def _at(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_fault_gives_its_tokens_back_and_a_refusal_at_the_gate_costs_none() -> None:
    async def scene(server: Any, clock: Clock) -> None:
        url = f"{server.url}/v1/chat/completions"
        body = chat(question(), max_completion_tokens=900)
        server.queue("529")
        got = [(await post(url, body))[0] for _ in range(3)]
        assert got == [529, 200, 429]
        counts = server.counts["limits"]["greedy"]
        assert counts["refused"] == {"tokens": 1} and counts["offered"]["tokens"] == 1000
        assert counts["tokens"] < 200

    run(scene, tpm=1000)


def test_limits_change_by_order_while_calls_are_under_way() -> None:
    async def scene() -> None:
        async with serve(behaviour=Behaviour.of("greedy", latency=30, retry_after=0.25)) as server:
            url, control = f"{server.url}/v1/chat/completions", f"{server.url}/_control"
            await post(control, {"limits": {"at_once": 1}})
            first = asyncio.create_task(post(url, chat(question())))
            async with asyncio.timeout(10):
                while server.counts["in_flight"] < 1:  # noqa: ASYNC110 - the server has no event for it
                    await asyncio.sleep(0.005)
            status, answer, told = await post(url, chat(question()))
            assert status == 429 and told["retry-after-ms"] == "250"
            assert "1 in flight" in answer["error"]["message"]
            await post(control, {"limits": {"model": "other", "at_once": 3}, "behaviour": {"bot": "random"}})
            await post(control, {"limits": {}})
            assert (await post(url, chat(question())))[0] == 200
            first.cancel()
            for wrong in ({"limits": {"rpn": 1}}, {"limits": {"rpm": "x"}}, {"limits": 3}):
                assert (await post(control, wrong))[0] == 400
            _, counts, _ = await post(control, {"reset": True})
            assert counts["limits"]["greedy"]["refused"] == {} and counts["limits"]["greedy"]["answered"] == 0

    asyncio.run(scene())


def test_a_client_that_waits_as_it_is_told_uses_what_is_offered() -> None:
    """The counters tell a good client by its share of the capacity, and of refusals."""

    async def scene(server: Any, clock: Clock) -> None:
        url, answered = f"{server.url}/v1/chat/completions", 0
        while clock.time < 1_800_000_060:
            status, _, told = await post(url, chat(question(note=str(answered))))
            answered += status == 200
            clock.time += 0 if status == 200 else int(told["retry-after-ms"]) / 1000
        counts = server.counts["limits"]["greedy"]
        assert counts["answered"] == answered
        assert 0.95 < counts["answered"] / counts["offered"]["requests"] <= 1
        assert counts["refused"]["requests"] / answered < 1.1

    run(scene, rpm=60, burst=5)


def test_batches_have_no_part_in_the_limits() -> None:
    body = {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "?"}]}
    order = {"requests": [{"custom_id": str(i), "params": body} for i in range(9)]}

    async def scene(server: Any, clock: Clock) -> None:
        assert (await post(f"{server.url}/v1/messages/batches", order))[0] == 200
        assert server.counts["limits"] == {} and server.counts["answered"] == 9

    run(scene, rpm=1)
