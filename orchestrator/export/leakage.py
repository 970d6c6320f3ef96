"""How much of the held-out parts is known from training: measured on what was chosen, never assumed.

For each of the other parts the share of its rows whose prompt, position class, knowledge, deal, match, pair or
reasoning is in training too. What the split goes by is 0; the rest is told, because it cannot be avoided (whole
matches share their first plies) or should be looked at (reasoning that repeats itself: nearly, see `sketch`; all
else equally).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from orchestrator.export.select import Pick
from orchestrator.export.sketch import Sketches
from orchestrator.export.splits import SPLITS


def _match(pick: Pick) -> str:
    return pick.id.rpartition("-")[0]


def _pair(pick: Pick) -> str:
    """A match's id is that of its pair, the letters of its seating and perhaps the number of its replay."""
    return _match(pick).rstrip("0123456789").rstrip("abcdefghijklmnopqrstuvwxyz")


EQUAL: Mapping[str, Callable[[Pick], Any]] = {
    "prompt": lambda pick: pick.question,
    "position_class": lambda pick: pick.place,
    "deal": lambda pick: pick.deal,
    "pair": _pair,
    "match": _match,
}


def leakage(picks: Iterable[Pick]) -> dict[str, Any]:
    """By part and measure: of how many rows, how many are known from training, and their share.

    `position_class` is the class of the position, where cards are hidden what the seat knew of it. Rows that have
    nothing of a measure (no reasoning) are not counted in it; the share of none is None.
    """
    parts: dict[str, list[Pick]] = {split: [] for split in SPLITS}
    for pick in picks:
        parts[pick.split].append(pick)
    found: dict[str, Any] = {split: {} for split in SPLITS[1:]}
    for name, of in EQUAL.items():
        trained = {of(pick) for pick in parts["train"]}
        for split in found:
            found[split][name] = _share([of(pick) in trained for pick in parts[split]])
    thoughts = Sketches({pick.thoughts for pick in parts["train"] if pick.thoughts})
    for split in found:
        held = [pick.thoughts for pick in parts[split] if pick.thoughts]
        near = {each: thoughts.have_near(each) for each in set(held)}
        found[split]["reasoning"] = _share([near[each] for each in held])
    return found


def _share(known: Sequence[bool]) -> dict[str, Any]:
    return {"rows": len(known), "known": sum(known), "share": sum(known) / len(known) if known else None}
