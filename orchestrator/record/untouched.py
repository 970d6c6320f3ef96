"""Reading a record without leaving a trace: for whoever compares it, and must not change what is compared.

`reading` brings an older record up to date first; here it is refused instead.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlmodel import Session

from orchestrator.record.database import RecordError
from orchestrator.record.reading import record_path
from orchestrator.record.tables import SCHEMA_VERSION


@contextmanager
def untouched(path: Path) -> Iterator[Session]:
    """A session on a record (`runs/NAME` or its file) that can write nothing. Raises RecordError."""
    file = record_path(path)
    uri = f"{file.resolve().as_uri()}?{_how(file)}"
    try:
        _check(file, uri)
        engine = create_engine(f"sqlite:///{uri}&uri=true")
        try:
            with Session(engine) as session:
                yield session
        finally:
            engine.dispose()
    except (sqlite3.Error, SQLAlchemyError, zlib.error, OSError) as error:
        said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        raise RecordError(f"{file} is not a record that can be read: {said}") from error


def _how(file: Path) -> str:
    """While a run is going on, and after a crash, its last commits are in a file beside; else nothing is."""
    log = file.with_name(f"{file.name}-wal")
    return "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"


def _check(file: Path, uri: str) -> None:
    with closing(sqlite3.connect(uri, uri=True)) as raw:
        tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            raise RecordError(f"{file} is empty: no run ever began in it")
        if "meta" not in tables:
            raise RecordError(f"{file} is an SQLite database, but not a record: it has no table `meta`")
        found = raw.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    if found is None or str(found[0]) != str(SCHEMA_VERSION):
        got = "no schema" if found is None else f"schema {found[0]}"
        raise RecordError(
            f"{file} has {got}, and only schema {SCHEMA_VERSION} can be read without changing it: an older one is "
            f"brought up to date by `orchestrator show {file.parent}`, a newer one needs a newer duelist"
        )
