"""`orchestrator selfplay` as people use it: interrupted, killed and gone on with, made longer, wrong, and read."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import engine
from benchmarks.service import has_run
from orchestrator.cli import main
from tests.orchestrator.duels import integrity
from tests.orchestrator.test_selfplay import contents, query

BOT = "mcts:8000" if engine.is_compiled() else "mcts:400"
SLOW = (BOT, "vs", "greedy", "--games", "20", "--seed", "4")  # some seconds


def selfplay(*words: str, status: int = 0) -> Result:
    done = CliRunner().invoke(main, ["selfplay", *words])
    assert done.exit_code == status, done.output
    return done


def orchestrator(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == status, done.output
    return done.output


def begun(output: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "selfplay", *words, "--output", str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def on_record(output: Path) -> int:
    """Finished matches; 0 where there is no record yet."""
    if not (output / "record.db").exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{output / 'record.db'}?mode=ro", uri=True, timeout=5)) as db:
            return int(db.execute("SELECT count(*) FROM match").fetchone()[0])
    except sqlite3.OperationalError:  # its tables are being made
        return 0


def until(process: subprocess.Popen[str], output: Path, matches: int) -> bool:
    """Whether it has so many on record before it ends."""
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if on_record(output) >= matches:
            return True
        time.sleep(0.002)
    return False


HALVES = """
    SELECT match FROM (SELECT match FROM decision UNION SELECT match FROM seat UNION SELECT match FROM tally)
    EXCEPT SELECT id FROM match
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Undisturbed."""
    output = tmp_path_factory.mktemp("whole")
    selfplay(*SLOW, "--output", str(output), "--jobs", "1")
    return output


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_kill_9_at_any_moment_loses_no_match_and_leaves_no_half_of_one(tmp_path, whole, jobs) -> None:
    rng, kills, least = random.Random(int(jobs)), 0, 0
    while kills < 3:
        words = ("--resume",) if has_run(tmp_path) else SLOW
        process = begun(tmp_path, *words, "--jobs", jobs)
        if until(process, tmp_path, least + rng.randrange(1, 6)):
            time.sleep(rng.random() * 0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        kills += process.returncode == -signal.SIGKILL
        before, least = least, on_record(tmp_path)
        assert least >= before, "what was on record stays there"
        assert least == 0 or query(tmp_path, HALVES) == []
        if process.returncode != -signal.SIGKILL:
            break
    assert kills >= 2
    selfplay("--resume", "--output", str(tmp_path), "--jobs", jobs)
    assert contents(tmp_path) == contents(whole)
    assert integrity(tmp_path) == "ok"


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_says_how_to_go_on(tmp_path, whole, jobs) -> None:
    output = tmp_path / "a run"
    process = begun(output, *SLOW, "--jobs", jobs)
    assert until(process, output, 2)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    assert f"go on with: orchestrator selfplay --output '{output}' --resume" in stderr
    assert "Traceback" not in stderr
    assert query(output, "SELECT status, reason FROM run") == [("stopped", "interrupted")]
    selfplay("--resume", "--output", str(output))
    assert contents(output) == contents(whole)


def test_a_run_is_made_longer_and_never_shorter(tmp_path, whole) -> None:
    selfplay(BOT, "vs", "greedy", "--games", "9", "--seed", "4", "--output", str(tmp_path), "--jobs", "1")
    assert len(query(tmp_path, "SELECT id FROM match")) == 10, "rounded up to whole pairs"
    selfplay("--resume", "--output", str(tmp_path), "--games", "20", "--jobs", "1")
    assert contents(tmp_path) == contents(whole)
    selfplay("--resume", "--output", str(tmp_path), "--games", "4")
    assert contents(tmp_path) == contents(whole)


def test_what_a_longer_run_was_asked_for_is_on_record(tmp_path) -> None:
    where = ("--output", str(tmp_path), "--jobs", "1")
    selfplay("random", "vs", "greedy", "--game", "tictactoe", "--games", "4", "--seed", "4", *where)
    selfplay("--resume", "--games", "10", *where)
    selfplay("--resume", *where)
    assert len(query(tmp_path, "SELECT id FROM match")) == 10
    ((asked,),) = query(tmp_path, "SELECT request FROM run")
    assert json.loads(asked)["pairs"] == 5
    assert "10/10" in orchestrator("runs", str(tmp_path))


def test_a_table_of_three_and_options_of_bots(tmp_path) -> None:
    words = (
        "ismcts:20?c=1.1",
        "vs",
        "pimc:20",
        "vs",
        "bot:random",
        "--game",
        "blob?players=3&cards=2&rounds=1",
    )
    said = selfplay(*words, "--games", "4", "--seed", "1", "--output", str(tmp_path), "--jobs", "1").output
    assert "6 of 6 replay" in said
    assert [spec for (spec,) in query(tmp_path, "SELECT spec FROM player ORDER BY id")] == [
        "bot:ismcts:20?c=1.1", "bot:pimc:20", "bot:random",
    ]  # fmt: skip


def test_the_report_for_programs_and_a_directory_of_its_own(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("mcts:20", "vs", "greedy", "--game", "tictactoe", "--games", "10", "--seed", "7", "--jobs", "1")
    found = json.loads(selfplay(*words, "--json").stdout)
    assert found["output"] == os.path.join("runs", "selfplay-mcts-20-greedy-tictactoe-7")  # noqa: PTH118
    assert (found["matches"], found["corrupt"]) == (10, {})
    assert 0 < found["policies"] < found["decisions"]
    assert selfplay(*words, status=2).stderr.startswith("error: ")  # that run is there


def test_what_to_do_next_is_a_command_that_works(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = selfplay(
        "random", "vs", "greedy", "--game", "tictactoe", "--games", "40", "--seed", "1", "--jobs", "1"
    ).stdout
    (line,) = (line for line in said.splitlines() if line.startswith("next "))
    name, *words = line.split()[1:]
    assert name == "orchestrator"
    orchestrator(*words, "--jobs", "1")
    assert (tmp_path / words[-1] / "train.jsonl").exists()


def test_a_corrupt_match_is_named_and_ends_with_1(tmp_path) -> None:
    words = (
        "random",
        "vs",
        "greedy",
        "--game",
        "tictactoe",
        "--games",
        "40",
        "--seed",
        "1",
        "--output",
        str(tmp_path),
    )
    selfplay(*words, "--jobs", "1")
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        db.execute("UPDATE seat SET score = 1 - score WHERE match LIKE '%-0003b' AND score != 0.5")
    said = selfplay("--resume", "--output", str(tmp_path), status=1).output
    assert "39 of 40 replay" in said
    assert "-0003b: it comes to [" in said.partition("CORRUPT")[2]
    found = json.loads(selfplay("--resume", "--output", str(tmp_path), "--json", status=1).stdout)
    assert [match[-5:] for match in found["corrupt"]] == ["0003b"]


WRONG = {
    (): "who plays?",
    ("greedy",): "who plays?",
    (
        "greedy",
        "vs",
        "anthropic:claude-haiku-5-5",
    ): "is no bot: models play for data with orchestrator generate",
    ("greedy", "vs", "sim:greedy"): "is no bot",
    ("greedy", "vs", "human"): "human",
    ("greedy", "vs", "genius"): "genius",
    ("greedy", "vs", "mcts:0"): "number of simulations",
    ("greedy", "vs", "mcts:20?depth=3"): "has no option depth",
    ("greedy", "vs", "random", "--game", "chess960"): "chess960",
    ("perfect", "vs", "random", "vs", "random", "--game", "blob"): "bot 'perfect' cannot play 'blob'",
    ("random", "vs", "random", "--game", "blob"): "blob is for 3 to 8 players, got players=2",
    ("greedy", "vs", "random", "vs", "random"): "connect4",
    ("greedy", "vs", "random", "--games", "0"): "--games",
    ("greedy", "vs", "random", "--jobs", "0"): "--jobs",
    ("--resume",): "--resume needs --output",
    ("--resume", "--output", "nowhere"): "nowhere",
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_use_is_told_and_nothing_is_left_behind(tmp_path, monkeypatch, words) -> None:
    monkeypatch.chdir(tmp_path)
    assert WRONG[words] in selfplay(*words, status=2).output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", [("greedy", "vs", "random"), ("--game", "tictactoe"), ("--seed", "3"), ("--opening", "1")]
)
def test_a_run_goes_on_as_it_began(tmp_path, words) -> None:
    where = ("--output", str(tmp_path))
    selfplay("random", "vs", "greedy", "--game", "tictactoe", "--games", "2", "--jobs", "1", *where)
    assert "leave " in selfplay("--resume", *where, *words, status=2).output


def test_runs_of_other_commands_are_refused_both_ways(tmp_path) -> None:
    where = ("--output", str(tmp_path / "duel"))
    orchestrator(
        "duel",
        "bot:random",
        "vs",
        "bot:greedy",
        "--game",
        "tictactoe",
        "--games",
        "2",
        "--display",
        "none",
        *where,
    )
    assert "holds a duel: go on with orchestrator duel" in selfplay("--resume", *where, status=2).output
    where = ("--output", str(tmp_path / "selfplay"))
    selfplay("random", "vs", "greedy", "--game", "tictactoe", "--games", "2", "--jobs", "1", *where)
    assert "orchestrator selfplay" in orchestrator("duel", "--resume", *where, status=2)


def test_other_commands_read_it(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("mcts:20", "vs", "greedy", "--game", "tictactoe", "--games", "20", "--seed", "1", "--jobs", "1")
    selfplay(*words, "--output", "run")
    assert "selfplay bot:mcts:20 vs bot:greedy" in orchestrator("runs", ".")
    assert "20/20" in orchestrator("status", "run")
    assert "bot:mcts:20" in orchestrator("leaderboard", "run")
    assert "-0001a" in orchestrator("show", "run")
    match = query(tmp_path / "run", "SELECT id FROM match WHERE id LIKE '%-0001b'")[0][0]
    assert "expects to score" in orchestrator("show", match, "run")
    assert "graded now" in orchestrator("grade", "run", "--jobs", "1")
    assert "bot:mcts:20" in orchestrator("report", "run", "--markdown")
    assert "the same, row by row" in orchestrator("replay", "run")
