"""The figures of an export: what is in its rows, counted while they are written, so that no card has to guess.

Every process counts the rows that it writes; sums are whole numbers, so the order in which they are added up
changes nothing. What is counted is told as plain JSON: it stands in `manifest.json`, and the card is drawn from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import accumulate, pairwise
from typing import Any

from orchestrator.export.columns import Row
from orchestrator.export.example import Example, Split
from orchestrator.export.features import Feature, all_fit, feature_of, joined, to_yaml
from orchestrator.export.filters import regret

PLIES = (0, 4, 8, 16, 32, 64)  # where bands of plies begin; the last has no end
REGRETS = (0.0, 0.05, 0.25, 0.5, 1.0, 2.0)  # upper ends, included
DIFFICULTIES = (0.25, 0.5, 0.75, 0.9999, 1.0)  # likewise
UNKNOWN = "not graded"


@cache
def ply_band(ply: int) -> str:
    """`0-3`, ..., `64+`."""
    for low, high in pairwise(PLIES):
        if ply < high:
            return f"{low}-{high - 1}"
    return f"{PLIES[-1]}+"


PLY_BANDS = [ply_band(low) for low in PLIES]
REGRET_BANDS = ["0", *(f"to {high:g}" for high in REGRETS[1:]), UNKNOWN]
DIFFICULTY_BANDS = ["to 25 %", "to 50 %", "to 75 %", "below 100 %", "100 %", UNKNOWN]


def band(value: float | None, ends: Sequence[float], names: Sequence[str]) -> str:
    """The first band that ends at or above the value."""
    if value is None:
        return UNKNOWN
    return next((name for end, name in zip(ends, names, strict=False) if value <= end + 1e-9), names[-2])


@dataclass(slots=True)
class Figures:
    """Counts of the rows of an export, by what the card tells of them."""

    rows: Counter[str] = field(default_factory=Counter)  # by split
    games: Counter[tuple[str, str]] = field(default_factory=Counter)  # by game, split
    plies: Counter[tuple[str, str]] = field(default_factory=Counter)  # by band, split
    regrets: Counter[str] = field(default_factory=Counter)
    difficulties: Counter[str] = field(default_factory=Counter)
    graded: Counter[str] = field(default_factory=Counter)  # by a solver, a search's name, not graded
    reasoning: Counter[str] = field(default_factory=Counter)  # by kind, as written
    labels: Counter[str] = field(default_factory=Counter)  # of kto
    lengths: Counter[int] = field(default_factory=Counter)  # characters of the answer with its reasoning
    rejected: Counter[int] = field(default_factory=Counter)  # of pref, likewise of the rejected answer
    templates: Counter[tuple[str, str]] = field(default_factory=Counter)  # by template, hash
    models: Counter[tuple[str, str, str]] = field(
        default_factory=Counter
    )  # decisions by player, snapshot, terms
    runs: Counter[tuple[str, str]] = field(
        default_factory=Counter
    )  # decisions by run, version that recorded it
    sums: Counter[str] = field(default_factory=Counter)  # tokens; picodollars; decisions without a price
    first: float | None = None  # Unix seconds of the earliest decision, and of the latest
    last: float | None = None
    features: dict[str, Feature] = field(default_factory=dict)  # of the written rows, by column

    def add(self, rows: Sequence[Row], split: Split) -> None:
        """The canonical rows that one row comes from: one, or the preferred and the rejected."""
        row = rows[0]
        self.rows[split] += 1
        self.games[row["game"], split] += 1
        self.plies[ply_band(row["ply"]), split] += 1
        self.regrets[band(regret(row), REGRETS, REGRET_BANDS)] += 1
        self.difficulties[band(row["difficulty"], DIFFICULTIES, DIFFICULTY_BANDS)] += 1
        exact = row["regret_solver"] is not None
        self.graded["solver" if exact else row["search"] or UNKNOWN] += 1
        self.templates[row["prompt_template"] or "", row["prompt_sha"] or ""] += 1
        for each in rows:
            self._source(each)

    def write(self, example: Example, row: Mapping[str, Any]) -> None:
        """Its example, and the row as it is written."""
        if example.answer is not None:
            self.lengths[len(example.answer.text) + len(example.answer.reasoning)] += 1
            self.reasoning[example.answer.reasoning_kind if example.answer.reasoning else "none"] += 1
        if example.rejected is not None:
            self.rejected[len(example.rejected.text) + len(example.rejected.reasoning)] += 1
        if example.label is not None:
            self.labels["good" if example.label else "bad"] += 1
        if not all_fit(row, self.features):
            self.features = joined(self.features, {name: feature_of(value) for name, value in row.items()})

    def _source(self, row: Row) -> None:
        self.models[row["player"], row["model_reported"] or "", row["terms_id"]] += 1
        self.runs[row["run_id"], row["framework_version"]] += 1
        for name in ("tokens_in", "tokens_out", "tokens_reasoning"):
            self.sums[name] += row[name] or 0
        if row["cost_usd"] is not None:
            self.sums["cost_pico"] += round(row["cost_usd"] * 1e12)
        self.sums["asked"] += row["cost_source"] != "none"
        self.sums["without_price"] += row["cost_source"] == "unknown"
        self._seen(row["created_at"])

    def _seen(self, at: float | None) -> None:
        if at is not None:
            self.first = at if self.first is None else min(self.first, at)
            self.last = at if self.last is None else max(self.last, at)

    def join(self, other: Figures) -> None:
        """What another process counted."""
        for name in COUNTERS:
            getattr(self, name).update(getattr(other, name))
        self._seen(other.first)
        self._seen(other.last)
        self.features = joined(self.features, other.features)

    def to_json(self) -> dict[str, Any]:
        """Plain values, in an order that rests on nothing but themselves."""
        return {
            "rows": dict(sorted(self.rows.items())),
            "games": _two(self.games),
            "plies": {name: splits for name in PLY_BANDS if (splits := _two(self.plies).get(name))},
            "regrets": {name: self.regrets[name] for name in REGRET_BANDS},
            "difficulties": {name: self.difficulties[name] for name in DIFFICULTY_BANDS},
            "graded": dict(sorted(self.graded.items())),
            "reasoning": dict(sorted(self.reasoning.items())),
            "labels": dict(sorted(self.labels.items())),
            "characters": spread(self.lengths),
            "characters_rejected": spread(self.rejected),
            "templates": [
                {"template": template, "sha": sha, "rows": rows}
                for (template, sha), rows in sorted(self.templates.items())
            ],
            "models": [
                {"player": player, "snapshot": snapshot, "terms": terms, "decisions": decisions}
                for (player, snapshot, terms), decisions in sorted(self.models.items())
            ],
            "runs": [
                {"run": run, "version": version, "decisions": decisions}
                for (run, version), decisions in sorted(self.runs.items())
            ],
            "sums": dict(sorted(self.sums.items())),
            "days": [_day(self.first), _day(self.last)],
            "features": to_yaml(self.features),
        }


COUNTERS = (
    "rows", "games", "plies", "regrets", "difficulties", "graded", "reasoning", "labels", "lengths", "rejected",
    "templates", "models", "runs", "sums",
)  # fmt: skip


def spread(lengths: Counter[int]) -> dict[str, float] | None:
    """Mean, least, quartiles and most of counted lengths; None of none."""
    total = lengths.total()
    if not total:
        return None
    order = sorted(lengths)
    below = list(accumulate(lengths[length] for length in order))

    def at(share: float) -> int:
        return next(length for length, seen in zip(order, below, strict=True) if seen >= share * total)

    mean = round(sum(length * count for length, count in lengths.items()) / total, 1)
    return {
        "mean": mean,
        "least": order[0],
        "quarter": at(0.25),
        "half": at(0.5),
        "three_quarters": at(0.75),
        "most": order[-1],
    }


def _two(counted: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (name, split), count in sorted(counted.items()):
        found.setdefault(name, {})[split] = count
    return found


def _day(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).date().isoformat()
