"""The stand-in's forecasts: right by construction, bent by a known amount, the same on every wire."""

from __future__ import annotations

import json

import pytest

import engine
import prompts
from providers.base import Message, Request
from providers.outlook import BENDS, FORECASTERS, Outlook, bent
from providers.simulated import WRONG, Behaviour, StandIn


def exactly(game: engine.Game, seat: int) -> float:
    """The expected score under uniformly random moves, by going through them all."""
    if game.is_terminal():
        return (1 + game.payoff(seat)) / 2
    values = []
    for action in game.legal_actions():
        after = game.clone()
        after.apply(action)
        values.append(exactly(after, seat))
    return sum(values) / len(values)


def asked(game: engine.Game, *, mode: str = "json", track: str = "open", seed: int = 1) -> Request:
    question = prompts.render(game.view(game.current_player()), "default", track, form="forecast")  # type: ignore[arg-type]
    schema = question.schema if mode == "json" else None
    return Request("random", question.system, (Message("user", question.user),), schema, mode=mode, seed=seed)  # type: ignore[arg-type]


def said(forecaster: str, request: Request, wrong: str = "") -> int:
    text = StandIn(Behaviour.of("random", forecaster=forecaster)).answer(request, wrong).text
    value = json.loads(text)["forecast"]
    assert type(value) is int
    return value


def test_random_tictactoe_is_worth_what_everybody_knows() -> None:
    """Of all random matches the first wins 58.5 % and draws 12.7 %."""
    first, second = Outlook("calibrated").worth(engine.new("tictactoe"), 0)
    assert first == pytest.approx(0.5849 + 0.1270 / 2, abs=1e-4) and first + second == pytest.approx(1)


@pytest.mark.parametrize("moves", ["a1 b1 a2 b2", "b2 a1 c3 a3", "a1 b2 c3 a3 c1"])
def test_it_is_the_expectation_after_the_move(moves: str) -> None:
    game = engine.new("tictactoe")
    for move in moves.split():
        game.apply(game.parse_action(move))
    seat = game.current_player()
    for action in game.legal_actions():
        after = game.clone()
        after.apply(action)
        expected = round(100 * exactly(after, seat))
        assert Outlook("calibrated").per_cent(game, action, 0.3, 1) == expected


def test_longer_games_are_sampled_closely_and_the_same_each_time() -> None:
    game = engine.new("connect4")
    for move in "444435":
        game.apply(game.parse_action(move))
    one, same, other = (Outlook("calibrated").worth(game, seed)[0] for seed in (1, 1, 2))
    assert one == same != other
    assert abs(one - other) < 0.06


def test_bends_are_of_log_odds() -> None:
    assert bent(0.8, BENDS["overconfident"]) == pytest.approx(16 / 17)
    assert bent(0.8, BENDS["underconfident"]) == pytest.approx(2 / 3)
    assert bent(0.5, BENDS["hopeful"]) == pytest.approx(0.7311, abs=1e-4)
    for bend in BENDS.values():
        assert (bent(0.0, bend), bent(1.0, bend)) == (0, 1)


def test_every_forecaster_answers_the_arenas_question() -> None:
    game = engine.new("tictactoe")
    for forecaster in FORECASTERS:
        model = StandIn(Behaviour.of("random", forecaster=forecaster))
        answers = [model.answer(asked(game, seed=seed), "").text for seed in range(12)]
        found = {json.loads(text)["forecast"] for text in answers}
        assert all(0 <= each <= 100 for each in found)
        assert (found == {50}) is (forecaster == "even")
    assert Behaviour.of("greedy").forecaster == "even"
    with pytest.raises(ValueError, match=r"forecaster=wise: expected one of even, random, calibrated"):
        Behaviour.of("greedy", forecaster="wise")


def test_it_forecasts_only_where_it_is_asked_and_without_a_schema_too() -> None:
    game = engine.new("tictactoe")
    plain = prompts.render(game.view(0))
    unasked = Request("random", plain.system, (Message("user", plain.user),), plain.schema, seed=1)
    assert "forecast" not in json.loads(StandIn(Behaviour.of("random")).answer(unasked, "").text)
    bare = Request("random", plain.system, (Message("user", plain.user),), mode="text", seed=1)
    assert "forecast" not in json.loads(StandIn(Behaviour.of("random")).answer(bare, "").text)
    for track in ("open", "rules"):
        read = prompts.parse(
            StandIn(Behaviour.of("random")).answer(asked(game, mode="text", track=track), ""),
            game.view(0),
            track,  # type: ignore[arg-type]
            forecast=True,
        )
        assert isinstance(read, prompts.Choice) and read.forecast == 0.5


def test_what_it_cannot_see_is_even() -> None:
    cards = engine.new("blob", 3)
    assert said("calibrated", asked(cards)) == 50


@pytest.mark.parametrize("wrong", WRONG)
def test_an_answer_that_is_wrong_is_wrong_with_a_forecast_too(wrong: str) -> None:
    game = engine.new("connect4")
    reply = StandIn(Behaviour.of("random", forecaster="calibrated")).answer(asked(game), wrong)
    assert isinstance(prompts.parse(reply, game.view(0), "open", forecast=True), prompts.Unreadable)
