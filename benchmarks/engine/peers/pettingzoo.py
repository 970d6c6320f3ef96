"""PettingZoo's classic games: `raw_env` bare, `env` in the checking wrappers it ships with."""

from __future__ import annotations

from functools import partial

from pettingzoo.classic import connect_four_v3, tictactoe_v3

from benchmarks.engine.dress import stepped
from benchmarks.engine.timing import Measure, main

MODULES = {"tictactoe": tictactoe_v3, "connect4": connect_four_v3}


def measured(name: str, maker: str) -> Measure:
    return stepped(getattr(MODULES[name], maker)(), 5)


MEASURES = {
    f"{name} {maker}": partial(measured, name, maker) for name in MODULES for maker in ("env", "raw_env")
}

if __name__ == "__main__":
    main(MEASURES, ("pettingzoo", "numpy"))
