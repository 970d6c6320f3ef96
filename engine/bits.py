"""Bit and number tricks that compiled and plain Python must do alike.

mypyc 2.4 emits a constant left operand of `<<` as a 32-bit C int, also through `i64(...)`, Final names and
locals that it propagates: `i64(1) << 40` is 256 when compiled. So a single bit comes from `bit`, and
tests/engine/test_shift_lint.py refuses the pattern everywhere in the engine.
"""

import struct
from typing import Final

from mypy_extensions import i64

F32_ONE: Final[i64] = 0x3F800000  # the bits of float32 1.0


def bit(k: i64) -> i64:
    """2**k for 0 <= k <= 62. The detour keeps the left operand variable; gcc folds it away."""
    one: i64 = k ^ k
    one += 1
    return one << k


def popcount(x: i64) -> i64:
    """How many bits of a non-negative x are set."""
    n: i64 = 0
    while x:
        x &= x - 1
        n += 1
    return n


def f32_bits(x: float) -> int:
    """The bits of x as a float32, in the signed 32-bit range that a vec[i32] holds."""
    bits: int = struct.unpack("<i", struct.pack("<f", x))[0]
    return bits
