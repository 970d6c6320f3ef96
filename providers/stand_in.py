"""The stand-in of `simulated.py` on loopback, in the wire formats of `dialects.py`, with faults to order.

It exists so that the real SDKs, and whatever is built on them, can be tried, load-tested and rehearsed
without a key. Answers are as each vendor sends them, but for the model they report, which is
"simulated/<bot>", and what a vendor would refuse is refused in its words. Faults come at the behaviour's
rates, or on demand: from the header `x-stand-in-fault`, or queued for the next calls by POST /_control.
GET /_control tells what was asked and answered. Only loopback addresses are served.

Left out: streaming, batches, tools and images; they answer 400 or 404. Chat Completions carries the
thinking as `reasoning_content`, which OpenAI itself never sends but servers that speak its format do.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from time import perf_counter

from aiohttp import web

from providers.base import Reply, Request
from providers.dialects import ANTHROPIC, CHAT, EPOCH, GEMINI, RESPONSES, Body, Problem, Wire
from providers.simulated import WRONG, Behaviour, StandIn, prompt_tokens

FAULT_HEADER = "x-stand-in-fault"

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
_WAIT = frozenset({429, 503, 529})  # statuses that say how long to wait

# On demand: a problem, no answer (hang, cut), a broken one (garbled: 200 with broken JSON; half: a body cut
# short), a wrong one (`WRONG`, and blocked: Gemini's refusal of the prompt itself), or "ok" to let one pass.
ON_DEMAND = (*PROBLEMS, "hang", "cut", "garbled", "half", *WRONG, "blocked", "ok")


class Server:
    """The stand-in behind HTTP. One per `serve`; `url` is where it listens."""

    def __init__(
        self,
        behaviour: Behaviour,
        models: Mapping[str, Behaviour] | None = None,
        require_key: str | None = None,
    ) -> None:
        """`models` gives named models a behaviour of their own; every other name gets `behaviour`.

        Raises ValueError if the engine has no bot of a behaviour's name.
        """
        self.url = ""
        self._default = StandIn(behaviour)
        self._models = {name: StandIn(of) for name, of in (models or {}).items()}
        self._key = require_key
        self._queue: deque[str] = deque()
        self._in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Forget what was counted."""
        self._requests = 0
        self._peak = self._in_flight
        self._routes: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self._asked: Counter[bytes] = Counter()
        self._answered: Counter[bytes] = Counter()
        self._seconds = self._slowest = 0.0

    def queue(self, *faults: str) -> None:
        """What happens to the next calls, one each (`ON_DEMAND`). Raises ValueError on an unknown name."""
        for fault in faults:
            if fault not in ON_DEMAND:
                raise ValueError(f"unknown fault {fault!r}; there are: {', '.join(ON_DEMAND)}")
        self._queue.extend(faults)

    def behave(self, behaviour: Behaviour) -> None:
        """Replace the behaviour of every model that has none of its own."""
        self._default = StandIn(behaviour)

    @property
    def counts(self) -> Body:
        """What was asked so far. Latency is of answered calls, in seconds.

        A call counts as answered when a whole 200 was sent. Two calls are the same question when model,
        system, messages, output bound and seed are the same.
        """
        answered = self._answered.total()
        return {
            "requests": self._requests,
            "answered": answered,
            "questions": len(self._asked),
            "asked_again": self._asked.total() - len(self._asked),
            "answered_again": answered - len(self._answered),
            "routes": dict(self._routes),
            "faults": dict(self._faults),
            "in_flight": self._in_flight,
            "in_flight_peak": self._peak,
            "latency": {"mean": self._seconds / answered if answered else 0.0, "max": self._slowest},
        }

    @property
    def questions(self) -> dict[str, tuple[int, int]]:
        """Per question, by its hash: how often it was asked and how often answered."""
        return {key.hex(): (asked, self._answered[key]) for key, asked in self._asked.items()}

    def app(self) -> web.Application:
        app = web.Application(client_max_size=16 << 20)
        app.add_routes(
            [
                web.post("/v1/messages", partial(self._generate, ANTHROPIC)),
                web.post("/v1/responses", partial(self._generate, RESPONSES)),
                web.post("/v1/chat/completions", partial(self._generate, CHAT)),
                web.post(
                    "/{version:v1|v1beta}/models/{model:.+}:generateContent", partial(self._generate, GEMINI)
                ),
                web.post("/v1/messages/count_tokens", partial(self._count, ANTHROPIC)),
                web.post("/v1/responses/input_tokens", partial(self._count, RESPONSES)),
                web.post("/{version:v1|v1beta}/models/{model:.+}:countTokens", partial(self._count, GEMINI)),
                web.get("/{version:v1|v1beta}/models", self._list_models),
                web.get("/", self._hello),
                web.get("/_control", self._tell),
                web.post("/_control", self._control),
            ]
        )
        return app

    async def _generate(self, wire: Wire, request: web.Request) -> web.StreamResponse:
        self._requests += 1
        self._routes[wire.name] += 1
        self._in_flight += 1
        self._peak = max(self._peak, self._in_flight)
        try:
            return await self._reply(request, wire, perf_counter())
        finally:
            self._in_flight -= 1

    async def _reply(self, request: web.Request, wire: Wire, began: float) -> web.StreamResponse:
        fault = request.headers.get(FAULT_HEADER) or (self._queue.popleft() if self._queue else "")
        body, question = await self._read(request, wire)
        if isinstance(question, Problem):
            return self._refuse(wire, question)
        if why := wire.refuse(body):
            return self._refuse(wire, PROBLEMS["400"]._replace(message=why))
        mind = self._models.get(question.model, self._default)
        key = mind.digest(question)[:16] + question.model.encode()
        self._asked[key] += 1
        fault = fault or mind.fault(question)
        if fault and fault != "ok":
            self._faults[fault] += 1
        if fault in PROBLEMS:
            return self._refuse(wire, PROBLEMS[fault], mind.behaviour.retry_after)
        if fault in ("hang", "cut"):
            return await _vanish(request, hang=fault == "hang")
        reply = _answer(mind, question, fault)
        if reply.latency_s:
            await asyncio.sleep(reply.latency_s)
        data = json.dumps(wire.write(reply, body), separators=(",", ":")).encode()
        headers = wire.headers(f"req_simulated_{self._requests}", body)
        if fault == "half":
            return await _send_half(request, data)
        if fault == "garbled":
            data = data[: len(data) // 2]
        else:
            self._answered[key] += 1
            self._time(perf_counter() - began)
        return web.Response(body=data, content_type="application/json", headers=headers)

    async def _read(self, request: web.Request, wire: Wire) -> tuple[Body, Request | Problem]:
        """The body, and what it asks or why it cannot be answered."""
        if self._key is not None and self._key not in _keys(request):
            return {}, PROBLEMS["401"]
        fault = request.headers.get(FAULT_HEADER, "ok")
        if fault not in ON_DEMAND:
            return {}, _bad(f"unknown {FAULT_HEADER} {fault!r}; there are: {', '.join(ON_DEMAND)}")
        try:
            body = json.loads(await request.read())
            if body.get("stream"):
                raise ValueError("the stand-in does not stream")
            return body, wire.read(body, request.match_info.get("model", ""))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            return {}, _bad(f"unreadable request: {error!r}")

    def _refuse(self, wire: Wire, problem: Problem, wait_s: float = 0.0) -> web.Response:
        headers = wire.headers(f"req_simulated_{self._requests}", {})
        if problem.status in _WAIT:
            headers["retry-after"] = f"{wait_s:g}"
        return web.json_response(wire.error(problem, wait_s), status=problem.status, headers=headers)

    def _time(self, seconds: float) -> None:
        self._seconds += seconds
        self._slowest = max(self._slowest, seconds)

    async def _count(self, wire: Wire, request: web.Request) -> web.Response:
        self._routes[f"{wire.name} count"] += 1
        _, question = await self._read(request, wire)
        if isinstance(question, Problem):
            return self._refuse(wire, question)
        return web.json_response(wire.tally(prompt_tokens(question)))

    async def _list_models(self, _: web.Request) -> web.Response:
        """One list that all three vendors' clients can read; the paths collide, the fields do not."""
        names = [*self._models, self._default.model]
        data = [
            {
                "id": name,
                "object": "model",
                "created": EPOCH,
                "owned_by": "simulated",
                "type": "model",
                "display_name": f"{name} (simulated)",
                "created_at": "2023-11-14T22:13:20Z",
                "lifecycle": "active",
            }
            for name in names
        ]
        models = [{"name": f"models/{name}", "displayName": f"{name} (simulated)"} for name in names]
        page = {"has_more": False, "first_id": names[0], "last_id": names[-1]}
        return web.json_response({"object": "list", "data": data, **page, "models": models})

    async def _hello(self, _: web.Request) -> web.Response:
        return web.Response(
            text=f"A stand-in for a language model: {self._default.model}, no model at all.\n"
        )

    async def _tell(self, request: web.Request) -> web.Response:
        more = {"by_question": self.questions} if "questions" in request.query else {}
        return web.json_response(self.counts | more)

    async def _control(self, request: web.Request) -> web.Response:
        """{"faults": [...], "behaviour": {"bot": ..., option: value, ...}, "reset": true}, each optional."""
        try:
            order = await request.json()
            if unknown := sorted(set(order) - {"faults", "behaviour", "reset"}):
                raise ValueError(f"unknown {', '.join(unknown)}; expected faults, behaviour or reset")
            if "behaviour" in order:
                options = dict(order["behaviour"])
                self.behave(Behaviour.of(options.pop("bot", self._default.behaviour.bot), **options))
            self.queue(*order.get("faults", ()))
        except (ValueError, LookupError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        if order.get("reset"):
            self.reset()
        return web.json_response(self.counts)


def _bad(message: str) -> Problem:
    return PROBLEMS["400"]._replace(message=f"the stand-in: {message}")


def _answer(mind: StandIn, question: Request, fault: str) -> Reply:
    """The drawn answer, or the wrong one that was demanded."""
    if fault == "blocked":
        return replace(mind.answer(question, "refused"), finish_detail="blocked")
    return mind.answer(question, fault if fault in WRONG else None)


async def _vanish(request: web.Request, *, hang: bool) -> web.Response:
    """No answer: wait until the client gives up (which cancels the handler), or cut the connection now."""
    if hang:
        await asyncio.Event().wait()
    if request.transport is not None:
        request.transport.close()
    return web.Response()


async def _send_half(request: web.Request, data: bytes) -> web.StreamResponse:
    """Headers that promise a whole body, half of it, and a cut."""
    response = web.StreamResponse(headers={"content-type": "application/json"})
    response.content_length = len(data)
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def _keys(request: web.Request) -> tuple[str, ...]:
    """Whatever a client may have sent as its key."""
    headers = request.headers
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    others = (headers.get(name, "") for name in ("x-api-key", "x-goog-api-key"))
    return bearer, *others, request.query.get("key", "")


@asynccontextmanager
async def serve(
    port: int = 0,
    behaviour: Behaviour = Behaviour(),  # noqa: B008 - frozen
    models: Mapping[str, Behaviour] | None = None,
    *,
    host: str = "127.0.0.1",
    require_key: str | None = None,
) -> AsyncIterator[Server]:
    """Serve on a loopback address until the block ends; port 0 takes a free one, `server.url` tells which.

    Raises ValueError on an address that is not loopback or an unknown bot, OSError if the port is taken.
    """
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"{host} is not a loopback address, and the stand-in serves this machine only")
    server = Server(behaviour, models, require_key)
    runner = web.AppRunner(server.app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=2048).start()
        bound, *_ = runner.addresses
        server.url = f"http://[{host}]:{bound[1]}" if ":" in host else f"http://{host}:{bound[1]}"
        yield server
    finally:
        await runner.cleanup()
