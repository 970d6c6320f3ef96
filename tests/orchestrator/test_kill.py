"""kill -9 at random moments: the resumed duel equals an undisturbed one, and nothing on record is asked twice.

`python -m benchmarks.resume` does so a hundred times, with every vendor.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from benchmarks.resume import survived
from benchmarks.service import Service
from providers.simulated import Behaviour
from tests.served import served

MINDS = {
    "one": Behaviour.of("greedy", latency="0.04", illegal="0.1", tokens="20"),
    "two": Behaviour.of("random", latency="0.04", malformed="0.1", refused="0.05"),
}


def test_kill_9_loses_nothing_that_was_recorded(tmp_path) -> None:
    """Per kill at most one answer of each match that was being played."""
    players = ("local:one?price=3,15", "local:two?price=1,5&style=terse")
    with served(models=MINDS) as server:
        run = survived(tmp_path, Service(server.url), players, kills=4, seed=20, games=8)
    assert run.wrong == () and run.kills >= 2
    with closing(sqlite3.connect(tmp_path / "broken" / "record.db", isolation_level=None)) as db:
        kinds = dict(db.execute("SELECT kind, sum(possibly_billed) FROM call GROUP BY kind"))
    assert kinds["ok"] == 0 and kinds.get("sent", 0) > 0, "attempts cut short are on the bill as possible"
