"""Which decisions an export takes: looked at one by one for what only they say, then chosen from together.

The first part (`look`) reads whole rows and leaves a `Pick` of those that pass the filters and the terms: some
hundred bytes, so that a million fit into memory. It runs in as many processes as there are, for it knows nothing
of other rows, but that an episode of rl-arrays, one seat's way through one match, is taken whole or not at all. The
second (`choose`) has all picks, in the order of their ids, and drops what says the same as
another, keeps the best answers to each question, makes pairs and parts the rest. It is a function of the picks:
how many processes looked changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from sys import intern
from typing import NamedTuple

import engine
from orchestrator.export.example import Split
from orchestrator.export.filters import passes, read_filter, regret
from orchestrator.export.kinds import Judged, error, label, pairs, passed
from orchestrator.export.source import Glance, opened
from orchestrator.export.terms import by_id
from orchestrator.export.wanted import Wanted
from orchestrator.record.reading import all_kept


class Pick(NamedTuple):
    """A decision that may be taken: what is needed to choose, hashes as 8 bytes."""

    id: str
    key: bytes  # what must not be in two parts
    split: Split
    pinned: bool
    secret: (
        bool  # no test row if training has its place: parted by the deal, cards are hidden, rows stand alone
    )
    question: bytes  # equal for equal prompts
    same: bytes  # equal for rows that say the same
    place: bytes  # position class or, where cards are hidden, what the seat knew
    deal: bytes
    thoughts: bytes  # a sketch of the reasoning, empty without any
    move: str
    player: str
    regret: float | None
    error: float  # the standard error of the value behind it
    label: bool | None
    reasked: bool  # there is a first answer that was refused, and it is another than the last
    length: int  # characters of the answer and its reasoning


@dataclass(slots=True)
class Samples:
    """How often each question was answered, and how well, whatever the filters say of the answers."""

    answers: Counter[bytes] = field(default_factory=Counter)
    judged: Counter[bytes] = field(default_factory=Counter)  # of these, those of which somebody knows
    passed: Counter[bytes] = field(
        default_factory=Counter
    )  # of these, those that were legal and gave nothing away

    def see(self, question: bytes, well: bool | None) -> None:
        """One more answer."""
        self.answers[question] += 1
        if well is not None:
            self.judged[question] += 1
            self.passed[question] += well

    def add(self, other: Samples) -> None:
        """Those of another part."""
        self.answers.update(other.answers)
        self.judged.update(other.judged)
        self.passed.update(other.passed)

    def rate(self, question: bytes) -> float | None:
        """The share that passed; None where nobody knows of any."""
        judged = self.judged[question]
        return self.passed[question] / judged if judged else None


@dataclass(slots=True)
class Look:
    """What was seen in a part of a record."""

    picks: list[Pick] = field(default_factory=list)
    seen: int = 0
    filters: list[Counter[str]] = field(default_factory=list)
    sources: Counter[tuple[str, str]] = field(default_factory=Counter)  # by (player, terms): that passed
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)  # likewise, for their terms
    samples: Samples = field(default_factory=Samples)  # of sft and rl-prompts, from sources that may be used

    def add(self, other: Look) -> None:
        """What was seen in another part."""
        self.picks += other.picks
        self.seen += other.seen
        self.sources += other.sources
        self.left_out += other.left_out
        self.samples.add(other.samples)
        if not self.filters:
            self.filters = [Counter() for _ in other.filters]
        for mine, its in zip(self.filters, other.filters, strict=True):
            mine += its


class Chosen(NamedTuple):
    """One row to be written: its decision, and of pref the rejected one's."""

    ids: tuple[str, ...]
    split: Split
    weight: float = 1.0
    same: int = 1  # rows that say the same, this one too
    group: str = ""
    rank: int = 1  # among the answers to its question that passed the filters, the best first
    n_samples: int = 0  # answers to its question on record
    pass_rate: float | None = None  # how many of these were legal at once and gave nothing away


MOST_TIMES = 20  # that a row was said; more change its weight no further
SAMPLED = ("sft", "rl-prompts")  # kinds that say how often a question was answered, and how well


@all_kept()
def look(path: Path, first: str, last: str, wanted: Wanted) -> Look:
    """The finished matches of a record from `first` to `last`. Raises RecordError."""
    found, broken = Look(), set()
    seats: list[tuple[str, int]] = []  # of the picks: whose episode they are of
    filters = [read_filter(text) for text in wanted.named]
    judged = any(text.startswith("faithful") for text in wanted.named)
    with opened(path, wanted.ask, wanted.known) as source:
        for glance in source.glances(first, last, judged):
            row = glance.row
            found.seen += 1
            seat = row["match_id"], row["seat"]
            may_use = wanted.include_restricted or by_id(row["terms_id"], wanted.known.own).is_open
            if may_use and wanted.kind in SAMPLED:
                found.samples.see(glance.question, passed(row, wanted.epsilon))
            if not passes(row, filters):
                broken.add(seat)
                continue
            if row["action"] is None and wanted.kind != "tables":
                continue  # nothing was played; a table of all that happened has it nevertheless
            whose = row["player"], row["terms_id"]
            if not may_use:
                found.left_out[whose] += 1
                broken.add(seat)
                continue
            found.sources[whose] += 1
            found.picks.append(_pick(glance, wanted))
            seats.append(seat)
    if wanted.kind == "rl-arrays":
        found.picks = [pick for pick, seat in zip(found.picks, seats, strict=True) if seat not in broken]
    found.filters = [each.counts for each in filters]
    return found


def _pick(glance: Glance, wanted: Wanted) -> Pick:
    row = glance.row
    hidden = hides(row["game"], row["variant"])
    policy = wanted.parted
    place = row["infoset_hash"] if hidden else row["position_hash"]
    key = policy.key(row, hidden)
    return Pick(
        id=row["decision_id"],
        key=_short(key),
        split=policy.drawn(key),
        pinned=policy.pins(row, hidden),
        secret=hidden and policy.by in ("auto", "deal") and wanted.kind != "rl-arrays",
        question=glance.question,
        same=_short(place, row["prompt_sha"], row["action_text"]),
        place=bytes.fromhex(row["infoset_hash"]),
        deal=_deal(row["deal"]),
        thoughts=glance.thoughts,
        move=intern(row["action_text"]),  # many have the same: one object, also between processes
        player=row["player_hash"],
        regret=regret(row),
        error=error(row),
        label=label(row, wanted.epsilon, wanted.margin),
        reasked=row["parse_status"] == "reasked"
        and bool((row["first_response"] or "").strip())
        and row["first_response"] != row["response"],
        length=glance.length,
    )


@lru_cache(maxsize=256)
def _deal(deal: str) -> bytes:
    """The same object for all picks of a match."""
    return bytes.fromhex(deal)


@cache
def hides(game: str, variant: str) -> bool:
    """Whether a seat of that game, with these parameters as JSON, knows less than all."""
    return bool(engine.new(game, 0, **json.loads(variant)).hidden_information())


def _short(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()[:8]


# ── all together ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Choice:
    """What is taken, and how much was left at every step."""

    chosen: list[Chosen] = field(default_factory=list)
    steps: dict[str, int] = field(default_factory=dict)  # by name: rows that are left after it
    picks: dict[str, Pick] = field(default_factory=dict)  # those that are taken, with their final part


def choose(picks: Sequence[Pick], wanted: Wanted, samples: Samples | None = None) -> Choice:
    """From all picks, in the order of their ids."""
    made = Choice(steps={"passed": len(picks)})
    picks = _parted(picks)
    if len(picks) < made.steps["passed"]:
        made.steps["parted"] = len(picks)
    counts = Counter(pick.same for pick in picks)
    if wanted.dedup and wanted.kind in ("sft", "kto"):
        picks = _shortest(picks)
        made.steps["different"] = len(picks)
    MAKE[wanted.kind](made, picks, counts, wanted)
    if "different" in made.steps:
        made.chosen = [one._replace(weight=weight(one.same)) for one in made.chosen]
    if samples is not None and wanted.kind in SAMPLED:
        made.chosen = [_sampled(one, made.picks[one.ids[0]].question, samples) for one in made.chosen]
    made.steps["taken"] = len(made.chosen)
    return made


def _parted(picks: Iterable[Pick]) -> list[Pick]:
    """With pinned classes wholly in training; of hidden games without test rows whose knowledge training has."""
    picks = list(picks)
    pinned = {pick.key for pick in picks if pick.pinned}
    picks = [pick._replace(split="train") if pick.key in pinned else pick for pick in picks]
    trained = {pick.place for pick in picks if pick.split == "train"}
    return [pick for pick in picks if pick.split == "train" or not pick.secret or pick.place not in trained]


def _first(picks: Iterable[Pick], key: Callable[[Pick], bytes]) -> list[Pick]:
    return list({key(pick): pick for pick in reversed(list(picks))}.values())[::-1]


def _shortest(picks: Sequence[Pick]) -> list[Pick]:
    """Of rows that say the same the one with the shortest answer."""
    best: dict[bytes, Pick] = {}
    for pick in picks:
        known = best.get(pick.same)
        if known is None or pick.length < known.length:
            best[pick.same] = pick
    return [pick for pick in picks if best[pick.same] is pick]


def _sft(made: Choice, picks: Sequence[Pick], counts: Mapping[bytes, int], wanted: Wanted) -> None:
    """The best answers to each question, of equally good ones the shortest."""

    def best_first(pick: Pick) -> tuple[float, int, str]:
        lost = pick.regret or 0.0
        return lost if lost > wanted.epsilon else 0.0, pick.length, pick.id

    ranks = {
        pick.id: rank
        for group in _by_question(picks)
        for rank, pick in enumerate(sorted(group, key=best_first)[: wanted.per_question], 1)
    }
    for pick in picks:
        if pick.id in ranks:
            _take(made, pick, counts, ranks[pick.id])


def _sampled(one: Chosen, question: bytes, samples: Samples) -> Chosen:
    return one._replace(n_samples=samples.answers[question], pass_rate=samples.rate(question))


def _kto(made: Choice, picks: Sequence[Pick], counts: Mapping[bytes, int], wanted: Wanted) -> None:
    for pick in picks:
        if pick.label is not None:
            _take(made, pick, counts)


def _pref(made: Choice, picks: Sequence[Pick], counts: Mapping[bytes, int], wanted: Wanted) -> None:
    for group in _by_question([pick for pick in picks if pick.regret is not None]):
        told = [Judged(pick.regret or 0.0, pick.error, pick.player, pick.move) for pick in group]
        for good, bad in pairs(told, wanted.margin, wanted.per_question):
            made.picks[group[good].id] = group[good]
            made.chosen.append(Chosen((group[good].id, group[bad].id), group[good].split))


def _format_pref(made: Choice, picks: Sequence[Pick], counts: Mapping[bytes, int], wanted: Wanted) -> None:
    """Where a model was asked again; it is not asked how good the move was."""
    picks = [pick for pick in picks if pick.reasked]
    made.steps["reasked"] = len(picks)
    for group in _by_question(picks):
        for pick in group[: wanted.per_question]:
            _take(made, pick, counts)


def _prompts(made: Choice, picks: Sequence[Pick], counts: Mapping[bytes, int], wanted: Wanted) -> None:
    asked = Counter(pick.question for pick in picks)
    for pick in _first(picks, lambda pick: pick.question):
        made.picks[pick.id] = pick
        made.chosen.append(Chosen((pick.id,), pick.split, same=asked[pick.question]))


def _all(made: Choice, picks: Sequence[Pick], counts: Mapping[bytes, int], wanted: Wanted) -> None:
    for pick in picks:
        _take(made, pick, counts)


MAKE = {
    "sft": _sft,
    "kto": _kto,
    "pref": _pref,
    "format-pref": _format_pref,
    "rl-prompts": _prompts,
    "tables": _all,
    "rl-arrays": _all,
}


def _take(made: Choice, pick: Pick, counts: Mapping[bytes, int], rank: int = 1) -> None:
    made.picks[pick.id] = pick
    made.chosen.append(Chosen((pick.id,), pick.split, 1.0, counts[pick.same], pick.same.hex(), rank))


def weight(times: int) -> float:
    """How much a row is to count that was said so often: slowly more, or the first moves would be all of it."""
    return round(1 + math.log(min(times, MOST_TIMES)), 4)


def _by_question(picks: Iterable[Pick]) -> Iterable[list[Pick]]:
    groups: defaultdict[bytes, list[Pick]] = defaultdict(list)
    for pick in picks:
        groups[pick.question].append(pick)
    return groups.values()
