"""The reward that goes with the data: what answers are worth, and that it reads them as the arena does."""

from __future__ import annotations

import ast
import json
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import View
from orchestrator.export import reward_source
from orchestrator.export.reward import grader_module, reward_module
from orchestrator.export.reward_source import answered, grade, reward, reward_signed, worth
from orchestrator.ratings.quality import Graded
from prompts import Choice, Track, numbered, parse
from prompts.render import texts
from tests.prompts.positions import Reply, bidding, cards, chess_like, view_of

CORPUS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "prompts" / "replies.jsonl").read_text().splitlines()
]
LEGAL = ["1", "2", "3"]
VALUES = json.dumps({"1": 1.0, "2": 0.0, "3": -1.0})


def of(text: str, values: str | None = VALUES, **more: Any) -> float:
    return worth(text, LEGAL, values, **more)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"action": 1}', 1.0),
        ('{"action": 2}', 0.5),
        ('{"action": 3}', 0.0),
        ('{"action": "1"}', 1.0),
        ('{"rationale": "Not 3, which loses.", "action": 1}', 1.0),
        ('<think>3? No: {"action": 3} loses.</think>{"action": 1}', 1.0),
        ('It loses otherwise.</think>\n\n{"action": 1}', 1.0),
        ('The centre is the strongest here.\n{"action": 1}', 1.0),
        ('```json\n{"action": 1}\n```', 1.0),
        ('My answer: {"action": 1}', 1.0),
        ('{"ACTION": 1}', 1.0),
        ('{"action": 1}\n{"action": 1}', 1.0),
    ],
)
def test_what_a_legal_answer_is_worth(text: str, expected: float) -> None:
    assert of(text) == expected
    assert of(text, illegal=-1.0) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "I play 1.",
        '{"action": 4}',
        '{"action": true}',
        '{"action": [1]}',
        '{"action": 1, "move": 2}',
        '{"action": 1, "action": 2}',
        '{"action": 3}\n{"action": 1}',
        '{"action": 1}{"action": 2}',
        '{"action": 1} or rather {"action": 1, "rationale": "x"}',
        'Perhaps {"action": 1}?',
        '{"action": 1, "better": 2}',
        '{"action": 1, "others": [2, 3]}',
        '<think>{"action": 1}',
        '{"action": 1}</think>',
        '{"action":' * 10_000,
        "{" * 10_000,
    ],
)
def test_whatever_is_not_one_legal_move_beyond_doubt_is_worth_nothing(text: str) -> None:
    assert of(text) == 0.0
    assert of(text, illegal=-1.0) == -1.0


def test_where_nothing_is_known_or_nothing_is_at_stake_legal_is_enough() -> None:
    for values in ("null", None, "{}", json.dumps(dict.fromkeys(LEGAL, 0.25))):
        assert of('{"action": 3}', values) == 1.0
        assert of('{"action": 4}', values) == 0.0


def test_moves_by_notation() -> None:
    cells = {"notation": ["a1", "b2", "c3"]}
    assert of('{"action": "B2"}', **cells) == 0.5
    assert of('{"action": 1, "move": "a1"}', **cells) == 1.0
    assert of('{"action": 1, "move": "b2"}', **cells) == 0.0
    rules = {"legal": ["Nf3", "bxc3"], "move_values": {"Nf3": 1, "bxc3": 0.5}, "track": "rules"}
    assert worth('{"move": "Nf3"}', **rules) == 1.0
    assert worth('{"move": "nf3"}', **rules) == 0.0  # where case tells moves apart it is not ignored
    assert worth('{"move": "A1"}', ["a1"], None, track="rules") == 1.0


def test_every_doorway_leads_to_the_same_worth() -> None:
    item = {"legal": LEGAL, "notation": LEGAL, "move_values": VALUES, "track": "open", "game": "x"}
    assert grade({"output_text": '{"action": 2}'}, item) == 0.5
    assert grade({"output_text": None}, item) == 0.0
    columns = {name: [value] * 3 for name, value in item.items()}
    said = [[{"role": "assistant", "content": '{"action": 2}'}], '{"action": 1}', "nothing"]
    assert reward(prompts=[""] * 3, completions=said, **columns) == [0.5, 1.0, 0.0]
    assert reward_signed(prompts=[""] * 3, completions=said, **columns) == [0.5, 1.0, -1.0]
    references = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in item.items()
    }
    assert worth('{"action": 2}', **references) == 0.5


@settings(max_examples=60)
@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), min_size=2, max_size=7), st.data())
def test_it_is_one_less_the_regret_over_the_stake(values: list[float], data: st.DataObject) -> None:
    """A multi-seat table's values are the same numbers: what each move is worth to whoever is to move."""
    legal = [str(number) for number in range(len(values))]
    played = data.draw(st.sampled_from(legal))
    graded = Graded("", values, values[int(played)])
    expected = 1 - graded.regret / graded.stake if graded.stake else 1.0
    told = json.dumps(dict(zip(legal, values, strict=True)))
    assert worth(json.dumps({"action": int(played)}), legal, told) == pytest.approx(expected)


# ── as the arena reads it ────────────────────────────────────────────────────────────────────────────


def both(text: str, view: View, track: Track, finish: str = "stop") -> tuple[str | None, str | None]:
    """The notation of the move that the arena reads, and that the reward reads."""
    read = parse(Reply(text, finish), view, track)
    named = {action.id: action.text for action in view.legal}
    numbers = {str(number): action.text for number, action in numbered(view)}
    legal = list(numbers) if track == "open" else list(named.values())
    move = answered(text, legal, list(named.values()), track)
    rewarded = None if move is None else numbers[move] if track == "open" else move
    return named[read.action] if isinstance(read, Choice) else None, rewarded


@pytest.mark.parametrize("row", [row for row in CORPUS if not row.get("finish")], ids=lambda row: row["why"])
def test_it_never_pays_for_what_the_arena_would_not_read(row: dict[str, Any]) -> None:
    arena, rewarded = both(row["text"], view_of(row["at"]), row["track"])
    assert rewarded in (None, arena)


def test_it_reads_nearly_all_that_the_arena_reads() -> None:
    readable = [row for row in CORPUS if "move" in row["expect"]]
    missed = [
        row["text"] for row in readable if both(row["text"], view_of(row["at"]), row["track"])[1] is None
    ]
    lines = [text for text in missed if "{" not in text]  # Action: 3
    assert len(readable) > 100
    assert len(missed) - len(lines) <= 0.05 * len(readable), [text for text in missed if "{" in text]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_it_agrees_on_whatever_hypothesis_can_think_of(data: st.DataObject) -> None:
    view = data.draw(st.sampled_from([view_of("c4"), view_of("ttt"), chess_like(), bidding(), cards()]))
    track = data.draw(st.sampled_from(["open", "rules"]))
    names = [*(action.text for action in view.legal), *(str(n) for n, _ in numbered(view)), "zz", "A1", "e4."]
    value = st.one_of(st.sampled_from(names), st.integers(-2, 12), st.just(True), st.just([1]))
    keys = st.sampled_from(["action", "move", "final", "rationale", "other", "Action"])
    parts = data.draw(
        st.lists(
            st.one_of(
                st.dictionaries(keys, value, max_size=3).map(json.dumps),
                st.sampled_from(
                    ["<think>", "</think>", "\n", "My answer:", "This is the best move.", "```", "?"]
                ),
            ),
            max_size=5,
        )
    )
    arena, rewarded = both("".join(parts), view, track)
    if (
        view.game == "imagined" and rewarded != arena
    ):  # moves of the past, which no column tells, fix the case
        assert rewarded is None or arena is None
        return
    assert rewarded in (None, arena)


def test_it_knows_the_texts_of_every_style() -> None:
    assert texts() | {"forecast", "probabilities"} == set(reward_source.TEXTS)


def test_real_questions_of_a_table_and_of_hidden_cards() -> None:
    for game in ("blob", "othello", "connect4"):
        match = engine.new(game, 5)
        view = match.view(match.current_player())
        number, action = numbered(view)[0]
        for track, answer in (("open", {"action": number}), ("rules", {"move": action.text})):
            assert both(json.dumps(answer), view, track) == (action.text, action.text)


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_file_needs_nothing_but_python(tmp_path: Path) -> None:
    module = reward_module()
    assert module == grader_module()
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(module))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert imported <= sys.stdlib_module_names
    (tmp_path / "reward.py").write_text(module, "utf-8")
    shipped = runpy.run_path(str(tmp_path / "reward.py"))
    assert shipped["worth"]('{"action": 2}', LEGAL, VALUES) == 0.5
    assert not re.search(r"[^\x00-\x7f]", re.sub(r"[─◁▷“”。！]", "", module))
