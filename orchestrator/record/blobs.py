"""Texts in a few bytes: several that belong together are compressed as one, with an earlier one as dictionary.

What is sent to a model differs from one decision to the next in a few lines, and its raw answer repeats the
words that were read from it. So the texts of a call are one blob, and the first blob of its kind is the
dictionary (`base`) of those that follow: what both hold costs a few bytes. Of short texts a few more examples
join it in a blob of their own, to which no row refers. Nothing is lost, every text comes back as it was. A base
has no base itself, so that reading takes two rows at most.

The data is a raw deflate stream of the texts in UTF-8 with a byte 0xFF between them, which occurs in no UTF-8.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

BETWEEN = b"\xff"
LEVEL = 6
WINDOW_BITS = 14
WINDOW = 1 << WINDOW_BITS  # bytes of a base that serve: its end; more is slow to begin with
MEMORY = 7  # of zlib's 9: as small as serves such texts, and quick to copy
REMEMBERED_BASES = 64


def join(texts: Sequence[str]) -> bytes:
    """The texts as one run of bytes; the last ones serve best where it becomes a base."""
    return BETWEEN.join([text.encode("utf-8", "surrogatepass") for text in texts])


def split(joined: bytes) -> tuple[str, ...]:
    """The inverse of `join`. Raises UnicodeDecodeError, a ValueError, for what is none."""
    return tuple(part.decode("utf-8", "surrogatepass") for part in joined.split(BETWEEN))


def deflate(joined: bytes, base: bytes = b"") -> bytes:
    """`base` is the joined texts of another blob, as they are."""
    return Deflate()(joined, None, base)


class Deflate:
    """`deflate` for many texts on few bases: what has read a base is copied, not made again."""

    def __init__(self) -> None:
        self._packers: dict[int | None, Any] = {}  # by the number of the base

    def __call__(self, joined: bytes, number: int | None, base: bytes) -> bytes:
        if number not in self._packers:
            if len(self._packers) >= REMEMBERED_BASES:
                self._packers.clear()
            made = zlib.compressobj(LEVEL, zlib.DEFLATED, -WINDOW_BITS, MEMORY, zdict=base[-WINDOW:])
            self._packers[number] = made
        packer = self._packers[number].copy()
        return bytes(packer.compress(joined) + packer.flush())


def inflate(data: bytes, base: bytes = b"") -> bytes:
    """The inverse of `deflate`. Raises zlib.error."""
    opener = zlib.decompressobj(-zlib.MAX_WBITS, zdict=base[-WINDOW:])
    joined = opener.decompress(data) + opener.flush()
    if not opener.eof:
        raise zlib.error("the stream ends too soon")
    return joined
