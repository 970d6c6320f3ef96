"""The ratio is fastchess's, the errors are the nominal ones, and what is said after a test is not too good."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest

from orchestrator.ratings.pairs import estimate, expected
from orchestrator.ratings.sprt import Sprt, Walk, likeliest_at_mean, likeliest_at_size, llr, promoted

SCORES = [0, 0.25, 0.5, 0.75, 1]


def pairs_of(ll, ld, wl, dd, wd, ww) -> tuple[int, ...]:
    return ll, ld, wl + dd, wd, ww


def matches_of(won, lost, drawn) -> tuple[int, ...]:
    return lost, drawn, won


@pytest.mark.parametrize(
    ("counts", "elo0", "elo1", "normalized", "value"),
    [
        (matches_of(36433, 36027, 68692), 0, 2, True, 0.92),
        (matches_of(10871, 10650, 20431), -1.75, 0.25, True, 2.30),
        (matches_of(4250, 0, 0), 0, 10, True, 120.56),
        (matches_of(21404, 21184, 40708), 0.5, 2.5, False, -1.57),
        (matches_of(57433, 57030, 106593), 0, 2, False, -2.59),
        (pairs_of(365, 16618, 36029, 200, 16974, 390), 0, 2, True, 2.25),
        (pairs_of(127, 4883, 10311, 401, 5150, 104), -1.75, 0.25, True, 3.01),
        (pairs_of(0, 0, 0, 0, 0, 5550), 0, 5, True, 111.82),
        (pairs_of(223, 9863, 20279, 1000, 10037, 246), 0.5, 2.5, False, -3.07),
        (pairs_of(871, 26175, 55003, 980, 26678, 821), 0, 2, False, -4.98),
    ],
)
def test_the_values_of_fastchess(counts, elo0, elo1, normalized, value) -> None:
    """app/tests/sprt_test.cpp, all but its two of BayesElo, a third unit."""
    assert llr(counts, elo0, elo1, normalized) == pytest.approx(value, rel=0.01)


def test_bounds() -> None:
    assert Sprt(0, 5).bounds == pytest.approx((-2.9444, 2.9444), abs=1e-4)
    assert Sprt(0, 5, 0.01, 0.1).bounds == pytest.approx((math.log(0.1 / 0.99), math.log(90)))


@pytest.mark.parametrize("size", [-1.2, -0.2, 0, 0.02, 0.2, 1.2])
def test_the_likeliest_distribution_is_one_and_no_other_is_likelier(size) -> None:
    rng = random.Random(f"{size}")
    for _ in range(40):
        counts = [rng.choice([0.001, 1, 3, 10, 100]) for _ in SCORES]
        seen = [n / sum(counts) for n in counts]
        found = likeliest_at_size(seen, SCORES, size)
        assert sum(found) == pytest.approx(1, abs=1e-6)
        assert size_of(found) == pytest.approx(size, abs=1e-5)
        for _ in range(5):
            other = moved([p * math.exp(rng.gauss(0, 0.2)) for p in found], size)
            if abs(size_of(other) - size) < 1e-9:
                assert likelihood(seen, other) <= likelihood(seen, found) + 1e-6


def size_of(chances) -> float:
    mean = sum(p * x for p, x in zip(chances, SCORES, strict=True))
    return (mean - 0.5) / math.sqrt(sum(p * (x - mean) ** 2 for p, x in zip(chances, SCORES, strict=True)))


def moved(weights, size) -> list[float]:
    """Tilted exponentially until it has the size."""
    low, high = -40.0, 40.0
    for _ in range(80):
        tilt = (low + high) / 2
        tilted = [w * math.exp(tilt * (x - 0.5)) for w, x in zip(weights, SCORES, strict=True)]
        chances = [w / sum(tilted) for w in tilted]
        low, high = (low, tilt) if size_of(chances) > size else (tilt, high)
    return chances


def likelihood(seen, chances) -> float:
    return sum(p * math.log(q) for p, q in zip(seen, chances, strict=True))


def test_the_likeliest_distribution_at_a_mean() -> None:
    found = likeliest_at_mean([0.2, 0.1, 0.4, 0.2, 0.1], SCORES, 0.6)
    assert sum(p * x for p, x in zip(found, SCORES, strict=True)) == pytest.approx(0.6)
    assert sum(found) == pytest.approx(1)


@pytest.mark.parametrize("normalized", [True, False])
@pytest.mark.parametrize("pairs", [1, 2, 17, 146, 200, 5000])
def test_sweeps_and_all_draws_come_to_an_end(pairs, normalized) -> None:
    test = Sprt(0, 50, normalized=normalized)
    won, lost, drawn = (
        test.llr(counts) for counts in ([0, 0, 0, 0, pairs], [pairs, 0, 0, 0, 0], [0, 0, pairs, 0, 0])
    )
    assert won > 0 > lost and math.isfinite(drawn) and drawn < 0.1
    assert test.llr([0] * 5) == 0


def test_a_test_of_two_sure_players_is_short() -> None:
    test = Sprt(0, 50, normalized=True)
    ended = next(n for n in range(1, 100) if test.outcome([0, 0, 0, 0, n], n, 10_000))
    assert ended < 25 and test.outcome([0, 0, 0, 0, ended], ended, 0) == "H1"
    assert test.outcome([0, 0, 0, 0, ended], 1.0, 10_000) is None  # one pair again and again


# ── simulated duels ──────────────────────────────────────────────────────────────────────────────────


def duel(rng, test, scores, left=10**6):
    counts, n, outcome = [0] * 5, 0, None
    while outcome is None and n < left:
        counts[sum(rng.choices((0, 1, 2), scores[side])[0] for side in (0, 1))] += 1
        n += 1
        outcome = test.outcome(counts, n, left - n)
    return outcome, counts, n


def sides(elo, draws=0.2, edge=0.1):
    """Chances of 0, ½ and 1 on the first and on the second seat, for players so far apart."""
    mean = expected(elo)
    return [(1 - m - draws / 2, draws, m - draws / 2) for m in (mean + edge, mean - edge)]


def test_the_errors_are_the_nominal_ones_and_it_is_shorter_than_a_fixed_length() -> None:
    """Small: `benchmarks/stopping.py` has the figures. Hypotheses far apart, so that it is quick."""
    rng, test, runs = random.Random(2), Sprt(0, 80), 400
    false = [duel(rng, test, sides(0))[0] == "H1" for _ in range(runs)]
    ends = [duel(rng, test, sides(80)) for _ in range(runs)]
    missed = [outcome == "H0" for outcome, _, _ in ends]
    assert 0.02 <= sum(false) / runs <= 0.08 and 0.02 <= sum(missed) / runs <= 0.08
    win_rate = expected(80)
    variance = sum(w + d / 4 - (w + d / 2) ** 2 for _, d, w in sides(80)) / 4
    fixed = ((1.645 + 1.645) / (win_rate - 0.5)) ** 2 * variance
    assert sum(n for _, _, n in ends) / runs <= 0.6 * fixed


def test_what_is_said_after_it_is_median_unbiased_and_covers() -> None:
    rng, test, runs = random.Random(8), Sprt(0, 80), 300
    for true in (0, 80):
        ends = [duel(rng, test, sides(true)) for _ in range(runs)]
        found = [test.after(counts, n) for _, counts, n in ends]
        assert sum(each.low <= true <= each.high for each in found) / runs >= 0.92
        assert 0.42 <= sum(each.elo > true for each in found) / runs <= 0.58


def test_a_test_that_did_not_end_says_what_the_estimate_says() -> None:
    counts, test = (40, 60, 100, 62, 61), Sprt(-2, 2, 1e-6, 1e-6)  # its bounds are far
    found = test.after(counts, 323)
    usual = estimate([i / 4 for i, n in enumerate(counts) for _ in range(n)])
    assert (found.low, found.elo, found.high) == pytest.approx(
        (usual.elo_low, usual.elo, usual.elo_high), abs=0.5
    )


def test_it_gives_up_when_the_pairs_that_are_left_are_too_few() -> None:
    test, level = Sprt(0, 20), [20, 10, 40, 10, 20]
    assert test.outcome(level, 100, 10_000) is None
    assert test.outcome(level, 100, 50) == "futile"
    rng = random.Random(6)
    ends = [duel(rng, Sprt(0, 80), sides(80), left=200)[0] for _ in range(200)]
    assert ends.count("H1") >= 180  # it gives nothing up that would have been accepted


@pytest.mark.parametrize(("side", "place"), [(1, 4.0), (-1, -3.0), (0, 1.0), (0, -2.0)])
def test_a_walk_between_bounds_is_that_of_simulation(side, place) -> None:
    rng, walk, step, runs = random.Random(5), Walk(-3.0, 4.0, 5.0, place, side), 0.1, 1500
    shift = 0.5826 * math.sqrt(step)  # bounds looked at now and then lie as much further away
    for drift in (-0.3, 0.4):
        hits = 0
        for _ in range(runs):
            at, time = 0.0, 0.0
            while time < walk.time and walk.low + shift < at < walk.high - shift:
                at, time = at + drift * step + rng.gauss(0, math.sqrt(step)), time + step
            top, bottom = at >= walk.high - shift, at <= walk.low + shift
            hits += not bottom if side < 0 else top or (side == 0 and not bottom and at >= place)
        assert walk.above(drift) == pytest.approx(hits / runs, abs=0.04)


def test_a_walk_grows_with_its_drift_however_far() -> None:
    for side, place in ((1, 40.0), (0, 3.0), (-1, -9.0)):
        chances = [Walk(-9.0, 40.0, 30.0, place, side).above(drift / 10) for drift in range(-80, 81)]
        assert all(a <= b + 1e-9 for a, b in pairwise(chances))
        assert chances[0] == pytest.approx(0, abs=1e-9) and chances[-1] == pytest.approx(1)


# ── a fixed length ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("games", "chance"), [(20, 0.252), (50, 0.240), (100, 0.136), (200, 0.069), (400, 0.020)]
)
def test_55_percent_of_so_many_games_promotes_an_equal_player(games, chance) -> None:
    assert promoted(games) == pytest.approx(chance, abs=5e-4)


def test_promotion_with_draws() -> None:
    # by hand: two games, more than 55 % is 1½ points or 2
    assert promoted(2, 0.5, 0.5) == pytest.approx(0.25**2 + 2 * 0.25 * 0.5)
    assert promoted(200, 0.55, 0.1) == pytest.approx(0.48, abs=0.02)
    assert promoted(10, 1.0) == 1 and promoted(10, 0.0) == 0
    with pytest.raises(ValueError, match="no room"):
        promoted(10, 0.9, 0.5)


@pytest.mark.parametrize("asked", [(5, 5), (10, 0), (0, 2000), (0, 5, 0.6), (0, 5, 0.05, 0)])
def test_what_cannot_be_tested(asked) -> None:
    with pytest.raises(ValueError, match="expected"):
        Sprt(*asked)
    with pytest.raises(ValueError, match="±300"):
        Sprt(0, 400, normalized=True)
