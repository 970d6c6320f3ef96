"""Texts that are nearly the same, found without holding each against each: sketches of 32 bytes.

A sketch keeps, of the runs of five words in a text, the least hash in each of 16 classes (MinHash by one permutation,
empty classes filled from the next one: Shrivastava and Li 2014, arXiv:1406.4784). The share of classes in which two
sketches agree estimates the share of runs that the texts have in common. Two are near from 12 of 16 on; then one of
five disjoint groups of classes agrees wholly, so that an index by group finds every near one.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterable

RUN = 5  # words
CLASSES = 16
NEAR = 12  # classes in which near ones agree, at least
GROUPS = ((0, 3), (3, 6), (6, 9), (9, 12), (12, 16))  # one more than may differ
EMPTY = 0x10000


def sketch(text: str) -> bytes:
    """Of a text; empty of one without a word. Case and punctuation do not count."""
    words = re.findall(r"\w+", text.lower())
    if not words:
        return b""
    least = [EMPTY] * CLASSES
    for at in range(max(1, len(words) - RUN + 1)):
        found = zlib.crc32(" ".join(words[at : at + RUN]).encode("utf-8", "replace"))
        place, value = found % CLASSES, found >> 16
        if value < least[place]:
            least[place] = value
    filled, carried = least.copy(), EMPTY
    for place in (
        *range(CLASSES - 1, -1, -1),
        *range(CLASSES - 1, -1, -1),
    ):  # around, from the last to the first
        carried = carried if least[place] == EMPTY else least[place]
        filled[place] = carried
    return struct.pack(f"<{CLASSES}H", *filled)


class Sketches:
    """Many of them, to be asked whether one is near any."""

    def __init__(self, sketches: Iterable[bytes]) -> None:
        self._by_group: defaultdict[tuple[int, bytes], set[bytes]] = defaultdict(set)
        for each in sketches:
            for key in _groups(each):
                self._by_group[key].add(each)

    def have_near(self, one: bytes) -> bool:
        """Whether any of them agrees with it in `NEAR` classes or more."""
        return any(
            _agree(one, other) >= NEAR for key in _groups(one) for other in self._by_group.get(key, ())
        )


def _groups(sketch: bytes) -> list[tuple[int, bytes]]:
    return [(first, sketch[2 * first : 2 * last]) for first, last in GROUPS]


def _agree(one: bytes, other: bytes) -> int:
    return sum(one[at : at + 2] == other[at : at + 2] for at in range(0, 2 * CLASSES, 2))
