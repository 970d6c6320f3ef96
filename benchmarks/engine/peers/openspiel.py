"""OpenSpiel: its C++ games through pyspiel, its searches in C++ and in Python.

Stepped twice. `manual` is the loop of its documentation, tensors as Python lists. `step` is the fastest we found:
bound methods, an empty list of legal actions in place of `is_terminal`, the tensor written by an Observer into
one numpy array, the mask from the legal actions at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import getrandbits
from typing import Any

import numpy as np
import pyspiel
from open_spiel.python.algorithms import ismcts, mcts
from open_spiel.python.observation import make_observation

from benchmarks.engine.timing import Measure, main, repeated

MATCHES = 50
SIMS = 1000
GAMES = {
    "tictactoe": "tic_tac_toe",
    "connect4": "connect_four",
    "othello": "othello",
    "blob": "oh_hell(players=4,num_tricks_fixed=7)",
}


def started(game: Any) -> Any:
    """The first position in which a player moves. Whoever steps OpenSpiel deals the cards, one by one."""
    state = game.new_initial_state()
    while state.is_chance_node():
        actions = state.legal_actions()
        state.apply_action(actions[getrandbits(24) % len(actions)])
    return state


def step(name: str) -> Measure:
    game = pyspiel.load_game(GAMES[name])

    def work() -> int:
        n = 0
        for _ in range(MATCHES):
            state = started(game)
            legal_actions = state.legal_actions
            apply_action = state.apply_action
            while actions := legal_actions():
                apply_action(actions[getrandbits(24) % len(actions)])
                n += 1
        return n

    return Measure(work)


def dealt(name: str) -> Measure:
    """As `step`, from copies of states in which the cards are dealt: what playing alone costs."""
    game = pyspiel.load_game(GAMES[name])
    starts = [started(game) for _ in range(MATCHES)]

    def work() -> int:
        n = 0
        for start in starts:
            state = start.clone()
            legal_actions = state.legal_actions
            apply_action = state.apply_action
            while actions := legal_actions():
                apply_action(actions[getrandbits(24) % len(actions)])
                n += 1
        return n

    return Measure(work)


def step_numbers(name: str) -> Measure:
    game = pyspiel.load_game(GAMES[name])
    provides = game.get_type().provides_observation_tensor
    observation = make_observation(
        game, None if provides else pyspiel.IIGObservationType(perfect_recall=True)
    )
    size = game.num_distinct_actions()

    def work() -> int:
        n = 0
        set_from = observation.set_from
        for _ in range(MATCHES):
            state = started(game)
            legal_actions = state.legal_actions
            apply_action = state.apply_action
            current_player = state.current_player
            while actions := legal_actions():
                set_from(state, current_player())
                mask = bytearray(size)
                for action in actions:
                    mask[action] = 1
                apply_action(actions[getrandbits(24) % len(actions)])
                n += 1
        return n

    return Measure(work, f"{observation.tensor.size} + {size}")


def manual(name: str, numbers: bool) -> Measure:
    game = pyspiel.load_game(GAMES[name])
    observed = game.get_type().provides_observation_tensor

    def work() -> int:
        n = 0
        for _ in range(MATCHES if not numbers else 1):
            state = started(game)
            while not state.is_terminal():
                if numbers:
                    state.observation_tensor() if observed else state.information_state_tensor()
                    state.legal_actions_mask()
                actions = state.legal_actions()
                state.apply_action(actions[getrandbits(24) % len(actions)])
                n += 1
        return n

    shape = game.observation_tensor_size() if observed else game.information_state_tensor_size()
    return Measure(work, f"{shape} + {game.num_distinct_actions()}" if numbers else "")


def clone(name: str) -> Measure:
    """After six moves."""
    state = started(pyspiel.load_game(GAMES[name]))
    for _ in range(6):
        state.apply_action(state.legal_actions()[0])
    return Measure(repeated(state.clone))


def searched(name: str, bot: Callable[[Any], Any]) -> Measure:
    """Searches of first positions in which a player moves; cards are dealt anew for each."""
    game = pyspiel.load_game(GAMES[name])
    player = bot(game)

    def work() -> int:
        player.step(started(game))
        return SIMS

    return Measure(work)


def uct(game: Any) -> Any:
    """One random rollout per simulation, no solver, 1000 MB at most."""
    return pyspiel.MCTSBot(game, pyspiel.RandomRolloutEvaluator(1, 0), 1.4, SIMS, 1000, False, 0, False)


def uct_in_python(game: Any) -> Any:
    chance = np.random.RandomState(0)
    evaluator = mcts.RandomRolloutEvaluator(1, chance)
    return mcts.MCTSBot(game, 1.4, SIMS, evaluator, solve=False, random_state=chance)


def ismcts_in_cpp(game: Any) -> Any:
    """A world drawn anew for every simulation."""
    return pyspiel.ISMCTSBot(0, pyspiel.RandomRolloutEvaluator(1, 0), 1.4, SIMS, -1)


def ismcts_in_python(game: Any) -> Any:
    chance = np.random.RandomState(0)
    evaluator = mcts.RandomRolloutEvaluator(1, chance)
    return ismcts.ISMCTSBot(game, evaluator, 1.4, SIMS, random_state=chance)


MEASURES: dict[str, Callable[[], Measure]] = {
    "blob dealt": partial(dealt, "blob"),
    "blob ismcts": partial(searched, "blob", ismcts_in_cpp),
    "blob ismcts in Python": partial(searched, "blob", ismcts_in_python),
}
for _name in GAMES:
    MEASURES[f"{_name} step"] = partial(step, _name)
    MEASURES[f"{_name} step numbers"] = partial(step_numbers, _name)
    MEASURES[f"{_name} manual"] = partial(manual, _name, False)
    MEASURES[f"{_name} manual numbers"] = partial(manual, _name, True)
    MEASURES[f"{_name} clone"] = partial(clone, _name)
    MEASURES[f"{_name} uct"] = partial(searched, _name, uct)
    MEASURES[f"{_name} uct in Python"] = partial(searched, _name, uct_in_python)

if __name__ == "__main__":
    main(MEASURES, ("open_spiel", "numpy"))
