"""Reading records back: standings of one run or of many, and one match with all that led to it.

Everything that is printed comes from here, that is from the record: what a run shows at its end is
what `leaderboard` shows of it a year later. A record may be somebody else's and hold anything; whatever
cannot be made sense of is a RecordError.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from orchestrator.record import tables
from orchestrator.record.database import RecordError, connect
from orchestrator.record.store import RECORD_FILE, blob_text

T = TypeVar("T")
Moves = tuple[int | None, ...]


@dataclass(slots=True)
class Standing:
    """One player over the finished matches of a run (legality, calls and money over all its matches)."""

    player: tables.Player
    matches: int = 0
    wins: int = 0  # first, alone
    draws: int = 0  # first, with others
    losses: int = 0
    forfeits: int = 0
    total_score: float = 0.0
    total_rank: int = 0
    firsts: float = 0.0  # a first place that is shared counts its share
    paid: int = 0  # matches of which it is known what the game paid
    total_points: float = 0.0  # of those
    decisions: int = 0
    illegal: int = 0  # answers that were not a legal move
    wrong_first: int = (
        0  # a model's decisions whose first answer was no move: illegal, unreadable, cut, refused
    )
    fallbacks: int = 0
    calls: int = 0
    failed_calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_pico: int = 0
    possibly_pico: int = 0  # of attempts that failed but may have been billed
    unpriced_calls: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)  # models as the service named them

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
        """The same player over the runs of both."""
        total = replace(self)
        for part in fields(self):
            if part.name not in ("player", "reported"):
                setattr(total, part.name, getattr(self, part.name) + getattr(other, part.name))
        total.reported = sorted({*self.reported, *other.reported})
        return total

    def latency_ms(self, share: float) -> float | None:
        """The time within which that share of the model's decisions was made; None without any."""
        times = sorted(self.latencies_ms)
        return round(times[math.ceil(share * len(times)) - 1], 1) if times else None


@dataclass(slots=True)
class RunResult:
    """What came of a run. A pair is complete where it was played with everybody on every seat.

    `moves` has every match by id: the opening, then what was chosen, None where a player forfeited. Two matches
    went alike where `moves` and `deals`, the position in which the first choice was made, are both the same.
    """

    run: tables.Run
    path: Path
    standings: list[Standing]
    seats: dict[str, list[tables.Seat]]  # of every match by id, in order
    scores: dict[str, dict[int, float]]  # of every finished match by id: each player's, by the player's id
    pairs: list[dict[int, float]]  # of every complete pair: each player's mean score, by the player's id
    matches: list[tables.Match]
    moves: dict[str, Moves]
    deals: dict[str, bytes]
    voids: int
    repeats: int  # finished matches that went, move by move and seat by seat, like an earlier one
    distinct_pairs: int  # complete pairs without the exact repeats of another

    @property
    def pair_scores(self) -> list[float]:
        """Player 1's score of every complete pair."""
        return [pair[1] for pair in self.pairs]

    def seated(self, match: str) -> list[tables.Player]:
        """Who sat in a match, by seat."""
        players = {standing.player.id: standing.player for standing in self.standings}
        return [players[seat.player] for seat in self.seats[match]]


@dataclass(slots=True)
class MatchStory:
    """One match, whole: who sat where, every decision with its calls and the exact texts."""

    match: tables.Match
    seats: list[tuple[tables.Seat, tables.Player]]
    decisions: list[tables.Decision]
    calls: dict[str, list[tables.Call]]  # by decision id
    path: Path

    def text(self, blob: bytes | None) -> str:
        """A stored text: a prompt, a request, a response."""
        if blob is None:
            return ""
        with reading(self.path) as session:
            return blob_text(session, blob)


@contextmanager
def reading(path: Path) -> Iterator[Session]:
    """A session on an existing record: `with reading(path) as session`. Raises RecordError for damage."""
    engine: Engine = connect(record_path(path), read_only=True)
    try:
        with Session(engine) as session:
            yield session
    except (SQLAlchemyError, zlib.error, LookupError, TypeError, ValueError) as error:
        said = str(error.orig) if isinstance(error, DBAPIError) else f"{type(error).__name__}: {error}"
        raise RecordError(f"{path} is damaged: {said}") from error
    finally:
        engine.dispose()


def record_path(path: Path) -> Path:
    """`runs/NAME` or `runs/NAME/record.db` -> the file. Raises RecordError if there is none."""
    try:
        found = path / RECORD_FILE if path.is_dir() else path
        if found.is_file():
            return found
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from error
    raise RecordError(f"no record at {path}: give a run's directory, such as runs/NAME")


def run_result(path: Path) -> RunResult:
    """What came of the run in a directory."""
    with reading(path) as session:
        run = session.exec(select(tables.Run)).first()
        if run is None:
            raise RecordError(f"{path} holds no run that began")
        if not isinstance(run.request["game"], str) or not isinstance(run.request["pairs"], int):
            raise RecordError(f"{path} is damaged: its run does not say what was asked")
        matches = list(session.exec(_in_order(select(tables.Match))))
        players = list(session.exec(select(tables.Player).order_by(col(tables.Player.id))))
        standings = {player.id: Standing(player) for player in players}
        seats: dict[str, list[tables.Seat]] = {match.id: [] for match in matches}
        for seat in session.exec(select(tables.Seat).order_by(col(tables.Seat.seat))):
            seats[seat.match].append(seat)
        _add_matches(standings, seats.values())
        moves: dict[str, Moves] = {match.id: tuple(match.opening) for match in matches}
        deals = dict.fromkeys(moves, b"")
        _add_decisions(session, standings, moves, deals)
        _add_calls(session, standings)
        session.expunge_all()
        found = {
            match: {seat.player: seat.score for seat in table if seat.score is not None}
            for match, table in seats.items()
        }
        scores = {match: each for match, each in found.items() if len(each) == len(players)}
        finished = [match for match in matches if match.status == "finished" and match.id in scores]
        pairs = _complete(finished, len(players))
        went = {match.id: (deals[match.id], moves[match.id]) for match in finished}
        return RunResult(
            run=run,
            path=path,
            standings=list(standings.values()),
            seats=seats,
            scores=scores,
            pairs=[
                {
                    player.id: sum(scores[match.id][player.id] for match in pair) / len(pair)
                    for player in players
                }
                for pair in pairs
            ],
            matches=matches,
            moves=moves,
            deals=deals,
            voids=sum(match.status == "void" for match in matches),
            repeats=len(finished) - len({(_sat(seats[match.id]), went[match.id]) for match in finished}),
            distinct_pairs=len({_alike(seats, went, pair) for pair in pairs}),
        )


def _in_order(query: SelectOfScalar[T]) -> SelectOfScalar[T]:
    """Matches as they were meant to be played."""
    return query.order_by(col(tables.Match.pair), col(tables.Match.swap), col(tables.Match.replay))


def _sat(seats: Iterable[tables.Seat]) -> tuple[int, ...]:
    return tuple(seat.player for seat in seats)


def _alike(
    seats: Mapping[str, Sequence[tables.Seat]],
    went: Mapping[str, Hashable],
    pair: Iterable[tables.Match],
) -> Hashable:
    """Equal for pairs that are exact repeats of each other."""
    return frozenset((_sat(seats[match.id]), went[match.id]) for match in pair)


def _complete(finished: Iterable[tables.Match], size: int) -> list[list[tables.Match]]:
    """The matches of every pair that was played from all sides, by side."""
    pairs: dict[int, dict[int, tables.Match]] = {}
    for match in finished:
        pairs.setdefault(match.pair, {})[match.swap] = match
    return [
        [sides[swap] for swap in sorted(sides)] for _, sides in sorted(pairs.items()) if len(sides) == size
    ]


def _add_matches(standings: dict[int, Standing], matches: Iterable[Sequence[tables.Seat]]) -> None:
    for seats in matches:
        ahead = sum(seat.rank == 1 for seat in seats)
        for seat in seats:
            standing = standings[seat.player]
            if seat.score is not None and seat.rank is not None:
                _add_match(standing, seat, seat.score, seat.rank, ahead)


def _add_match(standing: Standing, seat: tables.Seat, score: float, rank: int, ahead: int) -> None:
    standing.matches += 1
    standing.wins += seat.outcome == "win"
    standing.draws += seat.outcome == "draw"
    standing.losses += seat.outcome == "loss"
    standing.forfeits += bool(seat.forfeit)
    standing.total_score += score
    standing.total_rank += rank
    standing.firsts += 1 / ahead if rank == 1 else 0
    if seat.points is not None:
        standing.paid += 1
        standing.total_points += seat.points


def _add_decisions(
    session: Session, standings: dict[int, Standing], moves: dict[str, Moves], deals: dict[str, bytes]
) -> None:
    query = "SELECT match, state, min(ply) FROM decision GROUP BY match"  # the state of the least ply
    deals.update((match, state) for match, state, _ in session.execute(text(query)))
    query = """
        SELECT match, player, action, outcome, illegal, mode, latency_ms FROM decision ORDER BY match, ply
    """
    for match, player, action, outcome, illegal, mode, latency in session.execute(text(query)):
        moves[match] += (action,)
        standing = standings[player]
        standing.decisions += 1
        standing.illegal += illegal
        standing.fallbacks += outcome == "fallback"
        if mode not in ("bot", "human"):
            standing.wrong_first += outcome != "ok"
            standing.latencies_ms.append(latency)


def _add_calls(session: Session, standings: dict[int, Standing]) -> None:
    """Calls belong to a seat through their decision's id, also where the decision was never made."""
    rows = session.execute(
        text(
            """
            SELECT c.player, count(*), sum(c.kind != 'ok'),
                   sum(c.input_fresh + c.cache_read + c.cache_write_short + c.cache_write_long),
                   sum(c.cache_read), sum(c.output), sum(c.reasoning),
                   sum(iif(c.possibly_billed, 0, c.cost_pico)), sum(iif(c.possibly_billed, c.cost_pico, 0)),
                   sum(c.price IS NULL),
                   group_concat(DISTINCT nullif(c.model_reported, ''))
            FROM call c GROUP BY c.player
            """
        )
    )
    for player, calls, failed, read, cached, output, reasoning, cost, possibly, unpriced, reported in rows:
        standing = standings[player]
        standing.calls, standing.failed_calls = calls, failed
        standing.input_tokens, standing.cached_tokens = read, cached
        standing.output_tokens, standing.reasoning_tokens = output, reasoning
        standing.cost_pico, standing.possibly_pico, standing.unpriced_calls = cost, possibly, unpriced
        standing.reported = sorted(reported.split(",")) if reported else []


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
            select(tables.Decision).where(tables.Decision.match == row.id).order_by(col(tables.Decision.ply))
        ).all()
        if any(seats[decision.seat][0].seat != decision.seat for decision in decisions):
            raise RecordError(f"{path} is damaged: seats are missing in {row.id}")
        calls: dict[str, list[tables.Call]] = {}
        for call in session.exec(
            select(tables.Call)
            .where(col(tables.Call.decision).startswith(f"{row.id}-"))
            .order_by(col(tables.Call.decision), col(tables.Call.ask), col(tables.Call.attempt))
        ):
            calls.setdefault(call.decision, []).append(call)
        session.expunge_all()
    return MatchStory(row, [(seat, player) for seat, player in seats], list(decisions), calls, path)


def _some(ids: Sequence[str]) -> str:
    if not ids:
        return "none yet"
    return ", ".join(ids[:4]) + (f", … {ids[-1]}" if len(ids) > 4 else "")
