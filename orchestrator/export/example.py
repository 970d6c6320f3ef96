"""What passes from the canonical rows to a target: one example, complete, in nobody's format yet.

A kind says what is learnt from it, a target how a trainer wants it written. A target is a module of
`orchestrator.export.targets` with `TARGET: Target`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

Kind = Literal["sft", "pref", "format-pref", "kto", "rl-prompts"]
SHAPES: Mapping[Kind, Kind] = {
    "format-pref": "pref"
}  # kinds whose rows are those of another: targets know that one
Reasoning = Literal["none", "think-tag", "field"]
Split = Literal["train", "validation", "test"]


class Answer(NamedTuple):
    """One way to answer: what was thought, and what was said."""

    text: str
    reasoning: str = ""
    reasoning_kind: str = "none"


@dataclass(frozen=True, slots=True)
class Example:
    """`answer` is what to learn (sft), to prefer (pref), to judge (kto); None for rl-prompts.

    `ids` are the decisions it comes from: one, or the preferred and the rejected one's.
    """

    ids: tuple[str, ...]
    kind: Kind
    split: Split
    system: str
    prompt: str
    answer: Answer | None = None
    rejected: Answer | None = None  # of pref
    label: bool | None = None  # of kto
    weight: float = 1.0
    extra: Mapping[str, Any] = field(
        default_factory=dict
    )  # of rl-prompts, for the reward: legal, values, ...


class RowError(ValueError):
    """A row that its target would refuse: which rule it breaks. The export stops and names the decision."""


@dataclass(slots=True)
class Tally:
    """What only a whole file shows: its rows, how many of them have a key, and what its true-or-false keys say."""

    rows: int = 0
    having: Counter[str] = field(default_factory=Counter)  # weight: 12, label=True: 5, label=False: 7

    def see(self, row: Mapping[str, Any]) -> None:
        """One more row."""
        self.rows += 1
        for name, value in row.items():
            self.having[f"{name}={value}" if isinstance(value, bool) else name] += 1

    def add(self, other: Tally) -> None:
        """Those of another part of the file."""
        self.rows += other.rows
        self.having.update(other.having)


class Target(Protocol):
    """A trainer's or a service's own format.

    `row` makes what it takes; `check` raises RowError for whatever it would refuse or quietly misread, also in
    rows that were not made here (`orchestrator export --check FILE`); `check_file` likewise for what only a whole
    file shows: too few rows, weights on some rows only, labels of one kind.
    """

    name: str
    kinds: tuple[Kind, ...]
    about: str  # one line: who takes it, since when, with a source

    def carries(self, kind: Kind) -> tuple[Reasoning, ...]:
        """How its rows of a kind can carry thoughts, the default first."""
        ...

    def row(self, example: Example, reasoning: Reasoning) -> dict[str, Any]: ...
    def check(self, row: Mapping[str, Any], kind: Kind) -> None: ...
    def check_file(self, tally: Tally, kind: Kind, split: Split) -> None: ...
    def extras(self, kind: Kind, files: Sequence[str]) -> Mapping[str, str]:
        """Further files by name, as text: a dataset_info.json, a configuration that trains on it, reward.py."""
        ...


Progress = Callable[[int, int], None]
