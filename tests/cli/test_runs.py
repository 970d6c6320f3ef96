"""`orchestrator runs`: what there is and how it stands, whatever lies among it; reading leaves no trace."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator import overview
from orchestrator.cli import main
from orchestrator.cli.runs import ago, moment
from orchestrator.control import is_alive
from orchestrator.overview import NoRun, find_run, glance, runs_in
from orchestrator.record.store import Record
from orchestrator.request import GenerateRequest
from tests.orchestrator.duels import play, request


def invoke(*words: str, columns: int = 80) -> Result:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(main, words)


def change(run: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(run / "record.db")) as db, db:
        db.execute(statement, values)


def left_in(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def runs(tmp_path, monkeypatch) -> Path:
    """Two runs of which `two` is the younger, in a working directory of their own."""
    monkeypatch.chdir(tmp_path)
    play(tmp_path / "runs" / "one", request("sim:greedy?price=3,15", "bot:random"))
    play(tmp_path / "runs" / "two", request("bot:greedy", "bot:random", pairs=2))
    change(tmp_path / "runs" / "one", "UPDATE run SET created = created - 86400 * 3")
    return tmp_path / "runs"


def test_the_newest_is_first_and_says_how_it_stands(runs) -> None:
    shown = invoke("runs")
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[2].split() == ["two", "finished", "4/4", "$0", "just", "now"]
    assert lines[3].strip() == "duel bot:greedy vs bot:random · tictactoe"
    assert lines[4].split()[:3] == ["one", "finished", "6/6"]
    assert "began" in invoke("runs", columns=120).output


def test_json_says_the_same(runs) -> None:
    told = json.loads(invoke("runs", "--json").output)
    assert [Path(run["output"]).name for run in told["runs"]] == ["two", "one"]
    two, one = told["runs"]
    assert (two["finished_matches"], two["planned"], two["spent_usd"]) == (4, 4, 0)
    assert one["spent_usd"] > 0 and one["possibly_usd"] == 0 and one["last"] >= one["created"]
    assert told["unreadable"] == []


def test_a_call_that_is_out_is_no_bill_yet_while_somebody_waits_for_it(tmp_path) -> None:
    run = tmp_path / "run"
    play(run, request("sim:greedy?price=3,15", "bot:random"), stop_after=3)
    change(run, "UPDATE run SET status = 'running'")
    names = "player, ask, attempt, http_status, request_id, model_reported, tier, price, latency_ms, started, finish"
    names += (
        ", finish_detail, reasoning_kind, error, input_fresh, cache_read, cache_write_short, cache_write_long"
    )
    change(
        run,
        f"INSERT INTO call (id, kind, possibly_billed, cost_pico, output, reasoning, {names}) "
        f"SELECT open || '-099.00.01', 'sent', 1, 7000000000000, 0, 0, {names} FROM (SELECT * FROM call LIMIT 1), "
        "(SELECT id AS open FROM match WHERE status = 'stopped' LIMIT 1)",
    )
    with Record(run):
        waited = glance(run)
    assert (waited["possibly_usd"], waited["out_usd"], waited["status"]) == (0, 7, "running")
    died = glance(run)
    assert (died["possibly_usd"], died["out_usd"], died["status"]) == (7, 0, overview.DIED)


def test_directories_are_runs_or_folders_of_runs(runs, tmp_path) -> None:
    assert "one" in invoke("runs", str(runs / "one")).output
    assert "two" not in invoke("runs", str(runs / "one")).output
    assert len(json.loads(invoke("runs", str(runs), "--json").output)["runs"]) == 2
    assert "cannot be listed" in invoke("runs", str(tmp_path / "nowhere")).output
    (tmp_path / "no-runs").mkdir()
    assert "No runs here" in invoke("runs", str(tmp_path / "no-runs")).output


def test_without_runs_there_is_a_word(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = invoke("runs")
    assert shown.exit_code == 0 and "orchestrator duel" in shown.output


def test_what_is_no_run_is_a_line_with_the_reason(runs) -> None:
    for name, content in (("empty", None), ("text", b"hello"), ("nothing", b""), ("\x1b]0;evil\x07", b"x")):
        (runs / name).mkdir()
        if content is not None:
            (runs / name / "record.db").write_bytes(content)
    (runs / "other").mkdir()
    with closing(sqlite3.connect(runs / "other" / "record.db")) as db, db:
        db.execute("CREATE TABLE birds (name)")
    (runs / "folder" / "record.db").mkdir(parents=True)
    play(runs / "hurt", request("bot:greedy", "bot:random"))
    change(runs / "hurt", "UPDATE run SET request = '[]'")
    play(runs / "bare", request("bot:greedy", "bot:random"))
    change(runs / "bare", "DELETE FROM run")
    play(runs / "cut", request("bot:greedy", "bot:random"))
    (runs / "cut" / "record.db").write_bytes((runs / "cut" / "record.db").read_bytes()[:40_000])
    shown = invoke("runs", columns=400)
    assert shown.exit_code == 0, shown.output
    lines = [line for line in shown.output.splitlines() if line.startswith("left out:")]
    assert len(lines) == 9
    assert "\x1b" not in shown.output and "\x07" not in shown.output
    for name in ("empty", "text", "nothing", "other", "folder", "hurt", "bare", "cut"):
        assert sum(f"runs/{name}: " in line for line in lines) == 1, name
    assert "finished" in shown.output, "and the others are listed"


@pytest.mark.parametrize(("schema", "said"), [(2, "older schema"), (99, "newer schema")])
def test_a_record_of_another_schema_stays_as_it_is(runs, schema, said) -> None:
    change(runs / "one", "UPDATE meta SET value = ? WHERE key = 'schema'", schema)
    before = left_in(runs / "one")
    assert said in invoke("runs").output
    assert left_in(runs / "one") == before


def test_looking_leaves_no_trace(runs) -> None:
    before = left_in(runs / "one")
    invoke("runs")
    invoke("status", "one")
    assert left_in(runs / "one") == before
    assert set(before) == {".lock", "record.db"}, "no log, no shared memory"


def test_a_directory_that_cannot_be_written_is_read(runs) -> None:
    """For root nothing is unwritable: what is asked of SQLite is what counts then."""
    for path in (runs / "one").iterdir():
        path.chmod(0o444)
    (runs / "one").chmod(0o555)
    try:
        assert glance(runs / "one")["status"] == "finished"
        assert invoke("status", "one").exit_code == 0
    finally:
        (runs / "one").chmod(0o755)


def test_who_says_to_be_played_by_nobody_died(runs) -> None:
    for status in ("running", "paused"):
        change(runs / "one", "UPDATE run SET status = ?, finished = NULL", status)
        assert not is_alive(runs / "one")
        assert glance(runs / "one")["status"] == "died"
        with Record(runs / "one"):
            assert glance(runs / "one")["status"] == status


def test_a_run_at_its_wall_says_so(runs) -> None:
    for number, walls in enumerate((("0.02",), ("sim:greedy=0.02",))):
        asked = request("sim:greedy?price=3,15", "bot:random", max_cost=walls, conduct={"max_tokens": 16})
        ending, _ = play(runs / f"wall{number}", asked)
        assert ending.walled
        assert glance(runs / f"wall{number}")["status"] == "budget reached"
        assert overview.standing(runs / f"wall{number}")["go_on"][-2:] == [
            "--max-cost",
            walls[0].replace("0.02", "0.04"),
        ]


def test_open_matches_count_with_what_they_took(runs) -> None:
    asked = request("sim:greedy?price=3,15", "bot:random", pairs=20)
    _, result = play(runs / "half", asked, stop_after=12)
    seen = glance(runs / "half")
    assert seen["finished_matches"] == result.finished < seen["planned"] == 40
    assert round(seen["spent_usd"] * 1e12) == sum(standing.cost_pico for standing in result.standings) > 0


def test_a_mix_of_games_is_planned_as_the_run_plans_it(runs) -> None:
    from orchestrator.programme import GameShare
    from orchestrator.request import whole_game

    shares = [GameShare(*whole_game(name, {})) for name in ("tictactoe", "blob")]
    for games in (tuple(shares), (shares[0],)):
        asked = GenerateRequest(models=("sim:greedy", "sim:random"), games=games, seed=3, pairs=7)
        run = {"kind": "generate", "request": asked.to_json()}
        assert overview._planned(run) == asked.matches
    run["request"]["games"][0]["game"] = "a game of somebody else"
    assert overview._planned(run) is None


def test_a_run_is_found_by_name_or_the_end_of_one(runs, monkeypatch) -> None:
    play(runs / "20261120-150405-a-vs-b", request("bot:greedy", "bot:random", pairs=1))
    assert find_run("runs/one") == Path("runs/one")
    assert find_run("runs/one/record.db") == Path("runs/one")
    assert find_run(str(runs / "one")) == runs / "one"
    assert find_run("one") == Path("runs/one")
    assert find_run("a-vs-b") == Path("runs/20261120-150405-a-vs-b")
    with pytest.raises(NoRun, match="there is no run 'three': runs/ has two, one, 20261120"):
        find_run("three")
    for name in ("", "/", "x" * 5000):
        with pytest.raises(NoRun, match="there is no run"):
            find_run(name)
    play(runs / "again-one", request("bot:greedy", "bot:random", pairs=1))
    assert find_run("one") == Path("runs/one"), "a whole name is meant"
    play(runs / "another-a-vs-b", request("bot:greedy", "bot:random", pairs=1))
    with pytest.raises(NoRun, match=r"2 runs end in 'a-vs-b'.*name one whole"):
        find_run("a-vs-b")
    monkeypatch.chdir(runs / "one")
    with pytest.raises(NoRun, match="there is none in runs/"):
        find_run("one")
    assert find_run(".") == Path()


def test_a_hundred_runs_are_a_hundred_short_looks(runs, monkeypatch) -> None:
    """No run costs more than a few statements, whatever was played in it."""
    statements: list[str] = []
    connect = sqlite3.connect

    def traced(*args, **more):  # type: ignore[no-untyped-def]
        db = connect(*args, **more)
        db.set_trace_callback(statements.append)
        return db

    monkeypatch.setattr(overview.sqlite3, "connect", traced)
    for place in runs_in(runs):
        glance(place)
    assert len(statements) <= 2 * 7
    assert not any("FROM decision" in statement for statement in statements)


def test_times_in_words() -> None:
    at = 1_800_000_000.0
    said = [ago(at - before, at) for before in (-3600, 0, 59, 60, 3599, 7200, 86_400, 9 * 86_400)]
    assert said == [
        "in the future",
        "just now",
        "just now",
        "1 min ago",
        "59 min ago",
        "2 h ago",
        "1 day ago",
        "9 days ago",
    ]
    assert len(moment(at, at)) == 5 and moment(at - 900 * 86_400, at).endswith(" 2024")


def test_a_place_without_a_run_is_wrong_use() -> None:
    assert invoke("runs", "nowhere").exit_code == 2 == invoke("runs", "nowhere", "--json").exit_code
