"""The price of strength: intervals of ratios, and who is dominated for sure."""

from __future__ import annotations

import math
import random
from itertools import combinations

import pytest

from benchmarks.tournaments import Tournament, balanced
from orchestrator.ratings.league import League, league
from orchestrator.ratings.pairs import t95
from orchestrator.ratings.value import FREE, Cost, Ratio, Spent, cost, fieller, per, per_100, places, steps
from tests.orchestrator.test_league import series

# ── ratios ───────────────────────────────────────────────────────────────────────────────────────────


def test_fieller_s_interval_is_where_the_difference_is_not_told_from_nothing() -> None:
    """Both ends solve |part - R·whole| = t · its standard error; ends that are not equally far."""
    part, whole, of_part, of_whole, of_both, t = 3.0, 2.0, 0.09, 0.04, 0.01, 2.0
    found = fieller(part, whole, of_part, of_whole, of_both, t)
    for end in (found.low, found.high):
        assert end is not None
        error = math.sqrt(of_part - 2 * end * of_both + end**2 * of_whole)
        assert abs(part - end * whole) == pytest.approx(t * error)
    assert found.value == 1.5 and found.high - 1.5 > 1.5 - found.low > 0


def test_a_sure_denominator_gives_the_plain_interval() -> None:
    found = fieller(3.0, 2.0, 0.09, 0.0, 0.0, 2.0)
    assert tuple(found) == pytest.approx((1.2, 1.5, 1.8))


def test_where_there_may_be_no_wins_there_is_no_upper_end() -> None:
    found = fieller(10.0, 0.1, 0.01, 0.01, 0.0, 2.0)
    assert found.high is None and found.low is not None and 0 < found.low < found.value == 100
    assert fieller(0.1, 0.1, 0.01, 0.01, 0.0, 2.0) == Ratio(0.0, 1.0, None)


def test_nothing_won_has_no_price_and_nothing_paid_costs_nothing() -> None:
    assert per([Spent(1.0, 0.0), Spent(2.0, 0.0)], 2) is None
    assert per([Spent(0.0, 1.0), Spent(0.0, 0.0)], 2) == Ratio(0.0, 0.0, 0.0)
    assert per([Spent(3.0, 2.0)], 2) == Ratio(None, 1.5, None)
    assert cost([]) is None and cost([Spent(3.0, 2.0)]).within == Ratio(None, 1.5, None)  # type: ignore[union-attr]


def test_who_won_everything_has_not_been_shown_to_always_win() -> None:
    few, many = (per([Spent(1.0, 2.0)] * n, 2) for n in (8, 800))
    assert few is not None and many is not None and few.high and many.high
    assert few.value == many.value == 0.5 and few.high > 0.6 and many.high < 0.51


def test_the_price_of_a_win_covers_the_truth() -> None:
    """Pairs of two matches that hang together, in length and in who wins; 95 % of intervals hold the ratio."""
    rng, held, rounds = random.Random(5), 0, 400
    truth = (1.0 + 0.5) / (2 * 0.3)
    for _ in range(rounds):
        clusters = []
        for _ in range(25):
            length, strong = rng.uniform(0, 1), rng.random() < 0.5
            wins = sum(rng.random() < (0.5 if strong else 0.1) for _ in range(2))
            clusters.append(Spent(1.0 + length, wins))
        found = per(clusters, 2)
        held += found is None or ((found.low or 0) <= truth <= (found.high or math.inf))
    assert 0.93 <= held / rounds <= 0.99


def test_a_match_costs_what_its_pairs_say() -> None:
    found = cost([Spent(2.0, 2), Spent(4.0, 2), Spent(3.0, 2)])
    assert found is not None and found.mean == 1.5 and found.degrees == 2
    assert found.error == pytest.approx(
        math.sqrt(0.25 / 3)
    )  # the standard deviation of 1, 2, 1½, over root 3
    assert found.within.high == pytest.approx(1.5 + t95(2) * found.error)


def test_a_hundred_elo_cost_nothing_of_whoever_is_not_above() -> None:
    assert per_100(Cost(1.0, 0.1, 30), -50.0, 20.0, 30) is None
    assert per_100(FREE, 200.0, 20.0, 30) == Ratio(0.0, 0.0, 0.0)
    sure = per_100(Cost(1.0, 0.0, 30), 200.0, 20.0, 30)
    assert sure is not None and sure.value == 0.5 and sure.high is not None and 0.5 < sure.high < 0.7
    unsure = per_100(Cost(1.0, 0.0, 30), 20.0, 20.0, 30)
    assert unsure is not None and unsure.high is None


# ── the frontier ─────────────────────────────────────────────────────────────────────────────────────


def ladder(pairs: int, *names: str) -> League:
    """Each beats all before it, three in four pairs."""
    return league(
        c for low, high in combinations(names, 2) for c in series(high, low, 3 * pairs // 4, pairs // 4)
    )


def dollars(mean: float, error: float = 0.001) -> Cost:
    return Cost(mean, error, 60)


def test_the_frontier_of_known_strengths_and_prices_is_found() -> None:
    found = ladder(80, "free", "cheap", "dear", "best")
    costs = {"free": FREE, "cheap": dollars(0.1), "dear": dollars(0.9), "best": dollars(0.5)}
    states = {place.player: (place.state, place.by) for place in places(found, costs)}
    assert states == {
        "free": ("frontier", ""), "cheap": ("frontier", ""), "best": ("frontier", ""), "dear": ("dominated", "best"),
    }  # fmt: skip
    assert [(step.lower, step.upper) for step in steps(found, places(found, costs))] == [
        ("free", "cheap"), ("cheap", "best"),
    ]  # fmt: skip


def test_dominated_is_said_only_where_both_sides_are_sure() -> None:
    sure = ladder(80, "a", "b")
    states = {
        name: places(sure, {"a": dollars(0.5, error), "b": dollars(0.4, error)})[-1].state
        for name, error in (("sure", 0.001), ("not sure of the price", 0.2))
    }
    assert states == {"sure": "dominated", "not sure of the price": "open"}
    unsure = ladder(8, "a", "b")
    assert places(unsure, {"a": dollars(0.5), "b": dollars(0.4)})[-1].state == "open"


def test_who_is_free_dominates_and_is_dominated_like_anybody() -> None:
    found = ladder(80, "weak bot", "model", "strong bot")
    costs = {"weak bot": FREE, "model": dollars(0.1), "strong bot": FREE}
    states = {place.player: (place.state, place.by) for place in places(found, costs)}
    assert states == {
        "strong bot": ("frontier", ""), "weak bot": ("dominated", "strong bot"), "model": ("dominated", "strong bot"),
    }  # fmt: skip
    assert steps(found, places(found, costs)) == []


def test_a_step_up_has_a_price_without_an_end_where_it_may_lead_nowhere() -> None:
    costs = {"a": dollars(0.1), "b": dollars(0.3)}
    (sure,), (unsure,) = (
        steps(found, places(found, costs)) for found in (ladder(200, "a", "b"), ladder(8, "a", "b"))
    )
    assert sure.per_100.value == pytest.approx(100 * 0.2 / sure.elo)
    low, _, high = ladder(200, "a", "b").ratings.difference("b", "a")
    assert sure.per_100.low == pytest.approx(20 / high, rel=0.05)
    assert sure.per_100.high == pytest.approx(20 / low, rel=0.05)
    assert unsure.per_100.high is None


def test_the_price_of_a_step_covers_the_truth() -> None:
    """Known strengths on the scale of expected scores (no draws), and prices that differ from pair to pair."""
    of, price = Tournament(players=3, spread=300, draws=0.0), {"p00": 0.0, "p01": 0.1, "p02": 0.4}
    held = made = 0
    for seed in range(60):
        rng = random.Random(seed)
        costs = {
            name: (cost([Spent(2 * rng.gauss(mean, mean / 3), 2) for _ in range(60)]) if mean else FREE)
            or FREE
            for name, mean in price.items()
        }
        found = league(balanced(of, seed, pairs=30))
        for step in steps(found, places(found, costs)):
            gap = of.strength[step.upper] - of.strength[step.lower]
            truth = 100 * (price[step.upper] - price[step.lower]) / gap
            held += (step.per_100.low or 0) <= truth <= (step.per_100.high or math.inf)
            made += 1
    assert made > 110 and 0.9 <= held / made <= 0.99


def test_hardly_anybody_is_called_dominated_among_equals() -> None:
    of = Tournament(players=5, spread=0.001)
    called = 0
    for seed in range(40):
        costs = {name: dollars(0.1 * (k + 1)) for k, name in enumerate(of.strength)}
        found = places(league(balanced(of, seed, pairs=15)), costs)
        called += any(place.state == "dominated" for place in found)
    assert called <= 3  # at most one league in 20, however many players are compared


def test_players_who_never_met_are_not_compared() -> None:
    found = league(series("a", "b", 60, 20) + series("c", "d", 60, 20))
    costs = {"a": dollars(0.1), "b": dollars(0.2), "c": dollars(0.3), "d": dollars(0.4)}
    states = {place.player: place.by for place in places(found, costs)}
    assert states == {"a": "", "b": "a", "c": "", "d": "c"}
