from __future__ import annotations

import io

import pytest

import engine
from orchestrator.cli.human import ask_for_move


def ask(monkeypatch: pytest.MonkeyPatch, typed: str, game: str = "tictactoe", moves: int = 1) -> int | None:
    table = engine.new(game, 1)
    for _ in range(moves):
        table.apply(table.legal_actions()[0])
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    return ask_for_move(table.view(table.current_player()))


@pytest.mark.parametrize("typed", ["b2\n", "  B2  \n", "\n\nb2\n"])
def test_a_move_is_taken_in_its_notation(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    assert ask(monkeypatch, typed) == engine.new("tictactoe", 1).parse_action("b2")


def test_the_person_sees_the_board_the_last_move_and_the_choices(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(monkeypatch, "b2\n")
    told = capsys.readouterr()
    assert told.out == ""  # stdout belongs to the display
    assert "tictactoe, move 2: your turn, you are O" in told.err
    assert "your opponent played a1" in told.err
    assert "1 X . ." in told.err
    assert "your moves: b1 c1 a2 b2 c2 a3 b3 c3" in told.err


def test_what_is_no_move_is_explained_and_asked_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(monkeypatch, "a1\nz9\x1b[31m\nrules\nb2\n") == 4
    err = capsys.readouterr().err
    assert "'a1' is not a legal move here. Legal: b1" in err
    assert "\x1b" not in err and "'z9␛[31m' is not" in err
    assert engine.new("tictactoe").rules_text().split()[0] in err


def test_resigning_is_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(monkeypatch, "resign\nn\nb2\n") == 4
    assert ask(monkeypatch, "RESIGN\nyes\nb2\n") is None
    assert ask(monkeypatch, "resign\n") is None


def test_the_end_of_the_input_resigns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(monkeypatch, "") is None
    assert "you resign" in capsys.readouterr().err
