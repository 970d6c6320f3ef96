"""Board games against OpenSpiel move by move; TicTacToe and Connect 4 against known counts and by hand.

What is Othello's alone stands in test_othello.py.
"""

from __future__ import annotations

import pytest

import engine
from engine import Game, Rng

THEIR_NAMES = {"tictactoe": "tic_tac_toe", "connect4": "connect_four", "othello": "othello"}
MATCHES = {"tictactoe": 1500, "connect4": 1000, "othello": 600}  # of which plain Python plays a tenth


def after(name: str, *moves: str) -> Game:
    game = engine.new(name)
    for move in moves:
        game.apply(game.parse_action(move))
    return game


def finished_games(game: Game) -> int:
    if game.is_terminal():
        return 1
    count = 0
    for action in game.legal_actions():
        child = game.clone()
        child.step(action)
        count += finished_games(child)
    return count


def positions_by_ply(name: str, plies: int) -> list[int]:
    """How many different positions there are after 0, 1, ... plies."""
    level = [engine.new(name)]
    counts = [1]
    for _ in range(plies):
        found = {}
        for game in level:
            for action in game.legal_actions():
                child = game.clone()
                child.step(action)
                found[child.position_bytes()] = child
        level = list(found.values())
        counts.append(len(level))
    return counts


def test_tictactoe_counts() -> None:
    counts = positions_by_ply("tictactoe", 9)
    assert counts == [1, 9, 72, 252, 756, 1260, 1520, 1140, 390, 78]
    assert sum(counts) == 5478
    corner, edge, centre = (finished_games(after("tictactoe", move)) for move in ("a1", "b1", "b2"))
    assert 4 * corner + 4 * edge + centre == 255168


def test_connect4_counts() -> None:
    assert positions_by_ply("connect4", 7) == [1, 7, 49, 238, 1120, 4263, 16422, 54859]


@pytest.mark.slow
def test_connect4_counts_one_ply_deeper() -> None:
    assert positions_by_ply("connect4", 8)[8] == 184275


def leaves(game: Game, depth: int) -> int:
    """Move sequences of that length; a finished match has none."""
    if depth == 1:
        return len(game.legal_actions())
    count, child = 0, game.clone()
    for action in game.legal_actions():
        child.copy_from(game)
        child.step(action)
        count += leaves(child, depth - 1)
    return count


def test_connect4_perft() -> None:
    known = [7, 49, 343, 2401, 16807, 117649, 823536, 5673234]
    depths = 8 if engine.is_compiled() else 6
    assert [leaves(engine.new("connect4"), depth) for depth in range(1, depths + 1)] == known[:depths]


def their_rows(text: str) -> list[str]:
    """The board in OpenSpiel's text, in our marks; Othello's has numbers beside its rows."""
    lines = text.upper().replace("-", ".").split("\n")
    numbered = [line[2:17:2] for line in lines if line[:1].isdigit()]
    return numbered or [line for line in lines if line]


@pytest.mark.parametrize("name", THEIR_NAMES)
def test_openspiel_agrees_move_by_move(name: str) -> None:
    pyspiel = pytest.importorskip("pyspiel", reason="OpenSpiel is not installed")
    judge = pyspiel.load_game(THEIR_NAMES[name])
    rng, passed = Rng(11), 0
    matches = MATCHES[name] if engine.is_compiled() else MATCHES[name] // 10
    for _ in range(matches):
        game, theirs = engine.new(name), judge.new_initial_state()
        while True:
            assert game.is_terminal() == theirs.is_terminal()
            assert game.legal_actions() == theirs.legal_actions()
            assert game.returns() == theirs.returns()
            assert game.facts(0)["rows"] == their_rows(str(theirs))
            if game.is_terminal():
                break
            assert game.current_player() == theirs.current_player()
            assert list(game.action_mask()) == theirs.legal_actions_mask()
            action = int(game.random_action(rng))
            assert game.action_text(action) == theirs.action_to_string(action) or name != "othello"
            game.apply(action)
            theirs.apply_action(action)
        passed += game.num_actions() == 65 and 64 in [move.action for move in game.history()]
    assert name != "othello" or passed > matches // 5  # it is about a third


def test_tictactoe_by_hand() -> None:
    game = after("tictactoe", "a1", "b2", "c1", "b1", "b3", "a2", "c2")
    assert game.board_text(0) == game.board_text(1) == "  a b c\n1 X O X\n2 O O X\n3 . X ."
    assert game.facts(1) == {"mark": "O", "opponent_mark": "X", "rows": ["XOX", "OOX", ".X."]}
    assert game.legal_actions() == [6, 8] and game.current_player() == 1
    game.apply(6)
    game.apply(8)
    assert game.is_terminal() and game.returns() == [1.0, -1.0]  # c1, c2, c3
    for line in (
        "a1 a2 a3",
        "b1 b2 b3",
        "c1 c2 c3",
        "a1 b1 c1",
        "a2 b2 c2",
        "a3 b3 c3",
        "a1 b2 c3",
        "c1 b2 a3",
    ):
        won = line.split()
        others = [text for text in ("a1", "b1", "c1", "a2", "b2", "c2", "a3", "b3", "c3") if text not in won]
        first = after("tictactoe", won[0], others[0], won[1], others[1], won[2])
        assert first.is_terminal() and first.returns() == [1.0, -1.0]
    draw = after("tictactoe", *["a1", "b1", "c1", "b2", "a2", "c2", "b3", "a3", "c3"])
    assert draw.is_terminal() and draw.returns() == [0.0, 0.0] and draw.ply() == 9


def test_connect4_by_hand() -> None:
    game = after("connect4", *"4455443")
    assert game.board_text(0).split("\n") == [
        "1 2 3 4 5 6 7",
        ". . . . . . .",
        ". . . . . . .",
        ". . . O . . .",
        ". . . X . . .",
        ". . . O O . .",
        ". . X X X . .",
    ]
    assert game.current_player() == 1
    game.apply(0)
    game.apply(1)
    assert game.returns() == [1.0, -1.0]
    assert after("connect4", *"1212121").returns() == [1.0, -1.0]  # a column
    assert after("connect4", *"12234334474").returns() == [1.0, -1.0]  # rising
    assert after("connect4", *"76654554414").returns() == [1.0, -1.0]  # falling
    assert not after("connect4", *"111111").is_terminal()
    full = after("connect4", *"111111")
    assert full.legal_actions() == [1, 2, 3, 4, 5, 6]
    with pytest.raises(engine.IllegalAction):
        full.apply(0)


def test_a_full_connect4_board_is_a_draw() -> None:
    rng, game = Rng(1), engine.new("connect4")
    while not (game.is_terminal() and game.returns() == [0.0, 0.0]):
        game.reset(rng)
        while not game.is_terminal():
            game.apply(game.random_action(rng))
    assert game.ply() == 42 and "." not in game.board_text(0)
    assert game.legal_actions() == [] and set(game.action_mask()) == {0}


def test_four_do_not_wrap_around_an_edge() -> None:
    """Three on top of a column and one at the bottom of the next are neighbours in the bitboard only."""
    game = after("connect4", *"21717117171")
    assert not game.is_terminal() and game.facts(0)["rows"][:3] == ["X......", "X......", "X.....O"]


@pytest.mark.parametrize(
    "data", [b"", bytes(13), bytes(15), b"\x02" + bytes(13), b"\x01" + bytes(6) + b"\x01" + bytes(6)]
)
def test_impossible_connect4_positions_are_refused(data: bytes) -> None:
    game = after("connect4", "4")
    before = game.to_bytes()
    with pytest.raises(ValueError, match="connect4"):
        game.set_position(data)
    assert game.to_bytes() == before


@pytest.mark.parametrize(
    "code", [0b11, 0b111 << 9, 1 << 18, 0b1001 << 9 | 1, 0b111 | 0b111000 << 9, 1 << 9 | 1]
)
def test_impossible_tictactoe_positions_are_refused(code: int) -> None:
    with pytest.raises(ValueError, match="tictactoe"):
        engine.new("tictactoe").set_position(code.to_bytes(3, "little"))


def test_observations() -> None:
    ttt = after("tictactoe", "a1", "b2")
    x, o, legal = [1] + [0] * 8, [0] * 4 + [1] + [0] * 4, [0, 1, 1, 1, 0, 1, 1, 1, 1]
    assert ttt.observation(0).tolist() == ttt.observation().tolist() == x + o + legal
    assert ttt.observation(1).tolist() == o + x + [0] * 9
    assert ttt.observation(0, legacy=True).tolist() == [*x, *o, *legal, 1, 0]
    assert ttt.observation(1, legacy=True).tolist() == [*x, *o, *[0] * 9, 0, 1]

    four = after("connect4", "1", "1", "7")
    mine = four.observation(1).tolist()
    assert [i for i, v in enumerate(mine) if v] == [7, 42, 42 + 6, *range(84, 91)]
    assert [i for i, v in enumerate(four.observation(0).tolist()) if v] == [0, 6, 42 + 7]
    old = four.observation(1, legacy=True).tolist()
    assert [i for i, v in enumerate(old) if v] == [0, 6, 42 + 7, *range(84, 91), 92]
