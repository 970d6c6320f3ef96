"""What texts commit to: the planted corpora, then single rules of the reader, each with a text that would break it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import engine
from engine import View
from engine.bridges import openspiel
from prompts import Track
from prompts.stated import LONGEST, SILENT, Stated, concluded, stated
from tests.prompts.positions import bidding, imagined, played

HERE = Path(__file__).parent
GOOD = 0.95


class Trace(NamedTuple):
    """A text, and the legal actions that it means: None for silence, nothing for a move that is not legal."""

    name: str
    view: View
    track: Track
    means: frozenset[int] | None
    text: str


class Tally(NamedTuple):
    found: int  # planted mismatches that were caught, with the right move
    accused: (
        int  # agreeing or silent texts that were taken for a mismatch, and mismatches with the wrong move
    )
    missed: int

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.accused)

    @property
    def recall(self) -> float:
        return self.found / (self.found + self.missed)


def traces(file: str) -> Iterator[Trace]:
    name, view, track = "", None, "open"
    for line in (HERE / file).read_text("utf-8").splitlines():
        if line.startswith("@"):
            name, game, track, moves = (part.strip() for part in line[1:].split("|"))
            view = None if game.startswith("openspiel:") and openspiel.missing() else position(game, moves)
        elif line and not line.startswith("#") and view is not None:
            means, _, text = line.partition(" | ")
            yield Trace(name, view, track, named(view, means.strip()), text.replace("\\n", "\n"))


@cache
def position(game: str, moves: str) -> View:
    return played(game, moves)


def named(view: View, means: str) -> frozenset[int] | None:
    if means == "-":
        return None
    if means.startswith("!"):
        assert means[1:] not in {action.text for action in view.legal}
        return frozenset()
    ids = {action.text: action.id for action in view.legal}
    return frozenset(ids[text] for text in means.split(" or "))


def tally(found: Iterator[Trace]) -> tuple[Tally, int]:
    """Each text with a move that it means (it must not be accused) and with one that it does not (it must)."""
    caught = accused = missed = texts = 0
    for trace in found:
        texts += 1
        told = stated(trace.text, trace.view, trace.track)
        for action in trace.view.legal:
            if trace.means is None or action.id in trace.means:
                accused += told.verdict(action.id) == "differs"
                break
        others = [action.id for action in trace.view.legal if action.id not in (trace.means or ())]
        if trace.means is not None and others:
            differs = told.verdict(others[0]) == "differs"
            right = differs and frozenset(told.meant) == trace.means
            caught, accused, missed = caught + right, accused + (differs and not right), missed + (not right)
    return Tally(caught, accused, missed), texts


@pytest.mark.parametrize(("file", "least"), [("stated_corpus.txt", 600), ("stated_held_out.txt", 100)])
def test_planted_mismatches_are_caught_and_nobody_else_is_accused(file: str, least: int) -> None:
    found, texts = tally(traces(file))
    assert texts >= least
    assert found.precision >= GOOD and found.recall >= GOOD, found


def test_every_game_is_in_the_corpora() -> None:
    games = {
        trace.view.game for file in ("stated_corpus.txt", "stated_held_out.txt") for trace in traces(file)
    }
    assert games >= set(engine.games())


def test_no_text_is_in_both_corpora() -> None:
    tuned, held = ({trace.text for trace in traces(f"stated_{part}.txt")} for part in ("corpus", "held_out"))
    assert not tuned & held


# ── single rules ─────────────────────────────────────────────────────────────────────────────────────


def test_a_verdict_says_what_was_named_and_on_which_sentence_it_rests() -> None:
    view = played("tictactoe", "b2 a1")
    told = stated("O holds **a1**. If it gets c1, I must block. I play `C3` now.", view)
    assert told == Stated("announced", (8,), "C3", "I play C3 now.")
    assert (told.action, told.verdict(8), told.verdict(1)) == (8, "agrees", "differs")


def test_a_move_that_is_not_legal_differs_from_whatever_was_played() -> None:
    view = played("connect4", "4 4 4 4 4 4")
    told = stated("I drop my disc into column 4.", view)
    assert told.kind and told.meant == () and told.action is None and told.named == "column 4"
    assert {told.verdict(action.id) for action in view.legal} == {"differs"}


def test_words_that_fit_several_moves_mean_each_of_them() -> None:
    view = played("tictactoe", "b2 a1")
    told = stated("I take a corner.", view)
    assert sorted(told.meant) == [2, 6, 8] and told.action is None
    assert (told.verdict(8), told.verdict(1)) == ("agrees", "differs")
    assert stated("I take the corner at c3.", view).meant == (8,)


def test_numbers_are_those_of_the_question() -> None:
    empty = played("connect4", "")
    assert stated("I play 4.", empty, "open").action == stated("I play 4.", empty, "rules").action == 3
    view = played("tictactoe", "")
    assert stated("I choose 4.", view, "open").action == 4  # b2
    assert stated("I choose 4.", view, "rules") == SILENT  # where no numbers were shown
    both = bidding()  # 1 and 2 are ids and names, of each other
    assert sorted(stated("I bid 2.", both, "open").meant) == [1, 2]
    assert stated("I bid 2.", both, "rules").meant == (1,)


def test_two_names_that_contradict_each_other_are_silence() -> None:
    view = played("tictactoe", "b2 a1")
    assert stated("I play 1 (b1).", view).action == 1
    assert stated("I play 1 (c3).", view) == SILENT


def test_two_commitments_are_silence_unless_one_is_taken_back() -> None:
    view = played("tictactoe", "b2 a1")
    assert stated("I play c1. I play c3.", view) == SILENT
    assert stated("I play c1. Actually, I play c3.", view).action == 8
    assert concluded("I play c1. I play c3.", view).action == 8  # of a reasoning the last one counts


def test_a_field_that_weighs_moves_praises_several() -> None:
    view = played("tictactoe", "b2 a1")
    weighed = "candidates: c1 is the most natural. b1 keeps the initiative\nthreats: c3 is the key square"
    assert stated(weighed, view) == SILENT
    assert stated(weighed + "\nrationale: c1 is the most natural.", view).action == 2
    assert stated(weighed.replace("initiative", "initiative. I choose b1"), view).action == 1


def test_of_a_reasoning_only_the_end_and_only_what_is_announced_counts() -> None:
    view = played("tictactoe", "b2 a1")
    assert concluded("c3 blocks the diagonal. b1 keeps everything open.", view) == SILENT
    assert concluded("I play c1." + " Hm." * 1000, view) == SILENT
    assert concluded("Hm. " * 1000 + "So I'll play c1.", view).action == 2


def test_case_tells_moves_apart_where_a_game_does() -> None:
    view = imagined({11: "bxc3", 12: "Bxc3", 13: "e4"})
    assert stated("I play Bxc3.", view).action == 12 and stated("I play bxc3.", view).action == 11


def test_games_without_words_of_their_own_are_read_by_their_notation() -> None:
    view = imagined({1: "24/20 8/3", 2: "13/8", 5: "pass", 7: "(2,3)"})
    assert stated("I choose 24/20 8/3 because it is safe.", view).action == 1
    assert stated("I pass.", view).action == stated("My move is pass.", view).action == 5
    assert stated("I choose (2,3).", view).action == 7


LONG = [
    part * (2 * LONGEST // len(part))
    for part in (
        "I play the best the best ",
        "if d3 or c4, ",
        "i would like to ",
        "(d3) ",
        "the the the ",
        "\n- d3: ",
        "so so ",
    )
]


@pytest.mark.parametrize(
    "text", ["", " ", "\ue000 I play \uf8ff", "\0", "I play " + "9" * 5000, "(" * 5000, "a1 " * 5000, *LONG]
)
def test_no_text_is_too_strange(text: str) -> None:
    view = played("othello", "")
    for read in (stated, concluded):
        assert isinstance(read(text, view), Stated)
