"""What a bot is: it gets a game it may keep and a stream of chance, and names a legal action.

A bot is found by name: engine/bots/<name>.py defines `make(argument, options) -> Bot`, where `argument` is
what follows the colon in `mcts:200`. Left out: hidden information; whoever asks a bot hands it a game drawn
from what the seat may know (`View.sample`), never the true one.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, final

from mypy_extensions import i64, mypyc_attr

from engine.core import Game
from engine.rng import Rng

MOST_SIMS: Final = 10_000_000
LONGEST_MS: Final = 86_400_000


class Considered(NamedTuple):
    """One legal action as a search saw it: how often it was tried, and its mean `Game.value` for the mover."""

    action: int
    visits: int
    value: float


@mypyc_attr(allow_interpreted_subclasses=True, acyclic=True)
class Bot:
    """Chooses for the seat to move. The same position and `rng` give the same action, where it `repeats`."""

    def spec(self) -> str:
        """Its canonical name with all that matters to its play, e.g. `mcts:200?c=1.4`.

        Exact, defaults included: bots of the same recipe have the same spec, whichever way it was given, and
        `new_bot` makes the bot again from it.
        """
        raise NotImplementedError

    def repeats(self) -> bool:
        """Whether a choice depends on the position and the stream alone: not on the clock, nor on earlier ones."""
        return True

    def check_game(self, game: Game) -> None:
        """ValueError, saying what to try, for a game that it cannot play.

        By default it plays any in which what a seat does not know can be drawn for it.
        """
        if game.hidden_information():
            try:
                game.clone().determinize(max(game.current_player(), 0), Rng())
            except NotImplementedError as error:
                raise ValueError(f"bot {self.spec()!r} cannot play {game.name()!r}: {error}") from error

    def choose(self, game: Game, rng: Rng) -> i64:
        """A legal action of `game`, which must not be over and comes back in the same position."""
        raise NotImplementedError

    def considered(self, game: Game) -> list[Considered]:
        """What its last choice, which was in `game`, rests on: every legal action; [] where it did not search."""
        return []


@final
class Options:
    """The options of one bot's spec, read one by one; `done` refuses those that nobody read."""

    def __init__(self, bot: str, given: Mapping[str, str]) -> None:
        self.bot = bot
        self.given = dict(given)
        self.known: list[str] = []

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """That option as an integer in [low, high]; ValueError."""
        self.known.append(name)
        if name not in self.given:
            return default
        return whole_number(f"{self.bot}: {name}", self.given.pop(name), low, high)

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """That option as a float in [low, high]; ValueError."""
        self.known.append(name)
        if name not in self.given:
            return default
        text = self.given.pop(name)
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ValueError(f"{self.bot}: {name} is a number from {low:g} to {high:g}, got {text!r}")
        return value + 0.0  # -0.0 becomes 0.0, of which it is another spelling

    def done(self) -> None:
        """ValueError when an option is left that this bot does not know."""
        if self.given:
            known = ", ".join(self.known) or "none"
            raise ValueError(
                f"bot {self.bot!r} has no option {', '.join(sorted(self.given))}; it knows {known}"
            )


class Budget(NamedTuple):
    """How long a search may think; the one that is not set is 0."""

    sims: int
    milliseconds: int


def search_budget(bot: str, argument: str, known: Options) -> Budget:
    """Of `<bot>:N`, N simulations, or `<bot>?ms=N`, N milliseconds. ValueError for neither, both, or too many."""
    milliseconds = known.integer("ms", 0, 1, LONGEST_MS)
    if not milliseconds:
        return Budget(whole_number(f"{bot}:N: the number of simulations N", argument, 1, MOST_SIMS), 0)
    if argument:
        raise ValueError(f"bot {bot!r} takes either {bot}:N simulations or {bot}?ms=N, got both")
    return Budget(0, milliseconds)


def search_spec(bot: str, budget: Budget, options: Mapping[str, object]) -> str:
    """The canonical name of such a bot."""
    told = [f"{key}={value}" for key, value in options.items()]
    if budget.milliseconds:
        return f"{bot}?{'&'.join([*told, f'ms={budget.milliseconds}'])}"
    return f"{bot}:{budget.sims}?{'&'.join(told)}"


def whole_number(what: str, text: str, low: int, high: int) -> int:
    """`text` as an integer in [low, high]; ValueError naming `what`."""
    value = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else low - 1
    if not low <= value <= high:
        raise ValueError(f"{what} is a whole number from {low} to {high}, got {text!r}")
    return value


def no_argument(bot: str, argument: str) -> None:
    """ValueError when something follows the colon of a bot that takes nothing there."""
    if argument:
        raise ValueError(f"bot {bot!r} takes nothing after its name, got {argument!r}")
