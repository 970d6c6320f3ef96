"""The result of a run on a screen: the figures side by side, then what can and cannot be said of them.

Two players stand beside each other, a figure a line; the players of a table stand below each other, the best
first. A run for data has a table for each model, with a line for everybody it met in each game; an ablation
(`arms.py`) and a tournament (`ranking.py`) have their own. It is drawn from the summary, and thus from the record;
`display` and `show` print the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.cli import text
from orchestrator.cli.rows import Row, fitting, standings
from orchestrator.remarks import remarks, stand_ins, verdict

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table


def result_table(summary: Mapping[str, Any], *, hint: bool = True) -> RenderableType:
    """What came of a run, from its summary: the figures, then what can and cannot be said of them.

    `hint` adds the command that shows more.
    """
    from rich.console import Group
    from rich.text import Text

    if summary.get("kind") == "probe":
        from orchestrator.cli.probe import result

        return result(summary, hint=hint)
    if summary.get("kind") == "generate":
        return _data(summary, hint=hint)
    if summary.get("kind") == "ablate":
        from orchestrator.cli.arms import arms_table

        return arms_table(summary, hint=hint)
    if summary.get("kind") == "tournament":
        from orchestrator.cli.ranking import ranking_table

        return ranking_table(summary, hint=hint)
    names = " vs ".join(text.one_line(player["label"]) for player in summary["players"])
    played = text.plural(summary["matches"], "match", "matches")
    of = "" if summary["matches"] == summary["planned"] else f" of {summary['planned']}"
    two = len(summary["players"]) == 2
    figures = card({player["label"]: _result_figures(player) for player in summary["players"]})
    parts: list[RenderableType] = [
        Text(""),
        Text(f"{names} · {text.one_line(summary['game'])} · {played}{of}", "bold"),
        Text(""),
        figures if two else Board(summary),
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


def where(summary: Mapping[str, Any]) -> str:
    """The command that shows more, ready to paste."""
    return f"More: {text.command('show', summary['output'])}"


# ── a table of more than two ─────────────────────────────────────────────────────────────────────────

CAME_OF_IT = ("score", "rank", "points", "first", "forfeits")
ASKED = ("wrong first", "calls", "tokens in / out", "cost", "time to a move")


class Board:
    """The players of a table, best first: what came of it and, below, what asking took.

    As wide as whatever it is printed on.
    """

    def __init__(self, summary: Mapping[str, Any]) -> None:
        players = sorted(summary["players"], key=lambda player: -(player["score"] or 0))
        self.rows = [Row(player["label"], _table_figures(player)) for player in players]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.text import Text

        for columns in (CAME_OF_IT, ASKED):
            rows = [row for row in self.rows if any(row.cells[name] != text.NOTHING for name in columns)]
            if rows:
                left = fitting(rows, columns, options.max_width)
                yield standings(rows, left)
                if len(left) < len(columns):
                    yield Text(f"No room here for: {', '.join(columns[len(left) :])}.", "dim")
                yield Text("")
        yield Text(
            "score: the share of opponents beaten, ties half, with its 95 % interval over deals; rank and points: "
            "means; first: first places, a shared one by its share",
            "dim",
        )


def _table_figures(player: Mapping[str, Any]) -> dict[str, str]:
    rank, points = player["rank"], player["points"]
    figures = _result_figures(player)
    return figures | {
        "score": _share(player),
        "rank": text.NOTHING if rank is None else f"{rank:.2f}",
        "points": text.NOTHING if points is None else text.amount(points),
        "first": text.amount(player["firsts"]),
        "wrong first": figures["wrong first answers"] if player["calls"] else text.NOTHING,
    }


def _share(player: Mapping[str, Any]) -> str:
    """62.5 % [48, 75]; — in place of an interval that fewer than two deals do not give."""
    if player["score"] is None:
        return text.NOTHING
    low, high = player["score_low"], player["score_high"]
    within = "—" if low is None else f"{100 * low:.0f}, {100 * high:.0f}"
    played = player["wins"] + player["draws"] + player["losses"]
    beaten = round(player["score"] * played, 9)  # so that it reads as on the leaderboard, which has the sum
    return f"{text.percent(beaten, played)} [{within}]"


# ── a run for data ───────────────────────────────────────────────────────────────────────────────────

MET = ("games", "W/D/L %", "legal", "helped", "forfeits", "$/game", "plies", "decisions")
"""Columns of what a model met; the last go first."""


def _data(summary: Mapping[str, Any], *, hint: bool) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    played = text.plural(summary["matches"], "match", "matches")
    of = "" if summary["matches"] == summary["planned"] else f" of {summary['planned']}"
    made = text.plural(summary["decisions"], "decision")
    parts: list[RenderableType] = [
        Text(""),
        Text(f"{text.one_line(summary['game'])} · {played}{of} · {made} of models", "bold"),
        Text(""),
        Met(summary["lines"]),
        *(Text(line) for line in bills(summary)),
        Text(""),
        *(Text(line, "bold red") for line in stand_ins(summary)),
        *(Text(line) for line in remarks(summary)),
        *([Text(where(summary), "dim")] if hint else []),
    ]
    return Group(*parts)


class Met:
    """Of every model, whom it met in which game and what that came to: a table each.

    As wide as whatever it is printed on.
    """

    def __init__(self, lines: Sequence[Mapping[str, Any]]) -> None:
        games = {line["game"] for line in lines}
        self.rows: dict[str, list[Row]] = {}
        for line in lines:
            name = met(line["against"], line["game"] if len(games) > 1 else "")
            self.rows.setdefault(line["model"], []).append(Row(name, _met_figures(line)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.text import Text

        every = [row for rows in self.rows.values() for row in rows]
        columns = fitting(every, MET, options.max_width) if every else ()
        for model, rows in self.rows.items():
            yield standings(rows, columns, name=f"{text.one_line(model, 60)} vs")
            yield Text("")
        if len(columns) < len(MET):
            yield Text(
                f"No room here for: {', '.join(MET[len(columns) :])} (orchestrator show --json has all).",
                "dim",
            )
        yield Text("legal: decisions with a legal move at first; helped: after asking again", "dim")
        yield Text("")


def met(against: Iterable[str], game: str) -> str:
    """bot:greedy · connect4"""
    names = ", ".join(map(text.one_line, against))
    return f"{names} · {text.one_line(game)}" if game else names


def _met_figures(line: Mapping[str, Any]) -> dict[str, str]:
    rates = [line[name] for name in ("win", "draw", "loss")]
    cost = text.NOTHING if line["cost_per_game_usd"] is None else text.dollars(line["cost_per_game_usd"])
    return {
        "games": f"{line['games']:,}",
        "W/D/L %": text.NOTHING if None in rates else "/".join(f"{100 * rate:.0f}" for rate in rates),
        "legal": _rate(line["legal"]),
        "helped": _rate(line["helped"]),
        "forfeits": str(sum(line["forfeits"].values())),
        "$/game": "?" if line["unpriced_calls"] else cost,
        "plies": text.NOTHING if line["plies"] is None else f"{line['plies']:.1f}",
        "decisions": f"{line['decisions']:,}",
    }


def _rate(share: float | None) -> str:
    return text.NOTHING if share is None else text.percent(share, 1)


def bills(summary: Mapping[str, Any]) -> list[str]:
    """What asking each model took, and for what it forfeited."""
    lines = []
    for player in summary["players"]:
        if player["calls"]:
            figures = _result_figures(player)
            failed = f" ({player['failed_calls']:,} failed)" if player["failed_calls"] else ""
            told = [f"{text.plural(player['calls'], 'call')}{failed}"]
            told += [f"{figures['tokens in / out']} tokens", figures["cost"]]
            if figures["time to a move"] != text.NOTHING:
                told.append(f"{figures['time to a move']} to a move")
            lines.append(f"{text.one_line(player['label'])}: {' · '.join(told)}")
    forfeits: Counter[str] = Counter()
    for line in summary["lines"]:
        forfeits.update(line["forfeits"])
    if forfeits:
        kinds = ", ".join(f"{text.one_line(kind, 40)} {count:,}" for kind, count in forfeits.most_common())
        lines.append(f"Forfeits: {kinds}.")
    return lines


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
    took = text.duration(latency / 1000) if latency else text.NOTHING  # a call in a batch says nothing of it
    if latency and slow is not None:
        took += f", 95 % in {text.duration(slow / 1000)}"
    return dict(zip(names, (asked, f"{text.count(read)} / {text.count(written)}", cost, took), strict=True))
