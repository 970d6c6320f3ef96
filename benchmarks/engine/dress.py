"""The loop around PettingZoo's form of an environment: the same for theirs and for ours."""

from __future__ import annotations

from random import getrandbits
from typing import Any

from benchmarks.engine.timing import Measure


def stepped(env: Any, matches: int) -> Measure:
    """Agents in turn, the last observation with its mask, an action drawn until the mask allows it.

    For so few actions that is cheaper than making a list of the legal ones.
    """
    width = int(env.action_space(env.possible_agents[0]).n)

    def work() -> int:
        n = 0
        for _ in range(matches):
            env.reset()
            for _agent in env.agent_iter():
                seen, _reward, terminated, truncated, info = env.last()
                if terminated or truncated:
                    env.step(None)
                    continue
                mask = seen["action_mask"] if isinstance(seen, dict) else info["action_mask"]
                action = getrandbits(24) % width
                while not mask[action]:
                    action = getrandbits(24) % width
                env.step(action)
                n += 1
        return n

    env.reset()
    seen = env.last()[0]
    size = f"{seen['observation'].size} + {seen['action_mask'].size}" if isinstance(seen, dict) else ""
    return Measure(work, size)
