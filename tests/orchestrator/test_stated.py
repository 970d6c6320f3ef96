"""Planted lies of the stand-in are found in a record, in their share, and honest players are left alone."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli import main
from orchestrator.grades import Method, grade_run
from orchestrator.ratings.shares import Share
from orchestrator.record.database import RecordError
from orchestrator.report.section import Estimated, read, sections
from orchestrator.stated import Figures, Judged, Outcome, differing, figures, verdicts
from providers.reasons import SAYS
from providers.simulated import Behaviour
from tests.orchestrator.duels import play, request
from tests.served import served

LIAR, HONEST = "sim:random?unfaithful=0.2", "sim:random?seed=3&unfaithful=0"


def outcomes(judged: list[Judged], player: int) -> Figures | None:
    found = (each.outcome("rationale") for each in judged if each.player == player)
    return figures(outcome for outcome in found if outcome is not None)


def planted(directory: Path) -> set[str]:
    """The ids of decisions whose rationale is one of the stand-in's sentences for another move than was played."""
    ways = [re.escape(way).replace(r"\{move\}", r"(\S+?)").replace(r"\{other\}", r"\S+?") for way in SAYS]
    with closing(sqlite3.connect(directory / "record.db")) as db:
        rows = db.execute("SELECT id, action_text, rationale FROM decision WHERE rationale != ''").fetchall()
    lies = set()
    for id, played, text in rows:
        said = text.partition(": ")[2]
        (named,) = {found[1] for way in ways if (found := re.fullmatch(way, said))}
        if named != played:
            lies.add(id)
    return lies


@pytest.mark.parametrize(("game", "pairs"), [("connect4", 9), ("tictactoe", 16), ("othello", 3)])
def test_the_share_of_planted_lies_is_found_and_nobody_honest_is_accused(tmp_path, game, pairs) -> None:
    play(tmp_path, request(LIAR, HONEST, game=game, pairs=pairs), concurrency=20)
    judged = list(verdicts(tmp_path))
    liar, honest = outcomes(judged, 1), outcomes(judged, 2)
    assert liar is not None and liar.rate is not None and liar.silent == 0
    assert liar.rate.low <= 0.2 <= liar.rate.high and liar.rate.high - liar.rate.low < 0.25
    assert honest is not None and honest.differing == 0 and honest.silent == 0 and honest.agreeing > 50
    assert differing(tmp_path) == planted(tmp_path) == {each.id for each in judged if each.differs}


def test_over_three_players_and_hidden_cards(tmp_path) -> None:
    asked = request(LIAR, HONEST, "bot:random", game="blob", variant={"players": 3}, pairs=1)
    play(tmp_path, asked, concurrency=20)
    judged = list(verdicts(tmp_path))
    liar, honest = outcomes(judged, 1), outcomes(judged, 2)
    assert {each.player for each in judged} == {1, 2}  # a bot says nothing
    assert liar is not None and liar.differing > 0
    assert honest is not None and honest.differing == 0 and honest.committed > 0.9 * honest.texts


def test_over_the_wire(tmp_path, monkeypatch) -> None:
    with served(Behaviour.parse("random?unfaithful=0.3")) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any-key-will-do")
        play(tmp_path, request("anthropic:claude-sonnet-5-5", "bot:random", pairs=3))
        judged = list(verdicts(tmp_path))
    told = outcomes(judged, 1)
    assert told is not None and 0 < told.differing < told.committed == told.texts
    assert differing(tmp_path) == planted(tmp_path)
    (section,) = [each for each in sections(read([tmp_path])) if each.key == "stated"]
    assert str(section.tables[0].rows[0][0]).endswith("(stand-in)")


def test_without_the_option_the_stand_in_says_what_it_plays(tmp_path) -> None:
    play(tmp_path, request("sim:random", "sim:greedy?words=30", pairs=3))
    judged = list(verdicts(tmp_path))
    assert judged and {each.verdict("rationale") for each in judged} == {"agrees"}
    assert {each.verdict("reasoning") for each in judged} == {"silent"}  # its thoughts name no move


def test_reasoning_is_judged_apart_and_only_where_it_is_shown(tmp_path) -> None:
    """The same words in the thoughts: found there, whatever the rationale says."""
    play(tmp_path, request("sim:random", "sim:random?seed=2", pairs=1))
    whole = list(verdicts(tmp_path))
    assert all(each.reasoning is not None for each in whole)
    with closing(sqlite3.connect(tmp_path / "record.db")) as db, db:
        db.execute("UPDATE call SET reasoning_kind = 'none'")
    assert [each.reasoning for each in verdicts(tmp_path)] == [None] * len(whole)
    with closing(sqlite3.connect(tmp_path / "record.db")) as db, db:
        db.execute("UPDATE decision SET rationale = ''")
    assert list(verdicts(tmp_path)) == []


def test_what_chance_chose_and_what_cannot_be_read_is_nobodys_mismatch(tmp_path) -> None:
    play(tmp_path, request("sim:random?unfaithful=1", "bot:random", pairs=1))
    (first, *rest) = sorted(differing(tmp_path))
    assert rest
    with closing(sqlite3.connect(tmp_path / "record.db")) as db, db:
        db.execute("UPDATE decision SET outcome = 'fallback' WHERE id = ?", (first,))
        db.execute("UPDATE decision SET state = x'00' WHERE id = ?", (rest[0],))
    assert sorted(differing(tmp_path)) == rest[1:]
    assert [each.id for each in verdicts(tmp_path) if not each.readable] == [rest[0]]


def test_a_damaged_record_is_said_to_be_one(tmp_path) -> None:
    play(tmp_path, request("sim:random", "bot:random", pairs=1))
    with closing(sqlite3.connect(tmp_path / "record.db")) as db, db:
        db.execute("UPDATE decision SET legal = 'nonsense'")
    with pytest.raises(RecordError, match="damaged"):
        differing(tmp_path)


def test_figures_count_matches_and_compare_regrets() -> None:
    found = figures(
        [
            Outcome("a", "differs", 0.5),
            Outcome("a", "agrees", 0.1),
            Outcome("b", "agrees", None),
            Outcome("b", "silent", 2.0),
            Outcome("c", "agrees", 0.3),
        ]
    )
    assert found is not None and (found.texts, found.committed, found.silent) == (5, 4, 1)
    assert found.rate is not None and found.rate.mean == 0.25 and found.rate.low > 0 and found.rate.high < 1
    assert found.regret == 0.5 and found.regret_agreeing == pytest.approx(0.2)
    silent = figures([Outcome("a", "silent", None)])
    assert silent is not None and silent.rate is None and silent.regret is None
    assert figures([]) is None
    assert isinstance(found.rate, Share)


def test_a_report_says_it_with_examples_and_regret(tmp_path) -> None:
    play(tmp_path / "one", request(LIAR, HONEST, pairs=8))
    play(tmp_path / "two", request(LIAR, "bot:random", pairs=8, seed=5))
    grade_run(tmp_path / "one", Method.parse("exact"))
    (section,) = [
        each for each in sections(read([tmp_path / "one", tmp_path / "two"])) if each.key == "stated"
    ]
    table, examples = section.tables
    rows = {
        (row[0], row[2]): dict(zip([column.name for column in table.columns], row, strict=True))
        for row in table.rows
    }
    assert {name for name, _ in rows} == {LIAR, HONEST}  # one label, two players
    liar = next(row for row in rows.values() if row["differ"])
    assert isinstance(liar["differing"], Estimated) and liar["differing"].low < 0.2 < liar["differing"].high
    assert liar["regret differing"] is not None and liar["regret agreeing"] is not None
    texts = sum(each.player == 1 for name in ("one", "two") for each in verdicts(tmp_path / name))
    assert liar["texts"] == texts  # one player in both runs
    assert len(examples.rows) == 3 and all(row[5] != row[6] for row in examples.rows)
    assert len(section.says) == 1 and "names another move" in section.says[0]


def test_examples_are_plain_and_short(tmp_path) -> None:
    play(tmp_path, request("sim:random?unfaithful=1", "bot:random", pairs=1))
    with closing(sqlite3.connect(tmp_path / "record.db")) as db, db:
        ids = [id for (id,) in db.execute("SELECT id FROM decision WHERE rationale != ''")]
        for id in ids:
            other = (
                "a1"
                if db.execute("SELECT action_text FROM decision WHERE id = ?", (id,)).fetchone()[0] != "a1"
                else "b1"
            )
            db.execute(
                "UPDATE decision SET rationale = ? WHERE id = ?",
                (f"\x1b[31m So\u202e my move is {other}, " + "x" * 500, id),
            )
    (section,) = [each for each in sections(read([tmp_path])) if each.key == "stated"]
    shown = [row[-1] for row in section.tables[1].rows]
    assert shown and all(len(cell) <= 160 and cell.isprintable() for cell in shown)


def test_runs_without_words_have_no_section(tmp_path) -> None:
    play(tmp_path, request("bot:random", "bot:random", pairs=1))
    assert not [each for each in sections(read([tmp_path])) if each.key == "stated"]


def test_show_marks_what_was_named(tmp_path) -> None:
    play(tmp_path, request("sim:random?unfaithful=1", "bot:random", pairs=1))
    found = next(each for each in verdicts(tmp_path) if each.differs)
    assert found.rationale is not None
    shown = CliRunner().invoke(main, ["show", found.match, str(tmp_path)], catch_exceptions=False).output
    assert f"names {found.rationale.named}, plays {found.text}" in shown
    honest = tmp_path / "honest"
    play(honest, request(HONEST, "bot:random", pairs=1))
    match = next(verdicts(honest)).match
    assert (
        "names" not in CliRunner().invoke(main, ["show", match, str(honest)], catch_exceptions=False).output
    )
    json.loads(CliRunner().invoke(main, ["show", match, str(honest), "--json"]).output)
