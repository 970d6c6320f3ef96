"""Opening `record.db`: create it, check its schema version, bring an older one up to date.

WAL with synchronous=NORMAL: a power cut may lose the last commits, never the file. A page of 16 KB
holds several prompts; it can only be chosen before the first table.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import SQLModel

from orchestrator.record.tables import SCHEMA_VERSION, VIEWS

Migration = Callable[[sqlite3.Connection], None]


def _points_of_seats(raw: sqlite3.Connection) -> None:
    """What the game paid was not kept before: it stays unknown for matches of that time."""
    raw.execute("ALTER TABLE seat ADD COLUMN points FLOAT")


def _packed(raw: sqlite3.Connection) -> None:
    """Texts in blobs that share a base, tallies of what is over, waves."""
    from orchestrator.record.repack import repack

    repack(raw)


MIGRATIONS: Mapping[int, Migration] = {1: _points_of_seats, 2: _packed}
"""From the version that a key names to the next one; run in order inside one transaction."""


class RecordError(Exception):
    """The record cannot be opened, read or written; nothing in it was changed."""


def connect(path: Path, *, read_only: bool = False) -> Engine:
    """An engine on an existing or (unless `read_only`) new record, at today's schema version.

    Raises RecordError for what is no record, is damaged or newer, or cannot be read whole.
    """
    if read_only and not path.exists():
        raise RecordError(f"no record at {path}: give a run's directory, such as runs/NAME")
    try:
        if read_only and not os.access(path.parent, os.W_OK):
            return _immutable(path)
        engine = create_engine(URL.create("sqlite", database=str(path)))
        event.listen(engine, "connect", _pragmas)
        _prepare(engine, path, read_only)
    except (sqlite3.Error, SQLAlchemyError, OSError) as error:
        raise RecordError(f"{path} is not a record that can be read: {error}") from error
    return engine


def _immutable(path: Path) -> Engine:
    """On a disk that cannot be written: WAL wants a file beside the record, unless nothing can change it."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise RecordError(
            f"the last commits of {path} are still in {log.name}, which cannot be read in a directory that "
            "cannot be written: copy both files to one that can, and read them there"
        )
    uri = f"{path.resolve().as_uri()}?immutable=1"
    if _check(path, _schema_of(path, uri)) < SCHEMA_VERSION:
        raise RecordError(
            f"{path} is of an older schema and cannot be brought up to date in a directory that cannot be "
            "written: copy it to one that can, and read it there"
        )
    return create_engine(f"sqlite:///{uri}&uri=true")


def _pragmas(connection: Any, _: object) -> None:
    connection.execute("PRAGMA page_size=16384")
    connection.execute("PRAGMA busy_timeout=5000")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _prepare(engine: Engine, path: Path, read_only: bool) -> None:
    found = _schema_of(path, f"{path.resolve().as_uri()}?mode=ro")
    if found is None and not read_only:
        _create(engine)
        return
    known = _check(path, found)
    if known < SCHEMA_VERSION:
        with closing(sqlite3.connect(path, isolation_level=None)) as raw:
            raw.execute(
                "PRAGMA legacy_alter_table=ON"
            )  # somebody's own views need not fit the tables of today
            raw.execute("BEGIN IMMEDIATE")
            migrate(raw, _check(path, _version(raw, path)))  # somebody else may have done it meanwhile
            _renew_views(raw)
            raw.execute("COMMIT")


def _check(path: Path, found: int | None) -> int:
    if found is None:
        raise RecordError(f"{path} is empty: no run ever began in it")
    if found > SCHEMA_VERSION:
        raise RecordError(
            f"{path} was written by a newer version (schema {found}, this one knows {SCHEMA_VERSION}): "
            "upgrade duelist to open it"
        )
    return found


def _schema_of(path: Path, uri: str) -> int | None:
    """Read without touching the file, which may be somebody else's; None if it holds nothing yet."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    with closing(sqlite3.connect(uri, uri=True)) as raw:
        return _version(raw, path)


def _version(raw: sqlite3.Connection, path: Path) -> int | None:
    tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return None
    if "meta" not in tables:
        raise RecordError(f"{path} is an SQLite database, but not a record: it has no table `meta`")
    row = raw.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    if row is None or not str(row[0]).isdecimal():
        got = "none" if row is None else repr(row[0])
        raise RecordError(f"{path} is damaged: expected a schema version in its table `meta`, got {got}")
    if int(row[0]) == SCHEMA_VERSION and (lost := sorted(set(SQLModel.metadata.tables) - tables)):
        raise RecordError(f"{path} is damaged: it lacks the tables {', '.join(lost)}")
    return int(row[0])


def _create(engine: Engine) -> None:
    from importlib.metadata import version

    with engine.begin() as connection:
        SQLModel.metadata.create_all(connection)
        for name, select in VIEWS.items():
            connection.exec_driver_sql(f"CREATE VIEW {name} AS {select}")
        connection.exec_driver_sql(
            "INSERT INTO meta VALUES ('schema', ?), ('created_by', ?)",
            (str(SCHEMA_VERSION), f"duelist {version('duelist')}"),
        )


def _renew_views(raw: sqlite3.Connection) -> None:
    """Views hold nothing: an older record gets today's."""
    for name, select in VIEWS.items():
        raw.execute(f"DROP VIEW IF EXISTS {name}")
        raw.execute(f"CREATE VIEW {name} AS {select}")


def migrate(
    raw: sqlite3.Connection,
    found: int,
    wanted: int = SCHEMA_VERSION,
    steps: Mapping[int, Migration] = MIGRATIONS,
) -> None:
    """Bring a record from schema `found` to `wanted`, inside the caller's transaction."""
    for version in range(found, wanted):
        if version not in steps:
            raise RecordError(f"no migration from schema {version} to {version + 1}: upgrade duelist")
        steps[version](raw)
        raw.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (str(version + 1),))
