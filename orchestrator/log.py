"""A run's log for machines: one JSON object per line, for whoever follows many runs at once.

It holds every event whole, so that a log needs no second run to say more; what comes thousands of times is of level
`debug` and easy to leave out (`jq 'select(.level != "debug")'`). Beside the events there is what they do not know:
with which version the process began, and how it ended. Lines are ASCII, so that what a model wrote can do nothing to
the terminal that shows them, and each is one append to the file: a reader never sees half of one, and several runs
may share a log. Trouble with the disk is told once and does not end a run that is paid for.

Left out: rotation, which logrotate and its like do better (with copytruncate: appending goes on at the new end).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from orchestrator.events import Event, Listener
from providers.base import redact

Level = Literal["debug", "info", "warning", "error"]

LEVELS: Mapping[str, Callable[[Event], Level]] = {
    "decision": lambda event: "warning" if event["outcome"] in ("fallback", "forfeit") else "debug",
    "call": lambda event: "debug" if event["kind"] == "ok" else "warning",
    "match": lambda event: "warning" if event["status"] == "void" else "info",
    "wave": lambda event: "warning" if event["status"] == "refused" else "info",
    "limit": lambda event: "warning",
    "summary": lambda event: "error" if event.get("status") == "failed" else "info",
}
"""How grave an event is, by its type; `info` where the table says nothing."""


class Log:
    """A listener to a run's events that appends them to a file, inside `with`. Raises OSError if it cannot be opened.

    `tell` is told, as a notice, when lines begin to be lost.
    """

    def __init__(self, path: Path, tell: Listener = lambda event: None) -> None:
        self.path = path
        self._tell = tell
        self._run = ""
        self._ended = False
        self._torn = False  # the last line could not be written, or not whole
        self._told = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._ended and error is not None:
            self.end(None, f"{type(error).__name__}: {error}", "error")
        os.close(self._file)

    def __call__(self, event: Event) -> None:
        kind = event["type"]
        self._run = event["run"] if kind == "run" else self._run
        level = LEVELS[kind](event) if kind in LEVELS else "info"
        fields = {name: value for name, value in event.items() if name not in ("type", "at")}
        self._write(event["at"], level, kind, fields)

    def begin(self, *, kind: str, output: Path, version: str, run: str = "") -> None:
        """A process begins to play; `run` is empty where the run has no id yet."""
        self._run = run
        fields = {"kind": kind, "output": str(output), "version": version, "pid": os.getpid()}
        self._write(time.time(), "info", "begin", fields)

    def end(self, exit_status: int | None, reason: str = "", level: Level = "info") -> None:
        """It ends, as far as it knows: with this exit status, None if that is Python's to say."""
        self._ended = True
        self._write(time.time(), level, "end", {"exit": exit_status, "reason": reason})

    def _write(self, at: float, level: Level, event: str, fields: Mapping[str, Any]) -> None:
        head = {"at": stamp(at), "level": level, "event": event, "run": self._run}
        line = redact(json.dumps({**head, **fields}, default=str)) + "\n"
        try:
            data = (f"\n{line}" if self._torn else line).encode("ascii")
            self._torn = os.write(self._file, data) < len(data)
        except OSError as error:
            self._torn = True
            self._lost(error)
        else:
            if self._torn:
                self._lost(OSError("the disk took half a line"))

    def _lost(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            why = error.strerror or error
            text = f"{self.path} cannot be written ({why}): lines of the log are lost; the run goes on"
            self._tell({"type": "notice", "at": round(time.time(), 3), "text": text})


def stamp(unix: float) -> str:
    """2026-11-20T15:04:05.123Z: sorts as text."""
    at = datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds")
    return at.removesuffix("+00:00") + "Z"
