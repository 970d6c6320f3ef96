"""Playing a duel in a test, and its record as plain rows that two runs can be compared by."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.duel import Duel, Ending
from orchestrator.events import Event, Events
from orchestrator.model import Conduct
from orchestrator.players import Player
from orchestrator.record.reading import RunResult, reading, run_result
from orchestrator.record.store import Record, blob_texts
from orchestrator.request import DuelRequest
from orchestrator.table import Table
from providers.retry import RetryPolicy

QUICK = RetryPolicy(attempts=5, total_s=20, first_s=0.001, longest_s=0.002)


def request(*players: str, **asked: Any) -> DuelRequest:
    conduct = Conduct(**asked.pop("conduct", {}))
    return DuelRequest(
        players=players, **{"game": "tictactoe", "pairs": 3, "seed": 1, **asked}, conduct=conduct
    )


class Invited(Table):
    """A table at which given players sit down in place of the specs `0` and `1`."""

    def __init__(self, *players: Player) -> None:
        super().__init__()
        self._invited = players

    def seat(self, text: str, *args: Any, **more: Any) -> Player:
        return self._invited[int(text)] if text.isdigit() else super().seat(text, *args, **more)


def play(
    directory: Path,
    asked: DuelRequest,
    table: Table | None = None,
    concurrency: int = 4,
    events: list[Event] | None = None,
    stop_after: int | None = None,
) -> tuple[Ending, RunResult]:
    """One run of the duel on the record in `directory`; `stop_after` decisions it is asked to stop."""
    table = table or Table(retry=QUICK)

    async def go() -> Ending:
        decisions = 0

        def listen(event: Event) -> None:
            nonlocal decisions
            if events is not None:
                events.append(event)
            decisions += event["type"] == "decision"
            if decisions == stop_after:
                duel.stop()

        try:
            with Record(directory) as record:
                duel = Duel(replace(asked, concurrency=concurrency), record, table, Events(listen))
                return await duel.play()
        finally:
            await table.aclose()

    ending = asyncio.run(go())
    return ending, run_result(directory)


def rows(directory: Path, *, calls: bool = True) -> dict[str, list[tuple[Any, ...]]]:
    """What two runs of the same duel must agree on: everything but ids of the run, times and request ids."""
    wanted = {
        "match": "substr(id, 13), pair, swap, replay, seed, game, status, plies",
        "seat": "substr(match, 13), seat, player, score, outcome, rank, forfeit, points",
        "decision": "substr(id, 13), ply, seat, player, action, action_text, legal, mode, outcome, fault, "
        "illegal, rationale, state, words(user_blob), words(system_blob), style_sha, cost_pico",
    }
    if calls:
        wanted["call"] = (
            "substr(decision, 13), ask, kind, input_fresh, cache_read, output, reasoning, "
            "cost_pico, answer, finish, reasoning_kind"
        )
    with (
        reading(directory) as session,
        closing(sqlite3.connect(directory / "record.db", isolation_level=None)) as db,
    ):
        db.create_function("words", 1, lambda blob: blob_texts(session, blob)[0])
        return {
            table: sorted(db.execute(f"SELECT {columns} FROM {table}")) for table, columns in wanted.items()
        }


def integrity(directory: Path) -> str:
    with closing(sqlite3.connect(directory / "record.db", isolation_level=None)) as db:
        return str(db.execute("PRAGMA integrity_check").fetchone()[0])
