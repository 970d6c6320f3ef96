from __future__ import annotations

import asyncio
import io
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import engine
from orchestrator.cli.human import _situation, ask_for_move
from orchestrator.players import Halt
from tests.engine.plain_games import Highcard


def ask(monkeypatch: pytest.MonkeyPatch, typed: str, game: str = "tictactoe", moves: int = 1) -> int | None:
    table = engine.new(game, 1)
    for _ in range(moves):
        table.apply(table.legal_actions()[0])
    read, write = os.pipe()
    os.write(write, typed.encode())
    os.close(write)
    with os.fdopen(read) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        return asyncio.run(ask_for_move(table.view(table.current_player())))


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


def test_a_person_at_a_table_sees_their_hand_and_what_the_others_did_since(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Highcard(players=4)
    table.reset(engine.Rng(5))
    for _ in range(3):
        table.apply(1)
    read, write = os.pipe()
    os.write(write, f"{table.action_text(0)}\n".encode())
    os.close(write)
    with os.fdopen(read) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert asyncio.run(ask_for_move(table.view(3))) == 0
    err = capsys.readouterr().err
    assert "highcard, move 4: your turn, you are P4 of 4" in err
    assert _situation(engine.new("blob", 1).view(1))[0] == "blob, move 1: your turn, you are P2 of 5"
    two = Highcard(players=2)
    two.reset(engine.Rng(5))
    assert _situation(two.view(0)) == ["highcard, move 1: your turn, you are P1 of 2"]
    assert [line for line in err.splitlines() if " played " in line] == [
        f"P{seat} played a hidden card" for seat in (1, 2, 3)
    ]
    told = {int(number) for number in re.findall(r"\d+", err.partition("your hand")[2])}
    assert told - {3} == set(table.hands[3]), "and no card of anybody else; 3 are laid"


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


@pytest.mark.parametrize("typed", ["", "no move", "resign\n"])
def test_the_end_of_the_input_stops_the_run_and_is_no_move(
    monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    with pytest.raises(Halt, match="input of a human player has ended"):
        ask(monkeypatch, typed)


def test_what_follows_a_line_stays_for_the_next_question(monkeypatch: pytest.MonkeyPatch) -> None:
    view = engine.new("tictactoe", 1).view(0)

    async def twice() -> list[int | None]:
        return [await ask_for_move(view), await ask_for_move(view)]

    read, write = os.pipe()
    os.write(write, b"b2\na1\n")
    with os.fdopen(read) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert asyncio.run(twice()) == [view_action("b2"), view_action("a1")]
    os.close(write)


def view_action(text: str) -> int:
    return int(engine.new("tictactoe", 1).parse_action(text))


@pytest.mark.parametrize("content", ["b2\n", ""])
def test_a_plain_file_is_read_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str) -> None:
    path = tmp_path / "moves"
    path.write_text(content)
    view = engine.new("tictactoe", 1).view(0)
    for opened in (path.open, lambda: io.StringIO(content)):
        with opened() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            if content:
                assert asyncio.run(ask_for_move(view)) == view_action("b2")
            else:
                with pytest.raises(Halt):
                    asyncio.run(ask_for_move(view))


def at_a_terminal(tmp_path: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A duel with a person, who sees their first question."""
    ours, theirs = pty.openpty()
    words = ("duel", "human", "vs", "bot:random", "--game", "tictactoe", "--games", "2", "--output", "run")
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    until(ours, "> ")
    return process, ours


def until(terminal: int, words: str = "") -> str:
    """What the terminal shows until these words, or to its end."""
    shown = b""
    while not words or words.encode() not in shown:
        try:
            more = os.read(terminal, 4096)
        except OSError:  # the other side is closed
            break
        if not more:
            break
        shown += more
    return shown.decode()


def test_ctrl_c_twice_ends_at_once_while_a_person_thinks(tmp_path: Path) -> None:
    process, terminal = at_a_terminal(tmp_path)
    process.send_signal(signal.SIGINT)
    until(terminal, "stops at once")
    process.send_signal(signal.SIGINT)
    shown = until(terminal)
    os.close(terminal)
    assert process.wait(20) == 130
    assert re.search(r"orchestrator duel --output run --resume", shown), shown
    assert "Traceback" not in shown


def test_a_person_plays_a_match_at_a_terminal(tmp_path: Path) -> None:
    process, terminal = at_a_terminal(tmp_path)
    os.write(terminal, b"b2\n")
    shown = until(terminal, "> ")
    assert "you played b2" in shown or "your opponent played" in shown
    os.write(terminal, b"\x04")  # Ctrl-D: the end of the input
    shown = until(terminal)
    os.close(terminal)
    assert process.wait(20) == 1
    assert "the input of a human player has ended" in shown and "--resume" in shown
