"""Hand-written prompts in the form that the stand-in reads: moves so far, and legal moves by number."""

from __future__ import annotations

from dataclasses import replace

import engine
from providers.base import Message, Request

SYSTEM = "You play a game for two.\nGame: {game}\nAnswer with the JSON object that is asked for."
OPEN = {
    "type": "object",
    "properties": {
        "rationale": {"type": "string"},
        "threats": {"type": "string"},
        "action": {"type": "integer", "enum": list(range(16))},
        "forecast": {"type": ["number", "null"]},
    },
}
RULES = {"type": "object", "properties": {"rationale": {"type": "string"}, "move": {"type": "string"}}}


def question(
    *moves: str, game: str = "tictactoe", track: str = "open", note: str = "", **more: object
) -> Request:
    """The prompt of a position, as a hand would write it."""
    state = engine.new(game, 0)
    for move in moves:
        state.apply(state.parse_action(move))
    user = f"The board is before you. {note}\nMoves so far: {' '.join(moves) or 'none'}\n"
    if track == "open":
        user += "\nLegal moves, each after its number:\n"
        user += "".join(f"{action}: {state.action_text(action)}\n" for action in state.legal_actions())
    return Request(
        model="greedy",
        system=SYSTEM.format(game=game),
        messages=(Message("user", user + "\nYour move."),),
        schema=OPEN if track == "open" else RULES,
        **more,  # type: ignore[arg-type]
    )


def lengthy(asked: Request) -> Request:
    """The same question under rules that are long enough for a vendor's cache."""
    return replace(asked, system=asked.system + "\nAs was said before." * 200)
