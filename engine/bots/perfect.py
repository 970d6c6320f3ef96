"""Plays an exactly best move where the game has a solver (engine/solvers).

The soonest win and the latest loss in TicTacToe, always exact, and in Connect 4, exact from the 12th ply on and
mostly before; the most discs in Othello, exact for the last 16 empty cells and mostly for 18. The budget is
BUDGET positions per choice, half a second compiled (and half a minute as plain Python). Where it does not
reach, the move is that of a UCT search, and `exact` says so; at Connect 4 it is one that gives no result away, in the
first nine plies whatever the budget, and with the usual one always.
"""

from collections.abc import Mapping
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from engine.bot import LONGEST_MS, Bot, Options, no_argument
from engine.core import Game
from engine.rng import Rng
from engine.search.uct import Uct
from engine.solver import SOLVED, Solver, solver_of

BUDGET: Final = 5_000_000
FALLBACK_SIMS: Final = 5000


@final
@mypyc_attr(acyclic=True)
class PerfectBot(Bot):
    """`exact` and `score` speak of the last choice: whether it was solved, and its score (0 if not)."""

    def __init__(self, nodes: int, milliseconds: int) -> None:
        self._nodes = nodes
        self._milliseconds = milliseconds
        self._game = ""
        self._solver = Solver()
        self._tree = Uct()
        self.exact = False
        self.score = 0

    def spec(self) -> str:
        if self._milliseconds:
            return f"perfect?ms={self._milliseconds}"
        return f"perfect?nodes={self._nodes}"

    def repeats(self) -> bool:
        return self._milliseconds == 0

    def check_game(self, game: Game) -> None:
        if game.name() not in SOLVED:
            raise ValueError(
                f"bot 'perfect' cannot play {game.name()!r}: it plays {', '.join(SOLVED)}, which have "
                f"an exact solver; mcts:1000 plays any game"
            )

    def choose(self, game: Game, rng: Rng) -> i64:
        """ValueError for a game that has no solver."""
        if self._game != game.name():
            self._solver = solver_of(game)
            self._game = game.name()
        best = self._solver.best_action(game, self._nodes, self._milliseconds)
        self.exact = best is not None
        if best is None:
            self.score = 0
            return self._searched(game, rng)
        self.score = best[1]
        return best[0]

    def _searched(self, game: Game, rng: Rng) -> i64:
        """The action that UCT likes best of those that are known to give nothing away, where that is known."""
        liked = self._tree.search(game, FALLBACK_SIMS, rng)
        unbeaten = self._solver.unbeaten(game, self._nodes)
        return liked if liked in unbeaten else max(unbeaten, key=self._tree.visits)


def make(argument: str, options: Mapping[str, str]) -> Bot:
    """`perfect`; `nodes`, positions searched per choice, or `ms`, which does not repeat exactly."""
    no_argument("perfect", argument)
    known = Options("perfect", options)
    milliseconds = known.integer("ms", 0, 1, LONGEST_MS)
    nodes = known.integer("nodes", 0 if milliseconds else BUDGET, 1, 10**15)
    known.done()
    if nodes and milliseconds:
        raise ValueError("bot 'perfect' takes either nodes or ms, got both")
    return PerfectBot(nodes, milliseconds)
