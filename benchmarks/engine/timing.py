"""How both sides measure: work per CPU second of one process on one CPU, one JSON line per measure."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from time import process_time


def pin(cpu: int) -> None:
    """Stay on one CPU, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cpu})


def rate(work: Callable[[], int], seconds: float) -> float:
    """Units per CPU second, `work` being one portion that returns how many units it did."""
    work()
    done = 0
    began = process_time()
    while (spent := process_time() - began) < seconds:
        done += work()
    return done / spent


def tell(measures: Iterator[tuple[str, float]]) -> None:
    """Print each measure as soon as it is there."""
    for name, value in measures:
        print(json.dumps([name, value]), flush=True)
