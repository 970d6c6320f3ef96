"""Many games stepped in one call: what a learner plays, and what fills its arrays.

`VecGames` works over any Game, plain-Python ones included, mixed freely as long as their sizes agree. A
finished game begins anew within the same step (same-step autoreset in Gymnasium's words): the observation
and mask after it are the new match's first, reward, returns, done and length are the finished one's.
Game i has its own streams of chance, derived from the seed and i, so what it plays does not depend on how
many others there are.

The results lie in buffers that are made once and never move. Those who have numpy see them as writable
arrays without a copy; the engine itself does not need numpy. Left out: opponents, rewards other than the
game's own, processes (one VecGames in each is the way to use several cores).
"""

from importlib import import_module
from typing import Any, Final, final

from librt.vecs import extend, vec
from mypy_extensions import i32, i64, u8

from engine.bits import f32_bits, put_flags, put_floats
from engine.core import Game, IllegalAction
from engine.registry import make_game
from engine.rng import Rng, derive

LARGEST_TABLE: Final = 1 << 12  # payoffs up to this are turned into floats by a table


@final
class Window:
    """What numpy makes an array of: the memory of a vec, writable, and the vec that must stay alive for it.

    A vec's own buffer is read-only, which torch warns of, and has no float32.
    """

    def __init__(self, owner: object, address: int, kind: str, shape: tuple[int, ...]) -> None:
        self.owner = owner
        self.__array_interface__ = {"version": 3, "typestr": kind, "shape": shape, "data": (address, False)}


def window(owner: Any, kind: str, shape: tuple[int, ...]) -> Any:
    """A writable numpy array of that type on a vec's memory. ImportError without numpy."""
    try:
        numpy: Any = import_module("numpy")
    except ImportError as error:
        raise ImportError("arrays need numpy, which is not installed: pip install numpy") from error
    if len(owner) == 0:
        return numpy.zeros(shape, kind)
    seen: Any = numpy.frombuffer(owner, numpy.uint8)
    return numpy.asarray(Window(owner, seen.__array_interface__["data"][0], kind, shape))


@final
class VecGames:
    """`n` games. Row i of every array is game i; the arrays are views that each `step` fills anew.

    | array | type | what |
    | --- | --- | --- |
    | `observations` | float32 [n, observation_size] | what the seat to move sees |
    | `masks` | bool [n, num_actions] | its legal actions |
    | `players` | int64 [n] | that seat |
    | `actions` | int64 [n] | what `random_actions` drew, or a policy wrote, for `step()` to play |
    | `movers` | int64 [n] | the seat that played the last step |
    | `rewards` | float32 [n] | that seat's return if the last step ended its match, else 0 |
    | `returns` | float32 [n, num_players] | all seats' returns if the last step ended the match, else 0 |
    | `dones` | bool [n] | whether it did |
    | `lengths` | int64 [n] | moves so far of the match that the last step belonged to |
    | `matches` | int64 [n] | matches finished since `reset` |
    | `final_observations` | float32 [n, observation_size] | if asked for: what the mover saw at the end |
    """

    def __init__(self, games: list[Game], seed: int = 0, final_observations: bool = False) -> None:
        """Take over `games` (distinct objects of equal sizes) and begin a match in each. ValueError."""
        if not games:
            raise ValueError("a batch needs at least one game, got an empty list")
        if len({id(game) for game in games}) < len(games):
            raise ValueError("a batch needs distinct games, got one object twice; clone it")
        first = games[0]
        for index, game in enumerate(games):
            if sizes(game) != sizes(first):
                raise ValueError(
                    f"games of a batch must agree in {', '.join(SIZES)}; game 0 ({first.name()}) has "
                    f"{sizes(first)}, game {index} ({game.name()}) has {sizes(game)}"
                )
        n: i64 = len(games)
        self._n: i64 = n
        self._games: vec[Game] = vec[Game](games)
        self._num_actions: i64 = first.num_actions()
        self._num_players: i64 = first.num_players()
        self._size: i64 = first.observation_size()
        self._keep_final = final_observations
        # Vecs of no items with room for all rows: what `step` appends lies in their memory, so it never moves.
        self._no_observations: vec[i32] = vec[i32](capacity=n * self._size)
        self._no_masks: vec[u8] = vec[u8](capacity=n * self._num_actions)
        self._observation: vec[i32] = vec[i32]([0] * self._size)
        self._mask: vec[u8] = vec[u8]([0] * self._num_actions)
        self._observations: vec[i32] = extend(self._no_observations, vec[i32]([0] * (n * self._size)))
        self._masks: vec[u8] = extend(self._no_masks, vec[u8]([0] * (n * self._num_actions)))
        kept: i64 = n * self._size
        if not final_observations:
            kept = 0
        self._final: vec[i32] = vec[i32]([0] * kept)
        self._players: vec[i64] = vec[i64]([0] * n)
        self._actions: vec[i64] = vec[i64]([0] * n)
        self._movers: vec[i64] = vec[i64]([0] * n)
        self._rewards: vec[i32] = vec[i32]([0] * n)
        self._returns: vec[i32] = vec[i32]([0] * (n * self._num_players))
        self._dones: vec[u8] = vec[u8]([0] * n)
        self._lengths: vec[i64] = vec[i64]([0] * n)
        self._matches: vec[i64] = vec[i64]([0] * n)
        self._floats: vec[i32] = float_table(games)
        self._chance: vec[Rng] = vec[Rng]([Rng() for _ in games])
        self._policy: vec[Rng] = vec[Rng]([Rng() for _ in games])
        self.reset(seed)

    @staticmethod
    def make(
        name: str, n: int, seed: int = 0, final_observations: bool = False, **variant: int
    ) -> "VecGames":
        """`n` games of a registered name. ValueError for unknown names and variants."""
        return VecGames([make_game(name, variant) for _ in range(n)], seed, final_observations)

    def reset(self, seed: int) -> None:
        """Begin anew in every game, as a new batch of that seed would."""
        i: i64 = 0
        while i < self._n:
            self._chance[i].copy_from(Rng(derive(seed, i)))
            self._policy[i].copy_from(Rng(derive(seed, i, "policy")))
            self._games[i].reset(self._chance[i])
            self._actions[i] = 0
            self._movers[i] = 0
            self._matches[i] = 0
            self._clear(i)
            self._write(i)
            i += 1

    def step(self, actions: object = None, check: bool = True) -> None:
        """Play one action per game: of `actions` (n integers in an array or sequence), else of `self.actions`.

        IllegalAction names the first game whose action is not legal; ValueError or TypeError tells of
        actions of another number or type: nothing has changed in any game. With check=False an illegal action
        plays nonsense; for those who draw from `masks`. What a game in plain Python raises passes through,
        and leaves those after it unplayed.
        """
        if actions is not None:
            self._take(actions)
        if check:
            self._check()
        games = self._games
        chosen = self._actions
        players = self._players
        movers = self._movers
        dones = self._dones
        lengths = self._lengths
        observation = self._observation
        mask = self._mask
        observations = self._no_observations
        masks = self._no_masks
        n = self._n
        i: i64 = 0
        while i < n:
            game = games[i]
            who = players[i]
            game.step(chosen[i])
            movers[i] = who
            if dones[i]:
                self._clear(i)
            lengths[i] += 1
            next = game.current_player()
            if next < 0:
                next = self._finish(i, game, who)
            players[i] = next
            # A row at a time: games write fastest to a fixed place, and appending a row is a memcpy.
            game.observe_into(next, observation)
            game.mask_into(mask)
            observations = extend(observations, observation)
            masks = extend(masks, mask)
            i += 1

    def random_actions(self) -> None:
        """Fill `actions` with uniformly drawn legal ones, for `step()` to play."""
        games = self._games
        policy = self._policy
        actions = self._actions
        i: i64 = 0
        while i < self._n:
            actions[i] = games[i].random_action(policy[i])
            i += 1

    def _take(self, actions: Any) -> None:
        kind = getattr(actions, "dtype", None)
        if kind is not None and getattr(kind, "kind", "i") not in "iu":
            raise TypeError(f"actions are integers, got an array of {kind}")
        try:
            taken = vec[i64](actions)
        except (TypeError, ValueError, OverflowError) as error:
            raise TypeError(
                f"actions are {self._n} integers in an array or sequence, got {actions!r:.80}"
            ) from error
        if len(taken) != self._n:
            raise ValueError(f"expected {self._n} actions, one per game, got {len(taken)}")
        i: i64 = 0
        while i < self._n:
            self._actions[i] = taken[i]
            i += 1

    def _check(self) -> None:
        games = self._games
        actions = self._actions
        size = self._num_actions
        i: i64 = 0
        while i < self._n:
            action = actions[i]
            if action < 0 or action >= size or not games[i].is_legal(action):
                self._refuse(i, action)
            i += 1

    def _refuse(self, i: i64, action: i64) -> None:
        refusal = self._games[i]._refusal(int(action))
        raise IllegalAction(f"game {i} of the batch: {refusal}", refusal.got, refusal.legal)

    def _finish(self, i: i64, game: Game, who: i64) -> i64:
        """Tell how the match ended, begin the next and return who moves in it."""
        players = self._num_players
        seat: i64 = 0
        while seat < players:
            self._returns[i * players + seat] = self._as_float(game, game.payoff(seat))
            seat += 1
        self._rewards[i] = self._returns[i * players + who]
        self._dones[i] = 1
        self._matches[i] += 1
        if self._keep_final:
            game.observe_into(who, self._observation)
            put_floats(self._observation, self._final, i * self._size)
        game.reset(self._chance[i])
        return game.current_player()

    def _clear(self, i: i64) -> None:
        players = self._num_players
        seat: i64 = 0
        while seat < players:
            self._returns[i * players + seat] = 0
            seat += 1
        self._rewards[i] = 0
        self._dones[i] = 0
        self._lengths[i] = 0

    def _write(self, i: i64) -> None:
        game = self._games[i]
        who = game.current_player()
        self._players[i] = who
        game.observe_into(who, self._observation)
        game.mask_into(self._mask)
        put_floats(self._observation, self._observations, i * self._size)
        put_flags(self._mask, self._masks, i * self._num_actions)

    def _as_float(self, game: Game, payoff: i64) -> i32:
        """The bits of a payoff as float32, in units of `payoff_scale`."""
        most: i64 = len(self._floats) // 2
        if -most <= payoff and payoff <= most:
            return self._floats[most + payoff]
        return i32(f32_bits(float(payoff) / float(game.payoff_scale())))

    def __reduce__(self) -> tuple[object, ...]:
        games = [self._games[i] for i in range(self._n)]
        streams = [(self._chance[i].state(), self._policy[i].state()) for i in range(self._n)]
        results: list[Any] = [self._actions, self._movers, self._rewards, self._returns]
        results += [self._dones, self._lengths, self._matches, self._final]
        return (batch_at, (games, self._keep_final, streams, [list(result) for result in results]))

    def _go_on(self, games: list[Game], streams: Any, results: Any) -> None:
        """Take a state that `__reduce__` wrote; nobody holds an array yet, so that the buffers may be new."""
        for i, (chance, policy) in enumerate(streams):
            self._games[i].copy_from(games[i])
            self._games[i].copy_history(games[i])
            self._chance[i].set_state(chance)
            self._policy[i].set_state(policy)
            self._write(i)
        self._actions = vec[i64](results[0])
        self._movers = vec[i64](results[1])
        self._rewards = vec[i32](results[2])
        self._returns = vec[i32](results[3])
        self._dones = vec[u8](results[4])
        self._lengths = vec[i64](results[5])
        self._matches = vec[i64](results[6])
        self._final = vec[i32](results[7])

    def num_games(self) -> int:
        """How many games."""
        return self._n

    def num_players(self) -> int:
        """Seats of each."""
        return self._num_players

    def num_actions(self) -> int:
        """Actions of each."""
        return self._num_actions

    def observation_size(self) -> int:
        """Floats in an observation."""
        return self._size

    def game(self, i: int) -> Game:
        """A copy of game i as it stands now."""
        return self._games[i].clone()

    @property
    def observations(self) -> Any:
        return window(self._observations, "<f4", (self._n, self._size))

    @property
    def final_observations(self) -> Any:
        if not self._keep_final:
            raise ValueError("this batch keeps no final observations; make it with final_observations=True")
        return window(self._final, "<f4", (self._n, self._size))

    @property
    def masks(self) -> Any:
        return window(self._masks, "|b1", (self._n, self._num_actions))

    @property
    def players(self) -> Any:
        return window(self._players, "<i8", (self._n,))

    @property
    def actions(self) -> Any:
        return window(self._actions, "<i8", (self._n,))

    @property
    def movers(self) -> Any:
        return window(self._movers, "<i8", (self._n,))

    @property
    def rewards(self) -> Any:
        return window(self._rewards, "<f4", (self._n,))

    @property
    def returns(self) -> Any:
        return window(self._returns, "<f4", (self._n, self._num_players))

    @property
    def dones(self) -> Any:
        return window(self._dones, "|b1", (self._n,))

    @property
    def lengths(self) -> Any:
        return window(self._lengths, "<i8", (self._n,))

    @property
    def matches(self) -> Any:
        return window(self._matches, "<i8", (self._n,))


SIZES: Final = ("num_players", "num_actions", "observation_size", "payoff_scale")


def sizes(game: Game) -> tuple[int, ...]:
    """What games of one batch must agree in, in the order of SIZES."""
    return (game.num_players(), game.num_actions(), game.observation_size(), game.payoff_scale())


def batch_at(games: list[Game], final_observations: bool, streams: object, results: object) -> VecGames:
    """The batch in that state (what pickle calls)."""
    batch = VecGames([game.clone() for game in games], 0, final_observations)
    batch._go_on(games, streams, results)
    return batch


def float_table(games: list[Game]) -> vec[i32]:
    """The bits of -most ... most payoffs as float32, in units of `payoff_scale`."""
    most = min(max([game.max_utility() for game in games]), LARGEST_TABLE)
    scale = float(games[0].payoff_scale())
    return vec[i32]([f32_bits(float(payoff) / scale) for payoff in range(-most, most + 1)])
