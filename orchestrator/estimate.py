"""What a run will cost, before it is paid: tokens, dollars and hours, each as low, expected and high.

    rehearsal   matches between bots: how long the game is, how long its real prompts are    rehearsal.py
    history     what records say of these models: answers, asks, tokens, latency, cache      history.py
    beliefs     each unknown mean as an expected value with its uncertainty; sources are pooled by it
    draws       the run, drawn two thousand times from the beliefs: low and high hold nine in ten of them

Every unknown is positive and has a heavy upper tail, so a belief is lognormal, and pooling is that of normal
distributions on the logarithms: a guess counts for little beside a pilot, and a record of another game for
more than a guess. Without any history the range is wide, because nobody knows. What is drawn is both that we
do not know the means and that the run itself is chance.

Left out: matches that trouble makes void and that are played again, attempts that fail and are billed all the
same, and the time that bots think.
"""

from __future__ import annotations

import json
import math
import random
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from statistics import NormalDist, fmean, variance
from time import monotonic
from typing import NamedTuple, Protocol

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from engine import View
from orchestrator import batch
from orchestrator.duel import limited, read_price, seat_players
from orchestrator.history import UNKNOWN, Course, History, Sight, Who, around, neighbours, read, read_one, who
from orchestrator.limits import Limits, limits_of
from orchestrator.players import Seated
from orchestrator.programme import Board
from orchestrator.record import tables
from orchestrator.record.database import RecordError
from orchestrator.record.reading import reading, record_path
from orchestrator.rehearsal import PLIES, SECONDS, Form, Rehearsal, Way, rehearse
from orchestrator.request import Request
from orchestrator.table import Table
from providers.base import Usage
from providers.prices import Price, PriceBook, cost, most

DRAWS, LEAST_DRAWS, DRAWN_PARTS = 2000, 200, 20_000  # fewer of a run of many parts, so that nobody waits
LOW, HIGH = 0.05, 0.95

CHARS_PER_TOKEN = 3.0  # board text, measured with a public tokenizer
FAMILIES = (("claude", 1.3), ("gemini", 1.1))  # tokens beyond that tokenizer's; 1.0 for the rest

ANSWER: Mapping[str, float] = {
    "decision": 10,
    "none": 100,
    "minimal": 150,
    "low": 300,
    "medium": 1000,
    "high": 3000,
    "xhigh": 6000,
    "max": 10000,
    "": 300,
}
"""Output tokens of an answer by effort, thinking included, where nothing is known: orders of magnitude, no more."""

# Standard deviations of logarithms: how far means may lie apart.
GUESSED = 0.9  # a guess from the truth
OTHER_GAME = 0.5  # of the same model at another game
OTHER_RUN = 0.15  # at the same game in another run: other openings, another day
OTHER_TABLE = (
    0.35  # the length of a match from that between others: three times as long, where one is no match
)
PLAY = 0.05  # the length of a match between these players and one between bots, beyond what bots vary
TOKENS = 0.15  # tokens to a character
LATENCY = 0.6
SPEED, WAIT = 60.0, 1.5  # tokens per second and seconds until the first, of a service nobody has timed

# What is assumed of the spread before any is seen, and for how many observations that counts.
WITHIN, BETWEEN, WITHIN_WEIGHT, BETWEEN_WEIGHT = 0.9, 0.25, 8, 4
REASKED = 0.08, 10.0  # further asks per decision, and the decisions that this guess is worth

AUTOMATIC, MARKED = (
    0.5,
    0.9,
)  # shares of what could come from a cache that does: found by the service, or marked
CACHE_LIFE_S = 300.0


WaveSeconds = tuple[float, float, float]


class Range(NamedTuple):
    """Nine runs in ten lie from low to high; expected is the mean."""

    low: float
    expected: float
    high: float


@dataclass(frozen=True, slots=True)
class Lot:
    """Matches of one kind that are still to be played; `players` by number, each as often on every seat.

    `variant` is whole, as a request keeps it: what was played at other settings is another game.
    """

    game: str
    variant: Mapping[str, int]
    players: tuple[int, ...]
    matches: int
    opening: int = 0
    single: bool = False  # each match is one decision


@dataclass(frozen=True, slots=True)
class Figures:
    """How much of everything: of one player or of all. Money is pico-dollars, None where no price is known."""

    matches: int
    decisions: Range
    calls: Range  # that are answered
    input: Range  # tokens, of all three kinds
    input_fresh: Range
    cache_read: Range
    cache_write: Range
    output: Range
    pico: Range | None
    ceiling_pico: int | None


@dataclass(frozen=True, slots=True)
class PlayerEstimate:
    seated: Seated
    source: str  # what its figures rest on, in words
    figures: Figures
    number: int  # in the request, from 1
    least_pico: int = 0  # what the shortest question may cost at worst: no call leaves where less is left

    @property
    def unpriced(self) -> bool:
        return self.figures.pico is None

    @property
    def free(self) -> bool:
        return is_free(self.seated)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of what is still to be played. `total` leaves out players that are free, unless all are; the money in it is
    that of the players whose price is known, and None where that is nobody.

    `hours` are those of `waves`, one after the other, where calls go out in batches: what such waves took before,
    else what the services promise.
    """

    players: tuple[PlayerEstimate, ...]  # the models
    total: Figures
    hours: Range
    spent_pico: int = 0  # before, in the same run, and what calls that are still out may cost
    out_pico: int = 0  # of that, the latter
    at_once: int = 1  # matches that are played
    waves: batch.Forecast | None = None

    @property
    def unpriced(self) -> tuple[PlayerEstimate, ...]:
        return tuple(player for player in self.players if player.unpriced)

    @property
    def free(self) -> bool:
        """Nobody here costs anything."""
        return all(player.free for player in self.players)


def is_free(seated: Seated) -> bool:
    """Whether it is known to cost nothing."""
    if not seated.style:
        return True
    return seated.price is not None and not any((seated.price.input, seated.price.output))


def estimate(
    players: Sequence[Seated],
    lots: Iterable[Lot],
    history: History = UNKNOWN,
    *,
    concurrency: int = 8,
    limits: Mapping[tuple[str, str], Limits] | None = None,
    seed: int = 0,
    wave_s: WaveSeconds = batch.VENDORS_SAY_S,
    book: PriceBook | None = None,
) -> Estimate:
    """What these matches will take. `limits` are by provider and model; a seed gives one result.

    `wave_s`: what a wave takes, as `batch.forecast` has it.

    Plays matches between bots (`rehearsal.SECONDS` at most) and makes no call.
    """
    models = {number for number, player in enumerate(players) if player.style}
    wanted = [lot for lot in lots if lot.matches and models.intersection(lot.players)]
    played = rehearse_all(players, wanted, seed=seed)
    return forecast(
        players,
        list(zip(wanted, played, strict=True)),
        history,
        concurrency=concurrency,
        limits=limits or {},
        seed=seed,
        wave_s=wave_s,
        book=book or PriceBook.load(),
    )


def rehearse_all(players: Sequence[Seated], lots: Sequence[Lot], *, seed: int) -> list[Rehearsal]:
    """A rehearsal for each lot; lots of the same game share one, and all of them the time."""
    ways: dict[str, set[Way]] = {}
    for lot in lots:
        asked = {_way(players[player]) for player in lot.players if players[player].style}
        ways.setdefault(_table(lot), set()).update(asked)
    done: dict[str, Rehearsal] = {}
    began = monotonic()
    for lot in lots:
        if _table(lot) not in done:
            number = len(done) + 1
            done[_table(lot)] = rehearse(
                lot.game,
                lot.variant,
                sorted(ways[_table(lot)]),
                opening=lot.opening,
                seed=seed,
                plies=PLIES // len(ways),
                deadline=began + SECONDS * number / len(ways),
            )
    return [_one_decision(done[_table(lot)]) if lot.single else done[_table(lot)] for lot in lots]


def _one_decision(played: Rehearsal) -> Rehearsal:
    """Matches that end with their first decision, their questions as they are in whole matches."""
    return replace(played, lengths=(1,), most=1, seats=1, uneven=0)


def forecast(
    players: Sequence[Seated],
    plan: Sequence[tuple[Lot, Rehearsal]],
    history: History,
    *,
    concurrency: int,
    limits: Mapping[tuple[str, str], Limits],
    seed: int,
    wave_s: WaveSeconds = batch.VENDORS_SAY_S,
    book: PriceBook,
    draws: int | None = None,
) -> Estimate:
    """As `estimate`, from rehearsals that were played before: nothing but arithmetic."""
    parts = [
        _part(players, player, number, lot, played, history, book, concurrency)
        for number, (lot, played) in enumerate(plan)
        for player in lot.players
        if players[player].style
    ]
    matches = sum(lot.matches for lot, _ in plan)
    waves = _waves(players, plan, wave_s)
    at_once = min(matches if waves else concurrency, max(1, matches))
    clock = _Clock(players, at_once, matches, limits)
    rng = random.Random(seed)
    middle = _by_player(parts, Mean())
    draws = draws or min(DRAWS, max(LEAST_DRAWS, DRAWN_PARTS // max(1, len(parts))))
    drawn = [_by_player(parts, Dice(rng)) for _ in range(draws)]
    estimates = [
        PlayerEstimate(
            player,
            _source(player, history, plan),
            _figures(
                [lot for lot, _ in plan if number in lot.players],
                middle.get(number, NOTHING),
                [draw.get(number, NOTHING) for draw in drawn],
                None if player.price is None else sum(p.ceiling() for p in parts if p.player == number),
            ),
            number + 1,
            min((part.least() for part in parts if part.player == number), default=0),
        )
        for number, player in enumerate(players)
        if player.style
    ]
    models = [number for number, player in enumerate(players) if player.style]
    counted = [number for number in models if not is_free(players[number])] or models
    priced = [number for number in counted if players[number].price is not None]
    total = _figures(
        [lot for lot, _ in plan],
        _sum(middle.get(number, NOTHING) for number in counted),
        [_sum(draw.get(number, NOTHING) for number in counted) for draw in drawn],
        sum(part.ceiling() for part in parts if part.player in priced) if priced or not models else None,
    )
    if waves:
        hours = Range(waves.low_s / 3600, waves.likely_s / 3600, waves.high_s / 3600)
    else:
        hours = _range(clock.hours(middle), [clock.hours(draw) for draw in drawn])
    return Estimate(tuple(estimates), total, hours, at_once=at_once, waves=waves)


def _waves(
    players: Sequence[Seated], plan: Sequence[tuple[Lot, Rehearsal]], seconds: WaveSeconds
) -> batch.Forecast | None:
    """How long the waves of those take who are asked in batches; None, where nobody is.

    Everything is played at once, and so takes as long as the match in which most is asked of them.
    """
    asked = [
        (lot.matches, -(-max(played.lengths) * len(batched) // played.seats), len(batched))
        for lot, played in plan
        if (batched := [number for number in lot.players if _is_batched(players[number])])
    ]
    if not asked:
        return None
    plies = max(plies for _, plies, _ in asked)
    return batch.forecast(sum(matches for matches, *_ in asked), plies, max(of for *_, of in asked), seconds)


def _is_batched(seated: Seated) -> bool:
    return seated.parameters.get("tier") == "batch"


# ── beliefs ──────────────────────────────────────────────────────────────────────────────────────


class Belief(NamedTuple):
    """A positive figure of which its mean is expected; `sd` is the standard deviation of its logarithm."""

    mean: float
    sd: float

    def drifted(self, sd: float) -> Belief:
        """What this says of a figure that lies so far from it."""
        return Belief(self.mean, math.hypot(self.sd, sd))


def pooled(*beliefs: Belief) -> Belief:
    """Independent beliefs about the same figure, each weighted by its precision on the logarithm."""
    weights = [1 / max(belief.sd, 1e-3) ** 2 for belief in beliefs]
    medians = [math.log(belief.mean) - belief.sd**2 / 2 for belief in beliefs]
    sd2 = 1 / sum(weights)
    middle = sum(w * m for w, m in zip(weights, medians, strict=True)) * sd2
    return Belief(math.exp(middle + sd2 / 2), math.sqrt(sd2))


def heeded(own: Belief, other: Belief) -> Belief:
    """What a run itself shows, and what is known from elsewhere as far as the two agree.

    Where they lie further apart than both are unsure of, the other drifts by what is missing: the variance between
    two studies by DerSimonian and Laird (Controlled Clinical Trials 7, 1986), all of it put down to the other.
    """
    apart = math.log(own.mean / other.mean) - (own.sd**2 - other.sd**2) / 2
    return pooled(own, other.drifted(math.sqrt(max(0.0, apart**2 - own.sd**2 - other.sd**2))))


class Spread(NamedTuple):
    """Variances of logarithms: of answers within a match, and of matches."""

    within: float
    between: float


def spread_of(matches: Sequence[Sequence[int]]) -> Spread:
    """How answers (or anything positive) vary, shrunk to what is assumed before any is seen."""
    logs = [[math.log(max(1, each)) for each in match] for match in matches if match]
    means = [fmean(match) for match in logs]
    count = sum(map(len, logs))
    squares = sum((x - mean) ** 2 for match, mean in zip(logs, means, strict=True) for x in match)
    within = (WITHIN_WEIGHT * WITHIN**2 + squares) / (WITHIN_WEIGHT + count - len(logs))
    if len(logs) < 2:
        return Spread(within, BETWEEN**2)
    found = max(0.0, variance(means) - within * fmean(1 / len(match) for match in logs))
    weight = len(logs) - 1
    return Spread(within, (BETWEEN_WEIGHT * BETWEEN**2 + weight * found) / (BETWEEN_WEIGHT + weight))


def mean_of(matches: Sequence[Sequence[int]], spread: Spread) -> Belief:
    """The mean of what was seen, and how sure it is.

    The plain mean: one of logarithms is no surer where answers are lognormal, and wrong where they are not (a
    model that thinks only now and then). A sample mean of a heavy tail is more often below the truth than above,
    so it counts as the median.
    """
    count = sum(map(len, matches))
    mean = max(1.0, sum(map(sum, matches)) / count)
    sd = math.sqrt(math.expm1(spread.within) / count + spread.between / len(matches))
    sd *= _widened(BETWEEN_WEIGHT + len(matches) - 1)
    return Belief(mean * math.exp(sd**2 / 2), sd)


def _widened(freedom: float) -> float:
    """How much further a normal range must reach where its deviation was itself found from few observations.

    The quantile of Student's t by that of the normal distribution, to the first order of their expansion.
    """
    return 1 + (NormalDist().inv_cdf(HIGH) ** 2 + 1) / (4 * freedom)


def answer_belief(asked: Who, lot: Lot, sights: Sequence[Sight], longest: int) -> tuple[Belief, Spread]:
    """Output tokens of an answer: the guess by effort, and everything seen of this model."""
    guess = min(ANSWER.get(asked.effort, ANSWER[""]), longest / 2)
    here = [sight for sight in sights if _same_game(sight, lot)]
    spread = spread_of([match for sight in here or sights for match in sight.answers])
    elsewhere = [Belief(guess, GUESSED)]
    own = []
    for sight in sights:
        mean = mean_of(sight.answers, spread)
        if sight.own and sight in here:
            own.append(mean)
        else:
            elsewhere.append(mean.drifted(OTHER_RUN if sight in here else OTHER_GAME))
    return (heeded(pooled(*own), pooled(*elsewhere)) if own else pooled(*elsewhere)), spread


def length_belief(
    table: tuple[Who, ...], lot: Lot, played: Rehearsal, courses: Sequence[Course]
) -> tuple[Belief, float]:
    """Plies of a match, and the squared coefficient of variation between matches.

    Whoever sits at a table makes its matches long or short, so each other table is one observation, however many
    matches it had and however many records know it: it lies as far from what they have in common as this one does.
    """
    here = [course for course in courses if _same_game(course, lot) and set(course.table) & _models_of(table)]
    lengths = list(played.lengths)
    usual = fmean(lengths)
    bots = sum((each / usual - 1) ** 2 for each in lengths) / max(1, len(lengths) - 1)
    squares, freedom = BETWEEN_WEIGHT * bots, float(BETWEEN_WEIGHT)
    for course in here:
        mean = fmean(course.plies)
        squares += sum((each / mean - 1) ** 2 for each in course.plies)
        freedom += len(course.plies) - 1
    spread2 = squares / freedom
    tables: dict[tuple[Who, ...], list[Belief]] = {table: [Belief(usual, math.hypot(PLAY, math.sqrt(bots)))]}
    for course in here:
        sd = math.sqrt(max(spread2, 1e-4) / len(course.plies)) * _widened(freedom)
        found = Belief(fmean(course.plies), sd).drifted(0.0 if course.own else OTHER_RUN)
        tables.setdefault(course.table, []).append(found)
    beliefs = tables.pop(table)
    if tables:
        others = pooled(*(pooled(*each).drifted(OTHER_TABLE) for each in tables.values()))
        beliefs.append(others.drifted(OTHER_TABLE))
    return pooled(*beliefs), spread2


def token_belief(model: str, form: Form, lot: Lot, sights: Sequence[Sight]) -> Belief:
    """Prompt tokens to a character of the system and user texts; the schema of the answer comes on top."""
    family = next((factor for name, factor in FAMILIES if name in model.lower()), 1.0)
    texts = form.system + form.user
    beliefs = [Belief(family / CHARS_PER_TOKEN * (texts + form.schema) / texts, TOKENS)]
    for sight in sights:
        if sight.characters and sight.tokens:
            sd = 0.01 if _same_game(sight, lot) else TOKENS / 2
            beliefs.append(Belief(sight.tokens / sight.characters, sd))
    return pooled(*beliefs)


def latency_belief(answer: float, sights: Sequence[Sight]) -> Belief:
    """Seconds until an answer."""
    beliefs = [Belief(WAIT + answer / SPEED, LATENCY)]
    for sight in sights:
        if sight.latency_s > 0:
            sd = math.hypot(1 / math.sqrt(sight.asks), 0.05)
            beliefs.append(Belief(sight.latency_s, sd).drifted(0 if sight.own else LATENCY / 2))
    return pooled(*beliefs)


def reasks(lot: Lot, sights: Sequence[Sight]) -> tuple[float, float]:
    """Shape and rate of the gamma distribution of further asks per decision (conjugate to counting them)."""
    shape, rate = REASKED[0] * REASKED[1], REASKED[1]
    for sight in sights:
        weight = 1.0 if sight.own else 0.3 if _same_game(sight, lot) else 0.05
        shape += weight * max(0, sight.asks - sight.decisions)
        rate += weight * sight.decisions
    return shape, rate


class Hits(NamedTuple):
    """Of all prompt tokens the share that can be cached, of that the share expected to be, and how sure that is."""

    cacheable: float
    expected: float
    weight: float


NO_HITS = Hits(0.0, 0.0, 1.0)


def hits(
    seated: Seated, form: Form, lot: Lot, sights: Sequence[Sight], tokens: float, book: PriceBook
) -> Hits:
    """How much of the prompts a cache serves: the system prompt, where it is long enough, and never in a batch."""
    if _is_batched(seated):
        return NO_HITS
    shortest, prefix = book.cache_from(seated.provider, seated.model), tokens * form.system
    here = [sight for sight in sights if _same_game(sight, lot) and sight.input]
    share = form.system / (form.system + form.user)
    if here:
        read, written, whole = (
            sum(getattr(sight, name) for sight in here) for name in ("cache_read", "cache_write", "input")
        )
        if not read + written:
            return NO_HITS
        cacheable = (read + written) / whole if written else max(share, read / whole)
        return Hits(cacheable, read / whole / cacheable, 2.0 + min(50, sum(sight.asks for sight in here)))
    if prefix < shortest:
        return NO_HITS
    surely = prefix > 1.25 * shortest  # near the step our count of tokens is not good enough
    return Hits(share, MARKED if surely and seated.provider == "anthropic" else AUTOMATIC, 2.0)


def _same_game(seen: Sight | Course, lot: Lot) -> bool:
    return seen.game == lot.game and dict(seen.variant) == dict(lot.variant)


def _models_of(table: Iterable[Who]) -> set[Who]:
    return {each for each in table if each.style}


# ── one model in one lot ─────────────────────────────────────────────────────────────────────────


class Chance(Protocol):
    """Where a draw of the run takes its factors from; the same key is the same piece of luck within a draw."""

    def scale(self, sd: float, *key: object) -> float:
        """A lognormal factor with mean 1, whose logarithm has this standard deviation."""
        ...

    def gamma(self, shape: float, rate: float, *key: object) -> float: ...

    def beta(self, mean: float, weight: float, *key: object) -> float: ...


class Mean:
    """No luck at all: every factor is its mean."""

    def scale(self, sd: float, *key: object) -> float:
        return 1.0

    def gamma(self, shape: float, rate: float, *key: object) -> float:
        return shape / rate

    def beta(self, mean: float, weight: float, *key: object) -> float:
        return mean


class Dice:
    """One draw. What is believed of one model is one piece of luck in all its lots: it is wrong in all of them."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._known: dict[tuple[object, ...], float] = {}

    def scale(self, sd: float, *key: object) -> float:
        if key not in self._known:
            self._known[key] = self._rng.gauss(0.0, 1.0)
        return math.exp(sd * self._known[key] - sd * sd / 2)

    def gamma(self, shape: float, rate: float, *key: object) -> float:
        if key not in self._known:
            self._known[key] = self._rng.gammavariate(shape, 1.0)
        return self._known[key] / rate

    def beta(self, mean: float, weight: float, *key: object) -> float:
        if not 0 < mean < 1:
            return mean
        if key not in self._known:
            self._known[key] = self._rng.betavariate(mean * weight, (1 - mean) * weight)
        return self._known[key]


class Drawn(NamedTuple):
    """What one model took in one draw of the run."""

    decisions: float = 0.0
    calls: float = 0.0
    input: float = 0.0
    input_fresh: float = 0.0
    cache_read: float = 0.0
    cache_write: float = 0.0
    output: float = 0.0
    pico: float = 0.0
    seconds: float = 0.0


NOTHING = Drawn()


@dataclass(frozen=True, slots=True)
class Part:
    """One model in one lot, and all that is believed about it."""

    player: int
    who: Who
    number: int  # of the lot
    lot: Lot
    played: Rehearsal
    form: Form
    price: Price | None
    longest: int  # tokens of an answer
    reasks: int  # of an unreadable or illegal answer
    bots: float  # plies of a match between bots
    length: Belief
    length2: float
    answer: Belief
    spread: Spread
    tokens: Belief
    latency: Belief
    again: tuple[float, float]
    hits: Hits
    writers: int  # calls that go out before the first could fill the cache

    def draw(self, chance: Chance) -> Drawn:
        lot, matches, seats = self.lot, self.lot.matches, self.played.seats
        luck = chance.scale(_sd(self.length2 / matches), "lengths", self.number)
        usual = min(self.length.mean * chance.scale(self.length.sd, "length", lot.game), self.played.most)
        plies = min(usual * luck, self.played.most)
        decisions = matches * plies / seats
        calls = decisions * (1 + chance.gamma(*self.again, "again", self.who, lot.game))
        answer = self.answer.mean * chance.scale(self.answer.sd, "answer", self.who)
        answer = min(answer, self.longest)
        varies = self.spread.between + math.expm1(self.spread.within) * seats / plies
        output = calls * answer * chance.scale(_sd(varies / matches), "answers", self.number, self.player)
        grown = max(0.0, self.form.user + self.form.growth * (plies - self.bots) / 2)
        tokens = self.tokens.mean * chance.scale(self.tokens.sd, "tokens", self.who)
        each = (self.form.system + grown) * tokens
        seconds = self.latency.mean * chance.scale(self.latency.sd, "latency", self.who)
        seconds *= (WAIT + answer / SPEED) / (WAIT + self.answer.mean / SPEED)
        return self._billed(decisions, calls, each, output, calls * seconds, chance)

    def _billed(
        self, decisions: float, calls: float, each: float, output: float, seconds: float, chance: Chance
    ) -> Drawn:
        """Input by what a cache does to it, and the bill. Whoever bills for writes does so at every miss."""
        into = calls * each
        filled = 1 - min(1.0, self.writers * (1 + seconds / self.writers / CACHE_LIFE_S) / max(calls, 1.0))
        share = self.hits.expected if self.hits.weight > 2 else self.hits.expected * filled
        read = into * self.hits.cacheable * chance.beta(share, self.hits.weight, "hits", self.who)
        price = self.price
        bills_writes = price is not None and price.cache_write_short != price.input
        written = into * self.hits.cacheable - read if bills_writes else 0.0
        fresh = into - read - written
        pico = 0
        if price is not None:
            usage = Usage(round(fresh), round(read), round(written), 0, round(output))
            over = price.long_above is not None and each > price.long_above
            pico = cost(_flat(price, over), usage)
        return Drawn(decisions, calls, into, fresh, read, written, output, pico, seconds)

    def least(self) -> int:
        """What the shortest question may cost at worst."""
        return 0 if self.price is None else most(self.price, self.form.shortest, self.longest)

    def ceiling(self) -> int:
        """Every match as long as can be, every answer as long as may be and asked again as often as may be.

        The answer that is cut off doubles the room of those that follow it, a refusal is put once more, and a
        wrong answer is part of the next prompt (`Conversation` in model.py). Prompts as `most` counts them.
        """
        if self.price is None:
            return 0
        decisions = self.lot.matches * (-(-self.played.most // self.played.seats) + self.played.uneven)
        later = math.ceil(max(0.0, self.form.growth) * max(0, self.played.most - max(self.played.lengths)))
        prompt = self.form.longest + later
        first = most(self.price, prompt, self.longest)
        again = most(self.price, prompt + 4 * self.longest, 2 * self.longest)
        return decisions * (first + (self.reasks + 2) * again)


def _part(
    players: Sequence[Seated],
    player: int,
    number: int,
    lot: Lot,
    played: Rehearsal,
    history: History,
    book: PriceBook,
    concurrency: int,
) -> Part:
    seated = players[player]
    asked, longest = who(seated), int(seated.parameters.get("max_tokens", 4096))
    sights = [sight for sight in history.sights if sight.who == asked and sight.asks]
    form = played.forms[_way(seated)]
    table = around(who(players[each]) for each in lot.players)
    length, length2 = length_belief(table, lot, played, history.courses)
    answer, spread = answer_belief(asked, lot, sights, longest)
    tokens = token_belief(seated.model, form, lot, sights)
    return Part(
        player=player,
        who=asked,
        number=number,
        lot=lot,
        played=played,
        form=form,
        price=seated.price,
        longest=longest,
        reasks=int(seated.parameters.get("reasks", 2)),
        bots=fmean(played.lengths),
        length=length,
        length2=length2,
        answer=answer,
        spread=spread,
        tokens=tokens,
        latency=latency_belief(answer.mean, sights),
        again=reasks(lot, sights),
        hits=hits(seated, form, lot, sights, tokens.mean, book),
        writers=min(concurrency, lot.matches),
    )


@lru_cache
def _flat(price: Price, over: bool) -> Price:
    """The rates below or above the step, without a step: a sum of tokens must not look like one long prompt."""
    flat = replace(price, long=None, long_above=None)
    return replace(flat, **asdict(price.long)) if over and price.long is not None else flat


def _sd(variance: float) -> float:
    """Of the logarithm of a lognormal factor with mean 1 and this variance."""
    return math.sqrt(math.log1p(variance))


def _way(seated: Seated) -> Way:
    form = "forecast" if seated.parameters.get("forecast") else "json"
    return Way(seated.style, seated.track, form)  # type: ignore[arg-type]  # was checked when it was seated


def _table(lot: Lot) -> str:
    return json.dumps([lot.game, dict(lot.variant), lot.opening], sort_keys=True)


# ── sums ─────────────────────────────────────────────────────────────────────────────────────────


def _by_player(parts: Sequence[Part], chance: Chance) -> dict[int, Drawn]:
    taken: dict[int, list[Drawn]] = {}
    for part in parts:
        taken.setdefault(part.player, []).append(part.draw(chance))
    return {player: _sum(drawn) for player, drawn in taken.items()}


def _sum(drawn: Iterable[Drawn]) -> Drawn:
    columns = list(zip(*drawn, strict=True))
    return Drawn(*map(sum, columns)) if columns else NOTHING


def _range(expected: float, drawn: Iterable[float]) -> Range:
    ordered = sorted(drawn)
    low, high = ordered[int(LOW * len(ordered))], ordered[math.ceil(HIGH * len(ordered)) - 1]
    return Range(min(low, expected), expected, max(high, expected))


def _figures(lots: Sequence[Lot], middle: Drawn, draws: Sequence[Drawn], ceiling: int | None) -> Figures:
    """`ceiling` is None where no price is known."""

    def of(name: str) -> Range:
        return _range(getattr(middle, name), [getattr(draw, name) for draw in draws])

    return Figures(
        matches=sum(lot.matches for lot in lots),
        decisions=of("decisions"),
        calls=of("calls"),
        input=of("input"),
        input_fresh=of("input_fresh"),
        cache_read=of("cache_read"),
        cache_write=of("cache_write"),
        output=of("output"),
        pico=None if ceiling is None else of("pico"),
        ceiling_pico=ceiling,
    )


class _Clock(NamedTuple):
    """How long calls take when so many matches are played at once, none faster than its service allows."""

    players: Sequence[Seated]
    concurrency: int
    matches: int
    limits: Mapping[tuple[str, str], Limits]

    def hours(self, taken: Mapping[int, Drawn]) -> float:
        work = sum(drawn.seconds for drawn in taken.values())
        last = work / max(1, self.matches) / 2 if self.concurrency > 1 else 0.0  # while not all are busy
        seconds = [work / self.concurrency + last]
        for model, limit in self.limits.items():
            drawn = _sum(
                each
                for player, each in taken.items()
                if (self.players[player].provider, self.players[player].model) == model
            )
            if limit.requests_per_minute:
                seconds.append(60 * drawn.calls / limit.requests_per_minute)
            if limit.tokens_per_minute:
                seconds.append(60 * (drawn.input + drawn.output) / limit.tokens_per_minute)
            if limit.in_flight:
                seconds.append(drawn.seconds / limit.in_flight)
        return max(seconds) / 3600


def _source(seated: Seated, history: History, plan: Sequence[tuple[Lot, Rehearsal]]) -> str:
    """What a player's figures rest on: "from 36 decisions of this run and 212 on record"."""
    asked, lots = who(seated), [lot for lot, _ in plan]
    seen = {"of this run": 0, "on record": 0, "at other games": 0}
    for sight in history.sights:
        if sight.who == asked:
            here = any(_same_game(sight, lot) for lot in lots)
            seen["of this run" if sight.own else "on record" if here else "at other games"] += sight.decisions
    told = [f"{count:,} {where}" for where, count in seen.items() if count]
    if not told:
        if asked.effort == "decision":
            return "no history: guessed for a native decision"
        if asked.effort:
            return f"no history: guessed from effort={asked.effort}"
        return f"no history: guessed, {ANSWER['']:.0f} tokens to an answer"
    first, *more = told
    number, _, where = first.partition(" ")
    return " and ".join([f"from {number} decision{'' if number == '1' else 's'} {where}", *more])


# ── of a run ─────────────────────────────────────────────────────────────────────────────────────


def of_run(
    path: Path,
    players: Sequence[Seated],
    lots: Iterable[Lot],
    *,
    concurrency: int = 8,
    limits: Mapping[tuple[str, str], Limits] | None = None,
    seed: int = 0,
) -> Estimate:
    """What these matches, left of the run in a directory, will take at the prices that it began with.

    Learned from its own record and those beside it. Raises RecordError.
    """
    wanted = frozenset(map(who, players))
    with reading(path) as session:
        spent, out = session.execute(text(_SPENT)).one()
        waves = batch.seconds_per_wave(session)
        prices = {price.id: read_price(price) for price in session.exec(select(tables.Price))}
        rows = session.exec(select(tables.Player).order_by(col(tables.Player.id))).all()
        billed = [prices.get(row.parameters.get("price", "")) for row in rows]
        try:
            known = read_one(record_path(path), wanted, own=True)
        except sqlite3.Error as error:
            raise RecordError(f"{path} is damaged: {error}") from error
    if len(billed) == len(players):
        players = [replace(player, price=price) for player, price in zip(players, billed, strict=True)]
    found = estimate(
        players,
        lots,
        known + read(neighbours(path), wanted),
        concurrency=concurrency,
        limits=limits,
        seed=seed,
        wave_s=waves or seconds_per_wave(neighbours(path), players),
    )
    return replace(found, spent_pico=spent, out_pico=out)


_SPENT = """
    SELECT coalesce(sum(cost_pico), 0), coalesce(sum(cost_pico) FILTER (WHERE kind = 'sent'), 0) FROM call
"""


def seconds_per_wave(paths: Iterable[Path], players: Iterable[Seated]) -> WaveSeconds:
    """What waves of the services that these players are batched at took in the first of these records that has any.

    Only read, and passed over where that cannot be done, as `history.read` does it.
    """
    asked, found = {player.provider for player in players if _is_batched(player)}, None
    for path in paths if asked else ():
        uri = f"{path.resolve().as_uri()}?mode=ro"
        engine = create_engine("sqlite://", creator=partial(sqlite3.connect, uri, uri=True))
        with suppress(SQLAlchemyError), Session(engine) as session:
            played = session.execute(text("SELECT provider FROM player")).scalars()
            if asked.issubset(played):
                found = batch.seconds_per_wave(session) or found
        engine.dispose()
        if found:
            break
    return found or batch.VENDORS_SAY_S


def of_request(request: Request, beside: Path | None = None) -> Estimate:
    """What a run will take that has not begun; `beside` is its directory, and records next to it are asked.

    Raises SpecError, and ValueError for a limit that is of nobody.
    """
    players, limits = _seated(request)
    return estimate(
        players,
        lots_of(request),
        read(neighbours(beside), map(who, players)) if beside else UNKNOWN,
        concurrency=request.concurrency,
        limits=limits,
        seed=request.seed,
        wave_s=seconds_per_wave(neighbours(beside) if beside else (), players),
    )


def from_record(path: Path, request: Request) -> Estimate:
    """What is still to be paid of the run in a directory: after a pilot, or before it goes on.

    Raises RecordError, SpecError, and ValueError for a limit that is of nobody.
    """
    with reading(path) as session:
        rows = session.execute(text("SELECT pair, swap FROM match WHERE status = 'finished'"))
        finished = {(pair, swap) for pair, swap in rows}
    (players, limits), lots = _seated(request), lots_of(request, finished)
    return of_run(path, players, lots, concurrency=request.concurrency, limits=limits, seed=request.seed)


def lots_of(request: Request, finished: Collection[tuple[int, int]] = ()) -> list[Lot]:
    """The matches of a request without those that are finished, named by pair and swap."""
    left: Counter[str] = Counter()
    boards: dict[str, Board] = {}
    for pair in range(request.pairs):
        board = request.board(pair)
        key = json.dumps(board, sort_keys=True)
        boards[key] = board
        left[key] += sum((pair, swap) not in finished for swap in range(len(board.players)))
    return [
        Lot(
            board.game,
            board.variant,
            tuple(n - 1 for n in board.players),
            left[key],
            request.opening,
            request.start(0) is not None,
        )
        for key, board in boards.items()
    ]


def _seated(request: Request) -> tuple[list[Seated], dict[tuple[str, str], Limits]]:
    """Its players, for nothing but to be looked at, and what their services may be sent by provider and model.

    Nobody calls, and who has no price is no error.
    """
    players = seat_players(request, Table(ask_human=_nobody), billed=True)
    given = limited(request, players)
    seated = [player.seated for player in players]
    models = {(each.provider, each.model) for each in seated if each.model}
    return seated, {model: limits for model in models if (limits := limits_of(*model, given)) is not None}


async def _nobody(view: View) -> int | None:
    """Sits in for a person where nobody is asked to move."""
    return None
