from __future__ import annotations

from itertools import combinations

import pytest

from benchmarks.tournaments import Clusters, Tournament, balanced, tables
from orchestrator.ratings.anchor import Anchor
from orchestrator.ratings.bradley_terry import Result
from orchestrator.ratings.elo import history_json, live
from orchestrator.ratings.league import League, league
from orchestrator.ratings.overall import NotComparable, overall
from orchestrator.ratings.quantiles import chi_square_tail, largest_difference, student


def series(one: str, other: str, won: int, lost: int) -> Clusters:
    """Pairs that go to one side whole; seats even."""
    return [
        [Result((one, other), (score, 1 - score)), Result((other, one), (1 - score, score))]
        for score, times in ((1, won), (0, lost))
        for _ in range(times)
    ]


# ── who can be compared ──────────────────────────────────────────────────────────────────────────────


def test_players_who_never_met_are_not_compared() -> None:
    found = league(series("a", "b", 30, 10) + series("c", "d", 5, 35) + series("d", "e", 20, 20))
    assert found.islands == (("c", "d", "e"), ("a", "b"))
    assert found.better("a", "c") is None and not found.above("a", "c")
    assert found.better("a", "b") == pytest.approx(1, abs=0.01)
    assert found.ranks["a"].high <= 2 and found.ranks["d"].low == 1
    assert not any(map(found.rests_on_prior, found.players))


def test_who_never_lost_is_ahead_but_nobody_knows_how_far() -> None:
    found = league(series("a", "b", 40, 0) + series("b", "c", 25, 15))
    assert found.islands == (("a", "b", "c"),) and found.blocks == (("b", "c"), ("a",))
    assert [found.rests_on_prior(name) for name in "abc"] == [True, False, False]
    assert [found.rests_on_prior(name, "a") for name in "abc"] == [False, True, True]
    assert found.ranks["a"] == (1, 1, 1)


def test_thirty_clusters_end_a_trial() -> None:
    found = league(series("a", "b", 20, 9) + series("a", "c", 1, 1))
    assert [found.provisional(name) for name in "abc"] == [False, True, True]


# ── who is better ────────────────────────────────────────────────────────────────────────────────────


def test_ranks_are_intervals_and_groups_are_told_apart() -> None:
    found = league(
        series("a", "b", 21, 19) + [c for one in "ab" for other in "cd" for c in series(one, other, 36, 4)]
        + series("c", "d", 20, 20)
    )  # fmt: skip
    assert {name: tuple(rank) for name, rank in found.ranks.items()} == {
        "a": (1, 2, 1), "b": (1, 2, 1), "c": (3, 4, 2), "d": (3, 4, 2),
    }  # fmt: skip
    for one, other in combinations("abcd", 2):
        assert found.better(one, other) == pytest.approx(1 - (found.better(other, one) or 0))
    assert 0.5 < (found.better("a", "b") or 0) < 0.75


def test_all_true_ranks_lie_in_their_intervals_in_nineteen_leagues_of_twenty() -> None:
    of = Tournament(players=6, spread=150)
    held = 0
    for seed in range(60):
        ranks = league(balanced(of, seed)).ranks
        held += all(ranks[f"p{k:02d}"].low <= 6 - k <= ranks[f"p{k:02d}"].high for k in range(6))
    assert held / 60 >= 0.93
    equals = Tournament(players=6, spread=0)
    apart = sum(
        any(rank != (1, 6, 1) for rank in league(balanced(equals, seed)).ranks.values()) for seed in range(60)
    )
    assert apart / 60 <= 0.12


# ── whether one number a player is enough ────────────────────────────────────────────────────────────


def ring() -> Clusters:
    return series("a", "b", 30, 10) + series("b", "c", 30, 10) + series("c", "a", 30, 10)


def test_a_ring_is_named_and_does_not_fit() -> None:
    found = league(ring())
    assert found.rings == (("a", "b", "c"),)
    assert found.fitness is not None and found.fitness.degrees == 1 and found.fitness.p < 1e-4
    assert set(found.ranks.values()) == {(1, 3, 1)}
    turned = league([[Result(r.players, r.scores[::-1]) for r in c] for c in ring()])
    assert turned.rings == (("a", "c", "b"),)


def test_a_ring_that_chance_explains_is_not_named() -> None:
    assert league(series("a", "b", 6, 4) + series("b", "c", 6, 4) + series("c", "a", 6, 4)).rings == ()
    repeated = [
        [result for cluster in part for result in cluster]
        for part in (ring()[:40], ring()[40:80], ring()[80:])
    ]
    assert league(repeated).rings == ()  # three observations


def test_the_fit_of_what_the_model_plays_is_not_doubted() -> None:
    of = Tournament(players=6, spread=300, draws=1e-9)
    doubted = 0
    for seed in range(60):
        fitness = league(balanced(of, seed)).fitness
        assert fitness is not None and fitness.degrees == 10
        doubted += fitness.p < 0.05
        assert not league(balanced(of, seed, pairs=2)).rings
    assert doubted <= 8
    repeats = [league(balanced(of, seed, repeats=3)).fitness for seed in range(20)]
    assert sum(fitness is not None and fitness.p < 0.05 for fitness in repeats) <= 4


def test_meetings_hold_what_was_seen_and_what_is_expected() -> None:
    (meeting,) = league(series("a", "b", 30, 10)).meetings
    assert (meeting.first, meeting.second, meeting.clusters, meeting.compared) == ("a", "b", 40, 80)
    assert meeting.observed == 0.75 and meeting.expected == pytest.approx(0.74, abs=0.01)
    assert league(series("a", "b", 30, 10)).fitness is None


def test_tables_have_ranks_too() -> None:
    found = league(tables(Tournament(players=5, seats=4), 1, deals=200))
    assert found.ranks["p04"].low == 1 and found.ranks["p00"].high == 5
    assert found.fitness is not None and len(found.meetings) == 10


def test_other_names_are_the_same_league() -> None:
    found = league(ring())
    named = found.renamed({"a": "x", "b": "y", "c": "z"})
    assert named.rings == (("x", "y", "z"),) and named.ratings.elo == found.ratings.elo


# ── live ─────────────────────────────────────────────────────────────────────────────────────────────


def test_live_elo_by_hand() -> None:
    ((_, elo),) = live([Result(("a", "b"), (1, 0))])
    assert elo == {"a": 1016, "b": 984}
    ((_, three),) = live([Result(("a", "b", "c"), (2, 1, 1))])
    assert three == {"a": 1016, "b": 992, "c": 992}
    assert live([Result(("a", "a"), (1, 0))]) == [(1, {"a": 1000})]
    assert live([]) == [] and history_json([])["history"] == []


def test_live_elo_depends_on_the_order_and_its_history_is_short() -> None:
    matches = [result for cluster in balanced(Tournament(players=4), 1, 60) for result in cluster]
    told, turned = history_json(matches), history_json(matches[::-1])
    assert told["elo"] != turned["elo"] and "order" in told["label"]
    assert len(told["history"]) <= 101 and told["history"][-1]["matches"] == len(matches) == 720
    assert sum(told["elo"].values()) == pytest.approx(4000, abs=1)


# ── over games ───────────────────────────────────────────────────────────────────────────────────────


def two_games() -> dict[str, League]:
    wide, narrow = Tournament(players=4, spread=600), Tournament(players=4, spread=300)
    return {"wide": league(balanced(wide, 1, 80)), "narrow": league(balanced(narrow, 2, 80))}


def test_a_board_over_games_is_the_mean_above_the_anchor() -> None:
    games = two_games()
    found = overall(games, [Anchor("p00", 100)])
    assert found["p00"] == (100, 100, 100)
    above = [each.ratings.difference("p03", "p00") for each in games.values()]
    assert found["p03"].mid == pytest.approx(100 + sum(each.mid for each in above) / 2)
    half = (sum((each.high - each.mid) ** 2 for each in above)) ** 0.5 / 2
    assert found["p03"].high - found["p03"].mid == pytest.approx(half, rel=0.01)


def test_two_anchors_set_the_unit() -> None:
    found = overall(two_games(), [Anchor("p00", 0), Anchor("p03", 1000)])
    assert found["p00"] == pytest.approx((0, 0, 0), abs=1e-5)
    assert found["p03"] == pytest.approx((1000, 1000, 1000), abs=1e-5)
    assert found["p01"].low < 1000 / 3 < found["p01"].high and found["p02"].low < 2000 / 3 < found["p02"].high


@pytest.mark.parametrize(
    ("games", "anchors", "why"),
    [
        ({}, [Anchor("p00")], "two of them or more, got 0"),
        (two_games(), [], "one anchor, or two that differ, got 0"),
        (two_games(), [Anchor("p00"), Anchor("p01")], "set them apart"),
        (two_games(), [Anchor("x")], "the anchor x has played none"),
        (two_games() | {"ring": league(ring())}, [Anchor("p00")], "a has not played wide, narrow"),
        (two_games(), [Anchor("p03", 0), Anchor("p00", 9)], "p00 is not shown to be better than p03 in wide, narrow"),
        (
            {"a": league(series("a", "b", 3, 2) + series("c", "d", 3, 2)), "b": league(series("a", "b", 3, 2))},
            [Anchor("a")],
            "c has not played b; d has not played b; not everybody met, even by way of others, in a",
        ),
    ],
)  # fmt: skip
def test_what_is_missing_for_a_board_over_games_is_named(
    games: dict[str, League], anchors: list[Anchor], why: str
) -> None:
    with pytest.raises(NotComparable, match=why):
        overall(games, anchors)


# ── quantiles ────────────────────────────────────────────────────────────────────────────────────────


def test_quantiles_are_those_of_the_tables() -> None:
    for many, studentised in ((2, 2.772), (3, 3.314), (10, 4.474), (50, 5.652)):
        assert largest_difference(many) == pytest.approx(studentised / 2**0.5, abs=0.005)
    assert largest_difference(1) == 0
    for t, degrees in ((12.7062, 1), (4.3027, 2), (3.1824, 3), (2.2281, 10), (1.9719, 200), (1.96, 10**6)):
        assert student(t, degrees) == pytest.approx(0.975, abs=1e-4)
        assert student(-t, degrees) == pytest.approx(0.025, abs=1e-4)
    assert student(1.97190, 201) == pytest.approx(student(1.97190, 200), abs=2e-5)
    for value, degrees in ((3.841, 1), (11.07, 5), (43.77, 30)):
        assert chi_square_tail(value, degrees) == pytest.approx(0.05, abs=0.005)
