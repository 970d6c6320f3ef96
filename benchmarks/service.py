"""What the benchmarks of whole runs share: a stand-in in a process of its own, and commands that play against it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen


@dataclass(frozen=True)
class Service:
    """A stand-in that runs; `counts` and `order` go through its `/_control`."""

    url: str

    def counts(self) -> dict[str, Any]:
        """As `Server.counts`."""
        return self._control(None)

    def called(self) -> int:
        """How often so far, whatever for."""
        return sum(self.counts()["routes"].values())

    def order(self, **orders: Any) -> dict[str, Any]:
        """Change what it does; see `orchestrator simulate --help`."""
        return self._control(json.dumps(orders).encode())

    def _control(self, body: bytes | None) -> dict[str, Any]:
        asked = Request(f"{self.url}/_control", data=body, headers={"content-type": "application/json"})
        for _ in range(50):
            try:
                with urlopen(asked, timeout=60) as answer:
                    counts: dict[str, Any] = json.load(answer)
                return counts
            except URLError as error:  # hundreds knock at once, and the machine turns some away
                trouble = error
                time.sleep(0.1)
        raise trouble

    @property
    def environment(self) -> dict[str, str]:
        """Of a process whose models are all this one."""
        addresses = {"ANTHROPIC": "", "OPENAI": "/v1", "LOCAL": "/v1", "GOOGLE_GEMINI": ""}
        return (
            dict(os.environ)
            | {f"{vendor}_BASE_URL": self.url + path for vendor, path in addresses.items()}
            | {f"{vendor}_API_KEY": "any-key-will-do" for vendor in ("ANTHROPIC", "OPENAI", "GEMINI")}
        )


@contextmanager
def stand_in(*options: str, cpu: int | None = None) -> Iterator[Service]:
    """`orchestrator simulate` with these options, on that core where one is named."""
    command = pinned(cpu, [sys.executable, "-m", "orchestrator", "simulate", "--port", "0", *options])
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        while "ANTHROPIC_BASE_URL=" not in (line := process.stdout.readline()):
            if not line:
                raise SystemExit("the stand-in did not start")
        yield Service(line.strip().partition("=")[2])
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def pinned(cpu: int | None, command: list[str]) -> list[str]:
    return command if cpu is None else ["taskset", "-c", str(cpu), *command]


def orchestrator(service: Service, *words: str, before: str = "") -> subprocess.Popen[bytes]:
    """`orchestrator WORDS` with nothing shown and nothing asked; `before` is Python that its process runs first."""
    code = f"{before}\nimport sys\nfrom orchestrator.cli import main\nsys.exit(main())"
    command = [sys.executable, "-c", code, *words, "--yes", "--display", "none"]
    return subprocess.Popen(command, env=service.environment, stderr=subprocess.PIPE)


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Wait for its end: exit status and what it said."""
    _, said = process.communicate()
    return process.returncode, said.decode(errors="replace").strip()


def kill(process: subprocess.Popen[bytes], service: Service, calls: int = 0, then_s: float = 0.0) -> bool:
    """kill -9 after so many more calls and seconds; False: it had ended by itself."""
    target = service.called() + calls
    while process.poll() is None and service.called() < target:
        time.sleep(0.005)
    time.sleep(then_s)
    was_running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return was_running


def has_run(directory: Path) -> bool:
    """Whether a run began there, so that it can be gone on with."""
    from sqlmodel import select

    from orchestrator.record.database import RecordError
    from orchestrator.record.reading import reading
    from orchestrator.record.tables import Run

    try:
        with reading(directory) as session:
            return session.exec(select(Run)).first() is not None
    except RecordError:
        return False
