"""Mistral's chat rows: messages, the assistant's with a `weight` of 0 or 1; the last one is the assistant's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.export.example import Example, Kind, Reasoning, RowError, Split, Tally
from orchestrator.export.shapes import asked, kept, must_be_messages, must_have_only, said


class Mistral:
    name = "mistral"
    kinds: tuple[Kind, ...] = ("sft",)
    about = "Mistral: chat rows with weights (mistral-common reads them)"

    def carries(self, kind: Kind) -> tuple[Reasoning, ...]:
        return ("think-tag", "none")

    def row(self, example: Example, reasoning: Reasoning) -> dict[str, Any]:
        return {"messages": [*asked(example), said(kept(example), reasoning) | {"weight": 1}]}

    def check(self, row: Mapping[str, Any], kind: Kind) -> None:
        must_have_only(row, ("messages",))
        must_be_messages(row["messages"], "assistant", weights=True)
        if not any(m.get("weight", 1) for m in row["messages"] if m["role"] == "assistant"):
            raise RowError("every answer has the weight 0: nothing is learnt from the row")

    def check_file(self, tally: Tally, kind: Kind, split: Split) -> None: ...

    def extras(self, kind: Kind, files: Sequence[str]) -> Mapping[str, str]:
        return {}


TARGET = Mistral()
