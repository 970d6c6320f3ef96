"""The stand-in's reasons: an option, a share, and the same words whichever way they travel."""

from __future__ import annotations

import json

import pytest

from providers.base import Message, Request
from providers.reasons import SAYS, reason
from providers.simulated import Behaviour, StandIn

SYSTEM = "Game: tictactoe"
USER = "Moves so far: b2 a1\n\nLegal moves:\n" + "\n".join(
    f"{number}: {text}"
    for number, text in ((1, "b1"), (2, "c1"), (3, "a2"), (5, "c2"), (6, "a3"), (7, "b3"), (8, "c3"))
)
SCHEMA = {"properties": {"rationale": {"type": "string"}, "action": {"type": "integer"}}}


def answer(behaviour: Behaviour, seed: int) -> dict[str, object]:
    request = Request("random", SYSTEM, (Message("user", USER),), schema=SCHEMA, seed=seed)
    return json.loads(StandIn(behaviour).answer(request).text)


def test_another_move_is_named_in_about_that_share_of_seeds() -> None:
    others = [f"d{k}" for k in range(8)]
    lies = 0
    for seed in range(4000):
        said = reason("c1", others, 0.2, seed)
        assert said == reason("c1", others, 0.2, seed)
        matching = [way for way in SAYS for other in others if said == way.format(move="c1", other=other)]
        lies += not matching
    assert 720 < lies < 880
    assert not any("c1" not in reason("c1", others, 0.0, seed) for seed in range(200))
    assert reason("c1", [], 1.0, 3) == "I play c1."


def test_the_option_is_a_share() -> None:
    assert (
        Behaviour.parse("greedy?unfaithful=0.25").unfaithful == 0.25
        and Behaviour.parse("greedy").unfaithful is None
    )
    for wrong in ("1.5", "-1", "x"):
        with pytest.raises(ValueError, match="unfaithful"):
            Behaviour.parse(f"greedy?unfaithful={wrong}")


def test_the_move_itself_does_not_change() -> None:
    plain, lying = Behaviour.parse("random"), Behaviour.parse("random?unfaithful=1")
    for seed in range(20):
        honest, liar = answer(plain, seed), answer(lying, seed)
        assert honest["action"] == liar["action"] and honest["rationale"] != liar["rationale"]
