"""A run for data: played, stopped, gone on with and made longer; and the file that says what was asked."""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator import runfile
from orchestrator.duel import Duel, Ending
from orchestrator.events import Event, Events
from orchestrator.model import Conduct
from orchestrator.programme import GameShare, Opponent
from orchestrator.record.database import RecordError
from orchestrator.record.store import Record
from orchestrator.request import DuelRequest, GenerateRequest, Terms, request_on_record
from orchestrator.table import Table
from tests.orchestrator.duels import QUICK, request, rows

MIX = {
    "models": ("sim:greedy?illegal=0.2", "sim:random?malformed=0.1"),
    "opponents": (
        Opponent("bot:random", 2),
        Opponent("bot:greedy"),
        Opponent("self"),
        Opponent("each-other"),
    ),
    "games": (GameShare("tictactoe", {}, 2), GameShare("blob", {"players": 3, "cards": 2, "rounds": 1})),
}


def generate(matches: int = 40, **asked: Any) -> GenerateRequest:
    return GenerateRequest(**{**MIX, "seed": 1, **asked}).longer(matches)


def play(
    directory: Path, asked: GenerateRequest, stop_after: int | None = None, events: list[Event] | None = None
) -> Ending:
    async def go() -> Ending:
        table, decisions = Table(retry=QUICK), 0

        def listen(event: Event) -> None:
            nonlocal decisions
            decisions += event["type"] == "decision"
            if events is not None:
                events.append(event)
            if decisions == stop_after:
                duel.stop()

        try:
            with Record(directory) as record:
                duel = Duel(asked, record, table, Events(listen))
                return await duel.play()
        finally:
            await table.aclose()

    return asyncio.run(go())


def seated(directory: Path) -> dict[str, list[int]]:
    """Players by seat of every match."""
    found: dict[str, list[int]] = {}
    for match, _, player, *_ in sorted(rows(directory)["seat"]):
        found.setdefault(match, []).append(player)
    return found


def test_matches_are_played_on_the_boards_of_their_pairs_from_every_seat(tmp_path) -> None:
    asked, events = generate(), []
    assert play(tmp_path, asked, events=events).status == "finished"
    matches = {row[0]: row for row in rows(tmp_path)["match"]}
    assert len(matches) == asked.matches
    sat: dict[int, list[list[int]]] = {}
    for match, seats in seated(tmp_path).items():
        assert matches[match][5] == asked.board(matches[match][1]).game
        sat.setdefault(matches[match][1], []).append(seats)
    for pair, seatings in sat.items():
        players = sorted(asked.board(pair).players)
        assert [sorted(seats) for seats in seatings] == [players] * len(players)
        assert all(sorted(on_seat) == players for on_seat in zip(*seatings, strict=True))
    begun = events[0]
    assert (begun["kind"], begun["matches"]) == ("generate", asked.matches)
    assert begun["game"] == "tictactoe, blob?players=3&cards=2&rounds=1"
    assert begun["specs"] == list(asked.players) and len(set(begun["players"])) == len(asked.players)
    assert sum(board["share"] for board in begun["boards"]) == pytest.approx(1)
    json.dumps(events, allow_nan=False)


def test_every_model_is_dealt_the_same(tmp_path) -> None:
    asked = generate(24, opponents=MIX["opponents"][:2], games=MIX["games"][:1])
    play(tmp_path, asked)
    seeds: dict[int, Counter[int]] = {1: Counter(), 2: Counter()}
    matches = {row[0]: row for row in rows(tmp_path)["match"]}
    for match, seats in seated(tmp_path).items():
        (model,) = {1, 2} & set(seats)
        seeds[model][matches[match][4]] += 1
    assert seeds[1] == seeds[2] and set(seeds[1].values()) == {2}


def test_a_run_that_was_stopped_goes_on_and_becomes_the_same(tmp_path) -> None:
    asked = generate()
    play(tmp_path / "whole", replace(asked, concurrency=1))
    for stop_after in (4, 1, 25):
        assert play(tmp_path / "broken", replace(asked, concurrency=5), stop_after).interrupted
    assert play(tmp_path / "broken", asked).status == "finished"
    assert rows(tmp_path / "broken") == rows(tmp_path / "whole")


def test_a_finished_run_is_made_longer_and_is_then_as_if_it_had_been(tmp_path) -> None:
    play(tmp_path / "grown", generate(12))
    before = rows(tmp_path / "grown")
    with Record(tmp_path / "grown") as record:
        longer = runfile.resumed_request(record, {"pairs": generate(40).pairs})
    assert longer == generate(40)
    play(tmp_path / "grown", longer)
    play(tmp_path / "whole", generate(40))
    assert rows(tmp_path / "grown") == rows(tmp_path / "whole")
    assert all(set(before[table]) <= set(rows(tmp_path / "grown")[table]) for table in before)


def test_a_request_survives_the_record(tmp_path) -> None:
    asked = generate(conduct=Conduct(style="terse", reasks=1), price="1,2", opening=1)
    assert GenerateRequest.from_json(json.loads(json.dumps(asked.to_json()))) == asked
    play(tmp_path, asked, stop_after=1)
    with Record(tmp_path) as record:
        assert request_on_record(record) == asked


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"models": ()}, "there is no model"),
        ({"models": ("sim:a", "sim:a")}, "model sim:a is given twice"),
        (
            {"opponents": (Opponent("bot:random"), Opponent("bot:random", 2))},
            "opponent bot:random is given twice",
        ),
        ({"games": (GameShare("connect4"), GameShare("connect4", {}, 2))}, "game connect4 is given twice"),
        ({"opponents": (Opponent(MIX["models"][0]),)}, "against itself the opponent is self"),
        ({"models": ("sim:a",)}, "each-other takes two models or more, got 1"),
        ({"opponents": (Opponent("bot:random", -2),)}, "weight -2: expected a number above 0"),
        ({"games": (GameShare("chess960"),)}, "connect4"),
    ],
)
def test_what_cannot_be_asked_says_why(change, says) -> None:
    with pytest.raises(ValueError, match=says):
        GenerateRequest(**{**MIX, **change})


@pytest.mark.parametrize(
    "change", [{"opponents": None}, {"games": [{"name": "x"}]}, {"models": [1, 1]}, {"x": 1}]
)
def test_a_request_that_nobody_wrote_is_refused(change) -> None:
    with pytest.raises(RecordError):
        GenerateRequest.from_json({**generate().to_json(), **change})


# ── run.toml ─────────────────────────────────────────────────────────────────────────────────────

DATA = generate(40, conduct=Conduct(style="terse"), opponents=MIX["opponents"][:2], games=MIX["games"][:1])
DUEL = request("bot:random", "bot:greedy", conduct={"effort": "low"}, price="3,15")


@pytest.mark.parametrize("asked", [DUEL, DATA], ids=["duel", "generate"])
def test_the_file_says_everything_and_what_it_is(tmp_path, asked) -> None:
    runfile.write(tmp_path, asked)
    text = (tmp_path / "run.toml").read_text()
    assert list(tmp_path.iterdir()) == [tmp_path / "run.toml"]
    said = tomllib.loads(text)
    options = {*said, *said["conduct"], *said["how"]}
    assert all(runfile.ABOUT[name] in text for name in options)
    for field in (*fields(Terms), *fields(Conduct)):
        if field.name not in ("pairs", "conduct"):
            assert field.name in options or f"# {field.name} is not set: " in text
    unset = {name for name in Terms.HOW if getattr(asked, name) is None}
    assert set(said["how"]) == set(Terms.HOW) - unset and said["games"] == asked.matches


def begun(directory: Path, asked: DuelRequest | GenerateRequest) -> Path:
    """A run on record, with its file."""
    play(directory, asked, stop_after=1)
    runfile.write(directory, asked)
    return directory / "run.toml"


def gone_on_with(directory: Path, **asked: Any) -> DuelRequest | GenerateRequest:
    with Record(directory) as record:
        return runfile.resumed_request(record, asked)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_says_how_it_is_played_takes_effect(tmp_path) -> None:
    path = begun(tmp_path, DUEL)
    assert gone_on_with(tmp_path) == DUEL
    edit(path, "concurrency = 8", "concurrency = 3")
    assert gone_on_with(tmp_path) == replace(DUEL, concurrency=3)
    both = gone_on_with(tmp_path, concurrency=2, attempts=9)
    assert both == replace(DUEL, concurrency=2, attempts=9), "what is asked now comes last"
    path.unlink()
    assert gone_on_with(tmp_path) == DUEL, "the record knows"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("games = 40", "games = 12", "games: 40 on record, 12 in run.toml"),
        ("games = 40", "games = 'many'", 'games: 40 on record, "many" in run.toml'),
        ("reasks = 2", "reasks = 3", "(reasks: 2 on record, 3 in run.toml)"),
        ("seed = 1 ", "seed = 2 ", "seed: 1 on record, 2 in run.toml"),
        ('"bot:random" = 2', '"bot:random" = 3', 'opponent: {"bot:random": 2, '),
        ("concurrency =", "concurency =", "how.concurency: nothing on record, 8 in run.toml"),
        ('style = "terse"', "", 'style: "terse" on record, "default" in run.toml'),
        ("seed = 1 ", "# ", "seed: 1 on record, nothing in run.toml"),
        ("games = 40", "# ", "games: 40 on record, nothing in run.toml"),
        ("[how]", "seed = 1\n[how", "cannot be read"),
        ("concurrency = 8", "concurrency = 'all'", "run.toml: concurrency is 'all': expected a whole number"),
        ("attempts = 5", "attempts = 0", "attempts is 0: expected a whole number, 1 or more"),
    ],
)
def test_what_else_is_edited_is_refused_by_name(tmp_path, old, new, says) -> None:
    edit(begun(tmp_path, DATA), old, new)
    with pytest.raises(RecordError) as refusal:
        gone_on_with(tmp_path)
    assert says in str(refusal.value) and "run.toml" in str(refusal.value)


def test_what_the_file_leaves_out_has_its_default(tmp_path) -> None:
    asked = replace(DATA, concurrency=3)
    path = begun(tmp_path, asked)
    edit(path, "reasks = 2", "# ")
    assert gone_on_with(tmp_path) == asked
    edit(path, "concurrency = 3", "# ")
    assert gone_on_with(tmp_path) == DATA


def test_a_run_for_data_grows_by_its_file_and_a_duel_does_not(tmp_path) -> None:
    edit(begun(tmp_path / "data", DATA), "games = 40", "games = 60")
    assert gone_on_with(tmp_path / "data").matches == DATA.longer(60).matches == 60
    edit(begun(tmp_path / "duel", DUEL), "games = 6", "games = 60")
    with pytest.raises(RecordError, match=r"games: 6 on record, 60 in run\.toml"):
        gone_on_with(tmp_path / "duel")


def test_the_same_may_be_asked_again_and_nothing_else(tmp_path) -> None:
    begun(tmp_path, DATA)
    same = {"models": MIX["models"], "opponents": DATA.opponents, "games": DATA.games, "seed": 1}
    assert gone_on_with(tmp_path, **same, conduct={"reasks": 2}) == DATA
    with pytest.raises(RecordError) as refusal:
        gone_on_with(tmp_path, opponents=MIX["opponents"][:1], conduct={"effort": "high"}, pairs=1)
    for difference in (
        '{"bot:random": 2} asked',
        'effort: nothing on record, "high" asked',
        "games: 40 on record",
    ):
        assert difference in str(refusal.value)
