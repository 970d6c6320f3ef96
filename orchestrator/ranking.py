"""What came of a tournament, as plain JSON values: everybody by rating, and how often who met whom.

The ratings are those of `orchestrator leaderboard` over this one run (`standings`): fitted to who met whom, so that it
does no harm where some met oftener than others, which the plain score does not survive.
"""

from __future__ import annotations

from typing import Any

from orchestrator.record.reading import RunResult
from orchestrator.remarks import found, leaders, legend
from orchestrator.standings import Board, Line, boards_of


def ranking(result: RunResult) -> dict[str, Any]:
    """`ranking` has a board for each track (one as a rule), `meetings` every two who met, in pairs.

    `says` is what may be said of them in sentences, `legend` how to read the figures.
    """
    boards = boards_of([result])
    return {
        "ranking": [_board(board) for board in boards],
        "meetings": _meetings(result),
        "says": [
            f"{board.title}: {told}" if len(boards) > 1 else told
            for board in boards
            for told in (leaders(board), *found(board))
            if told
        ],
        "legend": list(dict.fromkeys(told for board in boards for told in legend(board))),
    }


def _board(board: Board) -> dict[str, Any]:
    return {
        "title": board.title,
        "zero": board.zero if board.league else None,
        "pairs": len(board.pairs),
        "players": [_line(line) for line in board.ranked()],
    }


def _line(line: Line) -> dict[str, Any]:
    """`player` is its number in the run; without a complete pair it has neither a rating nor a rank."""
    total = line.total
    elo = (None, None, None) if line.elo is None else tuple(round(end, 1) for end in line.elo)
    return {
        "player": line.player.id,
        "label": line.name,
        "rank_low": line.rank and line.rank.low,
        "rank_high": line.rank and line.rank.high,
        "group": line.rank and line.rank.group,
        "elo_low": elo[0],
        "elo": elo[1],
        "elo_high": elo[2],
        "marks": line.marks,
        "better": line.better,
        "pairs": line.pairs,
        "matches": total.matches,
        "score": total.score if total.matches else None,
        "wins": total.wins,
        "draws": total.draws,
        "losses": total.losses,
        "forfeits": total.forfeits,
        "cost_usd": total.cost_pico / 1e12,
    }


def _meetings(result: RunResult) -> list[dict[str, Any]]:
    """At every board that was played: by number who sat there, complete pairs, and each one's mean score in them."""
    return [
        {
            "players": [standing.player.id for standing in board.standings],
            "pairs": len(board.pairs),
            "scores": [
                sum(pair[standing.player.id] for pair in board.pairs) / len(board.pairs)
                if board.pairs
                else None
                for standing in board.standings
            ],
        }
        for board in sorted(result.boards, key=lambda board: [each.player.id for each in board.standings])
    ]
