"""UCT: Monte-Carlo tree search with the UCB1 rule and random playouts, over any open Game and number of seats.

Kocsis and Szepesvári, "Bandit based Monte-Carlo planning" (ECML 2006). A path of actions leads to one position
here: what is hidden or left to chance is taken to be as the given position has it, dice to come included, so
whoever calls settles it first (`View.sample`). One settled world searched like that cheats itself; `Ismcts`
and `Pimc` are for such games.

The children of a node lie side by side. They are made at the node's second visit, all at once.
"""

from typing import final

from librt.vecs import vec
from mypy_extensions import i64, mypyc_attr

from engine.core import Game
from engine.rng import Rng
from engine.search.tree import MOST_NODES, NEVER, UNVISITED, Tree, longer


@final
@mypyc_attr(acyclic=True)
class Uct(Tree):
    """One tree, which may be kept from move to move."""

    def __init__(self, c: float = 1.4, limit: int = MOST_NODES) -> None:
        """`c` weighs exploration, in units of value; a tree of `limit` nodes takes no more children."""
        super().__init__(c, limit)
        self._kept = False  # whether `advance` prepared the tree for the next search
        self._action: vec[i64] = vec[i64]()
        self._first: vec[i64] = vec[i64]()  # first child; 0 = not expanded
        self._count: vec[i64] = vec[i64]()
        self._mover: vec[i64] = vec[i64]()  # the seat to move, once expanded

    def advance(self, action: i64) -> i64:
        """Keep of the tree what lies below that action of the root; return the visits kept.

        The next search goes on from there, and must be given the position that the action led to; its
        simulations come on top. May be called once per move played since. 0: that action was hardly looked
        at, and the next search starts afresh, as does every search that no `advance` came before.
        """
        node = self._child(action)
        if node == 0 or self._first[node] == 0:
            self._nodes = 0
            return 0
        self._kept = True
        self._compact(node)
        return self._visits[0]

    def _plant(self, root: Game, rng: Rng) -> None:
        if self._kept and self._nodes > 0:
            self._kept = False
            return
        self._kept = False
        self._nodes = 0
        self._reserve(1)
        self._add(0)
        self._expand(0, root, rng)

    def _descend(self, trial: Game, rng: Rng) -> i64:
        visits = self._visits
        mean = self._mean
        slack = self._slack
        first = self._first
        count = self._count
        action = self._action
        mover = self._mover
        drive = self._drive
        path = self._path
        movers = self._movers
        tabulated: i64 = len(drive)
        node: i64 = 0
        depth: i64 = 1
        while True:
            start = first[node]
            n: i64 = visits[node]
            if start == 0:
                if n == 0 or trial.current_player() < 0 or self._nodes >= self._limit:
                    return depth
                self._expand(node, trial, rng)
                visits = self._visits
                mean = self._mean
                slack = self._slack
                first = self._first
                count = self._count
                action = self._action
                mover = self._mover
                start = first[node]
            end: i64 = start + count[node]
            push: i64 = drive[n] if n < tabulated else self._push(n)
            best: i64 = start
            most: i64 = NEVER
            child: i64 = start
            while child < end:
                score: i64 = mean[child] + ((push * slack[child]) >> 20)
                if score > most:
                    most = score
                    best = child
                child += 1
            movers[depth] = mover[node]
            node = best
            trial.step(action[node])
            path[depth] = node
            depth += 1

    def _expand(self, node: i64, game: Game, rng: Rng) -> None:
        """Give a node its children, from a random one on, so that no action is always tried first."""
        ids = self._ids
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
            most: i64 = self._limit + more
            if size > most and most >= self._nodes + more:
                size = most
            self._widen(size)
            self._action = longer(self._action, size)
            self._first = longer(self._first, size)
            self._count = longer(self._count, size)
            self._mover = longer(self._mover, size)

    def _child(self, action: i64) -> i64:
        if self._nodes == 0:
            return 0
        node = self._first[0]
        end: i64 = node + self._count[0]
        while node < end:
            if self._action[node] == action:
                return node
            node += 1
        return 0

    def _compact(self, root: i64) -> None:
        """Move what hangs on a node to the front, in the order it was made in: children follow parents."""
        place = vec[i64]([-1] * self._nodes)  # where each node goes; -2: it stays in the tree
        place[root] = -2
        to: i64 = 0
        node: i64 = root
        while node < self._nodes:
            if place[node] == -2:
                child = self._first[node]
                end: i64 = child + self._count[node] if child else child
                while child < end:
                    place[child] = -2
                    child += 1
                self._move(node, to)
                place[node] = to
                to += 1
            node += 1
        self._nodes = to
        node = 0
        while node < to:
            if self._first[node]:
                self._first[node] = place[self._first[node]]
            node += 1

    def _move(self, node: i64, to: i64) -> None:
        self._visits[to] = self._visits[node]
        self._total[to] = self._total[node]
        self._mean[to] = self._mean[node]
        self._slack[to] = self._slack[node]
        self._action[to] = self._action[node]
        self._first[to] = self._first[node]
        self._count[to] = self._count[node]
        self._mover[to] = self._mover[node]
