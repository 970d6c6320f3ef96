"""The stand-in's server: who is asked, what goes wrong on the way, and the orders that it takes while it runs.

Faults come at the behaviour's rates, or on demand: from the header `x-stand-in-fault`, or queued for the next
calls by POST /_control. GET /_control tells what was asked and answered. Batches live as long as the server.
Its clock, by which batches advance and limits refill, can be injected and put forward, so that nobody waits.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from math import ceil
from time import perf_counter
from typing import Any

from aiohttp import web

from providers.base import Reply, Request
from providers.dialects import ANTHROPIC, CHAT, EPOCH, GEMINI, RESPONSES, Body, Problem, Wire
from providers.simulated import WRONG, Behaviour, StandIn, prompt_tokens
from providers.stand_in import batches_anthropic, batches_gemini, batches_openai
from providers.stand_in.batch_desk import VERBS, Route
from providers.stand_in.batches import Batches, understand
from providers.stand_in.decisions import GEMINI_DECISIONS, OPENAI_DECISIONS, is_gemini
from providers.stand_in.faults import (
    BATCH_FAULTS,
    CALL_FAULTS,
    ON_DEMAND,
    PROBLEMS,
    WAIT,
    Refused,
    bad,
    send_half,
    vanish,
)
from providers.stand_in.limits import Denial, Gate, Gates, Grant, Limits, headers, wait_headers
from providers.stand_in.tally import Tally, key_of

FAULT_HEADER = "x-stand-in-fault"
ASK = "ask"  # the verb of a call to a model; the others are those of batches
_BYTES = 256 << 20  # of the largest request: a batch of Anthropic's
_BATCHES = (*batches_anthropic.ROUTES, *batches_openai.ROUTES, *batches_gemini.ROUTES)


class Server:
    """The stand-in behind HTTP. One per `serve`; `url` is where it listens."""

    def __init__(
        self,
        behaviour: Behaviour,
        models: Mapping[str, Behaviour] | None = None,
        require_key: str | None = None,
        clock: Callable[[], float] = time.time,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        model_limits: Mapping[str, Limits] | None = None,
    ) -> None:
        """`models` gives named models a behaviour of their own; every other name gets `behaviour`.

        Likewise `model_limits` and `limits`, which hold for each model by itself.

        Raises ValueError if the engine has no bot of a behaviour's name.
        """
        self.url = ""
        self._default = StandIn(behaviour)
        self._models = {name: StandIn(of) for name, of in (models or {}).items()}
        self._key = require_key
        self._clock, self._ahead = clock, 0.0
        self._tally = Tally()
        self._batches = Batches(self._mind, self.now, self._tally)
        self._gates = Gates(limits, model_limits, self.now)
        self._queues: dict[str, deque[str]] = {verb: deque() for verb in (ASK, *VERBS)}
        self._queues["batch"] = self._batches.faults

    def now(self) -> float:
        """Unix time by the server's clock."""
        return self._clock() + self._ahead

    def advance(self, seconds: float) -> None:
        """Put the clock forward."""
        self._ahead += seconds

    def finish(self) -> None:
        """End every batch now, as if its time had passed."""
        self._batches.finish()

    def reset(self) -> None:
        """Forget what was counted."""
        self._batches.settle()
        self._tally.reset()
        self._gates.reset()

    def queue(self, *faults: str, verb: str = ASK) -> None:
        """What happens to the next calls of that verb, one each, or to the next batches (verb "batch").

        Verbs: "ask" (`ON_DEMAND`), those of batches (`VERBS`, with `CALL_FAULTS`), and "batch" (`BATCH_FAULTS`).
        Raises ValueError on an unknown name.
        """
        if verb not in self._queues:
            raise ValueError(f"unknown verb {verb!r}; there are: {', '.join(self._queues)}")
        known = {ASK: ON_DEMAND, "batch": BATCH_FAULTS}.get(verb, CALL_FAULTS)
        for fault in faults:
            if fault not in known:
                raise ValueError(f"unknown fault {fault!r}; there are: {', '.join(known)}")
        self._queues[verb].extend(faults)

    def behave(self, behaviour: Behaviour) -> None:
        """Replace the behaviour of every model that has none of its own."""
        self._default = StandIn(behaviour)

    def limit(self, limits: Limits, model: str = "") -> None:
        """Replace the limits of that model, or of every one that has none of its own."""
        self._gates.change(limits, model)

    @property
    def counts(self) -> Body:
        """What was asked so far; see `Tally`, `Batches.counts` and, for each model, `Gate.counts`."""
        batches = self._batches.counts()
        return self._tally.counts() | {"batches": batches, "limits": self._gates.counts()}

    @property
    def questions(self) -> dict[str, tuple[int, int]]:
        """Per question, by its hash: how often it was asked and how often answered."""
        self._batches.settle()
        return {
            key.hex(): (asked, self._tally.answered[key]) for key, asked in list(self._tally.asked.items())
        }

    def app(self) -> web.Application:
        app = web.Application(client_max_size=_BYTES)
        either = "/{version:v1|v1beta}/models"
        asked: list[tuple[str, Wire]] = [
            ("/v1/messages", ANTHROPIC),
            ("/v1/responses", RESPONSES),
            ("/v1/chat/completions", CHAT),
            (either + "/{model:.+}:generateContent", GEMINI),
        ]
        counted: list[tuple[str, Wire]] = [
            ("/v1/messages/count_tokens", ANTHROPIC),
            ("/v1/responses/input_tokens", RESPONSES),
            (either + "/{model:.+}:countTokens", GEMINI),
        ]
        app.add_routes(
            [
                *(web.post(path, partial(self._generate, wire)) for path, wire in asked),
                *(web.post(path, partial(self._count, wire)) for path, wire in counted),
                web.post("/{version:v1|v1beta}/decisions", self._decide),
                *(web.route(route.method, route.path, partial(self._batch, route)) for route in _BATCHES),
                web.get(either, self._list_models),
                web.get("/", self._hello),
                web.get("/_control", self._tell),
                web.post("/_control", self._control),
            ]
        )
        return app

    def _mind(self, model: str) -> StandIn:
        return self._models.get(model, self._default)

    async def _generate(self, wire: Wire, request: web.Request) -> web.StreamResponse:
        self._tally.enter(wire.name)
        try:
            return await self._reply(request, wire, perf_counter())
        finally:
            self._tally.in_flight -= 1

    async def _decide(self, request: web.Request) -> web.StreamResponse:
        """Two vendors share a path; what cannot be read is refused as Google would."""
        try:
            gemini = is_gemini(json.loads(await request.read()))
        except (ValueError, AttributeError):
            gemini = True
        return await self._generate(GEMINI_DECISIONS if gemini else OPENAI_DECISIONS, request)

    async def _reply(self, request: web.Request, wire: Wire, began: float) -> web.StreamResponse:
        body, question = await self._read(request, wire)
        if isinstance(question, Problem):
            return self._refuse(wire, question)
        mind, gate = self._mind(question.model), self._gates.of(question.model)
        self._tally.asked[key_of(mind, question)] += 1
        grant = gate.take(question)
        if isinstance(grant, Denial):
            return self._deny(wire, question.model, gate, grant, mind.behaviour.retry_after)
        try:
            fault = self._demanded(request, ASK) or mind.fault(question)
            return await self._let_in(request, wire, body, question, fault, grant, began)
        finally:
            grant.close()

    async def _let_in(
        self,
        request: web.Request,
        wire: Wire,
        body: Body,
        question: Request,
        fault: str,
        grant: Grant,
        began: float,
    ) -> web.StreamResponse:
        mind = self._mind(question.model)
        if fault and fault != "ok":
            self._tally.faults[fault] += 1
        if fault in PROBLEMS:
            return self._refuse(wire, PROBLEMS[fault], mind.behaviour.retry_after)
        if fault in ("hang", "cut"):
            return await vanish(request, hang=fault == "hang")
        reply = _answer(mind, question, fault)
        grant.used = reply.usage.input + reply.usage.output
        self._tally.work(question.model, reply.usage)
        if reply.latency_s:
            await asyncio.sleep(reply.latency_s)
        grant.close()
        data = json.dumps(wire.write(reply, body), separators=(",", ":")).encode()
        if fault == "half":
            return await send_half(request, data)
        if fault == "garbled":
            data = data[: len(data) // 2]
        else:
            self._tally.answered[key_of(mind, question)] += 1
            grant.gate.answered += 1
            self._tally.time(perf_counter() - began)
        told = wire.headers(self._call_id(), body) | headers(wire.name, grant.gate, self.now())
        return web.Response(body=data, content_type="application/json", headers=told)

    def _deny(self, wire: Wire, model: str, gate: Gate, denial: Denial, otherwise_s: float) -> web.Response:
        """The vendor's 429, with what it tells of the limits."""
        wait_s = otherwise_s if denial.wait_s is None else max(1, ceil(denial.wait_s * 1000 - 1e-3)) / 1000
        each = "" if denial.wait_s is None else " per minute"
        message = f"Rate limit reached for {model}: {denial.limit:g} {denial.what}{each} (simulated)."
        response = self._refuse(wire, PROBLEMS["429"]._replace(message=message), wait_s)
        response.headers.update(headers(wire.name, gate, self.now()) | wait_headers(wire.name, wait_s))
        return response

    async def _batch(self, route: Route, request: web.Request) -> web.StreamResponse:
        """One call of a batch's life; what its handler returns is a body or the lines of a file."""
        self._tally.routes[f"{route.wire.name} {route.verb}"] += 1
        fault = self._demanded(request, route.verb)
        if problem := self._at_door(request, CALL_FAULTS):
            return self._refuse(route.wire, problem)
        if fault and fault != "ok":
            self._tally.faults[f"{route.verb} {fault}"] += 1
        if fault in PROBLEMS:
            return self._refuse(route.wire, PROBLEMS[fault], self._default.behaviour.retry_after)
        if fault in ("hang", "cut"):
            return await vanish(request, hang=fault == "hang")
        try:
            made = await route.handle(self._batches, request)
        except Refused as refused:
            return self._refuse(route.wire, refused.problem)
        data = made if isinstance(made, bytes) else json.dumps(made, separators=(",", ":")).encode()
        if fault == "half":
            return await send_half(request, data)
        kind = "application/x-jsonl" if isinstance(made, bytes) else "application/json"
        data = data[: len(data) // 2] if fault == "garbled" else data
        return web.Response(body=data, content_type=kind, headers=route.wire.headers(self._call_id(), {}))

    def _demanded(self, request: web.Request, verb: str) -> str:
        """The fault that was ordered for this call, "" for none."""
        queue = self._queues[verb]
        return request.headers.get(FAULT_HEADER) or (queue.popleft() if queue else "")

    def _at_door(self, request: web.Request, known: tuple[str, ...]) -> Problem | None:
        """Why a call is turned away before it is read."""
        if self._key is not None and self._key not in _keys(request):
            return PROBLEMS["401"]
        fault = request.headers.get(FAULT_HEADER, "ok")
        if fault not in known:
            return bad(f"the stand-in: unknown {FAULT_HEADER} {fault!r}; there are: {', '.join(known)}")
        return None

    async def _read(
        self, request: web.Request, wire: Wire, counting: bool = False
    ) -> tuple[Body, Request | Problem]:
        """The body, and what it asks or why it cannot be answered."""
        if problem := self._at_door(request, ON_DEMAND):
            return {}, problem
        try:
            body = json.loads(await request.read())
        except ValueError as error:
            return {}, bad(f"the stand-in: unreadable request: {error!r}")
        return body, understand(wire, body, request.match_info.get("model", ""), counting=counting)

    def _call_id(self) -> str:
        return f"req_simulated_{self._tally.requests}"

    def _refuse(self, wire: Wire, problem: Problem, wait_s: float = 0.0) -> web.Response:
        told = wire.headers(self._call_id(), {})
        if problem.status in WAIT and not wire.name.startswith("gemini"):
            told["retry-after"] = f"{wait_s:g}"
        error = wire.error(problem, round(wait_s, 3))
        return web.json_response(error, status=problem.status, headers=told)

    async def _count(self, wire: Wire, request: web.Request) -> web.Response:
        self._tally.routes[f"{wire.name} count"] += 1
        _, question = await self._read(request, wire, counting=True)
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
        """Orders, each optional, carried out in the order of `_ORDERS`; answers with the counts.

        {"behaviour": {"bot": ..., option: value, ...}, "limits": {"model": ..., "rpm": ..., ...},
        "faults": [...] or {verb: [...]}, "advance": seconds, "finish": true, "reset": true}
        """
        try:
            order = await request.json()
            if unknown := sorted(set(order) - set(_ORDERS)):
                raise ValueError(f"unknown {', '.join(unknown)}; expected any of {', '.join(_ORDERS)}")
            for name in _ORDERS:
                if name in order:
                    _ORDERS[name](self, order[name])
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(self.counts)

    def _order_behaviour(self, given: Mapping[str, Any]) -> None:
        options = dict(given)
        self.behave(Behaviour.of(options.pop("bot", self._default.behaviour.bot), **options))

    def _order_limits(self, given: Mapping[str, Any]) -> None:
        options = dict(given)
        model = str(options.pop("model", ""))
        self.limit(Limits.of(**options), model)

    def _order_faults(self, given: Any) -> None:
        for verb, faults in (given if isinstance(given, dict) else {ASK: given}).items():
            self.queue(*faults, verb=verb)


_ORDERS: Mapping[str, Callable[[Server, Any], None]] = {
    "behaviour": Server._order_behaviour,
    "limits": Server._order_limits,
    "faults": Server._order_faults,
    "advance": lambda server, seconds: server.advance(float(seconds)),
    "finish": lambda server, wanted: server.finish() if wanted else None,
    "reset": lambda server, wanted: server.reset() if wanted else None,
}


def _answer(mind: StandIn, question: Request, fault: str) -> Reply:
    """The drawn answer, or the wrong one that was demanded."""
    if fault == "blocked":
        return replace(mind.answer(question, "refused"), finish_detail="blocked")
    return mind.answer(question, fault if fault in WRONG else None)


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
    clock: Callable[[], float] = time.time,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    model_limits: Mapping[str, Limits] | None = None,
) -> AsyncIterator[Server]:
    """Serve on a loopback address until the block ends; port 0 takes a free one, `server.url` tells which.

    `clock` tells Unix time; batches advance and limits refill by it. Raises ValueError on an address that is
    not loopback or an unknown bot, OSError if the port is taken.
    """
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"{host} is not a loopback address, and the stand-in serves this machine only")
    server = Server(behaviour, models, require_key, clock, limits, model_limits)
    runner = web.AppRunner(server.app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=2048).start()
        bound, *_ = runner.addresses
        server.url = f"http://[{host}]:{bound[1]}" if ":" in host else f"http://{host}:{bound[1]}"
        yield server
    finally:
        await runner.cleanup()
