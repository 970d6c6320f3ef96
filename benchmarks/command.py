"""How long the command takes to answer: `python -m benchmarks.command`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

ORCHESTRATOR = str(Path(sys.executable).with_name("orchestrator"))
COMMANDS = (
    ("--help",),
    ("duel", "--help"),
    ("games",),
    ("duel", "bot:greedy", "vs", "bot:random", "--games", "2", "--seed", "1"),
)


def table(rounds: int = 9) -> str:
    """Markdown: wall seconds from start to end, with bytecode, median and worst of the rounds."""
    lines = ["| command | median s | worst s | goal |", "| --- | --- | --- | --- |"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with TemporaryDirectory() as directory:
        for words in COMMANDS:
            took = []
            for _ in range(rounds + 1):
                began = time.perf_counter()
                subprocess.run(
                    [ORCHESTRATOR, *words], cwd=directory, env=environment, check=True, capture_output=True
                )
                took.append(time.perf_counter() - began)
            took = took[1:]  # the first writes the bytecode
            goal = "≤ 0.2" if words == ("--help",) else ""
            lines.append(
                f"| `orchestrator {' '.join(words)}` | {median(took):.3f} | {max(took):.3f} | {goal} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table())
