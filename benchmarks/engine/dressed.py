"""Our side in PettingZoo's dress, in the environment of that peer."""

from __future__ import annotations

from functools import partial

from benchmarks.engine.dress import stepped
from benchmarks.engine.ours import refuse_all_but_compiled
from benchmarks.engine.timing import Measure, main


def dressed(name: str) -> Measure:
    from rl.pettingzoo import env

    return stepped(env(name), 50)


MEASURES = {name: partial(dressed, name) for name in ("tictactoe", "connect4")}

if __name__ == "__main__":
    refuse_all_but_compiled()
    main(MEASURES, ("pettingzoo", "librt"))
