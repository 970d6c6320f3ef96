"""Bit and number tricks that compiled and plain Python must do alike.

mypyc 2.4 emits a constant left operand of `<<` as a 32-bit C int, also through `i64(...)`, Final names and
locals that it propagates: `i64(1) << 40` is 256 when compiled. So a single bit comes from `bit`, and
tests/engine/test_shift_lint.py refuses the pattern everywhere in the engine.

A board of 64 cells uses the sign bit: 64 bits held as one signed number. Compiled, a bit shifted to place 63
is the sign; in plain Python it is 2**63 until `signed` makes it the sign too. No sum or product here leaves
63 bits, whatever the 64 bits are.
"""

import struct
from typing import Final

from librt.vecs import vec
from mypy_extensions import i32, i64, u8

F32_ONE: Final[i64] = 0x3F800000  # the bits of float32 1.0

# Single bits, for sixteen cells at once: -(cells & BITS[k]) & F32_ONE is 1.0 where cell k is set, up to k = 23.
BITS: Final = vec[i32]([i32(2**k) for k in range(16)])

# By (byte << 3) + k: where the bit stands that has k set bits above it in that byte.
FROM_TOP: Final = vec[u8](
    [([i for i in range(7, -1, -1) if (byte >> i) & 1] + [0] * 8)[k] for byte in range(256) for k in range(8)]
)
# Multiplied by a single bit of 32, the five bits from 27 on of this number say which bit it was.
DE_BRUIJN: Final = 0x077CB531
PLACES: Final = vec[i64](sorted(range(32), key=lambda k: (DE_BRUIJN * 2**k >> 27) & 31))


def bit(k: i64) -> i64:
    """2**k for 0 <= k <= 63, where compiled code says -2**63 for the last. The detour keeps the left operand
    variable; gcc folds it away.
    """
    one: i64 = k ^ k
    one += 1
    return one << k


def signed(x: i64) -> i64:
    """The same 64 bits with bit 63 as the sign: for what a shift to the left has made. Compiled a no-op."""
    return x | (-((x >> 63) & 1) << 63)


def popcount(x: i64) -> i64:
    """How many of the 64 bits of x are set."""
    return counts_from(x) & 0x7F


def counts_from(x: i64) -> i64:
    """Eight bytes: how many bits are set in the same byte of x and those above it.

    Right shifts and small fields only, so that nothing reaches the sign.
    """
    n: i64 = (
        (x & 0x1111111111111111)
        + ((x >> 1) & 0x1111111111111111)
        + ((x >> 2) & 0x1111111111111111)
        + ((x >> 3) & 0x1111111111111111)
    )
    n = (n + (n >> 4)) & 0x0F0F0F0F0F0F0F0F
    n += n >> 8
    n += n >> 16
    n += n >> 32
    return n


def nth_bit(x: i64, k: i64) -> i64:
    """The place of the set bit of x that has k set bits above it, 0 <= k < popcount(x). No branches."""
    above: i64 = (counts_from(x) >> 8) & 0x7F7F7F7F7F7F7F
    # Bytes with more than k bits above them: they are the lowest ones, and how many tells the byte to look in.
    n: i64 = ((above + (127 - k) * 0x01010101010101) >> 7) & 0x01010101010101
    n += n >> 32
    n += n >> 16
    n += n >> 8
    low: i64 = (n & 7) << 3
    return low + i64(FROM_TOP[(((x >> low) & 0xFF) << 3) + k - ((above >> low) & 0x7F)])


def write_places(x: i64, out: vec[i64]) -> i64:
    """Write the places of the set bits of x, rising, from out[0] on; return how many."""
    n: i64 = 0
    half: i64 = x & 0xFFFFFFFF
    while half:
        rest: i64 = half & (half - 1)
        out[n] = PLACES[(((half ^ rest) * DE_BRUIJN) >> 27) & 31]
        n += 1
        half = rest
    half = (x >> 32) & 0xFFFFFFFF
    while half:
        rest = half & (half - 1)
        out[n] = 32 + PLACES[(((half ^ rest) * DE_BRUIJN) >> 27) & 31]
        n += 1
        half = rest
    return n


# What the 8 symmetries of a square board do, by their number.
SQUARE_SYMMETRIES: Final = (
    "as it is",
    "mirrored left-right",
    "mirrored top-bottom",
    "turned by 180 degrees",
    "mirrored at the falling diagonal",
    "turned left",
    "turned right",
    "mirrored at the rising diagonal",
)


def symmetric_cell(symmetry: i64, cell: i64, side: i64) -> i64:
    """Where one of the 8 symmetries of a square board puts a cell, row * side + column.

    Bit 0 of the symmetry mirrors left-right, bit 1 top-bottom; bit 2 then swaps rows and columns.
    """
    row: i64 = cell // side
    column: i64 = cell % side
    if symmetry & 1:
        column = side - 1 - column
    if symmetry & 2:
        row = side - 1 - row
    if symmetry & 4:
        return column * side + row
    return row * side + column


def symmetric_board(symmetry: i64, board: i64, side: i64) -> i64:
    """The board, a bit per cell, with every cell where `symmetric_cell` puts it."""
    out: i64 = 0
    cell: i64 = 0
    while cell < side * side:
        if (board >> cell) & 1:
            out |= bit(symmetric_cell(symmetry, cell, side))
        cell += 1
    return signed(out)


def f32_bits(x: float) -> int:
    """The bits of x as a float32, in the signed 32-bit range that a vec[i32] holds."""
    bits: int = struct.unpack("<i", struct.pack("<f", x))[0]
    return bits


def f32_ratio(part: i64, whole: i64) -> i64:
    """The bits of part / whole as a float32, for |part| < 2**24 and 0 < whole < 2**24."""
    sign: i64 = 0
    rest = part
    if rest < 0:
        rest = -rest
        sign = -0x80000000
    if rest == 0:
        return 0
    exponent: i64 = 127 + 23
    while rest < whole << 23:  # until the quotient has 24 bits
        rest <<= 1
        exponent -= 1
    while rest >= whole << 24:
        whole <<= 1
        exponent += 1
    quotient: i64 = rest // whole
    rest = 2 * (rest - quotient * whole)
    if rest > whole or (rest == whole and quotient & 1):
        quotient += 1  # to even; 2**24 carries into the exponent, as it has to
    return sign + (exponent << 23) + quotient - 0x800000


def too_short(got: i64, wanted: i64) -> ValueError:
    """What to raise for a vec that numbers do not fit in."""
    return ValueError(f"expected room for {wanted} numbers, got a vec of {got}")


def put_floats(row: vec[i32], out: vec[i32], base: i64) -> None:
    """Copy `row` to out[base:]."""
    i: i64 = 0
    while i < len(row):
        out[base + i] = row[i]
        i += 1


def put_flags(row: vec[u8], out: vec[u8], base: i64) -> None:
    """Copy `row` to out[base:]."""
    i: i64 = 0
    while i < len(row):
        out[base + i] = row[i]
        i += 1
