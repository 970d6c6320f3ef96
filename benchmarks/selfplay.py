"""How quickly bots play for data: `python -m benchmarks.selfplay [--games 10000] [--jobs N]`.

`orchestrator selfplay` from its start to its end, in a process of its own: playing, recording, and replaying every
match in the end. CPU seconds are those of all its processes. The policy's cost is what asking a bot for it adds to
a choice, and the bytes that it takes in the record.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import engine
from orchestrator.pool import think

GAMES = 10_000
GOAL_S = 600
MATCHES = (
    ("connect4", ("mcts:200", "greedy"), 1.0),
    ("connect4", ("mcts:200", "mcts:200"), 0.2),
    ("othello", ("mcts:200", "greedy"), 0.1),
    ("tictactoe", ("random", "perfect"), 1.0),
    ("blob?players=3", ("ismcts:200", "ismcts:200", "greedy"), 0.1),
)
CHOICES = 2000


class Made(NamedTuple):
    """One run."""

    wall_s: float
    cpu_s: float
    size: int  # bytes of the record
    found: dict[str, Any]  # its report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=GAMES)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    print(table(asked.games, asked.jobs))


def table(games: int = GAMES, jobs: int | None = None) -> str:
    """Markdown."""
    jobs = jobs or os.cpu_count() or 1
    lines = [
        f"| {jobs} processes | matches | wall s | CPU s | matches/s | decisions | bytes each | corrupt | goal |",
        f"|{' --- |' * 9}",
    ]
    for number, (game, bots, share) in enumerate(MATCHES):
        made = played(game, bots, max(1, round(share * games)), jobs)
        matches, decisions = made.found["matches"], made.found["decisions"]
        goal = f"≤ {GOAL_S} s" if number == 0 and games == GAMES else ""
        lines.append(
            f"| {game} {' vs '.join(bots)} | {matches:,} | {made.wall_s:.1f} | {made.cpu_s:.1f} | "
            f"{matches / made.wall_s:,.0f} | {decisions:,} | {made.size / decisions:,.0f} | "
            f"{len(made.found['corrupt'])} | {goal} |"
        )
    return "\n".join(lines) + "\n\n" + policy()


def played(game: str, bots: tuple[str, ...], games: int, jobs: int) -> Made:
    with tempfile.TemporaryDirectory() as directory:
        words = [" vs ".join(bots), "--game", game, "--games", str(games), "--seed", "1", "--jobs", str(jobs)]
        command = [*words[0].split(), *words[1:], "--output", directory, "--json"]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator", "selfplay", *command],
            capture_output=True,
            text=True,
            check=True,
        )
        wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Made(wall_s, cpu_s, Path(directory, "record.db").stat().st_size, json.loads(done.stdout))


def policy() -> str:
    """What it costs to keep what a search found, at Connect 4."""
    bot, game, rng = engine.new_bot("mcts:200"), engine.new("connect4", 1), engine.Rng(1)
    seconds, best = 0.0, []
    for _ in range(CHOICES):
        if game.is_terminal():
            game = engine.new("connect4", 1)
        thought = think(bot, game, rng)
        began = time.perf_counter()
        bot.considered(game)
        seconds += time.perf_counter() - began
        best.append(thought.seconds)
        game.apply(thought.action)
    with tempfile.TemporaryDirectory() as directory:
        command = [
            "selfplay",
            "mcts:200",
            "vs",
            "greedy",
            "--games",
            "200",
            "--jobs",
            "1",
            "--output",
            directory,
        ]
        subprocess.run([sys.executable, "-m", "orchestrator", *command], capture_output=True, check=True)
        with closing(sqlite3.connect(Path(directory, "record.db"))) as db:
            (bytes_each,) = db.execute("SELECT avg(length(probabilities)) FROM decision").fetchone()
    return (
        f"A choice of `mcts:200` at Connect 4 takes {sum(best) / CHOICES * 1e6:,.0f} µs; asking for its policy "
        f"{seconds / CHOICES * 1e6:,.1f} µs more, and {bytes_each:,.0f} bytes on record.\n"
    )


if __name__ == "__main__":
    main()
