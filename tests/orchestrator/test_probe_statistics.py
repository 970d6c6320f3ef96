"""Choices compared over ways to show a position: by hand, where nothing is to be found, and where much is."""

from __future__ import annotations

import random

import pytest

from orchestrator.probe_record import ALL, RELABEL, probed
from orchestrator.ratings.probes import ORIGINAL, REPEAT, Consistency, Shown, consistencies, pooled


def asked(place: int, *answers: tuple[str, bool | None, float | None]) -> list[Shown]:
    return [Shown(place, ORIGINAL, True, 0.0), *(Shown(place, *each) for each in answers)]


def one(shown: list[Shown], way: str) -> Consistency:
    (found,) = consistencies(shown, (way,))
    return found


def test_shares_drop_and_loss_by_hand() -> None:
    """Ten positions: repeated always, mirrored in four; of the other six three lose a whole win."""
    shown = []
    for place in range(10):
        same = place < 4
        shown += asked(place, (REPEAT, True, 0.0), ("mirrored", same, 0.0 if place < 7 else 1.0))
    repeat, mirrored = one(shown, REPEAT), one(shown, "mirrored")
    assert repeat.same is not None and mirrored.same is not None and mirrored.drop is not None
    assert (repeat.same.mean, repeat.drop, repeat.loss) == (1.0, None, None)
    assert (mirrored.positions, mirrored.answers, mirrored.missing, mirrored.graded) == (10, 10, 0, 10)
    assert mirrored.same.mean == pytest.approx(0.4) and mirrored.drop.mean == pytest.approx(0.6)
    assert 0 < mirrored.drop.low < 0.6 < mirrored.drop.high < 1 and mirrored.depends
    assert mirrored.fine is not None and mirrored.fine.mean == pytest.approx(0.7)
    assert mirrored.loss is not None and mirrored.loss.mean == pytest.approx(0.3)


def test_a_position_is_what_counts_not_an_answer() -> None:
    """Twenty symmetries of each of five positions, all alike within a position: no surer than one of each."""
    few, many = [], []
    for place in range(5):
        few += asked(place, (REPEAT, True, None), ("turned", place < 3, None))
        many += asked(place, (REPEAT, True, None), *[("turned", place < 3, None)] * 20)
    alone, often = one(few, "turned"), one(many, "turned")
    assert alone.same is not None and often.same is not None
    assert often.answers == 100 and often.positions == 5 and often.drop == alone.drop
    assert often.same.high - often.same.low > 0.9 * (alone.same.high - alone.same.low)


def test_answers_without_a_choice_compare_with_nothing() -> None:
    shown = [*asked(0, (REPEAT, None, None), ("mirrored", True, None)), *asked(1, (REPEAT, True, 0.0))]
    repeat, mirrored = one(shown, REPEAT), one(shown, "mirrored")
    assert (repeat.answers, repeat.missing) == (1, 1)
    assert mirrored.drop is None and mirrored.fine is None  # no position has both; nothing is graded
    assert consistencies(shown, ("relabelled",)) == []
    nothing = one([Shown(0, ORIGINAL, None), Shown(0, REPEAT, None)], REPEAT)
    assert nothing.same is None and nothing.answers == 0 and nothing.missing == 1


def test_a_better_move_is_no_loss_and_noise_of_a_search_no_fault() -> None:
    shown = []
    for place in range(60):
        shown += [Shown(place, ORIGINAL, True, 0.5), Shown(place, REPEAT, True, 0.5)]
        shown += [Shown(place, "mirrored", False, 0.0 if place % 2 else 0.54)]
    found = one(shown, "mirrored")
    assert found.fine is not None and found.fine.mean == 1.0
    assert found.loss is not None and found.loss.high < 0


def drawn(rng: random.Random, positions: int, equivariant: bool) -> list[Shown]:
    """A player with a taste of its own in every position: how surely it takes its favourite of two moves."""
    shown = []
    for place in range(positions):
        taste = rng.choice((0.5, 0.8, 0.95, 1.0))
        first, again, turned = (rng.random() < taste for _ in range(3))
        turned = turned if equivariant else rng.random() < 0.5
        shown += [Shown(place, ORIGINAL, True), Shown(place, REPEAT, first == again)]
        shown += [Shown(place, ALL, first == turned)]
    return shown


def test_chance_alone_is_rarely_taken_for_dependence_and_a_planted_one_is_found() -> None:
    rng = random.Random(5)
    wrongly = sum(one(drawn(rng, 40, True), ALL).depends for _ in range(400))
    found = sum(one(drawn(rng, 100, False), ALL).depends for _ in range(100))
    assert wrongly <= 0.04 * 400 and found >= 90  # 2.5 % of 400, and three standard deviations


def test_several_ways_as_one() -> None:
    shown = asked(0, ("turned left", True, None), ("turned right", False, None), (RELABEL, False, None))
    together = one(pooled(shown, ("turned left", "turned right"), ALL), ALL)
    assert together.answers == 2 and together.same is not None and together.same.mean == 0.5


def test_what_is_said() -> None:
    def said(mirrored: float, regret: float | None) -> str:
        shown = []
        for place in range(60):
            same = place < 60 * mirrored
            known = None if regret is None else 0.0
            shown += [Shown(place, ORIGINAL, True, known), Shown(place, REPEAT, True, known)]
            shown += [Shown(place, "mirrored", same, known if same else regret)]
        return probed("claude", shown, ("mirrored",)).verdict

    assert "repeats itself in 100 % of answers" in said(1.0, None) and "which chance may do" in said(
        1.0, None
    )
    assert said(0.2, None).endswith("how it is drawn matters.")
    assert said(0.2, 0.0).endswith("how it is drawn matters, but 100 % of its moves are worth as much.")
    assert said(0.2, 2.0).endswith("and it plays worse, by 1.60 of a win.")
    assert probed("claude", [], ()).verdict == "claude: too few answers to compare."
