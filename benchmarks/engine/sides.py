"""Who takes part in a comparison, and how each is run in an environment of its own.

Peers need versions that exclude each other and us, so each has a virtual environment under `.venv-bench`, made
from the pinned `peers/NAME.txt` when first needed and again when that file changes. What cannot be installed or
run is told, with the reason, and does not stop the others.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".venv-bench"
PINS = Path(__file__).parent / "peers"
LONGEST_S = 600.0
# Memory is kept, not handed back: glibc's trimming would, by luck, halve the rate of a peer that makes large arrays.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}


class Side(NamedTuple):
    """`module` is run by the Python of the environment `peer`, or by ours where that is empty."""

    module: str
    peer: str = ""
    once: bool = False  # not in every round, and not on one CPU


SIDES = {
    "ours": Side("benchmarks.engine.ours"),
    "openspiel": Side("benchmarks.engine.peers.openspiel", "openspiel"),
    "pgx": Side("benchmarks.engine.peers.pgx", "pgx"),
    "essence_wars": Side("benchmarks.engine.peers.essence_wars", "essence_wars"),
    "dressed": Side("benchmarks.engine.dressed", "pettingzoo"),
    "pettingzoo": Side("benchmarks.engine.peers.pettingzoo", "pettingzoo"),
    "textarena": Side("benchmarks.engine.peers.textarena", "textarena"),
    "build": Side("benchmarks.engine.build", once=True),
}


class Told(NamedTuple):
    """What one process said."""

    versions: dict[str, str]
    values: dict[str, float]  # units per second, by measure
    sizes: dict[str, str]
    failed: dict[str, str]  # why, by measure
    problem: str = ""  # why the process did not end well


class Unavailable(Exception):
    """A peer that cannot be installed here; the message says why."""


def ask(side: Side, names: list[str], seconds: float, cpu: int) -> Told:
    """Let a side measure what `names` say, in a process of its own."""
    told = Told({}, {}, {}, {})
    try:
        command = [str(python_of(side.peer)), "-m", side.module, str(seconds), *names]
    except Unavailable as error:
        return told._replace(failed=dict.fromkeys(names, str(error)))
    with one_cpu(cpu, not side.once):
        out, problem = run(command)
    for line in out.splitlines():
        if line.startswith("["):
            understand(told, json.loads(line))
    for name in names:
        if name not in told.values and name not in told.failed:
            told.failed[name] = problem or "it said nothing"
    return told._replace(problem=problem)


def run(command: list[str]) -> tuple[str, str]:
    """Standard output, and the last line of its complaint if it failed."""
    hidden = ("DUELIST_ENGINE", "PYTHONPATH", "PYTHONSAFEPATH")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    environment |= KEEP_MEMORY
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        return text_of(error.stdout), f"not done after {LONGEST_S:g} s"
    if done.returncode:
        return done.stdout, last_line(done.stderr) or f"exit status {done.returncode}"
    return done.stdout, ""


def understand(told: Told, line: list[Any]) -> None:
    """Take in one line of `timing.tell`."""
    kind, *rest = line
    if kind == "versions":
        told.versions.update(rest[0])
    elif kind == "failed":
        told.failed[rest[0]] = rest[1]
    else:
        told.values[rest[0]] = rest[1]
        told.sizes[rest[0]] = rest[2]


@contextmanager
def one_cpu(cpu: int, wanted: bool) -> Iterator[None]:
    """What is started meanwhile stays on that CPU with all its threads, where the system can do that."""
    if not wanted or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def python_of(peer: str) -> Path:
    """The interpreter that has this peer, installed now if it is not there yet. Unavailable."""
    if not peer:
        return Path(sys.executable)
    why = installed(peer)
    if why:
        raise Unavailable(why)
    return ENVIRONMENTS / peer / "bin" / "python"


@cache
def installed(peer: str) -> str:
    """Make the environment of a peer as its pins say; "" or why it cannot be made."""
    directory, pins = ENVIRONMENTS / peer, PINS / f"{peer}.txt"
    done = directory / "pins.txt"
    if done.exists() and done.read_text() == pins.read_text():
        return ""
    print(f"installing {peer} into {directory.relative_to(ROOT)}", file=sys.stderr, flush=True)
    shutil.rmtree(directory, ignore_errors=True)
    python = directory / "bin" / "python"
    install = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "-r", str(pins)]
    for command in ([sys.executable, "-m", "venv", str(directory)], install):
        step = subprocess.run(command, capture_output=True, text=True, check=False)
        if step.returncode:
            return f"not installed: {last_line(step.stderr or step.stdout)}"
    done.write_text(pins.read_text())
    return ""


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def text_of(output: str | bytes | None) -> str:
    """What a process that was stopped had written."""
    return output.decode() if isinstance(output, bytes) else output or ""
