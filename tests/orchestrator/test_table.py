"""More than two at a table: who sits where, what a match is worth, and that nothing gets lost."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from itertools import permutations
from statistics import mean

import pytest

import engine
from orchestrator.fixture import Fixture, Result, around
from orchestrator.match import forfeited
from orchestrator.record.reading import run_result
from orchestrator.record.tallies import keep_tallies
from orchestrator.request import seated_game
from orchestrator.summary import summary
from providers.base import Retryable
from tests.orchestrator.duels import Invited, integrity, play, request, rows
from tests.orchestrator.highcard import install
from tests.orchestrator.scripted import Scripted, model, said

THREE = ("bot:greedy", "bot:random", "sim:random?illegal=0.2&malformed=0.1&price=3,15")


@pytest.fixture(autouse=True)
def highcard(tmp_path_factory, monkeypatch) -> None:
    path = install(tmp_path_factory.mktemp("installed"))
    monkeypatch.syspath_prepend(path.split(os.pathsep)[0])


def table(*players, **asked):
    variant = {"players": len(players)}
    return request(*players, **{"game": "highcard", "variant": variant, "pairs": 4, **asked})


def seatings(players: int, deals: int):
    return [
        Fixture("m", deal, swap, 0, 1, "highcard", around(7, deal, players)).seating()
        for deal in range(deals)
        for swap in range(players)
    ]


# ── who sits where ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("players", [2, 3, 4, 5, 8])
def test_in_every_deal_everybody_sits_on_every_seat_once(players) -> None:
    for deal in range(9):
        sat = Counter(
            (seat, player)
            for seating in seatings(players, 9)[deal * players : (deal + 1) * players]
            for seat, player in enumerate(seating)
        )
        assert sat == dict.fromkeys(
            ((seat, player) for seat in range(players) for player in range(players)), 1
        )


@pytest.mark.parametrize("players", [3, 4, 5, 8])
def test_over_two_deals_everybody_sits_as_often_before_as_after_everybody(players) -> None:
    for first in range(0, 10, 2):
        orders = [around(7, deal, players) for deal in (first, first + 1)]
        after = Counter((order[i - 1], order[i]) for order in orders for i in range(players))
        assert all(after[a, b] == after[b, a] for a, b in permutations(range(players), 2))


def test_the_order_changes_from_deal_to_deal_and_with_the_seed() -> None:
    assert around(7, 0, 5) == (0, 1, 2, 3, 4)
    assert len({around(7, deal, 5) for deal in range(40)}) > 12
    assert [around(7, deal, 5) for deal in range(20)] != [around(8, deal, 5) for deal in range(20)]
    assert {around(seed, deal, 2) for seed in range(9) for deal in range(9)} == {(0, 1)}


def test_the_record_tells_who_sat_where(tmp_path) -> None:
    _, result = play(tmp_path, table("bot:greedy", "bot:random", "bot:mcts:2", "bot:random", pairs=6))
    seats = rows(tmp_path)["seat"]
    assert Counter((seat, player) for _, seat, player, *_ in seats) == dict.fromkeys(
        ((seat, player) for seat in range(4) for player in (1, 2, 3, 4)), 6
    )
    assert len({match.seed for match in result.matches}) == 6
    orders = {match.sat for match in result.matches}
    assert len(orders) > 8, "turning one order alone would give four"
    decided = {(row[0][:6], row[2]): row[3] for row in rows(tmp_path)["decision"]}
    assert all(decided[match, seat] == player for match, seat, player, *_ in seats)


def test_who_begins_is_told_and_need_not_be_the_first_seat(tmp_path) -> None:
    events = []
    variant = {"players": 3, "rounds": 1, "cards": 1}
    asked = table("bot:greedy", "bot:random", "bot:mcts:2", game="blob", variant=variant, pairs=1)
    play(tmp_path, asked, events=events)
    for started in (event for event in events if event.get("status") == "started"):
        first = next(
            event for event in events if event["type"] == "decision" and event["match"] == started["id"]
        )
        assert started["begins"] == 1 and started["seats"][1] == first["player"]


# ── what a match is worth ────────────────────────────────────────────────────────────────────────


def test_a_first_place_alone_is_a_win_and_a_shared_one_a_draw() -> None:
    assert Result((9, 4, 4, 0), 9, ("",) * 4).outcomes == ("win", "loss", "loss", "loss")
    assert Result((4, 4, 1), 9, ("",) * 3).outcomes == ("draw", "draw", "loss")
    assert Result((4, 4, 1), 9, ("",) * 3).points == (4, 4, 1)


def test_who_forfeits_comes_last_and_the_others_are_level_without_points() -> None:
    result = forfeited(engine.new("highcard", 1, players=4), 2, "illegal")
    assert (result.ranks, result.outcomes) == ((1, 1, 4, 1), ("draw", "draw", "loss", "draw"))
    assert result.scores == pytest.approx((2 / 3, 2 / 3, 0, 2 / 3))
    assert result.points == (None,) * 4 and sum(result.scores) == pytest.approx(2)


def test_the_record_keeps_what_the_game_paid(tmp_path) -> None:
    play(tmp_path, table("bot:random", "sim:random?prose=0.3&seed=2", "bot:random", pairs=5))
    with closing(sqlite3.connect(tmp_path / "record.db")) as db:
        paid = db.execute(
            "SELECT match, group_concat(points), max(forfeit) FROM seat GROUP BY match"
        ).fetchall()
        shown = db.execute("SELECT match, players, points, first, forfeit FROM v_match").fetchall()
        per_seat = db.execute("SELECT count(*), sum(points) FROM v_seat").fetchone()
    kinds = {(points is None, bool(forfeit)) for _, points, forfeit in paid}
    assert kinds == {(True, True), (False, False)}, "both kinds of ending, and points in one of them"
    whole = [match for match, points, _ in paid if points]
    assert per_seat == (45, float(len(whole)))
    for match, players, points, first, forfeit in shown:
        names = players.split(" – ")
        assert len(names) == 3 and (points is None) == bool(forfeit)
        if points:
            assert first == names[points.split(" – ").index("1.0")] and match in whole
        else:
            assert forfeit.startswith("sim:random: ") and "sim:random" not in first


def test_the_summary_says_what_came_of_each(tmp_path) -> None:
    _, result = play(tmp_path, table(*THREE, pairs=6))
    told = json.loads(json.dumps(summary(result), allow_nan=False))
    assert (told["pairs"], told["matches"], told["planned"], told["elo"]) == (6, 18, 18, None)
    players = told["players"]
    assert sum(player["firsts"] for player in players) == pytest.approx(18, abs=0.001)
    assert sum(player["score"] for player in players) == pytest.approx(1.5)
    for player in players:
        assert player["score_low"] <= player["score"] <= player["score_high"]
        assert 1 <= player["rank"] <= 3 and 0 <= player["points"] <= 1
    lead = told["lead"]
    by_score = sorted(players, key=lambda player: -player["score"])
    assert [lead["first"], lead["second"]] == [player["label"] for player in by_score[:2]]
    assert lead["by"] == pytest.approx(by_score[0]["score"] - by_score[1]["score"], abs=0.001)
    assert lead["low"] <= lead["by"] <= lead["high"]


def test_a_score_and_its_interval_are_of_the_same_deals(tmp_path) -> None:
    """Whoever is ahead by matches of unfinished deals is not above whom the verdict calls first."""
    _, result = play(tmp_path, table(*THREE, pairs=6))
    with closing(sqlite3.connect(tmp_path / "record.db")) as db, db:
        db.execute("UPDATE seat SET score = player = 3 WHERE match LIKE '%-0003_' OR match LIKE '%-0005_'")
        lost = "match LIKE '%-0003b' OR match LIKE '%-0005c'"
        db.execute(f"UPDATE seat SET score = NULL, rank = NULL, outcome = NULL, points = NULL WHERE {lost}")
        db.execute(f"UPDATE match SET status = 'void' WHERE {lost.replace('match', 'id')}")
    result = run_result(tmp_path)
    told = summary(result)
    assert (told["pairs"], told["matches"]) == (4, 16)
    for player, standing in zip(told["players"], result.standings, strict=True):
        whole = mean(pair[standing.player.id] for pair in result.pairs)
        assert player["score"] == pytest.approx(whole) != pytest.approx(standing.score)
        assert player["score_low"] <= player["score"] <= player["score_high"]
    best = sorted(told["players"], key=lambda player: -player["score"])
    assert [told["lead"]["first"], told["lead"]["second"]] == [player["label"] for player in best[:2]]


def test_one_deal_says_nothing(tmp_path) -> None:
    _, result = play(tmp_path, table(*THREE, pairs=1))
    told = summary(result)
    assert told["lead"] is None and {player["score_low"] for player in told["players"]} == {None}


# ── nothing gets lost ────────────────────────────────────────────────────────────────────────────


def test_one_seed_one_result_with_any_number_of_workers(tmp_path) -> None:
    for workers in (1, 16):
        play(tmp_path / str(workers), table(*THREE), concurrency=workers)
    assert rows(tmp_path / "1") == rows(tmp_path / "16")


def test_a_drained_table_goes_on_where_it_stood(tmp_path) -> None:
    asked = table(*THREE, "bot:random")
    play(tmp_path / "whole", asked)
    for stop_after in (3, 1, 9):
        ending, result = play(tmp_path / "broken", asked, stop_after=stop_after, concurrency=3)
        assert ending.interrupted and result.run.status == "stopped"
    play(tmp_path / "broken", asked)
    assert rows(tmp_path / "broken") == rows(tmp_path / "whole")


def test_trouble_at_a_table_is_nobodys_loss(tmp_path) -> None:
    down = Retryable("server", "down", status=500)
    provider = Scripted([down] * 3, lambda asked: said(json.dumps({"action": asked.choices[0][0]})))
    asked = table("0", "bot:random", "bot:greedy", pairs=2)
    ending, result = play(tmp_path, asked, Invited(model(provider)), concurrency=1)
    assert ending.voids == 0 and [standing.matches for standing in result.standings] == [6, 6, 6]
    (void,) = [match for match in result.matches if match.status == "void"]
    (again,) = [match for match in result.matches if match.replay]
    assert again.status == "finished" and again.id.startswith(void.id)
    assert again.sat == void.sat
    assert len(result.pairs) == 2 and sum(standing.forfeits for standing in result.standings) == 0


def test_kill_9_at_a_table_loses_nothing(tmp_path) -> None:
    players = [f"sim:{bot}?illegal=0.1&latency=0.02" for bot in ("greedy", "random", "random")]
    words = ["--table", ",".join(players), "--game", "highcard", "--games", "24", "--seed", "1"]
    environment = {**os.environ, "PYTHONPATH": install(tmp_path / "installed")}
    broken = tmp_path / "broken"

    def start(*more):
        command = [sys.executable, "-m", "orchestrator", "duel", "--output", str(broken), *more]
        return subprocess.Popen([*command, "--display", "none"], env=environment, stderr=subprocess.PIPE)

    def answered() -> int:
        try:
            with closing(sqlite3.connect(broken / "record.db")) as db:
                return int(db.execute("SELECT count(*) FROM call WHERE kind = 'ok'").fetchone()[0])
        except sqlite3.OperationalError:  # not made yet
            return 0

    process = start(*words, "--concurrency", "2")
    until = time.monotonic() + 60
    while answered() < 9 and time.monotonic() < until and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert 9 <= answered() < 72
    process = start("--resume")
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors.decode()
    play(tmp_path / "whole", table(*players, pairs=8))
    assert rows(broken, calls=False) == rows(tmp_path / "whole", calls=False)
    assert integrity(broken) == "ok"


# ── repeats ──────────────────────────────────────────────────────────────────────────────────────


def test_two_deals_are_never_repeats_and_one_deal_is(tmp_path) -> None:
    """In Highcard there are 8 ways to play at a table of three: 20 deals cannot all differ by moves alone."""
    _, result = play(tmp_path, table("bot:greedy", "bot:random", "bot:random", pairs=20))
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        moves = "SELECT group_concat(action) FROM (SELECT * FROM decision ORDER BY match, ply) GROUP BY match"
        assert len(set(db.execute(moves))) <= 8
        assert (result.repeats, result.distinct_pairs) == (0, 20)
        db.execute("UPDATE decision SET state = x'00'")
        keep_tallies(db, [match.id for match in result.matches])
    again = run_result(tmp_path)
    assert again.repeats > 0 and again.distinct_pairs <= 20


# ── how many fit ─────────────────────────────────────────────────────────────────────────────────


def test_a_game_takes_as_many_as_come_or_says_what_would() -> None:
    assert seated_game("highcard", {}, 4) == ("highcard", {"players": 4})
    assert seated_game("highcard", {"players": 4}, 4) == ("highcard", {"players": 4})
    assert seated_game("connect4", {}, 2) == ("connect4", {})
    for game, variant, players, says in (
        ("highcard", {"players": 3}, 4, r"highcard\?players=3 has 3 seats, but 4 .* leave players=3 out"),
        ("highcard", {"players": 0}, 4, "2 to 5 players, got 0$"),
        ("highcard", {}, 99, "2 to 5 players, got 99: there is no game for so many"),
        ("connect4", {}, 3, "connect4 is for 2 players, got 3: try --game .*highcard"),
        ("chess", {}, 3, "no game 'chess'"),
    ):
        with pytest.raises(ValueError, match=says):
            seated_game(game, variant, players)


def test_one_game_has_one_name_however_it_was_asked_for() -> None:
    """Otherwise runs of the same game would stand on two leaderboards."""
    whole = {"players": 3, "cards": 7, "rounds": 15}
    for asked in ({}, {"cards": 7}, {"rounds": 15}, {"rounds": 0, "players": 3}, whole):
        assert seated_game("blob", asked, 3) == ("blob", whole)
    assert seated_game("blob", {"cards": 8, "rounds": 15}, 3)[1] == {"players": 3, "cards": 8, "rounds": 15}


def test_games_of_openspiel_have_one_name_and_are_offered_for_so_many() -> None:
    pytest.importorskip("pyspiel")
    named = seated_game("openspiel:go(komi=7.5,board_size=5)", {}, 2)
    assert named == seated_game("openspiel:go(board_size=5)", {}, 2) == ("openspiel:go(board_size=5)", {})
    with pytest.raises(
        ValueError, match=r"for 2 players, got 3: try --game 'openspiel:kuhn_poker\(players=3\)'$"
    ):
        seated_game("openspiel:kuhn_poker", {}, 3)
    with pytest.raises(ValueError, match="for 1 player, got 2: try --game"):
        seated_game("openspiel:2048", {}, 2)
