"""`--forecast` as people give it: on the command line, in run.toml, at `--resume`, in `show`."""

from __future__ import annotations

import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main

DUEL = ("duel", "sim:greedy", "vs", "bot:random", "--game", "tictactoe", "--games", "4", "--seed", "1")


def run(*words: object) -> Result:
    return CliRunner(env={"COLUMNS": "120"}).invoke(main, [str(word) for word in words])


def forecasts(output: Path) -> tuple[int, int]:
    """A model's decisions, and how many of them have a forecast."""
    with closing(sqlite3.connect(output / "record.db")) as db:
        return db.execute("SELECT count(*), count(forecast) FROM decision WHERE mode = 'json'").fetchone()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "words",
    [
        DUEL,
        (
            "generate",
            "--player",
            "sim:greedy",
            "--opponent",
            "bot:random",
            "--games",
            "4",
            "--game",
            "tictactoe",
        ),
    ],
    ids=["duel", "generate"],
)
def test_every_command_that_plays_asks_where_it_is_told_to(tmp_path: Path, words: tuple[str, ...]) -> None:
    for name, more, asked in (("without", (), False), ("with", ("--forecast",), True)):
        done = run(*words, "--output", tmp_path / name, "--display", "none", *more)
        assert done.exit_code == 0, done.output
        decisions, found = forecasts(tmp_path / name)
        assert decisions > 0 and found == (decisions if asked else 0)
        kept = tomllib.loads((tmp_path / name / "run.toml").read_text())
        assert kept["conduct"]["forecast"] is asked


def test_a_run_goes_on_as_it_began_and_not_otherwise(tmp_path: Path) -> None:
    assert run(*DUEL, "--output", tmp_path / "a", "--display", "none", "--forecast").exit_code == 0
    assert run("duel", "--resume", "--output", tmp_path / "a", "--display", "none").exit_code == 0
    assert run(*DUEL, "--output", tmp_path / "b", "--display", "none").exit_code == 0
    refused = run("duel", "--resume", "--output", tmp_path / "b", "--display", "none", "--forecast")
    assert refused.exit_code == 2 and "forecast: false on record, true asked" in refused.stderr


def test_a_run_file_of_an_earlier_version_says_nothing_of_it(tmp_path: Path) -> None:
    assert run(*DUEL, "--output", tmp_path, "--display", "none").exit_code == 0
    file = tmp_path / "run.toml"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("forecast")]
    file.write_text("\n".join(lines))
    done = run("duel", "--resume", "--output", tmp_path, "--display", "none")
    assert done.exit_code == 0, done.output
    assert "forecast = false  # true: a model is also asked" in file.read_text()


def test_a_match_is_shown_with_what_was_expected(tmp_path: Path) -> None:
    assert run(*DUEL, "--output", tmp_path, "--display", "none", "--forecast").exit_code == 0
    shown = run("show", "0001a", tmp_path)
    assert shown.exit_code == 0 and "expects to score 50.0 %" in shown.stdout


def test_a_native_decision_with_a_forecast_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    done = run(*DUEL, "--output", tmp_path / "run", "--forecast", "--mode", "decision")
    assert done.exit_code == 2 and "a native decision has no forecast: leave it out" in done.stderr
    assert not (tmp_path / "run").exists()
