"""Claude, over the Messages API.

Thinking is adaptive and asked for as a summary whenever an effort is given: the display's default differs
by model and may be empty text. The answer's form is `output_config.format`, which needs no beta header and
goes together with thinking, as forcing a tool does not. The system prompt carries the cache mark: it is the
same for a seat over a whole duel. Temperature and seed do not exist here and are refused.
Source: the Messages API as anthropic 2.10 declares it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from providers import wire
from providers.base import Capabilities, Effort, Finish, Reply, Request, Usage, redact

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

SERVICE = wire.Service(
    name="anthropic",
    sdk="anthropic",
    url="https://api.anthropic.com",
    url_variable="ANTHROPIC_BASE_URL",
    key_variables=("ANTHROPIC_API_KEY",),
)
_FINISH: Mapping[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}
_EFFORTS: tuple[Effort, ...] = ("none", "low", "medium", "high", "xhigh", "max")
_NO_EFFORT = re.compile(r"claude-(3|instant|2|(opus|sonnet|haiku)-4-[0-5])")  # thinking by budget only

_NO_XHIGH = re.compile(r"claude-(opus|sonnet)-4-6")


def efforts(model: str) -> tuple[Effort, ...]:
    """The words that a Claude knows; "none" is thinking disabled."""
    if _NO_EFFORT.match(model):
        return ()
    return tuple(word for word in _EFFORTS if word != "xhigh" or not _NO_XHIGH.match(model))


def create(**options: str) -> Claude:
    base_url = options.pop("base_url", "")
    wire.no_options("anthropic", options)
    return Claude(base_url)


class Claude:
    name = "anthropic"

    def __init__(self, base_url: str = "") -> None:
        self._base_url = SERVICE.base_url(base_url).removesuffix("/v1")
        self._client: AsyncAnthropic | None = None

    def capabilities(self, model: str) -> Capabilities:
        words = efforts(model)
        return Capabilities(temperature=False, efforts=words, reasoning="summary" if words else "none")

    async def complete(self, request: Request) -> Reply:
        wire.check(self.name, request, self.capabilities(request.model))
        client, body = self._open(), _body(request)
        import anthropic

        started = time.perf_counter()
        try:
            async with asyncio.timeout(request.timeout_s):
                raw = await client.messages.with_raw_response.create(**body, timeout=request.timeout_s)
                text = await raw.text()
        except anthropic.APIStatusError as error:
            answer = error.response
            sent = error.request.content.decode()
            raise wire.refused(self.name, answer.status_code, answer.text, answer.headers, sent) from None
        except (TimeoutError, anthropic.APIConnectionError) as error:
            sent = wire.dumps(body)
            raise wire.unanswered(self.name, self._base_url, error, request.timeout_s, sent) from None
        except ValueError as error:
            raise wire.unsendable(self.name, error, wire.dumps(body)) from None
        latency_s = time.perf_counter() - started
        sent, text = raw.http_request.content.decode(), redact(text)
        reply = wire.read(_reply, text, self.name, sent)
        return replace(
            reply,
            request_id=redact(raw.headers.get("request-id", "")),
            raw_request=sent,
            raw_response=text,
            latency_s=latency_s,
        )

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _open(self) -> AsyncAnthropic:
        if self._client is None:
            from anthropic import AsyncAnthropic, DefaultAioHttpClient

            at = SERVICE.endpoint(self._base_url)
            self._client = AsyncAnthropic(
                api_key=at.key,
                base_url=at.base_url,
                max_retries=0,
                http_client=DefaultAioHttpClient(follow_redirects=False),
            )
        return self._client


def _body(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_output_tokens,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "service_tier": "standard_only",  # "auto" may serve, and bill, another tier than the one asked for
    }
    if request.system:
        cached = {"type": "text", "text": request.system, "cache_control": {"type": "ephemeral"}}
        body["system"] = [cached]
    output: dict[str, Any] = {}
    if request.effort == "none":
        body["thinking"] = {"type": "disabled"}
    elif request.effort is not None:
        body["thinking"] = {"type": "adaptive", "display": "summarized"}
        output["effort"] = request.effort
    if request.mode == "json" and request.schema is not None:
        output["format"] = {"type": "json_schema", "schema": request.schema}
    if output:
        body["output_config"] = output
    return body


def _reply(answer: Any) -> Reply:
    texts = [b["text"] for b in answer["content"] if b["type"] == "text"]
    thoughts = "\n\n".join(
        b["thinking"] for b in answer["content"] if b["type"] == "thinking" and b["thinking"]
    )
    stop = answer["stop_reason"] or ""
    details = answer.get("stop_details") or {}
    return Reply(
        text=texts[-1] if texts else "",
        usage=_usage(answer["usage"]),
        finish=_FINISH.get(stop, "other"),
        finish_detail=":".join(filter(None, (stop, details.get("category")))),
        reasoning=thoughts,
        reasoning_kind="summary" if thoughts else "none",
        model=answer["model"],
    )


def _usage(used: Mapping[str, Any]) -> Usage:
    """`input_tokens` leaves the cache out; writes come in two lengths, or as one sum from older servers."""
    written = used.get("cache_creation") or {}
    long = wire.count(written.get("ephemeral_1h_input_tokens"))
    return Usage(
        input_fresh=wire.count(used.get("input_tokens")),
        cache_read=wire.count(used.get("cache_read_input_tokens")),
        cache_write_short=max(0, wire.count(used.get("cache_creation_input_tokens")) - long)
        or wire.count(written.get("ephemeral_5m_input_tokens")),
        cache_write_long=long,
        output=wire.count(used.get("output_tokens")),
        reasoning=wire.count((used.get("output_tokens_details") or {}).get("thinking_tokens")),
        tier=used.get("service_tier") or "standard",
    )
