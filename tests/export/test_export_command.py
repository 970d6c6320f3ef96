"""`orchestrator export` by hand: what it refuses, what it says, and how it ends."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from orchestrator.cli import main
from tests.export.exports import played


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return played(tmp_path_factory.mktemp("record") / "run", game="tictactoe", pairs=10)


def asked(*words):
    return CliRunner().invoke(main, ["export", *map(str, words)])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("poetry", "{run}"), "poetry"),
        (("sft", "{run}", "--target", "abacus"), "unknown target"),
        (("sft", "{run}", "--filter", "luck"), "unknown filter"),
        (("sft", "{run}", "--shares", "1,2"), "three numbers"),
        (("sft", "{nowhere}"), "nowhere"),
        (("sft", "{run}", "--push-to-hub", "no-owner"), "OWNER/NAME"),
    ],
)
def test_what_cannot_be_had_is_named(tmp_path, run, words, says) -> None:
    words = [each.format(run=run, nowhere=tmp_path / "nowhere") for each in words]
    told = asked(*words, "--to", tmp_path / "out")
    assert told.exit_code == 2 and says in told.output and not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_is_refused(tmp_path, run) -> None:
    (tmp_path / "mine").write_text("")
    told = asked("sft", run, "--to", tmp_path)
    assert told.exit_code == 2 and "not empty" in told.output


def test_a_dry_run_writes_nothing(tmp_path, run) -> None:
    told = asked("sft", run, "--dry-run", "--jobs", 1)
    assert told.exit_code == 0 and "own data" in told.output and not list(tmp_path.iterdir())


def test_what_is_all_left_out_by_terms_ends_with_1(tmp_path, run) -> None:
    terms = tmp_path / "terms.toml"
    terms.write_text(
        "[[terms]]\nid='mine'\nvendor=''\napplies_to='bot:.*'\ntrain_other_models='no'\n"
        "summary='not these'\nurl=''\nchecked_on='2026-11-01'\n"
    )
    told = asked("sft", run, "--to", tmp_path / "out", "--terms-file", terms, "--jobs", 1)
    assert told.exit_code == 1 and "left out" in told.output and "--include-restricted" in told.output
    assert not (tmp_path / "out").exists()
    assert "mine: restricts" in asked("--terms", "--terms-file", terms).output


def test_lists() -> None:
    assert "max-regret=NUMBER" in asked("--list").output
    assert "google-gemini-api (Google): restricts, checked" in asked("--terms").output
