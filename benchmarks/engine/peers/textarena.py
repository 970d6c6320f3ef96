"""TextArena: games as text. Legal moves are read from the state, as it offers no list of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import getrandbits
from typing import Any

import textarena

from benchmarks.engine.timing import Measure, main

MATCHES = 2


def tictactoe(board: list[list[str]]) -> list[str]:
    return [f"[{3 * row + column}]" for row in range(3) for column in range(3) if not board[row][column]]


def connect4(board: list[list[str]]) -> list[str]:
    return [f"[col {column}]" for column, cell in enumerate(board[0]) if cell == "."]


def step(game: str, legal: Callable[[list[list[str]]], list[str]]) -> Measure:
    """The bare environment (`-raw`): observation as text, move as text."""
    env: Any = textarena.make(env_id=game)

    def work() -> int:
        n = 0
        for seed in range(MATCHES):
            env.reset(num_players=2, seed=seed)
            done = False
            while not done:
                env.get_observation()
                moves = legal(env.state.game_state["board"])
                done, _info = env.step(action=moves[getrandbits(24) % len(moves)])
                n += 1
            env.close()
        return n

    return Measure(work)


MEASURES = {
    "tictactoe step": partial(step, "TicTacToe-v0-raw", tictactoe),
    "connect4 step": partial(step, "ConnectFour-v0-raw", connect4),
}

if __name__ == "__main__":
    main(MEASURES, ("textarena",))
