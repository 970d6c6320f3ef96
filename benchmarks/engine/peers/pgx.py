"""pgx: games as arrays, stepped by jax on one CPU thread; policy, auto-reset and loop compiled into one call.

The policy is uniformly random, in two forms. `categorical` is that of its documentation, which draws a random number
for every action, legal or not; that costs up to half of the time. `batch` draws one per game, as ours does, and is
the fastest we found.
"""

from __future__ import annotations

import os

# Before jax is imported: no accelerator and no pool of threads.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pgx
from pgx.experimental import auto_reset

from benchmarks.engine.timing import Measure, main

STEPS = 50  # per call

Pick = Callable[[Any, Any], Any]
"""From a key and the masks [games, actions], the actions [games]."""


def one_number(key: Any, masks: Any) -> Any:
    """The n-th legal action of each game, n drawn by one number per game."""
    ranks = jnp.cumsum(masks.astype(jnp.int32), axis=-1)
    drawn = (jax.random.uniform(key, masks.shape[:1]) * ranks[:, -1]).astype(jnp.int32)
    return jnp.argmax(ranks > drawn[:, None], axis=-1)


def categorical(key: Any, masks: Any) -> Any:
    return jax.random.categorical(key, jnp.where(masks, 0.0, -1e9), axis=-1)


def batch(name: str, size: int, pick: Pick) -> Measure:
    """Uniformly random legal moves in `size` games at once; every step makes observation and mask."""
    env = pgx.make(name)
    step = jax.vmap(auto_reset(env.step, env.init))

    def advance(state: Any, key: Any) -> tuple[Any, Any]:
        of_action, of_step = jax.random.split(key)
        action = pick(of_action, state.legal_action_mask)
        return step(state, action, jax.random.split(of_step, size)), None

    run = jax.jit(lambda state, key: jax.lax.scan(advance, state, jax.random.split(key, STEPS))[0])
    key = jax.random.PRNGKey(0)
    state = jax.jit(jax.vmap(env.init))(jax.random.split(key, size))
    tensor, mask = state.observation[0].size, state.legal_action_mask[0].size

    def work() -> int:
        nonlocal state, key
        key, now = jax.random.split(key)
        state = jax.block_until_ready(run(state, now))
        return size * STEPS

    return Measure(work, f"{tensor} + {mask}")


GAMES = {
    "tictactoe": ("tic_tac_toe", 1024),
    "connect4": ("connect_four", 1024),
    "othello": ("othello", 256),
}
MEASURES = {f"{name} batch": partial(batch, *GAMES[name], one_number) for name in GAMES}
MEASURES |= {f"{name} categorical": partial(batch, *GAMES[name], categorical) for name in GAMES}

if __name__ == "__main__":
    main(MEASURES, ("pgx", "jax"))
