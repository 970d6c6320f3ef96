"""Calibration: identities, planted forecasters whose calibration is known, and how often the test is wrong."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from math import comb

import pytest

import engine
from orchestrator.ratings.calibration import CLIP, Calibration, Forecast, calibration
from providers.outlook import BENDS, Outlook, bent

Match = list[tuple[float, float]]  # of every decision of one seat: the true expectation, and what came


def of(*forecasts: tuple[object, float, float]) -> Calibration:
    found = calibration(Forecast(*each) for each in forecasts)  # type: ignore[arg-type]
    assert found is not None
    return found


@cache
def played() -> list[Match]:
    """TicTacToe between two who move at random: the expectation after a move is computed, not estimated."""
    outlook, rng = Outlook("calibrated"), engine.Rng(5)
    matches = []
    for number in range(6000):
        game, said, me = engine.new("tictactoe", 1), [], number % 2
        while not game.is_terminal():
            seat = game.current_player()
            game.step(game.random_action(rng))
            if seat == me:
                said.append(outlook.worth(game, 0)[me])
        came = (1 + game.payoff(me)) / 2
        matches.append([(each, came) for each in said])
    return matches


def drawn(rng: random.Random, count: int, bend: str = "calibrated") -> list[list[Forecast]]:
    """So many matches, by a forecaster of that kind, in whole per cents."""
    return [
        [Forecast(number, round(bent(said, BENDS[bend]), 2), came) for said, came in match]
        for number, match in enumerate(rng.sample(played(), count))
    ]


def flat(matches: Iterable[list[Forecast]]) -> list[Forecast]:
    return [each for match in matches for each in match]


def judged(bend: str, count: int, runs: int) -> tuple[Counter[str], float]:
    """How often each verdict, and the mean excess of the ECE."""
    rng, verdicts, excess = random.Random(1), Counter[str](), 0.0
    for _ in range(runs):
        found = calibration(flat(drawn(rng, count, bend)))
        assert found is not None
        verdicts[found.verdict] += 1
        excess += found.excess / runs
    return verdicts, excess


# ── what the figures are ─────────────────────────────────────────────────────────────────────────────


def test_by_hand() -> None:
    """Three forecasts of 80 % of which two come true and one is a draw, one of 20 % that does not."""
    found = of(("a", 0.8, 1.0), ("b", 0.8, 1.0), ("c", 0.8, 0.5), ("d", 0.2, 0.0))
    assert (found.forecasts, found.matches) == (4, 4)
    assert found.brier.mean == pytest.approx((0.04 + 0.04 + 0.09 + 0.04) / 4)
    assert found.came == pytest.approx(0.625) and found.said == pytest.approx(0.65)
    high = 2.5 / 3
    assert found.reliability == pytest.approx((3 * (0.8 - high) ** 2 + 0.04) / 4)
    assert found.resolution == pytest.approx((3 * (high - 0.625) ** 2 + 0.625**2) / 4)
    assert found.uncertainty == pytest.approx((2 * 0.375**2 + 0.125**2 + 0.625**2) / 4)
    assert found.within == pytest.approx(0, abs=1e-12)
    assert found.ece == pytest.approx((3 * (high - 0.8) + 0.2) / 4)
    loss = -(2 * math.log(0.8) + (math.log(0.8) + math.log(0.2)) / 2 + math.log(0.8)) / 4
    assert found.log_loss == pytest.approx(loss)
    assert found.skill == pytest.approx(1 - found.brier.mean / found.uncertainty)
    assert found.verdict == "cannot tell"


def test_the_parts_add_up_to_the_brier_score() -> None:
    rng = random.Random(3)
    for _ in range(20):
        forecasts = [
            (rng.randrange(30), rng.random(), rng.choice([0.0, 0.25, 0.5, 1.0]))
            for _ in range(rng.randrange(1, 300))
        ]
        found = of(*forecasts)
        whole = found.reliability - found.resolution + found.uncertainty + found.within
        assert whole == pytest.approx(found.brier.mean)
        assert found.brier.low <= found.brier.mean <= found.brier.high
        assert sum(each.size for each in found.bins) == found.forecasts
        assert [each.said for each in found.bins] == sorted(each.said for each in found.bins)


def test_equal_forecasts_are_never_parted_and_bins_are_about_even() -> None:
    found = of(*((n, 0.5, n % 2) for n in range(100)))
    assert len(found.bins) == 1 and found.recalibration is None and found.resolution == 0
    found = of(*((n, n / 100, n % 2) for n in range(100)))
    assert [each.size for each in found.bins] == [10] * 10
    found = of(*((n, 0.3 if n < 50 else n / 100, n % 2) for n in range(100)))
    assert [each.size for each in found.bins] == [50, *[10] * 5]


def test_whoever_says_the_mean_has_no_skill_and_one_score_leaves_none_to_have() -> None:
    assert of(*((n, 0.25, n % 4 == 0) for n in range(40))).skill == pytest.approx(0)
    assert of(*((n, 0.9, 1.0) for n in range(40))).skill is None


def test_a_surprise_costs_no_more_than_whole_per_cents_can_say() -> None:
    for said in (1.0, 0.0):
        assert of(("a", said, 1 - said)).log_loss == pytest.approx(-math.log(CLIP))


def test_nothing_and_next_to_nothing() -> None:
    assert calibration([]) is None
    one = of(("a", 0.7, 1.0))
    assert (one.brier.low, one.brier.high, one.recalibration, one.skill) == (0, 1, None, None)
    perfect = of(*((n, float(n % 2), float(n % 2)) for n in range(60)))
    assert perfect.verdict == "nothing found" and perfect.brier.mean == perfect.ece == 0
    wrong = of(*((n, float(n % 2), float(1 - n % 2)) for n in range(60)))
    assert (wrong.verdict, wrong.recalibration) == ("over-confident", None)
    always = of(*((n, 0.9, float(n % 2)) for n in range(60)))
    assert always.verdict == "too hopeful"


def test_order_and_names_of_matches_change_nothing() -> None:
    forecasts = flat(drawn(random.Random(2), 40))
    shuffled = random.Random(4).sample(forecasts, len(forecasts))
    renamed = [each._replace(cluster=f"m{each.cluster}") for each in shuffled]
    one, other = calibration(forecasts), calibration(renamed)
    assert one is not None and other is not None
    assert one.p == pytest.approx(other.p) and tuple(one.brier) == pytest.approx(tuple(other.brier))
    assert one.recalibration is not None and other.recalibration is not None
    assert tuple(one.recalibration.slope) == pytest.approx(tuple(other.recalibration.slope))


def test_a_match_that_is_repeated_counts_once() -> None:
    """The same matches three times, known to be the same: as sure as before, and not surer."""
    forecasts = flat(drawn(random.Random(2), 60, "overconfident"))
    once, thrice = calibration(forecasts), calibration(forecasts * 3)
    assert once is not None and thrice is not None
    assert thrice.matches == once.matches == 60
    assert thrice.p == pytest.approx(once.p) and tuple(thrice.brier) == pytest.approx(tuple(once.brier))
    fresh = [each._replace(cluster=(copy, each.cluster)) for copy in range(3) for each in forecasts]
    unaware = calibration(fresh)
    assert unaware is not None and unaware.p is not None and once.p is not None and unaware.p < once.p / 10


def test_slope_and_intercept_are_those_that_were_planted() -> None:
    """Independent wins and losses with logit(p) = 0.4 + 0.5 · logit(forecast); intervals hold them often enough."""
    rng, held, runs = random.Random(6), 0, 200
    for _ in range(runs):
        found = []
        for number in range(300):
            said = rng.uniform(0.05, 0.95)
            p = 1 / (1 + math.exp(-0.4 - 0.5 * math.log(said / (1 - said))))
            found.append((number, said, float(rng.random() < p)))
        fit = of(*found).recalibration
        assert fit is not None and abs(fit.slope.mean - 0.5) < 0.45 and abs(fit.intercept.mean - 0.4) < 0.55
        held += fit.slope.low < 0.5 < fit.slope.high
        held += fit.intercept.low < 0.4 < fit.intercept.high
    assert 0.92 <= held / runs / 2 <= 0.98


# ── planted forecasters ──────────────────────────────────────────────────────────────────────────────


FLIPS = 12


@cache
def chance(flips: int, lead: int) -> float:
    """The expected score of a race that is won with more heads than tails, after so many flips with that lead."""
    left = FLIPS - flips
    ahead = [lead + 2 * heads - left for heads in range(left + 1)]
    return sum(comb(left, n) * ((at > 0) + (at == 0) / 2) for n, at in enumerate(ahead)) / 2**left


def races(rng: random.Random, count: int, start: int) -> Iterator[Forecast]:
    """Matches of which everything is known: forecasts are the chance itself, in whole per cents."""
    for number in range(count):
        lead, said = start, []
        for flip in range(1, FLIPS + 1):
            lead += rng.choice((-1, 1))
            if flip % 2:
                said.append(round(chance(flip, lead), 2))
        yield from (Forecast(number, each, (lead > 0) + (lead == 0) / 2) for each in said)


@pytest.mark.parametrize(
    ("start", "matches"), [(0, 20), (0, 60), (0, 160), (3, 20), (3, 80), (5, 20), (5, 120), (7, 40)]
)
def test_the_calibrated_are_named_no_more_often_than_the_level_says(start: int, matches: int) -> None:
    """Also where they win nearly always (from a lead of 7: 98 %) and errors hardly vary."""
    rng, runs, named, excess = random.Random(4), 300, 0, 0.0
    for _ in range(runs):
        found = calibration(races(rng, matches, start))
        assert found is not None
        named += found.verdict not in ("nothing found", "cannot tell")
        excess += found.excess / runs
    assert named <= 0.085 * runs  # by thousands of runs it is 2.3 to 6.3 %
    assert excess < 0.02


def test_what_the_stand_in_calls_calibrated_is_so() -> None:
    found = calibration(flat(drawn(random.Random(3), 3000)))
    assert found is not None and found.recalibration is not None
    assert found.verdict == "nothing found" and found.excess < 0.01
    assert found.recalibration.slope.low < 1 < found.recalibration.slope.high


@pytest.mark.parametrize(
    ("said", "came", "verdict"),
    [
        (0.97, 1.0, "cannot tell"),  # one loss in 33 is missing, and may well be
        (0.6, 1.0, "too gloomy"),
        (0.9, 0.0, "too hopeful"),
        (1.0, 0.0, "too hopeful"),
        (0.51, 0.5, "cannot tell"),
        (0.9, 0.5, "too hopeful"),
    ],
)
def test_where_all_matches_come_out_alike_only_what_no_chance_explains_is_named(
    said: float, came: float, verdict: str
) -> None:
    assert of(*((n // 5, said, came) for n in range(150))).verdict == verdict


@pytest.mark.parametrize(
    ("least", "most", "matches", "named"), [(0.2, 0.8, 40, 0.12), (0.0, 1.0, 40, 0.16), (0.0, 1.0, 150, 0.11)]
)
def test_whoever_is_sure_is_named_more_often_only_after_few_matches(least, most, matches, named) -> None:
    """As the module says; bounds are three standard errors above that."""
    rng, found = random.Random(1), 0
    for _ in range(300):
        chances = [least + (most - least) * rng.random() for _ in range(matches)]
        told = of(*((n, round(p, 2), float(rng.random() < p)) for n, p in enumerate(chances)))
        found += told.verdict not in ("nothing found", "cannot tell")
    assert found / 300 < named


@pytest.mark.parametrize("sure", [0.0, 1.0])
def test_one_surprise_does_not_convict_whoever_rounds(sure: float) -> None:
    """99.6 % is said as 100: one loss in 200 is what is to be expected then, and six are not."""
    matches = [(number, sure, sure) for number in range(194)]
    assert of(*matches, *((n, sure, sure) for n in range(194, 199)), (199, sure, 1 - sure)).p == 1
    told = of(*matches, *((n, sure, 1 - sure) for n in range(194, 200)))
    assert told.verdict == ("too gloomy" if sure == 0 else "too hopeful")


def test_decisions_of_one_match_are_not_so_many_observations() -> None:
    """The trap that clusters are for: decision by decision the same forecasters are named far too often."""
    rng, named = random.Random(1), 0
    for _ in range(100):
        forecasts = flat(drawn(rng, 100))
        found = calibration(each._replace(cluster=number) for number, each in enumerate(forecasts))
        assert found is not None
        named += found.verdict != "nothing found"
    assert named > 20


@pytest.mark.parametrize(
    ("bend", "matches", "verdict", "power"),
    [
        ("overconfident", 100, "over-confident", 0.8),
        ("overconfident", 250, "over-confident", 0.99),
        ("underconfident", 250, "under-confident", 0.9),
        ("hopeful", 100, "too hopeful", 0.95),
    ],
)
def test_the_others_are_named_for_what_they_are(bend: str, matches: int, verdict: str, power: float) -> None:
    verdicts, excess = judged(bend, matches, 100)
    assert verdicts[verdict] >= power * 100, verdicts
    assert excess > 0.02


def test_the_slope_says_which_way() -> None:
    for bend, least, most in (
        ("overconfident", 0.0, 0.8),
        ("calibrated", 0.8, 1.2),
        ("underconfident", 1.5, 2.5),
    ):
        found = calibration(flat(drawn(random.Random(8), 2000, bend)))
        assert found is not None and found.recalibration is not None
        assert least < found.recalibration.slope.mean < most, bend
