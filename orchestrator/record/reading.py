"""Reading records back: standings of one run or of many, and one match with all that led to it.

Everything that is printed comes from here, that is from the record: what a run shows at its end is
what `leaderboard` shows of it a year later. Standings are sums of the tallies that every match leaves when it
is over (`tallies.py`), so a run of a million decisions is read in a second; the matches still open are counted
as they stand. A record may be somebody else's and hold anything; whatever cannot be made sense of is a
RecordError.
"""

from __future__ import annotations

import gc
import json
import math
import sqlite3
import zlib
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from orchestrator.record import tables
from orchestrator.record.database import RecordError, connect
from orchestrator.record.store import RECORD_FILE, blob_texts, of_match, ready_id
from orchestrator.record.sums import SUMMED
from orchestrator.record.tallies import tallies, times

T = TypeVar("T")


class Place(NamedTuple):
    """A seat of a match: who sat there and what came of it."""

    seat: int
    player: int
    score: float | None
    outcome: str | None
    rank: int | None
    forfeit: str
    points: float | None


class Played(NamedTuple):
    """A match as a line of a list. `scores` is each player's, by the player's id; empty until it is finished."""

    id: str
    pair: int
    swap: int
    replay: int
    seed: int
    game: str
    variant: Mapping[str, int]
    opening: tuple[int, ...]
    status: str
    reason: str
    plies: int
    started: float | None
    finished: float | None
    went: bytes | None  # equal for matches that went alike from one position
    seats: tuple[Place, ...]
    sat: tuple[int, ...]  # the players' ids by seat
    scores: Mapping[int, float]


@dataclass(slots=True)
class Standing:
    """One player over finished matches (legality, calls and money over all its matches)."""

    player: tables.Player
    matches: int = 0
    wins: int = 0  # first, alone
    draws: int = 0  # first, with others
    losses: int = 0
    faults: Counter[str] = field(default_factory=Counter)  # its forfeits by kind
    total_score: float = 0.0
    total_rank: int = 0
    firsts: float = 0.0  # a first place that is shared counts its share
    paid: int = 0  # matches of which it is known what the game paid
    total_points: float = 0.0  # of those
    decisions: int = 0
    illegal: int = 0  # answers that were not a legal move
    wrong_first: int = 0  # a model's decisions whose first answer was no move
    fallbacks: int = 0
    calls: int = 0
    failed_calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_pico: int = 0
    possibly_pico: int = 0  # at worst: of attempts that may have been billed, and of answers without a price
    unpriced_calls: int = 0
    times: Counter[int] = field(default_factory=Counter)
    """How often a model's decision took so many tenths of a millisecond."""
    reported: list[str] = field(default_factory=list)  # models as the service named them

    @property
    def forfeits(self) -> int:
        return self.faults.total()

    @property
    def asked(self) -> int:
        """Decisions for which a model was asked."""
        return self.times.total()

    @property
    def score(self) -> float:
        """The mean share of opponents beaten, ties half."""
        return self.total_score / self.matches if self.matches else 0.0

    @property
    def rank(self) -> float | None:
        """The mean rank; None without a match."""
        return self.total_rank / self.matches if self.matches else None

    @property
    def points(self) -> float | None:
        """The mean of what the game paid; None where that is never known."""
        return self.total_points / self.paid if self.paid else None

    def __add__(self, other: Standing) -> Standing:
        """The same player over the matches of both."""
        total = replace(self)
        for part in fields(self):
            if part.name not in ("player", "reported"):
                setattr(total, part.name, getattr(self, part.name) + getattr(other, part.name))
        total.reported = sorted({*self.reported, *other.reported})
        return total

    def latency_ms(self, *shares: float) -> list[float | None]:
        """The times within which those shares (ascending) of the model's decisions were made; None without any."""
        found: list[float | None] = []
        wanted = [math.ceil(share * self.asked) for share in shares]
        reached = 0
        for tenths in sorted(self.times):
            reached += self.times[tenths]
            while len(found) < len(wanted) and reached >= wanted[len(found)]:
                found.append(tenths / 10)
        return found or [None] * len(shares)


@dataclass(slots=True)
class Board:
    """One game, one variant, and the players who sit at it; a pair is complete where everybody had every seat."""

    game: str
    variant: Mapping[str, int]
    standings: list[Standing]
    matches: list[Played] = field(default_factory=list)
    pairs: list[dict[int, float]] = field(default_factory=list)
    """Of every complete pair: each player's mean score, by the player's id."""
    repeats: int = 0  # finished matches that went, move by move and seat by seat, like an earlier one
    distinct_pairs: int = 0  # complete pairs without the exact repeats of another

    @property
    def finished(self) -> list[Played]:
        return [match for match in self.matches if match.scores]


@dataclass(slots=True)
class RunResult:
    """What came of a run: of each of its boards, and in all. A duel has one board."""

    run: tables.Run
    path: Path
    boards: list[Board]
    standings: list[Standing]  # of every player over all boards
    matches: list[Played]
    fell_back: frozenset[str] = frozenset()  # matches in which somebody's move was a fallback

    @property
    def pairs(self) -> list[dict[int, float]]:
        """Of every complete pair: each of its players' mean score, by the player's id."""
        return [pair for board in self.boards for pair in board.pairs]

    @property
    def pair_scores(self) -> list[float]:
        """Player 1's score of every complete pair that it was in."""
        return [pair[1] for pair in self.pairs if 1 in pair]

    @property
    def distinct_pairs(self) -> int:
        return sum(board.distinct_pairs for board in self.boards)

    @property
    def repeats(self) -> int:
        return sum(board.repeats for board in self.boards)

    @property
    def voids(self) -> int:
        return sum(match.status == "void" for match in self.matches)

    @property
    def finished(self) -> int:
        """How many matches came to an end that counts."""
        return sum(bool(match.scores) for match in self.matches)

    def seated(self, match: Played) -> list[tables.Player]:
        """Who sat in a match, by seat."""
        players = {standing.player.id: standing.player for standing in self.standings}
        return [players[player] for player in match.sat]


@dataclass(slots=True)
class MatchStory:
    """One match, whole: who sat where, every decision with its calls and the exact texts."""

    match: tables.Match
    seats: list[tuple[tables.Seat, tables.Player]]
    decisions: list[tables.Decision]
    calls: dict[str, list[tables.Call]]  # by decision id
    blobs: dict[int | None, tuple[str, ...]]

    def text(self, blob: int | None) -> str:
        """A stored prompt."""
        return self.blobs[blob][0]

    def texts(self, call: tables.Call) -> tuple[str, str, str]:
        """A call's reasoning, and the bodies of its response and its request as they were on the wire."""
        reasoning, response, request = self.blobs[call.texts_blob]
        return reasoning, response, request

    def thought(self, decision: str) -> tuple[str, str]:
        """What was thought before a decision's last answer, and of what kind that text is."""
        answered = [call for call in self.calls.get(decision, []) if call.answer is not None]
        return (self.texts(answered[-1])[0], answered[-1].reasoning_kind) if answered else ("", "none")


@contextmanager
def reading(path: Path) -> Iterator[Session]:
    """A session on an existing record: `with reading(path) as session`. Raises RecordError for damage."""
    engine: Engine = connect(record_path(path), read_only=True)
    try:
        with Session(engine) as session:
            yield session
    except (SQLAlchemyError, sqlite3.Error, zlib.error, LookupError, TypeError, ValueError) as error:
        said = str(error.orig) if isinstance(error, DBAPIError) else f"{type(error).__name__}: {error}"
        raise RecordError(f"{path} is damaged: {said}") from error
    finally:
        engine.dispose()


def driver(session: Session) -> sqlite3.Connection:
    """For long lists: rows as plain tuples, without SQLAlchemy between."""
    return session.connection().connection.driver_connection  # type: ignore[return-value]


def record_path(path: Path) -> Path:
    """`runs/NAME` or `runs/NAME/record.db` -> the file. Raises RecordError if there is none."""
    try:
        found = path / RECORD_FILE if path.is_dir() else path
        if found.is_file():
            return found
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from error
    raise RecordError(f"no record at {path}: give a run's directory, such as runs/NAME")


@contextmanager
def all_kept() -> Iterator[None]:
    """Garbage is not collected meanwhile: of a hundred thousand objects that all stay, the collector finds none.

    It would look at them again and again, for a third of the time that a long run takes to be read.
    """
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


@all_kept()
def run_result(path: Path) -> RunResult:
    """What came of the run in a directory."""
    with reading(path) as session:
        run = session.exec(select(tables.Run)).first()
        if run is None:
            raise RecordError(f"{path} holds no run that began")
        players = {
            player.id: player
            for player in session.exec(select(tables.Player).order_by(col(tables.Player.id)))
        }
        db = driver(session)
        matches = _matches(db)
        boards = _boards(run, players, matches)
        _add_tallies(db, boards)
        for board in boards:
            _add_matches(board)
        totals = [
            standing + _before(db, run.id, standing.player) for standing in _totals(players.values(), boards)
        ]
        fell_back = frozenset(match for (match,) in db.execute("SELECT match FROM tally WHERE fallbacks"))
        session.expunge_all()
    return RunResult(run, path, boards, totals, matches, fell_back)


def _totals(players: Iterable[tables.Player], boards: Sequence[Board]) -> list[Standing]:
    """Of every player over all boards."""
    totals = {player.id: Standing(player) for player in players}
    for standing in (standing for board in boards for standing in board.standings):
        number = standing.player.id
        totals[number] = standing if len(boards) == 1 else totals[number] + standing
    return list(totals.values())


def _before(db: sqlite3.Connection, run: str, player: tables.Player) -> Standing:
    """What a player was asked before any match: on the run's bill, and on no board's."""
    standing = Standing(player)
    for row in tallies(db, ready_id(run, player.id)):
        for name in SUMMED:
            setattr(standing, name, row[name])
        standing.reported = row["reported"]
    return standing


def _in_order(query: SelectOfScalar[T]) -> SelectOfScalar[T]:
    """Matches as they were meant to be played."""
    return query.order_by(col(tables.Match.pair), col(tables.Match.swap), col(tables.Match.replay))


def _matches(db: sqlite3.Connection) -> list[Played]:
    places: dict[str, list[Place]] = {}
    query = "SELECT match, seat, player, score, outcome, rank, forfeit, points FROM seat ORDER BY match, seat"
    for match, *place in db.execute(query):
        places.setdefault(match, []).append(Place._make(place))
    query = """
        SELECT id, pair, swap, replay, seed, game, variant, opening, status, reason, plies, started, finished, went
        FROM match ORDER BY pair, swap, replay
    """
    read = cache(json.loads)  # most are alike
    played = []
    for row in db.execute(query):
        match, pair, swap, replay, seed, game, variant, opening, *ended = row
        status = ended[0]
        seats = tuple(places.get(match, ()))
        sat = tuple([place.player for place in seats])
        scores = {place.player: place.score for place in seats if place.score is not None}
        if status != "finished" or len(scores) < len(seats):
            scores = {}
        fixed = match, pair, swap, replay, seed, game, read(variant), tuple(read(opening))
        played.append(Played._make((*fixed, *ended, seats, sat, scores)))
    return played


def _boards(run: tables.Run, players: Mapping[int, tables.Player], matches: Iterable[Played]) -> list[Board]:
    """Matches of one game and variant between the same players, together; a duel has its board before any match.

    A match in which one player has every seat has no result, and its board no pairs.
    """
    boards: dict[Hashable, Board] = {}

    def board(game: str, variant: Mapping[str, int], sat: Iterable[int]) -> Board:
        key = game, tuple(sorted(variant.items())), tuple(sorted(set(sat)))
        if key not in boards:
            boards[key] = Board(game, variant, [Standing(players[player]) for player in key[2]])
        return boards[key]

    if run.kind in ("duel", "selfplay"):
        if not isinstance(run.request["game"], str) or not isinstance(run.request["pairs"], int):
            raise ValueError("its run does not say what was asked")
        board(run.request["game"], run.request.get("variant") or {}, players)
    for match in matches:
        board(match.game, match.variant, match.sat).matches.append(match)
    return list(boards.values())


# ── what came of matches ─────────────────────────────────────────────────────────────────────────────


def _add_matches(board: Board) -> None:
    standings = {standing.player.id: standing for standing in board.standings}
    finished = board.finished
    for match in finished:
        ahead = sum(place.rank == 1 for place in match.seats)
        for place in match.seats:
            _add_match(standings[place.player], place, ahead)
    pairs = _complete(finished, len(standings))
    board.pairs = [
        {player: sum(match.scores[player] for match in pair) / len(pair) for player in standings}
        for pair in pairs
    ]
    board.repeats = len(finished) - len({(match.sat, match.went) for match in finished})
    board.distinct_pairs = len({frozenset((match.sat, match.went) for match in pair) for pair in pairs})


def _add_match(standing: Standing, place: Place, ahead: int) -> None:
    if place.score is None or place.rank is None:
        raise ValueError("a finished match lacks a rank")
    standing.matches += 1
    standing.wins += place.outcome == "win"
    standing.draws += place.outcome == "draw"
    standing.losses += place.outcome == "loss"
    standing.total_score += place.score
    standing.total_rank += place.rank
    standing.firsts += 1 / ahead if place.rank == 1 else 0
    if place.forfeit:
        standing.faults[place.forfeit.partition(":")[0]] += 1
    if place.points is not None:
        standing.paid += 1
        standing.total_points += place.points


def _complete(finished: Iterable[Played], size: int) -> list[list[Played]]:
    """The matches of every pair that was played from all sides, by side."""
    pairs: dict[int, dict[int, Played]] = {}
    for match in finished:
        pairs.setdefault(match.pair, {})[match.swap] = match
    return [
        [sides[swap] for swap in sorted(sides)] for _, sides in sorted(pairs.items()) if len(sides) == size
    ]


# ── what playing them took ───────────────────────────────────────────────────────────────────────────


Tallied = tuple[Any, ...]  # match, player, reported, latencies and what is summed up


def _add_tallies(db: sqlite3.Connection, boards: Iterable[Board]) -> None:
    """Of matches that are over from their tallies, of the others as of now."""
    of_board: list[dict[int, list[Tallied]]] = [
        {standing.player.id: [] for standing in board.standings} for board in boards
    ]
    parts = {match.id: of for of, board in zip(of_board, boards, strict=True) for match in board.matches}
    told: set[str] = set()
    for row in db.execute(f"SELECT match, player, reported, latencies, {', '.join(SUMMED)} FROM tally"):
        parts[row[0]][row[1]].append(row)
        told.add(row[0])
    for match in parts.keys() - told:
        for now in tallies(db, match):
            counts = [now[name] for name in SUMMED]
            row = match, now["player"], json.dumps(now["reported"]), now["latencies"], *counts
            parts[match][now["player"]].append(row)
    for of, board in zip(of_board, boards, strict=True):
        for standing in board.standings:
            _tell(standing, of[standing.player.id])


def _tell(standing: Standing, rows: Sequence[Tallied]) -> None:
    """What the tallies of one player at one board come to, column by column."""
    if not rows:
        return
    _, _, reported, latencies, *counts = zip(*rows, strict=True)
    for name, column in zip(SUMMED, counts, strict=True):
        setattr(standing, name, sum(column))
    standing.reported = sorted({name for listed in set(reported) for name in json.loads(listed)})
    standing.times = Counter(times(b"".join(latencies)))


# ── one match ────────────────────────────────────────────────────────────────────────────────────────


def match_ids(path: Path, end: str = "") -> list[str]:
    """The ids of a record's matches that end so, in playing order."""
    with reading(path) as session:
        ids = select(tables.Match.id).where(col(tables.Match.id).endswith(end, autoescape=True))
        return list(session.exec(_in_order(ids)))


def match_story(path: Path, match: str) -> MatchStory:
    """One match by its id, or by an unambiguous end of it (`0007a`). Raises RecordError."""
    with reading(path) as session:
        rows = session.exec(
            select(tables.Match).where(col(tables.Match.id).endswith(match, autoescape=True))
        ).all()
        exact = [row for row in rows if row.id == match] or list(rows)
        if len(exact) != 1:
            known = session.exec(_in_order(select(tables.Match.id))).all()
            found = "several matches end in" if exact else "there is no match"
            raise RecordError(f"{found} {match!r} in {path}: it has {_some(known)}")
        row = exact[0]
        seats = session.exec(
            select(tables.Seat, tables.Player)
            .join(tables.Player, col(tables.Player.id) == col(tables.Seat.player))
            .where(tables.Seat.match == row.id)
            .order_by(col(tables.Seat.seat))
        ).all()
        decisions = session.exec(
            select(tables.Decision)
            .where(*of_match(tables.Decision.id, row.id))
            .order_by(col(tables.Decision.ply))
        ).all()
        if any(seats[decision.seat][0].seat != decision.seat for decision in decisions):
            raise RecordError(f"{path} is damaged: seats are missing in {row.id}")
        calls: dict[str, list[tables.Call]] = {}
        for call in session.exec(
            select(tables.Call)
            .where(*of_match(tables.Call.id, row.id))
            .order_by(col(tables.Call.decision), col(tables.Call.ask), col(tables.Call.attempt))
        ):
            calls.setdefault(call.decision, []).append(call)
        numbers = {blob for made in decisions for blob in (made.system_blob, made.user_blob)}
        numbers |= {call.texts_blob for made in calls.values() for call in made}
        blobs = {number: blob_texts(session, number) for number in {None, *numbers}}
        session.expunge_all()
    return MatchStory(row, [(seat, player) for seat, player in seats], list(decisions), calls, blobs)


def _some(ids: Sequence[str]) -> str:
    if not ids:
        return "none yet"
    return ", ".join(ids[:4]) + (f", … {ids[-1]}" if len(ids) > 4 else "")
