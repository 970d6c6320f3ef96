"""The result of an ablation on a screen: a line for each arm, beside the control, then what may be said of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.ablation import p_text
from orchestrator.cli import text
from orchestrator.cli.result import where
from orchestrator.cli.rows import Row, fitting, standings
from orchestrator.remarks import remarks, stand_ins

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

COLUMNS = (
    "score",
    "to the control",
    "p",
    "Holm",
    "Elo",
    "deals",
    "legal",
    "$/game",
    "tokens",
    "time",
    "forfeits",
)
"""The last go first."""


def arms_table(summary: Mapping[str, Any], *, hint: bool = True) -> RenderableType:
    """What came of an ablation, from its summary. `hint` adds the command that shows more."""
    from rich.console import Group
    from rich.text import Text

    played = text.plural(summary["matches"], "match", "matches")
    of = "" if summary["matches"] == summary["planned"] else f" of {summary['planned']}"
    control = text.one_line(summary["arms"][0]["spec"], 60)
    says = list(summary["says"])
    loud = [says.pop(0)] if summary["null_differs"] else []
    parts: list[RenderableType] = [
        Text(""),
        Text(f"{control} and its arms · {text.one_line(summary['game'])} · {played}{of}", "bold"),
        Text(""),
        Arms(summary),
        *(Text(line, "bold red") for line in [*stand_ins(summary), *map(text.one_line, loud)]),
        *(Text(text.one_line(line)) for line in says),
        *(Text(text.one_line(line)) for line in summary["beside"]),
        *(Text(line) for line in [*bill(summary), *remarks(summary)]),
        *([Text(where(summary), "dim")] if hint else []),
    ]
    return Group(*parts)


class Arms:
    """The control, the null and the other arms, one below the other. As wide as whatever it is printed on."""

    def __init__(self, summary: Mapping[str, Any]) -> None:
        forfeits = [player["forfeits"] for player in summary["players"]]
        self.rows = [Row(arm["arm"], _figures(arm, forfeits[arm["player"] - 1])) for arm in summary["arms"]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.text import Text

        wanted = [name for name in COLUMNS if any(row.cells[name] != text.NOTHING for row in self.rows)]
        left = fitting(self.rows, wanted, options.max_width)
        yield standings(self.rows, left, name="arm")
        yield Text("")
        if len(left) < len(wanted):
            lost = ", ".join(wanted[len(left) :])
            yield Text(f"No room here for: {lost} (orchestrator show --json has all).", "dim")
        yield Text(
            "score against the same opponents; to the control: percentage points with their 95 % interval; p: of a "
            "permutation of the deals; Holm: p for that many arms",
            "dim",
        )
        yield Text("")


def _figures(arm: Mapping[str, Any], forfeits: int) -> dict[str, str]:
    figures, held = arm["figures"], arm["held"].get("score")
    cells = dict.fromkeys(COLUMNS, text.NOTHING)
    cells |= {"deals": f"{arm['deals']:,}", "forfeits": str(forfeits)}
    if "score" in figures:
        cells["score"] = text.percent(figures["score"], 1)
    if held is not None:
        cells["to the control"] = points(held)
        cells["p"] = p_text(held["p"])
        cells["Holm"] = p_text(held["holm"]) if arm["role"] == "arm" else text.NOTHING
    if arm["elo"] is not None:
        cells["Elo"] = text.elo(*arm["elo"])
    if "legal" in figures:
        cells["legal"] = text.percent(figures["legal"], 1)
    if figures.get("cost"):
        cells["$/game"] = text.dollars(figures["cost"])
    if "tokens" in figures:
        cells["tokens"] = text.count(round(figures["tokens"]))
    if figures.get("latency"):
        cells["time"] = text.duration(figures["latency"])
    return cells


def points(held: Mapping[str, Any]) -> str:
    """+4.2 [-1.3, +9.8]"""
    low, mid, high = (
        None if held[end] is None else f"{100 * held[end] + 0.0:+.1f}"
        for end in ("low", "difference", "high")
    )
    return f"{mid} [{low}, {high}]" if low is not None else f"{mid} [–]"


def bill(summary: Mapping[str, Any]) -> list[str]:
    """What asking all arms and opponents took."""
    calls = sum(player["calls"] for player in summary["players"])
    if not calls:
        return []
    read, written = (
        sum(player[name] for player in summary["players"]) for name in ("input_tokens", "output_tokens")
    )
    tokens = f"{text.count(read)} / {text.count(written)} tokens in / out"
    return [f"In all: {text.plural(calls, 'call')} · {tokens} · {text.dollars(summary['cost_usd'])}"]
