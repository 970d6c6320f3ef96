"""LLaMA-Factory: messages with a `dataset_info.json` that says what they are; thoughts in <think> before the answer.

It passes over bad rows with a warning, cuts long ones at `cutoff_len` and never fails: either is refused here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.export.example import Example, Kind, Reasoning, Split, Tally
from orchestrator.export.shapes import (
    asked,
    beaten,
    kept,
    must_be_answer,
    must_be_label,
    must_be_messages,
    must_differ,
    must_fit,
    must_have_both_labels,
    must_have_only,
    said,
)

LENGTH = 8192
MORE: Mapping[Kind, tuple[str, ...]] = {"pref": ("chosen", "rejected"), "kto": ("label",)}
COLUMNS = {"pref": {"chosen": "chosen", "rejected": "rejected"}, "kto": {"kto_tag": "label"}}
STAGES = {"sft": "sft", "pref": "dpo", "kto": "kto"}
TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}
CONFIG = """\
# llamafactory-cli train llamafactory.yaml; set model_name_or_path and template to yours
model_name_or_path: BASE_MODEL
template: TEMPLATE
stage: {stage}
do_train: true
finetuning_type: lora
dataset_dir: .
dataset: duelist_train
{test}cutoff_len: {length}
per_device_train_batch_size: 4
num_train_epochs: 1.0
learning_rate: 2.0e-5
output_dir: ./out
"""


class LlamaFactory:
    name = "llamafactory"
    kinds: tuple[Kind, ...] = ("sft", "pref", "kto")
    about = "LLaMA-Factory: messages with a dataset_info.json and a configuration"

    def carries(self, kind: Kind) -> tuple[Reasoning, ...]:
        return ("think-tag", "none")

    def row(self, example: Example, reasoning: Reasoning) -> dict[str, Any]:
        if example.kind == "pref":
            return {
                "messages": asked(example),
                "chosen": said(kept(example), reasoning),
                "rejected": said(beaten(example), reasoning),
            }
        row: dict[str, Any] = {"messages": [*asked(example), said(kept(example), reasoning)]}
        return row | {"label": example.label} if example.kind == "kto" else row

    def check(self, row: Mapping[str, Any], kind: Kind) -> None:
        must_have_only(row, ("messages", *MORE.get(kind, ())))
        must_be_messages(row["messages"], "user" if kind == "pref" else "assistant")
        if kind == "pref":
            must_be_answer(row["chosen"], "chosen")
            must_be_answer(row["rejected"], "rejected")
            must_differ(row["chosen"], row["rejected"])
        elif kind == "kto":
            must_be_label(row["label"])
        must_fit(row, LENGTH, "the configuration's cutoff_len is")

    def check_file(self, tally: Tally, kind: Kind, split: Split) -> None:
        if kind == "kto" and split == "train":
            must_have_both_labels(tally, "the training file")

    def extras(self, kind: Kind, files: Sequence[str]) -> Mapping[str, str]:
        columns = {"messages": "messages", **COLUMNS.get(kind, {})}
        entry: dict[str, Any] = {"formatting": "sharegpt", "columns": columns, "tags": TAGS}
        if kind == "pref":
            entry["ranking"] = True
        parts = [name for name in files if name in ("train.jsonl", "validation.jsonl", "test.jsonl")]
        info = {f"duelist_{name.partition('.')[0]}": {"file_name": name, **entry} for name in parts}
        test = "eval_dataset: duelist_validation\n" if "validation.jsonl" in files else ""
        return {
            "dataset_info.json": json.dumps(info, indent=2) + "\n",
            "llamafactory.yaml": CONFIG.format(stage=STAGES[kind], test=test, length=LENGTH),
        }


TARGET = LlamaFactory()
