"""Does the wall hold? 500 matches at once spend a dollar, in the ledger alone and in whole runs.

    python -m benchmarks.budget [--trials 1000]

No timing: what is shown is how much of the wall was spent, which must never be more than all of it.
"""

from __future__ import annotations

import argparse
import asyncio
import random

from orchestrator.budget import RUN, Budget, WallReached

DOLLAR = 10**12
MATCHES = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    print(ledger(parser.parse_args().trials))


def ledger(trials: int) -> str:
    """One line on the pure ledger."""
    shares = sorted(trial_of_the_wall(trial)[0].spent() / DOLLAR for trial in range(trials))
    return (
        f"{trials} trials, {MATCHES} matches at once: spent {shares[0]:.4f} to {shares[-1]:.4f} of the wall, "
        f"median {shares[trials // 2]:.4f}"
    )


def trial_of_the_wall(trial: int) -> tuple[Budget, int]:
    """500 matches at once spend a dollar: a budget at its end, and how many calls were made.

    Costs are anything up to the worst case, calls come back in any order, fail, or are given up; a third of the
    trials gives one of two players a wall of their own.
    """
    rng, calls = random.Random(trial), 0
    worst = rng.choice((DOLLAR // 25, DOLLAR // 50, DOLLAR // 100))
    budget = Budget({RUN: DOLLAR, 1: DOLLAR} if trial % 3 else {RUN: DOLLAR, 1: DOLLAR // 3})

    async def match(player: int) -> None:
        nonlocal calls
        while True:
            asked = int(worst * rng.uniform(0.5, 1))
            reservation = await budget.reserve(player, asked)
            assert budget.spent() + budget.reserved() <= DOLLAR
            calls += 1
            cost = asked  # of a call that is given up while it is out
            try:
                for _ in range(rng.randrange(4)):
                    await asyncio.sleep(0)
                cost = rng.choice((0, asked, int(asked * rng.random() ** 2)))
            finally:
                budget.settle(reservation, cost)

    async def play() -> None:
        matches = [asyncio.create_task(match(1 + number % 2)) for number in range(MATCHES)]
        for given_up in rng.sample(matches, 20):
            await asyncio.sleep(0)
            given_up.cancel()
        ended = await asyncio.gather(*matches, return_exceptions=True)
        assert all(isinstance(end, (WallReached, asyncio.CancelledError)) for end in ended)

    asyncio.run(play())
    return budget, calls


if __name__ == "__main__":
    main()
