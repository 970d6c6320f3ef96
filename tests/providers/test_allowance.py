"""What services say that they will still take, and what they count for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import providers
from providers.base import Allowance, Final, Message, ProviderError, Reply, Request, Retryable
from providers.wire import allowance
from tests.providers.replay import Replay, replaying, wire

GPT_HEADERS = {
    "x-ratelimit-limit-requests": "5000",
    "x-ratelimit-remaining-requests": "4999",
    "x-ratelimit-reset-requests": "12ms",
    "x-ratelimit-limit-tokens": "800000",
    "x-ratelimit-remaining-tokens": "799000",
    "x-ratelimit-reset-tokens": "1m3.5s",
}
MODELS = {
    "anthropic": "claude-sonnet-5-5",
    "openai": "gpt-6-luna",
    "google": "gemini-3.8-flash",
    "local": "qwen3:8b",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC", "OPENAI", "GEMINI"):
        monkeypatch.setenv(f"{name}_API_KEY", "sk-planted-0123456789abcdef")


def claudes(**groups: tuple[int, int]) -> dict[str, str]:
    """group -> (limit, remaining), all full again in a minute."""
    then = (datetime.now(UTC) + timedelta(seconds=60)).isoformat().replace("+00:00", "Z")
    return {
        f"anthropic-ratelimit-{group.replace('_', '-')}-{what}": value
        for group, (limit, left) in groups.items()
        for what, value in (("limit", str(limit)), ("remaining", str(left)), ("reset", then))
    }


def request(name: str, **changes: Any) -> Request:
    return Request(
        **{
            "model": MODELS[name],
            "system": "You play Connect 4.",
            "messages": (Message("user", "Your move."),),
            "schema": {"type": "object"},
            "timeout_s": 10.0,
            **changes,
        }
    )


def play(name: str, answer: tuple[int, Any], verb: str = "complete", **about: Any) -> tuple[Any, Replay]:
    async def main() -> tuple[Any, Replay]:
        asked = request(name, **about.pop("ask", {}))
        async with replaying(answer, **about) as replay:
            provider = providers.create(name, base_url=replay.url)
            try:
                found: Any = await getattr(provider, verb)(asked)
            except ProviderError as error:
                found = error
            finally:
                await provider.aclose()
            return found, replay

    return asyncio.run(main())


# --- headers


def test_gpts_headers() -> None:
    assert allowance(GPT_HEADERS) == Allowance(5000, 4999, 0.012, 800_000, 799_000, 63.5)


def test_claudes_headers() -> None:
    found = allowance(claudes(requests=(50, 49), tokens=(90_000, 80_000)))
    assert found is not None
    assert found.requests_reset_s == pytest.approx(60, abs=30)
    assert (found.requests_limit, found.requests_left) == (50, 49)
    assert (found.tokens_limit, found.tokens_left) == (90_000, 80_000)


def test_of_claudes_tokens_the_scarcest_count() -> None:
    plenty = claudes(tokens=(90_000, 90_000), input_tokens=(80_000, 80_000), output_tokens=(10_000, 10_000))
    found = allowance(plenty)
    assert found is not None and found.tokens_limit == 90_000
    found = allowance(plenty | claudes(output_tokens=(10_000, 4_000)))
    assert found is not None and (found.tokens_limit, found.tokens_left) == (10_000, 4_000)
    found = allowance(claudes(input_tokens=(80_000, 20_000), output_tokens=(10_000, 9_000)))
    assert found is not None and (found.tokens_limit, found.tokens_left) == (80_000, 20_000)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6ms", 0.006),
        ("0s", 0.0),
        ("1s", 1.0),
        ("1m3s", 63.0),
        ("6m0s", 360.0),
        ("1h0m0.5s", 3600.5),
        ("1d2h", 93_600.0),
        ("2020-01-01T00:00:00Z", 0.0),
        ("soon", None),
        ("1m later", None),
        ("-1s", None),
        ("7", None),
        ("", None),
    ],
)
def test_when_it_is_all_there_again(text: str, seconds: float | None) -> None:
    found = allowance({"x-ratelimit-limit-requests": "1", "x-ratelimit-reset-requests": text})
    assert found is not None
    assert found.requests_reset_s == (seconds if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": "3"},
        {"x-ratelimit-limit-requests": "many", "x-ratelimit-remaining-requests": "-1"},
        {"x-ratelimit-limit-tokens": "1.5"},
        {"anthropic-ratelimit-requests-reset": "tomorrow"},
    ],
)
def test_silence_is_no_allowance(headers: Mapping[str, str]) -> None:
    assert allowance(headers) is None


@pytest.mark.parametrize("name", ["anthropic", "openai", "local"])
def test_every_answer_brings_what_is_left(name: str) -> None:
    headers = claudes(requests=(50, 7), tokens=(90, 80)) if name == "anthropic" else GPT_HEADERS
    left = 7 if name == "anthropic" else 4999
    reply, _ = play(name, (200, wire(name)["answer"]), headers=headers)
    assert isinstance(reply, Reply) and reply.allowance is not None and reply.allowance.requests_left == left
    refused, _ = play(name, (429, {"error": {"message": "slow"}}), headers=headers)
    assert type(refused) is Retryable and refused.allowance is not None
    assert refused.allowance.requests_left == left
    garbled, _ = play(name, (200, "{}"), headers=headers)
    assert type(garbled) is Retryable and garbled.allowance is not None


def test_gemini_says_nothing_of_it() -> None:
    reply, _ = play("google", (200, wire("google")["answer"]))
    assert reply.allowance is None


# --- counting a prompt


COUNTED = {
    "anthropic": ("/v1/messages/count_tokens", {"input_tokens": 321}),
    "openai": ("/v1/responses/input_tokens", {"input_tokens": 321, "object": "response.input_tokens"}),
    "google": ("/v1beta/models/gemini-3.8-flash:countTokens", {"totalTokens": 321}),
}


@pytest.mark.parametrize("name", COUNTED)
def test_a_prompt_is_counted_by_the_service(name: str) -> None:
    path, answer = COUNTED[name]
    found, replay = play(name, (200, answer), "count_tokens")
    assert found == 321
    assert [s.path for s in replay.seen] == [path]
    assert "You play Connect 4." in replay.seen[0].text and "Your move." in replay.seen[0].text
    assert not {"max_tokens", "max_output_tokens", "service_tier", "store"} & set(replay.seen[0].body)


@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize("body", ["", "{}", "[]", '{"input_tokens": "9", "totalTokens": true}'], ids=repr)
def test_a_count_that_is_none_is_an_error(name: str, body: str) -> None:
    error, replay = play(name, (200, body), "count_tokens")
    assert (type(error), error.kind) == (Retryable, "protocol")
    assert len(replay.seen) == 1


@pytest.mark.parametrize("name", COUNTED)
def test_counting_fails_as_a_call_does(name: str) -> None:
    error, replay = play(name, (401, {"error": {"message": "no"}}), "count_tokens")
    assert (type(error), error.kind, len(replay.seen)) == (Final, "auth", 1)
    error, _ = play(name, (200, "{}"), "count_tokens", fault="cut")
    assert (type(error), error.kind) == (Retryable, "connection")


@pytest.mark.parametrize(("name", "model"), [("openai", "gpt-6-luna"), ("google", "gemini-decision-1")])
def test_the_choices_of_a_decision_count(name: str, model: str) -> None:
    ask = {"model": model, "mode": "decision", "choices": ((1, "castles"), (2, "takes"))}
    found, replay = play(name, (200, COUNTED[name][1]), "count_tokens", ask=ask)
    assert found == 321
    assert "castles" in replay.seen[0].text


# --- flex


@pytest.mark.parametrize(("name", "field"), [("openai", "service_tier"), ("google", "serviceTier")])
def test_the_flex_tier_reaches_the_wire(name: str, field: str) -> None:
    case = "flex" if name == "openai" else "answer"
    about = {"headers": {"x-gemini-service-tier": "FLEX"}}
    reply, replay = play(name, (200, wire(name)[case]), ask={"tier": "flex"}, **about)
    assert replay.seen[0].body[field] == "flex"
    assert reply.usage.tier == "flex"
