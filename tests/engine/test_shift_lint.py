"""The engine holds nothing that mypyc 2.4 is known to miscompile, and the lint sees each form of it."""

from __future__ import annotations

from pathlib import Path

import pytest

import engine
from tests.engine.shift_lint import engine_sources, findings

WRONG = [  # each of these gives 256, -256 or -512 for k = 40 when compiled
    "def f(k): return 1 << k",
    "def f(k): return -1 << k",
    "def f(k): return i64(1) << k",
    "def f(k): return i64(int(1)) << k",
    "def f(k): return (3 - 2) << k",
    "ONE: Final[i64] = 1\ndef f(k): return ONE << k",
    "ONE: Final[i64] = 1\ndef f(k): return (ONE + 0) << k",
    "ONE: Final[i64] = 1\ndef f(k): return ~ONE << k",
    "ONE: Final[i64] = 1\ndef f(k): return i64(ONE) << k",
    "ONE: Final = 1\ndef f(k):\n    one: i64 = ONE\n    return one << k",
    "class K:\n    ONE: Final[i64] = 1\n    def f(self, k): return self.ONE << k",
    "def f(k):\n    one: i64 = 1\n    return one << k",
    "def f(k):\n    one: i64\n    one = 1\n    return one << k",
    "def f(k):\n    one = two = i64(1)\n    return two << k",
    "def f(k):\n    one, two = i64(1), i64(2)\n    return two << k",
    "def f(k):\n    one: i64 = 1\n    two = one\n    return two << k",
    "def f(k): return (one := i64(1)) << k",
    "def f(k): return [1 << i for i in k]",
]
RIGHT = [
    "def f(k):\n    one: i64 = k ^ k\n    one += 1\n    return one << k",
    "def f(k, one=1): return one << k",
    "def f(k):\n    one = 1\n    if k < 3:\n        one = 2\n    return one << k",
    "def f(k, x): return (x & 1) << k",
    "LIMIT: Final = 1 << 20",
    "def f(k): return (1 >> k) + 0x7FFFFFFFFFFFFFFF",
]


@pytest.mark.parametrize("source", WRONG)
def test_each_wrong_form_is_found(source: str) -> None:
    assert len(findings({"x.py": source})) == 1


@pytest.mark.parametrize("source", RIGHT)
def test_right_forms_pass(source: str) -> None:
    assert findings({"x.py": source}) == []


def test_finals_of_other_modules_count() -> None:
    texts = {"a.py": "ONE: Final[i64] = 1", "b.py": "from a import ONE\ndef f(k): return ONE << k"}
    assert findings(texts) == ["b.py:2: constant << variable: ONE << k"]


def test_integers_beyond_i64_are_found() -> None:
    assert findings({"x.py": "MASK: Final[i64] = 0x8000000000000000"}) == [
        "x.py:1: larger than 2**63 - 1: 9223372036854775808"
    ]


def test_the_engine_is_clean() -> None:
    sources = engine_sources(Path(engine.__file__).parent)
    assert len(sources) > 10
    assert findings(sources) == []
