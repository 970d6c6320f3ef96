"""`orchestrator ablate` as people use it: options and players as arms, told what it can find, wrong and resumed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from orchestrator.ablation import ablation
from orchestrator.cli.ablate import read_arm
from orchestrator.cli.display import Tally, screen
from orchestrator.record.reading import run_result
from orchestrator.table import SpecError

TICTACTOE = ("--game", "tictactoe", "--seed", "1")


def ablate(*words: str, cwd: Path, command: str = "ablate") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestrator", command, *words],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "150"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_styles_tracks_and_other_players_on_the_same_deals(tmp_path) -> None:
    arms = ("--arm", "style=terse", "--arm", "track=rules&reasks=1", "--arm", "bot:greedy")
    who = ("sim:mcts:30?effort=low", *arms, "--opponent", "bot:random=2,bot:mcts:30")
    done = ablate(*who, *TICTACTOE, "--games", "95", "--output", "run", "--display", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (
        "--games 95 rounded up to 100: each of the 5 arms, the control and the null among them" in done.stderr
    )
    assert "10 deals for each arm, two games each: they find differences" in done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert [arm["arm"] for arm in told["arms"]] == [
        "control", "null", "style=terse", "reasks=1&track=rules", "bot:greedy",
    ]  # fmt: skip
    assert told["arms"][2]["spec"] == "sim:mcts:30?effort=low&style=terse"
    players = [standing.player for standing in run_result(tmp_path / "run").standings]
    assert [player.track for player in players[:4]] == ["open", "open", "open", "rules"]
    assert players[3].parameters["reasks"] == 1
    assert players[2].style == "terse"
    asked = tomllib.loads((tmp_path / "run" / "run.toml").read_text())
    assert (asked["control"], asked["null"], asked["games"]) == ("sim:mcts:30?effort=low", True, 100)
    assert asked["opponent"] == {"bot:random": 2, "bot:mcts:30": 1}
    shown = ablate("run", cwd=tmp_path, command="show").stdout
    assert "sim:mcts:30?effort=low and its arms · tictactoe · 100 matches" in shown
    assert all(line in shown.replace("\n", " ") for line in ("Noise: the null", "p: of a permutation"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "what is the control?"),
        (("sim:greedy",), "which arms?"),
        (("sim:greedy", "--arm", "style=default"), "arm style=default comes to the same as the control"),
        (("sim:greedy", "--style", "terse", "--arm", "style=terse"), "comes to the same as the control"),
        (("sim:greedy", "--arm", "style=terse", "--arm", "style=terse&reasks=2"), "the same as arm style=terse"),
        (("bot:mcts:200", "--arm", "bot:greedy"), "bot:mcts:200 is an arm and an opponent"),
        (("bot:greedy", "--arm", "bot:nobody"), "bot:nobody"),
        (("sim:greedy", "--arm", "style=nice"), "expected one of analyst, default, terse"),
        (("sim:greedy", "--arm", "styl=terse"), "did you mean style?"),
        (("sim:greedy", "--arm", "sim:greedy"), "which is the control"),
        (("sim:greedy", "--arm", "effort="), "takes away what sim:greedy has not"),
        (("sim:greedy", "--arm", "style=terse&style=analyst"), "given twice in arm"),
        (("sim:greedy", "--arm", "style=terse&track"), "unreadable arm"),
        (("sim:greedy", "--arm", "claud"), "unknown player 'claud'"),
        (("sim:greedy", "--arm", "style=terse", "--opponent", "self"), "name a player"),
        (("sim:greedy", "--arm", "style=terse", "--opponent", "sim:greedy"), "is an arm and an opponent"),
        (("sim:greedy", "--arm", "style=terse", "--game", "chess960"), "connect4"),
        (("--resume", "--output", "nowhere"), "no run to resume"),
    ],
)  # fmt: skip
def test_wrong_use_says_what_was_expected_and_makes_nothing(tmp_path, words, says) -> None:
    done = ablate(*words, cwd=tmp_path)
    assert done.returncode == 2 and says in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and list(tmp_path.iterdir()) == []


def test_what_it_can_find_is_said_before_it_is_paid(tmp_path) -> None:
    paid = ("sim:greedy?price=3,15", "--arm", "style=terse", "--dry-run")
    done = ablate(*paid, cwd=tmp_path)
    assert done.returncode == 0
    assert "50 deals for each arm, two games each: they find differences of about 140 Elo" in done.stderr
    assert "Estimate for 300 matches" in done.stderr
    few = ablate(*paid, "--games", "12", "--no-null", cwd=tmp_path)
    assert (
        "3 deals for each arm can find no difference, however large: 6 is the least, --games 24" in few.stderr
    )
    assert list(tmp_path.iterdir()) == []


def test_it_stops_at_a_wall_goes_on_and_is_not_made_longer(tmp_path) -> None:
    begin = ("sim:greedy?price=3,15", "--arm", "style=terse", *TICTACTOE, "--games", "12", "--yes")
    begin += ("--concurrency", "2", "--display", "none")
    walled = ablate(*begin, "--max-cost", "0.1", "--output", "run", cwd=tmp_path)
    assert walled.returncode == 1 and "raise the wall" in walled.stderr, walled.stderr
    resume = ("--resume", "--output", "run", "--display", "none", "--max-cost", "9")
    longer = ablate(*resume, "--games", "48", cwd=tmp_path)
    assert longer.returncode == 2 and "games: 12 on record, 48 asked" in longer.stderr
    done = ablate(*resume, "--arm", "style=terse", "--games", "12", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (found,) = ablation(run_result(tmp_path / "run")).others
    assert (found.deals, found.games) == (2, 4)


def test_the_live_table_calls_arms_by_their_names() -> None:
    from orchestrator.cli.text import console

    tally = Tally()
    specs = ["sim:greedy", "sim:greedy", "sim:greedy?style=terse", "bot:random"]
    boards = [{"players": (arm, 4)} for arm in (1, 2, 3)]
    tally.add(
        {
            "type": "run", "kind": "ablate", "players": ["g #1", "g #2", "g?style=terse", "bot:random"],
            "specs": specs, "game": "tictactoe", "output": "run", "seed": 1, "concurrency": 2, "pairs": 3,
            "matches": 6, "planned": 6, "waiting": 6, "spent_usd": 0.0, "wall_usd": None, "boards": boards,
        }
    )  # fmt: skip
    drawn = console(width=100)
    with drawn.capture() as caught:
        drawn.print(screen(tally, 100, 30))
    lines = caught.get().splitlines()
    assert lines[0] == "sim:greedy and its arms · tictactoe"
    names = [
        line.split()[0] for line in lines if line.startswith(("control", "null", "style=terse", "bot:random"))
    ]
    assert names == ["control", "null", "style=terse", "bot:random"]


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("style=terse", "sim:greedy?effort=low&style=terse"),
        ("effort=high&track=rules", "sim:greedy?effort=high&track=rules"),
        ("effort=", "sim:greedy"),
        ("price=3,15", "sim:greedy?effort=low&price=3,15"),
        ("base_url=http://127.0.0.1:1/v1", "sim:greedy?base_url=http://127.0.0.1:1/v1&effort=low"),
        ("bot:mcts:200?c=2", "bot:mcts:200?c=2"),
    ],
)
def test_an_arm_is_options_of_the_control_or_a_player(text, spec) -> None:
    assert read_arm("sim:greedy?effort=low", text) == spec


def test_a_password_reaches_no_record() -> None:
    with pytest.raises(SpecError, match="must not hold"):
        read_arm("local:m", "base_url=http://me:secret@127.0.0.1/v1")
