from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main
from orchestrator.record.store import Record
from tests.orchestrator.duels import play, request


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that errs and falls back, bots in two runs, and a game without a solver."""
    place = tmp_path_factory.mktemp("house")
    play(place / "runs" / "a", request("sim:greedy?illegal=0.5&seed=3", "bot:perfect", pairs=4))
    play(place / "runs" / "b", request("bot:perfect", "bot:random", pairs=4, seed=2))
    table = request(*3 * ("bot:random",), pairs=1, game="blob", variant={"players": 3})
    play(place / "runs" / "c", table)
    return place


def grade(place: Path, *arguments: str, columns: int = 120) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        return CliRunner(env={"COLUMNS": str(columns)}).invoke(main, ["grade", "--jobs", "1", *arguments])


def told(place: Path, *arguments: str) -> dict[str, Any]:
    done = grade(place, "--json", *arguments)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_players_are_joined_over_runs_and_the_best_comes_first(house: Path) -> None:
    found = told(house, "runs/a", "runs/b")
    (board,) = found["boards"]
    best, *others = board["players"]
    assert best["spec"] == "bot:perfect" and len(others) == 2
    assert (best["regret"], best["best"], best["blunders"], best["accuracy"]) == (0.0, 1.0, 0.0, 1.0)
    assert best["best_low"] < 1.0 and best["exact"] == best["decisions"]
    assert sum(part["decisions"] for part in best["by_seat"].values()) == best["decisions"]
    assert sum(part["decisions"] for part in best["by_ply"].values()) == best["decisions"]
    assert all(player["accuracy"] < 1.0 for player in others)
    for run in found["runs"]:
        assert run["graded"] + run["without_choice"] == run["decisions"] and run["not_kept"] is None
    again = told(house, "runs/a", "runs/b")
    assert again["boards"] == found["boards"] and [run["graded_now"] for run in again["runs"]] == [0, 0]


def test_what_chance_chose_is_not_the_players(tmp_path: Path) -> None:
    conduct = {"reasks": 0, "fallback": "random"}
    play(tmp_path / "run", request("sim:greedy?illegal=0.9&seed=3", "bot:random", pairs=3, conduct=conduct))
    with closing(sqlite3.connect(tmp_path / "run" / "record.db", isolation_level=None)) as db:
        own, fallbacks = (
            db.execute(
                "SELECT count(*) FROM decision WHERE mode = 'json' AND json_array_length(legal) > 1 AND outcome "
                + rest
            ).fetchone()[0]
            for rest in ("IN ('ok', 'reasked')", "= 'fallback'")
        )
    assert fallbacks > 0
    players = told(tmp_path, "run")["boards"][0]["players"]
    assert [player["decisions"] for player in players if player["spec"].startswith("sim:")] == [own]


def test_a_table_with_notes(house: Path) -> None:
    done = grade(house, "runs/b", "--by", "seat")
    assert done.exit_code == 0, done.output
    assert "tictactoe" in done.stdout and "bot:perfect" in done.stdout and "100.0 % [" in done.stdout
    assert done.stdout.count("seat 1") == done.stdout.count("seat 2") == 2
    assert "intervals count matches" in done.stdout
    assert "plies 1–10" in grade(house, "runs/b", "--by", "ply").stdout
    narrow = grade(house, "runs/b", columns=60)
    assert "No room here for" in narrow.stdout and max(map(len, narrow.stdout.splitlines()[:6])) <= 60


def test_what_no_solver_reaches_is_told_then_searched(house: Path) -> None:
    exact = grade(house, "runs/c", "--method", "exact")
    assert exact.exit_code == 1 and "that no solver reaches: --method auto" in exact.stdout
    found = told(house, "runs/c", "--method", "auto:20")
    player = found["boards"][0]["players"][0]
    assert player["exact"] == 0 and player["decisions"] > 0 and 0 <= player["accuracy"] <= 1


def test_a_run_that_is_being_played_stays_as_it_is(house: Path, tmp_path: Path) -> None:
    shutil.copytree(house / "runs" / "b", tmp_path / "b")
    with closing(sqlite3.connect(tmp_path / "b" / "record.db", isolation_level=None)) as db:
        db.execute("DELETE FROM grade")
    with Record(tmp_path / "b"):
        done = grade(tmp_path, "b")
    assert done.exit_code == 0 and "not on record: the run is being played" in done.stdout
    assert told(tmp_path, "b")["runs"][0]["graded_now"] > 0


def test_wrong_use(house: Path, tmp_path: Path) -> None:
    wrong = grade(house, "runs/a", "--method", "guess")
    assert wrong.exit_code == 2 and "expected exact, search:N or auto:N" in wrong.output
    nothing = grade(tmp_path, "nowhere")
    assert nothing.exit_code == 2 and "left out: no record" in nothing.output
    some = grade(house, "runs/a", "runs/none")
    assert some.exit_code == 1 and "bot:perfect" in some.stdout


def test_what_a_shell_matches_besides_runs_is_no_failure(house: Path) -> None:
    (house / "runs" / "README.md").write_text("About runs.")
    done = grade(house, "runs/a", "runs/b", "runs/README.md")
    assert done.exit_code == 0, done.output


def test_a_broken_installation_is_said_and_not_traced(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the book of Connect 4 is missing: the engine refuses."""

    def refuse(*_: Any) -> None:
        raise ValueError("connect4.book cannot be used, install duelist again")

    monkeypatch.setattr("orchestrator.grades._answer", refuse)
    with closing(sqlite3.connect(house / "runs" / "b" / "record.db")) as db, db:
        db.execute("DELETE FROM grade")
    done = grade(house, "runs/b")
    assert done.exit_code == 1 and "install duelist again" in done.output and "Traceback" not in done.output
    assert isinstance(done.exception, SystemExit)
