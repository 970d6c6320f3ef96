"""Every extra that somebody is told to install exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("engine", "prompts", "providers", "rl", "orchestrator")


def test_every_extra_that_is_named_can_be_installed() -> None:
    told = [ROOT / "README.md", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
    named = {name for path in told for name in re.findall(r"duelist\[(\w+)\]", path.read_text("utf-8"))}
    about = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert named == set(about["project"]["optional-dependencies"])
