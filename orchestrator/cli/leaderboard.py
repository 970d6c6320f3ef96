"""`orchestrator leaderboard`: standings over many records, one table per game, number of seats and track.

Players are joined by their hash, so the same spec with the same style, track and parameters is one
player in all runs; but what the stand-in answered is never joined with what a model answered. Games,
variants, numbers of seats and tracks are never pooled. Only duels of two are rated, and from complete pairs
alone; everything else counts all finished matches. Pairs on one instance (the same seed played again in
another run) or that repeat each other move by move are no independent news: together they count as one
observation.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from orchestrator.cli import text
from orchestrator.cli.rows import Row, fitting, standings

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from orchestrator.ratings.bradley_terry import Interval, Pairing, Ratings
    from orchestrator.record.reading import Board as Played
    from orchestrator.record.reading import Played as Match
    from orchestrator.record.reading import RunResult, Standing
    from orchestrator.record.tables import Player

FEW_PAIRS = 30  # below this a rating is called provisional
ANCHOR = "bot:random"  # 0 Elo where it plays
COLUMNS = (
    "Elo",
    "score",
    "W/D/L",
    "wrong",
    "$/match",
    "median",
    "forfeits",
    "95 % in",
)  # the last go first
TABLE_COLUMNS = (
    "score",
    "rank",
    "points",
    "first",
    "matches",
    "forfeits",
    "wrong",
    "$/match",
    "median",
    "95 % in",
)
WRONG = "Wrong: a model's first answers that were no legal move; of all its moves."


@click.command(short_help="Standings over one run or many, with intervals.")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--game", metavar="NAME", help="Only this game.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(runs: tuple[Path, ...], game: str | None, as_json: bool) -> None:
    """Standings over RUNS, by default all of runs/*, one table per game, number of seats and track.

    Files that are no *.db are passed over, so that a shell's runs/* will do.

    Exit status: 1 if a record could not be read, 2 if none could.
    """
    from orchestrator.record.database import RecordError
    from orchestrator.record.reading import run_result

    paths = [path for path in runs if path.suffix == ".db" or not path.is_file()]
    if not runs:
        paths = sorted(path.parent for path in Path("runs").glob("*/record.db"))
    if not paths:
        raise click.UsageError("no records below runs/: play a duel first, or name the runs' directories")
    results, unread = [], 0
    for path in paths:
        try:
            results.append(run_result(path))
        except RecordError as error:
            click.echo(f"left out: {text.one_line(str(error), 400)}", err=True)
            unread += 1
    boards = [board for board in boards_of(results) if game in (None, board.game)]
    if as_json:
        click.echo(json.dumps([board.to_json() for board in boards], indent=2, allow_nan=False))
    else:
        _print(boards, game)
    sys.exit(0 if not unread else 1 if results else 2)


def _print(boards: Sequence[Board], game: str | None) -> None:
    console = text.console()
    for board in boards:
        console.print(board_table(board, console))
    if not boards:
        console.print(f"No finished match{f' of {game}' if game else ''} on record.")


# ── joining ──────────────────────────────────────────────────────────────────────────────────────────


class Pair(NamedTuple):
    """A complete pair: for every two of its players the first's mean score, and what it may hang together with."""

    pairings: list[Pairing]
    instance: Hashable  # equal for pairs from one seed
    moves: Hashable  # equal for exact repeats


@dataclass(slots=True)
class Line:
    """One player over all runs of a board."""

    player: Player
    name: str
    total: Standing
    rank: int | None = None
    elo: Interval | None = None
    pairs: int = 0  # that are independent of each other


@dataclass(slots=True)
class Board:
    """One game, one variant, so many seats, one set of tracks. `clusters`: pairs that hang together, one entry each.

    Only boards of two seats are rated: what a first place among four is worth, Elo cannot say.
    """

    game: str
    variant: Mapping[str, int]
    tracks: tuple[str, ...]
    seats: int = 2
    lines: dict[str, Line] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)
    clusters: list[list[Pair]] = field(default_factory=list)
    zero: str = "the mean of all"

    @property
    def title(self) -> str:
        parts = [self.game + "".join(f" {key}={value}" for key, value in sorted(self.variant.items()))]
        if self.seats > 2:
            parts.append(f"table of {self.seats}")
        if self.tracks:
            parts.append(f"{' and '.join(self.tracks)} track")
        return " · ".join(parts)

    def ranked(self) -> list[Line]:
        """By rating, then by score; the unrated last."""

        def key(line: Line) -> tuple[bool, float, float, str]:
            return line.elo is None, -(line.elo.mid if line.elo else 0), -line.total.score, line.name

        return sorted(self.lines.values(), key=key)

    def to_json(self) -> dict[str, Any]:
        return {
            "game": self.game,
            "variant": dict(self.variant),
            "seats": self.seats,
            "tracks": list(self.tracks),
            "pairs": len(self.pairs),
            "distinct_pairs": len(self.clusters),
            "elo_zero": self.zero if self.seats == 2 else None,
            "players": [line_json(line) for line in self.ranked()],
        }


def boards_of(results: Iterable[RunResult]) -> list[Board]:
    """Every game and track with a finished match, rated."""
    from orchestrator.record.reading import all_kept

    with all_kept():
        return _boards_of(results)


def _boards_of(results: Iterable[RunResult]) -> list[Board]:
    boards: dict[tuple[str, str, int, tuple[str, ...]], Board] = {}
    for played in (board for result in results for board in result.boards):
        if not played.finished:
            continue
        tracks = tuple(sorted({s.player.track for s in played.standings if s.player.track}))
        seats = len(played.standings)
        key = played.game, json.dumps(played.variant, sort_keys=True), seats, tracks
        board = boards.setdefault(key, Board(played.game, played.variant, tracks, seats))
        _join(board, played)
    for board in boards.values():
        board.clusters = clusters_of(board.pairs)
        _name(board)
        if board.seats == 2:
            _rate(board)
    return [board for _, board in sorted(boards.items())]


def _join(board: Board, played: Played) -> None:
    names = {standing.player.id: _identity(standing) for standing in played.standings}
    for standing in played.standings:
        name = names[standing.player.id]
        if name in board.lines:
            board.lines[name].total += standing
        else:
            # A duel numbers players of one label; over runs the number says nothing.
            label = re.sub(r" #\d+$", "", standing.player.label)
            board.lines[name] = Line(standing.player, label, standing)
    board.pairs += _complete_pairs(played, names)


def _identity(standing: Standing) -> str:
    return standing.player.hash + (" (stand-in)" if _fakes(standing) else "")


def _complete_pairs(played: Played, names: Mapping[int, str]) -> Iterator[Pair]:
    """Every pair that was played from all sides by players who differ."""
    from orchestrator.ratings.bradley_terry import Pairing

    pairs: dict[int, list[Match]] = {}
    for match in played.finished:
        pairs.setdefault(match.pair, []).append(match)
    rivals = [(a, b) for a, b in combinations(sorted(names), 2) if names[a] != names[b]]
    everybody = tuple(sorted(names.values()))
    for matches in pairs.values():
        if rivals and len(matches) == len(names):
            scores = [match.scores for match in matches]
            pairings = [
                Pairing(
                    names[a], names[b], sum(_beats(s[a], s[b]) for s in scores) / len(scores), len(scores)
                )
                for a, b in rivals
            ]
            instance = matches[0].seed, matches[0].opening, everybody
            moves = sorted(
                [(*map(names.__getitem__, match.sat), match.went or match.id.encode()) for match in matches]
            )
            yield Pair(pairings, instance, tuple(moves))


def clusters_of(pairs: Iterable[Pair]) -> list[list[Pair]]:
    """Pairs on one instance or with the same moves together, directly or by way of others."""
    above: dict[Hashable, Hashable] = {}

    def top(key: Hashable) -> Hashable:
        while above.setdefault(key, key) != key:
            key = above[key]
        return key

    pairs = list(pairs)
    for pair in pairs:
        above[top(pair.instance)] = top(pair.moves)
    clusters: dict[Hashable, list[Pair]] = {}
    for pair in pairs:
        clusters.setdefault(top(pair.moves), []).append(pair)
    return list(clusters.values())


def _beats(mine: float, other: float) -> float:
    return 1.0 if mine > other else 0.5 if mine == other else 0.0


def _name(board: Board) -> None:
    """Labels; where two players share one their specs, and where they share that too what else differs."""
    lines = list(board.lines.values())
    labels = [line.name for line in lines]
    for line, label in zip(lines, labels, strict=True):
        like = [other.player for other, its in zip(lines, labels, strict=True) if its == label]
        if len(like) > 1:
            same = [player for player in like if player.spec == line.player.spec]
            line.name = " ".join([line.player.spec, *_differing(line.player, same)])
        if _fakes(line.total):
            line.name += " (stand-in)"


def _differing(player: Player, others: Sequence[Player]) -> list[str]:
    """The settings in which players of one spec differ."""
    settings = [{"style": one.style, "track": one.track, **one.parameters} for one in (player, *others)]
    mine, *_ = settings
    differ = {name: value for name, value in mine.items() if any(s.get(name) != value for s in settings)}
    told = {name: value for name, value in differ.items() if name not in ("prompts", "price", "endpoint")}
    return [f"{name}={value}" for name, value in (told or differ).items()]


# ── rating ───────────────────────────────────────────────────────────────────────────────────────────


def _rate(board: Board) -> None:
    """Elo with 95 % intervals: by Bradley–Terry; of two players alone exactly as their duel said it."""
    from orchestrator.ratings.bradley_terry import fit

    if not board.pairs:
        return
    ratings = fit([list(chain.from_iterable(pair.pairings for pair in pairs)) for pairs in board.clusters])
    anchor = _anchor(board, ratings)
    if anchor is not None:
        board.zero = board.lines[anchor].name
    for name in ratings.players:
        line = board.lines[name]
        line.pairs = ratings.clusters[ratings.players.index(name)]
        line.rank = ratings.rank(name)
        line.elo = ratings.about_mean(name) if anchor is None else ratings.difference(name, anchor)
    if len(ratings.players) == 2 and anchor is not None:
        _rate_two(board, ratings, anchor)


def _anchor(board: Board, ratings: Ratings) -> str | None:
    """Who is 0 Elo: the random bot; of two players the weaker; else nobody but the mean."""
    for name in ratings.players:
        if board.lines[name].player.spec == ANCHOR:
            return name
    if len(ratings.players) == 2:
        return min(ratings.players, key=lambda name: ratings.elo[ratings.players.index(name)])
    return None


def _rate_two(board: Board, ratings: Ratings, anchor: str) -> None:
    """Exactly what the duel itself said at its end, over all its runs."""
    from orchestrator.ratings.bradley_terry import Interval
    from orchestrator.ratings.pairs import estimate

    (other,) = (name for name in ratings.players if name != anchor)
    scores = [p.score if p.first == other else 1 - p.score for pair in board.pairs for p in pair.pairings]
    estimated = estimate(scores, len(board.clusters))
    if estimated is not None:
        board.lines[other].elo = Interval(estimated.elo_low, estimated.elo, estimated.elo_high)
        board.lines[other].rank = 2 if estimated.elo_high < 0 else 1
        board.lines[anchor].rank = 2 if estimated.elo_low > 0 else 1


# ── showing ──────────────────────────────────────────────────────────────────────────────────────────


def board_table(board: Board, console: Console) -> RenderableType:
    """The standings with notes; columns that a narrow terminal has no room for are left out, and named."""
    from rich.console import Group
    from rich.text import Text

    wanted = TABLE_COLUMNS if board.seats > 2 else COLUMNS
    first = "" if board.seats > 2 else "#"
    rows = [Row(line.name, _cells(line)) for line in board.ranked()]
    columns = fitting(rows, wanted, console.width - (4 if first else 0))
    notes = _table_notes(board) if board.seats > 2 else _notes(board)
    notes += _stand_ins(board)
    if len(columns) < len(wanted):
        notes.append(f"No room here for: {', '.join(wanted[len(columns) :])} (all in --json).")
    title = Text(text.one_line(board.title), "bold")
    return Group(
        title,
        Text(""),
        standings(rows, columns, first=first),
        Text(""),
        *(Text(note, "dim") for note in notes),
        Text(""),
    )


def _cells(line: Line) -> dict[str, str]:
    total = line.total
    middle, slow = total.latency_ms(0.5, 0.95)
    return {
        "#": text.NOTHING if line.rank is None else str(line.rank),
        "Elo": _elo(line),
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


def _elo(line: Line) -> str:
    if line.elo is None:
        return text.NOTHING
    if line.elo.low == line.elo.high:
        return "0"
    return text.elo(line.elo.low, line.elo.mid, line.elo.high) + ("*" if line.pairs < FEW_PAIRS else "")


def _per_match(total: Standing) -> str:
    if not total.calls:
        return text.NOTHING
    return "?" if total.unpriced_calls else text.money(round(total.cost_pico / max(1, total.matches)))


def _notes(board: Board) -> list[str]:
    if not board.pairs:
        return ["No pair was completed: no ratings yet."]
    pairs = text.plural(len(board.pairs), "complete pair")
    notes = [f"Elo above {text.one_line(board.zero)} with its 95 % interval, from {pairs}."]
    if repeats := len(board.pairs) - len(board.clusters):
        notes.append(
            f"{text.plural(repeats, 'pair')} repeat others (the same seed, or move by move): intervals count "
            f"only the {len(board.clusters)} different."
        )
    notes += [
        WRONG,
        "Rank: 1 + the players who are better beyond the interval of the difference; a shared rank is a tie.",
    ]
    if any(line.elo is not None and line.pairs < FEW_PAIRS for line in board.lines.values()):
        notes.append(f"* provisional: fewer than {FEW_PAIRS} pairs.")
    return notes


def _table_notes(board: Board) -> list[str]:
    """What the figures of a table are; and what they are not."""
    notes = [
        "Score: the share of opponents beaten, ties half. First: of its matches; a shared first place by its share.",
        "Means of all finished matches. No rating: a score is worth what the others at the table are worth.",
    ]
    if len(board.clusters) < len(board.pairs):
        notes.append(
            f"Of {text.plural(len(board.pairs), 'complete deal')} {len(board.clusters)} are different: what "
            "repeats another (the same seed, or move by move) is counted again."
        )
    if any(line.total.paid < line.total.matches for line in board.lines.values()):
        notes.append(
            "Points: without the matches that a forfeit ended, where nobody knows what they would have paid."
        )
    return [*notes, WRONG]


def _stand_ins(board: Board) -> list[str]:
    return [
        f"STAND-IN: {text.one_line(line.name)} was answered by {text.one_line(', '.join(fakes))}."
        for line in board.ranked()
        if (fakes := _fakes(line.total))
    ]


def _fakes(total: Standing) -> list[str]:
    from orchestrator.cli.result import stood_in

    return stood_in(total.player.spec, total.reported)


def line_json(line: Line) -> dict[str, Any]:
    total = line.total
    middle, slow = total.latency_ms(0.5, 0.95)
    return {
        "rank": line.rank,
        "name": line.name,
        "spec": line.player.spec,
        "hash": line.player.hash,
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
        "decisions": total.decisions,
        "wrong_first": total.wrong_first,
        "calls": total.calls,
        "cost_usd": total.cost_pico / text.PICO,
        "possibly_billed_usd": total.possibly_pico / text.PICO,
        "unpriced_calls": total.unpriced_calls,
        "latency_ms": middle,
        "latency_p95_ms": slow,
        "elo": line.elo and round(line.elo.mid, 1),
        "elo_low": line.elo and round(line.elo.low, 1),
        "elo_high": line.elo and round(line.elo.high, 1),
    }
