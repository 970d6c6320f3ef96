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
    from providers.stand_in import Server

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
@click.option("--model", "models", multiple=True, metavar="NAME=SPEC", help="E.g. big=mcts:200?illegal=0.1.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of answers and faults.")
@click.option("--require-key", metavar="KEY", help="Answer 401 to every other key.")
def command(
    port: int,
    bot: str,
    latency: float,
    rates: tuple[str, ...],
    models: tuple[str, ...],
    seed: int,
    require_key: str | None,
) -> None:
    """Serve a stand-in for a language model on this machine.

    It speaks the wire formats of Anthropic, OpenAI (chat and responses) and Gemini, needs no key and costs
    nothing. Its answers come from a bot, and say so.
    """
    from providers.simulated import Behaviour

    try:
        default = Behaviour.of(bot, **({"latency": latency, "seed": seed} | dict(_pairs(rates))))
        named = {name: Behaviour.parse(_seeded(spec, seed)) for name, spec in _pairs(models)}
        asyncio.run(_serve(port, default, named, require_key))
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


def _seeded(spec: str, seed: int) -> str:
    """A model's spec with the command's seed, unless it names its own."""
    return spec if "seed=" in spec else f"{spec}{'&' if '?' in spec else '?'}seed={seed}"


async def _serve(
    port: int, default: Behaviour, models: dict[str, Behaviour], require_key: str | None
) -> None:
    from providers.stand_in import serve

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(port, default, models, require_key=require_key) as server:
        click.echo(server.url)
        click.echo(_EXPORTS.format(url=server.url))
        await stop.wait()
        click.echo(_summary(server), err=True)


def _summary(server: Server) -> str:
    counts = server.counts
    faults = ", ".join(f"{name} {count}" for name, count in counts["faults"].items())
    routes = ", ".join(f"{name} {count}" for name, count in counts["routes"].items())
    calls = f"answered {counts['answered']} of {counts['requests']} calls ({routes or 'none'})"
    return f"{calls}; faults: {faults or 'none'}"
