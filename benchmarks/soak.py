"""Does a long run under bad weather stay well? 2,000 matches, 200 at once, a tenth of all calls going wrong.

    python -m benchmarks.soak [--matches 2000] [--concurrency 200]

`orchestrator duel` against `orchestrator simulate`, each in a process of its own: a model of a vendor's SDK against
one of a local server. In every way that there is, calls fail or are answered badly, to order and evenly mixed.
Afterwards: every match is finished, or void with a reason; no decision is without its calls; the money adds up; the
exit status says how it ended. Memory, open files and tasks are looked at four times a second: what they grow by for
each match is the slope of a line through the second half of the run, while matches still begin.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.service import ended, orchestrator, stand_in
from orchestrator.record.check import check_money
from orchestrator.record.reading import run_result
from orchestrator.record.tables import of_decision

if TYPE_CHECKING:
    from orchestrator.duel import Duel, Ending

TRANSPORT = ("429", "529", "500", "503", "504", "cut", "hang", "half", "garbled")
ANSWERS = ("truncated", "malformed", "empty", "refused", "prose", "illegal", "ambiguous")
SHARE = 0.1  # of all calls
PLAYERS = ("anthropic:claude-haiku-5-5", "local:two?price=1,5")
PAGE = os.sysconf("SC_PAGE_SIZE")

CALLLESS = f"""
SELECT count(*) FROM decision d JOIN player p ON p.id = d.player
WHERE p.model != '' AND NOT EXISTS (SELECT 1 FROM call c WHERE {of_decision("c.id", "d.id")} AND c.kind = 'ok')
"""
LEFT = "SELECT count(*) FROM call WHERE kind = 'sent'"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--matches", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        print(soaked(Path(directory), asked.matches, asked.concurrency))


class Sample(NamedTuple):
    """How a run's process stood when so many of its matches had ended."""

    ended: int
    bytes: int
    files: int
    tasks: int


@dataclass(frozen=True)
class Soaked:
    matches: int
    voids: int  # replayed, most of them
    calls: int
    failed: int
    samples: tuple[Sample, ...]
    wrong: tuple[str, ...]

    def growth(self, what: str) -> float:
        """Of memory in bytes, of files or tasks, for each match of the second half."""
        half = [each for each in self.samples if each.ended > self.matches / 2]
        return linear_regression([each.ended for each in half], [getattr(each, what) for each in half]).slope

    def __str__(self) -> str:
        peak = max(each.bytes for each in self.samples) / 2**20
        return (
            f"{self.matches} matches, {self.voids} void, {self.calls} calls of which {self.failed} failed: peak "
            f"{peak:.0f} MB; in the second half each match adds {self.growth('bytes') / 1024:.2f} kB, "
            f"{self.growth('files'):.4f} open files, {self.growth('tasks'):.4f} tasks; "
            f"{'; '.join(self.wrong) or 'nothing wrong'}"
        )


def soaked(directory: Path, matches: int, concurrency: int, seed: int = 1) -> Soaked:
    rng, output, log = random.Random(seed), directory / "run", directory / "samples"
    words = [
        PLAYERS[0],
        "vs",
        PLAYERS[1],
        "--game",
        "tictactoe",
        "--games",
        str(matches),
        "--seed",
        str(seed),
    ]
    words += ["--concurrency", str(concurrency), "--timeout", "3", "--attempts", "6", "--output", str(output)]
    with stand_in("--latency", "0.1", "--rate", "tokens=20", "--rate", "retry_after=0.05") as service:
        service.order(faults=weather(rng, 12 * matches))
        watch = f"from benchmarks.soak import watch\nwatch({str(log)!r})"
        status, said = ended(orchestrator(service, "duel", *words, before=watch))
    samples = tuple(Sample(*json.loads(line)) for line in log.read_text().splitlines())
    found = run_result(output)
    voids = [match for match in found.matches if match.status == "void"]
    done = {(match.pair, match.swap) for match in found.matches if match.status == "finished"}
    wrong = [
        f"{match.id} is {match.status}" for match in found.matches if match.status not in ("finished", "void")
    ]
    wrong += [f"{match.id} is void and nobody knows why" for match in voids if not match.reason]
    wrong += [] if status == (len(done) < matches) else [f"exit status {status}: {said}"]
    with closing(sqlite3.connect(output / "record.db")) as db:
        calls, failed = db.execute("SELECT count(*), sum(kind != 'ok') FROM call").fetchone()
        for query, what in ((CALLLESS, "decisions without a call"), (LEFT, "calls of which nobody heard")):
            (number,) = db.execute(query).fetchone()
            wrong += [f"{number} {what}"] if number else []
    return Soaked(matches, len(voids), calls, failed, samples, (*wrong, *check_money(output)))


def weather(rng: random.Random, calls: int) -> list[str]:
    """What befalls each call."""
    return [rng.choice(TRANSPORT + ANSWERS) if rng.random() < SHARE else "ok" for _ in range(calls)]


# ── in the run's own process ─────────────────────────────────────────────────────────────────────


def watch(path: str) -> None:
    """From now on, a duel that is played is looked at, and what is seen written to a file: a `Sample` per line."""
    from orchestrator.duel import Duel

    play = Duel.play

    async def watched(duel: Duel, *args: object) -> Ending:
        looking = asyncio.create_task(_look(duel, Path(path)))
        try:
            return await play(duel, *args)
        finally:
            looking.cancel()

    Duel.play = watched  # type: ignore[assignment, method-assign]


async def _look(duel: Duel, path: Path) -> None:
    with path.open("w") as file:
        while True:
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE  # noqa: ASYNC240
            files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
            if duel._waiting:  # towards the end fewer are played at once
                sample = Sample(duel._ended.total(), resident, files, len(asyncio.all_tasks()))
                print(json.dumps(sample), file=file, flush=True)
            await asyncio.sleep(0.25)


if __name__ == "__main__":
    main()
