"""An estimate on the screen, for programs, and the question before much is spent."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import click
import pytest

from orchestrator.cli import estimate as face
from orchestrator.cli import text
from orchestrator.estimate import Estimate, Lot, estimate
from tests.orchestrator.test_estimate import seats


def of(*specs: str, matches: int = 50, label: str = "") -> Estimate:
    players = seats(*specs)
    if label:
        players[0] = replace(players[0], label=label)
    return estimate(players, [Lot("connect4", {}, (0, 1), matches)], seed=1)


def shown(found: Estimate, width: int = 110) -> str:
    stream = io.StringIO()
    face.show(found, text.console(stream, width=width))
    return stream.getvalue()


def test_every_player_and_the_sum_stand_with_a_range() -> None:
    found = of("claude", "gpt")
    lines = shown(found).splitlines()
    assert lines[0] == "Estimate for 50 matches:"
    assert found.total.pico is not None
    low, expected, high = (text.money(round(pico)) for pico in found.total.pico)
    (total,) = (line for line in lines if line.startswith("total"))
    assert total.split()[1:5] == [expected, low, "–", high]
    assert "  gpt-6.1-sol: no history: guessed from effort=low" in lines
    assert any(line.startswith("Time: about ") for line in lines)
    assert any(line.startswith("Ceiling: $") for line in lines)
    assert "Spent" not in shown(found) and "Spent so far" in shown(replace(found, spent_pico=text.PICO))


@pytest.mark.parametrize("width", [40, 60, 110])
def test_the_table_keeps_to_the_width(width: int) -> None:
    table = [
        line
        for line in shown(of("claude", "gpt"), width).splitlines()
        if "$" in line and "Ceiling" not in line
    ]
    assert table and all(len(line) <= width for line in table)


def test_an_unknown_price_is_never_nothing() -> None:
    both, alone = shown(of("openai:gpt-99-nova", "claude")), shown(of("openai:gpt-99-nova", "sim:greedy"))
    assert "unpriced" in both and "≥ $" in both
    assert "Plus what gpt-99-nova costs, which is not known." in both
    assert "unpriced" in alone and "$0" not in alone and "Ceiling" not in alone


def test_nothing_is_said_or_asked_about_players_that_are_free() -> None:
    found = of("sim:greedy", "bot:random", matches=10**6)
    assert shown(found) == ""
    assert face.confirm(found, None, False) and face.confirm(found, 0, False)
    assert "sim" not in shown(of("claude", "sim:greedy"))
    over = replace(of("claude", "bot:random", matches=0), spent_pico=text.PICO)
    assert shown(over) == "" and face.confirm(over, 0, False)


def test_what_others_wrote_is_cleaned() -> None:
    found = of("claude", "gpt", label="nice\x1b]0;name\x07")
    assert "\x1b" not in shown(found) and "␛" in shown(found)


def test_json_says_the_same() -> None:
    found = json.loads(json.dumps(face.as_json(of("openai:gpt-99-nova", "claude")), allow_nan=False))
    nova, claude = found["players"]
    assert nova["cost_usd"] is None and nova["ceiling_usd"] is None and found["unpriced"] == ["gpt-99-nova"]
    assert found["total"]["cost_usd"] == claude["cost_usd"] and len(claude["cost_usd"]) == 3
    low, expected, high = claude["input_tokens"]
    assert 0 < low < expected < high and len(found["hours"]) == 3


def batched(matches: int = 50) -> Estimate:
    players = [
        replace(each, parameters={**each.parameters, "tier": "batch"}) for each in seats("claude", "gpt")
    ]
    return estimate(players, [Lot("connect4", {}, (0, 1), matches)], seed=1, wave_s=(30.0, 60.0, 7200.0))


def test_batches_take_as_long_as_their_waves() -> None:
    found = batched()
    assert found.waves is not None and found.waves.batches == 2 * found.waves.waves
    assert found.hours.expected == found.waves.waves / 60
    (time,) = (line for line in shown(found, 200).splitlines() if line.startswith("Time: "))
    assert time.endswith(
        f"some {found.waves.waves} waves one after the other, of 30 s – 120 min each.".replace(
            "120 min", "2 h"
        )
    )
    assert face.as_json(found)["waves"] == found.waves.waves


def test_a_wall_below_what_is_expected_is_told_how_far_it_reaches() -> None:
    def said(found: Estimate, dollars: float) -> str:
        stream = io.StringIO()
        face.show(found, text.console(stream, width=200), round(dollars * text.PICO))
        return "".join(line for line in stream.getvalue().splitlines() if line.startswith("--max-cost"))

    found = of("claude", "bot:random", matches=100)
    assert found.total.pico is not None
    expected = found.total.pico.expected / text.PICO
    assert said(found, 2 * expected) == ""
    half = said(found, expected / 2)
    assert (
        "probably pays for about 46 of the 100 matches, and for a part of 8 more" in half
        or "about 45 of" in half
    )
    assert "pays for no whole match, and for a part of 8 more" in said(found, expected / 100)
    assert "no whole match" in said(replace(found, spent_pico=round(expected * text.PICO)), expected)
    money = batched().total.pico
    assert money is not None
    assert "pays for 50 % of that: as all matches are played at once" in said(
        batched(), money.expected / 2 / text.PICO
    )


def test_a_model_that_plays_itself_is_one_to_whoever_pays() -> None:
    players = [replace(each, label=f"claude #{n}") for n, each in enumerate(seats("claude", "claude"), 1)]
    out = shown(estimate(players, [Lot("connect4", {}, (0, 1), 10)], seed=1))
    assert "#" not in out and "total" not in out and out.count("\nclaude ") == 1


def test_a_wall_under_the_least_call_is_refused() -> None:
    found = of("bot:random", "claude")
    (claude,) = found.players
    assert claude.number == 2 and claude.least_pico > 0
    face.fits(found, {0: claude.least_pico, 2: claude.least_pico, 1: 1})
    for whose, given in ((0, "0.001:"), (2, "claude-sonnet-5-5=0.001:")):
        with pytest.raises(ValueError, match=f"fits under --max-cost {given} one may cost"):
            face.fits(found, {whose: text.PICO // 1000})


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Somebody at the terminal; what they are asked. They say yes."""
    asked: list[str] = []

    def answer(question: str, **_: object) -> bool:
        asked.append(question)
        return True

    monkeypatch.setattr(face, "_somebody_there", lambda: True)
    monkeypatch.setattr(click, "confirm", answer)
    return asked


@pytest.mark.parametrize(
    ("matches", "max_cost", "yes", "asked"),
    [
        (10, None, False, False),  # less than goes without saying
        (500, None, False, True),
        (500, None, True, False),
        (500, 10**6, False, False),  # far below the wall
        (10, 0.01, False, True),
        (10, 0.01, True, False),
    ],
)
def test_who_is_asked(
    terminal: list[str], matches: int, max_cost: float | None, yes: bool, asked: bool
) -> None:
    wall = None if max_cost is None else round(max_cost * text.PICO)
    assert face.confirm(of("claude", "bot:random", matches=matches), wall, yes)
    assert bool(terminal) is asked


def test_what_was_spent_before_counts_towards_the_wall(terminal: list[str]) -> None:
    found = of("claude", "bot:random", matches=10)
    assert found.total.pico is not None
    wall = round(found.total.pico.high) + 1
    assert face.confirm(found, wall, False) and not terminal
    assert face.confirm(replace(found, spent_pico=2), wall, False)
    assert "$" in terminal[0] and "--max-cost stops it" in terminal[0]


def test_with_nobody_to_ask_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(ValueError, match="--yes to go on, or set a wall with --max-cost"):
        face.confirm(of("claude", "gpt", matches=500), None, False)
    with pytest.raises(ValueError, match="raise --max-cost"):
        face.confirm(of("claude", "gpt", matches=500), text.PICO, False)
    with pytest.raises(ValueError, match="without what gpt-99-nova costs"):
        face.confirm(of("openai:gpt-99-nova", "claude", matches=500), None, False)
