"""A record with all that can happen to a match, put row by row: a second question, a fallback, a forfeit, a void."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import engine
import prompts
from orchestrator.export.pipeline import Exported, prepare, write
from orchestrator.export.wanted import Wanted
from orchestrator.record import tables
from orchestrator.record.store import Record, call_id, decision_id

ODD = "ça joue « 4 » \u2028 \U0001f600"  # what a model may think


def exported(
    to: Path, *runs: Path, kind: Any = "sft", target: str = "trl", jobs: int = 1, **asked: Any
) -> Exported:
    """An export's rows, without the card that tells of them."""
    made = prepare(Wanted(kind=kind, target=target, runs=runs, **asked), jobs)
    write(made, to, jobs)
    return made


def put_record(directory: Path, run: str = "r1ng05demo00", status: str = "finished") -> Path:
    """A record of TicTacToe: match 1a played out, 1b forfeited at ply 2, 2a void, 2b still being played."""
    with Record(directory) as record:
        record.put(
            tables.Run(
                id=run,
                kind="duel",
                status=status,
                seed=1,
                request={"game": "tictactoe", "variant": {}, "pairs": 2},
                version="1",
                created=0.0,
            ),
            *(
                tables.Player(
                    id=number,
                    spec=f"local:tiny-{number}",
                    label=f"tiny-{number}",
                    kind="model",
                    provider="local",
                    model=f"tiny-{number}",
                    style="terse",
                    track="open",
                    parameters={"temperature": 0.5},
                    hash=f"hash{number}",
                )
                for number in (1, 2)
            ),
        )
        put_match(record, f"{run}-0001a", "finished", [0, 3, 1, 4, 2])
        put_match(record, f"{run}-0001b", "finished", [4, 0, None])
        put_match(record, f"{run}-0002a", "void", [4])
        put_match(record, f"{run}-0002b", "running", [4, 0])
    return directory


def put_match(record: Record, match: str, status: str, actions: list[int | None]) -> None:
    """One match; None is a forfeit of who is to move."""
    game, cut = engine.new("tictactoe", 1), None in actions
    for ply, action in enumerate(actions):
        put_decision(record, match, ply, game, action)
        if action is not None:
            game.apply(action)
    loser = game.current_player() if cut else 1
    over = status == "finished"
    record.put(
        tables.Match(
            id=match,
            run=match.rpartition("-")[0],
            pair=int(match[-5:-1]) - 1,
            swap="ab".index(match[-1]),
            replay=0,
            seed=1,
            game="tictactoe",
            variant={},
            opening=[],
            status=status,
            plies=game.ply(),
            started=1.0,
            finished=2.0 if over else None,
        ),
        *(
            tables.Seat(
                match=match,
                seat=seat,
                player=1 + (seat + (match[-1] == "b")) % 2,
                score=float(seat != loser) if over else None,
                outcome=("loss" if seat == loser else "win") if over else None,
                rank=1 + (seat == loser) if over else None,
                forfeit="illegal: three times" if over and cut and seat == loser else "",
                points=None if cut or not over else float(seat != loser),
            )
            for seat in (0, 1)
        ),
    )


def put_decision(record: Record, match: str, ply: int, game: engine.Game, action: int | None) -> None:
    """One decision with its calls: ply 1 takes two answers, ply 3 is a fallback."""
    seat = int(game.current_player())
    player = 1 + (seat + (match[-1] == "b")) % 2
    asked = prompts.render(game.view(seat), "terse", "open")
    decision = decision_id(match, ply)
    for ask in range(2 if ply == 1 else 1):
        put_call(record, decision, player, ask, json.dumps({"action": 1 + ply}))
    record.put_columns(
        tables.Decision,
        id=decision,
        match=match,
        ply=ply,
        seat=seat,
        player=player,
        action=action,
        action_text="" if action is None else game.action_text(action),
        legal=game.legal_actions(),
        mode="json",
        outcome="forfeit" if action is None else {1: "reasked", 3: "fallback"}.get(ply, "ok"),
        fault="illegal: three times" if action is None else "",
        illegal=0,
        rationale="",
        forecast=0.75 if ply == 0 else None,
        probabilities=None,
        state=game.to_bytes(),
        system_blob=record.blob(asked.system),
        user_blob=record.blob(asked.user, like=f"user {seat}"),
        style_sha=asked.style_sha,
        latency_ms=10.0,
        cost_pico=0,
        decided=1.5,
    )


def put_call(record: Record, decision: str, player: int, ask: int, answer: str) -> None:
    """An answered attempt."""
    columns: dict[str, Any] = dict.fromkeys(
        ("input_fresh", "cache_read", "cache_write_short", "cache_write_long", "reasoning", "cost_pico"), 0
    )
    record.put_columns(
        tables.Call,
        **columns,
        id=call_id(decision, ask, 1),
        decision=decision,
        player=player,
        ask=ask,
        attempt=1,
        kind="ok",
        http_status=200,
        request_id="",
        model_reported="tiny",
        tier="standard",
        output=10,
        price=None,
        possibly_billed=False,
        latency_ms=5.0,
        started=1.0,
        answer=answer,
        finish="stop",
        finish_detail="",
        reasoning_kind="raw",
        texts_blob=record.blob(f"{ODD} {decision} {ask}", "{}", "{}", like=f"ok {player}"),
        error="",
    )
