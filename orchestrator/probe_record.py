"""Positions for a probe out of a record, and what came of one: the two ends of `orchestrator probe`.

Positions are those in which models of a run had a choice, else those of whoever played it: as different as can be
(one of each class up to symmetry of what the mover knows), and spread over the match, because a run has most of its
first plies alike and many more late ones.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import engine
from engine import Rng
from orchestrator import probe
from orchestrator.programme import game_text
from orchestrator.ratings.probes import ORIGINAL, REPEAT, Consistency, Shown, consistencies, pooled
from orchestrator.record.database import RecordError
from orchestrator.record.reading import driver, reading
from orchestrator.record.untouched import untouched
from orchestrator.request import ProbeRequest, Question

RELABEL = "relabelled"
ALL = "any symmetry"
MOST_WAYS = 7  # symmetries that are told one by one


# ── positions of a record ────────────────────────────────────────────────────────────────────────────


class Found(NamedTuple):
    """A position in which a player had a choice."""

    ply: int
    state: bytes


CHOICES = """
    SELECT DISTINCT m.game, m.variant, d.ply, d.state, p.style != '' FROM decision d
    JOIN match m ON m.id = d.match JOIN player p ON p.id = d.player
    WHERE json_array_length(d.legal) > 1 AND d.action IS NOT NULL ORDER BY d.id
"""


def positions(path: Path, count: int, seed: int, game: str = "") -> tuple[str, ...]:
    """So many positions as hexadecimal text, or as many as there are; of this game, where one is named.

    Raises RecordError where a record has none.
    """
    with untouched(path) as session:
        rows = driver(session).execute(CHOICES).fetchall()
    of_game = [row for row in rows if not game or game in (row[0], game_text(row[0], json.loads(row[1])))]
    by_models = [row for row in of_game if row[4]]
    found = [Found(row[2], row[3]) for row in by_models or of_game]
    if not found:
        others = ", ".join(sorted({row[0] for row in rows}))
        hint = f"it has positions of {others}" if others else "give a run in which something was played"
        raise RecordError(f"{path} has no decision with a choice{f' in {game}' if game else ''}: {hint}")
    picked = spread(found, count, seed)
    if not picked:
        raise RecordError(
            f"no position of {path} looks other from another side: give a run that got further than its first plies"
        )
    return tuple(state.hex() for state in picked)


def models(path: Path) -> tuple[str, ...]:
    """Specs of a run's models, each once. Raises RecordError where it has none."""
    with untouched(path) as session:
        rows = driver(session).execute("SELECT spec FROM player WHERE style != '' ORDER BY id").fetchall()
    if not rows:
        raise RecordError(f"no model played in {path}: name whom to ask, as --player claude")
    return tuple(dict.fromkeys(spec for (spec,) in rows))


def spread(found: Iterable[Found], count: int, seed: int) -> list[bytes]:
    """One of each class, ply by ply in turn, drawn from the seed; in the order of their plies."""
    rng = Rng(seed)
    plies: dict[int, list[Found]] = {}
    for each in found:
        plies.setdefault(each.ply, []).append(each)
    chosen: list[Found] = []
    seen: set[bytes] = set()
    while plies and len(chosen) < count:
        waiting = sorted(plies)
        while waiting and len(chosen) < count:  # those who come first where there is not room for all
            ply = waiting.pop(rng.below(len(waiting)))
            one = _next(plies[ply], seen, rng)
            if one is None:
                del plies[ply]
            else:
                chosen.append(one)
    return [each.state for each in sorted(chosen)]


def _next(left: list[Found], seen: set[bytes], rng: Rng) -> Found | None:
    """One of those left whose class is new; None where there is none. What is looked at is taken away."""
    while left:
        one = left.pop(rng.below(len(left)))
        game = engine.from_bytes(one.state)
        known = game.name().encode() + game.infoset_class(game.current_player())
        if known not in seen and (game.num_symmetries() == 1 or probe.changing(game)):
            seen.add(known)
            return one
    return None


# ── what came of a probe ─────────────────────────────────────────────────────────────────────────────


class Answers(NamedTuple):
    """What the players of a probe answered, by label, and how its symmetries are called."""

    players: Mapping[str, list[Shown]]
    symmetries: tuple[str, ...]  # the ways that are symmetries, in their order
    asked: int  # questions that were answered or given up
    planned: int


class Answer(NamedTuple):
    action: int | None
    regret: float | None


ANSWERS = """
    SELECT m.pair, d.action, d.outcome, g.regret FROM match m
    JOIN decision d ON d.id >= m.id || '-' AND d.id < m.id || '.' LEFT JOIN grade g ON g.decision = d.id
    WHERE m.status = 'finished'
"""


def answers(path: Path) -> Answers:
    """Raises RecordError for a record of another kind."""
    with reading(path) as session:
        db = driver(session)
        row = db.execute("SELECT kind, request FROM run").fetchone()
        if row is None or row[0] != ProbeRequest.KIND:
            raise RecordError(f"{path} holds no probe: begin one with `orchestrator probe RUN`")
        request = ProbeRequest.from_json(json.loads(row[1]))
        labels = [label for (label,) in db.execute("SELECT label FROM player ORDER BY id")]
        given = _given(db)
    originals = {
        (asked.player, asked.position): given[pair]
        for pair, asked in enumerate(request.questions)
        if asked.ask.kind == "original" and pair in given
    }
    found: dict[str, list[Shown]] = {label: [] for label in labels}
    ways: dict[str, int] = {}
    for pair, asked in enumerate(request.questions):
        state, answer = request.states[asked.position], given.get(pair)
        way = way_of(state, asked)
        if asked.ask.kind == "symmetry":
            ways[way] = asked.ask.symmetry
        if answer is not None:
            original = originals.get((asked.player, asked.position))
            same = _same(state, asked, answer, original)
            found[labels[asked.player - 1]].append(Shown(asked.position, way, same, answer.regret))
    return Answers(found, tuple(sorted(ways, key=lambda way: (ways[way], way))), len(given), request.pairs)


def way_of(state: bytes, asked: Question) -> str:
    """How a position is shown, in words."""
    if asked.ask.kind == "symmetry":
        return str(engine.from_bytes(state).symmetry_text(asked.ask.symmetry))
    return {"original": ORIGINAL, "repeat": REPEAT, "relabel": RELABEL}[asked.ask.kind]


def _given(db: sqlite3.Connection) -> dict[int, Answer]:
    """By pair. What chance chose for a player, or nobody, is no choice."""
    return {
        pair: Answer(action, regret) if outcome in ("ok", "reasked") else Answer(None, None)
        for pair, action, outcome, regret in db.execute(ANSWERS)
    }


def _same(state: bytes, asked: Question, answer: Answer, original: Answer | None) -> bool | None:
    if original is None or original.action is None or answer.action is None:
        return None
    return probe.same_choice(state, original.action, probe.mapped_back(state, asked.ask, answer.action))


# ── in words ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Probed:
    """One player of one probe."""

    label: str
    ways: Sequence[Consistency]  # repeated, all symmetries, each of them, relabelled

    @property
    def verdict(self) -> str:
        """What can be said of it, in one sentence."""
        repeated = next((way for way in self.ways if way.way == REPEAT and way.same is not None), None)
        others = [way for way in self.ways if way.way in (ALL, RELABEL) and way.drop is not None]
        if repeated is None or repeated.same is None or not others:
            return f"{self.label}: too few answers to compare."
        itself = f"{self.label} repeats itself in {_percent(repeated.same.mean)} of answers"
        found = [_finding(way) for way in others]
        return f"{itself}; {'; '.join(found)}."


def _finding(way: Consistency) -> str:
    assert way.same is not None and way.drop is not None
    name = "from another side" if way.way == ALL else RELABEL
    less = f"{100 * way.drop.mean + 0.0:+.0f} [{100 * way.drop.low:.0f}, {100 * way.drop.high:.0f}]"
    said = f"{name} it chooses the same in {_percent(way.same.mean)}, {less} points"
    if not way.depends:
        return f"{said.replace(less, f'a drop of {less}')}, which chance may do"
    return f"{said.replace(less, f'a drop of {less}')}: how it is drawn matters{_harm(way)}"


def _harm(way: Consistency) -> str:
    """Whether the other choices are worse, where grades know."""
    if way.loss is None or way.fine is None:
        return ""
    if way.loss.low > 0:
        return f", and it plays worse, by {way.loss.mean:.2f} of a win"
    return f", but {_percent(way.fine.mean)} of its moves are worth as much"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def probed(label: str, shown: Sequence[Shown], symmetries: Sequence[str]) -> Probed:
    """What the answers of one player come to."""
    together = pooled(shown, symmetries, ALL)
    first = consistencies(together, (REPEAT, ALL))
    each = consistencies(shown, symmetries) if 1 < len(symmetries) <= MOST_WAYS else []
    return Probed(label, (*first, *each, *consistencies(shown, (RELABEL,))))
