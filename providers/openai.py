"""GPT, over the Responses API.

`store` is false: nothing of a duel stays at the service. The thinking's text is asked for as a summary when
an effort is given; raw thoughts never come. A 200 is not yet an answer: `status` says failed or incomplete.
The seed does not exist here and is refused, and reasoning models take no temperature.
Source: the Responses API as openai 3.51 declares it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from providers import wire
from providers.base import (
    EFFORTS,
    Capabilities,
    Effort,
    Final,
    Finish,
    Reply,
    Request,
    Retryable,
    Usage,
    redact,
)

if TYPE_CHECKING:
    from openai import AsyncOpenAI

SERVICE = wire.Service(
    name="openai",
    sdk="openai",
    url="https://api.openai.com/v1",
    url_variable="OPENAI_BASE_URL",
    key_variables=("OPENAI_API_KEY",),
)
TIERS = {"standard": "default", "flex": "flex", "priority": "priority"}
_OUR_TIER = {word: tier for tier, word in TIERS.items()}
_INCOMPLETE: Mapping[str, Finish] = {
    "max_output_tokens": "length",
    "content_filter": "filtered",
    "": "length",  # other servers of this format give no reason
}
_FAILED_RETRY: Mapping[str, Any] = {"server_error": "server", "rate_limit_exceeded": "rate_limit"}
_FAILED_POLICY = frozenset({"invalid_prompt", "bio_policy", "misalignment_policy_violation"})
_NO_REASONING = re.compile(r"(chatgpt|gpt-(3|4)|ft:gpt-(3|4)|.*-chat-latest)")
_EFFORTS: tuple[tuple[re.Pattern[str], tuple[Effort, ...]], ...] = (  # what is newer has every word
    (_NO_REASONING, ()),
    (re.compile(r"(ft:)?o\d"), ("low", "medium", "high")),
    (re.compile(r"(ft:)?gpt-5(-|$)"), ("minimal", "low", "medium", "high")),
    (re.compile(r"(ft:)?gpt-5\.1"), ("none", "low", "medium", "high")),
    (re.compile(r"(ft:)?gpt-5\.[2-5]"), ("none", "low", "medium", "high", "xhigh")),
)


def efforts(model: str) -> tuple[Effort, ...]:
    """The words that a model knows."""
    return next((words for pattern, words in _EFFORTS if pattern.match(model)), EFFORTS)


def create(**options: str) -> GPT:
    base_url = options.pop("base_url", "")
    wire.no_options("openai", options)
    return GPT(base_url)


class GPT:
    name = "openai"

    def __init__(self, base_url: str = "") -> None:
        self._base_url = wire.with_v1(SERVICE.base_url(base_url))
        self._client: AsyncOpenAI | None = None

    def capabilities(self, model: str) -> Capabilities:
        words = efforts(model)
        return Capabilities(
            temperature=not words,
            efforts=words,
            reasoning="summary" if words else "none",
            tiers=tuple(TIERS),
        )

    async def complete(self, request: Request) -> Reply:
        wire.check(self.name, request, self.capabilities(request.model))
        client, body = self._open(), _body(request)
        import aiohttp
        import openai

        started = time.perf_counter()
        try:
            async with asyncio.timeout(request.timeout_s):
                raw = await client.responses.with_raw_response.create(**body, timeout=request.timeout_s)
        except openai.APIStatusError as error:
            answer = error.response
            sent = error.request.content.decode()
            raise wire.refused(self.name, answer.status_code, answer.text, answer.headers, sent) from None
        except (TimeoutError, openai.APIConnectionError, aiohttp.ClientError) as error:
            sent = wire.dumps(body)
            raise wire.unanswered(self.name, self._base_url, error, request.timeout_s, sent) from None
        except ValueError as error:
            raise wire.unsendable(self.name, error, wire.dumps(body)) from None
        latency_s = time.perf_counter() - started
        sent, text = raw.http_request.content.decode(), redact(raw.text)
        reply = wire.read(_reply, text, self.name, sent)
        return replace(
            reply,
            request_id=redact(raw.headers.get("x-request-id", "")),
            raw_request=sent,
            raw_response=text,
            latency_s=latency_s,
        )

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _open(self) -> AsyncOpenAI:
        if self._client is None:
            from openai import AsyncOpenAI, DefaultAioHttpClient

            at = SERVICE.endpoint(self._base_url)
            self._client = AsyncOpenAI(
                api_key=at.key,
                base_url=at.base_url,
                max_retries=0,
                http_client=DefaultAioHttpClient(follow_redirects=False),
            )
        return self._client


def _body(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": request.model,
        "input": [{"role": m.role, "content": m.content} for m in request.messages],
        "store": False,
        "max_output_tokens": request.max_output_tokens,
        "service_tier": TIERS[request.tier],
    }
    if request.system:
        body["instructions"] = request.system
    if request.effort == "none":
        body["reasoning"] = {"effort": "none"}
    elif request.effort is not None:
        body["reasoning"] = {"effort": request.effort, "summary": "auto"}
    if request.mode == "json" and request.schema is not None:
        form = {"type": "json_schema", "name": "answer", "strict": True, "schema": request.schema}
        body["text"] = {"format": form}
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.cache_key is not None:
        body["prompt_cache_key"] = request.cache_key
    return body


def _reply(answer: Any) -> Reply:
    items = answer["output"]
    parts = [p for item in items if item["type"] == "message" for p in item["content"]]
    said = "".join(p["text"] for p in parts if p["type"] == "output_text")
    refusal = "".join(p["refusal"] for p in parts if p["type"] == "refusal")
    thoughts = "\n\n".join(
        s["text"] for item in items if item["type"] == "reasoning" for s in item["summary"]
    )
    finish, detail = _finish(answer, refusal)
    return Reply(
        text=said or refusal,
        usage=_usage(answer.get("usage") or {}, answer.get("service_tier")),
        finish=finish,
        finish_detail=detail,
        reasoning=thoughts,
        reasoning_kind="summary" if thoughts else "none",
        model=answer["model"],
    )


def _finish(answer: Mapping[str, Any], refusal: str) -> tuple[Finish, str]:
    status = answer["status"]
    if status == "failed":
        return _failed(answer.get("error") or {})
    if refusal:
        return "refusal", "refusal"
    if status == "incomplete":
        reason = (answer.get("incomplete_details") or {}).get("reason") or ""
        return _INCOMPLETE.get(reason, "other"), f"incomplete:{reason}"
    return ("stop", status) if status == "completed" else ("other", status)


def _failed(error: Mapping[str, Any]) -> tuple[Finish, str]:
    """A failed response: a policy's refusal is an answer, trouble at the service is not."""
    code, message = error.get("code") or "", f"openai failed: {error.get('code')}: {error.get('message')}"
    if code in _FAILED_POLICY:
        return "filtered", f"failed:{code}"
    if code in _FAILED_RETRY or not code:
        raise Retryable(_FAILED_RETRY.get(code, "server"), message, status=200, possibly_billed=True)
    raise Final("bad_request", message, status=200)


def _usage(used: Mapping[str, Any], tier: str | None) -> Usage:
    """`input_tokens` includes what was read from and written to the cache."""
    details = used.get("input_tokens_details") or {}
    read, written = wire.count(details.get("cached_tokens")), wire.count(details.get("cache_write_tokens"))
    long = wire.count((details.get("cache_write_tokens_details") or {}).get("ttl_12h_tokens"))
    return Usage(
        input_fresh=max(0, wire.count(used.get("input_tokens")) - read - written),
        cache_read=read,
        cache_write_short=written - long,
        cache_write_long=long,
        output=wire.count(used.get("output_tokens")),
        reasoning=wire.count((used.get("output_tokens_details") or {}).get("reasoning_tokens")),
        tier=_OUR_TIER.get(tier or "default", tier or "standard"),
    )
