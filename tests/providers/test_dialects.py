"""What is asked of each vendor, word for word, and the corners of what comes back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

import providers
from providers.base import Final, Message, Reply, Request, Usage
from tests.providers.replay import replaying, wire

SCHEMA = {"type": "object", "properties": {"action": {"type": "integer", "enum": [0, 1]}}}
REQUEST = Request(
    model="",
    system="You play.",
    messages=(Message("user", "one"), Message("assistant", "two"), Message("user", "three")),
    schema=SCHEMA,
    effort="low",
    max_output_tokens=900,
    cache_key="duel-1",
)


def ask(name: str, model: str, case: str = "answer", **changes: Any) -> tuple[Any, Reply]:
    """The body that was sent and the reply to it."""

    async def main() -> tuple[Any, Reply]:
        async with replaying((200, wire(name)[case])) as replay:
            provider = providers.create(name, base_url=replay.url)
            reply = await provider.complete(replace(REQUEST, model=model, **changes))
            await provider.aclose()
            return replay.seen[0].body, reply

    return asyncio.run(main())


def test_anthropic_is_asked() -> None:
    body, _ = ask("anthropic", "claude-sonnet-5-5")
    assert body == {
        "model": "claude-sonnet-5-5",
        "max_tokens": 900,
        "system": [{"type": "text", "text": "You play.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": "three"},
        ],
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
        "service_tier": "standard_only",
    }


def test_openai_is_asked() -> None:
    body, _ = ask("openai", "gpt-6-luna")
    assert body == {
        "model": "gpt-6-luna",
        "instructions": "You play.",
        "input": [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": "three"},
        ],
        "max_output_tokens": 900,
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "json_schema", "name": "answer", "strict": True, "schema": SCHEMA}},
        "prompt_cache_key": "duel-1",
        "service_tier": "default",
        "store": False,
    }


def test_google_is_asked() -> None:
    body, _ = ask("google", "gemini-3.8-flash")
    config = body.pop("generationConfig")
    thinking = config.pop("thinkingConfig")
    assert [(turn["role"], turn["parts"]) for turn in body["contents"]] == [
        ("user", [{"text": "one"}]),
        ("model", [{"text": "two"}]),
        ("user", [{"text": "three"}]),
    ]
    assert body["systemInstruction"]["parts"] == [{"text": "You play."}]
    assert config == {
        "maxOutputTokens": 900,
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    }
    assert sorted(map(str, thinking.values())) == ["LOW", "True"]  # the SDK writes the keys as it pleases


def test_local_is_asked() -> None:
    body, _ = ask("local", "qwen3:8b")
    assert body == {
        "model": "qwen3:8b",
        "messages": [
            {"role": "system", "content": "You play."},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": "three"},
        ],
        "max_tokens": 900,
        "reasoning_effort": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
        },
    }


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("anthropic", "claude-sonnet-5-5"),
        ("openai", "gpt-6-luna"),
        ("google", "gemini-3.8-flash"),
        ("local", "m"),
    ],
)
def test_no_system_prompt_is_no_empty_one(name: str, model: str) -> None:
    body, _ = ask(name, model, system="")
    assert not {"system", "instructions", "systemInstruction"} & set(body)
    assert "system" not in str(body)


@pytest.mark.parametrize(
    ("effort", "thinking", "said"),
    [
        ("none", "disabled", None),
        ("low", "adaptive", "low"),
        ("medium", "adaptive", "medium"),
        ("max", "adaptive", "max"),
    ],
)
def test_efforts_of_anthropic(effort: Any, thinking: str, said: str | None) -> None:
    body, _ = ask("anthropic", "claude-sonnet-5-5", effort=effort)
    assert (body["thinking"]["type"], body["output_config"].get("effort")) == (thinking, said)


def test_an_effort_of_none_asks_openai_for_no_summary() -> None:
    body, _ = ask("openai", "gpt-6-luna", effort="none")
    assert body["reasoning"] == {"effort": "none"}


@pytest.mark.parametrize(
    ("model", "effort", "values"),
    [
        ("gemini-3.8-flash", "minimal", ["MINIMAL", "True"]),
        ("gemini-4-argon", "xhigh", ["True", "XHIGH"]),
        ("gemini-2.5-pro", "low", ["1024", "True"]),
        ("models/gemini-2.5-flash", "none", ["0", "False"]),
    ],
)
def test_efforts_of_google(model: str, effort: Any, values: list[str]) -> None:
    body, _ = ask("google", model, effort=effort)
    assert sorted(map(str, body["generationConfig"]["thinkingConfig"].values())) == values


@pytest.mark.parametrize(
    ("name", "model", "effort", "words"),
    [
        ("anthropic", "claude-sonnet-5-5", "minimal", "none, low, medium, high, xhigh, max"),
        ("anthropic", "claude-opus-4-6", "xhigh", "none, low, medium, high, max"),
        ("google", "gemini-3.8-flash", "none", "minimal, low, medium, high, xhigh"),
        ("google", "gemini-4-argon", "max", "minimal, low, medium, high, xhigh"),
        ("google", "gemini-2.5-pro", "none", "minimal, low, medium, high, xhigh"),
        ("openai", "gpt-5-mini", "none", "minimal, low, medium, high"),
        ("openai", "gpt-5.4", "max", "none, low, medium, high, xhigh"),
        ("litellm", "anthropic/claude-sonnet-5-5", "minimal", "none, low, medium, high, xhigh, max"),
        ("litellm", "openai/responses/gpt-5-mini", "max", "minimal, low, medium, high"),
    ],
)
def test_an_effort_that_a_model_lacks_is_refused_with_those_it_has(
    name: str, model: str, effort: Any, words: str
) -> None:
    provider = providers._module(name).create()
    asked = replace(REQUEST, model=model, effort=effort, mode="text")
    able = provider.capabilities(model)
    assert able.effort and ", ".join(able.efforts) == words
    with pytest.raises(Final, match=f"effort '{effort}' .it has {words}.") as caught:
        asyncio.run(provider.complete(asked))
    assert caught.value.kind == "bad_request"


def test_what_thinks_at_no_bidding_has_no_efforts() -> None:
    for name, model in (("anthropic", "claude-haiku-4-5"), ("openai", "gpt-4.1"), ("google", "gemini-2.0-x")):
        able = providers.create(name).capabilities(model)
        assert (able.efforts, able.effort, able.reasoning) == ((), False, "none")


def test_a_tier_is_asked_for_and_the_one_served_is_reported() -> None:
    body, reply = ask("openai", "gpt-6-luna", "flex", tier="flex")
    assert (body["service_tier"], reply.usage.tier) == ("flex", "flex")
    body, reply = ask("openai", "gpt-6-luna", "answer", tier="flex")
    assert reply.usage.tier == "standard"  # not served as asked
    body, reply = ask("google", "gemini-3.8-flash", tier="flex")
    assert "flex" in str(body).lower() and reply.usage.tier == "flex"


def test_sampling_of_older_openai_models() -> None:
    body, _ = ask("openai", "gpt-4.1", effort=None, temperature=0.0)
    assert body["temperature"] == 0.0 and "reasoning" not in body


def test_thinking_that_is_withheld_is_no_reasoning() -> None:
    _, reply = ask("anthropic", "claude-sonnet-5-5", "hidden")
    assert (reply.reasoning, reply.reasoning_kind) == ("", "none")
    assert reply.usage.reasoning == 256


def test_cache_writes_of_one_sum_are_short() -> None:
    _, reply = ask("anthropic", "claude-sonnet-5-5", "old_writes")
    assert reply.usage == Usage(input_fresh=10, cache_write_short=300, output=5)


def test_a_blocked_prompt_is_counted() -> None:
    _, reply = ask("google", "gemini-3.8-flash", "refusal")
    assert (reply.text, reply.usage.input) == ("", 40)
