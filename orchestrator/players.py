"""Whoever sits down, and what passes between a player and the match: a view and a turn in, a decision out.

A player is given only what its seat may know. Trouble between us and a service is never a player's fault:
it leaves as `Void` (replay the match) or `Halt` (stop the run). Models are in `model.py`; `table.py` makes
players from their specs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import engine
from engine import Rng, View
from orchestrator.pool import Pool, Recipe, think
from orchestrator.record.store import call_id
from prompts import Question
from providers.base import Reply, Usage
from providers.prices import Price, price_id
from providers.retry import Attempt

T = TypeVar("T")
Outcome = Literal["ok", "reasked", "fallback", "forfeit"]

AskHuman = Callable[[View], Awaitable[int | None]]
"""Shows a view to a person and returns the action chosen, or None to resign. Halt: nobody is there."""


class Void(Exception):
    """Nobody's fault: the match does not count and is replayed."""


class Halt(Exception):
    """The run cannot go on (a wrong key, no money, no such model): stop at once, resumable."""


class Stopped(Exception):
    """The run was asked to stop: what is recorded of this decision is where it goes on."""


class StopSign:
    """Up when the run is to end early: calls that are out come back, but no new one leaves."""

    def __init__(self) -> None:
        self._up = asyncio.Event()

    def put_up(self) -> None:
        self._up.set()

    @property
    def is_up(self) -> bool:
        return self._up.is_set()

    def check(self) -> None:
        """Raises Stopped once the sign is up."""
        if self._up.is_set():
            raise Stopped

    async def sleep(self, seconds: float) -> None:
        """Like asyncio.sleep, but raises Stopped as soon as the sign goes up."""
        await self.unless_up(asyncio.sleep(seconds))

    async def unless_up(self, waiting: Awaitable[T]) -> T:
        """What is waited for; it is cancelled, and Stopped raised, as soon as the sign goes up."""
        wanted, sign = asyncio.ensure_future(waiting), asyncio.ensure_future(self._up.wait())
        try:
            await asyncio.wait((wanted, sign), return_when=asyncio.FIRST_COMPLETED)
            if wanted.done():
                return wanted.result()
            raise Stopped
        finally:
            wanted.cancel()
            sign.cancel()


class Gate:
    """Open, or shut while the run is paused: calls that are out come back, the next ones wait before it."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()

    @property
    def is_open(self) -> bool:
        return self._open.is_set()

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    async def passed(self) -> None:
        """Returns as soon as the gate is open."""
        await self._open.wait()


async def freely(call: CallMade) -> None:
    """Nobody counts."""


class Turn(NamedTuple):
    """What a player needs besides the view: its own chance, and the calls that this decision already had."""

    id: str
    rng: Rng
    seed: int  # of this decision alone, for services that take one
    stop: StopSign
    on_call: Callable[[CallMade], None]  # told when an attempt is back
    reserve: Callable[[CallMade], Awaitable[None]] = freely  # room for one that is about to go; may raise
    on_leave: Callable[[CallMade], Awaitable[None]] = freely  # awaited as it leaves; may raise
    answered: Mapping[int, Reply] = {}  # by ask number: asked before an interruption, never asked again
    attempts: Mapping[int, int] = {}  # made before it, by ask number
    relabelled: bool = False  # whether the marks of the seats are exchanged in what is asked


@dataclass(frozen=True, slots=True)
class CallMade:
    """One attempt, and what it cost: told before it leaves (`attempt` is None) and again when it is back.

    Until it is back, and if it fails after it may have been charged, it counts as possibly billed, at the
    most it can cost; so does an answer of another tier than was asked for, of which nobody knows what it costs:
    `priced` is then False.
    """

    decision: str
    ask: int
    number: int
    started_unix: float
    cost_pico: int
    possibly_billed: bool
    priced: bool
    attempt: Attempt | None = None

    @property
    def id(self) -> str:
        """Of its row on record, unique in the run."""
        return call_id(self.decision, self.ask, self.number)

    @property
    def usage(self) -> Usage:
        return self.attempt.reply.usage if self.attempt and self.attempt.reply else Usage()


@dataclass(slots=True)
class Decision:
    """One choice; `action` is None where the player forfeits, and `fault` then says why."""

    action: int | None
    outcome: Outcome
    mode: str
    fault: str = ""
    illegal: int = 0  # answers that could be read or not, but were no legal move
    rationale: str = ""
    reasoning: str = ""
    reasoning_kind: str = "none"
    forecast: float | None = None
    probabilities: Mapping[int, float] | None = None
    question: Question | None = None
    latency_s: float = 0.0
    cost_pico: int = 0


@dataclass(frozen=True, slots=True)
class Seated:
    """Who a player is, as the record names it. `hash` is equal for players that play alike."""

    spec: str
    label: str
    kind: str
    hash: str
    provider: str = ""
    model: str = ""
    style: str = ""
    track: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    price: Price | None = None

    @property
    def price_id(self) -> str:
        """Names the numbers this player is billed by; empty where there are none."""
        return price_id(self.provider, self.model, self.price) if self.price else ""


class Player(Protocol):
    """Everyone who moves: two members."""

    seated: Seated

    async def choose(self, view: View, turn: Turn) -> Decision: ...


class BotPlayer:
    """A bot of the engine. It is given a clone in which what its seat cannot know is drawn anew.

    A bot that thinks longer than `SLOW_S` does so in the pool, as does one of which that is not yet known.
    """

    SLOW_S = 0.02
    QUICK = ("random", "greedy")

    def __init__(self, seated: Seated, recipe: Recipe, pool: Pool) -> None:
        self.seated = seated
        self.recipe = recipe
        self.bot = engine.new_bot(recipe[0], **dict(recipe[1]))
        self.pool = pool
        self.here = recipe[0] in self.QUICK

    async def choose(self, view: View, turn: Turn) -> Decision:
        game = view.sample(turn.rng)
        await asyncio.sleep(0)  # a match between bots must not starve the others
        if self.here:
            thought = think(self.bot, game, turn.rng)
        else:
            thought = await self.pool.choose(self.recipe, game, turn.rng)
        self.here = thought.seconds <= self.SLOW_S
        return Decision(thought.action, "ok", "bot", forecast=thought.forecast, probabilities=thought.policy)


class HumanPlayer:
    """Somebody at a terminal; nobody is kept there when the run is to end."""

    def __init__(self, seated: Seated, ask: AskHuman) -> None:
        self.seated = seated
        self.ask = ask

    async def choose(self, view: View, turn: Turn) -> Decision:
        action = await turn.stop.unless_up(self.ask(view))
        if action is None:
            return Decision(None, "forfeit", "human", fault="resigned")
        return Decision(action, "ok", "human")
