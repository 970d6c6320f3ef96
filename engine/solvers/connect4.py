"""Exact scores of Connect 4: alpha-beta over bitboards, after the methods that Pascal Pons describes.

Score, from the seat to move: 22 less the discs that the winner has played when it wins, negative when that is
the opponent, 0 for a draw. The search asks by null windows whether the score is above a bound, tries only
moves that do not lose at once, those that make most threats first and then from the centre out, and keeps
bounds in a transposition table. A budget counts positions (reproducible) or milliseconds (not).

A move that makes two threats at once is proven to win before it is searched; while few discs lie, the table is
asked about all children before any of them; a forced reply costs no look at the table. Compiled it searches
10 to 20 million positions per second, as the memory allows: on average 8.4 million for the score of a position
of 8 discs, 3 million of 9, and about 2.7 times as many for the values of all its actions.
As plain Python all is about fifty times slower. The book of who wins (engine/search/book.py) bounds the scores of
its positions. Left out: a book of scores.
"""

from time import perf_counter
from typing import Final, final

from librt.vecs import vec
from mypy_extensions import i64, mypyc_attr

from engine.bits import bit, popcount
from engine.core import Game
from engine.games.connect4 import BOTTOM, Connect4, has_four
from engine.search.book import Book, shipped
from engine.search.connect4 import (
    COLUMN_CELLS,
    LOOK_AHEAD,
    Outcomes,
    centre_out,
    free_cell,
    key_of,
    replies,
    winning_cells,
    wins_at_once,
)
from engine.solver import Solver

# A prime: 8 MB of 8-byte entries; four times as many cost more than they save.
TABLE_SIZE: Final[i64] = 1048573
GENERATIONS: Final[i64] = 64
NO_LIMIT: Final = 1 << 60
PROVEN: Final[i64] = -1
ENOUGH: Final = 1_000_000  # positions, for who wins after each action beyond the book


def halved(x: i64) -> i64:
    """x / 2, rounded towards zero."""
    return -((-x) >> 1) if x < 0 else x >> 1


@final
@mypyc_attr(acyclic=True)
class Connect4Solver(Solver):
    """A table and a budget. `nodes` counts the positions of the last question.

    Among equal actions the one nearest the centre comes first, left before right.
    """

    def __init__(self) -> None:
        self.nodes: i64 = 0
        self._limit: i64 = 0
        self._deadline: float = 0.0
        self._stopped: bool = False
        # An entry is position key (49 bits), generation (6 bits), bound (8 bits).
        self._table: vec[i64] = vec[i64]()
        self._generation: i64 = 0
        self._proven: i64 = 0  # what `_order` found
        # Moves and their worth, seven per ply, so that the recursion allocates nothing.
        self._moves: vec[i64] = vec[i64]([0] * 301)
        self._worth: vec[i64] = vec[i64]([0] * 301)
        self._book = Book()
        self._outcomes: Outcomes | None = None

    def solve(self, game: Game, nodes: int = 0, milliseconds: int = 0) -> int | None:
        assert isinstance(game, Connect4)
        self._begin(nodes, milliseconds)
        score = self._score(game.mine(), game.filled(), 0)
        return None if self._stopped else int(score)

    def best_action(self, game: Game, nodes: int = 0, milliseconds: int = 0) -> tuple[int, int] | None:
        assert isinstance(game, Connect4)
        self._begin(nodes, milliseconds)
        mine = game.mine()
        filled = game.filled()
        winning: i64 = winning_cells(mine, filled) & (filled + BOTTOM)
        score = self._score(mine, filled, 0)
        i: i64 = 0
        while i < 7 and not self._stopped:
            column = centre_out(i)
            i += 1
            cell = free_cell(filled, column)
            if cell == 0 or (winning and not cell & winning):
                continue
            if self._at_least(mine, filled, cell, score) and not self._stopped:
                return int(column), int(score)
        return None

    def action_values(self, game: Game, nodes: int = 0, milliseconds: int = 0) -> dict[int, int | None]:
        assert isinstance(game, Connect4)
        self._begin(nodes, milliseconds)
        values: dict[int, int | None] = dict.fromkeys(game.legal_actions())
        guess: i64 = 0
        i: i64 = 0
        while i < 7:
            column = centre_out(i)
            cell = free_cell(game.filled(), column)
            if cell:
                score = self._after(game.mine(), game.filled(), cell, guess)
                if self._stopped:
                    return values
                values[int(column)] = int(score)
                guess = score
            i += 1
        return values

    def outcomes(self, game: Game, nodes: int = 0) -> dict[int, int | None]:
        """Always all of them: `nodes` is not heeded, and what is learnt is kept."""
        assert isinstance(game, Connect4)
        if self._outcomes is None:
            self._outcomes = Outcomes(shipped())
        found: dict[int, int | None] = {}
        for action in game.legal_actions():
            cell = free_cell(game.filled(), action)
            found[action] = int(self._outcomes.after(game.mine(), game.filled(), cell))
        return found

    def unbeaten(self, game: Game, nodes: int) -> list[int]:
        """Of fewer discs than the book has by the book, else by a search that is cheap beside that for scores."""
        if game.ply() >= shipped().discs and nodes < ENOUGH:
            return game.legal_actions()
        found = self.outcomes(game)
        most = max([-1 if value is None else value for value in found.values()])
        return [action for action in found if found[action] == most]

    def _begin(self, nodes: int, milliseconds: int) -> None:
        """Set the budget and forget what was learnt."""
        self.nodes = 0
        self._limit = nodes if nodes else NO_LIMIT
        self._deadline = perf_counter() + milliseconds / 1000.0 if milliseconds else 0.0
        self._stopped = False
        self._generation = (self._generation + 1) % GENERATIONS
        if len(self._table) == 0 or self._generation == 0:
            self._table = vec[i64]([0] * TABLE_SIZE)
            self._generation = 1
            self._book = shipped()

    def _after(self, mine: i64, filled: i64, cell: i64, guess: i64) -> i64:
        """The mover's score of putting a disc on that cell; a good guess is sooner confirmed."""
        played = popcount(filled)
        if has_four(mine | cell):
            return (43 - played) >> 1
        if played == 41:
            return 0
        return -self._score(filled ^ mine, filled | cell, -guess)

    def _at_least(self, mine: i64, filled: i64, cell: i64, score: i64) -> bool:
        """Whether putting a disc on that cell scores no less than `score`."""
        played = popcount(filled)
        if has_four(mine | cell):
            return True
        if played == 41:
            return score <= 0
        theirs: i64 = filled ^ mine
        filled |= cell
        if wins_at_once(theirs, filled):
            return -((42 - played) >> 1) >= score
        return self._negamax(theirs, filled, played + 1, -score, 1 - score) <= -score

    def _score(self, mine: i64, filled: i64, guess: i64) -> i64:
        """The mover's score, asked for by null windows: around the guess first, then who wins, then when."""
        played = popcount(filled)
        if wins_at_once(mine, filled):
            return (43 - played) >> 1
        low: i64 = -((42 - played) >> 1)
        high: i64 = (43 - played) >> 1
        asked: i64 = 0
        while low < high and not self._stopped:
            middle: i64 = low + ((high - low) >> 1)
            if guess != 0 and asked < 2 and low <= guess - asked < high:
                middle = guess - asked
            elif middle <= 0 and halved(low) < middle:
                middle = halved(low)
            elif middle >= 0 and halved(high) > middle:
                middle = halved(high)
            asked += 1
            found = self._negamax(mine, filled, played, middle, middle + 1)
            if found <= middle:
                high = found
            else:
                low = found
        return low

    def _negamax(self, mine: i64, filled: i64, played: i64, alpha: i64, beta: i64) -> i64:
        """A bound of the score that settles the window; the mover must not be able to win at once."""
        self.nodes += 1
        if self.nodes >= self._limit or ((self.nodes & 4095) == 0 and self._late()):
            self._stopped = True
            return 0
        theirs: i64 = filled ^ mine
        moves = replies(winning_cells(theirs, filled), filled)
        if moves == 0:
            return -((42 - played) >> 1)
        if played >= 40:
            return 0
        if played == self._book.discs:
            outcome = self._book.outcome(key_of(mine, filled, played))
            if outcome == 0:
                return 0
            if outcome > 0 and alpha < 1:
                alpha = 1
            elif outcome < 0 and beta > -1:
                beta = -1
            if alpha >= beta:
                return outcome
        floor: i64 = -((40 - played) >> 1)
        if alpha < floor:
            alpha = floor
            if alpha >= beta:
                return alpha
        ceiling: i64 = (41 - played) >> 1
        if beta > ceiling:
            beta = ceiling
            if alpha >= beta:
                return beta
        if moves & (moves - 1) == 0:  # forced: not worth an entry, nor a look at the table
            return -self._negamax(theirs, filled | moves, played + 1, -beta, -alpha)
        key: i64 = mine + filled
        tag: i64 = (key << 6) | self._generation
        slot: i64 = key % TABLE_SIZE
        entry = self._table[slot]
        if entry >> 8 == tag:
            bound: i64 = (entry & 0xFF) - 128
            if bound > 32:  # a lower bound, kept as score + 64
                if bound - 64 > alpha:
                    alpha = bound - 64
                    if alpha >= beta:
                        return alpha
            elif bound < beta:
                beta = bound
                if alpha >= beta:
                    return beta
        base: i64 = played * 7
        end = self._order(mine, filled, moves, played, beta)
        if end == PROVEN:
            return self._proven
        at: i64 = base
        while at < end:
            score: i64 = -self._negamax(theirs, filled | self._moves[at], played + 1, -beta, -alpha)
            if self._stopped:
                return 0
            if score >= beta:
                self._table[slot] = (tag << 8) | (score + 64 + 128)
                return score
            if score > alpha:
                alpha = score
            at += 1
        self._table[slot] = (tag << 8) | (alpha + 128)
        return alpha

    def _order(self, mine: i64, filled: i64, moves: i64, played: i64, beta: i64) -> i64:
        """Write the cells of `moves` from 7 * `played` on, most threats first, then from the centre out.

        Returns where they end; or PROVEN, where a move makes two threats at once or the table knows that one
        scores `beta`: `_proven` is then the bound.
        """
        cells = self._moves
        worth = self._worth
        base: i64 = played * 7
        end: i64 = base
        i: i64 = 0
        while i < 7:
            cell: i64 = moves & (bit(centre_out(i) * 7) * COLUMN_CELLS)
            if cell:
                after: i64 = filled | cell
                threats = winning_cells(mine | cell, after)
                if replies(threats, after) == 0:
                    self._proven = (41 - played) >> 1
                    return PROVEN
                if played < LOOK_AHEAD:
                    key: i64 = (filled ^ mine) + after
                    entry = self._table[key % TABLE_SIZE]
                    if entry >> 8 == (key << 6) | self._generation:
                        bound: i64 = (entry & 0xFF) - 128
                        if bound <= 32 and -bound >= beta:
                            self._proven = -bound
                            return PROVEN
                value = popcount(threats)
                at: i64 = end
                while at > base and worth[at - 1] < value:
                    worth[at] = worth[at - 1]
                    cells[at] = cells[at - 1]
                    at -= 1
                worth[at] = value
                cells[at] = cell
                end += 1
            i += 1
        return end

    def _late(self) -> bool:
        return self._deadline > 0.0 and perf_counter() > self._deadline


SOLVER = Connect4Solver
