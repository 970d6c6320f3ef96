from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main
from orchestrator.ratings.pairs import estimate
from tests.orchestrator.duels import play, request


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs of tictactoe on the open track that share players, and one of rules alone."""
    place = tmp_path_factory.mktemp("house")
    model = "sim:greedy?illegal=0.2"
    play(place / "runs" / "a", request(model, "bot:random", pairs=6))
    play(place / "runs" / "b", request("bot:greedy", model, pairs=5, seed=2))
    play(place / "runs" / "c", request("bot:greedy", "bot:random", pairs=4, seed=3))
    play(place / "runs" / "d", request(model + "&track=rules", "bot:random", pairs=3, seed=4))
    return place


def leaderboard(place: Path, *arguments: str, columns: int = 120) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        return CliRunner(env={"COLUMNS": str(columns)}).invoke(main, ["leaderboard", *arguments])


def boards(place: Path, *arguments: str) -> list[dict[str, Any]]:
    done = leaderboard(place, "--json", *arguments)
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_players_are_joined_over_runs_and_tracks_are_kept_apart(house: Path) -> None:
    found = {tuple(board["tracks"]): board for board in boards(house)}
    assert set(found) == {(), ("open",), ("rules",)}
    opened = found["open",]
    assert opened["pairs"] == 11
    matches = {player["spec"]: player["matches"] for player in opened["players"]}
    assert matches == {"sim:greedy?illegal=0.2": 22, "bot:random": 12, "bot:greedy": 10}
    assert all(p["wins"] + p["draws"] + p["losses"] == p["matches"] for p in opened["players"])
    assert sum(p["wins"] for p in opened["players"]) == sum(p["losses"] for p in opened["players"])


def test_the_random_bot_is_zero_where_it_plays(house: Path) -> None:
    for board in boards(house):
        (zero,) = (player for player in board["players"] if player["spec"] == "bot:random")
        assert (zero["elo"], zero["elo_low"], zero["elo_high"]) == (0, 0, 0)


def test_two_players_get_exactly_what_their_duel_said(tmp_path: Path) -> None:
    _, result = play(tmp_path / "runs" / "a", request("bot:greedy", "sim:random?illegal=0.1", pairs=8))
    said = estimate(result.pair_scores)
    assert said is not None and said.elo > 0
    (board,) = boards(tmp_path)
    first, second = board["players"]
    assert first["spec"] == "bot:greedy" and second["elo"] == 0
    assert first["elo"] == round(said.elo, 1)
    assert (first["elo_low"], first["elo_high"]) == (round(said.elo_low, 1), round(said.elo_high, 1))


def test_who_sat_down_first_does_not_matter(tmp_path: Path) -> None:
    _, result = play(tmp_path / "runs" / "a", request("sim:random?illegal=0.1", "bot:greedy", pairs=8))
    said = estimate(result.pair_scores)
    assert said is not None and said.elo < 0
    (board,) = boards(tmp_path)
    assert board["players"][0]["spec"] == "bot:greedy"
    assert board["players"][0]["elo"] == pytest.approx(-said.elo, abs=0.1)


def test_the_same_duel_played_twice_is_no_more_evidence(tmp_path: Path) -> None:
    play(tmp_path / "runs" / "a", request("bot:greedy", "bot:random", pairs=8))
    once = boards(tmp_path)[0]
    shutil.copytree(tmp_path / "runs" / "a", tmp_path / "runs" / "b")
    twice = boards(tmp_path)[0]
    assert twice["pairs"] == 2 * once["pairs"]
    for before, after in zip(once["players"], twice["players"], strict=True):
        assert after["matches"] == 2 * before["matches"]
        assert (after["elo"], after["elo_low"]) == (before["elo"], before["elo_low"])
    assert "16 complete pairs on 8 instances" in leaderboard(tmp_path).stdout


def test_what_the_stand_in_answered_is_never_joined_with_a_model(tmp_path: Path) -> None:
    for name, answered in (("a", "claude-sonnet-5-5"), ("b", "simulated/greedy")):
        play(tmp_path / "runs" / name, request("sim:greedy", "bot:random", pairs=2, seed=ord(name)))
        with sqlite3.connect(tmp_path / "runs" / name / "record.db") as db:
            db.execute("UPDATE player SET kind = 'anthropic', hash = 'h' WHERE id = 1")
            db.execute("UPDATE call SET model_reported = ?", (answered,))
    (board,) = boards(tmp_path)
    assert len(board["players"]) == 3
    out = leaderboard(tmp_path).stdout
    assert "(stand-in)" in out and "was answered by simulated/greedy" in out


def test_players_of_one_name_are_told_apart_by_what_differs(tmp_path: Path) -> None:
    for style in ("default", "terse"):
        play(
            tmp_path / "runs" / style, request("sim:greedy", "bot:random", pairs=1, conduct={"style": style})
        )
    (board,) = boards(tmp_path)
    names = {player["name"] for player in board["players"]}
    assert names == {"sim:greedy style=default", "sim:greedy style=terse", "bot:random"}


def test_the_table_says_what_it_rests_on(house: Path) -> None:
    out = leaderboard(house, "--game", "tictactoe").stdout
    assert "tictactoe · open track" in out and "tictactoe · rules track" in out
    assert "from 11 complete pairs" in out
    assert "provisional: fewer than 30 pairs" in out
    assert "No finished match of chess" in leaderboard(house, "--game", "chess").stdout


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table_keeps_to_the_terminal_and_names_what_it_left_out(house: Path, columns: int) -> None:
    out = leaderboard(house, columns=columns).stdout
    assert max(len(line.rstrip()) for line in out.splitlines()) <= columns
    assert "Elo" in out and "score" in out
    assert "…" not in out.replace("(all in --json)", "")
    assert ("No room here for" in out) == (columns < 120)


def test_an_unfinished_run_counts_its_matches_but_is_not_rated(tmp_path: Path) -> None:
    play(tmp_path / "runs" / "a", request("bot:greedy", "bot:random", pairs=1), concurrency=1, stop_after=9)
    done = leaderboard(tmp_path)
    assert done.exit_code == 0
    assert "No pair was completed" in done.stdout


def test_a_bad_record_is_named_and_the_others_are_shown(house: Path, tmp_path: Path) -> None:
    shutil.copytree(house / "runs", tmp_path / "runs")
    (tmp_path / "runs" / "bad").mkdir()
    (tmp_path / "runs" / "bad" / "record.db").write_text("not a database")
    some = leaderboard(tmp_path)
    assert some.exit_code == 1
    assert "left out: runs/bad" in some.stderr and "open track" in some.stdout
    none = leaderboard(tmp_path, "runs/bad", "nowhere")
    assert none.exit_code == 2
    assert "no record at nowhere" in none.stderr
    shutil.rmtree(tmp_path / "runs")
    empty = leaderboard(tmp_path)
    assert empty.exit_code == 2 and "play a duel first" in empty.stderr
