"""`orchestrator leaderboard`: standings over many records, one table per game, number of seats and track.

Options and printing. Whose results are joined, and how they are rated, is said in `orchestrator.standings`; forms for
programs and pages are in `forms`.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli import text
from orchestrator.cli.forms import (
    rated_text,
    to_csv,
    to_json,
    to_markdown,
)
from orchestrator.cli.records import read_all
from orchestrator.cli.rows import Row, fitting, standings
from orchestrator.ratings.anchor import Anchor
from orchestrator.remarks import notes
from orchestrator.standings import Board, Line, Overall, boards_of, over_games

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from orchestrator.record.reading import Standing
    from orchestrator.report.section import Run

COLUMNS = (
    "Elo",
    "> next",
    "clean",
    "score",
    "$/match",
    "W/D/L",
    "wrong",
    "median",
    "forfeits",
    "95 % in",
)  # the last go first
TABLE_COLUMNS = (
    "Elo",
    "> next",
    "clean",
    "score",
    "$/match",
    "rank",
    "points",
    "first",
    "matches",
    "forfeits",
    "wrong",
    "median",
    "95 % in",
)


@click.command(short_help="Standings over one run or many, with intervals.")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--game", metavar="NAME", help="Only this game.")
@click.option(
    "--anchor",
    "anchors",
    metavar="SPEC=ELO",
    multiple=True,
    callback=lambda _context, _option, given: tuple(_anchor_of(each) for each in given),
    help="Who is at so many Elo, such as bot:random=0; by default the weakest bot, at 0. A second one sets the "
    "unit of --overall.",
)
@click.option("--overall", is_flag=True, help="Also one board over all games, if all players share them.")
@click.option("--json", "form", flag_value="json", help="For programs: all there is.")
@click.option("--csv", "form", flag_value="csv", help="A row per player and board.")
@click.option("--markdown", "form", flag_value="markdown", help="For an issue, with who is better than whom.")
@click.option("--html", "form", flag_value="html", help="One page with plots that opens from disk.")
@click.option("--to", type=click.Path(path_type=Path), help="Where to write it, instead of to the screen.")
def command(
    runs: tuple[Path, ...],
    game: str | None,
    anchors: tuple[Anchor, ...],
    overall: bool,
    form: str | None,
    to: Path | None,
) -> None:
    """Standings over RUNS, by default all of runs/*, one table per game, number of seats and track.

    Files that are no *.db are passed over, so that a shell's runs/* will do.

    Exit status: 1 if a record could not be read or --overall cannot be had, 2 if no record could.
    """
    from orchestrator.cli.drawn.delivery import check, write
    from orchestrator.cli.drawn.sheet import of_game

    check(form, to)
    found, unread = read_all(runs)
    results = [run.result for run in found]
    boards = [board for board in boards_of(results, anchors) if game in (None, board.game)]
    over = over_games(boards, anchors) if overall else []
    if form == "json":
        write(json.dumps(to_json(boards, over), indent=2, allow_nan=False) + "\n", to)
    elif form == "csv":
        write(to_csv(boards, over), to)
    elif form == "markdown":
        write(to_markdown(boards, over), to)
    elif form == "html":
        words = [*map(str, runs), *(["--game", game] if game else []), *(["--overall"] if overall else [])]
        words += [word for each in anchors for word in ("--anchor", f"{each.player}={each.elo:g}")]
        words += ["--html", *(["--to", str(to)] if to else [])]
        kept = found if game is None else of_game(found, game)
        write(_page(kept, boards, over, text.command("leaderboard", *words)), to)
    else:
        _print(boards, game, over)
    refused = [each.refused for each in over if each.refused]
    for why in refused:
        click.echo(f"no overall board: {text.one_line(why, 2000)}", err=True)
    sys.exit(2 if not results else 1 if unread or refused else 0)


def _page(runs: Sequence[Run], boards: Sequence[Board], over: Sequence[Overall], again: str) -> str:
    """The boards as a report of ratings alone, in the look of `orchestrator report`."""
    from orchestrator.cli.drawn.delivery import told
    from orchestrator.cli.drawn.sheet import sheet_of
    from orchestrator.report.ratings import of_boards

    shown = [each for each in over if not each.refused]
    return told(sheet_of(runs, of_boards(boards, shown), again, "leaderboard"), "html")


def _anchor_of(given: str) -> Anchor:
    player, _, elo = given.rpartition("=")
    try:
        anchor = Anchor(player, float(elo))
    except ValueError:
        anchor = Anchor("", 0.0)
    if not anchor.player or not math.isfinite(anchor.elo):
        raise click.BadParameter(f"got {given!r}, expected a player and its Elo, such as bot:random=0")
    return anchor


def _print(boards: Sequence[Board], game: str | None, over: Sequence[Overall]) -> None:
    console = text.console()
    for board in boards:
        console.print(board_table(board, console))
    for each in over:
        if not each.refused:
            console.print(overall_table(each))
    if not boards:
        console.print(f"No finished match{f' of {game}' if game else ''} on record.")


# ── showing ──────────────────────────────────────────────────────────────────────────────────────────


def board_table(board: Board, console: Console) -> RenderableType:
    """The standings with notes; columns that a narrow terminal has no room for are left out, and named."""
    from rich.console import Group
    from rich.text import Text

    wanted = [name for name in (TABLE_COLUMNS if board.seats > 2 else COLUMNS) if _applies(board, name)]
    rows = _rows(board)
    columns = fitting(rows, wanted, console.width - max(len(row.cells["#"]) for row in rows) - 2)
    told = notes(board)
    if len(columns) < len(wanted):
        told.append(f"No room here for: {', '.join(wanted[len(columns) :])} (all in --json).")
    title = Text(text.one_line(board.title), "bold")
    return Group(
        title,
        Text(""),
        standings(rows, columns, first="#"),
        Text(""),
        *(Text(note, "dim") for note in told),
        Text(""),
    )


def _applies(board: Board, column: str) -> bool:
    if column == "clean":
        return board.unclean > 0
    return column != "> next" or len(board.lines) > 2


def _rows(board: Board) -> list[Row]:
    """With a gap between groups, where there are any of more than one."""
    ranked = board.ranked()
    groups = [line.rank.group if line.rank else 0 for line in ranked]
    if len(set(groups)) == len(groups):
        groups = [0] * len(groups)
    following = [*groups[1:], groups[-1]] if groups else []
    return [
        Row(line.name, _cells(line), group != after)
        for line, group, after in zip(ranked, groups, following, strict=True)
    ]


def _cells(line: Line) -> dict[str, str]:
    total = line.total
    middle, slow = total.latency_ms(0.5, 0.95)
    return {
        "#": text.rank_text(line.rank),
        "Elo": rated_text(line),
        "> next": text.chance_text(line.better),
        "clean": text.NOTHING if line.clean is None else text.elo_text(line.clean),
        "score": text.percent(total.total_score, total.matches),
        "W/D/L": f"{total.wins}/{total.draws}/{total.losses}",
        "rank": text.NOTHING if total.rank is None else f"{total.rank:.2f}",
        "points": text.NOTHING if total.points is None else text.amount(total.points),
        "first": text.percent(total.firsts, total.matches),
        "matches": str(total.matches),
        "wrong": text.percent(total.wrong_first, total.decisions),
        "$/match": _per_match(total),
        "median": text.NOTHING if middle is None else text.duration(middle / 1000),
        "forfeits": str(total.forfeits),
        "95 % in": text.NOTHING if slow is None else text.duration(slow / 1000),
    }


def _per_match(total: Standing) -> str:
    if not total.calls:
        return text.NOTHING
    return "?" if total.unpriced_calls else text.money(round(total.cost_pico / max(1, total.matches)))


def overall_table(over: Overall) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    rows = [Row(name, {"Elo": text.elo_text(elo)}) for name, elo in over.elo.items()]
    return Group(
        Text(over.title, "bold"),
        Text(""),
        standings(rows, ["Elo"]),
        Text(""),
        Text(f"Mean over games; {text.one_line(over.set_to)}.", "dim"),
        *(Text(f"- {text.one_line(game)}", "dim") for game in over.games),
        Text(""),
    )
