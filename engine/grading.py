"""What every legal action of a position is worth to the seat to move: the measure of how well it was played.

Three ways, told by `Grades.method`, a name with its budget under which a grade may be kept:

- `solver:connect4`, where a solver answers within its budget: exact, game-theoretic values.
- `shares:10000?c=1.4`, two seats that play for the same points with nothing unknown: every action gets the same
  share of the simulations, for a UCT search of the position it leads to. A single tree would hardly look at
  the actions it rejects, and those are the ones that a grade is asked about.
- `mcts:10000?c=1.4` or `ismcts:2000?c=1.4`, all else: the means of one tree's root, over worlds drawn anew from
  what the seat knows where something is hidden or left to chance. So a grade never tells of hidden cards.
  `openspiel:10000?c=1.4` is OpenSpiel's own search, for its games.

A budget counts positions or simulations, never time: the same question has the same answer, on every machine.
Left out: the value of an action to other seats, and grades for a seat that has nothing to choose.
"""

import importlib
from collections.abc import Mapping
from typing import Final, NamedTuple

from engine.core import VALUE_ONE, Game
from engine.rng import Rng, derive
from engine.search.ismcts import Ismcts, unknown_ahead
from engine.search.tree import Tree
from engine.search.uct import Uct
from engine.solver import SOLVED, Solver, solver_of

NODES: Final = 30_000_000
SIMULATIONS: Final = 10_000
C: Final = 1.4
OPENSPIEL: Final = "openspiel:"


class ActionValue(NamedTuple):
    """What one action is worth."""

    action: int
    value: float  # in [-1, 1]: `Game.value` for the seat; exact: win 1, draw 0, loss -1
    score: (
        int | None
    )  # exact only: the solver's own, in which a sooner or higher win is more (engine/solvers)
    visits: int | None  # searched only: the simulations behind the value


class Grades(NamedTuple):
    """The worth of all legal actions, in rising order of their ids."""

    method: str
    exact: bool
    seat: int
    values: tuple[ActionValue, ...]

    def of(self, action: int) -> ActionValue:
        """ValueError for an action that was not legal."""
        for entry in self.values:
            if entry.action == action:
                return entry
        raise ValueError(
            f"action {action!r} was not legal: expected one of {[entry.action for entry in self.values]}"
        )

    def best(self) -> tuple[int, ...]:
        """The actions that nothing beats: in result where exact, in the search's value otherwise."""
        most = max([entry.value for entry in self.values])
        return tuple([entry.action for entry in self.values if entry.value == most])

    def soonest(self) -> tuple[int, ...]:
        """Of the best, those of the highest score: say the soonest win, the latest loss. Not exact: `best`."""
        top = [entry for entry in self.values if entry.action in self.best()]
        scores = [entry.score for entry in top if entry.score is not None]
        most = max(scores, default=None)
        return tuple([entry.action for entry in top if entry.score == most])

    def regret(self, action: int) -> float:
        """How much of the result the action gave away, in [0, 2]: best value less its own.

        Where exact this is 0, 1 (a win for a draw, or a draw for a loss) or 2: a slower win costs nothing.
        """
        return max([entry.value for entry in self.values]) - self.of(action).value

    def score_regret(self, action: int) -> int | None:
        """Best score less its own, where exact: what a slower win or a quicker loss costs too."""
        own = self.of(action).score
        scores = [entry.score for entry in self.values if entry.score is not None]
        return None if own is None else max(scores) - own


class Grader:
    """Grades positions one after the other; keeps solvers and trees, on which no answer depends."""

    def __init__(
        self,
        *,
        nodes: int = NODES,
        simulations: int = SIMULATIONS,
        c: float = C,
        seed: int = 0,
        scores: bool = True,
    ) -> None:
        """`nodes`: the solver's budget per position, 0 for no solver; `simulations`: a search's, all actions.

        Without `scores` a solver is asked who wins and not how soon, which some tell many times sooner.

        Fewer simulations than actions are one for each; `c` is the search's, from 0 to 100. ValueError for
        numbers below 0 or beyond, and for no simulations.
        """
        if nodes < 0 or simulations < 1:
            raise ValueError(f"expected nodes >= 0 and simulations >= 1, got {nodes} and {simulations}")
        self.nodes = nodes
        self.simulations = simulations
        self.seed = seed
        self.c = float(c)
        self.scores = scores
        self._solvers: dict[str, Solver] = {}
        self._uct = Uct(c)
        self._ismcts = Ismcts(c)

    def grade(self, game: Game, seat: int | None = None) -> Grades:
        """The worth of every legal action to the seat to move; `seat`, where given, must be that.

        `game` may be the true state: what is hidden from the seat has no influence. It comes back unchanged.
        ValueError when the game is over or another seat is to move.
        """
        mover = int(game.current_player())
        if mover < 0:
            raise ValueError(f"this match of {game.name()} is over: expected a position with a move to grade")
        if seat is not None and seat != mover:
            raise ValueError(f"seat {mover} is to move, got {seat}: only the mover's actions have grades")
        exact = self.solved(game)
        if exact is not None:
            return exact
        if game.name().startswith(OPENSPIEL):
            return Grades(self._method("openspiel"), False, mover, self._by_openspiel(game))
        rng = Rng(derive(self.seed, "grade"))
        if unknown_ahead(game):
            return Grades(self._method("ismcts"), False, mover, self._tree(self._ismcts, game, rng))
        if game.num_players() == 2 and game.zero_sum():
            return Grades(self._method("shares"), False, mover, self._shares(game, rng))
        return Grades(self._method("mcts"), False, mover, self._tree(self._uct, game, rng))

    def _method(self, search: str) -> str:
        chance = f"&seed={self.seed}" if self.seed else ""
        return f"{search}:{self.simulations}?c={self.c}{chance}"

    def solved(self, game: Game) -> Grades | None:
        """The exact grades alone; None where there is no solver, or its budget does not reach. Of a game not over."""
        name = game.name()
        if name not in SOLVED or self.nodes == 0:
            return None
        if name not in self._solvers:
            self._solvers[name] = solver_of(game)
        solver = self._solvers[name]
        found: Mapping[int, int | None] = (
            solver.action_values(game, self.nodes) if self.scores else solver.outcomes(game, self.nodes)
        )
        values = []
        for action in sorted(found):
            score = found[action]
            if score is None:
                return None
            value = float((score > 0) - (score < 0))
            values.append(ActionValue(action, value, score if self.scores else None, None))
        return Grades(f"solver:{name}", True, int(game.current_player()), tuple(values))

    def _shares(self, game: Game, rng: Rng) -> tuple[ActionValue, ...]:
        actions = game.legal_actions()
        share = max(1, self.simulations // len(actions))
        mover = int(game.current_player())
        values = []
        for action in actions:
            after = game.clone()
            after.step(action)
            follower = int(after.current_player())
            if follower < 0:
                value = float(after.value(mover)) / VALUE_ONE
            else:
                value = self._uct.value(self._uct.search(after, share, rng))
                if follower != mover:
                    value = -value
            values.append(ActionValue(int(action), value + 0.0, None, share))
        return tuple(values)

    def _tree(self, tree: Tree, game: Game, rng: Rng) -> tuple[ActionValue, ...]:
        actions = game.legal_actions()
        tree.search(game, max(self.simulations, len(actions)), rng)
        return tuple([ActionValue(int(a), tree.value(a), None, int(tree.visits(a))) for a in actions])

    def _by_openspiel(self, game: Game) -> tuple[ActionValue, ...]:
        bridge = importlib.import_module("engine.bridges.openspiel")
        found: list[tuple[int, float, int]] = bridge.mcts_values(
            game, self.simulations, derive(self.seed, "grade"), self.c
        )
        return tuple([ActionValue(action, value, None, visits) for action, value, visits in found])


def grade(
    game: Game,
    seat: int | None = None,
    *,
    nodes: int = NODES,
    simulations: int = SIMULATIONS,
    c: float = C,
    seed: int = 0,
) -> Grades:
    """One position's grades; for many, `Grader` keeps what is costly to make."""
    return Grader(nodes=nodes, simulations=simulations, c=c, seed=seed).grade(game, seat)
