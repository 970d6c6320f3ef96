"""A run of several boards as its readers tell it: standings by board, lines by model, tables on a screen."""

from __future__ import annotations

import io
import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from orchestrator.cli import display, text
from orchestrator.cli.leaderboard import command as leaderboard
from orchestrator.cli.result import result_table
from orchestrator.cli.show import command as show
from orchestrator.events import Event
from orchestrator.programme import SELF
from orchestrator.record.check import check_money
from orchestrator.record.reading import RunResult, run_result
from orchestrator.standings import boards_of
from orchestrator.summary import lines, summary
from tests.orchestrator.duels import play as play_duel
from tests.orchestrator.duels import request
from tests.orchestrator.test_generate import generate, play


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult, list[Event]]:
    """A run for data of two models in two games, one of them at tables of three, with trouble and wrong answers."""
    place = tmp_path_factory.mktemp("boards")
    events: list[Event] = []
    models = "sim:greedy?illegal=0.5&seed=3", "sim:random?500=0.1&latency=0.001"
    play(place / "runs" / "data", generate(44, models=models, price="3,15"), events=events)
    return place, run_result(place / "runs" / "data"), events


def query(place: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(place / "runs" / "data" / "record.db", isolation_level=None)) as db:
        return db.execute(sql, values).fetchall()


def test_every_match_is_on_the_board_of_its_game_and_players(
    house: tuple[Path, RunResult, list[Event]],
) -> None:
    place, result, _ = house
    assert sum(len(board.matches) for board in result.boards) == len(result.matches) >= 44
    keys = {(board.game, tuple(s.player.id for s in board.standings)) for board in result.boards}
    assert len(keys) == len(result.boards) > 6
    for board in result.boards:
        players = [standing.player.id for standing in board.standings]
        assert {len(match.seats) for match in board.matches} == {len(players)}
        assert all(sorted(match.sat) == players and match.game == board.game for match in board.matches)
        assert len(board.pairs) * len(players) == len(board.finished)
    assert check_money(place / "runs" / "data") == []


def test_the_totals_of_players_are_those_of_the_rows(house: tuple[Path, RunResult, list[Event]]) -> None:
    place, result, _ = house
    for standing in result.standings:
        number = standing.player.id
        (calls, cost), *_ = query(
            place, "SELECT count(*), coalesce(sum(cost_pico), 0) FROM call WHERE player = ?", number
        )
        assert (standing.calls, standing.cost_pico + standing.possibly_pico) == (calls, cost)
        (decisions, wrong), *_ = query(
            place,
            "SELECT count(*), coalesce(sum(outcome != 'ok' AND mode = 'json'), 0) FROM decision WHERE player = ?",
            number,
        )
        assert (standing.decisions, standing.wrong_first) == (decisions, wrong)
        seats = query(
            place, "SELECT outcome, forfeit FROM seat WHERE player = ? AND score IS NOT NULL", number
        )
        outcomes = Counter(outcome for outcome, _ in seats)
        assert (standing.wins, standing.losses) == (outcomes["win"], outcomes["loss"])
        assert standing.faults == Counter(why for _, why in seats if why)


def test_the_summary_of_data_is_by_model_and_opponents_and_game(
    house: tuple[Path, RunResult, list[Event]],
) -> None:
    _, result, _ = house
    told = summary(result)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["kind"] == "generate" and "elo" not in told
    assert (told["planned"], told["matches"], told["voids"]) == (44, result.finished, result.voids)
    assert [player["label"] for player in told["players"]][:2] == ["sim:greedy", "sim:random"]
    for player in told["players"]:
        mine = [s for s in result.standings if s.player.hash == named(result, player["label"])]
        assert player["calls"] == sum(standing.calls for standing in mine)
    assert sum(line["decisions"] for line in told["lines"]) == told["decisions"] > 0
    assert sum(line["cost_usd"] for line in told["lines"]) == pytest.approx(told["cost_usd"])
    for line in told["lines"]:
        if line["games"]:
            assert line["win"] + line["draw"] + line["loss"] == pytest.approx(1)
        assert line["helped"] >= line["legal"]
        assert sum(line["forfeits"].values()) <= round((1 - line["helped"]) * line["decisions"])
    assert any(SELF in line["against"] for line in told["lines"])
    assert any(line["forfeits"] for line in told["lines"])
    alone = [line for line in told["lines"] if line["model"] == "sim:random" and line["against"] == [SELF]]
    (line,) = alone
    ours = [
        b for b in result.boards if len({s.player.hash for s in b.standings}) == 1 and b.game == "tictactoe"
    ]
    random = next(b for b in ours if b.standings[0].player.label.startswith("sim:random"))
    assert line["games"] == len(random.finished)


def named(result: RunResult, label: str) -> str:
    return next(s.player.hash for s in result.standings if s.player.label.partition(" #")[0] == label)


def test_a_duel_is_the_case_of_one_board(tmp_path: Path) -> None:
    _, result = play_duel(tmp_path, request("sim:greedy", "bot:random", pairs=2))
    (board,) = result.boards
    assert board.standings == result.standings and board.pairs == result.pairs
    assert "lines" not in summary(result) and "kind" not in summary(result)
    (line,) = lines(result)
    assert (line.model.label, line.against, line.games) == ("sim:greedy", ("bot:random",), 4)


def test_a_leaderboard_takes_each_board_by_itself(house: tuple[Path, RunResult, list[Event]]) -> None:
    place, result, _ = house
    found = {(board.game, board.seats): board for board in boards_of([result])}
    assert set(found) == {("tictactoe", 2), ("blob", 3)}
    for (game, seats), board in found.items():
        played = [one for one in result.boards if (one.game, len(one.standings)) == (game, seats)]
        assert sum(line.total.matches for line in board.lines.values()) == seats * sum(
            len(one.finished) for one in played
        )
    duel = found["tictactoe", 2]
    assert len(duel.lines) == 4, "a model and itself are one player"
    assert all(line.elo is not None for line in duel.lines.values())
    both = boards_of([result, result])
    assert [len(board.clusters) for board in both] == [len(board.clusters) for board in boards_of([result])]
    out = CliRunner().invoke(leaderboard, [str(place / "runs" / "data")], env={"COLUMNS": "80"}).stdout
    assert "tictactoe" in out and "table of 3" in out and max(map(len, out.splitlines())) <= 80


def test_the_list_of_a_run_says_what_each_match_was(house: tuple[Path, RunResult, list[Event]]) -> None:
    place, result, _ = house
    out = CliRunner().invoke(show, [str(place / "runs" / "data")], env={"COLUMNS": "120"}).stdout
    for match in result.matches:
        line = next(line for line in out.splitlines() if line.startswith(match.id))
        assert line.split()[-1] == match.game


# ── on a screen ──────────────────────────────────────────────────────────────────────────────────


def printed(thing: Any, width: int, height: int = 60) -> str:
    stream = io.StringIO()
    text.console(stream, width=width, height=height).print(thing)
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_result_of_data_keeps_to_the_terminal(
    house: tuple[Path, RunResult, list[Event]], width: int
) -> None:
    told = summary(house[1])
    out = printed(result_table(told), width)
    assert max(len(line.rstrip()) for line in out.splitlines() if "More: " not in line) <= width
    assert "sim:greedy vs" in out and "sim:random vs" in out and "W/D/L %" in out
    assert "Forfeits: illegal" in out
    assert ("No room here for" in out) == (width < 120)
    for line in told["lines"]:
        assert any(line["against"][0] in row and f"{line['games']:,}" in row for row in out.splitlines())


def counted(events: list[Event], wanted: Callable[[Event], bool] = bool) -> display.Tally:
    tally = display.Tally()
    for event in filter(wanted, events):
        tally.add(event)
    return tally


def test_what_is_counted_live_is_what_the_record_says(house: tuple[Path, RunResult, list[Event]]) -> None:
    _, result, events = house
    live, told = counted(events), summary(result)
    again = display.Tally()
    begin = next(event for event in events if event["type"] == "run")
    again.add({**begin, "waiting": 0})
    assert not live.flying and not live.at
    assert len(live.places) == len(told["lines"])
    for tally in (live, again):
        for line in told["lines"]:
            counts = tally.places[line["model"], display.met(line["against"], line["game"])]
            assert (counts.games, counts.decisions, counts.forfeits) == (
                line["games"], line["decisions"], sum(line["forfeits"].values()),
            )  # fmt: skip
            assert counts.cost_usd == pytest.approx(line["cost_usd"])
            assert counts.decisions - counts.wrong == round(line["legal"] * line["decisions"])
    assert live.failures == Counter(
        dict(query(house[0], "SELECT kind, count(*) FROM call WHERE kind != 'ok' GROUP BY 1"))
    )


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (60, 12)])
def test_the_live_table_of_data_keeps_to_the_terminal(
    house: tuple[Path, RunResult, list[Event]], width: int, height: int
) -> None:
    half = house[2][: len(house[2]) // 2]
    tally = counted(half)
    out = printed(display.screen(tally, width, height), width, height)
    lines = [line.rstrip() for line in out.splitlines()]
    assert max(map(len, lines)) <= width
    assert "decisions" in out and "tokens in / out" in out and f"{tally.done}/{tally.planned}" in out
    assert "failed calls: server" in out
    if height >= 24:
        assert len(lines) <= height and " left" in out and "/h" in out
    if height == 24:
        assert "and " in out and " more" in out


def test_a_live_table_of_data_before_anything_was_played(house: tuple[Path, RunResult, list[Event]]) -> None:
    out = printed(display.screen(counted(house[2][:1]), 80, 24), 80, 24)
    assert "0 decisions" in out and "sim:greedy, sim:random" in out and " left" not in out


def test_plain_lines_say_which_game_it_was(house: tuple[Path, RunResult, list[Event]]) -> None:
    stream = io.StringIO()
    with display.make("plain", stream=stream) as see:
        for event in house[2]:
            see(event)
    ended = [line for line in stream.getvalue().splitlines() if line.startswith("[") and " plies" in line]
    assert {("tictactoe," in line, "blob?" in line) for line in ended} == {(True, False), (False, True)}
