"""Arrays: what a decision is in numbers, the same in NPZ, Parquet and the canonical table, joined by its id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import engine
from orchestrator.export.arrays import ARRAYS, POLICY_BY, VALUE_BY, Npz, have_minari, name_of, to_minari
from orchestrator.export.wanted import Wanted
from tests.export.exports import played
from tests.export.played import played as graded
from tests.export.records import exported, put_record

Arrays = dict[str, Any]


def load(path: Path) -> Arrays:
    """Everything of an NPZ."""
    with np.load(path, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}


def made(tmp_path: Path, record: Path, name: str = "tictactoe", **asked: Any) -> Arrays:
    """A record's arrays."""
    exported(tmp_path / "out", record, kind="rl-arrays", target="", include_restricted=True, **asked)
    return load(tmp_path / "out" / f"{name}.npz")


def table(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """The canonical rows beside them, by id."""
    rows = pq.read_table(tmp_path / "out" / "tables" / "decisions.parquet").to_pylist()
    return {row["decision_id"]: row for row in rows}


@pytest.mark.parametrize("game", ["connect4", "tictactoe", "blob"])
def test_arrays_say_what_the_table_says(tmp_path: Path, game: str) -> None:
    record = played(tmp_path / "run", game=game, pairs=4)
    exported(tmp_path / "out", record, kind="rl-arrays", target="")
    (file,) = (tmp_path / "out").glob("*.npz")
    data, rows = load(file), table(tmp_path)
    assert sorted(data["decision_id"].tolist()) == sorted(rows)
    for at, decision in enumerate(data["decision_id"].tolist()):
        row = rows[decision]
        state = engine.from_bytes(bytes.fromhex(row["state"]))
        assert data["obs"][at].tobytes() == bytes(state.observation(row["seat"]))
        assert np.flatnonzero(data["mask"][at]).tolist() == row["legal_actions"]
        assert data["action"][at] == row["action"]
        assert data["outcome"][at] == np.float32(row["outcome"])
        assert (data["ply"][at], data["seat"][at]) == (row["ply"], row["seat"])
        assert data["split"][at] == row["split"]
        assert data["policy"][at].sum() == pytest.approx(1)
        assert not data["policy"][at][~data["mask"][at]].any(), "nothing that is illegal"


@pytest.mark.parametrize("game", ["connect4", "blob"])
def test_both_formats_hold_the_same(tmp_path: Path, game: str) -> None:
    exported(tmp_path / "out", played(tmp_path / "run", game=game, pairs=3), kind="rl-arrays", target="")
    (npz,), (parquet,) = (tmp_path / "out").glob("*.npz"), (tmp_path / "out").glob("*.parquet")
    data, twin = load(npz), pq.read_table(parquet)
    assert twin.schema.metadata[b"meta"].decode() == str(data["meta"])
    for name in ARRAYS:
        assert np.array_equal(
            np.array(twin[name].to_pylist(), data[name].dtype), data[name], equal_nan=name == "value"
        ), name


def test_types_are_fixed_and_nothing_is_pickled(tmp_path: Path) -> None:
    data = made(tmp_path, put_record(tmp_path / "run"))
    assert set(data) == {*ARRAYS, "meta"}
    for name, each in ARRAYS.items():
        assert data[name].dtype == np.dtype(each.dtype), name
        assert data[name].ndim == (2 if each.width else 1), name
        assert len(data[name]) == len(data["action"]), name
    told = json.loads(str(data["meta"]))
    assert (told["game"], told["variant"], told["n_players"], told["num_actions"]) == ("tictactoe", {}, 2, 9)


def test_an_episode_is_one_seat_s_way_through_one_match(tmp_path: Path) -> None:
    data = made(tmp_path, played(tmp_path / "run", game="tictactoe", pairs=5))
    matches = np.array([decision.rpartition("-")[0] for decision in data["decision_id"].tolist()])
    whose = list(zip(matches.tolist(), data["seat"].tolist(), strict=True))
    assert data["episode"].tolist() == [sorted(set(whose)).index(each) for each in whose]
    assert (np.diff(data["episode"]) >= 0).all(), "next to each other"
    for episode in range(data["episode"][-1] + 1):
        own = data["episode"] == episode
        assert (np.diff(data["ply"][own]) > 0).all()
        assert data["terminated"][own].tolist() == [False] * (own.sum() - 1) + [True]
        assert data["reward"][own].tolist() == [0.0] * (own.sum() - 1) + [data["outcome"][own][0]]
    assert not data["truncated"].any()


def test_a_forfeit_cuts_an_episode_and_pays_nothing(tmp_path: Path) -> None:
    data = made(tmp_path, put_record(tmp_path / "run"))
    cut = np.char.find(data["decision_id"], "0001b") >= 0
    assert data["truncated"][cut].tolist() == [True, True]
    assert not data["terminated"][cut].any()
    assert data["reward"][cut].tolist() == [0.0, 0.0]
    assert data["outcome"][cut].tolist() == [-1.0, 1.0]
    assert sorted(data["reward"][~cut].tolist()) == [-1.0, 0.0, 0.0, 0.0, 1.0]


def test_a_fallback_is_nobody_s_own(tmp_path: Path) -> None:
    data = made(tmp_path, put_record(tmp_path / "run"))
    assert [decision[-9:] for decision in data["decision_id"][~data["own"]].tolist()] == ["0001a-003"]


def test_values_and_policies_say_whose_they_are(tmp_path: Path) -> None:
    data = made(tmp_path, put_record(tmp_path / "run"))
    first = data["ply"] == 0
    assert data["value"][first].tolist() == [0.5, 0.5], "the forecast 0.75, as an outcome"
    assert set(data["value_by"][first].tolist()) == {VALUE_BY.index("player")}
    assert np.isnan(data["value"][~first]).all()
    assert set(data["value_by"][~first].tolist()) == {VALUE_BY.index("unknown")}
    assert set(data["policy_by"].tolist()) == {POLICY_BY.index("action")}
    assert (data["policy"].argmax(1) == data["action"]).all()


def test_a_search_leaves_its_policy_and_a_solver_its_value(tmp_path: Path) -> None:
    data = made(tmp_path, graded("bots"))
    rows = table(tmp_path)
    searched = 0
    for at, decision in enumerate(data["decision_id"].tolist()):
        row = rows[decision]
        if row["value_solver"] is not None:
            assert data["value_by"][at] == VALUE_BY.index("solver")
            assert data["value"][at] == np.float32(row["value_solver"])
        if row["policy"]:
            searched += 1
            assert data["policy_by"][at] == POLICY_BY.index("player")
            assert data["policy"][at][row["legal_actions"]] == pytest.approx(row["policy"])
    assert searched


def test_a_filter_takes_episodes_whole(tmp_path: Path) -> None:
    whole = made(tmp_path / "a", graded("bots"))
    kept = made(tmp_path / "b", graded("bots"), filters=("max-regret=0",))
    sizes = {decision.rpartition("-")[0] + str(seat): count for decision, seat, count in _sizes(whole)}
    assert 0 < len(kept["action"]) < len(whole["action"])
    for decision, seat, count in _sizes(kept):
        assert sizes[decision.rpartition("-")[0] + str(seat)] == count


def _sizes(data: Arrays) -> list[tuple[str, int, int]]:
    firsts = np.flatnonzero(np.r_[True, np.diff(data["episode"]) > 0])
    counts = np.diff(np.r_[firsts, len(data["episode"])])
    return list(
        zip(data["decision_id"][firsts].tolist(), data["seat"][firsts].tolist(), counts.tolist(), strict=True)
    )


def test_no_deal_is_in_two_parts(tmp_path: Path) -> None:
    made(tmp_path, played(tmp_path / "run", game="tictactoe", pairs=30))
    parts: dict[str, set[str]] = {}
    for row in table(tmp_path).values():
        parts.setdefault(row["deal"], set()).add(row["split"])
    assert max(map(len, parts.values())) == 1
    assert len(set.union(*parts.values())) == 3


def test_episodes_are_not_torn_by_positions() -> None:
    from orchestrator.export.splits import Policy

    with pytest.raises(ValueError, match="split by deal, pair or match"):
        Wanted(kind="rl-arrays", target="", runs=(Path("x"),), policy=Policy(by="position"))


def test_a_file_has_one_game_and_variant(tmp_path: Path) -> None:
    runs = (
        played(tmp_path / "a", pairs=2, game="blob"),
        played(tmp_path / "b", *["bot:random"] * 4, pairs=1, game="blob"),
        played(tmp_path / "c", pairs=2, game="tictactoe"),
    )
    exported(tmp_path / "out", *runs, kind="rl-arrays", target="")
    names = sorted(path.name for path in (tmp_path / "out").glob("*.npz"))
    assert [name.partition("-")[0] for name in names] == ["blob", "blob", "tictactoe.npz"]
    for name in names:
        data = load(tmp_path / "out" / name)
        assert data["episode"].tolist() == sorted(data["episode"].tolist())
        assert data["episode"][0] == 0


def test_names_are_safe_and_differ() -> None:
    assert name_of("connect4", "{}") == "connect4"
    names = {
        name_of("a", '{"n":1}'),
        name_of("a", '{"n":11}'),
        name_of("x:a(n=1)", "{}"),
        name_of("x:a(n_1)", "{}"),
    }
    assert len(names) == 4
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-") for name in names)


def test_many_blocks_are_one_file(tmp_path: Path) -> None:
    data = made(tmp_path, played(tmp_path / "run", game="tictactoe", pairs=3))
    cut = int(np.flatnonzero(data["terminated"])[1]) + 1
    file = Npz(tmp_path / "again.npz")
    for part in (slice(0, cut), slice(cut, None)):
        columns = {name: data[name][part] for name in ARRAYS} | {"meta": str(data["meta"])}
        file.add(columns | {"episode": columns["episode"] - columns["episode"][0]})
    file.close()
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "out" / "tictactoe.npz").read_bytes()
    assert not (tmp_path / "again.npz.columns").exists()


@pytest.mark.skipif(not have_minari(), reason="the extra minari is not installed")
def test_minari_has_the_same_episodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import minari

    data = made(tmp_path, played(tmp_path / "run", game="tictactoe", pairs=3))
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    assert to_minari(tmp_path / "out" / "tictactoe.npz", tmp_path / "minari") == data["episode"][-1] + 1
    found = minari.load_dataset("duelist/tictactoe-v0")
    for number, episode in enumerate(found.iterate_episodes()):
        own = data["episode"] == number
        assert (episode.actions == data["action"][own]).all()
        assert (episode.observations[:-1] == data["obs"][own]).all()
        assert (episode.rewards == data["reward"][own]).all()
