"""Into which part a decision goes: by a hash of what must not be in two parts, the same on every machine.

    position   the position up to symmetry: for single decisions of games in which nothing is hidden
    deal       the deal, from which every seat and every replay comes: for games with hidden cards
    pair       the matches of one deal between the same players
    match      the match: for whole games, whose first plies are then shared, which is told

By row, by match or by exact board nearly every test position is also one of training (99.8 to 100 % of 30,390
decisions of TicTacToe); by class none is.

A hash may send the empty board to the test part, and a model that never saw the first move cannot play: the first
plies are pinned to training. The share of each part is that of the classes, not of the rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from orchestrator.export.columns import Row
from orchestrator.export.example import Split

By = Literal["auto", "position", "deal", "pair", "match"]
SPLITS: tuple[Split, ...] = get_args(Split)
KEY: Mapping[str, str] = {
    "position": "position_class",
    "deal": "deal",
    "pair": "pair_id",
    "match": "match_id",
}


class Policy(NamedTuple):
    """How an export is parted. `auto` is `deal` for a game with hidden information, else `position`."""

    by: By = "auto"
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)  # of SPLITS
    salt: str = "duelist-1"
    pin_plies: int = 1  # decisions before this ply are for training; of `position` only

    def check(self) -> None:
        """Raises ValueError."""
        if self.by not in get_args(By):
            raise ValueError(f"split by {self.by!r}: expected one of {', '.join(get_args(By))}")
        if len(self.shares) != 3 or min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-9:
            raise ValueError(
                f"shares {self.shares}: expected three of train, validation and test, with the sum 1"
            )
        if self.pin_plies < 0:
            raise ValueError(f"pinned plies {self.pin_plies}: expected 0 or more")

    def key(self, row: Row, hidden: bool) -> str:
        """What must not be in two parts."""
        by = ("deal" if hidden else "position") if self.by == "auto" else self.by
        return f"{row['game']}|{row['variant']}|{row[KEY[by]]}"

    def pins(self, row: Row, hidden: bool) -> bool:
        """Whether all rows of this one's key are for training."""
        by_position = self.by == "position" or (self.by == "auto" and not hidden)
        return by_position and row["ply"] < self.pin_plies

    def split(self, row: Row, hidden: bool) -> Split:
        """The part of a row, but for what is pinned."""
        return self.drawn(self.key(row, hidden))

    def drawn(self, key: str) -> Split:
        """The part of a key, by its hash alone."""
        digest = hashlib.sha256(f"{self.salt}|{key}".encode()).digest()
        at = int.from_bytes(digest[:8], "big") / 2**64
        for split, share in zip(SPLITS, self.shares, strict=True):
            if at < share:
                return split
            at -= share
        return SPLITS[0]  # shares that sum to 1 but for rounding
