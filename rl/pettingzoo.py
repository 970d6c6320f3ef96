"""Any registered game as a PettingZoo environment (AEC: agents move one at a time).

    env = rl.pettingzoo.env("connect4", seed=1)

Agents are `player_0`, `player_1`, ... Each sees {"observation": float32 from its own side, "action_mask": int8};
rewards are the game's returns, all at the end. An illegal action raises IllegalAction and changes nothing;
PettingZoo's TerminateIllegalWrapper makes it a loss instead. For speed with many games use engine.VecGames:
one step here costs about as much as fifty there, nearly all of it PettingZoo's protocol. Left out: truncation
(every game ends), rendering beyond text, hidden state in `state()`.
"""

from collections.abc import Iterator
from operator import index
from typing import Any

from librt.vecs import vec
from mypy_extensions import i32, u8

import engine
from engine import Game, Rng
from engine.registry import OWN_GAMES
from engine.vector import window

try:
    import numpy
    from gymnasium.spaces import Box, Dict, Discrete
    from pettingzoo import AECEnv
except ImportError as error:
    raise ImportError(f"rl.pettingzoo needs more packages: pip install 'duelist[rl]' ({error})") from error

BUFFERS = ("_seen", "_mask", "_seen_array", "_mask_array", "_no_actions")


def env(name: str, seed: int = 0, render_mode: str | None = None, **variant: int) -> "GameEnv":
    """An environment over a registered game. ValueError for unknown names, variants and modes."""
    return GameEnv(engine.new(name, 0, **variant), seed, render_mode)


class GameEnv(AECEnv):
    """One game, begun anew by `reset`; seeds are integers, equal seeds give equal matches."""

    def __init__(self, game: Game, seed: int = 0, render_mode: str | None = None) -> None:
        """`render_mode` is None, "ansi" (`render` returns the board as text) or "human" (it prints it)."""
        if render_mode not in (None, "ansi", "human"):
            raise ValueError(f"the render modes are ansi, human and None, got {render_mode!r}")
        self.game = game
        self.render_mode = render_mode
        self.metadata = {
            "name": f"{game.name()}_v0",
            "render_modes": ["ansi", "human"],
            "is_parallelizable": False,
        }
        self.possible_agents = [f"player_{seat}" for seat in range(game.num_players())]
        self.agents: list[str] = []
        self._seats = {agent: seat for seat, agent in enumerate(self.possible_agents)}
        self._rng = Rng(seed)
        size, width = game.observation_size(), game.num_actions()
        self._make_buffers()
        # Nobody says how large a stranger's numbers are.
        most = 1.0 if game.name() in OWN_GAMES else numpy.inf
        self.observation_spaces = {
            agent: Dict(
                {
                    "observation": Box(-most, most, (size,), numpy.float32),
                    "action_mask": Box(0, 1, (width,), numpy.int8),
                }
            )
            for agent in self.possible_agents
        }
        self.action_spaces = {agent: Discrete(width) for agent in self.possible_agents}

    def _make_buffers(self) -> None:
        size, width = self.game.observation_size(), self.game.num_actions()
        self._seen = vec[i32]([0] * size)
        self._mask = vec[u8]([0] * width)
        self._seen_array = window(self._seen, "<f4", (size,))
        self._mask_array = window(self._mask, "|i1", (width,))
        self._no_actions = numpy.zeros(width, numpy.int8)

    def __getstate__(self) -> dict[str, Any]:
        """For copies and other processes: all but the buffers, whose arrays would lose their memory."""
        return {key: value for key, value in self.__dict__.items() if key not in BUFFERS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_buffers()

    def observation_space(self, agent: str) -> Any:
        """The same object at every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Any:
        """The same object at every call."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin a match: the one of `seed`, or without a seed the next of the environment's own stream."""
        if seed is not None:
            self._rng = Rng(index(seed))
        self.game.reset(self._rng)
        agents = self.agents = self.possible_agents.copy()
        self.rewards = dict.fromkeys(agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(agents, 0.0)
        self.terminations = dict.fromkeys(agents, False)
        self.truncations = dict.fromkeys(agents, False)
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in agents}
        self.agent_selection = agents[self.game.current_player()]

    def observe(self, agent: str) -> dict[str, Any]:
        """New arrays of what the agent sees; its mask is all 0 when it is not to move."""
        game = self.game
        seat = self._seats[agent]
        game.observe_into(seat, self._seen)
        if game.current_player() == seat:
            game.mask_into(self._mask)
            mask = self._mask_array.copy()
        else:
            mask = self._no_actions.copy()
        return {"observation": self._seen_array.copy(), "action_mask": mask}

    def agent_iter(self, max_iter: int = 2**63) -> Iterator[str]:
        """The agent to act, again and again until all are done or `max_iter` have acted."""
        while self.agents and max_iter > 0:
            max_iter -= 1
            yield self.agent_selection

    def last(self, observe: bool = True) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Observation, reward since its last move, termination, truncation and info of the agent to act."""
        agent = self.agent_selection
        return (
            self.observe(agent) if observe else None,
            self._cumulative_rewards[agent],
            self.terminations[agent],
            False,
            self.infos[agent],
        )

    def step(self, action: object) -> None:
        """Play for the agent to act; None when it is done. IllegalAction: refused, nothing changed."""
        if not self.agents:
            raise RuntimeError("no match is on: reset first")
        if self.terminations[self.agent_selection]:
            self._leave(action)
            return
        game = self.game
        game.apply(action)
        mover = game.current_player()
        if mover >= 0:
            self.agent_selection = self.possible_agents[mover]
        else:
            self._finish()
        if self.render_mode == "human":
            self.render()

    def render(self) -> str | None:
        """The board as the agent to act may see it."""
        if self.render_mode is None:
            raise ValueError('nothing to render: make the environment with render_mode="ansi" or "human"')
        text = self.game.board_text(self._seats[self.agent_selection])
        if self.render_mode == "ansi":
            return text
        print(text)
        return None

    def close(self) -> None:
        """Nothing is held."""

    def _finish(self) -> None:
        # Until here all rewards were 0, so that there was nothing to clear or to add up.
        returns = self.game.returns()
        self.rewards = dict(zip(self.agents, returns, strict=True))
        self._cumulative_rewards = dict(self.rewards)
        self.terminations = dict.fromkeys(self.agents, True)
        self.agent_selection = self.agents[0]

    def _leave(self, action: object) -> None:
        # As PettingZoo's `_was_dead_step` does, for the case that all are done at once.
        if action is not None:
            raise ValueError(f"the match is over: the only action left is None, got {action!r}")
        agent = self.agent_selection
        del self.rewards[agent], self._cumulative_rewards[agent]
        del self.terminations[agent], self.truncations[agent], self.infos[agent]
        self.agents.remove(agent)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        if self.agents:
            self.agent_selection = self.agents[0]
