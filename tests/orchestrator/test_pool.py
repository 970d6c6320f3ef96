"""Slow bots think elsewhere: the same moves, and nobody else waits."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection
from pathlib import Path

import pytest

import engine
from orchestrator.players import BotPlayer
from orchestrator.pool import Pool
from tests.orchestrator.duels import play, request, rows


def test_a_bot_in_the_pool_plays_what_it_plays_here(tmp_path, monkeypatch) -> None:
    asked = request("bot:mcts:60?c=1.23456789", "bot:greedy", pairs=3)
    play(tmp_path / "here", asked)
    monkeypatch.setattr(BotPlayer, "SLOW_S", -1.0)
    monkeypatch.setattr(BotPlayer, "QUICK", ())
    play(tmp_path / "there", asked)
    assert rows(tmp_path / "here") == rows(tmp_path / "there")


def test_while_a_bot_thinks_the_loop_goes_on() -> None:
    async def main() -> list[float]:
        pool, gaps = Pool(), []
        game = engine.new("connect4", 1)
        recipe = ("mcts:1000000" if engine.is_compiled() else "mcts:10000", ())
        await pool.choose(recipe, game, engine.Rng(1))  # the process is up
        thinking = asyncio.create_task(pool.choose(recipe, game, engine.Rng(2)))
        while not thinking.done():
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            gaps.append(time.perf_counter() - began)
        pool.close()
        return gaps

    assert len(asyncio.run(main())) >= 3, "the loop came round while the bot thought"


def test_no_long_thought_is_ever_begun_here(tmp_path, monkeypatch) -> None:
    """Not even the first, of which nobody knows yet how long it takes, in any of the matches at once."""
    sims = 200_000 if engine.is_compiled() else 2000
    bots: list = []
    made = BotPlayer.__init__

    def watched(self, *args):
        made(self, *args)
        self.bot = type("Watched", (), {"choose": lambda *_: bots.append("here")})()

    monkeypatch.setattr(BotPlayer, "__init__", watched)
    monkeypatch.setattr(BotPlayer, "SLOW_S", -1.0)
    asked = request(f"bot:mcts:{sims}", f"bot:mcts:{sims}?c=1", game="tictactoe", opening=5, pairs=3)
    ending, _ = play(tmp_path, asked, concurrency=6)
    assert bots == [] and not ending.reason


def test_a_process_that_was_killed_is_replaced() -> None:
    async def main() -> int:
        pool, game = Pool(), engine.new("tictactoe", 1)
        await pool.choose(("random", ()), game, engine.Rng(1))
        for process in multiprocessing.active_children():
            process.kill()
            process.join()
        action = (await pool.choose(("random", ()), game, engine.Rng(1))).action
        pool.close()
        return action

    assert asyncio.run(main()) in range(9)


def test_a_pool_whose_pipes_are_closed_before_it_is_known_as_broken_is_replaced() -> None:
    class Breaking(ProcessPoolExecutor):
        def submit(self, *_args, **_more):
            raise OSError("handle is closed")

    async def main() -> int:
        pool = Pool()
        pool._executor = Breaking(1, multiprocessing.get_context("spawn"))
        thought = await pool.choose(("random", ()), engine.new("tictactoe", 1), engine.Rng(1))
        pool.close()
        return thought.action

    assert asyncio.run(main()) in range(9)


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN])
def test_closing_does_not_wait_for_a_thought(handler: signal.Handlers) -> None:
    signal.signal(signal.SIGTERM, handler)  # what the processes inherit

    async def main() -> None:
        pool, game = Pool(), engine.new("connect4", 1)
        await pool.choose(("random", ()), game, engine.Rng(1))
        endless = asyncio.ensure_future(pool.choose(("mcts", (("ms", "60000"),)), game, engine.Rng(1)))
        await asyncio.sleep(0.2)
        assert not endless.done()
        endless.cancel()
        pool.close()
        # Not is_alive(): the executor's own thread may have collected the exit status and not noted it yet.
        for process in multiprocessing.active_children():
            assert connection.wait([process.sentinel], timeout=20), "still thinking"

    asyncio.run(main())


def test_the_processes_end_with_their_parent_however_sudden() -> None:
    code = """
import asyncio, multiprocessing, os, sys, engine
from orchestrator.pool import Pool
async def main():
    pool = Pool()
    await pool.choose(("random", ()), engine.new("tictactoe", 1), engine.Rng(1))
    minute, game = ("mcts", (("ms", "60000"),)), engine.new("connect4", 1)
    thinking = asyncio.ensure_future(pool.choose(minute, game, engine.Rng(1)))
    await asyncio.sleep(0.3)
    assert not thinking.done()
    print(*(process.pid for process in multiprocessing.active_children()), flush=True)
    os._exit(9)
if __name__ == "__main__":
    asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    pids = [int(word) for word in done.stdout.split()]
    assert done.returncode == 9 and pids, done.stderr
    until = time.monotonic() + 20
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < until, "orphans"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
