"""Golden invoices: what a service answered, and what it bills for that, to the pico-dollar.

Each case is an answer in the form that the vendor declares and a sum that was worked out by hand from the
vendor's prices of 20 November 2026. One dollar per million tokens is 1 000 000 pico-dollars per token. No
number of a bill comes from the code.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest

import providers
from providers.base import Message, ProviderError, Reply, Request, Retryable
from providers.prices import PriceBook, cost, most
from tests.providers.replay import replaying

THEN = date(2026, 11, 20)
ID = "r1-m1-1.1.1"


@dataclass(frozen=True)
class Invoice:
    """`answers` come in turn; `bill` are the terms, tokens times pico-dollars per token, and `total` their sum."""

    what: str
    model: str
    answers: list[tuple[int, Any]]
    bill: tuple[int, ...]
    total: int
    asked: dict[str, Any] = field(default_factory=dict)
    fault: str = ""

    def request(self) -> Request:
        asked: dict[str, Any] = {"timeout_s": 10.0, **self.asked}
        return Request(
            model=self.model,
            system="Rules.",  # 6 bytes
            messages=(Message("user", "Your move."),),  # 10 bytes: 16 in all, 8 tokens at the very most
            max_output_tokens=100,
            **asked,
        )


def claude(stop: str = "end_turn", **usage: Any) -> dict[str, Any]:
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "text", "text": '{"action": 3}'}],
        "stop_reason": stop,
        "usage": usage,
    }


def gpt(
    used: dict[str, Any] | None, tier: str = "default", status: str = "completed", **more: Any
) -> dict[str, Any]:
    said = {"type": "output_text", "text": '{"action": 3}', "annotations": []}
    return {
        "id": "resp_01",
        "object": "response",
        "status": status,
        "model": "gpt",
        "output": [{"type": "message", "role": "assistant", "content": [said]}],
        "service_tier": tier,
        "usage": used,
        **more,
    }


def gemini(**used: int) -> dict[str, Any]:
    parts = [{"text": "hm", "thought": True}, {"text": '{"action": 3}'}]
    return {
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}],
        "usageMetadata": used,
        "modelVersion": "gemini",
    }


CLAUDE_CACHED = {
    "input_tokens": 212,
    "cache_read_input_tokens": 1536,
    "cache_creation_input_tokens": 0,
    "output_tokens": 384,
    "output_tokens_details": {"thinking_tokens": 256},
    "service_tier": "standard",
}
GPT_CACHED = {
    "input_tokens": 2048,
    "input_tokens_details": {
        "cached_tokens": 1536,
        "cache_write_tokens": 300,
        "cache_write_tokens_details": {"ttl_30m_tokens": 200, "ttl_12h_tokens": 100},
    },
    "output_tokens": 384,
    "output_tokens_details": {"reasoning_tokens": 256},
    "total_tokens": 2432,
}
GEMINI_CACHED = {
    "promptTokenCount": 1748,
    "cachedContentTokenCount": 1536,
    "candidatesTokenCount": 128,
    "thoughtsTokenCount": 256,
    "totalTokenCount": 2132,
}
BATCH = {"tier": "batch"}
DECISION = {"mode": "decision", "choices": ((1, "1"), (2, "2"))}

ANTHROPIC = [
    Invoice(  # fresh 2, read 0.1, answer with its thinking 10 dollars per million
        "read from a cache, with thinking",
        "claude-sonnet-5-5",
        [(200, claude(**CLAUDE_CACHED))],
        (212 * 2_000_000, 1536 * 100_000, 384 * 10_000_000),
        4_417_600_000,
    ),
    Invoice(  # for five minutes 2.5, for an hour 4
        "written to a cache for five minutes and for an hour",
        "claude-sonnet-5-5",
        [
            (
                200,
                claude(
                    input_tokens=100,
                    cache_creation_input_tokens=500,
                    cache_creation={"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 300},
                    output_tokens=10,
                ),
            )
        ],
        (100 * 2_000_000, 200 * 2_500_000, 300 * 4_000_000, 10 * 10_000_000),
        2_000_000_000,
    ),
    Invoice(
        "up to the long-context step",
        "claude-haiku-5-5",
        [(200, claude(input_tokens=100_000, output_tokens=2))],
        (100_000 * 100_000, 2 * 500_000),
        10_001_000_000,
    ),
    Invoice(
        "one token beyond it: five times as much, the answer too",
        "claude-haiku-5-5",
        [(200, claude(input_tokens=1, cache_read_input_tokens=100_000, output_tokens=2))],
        (1 * 500_000, 100_000 * 50_000, 2 * 2_500_000),
        5_005_500_000,
    ),
    Invoice(
        "a refusal is billed",
        "claude-sonnet-5-5",
        [(200, claude("refusal", input_tokens=40, output_tokens=1))],
        (40 * 2_000_000, 1 * 10_000_000),
        90_000_000,
    ),
    Invoice(  # half of every rate
        "in a batch",
        "claude-sonnet-5-5",
        [
            (
                200,
                {
                    "custom_id": "r1-m1-1_d1_d1",
                    "result": {"type": "succeeded", "message": claude(**CLAUDE_CACHED)},
                },
            )
        ],
        (212 * 1_000_000, 1536 * 50_000, 384 * 5_000_000),
        2_208_800_000,
        BATCH,
    ),
    Invoice(
        "a part of a batch that it expired before",
        "claude-sonnet-5-5",
        [(200, {"custom_id": "r1-m1-1_d1_d1", "result": {"type": "expired"}})],
        (),
        0,
        BATCH,
    ),
    Invoice(
        "turned away as invalid",
        "claude-sonnet-5-5",
        [(400, {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}})],
        (),
        0,
    ),
    Invoice(
        "turned away as busy", "claude-sonnet-5-5", [(529, {"error": {"type": "overloaded_error"}})], (), 0
    ),
    Invoice(  # at worst: 8 tokens written for an hour, 100 answered
        "timed out",
        "claude-sonnet-5-5",
        [(200, "{}")],
        (8 * 4_000_000, 100 * 10_000_000),
        1_032_000_000,
        {"timeout_s": 0.2},
        "hang",
    ),
]

OPENAI = [
    Invoice(  # fresh 2, read 0.1, written for half an hour 2.5, for half a day 5, answer 10
        "read from and written to a cache, with reasoning",
        "gpt-6.1-sol",
        [(200, gpt(GPT_CACHED))],
        (
            212 * 2_000_000,
            1536 * 100_000,
            200 * 2_500_000,
            100 * 5_000_000,
            384 * 10_000_000,
        ),
        5_417_600_000,
    ),
    Invoice(  # beyond 272 000 tokens: fresh 4, read 0.2, answer 15
        "a long context, most of it cached",
        "gpt-6.1-sol",
        [
            (
                200,
                gpt(
                    {
                        "input_tokens": 300_000,
                        "input_tokens_details": {"cached_tokens": 299_000},
                        "output_tokens": 10,
                    }
                ),
            )
        ],
        (1_000 * 4_000_000, 299_000 * 200_000, 10 * 15_000_000),
        63_950_000_000,
    ),
    Invoice(
        "flex, half of every rate",
        "gpt-6.1-sol",
        [(200, gpt({"input_tokens": 1000, "output_tokens": 1000}, "flex"))],
        (1_000 * 1_000_000, 1_000 * 5_000_000),
        6_000_000_000,
        {"tier": "flex"},
    ),
    Invoice(
        "flex asked for, but the standard served",
        "gpt-6.1-sol",
        [(200, gpt({"input_tokens": 1000, "output_tokens": 1000}, "default"))],
        (1_000 * 2_000_000, 1_000 * 10_000_000),
        12_000_000_000,
        {"tier": "flex"},
    ),
    Invoice(  # no factor gives this model's cached rate in a batch: 0.13 for 0.25
        "in a batch, at rates of its own",
        "gpt-5.4",
        [
            (200, {"status": "completed", "output_file_id": "file-out"}),
            (
                200,
                {
                    "custom_id": ID,
                    "response": {
                        "status_code": 200,
                        "body": gpt(
                            {
                                "input_tokens": 1748,
                                "input_tokens_details": {"cached_tokens": 1536},
                                "output_tokens": 384,
                            }
                        ),
                    },
                },
            ),
        ],
        (212 * 1_250_000, 1536 * 130_000, 384 * 7_500_000),
        3_344_680_000,
        BATCH,
    ),
    Invoice(
        "a part of a batch that failed",
        "gpt-6.1-sol",
        [
            (200, {"status": "completed", "error_file_id": "file-err"}),
            (
                200,
                {"custom_id": ID, "response": {"status_code": 500, "body": {"error": {"message": "oops"}}}},
            ),
        ],
        (),
        0,
        BATCH,
    ),
    Invoice(  # fresh 0.1, read 0.01, written 0.125, and the 7 tokens of the answer for nothing
        "a decision",
        "gpt-6-luna",
        [
            (
                200,
                {
                    "model": "gpt-6-luna",
                    "answers": [
                        {
                            "type": "choice",
                            "choice": "2",
                            "confidence": 1,
                            "probabilities": [{"value": "2", "probability": 1}],
                        }
                    ],
                    "usage": {
                        "input_tokens": 1000,
                        "input_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 100},
                        "output_tokens": 7,
                    },
                },
            )
        ],
        (300 * 100_000, 600 * 10_000, 100 * 125_000, 7 * 0),
        48_500_000,
        DECISION,
    ),
    Invoice(
        "a decision declined",
        "gpt-6-luna",
        [
            (
                200,
                {
                    "model": "m",
                    "answers": [{"type": "refusal"}],
                    "usage": {"input_tokens": 1000, "output_tokens": 3},
                },
            )
        ],
        (1000 * 100_000,),
        100_000_000,
        DECISION,
    ),
    Invoice(
        "cut off at its limit",
        "gpt-6-luna",
        [
            (
                200,
                gpt(
                    {"input_tokens": 50, "output_tokens": 100},
                    status="incomplete",
                    incomplete_details={"reason": "max_output_tokens"},
                ),
            )
        ],
        (50 * 100_000, 100 * 500_000),
        55_000_000,
    ),
    Invoice(  # at worst: 8 tokens written for half a day, 100 answered
        "failed within a 200, so perhaps billed",
        "gpt-6.1-sol",
        [(200, gpt(None, status="failed", error={"code": "server_error", "message": "oops"}))],
        (8 * 5_000_000, 100 * 10_000_000),
        1_040_000_000,
    ),
    Invoice("turned away as too much", "gpt-6.1-sol", [(429, {"error": {"message": "slow down"}})], (), 0),
    Invoice(  # at worst: 8 tokens written in a decision, and nothing answered
        "a decision timed out",
        "gpt-6-luna",
        [(200, "{}")],
        (8 * 125_000, 100 * 0),
        1_000_000,
        {**DECISION, "timeout_s": 0.2},
        "hang",
    ),
]

GOOGLE = [
    Invoice(  # fresh 0.75, read 0.075, answer and thoughts 3.75
        "read from a cache, with thoughts beside the answer",
        "gemini-3.8-flash",
        [(200, gemini(**GEMINI_CACHED))],
        (212 * 750_000, 1536 * 75_000, (128 + 256) * 3_750_000),
        1_714_200_000,
    ),
    Invoice(
        "flex, half of every rate",
        "gemini-3.8-flash",
        [(200, gemini(**GEMINI_CACHED))],
        (212 * 375_000, 1536 * 37_500, 384 * 1_875_000),
        857_100_000,
        {"tier": "flex"},
    ),
    Invoice(  # the cached rate is that of a single call
        "flex, at rates of its own",
        "gemini-2.5-pro",
        [(200, gemini(**GEMINI_CACHED))],
        (212 * 625_000, 1536 * 125_000, 384 * 5_000_000),
        2_244_500_000,
        {"tier": "flex"},
    ),
    Invoice(
        "in a batch",
        "gemini-3.8-flash",
        [
            (
                200,
                {
                    "name": "batches/b1",
                    "done": True,
                    "metadata": {
                        "state": "BATCH_STATE_SUCCEEDED",
                        "output": {
                            "inlinedResponses": {
                                "inlinedResponses": [
                                    {"metadata": {"key": ID}, "response": gemini(**GEMINI_CACHED)}
                                ]
                            }
                        },
                    },
                },
            )
        ],
        (212 * 375_000, 1536 * 37_500, 384 * 1_875_000),
        857_100_000,
        BATCH,
    ),
    Invoice(  # beyond 200 000 tokens: 4 and 18
        "a long context",
        "gemini-3.1-pro-preview",
        [(200, gemini(promptTokenCount=200_001, candidatesTokenCount=10))],
        (200_001 * 4_000_000, 10 * 18_000_000),
        800_184_000_000,
    ),
    Invoice(
        "blocked, and billed for the prompt",
        "gemini-3.8-flash",
        [(200, {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 40}})],
        (40 * 750_000,),
        30_000_000,
    ),
    Invoice(
        "a decision",
        "gemini-decision-1",
        [
            (
                200,
                {
                    "answers": {
                        "answer": {
                            "type": "choice",
                            "choice": "2",
                            "confidence": 1,
                            "probabilities": {"2": 1},
                        }
                    },
                    "usage": {"total_input_tokens": 1000, "total_output_tokens": 0},
                },
            )
        ],
        (1000 * 100_000,),
        100_000_000,
        DECISION,
    ),
    Invoice(
        "turned away at the door",
        "gemini-3.8-flash",
        [(503, {"error": {"code": 503, "message": "busy"}})],
        (),
        0,
    ),
    Invoice(  # at worst: 8 tokens, 100 answered
        "timed out",
        "gemini-3.8-flash",
        [(200, "{}")],
        (8 * 750_000, 100 * 3_750_000),
        381_000_000,
        {"timeout_s": 0.2},
        "hang",
    ),
]
ALL = [
    *(("anthropic", invoice) for invoice in ANTHROPIC),
    *(("openai", invoice) for invoice in OPENAI),
    *(("google", invoice) for invoice in GOOGLE),
    (
        "local",
        Invoice(
            "at home",
            "qwen3:8b",
            [(200, {"choices": [{"message": {"content": "3"}, "finish_reason": "stop"}]})],
            (),
            0,
        ),
    ),
]


async def outcome(name: str, invoice: Invoice) -> Reply | ProviderError:
    about = {"fault": invoice.fault} if invoice.fault else {}
    async with replaying(*invoice.answers, **about) as replay:
        provider: Any = providers.create(name, base_url=replay.url)
        try:
            if invoice.request().tier == "batch":
                return {id_: part async for id_, part in provider.results("batches/b1")}[ID]
            return await provider.complete(invoice.request())
        except ProviderError as error:
            return error
        finally:
            await provider.aclose()


def billed(name: str, invoice: Invoice, found: Reply | ProviderError) -> int:
    """As a ledger does: an answer by its usage, one that may have been billed at the most that it can have cost."""
    request, book = invoice.request(), PriceBook.load()
    tier = "decision" if request.mode == "decision" else request.tier
    price = book.price(name, request.model, found.usage.tier if isinstance(found, Reply) else tier, THEN)
    assert price is not None
    if isinstance(found, Reply):
        return cost(price, found.usage)
    perhaps = isinstance(found, Retryable) and found.possibly_billed
    return most(price, 16, request.max_output_tokens) if perhaps else 0


@pytest.mark.parametrize(("name", "invoice"), ALL, ids=lambda v: v.what if isinstance(v, Invoice) else v)
def test_the_bill_to_the_digit(name: str, invoice: Invoice, monkeypatch: pytest.MonkeyPatch) -> None:
    for vendor in ("ANTHROPIC", "OPENAI", "GEMINI"):
        monkeypatch.setenv(f"{vendor}_API_KEY", "sk-planted-0123456789abcdef")
    found = asyncio.run(outcome(name, invoice))
    assert billed(name, invoice, found) == invoice.total == sum(invoice.bill), found
