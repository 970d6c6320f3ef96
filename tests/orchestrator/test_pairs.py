"""The interval of a duel: it covers, it stays finite, and it does not care who is called player 1."""

from __future__ import annotations

import math
import random

import pytest

from orchestrator.ratings.pairs import elo, estimate, t95


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
