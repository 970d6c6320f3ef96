"""Batches in the words of Anthropic, OpenAI and Gemini: what each is handed, asked and answers.

`ROUTES` has every path with its verb and its handler, which returns a body (or the lines of a file) or raises
`Refused`. Anthropic counts only at the end and errs part by part; OpenAI reads a file first and fails as a
whole if a line is wrong; Gemini keeps the order and has no word for a part but its error. Gemini's are served
under /v1beta only: under /v1 its paths are OpenAI's.
Sources: anthropic 2.10, openai 3.51, google-genai 3.3 for paths and fields; the vendors' guides to batches for
limits, states and words of errors.
"""

from __future__ import annotations

import json
import random
import re
import uuid
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from aiohttp import web

from providers.dialects import ANTHROPIC, CHAT, GEMINI, RESPONSES, Body, Problem, Wire
from providers.stand_in.batches import DAY, Batch, Batches, Outcome, Part
from providers.stand_in.faults import Refused, bad, missing

_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)
_ANTHROPIC_MOST = 100_000
_OPENAI_MOST = 50_000
_OPENAI_BYTES = 200 * 1000 * 1000
_GEMINI_BYTES = 20 * 1000 * 1000
_GEMINI_WINDOW = 2 * DAY
_ENDPOINTS = {"/v1/responses": RESPONSES, "/v1/chat/completions": CHAT}
_RPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 429: 8, 500: 13, 503: 14, 504: 4}

Handler = Callable[[Batches, web.Request], Awaitable[Body | bytes]]


class Route(NamedTuple):
    method: str
    path: str
    wire: Wire
    verb: str
    handle: Handler


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _lines(items: Iterable[Body]) -> bytes:
    return b"".join(json.dumps(item, separators=(",", ":")).encode() + b"\n" for item in items)


def _shuffled(batch: Batch, outcomes: list[Outcome]) -> list[Outcome]:
    """Any order that is not the requests' own, and the same each time."""
    return random.Random(batch.id).sample(outcomes, len(outcomes))


def _limit(request: web.Request, most: int, name: str = "limit") -> int:
    given = request.query.get(name, "20")
    if not (given.isdigit() and 1 <= int(given) <= most):
        raise Refused(bad(f"{name}: {given!r} is not a number from 1 to {most}"))
    return int(given)


def _find(batches: Batches, wire: Wire, request: web.Request) -> Batch:
    name = request.match_info["id"]
    batch = batches.get(wire, name)
    if batch is None:
        raise Refused(missing(f"No batch found with id '{name}'."))
    return batch


def _position(listed: list[Batch], name: str) -> int:
    place = next((index for index, batch in enumerate(listed) if batch.id == name), None)
    if place is None:
        raise Refused(bad(f"no batch {name!r} to page from"))
    return place


# Anthropic


async def _create_anthropic(batches: Batches, request: web.Request) -> Body:
    asked = (await _json(request)).get("requests")
    if not isinstance(asked, list) or not asked:
        raise Refused(bad("requests: List should have at least 1 item after validation, not 0"))
    if len(asked) > _ANTHROPIC_MOST:
        raise Refused(bad(f"requests: List should have at most {_ANTHROPIC_MOST} items after validation"))
    names: set[str] = set()
    for index, item in enumerate(asked):
        if why := _wrong_anthropic(item, names):
            raise Refused(bad(f"requests.{index}.{why}"))
        names.add(item["custom_id"])
    parts = [batches.part(ANTHROPIC, item["custom_id"], item["params"]) for item in asked]
    return _anthropic(batches, batches.add(ANTHROPIC, "msgbatch_", parts, {}), request, fresh=True)


def _wrong_anthropic(item: Any, names: set[str]) -> str:
    if not isinstance(item, dict) or not isinstance(item.get("params"), dict):
        return "params: Field required"
    name = item.get("custom_id")
    if not isinstance(name, str) or not _CUSTOM_ID.fullmatch(name):
        return "custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"
    return f"custom_id: '{name}' is not unique within the batch" if name in names else ""


def _anthropic(batches: Batches, batch: Batch, request: web.Request, fresh: bool = False) -> Body:
    now = batches.clock()
    ended = batch.ended(now) and not fresh
    counts = batch.counts(now) if ended else {"processing": len(batch.parts)}
    cancelled = batch.cancelled_after
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": "ended" if ended else "in_progress" if cancelled is None else "canceling",
        "request_counts": {
            kind: counts.get(kind, 0)
            for kind in ("processing", "succeeded", "errored", "canceled", "expired")
        },
        "created_at": _stamp(batch.created),
        "expires_at": _stamp(batch.created + batch.window),
        "ended_at": _stamp(batch.ended_at) if ended else None,
        "cancel_initiated_at": None if cancelled is None else _stamp(batch.created + cancelled),
        "archived_at": None,
        "results_url": f"{request.url.origin()}/v1/messages/batches/{batch.id}/results" if ended else None,
    }


async def _get_anthropic(batches: Batches, request: web.Request) -> Body:
    return _anthropic(batches, _find(batches, ANTHROPIC, request), request)


async def _cancel_anthropic(batches: Batches, request: web.Request) -> Body:
    batch = _find(batches, ANTHROPIC, request)
    if batch.ended(batches.clock()):
        raise Refused(bad(f"Batch {batch.id} cannot be canceled because it has finished processing."))
    batches.cancel(batch)
    return _anthropic(batches, batch, request, fresh=True)


async def _list_anthropic(batches: Batches, request: web.Request) -> Body:
    """Latest first; `after_id` goes on to older ones, `before_id` back to newer ones."""
    listed, most = batches.of(ANTHROPIC), _limit(request, 1000)
    if before := request.query.get("before_id"):
        newer = listed[: _position(listed, before)]
        page, more = newer[-most:], len(newer) > most
    else:
        after = request.query.get("after_id")
        older = listed[_position(listed, after) + 1 :] if after else listed
        page, more = older[:most], len(older) > most
    data = [_anthropic(batches, batch, request) for batch in page]
    ends = {"first_id": page[0].id, "last_id": page[-1].id} if page else {"first_id": None, "last_id": None}
    return {"data": data, "has_more": more, **ends}


async def _results_anthropic(batches: Batches, request: web.Request) -> bytes:
    batch = _find(batches, ANTHROPIC, request)
    now = batches.clock()
    if not batch.ended(now):
        raise Refused(missing(f"Batch {batch.id} has no results before it has ended."))
    outcomes = _shuffled(batch, await batch.results(now))
    return _lines({"custom_id": made.part.id, "result": _result_anthropic(made)} for made in outcomes)


def _result_anthropic(made: Outcome) -> Body:
    if made.reply is not None:
        message = ANTHROPIC.write(made.reply, made.part.body)
        message["usage"]["service_tier"] = "batch"
        return {"type": "succeeded", "message": message}
    if made.kind == "errored" and made.problem is not None:
        return {"type": "errored", "error": ANTHROPIC.error(made.problem, 0)}
    return {"type": made.kind}


# OpenAI


async def _upload_openai(batches: Batches, request: web.Request) -> Body:
    try:
        form = await request.post()
    except ValueError as error:
        raise Refused(bad(f"could not read the form: {error}")) from error
    file, purpose = form.get("file"), form.get("purpose")
    if purpose != "batch":
        raise Refused(bad(f"{purpose!r} is not one of ['batch'] - 'purpose'"))
    if not isinstance(file, web.FileField):
        raise Refused(bad("'file' is a required property"))
    return _keep(batches, file.filename, file.file.read(), "batch")


def _keep(batches: Batches, filename: str, data: bytes, purpose: str) -> Body:
    name = f"file-{uuid.uuid4().hex}"
    about = {
        "id": name,
        "object": "file",
        "bytes": len(data),
        "created_at": int(batches.clock()),
        "filename": filename,
        "purpose": purpose,
        "status": "processed",
        "expires_at": int(batches.clock() + 30 * DAY),
    }
    batches.files[name] = (about, data)
    return about


def _file(batches: Batches, name: str) -> tuple[Body, bytes]:
    if name not in batches.files:
        raise Refused(missing(f"No such File object: {name}"))
    return batches.files[name]


async def _file_openai(batches: Batches, request: web.Request) -> Body:
    return _file(batches, request.match_info["id"])[0]


async def _content_openai(batches: Batches, request: web.Request) -> bytes:
    return _file(batches, request.match_info["id"])[1]


async def _create_openai(batches: Batches, request: web.Request) -> Body:
    order = await _json(request)
    endpoint, window = order.get("endpoint"), order.get("completion_window")
    if endpoint not in _ENDPOINTS:
        raise Refused(bad(f"Invalid value: '{endpoint}'. Supported values are: {', '.join(_ENDPOINTS)}."))
    if window != "24h":
        raise Refused(bad(f"Invalid value: '{window}'. Value must be '24h'."))
    metadata = order.get("metadata") or {}
    if len(metadata) > 16 or any(len(key) > 64 or len(value) > 512 for key, value in metadata.items()):
        raise Refused(bad("metadata: at most 16 pairs, keys of 64 and values of 512 characters"))
    source = str(order.get("input_file_id"))
    parts, errors = _read_file(batches, _ENDPOINTS[endpoint], endpoint, _file(batches, source)[1])
    about = {"input_file_id": source, "endpoint": endpoint, "metadata": order.get("metadata")}
    # One name for both endpoints, so that a listing has all of them.
    batch = batches.add(RESPONSES, "batch_", parts, about, errors=errors)
    return _openai(batches, batch, fresh=True)


def _read_file(batches: Batches, wire: Wire, endpoint: str, data: bytes) -> tuple[list[Part], list[Body]]:
    """The parts of an input file, and what is wrong with its lines, which fails the batch."""
    lines = data.splitlines()
    if not lines:
        return [], [_error_line("empty_file", "The input file is empty.", None)]
    if len(lines) > _OPENAI_MOST or len(data) > _OPENAI_BYTES:
        return [], [_error_line("file_too_large", f"At most {_OPENAI_MOST} requests, 200 MB.", None)]
    parts: list[Part] = []
    errors: list[Body] = []
    names: set[str] = set()
    models: set[str] = set()
    for number, line in enumerate(lines, 1):
        try:
            item = json.loads(line)
        except ValueError:
            item = None
        if wrong := _wrong_openai(item, endpoint, names, models):
            errors.append(_error_line(*wrong, number))
            continue
        names.add(item["custom_id"])
        models.add(item["body"]["model"])
        parts.append(batches.part(wire, item["custom_id"], item["body"]))
    return parts, errors


def _error_line(code: str, message: str, line: int | None) -> Body:
    return {"code": code, "message": message, "param": None, "line": line}


def _wrong_openai(item: Any, endpoint: str, names: set[str], models: set[str]) -> tuple[str, str] | None:
    if not isinstance(item, dict):
        return "invalid_json_line", "This line is not parseable as valid JSON."
    for name, kind in (("custom_id", str), ("method", str), ("url", str), ("body", dict)):
        if not isinstance(item.get(name), kind):
            return "missing_required_parameter", f"Missing required parameter: '{name}'."
    if item["custom_id"] in names:
        message = f"The custom_id '{item['custom_id']}' for this request is a duplicate of another request."
        return "duplicate_custom_id", message + " The custom_id parameter must be unique for each request."
    if item["method"] != "POST":
        return "invalid_method", "The HTTP method for this request is not 'POST'."
    if item["url"] != endpoint:
        return "mismatched_endpoint", "The URL for this request does not match the batch's endpoint."
    model = item["body"].get("model")
    if not isinstance(model, str):
        return "missing_required_parameter", "Missing required parameter: 'body.model'."
    if models and model not in models:
        return "mismatched_model", f"The provided model '{model}' does not match the rest of the batch."
    return None


def _status_openai(batch: Batch, now: float) -> str:
    if batch.errors:
        return "failed"
    if batch.ended(now):
        kinds = batch.counts(now)
        late = "cancelled" if batch.cancelled_after is not None else "expired" if kinds["expired"] else ""
        return "failed" if batch.failed else late or "completed"
    if batch.cancelled_after is not None:
        return "cancelling"
    share = batch.elapsed(now) / batch.takes
    return "validating" if share < 0.02 else "finalizing" if share > 0.98 else "in_progress"


def _openai(batches: Batches, batch: Batch, fresh: bool = False) -> Body:
    now, at = batches.clock(), int(batch.created)
    status = "validating" if fresh else _status_openai(batch, now)
    counts = batch.counts(now)
    done, total = counts["succeeded"], 0 if status in ("validating", "failed") else len(batch.parts)
    ended = int(batch.ended_at) if batch.ended(now) else None
    cancelled = batch.cancelled_after
    listed = batch.errors or ((_error_line("server_error", "simulated: the batch failed", None),))
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.about["endpoint"],
        "errors": {"object": "list", "data": list(listed)} if status == "failed" else None,
        "input_file_id": batch.about["input_file_id"],
        "completion_window": "24h",
        "status": status,
        "output_file_id": batch.about.get("output_file_id"),
        "error_file_id": batch.about.get("error_file_id"),
        "created_at": at,
        "in_progress_at": None if status in ("validating", "failed") else at,
        "expires_at": int(batch.created + batch.window),
        "finalizing_at": ended,
        "completed_at": ended if status == "completed" else None,
        "failed_at": ended if status == "failed" else None,
        "expired_at": ended if status == "expired" else None,
        "cancelling_at": None if cancelled is None else int(batch.created + cancelled),
        "cancelled_at": ended if status == "cancelled" else None,
        "request_counts": {
            "total": total,
            "completed": done if total else 0,
            "failed": sum(counts.values()) - done - counts["processing"] if total else 0,
        },
        "metadata": batch.about["metadata"],
        "model": batch.parts[0].body["model"] if batch.parts else None,
        "usage": batch.about.get("usage"),
    }


async def _written_openai(batches: Batches, batch: Batch, fresh: bool = False) -> Body:
    """The batch; once it has ended, with the files of its results."""
    now = batches.clock()
    if batch.ended(now) and not (fresh or batch.errors or batch.failed or "usage" in batch.about):
        outcomes = _shuffled(batch, await batch.results(now))
        used = [made.reply.usage for made in outcomes if made.reply is not None]
        for name, wanted in (("output", True), ("error", False)):
            lines = [_line_openai(made) for made in outcomes if (made.reply is not None) is wanted]
            if lines and f"{name}_file_id" not in batch.about:
                kept = _keep(batches, f"{batch.id}_{name}.jsonl", _lines(lines), "batch_output")
                batch.about[f"{name}_file_id"] = kept["id"]
        read, wrote = sum(usage.input for usage in used), sum(usage.output for usage in used)
        batch.about["usage"] = {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": sum(usage.cache_read for usage in used)},
            "output_tokens": wrote,
            "output_tokens_details": {"reasoning_tokens": sum(usage.reasoning for usage in used)},
            "total_tokens": read + wrote,
        }
    return _openai(batches, batch, fresh)


def _line_openai(made: Outcome) -> Body:
    line: Body = {"id": f"batch_req_{uuid.uuid4().hex}", "custom_id": made.part.id, "response": None}
    wire = RESPONSES if "input" in made.part.body else CHAT
    if made.reply is not None:
        answer, status = wire.write(made.reply, made.part.body), 200
    elif made.kind == "errored" and made.problem is not None:
        answer, status = wire.error(made.problem, 0), made.problem.status
    else:
        words = {
            "expired": "This request could not be executed before the completion window expired.",
            "canceled": "This request was not executed because the batch was cancelled.",
        }[made.kind]
        code = {"expired": "batch_expired", "canceled": "batch_cancelled"}[made.kind]
        return {**line, "error": {"code": code, "message": words}}
    response = {"status_code": status, "request_id": f"req_{uuid.uuid4().hex}", "body": answer}
    return {**line, "response": response, "error": None}


async def _get_openai(batches: Batches, request: web.Request) -> Body:
    return await _written_openai(batches, _find(batches, RESPONSES, request))


async def _cancel_openai(batches: Batches, request: web.Request) -> Body:
    batch = _find(batches, RESPONSES, request)
    if batch.ended(batches.clock()):
        status = _status_openai(batch, batches.clock())
        raise Refused(bad(f"Cannot cancel a batch with status '{status}'.")._replace(status=409))
    batches.cancel(batch)
    return await _written_openai(batches, batch)


async def _list_openai(batches: Batches, request: web.Request) -> Body:
    listed, most = batches.of(RESPONSES), _limit(request, 100)
    if after := request.query.get("after"):
        listed = listed[_position(listed, after) + 1 :]
    data = [await _written_openai(batches, batch) for batch in listed[:most]]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
    return {"object": "list", "data": data, "has_more": len(listed) > most, **ends}


# Gemini


async def _create_gemini(batches: Batches, request: web.Request) -> Body:
    if len(await request.read()) > _GEMINI_BYTES:
        raise Refused(bad("Request payload size exceeds the limit: 20971520 bytes."))
    order = (await _json(request)).get("batch") or {}
    config = order.get("inputConfig") or order.get("input_config") or {}
    asked = (config.get("requests") or {}).get("requests")
    if not isinstance(asked, list) or not asked:
        raise Refused(bad("the stand-in: batch.input_config.requests.requests: expected inline requests"))
    model = request.match_info["model"]
    parts = []
    for index, item in enumerate(asked):
        if not isinstance(item, dict) or not isinstance(item.get("request"), dict):
            raise Refused(bad(f"batch.input_config.requests.requests[{index}].request: required"))
        part = batches.part(GEMINI, str(index), item["request"], model)
        parts.append(part)
    about = {
        "displayName": order.get("displayName") or order.get("display_name") or "",
        "model": model,
        "metadata": [item.get("metadata") for item in asked],
    }
    batch = batches.add(GEMINI, "", parts, about, window=_GEMINI_WINDOW)
    return await _gemini(batches, batch, fresh=True)


def _state_gemini(batch: Batch, now: float) -> str:
    if not batch.ended(now):
        return "PENDING" if batch.elapsed(now) < 0.02 * batch.takes else "RUNNING"
    if batch.failed:
        return "FAILED"
    if batch.cancelled_after is not None:
        return "CANCELLED"
    return "EXPIRED" if batch.span < batch.takes else "SUCCEEDED"


async def _gemini(batches: Batches, batch: Batch, fresh: bool = False) -> Body:
    now = batches.clock()
    state = "PENDING" if fresh else _state_gemini(batch, now)
    counts = {"processing": len(batch.parts)} if fresh else batch.counts(now)
    waiting, good = counts.get("processing", 0), counts.get("succeeded", 0)
    stats = {"requestCount": len(batch.parts), "pendingRequestCount": waiting}
    stats |= {"successfulRequestCount": good, "failedRequestCount": len(batch.parts) - waiting - good}
    ended = state not in ("PENDING", "RUNNING")
    metadata: Body = {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
        "name": f"batches/{batch.id}",
        "model": f"models/{batch.about['model']}",
        "displayName": batch.about["displayName"],
        "state": f"BATCH_STATE_{state}",
        "createTime": _stamp(batch.created),
        "updateTime": _stamp(now),
        "batchStats": {name: str(count) for name, count in stats.items() if count},
    }
    answer: Body = {"name": metadata["name"], "metadata": metadata}
    if not ended:
        return answer
    metadata["endTime"] = _stamp(batch.ended_at)
    if state == "SUCCEEDED":
        told = batch.about["metadata"]
        made = [_inlined(made, told[i]) for i, made in enumerate(await batch.results(now))]
        metadata["output"] = {"inlinedResponses": {"inlinedResponses": made}}
        return {**answer, "done": True, "response": metadata["output"]}
    code = {"FAILED": 13, "CANCELLED": 1, "EXPIRED": 4}[state]
    return {**answer, "done": True, "error": {"code": code, "message": f"simulated: {state.lower()}"}}


def _inlined(made: Outcome, metadata: Body | None) -> Body:
    told = {"metadata": metadata} if metadata else {}
    if made.reply is not None:
        return {"response": GEMINI.write(made.reply, made.part.body), **told}
    problem = made.problem or Problem(504, "", None, "", f"simulated: {made.kind}")
    return {"error": {"code": _RPC_CODES.get(problem.status, 2), "message": problem.message}, **told}


async def _get_gemini(batches: Batches, request: web.Request) -> Body:
    return await _gemini(batches, _find(batches, GEMINI, request))


async def _cancel_gemini(batches: Batches, request: web.Request) -> Body:
    batches.cancel(_find(batches, GEMINI, request))
    return {}


async def _list_gemini(batches: Batches, request: web.Request) -> Body:
    listed, most = batches.of(GEMINI), 50
    if "pageSize" in request.query:
        most = _limit(request, 1000, "pageSize")
    if token := request.query.get("pageToken"):
        listed = listed[_position(listed, token) + 1 :]
    answer: Body = {"operations": [await _gemini(batches, batch) for batch in listed[:most]]}
    return answer | ({"nextPageToken": listed[most - 1].id} if len(listed) > most else {})


async def _json(request: web.Request) -> Body:
    try:
        body = json.loads(await request.read())
    except ValueError as error:
        raise Refused(bad(f"the stand-in: unreadable request: {error!r}")) from error
    if not isinstance(body, dict):
        raise Refused(bad("the stand-in: unreadable request: expected an object"))
    return body


_CLAUDE = "/v1/messages/batches"
_GPT = "/v1/batches"
_GOOGLE = "/v1beta/batches"
ROUTES = (
    Route("POST", _CLAUDE, ANTHROPIC, "create", _create_anthropic),
    Route("GET", _CLAUDE, ANTHROPIC, "list", _list_anthropic),
    Route("GET", f"{_CLAUDE}/{{id}}", ANTHROPIC, "poll", _get_anthropic),
    Route("GET", f"{_CLAUDE}/{{id}}/results", ANTHROPIC, "results", _results_anthropic),
    Route("POST", f"{_CLAUDE}/{{id}}/cancel", ANTHROPIC, "cancel", _cancel_anthropic),
    Route("POST", "/v1/files", RESPONSES, "upload", _upload_openai),
    Route("GET", "/v1/files/{id}", RESPONSES, "poll", _file_openai),
    Route("GET", "/v1/files/{id}/content", RESPONSES, "results", _content_openai),
    Route("POST", _GPT, RESPONSES, "create", _create_openai),
    Route("GET", _GPT, RESPONSES, "list", _list_openai),
    Route("GET", f"{_GPT}/{{id}}", RESPONSES, "poll", _get_openai),
    Route("POST", f"{_GPT}/{{id}}/cancel", RESPONSES, "cancel", _cancel_openai),
    Route("POST", "/v1beta/models/{model:.+}:batchGenerateContent", GEMINI, "create", _create_gemini),
    Route("GET", _GOOGLE, GEMINI, "list", _list_gemini),
    Route("GET", f"{_GOOGLE}/{{id}}", GEMINI, "poll", _get_gemini),
    Route("POST", f"{_GOOGLE}/{{id:[^:/]+}}:cancel", GEMINI, "cancel", _cancel_gemini),
)
VERBS = ("upload", "create", "poll", "list", "results", "cancel")
