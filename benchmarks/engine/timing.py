"""How every side measures: work per CPU second of its process, one JSON line per measure.

A side offers `Measures` and calls `main`, which runs those that its arguments name. Only the standard library
is used, because this file is imported in the environment of every peer. A measure that fails says why and the
next one runs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from time import process_time
from typing import NamedTuple


class Measure(NamedTuple):
    """A portion of work, which returns how many units it did, and the size of what it handles."""

    work: Callable[[], int]
    size: str = ""


Measures = Mapping[str, Callable[[], Measure]]


def rate(work: Callable[[], int], seconds: float) -> float:
    """Units per CPU second (all threads of this process), after one portion to warm up."""
    work()
    done = 0
    began = process_time()
    while (spent := process_time() - began) < seconds:
        done += work()
    return done / spent


def repeated(call: Callable[[], object], times: int = 1000) -> Callable[[], int]:
    """A portion of so many calls; the loop around costs each about 10 ns more."""

    def work() -> int:
        for _ in range(times):
            call()
        return times

    return work


def versions(*libraries: str) -> str:
    """Of Python and these packages, in words."""
    return ", ".join([f"Python {sys.version.split()[0]}", *(f"{name} {version(name)}" for name in libraries)])


def main(measures: Measures, libraries: tuple[str, ...]) -> None:
    """`python -m SIDE SECONDS [NAME ...]`: tell the versions of `libraries`, then every named measure."""
    tell("versions", {"Python": sys.version.split()[0]} | {name: version(name) for name in libraries})
    seconds = float(sys.argv[1])
    for name in sys.argv[2:]:
        try:
            measure = measures[name]()
            value = rate(measure.work, seconds)
            if not value:
                raise ValueError("it did no work")
        except Exception as error:  # a side may fail in any way; the table says how
            tell("failed", name, f"{type(error).__name__}: {error}".partition("\n")[0])
        else:
            tell("measured", name, value, measure.size)


def tell(kind: str, *what: object) -> None:
    """One line to whoever runs the sides."""
    print(json.dumps([kind, *what]), flush=True)
