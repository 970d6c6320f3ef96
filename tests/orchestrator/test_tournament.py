"""Whole tournaments: the same rows with one worker or sixteen, at once or killed again and again, chosen or not."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from orchestrator import batch
from orchestrator.events import Event
from orchestrator.model import Conduct
from orchestrator.record.database import RecordError
from orchestrator.record.reading import run_result
from orchestrator.replay import replay
from orchestrator.request import TournamentRequest
from orchestrator.summary import summary
from providers.base import Retryable
from providers.simulated import Behaviour
from tests.orchestrator.duels import Invited, play, rows
from tests.orchestrator.scripted import Scripted, model, said
from tests.served import served

FIELD = ("sim:greedy?price=300,1500", "sim:random?price=3,15", "bot:greedy", "bot:random")
SIZE = {"game": "tictactoe", "opening": 2, "pairs": 36, "seed": 5}


def tournament(*players: str, **asked: Any) -> TournamentRequest:
    return TournamentRequest(players=players or FIELD, **{**SIZE, **asked})


ACTIVE = tournament(active=True, step=4)


@pytest.fixture(scope="module", params=[tournament(), ACTIVE], ids=["round robin", "active"])
def alone(request, tmp_path_factory) -> tuple[TournamentRequest, Path]:
    """Played by one worker without a break."""
    directory = tmp_path_factory.mktemp("alone")
    ending, _ = play(directory, request.param, concurrency=1)
    assert ending.status == "finished"
    return request.param, directory


def test_one_worker_or_sixteen_give_one_result(alone, tmp_path) -> None:
    asked, once = alone
    ending, result = play(tmp_path, asked, concurrency=16)
    assert (ending.status, result.finished, len(result.pairs)) == ("finished", 72, 36)
    assert rows(tmp_path) == rows(once)


def test_stopped_again_and_again_it_gives_the_same(alone, tmp_path) -> None:
    asked, once = alone
    stops = 0
    while play(tmp_path, asked, concurrency=5, stop_after=41)[0].status != "finished":
        stops += 1
    assert stops > 3
    assert rows(tmp_path) == rows(once)


def test_made_longer_it_is_as_if_it_had_been_so_long(alone, tmp_path) -> None:
    asked, once = alone
    play(tmp_path, replace(asked, pairs=17))
    play(tmp_path, asked)
    assert rows(tmp_path) == rows(once)


def test_it_plays_again_from_its_record(alone, tmp_path) -> None:
    assert replay(alone[1], tmp_path / "again").same


def test_a_request_survives_its_record(alone) -> None:
    asked, _ = alone
    assert TournamentRequest.from_json(json.loads(json.dumps(asked.to_json()))) == asked
    with pytest.raises(RecordError, match="cannot be read"):
        TournamentRequest.from_json({**asked.to_json(), "players": ["bot:random"]})


def test_everybody_meets_everybody_from_both_sides_on_the_same_deals(tmp_path) -> None:
    _, result = play(tmp_path, tournament(pairs=18))
    sat = Counter(match.sat for match in result.matches)
    assert set(sat.values()) == {3} and len(sat) == 12
    for two in combinations(range(1, 5), 2):
        seeds = {match.seed for match in result.matches if set(match.sat) == set(two)}
        assert seeds == {match.seed for match in result.matches} and len(seeds) == 3


def test_the_dear_one_plays_less_and_the_summary_says_who_met(alone) -> None:
    asked, once = alone
    told = summary(run_result(once))
    json.dumps(told, allow_nan=False)
    assert told["kind"] == "tournament" and told["planned"] == told["matches"] == 72
    assert sum(met["pairs"] for met in told["meetings"]) == told["pairs"] == 36
    plays = Counter(player for met in told["meetings"] for player in met["pairs"] * met["players"])
    if asked.active:
        assert plays[1] < min(plays[number] for number in (2, 3, 4))
    else:
        assert set(plays.values()) == {18}
    (board,) = told["ranking"]
    assert [line["rank_low"] for line in board["players"]] == sorted(
        line["rank_low"] for line in board["players"]
    )
    assert {line["player"] for line in board["players"]} == {1, 2, 3, 4}
    assert told["cost_usd"] == sum(player["cost_usd"] for player in told["players"]) > 0


def test_two_players_will_do(tmp_path) -> None:
    for name, active in (("plain", False), ("active", True)):
        ending, result = play(
            tmp_path / name, tournament("bot:greedy", "bot:random", pairs=20, active=active)
        )
        assert (ending.status, len(result.pairs)) == ("finished", 20)
        assert len(summary(result)["ranking"][0]["players"]) == 2


def test_of_several_tracks_each_sentence_says_which_board_it_is_of(tmp_path) -> None:
    players = ("sim:greedy", "sim:greedy?track=rules", "bot:random")
    _, result = play(tmp_path, tournament(*players, pairs=3))
    told = summary(result)
    titles = tuple(f"{board['title']}: " for board in told["ranking"])
    assert len(titles) > 1 and all(each.startswith(titles) for each in told["says"])
    assert {title for title in titles for each in told["says"] if each.startswith(title)} == set(titles)


def test_tables_of_more(tmp_path) -> None:
    bots = ("bot:random", "bot:greedy", "bot:ismcts:2", "bot:ismcts:3", "bot:ismcts:4")
    asked = tournament(
        *bots, game="blob", variant={"players": 3, "cards": 2, "rounds": 2}, opening=0, pairs=7
    )
    ending, result = play(tmp_path / "one", asked, concurrency=1)
    assert ending.status == "finished" and result.finished == 21 == asked.matches
    play(tmp_path / "many", asked, concurrency=9)
    assert rows(tmp_path / "one") == rows(tmp_path / "many")
    assert len(summary(result)["ranking"][0]["players"]) == 5


# ── money, trouble, an early end ─────────────────────────────────────────────────────────────────────


def test_a_wall_ends_it_and_a_higher_one_lets_it_go_on(alone, tmp_path) -> None:
    asked, once = alone
    whole = sum(standing.cost_pico for standing in run_result(once).standings) / 1e12
    walls = [0.3 * whole, 0.7 * whole]
    for usd in walls:
        ending, result = play(tmp_path, replace(asked, max_cost=(f"{usd:.6f}",)), concurrency=3)
        assert ending.walled and result.run.status == "stopped"
        assert sum(standing.cost_pico for standing in result.standings) <= usd * 1e12
    assert play(tmp_path, asked)[0].status == "finished"
    assert rows(tmp_path) == rows(once)


def test_a_wall_of_one_player_does_not_hang_an_active_one(tmp_path) -> None:
    ending, result = play(tmp_path, replace(ACTIVE, max_cost=("sim:greedy=0.2",)), concurrency=16)
    assert ending.walled and "the budget of" in ending.reason
    assert 0 < result.finished < 72
    assert play(tmp_path, ACTIVE)[0].status == "finished"


def a_move(asked: Any) -> Any:
    return said(json.dumps({"rationale": "the first", "action": asked.choices[0][0]}))


def down(_: object) -> Any:
    raise Retryable("server", "down", status=500)


def test_pairs_that_stay_void_do_not_block_those_that_follow(tmp_path) -> None:
    asked = tournament("0", "bot:greedy", "bot:random", active=True, step=3, pairs=15, max_voids=1.0)
    ending, result = play(tmp_path, asked, Invited(model(Scripted([], down))))
    assert result.run.status == "incomplete" and ending.voids > 0
    chosen = {match.pair: set(match.sat) for match in result.matches}
    assert len(chosen) == 15
    ending, result = play(tmp_path, asked, Invited(model(Scripted([], a_move))))
    assert ending.status == "finished", "a resumed run tries them again"
    assert {match.pair: set(match.sat) for match in result.matches} == chosen


def test_it_stops_once_the_ranks_are_known(tmp_path) -> None:
    bots = ("bot:mcts:200", "bot:greedy", "bot:random")
    asked = tournament(*bots, game="connect4", pairs=400, active=True, step=5, until_ranked=0)
    ending, result = play(tmp_path / "one", asked, concurrency=1)
    assert ending.status == "finished" and ending.decided
    assert ending.reason.startswith("every rank is known for certain, by the first ")
    assert len(result.pairs) < 400 and summary(result)["stopped"] == ending.reason
    again, _ = play(tmp_path / "many", asked, concurrency=16)
    assert again.reason == ending.reason and rows(tmp_path / "one") == rows(tmp_path / "many")
    events: list[Event] = []
    play(tmp_path / "one", asked, events=events)
    assert not [event for event in events if event["type"] == "match"], "there is nothing left to play"


# ── what cannot be asked ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"players": ("bot:random",)}, "two players or more, got 1"),
        ({"players": ("bot:random", "bot:greedy", "bot:random")}, "bot:random is given twice"),
        ({"game": "blob"}, "blob has 5 seats, got 3 players: name at least 5"),
        ({"until_ranked": 1}, "until_ranked is for active tournaments"),
        ({"until_ranked": -1, "active": True}, "until_ranked is -1"),
        ({"step": 0, "active": True}, "step is 0"),
        (
            {"game": "blob", "variant": {"players": 3}, "active": True},
            "for games between two, and blob has 3",
        ),
    ],
)
def test_what_cannot_be_asked(change, why) -> None:
    with pytest.raises(ValueError, match=why):
        TournamentRequest(**{"players": FIELD[:3], **SIZE, **change})


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
def test_in_batches_the_same_pairs_are_chosen(tmp_path, monkeypatch) -> None:
    quick = batch.Pace(first_s=0.02, longest_s=0.1, settles_s=0.2)
    monkeypatch.setattr(batch, "Pace", lambda: quick)
    models = ("anthropic:claude-haiku-5-5", "google:gemini-3.8-flash", "bot:random")
    asked = tournament(*models, active=True, step=3, pairs=14)
    with served(Behaviour.of("greedy", batch_latency=0.05)) as server:
        for name, path in (("ANTHROPIC", ""), ("GOOGLE_GEMINI", "")):
            monkeypatch.setenv(f"{name}_BASE_URL", server.url + path)
        for name in ("ANTHROPIC", "GEMINI"):
            monkeypatch.setenv(f"{name}_API_KEY", "any-key-will-do")
        batched, result = play(tmp_path / "batch", replace(asked, conduct=Conduct(tier="batch")))
        play(tmp_path / "online", asked)
    assert batched.status == "finished" and result.finished == 28, batched.reason
    for table in ("match", "seat"):
        assert rows(tmp_path / "batch")[table] == rows(tmp_path / "online")[table]
