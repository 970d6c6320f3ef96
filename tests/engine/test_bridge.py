"""Games of OpenSpiel: that they are OpenSpiel's, whatever is asked for, and that nothing wrong ends the process."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import engine
import prompts
from engine import Game, Rng
from engine.bridges import openspiel
from engine.registry import bridge, bridges
from orchestrator.cli.human import _typed as typed
from providers.base import Message, Request
from providers.simulated import read

pyspiel = pytest.importorskip("pyspiel", reason=f"no OpenSpiel: {openspiel.INSTALL}")

SUITE = ("backgammon", "chess", "go(board_size=9)", "hex", "kuhn_poker", "leduc_poker")


def new(recipe: str, seed: int = 1) -> Game:
    return engine.new(f"openspiel:{recipe}", seed)


def after(game: Game, *moves: str) -> Game:
    for move in moves:
        game.apply(game.parse_action(move))
    return game


@pytest.mark.parametrize("recipe", SUITE)
def test_a_match_is_openspiels_own(recipe: str) -> None:
    """Step by step beside a state of theirs: legality, movers, words, boards, numbers and returns."""
    theirs = pyspiel.load_game(recipe)
    for seed in range(3):
        game, rng = new(recipe, seed), Rng(seed)
        while True:
            parts = game.position_bytes().decode().split("\n")
            state = theirs.new_initial_state()
            for action in parts[1].split():
                state.apply_action(int(action))
            assert game.is_terminal() == state.is_terminal()
            if game.is_terminal() or game.ply() > 60:
                break
            seat = state.current_player()
            assert game.current_player() == seat and game.legal_actions() == state.legal_actions()
            size = theirs.observation_tensor_size()
            seen = game.observation(seat).tolist()
            assert seen[:size] == pytest.approx(state.observation_tensor(seat))
            assert seen[size:] == [1.0] + [0.0] * (game.num_players() - 1)
            told = state.information_state_string(seat) if game.hidden_information() else str(state)
            assert game.board_text(seat).split() == told.split()
            action = int(game.random_action(rng))
            assert game.action_text(action) in (
                re.sub(r"^\d+ - ", "", state.action_to_string(seat, action)) + mark
                for mark in ("", f" (#{action})")
            )
            game.apply(action)
        if game.is_terminal():
            assert game.returns() == state.returns()


def test_two_spellings_have_one_name() -> None:
    for given, name in [
        ("chess()", "chess"),
        ("go(komi=5.5,board_size=9)", "go(board_size=9,komi=5.5)"),
        ("go(board_size=19,komi=7.5)", "go"),
        ("go(komi=6)", "go(komi=6.0)"),
        ("hex(board_size=5,num_cols=5)", "hex(board_size=5,num_cols=5)"),
        ("hex(num_cols=11)", "hex"),
        ("hex(board_size=5,num_cols=11)", "hex(board_size=5,num_cols=11)"),
        ("misere(game=hex(board_size=11))", "misere(game=hex())"),
        (
            "add_noise(seed=1,epsilon=1.0,game=hex())",
            "add_noise(epsilon=1.0,game=hex(),seed=1)",
        ),  # all needed
    ]:
        game = new(given)
        assert game.name() == f"openspiel:{name}" and game.variant() == {}
        again = engine.from_bytes(game.to_bytes())
        assert again.name() == game.name() and again.to_bytes() == game.to_bytes()


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("ches", "no game 'ches'; did you mean chess"),
        ("", "no game ''; there are"),
        ("go(bord_size=9)", "no parameter 'bord_size'; did you mean board_size"),
        ("go(board_size=x)", "refuses.*Wrong type"),
        ("go(board_size=99)", "refuses.*up to 19"),
        ("chess(", r"refuses openspiel:chess\(: Missing closing bracket"),
        ("misere(game=hexx())", "no game 'hexx'"),
        ("misere(game=hex)", r"write game=hex\(\)"),
        ("misere", "Missing parameter game"),
        ("goofspiel", r"simultaneous.*openspiel:turn_based_simultaneous_game\(game=goofspiel\(\)\)"),
        ("mfg_garnet", "mean-field"),
        ("tarok", "generator of its own"),
        ("mnk(m=300,n=300,k=5)", "90000 actions; expected 1 to 65536"),
        ("crossword", "does not number its actions"),
        ("havannah(board_size=-1)", "ended its process"),
        ("universal_poker(numSuits=0)", "ended its process"),
        ("hanabi(colors=0)", "ended its process"),
    ],
)
def test_what_cannot_be_had_is_said_and_ends_nothing(recipe: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        new(recipe)


def test_the_way_out_that_is_named_is_one() -> None:
    with pytest.raises(ValueError) as refused:
        new("goofspiel(num_cards=4)")
    game = engine.new(str(refused.value).rsplit("it is ", 1)[1], 1)
    game.playout(Rng(1))
    assert game.is_terminal() and game.hidden_information() and sum(game.returns()) == 0


def test_parameters_stand_in_the_name() -> None:
    with pytest.raises(ValueError, match=r"stand in its name: openspiel:go\(board_size=9\)"):
        engine.new("openspiel:go", 1, board_size=9)
    with pytest.raises(ValueError, match=r"no game 'gym:chess'; there are .*connect4.*openspiel:NAME"):
        engine.new("gym:chess")


def test_case_tells_moves_of_chess_apart() -> None:
    game = after(new("chess"), "b4", "a5", "Bb2", "a4", "Bc3", "a3", "Bd4", "c5")
    both = [game.parse_action("bxc5"), game.parse_action("Bxc5")]
    assert len(set(both)) == 2
    for wrong in ("BXC5", "nf3", "NF3"):
        with pytest.raises(ValueError):
            game.parse_action(wrong)
    view = game.view(1)
    for text, action in zip(("bxc5", "Bxc5"), both, strict=True):
        read = prompts.parse(Said(f'{{"rationale": "", "move": "{text}"}}'), view, "rules")
        assert isinstance(read, prompts.Choice) and read.action == action
    read = prompts.parse(Said('{"rationale": "", "move": "BXC5"}'), view, "rules")
    assert isinstance(read, prompts.Unreadable)


class Said:
    """An answer as a provider brings it."""

    finish = "stop"
    probabilities = None

    def __init__(self, text: str) -> None:
        self.text = text


@pytest.mark.parametrize("recipe", [*SUITE, "turn_based_simultaneous_game(game=goofspiel(num_cards=4))"])
@pytest.mark.parametrize("track", ["open", "rules"])
def test_a_model_can_be_asked_and_its_answer_read(recipe: str, track: prompts.Track) -> None:
    game, rng = new(recipe, 3), Rng(3)
    systems = set()
    for _ in range(6):
        if game.is_terminal():
            break
        view = game.view(game.current_player())
        question = prompts.render(view, track=track)
        systems.add(question.system)
        assert view.board in question.user and game.rules_text() in question.system
        for number, action in [(action.id, action) for action in view.legal][:30]:
            said = f'"action": {number}' if track == "open" else f'"move": "{action.text}"'
            choice = prompts.parse(Said(f'{{"rationale": "", {said}}}'), view, track)
            assert isinstance(choice, prompts.Choice) and choice.action == action.id
        game.apply(int(game.random_action(rng)))
    assert len(systems) == 1


def test_the_stand_in_does_not_take_its_own_dice_for_those_of_the_match() -> None:
    rebuilt = []
    for seed in range(6):
        view = new("backgammon", seed).view(new("backgammon", seed).current_player())
        asked = prompts.render(view)
        request = Request("random", asked.system, (Message("user", asked.user),), asked.schema)
        found = read(request)
        assert {text for _, text in found.listed} == {action.text for action in view.legal}
        rebuilt.append(found.game is not None)
    assert rebuilt[0] and not all(rebuilt)  # seed 0 is what it rebuilds with


@pytest.mark.parametrize("plies", [1, 2, 7])
def test_the_stand_in_reads_moves_that_have_blanks(plies: int) -> None:
    game, rng = new("go(board_size=5)"), Rng(plies)
    for _ in range(plies):
        game.apply(game.random_action(rng))
    asked = prompts.render(game.view(game.current_player()))
    found = read(Request("random", asked.system, (Message("user", asked.user),), asked.schema)).game
    assert found is not None and found.to_bytes() == game.to_bytes()


def test_a_person_names_the_move_that_was_typed() -> None:
    game = after(new("chess"), "b4", "a5", "Bb2", "a4", "Bc3", "a3", "Bd4", "c5")
    known = typed(game.view(1))
    assert known["bxc5"] == game.parse_action("bxc5") != known["Bxc5"] == game.parse_action("Bxc5")
    assert known["nf3"] == game.parse_action("Nf3")


def test_rules_that_are_told_are_openspiels() -> None:
    """What our short texts claim, and nobody would notice if it were wrong."""
    assert new("chess").current_player() == 1 and new("go").current_player() == 0
    down = after(new("hex(board_size=3)"), "c1", "a1", "b2", "a2", "a3")
    assert down.returns() == [1.0, -1.0]
    across = after(new("hex(board_size=3)"), "a1", "a2", "c3", "b2", "a3", "c1")
    assert across.returns() == [-1.0, 1.0]
    passed = after(new("go(board_size=9)"), "B PASS", "W PASS")
    assert passed.returns() == [-1.0, 1.0]
    assert "commonly known" in new("hex(swap=True)").rules_text()
    assert "connecting" in new("hex(board_size=5)").rules_text()
    sees = {new("leduc_poker", seed).board_text(0) for seed in range(40)}
    assert {re.findall(r"Private: (\d)", text)[0] for text in sees} == set("012345")
    for seed in range(9):
        game = after(new("kuhn_poker", seed), "Pass", "Pass")
        cards = [int(game.board_text(seat)[0]) for seat in (0, 1)]
        assert game.returns()[0] == (1.0 if cards[0] > cards[1] else -1.0)


def test_hidden_moves_are_hidden_and_open_ones_are_not() -> None:
    game = after(new("phantom_ttt"), "x(1,1)", "o(0,0)")
    assert [move.text for move in game.view(0).history] == ["x(1,1)", "*"]
    assert [move.action for move in game.view(1).history] == [-1, 0]
    assert [move.text for move in after(new("kuhn_poker"), "Bet").view(1).history] == ["Bet"]


def test_bots_say_beforehand_what_cannot_be_drawn() -> None:
    for spec in ("random", "greedy", "mcts:5"):
        bot = engine.new_bot(spec)
        with pytest.raises(
            ValueError, match="cannot draw what a seat of openspiel:phantom_ttt does not know"
        ):
            bot.check_game(new("phantom_ttt"))
        for recipe in SUITE:
            bot.check_game(new(recipe))


def test_what_is_drawn_anew_is_a_position_that_play_can_reach() -> None:
    """What OpenSpiel itself draws of gin rummy is not what its history leads to."""
    game, rng = new("gin_rummy", 5), Rng(5)
    for _ in range(15):
        game.apply(int(game.random_action(rng)))
    seat = game.current_player()
    for seed in range(5):
        sample = game.view(seat).sample(Rng(seed))
        assert engine.from_bytes(sample.to_bytes()).position_bytes() == sample.position_bytes()
        assert sample.board_text(seat) == game.board_text(seat)
        assert sample.legal_actions() == game.legal_actions()


def test_returns_keep_their_fractions() -> None:
    for value in (1 / 3, -0.0875, 1 / 7, -13.0, 0.001):
        assert openspiel.units(value) / openspiel.PAYOFF_SCALE == pytest.approx(value, abs=1e-12)
        assert openspiel.units(-value) == -openspiel.units(value)


def test_chance_has_openspiels_probabilities() -> None:
    outcomes = [(7, 0.5), (2, 0.25), (9, 0.0), (1, 0.25)]
    drawn = [openspiel.drawn(outcomes, rng) for rng in [Rng(8)] for _ in range(4000)]
    for action, chance in outcomes:
        assert abs(drawn.count(action) / 4000 - chance) < 0.04
    assert len({new("backgammon", seed).position_bytes() for seed in range(20)}) == 20
    assert new("backgammon", 7).to_bytes() == new("backgammon", 7).to_bytes()


@pytest.mark.parametrize(
    "text", ["", "chess", "chess\n1 2", "chess\n99999", "chess\n-1", "chess\n1 x", "chess\n\n1"]
)
def test_positions_that_do_not_exist(text: str) -> None:
    game = after(new("chess"), "e4")
    before = game.to_bytes()
    with pytest.raises(ValueError):
        game.set_position(text.encode())
    assert game.to_bytes() == before
    poker = new("kuhn_poker")
    with pytest.raises(ValueError, match="chance has still to decide"):
        poker.set_position(b"kuhn_poker\n1\n1 2 3 4")


@pytest.mark.parametrize(("recipe", "best"), [("tic_tac_toe", "x(1,1)"), ("kuhn_poker", "")])
def test_their_search_values_every_action(recipe: str, best: str) -> None:
    game = new(recipe, 2)
    values = openspiel.mcts_values(game, 2000, 1)
    assert [action for action, _, _ in values] == game.legal_actions()
    assert all(-1 <= value <= 1 for _, value, _ in values)
    assert sum(visits for _, _, visits in values) in range(1900, 2001)
    assert values == openspiel.mcts_values(game, 2000, 1)
    if best:
        assert game.action_text(max(values, key=lambda row: row[2])[0]) == best


def test_their_search_sees_a_win_a_loss_and_only_what_the_mover_knows() -> None:
    won = after(new("tic_tac_toe"), "x(0,0)", "o(1,0)", "x(0,1)", "o(1,1)")
    values = {won.action_text(action): value for action, value, _ in openspiel.mcts_values(won, 3000, 3)}
    assert values["x(0,2)"] == 1.0 and max(values, key=lambda text: values[text]) == "x(0,2)"
    deals = [new("kuhn_poker", seed) for seed in range(12)]
    mine = [game for game in deals if game.board_text(0) == "2"]
    assert len({game.position_bytes().split(b"\n")[1] for game in mine}) == 2
    assert len({tuple(openspiel.mcts_values(game, 200, 1)) for game in mine}) == 1
    with pytest.raises(ValueError, match="not a game of OpenSpiel"):
        openspiel.mcts_values(engine.new("connect4"), 10, 1)
    with pytest.raises(ValueError, match="is over"):
        openspiel.mcts_values(after(new("kuhn_poker"), "Pass", "Pass"), 10, 1)


def test_listing_and_what_is_missing() -> None:
    assert bridges() == ["openspiel"] and bridge("openspiel").missing() == ""
    found = {game["name"]: game for game in openspiel.titles()}
    assert len(found) > 60 and "openspiel:goofspiel" not in found and "openspiel:misere" not in found
    assert found["openspiel:go"]["parameters"]["board_size"] == 19
    with pytest.raises(ValueError, match="no bridge 'gym'; there are openspiel"):
        bridge("gym")


def test_without_openspiel_it_is_said_what_to_install() -> None:
    code = """
import sys
sys.modules["pyspiel"] = None
import engine
assert "connect4" in engine.games()
try:
    engine.new("openspiel:chess")
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'duelist[openspiel]'" in done.stdout


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    code = "import sys, engine; engine.games(); engine.new('connect4'); print('pyspiel' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
