"""Invoices worked out by hand, and a file in which every price is whole."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import pytest

from providers.base import Usage
from providers.prices import Price, PriceBook, Rates, cost, most, price_from_text

BOOK = PriceBook.load()
THEN = date(2026, 11, 20)
EVERY = [(provider, model) for provider, models in BOOK.models.items() for model in models]


def bill(provider: str, model: str, usage: Usage, on: date = THEN) -> Decimal:
    """Dollars, exactly."""
    price = BOOK.price(provider, model, usage.tier, on)
    assert price is not None
    return Decimal(cost(price, usage)) / 10**12


# --- golden invoices; each comment is the sum in dollars per million tokens


@pytest.mark.parametrize(
    ("provider", "model", "usage", "dollars"),
    [
        # 212·2 + 1536·0.1 + 384·10
        ("anthropic", "claude-sonnet-5-5", Usage(212, 1536, 0, 0, 384, 256), "0.0044176"),
        ("openai", "gpt-6.1-sol", Usage(212, 1536, 0, 0, 384, 256), "0.0044176"),
        # 212·0.75 + 1536·0.075 + 384·3.75: thoughts are in the output, and paid for once
        ("google", "gemini-3.8-flash", Usage(212, 1536, 0, 0, 384, 256), "0.0017142"),
        # 212·0.1 + 1536·0.01 + 384·0.5
        ("openai", "gpt-6-luna", Usage(212, 1536, 0, 0, 384, 256), "0.00022856"),
        # writes for an hour cost twice the input, those for minutes a quarter more: 100·2 + 200·2.5 + 300·4
        ("anthropic", "claude-sonnet-5-5", Usage(100, 0, 200, 300, 0), "0.0019"),
        # half-hour and half-day writes: 200·1.25 + 300·2.5
        ("openai", "gpt-6.1-terra", Usage(0, 0, 200, 300, 0), "0.001"),
        # up to the step, then above it for everything: 100000·0.1, 100001·0.5
        ("anthropic", "claude-haiku-5-5", Usage(100_000), "0.01"),
        ("anthropic", "claude-haiku-5-5", Usage(100_001), "0.0500005"),
        # the step counts cached tokens too: 1000·4 + 299000·0.2 + 10·15
        ("openai", "gpt-6.1-sol", Usage(1_000, 299_000, 0, 0, 10), "0.06395"),
        # flex: half of 1000·2 + 1000·10, and above the step half of 300000·4
        ("openai", "gpt-6.1-sol", Usage(1_000, 0, 0, 0, 1_000, tier="flex"), "0.006"),
        ("openai", "gpt-6.1-sol", Usage(300_000, tier="flex"), "0.6"),
        # a tier whose cached price no factor gives: 1000·0.13
        ("openai", "gpt-5.4", Usage(0, 1_000, tier="flex"), "0.00013"),
        # 1000·2·1.8
        ("google", "gemini-4-argon", Usage(1_000, tier="priority"), "0.0036"),
        ("anthropic", "claude-opus-5-5", Usage(1_000, 0, 0, 0, 1_000, tier="batch"), "0.012"),
        ("local", "qwen3:8b", Usage(1_000, output=1_000), "0"),
        ("sim", "greedy", Usage(1_000, output=1_000), "0"),
    ],
)
def test_an_invoice(provider: str, model: str, usage: Usage, dollars: str) -> None:
    assert bill(provider, model, usage) == Decimal(dollars)


@pytest.mark.parametrize(
    ("prompt_bytes", "dollars"),
    [
        (2_001, "0.011004"),  # 1001 tokens as writes for an hour, 4 each, and 700 of output, 10 each
        (400_002, "1.810509"),  # 200001 tokens beyond the step: the dearer rates for all, 9 and 15
    ],
)
def test_the_most_that_a_call_can_cost(prompt_bytes: int, dollars: str) -> None:
    price = Price(
        *(rate * 10**6 for rate in (2, 1, 3, 4, 10)),
        long_above=200_000,
        long=Rates(*(rate * 10**6 for rate in (4, 2, 6, 9, 15))),
    )
    top = most(price, prompt_bytes, 700)
    assert Decimal(top) / 10**12 == Decimal(dollars)
    tokens = prompt_bytes // 2
    for kind in ("input_fresh", "cache_read", "cache_write_short", "cache_write_long"):
        assert cost(price, Usage(output=700, **{kind: tokens})) <= top


def test_a_rate_below_a_nano_dollar_is_not_rounded() -> None:
    price = BOOK.price("anthropic", "claude-haiku-5-5", "batch")
    assert price is not None
    assert price.cache_write_short == 62_500  # 0.0625 dollars per million: 62.5 nano-dollars per token


def test_an_announced_change_comes_on_its_day() -> None:
    before, after = Usage(1_000_000), Usage(1_000_000, tier="flex")
    assert bill("google", "gemini-4-argon", before, date(2026, 11, 30)) == 2
    assert bill("google", "gemini-4-argon", before, date(2026, 12, 1)) == 4
    assert bill("google", "gemini-4-argon", after, date(2026, 12, 1)) == 2
    assert bill("google", "gemini-3.8-flash", before, date(2026, 12, 31)) == Decimal("0.75")
    assert bill("google", "gemini-3.8-flash", before, date(2027, 1, 1)) == Decimal("1.5")


# --- what has no price has none


@pytest.mark.parametrize(
    ("provider", "model", "tier"),
    [
        ("anthropic", "claude-fable-9", "standard"),  # a package of note prices such a name at nothing
        ("anthropic", "claude-sonnet-5-5-mini", "standard"),
        ("anthropic", "sonnet-5-5", "standard"),
        ("anthropic", "claude-sonnet-5-5", "flex"),
        ("anthropic", "claude-*", "standard"),
        ("openai", "gpt-6", "standard"),
        ("openai", "gpt-6.1-sol-pro", "standard"),
        ("openai", "claude-sonnet-5-5", "standard"),
        ("litellm", "mistral/mistral-large", "standard"),
        ("elsewhere", "model", "standard"),
    ],
)
def test_no_price_is_guessed(provider: str, model: str, tier: str) -> None:
    assert BOOK.price(provider, model, tier) is None


@pytest.mark.parametrize("name", ["claude-sonnet-5-5-20261001", "claude-sonnet-5-5-2026-10-01"])
def test_a_dated_name_has_the_price_of_its_model(name: str) -> None:
    assert BOOK.price("anthropic", name) == BOOK.price("anthropic", "claude-sonnet-5-5")


@pytest.mark.parametrize(
    ("through", "provider", "model"),
    [
        ("anthropic/claude-sonnet-5-5", "anthropic", "claude-sonnet-5-5"),
        ("openai/gpt-6-luna", "openai", "gpt-6-luna"),
        ("openai/responses/gpt-6-luna", "openai", "gpt-6-luna"),
        ("gemini/gemini-3.8-flash", "google", "gemini-3.8-flash"),
    ],
)
def test_litellm_costs_what_the_vendor_behind_it_does(through: str, provider: str, model: str) -> None:
    price = BOOK.price("litellm", through)
    assert price is not None and price == BOOK.price(provider, model)


# --- prices by hand


@pytest.mark.parametrize(
    ("provider", "model", "tokens"),
    [
        ("anthropic", "claude-sonnet-5-5", 512),
        ("litellm", "anthropic/claude-haiku-4-5-20251001", 4096),
        ("google", "gemini-3.8-flash", 4096),
        ("openai", "gpt-6-luna", 1024),
        ("anthropic", "claude-of-tomorrow", 1024),
    ],
)
def test_how_long_a_prompt_is_cached_from(provider: str, model: str, tokens: int) -> None:
    assert BOOK.cache_from(provider, model) == tokens


def test_a_price_by_hand() -> None:
    price = price_from_text("3, 15")
    assert (price.input, price.output) == (3_000_000, 15_000_000)
    assert price.cache_read == price.cache_write_short == price.cache_write_long == price.input
    assert price_from_text("0.25,1.25").output == 1_250_000


@pytest.mark.parametrize("text", ["", "3", "3,15,4", "three,15", "-1,2", "nan,1", "0.0000001,1", "inf,1"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        price_from_text(text)


# --- the file


@pytest.mark.parametrize(("provider", "model"), EVERY)
def test_every_entry_is_whole_in_every_tier(provider: str, model: str) -> None:
    entry = BOOK.models[provider][model]
    changes = entry.get("later", {}).get("from", THEN)
    for day in (changes - timedelta(days=1), changes):
        for tier in ("standard", *entry.get("tiers", {})):
            price = BOOK.price(provider, model, tier, day)
            assert price is not None
            assert price.source and price.dated == "2026-11-20" and price.tier == tier
            assert all(isinstance(getattr(price, kind), int) for kind in ("input", "cache_read", "output"))
            assert price.cache_read <= price.input
            assert price.input <= price.output or (price.output == 0 and "decision" in entry["tiers"])
            assert (price.long is None) == (price.long_above is None)
            assert price.long is None or price.long.input >= price.input


def test_every_alias_names_a_model_with_a_price() -> None:
    for spec in BOOK.aliases.values():
        provider, _, model = spec.partition(":")
        assert BOOK.price(provider, model) is not None


def test_aliases() -> None:
    assert BOOK.resolve("claude").startswith("anthropic:claude-")
    assert BOOK.resolve("gpt").startswith("openai:gpt-")
    assert BOOK.resolve("gemini").startswith("google:gemini-")
    assert BOOK.resolve("claude?effort=low") == BOOK.resolve("claude") + "?effort=low"
    for text in ("bot:mcts", "anthropic:claude", "human", "claudette"):
        assert BOOK.resolve(text) == text


def test_another_file_can_be_loaded(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('dated = 2026-01-02\n[price.openai."x"]\ninput = 1\noutput = 2\n')
    price = PriceBook.load(file).price("openai", "x")
    assert price == Price(1_000_000, 1_000_000, 1_000_000, 1_000_000, 2_000_000, dated="2026-01-02")


# --- a second source

COMPARED: dict[str, str] = {
    "input": "input_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write_short": "cache_write_mtok",
    "cache_write_long": "cache_write_1h_mtok",
    "output": "output_mtok",
}


@pytest.mark.skipif(find_spec("genai_prices") is None, reason="genai-prices is not installed")
@pytest.mark.filterwarnings("ignore")
def test_genai_prices_says_the_same() -> None:
    import genai_prices

    moment = datetime(THEN.year, THEN.month, THEN.day, tzinfo=UTC)
    compared, different = 0, []
    for (provider, model), tier in itertools.product(EVERY, ("standard", "batch")):
        price = BOOK.price(provider, model, tier, THEN)
        if provider not in BOOK.sources or price is None or "genai-prices" not in price.source:
            continue
        standard, found = (
            genai_prices.calc_price(
                genai_prices.Usage(input_tokens=1),
                model_ref=model,
                provider_id=provider,
                genai_request_timestamp=moment,
                price_context={"processing": asked},
            ).model_price
            for asked in ("standard", tier)
        )
        if tier != "standard" and found == standard:
            continue  # what it does not know it prices as standard
        for ours, theirs in COMPARED.items():
            value = getattr(found, theirs, None)
            if value is not None:
                compared += 1
                if getattr(price, ours) != Decimal(getattr(value, "base", value)) * 10**6:
                    different.append((model, tier, ours, value))
    assert different == []
    assert compared > 250


# --- litellm's map, where somebody has it


def _map() -> Path | None:
    found = find_spec("litellm")
    return found and Path(found.origin).parent / "model_prices_and_context_window_backup.json"  # type: ignore[arg-type, return-value]


FIELDS = {
    "input": "input_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write_short": "cache_creation_input_token_cost",
    "output": "output_cost_per_token",
}
SUFFIXES = {"standard": "", "batch": "_batches", "flex": "_flex", "decision": "_decisions"}


@pytest.mark.skipif(find_spec("litellm") is None, reason="litellm is not installed")
@pytest.mark.parametrize("tier", SUFFIXES)
def test_litellms_map_says_the_same_and_has_no_tier_more(tier: str) -> None:
    path = _map()
    assert path is not None
    theirs, compared, different = json.loads(path.read_text(), parse_float=Decimal), 0, []
    for provider, model in EVERY:
        entry = theirs.get(f"gemini/{model}" if provider == "google" else model)
        price = BOOK.price(provider, model, tier, THEN)
        if provider not in BOOK.sources or entry is None:
            continue
        for ours, name in FIELDS.items():
            if (value := entry.get(name + SUFFIXES[tier])) is not None:
                compared += 1
                if price is None or getattr(price, ours) != Decimal(value) * 10**12:
                    different.append((model, tier, ours, value))
    assert different == []
    assert compared > {"standard": 120, "batch": 100, "flex": 70, "decision": 3}[tier]
