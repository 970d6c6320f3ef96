"""`games`, `players` and `prices`."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest
from click.testing import CliRunner, Result

import engine
from engine import Game
from orchestrator.cli import games, main
from providers.prices import PriceBook

KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")


def run(*arguments: str, **environment: str) -> Result:
    done = CliRunner(env={"COLUMNS": "100", **dict.fromkeys(KEYS, ""), **environment}).invoke(main, arguments)
    assert done.exit_code == 0, done.output
    return done


def told(*arguments: str, **environment: str) -> Any:
    return json.loads(run(*arguments, "--json", **environment).stdout)


def test_games_lists_every_game_with_its_facts() -> None:
    found = {game["name"]: game for game in told("games")}
    assert sorted(found) == engine.games()
    for name, facts in found.items():
        game = engine.new(name)
        assert facts["players"] == game.num_players() and facts["actions"] == game.num_actions()
        assert facts["seats"][0] <= facts["players"] <= facts["seats"][1]
        assert facts["compiled"] == engine.is_compiled()
        assert facts["rules"] == game.rules_text()
    out = run("games").stdout
    assert all(name in out for name in engine.games()) and "perfect" in out
    assert found["blob"]["seats"] == [3, 8] and found["othello"]["seats"] == [2, 2]
    assert re.search(r"^blob +3-8 ", out, re.MULTILINE) and re.search(r"^othello +2 ", out, re.MULTILINE)


def test_games_of_another_platform_are_pointed_at_and_listed_when_asked_for() -> None:
    from engine.bridges import openspiel

    line = next(line for line in run("games").stdout.splitlines() if line.startswith("openspiel:NAME"))
    if openspiel.missing():
        assert openspiel.INSTALL in line
        return
    assert "orchestrator games openspiel" in line
    found = {game["name"]: game for game in told("games", "openspiel")}
    assert found["openspiel:chess"]["players"] == [2, 2] and found["openspiel:kuhn_poker"]["chance"]
    assert "openspiel:backgammon" in run("games", "openspiel").stdout


def test_a_platform_that_is_missing_or_unknown_is_wrong_use(monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(main, ["games", "gym"])
    assert done.exit_code == 2 and "no bridge 'gym'; there are openspiel" in done.stderr
    monkeypatch.setitem(sys.modules, "pyspiel", None)
    done = CliRunner().invoke(main, ["games", "openspiel"])
    assert done.exit_code == 2 and "pip install 'duelist[openspiel]'" in done.stderr


def test_a_game_that_does_not_load_is_named_and_the_others_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    new = engine.new

    def broken(name: str, *seed: int) -> Game:
        if name == "broken":
            raise ValueError("the game 'broken' does not load: \x1b[31mred")
        return new(name, *seed)

    monkeypatch.setattr(engine, "games", lambda: ["broken", "tictactoe"])
    monkeypatch.setattr(engine, "new", broken)
    done = run("games")
    assert "tictactoe" in done.stdout and "broken" not in done.stdout
    assert "left out: the game 'broken' does not load: ␛[31mred" in done.stderr


def test_a_game_from_outside_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Outside(Game):
        """Nothing to play."""

        def name(self) -> str:
            return "outside"

        def num_actions(self) -> int:
            return 1

    monkeypatch.setattr(engine, "new", lambda name: Outside())
    facts = games.describe("outside")
    assert facts["source"] == __name__ and not facts["compiled"]


def test_players_says_who_could_be_asked_now_and_never_a_key() -> None:
    kinds = {kind["kind"]: kind for kind in told("players", OPENAI_API_KEY="sk-very-secret")["kinds"]}
    assert kinds["openai"]["ready"] == "yes"
    assert kinds["anthropic"]["ready"] == "no key"
    assert kinds["bot"]["ready"] == kinds["human"]["ready"] == kinds["sim"]["ready"] == "yes"
    assert "very-secret" not in run("players", OPENAI_API_KEY="sk-very-secret").stdout


def test_a_stand_in_on_this_machine_needs_no_key() -> None:
    found = told("players", ANTHROPIC_BASE_URL="http://127.0.0.1:8800")
    assert next(kind for kind in found["kinds"] if kind["kind"] == "anthropic")["ready"] == "yes"


@pytest.mark.parametrize("command", ["players", "doctor"])
def test_an_address_that_is_none_is_named_and_the_rest_is_shown(command: str) -> None:
    out = run(command, OPENAI_BASE_URL="foo").stdout
    assert "openai: the base URL must begin with http" in out and "got 'foo'" in out
    kinds = {kind["kind"]: kind["ready"] for kind in told("players", OPENAI_BASE_URL="foo")["kinds"]}
    assert kinds["openai"] == "no" and kinds["sim"] == kinds["bot"] == "yes"


def test_players_names_every_alias_bot_and_style() -> None:
    found = told("players")
    assert found["aliases"] == dict(PriceBook.load().aliases)
    assert found["bots"] == engine.bots() and "default" in found["styles"]
    out = run("players").stdout
    assert all(name in out for name in (*found["aliases"], *found["bots"], *found["styles"], "effort"))


def test_every_example_is_a_spec_that_can_be_read() -> None:
    from orchestrator.table import Spec

    book = PriceBook.load()
    for kind in told("players")["kinds"]:
        assert Spec.parse(kind["example"], book).kind == kind["kind"]


def test_prices_are_dollars_per_million_tokens_dated_and_with_their_source() -> None:
    book = PriceBook.load()
    rows = told("prices")
    assert len(rows) == sum(len(models) for models in book.models.values())
    for row in rows:
        price = book.price(row["provider"], row["model"])
        assert price is not None
        assert row["input"] * 1e6 == pytest.approx(price.input) and row["output"] * 1e6 == price.output
        assert row["dated"] and row["source"]
    out = run("prices").stdout
    assert f"as of {book.dated}" in out and book.sources["anthropic"] in out


def test_prices_by_pattern_and_alias() -> None:
    assert {row["provider"] for row in told("prices", "claude")} == {"anthropic"}
    assert len(told("prices", "claude")) > 1
    assert [f"{row['provider']}:{row['model']}" for row in told("prices", "astra")] == ["openai:gpt-6-astra"]
    assert all(row["model"].startswith("gemini") for row in told("prices", "google:*"))
    aliased = PriceBook.load().aliases["gemini"]
    assert aliased in {f"{row['provider']}:{row['model']}" for row in told("prices", "gemini")}


def test_a_model_without_a_price_is_not_a_guess() -> None:
    done = CliRunner().invoke(main, ["prices", "no-such-model"])
    assert done.exit_code == 2 and "--price IN,OUT" in done.stderr
