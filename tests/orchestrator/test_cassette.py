"""Tapes: found by content and place, shared by processes, safe after a crash, clear about what is wrong."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cassette import Asked, Cassette, CassetteError, Taped, differences, place_of, tape
from orchestrator.lines import Direct
from orchestrator.table import Table
from providers.base import Allowance, Final, Message, Reply, Request, Retryable, Usage
from tests.orchestrator.duels import QUICK, play, request, rows
from tests.orchestrator.scripted import Scripted, said

QUESTION = Request("one", "the system", (Message("user", "which move?"),), {"type": "object"}, ((1, "a1"),))
CALL = "r1-0001a-000.00.01"


def ask(line: Taped, call: str = CALL, question: Request = QUESTION) -> Reply:
    return asyncio.run(line.send(call, question))


def taped(directory: Path, *script: object, mode: str = "extend", who: str = "scripted") -> Taped:
    return Taped(Direct(Scripted(list(script))), who, "http://here", Cassette(directory), mode)


def the_file(directory: Path) -> Path:
    (path,) = directory.rglob("*.jsonl")
    return path


FULL = Reply(
    "é \x1b[31m \ud800 \u202e\nsecond",
    Usage(1, 2, 3, 4, 5, 6, "batch"),
    "length",
    "max_tokens",
    "thought",
    "raw",
    {3: 0.25, 4: 0.75},
    "one-1",
    "id",
    '{"a": 1}',
    '{"b": 2}',
    0.1 + 0.2,
    Allowance(1, 2),
)


def test_a_reply_comes_back_whole_in_a_run_of_another_name(tmp_path) -> None:
    assert ask(taped(tmp_path, FULL)) == FULL
    line = Taped(None, "scripted", "http://here", Cassette(tmp_path), "replay")
    again = ask(line, "r2-0001a-000.00.01")
    assert again == replace(FULL, allowance=None), "today's allowance is not the one of then"
    assert the_file(tmp_path).read_bytes().isascii(), "safe to look at, whatever a model wrote"


def test_every_error_is_raised_again_and_nobody_waits(tmp_path) -> None:
    slow = Retryable("rate_limit", "slow down", retry_after_s=99.0, status=429, request_id="7")
    cut = Retryable("connection", "cut", possibly_billed=True, raw_request="{}", raw_response="x")
    wrong = Final("bad_request", "no", status=400)
    line = taped(tmp_path, slow, cut, wrong)
    made = []
    for number in (1, 2, 3):
        with pytest.raises((Retryable, Final)) as raised:
            ask(line, f"r1-0001a-000.00.{number:02d}")
        made.append(raised.value)
    again = Taped(None, "scripted", "http://here", Cassette(tmp_path), "replay")
    for number, was in enumerate(made, 1):
        with pytest.raises(type(was)) as raised:
            ask(again, f"r9-0001a-000.00.{number:02d}")
        for name in ("kind", "message", "status", "request_id", "raw_request", "raw_response"):
            assert getattr(raised.value, name) == getattr(was, name)
        assert getattr(raised.value, "possibly_billed", None) == getattr(was, "possibly_billed", None)
        assert getattr(raised.value, "retry_after_s", None) is None
    told = [json.loads(line) for line in the_file(tmp_path).read_text().splitlines()]
    assert told[1]["error"]["retry_after_s"] == 99.0, "but the tape says what the service said"


def test_the_same_question_has_an_answer_of_its_own_at_every_place(tmp_path) -> None:
    line = taped(tmp_path, *(said(str(number)) for number in range(20)))
    places = [f"r1-{match:04d}a-000.00.01" for match in range(20)]
    for place in places:
        ask(line, place)
    again = taped(tmp_path, mode="replay")
    assert [ask(again, place).text for place in reversed(places)] == [str(n) for n in reversed(range(20))]
    assert len(the_file(tmp_path).read_text().splitlines()) == 21, "and the question is kept once"


def test_what_shapes_no_answer_is_no_part_of_the_question(tmp_path) -> None:
    ask(taped(tmp_path, said("a")))
    same = replace(QUESTION, timeout_s=7, cache_key="other")
    assert ask(taped(tmp_path, mode="replay"), question=same).text == "a"


OTHERS = {
    "model": "two",
    "system": "other",
    "messages": (Message("user", "which?"),),
    "schema": None,
    "choices": ((2, "a1"),),
    "mode": "text",
    "effort": "high",
    "max_output_tokens": 9,
    "temperature": 0.5,
    "seed": 4,
    "tier": "batch",
}


@pytest.mark.parametrize("name", [field.name for field in fields(Request)])
def test_whatever_shapes_the_answer_is_a_part_of_the_question(tmp_path, name) -> None:
    if name in ("timeout_s", "cache_key"):
        return
    ask(taped(tmp_path, said("a")))
    other = replace(QUESTION, **{name: OTHERS[name]})
    with pytest.raises(Final, match="message 1: " if name == "messages" else f"{name}: ") as raised:
        ask(taped(tmp_path, mode="replay"), question=other)
    assert raised.value.kind == "tape" and "0001a-000.00.01" in raised.value.message


def test_what_is_missing_is_asked_and_added_or_refused(tmp_path) -> None:
    cassette = Cassette(tmp_path)
    line = Taped(Direct(provider := Scripted([said("a")])), "s", "", cassette)
    assert ask(line).text == ask(line).text == "a"
    assert len(provider.seen) == cassette.played == cassette.added == 1
    with pytest.raises(Final, match="nothing was asked there"):
        ask(Taped(None, "s", "", cassette, "replay"), "r1-0001a-002.00.01")
    with pytest.raises(Final, match='service: "s" on record, "t" now'):
        ask(Taped(None, "t", "", cassette, "replay"))


def test_a_wrong_key_of_then_is_asked_anew_but_replayed_as_it_was(tmp_path) -> None:
    with pytest.raises(Final):
        ask(taped(tmp_path, Final("auth", "wrong key")))
    with pytest.raises(Final, match="wrong key"):
        ask(taped(tmp_path, mode="replay"))
    assert ask(taped(tmp_path, said("a"))).text == "a"
    assert ask(taped(tmp_path, mode="replay")).text == "a"


def test_a_half_line_of_a_crash_is_ignored_and_cut_off(tmp_path) -> None:
    ask(taped(tmp_path, said("a")))
    path = the_file(tmp_path)
    whole = path.read_bytes()
    for end in range(1, len(whole)):
        path.write_bytes(whole[:end])
        line = taped(tmp_path, said("b"))
        assert ask(line).text == "b"
        assert ask(taped(tmp_path, mode="replay")).text == "b"
        if end % 97 == 0:
            assert ask(taped(tmp_path, said("c")), "r1-0001b-000.00.01").text == "c"
    path.write_bytes(whole + b'{"place": "0001b-000.00.01", "rep')
    assert ask(taped(tmp_path, mode="replay")).text == "a"
    with pytest.raises(Final, match="no answer for 0001b"):
        ask(taped(tmp_path, mode="replay"), "r1-0001b-000.00.01")


@pytest.mark.parametrize(
    ("content", "said_of_it"),
    [
        (b'{"cassette": 2, "request": {}}\n', "newer version"),
        (b'{"cassette": 1}\n', "is no tape"),
        (b"hello\n", "damaged"),
        (b"[1]\n", "damaged"),
        (b"a note without an end of line", "is no tape"),
        (b"\xff\xfe\n", "damaged"),
    ],
)
def test_a_foreign_file_is_named_and_left_alone(tmp_path, content, said_of_it) -> None:
    ask(taped(tmp_path, said("a")))
    path = the_file(tmp_path)
    path.write_bytes(content)
    line = taped(tmp_path, said("b"), said("c"))
    try:
        ask(line)
    except Final as error:
        assert said_of_it in error.message and str(path) in error.message
    else:  # what was paid for is played, and the next is not asked
        with pytest.raises(Final, match=said_of_it):
            ask(line)
    assert path.read_bytes() == content


LINES = [
    b'{"place": "0001a-000.00.01"}',
    b'{"place": "0001a-000.00.01", "reply": {"text": 5, "usage": {}}}',
    b'{"place": "0001a-000.00.01", "reply": {"text": "", "usage": {"output": -5}}}',
    b'{"place": "0001a-000.00.01", "reply": {"text": "", "usage": {"output": true}}}',
    b'{"place": "0001a-000.00.01", "reply": {"text": "", "usage": {}, "latency_s": NaN}}',
    b'{"place": "0001a-000.00.01", "reply": {"text": "", "usage": {}, "finish": "end"}}',
    b'{"place": "0001a-000.00.01", "reply": {"text": "", "usage": {}, "new": 1}}',
    b'{"place": "0001a-000.00.01", "reply": []}',
    b'{"place": "0001a-000.00.01", "error": {"retryable": true, "kind": "auth"}}',
    b'{"place": "0001a-000.00.01", "error": {"retryable": true, "kind": ["x"]}}',
    b'{"place": "0001a-000.00.01", "error": 3}',
    b'{"place": 7, "reply": {}}',
]


@pytest.mark.parametrize("line", LINES)
def test_a_damaged_line_is_an_error_and_never_an_answer(tmp_path, line) -> None:
    ask(taped(tmp_path, said("a")))
    path = the_file(tmp_path)
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(Final, match="damaged"):
        ask(taped(tmp_path, said("b")))


def test_a_full_disk_loses_no_answer_and_stops_the_asking(tmp_path, monkeypatch) -> None:
    line = taped(tmp_path, said("a"), said("b"))
    monkeypatch.setattr(
        Cassette, "_append", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    assert ask(line).text == "a"
    with pytest.raises(Final, match="No space left"):
        ask(line, "r1-0001a-002.00.01")


def test_a_cassette_is_a_directory(tmp_path) -> None:
    (tmp_path / "tape").write_text("no")
    with pytest.raises(CassetteError, match="is a file"):
        Cassette(tmp_path / "tape")
    assert Cassette(tmp_path / "none").at("0001a-000.00.01") == []


WRITER = """
import asyncio, sys
from pathlib import Path
from orchestrator.cassette import Cassette, Taped
from orchestrator.lines import Direct
from tests.orchestrator.scripted import Scripted, said
from tests.orchestrator.test_cassette import QUESTION
who = sys.argv[2]
line = Taped(Direct(Scripted([said(f"{who} {n}" * 400) for n in range(100)])), "s", "", Cassette(Path(sys.argv[1])))
async def main():
    for n in range(100):
        await line.send(f"r1-{n:04d}{who}-000.00.01", QUESTION)
asyncio.run(main())
"""


def test_several_processes_share_a_cassette(tmp_path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*command, who]) for who in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert len(the_file(tmp_path).read_bytes().splitlines()) == 301, "one question, and a line for each"
    line = Taped(None, "s", "", Cassette(tmp_path), "replay")
    for who in "abc":
        assert ask(line, f"r7-0042{who}-000.00.01").text == f"{who} 42" * 400


def test_what_one_adds_the_other_finds(tmp_path) -> None:
    one, other = taped(tmp_path, said("a"), said("b")), taped(tmp_path)
    assert ask(one).text == ask(other).text == "a"
    ask(one, "r1-0001b-000.00.01")
    assert ask(other, "r1-0001b-000.00.01").text == "b"
    the_file(tmp_path).unlink()
    assert ask(taped(tmp_path, said("c"))).text == "c"
    assert ask(other).text == "c", "also where another file has come into its place"


@given(st.text(), st.text(), st.floats(0, 1e9), st.dictionaries(st.integers(0, 99), st.floats(0, 1)))
def test_any_text_and_number_comes_back_as_it_was(tmp_path_factory, text, thought, seconds, odds) -> None:
    directory = tmp_path_factory.mktemp("tape")
    reply = Reply(text, Usage(), reasoning=thought, latency_s=seconds, probabilities=odds)
    question = replace(QUESTION, system=text, messages=(Message("user", thought),))
    Cassette(directory).add(asked := Asked("s", "", question), "0001a-000.00.01", reply)
    assert Cassette(directory).find(asked, "0001a-000.00.01") == reply


def test_places_and_differences() -> None:
    assert place_of("r1ng05demo00-0007a2-012.00.01") == place_of("a-b-0007a2-012.00.01") == "0007a2-012.00.01"
    was = Asked("s", "", QUESTION).content
    now = Asked("s", "", replace(QUESTION, system="the\nsystem", seed=3)).content
    assert differences(was, now) == (
        'system: line 1: "the system" on record, "the" now; seed: nothing on record, 3 now'
    )


class Recording(Table):
    """A table at which every model's line has the tape in it."""

    def __init__(self, directory: Path, mode: str) -> None:
        super().__init__(retry=QUICK)
        self.tape = Cassette(directory), mode

    def seat(self, *args, **more):
        player = super().seat(*args, **more)
        if hasattr(player, "line"):
            tape(player, *self.tape)
        return player


def test_a_duel_is_played_again_from_its_tape(tmp_path) -> None:
    asked = request(
        "sim:greedy?illegal=0.2&fail=0.3&retry_after=0", "sim:random?malformed=0.2&price=1,2", pairs=4
    )
    first = Recording(tmp_path / "tape", "extend")
    play(tmp_path / "one", asked, first, concurrency=8)
    made = len(rows(tmp_path / "one")["call"])
    assert first.tape[0].added == made and first.tape[0].played == 0
    again = Recording(tmp_path / "tape", "replay")
    play(tmp_path / "two", asked, again, concurrency=1)
    assert again.tape[0].played == made
    assert rows(tmp_path / "two") == rows(tmp_path / "one")
    grown = Recording(tmp_path / "tape", "extend")
    play(tmp_path / "three", replace(asked, pairs=5), grown)
    assert grown.tape[0].played == made and grown.tape[0].added > 0, "more pairs: only those are asked"
    ending, _ = play(tmp_path / "four", replace(asked, seed=2), Recording(tmp_path / "tape", "replay"))
    assert "has no answer for" in ending.reason and "seed:" in ending.reason
