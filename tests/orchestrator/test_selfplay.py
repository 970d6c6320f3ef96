"""Bots among themselves: the matches of a duel on any number of processes, kept whole, and nothing wrong unseen."""

from __future__ import annotations

import itertools
import json
import sqlite3
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine import Bot
from orchestrator import selfplay
from orchestrator.duel import fixture_of
from orchestrator.fixture import pair_name
from orchestrator.pool import think
from orchestrator.record.store import Record
from orchestrator.request import DuelRequest, SelfplayRequest
from orchestrator.selfplay import Quality, quality
from tests.orchestrator.duels import integrity
from tests.orchestrator.duels import play as play_duel

CARDS = {"players": 3, "cards": 2, "rounds": 1}
TABLES = {
    "connect4": {"players": ("bot:mcts:30", "bot:greedy"), "game": "connect4", "opening": 2},
    "tictactoe": {"players": ("bot:mcts:20?c=1.2", "bot:mcts:20?c=1.2"), "game": "tictactoe"},
    "othello": {"players": ("bot:random", "bot:mcts:2"), "game": "othello"},
    "blob": {
        "players": ("bot:ismcts:20", "bot:pimc:20?worlds=4", "bot:random"),
        "game": "blob",
        "variant": CARDS,
    },
}
TIMES = {
    "decision": ("latency_ms", "decided"),
    "match": ("started", "finished"),
    "seat": (),
    "player": (),
    "tally": (),
}


def asked(table: str, kind: type[DuelRequest] = SelfplayRequest, pairs: int = 2, seed: int = 5) -> Any:
    return kind(**TABLES[table], pairs=pairs, seed=seed)


def play(directory: Path, request: SelfplayRequest, jobs: int = 1) -> Path:
    with Record(directory) as record:
        assert selfplay.play(request, record, jobs).status == "finished"
    return directory


def query(directory: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(directory / "record.db", isolation_level=None)) as db:
        return db.execute(sql).fetchall()


def contents(directory: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of what was played, but for times and the id of the run."""
    ((run,),) = query(directory, "SELECT id FROM run")
    found = {}
    for table, times in TIMES.items():
        named = [name for _, name, *_ in query(directory, f"PRAGMA table_info({table})") if name not in times]
        rows = query(directory, f"SELECT {', '.join(named)} FROM {table}")
        bare = ([each.replace(run, "RUN") if isinstance(each, str) else each for each in row] for row in rows)
        found[table] = sorted(map(tuple, bare), key=repr)
    return found


# ── what is played ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("table", TABLES)
def test_the_rows_are_those_of_a_duel_with_that_seed(tmp_path, table) -> None:
    play(tmp_path / "selfplay", asked(table))
    play_duel(tmp_path / "duel", asked(table, DuelRequest))
    mine, theirs = contents(tmp_path / "selfplay"), contents(tmp_path / "duel")
    assert mine == theirs and len(mine["match"]) == 2 * len(TABLES[table]["players"])


def test_the_number_of_processes_changes_nothing(tmp_path) -> None:
    request = asked("blob", pairs=9)
    alone = contents(play(tmp_path / "1", request))
    assert contents(play(tmp_path / "3", request, jobs=3)) == alone
    assert integrity(tmp_path / "3") == "ok"


def test_another_seed_gives_other_matches(tmp_path) -> None:
    one, other = (play(tmp_path / str(seed), asked("connect4", seed=seed)) for seed in (1, 2))
    assert not set(query(one, "SELECT went FROM match")) & set(query(other, "SELECT went FROM match"))


def test_a_longer_run_begins_with_the_shorter_one(tmp_path) -> None:
    request = asked("connect4", pairs=2)
    play(tmp_path / "grown", request)
    before = query(tmp_path / "grown", "SELECT id, decided, state FROM decision")
    play(tmp_path / "grown", replace(request, pairs=5))
    after = query(tmp_path / "grown", "SELECT id, decided, state FROM decision")
    assert set(before) < set(after), "what was there is left as it was"
    assert contents(tmp_path / "grown") == contents(play(tmp_path / "whole", replace(request, pairs=5)))
    assert len(query(tmp_path / "grown", "SELECT id FROM run")) == 1


def test_progress_is_told_from_where_it_stands(tmp_path) -> None:
    request, told = asked("tictactoe", pairs=2), []
    play(tmp_path, request)
    with Record(tmp_path) as record:
        selfplay.play(replace(request, pairs=3), record, 1, lambda done, of: told.append((done, of)))
    assert told == [(4, 6), (5, 6), (6, 6)]


def test_an_interrupted_run_keeps_whole_matches_and_goes_on(tmp_path) -> None:
    request = asked("connect4", pairs=4)

    def interrupt(done: int, of: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with Record(tmp_path / "run") as record:
        run = selfplay.play(request, record, 1, interrupt)
    assert (run.status, run.reason) == ("stopped", "interrupted") and run.finished is not None
    assert quality(tmp_path / "run").matches == 3
    assert contents(play(tmp_path / "run", request)) == contents(play(tmp_path / "whole", request))


def test_the_end_of_a_process_that_plays_stops_the_run(tmp_path, monkeypatch) -> None:
    request, whole = asked("tictactoe", pairs=3), selfplay._played

    def broken(*given):
        yield from itertools.islice(whole(*given), 2)
        raise BrokenProcessPool

    monkeypatch.setattr(selfplay, "_played", broken)
    with Record(tmp_path / "run") as record:
        run = selfplay.play(request, record)
    assert (run.status, run.reason) == ("stopped", "a process was ended from outside")
    monkeypatch.undo()
    assert contents(play(tmp_path / "run", request)) == contents(play(tmp_path / "whole", request))


# ── what searches found ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("table", TABLES)
def test_policies_are_distributions_and_forecasts_are_scores(tmp_path, table) -> None:
    play(tmp_path, asked(table, pairs=3))
    made = """
        SELECT p.spec, d.legal, d.action, d.probabilities, d.forecast
        FROM decision d JOIN player p ON p.id = d.player
    """
    for spec, legal, action, policy, forecast in query(tmp_path, made):
        if spec in ("bot:random", "bot:greedy"):
            assert (policy, forecast) == (None, None)
            continue
        shares = json.loads(policy)
        assert [int(each) for each in shares] == json.loads(legal)
        assert sum(shares.values()) == pytest.approx(1) and min(shares.values()) >= 0
        assert (forecast is None) == (table == "blob")
        assert forecast is None or 0 <= forecast <= 1
        if spec.startswith(("bot:mcts", "bot:ismcts")):
            assert shares[str(action)] == max(shares.values()), "it plays what it visits most"


def test_who_wins_with_the_next_move_expects_to() -> None:
    game = engine.new("connect4", 1)
    for column in (3, 0, 3, 0, 3, 0):
        game.apply(column)
    thought = think(engine.new_bot("mcts:2000"), game, engine.Rng(1))
    assert thought.action == 3 and thought.forecast is not None and thought.forecast > 0.9
    game.apply(3)
    assert game.is_terminal() and game.returns()[0] == 1


class Spy(Bot):
    """Plays by chance, and remembers what it was given to look at."""

    def __init__(self) -> None:
        self.given: list[bytes] = []

    def choose(self, game, rng):
        self.given.append(game.to_bytes())
        return game.random_action(rng)


def test_hidden_cards_are_drawn_anew_for_whoever_chooses(tmp_path, monkeypatch) -> None:
    spy = Spy()
    monkeypatch.setattr(selfplay, "bot_of", lambda recipe: spy)
    play(tmp_path, asked("blob", pairs=4))
    true = query(tmp_path, "SELECT state, seat FROM decision ORDER BY match, ply")
    others = 0
    for (state, seat), world in zip(true, spy.given, strict=True):
        assert known(world, seat) == known(state, seat)
        others += any(known(world, other) != known(state, other) for other in {0, 1, 2} - {seat})
    assert others > len(true) / 2, "nobody is shown what the others hold"


def known(state: bytes, seat: int) -> tuple[Any, ...]:
    view = engine.from_bytes(state).view(seat)
    return view.board, view.facts, view.legal


# ── what is wrong is found ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("table", TABLES)
def test_what_was_played_is_sound(tmp_path, table) -> None:
    found = quality(play(tmp_path, asked(table, pairs=4)))
    assert found.corrupt == {}
    assert found.matches == 4 * len(TABLES[table]["players"])


def test_the_report_is_what_the_record_says(tmp_path) -> None:
    found = quality(play(tmp_path, asked("connect4", pairs=10)))
    ((matches, least, mean, most),) = query(
        tmp_path, "SELECT count(*), min(plies), avg(plies), max(plies) FROM match"
    )
    ((decisions, choices, policies),) = query(
        tmp_path, "SELECT count(*), sum(json_array_length(legal) > 1), count(probabilities) FROM decision"
    )
    ((first,),) = query(tmp_path, "SELECT avg(score) FROM seat WHERE seat = 0")
    ((draws,),) = query(tmp_path, "SELECT avg(outcome = 'draw') FROM seat WHERE seat = 0")
    ((went,),) = query(tmp_path, "SELECT count(DISTINCT went) FROM match")
    classes = {
        bytes(engine.from_bytes(state).position_class())
        for (state,) in query(tmp_path, "SELECT state FROM decision")
    }
    assert found == Quality(
        matches, {}, went, decisions, choices, policies, len(classes), (least, pytest.approx(mean), most),
        pytest.approx(first), pytest.approx(draws),
    )  # fmt: skip


CORRUPTIONS = {
    "UPDATE seat SET score = 1 - score WHERE match LIKE '%-0001a'": "on record: ",
    "UPDATE match SET plies = plies + 1 WHERE id LIKE '%-0001a'": "plies",
    "UPDATE match SET opening = '[0, 0]' WHERE id LIKE '%-0001a'": "another position",
    "UPDATE match SET opening = '[0, 99]' WHERE id LIKE '%-0001a'": "99",
    "UPDATE match SET variant = '{\"wide\": 3}' WHERE id LIKE '%-0001a'": "wide",
    "DELETE FROM seat WHERE match LIKE '%-0001a'": "on record: []",
    "DELETE FROM decision WHERE id LIKE '%-0001a-%' AND ply > 5": "not over",
    "DELETE FROM decision WHERE id LIKE '%-0001a-004'": "ply 5: another position",
    "UPDATE decision SET seat = 1 - seat WHERE id LIKE '%-0001a-004'": "ply 4: another position",
    "UPDATE decision SET state = substr(state, 2) WHERE id LIKE '%-0001a-004'": "ply 4: another position",
    "UPDATE decision SET legal = '[0, 1]' WHERE id LIKE '%-0001a-004'": "ply 4: other moves",
    "UPDATE decision SET action = 99 WHERE id LIKE '%-0001a-004'": "ply 4: other moves",
    "UPDATE decision SET action = NULL WHERE id LIKE '%-0001a-004'": "ply 4: other moves",
    "UPDATE decision SET action_text = 'z' WHERE id LIKE '%-0001a-004'": "ply 4: its move is",
    "UPDATE decision SET probabilities = '{\"0\": 1.0}' WHERE id LIKE '%-0001a-004'": "ply 4: its policy",
    "UPDATE decision SET forecast = 1.5 WHERE id LIKE '%-0001a-004'": "ply 4: its forecast",
}  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> bytes:
    """A record that is."""
    directory = play(tmp_path_factory.mktemp("sound"), asked("connect4", pairs=2))
    return (directory / "record.db").read_bytes()


@pytest.mark.parametrize("statement", CORRUPTIONS)
def test_whatever_cannot_have_been_played_is_found(tmp_path, sound, statement) -> None:
    (tmp_path / "record.db").write_bytes(sound)
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        assert db.execute(statement).rowcount
    found = quality(tmp_path)
    ((match, why),) = found.corrupt.items()
    assert match.endswith("-0001a") and CORRUPTIONS[statement] in why
    assert found.matches == 4


def test_another_deal_of_cards_is_found(tmp_path) -> None:
    play(tmp_path, asked("blob"))
    with closing(sqlite3.connect(tmp_path / "record.db", isolation_level=None)) as db:
        db.execute("UPDATE match SET seed = seed + 1 WHERE id LIKE '%-0002c'")
    ((match, why),) = quality(tmp_path).corrupt.items()
    assert match.endswith("-0002c") and "ply 0: another position" in why


def test_a_run_without_a_match_has_no_quality(tmp_path) -> None:
    request = asked("connect4")
    with Record(tmp_path) as record:
        selfplay._begin(request, record)
    with pytest.raises(ValueError, match="no finished match"):
        quality(tmp_path)


@pytest.mark.parametrize(("game", "players"), [("blob", 2), ("connect4", 3), ("connect4", 1)])
def test_there_is_a_player_for_every_seat(game: str, players: int) -> None:
    with pytest.raises(ValueError, match=rf"{game} has \d seats, got {players} player"):
        SelfplayRequest(players * ("bot:random",), game=game)


# ── names ────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.integers(0, 10**8), min_size=2))
def test_names_of_pairs_sort_as_their_numbers(pairs) -> None:
    assert sorted(map(pair_name, pairs)) == [pair_name(pair) for pair in sorted(pairs)]


def test_names_of_matches_sort_in_playing_order_beyond_four_digits() -> None:
    request = asked("connect4", pairs=100_001)
    places = [
        (0, 0),
        (0, 1),
        (9_998, 0),
        (9_998, 1),
        (9_999, 0),
        (9_999, 1),
        (99_998, 1),
        (99_999, 0),
        (100_000, 1),
    ]
    names = [fixture_of(request, request, "run", *place).id for place in places]
    assert names == sorted(names) and len(set(names)) == len(names)
    assert (
        names[:2] == ["run-0001a", "run-0001b"] and names[4] == "run-A10000a" and names[7] == "run-B100000a"
    )
