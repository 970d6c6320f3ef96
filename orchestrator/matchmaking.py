"""Who plays whom in a tournament: a rotation that is known from the start, or what the results so far call for.

The rotation goes round by round, and everybody meets everybody once in each: between two by the circle method
(Berger's tables), its places drawn anew for every round; at tables of more, those who played and met least sit down
together, so that co-occurrence stays level. All pairs of a round have one deal, which is how players are compared on
the same instances. How many pairs are asked for changes none of them, so a tournament can be made longer later.

An active tournament chooses (`ratings.allocation`) from its results and what they cost. Matches end in any order, and
one seed is to give one result, with one worker or sixteen, at once or resumed. So the first pairs are the rotation's,
and then pairs are chosen by steps: those of a step follow from the pairs up to one step before it, in the order of
their numbers, once all of those are complete or given up. While a step is played the next is thus known already, and
nobody waits for its last match. Nothing else goes into it: not how many are played at once, not the clock, and of the
record only what no later attempt changes. A pair is given up when a match of it was void as often as a run plays it
again in one go, whatever becomes of it afterwards. Players past their wall are not passed over: their pairs wait, and
the tournament ends once nothing else is left, because whom to leave out is for people to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, groupby
from math import ceil, comb
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import text

import engine
from orchestrator.programme import Board
from orchestrator.ratings.allocation import allocate
from orchestrator.ratings.bradley_terry import Result, count, fit
from orchestrator.ratings.league import league
from orchestrator.record.tables import of_match

if TYPE_CHECKING:
    from orchestrator.record.store import Record
    from orchestrator.request import Request

EXPLORE = 3  # times that everybody plays before anything is chosen


class Rotation:
    """The pairs of a tournament in their order, each with its board and the number of its deal."""

    def __init__(self, players: int, game: str, variant: Mapping[str, int], seats: int, seed: int) -> None:
        """`players` are numbered from 1. ValueError where there are fewer than seats."""
        if not 2 <= seats <= players:
            raise ValueError(
                f"{game} has {seats} seats, got {players} players: name at least {max(2, seats)}, or another --game"
            )
        self.players, self.game, self.variant = players, game, variant
        self.seats, self.seed = seats, seed
        self.round = ceil(comb(players, 2) / comb(seats, 2))
        self._tables: list[tuple[int, ...]] = []
        self._met: Counter[tuple[int, int]] = Counter()
        self._rng = engine.Rng(engine.derive(seed, "tables"))
        self._lines = cache(self._circle)

    def board(self, pair: int) -> Board:
        """Where the pair (from 0) is played."""
        turn, place = divmod(pair, self.round)
        return self.at(self._lines(turn)[place] if self.seats == 2 else self._table(pair))

    def at(self, players: tuple[int, ...]) -> Board:
        return Board(self.game, self.variant, players)

    def deal(self, pair: int) -> int:
        """The number of its deal (from 0): pairs of one number begin in the same position."""
        return pair // self.round

    def pairs(self, each: int) -> int:
        """How many pairs there are once every two met in so many; at tables, on average."""
        return ceil(each * comb(self.players, 2) / comb(self.seats, 2))

    def each(self, pairs: int) -> int:
        """The inverse, rounded down."""
        return pairs * comb(self.seats, 2) // comb(self.players, 2)

    # ── between two ──────────────────────────────────────────────────────────────────────────────

    def _circle(self, turn: int) -> list[tuple[int, ...]]:
        """A round: in every line everybody once, but for one where their number is odd."""
        rng = engine.Rng(engine.derive(self.seed, "round", turn))
        left = list(range(1, self.players + 1))
        around = [left.pop(rng.below(len(left))) for _ in range(self.players)] + [0] * (self.players % 2)
        found: list[tuple[int, ...]] = []
        for _ in around[1:]:
            half = len(around) // 2
            met = [(min(two), max(two)) for two in zip(around[:half], reversed(around[half:]), strict=True)]
            found += [two for two in met if two[0]]
            around = [around[0], around[-1], *around[1:-1]]
        return found

    # ── tables ───────────────────────────────────────────────────────────────────────────────────

    def _table(self, pair: int) -> tuple[int, ...]:
        while len(self._tables) <= pair:
            self._tables.append(self._next_table())
        return self._tables[pair]

    def _next_table(self) -> tuple[int, ...]:
        """Who played least, then one after the other who met those least."""
        left = list(range(1, self.players + 1))
        drawn = [left.pop(self._rng.below(len(left))) for _ in range(self.players)]
        group: list[int] = []
        while len(group) < self.seats:
            best = min(
                drawn,
                key=lambda one: (sum(self._met[_two(one, other)] for other in group), self._met[one, one]),
            )
            drawn.remove(best)
            group.append(best)
        self._met.update(_two(one, other) for one, other in combinations(group, 2))
        self._met.update((one, one) for one in group)
        return tuple(sorted(group))


def _two(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)


# ── chosen by results ────────────────────────────────────────────────────────────────────────────────


Went = frozenset[tuple[tuple[int, ...], bytes]]
"""Of a pair who sat where and how it went, match by match: equal for exact repeats."""


class Seen(NamedTuple):
    """A complete pair: who met, its matches and how they went, and what it cost by player."""

    players: tuple[int, ...]
    results: tuple[Result, ...]
    went: Went
    costs: Mapping[int, int]


@dataclass(frozen=True)
class Plan:
    """How pairs are chosen: so many at a time, of so many in all.

    It ends before that once no rank is open by more than `until` places; None: never.
    """

    rotation: Rotation
    pairs: int
    step: int
    until: int | None = None


class Matchmaker:
    """The pairs of an active tournament as far as they are known, fed with complete pairs in any order.

    `ended` says why no more are chosen; empty until then.
    """

    def __init__(self, plan: Plan, on_record: Mapping[int, tuple[int, ...]] | None = None) -> None:
        """`on_record`: who plays a pair that was begun; it stays as it was chosen, by an earlier version too."""
        self.plan = plan
        self.rotation = plan.rotation
        self.ended = ""
        self._on_record = on_record or {}
        self._explored = ceil(EXPLORE * self.rotation.players / 2) + plan.step
        self._boards: list[Board] = []
        self._deals: list[int] = []
        self._times: Counter[tuple[int, ...]] = Counter()
        self._ready: dict[int, Seen | None] = {}
        self._seen: list[Seen | None] = []  # in order, as far as all before are there
        self._decide()

    @property
    def known(self) -> int:
        """How many pairs have their players."""
        return len(self._boards)

    def board(self, pair: int) -> Board:
        return self._boards[pair]

    def deal(self, pair: int) -> int:
        """The number of its deal: that of the pairs which the same players had before."""
        return self._deals[pair]

    def completed(self, pair: int, seen: Seen) -> None:
        """All matches of a pair (from 0) have a result."""
        self._put(pair, seen)

    def given_up(self, pair: int) -> None:
        """A match of it stayed void: those after it do not wait for it."""
        self._put(pair, None)

    def _put(self, pair: int, seen: Seen | None) -> None:
        if pair < len(self._seen) or pair in self._ready:
            return
        self._ready[pair] = seen
        while len(self._seen) in self._ready:
            self._seen.append(self._ready.pop(len(self._seen)))
        self._decide()

    def _decide(self) -> None:
        """Steps, for as long as all that the next one follows from is there."""
        step = self.plan.step
        while not self.ended and self.known < self.plan.pairs:
            if self.known < self._explored:
                self._add([self.rotation.board(self.known).players])
            elif len(self._seen) >= self.known - step:
                self._add(self._chosen([each for each in self._seen[: self.known - step] if each]))
            else:
                return

    def _add(self, chosen: Sequence[tuple[int, ...]]) -> None:
        for players in chosen[: self.plan.pairs - self.known]:
            players = self._on_record.get(self.known, players)
            self._boards.append(self.rotation.at(players))
            self._deals.append(self._times[players])
            self._times[players] += 1

    def _chosen(self, seen: Sequence[Seen]) -> list[tuple[int, ...]]:
        """The next step, after these; nothing where the ranks are known."""
        plain = [self.rotation.board(self.known + k).players for k in range(self.plan.step)]
        if {player for each in seen for player in each.players} != set(range(1, self.rotation.players + 1)):
            return plain  # somebody has no result at all, because services failed
        clusters = _clusters(seen)
        if self._ranked(clusters, len(seen)):
            return []
        played = self._played(seen)
        times = Counter(_places(each.players) for each in seen)
        fresh = {two: (played[two] + 1) / (many + 1) for two, many in times.items()}
        coming = [_places(board.players) for board in self._boards[self.known - self.plan.step :]]
        chosen = allocate(fit(count(clusters)), played, self._costs(seen), self.plan.step, coming, fresh)
        return [(a + 1, b + 1) for a, b in chosen]

    def _played(self, seen: Sequence[Seen]) -> dict[tuple[int, int], float]:
        """Pairs of every two; a repeat tells nothing new, so several that went alike are one."""
        alike = Counter(each.went for each in seen)
        played = dict.fromkeys(combinations(range(self.rotation.players), 2), 0.0)
        for each in seen:
            played[_places(each.players)] += 1 / alike[each.went]
        return played

    def _costs(self, seen: Sequence[Seen]) -> list[float]:
        """What a player cost in a pair, on average."""
        total: Counter[int] = Counter()
        for each in seen:
            total.update(each.costs)
        times = Counter(player for each in seen for player in each.players)
        return [total[player] / times[player] for player in range(1, self.rotation.players + 1)]

    def _ranked(self, clusters: Sequence[Sequence[Result]], pairs: int) -> bool:
        until = self.plan.until
        if until is None:
            return False
        found = league(clusters)
        if len(found.islands) > 1 or max(rank.high - rank.low for rank in found.ranks.values()) > until:
            return False
        places = "one place" if until == 1 else f"{until} places"
        within = f"to within {places}" if until else "for certain"
        self.ended = f"every rank is known {within}, by the first {pairs} pairs"
        return True


def _clusters(seen: Iterable[Seen]) -> list[list[Result]]:
    """Their matches, pairs that went alike together."""
    clusters: dict[Went, list[Result]] = {}
    for each in seen:
        clusters.setdefault(each.went, []).extend(each.results)
    return list(clusters.values())


def _places(players: tuple[int, ...]) -> tuple[int, int]:
    """Two players as places in the list of ratings."""
    one, other = players
    return one - 1, other - 1


def name_of(player: int) -> str:
    """A player's name in the league of a run: sorts as its number does."""
    return f"{player:04d}"


# ── told by the record ───────────────────────────────────────────────────────────────────────────────

SEEN = """
    SELECT m.id, m.pair, m.swap, m.replay, m.status, m.went, s.player, s.score
    FROM match m JOIN seat s ON s.match = m.id
    WHERE m.pair BETWEEN :first AND :last ORDER BY m.pair, m.swap, m.replay, s.seat
"""
COSTS = f"SELECT player, sum(cost_pico) FROM decision WHERE {of_match('id', ':match')} GROUP BY player"


def matchmaker(request: Request, record: Record) -> Matchmaker | None:
    """Of a run whose pairs are chosen as it goes on; None where they are known from the start."""
    plan = request.plan
    if plan is None:
        return None
    record.flush()
    with record.session() as session:
        rows = session.connection().execute(
            text("SELECT m.pair, s.player FROM match m JOIN seat s ON s.match = m.id")
        )
        found: dict[int, set[int]] = {}
        for pair, player in rows:
            found.setdefault(pair, set()).add(player)
    return Matchmaker(plan, {pair: tuple(sorted(who)) for pair, who in found.items()})


def see(maker: Matchmaker, record: Record, replays: int, pair: int | None = None) -> None:
    """Tell the matchmaker of that pair, if it is complete or given up; of all such by default.

    Void `replays` times after the first, a match is given up.
    """
    first, last = (0, maker.plan.pairs) if pair is None else (pair, pair)
    record.flush()
    with record.session() as session:
        db = session.connection()
        rows = db.execute(text(SEEN), {"first": first, "last": last}).all()
        for number, found in groupby(rows, key=lambda row: int(row.pair)):
            seats = list(found)
            if any(row.status == "void" and row.replay >= replays for row in seats):
                maker.given_up(number)
                continue
            done = [row for row in seats if row.status == "finished"]
            if len(done) < maker.rotation.seats**2:
                continue
            costs: Counter[int] = Counter()
            for match in {row.id for row in done}:
                costs.update(
                    {player: int(pico) for player, pico in db.execute(text(COSTS), {"match": match})}
                )
            maker.completed(number, _seen(done, costs))


def _seen(rows: Sequence[Any], costs: Mapping[int, int]) -> Seen:
    matches = [list(group) for _, group in groupby(rows, key=lambda row: row.swap)]
    sat = [tuple(int(row.player) for row in match) for match in matches]
    results = [
        Result(tuple(map(name_of, at)), tuple(row.score for row in match))
        for at, match in zip(sat, matches, strict=True)
    ]
    went = frozenset((at, match[0].went) for at, match in zip(sat, matches, strict=True))
    return Seen(tuple(sorted(sat[0])), tuple(results), went, costs)
