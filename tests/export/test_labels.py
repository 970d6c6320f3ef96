"""Labels of a row: how its player is rated, which move its text names, what its grade says."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import engine
from orchestrator.cli import main
from orchestrator.export.known import Z
from orchestrator.export.pipeline import prepare
from orchestrator.export.wanted import Wanted
from orchestrator.record.reading import run_result
from orchestrator.standings import boards_of
from orchestrator.stated import differing
from tests.export.exports import exported as carded
from tests.export.exports import played
from tests.export.records import exported
from tests.orchestrator.duels import play, request

Row = dict[str, Any]
LIAR, HONEST = "sim:random?unfaithful=1", "sim:random?seed=3&unfaithful=0"


def table(to: Path, *runs: Path, jobs: int = 1, **asked: Any) -> list[Row]:
    """All decisions of an export of tables, through a file."""
    exported(to, *runs, kind="tables", target="", jobs=jobs, formats=("jsonl",), dedup=False, **asked)
    return [json.loads(line) for line in (to / "decisions.jsonl").read_text("utf-8").splitlines()]


def names(rows: list[Row]) -> list[str]:
    return [row["decision_id"] for row in rows]


def command(*words: object) -> str:
    told = CliRunner().invoke(main, list(map(str, words)), catch_exceptions=False)
    assert told.exit_code == 0, told.output
    return told.output


# ── ratings ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Four bots in three records: two of one game, which hang together, one of another."""
    folder = tmp_path_factory.mktemp("rated")
    return (
        played(folder / "one", "bot:greedy", "bot:random", game="tictactoe", pairs=10),
        played(folder / "two", "bot:mcts:20", "bot:greedy", game="tictactoe", pairs=10, seed=8),
        played(folder / "other", "bot:greedy", "bot:random", game="connect4", pairs=3),
    )


def test_ratings_are_those_of_the_leaderboard(tmp_path: Path, rated: tuple[Path, ...]) -> None:
    expected = {
        (board.game, line.player.spec): line.elo
        for board in boards_of(map(run_result, rated))
        for line in board.lines.values()
    }
    assert len(expected) == 5, "three in one game, two in the other"
    found: dict[tuple[str, str], set[tuple[float, float]]] = {}
    for row in table(tmp_path / "out", *rated):
        found.setdefault((row["game"], row["player"]), set()).add((row["rating"], row["rating_se"]))
    assert set(found) == set(expected)
    for who, told in found.items():
        ((rating, error),), elo = told, expected[who]
        assert elo is not None and rating == pytest.approx(elo.mid)
        assert 2 * Z * error == pytest.approx(elo.high - elo.low)
    assert found["tictactoe", "bot:random"] == {(0.0, 0.0)}, "the weakest bot is the zero"


def test_the_command_and_the_leaderboard_tell_the_same(tmp_path: Path, rated: tuple[Path, ...]) -> None:
    boards = json.loads(command("leaderboard", *rated, "--json"))
    expected = {(board["game"], line["spec"]): line["elo"] for board in boards for line in board["players"]}
    rows = table(tmp_path / "out", *rated)
    assert {(row["game"], row["player"]): round(row["rating"], 1) for row in rows} == expected


def test_labels_are_the_same_whatever_the_processes(tmp_path: Path, rated: tuple[Path, ...]) -> None:
    one, two = (table(tmp_path / str(jobs), *rated, jobs=jobs) for jobs in (1, 2))
    assert one == two


def test_only_the_well_rated_are_kept(tmp_path: Path, rated: tuple[Path, ...]) -> None:
    rows = table(tmp_path / "all", *rated)
    middle = sorted({row["rating"] for row in rows})[-2]
    kept = table(tmp_path / "kept", *rated, filters=(f"min-rating={middle}",))
    assert 0 < len(kept) < len(rows)
    assert names(kept) == names([row for row in rows if row["rating"] >= middle])


def test_who_never_played_a_whole_pair_has_no_rating(tmp_path: Path) -> None:
    record = played(tmp_path / "run", game="tictactoe", pairs=3)
    with closing(sqlite3.connect(record / "record.db")) as db, db:
        db.execute("UPDATE match SET status = 'void' WHERE swap = 1")
    rows = table(tmp_path / "out", record)
    assert rows and {(row["rating"], row["rating_se"]) for row in rows} == {(None, None)}
    made = prepare(Wanted(kind="sft", target="trl", runs=(record,), filters=("min-rating=-9999",)))
    assert not made.choice.chosen and made.look.filters[0] == {"unknown": len(rows)}


# ── stated moves ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One player whose text is about another move than it plays, one whose text is not."""
    folder = tmp_path_factory.mktemp("spoken") / "run"
    play(folder, request(LIAR, HONEST, pairs=6))
    return folder


def test_the_stated_move_is_what_the_text_says(tmp_path: Path, spoken: Path) -> None:
    rows = table(tmp_path / "out", spoken)
    by = {spec: [row for row in rows if row["player"] == spec] for spec in (LIAR, HONEST)}
    assert all(by.values())
    assert all(row["stated_action"] in (None, row["action"]) for row in by[HONEST])
    assert sum(row["stated_action"] == row["action"] for row in by[HONEST]) > len(by[HONEST]) / 2
    lies = [row for row in by[LIAR] if row["stated_action"] not in (None, row["action"])]
    assert len(lies) > len(by[LIAR]) / 2
    for row in lies:
        assert row["stated_action"] in {-1, *row["legal_actions"]}
        if row["stated_action"] >= 0:
            notation = row["legal_texts"][row["legal_actions"].index(row["stated_action"])]
            assert notation in f"{row['rationale']} {row['reasoning']}"
    assert set(names(lies)) == differing(spoken), "as the report counts them"


def test_the_faithful_are_kept(tmp_path: Path, spoken: Path) -> None:
    rows, odd = table(tmp_path / "all", spoken), differing(spoken)
    kept = table(tmp_path / "kept", spoken, filters=("faithful",))
    assert names(kept) == [name for name in names(rows) if name not in odd]
    every: dict[str, Any] = {"dedup": False, "per_question": len(rows)}
    made = prepare(Wanted(kind="sft", target="trl", runs=(spoken,), filters=("faithful",), **every))
    assert made.look.filters[0] == {"kept": len(kept), "dropped": len(odd)}
    assert {one.ids[0] for one in made.choice.chosen} == set(names(kept))


def test_whoever_says_nothing_is_not_unfaithful(tmp_path: Path) -> None:
    record = played(tmp_path / "run", game="tictactoe", pairs=2)
    rows = table(tmp_path / "all", record)
    assert {row["stated_action"] for row in rows} == {None}
    assert table(tmp_path / "kept", record, filters=("faithful",)) == rows


# ── grades ───────────────────────────────────────────────────────────────────────────────────────────


def worth(game: engine.Game, seat: int) -> float:
    """What a position of TicTacToe is worth to a seat, -1 to 1, by trying everything."""
    if game.is_terminal():
        mine, other = game.returns()[seat], game.returns()[1 - seat]
        return float((mine > other) - (mine < other))
    values = []
    for action in game.legal_actions():
        then = engine.from_bytes(game.to_bytes())
        then.apply(action)
        values.append(worth(then, seat))
    return max(values) if game.current_player() == seat else min(values)


def test_exact_grades_are_what_trying_everything_says(tmp_path: Path) -> None:
    record = played(tmp_path / "run", game="tictactoe", pairs=6, opening=4)
    command("grade", record, "--method", "exact")
    rows = table(tmp_path / "out", record)
    graded = [row for row in rows if row["q_solver"] is not None]
    assert {len(row["legal_actions"]) for row in rows if row["q_solver"] is None} <= {1}, (
        "no choice, no grade"
    )
    assert any(row["regret_solver"] > 0 for row in graded) and any(row["difficulty"] < 1 for row in graded)
    for row in graded:
        values = []
        for action in row["legal_actions"]:
            game = engine.from_bytes(bytes.fromhex(row["state"]))
            game.apply(action)
            values.append(worth(game, row["seat"]))
        best = [
            action for action, value in zip(row["legal_actions"], values, strict=True) if value == max(values)
        ]
        assert (row["q_solver"], row["value_solver"]) == (values, max(values))
        assert row["best_actions"] == best
        assert row["difficulty"] == len(best) / len(values)
        assert row["regret_solver"] == max(values) - values[row["action_index"]]
        assert row["agrees_solver"] == (row["action"] in best)
        assert row["search"] is row["q_search"] is row["visits"] is row["regret_search"] is None


def test_searched_grades_stand_apart_from_exact_ones(tmp_path: Path) -> None:
    record = played(tmp_path / "run", game="tictactoe", pairs=2)
    command("grade", record, "--method", "search:40")
    graded = [row for row in table(tmp_path / "out", record) if row["search"]]
    assert graded
    for row in graded:
        assert row["search"].startswith("shares:40") and len(row["visits"]) == len(row["q_search"])
        given_away = max(row["q_search"]) - row["q_search"][row["action_index"]]
        assert row["regret_search"] == pytest.approx(given_away)
        assert row["agrees_search"] == (row["regret_search"] < 1e-9)
        assert set(row["best_actions"]) <= set(row["legal_actions"])
        assert row["difficulty"] == len(row["best_actions"]) / len(row["legal_actions"])
        assert row["q_solver"] is row["value_solver"] is row["regret_solver"] is row["agrees_solver"] is None


def test_how_many_are_not_graded_is_said(tmp_path: Path) -> None:
    record = played(tmp_path / "run", game="tictactoe", pairs=4)
    rows = table(tmp_path / "all", record)
    told = CliRunner().invoke(
        main, ["export", "sft", str(record), "--filter", "max-regret=0.1", "--dry-run", "--jobs", "1"]
    )
    assert (
        told.exit_code == 1 and f"0  kept by max-regret=0.1 (0 dropped, {len(rows)} unknown)" in told.output
    )
    carded(tmp_path / "ungraded", record, kind="sft", formats=None)
    card = (tmp_path / "ungraded" / "README.md").read_text("utf-8")
    taken = json.loads((tmp_path / "ungraded" / "manifest.json").read_text("utf-8"))["figures"]["graded"]
    assert set(taken) == {"not graded"} and f"{taken['not graded']} rows are not graded" in card

    command("grade", record, "--method", "exact")
    carded(tmp_path / "graded", record, filters=("max-regret=0.1",))
    assert "rows are not graded" not in (tmp_path / "graded" / "README.md").read_text("utf-8")
