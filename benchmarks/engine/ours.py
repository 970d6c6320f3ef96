"""Our side. Stepped twice, as the peers are: `apply` as a user writes it, `step` as a trainer would."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from random import getrandbits

from librt.vecs import vec
from mypy_extensions import i32, i64, u8

import engine
from benchmarks.engine.timing import Measure, main, repeated

MATCHES = 200
SIMS = 1000
VARIANTS = {"blob": {"players": 4, "cards": 7, "rounds": 1}}  # as OpenSpiel is told to play its Oh Hell
GAMES = ("tictactoe", "connect4", "othello", "blob")


def made(name: str) -> engine.Game:
    return engine.new(name, 1, **VARIANTS.get(name, {}))


def numbers(game: engine.Game) -> str:
    return f"{game.observation_size()} + {game.num_actions()}"


def step(name: str) -> Measure:
    """Reused buffers, unchecked moves, Python picks."""
    game = made(name)
    rng = engine.Rng(1)
    ids = vec[i64]([0] * game.num_actions())

    def work() -> int:
        n = 0
        reset, legal_into, step = game.reset, game.legal_into, game.step
        for _ in range(MATCHES):
            reset(rng)
            while count := legal_into(ids):
                step(ids[getrandbits(24) % count])
                n += 1
        return n

    return Measure(work)


def step_numbers(name: str) -> Measure:
    game = made(name)
    rng = engine.Rng(1)
    ids = vec[i64]([0] * game.num_actions())
    seen = vec[i32]([0] * game.observation_size())
    mask = vec[u8]([0] * game.num_actions())

    def work() -> int:
        n = 0
        reset, legal_into, step = game.reset, game.legal_into, game.step
        current_player, observe_into, mask_into = game.current_player, game.observe_into, game.mask_into
        for _ in range(MATCHES):
            reset(rng)
            while count := legal_into(ids):
                observe_into(current_player(), seen)
                mask_into(mask)
                step(ids[getrandbits(24) % count])
                n += 1
        return n

    return Measure(work, numbers(game))


def apply(name: str, with_numbers: bool) -> Measure:
    """New lists, checked moves that are remembered, Python picks."""
    game = made(name)
    rng = engine.Rng(1)

    def work() -> int:
        n = 0
        for _ in range(MATCHES):
            game.reset(rng)
            while not game.is_terminal():
                if with_numbers:
                    game.observation()
                    game.action_mask()
                actions = game.legal_actions()
                game.apply(actions[getrandbits(24) % len(actions)])
                n += 1
        return n

    return Measure(work, numbers(game) if with_numbers else "")


def batch(name: str, size: int) -> Measure:
    """Random legal moves of the engine's own in many games at once; every step makes observation and mask."""
    from engine.vector import VecGames

    games = VecGames([made(name) for _ in range(size)], 1)

    def work() -> int:
        for _ in range(20):
            games.random_actions()
            games.step(check=False)
        return 20 * size

    return Measure(work, f"{games.observation_size()} + {games.num_actions()}")


def playouts(name: str) -> Measure:
    """Random matches inside the engine. Their steps are reckoned from the mean length of many played by `step`."""
    game = made(name)
    rng = engine.Rng(1)
    length = mean_length(game, rng)

    def work() -> int:
        for _ in range(MATCHES):
            game.reset(rng)
            game.playout(rng)
        return round(MATCHES * length)

    return Measure(work)


def mean_length(game: engine.Game, rng: engine.Rng, matches: int = 5000) -> float:
    """Steps of a random match."""
    steps = 0
    for _ in range(matches):
        game.reset(rng)
        while not game.is_terminal():
            game.step(game.random_action(rng))
            steps += 1
    return steps / matches


def uct(name: str) -> Measure:
    """Simulations from the first position; a new tree per search."""
    from engine.search.uct import Uct

    game = made(name)
    rng = engine.Rng(1)
    tree = Uct(1.4)

    def work() -> int:
        tree.search(game, SIMS, rng)
        return SIMS

    return Measure(work)


def ismcts(name: str) -> Measure:
    """Simulations from first positions, a new deal and a new tree per search."""
    from engine.search.ismcts import Ismcts

    game = made(name)
    rng = engine.Rng(1)
    tree = Ismcts(1.4)

    def work() -> int:
        game.reset(rng)
        tree.search(game, SIMS, rng)
        return SIMS

    return Measure(work)


def clone(name: str) -> Measure:
    """After six moves, history included."""
    game = made(name)
    for _ in range(6):
        game.apply(game.legal_actions()[0])
    return Measure(repeated(game.clone))


def observe(name: str) -> Measure:
    game = made(name)
    seen = vec[i32]([0] * game.observation_size())
    return Measure(repeated(lambda: game.observe_into(0, seen)), str(game.observation_size()))


def mask(name: str) -> Measure:
    game = made(name)
    out = vec[u8]([0] * game.num_actions())
    return Measure(repeated(lambda: game.mask_into(out)), str(game.num_actions()))


def pick() -> Measure:
    """How every stepped loop, ours and theirs, draws an index: the cheapest that Python's generator gives."""

    def work() -> int:
        for _ in range(1000):
            getrandbits(24) % 7
        return 1000

    return Measure(work)


def refuse_all_but_compiled() -> None:
    """End the process unless the compiled, up-to-date engine is in use."""
    if not engine.is_compiled() or engine.stale():
        sys.exit(
            "only the compiled engine is timed, and not an outdated one: unset DUELIST_ENGINE, build again"
        )


MEASURES: dict[str, Callable[[], Measure]] = {
    "pick": pick,
    "tictactoe batch": partial(batch, "tictactoe", 1024),
    "connect4 batch": partial(batch, "connect4", 1024),
    "othello batch": partial(batch, "othello", 256),
    "blob batch": partial(batch, "blob", 256),
    "blob ismcts": partial(ismcts, "blob"),
    "blob observe": partial(observe, "blob"),
    "blob mask": partial(mask, "blob"),
}
for _name in GAMES:
    MEASURES[f"{_name} step"] = partial(step, _name)
    MEASURES[f"{_name} step numbers"] = partial(step_numbers, _name)
    MEASURES[f"{_name} apply"] = partial(apply, _name, False)
    MEASURES[f"{_name} apply numbers"] = partial(apply, _name, True)
    MEASURES[f"{_name} playouts"] = partial(playouts, _name)
    MEASURES[f"{_name} uct"] = partial(uct, _name)
    MEASURES[f"{_name} clone"] = partial(clone, _name)

if __name__ == "__main__":
    refuse_all_but_compiled()
    main(MEASURES, ("mypy", "librt"))
