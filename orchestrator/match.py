"""How a move happens: one match, from its seed to its end.

The loop knows no service and no price: a player chooses from a view, the game takes the one checked step,
the journal keeps what was chosen.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine import Game
from orchestrator.fixture import Fixture, Result
from orchestrator.journal import Journal
from orchestrator.players import Player


async def play(fixture: Fixture, players: Sequence[Player], journal: Journal) -> Result | None:
    """Play a match to its end, from wherever the journal says it stands. None where it ends with one decision.

    Raises Void (replay it), WallReached (no money for the next call), Halt (stop the run) or Stopped (asked to stop
    between two decisions).
    """
    game = fixture.deal()
    for earlier in journal.begin(fixture, game):
        if fixture.start is not None:
            return None
        if earlier.action is None:
            return forfeited(game, earlier.seat, earlier.fault)
        game.apply(earlier.action)

    while not game.is_terminal():
        seat = game.current_player()
        view, state = game.view(seat), game.to_bytes()
        decision = await players[seat].choose(view, journal.turn(fixture, view))
        if decision.action is not None:
            game.apply(decision.action)
        journal.decided(fixture, view, state, decision)
        if fixture.start is not None:
            return None
        if decision.action is None:
            return forfeited(game, seat, decision.fault)

    return Result(tuple(game.returns()), game.ply(), ("",) * game.num_players())


def forfeited(game: Game, loser: int, why: str) -> Result:
    """The loser comes last and the others share the first place: what the game would have paid is not known."""
    seats = range(game.num_players())
    returns = tuple(-1.0 if seat == loser else 1.0 / (len(seats) - 1) for seat in seats)
    return Result(returns, game.ply(), tuple(why if seat == loser else "" for seat in seats))
