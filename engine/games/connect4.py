"""Connect 4: seven columns of seven bits, the topmost always empty, so that shifts never run over.

Bit = column * 7 + row, row 0 at the bottom. An action is a column, 0-based; it is written as its number,
1 to 7. The layout is the usual one of bitboard solvers, see engine/solvers/connect4.py.
"""

from typing import Any, Final, final

from librt.vecs import vec
from mypy_extensions import i32, i64, mypyc_attr, u8

from engine.bits import F32_ONE, bit, popcount, too_short
from engine.core import VALUE_ONE, Game
from engine.rng import Rng

BOTTOM: Final[i64] = 0x40810204081  # the lowest cell of each column
FULL: Final[i64] = 0xFDFBF7EFDFBF  # all 42 cells
COLUMN: Final[i64] = 0x7F
HALF: Final[i64] = 0xFFFFFFF  # four columns
MARKS: Final = "XO"
RULES: Final = (
    "Connect 4 is played on an upright board of 7 columns and 6 rows. "
    "X moves first, then the players take turns. "
    "A move drops one of the player's own discs into a column that is not full; "
    "the disc falls to the lowest empty cell of that column. "
    "The first player with four own discs in an unbroken line - horizontal, vertical or diagonal - wins. "
    "If all 42 cells are filled and nobody has such a line, the game is a draw. "
    "A move is written as the number of the column, 1 to 7 from left to right."
)


# What `legal_actions` and `action_mask` answer, by the open columns as bits.
LISTS: Final = [[a for a in range(7) if (columns >> a) & 1] for columns in range(128)]
MASKS: Final = [bytes([(columns >> a) & 1 for a in range(7)]) for columns in range(128)]

# For the cells row by row: its bit, if it is in the four columns on the left; its bit from there on, if not.
LOW: Final = vec[i32]([i32(2 ** (c * 7 + r)) if c < 4 else i32(0) for r in range(6) for c in range(7)])
HIGH: Final = vec[i32]([i32(2 ** (c * 7 + r - 28)) if c >= 4 else i32(0) for r in range(6) for c in range(7)])


def has_four(b: i64) -> bool:
    """Whether four of these discs stand in a line."""
    m: i64 = b & (b >> 1)
    if m & (m >> 2):
        return True
    m = b & (b >> 7)
    if m & (m >> 14):
        return True
    m = b & (b >> 6)
    if m & (m >> 12):
        return True
    m = b & (b >> 8)
    return (m & (m >> 16)) != 0


def mirrored(b: i64) -> i64:
    """The board with left and right exchanged."""
    out: i64 = 0
    column: i64 = 0
    while column < 7:
        out |= ((b >> (column * 7)) & COLUMN) << ((6 - column) * 7)
        column += 1
    return out


@final
@mypyc_attr(acyclic=True)
class Connect4(Game):
    """`_mine` are the discs of the seat to move (once over: that would be), `_all` those of both."""

    def __init__(self) -> None:
        self._mine: i64 = 0
        self._all: i64 = 0
        self._who: i64 = 0
        self._winner: i64 = -1

    def name(self) -> str:
        return "connect4"

    def num_actions(self) -> i64:
        return 7

    def max_plies(self) -> i64:
        return 42

    def zero_sum(self) -> bool:
        return True

    def rules_text(self) -> str:
        return RULES

    def start(self, rng: Rng) -> None:
        self._mine = 0
        self._all = 0
        self._who = 0
        self._winner = -1

    def current_player(self) -> i64:
        return self._who

    def is_terminal(self) -> bool:
        return self._who < 0

    def ply(self) -> i64:
        return popcount(self._all)

    def step(self, action: i64) -> None:
        old = self._all
        new: i64 = old | (old + bit(action * 7))
        moved: i64 = self._mine | (new ^ old)
        self._all = new
        self._mine = new ^ moved
        if has_four(moved):
            self._winner = self._who
            self._who = -1
        elif new == FULL:
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
        filled = self._all
        n: i64 = 0
        column: i64 = 0
        while column < 7:
            out[n] = column
            n += 1 - ((filled >> (column * 7 + 5)) & 1)
            column += 1
        return n

    def is_legal(self, action: i64) -> bool:
        return self._who >= 0 and action < 7 and not (self._all >> (action * 7 + 5)) & 1

    def legal_actions(self) -> list[int]:
        return LISTS[self._open_columns()].copy()

    def action_mask(self) -> bytes:
        return MASKS[self._open_columns()]

    def mask_into(self, out: vec[u8]) -> None:
        closed = self._all if self._who >= 0 else FULL
        if len(out) < 7:  # checked once, gcc need not check every store
            raise too_short(len(out), 7)
        column: i64 = 0
        while column < 7:
            out[column] = u8(1 - ((closed >> (column * 7 + 5)) & 1))
            column += 1

    def random_action(self, rng: Rng) -> i64:
        filled = self._all
        while True:
            column = rng.below(7)
            if not (filled >> (column * 7 + 5)) & 1:
                return column

    def playout(self, rng: Rng) -> None:
        # The same moves as by `step`, in locals: this is where a search spends its time.
        mine = self._mine
        filled = self._all
        who = self._who
        fraction: i64 = 0
        draws: i64 = 0
        while who >= 0:
            # One 32-bit draw serves for five columns: its digits to the base 7, uneven by 7**5 / 2**32.
            if draws == 0:
                fraction = rng.next32()
                draws = 5
            fraction *= 7
            at: i64 = (fraction >> 32) * 7
            fraction &= 0xFFFFFFFF
            draws -= 1
            if not (filled >> (at + 5)) & 1:
                new: i64 = filled | (filled + bit(at))
                moved: i64 = mine | (new ^ filled)
                filled = new
                mine = new ^ moved
                if has_four(moved):
                    self._winner = who
                    who = -1
                elif new == FULL:
                    who = -1
                else:
                    who = 1 - who
        self._mine = mine
        self._all = filled
        self._who = who

    def clone(self) -> "Connect4":
        game = Connect4()
        game.copy_from(self)
        game.copy_history(self)
        return game

    def copy_from(self, other: Game) -> None:
        assert isinstance(other, Connect4)
        self._mine = other._mine
        self._all = other._all
        self._who = other._who
        self._winner = other._winner

    def position_bytes(self) -> bytes:
        return int(self.board_of(0)).to_bytes(7, "little") + int(self.board_of(1)).to_bytes(7, "little")

    def set_position(self, data: bytes) -> None:
        first: i64 = int.from_bytes(data[:7], "little")
        second: i64 = int.from_bytes(data[7:14], "little")
        both: i64 = first | second
        ahead: i64 = popcount(first) - popcount(second)
        won_by_first = has_four(first)
        won_by_second = has_four(second)
        if (
            len(data) != 14
            or both & ~FULL
            or first & second
            or not falls(both)
            or not 0 <= ahead <= 1
            or (won_by_first and (won_by_second or ahead == 0))
            or (won_by_second and ahead == 1)
        ):
            raise ValueError(f"no position of connect4: {data!r}")
        self._winner = 0 if won_by_first else 1 if won_by_second else -1
        self._all = both
        self._mine = second if ahead else first
        self._who = -1 if self._winner >= 0 or both == FULL else ahead

    @final
    def board_of(self, seat: i64) -> i64:
        """The discs of a seat as bits."""
        mover = self._who if self._who >= 0 else popcount(self._all) & 1
        return self._mine if mover == seat else self._all ^ self._mine

    @final
    def mine(self) -> i64:
        """The discs of the seat to move, as bits."""
        return self._mine

    @final
    def filled(self) -> i64:
        """All discs, as bits."""
        return self._all

    @final
    def _open_columns(self) -> i64:
        """The columns that may be played, as seven bits; 0 when over."""
        if self._who < 0:
            return 0
        top: i64 = (self._all >> 5) & BOTTOM
        full: i64 = top | (top >> 6) | (top >> 12) | (top >> 18) | (top >> 24) | (top >> 30) | (top >> 36)
        return 0x7F ^ (full & 0x7F)

    def num_symmetries(self) -> i64:
        return 2

    def symmetry_text(self, symmetry: i64) -> str:
        return "mirrored" if symmetry else "as it is"

    def transform_action(self, symmetry: i64, action: i64) -> i64:
        return 6 - action if symmetry else action

    def transform_position(self, symmetry: i64) -> None:
        if symmetry:
            self._mine = mirrored(self._mine)
            self._all = mirrored(self._all)

    def observation_size(self) -> i64:
        return 91

    def observe_into(self, seat: i64, out: vec[i32]) -> None:
        """Planes of 42 cells, row by row from the bottom: mine, theirs; then the 7 columns legal for me."""
        write_numbers(self.board_of(seat), self._all, self._who == seat, out)

    def legacy_observation_size(self) -> i64:
        return 93

    def observe_legacy_into(self, seat: i64, out: vec[i32]) -> None:
        """As `observe_into`, but planes of seat 0 and seat 1; at the end is-seat-0, is-seat-1."""
        write_numbers(self.board_of(0), self._all, self._who == seat, out)
        out[91] = i32((1 - seat) * F32_ONE)
        out[92] = i32(seat * F32_ONE)

    def action_text(self, action: i64) -> str:
        return str(action + 1)

    def board_text(self, seat: i64) -> str:
        return "\n".join(["1 2 3 4 5 6 7"] + [" ".join(row) for row in self._rows()])

    def facts(self, seat: i64) -> dict[str, Any]:
        return {"mark": MARKS[seat], "opponent_mark": MARKS[1 - seat], "rows": self._rows()}

    def _rows(self) -> list[str]:
        """Six strings of X, O and '.', from top to bottom."""
        first = self.board_of(0)
        second: i64 = self._all ^ first
        rows = []
        for row in range(5, -1, -1):
            cells = [column * 7 + row for column in range(7)]
            rows.append(
                "".join(["X" if (first >> c) & 1 else "O" if (second >> c) & 1 else "." for c in cells])
            )
        return rows


def falls(filled: i64) -> bool:
    """Whether no disc hangs in the air."""
    column: i64 = 0
    while column < 7:
        discs: i64 = (filled >> (column * 7)) & COLUMN
        if discs & (discs + 1):
            return False
        column += 1
    return True


def write_numbers(first: i64, filled: i64, to_move: bool, out: vec[i32]) -> None:
    """91 float32 bit patterns: the cells of `first`, then the other discs, row by row from the bottom; then the
    columns that are not full, zeros when not to move.
    """
    # The lengths checked before, gcc checks no store and makes four at a time.
    low = LOW
    high = HIGH
    one: i32 = i32(F32_ONE)
    if len(out) < 91 or len(low) < 42 or len(high) < 42:
        raise too_short(len(out), 91)
    second: i64 = filled ^ first
    a: i32 = i32(first & HALF)
    b: i32 = i32(first >> 28)
    c: i32 = i32(second & HALF)
    d: i32 = i32(second >> 28)
    k: i64 = 0
    while k < 42:
        out[k] = (-(a & low[k] | b & high[k]) >> 31) & one
        out[42 + k] = (-(c & low[k] | d & high[k]) >> 31) & one
        k += 1
    if not to_move:
        one = 0
    a |= c
    b |= d
    k = 0
    while k < 7:
        out[84 + k] = ~(-(a & low[35 + k] | b & high[35 + k]) >> 31) & one
        k += 1


GAME = Connect4
