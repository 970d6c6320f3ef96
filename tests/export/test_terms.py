"""Whose terms a row is under; and what the stand-in answered is never told as the model's whose place it took."""

from __future__ import annotations

import json

import pytest

from orchestrator.export.columns import DECISIONS
from orchestrator.export.source import opened
from orchestrator.export.terms import UNKNOWN, by_id, known, of_source, read, shipped
from providers.simulated import Behaviour
from tests.export.exports import exported, prepared
from tests.orchestrator.duels import play, request
from tests.served import served

MODEL = "anthropic:claude-sonnet-5-5"
ENTRY = """
[[terms]]
id = "{id}"
vendor = "us"
applies_to = '{applies}'
train_other_models = "{trains}"
summary = "we asked"
url = "https://example.org/terms"
checked_on = "2026-11-01"
"""


def own(id: str = "ours", applies: str = "anthropic:.*", trains: str = "yes") -> str:
    return ENTRY.format(id=id, applies=applies, trains=trains)


@pytest.mark.parametrize(
    ("source", "id"),
    [
        ("bot:mcts:200", "own"),
        ("human:anna", "human"),
        ("google:gemini-3.5-flash", "google-gemini-api"),
        ("anthropic:claude-sonnet-5-5", "anthropic-commercial"),
        ("litellm:bedrock/us.anthropic.claude-x", "anthropic-commercial"),
        ("local:deepseek-r1", "deepseek-r1"),
        ("local:deepseek-r1-distill-llama-70b", "deepseek-r1-distill-llama"),
        ("local:qwen3-4b", "qwen3"),
        ("litellm:together_ai/Qwen/Qwen3-4b", "served-open-weights"),
        ("local:mystery", "unknown"),
    ],
)
def test_the_first_entry_that_applies_counts(source, id) -> None:
    assert of_source(source).id == id


def test_every_restriction_has_an_address_and_a_day() -> None:
    assert all(each.url and each.checked_on for each in shipped() if each.train_other_models == "no")
    assert [each.id for each in shipped() if each.is_open and not each.url] == ["own"]


def test_a_user_adds_entries_and_replaces_those_of_the_same_id() -> None:
    ours = read(own() + own("qwen3", "local:nothing", "no"))
    assert of_source("anthropic:claude", known(ours)).id == "ours"
    assert of_source("local:qwen3", known(ours)) is UNKNOWN
    assert by_id("qwen3", ours).train_other_models == "no" and by_id("gone", ours) is UNKNOWN


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected tables"),
        (own(trains="maybe"), "maybe"),
        (own(applies="("), "no regular expression"),
        (own() + own(), "twice"),
        (own().replace("summary", "note"), "expected id, vendor"),
        (own().replace("2026-11-01", "soon"), "expected a day"),
    ],
)
def test_entries_that_are_wrong_are_named(text, says) -> None:
    with pytest.raises(ValueError, match=says):
        read(text)


def test_the_stand_in_is_told_as_itself(tmp_path, monkeypatch) -> None:
    with served(Behaviour.parse("greedy")) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any-key-will-do")
        play(tmp_path / "run", request(MODEL, "bot:random", pairs=4))
    with opened(tmp_path / "run") as source:
        rows = list(source.decisions())
        games = list(source.games())
    asked = [row for row in rows if row["response"] is not None]
    assert asked and {row["player"] for row in asked} == {"simulated/greedy"}
    assert {row["terms_id"] for row in asked} == {"own"} and {row["cost_usd"] for row in asked} == {None}
    assert len(asked) < len(rows)
    for row in [*rows, *games]:
        assert "claude" not in json.dumps(row), "the model is named in a row that it did not make"
    assert set(rows[0]) == set(DECISIONS)

    made = exported(tmp_path / "out", tmp_path / "run", filters=("player=simulated/*",))
    assert made.choice.chosen and not made.look.left_out
    for file in (tmp_path / "out").rglob("*"):
        if file.suffix in (".jsonl", ".json", ".md"):
            assert "claude" not in file.read_text("utf-8")
    assert "license: mit" in (tmp_path / "out" / "README.md").read_text("utf-8")


def as_if_real(tmp_path, monkeypatch):
    """A record whose answers came from the model, as far as it says."""
    import sqlite3
    from contextlib import closing

    with served(Behaviour.parse("greedy")) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any-key-will-do")
        play(tmp_path / "run", request(MODEL, "bot:random", pairs=4))
    with closing(sqlite3.connect(tmp_path / "run" / "record.db")) as db, db:
        db.execute("UPDATE call SET model_reported = 'claude-sonnet-5-5-20260901'")
        db.execute("""UPDATE tally SET reported = replace(reported, 'simulated/greedy', 'claude-x')""")
    return tmp_path / "run"


def test_restricted_rows_are_left_out_counted_and_kept_only_if_asked_for(tmp_path, monkeypatch) -> None:
    run = as_if_real(tmp_path, monkeypatch)
    made = exported(tmp_path / "out", run, filters=())
    assert set(made.look.left_out) == {(MODEL, "anthropic-commercial")}
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "Left out for their terms" in card and "license: mit" in card

    kept = exported(tmp_path / "all", run, filters=(), include_restricted=True)
    assert not kept.look.left_out and len(kept.choice.chosen) > len(made.choice.chosen)
    card = (tmp_path / "all" / "README.md").read_text("utf-8")
    assert "license: other" in card and "You are responsible for your agreement" in card
    assert "claude-sonnet-5-5-20260901" in card
    assert "anthropic-commercial" in (tmp_path / "all" / "LICENSE.md").read_text("utf-8")


def test_a_users_own_terms_count(tmp_path, monkeypatch) -> None:
    from orchestrator.export.known import Known

    run = as_if_real(tmp_path, monkeypatch)
    made = prepared(run, filters=(), known=Known(read(own())))
    assert (MODEL, "ours") in made.look.sources and not made.look.left_out
