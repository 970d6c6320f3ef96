"""TRL takes a real optimiser step on each of our kinds: a tiny random GPT-2 and a byte tokenizer, made in memory."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
import trl
from datasets import Dataset, load_dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

torch.set_num_threads(1)
LENGTH = 4096
TEMPLATE = (
    "{% for m in messages %}{% if m.role == 'assistant' %}<a>{% generation %}{{ m.content }}<eos>{% endgeneration %}"
    "{% else %}<{{ m.role[0] }}>{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}<a>{% endif %}"
)


@pytest.fixture
def tokenizer() -> Any:
    """A token per byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(["<pad>", "<eos>", *alphabet])}
    bytes_ = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=bytes_, pad_token="<pad>", eos_token="<eos>", padding_side="left"
    )
    made.chat_template = TEMPLATE
    return made


def model() -> Any:
    torch.manual_seed(1)
    shape = {"n_positions": LENGTH, "n_embd": 16, "n_layer": 1, "n_head": 1}
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=258, **shape, bos_token_id=1, eos_token_id=1, pad_token_id=0)
    )


def config(make: Any, folder: Path, **more: Any) -> Any:
    return make(
        output_dir=str(folder),
        per_device_train_batch_size=2,
        max_steps=1,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
        gradient_checkpointing=False,
        logging_steps=1,
        learning_rate=0.1,
        **more,
    )


def loaded(files: Path, name: str, cache: Path, rows: int = 8) -> Dataset:
    data = load_dataset(
        "json", data_files=str(files / name / "train.jsonl"), split="train", cache_dir=str(cache)
    )
    return data.select(range(min(rows, len(data))))


def steps(trainer: Any) -> None:
    """One step, which moves the weights and has a finite loss."""
    before = [each.detach().clone() for each in trainer.model.parameters()]
    done = trainer.train()
    assert done.global_step == 1 and torch.isfinite(torch.tensor(done.training_loss))
    assert any(not torch.equal(old, new) for old, new in zip(before, trainer.model.parameters(), strict=True))


def test_sft_takes_the_loss_on_the_answer_alone(files: Path, tokenizer: Any, tmp_path: Path) -> None:
    data = loaded(files, "trl-sft", tmp_path)
    trainer = trl.SFTTrainer(
        model=model(),
        args=config(trl.SFTConfig, tmp_path, max_length=LENGTH),
        train_dataset=data,
        processing_class=tokenizer,
    )
    batch = next(iter(trainer.get_train_dataloader()))
    learnt = {tokenizer.decode([t for t in labels.tolist() if t >= 0]) for labels in batch["labels"]}
    assert learnt <= {each["completion"][0]["content"] + "<eos>" for each in data}
    assert len(learnt) > 0 and "" not in learnt
    steps(trainer)


def test_thoughts_in_a_field_are_learnt_by_templates_that_know_it(
    files: Path, tokenizer: Any, tmp_path: Path
) -> None:
    """And dropped without a word by the others: why <think> in the text is the default."""
    data = loaded(files, "trl-sft-field", tmp_path)
    thoughts = [each["completion"][0].get("reasoning_content") for each in data]
    assert any(thoughts)
    knows = TEMPLATE.replace("{{ m.content }}<eos>", "{{ m.reasoning_content }}{{ m.content }}<eos>")
    for template, learns in ((knows, True), (TEMPLATE, False)):
        tokenizer.chat_template = template
        trainer = trl.SFTTrainer(
            model=model(),
            args=config(trl.SFTConfig, tmp_path, max_length=LENGTH),
            train_dataset=data,
            processing_class=tokenizer,
        )
        told = "".join(tokenizer.decode(each["input_ids"]) for each in trainer.train_dataset)
        assert all(each in told for each in thoughts if each) == learns
    steps(trainer)


@pytest.mark.parametrize("name", ["trl-pref", "trl-format-pref"])
def test_dpo(name: str, files: Path, tokenizer: Any, tmp_path: Path) -> None:
    steps(
        trl.DPOTrainer(
            model=model(),
            ref_model=model(),
            args=config(trl.DPOConfig, tmp_path, max_length=LENGTH),
            train_dataset=loaded(files, name, tmp_path),
            processing_class=tokenizer,
        )
    )


def test_kto(files: Path, tokenizer: Any, tmp_path: Path) -> None:
    data = loaded(files, "trl-kto", tmp_path, rows=10_000)
    both = [data["label"].index(label) for label in (True, False)]
    steps(
        trl.KTOTrainer(
            model=model(),
            ref_model=model(),
            args=config(trl.KTOConfig, tmp_path, max_length=LENGTH),
            train_dataset=data.select(4 * both),
            processing_class=tokenizer,
        )
    )


def test_grpo_pays_by_the_reward_that_goes_with_the_data(files: Path, tokenizer: Any, tmp_path: Path) -> None:
    data = loaded(files, "trl-rl-prompts", tmp_path)
    shipped = runpy.run_path(str(files / "trl-rl-prompts" / "reward.py"))["reward"]
    paid: list[float] = []
    seen: set[str] = set()

    def reward(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
        seen.update(columns)
        paid.extend(shipped(prompts=prompts, completions=completions, **columns))
        return [value + 0.01 * at for at, value in enumerate(paid[-len(completions) :])]  # else no gradient

    trainer = trl.GRPOTrainer(
        model=model(),
        reward_funcs=reward,
        args=config(trl.GRPOConfig, tmp_path, num_generations=2, max_completion_length=8),
        train_dataset=data,
        processing_class=tokenizer,
    )
    steps(trainer)
    assert paid and set(paid) <= {0.0}  # noise is no move
    assert {"legal", "notation", "move_values", "track", "pass_rate"} <= seen


def test_the_reward_pays_the_best_move_of_every_row(files: Path, tmp_path: Path) -> None:
    data = loaded(files, "trl-rl-prompts", tmp_path, rows=10_000)
    reward = runpy.run_path(str(files / "trl-rl-prompts" / "reward.py"))["reward"]
    columns = {name: data[name][:] for name in data.column_names if name != "prompt"}
    for pick, expected in ((max, {1.0}), (min, {0.0, 1.0})):
        answers = []
        for legal, told in zip(columns["legal"], columns["move_values"], strict=True):
            values = json.loads(told) or dict.fromkeys(legal, 0)
            move = pick(values, key=lambda name: values[name])
            answers.append([{"role": "assistant", "content": json.dumps({"action": int(move)})}])
        assert set(reward(prompts=data["prompt"][:], completions=answers, **columns)) == expected
