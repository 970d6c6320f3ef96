"""A third of all calls go wrong in every way: all matches end, nobody is blamed, the bill adds up."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest

from orchestrator.table import Table
from providers.base import Usage
from providers.prices import PriceBook, cost
from providers.retry import RetryPolicy
from providers.simulated import Behaviour
from tests.orchestrator.duels import integrity, play, request
from tests.served import served

TRANSPORT = ["429", "529", "500", "503", "cut", "hang", "half", "garbled"]
ANSWERS = ["truncated", "malformed", "empty", "refused", "prose", "illegal", "ambiguous"]
OWN_FAULTS = {"illegal", "unparsable", "ambiguous", "empty", "truncated", "refusal"}
PATIENT = RetryPolicy(attempts=5, total_s=60, first_s=0.01, longest_s=0.02)

PAIRS = [
    ("anthropic:claude-sonnet-5-5?timeout=1.5", "openai:gpt-6-luna?timeout=1.5"),
    ("google:gemini-3.8-flash?timeout=1.5", "local:some-model?timeout=1.5&price=1,2"),
]


@pytest.mark.parametrize("players", PAIRS, ids=lambda pair: pair[0].partition(":")[0])
def test_a_fault_storm(tmp_path, monkeypatch, players) -> None:
    rng = random.Random(5)
    weather = [rng.choice(TRANSPORT * 2 + ANSWERS) if rng.random() < 1 / 3 else "ok" for _ in range(4000)]
    with served(Behaviour.of("random", retry_after="0.01", tokens="10")) as server:
        for name, path in (("ANTHROPIC", ""), ("OPENAI", "/v1"), ("LOCAL", "/v1")):
            monkeypatch.setenv(f"{name}_BASE_URL", server.url + path)
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
        server.queue(*weather)
        ending, result = play(
            tmp_path, request(*players, game="tictactoe", pairs=8), Table(retry=PATIENT), concurrency=12
        )
        counts = server.counts
    assert not ending.reason and ending.voids == 0, "every match came to its end"
    assert sum(match.status == "finished" for match in result.matches) == 16
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        why = {
            reason.split(":")[0] for (reason,) in db.execute("SELECT forfeit FROM seat WHERE forfeit != ''")
        }
        calls = db.execute(
            "SELECT count(*), sum(kind = 'ok'), sum(kind = 'sent'), sum(kind = 'timeout') FROM call"
        ).fetchone()
        losses = db.execute(
            "SELECT count(*) FROM seat s JOIN match m ON m.id = s.match WHERE m.status = 'void' "
            "AND s.score IS NOT NULL"
        ).fetchone()
        kinds = {kind for (kind,) in db.execute("SELECT DISTINCT kind FROM call")}
    assert why <= OWN_FAULTS, "only what a model itself said makes it lose"
    assert losses == (0,)
    assert {"ok", "rate_limit", "server", "connection", "timeout", "protocol"} <= kinds
    made, ok, sent, timeouts = calls
    slow = timeouts - counts["faults"]["hang"]  # a busy machine's own, on the way there or back
    assert sent == 0 <= counts["answered"] - ok <= slow, "every answer is on record"
    assert 0 <= made - counts["requests"] <= 3 + slow, (
        "and every request; a few may fail before they reach the server"
    )
    check_the_bill(tmp_path, players)
    assert integrity(tmp_path) == "ok"


def check_the_bill(directory, players) -> None:
    """Each call's cost is its tokens at its price, each decision's the sum of its calls, none is negative."""
    book = PriceBook.load()
    with closing(sqlite3.connect(directory / "record.db", isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        for call in db.execute(
            "SELECT c.*, p.provider, p.model FROM call c JOIN player p ON p.id = c.player"
        ):
            usage = Usage(
                call["input_fresh"], call["cache_read"], call["cache_write_short"], call["cache_write_long"],
                call["output"], call["reasoning"],
            )  # fmt: skip
            price = book.price(call["provider"], call["model"])
            if call["kind"] == "ok" and call["provider"] != "local":
                assert call["cost_pico"] == cost(price, usage) > 0
            elif call["kind"] != "ok":
                assert (call["cost_pico"] > 0) == bool(call["possibly_billed"])
        sums = db.execute(
            "SELECT d.id, d.cost_pico, sum(c.cost_pico) FROM decision d JOIN call c ON c.decision = d.id "
            "WHERE c.kind = 'ok' GROUP BY d.id"
        ).fetchall()
    assert sums and all(made == billed for _, made, billed in sums)
