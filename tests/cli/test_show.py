from __future__ import annotations

import json
import os
import shlex
import shutil
import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import engine
from orchestrator.cli import main
from orchestrator.record.blobs import deflate, join
from orchestrator.record.reading import RunResult, match_story
from tests.orchestrator.duels import play, request
from tests.orchestrator.highcard import install

EVIL = "\x1b]0;owned\x07\x1b[2J[bold]evil[/bold]\u202e\nsecond line"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    """A working directory with one run of a model that errs and a bot."""
    place = tmp_path_factory.mktemp("house")
    _, result = play(
        place / "runs" / "one", request("sim:greedy?illegal=0.3&seed=3", "bot:random", opening=2)
    )
    return place, result


def show(place: Path, *arguments: str, columns: int = 100) -> Result:
    runner = CliRunner(env={"COLUMNS": str(columns)})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        return runner.invoke(main, ["show", *arguments])


def test_a_match_is_found_by_its_id_or_the_end_of_it(house: tuple[Path, RunResult]) -> None:
    place, result = house
    whole = result.matches[0].id
    by_id, by_end, by_run = show(place, whole), show(place, "0001a"), show(place, "0001a", "runs/one")
    assert by_id.exit_code == by_end.exit_code == by_run.exit_code == 0
    assert by_id.stdout == by_end.stdout == by_run.stdout
    assert by_id.stdout.startswith(f"tictactoe · {whole}\n")


def test_a_match_is_told_from_its_players_to_its_end(house: tuple[Path, RunResult]) -> None:
    place, result = house
    story = match_story(result.path, "0001a")
    out = show(place, "0001a").stdout
    assert "greedy (X)  sim:greedy?illegal=0.3&seed=3, style default, open track" in out
    assert "random (O)  bot:random" in out
    assert "opening, nobody's choice: " in out
    for made in story.decisions:
        verb = f"plays {made.action_text}" if made.action is not None else "forfeits: "
        assert f"{made.ply + 1:>3}  " in out and verb in out
    for seat, player in story.seats:
        assert f"{player.label} ({'XO'[seat.seat]}): {seat.outcome}" in out
    assert f"{len(story.decisions)} moves · " in out


def test_the_boards_are_those_of_the_match(house: tuple[Path, RunResult]) -> None:
    place, result = house
    story = match_story(result.path, "0001a")
    out = show(place, "0001a", columns=40).stdout.splitlines()  # narrow: words stand below the board
    last = next(made for made in reversed(story.decisions) if made.action is not None)
    game = engine.from_bytes(last.state)
    game.apply(last.action)
    lines = [line.strip() for line in out]
    assert all(row.strip() in lines for row in game.board_text(0).splitlines())


def test_wrong_answers_are_shown_with_what_was_wrong(house: tuple[Path, RunResult]) -> None:
    place, result = house
    with closing(sqlite3.connect(result.path / "record.db", isolation_level=None)) as db:
        (asked_again,) = db.execute("SELECT match FROM decision WHERE outcome = 'reasked'").fetchone()
    out = show(place, asked_again, "--full").stdout
    assert "wrong: illegal. " in out
    assert 'it said: {"' in out


def thought(db: sqlite3.Connection, words: str, calls: str) -> None:
    """Let those calls have been answered after such thoughts."""
    (blob,) = db.execute("SELECT max(id) + 1 FROM blob").fetchone()
    db.execute("INSERT INTO blob (id, data) VALUES (?, ?)", (blob, deflate(join([words, words, words]))))
    db.execute(f"UPDATE call SET texts_blob = ? WHERE kind = 'ok' AND {calls}", (blob,))


def test_texts_are_short_unless_asked_whole(house: tuple[Path, RunResult]) -> None:
    place, result = house
    with closing(sqlite3.connect(result.path / "record.db", isolation_level=None)) as db:
        long = "thought " * 200
        thought(db, long, "decision LIKE '%0002a-%'")
    short, full = show(place, "0002a").stdout, show(place, "0002a", "--full").stdout
    assert "more characters: --full)" in short and "--full)" not in full
    assert full.count("thought") > 3 * short.count("thought")


def test_prompts_and_calls_on_request(house: tuple[Path, RunResult]) -> None:
    place, result = house
    story = match_story(result.path, "0001a")
    asked = next(made for made in story.decisions if made.user_blob is not None)
    out = show(place, "0001a", "--prompts", "--calls", columns=1000).stdout
    texts = f"{story.text(asked.system_blob)}\n{story.text(asked.user_blob)}"
    for line in texts.splitlines():
        assert line.strip() in out
    assert out.count("system\n") == 1  # the same for a seat over the whole match: said once
    assert "what came back" in out and "simulated/greedy stop" in out
    assert "what came back" not in show(place, "0001a").stdout


def test_one_move_alone(house: tuple[Path, RunResult]) -> None:
    place, result = house
    story = match_story(result.path, "0001a")
    out = show(place, "0001a", "--ply", "4").stdout
    assert out.count(" plays ") + out.count(" forfeits") == 1
    refused = show(place, "0001a", "--ply", "99")
    assert refused.exit_code == 2
    assert f"moves 3 to {story.decisions[-1].ply + 1} on record, got --ply 99" in refused.stderr


def test_what_a_model_wrote_is_never_obeyed(house: tuple[Path, RunResult]) -> None:
    place, result = house
    with closing(sqlite3.connect(result.path / "record.db", isolation_level=None)) as db:
        db.execute(
            "UPDATE decision SET rationale = ?1, fault = ?1 WHERE match LIKE '%0003a'",
            (EVIL,),
        )
        thought(db, EVIL, "decision LIKE '%0003a-%'")
        db.execute("UPDATE call SET answer = ?1, error = ?1, model_reported = ?1", (EVIL,))
        db.execute("UPDATE player SET label = ?1, spec = ?1 WHERE id = 2", (EVIL,))
        db.execute("UPDATE match SET reason = ?1, status = 'void' WHERE id LIKE '%0003a'", (EVIL,))
    try:
        outs = [show(place, "0003a", "--calls", "--prompts", "--full").stdout, show(place, "runs/one").stdout]
        for out in outs:
            assert not any(mark in out for mark in ("\x1b", "\x07", "\u202e"))
            assert "[bold]evil[/bold]" in out
        assert json.loads(show(place, "0003a", "--json").stdout)["match"]["reason"] == EVIL
    finally:
        with closing(sqlite3.connect(result.path / "record.db", isolation_level=None)) as db:
            db.execute("UPDATE player SET label = 'random', spec = 'bot:random' WHERE id = 2")


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record in which every text of every row, those inside of JSON too, begins with all that is foul."""
    place = tmp_path_factory.mktemp("poisoned")
    players = "sim:greedy?illegal=0.6&500=0.3&tokens=9&seed=3", "sim:random?illegal=0.6"
    play(place / "runs" / "one", request(*players, pairs=2, conduct={"fallback": "random"}))
    with closing(sqlite3.connect(place / "runs" / "one" / "record.db", isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("UPDATE decision SET fault = 'why', forecast = 0.5, rationale = 'so'")
        thought(db, FOUL, "true")
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = [(name, kind) for _, name, kind, *_ in db.execute(f"PRAGMA table_info({table})")]
            for name, kind in columns if table != "meta" else ():
                if kind == "VARCHAR":
                    db.execute(f"UPDATE {table} SET {name} = ? || {name}", (FOUL,))
        (asked,) = db.execute("SELECT request FROM run").fetchone()
        foul = {**json.loads(asked), "game": FOUL + "game", "variant": {FOUL: 1}}
        db.execute("UPDATE run SET request = ?", (json.dumps(foul),))
        db.execute("UPDATE match SET variant = ?", (json.dumps({FOUL: 1}),))
        # What is not finished is not rated, and what has its own words has them only under known names.
        db.execute("UPDATE match SET status = 'finished' WHERE pair = 1")
        db.execute(
            "UPDATE decision SET outcome = 'fallback' WHERE match LIKE '%0002a' AND outcome LIKE '%ok'"
        )
        db.execute("DELETE FROM decision WHERE match LIKE '%0001a' AND ply > 3")
    return place


FOUL = "\x1b[31m\x1b]0;owned\x07\x9b1m\u202e\r\n[bold][/]"


@pytest.mark.parametrize(
    "words",
    [
        ("show", "0001a"),
        ("show", "0001a", "--full", "--prompts", "--calls"),
        ("show", "0002b", "--full", "--prompts", "--calls"),
        ("show", "runs/one"),
        ("show", "a"),
        ("show", "0009a", "runs/one"),
        ("show", "0001a", "--ply", "99"),
        ("leaderboard",),
        ("leaderboard", "runs/one"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("columns", [40, 100, 1000])
def test_no_text_of_a_record_is_obeyed(poisoned: Path, words: tuple[str, ...], columns: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(poisoned)
        done = CliRunner(env={"COLUMNS": str(columns)}).invoke(main, words)
    assert isinstance(done.exception, SystemExit | None), done.exception
    assert done.output and "␛" in done.output
    foul = {c for c in done.output if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - {"\n"}
    assert not foul


def test_damage_elsewhere_does_not_keep_a_match_from_being_shown(
    house: tuple[Path, RunResult], tmp_path: Path
) -> None:
    place, result = house
    shutil.copytree(place / "runs", tmp_path / "runs")
    whole = (result.path / "record.db").read_bytes()
    damage = {"half": whole[: len(whole) // 2], "empty": b"", "letter": b"Dear reader, " * 999}
    for name, content in damage.items():
        (tmp_path / "runs" / name).mkdir()
        (tmp_path / "runs" / name / "record.db").write_bytes(content)
    for name, made in {
        "bare": "CREATE TABLE meta AS SELECT 'schema' AS key, '1' AS value",
        "mute": "CREATE TABLE meta (key, value)",
        "odd": "CREATE TABLE meta AS SELECT 'schema' AS key, 'x' AS value",
    }.items():
        (tmp_path / "runs" / name).mkdir()
        with closing(sqlite3.connect(tmp_path / "runs" / name / "record.db", isolation_level=None)) as db:
            db.execute(made)
    assert show(tmp_path, "0001a").exit_code == 0
    assert show(tmp_path, result.matches[0].id).stdout == show(place, result.matches[0].id).stdout
    for name in ("half", "empty", "letter", "bare", "mute", "odd"):
        refused = show(tmp_path, f"runs/{name}")
        assert refused.exit_code == 2 and "Error: " in refused.stderr


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE decision SET action = 99", None),
        ("UPDATE decision SET seat = 5", "damaged"),
        ("DELETE FROM seat WHERE seat = 0", "damaged"),
        ("DELETE FROM blob", "no blob"),
        ("UPDATE blob SET data = x'00'", "damaged"),
    ],
)
def test_a_damaged_match_is_told_as_far_as_it_goes_or_refused(
    tmp_path: Path, damage: str, says: str | None
) -> None:
    play(tmp_path / "runs" / "x", request("sim:greedy", "bot:random", pairs=1))
    with closing(sqlite3.connect(tmp_path / "runs" / "x" / "record.db", isolation_level=None)) as db:
        db.execute(damage)
    for flags in (("--prompts",), ("--json",)):
        done = show(tmp_path, "0001a", *flags)
        assert isinstance(done.exception, SystemExit | None), done.exception
        assert done.exit_code == (2 if says else 0) and (says or "") in done.stderr
    assert isinstance(show(tmp_path, "runs/x").exception, SystemExit | None)


def test_a_command_to_copy_is_quoted_for_the_shell(tmp_path: Path) -> None:
    play(tmp_path / "runs" / "a b", request("bot:random", "bot:random", pairs=2))
    out = show(tmp_path, "runs/a b").stdout
    (line,) = (line for line in out.splitlines() if line.startswith("Replay one: "))
    assert shlex.split(line)[-1] == "runs/a b"
    assert "'runs/a b'\n" in show(tmp_path, "a").stderr


def test_a_run_lists_its_matches_and_its_result(house: tuple[Path, RunResult]) -> None:
    place, result = house
    out = show(place, "runs/one").stdout
    assert all(match.id in out for match in result.matches)
    assert "won / drawn / lost" in out and "players by seat" in out
    assert f"orchestrator show {result.matches[0].id} runs/one" in out
    listed = json.loads(show(place, "runs/one", "--json").stdout)
    assert [match["id"] for match in listed["list"]] == [match.id for match in result.matches]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, RunResult]]:
    """A working directory with one run of three at a table of hidden cards."""
    place = tmp_path_factory.mktemp("table")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(install(place / "installed").split(os.pathsep)[0])
        players = "bot:greedy", "sim:random?illegal=0.8&seed=3", "bot:random"
        asked = request(*players, game="highcard", variant={"players": 3}, pairs=4)
        yield place, play(place / "runs" / "one", asked)[1]


def test_a_table_is_listed_with_points_and_who_was_first(table: tuple[Path, RunResult]) -> None:
    place, result = table
    out = show(place, "runs/one").stdout
    assert "players by seat, with points" in out and "% [" in out
    listed = json.loads(show(place, "runs/one", "--json").stdout)["list"]
    for told, match in zip(listed, result.matches, strict=True):
        assert told["seats"] == [player.label for player in result.seated(match)]
        assert told["scores"] == [match.scores[player] for player in match.sat]
        line = " ".join(out[out.index(match.id) :].splitlines()[0].split())
        if None not in told["points"]:
            names = ", ".join(f"{a} {b:g}" for a, b in zip(told["seats"], told["points"], strict=True))
            assert names in line and f"{told['seats'][told['ranks'].index(1)]} 3" in line
    assert {None in told["points"] for told in listed} == {True, False}


def test_a_match_of_a_table_shows_each_move_as_its_player_saw_it(table: tuple[Path, RunResult]) -> None:
    place, result = table
    whole = next(m for m in result.matches if m.swap == 1 and m.plies == 3)
    out = show(place, whole.id).stdout
    assert out.startswith(f"highcard players=3 · {whole.id}\ndeal ") and ", seating 2 of 3 · seed " in out
    for made in match_story(result.path, whole.id).decisions:
        game = engine.from_bytes(made.state)
        name = result.seated(whole)[made.seat].label
        assert f"{name} (P{made.seat + 1}) plays {made.action_text}" in out
        game.apply(made.action)
        assert game.board_text(made.seat) in out
    assert ": rank 1, 1 point\n" in out and ": rank 2, 0 points\n" in out


def test_a_forfeit_at_a_table_is_told_last(table: tuple[Path, RunResult]) -> None:
    place, result = table
    cut = next(m.id for m in result.matches if any(seat.forfeit for seat in m.seats))
    end = show(place, cut).stdout.splitlines()[-4:-1]
    assert [line.partition(": ")[2] for line in end[:2]] == ["rank 1", "rank 1"]
    assert end[2].startswith("sim:random (P") and "rank 3 by forfeit: " in end[2]


def test_json_tells_everything(house: tuple[Path, RunResult]) -> None:
    place, result = house
    story = match_story(result.path, "0001b")
    told = json.loads(show(place, "0001b", "--json").stdout)
    assert told["match"]["id"] == result.matches[1].id
    assert [made["action"] for made in told["decisions"]] == [made.action for made in story.decisions]
    asked = [made for made in told["decisions"] if made["mode"] == "json"]
    assert asked and all(made["user"] and made["calls"] and made["board"] for made in asked)
    game = engine.from_bytes(bytes.fromhex(told["decisions"][0]["state"]))
    assert game.name() == "tictactoe"


def test_a_void_match_shows_what_was_tried(tmp_path: Path) -> None:
    _, result = play(tmp_path / "runs" / "x", request("sim:greedy?500=1", "bot:random", pairs=1))
    void = next(match for match in result.matches if match.status == "void")
    out = show(tmp_path, void.id).stdout
    assert "no move; what was tried:" in out and "server 500" in out
    assert "void: sim:greedy: server" in out


def test_what_is_not_there_is_said_with_what_is(house: tuple[Path, RunResult], tmp_path: Path) -> None:
    place, _ = house
    missing = show(place, "0099a")
    assert missing.exit_code == 2
    assert "there is no match '0099a' in 1 record below runs/" in missing.stderr
    several = show(place, "a")
    assert several.exit_code == 2
    assert "3 matches end in 'a'; name one:\n  orchestrator show " in several.stderr
    elsewhere = show(place, "0001a", str(tmp_path))
    assert elsewhere.exit_code == 2 and "no record at" in elsewhere.stderr
    (tmp_path / "record.db").write_text("not a database")
    assert show(place, str(tmp_path)).exit_code == 2


def test_a_game_that_is_no_longer_installed_leaves_the_words(
    house: tuple[Path, RunResult], tmp_path: Path
) -> None:
    _, result = play(tmp_path / "runs" / "x", request("sim:greedy?illegal=0.5&seed=1", "bot:random", pairs=1))
    with closing(sqlite3.connect(result.path / "record.db", isolation_level=None)) as db:
        db.execute("UPDATE decision SET state = x'00'")
    out = show(tmp_path, "0001a")
    assert out.exit_code == 0
    assert "(no board)" in out.stdout and "Simulated answer" in out.stdout
    assert json.loads(show(tmp_path, "0001a", "--json").stdout)["decisions"][0]["board"] is None
