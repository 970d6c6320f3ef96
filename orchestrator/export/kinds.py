"""What is learnt from a decision: rows become examples, in nobody's format yet.

The answer of a model is what it wrote, unless only the move is wanted; that of a player who was asked in no words
is the shortest one that the question allows. Thoughts are those of the model, or, where it has none and exact
values are known, may be made from these: the moves in their order, + won, = drawn, - lost. They are marked `solver`
and never pass for a model's own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from orchestrator.export.columns import Row
from orchestrator.export.example import Answer, Example, Kind, Split
from orchestrator.export.filters import regret
from prompts import Track
from prompts.question import numbers

Words = Literal["whole", "move"]
SIGNS = {-1: "-", 0: "=", 1: "+"}


class Form(NamedTuple):
    """How answers are given."""

    words: Words = "whole"  # all that the model answered, or the move alone
    solver_thoughts: bool = False


def answer(row: Row, form: Form, action: int | None = None) -> Answer:
    """The answer of a row; with an `action`, the answer that plays that one instead."""
    own = action is None or action == row["action"]
    played = row["action"] if action is None else action
    if own and form.words == "whole" and row["response"]:
        text = row["response"]
    else:
        text = move_alone(row, played)
    if own and row["reasoning"]:
        return Answer(text, row["reasoning"], row["reasoning_kind"])
    if form.solver_thoughts and row["q_solver"]:
        return Answer(text, thoughts(row), "solver")
    return Answer(text)


def move_alone(row: Row, action: int) -> str:
    """The shortest answer that names this move on the track of the question."""
    at = row["legal_actions"].index(action)
    if track(row) == "rules":
        return json.dumps({"move": row["legal_texts"][at]}, ensure_ascii=False)
    return json.dumps({"action": numbers(row["legal_actions"], row["legal_texts"])[at]})


def track(row: Row) -> Track:
    """Whether the question listed the legal moves."""
    return "rules" if (row["prompt_template"] or "").endswith(" rules") else "open"


def thoughts(row: Row) -> str:
    """Every legal move with its exact result: `3+ 4= 5-`."""
    return " ".join(
        f"{text}{SIGNS[(value > 0) - (value < 0)]}"
        for text, value in zip(row["legal_texts"], row["q_solver"], strict=True)
    )


def sft(row: Row, form: Form, split: Split, weight: float = 1.0) -> Example:
    """Learn what was played."""
    return _example("sft", row, split, answer=answer(row, form), weight=weight)


def kto(row: Row, form: Form, split: Split, label: bool) -> Example:
    """Learn whether what was played was good."""
    return _example("kto", row, split, answer=answer(row, form), label=label)


def pref(chosen: Row, rejected: Row, form: Form, split: Split) -> Example:
    """Learn which of two answers to one question was better. Raises ValueError where the questions differ."""
    if (chosen["system_prompt"], chosen["prompt"]) != (rejected["system_prompt"], rejected["prompt"]):
        raise ValueError(f"{chosen['decision_id']} and {rejected['decision_id']} answer different questions")
    made = _example("pref", chosen, split, answer=answer(chosen, form), rejected=answer(rejected, form))
    return replace(made, ids=(chosen["decision_id"], rejected["decision_id"]))


def format_pref(row: Row, form: Form, split: Split) -> Example:
    """Learn to answer in the form asked for: the legal answer before the first, which was none. Without thoughts."""
    chosen, rejected = Answer(answer(row, form).text), Answer(row["first_response"])
    return _example("pref", row, split, answer=chosen, rejected=rejected)


def rl_prompt(row: Row, split: Split, samples: int = 0, pass_rate: float | None = None) -> Example:
    """Learn from rewards: the question, and what `reward.py` needs to judge any answer to it.

    Of `samples` answers on record `pass_rate` were legal at once and gave nothing away.
    """
    known = row["q_solver"] or row["q_search"]
    names = numbers(row["legal_actions"], row["legal_texts"]) if track(row) == "open" else row["legal_texts"]
    extra: dict[str, Any] = {
        "decision_id": row["decision_id"],
        "game": row["game"],
        "track": track(row),
        "legal": [str(name) for name in names],
        "notation": list(row["legal_texts"]),
        "move_values": json.dumps(
            dict(zip(map(str, names), known, strict=True)) if known else None, ensure_ascii=False
        ),
        "values_by": "solver" if row["q_solver"] else row["search"],
        "difficulty": row["difficulty"],
        "n_samples": samples,
        "pass_rate": pass_rate,
    }
    return _example("rl-prompts", row, split, extra=extra)


def _example(kind: Kind, row: Row, split: Split, **more: Any) -> Example:
    return Example((row["decision_id"],), kind, split, row["system_prompt"], row["prompt"], **more)


def label(row: Row, epsilon: float, margin: float) -> bool | None:
    """Of kto: good up to `epsilon` of regret, bad from `margin` on; None between, and where nobody knows."""
    lost = regret(row)
    if lost is None or row["action"] is None or row["was_fallback"]:
        return None
    return True if lost <= epsilon else False if lost >= margin else None


def passed(row: Row, epsilon: float) -> bool | None:
    """Whether a question was answered well at once: legally, giving nothing away; None where nobody knows."""
    if not row["legal_first_try"]:
        return False
    lost = regret(row)
    return None if lost is None else lost <= epsilon


def error(row: Row) -> float:
    """The standard error of the value of what was played: 0 of an exact one, infinite of an unknown one.

    A search's value is the mean of results from -1 to 1. With the mean q their variance is at most 1 - q**2 (all of
    them at the ends); over n visits it is taken for 1/n at the least: a few equal results prove little.
    """
    if row["q_solver"]:
        return 0.0
    if not row["visits"] or row["action_index"] is None:
        return math.inf
    value, visits = row["q_search"][row["action_index"]], row["visits"][row["action_index"]]
    return math.sqrt(max(1 - value * value, 1 / visits) / visits) if visits else math.inf


class Judged(NamedTuple):
    """An answer, as far as pairs are made by it."""

    regret: float
    error: float  # the standard error of its value
    player: str
    move: str


def pairs(answers: Sequence[Judged], margin: float, most: int) -> list[tuple[int, int]]:
    """Of answers to one question: which two make a pair, best against worst.

    Their values are at least `margin` apart, and by more than two standard errors; two answers of one player come
    first (they are what that model can learn most from), then the widest difference. Every answer is used at most
    once, and no two pairs set the same move against the same.
    """
    order = sorted(range(len(answers)), key=lambda at: (answers[at].regret, at))
    wanted = [
        (one, other)
        for one in order
        for other in reversed(order)
        if _worse(answers[other], answers[one], margin) and answers[one].move != answers[other].move
    ]
    wanted.sort(key=lambda two: _order(answers[two[0]], answers[two[1]]))
    found: list[tuple[int, int]] = []
    used: set[int] = set()
    set_against: set[tuple[str, str]] = set()
    for one, other in wanted:
        moves = answers[one].move, answers[other].move
        if len(found) < most and not used & {one, other} and moves not in set_against:
            found.append((one, other))
            used |= {one, other}
            set_against.add(moves)
    return found


def _worse(bad: Judged, good: Judged, margin: float) -> bool:
    apart = bad.regret - good.regret
    return apart >= margin and apart > 2 * math.hypot(bad.error, good.error)


def _order(good: Judged, bad: Judged) -> tuple[bool, float]:
    return good.player != bad.player, good.regret - bad.regret
