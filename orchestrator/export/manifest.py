"""`manifest.json`: what was asked, what was left at every step, and the hash of every file; `terms` as they stood.

Nothing in it depends on the day or the machine: the same export of the same records is the same, byte by byte.
"""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from orchestrator.export import columns
from orchestrator.export.leakage import leakage
from orchestrator.export.pipeline import Exported
from orchestrator.export.terms import by_id


def manifest(made: Exported, command: str) -> dict[str, Any]:
    """Plain JSON values."""
    wanted = made.wanted
    return {
        "made_by": {
            "duelist": version("duelist"),
            "tables": columns.VERSION,
            "python": platform.python_version(),
        },
        "command": command,
        "asked": wanted.to_json(),
        "seen": made.look.seen,
        "filters": [
            {"filter": text, **{name: counts[name] for name in ("kept", "dropped", "unknown")}}
            for text, counts in zip(wanted.named, made.look.filters, strict=True)
        ],
        "sources": sources(made),
        "restricted": list(restricted(made)),
        "steps": made.choice.steps,
        "repeats": made.repeats,
        **mean_lengths(made),
        "figures": made.figures.to_json(),
        "splits": dict(sorted(Counter(one.split for one in made.choice.chosen).items())),
        "files": [file._asdict() for file in made.files],
    }


def mean_lengths(made: Exported) -> dict[str, Any]:
    """Of pairs the mean bytes of both answers: where they differ much, a model learns length first."""
    pairs = made.lengths["pairs"]
    if not pairs:
        return {}
    return {"mean_bytes": {name: round(made.lengths[name] / pairs, 1) for name in ("chosen", "rejected")}}


def sources(made: Exported) -> list[dict[str, Any]]:
    """Who it comes from and under which terms; `left_out` by how many for them."""
    look, own = made.look, made.wanted.known.own
    return [
        {
            "player": player,
            "decisions": look.sources[player, terms],
            "left_out": look.left_out[player, terms],
            "says": by_id(terms, own).says,
            "note": by_id(terms, own).note,
            "terms": asdict(by_id(terms, own)),
        }
        for player, terms in sorted(look.sources.keys() | look.left_out.keys())
    ]


def as_text(data: Mapping[str, Any]) -> str:
    """As a file."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def leaks(made: Exported) -> dict[str, Any]:
    """`leakage.json`."""
    policy = made.wanted.parted
    parted = {
        "by": policy.by,
        "salt": policy.salt,
        "shares": list(policy.shares),
        "pin_plies": policy.pin_plies,
    }
    return {"split": parted, "known_from_training": leakage(made.choice.picks.values())}


def restricted(made: Exported) -> Iterable[str]:
    """Sentences about what was left out, or kept, for its terms."""
    look, own = made.look, made.wanted.known.own
    out, kept = (
        sum(look.left_out.values()),
        sum(count for (_, terms), count in look.sources.items() if not by_id(terms, own).is_open),
    )
    of = out + sum(look.sources.values())
    if out:
        yield (
            f"{out:,} of {of:,} decisions ({out / of:.1%}) come from sources whose terms restrict training, set "
            "conditions or are unknown. They are left out; --include-restricted keeps them."
        )
    if kept:
        yield (
            f"{kept:,} of {of:,} decisions ({kept / of:.1%}) come from sources whose terms restrict training, set "
            "conditions or are unknown. They are kept because you passed --include-restricted; the dataset card lists "
            "them. You are responsible for your agreement with the vendor."
        )
