"""The one writer: a thread that takes rows from a queue and commits them in batches.

A batch closes after 2000 rows, after 20 ms, or, once somebody waits for it, as soon as nothing more is queued.
Where many wait, the thread sleeps up to 20 ms before it collects: a commit writes every page that it touched, in
random places of two indexes, so few large ones cost a fraction of many small ones. Who waits alone waits for
nobody. So a crash of the process loses at most the last batch and what came while it was written (20 ms' worth,
more only where the machine is starved), and nothing that was waited for (a power cut may: see `database.py`).
Before a call that costs leaves, its match has waited: of answers that were paid for, at most the last one of each
match is lost. The queue keeps order, therefore a row is never on disk before one that was put earlier. An error (a
full disk) is kept and raised to whoever writes next: a run that can no longer be recorded must stop, because what
it then pays for would be lost.

The write-ahead log goes into the file beside the commits (`checkpoints.py`).

Rows go in as plain tuples, by statements made from the SQLModel tables. A row with the key of another
replaces it where it stands. Texts are compressed here, beside the event loop and not in it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import operator
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import JSON, Engine
from sqlmodel import SQLModel

from orchestrator.record.blobs import BETWEEN, Deflate, join
from orchestrator.record.checkpoints import Checkpoints
from orchestrator.record.database import RecordError
from orchestrator.record.tables import OVER
from orchestrator.record.tallies import keep_tallies

BATCH_ROWS = 2000
BATCH_S = 0.02
GATHER_EACH_S = 0.001  # for everybody who waited for the last commit, besides the first
REMEMBERED_BLOBS = 20_000
EXAMPLES = 4096  # bytes of examples in a base

T = TypeVar("T")

Row = tuple[str, Mapping[str, Any]]  # table, columns


class Waiter(NamedTuple):
    """Somebody who waits on an event loop until everything put before is committed."""

    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]


class Text(NamedTuple):
    """A blob on its way: its number, and that of its base with what that holds."""

    id: int
    joined: bytes
    base: int | None
    dictionary: bytes


@dataclass(slots=True)
class Kind:
    """Texts that differ little: the base of the next of them. Examples are the first, the second, the fourth, …"""

    base: int | None = None
    dictionary: bytes = b""
    count: int = 0

    def learns(self, joined: bytes) -> bool:
        """Whether this one, the next, is an example. Long texts get no second: it would cost more than it saves."""
        self.count += 1
        due = self.count & (self.count - 1) == 0
        return due and (self.base is None or len(self.dictionary) + len(joined) < EXAMPLES)


Item = tuple[Row, ...] | Text | Future[None] | Waiter | None


class Writer:
    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._path = path
        self._queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._numbers = itertools.count(_blobs(engine) + 1)
        self._seen: dict[tuple[str, ...], int] = {}
        self._kinds: dict[str, Kind] = {}
        self._deflate = Deflate()
        self._statements: dict[tuple[str, ...], Statement] = {}
        self._error: object = None
        self._told = False  # somebody knows of the error
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="record-writer", daemon=True)
        self._thread.start()

    # ── for whoever writes ───────────────────────────────────────────────────────────────────────

    def put(self, *rows: Row) -> None:
        """Queue rows that are written all or none; one with the same primary key is replaced.

        The rows are the queue's from now on.
        """
        self._check()
        self._queue.put(rows)

    def blob(self, texts: tuple[str, ...], like: str = "") -> int:
        """Queue texts as one blob, whose number is returned. With `like`, earlier ones of that name are the base.

        Without, the same texts are kept once.
        """
        if not like and (known := self._seen.get(texts)) is not None:
            return known
        self._check()
        number, joined = next(self._numbers), join(texts)
        if not like:
            if len(self._seen) >= REMEMBERED_BLOBS:
                self._seen.clear()  # a text may be kept twice; memory must not grow
            self._seen[texts] = number
        kind = self._kinds.setdefault(like, Kind()) if like else Kind()
        self._queue.put(Text(number, joined, kind.base, kind.dictionary))
        if like and kind.learns(joined):
            self._learn(kind, number, joined)
        return number

    def _learn(self, kind: Kind, number: int, joined: bytes) -> None:
        """The first text of its kind is the base of the next; later examples join those before in a new one."""
        if kind.base is not None:
            number, joined = next(self._numbers), BETWEEN.join((kind.dictionary, joined))
            self._queue.put(Text(number, joined, None, b""))
        kind.base, kind.dictionary = number, joined

    def flush(self) -> None:
        """Wait until everything queued so far is committed."""
        if not self._closed:
            done: Future[None] = Future()
            self._queue.put(done)
            done.result()

    async def durable(self) -> None:
        """As `flush`, without blocking the event loop. To be cancelled changes nothing of what is written."""
        if self._closed and self._error is None:
            return
        self._check()
        loop = asyncio.get_running_loop()
        waiter = Waiter(loop, loop.create_future())
        self._queue.put(waiter)
        await waiter.done

    def close(self) -> None:
        """Commit what is queued and end the thread. Raises what went wrong, unless that was raised before."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()
        if self._error is not None and not self._told:
            raise self._trouble()

    def _check(self) -> None:
        if self._error is not None:
            raise self._trouble()
        if self._closed:
            raise RecordError(f"{self._path} is closed")

    def _trouble(self) -> RecordError:
        self._told = True
        return RecordError(f"{self._path} cannot be written: {self._error}")

    # ── the thread ───────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        checkpoints = Checkpoints(self._path)
        with closing(self._engine.raw_connection()) as held:
            db: sqlite3.Connection = held.driver_connection  # type: ignore[assignment]
            db.execute("PRAGMA wal_autocheckpoint=0")
            batch = Batch()
            while batch.going:
                time.sleep(batch.gather_s)
                batch = Batch()
                batch.collect(self._queue)
                self._try(self._commit, db, batch)
                self._tell(batch)
                self._try(checkpoints.after, db, len(batch))
            checkpoints.close()

    def _try(self, step: Callable[[sqlite3.Connection, T], None], db: sqlite3.Connection, what: T) -> None:
        """A step, unless one went wrong before; what goes wrong is kept."""
        try:
            if self._error is None:
                step(db, what)
        except Exception as error:
            self._error = error

    def _commit(self, db: sqlite3.Connection, batch: Batch) -> None:
        if len(batch):
            with db:
                self._write(db, batch)

    def _write(self, db: sqlite3.Connection, batch: Batch) -> None:
        """Rows of one table and one set of columns go in together, in the order in which they came."""
        tables: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
        for table, row in batch.rows:
            tables.setdefault((table, *row), []).append(row)
        if batch.texts:
            texts = [
                (text.id, text.base, self._deflate(text.joined, text.base, text.dictionary))
                for text in batch.texts
            ]
            db.executemany("INSERT INTO blob (id, base, data) VALUES (?, ?, ?)", texts)
        for kind, rows in tables.items():
            statement = self._statements.get(kind) or self._statements.setdefault(kind, Statement(*kind))
            db.executemany(statement.sql, statement.values(rows))
        over = [row["id"] for table, row in batch.rows if table == "match" and row["status"] in OVER]
        if over:
            keep_tallies(db, over)

    def _tell(self, batch: Batch) -> None:
        error = None if self._error is None else self._trouble
        for done in batch.blocked:
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error())
        for loop, waiting in batch.waiting.items():
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_wake, waiting, error and error())


class Batch:
    """What is committed together, and who waits for it."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.texts: list[Text] = []
        self.blocked: list[Future[None]] = []
        self.waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        self.going = True  # until the last item was taken

    def __len__(self) -> int:
        return len(self.rows) + len(self.texts)

    @property
    def gather_s(self) -> float:
        """How long to let the next one gather, now that this one is committed."""
        return min(BATCH_S, GATHER_EACH_S * max(0, sum(map(len, self.waiting.values())) - 1))

    def collect(self, queued: queue.SimpleQueue[Item]) -> None:
        """Fill it, waiting for the first item."""
        item = queued.get()
        until = time.monotonic() + BATCH_S
        while item is not None:
            self._take(item)
            if len(self) >= BATCH_ROWS:
                return
            wanted = bool(self.blocked or self.waiting)
            left = 0.0 if wanted else until - time.monotonic()
            try:
                item = queued.get(timeout=left) if left > 0 else queued.get_nowait()
            except queue.Empty:
                return
        self.going = False

    def _take(self, item: Item) -> None:
        if isinstance(item, Text):
            self.texts.append(item)
        elif isinstance(item, Waiter):
            self.waiting.setdefault(item.loop, []).append(item.done)
        elif isinstance(item, Future):
            self.blocked.append(item)
        elif item is not None:
            self.rows.extend(item)


_JSON = json.JSONEncoder(separators=(",", ":")).encode  # made once: it takes longer than a row


class Statement:
    """How rows of a table with certain columns go in: as values of one prepared statement.

    Columns that SQLite computes are left to it.
    """

    def __init__(self, table: str, *given: str) -> None:
        known = SQLModel.metadata.tables[table]
        keys = [column.name for column in known.primary_key]
        columns = [name for name in given if known.columns[name].computed is None]
        changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)
        self.sql = (
            f"INSERT INTO {known.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "
            f"ON CONFLICT ({', '.join(keys)}) DO {f'UPDATE SET {changed}' if changed else 'NOTHING'}"
        )
        self._columns = operator.itemgetter(*columns)
        self._json = {
            place: column.nullable
            for place, column in enumerate(known.columns[name] for name in columns)
            if isinstance(column.type, JSON)
        }

    def values(self, rows: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        """In the order of the statement's marks; JSON as text."""
        values = [self._columns(row) for row in rows]
        return [self._written(row) for row in values] if self._json else values

    def _written(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        for place, nullable in self._json.items():
            if row[place] is not None or not nullable:
                row = *row[:place], _JSON(row[place]), *row[place + 1 :]
        return row


def _wake(waiting: Iterable[asyncio.Future[None]], error: RecordError | None) -> None:
    for done in waiting:
        if done.done():  # cancelled
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)


def _blobs(engine: Engine) -> int:
    """The greatest number that a blob on record has."""
    with engine.connect() as connection:
        return connection.exec_driver_sql("SELECT coalesce(max(id), 0) FROM blob").scalar_one()  # type: ignore[no-any-return]
