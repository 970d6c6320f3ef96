"""The log for machines: complete, safe, and no reason for a run to end."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator import log as log_module
from orchestrator.events import Events
from orchestrator.log import LEVELS, Log, line, stamp
from providers import base
from tests.orchestrator.duels import play, request


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def test_every_event_of_a_run_is_a_line_of_its_own(tmp_path) -> None:
    told: list[dict[str, Any]] = []
    asked = request("sim:greedy?price=3,15&illegal=0.3&fail=0.2", "bot:random", attempts=2, max_voids=1.0)
    play(tmp_path / "run", asked, events=told)
    log = Log(tmp_path / "logs" / "deep" / "all.jsonl")
    with log.process("duel", tmp_path / "run", "1.2.3"):
        for event in told:
            log(event)
    log.end("finished", 0, "")
    begin, *between, end = read(tmp_path / "logs" / "deep" / "all.jsonl")
    run = next(event["run"] for event in told if event["type"] == "run")
    assert (begin["event"], begin["kind"], begin["version"], begin["level"]) == (
        "begin",
        "duel",
        "1.2.3",
        "info",
    )
    assert begin["output"] == str(tmp_path / "run") and begin["pid"] > 0
    assert (end["event"], end["exit"], end["level"], end["run"]) == ("end", 0, "info", run)
    assert len(between) == len(told)
    for written, event in zip(between, told, strict=True):
        assert list(written)[:4] == ["at", "level", "event", "run"]
        assert written["run"] == run and written["event"] == event["type"]
        fields = json.loads(json.dumps({n: value for n, value in event.items() if n not in ("type", "at")}))
        assert written == {**written, **fields}
        assert abs(datetime.fromisoformat(written["at"]).timestamp() - event["at"]) < 0.001
    assert {written["level"] for written in between} == {"debug", "info", "warning"}


@pytest.mark.parametrize(
    ("event", "level"),
    [
        ({"type": "call", "kind": "ok"}, "debug"),
        ({"type": "call", "kind": "rate_limit"}, "warning"),
        ({"type": "decision", "outcome": "reasked"}, "debug"),
        ({"type": "decision", "outcome": "forfeit"}, "warning"),
        ({"type": "match", "status": "started"}, "info"),
        ({"type": "match", "status": "void"}, "warning"),
        ({"type": "wave", "status": "submitted"}, "info"),
        ({"type": "wave", "status": "refused"}, "warning"),
        ({"type": "limit"}, "warning"),
        ({"type": "notice", "text": "hello"}, "info"),
        ({"type": "budget"}, "info"),
        ({"type": "something new"}, "info"),
        ({"type": "end", "status": "finished"}, "info"),
        ({"type": "end", "status": "stopped"}, "warning"),
        ({"type": "end", "status": "failed"}, "error"),
    ],
    ids=str,
)
def test_levels(event, level) -> None:
    assert json.loads(line({"at": 0.0, **event}, "r1"))["level"] == level


def test_what_a_model_wrote_is_inert() -> None:
    said = "\x1b]0;evil\x07 \u202e \ud800 \n{} é"
    written = line({"type": "decision", "at": 0.0, "outcome": "ok", "rationale": said}, "r1")
    assert written.isascii() and written.count(b"\n") == 1 and written.endswith(b"\n")
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", written)
    assert json.loads(written)["rationale"] == said


def test_keys_are_kept_out(monkeypatch) -> None:
    monkeypatch.setattr(base, "_secrets", {"sk-PLANTED-1234"})
    written = line({"type": "notice", "at": 0.0, "text": "refused: sk-PLANTED-1234"}, "r1")
    assert b"PLANTED" not in written and json.loads(written)["text"] == "refused: [redacted]"


def test_times_sort_as_text() -> None:
    assert stamp(1_795_189_086.6474946) == "2026-11-20T15:38:06.647Z"
    assert stamp(0) == "1970-01-01T00:00:00.000Z"


def test_two_runs_may_share_a_log(tmp_path) -> None:
    logs = [Log(tmp_path / "log"), Log(tmp_path / "log")]
    for number in range(200):
        logs[number % 2]({"type": "notice", "at": float(number), "text": "x" * number})
    assert [len(each["text"]) for each in read(tmp_path / "log")] == list(range(200))


def test_a_full_disk_is_told_once_and_ends_nothing() -> None:
    heard: list[dict[str, Any]] = []
    log = Log(Path("/dev/full"))
    log.tell = heard.append
    events = Events(log)
    for _ in range(3):
        events.emit("notice", text="x")
    log.end("finished", 0, "")
    [notice] = heard
    assert notice["type"] == "notice" and "/dev/full cannot be written (No space left" in notice["text"]
    assert "the run goes on" in notice["text"]


def test_half_a_line_spoils_no_other(tmp_path, monkeypatch) -> None:
    heard: list[dict[str, Any]] = []
    log = Log(tmp_path / "log")
    log.tell = heard.append
    write = log_module.os.write
    log({"type": "notice", "at": 0.0, "text": "one"})
    monkeypatch.setattr(log_module.os, "write", lambda file, data: write(file, data[:20]))
    log({"type": "notice", "at": 0.0, "text": "two"})
    monkeypatch.undo()
    log({"type": "notice", "at": 0.0, "text": "three"})
    log({"type": "notice", "at": 0.0, "text": "four"})
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == 4 and len(lines[1]) == 20 and len(heard) == 1
    assert [json.loads(lines[place])["text"] for place in (0, 2, 3)] == ["one", "three", "four"]


def test_a_process_that_breaks_says_how(tmp_path) -> None:
    log = Log(tmp_path / "log")
    with pytest.raises(ZeroDivisionError), log.process("duel", tmp_path, "1"):
        1 / 0  # noqa: B018
    assert read(tmp_path / "log")[-1]["reason"] == "ZeroDivisionError: division by zero"
    assert read(tmp_path / "log")[-1]["level"] == "error"


def test_without_a_file_nothing_is_written(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(log_module.os, "write", lambda *args: pytest.fail("written"))
    log = Log(None)
    with log.process("duel", tmp_path, "1"):
        log({"type": "notice", "at": 0.0, "text": "x"})
    log.end("finished", 0, "")


def test_a_file_that_cannot_be_opened_is_said_at_once(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        Log(tmp_path / "file" / "log")


def test_every_level_is_of_a_type_that_there_is() -> None:
    assert set(LEVELS) == {"decision", "call", "match", "wave", "limit", "end"}
