"""Every prompt as a model sees it, kept as a file, so that a changed word shows in review.

After a change that is meant: `python -m tests.prompts.test_golden` writes the files anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prompts import render, styles
from prompts.question import FORMS
from tests.prompts.positions import played
from tests.prompts.quality import TRACKS

GOLDEN = Path(__file__).parent / "golden"
MOVES = {
    "blob": "6 6 0 4 7 JC 6C 9C QC 6S JS QS 9S TS KS 9D 5D 8D",
    "connect4": "4 4 3 5",
    "othello": "d3 c5 f6",
    "tictactoe": "b2 a1 c3",
}
CASES = [
    *((game, style, track) for game in MOVES for style in styles() for track in TRACKS),
    *((game, "default", "decision") for game in MOVES),  # the form, on the track where it is
    *((game, "default", "forecast") for game in ("blob", "connect4")),
]


def written(game: str, style: str, track: str) -> str:
    asked = ("open", "", track) if track in FORMS else (track, "", "json")
    question = render(played(game, MOVES[game]), style, *asked)  # type: ignore[arg-type]
    schema = json.dumps(question.schema)
    return f"--- system\n{question.system}\n--- user\n{question.user}\n--- schema\n{schema}\n"


@pytest.mark.parametrize(("game", "style", "track"), CASES)
def test_prompt_is_as_kept(game: str, style: str, track: str) -> None:
    kept = (GOLDEN / f"{game}-{style}-{track}.txt").read_text()
    assert written(game, style, track) == kept, "meant? then: python -m tests.prompts.test_golden"


def test_nothing_else_is_kept() -> None:
    assert {path.stem for path in GOLDEN.glob("*")} == {"-".join(case) for case in CASES}


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for case in CASES:
        (GOLDEN / f"{'-'.join(case)}.txt").write_text(written(*case))
