"""Who wins a position of Connect 4, and the bitboards by which one finds out.

`Outcomes` tells a win, a draw and a loss apart, and not how soon they come: what a grade asks, for a
fraction of what exact scores cost. Each question is whether the mover reaches a draw, or a win, at least. It
searches with threats, forced replies and a table as engine/solvers/connect4.py does, and besides looks at what
either player gets by answering every disc in the same column (claimeven, baseinverse and zugzwang of V. Allis, A
Knowledge-based Approach of Connect-Four, 1988): that alone often keeps the other from four (`held`), or makes it
play below a winning cell in the end (`first_outlasts`, `second_outlasts`); these last two leave a quarter of the
positions to search. Positions of as many discs as the book has (engine/search/book.py) are looked up.

What the table holds is true of a position whatever was asked before, so it is never emptied, and answers do not
depend on their order; there is no budget. Two entries share a place: the one that took more work stays. The
table is small because one that fits the processor's cache answers several times as fast as a larger one.
"""

from typing import Final, final

from librt.vecs import vec
from mypy_extensions import i64, mypyc_attr

from engine.bits import bit, popcount
from engine.games.connect4 import BOTTOM, FULL, has_four, mirrored
from engine.search.book import Book

COLUMN_CELLS: Final[i64] = 0x3F
ODD_ROWS: Final[i64] = BOTTOM * 0x15  # the first, third and fifth from below
EVEN_ROWS: Final[i64] = BOTTOM * 0x2A
TOPS: Final[i64] = BOTTOM * 0x40  # above the highest cells
PLACES: Final[i64] = 522283  # a prime: two entries of 8 bytes each
MIRRORED: Final[i64] = 13  # discs up to which a position and its mirror image are one
LOOK_AHEAD: Final[i64] = 28  # discs up to which the table is asked about every child before any is searched
UNKNOWN: Final[i64] = 2  # of an entry: the least and the most that the mover reaches, both plus one


@final
@mypyc_attr(acyclic=True)
class Outcomes:
    """1, 0 or -1 for the mover. `nodes` counts the positions searched so far. Without a book all is searched."""

    def __init__(self, book: Book | None = None) -> None:
        self.nodes: i64 = 0
        self._book = Book() if book is None else book
        # An entry is position key (49 bits), work (6 bits), least + 1 and most + 1 (2 bits each); an empty one has the
        # key -1, as 0 is that of the empty board.
        self._table: vec[i64] = vec[i64]([-1024] * (2 * PLACES))
        # Moves and their worth, seven per ply, so that the recursion allocates nothing.
        self._moves: vec[i64] = vec[i64]([0] * 301)
        self._worth: vec[i64] = vec[i64]([0] * 301)

    def after(self, mine: i64, filled: i64, cell: i64) -> i64:
        """The mover's outcome of putting a disc on that cell."""
        if has_four(mine | cell):
            return 1
        return -self.of(filled ^ mine, filled | cell)

    def of(self, mine: i64, filled: i64) -> i64:
        """The mover's outcome; nobody has won so far."""
        if filled == FULL:
            return 0
        if wins_at_once(mine, filled):
            return 1
        played = popcount(filled)
        if self._reaches(mine, filled, played, 1):
            return 1
        if self._reaches(mine, filled, played, 0):
            return 0
        return -1

    def _reaches(self, mine: i64, filled: i64, played: i64, wanted: i64) -> bool:
        """Whether the mover, who cannot win at once, wins (`wanted` 1) or does not lose (0)."""
        self.nodes += 1
        theirs: i64 = filled ^ mine
        dangers = winning_cells(theirs, filled)
        moves = replies(dangers, filled)
        if moves == 0:
            return False
        if played == self._book.discs:
            return self._book.outcome(key_of(mine, filled, played)) >= wanted
        if played >= 40:
            return wanted == 0
        if moves & (moves - 1) == 0:  # forced: not worth an entry, nor a look at the table
            return not self._reaches(theirs, filled | moves, played + 1, 1 - wanted)
        if wanted == 1:
            if not has_four(mine | (FULL ^ filled)):
                return False
        elif not has_four(theirs | (FULL ^ filled)):
            return True
        if played & 1:
            if first_outlasts(theirs, dangers, filled):
                return False
        elif second_outlasts(mine, dangers, filled):
            return False
        elif held(mine, filled) and (wanted == 1 or fills(theirs, filled)):
            return False
        key = key_of(mine, filled, played)
        known = self._known(key)
        if known >= 0:
            if (known >> 2) - 1 >= wanted:
                return True
            if (known & 3) - 1 < wanted:
                return False
        before: i64 = self.nodes
        end = self._order(mine, filled, moves, played, wanted)
        reached = end < 0
        at: i64 = played * 7
        while at < end and not reached:
            reached = not self._reaches(theirs, filled | self._moves[at], played + 1, 1 - wanted)
            at += 1
        least: i64 = 0
        most: i64 = 2
        if known >= 0:
            least = known >> 2
            most = known & 3
        if reached:
            least = wanted + 1
        else:
            most = wanted
        self._keep(key, least * 4 + most, self.nodes - before)
        return reached

    def _order(self, mine: i64, filled: i64, moves: i64, played: i64, wanted: i64) -> i64:
        """Write the cells of `moves` from 7 * `played` on, most threats first, then from the centre out.

        Returns where they end; -1 where a move is seen to reach what is wanted.
        """
        cells = self._moves
        worth = self._worth
        base: i64 = played * 7
        end: i64 = base
        theirs: i64 = filled ^ mine
        i: i64 = 0
        while i < 7:
            cell: i64 = moves & (bit(centre_out(i) * 7) * COLUMN_CELLS)
            i += 1
            if cell == 0:
                continue
            after: i64 = filled | cell
            threats = winning_cells(mine | cell, after)
            if replies(threats, after) == 0:  # two threats at once
                return -1
            if played & 1:
                if second_outlasts(theirs, threats, after):
                    return -1
                if held(theirs, after) and (wanted == 0 or fills(mine | cell, after)):
                    return -1
            elif first_outlasts(mine | cell, threats, after):
                return -1
            if played < LOOK_AHEAD:
                known = self._known(key_of(theirs, after, played + 1))
                if known >= 0 and (known & 3) - 1 <= -wanted:
                    return -1
            value = popcount(threats)
            at: i64 = end
            while at > base and worth[at - 1] < value:
                worth[at] = worth[at - 1]
                cells[at] = cells[at - 1]
                at -= 1
            worth[at] = value
            cells[at] = cell
            end += 1
        return end

    def _known(self, key: i64) -> i64:
        """Least and most of that position, or -1."""
        place: i64 = key % PLACES * 2
        entry = self._table[place]
        if entry >> 10 == key:
            return entry & 15
        entry = self._table[place + 1]
        if entry >> 10 == key:
            return entry & 15
        return -1

    def _keep(self, key: i64, bounds: i64, nodes: i64) -> None:
        work: i64 = 0
        while nodes > 1:
            nodes >>= 1
            work += 1
        table = self._table
        entry: i64 = (key << 10) | (work << 4) | bounds
        place: i64 = key % PLACES * 2
        first = table[place]
        if first >> 10 != key and table[place + 1] >> 10 != key and (first >> 4) & 63 <= work:
            table[place + 1] = first
            table[place] = entry
        elif first >> 10 == key:
            table[place] = entry
        else:
            table[place + 1] = entry


def key_of(mine: i64, filled: i64, played: i64) -> i64:
    """A number for the position; of few discs, the same for its mirror image."""
    key: i64 = mine + filled
    if played <= MIRRORED:
        other: i64 = mirrored(mine) + mirrored(filled)
        if other < key:
            return other
    return key


def held(first: i64, filled: i64) -> bool:
    """Whether the second player keeps the first, who is to move, from four by answers alone.

    It answers in the same column, and so has the even rows. Where a column has an odd height its next cell lies in
    an even row: of two such cells, the first player takes one and the second answers with the other.
    """
    return never_four(first | ((FULL ^ filled) & ODD_ROWS), (filled + BOTTOM) & EVEN_ROWS)


def fills(second: i64, filled: i64) -> bool:
    """Whether the second player, who so holds the first, has four when the board is full."""
    return has_four(second | ((FULL ^ filled) & EVEN_ROWS & ~(filled + BOTTOM)))


def second_outlasts(first: i64, threats: i64, filled: i64) -> bool:
    """Whether the first player, who is to move, cannot win at once and faces `threats`, loses by answers alone.

    Answering as in `held` the second player comes to every even row, so the first never plays below a threat
    there, nor above it; without four of the rest it runs out of other cells.
    """
    threats &= EVEN_ROWS & ~(filled + BOTTOM)
    if threats == 0:
        return False
    own: i64 = (FULL ^ filled) & ODD_ROWS
    while threats:
        lowest: i64 = threats & -threats
        own &= ~upwards(lowest)
        threats ^= lowest
    return never_four(first | own, (filled + BOTTOM) & EVEN_ROWS)


def first_outlasts(first: i64, threats: i64, filled: i64) -> bool:
    """Whether the second player, who is to move, cannot win at once and faces `threats` of the first, so loses.

    An odd number of columns has an odd height. In one of them the first player threatens a cell of an odd row, and
    answers in the same column: there it has the odd rows up to the threat, and elsewhere the even ones. The second
    gets the others, and all or half of the next cells of the other columns of odd height, as in `held`.
    """
    threats &= ODD_ROWS
    contested: i64 = (filled + BOTTOM) & EVEN_ROWS
    rest: i64 = contested
    while threats and rest:
        cell: i64 = rest & -rest
        rest ^= cell
        column = upwards(cell)
        found: i64 = threats & column
        if found:
            below: i64 = ((found & -found) - cell) & EVEN_ROWS
            own: i64 = (filled ^ first) | ((FULL ^ filled) & ODD_ROWS & ~column) | below
            if never_four(own, contested ^ cell):
                return True
    return False


def never_four(own: i64, contested: i64) -> bool:
    """Whether these cells hold no four, whichever one of two contested cells joins them, or all of more."""
    if has_four(own):
        return False
    one: i64 = contested & -contested
    other: i64 = contested ^ one
    if other & (other - 1) == 0:
        return contested == 0 or (not has_four(own | one) and not has_four(own | other))
    return not has_four(own | contested)


def upwards(cell: i64) -> i64:
    """That cell and those above it in its column."""
    tops: i64 = TOPS & -cell
    return (tops & -tops) - cell


def winning_cells(own: i64, filled: i64) -> i64:
    """Empty cells that complete four for the discs `own`.

    Shifts to the left may run past bit 62; the last mask drops what differs between C and Python.
    """
    found: i64 = (own << 1) & (own << 2) & (own << 3)  # vertical
    found |= threes(own, 7) | threes(own, 6) | threes(own, 8)
    return found & (FULL ^ filled)


def threes(own: i64, step: i64) -> i64:
    """Cells that complete four in one direction, from either side or in a gap."""
    up: i64 = (own << step) & (own << (2 * step))
    down: i64 = (own >> step) & (own >> (2 * step))
    return (
        (up & (own << (3 * step)))
        | (up & (own >> step))
        | (down & (own << step))
        | (down & (own >> (3 * step)))
    )


def free_cell(filled: i64, column: i64) -> i64:
    """The cell, as a bit, to which a disc falls in that column; 0 when full."""
    return (filled + bit(column * 7)) & (bit(column * 7) * COLUMN_CELLS)


def wins_at_once(mine: i64, filled: i64) -> bool:
    """Whether the mover can complete four with the next disc."""
    return (winning_cells(mine, filled) & (filled + BOTTOM)) != 0


def replies(danger: i64, filled: i64) -> i64:
    """Cells to play on after which the opponent, who wins on the cells `danger`, does not do so at once."""
    playable: i64 = (filled + BOTTOM) & FULL
    forced: i64 = playable & danger
    if forced:
        if forced & (forced - 1):
            return 0
        playable = forced
    return playable & ~(danger >> 1)


def centre_out(i: i64) -> i64:
    """Columns in the order 3, 2, 4, 1, 5, 0, 6."""
    half: i64 = (i + 1) >> 1
    return 3 - half if i & 1 else 3 + half
