"""Plays fixed matches and prints a digest of all that happened, per game: `python -m tests.engine.digest`.

Two engines (compiled, plain Python) that print the same have played identical games, move for move, byte for
byte. The first line says which engine it was.
"""

from __future__ import annotations

import hashlib
import json

import engine
from engine import Game, Rng, derive
from engine.search.ismcts import Ismcts
from engine.search.pimc import Pimc
from engine.search.uct import Uct
from engine.solvers.connect4 import Connect4Solver
from engine.solvers.othello import OthelloSolver
from engine.solvers.tictactoe import TicTacToeSolver
from tests.engine.plain_games import Dice, Highcard, Nim, Race
from tests.engine.short import new

SPECS = ["random", "greedy", "mcts:15?reuse=1", "ismcts:15", "pimc:15?worlds=4"]


def matches(game: Game, count: int) -> list[object]:
    """Everything that random matches show."""
    seen: list[object] = []
    rng = Rng(9)
    for _ in range(count):
        game.reset(rng)
        while not game.is_terminal():
            for seat in range(game.num_players()):
                view = game.view(seat)
                seen.append(repr(view._replace(sample=None)))
                seen.append(game.observation(seat).tobytes().hex())
                if game.legacy_observation_size():
                    seen.append(game.observation(seat, legacy=True).tobytes().hex())
                seen.append(view.sample(rng).position_bytes().hex())
            seen += [game.legal_actions(), game.action_mask().hex(), game.position_class().hex()]
            seen.append(game.infoset_class(max(game.current_player(), 0)).hex())
            game.apply(game.random_action(rng))
        seen += [game.returns(), game.board_text(0), game.to_bytes().hex(), repr(game.history())]
        game.reset(rng)
        game.playout(rng)
        seen += [game.position_bytes().hex(), list(rng.state())]
    return seen


def choices(name: str, bots: list[str]) -> list[object]:
    """The moves of bots from positions of random matches, with what searches thought of each action."""
    seen: list[object] = []
    rng = Rng(4)
    for spec in bots:
        bot = engine.new_bot(spec)
        game = new(name, 5)
        while not game.is_terminal():
            seen.append(int(bot.choose(game, rng)))
            game.apply(game.random_action(rng))
    return [*seen, *(thoughts(search, new(name, 5)) for search in searches())]


def searches() -> list[Uct | Ismcts | Pimc]:
    return [Uct(0.7), Uct(limit=60), Ismcts(0.7), Ismcts(limit=60), Pimc(0.7, worlds=7)]


def thoughts(search: Uct | Ismcts | Pimc, game: Game) -> list[object]:
    """What a search says of every action, and once more for where its choice leads."""
    seen: list[object] = []
    rng = Rng(8)
    for _ in range(2):
        action = search.search(game, 150, rng)
        seen.append([(int(search.visits(a)), search.value(a).hex()) for a in range(game.num_actions())])
        if isinstance(search, Uct):
            seen.append(int(search.advance(action)))
        game.step(action)
        if game.is_terminal():
            break
    return seen


def plain_thoughts(game: Game) -> list[object]:
    """Of the first position of a game that the registry does not know."""
    told: list[object] = []
    for search in searches():
        game.reset(Rng(3))
        told.append(thoughts(search, game))
    return told


def solved() -> list[object]:
    """Exact values, node counts included, and where a budget ends."""
    seen: list[object] = []
    rng = Rng(6)
    for name, solver, plies in (("tictactoe", TicTacToeSolver(), 1), ("connect4", Connect4Solver(), 24)):
        for _ in range(6):
            game = engine.new(name)
            while game.ply() < plies:
                game.reset(rng)
                while not game.is_terminal() and game.ply() < plies:
                    game.step(game.random_action(rng))
                if game.is_terminal():
                    game.reset(rng)
            seen += [solver.action_values(game), solver.best_action(game, nodes=2000), solver.solve(game)]
            if isinstance(solver, Connect4Solver):
                seen.append(int(solver.nodes))
    late, exact = engine.new("othello"), OthelloSolver()
    for _ in range(8):
        late.reset(rng)
        while not late.is_terminal() and sum(late.facts(0)["discs"].values()) < 56:
            late.step(late.random_action(rng))
        if not late.is_terminal():
            seen += [exact.action_values(late), exact.best_action(late, nodes=300), exact.solve(late)]
            seen.append(int(exact.nodes))
    bot = engine.new_bot("perfect", nodes="500")
    seen.append(int(bot.choose(engine.new("connect4"), rng)))
    return seen


def deals() -> list[object]:
    """What a seat thinks the others hold, at full tables, where many have shown to lack different suits."""
    seen: list[object] = []
    rng = Rng(7)
    for variant in ({}, {"players": 4, "cards": 13}, {"players": 8, "cards": 6}):
        game = engine.new("blob", 3, **variant)
        while not game.is_terminal() and game.ply() < 60:
            game.step(game.random_action(rng))
            if game.ply() % 5 == 0 and not game.is_terminal():
                seen.append(game.view(game.current_player()).sample(rng).position_bytes().hex())
    return seen


def batch(name: str) -> list[object]:
    """What a batch shows after every step."""
    games = engine.VecGames([new(name) for _ in range(3)], 5, final_observations=True)
    seen: list[object] = []
    for _ in range(40):
        games.random_actions()
        games.step()
        shown = [games.observations, games.masks, games.players, games.movers, games.lengths, games.returns]
        seen.append([array.tobytes().hex() for array in [*shown, games.final_observations]])
    return seen


def grades(name: str) -> list[object]:
    """Without a solver: by search, in the first position and two moves on."""
    game = new(name, 5)
    seen: list[object] = []
    for action in (0, 1):
        found = engine.grade(game, nodes=0, simulations=90)
        seen.append([found.method, [(entry.value.hex(), entry.visits) for entry in found.values]])
        game.apply(game.legal_actions()[action])
    return seen


def chance() -> list[object]:
    rng = Rng(2**63 - 1)
    drawn = [int(rng.next32()) for _ in range(50)] + [int(rng.below(n)) for n in range(1, 2**31, 2**27)]
    return [drawn, [rng.uniform().hex() for _ in range(50)], derive(1, "a", -5), derive("1", 2**80)]


def main() -> None:
    told: dict[str, list[object]] = {
        "chance": chance(),
        "solved": solved(),
        "deals": deals(),
        "nim": matches(Nim(), 6) + plain_thoughts(Nim()),
        "race": matches(Race(), 6) + plain_thoughts(Race()),
        "dice": matches(Dice(), 6) + plain_thoughts(Dice()),
        "highcard": matches(Highcard(), 6) + plain_thoughts(Highcard()),
    }
    for name in engine.games():
        told[name] = matches(new(name), 6)
        told[f"{name} bots"] = choices(name, SPECS)
        told[f"{name} batch"] = batch(name)
        told[f"{name} grades"] = grades(name)
    digests = {key: hashlib.sha256(json.dumps(told[key]).encode()).hexdigest() for key in sorted(told)}
    print(json.dumps({"compiled": engine.is_compiled(), "stale": engine.stale()}))
    print(json.dumps(digests))


if __name__ == "__main__":
    main()
