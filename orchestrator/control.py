"""Orders to a run from another shell: one word in the file `control` of its directory.

Whoever orders puts the file there whole, by a rename; the run looks twice a second, takes it away by another and
obeys, so that no order is read by halves, heard twice or lost to one given at that moment, and the file's absence
says that the order was heard. What was ordered before a run began was not meant for it and is forgotten.

Left out: sockets and signals, which are not the same on every system and end at the border of a container that
shares the directory; and any answer but the file's absence: how a run stands is in its record.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal, get_args

Order = Literal["pause", "resume", "stop"]
ORDERS: tuple[Order, ...] = get_args(Order)
CONTROL_FILE = "control"
_LOCK_FILE = ".lock"  # as orchestrator/record/store.py holds it
_LONGEST = 64  # bytes that are read of what should be one word


class ControlError(ValueError):
    """An order that there is not, or that could not be given."""


class Control:
    """The orders of the run in a directory, from either side. `on_notice` is told what was no order."""

    def __init__(self, directory: Path, on_notice: Callable[[str], None] = lambda notice: None) -> None:
        self.directory = directory
        self.path = directory / CONTROL_FILE
        self._taken = directory / f".{CONTROL_FILE}.taken"
        self._on_notice = on_notice
        self._last_notice = ""

    def give(self, order: str) -> None:
        """In place of any order not yet heard. Raises ControlError with what was expected."""
        if order not in ORDERS:
            raise ControlError(f"unknown order {order!r}: expected one of {', '.join(ORDERS)}")
        written = self.directory / f".{CONTROL_FILE}.{os.getpid()}"
        try:
            written.write_text(order + "\n", encoding="ascii")
            written.replace(self.path)
        except OSError as error:
            raise ControlError(
                f"cannot tell the run in {self.directory} to {order} ({error.strerror}): "
                "expected the directory of a run that may be written to"
            ) from None

    def order(self) -> Order | None:
        """The order that was given and not yet heard; None if there is none, or what is there is none."""
        return self._read(self.path) if self._is_there() else None

    def take(self) -> Order | None:
        """`order`, and from now on it is heard. What is no order is taken away too, with a notice."""
        if not self._is_there():
            return None
        try:
            self.path.replace(self._taken)
            order = self._read(self._taken)
            self._taken.unlink()
        except FileNotFoundError:
            return None  # whoever gave it took it back
        except OSError as error:
            self._notice(f"{self.path} cannot be taken ({error.strerror}), so no orders are heard")
            return None
        return order

    def clear(self) -> None:
        """Forget what was ordered."""
        if self._is_there():
            self.path.unlink(missing_ok=True)

    def _is_there(self) -> bool:
        """A file, that is: to open a pipe would be to wait for whoever writes to it."""
        try:
            mode = self.path.lstat().st_mode
        except OSError:
            return False
        if not stat.S_ISREG(mode):
            self._notice(f"{self.path} is no file, so no orders are heard: remove it")
            return False
        return True

    def _read(self, path: Path) -> Order | None:
        try:
            with path.open("rb") as file:
                content = file.read(_LONGEST + 1)
        except OSError:
            return None
        word = content.decode("utf-8", "replace").strip()
        order = next((order for order in ORDERS if order == word), None)
        if order is None:
            said = ascii(word[:_LONGEST])  # anybody may have written it
            self._notice(f"ignored {said} in {self.path}: expected one of {', '.join(ORDERS)}")
        return order

    def _notice(self, text: str) -> None:
        if text != self._last_notice:
            self._last_notice = text
            self._on_notice(text)


def is_alive(directory: Path) -> bool:
    """Whether a process has the record in this directory open, and so hears orders.

    It looks by taking the record's lock for an instant, shared; where the system has no such lock it says True.
    """
    try:
        import fcntl
    except ImportError:  # as in the record: nothing to go by
        return True
    try:
        with (directory / _LOCK_FILE).open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


async def watch(
    directory: Path,
    on_order: Callable[[Order], None],
    poll_s: float = 0.5,
    on_notice: Callable[[str], None] = lambda notice: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Tell every order that is given from now on, until cancelled."""
    control = Control(directory, on_notice)
    control.clear()
    while True:
        await sleep(poll_s)
        order = control.take()
        if order is not None:
            on_order(order)
