"""The interval that may be looked at after every pair; and a rule that sees pairs in their order."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from orchestrator.ratings.pairs import elo, estimate
from orchestrator.ratings.sequence import Betting, UntilCi
from orchestrator.ratings.sprt import Sprt
from orchestrator.ratings.stopping import Stopping, read_rule, read_sprt, read_until_ci

LEVEL = (0.15, 0.2, 0.3, 0.2, 0.15)
AHEAD = (0.05, 0.1, 0.25, 0.25, 0.35)
LOPSIDED = (0.0, 0.01, 0.02, 0.05, 0.92)


def draw(rng, chances) -> float:
    return rng.choices((0, 0.25, 0.5, 0.75, 1), chances)[0]


def mean(chances) -> float:
    return sum(p * x / 4 for x, p in enumerate(chances))


@pytest.mark.parametrize("chances", [LEVEL, AHEAD, LOPSIDED, (0.5, 0, 0, 0, 0.5)])
def test_looking_after_every_pair_misses_at_most_5_percent(chances) -> None:
    rng, missed = random.Random(f"{chances}"), 0
    for _ in range(200):
        betting = Betting()
        for _ in range(150):
            betting.add(draw(rng, chances))
        missed += betting.rejects(mean(chances))
    assert missed / 200 <= 0.05


def test_its_width_is_about_one_and_a_half_times_that_of_a_fixed_length() -> None:
    rng, betting, scores = random.Random(1), Betting(), []
    for _ in range(300):
        scores.append(draw(rng, (0.3, 0.1, 0.2, 0.1, 0.3)))
        betting.add(scores[-1])
    usual, found = estimate(scores), betting.interval()
    assert 1.2 <= (found.high - found.low) / (usual.elo_high - usual.elo_low) <= 1.9
    assert found.low < usual.elo < found.high


def test_an_end_is_where_a_mean_is_ruled_out() -> None:
    rng, betting = random.Random(2), Betting()
    for _ in range(60):
        betting.add(draw(rng, AHEAD))
    betting.narrow()
    for end, out in ((betting.low, -1), (betting.high, 1)):
        assert betting.rejects(end + out * 1e-4) and not betting.rejects(end - out * 1e-4)


def test_what_was_ruled_out_stays_out_and_naming_the_other_first_flips_it() -> None:
    rng, one, other, ends = random.Random(3), Betting(), Betting(), [(0.0, 1.0)]
    for _ in range(80):
        score = draw(rng, AHEAD)
        one.add(score)
        other.add(1 - score)
        one.narrow()
        ends.append((one.low, one.high))
    assert all(a[0] <= b[0] <= b[1] <= a[1] for a, b in pairwise(ends))
    other.narrow()
    assert (other.low, other.high) == pytest.approx((1 - one.high, 1 - one.low), abs=1e-4)


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_sweeps_and_all_draws(score) -> None:
    betting = Betting()
    assert betting.interval().half > 3000
    for _ in range(100):
        betting.add(score)
    found = betting.interval()
    assert found.low <= found.mid <= found.high and betting.low <= score <= betting.high
    assert betting.high - betting.low < 0.2


def test_exact_repeats_are_hardly_any_evidence() -> None:
    fresh, again = Betting(), Betting()
    for _ in range(300):
        fresh.add(1.0)
        again.add(1.0, "the same")
    fresh.narrow()
    again.narrow()
    assert fresh.low > 0.9 and again.low < 0.5


def test_a_score_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Betting().add(1.5)


# ── when to stop ─────────────────────────────────────────────────────────────────────────────────────


def fed(rule, scores, order, planned=1000) -> Stopping:
    stopping = Stopping(rule, planned)
    for number in order:
        stopping.completed(number, scores[number], number)
    return stopping


@pytest.mark.parametrize("rule", [Sprt(0, 50), Sprt(0, 50, normalized=True), UntilCi(100)])
def test_it_stops_at_the_same_pair_in_whatever_order_they_end(rule) -> None:
    rng = random.Random(4)
    scores = [draw(rng, AHEAD) for _ in range(300)]
    one = fed(rule, scores, range(300))
    assert one.ended and 10 < len(one.counted) < 250
    for window in (2, 16):
        order = sorted(range(300), key=lambda number: number + rng.random() * window)
        many = fed(rule, scores, order)
        assert (many.ended, many.counted, many.report()) == (one.ended, one.counted, one.report())


def test_a_pair_waits_for_those_before_it_and_not_for_one_that_was_given_up() -> None:
    stopping = Stopping(UntilCi(50), 10)
    assert stopping.report() is None
    stopping.completed(2, 0.5, "c")
    stopping.completed(0, 1.0, "a")
    assert stopping.counted == [0]
    stopping.given_up(1)
    assert stopping.counted == [0, 2]


def test_a_sequence_stops_where_it_is_narrow_or_player_1_is_surely_not_ahead() -> None:
    rng = random.Random(5)
    level = [draw(rng, LEVEL) for _ in range(1000)]
    narrow = fed(UntilCi(60), level, range(1000))
    assert narrow.outcome == "narrow" and "±60 was asked" in narrow.ended
    report = narrow.report()
    assert report["elo_high"] - report["elo_low"] <= 120.2 and report["elo_low"] < 0 < report["elo_high"]
    behind = fed(UntilCi(20, 20), [1 - draw(rng, AHEAD) for _ in range(1000)], range(1000))
    assert behind.outcome == "futile" and len(behind.counted) < 60 and "less than +20" in behind.ended


def test_a_test_reports_what_it_accepted_and_an_estimate_after_it() -> None:
    rng = random.Random(6)
    scores = [draw(rng, AHEAD) for _ in range(300)]
    found = fed(read_sprt("nelo:0,50"), scores, range(300))
    report = found.report()
    assert (found.outcome, found.ended) == ("H1", "the test of +0 against +50 nElo accepts H1, +50 nElo")
    assert (
        report["llr"] >= report["llr_high"]
        and report["unit"] == "nelo"
        and report["pairs"] == len(found.counted)
    )
    played = [scores[number] for number in found.counted]
    assert report["elo_low"] < report["elo"] < elo(sum(played) / len(played))
    level = fed(Sprt(0, 100), [draw(rng, LEVEL) for _ in range(500)], range(500))
    assert (level.outcome, level.ended) == ("H0", "the test of +0 against +100 Elo accepts H0, +0 Elo")


def test_a_test_gives_up_near_its_planned_end() -> None:
    rng = random.Random(7)
    found = fed(Sprt(0, 10), [draw(rng, LEVEL) for _ in range(100)], range(100), planned=100)
    assert found.outcome == "futile" and "hardly" in found.ended


def test_rules_are_read() -> None:
    assert read_rule(None, None) is None
    assert read_rule("0,30", None) == Sprt(0, 30)
    assert read_sprt("NELO:-5,5,0.01,0.1") == Sprt(-5, 5, 0.01, 0.1, normalized=True)
    assert read_until_ci("±50") == UntilCi(50) and read_until_ci("50,20") == UntilCi(50, 20)
    for wrong in ("0", "0,1,2", "a,b", ""):
        with pytest.raises(ValueError, match="ELO0,ELO1"):
            read_sprt(wrong)
    with pytest.raises(ValueError, match="N as in 50"):
        read_until_ci("x")
    with pytest.raises(ValueError, match="above 0"):
        read_until_ci("0")
    with pytest.raises(ValueError, match="one rule"):
        read_rule("0,5", "50")
