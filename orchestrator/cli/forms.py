"""The boards of `leaderboard` for programs and pages: JSON with all there is, CSV rows, Markdown."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.cli import text
from orchestrator.remarks import notes
from orchestrator.standings import AS_STAND_IN

if TYPE_CHECKING:
    from orchestrator.ratings.bradley_terry import Interval
    from orchestrator.ratings.league import League
    from orchestrator.standings import Board, Line, Overall

WIDEST_MATRIX = 16  # players, in Markdown


def rated_text(line: Line) -> str:
    """With its marks; who is set to a rating needs none."""
    told = text.elo_text(line.elo)
    return told + line.marks


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────


def to_json(boards: Iterable[Board], over: Sequence[Overall] = ()) -> Any:
    """The boards; with boards over games beside them where such were asked for."""
    told = [board_json(board) for board in boards]
    return {"boards": told, "overall": [overall_json(each) for each in over]} if over else told


def board_json(board: Board) -> dict[str, Any]:
    """A board's players by rank, and what their ratings rest on; players are named as in `players`."""
    return {
        "game": board.game,
        "variant": dict(board.variant),
        "seats": board.seats,
        "tracks": list(board.tracks),
        "pairs": len(board.pairs),
        "distinct_pairs": len(board.clusters),
        "unpaired_matches": board.unpaired,
        "unclean_matches": board.unclean,
        "trackless_matches": board.trackless,
        "elo_zero": board.zero if board.league else None,
        "players": [line_json(board, line) for line in board.ranked()],
        "rating": board.league and rating_json(board, board.league),
        "live": _live_json(board),
    }


def rating_json(board: Board, league: League) -> dict[str, Any]:
    from orchestrator.ratings.bradley_terry import PRIOR_ELO

    names = {key: line.name for key, line in board.lines.items()}
    order = [board.key(line) for line in board.ranked() if line.elo is not None]
    fitness, davidson = league.fitness, league.davidson
    return {
        "model": "half-tie Bradley-Terry with seats; intervals are sandwiches over clusters of pairs",
        "prior_elo": PRIOR_ELO,
        "matches": league.counts.matches,
        "clusters": league.ratings.all_clusters,
        "seats": _seats_json(board, league),
        "draws_between_equals": _interval_json(davidson.tie_rate, 4) if league.ties else None,
        "order": [names[key] for key in order],
        "better": [[_rounded(league.better(one, other), 4) for other in order] for one in order],
        "differences": [
            [
                _interval_json(league.ratings.difference(one, other)) if other in league.island(one) else None
                for other in order
            ]
            for one in order
        ],
        "islands": [[names[key] for key in island] for island in league.islands],
        "strongly_connected": [[names[key] for key in block] for block in league.blocks],
        "fit": fitness and {
            "chi_square": round(fitness.chi_square, 2),
            "degrees": fitness.degrees,
            "p": round(fitness.p, 5),
            "spread": round(fitness.spread, 4),
        },
        "rings": [[names[key] for key in ring] for ring in league.rings],
        "meetings": [
            {
                "first": names[one.first],
                "second": names[one.second],
                "clusters": one.clusters,
                "observed": round(one.observed, 4),
                "expected": round(one.expected, 4),
                "z_against_half": round(one.z, 3),
                "predicted_win_draw_loss": _predicted(board, league, one.first, one.second),
            }
            for one in league.meetings
        ],
    }  # fmt: skip


def _seats_json(board: Board, league: League) -> list[dict[str, Any]]:
    """What each seat is worth more than the others: in expected score (half-tie), and wins to losses."""
    return [
        {
            "seat": seat,
            "elo": _interval_json(league.ratings.seat_effect(board.seats, seat)),
            "davidson_elo": _interval_json(league.davidson.seat_effect(board.seats, seat)),
        }
        for seat in range(board.seats)
    ]


def _predicted(board: Board, league: League, one: str, other: str) -> list[float] | None:
    """By Davidson, seats swapped; of two alone at a table."""
    if board.seats > 2:
        return None
    return [round(chance, 4) for chance in league.davidson.expected(one, other)]


def _live_json(board: Board) -> dict[str, Any]:
    """Elo as matches came in, with the counts that any other figure can be had from."""
    from orchestrator.ratings.elo import history_json

    told = history_json(board.results)
    names = {key: line.name for key, line in board.lines.items()}
    told["elo"] = {names[key]: elo for key, elo in told["elo"].items()}
    for point in told["history"]:
        point["elo"] = {names[key]: elo for key, elo in point["elo"].items()}
    return told | {"pair_counts": _pair_counts(board, names) if board.seats == 2 else None}


def _pair_counts(board: Board, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Of every two players how many complete pairs gave the first 0, ½, 1, 1½ and 2 points."""
    counts: dict[tuple[str, ...], list[int]] = {}
    for pair in board.pairs:
        two = tuple(sorted(pair.results[0].players))
        points = sum(result.scores[result.players.index(two[0])] for result in pair.results)
        counts.setdefault(two, [0] * 5)[round(2 * points)] += 1
    return [
        {"first": names[one], "second": names[other], "points_0_to_2": found}
        for (one, other), found in sorted(counts.items())
    ]


def line_json(board: Board, line: Line) -> dict[str, Any]:
    total = line.total
    middle, slow = total.latency_ms(0.5, 0.95)
    return {
        "rank": line.rank and line.rank.low,
        "rank_high": line.rank and line.rank.high,
        "group": line.rank and line.rank.group,
        "name": line.name,
        "spec": line.player.spec,
        "hash": board.key(line).removesuffix(AS_STAND_IN),
        "style": line.player.style,
        "track": line.player.track,
        "reported": total.reported,
        "matches": total.matches,
        "pairs": line.pairs,
        "score": total.score,
        "wins": total.wins,
        "draws": total.draws,
        "losses": total.losses,
        "firsts": round(total.firsts, 4),
        "mean_rank": total.rank,
        "points": total.points,
        "forfeits": total.forfeits,
        "fallbacks": total.fallbacks,
        "decisions": total.decisions,
        "wrong_first": total.wrong_first,
        "calls": total.calls,
        "cost_usd": total.cost_pico / text.PICO,
        "possibly_billed_usd": total.possibly_pico / text.PICO,
        "unpriced_calls": total.unpriced_calls,
        "latency_ms": middle,
        "latency_p95_ms": slow,
        **_elo_json("elo", line.elo),
        **_elo_json("clean_elo", line.clean),
        "better_than_next": _rounded(line.better, 4),
        "provisional": line.provisional,
        "rests_on_prior": line.adrift,
    }


def _elo_json(name: str, elo: Interval | None) -> dict[str, float | None]:
    low, mid, high = elo or (None, None, None)
    return {name: _rounded(mid), f"{name}_low": _rounded(low), f"{name}_high": _rounded(high)}


def overall_json(over: Overall) -> dict[str, Any]:
    return {
        "games": list(over.games),
        "tracks": list(over.tracks),
        "anchors": {each.player: each.elo for each in over.anchors},
        "refused": over.refused or None,
        "players": [{"name": name, **_elo_json("elo", elo)} for name, elo in over.elo.items()],
    }


def _interval_json(found: Interval, digits: int = 1) -> list[float]:
    return [round(each, digits) for each in found]


def _rounded(number: float | None, digits: int = 1) -> float | None:
    return None if number is None else round(number, digits) + 0.0


# ── CSV ──────────────────────────────────────────────────────────────────────────────────────────────


def to_csv(boards: Iterable[Board], over: Iterable[Overall] = ()) -> str:
    """A row per player and board, those over games last; no value begins as a formula of a spreadsheet would."""
    rows = [row for board in boards for row in _board_rows(board)]
    rows += [row for each in over for row in _overall_rows(each)]
    stream = io.StringIO()
    if rows:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _plain(value) for name, value in row.items()} for row in rows)
    return stream.getvalue()


def _board_rows(board: Board) -> Iterator[dict[str, Any]]:
    at = {
        "game": board.game,
        "variant": " ".join(f"{key}={value}" for key, value in sorted(board.variant.items())),
        "seats": board.seats,
        "tracks": " ".join(board.tracks),
    }
    for line in board.ranked():
        yield at | line_json(board, line) | {"reported": " ".join(line.total.reported)}


def _overall_rows(over: Overall) -> Iterator[dict[str, Any]]:
    """What there is over games: a name and its Elo."""
    for name, elo in over.elo.items():
        yield {"game": over.title, "tracks": " ".join(over.tracks), "name": name, **_elo_json("elo", elo)}


def _plain(value: Any) -> Any:
    return text.formula_free(value) if isinstance(value, str) else value


# ── Markdown ─────────────────────────────────────────────────────────────────────────────────────────


def to_markdown(boards: Iterable[Board], over: Iterable[Overall] = ()) -> str:
    """Standings, who is better than whom, and how it went between every two."""
    parts = [part for board in boards for part in _board_markdown(board)]
    for each in over:
        if not each.refused:
            rows = [[_cell(name), text.elo_text(elo)] for name, elo in each.elo.items()]
            parts += [f"## {_cell(each.title)}", _table(["player", "Elo"], rows)]
    return "\n\n".join(parts) + "\n" if parts else ""


def _board_markdown(board: Board) -> list[str]:
    ranked = board.ranked()
    heads = ["#", "player", "Elo", *(["clean"] if board.unclean else []), "score", "matches", "W/D/L", "$"]
    rows = []
    for line in ranked:
        total = line.total
        rows.append(
            [
                text.rank_text(line.rank), _cell(line.name), _cell(rated_text(line)),
                *([text.elo_text(line.clean)] if board.unclean else []),
                text.percent(total.total_score, total.matches), str(total.matches),
                f"{total.wins}/{total.draws}/{total.losses}", text.money(total.cost_pico),
            ]
        )  # fmt: skip
    parts = [f"## {_cell(board.title)}", _table(heads, rows), *(_cell(note) for note in notes(board))]
    rated = [line for line in ranked if line.elo is not None]
    if board.league is not None and 2 < len(rated) <= WIDEST_MATRIX:
        parts += _matrices(board, board.league, rated)
    return parts


def _matrices(board: Board, league: League, rated: Sequence[Line]) -> list[str]:
    """The chance that the player of the row is stronger, and what each scored: observed (expected)."""
    keys = [board.key(line) for line in rated]
    names = [_cell(line.name) for line in rated]
    met = {(one.first, one.second): (one.observed, one.expected) for one in league.meetings}
    met |= {(j, i): (1 - observed, 1 - expected) for (i, j), (observed, expected) in met.items()}
    numbers = [str(k) for k in range(1, len(rated) + 1)]
    better, scores = [], []
    for number, key, name in zip(numbers, keys, names, strict=True):
        head = f"{number} {name}"
        better.append([head, *(text.chance_text(league.better(key, other)) for other in keys)])
        scores.append(
            [
                head,
                *("{:.0%} ({:.0%})".format(*met[key, k]) if (key, k) in met else text.NOTHING for k in keys),
            ]
        )
    return [
        "Chance that the player of the row is stronger:",
        _table(["", *numbers], better),
        "Score of the row against the column, and in brackets what the ratings expect:",
        _table(["", *numbers], scores),
    ]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---" if head == "player" else "---:" for head in heads], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(foreign: str) -> str:
    """Foreign text as Markdown shows it, not reads it."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&!])", r"\\\1", text.one_line(foreign))
