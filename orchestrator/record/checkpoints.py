"""Bringing the write-ahead log into the file, beside the commits and not in them.

Left alone, SQLite does this inside every commit that finds the log long, and waits there until the disk has both:
whoever waits for that commit waits for the disk. Here a thread of its own copies what is in the log while more is
appended, and the writer does only the rest between two commits, which is little: then the log begins anew. Only
the writer can do that, because there must be nothing in the log that is not in the file.

Where the thread cannot keep up, the writer does all of it itself.

SQLite before 3.51.3 can lose pages where a checkpoint of a log that is already whole in the file meets a commit that
begins it anew (its "WAL-reset bug"). That cannot happen here: the thread only ever begins on a log of which much is
not in the file, so no commit begins it anew before that is done; and while the writer folds, nobody commits.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

FOLD_ROWS = 10_000  # rows and texts: some 2,000 decisions, about 40 MB of log where 500 play at once
MOST_ROWS = 10 * FOLD_ROWS
REST_PAGES = 512  # 8 MB, a few dozen commits: what may be left to the writer
TRIES = 4


class Checkpoints:
    """Of one record, for its writer; all methods are called on the writer's thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = 0  # since the log began anew
        self._next = FOLD_ROWS
        self._thread: threading.Thread | None = None

    def after(self, db: sqlite3.Connection, rows: int) -> None:
        """So many more were committed, by `db`, which has no transaction open now. Raises sqlite3.Error."""
        self._rows += rows
        if self._thread is not None:
            if self._thread.is_alive() and self._rows < MOST_ROWS:
                return
            self.close()
            _fold(db)
            self._rows = 0
        elif self._rows >= FOLD_ROWS:
            self._thread = threading.Thread(target=self._beside, name="record-checkpoint", daemon=True)
            self._thread.start()

    def close(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _beside(self) -> None:
        """Until so little is left that it holds nobody up; what goes wrong here, goes wrong for the writer too."""
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._path, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous=NORMAL")
            for _ in range(TRIES):
                if _fold(db) <= REST_PAGES:
                    break


def _fold(db: sqlite3.Connection) -> int:
    """What nobody reads any more goes into the file; how many pages of the log are left."""
    _, pages, folded = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages - folded)
