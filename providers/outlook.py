"""How the stand-in forecasts: what a match is worth to a seat if from here on everybody moves at random.

Where everybody does (`sim:random` against `bot:random`) that is the probability itself, so `calibrated` is calibrated
by construction, whatever is made of it afterwards; the others are bent from it by a known amount, in log odds, or
know nothing. Exact where a match is short (TicTacToe), elsewhere the mean of so many playouts that its error is
below what a whole per cent can say. Between players who aim, none of them is calibrated.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from engine import Game

PLAYOUTS = 2000  # a standard error of 1.1 per cent at most
SHORT = 9  # plies of a match that is searched to its end


class Bend(NamedTuple):
    """What is made of the true log odds."""

    slope: float
    shift: float = 0.0


BENDS: Mapping[str, Bend] = {
    "calibrated": Bend(1.0),
    "overconfident": Bend(2.0),
    "underconfident": Bend(0.5),
    "hopeful": Bend(1.0, 1.0),
}
FORECASTERS = ("even", "random", *BENDS)
"""`even` says 50 whatever happens, `random` draws a number."""


class Outlook:
    """Remembers what it has searched; one for each stand-in."""

    def __init__(self, forecaster: str) -> None:
        self.forecaster = forecaster
        self._worth: dict[bytes, tuple[float, ...]] = {}

    def per_cent(self, game: Game | None, action: int, draw: float, seed: int) -> int:
        """The forecast of whoever is to move in `game`, after that action; 50 where the position is not known.

        `draw` is from the unit interval.
        """
        if self.forecaster == "random":
            return int(draw * 101)
        if game is None or self.forecaster == "even" or not game.is_legal(action):
            return 50
        seat = game.current_player()
        after = game.clone()
        after.step(action)
        return round(100 * bent(self.worth(after, seed)[seat], BENDS[self.forecaster]))

    def worth(self, game: Game, seed: int) -> tuple[float, ...]:
        """Of every seat, the score to expect under random moves."""
        if game.is_terminal():
            return _scores(game)
        if game.max_plies() > SHORT:
            return _sampled(game, seed)
        key = game.position_bytes()
        if key not in self._worth:
            branches = []
            for action in game.legal_actions():
                after = game.clone()
                after.step(action)
                branches.append(self.worth(after, seed))
            self._worth[key] = tuple(sum(each) / len(each) for each in zip(*branches, strict=True))
        return self._worth[key]


def bent(share: float, bend: Bend) -> float:
    """A probability with its log odds bent; what is certain stays certain."""
    if not 0 < share < 1:
        return share
    return 1 / (1 + exp(-(bend.slope * log(share / (1 - share)) + bend.shift)))


def _sampled(game: Game, seed: int) -> tuple[float, ...]:
    from engine import Rng

    rng, played = Rng(seed), game.clone()
    total = [0.0] * game.num_players()
    for _ in range(PLAYOUTS):
        played.copy_from(game)
        played.playout(rng)
        total = [sum(both) for both in zip(total, _scores(played), strict=True)]
    return tuple(each / PLAYOUTS for each in total)


def _scores(game: Game) -> tuple[float, ...]:
    """Of every seat the share of the others that it has beaten, ties half."""
    paid = [game.payoff(seat) for seat in range(game.num_players())]
    level = [sum((mine > other) + (mine == other) / 2 for other in paid) - 0.5 for mine in paid]
    return tuple(each / (len(paid) - 1) for each in level)
