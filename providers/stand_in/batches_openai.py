"""Batches as OpenAI takes them: a file handed in first, read as a whole, and files of answers and of errors.

What is wrong with a line fails the batch, what is wrong with its body only that line.
Sources: openai 3.51 for paths and fields; OpenAI's guide to batches for limits and words of errors.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from aiohttp import web

from providers.dialects import CHAT, RESPONSES, Body, Wire
from providers.stand_in.batch_desk import Route, find, json_of, limit, lines_of, position, shuffled
from providers.stand_in.batches import DAY, Batch, Batches, Outcome, Part
from providers.stand_in.faults import Refused, bad, missing

_MOST = 50_000
_BYTES = 200 * 1000 * 1000
_ENDPOINTS = {"/v1/responses": RESPONSES, "/v1/chat/completions": CHAT}


async def _upload(batches: Batches, request: web.Request) -> Body:
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


def _kept(batches: Batches, name: str) -> tuple[Body, bytes]:
    if name not in batches.files:
        raise Refused(missing(f"No such File object: {name}"))
    return batches.files[name]


async def _file(batches: Batches, request: web.Request) -> Body:
    return _kept(batches, request.match_info["id"])[0]


async def _content(batches: Batches, request: web.Request) -> bytes:
    return _kept(batches, request.match_info["id"])[1]


async def _create(batches: Batches, request: web.Request) -> Body:
    order = await json_of(request)
    endpoint, window = order.get("endpoint"), order.get("completion_window")
    if endpoint not in _ENDPOINTS:
        raise Refused(bad(f"Invalid value: '{endpoint}'. Supported values are: {', '.join(_ENDPOINTS)}."))
    if window != "24h":
        raise Refused(bad(f"Invalid value: '{window}'. Value must be '24h'."))
    metadata = order.get("metadata") or {}
    if len(metadata) > 16 or any(len(key) > 64 or len(value) > 512 for key, value in metadata.items()):
        raise Refused(bad("metadata: at most 16 pairs, keys of 64 and values of 512 characters"))
    source = str(order.get("input_file_id"))
    parts, errors = _read_file(batches, _ENDPOINTS[endpoint], endpoint, _kept(batches, source)[1])
    about = {"input_file_id": source, "endpoint": endpoint, "metadata": order.get("metadata")}
    # One name for both endpoints, so that a listing has all of them.
    batch = batches.add(RESPONSES, "batch_", parts, about, errors=errors)
    return _told(batches, batch, fresh=True)


def _read_file(batches: Batches, wire: Wire, endpoint: str, data: bytes) -> tuple[list[Part], list[Body]]:
    """The parts of an input file, and what is wrong with its lines, which fails the batch."""
    lines = data.splitlines()
    if not lines:
        return [], [_error_line("empty_file", "The input file is empty.", None)]
    if len(lines) > _MOST or len(data) > _BYTES:
        return [], [_error_line("file_too_large", f"At most {_MOST} requests, 200 MB.", None)]
    parts: list[Part] = []
    errors: list[Body] = []
    names: set[str] = set()
    models: set[str] = set()
    for number, line in enumerate(lines, 1):
        try:
            item = json.loads(line)
        except ValueError:
            item = None
        if wrong := _wrong(item, endpoint, names, models):
            errors.append(_error_line(*wrong, number))
            continue
        names.add(item["custom_id"])
        models.add(item["body"]["model"])
        parts.append(batches.part(wire, item["custom_id"], item["body"]))
    return parts, errors


def _error_line(code: str, message: str, line: int | None) -> Body:
    return {"code": code, "message": message, "param": None, "line": line}


def _wrong(item: Any, endpoint: str, names: set[str], models: set[str]) -> tuple[str, str] | None:
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


def _status(batch: Batch, now: float) -> str:
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


def _told(batches: Batches, batch: Batch, fresh: bool = False) -> Body:
    now, at = batches.clock(), int(batch.created)
    status = "validating" if fresh else _status(batch, now)
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


async def _written(batches: Batches, batch: Batch, fresh: bool = False) -> Body:
    """The batch; once it has ended, with the files of its results."""
    now = batches.clock()
    if batch.ended(now) and not (fresh or batch.errors or batch.failed or "usage" in batch.about):
        outcomes = shuffled(batch, await batch.results(now))
        used = [made.reply.usage for made in outcomes if made.reply is not None]
        for name, wanted in (("output", True), ("error", False)):
            lines = [_line(made) for made in outcomes if (made.reply is not None) is wanted]
            if lines and f"{name}_file_id" not in batch.about:
                kept = _keep(batches, f"{batch.id}_{name}.jsonl", lines_of(lines), "batch_output")
                batch.about[f"{name}_file_id"] = kept["id"]
        read, wrote = sum(usage.input for usage in used), sum(usage.output for usage in used)
        batch.about["usage"] = {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": sum(usage.cache_read for usage in used)},
            "output_tokens": wrote,
            "output_tokens_details": {"reasoning_tokens": sum(usage.reasoning for usage in used)},
            "total_tokens": read + wrote,
        }
    return _told(batches, batch, fresh)


def _line(made: Outcome) -> Body:
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


async def _get(batches: Batches, request: web.Request) -> Body:
    return await _written(batches, find(batches, RESPONSES, request))


async def _cancel(batches: Batches, request: web.Request) -> Body:
    batch = find(batches, RESPONSES, request)
    if batch.ended(batches.clock()):
        status = _status(batch, batches.clock())
        raise Refused(bad(f"Cannot cancel a batch with status '{status}'.")._replace(status=409))
    batches.cancel(batch)
    return await _written(batches, batch)


async def _list(batches: Batches, request: web.Request) -> Body:
    listed, most = batches.of(RESPONSES), limit(request, 100)
    if after := request.query.get("after"):
        listed = listed[position(listed, after) + 1 :]
    data = [await _written(batches, batch) for batch in listed[:most]]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
    return {"object": "list", "data": data, "has_more": len(listed) > most, **ends}


_PATH = "/v1/batches"
ROUTES = (
    Route("POST", "/v1/files", RESPONSES, "upload", _upload),
    Route("GET", "/v1/files/{id}", RESPONSES, "poll", _file),
    Route("GET", "/v1/files/{id}/content", RESPONSES, "results", _content),
    Route("POST", _PATH, RESPONSES, "create", _create),
    Route("GET", _PATH, RESPONSES, "list", _list),
    Route("GET", f"{_PATH}/{{id}}", RESPONSES, "poll", _get),
    Route("POST", f"{_PATH}/{{id}}/cancel", RESPONSES, "cancel", _cancel),
)
