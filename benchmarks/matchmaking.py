"""Does an active tournament know the ranks for less money than a round robin, and are its intervals still right?

    python -m benchmarks.matchmaking [--tournaments 100] [--write]

Tournaments are played by chance with known strengths and prices; who meets whom is chosen by the very `Matchmaker` that
a run asks. Prices are spread evenly over a factor and dealt out at random, what a pair costs varies by half either way.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean

from benchmarks.page import keep
from benchmarks.tournaments import Tournament, endless
from orchestrator.matchmaking import Matchmaker, Plan, Rotation, Seen, name_of
from orchestrator.ratings import allocation
from orchestrator.ratings.bradley_terry import Result
from orchestrator.ratings.league import League, league

PLAYERS, SPREAD, FACTOR = 8, 450.0, 50.0
EACH = 20  # pairs of every two in the round robin that is to be matched
STEP = 10
FIRST, LOOKS = 0.3, 20  # at an active one: after so much of that round robin's money, then every 1/20 of it


@dataclass(frozen=True)
class Look:
    """A tournament so far: what was spent, and what is known."""

    money: float
    pairs: int
    league: League

    @property
    def width(self) -> float:
        """Places by which a rank is open, on average."""
        return mean(rank.high - rank.low for rank in self.league.ranks.values())


class Field:
    """Players by number from 1, with strengths, prices and chance of their own."""

    def __init__(self, of: Tournament, seed: int, factor: float) -> None:
        self.of = of
        self.names = sorted(of.strength)
        self.rng = random.Random(seed)
        prices = [factor ** (k / (of.players - 1)) for k in range(of.players)]
        self.rng.shuffle(prices)
        self.prices = prices

    def play(self, players: Sequence[int], number: int) -> Seen:
        one, other = players
        results = []
        for sat in ((one, other), (other, one)):
            came = self.of.play(self.rng, self.names[sat[0] - 1], self.names[sat[1] - 1])
            results.append(Result(tuple(map(name_of, sat)), came.scores))
        costs = {
            player: round(1e6 * self.prices[player - 1] * self.rng.uniform(0.5, 1.5)) for player in players
        }
        return Seen(tuple(players), tuple(results), frozenset({((number,), b"")}), costs)


def rotation(seed: int) -> Rotation:
    return Rotation(PLAYERS, "", {}, 2, seed)


def round_robin(of: Tournament, seed: int, factor: float, each: Sequence[int]) -> Iterator[Look]:
    """After so many pairs of every two."""
    field, plan, seen, money = Field(of, seed, factor), rotation(seed), [], 0.0
    for number in range(plan.pairs(max(each))):
        seen.append(field.play(plan.board(number).players, number))
        money += sum(seen[-1].costs.values()) / 1e6
        if (number + 1) % plan.round == 0 and (number + 1) // plan.round in each:
            yield Look(money, number + 1, league(one.results for one in seen))


def active(
    of: Tournament, seed: int, factor: float, money: float, blind: bool = False, until: int | None = None
) -> Iterator[Look]:
    """At even distances, until so much is spent; `blind`: what pairs cost is kept from whoever chooses.

    `until`: it stops once no rank is open by more places, and its last look is then.
    """
    field, seen, spent, due = Field(of, seed, factor), list[Seen](), 0.0, FIRST * money
    maker = Matchmaker(Plan(rotation(seed), 10**6, STEP, until))
    while spent < money and len(seen) < maker.known:
        number = len(seen)
        seen.append(field.play(maker.board(number).players, number))
        spent += sum(seen[-1].costs.values()) / 1e6
        maker.completed(number, seen[-1]._replace(costs={}) if blind else seen[-1])
        if until is None and spent >= due:
            due = spent + money / LOOKS
            yield Look(spent, number + 1, league(one.results for one in seen))
    yield Look(spent, len(seen), league(one.results for one in seen))


def at(looks: Sequence[Look], money: float) -> float:
    """The width for so much money, between two looks on the line between them."""
    before = looks[0]
    for look in looks:
        if look.money >= money:
            way = (money - before.money) / (look.money - before.money) if look is not before else 1.0
            return before.width + way * (look.width - before.width)
        before = look
    return before.width


def needed(tournaments: Sequence[Sequence[Look]], width: float, most: float) -> float:
    """For how much money ranks are open by no more than `width` on average over tournaments."""
    low, high = 0.0, most
    for _ in range(30):
        money = (low + high) / 2
        if mean(at(looks, money) for looks in tournaments) <= width:
            high = money
        else:
            low = money
    return high


@dataclass(frozen=True)
class Held:
    """Shares of 95 % intervals of differences with the truth, and of tournaments with all true ranks in theirs."""

    differences: float
    ranks: float


def held(of: Tournament, looks: Sequence[Look]) -> Held:
    truth = endless(of)
    names = {name_of(number): name for number, name in enumerate(sorted(of.strength), 1)}
    order = sorted(names, key=lambda name: -of.strength[names[name]])
    inside = trials = ranked = 0
    for look in looks:
        for one, other in combinations(names, 2):
            low, _, high = look.league.ratings.difference(one, other)
            inside += low <= truth.difference(names[one], names[other]).mid <= high
            trials += 1
        ranks = look.league.ranks
        ranked += all(ranks[name].low <= k <= ranks[name].high for k, name in enumerate(order, 1))
    return Held(inside / trials, ranked / len(looks))


@dataclass(frozen=True)
class Row:
    name: str
    factor: float = FACTOR
    blind: bool = False
    everybody: bool = False  # settled ranks draw as much as open ones


ROWS = (
    Row("as it is"),
    Row("prices kept from it: closeness alone", blind=True),
    Row("every difference as open: prices alone", everybody=True),
    Row("where everybody costs the same", factor=1.0),
)


def row(of: Tournament, asked: Row, seeds: Sequence[int]) -> str:
    rounds = [list(round_robin(of, seed, asked.factor, (EACH,)))[-1] for seed in seeds]
    money, width = mean(look.money for look in rounds), mean(look.width for look in rounds)
    kept = allocation._open
    try:
        if asked.everybody:
            allocation._open = lambda z, margin: 1.0
        played = [list(active(of, seed, asked.factor, money, asked.blind)) for seed in seeds]
    finally:
        allocation._open = kept
    found = needed(played, width, money)
    then = [next((look for look in looks if look.money >= found), looks[-1]) for looks in played]
    robin, chosen = held(of, rounds), held(of, then)
    return (
        f"| {asked.name} | {width:.2f} | {len(rounds) and rounds[0].pairs} | {mean(look.pairs for look in then):.0f} "
        f"| **{1 - found / money:.0%}** | {robin.differences:.1%} | {chosen.differences:.1%} "
        f"| {robin.ranks:.0%} | {chosen.ranks:.0%} |"
    )


def stopped(of: Tournament, until: int, seeds: Sequence[int]) -> str:
    """What holds where it stops by itself, at the moment that looks best."""
    looks = [list(active(of, seed, FACTOR, 1e5, until=until))[-1] for seed in seeds]
    found = held(of, looks)
    return f"| {until} | {mean(look.pairs for look in looks):.0f} | {found.differences:.1%} | {found.ranks:.0%} |"


def seconds(players: int) -> float:
    """Of one core, for a step of ten pairs among so many players, each of whom played some twenty."""
    field = Field(Tournament(players=players, spread=SPREAD), 0, FACTOR)
    maker, number, took = Matchmaker(Plan(Rotation(players, "", {}, 2, 0), 10**6, STEP)), 0, 0.0
    while number < 10 * players:
        seen = field.play(maker.board(number).players, number)
        start, known = time.process_time(), maker.known
        maker.completed(number, seen)
        if maker.known > known:
            took = time.process_time() - start
        number += 1
    return took


def table(tournaments: int = 100) -> str:
    of, seeds = Tournament(players=PLAYERS, spread=SPREAD), range(tournaments)
    lines = [
        f"{tournaments} tournaments each: {PLAYERS} players over {SPREAD:.0f} Elo, prices over a factor of "
        f"{FACTOR:.0f}; until ranks are as narrow as after a round robin of {EACH} pairs each.",
        "",
        "| chosen | ranks open by, places | pairs, round robin | pairs, chosen | money saved "
        "| truth in the 95 % interval, round robin | chosen | all true ranks in theirs, round robin | chosen |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(row(of, each, seeds) for each in ROWS),
        "",
        "| `--until-ranked` | pairs | truth in the 95 % interval | all true ranks in theirs |",
        "| ---: | ---: | ---: | ---: |",
        *(stopped(of, until, seeds) for until in (4, 2)),
        "",
        f"Choosing ten pairs takes {1000 * seconds(8):.0f} ms of one core among 8 players, "
        f"{1000 * seconds(20):.0f} ms among 20, the fit before it included.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matchmaking", description=__doc__)
    parser.add_argument("--tournaments", type=int, default=100)
    parser.add_argument("--write", action="store_true", help="keep the table in docs/results.md")
    asked = parser.parse_args()
    text = table(asked.tournaments)
    if asked.write:
        keep("matchmaking", text)
    print(text)


if __name__ == "__main__":
    main()
