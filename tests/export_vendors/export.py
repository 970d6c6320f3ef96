"""`python -m tests.export_vendors.export DIR LIBRARIES`: an export for every target and kind, as DIR/<target>-<kind>.

LIBRARIES is the folder of another environment's packages, in which Minari is looked for; what this one has comes
from this one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

from orchestrator.export.example import SHAPES, Kind
from orchestrator.export.wanted import target, targets
from tests.export.played import exported, played


def export_all(to: Path) -> None:
    """All that a target can be asked for, and arrays in every format."""
    for name in targets():
        for kind in get_args(Kind):
            if SHAPES.get(kind, kind) in target(name).kinds:
                exported(to / f"{name}-{kind}", kind, name)
    exported(to / "trl-sft-field", "sft", "trl", played(), reasoning="field")
    exported(to / "rl-arrays", "rl-arrays", "", played("bots"), formats=("npz", "parquet", "minari"))


if __name__ == "__main__":
    sys.path.append(sys.argv[2])
    export_all(Path(sys.argv[1]))
