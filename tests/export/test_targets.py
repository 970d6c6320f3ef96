"""Every target writes the rows that are written down, and refuses what breaks one of its rules, saying which."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cli.export import command
from orchestrator.export.example import SHAPES, Answer, Example, RowError, Tally
from orchestrator.export.pipeline import prepare, write
from orchestrator.export.validate import check_lines, read_row
from orchestrator.export.wanted import Wanted, target, targets
from tests.export.golden import CASES, FOLDER, rows
from tests.export.played import exported, played

Row = dict[str, Any]
REWARD = {
    "decision_id": "r-1a-000",
    "game": "x",
    "track": "open",
    "legal": ["0", "4"],
    "notation": ["a1", "b2"],
    "move_values": '{"0": 0, "4": 1}',
    "values_by": "solver",
    "difficulty": 0.5,
    "n_samples": 3,
    "pass_rate": None,
}
EXAMPLES = {
    "sft": Example(("d",), "sft", "train", "Rules.", "Move?", Answer("4", "Centre.", "raw")),
    "kto": Example(("d",), "kto", "train", "Rules.", "Move?", Answer("4", "Centre.", "raw"), label=True),
    "pref": Example(("d", "e"), "pref", "train", "Rules.", "Move?", Answer("4", "Best.", "raw"), Answer("0")),
    "rl-prompts": Example(("d",), "rl-prompts", "train", "Rules.", "Move?", extra=REWARD),
}
ALL = [(name, kind) for name in targets() for kind in target(name).kinds]


def good(name: str, kind: str) -> Row:
    made = target(name)
    row = made.row(EXAMPLES[kind], made.carries(kind)[0])
    return json.loads(json.dumps(row))  # type: ignore[no-any-return]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_golden(name: str, kind: str, tmp_path: Path) -> None:
    kept = (FOLDER / f"{name}-{kind}.jsonl").read_text("utf-8")
    assert rows(name, kind, tmp_path / "to") == kept, "meant? then: python -m tests.export.golden"
    for path in (tmp_path / "to").glob("*.jsonl"):
        if "ids" not in path.name:
            asked = ["--check", str(path), "--target", name, "--kind", kind]
            result = CliRunner().invoke(command, asked)
            assert result.exit_code == 0, result.output
            assert ": 0 problems" in result.output


def test_no_golden_is_left_over() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {f"{name}-{kind}" for name, kind in CASES}


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_what_a_target_writes_it_takes(name: str, kind: str) -> None:
    for reasoning in target(name).carries(kind):
        row = json.loads(json.dumps(target(name).row(EXAMPLES[kind], reasoning)))
        target(name).check(row, kind)
        thinks = "Centre." in str(row) or "Best." in str(row)
        assert thinks == (reasoning != "none" and kind != "rl-prompts")


# ── planted violations ───────────────────────────────────────────────────────────────────────────────


def put(*path: Any) -> Callable[[Row], None]:
    """Set what `path` leads to, to its last element; into a list one past its end appends."""

    def change(row: Row) -> None:
        at: Any = row
        for step in path[:-2]:
            at = at[step]
        if isinstance(at, list) and path[-2] == len(at):
            at.append(path[-1])
        else:
            at[path[-2]] = path[-1]

    return change


def drop(*path: Any) -> Callable[[Row], None]:
    def change(row: Row) -> None:
        at: Any = row
        for step in path[:-1]:
            at = at[step]
        del at[path[-1]]

    return change


def everything(*changes: Callable[[Row], None]) -> Callable[[Row], None]:
    return lambda row: [change(row) for change in changes] and None


U, A, S = ({"role": role, "content": role} for role in ("user", "assistant", "system"))
LONG = "word " * 200_000


def of_messages(key: str, last: str = "assistant") -> list[tuple[Callable[[Row], None], str]]:
    """What is wrong with any list of messages."""
    more = A if last == "user" else U
    return [
        (put(key, []), "at least one"),
        (put(key, "text"), "expected a list"),
        (put(key, [1]), "expected an object"),
        (put(key, [U, A, more] if last == "assistant" else [U, A]), "expected " + last),
        (put(key, [A, U]), "in turn"),
        (put(key, [U, U, A]), "in turn"),
        (put(key, [U, A, A]), "in turn"),
        (put(key, [U, S, A]), "in turn"),
        (put(key, [S]), "roles are none|system message"),
        (put(key, [{"role": "bot", "content": "x"}]), "in turn"),
        (put(key, -1, "content", " \n"), "not empty"),
        (put(key, -1, "content", None), "expected a text"),
        (put(key, -1, "content", "a\0b"), "NUL"),
        (put(key, -1, "content", "a\ud800"), "surrogate"),
        (put(key, -1, "name", "x"), "name"),
        (drop(key, -1, "content"), "no content"),
        (put(key, 0, "weight", 1), "weight"),
        (put("extra", 1), "extra"),
        (drop(key), f"no {key}"),
    ]


def of_answers(*keys: str) -> list[tuple[Callable[[Row], None], str]]:
    """What is wrong with lists of one answer."""
    return [
        wrong
        for key in keys
        for wrong in (
            (put(key, []), "list of one"),
            (put(key, [A, A]), "list of one"),
            (put(key, A), "list of one"),
            (put(key, [U]), "expected assistant"),
            (put(key, 0, "content", ""), "not empty"),
            (put(key, 0, "weight", 1), "weight"),
            (drop(key), f"no {key}"),
        )
    ]


REWARDS = [
    (drop("legal"), "no legal"),
    (put("legal", []), "at least one"),
    (put("legal", ["0", "0"]), "each once"),
    (put("notation", ["a1"]), "same moves"),
    (put("move_values", {"0": 1, "4": 1}), "JSON in a text"),
    (put("move_values", "{"), "JSON in a text"),
    (put("move_values", '{"0": 1}'), "not of the legal moves"),
    (put("track", "secret"), "open or rules"),
]
PAIR = [
    *of_answers("preferred_output", "non_preferred_output"),
    (put("preferred_output", [{"role": "assistant", "content": "0"}]), "same"),
    (put("input", "messages", [U, A]), "expected user"),
    (put("input", "tools", [{"type": "function"}]), "tools"),
    (put("input", "parallel_tool_calls", "yes"), "true or false"),
    (put("input", "extra", 1), "extra"),
    (put("extra", 1), "extra"),
]
SINGLE = [
    (put("chosen", [A]), "expected an object"),
    (put("rejected", U), "expected assistant"),
    (put("chosen", {"role": "assistant", "content": "0"}), "same"),
    (put("chosen", "content", ""), "not empty"),
]
PARTS = [
    (put("contents", []), "at least one"),
    (put("contents", 0, "role", "assistant"), "in turn"),
    (put("contents", 0, "parts", []), "at least one"),
    (put("contents", 0, "parts", 0, "text", ""), "not empty"),
    (put("contents", 0, "parts", 0, "thought", True), "thought"),
    (put("contents", 0, "parts", 0, "text", LONG), "tokens"),
    (put("extra", 1), "extra"),
]
WRONG: dict[tuple[str, str], list[tuple[Callable[[Row], None], str]]] = {
    ("trl", "sft"): [*of_messages("prompt", "user"), *of_answers("completion")],
    ("trl", "pref"): [
        *of_messages("prompt", "user"),
        *of_answers("chosen", "rejected"),
        (put("chosen", [{"role": "assistant", "content": "0"}]), "same"),
    ],
    ("trl", "kto"): [
        *of_answers("completion"),
        *((put("label", label), "true or false") for label in (None, 1, "true")),
    ],
    ("trl", "rl-prompts"): [*of_messages("prompt", "user"), *REWARDS],
    ("openai-chat", "sft"): [
        *of_messages("messages"),
        *((put("messages", -1, "weight", weight), "0 or 1") for weight in (2, 0.5, True, "1")),
        (put("messages", -1, "reasoning_content", "x"), "reasoning_content"),
        (put("tools", [1]), "tools"),
    ],
    ("openai-chat", "pref"): PAIR,
    ("openai-chat", "rl-prompts"): [*of_messages("messages", "user"), *REWARDS],
    ("gemini", "sft"): [
        *PARTS,
        (put("contents", 2, {"role": "user", "parts": [{"text": "x"}]}), "expected model"),
        (put("systemInstruction", "role", "user"), "another role"),
        (put("system_instruction", {"role": "system", "parts": [{"text": "x"}]}), "system_instruction"),
    ],
    ("gemini", "pref"): [
        *PARTS,
        *((put("completions", 0, "score", score), "one 1 and one 0") for score in (0, 0.5, True, None)),
        (drop("completions", 1), "one 1 and one 0"),
        (put("completions", 0, "completion", "role", "assistant"), "another role"),
        (put("completions", 0, "completion", "parts", [{"text": "0"}]), "same"),
        (put("systemInstruction", {"role": "system", "parts": [{"text": "x"}]}), "systemInstruction"),
    ],
    ("gemini", "rl-prompts"): [
        *PARTS,
        (put("references", "legal", ["0"]), "expected a text"),
        (put("references", []), "expected an object"),
    ],
    ("bedrock-claude", "sft"): [
        *of_messages("messages"),
        (put("messages", [S, U, A]), "system message"),
        (put("system", ""), "not empty"),
        (put("system", [{"text": "x"}]), "expected a text"),
        (put("messages", -1, "weight", 1), "weight"),
    ],
    ("nova", "sft"): [
        (put("schemaVersion", "1"), "schemaVersion"),
        (put("system", "text"), "expected a list"),
        (put("messages", 0, "content", "text"), "expected a list"),
        (put("messages", 0, "role", "assistant"), "in turn"),
        (drop("messages", 1), "expected assistant"),
        (put("messages", 1, "content", 1, "text", ""), "not empty"),
        (put("messages", 1, "content", 0, "reasoningContent", "reasoningText", "text", ""), "thoughts"),
        (put("messages", 0, "content", 0, {"reasoningContent": {}}), "no text"),
        (drop("messages", 1, "content", 1), "no text"),
        (put("toolConfig", {}), "toolConfig"),
    ],
    ("nova", "rl-prompts"): [
        *of_messages("messages", "user"),
        *REWARDS,
        (put("reference_answer", "more", 1), "more"),
    ],
    ("mistral", "sft"): [
        *of_messages("messages"),
        (put("messages", -1, "weight", 2), "0 or 1"),
        (put("messages", -1, "weight", 0), "nothing is learnt"),
    ],
    ("together", "sft"): [
        *of_messages("messages"),
        (put("text", "x"), "two formats"),
        (everything(put("prompt", "x"), put("completion", "x")), "two formats"),
        (put("messages", -1, "reasoning_content", ""), "not empty"),
    ],
    ("together", "pref"): [*PAIR, (put("messages", [U, A]), "two formats")],
    ("fireworks", "sft"): [
        *of_messages("messages"),
        *((put("weight", weight), "0 or more") for weight in (-1, "1", None, float("inf"), True)),
    ],
    ("fireworks", "pref"): PAIR,
    ("axolotl", "sft"): [*of_messages("messages"), (put("messages", 1, "content", LONG), "sequence_len")],
    ("axolotl", "pref"): [*of_messages("messages", "user"), *SINGLE],
    ("llamafactory", "sft"): [
        *of_messages("messages"),
        (put("messages", 1, "content", LONG), "cutoff_len"),
        (put("messages", -1, "reasoning_content", "x"), "reasoning_content"),
    ],
    ("llamafactory", "pref"): [*of_messages("messages", "user"), *SINGLE],
    ("llamafactory", "kto"): [*of_messages("messages"), (put("label", 1), "true or false")],
    ("sharegpt", "sft"): [
        (put("conversations", []), "at least one"),
        (put("conversations", 1, "from", "user"), "in turn"),
        (drop("conversations", 2), "expected gpt"),
        (put("conversations", 2, "value", ""), "not empty"),
        (put("conversations", 2, "weight", 1), "weight"),
        (put("conversations", 3, {"from": "system", "value": "x"}), "in turn"),
        (put("messages", []), "messages"),
    ],
}


def test_every_target_and_kind_has_its_violations() -> None:
    assert set(WRONG) == set(ALL)


@pytest.mark.parametrize(
    ("name", "kind", "change", "why"),
    [(*case, change, why) for case, wrong in WRONG.items() for change, why in wrong],
)
def test_a_row_that_breaks_a_rule_is_refused(
    name: str, kind: str, change: Callable[[Row], None], why: str
) -> None:
    row = copy.deepcopy(good(name, kind))
    change(row)
    with pytest.raises(RowError, match=why):
        target(name).check(row, kind)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_nothing_but_a_reason_comes_of_any_row(data: st.DataObject) -> None:
    """Whatever stands anywhere in a row: it is taken or refused, never an error of ours."""
    name, kind = data.draw(st.sampled_from(ALL))
    row = good(name, kind)
    at: Any = row
    junk = st.sampled_from([None, 1, True, "", "x", [], [1], {}, {"role": "user"}, [{}], [[]], 1.5])
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.booleans()):
            at[key] = data.draw(junk)
            break
        at = at[key]
    try:
        target(name).check(row, kind)
    except RowError as error:
        assert str(error)


# ── files ────────────────────────────────────────────────────────────────────────────────────────────


def tally(rows: int, **having: int) -> Tally:
    made = Tally(rows)
    made.having.update(having)
    return made


@pytest.mark.parametrize(
    ("name", "kind", "split", "seen", "why"),
    [
        ("openai-chat", "sft", "train", tally(9), "at least 10"),
        ("openai-chat", "pref", "train", tally(9), "at least 10"),
        ("bedrock-claude", "sft", "train", tally(31), "at least 32"),
        ("nova", "rl-prompts", "train", tally(99), "at least 100"),
        ("fireworks", "sft", "train", tally(2), "3 to 3,000,000"),
        ("fireworks", "sft", "train", tally(3_000_001), "3 to 3,000,000"),
        ("fireworks", "sft", "train", tally(5, weight=4), "all or none"),
        ("fireworks", "sft", "test", tally(5, weight=4), "all or none"),
        ("gemini", "sft", "validation", tally(5_001), "5,000"),
        ("gemini", "sft", "train", tally(1_000_001), "1,000,000"),
        ("trl", "kto", "train", tally(5, **{"label=True": 5}), "label false"),
        ("llamafactory", "kto", "train", tally(5, **{"label=False": 5}), "label true"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused(
    name: str, kind: str, split: str, seen: Tally, why: str
) -> None:
    with pytest.raises(RowError, match=why):
        target(name).check_file(seen, kind, split)
    enough = tally(200, **{"label=True": 100, "label=False": 100, "weight": 200})
    target(name).check_file(enough, kind, split)


def test_a_refused_file_leaves_nothing_behind(tmp_path: Path) -> None:
    made = prepare(Wanted(kind="sft", target="bedrock-claude", runs=(played(),), filters=("max-ply=0",)))
    with pytest.raises(RowError, match="at least 32"):
        write(made, tmp_path)
    assert list(tmp_path.iterdir()) == [] and made.files == []


def test_a_refused_row_names_its_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = prepare(Wanted(kind="sft", target="trl", runs=(played(),)))
    refused = made.choice.chosen[5].ids[0]

    def row(example: Example, reasoning: str) -> Row:
        text = "" if example.ids == (refused,) else "x"
        return {"prompt": [U], "completion": [{"role": "assistant", "content": text}]}

    monkeypatch.setattr(target("trl"), "row", row, raising=False)
    with pytest.raises(RowError, match=f"{refused}: completion is ''"):
        write(made, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_equal_rows_are_counted_and_left_out(tmp_path: Path) -> None:
    twice = exported(tmp_path / "a", "sft", "trl", reasoning="none", dedup=False, per_question=99)
    once = exported(tmp_path / "b", "sft", "trl", reasoning="none", per_question=99)
    lines = (tmp_path / "a" / "train.jsonl").read_text().splitlines()
    assert len(set(lines)) < len(lines)
    assert twice.repeats == 0
    lines = (tmp_path / "b" / "train.jsonl").read_text().splitlines()
    assert len(set(lines)) == len(lines)
    rows = sum(f.rows for f in once.files if f.name in ("train.jsonl", "validation.jsonl", "test.jsonl"))
    assert rows + once.repeats == len(once.choice.chosen)


# ── any file ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"\n", "empty"),
        (b"{}\0\n", "NUL"),
        (b"\0\0\0\0", "NUL"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b"{", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b"[1]", "expected an object"),
        (b"import os", "no JSON"),
    ],
)
def test_a_line_that_is_no_row_is_refused(line: bytes, why: str) -> None:
    with pytest.raises(RowError, match=why):
        read_row(line)


def test_problems_come_with_their_lines() -> None:
    one, other = (json.dumps({"messages": [U, dict(A, content=text)]}).encode() + b"\n" for text in "xy")
    found = check_lines([one, b"{}\n", other, one.strip()], target("openai-chat"), "sft")
    assert [problem.line for problem in found.problems] == [2, 4, 0]
    assert "the row of line 1 again" in found.problems[1].why
    assert "at least 10" in found.problems[2].why
    assert found.rows == 4


def test_check_tells_the_first_twenty_and_how_many_more(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("{}\n" * 30 + '{"a\\u001b[31m": 1}\n')
    result = CliRunner().invoke(command, ["--check", str(path), "--kind", "sft"])
    assert result.exit_code == 2
    assert f"{path}:20: " in result.output and f"{path}:21: " not in result.output
    assert "... and 11 more" in result.output
    assert "\x1b" not in result.output


@pytest.mark.parametrize(
    "asked",
    [["--target", "nobody", "--kind", "sft"], ["--target", "sharegpt", "--kind", "kto"], ["--target", "trl"]],
)
def test_check_wants_to_know_what_it_checks(asked: list[str], tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("{}\n")
    assert CliRunner().invoke(command, ["--check", str(path), *asked]).exit_code == 2


def test_reasoning_that_a_target_cannot_carry_is_refused_aloud() -> None:
    for name, kind in (
        ("gemini", "sft"),
        ("together", "pref"),
        ("openai-chat", "sft"),
        ("trl", "rl-prompts"),
    ):
        with pytest.raises(ValueError, match="carries reasoning"):
            Wanted(kind=kind, target=name, runs=(played(),), reasoning="field")


def test_kinds_of_one_shape_are_taken_alike() -> None:
    assert SHAPES == {"format-pref": "pref"}
    with pytest.raises(ValueError, match="try axolotl"):
        Wanted(kind="format-pref", target="mistral", runs=(played(),))


def test_configurations_name_the_files_and_columns(tmp_path: Path) -> None:
    exported(tmp_path / "ax", "pref", "axolotl")
    told = (tmp_path / "ax" / "axolotl.yaml").read_text()
    assert "rl: dpo" in told and "field_chosen: chosen" in told and "sequence_len: 8192" in told
    exported(tmp_path / "lf", "kto", "llamafactory")
    info = json.loads((tmp_path / "lf" / "dataset_info.json").read_text())
    for entry in info.values():
        rows = [json.loads(line) for line in (tmp_path / "lf" / entry["file_name"]).read_text().splitlines()]
        assert all(set(entry["columns"].values()) == set(row) for row in rows)
        assert {message["role"] for row in rows for message in row["messages"]} <= set(entry["tags"].values())
    assert "stage: kto" in (tmp_path / "lf" / "llamafactory.yaml").read_text()


def converted(row: Row, entry: Row) -> bool:
    """Whether LLaMA-Factory's sharegpt converter takes a row, which it else passes over with a warning."""
    columns, tags = entry["columns"], entry["tags"]
    turns = [message[tags["role_tag"]] for message in row[columns["messages"]]]
    if turns[0] == tags["system_tag"]:
        turns = turns[1:]
    expected = (tags["user_tag"], tags["assistant_tag"])
    ranking = entry.get("ranking", False)
    both = [row[columns[side]] for side in ("chosen", "rejected")] if ranking else []
    return (
        turns == [expected[at % 2] for at in range(len(turns))]
        and len(turns) % 2 == (1 if ranking else 0)
        and all(isinstance(one, dict) and one[tags["role_tag"]] == tags["assistant_tag"] for one in both)
        and ("kto_tag" not in columns or isinstance(row[columns["kto_tag"]], bool))
    )


@pytest.mark.parametrize("kind", ["sft", "pref", "format-pref", "kto"])
def test_llamafactory_passes_over_no_row(kind: str, tmp_path: Path) -> None:
    made = exported(tmp_path, kind, "llamafactory")
    rows = {file.name: file.rows for file in made.files}
    for entry in json.loads((tmp_path / "dataset_info.json").read_text()).values():
        lines = (tmp_path / entry["file_name"]).read_text().splitlines()
        taken = [line for line in lines if converted(json.loads(line), entry)]
        assert len(taken) == len(lines) == rows[entry["file_name"]]
