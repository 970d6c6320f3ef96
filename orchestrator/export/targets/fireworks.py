"""Fireworks: OpenAI's shapes, with a `weight` on every row of a file or on none. 3 to 3 million rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.export.example import Example, Kind, Reasoning, RowError, Split, Tally
from orchestrator.export.shapes import THOUGHTS, asked, kept, must_be_messages, must_have_only, said
from orchestrator.export.targets.openai_chat import must_be_pair, pair_row

LEAST, MOST = 3, 3_000_000


class Fireworks:
    name = "fireworks"
    kinds: tuple[Kind, ...] = ("sft", "pref")
    about = "Fireworks: chat rows with weights, preference pairs"

    def carries(self, kind: Kind) -> tuple[Reasoning, ...]:
        return ("field", "none", "think-tag") if kind == "sft" else ("think-tag", "none")

    def row(self, example: Example, reasoning: Reasoning) -> dict[str, Any]:
        if example.kind == "pref":
            return pair_row(example, reasoning)
        messages = [*asked(example), said(kept(example), reasoning)]
        return {"messages": messages, "weight": float(example.weight)}

    def check(self, row: Mapping[str, Any], kind: Kind) -> None:
        if kind == "pref":
            return must_be_pair(row)
        must_have_only(row, ("messages",), ("weight",))
        must_be_messages(row["messages"], "assistant", thoughts=THOUGHTS)
        weight = row.get("weight", 1.0)
        if type(weight) not in (int, float) or not 0 <= weight < math.inf:
            raise RowError(f"weight is {weight!r}: expected a number, 0 or more")

    def check_file(self, tally: Tally, kind: Kind, split: Split) -> None:
        if split == "train" and not LEAST <= tally.rows <= MOST:
            raise RowError(f"the training file has {tally.rows:,} rows: expected {LEAST} to {MOST:,}")
        if tally.having["weight"] not in (0, tally.rows):
            raise RowError(
                f"{tally.having['weight']:,} of {tally.rows:,} rows have a weight: expected all or none"
            )

    def extras(self, kind: Kind, files: Sequence[str]) -> Mapping[str, str]:
        return {}


TARGET = Fireworks()
