"""Boards over records: planted effects are found, and what is joined is what may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator import quality
from orchestrator.grades import Method, grade_run, on_record
from orchestrator.programme import GameShare, Opponent
from orchestrator.record.tables import Player, Run
from orchestrator.remarks import leaders
from orchestrator.report import section as report
from orchestrator.report import stated
from orchestrator.request import GenerateRequest
from orchestrator.standings import Board, asked_alike, boards_of, games_of
from tests.orchestrator.duels import play, request

HONEST, SLOPPY = "sim:mcts:100", "sim:mcts:100?illegal=0.2"


def arena(place: Path, seed: int) -> Board:
    """A stand-in and one that plays as well but answers one time in five with an illegal move, against two bots."""
    results = []
    for i, model in enumerate((HONEST, SLOPPY)):
        for j, bot in enumerate(("bot:random", "bot:greedy")):
            asked = request(model, bot, pairs=40, seed=seed + 10 * i + j, opening=2, conduct={"reasks": 0})
            results.append(play(place / f"{i}{j}", asked)[1])
    results.append(
        play(place / "bots", request("bot:greedy", "bot:random", pairs=40, seed=seed, opening=2))[1]
    )
    (board,) = boards_of(results)
    return board


@pytest.mark.parametrize("seed", [100, 200])
def test_who_breaks_rules_keeps_its_clean_rating_and_loses_all_in(tmp_path: Path, seed: int) -> None:
    board = arena(tmp_path, seed)
    keys = {line.player.spec: key for key, line in board.lines.items()}
    honest, sloppy = keys[HONEST], keys[SLOPPY]
    forfeits = board.lines[sloppy].total.forfeits
    assert forfeits > 50 and board.lines[honest].total.forfeits == 0 and board.unclean == forfeits
    assert board.league is not None and board.clean is not None
    all_in = board.league.ratings.difference(sloppy, honest)
    assert all_in.high < -150 and board.league.above(honest, sloppy)
    clean = board.clean.ratings.difference(sloppy, honest)
    assert clean.low < 0 < clean.high < 150  # it covers, and not by being endlessly wide
    line = board.lines[sloppy]
    assert line.clean is not None and line.elo is not None and line.clean.low > line.elo.high
    own = board.lines[honest].elo
    assert own is not None and line.clean.low < own.high  # nor is it above what it would have had


def test_who_is_first_is_said_only_beyond_chance(tmp_path: Path) -> None:
    said = []
    for number, pairs in enumerate((3, 40)):
        _, result = play(tmp_path / str(number), request("bot:greedy", "bot:random", pairs=pairs, opening=1))
        said += [leaders(board) for board in boards_of([result])]
    assert said == [
        "Nobody is first beyond chance: bot:greedy and bot:random may all be.",
        "bot:greedy is first, beyond chance.",
    ]


# ── the words of a game ──────────────────────────────────────────────────────────────────────────────


def player(hash: str, prompts: str) -> Player:
    return Player(id=1, spec="m", label="m", kind="model", parameters={"prompts": prompts}, hash=hash)


def test_a_player_is_asked_alike_in_the_words_of_one_game() -> None:
    both = player("abc-11+22", "11+22")
    assert [asked_alike(both, place) for place in (0, 1)] == ["abc-11", "abc-22"]
    assert asked_alike(player("abc-22", "22"), 0) == asked_alike(both, 1)
    assert asked_alike(both, None) == asked_alike(both, 2) == "abc-11+22"  # nobody knows which
    assert asked_alike(player("abc", ""), 0) == "abc"
    assert asked_alike(player("elsewhere", "11+22"), 0) == "elsewhere"  # a foreign record


def test_a_run_that_does_not_say_what_it_played_has_no_games() -> None:
    for kind, asked in (("duel", {"nonsense": 1}), ("of-tomorrow", {})):
        run = Run(id="r", kind=kind, status="finished", seed=0, request=asked, version="", created=0.0)
        assert games_of(run) == []


def test_grades_are_joined_by_the_words_of_a_game_too(tmp_path: Path) -> None:
    """A run over two games and a duel of one: one line for whoever was asked alike."""
    both = GenerateRequest(
        models=("sim:greedy",), opponents=(Opponent("bot:random"),), pairs=2, seed=1,
        games=(GameShare("connect4"), GameShare("tictactoe")),
    )  # fmt: skip
    play(tmp_path / "a", both)  # type: ignore[arg-type]
    play(tmp_path / "b", request("sim:greedy", "bot:random", pairs=1, seed=9))
    for name in "ab":
        grade_run(tmp_path / name, Method.parse("search:5"))
    reports = [on_record(tmp_path / name) for name in "ab"]
    boards = quality.boards_of(reports)
    assert [(board.game, len(board.lines)) for board in boards] == [("connect4", 2), ("tictactoe", 2)]
    assert sum(len(line.decisions) for board in boards for line in board.lines.values()) == sum(
        len(report.decisions) for report in reports
    )


def test_players_of_one_label_are_told_apart_wherever_they_stand(tmp_path: Path) -> None:
    """Two specs have one label in their runs: in grades and in texts they are called as on the leaderboard."""
    play(tmp_path / "a", request("sim:greedy?illegal=0.2", "bot:random"))
    play(tmp_path / "b", request("sim:greedy", "sim:greedy", pairs=2, seed=4))
    for name in "ab":
        grade_run(tmp_path / name, Method.parse("search:5"))
    runs = report.read([tmp_path / name for name in "ab"])
    (board,) = quality.boards_of(on_record(tmp_path / name) for name in "ab")
    (rated,) = boards_of(run.result for run in runs)
    expected = {"sim:greedy", "sim:greedy?illegal=0.2", "bot:random"}
    assert {line.name for line in board.lines.values()} == expected
    assert {line.name for line in rated.lines.values()} == expected
    (section,) = stated.sections(runs)
    assert {row[0] for row in section.tables[0].rows} == expected - {"bot:random"}


def test_a_name_is_nobody_elses_spec(tmp_path: Path) -> None:
    """Beside another of one label a player is called by its spec, which is how a third is called anyway."""
    play(tmp_path / "a", request("sim:greedy?illegal=0.2", "bot:random"))
    play(tmp_path / "b", request("sim:greedy", "bot:random", pairs=2))
    asked = request("sim:greedy?illegal=0.2", "sim:greedy?illegal=0.3", pairs=2, conduct={"reasks": 0})
    play(tmp_path / "c", asked)
    (rated,) = boards_of(run.result for run in report.read([tmp_path / name for name in "abc"]))
    names = [line.name for line in rated.lines.values()]
    assert len(names) == len(set(names)) == 5
    assert {"sim:greedy?illegal=0.2 reasks=2", "sim:greedy?illegal=0.2 reasks=0"} < set(names)
