"""TicTacToe: two nine-bit boards and eight lines.

Cell = row * 3 + column, row 0 on top; a move is written column letter, row number from the top (a1 = cell 0).
"""

from typing import Any, Final, final

from librt.vecs import vec
from mypy_extensions import i32, i64, mypyc_attr, u8

from engine.bits import (
    BITS,
    F32_ONE,
    SQUARE_SYMMETRIES,
    bit,
    popcount,
    symmetric_board,
    symmetric_cell,
    too_short,
)
from engine.core import VALUE_ONE, Game
from engine.rng import Rng

FULL: Final[i64] = 0x1FF
CELLS: Final = tuple([column + row for row in "123" for column in "abc"])
MARKS: Final = "XO"
RULES: Final = (
    "TicTacToe is played on a board of 3 by 3 cells. X moves first, then the players take turns. "
    "A move puts the player's own mark on an empty cell. "
    "The first player with three own marks in a line - a row, a column or a diagonal - wins. "
    "If all nine cells are filled and nobody has such a line, the game is a draw. "
    "A move is written as column letter and row number, a1 to c3. "
    "Columns are a, b, c from left to right; rows are 1, 2, 3 from top to bottom, so a1 is the top left cell."
)


# What `legal_actions` and `action_mask` answer, by the taken cells as bits.
LISTS: Final = [[a for a in range(9) if not (taken >> a) & 1] for taken in range(512)]
MASKS: Final = [bytes([1 - ((taken >> a) & 1) for a in range(9)]) for taken in range(512)]
COUNTS: Final = vec[i64]([len(cells) for cells in LISTS])
FREE: Final = vec[i64]([cell for cells in LISTS for cell in (cells + [0] * 9)[:9]])  # LISTS, flat


def has_line(b: i64) -> bool:
    """Whether three of these cells stand in a row, column or diagonal."""
    rows: i64 = b & (b >> 1) & (b >> 2) & 0x049
    columns: i64 = b & (b >> 3) & (b >> 6) & 0x007
    return (rows | columns) != 0 or (b & 0x111) == 0x111 or (b & 0x054) == 0x054


@final
@mypyc_attr(acyclic=True)
class TicTacToe(Game):
    """`_mine` are the cells of the seat to move (once over: that would be), `_theirs` the other's."""

    def __init__(self) -> None:
        self._mine: i64 = 0
        self._theirs: i64 = 0
        self._who: i64 = 0
        self._winner: i64 = -1

    def name(self) -> str:
        return "tictactoe"

    def num_actions(self) -> i64:
        return 9

    def max_plies(self) -> i64:
        return 9

    def zero_sum(self) -> bool:
        return True

    def rules_text(self) -> str:
        return RULES

    def start(self, rng: Rng) -> None:
        self._mine = 0
        self._theirs = 0
        self._who = 0
        self._winner = -1

    def current_player(self) -> i64:
        return self._who

    def is_terminal(self) -> bool:
        return self._who < 0

    def ply(self) -> i64:
        return popcount(self._mine | self._theirs)

    def step(self, action: i64) -> None:
        moved: i64 = self._mine | bit(action)
        self._mine = self._theirs
        self._theirs = moved
        if has_line(moved):
            self._winner = self._who
            self._who = -1
        elif (moved | self._mine) == FULL:
            self._who = -1
        else:
            self._who = 1 - self._who

    def payoff(self, seat: i64) -> i64:
        if self._winner < 0:
            return 0
        return 1 if self._winner == seat else -1

    def value(self, seat: i64) -> i64:
        return self.payoff(seat) * VALUE_ONE

    def legal_into(self, out: vec[i64]) -> i64:
        if self._who < 0:
            return 0
        taken: i64 = self._mine | self._theirs
        n: i64 = 0
        cell: i64 = 0
        while cell < 9:
            out[n] = cell
            n += 1 - ((taken >> cell) & 1)
            cell += 1
        return n

    def is_legal(self, action: i64) -> bool:
        return self._who >= 0 and action < 9 and not ((self._mine | self._theirs) >> action) & 1

    def legal_actions(self) -> list[int]:
        return LISTS[self._mine | self._theirs].copy() if self._who >= 0 else []

    def action_mask(self) -> bytes:
        return MASKS[self._mine | self._theirs if self._who >= 0 else FULL]

    def mask_into(self, out: vec[u8]) -> None:
        taken: i64 = self._mine | self._theirs if self._who >= 0 else FULL
        if len(out) < 9:  # checked once, gcc need not check every store
            raise too_short(len(out), 9)
        cell: i64 = 0
        while cell < 9:
            out[cell] = u8(1 - ((taken >> cell) & 1))
            cell += 1

    def random_action(self, rng: Rng) -> i64:
        # By table: to draw until a cell is free would mispredict a branch at most moves.
        taken: i64 = self._mine | self._theirs
        return FREE[taken * 9 + rng.below(COUNTS[taken])]

    def playout(self, rng: Rng) -> None:
        # The same moves as by `step`, in locals: this is where a search spends its time.
        mine = self._mine
        theirs = self._theirs
        who = self._who
        fraction: i64 = 0
        draws: i64 = 0
        while who >= 0:
            # One 32-bit draw serves for four cells: its digits to the base 9, uneven by 9**4 / 2**32.
            if draws == 0:
                fraction = rng.next32()
                draws = 4
            fraction *= 9
            cell: i64 = fraction >> 32
            fraction &= 0xFFFFFFFF
            draws -= 1
            if not ((mine | theirs) >> cell) & 1:
                moved: i64 = mine | bit(cell)
                mine = theirs
                theirs = moved
                if has_line(moved):
                    self._winner = who
                    who = -1
                elif (moved | mine) == FULL:
                    who = -1
                else:
                    who = 1 - who
        self._mine = mine
        self._theirs = theirs
        self._who = who

    def clone(self) -> "TicTacToe":
        game = TicTacToe()
        game.copy_from(self)
        game.copy_history(self)
        return game

    def copy_from(self, other: Game) -> None:
        assert isinstance(other, TicTacToe)
        self._mine = other._mine
        self._theirs = other._theirs
        self._who = other._who
        self._winner = other._winner

    def position_bytes(self) -> bytes:
        return int(self.board_of(0) * 512 + self.board_of(1)).to_bytes(3, "little")

    def set_position(self, data: bytes) -> None:
        code: i64 = int.from_bytes(data, "little") if len(data) == 3 else -1
        first: i64 = code // 512
        second: i64 = code % 512
        ahead: i64 = popcount(first & FULL) - popcount(second)
        over_for_first = has_line(first)
        over_for_second = has_line(second)
        if (
            not 0 <= first <= FULL
            or first & second
            or not 0 <= ahead <= 1
            or (over_for_first and (over_for_second or ahead == 0))
            or (over_for_second and ahead == 1)
        ):
            raise ValueError(f"no position of tictactoe: {data!r}")
        self._winner = 0 if over_for_first else 1 if over_for_second else -1
        self._mine = second if ahead else first
        self._theirs = first if ahead else second
        self._who = -1 if self._winner >= 0 or (first | second) == FULL else ahead

    @final
    def board_of(self, seat: i64) -> i64:
        """The nine cells of a seat as bits."""
        mover = self._who if self._who >= 0 else popcount(self._mine | self._theirs) & 1
        return self._mine if mover == seat else self._theirs

    def num_symmetries(self) -> i64:
        return 8

    def symmetry_text(self, symmetry: i64) -> str:
        return SQUARE_SYMMETRIES[symmetry]

    def transform_action(self, symmetry: i64, action: i64) -> i64:
        return symmetric_cell(symmetry, action, 3)

    def transform_position(self, symmetry: i64) -> None:
        self._mine = symmetric_board(symmetry, self._mine, 3)
        self._theirs = symmetric_board(symmetry, self._theirs, 3)

    def observation_size(self) -> i64:
        return 27

    def observe_into(self, seat: i64, out: vec[i32]) -> None:
        """Planes of nine cells: mine, theirs, legal for me."""
        mine = self.board_of(seat)
        theirs: i64 = (self._mine | self._theirs) ^ mine
        legal: i64 = FULL ^ mine ^ theirs
        if self._who != seat:
            legal = 0
        # Sixteen cells and eleven, lengths checked before: so gcc checks no store and makes four at a time.
        bits = BITS
        one: i32 = i32(F32_ONE)
        if len(out) < 27 or len(bits) < 16:
            raise too_short(len(out), 27)
        planes: i64 = mine | (theirs << 9) | (legal << 18)
        low: i32 = i32(planes & 0xFFFF)
        high: i32 = i32(planes >> 16)
        k: i64 = 0
        while k < 16:
            out[k] = -(low & bits[k]) & one
            k += 1
        k = 0
        while k < 11:
            out[16 + k] = -(high & bits[k]) & one
            k += 1

    def legacy_observation_size(self) -> i64:
        return 29

    def observe_legacy_into(self, seat: i64, out: vec[i32]) -> None:
        """Planes of nine cells: seat 0, seat 1, legal for the observer; then is-seat-0, is-seat-1."""
        first = self.board_of(0)
        second = self.board_of(1)
        legal: i64 = 0
        if self._who == seat:
            legal = FULL ^ first ^ second
        cell: i64 = 0
        while cell < 9:
            out[cell] = i32(((first >> cell) & 1) * F32_ONE)
            out[9 + cell] = i32(((second >> cell) & 1) * F32_ONE)
            out[18 + cell] = i32(((legal >> cell) & 1) * F32_ONE)
            cell += 1
        out[27] = i32((1 - seat) * F32_ONE)
        out[28] = i32(seat * F32_ONE)

    def action_text(self, action: i64) -> str:
        return CELLS[action]

    def board_text(self, seat: i64) -> str:
        rows = self._rows()
        return "\n".join(["  a b c"] + [f"{i + 1} {' '.join(rows[i])}" for i in range(3)])

    def facts(self, seat: i64) -> dict[str, Any]:
        return {"mark": MARKS[seat], "opponent_mark": MARKS[1 - seat], "rows": self._rows()}

    def _rows(self) -> list[str]:
        """Three strings of X, O and '.', from top to bottom."""
        first = self.board_of(0)
        second = self.board_of(1)
        cells = ["X" if (first >> c) & 1 else "O" if (second >> c) & 1 else "." for c in range(9)]
        return ["".join(cells[i : i + 3]) for i in (0, 3, 6)]


GAME = TicTacToe
