"""kill -9 at random moments: the resumed duel equals an undisturbed one, and nothing is asked twice."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from providers.simulated import Behaviour
from tests.orchestrator.duels import integrity, rows
from tests.served import served

KILLS = 20
WORKERS = 4
DUEL = [
    "local:one?price=3,15",
    "vs",
    "local:two?price=1,5&style=terse",
    "--game",
    "connect4",
    "--games",
    "12",
]
MINDS = {
    "one": Behaviour.of("greedy", latency="0.04", illegal="0.1", tokens="20"),
    "two": Behaviour.of("random", latency="0.04", malformed="0.1", refused="0.05"),
}


def start(output: Path, url: str, *more: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "orchestrator",
        "duel",
        "--output",
        str(output),
        "--display",
        "none",
        *more,
    ]
    environment = {**os.environ, "LOCAL_BASE_URL": f"{url}/v1"}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors.decode()


def answered(output: Path) -> dict[str, tuple[object, ...]]:
    """Every answered call on record: when it left, what came back and what it cost."""
    if not (output / "record.db").exists():
        return {}
    with closing(sqlite3.connect(output / "record.db", isolation_level=None)) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'call'").fetchone():
            return {}
        found = db.execute("SELECT id, started, answer, cost_pico FROM call WHERE kind = 'ok'").fetchall()
    return {name: tuple(rest) for name, *rest in found}


def test_kill_9_loses_nothing_that_was_recorded(tmp_path) -> None:
    options = [*DUEL, "--concurrency", str(WORKERS), "--seed", "3", "--opening", "6"]
    rng = random.Random(20)
    with served(models=MINDS) as undisturbed:
        finish(start(tmp_path / "whole", undisturbed.url, *options))
        calls = undisturbed.counts["answered"]
    broken = tmp_path / "broken"
    step = calls // (KILLS + 4)
    lost = 0
    with served(models=MINDS) as server:
        for kill in range(KILLS):
            process = start(broken, server.url, *(["--resume"] if answered(broken) else options))
            target = server.counts["answered"] + rng.randrange(2 * step)
            while server.counts["answered"] < target and process.poll() is None:
                time.sleep(0.002)
            time.sleep(rng.random() * 0.03)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            before = answered(broken)
            now_lost = server.counts["answered"] - len(before)
            assert 0 <= now_lost - lost <= WORKERS + 1, f"kill {kill} lost more than what was in flight"
            lost = now_lost
        finish(start(broken, server.url, "--resume"))
        after = answered(broken)
        assert before.items() <= after.items(), "what was on record stayed as it was"
        assert server.counts["answered"] - len(after) == lost, "and was not asked again"
    assert rows(broken, calls=False) == rows(tmp_path / "whole", calls=False)
    assert len(after) == calls
    assert integrity(broken) == "ok"
    with closing(sqlite3.connect(broken / "record.db", isolation_level=None)) as db:
        kinds = dict(db.execute("SELECT kind, sum(possibly_billed) FROM call GROUP BY kind"))
    assert kinds["ok"] == 0 and kinds.get("sent", 0) > 0, "attempts cut short are on the bill as possible"
