"""Recorded play as canonical rows, streamed: one record, its decisions in playing order, whole matches at a time.

What is not known of a decision stays None; what a row does not hold by itself (ratings, a user's own terms) is
given by whoever knows it, in `known`; the part it goes to and its weight are the export's. Matches that are over
count, void ones not: what was decided in a match that nobody finished has no outcome.

Of a player that was asked in no words (a bot, a person) the prompts are rendered here as the export asks
(`Ask`), from the view that the seat had: such rows are as good to train on as a model's.

What the stand-in answered in the place of a model is the stand-in's: such a row names it as its player and as its
model, and nowhere says whose place it took.

What a column takes differs a hundredfold, so that there are four ways to read: `decisions` has every column,
`decisions(brief=True)` all that a target's examples are made of, `glances` what is chosen by, `positions` the game
itself. `games` has the other table.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import engine
import prompts
from engine import Action, Game
from orchestrator.export.columns import DECISIONS, GAMES, Row
from orchestrator.export.known import Known
from orchestrator.export.sketch import sketch
from orchestrator.export.terms import STAND_IN, Terms, of_source
from orchestrator.export.terms import known as known_terms
from orchestrator.fixture import pair_name
from orchestrator.record.blobs import BETWEEN, inflate
from orchestrator.record.database import RecordError
from orchestrator.record.reading import driver
from orchestrator.record.untouched import untouched
from orchestrator.standings import AS_STAND_IN, stood_in
from prompts import Track
from prompts.stated import concluded, stated

CLOSE = 1e-9  # two values that differ by less are one
NOT_BRIEF = (
    "rules_version",
    "position_hash",
    "position_class",
    "infoset_hash",
    "state",
    "facts",
    "stated_action",
)
"""Columns that a brief row lacks."""
EMPTY: Row = dict.fromkeys(DECISIONS)
EMPTY_GAME: Row = dict.fromkeys(GAMES)


class Ask(NamedTuple):
    """How a decision is put into words where nobody asked it in words."""

    style: str = "terse"
    track: Track = "open"


@dataclass(frozen=True, slots=True)
class Player:
    """What all decisions of a player have in common."""

    spec: str
    hash: str
    kind: str
    columns: Mapping[str, Any]  # of the canonical row


class Match(NamedTuple):
    """What all decisions of a match have in common."""

    id: str
    pair: str
    deal: str
    seed: int
    game: str
    variant: str
    plies: int
    sat: Sequence[int]
    scores: Sequence[float]
    specs: Sequence[str]  # by seat; of whom the stand-in answered for, the stand-in's name


class Glance(NamedTuple):
    """A row without its texts, and what is to be known of these: a hash of 8 bytes, a sketch of 32 or none."""

    row: Row
    question: bytes  # equal for equal prompts
    thoughts: bytes  # sketch of the reasoning, nearly equal for what is nearly the same
    length: int  # characters of the answer and its reasoning


class Step(NamedTuple):
    """A row without words, and the game as it stood; `cut` where somebody forfeited the match."""

    row: Row
    game: Game
    cut: bool


@dataclass(slots=True)
class Source:
    """One record, opened for reading: `with opened(path) as source`."""

    path: Path
    db: sqlite3.Connection
    run: str
    version: str
    players: Mapping[int, Player]
    ask: Ask = field(default_factory=Ask)
    known: Known = field(default_factory=Known)

    def matches(self) -> list[str]:
        """Ids of the matches that came to an end that counts, in playing order."""
        query = "SELECT id FROM match WHERE status = 'finished' ORDER BY id"
        return [match for (match,) in self.db.execute(query)]

    def chosen(self, ids: Sequence[str], *, brief: bool = False) -> Iterator[Row]:
        """The rows of these decisions, in their order. Raises KeyError for one that is of no finished match."""
        texts = _Texts(self.db)
        match = lru_cache(maxsize=256)(self._match)
        for decision in ids:
            made = self.db.execute(f"{MADE} WHERE d.id = ?", (decision,)).fetchone()
            if made is None:
                raise KeyError(decision)
            calls = self.db.execute(
                f"{CALLS} AND id >= ? || '.' AND id < ? || '/' ORDER BY id", 2 * (decision,)
            )
            read = [_Call._make(call) for call in calls]
            yield self._whole(_Made._make(made), match(decision.rpartition("-")[0]), read, texts, brief)

    def decisions(
        self, first: str = "", last: str = "~", only: Container[str] | None = None, *, brief: bool = False
    ) -> Iterator[Row]:
        """The rows of finished matches from `first` to `last`, ids both included, in the order of their ids.

        Of them those that `only` holds; `brief` ones have None for `NOT_BRIEF`.
        """
        texts = _Texts(self.db)
        for made, match, calls in self._read(first, last):
            if only is None or made.id in only:
                yield self._whole(made, match, calls, texts, brief)

    def glances(self, first: str = "", last: str = "~", judged: bool = False) -> Iterator[Glance]:
        """As `decisions`, with rows that lack what takes long: the view's columns, prompts and texts.

        `judged`: with the move that its texts commit to.
        """
        texts = _Texts(self.db)
        for made, match, calls in self._read(first, last):
            yield self._glance(made, match, calls, texts, judged)

    def positions(
        self, first: str = "", last: str = "~", only: Container[str] | None = None
    ) -> Iterator[Step]:
        """As `decisions`, with rows that lack all words, and the game as it stood."""
        query = "SELECT match FROM seat WHERE match BETWEEN ? AND ? AND forfeit <> ''"
        cut = {match for (match,) in self.db.execute(query, (first, last))}
        for made, match, calls in self._read(first, last):
            if only is None or made.id in only:
                game = engine.from_bytes(made.state)
                row = self._row(made, match, calls)
                _must_be_legal(row, game)
                row["policy"] = _in_order(made.probabilities, row["legal_actions"])
                yield Step(row, game, match.id in cut)

    def games(self, first: str = "", last: str = "~", only: Container[str] | None = None) -> Iterator[Row]:
        """Matches as rows of the table of games, likewise. Raises RecordError where moves are missing."""
        matches, more = self._matches(first, last), self._more(first, last)
        moves: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        query = "SELECT id, seat, action FROM decision WHERE id BETWEEN ? AND ? AND action IS NOT NULL ORDER BY id"
        for decision, seat, action in self.db.execute(query, (first, f"{last}~")):
            moves[decision.rpartition("-")[0]].append((seat, action))
        for match in matches.values():
            if only is None or match.id in only:
                yield self._game(match, moves[match.id], *more[match.id])

    def _read(self, first: str, last: str) -> Iterator[tuple[_Made, Match, Calls]]:
        matches = self._matches(first, last)
        between = (first, f"{last}~")
        calls = _Ahead(self.db.execute(f"{CALLS} AND id BETWEEN ? AND ? ORDER BY id", between))
        for read in self.db.execute(f"{MADE} WHERE d.id BETWEEN ? AND ? ORDER BY d.id", between):
            match = matches.get(read[0].rpartition("-")[0])
            if match is not None:
                yield _Made._make(read), match, calls.of(read[0])

    # ── a row ────────────────────────────────────────────────────────────────────────────────────

    def _whole(self, made: _Made, match: Match, calls: Calls, texts: _Texts, brief: bool) -> Row:
        game = engine.from_bytes(made.state)
        row = self._row(made, match, calls)
        _must_be_legal(row, game)
        row.update(
            n_players=game.num_players(),
            legal_texts=[game.action_text(action) for action in row["legal_actions"]],
            policy=_in_order(made.probabilities, row["legal_actions"]),
            opponents=[spec for at, spec in enumerate(match.specs) if at != made.seat],
        )
        if made.user is None:
            asked = prompts.render(game.view(made.seat), self.ask.style, self.ask.track)
            row["system_prompt"], row["prompt"], row["prompt_sha"] = asked.system, asked.user, asked.style_sha
        else:
            row["system_prompt"], row["prompt"] = texts.shared(made.system), texts(made.user)
        if calls and calls[-1].reasoning_kind != "none" and calls[-1].texts is not None:
            row["reasoning"] = texts(calls[-1].texts) or None
            row["reasoning_kind"] = calls[-1].reasoning_kind if row["reasoning"] else "none"
        if not brief:
            _place(row, game)
            row["rules_version"] = _rules(game.rules_text())
            facts = game.facts(made.seat)
            row["state"], row["facts"] = made.state.hex(), _JSON(facts)
            if made.rationale or row["reasoning"]:
                row["stated_action"] = _stated(row, game.name(), facts)
        return row

    def _glance(self, made: _Made, match: Match, calls: Calls, texts: _Texts, judged: bool) -> Glance:
        row, game = self._row(made, match, calls), engine.from_bytes(made.state)
        _place(row, game)
        if made.user is None:
            question = _short(made.state, self.ask.style.encode(), self.ask.track.encode())
            row["prompt_sha"] = f"{self.ask.style} {self.ask.track}"
        else:
            question = _short(texts.mark(made.system), texts.raw(made.user))
        thoughts = texts.raw(calls[-1].texts) if calls else b""
        if thoughts:
            row["reasoning_kind"] = calls[-1].reasoning_kind
        told = _text(thoughts)
        if judged and (row["rationale"] or told):
            texts_too = {
                "legal_texts": [game.action_text(action) for action in row["legal_actions"]],
                "reasoning": told,
            }
            row["stated_action"] = _stated(row | texts_too, game.name(), game.facts(made.seat))
        return Glance(row, question, sketch(told), len(row["response"] or "") + len(told))

    def _row(self, made: _Made, match: Match, calls: Calls) -> Row:
        """All that is quick."""
        legal = _listed(made.legal)
        row = dict(EMPTY)
        row.update(self.players[made.player].columns)
        row.update(
            decision_id=made.id,
            run_id=self.run,
            match_id=match.id,
            pair_id=match.pair,
            deal=match.deal,
            seed=match.seed,
            game=match.game,
            variant=match.variant,
            ply=made.ply,
            seat=made.seat,
            legal_actions=legal,
            rationale=made.rationale or None,
            action=made.action,
            action_text=made.action_text,
            action_index=legal.index(made.action) if made.action is not None else None,
            parse_status=made.outcome,
            attempt=max([call.ask for call in calls], default=0) + 1,
            legal_first_try=made.outcome == "ok",
            was_fallback=made.outcome == "fallback",
            forecast=made.forecast,
            prompt_sha=made.sha,
            reasoning_kind="none",
            created_at=made.decided,
            framework_version=self.version,
            latency_ms=made.latency_ms,
            outcome=2 * match.scores[made.seat] - 1,
            plies_left=match.plies - made.ply,
            weight=1.0,
        )
        if made.user is None:
            row["prompt_template"] = f"{self.ask.style} {self.ask.track}"
        rating = self.known.ratings.get((self.run, made.player, match.game, match.variant))
        if rating is not None:
            row["rating"], row["rating_se"] = rating
        _answered(row, calls, made.cost_pico)
        if calls and stood_in(row["player"], [calls[-1].reported]):
            row.update(_stand_in(row))
        if made.method is not None:
            _grade(row, made)
        return row

    def _game(self, match: Match, moves: Sequence[tuple[int, int]], said: _Ended, sat: Sequence[_Sat]) -> Row:
        game = engine.new(match.game, match.seed, **json.loads(match.variant))
        opening = json.loads(said.opening)
        actions, texts, seats = [*opening, *(action for _, action in moves)], [], []
        for action in actions:
            seats.append(game.current_player())
            texts.append(game.action_text(action))
            game.apply(action)
        if seats[len(opening) :] != [seat for seat, _ in moves] or len(actions) != match.plies:
            raise RecordError(f"{match.id}: its moves do not lead from its deal to its end")
        forfeits = [seat.forfeit for seat in sat if seat.forfeit]
        return {
            **EMPTY_GAME,
            "match_id": match.id,
            "run_id": self.run,
            "pair_id": match.pair,
            "deal": match.deal,
            "seed": match.seed,
            "game": match.game,
            "variant": match.variant,
            "n_players": len(sat),
            "opening": opening,
            "players": list(match.specs),
            "player_kinds": [self.players[one].kind for one in match.sat],
            "actions": actions,
            "action_texts": texts,
            "seats": seats,
            "plies": match.plies,
            "scores": list(match.scores),
            "points": [] if forfeits else [seat.points for seat in sat],
            "forfeit": "; ".join(forfeits),
            "started_at": said.started,
            "finished_at": said.finished,
            "cost_usd": said.cost_pico / 1e12 if said.priced else None,
        }

    def _more(self, first: str, last: str) -> dict[str, tuple[_Ended, list[_Sat]]]:
        """What only the table of games tells of a match."""
        between = (first, last)
        sat: defaultdict[str, list[_Sat]] = defaultdict(list)
        query = "SELECT match, forfeit, points FROM seat WHERE match BETWEEN ? AND ? ORDER BY match, seat"
        for match, forfeit, points in self.db.execute(query, between):
            sat[match].append(_Sat(forfeit, points))
        return {row[0]: (_Ended._make(row[1:]), sat[row[0]]) for row in self.db.execute(ENDED, between)}

    def _match(self, match: str) -> Match:
        return self._matches(match, match)[match]

    def _matches(self, first: str, last: str) -> dict[str, Match]:
        sat: dict[str, list[tuple[int, float]]] = {}
        seats = "SELECT match, player, score FROM seat WHERE match BETWEEN ? AND ? ORDER BY match, seat"
        for match, player, score in self.db.execute(seats, (first, last)):
            sat.setdefault(match, []).append((player, score))
        query = """
            SELECT id, pair, seed, game, variant, opening, plies FROM match
            WHERE status = 'finished' AND id BETWEEN ? AND ?
        """
        stand_ins = self._stand_ins(first, last)
        found = {}
        for match, pair, seed, game, variant, opening, plies in self.db.execute(query, (first, last)):
            told = _canonical(variant)
            deal = _hash(game.encode(), told.encode(), str(seed).encode(), opening.encode())
            numbers, scores = zip(*sat[match], strict=True)
            specs = [stand_ins.get((match, number), self.players[number].spec) for number in numbers]
            found[match] = Match(
                match, f"{self.run}-{pair_name(pair)}", deal, seed, game, told, plies, numbers, scores, specs
            )
        return found

    def _stand_ins(self, first: str, last: str) -> dict[tuple[str, int], str]:
        """By match and player the stand-in that answered in the player's place, for at least one of its calls."""
        query = "SELECT match, player, reported FROM tally WHERE match BETWEEN ? AND ? AND reported LIKE '%simulated/%'"
        return {
            (match, player): fake[0]
            for match, player, reported in self.db.execute(query, (first, last))
            if (fake := stood_in(self.players[player].spec, json.loads(reported)))
        }


MADE = """
    SELECT d.id, d.ply, d.seat, d.player, d.action, d.action_text, d.legal, d.outcome,
           d.rationale, d.forecast, d.probabilities, d.state, d.system_blob, d.user_blob, d.style_sha,
           d.latency_ms, d.cost_pico, d.decided,
           g.method, g.exact, g.worth, g.best, g.regret, g.visits
    FROM decision d LEFT JOIN grade g ON g.decision = d.id
"""
CALLS = """
    SELECT id, ask, answer, model_reported, reasoning_kind, texts_blob,
           input_fresh + cache_read + cache_write_short + cache_write_long, cache_read, reasoning, output,
           price IS NOT NULL
    FROM call WHERE kind = 'ok'
"""


ENDED = """
    SELECT m.id, m.opening, m.started, m.finished, coalesce(t.cost, 0), coalesce(t.unpriced, 0) = 0
    FROM match m LEFT JOIN (
        SELECT match, sum(cost_pico) AS cost, sum(unpriced_calls) AS unpriced FROM tally GROUP BY match
    ) t ON t.match = m.id
    WHERE m.id BETWEEN ? AND ?
"""


class _Sat(NamedTuple):
    """A seat, as the table of games tells it."""

    forfeit: str
    points: float | None


class _Ended(NamedTuple):
    """A match as `ENDED` reads it."""

    opening: str
    started: float | None
    finished: float | None
    cost_pico: int
    priced: int


class _Made(NamedTuple):
    """A decision as `MADE` reads it."""

    id: str
    ply: int
    seat: int
    player: int
    action: int | None
    action_text: str
    legal: str
    outcome: str
    rationale: str
    forecast: float | None
    probabilities: str | None
    state: bytes
    system: int | None
    user: int | None
    sha: str
    latency_ms: float
    cost_pico: int
    decided: float
    method: str | None
    exact: int
    worth: str
    best: str
    regret: float | None
    visits: str | None


class _Call(NamedTuple):
    """An answered call as `CALLS` reads it."""

    id: str
    ask: int
    answer: str | None
    reported: str
    reasoning_kind: str
    texts: int | None
    tokens_in: int
    tokens_cached: int
    tokens_reasoning: int
    tokens_out: int
    priced: int


Calls = Sequence[_Call]


class _Ahead:
    """Calls in the order of their ids, handed out decision by decision."""

    def __init__(self, rows: Iterable[Sequence[Any]]) -> None:
        self._rows = iter(rows)
        self._next = next(self._rows, None)

    def of(self, decision: str) -> Calls:
        """The calls of a decision; those of earlier ones are passed over."""
        found = []
        while self._next is not None and (whose := self._next[0].partition(".")[0]) <= decision:
            if whose == decision:
                found.append(_Call._make(self._next))
            self._next = next(self._rows, None)
        return found


class _Texts:
    """Stored texts by their number, of several that are one blob the first; what others are based on is read once."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._base = lru_cache(maxsize=256)(self._inflated)
        self.mark = lru_cache(maxsize=256)(self._mark)
        self.shared = lru_cache(maxsize=256)(self.__call__)

    def __call__(self, blob: int | None) -> str:
        return _text(self.raw(blob))

    def raw(self, blob: int | None) -> bytes:
        """In UTF-8."""
        if blob is None:
            return b""
        base, data = self._db.execute("SELECT base, data FROM blob WHERE id = ?", (blob,)).fetchone()
        return inflate(data, b"" if base is None else self._base(base)).partition(BETWEEN)[0]

    def _mark(self, blob: int | None) -> bytes:
        """A hash of a text that is the same for many, as `shared` is such a text."""
        return _short(self.raw(blob))

    def _inflated(self, blob: int) -> bytes:
        (data,) = self._db.execute("SELECT data FROM blob WHERE id = ?", (blob,)).fetchone()
        return inflate(data)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


@contextmanager
def opened(path: Path, ask: Ask | None = None, known: Known | None = None) -> Iterator[Source]:
    """A record (`runs/NAME` or its file) as a source; it is only read. Raises RecordError."""
    known = known or Known()
    with untouched(path) as session:
        db = driver(session)
        begun = db.execute("SELECT id, version FROM run").fetchone()
        if begun is None:
            raise RecordError(f"{path} holds no run that began")
        run, version = begun
        players = {row[0]: _player(row, known.own) for row in db.execute(PLAYERS)}
        try:
            yield Source(path, db, run, version, players, ask or Ask(), known)
        except (ValueError, LookupError, TypeError) as error:
            raise RecordError(f"{path} is damaged: {type(error).__name__}: {error}") from error


PLAYERS = "SELECT id, spec, hash, kind, provider, model, style, track, parameters FROM player"
SAMPLING = ("effort", "temperature", "mode", "reasks", "fallback", "max_tokens", "tier")


def _player(row: Sequence[Any], own: tuple[Terms, ...]) -> Player:
    _, spec, known_by, kind, provider, model, style, track, parameters = row
    settings = json.loads(parameters)
    columns = {
        "player": spec,
        "player_hash": known_by,
        "player_kind": kind,
        "provider": provider or None,
        "model_requested": model or None,
        "terms_id": of_source(spec.partition("?")[0], known_terms(own)).id,
        "sampling": _JSON({name: settings[name] for name in SAMPLING if settings.get(name) is not None}),
        "prompt_template": f"{style} {track}" if style else None,
    }
    return Player(spec, known_by, kind, columns)


def _must_be_legal(row: Row, game: Game) -> None:
    if game.legal_actions() != row["legal_actions"]:
        raise RecordError(f"{row['decision_id']}: other moves are legal today than when it was made")


def _place(row: Row, game: Game) -> None:
    """The position by its hashes. Where nothing is hidden, everybody knows its class."""
    rules = f"{row['game']} {row['variant']}".encode()
    row["position_hash"] = _hash(rules, game.position_bytes())
    row["position_class"] = row["infoset_hash"] = _hash(rules, game.position_class())
    if game.hidden_information():
        row["infoset_hash"] = _hash(rules, game.infoset_class(row["seat"]))


def _answered(row: Row, calls: Calls, cost_pico: int) -> None:
    """What a service said, and what it took."""
    row["cost_source"] = "none"
    if not calls:
        return
    last = calls[-1]
    row["response"], row["model_reported"] = last.answer, last.reported
    if calls[0].ask < last.ask:
        row["first_response"] = calls[0].answer
    for name in ("tokens_in", "tokens_cached", "tokens_reasoning", "tokens_out"):
        row[name] = getattr(last, name) if len(calls) == 1 else sum(getattr(call, name) for call in calls)
    priced = all(call.priced for call in calls)
    row["cost_source"] = "table" if priced else "unknown"
    row["cost_usd"] = cost_pico / 1e12 if priced else None


def _stand_in(row: Row) -> Row:
    """The columns of who really answered. Nobody was paid for it, whatever the prices of the place it took."""
    name = row["model_reported"]
    return {
        "player": name,
        "player_hash": row["player_hash"] + AS_STAND_IN,
        "provider": "sim",
        "model_requested": name,
        "terms_id": of_source(STAND_IN).id,
        "cost_usd": None,
        "cost_source": "none",
    }


class _Seen(NamedTuple):
    """As much of a view as tells which move a text commits to."""

    game: str
    legal: tuple[Action, ...]
    facts: Mapping[str, Any]


def _stated(row: Row, game: str, facts: Mapping[str, Any]) -> int | None:
    """The move that rationale or reasoning commits to: another than the played one if one of them does."""
    view = _Seen(game, tuple(map(Action, row["legal_actions"], row["legal_texts"])), facts)
    shown: Track = "rules" if (row["prompt_template"] or "").endswith(" rules") else "open"
    found = None
    for text, read in ((row["rationale"], stated), (row["reasoning"], concluded)):
        told = read(text, view, shown) if text and row["action"] is not None else None
        if told is not None and told.verdict(row["action"]) == "differs":
            return -1 if told.action is None else told.action
        if told is not None and told.kind:
            found = row["action"]
    return found


def _grade(row: Row, made: _Made) -> None:
    values = _listed(made.worth)
    row["best_actions"] = _listed(made.best)
    row["difficulty"] = len(row["best_actions"]) / len(values)
    agrees = None if made.regret is None else made.regret < CLOSE
    if made.exact:
        row["value_solver"], row["q_solver"] = max(values), values
        row["regret_solver"], row["agrees_solver"] = made.regret, agrees
        return
    row["search"], row["q_search"] = made.method, values
    row["visits"] = json.loads(made.visits) if made.visits else None
    row["regret_search"], row["agrees_search"] = made.regret, agrees


def _listed(told: str) -> list[Any]:
    """A list of numbers that is JSON; what is legal, best or worth how much is the same again and again."""
    return [*_numbers(told)]


@lru_cache(maxsize=4096)
def _numbers(told: str) -> tuple[Any, ...]:
    return tuple(json.loads(told))


def _in_order(probabilities: str | None, legal: Sequence[int]) -> list[float] | None:
    if probabilities is None:
        return None
    given = json.loads(probabilities)
    return [given.get(str(action), 0.0) for action in legal]


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=str).encode


@cache
def _canonical(variant: str) -> str:
    return _JSON(json.loads(variant))


@lru_cache(maxsize=256)
def _rules(told: str) -> str:
    return _hash(told.encode())


def _hash(*parts: bytes) -> str:
    """16 hex digits; of a million different things two share one with a chance of 3 in 100 million."""
    return _short(*parts).hex()


def _short(*parts: bytes) -> bytes:
    return hashlib.sha256(b"\0".join(parts)).digest()[:8]
