"""Values of a report in writing, by their unit: the same words in a terminal, in Markdown and on a page.

A column is written as a whole, so that its values have equally many decimals and can be compared at a glance.
What is not nothing never reads as nothing, and what is not all never as all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from orchestrator.cli import text
from orchestrator.report.section import Estimated, Unit, Value

FULL_COUNT = 100_000  # from here on a count is written short, as 272k


class Written(NamedTuple):
    """A value and its interval in words; '' where there is none."""

    value: str
    interval: str = ""

    def __str__(self) -> str:
        return f"{self.value} {self.interval}" if self.interval else self.value


def column(values: Sequence[Value], unit: Unit) -> list[Written]:
    """The values of a column, all alike."""
    write = _writer(unit, _numbers(values))
    return [_written(value, write) for value in values]


def one(value: Value, unit: Unit) -> Written:
    """A value that stands alone."""
    return column([value], unit)[0]


def tick(number: float, unit: Unit) -> str:
    """A round number beside an axis."""
    if unit == "share":
        return f"{round(100 * number, 6):g} %"
    if unit in ("elo", "signed"):
        return f"{round(number, 6):+g}" if number else "0"
    if unit == "seconds":
        return text.duration(number)
    if unit == "usd":
        return f"${number:,.10f}".rstrip("0").rstrip(".") if number < 1 else f"${number:,.15g}"
    if abs(number) >= FULL_COUNT:
        return text.count(round(number))
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{round(number, 6):g}"


def _numbers(values: Iterable[Value]) -> list[float]:
    """All that are finite: values and bounds."""
    found: list[float] = []
    for value in values:
        parts = value if isinstance(value, Estimated) else (value,)
        found += [part for part in parts if isinstance(part, int | float) and math.isfinite(part)]
    return found


def _written(value: Value, write: Callable[[float], str]) -> Written:
    if value is None:
        return Written(text.NOTHING)
    if isinstance(value, str):
        return Written(text.one_line(value))
    if not isinstance(value, Estimated):
        return Written(write(value))
    if value.low == value.high and value.low in (None, value.value):
        return Written(write(value.value))
    low, high = (text.NOTHING if bound is None else write(bound) for bound in (value.low, value.high))
    return Written(write(value.value), f"[{low.removesuffix(' %')}, {high.removesuffix(' %')}]")


def _writer(unit: Unit, numbers: Sequence[float]) -> Callable[[float], str]:
    """How one number of a column is written, of which these are all."""
    if unit == "usd":
        return _either_way(text.dollars)
    if unit == "seconds":
        return _either_way(text.duration)
    if unit == "elo":
        return lambda number: text.signed(number) if round(number) else "0"
    if unit == "count":
        return _count
    if unit == "share":
        return _share
    return _decimals(numbers, "+" if unit == "signed" else "")


def _either_way(write: Callable[[float], str]) -> Callable[[float], str]:
    """Also of a difference, which may be below nothing."""

    def signed(number: float) -> str:
        told = write(abs(number))
        return told if number >= 0 else f">-{told[1:]}" if told.startswith("<") else f"-{told}"

    return signed


def _count(number: float) -> str:
    if number != round(number):
        return f"{number:,.1f}"
    return f"{round(number):,}" if abs(number) < FULL_COUNT else text.count(round(number))


def _share(number: float) -> str:
    return text.percent(number, 1) if 0 <= number <= 1 else f"{100 * number:.1f} %"


def _decimals(numbers: Sequence[float], sign: str) -> Callable[[float], str]:
    """Three digits of the largest, none behind the point where all are whole."""
    largest = max(map(abs, numbers), default=0.0)
    whole = all(number == round(number) for number in numbers)
    places = 0 if whole or largest >= 100 else 1 if largest >= 10 else 2 if largest >= 1 else 3
    least: float = 10**-places

    def write(number: float) -> str:
        if 0 < abs(number) < least / 2:
            return f"{'<' if number > 0 else '>-'}{least:.{places}f}"
        told = f"{number:{sign},.{places}f}"
        return told.lstrip("+-") if not number else told

    return write
