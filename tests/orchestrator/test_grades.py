"""Grades on record are the engine's, once a position, whatever ends the command; figures are what enumeration says."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

import engine
from engine import Grader
from orchestrator.grades import Filter, Known, Method, Report, grade_run
from orchestrator.ratings.quality import BLUNDER, Graded, quality, ratio
from orchestrator.record.database import RecordError
from orchestrator.record.reading import run_result
from orchestrator.record.store import Record
from tests.orchestrator.duels import integrity, play, request

AUTO, EXACT = Method.parse("auto"), Method.parse("exact")


def grades(directory: Path) -> list[tuple[object, ...]]:
    """All that is on record but the seconds."""
    with closing(sqlite3.connect(directory / "record.db", isolation_level=None)) as db:
        return db.execute(
            "SELECT decision, method, exact, worth, best, regret, visits FROM grade ORDER BY decision"
        ).fetchall()


def of(report: Report, spec: str) -> list[Graded]:
    (player,) = (player.id for player in report.players.values() if player.spec == spec)
    return [
        Graded(each.cluster, each.known.worth, each.known.worth[each.legal.index(each.action)])
        for each in report.decisions
        if each.player == player
    ]


def test_the_perfect_player_regrets_nothing_and_every_grade_is_the_engines(tmp_path) -> None:
    play(tmp_path, request("bot:perfect", "bot:random", pairs=8))
    report = grade_run(tmp_path, EXACT)
    perfect, chance = (quality(of(report, spec)) for spec in ("bot:perfect", "bot:random"))
    assert perfect is not None and chance is not None
    assert perfect.regret.mean == 0.0 and perfect.best.mean == 1.0 and perfect.blunders.mean == 0.0
    assert perfect.accuracy.mean == 1.0 and perfect.accuracy.low < 1.0
    assert chance.regret.mean > 0.1
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        rows = db.execute(
            "SELECT d.state, d.action, d.legal, g.* FROM decision d JOIN grade g ON g.decision = d.id"
        ).fetchall()
    assert len(rows) == len(report.decisions) == report.graded > report.searched
    for state, action, legal, _, method, exact, worth, best, regret, visits, seconds in rows:
        found = engine.grade(engine.from_bytes(state))
        assert (method, exact, visits) == ("solver:tictactoe", 1, None)
        assert dict(zip(json.loads(legal), json.loads(worth), strict=True)) == {
            entry.action: entry.value for entry in found.values
        }
        assert json.loads(best) == list(found.best()) and regret == found.regret(action) and seconds >= 0
    assert integrity(tmp_path) == "ok"


def test_the_random_player_gets_exactly_its_expectation() -> None:
    """Every position of TicTacToe, every move of it once: what a player that draws its moves gets there."""
    grader, level, count = Grader(scores=False), {engine.new("tictactoe").position_bytes()}, 0
    game = engine.new("tictactoe")
    while level:
        following = set()
        for data in level:
            game.set_position(data)
            legal = game.legal_actions()
            if legal:
                count += 1
                values = [entry.value for entry in grader.grade(game).values]
                found = quality(Graded(data, values, value) for value in values)
                assert found.regret.mean == pytest.approx(max(values) - sum(values) / len(values), abs=1e-12)
                assert (
                    found.best.mean == pytest.approx(found.chance) == values.count(max(values)) / len(values)
                )
            for action in legal:
                child = game.clone()
                child.step(action)
                following.add(child.position_bytes())
        level = following
    assert count == 4520


def test_a_drawn_first_move_of_connect4_gives_away_what_is_known() -> None:
    """The middle wins, its neighbours draw, the others lose: (0 + 2 * 1 + 4 * 2) / 7."""
    values = [entry.value for entry in Grader(scores=False).grade(engine.new("connect4")).values]
    found = quality(Graded(number, values, value) for number, value in enumerate(values))
    assert found.regret.mean == pytest.approx(10 / 7) and found.best.mean == pytest.approx(1 / 7)
    assert found.blunders.mean == pytest.approx(6 / 7) and found.chance == pytest.approx(1 / 7)


@pytest.mark.skipif(not engine.is_compiled(), reason="as plain Python it takes minutes")
def test_the_perfect_player_regrets_nothing_at_connect4(tmp_path) -> None:
    """Also where its budget did not reach an exact score."""
    perfect = "bot:perfect?nodes=1000000"
    play(tmp_path, request(perfect, "bot:mcts:100", pairs=1, game="connect4"))
    report = grade_run(tmp_path, EXACT)
    found = quality(of(report, perfect))
    assert found.regret.mean == 0.0 and found.best.mean == 1.0 and found.decisions > 10
    assert not report.ungraded and quality(of(report, "bot:mcts:100")).regret.mean > 0.0


def test_what_is_on_record_is_graded_again_by_a_better_method_only(tmp_path) -> None:
    play(tmp_path, request("bot:random", "bot:random", pairs=2, game="connect4"))
    few, more = Method.parse("search:50"), Method.parse("search:90")
    first = grade_run(tmp_path, few)
    assert first.graded == len(first.decisions) > 0
    kept = grades(tmp_path)
    assert {method for _, method, *_ in kept} == {"shares:50?c=1.4"}
    assert grade_run(tmp_path, few).graded == grade_run(tmp_path, Method.parse("search:9")).graded == 0
    assert grades(tmp_path) == kept
    assert grade_run(tmp_path, more).graded == first.graded
    assert {method for _, method, *_ in grades(tmp_path)} == {"shares:90?c=1.4"}


def test_what_no_solver_reaches_is_searched_or_left() -> None:
    searched, exact = Known("shares:100?c=1.4", False, [0.0]), Known("solver:connect4", True, [0.0])
    hundred = Method.parse("auto:100")
    assert EXACT.missing("othello", None) == EXACT.missing("othello", searched) == (True, 0)
    assert EXACT.missing("blob", None) is None and not EXACT.takes(searched)
    assert hundred.missing("othello", searched) == (True, 0)  # a solver may do better
    assert hundred.missing("blob", searched) is None and hundred.takes(searched)
    assert Method.parse("auto:101").missing("blob", searched) == (False, 101)
    assert hundred.missing("connect4", exact) is None and Method.parse("search:5").takes(exact)
    for wrong in ("exact:3", "search:0", "search:x", "minimax", "auto:99999999999"):
        with pytest.raises(ValueError, match="expected exact, search:N or auto:N"):
            Method.parse(wrong)


def test_any_number_of_processes_finds_the_same(tmp_path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    play(one, request("bot:greedy", "bot:random", pairs=1, game="othello", seed=4))
    shutil.copytree(one, two)
    told: list[tuple[int, int]] = []
    alone = grade_run(one, Method.parse("search:40"), jobs=1)
    grade_run(two, Method.parse("search:40"), jobs=2, on_progress=lambda *at: told.append(at))
    assert grades(one) == grades(two) and len(grades(one)) == len(alone.decisions)
    assert told[-1] == (alone.searched, alone.searched) and len(told) == alone.searched


def test_hidden_cards_are_graded_by_what_the_seat_knew(tmp_path) -> None:
    play(
        tmp_path,
        request("bot:random", "bot:random", "bot:random", game="blob", variant={"players": 3}, pairs=1),
    )
    report = grade_run(tmp_path, Method.parse("search:60"))
    assert report.graded == len(report.decisions) > 0
    for _, method, exact, worth, _, regret, visits in grades(tmp_path):
        assert (method, exact) == ("ismcts:60?c=1.4", 0)
        assert len(json.loads(worth)) == len(json.loads(visits)) and 0 <= regret <= 2


def test_only_some_matches_and_one_game(tmp_path) -> None:
    play(tmp_path, request("bot:random", "bot:random", pairs=2))
    match = run_result(tmp_path).matches[1].id
    some = grade_run(tmp_path, EXACT, Filter("tictactoe", [match[-6:]]))
    assert {each.match for each in some.decisions} == {match}
    assert not grade_run(tmp_path, EXACT, Filter("othello")).decisions
    assert len(grades(tmp_path)) == len(some.decisions)


def test_a_run_that_is_being_played_is_not_written(tmp_path) -> None:
    play(tmp_path, request("bot:random", "bot:random", pairs=1))
    with Record(tmp_path):
        report = grade_run(tmp_path, EXACT)
        assert report.graded == len(report.decisions) > 0 and report.kept == "the run is being played"
    assert grades(tmp_path) == []


def test_what_cannot_be_graded_is_said(tmp_path) -> None:
    play(tmp_path, request("bot:random", "bot:random", pairs=1))
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        db.execute("UPDATE decision SET state = x'00' WHERE ply = 0")
        db.execute("UPDATE decision SET legal = '[0, 1]' WHERE ply = 1")
    report = grade_run(tmp_path, EXACT)
    assert sum(report.unread.values()) == 4 and any("other moves are legal" in why for why in report.unread)
    assert {each.ply for each in report.decisions}.isdisjoint({0, 1}) and report.decisions
    with pytest.raises(RecordError, match="no record"):
        grade_run(tmp_path / "nowhere", EXACT)


SLOW = """
import sys, time
from orchestrator import grades
answer = grades._answer
def slow(question):
    time.sleep(0.02)
    return answer(question)
grades._answer = slow
print("begun", flush=True)
grades.grade_run(__import__("pathlib").Path(sys.argv[1]), grades.Method.parse("exact"))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
def test_after_a_kill_it_goes_on_where_it_was(tmp_path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    play(whole, request("bot:random", "bot:random", pairs=10))
    shutil.copytree(whole, cut)
    positions = grade_run(whole, EXACT).searched
    child = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(cut)], env={**os.environ}, stdout=subprocess.PIPE
    )
    with child:
        while not grades(cut) and child.poll() is None:
            time.sleep(0.01)
        child.kill()
    assert 0 < len(grades(cut)) < len(grades(whole)) and integrity(cut) == "ok"
    assert 0 < grade_run(cut, EXACT).searched < positions
    assert grades(cut) == grades(whole)


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_figures_of_a_few_decisions_by_hand() -> None:
    lost, drawn = Graded("a", [1.0, 0.0, -1.0, 1.0], -1.0), Graded("b", [0.0, -1.0], 0.0)
    found = quality([lost, drawn, Graded("b", [-1.0, -1.0], -1.0)])
    assert found is not None and (found.decisions, found.matches) == (3, 2)
    assert found.regret.mean == pytest.approx(2 / 3) and found.best.mean == pytest.approx(2 / 3)
    assert found.blunders.mean == pytest.approx(1 / 3) and found.chance == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert found.accuracy is not None and found.accuracy.mean == pytest.approx(1 - 2 / 3)
    assert quality([]) is None
    nothing = quality([Graded("a", [0.0, 0.0], 0.0)])
    assert nothing is not None and nothing.accuracy is None
    assert Graded("a", [0.5, 0.5 - BLUNDER], 0.5 - BLUNDER).is_blunder
    assert not Graded("a", [0.5, 0.3], 0.3).is_blunder


def test_intervals_stay_in_the_scale_and_have_a_width() -> None:
    assert ratio(["a", "a"], [1.0, 1.0], [1.0, 1.0]) == (0.0, 1.0, 1.0)
    sweep = ratio(list(range(20)), [1.0] * 20, [1.0] * 20)
    assert 0.8 < sweep.low < 0.9 and sweep.mean == sweep.high == 1.0
    same = ratio(
        [number // 50 for number in range(1000)], [float(n // 50 % 2) for n in range(1000)], [1.0] * 1000
    )
    apart = ratio(list(range(1000)), [float(n % 2) for n in range(1000)], [1.0] * 1000)
    assert same.high - same.low > 5 * (apart.high - apart.low)


@pytest.mark.parametrize("together", [0.0, 0.8])
def test_intervals_cover(together: float) -> None:
    """Thirty matches of ten to thirty decisions, whose rates hang together or do not, by simulation."""
    chance, truth, inside = random.Random(5), 0.3, 0
    for _ in range(400):
        clusters, parts = [], []
        for match in range(30):
            rate = truth if chance.random() > together else chance.choice([0.1, 0.5])
            for _ in range(chance.randint(10, 30)):
                clusters.append(match)
                parts.append(float(chance.random() < rate))
        found = ratio(clusters, parts, [1.0] * len(parts))
        inside += found.low <= truth <= found.high
    assert 0.92 <= inside / 400 <= 0.985
