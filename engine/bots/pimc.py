"""Plays the move that UCT visits most over several worlds: `pimc:200`, `pimc?ms=50`, options `c` and `worlds`."""

from collections.abc import Mapping
from typing import final

from mypy_extensions import i64, mypyc_attr

from engine.bot import Bot, Budget, Considered, Options, search_budget, search_spec
from engine.core import Game
from engine.rng import Rng
from engine.search.pimc import WORLDS, Pimc
from engine.search.tree import MOST_C


@final
@mypyc_attr(acyclic=True)
class PimcBot(Bot):
    """Its budget is that of all worlds together; its trees start afresh at every choice."""

    def __init__(self, budget: Budget, c: float, worlds: int) -> None:
        self._budget = budget
        self._c = c
        self._worlds = worlds
        self.search = Pimc(c, worlds)

    def spec(self) -> str:
        return search_spec("pimc", self._budget, {"c": self._c, "worlds": self._worlds})

    def repeats(self) -> bool:
        return self._budget.milliseconds == 0

    def choose(self, game: Game, rng: Rng) -> i64:
        return self.search.search(game, self._budget.sims, rng, self._budget.milliseconds)

    def considered(self, game: Game) -> list[Considered]:
        search = self.search
        return [
            Considered(action, search.visits(action), search.value(action)) for action in game.legal_actions()
        ]


def make(argument: str, options: Mapping[str, str]) -> Bot:
    """`pimc:N`, N simulations from 1 to 10 million, or `pimc?ms=N`; `c` from 0 to 100, `worlds` to 10,000."""
    known = Options("pimc", options)
    c = known.number("c", 1.4, 0.0, MOST_C)
    worlds = known.integer("worlds", WORLDS, 1, 10_000)
    budget = search_budget("pimc", argument, known)
    known.done()
    return PimcBot(budget, c, worlds)
