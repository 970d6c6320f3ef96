"""A run played again from its record or a cassette: the same rows, whatever befell it, and nothing asked."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace as changed
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prompts
from orchestrator.cassette import Cassette, tape
from orchestrator.record.database import RecordError
from orchestrator.record.reading import run_result
from orchestrator.record.untouched import untouched
from orchestrator.replay import TABLES, Replay, replay, seconds
from orchestrator.table import Table
from orchestrator.verify import verify
from providers.base import Final, Retryable
from tests.orchestrator.duels import QUICK, play, request
from tests.orchestrator.scripted import Scripted, said
from tests.orchestrator.test_cassette import Recording
from tests.orchestrator.test_duel import a_move


def count(path: Path, table: str, where: str = "1") -> int:
    with closing(sqlite3.connect(path / "record.db", isolation_level=None)) as db:
        return int(db.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()[0])


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path / "record.db", isolation_level=None)) as db:
        assert db.execute(statement).rowcount, statement
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def same(run: Path, output: Path, **how: object) -> Replay:
    done = replay(run, output, **how)  # type: ignore[arg-type]
    assert (done.trouble, done.differences) == ([], [])
    assert done.rows == {table: count(run, table) for table in TABLES}, "every row was compared"
    return done


def files(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


RATE = st.sampled_from([0, 0.1, 0.3])
FAULTS = ("429", "cut", "500")
WRONG = ("illegal", "malformed", "truncated", "refused")


@settings(max_examples=5, deadline=None)
@given(
    seed=st.integers(0, 999),
    game=st.sampled_from(["tictactoe", "blob"]),
    faults=st.tuples(RATE, RATE, RATE),
    wrong=st.tuples(*[st.sampled_from([0, 0.15])] * 4),
    conduct=st.fixed_dictionaries(
        {"fallback": st.sampled_from(["forfeit", "random"]), "track": st.sampled_from(["open", "rules"])}
    ),
    by_tape=st.booleans(),
)
def test_any_run_is_the_same_again(tmp_path_factory, seed, game, faults, wrong, conduct, by_tape) -> None:
    directory = tmp_path_factory.mktemp("run")
    rates = "&".join(f"{name}={rate}" for name, rate in zip(FAULTS + WRONG, faults + wrong, strict=True))
    spec = f"sim:greedy?{rates}&retry_after=0"
    players = [spec, "sim:random?illegal=0.1&reasks=1&price=1,2", "bot:random"][
        : 2 if game == "tictactoe" else 3
    ]
    variant = {} if game == "tictactoe" else {"players": 3, "cards": 3, "rounds": 2}
    asked = request(*players, game=game, variant=variant, pairs=2, seed=seed, conduct=conduct)
    retry = changed(QUICK, attempts=2)  # some matches are void
    table = Recording(directory / "tape", "extend") if by_tape else Table()
    table.retry = retry
    play(directory / "run", asked, table, concurrency=8)
    cassette = directory / "tape" if by_tape else None
    same(directory / "run", directory / "one", concurrency=1, cassette=cassette)
    same(directory / "run", directory / "many", concurrency=16, cassette=cassette)


FAULTY = "sim:greedy?illegal=0.2&truncated=0.1&429=0.2&cut=0.2&retry_after=0"


def test_a_run_that_was_interrupted_and_went_on_is_one_run(tmp_path) -> None:
    asked = request(FAULTY, "bot:random", pairs=4)
    for stop_after in (5, 12, None):
        play(tmp_path / "run", asked, stop_after=stop_after)
    assert count(tmp_path / "run", "match", "status = 'finished'") == 8
    same(tmp_path / "run", tmp_path / "again")


def test_a_run_that_ended_before_its_time_ends_there_again(tmp_path) -> None:
    play(tmp_path / "run", request(FAULTY, "bot:random", pairs=4), stop_after=9)
    assert count(tmp_path / "run", "match", "status = 'stopped'")
    same(tmp_path / "run", tmp_path / "again")
    assert run_result(tmp_path / "again").run.status == "stopped"


class Dying(Scripted):
    """A service whose every fifth call is cut off with the process that made it."""

    async def complete(self, asked):
        if len(self.seen) % 5 == 4:
            self.seen.append(asked)
            raise asyncio.CancelledError
        return await super().complete(asked)


class Original(Table):
    """A real spec at the table, and a scripted service behind it: what `replay` finds is a spec."""

    def __init__(self, provider: Scripted, cassette: Path | None = None) -> None:
        super().__init__(retry=QUICK)
        self.cassette = cassette
        self._scripted = provider

    def seat(self, *args, **more):
        player = super().seat(*args, **more)
        if hasattr(player, "line"):
            player.line._provider = self._scripted
            if self.cassette:
                tape(player, Cassette(self.cassette))
        return player


def scripted(directory: Path, provider: Scripted, rounds: int = 1, **more: object) -> Path:
    asked = request("local:one?price=1,2&base_url=http://127.0.0.1:9/v1", "bot:random", pairs=3)
    for _ in range(rounds):
        play(directory / "run", asked, Original(provider, **more), concurrency=2)
    return directory / "run"


@pytest.mark.parametrize("by_tape", [False, True])
def test_calls_that_never_came_back_are_lost_again(tmp_path, by_tape) -> None:
    cassette = tmp_path / "tape" if by_tape else None
    run = scripted(tmp_path, Dying([], a_move), rounds=12, cassette=cassette)
    assert count(run, "call", "kind = 'sent'") > 2
    assert count(run, "match", "status = 'finished'") == 6
    same(run, tmp_path / "again", cassette=cassette, concurrency=3)


def decides(asked):
    """A native decision: a number, and a probability for each that was offered."""
    numbers = [number for number, _ in asked.choices]
    if numbers == [1, 2]:  # whether it is there
        return said("1")
    odds = {number: 1 / (3 + number) for number in numbers}
    return said(json.dumps({"action": numbers[0]}), probabilities=odds)


def test_native_decisions_and_what_was_called_before_any_match(tmp_path) -> None:
    asked = request("openai:gpt-6-luna?mode=decision", "bot:random", pairs=2, preflight=True, unpriced=True)
    play(tmp_path / "run", asked, Original(Scripted([], decides)))
    run = tmp_path / "run"
    assert count(run, "decision", "mode = 'decision' AND probabilities IS NOT NULL") > 4
    made, ready = count(run, "call"), count(run, "call", "decision LIKE '%-ready%'")
    done = replay(run, tmp_path / "again")
    assert done.same and ready == 1 and done.rows["call"] == made - 1
    found = verify(run)
    assert found.same and found.decisions and not found.unmade


def test_a_match_that_a_crash_left_running_is_as_far_again(tmp_path) -> None:
    run = scripted(tmp_path, Dying([], a_move))
    change(run, "UPDATE match SET status = 'running', plies = 0 WHERE status = 'stopped'")
    same(run, tmp_path / "again")


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_run_that_an_error_stopped_is_stopped_by_it_again(tmp_path, rounds) -> None:
    errors = [
        Retryable("server", "down", status=500),
        Final("auth", "no such key", status=401, raw_response="{}"),
    ]
    run = scripted(tmp_path, Scripted(errors, a_move), rounds=rounds)
    assert count(run, "call", "kind = 'auth'") == 1
    assert (count(run, "match", "status != 'finished'") == 0) == (rounds == 2)
    same(run, tmp_path / "again", concurrency=4)


def test_void_matches_are_void_again_and_their_replays_too(tmp_path) -> None:
    down = [Retryable("overloaded", "down", status=529, retry_after_s=0.001) for _ in range(10)]
    run = scripted(tmp_path, Scripted(down, a_move))
    assert count(run, "match", "status = 'void'") and count(run, "match", "replay = 1")
    same(run, tmp_path / "again")


def test_no_service_no_key_and_no_sdk_is_needed(tmp_path, monkeypatch) -> None:
    import providers

    run = scripted(tmp_path, Scripted([], a_move))
    monkeypatch.setattr(providers, "_found", lambda sdk: False)
    monkeypatch.setattr(Scripted, "complete", None)
    monkeypatch.setenv("LOCAL_BASE_URL", "http://elsewhere.example/v1")
    same(run, tmp_path / "again")


def test_people_and_bots_by_the_clock_are_taken_from_the_record(tmp_path) -> None:
    async def resigns_late(view):
        return None if view.ply > 3 else view.legal[-1].id

    table = Table(retry=QUICK, ask_human=resigns_late)
    play(tmp_path / "run", request("human", "bot:mcts?ms=1", pairs=2), table)
    done = same(tmp_path / "run", tmp_path / "again")
    assert done.recited["human"] == count(tmp_path / "run", "decision", "mode = 'human'") > 0
    assert done.recited["bot:mcts"] == count(tmp_path / "run", "decision", "mode = 'bot'") > 0


def test_a_bot_that_repeats_itself_is_asked_again(tmp_path) -> None:
    run = tmp_path / "run"
    play(run, request("bot:greedy", "bot:random", pairs=2))
    assert not same(run, tmp_path / "again").recited
    change(run, "UPDATE decision SET action = legal ->> '$[0]', action_text = 'x' WHERE ply = 0")
    done = replay(run, tmp_path / "other")
    assert {each.column for each in done.differences if each.row.endswith("-000")} >= {"action_text"}


CHANGES = {
    "UPDATE call SET output = output + 1 WHERE kind = 'ok'": "decision.cost_pico",
    "UPDATE call SET cost_pico = cost_pico + 1 WHERE kind = 'ok'": "call.cost_pico",
    "UPDATE decision SET rationale = 'another' WHERE mode = 'json'": "decision.rationale",
    "UPDATE seat SET score = 0.25": "seat.score",
    "UPDATE match SET plies = plies + 1": "match.plies",
}


@pytest.mark.parametrize("statement", CHANGES)
def test_whatever_was_changed_in_a_record_is_found(tmp_path, statement) -> None:
    run = scripted(tmp_path, Scripted([], a_move))
    change(run, statement)
    done = replay(run, tmp_path / "again")
    assert CHANGES[statement] in {f"{each.table}.{each.column}" for each in done.differences}


def test_an_answer_that_is_missing_is_named(tmp_path) -> None:
    run = scripted(tmp_path, Scripted([], a_move))
    change(run, "DELETE FROM call WHERE id LIKE '%-0002a-%'")
    done = replay(run, tmp_path / "again")
    (trouble,) = done.trouble
    assert "0002a-" in trouble and "over on record" in trouble
    assert {each.row.split("-")[1][:5] for each in done.differences if each.table == "decision"} == {"0002a"}


def test_a_question_that_is_another_today_is_named_and_its_match_ends_there(tmp_path, monkeypatch) -> None:
    run = scripted(tmp_path, Scripted([], a_move), cassette=tmp_path / "tape")
    whole = prompts.render

    def other(view, *asked, **more):
        question = whole(view, *asked, **more)
        return changed(question, user=question.user + "\nHurry.") if view.ply >= 4 else question

    monkeypatch.setattr(prompts, "render", other)
    for cassette in (None, tmp_path / "tape"):
        done = replay(run, tmp_path / f"again-{cassette is None}", cassette)
        assert len(done.trouble) >= 3
        assert all('nothing on record, "Hurry." now' in trouble for trouble in done.trouble)
        assert {trouble.split(":")[0][-3:] for trouble in done.trouble} <= {"004", "005"}


def test_a_cassette_that_lacks_calls_says_which(tmp_path) -> None:
    run = scripted(tmp_path, Scripted([], a_move), cassette=tmp_path / "tape")
    gone = sorted((tmp_path / "tape").rglob("*.jsonl"))[0]
    place = json.loads(gone.read_text().splitlines()[1])["place"]
    gone.unlink()
    done = replay(run, tmp_path / "again", tmp_path / "tape")
    assert any(place in trouble and "nothing was asked there" in trouble for trouble in done.trouble)
    with pytest.raises(RecordError, match="there is no cassette"):
        replay(run, tmp_path / "more", tmp_path / "none")
    assert not (tmp_path / "more").exists()


def test_the_original_is_not_touched(tmp_path) -> None:
    run = scripted(tmp_path, Scripted([], a_move))
    before = files(run)
    replay(run, tmp_path / "again")
    assert files(run) == before
    with pytest.raises(RecordError, match="already holds a run"):
        replay(run, run)
    with untouched(run) as session, pytest.raises(Exception, match="readonly"):
        session.connection().exec_driver_sql("DELETE FROM call")
    assert files(run) == before


def test_a_run_that_is_still_being_written_can_be_read(tmp_path) -> None:
    run = scripted(tmp_path, Scripted([], a_move))
    with closing(sqlite3.connect(run / "record.db", isolation_level=None)) as writer:
        writer.execute("UPDATE run SET reason = 'not yet in the file itself'")
        assert (run / "record.db-wal").stat().st_size
        same(run, tmp_path / "again")


def test_what_cannot_be_replayed_is_said_and_nothing_is_made(tmp_path) -> None:
    with pytest.raises(RecordError, match="no record at"):
        replay(tmp_path / "none", tmp_path / "again")
    run = scripted(tmp_path, Scripted([], a_move))
    for statement, why in (
        ("UPDATE meta SET value = '2' WHERE key = 'schema'", "schema 2, and only schema"),
        ("UPDATE meta SET value = '99' WHERE key = 'schema'", "newer"),
        ("DELETE FROM meta", "no schema"),
    ):
        change(run, statement)
        before = files(run)
        with pytest.raises(RecordError, match=why):
            replay(run, tmp_path / "again")
        assert files(run) == before
    (run / "record.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(RecordError, match="is not a record"):
        replay(run, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_seat_that_is_missing_is_damage(tmp_path) -> None:
    run = scripted(tmp_path, Scripted([], a_move))
    change(run, "DELETE FROM seat WHERE seat = 1")
    with pytest.raises(RecordError, match="seats are missing"):
        replay(run, tmp_path / "again")


def test_a_run_in_which_nothing_was_played_is_no_run_to_replay(tmp_path) -> None:
    run = scripted(tmp_path, Scripted([], a_move))
    change(run, "DELETE FROM call")
    change(run, "DELETE FROM decision")
    with pytest.raises(RecordError, match="nothing was played"):
        replay(run, tmp_path / "again")


@given(st.floats(0, 1e6))
def test_milliseconds_lead_back_to_their_seconds(time: float) -> None:
    assert seconds(time * 1000) * 1000 == time * 1000
