"""Our side: `python -m benchmarks.engine.ours SECONDS CPU`. The loops mirror those of openspiel.py."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from random import random

from librt.vecs import vec
from mypy_extensions import i32, i64, u8

import engine
from benchmarks.engine.timing import pin, rate, tell
from engine.search.uct import Uct

MATCHES = 200
SIMS = 1000


def checked(name: str, numbers: bool) -> Callable[[], int]:
    """As a user writes it: lists of legal actions, checked moves, Python picks."""
    game = engine.new(name, 1)
    rng = engine.Rng(1)

    def work() -> int:
        n = 0
        for _ in range(MATCHES):
            game.reset(rng)
            while not game.is_terminal():
                if numbers:
                    game.observation()
                    game.action_mask()
                actions = game.legal_actions()
                game.apply(actions[int(random() * len(actions))])
                n += 1
        return n

    return work


def hot(name: str, numbers: bool) -> Callable[[], int]:
    """As a trainer writes it: reused buffers, unchecked moves, Python picks."""
    game = engine.new(name, 1)
    rng = engine.Rng(1)
    ids = vec[i64]([0] * game.num_actions())
    seen = vec[i32]([0] * game.observation_size())
    mask = vec[u8]([0] * game.num_actions())

    def work() -> int:
        n = 0
        for _ in range(MATCHES):
            game.reset(rng)
            while (seat := game.current_player()) >= 0:
                if numbers:
                    game.observe_into(seat, seen, 0)
                    game.mask_into(mask, 0)
                count: int = game.legal_into(ids)
                game.step(ids[int(random() * count)])
                n += 1
        return n

    return work


def playouts(name: str) -> Callable[[], int]:
    """Random matches inside the engine."""
    game = engine.new(name, 1)
    rng = engine.Rng(1)

    def work() -> int:
        n = 0
        for _ in range(MATCHES):
            game.reset(rng)
            game.playout(rng)
            n += game.ply()
        return n

    return work


def uct(name: str) -> Callable[[], int]:
    """Simulations from the first position; a new tree per search."""
    game = engine.new(name, 1)
    rng = engine.Rng(1)
    tree = Uct(1.4)

    def work() -> int:
        tree.search(game, SIMS, rng)
        return SIMS

    return work


def measures(seconds: float) -> Iterator[tuple[str, float]]:
    for name in ("tictactoe", "connect4"):
        yield f"{name} checked", rate(checked(name, False), seconds)
        yield f"{name} checked numbers", rate(checked(name, True), seconds)
        yield f"{name} hot", rate(hot(name, False), seconds)
        yield f"{name} hot numbers", rate(hot(name, True), seconds)
        yield f"{name} playouts", rate(playouts(name), seconds)
        yield f"{name} uct", rate(uct(name), seconds)


if __name__ == "__main__":
    if not engine.is_compiled() or engine.stale():
        sys.exit(
            "only the compiled engine is timed, and not an outdated one: unset DUELIST_ENGINE, build again"
        )
    pin(int(sys.argv[2]))
    tell(measures(float(sys.argv[1])))
