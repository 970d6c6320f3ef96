"""UCT: Monte-Carlo tree search with the UCB1 rule and random playouts, over any Game and number of seats.

The tree is flat vecs indexed by node; the children of a node lie side by side. Every number in it is an
integer (means and bonuses in units of 2**-20), so that compiled, plain Python and every processor choose
alike. Each node remembers its mean and its bonus factor, which makes looking at a child cost one product.
What it maximises is `Game.value`, which is of the order of one, as the constant `c` is. Left out: hidden information
and chance, which whoever calls settles first (`View.sample`); the tree assumes that a path of actions leads
to one position.
"""

from math import log, sqrt
from typing import Final, final

from librt.vecs import append, vec
from mypy_extensions import i64, mypyc_attr

from engine.core import VALUE_ONE, Game
from engine.rng import Rng

SCALE: Final = 1 << 20
UNVISITED: Final[i64] = 0x3FFFFFFFFFFFFFFF  # a mean above every real score: such a child comes first
NEVER: Final[i64] = -0x3FFFFFFFFFFFFFFF


@final
@mypyc_attr(acyclic=True)
class Uct:
    """One tree. `search` grows it from a position; `visits` and `value` then tell of its root."""

    def __init__(self, c: float = 1.4) -> None:
        """`c` weighs exploration, in units of value."""
        self.c = c
        self._share: vec[i64] = vec[i64]([0])  # by visits n: 2**40 / n
        self._bonus: vec[i64] = vec[i64]([0])  # by visits n: 2**20 / sqrt(n)
        self._drive: vec[i64] = vec[i64]([0])  # by the parent's visits n: 2**20 * c * sqrt(ln n)
        self._visits: vec[i64] = vec[i64]()
        self._total: vec[i64] = vec[i64]()  # values for the seat that moved into the node
        self._mean: vec[i64] = vec[i64]()
        self._slack: vec[i64] = vec[i64]()  # the bonus factor of that many visits
        self._action: vec[i64] = vec[i64]()
        self._first: vec[i64] = vec[i64]()  # first child; 0 = not expanded
        self._count: vec[i64] = vec[i64]()
        self._mover: vec[i64] = vec[i64]()  # the seat to move, once expanded
        self._nodes: i64 = 0

    def search(self, game: Game, sims: i64, rng: Rng) -> i64:
        """Run `sims` >= 1 simulations from `game` (not over), return the most visited action.

        Ties go to the higher value, then to the lower id. The game comes back unchanged.
        """
        self._prepare(sims)
        trial = game.clone()
        trial.forget_history()
        ids = vec[i64]([0] * game.num_actions())
        path = vec[i64]([0] * (game.max_plies() + 2))
        self._nodes = 0
        self._reserve(1)
        self._add(0)
        self._expand(0, game, ids, rng)
        sim: i64 = 0
        while sim < sims:
            trial.copy_from(game)
            depth = self._descend(trial, path, ids, rng)
            trial.playout(rng)
            self._backpropagate(trial, path, depth)
            sim += 1
        return self._best()

    def visits(self, action: i64) -> i64:
        """How often the last search tried that action at its root."""
        node = self._child(action)
        return self._visits[node] if node else 0

    def value(self, action: i64) -> float:
        """The mean `Game.value` of the root's mover after that action, in [-1, 1]; 0.0 when never tried."""
        node = self._child(action)
        if node == 0 or self._visits[node] == 0:
            return 0.0
        return float(self._total[node]) / float(self._visits[node]) / VALUE_ONE

    def _descend(self, trial: Game, path: vec[i64], ids: vec[i64], rng: Rng) -> i64:
        """Walk `trial` to a node not visited before or to the end; fill `path`, return its length."""
        visits = self._visits
        mean = self._mean
        slack = self._slack
        first = self._first
        count = self._count
        action = self._action
        drive = self._drive
        node: i64 = 0
        depth: i64 = 1
        path[0] = 0
        while True:
            start = first[node]
            if start == 0:
                if visits[node] == 0 or trial.current_player() < 0:
                    return depth
                self._expand(node, trial, ids, rng)
                visits = self._visits
                mean = self._mean
                slack = self._slack
                first = self._first
                count = self._count
                action = self._action
                start = first[node]
            end: i64 = start + count[node]
            push = drive[visits[node]]
            best: i64 = start
            most: i64 = NEVER
            child: i64 = start
            while child < end:
                score: i64 = mean[child] + ((push * slack[child]) >> 20)
                if score > most:
                    most = score
                    best = child
                child += 1
            node = best
            trial.step(action[node])
            path[depth] = node
            depth += 1

    def _backpropagate(self, trial: Game, path: vec[i64], depth: i64) -> None:
        visits = self._visits
        total = self._total
        mover = self._mover
        share = self._share
        parent: i64 = 0
        visits[0] += 1
        i: i64 = 1
        while i < depth:
            node = path[i]
            n: i64 = visits[node] + 1
            sum: i64 = total[node] + trial.value(mover[parent])
            visits[node] = n
            total[node] = sum
            self._mean[node] = (sum * share[n]) >> 36
            self._slack[node] = self._bonus[n]
            parent = node
            i += 1

    def _expand(self, node: i64, game: Game, ids: vec[i64], rng: Rng) -> None:
        """Give a node its children, from a random one on, so that no action is always tried first."""
        n = game.legal_into(ids)
        self._reserve(n)
        self._first[node] = self._nodes
        self._count[node] = n
        self._mover[node] = game.current_player()
        i: i64 = rng.below(n)
        left: i64 = n
        while left > 0:
            self._add(ids[i])
            i += 1
            if i == n:
                i = 0
            left -= 1

    def _add(self, action: i64) -> None:
        node = self._nodes
        self._visits[node] = 0
        self._total[node] = 0
        self._mean[node] = UNVISITED
        self._slack[node] = 0
        self._action[node] = action
        self._first[node] = 0
        self._nodes = node + 1

    def _reserve(self, more: i64) -> None:
        """Make room for so many further nodes."""
        if self._nodes + more > len(self._visits):
            size: i64 = 2 * (self._nodes + more) + 1024
            self._visits = longer(self._visits, size)
            self._total = longer(self._total, size)
            self._mean = longer(self._mean, size)
            self._slack = longer(self._slack, size)
            self._action = longer(self._action, size)
            self._first = longer(self._first, size)
            self._count = longer(self._count, size)
            self._mover = longer(self._mover, size)

    def _prepare(self, sims: i64) -> None:
        """Tables for up to `sims` visits."""
        n: i64 = len(self._share)
        while n <= sims:
            self._share = append(self._share, (SCALE * SCALE) // n)
            self._bonus = append(self._bonus, int(SCALE / sqrt(float(n))))
            self._drive = append(self._drive, int(SCALE * self.c * sqrt(log(float(n)))))
            n += 1

    def _child(self, action: i64) -> i64:
        """The root's child for an action, or 0."""
        if self._nodes == 0:
            return 0
        node = self._first[0]
        end: i64 = node + self._count[0]
        while node < end:
            if self._action[node] == action:
                return node
            node += 1
        return 0

    def _best(self) -> i64:
        best = self._first[0]
        end: i64 = best + self._count[0]
        node: i64 = best + 1
        while node < end:
            ahead: i64 = self._visits[node] - self._visits[best]
            if ahead == 0:
                ahead = self._mean[node] - self._mean[best]
            if ahead == 0:
                ahead = self._action[best] - self._action[node]
            if ahead > 0:
                best = node
            node += 1
        return self._action[best]


def longer(old: vec[i64], size: i64) -> vec[i64]:
    """A copy of `old` with room for `size` items."""
    new = vec[i64]([0] * size)
    i: i64 = 0
    while i < len(old):
        new[i] = old[i]
        i += 1
    return new
