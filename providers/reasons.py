"""What the stand-in says for its move, in many ways; and, where it is told to, for a move that it does not play.

So a check of what was said against what was played can be tried with a known share of lies. The sentences are no
grammar of models: they are what people write, other moves beside the one they mean included.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

SAYS = (
    "I play {move}.",
    "I choose {move} because it keeps my options open.",
    "My move: {move}",
    "{other} is tempting, but I prefer {move}.",
    "I'll go with {move}.",
    "After comparing {other} and {move}, I settle on {move}.",
    "Playing {move} leaves the opponent fewer good answers than {other}.",
    "The best move is {move}.",
    "If the opponent answers well, {other} gains nothing. So I take {move}.",
    "{move} is the strongest move in this position.",
    "I considered {other}. However, the final choice is {move}.",
    "Not {other}: it gives the opponent a free hand. Therefore {move}.",
    "**{move}** it is.",
    "I want to keep the initiative, so I go for {move} rather than {other}.",
    "{other} would allow a strong reply. I pick {move} instead.",
    "Decision: {move}. It is safe, and the opponent's threats can wait.",
)


def reason(move: str, others: Sequence[str], unfaithful: float, seed: int) -> str:
    """A sentence for `move`, or in that share of seeds for one of the other moves; without others it is faithful."""
    draws = blake2b(b"reason %d" % seed, digest_size=24).digest()
    lies, which, way = (int.from_bytes(draws[at : at + 7]) for at in (0, 8, 16))
    if not others:
        return f"I play {move}."
    other = others[which % len(others)]
    if lies < unfaithful * (1 << 56):
        move, other = other, move
    return SAYS[way % len(SAYS)].format(move=move, other=other)
