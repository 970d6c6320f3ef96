"""The wall: what a run may spend, and each of its players, however many calls are out at once.

A call reserves its worst case before it leaves and is settled at what it cost once it is back, so that what was
spent and what may still come of the calls in flight never exceed a wall together. A call that does not fit now,
but would if others turned out cheaper than their worst, waits for them; one that cannot fit any more meets the
wall. What was spent before (by an earlier process on the same record) counts from the beginning.

    spent + reserved ≤ wall        always; at the end less than one call's worst case is left unspent

Left out: what a call costs at worst (`providers.prices.most`), and the record, which is the ledger.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

PICO = 10**12  # of a dollar
RUN = 0  # players count from 1: whose wall is the whole run's


def walls(given: Iterable[str], players: Sequence[Collection[str]]) -> dict[int, int]:
    """Walls as a person gives them, in dollars: `5` for the run, `PLAYER=2` for a player, by any of its names.

    By player's number, from 1, and `RUN`: pico-dollars. Raises ValueError.
    """
    found: dict[int, int] = {}
    for text in given:
        name, is_players, amount = text.rpartition("=")
        whose = [number for number, names in enumerate(players, 1) if name in (str(number), *names)]
        if is_players and len(whose) != 1:
            known = ", ".join(sorted({min(names, key=lambda name: (len(name), name)) for names in players}))
            which = "several players are called" if whose else "no player is called"
            raise ValueError(
                f"--max-cost {text}: {which} {name!r}; there are {known}, or use their numbers from 1"
            )
        wall = whose[0] if is_players else RUN
        if wall in found:
            raise ValueError(f"--max-cost {text}: that wall is given twice: leave one of them out")
        found[wall] = _pico(amount, text)
    return found


def names_of(label: str, spec: str, model: str) -> set[str]:
    """What a player may be called where a wall is given: its spec goes with its options or without."""
    return {label, spec, spec.partition("?")[0], model} - {""}


def _pico(amount: str, text: str) -> int:
    try:
        dollars = Decimal(amount.strip().removeprefix("$"))
        if dollars.is_finite() and 0 < dollars < 1_000_000:
            return int(dollars * PICO)
    except InvalidOperation:
        pass
    raise ValueError(f"--max-cost {text}: expected dollars, such as 5 or 0.50, or PLAYER=5 for one player")


class WallReached(Exception):
    """A call's worst case does not fit under a wall any more. `player` is `RUN` where it is the run's wall."""

    def __init__(self, player: int, spent_pico: int, wall_pico: int, worst_pico: int) -> None:
        super().__init__(
            f"${spent_pico / PICO:.4f} of ${wall_pico / PICO:.4f} are spent, and the next call may cost "
            f"${worst_pico / PICO:.4f}"
        )
        self.player = player


class Reservation(NamedTuple):
    player: int
    pico: int


class Budget:
    """`walls` and `spent` are pico-dollars by player, `RUN` for the whole run; whoever has no wall has no bound.

    `spent` needs the players' only: the run's is their sum.
    """

    def __init__(
        self, walls: Mapping[int, int] | None = None, spent: Mapping[int, int] | None = None
    ) -> None:
        self.walls = dict(walls or {})
        self.on_wait: Callable[[], None] = lambda: None  # told whenever somebody begins to wait
        self._spent: Counter[int] = Counter(spent or {})
        self._spent[RUN] = sum((spent or {}).values())
        self._reserved: Counter[int] = Counter()
        self._waiters: dict[asyncio.Future[Reservation], Reservation] = {}  # in the order in which they came
        self._least: float = math.inf  # no waiter asks for less,
        self._most = 0  # and none for more

    @property
    def waiting(self) -> int:
        """How many calls wait for others to turn out cheaper than their worst."""
        return len(self._waiters)

    def spent(self, player: int = RUN) -> int:
        """What was settled, here and before, in pico-dollars."""
        return self._spent[player]

    def reserved(self, player: int = RUN) -> int:
        """The worst of what is out, in pico-dollars."""
        return self._reserved[player]

    async def reserve(self, player: int, worst_pico: int) -> Reservation:
        """Room for a call of `player` that costs at most so much. Raises WallReached; cancelling gives it back."""
        asked = Reservation(player, worst_pico)
        self._check(asked)
        if self._fits(asked):
            return self._take(asked)
        granted: asyncio.Future[Reservation] = asyncio.get_running_loop().create_future()
        self._waiters[granted] = asked
        self._least, self._most = min(self._least, worst_pico), max(self._most, worst_pico)
        self.on_wait()
        try:
            return await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled() and granted.exception() is None:
                self.settle(asked, 0)  # nobody takes it
            raise
        finally:
            self._waiters.pop(granted, None)

    def settle(self, reservation: Reservation, cost_pico: int) -> None:
        """The call is back and cost so much. Not more than was reserved, unless a service breaks its word."""
        for whose in (RUN, reservation.player):
            self._reserved[whose] -= reservation.pico
            self._spent[whose] += cost_pico
        if self._waiters:
            self._look()

    def _take(self, asked: Reservation) -> Reservation:
        for whose in (RUN, asked.player):
            self._reserved[whose] += asked.pico
        return asked

    def _fits(self, asked: Reservation) -> bool:
        return all(
            self._spent[whose] + self._reserved[whose] + asked.pico <= self.walls[whose]
            for whose in (RUN, asked.player)
            if whose in self.walls
        )

    def _check(self, asked: Reservation) -> None:
        """Raises WallReached where it would not fit even if all that is out came back for nothing."""
        for whose in (RUN, asked.player):
            if whose in self.walls and self._spent[whose] + asked.pico > self.walls[whose]:
                raise WallReached(whose, self._spent[whose], self.walls[whose], asked.pico)

    def _look(self) -> None:
        """Who has waited longest is looked at first; a smaller call behind a larger one may pass it.

        Five hundred may wait, and this is done for every call that comes back: it ends where nobody more can fit
        or be beyond a wall.
        """
        gone = []
        for granted, asked in self._waiters.items():
            if not self._concerns_anybody():
                break
            if granted.done() or self._is_decided(granted, asked):
                gone.append(granted)
        else:
            still = [asked.pico for granted, asked in self._waiters.items() if not granted.done()]
            self._least, self._most = min(still, default=math.inf), max(still, default=0)
        for granted in gone:
            del self._waiters[granted]

    def _concerns_anybody(self) -> bool:
        """Whether a waiter could fit under the run's wall now, or be beyond any wall."""
        if RUN not in self.walls or self._spent[RUN] + self._reserved[RUN] + self._least <= self.walls[RUN]:
            return True
        return any(self._spent[whose] + self._most > wall for whose, wall in self.walls.items())

    def _is_decided(self, granted: asyncio.Future[Reservation], asked: Reservation) -> bool:
        """Let it go, or tell it of the wall."""
        try:
            self._check(asked)
        except WallReached as reached:
            granted.set_exception(reached)
            return True
        if self._fits(asked):
            granted.set_result(self._take(asked))
        return granted.done()
