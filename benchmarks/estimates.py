"""Does the range hold, and how near is the expected value? `python -m benchmarks.estimates [--runs 300]`

A simulator draws runs that nobody pays for: two models at a game whose matches are of lognormal length, longer or
shorter than those between bots by a factor of the run's own; answers with a heavy tail, differing between models,
matches and answers. The estimate is given what it would really have (a rehearsal by bots, the record of the first
matches, records of other runs), and the dollars that the rest of the run then took are compared with it.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import NamedTuple

from orchestrator.estimate import Estimate, Lot, forecast
from orchestrator.history import Course, History, Sight, who
from orchestrator.players import Seated
from orchestrator.rehearsal import Form, Rehearsal, Way
from providers.base import Usage
from providers.prices import PriceBook, cost

BOTS = 24  # plies of a match between bots, on average
FORM = Form(system=1300, schema=300, user=260.0, growth=2.0, longest=2000)
CHARS_PER_TOKEN = 3.1
GAME = "connect4"
DRAWS = 200  # for each estimate, of which there are hundreds here


class Tail(NamedTuple):
    """Answers of one kind: how one lies around the mean 1, given how far they scatter."""

    draw: Callable[[random.Random, float], float]
    most: float  # the widest scatter


def lognormal(rng: random.Random, sigma: float) -> float:
    return math.exp(rng.gauss(0, sigma) - sigma**2 / 2)


def now_and_then(rng: random.Random, sigma: float) -> float:
    """Mostly brief; one answer in six is thought about, the longer the wider they scatter."""
    times = math.exp(2.5 * sigma)
    return lognormal(rng, 0.3) * (times if rng.random() < 1 / 6 else 1.0) / (5 / 6 + times / 6)


TAILS = {"lognormal": Tail(lognormal, 1.2), "thinks now and then": Tail(now_and_then, 1.2)}


@dataclass(frozen=True, slots=True)
class Model:
    """The truth about one model in one run."""

    seated: Seated
    tokens: float  # of an answer, on average
    sigma: float
    between: float
    again: float  # further asks per decision


@dataclass(frozen=True, slots=True)
class Truth:
    tail: Tail
    models: tuple[Model, ...]
    length: float
    cv: float


@dataclass(frozen=True, slots=True)
class Match:
    plies: int
    decisions: tuple[int, ...]  # by model
    answers: tuple[tuple[int, ...], ...]


def truth(rng: random.Random, tail: Tail, sigma: float | None = None) -> Truth:
    """What nobody knows of a run; `sigma` fixes how answers scatter."""
    models = tuple(
        Model(
            seated=seated(number),
            tokens=300 * lognormal(rng, 0.8),
            sigma=rng.uniform(0.3, tail.most) if sigma is None else sigma,
            between=rng.uniform(0.0, 0.4),
            again=rng.uniform(0.0, 0.2),
        )
        for number in range(2)
    )
    return Truth(tail, models, BOTS * math.exp(rng.gauss(0, 0.2)), rng.uniform(0.15, 0.4))


def seated(number: int) -> Seated:
    provider, model = (("anthropic", "claude-sonnet-5-5"), ("openai", "gpt-6.1-sol"))[number]
    return Seated(
        spec=f"{provider}:{model}",
        label=model,
        kind=provider,
        hash=str(number),
        provider=provider,
        model=model,
        style="default",
        track="open",
        parameters={
            "effort": "low",
            "max_tokens": 100_000,
            "reasks": 2,
            "tier": "batch",
        },  # no luck with caches
        price=PriceBook.load().price(provider, model),
    )


def play(rng: random.Random, run: Truth, matches: int) -> list[Match]:
    return [_match(rng, run) for _ in range(matches)]


def _match(rng: random.Random, run: Truth) -> Match:
    plies = max(4, round(run.length * lognormal(rng, run.cv)))
    decisions = (plies // 2, plies - plies // 2)
    answers = []
    for model, count in zip(run.models, decisions, strict=True):
        mood = model.tokens * lognormal(rng, model.between)
        asks = count + sum(rng.random() < model.again for _ in range(count))
        answers.append(tuple(max(1, round(mood * run.tail.draw(rng, model.sigma))) for _ in range(asks)))
    return Match(plies, decisions, tuple(answers))


def prompt(plies: int) -> float:
    """Tokens of a question, on average over a match so long."""
    return (FORM.system + FORM.user + FORM.growth * (plies - BOTS) / 2) / CHARS_PER_TOKEN


def bill(run: Truth, matches: Sequence[Match]) -> int:
    """Pico-dollars."""
    total = 0
    for match in matches:
        for model, answers in zip(run.models, match.answers, strict=True):
            usage = Usage(round(len(answers) * prompt(match.plies)), output=sum(answers))
            assert model.seated.price is not None
            total += cost(model.seated.price, usage)
    return total


def seen(run: Truth, matches: Sequence[Match], *, own: bool) -> History:
    """The record of these matches."""
    table = tuple(sorted(who(model.seated) for model in run.models))
    sights = tuple(
        Sight(
            who=who(model.seated),
            game=GAME,
            variant={},
            own=own,
            answers=tuple(match.answers[number] for match in matches),
            decisions=sum(match.decisions[number] for match in matches),
            characters=round(CHARS_PER_TOKEN * 1000),
            tokens=1000,
        )
        for number, model in enumerate(run.models)
    )
    return History(sights, (Course(GAME, {}, table, own, tuple(match.plies for match in matches)),))


def rehearsal(rng: random.Random) -> Rehearsal:
    """Forty matches between bots, whose length the models' differs from."""
    lengths = tuple(max(4, round(BOTS * lognormal(rng, 0.25))) for _ in range(40))
    return Rehearsal(lengths, 400, 2, 0, {Way("default", "open"): FORM})


def guess(rng: random.Random, run: Truth, matches: int, known: History) -> Estimate:
    return forecast(
        [model.seated for model in run.models],
        [(Lot(GAME, {}, (0, 1), matches), rehearsal(rng))],
        known,
        concurrency=8,
        limits={},
        seed=rng.getrandbits(31),
        book=PriceBook.load(),
        draws=DRAWS,
    )


@dataclass(frozen=True, slots=True)
class Score:
    """How estimates did over many runs: shares of 1."""

    runs: int
    covered: float
    below: float  # runs that were cheaper than low
    above: float
    error: float  # of the expected value, absolute: median
    error90: float
    width: float  # high / low, median


def score(
    runs: int,
    *,
    pilot: int,
    sigma: float | None = None,
    tail: str = "lognormal",
    elsewhere: int = 0,
    seed: int = 1,
) -> Score:
    """Estimates after `pilot` matches of the run, with a record of `elsewhere` matches of an earlier one."""
    rng = random.Random(seed)
    found = [_one(rng, TAILS[tail], sigma, pilot, elsewhere) for _ in range(runs)]
    errors = sorted(abs(expected / paid - 1) for paid, _, expected, _ in found)
    return Score(
        runs=runs,
        covered=fmean(low <= paid <= high for paid, low, _, high in found),
        below=fmean(paid < low for paid, low, _, _ in found),
        above=fmean(paid > high for paid, _, _, high in found),
        error=median(errors),
        error90=errors[math.ceil(0.9 * runs) - 1],
        width=median(high / low for _, low, _, high in found),
    )


def _one(
    rng: random.Random, tail: Tail, sigma: float | None, pilot: int, elsewhere: int
) -> tuple[float, float, float, float]:
    """What the rest of one run took, and what was said before: low, expected, high."""
    run = truth(rng, tail, sigma)
    known = History()
    if elsewhere:
        known += seen(run, play(rng, _another_day(rng, run), elsewhere), own=False)
    if pilot:
        known += seen(run, play(rng, run, pilot), own=True)
    rest = play(rng, run, rng.randrange(20, 120))
    pico = guess(rng, run, len(rest), known).total.pico
    assert pico is not None
    return (bill(run, rest), *pico)


def _another_day(rng: random.Random, run: Truth) -> Truth:
    """The same models in another run: other opponents, other openings."""
    models = tuple(replace(model, tokens=model.tokens * lognormal(rng, 0.15)) for model in run.models)
    return replace(run, models=models, length=run.length * lognormal(rng, 0.15))


CASES = (
    ("no history", {"pilot": 0}),
    ("pilot of 3 matches", {"pilot": 3}),
    ("pilot of 3, answers scatter most (sigma 1.2)", {"pilot": 3, "sigma": 1.2}),
    ("pilot of 10", {"pilot": 10}),
    ("record of another run, 20 matches", {"pilot": 0, "elsewhere": 20}),
    ("that record and a pilot of 3", {"pilot": 3, "elsewhere": 20}),
)


def table(runs: int = 300) -> str:
    """Markdown."""
    lines = [
        "| what is known | answers | dollars within low–high | below, above | expected value off by: median "
        "| 90 % of runs | high / low |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for tail in TAILS:
        for title, case in CASES:
            found = score(runs, tail=tail, **case)
            lines.append(
                f"| {title} | {tail} | {found.covered:.0%} | {found.below:.0%}, {found.above:.0%} "
                f"| {found.error:.1%} | {found.error90:.0%} | {found.width:.1f} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimates", description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    print(table(parser.parse_args().runs))


if __name__ == "__main__":
    main()
