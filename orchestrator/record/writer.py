"""The one writer: a thread that takes rows from a queue and commits them in batches.

Rows go in with Core inserts on the SQLModel tables; a batch closes after 500 rows or 20 ms, so a
crash loses at most the last 20 ms. The queue keeps order, therefore a row is never on disk before
one that was put earlier. An error (a full disk) is kept and raised to whoever writes next: a run
that can no longer be recorded must stop, because what it then pays for would be lost.
"""

from __future__ import annotations

import queue
import threading
import time
import zlib
from concurrent.futures import Future
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Insert
from sqlalchemy.dialects.sqlite import insert
from sqlmodel import SQLModel

from orchestrator.record.database import RecordError
from orchestrator.record.tables import Blob

BATCH_ROWS = 500
BATCH_S = 0.02
REMEMBERED_BLOBS = 20_000

Row = tuple[str, dict[str, Any]]  # table, columns
Item = tuple[Row, ...] | Future[None] | None


class Writer:
    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._path = path
        self._queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._seen: set[bytes] = set()
        self._statements = {name: _upsert(name) for name in SQLModel.metadata.tables}
        self._error: object = None
        self._told = False  # somebody knows of the error
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="record-writer", daemon=True)
        self._thread.start()

    def put(self, *rows: Row) -> None:
        """Queue rows that are written all or none; one with the same primary key is replaced.

        The rows are the queue's from now on.
        """
        if self._error is not None:
            raise self._trouble()
        if self._closed:
            raise RecordError(f"{self._path} is closed")
        self._queue.put(rows)

    def blob(self, text: str) -> bytes:
        """Queue a text unless it is on record already; the name of its content."""
        data = text.encode("utf-8", "surrogatepass")
        name = blake2b(data, digest_size=16).digest()
        if name not in self._seen:
            if len(self._seen) >= REMEMBERED_BLOBS:
                self._seen.clear()  # a blob put twice is ignored by the database; memory must not grow
            self._seen.add(name)
            self.put(("blob", {"hash": name, "data": data}))
        return name

    def flush(self) -> None:
        """Wait until everything queued so far is committed."""
        if not self._closed:
            done: Future[None] = Future()
            self._queue.put(done)
            done.result()

    def close(self) -> None:
        """Commit what is queued and end the thread. Raises what went wrong, unless that was raised before."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()
        if self._error is not None and not self._told:
            raise self._trouble()

    def _trouble(self) -> RecordError:
        self._told = True
        return RecordError(f"{self._path} cannot be written: {self._error}")

    def _run(self) -> None:
        going = True
        while going:
            batch, waiting, going = self._collect()
            try:
                if batch and self._error is None:
                    with self._engine.begin() as connection:
                        self._write(connection, batch)
            except Exception as error:
                self._error = getattr(error, "orig", None) or error  # SQLAlchemy's own words quote every row
            for done in waiting:
                if self._error is None:
                    done.set_result(None)
                else:
                    done.set_exception(self._trouble())

    def _collect(self) -> tuple[list[Row], list[Future[None]], bool]:
        """The next batch; a flush or the end closes it early."""
        batch: list[Row] = []
        item = self._queue.get()
        until = time.monotonic() + BATCH_S
        while True:
            if item is None:
                return batch, [], False
            if isinstance(item, Future):
                return batch, [item], True
            batch.extend(item)
            left = until - time.monotonic()
            if len(batch) >= BATCH_ROWS or left <= 0:
                return batch, [], True
            try:
                item = self._queue.get(timeout=left)
            except queue.Empty:
                return batch, [], True

    def _write(self, connection: Connection, batch: list[Row]) -> None:
        """Neighbouring rows of one table and one set of columns go in together."""
        tables: dict[tuple[str, tuple[str, ...]], list[dict[str, Any]]] = {}
        for table, row in batch:
            if table == "blob":
                row = {"hash": row["hash"], "data": zlib.compress(row["data"], 6)}
            tables.setdefault((table, tuple(row)), []).append(row)
        for (table, _), rows in tables.items():
            connection.execute(self._statements[table], rows)


def _upsert(name: str) -> Insert:
    statement = insert(SQLModel.metadata.tables[name])
    return statement.prefix_with("OR IGNORE" if name == Blob.__tablename__ else "OR REPLACE")
