"""What the trees of Monte-Carlo search share: nodes, the UCB1 rule, budgets, and what the root tells.

A tree is flat vecs indexed by node; node 0 is the root. Every number that decides is an integer (means and
bonuses in units of 2**-20), so that compiled, plain Python and every processor choose alike. Each node
remembers its mean and its bonus factor, which makes looking at a child cost one product. What every seat
maximises is its own `Game.value`, which is of the order of one, as the constant `c` is: two seats or eight,
zero-sum or not (max^n). A game of rounds is searched to the end of the round (`Game.narrow`).

How a tree grows is its own: `Uct` where all is known, `Ismcts` where it is not. Memory is bounded: a full tree
takes no more nodes, and the simulations that follow refine those it has.
"""

from math import log, sqrt
from time import perf_counter
from typing import Final, final

from librt.vecs import append, vec
from mypy_extensions import i64, mypyc_attr

from engine.core import VALUE_ONE, Game
from engine.rng import Rng

SCALE: Final = 1 << 20
UNVISITED: Final[i64] = 0x3FFFFFFFFFFFFFFF  # a mean above every real score: such a child comes first
NEVER: Final[i64] = -0x3FFFFFFFFFFFFFFF
MOST_NODES: Final = 1 << 22  # of 64 to 104 bytes
MOST_C: Final = 100.0  # what UCB1 makes of it stays inside 63 bits
TABULATED: Final[i64] = 1 << 20  # visits for which the factors of UCB1 are looked up; beyond, computed


@mypyc_attr(acyclic=True)
class Tree:
    """`search` grows it from a position; `visits` and `value` then tell of the actions there."""

    def __init__(self, c: float = 1.4, limit: int = MOST_NODES) -> None:
        """`c` from 0 to MOST_C weighs exploration, in units of value; a tree of `limit` nodes takes no more.

        ValueError for another `c`.
        """
        if not 0.0 <= c <= MOST_C:
            raise ValueError(f"c is a number from 0 to {MOST_C:g}, got {c}")
        self.c = c
        self.simulations: i64 = 0  # of the last search
        self._limit: i64 = limit
        self._share: vec[i64] = vec[i64]([0])  # by visits n: 2**40 / n
        self._bonus: vec[i64] = vec[i64]([0])  # by visits n: 2**20 / sqrt(n)
        self._drive: vec[i64] = vec[i64]([0])  # by the parent's visits n: 2**20 * c * sqrt(ln n)
        self._nodes: i64 = 0
        self._visits: vec[i64] = vec[i64]()
        self._total: vec[i64] = vec[i64]()  # values for the seat that moved into the node
        self._mean: vec[i64] = vec[i64]()
        self._slack: vec[i64] = vec[i64]()  # the bonus factor of that many visits
        self._choices: vec[i64] = vec[i64]()  # the legal actions at the root, rising
        self._ids: vec[i64] = vec[i64]()  # scratch, as are the next three
        self._path: vec[i64] = vec[i64]()  # the nodes of one simulation
        self._movers: vec[i64] = vec[i64]()  # who moved into each of them
        self._worth: vec[i64] = vec[i64]()  # what its end is worth to each seat

    @final
    def search(self, game: Game, sims: i64, rng: Rng, milliseconds: i64 = 0) -> i64:
        """Run simulations from `game`; return the most visited action.

        `sims` of them, or with `milliseconds` as many as fit into that wall time: at least one, and no more
        than `sims` unless that is 0. ValueError where both are 0, and for a game that is over. Ties go to the
        higher value, then to the lower id. The game comes back unchanged. Only a number of simulations repeats;
        `simulations` tells it.
        """
        check_question(game, sims, milliseconds)
        return self.spend(game, sims, rng, float(milliseconds) / 1000.0)

    @final
    def spend(self, game: Game, sims: i64, rng: Rng, seconds: float) -> i64:
        """As `search`, unchecked and by the second; 0.0 where the clock does not matter."""
        began = perf_counter()
        root = game.clone()
        root.forget_history()
        root.narrow()
        self._make_room_for(root)
        self._plant(root, rng)
        self.simulations = 0
        trial = root.clone()
        if seconds > 0.0:
            self._simulate_until(root, trial, sims, rng, began, seconds)
        else:
            self._simulate(root, trial, sims, rng)
        return self._best()

    @final
    def visits(self, action: i64) -> i64:
        """How often that action was tried at the root; 0 for an action that was not legal there."""
        node = self._child(action)
        return self._visits[node] if node else 0

    @final
    def value(self, action: i64) -> float:
        """The mean `Game.value` of the root's mover after that action, in [-1, 1]; 0.0 when never tried."""
        n = self.visits(action)
        return float(self.total(action)) / float(n) / VALUE_ONE if n else 0.0

    @final
    def total(self, action: i64) -> i64:
        """The sum behind that mean, in units of 1 / VALUE_ONE."""
        node = self._child(action)
        return self._total[node] if node else 0

    @final
    def nodes(self) -> i64:
        """How many nodes the tree has."""
        return self._nodes

    # What a tree defines.

    def _plant(self, root: Game, rng: Rng) -> None:
        """Begin the tree of a position: at least node 0."""
        raise NotImplementedError

    def _descend(self, trial: Game, rng: Rng) -> i64:
        """Walk `trial`, at the root's position, to a new node or to the end.

        Fills `_path` and `_movers`, the root at place 0, and returns the path's length.
        """
        raise NotImplementedError

    def _child(self, action: i64) -> i64:
        """The root's child for an action, or 0."""
        raise NotImplementedError

    # Simulations.

    @final
    def _simulate(self, root: Game, trial: Game, sims: i64, rng: Rng) -> None:
        self._tabulate(self._visits[0] + sims)
        sim: i64 = 0
        while sim < sims:
            trial.copy_from(root)
            depth = self._descend(trial, rng)
            trial.playout(rng)
            self._credit(trial, depth)
            sim += 1
        self.simulations += sims

    @final
    def _simulate_until(
        self, root: Game, trial: Game, sims: i64, rng: Rng, began: float, seconds: float
    ) -> None:
        """Look at the clock after portions that double while they take less than a 64th of the time."""
        portion: i64 = 1
        spent = 0.0
        while spent < seconds or self.simulations == 0:
            if sims > 0 and portion > sims - self.simulations:
                portion = sims - self.simulations
                if portion == 0:
                    return
            self._simulate(root, trial, portion, rng)
            before = spent
            spent = perf_counter() - began
            if spent - before < seconds / 64.0:
                portion += portion

    @final
    def _credit(self, trial: Game, depth: i64) -> None:
        """Add the end of a simulation to the nodes it came through."""
        visits = self._visits
        total = self._total
        share = self._share
        path = self._path
        movers = self._movers
        worth = self._worth
        known: i64 = len(share)
        seat: i64 = 0
        while seat < len(worth):
            worth[seat] = trial.value(seat)
            seat += 1
        visits[0] += 1
        i: i64 = 1
        while i < depth:
            node = path[i]
            n: i64 = visits[node] + 1
            sum: i64 = total[node] + worth[movers[i]]
            visits[node] = n
            total[node] = sum
            if n < known:
                self._mean[node] = (sum * share[n]) >> 36
                self._slack[node] = self._bonus[n]
            else:
                self._mean[node] = sum * (SCALE // VALUE_ONE) // n
                self._slack[node] = bonus_of(n)
            i += 1

    @final
    def _push(self, n: i64) -> i64:
        """How much a parent of `n` visits makes its children be explored."""
        return self._drive[n] if n < len(self._drive) else drive_of(n, self.c)

    @final
    def _tabulate(self, most: i64) -> None:
        """The factors for up to so many visits."""
        end: i64 = most + 1 if most < TABULATED else TABULATED
        n: i64 = len(self._share)
        while n < end:
            self._share = append(self._share, (SCALE * SCALE) // n)
            self._bonus = append(self._bonus, bonus_of(n))
            self._drive = append(self._drive, drive_of(n, self.c))
            n += 1

    # Nodes.

    @final
    def _make_room_for(self, root: Game) -> None:
        """Scratch for that kind of game, and the choices of that position."""
        self._ids = vec[i64]([0] * root.num_actions())
        self._path = vec[i64]([0] * (root.max_plies() + 2))
        self._movers = vec[i64]([0] * (root.max_plies() + 2))
        self._worth = vec[i64]([0] * root.num_players())
        self._choices = self._ids[: root.legal_into(self._ids)]

    @final
    def _widen(self, size: i64) -> None:
        """Room for `size` nodes in the vecs of this class."""
        self._visits = longer(self._visits, size)
        self._total = longer(self._total, size)
        self._mean = longer(self._mean, size)
        self._slack = longer(self._slack, size)

    @final
    def _best(self) -> i64:
        best: i64 = 0
        choice: i64 = self._choices[0]
        i: i64 = 0
        while i < len(self._choices):
            node = self._child(self._choices[i])
            if node and (
                best == 0
                or self._visits[node] > self._visits[best]
                or (self._visits[node] == self._visits[best] and self._mean[node] > self._mean[best])
            ):
                best = node
                choice = self._choices[i]
            i += 1
        return choice


def check_question(game: Game, sims: i64, milliseconds: i64) -> None:
    """ValueError for a game that is over, and where there is no budget."""
    if game.current_player() < 0:
        raise ValueError(f"this match of {game.name()} is over: there is nothing to search")
    if sims < 1 and milliseconds < 1:
        raise ValueError(
            f"a search needs a budget: sims or milliseconds of at least 1, got {sims} and {milliseconds}"
        )


def bonus_of(n: i64) -> i64:
    """What the exploration of a child with `n` >= 1 visits is multiplied by."""
    return int(SCALE / sqrt(float(n)))


def drive_of(n: i64, c: float) -> i64:
    """What a parent's `n` >= 1 visits contribute to the exploration of its children."""
    return int(SCALE * c * sqrt(log(float(n))))


def longer(old: vec[i64], size: i64) -> vec[i64]:
    """A copy of `old` with room for `size` items."""
    new = vec[i64]([0] * size)
    i: i64 = 0
    while i < len(old):
        new[i] = old[i]
        i += 1
    return new
