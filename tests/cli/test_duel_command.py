"""`orchestrator duel` as people use it: right, wrong, interrupted, resumed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import click
import pytest

from orchestrator.cli.duel import read_players
from orchestrator.cli.playing import specs as parted
from providers.simulated import Behaviour
from tests.orchestrator.duels import rows
from tests.orchestrator.highcard import install
from tests.served import served

NIM = '''
"""A game in plain Python that the package has never heard of."""
from engine import Game


class Nim(Game):
    """Seven stones; take 1, 2 or 3 in turn; whoever takes the last one wins."""

    def name(self): return "nim7"
    def num_actions(self): return 3
    def start(self, rng): self.stones, self.mover = 7, 0
    def current_player(self): return self.mover if self.stones else -1
    def legal_into(self, out):
        for action in range(min(3, self.stones)):
            out[action] = action
        return min(3, self.stones)
    def step(self, action):
        self.stones -= action + 1
        self.mover = 1 - self.mover
    def payoff(self, seat): return (1 if seat != self.mover else -1) if not self.stones else 0
    def action_text(self, action): return str(action + 1)
'''


def orchestrator(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestrator", *words],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_duel_prints_its_result_and_leaves_a_record(tmp_path) -> None:
    words = ("duel", "sim:greedy", "vs", "bot:random", "--game", "tictactoe", "--games", "5", "--seed", "1")
    done = orchestrator(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "rounded up to 6" in done.stderr
    assert "Elo" in done.stdout and "sim:greedy" in done.stdout
    (run,) = (tmp_path / "runs").iterdir()
    assert "sim-greedy-vs-bot-random-tictactoe" in run.name
    assert len(rows(run)["match"]) == 6
    again = orchestrator(*words, cwd=tmp_path)
    assert again.returncode == 0
    one, two = (rows(run) for run in (tmp_path / "runs").iterdir())
    assert one == two, "one seed, one result"


def test_json_is_one_event_a_line_and_nothing_else(tmp_path) -> None:
    words = (
        "duel",
        "--player1",
        "sim:random",
        "--player2",
        "bot:random",
        "--games",
        "3",
        "--display",
        "json",
    )
    done = orchestrator(*words, cwd=tmp_path)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and events[0]["type"] == "run"
    last = events[-1]
    assert last["type"] == "summary" and last["pairs"] == 2 and last["matches"] == 4
    assert [player["spec"] for player in last["players"]] == ["sim:random", "bot:random"]
    assert last["elo_low"] < last["elo"] < last["elo_high"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "who plays?"),
        (("bot:random",), "a duel has two players or more, got 1"),
        (("bot:random", "vs", "bot:greedy", "vs", "bot:random"), "connect4 is for 2 players, got 3"),
        (("bot:random", "vs", "bot:nobody"), "greedy"),
        (("bot:random", "vs", "bot:greedy", "--player1", "bot:random"), "not both"),
        (("--table", "bot:random,gredy,bot:greedy", "--game", "blob"), "unknown player 'gredy'"),
        (("bot:random", "vs", "bot:greedy", "--game", "chess960"), "connect4"),
        (("bot:random", "vs", "bot:greedy", "--game", "connect4?size=x"), "unreadable game"),
        (("bot:random", "vs", "bot:greedy", "--game", "connect4?size=9"), "size"),
        (("bot:random", "vs", "bot:greedy", "--games", "0"), "x>=1"),
        (("bot:random", "vs", "bot:greedy", "--opening", "60"), "use fewer"),
        (("bot:random", "vs", "openai:gpt-99"), "--price"),
        (("bot:random", "vs", "openai:gpt-99", "--price", "cheap"), "3,15"),
        (("bot:random", "vs", "sim:greedy", "--style", "poetry"), "analyst"),
        (("--resume",), "--resume needs --output"),
        (("--resume", "--output", "nowhere"), "no run to resume"),
        (("bot:random", "vs", "claude", "--temperature", "0"), "temperature"),
    ],
)
def test_wrong_use_says_what_was_expected_and_makes_nothing(tmp_path, words, says) -> None:
    done = orchestrator("duel", *words, cwd=tmp_path)
    assert done.returncode == 2 and says in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_missing_key_is_named_before_anything_is_made(tmp_path) -> None:
    bare = {"ANTHROPIC_API_KEY": "", "ANTHROPIC_BASE_URL": ""}
    done = orchestrator("duel", "claude", "vs", "bot:random", cwd=tmp_path, **bare)
    assert done.returncode == 2 and "ANTHROPIC_API_KEY" in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_key_stops_the_run_at_once(tmp_path) -> None:
    with served(Behaviour.of("greedy"), require_key="the-right-one") as server:
        url = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "a-wrong-one"}
        done = orchestrator("duel", "claude", "vs", "bot:random", "--concurrency", "2", cwd=tmp_path, **url)
        assert done.returncode == 1 and "auth" in done.stderr and "--resume" in done.stderr
        assert server.counts["requests"] <= 2
        (run,) = (tmp_path / "runs").iterdir()
        url["ANTHROPIC_API_KEY"] = "the-right-one"
        done = orchestrator("duel", "--output", str(run), "--resume", cwd=tmp_path, **url)
    assert done.returncode == 0, done.stderr
    assert all(row[6] == "finished" for row in rows(run)["match"])


def test_when_nobody_reads_on_the_run_stops_and_can_go_on(tmp_path) -> None:
    words = ["duel", "sim:random", "vs", "bot:random", "--games", "40", "--output", "run"]
    command = [sys.executable, "-m", "orchestrator", *words, "--display", "json"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 1
    assert "nobody reads" in errors and "Traceback" not in errors
    done = orchestrator("duel", "--output", "run", "--resume", "--display", "none", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert all(row[6] == "finished" for row in rows(tmp_path / "run")["match"])


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_ctrl_c_drains_and_the_run_goes_on(tmp_path, twice) -> None:
    run = tmp_path / "run"
    words = [
        "duel",
        "local:a",
        "vs",
        "local:b?style=terse",
        "--games",
        "6",
        "--seed",
        "4",
        "--output",
        str(run),
    ]
    with served(Behaviour.of("greedy", latency="0.1")) as server:
        url = {"LOCAL_BASE_URL": f"{server.url}/v1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator", *words],
            env={**os.environ, **url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while server.counts["answered"] < 20 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        if twice:
            time.sleep(0.02)
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 130, errors
        assert f"orchestrator duel --output {run} --resume" in errors
        with closing(sqlite3.connect(run / "record.db", isolation_level=None)) as db:
            assert db.execute("SELECT status FROM run").fetchone() == ("stopped",)
            open_matches = db.execute("SELECT count(*) FROM match WHERE status = 'stopped'").fetchone()
            lost = db.execute("SELECT count(*) FROM call WHERE kind = 'sent'").fetchone()
        assert open_matches[0] > 0
        assert twice or lost == (0,), "once: what was asked was waited for"
        done = orchestrator(
            "duel", "--output", str(run), "--resume", "--display", "json", cwd=tmp_path, **url
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1])["pairs"] == 3
        wrong = orchestrator("duel", "--output", str(run), "--resume", "--games", "8", cwd=tmp_path, **url)
        assert wrong.returncode == 2 and "games: 6 on record, 8 asked" in wrong.stderr
        again = orchestrator(*words, cwd=tmp_path, **url)
        assert again.returncode == 2 and "--resume" in again.stderr
    whole = tmp_path / "whole"
    with served(Behaviour.of("greedy")) as server:
        words[-1] = str(whole)
        orchestrator(*words, cwd=tmp_path, LOCAL_BASE_URL=f"{server.url}/v1")
    assert rows(run, calls=False) == rows(whole, calls=False)


def test_a_game_of_plain_python_from_outside_plays_at_once(tmp_path) -> None:
    (tmp_path / "nim7.py").write_text(NIM)
    info = tmp_path / "nim7-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nim7\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[duelist.games]\nnim7 = nim7:Nim\n")
    words = ("duel", "sim:random", "vs", "bot:mcts:100", "--game", "nim7", "--games", "20", "--seed", "3")
    done = orchestrator(*words, "--display", "json", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["matches"] == 20 and last["players"][1]["wins"] > 12
    assert last["players"][0]["forfeits"] == last["players"][0]["illegal"] == 0


def test_a_bot_that_cannot_play_the_game_is_told_so_before_anything_is_made(tmp_path) -> None:
    (tmp_path / "nim7.py").write_text(NIM)
    info = tmp_path / "nim7-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nim7\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[duelist.games]\nnim7 = nim7:Nim\n")
    words = ("duel", "bot:perfect", "vs", "bot:random", "--game", "nim7")
    done = orchestrator(*words, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2 and "cannot play 'nim7'" in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("given", "specs"),
    [
        ("bot:random,bot:greedy,human", ["bot:random", "bot:greedy", "human"]),
        (" claude , gemini?effort=low, sim:greedy", ["claude", "gemini?effort=low", "sim:greedy"]),
        ("local:m?price=3,15,claude", ["local:m?price=3,15", "claude"]),
        ("claude,local:m?price=3,15", ["claude", "local:m?price=3,15"]),
        (
            "local:m?price=3,15,local:n?price=1,2,human:Ann",
            ["local:m?price=3,15", "local:n?price=1,2", "human:Ann"],
        ),
        ("claude,gemni,gpt", ["claude", "gemni", "gpt"]),
        ("human:Ann?x=1,human,gpt?y=2", ["human:Ann?x=1", "human", "gpt?y=2"]),
        ("", []),
    ],
)
def test_commas_part_the_players_of_a_table_but_not_their_options(given, specs) -> None:
    assert parted(given) == specs


def named(*versus: str, **options: str) -> tuple[str, ...]:
    return read_players({"player1": None, "player2": None, "table": None, **options, "versus": versus})


def test_players_are_named_in_one_way() -> None:
    three = ("bot:random", "bot:greedy", "human")
    assert named("bot:random", "vs", "bot:greedy", "VS", "human") == three
    assert named(table="bot:random,bot:greedy,human") == three
    assert named(player1="a", player2="b") == ("a", "b") and named() == ()
    for versus, options in (
        (("a", "vs", "b"), {"table": "a,b"}),
        ((), {"player1": "a", "table": "a,b"}),
        (("a", "vs", "b"), {"player2": "b"}),
    ):
        with pytest.raises(click.UsageError, match="not both"):
            named(*versus, **options)
    for options in ({"table": "human"}, {"player2": "human"}):
        with pytest.raises(click.UsageError, match="two players or more, got 1"):
            named(**options)


def test_a_table_is_played_and_told(tmp_path) -> None:
    path = {"PYTHONPATH": install(tmp_path / "installed")}
    words = ("duel", "--game", "highcard", "--games", "7", "--seed", "1", "--display", "json", "--output")
    players = "bot:random,sim:greedy?price=3,15,bot:greedy"
    done = orchestrator(*words, "a", "--table", players, cwd=tmp_path, **path)
    assert done.returncode == 0, done.stderr
    assert "--games 7 rounded up to 9: a deal is 3 matches" in done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    ended = [event for event in events if event["type"] == "match" and event["status"] == "finished"]
    assert len(ended) == 9
    for event in ended:
        assert sorted(event["ranks"]) == [1, 2, 2] and sorted(event["points"]) == [0, 0, 1]
        assert sum(event["scores"]) == 1.5
    last = events[-1]
    assert (last["type"], last["pairs"], last["elo"]) == ("summary", 3, None)
    assert [player["spec"] for player in last["players"]] == [
        "bot:random",
        "sim:greedy?price=3,15",
        "bot:greedy",
    ]
    resume = ("duel", "--resume", "--output", "a", "--display", "none")
    same = ("--games", "9", "--game", "highcard", "--table", players)
    again = orchestrator(*resume, *same, cwd=tmp_path, **path)
    assert (again.returncode, again.stderr) == (0, ""), again.stderr
    other = orchestrator(*resume, "--game", "highcard?players=4", cwd=tmp_path, **path)
    assert other.returncode == 2 and "has 4 seats, but 3 players were named" in other.stderr


def test_help_imports_nothing_heavy() -> None:
    heavy = "anthropic openai google litellm aiohttp sqlmodel pydantic jinja2 rich tenacity engine prompts"
    code = (
        "import sys; sys.argv = ['orchestrator', '--help']\n"
        "from orchestrator.cli import main\n"
        "try: main()\n"
        f"finally: print([name for name in {heavy.split()} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
