"""`orchestrator tournament` as it is typed: what is asked, what is refused, what it shows at 80 columns."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main
from orchestrator.cli.display import Tally, screen
from orchestrator.record.store import Record
from orchestrator.request import TournamentRequest, request_on_record
from tests.orchestrator.duels import play

FIELD = ("sim:greedy?price=3,15", "bot:greedy", "bot:random")


def invoke(*words: str, columns: int = 80) -> Result:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(main, ["tournament", *words])


def began(directory: Path, *words: str) -> TournamentRequest:
    done = invoke(*words, "--seed", "2", "--output", str(directory), "--display", "none")
    assert done.exit_code == 0, done.output
    return asked(directory)


def asked(directory: Path) -> TournamentRequest:
    with Record(directory) as record:
        found = request_on_record(record)
    assert isinstance(found, TournamentRequest)
    return found


def test_its_end_shows_everybody_by_rating_in_80_columns(tmp_path) -> None:
    words = (*FIELD, "--game", "tictactoe", "--opening", "2", "--pairs", "3", "--display", "plain")
    done = invoke(*words, "--seed", "4", "--output", str(tmp_path / "run"))
    assert done.exit_code == 0, done.output
    shown = done.output[done.output.index("3 players ·") :]
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "3 players · tictactoe · 18 matches" in shown and "Elo from bot:random" in shown
    assert "in all, " in shown and " a match." in shown
    again = CliRunner(env={"COLUMNS": "80"}).invoke(main, ["show", str(tmp_path / "run")])
    assert again.exit_code == 0 and "3 players · tictactoe · 18 matches" in again.output


def test_the_last_event_is_the_summary(tmp_path) -> None:
    done = invoke(
        *FIELD, "--game", "tictactoe", "--pairs", "1", "--output", str(tmp_path / "run"), "--display", "json"
    )
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["type"] == "summary" and last["kind"] == "tournament" and last["pairs"] == 3
    assert {"ranking", "meetings", "players", "cost_usd"} <= last.keys()


@pytest.mark.parametrize(
    ("words", "pairs", "step"),
    [
        ((), 30, 10),
        (("--pairs", "2"), 6, 10),
        (("--pairs-total", "7"), 7, 10),
        (("--active", "--pairs", "2", "--step", "3"), 6, 3),
    ],
)
def test_how_many_pairs(tmp_path, words, pairs, step) -> None:
    found = began(tmp_path / "run", *FIELD, "--game", "tictactoe", *words)
    assert (found.pairs, found.step, found.active) == (pairs, step, "--active" in words)


def test_made_longer_by_option_and_by_file(tmp_path) -> None:
    run = tmp_path / "run"
    began(run, *FIELD, "--game", "tictactoe", "--pairs", "1")
    longer = invoke("--resume", "--output", str(run), "--pairs", "2", "--display", "none")
    assert longer.exit_code == 0 and asked(run).pairs == 6
    file = run / "run.toml"
    assert "pairs = 6 " in file.read_text() and "`pairs` may be made more" in file.read_text()
    file.write_text(file.read_text().replace("pairs = 6 ", "pairs = 8 "))
    assert invoke("--resume", "--output", str(run), "--display", "none").exit_code == 0
    assert asked(run).pairs == 8
    shorter = invoke("--resume", "--output", str(run), "--pairs-total", "3")
    assert shorter.exit_code == 2 and "pairs: 8 on record, 3 asked" in shorter.output


def test_a_game_for_several_numbers_gets_no_more_seats_than_players(tmp_path) -> None:
    found = began(
        tmp_path / "three", "bot:random", "bot:greedy", "bot:ismcts:2", "--game", "blob", "--pairs", "1"
    )
    assert found.rotation.seats == 3 and found.pairs == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "who plays?"),
        (("bot:random",), "two players or more, got 1"),
        (("bot:random", "bot:random"), "bot:random is given twice"),
        (("sim:greedy", "sim:greedy?style=default"), "plays exactly as sim:greedy does"),
        (("sim:greedy", "sim:mcts:9?track=rules", "bot:random", "--active"), "on the tracks open and rules"),
        (("bot:random", "bot:nosuch"), "there is no bot 'nosuch'"),
        (("bot:random", "bot:greedy", "--game", "chess"), "chess"),
        (("bot:random", "bot:greedy", "--until-ranked", "1"), "--until-ranked is for pairs that are chosen"),
        (("bot:random", "bot:greedy", "--step", "5"), "--step is for pairs that are chosen"),
        (("bot:random", "bot:greedy", "--pairs", "2", "--pairs-total", "5"), "give one of them"),
        (("bot:random", "bot:greedy", "bot:perfect", "--game", "blob", "--active"), "for games between two"),
        (("bot:random", "bot:greedy", "--resume"), "--resume needs --output"),
    ],
)
def test_what_is_refused_and_what_to_try(tmp_path, monkeypatch, words, said) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke(*words)
    assert done.exit_code == 2 and said in done.output, done.output
    assert not list(tmp_path.iterdir())


def test_an_estimate_says_that_it_counts_on_everybody_equally(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke(*FIELD, "--game", "tictactoe", "--active", "--dry-run")
    assert done.exit_code == 0 and not list(tmp_path.iterdir())
    assert "counts on everybody equally often" in done.output
    assert "Estimate for 40 matches" in done.output


def test_the_live_table_has_everybody_by_live_elo(tmp_path) -> None:
    from rich.console import Console

    tally = Tally()
    request = TournamentRequest(players=FIELD, game="tictactoe", pairs=12, seed=3, opening=1)
    events: list = []
    play(tmp_path, request, events=events)
    for event in events:
        tally.add(event)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(screen(tally, 80, 24))
    shown = console.export_text()
    assert "12 of 12 pairs" in shown and "live Elo" in shown and "24/24 matches" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())
    elo = [
        int(line.split()[1])
        for line in shown.splitlines()
        if line.startswith(("sim:", "bot:")) and "%" in line
    ]
    assert len(elo) == 3 and elo == sorted(elo, reverse=True) and abs(sum(elo) - 3000) < 3
    recalled = Tally()
    events = []
    play(tmp_path, request, events=events)
    for event in events:
        recalled.add(event)
    assert recalled.complete() == 12 and len(recalled.results) == 24
