"""Train the proof's model on an export, from nothing, on one thread: `train.py EXPORT --to MODEL.pt`.

Reads train.jsonl and test.jsonl of `orchestrator export sft --target trl --split position`. What it prints last, as
one line of JSON, is how many answers about the test rows' positions, of which training saw no symmetric one, are
legal moves. Loss is on the completion alone.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from itertools import groupby
from pathlib import Path

import torch
from model import END, Model, encode, parameters
from template import conversation
from torch import Tensor
from torch.nn.functional import cross_entropy

BATCH, EPOCHS, RATE, WARM = 64, 30, 2e-3, 50
IGNORED = -100  # a target that counts for nothing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("export", type=Path)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    asked = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model, rows = Model(), read(asked.export / "train.jsonl")
    began = time.process_time()
    train(model, rows, asked.epochs)
    seconds = time.process_time() - began
    torch.save(model.state_dict(), asked.to)
    legal, of = legality(model.eval(), {prompt for prompt, _ in read(asked.export / "test.jsonl")})
    told = {
        "rows": len(rows),
        "epochs": asked.epochs,
        "parameters": parameters(model),
        "cpu_s": round(seconds, 1),
    }
    print(json.dumps({**told, "held_out_positions": of, "held_out_legal": legal / of}))


def read(path: Path) -> list[tuple[str, str]]:
    """A file's rows as (prompt, completion)."""
    return [conversation(json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def train(model: Model, rows: list[tuple[str, str]], epochs: int) -> None:
    inputs, targets = tensors(rows)
    steps = epochs * -(-len(rows) // BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps, pct_start=WARM / steps)
    for epoch in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(rows)).split(BATCH):
            logits = model(inputs[chosen])
            loss = cross_entropy(logits.flatten(0, 1), targets[chosen].flatten(), ignore_index=IGNORED)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item() * len(chosen)
        print(f"epoch {epoch + 1} of {epochs}: loss {total / len(rows):.4f}", file=sys.stderr)


def tensors(rows: list[tuple[str, str]]) -> tuple[Tensor, Tensor]:
    """Inputs and what is to follow each of their tokens, `IGNORED` up to the answer and after its end."""
    longest = max(len(prompt) + len(completion) for prompt, completion in rows)
    inputs = torch.full((len(rows), longest), END)
    targets = torch.full((len(rows), longest), IGNORED)
    for row, (prompt, completion) in enumerate(rows):
        whole = [*encode(prompt), *encode(completion), END]
        inputs[row, : len(whole) - 1] = torch.tensor(whole[:-1])
        targets[row, len(prompt) - 1 : len(whole) - 1] = torch.tensor(whole[len(prompt) :])
    return inputs, targets


def legality(model: Model, prompts: set[str]) -> tuple[int, int]:
    """Of how many of these the answer is a legal move, and how many they are."""
    legal = 0
    for _, group in groupby(sorted(prompts, key=len), key=len):
        asked = list(group)
        for prompt, answer in zip(asked, model.answer(asked), strict=True):
            named = re.search(r'\{"action": (\d)\}$', answer)
            legal += named is not None and named[1] in prompt.split()[2]
    return legal, len(prompts)


if __name__ == "__main__":
    main()
