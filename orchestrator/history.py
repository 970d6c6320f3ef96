"""What records say about how models play: answers and their tokens, prompts as they were billed, lengths of matches.

Read straight from SQLite and only read: whoever asks what a run will cost must not bring somebody else's record
up to date on the way. A record of an older schema is passed over until another command did that, as is one that
cannot be read, is of no use or would take too long.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from orchestrator.players import Seated
from orchestrator.record.blobs import inflate, split
from orchestrator.record.tables import SCHEMA_VERSION

CALLS = 4000  # of a record, the newest: enough for any estimate
MATCHES = 1000
PROMPTS = 100  # of a player, whose characters are counted
RECORDS = 50
SECONDS = 0.5


class Who(NamedTuple):
    """A player as an estimate tells players apart.

    `model` is the hash of a player that is no model; `effort` says `decision` where a model decides natively.
    At another endpoint another one answers under the same name: a stand-in says nothing about the model.
    """

    provider: str
    model: str
    style: str = ""
    track: str = ""
    effort: str = ""
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one record saw of one model at one game."""

    who: Who
    game: str
    variant: Mapping[str, int]
    own: bool  # the record of the very run that is estimated
    answers: tuple[tuple[int, ...], ...]  # output tokens of every answer, by match
    decisions: int  # that those answers were for
    input: int = 0  # tokens of all their prompts
    cache_read: int = 0
    cache_write: int = 0
    characters: int = 0  # of some prompts as they are stored, system and user
    tokens: int = 0  # that these were billed as
    latency_s: float = 0.0  # of an answer, on average

    @property
    def asks(self) -> int:
        return sum(map(len, self.answers))


@dataclass(frozen=True, slots=True)
class Course:
    """How many plies, without the opening, the finished matches of one game between the same players had."""

    game: str
    variant: Mapping[str, int]
    table: tuple[Who, ...]  # in no order
    own: bool
    plies: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class History:
    sights: tuple[Sight, ...] = ()
    courses: tuple[Course, ...] = ()

    def __add__(self, other: History) -> History:
        return History(self.sights + other.sights, self.courses + other.courses)


UNKNOWN = History()


def who(seated: Seated) -> Who:
    return _who(seated.kind, seated.model, seated.hash, seated.style, seated.track, seated.parameters)


def _who(kind: str, model: str, key: str, style: str, track: str, parameters: Mapping[str, Any]) -> Who:
    decides = parameters.get("mode") == "decision"
    effort = "decision" if decides else str(parameters.get("effort") or "")
    return Who(kind, model or key, style, track, effort, str(parameters.get("endpoint") or ""))


def neighbours(output: Path) -> list[Path]:
    """Records in the directories beside `output`, newest first."""
    with suppress(OSError):
        own = output.resolve()
        found = [path for path in own.parent.glob("*/record.db") if path.parent != own]
        return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)[:RECORDS]
    return []


def read(paths: Iterable[Path], wanted: Iterable[Who], seconds: float = SECONDS) -> History:
    """What these records know of these players, as far as there is time for it: newest records come first."""
    deadline, asked, found = monotonic() + seconds, frozenset(wanted), History()
    for path in paths:
        if monotonic() > deadline:
            break
        with suppress(sqlite3.Error, zlib.error, LookupError, TypeError, ValueError, AttributeError):
            found += read_one(path, asked, deadline=deadline)
    return found


def read_one(
    path: Path, wanted: frozenset[Who], *, own: bool = False, deadline: float = float("inf")
) -> History:
    """As `read`, of one record; raises what is wrong with it (`sqlite3.Error`, `ValueError` and the like)."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        db.set_progress_handler(lambda: monotonic() > deadline, 10_000)  # true ends the query with an error
        (schema,) = db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        if schema != str(SCHEMA_VERSION):
            return History()
        players = {
            number: _who(kind, model, key, style, track, json.loads(parameters))
            for number, kind, model, key, style, track, parameters in db.execute(_PLAYERS)
        }
        ours = {number: player for number, player in players.items() if player in wanted and player.style}
        if not ours:
            return History()
        return History(tuple(_sights(db, ours, own)), tuple(_courses(db, players, own)))


_PLAYERS = "SELECT id, kind, model, hash, style, track, parameters FROM player"

_CALLS = f"""
    SELECT c.player, m.game, m.variant, m.id, c.decision, c.output,
           c.input_fresh + c.cache_read + c.cache_write_short + c.cache_write_long, c.cache_read,
           c.cache_write_short + c.cache_write_long, c.latency_ms
    FROM (SELECT * FROM call ORDER BY rowid DESC LIMIT {CALLS}) c
    JOIN decision d ON d.id = c.decision JOIN match m ON m.id = d.match
    WHERE c.kind = 'ok' ORDER BY m.id
"""
_TEXTS = f"""
    SELECT m.game, m.variant, c.input_fresh + c.cache_read + c.cache_write_short + c.cache_write_long,
           d.system_blob, d.user_blob
    FROM (SELECT * FROM decision WHERE player = ? ORDER BY rowid DESC LIMIT {PROMPTS}) d
    JOIN call c ON c.id >= d.id || '.00.' AND c.id < d.id || '.00/' AND c.kind = 'ok'
    JOIN match m ON m.id = d.match
"""
_MATCHES = f"""
    SELECT m.game, m.variant, m.plies - json_array_length(m.opening), json_group_array(s.player)
    FROM (
        SELECT * FROM match WHERE status = 'finished' AND NOT EXISTS (SELECT 1 FROM run WHERE kind = 'probe')
        ORDER BY rowid DESC LIMIT {MATCHES}
    ) m JOIN seat s ON s.match = m.id GROUP BY m.id
"""


class _Tally:
    """The calls of one player at one game while they are read."""

    def __init__(self) -> None:
        self.answers: dict[str, list[int]] = {}
        self.decisions: set[str] = set()
        self.input = self.cache_read = self.cache_write = self.characters = self.tokens = 0
        self.latency_ms = 0.0


def _sights(db: sqlite3.Connection, players: Mapping[int, Who], own: bool) -> Iterator[Sight]:
    tallies: dict[tuple[int, str, str], _Tally] = {}
    for player, game, variant, match, decision, output, tokens, cached, written, latency in db.execute(
        _CALLS
    ):
        if player in players:
            tally = tallies.setdefault((player, game, variant), _Tally())
            tally.answers.setdefault(match, []).append(output)
            tally.decisions.add(decision)
            tally.input += tokens
            tally.cache_read += cached
            tally.cache_write += written
            tally.latency_ms += latency
    for player in players:
        for game, variant, tokens, *texts in db.execute(_TEXTS, (player,)):
            if (player, game, variant) in tallies:
                tally = tallies[player, game, variant]
                tally.characters += sum(len(_text(db, blob)) for blob in texts)
                tally.tokens += tokens
    for (player, game, variant), tally in tallies.items():
        answers = tuple(map(tuple, tally.answers.values()))
        asks = sum(map(len, answers))
        yield Sight(
            who=players[player],
            game=game,
            variant=json.loads(variant),
            own=own,
            answers=answers,
            decisions=len(tally.decisions),
            input=tally.input,
            cache_read=tally.cache_read,
            cache_write=tally.cache_write,
            characters=tally.characters,
            tokens=tally.tokens,
            latency_s=tally.latency_ms / 1000 / asks,
        )


def _text(db: sqlite3.Connection, number: int) -> str:
    data, base = db.execute(
        "SELECT b.data, base.data FROM blob b LEFT JOIN blob base ON base.id = b.base WHERE b.id = ?",
        (number,),
    ).fetchone()
    return split(inflate(data, inflate(base) if base else b""))[0]


def _courses(db: sqlite3.Connection, players: Mapping[int, Who], own: bool) -> Iterator[Course]:
    found: dict[tuple[str, str, tuple[Who, ...]], list[int]] = {}
    for game, variant, plies, seated in db.execute(_MATCHES):
        table = around(players[player] for player in json.loads(seated))
        found.setdefault((game, variant, table), []).append(max(1, plies))
    for (game, variant, table), lengths in found.items():
        yield Course(game, json.loads(variant), table, own, tuple(lengths))


def around(table: Iterable[Who]) -> tuple[Who, ...]:
    """Players at a table, the same in whichever order they are named."""
    return tuple(sorted(table))
