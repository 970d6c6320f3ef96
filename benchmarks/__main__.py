"""`python -m benchmarks [--write]`: everything with a goal, measured on this machine; `--write` keeps it."""

from __future__ import annotations

import argparse

from benchmarks import (
    ablations,
    command,
    estimates,
    exports,
    grading,
    limits,
    matchmaking,
    orchestration,
    ratings,
    selfplay,
    stopping,
    store,
)
from benchmarks.engine import compare, solvers, strength
from benchmarks.page import keep


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the tables in docs/results.md")
    asked = parser.parse_args()
    for section, measure in (
        ("engine", compare.table),
        ("solvers", solvers.table),
        ("grading", grading.tables),
        ("strength", strength.table),
        ("orchestration", orchestration.tables),
        ("estimates", estimates.table),
        ("limits", limits.table),
        ("store", store.tables),
        ("selfplay", selfplay.table),
        ("exports", exports.table),
        ("ratings", ratings.table),
        ("stopping", stopping.table),
        ("ablations", ablations.table),
        ("matchmaking", matchmaking.table),
        ("command", command.table),
    ):
        text = measure()
        print(text, flush=True)
        if asked.write:
            keep(section, text)


if __name__ == "__main__":
    main()
