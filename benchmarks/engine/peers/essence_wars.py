"""essence-wars: a duel of cards in Rust. It shares no game with us; it is the yardstick of a fast engine.

Both decks and both seats are random (`opponent="self"`). Batches are replayed: the moves of one recorded run are
played again from the same seeds, so that nothing but the environment is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from essence_wars._core import ACTION_SPACE_SIZE, STATE_TENSOR_SIZE, PyGame, PyParallelGames
from essence_wars.env import VectorizedEssenceWars

from benchmarks.engine.timing import Measure, main, repeated

DECKS = ("artificer_tokens", "broodmother_pack", "attrition")
SIZE = f"{STATE_TENSOR_SIZE} + {ACTION_SPACE_SIZE}"
MATCHES = 5
STEPS = 200  # of a batch, per replay: about two matches each


def step(numbers: bool) -> Measure:
    """Its own `random_action` picks, which spares it the list of legal ids in Python."""
    game = PyGame(*DECKS)
    seed = 0

    def work() -> int:
        nonlocal seed
        n = 0
        for _ in range(MATCHES):
            seed += 1
            game.reset(seed)
            done = False
            while not done:
                if numbers:
                    game.observe()
                    game.action_mask()
                _reward, done = game.step(game.random_action())
                n += 1
        return n

    return Measure(work, SIZE if numbers else "")


def latency(call: str) -> Measure:
    """One call in the middle of a match."""
    game = PyGame(*DECKS)
    game.reset(3)
    for _ in range(15):
        game.step(game.random_action())
    return Measure(repeated(getattr(game, call)))


class Batch:
    """`PyParallelGames` with the auto-reset that it leaves to its user."""

    def __init__(self, games: int, numbers: bool) -> None:
        self.games = PyParallelGames(games, *DECKS, "self")
        self.numbers = numbers
        self.seed = 0

    def restart(self) -> Any:
        self.seed = 10**6
        self.games.reset_all(1)
        return self.games.action_mask_batch()

    def step(self, actions: Any) -> Any:
        _rewards, dones = self.games.step_batch(actions)
        for index in np.flatnonzero(dones):
            self.games.reset_single(int(index), self.seed)
            self.seed += 1
        if not self.numbers:
            return None
        self.games.observe_batch()
        return self.games.action_mask_batch()


class Vectorized:
    """`VectorizedEssenceWars`, which resets by numpy's global generator."""

    def __init__(self, games: int) -> None:
        self.env = VectorizedEssenceWars(games, opponent="self")

    def restart(self) -> Any:
        np.random.seed(0)
        return self.env.reset(seed=1)[1]

    def step(self, actions: Any) -> Any:
        return self.env.step(actions)[3]


def recorded(env: Batch | Vectorized, games: int) -> list[Any]:
    """STEPS batches of uniformly random legal moves."""
    chance = np.random.default_rng(0)
    mask = env.restart()
    moves = []
    for _ in range(STEPS):
        weights = chance.random((games, ACTION_SPACE_SIZE), dtype=np.float32)
        moves.append((mask * weights).argmax(1).astype(np.uint16))
        mask = env.step(moves[-1])
    return moves


def replayed(env: Batch | Vectorized, moves: list[Any], games: int, size: str) -> Measure:
    def work() -> int:
        env.restart()
        for actions in moves:
            env.step(actions)
        return games * STEPS

    return Measure(work, size)


def batch(games: int, numbers: bool) -> Measure:
    moves = recorded(Batch(games, True), games)
    return replayed(Batch(games, numbers), moves, games, SIZE if numbers else "")


def vectorized(games: int) -> Measure:
    return replayed(Vectorized(games), recorded(Vectorized(games), games), games, SIZE)


MEASURES: dict[str, Callable[[], Measure]] = {
    "step": partial(step, False),
    "step numbers": partial(step, True),
    "batch": partial(batch, 256, False),
    "batch numbers": partial(batch, 256, True),
    "vectorized": partial(vectorized, 256),
    "observe": partial(latency, "observe"),
    "action_mask": partial(latency, "action_mask"),
    "fork": partial(latency, "fork"),
}

if __name__ == "__main__":
    main(MEASURES, ("essence-wars", "numpy"))
