"""PIMC: perfect-information Monte Carlo. UCT in each of several worlds, and the visits added up.

Ginsberg's way at Bridge ("GIB: Imperfect information in a computationally challenging game", JAIR 14, 2001),
with UCT in place of an exact solver. Every world is a draw of all that the seat to move cannot know
(`Game.determinize`), searched as if it were known. Its weakness is strategy fusion: the trees plan with what
nobody will know (Frank and Basin, "Search in games with incomplete information", Artificial Intelligence 100,
1998) and so overrate putting a decision off; `Ismcts` is the other way. Left out: more weight for worlds that
explain what others did.
"""

from time import perf_counter
from typing import Final, final

from librt.vecs import vec
from mypy_extensions import i64, mypyc_attr

from engine.core import VALUE_ONE, Game
from engine.rng import Rng
from engine.search.tree import check_question
from engine.search.uct import Uct

WORLDS: Final = 20
INSTANT: Final = 1e-9  # seconds: a world's share of the clock where nothing is left of it


@final
@mypyc_attr(acyclic=True)
class Pimc:
    """Asked and answering as a tree is, over the sum of its worlds."""

    def __init__(self, c: float = 1.4, worlds: int = WORLDS) -> None:
        """`c` from 0 to 100 weighs exploration, in units of value. ValueError for others, and for no worlds."""
        if worlds < 1:
            raise ValueError(f"expected at least 1 world, got {worlds}")
        self.simulations: i64 = 0  # of the last search, over all worlds
        self._worlds: i64 = worlds
        self._tree = Uct(c)
        self._choices: vec[i64] = vec[i64]()  # the legal actions at the root, rising
        self._visits: vec[i64] = vec[i64]()  # of each of them
        self._total: vec[i64] = vec[i64]()  # and the sum of its values

    def search(self, game: Game, sims: i64, rng: Rng, milliseconds: i64 = 0) -> i64:
        """As `Tree.search`; the budget is that of all worlds together, in equal shares.

        Fewer simulations than worlds make fewer worlds, and so does a clock that has run out.
        """
        check_question(game, sims, milliseconds)
        began = perf_counter()
        self._begin(game)
        world = game.clone()
        worlds: i64 = sims if 0 < sims < self._worlds else self._worlds
        i: i64 = 0
        while i < worlds:
            share: i64 = sims * (i + 1) // worlds - sims * i // worlds
            left = 0.0
            if milliseconds > 0:
                left = float(milliseconds * (i + 1)) / float(1000 * worlds) - (perf_counter() - began)
                if i == 0 and left < INSTANT:
                    left = INSTANT  # for `spend` 0.0 is no clock at all
            if milliseconds < 1 or left > 0.0:
                world.copy_from(game)
                world.determinize(game.current_player(), rng)
                self._tree.spend(world, share, rng, left)
                self._add()
            i += 1
        return self._best()

    def visits(self, action: i64) -> i64:
        """How often that action was tried at the roots; 0 for an action that was not legal there."""
        at = self._at(action)
        return self._visits[at] if at >= 0 else 0

    def value(self, action: i64) -> float:
        """The mean `Game.value` of the mover after that action, in [-1, 1]; 0.0 when never tried."""
        at = self._at(action)
        if at < 0 or self._visits[at] == 0:
            return 0.0
        return float(self._total[at]) / float(self._visits[at]) / VALUE_ONE

    def _begin(self, game: Game) -> None:
        ids = vec[i64]([0] * game.num_actions())
        count = game.legal_into(ids)
        self._choices = ids[:count]
        self._visits = vec[i64]([0] * count)
        self._total = vec[i64]([0] * count)
        self.simulations = 0

    def _add(self) -> None:
        """What the tree says of one world."""
        i: i64 = 0
        while i < len(self._choices):
            action = self._choices[i]
            self._visits[i] += self._tree.visits(action)
            self._total[i] += self._tree.total(action)
            i += 1
        self.simulations += self._tree.simulations

    def _at(self, action: i64) -> i64:
        i: i64 = 0
        while i < len(self._choices):
            if self._choices[i] == action:
                return i
            i += 1
        return -1

    def _best(self) -> i64:
        best: i64 = 0
        i: i64 = 1
        while i < len(self._choices):
            ahead: i64 = self._visits[i] - self._visits[best]
            if ahead == 0 and self._visits[i] > 0:
                ahead = self._total[i] // self._visits[i] - self._total[best] // self._visits[best]
            if ahead > 0:
                best = i
            i += 1
        return self._choices[best]
