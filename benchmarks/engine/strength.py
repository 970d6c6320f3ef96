"""How well the searches play: `python -m benchmarks.engine.strength [--pairs N] [--write]`.

Open games: our UCT against OpenSpiel's MCTSBot in C++, both with the same simulations, the same c and one random
playout each, theirs without its solver. The two matches of a pair open with the same two random moves and swap
seats; every match is played in both engines at once, which must agree on every legal move. Blob: every search
against four players who count their cards, all on the same deals and in every seat; then searches against each
other, seats by turns, at equal simulations and at equal time. Left out: the speed of a simulation, which is
in `compare.py`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from typing import Any

import pyspiel

import engine
from benchmarks.engine.compare import machine
from benchmarks.engine.timing import versions
from benchmarks.page import keep
from engine import Bot, Game, Rng, derive
from orchestrator.ratings.pairs import estimate, t95

C = 1.4
OPENING = 2
# Game, its name there, and simulations a move: few enough for both sides to err.
OPEN_GAMES = (("tictactoe", "tic_tac_toe", 50), ("connect4", "connect_four", 400), ("othello", "othello", 60))
SEATS = 5
AGAINST_COUNTERS = ("ismcts:200", "pimc:200", "pimc:200?worlds=1", "ismcts:2000", "pimc:2000")
BETWEEN_SEARCHES = (
    ("ismcts:200", "pimc:200"),
    ("ismcts:200", "pimc:200?worlds=1"),
    ("ismcts?ms=1", "pimc?ms=1"),
)

Chooser = Callable[[Game, Rng], int]


# Open games, against OpenSpiel.


def open_table(pairs: int) -> list[str]:
    """Rows of Markdown: our score, 1 for a win and ½ for a draw, with its 95 % interval over pairs."""
    lines = [
        "| UCT against OpenSpiel's in C++ | simulations | matches | won | drawn | lost | score | 95 % |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, theirs, sims in OPEN_GAMES:
        peer = pyspiel.load_game(theirs)
        bot = engine.new_bot(f"mcts:{sims}?c={C}")
        played = [
            [played_match(name, peer, bot, sims, derive("strength", name, pair), seat) for seat in (0, 1)]
            for pair in range(pairs)
        ]
        results = [result for pair in played for result in pair]
        found = estimate([(sum(pair) / 2 + 1) / 2 for pair in played])
        assert found is not None
        won, drawn, lost = (results.count(result) for result in (1, 0, -1))
        lines.append(
            f"| {name} | {sims} | {len(results)} | {won} | {drawn} | {lost} | **{found.score:.3f}** "
            f"| {expected(found.elo_low):.3f} to {expected(found.elo_high):.3f} |"
        )
    return lines


def played_match(name: str, peer: Any, bot: Bot, sims: int, seed: int, our_seat: int) -> int:
    """1, 0 or -1 for us, after an opening that the seed decides."""
    game, state, rng = engine.new(name, seed), peer.new_initial_state(), Rng(seed)
    # Its generators take 31 bits.
    other = pyspiel.MCTSBot(
        peer, pyspiel.RandomRolloutEvaluator(1, seed >> 32), C, sims, 1000, False, seed >> 33, False
    )
    chance = Rng(derive(seed, our_seat))
    while not game.is_terminal():
        assert game.legal_actions() == state.legal_actions()
        if game.ply() < OPENING:
            action = int(game.random_action(rng))
        elif game.current_player() == our_seat:
            action = int(bot.choose(game, chance))
        else:
            action = other.step(state)
        game.apply(action)
        state.apply_action(action)
    assert state.is_terminal() and game.returns() == state.returns()
    return int(game.returns()[our_seat])


def expected(elo: float) -> float:
    """The score at which that Elo difference is expected."""
    return 1 / (1 + 10 ** (-elo / 400))


# Blob.


def counters_table(deals: int) -> list[str]:
    """Rows of Markdown: points a match of one search among players who count; the unit of error is the deal."""
    lines = [
        f"| Blob: one among {SEATS - 1} who count | matches | points | the others' | ahead by | 95 % |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    counting: list[Chooser] = [counted] * SEATS
    for spec in ("", *AGAINST_COUNTERS):
        chooser = searching(spec) if spec else at_random
        own, others = [], []
        for deal in range(deals):
            for seat in range(SEATS):
                points = blob_match([*counting[:seat], chooser, *counting[seat + 1 :]], deal, seat)
                own.append(points.pop(seat))
                others.append(sum(points) / len(points))
        ahead = [a - b for a, b in zip(own, others, strict=True)]
        by_deal = [sum(ahead[at : at + SEATS]) / SEATS for at in range(0, len(ahead), SEATS)]
        lines.append(
            f"| {f'`{spec}`' if spec else 'random'} | {len(own)} | {mean(own):.1f} | {mean(others):.1f} "
            f"| **{mean(by_deal):.1f}** | {interval(by_deal)} |"
        )
    return lines


def searches_table(deals: int) -> list[str]:
    """Rows of Markdown: how far the mean seat of one search is ahead of the mean seat of another."""
    lines = [
        f"| Blob: {SEATS} seats by turns | matches | ahead by | 95 % |",
        "| --- | ---: | ---: | --- |",
    ]
    for first, second in BETWEEN_SEARCHES:
        choosers = searching(first), searching(second)
        ahead = []
        for deal in range(deals):
            for swap in range(2):
                points = blob_match([choosers[(seat + swap) % 2] for seat in range(SEATS)], deal, swap)
                ahead.append(mean(points[swap::2]) - mean(points[1 - swap :: 2]))
        by_deal = [mean(ahead[at : at + 2]) for at in range(0, len(ahead), 2)]
        lines.append(
            f"| `{first}` against `{second}` | {len(ahead)} | **{mean(by_deal):+.1f}** | {interval(by_deal)} |"
        )
    return lines


def blob_match(choosers: Sequence[Chooser], deal: int, which: int) -> list[float]:
    """Every seat's points of a whole match; equal deals deal the same cards."""
    game, rng = engine.new("blob", derive("deal", deal), players=SEATS), Rng(derive("chance", deal, which))
    while not game.is_terminal():
        game.apply(choosers[game.current_player()](game, rng))
    return game.returns()


def searching(spec: str) -> Chooser:
    """A bot, given what a player is given: a world drawn from what its seat knows."""
    bot = engine.new_bot(spec)

    def choose(game: Game, rng: Rng) -> int:
        world = game.clone()
        world.determinize(game.current_player(), rng)
        return int(bot.choose(world, rng))

    return choose


def at_random(game: Game, rng: Rng) -> int:
    return int(game.random_action(rng))


def counted(game: Game, rng: Rng) -> int:
    """Bids the tricks that its high cards and trumps promise; takes tricks until it has them, then none.

    A card promises a trick where nobody holds a higher one of its suit; a plain suit may be trumped, and every
    trump but the first is worth a quarter of a trick by its length.
    """
    seat = int(game.current_player())
    facts = game.facts(seat)
    legal = game.legal_actions()
    trump = "SHCD".find(facts["trump"])
    if legal[0] < 52:
        return laid(legal, facts, seat, trump)
    hand = [int(game.parse_action(text)) for text in facts["hand"]]
    size, others = len(hand), game.num_players() - 1
    share = others * size / (52 - size)  # how likely a card that is not here is in some other hand
    hope = 0.25 * max(0, sum(card // 13 == trump for card in hand) - 1)
    for card in hand:
        above = sum(higher not in hand for higher in range(card + 1, card // 13 * 13 + 13))
        trumped = 0.0 if trump in (-1, card // 13) else 1 - (1 - share) ** 6 if size == 1 else share * 0.15
        hope += (1 - share) ** above * (1 - trumped)
    return min(legal, key=lambda bid: abs(bid - 52 - hope))


def laid(legal: Sequence[int], facts: dict[str, Any], seat: int, trump: int) -> int:
    """The card of someone who wants a trick, or wants none, and looks no further than this one."""
    trick = [13 * "SHCD".index(text[1]) + "23456789TJQKA".index(text[0]) for _, text in facts["trick"]]

    def strength(card: int) -> tuple[bool, bool, int]:
        return card // 13 == trump, not trick or card // 13 == trick[0] // 13, card % 13

    best = max((strength(card) for card in trick), default=(False, False, -1))
    taking = [card for card in legal if strength(card) > best]
    losing = [card for card in legal if strength(card) < best]
    if facts["tricks"][seat] < facts["bids"][seat]:
        last = len(trick) == len(facts["bids"]) - 1
        return (min if last or not taking else max)(taking or legal, key=strength)
    return max(losing, key=strength) if losing else (max if trick else min)(legal, key=strength)


# Figures.


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def interval(values: Sequence[float]) -> str:
    """The 95 % interval of the mean, by Student's t."""
    middle, n = mean(values), len(values)
    spread = math.sqrt(sum((value - middle) ** 2 for value in values) / (n - 1))
    half = t95(n - 1) * spread / math.sqrt(n)
    return f"{middle - half:.1f} to {middle + half:.1f}"


def table(pairs: int = 200) -> str:
    """Everything, as Markdown; minutes. `pairs` of the open games, and half as many deals of Blob."""
    deals = max(2, pairs // 2)
    about = (
        f"c = {C}, {OPENING} random moves before each pair of matches. "
        f"{machine()}; {versions('open_spiel', 'mypy', 'librt')}."
    )
    parts = [open_table(pairs), counters_table(max(2, deals // 2)), searches_table(deals), [about]]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine.strength", description=__doc__)
    parser.add_argument("--pairs", type=int, default=200, metavar="N", help="at least 2; default 200")
    parser.add_argument("--write", action="store_true", help="keep the tables in docs/results.md")
    asked = parser.parse_args()
    if not engine.is_compiled() or engine.stale():
        parser.error("needs the compiled engine, and not an outdated one: unset DUELIST_ENGINE, build again")
    text = table(max(2, asked.pairs))
    print(text)
    if asked.write:
        keep("strength", text)


if __name__ == "__main__":
    main()
