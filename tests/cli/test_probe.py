"""`orchestrator probe` as people use it: on a run, on its own, resumed; and what it says where that is wrong."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main
from tests.orchestrator.duels import play, request


def orchestrator(*words: str, cwd: Path) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        return CliRunner(env={"COLUMNS": "120"}).invoke(main, words)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two runs in it: one in which a model played, and one of bots."""
    found = tmp_path_factory.mktemp("played")
    play(found / "runs" / "models", request("sim:greedy", "bot:random", pairs=4))
    play(found / "runs" / "bots", request("bot:greedy", "bot:random", pairs=3))
    return found


def test_the_models_of_a_run_are_asked_again(played: Path, tmp_path: Path) -> None:
    output = str(tmp_path / "probe")
    words = ("runs/models", "--positions", "6", "--seed", "1", "--output", output)
    done = orchestrator("probe", *words, "--display", "json", cwd=played)
    assert done.exit_code == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    begun, told = events[0], events[-1]
    assert (begun["type"], begun["kind"], begun["players"]) == ("run", "probe", ["sim:greedy"])
    assert told["type"] == "summary" and told["matches"] == told["planned"] == begun["matches"]
    (player,) = told["players"]
    assert [way["way"] for way in player["ways"]][:2] == ["repeat", "any symmetry"]
    assert player["ways"][-1]["way"] == "relabelled" and "repeats itself" in player["verdict"]
    asked = tomllib.loads((tmp_path / "probe" / "run.toml").read_text())
    assert (asked["source"], asked["positions"], asked["repeats"], asked["symmetries"]) == (
        "runs/models",
        6,
        1,
        2,
    )
    again = orchestrator("probe", "--output", output, "--resume", "--display", "plain", cwd=played)
    assert again.exit_code == 0 and "sim:greedy repeats itself in" in again.stdout
    graded = orchestrator("grade", output, "--method", "exact", cwd=played)
    assert graded.exit_code == 0, graded.stderr
    assert "what that says of a probe: orchestrator show" in graded.stdout
    both = [
        json.loads(orchestrator("grade", *runs, "--method", "exact", "--json", cwd=played).stdout)["boards"]
        for runs in (("runs/models",), ("runs/models", output))
    ]
    assert both[0] == both[1]  # questions are no play
    shown = orchestrator("probe", "--output", output, "--resume", "--display", "plain", cwd=played)
    assert "as good" in shown.stdout and "%" in shown.stdout
    for command in (("runs", str(tmp_path)), ("status", output), ("show", output), ("show", "0002a", output)):
        found = orchestrator(*command, cwd=played)
        assert found.exit_code == 0 and "sim:greedy" in found.stdout, (command, found.output)


def test_others_can_be_asked_about_it(played: Path, tmp_path: Path) -> None:
    who = ("--player", "bot:perfect", "--player", "sim:random", "--seed", "2", "--display", "none")
    how = ("--positions", "3", "--repeats", "2", "--symmetries", "1", "--no-relabel")
    done = orchestrator("probe", "runs/bots", *who, *how, "--output", str(tmp_path / "probe"), cwd=played)
    assert done.exit_code == 0, done.stderr
    asked = tomllib.loads((tmp_path / "probe" / "run.toml").read_text())
    assert asked["players"] == ["bot:perfect", "sim:random"] and asked["relabel"] is False
    listed = orchestrator("runs", str(tmp_path), "--json", cwd=played)
    assert json.loads(listed.stdout), listed.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "positions of which run? For example: orchestrator probe runs/NAME"),
        (("runs/none",), "no record at runs/none"),
        (("runs/bots",), "no model played in runs/bots: name whom to ask"),
        (
            ("runs/models", "--game", "othello"),
            "no decision with a choice in othello: it has positions of tictactoe",
        ),
        (("runs/models", "--player", "bot:none"), "there is no bot 'none'"),
        (("runs/models", "--player", "sim:random?first=2"), "first=2: expected a share, 0 to 1"),
        (("runs/models", "--opening", "2"), "--opening is for matches that are played to their end"),
        (("runs/models", "--pilot", "2"), "--pilot is for matches that are played to their end"),
        (("runs/models", "--positions", "0"), "0 is not in the range"),
        (("runs/models", "--output", "runs/bots"), "already holds a run"),
        (
            ("--output", "runs/bots", "--resume"),
            "was begun by another command: go on with: orchestrator duel",
        ),
    ],
)
def test_what_is_wrong_is_said(played: Path, words: tuple[str, ...], said: str) -> None:
    before = sorted((played / "runs").iterdir())
    done = orchestrator("probe", *words, "--display", "none", cwd=played)
    assert done.exit_code == 2 and said in " ".join(done.stderr.split()), done.stderr
    assert sorted((played / "runs").iterdir()) == before


def test_its_positions_are_fixed_once_it_began(played: Path, tmp_path: Path) -> None:
    output = str(tmp_path / "probe")
    words = ("runs/models", "--positions", "3", "--seed", "1", "--display", "none", "--output", output)
    assert orchestrator("probe", *words, cwd=played).exit_code == 0
    for option in (("runs/bots",), ("--positions", "5"), ("--game", "tictactoe")):
        done = orchestrator("probe", *option, "--output", output, "--resume", cwd=played)
        assert done.exit_code == 2 and "drawn when it begins" in done.stderr
    done = orchestrator("probe", "--symmetries", "5", "--output", output, "--resume", cwd=played)
    assert done.exit_code == 2 and "symmetries: 2 on record, 5 asked" in done.stderr
