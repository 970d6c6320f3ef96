"""Batches as Gemini takes them inline: a long-running operation whose answers come with it, in their order.

An expired or cancelled one has no answers at all. Served under /v1beta only: under /v1 its paths are OpenAI's.
Sources: google-genai 3.3 for paths and fields; Google's guide to batches for the window, the size and the order.
"""

from __future__ import annotations

from aiohttp import web

from providers.dialects import GEMINI, Body, Problem
from providers.stand_in.batch_desk import Route, find, json_of, limit, position, stamp
from providers.stand_in.batches import DAY, Batch, Batches, Outcome
from providers.stand_in.faults import Refused, bad

_BYTES = 20 << 20
_WINDOW = 2 * DAY
_RPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 429: 8, 500: 13, 503: 14, 504: 4}


async def _create(batches: Batches, request: web.Request) -> Body:
    if len(await request.read()) > _BYTES:
        raise Refused(bad("Request payload size exceeds the limit: 20971520 bytes."))
    order = (await json_of(request)).get("batch") or {}
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
    batch = batches.add(GEMINI, "", parts, about, window=_WINDOW)
    return await _told(batches, batch, fresh=True)


def _state(batch: Batch, now: float) -> str:
    if not batch.ended(now):
        return "PENDING" if batch.elapsed(now) < 0.02 * batch.takes else "RUNNING"
    if batch.failed:
        return "FAILED"
    if batch.cancelled_after is not None:
        return "CANCELLED"
    return "EXPIRED" if batch.span < batch.takes else "SUCCEEDED"


async def _told(batches: Batches, batch: Batch, fresh: bool = False) -> Body:
    now = batches.clock()
    state = "PENDING" if fresh else _state(batch, now)
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
        "createTime": stamp(batch.created),
        "updateTime": stamp(now),
        "batchStats": {name: str(count) for name, count in stats.items() if count},
    }
    answer: Body = {"name": metadata["name"], "metadata": metadata}
    if not ended:
        return answer
    metadata["endTime"] = stamp(batch.ended_at)
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


async def _get(batches: Batches, request: web.Request) -> Body:
    return await _told(batches, find(batches, GEMINI, request))


async def _cancel(batches: Batches, request: web.Request) -> Body:
    batches.cancel(find(batches, GEMINI, request))
    return {}


async def _list(batches: Batches, request: web.Request) -> Body:
    listed, most = batches.of(GEMINI), 50
    if "pageSize" in request.query:
        most = limit(request, 1000, "pageSize")
    if token := request.query.get("pageToken"):
        listed = listed[position(listed, token) + 1 :]
    answer: Body = {"operations": [await _told(batches, batch) for batch in listed[:most]]}
    return answer | ({"nextPageToken": listed[most - 1].id} if len(listed) > most else {})


_PATH = "/v1beta/batches"
ROUTES = (
    Route("POST", "/v1beta/models/{model:.+}:batchGenerateContent", GEMINI, "create", _create),
    Route("GET", _PATH, GEMINI, "list", _list),
    Route("GET", f"{_PATH}/{{id}}", GEMINI, "poll", _get),
    Route("POST", f"{_PATH}/{{id:[^:/]+}}:cancel", GEMINI, "cancel", _cancel),
)
