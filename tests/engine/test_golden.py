"""Every game plays its golden match as it is written down."""

from __future__ import annotations

import pytest

import engine
from tests.engine.golden import FOLDER, playthrough

NAMES = [name for name in engine.games() if name in engine.registry.OWN_GAMES]


@pytest.mark.parametrize("name", NAMES)
def test_golden(name: str) -> None:
    assert playthrough(name) == (FOLDER / f"{name}.txt").read_text()


def test_no_file_without_a_game() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == NAMES
