"""What an exact solver answers, whatever its game.

A solver of <game> is `SOLVER` in engine/solvers/<game>.py. Scores are from the seat to move: 0 is a draw,
positive a win, negative a loss; which win is the larger (the sooner, or the one by more) the solver says. A
budget of nodes makes answers repeat; one of milliseconds depends on the machine. Where a budget cannot reach
the end, a solver answers None at once if it can tell. No answer depends on what was asked before: a question with
a budget starts with an empty memory, and what is kept is true whatever the question.
"""

import importlib
from typing import Final

from mypy_extensions import mypyc_attr

from engine.core import Game
from engine.registry import own_names

SOLVED: Final = own_names("engine.solvers")


@mypyc_attr(allow_interpreted_subclasses=True, acyclic=True)
class Solver:
    """Asked about positions that are not over; answers None when the budget ran out. 0 means no budget."""

    def solve(self, game: Game, nodes: int = 0, milliseconds: int = 0) -> int | None:
        """The exact score."""
        raise NotImplementedError

    def best_action(self, game: Game, nodes: int = 0, milliseconds: int = 0) -> tuple[int, int] | None:
        """A best action and its exact score; among equals always the same one, which the solver documents."""
        raise NotImplementedError

    def action_values(self, game: Game, nodes: int = 0, milliseconds: int = 0) -> dict[int, int | None]:
        """Each legal action's exact score, None for those that the budget did not reach."""
        raise NotImplementedError

    def outcomes(self, game: Game, nodes: int = 0) -> dict[int, int | None]:
        """For each legal action 1, 0 or -1: who wins, not how soon or by how much. None beyond the budget.

        A solver that knows no cheaper way takes the signs of the scores. One that does may keep what it learns, if
        no answer depends on it.
        """
        scores = self.action_values(game, nodes)
        return {a: None if score is None else (score > 0) - (score < 0) for a, score in scores.items()}

    def unbeaten(self, game: Game, nodes: int) -> list[int]:
        """What is left to choose from where `best_action` gave up: the actions that nothing beats in who wins.

        All legal ones where that takes more than about `nodes` positions more.
        """
        return game.legal_actions()


def solver_of(game: Game) -> Solver:
    """A new solver for that game. ValueError where there is none."""
    name = game.name()
    if name in SOLVED:
        solver: Solver = importlib.import_module(f"engine.solvers.{name}").SOLVER()
        return solver
    raise ValueError(f"no exact solver for {name!r}; there are solvers for {', '.join(SOLVED)}")
