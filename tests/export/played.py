"""Small records that are the same every time: stand-ins with thoughts and mistakes, bots, and a table with cards."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from orchestrator.export.folder import write_all
from orchestrator.export.pipeline import Exported, prepare
from orchestrator.export.wanted import Wanted
from orchestrator.grades import Method, grade_run
from orchestrator.record.store import Record
from orchestrator.request import SelfplayRequest
from orchestrator.selfplay import play as selfplay
from tests.engine.short import SHORT
from tests.orchestrator.duels import play, request

MODELS = ("sim:mcts:30?illegal=0.25&tokens=12", "sim:greedy?illegal=0.25&tokens=12")
IDS = {"models": "r1models0000", "bots": "r2bots000000", "cards": "r3cards00000"}
"""Ids that sort alike every time, and with them the rows."""
_KEPT: list[tempfile.TemporaryDirectory[str]] = []


@cache
def played(name: str = "models", pairs: int = 40) -> Path:
    """The run's folder; it lives as long as the tests do."""
    _KEPT.append(tempfile.TemporaryDirectory())
    folder = Path(_KEPT[-1].name) / name
    run = IDS[name]
    method = "exact"
    if name == "models":
        with patch("orchestrator.duel.new_run_id", lambda: run):
            play(folder, request(*MODELS, pairs=pairs, seed=3))
    elif name == "cards":
        method = "search:30"
        with patch("orchestrator.selfplay.new_run_id", lambda: run), Record(folder) as record:
            players = 3 * ("bot:random",)
            selfplay(SelfplayRequest(players, game="blob", variant=SHORT["blob"], pairs=2, seed=3), record)
    else:
        with patch("orchestrator.selfplay.new_run_id", lambda: run), Record(folder) as record:
            players = ("bot:mcts:30", "bot:random")
            selfplay(SelfplayRequest(players, game="tictactoe", pairs=pairs, seed=3, opening=1), record)
    grade_run(folder, Method.parse(method))
    return folder


def exported(to: Path, kind: str, target: str = "trl", *runs: Path, **more: Any) -> Exported:
    """An export into a folder, in this process."""
    wanted = Wanted(kind=kind, target=target, runs=runs or (played(), played("bots")), **more)  # type: ignore[arg-type]
    made = prepare(wanted)
    write_all(made, to, "orchestrator export")
    return made
