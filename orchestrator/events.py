"""One stream of events for every face: the live table, plain lines, JSON, later the web page.

An event is a flat dict with `type` (`run match decision call test notice summary` and more), `at` (Unix seconds),
ids and plain JSON values. Listeners must not block; what a model wrote passes through unescaped, the
face that shows it escapes it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]
Listener = Callable[[Event], None]


class Events:
    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def emit(self, type: str, **fields: Any) -> None:
        event = {"type": type, "at": round(time.time(), 3), **fields}
        for listener in self._listeners:
            listener(event)
