"""What holds a paid run: the price before, the wall during, and what is said when either stands in the way.

Through the real command, against the stand-in's server or with `sim:` and a made-up price.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator import batch
from orchestrator.cli import main
from orchestrator.players import Halt
from orchestrator.record.reading import run_result
from providers import stand_in
from tests.orchestrator.duels import rows
from tests.served import served

PRICED = "sim:random?price=3,15"
QUICK = ("--game", "tictactoe", "--seed", "1", "--display", "plain")
DUEL = ("duel", "--player1", PRICED, "--player2", "bot:greedy", *QUICK)
RESUME = ("duel", "--output", "run", "--resume", "--display", "plain")


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")  # nothing is folded


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[stand_in.Server]:
    """All three services, which know one key."""
    with served(require_key="a-key") as server:
        for name in ("ANTHROPIC", "OPENAI", "GEMINI"):
            monkeypatch.setenv(f"{name}_API_KEY", "a-key")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
        yield server


def orchestrator(*given: str) -> Result:
    done = CliRunner().invoke(main, given)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def spent(run: str = "run") -> int:
    return sum(standing.cost_pico + standing.possibly_pico for standing in run_result(Path(run)).standings)


def made() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


# ── the price before ─────────────────────────────────────────────────────────────────────────────


def test_a_dry_run_says_what_it_costs_and_makes_nothing(service: stand_in.Server) -> None:
    done = orchestrator("duel", "claude", "vs", "gpt", "--games", "10", "--dry-run")
    assert (done.exit_code, done.stdout, made()) == (0, "", [])
    assert "Estimate for 10 matches:" in done.stderr and "Ceiling: $" in done.stderr
    assert service.counts["requests"] == 0
    told = orchestrator("duel", "claude", "vs", "gpt", "--games", "10", "--dry-run", "--display", "json")
    found = json.loads(told.stdout)
    assert found["total"]["matches"] == 10 and found["waves"] is None and made() == []
    assert [player["label"] for player in found["players"]] == ["claude-sonnet-5-5", "gpt-6.1-sol"]


def test_a_dry_run_in_batches_says_how_many_waves_there_are(service: stand_in.Server) -> None:
    found = orchestrator("duel", "claude", "vs", "gpt", "--games", "10", "--batch", "--dry-run", *QUICK)
    (time,) = (line for line in found.stderr.splitlines() if line.startswith("Time: "))
    number = re.search(r"some (\d+) waves one after the other, of 60 s – 24 h each", time)
    assert number and 9 <= int(number[1]) <= 18, time  # a match has nine plies at most


def test_nobody_who_costs_is_said_once() -> None:
    done = orchestrator("duel", "sim:greedy", "vs", "bot:random", "--dry-run")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "nobody who plays costs anything\n"


def test_much_is_not_spent_unasked() -> None:
    words = ("duel", "--player1", PRICED, "--player2", "bot:greedy", "--games", "2000", "--output", "run")
    done = orchestrator(*words)
    assert done.exit_code == 2 and made() == []
    assert (
        "nobody is at the terminal to be asked: say --yes to go on, or set a wall with --max-cost"
        in done.stderr
    )


def test_yes_goes_on_as_far_as_the_wall() -> None:
    words = (*DUEL, "--games", "40", "--output", "run", "--max-tokens", "200", "--max-cost", "0.05")
    assert orchestrator(*words).exit_code == 2 and made() == []
    done = orchestrator(*words, "--yes")
    assert done.exit_code == 1 and "the budget is reached" in done.stderr
    assert "--max-cost 0.05 probably pays for" in done.stderr


def test_a_model_without_a_price_needs_one_where_a_wall_is_to_hold() -> None:
    stranger = ("duel", "--player1", "sim:random", "--player2", "openai:gpt-99")
    done = orchestrator(*stranger, "--max-cost", "1", "--unpriced")
    assert done.exit_code == 2 and "nobody knows what gpt-99 costs, so no --max-cost can hold" in done.stderr
    done = orchestrator(*stranger, "--max-cost", "1")
    assert done.exit_code == 2 and "give one with --price in,out" in done.stderr and made() == []


# ── the wall during ──────────────────────────────────────────────────────────────────────────────


def test_a_wall_ends_the_run_and_a_higher_one_goes_on() -> None:
    words = (*DUEL, "--games", "12", "--output", "run", "--max-tokens", "200", "--concurrency", "2")
    done = orchestrator(*words, "--max-cost", "0.03", "--yes")
    assert done.exit_code == 1 and 0 < spent() <= 0.03e12
    assert (
        "raise the wall and go on with: orchestrator duel --output run --resume --max-cost USD" in done.stderr
    )
    lines = [line for line in done.stdout.splitlines() if line.endswith("reserved")]
    assert lines and all(re.fullmatch(r"\$\S+ of \$0.0300 spent, \S+ reserved", line) for line in lines)
    before = {row[0] for row in rows(Path("run"))["call"]}
    again = orchestrator(*RESUME, "--max-cost", "5")
    assert again.exit_code == 0, again.stderr
    assert before < {row[0] for row in rows(Path("run"))["call"]}, "what was answered was not asked again"
    assert run_result(Path("run")).finished == 12


def test_a_players_wall_holds_that_player_and_is_named_in_the_way_on() -> None:
    two = ("duel", "--player1", PRICED, "--player2", "sim:greedy?price=3,15", *QUICK, "--max-tokens", "200")
    done = orchestrator(*two, "--games", "12", "--output", "run", "--max-cost", "5", "--max-cost", "2=0.02")
    assert done.exit_code == 1 and "the budget of sim:greedy is reached" in done.stderr
    assert done.stderr.rstrip().endswith("--resume --max-cost USD --max-cost 2=USD")
    _, second = run_result(Path("run")).standings
    assert second.cost_pico <= 0.02e12
    assert orchestrator(*RESUME, "--max-cost", "5", "--max-cost", "2=4").exit_code == 0


def test_a_wall_is_for_a_player_by_any_name_that_people_use(service: stand_in.Server) -> None:
    pair = ("duel", "claude", "vs", "gpt", *QUICK, "--games", "2", "--dry-run")
    assert orchestrator(*pair, "--max-cost", "claude=1", "--max-cost", "gpt-6.1-sol=1").exit_code == 0
    wrong = orchestrator(*pair, "--max-cost", "gemini=1")
    assert wrong.exit_code == 2 and "there are claude-sonnet-5-5, gpt-6.1-sol, or" in wrong.stderr
    for twice in (("5", "7"), ("claude=1", "claude-sonnet-5-5=2")):
        told = orchestrator(*pair, *(word for wall in twice for word in ("--max-cost", wall)))
        assert told.exit_code == 2 and "is given twice" in told.stderr


def test_a_wall_by_an_alias_shows_in_the_status(service: stand_in.Server) -> None:
    orchestrator(
        "duel",
        "claude",
        "vs",
        "bot:random",
        *QUICK,
        "--games",
        "2",
        "--max-cost",
        "claude=1",
        "--output",
        "run",
    )
    told = json.loads(orchestrator("status", "run", "--json").stdout)
    assert told["players"][0]["budget_usd"] == 1


def test_a_limit_is_of_somebody_who_plays_and_takes_its_time(service: stand_in.Server) -> None:
    pair = ("duel", "claude", "vs", "gpt", *QUICK, "--games", "10", "--dry-run", "--display", "json")
    wrong = orchestrator(*pair, "--limit", "nobody:rpm=5")
    assert wrong.exit_code == 2 and "'nobody'; there are claude-sonnet-5-5, gpt-6.1-sol" in wrong.stderr
    twice = orchestrator(*pair, "--limit", "rpm=5", "--limit", "calls=5")
    assert twice.exit_code == 2 and "everybody is limited twice" in twice.stderr
    waves = orchestrator(*pair, "--batch", "--limit", "rpm=5")
    assert waves.exit_code == 2 and "all are asked in batches" in waves.stderr
    hours = [
        json.loads(orchestrator(*pair, *limit).stdout)["hours"][1]
        for limit in ((), ("--limit", "claude:rpm=1"))
    ]
    assert hours[1] > 5 * hours[0]


def test_a_refused_order_to_go_on_changes_nothing() -> None:
    orchestrator(*DUEL, "--games", "2", "--output", "run", "--max-cost", "0.2")

    def kept() -> tuple[str, object]:
        told = json.loads(orchestrator("status", "run", "--json").stdout)
        return Path("run/run.toml").read_text(), told["request"]

    before = kept()
    for given, says in (
        (("--max-cost", "nobody=3"), "no player is called 'nobody'"),
        (("--max-cost", "-3"), "expected dollars"),
        (("--limit", "nobody:rpm=5"), "no model is called 'nobody'"),
        (("--limit", "rpm=x"), "expected a whole number"),
    ):
        refused = orchestrator(*RESUME, *given)
        assert refused.exit_code == 2 and says in refused.stderr
        assert kept() == before
    assert orchestrator(*RESUME, "--max-cost", "9", "--dry-run").exit_code == 0
    assert kept() == before, "a dry run only says what it would cost"
    assert orchestrator(*RESUME).exit_code == 0


@pytest.mark.parametrize("option", ["--output", "--cassette", "--log-file"])
def test_a_place_that_cannot_be_written_is_told_before_anything_is_paid(option: str) -> None:
    Path("file").touch()
    places = {"--output": "run", option: "file/place"}
    refused = orchestrator(*DUEL, "--games", "2", *(word for given in places.items() for word in given))
    assert refused.exit_code == 2 and made() == ["file"]
    assert (
        refused.stderr.rstrip().endswith("; give a place that can be written")
        and "error: file" in refused.stderr
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('max_cost = "12"', "expected a list of texts"),
        ("max_cost = [12]", "expected a list of texts"),
        ("max_cost = 12", "expected a list of texts"),
        ('max_voids = "some"', "expected a share from 0 to 1"),
        ("preflight = 1", "expected true or false"),
        ("cassette = 3", "expected a folder"),
        ("concurrency = true", "expected a whole number"),
    ],
)
def test_what_is_edited_wrongly_is_refused_in_its_words(line: str, says: str) -> None:
    orchestrator(*DUEL, "--games", "2", "--output", "run")
    file, name = Path("run/run.toml"), line.partition(" ")[0]
    text = file.read_text()
    file.write_text(re.sub(rf"(?m)^(# )?{name} .*$", line, text, count=1))
    refused = orchestrator(*RESUME)
    assert refused.exit_code == 2 and f"run.toml: {name} is" in refused.stderr and says in refused.stderr


def test_a_decision_of_the_stand_in_is_no_decision_of_the_model(service: stand_in.Server) -> None:
    for model in ("google:gemini-decision-1", "openai:gpt-6-luna"):
        done = orchestrator(
            "duel", model, "vs", "bot:random", *QUICK, "--games", "2", "--mode", "decision", "--unpriced"
        )
        assert "STAND-IN: " in done.stdout


@pytest.mark.parametrize(
    ("wall", "said"),
    [
        ("0.0001", "no call of sim:random fits under --max-cost 0.0001: one may cost $0.06"),
        ("1=0.05", "no call of sim:random fits under --max-cost sim:random=0.05: one may cost $0.06"),
    ],
)
def test_a_wall_that_no_call_fits_under_is_said_before_anything_begins(wall: str, said: str) -> None:
    done = orchestrator(*DUEL, "--games", "2", "--output", "run", "--max-cost", wall, "--yes")
    assert done.exit_code == 2 and said in done.stderr and made() == []
    assert done.stderr.rstrip().endswith("raise it or lower --max-tokens")


# ── a pilot ──────────────────────────────────────────────────────────────────────────────────────


def test_a_pilot_is_the_beginning_of_the_run_and_what_it_teaches_is_used() -> None:
    done = orchestrator(*DUEL, "--games", "10", "--pilot", "4", "--output", "run")
    assert done.exit_code == 0, done.stderr
    first, rest = done.stderr.split("The pilot of 4 matches cost $")
    assert "no history: guessed, 300 tokens to an answer" in first
    assert "Estimate for 6 matches:" in rest and re.search(r"from \d+ decisions of this run", rest)
    assert "the first 4 of 10 matches" in done.stdout and "[1/4] " in done.stdout and "[5/10] " in done.stdout
    assert "4 matches played earlier" in done.stdout
    played = Counter((row[1], row[2]) for row in matches("run"))
    assert len(played) == 10 and set(played.values()) == {1}


def matches(run: str) -> list[tuple[str, int, int]]:
    return [(match.id, match.pair, match.swap) for match in run_result(Path(run)).matches]


# ── wrong words ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--limit", "bananas"), "unreadable limit 'bananas'"),
        (("--limit", "rpm=many"), "expected a whole number of at least 1"),
        (("--limit", "nobody:rpm=5"), "no model is called 'nobody'; there are claude-sonnet-5-5"),
        (("--batch", "--tier", "flex"), "--batch is a tier of its own: leave --tier flex out"),
        (("--tier", "flex"), "has no tier 'flex': it has standard, batch"),
        (("--mode", "decision"), "makes no native decisions: leave mode=decision out"),
        (("--max-cost", "much"), "expected dollars, such as 5 or 0.50"),
        (("--max-voids", "3"), "0<=x<=1"),
        (("--pilot", "0"), "x>=1"),
    ],
)
@pytest.mark.parametrize("command", ["duel", "generate"])
def test_wrong_words_are_refused_before_anything_is_made(
    service: stand_in.Server, command: str, given: tuple[str, ...], says: str
) -> None:
    who = ("claude", "vs", "bot:greedy") if command == "duel" else ("--player", "claude")
    done = orchestrator(command, *who, *given, "--output", "run")
    assert done.exit_code == 2 and says in done.stderr, done.stderr
    assert made() == [] and service.counts["requests"] == 0


def test_a_service_without_batches_is_not_asked_for_them() -> None:
    done = orchestrator("duel", "local:some", "vs", "bot:greedy", "--price", "1,2", "--batch")
    assert done.exit_code == 2 and "local:some has no tier 'batch': it has standard" in done.stderr


# ── trouble ──────────────────────────────────────────────────────────────────────────────────────


def test_a_preflight_with_a_wrong_key_stops_before_a_match(
    service: stand_in.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another-key")
    done = orchestrator(
        "duel", "claude", "vs", "bot:greedy", *QUICK, "--games", "4", "--preflight", "--output", "run"
    )
    assert done.exit_code == 1 and "claude-sonnet-5-5: auth" in done.stderr
    assert "when that is mended, go on with: orchestrator duel --output run --resume" in done.stderr
    assert service.counts["requests"] == 1 and rows(Path("run"))["match"] == []
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key")
    assert orchestrator(*RESUME).exit_code == 0
    assert "another-key" not in Path("run/record.db").read_bytes().decode("latin-1")


def test_a_run_of_which_too_much_is_void_stops_itself() -> None:
    sick = ("duel", "--player1", "sim:random?500=1&price=3,15", "--player2", "bot:greedy", *QUICK)
    done = orchestrator(*sick, "--games", "60", "--attempts", "1", "--max-voids", "0.5", "--output", "run")
    assert done.exit_code == 1 and re.search(
        r"stopped: 10 of 10 matches were void, the last because", done.stderr
    )


def test_what_is_on_a_cassette_is_not_asked_again(service: stand_in.Server) -> None:
    words = ("duel", "claude", "vs", "gpt", *QUICK, "--games", "4", "--cassette", "tape")
    assert orchestrator(*words, "--output", "first").exit_code == 0
    calls = service.counts["requests"]
    done = orchestrator(*words, "--output", "second")
    assert done.exit_code == 0 and service.counts["requests"] == calls > 0
    assert f"{calls} calls were on the tape: nothing was paid for them now" in done.stdout
    assert rows(Path("first"), calls=False) == rows(Path("second"), calls=False)


# ── in batches ───────────────────────────────────────────────────────────────────────────────────


def test_waves_are_told_and_a_killed_run_is_resumed_while_it_is_watched(
    service: stand_in.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = partial(batch.Pace, first_s=0.01, longest_s=0.02, settles_s=0.05)
    monkeypatch.setattr(batch, "Pace", hasty)
    pair = ("duel", "claude", "vs", "gpt", *QUICK, "--games", "4", "--output", "run", "--batch")
    with monkeypatch.context() as killed:
        killed.setattr(batch.Courier, "bring", _die)
        died = orchestrator(*pair)
    assert died.exit_code == 1 and re.search(r"wave 1, 2 calls, left open after", died.stdout)
    assert re.search(r"2 waves of 4 calls in all left open", died.stdout), died.stdout
    done = orchestrator(*RESUME)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert re.match(r"claude-sonnet-5-5: wave 1, 2 calls, back after ", lines[0])
    assert any(re.match(r"gpt-6.1-sol: wave 2, 2 calls handed in", line) for line in lines)
    assert "time to a move" not in done.stdout, "the time of a call in a batch says nothing"
    assert "4 at once" in done.stdout


async def _die(*_: object) -> None:
    raise Halt("the service is gone")


# ── all at once ──────────────────────────────────────────────────────────────────────────────────


def test_generate_with_all_of_them(service: stand_in.Server) -> None:
    done = orchestrator(
        "generate", "--provider", "anthropic", "--model", "claude-haiku-5-5", "--opponent", "bot:greedy,self",
        *QUICK, "--games", "8", "--pilot", "4", "--max-cost", "1", "--max-cost", "1=0.5", "--max-tokens", "300",
        "--limit", "claude-haiku-5-5:calls=4", "--max-voids", "0.5", "--cassette", "tape", "--preflight", "--yes",
        "--output", "run",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "Estimate for 8 matches:" in done.stderr and "The pilot of 4 matches cost $" in done.stderr
    assert "claude-haiku-5-5 #" not in done.stderr, "a model that plays itself is one to whoever pays"
    for column in ("games", "W/D/L %", "legal", "$/game", "plies", "decisions"):
        assert column in done.stdout
    assert run_result(Path("run")).finished == 8
    resumed = orchestrator("generate", "--output", "run", "--resume")
    assert resumed.exit_code == 0 and "Estimate" not in resumed.stderr


def test_a_record_that_cannot_be_written_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    orchestrator(*DUEL, "--games", "2", "--output", "run")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "record.db")  # root may write all
    refused = orchestrator(*RESUME)
    assert refused.exit_code == 2 and "record.db cannot be written" in refused.stderr


def test_nobody_need_have_an_output_open() -> None:
    """As in a shell with `>&-`: nothing is said, and the run is played."""
    command = (
        f"exec {sys.executable} -m orchestrator {shlex.join(DUEL)} --games 2 --yes --output run >&- 2>&-"
    )
    assert subprocess.run(["sh", "-c", command], check=False).returncode == 0
    assert len(run_result(Path("run")).matches) == 2
