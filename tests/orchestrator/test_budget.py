"""The wall holds: whatever calls cost, in whatever order they come back, fail or are given up."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.budget import DOLLAR, trial_of_the_wall, whole_run
from orchestrator.budget import RUN, Budget, WallReached, walls


@pytest.mark.parametrize("trial", range(30))
def test_five_hundred_matches_never_spend_more_than_the_wall_and_nearly_all_of_it(trial) -> None:
    """`python -m benchmarks.budget` tries a thousand."""
    budget, calls = trial_of_the_wall(trial)
    assert budget.spent() <= DOLLAR and budget.spent(1) <= budget.walls[1]
    assert budget.spent() >= 0.95 * DOLLAR and budget.reserved() == 0 and budget.waiting == 0
    assert calls > 25


def test_a_whole_run_killed_on_the_way_never_spends_more_than_its_wall(tmp_path) -> None:
    """By its own ledger and by the service's; `python -m benchmarks.budget` plays twenty, with every vendor."""
    players = ("local:one?price=0.25,1.25", "local:two?price=0.5,2.5")
    run = whole_run(tmp_path / "run", players, 512, seed=3, kills=1, matches=100, wall="0.1")
    wall = DOLLAR // 10
    assert run.kills == 1 and run.wrong == () and run.status == 1
    assert 0.95 * wall <= run.ledger <= wall and 0 < run.service <= run.ledger


def test_what_was_spent_before_counts() -> None:
    budget = Budget({RUN: DOLLAR, 2: DOLLAR // 2}, {1: DOLLAR // 4, 2: DOLLAR // 2})
    assert (budget.spent(), budget.spent(2)) == (3 * DOLLAR // 4, DOLLAR // 2)
    with pytest.raises(WallReached, match=r"\$0\.5000 of \$0\.5000 are spent") as reached:
        asyncio.run(budget.reserve(2, 1))
    assert reached.value.player == 2
    with pytest.raises(WallReached) as reached:
        asyncio.run(budget.reserve(1, DOLLAR // 2))
    assert reached.value.player == RUN
    asyncio.run(budget.reserve(1, DOLLAR // 4))


def test_a_call_waits_for_what_may_still_come_back_cheaper() -> None:
    async def play() -> None:
        budget = Budget({RUN: 100})
        waits: list[int] = []
        budget.on_wait = lambda: waits.append(budget.waiting)
        first = await budget.reserve(1, 80)
        large = asyncio.ensure_future(budget.reserve(1, 60))
        small = asyncio.ensure_future(budget.reserve(2, 30))
        await asyncio.sleep(0)
        assert waits == [1, 2] and not large.done()
        budget.settle(first, 20)
        assert await large == (1, 60)
        await asyncio.sleep(0)
        assert not small.done(), "20 spent and 60 out leave 20"
        budget.settle(await large, 60)
        with pytest.raises(WallReached):
            await small
        assert (budget.spent(), budget.reserved(), budget.waiting) == (80, 0, 0)

    asyncio.run(play())


def test_without_a_wall_nobody_waits() -> None:
    budget = Budget()
    assert asyncio.run(budget.reserve(1, 10**18)).pico == 10**18


def test_walls_are_given_in_dollars_by_any_name() -> None:
    players = [{"luna", "openai:gpt-6-luna"}, {"bot:greedy"}]
    assert walls(("5", "luna=0.25", "2=$1"), players) == {RUN: 5 * DOLLAR, 1: DOLLAR // 4, 2: DOLLAR}
    for text, says in (
        ("sol=1", "there are bot:greedy, luna"),
        ("-1", "expected dollars"),
        ("1e30", "expected dollars"),
        ("luna=x", "PLAYER=5"),
    ):
        with pytest.raises(ValueError, match=says):
            walls((text,), players)
    with pytest.raises(ValueError, match="several players are called 'a'"):
        walls(("a=1",), [{"a"}, {"a"}])
    for twice in (("1", "2"), ("a=1", "b=2")):
        with pytest.raises(ValueError, match="given twice"):
            walls(twice, [{"a", "b"}])
