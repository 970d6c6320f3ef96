"""What the tests ran on is said at the top of every run: the compiled engine or the pure one.

Whatever a test is about: the money on every record that it closes must add up, and the signals that a command
listens to or ignores are Python's own again for the next one.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

import engine
from orchestrator.record.check import check_money
from orchestrator.record.database import RecordError
from orchestrator.record.store import Record
from tests.aimock import aimock  # noqa: F401 - a fixture


def pytest_report_header() -> str:
    return f"duelist engine: {'compiled' if engine.is_compiled() else 'pure Python'}"


def pytest_configure() -> None:
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # run in the background; what tests start would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    stale = engine.stale()
    if engine.is_compiled() and stale:
        pytest.exit(f"the compiled engine is older than its source ({', '.join(stale)}): run `make setup`", 2)


@pytest.fixture(autouse=True)
def _money_adds_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Checked when a record is closed, before a test tampers with it; told when the test is over."""
    wrong: list[str] = []
    close = Record.close

    def closed(record: Record) -> None:
        close(record)
        try:
            wrong.extend(check_money(record.directory))
        except RecordError:
            return  # no run in it, or a test has damaged it

    monkeypatch.setattr(Record, "close", closed)
    yield
    assert not wrong, f"the money on a record that this test closed does not add up: {wrong}"


@pytest.fixture(autouse=True)
def _signals_as_they_were() -> Iterator[None]:
    """A process started later would inherit an ignored one."""
    before = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    for number, handler in before:
        signal.signal(number, handler)
