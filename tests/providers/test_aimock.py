"""The real SDKs against somebody else's server, which does not share our mistakes about a wire format."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import providers
from providers.base import Final, Message, ProviderError, Reply, Request, Retryable
from providers.retry import Attempt, RetryPolicy, complete
from tests.aimock import Aimock

MODELS = {
    "anthropic": "claude-sonnet-5-5",
    "openai": "gpt-6-luna",
    "google": "gemini-3.8-flash",
    "local": "qwen3:8b",
}
SERVICES = pytest.mark.parametrize("name", MODELS)
POSITION = "Board: empty\n\nLegal moves, as number: move\n3: d\n5: f\n\nIt is your move."
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["rationale", "action"],
    "properties": {
        "rationale": {"type": "string"},
        "action": {"type": "integer", "enum": [0, 1, 2, 3, 4, 5]},
    },
}


@pytest.fixture(autouse=True)
def _there(aimock: Aimock, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in aimock.environment.items():
        monkeypatch.setenv(variable, value)
    for variable in (
        "ANTHROPIC_API_KEY",
        "OPENAI_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "LOCAL_API_KEY",
    ):
        monkeypatch.delenv(variable, raising=False)


def ask(name: str, words: str, timeout_s: float = 10.0) -> Request:
    return Request(
        model=MODELS[name],
        system="You play a game.",
        messages=(Message("user", words),),
        schema=SCHEMA,
        effort="low",
        timeout_s=timeout_s,
    )


def answer(name: str, words: str, **more: Any) -> Any:
    """The reply, or the error."""

    async def main() -> Any:
        provider = providers.create(name)
        try:
            return await provider.complete(ask(name, words, **more))
        except ProviderError as error:
            return error
        finally:
            await provider.aclose()

    return asyncio.run(main())


@SERVICES
def test_a_move_comes_back_with_its_reasoning_and_usage(name: str) -> None:
    reply = answer(name, POSITION)
    assert isinstance(reply, Reply)
    assert json.loads(reply.text)["action"] in (3, 5)
    assert (reply.finish, reply.reasoning) == ("stop", "aimock thinks of 3 5")
    assert (reply.usage.input, reply.usage.output) == (-(-len(POSITION) // 3), 40)


@pytest.mark.parametrize(
    "listed",
    [
        "Legal moves, by number: 3 5",
        "Legal moves, as number: move\n3: d\n5: f",
        "Legal moves\n\n3\n5",
        "Legal moves: 3=d4, 5=f6",
    ],
)
def test_aimock_finds_the_moves_however_they_are_listed(listed: str) -> None:
    reply = answer("local", f"1. d4 2. e5\n\n{listed}\n\nIt is move 7.")
    assert reply.reasoning == "aimock thinks of 3 5"


@SERVICES
@pytest.mark.parametrize(
    ("word", "error", "kind"),
    [
        ("<429>", Retryable, "rate_limit"),
        ("<500>", Retryable, "server"),
        ("<529>", Retryable, "overloaded"),
        ("<401>", Final, "auth"),
        ("<404>", Final, "unknown_model"),
        ("<malformed>", Retryable, "protocol"),
        ("<cut>", Retryable, "connection"),
        ("<hang>", Retryable, "timeout"),
    ],
)
def test_trouble_has_its_kind_and_costs_one_request(
    aimock: Aimock, name: str, word: str, error: type[ProviderError], kind: str
) -> None:
    before = len(aimock.journal())
    words = f"{word} {POSITION}" if word != "<500>" or name != "local" else word
    found = answer(name, words, timeout_s=0.5 if word == "<hang>" else 10.0)
    if name == "local" and word == "<500>":  # the first 500 may be about the response format
        kind = "protocol"
    assert (type(found), found.kind) == (error, kind)
    if word != "<hang>":  # aimock notes a request when it has answered it
        assert len(aimock.journal()) - before == 1


@SERVICES
def test_the_wait_that_a_429_asks_for_is_read(name: str) -> None:
    assert answer(name, "<429>").retry_after_s == 7.0


@SERVICES
def test_an_answer_that_is_cut_short_says_so(name: str) -> None:
    assert answer(name, "<length>").finish == "length"


@pytest.mark.parametrize("name", ["google", "local"])
def test_a_filtered_answer_says_so(name: str) -> None:
    """Not for the other two: aimock's words for it are none that Claude or the Responses API use."""
    assert answer(name, "<filtered>").finish == "filtered"


@SERVICES
def test_the_retry_layer_sends_what_the_policy_says(aimock: Aimock, name: str) -> None:
    before, attempts, naps = len(aimock.journal()), list[Attempt](), list[float]()

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    async def main() -> None:
        provider = providers.create(name)
        policy = RetryPolicy(attempts=3)
        with pytest.raises(Retryable):
            await complete(
                lambda request, number, leaves: provider.complete(request),
                ask(name, "<429>"),
                policy=policy,
                on_attempt=attempts.append,
                sleep=nap,
            )
        await provider.aclose()

    asyncio.run(main())
    assert len(aimock.journal()) - before == len(attempts) == 3
    assert all(seconds >= 7.0 for seconds in naps) and len(naps) == 2
