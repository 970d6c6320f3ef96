"""Does a run survive kill -9 at any moment? A hundred of them, over runs online and in batches.

    python -m benchmarks.resume [--kills 100]

Each run is played once undisturbed and once killed and gone on with, until it ends. After every kill and at the
end, the record is held against what the service counted:

- what was on record stays as it was, and the final tables are those of the undisturbed run;
- an answer that is on record is never asked for again: the service answered as often as there are answers on
  record, and as often more as a kill met an answer on its way or not yet on disk. Of paid calls a match has at
  most one such, because the next one leaves only when everything before it is on disk (free ones may also be
  lost with the writer's last batch);
- in batches not even that is lost: each question is answered, and billed, once.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.service import Service, ended, has_run, kill, orchestrator, stand_in
from orchestrator.record.check import check_money
from tests.orchestrator.duels import integrity, rows

AT_ONCE = 6
ONLINE = (
    ("anthropic:claude-haiku-5-5", "local:two?price=1,5&style=terse"),
    ("openai:gpt-6-luna", "google:gemini-3.8-flash"),
)
BATCHED = (
    ("anthropic:claude-haiku-5-5?tier=batch", "google:gemini-3.8-flash?tier=batch"),
    ("openai:gpt-6-luna?effort=low&tier=batch", "anthropic:claude-sonnet-5-5?tier=batch"),
    ("google:gemini-3.8-flash?tier=batch", "openai:gpt-6-luna?effort=low&tier=batch"),
)
QUICKLY = """
from orchestrator import batch
pace = batch.Pace(first_s=0.02, longest_s=0.1, settles_s=0.3)
batch.Pace = lambda: pace
"""
ANSWERS = ("illegal=0.1", "malformed=0.05", "refused=0.03", "tokens=20", "retry_after=0.02")
# No 500: a local server whose first answer is one is asked in another form from then on, so what it says is chance.
WEATHER = (*ANSWERS, "429=0.01", "529=0.02", "cut=0.01", "batch_errored=0.02", "batch_expired=0.02")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    asked = parser.parse_args()
    runs: list[Survived] = []
    with tempfile.TemporaryDirectory() as directory:
        while (left := asked.kills - sum(run.kills for run in runs)) > 0:
            number = len(runs)
            tables = ONLINE if number % 2 == 0 else BATCHED
            players = tables[number // 2 % len(tables)]
            with service(number) as served:
                runs.append(
                    survived(Path(directory, str(number)), served, players, min(left, 10), seed=number)
                )
            print(runs[-1], flush=True)
    print(
        f"{sum(run.kills for run in runs)} kills in {len(runs)} runs: {sum(run.calls for run in runs)} answers on "
        f"record, {sum(run.lost for run in runs)} lost on their way, {sum(len(run.wrong) for run in runs)} faults"
    )


def service(seed: int) -> AbstractContextManager[Service]:
    rates = [word for rate in WEATHER for word in ("--rate", rate)]
    return stand_in("--latency", "0.04", "--batch-latency", "0.15", "--seed", str(seed), *rates)


@dataclass(frozen=True)
class Survived:
    players: tuple[str, ...]
    kills: int
    calls: int  # answered ones, on record
    lost: int  # answers that a kill met before they were on disk
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{' vs '.join(self.players)}: {self.kills} kills, {self.calls} answers on record, {self.lost} lost on "
            f"their way{''.join(f'; {fault}' for fault in self.wrong) or ', nothing wrong'}"
        )


def survived(
    directory: Path, served: Service, players: Sequence[str], kills: int, *, seed: int = 0, games: int = 12
) -> Survived:
    """One run, killed so often if it lasts so long, beside an undisturbed one of the same seed."""
    whole, broken, rng = directory / "whole", directory / "broken", random.Random(seed)
    batched = "tier=batch" in players[0]
    words = [
        *players[:1],
        "vs",
        *players[1:],
        "--game",
        "tictactoe",
        "--games",
        str(games),
        "--attempts",
        "9",
    ]
    words += ["--seed", str(seed), "--concurrency", str(AT_ONCE), "--opening", "1"]

    def start(output: Path, *more: str) -> subprocess.Popen[bytes]:
        return orchestrator(served, "duel", "--output", str(output), *more, before=QUICKLY)

    wrong = [f"the undisturbed run: {said}" for status, said in [ended(start(whole, *words))] if status]
    step = max(1, served.called() // (kills + 2))
    served.order(reset=True)
    killed = lost = 0
    known: dict[str, tuple[object, ...]] = {}
    while killed < kills:
        process = start(broken, *(["--resume"] if has_run(broken) else words))
        calls = 0 if rng.random() < 0.25 else rng.randrange(1, 2 * step)  # 0: while it begins
        if not kill(process, served, calls, rng.random() * (0.03 if calls else 1.0)):
            break
        killed += 1
        now = answered(broken)
        wrong += [] if known.items() <= now.items() else [f"kill {killed} changed what was on record"]
        known = now
        if not batched:
            before, lost = lost, settled(served) - len(known)
            wrong += [] if 0 <= lost - before <= AT_ONCE else [f"kill {killed} lost {lost - before} answers"]
    status, said = ended(start(broken, "--resume"))
    wrong += [f"exit status {status}: {said}"] if status else []
    now = answered(broken)
    wrong += [] if known.items() <= now.items() else ["the end changed what was on record"]
    if (more := settled(served) - len(now)) != lost:
        wrong.append(f"{more - lost} answers that were on record, or in a batch, were asked for again")
    mine, theirs = rows(broken, calls=False), rows(whole, calls=False)
    wrong += [f"other rows in {table}" for table in mine if mine[table] != theirs[table]]
    wrong += [] if integrity(broken) == "ok" else ["the file is damaged"]
    return Survived(tuple(players), killed, len(now), lost, (*wrong, *check_money(broken)))


def settled(served: Service) -> int:
    """Answers given, once nobody is being answered: what a killed process asked for may still be under way."""
    while (counts := served.counts())["in_flight"] or counts["batches"]["ended"] < counts["batches"][
        "created"
    ]:
        time.sleep(0.01)
    return int(counts["answered"])


def answered(output: Path) -> dict[str, tuple[object, ...]]:
    """Every answered call on record: when it left, what came back and what it cost."""
    if not has_run(output):
        return {}
    with closing(sqlite3.connect(output / "record.db", isolation_level=None)) as db:
        found = db.execute("SELECT id, started, answer, cost_pico FROM call WHERE kind = 'ok'").fetchall()
    return {name: tuple(rest) for name, *rest in found}


if __name__ == "__main__":
    main()
