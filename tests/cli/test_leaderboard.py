from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sqlite3
from contextlib import closing
from itertools import combinations, product
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from benchmarks.tournaments import Clusters, Tournament
from benchmarks.tournaments import tables as played_tables
from engine import View
from orchestrator import standings as standings_module
from orchestrator.cli import main
from orchestrator.cli.leaderboard import board_table
from orchestrator.players import HumanPlayer, Player, Seated
from orchestrator.programme import GameShare, Opponent
from orchestrator.ratings.pairs import estimate
from orchestrator.record import tables
from orchestrator.record.reading import RunResult, Standing
from orchestrator.remarks import verdict
from orchestrator.request import GenerateRequest
from orchestrator.standings import Pair, clusters_of
from orchestrator.summary import summary
from tests.orchestrator.duels import Invited, play, request
from tests.orchestrator.highcard import install
from tests.orchestrator.test_league import series


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs of tictactoe on the open track that share players, and one of rules alone."""
    place = tmp_path_factory.mktemp("house")
    model = "sim:greedy?illegal=0.2"
    play(place / "runs" / "a", request(model, "bot:random", pairs=6))
    play(place / "runs" / "b", request("bot:greedy", model, pairs=5, seed=2))
    play(place / "runs" / "c", request("bot:greedy", "bot:random", pairs=4, seed=3))
    play(place / "runs" / "d", request(model + "&track=rules", "bot:random", pairs=3, seed=4))
    return place


def leaderboard(place: Path, *arguments: str, columns: int = 120) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        return CliRunner(env={"COLUMNS": str(columns)}).invoke(main, ["leaderboard", *arguments])


def boards(place: Path, *arguments: str) -> list[dict[str, Any]]:
    done = leaderboard(place, "--json", *arguments)
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_players_are_joined_over_runs_and_tracks_are_kept_apart(house: Path) -> None:
    found = {tuple(board["tracks"]): board for board in boards(house)}
    assert set(found) == {("open",), ("rules",)}
    opened = found["open",]
    assert opened["pairs"] == 15
    matches = {player["spec"]: player["matches"] for player in opened["players"]}
    assert matches == {"sim:greedy?illegal=0.2": 22, "bot:random": 20, "bot:greedy": 18}
    assert all(p["wins"] + p["draws"] + p["losses"] == p["matches"] for p in opened["players"])
    assert sum(p["wins"] for p in opened["players"]) == sum(p["losses"] for p in opened["players"])


def test_bots_are_one_player_on_every_track_that_one_of_them_plays_on(house: Path) -> None:
    """What they showed of each other counts there, and only there."""
    found = {tuple(board["tracks"]): board for board in boards(house)}
    assert [found[track,]["trackless_matches"] for track in ("open", "rules")] == [8, 8]
    assert {player["spec"] for player in found["rules",]["players"]} == {
        "sim:greedy?illegal=0.2&track=rules", "bot:random", "bot:greedy",
    }  # fmt: skip
    assert "8 matches of players without a track" in " ".join(leaderboard(house).stdout.split())


def test_bots_that_met_nobody_on_a_track_have_a_board_of_their_own(tmp_path: Path) -> None:
    play(tmp_path / "runs" / "a", request("sim:greedy", "bot:random", pairs=1))
    play(tmp_path / "runs" / "b", request("bot:mcts:20", "bot:greedy", pairs=1))
    assert {tuple(board["tracks"]): len(board["players"]) for board in boards(tmp_path)} == {
        ("open",): 2,
        (): 2,
    }
    play(tmp_path / "runs" / "c", request("bot:greedy", "bot:random", pairs=1))  # by way of it they met
    assert {tuple(board["tracks"]): len(board["players"]) for board in boards(tmp_path)} == {("open",): 4}


def test_a_run_over_two_games_and_a_duel_of_one_have_one_player(tmp_path: Path) -> None:
    """In each game it was asked in the words of that game, whatever else its run played."""
    both = GenerateRequest(
        models=("sim:greedy",), opponents=(Opponent("bot:random"),), pairs=4, seed=1,
        games=(GameShare("connect4", {}), GameShare("tictactoe", {})),
    )  # fmt: skip
    play(tmp_path / "runs" / "a", both)
    for number, game in enumerate(("tictactoe", "connect4")):
        play(
            tmp_path / "runs" / f"b{number}", request("sim:greedy", "bot:random", game=game, pairs=2, seed=9)
        )
    found = boards(tmp_path)
    assert [len(board["players"]) for board in found] == [2, 2]
    hashes = [p["hash"] for board in found for p in board["players"] if p["spec"] == "sim:greedy"]
    assert len(set(hashes)) == 2 and not any("+" in each for each in hashes)
    assert all(player["matches"] == 8 for board in found for player in board["players"])


def test_the_random_bot_is_zero_where_it_plays(house: Path) -> None:
    for board in boards(house):
        (zero,) = (player for player in board["players"] if player["spec"] == "bot:random")
        assert (zero["elo"], zero["elo_low"], zero["elo_high"]) == (0, 0, 0)


def test_two_players_get_exactly_what_their_duel_said(tmp_path: Path) -> None:
    _, result = play(tmp_path / "runs" / "a", request("bot:greedy", "sim:random?illegal=0.1", pairs=8))
    said = estimate(result.pair_scores, result.distinct_pairs)
    assert said is not None and said.elo > 0
    (board,) = boards(tmp_path)
    first, second = board["players"]
    assert first["spec"] == "bot:greedy" and first["elo"] == 0
    assert second["elo"] == round(-said.elo, 1)
    assert (second["elo_low"], second["elo_high"]) == (round(-said.elo_high, 1), round(-said.elo_low, 1))


def test_who_sat_down_first_does_not_matter(tmp_path: Path) -> None:
    _, result = play(tmp_path / "runs" / "a", request("sim:random?illegal=0.1", "bot:greedy", pairs=8))
    said = estimate(result.pair_scores, result.distinct_pairs)
    assert said is not None and said.elo < 0
    (board,) = boards(tmp_path)
    assert board["players"][0]["spec"] == "bot:greedy"
    assert board["players"][1]["elo"] == pytest.approx(said.elo, abs=0.1)


def test_the_same_duel_played_twice_is_no_more_evidence(tmp_path: Path) -> None:
    play(tmp_path / "runs" / "a", request("bot:greedy", "bot:random", pairs=8))
    once = boards(tmp_path)[0]
    shutil.copytree(tmp_path / "runs" / "a", tmp_path / "runs" / "b")
    twice = boards(tmp_path)[0]
    assert twice["pairs"] == 2 * once["pairs"]
    for before, after in zip(once["players"], twice["players"], strict=True):
        assert after["matches"] == 2 * before["matches"]
        assert (after["elo"], after["elo_low"]) == (before["elo"], before["elo_low"])
    out = leaderboard(tmp_path).stdout
    assert "from 16 complete pairs" in out and "8 pairs repeat others" in out and "the 8 different" in out


def steady(share: float) -> Player:
    """Plays without chance: always the move so far along the list. 0 beats 0.8 and 0.7, 0.8 beats 0.7."""

    async def choose(view: View) -> int:
        return view.legal[int(share * (len(view.legal) - 1))].id

    name = f"steady-{share}"
    return HumanPlayer(Seated(name, name, "human", name), choose)


def test_pairs_that_repeat_each_other_move_by_move_are_one_observation(tmp_path: Path) -> None:
    strong, weak = steady(0), steady(0.7)
    for name, two in (("a", (strong, weak)), ("b", (weak, strong))):
        _, result = play(tmp_path / "runs" / name, request("0", "1", pairs=20, seed=ord(name)), Invited(*two))
        assert (len(result.pair_scores), result.distinct_pairs, result.repeats) == (20, 1, 38)
        assert "is ahead of" not in verdict(summary(result))
    (board,) = boards(tmp_path)
    assert (board["pairs"], board["distinct_pairs"]) == (40, 1)
    first, second = board["players"]
    assert first["score"] == 1.0 and first["rank"] == second["rank"] == 1
    assert first["rank_high"] == second["rank_high"] == 2
    assert first["elo_low"] < 0 < first["elo_high"]
    assert "39 pairs repeat others" in leaderboard(tmp_path).stdout


def test_repeats_decide_nothing_among_three_either(tmp_path: Path) -> None:
    for number, two in enumerate(combinations(map(steady, (0, 0.8, 0.7)), 2)):
        play(tmp_path / "runs" / str(number), request("0", "1", pairs=40, seed=number), Invited(*two))
    (board,) = boards(tmp_path)
    assert (board["pairs"], board["distinct_pairs"]) == (120, 3)
    assert [player["rank"] for player in board["players"]] == [1, 1, 1]


def test_pairs_hang_together_by_way_of_others() -> None:
    pairs = [Pair((), (), *keys) for keys in (("i1", "m1"), ("i2", "m2"), ("i1", "m2"), ("i3", "m3"))]
    assert sorted(map(len, clusters_of(pairs))) == [1, 3]


def test_a_player_against_itself_has_its_plain_name(tmp_path: Path) -> None:
    play(tmp_path / "runs" / "a", request("bot:random", "bot:random", pairs=1))
    (board,) = boards(tmp_path)
    assert [player["name"] for player in board["players"]] == ["bot:random"]


def test_a_table_has_its_own_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(install(tmp_path / "installed").split(os.pathsep)[0])
    runs = tmp_path / "runs"

    def table(name: str, *players: str, **more: int) -> RunResult:
        asked = request(*players, game="highcard", variant={"players": len(players)}, **more)
        return play(runs / name, asked)[1]

    results = [
        table("a", "bot:greedy", "bot:random", "sim:random?prose=0.7", pairs=4),
        table("b", "bot:random", "bot:random", "sim:random?prose=0.7", pairs=2, seed=2),
    ]
    table("c", "bot:greedy", "bot:random", pairs=2)
    table("d", "bot:greedy", "bot:random", "bot:random", "bot:random", pairs=1)
    found = {board["seats"]: board for board in boards(tmp_path)}
    assert set(found) == {2, 3, 4} and len(boards(tmp_path)) == 3
    assert {player["spec"]: player["pairs"] for player in found[3]["players"]} == {
        "bot:greedy": 4, "bot:random": 6, "sim:random?prose=0.7": 6,
    }  # fmt: skip
    assert found[3]["pairs"] == 6 and len(found[3]["rating"]["seats"]) == 3
    assert found[2]["elo_zero"].endswith("(the weakest bot here)")
    told = {player["spec"]: player for player in found[3]["players"]}
    assert {spec: each["matches"] for spec, each in told.items()} == {
        "bot:greedy": 12, "bot:random": 24, "sim:random?prose=0.7": 18,
    }  # fmt: skip
    seats = [
        (result.standings[seat.player - 1].player.spec, seat)
        for result in results
        for match in result.matches
        for seat in match.seats
    ]
    for spec, each in told.items():
        mine = [seat for whose, seat in seats if whose == spec]
        paid = [seat.points for seat in mine if seat.points is not None]
        assert each["score"] == pytest.approx(mean(seat.score for seat in mine))
        assert each["mean_rank"] == pytest.approx(mean(seat.rank for seat in mine))
        assert each["points"] == pytest.approx(mean(paid)) and len(paid) < len(mine)
    ratings = [player["elo"] for player in found[3]["players"]]
    assert ratings == sorted(ratings, reverse=True)
    out = leaderboard(tmp_path, columns=80).stdout
    three = out[out.index("highcard players=3") : out.index("highcard players=4")]
    assert three.startswith("highcard players=3 · table of 3 · open track\n")
    assert "from 6 complete deals" in " ".join(three.split()) and "Points: without the matches" in three
    assert max(len(line.rstrip()) for line in three.splitlines() if "  " in line) <= 80
    assert "repeat others" not in three
    table("again", "bot:greedy", "bot:random", "sim:random?prose=0.7", pairs=4)
    assert "4 deals repeat others" in leaderboard(tmp_path).stdout


def test_what_the_stand_in_answered_is_never_joined_with_a_model(tmp_path: Path) -> None:
    for name, answered in (("a", "claude-sonnet-5-5"), ("b", "simulated/greedy")):
        play(tmp_path / "runs" / name, request("sim:greedy", "bot:random", pairs=2, seed=ord(name)))
        with closing(sqlite3.connect(tmp_path / "runs" / name / "record.db", isolation_level=None)) as db:
            db.execute("UPDATE player SET spec = 'anthropic:claude', hash = 'h' WHERE id = 1")
            db.execute("UPDATE tally SET reported = json_array(?) WHERE calls", (answered,))
    (board,) = boards(tmp_path)
    assert len(board["players"]) == 3
    out = leaderboard(tmp_path).stdout
    assert "(stand-in)" in out and "was answered by simulated/greedy" in out


def test_players_of_one_name_are_told_apart_by_what_differs(tmp_path: Path) -> None:
    for style in ("default", "terse"):
        play(
            tmp_path / "runs" / style, request("sim:greedy", "bot:random", pairs=1, conduct={"style": style})
        )
    (board,) = boards(tmp_path)
    names = {player["name"] for player in board["players"]}
    assert names == {"sim:greedy style=default", "sim:greedy style=terse", "bot:random"}


def test_a_named_anchor_is_where_it_is_put(house: Path) -> None:
    def on(track: str, *arguments: str) -> dict[str, Any]:
        return next(board for board in boards(house, *arguments) if board["tracks"] == [track])

    set_to, free = (
        {player["spec"]: player["elo"] for player in board["players"]}
        for board in (on("open", "--anchor", "bot:greedy=1500"), on("open"))
    )
    assert set_to["bot:greedy"] == 1500
    assert set_to["bot:random"] - 1500 == pytest.approx(free["bot:random"] - free["bot:greedy"], abs=0.2)
    assert on("open", "--anchor", "bot:greedy=1500")["elo_zero"] == "bot:greedy at 1500"
    assert on("rules", "--anchor", "bot:mcts=1500")["elo_zero"] == "bot:random (the weakest bot here)"
    for wrong in ("bot:random", "=3", "bot:random=x", "bot:random=nan"):
        done = leaderboard(house, "--anchor", wrong)
        assert done.exit_code == 2 and "such as bot:random=0" in " ".join(done.output.split())


def test_clean_matches_are_rated_beside_all(tmp_path: Path) -> None:
    """A forfeit and a fallback leave their matches out, not the pair; the rest goes on telling."""
    _, result = play(tmp_path / "runs" / "a", request("sim:greedy", "bot:random", pairs=6))
    assert {board["unclean_matches"] for board in boards(tmp_path)} == {0}
    assert "clean" not in leaderboard(tmp_path).stdout.lower()
    one, other, *_ = result.matches
    with closing(sqlite3.connect(tmp_path / "runs" / "a" / "record.db", isolation_level=None)) as db:
        db.execute("UPDATE seat SET forfeit = 'illegal' WHERE match = ? AND player = 1", (one.id,))
        db.execute("UPDATE tally SET fallbacks = 1 WHERE match = ? AND player = 1", (other.id,))
    (board,) = boards(tmp_path)
    assert board["unclean_matches"] == 2 and board["pairs"] == 6
    assert all(player["clean_elo"] is not None for player in board["players"])
    assert "without the 2 matches that saw a forfeit or a fallback" in " ".join(
        leaderboard(tmp_path).stdout.split()
    )


def test_everything_is_in_the_json(house: Path) -> None:
    opened = next(board for board in boards(house) if board["tracks"] == ["open"])
    names = [player["name"] for player in opened["players"]]
    rating, live = opened["rating"], opened["live"]
    assert rating["order"] == names and rating["matches"] == 30 and rating["clusters"] == 15
    better = rating["better"]
    for i, j in product(range(3), repeat=2):
        assert better[i][j] is None if i == j else better[i][j] + better[j][i] == pytest.approx(1)
    assert {(one["first"], one["second"]) for one in rating["meetings"]} <= set(product(names, names))
    assert all(
        sum(one["predicted_win_draw_loss"]) == pytest.approx(1, abs=1e-3) for one in rating["meetings"]
    )
    assert live["history"][-1]["matches"] == 30 and "order" in live["label"]
    assert sum(sum(two["points_0_to_2"]) for two in live["pair_counts"]) == 15
    assert sum(live["elo"].values()) == pytest.approx(3000, abs=0.5)


def test_csv_has_a_row_per_player(house: Path) -> None:
    rows = list(csv.DictReader(leaderboard(house, "--csv").stdout.splitlines()))
    assert len(rows) == sum(len(board["players"]) for board in boards(house)) == 6
    assert {row["tracks"] for row in rows} == {"open", "rules"}
    assert {row["elo"] for row in rows if row["spec"] == "bot:random"} == {"0.0"}


def test_markdown_has_the_board_and_who_is_better(house: Path) -> None:
    page = leaderboard(house, "--markdown").stdout
    assert "## tictactoe · open track" in page and "| # | player | Elo |" in page
    assert page.count("Chance that the player of the row is stronger") == 2
    page = leaderboard(house, "--markdown", "runs/a").stdout
    assert "Chance" not in page  # of two alone the board says all


def test_foreign_names_are_only_text(tmp_path: Path) -> None:
    play(tmp_path / "runs" / "a", request("sim:greedy", "bot:random", pairs=1))
    with closing(sqlite3.connect(tmp_path / "runs" / "a" / "record.db", isolation_level=None)) as db:
        db.execute("UPDATE player SET label = '=cmd()|<b>[x](y)' || char(27) WHERE id = 1")
    assert r"=cmd()\|\<b\>\[x\](y)␛" in leaderboard(tmp_path, "--markdown").stdout
    assert "'=cmd()|<b>" in leaderboard(tmp_path, "--csv").stdout
    for form in ((), ("--json",), ("--csv",), ("--markdown",)):
        assert "\x1b" not in leaderboard(tmp_path, *form).stdout


def test_a_board_over_games_wants_everybody_in_each(tmp_path: Path) -> None:
    def duels(game: str, *models: str) -> None:
        for number, (model, bot) in enumerate(product(models, ("bot:random", "bot:greedy"))):
            play(tmp_path / "runs" / f"{game}{number}", request(model, bot, game=game, pairs=3, seed=number))

    duels("tictactoe", "sim:greedy", "sim:random")
    duels("connect4", "sim:greedy")
    done = leaderboard(tmp_path, "--overall")
    assert done.exit_code == 1 and "all 2 games" not in done.stdout
    assert "no overall board: sim:random has not played connect4 · open track" in done.stderr
    shutil.rmtree(tmp_path / "runs")
    duels("tictactoe", "sim:greedy")
    duels("connect4", "sim:greedy")
    done = leaderboard(tmp_path, "--overall", columns=80)
    assert done.exit_code == 0 and "all 2 games" in done.stdout and "bot:random at 0" in done.stdout
    told = json.loads(leaderboard(tmp_path, "--overall", "--json").stdout)
    (over,) = told["overall"]
    elo = [{p["name"]: p["elo"] for p in board["players"]} for board in told["boards"]]
    assert over["anchors"] == {"bot:random": 0} and over["refused"] is None
    for player in over["players"]:
        mean_above = mean(each[player["name"]] - each["bot:random"] for each in elo)
        assert player["elo"] == pytest.approx(mean_above, abs=0.2)
    assert "## all 2 games" in leaderboard(tmp_path, "--overall", "--markdown").stdout
    rows = list(csv.DictReader(leaderboard(tmp_path, "--overall", "--csv").stdout.splitlines()))
    means = [row for row in rows if row["game"] == "all 2 games"]
    assert {row["name"]: float(row["elo"]) for row in means} == {p["name"]: p["elo"] for p in over["players"]}
    assert {row["tracks"] for row in means} == {"open"} and len(rows) == len(means) + 6


def shown(clusters: Clusters, columns: int = 80) -> str:
    """The board of players who met so; the first by name is a bot."""
    made = standings_module.Board("connect4", {}, ("open",), len(clusters[0][0].players))
    for number, name in enumerate(
        sorted({name for cluster in clusters for r in cluster for name in r.players})
    ):
        player = tables.Player(
            id=number, spec=name, label=name, kind="model" if number else "bot", parameters={}, hash=name
        )
        made.lines[name] = standings_module.Line(player, name, Standing(player))
    made.pairs = [Pair(tuple(c), (True,) * len(c), k, k) for k, c in enumerate(clusters)]
    made.clusters = clusters_of(made.pairs)
    standings_module._rate(made, ())
    console = Console(file=io.StringIO(), width=columns)
    console.print(board_table(made, console))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def line_of(screen: str, player: str) -> str:
    return next(line for line in screen.splitlines() if f" {player} " in line)


def test_what_is_not_known_is_said() -> None:
    screen = shown(
        series("bot", "opus", 0, 40)
        + [c for two in (("opus", "gpt"), ("gpt", "qwen"), ("qwen", "opus")) for c in series(*two, 30, 10)]
        + series("x", "y", 9, 3)
    )
    said = " ".join(screen.split())
    assert "In a ring, beyond chance: gpt beats qwen beats opus beats gpt." in said
    assert "One number a player does not explain these results" in said and "1 degree of" in said
    assert "their own mean: x, y." in said and "* provisional" in said and "° only won, or only lost" in said
    for player in ("opus", "gpt", "qwen"):
        assert line_of(screen, player).startswith("1–3") and "°" in line_of(screen, player)
    assert line_of(screen, "bot").split()[:3] == ["4", "bot", "0"]
    assert line_of(screen, "x").startswith("1–2") and "*" in line_of(screen, "x")
    lines = [line.strip() for line in screen.splitlines()]
    assert lines[lines.index(line_of(screen, "bot").strip()) - 1] == ""  # told apart: a gap before
    assert max(map(len, screen.splitlines())) <= 80


def test_tables_are_shown_with_ranks() -> None:
    screen = shown(played_tables(Tournament(players=6, seats=4), 1, deals=40))
    order = [line.split()[1] for line in screen.splitlines() if " p0" in line and "Elo from" not in line]
    assert order == ["p05", "p04", "p03", "p02", "p01", "p00"]
    assert "table of 4" in screen and "from 40 complete deals" in " ".join(screen.split())


def test_the_table_says_what_it_rests_on(house: Path) -> None:
    out = leaderboard(house, "--game", "tictactoe").stdout
    assert "tictactoe · open track" in out and "tictactoe · rules track" in out
    assert "from 15 complete pairs" in out
    assert "provisional: fewer than 30 pairs" in out
    assert "No finished match of chess" in leaderboard(house, "--game", "chess").stdout


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table_keeps_to_the_terminal_and_names_what_it_left_out(house: Path, columns: int) -> None:
    out = leaderboard(house, columns=columns).stdout
    assert max(len(line.rstrip()) for line in out.splitlines()) <= columns
    assert "Elo" in out and "score" in out
    assert "…" not in out.replace("(all in --json)", "")
    assert ("No room here for" in out) == (columns < 120)


def test_what_a_match_cost_stands_beside_a_clean_rating_on_a_usual_terminal(tmp_path: Path) -> None:
    sloppy = "sim:greedy?illegal=0.3"
    for number, (one, other) in enumerate(((sloppy, "bot:random"), ("bot:greedy", sloppy))):
        asked = request(one, other, pairs=8, seed=number, price="1,5", conduct={"reasks": 0})
        play(tmp_path / "runs" / str(number), asked)
    out = leaderboard(tmp_path, columns=80).stdout
    heads = next(line for line in out.splitlines() if "player" in line).split()
    assert "clean" in heads and "$/match" in heads


def test_an_unfinished_run_counts_its_matches_but_is_not_rated(tmp_path: Path) -> None:
    play(tmp_path / "runs" / "a", request("bot:greedy", "bot:random", pairs=1), concurrency=1, stop_after=9)
    done = leaderboard(tmp_path)
    assert done.exit_code == 0
    assert "No pair was completed" in done.stdout


def test_a_bad_record_is_named_and_the_others_are_shown(house: Path, tmp_path: Path) -> None:
    shutil.copytree(house / "runs", tmp_path / "runs")
    (tmp_path / "runs" / "bad").mkdir()
    (tmp_path / "runs" / "bad" / "record.db").write_text("not a database")
    some = leaderboard(tmp_path)
    assert some.exit_code == 1
    assert "left out: runs/bad" in some.stderr and "open track" in some.stdout
    (tmp_path / "runs" / "README.md").write_text("# Runs")
    globbed = leaderboard(tmp_path, *(f"runs/{name}" for name in ("README.md", "a", "b/record.db")))
    assert globbed.exit_code == 0 and "open track" in globbed.stdout
    none = leaderboard(tmp_path, "runs/bad", "nowhere")
    assert none.exit_code == 2
    assert "no record at nowhere" in none.stderr
    shutil.rmtree(tmp_path / "runs")
    empty = leaderboard(tmp_path)
    assert empty.exit_code == 2 and "play a duel first" in empty.stderr
