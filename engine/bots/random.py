"""Plays a uniformly random legal move."""

from collections.abc import Mapping
from typing import final

from mypy_extensions import i64, mypyc_attr

from engine.bot import Bot, Options, no_argument
from engine.core import Game
from engine.rng import Rng


@final
@mypyc_attr(acyclic=True)
class RandomBot(Bot):
    """The floor of every rating."""

    def spec(self) -> str:
        return "random"

    def choose(self, game: Game, rng: Rng) -> i64:
        return game.random_action(rng)


def make(argument: str, options: Mapping[str, str]) -> Bot:
    """`random`, no argument, no options."""
    no_argument("random", argument)
    Options("random", options).done()
    return RandomBot()
