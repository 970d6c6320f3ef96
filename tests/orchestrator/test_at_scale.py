"""Five hundred who write at once, and a long run that is read: what `benchmarks.store` measures, that it is right."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

from benchmarks import store
from orchestrator.cli.forms import board_json
from orchestrator.record.check import check_money
from orchestrator.record.reading import match_story, run_result
from orchestrator.standings import boards_of


def test_five_hundred_tasks_lose_nothing_and_mix_nothing_up(tmp_path) -> None:
    made = asyncio.run(store.write(tmp_path, store.Load(500, 800, 400)))
    said = store.words(800, 400)
    result = run_result(tmp_path)
    assert sum(standing.decisions for standing in result.standings) == made.decisions == 800
    assert sum(standing.calls for standing in result.standings) == 800
    assert len(made.waits_s) == 800 and check_money(tmp_path) == []
    for number in (0, 7, 19):
        story = match_story(tmp_path, store.match_id(number))
        told = said[number * store.PLIES : (number + 1) * store.PLIES]
        for decision, words in zip(story.decisions, told, strict=True):
            (call,) = story.calls[decision.id]
            assert story.texts(call) == (words.thoughts, words.response, words.request)
            assert (story.text(decision.system_blob), story.text(decision.user_blob)) == (
                words.system,
                words.user,
            )
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        assert db.execute("SELECT count(*) FROM tally").fetchone() == (40,)


def test_a_long_run_is_read_from_its_tallies_alone(tmp_path) -> None:
    store.fill(tmp_path, 4000)
    assert check_money(tmp_path) == []
    whole = run_result(tmp_path)
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        db.execute("DELETE FROM decision")
        db.execute("DELETE FROM call")
    again = run_result(tmp_path)
    assert [s.decisions for s in again.standings] == [s.asked for s in whole.standings] == [2000, 2000]
    (first,), (second,) = boards_of([whole]), boards_of([again])
    assert board_json(first) == board_json(second)
    assert len(first.pairs) == len(first.clusters) == 50
