"""Batches as Anthropic takes them: ids are checked at once, bodies part by part; counts move only at the end.

Sources: anthropic 2.10 for paths and fields; Anthropic's guide to batches for the form of ids and the most.
"""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from providers.dialects import ANTHROPIC, Body
from providers.stand_in.batch_desk import Route, find, json_of, limit, lines_of, position, shuffled, stamp
from providers.stand_in.batches import Batch, Batches, Outcome
from providers.stand_in.faults import Refused, bad, missing

_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)
_MOST = 100_000


async def _create(batches: Batches, request: web.Request) -> Body:
    asked = (await json_of(request)).get("requests")
    if not isinstance(asked, list) or not asked:
        raise Refused(bad("requests: List should have at least 1 item after validation, not 0"))
    if len(asked) > _MOST:
        raise Refused(bad(f"requests: List should have at most {_MOST} items after validation"))
    names: set[str] = set()
    for index, item in enumerate(asked):
        if why := _wrong(item, names):
            raise Refused(bad(f"requests.{index}.{why}"))
        names.add(item["custom_id"])
    parts = [batches.part(ANTHROPIC, item["custom_id"], item["params"]) for item in asked]
    return _told(batches, batches.add(ANTHROPIC, "msgbatch_", parts, {}), request, fresh=True)


def _wrong(item: Any, names: set[str]) -> str:
    if not isinstance(item, dict) or not isinstance(item.get("params"), dict):
        return "params: Field required"
    name = item.get("custom_id")
    if not isinstance(name, str) or not _CUSTOM_ID.fullmatch(name):
        return "custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"
    return f"custom_id: '{name}' is not unique within the batch" if name in names else ""


def _told(batches: Batches, batch: Batch, request: web.Request, fresh: bool = False) -> Body:
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
        "created_at": stamp(batch.created),
        "expires_at": stamp(batch.created + batch.window),
        "ended_at": stamp(batch.ended_at) if ended else None,
        "cancel_initiated_at": None if cancelled is None else stamp(batch.created + cancelled),
        "archived_at": None,
        "results_url": f"{request.url.origin()}/v1/messages/batches/{batch.id}/results" if ended else None,
    }


async def _get(batches: Batches, request: web.Request) -> Body:
    return _told(batches, find(batches, ANTHROPIC, request), request)


async def _cancel(batches: Batches, request: web.Request) -> Body:
    batch = find(batches, ANTHROPIC, request)
    if batch.ended(batches.clock()):
        raise Refused(bad(f"Batch {batch.id} cannot be canceled because it has finished processing."))
    batches.cancel(batch)
    return _told(batches, batch, request, fresh=True)


async def _list(batches: Batches, request: web.Request) -> Body:
    """Latest first; `after_id` goes on to older ones, `before_id` back to newer ones."""
    listed, most = batches.of(ANTHROPIC), limit(request, 1000)
    if before := request.query.get("before_id"):
        newer = listed[: position(listed, before)]
        page, more = newer[-most:], len(newer) > most
    else:
        after = request.query.get("after_id")
        older = listed[position(listed, after) + 1 :] if after else listed
        page, more = older[:most], len(older) > most
    data = [_told(batches, batch, request) for batch in page]
    ends = {"first_id": page[0].id, "last_id": page[-1].id} if page else {"first_id": None, "last_id": None}
    return {"data": data, "has_more": more, **ends}


async def _results(batches: Batches, request: web.Request) -> bytes:
    batch = find(batches, ANTHROPIC, request)
    now = batches.clock()
    if not batch.ended(now):
        raise Refused(missing(f"Batch {batch.id} has no results before it has ended."))
    outcomes = shuffled(batch, await batch.results(now))
    return lines_of({"custom_id": made.part.id, "result": _result(made)} for made in outcomes)


def _result(made: Outcome) -> Body:
    if made.reply is not None:
        message = ANTHROPIC.write(made.reply, made.part.body)
        message["usage"]["service_tier"] = "batch"
        return {"type": "succeeded", "message": message}
    if made.kind == "errored" and made.problem is not None:
        return {"type": "errored", "error": ANTHROPIC.error(made.problem, 0)}
    return {"type": made.kind}


_PATH = "/v1/messages/batches"
ROUTES = (
    Route("POST", _PATH, ANTHROPIC, "create", _create),
    Route("GET", _PATH, ANTHROPIC, "list", _list),
    Route("GET", f"{_PATH}/{{id}}", ANTHROPIC, "poll", _get),
    Route("GET", f"{_PATH}/{{id}}/results", ANTHROPIC, "results", _results),
    Route("POST", f"{_PATH}/{{id}}/cancel", ANTHROPIC, "cancel", _cancel),
)
