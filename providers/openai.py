"""GPT, over the Responses API.

`store` is false: nothing of a duel stays at the service. The thinking's text is asked for as a summary when
an effort is given; raw thoughts never come. A 200 is not yet an answer: `status` says failed or incomplete.
The seed does not exist here and is refused, and reasoning models take no temperature.

One model decides natively, over /v1/decisions: it is given the moves and gives a probability for each. Such
a call has neither tier nor effort nor limit of length, cannot go into a batch, and is billed as the tier
"decision". A batch is a file handed in first, then a batch made of it under the name that finds it again. The
file is left there, to end with the files of answers after 30 days: after an interruption it tells what was
asked, and which requests a batch that failed as a whole had. Deleting it would be one more request to fail.
Source: the Responses, Decisions and Batch APIs as openai 3.51 declares them.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from providers import batches, wire
from providers.base import (
    EFFORTS,
    BatchLimits,
    BatchStatus,
    Capabilities,
    Effort,
    Final,
    Finish,
    ProviderError,
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
_DECIDES = re.compile(r"gpt-6-luna(-\d{4}-\d{2}-\d{2})?")
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_UNANSWERED = {"batch_expired": "expired", "batch_cancelled": "was cancelled"}
_CROWDED = (
    "limit",
    "quota",
    "billing",
)  # in the code of why a batch was not taken: it is no fault of its requests
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
        self._sent: dict[str, dict[str, str]] = {}  # of batches handed in here: id -> body

    def capabilities(self, model: str) -> Capabilities:
        words = efforts(model)
        return Capabilities(
            temperature=not words,
            efforts=words,
            reasoning="summary" if words else "none",
            decision=_DECIDES.fullmatch(model) is not None,
            tiers=(*TIERS, "batch"),
        )

    async def complete(self, request: Request) -> Reply:
        wire.check(self.name, request, self.capabilities(request.model))
        client, decides = self._open(), request.mode == "decision"
        body = _decision_body(request) if decides else _body(request)
        api: Any = client.decisions if decides else client.responses
        create = api.with_raw_response.create
        answer = await self._call(lambda s: create(**body, timeout=s), request.timeout_s, body)
        return wire.replied(
            partial(_decision, request) if decides else _reply, answer, self.name, "x-request-id"
        )

    async def count_tokens(self, request: Request) -> int:
        """Tokens of the prompt as the service counts them, for nothing. One HTTP attempt; raises as `complete`."""
        body = _counted_body(request)
        count = self._open().responses.input_tokens.with_raw_response.count
        answer = await self._call(lambda s: count(**body, timeout=s), request.timeout_s, body)
        return wire.read(
            lambda found: wire.counted(found["input_tokens"]), answer.text, self.name, answer.sent
        )

    # --- batches

    def batch_limits(self) -> BatchLimits:
        return BatchLimits(requests=50_000, bytes=200_000_000, results_kept_s=30 * 86_400.0)

    async def submit(self, name: str, requests: Mapping[str, Request]) -> str:
        batches.check(self.name, requests, self.capabilities)
        bodies = {id_: _body(request) for id_, request in requests.items()}
        file = await self._upload([_line(id_, body) for id_, body in bodies.items()])
        create = self._open().batches.with_raw_response.create
        with batches.verb(hands_in=True):
            answer = await self._call(
                lambda s: create(
                    input_file_id=file,
                    endpoint="/v1/responses",
                    completion_window="24h",
                    metadata={"name": name},
                    timeout=s,
                ),
                batches.QUICK_S,
            )
            batch = wire.read(_id, answer.text, self.name, "")
        self._sent[batch] = {id_: wire.dumps(body) for id_, body in bodies.items()}
        return batch

    async def find(self, name: str, since_unix: float, ids: Sequence[str]) -> str | None:
        """By the name that it was made under."""
        async for listed in batches.created_since(since_unix, self._page):
            if listed.name == name:
                return listed.id
        return None

    async def poll(self, batch: str) -> BatchStatus:
        return _status(await self._batch(batch))

    async def results(self, batch: str) -> AsyncIterator[tuple[str, batches.Part]]:
        """From the files of answers and of errors; what is in neither was not answered."""
        found = await self._batch(batch)
        batches.check_ended(self.name, _status(found))
        sent = await self._handed_in(batch, found)
        left = dict(sent)
        for kind in ("output_file_id", "error_file_id"):
            for id_, line in await self._lines(found.get(kind)):
                left.pop(id_, None)
                yield id_, _part(line, sent.get(id_, ""))
        for id_, body in left.items():
            yield id_, _left_out(found, body)
        self._sent.pop(batch, None)

    async def cancel(self, batch: str) -> None:
        stop = self._open().batches.with_raw_response.cancel
        with batches.verb():
            await self._call(lambda s: stop(batch, timeout=s), batches.QUICK_S)

    async def _page(self, after: str | None) -> batches.Page:
        query = {"after": after} if after else {}
        pages = self._open().batches.with_raw_response.list
        with batches.verb():
            answer = await self._call(lambda s: pages(limit=100, **query, timeout=s), batches.QUICK_S)  # type: ignore[arg-type]
            return wire.read(_page, answer.text, self.name, "")

    async def _batch(self, batch: str) -> Mapping[str, Any]:
        retrieve = self._open().batches.with_raw_response.retrieve
        with batches.verb():
            answer = await self._call(lambda s: retrieve(batch, timeout=s), batches.QUICK_S)
            return wire.read(_found, redact(answer.text), self.name, "")

    async def _upload(self, lines: list[str]) -> str:
        create = self._open().files.with_raw_response.create
        with batches.verb():
            answer = await self._call(
                lambda s: create(
                    file=("requests.jsonl", "\n".join(lines).encode()), purpose="batch", timeout=s
                ),
                batches.LOAD_S,
            )
            return wire.read(_id, answer.text, self.name, "")

    async def _lines(self, file: str | None) -> list[tuple[str, dict[str, Any]]]:
        """(id of the request, line) of a file; nothing where there is none."""
        if not file:
            return []
        content = self._open().files.with_raw_response.content
        with batches.verb():
            answer = await self._call(lambda s: content(file, timeout=s), batches.LOAD_S)
            lines = batches.parsed(answer.text, self.name)
            return wire.shaped(lambda: [(wire.filled(line["custom_id"]), line) for line in lines], self.name)

    async def _handed_in(self, batch: str, found: Mapping[str, Any]) -> Mapping[str, str]:
        """The bodies of a batch's requests by their ids."""
        if batch in self._sent:
            return self._sent[batch]
        try:
            lines = await self._lines(found.get("input_file_id"))
        except Final:  # somebody took it away; the answers are still there
            return {}
        return {id_: wire.dumps(line.get("body")) for id_, line in lines}

    # --- the wire

    async def _call(
        self, send: Callable[[float], Awaitable[Any]], timeout_s: float, body: object = None
    ) -> wire.Answer:
        """One HTTP attempt. `body`, where one call is made of it, is kept in its errors."""
        import aiohttp
        import openai

        sent, started = "" if body is None else wire.dumps(body), time.perf_counter()
        try:
            async with asyncio.timeout(timeout_s):
                http = (await send(timeout_s)).http_response
                await http.aread()
        except openai.APIStatusError as error:
            answer = error.response
            sent = sent and error.request.content.decode()
            raise wire.refused(self.name, answer.status_code, answer.text, answer.headers, sent) from None
        except (TimeoutError, openai.APIConnectionError, aiohttp.ClientError) as error:
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
    }
    if request.tier in TIERS:
        body["service_tier"] = TIERS[request.tier]
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


def _decision_body(request: Request) -> dict[str, Any]:
    choices = [{"value": str(number), "description": said} for number, said in request.choices or ()]
    body: dict[str, Any] = {
        "model": request.model,
        "input": _decision_input(request),
        "questions": [
            {"type": "choice", "name": "answer", "instructions": wire.DECIDE, "choices": choices},
        ],
    }
    if request.cache_key is not None:
        body["prompt_cache_key"] = request.cache_key
    return body


def _decision_input(request: Request) -> list[dict[str, str]]:
    system = [{"role": "system", "content": request.system}] if request.system else []
    return system + [{"role": m.role, "content": m.content} for m in request.messages]


def _counted_body(request: Request) -> dict[str, Any]:
    """What of a request is counted as its prompt; the choices of a decision as one more message."""
    if request.mode == "decision":
        choices = {"role": "user", "content": wire.dumps(request.choices)}
        return {"model": request.model, "input": [*_decision_input(request), choices]}
    kept = ("model", "input", "instructions", "reasoning", "text")
    return {name: value for name, value in _body(request).items() if name in kept}


def _line(id_: str, body: Mapping[str, Any]) -> str:
    return wire.dumps({"custom_id": id_, "method": "POST", "url": "/v1/responses", "body": body})


def _id(answer: Any) -> str:
    return wire.filled(answer["id"])


def _found(answer: Any) -> Mapping[str, Any]:
    """A batch as the service describes it, of the shape that is read here."""
    counts, errors = answer.get("request_counts") or {}, answer.get("errors") or {}
    first = next(iter(errors.get("data") or ()), None)
    return {
        "status": wire.filled(answer["status"]),
        "counts": {name: wire.count(counts.get(name)) for name in ("total", "completed", "failed")},
        "error": first if isinstance(first, dict) else {},
        **{name: answer.get(name) for name in ("input_file_id", "output_file_id", "error_file_id")},
    }


def _status(found: Mapping[str, Any]) -> BatchStatus:
    word, counts = found["status"], found["counts"]
    why = found["error"].get("message") or ""
    return BatchStatus(
        word in _ENDED,
        counts["total"],
        counts["completed"],
        counts["failed"],
        f"{word}: {why}" if why else word,
    )


def _page(answer: Any) -> batches.Page:
    listed = [
        batches.Listed(_id(batch), float(batch["created_at"]), (batch.get("metadata") or {}).get("name", ""))
        for batch in answer["data"]
    ]
    return batches.Page(listed, listed[-1].id if answer.get("has_more") and listed else None)


def _part(line: Mapping[str, Any], sent: str) -> batches.Part:
    """Whatever shape it has: a part that cannot be read is a Retryable("protocol") of its own."""
    response, error = line.get("response"), line.get("error")
    if isinstance(response, dict):
        status = response.get("status_code")
        if status in (None, 200):
            return batches.answered(_reply, response.get("body"), GPT.name, sent)
        return batches.refused(GPT.name, status if type(status) is int else 500, response.get("body"), sent)
    code = str(error.get("code") or "") if isinstance(error, dict) else ""
    if code in _UNANSWERED:
        return batches.unanswered(GPT.name, _UNANSWERED[code], sent)
    return batches.refused(GPT.name, 400 if "invalid" in code else 500, {"error": error}, sent)


def _left_out(found: Mapping[str, Any], sent: str) -> ProviderError:
    """A request that is in no file of a batch: it expired, was cancelled, or failed before it began."""
    word, error = found["status"], found["error"]
    if word == "failed":
        crowded = any(part in str(error.get("code")) for part in _CROWDED)
        return batches.refused(GPT.name, 429 if crowded else 400, {"error": error}, sent)
    return batches.unanswered(GPT.name, "was cancelled" if word == "cancelled" else word, sent)


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
        request_id=answer.get("id") or "",
    )


def _decision(request: Request, answer: Any) -> Reply:
    said, usage = answer["answers"][0], _usage(answer.get("usage") or {}, "decision")
    model = answer.get("model") or ""
    if said["type"] == "refusal":
        return Reply("", usage, "refusal", "refusal", model=model)
    table = {str(p["value"]): p["probability"] for p in said["probabilities"]}
    return Reply(usage=usage, model=model, **wire.decided(said["choice"], table, request))


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
        cache_write_short=max(0, written - long),
        cache_write_long=long,
        output=wire.count(used.get("output_tokens")),
        reasoning=wire.count((used.get("output_tokens_details") or {}).get("reasoning_tokens")),
        tier=_OUR_TIER.get(tier or "default", tier or "standard"),
    )
