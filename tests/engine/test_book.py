"""The book of Connect 4 says what a search finds and what bitbully says; a file that is not whole is refused."""

from __future__ import annotations

import random
from functools import cache

import pytest

import engine
from benchmarks.book import Position, by_search, positions, written
from engine import Grader, Rng
from engine.search import book as module
from engine.search.book import Book, shipped
from engine.search.connect4 import Outcomes
from engine.solvers.connect4 import Connect4Solver

COMPILED = engine.is_compiled()
SLOW = "as plain Python it takes minutes"


def random_positions(count: int, plies: int, seed: int = 1) -> list[Position]:
    """Open ones after random moves, nobody having won on the way."""
    rng, found = random.Random(seed), []
    while len(found) < count:
        position = Position(0, 0, ())
        for _ in range(plies):
            position = rng.choice(list(position.children()))
        if position.is_open():
            found.append(position)
    return found


@cache
def small() -> tuple[dict[int, int], bytes]:
    """Made-up outcomes of the positions of four discs, and their file."""
    rng = random.Random(4)
    outcomes = {position.key(): rng.choice((-1, 0, 1)) for position in positions(4) if position.is_open()}
    return outcomes, written(4, outcomes)


def test_a_book_says_what_it_was_made_of() -> None:
    outcomes, data = small()
    book = Book(data)
    assert book.discs == 4 and len(outcomes) > 500 and len(data) < len(outcomes) * 0.4
    assert {key: book.outcome(key) for key in outcomes} == outcomes
    assert written(4, outcomes) == data
    assert Book().discs == -1


@pytest.mark.skipif(not COMPILED, reason=SLOW)
def test_the_shipped_book_agrees_with_a_search() -> None:
    drawn = random_positions(12, int(shipped().discs), seed=2)
    assert [shipped().outcome(position.key()) for position in drawn] == list(by_search(drawn))


def test_the_shipped_book_agrees_with_bitbully() -> None:
    bitbully = pytest.importorskip("bitbully", reason="bitbully is not installed")
    judge, outcomes = bitbully.BitBully(), Outcomes(shipped())
    for position in random_positions(2000 if COMPILED else 300, int(shipped().discs)):
        board = bitbully.Board()
        assert board.play(list(position.columns))
        score = judge.mtdf(board)
        expected = (score > 0) - (score < 0)
        assert shipped().outcome(position.key()) == expected
        assert outcomes.of(position.mine, position.filled) == expected


def test_positions_of_fewer_discs_follow_from_the_book() -> None:
    """The first player wins in the middle, draws beside it and loses elsewhere (Allen and Allis, 1988)."""
    solver = Connect4Solver()
    if not COMPILED:
        assert solver.outcomes(after_moves(3, 3, 3, 3, 3, 3)) == {0: -1, 1: 0, 2: 1, 4: 1, 5: 0, 6: -1}
        return
    assert solver.outcomes(engine.new("connect4")) == {0: -1, 1: -1, 2: 0, 3: 1, 4: 0, 5: -1, 6: -1}
    outcomes = Outcomes(shipped())
    assert outcomes.of(0, 0) == 1
    for position in random_positions(200, 6):
        value = outcomes.of(position.mine, position.filled)
        assert value == max(-outcomes.of(child.mine, child.filled) for child in position.children())


def after_moves(*columns: int) -> engine.Game:
    game = engine.new("connect4")
    for column in columns:
        game.apply(column)
    return game


@pytest.mark.skipif(not COMPILED, reason=SLOW)
def test_scores_are_the_same_with_the_book() -> None:
    """Its sign bounds the scores above it; bitbully knows them."""
    bitbully = pytest.importorskip("bitbully", reason="bitbully is not installed")
    judge, solver = bitbully.BitBully(), Connect4Solver()
    for plies in (8, 9, 9):
        (position,) = random_positions(1, plies, seed=plies)
        board = bitbully.Board()
        assert board.play(list(position.columns))
        assert solver.solve(after_moves(*position.columns)) == judge.mtdf(board)


@pytest.mark.parametrize("budget", ["nodes=20", "ms=1"])
def test_in_the_book_perfect_gives_nothing_away_whatever_its_budget(budget: str) -> None:
    bot, grader, rng = engine.new_bot(f"perfect?{budget}"), Grader(scores=False), Rng(3)
    for position in random_positions(20 if COMPILED else 2, 7 if COMPILED else 8):
        game = after_moves(*position.columns)
        assert grader.grade(game).regret(int(bot.choose(game, rng))) == 0.0


def test_a_damaged_file_is_refused() -> None:
    _, data = small()
    for at in (28, 29, 30, 38, len(data) - 1):
        with pytest.raises(ValueError, match="damaged book of Connect 4"):
            Book(data[:at] + bytes([data[at] ^ 64]) + data[at + 1 :])
    for wrong in (data[:-1], data + b"\0"):
        with pytest.raises(ValueError, match="damaged book of Connect 4"):
            Book(wrong)
    for wrong in (b"", data[:20], b"PK" + data):
        with pytest.raises(ValueError, match="no book of Connect 4: expected b'duelist"):
            Book(wrong)


def test_the_package_says_what_is_wrong_with_its_book(tmp_path, monkeypatch) -> None:
    """A missing one is as a damaged one: who asks must not wait ten times as long without being told why."""
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    kept = module.SHIPPED.copy()
    module.SHIPPED.clear()
    try:
        with pytest.raises(
            ValueError, match=r"connect4\.book cannot be used, install duelist again: .*No such file"
        ):
            shipped()
        (tmp_path / module.FILE).write_bytes(b"something else")
        with pytest.raises(ValueError, match="install duelist again: no book of Connect 4"):
            shipped()
        (tmp_path / module.FILE).write_bytes(small()[1])
        assert shipped().discs == 4
    finally:
        module.SHIPPED[:] = kept


def test_a_search_asks_the_book() -> None:
    """A book of nothing but losses at four discs makes everybody lose who is to move there."""
    outcomes = dict.fromkeys(small()[0], -1)
    wrong = Outcomes(Book(written(4, outcomes)))
    one = next(position for position in positions(3) if position.is_open())
    assert wrong.of(one.mine, one.filled) == 1 and wrong.nodes < 10
