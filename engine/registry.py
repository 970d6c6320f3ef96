"""Games and bots by name.

A game is a file engine/games/<name>.py with `GAME`, or an entry point of the group `duelist.games`, or, with
a colon in its name, whatever the bridge before the colon makes of the rest (engine/bridges/<prefix>.py); a bot
is a file engine/bots/<name>.py with `make`. Nothing is imported before it is asked for, and a broken entry
point harms only those who ask for it. The package's own names win.
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from engine.bot import Bot
from engine.core import Game, read_header
from engine.rng import Rng

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "duelist.games"


def own_names(package: str) -> tuple[str, ...]:
    """The names of the files in a folder of the engine, sorted."""
    # Not `import engine.games`: in the package those names are the functions below.
    folder = importlib.import_module(package).__path__
    return tuple(sorted({module.name for module in pkgutil.iter_modules(folder)}))


OWN_GAMES: Final = own_names("engine.games")
OWN_BOTS: Final = own_names("engine.bots")


def games() -> list[str]:
    """The names of all games, sorted; those behind a bridge are not among them."""
    return sorted({*OWN_GAMES, *(point.name for point in strangers())})


def bridges() -> list[str]:
    """The prefixes of games that another platform plays, sorted: `openspiel` for `openspiel:chess`."""
    return list(own_names("engine.bridges"))


def bridge(prefix: str) -> Any:
    """The module of that bridge, as engine/bridges/__init__.py says. ValueError."""
    if prefix not in bridges():
        raise ValueError(f"there is no bridge {prefix!r}; there are {', '.join(bridges())}")
    return importlib.import_module(f"engine.bridges.{prefix}")


def bots() -> list[str]:
    """The names of all bots, sorted."""
    return list(OWN_BOTS)


def new(name: str, seed: int = 0, **variant: int) -> Game:
    """A game in its first position, drawn from `seed` in [0, 2**63). ValueError for unknown names, values."""
    game = make_game(name, variant)
    game.reset(Rng(seed))
    return game


def from_bytes(data: bytes) -> Game:
    """The registered game that `Game.to_bytes` wrote. ValueError."""
    name, variant = read_header(data)
    game = make_game(name, variant)
    game.load(data)
    return game


def new_bot(spec: str, **options: str) -> Bot:
    """The bot of a spec such as `random`, `mcts:200` or `mcts:200?c=2`; `options` may stand here or there.

    ValueError for unknown names, options and values, and for an option that is given twice.
    """
    recipe, _, query = spec.partition("?")
    name, _, argument = recipe.partition(":")
    if name not in OWN_BOTS:
        raise ValueError(f"there is no bot {name!r}; there are {', '.join(bots())}")
    for pair in query.split("&") if query else []:
        key, equals, value = pair.partition("=")
        if not key or not equals or key in options:
            raise ValueError(f"the options of a bot are key=value, each once, joined by &; got {spec!r}")
        options[key] = value
    bot: Bot = importlib.import_module(f"engine.bots.{name}").make(argument, options)
    return bot


def make_game(name: str, variant: dict[str, int]) -> Game:
    """An object of that game and variant, in no position yet. ValueError."""
    factory = game_factory(name)
    game = factory()
    if not variant:
        return game
    known = game.variant()
    strange = sorted(set(variant) - set(known))
    if strange and ":" in name:
        within = ",".join([f"{key}={value}" for key, value in variant.items()])
        raise ValueError(f"the parameters of {name} stand in its name: {name.partition('(')[0]}({within})")
    if strange:
        there = ", ".join(f"{key} (default {value})" for key, value in known.items()) or "no variants"
        raise ValueError(f"{name} has no variant {', '.join(strange)}; it has {there}")
    return factory(**variant)


def game_factory(name: str) -> Callable[..., Game]:
    """What makes objects of that game. ValueError when there is none or its entry point is broken."""
    if name in OWN_GAMES:
        own: Callable[..., Game] = importlib.import_module(f"engine.games.{name}").GAME
        return own
    prefix, colon, recipe = name.partition(":")
    if colon and prefix in bridges():
        make = bridge(prefix).make
        return lambda: cast(Game, make(recipe))
    for point in strangers():
        if point.name == name:
            return loaded(point)
    there = [*games(), *[f"{each}:NAME" for each in bridges()]]
    raise ValueError(f"there is no game {name!r}; there are {', '.join(there)}")


def strangers() -> "list[EntryPoint]":
    """The entry points of games outside this package."""
    from importlib.metadata import entry_points  # half of the time that `import engine` would take

    return list(entry_points(group=GROUP))


def loaded(point: "EntryPoint") -> Callable[..., Game]:
    """The Game subclass or factory behind an entry point. ValueError."""
    try:
        factory: Callable[..., object] = point.load()
        game = factory()
    except Exception as error:  # whatever a stranger's module does, the message says whose it is
        raise ValueError(
            f"the game {point.name!r} (entry point {point.value!r}) does not load: {error!r}"
        ) from error
    if not isinstance(game, Game):
        raise ValueError(
            f"the game {point.name!r} (entry point {point.value!r}) gives {type(game).__name__}, not a Game"
        )
    if game.name() != point.name:
        raise ValueError(
            f"the game {point.name!r} (entry point {point.value!r}) calls itself {game.name()!r}, under which no "
            f"record could find it again; expected one name in both"
        )
    return cast(Callable[..., Game], factory)
