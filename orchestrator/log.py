"""A run's log for machines: one JSON object per line, for whoever follows many runs at once.

It holds every event whole, so that a log needs no second run to say more; what comes thousands of times is of level
`debug` and easy to leave out (`jq 'select(.level != "debug")'`). Beside the events there is what they do not know:
with which version a process began, and how it ended. Lines are ASCII, so that what a model wrote can do nothing to
the terminal that shows them, and each is one append to the file: a reader never sees half of one, and several runs
may share a log. Trouble with the disk is told once and does not end a run that is paid for.

Left out: rotation, which logrotate and its like do better (with copytruncate: appending goes on at the new end).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from orchestrator.events import Event, Listener
from providers.base import redact

Level = Literal["debug", "info", "warning", "error"]

LEVELS: Mapping[str, Callable[[Event], Level]] = {
    "decision": lambda event: "warning" if event["outcome"] in ("fallback", "forfeit") else "debug",
    "call": lambda event: "debug" if event["kind"] == "ok" else "warning",
    "match": lambda event: "warning" if event["status"] == "void" else "info",
    "wave": lambda event: "warning" if event["status"] == "refused" else "info",
    "limit": lambda event: "warning",
    "end": lambda event: ENDS.get(event["status"], "error"),
}
"""How grave an event is, by its type; `info` where the table says nothing."""

ENDS: Mapping[str, Level] = {"finished": "info", "incomplete": "warning", "stopped": "warning"}
"""And an end, by what the run's record says of it then."""


class Log:
    """A listener to a run's events that appends them to a file. Raises OSError if that cannot be opened.

    `tell` hears, as a notice, when lines begin to be lost. Without a path nothing is written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.tell: Listener = lambda event: None
        self._run = ""
        self._torn = False  # the last line is not, or not whole, in the file
        self._told = False
        self._file: int | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def __call__(self, event: Event) -> None:
        if event["type"] == "run":
            self._run = event["run"]
        self._write(event)

    @contextmanager
    def process(self, kind: str, output: Path, version: str, run: str = "") -> Iterator[None]:
        """A process plays a run, whose id is empty where it has none yet; if this raises, that was its end."""
        self._run = run
        self._say("begin", kind=kind, output=str(output), version=version, pid=os.getpid())
        try:
            yield
        except BaseException as error:
            self.end("failed", None, f"{type(error).__name__}: {error}")
            raise

    def end(self, status: str, exit_status: int | None, reason: str) -> None:
        """It ends with this exit status; None where it does not know."""
        self._say("end", status=status, exit=exit_status, reason=reason)

    def _say(self, type: str, **fields: Any) -> None:
        self._write({"type": type, "at": round(time.time(), 3), **fields})

    def _write(self, event: Event) -> None:
        if self._file is None:
            return
        data = (b"\n" if self._torn else b"") + line(event, self._run)
        why = "only a part of a line was taken"
        try:
            self._torn = os.write(self._file, data) < len(data)
        except OSError as error:
            self._torn, why = True, error.strerror or str(error)
        if self._torn and not self._told:
            self._told = True
            text = f"{self.path} cannot be written ({why}): lines of the log are lost, the run goes on"
            self.tell({"type": "notice", "at": round(time.time(), 3), "text": text})


def line(event: Event, run: str) -> bytes:
    """An event as a line of the log: when, how grave, what, of which run, then its own fields."""
    kind = event["type"]
    level = LEVELS[kind](event) if kind in LEVELS else "info"
    head = {"at": stamp(event["at"]), "level": level, "event": kind, "run": run}
    fields = {name: value for name, value in event.items() if name not in ("type", "at")}
    return redact(json.dumps({**head, **fields}, default=str) + "\n").encode("ascii")


def stamp(unix: float) -> str:
    """2026-11-20T15:04:05.123Z: sorts as text."""
    at = datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds")
    return at.removesuffix("+00:00") + "Z"
