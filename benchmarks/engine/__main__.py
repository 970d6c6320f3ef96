"""`python -m benchmarks.engine [--rows TEXT] [--rounds R] [--seconds S] [--cpu N] [--write]`: measure, print, keep."""

from __future__ import annotations

import argparse

from benchmarks.engine.compare import table
from benchmarks.page import RESULTS, keep


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engine", description="The engine against others of its kind."
    )
    parser.add_argument("--rows", default="", metavar="TEXT", help="only rows whose label contains this")
    parser.add_argument("--seconds", type=float, default=0.3, help="CPU seconds per measure and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu", type=int, default=0, help="the CPU to stay on")
    parser.add_argument("--write", action="store_true", help=f"also keep the tables in {RESULTS.name}")
    asked = parser.parse_args()
    if asked.rows and asked.write:
        parser.error("--write keeps whole tables, so it does not go with --rows")
    text = table(asked.seconds, asked.rounds, asked.cpu, asked.rows)
    print(text)
    if asked.write:
        keep("engine", text)


if __name__ == "__main__":
    main()
