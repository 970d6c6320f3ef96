"""Hugging Face TRL (1.16): conversational rows with an explicit prompt, which its trainers take the loss beside.

SFT on `messages` would take the loss on the prompt too; on prompt and completion it is on the completion alone. DPO
and KTO need the prompt explicit. GRPO hands every further column to the reward function of `reward.py`. Thoughts go
into <think> by default: a chat template that does not know `reasoning_content` drops it without a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.export.example import Example, Kind, Reasoning, Split, Tally
from orchestrator.export.reward import reward_module
from orchestrator.export.shapes import (
    CURRICULUM,
    REWARDED,
    THOUGHTS,
    asked,
    beaten,
    kept,
    must_be_label,
    must_be_messages,
    must_be_one_answer,
    must_be_rewarded,
    must_differ,
    must_have_both_labels,
    must_have_only,
    said,
)

ANSWERS: Mapping[Kind, tuple[str, ...]] = {
    "sft": ("completion",),
    "kto": ("completion",),
    "pref": ("chosen", "rejected"),
    "rl-prompts": (),
}
MORE: Mapping[Kind, tuple[str, ...]] = {"kto": ("label",), "rl-prompts": (*REWARDED, *CURRICULUM)}


class Trl:
    name = "trl"
    kinds: tuple[Kind, ...] = ("sft", "pref", "kto", "rl-prompts")
    about = "Hugging Face TRL 1.16: SFT, DPO, KTO, GRPO"

    def carries(self, kind: Kind) -> tuple[Reasoning, ...]:
        return ("none",) if kind == "rl-prompts" else ("think-tag", "none", "field")

    def row(self, example: Example, reasoning: Reasoning) -> dict[str, Any]:
        row: dict[str, Any] = {"prompt": asked(example)}
        if example.kind == "pref":
            row["chosen"] = [said(kept(example), reasoning)]
            row["rejected"] = [said(beaten(example), reasoning)]
        elif example.kind == "rl-prompts":
            row |= example.extra
        else:
            row["completion"] = [said(kept(example), reasoning)]
        if example.kind == "kto":
            row["label"] = example.label
        return row

    def check(self, row: Mapping[str, Any], kind: Kind) -> None:
        must_have_only(row, ("prompt", *ANSWERS[kind], *MORE.get(kind, ())))
        must_be_messages(row["prompt"], "user", thoughts=THOUGHTS)
        for name in ANSWERS[kind]:
            must_be_one_answer(row[name], name, THOUGHTS)
        if kind == "pref":
            must_differ(row["chosen"], row["rejected"])
        elif kind == "kto":
            must_be_label(row["label"])
        elif kind == "rl-prompts":
            must_be_rewarded(row)

    def check_file(self, tally: Tally, kind: Kind, split: Split) -> None:
        if kind == "kto" and split == "train":
            must_have_both_labels(tally, "the training file")

    def extras(self, kind: Kind, files: Sequence[str]) -> Mapping[str, str]:
        return {"reward.py": reward_module()} if kind == "rl-prompts" else {}


TARGET = Trl()
