"""Othello: two boards of 64 bits, kept as signed integers (see engine/bits.py).

Cell = row * 8 + column, row 0 on top; a move is written column letter, row number from the top (a1 = cell 0),
and action 64 is `pass`. What a disc sees in one direction is found for all discs at once by shifting, as
bitboard programs do: over the opponent's discs up to, not including, the edge, where none can be turned.

Of the 8 symmetries of the board 4 also exchange the colours of the four discs that a match begins with. They
rename moves faithfully from every position, so classes of positions use all 8; only the first position shown
by those 4 is one that no match begins with.
"""

from typing import Any, Final, final

from librt.vecs import vec
from mypy_extensions import i32, i64, mypyc_attr, u8

from engine.bits import (
    BITS,
    F32_ONE,
    SQUARE_SYMMETRIES,
    bit,
    nth_bit,
    popcount,
    signed,
    symmetric_board,
    symmetric_cell,
    too_short,
    write_places,
)
from engine.core import VALUE_ONE, Game
from engine.rng import Rng

PASS: Final[i64] = 64
BLACK: Final[i64] = 0x0000000810000000  # e4 and d5
WHITE: Final[i64] = 0x0000001008000000  # d4 and e5
CENTRE: Final[i64] = 0x0000001818000000
INNER_COLUMNS: Final[i64] = 0x7E7E7E7E7E7E7E7E  # b to g
INNER_ROWS: Final[i64] = 0x00FFFFFFFFFFFF00  # 2 to 7
INNER: Final[i64] = 0x007E7E7E7E7E7E00
NOT_H: Final[i64] = 0x7F7F7F7F7F7F7F7F
SEVEN_ROWS: Final[i64] = 0x00FFFFFFFFFFFFFF
OVER: Final = 2  # in bytes, in place of a seat to move
MARKS: Final = "XO"
TEXTS: Final = (*[column + row for row in "12345678" for column in "abcdefgh"], "pass")
RULES: Final = (
    "Othello is played on a board of 8 by 8 cells, with discs that are black on one side and white on the "
    "other. Black is X and moves first, white is O; then the players take turns. "
    "At the start X has discs on e4 and d5, O on d4 and e5. "
    "A move puts an own disc on an empty cell so that at least one straight line - horizontal, vertical or "
    "diagonal - leads from it over one or more discs of the opponent, without a gap, to another own disc. "
    "All discs of the opponent that are so enclosed, in every direction, are turned over and become own discs. "
    "A player who has no such move passes, and only then; the opponent moves next. "
    "The game ends when neither player can put a disc. The player with more discs wins; equal numbers are a "
    "draw. "
    "A move is written as column letter and row number, a1 to h8, or as pass. "
    "Columns are a to h from left to right; rows are 1 to 8 from top to bottom, so a1 is the top left cell."
)

# The mask of eight cells, by their bits.
MASKS: Final = [bytes([(row >> column) & 1 for column in range(8)]) for row in range(256)]


def seen_up(discs: i64, over: i64, step: i64) -> i64:
    """The cells of `over` in unbroken lines from `discs` on, towards higher cells by `step`; up to six."""
    seen: i64 = over & (discs << step)
    seen |= over & (seen << step)
    pairs: i64 = over & (over << step)
    seen |= pairs & (seen << (2 * step))
    seen |= pairs & (seen << (2 * step))
    return seen


def seen_down(discs: i64, over: i64, step: i64) -> i64:
    """The same towards lower cells. `over` is never negative, which takes off the signs that `>>` brings."""
    seen: i64 = over & (discs >> step)
    seen |= over & (seen >> step)
    pairs: i64 = over & (over >> step)
    seen |= pairs & (seen >> (2 * step))
    seen |= pairs & (seen >> (2 * step))
    return seen


def placements(mine: i64, theirs: i64) -> i64:
    """The cells where the owner of `mine` may put a disc."""
    columns: i64 = theirs & INNER_COLUMNS
    rows: i64 = theirs & INNER_ROWS
    inner: i64 = theirs & INNER
    ends: i64 = (
        (seen_up(mine, columns, 1) << 1)
        | (seen_up(mine, rows, 8) << 8)
        | (seen_up(mine, inner, 9) << 9)
        | (seen_up(mine, inner, 7) << 7)
        | (seen_down(mine, columns, 1) >> 1)
        | (seen_down(mine, rows, 8) >> 8)
        | (seen_down(mine, inner, 9) >> 9)
        | (seen_down(mine, inner, 7) >> 7)
    )
    return signed(ends) & ~(mine | theirs)


def turned(mine: i64, theirs: i64, disc: i64) -> i64:
    """The discs of `theirs` that a new `disc`, one bit, turns: those between it and one of `mine`."""
    columns: i64 = theirs & INNER_COLUMNS
    rows: i64 = theirs & INNER_ROWS
    inner: i64 = theirs & INNER
    # A line that the new disc sees and one of `mine` sees from the other end has no gap.
    return (
        (seen_up(disc, columns, 1) & seen_down(mine, columns, 1))
        | (seen_up(disc, rows, 8) & seen_down(mine, rows, 8))
        | (seen_up(disc, inner, 9) & seen_down(mine, inner, 9))
        | (seen_up(disc, inner, 7) & seen_down(mine, inner, 7))
        | (seen_down(disc, columns, 1) & seen_up(mine, columns, 1))
        | (seen_down(disc, rows, 8) & seen_up(mine, rows, 8))
        | (seen_down(disc, inner, 9) & seen_up(mine, inner, 9))
        | (seen_down(disc, inner, 7) & seen_up(mine, inner, 7))
    )


@final
@mypyc_attr(acyclic=True)
class Othello(Game):
    """`_mine` are the discs of the seat to move (once over: that would be), `_theirs` the other's."""

    def __init__(self) -> None:
        self._mine: i64 = 0
        self._theirs: i64 = 0
        self._open: i64 = 0  # where the mover may put a disc; 0 when it must pass or the game is over
        self._who: i64 = -1
        self._next: i64 = 0  # the seat whose discs are `_mine`, which is `_who` until the end
        self._winner: i64 = -1

    def name(self) -> str:
        return "othello"

    def num_actions(self) -> i64:
        return 65

    def max_plies(self) -> i64:
        return 119  # 60 discs, and before each but the first at most one pass

    def zero_sum(self) -> bool:
        return True

    def rules_text(self) -> str:
        return RULES

    def start(self, rng: Rng) -> None:
        self._set(BLACK, WHITE, 0)

    @final
    def _set(self, mine: i64, theirs: i64, seat: i64) -> None:
        """Take a position in which `seat`, owner of `mine`, moves next if anybody can."""
        self._mine = mine
        self._theirs = theirs
        self._next = seat
        self._who = seat
        self._winner = -1
        self._open = placements(mine, theirs)
        if self._open == 0 and placements(theirs, mine) == 0:
            self._end()

    @final
    def _end(self) -> None:
        self._who = -1
        ahead = popcount(self._mine) - popcount(self._theirs)
        if ahead:
            self._winner = self._next if ahead > 0 else 1 - self._next

    def current_player(self) -> i64:
        return self._who

    def is_terminal(self) -> bool:
        return self._who < 0

    def step(self, action: i64) -> None:
        mine = self._mine
        theirs = self._theirs
        if action < PASS:
            disc = bit(action)
            turns = turned(mine, theirs, disc)
            mine = signed(mine | turns | disc)
            theirs &= ~turns
        self._set(theirs, mine, 1 - self._next)

    def payoff(self, seat: i64) -> i64:
        if self._winner < 0:
            return 0
        return 1 if self._winner == seat else -1

    def value(self, seat: i64) -> i64:
        return self.payoff(seat) * VALUE_ONE

    def legal_into(self, out: vec[i64]) -> i64:
        if self._open:
            return write_places(self._open, out)
        if self._who < 0:
            return 0
        out[0] = PASS
        return 1

    def is_legal(self, action: i64) -> bool:
        if action < PASS:
            return ((self._open >> action) & 1) != 0
        return action == PASS and self._open == 0 and self._who >= 0

    def mask_into(self, out: vec[u8]) -> None:
        if len(out) < 65:  # checked once, gcc need not check every store
            raise too_short(len(out), 65)
        cells = self._open
        cell: i64 = 0
        while cell < 64:
            out[cell] = u8((cells >> cell) & 1)
            cell += 1
        out[64] = u8(1) if self.is_legal(PASS) else u8(0)

    def action_mask(self) -> bytes:
        rows = [MASKS[(self._open >> (row * 8)) & 0xFF] for row in range(8)]
        rows.append(b"\1" if self.is_legal(PASS) else b"\0")
        return b"".join(rows)

    def random_action(self, rng: Rng) -> i64:
        cells = self._open
        return nth_bit(cells, rng.below(popcount(cells))) if cells else PASS

    def playout(self, rng: Rng) -> None:
        # The same moves as by `random_action` and `step`, in locals: this is where a search spends its time.
        # What the mover's discs see gives both the placements and, met from the new disc, what it turns.
        mine = self._mine
        theirs = self._theirs
        seat = self._next
        stuck = self._who < 0
        while not stuck:
            columns: i64 = theirs & INNER_COLUMNS
            rows: i64 = theirs & INNER_ROWS
            inner: i64 = theirs & INNER
            east = seen_up(mine, columns, 1)
            south = seen_up(mine, rows, 8)
            south_east = seen_up(mine, inner, 9)
            south_west = seen_up(mine, inner, 7)
            west = seen_down(mine, columns, 1)
            north = seen_down(mine, rows, 8)
            north_west = seen_down(mine, inner, 9)
            north_east = seen_down(mine, inner, 7)
            ends: i64 = (
                (east << 1)
                | (south << 8)
                | (south_east << 9)
                | (south_west << 7)
                | (west >> 1)
                | (north >> 8)
                | (north_west >> 9)
                | (north_east >> 7)
            )
            cells: i64 = signed(ends) & ~(mine | theirs)
            if cells:
                disc = bit(nth_bit(cells, rng.below(popcount(cells))))
                turns: i64 = (
                    (seen_up(disc, columns, 1) & west)
                    | (seen_up(disc, rows, 8) & north)
                    | (seen_up(disc, inner, 9) & north_west)
                    | (seen_up(disc, inner, 7) & north_east)
                    | (seen_down(disc, columns, 1) & east)
                    | (seen_down(disc, rows, 8) & south)
                    | (seen_down(disc, inner, 9) & south_east)
                    | (seen_down(disc, inner, 7) & south_west)
                )
                mine = signed(mine | turns | disc)
                theirs &= ~turns
            else:
                stuck = placements(theirs, mine) == 0
            if not stuck:
                turns = mine
                mine = theirs
                theirs = turns
                seat = 1 - seat
        self._mine = mine
        self._theirs = theirs
        self._next = seat
        self._open = 0
        self._end()

    def clone(self) -> "Othello":
        game = Othello()
        game.copy_from(self)
        game.copy_history(self)
        return game

    def copy_from(self, other: Game) -> None:
        assert isinstance(other, Othello)
        self._mine = other._mine
        self._theirs = other._theirs
        self._open = other._open
        self._who = other._who
        self._next = other._next
        self._winner = other._winner

    def position_bytes(self) -> bytes:
        """Discs of seat 0 and of seat 1, eight bytes each, and the seat to move, OVER when none is."""
        first = int(self.board_of(0)).to_bytes(8, "little", signed=True)
        second = int(self.board_of(1)).to_bytes(8, "little", signed=True)
        return first + second + bytes([self._who if self._who >= 0 else OVER])

    def set_position(self, data: bytes) -> None:
        """As `Game.set_position`. Refuses what no play can lead to as far as the board alone shows it: discs
        on one another, an empty centre, discs out of touch with it, and a wrong word on who moves.
        """
        first: i64 = int.from_bytes(data[:8], "little", signed=True)
        second: i64 = int.from_bytes(data[8:16], "little", signed=True)
        who = data[16] if len(data) == 17 else OVER + 1
        over = placements(first, second) == 0 and placements(second, first) == 0
        if (
            who > OVER
            or (who == OVER) != over
            or first & second
            or (CENTRE & ~(first | second))
            or not hangs_together(first | second)
        ):
            raise ValueError(f"no position of othello: {data!r}")
        if who == 1:
            self._set(second, first, 1)
        else:
            self._set(first, second, 0)

    @final
    def board_of(self, seat: i64) -> i64:
        """The discs of a seat as 64 bits, h8 being the sign."""
        return self._mine if seat == self._next else self._theirs

    def num_symmetries(self) -> i64:
        return 8

    def symmetry_text(self, symmetry: i64) -> str:
        return SQUARE_SYMMETRIES[symmetry]

    def transform_action(self, symmetry: i64, action: i64) -> i64:
        return symmetric_cell(symmetry, action, 8) if action < PASS else PASS

    def transform_position(self, symmetry: i64) -> None:
        self._mine = symmetric_board(symmetry, self._mine, 8)
        self._theirs = symmetric_board(symmetry, self._theirs, 8)
        self._open = symmetric_board(symmetry, self._open, 8)

    def observation_size(self) -> i64:
        return 193

    def observe_into(self, seat: i64, out: vec[i32]) -> None:
        """Planes of 64 cells: mine, theirs; then the 65 actions legal for me."""
        self._write(self.board_of(seat), self.board_of(1 - seat), seat, out)

    def legacy_observation_size(self) -> i64:
        return 195

    def observe_legacy_into(self, seat: i64, out: vec[i32]) -> None:
        """As `observe_into`, but planes of seat 0 and seat 1; at the end is-seat-0, is-seat-1."""
        self._write(self.board_of(0), self.board_of(1), seat, out)
        out[193] = i32((1 - seat) * F32_ONE)
        out[194] = i32(seat * F32_ONE)

    @final
    def _write(self, first: i64, second: i64, seat: i64, out: vec[i32]) -> None:
        """193 float32 bit patterns: both boards; then the actions legal for `seat`, zeros when it is not to move."""
        legal: i64 = 0  # not `... if ... else 0`: mypyc 2.4 would make objects of both
        if self._who == seat:
            legal = self._open
        write_boards(first, second, legal, out)
        out[192] = i32(F32_ONE) if legal == 0 and self._who == seat else i32(0)

    def action_text(self, action: i64) -> str:
        return TEXTS[action]

    def board_text(self, seat: i64) -> str:
        rows = self._rows()
        return "\n".join(["  a b c d e f g h"] + [f"{i + 1} {' '.join(rows[i])}" for i in range(8)])

    def facts(self, seat: i64) -> dict[str, Any]:
        return {
            "mark": MARKS[seat],
            "opponent_mark": MARKS[1 - seat],
            "rows": self._rows(),
            "discs": {MARKS[s]: int(popcount(self.board_of(s))) for s in range(2)},
        }

    def _rows(self) -> list[str]:
        """Eight strings of X, O and '.', from top to bottom."""
        first = self.board_of(0)
        second = self.board_of(1)
        cells = ["X" if (first >> c) & 1 else "O" if (second >> c) & 1 else "." for c in range(64)]
        return ["".join(cells[i : i + 8]) for i in range(0, 64, 8)]


def write_boards(a: i64, b: i64, c: i64, out: vec[i32]) -> None:
    """192 float32 bit patterns: the cells of three boards.

    Sixteen cells of each quarter of a board at once, the lengths checked before: so gcc leaves out the checks
    of all stores and makes them four at a time, seven times as fast as cell after cell.
    """
    bits = BITS
    one: i32 = i32(F32_ONE)
    if len(out) < 192 or len(bits) < 16:
        raise too_short(len(out), 192)
    a0, a1, a2, a3 = quarters(a)
    b0, b1, b2, b3 = quarters(b)
    c0, c1, c2, c3 = quarters(c)
    k: i64 = 0
    while k < 16:
        out[k] = -(a0 & bits[k]) & one
        out[k + 16] = -(a1 & bits[k]) & one
        out[k + 32] = -(a2 & bits[k]) & one
        out[k + 48] = -(a3 & bits[k]) & one
        out[k + 64] = -(b0 & bits[k]) & one
        out[k + 80] = -(b1 & bits[k]) & one
        out[k + 96] = -(b2 & bits[k]) & one
        out[k + 112] = -(b3 & bits[k]) & one
        out[k + 128] = -(c0 & bits[k]) & one
        out[k + 144] = -(c1 & bits[k]) & one
        out[k + 160] = -(c2 & bits[k]) & one
        out[k + 176] = -(c3 & bits[k]) & one
        k += 1


def quarters(board: i64) -> tuple[i32, i32, i32, i32]:
    """Two rows each, as sixteen bits."""
    return (
        i32(board & 0xFFFF),
        i32((board >> 16) & 0xFFFF),
        i32((board >> 32) & 0xFFFF),
        i32((board >> 48) & 0xFFFF),
    )


def hangs_together(discs: i64) -> bool:
    """Whether every disc is linked to the centre by neighbouring discs."""
    reached: i64 = CENTRE & discs
    while True:
        wide: i64 = reached | ((reached & NOT_H) << 1) | ((reached >> 1) & NOT_H)
        grown: i64 = signed(wide | ((wide & SEVEN_ROWS) << 8) | ((wide >> 8) & SEVEN_ROWS)) & discs
        if grown == reached:
            return reached == discs
        reached = grown


GAME = Othello
