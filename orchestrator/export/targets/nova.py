"""Amazon Nova on Bedrock: the Converse shape with its version; Nova 2 takes thoughts as a block of their own.

Of reinforcement tuning the grader is a Lambda, which `reward.py` can be put into; at least 100 rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.export.example import Example, Kind, Reasoning, RowError, Split, Tally
from orchestrator.export.reward import reward_module
from orchestrator.export.shapes import (
    CURRICULUM,
    REWARDED,
    asked,
    kept,
    must_be_at_least,
    must_be_list,
    must_be_messages,
    must_be_rewarded,
    must_be_text,
    must_have_only,
    must_take_turns,
    tagged,
)

VERSION = "bedrock-conversation-2024"
LEAST = 100


class Nova:
    name = "nova"
    kinds: tuple[Kind, ...] = ("sft", "rl-prompts")
    about = "Amazon Nova on Bedrock: SFT (Converse; Nova 2 with reasoning) and RFT"

    def carries(self, kind: Kind) -> tuple[Reasoning, ...]:
        return ("field", "none", "think-tag") if kind == "sft" else ("none",)

    def row(self, example: Example, reasoning: Reasoning) -> dict[str, Any]:
        if example.kind == "rl-prompts":
            values = example.extra["move_values"]
            return {"messages": asked(example), "reference_answer": {"move_values": values}, **example.extra}
        answer = kept(example)
        blocks: list[dict[str, Any]] = [{"text": tagged(answer, reasoning)}]
        if reasoning == "field" and answer.reasoning:
            blocks.insert(0, {"reasoningContent": {"reasoningText": {"text": answer.reasoning}}})
        row: dict[str, Any] = {"schemaVersion": VERSION}
        if example.system:
            row["system"] = [{"text": example.system}]
        question = {"role": "user", "content": [{"text": example.prompt}]}
        return row | {"messages": [question, {"role": "assistant", "content": blocks}]}

    def check(self, row: Mapping[str, Any], kind: Kind) -> None:
        if kind == "rl-prompts":
            must_have_only(row, ("messages", "reference_answer", *REWARDED, *CURRICULUM))
            must_have_only(row["reference_answer"], ("move_values",), what="reference_answer")
            must_be_messages(row["messages"], "user")
            return must_be_rewarded(row)
        must_have_only(row, ("schemaVersion", "messages"), ("system",))
        if row["schemaVersion"] != VERSION:
            raise RowError(f"schemaVersion is {row['schemaVersion']!r}: expected {VERSION}")
        if "system" in row:
            must_be_blocks(row["system"], "system")
        messages = must_be_list(row["messages"], "messages")
        for number, message in enumerate(messages, 1):
            must_have_only(message, ("role", "content"), what=f"message {number}")
            must_be_blocks(message["content"], f"message {number}", message["role"] == "assistant")
        must_take_turns([message["role"] for message in messages], ("user", "assistant"), "assistant")

    def check_file(self, tally: Tally, kind: Kind, split: Split) -> None:
        if kind == "rl-prompts" and split == "train":
            must_be_at_least(tally.rows, LEAST, "the training file of reinforcement tuning")

    def extras(self, kind: Kind, files: Sequence[str]) -> Mapping[str, str]:
        return {"reward.py": reward_module()} if kind == "rl-prompts" else {}


def must_be_blocks(value: object, what: str, thinks: bool = False) -> None:
    """Texts; of an answer perhaps the thoughts before them."""
    blocks = must_be_list(value, what)
    for at, block in enumerate(blocks):
        if thinks and at == 0 and len(blocks) > 1 and "reasoningContent" in block:
            must_have_only(block, ("reasoningContent",), what=what)
            must_have_only(block["reasoningContent"], ("reasoningText",), what="reasoningContent")
            must_have_only(block["reasoningContent"]["reasoningText"], ("text",), what="reasoningText")
            must_be_text(block["reasoningContent"]["reasoningText"]["text"], f"thoughts of {what}")
        else:
            must_have_only(block, ("text",), what=what)
            must_be_text(block["text"], what)


TARGET = Nova()
