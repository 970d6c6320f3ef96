"""Claude 3 Haiku on Amazon Bedrock: `system` apart, messages strictly in turn, no further key anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.export.example import Example, Kind, Reasoning, Split, Tally
from orchestrator.export.shapes import (
    kept,
    must_be_at_least,
    must_be_messages,
    must_be_text,
    must_have_only,
    said,
)

LEAST = 32


class BedrockClaude:
    name = "bedrock-claude"
    kinds: tuple[Kind, ...] = ("sft",)
    about = "Claude 3 Haiku on Amazon Bedrock (us-west-2)"

    def carries(self, kind: Kind) -> tuple[Reasoning, ...]:
        return ("none", "think-tag")

    def row(self, example: Example, reasoning: Reasoning) -> dict[str, Any]:
        system = {"system": example.system} if example.system else {}
        question = {"role": "user", "content": example.prompt}
        return {**system, "messages": [question, said(kept(example), reasoning)]}

    def check(self, row: Mapping[str, Any], kind: Kind) -> None:
        must_have_only(row, ("messages",), ("system",))
        if "system" in row:
            must_be_text(row["system"], "system")
        must_be_messages(row["messages"], "assistant", system=False)

    def check_file(self, tally: Tally, kind: Kind, split: Split) -> None:
        if split == "train":
            must_be_at_least(tally.rows, LEAST, "the training file")

    def extras(self, kind: Kind, files: Sequence[str]) -> Mapping[str, str]:
        return {}


TARGET = BedrockClaude()
