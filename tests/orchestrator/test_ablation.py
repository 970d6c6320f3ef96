"""An ablation, played and read back: the same deals for every arm, a null of its own mind, planted effects found."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from engine import View
from orchestrator.ablation import Ablation, Arm, Held, ablation, beside, differs, names, repeated, said
from orchestrator.cli.leaderboard import boards_of
from orchestrator.grades import Method, grade_run
from orchestrator.model import Conduct
from orchestrator.overview import glance
from orchestrator.players import Decision, Seated, Turn
from orchestrator.programme import EACH_OTHER, SELF, GameShare, Opponent
from orchestrator.ratings.permutation import compare, signs
from orchestrator.record.database import RecordError
from orchestrator.record.reading import match_ids, match_story, run_result
from orchestrator.replay import replay
from orchestrator.report.ablation import sections
from orchestrator.report.section import Run
from orchestrator.request import AblateRequest
from orchestrator.summary import summary
from tests.orchestrator.duels import Invited, play, rows

TICTACTOE = (GameShare("tictactoe"),)


def asked(control: str, *arms: str, deals: int = 8, **more) -> AblateRequest:
    more = {"opponents": (Opponent("bot:mcts:30"),), "games": TICTACTOE, "seed": 1, **more}
    request = AblateRequest(control=control, arms=arms, **more)
    return replace(request, pairs=deals * len(request.models))


@pytest.fixture(scope="module")
def wordy(tmp_path_factory) -> Path:
    """A control, its null, an arm that is found by its answers, and one on another track."""
    arms = ("sim:mcts:30?price=3,15&words=80", "sim:mcts:30?illegal=0.4&price=3,15&track=rules")
    directory = tmp_path_factory.mktemp("wordy")
    ending, _ = play(directory, asked("sim:mcts:30?price=3,15", *arms, deals=12))
    assert ending.status == "finished"
    return directory


def test_every_arm_plays_every_deal_against_the_same_opponents_from_every_seat() -> None:
    request = asked(
        "sim:greedy",
        "sim:random",
        "sim:greedy?style=terse",
        deals=12,
        opponents=(Opponent("bot:random", 2), Opponent("bot:greedy")),
        games=(*TICTACTOE, GameShare("connect4")),
    )
    assert request.models == ("sim:greedy", "sim:greedy", "sim:random", "sim:greedy?style=terse")
    met = defaultdict(list)
    for pair in range(request.pairs):
        board = request.board(pair)
        met[request.deal(pair)].append((board.players[0], board.game, board.players[1:]))
    assert len(met) == 12
    for boards in met.values():
        assert [arm for arm, *_ in boards] == [1, 2, 3, 4]
        assert len({tuple(others) for _, *others in boards}) == 1
    assert request.matches == 2 * 4 * 12
    assert (request.of_matches(90).pairs, request.of_matches(96).pairs) == (48, 48)


def test_the_null_is_asked_in_the_very_words_of_the_control_and_has_a_mind_of_its_own(wordy) -> None:
    first = defaultdict(dict)
    for match in match_ids(wordy):
        story = match_story(wordy, match)
        (arm,) = (player.id for _, player in story.seats if player.id <= 4)
        mine = [made for made in story.decisions if story.seats[made.seat][1].id == arm]
        if mine[0].ply == 0:
            first[story.match.seed][arm] = (
                *(story.text(blob) for blob in (mine[0].system_blob, mine[0].user_blob)),
                [made.action for made in mine],
            )
    assert len(first) == 12
    assert all(arms[1][:2] == arms[2][:2] for arms in first.values())
    assert all(arms[1][:2] != arms[4][:2] for arms in first.values())
    assert any(arms[1][2] != arms[2][2] for arms in first.values())
    control, null = (standing.player for standing in run_result(wordy).standings[:2])
    assert control.hash == null.hash
    assert control.label != null.label


def test_what_was_planted_is_found_and_the_null_is_not(wordy) -> None:
    found = ablation(run_result(wordy))
    control, null, worded, ruled = found.arms
    assert [arm.name for arm in found.arms] == ["control", "null", "words=80", "illegal=0.4&track=rules"]
    assert [arm.deals for arm in found.arms] == [12] * 4
    assert [arm.games for arm in found.arms] == [24] * 4
    assert not differs(found)
    assert found.floor is not None and found.floor > 0
    assert worded.found("tokens") and worded.found("cost") and not worded.found("legal")
    assert worded.held["tokens"].arm > worded.held["tokens"].control
    assert ruled.found("legal") and ruled.held["legal"].compared.mean < 0
    assert "regret" not in control.means
    assert not control.held
    assert null.held["score"].holm == null.held["score"].compared.p
    assert any(line.startswith("words=80, output tokens of a game:") for line in beside(found))
    assert not any(line.startswith("null") for line in beside(found))


def test_a_stronger_arm_is_found_and_said_to_be(tmp_path) -> None:
    play(tmp_path, asked("bot:random", "bot:mcts:100", "bot:mcts:30?c=1.5", deals=14))
    found = ablation(run_result(tmp_path))
    strong = found.arms[2]
    assert strong.found() and strong.compared.mean > 0
    assert strong.elo is not None and strong.elo.low > 0
    assert any(line.startswith("bot:mcts:100 scores better than the control: +") for line in said(found))
    assert said(found)[0].startswith("Noise: the null, in which nothing is changed, came out ")
    assert set(found.control.means) == {"score"}, "a bot is asked for no answer"


def test_differences_are_those_of_the_record(wordy) -> None:
    """Worked out by hand from the rows, with SQL of its own."""
    score = defaultdict(lambda: defaultdict(float))
    legal = defaultdict(lambda: [0, 0])
    with sqlite3.connect(wordy / "record.db") as db:
        query = (
            "SELECT m.seed, s.player, s.score FROM seat s JOIN match m ON m.id = s.match WHERE s.player < 5"
        )
        for seed, player, points in db.execute(query):
            score[player][seed] += points / 2
        query = """SELECT m.seed, d.player, d.outcome FROM decision d JOIN match m ON m.id = d.match
                   WHERE d.player IN (1, 4)"""
        for seed, player, outcome in db.execute(query):
            legal[seed, player][0] += outcome == "ok"
            legal[seed, player][1] += 1
    arm = ablation(run_result(wordy)).arms[3]
    differences = [score[4][seed] - score[1][seed] for seed in score[1]]
    assert arm.compared.mean == pytest.approx(sum(differences) / 12)
    assert arm.compared.p == signs(differences).p
    of_legal = [
        legal[seed, 4][0] / legal[seed, 4][1] - legal[seed, 1][0] / legal[seed, 1][1] for seed in score[1]
    ]
    assert arm.held["legal"].compared.mean == pytest.approx(sum(of_legal) / 12)


def test_tracks_are_compared_here_and_kept_apart_in_ratings(wordy) -> None:
    result = run_result(wordy)
    assert "score" in ablation(result).arms[3].held
    assert [board.tracks for board in boards_of([result])] == [("open",), ("rules",)]


def test_the_null_counts_as_the_control_where_players_are_rated(wordy) -> None:
    (board, _) = boards_of([run_result(wordy)])
    (line,) = (line for line in board.lines.values() if line.player.spec == "sim:mcts:30?price=3,15")
    assert line.total.matches == 48
    assert line.name == "sim:mcts:30?price=3,15"


def test_graded_moves_are_compared_too(tmp_path) -> None:
    play(tmp_path, asked("sim:mcts:100?latency=0.001", "sim:random", deals=8))
    grade_run(tmp_path, Method.parse("exact"))
    found = ablation(run_result(tmp_path))
    regret = found.others[0].held["regret"]
    assert regret.control < regret.arm
    assert found.others[0].found("regret")
    assert "latency" in found.control.means


class Stubborn:
    """Always takes the legal move of that place."""

    def __init__(self, name: str, place: int) -> None:
        self.seated = Seated(name, name, "bot", name)
        self.place = place

    async def choose(self, view: View, turn: Turn) -> Decision:
        return Decision(view.legal[self.place].id, "ok", "bot")


def test_deals_that_go_alike_amount_to_one(tmp_path) -> None:
    players = Stubborn("first", 0), Stubborn("last", -1), Stubborn("other", 0)
    request = asked("0", "1", deals=9, opponents=(Opponent("2"),))
    _, result = play(tmp_path, request, Invited(*players))
    found = ablation(result)
    compared = found.others[0].compared
    assert (compared.deals, compared.independent, compared.p, compared.low) == (9, 1, 1.0, None)
    assert repeated(found)[1].startswith("1: 9 deals amount to 1, as some went alike")
    assert "no two different deals" in said(found)[1]
    assert found.others[0].elo is None


def test_a_table_of_more_than_two_is_compared_too(tmp_path) -> None:
    game = GameShare("blob", {"players": 3, "cards": 2, "rounds": 1})
    play(
        tmp_path,
        asked("bot:random", "bot:ismcts:20", deals=6, games=(game,), opponents=(Opponent("bot:greedy"),)),
    )
    arm = ablation(run_result(tmp_path)).others[0]
    assert (arm.deals, arm.games, arm.compared.exact) == (6, 18, True)


def test_a_null_that_differs_is_told_first_and_aloud() -> None:
    first, second = [0.0] * 9, [0.5] * 9
    found = Held(0.0, 0.5, compare(first, second), 0.004)
    null, arm = (Arm(2, "null", "null", "a:m"), Arm(3, "style=terse", "arm", "a:m?style=terse"))
    null.held["score"] = arm.held["score"] = found
    both = Ablation([Arm(1, "control", "control", "a:m"), null, arm])
    assert differs(both)
    assert said(both)[0].startswith("THE NULL DIFFERS: it was asked in the very words of the control")
    assert "p 0.004" in said(both)[0]
    assert said(both)[1].startswith("style=terse scores better than the control: +50.0 [")


def test_an_unfinished_run_compares_the_deals_that_both_have(tmp_path) -> None:
    request = asked("sim:greedy", "sim:random", deals=10, conduct=Conduct())
    _, result = play(tmp_path / "part", request, stop_after=150, concurrency=3)
    found = ablation(result)
    most = min(found.control.deals, found.others[0].deals)
    assert 0 < found.others[0].held["score"].compared.deals <= most < 10
    play(tmp_path / "part", request)
    play(tmp_path / "whole", request, concurrency=7)
    assert rows(tmp_path / "part") == rows(tmp_path / "whole")


def test_it_is_replayed_seed_for_seed(wordy, tmp_path) -> None:
    done = replay(wordy, tmp_path / "again")
    assert not done.differences and not done.trouble


def test_nothing_played_says_so(tmp_path) -> None:
    _, result = play(tmp_path, asked("sim:greedy", "sim:random", deals=2), stop_after=1)
    found = ablation(result)
    assert found.floor is None
    assert [arm.deals for arm in found.arms] == [0, 0, 0]
    assert all("nothing can be said" in line or "too few deals" in line for line in said(found))
    assert sections([Run(tmp_path, result)])[0].figures == []
    json.dumps(summary(result), allow_nan=False)


def test_a_few_deals_are_said_to_find_nothing(tmp_path) -> None:
    _, result = play(tmp_path, asked("bot:random", "bot:mcts:100", deals=4))
    (line,) = said(ablation(result))[1:]
    assert line.endswith("4 different deals cannot tell any two arms apart: play 6 or more.")


# ── told ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_summary_says_what_the_ablation_says(wordy) -> None:
    result = run_result(wordy)
    told, found = json.loads(json.dumps(summary(result), allow_nan=False)), ablation(result)
    assert (told["kind"], told["matches"], told["planned"], told["null_differs"]) == ("ablate", 96, 96, False)
    assert told["says"] == said(found)
    assert told["beside"] == [*beside(found), *repeated(found)]
    assert [arm["role"] for arm in told["arms"]] == ["control", "null", "arm", "arm"]
    held = told["arms"][3]["held"]["legal"]
    assert held["difference"] == pytest.approx(held["arm"] - held["control"])
    assert set(held) == {
        "deals", "independent", "control", "arm", "low", "difference", "high", "p", "exact", "holm",
    }  # fmt: skip
    assert told["cost_usd"] == pytest.approx(sum(player["cost_usd"] for player in told["players"]))


def test_a_report_has_a_table_and_a_figure_of_each_ablation(wordy, tmp_path) -> None:
    _, other = play(tmp_path, asked("bot:random", "bot:mcts:100", deals=8, null=False))
    runs = [Run(path, run_result(path)) for path in (wordy, tmp_path)]
    assert sections([]) == []
    (one,) = sections(runs[:1])
    assert [table.name for table in one.tables] == ["arms", "score", "legal", "cost", "tokens"]
    units = {table.name: {column.unit for column in table.columns[1:4]} for table in one.tables[1:]}
    assert units == {"score": {"share"}, "legal": {"share"}, "cost": {"usd"}, "tokens": {"count"}}
    assert [name for name, _ in one.figures[0].rows] == ["null", "words=80", "illegal=0.4&track=rules"]
    assert one.figures[0].groups == [0, 0, 0]
    assert all(len(row) == len(table.columns) for table in one.tables for row in table.rows)
    (both,) = sections(runs)
    assert len({table.name for table in both.tables}) == len(both.tables) == 7
    assert both.figures[1].groups == [1]
    assert both.figures[1].rows[0][1].value == pytest.approx(100 * ablation(other).others[0].compared.mean)


def test_it_stands_in_the_list_of_runs(wordy) -> None:
    seen = glance(wordy)
    assert (seen["kind"], seen["planned"], seen["who"]) == ("ablate", 96, "sim:mcts:30 and 2 arms")


def test_a_record_that_does_not_name_its_arms_is_refused(wordy) -> None:
    result = run_result(wordy)
    result.run.request = {"control": "sim:greedy"}
    with pytest.raises(RecordError, match="does not say which arms"):
        ablation(result)


# ── what is asked ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("specs", "named"),
    [
        (["a:m", "a:m", "a:m?style=terse"], ["control", "null", "style=terse"]),
        (["a:m?effort=low&style=x", "a:m?effort=high&style=x"], ["control", "effort=high"]),
        (["a:m?effort=low", "a:m"], ["control", "effort="]),
        (["a:m?effort=low", "b:m?effort=low"], ["control", "b:m?effort=low"]),
        (["a:m?price=3%2C15", "a:m?price=3,15&track=rules"], ["control", "track=rules"]),
    ],
)
def test_an_arm_is_called_by_what_it_changes(specs, named) -> None:
    assert names(specs) == named


@pytest.mark.parametrize(
    ("arms", "more", "says"),
    [
        ((), {}, "there is no arm"),
        (("sim:greedy",), {}, "which is the control"),
        (("sim:random", "sim:random"), {}, "arm sim:random is given twice"),
        (("sim:random",), {"opponents": (Opponent(SELF),)}, "opponent self: the arms"),
        (("sim:random",), {"opponents": (Opponent(EACH_OTHER),)}, "opponent each-other: the arms"),
        (("sim:random",), {"opponents": (Opponent("sim:random"),)}, "is an arm and an opponent"),
        (("sim:random",), {"opponents": ()}, "there is no opponent"),
        (("sim:random",), {"games": TICTACTOE * 2}, "game tictactoe is given twice"),
    ],
)
def test_what_cannot_be_asked(arms, more, says) -> None:
    with pytest.raises(ValueError, match=says):
        AblateRequest(control="sim:greedy", arms=arms, **more)


def test_a_request_comes_back_from_the_record_as_it_was() -> None:
    request = asked("sim:greedy", "sim:random", null=False, conduct=Conduct(reasks=1))
    assert AblateRequest.from_json(json.loads(json.dumps(request.to_json()))) == request
    with pytest.raises(RecordError, match="cannot be read"):
        AblateRequest.from_json({"control": "sim:greedy"})
