"""Makes the book of Connect 4, and checks the one there is.

    python -m benchmarks.book --write [--by search|bitbully] [--discs 9]
    python -m benchmarks.book --check 500

What the book holds, and how, engine/search/book.py says. By `search` its outcomes are our own solver's, which takes
an hour or two of one core; by `bitbully` (a peer for tests) they are the signs of its scores, which are exact and
take half a minute. The bytes are the same, as the outcomes are.

The shipped file was made by bitbully 0.0.79 with its book of 12 discs (bitbully-databases 0.0.2, MIT licence), and
checked with --check 1500: so many of its positions, drawn at random, searched to the end by our own solver without a
book (54 CPU seconds). The tests search a few of them every time, ask bitbully about 2,000 positions, and look at the
tree above, up to the first position, whose outcomes are known.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from time import process_time
from typing import NamedTuple

from engine.games.connect4 import BOTTOM, FULL, has_four
from engine.search.book import FILE, HEAD, MAGIC, Book, cell_bytes, place_of, shipped, sum_of
from engine.search.connect4 import Outcomes, key_of, replies, winning_cells, wins_at_once

DISCS = 9
ROOM = 1.23  # cells for each position: of fewer, three places each would seldom all be told apart
SEEDS = 50
PLACE = Path(__file__).parents[1] / "engine" / "search" / FILE


class Position(NamedTuple):
    """Nobody has won."""

    mine: int
    filled: int
    columns: tuple[int, ...]  # moves that lead to it

    def after(self, cell: int) -> Position:
        column = (cell.bit_length() - 1) // 7
        return Position(self.filled ^ self.mine, self.filled | cell, (*self.columns, column))

    def children(self) -> Iterator[Position]:
        """Those after which nobody has won."""
        cells = (self.filled + BOTTOM) & FULL
        while cells:
            cell = cells & -cells
            cells ^= cell
            if not has_four(self.mine | cell):
                yield self.after(cell)

    def key(self) -> int:
        return int(key_of(self.mine, self.filled, len(self.columns)))

    def is_open(self) -> bool:
        """Whether the book has it: the mover neither wins at once nor cannot help losing."""
        dangers = winning_cells(self.filled ^ self.mine, self.filled)
        return not wins_at_once(self.mine, self.filled) and replies(dangers, self.filled) != 0


def positions(discs: int) -> list[Position]:
    """All that can arise, up to mirror images, and those of one parent together."""
    level = [Position(0, 0, ())]
    for _ in range(discs):
        found: dict[int, Position] = {}
        for position in level:
            for child in position.children():
                found.setdefault(child.key(), child)
        level = list(found.values())
    return level


def by_search(asked: Iterable[Position]) -> Iterator[int]:
    outcomes = Outcomes()
    for position in asked:
        yield int(outcomes.of(position.mine, position.filled))


def by_bitbully(asked: Iterable[Position]) -> Iterator[int]:
    import bitbully

    judge = bitbully.BitBully()
    for position in asked:
        board = bitbully.Board()
        if not board.play(list(position.columns)):
            raise ValueError(f"bitbully refuses the moves {position.columns}")
        score = judge.mtdf(board)
        yield (score > 0) - (score < 0)


JUDGES = {"search": by_search, "bitbully": by_bitbully}


def written(discs: int, outcomes: Mapping[int, int]) -> bytes:
    """The file of these outcomes by key. The first seed is taken by which all keys can be told apart."""
    part = int(len(outcomes) * ROOM / 3) + 8
    for seed in range(SEEDS):
        cells = solved(outcomes, part, seed)
        if cells is not None:
            packed = bytearray(cell_bytes(part))
            for place, cell in enumerate(cells):
                packed[place >> 2] |= cell << (place & 3) * 2
            unsigned = HEAD.pack(MAGIC, discs, seed, part, 0) + packed
            return HEAD.pack(MAGIC, discs, seed, part, sum_of(unsigned)) + packed
    raise ValueError(f"no seed below {SEEDS} tells {len(outcomes)} positions apart in 3 x {part} cells")


def solved(outcomes: Mapping[int, int], part: int, seed: int) -> list[int] | None:
    """Cells of which every key's three make its outcome; None where some cannot be told apart.

    A key with a cell for itself can be put right whatever the others are, so it comes last, and is taken away;
    then others have cells for themselves.
    """
    places = {
        key: [part * nth + int(place_of(key, seed * 3 + nth, part)) for nth in range(3)] for key in outcomes
    }
    count, keys = [0] * (3 * part), [0] * (3 * part)  # of those left at a cell: how many; their exclusive or
    for key, mine in places.items():
        for place in mine:
            count[place] += 1
            keys[place] ^= key
    alone = [place for place, many in enumerate(count) if many == 1]
    order: list[tuple[int, int]] = []
    while alone:
        own = alone.pop()
        if count[own] != 1:
            continue
        key = keys[own]
        order.append((key, own))
        for place in places[key]:
            count[place] -= 1
            keys[place] ^= key
            if count[place] == 1:
                alone.append(place)
    if len(order) < len(outcomes):
        return None
    cells = [0] * (3 * part)
    for key, own in reversed(order):
        cells[own] = outcomes[key] + 1
        for place in places[key]:
            if place != own:
                cells[own] ^= cells[place]
    return cells


def check(count: int) -> str:
    """Positions of the shipped book, drawn at random, searched without it. SystemExit where they differ."""
    book, began = shipped(), process_time()
    known = [position for position in positions(int(book.discs)) if position.is_open()]
    drawn = random.Random(count).sample(known, count)
    for position, outcome in zip(drawn, by_search(drawn), strict=True):
        if book.outcome(position.key()) != outcome:
            raise SystemExit(
                f"after {position.columns} the book says {book.outcome(position.key())}, not {outcome}"
            )
    return f"{count} of {len(known)} positions searched and right, {process_time() - began:.0f} CPU s"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--by", choices=JUDGES, default="search")
    parser.add_argument("--discs", type=int, default=DISCS)
    parser.add_argument("--write", action="store_true", help=f"make {PLACE.name} anew")
    parser.add_argument("--check", type=int, default=0, metavar="N", help="search N of its positions")
    asked = parser.parse_args()
    if asked.write:
        began = process_time()
        known = [position for position in positions(asked.discs) if position.is_open()]
        outcomes = dict(zip([position.key() for position in known], JUDGES[asked.by](known), strict=True))
        data = written(asked.discs, outcomes)
        book = Book(data)
        if any(book.outcome(key) != outcome for key, outcome in outcomes.items()):
            raise SystemExit("the file does not say what it was made of")
        PLACE.write_bytes(data)
        print(f"{len(known)} positions in {len(data)} bytes, {process_time() - began:.0f} CPU s")
    if asked.check:
        print(check(asked.check))


if __name__ == "__main__":
    main()
