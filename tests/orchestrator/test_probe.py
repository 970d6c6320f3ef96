"""Positions shown in several ways: which ways, from which record, played as a run, and what is found in the answers."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import engine
from engine import Game, Rng
from orchestrator import probe
from orchestrator.estimate import lots_of, of_request
from orchestrator.grades import Method, grade_run
from orchestrator.model import Conduct
from orchestrator.overview import glance
from orchestrator.probe import Ask
from orchestrator.probe_record import ALL, RELABEL, Probed, answers, positions, probed
from orchestrator.ratings.probes import REPEAT, Consistency
from orchestrator.record.database import RecordError
from orchestrator.record.reading import match_story, run_result
from orchestrator.record.store import Record
from orchestrator.replay import replay
from orchestrator.report.section import read, sections
from orchestrator.request import ProbeRequest, request_on_record
from orchestrator.summary import summary
from orchestrator.verify import verify
from tests.orchestrator.duels import integrity, play, request


def after(game: str, *moves: str, **variant: int) -> Game:
    found = engine.new(game, 1, **variant)
    for move in moves:
        found.apply(found.parse_action(move))
    return found


def later(game: str, plies: int, seed: int = 1, **variant: int) -> Game:
    found, rng = engine.new(game, seed, **variant), Rng(seed)
    while found.ply() < plies or len(found.legal_actions()) < 2:
        if found.is_terminal():
            found.reset(rng)
        found.apply(found.random_action(rng))
    return found


def probing(*players: str, games: tuple[Game, ...], **asked: object) -> ProbeRequest:
    states = tuple(game.to_bytes().hex() for game in games)
    return ProbeRequest(players=players, positions=states, **{"seed": 1, **asked})  # type: ignore[arg-type]


LAST_MOVE = after("tictactoe", *["a1", "b1", "c1", "b2", "a2", "c2", "b3", "a3"]).to_bytes().hex()


# ── ways ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_symmetry_is_asked_where_it_shows_something_else() -> None:
    assert probe.changing(after("connect4", "4", "4")) == []  # its own mirror image
    assert probe.changing(after("connect4", "4", "3")) == [1]
    assert probe.changing(after("tictactoe", "a1")) == [
        1,
        2,
        3,
        5,
        6,
        7,
    ]  # the falling diagonal exchanges nothing
    assert probe.changing(engine.new("tictactoe")) == []


def test_only_what_a_match_can_come_to_is_asked() -> None:
    """Four of Othello's symmetries exchange the colours of the first four discs."""
    game = later("othello", 8)
    kept = probe.changing(game)
    assert [game.symmetry_text(symmetry) for symmetry in kept] == [
        "turned by 180 degrees",
        "mirrored at the falling diagonal",
        "mirrored at the rising diagonal",
    ]
    for symmetry in kept:
        start = probe.shown(game.to_bytes(), Ask("symmetry", symmetry))
        told, fresh = engine.from_bytes(start.state), engine.new("othello")
        for move in told.history():
            fresh.apply(move.action)
        assert fresh.position_bytes() == told.position_bytes()


def test_suits_are_exchanged_in_what_the_mover_sees() -> None:
    game = later("blob", 6, players=3, cards=5)
    seat = game.current_player()
    for symmetry in probe.changing(game):
        told = engine.from_bytes(probe.shown(game.to_bytes(), Ask("symmetry", symmetry)).state)
        assert told.current_player() == seat and told.facts(seat)["trump"] == game.facts(seat)["trump"]
        assert told.facts(seat)["hand"] != game.facts(seat)["hand"] or told.facts(seat) != game.facts(seat)


def test_choices_are_mapped_back_and_a_mirror_image_of_its_own_is_no_difference() -> None:
    game = after("connect4", "4", "3")
    for action in game.legal_actions():
        assert probe.mapped_back(game.to_bytes(), Ask("symmetry", 1), 6 - action) == action
        assert probe.mapped_back(game.to_bytes(), Ask("relabel"), action) == action
    assert not probe.same_choice(game.to_bytes(), 0, 6)
    assert probe.same_choice(after("connect4", "4", "4").to_bytes(), 0, 6)
    centre = after("tictactoe", "b2").to_bytes()
    assert probe.same_choice(centre, 0, 8) and not probe.same_choice(centre, 0, 1)


def test_ways_of_a_position_are_drawn_from_the_seed() -> None:
    state = later("tictactoe", 3, seed=4).to_bytes()
    every = probe.asks(state, 1, repeats=2, symmetries=3, relabel=True)
    kinds = [ask.kind for ask in every]
    assert kinds == ["original", "repeat", "repeat", "symmetry", "symmetry", "symmetry", "relabel"]
    assert every == probe.asks(state, 1, 2, 3, True)
    assert len({probe.asks(state, seed, 1, 1, False) for seed in range(30)}) > 3
    assert [ask.kind for ask in probe.asks(state, 1, 1, 0, False)] == ["original", "repeat"]
    hidden = later("blob", 4, players=3, cards=4).to_bytes()
    assert "relabel" not in {ask.kind for ask in probe.asks(hidden, 1, 1, 1, True)}


# ── what is asked ────────────────────────────────────────────────────────────────────────────────────


def test_a_request_is_whole_on_record() -> None:
    asked = probing(
        "sim:greedy", "bot:random", games=(later("tictactoe", 2), later("connect4", 9)), source="runs/a"
    )
    assert ProbeRequest.from_json(json.loads(json.dumps(asked.to_json()))) == asked
    assert [str(game) for game in asked.games] == ["tictactoe", "connect4"]
    assert asked.matches == asked.pairs == (5 + 4) + (4 + 3)  # a bot reads no marks
    assert {board.players for board, _ in asked.boards()} == {(1,), (2,)}
    assert sum(share for _, share in asked.boards()) == pytest.approx(1)
    assert replace(asked, symmetries=0).pairs == asked.pairs - 6
    assert replace(asked, concurrency=2).questions == asked.questions


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"players": ()}, "there is no player"),
        ({"players": ("bot:random", "bot:random")}, "player bot:random is given twice"),
        ({"positions": ()}, "there is no position"),
        ({"repeats": 0}, "repeats is 0"),
        ({"symmetries": -1}, "symmetries is -1"),
        ({"opening": 2}, "begins in its positions"),
        ({"positions": (LAST_MOVE,)}, "leaves no choice"),
        ({"positions": ("00",)}, "not a saved game"),
    ],
)
def test_what_cannot_be_asked_is_refused(change: dict[str, object], message: str) -> None:
    asked = probing("bot:greedy", games=(later("tictactoe", 2),))
    with pytest.raises(ValueError, match=message):
        replace(asked, **change)  # type: ignore[arg-type]


def test_an_estimate_counts_questions_and_not_matches() -> None:
    asked = probing("sim:greedy?price=1,2", games=tuple(later("connect4", 4, seed) for seed in range(3)))
    (lot,) = lots_of(asked)
    assert lot.single and lot.matches == 12
    found = of_request(asked)
    decisions = found.total.decisions
    assert 10 < decisions.low <= decisions.expected <= decisions.high <= 12
    assert found.total.ceiling_pico is not None and found.total.pico is not None
    assert 0 < found.total.pico.high < found.total.ceiling_pico


# ── positions of a record ────────────────────────────────────────────────────────────────────────────


def test_positions_differ_up_to_symmetry_and_are_spread_over_the_match(tmp_path: Path) -> None:
    play(tmp_path, request("sim:random", "bot:greedy", pairs=6))
    found = positions(tmp_path, 12, seed=1)
    games = [engine.from_bytes(bytes.fromhex(each)) for each in found]
    assert len({game.position_class() for game in games}) == len(games) == 12
    plies = [int(game.ply()) for game in games]
    assert plies == sorted(plies) and len(set(plies)) >= 5
    assert all(len(game.legal_actions()) > 1 and probe.changing(game) for game in games)
    assert positions(tmp_path, 12, seed=1) == found != positions(tmp_path, 12, seed=2)
    with closing(sqlite3.connect(tmp_path / "record.db")) as db:
        by_model = {state.hex() for (state,) in db.execute("SELECT state FROM decision WHERE player = 1")}
    assert set(found) <= by_model
    assert len(positions(tmp_path, 10_000, seed=1)) < 100


def test_a_record_without_positions_is_refused(tmp_path: Path) -> None:
    play(tmp_path, request("bot:random", "bot:greedy", pairs=2))
    assert positions(tmp_path, 3, seed=1, game="tictactoe")  # of bots, where no model played
    with pytest.raises(
        RecordError, match="no decision with a choice in othello: it has positions of tictactoe"
    ):
        positions(tmp_path, 3, seed=1, game="othello")
    with pytest.raises(RecordError, match="holds no probe"):
        answers(tmp_path)


# ── as a run ─────────────────────────────────────────────────────────────────────────────────────────


def by_way(player: Probed) -> dict[str, Consistency]:
    return {way.way: way for way in player.ways}


def result_of(run: Path) -> dict[str, Probed]:
    given = answers(run)
    return {label: probed(label, shown, given.symmetries) for label, shown in given.players.items()}


def test_whoever_prefers_a_side_is_caught_and_whoever_sees_the_position_is_not(tmp_path: Path) -> None:
    games = tuple(later("connect4", 6 + seed % 12, seed) for seed in range(24))
    games = tuple(game for game in games if probe.changing(game))
    asked = probing("sim:greedy?first=1", "sim:random", games=games)
    ending, _ = play(tmp_path, asked)  # type: ignore[arg-type]
    assert not ending.reason and ending.status == "finished"
    found = result_of(tmp_path)
    first, chance = by_way(found["sim:greedy"]), by_way(found["sim:random"])
    assert first[REPEAT].same is not None and first[REPEAT].same.mean == 1.0
    assert first[ALL].depends and first[ALL].same is not None and first[ALL].same.mean < 0.1
    assert first[RELABEL].same is not None and first[RELABEL].same.mean == 1.0 and not first[RELABEL].depends
    assert not chance[ALL].depends and not chance[RELABEL].depends
    assert "how it is drawn matters" in found["sim:greedy"].verdict
    grade_run(tmp_path, Method.parse("search:200"))
    assert by_way(result_of(tmp_path)["sim:random"])[ALL].graded == len(games)


def test_a_perfect_player_is_the_same_from_all_sides_where_one_move_is_best(tmp_path: Path) -> None:
    games = []
    for seed in range(60):
        game = later("tictactoe", 3, seed)
        if probe.changing(game) and len(engine.grade(game).best()) == 1:
            games.append(game)
    different = {game.position_class(): game for game in games}
    assert len(different) > 5
    play(tmp_path, probing("bot:perfect", "sim:perfect", games=tuple(different.values()), symmetries=7))  # type: ignore[arg-type]
    grade_run(tmp_path, Method.parse("exact"))
    for player in result_of(tmp_path).values():
        for way in player.ways:
            assert way.same is not None and way.fine is not None
            assert (way.same.mean, way.fine.mean, way.missing, way.depends) == (1.0, 1.0, 0, False)
            assert way.loss is None or way.loss.mean == 0


def test_what_is_sent_is_the_same_position_in_other_words(tmp_path: Path) -> None:
    play(tmp_path, probing("sim:greedy", games=(after("connect4", "4", "3", "3"),)))  # type: ignore[arg-type]
    stories = [match_story(tmp_path, f"{number:04d}a") for number in range(1, 5)]
    texts = [
        (story.text(made.system_blob), story.text(made.user_blob))
        for story in stories
        for made in story.decisions
    ]
    original, repeat, mirrored, other = texts
    assert original == repeat and mirrored[0] == original[0]
    assert "Moves so far: 4 3 3\n" in original[1] and "Moves so far: 4 5 5\n" in mirrored[1]
    assert ". . X X . . .\n" not in original[1] and ". . O X . . ." in original[1]
    assert ". . . X O . ." in mirrored[1] and ". . X O . . ." in other[1]
    assert "You are O" in original[1] and "You are X" in other[1]
    assert "X moves first" in original[0] and "O moves first" in other[0]


def test_a_probe_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    games = tuple(later("tictactoe", 2 + seed % 3, seed) for seed in range(6))
    asked = probing("sim:random", "bot:random", games=games)
    play(tmp_path / "whole", asked)  # type: ignore[arg-type]
    ending, _ = play(tmp_path / "parts", asked, stop_after=7)  # type: ignore[arg-type]
    assert ending.interrupted
    before = answers(tmp_path / "parts")
    assert 0 < before.asked < before.planned == asked.pairs
    play(tmp_path / "parts", asked)  # type: ignore[arg-type]
    whole, parts = answers(tmp_path / "whole"), answers(tmp_path / "parts")
    assert whole == parts and whole.asked == asked.pairs
    integrity(tmp_path / "parts")


def test_a_wall_ends_it_with_whole_comparisons(tmp_path: Path) -> None:
    games = tuple(later("tictactoe", 2 + seed % 3, seed) for seed in range(8))
    asked = probing("sim:random?price=100,100", games=games, max_cost=("1.0",))
    ending, result = play(tmp_path, asked, concurrency=1)  # type: ignore[arg-type]
    assert ending.walled and result.run.status == "stopped"
    given = answers(tmp_path)
    assert 0 < given.asked < given.planned
    with Record(tmp_path) as record:
        assert request_on_record(record) == replace(asked, concurrency=1)
        assert 0 < sum(record.spent().values()) <= 10**12
    raised = replace(asked, max_cost=("100",))
    ending, _ = play(tmp_path, raised)  # type: ignore[arg-type]
    assert ending.status == "finished" and answers(tmp_path).asked == given.planned


def test_no_choice_is_counted_apart(tmp_path: Path) -> None:
    games = tuple(later("tictactoe", 2, seed) for seed in range(4))
    different = {game.position_class(): game for game in games}
    asked = probing(
        "sim:random?illegal=0.5", games=tuple(different.values()), conduct=Conduct(reasks=0), symmetries=7
    )
    play(tmp_path, asked)  # type: ignore[arg-type]
    (player,) = result_of(tmp_path).values()
    assert sum(way.missing for way in player.ways) > 0
    told = summary(run_result(tmp_path))
    assert told["matches"] == told["planned"] == asked.pairs
    assert told["players"][0]["forfeits"] == 0  # nobody lost anything


def test_a_probe_is_no_result(tmp_path: Path) -> None:
    """Nobody played anybody: no pairs, no scores; but what was asked was asked, and paid for."""
    events: list[dict[str, object]] = []
    asked = probing("sim:random", "bot:greedy", games=(later("blob", 4, players=3, cards=4),))
    _, result = play(tmp_path / "run", asked, events=events)  # type: ignore[arg-type]
    assert (result.pairs, result.finished, result.distinct_pairs) == ([], 0, 0)
    assert {match.status for match in result.matches} == {"finished"}
    model, bot = result.standings
    assert (model.matches, model.calls, model.decisions) == (0, 4, 4) and bot.decisions == 4
    assert all(match.sat == (match.sat[0],) * 3 for match in result.matches)
    known = glance(tmp_path / "run")
    assert (known["kind"], known["game"], known["who"]) == ("probe", "blob", "sim:random, bot:greedy")
    ended = [event for event in events if event["type"] == "match" and event["status"] == "finished"]
    assert len(ended) == 8 and all(event["scores"] == [] for event in ended)


def test_a_probe_is_replayed_and_verified(tmp_path: Path) -> None:
    games = (later("othello", 8), later("connect4", 7), later("blob", 4, players=3, cards=4))
    play(tmp_path / "run", probing("sim:random", "bot:random", games=games))  # type: ignore[arg-type]
    found = verify(tmp_path / "run")
    assert found.same and found.decisions == 5 + 4 + 4
    done = replay(tmp_path / "run", tmp_path / "again")
    assert done.same


def test_a_report_has_a_section_for_probes(tmp_path: Path) -> None:
    games = tuple(later("connect4", 6 + seed % 6, seed) for seed in range(4))
    for name in ("one", "two"):
        play(tmp_path / name, probing("sim:greedy?first=1", games=games))  # type: ignore[arg-type]
    play(tmp_path / "duel", request("bot:random", "bot:greedy", pairs=1))
    keys = [section.key for section in sections(read([tmp_path / "duel"]))]
    assert "probes" not in keys
    found = [
        each for each in sections(read([tmp_path / name for name in ("one", "duel")])) if each.key == "probes"
    ]
    (section,) = found
    (table,) = section.tables
    assert [row[1] for row in table.rows] == ["again, the same", "any symmetry", "relabelled"]
    assert all(len(row) == len(table.columns) for row in table.rows) and len(section.says) == 1
    several = [
        each for each in sections(read([tmp_path / name for name in ("one", "two")])) if each.key == "probes"
    ]
    assert len({row[0] for row in several[0].tables[0].rows}) == 2
