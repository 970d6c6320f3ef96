"""The parts of `make proof` that need no torch: what the model reads, and how it is judged."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import engine
import prompts
from orchestrator.cli import main

PROOF = Path(__file__).parents[1] / "examples" / "proof"


@pytest.fixture(autouse=True)
def there(monkeypatch) -> None:
    """Its files are programs beside each other, and no package."""
    monkeypatch.setattr(sys, "path", [str(PROOF), *sys.path])


def question(view, style="terse", track="open") -> list[dict[str, str]]:
    asked = prompts.render(view, style, track)
    return [{"role": "system", "content": asked.system}, {"role": "user", "content": asked.user}]


@pytest.mark.parametrize("style", prompts.styles())
def test_the_template_keeps_what_matters_of_every_question(style) -> None:
    from template import template

    for seed in range(20):
        game = engine.new("tictactoe", seed)
        rng = engine.Rng(seed)
        while not game.is_terminal():
            view = game.view(game.current_player())
            mark, cells, numbers = template(question(view, style)).removesuffix(">").split()
            assert mark == view.facts["mark"]
            assert [int(number) for number in numbers] == game.legal_actions()
            assert cells == "".join(c for line in view.board.splitlines()[1:] for c in line[1:] if c in "XO.")
            game.apply(game.random_action(rng))


def test_asked_again_it_still_sees_the_position() -> None:
    from template import template

    asked = question(engine.new("tictactoe", 1).view(0))
    again = [
        *asked,
        {"role": "assistant", "content": "a1"},
        {"role": "user", "content": "That is no JSON object."},
    ]
    assert template(again) == template(asked) == "X ......... 012345678>"


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "user", "content": "Hello!"}],
        question(engine.new("connect4", 1).view(0)),
        question(engine.new("othello", 1).view(0)),
        question(engine.new("tictactoe", 1).view(0), track="rules"),
    ],
)
def test_what_the_model_does_not_know_is_refused(messages) -> None:
    from template import template

    with pytest.raises(ValueError, match="expected a question about TicTacToe"):
        template(messages)


def test_the_rows_of_an_export_are_read(tmp_path, monkeypatch) -> None:
    from template import conversation

    monkeypatch.chdir(tmp_path)
    for words in (
        "selfplay perfect vs random --game tictactoe --games 20 --seed 1 --output run --jobs 1",
        "grade run --jobs 1",
        "export sft run --target trl --split position --to rows --jobs 1",
    ):
        done = CliRunner().invoke(main, words.split())
        assert done.exit_code == 0, done.output
    read = [conversation(json.loads(line)) for line in Path("rows", "train.jsonl").read_text().splitlines()]
    assert len(read) > 20
    for prompt, completion in read:
        assert len(prompt) + len(completion) < 40
        assert str(json.loads(completion)["action"]) in prompt.split()[2]


def test_results_against_chance_are_exact() -> None:
    """0.712 and 0.415 by an independent program (perfect play and chance are known quantities of TicTacToe)."""
    from evaluate import against_chance, chance

    first, second = against_chance(chance, 0), against_chance(chance, 1)
    assert (round(first.unbeaten, 3), round(second.unbeaten, 3)) == (0.712, 0.415)
    for one, other in ((first.won, second.lost), (first.drawn, second.drawn), (first.lost, second.won)):
        assert one == pytest.approx(other)
    assert first.illegal == 0 and sum(first[:3]) == pytest.approx(1)


def test_who_plays_perfectly_is_never_beaten_and_who_answers_nonsense_always() -> None:
    from evaluate import Result, against_chance

    bot = engine.new_bot("perfect")

    def perfect(view):
        return [bot.choose(view.sample(engine.Rng(1)), engine.Rng(1))]

    for seat in (0, 1):
        best = against_chance(perfect, seat)
        assert best.unbeaten == pytest.approx(1) and best.won > 0.8
        assert against_chance(lambda view: [], seat) == Result(0.0, 0.0, 1.0, 1.0)


def test_what_falls_short_is_said_and_ends_with_an_error() -> None:
    from prove import judged

    good = {
        "rows": 4866, "parameters": 260736, "epochs": 30, "cpu_s": 110.0, "held_out_legal": 1.0,
        "held_out_positions": 330, "legal": 1.0, "asked": 469, "unbeaten_first": 0.95, "unbeaten_second": 0.9,
        "unbeaten": 0.925, "unbeaten_by_chance": 0.5635, "duel_score": 0.84, "duel_forfeits": 0,
    }  # fmt: skip
    assert judged(good) == 0
    said = judged({**good, "unbeaten": 0.7, "cpu_s": 601.0})
    assert said == (
        "not proven: unbeaten is 0.700: expected 0.75 or more; training took 601.0 CPU seconds: expected 600 or less"
    )
