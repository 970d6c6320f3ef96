"""`orchestrator prices`: what models cost, since when, and who says so."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import text

if TYPE_CHECKING:
    from providers.prices import Price, PriceBook, Rates

RATES = ("input", "cache_read", "cache_write_short", "cache_write_long", "output")
PICO_PER_TOKEN = 1_000_000  # of one dollar per million tokens


@click.command(short_help="What models cost, and since when.")
@click.argument("pattern", required=False)
@click.option("--tier", default="standard", show_default=True, help="Of the service, such as batch or flex.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(pattern: str | None, tier: str, as_json: bool) -> None:
    """What models cost today, in dollars per million tokens.

    PATTERN is an alias, a part of provider:model, or a pattern with * in it.
    """
    from providers.prices import PriceBook

    book = PriceBook.load()
    found = [row for row in collect(book, tier) if pattern is None or matches(row, pattern, book)]
    if as_json:
        click.echo(json.dumps(found, indent=2, allow_nan=False))
    elif found:
        _print(found)
    else:
        raise click.UsageError(
            f"no {tier} price for {pattern!r}: give one to the duel with --price IN,OUT, "
            "or see all that are known with `orchestrator prices`"
        )


def collect(book: PriceBook, tier: str) -> list[dict[str, Any]]:
    """Every model that has a price in that tier."""
    rows = []
    for provider, models in book.models.items():
        for model in models:
            price = book.price(provider, model, tier)
            if price is not None:
                rows.append(_row(provider, model, price))
    return sorted(rows, key=lambda row: (row["provider"], -row["output"], row["model"]))


def _row(provider: str, model: str, price: Price) -> dict[str, Any]:
    return {
        "provider": provider,
        "model": model,
        "tier": price.tier,
        **_per_million(price),
        "long_above": price.long_above,
        "long": price.long and _per_million(price.long),
        "dated": price.dated,
        "source": price.source,
    }


def _per_million(rates: Rates) -> dict[str, float]:
    return {name: getattr(rates, name) / PICO_PER_TOKEN for name in RATES}


def matches(row: dict[str, Any], pattern: str, book: PriceBook) -> bool:
    name = f"{row['provider']}:{row['model']}".lower()
    if "*" in pattern:
        return fnmatchcase(name, pattern.lower())
    return pattern.lower() in name or book.aliases.get(pattern) == name


def _print(found: list[dict[str, Any]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("model", style="bold", overflow="fold")
    for name in ("in", "cached", "write", "write 1 h+", "out"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in found:
        table.add_row(
            text.one_line(f"{row['provider']}:{row['model']}"), *(f"{row[name]:g}" for name in RATES)
        )
        if row["long"]:
            above = f"  prompts above {text.count(row['long_above'])} tokens"
            table.add_row(above, *(f"{row['long'][name]:g}" for name in RATES), style="dim not bold")
    console = text.console()
    console.print(table)
    console.print(
        f"\n$ per million tokens, {found[0]['tier']} tier, as of {found[0]['dated']}, according to:"
    )
    sources: dict[str, set[str]] = {}
    for row in found:
        sources.setdefault(row["source"], set()).add(row["provider"])
    for source, names in sources.items():
        console.print(f"  {', '.join(sorted(names))}: {text.one_line(source)}", soft_wrap=True)
