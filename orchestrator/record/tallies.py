"""What each player's part in a match came to: counted once, when the match is over, and kept.

Standings over a million decisions must not read a million rows. What a tally says is what its decisions and
calls say, counted by the same statements that count the matches still open each time somebody looks; a
migration made the tallies of older records. `check.py` holds the two against each other.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

from orchestrator.record.tables import of_match

Counted = dict[str, Any]
"""The columns of a row of `tally`, by name; `reported` is a list."""

MADE = f"""
SELECT d.player, count(*), sum(d.illegal), sum(d.mode NOT IN ('bot', 'human') AND d.outcome != 'ok'),
       sum(d.outcome = 'fallback'),
       group_concat(iif(d.mode IN ('bot', 'human'), NULL, CAST(round(d.latency_ms * 10) AS INTEGER)))
FROM match m JOIN decision d ON {of_match("d.id", "m.id")} WHERE m.id = ? GROUP BY d.player
"""
MADE_NAMES = ("decisions", "illegal", "wrong_first", "fallbacks", "latencies")

ASKED = f"""
SELECT c.player, count(*), sum(c.kind != 'ok'),
       sum(c.input_fresh + c.cache_read + c.cache_write_short + c.cache_write_long),
       sum(c.cache_read), sum(c.output), sum(c.reasoning),
       sum(iif(c.possibly_billed, 0, c.cost_pico)), sum(iif(c.possibly_billed, c.cost_pico, 0)),
       sum(c.price IS NULL), json_group_array(DISTINCT nullif(c.model_reported, ''))
FROM call c WHERE {of_match("c.id", "?1")} GROUP BY c.player
"""
ASKED_NAMES = (
    "calls",
    "failed_calls",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_pico",
    "possibly_pico",
    "unpriced_calls",
    "reported",
)

WENT = f"""
SELECT d.action, d.state FROM match m JOIN decision d ON {of_match("d.id", "m.id")} WHERE m.id = ? ORDER BY d.ply
"""

KEEP = f"""
INSERT OR REPLACE INTO tally (match, player, {", ".join(MADE_NAMES + ASKED_NAMES)})
VALUES (:match, :player, {", ".join(f":{name}" for name in MADE_NAMES + ASKED_NAMES)})
"""


def tallies(db: sqlite3.Connection, match: str) -> Iterator[Counted]:
    """What every player of a match made and took so far, from the rows of its decisions and calls."""
    counted: dict[int, Counted] = {
        player: _nothing(match, player)
        for (player,) in db.execute("SELECT DISTINCT player FROM seat WHERE match = ?", (match,))
    }
    for player, *made in db.execute(MADE, (match,)):
        mine = counted.setdefault(player, _nothing(match, player))
        mine.update(zip(MADE_NAMES, made, strict=True))
        mine["latencies"] = _pack(mine["latencies"])
    for player, *asked in db.execute(ASKED, (match,)):
        mine = counted.setdefault(player, _nothing(match, player))
        mine.update(zip(ASKED_NAMES, asked, strict=True))
        mine["reported"] = sorted(name for name in json.loads(mine["reported"]) if name)
    yield from counted.values()


def keep_tallies(db: sqlite3.Connection, matches: Iterable[str]) -> None:
    """Write the tallies of matches that are over, and how each of them went, inside the caller's transaction."""
    rows, went = [], []
    for match in matches:
        went.append((_went(db, match), match))
        rows += [row | {"reported": json.dumps(row["reported"])} for row in tallies(db, match)]
    db.executemany(KEEP, rows)
    db.executemany("UPDATE match SET went = ? WHERE id = ?", went)


def times(latencies: bytes) -> array[int]:
    """Tenths of milliseconds, as a tally keeps them."""
    found = array("I", latencies)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _pack(listed: str | None) -> bytes:
    found = array("I", map(int, listed.split(",")) if listed else ())
    if sys.byteorder == "big":
        found.byteswap()
    return found.tobytes()


def _nothing(match: str, player: int) -> Counted:
    counts: Counted = dict.fromkeys(MADE_NAMES + ASKED_NAMES, 0)
    return {"match": match, "player": player, **counts, "reported": [], "latencies": b""}


def _went(db: sqlite3.Connection, match: str) -> bytes:
    """Equal for matches that began in one position, opening included, and went alike; a forfeit is a move too."""
    (opening,) = db.execute("SELECT opening FROM match WHERE id = ?", (match,)).fetchone()
    made: Sequence[tuple[int | None, bytes]] = db.execute(WENT, (match,)).fetchall()
    deal = made[0][1] if made else b""
    moves = [json.loads(opening), [action for action, _ in made]]
    return blake2b(json.dumps(moves).encode() + deal, digest_size=8).digest()
