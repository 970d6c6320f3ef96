"""One Game object is one state.

Hot methods allocate nothing and check nothing; `apply` is the one checked step, and the Python edge (lists,
views, bytes) derives from the hot methods. The same source runs compiled by mypyc and as plain Python, and
must play identical games both ways: arithmetic stays inside 63 bits.

A native game defines the position (`start` to `set_position`) with integers; a game in plain Python needs
only `name`, `num_actions`, `start`, `current_player`, `step`, `payoff` and `legal_into`: the rest has
defaults that work on its attributes (engine/attributes.py). Left out: what a seat may know of a hidden game
cannot be guessed, so such a game must define `board_text`, `facts` and `determinize` itself.
"""

import copy
import operator
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, final

from librt.vecs import append, extend, vec
from mypy_extensions import i32, i64, mypyc_attr, u8

from engine.attributes import (
    attributes,
    decode,
    encode,
    fits,
    forget_all_but,
    reseed,
    restore,
    shown,
    written,
)
from engine.bits import F32_ONE
from engine.rng import Rng

MAGIC: Final = b"DGS1"
NO_MOVES: Final = vec[i64]()
MOST_ACTIONS: Final = 1 << 16
VALUE_ONE: Final = 1 << 16  # what `Game.value` calls 1.0


class Action(NamedTuple):
    """A legal choice: its id (0-based, below `num_actions`) and its notation."""

    id: int
    text: str


class Move(NamedTuple):
    """One entry of a match's history as a seat may know it."""

    seat: int
    action: int
    text: str


class View(NamedTuple):
    """Everything that one seat may know at one moment, and nothing else."""

    game: str
    variant: Mapping[str, int]
    seat: int
    num_players: int
    num_actions: int
    ply: int
    to_move: int  # seat to act, -1 when the game is over
    board: str  # text board as this seat may see it
    facts: Mapping[str, object]  # structured: marks, hands, scores, ...
    rules: str  # the rules in a few plain sentences; identical for all seats and plies
    legal: tuple[Action, ...]  # empty unless this seat is to move
    history: tuple[Move, ...]
    result: tuple[float, ...] | None  # returns per seat when over
    sample: "Callable[[Rng], Game]"  # a clone of the game, hidden parts drawn anew from what the seat knows


class IllegalAction(ValueError):
    """An action that the game refused. Nothing changed; `legal` is what it would have taken."""

    def __init__(self, message: str, got: object = None, legal: tuple[Action, ...] = ()) -> None:
        super().__init__(message, got, legal)
        self.got = got
        self.legal = legal

    def __str__(self) -> str:
        return str(self.args[0])


@mypyc_attr(allow_interpreted_subclasses=True, acyclic=True)
class Game:
    """One game in one state, and the moves `apply` led it through."""

    # Class-level values, so that a subclass whose __init__ forgets super() still works. Their names stand in
    # BASE_ATTRIBUTES too.
    _past: vec[i64] = NO_MOVES  # seat * 65536 + action, per `apply`; a buffer, reused from match to match
    _plies: i64 = 0  # how much of it is in use
    _said: tuple[str, ...] = ()  # the moves' notation, where it depends on the position
    _ids: vec[i64] = NO_MOVES  # scratch for legal_into, made when first needed
    _by_attributes: i64 = -1  # 1 where the attributes are the position, 0 where not, -1 until asked

    # Facts: the same in every position of one variant.

    def name(self) -> str:
        """The name it is found by."""
        raise NotImplementedError

    def num_players(self) -> i64:
        """How many seats."""
        return 2

    def num_actions(self) -> i64:
        """Action ids are 0 .. num_actions - 1, at most 65536 of them."""
        raise NotImplementedError

    def max_plies(self) -> i64:
        """No match is longer."""
        return 1000

    def hidden_information(self) -> bool:
        """Whether seats know different things."""
        return False

    def zero_sum(self) -> bool:
        """Whether the payoffs of all seats sum to 0 at every end. Declared, not guessed: False says nothing."""
        return False

    def max_utility(self) -> i64:
        """No payoff is larger, nor smaller than its negative; in units of `payoff`."""
        return 1

    def payoff_scale(self) -> i64:
        """How many units of `payoff` make 1.0 of `returns`."""
        return 1

    def fixed_notation(self) -> bool:
        """Whether `action_text` of an id is the same in every position."""
        return True

    def variant(self) -> dict[str, int]:
        """The constructor's parameters and their values; {} where there is one form only."""
        return {}

    def rules_text(self) -> str:
        """The rules in plain sentences: no strategy, and how a move is written. By default the docstring."""
        return (type(self).__doc__ or self.name()).strip()

    # The position: what a game defines. Unchecked, allocation free.

    def start(self, rng: Rng) -> None:
        """Set up the first position; a game with chance seeds its own generator from `rng`.

        In plain Python, what earlier matches added to the attributes that the constructor sets is gone.
        """
        raise NotImplementedError

    def current_player(self) -> i64:
        """The seat to move, -1 when the game is over."""
        raise NotImplementedError

    def step(self, action: i64) -> None:
        """Play a legal action. Unchecked: `apply` is the safe way."""
        raise NotImplementedError

    def payoff(self, seat: i64) -> i64:
        """What a seat has won, as an integer: +1, 0, -1 or points. 0 before the end."""
        raise NotImplementedError

    def legal_into(self, out: vec[i64]) -> i64:
        """Write the legal ids in rising order, return how many (0 when over). The only source of legality."""
        raise NotImplementedError

    def copy_from(self, other: "Game") -> None:
        """Take the position (not the history) of a game of the same kind and variant."""
        restore(self, copy.deepcopy(attributes(other)))

    def position_bytes(self) -> bytes:
        """The position alone; equal positions give equal bytes, whatever led there, and equal bytes positions.

        A game that can only be rebuilt from its moves (engine/bridges) has those for bytes: two ways to one
        board are then two positions.
        """
        return encode(self)

    def set_position(self, data: bytes) -> None:
        """The inverse of `position_bytes`; ValueError when no such position exists."""
        saved = decode(data)
        started: Game = type(self)(**self.variant())
        started.start(Rng())
        if not fits(saved, started):
            raise ValueError(f"no position of {self.name()}: {data[:60]!r}")
        restore(self, saved)

    def determinize(self, seat: i64, rng: Rng) -> None:
        """Draw anew all that `seat` cannot know, the game's own generator included.

        By default the generators among the attributes of an open game: nobody knows the dice to come.
        """
        if self.hidden_information():
            raise NotImplementedError(f"{self.name()} hides information and must define determinize")
        reseed(self, rng)

    # What a search looks at.

    def value(self, seat: i64) -> i64:
        """What a search maximises for `seat` at the end, from -VALUE_ONE to VALUE_ONE. By default the payoff."""
        return self.payoff(seat) * VALUE_ONE // self.max_utility()

    def narrow(self) -> None:
        """Bring the end as near as a search should look: a game of rounds ends with this one. By default no-op.

        The legal moves now, and what each seat knows, stay as they are.
        """

    # Derived from the position; a game may override them for speed, and the contract suite compares.

    def is_legal(self, action: i64) -> bool:
        """Whether `legal_into` lists that id, which may be any integer >= 0."""
        ids = self._scratch()
        n = self.legal_into(ids)
        i: i64 = 0
        while i < n:
            if ids[i] == action:
                return True
            i += 1
        return False

    def random_action(self, rng: Rng) -> i64:
        """A uniformly drawn legal action; the game must not be over."""
        ids = self._scratch()
        return ids[rng.below(self.legal_into(ids))]

    def playout(self, rng: Rng) -> None:
        """Play uniformly random moves to the end."""
        while self.current_player() >= 0:
            self.step(self.random_action(rng))

    def mask_into(self, out: vec[u8]) -> None:
        """Write 1 for legal and 0 for illegal into the first num_actions of out."""
        size = self.num_actions()
        i: i64 = 0
        while i < size:
            out[i] = 0
            i += 1
        ids = self._scratch()
        n = self.legal_into(ids)
        i = 0
        while i < n:
            out[ids[i]] = 1
            i += 1

    def ply(self) -> i64:
        """How many moves have been played. By default counts `apply`."""
        return self._plies

    # Numbers for learners: float32 bit patterns, because vec has no float32.

    def observation_size(self) -> i64:
        """Floats in an observation."""
        return self.num_actions() + self.num_players()

    def observe_into(self, seat: i64, out: vec[i32]) -> None:
        """Write what `seat` sees into the first observation_size of out, as float32 bits.

        By default only the legal mask (zeros when `seat` is not to move) and a one-hot of how many seats
        after `seat` the mover sits: safe for every game, and worth overriding.
        """
        size = self.observation_size()
        i: i64 = 0
        while i < size:
            out[i] = 0
            i += 1
        who = self.current_player()
        if who < 0:
            return
        players = self.num_players()
        out[self.num_actions() + (who + players - seat) % players] = i32(F32_ONE)
        if who == seat:
            ids = self._scratch()
            n = self.legal_into(ids)
            i = 0
            while i < n:
                out[ids[i]] = i32(F32_ONE)
                i += 1

    def legacy_observation_size(self) -> i64:
        """Floats in the seat-absolute observation of earlier platforms; 0 where there was none."""
        return 0

    def observe_legacy_into(self, seat: i64, out: vec[i32]) -> None:
        """As `observe_into`, in the legacy form."""
        raise ValueError(f"{self.name()} has no legacy observation")

    # Words.

    def action_text(self, action: i64) -> str:
        """The notation of an action id."""
        return str(action)

    def parse_action(self, text: str) -> int:
        """The id whose notation is `text`, case and surrounding blanks aside; legal or not. ValueError.

        A game in whose notation case tells moves apart takes it only as it is written.
        """
        wanted = text.strip().casefold()
        ids = list(range(self.num_actions())) if self.fixed_notation() else self.legal_actions()
        for action in ids:
            if self.action_text(action).casefold() == wanted:
                return action
        known = [self.action_text(action) for action in ids[:12]]
        more = f", ... ({len(ids)} in all)" if len(ids) > 12 else ""
        raise ValueError(f"{text!r} is no move of {self.name()}; expected one of {', '.join(known)}{more}")

    def board_text(self, seat: i64) -> str:
        """The position for people and models as `seat` may see it. By default the attributes, by name."""
        return "\n".join(f"{key}: {value}" for key, value in self.facts(seat).items())

    def facts(self, seat: i64) -> dict[str, Any]:
        """What `seat` may know, structured. By default the attributes of an open game, less its generators."""
        if self.hidden_information():
            raise NotImplementedError(f"{self.name()} hides information and must define facts")
        return shown(self)

    def move_as_seen(self, move: Move, seat: i64) -> Move:
        """A past move as `seat` may know it."""
        return move

    # Symmetries: rearrangements under which the game is the same, number 0 the identity; each commutes with
    # moves, keeps the seats and what they win, and the inverse of each is another. They rearrange what is there,
    # never what chance has yet to bring: where cards are dealt again, a symmetry reaches back and forward to the
    # nearest deal. A game whose notation depends on the position has the identity only: what its past moves
    # were called would be lost.

    def num_symmetries(self) -> i64:
        """How many this position has, the identity included."""
        return 1

    def symmetry_text(self, symmetry: i64) -> str:
        """What a symmetry does, in a few words."""
        return f"symmetry {symmetry}" if symmetry else "as it is"

    def transform_action(self, symmetry: i64, action: i64) -> i64:
        """Where an action goes."""
        return action

    def transform_position(self, symmetry: i64) -> None:
        """Rearrange this position in place."""

    def moves_transformed(self) -> i64:
        """How many of the last moves of its history a symmetry rearranges. By default all."""
        return self._plies

    @final
    def transform(self, symmetry: int) -> "Game":
        """A copy as that symmetry shows it: the position, and the history that leads there.

        ValueError for a symmetry that this position has not.
        """
        if not 0 <= symmetry < self.num_symmetries():
            raise ValueError(f"{self.name()} has symmetries 0 to {self.num_symmetries() - 1}, got {symmetry}")
        if symmetry and not self.fixed_notation():
            raise ValueError(
                f"{self.name()} has {self.num_symmetries()} symmetries and notation that depends on the "
                f"position; expected fixed_notation() to be true, or num_symmetries() to be 1"
            )
        s: i64 = symmetry
        game = self.clone()
        game.transform_position(s)
        first: i64 = game._plies - game.moves_transformed()
        if first < 0:  # it began from a position, not from its first one
            first = 0
        for i in range(first, game._plies):
            move = game._past[i]
            game._past[i] = ((move >> 16) << 16) | self.transform_action(s, move & 0xFFFF)
        return game

    def position_class(self) -> bytes:
        """Equal for positions that are the same up to symmetry, and for no others: the least `position_bytes`.

        Where seats know different things, and where chance is to come, the position holds what no seat knows:
        see `infoset_class`.
        """
        best = self.position_bytes()
        count = self.num_symmetries()
        if count > 1:
            turned: Game = type(self)(**self.variant())
            s: i64 = 1
            while s < count:
                turned.copy_from(self)
                turned.transform_position(s)
                data = turned.position_bytes()
                if data < best:
                    best = data
                s += 1
        return best

    @final
    def infoset_class(self, seat: int) -> bytes:
        """As `position_class`, of what `seat` may know: its facts, its board, and who is to move.

        TypeError where facts hold more than None, bools, finite numbers, strings, bytes, tuples, lists, dicts.
        """
        self._check_seat(seat)
        known = []
        for symmetry in range(self.num_symmetries()):
            game = self.transform(symmetry)
            told = [seat, int(game.current_player()), game.facts(seat), game.board_text(seat)]
            known.append(written("facts", told))
        return min(known).encode()

    # The Python edge: checked, and the same for every game.

    @final
    def reset(self, rng: Rng) -> None:
        """Begin a new match: the first position, no history."""
        self.forget_history()
        if self._by_attributes != 0:
            self._forget_added()
        self.start(rng)

    @final
    def _forget_added(self) -> None:
        """Where the attributes are the position, remove what play added to those of the constructor."""
        if self._by_attributes < 0:  # remembered: asking costs a tenth of a random TicTacToe match
            self._by_attributes = 1 if type(self).copy_from is Game.copy_from else 0
        if self._by_attributes == 1:
            forget_all_but(self, attributes(type(self)(**self.variant())))

    @final
    def apply(self, action: object) -> None:
        """Play an action, any integer (numpy's too), after checking it, and remember it.

        IllegalAction: refused, nothing changed.
        """
        who = self.current_player()
        whole = action  # not by `if else`: mypyc would make an int of True
        if not isinstance(action, int):
            whole = as_whole(action)
        if who >= 0 and isinstance(whole, int) and not isinstance(whole, bool):
            number: int = whole
            if 0 <= number < MOST_ACTIONS:
                a: i64 = number
                if self.is_legal(a):
                    if not self.fixed_notation():
                        self._said = (*self._said, self.action_text(a))
                    self.step(a)
                    self._remember((who << 16) | a)
                    return
        raise self._refusal(action)

    @final
    def _remember(self, move: i64) -> None:
        plies = self._plies
        past = self._past
        if plies == len(past):
            self._past = extend(past, [0] * (plies + 16))
            past = self._past
        past[plies] = move
        self._plies = plies + 1

    def _refusal(self, action: object) -> IllegalAction:
        legal = self._legal_choices()
        if not legal:
            return IllegalAction(f"{self.name()} is over; action {action!r} was refused", action)
        shown = ", ".join(f"{choice.id} ({choice.text})" for choice in legal)
        return IllegalAction(
            f"action {action!r} is not legal in {self.name()} for seat {self.current_player()}; "
            f"legal are the integers {shown}",
            action,
            legal,
        )

    def _legal_choices(self) -> tuple[Action, ...]:
        return tuple([Action(a, self.action_text(a)) for a in self.legal_actions()])

    def is_terminal(self) -> bool:
        """Whether the game is over."""
        return self.current_player() < 0

    @final
    def returns(self) -> list[float]:
        """The payoff of every seat, as floats in units of `payoff_scale`."""
        scale = float(self.payoff_scale())
        return [float(self.payoff(seat)) / scale for seat in range(self.num_players())]

    def legal_actions(self) -> list[int]:
        """Legal ids in rising order; [] when over."""
        ids = self._scratch()
        n = self.legal_into(ids)
        return [int(ids[i]) for i in range(n)]

    def action_mask(self) -> bytes:
        """num_actions bytes, 1 for legal and 0 for not."""
        mask = vec[u8]([0] * self.num_actions())
        self.mask_into(mask)
        return bytes(memoryview(mask))

    @final
    def observation(self, seat: int | None = None, legacy: bool = False) -> memoryview:
        """A new read-only float32 buffer (format 'f') of what `seat`, by default the mover, sees."""
        who: i64 = 0
        if seat is not None:
            self._check_seat(seat)
            who = seat
        elif self.current_player() >= 0:
            who = self.current_player()
        if legacy:
            out = vec[i32]([0] * self.legacy_observation_size())
            self.observe_legacy_into(who, out)
        else:
            out = vec[i32]([0] * self.observation_size())
            self.observe_into(who, out)
        buffer: Any = memoryview(out)  # typed by its items, which the casts change
        floats: memoryview = buffer.cast("B").cast("f")
        return floats

    @final
    def history(self) -> list[Move]:
        """The moves that `apply` played since `reset`."""
        moves = []
        for i in range(self._plies):
            seat, action = self._past[i] >> 16, self._past[i] & 0xFFFF
            text = self.action_text(action) if self.fixed_notation() else self._said[i]
            moves.append(Move(seat, action, text))
        return moves

    @final
    def view(self, seat: int) -> View:
        """What `seat` may know now. Its `sample` refuses to answer once the game has moved on."""
        self._check_seat(seat)
        who = self.current_player()
        return View(
            game=self.name(),
            variant=self.variant(),
            seat=seat,
            num_players=self.num_players(),
            num_actions=self.num_actions(),
            ply=self.ply(),
            to_move=who,
            board=self.board_text(seat),
            facts=self.facts(seat),
            rules=self.rules_text(),
            legal=self._legal_choices() if who == seat else (),
            history=tuple([self.move_as_seen(move, seat) for move in self.history()]),
            result=tuple(self.returns()) if who < 0 else None,
            sample=Sampler(self, seat).draw,
        )

    # Copies and bytes.

    def clone(self) -> "Game":
        """An independent copy: position and history."""
        game: Game = type(self)(**self.variant())
        game.copy_from(self)
        game.copy_history(self)
        return game

    @final
    def copy_history(self, other: "Game") -> None:
        """Take the history of `other` (what `copy_from` leaves out)."""
        # A vec shares its buffer when assigned: copy, or the two would write into one.
        plies = other._plies
        self._past = other._past[:plies] if plies > 0 else NO_MOVES
        self._plies = plies
        self._said = other._said

    @final
    def forget_history(self) -> None:
        """Keep the position, drop the moves that led to it."""
        self._plies = 0
        self._said = ()

    @final
    def to_bytes(self) -> bytes:
        """Name, variant, position and history, with a checksum."""
        settings = "&".join([f"{key}={value}" for key, value in sorted(self.variant().items())])
        past = b"".join([int(self._past[i]).to_bytes(4, "little") for i in range(self._plies)])
        said = "\n".join(self._said).encode()
        body = MAGIC + pack([self.name().encode(), settings.encode(), self.position_bytes(), past, said])
        return body + zlib.crc32(body).to_bytes(4, "little")

    @classmethod
    def from_bytes(cls, data: bytes) -> "Game":
        """The game that `to_bytes` wrote. ValueError for damaged bytes and for those of another game."""
        name, variant = read_header(data)
        own = cls().name()
        if own != name:
            raise ValueError(f"these are the bytes of a game of {name}, expected {own}")
        game: Game = cls(**variant)
        game.load(data)
        return game

    @final
    def load(self, data: bytes) -> None:
        """Fill this object, of the right game and variant, from `to_bytes`. ValueError."""
        name, variant = read_header(data)
        if name != self.name() or variant != self.variant():
            raise ValueError(f"expected bytes of {self.name()} {self.variant()}, got {name} {variant}")
        fields = unpack(data)
        past = NO_MOVES
        for i in range(0, len(fields[3]), 4):
            move = int.from_bytes(fields[3][i : i + 4], "little")
            if move >> 16 >= self.num_players() or move & 0xFFFF >= self.num_actions():
                raise ValueError(f"the saved history of {name} names a move that does not exist ({move})")
            past = append(past, move)
        said = tuple(fields[4].decode().split("\n")) if fields[4] else ()
        self.set_position(fields[2])
        self._past = past
        self._plies = len(past)
        self._said = said

    def __reduce__(self) -> tuple[object, ...]:
        return (unpickle, (type(self), self.to_bytes()))

    @final
    def _scratch(self) -> vec[i64]:
        if len(self._ids) == 0:
            self._ids = vec[i64]([0] * self.num_actions())
        return self._ids

    def _check_seat(self, seat: int) -> None:
        if not 0 <= seat < self.num_players():
            raise ValueError(f"{self.name()} has seats 0 to {self.num_players() - 1}, got {seat}")


@final
class Sampler:
    """What a view's `sample` is bound to: a seat of a game at one moment."""

    def __init__(self, game: Game, seat: int) -> None:
        self.game = game
        self.seat = seat
        self.moment = (game.position_bytes(), game._plies)

    def draw(self, rng: Rng) -> Game:
        """A clone with all that the seat cannot know drawn anew. RuntimeError once the game moved on."""
        if self.moment != (self.game.position_bytes(), self.game._plies):
            raise RuntimeError(
                f"this view of {self.game.name()} is out of date: the game has moved on; take a new view"
            )
        game = self.game.clone()
        game.determinize(self.seat, rng)
        if game.hidden_information():
            game.forget_history()  # it may tell what the seat did not see
        return game


def as_whole(number: Any) -> object:
    """What is an integer but no int, such as numpy's, as an int; all else as it is."""
    try:
        return operator.index(number)
    except TypeError:
        return number


def unpickle(kind: type[Game], data: bytes) -> Game:
    """What pickle calls."""
    return kind.from_bytes(data)


def pack(fields: list[bytes]) -> bytes:
    """Each field behind its length in four bytes."""
    return b"".join([len(field).to_bytes(4, "little") + field for field in fields])


def unpack(data: bytes) -> list[bytes]:
    """The five fields of `Game.to_bytes`; ValueError when the bytes are damaged or not ours."""
    if len(data) < 8 or data[:4] != MAGIC:
        raise ValueError(f"not a saved game: expected bytes that begin with {MAGIC!r}, got {data[:8]!r}")
    if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise ValueError(f"a damaged saved game: the checksum of its {len(data)} bytes does not fit")
    fields = []
    at = 4
    while at < len(data) - 4:
        end = at + 4 + int.from_bytes(data[at : at + 4], "little")
        fields.append(data[at + 4 : end])
        at = end
    if len(fields) != 5:
        raise ValueError(f"a damaged saved game: expected 5 fields, got {len(fields)}")
    return fields


def read_header(data: bytes) -> tuple[str, dict[str, int]]:
    """Name and variant in the bytes of `Game.to_bytes`. ValueError."""
    if not isinstance(data, bytes):
        raise ValueError(f"a saved game is bytes, got {type(data).__name__}")
    fields = unpack(data)
    pairs = [pair.partition("=") for pair in fields[1].decode().split("&") if pair]
    return fields[0].decode(), {key: int(value) for key, _, value in pairs}
