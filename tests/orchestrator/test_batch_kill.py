"""kill -9 in batch mode: what was handed in is brought home by the next process, and nothing is asked twice.

`python -m benchmarks.resume` does so with every vendor.
"""

from __future__ import annotations

from benchmarks.resume import survived
from benchmarks.service import Service
from providers.simulated import Behaviour
from tests.orchestrator.test_batched_duels import ask
from tests.served import served

PLAYERS = ("anthropic:claude-haiku-5-5?tier=batch", "anthropic:claude-sonnet-5-5?tier=batch")


def test_kill_9_loses_no_wave(tmp_path) -> None:
    with served(Behaviour.of("greedy", batch_latency=0.1)) as server:
        run = survived(tmp_path, Service(server.url), PLAYERS, kills=3, seed=5, games=6)
    assert run.wrong == () and run.kills >= 2 and run.lost == 0
    assert not ask(tmp_path / "broken", "SELECT * FROM call WHERE kind = 'sent' OR possibly_billed")
    assert {status for (status,) in ask(tmp_path / "broken", "SELECT status FROM wave")} == {"closed"}
