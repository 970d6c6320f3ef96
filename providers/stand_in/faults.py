"""What can go wrong to order: refusals in the words of each vendor, and answers that do not arrive whole.

Left out: wrong answers, which are the model's own (`WRONG` of `simulated.py`).
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from providers.dialects import Problem
from providers.simulated import WRONG

PROBLEMS = {
    "400": Problem(
        400, "invalid_request_error", "invalid_value", "INVALID_ARGUMENT", "simulated bad request"
    ),
    "401": Problem(
        401, "authentication_error", "invalid_api_key", "UNAUTHENTICATED", "simulated: no such key"
    ),
    "403": Problem(403, "permission_error", None, "PERMISSION_DENIED", "simulated: not allowed"),
    "404": Problem(404, "not_found_error", "model_not_found", "NOT_FOUND", "simulated: no such model"),
    "413": Problem(413, "request_too_large", None, "INVALID_ARGUMENT", "simulated: request too large"),
    "429": Problem(
        429, "rate_limit_error", "rate_limit_exceeded", "RESOURCE_EXHAUSTED", "simulated rate limit"
    ),
    "500": Problem(500, "api_error", "server_error", "INTERNAL", "simulated server error"),
    "503": Problem(503, "api_error", "server_error", "UNAVAILABLE", "simulated: service unavailable"),
    "504": Problem(504, "timeout_error", "server_error", "DEADLINE_EXCEEDED", "simulated gateway timeout"),
    "529": Problem(529, "overloaded_error", "server_error", "UNAVAILABLE", "simulated: overloaded"),
    "quota": Problem(
        429, "billing_error", "insufficient_quota", "RESOURCE_EXHAUSTED", "You exceeded your current quota"
    ),
    "too_long": Problem(
        400,
        "invalid_request_error",
        "context_length_exceeded",
        "INVALID_ARGUMENT",
        "prompt is too long: the input token count exceeds the maximum context length",
    ),
}
WAIT = frozenset({429, 503, 529})  # statuses that say how long to wait

# What can befall any call: a problem, no answer (hang, cut), a broken one (garbled: 200 with broken JSON; half:
# a body cut short, of a call that did its work), or "ok" to let one pass.
CALL_FAULTS = (*PROBLEMS, "hang", "cut", "garbled", "half", "ok")
# What a call to a model can also be answered with: something wrong, or Gemini's refusal of the prompt itself.
ON_DEMAND = (*CALL_FAULTS, *WRONG, "blocked")
# What can befall a batch: as a whole (expired: half of it is answered when its time is over), or its first part.
BATCH_FAULTS = ("failed", "expired", "part_errored", "part_expired", "ok")


class Refused(Exception):
    """A handler's answer is this problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def bad(message: str) -> Problem:
    return PROBLEMS["400"]._replace(message=message)


def missing(message: str) -> Problem:
    return PROBLEMS["404"]._replace(openai=None, message=message)


async def vanish(request: web.Request, *, hang: bool) -> web.Response:
    """No answer: wait until the client gives up (which cancels the handler), or cut the connection now."""
    if hang:
        await asyncio.Event().wait()
    if request.transport is not None:
        request.transport.close()
    return web.Response()


async def send_half(request: web.Request, data: bytes) -> web.StreamResponse:
    """Headers that promise a whole body, half of it, and a cut."""
    response = web.StreamResponse(headers={"content-type": "application/json"})
    response.content_length = len(data)
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
