"""Grading what was played: every recorded decision against what its other legal actions were worth.

A decision is graded from what its player knew, by the engine's `Grader`: a model, a bot and a person alike. Grades
are kept in the record, beside the decisions, unless the run is being played at this moment or cannot be written:
then they are only reported. What is on record is not graded again, unless the method now asked for is better:
exact values beat searched ones, and more simulations beat fewer.

Equal positions are graded once, by as many processes as there are cores. What comes of a position depends on
nothing but the position and the method, so the number of processes changes no grade. Finished ones are committed
every few seconds: whatever ends this, the next call goes on from there. Left out: decisions without a choice,
and what nobody chose (openings, forfeits).
"""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import engine
from engine import Game, Grader, Grades
from engine.grading import NODES, SIMULATIONS
from engine.solver import SOLVED
from orchestrator.control import is_alive
from orchestrator.pool import begin
from orchestrator.record import tables
from orchestrator.record.database import RecordError
from orchestrator.record.reading import driver, record_path
from orchestrator.record.store import RECORD_FILE, Record
from orchestrator.record.untouched import untouched

POSITIONS = 8  # that a process is given at a time
AHEAD = 4  # tasks that wait for each process
MOST_SIMULATIONS = 10_000_000

Progress = Callable[[int, int], None]
"""Told how many positions are done, and of how many."""


class Method(NamedTuple):
    """How to grade: whether by a solver where one reaches, and by how many simulations where none does (0: not)."""

    solve: bool
    simulations: int

    @classmethod
    def parse(cls, text: str) -> Method:
        """`exact`, `auto`, `search:N` or `auto:N`. ValueError."""
        kind, colon, number = text.partition(":")
        if kind == "exact" and not colon:
            return cls(True, 0)
        if kind in ("auto", "search") and (not colon or number.isdecimal()):
            simulations = int(number) if colon else SIMULATIONS
            if 1 <= simulations <= MOST_SIMULATIONS:
                return cls(kind == "auto", simulations)
        raise ValueError(
            f"no method {text!r}: expected exact, search:N or auto:N, N from 1 to {MOST_SIMULATIONS:,} simulations"
        )

    def takes(self, known: Known | None) -> bool:
        """Whether a grade is what was asked for, or better."""
        return known is not None and (known.exact or 0 < self.simulations <= known.simulations)

    def missing(self, game: str, known: Known | None) -> Method | None:
        """What is still to be tried where there is that grade on record; None if nothing."""
        if known is not None and known.exact:
            return None
        solve = self.solve and game in SOLVED
        simulations = self.simulations if known is None or known.simulations < self.simulations else 0
        return Method(solve, simulations) if solve or simulations else None


class Known(NamedTuple):
    """A grade as a record has it. `worth` is in the order of the decision's legal actions."""

    method: str
    exact: bool
    worth: Sequence[float]

    @property
    def simulations(self) -> int:
        """Behind a searched one, of which the engine's name of the method tells."""
        number = self.method.partition(":")[2].partition("?")[0]
        return int(number) if number.isdecimal() else 0


class Decided(NamedTuple):
    """A decision of a record, and what was worth what."""

    id: str
    match: str
    cluster: bytes | str  # equal for matches that went alike
    game: str
    variant: str  # as JSON
    ply: int
    seat: int
    player: int
    action: int | None
    legal: Sequence[int]
    own: bool  # the player chose it: neither chance for it, nor nobody
    state: bytes
    known: Known | None


@dataclass(slots=True)
class Report:
    """A run with all that could be graded, and why the rest could not."""

    run: str
    kind: str
    path: Path
    players: dict[int, tables.Player]
    reported: dict[int, list[str]]  # by player: the models that answered, as the service named them
    decisions: list[Decided] = field(default_factory=list)  # with a choice, graded
    forced: int = 0  # there was one legal action
    graded: int = 0  # now
    searched: int = 0  # positions that this took
    ungraded: int = 0  # beyond the method
    unread: dict[str, int] = field(default_factory=dict)  # by reason, how many could not be graded
    kept: str = ""  # why the grades are not on record, where they are not


class Filter(NamedTuple):
    """Which decisions are meant: of this game, of matches whose ids end so."""

    game: str = ""
    matches: Sequence[str] = ()


EVERYTHING = Filter()


def grade_run(
    path: Path,
    method: Method,
    only: Filter = EVERYTHING,
    jobs: int = 1,
    on_progress: Progress = lambda done, of: None,
) -> Report:
    """Grade a run's decisions and keep the grades. Raises RecordError."""
    file = record_path(path)
    with _opened(file) as (db, record, why):
        report = _read(db, path, only)
        report.kept = why
        tasks = _tasks(report, method)
        report.searched = len(tasks)
        numbers = {decided.id: place for place, decided in enumerate(report.decisions)}
        done = 0
        for asked, found, seconds in _graded([task.question for task in tasks], jobs):
            done += 1
            on_progress(done, len(tasks))
            if found is None:
                continue
            for decided in tasks[asked].decisions:
                known = Known(found.method, found.exact, [entry.value for entry in found.values])
                report.decisions[numbers[decided.id]] = decided._replace(known=known)
                report.graded += 1
                if record is not None:
                    _keep(record, decided, found, seconds)
    report.ungraded = sum(not method.takes(decided.known) for decided in report.decisions)
    report.decisions = [decided for decided in report.decisions if method.takes(decided.known)]
    return report


def on_record(path: Path) -> Report:
    """What is graded already: nothing is graded now, and the record stays as it is. Raises RecordError."""
    with untouched(record_path(path)) as session:
        db = driver(session)
        report = _read(db, path, EVERYTHING, GRADED)
        (choices,) = db.execute(CHOICES).fetchone()
    report.ungraded = choices - len(report.decisions)
    return report


# ── the record ───────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _opened(file: Path) -> Iterator[tuple[sqlite3.Connection, Record | None, str]]:
    """The record, and where it may be written a writer, else why not.

    A run that is being played is read in one go, so that its writer is never waited for.
    """
    why = ""
    if file.name != RECORD_FILE:
        why = f"a record is written to as {RECORD_FILE} in a directory of its own"
    elif is_alive(file.parent):
        why = "the run is being played"
    if not why:
        try:
            record = Record(file.parent)
        except (RecordError, OSError) as error:
            why = str(error)
        else:
            with record, record.session() as session:
                yield driver(session), record, ""
            return
    with untouched(file) as session:
        yield driver(session), None, why


PLAYER = ("id", "spec", "label", "kind", "hash", "style", "track")
PLAYERS = f"SELECT {', '.join(PLAYER)} FROM player"
DECIDED = """
    SELECT d.id, m.id, m.went, m.game, m.variant, d.ply, d.seat, d.player, d.action, d.legal, d.outcome, d.state,
           g.method, g.exact, g.worth
    FROM match m JOIN decision d ON d.id >= m.id || '-' AND d.id < m.id || '.'
    {} JOIN grade g ON g.decision = d.id
    ORDER BY m.pair, m.swap, m.replay, d.ply
"""
EVERY, GRADED = DECIDED.format("LEFT"), DECIDED.format("INNER")
CHOICES = "SELECT count(*) FROM decision WHERE instr(legal, ',')"  # as JSON, a list of two or more


def _read(db: sqlite3.Connection, path: Path, only: Filter, query: str = EVERY) -> Report:
    """Everything at once. Matches that were void count too: what was decided in them was decided."""
    try:
        run = db.execute("SELECT id, kind FROM run").fetchone()
        if run is None:
            raise RecordError(f"{path} holds no run that began")
        players = {row[0]: _player(row) for row in db.execute(PLAYERS)}
        report = Report(run[0], run[1], path, players, _reported(db))
        for row in db.execute(query):
            id, match, went, game, variant, ply, seat, player, action, legal, outcome, state, *known = row
            if only.game not in ("", game) or not _named(match, only.matches):
                continue
            ids = json.loads(legal)
            if len(ids) < 2:
                report.forced += 1
                continue
            grade = Known(known[0], bool(known[1]), json.loads(known[2])) if known[0] else None
            place = match, went or match, game, variant, ply, seat, player
            own = outcome in ("ok", "reasked")
            report.decisions.append(Decided(id, *place, action, ids, own, state, grade))
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise RecordError(f"{path} is damaged: {error}") from error
    return report


def _player(row: Sequence[Any]) -> tables.Player:
    return tables.Player(**dict(zip(PLAYER, row, strict=True)), parameters={})


def _reported(db: sqlite3.Connection) -> dict[int, list[str]]:
    found: dict[int, set[str]] = {}
    for player, listed in db.execute("SELECT DISTINCT player, reported FROM tally"):
        found.setdefault(player, set()).update(json.loads(listed))
    return {player: sorted(names) for player, names in found.items()}


def _named(match: str, ends: Sequence[str]) -> bool:
    return not ends or any(match.endswith(end) for end in ends)


def _keep(record: Record, decided: Decided, found: Grades, seconds: float) -> None:
    visits = [entry.visits for entry in found.values]
    record.put_columns(
        tables.Grade,
        decision=decided.id,
        method=found.method,
        exact=found.exact,
        worth=[entry.value for entry in found.values],
        best=list(found.best()),
        regret=None if decided.action is None else found.regret(decided.action),
        visits=None if found.exact else visits,
        seconds=seconds,
    )


# ── the work ─────────────────────────────────────────────────────────────────────────────────────────


class Question(NamedTuple):
    """A position to be graded."""

    state: bytes
    method: Method


@dataclass(slots=True)
class Task:
    """A position, and the decisions that were made in it."""

    question: Question
    ply: int
    decisions: list[Decided]


def _tasks(report: Report, method: Method) -> list[Task]:
    """Equal positions together, those with most plies first: the others then profit from what is learnt of them.

    What cannot be graded leaves the report's decisions.
    """
    tasks: dict[tuple[object, ...], Task] = {}
    readable = []
    for decided in report.decisions:
        missing = method.missing(decided.game, decided.known)
        if missing is not None:
            try:
                key = (*_position(decided), missing)
            except ValueError as error:
                reason = str(error)
                report.unread[reason] = report.unread.get(reason, 0) + 1
                continue
            task = tasks.setdefault(key, Task(Question(decided.state, missing), decided.ply, []))
            task.decisions.append(decided)
        readable.append(decided)
    report.decisions = readable
    return sorted(tasks.values(), key=lambda task: -task.ply)


def _position(decided: Decided) -> tuple[object, ...]:
    """Equal for positions in which the mover knows the same, and so has the same grades. ValueError."""
    game = engine.from_bytes(decided.state)
    if game.current_player() != decided.seat or game.legal_actions() != decided.legal:
        raise ValueError(f"positions of {decided.game} in which other moves are legal today")
    rules = game.name(), *sorted(game.variant().items()), decided.seat
    if not game.hidden_information():
        return *rules, game.position_bytes()
    view = game.view(decided.seat)
    return *rules, json.dumps(view.facts, sort_keys=True, default=str), view.history


def _graded(questions: Sequence[Question], jobs: int) -> Iterator[tuple[int, Grades | None, float]]:
    """The number of each question with its answer and the CPU seconds it took, as they come."""
    parts = [range(at, min(at + POSITIONS, len(questions))) for at in range(0, len(questions), POSITIONS)]
    if jobs == 1 or len(parts) < 2:
        for place, question in enumerate(questions):
            yield place, *_answer(question)
        return
    # Not forked: the record's writer is a thread of this process.
    pool = ProcessPoolExecutor(min(jobs, len(parts)), multiprocessing.get_context("spawn"), initializer=begin)
    waiting = iter(parts)
    out: dict[Future[list[tuple[Grades | None, float]]], range] = {}
    try:
        while True:
            for part in waiting:
                out[pool.submit(_answers, [questions[place] for place in part])] = part
                if len(out) >= jobs * AHEAD:
                    break
            if not out:
                return
            for future in wait(out, return_when=FIRST_COMPLETED).done:
                for place, (found, seconds) in zip(out.pop(future), future.result(), strict=True):
                    yield place, found, seconds
    finally:
        processes = list(multiprocessing.active_children())
        pool.shutdown(wait=not out, cancel_futures=True)
        if out:  # given up: they may be in the middle of a long search
            for process in processes:
                process.terminate()


def _answers(questions: Iterable[Question]) -> list[tuple[Grades | None, float]]:
    return [_answer(question) for question in questions]


def _answer(question: Question) -> tuple[Grades | None, float]:
    """A position's grades, or None beyond the method; and the CPU seconds it took."""
    began = process_time()
    game: Game = engine.from_bytes(question.state)
    grader = _grader(question.method)
    found = grader.grade(game) if question.method.simulations else grader.solved(game)
    return found, process_time() - began


@lru_cache(maxsize=4)
def _grader(method: Method) -> Grader:
    return Grader(
        nodes=NODES if method.solve else 0, simulations=method.simulations or SIMULATIONS, scores=False
    )
