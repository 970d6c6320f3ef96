"""ShareGPT: conversations of `from` and `value`, as older tools and converters read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.export.example import Example, Kind, Reasoning, Split, Tally
from orchestrator.export.shapes import (
    kept,
    must_be_list,
    must_be_text,
    must_have_only,
    must_take_turns,
    tagged,
)


class ShareGpt:
    name = "sharegpt"
    kinds: tuple[Kind, ...] = ("sft",)
    about = "ShareGPT conversations (from, value), for older tools"

    def carries(self, kind: Kind) -> tuple[Reasoning, ...]:
        return ("think-tag", "none")

    def row(self, example: Example, reasoning: Reasoning) -> dict[str, Any]:
        system = [{"from": "system", "value": example.system}] if example.system else []
        question = {"from": "human", "value": example.prompt}
        answer = {"from": "gpt", "value": tagged(kept(example), reasoning)}
        return {"conversations": [*system, question, answer]}

    def check(self, row: Mapping[str, Any], kind: Kind) -> None:
        must_have_only(row, ("conversations",))
        turns = must_be_list(row["conversations"], "conversations")
        for number, turn in enumerate(turns, 1):
            must_have_only(turn, ("from", "value"), what=f"turn {number}")
            must_be_text(turn["value"], f"turn {number}")
        said = [turn["from"] for turn in turns]
        must_take_turns(said[1:] if said[0] == "system" else said, ("human", "gpt"), "gpt")

    def check_file(self, tally: Tally, kind: Kind, split: Split) -> None: ...

    def extras(self, kind: Kind, files: Sequence[str]) -> Mapping[str, str]:
        return {}


TARGET = ShareGpt()
