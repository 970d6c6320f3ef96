"""Bots choose legally, repeatably, and as well as they claim; solvers against independent judges."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import Bot, Game, Rng
from engine.search.uct import Uct
from engine.solver import solver_of
from tests.engine.plain_games import Highcard, Nim, Race
from tests.engine.test_boards import after

SPECS = ["random", "greedy", "mcts:30", "ismcts:30", "pimc:30?worlds=4", "perfect?nodes=300"]


def position(name: str, seed: int, plies: int) -> Game:
    """A random position after so many plies that is not over."""
    game, rng = engine.new(name), Rng(seed)
    while game.is_terminal() or game.ply() < plies:
        if game.is_terminal():
            game.reset(rng)
        game.apply(game.random_action(rng))
    return game


@pytest.mark.parametrize("name", ["tictactoe", "connect4"])
@pytest.mark.parametrize("spec", SPECS)
@given(seed=st.integers(0, 2**63 - 1), plies=st.integers(0, 30))
@settings(max_examples=8, deadline=None)
def test_choices_are_legal_and_repeat(spec: str, name: str, seed: int, plies: int) -> None:
    game = position(name, seed, plies if name == "connect4" else plies % 9)
    before = game.to_bytes()
    bot, rng, twin = engine.new_bot(spec), Rng(seed), Rng(seed)
    action = bot.choose(game, rng)
    assert game.to_bytes() == before
    assert action in game.legal_actions()
    bot.choose(engine.new(name), Rng(1))  # what a bot did before leaves no trace
    assert bot.choose(game.clone(), twin) == action == engine.new_bot(spec).choose(game, Rng(seed))
    assert rng.state() == twin.state()


@pytest.mark.parametrize(
    "spec", ["greedy", "mcts:300", "ismcts:300", "pimc:600?worlds=2", "perfect?nodes=2000"]
)
def test_everyone_takes_a_win_and_stops_a_loss(spec: str) -> None:
    bot = engine.new_bot(spec)
    for seed in range(5):
        for name, moves, best in [
            ("tictactoe", "a1 b1 a2 b2", "a3"),
            ("tictactoe", "a1 b2 a2", "a3"),
            ("connect4", "4 4 5 5 6 6", "37"),
            ("connect4", "1 2 1 2 1", "1"),
            ("connect4", "4 3 5 3 1 3", "3"),
        ]:
            game = after(name, *moves.split())
            assert game.action_text(bot.choose(game, Rng(seed))) in best


def test_greedy_is_random_where_nothing_presses() -> None:
    bot, rng = engine.new_bot("greedy"), Rng(1)
    assert {bot.choose(engine.new("connect4"), rng) for _ in range(100)} == set(range(7))


def points(first: Bot, second: Bot, name: str, matches: int) -> float:
    """The mean return of `first`, seats taken in turn."""
    total, rng = 0.0, Rng(3)
    for match in range(matches):
        game = engine.new(name, match)
        while not game.is_terminal():
            bot = first if game.current_player() == match % 2 else second
            game.apply(bot.choose(game, rng))
        total += game.returns()[match % 2]
    return total / matches


def test_strength_rises_as_it_should() -> None:
    assert points(engine.new_bot("greedy"), engine.new_bot("random"), "connect4", 40) > 0.4
    assert points(engine.new_bot("mcts:100"), engine.new_bot("greedy"), "connect4", 20) > 0.4
    assert points(engine.new_bot("perfect"), engine.new_bot("mcts:50"), "tictactoe", 40) > 0.0


def test_bots_play_games_in_plain_python() -> None:
    """From 12 matches the mover loses; from 11 it wins by leaving 8."""
    game = Nim()
    game.reset(Rng(1))
    game.apply(0)
    assert engine.new_bot("mcts:2000").choose(game, Rng(1)) == 2
    game.apply(2)
    game.apply(0)
    game.apply(2)
    assert game.left == 4
    race = Race()
    race.reset(Rng(1))
    for action in (1, 1, 1, 0):
        race.apply(action)
    assert {
        engine.new_bot(spec).choose(race, Rng(s)) for spec in ("greedy", "mcts:50") for s in range(5)
    } == {1}
    cards = Highcard(players=5)
    cards.reset(Rng(2))
    while not cards.is_terminal():
        bot = engine.new_bot(["random", "greedy", "mcts:20", "ismcts:200", "pimc:90"][cards.current_player()])
        cards.apply(bot.choose(cards.view(cards.current_player()).sample(Rng(1)), Rng(2)))
    assert sum(cards.returns()) == 1


def test_a_game_whose_hidden_part_cannot_be_drawn_is_refused() -> None:
    class Secret(Nim):
        def hidden_information(self) -> bool:
            return True

    game = Secret()
    game.reset(Rng(1))
    with pytest.raises(
        ValueError, match=r"bot 'mcts:5\?c=1.4' cannot play 'nim': .* must define determinize"
    ):
        engine.new_bot("mcts:5").check_game(game)


class Leftmost(Bot):
    """A bot in plain Python."""

    def spec(self) -> str:
        return "leftmost"

    def choose(self, game: Game, rng: Rng) -> int:
        return game.legal_actions()[0]


def test_a_bot_in_plain_python() -> None:
    assert points(engine.new_bot("greedy"), Leftmost(), "connect4", 20) > 0.5


def test_uct_tells_of_its_root() -> None:
    tree, game = Uct(1.4), after("connect4", *"445566")
    assert tree.visits(0) == 0 and tree.value(0) == 0.0
    best = tree.search(game, 400, Rng(1))
    visits = [tree.visits(a) for a in range(7)]
    assert sum(visits) == 400 and visits[best] == max(visits) and best in (2, 6)
    assert tree.value(best) == 1.0 and all(-1 <= tree.value(a) <= 1 for a in range(7))
    assert tree.visits(99) == 0
    tree.search(after("connect4", *"111111"), 50, Rng(1))
    assert tree.visits(0) == 0 and tree.visits(1) > 0


def test_perfect_says_whether_it_was_exact() -> None:
    bot = engine.new_bot("perfect?nodes=500")
    assert bot.choose(engine.new("connect4"), Rng(1)) in range(7)
    assert (bot.exact, bot.score) == (False, 0)
    assert bot.choose(after("connect4", *"445566"), Rng(1)) == 2
    assert (bot.exact, bot.score) == (True, 18)
    assert bot.choose(engine.new("tictactoe"), Rng(1)) == 4
    assert (bot.exact, bot.score) == (True, 0)
    with pytest.raises(ValueError, match=r"no exact solver for 'nim'.*connect4, othello, tictactoe"):
        bot.choose(Nim(), Rng(1))
    with pytest.raises(ValueError):
        solver_of(Nim())
