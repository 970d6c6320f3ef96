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
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Opponent:
    """Who the models play against, and in which proportion: a canonical spec, `self` or `each-other`."""

    spec: str
    weight: float = 1


@dataclass(frozen=True)
class GameShare:
    """A game of a run, its variant whole, and in which proportion it is played."""

    game: str
    variant: Mapping[str, int] = field(default_factory=dict)
    weight: float = 1

    def __str__(self) -> str:
        return game_text(self.game, self.variant)

    @property
    def seats(self) -> int:
        return int(engine.new(self.game, 0, **self.variant).num_players())


def read_game(text: str) -> tuple[str, dict[str, int]]:
    """`connect4`, or `name?parameter=1&…` for a variant. Raises ValueError."""
    name, _, query = text.partition("?")
    try:
        variant = {
            key: int(value) for key, value in (part.split("=", 1) for part in query.split("&") if part)
        }
    except ValueError:
        raise ValueError(f"unreadable game {text!r}: expected name?parameter=number&…") from None
    if "seed" in variant:
        raise ValueError("the seed is no variant of a game: give it with --seed")
    return name, variant


def game_text(game: str, variant: Mapping[str, int]) -> str:
    """The inverse of `read_game`."""
    return game + ("?" if variant else "") + "&".join(f"{name}={value}" for name, value in variant.items())


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
        self, models: Sequence[str], opponents: Sequence[Opponent], games: Sequence[GameShare], seed: int
    ) -> None:
        self.models = range(1, len(models) + 1)
        self.games = games
        self.opponents = [each.spec for each in opponents]
        self.specs = list(models)  # of every player, by number less one
        self._seats = [each.seats for each in games]
        weights = [exact(each.weight, each.spec) for each in opponents]
        self._most = [
            self._at_a_table(weights, each.game, seats)
            for each, seats in zip(games, self._seats, strict=True)
        ]
        self._numbers = self._seat_opponents(models)
        self._next_game = Turns(
            [exact(each.weight, str(each)) for each in games], engine.derive(seed, "games")
        )
        self._next_opponent = [
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

    def matches(self, pairs: int) -> int:
        """Of the first so many pairs together."""
        return sum(len(self.board(pair).players) for pair in range(pairs))

    def shares(self, pairs: int) -> list[tuple[Board, float]]:
        """The different boards of the first so many pairs, each with the share of them that is played on it."""
        every = [self.board(pair) for pair in range(pairs)]
        alike = {(game_text(board.game, board.variant), board.players): board for board in every}
        count = Counter((game_text(board.game, board.variant), board.players) for board in every)
        return [(board, count[key] / pairs) for key, board in alike.items()]

    def _work_out(self, pair: int) -> None:
        while len(self._pairs) <= pair:
            self._pairs += [(self._rounds, board) for board in self._round()]
            self._rounds += 1

    # ── a round ──────────────────────────────────────────────────────────────────────────────────

    def _round(self) -> Iterator[Board]:
        number = self._next_game.next()
        played, sitting = self.games[number], Counter[int]()
        for _ in range(self._seats[number] - 1):
            full = [one for one, most in enumerate(self._most[number]) if sitting[one] >= most]
            sitting[self._next_opponent[number].next(full)] += 1
        together = 1 + sum(many for one, many in sitting.items() if self.opponents[one] == EACH_OTHER)
        for group in self._groups(together):
            others = [
                player for one in sorted(sitting) for player in self._sat(one, group[0])[: sitting[one]]
            ]
            yield Board(played.game, played.variant, (*group, *others))

    def _sat(self, opponent: int, model: int) -> list[int]:
        """The players that one of the opponents is, to this model."""
        return self._numbers.get((opponent, model)) or self._numbers.get((opponent, 0), [])

    def _groups(self, size: int) -> list[tuple[int, ...]]:
        """The models by so many at a table, those together who met least. Whoever is left over plays next time."""
        if size == 1:
            return [(model,) for model in self.models]
        whole = len(self.models) - len(self.models) % size
        waiting = sorted(self._shuffled(), key=lambda model: self._met[model, model])[:whole]
        groups = []
        while waiting:
            group = [waiting.pop(0)]
            while len(group) < size:
                nearest = min(waiting, key=lambda model: sum(self._met[model, other] for other in group))
                group.append(nearest)
                waiting.remove(nearest)
            self._met.update((one, other) for one in group for other in group)
            groups.append(tuple(sorted(group)))
        return groups

    def _shuffled(self) -> list[int]:
        left = list(self.models)
        return [left.pop(self._rng.below(len(left))) for _ in self.models]

    # ── who sits where ───────────────────────────────────────────────────────────────────────────

    def _at_a_table(self, weights: Sequence[Fraction], game: str, seats: int) -> list[int]:
        """Of each opponent, how many may sit at a table of the game: its share of the seats, rounded up."""
        if seats < 2:
            raise ValueError(f"{game} is for 1 player: a model and an opponent take two seats or more")
        room = [len(self.models) - 1 if name == EACH_OTHER else seats - 1 for name in self.opponents]
        most = [math.ceil((seats - 1) * weight / sum(weights)) for weight in weights]
        missing = max(0, seats - 1 - sum(map(min, most, room)))
        most = [min(many + missing, there_are) for many, there_are in zip(most, room, strict=True)]
        if sum(most) < seats - 1:
            raise ValueError(
                f"{game} has {seats} seats, but only {len(self.models)} models play each other: name {seats}, "
                f"or an opponent beside {EACH_OTHER}"
            )
        return most

    def _seat_opponents(self, models: Sequence[str]) -> dict[tuple[int, int], list[int]]:
        """Players of every opponent, by its place in the mix and, for `self`, by the model."""
        numbers: dict[tuple[int, int], list[int]] = {}
        for one, name in enumerate(self.opponents):
            if name == EACH_OTHER:
                continue
            copies = max(most[one] for most in self._most)
            for model in self.models if name == SELF else (0,):
                first = len(self.specs) + 1
                self.specs += copies * [models[model - 1] if name == SELF else name]
                numbers[one, model] = list(range(first, first + copies))
        return numbers


def exact(weight: float, of: str) -> Fraction:
    """A weight as it was written: 0.1 is a tenth. Raises ValueError."""
    if not math.isfinite(weight) or weight <= 0:
        raise ValueError(f"{of} has weight {weight}: expected a number above 0, or leave it out")
    return Fraction(str(weight))
