"""A person at this terminal: the board and the legal moves are shown, a line is read, until it is a move.

Everything is written to stderr, so that stdout stays what `--display` says it is. Lines are read through
the event loop, so that Ctrl-C is heard while a person thinks.
"""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import takewhile
from typing import TYPE_CHECKING

from orchestrator.cli import text
from orchestrator.players import Halt

if TYPE_CHECKING:
    from rich.console import Console

    from engine import View

RESIGN = "resign"
RULES = "rules"
SHOWN = 60  # legal moves on screen; a longer list is cut, all of them are taken


async def ask_for_move(view: View) -> int | None:
    """The action that the person chose; None if they resigned. Raises Halt where the input has ended."""
    console = text.console(sys.stderr)
    known = _typed(view)
    console.print("\n".join(["", *_situation(view), text.clean(view.board.rstrip("\n"))]))
    console.print(f"your moves: {_legal(view)}   ({RULES}, {RESIGN})")
    while True:
        said = await _read(console, "> ")
        action = known.get(said, known.get(said.casefold()))
        if action is not None:
            return action
        if said.casefold() == RULES:
            console.print(text.clean(view.rules))
        elif said.casefold() == RESIGN:
            if (await _read(console, "resign and lose this match? [y/N] ")).casefold() in ("y", "yes"):
                return None
        elif said:
            console.print(f"{text.one_line(said, 40)!r} is not a legal move here. Legal: {_legal(view)}")


def _typed(view: View) -> dict[str, int]:
    """The moves by what may be typed: in any case, unless case tells them apart (bxc3 and Bxc3 in chess)."""
    folded = [action.text.casefold() for action in view.legal]
    alone = {
        text: action.id for text, action in zip(folded, view.legal, strict=True) if folded.count(text) == 1
    }
    return alone | {action.text: action.id for action in view.legal}


def _situation(view: View) -> list[str]:
    mark = view.facts.get("mark") or f"P{view.seat + 1} of {view.num_players}"
    lines = [f"{view.game}, move {view.ply + 1}: your turn, you are {mark}"]
    if view.num_players > 2:
        since = takewhile(lambda move: move.seat != view.seat, reversed(view.history))
        return lines + [f"P{move.seat + 1} played {text.one_line(move.text)}" for move in [*since][::-1]]
    if view.history:
        last = view.history[-1]
        who = "you" if last.seat == view.seat else "your opponent"
        lines.append(f"{who} played {text.one_line(last.text)}")
    return lines


def _legal(view: View) -> str:
    shown = text.moves(action.text for action in view.legal[:SHOWN])
    return shown + (f" … ({len(view.legal)} in all)" if len(view.legal) > SHOWN else "")


async def _read(console: Console, prompt: str) -> str:
    """What the person typed, without blanks around it. Raises Halt where there is no more."""
    console.print(prompt, end="")
    console.file.flush()
    line = await _line()
    if not line:
        console.print()
        raise Halt("the input of a human player has ended: go on where somebody can type")
    return line.strip()


async def _line() -> str:
    """The next line of stdin with its end, empty at the end of the input."""
    loop = asyncio.get_running_loop()
    whole: asyncio.Future[None] = loop.create_future()
    line = bytearray()

    def more() -> None:
        """One byte, so that what follows the line stays where the next question finds it."""
        try:
            byte = os.read(descriptor, 1)
        except OSError:  # the terminal is gone
            byte = b""
        line.extend(byte)
        if byte in (b"", b"\n") and not whole.done():
            whole.set_result(None)

    if sys.stdin is None:  # closed before we began
        return ""
    try:
        descriptor = sys.stdin.fileno()
        loop.add_reader(descriptor, more)
    except (OSError, NotImplementedError):  # a plain file or /dev/null never waits; Windows cannot be asked
        return sys.stdin.readline()
    try:
        await whole
    finally:
        loop.remove_reader(descriptor)
    return line.decode(sys.stdin.encoding or "utf-8", "replace")
