"""The interval of a duel: it covers, it stays finite, and it does not care who is called player 1."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from orchestrator.ratings.pairs import NELO_PER_SIGMA, Repeats, elo, estimate, expected, seen, t95, t_below


def play(rng: random.Random, seats: tuple[float, float], draws: float) -> float:
    """A pair's score for a player who scores `seats[0]` moving first and `seats[1]` moving second."""
    total = 0.0
    for mean in seats:
        drawn = min(draws, 2 * min(mean, 1 - mean))
        luck = rng.random()
        total += 1 if luck < mean - drawn / 2 else 0.5 if luck < mean + drawn / 2 else 0
    return total / 2


@pytest.mark.parametrize("pairs", [5, 10, 25, 50, 200])
@pytest.mark.parametrize(
    ("seats", "draws"),
    [
        ((0.5, 0.5), 0.1),
        ((0.5, 0.5), 0.6),
        ((0.7, 0.3), 0.1),
        ((0.75, 0.65), 0.1),
        ((0.9, 0.85), 0.05),
        ((0.97, 0.95), 0.02),
    ],
)
def test_a_95_percent_interval_covers(pairs, seats, draws) -> None:
    rng = random.Random(f"{pairs}{seats}{draws}")
    mean = sum(seats) / 2
    truth = elo(mean)
    duels = [estimate([play(rng, seats, draws) for _ in range(pairs)]) for _ in range(600)]
    covered = sum(found.elo_low <= truth <= found.elo_high for found in duels) / len(duels)
    assert covered >= (0.92 if mean > 0.95 else 0.93)
    assert covered <= 0.985 or pairs <= 25


@pytest.mark.parametrize("pairs", [5, 10, 50])
@pytest.mark.parametrize("chance", [0.5, 0.75, 0.9])
def test_it_covers_where_both_matches_of_a_pair_go_the_same_way(pairs, chance) -> None:
    rng = random.Random(f"{pairs}{chance}")
    duels = [estimate([float(rng.random() < chance) for _ in range(pairs)]) for _ in range(600)]
    assert sum(found.elo_low <= elo(chance) <= found.elo_high for found in duels) / len(duels) >= 0.925


@pytest.mark.parametrize("scores", [[1.0], [0.0] * 3, [1.0] * 500, [0.5] * 100, [0.5]])
def test_sweeps_and_all_draws_stay_finite(scores) -> None:
    found = estimate(scores)
    assert all(map(math.isfinite, (found.elo_low, found.elo, found.elo_high)))
    assert found.elo_low < found.elo < found.elo_high
    assert found.score == scores[0]


def test_no_pairs_no_estimate() -> None:
    assert estimate([]) is None


def test_naming_the_other_player_first_flips_the_sign() -> None:
    scores = [1, 0.5, 0.75, 0, 1, 1, 0.5]
    one, two = estimate(scores), estimate([1 - score for score in scores])
    assert one.elo == pytest.approx(-two.elo)
    assert (one.elo_low, one.elo_high) == pytest.approx((-two.elo_high, -two.elo_low))


@pytest.mark.parametrize("scores", [[1.0], [1.0, 0.5, 0.75, 0.0, 1.0]])
def test_exact_repeats_are_no_more_evidence(scores) -> None:
    once, often = estimate(scores), estimate(scores * 20, independent=len(scores))
    assert often.pairs == 20 * len(scores)
    assert (often.score, often.elo, often.elo_low, often.elo_high) == pytest.approx(
        (once.score, once.elo, once.elo_low, once.elo_high)
    )
    assert estimate(scores, independent=len(scores)) == once
    assert not estimate([1.0] * 20, independent=1).decided and estimate([1.0] * 20).decided


@pytest.mark.parametrize("distinct", [0, 3])
def test_there_are_no_more_distinct_pairs_than_pairs(distinct) -> None:
    with pytest.raises(ValueError, match="between 1 and 2 are distinct"):
        estimate([1.0, 0.5], distinct)


def test_few_pairs_decide_nothing_and_many_do() -> None:
    assert not estimate([1.0, 0.5]).decided
    assert [estimate([1.0] * pairs).decided for pairs in (5, 6, 7, 8)] == [False, False, True, True]
    assert estimate([0.75] * 30 + [0.5] * 10).decided
    assert not estimate([0.5, 1, 0, 0.5] * 20).decided


@pytest.mark.parametrize(("df", "value"), [(1, 12.7062), (2, 4.3027), (4, 2.7764), (9, 2.2622), (30, 2.0423)])
def test_students_t(df, value) -> None:
    assert t95(df) == pytest.approx(value, rel=0.01)


@pytest.mark.parametrize(
    ("t", "df", "value"),
    [
        (1, 1, 0.75),
        (2, 2, 0.908248),
        (1.5, 5, 0.903048),
        (2.262157, 9, 0.975),
        (-2.776445, 4, 0.025),
        (0, 7, 0.5),
    ],
)
def test_what_lies_below_a_value_of_students_t(t, df, value) -> None:
    assert t_below(t, df) == pytest.approx(value, abs=1e-6)
    assert t_below(t, 10**6) == pytest.approx(t_below(t, 1000))


# ── what the field computes: fastchess, app/tests/elo_test.cpp ───────────────────────────────────────


def pairs_of(ll, ld, wl, dd, wd, ww) -> list[float]:
    return [0.0] * ll + [0.25] * ld + [0.5] * (wl + dd) + [0.75] * wd + [1.0] * ww


def matches_of(won, lost, drawn) -> list[float]:
    return [0.0] * lost + [0.5] * drawn + [1.0] * won


@pytest.mark.parametrize(
    ("scores", "matches", "nelo", "nelo_error", "points", "error", "los"),
    [
        (matches_of(76, 89, 123), 1, -20.76, 40.13, None, None, 0.1553),
        (matches_of(136, 96, 111), 1, 49.77, 36.77, 40.70, 30.43, 0.9960),
        (matches_of(34, 356, 0), 1, -508.44, 34.48, None, None, None),
        (pairs_of(34, 54, 31, 32, 64, 75), 2, 57.94, 28.28, 55.58, 27.65, 1.0),
        (pairs_of(332, 433, 457, 41, 333, 334), 2, -9.17, 10.96, -8.64, 10.33, 0.0505),
        (pairs_of(7895, 8757, 5485, 200, 568, 9999), 2, -19.01, 2.65, -21.04, 2.95, None),
    ],
)
def test_the_values_of_fastchess(scores, matches, nelo, nelo_error, points, error, los) -> None:
    """Within 1 %. Its error of nElo holds the spread for known; so it is taken from our interval of the score here."""
    found = estimate(scores)
    per_match = math.sqrt(2 / matches)
    assert found.nelo * per_match == pytest.approx(nelo, rel=0.01)
    mean, spread, _ = seen(Counter(scores), len(scores))
    half = (expected(found.elo_high) - expected(found.elo_low)) / 2
    held = half / math.sqrt(matches * spread * mean * (1 - mean)) * NELO_PER_SIGMA
    assert held == pytest.approx(nelo_error, rel=0.01)
    if points is not None:
        assert found.elo == pytest.approx(points, rel=0.01)
        assert (found.elo_high - found.elo_low) / 2 == pytest.approx(error, rel=0.01)
    if los is not None:
        assert found.los == pytest.approx(los, rel=0.01)


def test_normalized_elo_covers_far_from_equality_where_holding_the_spread_does_not() -> None:
    rng, chance = random.Random(9), 34 / 390
    true = (chance - 0.5) / math.sqrt(2 * chance * (1 - chance)) * NELO_PER_SIGMA
    covered = held = 0
    for _ in range(300):
        found = estimate([float(rng.random() < chance) for _ in range(390)])
        covered += found.nelo_low <= true <= found.nelo_high
        held += abs(found.nelo - true) <= 1.96 * NELO_PER_SIGMA / math.sqrt(2 * 390)
    assert covered / 300 >= 0.93 and held / 300 <= 0.6


@pytest.mark.parametrize("scores", [[1.0] * 6, [1.0] * 7, [0.5, 1.0, 0.75, 0.5], [0.25] * 3, [0.5] * 9])
def test_all_figures_of_an_estimate_tell_one_story(scores) -> None:
    found = estimate(scores)
    assert (found.elo_low > 0) == (found.nelo_low > 0) == (found.los > 0.975)
    assert found.nelo_low < found.nelo < found.nelo_high
    mirrored = estimate([1 - score for score in scores])
    assert mirrored.los == pytest.approx(1 - found.los)
    assert mirrored.nelo == pytest.approx(-found.nelo)


def test_repeats_amount_to_less_than_there_are_different_pairs() -> None:
    assert Repeats().independent == 0
    assert Repeats("abcd").independent == 4
    assert Repeats("aabbccdd").independent == pytest.approx(4)
    assert Repeats("aaaaaaaa").independent == 1
    assert Repeats("a" * 81 + "bcdefghijklmnopqrst").independent == pytest.approx(100**2 / (81**2 + 19))
