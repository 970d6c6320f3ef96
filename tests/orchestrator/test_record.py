"""The record: its schema, its writer, its locks and its refusals."""

from __future__ import annotations

import asyncio
import math
import random
import sqlite3
import threading
import time
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.events import Event
from orchestrator.record import checkpoints, database, tables, writer
from orchestrator.record.check import check_money
from orchestrator.record.database import RecordError, connect, migrate
from orchestrator.record.reading import match_story, reading, run_result
from orchestrator.record.store import Record, blob_text, blob_texts
from orchestrator.record.tallies import keep_tallies
from orchestrator.record.writer import Writer
from orchestrator.request import request_on_record
from tests.orchestrator.duels import play, request


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


SCHEMA = {
    "run": "id kind status reason seed request version budget_pico created finished",
    "player": "id spec label kind provider model style track parameters hash",
    "match": "id run pair swap replay seed game variant opening status reason plies started finished went",
    "seat": "match seat player score outcome rank forfeit points",
    "tally": "match player decisions illegal wrong_first fallbacks calls failed_calls input_tokens "
    "cached_tokens output_tokens reasoning_tokens cost_pico possibly_pico unpriced_calls reported latencies",
    "decision": "id match ply seat player action action_text legal mode outcome fault illegal rationale "
    "forecast probabilities state system_blob user_blob style_sha latency_ms cost_pico decided",
    "call": "id decision player ask attempt kind http_status request_id model_reported tier input_fresh "
    "cache_read cache_write_short cache_write_long output reasoning cost_pico price possibly_billed "
    "latency_ms started answer finish finish_detail reasoning_kind probabilities texts_blob error",
    "wave": "id run number player batch status calls calls_blob error submitted closed",
    "grade": "decision method exact worth best regret visits seconds",
    "blob": "id base data",
    "price": "id provider model tier numbers source dated",
    "meta": "key value",
}


def schema(path: Path) -> dict[str, list[str]]:
    """The columns of every table; and its indexes, and whether its rows stand in that of its key."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        tables = db.execute(
            "SELECT name, wr FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
        return {
            table: [
                f"by key {by_key}",
                *sorted(
                    f"{name} {kind} {needed} {key} {how}"
                    for _, name, kind, needed, _, key, how in db.execute(f"PRAGMA table_xinfo({table})")
                ),
                *sorted(name for _, name, *_ in db.execute(f"PRAGMA index_list({table})")),
            ]
            for table, by_key in tables.fetchall()
        }


def test_the_schema_is_the_released_one(tmp_path) -> None:
    """A change of tables needs a new SCHEMA_VERSION, a migration and a record in `records/`: then renew this list."""
    with Record(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        columns = {
            table: " ".join(name for _, name, *_ in db.execute(f"PRAGMA table_xinfo({table})"))
            for table in SCHEMA
        }
    assert (tables.SCHEMA_VERSION, columns) == (3, SCHEMA)
    assert schema(tmp_path / "record.db").keys() == SCHEMA.keys()


RECORDS = Path(__file__).with_name("records")
OLDER = range(1, tables.SCHEMA_VERSION)
ASKED = {"game": "tictactoe", "pairs": 2, "seed": 1}


def older(directory: Path, version: int) -> None:
    """The record that a version of that schema left when it was killed: a decision of it is paid for, not made."""
    directory.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(directory / "record.db", isolation_level=None)) as db:
        db.executescript((RECORDS / f"schema-{version}.sql").read_text())


@pytest.mark.parametrize("version", OLDER)
def test_a_record_of_every_earlier_schema_becomes_todays(tmp_path, version) -> None:
    older(tmp_path / "old", version)
    with closing(sqlite3.connect(tmp_path / "old" / "record.db", isolation_level=None)) as db:
        db.execute("CREATE VIEW v_own AS SELECT reasoning FROM decision")
        db.execute("CREATE VIEW v_matches AS SELECT count(*) AS matches FROM match")
        blobs = {
            name: zlib.decompress(data).decode() for name, data in db.execute("SELECT hash, data FROM blob")
        }
        sent = "SELECT id, request_blob, response_blob, reasoning_blob, cost_pico FROM call ORDER BY id"
        calls = [(id, *map(blobs.get, names), cost) for id, *names, cost in db.execute(sent)]
        prompts = "SELECT id, system_blob, user_blob FROM decision WHERE user_blob IS NOT NULL ORDER BY id"
        asked = [(id, blobs[system], blobs[user]) for id, system, user in db.execute(prompts)]
    matches = run_result(tmp_path / "old").matches
    with Record(tmp_path / "new"):
        pass
    assert schema(tmp_path / "old" / "record.db") == schema(tmp_path / "new" / "record.db")
    stories = [match_story(tmp_path / "old", match.id) for match in matches]
    made = [decision for story in stories for decision in story.decisions]
    told = [
        (one.id, story.text(one.system_blob), story.text(one.user_blob))
        for story in stories
        for one in story.decisions
        if one.user_blob
    ]
    assert sorted(told) == asked and len(made) > len(asked)
    texts = [
        (call, story.texts(call)) for story in stories for called in story.calls.values() for call in called
    ]
    assert (
        sorted(
            (call.id, request or None, response or None, reasoning or None, call.cost_pico)
            for call, (reasoning, response, request) in texts
        )
        == calls
    )
    assert check_money(tmp_path / "old") == []
    with closing(sqlite3.connect(tmp_path / "old" / "record.db", isolation_level=None)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute("SELECT matches FROM v_matches").fetchone() == (len(matches),), "somebody's own"


@pytest.mark.parametrize("version", OLDER)
def test_a_record_of_every_earlier_schema_goes_on_and_pays_nothing_twice(tmp_path, version) -> None:
    players = "sim:greedy?illegal=0.3&seed=5", "bot:random"
    older(tmp_path / "old", version)
    play(tmp_path / "new", request(*players, **ASKED))
    with closing(sqlite3.connect(tmp_path / "new" / "record.db", isolation_level=None)) as db:
        today = db.execute("SELECT id, parameters, hash FROM player ORDER BY id").fetchall()
    with closing(sqlite3.connect(tmp_path / "old" / "record.db", isolation_level=None)) as db:
        known = db.execute("SELECT id FROM call WHERE kind = 'ok' ORDER BY id").fetchall()
        for id, parameters, hash in today:  # as if prompts had not changed since
            db.execute("UPDATE player SET parameters = ?, hash = ? WHERE id = ?", (parameters, hash, id))
    with Record(tmp_path / "old") as record:
        asked = request_on_record(record)
    events: list[Event] = []
    ending, result = play(tmp_path / "old", asked, events=events)
    assert ending.status == "finished" and len(result.pair_scores) == 2
    called = [
        (f"{event['decision']}.{event['ask']:02d}.{event['attempt']:02d}",)
        for event in events
        if event["type"] == "call"
    ]
    assert called and not set(called) & set(known)
    assert check_money(tmp_path / "old") == []


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
        "DROP TABLE tally; CREATE TABLE tally (id)",
        "UPDATE run SET request = '{'",
        "UPDATE run SET request = '[]'",
        "UPDATE run SET request = '{}'",
        'UPDATE run SET request = \'{"game": 1, "pairs": 1}\'',
        "UPDATE match SET opening = 'null'",
        "UPDATE seat SET player = 9",
        "UPDATE seat SET rank = NULL",
        "UPDATE tally SET match = 'x' WHERE player = 1 AND match LIKE '%a'",
        "UPDATE tally SET player = 9 WHERE player = 1",
        "UPDATE tally SET calls = 'many'",
        "UPDATE tally SET latencies = x'ff'",
        "UPDATE tally SET reported = CAST(x'ff' AS TEXT)",
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
        names = [name for _, name, *_ in db.execute("PRAGMA table_info(call)")]  # without what is computed
        query = f"SELECT decision, {','.join(names)} FROM call WHERE decision LIKE ? LIMIT 1"
        ((decision, *row),) = db.execute(query, (f"{first}-%",)).fetchall()
        for ask, attempt in ((10, 1), (0, 10), (2, 1)):
            new = dict(zip(names, row, strict=True)) | {"ask": ask, "attempt": attempt}
            new["id"] = f"{decision}.{ask}.{attempt}"
            db.execute(
                f"INSERT INTO call ({','.join(names)}) VALUES ({','.join('?' * len(new))})",
                list(new.values()),
            )
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


def test_texts_come_back_exactly_and_the_same_are_kept_once(tmp_path) -> None:
    texts = ["", "plain", "naïve ☃ \x00 \udc80 lone", "long " * 10_000, "1,2\n3"]
    with Record(tmp_path) as record:
        numbers = [record.blob(text) for text in texts for _ in range(3)]
        several = record.blob(*texts)
    with reading(tmp_path) as session:
        assert [blob_text(session, number) for number in numbers[::3]] == texts
        assert blob_texts(session, several) == tuple(texts)
        with pytest.raises(RecordError, match="no blob 99"):
            blob_text(session, 99)
    assert len(set(numbers)) == len(texts)


@given(st.lists(st.lists(st.text(), min_size=1, max_size=3), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_texts_that_share_a_base_come_back_exactly(tmp_path_factory, kinds) -> None:
    directory = tmp_path_factory.mktemp("texts")
    with Record(directory) as record:
        numbers = [record.blob(*texts, like="a kind") for texts in kinds]
    with Record(directory) as record:  # and when it goes on
        numbers += [record.blob(*texts, like="a kind") for texts in kinds]
    with reading(directory) as session:
        assert [blob_texts(session, number) for number in numbers] == [tuple(texts) for texts in kinds * 2]


def test_texts_that_differ_little_take_little_room(tmp_path) -> None:
    same = " ".join(f"word{number}" for number in range(500))
    with Record(tmp_path) as record:
        for number in range(50):
            record.blob(f"{same} {number}", f"answer {number}", like="call")
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        first, *others = (size for (size,) in db.execute("SELECT length(data) FROM blob ORDER BY id"))
    assert first > 1000 and max(others) < 100


@pytest.mark.parametrize("damage", ["base = id", "base = 99", "data = x'00'", "data = x'', base = NULL"])
def test_damaged_texts_are_a_record_error(tmp_path, damage) -> None:
    _, result = play(tmp_path, request("sim:greedy", "bot:random", pairs=1))
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        db.execute(f"UPDATE blob SET {damage} WHERE base IS NOT NULL")
    with pytest.raises(RecordError):
        match_story(tmp_path, result.matches[0].id)


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


# ── until it is durable ──────────────────────────────────────────────────────────────────────────


def on_disk(directory: Path) -> int:
    with closing(sqlite3.connect(directory / "record.db", isolation_level=None)) as db:
        return int(db.execute("SELECT count(*) FROM blob").fetchone()[0])


def test_what_is_durable_is_there_for_everybody(tmp_path) -> None:
    async def write(record: Record, number: int) -> None:
        record.blob(f"text {number}")
        await record.durable()
        assert number < on_disk(tmp_path)

    async def one_after_the_other() -> None:
        for number in range(20):
            await write(record, number)

    with Record(tmp_path) as record:
        asyncio.run(one_after_the_other())


def test_five_hundred_who_wait_at_once_share_commits(tmp_path, monkeypatch) -> None:
    batches = []
    writing = Writer._write
    monkeypatch.setattr(Writer, "_write", lambda *args: (batches.append(args), writing(*args)))

    async def write(number: int) -> None:
        record.blob(f"text {number}")
        await record.durable()

    async def all_at_once() -> None:
        await asyncio.gather(*(write(number) for number in range(500)))

    with Record(tmp_path) as record:
        asyncio.run(all_at_once())
        assert on_disk(tmp_path) == 500
    assert len(batches) < 100


def test_who_waits_does_not_wait_for_the_batch_to_fill(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(writer, "BATCH_S", 3600.0)

    async def write() -> None:
        record.blob("a text")
        await asyncio.wait_for(record.durable(), 60)

    with Record(tmp_path) as record:
        asyncio.run(write())
        record.blob("one more")
        record.flush()
        assert on_disk(tmp_path) == 2
        record.blob("at the end")
    assert on_disk(tmp_path) == 3


def logged(directory: Path) -> int:
    return (directory / "record.db-wal").stat().st_size


def test_the_log_stays_short_while_everybody_writes(tmp_path, monkeypatch) -> None:
    """It goes into the file beside the commits, of which none does it itself."""
    monkeypatch.setattr(checkpoints, "FOLD_ROWS", 100)
    monkeypatch.setattr(checkpoints, "MOST_ROWS", 200)
    folds = []
    fold = checkpoints._fold
    monkeypatch.setattr(
        checkpoints, "_fold", lambda db: (folds.append(threading.current_thread().name), fold(db))[1]
    )

    async def write(record: Record, name: str) -> None:
        for number in range(40):
            record.blob(f"text {name} {number}")
            await record.durable()

    async def all_at_once(record: Record, name: str) -> None:
        await asyncio.gather(*(write(record, f"{name} {task}") for task in range(50)))

    with Record(tmp_path) as record:
        asyncio.run(all_at_once(record, "before"))
        short = logged(tmp_path)
        with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
            db.execute("BEGIN")  # somebody reads, and holds the log
            assert db.execute("SELECT count(*) FROM blob").fetchone() == (2000,)
            asyncio.run(all_at_once(record, "meanwhile"))
            assert db.execute("SELECT count(*) FROM blob").fetchone() == (2000,), (
                "what it was when they began"
            )
        assert on_disk(tmp_path) == 2000 + 2000
    assert short < 4_000_000 and set(folds) >= {"record-writer", "record-checkpoint"}
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_log_that_cannot_go_into_the_file_is_told(tmp_path, monkeypatch) -> None:
    def fail(db: sqlite3.Connection) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(checkpoints, "FOLD_ROWS", 1)
    monkeypatch.setattr(checkpoints, "MOST_ROWS", 2)
    monkeypatch.setattr(checkpoints, "_fold", fail)
    record = Record(tmp_path)
    with pytest.raises(RecordError, match="disk is full"):
        for number in range(5):
            record.blob(f"text {number}")
            record.flush()
    record.close()


@pytest.mark.parametrize("length", [100, 5000, 40_000])
def test_examples_make_short_texts_shorter_and_change_none(tmp_path, length) -> None:
    dice = random.Random(length)
    words = [f"word{number}" for number in range(300)]
    texts = [" ".join(dice.choices(words, k=length // 8)) for _ in range(70)]
    with Record(tmp_path) as record:
        numbers = [record.blob(text, like="a kind") for text in texts]
    with reading(tmp_path) as session:
        assert [blob_text(session, number) for number in numbers] == texts
        bases = (
            session.connection().exec_driver_sql("SELECT count(*) FROM blob WHERE base IS NULL").scalar_one()
        )
    assert bases == (7 if length == 100 else 1)  # the first, and with the second, the fourth, … the 64th


def test_to_give_up_waiting_changes_nothing(tmp_path) -> None:
    async def give_up() -> None:
        waiting = []
        for number in range(50):
            record.blob(f"text {number}")
            waiting.append(asyncio.create_task(record.durable()))
        await asyncio.sleep(0)
        for task in waiting[::2]:
            task.cancel()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert ended[1::2] == [None] * 25
        assert all(isinstance(one, asyncio.CancelledError | None) for one in ended)

    async def leave() -> None:
        record.blob("text 50")
        asyncio.create_task(record.durable())  # noqa: RUF006 - its loop is gone before it is done
        await asyncio.sleep(0)

    with Record(tmp_path) as record:
        asyncio.run(give_up())
        asyncio.run(leave())
        asyncio.run(record.durable())
    assert on_disk(tmp_path) == 51


def test_what_cannot_be_made_durable_says_so_to_everybody(tmp_path) -> None:
    async def write(number: int) -> None:
        record.blob(f"text {number}")
        await record.durable()

    async def all_at_once() -> list[BaseException | None]:
        return await asyncio.gather(*(write(number) for number in range(20)), return_exceptions=True)

    record = Record(tmp_path)
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        db.execute("DROP TABLE blob")
    for _ in range(2):
        ended = asyncio.run(all_at_once())
        assert all(isinstance(one, RecordError) and "cannot be written" in str(one) for one in ended)
    record.close()


def test_a_closed_record_is_durable(tmp_path) -> None:
    with Record(tmp_path) as record:
        record.blob("a text")
    asyncio.run(record.durable())
    assert on_disk(tmp_path) == 1
    assert not (tmp_path / "record.db-wal").exists()


def test_a_row_that_comes_back_replaces_the_one_that_left(tmp_path) -> None:
    """Where it stands, with the columns that it has."""
    call = {"id": "r-0001a-000.00.01", "player": 1, "ask": 0, "attempt": 1, "started": 1.0, "request_id": "",
            "model_reported": "", "tier": "standard", "input_fresh": 0, "cache_read": 0, "cache_write_short": 0,
            "cache_write_long": 0, "output": 0, "reasoning": 0, "cost_pico": 9, "possibly_billed": True,
            "latency_ms": 0.0, "finish": "", "finish_detail": "", "reasoning_kind": "none", "error": ""}  # fmt: skip
    with Record(tmp_path) as record:
        for number in (2, 1):
            record.put_columns(tables.Call, **{**call, "id": f"r-0001a-00{number}.00.01", "kind": "sent"})
        record.put_columns(tables.Call, **{**call, "id": "r-0001a-002.00.01", "kind": "ok", "cost_pico": 5})
        assert record.spent() == {1: 14}
    with reading(tmp_path) as session:
        rows = session.connection().exec_driver_sql(
            "SELECT decision, kind, cost_pico FROM call ORDER BY rowid"
        )
        assert [tuple(row) for row in rows] == [("r-0001a-002", "ok", 5), ("r-0001a-001", "sent", 9)]


def test_what_is_spent_is_what_every_call_says(tmp_path) -> None:
    with Record(tmp_path) as record:
        assert record.spent() == {}
    players = "sim:greedy?price=3,15&500=0.2&illegal=0.2&seed=4", "bot:random"
    _, result = play(tmp_path / "run", request(*players, pairs=4, price="3,15"))
    with Record(tmp_path / "run") as record:
        spent = record.spent()
    model, bot = result.standings
    assert spent == {1: model.cost_pico + model.possibly_pico, 2: 0}
    assert model.calls > model.decisions and bot.calls == 0


# ── what adds up ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("UPDATE call SET cost_pico = cost_pico + 1 WHERE rowid = 1", "its answered calls"),
        ("UPDATE decision SET cost_pico = 1 WHERE mode = 'bot'", "its answered calls 0"),
        ("UPDATE call SET cost_pico = -1 WHERE rowid = 2", "negative cost"),
        ("UPDATE tally SET cost_pico = cost_pico + 1 WHERE player = 1", "the standings say"),
        ("UPDATE tally SET illegal = illegal + 1", "the tally of player"),
        ("DELETE FROM call WHERE rowid = 1", "its answered calls 0"),
    ],
)
def test_money_that_does_not_add_up_is_told(tmp_path, wrong, says) -> None:
    play(tmp_path, request("sim:greedy", "bot:random", pairs=1))
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        db.execute("UPDATE call SET cost_pico = 7, price = 'p'")
        db.execute("UPDATE decision SET cost_pico = 7 WHERE mode = 'json'")
        keep_tallies(db, [match for (match,) in db.execute("SELECT id FROM match")])
        assert check_money(tmp_path) == []
        db.execute(wrong)
    assert any(says in told for told in check_money(tmp_path))


def test_open_matches_are_counted_as_they_stand(tmp_path) -> None:
    """A run that was stopped says the same as one whose matches were all tallied."""
    asked = request("sim:greedy?illegal=0.3&seed=5", "bot:random", pairs=3)
    _, result = play(tmp_path, asked, stop_after=14, concurrency=3)
    assert {match.status for match in result.matches} >= {"stopped"}
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        assert db.execute("SELECT count(*) FROM tally t JOIN match m ON m.id = t.match WHERE status = 'stopped'"
                          ).fetchone() == (0,)  # fmt: skip
        keep_tallies(db, [match.id for match in result.matches])
    again = run_result(tmp_path)
    assert [replace(standing, player=None) for standing in again.standings] == [
        replace(standing, player=None) for standing in result.standings
    ]
    assert sum(standing.decisions for standing in again.standings) >= 14


def test_times_are_told_as_they_were(tmp_path) -> None:
    _, result = play(tmp_path, request("sim:greedy?latency=0.001", "sim:random", pairs=3))
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        for standing in result.standings:
            query = "SELECT latency_ms FROM decision WHERE player = ? ORDER BY latency_ms"
            took = [round(ms, 1) for (ms,) in db.execute(query, (standing.player.id,))]
            at = [took[math.ceil(share * len(took)) - 1] for share in (0.5, 0.95)]
            assert standing.latency_ms(0.5, 0.95) == at and standing.asked == len(took)
