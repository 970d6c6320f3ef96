"""Axolotl: `chat_template` rows, and a configuration that trains on the files; ShareGPT rows are deprecated there.

Of a pair, `chosen` and `rejected` are single messages, not lists (chat_template.default). Rows that are longer than
`sequence_len` are dropped there without an error: what cannot fit is refused here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.export.example import Example, Kind, Reasoning, Split, Tally
from orchestrator.export.shapes import (
    THOUGHTS,
    asked,
    beaten,
    kept,
    must_be_answer,
    must_be_messages,
    must_differ,
    must_fit,
    must_have_only,
    said,
)

LENGTH = 8192
CONFIG = """\
# axolotl train axolotl.yaml; set base_model to yours
base_model: BASE_MODEL
{rl}datasets:
  - path: train.jsonl
    ds_type: json
    type: {type}
{fields}
val_set_size: 0.0
{test}sequence_len: {length}
micro_batch_size: 4
num_epochs: 1
learning_rate: 0.00002
output_dir: ./out
"""


class Axolotl:
    name = "axolotl"
    kinds: tuple[Kind, ...] = ("sft", "pref")
    about = "Axolotl: chat_template rows, with a configuration"

    def carries(self, kind: Kind) -> tuple[Reasoning, ...]:
        return ("field", "think-tag", "none") if kind == "sft" else ("think-tag", "none")

    def row(self, example: Example, reasoning: Reasoning) -> dict[str, Any]:
        if example.kind == "pref":
            return {
                "messages": asked(example),
                "chosen": said(kept(example), reasoning),
                "rejected": said(beaten(example), reasoning),
            }
        return {"messages": [*asked(example), said(kept(example), reasoning)]}

    def check(self, row: Mapping[str, Any], kind: Kind) -> None:
        if kind == "sft":
            must_have_only(row, ("messages",))
            must_be_messages(row["messages"], "assistant", thoughts=THOUGHTS)
        else:
            must_have_only(row, ("messages", "chosen", "rejected"))
            must_be_messages(row["messages"], "user")
            must_be_answer(row["chosen"], "chosen")
            must_be_answer(row["rejected"], "rejected")
            must_differ(row["chosen"], row["rejected"])
        must_fit(row, LENGTH, "the configuration's sequence_len is")

    def check_file(self, tally: Tally, kind: Kind, split: Split) -> None: ...

    def extras(self, kind: Kind, files: Sequence[str]) -> Mapping[str, str]:
        pref = kind == "pref"
        fields = "    field_messages: messages"
        if pref:
            fields += "\n    field_chosen: chosen\n    field_rejected: rejected"
        test = "test_datasets:\n  - path: validation.jsonl\n    ds_type: json\n    split: train\n"
        test += f"    type: {'chat_template.default' if pref else 'chat_template'}\n{fields}\n"
        told = CONFIG.format(
            rl="rl: dpo\n" if pref else "",
            type="chat_template.default" if pref else "chat_template",
            fields=fields,
            test=test if "validation.jsonl" in files else "",
            length=LENGTH,
        )
        return {"axolotl.yaml": told}


TARGET = Axolotl()
