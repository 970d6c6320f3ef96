"""The tree that asks a network, with networks that need no training: nothing, playouts and the truth."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine import Game, IllegalAction, Rng
from engine.search.puct import Leaves, Puct, PuctForest, dirichlet
from engine.solvers.tictactoe import TicTacToeSolver
from tests.engine.plain_games import Dice, Highcard, Nim

Network = Callable[[Leaves], tuple[Any, Any]]


def nothing(leaves: Leaves) -> tuple[Any, Any]:
    """All actions alike, every position even."""
    return np.ones(leaves.masks.shape, np.float32), np.zeros(leaves.count, np.float32)


def oblique(leaves: Leaves) -> tuple[Any, Any]:
    """Opinions that depend on what is seen, on illegal actions too."""
    seen = leaves.observations.astype(np.float64)
    weights = np.arange(seen.shape[1]) % 7 - 3
    values = np.tanh(seen @ weights / 5)
    priors = 1 + (np.arange(leaves.masks.shape[1]) + leaves.observations.sum(1, keepdims=True)) % 3
    return priors, values


def search(tree: Puct, network: Network, simulations: int, k: int = 8) -> Puct:
    while tree.simulations() < simulations:
        tree.update(*network(tree.select(k)))
    return tree


def at(name: str, *actions: int) -> Game:
    game = engine.new(name)
    for action in actions:
        game.apply(action)
    return game


def bare(tree: Puct) -> bool:
    """Whether no virtual loss is left (its attributes show on the pure engine only)."""
    return engine.is_compiled() or not any(tree._virtual[i] for i in range(tree._nodes))


@pytest.mark.parametrize("k", [1, 8, 64])
def test_forced_wins_are_found_and_losses_parried(k: int) -> None:
    wins = {
        2: at("tictactoe", 0, 3, 1, 4),
        3: at("connect4", 3, 0, 3, 0, 3, 1),
        0: at("connect4", 3, 0, 3, 0, 6, 0),
    }
    for action, game in wins.items():
        tree = search(Puct(game), nothing, 400, k)
        assert tree.choose(Rng(1), 0) == action
        if action != 0:
            assert tree.value() > 0.5
    tree = search(Puct(at("connect4", 0, 3, 0, 3, 6, 3)), nothing, 800, k)
    assert tree.choose(Rng(1), 0) == 3


@pytest.mark.parametrize("seed", range(4))
def test_it_converges_to_what_the_solver_says(seed: int) -> None:
    solver = TicTacToeSolver()
    game, rng = engine.new("tictactoe"), Rng(seed)
    for _ in range(seed + 1):
        game.apply(game.random_action(rng))
    if not game.is_terminal():
        signs = {action: np.sign(value) for action, value in solver.action_values(game).items()}
        tree = search(Puct(game), nothing, 4000, 4)
        assert signs[tree.choose(rng, 0)] == max(signs.values())
        assert abs(tree.value() - max(signs.values())) < 0.25


def test_the_rule_by_hand() -> None:
    """Three simulations in Nim with two matches left: 1/3, 2/3 priors; taking both wins."""
    game = Nim()
    game.reset(Rng())
    game.left = 2
    tree = Puct(game)
    leaves = tree.select(4)
    assert (leaves.count, tree.simulations(), leaves.seats.tolist()) == (1, 0, [0])
    assert leaves.masks.tolist() == [[True, True, False]]
    tree.update([[1.0, 2.0, 97.0]], [[0.5, -0.5]])
    assert (tree.simulations(), tree.visits().tolist()) == (1, [0, 0, 0])
    leaves = tree.select(2)  # U is 0.42 and 0.83: the win is backed up at once; then Q + U = 1 + 0.6 > 0.6
    assert (leaves.count, tree.visits().tolist(), tree.value()) == (0, [0, 2, 0], 1.0)
    tree.update(np.zeros((0, 3)), np.zeros((0, 2)))
    assert tree.policy().tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("k", [1, 3, 64])
def test_visits_add_up_and_virtual_losses_vanish(k: int) -> None:
    tree = Puct(at("connect4", 3, 3, 3, 3, 3, 3))
    while tree.simulations() < 500:
        leaves = tree.select(k)
        assert leaves.count <= k and leaves.observations.shape == (leaves.count, leaves.observations.shape[1])
        assert 2 * len({row.tobytes() for row in leaves.observations}) >= leaves.count  # moves may transpose
        tree.update(*oblique(leaves))
        assert tree.visits().sum() == tree.simulations() - 1 and bare(tree)
    assert tree.visits()[3] == 0 and tree.visits().min() >= 0
    assert abs(tree.value()) <= 1


def test_large_batches_are_filled() -> None:
    tree = search(Puct(engine.new("connect4")), nothing, 1, 1)
    counts = []
    for _ in range(6):
        leaves = tree.select(64)
        counts.append(leaves.count)
        tree.update(*nothing(leaves))
    assert counts[0] == 7 and min(counts[2:]) > 30


def test_advance_keeps_what_is_known() -> None:
    """One leaf at a time, a part of a tree is the tree that a search from there would have grown."""
    tree = search(Puct(engine.new("connect4")), oblique, 600, 1)
    game = engine.new("connect4")
    for _ in range(3):
        action = tree.choose(Rng(1), 0)
        visits = int(tree.visits()[action])
        tree.advance(action)
        game.apply(action)
        assert tree.simulations() == visits > 10 and bare(tree)
        fresh = search(Puct(game), oblique, visits, 1)
        assert fresh.visits().tolist() == tree.visits().tolist() and fresh.value() == tree.value()
    search(tree, oblique, 600, 8)
    assert search(fresh, oblique, 600, 8).visits().tolist() == tree.visits().tolist()
    with pytest.raises(IllegalAction):
        tree.advance(7)
    assert tree.visits().sum() == tree.simulations() - 1


def test_advance_before_any_search_and_to_the_end() -> None:
    tree = Puct(engine.new("tictactoe"))
    for action in (0, 3, 1, 4, 2):
        assert tree.current_player() == (0 if action < 3 else 1)
        tree.advance(action)
    assert tree.is_terminal() and tree.returns() == [1.0, -1.0]
    with pytest.raises(ValueError, match="over"):
        tree.select(1)
    tree.restart(engine.new("tictactoe"))
    assert not search(tree, nothing, 20).is_terminal()


def test_values_of_the_mover_and_of_all_seats_mean_the_same() -> None:
    def by_seat(leaves: Leaves) -> tuple[Any, Any]:
        priors, values = oblique(leaves)
        both = np.stack([values, -values], 1)
        return priors, np.where(leaves.seats[:, None] == 0, both, -both)

    one, two = (search(Puct(engine.new("connect4")), network, 300) for network in (oblique, by_seat))
    assert one.visits().tolist() == two.visits().tolist() and one.value() == two.value()


def test_three_seats() -> None:
    class Grab(Nim):
        """Three players; whoever takes the last match wins 2, the others lose 1."""

        def num_players(self) -> int:
            return 3

        def step(self, action: int) -> None:
            self.left -= action + 1
            self.last, self.turn = self.turn, (self.turn + 1) % 3

        def payoff(self, seat: int) -> int:
            return 0 if self.left else 2 if self.last == seat else -1

        def max_utility(self) -> int:
            return 2

        def zero_sum(self) -> bool:
            return True

    def even(leaves: Leaves) -> tuple[Any, Any]:
        return np.ones(leaves.masks.shape), np.zeros((leaves.count, 3))

    game = Grab()
    game.reset(Rng())
    game.left, game.turn = 3, 2
    tree = search(Puct(game), even, 200)
    assert tree.choose(Rng(1), 0) == 2 and tree.value() > 0.8
    leaves = Puct(game).select(1)
    tree = Puct(game)
    leaves = tree.select(1)
    with pytest.raises(ValueError, match=r"values must be of shape \[1, 3\], got \[1\]"):
        tree.update(np.ones((1, 3)), np.zeros(leaves.count))


@pytest.mark.parametrize(
    ("priors", "values", "words"),
    [
        ([[1.0] * 7], [[0.0]], r"values must be of shape \[1, 2\] or \[1\]"),
        ([1.0] * 7, [0.0], r"priors must be of shape \[1, 7\], got \[7\]"),
        ([[0.0] * 7], [0.0], "row 0 .* no weight on any legal action"),
        ([[0.0] * 3 + [1.0] + [0.0] * 3], [0.0], "no weight"),
        ([[1.0] * 6 + [np.nan]], [0.0], "priors must be finite, got nan"),
        ([[1.0] * 6 + [np.inf]], [0.0], "finite"),
        ([[1.0] * 6 + [-0.1]], [0.0], "not logits"),
        ([[1.0] * 7], [np.nan], "values must be finite"),
        ([[1.0] * 7], [1.5], "from -1 to 1, got 1.5"),
    ],
)
def test_refused_judgements_change_nothing(priors: object, values: object, words: str) -> None:
    tree = Puct(at("connect4", 3, 3, 3, 3, 3, 3))
    leaves = tree.select(4)
    with pytest.raises(ValueError, match=words):
        tree.update(priors, values)
    with pytest.raises(RuntimeError, match="1 leaves wait"):
        tree.select(1)
    with pytest.raises(RuntimeError, match="update first"):
        tree.advance(0)
    tree.update(*nothing(leaves))
    assert tree.simulations() == 1
    with pytest.raises(RuntimeError, match="select first"):
        tree.update(*nothing(leaves))


def test_refused_trees() -> None:
    cards = Highcard()
    cards.reset(Rng())
    with pytest.raises(ValueError, match="hides information"):
        Puct(cards)
    for odd in ({"c": 0.0}, {"c": float("nan")}, {"c": 1e9}, {"alpha": -1.0}, {"epsilon": 1.5}):
        with pytest.raises(ValueError, match="expected c > 0"):
            Puct(engine.new("tictactoe"), **odd)
    with pytest.raises(ValueError, match="no action has been tried"):
        Puct(engine.new("tictactoe")).policy()
    with pytest.raises(ValueError, match="temperature"):
        search(Puct(engine.new("tictactoe")), nothing, 9).policy(-1)
    with pytest.raises(ValueError, match="sizes"):
        PuctForest([Puct(engine.new("tictactoe")), Puct(engine.new("connect4"))])
    tree = Puct(engine.new("tictactoe"))
    with pytest.raises(ValueError, match=r"of tictactoe .* got connect4 .* make a new tree"):
        tree.restart(engine.new("connect4"))
    for searcher in (tree, PuctForest([tree])):
        with pytest.raises(ValueError, match="at least 1 simulation to select, got 0"):
            searcher.select(0)
    with pytest.raises(ValueError, match="distinct"):
        PuctForest([tree, tree])


def test_policies_and_choices() -> None:
    tree = search(Puct(engine.new("connect4")), oblique, 400)
    visits = tree.visits()
    assert np.allclose(tree.policy(), visits / visits.sum())
    assert np.allclose(tree.policy(0.5), visits**2 / (visits**2).sum())
    assert tree.policy(0).tolist() == np.eye(7)[visits.argmax()].tolist()
    rng = Rng(3)
    drawn = np.bincount([tree.choose(rng) for _ in range(4000)], minlength=7) / 4000
    assert np.abs(drawn - tree.policy()).max() < 0.04
    assert tree.policy(0.001).max() == 1.0


def test_noise_stirs_the_root_only_and_is_seeded() -> None:
    def visits(seed: int, alpha: float) -> list[int]:
        tree = Puct(engine.new("connect4"), seed=seed, alpha=alpha, epsilon=0.5)
        total = search(tree, nothing, 200).visits().tolist()
        tree.advance(3)
        return [*total, *search(tree, nothing, 200).visits().tolist()]

    assert visits(1, 0.3) == visits(1, 0.3) != visits(2, 0.3)
    assert visits(1, 0.0) == visits(2, 0.0)


@pytest.mark.parametrize("alpha", [0.0001, 0.3, 1.0, 5.0])
def test_dirichlet(alpha: float) -> None:
    rng = Rng(5)
    drawn = np.array([dirichlet(alpha, 4, rng) for _ in range(3000)])
    assert np.allclose(drawn.sum(1), 1) and drawn.min() >= 0
    assert np.abs(drawn.mean(0) - 0.25).max() < 0.03
    assert abs(drawn[:, 0].var() - 0.1875 / (4 * alpha + 1)) < 0.015  # p (1 - p) / (n alpha + 1)


def test_a_forest_is_its_trees() -> None:
    games = [at("connect4", action) for action in (0, 3, 6)]
    alone = [Puct(game, seed=i, alpha=0.5) for i, game in enumerate(games)]
    forest = PuctForest([Puct(game, seed=i, alpha=0.5) for i, game in enumerate(games)])
    for _ in range(40):
        leaves = forest.select(5)
        forest.update(*oblique(leaves))
        for tree in alone:
            tree.update(*oblique(tree.select(5)))
    assert [tree.visits().tolist() for tree in forest.trees] == [tree.visits().tolist() for tree in alone]
    leaves = forest.select(5)
    with pytest.raises(RuntimeError, match="its forest"):
        forest.trees[0].update(*oblique(leaves))
    forest.update(*oblique(leaves))


def test_leaves_go_back_where_they_came_from() -> None:
    """As many leaves as the other select gave before: still not its own."""
    tree = Puct(engine.new("connect4"))
    forest = PuctForest([tree])
    tree.update(*nothing(tree.select(1)))
    leaves = forest.select(1)
    with pytest.raises(RuntimeError, match="update its forest"):
        tree.update(*nothing(leaves))
    forest.update(*nothing(leaves))
    leaves = tree.select(1)
    with pytest.raises(RuntimeError, match="update its trees"):
        forest.update(*nothing(leaves))
    tree.update(*nothing(leaves))
    assert tree.simulations() == 3 and bare(tree)


def test_a_forest_plays_matches_to_the_end() -> None:
    forest = PuctForest([Puct(engine.new("tictactoe"), seed=i, alpha=1.0) for i in range(6)])
    rng = Rng(1)
    while any(not tree.is_terminal() for tree in forest.trees):
        for _ in range(6):
            forest.update(*nothing(forest.select(4)))
        for tree in forest.trees:
            if not tree.is_terminal():
                tree.advance(tree.choose(rng))
    assert all(sum(tree.returns()) == 0.0 for tree in forest.trees)


def test_plain_games_with_open_chance() -> None:
    dice = Dice()
    dice.reset(Rng(4))

    def even(leaves: Leaves) -> tuple[Any, Any]:
        return np.ones(leaves.masks.shape), np.zeros((leaves.count, 2))

    tree = search(Puct(dice), even, 100)
    assert tree.visits().sum() == tree.simulations() - 1


def digest() -> str:
    told = []
    for name in ("tictactoe", "connect4"):
        tree = Puct(engine.new(name), seed=7, alpha=0.3)
        rng = Rng(5)
        for _ in range(4):
            search(tree, oblique, 300, 7)
            told.append((tree.visits().tolist(), tree.value().hex()))
            tree.advance(tree.choose(rng))
    return hashlib.sha256(repr(told).encode()).hexdigest()


def test_compiled_and_pure_search_alike() -> None:
    if not engine.is_compiled():
        pytest.skip("this run is pure Python: the compiled one compares")
    environment = {**os.environ, "DUELIST_ENGINE": "pure", "PYTHONPATH": str(Path(__file__).parents[2])}
    code = "from tests.engine.test_puct import digest; print(digest())"
    pure = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert pure.stdout.strip() == digest()
