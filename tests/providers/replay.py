"""A server that gives one prepared answer and remembers what it was asked.

The answers in `wire/` have the shapes that the SDKs declare for each service. Nothing is interpreted here, so
that a mistake about a wire format cannot be made twice, once on each side.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

WIRE = Path(__file__).with_name("wire")


def wire(name: str) -> Any:
    return json.loads((WIRE / f"{name}.json").read_text(encoding="utf-8"))


@dataclass
class Seen:
    path: str
    headers: Mapping[str, str]
    text: str
    method: str = "POST"
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> Any:
        return json.loads(self.text)


@dataclass
class Replay:
    """`answers` are given in turn, the last one for ever after; `fault` is `cut`, `half` or `hang`."""

    answers: list[tuple[int, str]]
    headers: Mapping[str, str] = field(
        default_factory=lambda: {"request-id": "req_1", "x-request-id": "req_1"}
    )
    fault: str = ""
    content_type: str = "application/json"
    url: str = ""
    seen: list[Seen] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(
            Seen(
                request.path,
                dict(request.headers),
                await request.text(),
                request.method,
                dict(request.query),
            )
        )
        status, body = self.answers[min(len(self.seen), len(self.answers)) - 1]
        if self.fault == "hang":
            await asyncio.sleep(30)
        if self.fault == "cut":
            assert request.transport is not None
            request.transport.abort()
        if self.fault == "half":
            return await self._half(request, body)
        return web.Response(
            status=status,
            body=body.encode("utf-8", "surrogateescape"),
            content_type=self.content_type,
            headers=dict(self.headers),
        )

    async def _half(self, request: web.Request, body: str) -> web.StreamResponse:
        answer = web.StreamResponse(
            headers={"Content-Length": str(len(body)), "Content-Type": "application/json"}
        )
        await answer.prepare(request)
        await answer.write(body[: len(body) // 2].encode())
        assert request.transport is not None
        request.transport.abort()
        return answer


@asynccontextmanager
async def replaying(*answers: tuple[int, Any], **about: Any) -> AsyncIterator[Replay]:
    """Serves `answers`, (status, JSON value or text), on a free loopback port."""
    replay = Replay([(status, b if isinstance(b, str) else json.dumps(b)) for status, b in answers], **about)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", replay.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    replay.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield replay
    finally:
        await runner.cleanup()
