"""Lets the sides take turns and puts what they say beside each other and beside the goals."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.engine.rows import TABLES, Row
from benchmarks.engine.sides import SIDES, ask

HEAD = (
    "| per CPU second | duelist | best peer | ratio | floor | goal | reached | others |",
    "| --- | ---: | ---: | ---: | ---: | ---: | --- | --- |",
)


class Found(NamedTuple):
    """All that was said in a run, by measure (`side/measure`)."""

    values: dict[str, list[float]]  # units per second, one per round
    sizes: dict[str, str]
    failed: dict[str, str]
    versions: dict[str, str]

    def middle(self, measure: str) -> float | None:
        """The median over the rounds, if there is any value."""
        return median(self.values[measure]) if self.values.get(measure) else None

    def deviation(self) -> tuple[float, str]:
        """The largest distance of a value from the median of its measure, and which measure that is."""
        apart = [
            (max(abs(value / median(values) - 1) for value in values), measure)
            for measure, values in self.values.items()
            if values
        ]
        return max(apart, default=(0.0, "none"))


def table(seconds: float = 0.3, rounds: int = 5, cpu: int = 0, only: str = "") -> str:
    """Measure the rows whose label contains `only`, in any case, and return the results as Markdown.

    SystemExit when there is no such row, or when the engine is not the compiled one and up to date.
    """
    chosen = {
        title: [row for row in rows if only.casefold() in row.label.casefold()]
        for title, rows in TABLES.items()
    }
    if not any(chosen.values()):
        raise SystemExit(f"no row is called anything with {only!r}")
    found = measured([row for rows in chosen.values() for row in rows], seconds, rounds, cpu)
    parts = []
    for title, rows in chosen.items():
        if rows:
            parts += [*([title, ""] if title else []), *HEAD, *(line(row, found) for row in rows), ""]
    return "\n".join([*parts, about(found, seconds, rounds), ""])


def measured(rows: list[Row], seconds: float, rounds: int, cpu: int) -> Found:
    """Round by round, side after side, each asked for what the rows need."""
    needed: dict[str, list[str]] = {side: [] for side in SIDES}
    for measure in dict.fromkeys(name for row in rows for name in (row.ours, *row.theirs.values())):
        side, _, name = measure.partition("/")
        needed[side].append(name)
    refuse_unless_compiled(cpu)
    found = Found({}, {}, {}, {})
    for turn in range(rounds):
        for side, names in needed.items():
            if names and not (turn and SIDES[side].once):
                take_turn(found, side, names, seconds, cpu)
    return found


def refuse_unless_compiled(cpu: int) -> None:
    """Our side, asked for nothing, says by its exit whether it would measure."""
    if why := ask(SIDES["ours"], [], 0, cpu).problem:
        raise SystemExit(why)


def take_turn(found: Found, side: str, names: list[str], seconds: float, cpu: int) -> None:
    told = ask(SIDES[side], names, seconds, cpu)
    found.versions.update(told.versions)
    for name, value in told.values.items():
        found.values.setdefault(f"{side}/{name}", []).append(value)
    found.sizes.update({f"{side}/{name}": size for name, size in told.sizes.items() if size})
    found.failed.update({f"{side}/{name}": why for name, why in told.failed.items()})


def line(row: Row, found: Found) -> str:
    """A row of the table, whatever of it could be measured."""
    ours = found.middle(row.ours)
    ranked = sorted(
        ((found.middle(measure) or 0.0, name, measure) for name, measure in row.theirs.items()), reverse=True
    )
    best = ranked[0][0] if ranked else 0.0
    ratio = ours / best if ours and best else None
    cells = [
        row.label,
        shown(row.ours, row, found, with_unit=True),
        f"{ranked[0][1]} {shown(ranked[0][2], row, found)}" if best else "",
        f"**{ratio:.1f}×**" if ratio else "",
        f"≤ {row.most:g} {row.unit}" if row.most else times(row.floor),
        times(row.goal),
        reached(row, ours, ratio),
        ", ".join(f"{name} {shown(measure, row, found)}" for _, name, measure in ranked[bool(best) :]),
    ]
    return f"| {' | '.join(cells)} |"


def shown(measure: str, row: Row, found: Found, with_unit: bool = False) -> str:
    """A value with the size of what it handles, or why there is none."""
    value = found.middle(measure)
    if value is None:
        return f"not measured: {found.failed.get(measure, 'no round was run').replace('|', '/')}"
    size = f" ({found.sizes[measure]})" if measure in found.sizes else ""
    if row.unit == "ns":
        return f"{1e9 / value:.0f} ns{size}"
    if row.unit == "s":
        return f"{1 / value:.1f} s{size}"
    return f"{short(value)}{f' {row.unit}' if with_unit else ''}{size}"


def reached(row: Row, ours: float | None, ratio: float | None) -> str:
    """How far the goals are met; "" where there are none or nothing was measured."""
    if row.most and ours:
        inverse = {"ns": 1e9, "s": 1.0}[row.unit]
        return "yes" if inverse / ours <= row.most else "no"
    if row.floor is None or row.goal is None or ratio is None:
        return ""
    return "goal" if ratio >= row.goal else "floor" if ratio >= row.floor else "no"


def short(value: float) -> str:
    """1234567 -> 1.23M."""
    return f"{value / 1e6:.2f}M" if value >= 1e6 else f"{value / 1e3:.1f}k"


def times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:g}×"


def about(found: Found, seconds: float, rounds: int) -> str:
    """How and on what it was measured."""
    apart, where = found.deviation()
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    return (
        f"Medians of {rounds} rounds by turns, {seconds:g} CPU seconds each, one CPU; largest deviation from a "
        f"median {apart:.0%} ({where}). {machine()}; {versions}."
    )


def machine() -> str:
    """Processor, how many, and how busy they were."""
    model = platform.processor() or platform.machine()
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        names = [
            text.partition(":")[2].strip() for text in listed.read_text().splitlines() if "model name" in text
        ]
        model = names[0] if names else model
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return f"{model}, {os.cpu_count()} CPUs{load}"
