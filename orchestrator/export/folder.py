"""The folder of an export: the files of the target and of the canonical tables, what they are and whence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.export.card import write_card
from orchestrator.export.example import Progress
from orchestrator.export.manifest import as_text, leaks, manifest
from orchestrator.export.pipeline import Exported, write
from orchestrator.export.wanted import Wanted


def write_all(
    made: Exported, to: Path, command: str, jobs: int = 1, on_progress: Progress = lambda done, of: None
) -> None:
    """Everything; the manifest last, so that a folder without one is not whole. Raises RowError, OSError."""
    write(made, to, jobs, on_progress)
    names = [file.name for file in made.files]
    for name, content in extras(made.wanted, names).items():
        (to / name).write_text(content, "utf-8")
    told, shared = manifest(made, command), leaks(made)
    (to / "leakage.json").write_text(as_text(shared), "utf-8")
    write_card(told, shared["known_from_training"], to)
    (to / "manifest.json").write_text(as_text(told), "utf-8")


def extras(wanted: Wanted, names: Sequence[str]) -> Mapping[str, str]:
    """Further files of the target."""
    if wanted.is_plain:
        return {}
    return wanted.made.extras(wanted.shape, [name for name in names if "/" not in name])
