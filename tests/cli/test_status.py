"""`orchestrator status`: the same figures as the result has, taken from a record that others write."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator import overview
from orchestrator.cli import main, status, text
from orchestrator.overview import NoRun, raised, standing
from orchestrator.record import store, tables
from orchestrator.record.reading import run_result
from orchestrator.record.store import Record
from tests.cli.test_runs import change
from tests.orchestrator.duels import play, request

PLAYERS = ("sim:greedy?price=3,15&illegal=0.2&fail=0.1", "sim:random?price=1,5&refused=0.1")


def invoke(*words: str, columns: int = 80) -> Result:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(main, ["status", *words])


@pytest.fixture(params=[None, 25], ids=["whole", "half"])
def run(request, tmp_path) -> Path:
    play(tmp_path / "run", asked(), stop_after=request.param)
    return tmp_path / "run"


def asked(**more):  # type: ignore[no-untyped-def]
    return request(*PLAYERS, pairs=8, **more)


def test_it_knows_the_tables_without_importing_them() -> None:
    assert overview.SCHEMA == tables.SCHEMA_VERSION
    assert f"{tables.OVER}" == overview.OVER
    assert overview.RECORD_FILE == store.RECORD_FILE
    assert overview.OF_OPEN.format(part="c") == tables.of_match("c.id", "open.id")


def test_its_figures_are_those_of_the_result(run) -> None:
    seen, result = standing(run), run_result(run)
    for player, known in zip(seen["players"], result.standings, strict=True):
        for name in overview.SUMMED[:10]:
            assert player[name] == getattr(known, name), name
        assert [player["latency_ms"], player["latency_p95_ms"]] == known.latency_ms(0.5, 0.95)
        assert round(player["cost_usd"] * 1e12) == known.cost_pico
        assert round(player["possibly_usd"] * 1e12) == known.possibly_pico
        assert player["asked"] == known.asked
        assert sum(player["failures"].values()) == known.failed_calls
        assert player["forfeits"] == known.faults
    assert seen["matches"]["finished"] == result.finished
    assert seen["matches"]["planned"] == 16
    assert seen["matches"]["open"] + seen["matches"]["finished"] + seen["matches"]["void"] == len(
        result.matches
    )
    assert seen["decisions"] == sum(known.decisions for known in result.standings)
    assert seen["failures_of_newest"] is None


def test_it_tells_the_same_on_a_screen(run) -> None:
    seen = standing(run)
    for columns in (80, 120):
        shown = invoke(str(run), columns=columns)
        assert shown.exit_code == 0, shown.output
        *lines, last = shown.output.splitlines()
        assert all(len(line) <= columns for line in lines)
        words = " ".join(shown.output.split())
        assert f"{seen['matches']['finished']}/16" in words
        assert f"{text.dollars(seen['cost']['spent_usd'])} spent" in words
        assert "sim:greedy" in words and ("failed calls" in words) == any(
            player["failures"] for player in seen["players"]
        )
        if seen["go_on"]:
            assert last == f"go on with: orchestrator duel --output {run} --resume", "to be pasted"
        else:
            assert last == f"what came of it: orchestrator show {run}"


def test_json_is_all_of_it(run) -> None:
    seen = standing(run)
    told = json.loads(invoke(str(run), "--json").output)
    assert told == json.loads(json.dumps(seen))


def test_calls_before_the_first_match_are_on_the_bill(tmp_path) -> None:
    play(tmp_path, asked(), stop_after=3)
    with closing(sqlite3.connect(tmp_path / "record.db")) as db, db:
        names = ", ".join(
            name for _, name, *_ in db.execute("PRAGMA table_info(call)") if name not in ("id", "decision")
        )
        db.execute(
            f"INSERT INTO call (id, {names}) "
            f"SELECT (SELECT id FROM run) || '-ready1-1700000000.00.01', {names} FROM call LIMIT 1"
        )
        cost, calls = db.execute("SELECT sum(cost_pico), count(*) FROM call").fetchone()
    seen = standing(tmp_path)
    assert round((seen["cost"]["spent_usd"] + seen["cost"]["possibly_usd"]) * 1e12) == cost
    assert seen["calls"] == calls


def test_what_is_out_is_told_apart_from_what_was_lost(tmp_path) -> None:
    """The worst of a call that left: reserved while somebody plays, possibly billed after a crash."""
    play(tmp_path, asked(), stop_after=25)
    with closing(sqlite3.connect(tmp_path / "record.db")) as db, db:
        (call,) = db.execute(
            "SELECT max(c.id) FROM call c JOIN match m ON c.id >= m.id || '-' AND c.id < m.id || '.' "
            "WHERE m.status = 'stopped' AND c.kind = 'ok'"
        ).fetchone()
        db.execute(
            "UPDATE call SET kind = 'sent', possibly_billed = 1, cost_pico = 5000000000000 WHERE id = ?",
            (call,),
        )
        db.execute("UPDATE run SET status = 'running', finished = NULL")
    died = standing(tmp_path)
    assert died["status"] == "died" and died["out"] == 1
    assert died["cost"]["out_usd"] == 0 and died["cost"]["possibly_usd"] >= 5
    assert died["go_on"] == ["duel", "--output", str(tmp_path), "--resume"]
    with closing(sqlite3.connect(tmp_path / "record.db")) as db, db:
        db.execute("UPDATE run SET budget_pico = 7000000000000")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overview, "is_alive", lambda directory: True)
        alive = standing(tmp_path)
    assert alive["status"] == "running" and alive["go_on"] is None
    assert alive["cost"]["out_usd"] == 5
    assert alive["cost"]["possibly_usd"] == pytest.approx(died["cost"]["possibly_usd"] - 5)
    cost = alive["cost"]
    spent = cost["spent_usd"] + cost["possibly_usd"] + cost["out_usd"]
    assert cost["budget_usd"] == 7 and cost["left_usd"] == pytest.approx(7 - spent)


def test_pace_and_time_left(tmp_path, monkeypatch) -> None:
    """Sixteen matches of which half are over: a decision every second, the last one now."""
    play(tmp_path, asked())
    now = 2_000_000_000.0
    with closing(sqlite3.connect(tmp_path / "record.db")) as db, db:
        names = [name for (name,) in db.execute("SELECT id FROM match ORDER BY id")]
        for name in names[8:]:
            for table in ("decision", "call"):
                db.execute(f"DELETE FROM {table} WHERE id >= ? || '-' AND id < ? || '.'", (name, name))
            for table in ("seat", "tally"):
                db.execute(f"DELETE FROM {table} WHERE match = ?", (name,))
            db.execute("DELETE FROM match WHERE id = ?", (name,))
        made = [id for (id,) in db.execute("SELECT id FROM decision ORDER BY id DESC")]
        db.executemany(
            "UPDATE decision SET decided = ? WHERE id = ?", [(now - n, id) for n, id in enumerate(made)]
        )
        db.execute("UPDATE call SET started = ?", (now,))
        db.execute("UPDATE match SET finished = ?", (now,))
        db.execute("UPDATE run SET status = 'running', finished = NULL, created = ?", (now - 9e6,))
    monkeypatch.setattr(overview, "is_alive", lambda directory: True)
    seen = standing(tmp_path, now)
    seconds = len(made) - 1  # nothing happened before: the run may have been resumed then
    assert seen["rate"]["window_s"] == seconds
    assert seen["rate"]["decisions_per_hour"] == pytest.approx(3600 * len(made) / seconds)
    assert seen["rate"]["matches_per_hour"] == pytest.approx(3600 * 8 / seconds)
    assert seen["rate"]["left_s"] == pytest.approx(seconds), "as many again are left"
    later = standing(tmp_path, now + 3000)
    assert later["rate"] is None, "nothing happened lately"
    monkeypatch.setattr(overview, "is_alive", lambda directory: False)
    assert standing(tmp_path, now)["rate"] is None, "nobody plays"


def test_waves_that_are_out_are_told_with_their_age(tmp_path) -> None:
    play(tmp_path, asked(), stop_after=5)
    with Record(tmp_path) as record:
        run = record.run()
        assert run is not None
        shared = {"run": run.id, "player": 1, "calls": 40, "calls_blob": 1}
        told = [(1, "closed", ""), (2, "open", ""), (3, "closed", "no \x1b[31mmoney")]
        for number, state, error in told:
            record.put(
                tables.Wave(
                    id=f"{run.id}-w{number:04d}.1",
                    number=number,
                    batch=f"batch_{number}",
                    status=state,
                    error=error,
                    submitted=time.time() - 7200,
                    **shared,
                )
            )
    seen = standing(tmp_path)
    assert [(wave["batch"], wave["calls"]) for wave in seen["waves"]] == [("batch_2", 40)]
    assert 7200 <= seen["waves"][0]["age_s"] < 9000
    shown = invoke(str(tmp_path), columns=120).output
    assert "w0002.1  sim:greedy · 40 calls · open for 2 h 00 min · batch_2" in shown
    assert "wave w0003.1: refused: no" in shown and "\x1b" not in shown


def test_what_went_wrong_is_told_once(tmp_path) -> None:
    play(tmp_path, request("sim:greedy?fail=0.6", "bot:random", pairs=6, attempts=2, max_voids=1.0))
    change(tmp_path, "UPDATE call SET error = 'the disk is \x1b]0;full\x07' WHERE kind = 'server'")
    seen = standing(tmp_path)
    trouble = [(each["of"], each["what"], each["text"]) for each in seen["trouble"]]
    assert len(set(trouble)) == len(trouble) <= overview.SHOWN
    assert [each["at"] for each in seen["trouble"]] == sorted(each["at"] for each in seen["trouble"])
    shown = invoke(str(tmp_path), columns=120).output
    assert "\x1b" not in shown and "\x07" not in shown
    for number in range(20):
        change(
            tmp_path,
            "UPDATE match SET status = 'void', reason = ? WHERE id = (SELECT min(id) FROM match)",
            number,
        )
    assert "void" in invoke(str(tmp_path)).output


def test_failures_of_very_many_matches_are_those_of_the_newest(tmp_path, monkeypatch) -> None:
    play(tmp_path, asked())
    query = "SELECT DISTINCT match AS id FROM tally WHERE failed_calls > 0 ORDER BY match DESC LIMIT"
    assert f"{query} {overview.FAILED}" in overview.FAILURES
    monkeypatch.setattr(overview, "FAILURES", overview.FAILURES.replace(f"{query} 1000", f"{query} 1"))
    monkeypatch.setattr(overview, "FAILED", 1)
    seen = standing(tmp_path)
    assert seen["failures_of_newest"] == 1
    assert sum(sum(player["failures"].values()) for player in seen["players"]) < sum(
        player["failed_calls"] for player in seen["players"]
    )
    assert "(of the newest 1 matches" in " ".join(invoke(str(tmp_path)).output.split())


def test_walls_are_raised_where_they_were_met() -> None:
    players = [
        {"number": 1, "label": "claude", "spec": "anthropic:c", "model": "c"},
        {"number": 2, "label": "gpt", "spec": "openai:g", "model": "g"},
    ]
    walls = ("$5", "claude=1", "2=0.5")
    assert raised(walls, "the budget is reached: $5", players) == ["10", "claude=1", "2=0.5"]
    assert raised(walls, "the budget of gpt is reached: $0.5", players) == ["$5", "claude=1", "2=1"]
    assert raised(walls, "the budget of claude is reached: $1", players) == ["$5", "claude=2", "2=0.5"]


def test_the_shares_are_those_of_a_standing() -> None:
    from collections import Counter

    from orchestrator.record.reading import Standing

    for values in ([], [7], [1, 2], list(range(100)), [5] * 9 + [900]):
        times = Counter(values)
        known = Standing(player=None, times=times)  # type: ignore[arg-type]
        assert overview._shares(times, (0.5, 0.95)) == known.latency_ms(0.5, 0.95)


def test_watching_ends_with_the_run(tmp_path, monkeypatch, capsys) -> None:
    play(tmp_path, asked(), stop_after=25)
    change(tmp_path, "UPDATE run SET status = 'running'")
    looks = iter([True, True, False])
    monkeypatch.setattr(overview, "is_alive", lambda directory: next(looks))
    assert status.watch(tmp_path, False, 0.0) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["running", "running", "died"]
    looks = iter([True, False])
    assert status.watch(tmp_path, True, 0.0) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["status"] for each in told] == ["running", "died"]


def test_watching_is_left_with_ctrl_c(tmp_path, monkeypatch) -> None:
    play(tmp_path, asked(), stop_after=25)
    change(tmp_path, "UPDATE run SET status = 'running'")
    monkeypatch.setattr(overview, "is_alive", lambda directory: True)

    def pressed(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(status.time, "sleep", pressed)
    assert status.watch(tmp_path, False) == 130


def test_who_asks_for_nothing_is_told_what_there_is(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = invoke("nothing")
    assert shown.exit_code == 2 and "there is no run 'nothing': there is none in runs/" in shown.output
    (tmp_path / "runs" / "bad").mkdir(parents=True)
    (tmp_path / "runs" / "bad" / "record.db").write_bytes(b"\x00" * 5000)
    shown = invoke("bad")
    assert shown.exit_code == 2 and "cannot be read" in shown.output
    with pytest.raises(NoRun):
        standing(tmp_path / "runs" / "bad")


def test_figures_are_plain(tmp_path) -> None:
    play(tmp_path, asked())
    flat = json.dumps(standing(tmp_path), allow_nan=False)
    assert all(math.isfinite(value) for value in [json.loads(flat)["cost"]["spent_usd"]])
