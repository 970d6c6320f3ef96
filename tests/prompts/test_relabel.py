"""The marks of the seats exchanged in a question: everywhere, and nothing else."""

from __future__ import annotations

import re
from collections import Counter

import pytest

import engine
import prompts

MARKED = ("tictactoe", "connect4", "othello")


def begun(game: str) -> engine.Game:
    found, rng = engine.new(game, 1), engine.Rng(2)
    for _ in range(5):
        found.apply(found.random_action(rng))
    return found


@pytest.mark.parametrize("style", prompts.styles())
@pytest.mark.parametrize("game", MARKED)
def test_marks_are_exchanged_everywhere_and_back(game: str, style: str) -> None:
    view = begun(game).view(1)
    asked = prompts.render(view, style)
    other = prompts.relabelled(asked, view)
    for was, now in ((asked.system, other.system), (asked.user, other.user)):
        alone = [Counter(re.findall(r"\b[XO]\b", text)) for text in (was, now)]
        assert (alone[0]["X"], alone[0]["O"]) == (alone[1]["O"], alone[1]["X"]) != (0, 0)
        assert len(was) == len(now) and was != now
        changed = {(a, b) for a, b in zip(was, now, strict=True) if a != b}
        assert changed <= {("X", "O"), ("O", "X")}
    assert prompts.relabelled(other, view) == asked
    assert (other.schema, other.choices, other.style_sha) == (asked.schema, asked.choices, asked.style_sha)


def test_words_that_only_begin_with_a_mark_stay() -> None:
    view = begun("othello").view(1)
    other = prompts.relabelled(prompts.render(view), view)
    assert "Othello is played" in other.system and "You are X (seat 2 of 2)" in other.user
    assert "Black is O and moves first, white is X" in other.system
    assert "O is a black disc, X a white one" in other.system


def test_seats_without_marks_are_refused() -> None:
    view = engine.new("blob", 1).view(1)
    assert prompts.marks(view) is None
    with pytest.raises(ValueError, match="blob have no marks"):
        prompts.relabelled(prompts.render(view), view)
