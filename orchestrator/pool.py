"""What a bot thinks, and where: those that think long do so in processes of their own.

Compiled search holds the interpreter for as long as it takes; on the event loop it would hold up the answers
of services, be booked as their latency and trip their time-outs.
"""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing.process import BaseProcess
from time import perf_counter
from typing import NamedTuple

import engine
from engine import Bot, Game, Rng

Recipe = tuple[str, tuple[tuple[str, str], ...]]
"""A bot's name and options, as its spec says them."""

PR_SET_PDEATHSIG = 1  # of prctl(2)


class Thought(NamedTuple):
    """What a bot chose, and what its choice rests on where it searched."""

    action: int
    seconds: float
    policy: dict[int, float] | None = None  # by legal action, all of them, the share of visits
    forecast: float | None = None  # the score that it expects, 0 to 1


def think(bot: Bot, game: Game, rng: Rng) -> Thought:
    """Let a bot choose; `game` comes back in the same position."""
    began = perf_counter()
    action = int(bot.choose(game, rng))
    seconds = perf_counter() - began
    found = bot.considered(game)
    visits = sum(each.visits for each in found)
    if not visits:
        return Thought(action, seconds)
    policy = {each.action: each.visits / visits for each in found}
    if game.num_players() != 2 or game.max_utility() != 1:
        return Thought(action, seconds, policy)  # what it maximises are points, and no share of a win
    value = sum(each.visits * each.value for each in found) / visits
    return Thought(action, seconds, policy, min(1.0, max(0.0, (1 + value) / 2)))


class Pool:
    """As many processes as there are cores, started when they are first needed."""

    def __init__(self) -> None:
        self._executor: ProcessPoolExecutor | None = None

    async def choose(self, recipe: Recipe, game: Game, rng: Rng) -> Thought:
        """What the bot of that recipe chooses, the same as here."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._up(), _choose, recipe, game, rng)
        except (BrokenProcessPool, OSError):
            # Somebody killed one, the system for want of memory perhaps: once more. Its pipes may be closed already
            # while nobody has yet said that the pool is broken.
            self.close()
            return await loop.run_in_executor(self._up(), _choose, recipe, game, rng)

    def _up(self) -> ProcessPoolExecutor:
        if self._executor is None:
            # Not forked: the record's writer is a thread of this process.
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(os.cpu_count(), context, initializer=begin)
        return self._executor

    def close(self) -> None:
        """End the processes, whatever they are thinking about."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None
            for process in multiprocessing.active_children():
                process.kill()  # it holds nothing, and may have inherited that SIGTERM is ignored


def begin() -> None:
    """Ctrl-C is the parent's to handle, and its death, however sudden, is ours too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":  # at once, also while a search holds the interpreter
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


@lru_cache(maxsize=16)
def bot_of(recipe: Recipe) -> Bot:
    """The bot of a recipe, the same one each time it is asked for in this process."""
    name, options = recipe
    return engine.new_bot(name, **dict(options))


def _choose(recipe: Recipe, game: Game, rng: Rng) -> Thought:
    return think(bot_of(recipe), game, rng)
