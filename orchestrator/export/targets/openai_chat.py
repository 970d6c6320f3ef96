"""OpenAI's chat and preference shapes, which Azure and every OpenAI-compatible trainer read too.

OpenAI itself takes no new fine-tuning jobs from 6 January 2027 (deprecations page, seen November 2026). No place for
thoughts but the text. At least ten rows. rl-prompts are those of reinforcement fine-tuning: further keys reach the
grader as `item.*`, and a job needs a validation file too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.export.example import Example, Kind, Reasoning, RowError, Split, Tally
from orchestrator.export.reward import grader_module
from orchestrator.export.shapes import (
    CURRICULUM,
    REWARDED,
    asked,
    beaten,
    kept,
    must_be_at_least,
    must_be_messages,
    must_be_one_answer,
    must_be_rewarded,
    must_differ,
    must_have_only,
    said,
)

LEAST = 10


class OpenAiChat:
    name = "openai-chat"
    kinds: tuple[Kind, ...] = ("sft", "pref", "rl-prompts")
    about = "OpenAI-compatible chat, DPO and RFT rows: Azure, and most trainers of open models"

    def carries(self, kind: Kind) -> tuple[Reasoning, ...]:
        return ("none",) if kind == "rl-prompts" else ("none", "think-tag")

    def row(self, example: Example, reasoning: Reasoning) -> dict[str, Any]:
        if example.kind == "pref":
            return pair_row(example, reasoning)
        if example.kind == "rl-prompts":
            return {"messages": asked(example), **example.extra}
        return {"messages": [*asked(example), said(kept(example), reasoning)]}

    def check(self, row: Mapping[str, Any], kind: Kind) -> None:
        if kind == "pref":
            return must_be_pair(row)
        if kind == "sft":
            must_have_only(row, ("messages",), ("tools", "parallel_tool_calls"))
            must_have_no_tools(row)
            return must_be_messages(row["messages"], "assistant", weights=True)
        must_have_only(row, ("messages", *REWARDED, *CURRICULUM))
        must_be_messages(row["messages"], "user", weights=True)
        must_be_rewarded(row)

    def check_file(self, tally: Tally, kind: Kind, split: Split) -> None:
        if split == "train":
            must_be_at_least(tally.rows, LEAST, "the training file")

    def extras(self, kind: Kind, files: Sequence[str]) -> Mapping[str, str]:
        return {"grader.py": grader_module()} if kind == "rl-prompts" else {}


def pair_row(example: Example, reasoning: Reasoning) -> dict[str, Any]:
    """A preference row, which Together and Fireworks take too."""
    return {
        "input": {"messages": asked(example), "tools": [], "parallel_tool_calls": True},
        "preferred_output": [said(kept(example), reasoning)],
        "non_preferred_output": [said(beaten(example), reasoning)],
    }


def must_be_pair(row: Mapping[str, Any]) -> None:
    """A preference row: text alone, exactly one pair."""
    must_have_only(row, ("input", "preferred_output", "non_preferred_output"))
    must_have_only(row["input"], ("messages",), ("tools", "parallel_tool_calls"), "input")
    must_have_no_tools(row["input"])
    must_be_messages(row["input"]["messages"], "user")
    must_be_one_answer(row["preferred_output"], "preferred_output")
    must_be_one_answer(row["non_preferred_output"], "non_preferred_output")
    must_differ(row["preferred_output"], row["non_preferred_output"])


def must_have_no_tools(row: Mapping[str, Any]) -> None:
    """Nobody calls one in a game: tools may be there, and are none."""
    if row.get("tools", []) != []:
        raise RowError(f"tools are {row['tools']!r:.60}: expected none in a row of play")
    if not isinstance(row.get("parallel_tool_calls", True), bool):
        raise RowError(f"parallel_tool_calls is {row['parallel_tool_calls']!r:.60}: expected true or false")


TARGET = OpenAiChat()
