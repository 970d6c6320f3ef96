"""Forecasts from the question to the report: asked, recorded, replayed, joined over runs, judged."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import engine
from orchestrator.estimate import rehearse_all
from orchestrator.forecasts import Forecaster, forecasters
from orchestrator.grades import EVERYTHING, Method, grade_run
from orchestrator.model import Conduct
from orchestrator.players import StopSign, Turn
from orchestrator.record.reading import run_result
from orchestrator.replay import replay
from orchestrator.report import forecasts
from orchestrator.report.section import Estimated, Plot, Section, read
from orchestrator.request import DuelRequest
from orchestrator.runfile import document
from orchestrator.table import SpecError, Table
from orchestrator.verify import verify
from tests.orchestrator.duels import play, request, rows
from tests.orchestrator.scripted import Scripted, model, said
from tests.orchestrator.test_cassette import Recording
from tests.served import served

ASKED = {"forecast": True}
CALIBRATED, OVER = "sim:random?forecaster=calibrated", "sim:random?forecaster=overconfident"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of forecasters of whom everything is known, and of some that were not asked."""
    place = tmp_path_factory.mktemp("runs")
    play(place / "a", request(CALIBRATED, OVER, pairs=60, conduct=ASKED), concurrency=60)
    play(place / "b", request(OVER, CALIBRATED, pairs=60, seed=2, conduct=ASKED), concurrency=60)
    sloppy = "sim:random?forecaster=hopeful&illegal=0.1&forecast=yes"
    play(place / "c", request(sloppy, "bot:random", pairs=30, seed=3, conduct={"reasks": 0}), concurrency=60)
    play(place / "d", request(CALIBRATED, "bot:random", pairs=3), concurrency=60)
    many = {"game": "blob", "variant": {"players": 3, "rounds": 1, "cards": 2}}
    play(place / "e", request("sim:random?forecast=yes", "bot:greedy", "bot:random", pairs=3, **many))
    return place


def found(place: Path, names: str) -> dict[str, Forecaster]:
    return {each.line.name: each for each in forecasters([run_result(place / name) for name in names])}


def section(place: Path, names: str) -> Section:
    (one,) = forecasts.sections(read([place / name for name in names]))
    return one


def changed(run: Path, *statements: str) -> None:
    with closing(sqlite3.connect(run / "record.db", isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def counted(run: Path, query: str) -> Any:
    with closing(sqlite3.connect(run / "record.db", isolation_level=None)) as db:
        return db.execute(query).fetchone()


# ── asking ───────────────────────────────────────────────────────────────────────────────────────────


def test_it_is_off_unless_asked_for_and_then_another_player() -> None:
    table = Table()
    plain, same, asked = (
        table.seat(f"sim:greedy{option}") for option in ("", "?forecast=no", "?forecast=yes")
    )
    assert plain.conduct.forecast is same.conduct.forecast is False and asked.conduct.forecast is True  # type: ignore[attr-defined]
    assert plain.seated.hash == same.seated.hash != asked.seated.hash
    of_run = table.seat("sim:greedy", Conduct(forecast=True))
    assert of_run.seated.hash == asked.seated.hash
    assert table.seat("sim:greedy?forecast=no", Conduct(forecast=True)).seated.hash == plain.seated.hash


def test_what_cannot_be_asked_for_one_is_refused_aloud() -> None:
    with pytest.raises(SpecError, match="forecast=perhaps: expected yes or no"):
        Table().seat("sim:greedy?forecast=perhaps")
    with pytest.raises(SpecError, match="a native decision has no forecast: leave it out"):
        Table().seat("sim:greedy?mode=decision&forecast=yes")
    with pytest.raises(SpecError, match="a native decision has no forecast: leave it out"):
        Table().seat("google:gemini-decision-1", Conduct(forecast=True), unpriced=True)


@pytest.mark.parametrize(
    ("text", "forecast"),
    [
        ('{"rationale": "", "action": 4, "forecast": 70}', 0.7),
        ('{"rationale": "", "action": 4}', None),
        ('{"rationale": "", "action": 4, "forecast": "high"}', None),
        ("Action: 4\nForecast: 70 %", 0.7),
    ],
)
def test_a_forecast_is_of_the_decision_and_never_costs_an_ask(text: str, forecast: float | None) -> None:
    scripted = Scripted([said(text)])
    view = engine.new("tictactoe", 1).view(0)
    turn = Turn("m-000", engine.Rng(1), 7, StopSign(), lambda call: None)
    made = asyncio.run(model(scripted, forecast=True).choose(view, turn))
    assert (made.action, made.outcome, made.illegal, made.forecast) == (4, "ok", 0, forecast)
    assert len(scripted.seen) == 1
    (request_sent,) = scripted.seen
    assert request_sent.schema is not None and "forecast" in request_sent.schema["properties"]
    assert '"forecast" (integer)' in request_sent.system


def test_an_estimate_measures_the_questions_that_will_be_put() -> None:
    from orchestrator.estimate import Lot

    table = Table()
    seats = [table.seat(spec).seated for spec in ("sim:greedy", "sim:greedy?forecast=yes")]
    (rehearsed,) = rehearse_all(seats, [Lot("tictactoe", {}, (0, 1), 4)], seed=1)
    plain, asked = (
        rehearsed.forms[way] for way in sorted(rehearsed.forms, key=lambda way: way.form == "forecast")
    )
    assert asked.system > plain.system and asked.schema > plain.schema and asked.user == plain.user


# ── the record ───────────────────────────────────────────────────────────────────────────────────────


def test_it_is_on_record_with_every_answer_and_replays_row_by_row(house: Path, tmp_path: Path) -> None:
    assert counted(house / "a", "SELECT count(*), count(forecast) FROM decision WHERE outcome = 'ok'") == (
        counted(house / "a", "SELECT count(*), count(*) FROM decision")
    )
    assert counted(house / "d", "SELECT count(forecast) FROM decision") == (0,)
    checked = verify(house / "c")
    assert not checked.asked and not checked.read
    play(
        tmp_path / "run",
        request(CALIBRATED, "bot:random", conduct=ASKED),
        Recording(tmp_path / "tape", "extend"),
    )
    play(
        tmp_path / "same",
        request(CALIBRATED, "bot:random", conduct=ASKED),
        Recording(tmp_path / "tape", "replay"),
    )
    assert rows(tmp_path / "run") == rows(tmp_path / "same")
    assert not replay(tmp_path / "run", tmp_path / "again").differences


def test_a_run_of_an_earlier_version_goes_on_unasked(tmp_path: Path) -> None:
    asked = request("sim:greedy", "bot:random", pairs=4)
    play(tmp_path / "whole", asked)
    play(tmp_path / "old", asked, stop_after=6)
    changed(
        tmp_path / "old",
        "UPDATE run SET request = json_remove(request, '$.conduct.forecast')",
        "UPDATE player SET parameters = json_remove(parameters, '$.forecast')",
    )
    with closing(sqlite3.connect(tmp_path / "old" / "record.db", isolation_level=None)) as db:
        (kept,) = db.execute("SELECT request FROM run").fetchone()
    known = DuelRequest.from_json(json.loads(kept))
    assert known.conduct == asked.conduct and document(known)["conduct"]["forecast"] is False
    play(tmp_path / "old", known)
    assert rows(tmp_path / "old", calls=False) == rows(tmp_path / "whole", calls=False)


def test_services_are_asked_in_their_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from providers.simulated import Behaviour

    with served(Behaviour.of("random", forecaster="calibrated")) as server:
        for name in ("ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"):
            monkeypatch.setenv(name, server.url)
        for name in ("OPENAI_BASE_URL", "LOCAL_BASE_URL"):
            monkeypatch.setenv(name, f"{server.url}/v1")
        for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"):
            monkeypatch.setenv(name, "any-key-will-do")
        for number, (one, other) in enumerate(
            [
                ("anthropic:claude-haiku-5-5", "google:gemini-3.8-flash"),
                ("openai:gpt-6-luna", "local:some-model?mode=text"),
            ]
        ):
            run = tmp_path / str(number)
            play(run, request(one, other, pairs=1, conduct=ASKED))
            assert counted(run, "SELECT count(*) = count(forecast), count(*) > 9 FROM decision") == (1, 1)
            assert counted(run, "SELECT count(DISTINCT forecast) > 3 FROM decision") == (1,)


# ── what is read ─────────────────────────────────────────────────────────────────────────────────────


def test_forecasters_are_joined_over_runs_and_held_against_their_own_score(house: Path) -> None:
    both = found(house, "abd")
    assert set(both) == {CALIBRATED, OVER}, "who was not asked is another player"
    for forecaster in both.values():
        assert len({each.cluster for each in forecaster.said}) <= 240 and not forecaster.missing
    total = sum(counted(house / name, "SELECT count(*) FROM decision")[0] for name in "ab")
    assert sum(len(each.said) for each in both.values()) == total
    query = """
        SELECT avg(s.score) FROM decision d JOIN player p ON p.id = d.player
        JOIN seat s ON s.match = d.match AND s.player = d.player WHERE p.spec LIKE '%calibrated%'
    """
    scores = [each.score for each in found(house, "a")[CALIBRATED].said]
    assert sum(scores) / len(scores) == pytest.approx(counted(house / "a", query)[0])


def test_repeated_matches_are_one(house: Path) -> None:
    said = found(house, "a")[CALIBRATED].said
    different = counted(house / "a", "SELECT count(DISTINCT went) FROM match")[0]
    assert len({each.cluster for each in said}) == different


def test_forfeits_are_left_out_and_counted(house: Path) -> None:
    (forecaster,) = found(house, "c").values()
    ended = "SELECT count(DISTINCT match) FROM seat WHERE forfeit {} ''"
    assert forecaster.forfeited <= counted(house / "c", ended.format("!="))[0]
    assert forecaster.forfeited > 5
    per_match = "SELECT count(*) FROM decision WHERE mode = 'json' AND match NOT IN ({})"
    clean = per_match.format("SELECT match FROM seat WHERE forfeit != ''")
    assert len(forecaster.said) == counted(house / "c", clean)[0]


def test_an_answer_without_a_forecast_is_missing_and_a_void_match_no_match(tmp_path: Path) -> None:
    play(tmp_path, request(CALIBRATED, "bot:random", pairs=5, conduct=ASKED))
    (whole,) = forecasters([run_result(tmp_path)])
    before = len(whole.said)
    changed(tmp_path, "UPDATE decision SET forecast = NULL WHERE ply < 2 AND mode = 'json'")
    first = counted(tmp_path, "SELECT count(*) FROM decision WHERE ply < 2 AND mode = 'json'")[0]
    (left,) = forecasters([run_result(tmp_path)])
    assert (left.missing, len(left.said)) == (first, before - first)
    changed(tmp_path, "UPDATE match SET status = 'void'")
    assert forecasters([run_result(tmp_path)]) == []


def test_games_are_never_joined(house: Path) -> None:
    everybody = forecasters([run_result(house / name) for name in "abcde"])
    assert len({each.board.title for each in everybody}) == 2
    (at_table,) = (each for each in everybody if each.board.seats == 3)
    assert {each.score for each in at_table.said} <= {0, 0.25, 0.5, 0.75, 1}
    assert {each.forecast for each in at_table.said} == {0.5}


# ── what is said ─────────────────────────────────────────────────────────────────────────────────────


def test_the_planted_are_found_and_the_calibrated_are_not(house: Path) -> None:
    by_player = {row[0]: dict(zip(columns(house, "ab"), row, strict=True)) for row in table(house, "ab").rows}
    assert (
        by_player[OVER]["verdict"] == "over-confident" and by_player[CALIBRATED]["verdict"] == "nothing found"
    )
    assert by_player[OVER]["slope"].high < 1
    fair = by_player[CALIBRATED]
    assert fair["slope"].low < 1 < fair["slope"].high and fair["ECE"] - fair["by chance"] < 0.02
    assert fair["Brier"].value < by_player[OVER]["Brier"].value
    says = section(house, "ab").says
    assert any(f"{OVER} at tictactoe · open track is over-confident; " in each for each in says)
    assert all(" forecasts in " in each and " came." in each for each in says), "the mean is over forecasts"
    assert any("nothing is found wrong with its forecasts" in each for each in says)


def columns(place: Path, names: str) -> list[str]:
    return [column.name for column in table(place, names).columns]


def table(place: Path, names: str) -> Any:
    return next(each for each in section(place, names).tables if each.name == "forecasters")


def test_there_is_no_section_where_nobody_was_asked(house: Path) -> None:
    assert forecasts.sections(read([house / "d"])) == []
    assert forecasts.sections([]) == []


def test_every_row_and_figure_is_whole(house: Path) -> None:
    one = section(house, "abcde")
    assert one.key == "forecasts" and one.says
    assert [each.name for each in one.tables] == ["forecasters", "brier"]
    for each in one.tables:
        assert each.rows and all(len(row) == len(each.columns) for row in each.rows)
        assert "game" in [column.name for column in each.columns]
    names = [figure.name for figure in one.figures]
    assert len(set(names)) == len(names) == 4
    for figure in one.figures:
        assert isinstance(figure, Plot) and figure.diagonal is figure.name.startswith("reliability-")
        for series in figure.series:
            for point in series.points:
                assert isinstance(point.y, Estimated) and point.weight > 0
                assert point.y.low <= point.y.value <= point.y.high  # type: ignore[operator]
            assert [point.x for point in series.points] == sorted(point.x for point in series.points)  # type: ignore[type-var]
    assert "game" not in columns(house, "ab")


def test_whoever_never_gave_one_is_still_told(tmp_path: Path) -> None:
    play(tmp_path, request(CALIBRATED, "bot:random", pairs=2, conduct=ASKED))
    changed(tmp_path, "UPDATE decision SET forecast = NULL")
    (one,) = forecasts.sections(read([tmp_path]))
    assert one.says == ["sim:random at tictactoe · open track gave no forecast that counts."]
    (row,) = one.tables[0].rows
    assert row[-2] > 0 and not one.figures  # type: ignore[operator]


def test_against_the_solver_where_moves_are_graded(tmp_path: Path) -> None:
    """A forecaster who says 50 every time, of moves that mostly hold the draw."""
    play(tmp_path, request("sim:greedy?forecast=yes", "bot:random", pairs=4))
    assert not [each for each in forecasts.sections(read([tmp_path]))[0].tables if each.name == "solver"]
    grade_run(tmp_path, Method.parse("exact"), EVERYTHING)
    (one,) = forecasts.sections(read([tmp_path]))
    (solver,) = (each for each in one.tables if each.name == "solver")
    told = dict(zip([column.name for column in solver.columns], solver.rows[0], strict=True))
    query = """
        SELECT avg((1 + (SELECT max(value) FROM json_each(g.worth)) - g.regret) / 2), count(*)
        FROM grade g JOIN decision d ON d.id = g.decision WHERE d.mode = 'json'
    """
    worth, graded = counted(tmp_path, query)
    assert told["worth"] == pytest.approx(worth) and told["forecasts"] == graded and told["said"] == 0.5
