"""`orchestrator simulate`: the stand-in for a language model, served on loopback until Ctrl-C.

stdout gets the address and the lines to paste that point the three SDKs at it; chatter goes to stderr.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from providers.simulated import Behaviour
    from providers.stand_in import Limits, Server

# The key is a word that no answer contains: whatever was sent as a key is redacted from records.
_EXPORTS = """\
export ANTHROPIC_BASE_URL={url}
export OPENAI_BASE_URL={url}/v1
export GOOGLE_GEMINI_BASE_URL={url}
# any key will do: export ANTHROPIC_API_KEY=any-key OPENAI_API_KEY=any-key GEMINI_API_KEY=any-key"""


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8800, show_default=True, help="0: a free one.")
@click.option("--bot", default="random", show_default=True, help="Who moves: random, greedy, mcts:200, ...")
@click.option("--latency", type=click.FloatRange(0), default=0.0, show_default=True, help="Mean seconds.")
@click.option(
    "--rate", "rates", multiple=True, metavar="NAME=VALUE", help="An option of sim:, e.g. illegal=0.1."
)
@click.option(
    "--batch-latency",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Seconds that a batch takes.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="[MODEL:]NAME=VALUE",
    help="Of each model: rpm, tpm, at_once or burst (seconds), e.g. tpm=30000.",
)
@click.option("--model", "models", multiple=True, metavar="NAME=SPEC", help="E.g. big=mcts:200?illegal=0.1.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of answers and faults.")
@click.option("--require-key", metavar="KEY", help="Answer 401 to every other key.")
def command(
    port: int,
    bot: str,
    latency: float,
    rates: tuple[str, ...],
    batch_latency: float,
    limits: tuple[str, ...],
    models: tuple[str, ...],
    seed: int,
    require_key: str | None,
) -> None:
    """Serve a stand-in for a language model on this machine.

    It speaks the wire formats of Anthropic, OpenAI (chat and responses) and Gemini, with their batches,
    decisions and rate limits, needs no key and costs nothing. Its answers come from a bot, and say so.

    \b
    While it runs, orders go to /_control, as JSON, and its counts come back:
      {"faults": ["529", "cut"]}                    befalls the next calls
      {"faults": {"create": ["half"], "batch": ["expired"]}}
                                                    the next batches, and the calls about them
      {"limits": {"rpm": 60, "tpm": 30000}}         from now on; {} lifts them
      {"behaviour": {"bot": "greedy", "illegal": 0.1}}
      {"advance": 3600} and {"finish": true}        its clock, and all batches, put forward
    """
    from providers.simulated import Behaviour

    try:
        own = {"latency": latency, "seed": seed, "batch_latency": batch_latency}
        default = Behaviour.of(bot, **(own | dict(_pairs(rates))))
        named = {name: Behaviour.parse(_seeded(spec, seed)) for name, spec in _pairs(models)}
        asyncio.run(_serve(port, default, named, require_key, _limits(limits)))
    except (ValueError, LookupError) as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.UsageError(f"cannot listen on port {port} ({reason}); try --port 0") from error


def _pairs(given: Iterable[str]) -> Iterable[tuple[str, str]]:
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{text!r}: expected NAME=VALUE")
        yield name, value


def _limits(given: Iterable[str]) -> dict[str, Limits]:
    """Limits by model; those of "" hold for every other one."""
    from providers.stand_in import Limits

    found: dict[str, dict[str, str]] = {"": {}}
    for name, value in _pairs(given):
        model, _, name = name.rpartition(":")
        found.setdefault(model, {})[name] = value
    return {model: Limits.of(**options) for model, options in found.items()}


def _seeded(spec: str, seed: int) -> str:
    """A model's spec with the command's seed, unless it names its own."""
    return spec if "seed=" in spec else f"{spec}{'&' if '?' in spec else '?'}seed={seed}"


async def _serve(
    port: int,
    default: Behaviour,
    models: dict[str, Behaviour],
    require_key: str | None,
    limits: dict[str, Limits],
) -> None:
    from providers.stand_in import serve

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    everyone = limits.pop("")
    async with serve(
        port, default, models, require_key=require_key, limits=everyone, model_limits=limits
    ) as server:
        click.echo(server.url)
        click.echo(_EXPORTS.format(url=server.url))
        await stop.wait()
        click.echo(_summary(server), err=True)


def _summary(server: Server) -> str:
    counts = server.counts
    faults = ", ".join(f"{name} {count}" for name, count in counts["faults"].items())
    routes = ", ".join(f"{name} {count}" for name, count in counts["routes"].items())
    calls = f"answered {counts['answered_calls']} of {counts['requests']} calls ({routes or 'none'})"
    batches = counts["batches"]
    parts = ", ".join(f"{count} {kind}" for kind, count in batches["parts"].items())
    waves = f"; batches: {batches['created']} ({parts})" if batches["created"] else ""
    refused = sum(sum(each["refused"].values()) for each in counts["limits"].values())
    limited = f"; refused by limits: {refused}" if refused else ""
    return f"{calls}; faults: {faults or 'none'}{limited}{waves}"
