"""A provider that says what a test wants it to say, and players and matches made with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from orchestrator.model import Conduct, ModelPlayer
from orchestrator.players import Seated
from providers.base import Capabilities, Finish, ProviderError, Reply, Request, Usage
from providers.prices import Price, price_from_text
from providers.retry import RetryPolicy

FAST = RetryPolicy(attempts=3, total_s=5, first_s=0.0, longest_s=0.0)
PRICE: Price = price_from_text("3,15")


def said(text: str, finish: Finish = "stop", **more: Any) -> Reply:
    return Reply(text, Usage(input_fresh=100, output=20), finish, model="scripted-1", **more)


@dataclass
class Scripted:
    """Plays its script one item per attempt (a reply or an error), then asks `then`."""

    script: list[Reply | ProviderError] = field(default_factory=list)
    then: Callable[[Request], Reply] | None = None
    seen: list[Request] = field(default_factory=list)
    name: str = "scripted"

    def capabilities(self, model: str) -> Capabilities:
        return Capabilities(seed=True)

    async def complete(self, request: Request) -> Reply:
        self.seen.append(request)
        await asyncio.sleep(0)
        item = self.script.pop(0) if self.script else self.then(request) if self.then else said("")
        if isinstance(item, ProviderError):
            raise item
        return item

    async def aclose(self) -> None:
        return None


def model(provider: Scripted, retry: RetryPolicy = FAST, **conduct: Any) -> ModelPlayer:
    seated = Seated("scripted:one", "one", "scripted", "hash", "scripted", "one", price=PRICE)
    return ModelPlayer(seated, provider, Conduct(**conduct), retry)
