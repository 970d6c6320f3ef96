"""Gemini, over google-genai's generate_content.

The SDK has three ways of its own to send a request twice, all shut here: its retries (attempts=1, which also
shuts the hidden second try after a cut), automatic function calling, and automatic continuation. It is handed
our aiohttp session, so that the exact bodies can be kept and a close is a close; it reports a time-out and a
cut as bare asyncio and aiohttp errors. Thoughts are counted beside the candidates, not in them.
Source: the Gemini API (v1beta) as google-genai 3.3 speaks it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from providers import wire
from providers.base import Capabilities, Effort, Finish, Message, Reply, Request, Retryable, Usage, redact

if TYPE_CHECKING:
    import aiohttp
    from google.genai import Client
    from google.genai.types import GenerateContentConfigDict

SERVICE = wire.Service(
    name="google",
    sdk="google.genai",
    url="https://generativelanguage.googleapis.com",
    url_variable="GOOGLE_GEMINI_BASE_URL",
    key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
)
TIERS = ("standard", "flex", "priority")
_FINISH: Mapping[str, Finish] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "ESCALATION"),
        "filtered",
    ),
}
_SERVICE_FAULT = frozenset({"OTHER", "MALFORMED_RESPONSE", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"})
_BUDGET: Mapping[Effort, int] = {
    "none": 0,
    "minimal": 512,
    "low": 1024,
    "medium": 8192,
    "high": 16384,
    "xhigh": 24576,  # the most that Gemini 2.5 Flash takes
}
_LEVELS: tuple[Effort, ...] = ("minimal", "low", "medium", "high", "xhigh")
_EFFORTS: tuple[tuple[re.Pattern[str], tuple[Effort, ...]], ...] = (  # what is newer has every level
    (re.compile(r"gemini-1|gemini-2\.0|gemma"), ()),
    (re.compile(r"gemini-2\.5-pro"), tuple(word for word in _BUDGET if word != "none")),
    (re.compile(r"gemini-2"), tuple(_BUDGET)),
    (re.compile(r"gemini-3(\.1)?-pro"), ("low", "medium", "high")),
    (re.compile(r"gemini-3(\.1)?-"), _LEVELS[:-1]),
)


@dataclass(slots=True)
class _Exchange:
    """What went over the wire in the running attempt."""

    sent: str = ""
    answer: aiohttp.ClientResponse | None = None


_exchange: ContextVar[_Exchange] = ContextVar("_exchange")


def efforts(model: str) -> tuple[Effort, ...]:
    """The words that a model knows: levels, or budgets of ours before them. Gemini 3 cannot stop thinking."""
    return next((words for pattern, words in _EFFORTS if pattern.match(_name(model))), _LEVELS)


def create(**options: str) -> Gemini:
    base_url = options.pop("base_url", "")
    wire.no_options("google", options)
    return Gemini(base_url)


class Gemini:
    name = "google"

    def __init__(self, base_url: str = "") -> None:
        self._base_url = SERVICE.base_url(base_url).removesuffix("/v1beta")
        self._session: aiohttp.ClientSession | None = None
        self._client: Client | None = None

    def capabilities(self, model: str) -> Capabilities:
        words = efforts(model)
        return Capabilities(seed=True, efforts=words, reasoning="summary" if words else "none", tiers=TIERS)

    async def complete(self, request: Request) -> Reply:
        wire.check(self.name, request, self.capabilities(request.model))
        client, seen = self._open(), _Exchange()
        import aiohttp
        from google.genai import errors

        _exchange.set(seen)
        started = time.perf_counter()
        try:
            async with asyncio.timeout(request.timeout_s):
                raw = await client.aio.models.generate_content(
                    model=request.model,
                    contents=[_turn(m) for m in request.messages],
                    config=cast("GenerateContentConfigDict", _config(request)),
                )
        except (TimeoutError, aiohttp.ClientError) as error:
            sent = seen.sent or wire.dumps(_config(request))
            raise wire.unanswered(self.name, self._base_url, error, request.timeout_s, sent) from None
        except (errors.APIError, ValueError, RecursionError) as error:
            if seen.answer is None:
                raise wire.unsendable(self.name, error, wire.dumps(_config(request))) from None
            raise await _refused(seen) from None
        latency_s = time.perf_counter() - started
        http = raw.sdk_http_response
        assert http is not None, "asked for with should_return_http_response"
        text = redact(http.body or "")
        reply = wire.read(_reply, text, self.name, seen.sent)
        tier = redact((http.headers or {}).get("x-gemini-service-tier") or request.tier)
        return replace(
            reply,
            usage=replace(reply.usage, tier=tier.lower()),
            raw_request=seen.sent,
            raw_response=text,
            latency_s=latency_s,
        )

    async def aclose(self) -> None:
        session, self._session, self._client = self._session, None, None
        if session is not None:
            await session.close()

    def _open(self) -> Client:
        if self._client is None:
            import aiohttp
            from google import genai
            from google.genai.types import HttpOptions, HttpRetryOptions

            at = SERVICE.endpoint(self._base_url)
            trace = aiohttp.TraceConfig()
            trace.on_request_chunk_sent.append(_note_request)
            trace.on_request_end.append(_note_answer)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), trust_env=True, trace_configs=[trace]
            )
            self._client = genai.Client(
                vertexai=False,
                api_key=at.key,
                http_options=HttpOptions(
                    base_url=at.base_url,
                    api_version="v1beta",
                    aiohttp_client=self._session,
                    retry_options=HttpRetryOptions(attempts=1),
                    async_client_args={"allow_redirects": False},
                ),
            )
        return self._client


async def _note_request(_: object, __: SimpleNamespace, sent: aiohttp.TraceRequestChunkSentParams) -> None:
    _exchange.get().sent += sent.chunk.decode()


async def _note_answer(_: object, __: SimpleNamespace, end: aiohttp.TraceRequestEndParams) -> None:
    _exchange.get().answer = end.response


async def _refused(seen: _Exchange) -> Exception:
    """The error that the answer's status stands for. Its body was read by the SDK and is kept by aiohttp."""
    assert seen.answer is not None, "what never left is not refused"
    body = await seen.answer.text(errors="replace")
    if seen.answer.status == 200:  # the SDK itself could not read it
        return wire.garbled("google", "not UTF-8, no JSON, or too deep", seen.sent, body)
    return wire.refused("google", seen.answer.status, body, seen.answer.headers, seen.sent)


def _name(model: str) -> str:
    return model.removeprefix("models/")


def _turn(message: Message) -> dict[str, Any]:
    return {"role": "user" if message.role == "user" else "model", "parts": [{"text": message.content}]}


def _config(request: Request) -> dict[str, Any]:
    config: dict[str, Any] = {
        "max_output_tokens": request.max_output_tokens,
        "automatic_function_calling": {"disable": True},
        "automatic_continuation": False,
        "should_return_http_response": True,
    }
    if request.system:
        config["system_instruction"] = request.system
    if request.mode == "json" and request.schema is not None:
        config["response_mime_type"] = "application/json"
        config["response_json_schema"] = request.schema
    if request.effort is not None:
        config["thinking_config"] = _thinking(request.model, request.effort)
    if request.temperature is not None:
        config["temperature"] = request.temperature
    if request.seed is not None:
        config["seed"] = request.seed
    if request.tier != "standard":
        config["service_tier"] = request.tier
    return config


def _thinking(model: str, effort: Effort) -> dict[str, Any]:
    """Gemini 2.5 thinks by budget, later ones by level."""
    wanted: dict[str, Any] = {"include_thoughts": effort != "none"}
    if _name(model).startswith("gemini-2"):
        return {**wanted, "thinking_budget": _BUDGET[effort]}
    return {**wanted, "thinking_level": effort.upper()}


def _reply(answer: Any) -> Reply:
    blocked = (answer.get("promptFeedback") or {}).get("blockReason")
    candidates = answer.get("candidates") or []
    if blocked and not candidates:
        finish: Finish = "refusal"
        return Reply("", _usage(answer), finish, f"blocked:{blocked}", model=answer.get("modelVersion", ""))
    best = candidates[0]
    parts = (best.get("content") or {}).get("parts") or []
    thoughts = "".join(p["text"] for p in parts if p.get("thought"))
    word = best.get("finishReason", "")
    if word in _SERVICE_FAULT:
        raise Retryable("server", f"google stopped with {word}", status=200, possibly_billed=True)
    return Reply(
        text="".join(p["text"] for p in parts if "text" in p and not p.get("thought")),
        usage=_usage(answer),
        finish=_FINISH.get(word, "other"),
        finish_detail=word,
        reasoning=thoughts,
        reasoning_kind="summary" if thoughts else "none",
        model=answer.get("modelVersion", ""),
        request_id=answer.get("responseId", ""),
    )


def _usage(answer: Mapping[str, Any]) -> Usage:
    """The prompt's count includes what came from the cache; thoughts are billed as output, counted apart."""
    used = answer.get("usageMetadata") or {}
    read, thoughts = (
        wire.count(used.get("cachedContentTokenCount")),
        wire.count(used.get("thoughtsTokenCount")),
    )
    prompt = wire.count(used.get("promptTokenCount")) + wire.count(used.get("toolUsePromptTokenCount"))
    return Usage(
        input_fresh=max(0, prompt - read),
        cache_read=read,
        output=wire.count(used.get("candidatesTokenCount")) + thoughts,
        reasoning=thoughts,
    )
