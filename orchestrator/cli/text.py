"""Words and figures for a terminal: foreign text made safe, numbers made readable.

What a model wrote, what a service answered and what stands in somebody else's record is untrusted: it
may hold escape sequences that move the cursor, retitle the window or paste, and bidi controls that make
a line read differently from what it says. `clean` is the only way such text reaches a screen, always as
plain text and never as rich markup: the `console` that commands print on cleans every piece of text that it
draws, whoever built it. What is drawn in lines and columns is made `one_line` before, so that it fits.
"""

from __future__ import annotations

import errno
import os
import shlex
import sys
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

PIPE_WIDTH = 110  # columns where the output is no terminal and COLUMNS is not set
PICO = 10**12
NOTHING = "–"  # a figure that does not apply, such as the cost of a bot

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


def money(pico: int) -> str:
    """Pico-dollars as dollars: $12.31, $0.0044; what is not nothing never reads as nothing."""
    if pico == 0:
        return "$0"
    if pico < PICO // 10_000:
        return "<$0.0001"
    cents = pico >= PICO * 99_995 // 100_000  # from where four decimals would read $1.0000
    return f"${pico / PICO:,.2f}" if cents else f"${pico / PICO:.4f}"


def dollars(usd: float) -> str:
    """As `money`, from the dollars that events carry."""
    return money(round(usd * PICO))


def moves(texts: Iterable[str]) -> str:
    """Moves beside each other, a bar between them where they have blanks themselves."""
    told = [one_line(each) for each in texts]
    return (" | " if any(" " in each for each in told) else " ").join(told)


def percent(part: float, whole: float) -> str:
    """A share with one decimal; what is neither none nor all never reads so."""
    if not whole:
        return NOTHING
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "<0.1 %"
    if 99.9 < share < 100:
        return ">99.9 %"
    return f"{share:.0f} %" if share in (0, 100) else f"{share:.1f} %"


def duration(seconds: float) -> str:
    """340 ms, 1.2 s, 48 s, 3 min 20 s, 1 h 05 min."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def count(number: int) -> str:
    """987, 12.3k, 272k, 4.5M."""
    if number < 1000:
        return str(number)
    if number < 999_950:
        return f"{number / 1000:.1f}".removesuffix(".0") + "k"
    return f"{number / 1e6:,.1f}".removesuffix(".0") + "M"


def elo(low: float, mid: float, high: float) -> str:
    """+35 [-12, +84]"""
    return f"{signed(mid)} [{signed(low)}, {signed(high)}]"


def signed(number: float) -> str:
    return f"{round(number) or 0:+d}"


def points(number: float) -> str:
    """A score as it is written in games: 1, ½, 12½; thirds and the like as decimals."""
    whole, half = divmod(number, 1)
    if half == 0:
        return f"{whole:.0f}"
    if half == 0.5:
        return f"{whole:.0f}½" if whole else "½"
    return f"{number:.2f}"


def amount(number: float) -> str:
    """What a game paid, or a mean of it: 124, -3, 96.25."""
    return f"{round(number, 2) + 0.0:.2f}".rstrip("0").rstrip(".")  # + 0.0: no -0


def plural(number: int, noun: str, many: str = "") -> str:
    """1 match, 2 matches."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


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
