"""A duel: pairs, seeds, workers, voids, stops and resumes."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace

import pytest

from orchestrator.duel import Duel, told_apart
from orchestrator.events import Events
from orchestrator.fixture import Result
from orchestrator.limits import Pace
from orchestrator.players import Decision, HumanPlayer, Seated
from orchestrator.record.database import RecordError
from orchestrator.record.reading import match_story, run_result
from orchestrator.record.store import Record
from orchestrator.request import DuelRequest, canonical, draw_opening, open_record
from orchestrator.runfile import resumed_request
from orchestrator.summary import summary
from orchestrator.table import SpecError, Table
from providers.base import Final, Retryable
from providers.prices import PriceBook, most, price_from_text
from providers.retry import RetryPolicy
from tests.orchestrator.duels import QUICK, Invited, integrity, play, request, rows
from tests.orchestrator.scripted import PRICE, Scripted, model, said


def a_move(asked):
    """The first legal move that the prompt lists, as a model would find it."""
    return said(json.dumps({"rationale": "the first", "action": asked.choices[0][0]}))


def test_pairs_swap_seats_on_one_seed(tmp_path) -> None:
    ending, result = play(tmp_path, request("bot:greedy", "bot:random", pairs=4))
    assert not ending.reason and result.run.status == "finished"
    matches = {(match.pair, match.swap): match for match in result.matches}
    assert len(matches) == 8 and len(result.pair_scores) == 4
    assert all(matches[pair, 0].seed == matches[pair, 1].seed for pair in range(4))
    assert len({match.seed for match in result.matches}) == 4
    assert [standing.matches for standing in result.standings] == [8, 8]
    seats = rows(tmp_path)["seat"]
    assert Counter((seat, player) for _, seat, player, *_ in seats) == dict.fromkeys(
        [(0, 1), (0, 2), (1, 1), (1, 2)], 4
    )


@pytest.mark.parametrize("game", ["tictactoe", "connect4"])
def test_one_seed_one_result_with_any_number_of_workers(tmp_path, game) -> None:
    asked = request("sim:greedy?illegal=0.2&malformed=0.1", "bot:random", game=game, pairs=4)
    for workers in (1, 16):
        play(tmp_path / str(workers), asked, concurrency=workers)
    assert rows(tmp_path / "1") == rows(tmp_path / "16")
    play(tmp_path / "other", request(*asked.players, game=game, pairs=4, seed=2))
    assert rows(tmp_path / "other") != rows(tmp_path / "1")


def test_an_opening_is_shared_by_a_pair_and_chosen_by_nobody(tmp_path) -> None:
    _, result = play(tmp_path, request("bot:greedy", "bot:random", game="connect4", opening=3, pairs=3))
    openings = {(match.pair, match.swap): match.opening for match in result.matches}
    assert all(openings[pair, 0] == openings[pair, 1] and len(openings[pair, 0]) == 3 for pair in range(3))
    assert len({tuple(opening) for opening in openings.values()}) > 1
    assert min(ply for _, ply, *_ in rows(tmp_path)["decision"]) == 3
    with pytest.raises(ValueError, match="use fewer"):
        draw_opening(request("bot:random", "bot:random").board(0), 9, 1)


def test_trouble_voids_and_replays_and_is_nobodys_loss(tmp_path) -> None:
    down = Retryable("server", "down", status=500)
    provider = Scripted([down, down, down], a_move)
    ending, result = play(
        tmp_path, request("0", "bot:random", pairs=2), Invited(model(provider)), concurrency=1
    )
    assert ending.voids == 0 and result.run.status == "finished"
    assert [match.status for match in result.matches].count("void") == 1
    assert sum(match.status == "finished" for match in result.matches) == 4
    assert [standing.matches for standing in result.standings] == [4, 4]
    assert sum(standing.forfeits for standing in result.standings) == 0
    (void,) = [match for match in result.matches if match.status == "void"]
    assert "down" in void.reason and void.id.endswith("0001a")
    assert any(match.id.endswith("0001a2") and match.status == "finished" for match in result.matches)


def test_a_service_that_stays_down_leaves_incomplete_pairs_out(tmp_path) -> None:
    provider = Scripted([], lambda _: (_ for _ in ()).throw(Retryable("server", "down", status=500)))
    asked = request("0", "bot:random", pairs=2, max_voids=1.0)
    ending, result = play(tmp_path, asked, Invited(model(provider)))
    assert ending.voids == 4 and result.run.status == "incomplete" and result.pair_scores == []
    assert summary(result)["elo"] is None and summary(result)["voids"] == 12
    ending, result = play(tmp_path, asked, Invited(model(Scripted([], a_move))))
    assert ending.voids == 0 and len(result.pair_scores) == 2, "a resumed run tries them again"


def test_a_run_of_which_too_much_is_void_stops_itself(tmp_path) -> None:
    provider = Scripted([], lambda _: (_ for _ in ()).throw(Retryable("server", "down", status=500)))
    ending, result = play(tmp_path, request("0", "bot:random", pairs=50), Invited(model(provider)))
    assert "10 of 10 matches were void" in ending.reason and "server: down" in ending.reason
    assert result.run.status == "failed" and len(provider.seen) < 60


def test_a_wall_ends_the_run_and_a_higher_one_lets_it_go_on(tmp_path) -> None:
    whole = play(tmp_path / "whole", request("0", "bot:random"), Invited(model(Scripted([], a_move))))[1]
    cost = whole.standings[0].cost_pico
    wall = cost // 2 + most(PRICE, 2500, 4096)
    asked = request("0", "bot:random", max_cost=(f"{wall / 10**12:.12f}",))
    ending, result = play(tmp_path / "run", asked, Invited(model(Scripted([], a_move))))
    assert ending.walled and "the budget is reached" in ending.reason and result.run.status == "stopped"
    spent = result.standings[0].cost_pico + result.standings[0].possibly_pico
    assert 0 < spent <= wall and result.run.budget_pico == wall
    second = Scripted([], a_move)
    ending, result = play(tmp_path / "run", replace(asked, max_cost=("100",)), Invited(model(second)))
    assert ending.status == "finished" and len(second.seen) < result.standings[0].calls
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")


def test_a_players_wall_keeps_that_player_from_what_is_still_to_play(tmp_path) -> None:
    asked = request("0", "bot:random", max_cost=("one=0.001",))
    provider = Scripted([], a_move)
    ending, result = play(tmp_path, asked, Invited(model(provider)))
    assert ending.walled and "the budget of one is reached" in ending.reason
    assert provider.seen == [] and result.run.status == "stopped"


def test_while_paused_no_call_leaves(tmp_path) -> None:
    provider, seen = Scripted([], a_move), []

    async def go() -> None:
        with Record(tmp_path) as record:
            duel = Duel(request("0", "bot:random"), record, Invited(model(provider)), Events())
            duel.pause()
            playing = asyncio.create_task(duel.play())
            for _ in range(50):
                await asyncio.sleep(0.002)
            seen.append((len(provider.seen), duel.run.status))
            duel.go_on()
            seen.append((await playing).status)

    asyncio.run(go())
    assert seen == [(0, "paused"), "finished"]


@pytest.mark.parametrize("how", [{"limits": ("calls=2",)}, {"max_cost": ("0.15",)}])
def test_whoever_waits_for_room_or_money_when_the_run_is_paused_does_not_leave(
    tmp_path, monkeypatch, how
) -> None:
    monkeypatch.setattr(Pace, "wait", lambda self, now: 0.0)
    provider, seen = Scripted([], a_move), []

    async def go() -> None:
        two, answers = asyncio.Event(), asyncio.Event()

        async def complete(asked):
            provider.seen.append(asked)
            if len(provider.seen) == 2:
                two.set()
            await answers.wait()
            return a_move(asked)

        monkeypatch.setattr(provider, "complete", complete)
        with Record(tmp_path) as record:
            asked = request("0", "bot:random", pairs=8, concurrency=16, **how)
            duel = Duel(asked, record, Invited(model(provider)), Events())
            playing = asyncio.create_task(duel.play())
            await two.wait()
            duel.pause()
            answers.set()
            for _ in range(50):
                await asyncio.sleep(0.002)
            seen.append(len(provider.seen))
            duel.go_on()
            seen.append((await playing).status)

    asyncio.run(go())
    assert seen == [2, "finished"]


def test_whoever_looks_whether_a_model_is_there_is_given_up_as_well(tmp_path) -> None:
    async def go() -> None:
        asked, silence = asyncio.Event(), asyncio.Event()

        async def never(request):
            asked.set()
            await silence.wait()

        silent = Scripted()
        silent.complete = never
        with Record(tmp_path) as record:
            asked_for = request("0", "bot:random", preflight=True)
            duel = Duel(asked_for, record, Invited(model(silent)), Events())
            playing = asyncio.create_task(duel.play())
            await asked.wait()
            duel.abandon()
            ending = await asyncio.wait_for(playing, 5)
        assert ending.interrupted and ending.bug is None

    asyncio.run(go())
    assert [row[2] for row in rows(tmp_path)["call"]] == ["sent"], "it may be billed"


def test_a_bug_before_any_match_is_said_and_not_raised(tmp_path) -> None:
    provider = Scripted([], lambda _: 1 / 0)
    ending, result = play(tmp_path, request("0", "bot:random", preflight=True), Invited(model(provider)))
    assert isinstance(ending.bug, ZeroDivisionError) and result.run.status == "failed"


def test_a_wrong_key_stops_the_run_and_loses_nothing(tmp_path) -> None:
    provider = Scripted([], a_move)
    calls = 0

    def then(asked):
        nonlocal calls
        calls += 1
        if calls > 6:
            raise Final("auth", "the key was revoked", status=401)
        return a_move(asked)

    provider.then = then
    asked = request("0", "bot:random", pairs=3)
    ending, result = play(tmp_path, asked, Invited(model(provider)), concurrency=1)
    assert "revoked" in ending.reason and not ending.interrupted
    assert (result.run.status, result.voids) == ("failed", 0)
    assert len(rows(tmp_path)["call"]) == 7
    provider.then = a_move
    seen = len(provider.seen)
    ending, result = play(tmp_path, asked, Invited(model(provider)))
    assert result.run.status == "finished" and len(result.pair_scores) == 3
    undisturbed = Scripted([], a_move)
    play(tmp_path / "again", asked, Invited(model(undisturbed)))
    assert len(undisturbed.seen) == len(provider.seen) - 1, f"only the refused call was made again, of {seen}"


class Bot:
    """A player that plays `choose(view)`."""

    def __init__(self, choose):
        self.seated, self._choose = Seated("bot:own", "bot:own", "bot", "own"), choose

    async def choose(self, view, turn):
        return Decision(self._choose(view), "ok", "bot")


def broken(view):
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize(("choose", "says"), [(broken, "a bug"), (lambda view: 8, "action 8 is not legal")])
def test_a_bug_in_a_bot_does_not_pass_for_a_finished_run(tmp_path, choose, says) -> None:
    asked = request("bot:random", "0", pairs=1, opening=5)
    ending, result = play(tmp_path, asked, Invited(Bot(choose)))
    if says == "a bug" or ending.bug is not None:
        assert says in ending.reason and result.run.status == "failed"
    play(tmp_path, asked, Invited(Bot(lambda view: view.legal[-1].id)))
    assert run_result(tmp_path).run.status == "finished", "what is on record can be gone on with"


@pytest.mark.parametrize("place", ["match finished", "decision"])
def test_a_listener_that_breaks_stops_the_run_and_says_so(tmp_path, place) -> None:
    class Broken(list):
        def append(self, event):
            if f"{event['type']} {event.get('status', '')}".strip() == place:
                raise BrokenPipeError("nobody reads")

    asked = request("bot:random", "bot:greedy", pairs=3)
    ending, result = play(tmp_path, asked, events=Broken(), concurrency=2)
    assert isinstance(ending.bug, BrokenPipeError) and result.run.status == "failed"
    ending, result = play(tmp_path, asked)
    assert result.run.status == "finished" and len(result.pair_scores) == 3
    play(tmp_path / "whole", asked)
    assert rows(tmp_path) == rows(tmp_path / "whole")


def test_a_listener_that_breaks_over_what_a_lane_says_leaves_nobody_waiting(tmp_path) -> None:
    def listen(event):
        if event["type"] == "limit":
            raise BrokenPipeError("nobody reads")

    def then(asked):
        lane._told_rate = 0.1  # the next call waits for its turn, and leaving it is worth a word
        return a_move(asked)

    with Record(tmp_path) as record:
        asked = request("0", "bot:random", pairs=1, concurrency=1, limits=("calls=1",))
        duel = Duel(asked, record, Invited(model(Scripted([], then))), Events(listen))
        lane = duel.players[0].line.lane
        ending = asyncio.run(asyncio.wait_for(duel.play(), 5))
    assert isinstance(ending.bug, BrokenPipeError)


def test_a_person_is_asked_and_may_resign(tmp_path) -> None:
    async def ask(view):
        return view.legal[0].id if view.ply < 4 else None

    person = HumanPlayer(Seated("human", "human", "human", "human"), ask)
    _, result = play(tmp_path, request("0", "bot:random", pairs=1), Invited(person))
    assert (result.standings[0].forfeits, result.standings[1].wins) == (2, 2)
    assert {row[6] for row in rows(tmp_path)["seat"]} == {"", "resigned"}


def test_a_drained_run_goes_on_where_it_stood(tmp_path) -> None:
    asked = request("sim:greedy?illegal=0.3", "sim:random?malformed=0.2", game="connect4", pairs=5)
    whole = tmp_path / "whole"
    play(whole, asked)
    broken = tmp_path / "broken"
    for stop_after in (5, 1, 20):
        ending, result = play(broken, asked, stop_after=stop_after, concurrency=3)
        assert ending.interrupted and result.run.status == "stopped"
    ending, result = play(broken, asked)
    assert result.run.status == "finished"
    assert rows(broken) == rows(whole)
    assert integrity(broken) == "ok"


def test_a_forfeit_ends_the_match_with_its_reason(tmp_path) -> None:
    _, result = play(tmp_path, request("sim:greedy?prose=1", "bot:random", pairs=1))
    first, second = result.standings
    assert (first.forfeits, first.losses, second.wins, second.forfeits) == (2, 2, 2, 0)
    assert {row[6] for row in rows(tmp_path)["seat"]} == {"", "unparsable"}
    _, result = play(
        tmp_path / "random", request("sim:greedy?prose=1", "bot:random", conduct={"fallback": "random"})
    )
    assert (
        result.standings[0].forfeits == 0
        and result.standings[0].fallbacks == result.standings[0].decisions > 0
    )


def test_twins_are_told_apart(tmp_path) -> None:
    _, result = play(tmp_path, request("bot:random", "bot:random"))
    assert [standing.player.label for standing in result.standings] == ["bot:random #1", "bot:random #2"]
    assert len({standing.player.hash for standing in result.standings}) == 1, "as players they are one"


def test_players_who_share_a_name_are_told_apart_by_options_then_by_places() -> None:
    assert told_apart("ab", ["", "x=1"]) == ["a", "b"]
    assert told_apart("aa", ["", "x=1"]) == ["a", "a?x=1"]
    assert told_apart("aa", ["x=1", "x=1"]) == ["a #1", "a #2"]
    assert told_apart("aaab", ["", "x=1", "x=1", ""]) == ["a", "a?x=1 #2", "a?x=1 #3", "b"]


def test_events_tell_the_story_in_order(tmp_path) -> None:
    events: list = []
    play(tmp_path, request("sim:greedy", "bot:random", pairs=1), events=events, concurrency=1)
    kinds = [event["type"] for event in events]
    assert kinds[0] == "run" and kinds.count("match") == 4
    assert kinds.count("decision") == len(rows(tmp_path)["decision"])
    assert kinds.count("call") == len(rows(tmp_path)["call"])
    json.dumps(events, allow_nan=False)


def test_a_run_is_not_overwritten_nor_resumed_as_another(tmp_path) -> None:
    asked = request("bot:random", "bot:greedy", pairs=1)
    play(tmp_path, asked)
    with pytest.raises(RecordError, match="--resume"):
        open_record(tmp_path, resume=False)
    with pytest.raises(RecordError, match="no run to resume"):
        open_record(tmp_path / "nothing", resume=True)
    assert not (tmp_path / "nothing").exists()
    with open_record(tmp_path, resume=True) as record:
        assert resumed_request(record, {}) == replace(asked, concurrency=4)
        assert resumed_request(record, {"pairs": 1, "players": asked.players, "attempts": 9}).attempts == 9
        with pytest.raises(RecordError, match="games: 2 on record, 18 asked"):
            resumed_request(record, {"pairs": 9})


def test_a_run_is_billed_by_the_prices_of_its_first_day(tmp_path) -> None:
    asked = request("sim:greedy?price=1,2", "bot:random", pairs=2)
    play(tmp_path, asked, stop_after=3, concurrency=1)

    class Dearer(Table):
        def _price(self, *args, **more):
            return price_from_text("1000,2000")

    play(tmp_path, asked, Dearer(retry=QUICK))
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute("SELECT count(DISTINCT price) FROM call").fetchone() == (1,)
        most = db.execute("SELECT max(cost_pico / (input_fresh + cache_read + output)) FROM call").fetchone()
    assert most[0] <= 2_000_000


def test_a_run_goes_on_only_where_its_models_were_reached(tmp_path, monkeypatch) -> None:
    asked = request("local:m", "bot:random", pairs=1)
    monkeypatch.setenv("LOCAL_BASE_URL", "http://127.0.0.1:9/v1")
    play(tmp_path, asked, Table(retry=RetryPolicy(attempts=1)))
    monkeypatch.setenv("LOCAL_BASE_URL", "http://127.0.0.2:9/v1")
    with pytest.raises(RecordError, match=r"127\.0\.0\.1:9/v1 when .* set the address back"):
        play(tmp_path, asked)


def test_an_alias_is_recorded_as_what_it_stood_for() -> None:
    book = PriceBook.load()
    (spec,) = canonical(("claude?style=terse",))
    assert spec == book.resolve("claude") + "?style=terse"


def test_players_of_one_name_are_told_apart_by_what_differs(tmp_path) -> None:
    _, result = play(tmp_path, request("sim:greedy?style=terse", "sim:greedy", pairs=1))
    assert [standing.player.label for standing in result.standings] == [
        "sim:greedy?style=terse",
        "sim:greedy",
    ]


def test_a_match_keeps_its_beginning_and_its_plies(tmp_path) -> None:
    asked = request("bot:random", "bot:greedy", game="connect4", pairs=1)
    play(tmp_path, asked, stop_after=4, concurrency=1)
    (before,) = [match for match in run_result(tmp_path).matches if match.swap == 0]
    assert (before.status, before.plies) == ("stopped", 4)
    started = match_story(tmp_path, before.id).match.started
    play(tmp_path, asked)
    (after,) = [match for match in run_result(tmp_path).matches if match.swap == 0]
    row = match_story(tmp_path, after.id).match
    assert row.started == started < row.finished and after.plies > 6


def test_a_model_gone_from_the_price_list_still_goes_on(tmp_path) -> None:
    asked = request("sim:greedy?price=1,2", "bot:random", pairs=1)
    play(tmp_path, asked, stop_after=2, concurrency=1)

    class Forgetful(Table):
        def _price(self, *args, **more):
            return None

    ending, result = play(tmp_path, replace(asked, max_cost=("5",)), Forgetful(retry=QUICK))
    assert not ending.reason and result.standings[0].unpriced_calls == 0


def test_a_run_asks_in_one_way_from_first_to_last(tmp_path, monkeypatch) -> None:
    asked = request("sim:greedy", "bot:random", pairs=1)
    play(tmp_path, asked, stop_after=2, concurrency=1)
    monkeypatch.setattr(Duel, "_prompts", lambda self, player: "edited" if player.seated.style else "")
    with pytest.raises(RecordError, match="prompts of sim:greedy have changed"):
        play(tmp_path, asked)


@pytest.mark.parametrize(
    "change", [{"conduct": {"reasks": "2"}}, {"conduct": None}, {"concurrency": 0}, {"x": 1}]
)
def test_a_request_that_nobody_wrote_is_refused(change) -> None:
    whole = request("bot:random", "bot:greedy").to_json()
    with pytest.raises((RecordError, ValueError)):
        DuelRequest.from_json({**whole, **change})


def test_the_first_reason_is_the_one_that_is_told(tmp_path) -> None:
    provider = Scripted([], lambda _: (_ for _ in ()).throw(Final("auth", "no such key", status=401)))
    events: list = []

    class Impatient(list):
        def append(self, event):
            if event["type"] == "match" and event["status"] == "stopped":
                duels[0].stop()
                duels[0].abandon()

    duels: list = []
    monkey = Duel.__init__

    def remember(self, *args):
        monkey(self, *args)
        duels.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Duel, "__init__", remember)
        ending, result = play(
            tmp_path, request("0", "bot:random", pairs=1), Invited(model(provider)), events=Impatient(events)
        )
    assert "no such key" in ending.reason and not ending.interrupted and result.run.status == "failed"


def test_two_processes_cannot_write_one_record(tmp_path) -> None:
    with Record(tmp_path), pytest.raises(RecordError, match="another process"):
        Record(tmp_path)
    Record(tmp_path).close()


def test_a_request_survives_the_record() -> None:
    asked = request("bot:random", "bot:greedy", conduct={"effort": "low", "temperature": 0.5}, price="1,2")
    assert DuelRequest.from_json(json.loads(json.dumps(asked.to_json()))) == asked


def test_an_unknown_player_makes_no_directory(tmp_path) -> None:
    with pytest.raises(SpecError):
        play(tmp_path / "x", request("bot:random", "bot:nobody"))


@pytest.mark.parametrize(
    ("returns", "scores", "ranks"),
    [
        ((1, -1), (1, 0), (1, 2)),
        ((0, 0), (0.5, 0.5), (1, 1)),
        ((3, 1, 1, 0), (1, 0.5, 0.5, 0), (1, 2, 2, 4)),
    ],
)
def test_scores_and_ranks(returns, scores, ranks) -> None:
    result = Result(returns, 9, ("",) * len(returns))
    assert result.scores == scores and result.ranks == ranks
