"""Claude, over the Messages API.

Thinking is adaptive and asked for as a summary whenever an effort is given: the display's default differs
by model and may be empty text. The answer's form is `output_config.format`, which needs no beta header and
goes together with thinking, as forcing a tool does not. The system prompt carries the cache mark: it is the
same for a seat over a whole duel. Temperature and seed do not exist here and are refused.

A batch has no name here, so a lost one is looked for among those of its time and size, and told by the ids
of its requests where it has ended. There is no native decision.
Source: the Messages API as anthropic 2.10 declares it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from providers import batches, wire
from providers.base import (
    BatchLimits,
    BatchStatus,
    Capabilities,
    Effort,
    Final,
    Finish,
    Reply,
    Request,
    Retryable,
    Usage,
)

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
_STATUS = {  # that the types of error stand for: a part of a batch has no status of its own
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_UNANSWERED = {"expired": "expired", "canceled": "was cancelled"}
_ASK_AGAIN_S = 60.0


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
        self._sent: dict[str, dict[str, str]] = {}  # of batches handed in here: id -> body

    def capabilities(self, model: str) -> Capabilities:
        words = efforts(model)
        return Capabilities(
            temperature=False,
            efforts=words,
            reasoning="summary" if words else "none",
            tiers=("standard", "batch"),
        )

    async def complete(self, request: Request) -> Reply:
        wire.check(self.name, request, self.capabilities(request.model))
        body, create = _body(request), self._open().messages.with_raw_response.create
        answer = await self._call(lambda s: create(**body, timeout=s), request.timeout_s, body)
        return wire.replied(_reply, answer, self.name, "request-id")

    async def count_tokens(self, request: Request) -> int:
        """Tokens of the prompt as the service counts them, for nothing. One HTTP attempt; raises as `complete`."""
        body = {k: v for k, v in _body(request).items() if k not in ("max_tokens", "service_tier")}
        count = self._open().messages.with_raw_response.count_tokens
        answer = await self._call(lambda s: count(**body, timeout=s), request.timeout_s, body)
        return wire.read(
            lambda found: wire.counted(found["input_tokens"]), answer.text, self.name, answer.sent
        )

    # --- batches

    def batch_limits(self) -> BatchLimits:
        return BatchLimits(requests=100_000, bytes=256_000_000, results_kept_s=29 * 86_400.0)

    async def submit(self, name: str, requests: Mapping[str, Request]) -> str:
        batches.check(self.name, requests, self.capabilities)
        bodies = {id_: _body(request) for id_, request in requests.items()}
        parts = [{"custom_id": _escaped(id_), "params": body} for id_, body in bodies.items()]
        create = self._open().messages.batches.with_raw_response.create
        with batches.verb(hands_in=True):
            answer = await self._call(lambda s: create(requests=parts, timeout=s), batches.LOAD_S)  # type: ignore[arg-type]
            batch = wire.read(_id, answer.text, self.name, "")
        self._sent[batch] = {id_: wire.dumps(body) for id_, body in bodies.items()}
        return batch

    async def find(self, name: str, since_unix: float, ids: Sequence[str]) -> str | None:
        """By time and number of requests, then by the ids in its results; the only one, if it has none yet.

        Retryable("server") while several could be it: they can be told apart when they have ended.
        """
        going_on = []
        async for listed in batches.created_since(since_unix, self._page):
            if listed.total != len(ids):
                continue
            if not listed.ended:
                going_on.append(listed.id)
            elif {id_ async for id_, _ in self.results(listed.id)} == set(ids):
                return listed.id
        if len(going_on) > 1:
            several = f"{self.name}: {len(going_on)} batches of {len(ids)} requests go on, any of them may be the one"
            raise Retryable("server", several, retry_after_s=_ASK_AGAIN_S)
        return going_on[0] if going_on else None

    async def poll(self, batch: str) -> BatchStatus:
        retrieve = self._open().messages.batches.with_raw_response.retrieve
        with batches.verb():
            answer = await self._call(lambda s: retrieve(batch, timeout=s), batches.QUICK_S)
            return wire.read(_status, answer.text, self.name, "")

    async def results(self, batch: str) -> AsyncIterator[tuple[str, batches.Part]]:
        sent = self._sent.get(batch, {})
        with batches.verb():
            answer = await self._call(lambda s: self._results(batch, s), batches.LOAD_S)
            lines = batches.parsed(answer.text, self.name)
            parts = wire.shaped(lambda: [(_unescaped(p["custom_id"]), p["result"]) for p in lines], self.name)
        for id_, result in parts:
            yield id_, self._part(result, sent.get(id_, ""))
        self._sent.pop(batch, None)

    async def cancel(self, batch: str) -> None:
        stop = self._open().messages.batches.with_raw_response.cancel
        with batches.verb():
            await self._call(lambda s: stop(batch, timeout=s), batches.QUICK_S)

    async def _page(self, after: str | None) -> batches.Page:
        query = {"after_id": after} if after else {}
        pages = self._open().messages.batches.with_raw_response.list
        with batches.verb():
            answer = await self._call(lambda s: pages(limit=100, **query, timeout=s), batches.QUICK_S)  # type: ignore[arg-type]
            return wire.read(_page, answer.text, self.name, "")

    async def _results(self, batch: str, timeout_s: float) -> Any:
        """The file of results, at the place where the API has it: the SDK's own way asks where it is, first, and
        would send the key to whatever address it is told."""
        import httpx2

        path = f"/v1/messages/batches/{quote(batch, safe='')}/results"
        return await self._open().get(path, cast_to=httpx2.Response, options={"timeout": timeout_s})

    def _part(self, result: Any, sent: str) -> batches.Part:
        """Whatever shape it has: a part that cannot be read is a Retryable("protocol") of its own."""
        kind = result.get("type") if isinstance(result, dict) else None
        if kind == "errored":
            error = result.get("error")
            return batches.refused(self.name, _status_of(error), error, sent)
        if kind in _UNANSWERED:
            return batches.unanswered(self.name, _UNANSWERED[kind], sent)
        message = result.get("message") if kind == "succeeded" else result
        return batches.answered(_reply, message, self.name, sent)

    # --- the wire

    async def _call(
        self, send: Callable[[float], Awaitable[Any]], timeout_s: float, body: object = None
    ) -> wire.Answer:
        """One HTTP attempt. `body`, where one call is made of it, is kept in its errors."""
        import anthropic

        sent, started = "" if body is None else wire.dumps(body), time.perf_counter()
        try:
            async with asyncio.timeout(timeout_s):
                raw = await send(timeout_s)
                http = getattr(raw, "http_response", raw)
                await http.aread()
        except anthropic.APIStatusError as error:
            answer = error.response
            sent = sent and error.request.content.decode()
            raise wire.refused(self.name, answer.status_code, answer.text, answer.headers, sent) from None
        except (TimeoutError, anthropic.APIConnectionError) as error:
            raise wire.unanswered(self.name, self._base_url, error, timeout_s, sent) from None
        except ValueError as error:
            raise wire.unsendable(self.name, error, sent) from None
        latency_s = time.perf_counter() - started
        sent = sent and http.request.content.decode()
        return wire.Answer(sent, http.text, http.headers, latency_s)

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


def _escaped(id_: str) -> str:
    """An id as this service takes it: without a dot, of up to 64 characters. `_d` is a dot, `__` a dash below."""
    escaped = id_.replace("_", "__").replace(".", "_d")
    if len(escaped) > 64:
        raise Final(
            "bad_request", f"anthropic: the id {id_!r} is too long: {escaped!r} has more than 64 characters"
        )
    return escaped


def _unescaped(text: str) -> str:
    return re.sub("_(.)", lambda found: "." if found[1] == "d" else found[1], text)


def _id(answer: Any) -> str:
    return wire.filled(answer["id"])


def _status(answer: Any) -> BatchStatus:
    counts, word = answer["request_counts"], answer["processing_status"]
    failed = sum(wire.count(counts.get(kind)) for kind in ("errored", "canceled", "expired"))
    return BatchStatus(word == "ended", _total(counts), wire.count(counts.get("succeeded")), failed, word)


def _total(counts: Mapping[str, Any]) -> int:
    return sum(wire.count(number) for number in counts.values())


def _page(answer: Any) -> batches.Page:
    listed = [
        batches.Listed(
            id=_id(batch),
            created_unix=datetime.fromisoformat(batch["created_at"]).timestamp(),
            ended=batch["processing_status"] == "ended",
            total=_total(batch["request_counts"]),
        )
        for batch in answer["data"]
    ]
    return batches.Page(listed, (answer.get("last_id") or None) if answer.get("has_more") else None)


def _status_of(error: Any) -> int:
    inner = error.get("error") if isinstance(error, dict) else None
    word = inner.get("type") if isinstance(inner, dict) else None
    return _STATUS.get(word, 500) if isinstance(word, str) else 500


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
        request_id=answer.get("id") or "",
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
