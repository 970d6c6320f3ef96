"""The one source of chance: a small generator whose numbers are the same compiled and as plain Python.

`Rng` is sfc32 (Chris Doty-Humphrey's Small Fast Counting generator): 128 bits of state, 32-bit words, no
product, so every intermediate fits 63 bits. `derive` turns names and numbers into seeds of independent
streams. Left out: distributions beyond what games need, and any global generator.
"""

import hashlib
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

WORD: Final[i64] = 0xFFFFFFFF
WARM_UP: Final[i64] = 12  # rounds after which every seed bit has reached every state bit
SEED_LIMIT: Final = 1 << 63


def derive(*parts: int | str) -> int:
    """A seed in [0, 2**63) for the stream named by `parts`, e.g. derive(run_seed, "pair", 3).

    Different parts give unrelated seeds (BLAKE2b); 1 and "1" are different parts.
    """
    text = "".join(f"{type(p).__name__}:{len(str(p))}:{p};" for p in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


@final
@mypyc_attr(acyclic=True)
class Rng:
    """A seeded stream. Copy it by `state`/`set_state`, or pickle it."""

    def __init__(self, seed: int = 0) -> None:
        """`seed` in [0, 2**63); ValueError otherwise."""
        if not 0 <= seed < SEED_LIMIT:
            raise ValueError(f"a seed is an integer from 0 to 2**63 - 1, got {seed}")
        self._a: i64 = seed & 0xFFFFFFFF
        self._b: i64 = seed >> 32
        self._c: i64 = 0x2545F491
        self._n: i64 = 1
        for _ in range(WARM_UP):
            self.next32()

    def next32(self) -> i64:
        """The next 32 random bits, as an integer in [0, 2**32)."""
        b: i64 = self._b
        c: i64 = self._c
        n: i64 = self._n
        out: i64 = (self._a + b + n) & WORD
        self._n = (n + 1) & WORD
        self._a = b ^ (b >> 9)
        self._b = (c + (c << 3)) & WORD
        self._c = (((c << 21) | (c >> 11)) + out) & WORD
        return out

    def below(self, n: i64) -> i64:
        """An integer in [0, n), 1 <= n <= 2**31; uneven by at most n / 2**32."""
        return (self.next32() * n) >> 32

    def uniform(self) -> float:
        """A float in [0, 1), a multiple of 2**-53."""
        high: i64 = self.next32() >> 5
        low: i64 = self.next32() >> 6
        return float(high * 67108864 + low) / 9007199254740992.0

    def state(self) -> tuple[int, int, int, int]:
        """Four 32-bit words from which `set_state` goes on exactly here."""
        return (int(self._a), int(self._b), int(self._c), int(self._n))

    def set_state(self, state: tuple[int, int, int, int]) -> None:
        """ValueError unless `state` is four integers in [0, 2**32)."""
        if len(state) != 4 or any(not 0 <= word <= 0xFFFFFFFF for word in state):
            raise ValueError(f"a generator's state is four integers from 0 to 2**32 - 1, got {state!r}")
        self._a = state[0]
        self._b = state[1]
        self._c = state[2]
        self._n = state[3]

    def copy_from(self, other: "Rng") -> None:
        """Go on from where `other` stands."""
        self._a = other._a
        self._b = other._b
        self._c = other._c
        self._n = other._n

    def __reduce__(self) -> tuple[object, ...]:
        return (rng_at, self.state())


def rng_at(a: int, b: int, c: int, n: int) -> Rng:
    """The generator in that state (what pickle calls)."""
    rng = Rng()
    rng.set_state((a, b, c, n))
    return rng
