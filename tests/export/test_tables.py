"""The canonical tables: what was decided is in them, as the columns say, in both formats alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import engine
from orchestrator.export import tables
from orchestrator.export.columns import DECISIONS, GAMES
from orchestrator.export.convert import convert
from orchestrator.export.source import NOT_BRIEF, opened
from orchestrator.export.wanted import Wanted
from tests.export.exports import played
from tests.export.records import ODD, exported, put_record


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a table."""
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def written(tmp_path: Path, record: Path, **asked: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All decisions and games of a record, through files."""
    exported(tmp_path / "out", record, kind="tables", target="", include_restricted=True, **asked)
    return read(tmp_path / "out" / "decisions.parquet"), read(tmp_path / "out" / "games.parquet")


def test_every_finished_decision_is_there_and_no_other(tmp_path: Path) -> None:
    decisions, games = written(tmp_path, put_record(tmp_path / "run"))
    assert [row["decision_id"][-9:] for row in decisions] == [
        *(f"0001a-{ply:03d}"[-9:] for ply in range(5)),
        *(f"0001b-{ply:03d}"[-9:] for ply in range(3)),
    ]
    assert [row["match_id"][-5:] for row in games] == ["0001a", "0001b"]


def test_what_happened_is_told(tmp_path: Path) -> None:
    rows, _ = written(tmp_path, put_record(tmp_path / "run"))
    by_ply = rows[:5]
    assert [row["parse_status"] for row in by_ply] == ["ok", "reasked", "ok", "fallback", "ok"]
    assert [row["attempt"] for row in by_ply] == [1, 2, 1, 1, 1]
    assert [row["was_fallback"] for row in by_ply] == [False, False, False, True, False]
    assert [row["outcome"] for row in by_ply] == [1.0, -1.0, 1.0, -1.0, 1.0]
    assert by_ply[1]["tokens_out"] == 20
    assert by_ply[0]["reasoning"] == f"{ODD} {by_ply[0]['decision_id']} 0"
    assert by_ply[1]["reasoning"].endswith(" 1"), "the last answer's"
    forfeit = rows[-1]
    assert (forfeit["parse_status"], forfeit["action"], forfeit["action_index"]) == ("forfeit", None, None)


def test_a_row_is_the_position_it_says(tmp_path: Path) -> None:
    rows, _ = written(tmp_path, played(tmp_path / "run", pairs=2))
    for row in rows:
        game = engine.from_bytes(bytes.fromhex(row["state"]))
        assert game.legal_actions() == row["legal_actions"]
        assert [game.action_text(action) for action in row["legal_actions"]] == row["legal_texts"]
        assert row["legal_actions"][row["action_index"]] == row["action"]
        assert json.loads(row["facts"]) == json.loads(json.dumps(game.facts(row["seat"])))
        assert (game.current_player(), game.ply()) == (row["seat"], row["ply"])


def test_games_replay_from_their_deal_to_their_points(tmp_path: Path) -> None:
    _, games = written(tmp_path, played(tmp_path / "run", game="blob", pairs=2))
    for row in games:
        game = engine.new(row["game"], row["seed"], **json.loads(row["variant"]))
        for action, text, seat in zip(row["actions"], row["action_texts"], row["seats"], strict=True):
            assert (game.current_player(), game.action_text(action)) == (seat, text)
            game.apply(action)
        assert game.is_terminal()
        assert game.returns() == row["points"]
        assert row["actions"][: len(row["opening"])] == row["opening"]
        assert len(row["actions"]) == row["plies"]
        assert row["split"] in ("train", "validation", "test"), "cards are hidden: parted by the deal"


def test_a_forfeited_game_has_no_points(tmp_path: Path) -> None:
    _, (whole, cut) = written(tmp_path, put_record(tmp_path / "run"))
    assert (whole["points"], whole["forfeit"]) == ([1.0, 0.0], "")
    assert (cut["points"], cut["forfeit"]) == ([], "illegal: three times")
    assert cut["actions"] == [4, 0]
    assert cut["scores"] == [0.0, 1.0]
    assert cut["split"] is None, "positions part tictactoe, not matches"


def test_columns_and_types_are_as_they_are_told(tmp_path: Path) -> None:
    exported(
        tmp_path / "out", put_record(tmp_path / "run"), kind="tables", target="", include_restricted=True
    )
    for name, columns in (("decisions", DECISIONS), ("games", GAMES)):
        schema = pq.read_schema(tmp_path / "out" / f"{name}.parquet")
        assert schema.equals(tables.schema(columns), check_metadata=False)
        assert schema.field(0).metadata[b"about"].decode() == next(iter(columns.values())).about


def test_the_table_of_a_target_has_the_rows_that_were_taken(tmp_path: Path) -> None:
    made = exported(tmp_path / "out", played(tmp_path / "run"))
    rows = read(tmp_path / "out" / "tables" / "decisions.parquet")
    taken = {one.ids[0]: one for one in made.choice.chosen}
    assert [row["decision_id"] for row in rows] == list(taken)
    for row in rows:
        one = taken[row["decision_id"]]
        told = row["split"], row["dedup_group"], row["dedup_count"], row["weight"]
        assert told == (one.split, one.group, one.same, one.weight)
    games = read(tmp_path / "out" / "tables" / "games.parquet")
    assert [row["match_id"] for row in games] == sorted({row["match_id"] for row in rows})


def test_of_pairs_both_decisions_are_in_the_table(tmp_path: Path) -> None:
    from tests.export.played import played as graded

    made = exported(tmp_path / "out", graded("bots"), kind="pref", per_question=2)
    rows = read(tmp_path / "out" / "tables" / "decisions.parquet")
    assert [row["decision_id"] for row in rows] == [each for one in made.choice.chosen for each in one.ids]
    assert made.choice.chosen


def test_lines_and_parquet_hold_the_same(tmp_path: Path) -> None:
    record = put_record(tmp_path / "run")
    exported(
        tmp_path / "out",
        record,
        kind="tables",
        target="",
        include_restricted=True,
        formats=("parquet", "jsonl"),
    )
    for name in ("decisions", "games"):
        convert(tmp_path / "out" / f"{name}.parquet", tmp_path / f"{name}.jsonl")
        assert (tmp_path / f"{name}.jsonl").read_bytes() == (tmp_path / "out" / f"{name}.jsonl").read_bytes()


def test_without_tables_there_are_none(tmp_path: Path) -> None:
    exported(tmp_path / "out", played(tmp_path / "run", pairs=3), tables=False)
    assert not (tmp_path / "out" / "tables").exists()
    assert (tmp_path / "out" / "train.jsonl").exists()


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(ValueError, match="tables are written as parquet, jsonl, not as npz"):
        Wanted(kind="tables", target="", runs=(Path("x"),), formats=("npz",))
    with pytest.raises(ValueError, match="tables are files of our own and have no target: leave trl out"):
        Wanted(kind="tables", target="trl", runs=(Path("x"),))


def test_a_brief_row_lacks_only_what_it_says(tmp_path: Path) -> None:
    with opened(put_record(tmp_path / "run")) as source:
        for whole, brief in zip(source.decisions(), source.decisions(brief=True), strict=True):
            assert {name for name in whole if whole[name] != brief[name]} <= set(NOT_BRIEF)
            assert [brief[name] for name in NOT_BRIEF] == [None] * len(NOT_BRIEF)


def test_rows_by_name_are_those_that_are_read_on(tmp_path: Path) -> None:
    with opened(put_record(tmp_path / "run")) as source:
        rows = list(source.decisions())
        assert list(source.chosen([row["decision_id"] for row in rows[::-1]])) == rows[::-1]
        with pytest.raises(KeyError):
            list(source.chosen(["r1ng05demo00-0009a-000"]))
