"""From records to files: the same whoever made them, all or none, and only what counts."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from orchestrator.export import pipeline
from orchestrator.export.example import RowError
from orchestrator.export.pipeline import prepare, write
from orchestrator.export.targets.trl import Trl
from orchestrator.export.wanted import Wanted
from orchestrator.record.database import RecordError
from orchestrator.record.store import Record
from tests.export.exports import played
from tests.export.records import exported, put_match, put_record


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def blob(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A game with hidden cards."""
    return played(tmp_path_factory.mktemp("blob") / "run", game="blob", pairs=2)


@pytest.fixture(scope="module")
def connect4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A game without."""
    return played(tmp_path_factory.mktemp("connect4") / "run", pairs=12)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything in many parts, so that they must be put together; processes of their own have the large ones."""
    monkeypatch.setattr(pipeline, "MATCHES", 3)
    monkeypatch.setattr(pipeline, "ROWS", 17)


@pytest.mark.parametrize("kind", ["sft", "rl-prompts", "tables", "rl-arrays"])
def test_the_same_export_twice_is_the_same(tmp_path: Path, blob: Path, connect4: Path, kind: str) -> None:
    target = "" if kind in ("tables", "rl-arrays") else "trl"
    for name in ("a", "b"):
        exported(tmp_path / name, blob, connect4, kind=kind, target=target)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a")


@pytest.mark.parametrize("kind", ["sft", "rl-arrays"])
def test_however_many_processes_make_the_same(tmp_path: Path, connect4: Path, blob: Path, kind: str) -> None:
    target = "" if kind == "rl-arrays" else "trl"
    for jobs in (1, 2):
        exported(tmp_path / str(jobs), connect4, blob, kind=kind, target=target, jobs=jobs)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


@pytest.mark.parametrize("kind", ["sft", "tables", "rl-arrays"])
def test_however_large_the_parts_are(
    tmp_path: Path, connect4: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    target = "" if kind in ("tables", "rl-arrays") else "trl"
    exported(tmp_path / "whole", connect4, kind=kind, target=target)
    request.getfixturevalue("small_parts")
    exported(tmp_path / "parts", connect4, kind=kind, target=target)
    whole, parts = contents(tmp_path / "whole"), contents(tmp_path / "parts")
    assert list(whole) == list(parts)
    assert [name for name in whole if whole[name] != parts[name]] == []


def test_files_are_as_the_export_tells(tmp_path: Path, connect4: Path) -> None:
    made = exported(tmp_path / "out", connect4)
    found = contents(tmp_path / "out")
    assert [file.name for file in made.files] == list(found)
    for file in made.files:
        assert (file.bytes, file.sha256) == (len(found[file.name]), sha256(found[file.name]).hexdigest())
        if file.name.endswith(".jsonl"):
            assert file.rows == found[file.name].count(b"\n")


def test_the_sidecar_names_the_decision_of_every_row(tmp_path: Path, connect4: Path) -> None:
    made = exported(tmp_path / "out", connect4)
    splits = {one.ids[0]: one.split for one in made.choice.chosen}
    found = contents(tmp_path / "out")
    named = Counter()
    for split in ("train", "validation", "test"):
        ids = [json.loads(line)["decision_id"] for line in found[f"{split}.ids.jsonl"].splitlines()]
        assert {splits[one] for one in ids} == {split}
        assert len(ids) == found[f"{split}.jsonl"].count(b"\n")
        named.update(ids)
    assert set(named) == set(splits)
    assert max(named.values()) == 1


def test_what_hidden_cards_would_tell_is_not_in_two_parts(blob: Path) -> None:
    made = prepare(Wanted(kind="sft", target="trl", runs=(blob,)))
    places: dict[bytes, set[str]] = {}
    for pick in made.choice.picks.values():
        places.setdefault(pick.place, set()).add(pick.split)
    assert [split for split in places.values() if "train" in split and len(split) > 1] == []


def test_only_matches_that_count_are_looked_at(tmp_path: Path) -> None:
    record = put_record(tmp_path / "run", status="running")
    made = prepare(Wanted(kind="sft", target="trl", runs=(record,), include_restricted=True, filters=()))
    assert made.look.seen == 8, "neither the void match nor the one that is being played"
    assert len(made.look.picks) == 7, "and what was forfeited is no example"


def test_a_run_goes_on_while_it_is_exported(tmp_path: Path) -> None:
    folder = put_record(tmp_path / "run", status="running")
    made = prepare(Wanted(kind="tables", target="", runs=(folder,), include_restricted=True))
    with Record(folder) as record:
        put_match(record, "r1ng05demo00-0003a", "finished", [0, 3, 1, 4, 2])
        record.flush()
        write(made, tmp_path / "out")  # while the writer is at it
    assert {file.name: file.rows for file in made.files} == {"decisions.parquet": 8, "games.parquet": 2}


def test_several_runs_are_one_export(tmp_path: Path, connect4: Path, blob: Path) -> None:
    asked: dict[str, Any] = {"kind": "tables", "target": ""}
    alone = [prepare(Wanted(runs=(run,), **asked)) for run in (connect4, blob)]
    together = prepare(Wanted(runs=(blob, connect4), **asked))
    assert together.look.seen == sum(made.look.seen for made in alone)
    ids = [one.ids[0] for one in together.choice.chosen]
    assert ids == sorted(ids)
    write(together, tmp_path)
    assert {file.name: file.rows for file in together.files}["decisions.parquet"] == len(ids)


def test_the_same_run_does_not_count_twice(tmp_path: Path, connect4: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "record.db").write_bytes((connect4 / "record.db").read_bytes())
    for other in (copy, connect4):
        with pytest.raises(ValueError, match="are the same run: name one of them"):
            prepare(Wanted(kind="sft", target="trl", runs=(connect4, other)))


def test_an_empty_result_has_no_files(tmp_path: Path, connect4: Path) -> None:
    made = exported(tmp_path / "out", connect4, filters=("player=nobody",))
    assert made.choice.chosen == []
    assert made.files == []
    assert contents(tmp_path / "out") == {}


def test_a_row_that_is_refused_leaves_nothing(
    tmp_path: Path, connect4: Path, monkeypatch: pytest.MonkeyPatch, small_parts: None
) -> None:
    check, seen = Trl.check, []

    def refuses(self: Trl, row: Any, kind: Any) -> None:
        check(self, row, kind)
        seen.append(row)
        if len(seen) == 40:
            raise RowError("it is the fortieth")

    monkeypatch.setattr(Trl, "check", refuses)
    with pytest.raises(RowError, match=r"r1ng\w+-\d+[ab]-\d+: it is the fortieth"):
        exported(tmp_path / "new" / "out", connect4)
    assert len(seen) == 40
    assert list(tmp_path.iterdir()) == [], "neither files nor the folders that were made for them"


def test_a_full_disk_leaves_nothing(tmp_path: Path, connect4: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Any, data: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orchestrator.export.arrays.Npz.add", full)
    (tmp_path / "out").mkdir()
    with pytest.raises(OSError, match="No space"):
        exported(tmp_path / "out", connect4, kind="rl-arrays", target="")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE decision SET state = x'00' WHERE ply = 2",
        "UPDATE decision SET legal = '[0]' WHERE ply = 2",
        "UPDATE decision SET legal = 'no' WHERE ply = 2",
        "UPDATE blob SET data = x'00'",
        "UPDATE call SET answer = x'00ff', texts_blob = 99999",
        "DELETE FROM seat",
    ],
)
def test_damage_is_told_and_nothing_is_written(tmp_path: Path, damage: str) -> None:
    folder = put_record(tmp_path / "run")
    with closing(sqlite3.connect(folder / "record.db")) as db, db:
        db.execute(damage)
    with pytest.raises(RecordError):
        exported(tmp_path / "out", folder, kind="tables", target="", include_restricted=True)
    assert not (tmp_path / "out").exists()


def test_moves_that_do_not_lead_to_the_end_are_damage(tmp_path: Path) -> None:
    folder = put_record(tmp_path / "run")
    with closing(sqlite3.connect(folder / "record.db")) as db, db:
        db.execute("UPDATE match SET plies = 9 WHERE id LIKE '%0001a'")
    with pytest.raises(RecordError, match="0001a: its moves do not lead from its deal to its end"):
        exported(tmp_path / "out", folder, kind="tables", target="", include_restricted=True)
