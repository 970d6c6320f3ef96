"""Whose terms an answer is under, and what they say of training on it: facts with a date and a link, no verdict.

The file `terms.toml` beside this has them; a user's own file adds to them and replaces what has the same id. A
source that nobody knows is `unknown`; what is restricted or unknown is left out of an export unless it is asked for,
counted and listed either way.

What the stand-in answered in the place of a model is never that model's: its rows name the stand-in, and are
under the terms of what this software makes (`STAND_IN`, see `source`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

Trains = Literal["yes", "conditional", "no", "unknown"]
OPEN: tuple[Trains, ...] = ("yes",)
"""What is exported without being asked for."""
SAYS: Mapping[Trains, str] = {
    "yes": "permits",
    "conditional": "conditions",
    "no": "restricts",
    "unknown": "unknown",
}
"""What a list of sources says of them."""
STAND_IN = "sim:stand-in"  # the source that a stand-in is, whatever it was asked as


@dataclass(frozen=True, slots=True)
class Terms:
    """One entry. `applies_to` is matched with the whole of provider:model."""

    id: str
    vendor: str
    applies_to: str
    train_other_models: Trains
    summary: str
    url: str
    checked_on: str

    @property
    def is_open(self) -> bool:
        """Whether answers under it are exported without being asked for."""
        return self.train_other_models in OPEN

    @property
    def says(self) -> str:
        """In a word: own data, permits, conditions, restricts, unknown."""
        return "own data" if self.id == "own" else SAYS[self.train_other_models]

    @property
    def note(self) -> str:
        """What it says, and where that stands."""
        return f"{self.summary}: {self.url}" if self.url else self.summary


UNKNOWN = Terms("unknown", "", "", "unknown", "nobody has looked at the terms of this source", "", "")


@cache
def shipped() -> tuple[Terms, ...]:
    """The entries that come with this version, in their order."""
    return read((Path(__file__).parent / "terms.toml").read_text("utf-8"))


def known(own: Sequence[Terms] = ()) -> tuple[Terms, ...]:
    """A user's own entries, then those shipped whose id none of them has."""
    taken = {terms.id for terms in own}
    return (*own, *(terms for terms in shipped() if terms.id not in taken))


def read_file(path: Path) -> tuple[Terms, ...]:
    """A user's own entries. Raises ValueError with what is wrong in it, OSError."""
    try:
        return read(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read(text: str) -> tuple[Terms, ...]:
    """Raises ValueError with the entry that is wrong."""
    data = tomllib.loads(text)
    entries = data.get("terms")
    if not isinstance(entries, list) or not entries or set(data) != {"terms"}:
        raise ValueError("expected tables [[terms]] and nothing else, as in terms.toml of this package")
    found = [_entry(number, entry) for number, entry in enumerate(entries, 1)]
    ids = [terms.id for terms in found]
    if repeated := sorted({name for name in ids if ids.count(name) > 1}):
        raise ValueError(f"terms {', '.join(repeated)} stand there twice: ids are told apart")
    return tuple(found)


def _entry(number: int, entry: Any) -> Terms:
    """Who writes terms must say all of them: what, how far, in which words, where, and when it was looked at."""
    name = f"terms {number} ({entry.get('id', 'without an id') if isinstance(entry, dict) else entry!r})"
    fields = Terms.__dataclass_fields__
    if not isinstance(entry, dict) or set(entry) != set(fields):
        got = ", ".join(map(str, entry)) if isinstance(entry, dict) else repr(entry)
        raise ValueError(f"{name} has {got}: expected {', '.join(fields)}")
    if wrong := [key for key, value in entry.items() if not isinstance(value, str)]:
        raise ValueError(f"{name}: {', '.join(wrong)}: expected texts")
    if entry["train_other_models"] not in get_args(Trains):
        expected = ", ".join(get_args(Trains))
        raise ValueError(
            f"{name}: train_other_models is {entry['train_other_models']!r}, expected one of {expected}"
        )
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", entry["checked_on"]):
        raise ValueError(f"{name}: checked_on is {entry['checked_on']!r}, expected a day such as 2026-11-20")
    try:
        re.compile(entry["applies_to"])
    except re.error as error:
        raise ValueError(f"{name}: applies_to is no regular expression: {error}") from None
    return Terms(**entry)


def of_source(source: str, among: Iterable[Terms] | None = None) -> Terms:
    """The terms of `anthropic:claude-sonnet-5-5`, `bot:mcts:200`, ...: the first entry that matches."""
    for terms in known() if among is None else among:
        if re.fullmatch(terms.applies_to, source):
            return terms
    return UNKNOWN


@lru_cache(maxsize=1024)
def by_id(name: str, own: tuple[Terms, ...] = ()) -> Terms:
    """The entry of that id; `UNKNOWN` for one that is gone."""
    return next((terms for terms in known(own) if terms.id == name), UNKNOWN)
