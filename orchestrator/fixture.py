"""A match as a value: what fixes it before it is played, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import engine
from engine import Game


@dataclass(frozen=True, slots=True)
class Fixture:
    """A match to be played: everything that fixes it but the players' choices."""

    id: str
    pair: int
    swap: int  # 0: player 1 sits on seat 0; 1: seats swapped
    replay: int  # counts up when a void match is played again
    seed: int
    game: str
    variant: Mapping[str, int] = field(default_factory=dict)
    opening: tuple[int, ...] = ()

    def seating(self, players: int) -> list[int]:
        """By seat, which of the players (counted from 0) sits there: every swap moves all on by one seat."""
        return [(seat + self.swap) % players for seat in range(players)]

    def deal(self) -> Game:
        """The game as the first player to choose finds it."""
        game = engine.new(self.game, self.seed, **self.variant)
        for action in self.opening:
            game.apply(action)
        return game


@dataclass(frozen=True, slots=True)
class Result:
    """How a match ended: per seat its return (higher is better) and why it forfeited, if it did."""

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
