"""ISMCTS: one tree over what the root's seat knows, a world of its own for every simulation.

Single-observer information-set Monte-Carlo tree search: Cowling, Powley and Whitehouse, "Information set Monte
Carlo tree search" (IEEE T-CIAIG 4, 2012), algorithm 1. Before each simulation all that the seat at the root
cannot know is drawn anew (`Game.determinize`). A node stands for a sequence of actions; of its children only
those whose action is legal in this world take part, and UCB1 counts for each how often it did (a subset-armed
bandit). A seat thus cannot choose by cards that it does not see, as it does when every world has a tree of its
own (`Pimc`, strategy fusion).

The same tree serves open games whose chance lies ahead: dice are drawn anew like hidden cards, and choices
after a throw are made for its average (open loop). Left out: moves of others that the root's seat does not
see. A node tells them apart all the same, so that in games which hide moves (`Game.move_as_seen`) the seat's
later choices know too much. Worlds are as likely as `determinize` draws them: nothing is read from how others
bid or played.
"""

from typing import Final, final

from librt.vecs import vec
from mypy_extensions import i64, mypyc_attr

from engine.core import Game
from engine.rng import Rng
from engine.search.tree import MOST_NODES, NEVER, Tree, longer

DRAWS: Final = 8  # in which chance that lies ahead should show


@final
@mypyc_attr(acyclic=True)
class Ismcts(Tree):
    """One tree; a simulation adds at most one node to it. Children are found by hashing parent and action."""

    def __init__(self, c: float = 1.4, limit: int = MOST_NODES) -> None:
        """`c` weighs exploration, in units of value; a tree of `limit` nodes takes no more."""
        super().__init__(c, limit)
        self._seat: i64 = 0  # whose knowledge it is
        self._seen: vec[i64] = vec[i64]()  # how often the node could have been chosen
        self._keys: vec[i64] = vec[i64]()  # open addressing: parent * 65536 + action + 1, or 0
        self._kids: vec[i64] = vec[i64]()  # and the child

    def counts(self, line: list[int]) -> tuple[int, int]:
        """Of the node after those actions: its visits, and how often it was there to be chosen.

        (0, 0) for a line that was never tried.
        """
        node: i64 = 0
        if self._nodes == 0:
            return 0, 0
        for action in line:
            a: i64 = action
            node = self._find(node, a)
            if node == 0:
                return 0, 0
        return int(self._visits[node]), int(self._seen[node])

    def _plant(self, root: Game, rng: Rng) -> None:
        self._seat = root.current_player()
        self._keys = vec[i64]([0] * 1024)
        self._kids = vec[i64]([0] * 1024)
        self._nodes = 0
        self._add()

    def _descend(self, trial: Game, rng: Rng) -> i64:
        trial.determinize(self._seat, rng)
        ids = self._ids
        path = self._path
        movers = self._movers
        node: i64 = 0
        depth: i64 = 1
        while True:
            mover = trial.current_player()
            if mover < 0:
                return depth
            movers[depth] = mover
            count = trial.legal_into(ids)
            best: i64 = 0
            action: i64 = 0
            most: i64 = NEVER
            untried: i64 = 0
            i: i64 = 0
            while i < count:
                child = self._find(node, ids[i])
                if child == 0:
                    ids[untried] = ids[i]
                    untried += 1
                else:
                    seen: i64 = self._seen[child] + 1
                    self._seen[child] = seen
                    score: i64 = self._mean[child] + ((self._push(seen) * self._slack[child]) >> 20)
                    if score > most:
                        most = score
                        best = child
                        action = ids[i]
                i += 1
            if untried > 0:
                if self._nodes >= self._limit:
                    return depth
                action = ids[rng.below(untried)]
                path[depth] = self._adopt(node, action)
                trial.step(action)
                return depth + 1
            node = best
            trial.step(action)
            path[depth] = node
            depth += 1

    def _adopt(self, parent: i64, action: i64) -> i64:
        """A new node, the child of `parent` for that action."""
        if 2 * self._nodes >= len(self._keys):
            self._rehash(2 * len(self._keys))
        child = self._add()
        self._enter((parent << 16) + action + 1, child)
        return child

    def _add(self) -> i64:
        node = self._nodes
        if node == len(self._visits):
            size: i64 = 2 * node + 1024
            if size > self._limit > node:
                size = self._limit
            self._widen(size)
            self._seen = longer(self._seen, size)
        self._visits[node] = 0
        self._total[node] = 0
        self._seen[node] = 1
        self._nodes = node + 1
        return node

    def _child(self, action: i64) -> i64:
        return self._find(0, action) if self._nodes > 0 else 0

    def _find(self, parent: i64, action: i64) -> i64:
        """The child of a node for an action, or 0."""
        keys = self._keys
        mask: i64 = len(keys) - 1
        key: i64 = (parent << 16) + action + 1
        slot: i64 = place(key) & mask
        while keys[slot] != 0:
            if keys[slot] == key:
                return self._kids[slot]
            slot = (slot + 1) & mask
        return 0

    def _enter(self, key: i64, child: i64) -> None:
        mask: i64 = len(self._keys) - 1
        slot: i64 = place(key) & mask
        while self._keys[slot] != 0:
            slot = (slot + 1) & mask
        self._keys[slot] = key
        self._kids[slot] = child

    def _rehash(self, size: i64) -> None:
        keys = self._keys
        kids = self._kids
        self._keys = vec[i64]([0] * size)
        self._kids = vec[i64]([0] * size)
        i: i64 = 0
        while i < len(keys):
            if keys[i] != 0:
                self._enter(keys[i], kids[i])
            i += 1


def place(key: i64) -> i64:
    """Where to look for a key first: its halves, each spread by an odd factor, below 2**63."""
    return ((key >> 16) * 0x9E3779B1 + (key & 0xFFFF) * 0x85EBCA77) >> 15


def unknown_ahead(game: Game) -> bool:
    """Whether the seat to move cannot know all that is to come: something is hidden, or chance lies ahead.

    Chance shows in `Game.determinize`: drawing it anew changes the position. Not in every draw: whoever made the
    position may have drawn it by the same seed, and a single coin comes out alike half of the time.
    """
    if game.hidden_information():
        return True
    position = game.position_bytes()
    other = game.clone()
    rng = Rng(0)
    for _ in range(DRAWS):
        other.determinize(game.current_player(), rng)
        if other.position_bytes() != position:
            return True
    return False
