"""`orchestrator replay`: what it prints, its exit status, and that no key gets onto a tape."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import prompts
from orchestrator.cassette import Cassette, tape
from orchestrator.cli import main
from orchestrator.model import ModelPlayer
from orchestrator.table import Table
from tests.orchestrator.duels import QUICK, play, request
from tests.orchestrator.test_cassette import Recording
from tests.orchestrator.test_replay import change
from tests.test_keys import KEYS, PLAYERS, parrot

SPEC = "sim:greedy?illegal=0.2&429=0.2&retry_after=0"


@pytest.fixture
def run(tmp_path) -> Path:
    play(tmp_path / "run", request(SPEC, "bot:mcts?ms=1", pairs=2), Recording(tmp_path / "tape", "extend"))
    return tmp_path / "run"


def told(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, arguments)])


def test_the_same_again(run, tmp_path) -> None:
    done = told(run)
    assert done.exit_code == 0, done.output
    assert "4 matches" in done.stdout and "the same, row by row" in done.stdout
    assert "bot:mcts does not repeat itself" in done.stdout
    assert not list(tmp_path.glob("duelist-*")) and sorted(path.name for path in run.iterdir()) == [
        ".lock",
        "record.db",
    ]
    kept = told(
        run, "--cassette", tmp_path / "tape", "--output", tmp_path / "again", "--concurrency", 2, "--json"
    )
    assert kept.exit_code == 0 and json.loads(kept.stdout)["same"] is True
    with closing(sqlite3.connect(tmp_path / "again" / "record.db")) as db:
        assert db.execute("SELECT count(*) FROM match").fetchone() == (4,)


def test_what_differs_is_told_and_counts(run) -> None:
    change(run, "UPDATE decision SET rationale = 'it was \x1b[31mred' WHERE mode = 'json'")
    done = told(run)
    assert done.exit_code == 1 and "not the same" in done.stdout and "decision.rationale " in done.stdout
    assert "\x1b" not in done.stdout
    whole = json.loads(told(run, "--json").stdout)
    assert {each["column"] for each in whole["differences"]} == {"rationale"}


def test_verify_tells_decision_by_decision(run, monkeypatch) -> None:
    done = told(run, "--verify")
    assert (
        done.exit_code == 0
        and "asked differently: none" in done.stdout
        and "read differently: none" in done.stdout
    )
    strict = prompts.parse

    def other(reply, view, track, **asked):
        read = strict(reply, view, track, **asked)
        return prompts.Unreadable("unparsable", "no") if view.ply == 2 else read

    monkeypatch.setattr(prompts, "parse", other)
    done = told(run, "--verify")
    assert (
        done.exit_code == 1
        and "-002\n    action: " in done.stdout
        and '"ok" on record, "asked again" now' in done.stdout
    )
    whole = json.loads(told(run, "--verify", "--json").stdout)
    assert whole["asked_differently"] == [] and all(
        each["decision"].endswith("-002") for each in whole["read_differently"]
    )
    assert {"was", "now"} <= whole["read_differently"][0].keys()


def test_wrong_use_is_said_in_a_sentence(run, tmp_path) -> None:
    for arguments, why in (
        ((tmp_path / "none",), "no record at"),
        ((run, "--output", run), "already holds a run"),
        ((run, "--cassette", tmp_path / "none"), "there is no cassette"),
        ((run, "--cassette", run / "record.db"), "is a file"),
        ((run, "--verify", "--output", tmp_path / "x"), "plays nothing"),
    ):
        done = told(*arguments)
        assert done.exit_code == 2 and why in done.stderr and "Traceback" not in done.output, done.output


class Served(Table):
    def __init__(self, directory: Path) -> None:
        super().__init__(retry=QUICK)
        self.cassette = Cassette(directory)

    def seat(self, *args, **more):
        player = super().seat(*args, **more)
        if isinstance(player, ModelPlayer):
            tape(player, self.cassette)
        return player


@pytest.mark.parametrize("player", PLAYERS.values())
def test_no_key_gets_onto_a_tape(tmp_path, monkeypatch, player) -> None:
    """The server says back every header that it was sent."""
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    with parrot(400) as url:
        for name in ("OPENAI", "LOCAL"):
            monkeypatch.setenv(f"{name}_BASE_URL", f"{url}/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", url)
        play(
            tmp_path / "run", request(f"{player}?price=1,2", "bot:random", pairs=1), Served(tmp_path / "tape")
        )
    text = "".join(path.read_text() for path in (tmp_path / "tape").rglob("*.jsonl"))
    assert "rejected" in text and "PLANTED" not in text
    assert told(tmp_path / "run", "--cassette", tmp_path / "tape").exit_code == 0
