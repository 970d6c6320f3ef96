"""What tokens cost, in integers: pico-dollars (10⁻¹² $) per token, from the dated file `prices.toml`.

An own data file and not a package: the bill needs cache writes of two lengths, long-context steps, tiers and
announced changes of price, and no package carries all of them and refuses what it does not know (genai-prices
has no flex tier, litellm prices an unknown Claude at nothing). The numbers are copied from both, where they
agree. Nothing here guesses: a model is priced under its exact name, its name without a date, or a pattern
written in the file; anything else has no price, and whoever wants to go on says so.

Left out: storage of explicit caches, searches and other things that a game does not use.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from providers.base import Usage

FILE = Path(__file__).with_name("prices.toml")
PICO_PER_TOKEN = 1_000_000  # of one dollar per million tokens
CACHE_FROM = 1024  # what OpenAI documents, and the most usual of Claude's models
_DATED_NAME = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2})$")
_KINDS = ("input", "cache_read", "cache_write_short", "cache_write_long", "output")


@dataclass(frozen=True, slots=True)
class Rates:
    """Pico-dollars per token of each kind that `Usage` counts."""

    input: int
    cache_read: int
    cache_write_short: int
    cache_write_long: int
    output: int


@dataclass(frozen=True, slots=True)
class Price(Rates):
    """Rates and their source; a prompt above `long_above` tokens pays `long` for everything."""

    tier: str = "standard"
    source: str = ""
    dated: str = ""
    long_above: int | None = None
    long: Rates | None = None


def cost(price: Price, usage: Usage) -> int:
    """Pico-dollars of one call. `usage.reasoning` is a part of its output and not added again."""
    over = price.long is not None and price.long_above is not None and usage.input > price.long_above
    rates = price.long if over and price.long is not None else price
    return (
        usage.input_fresh * rates.input
        + usage.cache_read * rates.cache_read
        + usage.cache_write_short * rates.cache_write_short
        + usage.cache_write_long * rates.cache_write_long
        + usage.output * rates.output
    )


def most(price: Price, prompt_bytes: int, max_output_tokens: int) -> int:
    """Pico-dollars that one call costs at worst, known before it is made.

    Every second byte of the prompt a token (real text has three or four to a token), all of them at the
    dearest rate of the input, which may be that of a cache write, and the answer as long as it may be. Where
    that many tokens exceed the long-context step, at its rates if they are the dearer ones.
    """
    tokens = -(-prompt_bytes // 2)
    rates: list[Rates] = [price]
    if price.long is not None and price.long_above is not None and tokens > price.long_above:
        rates.append(price.long)
    into = max(max(r.input, r.cache_read, r.cache_write_short, r.cache_write_long) for r in rates)
    return tokens * into + max_output_tokens * max(r.output for r in rates)


def price_id(provider: str, model: str, price: Price) -> str:
    """Names one set of numbers of one model: the same in every run that used them."""
    text = json.dumps([provider, model, asdict(price)], sort_keys=True)
    return blake2b(text.encode(), digest_size=6).hexdigest()


def price_from_text(text: str, dated: str = "") -> Price:
    """A price as a person gives it: "in,out" in dollars per million tokens, such as "3,15" or "0.25,1.25".

    Nothing is known about a cache, so its tokens cost what other input does.
    """
    try:
        given, returned = (_pico(Decimal(part.strip())) for part in text.split(","))
    except (ValueError, InvalidOperation):
        raise ValueError(
            f"a price is two numbers, dollars per million tokens in and out, such as 3,15; got {text!r}"
        ) from None
    return Price(given, given, given, given, returned, source="given by hand", dated=dated)


@dataclass(frozen=True, slots=True)
class PriceBook:
    """The price file: `models[provider][id]` as written, aliases, and the day it was looked up."""

    dated: str
    models: Mapping[str, Mapping[str, Any]]
    sources: Mapping[str, str]
    aliases: Mapping[str, str]
    through: Mapping[str, Mapping[str, str]]

    @classmethod
    def load(cls, path: Path | None = None) -> PriceBook:
        """The file at `path`, by default the one that comes with the package (read once)."""
        return _load(path or FILE)

    def price(
        self, provider: str, model: str, tier: str = "standard", on: date | None = None
    ) -> Price | None:
        """The price of a model on a day (today), or None: unknown model, or a tier it is not offered in.

        A native decision has the tier "decision", whatever its request says.
        """
        provider, model = self._behind(provider, model)
        entry = self._entry(provider, model)
        if entry is None:
            return None
        later = entry.get("later")
        table = later if later and (on or date.today()) >= later["from"] else entry
        found = _rates_of_tier(table, entry, tier)
        if found is None:
            return None
        base, long = found
        return Price(
            **{kind: getattr(base, kind) for kind in _KINDS},
            tier=tier,
            source=entry.get("source") or self.sources.get(provider, ""),
            dated=self.dated,
            long_above=table["long"]["above"] if long else None,
            long=long,
        )

    def cache_from(self, provider: str, model: str) -> int:
        """Tokens of the shortest prompt prefix that the model's service caches, by default `CACHE_FROM`."""
        entry = self._entry(*self._behind(provider, model))
        return int(entry.get("cache_from", CACHE_FROM)) if entry else CACHE_FROM

    def resolve(self, text: str) -> str:
        """An alias at the head of a player spec written out: `claude?effort=low`; anything else unchanged."""
        head, question, options = text.partition("?")
        return self.aliases.get(head, head) + question + options

    def _behind(self, provider: str, model: str) -> tuple[str, str]:
        """Who sends the bill when `provider` only passes the call on: litellm's `anthropic/claude-...`."""
        for prefix, vendor in self.through.get(provider, {}).items():
            if model.startswith(prefix):
                return vendor, model.removeprefix(prefix)
        return provider, model

    def _entry(self, provider: str, model: str) -> Mapping[str, Any] | None:
        known = self.models.get(provider, {})
        for name in (model, _DATED_NAME.sub("", model)):
            if name in known:
                found: Mapping[str, Any] = known[name]
                return found
        return next(
            (e for pattern, e in known.items() if "*" in pattern and fnmatchcase(model, pattern)), None
        )


@lru_cache(maxsize=4)
def _load(path: Path) -> PriceBook:
    data = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    return PriceBook(
        dated=data["dated"].isoformat(),
        models=data.get("price", {}),
        sources=data.get("source", {}),
        aliases=data.get("alias", {}),
        through=data.get("through", {}),
    )


def _rates_of_tier(
    table: Mapping[str, Any], entry: Mapping[str, Any], tier: str
) -> tuple[Rates, Rates | None] | None:
    """Rates up to and above the long-context step. A tier is a factor on every rate, or rates of its own."""
    if tier == "standard":
        factor: Any = 1
    else:
        factor = table.get("tiers", entry.get("tiers", {})).get(tier)
    if factor is None:
        return None
    if isinstance(factor, Mapping):
        long = factor.get("long")
        return _rates(factor, 1), _rates(long, 1) if long else None
    long = table.get("long")
    return _rates(table, factor), _rates(long, factor) if long else None


def _rates(table: Mapping[str, Any], factor: int | Decimal) -> Rates:
    """A kind that is not in the table is not priced apart from plain input."""
    return Rates(**{kind: _pico(Decimal(table.get(kind, table["input"])) * factor) for kind in _KINDS})


def _pico(dollars_per_million: Decimal) -> int:
    value = dollars_per_million * PICO_PER_TOKEN
    if not value.is_finite() or value < 0 or value != value.to_integral_value():
        raise ValueError(f"not a price in whole pico-dollars per token: ${dollars_per_million} per million")
    return int(value)
