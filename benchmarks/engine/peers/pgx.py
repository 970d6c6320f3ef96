"""pgx: games as arrays, stepped by jax on one CPU thread; policy, auto-reset and loop compiled into one call."""

from __future__ import annotations

import os

# Before jax is imported: no accelerator and no pool of threads.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pgx
from pgx.experimental import auto_reset

from benchmarks.engine.timing import Measure, main

STEPS = 50  # per call


def batch(name: str, size: int) -> Measure:
    """Uniformly random legal moves in `size` games at once; every step makes observation and mask."""
    env = pgx.make(name)
    step = jax.vmap(auto_reset(env.step, env.init))

    def advance(state: Any, key: Any) -> tuple[Any, Any]:
        of_action, of_step = jax.random.split(key)
        logits = jnp.where(state.legal_action_mask, 0.0, -1e9)
        action = jax.random.categorical(of_action, logits, axis=-1)
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


MEASURES = {
    "tictactoe batch": partial(batch, "tic_tac_toe", 1024),
    "connect4 batch": partial(batch, "connect_four", 1024),
    "othello batch": partial(batch, "othello", 256),
}

if __name__ == "__main__":
    main(MEASURES, ("pgx", "jax"))
