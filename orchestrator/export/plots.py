"""The card's drawings: rows by ply and part, and the distribution of regret. Without matplotlib there are none.

A card stands on a page that is not ours, light or dark, and must be a file beside it: so these are plain PNG on
white, and share nothing with the reports' drawings, which are part of their own page and take its colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from orchestrator.export.figures import PLY_BANDS, REGRET_BANDS, UNKNOWN
from orchestrator.export.splits import SPLITS

COLOURS = ("#2a6f97", "#e09f3e", "#9e2a2b")  # of the parts; apart for the colour-blind too
PLIES, REGRETS = "plies.png", "regrets.png"


def draw(figures: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Draw what there is to be drawn; by file what it shows, in words."""
    if find_spec("matplotlib") is None:
        return {}
    made = {}
    if figures["plies"]:
        made[PLIES] = "Rows by ply, each part on top of the other"
        parts: dict[str, Sequence[int]] = {
            split: [figures["plies"].get(band, {}).get(split, 0) for band in PLY_BANDS]
            for split in SPLITS
            if split in figures["rows"]
        }
        _bars(folder / PLIES, "moves made before", PLY_BANDS, parts)
    graded = {band: figures["regrets"][band] for band in REGRET_BANDS if band != UNKNOWN}
    if any(graded.values()):
        made[REGRETS] = "Graded rows by the regret of their move"
        _bars(folder / REGRETS, "regret of the move", list(graded), {"": list(graded.values())})
    return made


def _bars(path: Path, label: str, names: Sequence[str], parts: Mapping[str, Sequence[int]]) -> None:
    from matplotlib import rc_context, rcdefaults
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    with rc_context():
        rcdefaults()  # no settings of whoever's machine it is
        drawn = Figure((6.4, 3.2), dpi=120, layout="constrained")
        axes = drawn.subplots()
        below = [0] * len(names)
        for (part, counts), colour in zip(parts.items(), COLOURS, strict=False):
            axes.bar(range(len(names)), counts, 0.72, below, color=colour, label=part or None)
            below = [one + other for one, other in zip(below, counts, strict=True)]
        for at, count in enumerate(below):
            axes.annotate(
                f"{count:,}", (at, count), (0, 3), textcoords="offset points", ha="center", fontsize=9
            )
        axes.set_xticks(range(len(names)), names)
        axes.set_xlabel(label)
        axes.set_ylabel("rows")
        axes.set_ylim(0, 1.12 * max(below))
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="x", length=0)
        if len(parts) > 1:
            axes.legend(frameon=False)
        drawn.savefig(path, metadata={"Software": None})
