"""The loop around PettingZoo's form of an environment: the same for theirs and for ours."""

from __future__ import annotations

from random import getrandbits
from typing import Any

from benchmarks.engine.timing import Measure


def stepped(env: Any, matches: int) -> Measure:
    """Agents in turn, the last observation with its mask, a random legal action."""

    def work() -> int:
        n = 0
        for seed in range(matches):
            env.reset(seed=seed)
            for _agent in env.agent_iter():
                seen, _reward, terminated, truncated, info = env.last()
                if terminated or truncated:
                    env.step(None)
                    continue
                mask = seen["action_mask"] if isinstance(seen, dict) else info["action_mask"]
                legal = mask.nonzero()[0]
                env.step(int(legal[getrandbits(24) % len(legal)]))
                n += 1
        return n

    env.reset(seed=0)
    seen = env.last()[0]
    size = f"{seen['observation'].size} + {seen['action_mask'].size}" if isinstance(seen, dict) else ""
    return Measure(work, size)
