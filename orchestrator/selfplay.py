"""Bots among themselves, for data: whole matches in processes of their own, hundreds a second, on an ordinary record.

The matches are those that `orchestrator duel` would play from the same seed, and leave the same rows, whatever the
number of processes; what is left out is all that a service needs. A bot that searches leaves what it found (see
`pool.Thought`): the share of its visits for every legal action as the decision's `probabilities`, and between two,
where the game is won or lost and not counted, the score that it expects as its `forecast`.

A match goes on record whole, in one commit, or not at all: after a crash, what is not there is played again.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from sqlmodel import SQLModel

import engine
from engine import Game, Rng
from orchestrator.duel import fixture_of, new_run_id, player_row, seat_players, version
from orchestrator.fixture import Fixture, Result
from orchestrator.journal import seat_rows
from orchestrator.pool import Recipe, begin, bot_of, think
from orchestrator.record import tables
from orchestrator.record.reading import driver
from orchestrator.record.store import Record, decision_id, now
from orchestrator.record.untouched import untouched
from orchestrator.request import SelfplayRequest
from orchestrator.table import Spec, Table
from providers.prices import PriceBook

TOGETHER_S = 0.25  # what a process is given at a time takes about so long
MOST_TOGETHER = 64
CLOSE = 1e-9  # two numbers that differ by less are one

Progress = Callable[[int, int], None]


class Played(NamedTuple):
    """A match as rows: its decisions, its result, who sat where."""

    decisions: list[dict[str, Any]]
    match: tables.Match
    seats: list[tables.Seat]

    def rows(self) -> Iterator[tuple[type[SQLModel], dict[str, Any]]]:
        """In the order in which they refer to each other."""
        yield from ((tables.Decision, row) for row in self.decisions)
        yield tables.Match, self.match.model_dump()
        yield from ((tables.Seat, seat.model_dump()) for seat in self.seats)


def play(
    request: SelfplayRequest, record: Record, jobs: int = 1, on_progress: Progress = lambda done, of: None
) -> tables.Run:
    """Play what is not on record yet, and close the run. Raises RecordError, ValueError, SpecError.

    Ctrl-C, or the end of a process that plays, leaves it `stopped`: the matches that were whole by then are on
    record, and the same call goes on from there.
    """
    run = _begin(request, record)
    try:
        fixtures = _open(request, run.id, record)
        done = request.matches - len(fixtures)
        on_progress(done, request.matches)
        for played in _played(request, fixtures, jobs):
            record.put_together(played.rows())
            done += 1
            on_progress(done, request.matches)
        run.status = "finished"
    except (KeyboardInterrupt, BrokenProcessPool) as ended:
        killed = isinstance(ended, BrokenProcessPool)
        run.status, run.reason = "stopped", "a process was ended from outside" if killed else "interrupted"
    run.finished = now()
    record.put(run)
    record.flush()
    return run


def _begin(request: SelfplayRequest, record: Record) -> tables.Run:
    known = record.run()
    if known is not None:
        known.status, known.reason, known.finished = "running", "", None
        known.request = request.to_json()  # it may be longer now
        record.put(known)
        return known
    run = tables.Run(
        id=new_run_id(),
        kind=request.KIND,
        status="running",
        seed=request.seed,
        request=request.to_json(),
        version=version(),
        created=now(),
    )
    players = seat_players(request, Table())
    record.put(run, *(player_row(number, each.seated, "") for number, each in enumerate(players, 1)))
    return run


def _open(request: SelfplayRequest, run: str, record: Record) -> list[Fixture]:
    over = {(match.pair, match.swap) for match in record.matches() if match.status == "finished"}
    places = ((pair, swap) for pair in range(request.pairs) for swap in range(len(request.players)))
    return [fixture_of(request, request, run, *place) for place in places if place not in over]


# ── matches, here or in processes ────────────────────────────────────────────────────────────────────


def _played(request: SelfplayRequest, fixtures: Sequence[Fixture], jobs: int) -> Iterator[Played]:
    """Every match in the order of the fixtures."""
    book = PriceBook.load()
    specs = [Spec.parse(spec, book) for spec in request.players]
    recipes = tuple((spec.name, tuple(sorted(spec.options.items()))) for spec in specs)
    if jobs == 1 or len(fixtures) < 2:
        for fixture in fixtures:
            yield play_one(fixture, recipes)
        return
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=begin)
    out: deque[Future[tuple[list[Played], float]]] = deque()
    at, size = 0, 1
    try:
        while at < len(fixtures) or out:
            while at < len(fixtures) and len(out) < 3 * jobs:
                out.append(pool.submit(_play, fixtures[at : at + size], recipes))
                at += size
            matches, seconds = out.popleft().result()
            yield from matches
            size = max(1, min(MOST_TOGETHER, round(len(matches) * TOGETHER_S / max(seconds, 1e-6))))
    finally:
        pool.shutdown(wait=not out, cancel_futures=True)
        if out:
            for process in multiprocessing.active_children():
                process.kill()


def _play(fixtures: Sequence[Fixture], recipes: Sequence[Recipe]) -> tuple[list[Played], float]:
    began = time.perf_counter()
    return [play_one(fixture, recipes) for fixture in fixtures], time.perf_counter() - began


def play_one(fixture: Fixture, recipes: Sequence[Recipe]) -> Played:
    """One match, from its seed to its end."""
    started, game, decisions = now(), fixture.deal(), []
    seating = fixture.seating()
    while not game.is_terminal():
        decisions.append(_decide(fixture, game, seating[game.current_player()], recipes))
    result = Result(tuple(game.returns()), game.ply(), ("",) * game.num_players())
    match = tables.Match(
        id=fixture.id,
        run=fixture.id.rpartition("-")[0],
        pair=fixture.pair,
        swap=fixture.swap,
        replay=fixture.replay,
        seed=fixture.seed,
        game=fixture.game,
        variant=dict(fixture.variant),
        opening=list(fixture.opening),
        status="finished",
        plies=result.plies,
        started=started,
        finished=now(),
    )
    return Played(decisions, match, seat_rows(fixture.id, [player + 1 for player in seating], result))


def _decide(fixture: Fixture, game: Game, player: int, recipes: Sequence[Recipe]) -> dict[str, Any]:
    """Let a bot choose as it would in a duel, play the move, and tell both."""
    seat, ply, state = game.current_player(), game.ply(), game.to_bytes()
    legal = game.legal_actions()
    rng = Rng(engine.derive(fixture.seed, "turn", fixture.swap, ply))
    world = game.view(seat).sample(rng)
    thought = think(bot_of(recipes[player]), world, rng)
    text = game.action_text(thought.action)
    game.apply(thought.action)
    return {
        "id": decision_id(fixture.id, ply),
        "match": fixture.id,
        "ply": ply,
        "seat": seat,
        "player": player + 1,
        "action": thought.action,
        "action_text": text,
        "legal": legal,
        "mode": "bot",
        "outcome": "ok",
        "fault": "",
        "illegal": 0,
        "rationale": "",
        "forecast": thought.forecast,
        "probabilities": thought.policy and {str(action): share for action, share in thought.policy.items()},
        "state": state,
        "style_sha": "",
        "latency_ms": 0.0,  # of services
        "cost_pico": 0,
        "decided": now(),
    }


# ── what there is of it ──────────────────────────────────────────────────────────────────────────────


class Quality(NamedTuple):
    """What a run of bots is worth as data; counts unless said otherwise. The counts are of sound matches."""

    matches: int  # finished ones, corrupt ones too
    corrupt: dict[str, str]  # by match, where what is on record cannot be what was played
    different: int  # matches that went otherwise than every other one
    decisions: int
    choices: int  # decisions with two legal moves or more
    policies: int  # decisions with a search's policy
    positions: int  # different ones, up to symmetry
    plies: tuple[int, float, int]  # least, mean, most
    first_seat: float  # its mean score
    draws: float  # share of matches in which several shared the first place


@dataclass(slots=True)
class _Seen:
    """Sums over the matches that were looked at."""

    corrupt: dict[str, str] = field(default_factory=dict)
    went: set[bytes] = field(default_factory=set)
    classes: set[bytes] = field(default_factory=set)
    plies: list[int] = field(default_factory=list)
    decisions: int = 0
    choices: int = 0
    policies: int = 0
    first_seat: float = 0.0
    draws: int = 0


FINISHED = """
    SELECT id, seed, game, variant, opening, plies, went FROM match WHERE status = 'finished'
    ORDER BY pair, swap, replay
"""
MADE = """
    SELECT ply, seat, legal, action, action_text, probabilities, forecast, state FROM decision
    WHERE id >= ?1 || '-' AND id < ?1 || '.' ORDER BY ply
"""
SCORED = "SELECT score FROM seat WHERE match = ? ORDER BY seat"


def quality(path: Path) -> Quality:
    """Look at a whole run, and play every match again from its moves. Raises RecordError, ValueError for none."""
    seen = _Seen()
    with untouched(path) as session:
        db = driver(session)
        for match, *fixed, went in db.execute(FINISHED).fetchall():
            made = db.execute(MADE, (match,)).fetchall()
            scores = [score for (score,) in db.execute(SCORED, (match,))]
            try:
                _again(seen, made, scores, *fixed)
                seen.went.add(went)
            except (ValueError, LookupError, TypeError) as error:
                seen.corrupt[match] = str(error)
    if not (count := len(seen.plies)) and not seen.corrupt:
        raise ValueError(f"{path} has no finished match")
    return Quality(
        matches=count + len(seen.corrupt),
        corrupt=seen.corrupt,
        different=len(seen.went),
        decisions=seen.decisions,
        choices=seen.choices,
        policies=seen.policies,
        positions=len(seen.classes),
        plies=(min(seen.plies, default=0), sum(seen.plies) / max(1, count), max(seen.plies, default=0)),
        first_seat=seen.first_seat / max(1, count),
        draws=seen.draws / max(1, count),
    )


def _again(
    seen: _Seen,
    made: Sequence[Sequence[Any]],
    scores: Sequence[float],
    seed: int,
    name: str,
    variant: str,
    opening: str,
    plies: int,
) -> None:
    """Play a match from its moves, and count it in. ValueError, saying where, for one that went otherwise."""
    game = engine.new(name, seed, **json.loads(variant))
    for action in json.loads(opening):
        game.apply(action)
    classes = [_same(game, *row) for row in made]
    if not game.is_terminal():
        raise ValueError(f"it is not over after ply {game.ply()}")
    result = Result(tuple(game.returns()), game.ply(), ())
    if list(result.scores) != list(scores) or result.plies != plies:
        raise ValueError(
            f"it comes to {list(result.scores)} in {result.plies} plies; on record: {list(scores)} in {plies}"
        )
    seen.plies.append(plies)
    seen.classes.update(classes)
    seen.decisions += len(made)
    seen.choices += sum("," in legal for _, _, legal, *_ in made)
    seen.policies += sum(row[5] is not None for row in made)
    seen.first_seat += scores[0]
    seen.draws += max(scores) < 1


def _same(
    game: Game,
    ply: int,
    seat: int,
    legal: str,
    action: int,
    text: str,
    policy: str | None,
    forecast: float | None,
    state: bytes,
) -> bytes:
    """Apply a decision on record to the game that it should have been made in; the class of the position before."""
    at = f"ply {ply}"
    if (ply, seat, state) != (game.ply(), game.current_player(), game.to_bytes()):
        raise ValueError(f"{at}: another position than the moves before lead to")
    if json.loads(legal) != game.legal_actions() or action not in game.legal_actions():
        raise ValueError(f"{at}: other moves are legal there")
    if text != game.action_text(action):
        raise ValueError(f"{at}: its move is {game.action_text(action)}; on record: {text!r}")
    if policy is not None:
        shares = json.loads(policy)
        if (
            set(shares) != {str(each) for each in game.legal_actions()}
            or abs(sum(shares.values()) - 1) > CLOSE
        ):
            raise ValueError(f"{at}: its policy is no distribution over the legal moves")
    if forecast is not None and not 0 <= forecast <= 1:
        raise ValueError(f"{at}: its forecast is {forecast}: expected 0 to 1")
    position = bytes(game.position_class())
    game.apply(action)
    return position
