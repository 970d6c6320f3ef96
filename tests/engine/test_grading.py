"""Grades agree with the solver where there is one, with enumeration, and never tell what a seat cannot know."""

from __future__ import annotations

import pytest

import engine
from engine import Game, Grader, Rng, grade
from engine.solvers.tictactoe import TicTacToeSolver
from tests.engine.plain_games import Dice, Highcard, Nim
from tests.engine.test_boards import after
from tests.engine.test_bots import position


def started(game: Game, seed: int = 1) -> Game:
    game.reset(Rng(seed))
    return game


def test_exact_grades_are_the_solvers_results() -> None:
    grader, solver = Grader(), TicTacToeSolver()
    for seed in range(40):
        game = position("tictactoe", seed, seed % 7)
        before = game.to_bytes()
        grades = grader.grade(game)
        assert game.to_bytes() == before
        assert (grades.method, grades.exact, grades.seat) == ("solver:tictactoe", True, game.current_player())
        scores = solver.action_values(game)
        assert {entry.action: entry.score for entry in grades.values} == scores
        assert all(entry.value == (entry.score > 0) - (entry.score < 0) for entry in grades.values)
        assert grades.score_regret(solver.best_action(game)[0]) == 0
        assert solver.best_action(game)[0] in grades.soonest()


def test_perfect_play_has_no_regret_and_chance_has_what_enumeration_says() -> None:
    """A uniformly random first move of TicTacToe gives nothing away; the reply to a corner, seven in eight."""
    assert [entry.value for entry in grade(engine.new("tictactoe")).values] == [0.0] * 9
    reply = grade(after("tictactoe", "a1"))
    assert reply.best() == (4,)
    assert sum(reply.regret(action) for action in (1, 2, 3, 4, 5, 6, 7, 8)) == 7.0
    bot, grader, rng = engine.new_bot("perfect"), Grader(), Rng(2)
    for seed in range(10):
        game = engine.new("tictactoe", seed)
        while not game.is_terminal():
            grades = grader.grade(game)
            best = int(bot.choose(game, rng))
            assert grades.regret(best) == 0.0 and grades.score_regret(best) == 0
            game.apply(game.random_action(rng))


def test_a_slower_win_is_no_regret_but_costs_score() -> None:
    grades = grade(after("connect4", *"44556"))
    assert grades.exact and grades.method == "solver:connect4"
    for entry in grades.values:
        assert grades.regret(entry.action) == max(e.value for e in grades.values) - entry.value
    won = grade(after("connect4", *"445566"))
    assert set(won.soonest()) == {2, 6} and won.of(2).score == 18 and won.of(2).value == 1.0
    slower = [a for a in won.best() if a not in won.soonest()]
    assert all(won.regret(a) == 0.0 and won.score_regret(a) > 0 for a in slower)


def test_without_a_solver_every_action_has_its_share() -> None:
    game = started(Nim())
    game.apply(0)
    grades = grade(game, simulations=3000)
    assert (grades.method, grades.exact) == ("mcts:3000?c=1.4", False)  # Nim does not say that it is zero-sum
    assert grades.best() == (2,) and grades.soonest() == (2,)
    board = position("connect4", 3, 14)
    shares = grade(board, nodes=0, simulations=700)
    assert shares.method == "shares:700?c=1.4" and not shares.exact
    assert {entry.visits for entry in shares.values} == {700 // len(shares.values)}
    assert all(entry.score is None and -1 <= entry.value <= 1 for entry in shares.values)
    assert shares.score_regret(shares.best()[0]) is None
    won = grade(after("connect4", *"445566"), nodes=0, simulations=700)
    assert won.of(2).value == won.of(6).value == 1.0


def test_search_grades_go_with_the_solvers() -> None:
    exact, search = Grader(), Grader(nodes=0, simulations=1400)
    agreed = 0
    for seed in range(12):
        game = position("connect4", seed, 30)
        agreed += search.grade(game).best()[0] in exact.grade(game).best()
    assert agreed >= 10


def test_the_same_question_has_the_same_answer() -> None:
    game = position("connect4", 5, 20)
    grader = Grader(nodes=0, simulations=300)
    first = grader.grade(game)
    grader.grade(position("connect4", 6, 9))
    assert grader.grade(game.clone()) == first == grade(game, nodes=0, simulations=300)
    other = grade(game, nodes=0, simulations=300, seed=7)
    assert other.method == "shares:300?c=1.4&seed=7"


def test_hidden_cards_change_no_grade() -> None:
    for seed in range(4):
        game = started(Highcard(players=3), seed)
        game.apply(1)
        grades = grade(game, simulations=300)
        assert grades.method == "ismcts:300?c=1.4" and grades.seat == 1 and len(grades.values) == 2
        for other in range(5):
            world = game.clone()
            world.determinize(1, Rng(other))
            assert world.facts(1) == game.facts(1)
            assert grade(world, simulations=300) == grades


def test_dice_to_come_change_no_grade() -> None:
    game = started(Dice(), 4)
    world = game.clone()
    world.determinize(0, Rng(99))
    grades = grade(game, simulations=500)
    assert grades.method == "ismcts:500?c=1.4"
    assert grade(world, simulations=500) == grades


def test_more_than_two_seats() -> None:
    """The highest card of all is certain to win; whoever holds it should lay it."""
    game = next(game for game in (started(Highcard(players=4), s) for s in range(99)) if 19 in game.hands[2])
    game.apply(0)
    game.apply(0)
    grades = grade(game, simulations=400)
    assert grades.best() == (1,) and grades.of(1).value == pytest.approx(1.0)


@pytest.mark.parametrize("cards", [1, 13])
def test_no_action_is_graded_untried(cards: int) -> None:
    """A value of 0.0 that nothing stands behind would look better than all that was tried and lost."""
    bids = engine.new("blob", players=3, cards=cards, rounds=1)
    for game in (bids, started(Nim()), position("connect4", 3, 14)):
        values = grade(game, nodes=0, simulations=2).values
        assert [entry.action for entry in values] == game.legal_actions()
        assert all(entry.visits and entry.visits > 0 for entry in values)


def test_the_method_tells_the_whole_recipe() -> None:
    board = engine.new("tictactoe")
    methods = [grade(board, nodes=0, simulations=9, c=c).method for c in (2, 1.4, 1.4000001)]
    assert methods == ["shares:9?c=2.0", "shares:9?c=1.4", "shares:9?c=1.4000001"]


def test_wrong_questions() -> None:
    game = after("tictactoe", "a1")
    assert grade(game, seat=1) == grade(game)
    with pytest.raises(ValueError, match="seat 1 is to move, got 0"):
        grade(game, seat=0)
    with pytest.raises(ValueError, match=r"action 0 was not legal: expected one of \[1, 2"):
        grade(game).regret(0)
    with pytest.raises(ValueError, match="is over"):
        grade(after("tictactoe", "a1", "b1", "a2", "b2", "a3"))
    with pytest.raises(ValueError, match="got -1 and 5"):
        Grader(nodes=-1, simulations=5)
    for c in (-1.0, float("nan"), 1e9):
        with pytest.raises(ValueError, match="c is a number from 0 to 100, got"):
            Grader(c=c)
