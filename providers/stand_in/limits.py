"""How much a model takes: requests and tokens per minute in buckets, and calls in flight.

A bucket holds `burst` seconds' worth, starts full and fills evenly, as Anthropic describes its own. A call takes
one request and reserves its prompt and its whole output bound (the prompt alone where it names no bound), and
once it is answered gets back what it did not use; cached tokens count. A refused call takes nothing. What a
service tells of it is true at the moment of the answer: requests and tokens with limit, remaining and reset,
the time until the bucket is full, in the headers of Anthropic and OpenAI. Gemini tells only how long to wait.

Left out: separate limits of input and output tokens, per day, and of batches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from math import ceil, floor
from typing import NamedTuple, Self

from providers.base import Request
from providers.dialects import NO_LIMIT, Body
from providers.simulated import amount, prompt_tokens


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests per minute, tokens per minute, calls in flight (0: no limit), and seconds' worth of a burst."""

    rpm: float = 0
    tpm: float = 0
    at_once: float = 0
    burst: float = 60

    @classmethod
    def of(cls, **options: str | float) -> Self:
        """From options by name. Raises ValueError on an unknown one or a value below 0."""
        names = [field.name for field in fields(cls)]
        if unknown := sorted(set(options) - set(names)):
            raise ValueError(f"no limit {', '.join(unknown)}; there are: {', '.join(names)}")
        return cls(**{name: amount(name, str(value)) for name, value in options.items()})


class Denial(NamedTuple):
    """Which limit a call ran into, and in how many seconds it will not; None where nobody knows."""

    what: str
    limit: float
    wait_s: float | None


class Bucket:
    """So much per minute. `offered`: all that could have been taken until it was last filled."""

    def __init__(self, per_minute: float, burst_s: float, least: float, now: float) -> None:
        self._at = now
        self.change(per_minute, burst_s, least)
        self.level = self.offered = self.size

    def change(self, per_minute: float, burst_s: float, least: float) -> None:
        """What is in stays in, as far as it still has room."""
        self.per_minute = per_minute
        self.size = max(least, per_minute * burst_s / 60)
        self.level = min(getattr(self, "level", self.size), self.size)

    def fill(self, now: float) -> None:
        gained = self._gain(now)
        self._at = now
        self.offered += gained
        self.level = min(self.size, self.level + gained)

    def offered_by(self, now: float) -> float:
        return self.offered + self._gain(now)

    def _gain(self, now: float) -> float:
        return max(0.0, now - self._at) * self.per_minute / 60

    def wait(self, amount: float) -> float:
        """Seconds until it holds that much, 0 where it does; of more than it ever holds, until it is full."""
        return max(0.0, (min(amount, self.size) - self.level) * 60 / self.per_minute)

    def lacks(self, amount: float) -> bool:
        return amount > self.level + 1e-6 * max(1.0, self.size)  # a clock's float is no finer

    @property
    def reset_s(self) -> float:
        return self.wait(self.size)


class Gate:
    """One model's limits while it is used."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.in_flight = 0
        self.requests: Bucket | None = None
        self.tokens: Bucket | None = None
        self.change(limits)
        self.reset()

    def reset(self) -> None:
        """Forget what was counted."""
        self.answered = self.used = 0
        self.refused: Counter[str] = Counter()
        for bucket in (self.requests, self.tokens):
            if bucket is not None:
                bucket.offered = bucket.level

    def change(self, limits: Limits) -> None:
        now = self._clock()
        self.limits = limits
        self.requests = _changed(self.requests, limits.rpm, limits.burst, 1, now)
        self.tokens = _changed(self.tokens, limits.tpm, limits.burst, 0, now)

    def fill(self) -> None:
        now = self._clock()
        for bucket in (self.requests, self.tokens):
            if bucket is not None:
                bucket.fill(now)

    def take(self, question: Request) -> Grant | Denial:
        """Let a call in, or say what keeps it out."""
        self.fill()
        cost = reserved(question)
        denial = self._denial(cost)
        if denial is not None:
            self.refused[denial.what] += 1
            return denial
        self.in_flight += 1
        if self.requests is not None:
            self.requests.level -= 1
        if self.tokens is not None:
            self.tokens.level -= cost
        return Grant(self, cost)

    def _denial(self, cost: int) -> Denial | None:
        if self.limits.at_once and self.in_flight >= self.limits.at_once:
            return Denial("in flight", self.limits.at_once, None)
        for what, bucket, wanted in (("requests", self.requests, 1), ("tokens", self.tokens, cost)):
            if bucket is not None and bucket.lacks(wanted):
                return Denial(what, bucket.per_minute, bucket.wait(wanted))
        return None

    def counts(self) -> Body:
        """Calls answered and refused, tokens used, and all the requests and tokens that could have been.

        It only reads, so that a test may call it from a thread of its own.
        """
        now, buckets = self._clock(), {"requests": self.requests, "tokens": self.tokens}
        return {
            "answered": self.answered,
            "refused": dict(self.refused),
            "tokens": self.used,
            "offered": {
                what: bucket.offered_by(now) for what, bucket in buckets.items() if bucket is not None
            },
        }


@dataclass(slots=True)
class Grant:
    """A call that was let in. `used` is set once its answer is known; closing it settles the account."""

    gate: Gate
    cost: int
    used: int = 0
    open: bool = True

    def close(self) -> None:
        if not self.open:
            return
        self.open = False
        self.gate.in_flight -= 1
        self.gate.used += self.used
        self.gate.fill()
        if (bucket := self.gate.tokens) is not None:
            bucket.level = min(bucket.size, bucket.level + self.cost - self.used)


class Gates:
    """The gates of all models, each made when its model is first asked."""

    def __init__(
        self, limits: Limits, models: Mapping[str, Limits] | None, clock: Callable[[], float]
    ) -> None:
        self._default, self._own = limits, dict(models or {})
        self._clock = clock
        self._gates: dict[str, Gate] = {}

    def of(self, model: str) -> Gate:
        if model not in self._gates:
            self._gates[model] = Gate(self._own.get(model, self._default), self._clock)
        return self._gates[model]

    def change(self, limits: Limits, model: str = "") -> None:
        """From now on for that model, or for every one that has no limits of its own."""
        if model:
            self._own[model] = limits
        else:
            self._default = limits
        for name, gate in self._gates.items():
            if name == model or (not model and name not in self._own):
                gate.fill()
                gate.change(limits)

    def reset(self) -> None:
        for gate in self._gates.values():
            gate.fill()
            gate.reset()

    def counts(self) -> Body:
        return {name: gate.counts() for name, gate in list(self._gates.items())}


def reserved(question: Request) -> int:
    """Tokens that a call takes before its answer is known."""
    bounded = question.mode != "decision" and question.max_output_tokens < NO_LIMIT
    return prompt_tokens(question) + (question.max_output_tokens if bounded else 0)


def _changed(
    bucket: Bucket | None, per_minute: float, burst_s: float, least: float, now: float
) -> Bucket | None:
    if not per_minute:
        return None
    if bucket is None:
        return Bucket(per_minute, burst_s, least, now)
    bucket.change(per_minute, burst_s, least)
    return bucket


def headers(wire: str, gate: Gate, now: float) -> dict[str, str]:
    """What a vendor tells of a model's limits, where it has any."""
    gate.fill()
    told: dict[str, str] = {}
    for what, bucket in (("requests", gate.requests), ("tokens", gate.tokens)):
        if bucket is None or wire.startswith("gemini"):
            continue
        left = str(max(0, floor(bucket.level + 1e-6)))
        if wire == "anthropic":
            prefix = f"anthropic-ratelimit-{what}"
            told |= {
                f"{prefix}-limit": f"{bucket.per_minute:.0f}",
                f"{prefix}-remaining": left,
                f"{prefix}-reset": datetime.fromtimestamp(ceil(now + bucket.reset_s), UTC).strftime(
                    "%Y-%m-%dT%H:%M:%SZ"
                ),
            }
        else:
            told |= {
                f"x-ratelimit-limit-{what}": f"{bucket.per_minute:.0f}",
                f"x-ratelimit-remaining-{what}": left,
                f"x-ratelimit-reset-{what}": duration(bucket.reset_s),
            }
    return told


def wait_headers(wire: str, wait_s: float) -> dict[str, str]:
    """How long to wait, in whole seconds; OpenAI also tells milliseconds, Gemini tells it in the body."""
    if wire.startswith("gemini"):
        return {}
    more = {} if wire == "anthropic" else {"retry-after-ms": str(ceil(wait_s * 1000 - 1e-3))}
    return {"retry-after": str(ceil(wait_s)), **more}


def duration(seconds: float) -> str:
    """As OpenAI writes one: 12ms, 1.5s, 6m0s, 1h2m3s."""
    if seconds < 1:
        return f"{ceil(seconds * 1000)}ms"
    minutes, rest = divmod(ceil(seconds * 1000) / 1000, 60)
    hours, minutes = divmod(int(minutes), 60)
    head = f"{hours}h" if hours else ""
    return f"{head}{minutes}m{rest:.3g}s" if hours or minutes else f"{rest:.4g}s"
