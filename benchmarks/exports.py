"""What exporting takes: seconds and memory for so many decisions of a model, by kind and target.

    python -m benchmarks.exports [--decisions 1000000] [--jobs 2] [--write]

The record is made first: whole matches of Connect 4 between two models, every decision with its call, the prompts
and bodies those of the store's benchmark, short thoughts included. The same matches follow each other again and
again, each decision with texts of its own on record, so nothing is read twice from the same place. Every decision
passes: no filter, no dedup, as many answers to a question as there are; an export that drops some is quicker.

An export is the command as it is typed, in a process of its own. Memory is the largest sum of the resident sets of
it and its workers, looked at every 0.1 s: pages that they share count in each.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.page import keep
from benchmarks.store import SHORT, Words, match_id, put_call, put_decision, put_run, words

POOL = 20_000  # decisions that differ
ALL = ("--filter", "none", "--keep-repeats", "--per-question", "1000000000")
ASKED = {
    "sft, trl": ("sft", *ALL, "--no-tables"),
    "sft, trl, with the tables": ("sft", *ALL),
    "rl-prompts, trl": ("rl-prompts", "--keep-repeats", "--no-tables"),
    "rl-arrays, NPZ": ("rl-arrays", "--no-tables"),
    "rl-arrays, NPZ and Parquet": ("rl-arrays", "--format", "npz,parquet", "--no-tables"),
    "tables": ("tables",),
}


class Took(NamedTuple):
    wall_s: float
    cpu_s: float
    peak_bytes: int
    bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", help="exports whose names hold this")
    parser.add_argument("--write", action="store_true", help="into docs/results.md")
    asked = parser.parse_args()
    made = table(asked.decisions, asked.jobs, asked.only or "")
    print(made)
    if asked.write:
        keep("exports", made)


def table(decisions: int = 1_000_000, jobs: int = os.cpu_count() or 1, only: str = "") -> str:
    """Markdown."""
    lines = [
        f"| {decisions:,} decisions, {jobs} processes | seconds | CPU seconds | peak MB | written MB |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    with tempfile.TemporaryDirectory() as directory:
        record, to = Path(directory) / "record", Path(directory) / "export"
        fill(record, decisions)
        for name, options in ASKED.items():
            if only in name:
                took = export(record, to, options, jobs)
                lines.append(
                    f"| {name} | {took.wall_s:.0f} | {took.cpu_s:.0f} | {took.peak_bytes / 1e6:,.0f} "
                    f"| {took.bytes / 1e6:,.0f} |"
                )
                shutil.rmtree(to)
    scale = decisions / 1e6
    return "\n".join([*lines, f"| goal | ≤ {60 * scale:.0f} | | ≤ 2,000 | |"]) + "\n"


def export(record: Path, to: Path, options: Sequence[str], jobs: int) -> Took:
    """One export by the command. Raises CalledProcessError."""
    command = [sys.executable, "-m", "orchestrator", "export", options[0], str(record), *options[1:]]
    began, cpu, peak = time.perf_counter(), os.times(), 0
    with subprocess.Popen(
        [*command, "--include-restricted", "--to", str(to), "--jobs", str(jobs)], stdout=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(0.1)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    now = os.times()
    spent = now.children_user + now.children_system - cpu.children_user - cpu.children_system
    written = sum(file.stat().st_size for file in to.rglob("*") if file.is_file())
    return Took(time.perf_counter() - began, spent, peak, written)


def resident(process: int) -> int:
    """Bytes that a process and its children hold now; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident(int(child)) for child in children)


# ── the record ───────────────────────────────────────────────────────────────────────────────────────


def fill(directory: Path, decisions: int) -> None:
    """Finished matches of at least so many decisions."""
    from orchestrator.record.store import Record

    pool = matches_of(words(min(POOL, decisions), SHORT))
    dice, number = random.Random(3), 0
    with Record(directory) as record:
        put_run(record)
        while decisions > 0:
            said = pool[number % len(pool)]
            put_whole(record, number, said, dice.choice([(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)]))
            decisions -= len(said)
            number += 1
            if number % 100 == 0:
                record.flush()


def matches_of(said: Sequence[Words]) -> list[list[Words]]:
    """Parted where a match begins; the last one is dropped, for it may not be whole."""
    import engine

    found: list[list[Words]] = []
    for each in said:
        if engine.from_bytes(each.state).ply() == 0:
            found.append([])
        found[-1].append(each)
    return found[:-1]


def put_whole(record: object, number: int, said: Sequence[Words], scores: Sequence[float]) -> None:
    """One match with its result."""
    from orchestrator.record import tables

    name = match_id(number)
    match = tables.Match(
        id=name,
        run="r1ng05demo00",
        pair=number // 2,
        swap=number % 2,
        replay=0,
        seed=number // 2,
        game="connect4",
        variant={},
        opening=[],
        status="finished",
        plies=len(said),
        started=0.0,
        finished=1.0,
    )
    record.put(match, *seats(name, number, scores))  # type: ignore[attr-defined]
    for ply, each in enumerate(said):
        put_call(record, name, ply, each)
        put_decision(record, name, ply, each)


def seats(match: str, number: int, scores: Sequence[float]) -> Iterator[object]:
    """Who sat where, and what came of it."""
    from orchestrator.record import tables

    players = (2, 1) if number % 2 else (1, 2)
    for seat, (player, score) in enumerate(zip(players, scores, strict=True)):
        outcome = {1.0: "win", 0.5: "draw", 0.0: "loss"}[score]
        yield tables.Seat(
            match=match,
            seat=seat,
            player=player,
            score=score,
            outcome=outcome,
            rank=1 + (score == 0),
            points=score,
        )


if __name__ == "__main__":
    main()
