"""The peer: `python -m benchmarks.engine.openspiel SECONDS CPU`. OpenSpiel's C++ games through pyspiel."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from random import random
from typing import Any

import numpy as np
import pyspiel
from open_spiel.python.algorithms import mcts

from benchmarks.engine.timing import pin, rate, tell

MATCHES = 50
SIMS = 1000
NAMES = {"tictactoe": "tic_tac_toe", "connect4": "connect_four"}


def loop(game: Any, numbers: bool) -> Callable[[], int]:
    """The loop of its manual, Python picks."""

    def work() -> int:
        n = 0
        for _ in range(MATCHES):
            state = game.new_initial_state()
            while not state.is_terminal():
                if numbers:
                    state.observation_tensor()
                    state.legal_actions_mask()
                actions = state.legal_actions()
                state.apply_action(actions[int(random() * len(actions))])
                n += 1
        return n

    return work


def uct_in_cpp(game: Any) -> Callable[[], int]:
    """MCTSBot with one random rollout per simulation, no solver, 1000 MB at most."""
    state = game.new_initial_state()
    bot = pyspiel.MCTSBot(game, pyspiel.RandomRolloutEvaluator(1, 0), 1.4, SIMS, 1000, False, 0, False)

    def work() -> int:
        bot.step(state)
        return SIMS

    return work


def uct_in_python(game: Any) -> Callable[[], int]:
    """The same algorithm as OpenSpiel has it in Python."""
    state = game.new_initial_state()
    chance = np.random.RandomState(0)
    evaluator = mcts.RandomRolloutEvaluator(1, chance)
    bot = mcts.MCTSBot(game, 1.4, SIMS, evaluator, solve=False, random_state=chance)

    def work() -> int:
        bot.step(state)
        return SIMS

    return work


def measures(seconds: float) -> Iterator[tuple[str, float]]:
    for name, theirs in NAMES.items():
        game = pyspiel.load_game(theirs)
        yield f"{name} loop", rate(loop(game, False), seconds)
        yield f"{name} loop numbers", rate(loop(game, True), seconds)
        yield f"{name} uct c++", rate(uct_in_cpp(game), seconds)
        yield f"{name} uct python", rate(uct_in_python(game), seconds)


if __name__ == "__main__":
    pin(int(sys.argv[2]))
    tell(measures(float(sys.argv[1])))
