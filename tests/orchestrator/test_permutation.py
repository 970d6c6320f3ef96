"""The test of an ablation: exact where it says so, uniform where nothing differs, and able to find what was planted."""

from __future__ import annotations

import itertools
import math
import random
from statistics import fmean

import pytest

from benchmarks.ablations import NULLS, PLANTED, STATED, Table, ablated, of_costs, uniformity
from orchestrator.ratings.pairs import elo
from orchestrator.ratings.permutation import (
    ALPHA,
    compare,
    detectable,
    elo_between,
    holm,
    least_deals,
    signs,
    spread,
)

QUARTERS = [each / 4 for each in range(-4, 5)]


def counted(differences: list[float]) -> tuple[float, float]:
    """p and tie, sign by sign."""
    seen = abs(sum(differences))
    sums = [
        abs(sum(s * each for s, each in zip(some, differences, strict=True)))
        for some in itertools.product((-1, 1), repeat=len(differences))
    ]
    at_least = sum(each >= seen - 1e-9 for each in sums) / len(sums)
    return at_least, sum(abs(each - seen) <= 1e-9 for each in sums) / len(sums)


@pytest.mark.parametrize("number", range(30))
def test_every_sign_is_counted(number) -> None:
    rng = random.Random(number)
    grids = (QUARTERS, [each / 24 for each in range(-24, 25)], [rng.uniform(-1, 1) for _ in range(9)])
    differences = [rng.choice(grids[number % 3]) for _ in range(rng.randrange(1, 11))]
    found = signs(differences)
    assert found.exact
    assert (found.p, found.tie) == pytest.approx(counted(differences))


def test_long_runs_are_counted_as_the_binomial_has_them() -> None:
    """Of 2n equal differences, 60 % up: a sign test, whose p is a sum of binomials."""
    differences = [0.5] * 1200 + [-0.5] * 800
    tail = sum(math.comb(2000, k) for k in range(1200, 2001)) / 2**2000
    assert signs(differences).p == pytest.approx(2 * tail)
    assert signs(differences).exact


@pytest.mark.parametrize("unit", [1e-10, 1.0, 1e10])
def test_the_unit_of_a_figure_changes_nothing(unit) -> None:
    differences = [3.0, 1.0, 4.0, -1.0, 5.0, 9.0, -2.0, 6.0]
    assert signs([each * unit for each in differences]).p == pytest.approx(signs(differences).p)


def test_what_is_drawn_is_near_what_is_counted_and_never_zero() -> None:
    rng = random.Random(3)
    differences = [rng.choice(QUARTERS) + 0.1 for _ in range(60)]
    drawn = signs([each + rng.uniform(-1e-6, 1e-6) for each in differences])
    assert not drawn.exact
    assert drawn.p == pytest.approx(signs(differences).p, abs=0.02)
    assert drawn == signs(differences[:0] + [each + 0.0 for each in differences]) or drawn.p > 0
    assert signs([math.pi + each / 7 for each in range(40)]).p == 1 / 10_000


def test_the_same_seed_draws_the_same() -> None:
    differences = [math.sin(each) for each in range(50)]
    assert signs(differences, seed=4) == signs(differences, seed=4) != signs(differences, seed=5)


@pytest.mark.parametrize("differences", [[], [0.0] * 9])
def test_no_difference_has_a_p_of_one(differences) -> None:
    assert signs(differences) == (1.0, 1.0, True)


def test_deals_that_went_alike_take_one_sign() -> None:
    first, second = [0.0] * 12, [1.0] * 12
    assert compare(first, second).p == 2 / 2**12
    alike = compare(first, second, [number // 4 for number in range(12)])
    assert (alike.deals, alike.independent, alike.p) == (12, 3, 2 / 2**3)
    assert alike.mean == 1
    one = compare(first, second, ["same"] * 12)
    assert (one.p, one.low, one.high) == (1.0, None, None)


def test_alike_deals_in_which_the_arms_changed_places_cancel_out() -> None:
    found = compare([0, 1, 0, 0.5], [1, 0, 0, 1], ["x", "x", "y", "z"])
    assert found.p == signs([0, 0, 0.5]).p


def test_no_deal_compares_nothing() -> None:
    assert compare([], []) is None


@pytest.mark.parametrize(
    ("ps", "adjusted"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5], [0.5]),
        ([], []),
        ([0.9, 0.6], [1.0, 1.0]),
        ([0.2, 0.001, 0.02, 0.02], [0.2, 0.004, 0.06, 0.06]),
    ],
)
def test_holm(ps, adjusted) -> None:
    assert holm(ps) == pytest.approx(adjusted)


def test_the_least_deals_that_can_find_anything() -> None:
    assert least_deals(0.05) == 6
    assert signs([1.0] * 6).p <= 0.05 < signs([1.0] * 5).p
    assert least_deals(0.05 / 3) == 7


# ── nulls, and what is planted ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("table", NULLS, ids=lambda table: table.name)
def test_where_nothing_differs_p_is_uniform(table) -> None:
    """Of 500 simulated ablations. p itself is discrete, thus at most as often small as it says."""
    rng = random.Random(f"null {table.name}")
    found = [ablated(table, 24, rng) for _ in range(500)]
    assert uniformity([each.uniform for each in found]) > 0.05
    assert fmean(each.compared.p < ALPHA for each in found) <= 0.065
    for which in (0, 1):
        assert fmean(each.held[which] for each in found) >= 0.935


def test_p_of_figures_on_no_grid_is_uniform() -> None:
    rng = random.Random(11)
    found = [of_costs(20, rng) for _ in range(200)]
    assert not any(each.exact for each in found)
    assert uniformity([each.p - rng.random() * each.tie for each in found]) > 0.05


def test_uniformity_sees_what_is_not_uniform() -> None:
    rng = random.Random(1)
    assert uniformity([rng.random() for _ in range(500)]) > 0.05
    assert uniformity([rng.random() ** 1.5 for _ in range(500)]) < 0.01
    assert uniformity([each / 500 for each in range(500)]) == 1.0


def test_a_planted_difference_is_found() -> None:
    """80 Elo in 160 deals, that is 320 matches of each arm, a tenth of them drawn."""
    rng = random.Random(5)
    found = [ablated(Table(""), STATED, rng, PLANTED) for _ in range(200)]
    assert fmean(each.compared.p < ALPHA for each in found) >= 0.8
    for which in (0, 1):
        assert 0.92 <= fmean(each.held[which] for each in found) <= 0.985


@pytest.mark.parametrize("deals", [40, 120])
def test_what_is_said_to_be_found_four_times_in_five_is(deals) -> None:
    rng = random.Random(deals)
    table = Table("", draws=0.3)
    played = [table.deal(0, rng) for _ in range(4000)]
    size = detectable(spread([a for a, _ in played], [b for _, b in played], 4000), deals)
    found = fmean(ablated(table, deals, rng, elo(0.5 + size)).compared.p < ALPHA for _ in range(300))
    assert 0.7 <= found <= 0.9


def test_the_interval_says_of_zero_what_the_test_says() -> None:
    rng = random.Random(8)
    for number in range(300):
        table = NULLS[number % len(NULLS)]
        one = ablated(table, rng.randrange(6, 30), rng, rng.choice((0, 60, 200))).compared
        if one.low is not None and one.high is not None:
            assert (one.p >= ALPHA) == (one.low < 0 < one.high) or one.low == 0 or one.high == 0
            assert one.low <= one.mean <= one.high
            assert one.p >= ALPHA or one.low >= 0 or one.high <= 0


def test_elo_stays_finite_on_sweeps_and_changes_sign_with_the_arms() -> None:
    first, second = [0.0] * 20, [1.0] * 20
    there, back = (elo_between(a, b, compare(a, b)) for a, b in ((first, second), (second, first)))
    assert all(map(math.isfinite, there))
    assert 0 < there.low < there.mid < there.high
    assert back == pytest.approx(tuple(-end for end in reversed(there)))
    level = elo_between(second, second, compare(second, second))
    assert level.mid == 0
    assert level.low < 0 < level.high
