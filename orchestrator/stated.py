"""Stated against played: every decision whose text commits to another move than the one that was made.

A text is what a model wrote with its move (`rationale`: all fields of the style), or its reasoning as far as the
service shows it, raw or as a summary; the two are judged apart, by `prompts.stated`, against what its seat could
see. Only a model's own decisions count: not what chance chose after its answers had failed. Texts are judged when
they are asked for, and no verdict is kept: a better reader then is better for old records too.

`verdicts` streams a record of any length; `differing` is the filter for whoever exports decisions as data.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import engine
from engine import View
from orchestrator.ratings.quality import ratio
from orchestrator.ratings.shares import Share
from orchestrator.record.blobs import inflate, split
from orchestrator.record.database import RecordError
from orchestrator.record.reading import driver, reading
from orchestrator.record.tables import of_decision
from prompts import Track
from prompts.stated import SILENT, Stated, Verdict, concluded, stated

Source = Literal["rationale", "reasoning"]
SOURCES: tuple[Source, ...] = get_args(Source)
REMEMBERED = 256  # texts that others are compressed against


class Judged(NamedTuple):
    """A model's own decision, and what its texts commit to. None: there is no such text, or no way to read it."""

    id: str
    match: str
    cluster: bytes | str  # equal for matches that went alike
    game: str
    variant: str  # as JSON
    ply: int
    seat: int
    player: int
    action: int
    text: str  # the action's notation
    rationale: Stated | None
    reasoning: Stated | None
    regret: float | None  # where it is graded
    readable: bool = True  # this installation knows the game and its rules as they were

    def said(self, source: Source) -> Stated | None:
        return self.rationale if source == "rationale" else self.reasoning

    def verdict(self, source: Source) -> Verdict | None:
        told = self.said(source)
        return told and told.verdict(self.action)

    def outcome(self, source: Source) -> Outcome | None:
        verdict = self.verdict(source)
        return verdict and Outcome(self.cluster, verdict, self.regret)

    @property
    def differs(self) -> bool:
        """Whether any of its texts commits to another move."""
        return "differs" in (self.verdict("rationale"), self.verdict("reasoning"))


def differing(path: Path) -> set[str]:
    """The ids of the decisions of a run whose rationale or reasoning commits to another move. Raises RecordError."""
    return {judged.id for judged in verdicts(path) if judged.differs}


QUERY = f"""
    SELECT d.id, m.id, m.went, m.game, m.variant, d.ply, d.seat, d.player, d.action, d.action_text, d.state, d.legal,
           d.rationale, p.track, g.regret,
           (SELECT iif(c.reasoning_kind IN ('raw', 'summary'), c.texts_blob, NULL) FROM call c
            WHERE {of_decision("c.id", "d.id")} AND c.answer IS NOT NULL ORDER BY c.ask DESC, c.attempt DESC LIMIT 1)
    FROM decision d JOIN match m ON m.id = d.match JOIN player p ON p.id = d.player
    LEFT JOIN grade g ON g.decision = d.id
    WHERE d.outcome IN ('ok', 'reasked') AND d.action IS NOT NULL AND p.kind NOT IN ('bot', 'human', 'policy')
"""


def verdicts(path: Path) -> Iterator[Judged]:
    """Every decision of a run that a model made itself and said something about, one by one. Raises RecordError."""
    with reading(path) as session:
        db = driver(session)
        thought = _reasonings(db)
        for row in db.execute(QUERY):
            id, match, went, *where, action, text, state, legal, rationale, track, regret, blob = row
            reasoning = thought(blob) if blob is not None else ""
            if not (rationale or reasoning):
                continue
            game, variant, ply, seat, player = where
            judge = _Judge(state, seat, json.loads(legal), "rules" if track == "rules" else "open")
            place = id, match, went or match, game, variant, ply, seat, player
            told = judge(rationale, stated), judge(reasoning, concluded)
            yield Judged(*place, action, text, *told, regret, judge.readable)


def otherwise(action: int, rationale: str, reasoning: str, view: View, track: str) -> str:
    """The move, in the text's words, that a rationale or else a reasoning names in place of `action`; or ""."""
    shown: Track = "rules" if track == "rules" else "open"
    for told in (stated(rationale, view, shown), concluded(reasoning, view, shown)):
        if told.verdict(action) == "differs":
            return told.named
    return ""


class _Judge:
    """Reads the texts of one decision by what its seat could see."""

    def __init__(self, state: bytes, seat: int, legal: Sequence[int], track: Track) -> None:
        self._track: Track = track
        self._view = _view(state, seat, legal)
        self.readable = self._view is not None

    def __call__(self, text: str, read: Callable[[str, View, Track], Stated]) -> Stated | None:
        if not text:
            return None
        return SILENT if self._view is None else read(text, self._view, self._track)


def _view(state: bytes, seat: int, legal: Sequence[int]) -> View | None:
    """None for a game that is not known here, or in which other moves are legal today."""
    try:
        view = engine.from_bytes(state).view(seat)
    except ValueError:
        return None
    return view if [action.id for action in view.legal] == list(legal) else None


def _reasonings(db: sqlite3.Connection) -> Callable[[int], str]:
    """The reasoning in the blob of a call's texts, of which it is the first."""

    def data(number: int) -> tuple[bytes, int | None]:
        row = db.execute("SELECT data, base FROM blob WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise RecordError(f"the record has no blob {number}: it is damaged")
        return row[0], row[1]

    @lru_cache(maxsize=REMEMBERED)
    def base(number: int) -> bytes:
        return inflate(data(number)[0])

    def read(number: int) -> str:
        packed, on = data(number)
        return split(inflate(packed, b"" if on is None else base(on)))[0]

    return read


# ── sums ─────────────────────────────────────────────────────────────────────────────────────────────


class Outcome(NamedTuple):
    """What figures need of one text."""

    cluster: bytes | str
    verdict: Verdict
    regret: float | None


class Figures(NamedTuple):
    """Of texts of one kind: how many commit to a move, and how many of those to another than the one played."""

    texts: int
    agreeing: int
    differing: int
    rate: Share | None  # differing among those that commit; None where none does
    regret: float | None  # mean, of graded decisions whose text differs
    regret_agreeing: float | None

    @property
    def committed(self) -> int:
        return self.agreeing + self.differing

    @property
    def silent(self) -> int:
        return self.texts - self.committed


def figures(outcomes: Iterable[Outcome]) -> Figures | None:
    """Of texts of one kind; None without any. The interval counts matches, exact repeats once."""
    texts = list(outcomes)
    if not texts:
        return None
    agreeing = [outcome for outcome in texts if outcome.verdict == "agrees"]
    differing = [outcome for outcome in texts if outcome.verdict == "differs"]
    clusters = [outcome.cluster for outcome in (*agreeing, *differing)]
    parts = [0.0] * len(agreeing) + [1.0] * len(differing)
    return Figures(
        len(texts),
        len(agreeing),
        len(differing),
        ratio(clusters, parts, [1.0] * len(parts)) if parts else None,
        _mean(outcome.regret for outcome in differing),
        _mean(outcome.regret for outcome in agreeing),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
