"""The intervals hold the truth as often as they say: few seeds of what `benchmarks/ratings.py` measures with 200."""

from __future__ import annotations

import pytest

from benchmarks.ratings import SCENARIOS, Scenario, coverage, speed, table
from benchmarks.tournaments import Tournament, balanced, endless, endless_tables
from orchestrator.ratings.bradley_terry import count, fit


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_intervals_hold_the_truth(scenario: Scenario) -> None:
    found = coverage(scenario, range(12 if scenario.of.seats == 2 else 6))
    assert 0.91 <= found.held <= 0.995
    assert found.ranks >= 0.8


def test_to_count_repeats_as_news_holds_it_too_seldom() -> None:
    repeated = next(scenario for scenario in SCENARIOS if "exactly" in scenario.name)
    assert coverage(repeated, range(12)).naive < 0.85


def test_draws_and_luck_draw_ratings_together() -> None:
    """Endless half-tie ratings lie nearer than strengths; without draws and luck they are the strengths."""
    plain, drawn = Tournament(draws=0), Tournament()
    assert endless(plain).difference("p09", "p00").mid == pytest.approx(450, abs=0.5)
    assert 350 < endless(drawn).difference("p09", "p00").mid < 420
    assert endless(plain, luck=150).difference("p09", "p00").mid < 420
    tables = Tournament(players=8, seats=4)
    assert endless_tables(tables, luck=0).difference("p07", "p00").mid == pytest.approx(450, abs=0.5)


def test_endless_is_where_long_tournaments_go() -> None:
    of = Tournament(players=4)
    long, end = fit(count(balanced(of, 1, 4000, luck=100))), endless(of, luck=100)
    for name in of.strength:
        assert long.about_mean(name).mid == pytest.approx(end.about_mean(name).mid, abs=6)


def test_the_page_has_a_row_per_scenario() -> None:
    page = table(1, 1000)
    assert all(f"| {scenario.name} |" in page for scenario in SCENARIOS)
    assert len(speed(1000)) == 5
