"""What the defaults for games in plain Python stand on: the attributes of an object as its position.

A position is every attribute of the object but those of the base, however it is called; an attribute that
the object lacks has the value of its class. Written out, it holds what Python's literals can say, and
generators (`Rng`) apart from the rest, because no seat may see them. Left out: sets, whose order is not the
same every time, and objects of other classes; a game with more defines `position_bytes` and `set_position`.
"""

import ast
import math
from typing import Any, Final

from engine.rng import Rng

BASE_ATTRIBUTES: Final = ("_past", "_plies", "_said", "_ids", "_by_attributes")  # in __dict__ as plain Python
LONGEST_SHOWN: Final = 60


def attributes(game: object) -> dict[str, Any]:
    """Its own by name, in order; {} for a compiled game, which keeps none that could be listed."""
    own: dict[str, Any] = getattr(game, "__dict__", {})
    return {key: value for key, value in sorted(own.items()) if key not in BASE_ATTRIBUTES}


def restore(game: object, saved: dict[str, Any]) -> None:
    """Make `saved` the game's attributes: these values and no others."""
    forget_all_but(game, saved)
    for key, value in saved.items():
        setattr(game, key, value)


def forget_all_but(game: object, names: dict[str, Any]) -> None:
    """Remove the attributes of other names; where the class has a value of that name, it shows again."""
    for key in attributes(game):
        if key not in names:
            delattr(game, key)


def reseed(game: object, rng: Rng) -> None:
    """Set every generator of the game to a stream drawn from `rng`."""
    for value in attributes(game).values():
        if isinstance(value, Rng):
            value.copy_from(Rng(rng.next32()))


def shown(game: object) -> dict[str, Any]:
    """Copies of the attributes for all to see: no generators, nothing whose name begins with `_`."""
    return {
        key: ast.literal_eval(written(key, value))  # dicts in the order in which they are written
        for key, value in attributes(game).items()
        if key[:1] != "_" and not isinstance(value, Rng)
    }


def encode(game: object) -> bytes:
    """The attributes as text that `decode` reads. TypeError for what could not be read back."""
    plain = []
    streams = []
    for key, value in attributes(game).items():
        if isinstance(value, Rng):
            streams.append(f"{key!r}: {value.state()!r}")
        else:
            plain.append(f"{key!r}: {written(key, value)}")
    return f"({{{', '.join(plain)}}}, {{{', '.join(streams)}}})".encode()


def decode(data: bytes) -> dict[str, Any]:
    """The inverse of `encode`. ValueError."""
    try:
        plain, streams = ast.literal_eval(data.decode())
        saved: dict[Any, Any] = dict(plain)
        for key, state in dict(streams).items():
            rng = Rng()
            rng.set_state(state)
            saved[key] = rng
        if not all(type(key) is str for key in saved):
            raise ValueError("the names of attributes are strings")
    except (SyntaxError, TypeError, ValueError) as error:
        raise ValueError(f"not a saved position: {data[:LONGEST_SHOWN]!r}") from error
    return saved


def fits(saved: dict[str, Any], started: object) -> bool:
    """Whether a game of the kind of `started`, a first position, can have these attributes.

    What a start sets must be there, or be a value of the class; what play adds later may have any name that
    is not a method's.
    """
    kind = type(started)
    for key in attributes(started):
        if key not in saved and not hasattr(kind, key):
            return False
    for key in saved:
        if key in BASE_ATTRIBUTES or callable(getattr(kind, key, None)):
            return False
    return True


def written(name: str, value: object) -> str:
    """A literal that is the same for equal values: `repr` with dicts in order. TypeError naming `name`.

    The order of a dict is therefore no part of a position.
    """
    if type(value) is dict:
        pairs = sorted([(written(name, key), written(name, item)) for key, item in value.items()])
        return "{" + ", ".join([f"{key}: {item}" for key, item in pairs]) + "}"
    if type(value) is list:
        return "[" + ", ".join([written(name, item) for item in value]) + "]"
    if type(value) is tuple:
        return "(" + "".join([written(name, item) + ", " for item in value]) + ")"
    if type(value) is float and math.isfinite(value):
        return repr(value)
    if value is None or type(value) in (bool, int, str, bytes):
        return repr(value)
    raise TypeError(
        f"the attribute {name!r} holds {value!r} ({type(value).__name__}): the default bytes and facts take "
        f"None, bools, finite numbers, strings, bytes, tuples, lists, dicts and, by itself, an Rng; define "
        f"position_bytes, set_position and facts for more"
    )
