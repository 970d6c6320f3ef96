"""TicTacToe solved once, all 5,478 positions, in a table by position.

Score: 10 less the number of marks on the board when the mover has won (5 at the soonest), negative when the
opponent has. Among equal actions the centre comes first, then corners, then edges.
"""

from typing import Final, final

from librt.vecs import vec
from mypy_extensions import i64, mypyc_attr

from engine.bits import bit, popcount
from engine.core import Game
from engine.games.tictactoe import FULL, TicTacToe, has_line
from engine.solver import Solver

UNKNOWN: Final[i64] = 99
ORDER: Final = (4, 0, 2, 6, 8, 1, 3, 5, 7)


@final
@mypyc_attr(acyclic=True)
class TicTacToeSolver(Solver):
    """Needs no budget: whatever it is given, it answers."""

    def __init__(self) -> None:
        self._table: vec[i64] = vec[i64]()  # by the mover's cells * 512 + the other's

    def solve(self, game: Game, nodes: int = 0, milliseconds: int = 0) -> int | None:
        assert isinstance(game, TicTacToe)
        return int(
            self._score(game.board_of(game.current_player()), game.board_of(1 - game.current_player()))
        )

    def best_action(self, game: Game, nodes: int = 0, milliseconds: int = 0) -> tuple[int, int] | None:
        values = self.action_values(game)
        best: tuple[int, int] | None = None
        for action in ORDER:
            value = values.get(action)
            if value is not None and (best is None or value > best[1]):
                best = (action, value)
        return best

    def action_values(self, game: Game, nodes: int = 0, milliseconds: int = 0) -> dict[int, int | None]:
        assert isinstance(game, TicTacToe)
        mine = game.board_of(game.current_player())
        theirs = game.board_of(1 - game.current_player())
        return {action: int(self._after(mine, theirs, action)) for action in game.legal_actions()}

    def _after(self, mine: i64, theirs: i64, cell: i64) -> i64:
        moved: i64 = mine | bit(cell)
        if has_line(moved):
            return 10 - popcount(moved | theirs)
        return -self._score(theirs, moved)

    def _score(self, mine: i64, theirs: i64) -> i64:
        taken: i64 = mine | theirs
        if taken == FULL:
            return 0
        if len(self._table) == 0:
            self._table = vec[i64]([UNKNOWN] * (512 * 512))
        known = self._table[mine * 512 + theirs]
        if known != UNKNOWN:
            return known
        best: i64 = -UNKNOWN
        cell: i64 = 0
        while cell < 9:
            if not (taken >> cell) & 1:
                value = self._after(mine, theirs, cell)
                if value > best:
                    best = value
            cell += 1
        self._table[mine * 512 + theirs] = best
        return best


SOLVER = TicTacToeSolver
