"""Writes the opening book of Connect 4: `python -m benchmarks.engine.connect4_book --output FILE`.

The book holds the exact score of every position of up to `--plies` discs, mirror images once, except those
that are over or won at once. Positions with the most discs are searched, in parts of PART that go to
FILE.parts as soon as they are done, so that a later call goes on; the others follow from them. After
`--seconds` what there is becomes the book: the solver searches for what it lacks.
"""

from __future__ import annotations

import argparse
import random
import time
from multiprocessing import Pool, TimeoutError
from pathlib import Path

import engine
from engine.games.connect4 import Connect4
from engine.solvers.connect4 import Connect4Solver, book_key, pack_book, unpack_book, wins_at_once

PART = 16
Positions = dict[int, bytes]  # the position's bytes by its book key


def levels(plies: int) -> list[Positions]:
    """By number of discs: all positions that are not over, of each and its mirror image one."""
    game = Connect4()
    found: list[Positions] = [{0: game.position_bytes()}]
    while len(found) <= plies:
        following: Positions = {}
        for data in found[-1].values():
            game.set_position(data)
            for action in game.legal_actions():
                child = game.clone()
                child.step(action)
                if not child.is_terminal():
                    following[book_key(child.mine(), child.filled())] = child.position_bytes()
        found.append(following)
    return found


def open_ones(level: Positions) -> Positions:
    """Without those where the mover wins at once."""
    game = Connect4()
    kept: Positions = {}
    for key in sorted(level):
        game.set_position(level[key])
        if not wins_at_once(game.mine(), game.filled()):
            kept[key] = level[key]
    return kept


def search(job: tuple[Path, Positions]) -> float:
    """Write one part: the scores of those positions. The CPU seconds that it took."""
    path, positions = job
    began = time.process_time()
    game, solver = Connect4(), Connect4Solver({})
    scores: dict[int, int] = {}
    for key, data in positions.items():
        game.set_position(data)
        score = solver.solve(game)
        assert score is not None, "without a budget a solver answers"
        scores[key] = score
    half = path.with_suffix(".half")
    half.write_bytes(pack_book(scores))
    half.rename(path)
    return time.process_time() - began


def add_earlier(book: dict[int, int], found: list[Positions]) -> None:
    """Positions with fewer discs, from the last back: scored where all their moves lead to known ones."""
    game, solver = Connect4(), Connect4Solver(book)
    for level in reversed(found):
        for key, data in level.items():
            game.set_position(data)
            values = [score for score in solver.action_values(game, nodes=1).values() if score is not None]
            if len(values) == len(game.legal_actions()):
                book[key] = max(values)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the opening book of Connect 4.")
    parser.add_argument("--plies", type=int, default=8, help="most discs of a position in the book")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--seconds", type=float, default=86400.0, help="stop searching after so long")
    parser.add_argument("--output", type=Path, required=True)
    asked = parser.parse_args()
    stop = time.monotonic() + asked.seconds
    found = [open_ones(level) for level in levels(asked.plies)]
    last = sorted(found.pop().items())
    folder = asked.output.with_suffix(".parts")
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(folder / f"{at:07d}.book", dict(last[at : at + PART])) for at in range(0, len(last), PART)]
    waiting = [job for job in jobs if not job[0].exists()]
    random.Random(1).shuffle(waiting)  # so that a book cut short is a fair sample
    print(
        f"{len(last)} positions of {asked.plies} discs, {len(waiting)} of {len(jobs)} parts to search; ",
        end="",
    )
    print("compiled" if engine.is_compiled() else "as plain Python")
    with Pool(asked.workers) as pool:
        done = pool.imap_unordered(search, waiting)
        for count in range(1, len(waiting) + 1):
            try:
                seconds = done.next(timeout=max(0.001, stop - time.monotonic()))
            except TimeoutError:
                break
            print(f"{count} of {len(waiting)}: {seconds / PART:.3f} CPU seconds per position", flush=True)
    book: dict[int, int] = {}
    for path, _ in jobs:
        if path.exists():
            book.update(unpack_book(path.read_bytes()))
    print(f"{len(book)} of {len(last)} positions of {asked.plies} discs")
    add_earlier(book, found)
    asked.output.write_bytes(pack_book(book))
    print(f"{asked.output}: {len(book)} positions, {asked.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
