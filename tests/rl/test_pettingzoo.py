"""PettingZoo's own test passes for every game, and what it shows is what the game says."""

from __future__ import annotations

import copy
import pickle
import random
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import engine
from engine import Game, IllegalAction, Rng

pytest.importorskip("pettingzoo", reason="pettingzoo is not installed: pip install 'duelist[rl]'")

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # PettingZoo's tests import environments the old way
    from pettingzoo.test import api_test, seed_test
from pettingzoo.utils.wrappers import TerminateIllegalWrapper

import rl.pettingzoo
from rl.pettingzoo import GameEnv
from tests.engine.plain_games import Highcard, Nim

# What the other seat sees of an empty board, and the mask of who is not to move; a dict is what classic games use.
EXPECTED = ".*all zeros|.*probably should be gymnasium.spaces.box|Observation is not a NumPy array"


@pytest.mark.parametrize("name", engine.games())
def test_the_api_test_of_pettingzoo(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=EXPECTED)
        api_test(rl.pettingzoo.env(name), num_cycles=60)
        seed_test(lambda: rl.pettingzoo.env(name), num_cycles=20)
    assert "Passed" in capsys.readouterr().out


@pytest.mark.parametrize("make", [Nim, Highcard], ids=["nim", "highcard"])
def test_the_api_test_on_plain_games(make: type[Game]) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=EXPECTED)
        api_test(GameEnv(make()), num_cycles=60)


@pytest.mark.parametrize("recipe", ["backgammon", "kuhn_poker", "chess"])
def test_the_api_test_on_games_of_openspiel(recipe: str) -> None:
    pytest.importorskip("pyspiel", reason="OpenSpiel is not installed")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=EXPECTED)
        api_test(rl.pettingzoo.env(f"openspiel:{recipe}"), num_cycles=60)


@pytest.mark.parametrize("name", [*engine.games(), "highcard"])
def test_a_match_is_the_match_of_the_game(name: str) -> None:
    env = GameEnv(Highcard()) if name == "highcard" else rl.pettingzoo.env(name)
    game = Highcard() if name == "highcard" else engine.new(name)
    pick = random.Random(3)
    for seed in range(4):
        env.reset(seed=seed)
        game.reset(Rng(seed))
        earned = dict.fromkeys(env.possible_agents, 0.0)
        for agent in env.agent_iter():
            seen, reward, over, cut, info = env.last()
            seat = env.possible_agents.index(agent)
            earned[agent] += reward
            assert seen["observation"].tolist() == game.observation(seat).tolist()
            assert (over, cut, info) == (game.is_terminal(), False, {})
            assert env.observation_space(agent).contains(seen)
            if over:
                assert not seen["action_mask"].any()
                env.step(None)
            else:
                assert seat == game.current_player() and reward == 0.0
                assert seen["action_mask"].tobytes() == game.action_mask()
                action = pick.choice(game.legal_actions())
                game.apply(action)
                env.step(np.int64(action))
        assert list(earned.values()) == game.returns() and env.agents == []


def test_observations_are_the_callers_to_keep() -> None:
    env = rl.pettingzoo.env("tictactoe")
    env.reset(seed=1)
    first = env.last()[0]
    before = {key: array.copy() for key, array in first.items()}
    env.step(4)
    env.last()
    assert all((first[key] == before[key]).all() and first[key].flags.writeable for key in first)
    assert not env.observe("player_0")["action_mask"].any()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_copies_go_on_alone(copied: Callable[[GameEnv], GameEnv]) -> None:
    env = rl.pettingzoo.env("tictactoe", seed=3)
    env.reset()
    env.step(4)
    before, other = env.observe("player_1"), copied(env)
    assert str(other.observe("player_1")) == str(before) and other.agents == env.agents
    other.step(0)
    assert str(env.observe("player_1")) == str(before) != str(other.observe("player_1"))
    assert env.agent_selection == "player_1" != other.agent_selection


@pytest.mark.parametrize("action", [9, -1, None, 0.0, "a1", 4])
def test_refused_actions_change_nothing(action: Any) -> None:
    env = rl.pettingzoo.env("tictactoe")
    env.reset(seed=1)
    env.step(4)
    with pytest.raises(IllegalAction):
        env.step(action)
    assert env.agent_selection == "player_1" and env.game.ply() == 1


def test_an_illegal_action_loses_inside_the_wrapper() -> None:
    env: Any = TerminateIllegalWrapper(rl.pettingzoo.env("tictactoe"), illegal_reward=-1)
    env.reset(seed=1)
    for action in (4, 4):
        env.last()
        env.step(action)
    assert env.terminations == {"player_0": True, "player_1": True}
    assert env.rewards == {"player_0": 0, "player_1": -1}


def test_outside_a_match() -> None:
    env = rl.pettingzoo.env("tictactoe")
    with pytest.raises(RuntimeError, match="reset first"):
        env.step(0)
    env.reset()
    for action in (0, 3, 1, 4, 2):
        env.step(action)
    assert env.rewards == {"player_0": 1.0, "player_1": -1.0}
    with pytest.raises(ValueError, match="left is None, got 5"):
        env.step(5)
    env.step(None)
    env.step(None)
    with pytest.raises(RuntimeError, match="reset first"):
        env.step(None)


def test_seeds_and_modes(capsys: pytest.CaptureFixture[str]) -> None:
    def hands(env: GameEnv, seed: int | None = None) -> Any:
        env.reset(seed=seed)
        assert isinstance(env.game, Highcard)
        return env.game.hands

    one, two = GameEnv(Highcard(), seed=5), GameEnv(Highcard(), seed=5)
    first = hands(one)
    assert first == hands(two) and hands(one) == hands(two) != first
    assert hands(one, 7) == hands(two, 7) == hands(two, np.uint32(7))
    env = rl.pettingzoo.env("tictactoe", render_mode="ansi")
    env.reset()
    assert env.render() == env.game.board_text(0)
    shown = rl.pettingzoo.env("tictactoe", render_mode="human")
    shown.reset()
    shown.step(0)
    assert capsys.readouterr().out == shown.game.board_text(0) + "\n"
    with pytest.raises(ValueError, match="nothing to render"):
        two.render()
    with pytest.raises(ValueError, match="render modes"):
        rl.pettingzoo.env("tictactoe", render_mode="rgb_array")
    with pytest.raises(ValueError, match="no variant"):
        rl.pettingzoo.env("tictactoe", size=4)
