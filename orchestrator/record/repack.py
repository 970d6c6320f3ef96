"""From schema 2 to 3: texts packed as they are today, no text kept twice, tallies of what is over.

Before, every text was a blob by the hash of its content, the reasoning of a decision stood in its row as well,
and the decisions and calls of a match were found by indexes of their own. The statements are those of schema 3
as it was released, whatever the tables have become since.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence

from orchestrator.record.blobs import deflate, join
from orchestrator.record.tallies import keep_tallies

WAVE = """
CREATE TABLE wave (
    id VARCHAR NOT NULL PRIMARY KEY, run VARCHAR NOT NULL REFERENCES run (id), number INTEGER NOT NULL,
    player INTEGER NOT NULL REFERENCES player (id), batch VARCHAR NOT NULL, status VARCHAR NOT NULL,
    calls INTEGER NOT NULL, calls_blob INTEGER NOT NULL REFERENCES blob (id), error VARCHAR NOT NULL,
    submitted FLOAT NOT NULL, closed FLOAT
)
"""

TALLY = """
CREATE TABLE tally (
    match VARCHAR NOT NULL REFERENCES match (id), player INTEGER NOT NULL REFERENCES player (id),
    decisions INTEGER NOT NULL, illegal INTEGER NOT NULL, wrong_first INTEGER NOT NULL,
    fallbacks INTEGER NOT NULL, calls INTEGER NOT NULL, failed_calls INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL, cost_pico INTEGER NOT NULL, possibly_pico INTEGER NOT NULL,
    unpriced_calls INTEGER NOT NULL, reported JSON NOT NULL, latencies BLOB NOT NULL,
    PRIMARY KEY (match, player)
) WITHOUT ROWID
"""

SEAT = """
CREATE TABLE new_seat (
    match VARCHAR NOT NULL REFERENCES match (id), seat INTEGER NOT NULL,
    player INTEGER NOT NULL REFERENCES player (id), score FLOAT, outcome VARCHAR, rank INTEGER,
    forfeit VARCHAR NOT NULL, points FLOAT, PRIMARY KEY (match, seat)
) WITHOUT ROWID
"""
SEAT_KEPT = "match, seat, player, score, outcome, rank, forfeit, points"

GRADE = """
CREATE TABLE grade (
    decision VARCHAR NOT NULL PRIMARY KEY REFERENCES decision (id), method VARCHAR NOT NULL,
    exact BOOLEAN NOT NULL, worth JSON NOT NULL, best JSON NOT NULL, regret FLOAT, visits JSON,
    seconds FLOAT NOT NULL
)
"""

BLOB = """
CREATE TABLE new_blob (id INTEGER NOT NULL PRIMARY KEY, base INTEGER REFERENCES blob (id), data BLOB NOT NULL)
"""

DECISION = """
CREATE TABLE new_decision (
    id VARCHAR NOT NULL PRIMARY KEY,
    match VARCHAR GENERATED ALWAYS AS (rtrim(rtrim(id, '0123456789'), '-')) VIRTUAL, ply INTEGER NOT NULL,
    seat INTEGER NOT NULL, player INTEGER NOT NULL REFERENCES player (id), action INTEGER,
    action_text VARCHAR NOT NULL, legal JSON NOT NULL, mode VARCHAR NOT NULL, outcome VARCHAR NOT NULL,
    fault VARCHAR NOT NULL, illegal INTEGER NOT NULL, rationale VARCHAR NOT NULL, forecast FLOAT,
    probabilities JSON, state BLOB NOT NULL, system_blob INTEGER REFERENCES blob (id),
    user_blob INTEGER REFERENCES blob (id), style_sha VARCHAR NOT NULL, latency_ms FLOAT NOT NULL,
    cost_pico INTEGER NOT NULL, decided FLOAT NOT NULL
)
"""
DECISION_KEPT = (
    "id, ply, seat, player, action, action_text, legal, mode, outcome, fault, illegal, rationale, "
    "forecast, state, style_sha, latency_ms, cost_pico, decided"
)

CALL = """
CREATE TABLE new_call (
    id VARCHAR NOT NULL PRIMARY KEY,
    decision VARCHAR GENERATED ALWAYS AS
        (rtrim(rtrim(rtrim(rtrim(id, '0123456789'), '.'), '0123456789'), '.')) VIRTUAL,
    player INTEGER NOT NULL REFERENCES player (id), ask INTEGER NOT NULL, attempt INTEGER NOT NULL,
    kind VARCHAR NOT NULL, http_status INTEGER, request_id VARCHAR NOT NULL, model_reported VARCHAR NOT NULL,
    tier VARCHAR NOT NULL, input_fresh INTEGER NOT NULL, cache_read INTEGER NOT NULL,
    cache_write_short INTEGER NOT NULL, cache_write_long INTEGER NOT NULL, output INTEGER NOT NULL,
    reasoning INTEGER NOT NULL, cost_pico INTEGER NOT NULL, price VARCHAR REFERENCES price (id),
    possibly_billed BOOLEAN NOT NULL, latency_ms FLOAT NOT NULL, started FLOAT NOT NULL, answer VARCHAR,
    finish VARCHAR NOT NULL, finish_detail VARCHAR NOT NULL, reasoning_kind VARCHAR NOT NULL,
    probabilities JSON, texts_blob INTEGER REFERENCES blob (id), error VARCHAR NOT NULL
)
"""
CALL_KEPT = (
    "id, player, ask, attempt, kind, http_status, request_id, model_reported, tier, input_fresh, "
    "cache_read, cache_write_short, cache_write_long, output, reasoning, cost_pico, price, possibly_billed, "
    "latency_ms, started, answer, finish, finish_detail, reasoning_kind, error"
)


def repack(db: sqlite3.Connection) -> None:
    """Inside the caller's transaction, with `legacy_alter_table` on: somebody's own views are left alone."""
    for statement in (WAVE, TALLY, GRADE, SEAT, BLOB, DECISION, CALL):
        db.execute(statement)
    db.execute("DROP INDEX IF EXISTS ix_match_run")  # all of its matches are of one run
    db.execute("ALTER TABLE match ADD COLUMN went BLOB")
    packed = Packer(db)
    for table, kept in (("seat", SEAT_KEPT), ("decision", DECISION_KEPT), ("call", CALL_KEPT)):
        db.execute(f"INSERT INTO new_{table} ({kept}) SELECT {kept} FROM {table}")
    db.execute(
        "UPDATE new_decision SET probabilities = "
        "(SELECT nullif(old.probabilities, 'null') FROM decision old WHERE old.id = new_decision.id)"
    )
    for decision, player, system, user in db.execute(
        "SELECT id, player, system_blob, user_blob FROM decision"
    ):
        blobs = packed.once(system), packed.pack(f"user {player}", user), decision
        db.execute("UPDATE new_decision SET system_blob = ?, user_blob = ? WHERE id = ?", blobs)
    texts = "SELECT id, player, kind, reasoning_blob, response_blob, request_blob FROM call"
    for call, player, kind, *names in db.execute(texts):
        blob = packed.pack(f"{kind} {player}", *names)
        db.execute("UPDATE new_call SET texts_blob = ? WHERE id = ?", (blob, call))
    for table in ("seat", "blob", "decision", "call"):
        db.execute(f"DROP TABLE {table}")
        db.execute(f"ALTER TABLE new_{table} RENAME TO {table}")
    keep_tallies(
        db, [match for (match,) in db.execute("SELECT id FROM match WHERE status IN ('finished', 'void')")]
    )


class Packer:
    """Texts by the hashes that named them, packed anew."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._once: dict[bytes, int] = {}
        self._bases: dict[str, tuple[int, bytes]] = {}

    def once(self, name: bytes | None) -> int | None:
        """One text, kept once."""
        if name is None:
            return None
        if name not in self._once:
            self._once[name] = self._put(join([self._text(name)]))
        return self._once[name]

    def pack(self, like: str, *names: bytes | None) -> int | None:
        """Texts that belong together; None where there is none of them."""
        if not any(names):
            return None
        joined = join([self._text(name) for name in names])
        if like in self._bases:
            return self._put(joined, *self._bases[like])
        number = self._put(joined)
        self._bases[like] = number, joined
        return number

    def _put(self, joined: bytes, base: int | None = None, dictionary: bytes = b"") -> int:
        row = base, deflate(joined, dictionary)
        return self._db.execute("INSERT INTO new_blob (base, data) VALUES (?, ?)", row).lastrowid or 0

    def _text(self, name: bytes | None) -> str:
        if name is None:
            return ""
        found: Sequence[bytes] = self._db.execute("SELECT data FROM blob WHERE hash = ?", (name,)).fetchone()
        return zlib.decompress(found[0]).decode("utf-8", "surrogatepass")
