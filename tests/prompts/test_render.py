"""The question: its schema, its choices, its hash, and what it refuses to render."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

import prompts
from engine import View
from prompts import Question, Templates, Unreadable, numbered, parse, render, styles
from prompts.question import FORMS
from prompts.render import ENUM_SIZES
from tests.prompts.positions import Reply, bidding, cards, imagined, played, view_of
from tests.prompts.quality import ADVICE, REFUSED

SHIPPED = Path(prompts.__file__).parent


def copied(tmp_path: Path) -> Path:
    folder = tmp_path / "prompts"
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return folder


def test_styles_are_found_by_file_name() -> None:
    assert styles() == ["analyst", "default", "terse"]


def test_unknown_names_list_what_exists() -> None:
    view = view_of("ttt")
    with pytest.raises(ValueError, match="unknown style 'bold'; there are: analyst, default, terse"):
        render(view, "bold")
    with pytest.raises(ValueError, match="unknown track 'closed'; there are: open, rules"):
        render(view, "default", "closed")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown style"):
        render(view, "../base")


def test_only_the_seat_to_move_is_asked() -> None:
    with pytest.raises(ValueError, match="ask only the seat that is to move"):
        render(imagined({}))


@pytest.mark.parametrize("style", ["default", "terse", "analyst"])
def test_schema_asks_for_texts_and_then_the_move(style: str) -> None:
    texts = {"default": ["rationale"], "terse": [], "analyst": ["candidates", "threats"]}[style]
    for track, key, kind in (("open", "action", "integer"), ("rules", "move", "string")):
        schema = render(view_of("ttt"), style, track).schema  # type: ignore[arg-type]
        assert schema["required"] == list(schema["properties"]) == [*texts, key]
        assert schema["properties"][key]["type"] == kind
        assert schema["additionalProperties"] is False
        assert not {"minimum", "maximum", "minLength", "maxLength", "pattern"} & set(
            json.dumps(schema).split('"')
        )


def test_numbers_are_columns_where_moves_are_numbers_and_ids_elsewhere() -> None:
    assert render(view_of("c4")).choices == tuple((int(c), c) for c in "123567")
    assert render(view_of("ttt")).choices[0] == (1, "b1")
    assert render(bidding()).choices == ((0, "pass"), (1, "2"), (2, "1"), (7, "5"))
    assert render(view_of("ttt"), track="rules").choices == ()


@pytest.mark.parametrize("text", ["01", "٣", "²", "-1", "+1", "1.0", "", "1" * 10])
def test_only_plain_digits_are_their_own_number(text: str) -> None:
    assert [number for number, _ in numbered(imagined({5: text, 6: "2"}))] == [5, 6]


@pytest.mark.parametrize(("actions", "size"), [(7, 8), (8, 16), (9, 16), (65, 128), (1023, 1024)])
def test_enum_comes_in_a_few_sizes(actions: int, size: int) -> None:
    action = render(imagined({0: "a"}, num_actions=actions)).schema["properties"]["action"]
    assert action["enum"] == list(range(size))
    assert size in ENUM_SIZES


def test_too_many_actions_have_no_enum() -> None:
    assert "enum" not in render(imagined({0: "a"}, num_actions=5000)).schema["properties"]["action"]


def test_history_names_the_player_only_where_order_does_not() -> None:
    assert "\nMoves so far: none\n" in render(played("connect4", "")).user
    assert "\nMoves so far: 4 4 4 4 4 4\n" in render(view_of("c4")).user
    assert "\nMoves so far: P1:5H P2:KH\n" in render(cards()).user
    twice = imagined({0: "a"}, ((0, "x"), (0, "y"), (1, "z")))
    assert "\nMoves so far: P1:x P1:y P2:z\n" in render(twice).user


def test_a_bar_parts_moves_that_have_blanks_themselves() -> None:
    two = imagined({0: "a"}, ((0, "24/20 8/3"), (1, "13/9 6/4"), (0, "8/7/6")))
    assert "\nMoves so far: 24/20 8/3 | 13/9 6/4 | 8/7/6\n" in render(two).user
    twice = imagined({0: "a"}, ((1, "B a1"), (0, "W b2")))
    assert "\nMoves so far: P2:B a1 | P1:W b2\n" in render(twice).user


def test_a_game_without_a_template_gets_board_or_facts() -> None:
    assert "\n(a board)\n" in render(imagined({0: "a"})).user
    facts = render(imagined({0: "a"}, board="", facts={"hand": ["AH", "2H"], "trump": "S"})).user
    assert "\nhand: ['AH', '2H']\ntrump: S\n" in facts


def test_a_game_is_no_path() -> None:
    assert "Game: ../styles/default\n" in render(imagined({0: "a"}, game="../styles/default")).system


def test_text_is_not_a_template_and_not_escaped() -> None:
    odd = imagined({0: "<b>"}, board="  {{ 7 * 7 }} & <i>", rules="{% raw %} & <u>")
    question = render(odd, notes="{{ view }}")
    assert "\n  {{ 7 * 7 }} & <i>\n" in question.user
    assert "0: <b>\n" in question.user
    assert "{{ view }}\n" in question.user
    assert "{% raw %} & <u>" in question.system


def test_hash_follows_every_template_that_takes_part(tmp_path: Path) -> None:
    view = view_of("ttt")
    kept = render(view).style_sha
    assert kept == Templates(copied(tmp_path)).render(view).style_sha, (
        "the hash depends on where the files lie"
    )
    assert (
        len({render(view, style, track).style_sha for style in styles() for track in ("open", "rules")}) == 6
    )
    for file, changes in (
        ("base.j2", True),
        ("styles/default.j2", True),
        ("games/tictactoe.j2", True),
        ("styles/terse.j2", False),
        ("games/connect4.j2", False),
    ):
        folder = copied(tmp_path / file.replace("/", "-"))
        (folder / file).write_text((folder / file).read_text() + "{# changed #}")
        assert (Templates(folder).render(view).style_sha != kept) is changes, file


def test_a_style_is_one_file(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "styles" / "plan.j2").write_text(
        '{% extends "base.j2" %}{% set fields = {"plan": "what you are up to"} %}'
        "{% block closing %}Over to you.{% endblock %}"
    )
    own = Templates(folder)
    assert own.styles() == ["analyst", "default", "plan", "terse"]
    question = own.render(view_of("ttt"), "plan")
    assert list(question.schema["properties"]) == ["plan", "action"]
    assert '- "plan" (text): what you are up to\n' in question.system
    assert question.user.endswith("Over to you.")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ('{% extends "base.j2" %}{% set fields = {"action": "x"} %}', "names a field 'action'"),
        ('{% set fields = ["plan"] %}', "sets no fields"),
        ("nothing", "sets no fields"),
    ],
)
def test_a_style_without_proper_fields_is_refused(tmp_path: Path, source: str, says: str) -> None:
    folder = copied(tmp_path)
    (folder / "styles" / "odd.j2").write_text(source)
    with pytest.raises(ValueError, match=says):
        Templates(folder).render(view_of("ttt"), "odd")


def test_a_decision_speaks_of_no_json_whatever_the_style(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "styles" / "loud.j2").write_text(
        '{% extends "base.j2" %}{% set fields = {"plan": "your plan"} %}'
        "{% block answer %}JSON!{% endblock %}{% block closing %}JSON, now!{% endblock %}"
    )
    own = Templates(folder)
    asked = {style: own.render(view_of("ttt"), style, form="decision") for style in own.styles()}
    for question in asked.values():
        assert "JSON" not in question.system + question.user
        assert question.user.endswith("It is your move. Choose one of the legal moves.")
        assert list(question.schema["properties"]) == ["action"]
        assert question.choices == own.render(view_of("ttt")).choices
    assert len({question.system for question in asked.values()}) == 1
    assert len({question.style_sha for question in asked.values()}) == len(asked)


def test_the_system_prompt_of_a_decision_is_the_same_over_a_duel() -> None:
    views = [played("connect4", moves) for moves in ("", "4", "4 4 3", "4 4 3 5 2")]
    assert len({render(view, form="decision").system for view in views}) == 1
    assert render(views[0], form="decision").style_sha != render(views[0]).style_sha


def test_a_decision_needs_the_list_of_moves() -> None:
    with pytest.raises(ValueError, match=r"'decision' is a choice from the list .* take the track open"):
        render(view_of("ttt"), track="rules", form="decision")
    with pytest.raises(ValueError, match="unknown form 'prose'; there are: json, forecast, decision"):
        render(view_of("ttt"), form="prose")  # type: ignore[arg-type]


def plain_and_asked(style: str, track: Any = "open", view: View | None = None) -> tuple[Question, Question]:
    view = view or view_of("ttt")
    return render(view, style, track), render(view, style, track, form="forecast")


@pytest.mark.parametrize("style", styles())
@pytest.mark.parametrize("track", ["open", "rules"])
def test_a_forecast_is_one_field_more_behind_the_move_and_nothing_else(style: str, track: str) -> None:
    plain, asked = plain_and_asked(style, track)
    what = asked.schema["properties"]["forecast"]["description"]
    line = f'\n- "forecast" (integer): {what}'
    assert asked.system.replace(line, "").replace(', "forecast": <per cent>', "") == plain.system
    assert (asked.user, asked.choices) == (plain.user, plain.choices)
    assert (
        list(asked.schema["properties"])
        == asked.schema["required"]
        == [*plain.schema["required"], "forecast"]
    )
    assert asked.schema["properties"]["forecast"] == {"type": "integer", "description": what}
    assert asked.style_sha != plain.style_sha, "who is asked otherwise is another player"


def test_a_forecast_is_of_the_score_that_is_recorded() -> None:
    """Between two a draw counts half; at a table it is the share of the others."""
    (_, two), (_, three) = plain_and_asked("terse"), plain_and_asked("terse", view=cards())
    assert (
        "how likely you are to win this match" in two.system and "a draw counts as half a win" in two.system
    )
    assert (
        "the share of the other players that you expect to finish ahead of" in three.system
        and "a tie counts as half" in three.system
    )
    assert "draw counts" not in three.system and "finish ahead" not in two.system


def test_a_question_with_a_forecast_keeps_what_every_prompt_keeps() -> None:
    views = [played("connect4", moves) for moves in ("", "4", "4 4 3", "4 4 3 5 2")]
    assert len({render(view, form="forecast").system for view in views}) == 1
    for style in styles():
        for track in ("open", "rules"):
            question = plain_and_asked(style, track)[1]
            schema = json.dumps(question.schema)
            assert not ADVICE.search(question.schema["properties"]["forecast"]["description"])
            assert not REFUSED.search(question.system + schema)
            assert not {"minimum", "maximum"} & set(schema.split('"'))
            for echo in (question.system, *question.system.splitlines()):
                read = parse(Reply(echo), view_of("ttt"), track, forecast=True)  # type: ignore[arg-type]
                assert isinstance(read, Unreadable)


def test_questions_without_a_forecast_are_those_of_earlier_records() -> None:
    """A run goes on only under the prompts that it began with, so a new form must leave the others' hashes alone."""
    kept = {form: render(view_of("ttt"), form=form).style_sha for form in FORMS if form != "forecast"}
    meant = {"json": "6308b491112d6dc4", "decision": "8daad7ad3b14c215"}
    assert kept == meant, "meant? then no run of an earlier version can go on"


def test_an_undefined_name_is_an_error(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "styles" / "odd.j2").write_text(
        '{% extends "base.j2" %}{% set fields = {} %}{% block closing %}{{ plyy }}{% endblock %}'
    )
    with pytest.raises(UndefinedError, match="plyy"):
        Templates(folder).render(view_of("ttt"), "odd")


def test_import_is_cheap() -> None:
    heavy = "{'jinja2', 'engine', 'providers', 'orchestrator'}"
    code = f"import sys, prompts; print(sorted({heavy} & sys.modules.keys()))"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=SHIPPED.parent, text=True) == "[]\n"
