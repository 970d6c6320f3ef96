"""From a spec such as `anthropic:claude-sonnet-5-5?effort=low` to a player who sits down.

Everything that can be wrong with a spec is found here, before anything is made or paid: unknown kinds, names
and options, settings that a service does not have, models without a price.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import engine
import providers
from orchestrator.model import Conduct, ModelPlayer, answer_mode
from orchestrator.players import AskHuman, BotPlayer, HumanPlayer, Player, Seated
from orchestrator.pool import Pool
from providers.base import Capabilities, Effort, Provider
from providers.prices import Price, PriceBook, price_from_text
from providers.retry import RetryPolicy
from providers.simulated import FAULTS
from providers.wire import is_loopback

KINDS = ("bot", "human", *providers.names())
DEFAULT_EFFORT: Effort = (
    "low"  # where thoughts are shown only if effort is asked for: they are half the record
)
NOT_PLAY = ("timeout", "tier")  # of a conduct: what changes no move
NOT_ANSWERS = (
    "base_url",
    "latency",
    "spread",
    "retry_after",
    "fail",
    *FAULTS,
)  # of a provider: what changes no answer

_READERS: Mapping[str, Callable[[str], Any]] = {
    "reasks": int,
    "max_tokens": int,
    "temperature": float,
    "timeout": float,
    "forecast": lambda text: {"yes": True, "no": False}.get(text, text),  # anything else a conduct refuses
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
        return Spec(kind, name, _options(query, text))

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
    """Makes players, and owns what they share: providers, the price book, the pool of slow bots."""

    def __init__(
        self,
        book: PriceBook | None = None,
        retry: RetryPolicy | None = None,
        ask_human: AskHuman | None = None,
    ) -> None:
        self.book = book or PriceBook.load()
        self.retry = retry or RetryPolicy()
        self.ask_human = ask_human
        self.pool = Pool()
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
        label = label or spec.label
        try:
            if spec.kind == "bot":
                canonical = engine.new_bot(spec.name, **spec.options).spec()
                seated = Seated(str(spec), label, "bot", _hash(spec.kind, canonical))
                return BotPlayer(seated, (spec.name, tuple(sorted(spec.options.items()))), self.pool)
            if spec.kind == "human":
                return HumanPlayer(
                    Seated(str(spec), label, "human", _hash(spec.kind, spec.name)), self._human()
                )
            return self._model(spec, conduct or Conduct(), price, unpriced, label)
        except (ValueError, TypeError, ImportError) as error:
            raise error if isinstance(error, SpecError) else SpecError(f"{spec}: {error}") from None

    def _human(self) -> AskHuman:
        if self.ask_human is None:
            raise SpecError("a human needs a terminal, and here is none")
        return self.ask_human

    def _model(
        self, spec: Spec, conduct: Conduct, price_text: str | None, unpriced: bool, label: str
    ) -> ModelPlayer:
        own, theirs = _split_options(spec)
        try:
            provider = self._provider(spec, theirs)
        except ValueError as error:
            raise SpecError(f"{spec}: {error}{_meant(theirs)}") from None
        conduct = _within_capabilities(provider, spec, _conduct(conduct, own))
        mode = answer_mode(conduct, provider.capabilities(spec.name))
        tier = "decision" if mode == "decision" else conduct.tier  # has prices of its own
        price = self._price(spec, own.get("price"), price_text, tier)
        if price is None and not unpriced:
            raise SpecError(
                f"no price is known for {spec.kind}:{spec.name} ({tier} tier): give one with "
                "--price in,out ($ per million tokens), or go on without counting with --unpriced"
            )
        play = {name: value for name, value in asdict(conduct).items() if name not in NOT_PLAY}
        if conduct.mode == "auto":  # as it was before there was a choice: the hash is of many records
            del play["mode"]
        if not conduct.forecast:  # likewise
            del play["forecast"]
        shaping = {name: value for name, value in theirs.items() if name not in NOT_ANSWERS}
        seated = Seated(
            spec=str(spec),
            label=label,
            kind=spec.kind,
            hash=_hash(spec.kind, spec.name, shaping, play),
            provider=spec.kind,
            model=spec.name,
            style=conduct.style,
            track=conduct.track,
            parameters=asdict(conduct) | {"endpoint": _endpoint(spec)},
            price=price,
        )
        return ModelPlayer(seated, provider, conduct, self.retry)

    def _price(self, spec: Spec, own: str | None, for_the_unknown: str | None, tier: str) -> Price | None:
        """What the spec itself says, else the book, else what was given for models that the book lacks."""
        known = None if own else self.book.price(spec.kind, spec.name, tier)
        if spec.kind == "local" and not is_loopback(_endpoint(spec)):
            known = None  # nothing is for free but what runs on this machine
        text = own or for_the_unknown
        if known is not None or text is None:
            return known
        return replace(price_from_text(text), tier=tier)

    def _provider(self, spec: Spec, options: Mapping[str, str]) -> Provider:
        key = str(Spec(spec.kind, "", options))
        if key not in self._providers:
            self._providers[key] = providers.create(spec.kind, **options)
        return self._providers[key]

    def warm(self) -> None:
        """Import what the first calls would import, so that no clock counts it."""
        for provider in self._providers.values():
            providers.warm(provider.name)

    async def aclose(self) -> None:
        self.pool.close()
        for provider in self._providers.values():
            await provider.aclose()
        self._providers.clear()


def _options(query: str, text: str) -> dict[str, str]:
    """The options behind a spec's question mark, each at most once, and no password among them."""
    try:
        pairs = parse_qsl(query, strict_parsing=True, keep_blank_values=True) if query else []
    except ValueError:
        raise SpecError(
            f"unreadable options {query!r} in {text!r}: expected option=value&option=value"
        ) from None
    options = dict(pairs)
    if len(options) < len(pairs):
        raise SpecError(f"an option is given twice in {text!r}: leave one of them out")
    if urlsplit(options.get("base_url", "")).username is not None:
        raise SpecError(
            "a spec is written to the record and must not hold a user, token or password: "
            "put the address with its credentials into the service's _BASE_URL variable"
        )
    return options


def _endpoint(spec: Spec) -> str:
    return providers.endpoint(spec.kind, spec.options.get("base_url", ""), spec.name)


def _hash(*play: object) -> str:
    """Equal for players that play alike, in any run and however they were written."""
    text = json.dumps(play, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _split_options(spec: Spec) -> tuple[dict[str, str], dict[str, str]]:
    """Options of the player, and those that its provider is made with."""
    own = {*Conduct.__slots__, "price"}
    mine = {name: value for name, value in spec.options.items() if name in own}
    return mine, {name: value for name, value in spec.options.items() if name not in own}


def _meant(options: Iterable[str]) -> str:
    """A word on those that are nearly the name of an option that every model has."""
    near = [close for name in options for close in get_close_matches(name, Conduct.__slots__, 1, 0.75)]
    return f"; did you mean {' and '.join(near)}?" if near else ""


def _conduct(base: Conduct, options: Mapping[str, str]) -> Conduct:
    """The run's conduct with what the spec says otherwise. Raises ValueError."""
    changes: dict[str, Any] = {}
    for name, value in options.items():
        if name != "price":
            try:
                changes[name] = _READERS.get(name, str)(value)
            except ValueError:
                raise ValueError(f"{name}={value}: not a number") from None
    return replace(base, **changes)


def _within_capabilities(provider: Provider, spec: Spec, conduct: Conduct) -> Conduct:
    """A setting that the service lacks is refused aloud, not dropped; the default effort fits itself."""
    can = provider.capabilities(spec.name)
    if conduct.tier not in can.tiers:
        raise SpecError(
            f"{spec.kind}:{spec.name} has no tier {conduct.tier!r}: it has {', '.join(can.tiers)}"
        )
    if answer_mode(conduct, can) == "decision":
        return _deciding(can, spec, conduct)
    if conduct.mode == "json" and not can.json_schema:
        raise SpecError(f"{spec.kind}:{spec.name} keeps to no schema: leave mode=json out")
    if conduct.temperature is not None and not can.temperature:
        raise SpecError(f"{spec.kind}:{spec.name} has no temperature: leave it out")
    if conduct.effort is not None and conduct.effort not in can.efforts:
        words = f"it has {', '.join(can.efforts)}" if can.efforts else "it has none, so leave it out"
        raise SpecError(f"{spec.kind}:{spec.name} has no effort {conduct.effort!r}: {words}")
    if conduct.effort is None and DEFAULT_EFFORT in can.efforts and can.reasoning == "summary":
        return replace(conduct, effort=DEFAULT_EFFORT)
    return conduct


def _deciding(can: Capabilities, spec: Spec, conduct: Conduct) -> Conduct:
    """A native decision is a choice from the listed moves, made without thinking and at once."""
    if not can.decision:
        raise SpecError(f"{spec.kind}:{spec.name} makes no native decisions: leave mode=decision out")
    if conduct.track != "open":
        raise SpecError("a native decision is a choice from the listed moves: mode=decision needs track=open")
    wrong = [name for name in ("effort", "temperature") if getattr(conduct, name) is not None]
    wrong += ["forecast"] if conduct.forecast else []
    if wrong or conduct.tier != "standard":
        raise SpecError(f"a native decision has no {(wrong or ['tier'])[0]}: leave it out")
    return conduct
