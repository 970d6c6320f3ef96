"""Together: conversations, whose assistant may carry `reasoning_content`, and OpenAI's preference rows.

A file that matches two formats is refused by the server, so a row has the keys of one; and reasoning models are to
be tuned with reasoning. Of a pair's answers no field for thoughts is documented.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.export.example import Example, Kind, Reasoning, RowError, Split, Tally
from orchestrator.export.shapes import THOUGHTS, asked, kept, must_be_messages, must_have_only, said
from orchestrator.export.targets.openai_chat import must_be_pair, pair_row

FORMATS = {
    "messages",
    "prompt",
    "completion",
    "text",
    "input",
    "preferred_output",
}  # keys that tell them apart


class Together:
    name = "together"
    kinds: tuple[Kind, ...] = ("sft", "pref")
    about = "Together: conversations with reasoning_content, preference pairs"

    def carries(self, kind: Kind) -> tuple[Reasoning, ...]:
        return ("field", "none", "think-tag") if kind == "sft" else ("think-tag", "none")

    def row(self, example: Example, reasoning: Reasoning) -> dict[str, Any]:
        if example.kind == "pref":
            return pair_row(example, reasoning)
        return {"messages": [*asked(example), said(kept(example), reasoning)]}

    def check(self, row: Mapping[str, Any], kind: Kind) -> None:
        own = {"messages"} if kind == "sft" else {"input", "preferred_output"}
        if own <= set(row) and (others := FORMATS & set(row) - own):
            raise RowError(
                f"{', '.join(sorted(others))} beside {', '.join(sorted(own))}: a row of two formats"
            )
        if kind == "pref":
            return must_be_pair(row)
        must_have_only(row, ("messages",))
        must_be_messages(row["messages"], "assistant", thoughts=THOUGHTS, weights=True)

    def check_file(self, tally: Tally, kind: Kind, split: Split) -> None: ...

    def extras(self, kind: Kind, files: Sequence[str]) -> Mapping[str, str]:
        return {}


TARGET = Together()
