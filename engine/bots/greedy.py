"""Wins at once if it can, else keeps an opponent from winning at the next move, else plays at random.

It knows no game: it tries its moves, and the replies of whoever moves next, on a copy. Where something is hidden
it sees the one world that it is given, and no other.
"""

from collections.abc import Mapping
from typing import Final, final

from librt.vecs import vec
from mypy_extensions import i64, mypyc_attr

from engine.bot import Bot, Options, no_argument
from engine.core import Game
from engine.rng import Rng

LOST: Final[i64] = 0
ALLOWS_A_WIN: Final[i64] = 1
SAFE: Final[i64] = 2
WON: Final[i64] = 3


@final
@mypyc_attr(acyclic=True)
class GreedyBot(Bot):
    """One move ahead for itself, one for the next; among equals the draw is uniform."""

    def spec(self) -> str:
        return "greedy"

    def choose(self, game: Game, rng: Rng) -> i64:
        ids = vec[i64]([0] * game.num_actions())
        count = game.legal_into(ids)
        trial = game.clone()
        seat = game.current_player()
        best: i64 = -1
        n: i64 = 0  # the first n ids are those with the best verdict
        i: i64 = 0
        while i < count:
            action = ids[i]
            trial.copy_from(game)
            trial.step(action)
            worth = verdict(trial, seat)
            if worth > best:
                best = worth
                n = 0
            if worth == best:
                ids[n] = action
                n += 1
            i += 1
        return ids[rng.below(n)]


def verdict(game: Game, seat: i64) -> i64:
    """How `seat` stands in a position that it has just moved into."""
    mover = game.current_player()
    if mover < 0:
        ahead = lead(game, seat)
        return WON if ahead > 0 else LOST if ahead < 0 else SAFE
    if mover == seat:
        return SAFE
    ids = vec[i64]([0] * game.num_actions())
    count = game.legal_into(ids)
    trial = game.clone()
    i: i64 = 0
    while i < count:
        trial.copy_from(game)
        trial.step(ids[i])
        if trial.current_player() < 0 and lead(trial, mover) > 0:
            return ALLOWS_A_WIN
        i += 1
    return SAFE


def lead(game: Game, seat: i64) -> i64:
    """A finished game's payoff of `seat` less the best payoff of the others."""
    own = game.payoff(seat)
    players = game.num_players()
    best: i64 = 0
    met = False
    other: i64 = 0
    while other < players:
        if other != seat and (not met or game.payoff(other) > best):
            best = game.payoff(other)
            met = True
        other += 1
    return own - best


def make(argument: str, options: Mapping[str, str]) -> Bot:
    """`greedy`, no argument, no options."""
    no_argument("greedy", argument)
    Options("greedy", options).done()
    return GreedyBot()
