"""What is asked of an export: one value, which goes into the manifest whole and makes the same files again."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from orchestrator.export.example import SHAPES, Kind, Reasoning, Target
from orchestrator.export.filters import EPSILON, read_filter
from orchestrator.export.kinds import Form
from orchestrator.export.known import Known
from orchestrator.export.source import Ask
from orchestrator.export.splits import Policy

Plain = Literal["tables", "rl-arrays"]
"""Kinds without examples: what was decided itself, in files of our own instead of a target's."""
FORMATS: Mapping[str, Sequence[str]] = {
    "tables": ("parquet", "jsonl"),
    "rl-arrays": ("npz", "parquet", "minari"),
}
"""What plain kinds can be written as, and the canonical tables beside a target's files."""
DEFAULT_FORMATS: Mapping[str, Sequence[str]] = {"tables": ("parquet",), "rl-arrays": ("npz", "parquet")}
KINDS: Sequence[str] = (*get_args(Kind), *get_args(Plain))
DEFAULT_FILTERS: Mapping[Kind | Plain, Sequence[str]] = {
    "sft": ("own", "good"),
    "kto": ("own",),
    "pref": ("own",),
    "format-pref": ("own",),
    "rl-prompts": (),
    "tables": (),
    "rl-arrays": (),
}
"""What an export goes by where nothing is said."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Raises ValueError for what cannot be had."""

    kind: Kind | Plain
    target: str  # empty of plain kinds
    runs: Sequence[Path]
    filters: Sequence[str] | None = None  # None: DEFAULT_FILTERS
    policy: Policy = field(default_factory=Policy)
    reasoning: Reasoning | None = None  # None: the target's default
    form: Form = field(default_factory=Form)
    ask: Ask = field(default_factory=Ask)
    include_restricted: bool = False
    known: Known = field(default_factory=Known, repr=False)  # what rows do not hold by themselves
    dedup: bool = True
    per_question: int = (
        2  # answers to one question at most, the best first, then the shortest; pairs likewise
    )
    epsilon: float = EPSILON  # of kto: a regret that is none
    tables: bool = True  # the canonical tables too, beside what the kind has
    formats: Sequence[str] | None = (
        None  # of the tables, of rl-arrays those of the arrays; None: DEFAULT_FORMATS
    )
    margin: float = 0.5  # of pref and kto: how much worse a bad answer is, 2 being a win for a loss

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind {self.kind!r}: expected one of {', '.join(KINDS)}")
        if self.is_plain:
            self._check_plain()
        else:
            self._check_target()
        if strange := [name for name in self.written if name not in self._able]:
            raise ValueError(
                f"{self._files} are written as {', '.join(self._able)}, not as {', '.join(strange)}"
            )
        if not self.runs:
            raise ValueError("no run is named: give directories such as runs/NAME")
        if self.per_question < 1:
            raise ValueError(f"{self.per_question} answers to a question: expected 1 or more")
        if not 0 <= self.epsilon < self.margin <= 2:
            raise ValueError(
                f"epsilon {self.epsilon} and margin {self.margin}: expected 0 <= epsilon < margin <= 2, regrets"
            )
        self.policy.check()
        for text in self.named:
            read_filter(text)

    def _check_target(self) -> None:
        if self.shape not in self.made.kinds:
            able = [name for name in targets() if self.shape in target(name).kinds]
            raise ValueError(
                f"{self.target} takes {', '.join(self.made.kinds)}, not {self.kind}: try {', '.join(able)}"
            )
        if self.reasoning not in (None, *self.made.carries(self.shape)):
            raise ValueError(
                f"{self.target} carries reasoning in rows of {self.kind} as "
                f"{' or '.join(self.made.carries(self.shape))}, not {self.reasoning}"
            )

    def _check_plain(self) -> None:
        if self.target:
            raise ValueError(f"{self.kind} are files of our own and have no target: leave {self.target} out")
        if self.kind == "rl-arrays" and self.policy.by == "position":
            raise ValueError(
                "rl-arrays hold whole episodes, which positions would tear: split by deal, pair or match"
            )

    @property
    def is_plain(self) -> bool:
        """Whether there are no examples, and no target."""
        return self.kind in get_args(Plain)

    @property
    def made(self) -> Target:
        return target(self.target)

    @property
    def parted(self) -> Policy:
        """By what it is parted: episodes by their deals unless something else was asked for."""
        if self.kind == "rl-arrays" and self.policy.by == "auto":
            return self.policy._replace(by="deal")
        return self.policy

    @property
    def written(self) -> Sequence[str]:
        """The formats of the tables or, of rl-arrays, of the arrays; Minari's is made of the NPZ."""
        given = DEFAULT_FORMATS[self._files] if self.formats is None else self.formats
        return tuple(dict.fromkeys(("npz", *given))) if "minari" in given else given

    @property
    def has_tables(self) -> bool:
        """Whether the canonical tables are written."""
        return self.tables or self.kind == "tables"

    @property
    def table_formats(self) -> Sequence[str]:
        """What they are written as."""
        return DEFAULT_FORMATS["tables"] if self.kind == "rl-arrays" else self.written

    @property
    def _files(self) -> str:
        return "rl-arrays" if self.kind == "rl-arrays" else "tables"

    @property
    def _able(self) -> Sequence[str]:
        return FORMATS[self._files]

    @property
    def shape(self) -> Kind:
        """The kind whose rows are written; plain kinds have none."""
        kind = self.kind
        assert kind != "tables" and kind != "rl-arrays", f"{kind} has no examples"
        return SHAPES.get(kind, kind)

    @property
    def named(self) -> Sequence[str]:
        """The filters, by default those of the kind."""
        return DEFAULT_FILTERS[self.kind] if self.filters is None else self.filters

    @property
    def carried(self) -> Reasoning:
        """How reasoning is written."""
        return self.reasoning or ("none" if self.is_plain else self.made.carries(self.shape)[0])

    def to_json(self) -> dict[str, Any]:
        """What was asked, nothing left to defaults."""
        told = asdict(self) | {"filters": list(self.named), "reasoning": self.carried}
        told["own_terms"] = told.pop("known")["own"]
        told |= {"policy": self.parted._asdict(), "formats": list(self.written)}
        return json.loads(json.dumps(told, default=str))  # type: ignore[no-any-return]


@cache
def targets() -> list[str]:
    """Names of all targets, sorted."""
    folder = Path(__file__).parent / "targets"
    return sorted(path.stem.replace("_", "-") for path in folder.glob("[a-z]*.py"))


@cache
def target(name: str) -> Target:
    """Raises ValueError with what there is."""
    if name not in targets():
        raise ValueError(f"unknown target {name!r}: expected one of {', '.join(targets())}")
    module = importlib.import_module(f"orchestrator.export.targets.{name.replace('-', '_')}")
    found: Target = module.TARGET
    return found
