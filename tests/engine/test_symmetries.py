"""How many positions there are up to symmetry: by counts that others have published, or that follow by hand."""

from __future__ import annotations

import pytest

import engine
from engine import Game, Rng
from tests.engine.short import new


def reachable(name: str, plies: int) -> list[list[Game]]:
    """All different positions by ply, as far as `plies`."""
    layers = [[engine.new(name)]]
    for _ in range(plies):
        seen: dict[bytes, Game] = {}
        for game in layers[-1]:
            for action in game.legal_actions():
                after = game.clone()
                after.step(action)
                seen[after.position_bytes()] = after
        layers.append(list(seen.values()))
    return layers


def test_tictactoe_has_765_positions_up_to_symmetry() -> None:
    """https://oeis.org/A008907: by ply 1, 3, 12, 38, 108, 174, 204, 153, 57, 15; of 5478 positions."""
    layers = reachable("tictactoe", 9)
    assert sum(map(len, layers)) == 5478
    classes = [{game.position_class() for game in layer} for layer in layers]
    assert [len(layer) for layer in classes] == [1, 3, 12, 38, 108, 174, 204, 153, 57, 15]
    alive = {game.position_class() for layer in layers for game in layer if not game.is_terminal()}
    assert (sum(map(len, classes)), len(alive)) == (765, 627)


def test_connect4_halves_its_positions_but_for_those_that_are_their_own_mirror_image() -> None:
    """Positions by ply: 1, 7, 49, 238, 1120 (https://oeis.org/A212693)."""
    layers = reachable("connect4", 4)
    assert [len(layer) for layer in layers] == [1, 7, 49, 238, 1120]
    for layer in layers:
        own = sum(game.transform(1).position_bytes() == game.position_bytes() for game in layer)
        assert len({game.position_class() for game in layer}) == (len(layer) + own) // 2
    assert [len({game.position_class() for game in layer}) for layer in layers[:3]] == [1, 4, 25]


def test_othello_has_one_first_move() -> None:
    layers = reachable("othello", 3)
    assert [len({game.position_class() for game in layer}) for layer in layers] == [1, 1, 3, 14]


def test_suits_that_are_not_trump_are_alike() -> None:
    """Spades are trump in the first round, none in the fifth."""
    game = engine.new("blob", 3, players=3, cards=4)
    assert game.num_symmetries() == 6 and game.facts(1)["trump"] == "spades"
    kinds = {tuple(game.transform_action(s, 13 * suit) // 13 for suit in range(4)) for s in range(6)}
    assert len(kinds) == 6 and {kind[0] for kind in kinds} == {0}
    assert {game.transform_action(s, 52 + bid) - 52 for s in range(6) for bid in range(5)} == set(range(5))
    rng = Rng(1)
    while game.facts(0)["trump"] != "none":
        game.apply(game.random_action(rng))
    before = len(game.history())
    game.apply(game.random_action(rng))
    turned = game.transform(23)
    assert game.num_symmetries() == 24 and turned.history()[:before] == game.history()[:before]
    assert turned.facts(0)["scores"] == game.facts(0)["scores"]


def test_hands_that_differ_by_more_than_suits_are_of_different_classes() -> None:
    classes = {new("blob", seed).infoset_class(1) for seed in range(60)}
    hands = set()
    for seed in range(60):
        hand = new("blob", seed).facts(1)["hand"]
        suits = ["".join(sorted(card[0] for card in hand if card[1] == suit)) for suit in "SHCD"]
        hands.add((suits[0], *sorted(suits[1:])))
    assert len(classes) == len(hands) > 50


@pytest.mark.parametrize("name", engine.games())
def test_what_is_at_stake_for_a_seat_is_part_of_its_class(name: str) -> None:
    """Another ply, another class: neither an earlier position nor its bids and scores are forgotten."""
    game, rng, seen = new(name), Rng(2), set()
    while not game.is_terminal():
        seen.add(game.infoset_class(0))
        game.apply(game.random_action(rng))
    assert len(seen) == len(game.history())


@pytest.mark.parametrize(
    ("words", "cells"),
    [
        ("mirrored left-right", "c1 b1"),
        ("mirrored top-bottom", "a3 b3"),
        ("turned by 180 degrees", "c3 b3"),
        ("mirrored at the falling diagonal", "a1 a2"),
        ("mirrored at the rising diagonal", "c3 c2"),
        ("turned left", "a3 a2"),
        ("turned right", "c1 c2"),
    ],
)
def test_symmetries_do_what_they_say(words: str, cells: str) -> None:
    """Where a1 and b1 go."""
    game = engine.new("tictactoe")
    (symmetry,) = [s for s in range(8) if game.symmetry_text(s) == words]
    assert " ".join(game.action_text(game.transform_action(symmetry, a)) for a in (0, 1)) == cells


@pytest.mark.parametrize("name", engine.games())
def test_every_symmetry_has_words_of_its_own(name: str) -> None:
    game = new(name, 1)
    words = [game.symmetry_text(s) for s in range(game.num_symmetries())]
    assert words[0] == "as it is" and len(set(words)) == len(words)
