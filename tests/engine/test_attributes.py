"""The attributes of a plain object as bytes: what goes in comes out, equal gives equal, the rest is refused."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Rng
from engine.attributes import decode, encode
from tests.engine.plain_games import Highcard, Nim, Race

atoms = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary()
)
values = st.recursive(
    atoms,
    lambda inner: (
        st.lists(inner) | st.tuples(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner)
    ),
    max_leaves=8,
)


class Point(NamedTuple):
    x: int


def nim_with(**attributes: Any) -> Nim:
    game = Nim()
    game.reset(Rng(1))
    for key, value in attributes.items():
        setattr(game, key, value)
    return game


@given(value=values)
def test_what_goes_in_comes_out(value: object) -> None:
    game = nim_with(kept=value, rng=Rng(7))
    back = Nim.from_bytes(game.to_bytes())
    assert back.kept == value and repr(type(back.kept)) == repr(type(value))
    assert back.rng.state() == Rng(7).state()
    assert back.to_bytes() == game.to_bytes()


@given(items=st.dictionaries(st.integers() | st.text(), values, min_size=2, max_size=5))
def test_equal_positions_give_equal_bytes(items: dict[object, object]) -> None:
    backwards = dict(reversed(items.items()))
    game, other = nim_with(kept=[items]), nim_with(kept=[backwards])
    assert game.to_bytes() == other.to_bytes()
    assert game.board_text(0) == other.board_text(0)


def test_a_tuple_that_looks_like_a_generator_stays_a_tuple() -> None:
    looks = ("Rng", (1, 2, 3, 4))
    assert decode(encode(nim_with(kept=looks)))["kept"] == looks


@pytest.mark.parametrize(
    "value", [float("inf"), float("-inf"), float("nan"), {1}, 1j, Point(1), Counter("a"), object(), [Rng(1)]]
)
def test_what_could_not_be_read_back_is_refused_at_once(value: object) -> None:
    for held in (value, [value], {"a": (value,)}):
        game = nim_with(kept=held)
        with pytest.raises(TypeError, match=r"'kept' holds .* define position_bytes"):
            game.to_bytes()


def test_text_that_is_no_position_is_refused() -> None:
    game = nim_with()
    for bad in (
        b"",
        b"\xff",
        b"{",
        b"{}",
        b"({}, {})",
        b"(1, 2)",
        b"({'left': 3, 'turn': 0}, {'rng': 5})",
        b"({'left': 3, 'turn': 0, 'step': 1}, {})",
        b"({'left': 3, 'turn': 0, '_plies': 1}, {})",
        b"({'left': 3, 'turn': 0, 1: 1}, {})",
        b"({'turn': 0}, {})",
    ):
        with pytest.raises(ValueError):
            game.set_position(bad)
    assert game.left == 12 and game.ply() == 0


def test_what_play_adds_goes_with_it() -> None:
    """Race sets `winner` over a value of its class, and `last_step` out of nowhere."""
    race = Race()
    race.reset(Rng(1))
    first = race.to_bytes()
    race.playout(Rng(2))
    end = race.to_bytes()
    assert Race.from_bytes(end).winner == race.winner >= 0
    race.load(first)
    assert race.winner == -1 and not hasattr(race, "last_step") and race.to_bytes() == first
    race.load(end)
    race.reset(Rng(1))
    assert race.to_bytes() == first and race.legal_actions() == [0, 1]


class Mirrored(Highcard):
    def num_symmetries(self) -> int:
        return 2


def test_symmetries_need_notation_that_keeps() -> None:
    game = Mirrored()
    game.reset(Rng(1))
    assert game.transform(0).to_bytes() == game.to_bytes()
    with pytest.raises(ValueError, match="2 symmetries and notation that depends on the position"):
        game.transform(1)
