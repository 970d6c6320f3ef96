"""Gemini, over google-genai's generate_content.

The SDK has three ways of its own to send a request twice, all shut here: its retries (attempts=1, which also
shuts the hidden second try after a cut), automatic function calling, and automatic continuation. It is handed
our aiohttp session, so that the exact bodies can be kept and a close is a close; it reports a time-out and a
cut as bare asyncio and aiohttp errors. Thoughts are counted beside the candidates, not in them.

Answers are read as they came over the wire: the SDK's objects leave out the counts of a batch and the exact
text. One model does nothing but decide natively; the SDK goes there over another HTTP library with retries of
its own, so that one request is made here, in the form that the SDK gives it. The requests of a batch are sent
within it, by which it stays one HTTP request; Google forgets what they were, so a batch that failed as a whole
can name them only as long as this process remembers.
Source: the Gemini API (v1beta) as google-genai 3.3 speaks it.
"""

from __future__ import annotations

import asyncio
import re
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from providers import batches, wire
from providers.base import (
    BatchLimits,
    BatchStatus,
    Capabilities,
    Effort,
    Final,
    Finish,
    Message,
    ProviderError,
    Reply,
    Request,
    Retryable,
    Usage,
    redact,
)

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
TIERS = ("standard", "flex", "priority", "batch")
_DECIDES = re.compile(r"gemini-decision-")  # and cannot be asked for anything else
_ENDED = {"SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "EXPIRED", "CANCELLED"}
_UNANSWERED = {"EXPIRED": "expired", "CANCELLED": "was cancelled"}
_STATUS = {  # that a google.rpc code stands for
    1: 499,
    3: 400,
    4: 504,
    5: 404,
    7: 403,
    8: 429,
    9: 400,
    11: 400,
    14: 503,
    16: 401,
}
_CANCELLED = 1
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
    (re.compile(r"gemini-1|gemini-2\.0|gemma|gemini-decision-"), ()),
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
        self._sent: dict[str, dict[str, str]] = {}  # of batches handed in here: id -> body

    def capabilities(self, model: str) -> Capabilities:
        if _DECIDES.match(_name(model)):
            return Capabilities(json_schema=False, temperature=False, efforts=(), decision=True)
        words = efforts(model)
        return Capabilities(seed=True, efforts=words, reasoning="summary" if words else "none", tiers=TIERS)

    async def complete(self, request: Request) -> Reply:
        able = self.capabilities(request.model)
        wire.check(self.name, request, able)
        if able.decision:
            return await self._decide(request)
        models, asked = self._open().aio.models, _asked(request)
        answer = await self._call(
            lambda: models.generate_content(**asked), request.timeout_s, asked["config"]
        )
        reply = wire.replied(_reply, answer, self.name)
        tier = redact(answer.headers.get("x-gemini-service-tier") or request.tier)
        return replace(reply, usage=replace(reply.usage, tier=tier.lower()))

    async def count_tokens(self, request: Request) -> int:
        """Tokens of the prompt as the service counts them, for nothing. One HTTP attempt; raises as `complete`.

        Only turns are counted here: the system prompt and the choices of a decision go along as such.
        """
        count = self._open().aio.models.count_tokens
        said = [request.system] if request.system else []
        said += [wire.dumps(request.choices)] if request.mode == "decision" else []
        turns = [*(Message("user", text) for text in said), *request.messages]
        contents: Any = [_turn(m) for m in turns]
        answer = await self._call(
            lambda: count(model=request.model, contents=contents), request.timeout_s, contents
        )
        return wire.read(
            lambda found: wire.counted(found["totalTokens"]), answer.text, self.name, answer.sent
        )

    async def _decide(self, request: Request) -> Reply:
        if request.mode != "decision":
            why = f"google:{request.model} only decides between choices; ask it in the decision mode"
            raise Final("bad_request", why)
        body = _decision_body(request)
        answer = await self._call(lambda: self._post("decisions", wire.dumps(body)), request.timeout_s, body)
        return wire.replied(partial(_decision, request), answer, self.name)

    async def _post(self, path: str, body: str) -> None:
        import aiohttp

        self._open()
        assert self._session is not None, "opened with the client"
        at = SERVICE.endpoint(self._base_url)
        async with self._session.post(
            f"{at.base_url}/v1beta/{path}",
            data=body.encode(),
            headers={"Content-Type": "application/json", "x-goog-api-key": at.key},
            timeout=aiohttp.ClientTimeout(total=None),  # the call has its own
            allow_redirects=False,
        ) as answer:
            await answer.read()

    # --- batches

    def batch_limits(self) -> BatchLimits:
        """20 MB go into one request; half of it, as the SDK escapes what is not ASCII. No number is documented."""
        return BatchLimits(requests=10_000, bytes=10_000_000, results_kept_s=2 * 86_400.0)

    async def submit(self, name: str, requests: Mapping[str, Request]) -> str:
        model = batches.check(self.name, requests, self.capabilities)
        parts: Any = [
            {k: v for k, v in _asked(request).items() if k != "model"} | {"metadata": {"key": id_}}
            for id_, request in requests.items()
        ]
        create = self._open().aio.batches.create
        with batches.verb(hands_in=True):
            answer = await self._call(
                lambda: create(model=model, src=parts, config={"display_name": name}), batches.LOAD_S
            )
            batch = wire.read(_id, answer.text, self.name, "")
        self._sent[batch] = wire.read(_handed_in, answer.sent, self.name, "")
        return batch

    async def find(self, name: str, since_unix: float, ids: Sequence[str]) -> str | None:
        """By the name that it was made under."""
        async for listed in batches.created_since(since_unix, self._page):
            if listed.name == name:
                return listed.id
        return None

    async def poll(self, batch: str) -> BatchStatus:
        return (await self._batch(batch)).status

    async def results(self, batch: str) -> AsyncIterator[tuple[str, batches.Part]]:
        sent, found = self._sent.get(batch, {}), await self._batch(batch)
        batches.check_ended(self.name, found.status)
        parts = wire.shaped(lambda: [(wire.filled(p["metadata"]["key"]), p) for p in found.parts], self.name)
        left = dict(sent)
        for id_, part in parts:
            left.pop(id_, None)
            yield id_, _part(part, sent.get(id_, ""))
        for id_, body in left.items():
            yield id_, _left_out(found, body)
        self._sent.pop(batch, None)

    async def cancel(self, batch: str) -> None:
        stop = self._open().aio.batches.cancel
        with batches.verb():
            await self._call(lambda: stop(name=batch), batches.QUICK_S)

    async def _batch(self, batch: str) -> _Batch:
        get = self._open().aio.batches.get
        with batches.verb():
            answer = await self._call(lambda: get(name=batch), batches.LOAD_S)  # ended, it brings its results
            return wire.read(_found, redact(answer.text), self.name, "")

    async def _page(self, after: str | None) -> batches.Page:
        pages = self._open().aio.batches.list
        config: Any = {"page_size": 100} | ({"page_token": after} if after else {})
        with batches.verb():
            answer = await self._call(lambda: pages(config=config), batches.LOAD_S)
            return wire.read(_page, answer.text, self.name, "")

    # --- the wire

    async def _call(
        self, send: Callable[[], Awaitable[object]], timeout_s: float, unsent: object = None
    ) -> wire.Answer:
        """One HTTP attempt, read as it came. `unsent` is kept in the error of one that was never sent."""
        seen = _Exchange()
        import aiohttp
        from google.genai import errors

        _exchange.set(seen)
        started = time.perf_counter()
        try:
            async with asyncio.timeout(timeout_s):
                await send()
        except (TimeoutError, aiohttp.ClientError) as error:
            sent = seen.sent or wire.dumps(unsent)
            raise wire.unanswered(self.name, self._base_url, error, timeout_s, sent) from None
        except (errors.APIError, ValueError, RecursionError) as error:
            if seen.answer is None:
                raise wire.unsendable(self.name, error, wire.dumps(unsent)) from None
        except (LookupError, TypeError, AttributeError):
            if seen.answer is None:
                raise
            # the SDK stumbled over the answer's shape: it is read here anyway
        latency_s = time.perf_counter() - started
        assert seen.answer is not None, "what was answered was seen"
        text = await seen.answer.text(errors="replace")  # read by whoever sent it, and kept by aiohttp
        if seen.answer.status != 200:
            raise wire.refused(self.name, seen.answer.status, text, seen.answer.headers, seen.sent)
        return wire.Answer(seen.sent, text, seen.answer.headers, latency_s)

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
            warnings.filterwarnings("ignore", ".* is not a valid JobState")  # it knows fewer than the API has
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


def _name(model: str) -> str:
    return model.removeprefix("models/")


def _turn(message: Message) -> dict[str, Any]:
    return {"role": "user" if message.role == "user" else "model", "parts": [{"text": message.content}]}


def _asked(request: Request) -> dict[str, Any]:
    """A request in the SDK's words, online and as a part of a batch."""
    config = cast("GenerateContentConfigDict", _config(request))
    return {"model": request.model, "contents": [_turn(m) for m in request.messages], "config": config}


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
    if request.tier not in ("standard", "batch"):
        config["service_tier"] = request.tier
    return config


def _thinking(model: str, effort: Effort) -> dict[str, Any]:
    """Gemini 2.5 thinks by budget, later ones by level."""
    wanted: dict[str, Any] = {"include_thoughts": effort != "none"}
    if _name(model).startswith("gemini-2"):
        return {**wanted, "thinking_budget": _BUDGET[effort]}
    return {**wanted, "thinking_level": effort.upper()}


def _decision_body(request: Request) -> dict[str, Any]:
    """The turns are blocks of one input, the model's own marked as such."""
    said = [request.system] if request.system else []
    said += [m.content if m.role == "user" else f"Your answer was:\n{m.content}" for m in request.messages]
    criteria = {str(number): text for number, text in request.choices or ()}
    return {
        "model": f"models/{_name(request.model)}",
        "input": [{"type": "text", "text": text} for text in said],
        "questions": {"answer": {"type": "choice", "instructions": wire.DECIDE, "criteria": criteria}},
    }


def _decision(request: Request, answer: Any) -> Reply:
    blocked = (answer.get("prompt_feedback") or {}).get("block_reason")
    usage = _decision_usage(answer.get("usage") or {})
    model = answer.get("model") or request.model  # the service names none, a stand-in does
    if blocked and not answer.get("answers"):
        return Reply("", usage, "refusal", f"blocked:{blocked}", model=model)
    said = answer["answers"]["answer"]
    return Reply(usage=usage, model=model, **wire.decided(said["choice"], said["probabilities"], request))


def _decision_usage(used: Mapping[str, Any]) -> Usage:
    read, thoughts = wire.count(used.get("total_cached_tokens")), wire.count(used.get("total_thought_tokens"))
    return Usage(
        input_fresh=max(0, wire.count(used.get("total_input_tokens")) - read),
        cache_read=read,
        output=wire.count(used.get("total_output_tokens")) + thoughts,
        reasoning=thoughts,
        tier="decision",
    )


# --- a batch, which is told as a long-running operation


class _Batch(NamedTuple):
    status: BatchStatus
    word: str  # its state without the prefix
    error: Mapping[str, Any]
    parts: Sequence[Any]


def _id(answer: Any) -> str:
    return wire.filled(answer["name"])


def _handed_in(sent: Any) -> dict[str, str]:
    """The bodies of a batch's requests by their ids, as they went over the wire."""
    parts = sent["batch"]["inputConfig"]["requests"]["requests"]
    return {part["metadata"]["key"]: wire.dumps(part["request"]) for part in parts}


def _word(about: Mapping[str, Any]) -> str:
    """JOB_STATE_RUNNING in the SDK is BATCH_STATE_RUNNING on the wire."""
    return str(about.get("state") or "").rpartition("STATE_")[2]


def _found(answer: Any) -> _Batch:
    about, error = answer["metadata"], answer.get("error") or {}
    stats, word, why = about.get("batchStats") or {}, _word(about), error.get("message") or ""
    total, done, failed = (
        int(stats.get(f"{kind}equestCount") or 0) for kind in ("r", "successfulR", "failedR")
    )
    output = about.get("output") or answer.get("response") or {}
    parts = (output.get("inlinedResponses") or {}).get("inlinedResponses") or []
    ended = word in _ENDED or answer.get("done") is True
    detail = f"{word}: {why}" if why else word
    return _Batch(BatchStatus(ended, total, done, failed, detail), word, error, list(parts))


def _page(answer: Any) -> batches.Page:
    listed = [
        batches.Listed(
            _id(batch),
            datetime.fromisoformat(batch["metadata"]["createTime"]).timestamp(),
            batch["metadata"].get("displayName") or "",
        )
        for batch in answer.get("operations") or ()
    ]
    return batches.Page(listed, answer.get("nextPageToken") or None)


def _part(part: Mapping[str, Any], sent: str) -> batches.Part:
    """Whatever shape it has: a part that cannot be read is a Retryable("protocol") of its own."""
    error = part.get("error")
    if error:
        return _refusal(error, sent)
    return batches.answered(_reply, part.get("response"), Gemini.name, sent)


def _refusal(error: Any, sent: str) -> ProviderError:
    code = error.get("code") if isinstance(error, dict) else None
    if code == _CANCELLED:
        return batches.unanswered(Gemini.name, "was cancelled", sent)
    status = _STATUS.get(code, code if code > 99 else 500) if type(code) is int else 500
    return batches.refused(Gemini.name, status, {"error": error}, sent)


def _left_out(found: _Batch, sent: str) -> ProviderError:
    """A request without an answer: the batch expired, was cancelled, or failed as a whole."""
    if found.error and found.word not in _UNANSWERED:
        return _refusal(found.error, sent)
    return batches.unanswered(Gemini.name, _UNANSWERED.get(found.word, "ended"), sent)


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
