"""Decisions looked at again by today's prompts and reader: exactly those that an edit touches are named."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace as changed
from pathlib import Path

import pytest

import prompts
from orchestrator.model import Conversation
from orchestrator.record.blobs import deflate, join
from orchestrator.record.database import RecordError
from orchestrator.verify import verify
from prompts import Choice, Templates, Unreadable
from tests.orchestrator.duels import play, request
from tests.orchestrator.test_replay import change, count, files

WRONG = "sim:greedy?illegal=0.2&malformed=0.1&truncated=0.1&refused=0.1&ambiguous=0.1&empty=0.05&429=0.1&retry_after=0"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("run")
    asked = request(WRONG, "sim:random?illegal=0.3&fallback=random&reasks=1&track=rules", pairs=8, seed=4)
    play(directory, asked)
    return directory


def ids(run: Path, where: str) -> list[str]:
    with closing(sqlite3.connect(run / "record.db", isolation_level=None)) as db:
        query = f"SELECT d.id FROM decision d WHERE {where} ORDER BY d.id"
        return [name for (name,) in db.execute(query)]


def test_a_run_of_today_is_asked_and_read_as_it_was(run) -> None:
    before = files(run)
    found = verify(run)
    assert found.same and found.unmade == 0
    assert found.decisions == count(run, "decision") > 50
    assert found.answers == count(run, "call", "kind = 'ok'") > found.decisions
    assert {"ok", "reasked", "fallback", "forfeit"} == {
        outcome
        for outcome in ("ok", "reasked", "fallback", "forfeit")
        if count(run, "decision", f"outcome = '{outcome}'")
    }, "and there was something of everything to read"
    assert files(run) == before


def test_an_edited_template_is_seen_in_every_decision_that_it_asks(run, tmp_path, monkeypatch) -> None:
    folder = shutil.copytree(Path(prompts.__file__).parent, tmp_path / "prompts")
    words = folder / "games" / "tictactoe.j2"
    base = words if words.exists() else folder / "base.j2"
    base.write_text(base.read_text() + "\n{# an edit that says nothing #}")
    monkeypatch.setattr(prompts, "render", Templates(folder).render)
    assert verify(run).same, "what reads the same is the same"
    base = folder / "base.j2"
    base.write_text(base.read_text().replace("Legal moves", "Moves you may make"))
    monkeypatch.setattr(prompts, "render", Templates(folder).render)
    found = verify(run)
    assert sorted({each.decision for each in found.asked if each.what == "user"}) == ids(run, "d.player = 1")
    assert all(
        "Legal moves" in each.was and "Moves you may make" in each.now
        for each in found.asked
        if each.what == "user"
    )
    assert not found.read


def test_a_question_that_differs_at_one_ply_is_seen_there_alone(run, monkeypatch) -> None:
    whole = prompts.render

    def other(view, *asked, **more):
        question = whole(view, *asked, **more)
        return changed(question, system=question.system + "!") if view.ply == 3 else question

    monkeypatch.setattr(prompts, "render", other)
    found = verify(run)
    assert sorted(each.decision for each in found.asked) == ids(run, "d.ply = 3")
    assert {each.what for each in found.asked} == {"system"}


def test_a_kinder_reader_is_seen_where_it_would_have_read_more(run, monkeypatch) -> None:
    """It takes the first legal move for every ambiguous answer: whoever gave one is read differently."""
    strict = prompts.parse

    def kind(reply, view, track, **asked):
        read = strict(reply, view, track, **asked)
        if isinstance(read, Unreadable) and read.kind == "ambiguous":
            return Choice(view.legal[0].id, read.rationale)
        return read

    monkeypatch.setattr(prompts, "parse", kind)
    found = verify(run)
    with closing(sqlite3.connect(run / "record.db", isolation_level=None)) as db:
        texts = db.execute(
            "SELECT decision, answer FROM call WHERE kind = 'ok' AND finish = 'stop'"
        ).fetchall()
    doubted = {
        decision for decision, answer in texts if answer.count('"action"') + answer.count('"move"') > 1
    }
    assert doubted and {each.decision for each in found.read} == doubted and not found.asked
    was, now = zip(*[(each.was, each.now) for each in found.read if each.what == "outcome"], strict=True)
    assert set(was) <= {"reasked", "forfeit", "fallback"}
    assert any(each.startswith("ok, after 1 of its answers") for each in now)


def test_a_stricter_reader_is_seen_where_it_would_ask_again(run, monkeypatch) -> None:
    strict = prompts.parse

    def stricter(reply, view, track, **asked):
        read = strict(reply, view, track, **asked)
        wrong = isinstance(read, Choice) and view.ply == 0
        return Unreadable("unparsable", "no") if wrong else read

    monkeypatch.setattr(prompts, "parse", stricter)
    found = verify(run)
    assert {each.decision for each in found.read} == set(
        ids(run, "d.ply = 0 AND d.outcome IN ('ok', 'reasked')")
    )
    firsts = [each for each in found.read if each.what == "outcome" and each.was == "ok"]
    assert firsts and {each.now for each in firsts} == {"asked again"}


def test_only_the_rationale_may_be_read_differently(run, monkeypatch) -> None:
    strict = prompts.parse
    monkeypatch.setattr(
        prompts, "parse", lambda *asked, **more: changed(strict(*asked, **more), rationale="")
    )
    found = verify(run)
    assert {each.decision for each in found.read} == set(ids(run, "d.rationale != ''"))
    assert {each.what for each in found.read} == {"rationale"}


def test_another_bound_of_asking_again_is_seen(run, monkeypatch) -> None:
    """Nobody who was wrong once is asked again: whoever then found a move is read differently, and whoever was
    wrong more often had fewer chances."""
    patient = Conversation.ask_again
    monkeypatch.setattr(
        Conversation, "ask_again", lambda talk, read, reply: patient(talk, read, reply) and talk.wrong < 1
    )
    touched = ids(run, "d.illegal > 1 OR (d.illegal = 1 AND d.outcome = 'reasked')")
    assert touched and {each.decision for each in verify(run).read} == set(touched)


def test_a_reason_that_was_put_otherwise_is_seen_where_the_body_tells(run, tmp_path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    bodies = {"said": "{}", "other": json.dumps({"messages": [{"content": "Try again."}]})}
    with closing(sqlite3.connect(copy / "record.db", isolation_level=None)) as db:
        for number, text in enumerate(bodies.values(), 1_000_001):
            db.execute("INSERT INTO blob (id, data) VALUES (?, ?)", (number, deflate(join(("", "", text)))))
        db.execute("UPDATE call SET texts_blob = ? WHERE kind = 'ok' AND ask = 1", (number,))
        asked = {name for (name,) in db.execute("SELECT decision FROM call WHERE kind = 'ok' AND ask = 1")}
    found = verify(copy)
    assert asked and {each.decision for each in found.asked} == asked
    assert {each.what for each in found.asked} == {"ask 2"} and not found.read


def test_decisions_that_were_never_made_are_counted(run, tmp_path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    name = ids(copy, "d.outcome = 'ok'")[0]
    change(copy, f"DELETE FROM decision WHERE id = '{name}'")
    found = verify(copy)
    assert found.same and found.unmade == 1


def test_a_state_that_cannot_be_read_any_more_is_a_difference(run, tmp_path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    name = ids(copy, "d.outcome = 'ok'")[0]
    change(copy, f"UPDATE decision SET state = x'00' WHERE id = '{name}'")
    (found,) = verify(copy).asked
    assert (found.decision, found.what) == (name, "position")


def test_what_cannot_be_verified_is_said(run, tmp_path) -> None:
    play(tmp_path / "bots", request("bot:random", "bot:random"))
    with pytest.raises(RecordError, match="nothing to verify"):
        verify(tmp_path / "bots")
    with pytest.raises(RecordError, match="no record at"):
        verify(tmp_path / "none")
    copy = shutil.copytree(run, tmp_path / "copy")
    change(copy, "UPDATE meta SET value = '1' WHERE key = 'schema'")
    with pytest.raises(RecordError, match="has schema 1"):
        verify(copy)
    copy = shutil.copytree(run, tmp_path / "style")
    change(copy, "UPDATE player SET parameters = json_set(parameters, '$.style', 'gone')")
    with pytest.raises(RecordError, match="style=gone"):
        verify(copy)
