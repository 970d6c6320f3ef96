"""Chance: the numbers stay what they are, look random, and streams do not resemble each other."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from itertools import pairwise

import pytest

from engine import Rng, derive


def test_known_numbers() -> None:
    """sfc32 from the words (12345, 0, 0x2545F491) and counter 1, after twelve rounds, written out anew."""
    a, b, c, n, words = 12345, 0, 0x2545F491, 1, []
    for _ in range(20):
        out = (a + b + n) % 2**32
        a, b, c = b ^ (b >> 9), (c * 9) % 2**32, (((c << 21) | (c >> 11)) + out) % 2**32
        n += 1
        words.append(out)
    rng = Rng(12345)
    assert [rng.next32() for _ in range(8)] == words[12:]


@pytest.mark.parametrize("seed", [-1, 2**63, 2**200])
def test_seeds_out_of_range_are_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        Rng(seed)


def test_state_goes_on_exactly_there() -> None:
    rng = Rng(7)
    rng.next32()
    twin, other = Rng(), Rng()
    twin.set_state(rng.state())
    other.copy_from(rng)
    for same in (twin, other, pickle.loads(pickle.dumps(rng)), copy.deepcopy(rng)):
        assert same.state() == rng.state() and same is not rng
    assert [twin.next32() for _ in range(5)] == [rng.next32() for _ in range(5)]
    for bad in ((1, 2, 3), (1, 2, 3, -1), (1, 2, 3, 2**32)):
        with pytest.raises((ValueError, TypeError)):
            twin.set_state(bad)


def chi_square(counts: Counter[object], cells: int) -> float:
    expected = counts.total() / cells
    return sum((counts[key] - expected) ** 2 for key in counts) / expected + (cells - len(counts)) * expected


@pytest.mark.parametrize("n", [2, 7, 9, 52])
def test_below_is_even(n: int) -> None:
    rng = Rng(derive("even", n))
    drawn = [rng.below(n) for _ in range(20_000)]
    assert set(drawn) == set(range(n))
    assert chi_square(Counter(drawn), n) < n + 5 * (2 * n) ** 0.5
    pairs = Counter(zip(drawn[::2], drawn[1::2], strict=True))
    if n < 10:
        assert chi_square(pairs, n * n) < n * n + 5 * (2 * n * n) ** 0.5


def test_uniform_fills_the_unit_interval() -> None:
    rng = Rng(5)
    drawn = [rng.uniform() for _ in range(20_000)]
    assert 0 <= min(drawn) < 0.001 and 0.999 < max(drawn) < 1
    assert abs(sum(drawn) / len(drawn) - 0.5) < 0.01
    assert chi_square(Counter(int(x * 64) for x in drawn), 64) < 64 + 5 * 128**0.5


def test_derived_streams_are_unrelated() -> None:
    streams = [Rng(derive(1, "pair", i)) for i in range(2000)]
    first = [rng.below(7) for rng in streams]
    assert chi_square(Counter(first), 7) < 25
    assert chi_square(Counter(pairwise(first)), 49) < 98
    second = [rng.below(7) for rng in streams]
    assert chi_square(Counter(zip(first, second, strict=True)), 49) < 98
    words = {rng.next32() for rng in streams}
    assert len(words) > 1998


def test_neighbouring_seeds_are_unrelated() -> None:
    first = [Rng(seed).below(7) for seed in range(4000)]
    assert chi_square(Counter(first), 7) < 25
    assert chi_square(Counter(pairwise(first)), 49) < 98
    high = [Rng(seed << 40).below(7) for seed in range(4000)]
    assert chi_square(Counter(pairwise(high)), 49) < 98


def test_derive_tells_its_parts_apart() -> None:
    parts = [
        (1, 2),
        (12,),
        ("1", 2),
        (1, "2"),
        ("12",),
        ("1", "2"),
        ("1;int:1:2",),
        (2, 1),
        (),
        ("",),
        (-1,),
        (2**90,),
    ]
    seeds = {derive(*part) for part in parts}
    assert len(seeds) == len(parts) and all(0 <= seed < 2**63 for seed in seeds)
    assert derive(1, "pair", 3) == 5090899459558278171
