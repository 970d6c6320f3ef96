"""How long matches of a game are and how long its prompts: measured on matches between bots before anything is paid.

Bots play a few matches of the very game that was asked for, as well and as badly as dice decide, and the real
prompts are rendered at positions on the way. Counts bound the work, so that a seed gives one result; the clock
only ends what would take too long. Behind a bridge all moves are random: a bot that tries moves on copies would
take minutes for one. Everybody sits on every seat equally often, so seats are not told apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, linear_regression
from time import monotonic
from typing import NamedTuple

import engine
import prompts
from engine import Game, Rng
from prompts import Track

PLIES, SECONDS = 2000, 0.5  # of all rehearsals of one estimate
MATCHES, LEAST = 40, 4  # of each: as many as its plies allow, but never less than the least
RENDERED = 8  # matches in which prompts are measured
QUESTIONS, LONG = (
    60,
    300,
)  # about so many in each of them; plies of a long match (the rules may allow far more)
GREEDY = (0, 50, 100)  # percentages of a seat's moves that are not drawn at random


class Way(NamedTuple):
    """How a model is asked."""

    style: str
    track: Track
    form: prompts.Form = "json"


@dataclass(frozen=True, slots=True)
class Form:
    """The size of a question asked in one way, in characters."""

    system: int
    schema: int
    user: float  # on average over the positions of a match
    growth: float  # of the user part, by ply
    longest: int  # bytes of all parts at the longest position seen
    shortest: int = 0  # at the shortest, without the schema


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Matches of one game between bots: their plies without the opening, and the questions on the way."""

    lengths: tuple[int, ...]
    most: int  # plies that no match exceeds
    seats: int
    uneven: int  # plies that a seat had beyond its share, rounded up, at most
    forms: Mapping[Way, Form]


def rehearse(
    game: str,
    variant: Mapping[str, int],
    ways: Iterable[Way],
    *,
    opening: int = 0,
    seed: int = 0,
    plies: int = PLIES,
    deadline: float = float("inf"),
) -> Rehearsal:
    """Play up to `plies` plies, in four matches at least, and not beyond `deadline` (`time.monotonic`)."""
    first = engine.new(game, seed, **variant)
    seats, most = first.num_players(), first.max_plies()
    sizes: dict[Way, list[tuple[int, int]]] = {way: [] for way in ways}
    parts: dict[Way, tuple[int, int, int, int]] = {}
    lengths: list[int] = []
    played, uneven, number = 0, 0, 0
    stride = 1 + 2 * (min(most, LONG) // QUESTIONS // 2)  # odd: every seat is measured
    while number < LEAST or (played < plies and number < MATCHES):
        rng = engine.Rng(engine.derive(seed, "rehearsal", number))
        table = _Bots(engine.new(game, engine.derive(seed, "deal", number), **variant), rng)
        while not table.game.is_terminal():
            if not parts or (number < RENDERED and table.plies >= opening and table.plies % stride == 0):
                _measure(table.game, max(0, table.plies - opening), sizes, parts)
            table.move()
            if monotonic() > deadline:
                break
        if table.game.is_terminal():
            lengths.append(max(1, table.plies - opening))
            uneven = max(uneven, max(table.moved) + table.plies // -seats)
        elif not lengths:  # at least so long, and perhaps much longer
            lengths += [min(most, times * table.plies) for times in (1, 4)]
        played, number = played + table.plies, number + 1
        if monotonic() > deadline:
            break
    forms = {way: _form(sizes[way], *parts[way]) for way in sizes if way in parts}
    return Rehearsal(tuple(lengths), max(1, most - opening), seats, uneven, forms)


class _Bots:
    """A match whose seats move greedily or at random, each in its own proportion."""

    def __init__(self, game: Game, rng: Rng) -> None:
        self.game = game
        self.rng = rng
        self.plies = 0
        self.moved = [0] * game.num_players()
        self.greedy = [0 if ":" in game.name() else GREEDY[rng.below(len(GREEDY))] for _ in self.moved]
        self.bot = engine.new_bot("greedy")

    def move(self) -> None:
        seat = self.game.current_player()
        if self.rng.below(100) < self.greedy[seat]:
            action = int(self.bot.choose(self.game, self.rng))
        else:
            legal = self.game.legal_actions()
            action = legal[self.rng.below(len(legal))]
        self.game.apply(action)
        self.moved[seat] += 1
        self.plies += 1


def _measure(
    game: Game, ply: int, sizes: dict[Way, list[tuple[int, int]]], parts: dict[Way, tuple[int, int, int, int]]
) -> None:
    view = game.view(game.current_player())
    for way, found in sizes.items():
        question = prompts.render(view, way.style, way.track, form=way.form)
        schema = len(json.dumps(question.schema))
        found.append((ply, len(question.user)))
        size = len((question.system + question.user).encode("utf-8", "replace"))
        *_, longest, shortest = parts.get(way, (0, 0, 0, size))
        parts[way] = len(question.system), schema, max(longest, size + schema), min(shortest, size)


def _form(sizes: list[tuple[int, int]], system: int, schema: int, longest: int, shortest: int) -> Form:
    at, long = [ply for ply, _ in sizes], [size for _, size in sizes]
    growth = linear_regression(at, long).slope if len(set(at)) > 1 else 0.0
    return Form(system, schema, fmean(long), growth, longest, shortest)
