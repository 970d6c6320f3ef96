"""The outcomes of all positions of Connect 4 with a certain number of discs, in two bits each.

The file holds no positions. It is a table in three parts: a position's outcome is the exclusive or of three cells
of two bits, one in each part, at places that its key is hashed to. Whoever made the table chose the cells so that
all is right for the positions that are in it; of any other it says anything. So it answers by three looks, as
read, for 2.5 bits a position (B. Chazelle, J. Kilian, R. Rubinfeld, A. Tal, The Bloomier filter, SODA 2004; in
three parts: F. Botelho, R. Pagh, N. Ziviani, Simple and Space-Efficient Minimal Perfect Hash Functions, WADS 2007).

In it are the positions that can arise, up to mirror images, in which nobody has won, the mover cannot win at once
and has a move after which it does not lose at once: a search sees the others itself.

File: `MAGIC`; a byte, the number of discs; a byte, the seed of the hash; four bytes, how many cells a part has; four
bytes, the CRC-32 of what is before and of the cells; then the cells, four to a byte, the first in the lowest bits: 0, 1
and 2 for a loss, a draw and a win of the mover. Numbers are little-endian.

How the file that we ship was made, and what with, is said in benchmarks/book.py, which makes it.
"""

import importlib.resources
import struct
import zlib
from typing import Final, final

from librt.vecs import vec
from mypy_extensions import i64, mypyc_attr, u8

FILE: Final = "connect4.book"
MAGIC: Final = b"duelist connect4 outcomes 1\n"
HEAD: Final = struct.Struct("<28sBBII")
LOW: Final[i64] = 0x1FFFFFF  # 25 bits


def sum_of(data: bytes) -> int:
    """The CRC-32 of a file's bytes, but for those four that are to hold it."""
    return zlib.crc32(data[HEAD.size :], zlib.crc32(data[: HEAD.size - 4]))


@final
@mypyc_attr(acyclic=True)
class Book:
    """`discs`: of how many discs a position must be for `outcome` to know it; -1 of an empty book."""

    def __init__(self, data: bytes | None = None) -> None:
        """The bytes of a file; None: an empty book. ValueError where they are not a book, or damaged."""
        self.discs: i64 = -1
        self._part: i64 = 0
        self._seed: i64 = 0
        self._cells: vec[u8] = vec[u8]()
        if data is None:
            return
        if not data.startswith(MAGIC) or len(data) <= HEAD.size:
            raise ValueError(f"no book of Connect 4: expected {MAGIC!r} first, got {data[:28]!r}")
        _, discs, seed, part, check = HEAD.unpack_from(data)
        if len(data) != HEAD.size + cell_bytes(part) or sum_of(data) != check:
            raise ValueError(
                f"a damaged book of Connect 4: its {len(data)} bytes are not those that were written"
            )
        self.discs = discs
        self._part = part
        self._seed = seed
        self._cells = vec[u8](data[HEAD.size :])

    def outcome(self, key: i64) -> i64:
        """1, 0 or -1 for the mover of the position with that key (`key_of` of engine/search/connect4.py)."""
        found: i64 = 0
        part: i64 = 0
        while part < 3:
            place: i64 = self._part * part + place_of(key, self._seed * 3 + part, self._part)
            found ^= i64(self._cells[place >> 2]) >> ((place & 3) * 2)
            part += 1
        return (found & 3) - 1


def place_of(key: i64, seed: i64, size: i64) -> i64:
    """A key's place among `size`; `seed` is less than 1000. No product leaves 63 bits."""
    mixed: i64 = ((key & LOW) + seed * 40503) * 0x1F123BB5 + (key >> 25) * 0x2545F491
    mixed ^= mixed >> 29
    mixed = (mixed & LOW) * 0x27D4EB2F + ((mixed >> 25) & LOW) * 0x165667B1
    mixed ^= mixed >> 27
    return (mixed & 0xFFFFFFFFFF) % size


def cell_bytes(part: int) -> int:
    """Bytes that three parts of so many cells take."""
    return (3 * part + 3) // 4


SHIPPED: Final[list[Book]] = []


def shipped() -> Book:
    """The book of this package, read when first asked for.

    ValueError where it is missing or damaged: answers would be the same without it, but take several times as
    long, and a package without it is not whole.
    """
    if not SHIPPED:
        place = importlib.resources.files("engine.search").joinpath(FILE)
        try:
            SHIPPED.append(Book(place.read_bytes()))
        except (OSError, ValueError) as error:
            raise ValueError(f"{place} cannot be used, install duelist again: {error}") from error
    return SHIPPED[0]
