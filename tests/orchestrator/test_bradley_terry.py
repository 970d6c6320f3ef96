from __future__ import annotations

import math
import random
from itertools import combinations

import pytest

from benchmarks.tournaments import FIRST, Clusters, Tournament, balanced, endless, lopsided, tables
from orchestrator.ratings.bradley_terry import Ratings, Result, count, fit
from orchestrator.ratings.linear import solve
from orchestrator.ratings.pairs import ELO_PER_LOGIT, estimate


def pair(one: str, other: str, score: float) -> list[Result]:
    """Both matches of a pair, in each of which `one` scored so much."""
    return [Result((one, other), (score, 1 - score)), Result((other, one), (1 - score, score))]


def rated(clusters: Clusters, davidson: bool = False) -> Ratings:
    return fit(count(clusters), davidson=davidson)


SMALL = Tournament(players=5)


@pytest.mark.parametrize(("pairs", "chance"), [(3, 1.0), (10, 0.5), (25, 0.6), (100, 0.7), (400, 0.9)])
def test_two_players_get_what_their_duel_said(pairs: int, chance: float) -> None:
    rng = random.Random(pairs)
    scores = [sum(rng.random() < chance for _ in range(2)) / 2 for _ in range(pairs)]
    said = estimate(scores)
    assert said is not None
    found = rated([pair("a", "b", score) for score in scores]).difference("a", "b")
    # The prior pulls the middle and the ends a little towards 0, the more the fewer pairs there are.
    assert found.mid == pytest.approx(said.elo, rel=0.1, abs=1)
    # The ends are a sandwich's here and a score interval's there, which part on few pairs.
    if pairs >= 100:
        assert found == pytest.approx((said.elo_low, said.elo, said.elo_high), rel=0.02, abs=2)


@pytest.mark.parametrize("davidson", [False, True])
def test_the_order_of_matches_seats_and_names_changes_nothing(davidson: bool) -> None:
    clusters = balanced(SMALL, 1, 4)
    shuffled = [[*reversed(cluster)] for cluster in reversed(clusters)]
    renamed = [[Result(tuple("z" + n[::-1] for n in r.players), r.scores) for r in c] for c in clusters]
    base, other, third = (rated(each, davidson) for each in (clusters, shuffled, renamed))
    assert other.seat_effect(2, 0) == pytest.approx(base.seat_effect(2, 0), abs=1e-6)
    for one, two in combinations(base.players, 2):
        expected = pytest.approx(base.difference(one, two), abs=1e-6)
        assert other.difference(one, two) == expected
        assert third.difference("z" + one[::-1], "z" + two[::-1]) == expected


@pytest.mark.parametrize("davidson", [False, True])
def test_to_swap_all_seats_turns_the_sign_of_the_seat_alone(davidson: bool) -> None:
    clusters = lopsided(SMALL, 2)
    swapped = [[Result(r.players[::-1], r.scores[::-1]) for r in cluster] for cluster in clusters]
    base, other = rated(clusters, davidson), rated(swapped, davidson)
    low, mid, high = base.seat_effect(2, 0)
    assert other.seat_effect(2, 0) == pytest.approx((-high, -mid, -low))
    assert other.elo == pytest.approx(base.elo)


def test_who_is_better_at_all_draws_and_at_reversed_results() -> None:
    clusters = balanced(SMALL, 3)
    turned = [[Result(r.players, tuple(-score for score in r.scores)) for r in c] for c in clusters]
    assert rated(turned).elo == pytest.approx([-elo for elo in rated(clusters).elo])
    draws = rated([pair("a", "b", 0.5)] * 4)
    assert draws.elo == pytest.approx([0, 0], abs=1e-9) and draws.difference("a", "b").high > 50


@pytest.mark.parametrize("davidson", [False, True])
def test_every_player_scores_what_is_expected_of_it(davidson: bool) -> None:
    """Up to the prior and the imaginary pair, which a thousandfold tournament leaves no weight."""
    clusters = lopsided(Tournament(players=4), 4) * 1000
    ratings = rated(clusters, davidson)
    ties = ratings.values[-1] / ELO_PER_LOGIT
    actual, expected = dict.fromkeys(ratings.players, 0.0), dict.fromkeys(ratings.players, 0.0)
    draws = expected_draws = 0.0
    first = ratings.seat_effect(2, 0).mid
    for (result,) in clusters[: len(clusters) // 1000]:
        d = (ratings.difference(*result.players).mid + first) / ELO_PER_LOGIT
        if davidson:
            win, draw, loss = math.exp(d / 2), math.exp(ties), math.exp(-d / 2)
            chance = (win + draw / 2) / (win + draw + loss)
            expected_draws += draw / (win + draw + loss)
        else:
            chance = 1 / (1 + math.exp(-d))
        draws += result.scores[0] == 0.5
        for name, score, share in zip(result.players, result.scores, (chance, 1 - chance), strict=True):
            actual[name] += score
            expected[name] += share
    assert expected == pytest.approx(actual, abs=0.01)
    assert not davidson or expected_draws == pytest.approx(draws, abs=0.01)


def test_the_fit_is_the_highest_point_of_the_posterior() -> None:
    """Against the log posterior itself, written down apart: no small step in any direction goes up."""
    clusters = balanced(Tournament(players=3), 5, 2)
    counts = count(clusters)
    values = [value / ELO_PER_LOGIT for value in fit(counts).values]

    def height(at: list[float]) -> float:
        total = -sum((value * ELO_PER_LOGIT / 500) ** 2 / 2 for value in at)
        for result in (result for cluster in clusters for result in cluster):
            i, j = (counts.players.index(name) for name in result.players)
            d = at[i] - at[j] + at[3] - at[4]
            total += result.scores[0] * -math.log1p(math.exp(-d))
            total += result.scores[1] * -math.log1p(math.exp(d))
        for i, j in combinations(range(3), 2):  # each player's imaginary pair, shared between two opponents
            for d in (at[i] - at[j], at[j] - at[i]):
                total -= 0.5 * math.log1p(math.exp(-d))
        return total

    for k in range(len(values)):
        for step in (-1e-3, 1e-3):
            assert height([v + step * (k == m) for m, v in enumerate(values)]) < height(values)


def test_a_long_tournament_finds_seat_draws_and_ratings() -> None:
    of = Tournament(players=6)
    clusters = balanced(of, 6, 400)
    davidson, half_tie = rated(clusters, davidson=True), rated(clusters)
    assert davidson.seat_effect(2, 0).mid == pytest.approx(FIRST, abs=8)
    assert davidson.tie_rate.mid == pytest.approx(of.draws, abs=0.01)
    at_last = endless(of)
    for one, other in combinations(of.strength, 2):
        assert davidson.difference(one, other).mid == pytest.approx(
            of.strength[one] - of.strength[other], abs=25
        )
        assert half_tie.difference(one, other).mid == pytest.approx(
            at_last.difference(one, other).mid, abs=25
        )
    win, draw, loss = davidson.expected("p05", "p00")
    assert win + draw + loss == pytest.approx(1) and win > 0.8 > draw > loss


def test_seats_shared_unevenly_do_not_make_ratings() -> None:
    equals = Tournament(players=4, spread=0)
    rng, skewed = random.Random(7), []
    for one, other in combinations(equals.strength, 2):
        for _ in range(300):
            two = (one, other) if rng.random() < 0.9 else (other, one)
            skewed.append([equals.play(rng, *two)])
    ratings = rated(skewed)
    assert ratings.difference("p00", "p03").low < 0 < ratings.difference("p00", "p03").high
    assert ratings.seat_effect(2, 0).low > 30


@pytest.mark.parametrize("seats", [3, 4, 6])
def test_a_table_is_the_comparisons_of_its_players(seats: int) -> None:
    of = Tournament(players=8, seats=seats)
    ratings = rated(tables(of, 8, deals=400, luck=0))
    for one, other in combinations(of.strength, 2):
        found = ratings.difference(one, other)
        assert found.mid == pytest.approx(of.strength[one] - of.strength[other], abs=60)
    effects = [ratings.seat_effect(seats, seat).mid for seat in range(seats)]
    assert effects == sorted(effects, reverse=True)
    assert sum(effects) == pytest.approx(0, abs=1e-6)


def test_tables_of_different_sizes_are_rated_together() -> None:
    of = Tournament(players=8)
    both = balanced(of, 9) + tables(Tournament(players=8, seats=4), 9)
    ratings = rated(both)
    assert ratings.seats == ((2, 0), (2, 1), (4, 0), (4, 1), (4, 2), (4, 3))
    assert ratings.elo[-1] > ratings.elo[0] + 200


def test_exact_repeats_in_one_cluster_do_not_narrow_the_interval() -> None:
    clusters = balanced(Tournament(players=3), 3)
    once = rated(clusters)
    thrice = rated([cluster * 3 for cluster in clusters])
    naive = rated(clusters * 3)
    for one, other in combinations(once.players, 2):
        first, repeated, wrong = (r.difference(one, other) for r in (once, thrice, naive))
        assert repeated.high - repeated.low == pytest.approx(first.high - first.low, rel=0.12)
        assert wrong.high - wrong.low < 0.75 * (first.high - first.low)


def test_sweeps_and_players_who_never_met_stay_finite_and_undecided() -> None:
    clusters = [pair("a", "b", 1.0)] * 3 + [pair("c", "d", 0.5)] * 3
    for davidson in (False, True):
        ratings = rated(clusters, davidson)
        assert all(map(math.isfinite, ratings.values))
        assert ratings.difference("a", "b").mid > 200
        strangers = ratings.difference("a", "c")
        assert strangers.low < -800 and strangers.high > 800
    long = rated([pair("a", "b", 1.0)] * 10_000)
    assert long.difference("a", "b").low > 1000 and math.isfinite(long.difference("a", "b").high)


def test_a_table_of_three_is_one_observation() -> None:
    ratings = rated([[Result(("a", "b", "c"), (3, 2, 1))] * 3] * 8)
    assert ratings.clusters == (8, 8, 8)
    assert ratings.difference("a", "a") == (0, 0, 0)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to rate"):
        count([])
    with pytest.raises(ValueError, match="nothing to rate"):
        count([[Result(("a", "a"), (1, 0))]])
    with pytest.raises(ValueError, match="one score for each of its 2 seats"):
        count([[Result(("a", "b"), (1.0,))]])


def test_solve() -> None:
    matrix = [[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]]
    answer = solve(matrix, [[1.0], [2.0], [3.0]])
    product = [sum(a * x[0] for a, x in zip(row, answer, strict=True)) for row in matrix]
    assert product == pytest.approx([1.0, 2.0, 3.0])


def test_the_same_ratings_as_arena_rank() -> None:
    """On its own ground: it has no seats, so each match counts from either side; so many that no prior matters.

    Skipped where it is not installed (it wants jax).
    """
    arena = pytest.importorskip("arena_rank.models.bradley_terry")
    datasets = pytest.importorskip("arena_rank.utils.data_utils")
    pandas = pytest.importorskip("pandas")
    played = [result for cluster in balanced(SMALL, 10, 500) for result in cluster]
    turned = [Result(match.players[::-1], match.scores[::-1]) for match in played]
    rows = [
        {"model_a": r.players[0], "model_b": r.players[1],
         "winner": {1.0: "model_a", 0.0: "model_b", 0.5: "tie"}[r.scores[0]]}
        for r in [*played, *turned]
    ]  # fmt: skip
    data = datasets.PairDataset.from_pandas(pandas.DataFrame(rows))
    found = arena.BradleyTerry(len(data.competitors)).compute_ratings_and_cis(data)
    theirs = dict(zip(found["competitors"], map(float, found["ratings"]), strict=True))
    spread = dict(zip(found["competitors"], map(float, found["variances"]), strict=True))
    ours = rated([[match] for match in [*played, *turned]])
    for one, other in combinations(ours.players, 2):
        assert ours.difference(one, other).mid == pytest.approx(theirs[one] - theirs[other], abs=0.5)
    for player in ours.players:
        mine = ours.about_mean(player)
        assert (mine.high - mine.low) / 2 / 1.96 == pytest.approx(spread[player] ** 0.5, rel=0.01)
