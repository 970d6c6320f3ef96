"""The interval of a player's share at a table: it covers, it holds what is shown, it knows repeats."""

from __future__ import annotations

import random
from itertools import pairwise
from statistics import mean

import pytest

from orchestrator.ratings.shares import lead, share

STRENGTHS = (0.0, 0.4, 0.8, 1.6)


def deal(rng: random.Random, strengths: tuple[float, ...]) -> list[float]:
    """Each player's mean share over the matches of one deal, in which the cards of a seat are the same."""
    size = len(strengths)
    cards = [rng.gauss(0, 1) for _ in range(size)]
    total = [0.0] * size
    for swap in range(size):
        points = [
            round(2 * (strengths[who] + cards[(who + swap) % size] + rng.gauss(0, 1))) for who in range(size)
        ]
        for who, mine in enumerate(points):
            others = [other for i, other in enumerate(points) if i != who]
            total[who] += mean((mine > other) + (mine == other) / 2 for other in others) / size
    return total


@pytest.mark.parametrize("strengths", [STRENGTHS, (0.0,) * 4, (0.0, 0.0, 3.0)])
@pytest.mark.parametrize("deals", [2, 5, 20])
def test_a_95_percent_interval_covers(strengths, deals) -> None:
    rng = random.Random(f"{strengths}{deals}")
    long = [deal(rng, strengths) for _ in range(1500)]
    truth = [mean(scores) for scores in zip(*long, strict=True)]
    covered = leads = 0
    for _ in range(150):
        players = list(zip(*(deal(rng, strengths) for _ in range(deals)), strict=True))
        found = share(players[-1], deals)
        covered += found.low <= truth[-1] <= found.high
        ahead = lead(players[-1], players[0], deals)
        leads += ahead.low <= truth[-1] - truth[0] <= ahead.high
    assert covered >= 0.92 * 150 and leads >= 0.92 * 150


def test_among_equals_the_first_is_seldom_called_ahead_of_the_second() -> None:
    """Who is first is known after the fact: that must not make chance look like a lead."""
    rng = random.Random(3)
    called = 0
    for _ in range(200):
        players = list(zip(*(deal(rng, (0.0,) * 4) for _ in range(8)), strict=True))
        first, second, *_ = sorted(players, key=sum, reverse=True)
        found = lead(first, second, 8)
        called += found.low > 0
    assert called <= 0.05 * 200


@pytest.mark.parametrize("scores", [[1.0, 1.0], [0.0] * 9, [0.5] * 4, [0.9, 0.2, 0.4]])
def test_what_is_shown_lies_in_its_interval(scores) -> None:
    found = share(scores, len(scores))
    assert 0 <= found.low <= found.mean <= found.high <= 1 and found.low < found.high
    assert found.mean == pytest.approx(mean(scores))


def test_fewer_than_two_different_deals_have_no_interval() -> None:
    assert share([], 0) is None and share([0.7], 1) is None and share([0.7] * 9, 1) is None
    assert lead([0.7], [0.2], 1) is None


def test_more_deals_narrow_it_and_repeats_do_not() -> None:
    scores = [0.9, 0.5, 0.7, 0.8]
    widths = [found.high - found.low for found in (share(scores * times, 4 * times) for times in (1, 4, 16))]
    assert all(wide > narrow for wide, narrow in pairwise(widths))
    assert share(scores * 4, 4) == pytest.approx(share(scores, 4))


def test_a_lead_turns_round_with_the_names() -> None:
    one, other = [0.9, 0.5, 0.7, 0.8], [0.4, 0.5, 0.6, 0.1]
    there, back = lead(one, other, 4), lead(other, one, 4)
    assert there.mean == pytest.approx(0.325)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
