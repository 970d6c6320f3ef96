"""What a probe asks: one position, and then the same position again, from another side, and under other names.

Whoever understands a position chooses the same move however it is shown. A probe shows it

    original    as it was found on record
    repeat      once more, in the very same words: how often a player chooses alike at all
    symmetry    mirrored, turned, or with suits exchanged, as the game's symmetries allow
    relabel     with the marks of the two seats exchanged in everything that is shown: X for O

The position and the moves that led there are transformed together. So a symmetry is asked only where a match can
begin as it shows the first position (four of Othello's eight exchange the colours of the first discs), and only where
it changes what the mover sees. Two choices are the same if the position itself cannot tell them apart: on a board that
is its own mirror image, the columns 1 and 7. Bots look at the position and at no words; of them a relabelling asks
nothing new.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import engine
import prompts
from engine import Game
from orchestrator.fixture import Start

Kind = Literal["original", "repeat", "symmetry", "relabel"]


class Ask(NamedTuple):
    """One way to show a position."""

    kind: Kind
    symmetry: int = 0


def asks(state: bytes, seed: int, repeats: int, symmetries: int, relabel: bool) -> tuple[Ask, ...]:
    """All ways in which a position is shown; of its symmetries `symmetries`, drawn from the seed."""
    game = engine.from_bytes(state)
    found = [Ask("original"), *[Ask("repeat")] * repeats]
    left, rng = list(changing(game)), engine.Rng(engine.derive(seed, "symmetries"))
    drawn = [left.pop(rng.below(len(left))) for _ in range(min(symmetries, len(left)))]
    found += [Ask("symmetry", symmetry) for symmetry in sorted(drawn)]
    if relabel and prompts.marks(game.view(game.current_player())):
        found.append(Ask("relabel"))
    return tuple(found)


def changing(game: Game) -> list[int]:
    """The symmetries that show its mover something else, and that a match can come to."""
    seat = game.current_player()
    return [
        symmetry
        for symmetry in range(1, game.num_symmetries())
        if _begins(game.name(), tuple(game.variant().items()), symmetry)
        and not _looks_alike(game, game.transform(symmetry), seat)
    ]


@lru_cache(maxsize=256)
def _begins(name: str, variant: tuple[tuple[str, int], ...], symmetry: int) -> bool:
    """Whether a first position looks the same from there; what chance deals may look like anything."""
    first = engine.new(name, 0, **dict(variant))
    if first.hidden_information():
        return True
    return first.transform(symmetry).position_bytes() == first.position_bytes()


def _looks_alike(game: Game, other: Game, seat: int) -> bool:
    return game.facts(seat) == other.facts(seat) and game.board_text(seat) == other.board_text(seat)


def shown(state: bytes, ask: Ask) -> Start:
    """Where the match begins that asks for it."""
    game = engine.from_bytes(state)
    turned = game.transform(ask.symmetry).to_bytes()
    return Start(turned, int(game.num_players()), ask.kind == "relabel")


def mapped_back(state: bytes, ask: Ask, action: int) -> int:
    """Which action of the original position a choice in the transformed one is."""
    game = engine.from_bytes(state)
    back = {game.transform_action(ask.symmetry, legal): legal for legal in game.legal_actions()}
    return back[action]


def same_choice(state: bytes, one: int, other: int) -> bool:
    """Whether two actions are the same, or a symmetry that leaves the position as it looks exchanges them."""
    if one == other:
        return True
    game = engine.from_bytes(state)
    seat = game.current_player()
    return any(
        game.transform_action(symmetry, one) == other and _looks_alike(game, game.transform(symmetry), seat)
        for symmetry in range(1, game.num_symmetries())
    )
