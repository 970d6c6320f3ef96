"""From a spec such as `anthropic:claude-sonnet-5-5?effort=low` to a player who sits down.

Everything that can be wrong with a spec is found here, before anything is made or paid: unknown kinds, names
and options, settings that a service does not have, models without a price.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, quote

import engine
import prompts
import providers
from engine import Bot
from orchestrator.players import AskHuman, BotPlayer, Conduct, HumanPlayer, ModelPlayer, Player, Seated
from providers.base import Provider
from providers.prices import Price, PriceBook, price_from_text
from providers.retry import RetryPolicy

KINDS = ("bot", "human", *providers.names())
DEFAULT_EFFORT = "low"  # where thoughts are shown only if effort is asked for: they are half the record
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

_READERS: Mapping[str, Callable[[str], Any]] = {
    "reasks": int,
    "max_tokens": int,
    "temperature": float,
    "timeout": float,
}


class SpecError(ValueError):
    """A player spec that cannot be read, or that names something that does not exist."""


@dataclass(frozen=True, slots=True)
class Spec:
    """`kind:name?option=value&…`, taken apart; aliases are already resolved."""

    kind: str
    name: str
    options: Mapping[str, str]

    @staticmethod
    def parse(text: str, book: PriceBook) -> Spec:
        """Raises SpecError with what was got, what was expected and what to try."""
        head, _, query = book.resolve(text.strip()).partition("?")
        kind, _, name = head.partition(":")
        if kind not in KINDS or not (name or kind == "human"):
            known = ", ".join(f"{kind}:…" for kind in KINDS if kind != "human")
            aliases = ", ".join(sorted(book.aliases))
            raise SpecError(
                f"unknown player {text!r}: expected kind:name?option=value with one of {known}, human, "
                f"or one of the aliases {aliases}; for example bot:greedy or anthropic:claude-sonnet-5-5"
            )
        try:
            options = dict(parse_qsl(query, strict_parsing=True, keep_blank_values=True)) if query else {}
        except ValueError:
            raise SpecError(
                f"unreadable options {query!r} in {text!r}: expected option=value&option=value"
            ) from None
        return Spec(kind, name, options)

    @property
    def label(self) -> str:
        """What people call it: a model by its name; bots and stand-ins with their kind, to pass for none."""
        if self.kind == "human":
            return self.name or "human"
        return f"{self.kind}:{self.name}" if self.kind in ("bot", "sim") else self.name

    def __str__(self) -> str:
        head = self.kind + (f":{self.name}" if self.name else "")
        if not self.options:
            return head
        return head + "?" + "&".join(f"{k}={quote(v, safe=':,./')}" for k, v in sorted(self.options.items()))


class Table:
    """Makes players, and owns what they share: one provider per service and setting, one price book."""

    def __init__(
        self,
        book: PriceBook | None = None,
        retry: RetryPolicy | None = None,
        ask_human: AskHuman | None = None,
    ) -> None:
        self.book = book or PriceBook.load()
        self.retry = retry or RetryPolicy()
        self.ask_human = ask_human
        self._providers: dict[str, Provider] = {}

    def seat(
        self,
        text: str,
        conduct: Conduct | None = None,
        *,
        price: str | None = None,
        unpriced: bool = False,
        label: str | None = None,
    ) -> Player:
        """A player from its spec. Raises SpecError; makes no call and needs no key."""
        spec = Spec.parse(text, self.book)
        if spec.kind == "bot":
            return BotPlayer(Seated(str(spec), label or spec.label, "bot"), _bot(spec))
        if spec.kind == "human":
            if self.ask_human is None:
                raise SpecError("a human needs a terminal, and here is none")
            return HumanPlayer(Seated(str(spec), label or spec.label, "human"), self.ask_human)
        return self._model(spec, conduct or Conduct(), price, unpriced, label)

    def _model(
        self, spec: Spec, conduct: Conduct, price_text: str | None, unpriced: bool, label: str | None
    ) -> ModelPlayer:
        own, theirs = _split_options(spec)
        conduct = _conduct(conduct, own, spec)
        if conduct.style not in prompts.styles():
            raise SpecError(f"unknown style {conduct.style!r}: expected one of {', '.join(prompts.styles())}")
        price = self._price(spec, own.get("price"), price_text, conduct.tier)
        if price is None and not unpriced:
            raise SpecError(
                f"no price is known for {spec.kind}:{spec.name} ({conduct.tier} tier): give one with "
                "--price in,out ($ per million tokens), or go on without counting with --unpriced"
            )
        provider = self._provider(spec, theirs)
        conduct = _within_capabilities(provider, spec, conduct)
        parameters = {name: getattr(conduct, name) for name in Conduct.__slots__}
        seated = Seated(
            spec=str(spec),
            label=label or spec.label,
            kind=spec.kind,
            provider=spec.kind,
            model=spec.name,
            style=conduct.style,
            track=conduct.track,
            parameters=parameters,
            price=price,
        )
        return ModelPlayer(seated, provider, conduct, self.retry)

    def _price(self, spec: Spec, own: str | None, for_the_unknown: str | None, tier: str) -> Price | None:
        """What the spec itself says, else the book, else what was given for models that the book lacks."""
        known = None if own else self.book.price(spec.kind, spec.name, tier)
        if spec.kind == "local" and not providers.is_here("local", spec.options.get("base_url", "")):
            known = None  # nothing is for free but what runs on this machine
        text = own or for_the_unknown
        if known is not None or text is None:
            return known
        try:
            return replace(price_from_text(text), tier=tier)
        except ValueError as error:
            raise SpecError(str(error)) from None

    def _provider(self, spec: Spec, options: Mapping[str, str]) -> Provider:
        key = str(Spec(spec.kind, "", options))
        if key not in self._providers:
            try:
                self._providers[key] = providers.create(spec.kind, **options)
            except (ValueError, TypeError, ImportError) as error:
                raise SpecError(f"{spec}: {error}") from None
        return self._providers[key]

    async def aclose(self) -> None:
        for provider in self._providers.values():
            await provider.aclose()
        self._providers.clear()


def _bot(spec: Spec) -> Bot:
    try:
        return engine.new_bot(spec.name, **spec.options)
    except ValueError as error:
        raise SpecError(f"{spec}: {error}") from None


def _split_options(spec: Spec) -> tuple[dict[str, str], dict[str, str]]:
    """Options of the player, and those that its provider is made with."""
    own = {*Conduct.__slots__, "price"}
    mine = {name: value for name, value in spec.options.items() if name in own}
    return mine, {name: value for name, value in spec.options.items() if name not in own}


def _conduct(base: Conduct, options: Mapping[str, str], spec: Spec) -> Conduct:
    """The run's conduct with what the spec says otherwise."""
    changes: dict[str, Any] = {}
    try:
        for name, value in options.items():
            if name != "price":
                changes[name] = _READERS.get(name, str)(value)
    except ValueError:
        raise SpecError(f"option {name}={value!r} of {spec} is not a number") from None
    conduct = replace(base, **changes)
    allowed = {"track": ("open", "rules"), "fallback": ("forfeit", "random"), "effort": (None, *EFFORTS)}
    for name, values in allowed.items():
        if getattr(conduct, name) not in values:
            expected = ", ".join(str(value) for value in values if value)
            raise SpecError(f"{name}={getattr(conduct, name)!r} of {spec}: expected one of {expected}")
    return conduct


def _within_capabilities(provider: Provider, spec: Spec, conduct: Conduct) -> Conduct:
    """A setting that the service lacks is refused aloud, not dropped; the default effort fits itself."""
    can = provider.capabilities(spec.name)
    for name in ("temperature", "effort"):
        if getattr(conduct, name) is not None and not getattr(can, name):
            raise SpecError(f"{spec.kind}:{spec.name} has no setting {name!r}: leave it out")
    if conduct.effort is None and can.effort and can.reasoning == "summary":
        return replace(conduct, effort=DEFAULT_EFFORT)
    return conduct
