"""Gemini tuning on Google Cloud: supervised (camelCase), preference (snake_case) and reinforcement rows.

The model's role is `model`. Thoughts are not trained: the guide says to tune with thinking off or lowest. At most
131,072 tokens an example, 5,000 rows of validation; references of a reinforcement row are texts, lists are refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.export.example import Answer, Example, Kind, Reasoning, RowError, Split, Tally
from orchestrator.export.reward import reward_module
from orchestrator.export.shapes import (
    beaten,
    kept,
    must_be_list,
    must_be_object,
    must_be_text,
    must_differ,
    must_fit,
    must_have_only,
    must_take_turns,
    tagged,
)

TOKENS = 131_072
MOST, MOST_VALIDATION = 1_000_000, 5_000
SYSTEM = {"sft": "systemInstruction", "pref": "system_instruction", "rl-prompts": "systemInstruction"}
MORE: Mapping[Kind, tuple[str, ...]] = {"pref": ("completions",), "rl-prompts": ("references",)}


class Gemini:
    name = "gemini"
    kinds: tuple[Kind, ...] = ("sft", "pref", "rl-prompts")
    about = "Gemini tuning on Google Cloud: supervised, preference, reinforcement"

    def carries(self, kind: Kind) -> tuple[Reasoning, ...]:
        return ("none",) if kind == "rl-prompts" else ("none", "think-tag")

    def row(self, example: Example, reasoning: Reasoning) -> dict[str, Any]:
        row: dict[str, Any] = {}
        if example.system:
            row[SYSTEM[example.kind]] = content("system", example.system)
        row["contents"] = [content("user", example.prompt)]
        if example.kind == "sft":
            row["contents"].append(answered(kept(example), reasoning))
        elif example.kind == "pref":
            row["completions"] = [
                {"score": 1, "completion": answered(kept(example), reasoning)},
                {"score": 0, "completion": answered(beaten(example), reasoning)},
            ]
        else:
            row["references"] = {name: as_text(value) for name, value in example.extra.items()}
        return row

    def check(self, row: Mapping[str, Any], kind: Kind) -> None:
        must_have_only(row, ("contents", *MORE.get(kind, ())), (SYSTEM[kind],))
        contents = must_be_list(row["contents"], "contents")
        roles = [must_be_content(each, f"content {number}") for number, each in enumerate(contents, 1)]
        must_take_turns(roles, ("user", "model"), "model" if kind == "sft" else "user")
        if SYSTEM[kind] in row and must_be_content(row[SYSTEM[kind]], SYSTEM[kind]) != "system":
            raise RowError(f"{SYSTEM[kind]} has another role than system")
        if kind == "pref":
            must_be_completions(row["completions"])
        if kind == "rl-prompts":
            for name, value in must_be_object(row["references"], "references").items():
                if not isinstance(value, str):
                    raise RowError(f"reference {name} is {value!r:.60}: expected a text")
        must_fit(row, TOKENS, "at most")

    def check_file(self, tally: Tally, kind: Kind, split: Split) -> None:
        if tally.rows > MOST:
            raise RowError(f"{tally.rows:,} rows: at most {MOST:,} are taken")
        if split == "validation" and tally.rows > MOST_VALIDATION:
            raise RowError(
                f"{tally.rows:,} rows of validation: at most {MOST_VALIDATION:,} are taken, try smaller --shares"
            )

    def extras(self, kind: Kind, files: Sequence[str]) -> Mapping[str, str]:
        return {"reward.py": reward_module()} if kind == "rl-prompts" else {}


def content(role: str, text: str) -> dict[str, Any]:
    """One turn, of one part."""
    return {"role": role, "parts": [{"text": text}]}


def answered(answer: Answer, reasoning: Reasoning) -> dict[str, Any]:
    """The model's turn."""
    return content("model", tagged(answer, reasoning))


def as_text(value: object) -> str:
    """A reference, of which only texts are taken: JSON of anything else, which `reward.py` reads back."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def must_be_content(value: object, what: str) -> str:
    """A turn of texts; its role."""
    must_have_only(value, ("role", "parts"), what=what)
    turn = must_be_object(value, what)
    for part in must_be_list(turn["parts"], f"parts of {what}"):
        must_have_only(part, ("text",), what=f"a part of {what}")
        must_be_text(part["text"], f"a part of {what}")
    return str(turn["role"])


def must_be_completions(value: object) -> None:
    """One that is preferred, with the score 1, and one that is not, with 0."""
    both = must_be_list(value, "completions")
    for each in both:
        must_have_only(each, ("score", "completion"), what="a completion")
        if must_be_content(each["completion"], "a completion") != "model":
            raise RowError("a completion has another role than model")
    scores = [each["score"] for each in both]
    if scores not in ([1, 0], [0, 1]) or any(isinstance(score, bool) for score in scores):
        raise RowError(f"the scores are {', '.join(map(repr, scores))}: expected one 1 and one 0")
    must_differ(both[0]["completion"], both[1]["completion"])


TARGET = Gemini()
