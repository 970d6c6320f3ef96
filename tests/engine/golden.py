"""One match per game, written out as tests/engine/golden/<game>.txt.

`python -m tests.engine.golden` writes the files anew, after a change of rules, notation or board that was
meant; read the difference before keeping it.
"""

from __future__ import annotations

from pathlib import Path

import engine
from engine import Rng, derive
from tests.engine.short import new

FOLDER = Path(__file__).parent / "golden"


def playthrough(name: str) -> str:
    """A random match as text: rules, then every position with its facts, then the result."""
    game = new(name, 1)
    rng = Rng(derive("golden", name))
    lines = [
        f"game {game.name()} {game.variant()}: {game.num_players()} players, {game.num_actions()} actions, "
        f"observation {game.observation_size()}, legacy {game.legacy_observation_size()}, "
        f"symmetries {game.num_symmetries()}, at most {game.max_plies()} plies",
        "",
        game.rules_text(),
    ]
    while True:
        view = game.view(max(game.current_player(), 0))
        ones = [i for i, x in enumerate(game.observation().tolist()) if x]
        lines += [
            "",
            f"ply {view.ply}, to move {view.to_move}, position {game.position_bytes().hex()}, "
            f"class {game.position_class().hex()}",
            view.board,
            f"facts {dict(view.facts)}",
            f"observation ones {ones}",
        ]
        if game.is_terminal():
            return "\n".join([*lines, f"returns {game.returns()}", f"bytes {game.to_bytes().hex()}", ""])
        action = int(game.random_action(rng))
        lines += [
            "legal " + ", ".join(f"{choice.id} = {choice.text}" for choice in view.legal),
            f"plays {action} = {game.action_text(action)}",
        ]
        game.apply(action)


def main() -> None:
    for name in engine.games():
        (FOLDER / f"{name}.txt").write_text(playthrough(name))


if __name__ == "__main__":
    main()
