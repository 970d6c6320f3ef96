"""Orders to a run that nobody plays, that does not listen, or that cannot be written to.

Those that are obeyed are in `test_ordered_runs.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main, orders
from orchestrator.control import CONTROL_FILE, Control
from orchestrator.overview import glance
from orchestrator.record.reading import run_result
from orchestrator.record.store import Record
from tests.cli.test_runs import change
from tests.orchestrator.duels import play, request, rows


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.fixture
def half(tmp_path, monkeypatch) -> Path:
    """A run that was interrupted, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    run = Path("runs") / "half"
    play(run, request("sim:greedy", "bot:random"), stop_after=9)
    return run


@pytest.mark.parametrize("order", ["pause", "stop"])
def test_nobody_hears_where_nobody_plays(half, order) -> None:
    told = invoke(order, "half")
    assert told.exit_code == 1
    assert told.output == "nobody plays runs/half (stopped); go on with: orchestrator resume runs/half\n"
    assert not (half / CONTROL_FILE).exists()


def test_a_run_that_died_is_told_as_such(half) -> None:
    change(half, "UPDATE run SET status = 'paused'")
    assert "nobody plays runs/half (died); go on with" in invoke("stop", "half").output


def test_a_finished_run_has_a_result(half) -> None:
    play(Path("runs/whole"), request("bot:greedy", "bot:random"))
    told = invoke("pause", "whole")
    assert told.exit_code == 1
    assert "it is finished; see orchestrator show runs/whole" in told.output


@pytest.mark.parametrize("order", ["pause", "resume", "stop"])
def test_an_unknown_run_is_a_wrong_use(half, order) -> None:
    told = invoke(order, "nothing")
    assert told.exit_code == 2 and "there is no run 'nothing': runs/ has half" in told.output


def test_what_cannot_be_read_has_a_reason(half) -> None:
    (half / "record.db").write_bytes(b"x" * 5000)
    for order in ("pause", "resume", "stop"):
        told = invoke(order, "half")
        assert told.exit_code == 1 and "cannot be read" in told.output, told.output


@pytest.mark.parametrize("order", ["pause", "resume", "stop"])
def test_who_does_not_listen_is_not_waited_for_long(half, monkeypatch, order) -> None:
    monkeypatch.setattr(orders, "HEARD_S", 0.0)
    with Record(half):
        told = invoke(order, "half")
        assert told.exit_code == 1
        assert "has not heard within 0 s; the order is left in runs/half/control" in told.output
        assert Control(half).order() == order
        left = invoke(order, "half", "--no-wait")
        assert left.exit_code == 0 and "not waiting" in left.output


def test_heard_is_not_obeyed(half, monkeypatch) -> None:
    """Another shell's order came in between, say."""
    monkeypatch.setattr(orders, "HEARD_S", 0.0)
    with Record(half):
        monkeypatch.setattr(Control, "give", lambda control, order: None)
        told = invoke("pause", "half")
        assert told.exit_code == 1 and "heard, but runs/half is not paused" in told.output
        monkeypatch.setattr(orders, "ENDED_S", 0.0)
        told = invoke("stop", "half")
        assert told.exit_code == 1 and "not at its end yet" in told.output


@pytest.mark.parametrize(("order", "status"), [("stop", 0), ("pause", 1)])
def test_a_run_that_ends_before_it_hears_leaves_no_order(half, monkeypatch, order, status) -> None:
    record = Record(half)
    given = Control.give

    def ends(control: Control, order: str) -> None:
        given(control, order)
        record.close()

    monkeypatch.setattr(Control, "give", ends)
    told = invoke(order, "half")
    assert told.exit_code == status, told.output
    assert ("ended meanwhile" in told.output) == (order == "pause")
    assert not (half / CONTROL_FILE).exists()


def test_where_nothing_can_be_written_no_order_is_given(half, monkeypatch) -> None:
    def refused(path: Path, *args: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied")

    with Record(half):
        monkeypatch.setattr(Path, "write_text", refused)
        told = invoke("pause", "half")
    assert told.exit_code == 1
    assert "cannot tell the run in runs/half to pause (Permission denied)" in told.output


def test_waiting_is_left_with_ctrl_c(half, monkeypatch) -> None:
    def pressed(seconds: float) -> None:
        raise KeyboardInterrupt

    clock = SimpleNamespace(
        sleep=pressed, monotonic=time.monotonic
    )  # not the one that the record's writer has
    monkeypatch.setattr(orders, "time", clock)
    with Record(half):
        told = invoke("stop", "half")
        assert (
            told.exit_code == 1 and "not waiting any more; see: orchestrator status runs/half" in told.output
        )
        assert Control(half).order() == "stop", "it stays given"


def test_what_a_played_run_cannot_hear_is_said(half) -> None:
    with Record(half):
        told = invoke("resume", "half", "--max-cost", "10")
    assert told.exit_code == 2
    assert "stop it to resume it with --max-cost 10" in told.output
    assert not (half / CONTROL_FILE).exists()


def test_resume_goes_on_right_here_where_nobody_plays(half, tmp_path) -> None:
    """As the command that began it does, with its options."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "resume", "half", "--display", "none", "--concurrency", "2"],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert glance(half)["status"] == "finished"
    assert run_result(half).run.request["concurrency"] == 2
    play(tmp_path / "whole", request("sim:greedy", "bot:random"))
    assert rows(half) == rows(tmp_path / "whole")
    wrong = invoke("resume", "half", "--games", "many")
    assert wrong.exit_code == 2 and "orchestrator duel" in wrong.output


def test_a_run_of_another_kind_is_left_alone(half) -> None:
    change(half, "UPDATE run SET kind = 'conquest'")
    told = invoke("resume", "half")
    assert told.exit_code == 1 and "has not: conquest" in told.output


def test_without_waves_nothing_is_cancelled(half) -> None:
    told = invoke("stop", "half", "--cancel-batches")
    assert told.exit_code == 0, told.output
    assert "no wave was out" in told.output
    assert invoke("stop", "half", "--cancel-batches", "--no-wait").exit_code == 2
