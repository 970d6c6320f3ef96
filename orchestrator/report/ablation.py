"""The ablations of a report: every arm beside its control, and how far the null came out.

Each run stands for itself: arms of two runs played other deals, so their differences are not pooled.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.ablation import (
    MEASURES,
    SCORE,
    Ablation,
    Arm,
    Held,
    ablation,
    beside,
    repeated,
    said,
)
from orchestrator.report.section import Axis, Column, Estimated, Intervals, Run, Section, Table, Value

POINTS = "percentage points of score"
NOTES = (
    "Every arm played the same deals against the same opponents as the control, from every seat.",
    f"To the control: {POINTS}, deal by deal, with a 95 % interval. p: two-sided, by a permutation of the deals.",
    "Holm: p adjusted for the number of arms. The null is the control once more, so its difference is noise.",
    "Arms on different tracks are compared here alone; ratings keep tracks apart.",
)


def sections(runs: Sequence[Run]) -> list[Section]:
    """One for all runs of kind `ablate`, a table and a figure for each; nothing without any."""
    found = [(run, ablation(run.result)) for run in runs if run.result.run.kind == "ablate"]
    if not found:
        return []
    several = len(found) > 1
    says: list[str] = []
    tables: list[Table] = []
    figures: list[Intervals] = []
    for run, each in found:
        name, control = (f"-{run.result.run.id}" if several else ""), each.control.spec
        about = f"{control} ({run.path.name})" if several else control
        says += [
            f"{about}: {line}" if several else line for line in [*said(each), *beside(each), *repeated(each)]
        ]
        tables += [_arms(each, f"arms{name}", about), *_measures(each, name, about)]
        if any(arm.compared and arm.compared.low is not None for arm in each.arms):
            figures.append(_figure(each, f"differences{name}", about))
    return [Section("ablation", "Ablation", says, tables, figures)]


def _arms(found: Ablation, name: str, about: str) -> Table:
    took = [measure for measure in MEASURES[1:] if any(measure.key in arm.means for arm in found.arms)]
    columns = [
        Column("arm"),
        Column("deals", "count"),
        Column("score", "share"),
        Column("to the control", "signed"),
        Column("p", "number"),
        Column("Holm", "number"),
        Column("Elo", "elo"),
        *(Column(measure.title, measure.unit) for measure in took),
    ]
    rows = [[*_row(arm), *(arm.means.get(measure.key) for measure in took)] for arm in found.arms]
    return Table(name, f"Arms beside {about}", columns, rows, NOTES)


def _row(arm: Arm) -> list[Value]:
    held = arm.held.get(SCORE.key)
    row: list[Value] = [arm.name, arm.deals, arm.means.get(SCORE.key)]
    if held is None:
        return [*row, None, None, None, None]
    holm = held.holm if arm.role == "arm" else None
    return [*row, _difference(held, 100), held.compared.p, holm, arm.elo and Estimated(*arm.elo)]


def _measures(found: Ablation, name: str, about: str) -> list[Table]:
    """All that arms were compared in, a table for each: one column of several units could not be read."""
    tables = []
    for measure in MEASURES:
        columns = [
            Column("arm"),
            Column("control", measure.unit),
            Column("of the arm", measure.unit),
            Column("difference", measure.unit),
            Column("p", "number"),
            Column("Holm", "number"),
        ]
        rows: list[list[Value]] = []
        for arm in (each for each in found.arms if measure.key in each.held):
            held = arm.held[measure.key]
            ps = held.compared.p, held.holm if arm.role == "arm" else None
            rows.append([arm.name, held.control, held.arm, _difference(held), *ps])
        tables.append(
            Table(f"{measure.key}{name}", f"Arms of {about} compared: {measure.title}", columns, rows)
        )
    return [table for table in tables if table.rows]


def _difference(held: Held, times: float = 1) -> Estimated:
    low, mid, high = held.compared.low, held.compared.mean, held.compared.high
    return Estimated(
        None if low is None else times * low, times * mid, None if high is None else times * high
    )


def _figure(found: Ablation, name: str, about: str) -> Intervals:
    """The null on top; what is not told from the control is of one group with it."""
    arms = [arm for arm in [found.null, *found.others] if arm is not None and arm.compared is not None]
    rows = [(arm.name, _difference(arm.held[SCORE.key], 100)) for arm in arms]
    groups = [number if arm.role == "arm" and arm.found() else 0 for number, arm in enumerate(arms, 1)]
    told = [arm.name for arm in arms if arm.role == "arm" and arm.found()]
    says = f"Told from the control: {', '.join(told) or 'none of them'}."
    if found.floor is not None:
        says += f" The null lies within ±{100 * found.floor:.1f} {POINTS}."
    return Intervals(name, f"Score beside {about}", Axis(POINTS, "signed"), rows, groups, says)
