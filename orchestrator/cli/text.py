"""Words and figures for a terminal: foreign text made safe, numbers made readable.

What a model wrote, what a service answered and what stands in somebody else's record is untrusted: it
may hold escape sequences that move the cursor, retitle the window or paste, and bidi controls that make
a line read differently from what it says. `clean` is the only way such text reaches a screen, always as
plain text and never as rich markup: the `console` that commands print on cleans every piece of text that it
draws, whoever built it. What is drawn in lines and columns is made `one_line` before, so that it fits. Figures are
worded in `orchestrator.words`, and stand here too, so that a command has one place for all that it says.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import sys
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any

from orchestrator.words import (
    NOTHING,
    PICO,
    amount,
    chance_text,
    count,
    dollars,
    duration,
    elo,
    elo_text,
    money,
    percent,
    plural,
    points,
    rank_text,
    signed,
)

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

__all__ = [
    "NOTHING",
    "PICO",
    "amount",
    "chance_text",
    "count",
    "dollars",
    "duration",
    "elo",
    "elo_text",
    "money",
    "percent",
    "plural",
    "points",
    "rank_text",
    "signed",
]  # of `words`; what is defined here goes without saying

PIPE_WIDTH = 110  # columns where the output is no terminal and COLUMNS is not set

_SILENT = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff")  # invisible joints: dropped without a word
_CONTROLS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def clean(text: str, limit: int | None = None) -> str:
    """`text` as characters that a terminal only draws: newline and tab stay, other controls become visible.

    C0 controls and DEL show as their Unicode pictures (␛), other controls (C1, bidi, tags, line and
    paragraph separators) as ‹U+202E›, lone surrogates as �. At most `limit` characters, the last one … then.
    """
    if limit is not None and len(text) > limit:
        text = text[: max(0, limit - 1)] + "…"
    if text.isprintable():
        return text
    return "".join(map(_visible, text.replace("\r\n", "\n")))


def one_line(text: str, limit: int | None = None) -> str:
    """`clean`, with every run of blanks and newlines made one blank."""
    return clean(" ".join(text.split()), limit)


def markdown(foreign: str) -> str:
    """Foreign text in one line as Markdown shows it, not reads it; nobody is mentioned by it either."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&!@])", r"\\\1", one_line(foreign))


def formula_free(foreign: str) -> str:
    """Foreign text in one line that a spreadsheet takes for text, however it begins."""
    told = one_line(foreign)
    return f"'{told}" if told[:1] in ("=", "+", "-", "@") else told


@lru_cache(4096)
def _visible(character: str) -> str:
    code = ord(character)
    if character in "\n\t":
        return character
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if character in _SILENT:
        return ""
    kind = unicodedata.category(character)
    if kind not in _CONTROLS:
        return character
    return "�" if kind == "Cs" else f"‹U+{code:04X}›"


def moves(texts: Iterable[str]) -> str:
    """Moves beside each other, a bar between them where they have blanks themselves."""
    told = [one_line(each) for each in texts]
    return (" | " if any(" " in each for each in told) else " ").join(told)


def command(*words: str) -> str:
    """`orchestrator` and these words as one line of a shell, ready to paste."""
    return clean(shlex.join(["orchestrator", *words])).replace("\n", "␊")


def console(stream: IO[str] | None = None, *, width: int | None = None, **more: Any) -> Console:
    """Where a command prints: all text cleaned, no markup, no guessing at highlights, any encoding.

    A pipe that nobody reads any more raises BrokenPipeError.
    """
    from rich.console import Console

    class Screen(Console):
        """The one gate to the terminal; sequences that rich itself makes (`control`) pass as they are."""

        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterable[Segment]:
            for part in super().render(renderable, options):
                yield part if part.control else part._replace(text=clean(part.text))

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    stream = sys.stdout if stream is None else stream
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and "utf" not in str(getattr(stream, "encoding", "")).lower():
        reconfigure(errors="replace")
    if width is None and not stream.isatty() and not os.environ.get("COLUMNS", "").isdigit():
        width = PIPE_WIDTH
    return Screen(file=stream, width=width, markup=False, highlight=False, emoji=False, **more)
