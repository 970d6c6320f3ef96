"""A planted key must not be found anywhere: record, logs, output, errors."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from aiohttp import web

from orchestrator.record.reading import reading
from orchestrator.record.store import blob_texts
from providers.simulated import Behaviour
from tests.served import served

KEYS = {
    "ANTHROPIC_API_KEY": "sk-ant-PLANTED-a1b2c3d4e5f6",
    "OPENAI_API_KEY": "sk-proj-PLANTED-a1b2c3d4e5f6",
    "GEMINI_API_KEY": "AIza-PLANTED-a1b2c3d4e5f6",
    "LOCAL_API_KEY": "local-PLANTED-a1b2c3d4e5f6",
}
PLAYERS = {
    "anthropic": "anthropic:claude-haiku-5-5",
    "openai": "openai:gpt-6-luna",
    "google": "google:gemini-3.8-flash",
    "local": "local:some-model",
}


@contextmanager
def parrot(status: int) -> Iterator[str]:
    """A server that says back every header it was sent, as careless gateways do in their error pages."""
    box: dict[str, object] = {}
    started = threading.Event()

    async def answer(request: web.Request) -> web.Response:
        told = {
            "error": {"message": f"rejected: {dict(request.headers)} {request.query_string}", "type": "e"}
        }
        return web.json_response(told, status=status)

    async def main() -> None:
        stop = asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        box.update(
            url=f"http://127.0.0.1:{runner.addresses[0][1]}", stop=stop, loop=asyncio.get_running_loop()
        )
        started.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    assert started.wait(20)
    try:
        yield str(box["url"])
    finally:
        box["loop"].call_soon_threadsafe(box["stop"].set)  # type: ignore[attr-defined]
        thread.join(20)


def duel(directory: Path, url: str, player: str, *more: str) -> subprocess.CompletedProcess[str]:
    """In a directory of its own, with all keys planted: half in the environment, half in .env."""
    planted = dict(KEYS)
    (directory / ".env").write_text("".join(f"{name}={planted.pop(name)}\n" for name in list(planted)[:2]))
    environment = {**{k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}, **planted}
    environment |= {f"{name}_BASE_URL": f"{url}/v1" for name in ("OPENAI", "LOCAL")}
    environment |= {"ANTHROPIC_BASE_URL": url, "GOOGLE_GEMINI_BASE_URL": url}
    command = [
        sys.executable,
        "-m",
        "orchestrator",
        "duel",
        player,
        "vs",
        "bot:random",
        "--game",
        "tictactoe",
    ]
    command += ["--games", "2", "--seed", "1", "--display", "json", "--output", str(directory / "run"), *more]
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=120
    )


def everything(directory: Path, done: subprocess.CompletedProcess[str]) -> str:
    """Output, errors, the files byte for byte, every row of every table, and every blob unpacked."""
    texts = [done.stdout, done.stderr]
    for path in directory.rglob("*"):
        if path.is_file() and path.name != ".env":
            texts.append(path.read_bytes().decode("latin-1"))
    if (directory / "run" / "record.db").exists():
        with closing(sqlite3.connect(directory / "run" / "record.db", isolation_level=None)) as db:
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                texts += [repr(row) for row in db.execute(f"SELECT * FROM {table}")]
            blobs = [blob for (blob,) in db.execute("SELECT id FROM blob")]
        with reading(directory / "run") as session:
            texts += [text for blob in blobs for text in blob_texts(session, blob)]
    return "\n".join(texts)


@pytest.mark.parametrize("provider", PLAYERS)
def test_a_key_is_used_and_never_written(tmp_path, provider) -> None:
    with served(Behaviour.of("greedy", illegal="0.3")) as server:
        done = duel(tmp_path, server.url, PLAYERS[provider])
        assert done.returncode == 0, done.stderr
        assert server.counts["answered"] > 0
    assert json.loads(done.stdout.splitlines()[-1])["type"] == "summary"
    found = everything(tmp_path, done)
    assert "Game: tictactoe" in found, "the search does see what is in the record"
    assert "PLANTED" not in found


@pytest.mark.parametrize("status", [400, 401, 404, 500])
@pytest.mark.parametrize("provider", PLAYERS)
def test_a_service_that_says_the_key_back_cannot_make_us_repeat_it(tmp_path, provider, status) -> None:
    with parrot(status) as url:
        done = duel(tmp_path, url, PLAYERS[provider], "--attempts", "1")
    assert done.returncode == 1, done.stderr
    found = everything(tmp_path, done)
    assert "rejected" in found
    assert "PLANTED" not in found
