"""One file format to another and back: nothing is lost, and what is wrong with a file is said with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.cli.convert import command
from orchestrator.export import convert as module
from orchestrator.export.convert import ConvertError, convert
from tests.export.records import exported, put_record

FORMATS = (".jsonl", ".parquet", ".npz")


def lines(path: Path, rows: list[Any]) -> Path:
    """A file of them."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def through(path: Path, *suffixes: str) -> Path:
    """A file converted again and again."""
    for number, suffix in enumerate(suffixes):
        to = path.with_name(f"{number}-{path.stem.rpartition('-')[2]}{suffix}")
        to.unlink(missing_ok=True)
        convert(path, to)
        path = to
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables and arrays of one record."""
    folder = tmp_path_factory.mktemp("files")
    asked: dict[str, Any] = {"target": "", "include_restricted": True}
    record = put_record(folder / "run")
    exported(folder / "tables", record, kind="tables", formats=("parquet", "jsonl"), **asked)
    exported(folder / "arrays", record, kind="rl-arrays", **asked)
    return folder


@pytest.mark.parametrize("name", ["decisions", "games"])
@pytest.mark.parametrize("by", FORMATS)
def test_our_tables_come_back_byte_by_byte(files: Path, tmp_path: Path, name: str, by: str) -> None:
    for suffix in (".parquet", ".jsonl"):
        source = tmp_path / f"{name}{suffix}"
        source.write_bytes((files / "tables" / source.name).read_bytes())
        assert through(source, by, suffix).read_bytes() == source.read_bytes()


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
@pytest.mark.parametrize("by", FORMATS)
def test_our_arrays_come_back_byte_by_byte(files: Path, tmp_path: Path, suffix: str, by: str) -> None:
    source = tmp_path / f"tictactoe{suffix}"
    source.write_bytes((files / "arrays" / source.name).read_bytes())
    assert through(source, by, suffix).read_bytes() == source.read_bytes()


def test_a_table_known_by_its_columns_has_its_types_without_any_value(files: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (files / "tables" / "decisions.jsonl").read_bytes().splitlines()]
    assert all(row["q_search"] is None for row in rows)
    convert(files / "tables" / "decisions.jsonl", tmp_path / "decisions.parquet")
    assert pq.read_schema(tmp_path / "decisions.parquet").field("q_search").type == pa.list_(pa.float64())


TEXTS = st.text(max_size=8)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), max_size=6).filter(
    lambda rows: any(rows) or not rows
)
ALIKE = st.one_of(
    *(st.lists(st.fixed_dictionaries({"a": each}), max_size=6) for each in (
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | TEXTS,
        st.booleans() | st.none(),
        st.lists(st.none() | TEXTS) | st.none(),
        st.lists(st.integers(-5, 5)),
        st.lists(st.floats(allow_nan=False, allow_infinity=False)),
    ))
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS | ALIKE, by=st.lists(st.sampled_from(FORMATS), max_size=2))
def test_any_rows_come_back(tmp_path: Path, rows: list[dict[str, Any]], by: list[str]) -> None:
    found = through(lines(tmp_path / "rows.jsonl", rows), *by, ".jsonl").read_bytes().splitlines()
    assert [json.loads(line) for line in found] == rows


def test_rows_of_a_target_come_back_with_their_types(files: Path, tmp_path: Path) -> None:
    rows = [
        {"prompt": [{"role": "user", "content": "?"}], "label": True, "legal": ["1", "2"], "difficulty": 0.5},
        {"prompt": [{"role": "user", "content": "!"}], "label": False, "legal": [], "difficulty": 1},
    ]
    source = lines(tmp_path / "train.jsonl", rows)
    schema = pq.read_schema(through(source, ".parquet"))
    assert schema.field("label").type == pa.bool_()
    assert schema.field("legal").type == pa.list_(pa.string())
    assert schema.field("difficulty").type == pa.float64()
    assert schema.field("prompt").type == pa.string(), "JSON: objects have no type that all readers share"


def test_missing_and_null_stay_apart(tmp_path: Path) -> None:
    rows: list[Any] = [{"a": 1}, {"a": None}, {}, {"b": "x"}]
    for by in FORMATS:
        source = lines(tmp_path / "rows.jsonl", rows)
        assert [json.loads(line) for line in through(source, by, ".jsonl").read_text().splitlines()] == rows


def test_it_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more rows are held than a few groups, however many there are."""
    held, most = 0, 0
    group = module._grouped

    def watched(rows: Any) -> Any:
        nonlocal held, most
        for at, found in group(rows):
            held += len(found)
            most = max(most, held)
            yield at, found
            held -= len(found)

    monkeypatch.setattr(module, "_grouped", watched)
    source = lines(tmp_path / "rows.jsonl", [{"a": number, "b": "x"} for number in range(30_000)])
    assert convert(source, tmp_path / "rows.parquet") == 30_000
    assert most == module.ROWS
    assert pq.ParquetFile(tmp_path / "rows.parquet").num_row_groups > 1
    assert convert(tmp_path / "rows.parquet", tmp_path / "again.jsonl") == 30_000
    again = [json.loads(line) for line in (tmp_path / "again.jsonl").read_text().splitlines()]
    assert again == [json.loads(line) for line in source.read_text().splitlines()]


def test_somebody_else_s_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.arange(6, dtype="<i2").reshape(3, 2), b=np.array(["x", "yy", ""]))
    convert(tmp_path / "x.npz", tmp_path / "x.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert rows == [{"a": [0, 1], "b": "x"}, {"a": [2, 3], "b": "yy"}, {"a": [4, 5], "b": ""}]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.jsonl", b'{"a": 1}\n{"a": \n', "x.jsonl, line 2: not JSON"),
        ("x.jsonl", b"\0\0\0\0\n", "x.jsonl, line 1: not JSON"),
        ("x.jsonl", b"{}\n{}\n", "x.jsonl: rows without any column"),
        ("x.jsonl", b"[1]\n", "x.jsonl, line 1: expected an object"),
        ("x.jsonl", b'{"a": "\xff"}\n', "x.jsonl, line 1: not JSON"),
        ("x.parquet", b"PAR1 but no more", "x.parquet is no Parquet"),
        ("x.npz", b"PK no zip", "x.npz is no NPZ"),
        ("x.csv", b"a,b\n", "unknown suffix '.csv', expected .jsonl, .parquet or .npz"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConvertError, match=said.replace(".", r"\.")):
        convert(tmp_path / name, tmp_path / "to.parquet")
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing is left behind"


def test_a_row_that_breaks_a_known_type_is_told_with_its_column(files: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (files / "tables" / "decisions.jsonl").read_bytes().splitlines()]
    rows[3]["ply"] = "three"
    with pytest.raises(ConvertError, match=r"decisions\.jsonl, lines 1 to 8: ply should be int64"):
        convert(lines(tmp_path / "decisions.jsonl", rows), tmp_path / "to.parquet")


def test_pickles_are_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ConvertError, match="NPZ without pickles"):
        convert(tmp_path / "x.npz", tmp_path / "x.jsonl")


def test_arrays_of_different_lengths_are_no_table(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros(2), b=np.zeros(3))
    with pytest.raises(ConvertError, match=r"equally long, got a \(2,\), b \(3,\)"):
        convert(tmp_path / "x.npz", tmp_path / "x.jsonl")


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    source = lines(tmp_path / "x.jsonl", [{"a": 1}])
    (tmp_path / "x.parquet").write_bytes(b"mine")
    with pytest.raises(ConvertError, match="is there already: name a new file"):
        convert(source, tmp_path / "x.parquet")
    assert (tmp_path / "x.parquet").read_bytes() == b"mine"


def test_the_command(tmp_path: Path) -> None:
    source = lines(tmp_path / "x.jsonl", [{"a": 1}, {"a": 2}])
    done = CliRunner().invoke(command, [str(source), str(tmp_path / "x.npz")])
    assert (done.exit_code, done.output.split()) == (0, ["2", str(tmp_path / "x.npz")])
    wrong = CliRunner().invoke(command, [str(source), str(tmp_path / "x.txt")])
    assert wrong.exit_code == 2
    assert "unknown suffix '.txt'" in wrong.output
