"""A file of rows, whoever made it, against the rules of a target: what would be refused, and on which line.

Nothing in the file is executed or believed. Beside the target's own rules are those of any file of JSON lines, which
vendors seldom check: UTF-8 without a byte order mark, a JSON object on every line, no key twice, no NaN, no NUL, no
row twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.export.example import SHAPES, Kind, RowError, Split, Tally, Target
from orchestrator.export.splits import SPLITS

MOST = 20  # problems that are told one by one


class Problem(NamedTuple):
    """What is wrong on a line; line 0 is the file as a whole."""

    line: int
    why: str


@dataclass(slots=True)
class Verdict:
    """What was found: all rows are counted, the first problems told."""

    rows: int = 0
    wrong: int = 0
    problems: list[Problem] = field(default_factory=list)

    def add(self, line: int, why: str) -> None:
        """One more problem."""
        self.wrong += 1
        if len(self.problems) < MOST:
            self.problems.append(Problem(line, why))


def check_path(path: Path, target: Target, kind: Kind) -> Verdict:
    """A file, by its name of training, validation or test; by default of training. Raises OSError, ValueError."""
    shape = SHAPES.get(kind, kind)
    if shape not in target.kinds:
        raise ValueError(f"{target.name} takes {', '.join(target.kinds)}, not {kind}")
    split = next((each for each in SPLITS if path.name.startswith(each)), SPLITS[0])
    with path.open("rb") as file:
        return check_lines(file, target, shape, split)


def check_lines(lines: Iterable[bytes], target: Target, shape: Kind, split: Split = "train") -> Verdict:
    """Lines of a file, each with its end."""
    found, tally, known = Verdict(), Tally(), dict[bytes, int]()
    for number, line in enumerate(lines, 1):
        found.rows += 1
        try:
            row = read_row(line)
            target.check(row, shape)
            tally.see(row)
        except RowError as error:
            found.add(number, str(error))
            continue
        first = known.setdefault(hashlib.blake2b(line.strip(), digest_size=12).digest(), number)
        if first != number:
            found.add(number, f"the row of line {first} again")
    try:
        tally.rows = found.rows
        target.check_file(tally, shape, split)
    except RowError as error:
        found.add(0, str(error))
    return found


def read_row(line: bytes) -> dict[str, Any]:
    """The object on a line. Raises RowError."""
    if line.startswith(b"\xef\xbb\xbf"):
        raise RowError("it begins with a byte order mark: expected plain UTF-8")
    if b"\0" in line:
        raise RowError("it holds NUL bytes")
    if not line.strip():
        raise RowError("it is empty: expected an object")
    try:
        row = json.loads(line.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refused)
    except UnicodeDecodeError as error:
        raise RowError(f"it is no UTF-8: {error.reason} at byte {error.start}") from None
    except RowError:
        raise
    except (ValueError, RecursionError) as error:
        raise RowError(f"it is no JSON: {error}") from None
    if not isinstance(row, dict):
        raise RowError(f"it is {row!r:.60}: expected an object")
    return row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        twice = next(name for at, (name, _) in enumerate(pairs) if name in dict(pairs[:at]))
        raise RowError(f"the key {twice!r} is there twice")
    return made


def _refused(constant: str) -> None:
    raise RowError(f"{constant} is no JSON value")
