"""The compiled engine and its sources as plain Python play identical games."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import pytest

import engine

ROOT = Path(engine.__file__).parents[1]


def run(choice: str, *command: str) -> str:
    environment = {**os.environ, "DUELIST_ENGINE": choice, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def digest(choice: str) -> tuple[dict[str, Any], dict[str, str]]:
    about, digests = run(choice, "-m", "tests.engine.digest").splitlines()
    return json.loads(about), json.loads(digests)


def test_compiled_and_pure_play_identical_games() -> None:
    about, compiled = digest("")
    if not about["compiled"]:
        pytest.skip("this installation is pure Python: no compiled engine lies beside the sources")
    assert not about["stale"], f"compiled from older sources: {about['stale']}; build again"
    pure_about, pure = digest("pure")
    assert not pure_about["compiled"]
    assert [name for name in pure if pure[name] != compiled[name]] == []
    assert len(pure) == 7 + 4 * len(engine.games())


def test_every_module_of_the_engine_is_compiled_or_none_is() -> None:
    code = (
        "import engine, importlib, pkgutil, sys; "
        "[importlib.import_module(m.name) for m in pkgutil.walk_packages(engine.__path__, 'engine.')]; "
        "[print(n, m.__file__) for n, m in sys.modules.items() if n.split('.')[0] == 'engine']"
    )
    files = [line.split(" ", 1) for line in run("", "-c", code).splitlines()]
    packages = [name for name, file in files if file.endswith("__init__.py")]
    rooms = ["bots", "bridges", "games", "search", "solvers"]
    assert sorted(packages) == ["engine", *(f"engine.{room}" for room in rooms)]
    kinds = {Path(file).suffix for name, file in files if name not in packages}
    assert len(files) > 30 and len(kinds) == 1
    pure = [line.split(" ", 1) for line in run("pure", "-c", code).splitlines()]
    assert {Path(file).suffix for _, file in pure} == {".py"}


def test_stale_names_what_is_older_than_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "HERE", tmp_path)
    (tmp_path / "games").mkdir()
    for name, built, source in (
        ("core", 100, 200),
        ("rng", 200, 100),
        ("games/go", 100, 200),
        ("new", 200, 201),
    ):
        for path, time in ((f"{name}{EXTENSION_SUFFIXES[0]}", built), (f"{name}.py", source)):
            (tmp_path / path).touch()
            os.utime(tmp_path / path, (time, time))
    (tmp_path / "plain.py").touch()
    assert engine.stale() == ["engine.core", "engine.games.go"]
