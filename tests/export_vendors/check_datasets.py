"""Hugging Face `datasets` loads every file as it is, with the rows that the manifest tells, and as Parquet again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from datasets import load_dataset


def test_every_file_loads_with_its_rows(export: Path, tmp_path: Path) -> None:
    told = {
        each["name"]: each["rows"] for each in json.loads((export / "manifest.json").read_text())["files"]
    }
    names = {split: f"{split}.jsonl" for split in ("train", "validation", "test") if f"{split}.jsonl" in told}
    assert "train" in names
    paths = {split: str(export / name) for split, name in names.items()}
    loaded = load_dataset("json", data_files=paths, cache_dir=str(tmp_path))
    assert {split: part.num_rows for split, part in loaded.items()} == {
        split: told[name] for split, name in names.items()
    }
    again = tmp_path / "train.parquet"
    loaded["train"].to_parquet(again)
    parquet = load_dataset("parquet", data_files=str(again), split="train", cache_dir=str(tmp_path))
    assert parquet.to_list() == loaded["train"].to_list()
    assert parquet.features == loaded["train"].features


@pytest.mark.parametrize("name", ["trl-sft", "trl-pref", "trl-kto", "trl-rl-prompts", "llamafactory-sft"])
def test_no_column_is_of_mixed_types(name: str, files: Path, tmp_path: Path) -> None:
    """Of what is read by way of datasets: 5.2 makes such columns Json without a word, and older versions fail."""
    path = str(files / name / "train.jsonl")
    loaded = load_dataset("json", data_files=path, split="train", cache_dir=str(tmp_path))
    assert "Json" not in str(loaded.features)


def test_tables_load(export: Path, tmp_path: Path) -> None:
    tables = sorted(export.rglob("*.parquet"))
    if not tables:
        pytest.skip("this export has none")
    for path in tables:
        assert load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path)).num_rows
