"""The result of a tournament on a screen: everybody by rating as on the leaderboard, and what it took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.cli import text
from orchestrator.cli.result import where
from orchestrator.cli.rows import Row, fitting, standings
from orchestrator.ratings.bradley_terry import Interval
from orchestrator.ratings.league import Rank
from orchestrator.remarks import WRONG, remarks, stand_ins

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

COLUMNS = ("Elo", "> next", "score", "pairs", "cost", "W/D/L", "forfeits", "wrong", "tokens in / out")
"""The last go first."""


def ranking_table(summary: Mapping[str, Any], *, hint: bool = True) -> RenderableType:
    """What came of a tournament, from its summary. `hint` adds the command that shows more."""
    from rich.console import Group
    from rich.text import Text

    played = text.plural(summary["matches"], "match", "matches")
    of = "" if summary["matches"] == summary["planned"] else f" of {summary['planned']}"
    who = text.plural(len(summary["players"]), "player")
    parts: list[RenderableType] = [
        Text(""),
        Text(f"{who} · {text.one_line(summary['game'])} · {played}{of}", "bold"),
        Text(""),
    ]
    for board in summary["ranking"]:
        if len(summary["ranking"]) > 1:
            parts += [Text(text.one_line(board["title"]), "bold"), Text("")]
        parts += [Ranking(summary, board), Text("")]
    if not summary["ranking"]:
        parts.append(Text("No match was finished, so nothing can be said of anybody."))
    return Group(
        *parts,
        *(Text(line, "bold red") for line in stand_ins(summary)),
        *(Text(text.one_line(line)) for line in summary["says"]),
        *(Text(line) for line in [bill(summary), *remarks(summary)] if line),
        *(Text(text.one_line(line), "dim") for line in summary["legend"] if line != WRONG or bill(summary)),
        *([Text(where(summary), "dim")] if hint else []),
    )


class Ranking:
    """The players of a board, the best first, with a gap between those who can be told apart.

    As wide as whatever it is printed on.
    """

    def __init__(self, summary: Mapping[str, Any], board: Mapping[str, Any]) -> None:
        groups = [line["group"] for line in board["players"]]
        if len(set(groups)) == len(groups):
            groups = [None] * len(groups)
        after = [*groups[1:], groups[-1]]
        self.rows = [
            Row(line["label"], _cells(line, summary["players"][line["player"] - 1]), group != following)
            for line, group, following in zip(board["players"], groups, after, strict=True)
        ]
        self.wanted = [name for name in COLUMNS if any(row.cells[name] != text.NOTHING for row in self.rows)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.text import Text

        room = options.max_width - max(len(row.cells["#"]) for row in self.rows) - 2
        columns = fitting(self.rows, self.wanted, room)
        yield standings(self.rows, columns, first="#")
        if left := self.wanted[len(columns) :]:
            yield Text(f"No room here for: {', '.join(left)}.", "dim")


def _cells(line: Mapping[str, Any], player: Mapping[str, Any]) -> dict[str, str]:
    rated = line["elo"] is not None
    rank = Rank(line["rank_low"], line["rank_high"], line["group"]) if line["rank_low"] else None
    elo = Interval(line["elo_low"], line["elo"], line["elo_high"]) if rated else None
    asked = bool(player["calls"])
    unknown = "?" if player["unpriced_calls"] else text.dollars(player["cost_usd"])
    tokens = f"{text.count(player['input_tokens'])} / {text.count(player['output_tokens'])}"
    return {
        "#": text.rank_text(rank),
        "Elo": text.elo_text(elo) + line["marks"],
        "> next": text.chance_text(line["better"]),
        "score": text.NOTHING if line["score"] is None else text.percent(line["score"], 1),
        "pairs": str(line["pairs"]),
        "cost": unknown if asked else text.NOTHING,
        "W/D/L": f"{line['wins']}/{line['draws']}/{line['losses']}",
        "forfeits": str(line["forfeits"]) if line["forfeits"] else text.NOTHING,
        "wrong": text.percent(player["wrong_first"], player["decisions"]) if asked else text.NOTHING,
        "tokens in / out": tokens if asked else text.NOTHING,
    }


def bill(summary: Mapping[str, Any]) -> str:
    """What it came to; nothing where nobody was asked."""
    if not any(player["calls"] for player in summary["players"]):
        return ""
    per_match = summary["cost_usd"] / max(1, summary["matches"])
    return f"{text.dollars(summary['cost_usd'])} in all, {text.dollars(per_match)} a match."
