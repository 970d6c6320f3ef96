"""A match as a value: what fixes it before it is played, and what came of it.

One deal (one seed) is played once per seat, everybody moving on by one seat from match to match: each player
plays every hand once. Turning the table leaves the neighbours as they are, so with three players and more the
order around the table changes from deal to deal (`around`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import engine
from engine import Game


def pair_name(pair: int) -> str:
    """The number of a pair, counted from 0 there and from 1 here, as ids have it: 0001 to 9999, A10000, B100000.

    The letter keeps text in playing order however many there are.
    """
    number = f"{pair + 1:04d}"
    return number if len(number) == 4 else f"{chr(ord('A') + len(number) - 5)}{number}"


class Start(NamedTuple):
    """A position in which a match begins that ends with its first decision."""

    state: bytes  # as `Game.to_bytes` writes it
    seats: int
    relabelled: bool = False  # whoever is asked in words reads the marks of the seats exchanged


@dataclass(frozen=True, slots=True)
class Fixture:
    """A match to be played: everything that fixes it but the players' choices."""

    id: str
    pair: int
    swap: int  # how many seats everybody has moved on; between two, 1 is: seats swapped
    replay: int  # counts up when a void match is played again
    seed: int
    game: str
    order: tuple[int, ...]  # the players, counted from 0, as they sit before anybody moves on
    variant: Mapping[str, int] = field(default_factory=dict)
    opening: tuple[int, ...] = ()
    start: Start | None = None  # None: played from its deal to its end

    def seating(self) -> tuple[int, ...]:
        """By seat, which of the players (counted from 0) sits there."""
        return self.order[self.swap :] + self.order[: self.swap]

    def deal(self) -> Game:
        """The game as the first player to choose finds it."""
        if self.start is not None:
            return engine.from_bytes(self.start.state)
        game = engine.new(self.game, self.seed, **self.variant)
        for action in self.opening:
            game.apply(action)
        return game


def around(seed: int, pair: int, players: int) -> tuple[int, ...]:
    """The order in which players sit around the table in a deal of a run's seed: at first as they were named.

    Deals come in twos: the second has the first's order backwards, so that over both of them everybody sat
    as often right before as right after everybody else. Which order the two have is drawn.
    """
    rest = list(range(1, players))  # the first stays: everybody moves on to every seat anyhow
    if pair >= 2:
        rng = engine.Rng(engine.derive(seed, "around", pair // 2))
        rest = [rest.pop(rng.below(len(rest))) for _ in range(1, players)]
    return (0, *(reversed(rest) if pair % 2 else rest))


@dataclass(frozen=True, slots=True)
class Result:
    """How a match ended: per seat its return (higher is better) and why it forfeited, if it did.

    After a forfeit the returns are no more than an order: the forfeiter last, the others level, because what
    the game would have paid them nobody knows.
    """

    returns: tuple[float, ...]
    plies: int
    forfeits: tuple[str, ...]

    @property
    def scores(self) -> tuple[float, ...]:
        """Per seat the share of opponents beaten, ties half: 1, 0.5 or 0 between two."""
        return tuple(
            sum(
                1.0 if mine > other else 0.5 if mine == other else 0.0
                for j, other in enumerate(self.returns)
                if j != i
            )
            / (len(self.returns) - 1)
            for i, mine in enumerate(self.returns)
        )

    @property
    def ranks(self) -> tuple[int, ...]:
        """Per seat 1 + how many did better."""
        return tuple(1 + sum(other > mine for other in self.returns) for mine in self.returns)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Per seat win (first, alone), draw (first, with others) or loss."""
        first = "win" if self.ranks.count(1) == 1 else "draw"
        return tuple(first if rank == 1 else "loss" for rank in self.ranks)

    @property
    def points(self) -> tuple[float | None, ...]:
        """Per seat what the game paid; None where a forfeit kept it from being played to its end."""
        return (None,) * len(self.returns) if any(self.forfeits) else self.returns
