"""The shipped prompts keep their contract, and every planted bug is found by the check meant for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import prompts
from engine import View
from prompts import Templates
from tests.prompts.quality import faults, matches

SHIPPED = Path(prompts.__file__).parent


@pytest.fixture(scope="module")
def games() -> dict[str, list[View]]:
    return matches()


def test_shipped_templates_have_no_faults(games: dict[str, list[View]]) -> None:
    assert faults(Templates(SHIPPED), games) == []


# file, what stands there, what a careless edit makes of it, what must be said about it
PLANTED = [
    ("base.j2", "{{ view.board }}\n{% else", "{{ veiw.board }}\n{% else", "undefined"),
    ("base.j2", "(seat {{ view.seat + 1 }} of", "(seat 1 of", "seat-blind"),
    ("base.j2", "view.facts.mark if", '"X" if', "seat-blind"),
    ("base.j2", "It is your", "It is {{ 'O' if view.seat else 'X' }}'s and your", "asked differently"),
    ("base.j2", '{% if track == "open" %}\n{% if own', "{% if true %}\n{% if own", "rules track"),
    ("base.j2", "It is your move.", "It is your move, legal: {{ view.legal[0].text }}.", "rules track"),
    (
        "base.j2",
        "{{ number }}: {{ text }}",
        "{{ loop.index }}: {{ text }}",
        "not listed as they are",
    ),
    ("base.j2", "{{ rules }}", "{{ rules }} The centre is strong.", "advice"),
    ("games/connect4.j2", "X and O are discs", "Try to block O; X and O are discs", "advice"),
    ("base.j2", "{{ moves }}", "{{ moves.split()[::2] | join(' ') }}", "not the whole history"),
    ("base.j2", "Moves so far: {{ moves }}\n", "", "not the whole history"),
    (
        "base.j2",
        "{{ view.board }}\n{% else",
        "{{ view.facts.rows | default(1) }}\n{% else",
        "board is missing",
    ),
    ("base.j2", "one of {{ num_players }} players", "one of two players", "hard-coded"),
    ("base.j2", "{{ notes }}", "{{ notes | upper }}", "notes are not shown"),
    ("base.j2", '"action": <number>', '"action": 3', "reads as an answer"),
    ("base.j2", "Game: {{ game }}", "Game: {{ game | title }}", "no line that names the game"),
    ("base.j2", "Variant: {%", "Variants: {%", "variant is not named"),
    ("base.j2", "\nRules\n", "\nRules ({{ range(10**9) | random }})\n", "system changes"),
    ("base.j2", "You are {{", "{{ view.board }}\n{{ view.board }}\nYou are {{", "too little stays the same"),
    ("styles/default.j2", '"rationale": "one or two', '"reasoning": "one or two', "providers refuse"),
    ("styles/default.j2", "on why you choose", "on why it is the best", "advice"),
]


@pytest.mark.parametrize(("file", "was", "now", "said"), PLANTED, ids=lambda value: str(value)[:40])
def test_planted_bug_is_found(
    tmp_path: Path, games: dict[str, list[View]], file: str, was: str, now: str, said: str
) -> None:
    folder = tmp_path / "prompts"
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    source = (folder / file).read_text()
    assert source.count(was) == 1, f"the planted bug no longer fits {file}"
    (folder / file).write_text(source.replace(was, now))
    openings = {name: views[:6] for name, views in games.items()}
    found = faults(Templates(folder), openings)
    assert any(said in fault for fault in found), found[:5]
