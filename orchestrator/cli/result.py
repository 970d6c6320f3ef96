"""The result of a run on a screen: the figures side by side, then what can and cannot be said of them.

It is drawn from the summary, and thus from the record; `display` and `show` print the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.cli import text

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

STAND_IN = "simulated/"  # how the stand-in's model names begin


def result_table(summary: Mapping[str, Any], *, hint: bool = True) -> RenderableType:
    """What came of a run, from its summary: the figures, then what can and cannot be said of them.

    `hint` adds the command that shows more.
    """
    from rich.console import Group
    from rich.text import Text

    names = " vs ".join(text.one_line(player["label"]) for player in summary["players"])
    played = text.plural(summary["matches"], "match", "matches")
    of = "" if summary["matches"] == summary["planned"] else f" of {summary['planned']}"
    parts: list[RenderableType] = [
        Text(""),
        Text(f"{names} · {text.one_line(summary['game'])} · {played}{of}", "bold"),
        Text(""),
        card({player["label"]: _result_figures(player) for player in summary["players"]}),
        Text(""),
        *(Text(line, "bold red") for line in stand_ins(summary)),
        Text(verdict(summary), "bold"),
        *(Text(line) for line in remarks(summary)),
        *([Text(where(summary), "dim")] if hint else []),
    ]
    return Group(*parts)


def _result_figures(player: Mapping[str, Any]) -> dict[str, str]:
    wins, draws, losses = player["wins"], player["draws"], player["losses"]
    cost = text.dollars(player["cost_usd"])
    if player["unpriced_calls"]:
        cost = "unknown" if not player["cost_usd"] else f"{cost} + unknown"
    figures = {
        "score": text.percent(wins + draws / 2, wins + draws + losses),
        "won / drawn / lost": f"{wins} / {draws} / {losses}",
        "forfeits": str(player["forfeits"]),
        "wrong first answers": text.percent(player["wrong_first"], player["decisions"]),
    }
    return figures | call_figures(
        player["calls"],
        player["failed_calls"],
        player["input_tokens"],
        player["output_tokens"],
        cost,
        player["latency_ms"],
        player["latency_p95_ms"],
    )


def verdict(summary: Mapping[str, Any]) -> str:
    """The result in words; nobody is ahead while the interval holds equality."""
    names = [text.one_line(player["label"]) for player in summary["players"]]
    if len(names) != 2:
        return "No estimate: ratings of more than two players come from `orchestrator leaderboard`."
    if summary["elo"] is None:
        return "No pair was completed, so there is no estimate."
    low, mid, high = summary["elo_low"], summary["elo"], summary["elo_high"]
    if mid < 0:
        names.reverse()
        low, mid, high = -high, -mid, -low
    over = f"{text.elo(low, mid, high)} Elo over {text.plural(summary['pairs'], 'pair')}"
    if _repeats(summary):
        over += f" ({summary['pairs'] - _repeats(summary)} different)"
    if low > 0:
        return f"{names[0]} is ahead of {names[1]}: {over}."
    if round(mid) == 0:
        return f"{names[0]} and {names[1]} are level: {over}; too close to call."
    return f"{names[0]} leads {names[1]} by {over}: too close to call."


def stood_in(spec: str, reported: Iterable[str]) -> list[str]:
    """The stand-ins' names among the models that answered, where the spec did not ask for one."""
    return [] if spec.startswith("sim:") else [name for name in reported if name.startswith(STAND_IN)]


def stand_ins(summary: Mapping[str, Any]) -> list[str]:
    """Who was not answered by the model that was asked, but by the stand-in."""
    lines = []
    for player in summary["players"]:
        if fakes := stood_in(player["spec"], player["reported"]):
            label, answered = text.one_line(player["label"]), text.one_line(", ".join(fakes))
            lines.append(f"STAND-IN: {label} was answered by {answered}: this says nothing about the model.")
    return lines


def remarks(summary: Mapping[str, Any]) -> list[str]:
    """What one must know to read the figures rightly."""
    lines = []
    alone = summary["matches"] - summary["pairs"] * len(summary["players"])
    if alone:
        lines.append(f"{text.plural(alone, 'match')} without a partner: in the table, not in the Elo.")
    if summary["voids"]:
        voids = text.plural(summary["voids"], "void match", "void matches")
        lines.append(f"{voids} (trouble with a service, nobody's fault): not counted.")
    if repeats := _repeats(summary):
        lines.append(
            f"{repeats} of {text.plural(summary['pairs'], 'pair')} repeat others move by move: the interval "
            f"counts only the {summary['pairs'] - repeats} different; --opening makes pairs differ."
        )
    if summary["possibly_billed_usd"]:
        lost = text.dollars(summary["possibly_billed_usd"])
        lines.append(f"Up to {lost} more may have been billed for attempts that failed after they were sent.")
    for player in summary["players"]:
        if player["unpriced_calls"]:
            lines.append(f"{text.one_line(player['label'])} has no price: its cost is not known.")
        lines += _renamed(player)
    if summary["stopped"]:
        lines.append(f"Stopped early: {text.one_line(summary['stopped'], 400)}")
    return lines


def _repeats(summary: Mapping[str, Any]) -> int:
    """How many pairs are exact repeats of others."""
    return int(summary["pairs"] - summary["distinct_pairs"])


def _renamed(player: Mapping[str, Any]) -> list[str]:
    """A service that reports another name may have asked another model; a date added is no other name."""
    asked = player["model"]
    other = [
        name
        for name in player["reported"]
        if not name.startswith(STAND_IN) and asked.rpartition("/")[2] not in name
    ]
    if not asked or not other:
        return []
    label, reported = text.one_line(player["label"]), text.one_line(", ".join(other))
    return [f"{label} asked for {text.one_line(asked)}; the service reported {reported}."]


def where(summary: Mapping[str, Any]) -> str:
    """The command that shows more, ready to paste."""
    return f"More: {text.command('show', summary['output'])}"


# ── the card ─────────────────────────────────────────────────────────────────────────────────────────


def card(players: Mapping[str, Mapping[str, str]]) -> Table:
    """Players side by side, one figure a line: fits a narrow terminal whatever the names."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("", style="dim", no_wrap=True)
    for label in players:
        table.add_column(Text(text.one_line(label, 60), "bold"), justify="right", overflow="fold")
    for name in next(iter(players.values()), {}):
        if any(figures[name] != text.NOTHING for figures in players.values()):
            table.add_row(name, *(Text(figures[name]) for figures in players.values()))
    return table


def call_figures(
    calls: int,
    failed: int,
    read: int,
    written: int,
    cost: str,
    latency: float | None,
    slow: float | None = None,
) -> dict[str, str]:
    """What asking took; bots and people take none of it."""
    names = ("calls", "tokens in / out", "cost", "time to a move")
    if not calls:
        return dict.fromkeys(names, text.NOTHING)
    asked = f"{calls:,}" + (f" ({failed:,} failed)" if failed else "")
    took = text.NOTHING if latency is None else text.duration(latency / 1000)
    if slow is not None:
        took += f", 95 % in {text.duration(slow / 1000)}"
    return dict(zip(names, (asked, f"{text.count(read)} / {text.count(written)}", cost, took), strict=True))
