"""Arrays load without pickles, Parquet and Minari hold the same, and a policy is a policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import minari
import numpy as np
import pytest
from datasets import load_dataset


@pytest.fixture
def arrays(files: Path) -> dict[str, Any]:
    (path,) = (files / "rl-arrays").glob("*.npz")
    with np.load(path, allow_pickle=False) as packed:
        return {name: packed[name] for name in packed.files}


def test_numpy_loads_them(arrays: dict[str, Any]) -> None:
    rows = len(arrays["action"])
    assert rows > 100 and json.loads(str(arrays["meta"]))["game"] == "tictactoe"
    assert all(array.dtype != object for array in arrays.values())
    assert all(len(array) == rows for name, array in arrays.items() if name != "meta")
    assert arrays["mask"][np.arange(rows), arrays["action"]].all()
    assert np.allclose(arrays["policy"].sum(axis=1), 1) and not arrays["policy"][~arrays["mask"]].any()
    ends = arrays["terminated"] | arrays["truncated"]
    assert ends.sum() == len(np.unique(arrays["episode"]))


def test_parquet_holds_the_same(files: Path, arrays: dict[str, Any], tmp_path: Path) -> None:
    (path,) = (files / "rl-arrays").glob("*.parquet")
    twin = load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path))
    for name, array in arrays.items():
        if name != "meta":
            assert np.array_equal(
                np.array(twin[name][:], array.dtype), array, equal_nan=array.dtype.kind == "f"
            )


def test_minari_plays_the_same_episodes(
    files: Path, arrays: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = files / "rl-arrays" / "minari"
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(folder))
    (name,) = (path.name for path in (folder / "duelist").iterdir() if path.is_dir())
    episodes = list(minari.load_dataset(f"duelist/{name}").iterate_episodes())
    assert len(episodes) == len(np.unique(arrays["episode"]))
    assert np.concatenate([episode.actions for episode in episodes]).tolist() == arrays["action"].tolist()
    assert np.allclose(np.concatenate([episode.rewards for episode in episodes]), arrays["reward"])
    assert all(len(episode.observations) == len(episode.actions) + 1 for episode in episodes)
