"""Records and exports for the tests of exports: small, from a seed, made in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.export.folder import write_all
from orchestrator.export.pipeline import Exported, prepare
from orchestrator.export.wanted import Wanted
from orchestrator.record.store import Record
from orchestrator.request import SelfplayRequest, seated_game
from orchestrator.selfplay import play


def played(directory: Path, *players: str, game: str = "connect4", pairs: int = 20, **asked: Any) -> Path:
    """A record of bots among themselves."""
    players = players or ("bot:greedy", "bot:random", *["bot:random"] * (game == "blob"))
    game, variant = seated_game(game, asked.pop("variant", {}), len(players))
    asked = {"seed": 7, "opening": 2, **asked}
    request = SelfplayRequest(players=players, game=game, variant=variant, pairs=pairs, **asked)
    with Record(directory) as record:
        play(request, record)
    return directory


def prepared(*runs: Path, kind: Any = "sft", target: str = "trl", **asked: Any) -> Exported:
    """What an export would take."""
    return prepare(Wanted(kind=kind, target=target, runs=runs, **asked))


def exported(to: Path, *runs: Path, kind: Any = "sft", target: str = "trl", **asked: Any) -> Exported:
    """An export, written."""
    made = prepared(*runs, kind=kind, target=target, **asked)
    write_all(made, to, "orchestrator export …")
    return made
