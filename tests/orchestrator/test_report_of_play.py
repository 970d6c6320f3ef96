"""The sections that every report of play has: what they say agrees with the record, and nothing is made up."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.grades import EVERYTHING, Method, grade_run
from orchestrator.programme import GameShare, Opponent
from orchestrator.ratings.elo import LABEL
from orchestrator.remarks import verdict
from orchestrator.report import money, protocol, quality, ratings, results
from orchestrator.report.section import (
    Estimated,
    Heatmap,
    Intervals,
    Plot,
    Run,
    Section,
    Table,
    read,
    sections,
)
from orchestrator.request import GenerateRequest
from orchestrator.summary import summary
from tests.orchestrator.duels import play, request

SLOPPY = "sim:greedy?illegal=0.3"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three duels of one game in which everybody met; a model is billed, and breaks rules."""
    place = tmp_path_factory.mktemp("runs")
    play(place / "a", request(SLOPPY, "bot:random", pairs=12, conduct={"reasks": 0}))
    play(place / "b", request("bot:greedy", SLOPPY, pairs=10, seed=2, conduct={"reasks": 0}))
    play(place / "c", request("bot:greedy", "bot:random", pairs=8, seed=3, opening=2))
    for name in "ab":
        bill(place / name, "5000000 * output_tokens")
    return place


def bill(run: Path, pico: str) -> None:
    """As if the stand-in asked for money."""
    with closing(sqlite3.connect(run / "record.db", isolation_level=None)) as db:
        db.execute(f"UPDATE tally SET cost_pico = {pico}")


def runs(place: Path, names: Iterable[str] = "abc") -> list[Run]:
    return read([place / name for name in names])


def table(section: Section, name: str) -> list[dict[str, Any]]:
    """A table's rows, by the columns' names."""
    (found,) = (each for each in section.tables if each.name == name)
    return [dict(zip([column.name for column in found.columns], row, strict=True)) for row in found.rows]


def names(section: Section) -> list[str]:
    return [each.name for each in section.tables]


# ── the form ─────────────────────────────────────────────────────────────────────────────────────────


def test_every_row_and_figure_is_whole(house: Path) -> None:
    found = sections(runs(house))
    keys = [section.key for section in found]
    assert [key for key in keys if key in ("results", "ratings", "quality", "protocol", "money")] == [
        "results", "ratings", "quality", "protocol", "money",
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    for section in found:
        for each in section.tables:
            whole(each)
        for figure in section.figures:
            if isinstance(figure, Heatmap):
                assert {len(figure.columns)} == {len(row) for row in figure.values}
                assert len(figure.rows) == len(figure.values)
            if isinstance(figure, Intervals):
                assert not figure.groups or len(figure.groups) == len(figure.rows)


def whole(each: Table) -> None:
    assert each.rows and all(len(row) == len(each.columns) for row in each.rows)
    for row in each.rows:
        for column, value in zip(each.columns, row, strict=True):
            if isinstance(value, Estimated):
                low, high = value.low, value.high
                assert (low is None or low <= value.value) and (high is None or value.value <= high), column
                if column.unit == "share":
                    assert (low or 0) >= 0 and (high or 0) <= 1
            assert column.unit or value is None or isinstance(value, str), column


def test_there_is_nothing_to_say_of_nothing() -> None:
    assert all(room.sections([]) == [] for room in (results, ratings, quality, protocol, money))


# ── results ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_duel_says_what_it_said_when_it_ended(house: Path) -> None:
    (run,) = runs(house, "a")
    (section,) = results.sections([run])
    told = summary(run.result)
    assert section.says[0] == verdict(told)
    (row,) = table(section, "duels")
    assert (row["player"], row["against"], row["pairs"], row["matches"]) == (
        "sim:greedy",
        "bot:random",
        12,
        24,
    )
    assert row["Elo"] == Estimated(told["elo_low"], told["elo"], told["elo_high"])
    assert row["score"].value == told["score"] and "run" not in row
    (pairs,) = table(section, "pairs")
    assert [pairs[points] for points in ("0", "½", "1", "1½", "2")] == told["shape"]["counts"]


def test_several_runs_are_told_apart(house: Path) -> None:
    (section,) = results.sections(runs(house))
    assert [row["run"] for row in table(section, "duels")] == ["a", "b", "c"]
    assert [line.partition(":")[0] for line in section.says if " Elo over " in line] == ["a", "b", "c"]
    assert not any("As a gate" in line for line in section.says)  # of several runs the table says it
    assert [row["more than 55 %"] for row in table(section, "gates")] == [
        "promotes" if row["score"] > 0.55 else "does not promote" for row in table(section, "gates")
    ]


def test_the_rule_of_55_per_cent_stands_beside_the_test(tmp_path: Path) -> None:
    play(tmp_path / "a", request("bot:greedy", "sim:random", pairs=40, sprt="0,100", opening=1))
    (section,) = results.sections(read([tmp_path / "a"]))
    (gate,) = (line for line in section.says if line.startswith("As a gate"))
    assert "more than 55 % promotes" in gate and "its own test promotes" in gate
    (test,) = table(section, "tests")
    assert test["outcome"] == "H1" and test["LLR"] >= test["accepts H1 at"] > 0 > test["accepts H0 at"]
    play(tmp_path / "b", request("bot:perfect", "bot:perfect", pairs=10))
    (section,) = results.sections(read([tmp_path / "b"]))
    (gate,) = (line for line in section.says if line.startswith("As a gate"))
    assert "does not promote (50.0 % of the points of 20 matches, which an equal passes " in gate  # all drawn
    assert "a test of +0 against +35 Elo is undecided" in gate


def test_a_table_of_four_and_a_run_for_data_have_rows_of_their_own(tmp_path: Path) -> None:
    play(
        tmp_path / "four",
        request(*["bot:random"] * 3, "bot:greedy", game="blob", variant={"players": 4}, pairs=2),
    )
    data = GenerateRequest(
        models=("sim:greedy",), opponents=(Opponent("bot:random"),), games=(GameShare("tictactoe"),), pairs=3
    )
    play(tmp_path / "data", data)  # type: ignore[arg-type]
    (section,) = results.sections(read([tmp_path / "data", tmp_path / "four"]))
    assert names(section) == ["tables", "data"]
    assert len(table(section, "tables")) == 4
    (row,) = table(section, "data")
    assert (row["model"], row["against"], row["games"], row["legal"]) == ("sim:greedy", "bot:random", 6, 1.0)


# ── ratings ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_board_has_its_table_and_its_figures(house: Path) -> None:
    (section,) = ratings.sections(runs(house))
    rows = table(section, "standings")
    assert [row["Elo"].value for row in rows] == sorted((row["Elo"].value for row in rows), reverse=True)
    assert {row["player"] for row in rows} == {"bot:random", "bot:greedy", "sim:greedy"} and "clean" in rows[
        0
    ]
    elo, met, better, live = section.figures
    assert isinstance(elo, Intervals) and [name for name, _ in elo.rows] == [row["player"] for row in rows]
    assert isinstance(met, Heatmap) and isinstance(better, Heatmap) and isinstance(live, Plot)
    place = {name: k for k, name in enumerate(met.rows)}
    one, other = place["bot:greedy"], place["bot:random"]
    (duel,) = (row for row in table(results.sections(runs(house, "c"))[0], "duels"))
    assert met.values[one][other] == pytest.approx(duel["score"].value) and met.counts[one][other] == 16
    assert met.values[one][other] + met.values[other][one] == pytest.approx(1)  # type: ignore[operator]
    assert better.values[one][one] is None and better.values[one][other] > 0.9  # type: ignore[operator]
    assert LABEL in live.title and "No result" in live.says
    assert all(len(series.points) <= 300 and series.points[0].y == 1000 for series in live.series)
    assert sum(series.points[-1].y for series in live.series) == pytest.approx(3000)  # type: ignore[misc]


def test_a_board_of_two_has_no_second_chance_of_being_better(house: Path) -> None:
    """The result has it already, by another way of counting: two figures for one thing would not agree."""
    alone = table(ratings.sections(runs(house, "c"))[0], "standings")
    assert "> next" not in alone[0]
    assert table(ratings.sections(runs(house))[0], "standings")[0]["> next"] > 0.5


def test_a_run_with_a_rule_to_stop_by_is_named_where_it_is_rated(house: Path, tmp_path: Path) -> None:
    play(tmp_path / "ruled", request("sim:greedy", "sim:random", pairs=60, seed=3, sprt="0,100"))
    ((table,),) = (section.tables for section in ratings.sections(runs(tmp_path, ["ruled"])))
    assert any(note.startswith("1 run with a rule to stop by") for note in table.notes)
    ((table,),) = (section.tables for section in ratings.sections(runs(house)))
    assert not any("rule to stop" in note for note in table.notes)


def test_a_board_over_games_is_there_or_says_why_not(house: Path, tmp_path: Path) -> None:
    play(tmp_path / "d", request("bot:greedy", "bot:random", game="connect4", pairs=3))
    *boards, over = ratings.sections([*runs(house), *read([tmp_path / "d"])])
    assert [section.key for section in boards] == ["ratings-connect4", "ratings-tictactoe-open-track"]
    assert over.key == "overall"
    shared = ratings.sections([*runs(house, "c"), *read([tmp_path / "d"])])[-1]
    assert [row["player"] for row in table(shared, "overall")] == ["bot:greedy", "bot:random"]
    refused = ratings.sections([*runs(house, "ac"), *read([tmp_path / "d"])])[-1]
    assert not refused.tables or refused.says
    play(tmp_path / "e", request("sim:greedy", "sim:random", pairs=2))
    play(tmp_path / "f", request("sim:greedy", "sim:random", game="connect4", pairs=2))
    (refusal,) = ratings.sections(runs(tmp_path, "ef"))[-1].says
    assert "no bot has played them all" in refusal
    play(tmp_path / "g", request("sim:greedy", "bot:random", pairs=2, conduct={"track": "rules"}))
    told = ratings.sections(runs(tmp_path, "efg"))
    assert [each.key for each in told if each.key.startswith("overall")] == [
        "overall"
    ]  # one game on that track


# ── the protocol ─────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_in_no_time_has_its_time(tmp_path: Path) -> None:
    """As on the leaderboard, where a stand-in's median is 0 ms; a bot has none."""
    play(tmp_path / "a", request("sim:greedy", "bot:random"))
    with closing(sqlite3.connect(tmp_path / "a" / "record.db", isolation_level=None)) as db:
        db.execute("UPDATE tally SET latencies = zeroblob(length(latencies))")
    (section,) = protocol.sections(runs(tmp_path, "a"))
    (row,) = table(section, "asking")
    assert (row["median"], row["95 % in"]) == (0, 0)


def test_legality_and_forfeits_are_those_of_the_record(house: Path) -> None:
    (section,) = protocol.sections(runs(house))
    (row,) = table(section, "legality")  # of whoever is asked in words
    first = row["legal at first"]
    model = [s for run in runs(house) for s in run.result.standings if s.player.spec == SLOPPY]
    wrong, asked = sum(each.wrong_first for each in model), sum(each.asked for each in model)
    assert (
        first.value == pytest.approx(1 - wrong / asked) and 0.7 < first.low < first.value < first.high < 0.9
    )
    assert row["after help"] == pytest.approx(first.value)  # nobody was asked again
    (fault,) = table(section, "faults")
    assert (fault["fault"], fault["forfeits"], fault["fallbacks"]) == ("illegal", row["forfeits"], 0)
    assert f"illegal {row['forfeits']}" in section.says[0]
    (asking,) = table(section, "asking")
    assert asking["calls"] == row["decisions"] > 0 and asking["tokens in/match"] > 0


def test_voids_failed_calls_and_fallbacks_are_counted(tmp_path: Path) -> None:
    play(tmp_path / "a", request("sim:random?500=0.3", "bot:random", pairs=3))
    play(
        tmp_path / "b",
        request("sim:random?illegal=0.6", "bot:random", pairs=3, conduct={"fallback": "random"}),
    )
    with closing(sqlite3.connect(tmp_path / "a" / "record.db", isolation_level=None)) as db:
        db.execute("UPDATE match SET status = 'void', reason = 'overloaded' WHERE swap = 0 AND pair = 0")
        (failed,) = db.execute("SELECT count(*) FROM call WHERE kind != 'ok'").fetchone()
    (section,) = protocol.sections(read([tmp_path / "a", tmp_path / "b"]))
    assert {"run": "a", "reason": "overloaded", "matches": 1} in table(section, "voids")
    assert sum(row["calls"] for row in table(section, "calls")) == failed > 0
    (fault,) = table(section, "faults")
    assert fault["fault"] == "illegal" and fault["fallbacks"] > 0 == fault["forfeits"]


# ── money ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_bill_and_what_it_bought(house: Path) -> None:
    found = runs(house)
    (section,) = money.sections(found)
    bill = {row["player"]: row for row in table(section, "bill")}
    total = sum(standing.cost_pico for run in found for standing in run.result.standings) / 1e12
    assert total > 0 and bill["all"]["cost"] == bill[SLOPPY]["cost"] == pytest.approx(total)
    assert bill["bot:random"]["cost"] == 0 and bill["bot:random"]["calls"] == 0
    (row,) = table(section, "prices")
    assert row["$/match"].value == pytest.approx(total / 44)
    wins = sum(s.wins for run in found for s in run.result.standings if s.player.spec == SLOPPY)
    assert row["$/win"].value == pytest.approx(total / wins)
    assert row["$/win"].low < row["$/win"].value
    (plot,) = section.figures
    assert isinstance(plot, Plot)
    labels = [point.label for series in plot.series for point in series.points if point.label]
    assert sorted(labels) == ["bot:greedy", "bot:random", "sim:greedy"]
    assert plot.series[-1].drawn == "steps"


def test_who_is_free_stands_at_the_edge_of_a_scale_of_powers(tmp_path: Path) -> None:
    play(tmp_path / "a", request("sim:greedy", "bot:random", pairs=6))
    play(tmp_path / "b", request("sim:mcts:50", "bot:random", pairs=6))
    bill(tmp_path / "a", "1000 * output_tokens")
    bill(tmp_path / "b", "5000000 * output_tokens")
    (section,) = money.sections(read([tmp_path / "a", tmp_path / "b"]))
    (plot,) = section.figures
    assert isinstance(plot, Plot) and plot.x.log and plot.x.low and "left edge" in plot.says
    points = [point for series in plot.series for point in series.points]
    xs = [part for point in points for part in (point.x if isinstance(point.x, Estimated) else [point.x])]
    assert min(x for x in xs if x is not None) == plot.x.low > 0
    assert {point.label for point in points if point.x == plot.x.low} >= {"bot:random"}


def test_who_has_no_price_is_left_out_and_named(house: Path, tmp_path: Path) -> None:
    play(tmp_path / "d", request("sim:random", "bot:random", pairs=3))
    with closing(sqlite3.connect(tmp_path / "d" / "record.db", isolation_level=None)) as db:
        db.execute("UPDATE tally SET unpriced_calls = calls")
    (section,) = money.sections([*runs(house), *read([tmp_path / "d"])])
    assert any(line.startswith("sim:random has no price for ") for line in section.says)
    row = next(row for row in table(section, "prices") if row["player"] == "sim:random")
    assert row["$/match"] is row["$/win"] is row["$/match per 100 Elo"] is row["place"] is None
    (plot,) = section.figures
    assert isinstance(plot, Plot)
    assert "sim:random" not in {point.label for series in plot.series for point in series.points}


def test_bots_alone_have_no_bill(house: Path) -> None:
    assert money.sections(runs(house, "c")) == []


# ── quality ──────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_graded_is_drawn_and_what_is_not_is_said(tmp_path: Path) -> None:
    play(tmp_path / "a b", request("bot:greedy", "sim:random", pairs=4))
    found = read([tmp_path / "a b"])
    (section,) = quality.sections(found)
    assert section.tables == [] and section.says[0].startswith("None of ")
    assert section.says[1] == f"To grade the rest: orchestrator grade '{tmp_path / 'a b'}'"
    report = grade_run(tmp_path / "a b", Method.parse("search:20"), EVERYTHING)
    (section,) = quality.sections(found)
    assert section.says == [f"All {len(report.decisions)} decisions with a choice are graded."]
    players, seats = table(section, "players"), table(section, "seats")
    assert [row["player"] for row in players] == ["bot:greedy", "sim:random"] and len(seats) == 4
    assert (
        sum(row["decisions"] for row in players)
        == sum(row["decisions"] for row in seats)
        == len(report.decisions)
    )
    (plot,) = section.figures
    assert isinstance(plot, Plot) and [series.name for series in plot.series] == ["bot:greedy", "sim:random"]
    weights = sum(point.weight for series in plot.series for point in series.points)
    assert 0.6 * len(report.decisions) < weights <= len(report.decisions)
    ends = [point.y for series in plot.series for point in series.points]
    assert all(isinstance(end, Estimated) and (end.low, end.high) != (0, 2) for end in ends)
