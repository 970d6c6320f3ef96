"""How well a player of TicTacToe does against chance, exactly: every line of play, weighed by its probability.

A served model is asked as the arena asks it, through the same address, at every position that it can come to against
a player who takes any legal move alike. The expected result is then summed up from the ends (dynamic programming), so
there is no error of sampling. An answer that is no legal move loses.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import NamedTuple
from urllib.request import Request, urlopen

import engine
import prompts
from engine import Game, View

Chooses = Callable[[View], Sequence[int]]
"""The actions of which a player takes any alike; none of them where it names no legal move."""


class Result(NamedTuple):
    """Probabilities, against a player who moves by chance."""

    won: float
    drawn: float
    lost: float
    illegal: float  # a part of lost

    @property
    def unbeaten(self) -> float:
        """Won or drawn: the non-loss rate."""
        return self.won + self.drawn


def against_chance(chooses: Chooses, seat: int) -> Result:
    """What comes of it for that seat."""
    known: dict[bytes, Result] = {}

    def of(game: Game) -> Result:
        key = bytes(game.position_bytes())
        if key not in known:
            known[key] = worth(game)
        return known[key]

    def worth(game: Game) -> Result:
        if game.is_terminal():
            score = game.returns()[seat]
            return Result(float(score > 0), float(score == 0), float(score < 0), 0.0)
        own = game.current_player() == seat
        results = [
            of(after(game, each)) for each in (chooses(game.view(seat)) if own else game.legal_actions())
        ]
        if not results:
            return Result(0.0, 0.0, 1.0, 1.0)
        return Result(*(sum(each) / len(results) for each in zip(*results, strict=True)))

    return of(engine.new("tictactoe", 0))


def chance(view: View) -> Sequence[int]:
    """A player who takes any legal move."""
    return [action.id for action in view.legal]


def after(game: Game, action: int) -> Game:
    """The position behind a move."""
    following = game.clone()
    following.apply(action)
    return following


class Served:
    """A model behind an OpenAI-compatible address, asked in the arena's words. Counts what it answers."""

    def __init__(self, url: str, model: str, style: str = "terse") -> None:
        self.url, self.model, self.style = url, model, style
        self.asked = self.legal = 0

    def __call__(self, view: View) -> Sequence[int]:
        question = prompts.render(view, self.style, "open")
        messages = [
            {"role": "system", "content": question.system},
            {"role": "user", "content": question.user},
        ]
        body = json.dumps({"model": self.model, "messages": messages, "max_tokens": 64}).encode()
        request = Request(f"{self.url}/chat/completions", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=60) as answer:
            choice = json.load(answer)["choices"][0]
        said = SimpleNamespace(
            text=choice["message"]["content"], finish=choice["finish_reason"], probabilities=None
        )
        read = prompts.parse(said, view, "open")
        self.asked += 1
        self.legal += isinstance(read, prompts.Choice)
        return [read.action] if isinstance(read, prompts.Choice) else []
