"""`orchestrator players`: what can sit down at the table, and how to name it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import text

if TYPE_CHECKING:
    from rich.table import Table

    from providers import KeyStatus

KINDS = {  # an example and a word on each kind
    "anthropic": ("anthropic:claude-sonnet-5-5", ""),
    "google": ("google:gemini-3.8-flash", ""),
    "openai": ("openai:gpt-6.1-sol?effort=low", ""),
    "litellm": ("litellm:mistral/mistral-medium", "whatever litellm reaches"),
    "local": ("local:qwen3:8b", "Ollama, vLLM, llama.cpp, …"),
    "sim": ("sim:greedy?illegal=0.05", "a bot that answers like a model"),
    "bot": ("bot:random", "see below"),
    "human": ("human", "at this terminal"),
}
OFFLINE = ("sim", "bot", "human")  # kinds that call nobody


@click.command(short_help="What can sit down at the table, and how to name it.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(as_json: bool) -> None:
    """What can sit down at the table: models, bots, people. A player is named kind:name?option=value&…"""
    found = collect()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    console = text.console()
    console.print(_kinds(found))
    console.print()
    console.print(_aliases(found))
    console.print()
    console.print(f"bots: {', '.join(found['bots'])}")
    console.print(f"styles (?style=…): {', '.join(found['styles'])}")
    console.print(f"options of a model: {', '.join(found['options'])}")
    if found["trouble"]:
        console.print(f"services cannot be asked: {text.one_line(found['trouble'], 400)}")
    console.print("models with their prices: orchestrator prices; what is missing: orchestrator doctor")


def collect() -> dict[str, Any]:
    """Kinds with an example and whether they could be asked now, aliases, bots, styles."""
    import engine
    import prompts
    import providers
    from orchestrator.model import Conduct
    from providers.prices import PriceBook

    services: dict[str, KeyStatus] = {}
    trouble = ""
    try:
        services = {status.provider: status for status in providers.key_status()}
    except ValueError as error:  # a variable with an address that is none
        trouble = str(error)
    kinds = []
    for name in (*providers.names(), "bot", "human"):
        example, note = KINDS.get(name, (f"{name}:MODEL", ""))
        if name in services:
            state = ready(services[name])
        else:
            state = "no" if trouble and name not in OFFLINE else "yes"
        kinds.append({"kind": name, "example": example, "ready": state, "note": note})
    return {
        "kinds": kinds,
        "trouble": trouble,
        "aliases": dict(PriceBook.load().aliases),
        "bots": engine.bots(),
        "styles": list(prompts.styles()),
        "options": [*Conduct.__slots__, "price"],
    }


def ready(status: KeyStatus) -> str:
    """`yes`, or the first thing that is missing; `doctor` says how to get it."""
    from providers.wire import is_loopback

    if not status.sdk_found:
        return "not installed"
    locked = status.key_needed and not status.key_set and not is_loopback(status.base_url)
    return "no key" if locked else "yes"


def _kinds(found: dict[str, Any]) -> Table:
    table = _table("player", "ready", "")
    for kind in found["kinds"]:
        table.add_row(*(text.one_line(kind[name]) for name in ("example", "ready", "note")))
    return table


def _aliases(found: dict[str, Any]) -> Table:
    names: dict[str, list[str]] = {}
    for name, spec in found["aliases"].items():
        names.setdefault(spec, []).append(name)
    table = _table("alias", "stands for")
    for spec, short in names.items():
        table.add_row(text.one_line(", ".join(short)), text.one_line(spec))
    return table


def _table(*columns: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table
