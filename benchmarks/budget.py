"""Does the wall hold? 500 matches at once spend a dollar, in the ledger alone and in whole runs.

    python -m benchmarks.budget [--trials 1000] [--runs 20]

A whole run is `orchestrator duel --max-cost 1` against `orchestrator simulate`: answers of very different length and
latency, a tenth of all calls failing in every way. Every fourth run is killed (-9) twice and gone on with. What it
spent is said twice: by the ledger, which is the sum of all calls on record, at their worst those whose end nobody
knows; and by the service, which counts the tokens of every answer that it made, arrived or not. No timing: neither
may be more than the wall, and the ledger should come close to it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from sqlmodel import select

from benchmarks.service import Service, ended, has_run, kill, orchestrator, stand_in
from orchestrator.budget import RUN, Budget, WallReached
from orchestrator.duel import read_price
from orchestrator.record.check import check_money
from orchestrator.record.reading import reading
from orchestrator.record.tables import Player, Price
from providers.base import Usage
from providers.prices import cost
from providers.stand_in.tally import BILLED

DOLLAR = 10**12
MATCHES = 500
WEATHER = {
    "latency": 0.1,
    "spread": 0.8,
    "tokens": 200,
    "tokens_spread": 1.3,
    "retry_after": 0.05,
    "429": 0.005,
    "529": 0.02,
    "500": 0.03,
    "cut": 0.03,
    "hang": 0.01,
    "illegal": 0.05,
    "malformed": 0.03,
    "truncated": 0.02,
    "refused": 0.01,
}
# Who plays, and the longest answer. What a call costs at worst is 0.1 % to 4 % of the wall, doubled after a cut answer.
TABLES = (
    (("local:one?price=0.25,1.25", "local:two?price=0.5,2.5"), 512),
    (("anthropic:claude-haiku-5-5", "local:two?price=3,15"), 1024),
    (("openai:gpt-6-luna", "google:gemini-3.8-flash"), 1024),
    (("local:one?price=1,5", "bot:greedy"), 4096),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=20)
    asked = parser.parse_args()
    print(ledger(asked.trials), flush=True)
    runs = []
    with tempfile.TemporaryDirectory() as directory:
        for seed in range(asked.runs):
            players, longest = TABLES[seed % len(TABLES)]
            runs.append(
                whole_run(Path(directory, str(seed)), players, longest, seed, kills=2 * (seed // 4 % 4 == 0))
            )
            print(runs[-1], flush=True)
    print(summary(runs))


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


# ── whole runs ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Spent:
    """What one run cost; in pico-dollars."""

    players: tuple[str, ...]
    kills: int
    calls: int
    ledger: int
    possibly: int  # of it, by calls whose end is not known
    service: int  # by the tokens of every answer that it made
    status: int  # the command's exit status
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{' vs '.join(self.players)}, {self.kills} kills: {self.calls} calls, ledger {self.ledger / DOLLAR:.4f} "
            f"(possibly {self.possibly / DOLLAR:.4f}), service {self.service / DOLLAR:.4f} of the wall, "
            f"exit status {self.status}{'; ' if self.wrong else ''}{'; '.join(self.wrong)}"
        )


def whole_run(
    output: Path,
    players: tuple[str, ...],
    longest: int,
    seed: int,
    *,
    kills: int = 0,
    matches: int = MATCHES,
    wall: str = "1",
) -> Spent:
    """One run until its wall, against a stand-in of its own; killed so many times on the way."""
    weather = [word for name, rate in WEATHER.items() for word in ("--rate", f"{name}={rate}")]
    rng = random.Random(seed)
    words = [*players[:1], "vs", *players[1:], "--games", str(matches), "--concurrency", str(matches)]
    words += ["--seed", str(seed), "--max-tokens", str(longest), "--timeout", "2", "--max-cost", wall]

    def start() -> subprocess.Popen[bytes]:
        more = ["--resume"] if has_run(output) else words
        return orchestrator(service, "duel", "--output", str(output), *more)

    with stand_in("--bot", "greedy", "--seed", str(seed), *weather) as service:
        killed = sum(kill(start(), service, rng.randrange(20, 400), rng.random() * 0.2) for _ in range(kills))
        status, _ = ended(start())
        return _spent(output, service, players, killed, status)


def _spent(output: Path, service: Service, players: tuple[str, ...], killed: int, status: int) -> Spent:
    with closing(sqlite3.connect(output / "record.db")) as db:
        calls, ledger, possibly = db.execute(
            "SELECT count(*), sum(cost_pico), sum(cost_pico * possibly_billed) FROM call"
        ).fetchone()
    billed = 0
    usage = service.counts()["usage"]
    with reading(output) as session:
        for player in session.exec(select(Player).where(Player.model != "")):
            price = read_price(session.get_one(Price, player.parameters["price"]))
            used = Usage(**{kind: usage.get(player.model, {}).get(kind, 0) for kind in BILLED})
            billed += cost(replace(price, long=None), used)  # no call by itself is so long
    return Spent(players, killed, calls, ledger, possibly, billed, status, tuple(check_money(output)))


def summary(runs: list[Spent]) -> str:
    ledger, service = (
        sorted(run.ledger / DOLLAR for run in runs),
        sorted(run.service / DOLLAR for run in runs),
    )
    return (
        f"{len(runs)} runs, {sum(run.kills for run in runs)} kills, {sum(run.calls for run in runs)} calls: by the "
        f"ledger {ledger[0]:.4f} to {ledger[-1]:.4f} of the wall, by the service {service[0]:.4f} to "
        f"{service[-1]:.4f}; {sum(bool(run.wrong) for run in runs)} records whose money does not add up"
    )


if __name__ == "__main__":
    main()
