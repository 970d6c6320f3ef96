"""Plays the move that an information-set tree visits most: `ismcts:200`, `ismcts?ms=50`, option `c`."""

from collections.abc import Mapping
from typing import final

from mypy_extensions import i64, mypyc_attr

from engine.bot import Bot, Budget, Considered, Options, search_budget, search_spec
from engine.core import Game
from engine.rng import Rng
from engine.search.ismcts import Ismcts
from engine.search.tree import MOST_C


@final
@mypyc_attr(acyclic=True)
class IsmctsBot(Bot):
    """Draws what its seat cannot know anew for every simulation; its tree starts afresh at every choice."""

    def __init__(self, budget: Budget, c: float) -> None:
        self._budget = budget
        self.tree = Ismcts(c)

    def spec(self) -> str:
        return search_spec("ismcts", self._budget, {"c": self.tree.c})

    def repeats(self) -> bool:
        return self._budget.milliseconds == 0

    def choose(self, game: Game, rng: Rng) -> i64:
        return self.tree.search(game, self._budget.sims, rng, self._budget.milliseconds)

    def considered(self, game: Game) -> list[Considered]:
        tree = self.tree
        return [
            Considered(action, tree.visits(action), tree.value(action)) for action in game.legal_actions()
        ]


def make(argument: str, options: Mapping[str, str]) -> Bot:
    """`ismcts:N`, N simulations from 1 to 10 million, or `ismcts?ms=N`; `c` from 0 to 100, by default 1.4."""
    known = Options("ismcts", options)
    c = known.number("c", 1.4, 0.0, MOST_C)
    budget = search_budget("ismcts", argument, known)
    known.done()
    return IsmctsBot(budget, c)
