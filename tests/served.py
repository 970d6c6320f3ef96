"""The stand-in server in a thread of its own, so that a test can watch it while commands run against it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from providers import stand_in
from providers.simulated import Behaviour


@contextmanager
def served(behaviour: Behaviour | None = None, **options: object) -> Iterator[stand_in.Server]:
    """Yields the server; its counters may be read from the test's thread."""
    started = threading.Event()
    box: dict[str, object] = {}

    async def main() -> None:
        stop = asyncio.Event()
        async with stand_in.serve(0, behaviour or Behaviour(), **options) as server:  # type: ignore[arg-type]
            box["server"], box["stop"], box["loop"] = server, stop, asyncio.get_running_loop()
            started.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    assert started.wait(20)
    try:
        yield box["server"]  # type: ignore[misc]
    finally:
        box["loop"].call_soon_threadsafe(box["stop"].set)  # type: ignore[attr-defined]
        thread.join(20)
