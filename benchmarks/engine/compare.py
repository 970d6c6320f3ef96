"""Runs both sides by turns and puts them beside each other and beside the goals."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from statistics import median

# What is compared: label, our measure, theirs, unit, floor and ambitious goal of the ratio.
ROWS: list[tuple[str, str, str, str, float | None, float | None]] = [
    ("TicTacToe, stepped from Python, `step`", "tictactoe hot", "tictactoe loop", "steps", 3, 5),
    ("TicTacToe, stepped from Python, `apply`", "tictactoe checked", "tictactoe loop", "steps", None, None),
    (
        "the same + tensor + mask, `step`",
        "tictactoe hot numbers",
        "tictactoe loop numbers",
        "steps",
        None,
        None,
    ),
    ("the same, `apply`", "tictactoe checked numbers", "tictactoe loop numbers", "steps", None, None),
    ("TicTacToe, playouts in the engine", "tictactoe playouts", "tictactoe loop", "steps", None, None),
    ("TicTacToe, UCT, theirs in C++", "tictactoe uct", "tictactoe uct c++", "simulations", 2, 3),
    ("TicTacToe, UCT, theirs in Python", "tictactoe uct", "tictactoe uct python", "simulations", None, None),
    ("Connect 4, stepped from Python, `step`", "connect4 hot", "connect4 loop", "steps", 5, 8),
    ("Connect 4, stepped from Python, `apply`", "connect4 checked", "connect4 loop", "steps", None, None),
    (
        "the same + tensor + mask, `step`",
        "connect4 hot numbers",
        "connect4 loop numbers",
        "steps",
        None,
        None,
    ),
    ("the same, `apply`", "connect4 checked numbers", "connect4 loop numbers", "steps", None, None),
    ("Connect 4, playouts in the engine", "connect4 playouts", "connect4 loop", "steps", None, None),
    ("Connect 4, UCT, theirs in C++", "connect4 uct", "connect4 uct c++", "simulations", 10, 20),
    ("Connect 4, UCT, theirs in Python", "connect4 uct", "connect4 uct python", "simulations", None, None),
]

NOTE = """In the stepped rows both sides hand the legal actions to Python and Python's `random()` picks; that
pick alone costs about 70 ns a step on either side. `apply` checks and remembers every move and its lists are
new each time; `step` checks nothing and fills reused buffers, as a trainer would. OpenSpiel has no playouts
to call from Python, so those rows compare with its stepped loop. UCT is 1000 simulations a search from the
first position with one random playout each, c = 1.4; it compares speed, not strength. Tensors: ours holds
the board from the mover's side and the legal moves, theirs three planes."""


def table(seconds: float = 0.3, rounds: int = 5, cpu: int = 0) -> str:
    """Measure (about 20 * seconds * rounds CPU seconds) and return the results as Markdown."""
    told: dict[str, list[float]] = {}
    for _ in range(rounds):
        for side in ("ours", "openspiel"):
            for name, value in measured(side, seconds, cpu):
                told.setdefault(name, []).append(value)
    middle = {name: median(values) for name, values in told.items()}
    spread = max(max(abs(value / middle[name] - 1) for value in values) for name, values in told.items())
    lines = [
        "| per CPU second | duelist | OpenSpiel | ratio | floor | goal |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for label, ours, theirs, unit, floor, goal in ROWS:
        ratio = middle[ours] / middle[theirs]
        lines.append(
            f"| {label} | {short(middle[ours])} {unit} | {short(middle[theirs])} | **{ratio:.1f}×** "
            f"| {times(floor)} | {times(goal)} |"
        )
    about = (
        f"Medians of {rounds} rounds by turns, {seconds:g} CPU seconds each, one CPU; "
        f"largest deviation from a median {spread:.0%}. {machine()}."
    )
    return "\n".join([*lines, "", about, "", NOTE, ""])


def measured(side: str, seconds: float, cpu: int) -> list[tuple[str, float]]:
    """What one side says in one round. RuntimeError when it fails."""
    environment = {key: value for key, value in os.environ.items() if key != "DUELIST_ENGINE"}
    command = [sys.executable, "-m", f"benchmarks.engine.{side}", str(seconds), str(cpu)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=Path(__file__).parents[2]
    )
    if done.returncode:
        raise RuntimeError(f"{side} could not be measured: {done.stderr.strip()}")
    return [(name, value) for name, value in map(json.loads, done.stdout.splitlines())]


def short(value: float) -> str:
    """1234567 -> 1.23M."""
    return f"{value / 1e6:.2f}M" if value >= 1e6 else f"{value / 1e3:.0f}k"


def times(goal: float | None) -> str:
    return "" if goal is None else f"{goal:g}×"


def machine() -> str:
    """Processor and versions."""
    model = platform.processor() or platform.machine()
    about = Path("/proc/cpuinfo")
    if about.exists():
        names = [
            line.partition(":")[2].strip() for line in about.read_text().splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    peers = ", ".join(f"{name} {version(name)}" for name in ("open_spiel", "mypy", "librt"))
    return f"{model}, {os.cpu_count()} CPUs; Python {platform.python_version()}, {peers}"
