"""Slow bots think elsewhere: the same moves, and nobody else waits."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import engine
from orchestrator.players import BotPlayer
from orchestrator.pool import Pool
from tests.orchestrator.duels import play, request, rows


def test_a_bot_in_the_pool_plays_what_it_plays_here(tmp_path, monkeypatch) -> None:
    asked = request("bot:mcts:60?c=1.23456789", "bot:greedy", pairs=3)
    play(tmp_path / "here", asked)
    monkeypatch.setattr(BotPlayer, "SLOW_S", -1.0)
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


def test_the_processes_end_with_their_parent_however_sudden() -> None:
    code = """
import asyncio, os, sys, engine
from orchestrator.pool import Pool
async def main():
    pool = Pool()
    await pool.choose(("random", ()), engine.new("tictactoe", 1), engine.Rng(1))
    print(*pool._executor._processes, flush=True)
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
