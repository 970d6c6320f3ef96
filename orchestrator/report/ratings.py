"""How strong everybody is, over all the runs: one section for each board of `orchestrator.standings`.

A list sorted by rating claims more than is known, so each board says who can be told from whom (ranks as intervals,
groups, the chance of being stronger for every two), how it went between every two beside it, and what does not fit:
rings, misfits, players who never met. Elo as matches came in is drawn too, with its history; it depends on the order
of the matches and is labelled so.

Where everybody played every game, one more section has the mean over games; where not, it says what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from orchestrator import words
from orchestrator.ratings.elo import LABEL, START, live
from orchestrator.ratings.league import League
from orchestrator.remarks import found, leaders, legend
from orchestrator.report.section import (
    Axis,
    Column,
    Estimated,
    Figure,
    Heatmap,
    Intervals,
    Plot,
    Point,
    Run,
    Section,
    Series,
    Table,
    Value,
)
from orchestrator.standings import Board, Line, Overall, boards_of, over_games

MOST_DRAWN = 12  # lines of one plot
MOST_CROSSED = 24  # players of one matrix


def sections(runs: Sequence[Run]) -> list[Section]:
    """One for each board with a finished match, then one over the games where there are several."""
    boards = boards_of(run.result for run in runs)
    games = {board.title.partition(" · ")[0] for board in boards}
    over = over_games(boards, ()) if len(games) > 1 else []
    several = [each for each in over if len(each.games) > 1]  # a track with one game has nothing to join
    return of_boards(boards, several or over)


def of_boards(boards: Sequence[Board], over: Sequence[Overall]) -> list[Section]:
    """One for each board, however it was anchored, then one for each set of games that was taken together."""
    made = [_board(board, "ratings" if len(boards) == 1 else f"ratings-{slug(board)}") for board in boards]
    return made + [_overall(each, number) for number, each in enumerate(over, 1)]


def slug(board: Board) -> str:
    """Its title in a form that is safe in a file's name, a link and a key."""
    return re.sub(r"[^a-z0-9]+", "-", board.title.lower()).strip("-")


def _board(board: Board, key: str) -> Section:
    ranked = board.ranked()
    rated = [line for line in ranked if line.elo is not None]
    says = [*([leader] if (leader := leaders(board)) else []), *found(board)]
    rows, groups = [_row(board, line) for line in ranked], [line.rank and line.rank.group for line in ranked]
    table = Table("standings", "Standings", _columns(board), rows, legend(board), groups)
    figures: list[Figure] = [_intervals(board, rated)] if rated else []
    if board.league is not None and 2 < len(rated) <= MOST_CROSSED:
        figures += [_met(board, board.league, rated), _better(board, board.league, rated)]
    if len(board.played) > 1:
        figures.append(_live(board))
    return Section(key, f"Ratings: {board.title}", says, [table], figures)


# ── the table ────────────────────────────────────────────────────────────────────────────────────────


def _columns(board: Board) -> list[Column]:
    columns = [
        Column("player"), Column("#"), Column("Elo", "elo"), Column("marks"), Column("> next", "share"),
        Column("clean", "elo"), Column("score", "share"),
    ]  # fmt: skip
    if board.seats > 2:
        columns += [Column("rank", "number"), Column("points", "number"), Column("first", "share")]
    columns += [Column(name, "count") for name in ("wins", "draws", "losses", "matches", "pairs", "forfeits")]
    left_out = {"clean"} if not board.unclean else set()
    if len(board.lines) < 3:  # of two alone their result has it
        left_out.add("> next")
    return [column for column in columns if column.name not in left_out]


def _row(board: Board, line: Line) -> list[Value]:
    total = line.total
    row: list[Value] = [line.name, words.rank_text(line.rank), line.elo and Estimated(*line.elo), line.marks]
    if len(board.lines) > 2:
        row.append(line.better)
    if board.unclean:
        row.append(line.clean and Estimated(*line.clean))
    row.append(total.score if total.matches else None)
    if board.seats > 2:
        row += [total.rank, total.points, total.firsts / total.matches if total.matches else None]
    return [*row, total.wins, total.draws, total.losses, total.matches, line.pairs, total.forfeits]


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────


def _intervals(board: Board, rated: Sequence[Line]) -> Intervals:
    rows = [(line.name, Estimated(*line.elo)) for line in rated if line.elo is not None]
    groups = [line.rank.group for line in rated if line.rank is not None]
    return Intervals(
        "elo",
        "Elo with 95 % intervals",
        Axis(f"Elo above {board.zero}", "elo"),
        rows,
        groups,
        f"{len(set(groups))} groups can be told apart, all differences judged at once."
        if len(set(groups)) > 1
        else "No line can be drawn between any of them.",
    )


def _met(board: Board, league: League, rated: Sequence[Line]) -> Heatmap:
    keys, names = [board.key(line) for line in rated], [line.name for line in rated]
    scores: dict[tuple[str, str], tuple[float, int]] = {}
    for one in league.meetings:
        scores[one.first, one.second] = one.observed, round(one.compared)
        scores[one.second, one.first] = 1 - one.observed, round(one.compared)
    never: tuple[float | None, int] = (None, 0)
    cells = [[scores.get((mine, other), never) for other in keys] for mine in keys]
    return Heatmap(
        "head-to-head",
        "Score of the row against the column",
        names,
        names,
        [[value for value, _ in row] for row in cells],
        counts=[[count for _, count in row] for row in cells],
        says="Of matches in complete pairs; the best by rating on top.",
    )


def _better(board: Board, league: League, rated: Sequence[Line]) -> Heatmap:
    keys, names = [board.key(line) for line in rated], [line.name for line in rated]
    return Heatmap(
        "better",
        "The chance that the player of the row is stronger",
        names,
        names,
        [[league.better(mine, other) for other in keys] for mine in keys],
        says="By the ratings, each two on their own.",
    )


def _live(board: Board) -> Plot:
    """Of the best by where it ended, so many as can be told apart by eye."""
    history = live(board.results)
    last = history[-1][1]
    drawn = sorted(last, key=lambda key: (-last[key], key))[:MOST_DRAWN]
    series = [Series(board.lines[key].name, _course(history, key), "line") for key in drawn]
    left_out = f" The {MOST_DRAWN} highest of {len(last)}." if len(last) > MOST_DRAWN else ""
    return Plot(
        "live",
        f"Elo as matches came in, K = 32 from {START:.0f} ({LABEL})",
        Axis("matches", "count", low=0),
        Axis("Elo", "number"),  # from 1000: no difference, which would have a sign
        series,
        says=f"No result: another order of the same matches would end elsewhere, by some 40 Elo.{left_out}",
    )


def _course(history: Sequence[tuple[int, Mapping[str, float]]], key: str) -> list[Point]:
    """From 1000, at the last look before its first match."""
    before = max((number for number, elo in history if key not in elo), default=0)
    return [Point(before, START), *(Point(number, elo[key]) for number, elo in history if key in elo)]


# ── over games ───────────────────────────────────────────────────────────────────────────────────────


def _overall(over: Overall, number: int) -> Section:
    key = "overall" if number == 1 else f"overall-{number}"
    if over.refused:
        return Section(key, "Over all games", [f"There is no board over all games: {over.refused}."])
    says = [f"The mean over {', '.join(over.games)}; {over.set_to}."]
    columns = [Column("player"), Column("Elo", "elo")]
    rows = [(name, Estimated(*elo)) for name, elo in over.elo.items()]
    figure = Intervals("overall", "Elo over all games", Axis("Elo", "elo"), rows)
    return Section(
        key, f"Over {over.title}", says, [Table("overall", "Over all games", columns, rows)], [figure]
    )
