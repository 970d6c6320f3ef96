"""Whole duels in batches, through the real SDKs over HTTP: the same matches as online, at half the price."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator import batch
from orchestrator.batch import Pace
from providers.simulated import Behaviour
from tests.orchestrator.duels import play, request, rows
from tests.served import served

DUELS = [
    ("anthropic:claude-haiku-5-5", "google:gemini-3.8-flash"),
    ("openai:gpt-6-luna?effort=low", "anthropic:claude-sonnet-5-5"),
    ("google:gemini-3.8-flash", "bot:greedy"),
    ("openai:gpt-6-luna?effort=low", "anthropic:claude-sonnet-5-5?tier=standard"),
]
NAMES = ["claude-gemini", "gpt-claude", "gemini-bot", "one of two"]
QUICK = Pace(first_s=0.02, longest_s=0.1, settles_s=0.2)

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(batch, "Pace", lambda: QUICK)


def point_at(monkeypatch, url: str) -> None:
    for name, path in (("ANTHROPIC", ""), ("OPENAI", "/v1"), ("GOOGLE_GEMINI", "")):
        monkeypatch.setenv(f"{name}_BASE_URL", url + path)
    for name in ("ANTHROPIC", "OPENAI", "GEMINI"):
        monkeypatch.setenv(f"{name}_API_KEY", "any-key-will-do")


def ask(directory: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(directory / "record.db", isolation_level=None)) as db:
        return db.execute(query).fetchall()


def played(directory: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What was played and said, without what it cost."""
    kept = rows(directory, calls=False)
    return {"match": kept["match"], "seat": kept["seat"], "decision": [row[:-1] for row in kept["decision"]]}


@pytest.mark.parametrize("players", DUELS, ids=NAMES)
def test_batches_play_the_same_matches_at_half_the_price(tmp_path, monkeypatch, players) -> None:
    asked: dict[str, Any] = {"game": "tictactoe", "pairs": 5}
    with served(Behaviour.of("greedy", batch_latency=0.1)) as server:
        point_at(monkeypatch, server.url)
        batched, _ = play(tmp_path / "batch", request(*players, **asked, conduct={"tier": "batch"}))
        online, _ = play(tmp_path / "online", request(*players, **asked))
    assert (batched.status, online.status) == ("finished", "finished"), (batched.reason, online.reason)
    assert played(tmp_path / "batch") == played(tmp_path / "online")
    cost = "SELECT player, tier, count(*), sum(cost_pico) FROM call WHERE kind = 'ok' GROUP BY player, tier ORDER BY 1"
    for (player, tier, calls, pico), (_, _, once, full) in zip(
        ask(tmp_path / "batch", cost), ask(tmp_path / "online", cost), strict=True
    ):
        assert (calls, tier, 2 * pico if tier == "batch" else pico) == (
            once,
            "standard" if "tier=standard" in players[player - 1] else "batch",
            full,
        )
    assert {status for (status,) in ask(tmp_path / "batch", "SELECT status FROM wave")} == {"closed"}
    (most,) = ask(tmp_path / "batch", "SELECT max(number) FROM wave")[0]
    assert most <= 9, "tic-tac-toe has nine plies"


@pytest.mark.parametrize("stop_after", [1, 12])
def test_parts_that_come_to_nothing_and_a_stop_change_no_move(tmp_path, monkeypatch, stop_after) -> None:
    asked: dict[str, Any] = {"game": "tictactoe", "pairs": 4, "attempts": 9}
    players = DUELS[0]
    trouble = Behaviour.of("greedy", batch_latency=0.1, batch_errored=0.1, batch_expired=0.1)
    duel = request(*players, **asked, conduct={"tier": "batch"})
    with served(trouble) as server:
        point_at(monkeypatch, server.url)
        stopped, _ = play(tmp_path / "batch", duel, stop_after=stop_after)
        ended, _ = play(tmp_path / "batch", duel)
        play(tmp_path / "online", request(*players, **asked))
    assert (stopped.status, ended.status) == ("stopped", "finished"), (stopped.reason, ended.reason)
    assert played(tmp_path / "batch") == played(tmp_path / "online")
    assert {status for (status,) in ask(tmp_path / "batch", "SELECT status FROM wave")} == {"closed"}
    assert not ask(tmp_path / "batch", "SELECT * FROM call WHERE kind = 'sent' OR possibly_billed")
    twice = "SELECT decision, ask FROM call WHERE kind = 'ok' GROUP BY decision, ask HAVING count(*) > 1"
    assert not ask(tmp_path / "batch", twice)
