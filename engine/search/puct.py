"""PUCT: the tree that asks a network, over any open Game and number of seats.

The rule is AlphaZero's (Silver et al., Science 2018, supplementary pseudocode): at a node visited N times, take the
action with the largest Q + U, U = (c + ln((1 + N + C_BASE) / C_BASE)) * P * sqrt(N) / (1 + n), where P is the
network's prior, n and Q visits and mean value of the action; Q is 0 before the first visit.

A tree hands out leaves in batches (`select`) and takes back priors and values (`update`). Leaves of one batch
differ because an action waiting for its value counts as tried and lost (virtual loss). A `PuctForest` lets
many trees share one call of the network.

As in uct.py every number in a tree is an integer (units of 2**-20), so that compiled and plain Python choose
alike; what the network says is rounded once. Root noise is drawn with sqrt, log and pow of the platform's
libm, which both use too; where a compiler fuses products into sums (ARM) its last bit may differ, before it
is rounded. Left out: hidden information and chance (settle them first, `View.sample`), and networks.
"""

from importlib import import_module
from math import isfinite, log, sqrt
from typing import Any, Final, final

from librt.vecs import append, vec
from mypy_extensions import i32, i64, mypyc_attr, u8

from engine.bits import put_flags, put_floats
from engine.core import VALUE_ONE, Game
from engine.rng import Rng
from engine.search.tree import MOST_C, NEVER, longer
from engine.vector import window

ONE: Final = 1 << 20  # the unit of priors and values
C_BASE: Final = 19652.0
SLACK: Final = 1.001  # a value this far beyond 1 is rounding, and is cut; more is an error


@final
class Leaves:
    """Positions that wait for a network: `count` rows of arrays that the next `select` fills anew."""

    def __init__(self, game: Game, capacity: int) -> None:
        """Room for `capacity` positions of games of that kind."""
        self._capacity: i64 = capacity
        self._size: i64 = game.observation_size()
        self._width: i64 = game.num_actions()
        self._players: i64 = game.num_players()
        self._paired: bool = game.zero_sum() and game.num_players() == 2
        self._observations: vec[i32] = vec[i32]([0] * (self._capacity * self._size))
        self._masks: vec[u8] = vec[u8]([0] * (self._capacity * self._width))
        self._seen: vec[i32] = vec[i32]([0] * self._size)
        self._mask: vec[u8] = vec[u8]([0] * self._width)
        self._seats: vec[i64] = vec[i64]([0] * self._capacity)
        self._count: i64 = 0
        self._open: bool = False  # whether these rows still wait for `update`

    def _begin(self) -> None:
        self._count = 0
        self._open = True

    def _add(self, game: Game) -> None:
        row = self._count
        seat = game.current_player()
        game.observe_into(seat, self._seen)
        game.mask_into(self._mask)
        put_floats(self._seen, self._observations, row * self._size)
        put_flags(self._mask, self._masks, row * self._width)
        self._seats[row] = seat
        self._count = row + 1

    @property
    def count(self) -> int:
        """How many positions; it may be 0, when all simulations met the end of the game."""
        return self._count

    @property
    def observations(self) -> Any:
        """float32 [count, observation_size]: what the seat to move sees."""
        return window(self._observations, "<f4", (self._capacity, self._size))[: self._count]

    @property
    def masks(self) -> Any:
        """bool [count, num_actions]: its legal actions."""
        return window(self._masks, "|b1", (self._capacity, self._width))[: self._count]

    @property
    def seats(self) -> Any:
        """int64 [count]: that seat."""
        return window(self._seats, "<i8", (self._capacity,))[: self._count]

    def _read(self, priors: object, values: object) -> "Judgement":
        """Check what a network said of all rows, and put it in the tree's units. ValueError."""
        width = self._width
        count = self._count
        said = floats("priors", priors, [(count, width)])
        shapes: list[tuple[int, ...]] = [(count, self._players)]
        if self._paired:
            shapes.append((count,))
        told = floats("values", values, shapes)
        single = len(told) < count * self._players
        out = Judgement(vec[i64]([0] * (count * width)), vec[i64]([0] * (count * self._players)))
        row: i64 = 0
        while row < count:
            share_out(said, self._masks, row, width, out.priors)
            seat: i64 = 0
            while seat < self._players:
                at: i64 = row * self._players + seat
                if single:
                    value = told[row]
                    out.values[at] = in_units(value if seat == self._seats[row] else -value)
                else:
                    out.values[at] = in_units(told[at])
                seat += 1
            row += 1
        return out


@final
class Judgement:
    """What a network said, row by row in units of 1 / ONE: priors of all actions, values of all seats."""

    def __init__(self, priors: vec[i64], values: vec[i64]) -> None:
        self.priors = priors
        self.values = values


@final
@mypyc_attr(acyclic=True)
class Puct:
    """One tree.

    tree = Puct(engine.new("connect4"), seed=1, alpha=1.0)
    while tree.simulations() < 800:
        leaves = tree.select(16)
        tree.update(*network(leaves.observations, leaves.masks))
    tree.advance(tree.choose(rng, temperature=1.0))
    """

    def __init__(
        self, game: Game, seed: int = 0, c: float = 1.25, alpha: float = 0.0, epsilon: float = 0.25
    ) -> None:
        """A tree that begins at `game`, which is copied. ValueError for hidden information and odd numbers.

        `c`, at most 100, weighs exploration. `alpha` > 0 mixes Dirichlet(alpha) noise into the root's priors, a
        share of `epsilon`; AlphaZero took alpha of about 10 / (usual number of legal actions).
        """
        if game.hidden_information():
            raise ValueError(
                f"{game.name()} hides information; a tree needs an open position: take a sample of a view"
            )
        if not (0 < c <= MOST_C and isfinite(alpha) and alpha >= 0 and 0 <= epsilon <= 1):
            raise ValueError(
                f"expected c > 0 and at most {MOST_C:g}, alpha >= 0 and epsilon from 0 to 1, "
                f"got {c}, {alpha} and {epsilon}"
            )
        self._c = c
        self._alpha = alpha
        self._epsilon = epsilon
        self._rng = Rng(seed)
        self._game = game.clone()
        self._game.forget_history()
        self._trial = self._game.clone()
        self._ids: vec[i64] = vec[i64]([0] * game.num_actions())
        self._paid: vec[i64] = vec[i64]([0] * game.num_players())
        self._leaves = Leaves(game, 1)
        self._waiting: vec[i64] = vec[i64]()  # the leaves handed out, in order
        self._drive: vec[i64] = vec[i64]([0])  # by a node's visits N: ONE * (c + ln(...)) * sqrt(N)
        self._share: vec[i64] = vec[i64]([0])  # by visits n: 2**40 / n
        self._visits: vec[i64] = vec[i64]()
        self._virtual: vec[i64] = vec[i64]()  # simulations through the node that wait for their value
        self._total: vec[i64] = vec[i64]()  # values for the seat that moved into the node
        self._prior: vec[i64] = vec[i64]()
        self._action: vec[i64] = vec[i64]()
        self._parent: vec[i64] = vec[i64]()
        self._first: vec[i64] = vec[i64]()  # first child; 0 = not expanded
        self._count: vec[i64] = vec[i64]()
        self._mover: vec[i64] = vec[i64]()  # the seat to move, once expanded
        self._nodes: i64 = 0
        self._plant()

    def restart(self, game: Game) -> None:
        """Begin anew at another position of the same game; the tree's stream of noise goes on.

        ValueError for another game or variant, RuntimeError when leaves are still out.
        """
        self._no_leaves_out()
        if game.name() != self._game.name() or game.variant() != self._game.variant():
            raise ValueError(
                f"this tree is of {self._game.name()} {self._game.variant()}, got {game.name()} "
                f"{game.variant()}; make a new tree"
            )
        self._game.copy_from(game)
        self._plant()

    def is_terminal(self) -> bool:
        """Whether the game is over at the root."""
        return self._game.current_player() < 0

    def current_player(self) -> int:
        """The seat to move at the root, -1 when over."""
        return self._game.current_player()

    def returns(self) -> list[float]:
        """The payoffs at the root; zeros before the end."""
        return self._game.returns()

    def simulations(self) -> int:
        """How often the root was visited, in earlier positions' searches too."""
        return self._visits[0]

    def select(self, k: int) -> Leaves:
        """Run up to `k` simulations; return the leaves that need the network, for `update`.

        A simulation that meets the end of the game is done at once; one that meets a leaf already handed out
        is dropped. So there are at most `k` leaves, and there may be none. RuntimeError when leaves are still
        out, ValueError when the game is over or `k` is below 1.
        """
        self._may_search(k)
        if k > self._leaves._capacity:
            self._leaves = Leaves(self._game, k)
        self._leaves._begin()
        self._select_into(self._leaves, k)
        return self._leaves

    def update(self, priors: object, values: object) -> None:
        """Give the leaves of the last `select` their priors and values, in the same order.

        `priors` [m, num_actions]: probabilities, >= 0; the part on illegal actions is dropped, the rest scaled
        to 1. `values` [m, num_players] in [-1, 1], by seat; or [m], of the seat to move, for two seats and
        zero sum. ValueError for other shapes, what is not finite, and no weight on legal actions: nothing changed.
        """
        if not self._leaves._open or len(self._waiting) != self._leaves._count:
            raise RuntimeError("no leaves of this tree wait for values: select first, or update its forest")
        self._take(self._leaves._read(priors, values), 0)
        self._leaves._open = False

    def visits(self) -> Any:
        """int64 [num_actions]: how often each action was tried at the root."""
        numpy: Any = import_module("numpy")
        return numpy.array(self._root_visits(), numpy.int64)

    def policy(self, temperature: float = 1.0) -> Any:
        """float64 [num_actions]: visits ** (1 / temperature), summing to 1; at 0 all on the best action."""
        numpy: Any = import_module("numpy")
        weights = numpy.array(self._weights(temperature))
        return weights / weights.sum()

    def choose(self, rng: Rng, temperature: float = 1.0) -> int:
        """An action drawn by `policy(temperature)`; at 0 the most visited, then by value, then by id."""
        weights = self._weights(temperature)
        left = rng.uniform() * sum(weights)
        last = 0
        for action, weight in enumerate(weights):
            if weight > 0.0:
                last = action
                left -= weight
                if left < 0.0:
                    break
        return last

    def value(self) -> float:
        """The mean for the seat to move of all simulations beyond the root, in [-1, 1]; 0.0 before the first."""
        visits: i64 = 0
        total: i64 = 0
        node = self._first[0]
        end: i64 = node + self._count[0]
        while node < end:
            visits += self._visits[node]
            total += self._total[node]
            node += 1
        return float(total) / float(visits) / ONE if visits > 0 else 0.0

    def advance(self, action: int) -> None:
        """Play an action at the root and keep what the tree knows of its consequences.

        IllegalAction: refused, nothing changed. RuntimeError when leaves are still out.
        """
        self._no_leaves_out()
        self._game.apply(action)
        self._game.forget_history()
        node = self._first[0]
        end: i64 = node + self._count[0]
        while node < end:
            if self._action[node] == action:
                break
            node += 1
        if node == end or self._first[node] == 0:
            self._plant()
        else:
            self._keep(node)
            self._add_noise()

    def _select_into(self, leaves: Leaves, k: i64) -> None:
        self._prepare(self._visits[0] + k + 1)
        met = vec[i64]()
        trial = self._trial
        tries: i64 = 0
        while tries < k:
            trial.copy_from(self._game)
            node = self._descend(trial)
            if trial.current_player() < 0:
                self._pay(trial)
                self._back_up(node, self._paid, 0)
            else:
                self._suppose_lost(node, 1)
                if self._first[node] > 0:
                    met = append(met, node)  # repels the next ones until the end of this call
                else:
                    self._expand(node, trial)
                    leaves._add(trial)
                    self._waiting = append(self._waiting, node)
            tries += 1
        i: i64 = 0
        while i < len(met):
            self._suppose_lost(met[i], -1)
            i += 1

    def _take(self, said: Judgement, row: i64) -> None:
        """Take the judgement of the leaves handed out, which begins at that row."""
        players: i64 = len(self._paid)
        width: i64 = len(self._ids)
        waiting = self._waiting
        self._waiting = vec[i64]()
        i: i64 = 0
        while i < len(waiting):
            node = waiting[i]
            child = self._first[node]
            end: i64 = child + self._count[node]
            while child < end:
                self._prior[child] = said.priors[(row + i) * width + self._action[child]]
                child += 1
            self._suppose_lost(node, -1)
            self._back_up(node, said.values, (row + i) * players)
            if node == 0:
                self._add_noise()
            i += 1

    def _descend(self, trial: Game) -> i64:
        """Walk `trial` by the rule to a leaf: the end, or a node without priors."""
        visits = self._visits
        virtual = self._virtual
        total = self._total
        prior = self._prior
        first = self._first
        share = self._share
        node: i64 = 0
        while visits[node] > 0 and first[node] > 0:
            push = self._drive[visits[node] + virtual[node]]
            best: i64 = 0
            most: i64 = NEVER
            child = first[node]
            end: i64 = child + self._count[node]
            while child < end:
                lost = virtual[child]
                n: i64 = visits[child] + lost
                # Shifted first, or the product would pass 63 bits.
                score: i64 = (((push * prior[child]) >> 20) * (share[n + 1] >> 14)) >> 26
                if n > 0:
                    score += ((total[child] - lost * ONE) * share[n]) >> 40
                if score > most:
                    most = score
                    best = child
                child += 1
            node = best
            trial.step(self._action[node])
        return node

    def _pay(self, over: Game) -> None:
        seat: i64 = 0
        while seat < len(self._paid):
            self._paid[seat] = over.value(seat) * ONE // VALUE_ONE
            seat += 1

    def _back_up(self, leaf: i64, values: vec[i64], base: i64) -> None:
        """Count a visit from the leaf to the root; values[base + seat] is what a seat got."""
        node = leaf
        while node > 0:
            parent = self._parent[node]
            self._visits[node] += 1
            self._total[node] += values[base + self._mover[parent]]
            node = parent
        self._visits[0] += 1

    def _suppose_lost(self, leaf: i64, times: i64) -> None:
        """Add virtual losses from the leaf to the root, or take them away."""
        node = leaf
        while node > 0:
            self._virtual[node] += times
            node = self._parent[node]
        self._virtual[0] += times

    def _expand(self, node: i64, game: Game) -> None:
        """Give a node its children, still without priors."""
        ids = self._ids
        n = game.legal_into(ids)
        self._reserve(n)
        self._first[node] = self._nodes
        self._count[node] = n
        self._mover[node] = game.current_player()
        i: i64 = 0
        while i < n:
            self._add(node, ids[i])
            i += 1

    def _add(self, parent: i64, action: i64) -> None:
        node = self._nodes
        self._visits[node] = 0
        self._virtual[node] = 0
        self._total[node] = 0
        self._prior[node] = 0
        self._action[node] = action
        self._parent[node] = parent
        self._first[node] = 0
        self._count[node] = 0
        self._nodes = node + 1

    def _plant(self) -> None:
        """A tree of the root alone."""
        self._nodes = 0
        self._reserve(1)
        self._add(0, 0)

    def _keep(self, root: i64) -> None:
        """Make an expanded node the root; it and all below move to the front, the rest is forgotten."""
        old = vec[i64]([root])  # where node i of the new tree stood
        i: i64 = 0
        while i < len(old):
            child = self._first[old[i]]
            end: i64 = child + self._count[old[i]]
            while child < end:
                old = append(old, child)
                child += 1
            i += 1
        self._visits = picked(self._visits, old)
        self._virtual = picked(self._virtual, old)
        self._total = picked(self._total, old)
        self._prior = picked(self._prior, old)
        self._action = picked(self._action, old)
        self._count = picked(self._count, old)
        self._mover = picked(self._mover, old)
        self._first = vec[i64]([0] * len(old))
        self._parent = vec[i64]([0] * len(old))
        self._nodes = len(old)
        i = 0
        next: i64 = 1  # children follow in the order of their parents
        while i < len(old):
            n = self._count[i]
            if n > 0:
                self._first[i] = next
            while n > 0:
                self._parent[next] = i
                next += 1
                n -= 1
            i += 1

    def _add_noise(self) -> None:
        """Mix Dirichlet noise into the root's priors."""
        if self._alpha == 0.0 or self._epsilon == 0.0:
            return
        n: int = self._count[0]
        noise = dirichlet(self._alpha, n, self._rng)
        share: i64 = int(self._epsilon * ONE)
        for i in range(n):
            child: i64 = self._first[0] + i
            drawn: i64 = int(noise[i] * ONE)
            self._prior[child] = (self._prior[child] * (ONE - share) + drawn * share) >> 20

    def _root_visits(self) -> list[int]:
        out = [0] * len(self._ids)
        child = self._first[0]
        end: i64 = child + self._count[0]
        while child < end:
            out[self._action[child]] = self._visits[child]
            child += 1
        return out

    def _weights(self, temperature: float) -> list[float]:
        """Of each action, the largest 1.0. ValueError before any visit, and for a temperature below 0."""
        visits = self._root_visits()
        most = max(visits)
        if most == 0:
            raise ValueError("no action has been tried yet: select and update first")
        if not temperature >= 0.0:
            raise ValueError(f"a temperature is 0 or more, got {temperature}")
        if temperature == 0.0:
            best = self._best()
            return [1.0 if action == best else 0.0 for action in range(len(visits))]
        return [float((n / most) ** (1.0 / temperature)) if n else 0.0 for n in visits]

    def _best(self) -> int:
        best = self._first[0]
        end: i64 = best + self._count[0]
        node: i64 = best + 1
        while node < end:
            ahead: i64 = self._visits[node] - self._visits[best]
            if ahead == 0:
                ahead = self._total[node] - self._total[best]
            if ahead > 0:
                best = node
            node += 1
        return self._action[best]

    def _may_search(self, k: int) -> None:
        at_least_one(k)
        self._no_leaves_out()
        if self.is_terminal():
            raise ValueError(f"this game of {self._game.name()} is over: there is nothing to search")

    def _no_leaves_out(self) -> None:
        if len(self._waiting) > 0:
            raise RuntimeError(f"{len(self._waiting)} leaves wait for their values: update first")

    def _reserve(self, more: i64) -> None:
        """Make room for so many further nodes."""
        if self._nodes + more > len(self._visits):
            size: i64 = 2 * (self._nodes + more) + 64
            self._visits = longer(self._visits, size)
            self._virtual = longer(self._virtual, size)
            self._total = longer(self._total, size)
            self._prior = longer(self._prior, size)
            self._action = longer(self._action, size)
            self._parent = longer(self._parent, size)
            self._first = longer(self._first, size)
            self._count = longer(self._count, size)
            self._mover = longer(self._mover, size)

    def _prepare(self, visits: i64) -> None:
        """Tables for up to that many visits, with virtual losses."""
        n: i64 = len(self._share)
        while n <= visits + 1:
            self._share = append(self._share, (ONE * ONE) // n)
            growth = self._c + log((1.0 + float(n) + C_BASE) / C_BASE)
            self._drive = append(self._drive, int(ONE * growth * sqrt(float(n))))
            n += 1


@final
class PuctForest:
    """Trees that share one call of the network: `select` gathers the leaves of all, `update` gives them back.

    Each tree has its own stream of noise, so that its play does not depend on the others. What is over is
    skipped; `restart` of a tree begins its next match.
    """

    def __init__(self, trees: list[Puct]) -> None:
        """Distinct trees over games of equal sizes. ValueError."""
        if not trees or len({id(tree) for tree in trees}) < len(trees):
            raise ValueError("a forest needs one or more distinct trees")
        for tree in trees:
            if shape(tree._game) != shape(trees[0]._game):
                raise ValueError(
                    f"trees of a forest must agree in sizes; {trees[0]._game.name()} has "
                    f"{shape(trees[0]._game)}, {tree._game.name()} has {shape(tree._game)}"
                )
        self.trees = tuple(trees)
        self._leaves = Leaves(trees[0]._game, len(trees))

    def select(self, k: int) -> Leaves:
        """Up to `k` simulations in every tree whose game is not over.

        RuntimeError when leaves are still out, ValueError when `k` is below 1.
        """
        at_least_one(k)
        for tree in self.trees:
            tree._no_leaves_out()
        if k * len(self.trees) > self._leaves._capacity:
            self._leaves = Leaves(self.trees[0]._game, k * len(self.trees))
        self._leaves._begin()
        for tree in self.trees:
            if not tree.is_terminal():
                tree._select_into(self._leaves, k)
        return self._leaves

    def update(self, priors: object, values: object) -> None:
        """As `Puct.update`, for the leaves of all trees."""
        waiting = sum([len(tree._waiting) for tree in self.trees])
        if not self._leaves._open or waiting != self._leaves._count:
            raise RuntimeError("no leaves of this forest wait for values: select first, or update its trees")
        said = self._leaves._read(priors, values)
        row: i64 = 0
        for tree in self.trees:
            more: i64 = len(tree._waiting)
            tree._take(said, row)
            row += more
        self._leaves._open = False


def at_least_one(k: int) -> None:
    """ValueError unless `k` simulations are some: a loop up to so many visits would never end."""
    if k < 1:
        raise ValueError(f"expected at least 1 simulation to select, got {k}")


def shape(game: Game) -> tuple[object, ...]:
    """What games of one forest must agree in."""
    return (game.num_players(), game.num_actions(), game.observation_size(), game.zero_sum())


def picked(items: vec[i64], where: vec[i64]) -> vec[i64]:
    """The items at those places, in that order."""
    out = vec[i64]([0] * len(where))
    i: i64 = 0
    while i < len(where):
        out[i] = items[where[i]]
        i += 1
    return out


def floats(what: str, given: object, shapes: list[tuple[int, ...]]) -> vec[float]:
    """An array of one of these shapes, flat. ValueError for other shapes and for what is not finite."""
    numpy: Any = import_module("numpy")
    array = numpy.asarray(given, dtype=numpy.float64)
    if array.shape not in shapes:
        expected = " or ".join([str(list(shape)) for shape in shapes])
        raise ValueError(f"{what} must be of shape {expected}, got {list(array.shape)}")
    if not numpy.isfinite(array).all():
        raise ValueError(f"{what} must be finite, got {array[~numpy.isfinite(array)][0]}")
    if what == "values" and (numpy.abs(array) > SLACK).any():
        raise ValueError(f"values must be from -1 to 1, got {array[numpy.abs(array) > SLACK][0]}")
    if what == "priors" and (array < 0).any():
        raise ValueError(f"priors must be probabilities, not logits: got {array[array < 0][0]}")
    return vec[float](numpy.ascontiguousarray(array).reshape(-1))


def share_out(said: vec[float], mask: vec[u8], row: i64, width: i64, out: vec[i64]) -> None:
    """Write the priors of a row, on legal actions only and scaled to ONE. ValueError when all are 0."""
    start: i64 = row * width
    end: i64 = start + width
    whole = 0.0
    i = start
    while i < end:
        if mask[i]:
            whole += said[i]
        i += 1
    if not whole > 0.0:
        raise ValueError(
            f"row {row} of the priors has no weight on any legal action; expected a sum above 0, got {whole}"
        )
    i = start
    while i < end:
        if mask[i]:
            out[i] = int(said[i] / whole * ONE)
        i += 1


def in_units(value: float) -> i64:
    """A value in units of 1 / ONE, cut to [-1, 1]."""
    return int(max(-1.0, min(1.0, value)) * ONE)


def dirichlet(alpha: float, n: int, rng: Rng) -> list[float]:
    """n numbers >= 0 with sum 1, drawn from the symmetric Dirichlet distribution."""
    drawn = [gamma(alpha, rng) for _ in range(n)]
    whole = sum(drawn)
    if whole > 0.0:
        return [x / whole for x in drawn]
    chosen: int = rng.below(n)  # a tiny alpha: all rounded to 0, where the law puts all weight on one
    return [1.0 if i == chosen else 0.0 for i in range(n)]


def gamma(alpha: float, rng: Rng) -> float:
    """A draw from the gamma distribution of that shape and scale 1 (Marsaglia & Tsang, ACM TOMS 2000)."""
    boost = 1.0
    if alpha < 1.0:
        boost = (1.0 - rng.uniform()) ** (1.0 / alpha)
        alpha += 1.0
    d = alpha - 1.0 / 3.0
    c = 1.0 / sqrt(9.0 * d)
    while True:
        x = normal(rng)
        v = 1.0 + c * x
        if v > 0.0:
            v = v * v * v
            if log(1.0 - rng.uniform()) < 0.5 * x * x + d - d * v + d * log(v):
                return boost * d * v


def normal(rng: Rng) -> float:
    """A draw from the standard normal distribution (Marsaglia's polar method)."""
    while True:
        x = 2.0 * rng.uniform() - 1.0
        y = 2.0 * rng.uniform() - 1.0
        s = x * x + y * y
        if 0.0 < s < 1.0:
            return x * sqrt(-2.0 * log(s) / s)
