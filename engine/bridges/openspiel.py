"""Every turn-based game of OpenSpiel: `openspiel:chess`, `openspiel:go(board_size=9)`.

The game is OpenSpiel's, string by string: names, parameters, moves, boards, tensors. Ours are the seed, from
which all chance is drawn (a state is never left at a chance node), and what each seat is shown. A position is
the moves and outcomes that led to it, because that is all that every game of OpenSpiel can be rebuilt from:
two ways to the same board are two positions here. Nothing that OpenSpiel does unchecked, where a wrong number
would end the process, is done with a number that was not compared with what it lists as legal.

How many moves the others made is told in every game, as it is in ours; what they were, where that is known to be
open.

Left out: games of simultaneous moves (OpenSpiel has a turn-based form of each), mean-field games, and games
that draw chance from a generator of their own, which no seed of ours reaches.
"""

import importlib
import os
import re
import subprocess
import sys
from array import array
from bisect import bisect_left
from difflib import get_close_matches
from importlib.util import find_spec
from math import isfinite
from typing import Any, Final, NamedTuple

from librt.vecs import vec
from mypy_extensions import i32, i64, mypyc_attr

from engine.bits import F32_ONE
from engine.core import MOST_ACTIONS, Game, Move, read_header
from engine.rng import Rng

PREFIX: Final = "openspiel:"
INSTALL: Final = "pip install 'duelist[openspiel]'"
# Divisible by 3, 7, 9 and 1000: every such part of a point, and so every usual return, is exact.
PAYOFF_SCALE: Final = 126_000
MOST_UTILITY: Final = 1e8  # times the scale and VALUE_ONE this still fits 63 bits
CHANCE_ONE: Final = 1 << 30
CHANCE_PLAYER: Final = -1  # pyspiel.PlayerId.CHANCE; all others below 0 mean that nobody moves any more
HIDDEN: Final = "*"
EXAMPLES: Final = 8  # moves that the rules show, to tell how moves are written
WORLDS: Final = 32  # positions that a search of a hidden game looks into
TRIAL_S: Final = 10
TRIAL: Final = """
import sys, pyspiel
try:
    game = pyspiel.load_game(sys.argv[1])
    game.num_distinct_actions(), game.max_game_length(), game.min_utility(), game.max_utility()
    if game.get_type().provides_observation_tensor:
        game.observation_tensor_size()
    state = game.new_initial_state()
    while state.is_chance_node():
        state.apply_action(state.chance_outcomes()[0][0])
    if state.current_player() >= 0:
        state.legal_actions(), str(state)
except Exception as error:
    sys.exit(print(next(iter(str(error).strip().splitlines()), type(error).__name__)) or 1)
"""
MEMORY_MB: Final = 1000
TRIES: Final = 30  # of a resampling that may fail
COLOURS: Final = re.compile("\x1b\\[[0-9;]*m")
NUMBERED: Final = re.compile(r"^\d+ - ")  # backgammon puts the action's number before its notation

# Games in which all hidden information is dealt by chance: what the players do is seen by all.
OPEN_MOVES: Final = (
    "bridge",
    "kuhn_poker",
    "leduc_poker",
    "liars_dice",
    "oh_hell",
    "repeated_leduc_poker",
    "spades",
    "universal_poker",
)

# Games whose resampling leads, at times or always, into states that their own rules do not allow.
UNSOUND: Final = ("euchre", "hearts")

RULES: Final = {
    "chess": (
        "The rules are those of chess. White is P2 and moves first; Black is P1. A third repetition of a "
        "position, fifty moves without capture or pawn move, and too little material to mate are draws. "
        "The position is given in Forsyth-Edwards notation, moves are written in standard algebraic "
        "notation, where upper and lower case are not the same."
    ),
    "go": (
        "The rules are those of Go, scored by area (Tromp-Taylor) with komi for White. Black (X) is P1 and "
        "moves first, White (O) is P2. Two passes in a row end the game; so does a board that has been "
        "there before, as a draw. A move is written as the colour, a blank and the point, or PASS."
    ),
    "hex": (
        "The players in turn put a stone on an empty cell. P1 (x) wins by connecting the top row with the "
        "bottom row, P2 (o) by connecting the left column with the right column. A cell touches its "
        "neighbours in its row, the cells directly above and above to the right, and those directly below "
        "and below to the left; in the drawing each row is shifted, so that these lie side by side. A move "
        "is the column's letter and the row's number, counted from the top left."
    ),
    "backgammon": (
        "The rules are those of backgammon, without the doubling cube. P1 plays x, P2 plays o. A move is "
        "written with the points that each checker leaves and reaches, as seen by the player who moves."
    ),
    "kuhn_poker": (
        "A deck has one card more than there are players, numbered from 0. Everybody pays 1 and gets one "
        "card, which nobody else sees. In turn a player passes or bets 1. Once somebody has bet, each of "
        "the others, once, either passes, which is to fold, or bets, which is to call. The highest card "
        "among those who bet, or among all if nobody did, wins what was paid. The position is your card, "
        "then what was done so far: p for pass, b for bet."
    ),
    "leduc_poker": (
        "A deck has two cards of each rank, one rank more than there are players; cards are numbered from "
        "0, and cards 2k and 2k+1 have the same rank k. Everybody pays 1 and gets one card, which nobody "
        "else sees. After a round of betting a public card is turned up, and a second round follows. "
        "Raises are 2 in the first round and 4 in the second, at most two in a round. In the end a player "
        "whose card has the rank of the public card wins, or else the highest rank; equals share. In the "
        "position the betting is written as 0 for fold, 1 for call, 2 for raise."
    ),
}
SIZES: Final = ("name", "board_size", "num_cols", "num_rows", "komi", "max_game_length", "players")
STANDARD: Final = "Its rules are not repeated here: play it as it is commonly known under that name."


class Title(NamedTuple):
    """What is the same in every position of one OpenSpiel game."""

    game: Any  # pyspiel.Game
    name: str  # canonical: two spellings of one game have one name
    short: str
    long: str
    players: int
    actions: int
    longest: int
    most: int  # the largest payoff either way, in units of 1 / PAYOFF_SCALE
    hidden: bool
    chance: bool
    zero_sum: bool
    told: str  # the state's method for what a seat is told: its board
    numbers: str  # the state's method for what a seat sees as numbers; empty where there is none
    size: int  # of those numbers


LOADED: Final[dict[str, Title]] = {}  # by recipe, however spelled
SHOWN: Final[dict[str, list[str]]] = {}  # by canonical name: the examples of its notation


@mypyc_attr(acyclic=True)
class OpenSpielGame(Game):
    """One game of OpenSpiel in one state."""

    def __init__(self, title: Title) -> None:
        self._title = title
        self._state: Any = None  # never at a chance node
        self._chance = Rng()
        self._mover: i64 = -1
        self._ids_now: list[int] = []  # what is legal, in rising order
        self._texts_now: list[str] = []  # their notation, filled when first asked for

    # Facts.

    def name(self) -> str:
        return PREFIX + self._title.name

    def num_players(self) -> i64:
        return self._title.players

    def num_actions(self) -> i64:
        return self._title.actions

    def max_plies(self) -> i64:
        return self._title.longest

    def hidden_information(self) -> bool:
        return self._title.hidden

    def zero_sum(self) -> bool:
        return self._title.zero_sum

    def max_utility(self) -> i64:
        return self._title.most

    def payoff_scale(self) -> i64:
        return PAYOFF_SCALE

    def fixed_notation(self) -> bool:
        """Never relied on: in many games the notation depends on the position."""
        return False

    def rules_text(self) -> str:
        """What there is to say; OpenSpiel itself has no texts of rules."""
        title = self._title
        lines = [f"{title.long}, as OpenSpiel plays it. {rules_of(title)}"]
        settings = settings_text(title)
        if settings:
            lines.append(f"Parameters: {settings}.")
        lines.append(f"Moves are written exactly like these: {', '.join(examples(title))}.")
        if title.hidden and title.short not in OPEN_MOVES:
            lines.append(
                f"In the list of moves {HIDDEN} stands for a move of another player; what you know of it is "
                f"told in the position."
            )
        return "\n".join(lines)

    # The position.

    def start(self, rng: Rng) -> None:
        self._chance = Rng(rng.next32())
        self._state = self._title.game.new_initial_state()
        self._settle()

    def _settle(self) -> None:
        """Draw what chance decides now, and look who is to move."""
        state = self._state
        who: i64 = state.current_player()
        while who == CHANCE_PLAYER:
            state.apply_action(drawn(state.chance_outcomes(), self._chance))
            who = state.current_player()
        self._texts_now = []
        if who < 0:
            self._mover = -1
            self._ids_now = []
        else:
            self._mover = who
            self._ids_now = state.legal_actions()

    def current_player(self) -> i64:
        return self._mover

    def step(self, action: i64) -> None:
        self._state.apply_action(int(action))
        self._settle()

    def payoff(self, seat: i64) -> i64:
        """The return, rounded to the nearest unit, halves away from zero."""
        if self._mover >= 0:
            return 0
        won: float = self._state.player_return(int(seat))
        return units(won)

    def legal_into(self, out: vec[i64]) -> i64:
        ids = self._ids_now
        n: i64 = 0
        for action in ids:
            out[n] = action
            n += 1
        return n

    def random_action(self, rng: Rng) -> i64:
        return self._ids_now[rng.below(len(self._ids_now))]

    def copy_from(self, other: Game) -> None:
        assert isinstance(other, OpenSpielGame)
        self._state = other._state.clone()
        self._chance.copy_from(other._chance)
        self._mover = other._mover
        self._ids_now = other._ids_now  # lists that nobody writes into
        self._texts_now = other._texts_now

    def clone(self) -> Game:
        game = OpenSpielGame(self._title)
        game.copy_from(self)
        game.copy_history(self)
        return game

    def position_bytes(self) -> bytes:
        """The game, every action since the start, chance's included, and the generator where there is chance."""
        parts = [self._title.name, " ".join([str(action) for action in self._state.history()])]
        if self._title.chance:
            parts.append(" ".join([str(word) for word in self._chance.state()]))
        return "\n".join(parts).encode()

    def set_position(self, data: bytes) -> None:
        parts = data.decode("utf-8", "replace").split("\n")
        if parts[0] != self._title.name or len(parts) != (3 if self._title.chance else 2):
            raise ValueError(f"no position of {self.name()}: {data[:60]!r}")
        chance = Rng()
        if self._title.chance:
            chance.set_state(four(numbers_in(parts[2])))
        state = self._replayed(numbers_in(parts[1]))
        if not state.is_terminal() and state.is_chance_node():
            raise ValueError(f"no position of {self.name()}: it ends where chance has still to decide")
        self._state = state
        self._chance = chance
        self._settle()

    def _replayed(self, actions: list[int]) -> Any:
        state = self._title.game.new_initial_state()
        for action in actions:
            if state.is_terminal() or action not in possible(state):
                raise ValueError(f"no position of {self.name()}: action {action} is not possible there")
            state.apply_action(action)
        return state

    def determinize(self, seat: i64, rng: Rng) -> None:
        """By OpenSpiel's own means; a finished game keeps its state. ValueError for a game that has none."""
        if self._title.chance:
            self._chance = Rng(rng.next32())
        if self._title.hidden and self._mover >= 0:
            self._state = self._resampled(int(seat), rng)
            self._settle()

    def _resampled(self, seat: int, rng: Rng) -> Any:
        """A state that the seat cannot tell from this one.

        What OpenSpiel draws is played through from the start: not all that it draws can be, and in gin rummy
        the order of the stock is another one then.
        """
        if self._title.short in UNSOUND:
            raise self._undrawable("it draws hands that its rules do not allow")
        told = self._told_to(self._state, seat)
        for _ in range(TRIES):
            try:
                drawn_anew = self._state.resample_from_infostate(seat, rng.uniform)
            except Exception as error:  # SpielError; its text is all that tells one from another
                raise self._undrawable(one_line(error)) from None
            try:
                state = self._replayed(drawn_anew.history())
            except ValueError:
                continue
            if self._told_to(state, seat) == told:
                return state
        raise self._undrawable(f"no sound position in {TRIES} tries")

    def _undrawable(self, why: str) -> ValueError:
        return ValueError(
            f"OpenSpiel cannot draw what a seat of {self.name()} does not know, so no bot can play it here "
            f"({why}); models and people can"
        )

    def _told_to(self, state: Any, seat: int) -> object:
        """All that OpenSpiel tells a seat of a state of a hidden game."""
        title = self._title
        seen = list(getattr(state, title.numbers)(seat)) if title.numbers else []
        return (state.current_player(), getattr(state, title.told)(seat), seen)

    @classmethod
    def from_bytes(cls, data: bytes) -> Game:
        name, _ = read_header(data)
        if not name.startswith(PREFIX):
            raise ValueError(f"these are the bytes of a game of {name}, expected {PREFIX}NAME")
        game = make(name[len(PREFIX) :])
        game.load(data)
        return game

    # Numbers.

    def observation_size(self) -> i64:
        return self._title.size + self._title.players

    def observe_into(self, seat: i64, out: vec[i32]) -> None:
        """OpenSpiel's observation tensor (where it has none, its information state tensor; or nothing), then
        a one-hot of how many seats after `seat` the mover sits, zeros when over."""
        title = self._title
        if title.numbers:
            floats = array("f", getattr(self._state, title.numbers)(int(seat)))
            for i, bits in enumerate(memoryview(floats).cast("B").cast("i")):
                out[i] = bits
        tail: i64 = title.size
        players: i64 = title.players
        for i in range(title.players):
            out[tail + i] = 0
        if self._mover >= 0:
            out[tail + (self._mover + players - seat) % players] = i32(F32_ONE)

    # Words.

    def _texts(self) -> list[str]:
        """The notation of what is legal now: OpenSpiel's own, on one line, and made different where it is not."""
        if not self._texts_now:
            told = [self._state.action_to_string(int(self._mover), action) for action in self._ids_now]
            self._texts_now = distinct(self._ids_now, told)
        return self._texts_now

    def action_text(self, action: i64) -> str:
        """The notation of a legal action, and the number of any other."""
        at = bisect_left(self._ids_now, action)
        if at == len(self._ids_now) or self._ids_now[at] != action:
            return str(action)
        return self._texts()[at]

    def parse_action(self, text: str) -> int:
        """The legal action written exactly so, blanks around it aside: in chess `bxc3` is not `Bxc3`."""
        wanted = text.strip()
        for i, known in enumerate(self._texts()):
            if known == wanted:
                return self._ids_now[i]
        some = ", ".join(self._texts()[:12])
        more = f", ... ({len(self._ids_now)} in all)" if len(self._ids_now) > 12 else ""
        raise ValueError(f"{text!r} is no move of {self.name()} now; expected one of {some}{more}")

    def board_text(self, seat: i64) -> str:
        """What OpenSpiel tells that seat, colours for terminals taken out.

        In a game with hidden information the information state, which remembers all that the seat has seen,
        or the observation of the moment where there is none; in an open game the state.
        """
        if self._title.told:
            text = str(getattr(self._state, self._title.told)(int(seat)))
        else:
            text = str(self._state)
        lines = [line.rstrip() for line in COLOURS.sub("", text).split("\n")]
        return "\n".join(lines).strip("\n")

    def facts(self, seat: i64) -> dict[str, Any]:
        """Nothing: OpenSpiel tells a position as text and as numbers."""
        return {}

    def move_as_seen(self, move: Move, seat: i64) -> Move:
        """Where moves may be hidden, and it is not known that they are open, only the seat's own are told."""
        if not self._title.hidden or move.seat == seat or self._title.short in OPEN_MOVES:
            return move
        return Move(move.seat, -1, HIDDEN)


# ── finding a game ───────────────────────────────────────────────────────────────────────────────────────


def make(recipe: str) -> OpenSpielGame:
    """The game that OpenSpiel calls so, in no position yet. ValueError."""
    title = LOADED.get(recipe)
    if title is None:
        title = opened(recipe)
        LOADED[recipe] = title
    return OpenSpielGame(title)


def missing() -> str:
    """How to install OpenSpiel; empty where it is installed. Does not import it."""
    return "" if find_spec("pyspiel") is not None else INSTALL


def pyspiel() -> Any:
    """The module. ValueError, saying what to install, where it is missing."""
    try:
        return importlib.import_module("pyspiel")  # an import statement would ask its missing types of mypyc
    except ImportError as error:
        raise ValueError(f"games of OpenSpiel need the package open_spiel ({error}): {INSTALL}") from None


def titles() -> list[dict[str, Any]]:
    """The games that can be had, as far as that is known before they are loaded, with their defaults.

    Those that are made from another game, or from a file, do not stand alone and are left out.
    """
    found = []
    for kind in pyspiel().registered_games():
        if kind.default_loadable and not refusal(kind):
            found.append(
                {
                    "name": PREFIX + kind.short_name,
                    "title": kind.long_name,
                    "players": [kind.min_num_players, kind.max_num_players],
                    "hidden_information": kind.information == kind.Information.IMPERFECT_INFORMATION,
                    "chance": kind.chance_mode != kind.ChanceMode.DETERMINISTIC,
                    "parameters": dict(kind.parameter_specification),
                }
            )
    return found


def opened(recipe: str) -> Title:
    """Load, check and describe. ValueError."""
    platform = pyspiel()
    try:
        given = checked(platform, platform.game_parameters_from_string(recipe))
        if len(given) > 1:
            try_out(spelling(platform, given))
        name = canonical(platform, given)
        game = platform.load_game(name)
    except ValueError:
        raise
    except Exception as error:  # pyspiel.SpielError, which is a RuntimeError and nothing more
        raise ValueError(f"OpenSpiel refuses {PREFIX}{recipe}: {one_line(error)}") from None
    name = name.removesuffix("()")
    if not name.isprintable():
        raise ValueError(f"the name of a game is one line of print, got {PREFIX}{name!r}")
    kind = game.get_type()
    why = refusal(kind)
    if why and kind.dynamics == kind.Dynamics.SIMULTANEOUS:
        why += f"; in turns it is {PREFIX}turn_based_simultaneous_game(game={spelled_inside(name)})"
    if why:
        raise ValueError(f"{PREFIX}{name} {why}")
    return described(game, name)


def described(game: Any, name: str) -> Title:
    """ValueError for a game that is beyond our bounds."""
    kind = game.get_type()
    actions: int = game.num_distinct_actions()
    if not 0 < actions <= MOST_ACTIONS:
        raise ValueError(f"{PREFIX}{name} has {actions} actions; expected 1 to {MOST_ACTIONS}")
    most: float = max(abs(game.min_utility()), abs(game.max_utility()))
    if not (isfinite(most) and most <= MOST_UTILITY):
        raise ValueError(f"{PREFIX}{name} pays up to {most:g}; expected at most {MOST_UTILITY:g}")
    hidden = kind.information == kind.Information.IMPERFECT_INFORMATION
    numbers = ""
    size = 0
    if kind.provides_observation_tensor:
        numbers = "observation_tensor"
        size = game.observation_tensor_size()
    elif kind.provides_information_state_tensor:
        numbers = "information_state_tensor"
        size = game.information_state_tensor_size()
    told = ""
    if hidden and kind.provides_information_state_string:
        told = "information_state_string"
    elif hidden and kind.provides_observation_string:
        told = "observation_string"
    elif hidden:
        raise ValueError(f"{PREFIX}{name} hides information and has no words for what a seat may know")
    return Title(
        game=game,
        name=name,
        short=kind.short_name,
        long=kind.long_name,
        players=game.num_players(),
        actions=actions,
        longest=game.max_game_length(),
        most=max(1, units(most)),
        hidden=hidden,
        chance=kind.chance_mode != kind.ChanceMode.DETERMINISTIC,
        zero_sum=kind.utility == kind.Utility.ZERO_SUM,
        told=told,
        numbers=numbers,
        size=size,
    )


def refusal(kind: Any) -> str:
    """Why a game of that pyspiel.GameType cannot be had; empty if it can."""
    if kind.dynamics == kind.Dynamics.MEAN_FIELD:
        return "is a mean-field game, which has no players to seat"
    if kind.dynamics == kind.Dynamics.SIMULTANEOUS:
        return "has simultaneous moves"
    if kind.action_structs_only:
        return "does not number its actions"
    if kind.chance_mode == kind.ChanceMode.SAMPLED_STOCHASTIC:
        return "draws chance from a generator of its own, so no seed would give the same match twice"
    return ""


def spelled_inside(name: str) -> str:
    """A game's name as the parameter of another has it."""
    return name if name.endswith(")") else f"{name}()"


def checked(platform: Any, given: dict[str, Any]) -> dict[str, Any]:
    """The parameters, whole numbers made fractions where those are meant.

    ValueError for a game or a parameter that OpenSpiel does not know, with the nearest that it does.
    """
    name = given.get("name", "")
    kinds = {kind.short_name: kind for kind in platform.registered_games()}
    if name not in kinds:
        raise ValueError(f"OpenSpiel has no game {name!r}; {nearest(name, list(kinds))}")
    known = kinds[name].parameter_specification
    meant: dict[str, Any] = {}
    for key, value in given.items():
        if key != "name" and key not in known:
            raise ValueError(f"{PREFIX}{name} has no parameter {key!r}; {nearest(key, list(known))}")
        default = known.get(key)
        if isinstance(value, dict):
            meant[key] = checked(platform, value)
        elif isinstance(default, dict):
            raise ValueError(f"{key} of {PREFIX}{name} is a game: write {key}={value}()")
        else:
            meant[key] = float(value) if isinstance(default, float) and type(value) is int else value
    return meant


def try_out(recipe: str) -> None:
    """ValueError for parameters that OpenSpiel refuses, or that it does not survive.

    It checks most of them, but some wrong ones end the process (a poker without cards, a hexagon of side -1)
    or never come back. So a process of its own goes first, for 50 ms.
    """
    command = [sys.executable, "-P", "-c", TRIAL, recipe]  # -P: whatever lies here is not to be imported
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=path, timeout=TRIAL_S)
    except subprocess.TimeoutExpired:
        raise ValueError(f"{PREFIX}{recipe} takes OpenSpiel more than {TRIAL_S} s to set up") from None
    if done.returncode:
        why = done.stdout.strip() or "it ended its process over these parameters"
        raise ValueError(f"OpenSpiel refuses {PREFIX}{recipe}: {why}")


def nearest(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, 3, 0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if len(known) > 12:
        return f"there are {len(known)}: orchestrator games openspiel"
    return f"there are {', '.join(sorted(known))}" if known else "it has none"


def canonical(platform: Any, given: dict[str, Any]) -> str:
    """The one spelling of a game: parameters in order, without those that are as they would be anyway.

    Some defaults depend on other parameters (a board's columns on its size), so a parameter goes only if it
    has the default that is documented and the game keeps all its settings without it.
    """
    defaults: dict[str, Any] = {}
    for kind in platform.registered_games():
        if kind.short_name == given["name"]:
            defaults = kind.parameter_specification
    kept: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, dict):
            kept[key] = platform.game_parameters_from_string(canonical(platform, value))
        else:
            kept[key] = value
    spelled = spelling(platform, kept)
    settings = platform.load_game(spelled).get_parameters()
    for key in sorted(kept):
        if key == "name" or kept[key] != defaults[key]:
            continue
        without = spelling(platform, {other: value for other, value in kept.items() if other != key})
        if same_settings(platform, without, settings):
            del kept[key]
            spelled = without
    return spelled


def same_settings(platform: Any, spelled: str, settings: dict[str, Any]) -> bool:
    """Whether a game spelled so exists and has these settings; some parameters must be given in any case."""
    try:
        found: dict[str, Any] = platform.load_game(spelled).get_parameters()
    except Exception:  # SpielError
        return False
    return found == settings


def spelling(platform: Any, parameters: dict[str, Any]) -> str:
    text: str = platform.game_parameters_to_string(parameters)
    return text


# ── small parts ──────────────────────────────────────────────────────────────────────────────────────────


def drawn(outcomes: list[tuple[int, float]], rng: Rng) -> int:
    """One of the outcomes, each by its probability to a part in 2**30. Integers decide."""
    weights = [int(chance * CHANCE_ONE + 0.5) for _, chance in outcomes]
    left: int = rng.below(sum(weights))
    for i, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return outcomes[i][0]
    raise AssertionError("the weights add up to what was drawn from")


def units(value: float) -> int:
    """A payoff in units of 1 / PAYOFF_SCALE, halves away from zero, so that opposite payoffs stay so."""
    size = int(abs(value) * PAYOFF_SCALE + 0.5)
    return size if value >= 0 else -size


def possible(state: Any) -> list[int]:
    """What can happen in a state that is not over."""
    if state.is_chance_node():
        return [action for action, _ in state.chance_outcomes()]
    ids: list[int] = state.legal_actions()
    return ids


def distinct(ids: list[int], told: list[str]) -> list[str]:
    """Texts as they are shown: on one line and no two the same, the later ones marked with their number."""
    texts: list[str] = []
    taken: set[str] = set()  # only asked, never gone through: some games have thousands of moves
    for i, action in enumerate(ids):
        text = NUMBERED.sub("", " ".join(told[i].split())) or str(action)
        if text in taken:
            text = f"{text} (#{action})"
        taken.add(text)
        texts.append(text)
    return texts


def examples(title: Title) -> list[str]:
    """Some moves of some matches, the same for everybody: to tell how moves are written, not which are legal."""
    if title.name not in SHOWN:
        game = OpenSpielGame(title)
        found: list[str] = []
        for seed in range(EXAMPLES):
            game.reset(Rng(seed))
            rng = Rng(seed + EXAMPLES)
            while len(found) < EXAMPLES and game.current_player() >= 0 and game.ply() < 4 * EXAMPLES:
                action = game.random_action(rng)
                text = game.action_text(action)
                if text not in found and "#" not in text:
                    found.append(text)
                game.apply(action)
        SHOWN[title.name] = found
    return SHOWN[title.name]


def rules_of(title: Title) -> str:
    """The rules in short, where we have them and the parameters given change nothing but sizes."""
    given = pyspiel().game_parameters_from_string(title.name)
    if any([key not in SIZES for key in given]):
        return STANDARD
    return RULES.get(title.short, STANDARD)


def settings_text(title: Title) -> str:
    """All parameters, also those left to their defaults, as `name=value`."""
    return ", ".join(f"{key}={value}" for key, value in sorted(title.game.get_parameters().items()))


def numbers_in(text: str) -> list[int]:
    """Whole numbers between blanks. ValueError."""
    words = text.split(" ") if text else []
    if not all(word.isascii() and word.isdecimal() and len(word) < 19 for word in words):
        raise ValueError(f"expected whole numbers, got {text[:60]!r}")
    return [int(word) for word in words]


def four(words: list[int]) -> tuple[int, int, int, int]:
    if len(words) != 4:
        raise ValueError(f"a generator's state is four numbers, got {len(words)}")
    return (words[0], words[1], words[2], words[3])


def one_line(error: Exception) -> str:
    """What OpenSpiel says, less the lists and traces that follow."""
    lines = str(error).strip().split("\n")
    return lines[0] if lines[0] else type(error).__name__


# ── search ───────────────────────────────────────────────────────────────────────────────────────────────


def mcts_values(game: Game, simulations: int, seed: int, c: float = 1.4) -> list[tuple[int, float, int]]:
    """What OpenSpiel's own MCTS (C++, one random rollout per simulation) finds for every legal action.

    (action, mean value for the mover in [-1, 1], visits), rising by action; an action that was never tried
    has 0.0 and 0. Values are returns divided by the largest that the game has, and `c` weighs exploration in
    units of return, as OpenSpiel has it. In a game with hidden information the mover's knowledge alone is
    searched: WORLDS positions that it thinks possible, each with its share of the simulations, their results
    added up. Such a search takes every world for known once it is in it, so it does not value hiding or
    finding out. ValueError for a game that is not of this bridge, or over, or that OpenSpiel cannot search.
    """
    if not isinstance(game, OpenSpielGame):
        raise ValueError(f"{game.name()} is not a game of OpenSpiel: expected {PREFIX}NAME")
    if game.current_player() < 0:
        raise ValueError(f"{game.name()} is over: there is nothing to value")
    rng = Rng(seed)
    worlds = min(WORLDS, simulations) if game.hidden_information() else 1
    totals = {action: 0.0 for action in game.legal_actions()}
    visits = {action: 0 for action in game.legal_actions()}
    for world in range(worlds):
        trial = game.clone()
        trial.determinize(game.current_player(), rng)
        share = simulations // worlds + (1 if world < simulations % worlds else 0)
        for action, total, count in searched(trial, share, int(rng.below(1 << 30)), c):
            totals[action] += total
            visits[action] += count
    most = game.max_utility() / PAYOFF_SCALE
    return [
        (action, totals[action] / max(1, visits[action]) / most, visits[action]) for action in sorted(totals)
    ]


def searched(game: Game, simulations: int, seed: int, c: float) -> list[tuple[int, float, int]]:
    """(action, sum of returns for the mover, visits) of one search in one world."""
    assert isinstance(game, OpenSpielGame)
    platform = pyspiel()
    try:
        rollouts = platform.RandomRolloutEvaluator(1, seed)
        bot = platform.MCTSBot(game._title.game, rollouts, c, simulations, MEMORY_MB, False, seed, False)
        root = bot.mcts_search(game._state)
    except Exception as error:
        raise ValueError(f"OpenSpiel cannot search {game.name()}: {one_line(error)}") from None
    return [(child.action, child.total_reward, child.explore_count) for child in root.children]
