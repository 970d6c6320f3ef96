"""Whole duels through the real SDKs over HTTP: against our stand-in, and a server that nobody here wrote."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from orchestrator.record.reading import match_story, run_result
from providers.simulated import Behaviour
from tests.orchestrator.duels import integrity, play, request
from tests.served import served

DUELS = [
    ("anthropic:claude-haiku-5-5?effort=low", "google:gemini-3.8-flash?effort=low"),
    ("openai:gpt-6-luna?effort=low", "anthropic:claude-sonnet-5-5"),
    ("google:gemini-3.1-flash-lite?style=analyst", "openai:gpt-6-luna?style=terse"),
    ("local:some-model", "openai:gpt-6-luna"),
]
LITELLM = [
    "litellm:anthropic/claude-haiku-5-5",
    "litellm:openai/gpt-6-luna",
    "litellm:gemini/gemini-3.8-flash",
]
NAMES = [" vs ".join(spec.partition(":")[0] for spec in duel) for duel in DUELS]


def point_at(monkeypatch, environment: dict[str, str]) -> None:
    for name, url in environment.items():
        monkeypatch.setenv(name, url)
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, "any-key-will-do")


def check(directory, players, reported) -> None:
    """Every match came to a real end, every call worked, the record knows what was said and billed."""
    result = run_result(directory)
    assert result.run.status == "finished" and len(result.pair_scores) == 2
    assert sum(standing.forfeits for standing in result.standings) == 0
    for standing in result.standings:
        assert standing.calls == standing.decisions > 0 == standing.failed_calls
        assert standing.input_tokens > 0 < standing.output_tokens
        assert all(reported(model) for model in standing.reported), standing.reported
        assert (standing.cost_pico > 0) != standing.player.spec.startswith("local:")
    stories = [match_story(directory, match.id) for match in result.matches]
    thoughts = {
        (story.seats[made.seat][1].spec, bool(story.thought(made.id)[0]))
        for story in stories
        for made in story.decisions
    }
    assert not any((spec, False) in thoughts for spec in players if "effort" in spec), thoughts
    assert integrity(directory) == "ok"


@pytest.mark.parametrize("players", DUELS, ids=NAMES)
def test_a_duel_against_the_stand_in(tmp_path, monkeypatch, players) -> None:
    with served(Behaviour.of("greedy")) as server:
        point_at(
            monkeypatch,
            {
                "ANTHROPIC_BASE_URL": server.url,
                "OPENAI_BASE_URL": f"{server.url}/v1",
                "GOOGLE_GEMINI_BASE_URL": server.url,
                "LOCAL_BASE_URL": f"{server.url}/v1",
            },
        )
        play(tmp_path, request(*players, game="connect4", pairs=2, opening=4))
        made = sum(standing.calls for standing in run_result(tmp_path).standings)
        assert server.counts["requests"] == server.counts["answered"] == made
    check(tmp_path, players, lambda model: model == "simulated/greedy")


@pytest.mark.parametrize("players", DUELS, ids=NAMES)
def test_a_duel_against_an_independent_server(tmp_path, monkeypatch, aimock, players) -> None:
    point_at(monkeypatch, aimock.environment)
    play(tmp_path, request(*players, game="connect4", pairs=2, opening=4))
    check(tmp_path, players, lambda model: any(model in spec for spec in players))


@pytest.mark.skipif(find_spec("litellm") is None, reason="the extra litellm is not installed")
@pytest.mark.parametrize("player", LITELLM)
@pytest.mark.parametrize("independent", [False, True], ids=["stand-in", "aimock"])
def test_a_duel_through_litellm(tmp_path, monkeypatch, aimock, player, independent) -> None:
    words = ["duel", player, "vs", "bot:random", "--game", "tictactoe", "--games", "4", "--opening", "1"]
    with served(Behaviour.of("greedy")) as server:
        url = aimock.url if independent else server.url
        point_at(
            monkeypatch,
            {"ANTHROPIC_BASE_URL": url, "OPENAI_BASE_URL": f"{url}/v1", "GOOGLE_GEMINI_BASE_URL": url},
        )
        # In a process of its own: litellm's clients outlive the event loop that made them.
        command = [sys.executable, "-m", "orchestrator", *words, "--output", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    result = run_result(tmp_path)
    assert len(result.pair_scores) == 2 and result.standings[0].forfeits == 0
    assert result.standings[0].calls > 0 == result.standings[0].failed_calls
    assert result.standings[0].cost_pico > 0
