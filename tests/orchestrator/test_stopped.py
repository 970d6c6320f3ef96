"""A duel that stops by a rule: at the same pair however it is played, and for good."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from click.testing import CliRunner

from orchestrator.cli import main
from orchestrator.remarks import remarks
from orchestrator.summary import summary
from tests.orchestrator.duels import play, request

GREEDY = request("sim:greedy", "sim:random", pairs=100, seed=3, sprt="0,100")


def told(result) -> dict:
    """What may not depend on the order in which matches ended."""
    said = summary(result)
    return {
        name: said[name]
        for name in ("pairs", "distinct_pairs", "elo", "elo_low", "elo_high", "test", "shape", "stopped")
    }


@pytest.mark.parametrize(
    "rule", [{"sprt": "0,100"}, {"sprt": "nelo:0,60"}, {"until_ci": "150"}, {"until_ci": "20,-500"}]
)
def test_it_stops_at_the_same_pair_with_one_match_at_once_or_sixteen(tmp_path, rule) -> None:
    asked = replace(GREEDY, **{"sprt": None, "pairs": 30 if "-500" in str(rule) else 100} | rule)
    one, alone = play(tmp_path / "1", asked, concurrency=1)
    many, together = play(tmp_path / "16", asked, concurrency=16)
    if "-500" not in str(rule):
        assert one.decided and many.decided and (one.status, many.status) == ("finished", "finished")
        assert 4 < told(alone)["pairs"] < 100 and told(alone)["stopped"] == one.reason
    assert told(alone) == told(together)
    assert together.finished >= alone.finished == 2 * told(alone)["pairs"]


def test_what_was_under_way_is_on_record_and_beyond(tmp_path) -> None:
    _, result = play(tmp_path, GREEDY, concurrency=16)
    said = summary(result)
    assert (
        sum(player["wins"] + player["draws"] + player["losses"] for player in said["players"])
        == 2 * result.finished
    )
    assert said["beyond"] == len(result.pairs) - said["pairs"]
    lines = " ".join(remarks(said))
    assert "accepts H1" in lines and "median-unbiased" in lines and "The first seat is worth" in lines


def test_it_goes_on_to_the_same_end_and_no_further(tmp_path) -> None:
    _, whole = play(tmp_path / "whole", GREEDY, concurrency=1)
    ending, _ = play(tmp_path / "parts", GREEDY, concurrency=4, stop_after=20)
    assert ending.interrupted
    ending, result = play(tmp_path / "parts", GREEDY, concurrency=4)
    assert ending.decided and told(result) == told(whole)
    ending, again = play(tmp_path / "parts", GREEDY, concurrency=4)
    assert ending.decided and again.finished == result.finished and told(again) == told(whole)


@pytest.mark.parametrize(
    ("rule", "figure"), [({"sprt": "0,100"}, "llr"), ({"sprt": None, "until_ci": "150"}, "half")]
)
def test_whoever_watches_hears_how_near_the_end_is(tmp_path, rule, figure) -> None:
    events: list[dict] = []
    _, result = play(tmp_path, replace(GREEDY, **rule), concurrency=4, events=events)
    heard = [event for event in events if event["type"] == "test"]
    said = summary(result)
    assert [event["pairs"] for event in heard][-1] == said["pairs"] and len(heard) > 3
    assert all(before["pairs"] < after["pairs"] for before, after in pairwise(heard))
    if figure == "llr":
        assert heard[-1]["llr"] == said["test"]["llr"] >= heard[-1]["llr_high"]
    else:
        assert heard[-1]["half"] <= 150 < heard[-2]["half"]


def test_a_run_that_goes_on_says_at_once_where_its_test_stands(tmp_path) -> None:
    play(tmp_path, GREEDY, concurrency=1, stop_after=60)
    events: list[dict] = []
    play(tmp_path, GREEDY, concurrency=1, events=events)
    kinds = [event["type"] for event in events]
    assert kinds[kinds.index("run") + 1] == "test" and "test" not in kinds[: kinds.index("run")]


def test_repeats_move_no_rule(tmp_path) -> None:
    asked = request("bot:perfect", "bot:greedy", pairs=30, until_ci="100")
    ending, result = play(tmp_path, asked)
    assert summary(result)["distinct_pairs"] < 30 or not ending.decided


def test_a_rule_is_for_two_players() -> None:
    with pytest.raises(ValueError, match="two players"):
        request("bot:random", "bot:random", "bot:random", game="blob", sprt="0,5")
    with pytest.raises(ValueError, match="ELO0,ELO1"):
        request("bot:random", "bot:random", sprt="x")


def test_the_command(tmp_path) -> None:
    base = [
        "duel",
        "bot:greedy",
        "vs",
        "bot:random",
        "--game",
        "tictactoe",
        "--seed",
        "1",
        "--display",
        "plain",
    ]
    done = CliRunner().invoke(main, [*base, "--sprt", "0,100", "--output", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    assert "accepts H1" in done.output
    assert 'sprt = "0,100"' in (tmp_path / "run" / "run.toml").read_text()
    other = ["duel", "--resume", "--output", str(tmp_path / "run"), "--sprt", "0,50"]
    refused = CliRunner().invoke(main, other)
    assert refused.exit_code == 2 and "sprt" in refused.output
