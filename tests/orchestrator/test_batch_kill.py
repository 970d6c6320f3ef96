"""kill -9 in batch mode: what was handed in is brought home by the next process, and nothing is asked twice."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from providers.simulated import Behaviour
from tests.orchestrator.duels import play, request
from tests.orchestrator.test_batched_duels import ask, played, point_at
from tests.served import served

KILLS = 5
QUICKLY = """
import sys
from orchestrator import batch
pace = batch.Pace(first_s=0.02, longest_s=0.1, settles_s=0.3)
batch.Pace = lambda: pace
from orchestrator.cli import main
sys.exit(main())
"""
PLAYERS = ("anthropic:claude-haiku-5-5?tier=batch", "google:gemini-3.8-flash?tier=batch")


def start(output: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", QUICKLY, "duel", "--output", str(output), "--display", "none", *more]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def calls(output: Path) -> int:
    if not (output / "record.db").exists() or not ask(
        output, "SELECT 1 FROM sqlite_master WHERE name = 'call'"
    ):
        return 0
    ((number,),) = ask(output, "SELECT count(*) FROM call")
    return int(number)


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
def test_kill_9_loses_no_wave(tmp_path, monkeypatch) -> None:
    options = [PLAYERS[0], "vs", PLAYERS[1], "--game", "tictactoe", "--games", "20", "--seed", "1"]
    rng = random.Random(5)
    killed = 0
    with served(Behaviour.of("greedy", batch_latency=0.15)) as server:
        point_at(monkeypatch, server.url)
        for _ in range(KILLS):
            known = calls(tmp_path)
            process = start(tmp_path, *(["--resume"] if known else options))
            wanted = known + rng.randrange(1, 30)
            while calls(tmp_path) < wanted and process.poll() is None:
                time.sleep(0.01)
            time.sleep(rng.random() * 0.2)
            killed += process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.communicate()
            if process.returncode == 0:
                break
        process = start(tmp_path, "--resume")
        _, errors = process.communicate(timeout=100)
        assert process.returncode == 0, errors.decode()
        counts = dict(server.counts)
        play(tmp_path / "online", request(*(p.partition("?")[0] for p in PLAYERS), pairs=10))
    assert killed >= 3
    assert played(tmp_path) == played(tmp_path / "online")
    assert not ask(tmp_path, "SELECT * FROM call WHERE kind = 'sent' OR possibly_billed")
    ((ok, questions),) = ask(
        tmp_path, "SELECT count(*), count(DISTINCT decision || ask) FROM call WHERE kind = 'ok'"
    )
    assert ok == questions
    assert counts["answered"] == ok
