"""What the three ways to hand in a batch share: a route and its handler, and reading what was asked.

A handler returns a body, or the lines of a file, or raises `Refused`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from aiohttp import web

from providers.dialects import Body, Wire
from providers.stand_in.batches import Batch, Batches, Outcome
from providers.stand_in.faults import Refused, bad, missing

Handler = Callable[[Batches, web.Request], Awaitable[Body | bytes]]
VERBS = ("upload", "create", "poll", "list", "results", "cancel")


class Route(NamedTuple):
    method: str
    path: str
    wire: Wire
    verb: str
    handle: Handler


def stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def lines_of(items: Iterable[Body]) -> bytes:
    return b"".join(json.dumps(item, separators=(",", ":")).encode() + b"\n" for item in items)


def shuffled(batch: Batch, outcomes: list[Outcome]) -> list[Outcome]:
    """Any order that is not the requests' own, and the same each time."""
    return random.Random(batch.id).sample(outcomes, len(outcomes))


def limit(request: web.Request, most: int, name: str = "limit") -> int:
    given = request.query.get(name, "20")
    if not (given.isdigit() and 1 <= int(given) <= most):
        raise Refused(bad(f"{name}: {given!r} is not a number from 1 to {most}"))
    return int(given)


def find(batches: Batches, wire: Wire, request: web.Request) -> Batch:
    name = request.match_info["id"]
    batch = batches.get(wire, name)
    if batch is None:
        raise Refused(missing(f"No batch found with id '{name}'."))
    return batch


def position(listed: list[Batch], name: str) -> int:
    place = next((index for index, batch in enumerate(listed) if batch.id == name), None)
    if place is None:
        raise Refused(bad(f"no batch {name!r} to page from"))
    return place


async def json_of(request: web.Request) -> Body:
    try:
        body = json.loads(await request.read())
    except ValueError as error:
        raise Refused(bad(f"the stand-in: unreadable request: {error!r}")) from error
    if not isinstance(body, dict):
        raise Refused(bad("the stand-in: unreadable request: expected an object"))
    return body
