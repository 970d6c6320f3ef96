"""`python -m benchmarks.engine [--seconds S] [--rounds R] [--cpu N] [--write]`: measure, print, keep."""

from __future__ import annotations

import argparse

from benchmarks.engine.compare import table
from benchmarks.page import RESULTS, keep


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engine", description="The engine against OpenSpiel."
    )
    parser.add_argument("--seconds", type=float, default=0.3, help="CPU seconds per measure and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu", type=int, default=0, help="the CPU to stay on")
    parser.add_argument("--write", action="store_true", help=f"also keep the table in {RESULTS.name}")
    asked = parser.parse_args()
    text = table(asked.seconds, asked.rounds, asked.cpu)
    print(text)
    if asked.write:
        keep("engine", text)


if __name__ == "__main__":
    main()
