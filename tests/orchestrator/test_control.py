"""Orders from another shell: whole, once, in their order, and nothing else."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from benchmarks.limits import run_virtually
from orchestrator.control import CONTROL_FILE, ORDERS, Control, ControlError, is_alive, watch
from orchestrator.record.store import Record


def left_over(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_is_heard_once(tmp_path, order) -> None:
    run, shell = Control(tmp_path), Control(tmp_path)
    assert run.order() is None and run.take() is None
    shell.give(order)
    assert shell.order() == run.order() == order
    assert run.take() == order
    assert run.take() is None and shell.order() is None
    assert left_over(tmp_path) == []


def test_the_last_order_counts_and_can_be_taken_back(tmp_path) -> None:
    control = Control(tmp_path)
    control.give("pause")
    control.give("stop")
    assert control.order() == "stop"
    control.clear()
    control.clear()
    assert control.take() is None


def test_what_cannot_be_ordered_is_said(tmp_path) -> None:
    with pytest.raises(ControlError, match="'faster': expected one of pause, resume, stop"):
        Control(tmp_path).give("faster")
    with pytest.raises(ControlError, match="expected the directory of a run"):
        Control(tmp_path / "nowhere").give("stop")
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"stopp", b"stop pause", b"\xff\xfe\x00", b"\x1b[31mstop", b"stop\n" * 1000, b"STOP"],
    ids=ascii,
)
def test_foreign_content_is_ignored_with_a_notice(tmp_path, content) -> None:
    notices: list[str] = []
    control = Control(tmp_path, notices.append)
    (tmp_path / CONTROL_FILE).write_bytes(content)
    assert control.take() is None
    [notice] = notices
    assert "expected one of pause, resume, stop" in notice and notice.isprintable() and len(notice) < 600
    control.give("pause")
    assert control.take() == "pause", "and stands in nobody's way"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_opened(tmp_path, make) -> None:
    notices: list[str] = []
    control = Control(tmp_path, notices.append)
    make(tmp_path / CONTROL_FILE)
    for _ in range(3):
        assert control.take() is None and control.order() is None
    assert len(notices) == 1 and "is no file" in notices[0]
    control.clear()
    assert left_over(tmp_path) == [CONTROL_FILE], "it is not ours to remove"


def test_orders_are_never_read_by_halves(tmp_path) -> None:
    """A shell that orders without a pause, and a run that looks without one."""
    notices: list[str] = []
    shell, run = Control(tmp_path), Control(tmp_path, notices.append)

    def orders() -> None:
        for number in range(600):
            shell.give(ORDERS[number % 2])
        shell.give("stop")

    thread = Thread(target=orders)
    thread.start()
    heard: list[str] = []
    while "stop" not in heard:
        heard += [order] if (order := run.take()) else []
    thread.join()
    assert notices == [] and set(heard) <= set(ORDERS)
    assert left_over(tmp_path) == []


def test_a_watcher_hears_within_its_poll_and_forgets_what_was_before(tmp_path) -> None:
    heard: list[tuple[float, str]] = []
    notices: list[str] = []

    async def main() -> None:
        now = asyncio.get_running_loop().time
        shell = Control(tmp_path)
        shell.give("stop")
        watching = asyncio.create_task(
            watch(tmp_path, lambda order: heard.append((now(), order)), 0.5, notices.append)
        )
        await asyncio.sleep(10.1)
        shell.give("pause")
        await asyncio.sleep(10.1)
        shell.path.write_text("nonsense")
        await asyncio.sleep(1)
        shell.give("resume")
        await asyncio.sleep(1)
        watching.cancel()

    run_virtually(main())
    assert [order for _, order in heard] == ["pause", "resume"]
    assert heard[0][0] - 10.1 <= 0.5
    assert len(notices) == 1 and "nonsense" in notices[0]


def test_a_run_is_alive_while_its_record_is_open(tmp_path) -> None:
    assert not is_alive(tmp_path / "nowhere")
    assert not is_alive(tmp_path) and left_over(tmp_path) == []
    with Record(tmp_path):
        assert is_alive(tmp_path) and is_alive(tmp_path)
    assert not is_alive(tmp_path)
    with Record(tmp_path):
        asked = "import sys, pathlib; from orchestrator.control import *; print(is_alive(pathlib.Path(sys.argv[1])))"
        told = subprocess.run(
            [sys.executable, "-c", asked, str(tmp_path)], capture_output=True, text=True, check=True
        )
        assert told.stdout == "True\n", "another process is told the same"
