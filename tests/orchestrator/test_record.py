"""The record: its schema, its writer, its locks and its refusals."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import pytest

from orchestrator.record import database, tables
from orchestrator.record.database import RecordError, connect, migrate
from orchestrator.record.reading import match_story, reading, run_result
from orchestrator.record.store import Record, blob_text
from tests.orchestrator.duels import play, request, rows


def test_a_new_record_says_its_version_and_opens_anywhere(tmp_path) -> None:
    with Record(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        assert db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() == (
            str(tables.SCHEMA_VERSION),
        )
        assert db.execute("PRAGMA page_size").fetchone() == (16384,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        names = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    assert {
        "run",
        "player",
        "match",
        "seat",
        "decision",
        "call",
        "blob",
        "price",
        "v_match",
        "v_decision",
    } <= names


def test_the_schema_is_the_released_one(tmp_path) -> None:
    """A change of tables needs a new SCHEMA_VERSION and a migration: then renew this list."""
    with Record(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        columns = {
            table: [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")]
            for table in ("run", "player", "match", "seat", "decision", "call", "blob", "price", "meta")
        }
    assert (tables.SCHEMA_VERSION, {table: len(names) for table, names in columns.items()}) == (
        2,
        {
            "run": 10,
            "player": 10,
            "match": 14,
            "seat": 8,
            "decision": 24,
            "call": 29,
            "blob": 2,
            "price": 7,
            "meta": 2,
        },
    )


def test_an_older_record_is_brought_up_to_date_or_left_alone(tmp_path) -> None:
    path = tmp_path / "record.db"
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT)")
    raw.execute("INSERT INTO meta VALUES ('schema', '1')")
    raw.execute("CREATE TABLE run (id TEXT)")

    def add_note(db: sqlite3.Connection) -> None:
        db.execute("ALTER TABLE run ADD COLUMN note TEXT")

    def fail(db: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("no room")

    raw.execute("BEGIN")
    with pytest.raises(sqlite3.OperationalError):
        migrate(raw, 1, 3, {1: add_note, 2: fail})
    raw.execute("ROLLBACK")
    assert [name for _, name, *_ in raw.execute("PRAGMA table_info(run)")] == ["id"]
    migrate(raw, 1, 2, {1: add_note})
    assert [name for _, name, *_ in raw.execute("PRAGMA table_info(run)")] == ["id", "note"]
    assert raw.execute("SELECT value FROM meta").fetchone() == ("2",)
    with pytest.raises(RecordError, match="no migration from schema 2"):
        migrate(raw, 2, 3, {})
    raw.close()


def test_a_record_from_before_points_opens_and_goes_on(tmp_path) -> None:
    asked = request("bot:random", "bot:greedy", pairs=3)
    play(tmp_path, asked, stop_after=12, concurrency=1)
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        for view in tables.VIEWS:
            db.execute(f"DROP VIEW {view}")
        db.execute("ALTER TABLE seat DROP COLUMN points")
        db.execute("CREATE VIEW v_match AS SELECT id AS match, swap AS first_player FROM match")
        db.execute("CREATE VIEW v_own AS SELECT count(*) AS matches FROM match")
        db.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    before = run_result(tmp_path)
    assert [standing.points for standing in before.standings] == [None, None]
    play(tmp_path, asked)
    play(tmp_path / "whole", asked)
    assert [row[:7] for row in rows(tmp_path)["seat"]] == [
        row[:7] for row in rows(tmp_path / "whole")["seat"]
    ]
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        assert db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() == ("2",)
        assert db.execute("SELECT * FROM v_own").fetchone() == (6,), "what others added is theirs"
        old, new = db.execute("SELECT min(points IS NULL), max(points IS NULL) FROM seat").fetchone()
        assert (old, new) == (0, 1), "known from now on only"
        players = {names for (names,) in db.execute("SELECT players FROM v_match")}
    assert players == {"bot:random – bot:greedy", "bot:greedy – bot:random"}


def test_an_older_record_on_a_read_only_disk_asks_for_a_copy(tmp_path, monkeypatch) -> None:
    play(tmp_path, request("bot:random", "bot:random", pairs=1))
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        db.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    monkeypatch.setattr(database.os, "access", lambda path, mode: False)
    with pytest.raises(RecordError, match=r"older schema.*copy it"):
        run_result(tmp_path)


def test_every_released_schema_has_its_migration() -> None:
    assert set(database.MIGRATIONS) == set(range(1, tables.SCHEMA_VERSION))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"this is not a database, it is a letter" * 50, "not a record"),
        ("CREATE TABLE other (x)", "no table `meta`"),
        ("CREATE TABLE meta (key, value)", "schema version in its table `meta`, got none"),
        ("CREATE TABLE meta AS SELECT 'schema' AS key, 'x' AS value", "got 'x'"),
        (
            f"CREATE TABLE meta AS SELECT 'schema' AS key, '{tables.SCHEMA_VERSION}' AS value",
            "lacks the tables blob, call",
        ),
        ("CREATE TABLE meta (key)", "no such column"),
    ],
)
def test_what_is_no_record_is_refused_and_left_as_it_was(tmp_path, content, says) -> None:
    path = tmp_path / "record.db"
    if isinstance(content, str):
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute(content)
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(RecordError, match=says):
        connect(path)
    assert path.read_bytes() == before


def test_a_newer_record_asks_for_an_upgrade(tmp_path) -> None:
    with Record(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    with pytest.raises(RecordError, match="newer version"):
        Record(tmp_path)


def test_reading_where_nothing_is_makes_nothing(tmp_path) -> None:
    with pytest.raises(RecordError, match="no record at"):
        run_result(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_record_on_a_read_only_disk_can_be_read(tmp_path, monkeypatch) -> None:
    play(tmp_path, request("bot:random", "bot:random", pairs=1))
    monkeypatch.setattr(database.os, "access", lambda path, mode: False)
    before = sorted(path.name for path in tmp_path.iterdir())
    assert run_result(tmp_path).run.status == "finished"
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_read_only_disk_hides_no_commits(tmp_path, monkeypatch) -> None:
    play(tmp_path, request("bot:random", "bot:random", pairs=1))
    log = tmp_path / "record.db-wal"
    log.write_bytes(b"")
    monkeypatch.setattr(database.os, "access", lambda path, mode: False)
    assert run_result(tmp_path).run.status == "finished"
    log.write_bytes(b"the last commits")
    with pytest.raises(RecordError, match=r"still in record\.db-wal.*copy both"):
        run_result(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE decision; CREATE TABLE decision (id)",
        "UPDATE run SET request = '{'",
        "UPDATE run SET request = '[]'",
        "UPDATE run SET request = '{}'",
        'UPDATE run SET request = \'{"game": 1, "pairs": 1}\'',
        "UPDATE match SET opening = 'null'",
        "UPDATE seat SET player = 9",
        "UPDATE decision SET match = 'x'",
        "UPDATE call SET model_reported = CAST(x'ff' AS TEXT)",
        "DELETE FROM run",
    ],
)
def test_a_damaged_record_is_a_record_error(tmp_path, damage) -> None:
    play(tmp_path, request("sim:greedy", "bot:random", pairs=1))
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        db.executescript(damage)
    with pytest.raises(RecordError, match=r"damaged|no run"):
        run_result(tmp_path)


def test_half_a_record_is_a_record_error(tmp_path) -> None:
    play(tmp_path, request("sim:greedy", "bot:random", pairs=1))
    whole = (tmp_path / "record.db").read_bytes()
    for part in range(0, len(whole), 16384):
        (tmp_path / "record.db").write_bytes(whole[:part])
        with pytest.raises(RecordError):
            run_result(tmp_path)


def test_reading_an_empty_file_leaves_it_empty(tmp_path) -> None:
    (tmp_path / "record.db").touch()
    with pytest.raises(RecordError, match="empty"):
        run_result(tmp_path)
    assert (tmp_path / "record.db").stat().st_size == 0


def test_a_path_with_any_characters_holds_a_record(tmp_path) -> None:
    place = tmp_path / "50 % a?b=c#d"
    _, result = play(place, request("bot:random", "bot:random", pairs=1))
    assert [path.name for path in tmp_path.iterdir()] == [place.name]
    assert result.run.status == "finished"


def test_attempts_and_matches_come_in_the_order_of_their_numbers(tmp_path) -> None:
    _, result = play(tmp_path, request("sim:greedy", "bot:random", pairs=2))
    first = result.matches[0].id
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        db.execute("UPDATE call SET attempt = 2, ask = 0 WHERE decision LIKE ?", (f"{first}-%",))
        (row,) = db.execute("SELECT * FROM call WHERE decision LIKE ? LIMIT 1", (f"{first}-%",)).fetchall()
        names = [name for _, name, *_ in db.execute("PRAGMA table_info(call)")]
        for ask, attempt in ((10, 1), (0, 10), (2, 1)):
            new = dict(zip(names, row, strict=True)) | {"ask": ask, "attempt": attempt}
            new["id"] = f"{new['decision']}.{ask}.{attempt}"
            db.execute(f"INSERT INTO call VALUES ({','.join('?' * len(new))})", list(new.values()))
        decision = row[names.index("decision")]
        db.execute("UPDATE match SET pair = pair + 2 WHERE pair = 0")
    calls = match_story(tmp_path, first).calls[decision]
    assert [(call.ask, call.attempt) for call in calls] == [(0, 2), (0, 10), (2, 1), (10, 1)]
    assert run_result(tmp_path).matches[2].id == first


def test_wrong_first_answers_are_all_that_were_no_move(tmp_path) -> None:
    players = "sim:greedy?illegal=0.2&refused=0.2&cut=0.1&truncated=0.2&seed=5", "bot:random"
    _, result = play(tmp_path, request(*players, pairs=6))
    model, bot = result.standings
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        (asked_twice,) = db.execute(
            "SELECT count(*) FROM decision d WHERE (SELECT count(*) FROM call c "
            "WHERE c.decision = d.id AND c.answer IS NOT NULL) > 1"
        ).fetchone()
    assert model.wrong_first >= asked_twice > 0
    assert bot.wrong_first == 0


def test_blobs_are_kept_once_and_come_back_exactly(tmp_path) -> None:
    texts = ["", "plain", "naïve ☃ \x00 \udc80 lone", "long " * 10_000]
    with Record(tmp_path) as record:
        names = [record.blob(text) for text in texts for _ in range(3)]
    with reading(tmp_path) as session:
        assert [blob_text(session, name) for name in names[::3]] == texts
        with pytest.raises(RecordError, match="no blob"):
            blob_text(session, b"0" * 16)
    assert len(set(names)) == len(texts)


def test_rows_are_on_disk_soon_without_being_flushed(tmp_path) -> None:
    with Record(tmp_path) as record:
        record.blob("now")
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
                if db.execute("SELECT count(*) FROM blob").fetchone() == (1,):
                    break
        else:
            pytest.fail("the row never came")


def test_a_record_that_cannot_be_written_says_so(tmp_path) -> None:
    record = Record(tmp_path)
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        db.execute("DROP TABLE blob")
    record.blob("lost")
    with pytest.raises(RecordError, match="cannot be written"):
        record.flush()
    with pytest.raises(RecordError, match="cannot be written"):
        record.blob("also lost")
    record.close()  # it was said before


def test_what_nobody_heard_of_is_said_at_the_end(tmp_path) -> None:
    record = Record(tmp_path)
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        db.execute("DROP TABLE blob")
    record.blob("lost")
    with pytest.raises(RecordError, match="no such table"):
        record.close()


def test_a_match_is_found_by_the_end_of_its_id(tmp_path) -> None:
    _, result = play(tmp_path, request("sim:greedy", "bot:random", pairs=2))
    whole = result.matches[0].id
    story = match_story(tmp_path, whole)
    assert match_story(tmp_path, "0001a").match.id == whole == story.match.id
    assert [player.label for _, player in story.seats] == ["sim:greedy", "bot:random"]
    assert len(story.decisions) == story.match.plies
    asked = [decision for decision in story.decisions if decision.user_blob]
    assert all(len(story.calls[decision.id]) == 1 for decision in asked)
    assert "Game: tictactoe" in story.text(asked[0].system_blob)
    with pytest.raises(RecordError, match="there is no match '0009a'"):
        match_story(tmp_path, "0009a")
    with pytest.raises(RecordError, match="several matches"):
        match_story(tmp_path, "a")
