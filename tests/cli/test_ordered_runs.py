"""Runs in processes of their own, ordered about from another shell: they pause, go on, stop, and lose nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.overview import NoRun, glance, standing
from providers.simulated import Behaviour, StandIn
from providers.stand_in import Server
from tests.orchestrator.duels import rows
from tests.served import served

MINDS = {"one": Behaviour.of("greedy", illegal="0.1"), "two": Behaviour.of("random")}
SLOW_S = 0.3  # for an answer: the duel then takes longer than any order
DUEL = ("duel", "local:one?price=3,15", "vs", "local:two?price=1,5", "--game", "tictactoe", "--games", "30")
PATIENCE_S = 60


class Shell:
    """Commands in one directory, against one server."""

    def __init__(self, directory: Path, server: Server) -> None:
        self.directory = directory
        self.server = server
        self.run = directory / "runs" / "it"
        self.started: list[subprocess.Popen[str]] = []
        self.environment = {
            **os.environ,
            "LOCAL_BASE_URL": f"{server.url}/v1",
            "ANTHROPIC_BASE_URL": server.url,
            "ANTHROPIC_API_KEY": "any-key-will-do",
        }

    def answers_take(self, seconds: float) -> None:
        """From now on; what is answered does not depend on it."""
        for name, mind in MINDS.items():
            self.server._models[name] = StandIn(replace(mind, latency=seconds))

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "orchestrator", *words]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, cwd=self.directory, env=self.environment, stdout=pipe, stderr=pipe, text=True
        )
        self.started.append(process)
        return process

    def play(self, *more: str) -> subprocess.Popen[str]:
        seeds = ("--seed", "4", "--concurrency", "4", "--display", "none", "--output", "runs/it", "--yes")
        return self.start(*DUEL, *seeds, *more)

    def tell(self, *words: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def seen(self) -> dict[str, Any]:
        try:
            return standing(self.run)
        except NoRun:
            return {"status": "", "calls": 0, "out": 0, "waves": []}

    def under_way(self, calls: int = 15) -> None:
        wait_until(lambda: self.seen()["calls"] >= calls)


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.02)


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=PATIENCE_S)
    return process.returncode, errors


@pytest.fixture
def shell(tmp_path) -> Iterator[Shell]:
    with served(Behaviour.of("greedy", batch_latency="1000"), models=MINDS) as server:
        made = Shell(tmp_path, server)
        made.answers_take(SLOW_S)
        yield made
        for process in made.started:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, Any]:
    """What the duel comes to when nobody disturbs it."""
    with served(models=MINDS) as server:
        undisturbed = Shell(tmp_path_factory.mktemp("whole"), server)
        assert end(undisturbed.play())[0] == 0
        return rows(undisturbed.run)


def test_a_pause_holds_calls_back_until_it_ends(shell, whole) -> None:
    playing = shell.play()
    shell.under_way()
    told = shell.tell("pause", "it")
    assert told.returncode == 0, told.stderr
    assert "paused; let it go on with: orchestrator resume runs/it" in told.stdout
    wait_until(lambda: shell.seen()["out"] == 0)
    assert shell.seen()["status"] == "paused" and playing.poll() is None
    answered = shell.server.counts["answered"]
    shown = shell.tell("status", "it")
    assert "go on with: orchestrator resume runs/it" in shown.stdout
    assert "paused" in shell.tell("runs").stdout
    assert shell.server.counts["answered"] == answered, "two commands later none has left"
    told = shell.tell("resume", "it")
    assert told.returncode == 0, told.stderr
    wait_until(lambda: shell.server.counts["answered"] > answered)
    shell.answers_take(0)
    assert end(playing)[0] == 0
    assert rows(shell.run) == whole


def test_a_stop_drains_and_the_run_goes_on_another_day(shell, whole) -> None:
    playing = shell.play("--log-file", "log.jsonl")
    shell.under_way()
    told = shell.tell("stop", "it")
    assert told.returncode == 0, told.stderr
    assert told.stdout.endswith("stopped; go on with: orchestrator resume runs/it\n")
    status, errors = end(playing)
    assert status == 130
    again = "stopped from another shell; go on with: orchestrator duel --output runs/it --resume"
    assert again in errors
    seen = standing(shell.run)
    assert (seen["status"], seen["reason"], seen["out"]) == ("stopped", "stopped from another shell", 0)
    assert not any(path.name.startswith(("control", ".control")) for path in shell.run.iterdir())
    shell.answers_take(0)
    told = shell.tell("resume", "it", "--display", "none", "--yes", "--log-file", "log.jsonl")
    assert told.returncode == 0, told.stderr
    assert rows(shell.run) == whole, "nothing was lost and nothing asked twice"
    log = [json.loads(line) for line in (shell.directory / "log.jsonl").read_text().splitlines()]
    told_of = [
        (line["event"], line.get("exit"), line["level"]) for line in log if line["event"] in ("begin", "end")
    ]
    assert told_of == [
        ("begin", None, "info"),
        ("end", 130, "warning"),
        ("begin", None, "info"),
        ("end", 0, "info"),
    ]
    assert {line["run"] for line in log[1:]} == {seen["run"]}
    assert sum(line["event"] == "call" and line["kind"] == "ok" for line in log) == len(whole["call"])


def test_a_paused_run_can_be_stopped(shell) -> None:
    playing = shell.play()
    shell.under_way()
    assert shell.tell("pause", "it").returncode == 0
    assert shell.tell("stop", "it").returncode == 0
    assert end(playing)[0] == 130
    assert glance(shell.run)["status"] == "stopped"


def test_two_shells_at_once_do_no_harm(shell, whole) -> None:
    playing = shell.play()
    shell.under_way()
    given = [shell.start(order, "it", "--no-wait") for order in ("pause", "resume", "pause", "stop", "pause")]
    assert {end(process)[0] for process in given} <= {0, 1}, "one may come when the run has ended"
    assert shell.tell("stop", "it").returncode in (0, 1)
    assert end(playing)[0] == 130
    shell.answers_take(0)
    assert shell.tell("resume", "it", "--display", "none", "--yes").returncode == 0
    assert rows(shell.run) == whole


def test_who_was_killed_died_and_can_go_on(shell) -> None:
    playing = shell.play()
    shell.under_way()
    playing.send_signal(signal.SIGKILL)
    playing.wait()
    assert "died" in shell.tell("runs").stdout
    shown = shell.tell("status", "it")
    assert (
        "died" in shown.stdout and "go on with: orchestrator duel --output runs/it --resume" in shown.stdout
    )
    told = shell.tell("stop", "it")
    assert told.returncode == 1 and "nobody plays runs/it (died)" in told.stderr
    shell.answers_take(0)
    assert shell.tell("resume", "it", "--display", "none", "--yes").returncode == 0
    assert glance(shell.run)["status"] == "finished"


def test_a_watch_ends_with_the_run(shell) -> None:
    playing = shell.play()
    shell.under_way()
    watching = shell.start("status", "it", "--watch")
    first = watching.stdout and watching.stdout.readline()
    assert first and "running" in first
    shell.answers_take(0)
    out, errors = watching.communicate(timeout=PATIENCE_S)
    assert watching.returncode == 0, errors
    assert end(playing)[0] == 0
    assert "finished  30/30 games" in out.splitlines()[-1]


def test_waves_are_cancelled_where_that_is_asked_for(shell) -> None:
    sides = (
        "anthropic:claude-haiku-5-5",
        "vs",
        "bot:random",
        "--game",
        "tictactoe",
        "--games",
        "4",
        "--batch",
    )
    playing = shell.start("duel", *sides, "--seed", "1", "--display", "none", "--output", "runs/it", "--yes")
    wait_until(lambda: any(wave["status"] == "open" for wave in shell.seen()["waves"]))
    shown = shell.tell("status", "it").stdout
    assert "waves out" in shown and "open for" in shown
    told = shell.tell("stop", "it", "--cancel-batches")
    assert told.returncode == 0, told.stderr
    assert "1 wave asked to stop" in told.stdout
    assert end(playing)[0] == 130
    assert [wave["status"] for wave in standing(shell.run)["waves"]] == ["open"], "to be collected"
