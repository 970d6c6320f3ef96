"""A run's record as the match loop sees it: what was decided so far, and one method per row to keep.

Opening takes a lock beside the file, so that two processes cannot pay for the same match. Times are
taken here; everything else comes from the caller.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import ColumnElement, text
from sqlmodel import Session, SQLModel, col, select

from orchestrator.record import tables
from orchestrator.record.blobs import inflate, split
from orchestrator.record.database import RecordError, connect
from orchestrator.record.writer import Writer
from providers.base import Reply, Usage

RECORD_FILE = "record.db"


@dataclass(frozen=True, slots=True)
class Past:
    """What an interrupted match already has: its decisions by ply, and the calls of the one left open."""

    started: float | None = None
    decisions: tuple[tables.Decision, ...] = ()
    open: str = ""  # id of the decision that has calls but no row
    answered: Mapping[int, Reply] = field(default_factory=dict)  # by ask number
    attempts: Mapping[int, int] = field(default_factory=dict)  # attempts made, by ask number


class Record:
    """`DIR/record.db`, open for writing. Use as a context manager: leaving it commits everything."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.path = directory / RECORD_FILE
        for path in (directory, self.path):  # SQLite writes beside its file
            if path.exists() and not os.access(path, os.W_OK):
                raise RecordError(f"{path} cannot be written: make it so, or copy the run to where it can be")
        self._lock = _lock(directory)
        try:
            self._engine = connect(self.path)
        except BaseException:
            self._lock.close()
            raise
        self._writer = Writer(self._engine, self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        try:
            self._writer.close()
            self._fold()
        finally:
            self._engine.dispose()
            self._lock.close()

    def _fold(self) -> None:
        """Bring the write-ahead log into the file and empty it, unless somebody is reading just now."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=0")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def flush(self) -> None:
        """Everything put so far is committed when this returns; it blocks."""
        self._writer.flush()

    async def durable(self) -> None:
        """Everything put so far is committed when this returns: a kill of this process cannot undo it.

        Whoever waits at the same time shares a commit. To be awaited before a call is paid for. Raises
        RecordError where the record cannot be written.
        """
        await self._writer.durable()

    def session(self) -> Session:
        """For reading; flush first to see what was just put."""
        return Session(self._engine)

    # ── what is there ────────────────────────────────────────────────────────────────────────────

    def run(self) -> tables.Run | None:
        """The run of this directory, if one began."""
        self.flush()
        with self.session() as session:
            return session.exec(select(tables.Run)).first()

    def matches(self) -> list[tables.Match]:
        self.flush()
        with self.session() as session:
            return list(session.exec(select(tables.Match).order_by(col(tables.Match.id))))

    def past(self, match: tables.Match) -> Past:
        """Everything that an interrupted match needs to go on without asking again."""
        self.flush()
        with self.session() as session:
            decisions = session.exec(
                select(tables.Decision)
                .where(*of_match(tables.Decision.id, match.id))
                .order_by(col(tables.Decision.ply))
            ).all()
            made = {decision.id for decision in decisions}
            calls = [
                call
                for call in session.exec(
                    select(tables.Call)
                    .where(*of_match(tables.Call.id, match.id))
                    .order_by(col(tables.Call.id))
                )
                if call.decision not in made
            ]
            answered = {
                call.ask: reply_of(call, blob_texts(session, call.texts_blob)[0])
                for call in calls
                if call.answer is not None
            }
            session.expunge_all()
        attempts: dict[int, int] = {}
        for call in calls:
            attempts[call.ask] = max(attempts.get(call.ask, 0), call.attempt)
        open_decision = calls[0].decision if calls else ""
        return Past(match.started, tuple(decisions), open_decision, answered, attempts)

    def prices(self) -> dict[str, tables.Price]:
        """By id, the numbers that this run is billed by."""
        self.flush()
        with self.session() as session:
            return {price.id: price for price in session.exec(select(tables.Price))}

    def players(self) -> list[tables.Player]:
        """In the order of the command line."""
        self.flush()
        with self.session() as session:
            return list(session.exec(select(tables.Player).order_by(col(tables.Player.id))))

    def spent(self) -> dict[int, int]:
        """Pico-dollars by player: all calls, at their worst those that are out or may have been billed."""
        self.flush()
        with self.session() as session:
            query = """
                SELECT player, sum(cost_pico)
                FROM (SELECT player, cost_pico FROM call UNION ALL SELECT id, 0 FROM player) GROUP BY player
            """
            return {player: spent for player, spent in session.execute(text(query))}  # noqa: C416 - rows

    # ── what is put ──────────────────────────────────────────────────────────────────────────────

    def put(self, *rows: SQLModel) -> None:
        """Rows of the small tables, all or none; one with the same key is replaced."""
        self._writer.put(*((str(row.__tablename__), row.model_dump()) for row in rows))

    def put_columns(self, table: type[SQLModel], **columns: Any) -> None:
        """A row of a busy table, all its columns by name: an object of it would cost more than the write."""
        self._writer.put((str(table.__tablename__), columns))

    def put_together(self, rows: Iterable[tuple[type[SQLModel], Mapping[str, Any]]]) -> None:
        """Rows of any tables, all their columns by name: all or none of them, in that order."""
        self._writer.put(*((str(table.__tablename__), columns) for table, columns in rows))

    def blob(self, *texts: str, like: str = "") -> int:
        """Keep texts, together; the number to refer to them by. The same texts are kept once.

        With `like`, the name of a kind of texts that differ little from one to the next (the calls of a player,
        its prompts): kept each time, in the few bytes by which they differ from the first of that name.
        """
        return self._writer.blob(texts, like)


def decision_id(match: str, ply: int) -> str:
    return f"{match}-{ply:03d}"


def ready_id(run: str, player: int) -> str:
    """What the tiny calls to a player before any match belong to, in place of a match."""
    return f"{run}-ready{player}"


def call_id(decision: str, ask: int, attempt: int) -> str:
    return f"{decision}.{ask:02d}.{attempt:02d}"


def blob_texts(session: Session, number: int | None) -> tuple[str, ...]:
    """The texts behind a blob's number; of none, three that are empty. Raises RecordError, ValueError, zlib.error."""
    if number is None:
        return ("", "", "")
    return split(_joined(session, number))


def blob_text(session: Session, number: int | None) -> str:
    """The one text behind a blob's number."""
    return blob_texts(session, number)[0]


def _joined(session: Session, number: int) -> bytes:
    row = _blob(session, number)
    return inflate(row.data, b"" if row.base is None else inflate(_blob(session, row.base).data))


def _blob(session: Session, number: int) -> tables.Blob:
    row = session.get(tables.Blob, number)
    if row is None:
        raise RecordError(f"the record has no blob {number}: it is damaged")
    return row


def of_match(part: str, match: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Conditions: `part`, an id of a decision or a call, is of that match. The primary key finds a range."""
    return col(part) >= f"{match}-", col(part) < f"{match}."


def reply_of(call: tables.Call, reasoning: str) -> Reply:
    """What an answered call brought, without its exact bodies."""
    usage = Usage(
        input_fresh=call.input_fresh,
        cache_read=call.cache_read,
        cache_write_short=call.cache_write_short,
        cache_write_long=call.cache_write_long,
        output=call.output,
        reasoning=call.reasoning,
        tier=call.tier,
    )
    return Reply(
        text=call.answer or "",
        usage=usage,
        finish=call.finish,  # type: ignore[arg-type]  # written from a Finish
        finish_detail=call.finish_detail,
        reasoning=reasoning,
        reasoning_kind=call.reasoning_kind,  # type: ignore[arg-type]  # written from a ReasoningKind
        probabilities={int(number): p for number, p in (call.probabilities or {}).items()} or None,
        model=call.model_reported,
        request_id=call.request_id,
        latency_s=call.latency_ms / 1000,
    )


def _lock(directory: Path) -> Any:
    """Held for as long as the record is open; another process gets a clear refusal."""
    handle = (directory / ".lock").open("w")
    try:
        import fcntl
    except ImportError:  # no flock on this platform: one process at a time is up to the user
        return handle
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise RecordError(
            f"{directory} is being written by another process: wait for it or stop it"
        ) from None
    return handle


def now() -> float:
    return time.time()
