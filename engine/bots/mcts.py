"""Plays the move that Monte-Carlo tree search visits most: `mcts:200`, `mcts?ms=50`, options `c` and `reuse`.

UCT where the position is all there is to know. Where something is hidden or left to chance, one world
searched as if it were known would cheat itself: there it plays as `ismcts` does, which at Blob was measured to
be stronger than `pimc` at equal simulations and at equal time (docs/results.md).
"""

from collections.abc import Mapping
from typing import final

from mypy_extensions import i64, mypyc_attr

from engine.bot import Bot, Budget, Considered, Options, search_budget, search_spec
from engine.core import Game
from engine.rng import Rng
from engine.search.ismcts import Ismcts, unknown_ahead
from engine.search.tree import MOST_C, Tree
from engine.search.uct import Uct


@final
@mypyc_attr(acyclic=True)
class MctsBot(Bot):
    """With `reuse` it keeps what UCT found out below the moves played since, in whichever match that was last."""

    def __init__(self, budget: Budget, c: float, reuse: bool) -> None:
        self._budget = budget
        self._reuse = reuse
        self._searched: Game | None = None  # what the tree's root stands for
        self.tree = Uct(c)
        self.unknown = Ismcts(c)

    def spec(self) -> str:
        options: dict[str, object] = {"c": self.tree.c}
        if self._reuse:
            options["reuse"] = 1
        return search_spec("mcts", self._budget, options)

    def repeats(self) -> bool:
        return self._budget.milliseconds == 0 and not self._reuse

    def choose(self, game: Game, rng: Rng) -> i64:
        sims: i64 = self._budget.sims
        if unknown_ahead(game):
            return self.unknown.search(game, sims, rng, self._budget.milliseconds)
        if self._reuse:
            self._follow(game)
        return self.tree.search(game, sims, rng, self._budget.milliseconds)

    def considered(self, game: Game) -> list[Considered]:
        tree: Tree = self.unknown if unknown_ahead(game) else self.tree
        return [
            Considered(action, tree.visits(action), tree.value(action)) for action in game.legal_actions()
        ]

    def _follow(self, game: Game) -> None:
        """Advance the tree where `game` continues the match of the last search, and then only."""
        last = self._searched
        self._searched = game.clone()
        if last is None or last.name() != game.name() or last.variant() != game.variant():
            return
        past, now = last.history(), game.history()
        if now[: len(past)] != past:
            return
        since = now[len(past) :]
        for move in since:
            if last.current_player() != move.seat or not last.is_legal(move.action):
                return
            last.step(move.action)
        if last.position_bytes() == game.position_bytes():
            for move in since:
                self.tree.advance(move.action)


def make(argument: str, options: Mapping[str, str]) -> Bot:
    """`mcts:N`, N simulations from 1 to 10 million, or `mcts?ms=N`; `c` from 0 to 100, by default 1.4; `reuse` 1."""
    known = Options("mcts", options)
    c = known.number("c", 1.4, 0.0, MOST_C)
    reuse = known.integer("reuse", 0, 0, 1) == 1
    budget = search_budget("mcts", argument, known)
    known.done()
    return MctsBot(budget, c, reuse)
