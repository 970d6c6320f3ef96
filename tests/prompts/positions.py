"""Positions to ask about: real ones by their moves, and made-up views for what no shipped game has (yet)."""

from __future__ import annotations

from typing import Any, NamedTuple

import engine
from engine import Action, Move, View


class Reply(NamedTuple):
    """As much of a provider's reply as `parse` may see."""

    text: str
    finish: str = "stop"
    probabilities: dict[int, float] | None = None


def played(game: str, moves: str, **variant: int) -> View:
    """The view of the seat to move after these moves, given in notation."""
    match = engine.new(game, seed=1, **variant)
    for text in moves.split():
        match.apply(match.parse_action(text))
    return match.view(match.current_player())


def imagined(legal: dict[int, str], history: tuple[tuple[int, str], ...] = (), **more: Any) -> View:
    """A view of a game that does not exist. `legal` maps action ids to notations."""
    fields: dict[str, Any] = {
        "game": "imagined",
        "variant": {},
        "seat": 0,
        "num_players": 2,
        "num_actions": 64,
        "ply": len(history),
        "to_move": 0,
        "board": "(a board)",
        "facts": {},
        "rules": "The rules of a game that does not exist.",
        "legal": tuple(Action(*item) for item in legal.items()),
        "history": tuple(Move(seat, 0, text) for seat, text in history),
        "result": None,
        "sample": None,
    }
    return View(**{**fields, **more})


def chess_like() -> View:
    """Case matters: bxc3 is a pawn, Bxc3 a bishop; only one of them is legal."""
    return imagined({10: "Nf3", 11: "e4", 12: "bxc3", 13: "O-O", 14: "Qd8+"}, ((0, "d4"), (1, "Nf6")))


def bidding() -> View:
    """Some moves are numbers and some are not, so that a number can be an id or a name."""
    return imagined({0: "pass", 1: "2", 2: "1", 7: "5"})


def cards() -> View:
    """Three players, hidden hands, notation in capitals."""
    history = ((0, "5H"), (1, "KH"))
    return imagined({3: "2H", 11: "AH"}, history, num_players=3, seat=2, to_move=2, num_actions=66)


def view_of(name: str) -> View:
    """Corpus positions. `c4`: column 4 is full. `ttt`: b2 and a1 are taken. `c4open`: the empty board."""
    if name == "c4":
        return played("connect4", "4 4 4 4 4 4")
    if name == "c4open":
        return played("connect4", "")
    if name == "ttt":
        return played("tictactoe", "b2 a1")
    return {"chess": chess_like, "bids": bidding, "cards": cards}[name]()
