from __future__ import annotations

import math
import random
from itertools import combinations

import pytest

from orchestrator.ratings.bradley_terry import Pairing, fit, solve
from orchestrator.ratings.pairs import estimate


def pair(one: str, other: str, score: float) -> list[Pairing]:
    return [Pairing(one, other, score)]


def tournament(
    seed: int, players: int, pairs: int, spread: float = 450, luck: float = 60
) -> tuple[dict[str, float], list[list[Pairing]]]:
    """Round robin; moving first is worth 70 Elo, and each instance favours somebody by `luck` Elo (sd)."""
    rng = random.Random(seed)
    true = {f"p{i:02d}": spread * i / (players - 1) for i in range(players)}

    def play(edge: float) -> float:
        return float(rng.random() < 1 / (1 + 10 ** (-edge / 400)))

    clusters = []
    for one, other in combinations(true, 2):
        for _ in range(pairs):
            favour, edge = rng.gauss(0, luck), true[one] - true[other]
            clusters.append(pair(one, other, (play(edge + 70 + favour) + play(edge - 70 - favour)) / 2))
    return true, clusters


@pytest.mark.parametrize(("pairs", "chance"), [(3, 1.0), (10, 0.5), (25, 0.6), (100, 0.7), (400, 0.9)])
def test_two_players_get_what_their_duel_said(pairs: int, chance: float) -> None:
    rng = random.Random(pairs)
    scores = [sum(rng.random() < chance for _ in range(2)) / 2 for _ in range(pairs)]
    said = estimate(scores)
    assert said is not None
    found = fit([pair("a", "b", score) for score in scores]).difference("a", "b")
    # The prior pulls the middle and the ends a little towards 0, the more the fewer pairs there are.
    assert found.mid == pytest.approx(said.elo, rel=0.1, abs=1)
    # The ends are a sandwich's here and a score interval's there, which part on few pairs.
    if pairs >= 100:
        assert found == pytest.approx((said.elo_low, said.elo, said.elo_high), rel=0.02, abs=2)


def test_the_order_of_pairs_seats_and_names_changes_nothing() -> None:
    _, clusters = tournament(1, 5, 4)
    turned = [[Pairing(p.second, p.first, 1 - p.score) for p in cluster] for cluster in reversed(clusters)]
    renamed = [[Pairing("z" + p.first[::-1], "z" + p.second[::-1], p.score) for p in c] for c in clusters]
    base, other, third = fit(clusters), fit(turned), fit(renamed)
    for one, two in combinations(base.players, 2):
        expected = pytest.approx(base.difference(one, two), abs=1e-6)
        assert other.difference(one, two) == expected
        assert third.difference("z" + one[::-1], "z" + two[::-1]) == expected


def test_ratings_of_a_long_tournament_are_the_true_ones() -> None:
    true, clusters = tournament(2, 6, 400, luck=0)
    ratings, middle = fit(clusters), sum(true.values()) / len(true)
    for name, strength in true.items():
        assert ratings.about_mean(name).mid == pytest.approx(strength - middle, abs=25)
    assert sum(ratings.elo) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("players", "pairs"), [(3, 10), (6, 4), (8, 10)])
def test_intervals_hold_the_truth_about_as_often_as_they_say(players: int, pairs: int) -> None:
    trials = held = 0
    for seed in range(60):
        true, clusters = tournament(seed, players, pairs)
        ratings = fit(clusters)
        for one, other in combinations(true, 2):
            found = ratings.difference(one, other)
            held += found.low <= true[one] - true[other] <= found.high
            trials += 1
    assert 0.92 <= held / trials <= 0.99


def test_exact_repeats_in_one_cluster_do_not_narrow_the_interval() -> None:
    _, clusters = tournament(3, 3, 10)
    once = fit(clusters)
    thrice = fit([cluster * 3 for cluster in clusters])
    naive = fit(clusters * 3)
    for one, other in combinations(once.players, 2):
        first, repeated, wrong = (r.difference(one, other) for r in (once, thrice, naive))
        assert repeated.high - repeated.low == pytest.approx(first.high - first.low, rel=0.12)
        assert wrong.high - wrong.low < 0.75 * (first.high - first.low)


def test_sweeps_and_players_who_never_met_stay_finite_and_undecided() -> None:
    ratings = fit([pair("a", "b", 1.0)] * 3 + [pair("c", "d", 0.5)] * 3)
    assert all(map(math.isfinite, ratings.elo))
    assert ratings.difference("a", "b").mid > 200
    strangers = ratings.difference("a", "c")
    assert strangers.low < -800 and strangers.high > 800
    assert [ratings.rank(name) for name in ratings.players] == [1, 1, 1, 1]


def test_a_rank_is_one_more_than_the_number_of_those_who_are_better() -> None:
    clear = [pair("a", "b", 1.0), pair("a", "b", 0.5)] * 30 + [pair("b", "c", 1.0), pair("b", "c", 0.5)] * 30
    clear += [pair("c", "d", 0.5)] * 30
    ratings = fit(clear)
    assert [ratings.rank(name) for name in "abcd"] == [1, 2, 3, 3]
    assert ratings.difference("a", "a") == (0, 0, 0)


def test_a_table_of_three_is_one_observation() -> None:
    ring = [[Pairing("a", "b", 1.0, 3), Pairing("b", "c", 1.0, 3), Pairing("a", "c", 1.0, 3)]] * 8
    ratings = fit(ring)
    assert ratings.clusters == (8, 8, 8)
    assert ratings.elo[0] > ratings.elo[1] > ratings.elo[2]


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="no complete pair"):
        fit([])
    with pytest.raises(ValueError, match="between 0 and 1, got 2"):
        fit([pair("a", "b", 2.0)])


def test_solve() -> None:
    matrix = [[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]]
    answer = solve(matrix, [[1.0], [2.0], [3.0]])
    product = [sum(a * x[0] for a, x in zip(row, answer, strict=True)) for row in matrix]
    assert product == pytest.approx([1.0, 2.0, 3.0])
