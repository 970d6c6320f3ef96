"""Searches find what is known to be best, keep what they say they keep, and stop when they should."""

from __future__ import annotations

import time

import pytest
from librt.vecs import vec
from mypy_extensions import i64

import engine
from engine import Game, Rng
from engine.bots.mcts import MctsBot
from engine.core import VALUE_ONE
from engine.search.ismcts import Ismcts, unknown_ahead
from engine.search.pimc import Pimc
from engine.search.uct import Uct
from tests.engine.plain_games import Dice, Highcard, Nim
from tests.engine.test_boards import after


def begun(game: Game, seed: int = 1) -> Game:
    game.reset(Rng(seed))
    return game


class Payoffs(Game):
    """Three seats say 0 or 1 in turn, for all to hear. What each then gets was drawn at the start, no two alike."""

    def name(self) -> str:
        return "payoffs"

    def num_players(self) -> int:
        return 3

    def num_actions(self) -> int:
        return 2

    def max_utility(self) -> int:
        return 7

    def start(self, rng: Rng) -> None:
        self.table = []
        for _ in range(3):
            left = [-7, -5, -3, -1, 1, 3, 5, 7]
            self.table.append([left.pop(int(rng.below(n))) for n in range(8, 0, -1)])
        self.said = 0
        self.turn = 0

    def current_player(self) -> int:
        return self.turn if self.turn < 3 else -1

    def step(self, action: int) -> None:
        self.said = 2 * self.said + action
        self.turn += 1

    def payoff(self, seat: int) -> int:
        return self.table[seat][self.said] if self.turn == 3 else 0

    def legal_into(self, out: vec[i64]) -> int:
        out[0], out[1] = 0, 1
        return 2 if self.turn < 3 else 0


def backwards(game: Game) -> list[float]:
    """What every seat gets where everyone maximises its own."""
    if game.is_terminal():
        return game.returns()
    outcomes = []
    for action in game.legal_actions():
        child = game.clone()
        child.step(action)
        outcomes.append(backwards(child))
    return max(outcomes, key=lambda gets: gets[game.current_player()])


class Coin(Game):
    """A coin lies hidden. Seat 0 takes 1 for sure, or wins or loses 2 by guessing the coin: worth 0 to it."""

    def name(self) -> str:
        return "coin"

    def num_actions(self) -> int:
        return 2

    def hidden_information(self) -> bool:
        return True

    def max_utility(self) -> int:
        return 2

    def start(self, rng: Rng) -> None:
        self.coin = int(rng.below(2))
        self.played: list[int] = []

    def current_player(self) -> int:
        return -1 if self.played == [0] or len(self.played) == 2 else 0

    def step(self, action: int) -> None:
        self.played.append(action)

    def payoff(self, seat: int) -> int:
        if self.current_player() == 0:
            return 0
        won = 1 if self.played == [0] else 2 if self.played[1] == self.coin else -2
        return won if seat == 0 else -won

    def legal_into(self, out: vec[i64]) -> int:
        out[0], out[1] = 0, 1
        return 2 if self.current_player() == 0 else 0

    def determinize(self, seat: int, rng: Rng) -> None:
        self.coin = int(rng.below(2))


class Holding(Game):
    """Seat 0 moves, then seat 1 lays one of the two cards that it holds of four. Card 3 wins, the others lose."""

    def name(self) -> str:
        return "holding"

    def num_actions(self) -> int:
        return 4

    def hidden_information(self) -> bool:
        return True

    def start(self, rng: Rng) -> None:
        self.played: list[int] = []
        self.determinize(0, rng)

    def current_player(self) -> int:
        return len(self.played) if len(self.played) < 2 else -1

    def step(self, action: int) -> None:
        self.played.append(action)

    def payoff(self, seat: int) -> int:
        if len(self.played) < 2:
            return 0
        return 1 if (self.played[1] == 3) == (seat == 1) else -1

    def legal_into(self, out: vec[i64]) -> int:
        legal = [[0], self.hand, []][len(self.played)]
        for i, action in enumerate(legal):
            out[i] = action
        return len(legal)

    def determinize(self, seat: int, rng: Rng) -> None:
        if seat == 0:
            first = int(rng.below(4))
            self.hand = sorted([first, (first + 1 + int(rng.below(3))) % 4])


class Rounds(Game):
    """Two rounds of one choice each: 0 wins 1 now, 1 wins 5 in the second round, whatever is said there."""

    def name(self) -> str:
        return "rounds"

    def num_actions(self) -> int:
        return 2

    def max_utility(self) -> int:
        return 5

    def start(self, rng: Rng) -> None:
        self.said: list[int] = []
        self.rounds = 2

    def current_player(self) -> int:
        return 0 if len(self.said) < self.rounds else -1

    def step(self, action: int) -> None:
        self.said.append(action)

    def payoff(self, seat: int) -> int:
        won = int(self.said[:1] == [0]) + 5 * int(self.said[:1] == [1] and len(self.said) == 2)
        return won if seat == 0 else -won

    def legal_into(self, out: vec[i64]) -> int:
        out[0], out[1] = 0, 1
        return 2 if self.current_player() == 0 else 0

    def narrow(self) -> None:
        self.rounds = 1


@pytest.mark.parametrize("search", [Uct(), Ismcts(), Pimc(worlds=2)], ids=["uct", "ismcts", "pimc"])
def test_nim_is_won_where_it_can_be(search: Uct | Ismcts | Pimc) -> None:
    for left in (5, 6, 7, 9, 10, 11):
        game = begun(Nim())
        game.left = left
        for seed in range(2):
            assert search.search(game, 1000, Rng(seed)) + 1 == left % 4
            assert search.simulations == 1000


@pytest.mark.parametrize("search", [Uct(), Ismcts(), Pimc(worlds=2)], ids=["uct", "ismcts", "pimc"])
def test_every_seat_of_three_maximises_its_own(search: Uct | Ismcts | Pimc) -> None:
    for seed in range(12):
        game = begun(Payoffs(), seed)
        worth = []
        for action in range(2):
            child = game.clone()
            child.step(action)
            worth.append(backwards(child)[0])
        best = int(worth[1] > worth[0])
        assert search.search(game, 1000, Rng(seed)) == best
        assert search.value(best) > search.value(1 - best)


@pytest.mark.parametrize("spec", ["mcts:500", "mcts:250?reuse=1", "ismcts:500"])
def test_perfect_does_not_beat_it_at_tictactoe(spec: str) -> None:
    perfect, bot = engine.new_bot("perfect"), engine.new_bot(spec)
    for match in range(8):
        game, rng = engine.new("tictactoe"), Rng(match)
        while not game.is_terminal():
            mover = bot if game.current_player() == match % 2 else perfect
            game.apply(mover.choose(game, rng))
        assert game.returns() == [0, 0]


def test_only_worlds_of_their_own_are_fooled_by_what_nobody_sees() -> None:
    """Guessing wins in every single world, and nothing on average."""
    for seed in range(3):
        game = begun(Coin(), seed)
        tree, worlds = Ismcts(), Pimc()
        assert tree.search(game, 1000, Rng(seed)) == 0
        assert tree.value(0) == 0.5 and tree.value(1) < 0.4
        assert worlds.search(game, 6000, Rng(seed)) == 1
        assert worlds.value(1) > 0.7
        assert engine.new_bot("mcts:1000").choose(game, Rng(seed)) == 0


def test_dice_to_come_are_not_known() -> None:
    """A throw is worth 3.5 to whoever has not seen it: low dice are thrown again, high ones kept."""
    kept = 0
    for seed in range(8):
        game = begun(Dice(), seed)
        if game.die in (1, 2, 5, 6):
            assert engine.new_bot("mcts:1000").choose(game, Rng(seed)) == int(game.die < 3.5)
            kept += 1
    assert kept > 3


def test_what_is_unknown() -> None:
    assert not unknown_ahead(engine.new("connect4")) and not unknown_ahead(begun(Nim()))
    assert unknown_ahead(begun(Dice())) and unknown_ahead(begun(Highcard()))
    for seed in range(9):  # by whatever it was drawn before
        assert unknown_ahead(begun(Dice()).view(0).sample(Rng(seed)))
    for game in (begun(Dice()), begun(Highcard()), engine.new("blob", cards=3, rounds=1)):
        told = [engine.new_bot(f"{name}:90").choose(game, Rng(1)) for name in ("mcts", "ismcts")]
        assert told[0] == told[1]


def test_a_choice_counts_where_it_is_there() -> None:
    """Card 3 is in half of the hands. Whoever holds it lays it, whatever the others were worth."""
    tree = Ismcts()
    tree.search(begun(Holding()), 4000, Rng(1))
    assert tree.counts([0])[0] == 4000 and tree.counts([0]) == (4000, 4000)
    replies = [tree.counts([0, card]) for card in range(4)]
    assert sum(visits for visits, _ in replies) == 3999  # the first simulation ended where it began
    assert 2 * 3999 - 12 <= sum(there for _, there in replies) <= 2 * 3999
    assert all(1900 < there < 2100 for _, there in replies)
    visits, there = replies[3]
    assert visits > 0.95 * there
    assert tree.counts([1]) == tree.counts([0, 1, 1]) == Ismcts().counts([0]) == (0, 0)
    assert tree.value(0) == pytest.approx(0, abs=0.1)


def test_a_round_is_the_end_of_a_search() -> None:
    for search in (Uct(), Ismcts(), Pimc()):
        game = begun(Rounds())
        assert search.search(game, 100, Rng(1)) == 0
        assert search.value(0) == pytest.approx(0.2, abs=1e-4) and search.value(1) == 0.0
        assert game.rounds == 2


def test_advance_keeps_what_lies_below_a_move() -> None:
    def searched() -> Uct:
        tree = Uct()
        tree.search(game, 1200, Rng(1))
        return tree

    game = engine.new("connect4")
    tree = searched()
    before, visits, total = tree.nodes(), tree.visits(3), tree.total(3)
    assert tree.advance(3) == visits
    assert tree.nodes() < before
    replies = [tree.visits(a) for a in range(7)]
    assert sum(replies) == visits - 1
    assert abs(total + sum(tree.total(a) for a in range(7))) <= VALUE_ONE  # but for the first visit
    for reply in range(0, 7, 2):
        twin = searched()
        assert twin.advance(3) == visits and twin.visits(reply) == replies[reply]
        assert twin.advance(reply) == replies[reply] == sum(twin.visits(a) for a in range(7)) + 1
    game.apply(3)
    tree.search(game, 500, Rng(2))
    assert tree.simulations == 500
    assert sum(tree.visits(a) for a in range(7)) == visits - 1 + 500
    tree.search(game, 500, Rng(2))
    assert sum(tree.visits(a) for a in range(7)) == 500  # nothing was advanced: afresh


def test_advance_to_where_nobody_looked_starts_afresh() -> None:
    game, tree = engine.new("tictactoe"), Uct()
    assert tree.advance(4) == 0
    tree.search(game, 5, Rng(1))
    assert [tree.advance(action) for action in (99, 4)] == [0, 0]
    game.apply(4)
    tree.search(game, 50, Rng(1))
    assert sum(tree.visits(a) for a in range(9)) == 50


def test_a_kept_tree_belongs_to_one_match() -> None:
    """Whatever matches a bot plays by turns: what it keeps is of that very position."""
    bot = engine.new_bot("mcts:60?reuse=1")
    assert isinstance(bot, MctsBot)
    rng, kept = Rng(1), 0
    matches = [
        engine.new("connect4"),
        engine.new("tictactoe"),
        begun(Nim()),
        begun(Payoffs()),
        begun(Payoffs(), 2),
    ]
    for turn in range(60):
        game = matches[int(rng.below(len(matches))) if turn % 3 == 0 else 0]
        if game.is_terminal():
            game.reset(rng)
        choice = bot.choose(game, rng)
        legal = game.legal_actions()
        tried = [a for a in range(game.num_actions()) if bot.tree.visits(a)]
        assert choice in tried and set(tried) <= set(legal)
        kept += sum(bot.tree.visits(a) for a in legal) > 60
        game.apply(choice)
        if not game.is_terminal():
            game.apply(game.random_action(rng))
    assert 10 < kept < 60


def test_a_kept_tree_is_not_that_of_another_deal() -> None:
    """Two matches of one game with equal histories, but different tables."""
    bot = engine.new_bot("mcts:200?reuse=1")
    first, second = begun(Payoffs(), 1), begun(Payoffs(), 2)
    bot.choose(first, Rng(1))
    for action in (0, 0):
        second.apply(action)
    bot.choose(second, Rng(1))
    assert sum(bot.tree.visits(a) for a in range(2)) == 200


@pytest.mark.parametrize("kind", [Uct, Ismcts])
def test_a_full_tree_grows_no_more(kind: type[Uct] | type[Ismcts]) -> None:
    tree = kind(limit=200)
    game = engine.new("connect4")
    tree.search(game, 1500, Rng(1))
    assert 200 <= tree.nodes() < 207
    assert sum(tree.visits(a) for a in range(7)) == 1500
    if isinstance(tree, Uct):
        for _ in range(3):
            game.apply(tree.search(game, 1500, Rng(1)))
            tree.advance(game.history()[-1].action)
            assert tree.nodes() < 207


@pytest.mark.parametrize("search", [Uct(), Ismcts(), Pimc()], ids=["uct", "ismcts", "pimc"])
def test_milliseconds_end_a_search(search: Uct | Ismcts | Pimc) -> None:
    game = engine.new("connect4")
    assert search.search(game, 0, Rng(1), 1) in range(7)
    assert search.simulations >= 1
    search.search(game, 3, Rng(1), 60_000)
    assert search.simulations == 3
    with pytest.raises(ValueError, match="needs a budget"):
        search.search(game, 0, Rng(1))


class Slow(Nim):
    """Its copies take longer than the clock allows."""

    def copy_from(self, other: Game) -> None:
        time.sleep(0.002)
        super().copy_from(other)


@pytest.mark.parametrize("worlds", [1, 5, 1000])
def test_a_clock_that_runs_out_before_the_first_world(worlds: int) -> None:
    """One simulation at least, and not a whole share of those that were allowed."""
    for sims in (0, 50_000):
        search = Pimc(worlds=worlds)
        search.search(begun(Slow()), sims, Rng(1), 1)
        assert search.simulations == 1


@pytest.mark.parametrize("search", [Uct(), Ismcts(), Pimc()], ids=["uct", "ismcts", "pimc"])
def test_a_match_that_is_over_is_not_searched(search: Uct | Ismcts | Pimc) -> None:
    with pytest.raises(ValueError, match="tictactoe is over"):
        search.search(after("tictactoe", "a1", "b1", "a2", "b2", "a3"), 10, Rng(1))


def test_wrong_numbers() -> None:
    for kind in (Uct, Ismcts, Pimc):
        for c in (-0.1, 100.1, float("nan")):
            with pytest.raises(ValueError, match="c is a number from 0 to 100, got"):
                kind(c)
    with pytest.raises(ValueError, match="at least 1 world, got 0"):
        Pimc(worlds=0)


def test_searches_know_no_longer_what_was_searched_before() -> None:
    for search in (Uct(), Ismcts(), Pimc()):
        assert search.visits(0) == 0 and search.value(0) == 0.0
        search.search(engine.new("connect4"), 60, Rng(1))
        search.search(after("connect4", *"111111"), 60, Rng(1))
        assert search.visits(0) == search.visits(99) == 0 and search.visits(1) > 0


def test_visits_beyond_the_tables_are_weighed_alike() -> None:
    """More simulations than the tables of UCB1 hold: 2**20."""
    if not engine.is_compiled():
        pytest.skip("too many simulations for plain Python")
    tree = Uct()
    assert tree.search(after("tictactoe", "a1", "b2", "a2"), 1_200_000, Rng(1)) == 6
    assert abs(tree.value(6)) < 0.001 and tree.visits(6) > 1_190_000


@pytest.mark.parametrize(
    ("given", "canonical", "repeats"),
    [
        ("mcts:0200", "mcts:200?c=1.4", True),
        ("mcts?ms=50", "mcts?c=1.4&ms=50", False),
        ("mcts:9?reuse=1&c=2", "mcts:9?c=2.0&reuse=1", False),
        ("mcts:9?reuse=0", "mcts:9?c=1.4", True),
        ("ismcts:7", "ismcts:7?c=1.4", True),
        ("ismcts?ms=5&c=0.7", "ismcts?c=0.7&ms=5", False),
        ("pimc:40", "pimc:40?c=1.4&worlds=20", True),
        ("pimc?worlds=3&ms=9", "pimc?c=1.4&worlds=3&ms=9", False),
    ],
)
def test_specs(given: str, canonical: str, repeats: bool) -> None:
    bot = engine.new_bot(given)
    assert bot.spec() == canonical == engine.new_bot(canonical).spec()
    assert bot.repeats() is repeats
    assert bot.choose(engine.new("connect4"), Rng(1)) in range(7)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mcts", "mcts:N: the number of simulations"),
        ("mcts:9?ms=9", "either mcts:N simulations or"),
        ("ismcts:0", "from 1 to 10000000"),
        ("ismcts:9?worlds=3", "no option worlds; it knows c, ms"),
        ("pimc:9?worlds=0", "worlds is a whole number"),
        ("mcts:9?reuse=2", "reuse is a whole number from 0 to 1"),
        ("mcts?ms=0", "ms is a whole number from 1"),
        ("mcts:9?c=", "c is a number from 0 to 100, got ''"),
        ("pimc:9?worlds=", "worlds is a whole number from 1 to 10000, got ''"),
    ],
)
def test_wrong_specs(spec: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        engine.new_bot(spec)
