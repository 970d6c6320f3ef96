"""A batch plays what its games would play alone, says how matches ended, and refuses without a trace."""

from __future__ import annotations

import copy
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import Game, IllegalAction, Rng, VecGames, derive
from tests.engine.plain_games import Dice, Highcard, Nim, Race
from tests.engine.test_contract import GAMES, every_game

ARRAYS = ["observations", "masks", "players", "actions", "movers", "rewards", "returns", "dones", "lengths"]
ARRAYS += ["matches", "final_observations"]
seeds = st.integers(0, 2**63 - 1)


def batch(name: str, n: int, seed: int) -> VecGames:
    return VecGames([GAMES[name]() for _ in range(n)], seed, final_observations=True)


def shown(games: VecGames) -> list[bytes]:
    return [getattr(games, array).tobytes() for array in ARRAYS]


class Alone:
    """What row i of a batch must show, by the slow and checked methods of one game."""

    def __init__(self, name: str, seed: int, i: int) -> None:
        self.game = GAMES[name]()
        self.chance = Rng(derive(seed, i))
        self.game.reset(self.chance)
        self.length = self.matches = 0
        self.done = True

    def step(self, action: int) -> None:
        game = self.game
        self.length = 1 if self.done else self.length + 1
        self.mover = game.current_player()
        game.apply(action)
        self.done = game.is_terminal()
        self.returns = game.returns() if self.done else [0.0] * game.num_players()
        self.last = game.observation(self.mover).tolist()
        self.matches += self.done
        if self.done:
            game.reset(self.chance)


@every_game
@given(seed=seeds, n=st.integers(1, 4), steps=st.integers(0, 30), data=st.data())
@settings(max_examples=10, deadline=None)
def test_a_batch_is_its_games_alone(name: str, seed: int, n: int, steps: int, data: st.DataObject) -> None:
    games = batch(name, n, seed)
    alone = [Alone(name, seed, i) for i in range(n)]
    for _ in range(steps):
        pick = data.draw(st.integers(0, 1000))
        actions = [legal[pick % len(legal)] for legal in (one.game.legal_actions() for one in alone)]
        games.step(actions)
        for i, one in enumerate(alone):
            one.step(actions[i])
            assert games.movers[i] == one.mover and games.dones[i] == one.done
            assert games.returns[i].tolist() == np.float32(one.returns).tolist()
            assert games.rewards[i] == games.returns[i][one.mover]
            assert (games.lengths[i], games.matches[i]) == (one.length, one.matches)
            if one.done:
                assert games.final_observations[i].tolist() == one.last
    for i, one in enumerate(alone):
        game = one.game
        assert games.players[i] == game.current_player()
        assert games.observations[i].tolist() == game.observation().tolist()
        assert games.masks[i].tobytes() == game.action_mask()
        assert games.game(i).position_bytes() == game.position_bytes()


@every_game
def test_a_game_does_not_depend_on_how_many_others_there_are(name: str) -> None:
    few, many = batch(name, 2, 7), batch(name, 5, 7)
    while many.matches.min() < 2:
        for games in (few, many):
            games.random_actions()
            games.step()
        for array in ARRAYS:
            assert getattr(few, array).tobytes() == getattr(many, array)[:2].tobytes()
    assert len({game.position_bytes() for game in map(many.game, range(5))}) > 1 or name == "nim"


@every_game
def test_reset_begins_as_a_new_batch_of_that_seed(name: str) -> None:
    games = batch(name, 3, 7)
    for _ in range(20):
        games.random_actions()
        games.step()
    games.reset(8)
    other = batch(name, 3, 8)
    for _ in range(20):
        for each in (games, other):
            each.random_actions()
            each.step()
        assert shown(games)[:-1] == shown(other)[:-1]


def test_games_of_different_kinds_mix_where_sizes_agree() -> None:
    class Sprint(Race):
        def name(self) -> str:
            return "sprint"

    mixed = VecGames([Race(), Dice(), Sprint(), Dice()], 3)
    for _ in range(50):
        mixed.random_actions()
        mixed.step()
    assert mixed.matches.min() >= 50 // 9
    with pytest.raises(ValueError, match=r"game 1 \(nim\) has \(2, 3, 5, 1\)"):
        VecGames([Race(), Nim()])
    same = Race()
    with pytest.raises(ValueError, match="twice"):
        VecGames([same, same])
    with pytest.raises(ValueError, match="empty"):
        VecGames([])


def test_a_variant_by_name() -> None:
    games = VecGames.make("connect4", 3, seed=1)
    assert (games.num_games(), games.num_players(), games.num_actions()) == (3, 2, 7)
    assert games.observations.shape == (3, games.observation_size())
    with pytest.raises(ValueError, match="no game"):
        VecGames.make("chess960", 3)
    with pytest.raises(ValueError, match="no variant width"):
        VecGames.make("connect4", 3, width=9)


def test_three_seats_and_points() -> None:
    class Points(Highcard):
        def payoff(self, seat: int) -> int:
            return 3 * self.laid[seat] if len(self.laid) == self.players else 0

        def payoff_scale(self) -> int:
            return 7

    games = VecGames([Points() for _ in range(4)], 5)
    for _ in range(3):
        assert not games.dones.any() and not games.returns.any()
        games.random_actions()
        games.step()
    assert games.dones.all() and games.returns.dtype == np.float32 and (games.movers == 2).all()
    assert (games.returns == np.float32(np.rint(games.returns * 7) / 7)).all() and games.returns.any()
    games.random_actions()
    games.step()
    assert not games.dones.any() and not games.returns.any() and (games.lengths == 1).all()


@pytest.mark.parametrize(
    ("actions", "error", "words"),
    [
        ([0, 7, 0], IllegalAction, "game 1 of the batch: action 7 is not legal in connect4 for seat 1"),
        ([0, 0, -1], IllegalAction, "game 2 .*action -1"),
        ([0, 2**62, 0], IllegalAction, "game 1"),
        ([0, 0], ValueError, "expected 3 actions, one per game, got 2"),
        ([0, 0, 0, 0], ValueError, "got 4"),
        (np.zeros(3), TypeError, "array of float64"),
        (np.zeros(3, bool), TypeError, "array of bool"),
        (np.zeros((3, 1), int), TypeError, "3 integers"),
        ([0, 0, 1.5], TypeError, "3 integers"),
        ([0, 0, 2**64], TypeError, "3 integers"),
        (7, TypeError, "3 integers"),
        ("000", TypeError, "3 integers"),
    ],
)
def test_refused_actions_change_nothing(actions: object, error: type[Exception], words: str) -> None:
    games = batch("connect4", 3, 1)
    games.random_actions()
    games.step()
    before = shown(games)
    with pytest.raises(error, match=words) as caught:
        games.step(actions)
    if isinstance(caught.value, IllegalAction):
        assert len(caught.value.legal) == 7 and caught.value.got not in range(7)
    games.actions[:] = np.frombuffer(before[3], np.int64)
    assert shown(games) == before


def test_a_full_column_is_refused_in_a_batch() -> None:
    games = batch("connect4", 2, 1)
    for _ in range(6):
        games.step([3, 3])
    with pytest.raises(IllegalAction, match="game 0"):
        games.step([3, 3])
    assert games.lengths.tolist() == [6, 6]


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint8, np.int8])
def test_actions_of_any_integer_type(kind: type) -> None:
    games = batch("tictactoe", 3, 1)
    games.step(np.array([[8, 1], [4, 1], [0, 1]], kind)[:, 0])
    assert games.actions.tolist() == [8, 4, 0]
    assert [game.facts(0)["rows"] for game in map(games.game, range(3))] == [
        ["...", "...", "..X"],
        ["...", ".X.", "..."],
        ["X..", "...", "..."],
    ]


def test_arrays_are_views_that_can_be_written_and_outlive_the_batch() -> None:
    games = batch("tictactoe", 4, 1)
    views = [getattr(games, array) for array in ARRAYS]
    assert all(view.flags.writeable and view.flags.c_contiguous for view in views)
    games.actions[:] = [0, 1, 2, 3]
    games.step(check=False)
    assert views[0][1].tolist() == games.game(1).observation().tolist()
    assert (views[1].sum(1) == 8).all() and views[1].dtype == bool
    observations = views[0].copy()
    del games
    assert (views[0] == observations).all()


def test_final_observations_only_if_asked_for() -> None:
    with pytest.raises(ValueError, match="final_observations=True"):
        VecGames.make("tictactoe", 2).final_observations  # noqa: B018


def test_the_engine_plays_without_numpy_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    games = VecGames.make("tictactoe", 2)
    games.step([0, 1])
    with pytest.raises(ImportError, match="pip install numpy"):
        games.observations  # noqa: B018


@every_game
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda games: pickle.loads(pickle.dumps(games))])
def test_a_copy_goes_on_alike(name: str, copied: object) -> None:
    games = batch(name, 3, 5)
    for _ in range(17):
        games.random_actions()
        games.step()
    other = copied(games)  # type: ignore[operator]
    assert shown(other) == shown(games)
    for _ in range(17):
        for each in (games, other):
            each.random_actions()
            each.step()
        assert shown(other) == shown(games)


def test_what_a_plain_game_raises_passes_through() -> None:
    class Broken(Nim):
        def step(self, action: int) -> None:
            raise RuntimeError("no")

    games: list[Game] = [Nim(), Broken()]
    with pytest.raises(RuntimeError, match="no"):
        VecGames(games).step([0, 0])


def test_the_random_policy_is_legal_in_every_game() -> None:
    for name in engine.games():
        games = VecGames.make(name, 16, 3)
        for _ in range(60):
            games.random_actions()
            assert games.masks[np.arange(16), games.actions].all()
            games.step()
