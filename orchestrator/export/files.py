"""The files of an export while they grow: beside their places, and there only once all are whole.

What is written comes in blocks, of any file in any order, each file's own in their order; a file begins with its
first block, so that there are no empty ones. Where something goes wrong nothing stays behind.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from orchestrator.export.arrays import Npz, Twin
from orchestrator.export.tables import Parquet


class File(NamedTuple):
    """One file that was written."""

    name: str
    rows: int
    bytes: int
    sha256: str


class Block(NamedTuple):
    """Some rows of a file."""

    file: str  # below the folder
    rows: int
    data: Any  # lines in UTF-8; of a table an Arrow batch as bytes; of arrays these, by name


class Growing(Protocol):
    """A file that is written block by block; `drop` leaves what `close` was not called for as if it never was."""

    def add(self, data: Any) -> None: ...
    def close(self) -> None: ...
    def drop(self) -> None: ...


class Lines:
    """Lines of text."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def add(self, data: bytes) -> None:
        """In UTF-8, each with its end."""
        self._file.write(data)

    def close(self) -> None:
        self._file.close()

    def drop(self) -> None:
        self._file.close()


def growing(path: Path, suffix: str, data: Any) -> Growing:
    """A new file for such blocks."""
    if isinstance(data, dict):
        return Npz(path) if suffix == ".npz" else Twin(path)
    return Lines(path) if suffix == ".jsonl" else Parquet(path)


class Files:
    """Those of one folder: `with Files(folder) as files`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Growing] = {}
        self._rows: dict[str, int] = {}
        self._made: list[Path] = []  # folders, the outer ones first

    def add(self, block: Block) -> None:
        """Raises OSError."""
        if block.file not in self._files:
            place = self._folder / block.file
            self._make(place.parent)
            self._files[block.file] = growing(self._part(block.file), place.suffix, block.data)
            self._rows[block.file] = 0
        self._files[block.file].add(block.data)
        self._rows[block.file] += block.rows

    def keep(self) -> list[File]:
        """All in their places, sorted by name."""
        for file in self._files.values():
            file.close()
        found = []
        for name in sorted(self._files):
            place = self._part(name).replace(self._folder / name)
            with place.open("rb") as whole:
                told = hashlib.file_digest(whole, "sha256").hexdigest()
            found.append(File(name, self._rows[name], place.stat().st_size, told))
        self._made.clear()
        return found

    def _part(self, name: str) -> Path:
        place = self._folder / name
        return place.with_name(f".{place.name}.part")

    def _make(self, folder: Path) -> None:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir(exist_ok=True)
            self._made.append(each)

    def __enter__(self) -> Files:
        self._make(self._folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, file in self._files.items():
            file.drop()
            self._part(name).unlink(missing_ok=True)
        for folder in reversed(self._made):
            folder.rmdir()
