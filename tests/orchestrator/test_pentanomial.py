"""The shape of a duel: counts, the seat, what pairing gained."""

from __future__ import annotations

import math
import random

import pytest

from orchestrator.ratings.pairs import expected
from orchestrator.ratings.pentanomial import Sides, counts, pairing_gain, seat_effect, shape


def play(rng: random.Random, difference: float, seat: float, draws: float = 0.1) -> Sides:
    scores = []
    for side in (1, -1):
        mean = expected(difference + side * seat)
        drawn = min(draws, 2 * min(mean, 1 - mean))
        luck = rng.random()
        scores.append(1.0 if luck < mean - drawn / 2 else 0.5 if luck < mean + drawn / 2 else 0.0)
    return Sides(*scores)


@pytest.mark.parametrize(("difference", "seat"), [(0, 35), (100, 70), (300, 70), (-200, 150), (400, 20)])
@pytest.mark.parametrize("pairs", [10, 40, 200])
def test_the_seat_effect_is_covered_also_between_unequal_players(difference, seat, pairs) -> None:
    rng = random.Random(f"{difference}{seat}{pairs}")
    duels = [seat_effect([play(rng, difference, seat) for _ in range(pairs)], pairs) for _ in range(400)]
    assert sum(found.low <= seat <= found.high for found in duels) / len(duels) >= 0.92


def test_renaming_the_players_leaves_the_seat_and_turning_the_seats_flips_it() -> None:
    rng = random.Random(3)
    pairs = [play(rng, 80, 60) for _ in range(50)]
    found = seat_effect(pairs, 50)
    assert seat_effect([Sides(1 - b, 1 - a) for a, b in pairs], 50) == pytest.approx(found)
    turned = seat_effect([Sides(b, a) for a, b in pairs], 50)
    assert turned == pytest.approx((-found.high, -found.elo, -found.low))


def test_a_sweep_says_nothing_of_the_seat() -> None:
    for pairs in ([Sides(1, 1)] * 100, [Sides(0, 0)] * 3):
        found = seat_effect(pairs, len(pairs))
        assert found.elo == pytest.approx(0) and found.high > 300 and math.isfinite(found.high)
    assert seat_effect([Sides(1, 0)] * 100, 100).low > 200


def test_exact_repeats_say_no_more_of_the_seat() -> None:
    pairs = [Sides(1, 0), Sides(1, 0.5), Sides(0.5, 0)]
    assert seat_effect(pairs * 20, 3) == pytest.approx(seat_effect(pairs, 3))


def test_the_gain_of_pairing_is_the_arithmetic_one() -> None:
    rng = random.Random(4)
    for edge, gain in ((35, 0.99), (100, 0.92), (200, 0.73), (400, 0.33)):
        # the edge of the first mover in a match is the whole difference of expected scores
        pairs = [play(rng, 0, edge, draws=0) for _ in range(20_000)]
        assert pairing_gain(pairs) == pytest.approx(gain, abs=0.02)
    assert pairing_gain([Sides(1, 0)] * 9) == 0
    assert pairing_gain([Sides(1, 1), Sides(0, 0)]) == 2
    assert pairing_gain([Sides(0.5, 0.5)] * 9) is None


def test_counts_draws_and_no_pair() -> None:
    pairs = [Sides(1, 1), Sides(1, 0), Sides(0.5, 0.5), Sides(0, 0.5), Sides(0, 0), Sides(0.5, 1)]
    found = shape(pairs, 6)
    assert found.counts == (1, 1, 2, 1, 1)
    assert found.draws == pytest.approx(4 / 12)
    assert shape([], 0) is None
    with pytest.raises(ValueError, match="0, ¼, ½, ¾ or 1"):
        counts([0.3])
