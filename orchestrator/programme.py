"""What a run for data plays: models against a mix of opponents over a mix of games, pair after pair without end.

It goes round by round. A round is one deal of one game with one choice of opponents, and every model plays it
once: models meet the same opponents from the same deals, so that they can be compared. Each of them is a pair,
on a board of its own. Where models play among themselves a board takes several of them; then a round has fewer
boards, and a model that is left over plays the next one.

Weights are met as evenly as they can be at any point of the run, not on average over many: a run of twelve pairs
against three opponents plays four against each. Only between equals chance decides, and that comes from the seed.
How many pairs are wanted changes none of them: the first hundred of a thousand are those of a hundred, which is
why a run can be made longer later.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import engine

SELF = "self"  # an opponent: the model itself, as a player of its own
EACH_OTHER = "each-other"  # an opponent: another of the models


class Board(NamedTuple):
    """What the matches of a pair have in common: what is played, and the numbers (from 1) of who plays it."""

    game: str
    variant: Mapping[str, int]
    players: tuple[int, ...]


class Dish(NamedTuple):
    """One game of the mix."""

    game: str
    variant: Mapping[str, int]
    weight: Fraction
    seats: int


class Turns:
    """Whose turn it is, over and over: after any number of turns everybody had their share to within one.

    The rule is that of R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32 (1980): of those
    who have some share due, the one whose next turn would be overdue first. Equals come in an order drawn anew.
    """

    def __init__(self, weights: Sequence[Fraction], seed: int) -> None:
        whole = math.lcm(*(weight.denominator for weight in weights))
        self._weights = [int(weight * whole) for weight in weights]
        self._total = sum(self._weights)
        self._due = [0] * len(weights)  # share of the turns so far less the turns had, in parts of the total
        self._parts = max(1, 2 * len(weights) - 2)
        self._each = math.lcm(*self._weights)
        self._rng = engine.Rng(seed)

    def next(self, closed: Collection[int] = ()) -> int:
        """Whose turn it is; never one of those closed, who are made up for it later."""
        self._due = [due + weight for due, weight in zip(self._due, self._weights, strict=True)]
        free = [one for one in range(len(self._due)) if one not in closed]
        due = [one for one in free if self._parts * self._due[one] >= self._total] or free
        soonest = min(self._deadline(one) for one in due)
        first = [one for one in due if self._deadline(one) == soonest]
        chosen = first[self._rng.below(len(first))]
        self._due[chosen] -= self._total
        return chosen

    def _deadline(self, one: int) -> int:
        """When its next turn is overdue, in a unit that is the same for all."""
        return ((self._parts - 1) * self._total - self._parts * self._due[one]) * (
            self._each // self._weights[one]
        )


class Programme:
    """The pairs in their order, each with its board and the number of its deal; worked out as far as asked.

    Players are numbered: the models, then the opponents in their order. An opponent that can sit on several seats
    of one table is as many players, and `self` is that for every model. Raises ValueError where the seats of a
    game cannot be filled.
    """

    def __init__(
        self, models: Sequence[str], opponents: Mapping[str, Fraction], games: Sequence[Dish], seed: int
    ) -> None:
        self.models = range(1, len(models) + 1)
        self.games = games
        self.names = list(opponents)
        self.specs = list(models)  # of every player, by number less one
        weights = list(opponents.values())
        self._places = [self._most(weights, dish) for dish in games]
        self._numbers = self._seat_opponents(models)
        self._games = Turns([dish.weight for dish in games], engine.derive(seed, "games"))
        self._opponents = [
            Turns(weights, engine.derive(seed, "opponents", number)) for number in range(len(games))
        ]
        self._rng = engine.Rng(engine.derive(seed, "models"))
        self._met: Counter[tuple[int, int]] = Counter()
        self._pairs: list[tuple[int, Board]] = []
        self._rounds = 0

    def board(self, pair: int) -> Board:
        """Where the pair is played (from 0)."""
        self._work_out(pair)
        return self._pairs[pair][1]

    def deal(self, pair: int) -> int:
        """The number of its deal (from 0): pairs of one number begin in the same position."""
        self._work_out(pair)
        return self._pairs[pair][0]

    def pairs(self, matches: int) -> int:
        """How many pairs are whole rounds of at least so many matches."""
        pairs = played = 0
        while played < matches:
            deal = self.deal(pairs)
            while self.deal(pairs) == deal:
                played += len(self.board(pairs).players)
                pairs += 1
        return pairs

    def _work_out(self, pair: int) -> None:
        while len(self._pairs) <= pair:
            self._pairs += [(self._rounds, board) for board in self._round()]
            self._rounds += 1

    # ── a round ──────────────────────────────────────────────────────────────────────────────────

    def _round(self) -> Iterator[Board]:
        number = self._games.next()
        dish, sitting = self.games[number], Counter[int]()
        for _ in range(dish.seats - 1):
            full = [one for one, most in enumerate(self._places[number]) if sitting[one] >= most]
            sitting[self._opponents[number].next(full)] += 1
        together = 1 + sum(count for one, count in sitting.items() if self.names[one] == EACH_OTHER)
        for group in self._groups(together):
            others = [
                player for one in sorted(sitting) for player in self._sat(one, group[0])[: sitting[one]]
            ]
            yield Board(dish.game, dish.variant, (*group, *others))

    def _sat(self, opponent: int, model: int) -> list[int]:
        """The players that one of the opponents is, to this model."""
        return self._numbers.get((opponent, model)) or self._numbers.get((opponent, 0), [])

    def _groups(self, size: int) -> list[tuple[int, ...]]:
        """The models by so many at a table: those who met least; who is left over has met least the next time."""
        if size == 1:
            return [(model,) for model in self.models]
        waiting, groups = self._shuffled(), []
        while len(waiting) >= size:
            group: list[int] = []
            while len(group) < size:
                group.append(min(waiting, key=lambda model: self._acquaintance(model, group)))
                waiting.remove(group[-1])
            self._met.update((one, other) for one in group for other in group)
            groups.append(tuple(sorted(group)))
        return groups

    def _acquaintance(self, model: int, group: Sequence[int]) -> tuple[int, int]:
        """How often a model met those of a group, and how often anybody."""
        return sum(self._met[model, other] for other in group), self._met[model, model]

    def _shuffled(self) -> list[int]:
        left = list(self.models)
        return [left.pop(self._rng.below(len(left))) for _ in self.models]

    # ── who sits where ───────────────────────────────────────────────────────────────────────────

    def _most(self, weights: Sequence[Fraction], dish: Dish) -> list[int]:
        """Of each opponent, how many may sit at a table of this game: its share of the seats, rounded up."""
        seats = dish.seats - 1
        if seats < 1:
            raise ValueError(
                f"{dish.game} is for {dish.seats} player: a model and an opponent need two seats"
            )
        most = [math.ceil(seats * weight / sum(weights)) for weight in weights]
        for one, name in enumerate(self.names):
            if name == EACH_OTHER:
                most[one] = min(most[one], len(self.models) - 1)
        missing = max(0, seats - sum(most))
        most = [
            many if name == EACH_OTHER else many + missing
            for many, name in zip(most, self.names, strict=True)
        ]
        if sum(most) < seats:
            raise ValueError(
                f"{dish.game} has {dish.seats} seats, but only {len(self.models)} play each other: name "
                f"{dish.seats} models, or an opponent beside {EACH_OTHER}"
            )
        return most

    def _seat_opponents(self, models: Sequence[str]) -> dict[tuple[int, int], list[int]]:
        """Players of every opponent, by its place in the mix and, for `self`, by the model."""
        numbers: dict[tuple[int, int], list[int]] = {}
        for one, name in enumerate(self.names):
            if name == EACH_OTHER:
                continue
            copies = max(places[one] for places in self._places)
            for model in self.models if name == SELF else (0,):
                first = len(self.specs) + 1
                self.specs += copies * [models[model - 1] if name == SELF else name]
                numbers[one, model] = list(range(first, first + copies))
        return numbers
