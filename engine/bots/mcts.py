"""Plays the move that UCT with that many simulations visits most: `mcts:200`, option `c`."""

from collections.abc import Mapping
from typing import final

from mypy_extensions import i64, mypyc_attr

from engine.bot import Bot, Options, whole_number
from engine.core import Game
from engine.rng import Rng
from engine.search.uct import Uct


@final
@mypyc_attr(acyclic=True)
class MctsBot(Bot):
    """Deterministic for one position and stream: its tree starts afresh at every choice."""

    def __init__(self, sims: int, c: float) -> None:
        self._sims: i64 = sims
        self.tree = Uct(c)

    def spec(self) -> str:
        return f"mcts:{self._sims}?c={self.tree.c!r}"

    def choose(self, game: Game, rng: Rng) -> i64:
        return self.tree.search(game, self._sims, rng)


def make(argument: str, options: Mapping[str, str]) -> Bot:
    """`mcts:N`, N simulations from 1 to 10 million; `c` from 0 to 100, by default 1.4."""
    known = Options("mcts", options)
    c = known.number("c", 1.4, 0.0, 100.0)
    known.done()
    return MctsBot(whole_number("mcts:N: the number of simulations N", argument, 1, 10_000_000), c)
