"""The first rows of every target and kind, as they are kept in tests/export/golden/<target>-<kind>.jsonl.

`python -m tests.export.golden` writes them anew, after a change of prompts or rows that was meant.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from orchestrator.export.example import SHAPES
from orchestrator.export.wanted import DEFAULT_FILTERS, target, targets
from tests.export.played import exported

FOLDER = Path(__file__).parent / "golden"
ROWS = 2
CASES = [
    (name, kind)
    for name in targets()
    for kind in DEFAULT_FILTERS
    if SHAPES.get(kind, kind) in target(name).kinds and (kind != "format-pref" or name == "trl")
]


def rows(name: str, kind: str, to: Path) -> str:
    """The first rows of an export, and before them the names of its further files."""
    made = exported(to, kind, name)
    lines = (to / "train.jsonl").read_text("utf-8").splitlines()[:ROWS]
    further = target(name).extras(made.wanted.shape, [file.name for file in made.files])
    head = json.dumps({"further_files": sorted(further)})
    return "\n".join([head, *lines, ""])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, kind in CASES:
        with tempfile.TemporaryDirectory() as folder:
            (FOLDER / f"{name}-{kind}.jsonl").write_text(rows(name, kind, Path(folder) / "to"), "utf-8")
