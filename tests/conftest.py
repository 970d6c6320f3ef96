"""What the tests ran on is said at the top of every run: the compiled engine or the pure one."""

from __future__ import annotations

import pytest

import engine
from tests.aimock import aimock  # noqa: F401 - a fixture


def pytest_report_header() -> str:
    return f"duelist engine: {'compiled' if engine.is_compiled() else 'pure Python'}"


def pytest_configure() -> None:
    stale = engine.stale()
    if engine.is_compiled() and stale:
        pytest.exit(f"the compiled engine is older than its source ({', '.join(stale)}): run `make setup`", 2)
