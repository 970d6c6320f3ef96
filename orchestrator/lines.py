"""How one attempt to ask a model travels: a line takes a request to its service and brings back the reply.

The player knows no more than `send`: whether the call goes out at once, waits its turn under a service's
limits, joins a wave of many that are handed in together, or is answered from a tape, is the line's business.
Retrying is not: every `send` is one attempt on the bill. That attempt begins when the call leaves for the
service, which only the line knows, and says: what waits in a queue costs nothing, and has no latency yet.
"""

from __future__ import annotations

from typing import Protocol

from providers.base import Provider, Reply, Request
from providers.retry import Leaves


async def unheard() -> None:
    """A call leaves and nobody asked to be told."""


class Line(Protocol):
    """One attempt. `call` is its id in the record: `RUN-MATCH-PLY.ASK.ATTEMPT`, unique in the run."""

    async def send(self, call: str, request: Request, leaves: Leaves = unheard) -> Reply:
        """Awaits `leaves` as the call leaves. Raises Retryable or Final, as `Provider.complete` does."""
        ...


class Direct:
    """Straight to the service, at once."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def send(self, call: str, request: Request, leaves: Leaves = unheard) -> Reply:
        await leaves()
        return await self._provider.complete(request)
