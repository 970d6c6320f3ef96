"""What a decision costs besides the model: CPU, throughput and memory against the stand-in on loopback.

    python -m benchmarks.orchestration [--provider anthropic] [--matches 1000] [--concurrency 500]

The stand-in is a process of its own on CPU 1, the duel runs on CPU 0. Beside it, in the same run: a bare
loop over the same SDK that sends the same kind of request and reads the move, with no game, no record and
no retry. CPU is `time.process_time` (all threads) over the whole run, memory the peak resident set of the
process. Calls per second are counted until the last match begins: after that fewer are played at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.service import Service, pinned, stand_in

if TYPE_CHECKING:
    from prompts import Question

Ask = Callable[[], Awaitable[object]]
Client = AbstractAsyncContextManager[Ask]

MODELS = {"anthropic": "claude-haiku-5-5", "openai": "gpt-6-luna", "google": "gemini-3.8-flash"}


def main() -> None:
    asked = arguments()
    if asked.worker:
        print(json.dumps(asyncio.run(WORKERS[asked.worker](asked))))
    else:
        print(table(asked.provider, asked.matches, asked.concurrency, asked.latency))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--provider", choices=sorted(MODELS), default="anthropic")
    parser.add_argument("--matches", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, default=500)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--worker", choices=sorted(WORKERS), help=argparse.SUPPRESS)
    return parser.parse_args()


def tables() -> str:
    """The goal's case for each vendor, and one below what a core can do, where latency is the limit."""
    cases = [(provider, 1000, 500) for provider in MODELS] + [("anthropic", 600, 60)]
    return "\n\n".join(table(*case, latency=0.2) for case in cases) + "\n"


def table(provider: str, matches: int, concurrency: int, latency: float) -> str:
    """Markdown: the duel and the bare loop, one after the other against one server."""
    lines = [
        f"| {provider}, {concurrency} at once, {latency * 1000:.0f} ms latency | calls | CPU ms per call "
        "| calls/s | of what latency allows | core busy | peak RSS MB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    with stand_in("--latency", str(latency), cpu=1) as service:
        for name, worker in (("duel, everything on record", "duel"), ("bare loop over the SDK", "bare")):
            found = run_worker(worker, service, provider, matches, concurrency)
            rate, allowed = found["rate"], concurrency / latency
            lines.append(
                f"| {name} | {found['calls']} | {1000 * found['cpu_s'] / found['calls']:.2f} | {rate:.0f} "
                f"| {rate / allowed:.0%} | {found['cpu_s'] / found['wall_s']:.0%} | {found['rss_mb']:.0f} |"
            )
    return "\n".join(lines)


def run_worker(
    worker: str, service: Service, provider: str, matches: int, concurrency: int
) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.orchestration", "--worker", worker, "--provider", provider]
    command += ["--matches", str(matches), "--concurrency", str(concurrency)]
    done = subprocess.run(
        pinned(0, command), env=service.environment, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def duel(asked: argparse.Namespace) -> dict[str, Any]:
    """A whole duel through players, prompts, provider, engine and record."""
    import engine
    from orchestrator.duel import Duel
    from orchestrator.events import Events
    from orchestrator.record.store import Record
    from orchestrator.request import DuelRequest
    from orchestrator.table import Table

    if not engine.is_compiled():
        raise SystemExit("the engine is not compiled: run `make setup`, and unset DUELIST_ENGINE")
    spec = f"{asked.provider}:{MODELS[asked.provider]}"
    size = {"pairs": asked.matches // 2, "concurrency": asked.concurrency}
    request = DuelRequest((spec, spec), seed=1, opening=4, **size)
    calls = full_calls = 0
    full_until = 0.0

    def count(event: dict[str, Any]) -> None:
        nonlocal calls, full_calls, full_until
        calls += event["type"] == "call"
        if event["type"] == "match" and event["status"] == "started":
            full_calls, full_until = calls, time.perf_counter()

    async with bare_client(asked.provider) as ask:
        await ask()  # imports are paid for here
    table = Table()
    with tempfile.TemporaryDirectory() as directory, Record(Path(directory)) as record:
        run = Duel(request, record, table, Events(count))
        cpu, wall = time.process_time(), time.perf_counter()
        await run.play()
        found = measured(calls, cpu, wall) | {"rate": full_calls / (full_until - wall)}
        await table.aclose()
    return found


async def bare(asked: argparse.Namespace) -> dict[str, Any]:
    """The same SDK in a loop: one request, read the JSON, next; about as many as a duel makes."""
    calls = left = asked.matches * 21
    async with bare_client(asked.provider) as ask:
        await ask()

        async def work() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await ask()

        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.gather(*(work() for _ in range(asked.concurrency)))
        found = measured(calls, cpu, wall)
        return found | {"rate": calls / found["wall_s"]}


def bare_client(provider: str) -> Client:
    """One structured request as the vendor's documentation shows it."""
    import engine
    import prompts

    return BARE[provider](prompts.render(engine.new("connect4", 1).view(0)))


@asynccontextmanager
async def ask_anthropic(question: Question) -> AsyncIterator[Ask]:
    import anthropic

    async def ask() -> object:
        reply = await client.messages.create(
            model=MODELS["anthropic"],
            max_tokens=4096,
            system=[{"type": "text", "text": question.system, "cache_control": {"type": "ephemeral"}}],
            messages=[{"role": "user", "content": question.user}],
            output_config={"format": {"type": "json_schema", "schema": dict(question.schema)}},
        )
        return json.loads(next(block.text for block in reply.content if block.type == "text"))["action"]

    transport = anthropic.DefaultAioHttpClient()
    async with anthropic.AsyncAnthropic(api_key="none", max_retries=0, http_client=transport) as client:
        yield ask


@asynccontextmanager
async def ask_openai(question: Question) -> AsyncIterator[Ask]:
    import openai

    form: Any = {"type": "json_schema", "name": "move", "strict": True, "schema": dict(question.schema)}

    async def ask() -> object:
        reply = await client.responses.create(
            model=MODELS["openai"],
            instructions=question.system,
            input=question.user,
            store=False,
            text={"format": form},
        )
        return json.loads(reply.output_text)["action"]

    transport = openai.DefaultAioHttpClient()
    async with openai.AsyncOpenAI(api_key="none", max_retries=0, http_client=transport) as client:
        yield ask


@asynccontextmanager
async def ask_google(question: Question) -> AsyncIterator[Ask]:
    from google import genai
    from google.genai import types

    options = types.HttpOptions(
        base_url=os.environ["GOOGLE_GEMINI_BASE_URL"],
        api_version="v1beta",
        retry_options=types.HttpRetryOptions(attempts=1),
    )
    config = types.GenerateContentConfig(
        system_instruction=question.system,
        response_mime_type="application/json",
        response_json_schema=question.schema,
    )

    async def ask() -> object:
        reply = await client.models.generate_content(
            model=MODELS["google"], contents=question.user, config=config
        )
        return json.loads(reply.text or "")["action"]

    async with genai.Client(api_key="none", http_options=options).aio as client:
        yield ask


def measured(calls: int, cpu: float, wall: float) -> dict[str, Any]:
    return {
        "calls": calls,
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


BARE: dict[str, Callable[[Question], Client]] = {
    "anthropic": ask_anthropic,
    "openai": ask_openai,
    "google": ask_google,
}
WORKERS = {"duel": duel, "bare": bare}

if __name__ == "__main__":
    main()
