"""`orchestrator generate` as people use it: one model, several, a mix; wrong, interrupted, made longer."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.resume import answered
from orchestrator.cli.generate import weight_of
from orchestrator.cli.playing import specs
from providers.simulated import Behaviour
from tests.orchestrator.duels import integrity, rows
from tests.served import served

TICTACTOE = ("--game", "tictactoe", "--seed", "1", "--display", "none")


def generate(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestrator", "generate", *words],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def asked_of(run: Path) -> dict[str, Any]:
    return tomllib.loads((run / "run.toml").read_text())


def test_one_model_plays_the_usual_mix(tmp_path) -> None:
    words = ("--provider", "sim", "--model", "greedy", "--game", "tictactoe", "--games", "5", "--seed", "1")
    done = generate(*words, "--display", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "rounded up to 6" in done.stderr
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.endswith("generate-sim-greedy-tictactoe")
    assert asked_of(run)["models"] == ["sim:greedy"]
    assert list(asked_of(run)["opponent"]) == ["bot:random", "bot:greedy", "bot:mcts:200"]
    assert Counter(player for _, _, player, *_ in rows(run)["seat"]) == {1: 6, 2: 2, 3: 2, 4: 2}
    begun = json.loads(done.stdout.splitlines()[0])
    assert (begun["type"], begun["kind"], begun["matches"], begun["pairs"]) == ("run", "generate", 6, 3)


def test_several_models_opponents_and_games_by_weight(tmp_path) -> None:
    who = ("--player", "sim:greedy", "--player", "sim:random", "--opponent", "bot:random=3,bot:greedy")
    what = ("--game", "tictactoe=0.5", "--game", "blob?players=3&cards=2&rounds=1=1.5", "--games", "88")
    done = generate(*who, *what, "--output", "run", "--seed", "2", "--display", "none", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    played = {row[0]: row[5] for row in rows(tmp_path / "run")["match"]}
    assert Counter(played.values()) == {"blob": 72, "tictactoe": 16}
    seats = Counter(player for _, _, player, *_ in rows(tmp_path / "run")["seat"])
    assert (seats[1], seats[2]) == (44, 44)
    assert (seats[3] + seats[4], seats[5]) == (120, 40), (
        "two bots at random, because both may sit at one table"
    )
    assert asked_of(tmp_path / "run")["game"] == {"tictactoe": 0.5, "blob?players=3&cards=2&rounds=1": 1.5}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "who plays?"),
        (("--model", "m"), "--provider and --model go together"),
        (("--provider", "sim"), "--provider and --model go together"),
        (("--provider", "sim", "--model", "greedy", "--player", "sim:random"), "not both"),
        (("--provider", "nobody", "--model", "m"), "unknown player 'nobody:m'"),
        (("--player", "sim:greedy", "--player", "sim:greedy"), "model sim:greedy is given twice"),
        (("--player", "sim:greedy", "--opponent", "bot:nobody"), "bot:nobody"),
        (("--player", "sim:greedy", "--opponent", "bot:random=0"), "bot:random has weight 0: expected a number above"),
        (("--player", "sim:greedy", "--opponent", "bot:random=-2"), "bot:random has weight -2"),
        (("--player", "sim:greedy", "--opponent", "bot:random=x"), "unreadable weight 'x' of bot:random"),
        (("--player", "sim:greedy", "--opponent", "each-other"), "each-other takes two models or more, got 1"),
        (("--player", "sim:greedy", "--opponent", "sim:greedy"), "the opponent is self"),
        (("--player", "sim:greedy", "--game", "chess960"), "connect4"),
        (("--player", "sim:greedy", "--game", "blob?players=99"), "players"),
        (("--player", "sim:greedy", "--game", "connect4?size=x"), "unreadable"),
        (("--player", "sim:greedy", "--games", "0"), "x>=1"),
        (("--player", "sim:greedy", "--tier", "flex"), "has no tier 'flex'"),
        (("--player", "sim:greedy", "--opening", "60"), "use fewer"),
        (("--player", "openai:gpt-99",), "--price"),
        (("--resume",), "--resume needs --output"),
        (("--resume", "--output", "nowhere"), "no run to resume"),
    ],
)  # fmt: skip
def test_wrong_use_says_what_was_expected_and_makes_nothing(tmp_path, words, says) -> None:
    done = generate(*words, cwd=tmp_path)
    assert done.returncode == 2 and says in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and list(tmp_path.iterdir()) == []


def test_a_finished_run_is_made_longer_and_nothing_else(tmp_path) -> None:
    begin = ("--player", "sim:greedy?illegal=0.2", "--opponent", "self,bot:random=2", *TICTACTOE)
    assert generate(*begin, "--games", "6", "--output", "run", cwd=tmp_path).returncode == 0
    resume = ("--resume", "--output", "run", "--display", "none")
    done = generate(*resume, "--games", "18", "--concurrency", "3", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (asked_of(tmp_path / "run")["games"], asked_of(tmp_path / "run")["how"]["concurrency"]) == (18, 3)
    assert generate(*begin, "--games", "18", "--output", "whole", cwd=tmp_path).returncode == 0
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")
    less = generate(*resume, "--games", "6", "--opponent", "self", cwd=tmp_path)
    assert less.returncode == 2 and "games: 18 on record, 6 asked" in less.stderr
    assert 'opponent: {"self": 1, "bot:random": 2} on record, {"self": 1} asked' in less.stderr


def test_a_run_goes_on_with_the_command_that_began_it(tmp_path) -> None:
    begin = ("--player", "bot:greedy", "--opponent", "bot:random", *TICTACTOE)
    assert generate(*begin, "--output", "run", cwd=tmp_path).returncode == 0
    duel = subprocess.run(
        [sys.executable, "-m", "orchestrator", "duel", "--resume", "--output", "run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert duel.returncode == 2 and "orchestrator generate --output run --resume" in duel.stderr


def test_kill_9_and_ctrl_c_lose_nothing_that_was_recorded(tmp_path) -> None:
    words = [
        "--player",
        "local:one",
        "--player",
        "local:two?style=terse",
        "--opponent",
        "each-other,bot:greedy",
    ]
    words += [
        "--game",
        "connect4",
        "--game",
        "tictactoe",
        "--games",
        "12",
        "--seed",
        "3",
        "--concurrency",
        "4",
    ]
    minds = {
        "one": Behaviour.of("greedy", latency="0.01", illegal="0.1"),
        "two": Behaviour.of("random", latency="0.01", malformed="0.1"),
    }
    with served(models=minds) as server:
        url = {"LOCAL_BASE_URL": f"{server.url}/v1"}
        assert generate(*words, "--output", "whole", "--display", "none", cwd=tmp_path, **url).returncode == 0
        calls = server.counts["answered"]
    run, rng = tmp_path / "run", random.Random(5)
    with served(models=minds) as server:
        url = {"LOCAL_BASE_URL": f"{server.url}/v1"}
        for how in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
            begin = ["--resume"] if answered(run) else words
            command = [sys.executable, "-m", "orchestrator", "generate", *begin, "--output", str(run)]
            process = subprocess.Popen(
                [*command, "--display", "none"], env={**os.environ, **url}, stderr=subprocess.PIPE, text=True
            )
            target = server.counts["answered"] + 5 + rng.randrange(calls // 5)
            while server.counts["answered"] < target and process.poll() is None:
                time.sleep(0.002)
            process.send_signal(how)
            _, errors = process.communicate(timeout=30)
            if how == signal.SIGINT:
                assert process.returncode == 130, errors
                assert f"orchestrator generate --output {run} --resume" in errors
        lost = server.counts["answered"] - len(answered(run))
        done = generate("--resume", "--output", str(run), "--display", "none", cwd=tmp_path, **url)
        assert done.returncode == 0, done.stderr
        assert server.counts["answered"] - len(answered(run)) == lost, "nothing on record was asked again"
    assert rows(run, calls=False) == rows(tmp_path / "whole", calls=False)
    assert integrity(run) == "ok"


@pytest.mark.parametrize(
    ("text", "name", "weight"),
    [
        ("connect4", "connect4", 1),
        ("connect4=3", "connect4", 3),
        ("bot:mcts:200=0.5", "bot:mcts:200", 0.5),
        ("blob?players=4", "blob?players=4", 1),
        ("blob?players=4=2", "blob?players=4", 2),
        ("blob?players=4&cards=3=-2", "blob?players=4&cards=3", -2),
        ("local:m?price=3,15", "local:m?price=3,15", 1),
        ("local:m?price=3,15=2", "local:m?price=3,15", 2),
        ("openspiel:go(board_size=5)", "openspiel:go(board_size=5)", 1),
        ("openspiel:go(board_size=5)=2", "openspiel:go(board_size=5)", 2),
    ],
)
def test_a_weight_stands_behind_the_last_equals_sign(text, name, weight) -> None:
    assert weight_of(text) == (name, weight)


def test_commas_part_opponents_with_their_weights() -> None:
    given = "self,local:m?price=3,15=2,each-other=3,claude=1,bot:random"
    parted = ["self", "local:m?price=3,15=2", "each-other=3", "claude=1", "bot:random"]
    assert specs(given, ("self", "each-other")) == parted
