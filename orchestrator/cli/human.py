"""A person at this terminal: the board and the legal moves are shown, a line is read, until it is a move.

Everything is written to stderr, so that stdout stays what `--display` says it is.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from orchestrator.cli import text

if TYPE_CHECKING:
    from rich.console import Console

    from engine import View

RESIGN = "resign"
RULES = "rules"
SHOWN = 60  # legal moves on screen; a longer list is cut, all of them are taken


def ask_for_move(view: View) -> int | None:
    """The action that the person chose; None if they resigned or the input ended."""
    console = text.console(sys.stderr)
    known = {action.text.casefold(): action.id for action in view.legal}
    console.print("\n".join(["", *_situation(view), text.clean(view.board.rstrip("\n"))]))
    console.print(f"your moves: {_legal(view)}   ({RULES}, {RESIGN})")
    while True:
        line = _read(console, "> ")
        said = "" if line is None else line.strip()
        if line is None:
            console.print("The input has ended: you resign.")
            return None
        if said.casefold() in known:
            return known[said.casefold()]
        if said.casefold() == RULES:
            console.print(text.clean(view.rules))
        elif said.casefold() == RESIGN:
            if _confirmed(console):
                return None
        elif said:
            console.print(f"{text.one_line(said, 40)!r} is not a legal move here. Legal: {_legal(view)}")


def _situation(view: View) -> list[str]:
    mark = view.facts.get("mark")
    lines = [f"{view.game}, move {view.ply + 1}: your turn" + (f", you are {mark}" if mark else "")]
    if view.history:
        last = view.history[-1]
        who = (
            "you"
            if last.seat == view.seat
            else "your opponent"
            if view.num_players == 2
            else f"seat {last.seat + 1}"
        )
        lines.append(f"{who} played {text.one_line(last.text)}")
    return lines


def _legal(view: View) -> str:
    shown = " ".join(text.one_line(action.text) for action in view.legal[:SHOWN])
    return shown + (f" … ({len(view.legal)} in all)" if len(view.legal) > SHOWN else "")


def _confirmed(console: Console) -> bool:
    line = _read(console, "resign and lose this match? [y/N] ")
    return line is None or line.strip().casefold() in ("y", "yes")


def _read(console: Console, prompt: str) -> str | None:
    """One line without its end; None where there is no more."""
    console.print(prompt, end="")
    console.file.flush()
    return sys.stdin.readline() or None
