"""Rotations are balanced and can be made longer; what is chosen follows from seed and results, in whatever order."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import pytest

from orchestrator.matchmaking import Matchmaker, Plan, Rotation, Seen, name_of
from orchestrator.ratings.allocation import allocate
from orchestrator.ratings.bradley_terry import Result, count, fit

STRENGTH = (0, 400, 420, 440, 1200)  # one far below, one far above, three close
CHEAP = (1, 1, 1, 1, 1)


def rotation(players: int, seats: int = 2, seed: int = 1) -> Rotation:
    return Rotation(players, "game", {}, seats, seed)


@pytest.mark.parametrize("players", [2, 3, 4, 7, 10])
def test_in_every_round_every_two_meet_once_and_every_line_has_everybody(players):
    of = rotation(players)
    for turn in range(3):
        met = [of.board(turn * of.round + k).players for k in range(of.round)]
        assert sorted(met) == list(combinations(range(1, players + 1), 2))
        assert {of.deal(turn * of.round + k) for k in range(of.round)} == {turn}
        line = players // 2
        for first in range(0, of.round, line):
            assert len({player for two in met[first : first + line] for player in two}) == 2 * line
    assert of.pairs(4) == 4 * of.round and of.each(of.pairs(4)) == 4


def test_rounds_and_seeds_come_in_another_order():
    def orders(seed: int) -> list[list[tuple[int, ...]]]:
        of = rotation(6, seed=seed)
        return [[of.board(turn * of.round + k).players for k in range(of.round)] for turn in range(2)]

    assert orders(1) == orders(1) != orders(2)
    assert orders(1)[0] != orders(1)[1]


@pytest.mark.parametrize(("players", "seats"), [(4, 3), (5, 3), (6, 4), (8, 4), (9, 5), (8, 8), (3, 3)])
def test_at_tables_everybody_plays_and_meets_everybody_about_equally_often(players, seats):
    of = rotation(players, seats)
    tables = [of.board(pair).players for pair in range(of.pairs(12))]
    assert all(len(set(table)) == seats for table in tables)
    plays = Counter(player for table in tables for player in table)
    met = Counter(two for table in tables for two in combinations(table, 2))
    assert max(plays.values()) - min(plays[player] for player in range(1, players + 1)) <= 1
    often = [met[two] for two in combinations(range(1, players + 1), 2)]
    assert max(often) - min(often) <= 3 and 12 <= sum(often) / len(often) < 13
    assert of.each(len(tables)) == 12


def test_a_table_takes_as_many_players_as_it_has_seats():
    with pytest.raises(ValueError, match="game has 4 seats, got 3 players: name at least 4"):
        rotation(3, 4)


# ── chosen by results ────────────────────────────────────────────────────────────────────────────────


def played(maker: Matchmaker, number: int, seed: int = 0, prices: tuple[int, ...] = CHEAP) -> Seen:
    """A pair by chance, the same whenever it is played."""
    rng, two = random.Random(f"{seed} {number}"), maker.board(number).players
    one, other = two
    results = []
    for sat in ((one, other), (other, one)):
        edge = STRENGTH[sat[0] - 1] - STRENGTH[sat[1] - 1]
        won = rng.random() < 1 / (1 + 10 ** (-edge / 400))
        results.append(Result(tuple(map(name_of, sat)), (1.0, 0.0) if won else (0.0, 1.0)))
    costs = {player: prices[player - 1] for player in two}
    return Seen(two, tuple(results), frozenset({((number,), b"")}), costs)


def made(pairs: int = 200, step: int = 5, **more: int) -> Matchmaker:
    return Matchmaker(Plan(rotation(len(STRENGTH)), pairs, step, **more))


def run(
    maker: Matchmaker, at_once: int = 1, prices: tuple[int, ...] = CHEAP, void: tuple[int, ...] = ()
) -> list:
    """Feed it pairs in an order that so many workers might end in, never one that it does not know yet."""
    rng, out, number = random.Random(at_once), [], 0
    while number < maker.known or out:
        while number < maker.known and len(out) < at_once:
            out.append(number)
            number += 1
        ended = out.pop(rng.randrange(len(out)))
        if ended in void:
            maker.given_up(ended)
        else:
            maker.completed(ended, played(maker, ended, prices=prices))
    return [(maker.board(pair).players, maker.deal(pair)) for pair in range(maker.known)]


def test_the_choice_does_not_depend_on_who_ends_first():
    alone = run(made())
    assert len(alone) == 200
    assert alone == run(made(), 4) == run(made(), 30)
    assert alone != run(Matchmaker(Plan(rotation(len(STRENGTH), seed=2), 200, 5)))


def test_a_longer_tournament_begins_with_the_same_pairs():
    assert run(made(203)) == run(made(147)) + run(made(203))[147:]


def test_the_next_step_is_known_before_this_one_is_played():
    maker = made(step=5)
    assert maker.known == 8 + 5  # three times everybody, and a step to be played while the next is chosen
    for number in range(8):
        assert maker.known == 13
        maker.completed(number, played(maker, number))
    assert maker.known == 18


def test_every_pair_of_two_players_is_on_a_deal_of_its_own_counted_from_the_first():
    deals: dict[tuple[int, ...], list[int]] = {}
    for players, deal in run(made()):
        deals.setdefault(players, []).append(deal)
    assert all(found == list(range(len(found))) for found in deals.values())


def test_the_close_get_most_and_the_settled_little():
    met = Counter(players for players, _ in run(made(300)))
    close = [met[two] for two in ((2, 3), (2, 4), (3, 4))]
    far = [met[two] for two in combinations(range(1, 6), 2) if 1 in two or 5 in two]
    assert min(close) > 2 * max(far)


def test_the_dear_get_less():
    def plays(prices: tuple[int, ...]) -> Counter[int]:
        return Counter(player for players, _ in run(made(), prices=prices) for player in players)

    cheap, dear = plays(CHEAP), plays((1, 1, 50, 1, 1))
    assert dear[3] < 0.6 * cheap[3]
    assert dear[3] >= 3


def test_whoever_is_free_does_not_play_for_ever():
    met = Counter(players for players, _ in run(made(), prices=(0, 50, 50, 50, 0)))
    assert met[2, 3] + met[2, 4] + met[3, 4] > 60


def test_pairs_that_are_given_up_hold_nobody_up():
    void = (3, 20, 21, 22, 57)
    chosen = run(made(), void=void)
    assert len(chosen) == 200 and chosen == run(made(), 16, void=void)


def test_a_player_without_any_result_leaves_it_at_the_rotation():
    maker = made(40)
    number = 0
    while number < maker.known:
        if 5 in maker.board(number).players:
            maker.given_up(number)
        else:
            maker.completed(number, played(maker, number))
        number += 1
    assert [maker.board(pair) for pair in range(40)] == [maker.rotation.board(pair) for pair in range(40)]


def test_what_was_begun_stays_as_it_was():
    chosen = run(made())
    other = (1, 5) if chosen[30][0] != (1, 5) else (1, 2)
    maker = Matchmaker(Plan(rotation(len(STRENGTH)), 200, 5), {30: other})
    assert run(maker)[30][0] == other


def test_it_ends_when_ranks_are_known_and_what_was_chosen_by_then_is_played():
    maker = made(2000, until=2)
    pairs = run(maker)
    assert "every rank is known to within 2 places, by the first" in maker.ended
    by = int(maker.ended.split()[-2])
    assert len(pairs) == by + 5
    again = made(2000, until=2)
    assert run(again, 16) == pairs and again.ended == maker.ended


def test_exact_repeats_tell_nothing_new():
    """Two who always play the same match get no more of them, however close they seem."""

    def met(repeats: bool) -> int:
        maker, number = made(120), 0
        while number < maker.known:
            seen = played(maker, number)
            if repeats and seen.players == (3, 4):
                results = (Result((name_of(3), name_of(4)), (1, 0)), Result((name_of(4), name_of(3)), (1, 0)))
                seen = seen._replace(results=results, went=frozenset({((0,), b"same")}))
            maker.completed(number, seen)
            number += 1
        return sum(maker.board(pair).players == (3, 4) for pair in range(maker.known))

    assert met(True) < met(False)


# ── the rule itself ──────────────────────────────────────────────────────────────────────────────────


def field(scores: dict[tuple[str, str], tuple[int, int]]):
    """From won and lost pairs of every two who met: ratings and how often they did."""
    clusters = [
        [Result((one, other), (score, 1 - score)), Result((other, one), (1 - score, score))]
        for (one, other), pairs in scores.items()
        for score, many in zip((1, 0), pairs, strict=True)
        for _ in range(many)
    ]
    ratings = fit(count(clusters))
    place = {name: k for k, name in enumerate(ratings.players)}
    return ratings, {(place[one], place[other]): float(sum(pairs)) for (one, other), pairs in scores.items()}


def test_the_first_of_equals_and_then_whoever_has_less():
    ratings, had = field(dict.fromkeys(combinations("abc", 2), (3, 3)))
    assert allocate(ratings, had, (1, 1, 1), 3) == [(0, 1), (0, 2), (1, 2)]


def test_units_of_money_change_nothing_and_what_is_to_come_counts_as_played():
    ratings, had = field({("a", "b"): (9, 3), ("b", "c"): (5, 4), ("a", "c"): (7, 2), ("c", "d"): (4, 5)})
    costs = (3.0, 1.0, 2.0, 0.5)
    chosen = allocate(ratings, had, costs, 12)
    assert allocate(ratings, had, [1e12 * each for each in costs], 12) == chosen
    assert allocate(ratings, had, costs, 6, chosen[:6]) == chosen[6:]


def test_where_nobody_costs_anything_all_cost_the_same():
    ratings, had = field(dict.fromkeys(combinations("abc", 2), (3, 3)))
    assert allocate(ratings, had, (0, 0, 0), 3) == allocate(ratings, had, (7, 7, 7), 3)
