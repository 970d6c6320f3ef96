"""Where the exports are: `pytest --files=DIR`, which `tests.export_vendors.export` has written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

os.environ.update(
    HF_HUB_OFFLINE="1",
    HF_DATASETS_OFFLINE="1",
    HF_DATASETS_DISABLE_PROGRESS_BARS="1",
    TOKENIZERS_PARALLELISM="false",
    TRL_EXPERIMENTAL_SILENCE="1",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--files", type=Path, required=False, help="the folder of the exports")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`export` is each of the folders."""
    if "export" in metafunc.fixturenames:
        folders = sorted(path.parent for path in metafunc.config.getoption("--files").glob("*/train.jsonl"))
        metafunc.parametrize("export", folders, ids=lambda path: path.name)


@pytest.fixture(scope="session")
def files(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.config.getoption("--files")
    assert folder and folder.is_dir(), "say --files=DIR, written by tests.export_vendors.export"
    return folder


@pytest.fixture(scope="session")
def rows(files: Path) -> Callable[[str], list[dict[str, Any]]]:
    """The rows of training of an export by its name: trl-sft."""

    def read(name: str) -> list[dict[str, Any]]:
        with (files / name / "train.jsonl").open(encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    return read
