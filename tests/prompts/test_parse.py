"""Answers are read exactly or not at all: an adversarial corpus, and whatever hypothesis can think of."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts import Choice, Track, Unreadable, numbered, parse, render, styles
from prompts.extract import without_thinking
from prompts.render import texts
from tests.prompts.positions import Reply, bidding, cards, chess_like, view_of

CORPUS = [json.loads(line) for line in (Path(__file__).parent / "replies.jsonl").read_text().splitlines()]
VIEWS = [view_of("c4"), view_of("ttt"), chess_like(), bidding(), cards()]
KINDS = {"empty", "truncated", "refusal", "unparsable", "ambiguous", "illegal"}


def test_corpus_is_large_and_touches_everything() -> None:
    assert len(CORPUS) >= 350
    assert len({(row["at"], row["track"], row["text"], row.get("finish")) for row in CORPUS}) == len(CORPUS)
    assert {row["expect"].get("kind") for row in CORPUS} - {None} == KINDS


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row["why"])
def test_corpus(row: dict[str, Any]) -> None:
    view = view_of(row["at"])
    read = parse(Reply(row["text"], row.get("finish", "stop")), view, row["track"])
    if "kind" in row["expect"]:
        assert isinstance(read, Unreadable), f"read as {read}"
        assert read.kind == row["expect"]["kind"], read.message
    else:
        assert isinstance(read, Choice), f"expected {row['expect']}, got {read}"
        assert {action.id: action.text for action in view.legal}[read.action] == row["expect"]["move"]


@pytest.mark.parametrize(
    "row", [row for row in CORPUS if "move" in row["expect"]], ids=lambda row: row["why"]
)
def test_a_second_answer_is_never_preferred(row: dict[str, Any]) -> None:
    view = view_of(row["at"])
    other = next(action for action in view.legal if action.text != row["expect"]["move"])
    number = {action.id: number for number, action in numbered(view)}[other.id]
    second = json.dumps({"action": number} if row["track"] == "open" else {"move": other.text})
    finish = row.get("finish", "stop")
    assert isinstance(parse(Reply(f"{row['text']}\n{second}", finish), view, row["track"]), Unreadable)
    before = parse(Reply(f"{second}\n{row['text']}", finish), view, row["track"])
    thinking = re.search("think|channel", row["text"], re.IGNORECASE)  # where it may have ended up
    assert isinstance(before, Unreadable) or (thinking and before.action != other.id)


AROUND = [
    *(
        "{}\nThat is all.",
        "{}\n5",
        "{}\n五",
        "{}\n...no",
        "{} // a3",
        "{}\n{{}}",
        "{}\n<x>",
        "{}\n[x]",
        "{}\n🙂",
        "{}\n-",
    ),
    *(
        "The rejected one\n{}",
        "Falsch:\n{}",
        "Is it this one?\n{}",
        "Then...\n{}",
        "Wrong.\n{}",
        "<x>\n{}",
        "- {}",
        "> {}",
    ),
    *(
        "<x>{}</x>",
        "[x]{}[/x]",
        "~~{}~~",
        "<!-- {} -->",
        "&lt;x&gt;{}&lt;/x&gt;",
        "({})",
        "```python\n{}\n```",
        '"{}"',
    ),
]


@pytest.mark.parametrize("around", AROUND)
def test_nothing_unknown_may_stand_around_an_answer(around: str) -> None:
    for row in CORPUS:
        if "move" in row["expect"] and row["text"].startswith(("{", "```json", "**{")):
            said = around.format(row["text"])
            read = parse(Reply(said), view_of(row["at"]), row["track"])
            assert isinstance(read, Unreadable), (row["why"], said, read)


@given(st.text(max_size=8) | st.text("`*_. \n\t5c:-", max_size=8))
@settings(max_examples=400, deadline=None)
def test_only_dressing_may_follow(tail: str) -> None:
    bare = not tail.strip(" \t\r\n\0\ufeff\u200b\u200e\u200f`*_.")
    for answer, track in (('{"action": 8}', "open"), ('{"move": "c3"}', "rules")):
        read = parse(Reply(answer + tail), view_of("ttt"), track)  # type: ignore[arg-type]
        assert isinstance(read, Choice) is bare


def test_a_text_that_a_style_asks_for_may_name_any_move() -> None:
    asked = {name for style in styles() for name in render(view_of("ttt"), style).schema["properties"]}
    assert asked == texts() | {"action"}
    for name in (*texts(), "unheard_of"):
        read = parse(Reply(json.dumps({name: "b1", "action": 8})), view_of("ttt"), "open")  # type: ignore[arg-type]
        assert isinstance(read, Choice) is (name in texts()), name


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row["why"])
def test_messages_are_short_clean_and_tell_no_legal_move(row: dict[str, Any]) -> None:
    view = view_of(row["at"])
    read = parse(Reply(row["text"], row.get("finish", "stop")), view, row["track"])
    if isinstance(read, Unreadable):
        assert read.message.isprintable() and len(read.message) < 450
        said_by_us = read.message.replace(shown_part(read.message), "")
        words = set(re.findall(r"[\w+-]+", said_by_us))
        assert row["track"] == "open" or words.isdisjoint(action.text for action in view.legal)


def shown_part(message: str) -> str:
    """What a message quotes of the model's own words."""
    why = message.partition("Answer with one JSON")[0]
    return why[why.find('"') : why.rfind('"') + 1]


@pytest.mark.parametrize(
    ("text", "track", "says"),
    [
        ('{"action": 4}', "open", '"4" is not the number of a listed legal move'),
        ('{"move": "4"}', "rules", '"4" is not a legal move in this position'),
        ('{"action": [1, 2]}', "open", 'the value of "action" is "[1, 2]", which is no move'),
        ('{"action": 1}\n{"action": 2}', "open", "it gives more than one answer"),
        ("I play 3", "open", 'no JSON object with the field "action"'),
        ("I play 3", "rules", 'no JSON object with the field "move"'),
        ('{"action": 3,}', "open", "its JSON is not valid"),
        ('{"action": "a\\u0007\\u202e\\nb"}', "open", r'"a\x07\u202e\nb" could not be read as one move'),
        ('{"action": "' + "z" * 500 + '"}', "open", "z" * 80 + '..."'),
    ],
)
def test_message_says_what_was_got_and_what_is_expected(text: str, track: str, says: str) -> None:
    read = parse(Reply(text), view_of("c4"), track)  # type: ignore[arg-type]
    assert isinstance(read, Unreadable)
    assert says in read.message
    assert read.message.startswith("Your answer could not be used: ")
    assert f'its field "{"action" if track == "open" else "move"}" is one' in read.message


def test_rationale_is_kept_with_and_without_a_move() -> None:
    view = view_of("ttt")
    assert parse(Reply('{"rationale": "why", "action": 8}'), view, "open") == Choice(8, "why")
    illegal = parse(Reply('{"rationale": "why", "action": 4}'), view, "open")
    assert isinstance(illegal, Unreadable) and (illegal.kind, illegal.rationale) == ("illegal", "why")
    several = '{"candidates": ["b1", "c2"], "threats": "none", "action": 8, "forecast": 0.5}'
    texts = 'candidates: ["b1", "c2"]\nthreats: none'
    assert parse(Reply(several), view, "open") == Choice(8, texts), "nobody asked for a forecast"
    half = parse(Reply('{"rationale": "\\ud800!", "action": 8}'), view, "open")
    assert half.rationale.encode() == b"\\ud800!"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        *(("0", 0.0), ("100", 1.0), ("25", 0.25), ("57.5", 0.575), ("1", 0.01), ("60.0", 0.6), ("0.0", 0.0)),
        *(('"60"', 0.6), ('" 60 % "', 0.6), ('"60%"', 0.6), ('"0.5%"', 0.005), ('"100.0 %"', 1.0)),
        *(("0.6", None), ('"0.6"', None), ("101", None), ("-1", None), ("NaN", None), ("1e999", None)),
        *(
            ("true", None),
            ("null", None),
            ("[60]", None),
            ('{"win": 60}', None),
            ('"sixty"', None),
            ('""', None),
        ),
        *(('"60/100"', None), ('"60 to 70"', None), ('"٦٠"', None), ('"1000"', None), ("9" * 5000, None)),
        ('60, "forecast": 70', None),
    ],
)
def test_forecast_is_per_cent_or_nothing_and_never_costs_the_move(given: str, read: float | None) -> None:
    text = f'{{"action": 8, "forecast": {given}}}'
    assert parse(Reply(text), view_of("ttt"), "open", forecast=True) == Choice(8, "", read)
    assert parse(Reply(text), view_of("ttt"), "open") == Choice(8), "nobody asked"


def test_a_forecast_that_is_missing_is_none() -> None:
    for text in ('{"action": 8}', '{"action": 8, "win_probability": 0.6}', "Action: 8"):
        assert parse(Reply(text), view_of("ttt"), "open", forecast=True).forecast is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        '{"forecast": 8}',  # the number of a legal move
        '{"forecast": "c3"}',
        '{"rationale": "I play 8.", "forecast": 8}',
        "Forecast: 8",
        "I take the corner now.\nForecast: 8",
        '{"forecast": 8}\nForecast: 8',
        "Forecast: 8\nForecast: 8",
        "Action: none\nForecast: 8",
        "Forecast: 8\nAction: 4",
        '{"action": null, "forecast": 8}',
        '{"move": null, "action": null, "forecast": 8}',
        '{"action": {"forecast": 8}}',
        '{"action": "60 %", "forecast": 8}',
    ],
)
def test_a_forecast_is_never_the_answer(text: str) -> None:
    for track in ("open", "rules"):
        for asked in (True, False):
            assert isinstance(parse(Reply(text), view_of("ttt"), track, forecast=asked), Unreadable)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [4, 8, 3])
def test_a_forecast_contradicts_no_move(number: int) -> None:
    """Whatever else its number is the number of: a taken cell, the same move, another legal one."""
    read = parse(Reply(f'{{"action": 8, "forecast": {number}}}'), view_of("ttt"), "open", forecast=True)
    assert read == Choice(8, "", number / 100)


@pytest.mark.parametrize(
    ("text", "forecast"),
    [
        ("Action: 8\nForecast: 60", 0.6),
        ("Action: 8\n\nForecast: 60 %\n", 0.6),
        ("**Action:** 8\n**Forecast:** 60%", 0.6),
        ("My forecast: 60\nAction: 8", 0.6),
        ("I take the corner now.\nForecast: 60\nAction: 8", 0.6),
        ('{"action": 8}\nForecast: 60', 0.6),
        ('```json\n{"action": 8}\n```\nForecast: 60', 0.6),
        ('{"action": 8, "forecast": 60}\nForecast: 60', 0.6),
        ('<think>Forecast: 30\n</think>{"action": 8}', None),
        ("Action: 8\nForecast: 0.6", None),
        ("Action: 8\nForecast: 160", None),
        ("Action: 8\nForecast: 6.0.0", None),
    ],
)
def test_a_line_may_tell_the_forecast_beside_an_answer(text: str, forecast: float | None) -> None:
    assert parse(Reply(text), view_of("ttt"), "open", forecast=True) == Choice(8, "", forecast)
    if "</think>" not in text:
        assert isinstance(parse(Reply(text), view_of("ttt"), "open"), Unreadable), "nobody asked for it"


@pytest.mark.parametrize(
    "text", ["Forecast: 60\nAction: 8\nForecast: 60", "Forecast: 5\nForecast: 6\nAction: 8"]
)
def test_two_lines_with_a_forecast_are_a_doubt(text: str) -> None:
    assert isinstance(parse(Reply(text), view_of("ttt"), "open", forecast=True), Unreadable)


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row["why"])
def test_asking_for_a_forecast_changes_no_reading_of_a_move(row: dict[str, Any]) -> None:
    view, reply = view_of(row["at"]), Reply(row["text"], row.get("finish", "stop"))
    plain, asked = (parse(reply, view, row["track"], forecast=forecast) for forecast in (False, True))
    if isinstance(plain, Choice):
        assert isinstance(asked, Choice) and asked.action == plain.action
    else:
        assert plain == asked


def test_asking_wrongly_is_our_own_error() -> None:
    with pytest.raises(ValueError, match="unknown track 'closed'"):
        parse(Reply("{}"), view_of("ttt"), "closed")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ask only the seat that is to move"):
        parse(Reply("{}"), view_of("ttt")._replace(legal=()), "open")


SIZE = 30_000
HOSTILE = {
    "braces": "{" * SIZE,
    "open objects": '{"a":' * SIZE,
    "open lists": "[" * SIZE,
    "open lists of objects": "[{" * SIZE,
    "deep value": '{"action": ' + "[" * SIZE + "]" * SIZE + "}",
    "deep but legible": '{"rationale": ' + '{"a":' * 900 + "1" + "}" * 900 + ', "action": 3}',
    "open string": '{"action": "' + "x" * SIZE,
    "open thinking": "<think>" * SIZE,
    "empty thinking": "<think></think>" * SIZE,
    "answers": '{"action": 3}\n' * SIZE,
    "answers on one line": '{"action": 3} ' * SIZE,
    "lines": "Action: 3\n" * SIZE,
    "unreadable lines": "Action: zz9\n" * SIZE,
    "blanks": ("{" + " " * 300) * 300,
    "stars": "*" * SIZE + "Action: 3",
    "quotes": '" ' * SIZE,
    "digits": '{"action": ' + "9" * SIZE + "}",
    "keys": "{" + ",".join(f'"action": {n}' for n in range(SIZE)) + "}",
    "fences": "```think " * SIZE,
    "fences behind": '{"action": 3}' + "`.\n" * SIZE,
    "wrappers before": "<answer>" * SIZE + '{"action": 3}',
    "spaces in a lead-in": "my answer" + " " * SIZE + "x\n" + '{"action": 3}',
    "spaces in a sentence": "a b c" + " " * SIZE + "d\n" + '{"action": 3}',
    "stars in a tag": "Action" + "* " * SIZE + "x\nAction: 3",
    "tail": '{"action": 3}\n' + "I my " * SIZE,
    "surrogates": "\ud800" * SIZE,
    "zeros": "\0" * SIZE,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_replies_are_survived(text: str) -> None:
    for view, track in ((view_of("c4"), "open"), (chess_like(), "rules")):
        read = parse(Reply(text), view, track)  # type: ignore[arg-type]
        assert isinstance(read, Unreadable) or (track, read.action) == ("open", 2)


# What hypothesis builds replies from: everything that means something to the parser, and noise.
PIECES = st.sampled_from(
    [
        *('{"action": 3}', '{"move": "c3"}', '{"action": ', '"rationale": "x"', "Action: 3", "Move: c3"),
        *("3", "8", "c3", "a3", "true", "null", "1e9", "I play", "not ", "Final answer: "),
        *(
            '"',
            "}",
            "{",
            "[",
            "]",
            ",",
            ":",
            "\\",
            "\n",
            " ",
            "```",
            "```json\n",
            "**",
            "- ",
            "-",
            "<x>",
            "~~",
            "</answer>",
            ".",
        ),
        *("I take the corner now.\n", "My answer:\n", "Nein: ", "No\n", '"answer": 5', '{"action": 8}'),
        *("<think>", "</think>", "\ud800", "\u202e", "\0", "é", "\u2028"),
    ]
)
REPLIES = st.one_of(st.lists(PIECES, max_size=14).map("".join), st.text(max_size=60))


@given(REPLIES, st.sampled_from(["stop", "length", "other"]), st.sampled_from(["open", "rules"]))
@settings(max_examples=600, deadline=None)
def test_any_reply_is_a_move_that_it_names_or_a_reason(text: str, finish: str, track: str) -> None:
    for view in VIEWS:
        read = parse(Reply(text, finish), view, track)  # type: ignore[arg-type]
        if isinstance(read, Choice):
            legal = {action.id: action.text for action in view.legal}
            numbers = {action.id: str(number) for number, action in numbered(view)}
            names = {legal[read.action].lower()} | ({numbers[read.action]} if track == "open" else set())
            assert any(name in text.lower() for name in names)
            behind, last = text.rpartition("}")[2], text.rstrip(" \t\r\n\0`").rpartition("\n")[2]
            assert not re.search(r"[^\W_]", behind.replace("</answer>", "")) or "{" not in last
            assert "~~" not in last and (finish != "length" or text.strip().endswith(("}", "\0")))
        else:
            assert read.kind in KINDS and read.message


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_proper_answer_is_always_read(data: st.DataObject) -> None:
    view = data.draw(st.sampled_from(VIEWS))
    action = data.draw(st.sampled_from(view.legal))
    track: Track = data.draw(st.sampled_from(["open", "rules"]))
    number = {other.id: number for number, other in numbered(view)}[action.id]
    answer: dict[str, Any] = {"rationale": data.draw(st.text())}
    answer |= {"action": number} if track == "open" else {"move": action.text}
    indent = data.draw(st.sampled_from([None, 2]))
    text = json.dumps(answer, ensure_ascii=data.draw(st.booleans()), indent=indent)
    before = data.draw(st.sampled_from(["", "Thinking about a3 and 3."]))
    fenced = f"{before}\n```json\n{text}\n```"
    for said in (text, fenced if without_thinking(fenced) == fenced else text):
        read = parse(Reply(said), view, track)
        assert isinstance(read, Choice) and read.action == action.id


# --- the probabilities of a native decision


def decided(view: Any, table: dict[int, float] | None, track: Track = "open") -> Choice:
    number, action = numbered(view)[0]
    text = json.dumps({"action": number} if track == "open" else {"move": action.text})
    read = parse(Reply(text, "stop", table), view, track)
    assert isinstance(read, Choice) and read.action == action.id
    return read


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.game)
def test_probabilities_are_by_action_id_over_all_legal_actions(view: Any) -> None:
    by_number = {number: 1 / len(view.legal) for number, _ in numbered(view)}
    found = decided(view, by_number).probabilities
    assert found is not None
    assert set(found) == {action.id for action in view.legal}
    assert sum(found.values()) == pytest.approx(1)


def test_a_prompts_number_is_not_always_the_action() -> None:
    view = view_of("c4")  # the columns 1, 2, 3, 5, 6, 7 are the actions 0, 1, 2, 4, 5, 6
    found = decided(view, {1: 0.5, 2: 0.25, 3: 0.25, 5: 0.0, 6: 0.0, 7: 0.0}).probabilities
    assert found == {0: 0.5, 1: 0.25, 2: 0.25, 4: 0.0, 5: 0.0, 6: 0.0}


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({1: 0.3, 2: 0.1}, {0: 0.75, 1: 0.25}),  # a legal move without one has none
        ({1: 0.4, 4: 0.5, 99: 0.1}, {0: 1.0}),  # column 4 is full, and there is no 99
        ({1: 2, 2: 6}, {0: 0.25, 1: 0.75}),
        ({4: 1.0}, None),
        ({}, None),
        ({1: 0.0}, None),
        ({1: -0.5, 2: 1.5}, None),
        ({1: float("nan"), 2: 1.0}, None),
        ({1: float("inf")}, None),
        (None, None),
    ],
    ids=repr,
)
def test_a_table_is_scaled_to_the_legal_moves_or_dropped(
    table: dict[int, float] | None, expected: dict[int, float] | None
) -> None:
    found = decided(view_of("c4"), table).probabilities
    if expected is None:
        assert found is None
    else:
        assert found == pytest.approx({action: expected.get(action, 0.0) for action in (0, 1, 2, 4, 5, 6)})


def test_without_numbers_there_are_no_probabilities() -> None:
    assert decided(view_of("ttt"), {1: 1.0}, "rules").probabilities is None
