"""Games and bots are found by name, also those of strangers."""

from __future__ import annotations

from pathlib import Path

import pytest

import engine
from engine import IllegalAction
from tests.engine.plain_games import Dice, Nim, Race

STRANGERS = """[duelist.games]
nim = tests.engine.plain_games:Nim
highcard = tests.engine.plain_games:Highcard
pair = tests.engine.test_registry:two_handed
misnamed = tests.engine.plain_games:Race
broken = tests.engine.no_such_module:Game
crooked = tests.engine.test_registry:not_a_game
connect4 = tests.engine.plain_games:Nim
"""

SMALL = {"mcts": "mcts:7", "ismcts": "ismcts:7", "pimc": "pimc:7?worlds=2", "perfect": "perfect?nodes=9"}


def two_handed(players: int = 2) -> engine.Game:
    """An entry point may be a factory."""
    from tests.engine.plain_games import Highcard

    class Pair(Highcard):
        def name(self) -> str:
            return "pair"

    return Pair(players)


def not_a_game() -> str:
    return "chess"


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = tmp_path / "stranger-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(STRANGERS)
    monkeypatch.syspath_prepend(tmp_path)


def test_own_games() -> None:
    assert {"connect4", "tictactoe"} <= set(engine.games())
    game = engine.new("connect4", 5)
    assert game.name() == "connect4" and game.ply() == 0 and game.legal_actions() == list(range(7))


def test_unknown_names_say_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"no game 'chess'.*connect4.*tictactoe"):
        engine.new("chess")
    with pytest.raises(ValueError, match="no variant rows; it has no variants"):
        engine.new("connect4", 1, rows=7)
    with pytest.raises(ValueError, match="seed"):
        engine.new("connect4", -1)


def test_games_of_strangers(strangers: None) -> None:
    assert {"nim", "highcard", "pair", "broken"} <= set(engine.games())
    nim = engine.new("nim", 1)
    assert nim.view(0).legal[0].text == "take 1"
    assert engine.from_bytes(nim.to_bytes()).to_bytes() == nim.to_bytes()
    with pytest.raises(IllegalAction):
        nim.apply(3)
    for spec in ("random", "greedy", "mcts:20"):
        assert 0 <= engine.new_bot(spec).choose(nim, engine.Rng(1)) < 3
    five = engine.new("highcard", 1, players=5)
    assert five.num_players() == 5
    back = engine.from_bytes(five.to_bytes())
    assert back.variant() == {"players": 5} and back.to_bytes() == five.to_bytes()
    pair = engine.new("pair", 1)
    assert pair.num_players() == 2 and engine.from_bytes(pair.to_bytes()).to_bytes() == pair.to_bytes()
    assert engine.new("connect4", 1).num_actions() == 7  # the package's own name wins
    with pytest.raises(ValueError, match=r"no variant cards; it has players \(default 3\)"):
        engine.new("highcard", 1, cards=5)
    with pytest.raises(ValueError, match="2 to 5 players, got 9"):
        engine.new("highcard", 1, players=9)


def test_a_broken_stranger_harms_only_those_who_ask(strangers: None) -> None:
    with pytest.raises(ValueError, match=r"'broken' \(entry point 'tests.engine.no_such_module:Game'\)"):
        engine.new("broken")
    with pytest.raises(ValueError, match="gives str, not a Game"):
        engine.new("crooked")
    with pytest.raises(ValueError, match=r"'misnamed' .* calls itself 'race'.* one name in both"):
        engine.new("misnamed")
    assert engine.new("tictactoe").name() == "tictactoe"


def test_unknown_bots_and_options_say_what_there_is() -> None:
    assert {"greedy", "mcts", "perfect", "random"} <= set(engine.bots())
    for spec, options, message in [
        ("chess", {}, r"no bot 'chess'.*greedy, ismcts, mcts, perfect, pimc, random"),
        ("", {}, "no bot ''"),
        ("random:3", {}, "takes nothing after its name, got '3'"),
        ("greedy", {"depth": "3"}, "no option depth; it knows none"),
        ("mcts", {}, "number of simulations N is a whole number from 1"),
        ("mcts:0", {}, "from 1"),
        ("mcts:1e3", {}, "got '1e3'"),
        ("mcts:-5", {}, "got '-5'"),
        ("mcts:5", {"c": "x"}, "c is a number from 0 to 100, got 'x'"),
        ("mcts:5", {"c": "nan"}, "got 'nan'"),
        ("mcts:5", {"d": "1", "c": "1"}, "no option d; it knows c, reuse, ms"),
        ("perfect", {"nodes": "-1"}, "nodes is a whole number from 1"),
        ("mcts:5?c=1", {"c": "1"}, "each once"),
        ("mcts:5?c=1&c=2", {}, "each once"),
        ("mcts:5?c", {}, "key=value"),
        ("mcts:5?", {"c": "x"}, "got 'x'"),
        ("random?depth=3", {}, "no option depth"),
        ("perfect", {"nodes": "5", "ms": "5"}, "either nodes or ms"),
    ]:
        with pytest.raises(ValueError, match=message):
            engine.new_bot(spec, **options)


@pytest.mark.parametrize(
    ("spec", "options", "canonical"),
    [
        ("random", {}, "random"),
        ("greedy", {}, "greedy"),
        ("mcts:200", {}, "mcts:200?c=1.4"),
        ("mcts:200", {"c": "2"}, "mcts:200?c=2.0"),
        ("mcts:0200", {}, "mcts:200?c=1.4"),
        ("mcts:200", {"c": "1.40"}, "mcts:200?c=1.4"),
        ("mcts:200?c=-0", {}, "mcts:200?c=0.0"),
        ("mcts:200", {"c": "1.23456789012"}, "mcts:200?c=1.23456789012"),
        ("mcts:200?c=1e-9", {}, "mcts:200?c=1e-09"),
        ("perfect", {}, "perfect?nodes=5000000"),
        ("perfect?nodes=005000000", {}, "perfect?nodes=5000000"),
        ("perfect", {"nodes": "1000"}, "perfect?nodes=1000"),
        ("perfect", {"ms": "500"}, "perfect?ms=500"),
        ("mcts?ms=50", {}, "mcts?c=1.4&ms=50"),
        ("mcts:200?reuse=1", {}, "mcts:200?c=1.4&reuse=1"),
        ("mcts:200?reuse=0", {}, "mcts:200?c=1.4"),
        ("ismcts:200", {"c": "0.7"}, "ismcts:200?c=0.7"),
        ("pimc:200", {}, "pimc:200?c=1.4&worlds=20"),
    ],
)
def test_bots_name_themselves(spec: str, options: dict[str, str], canonical: str) -> None:
    bot = engine.new_bot(spec, **options)
    assert bot.spec() == canonical
    again = engine.new_bot(bot.spec())
    assert type(again) is type(bot) and again.spec() == canonical
    game = engine.new("tictactoe")
    if "ms" not in spec:
        assert again.choose(game, engine.Rng(1)) == bot.choose(game, engine.Rng(1))


def test_every_bot_names_itself_exactly() -> None:
    for name in engine.bots():
        bot = engine.new_bot(SMALL.get(name, name))
        assert bot.spec().partition("?")[0].partition(":")[0] == name
        assert engine.new_bot(bot.spec()).spec() == bot.spec()


@pytest.mark.parametrize("name", ["connect4", "tictactoe", "nim", "race", "dice"])
def test_bots_say_beforehand_what_they_cannot_play(name: str) -> None:
    plain = {"nim": Nim, "race": Race, "dice": Dice}
    game = plain[name]() if name in plain else engine.new(name)
    game.reset(engine.Rng(1))
    for own in engine.bots():
        bot = engine.new_bot(SMALL.get(own, own))
        if own == "perfect" and name in plain:
            with pytest.raises(
                ValueError, match=f"cannot play '{name}'.*connect4, othello, tictactoe.*mcts:1000"
            ):
                bot.check_game(game)
            with pytest.raises(ValueError):
                bot.choose(game, engine.Rng(1))
        else:
            bot.check_game(game)
            assert bot.choose(game, engine.Rng(1)) in game.legal_actions()
