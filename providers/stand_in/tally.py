"""What was asked of the stand-in and what it answered, so that a client can be judged."""

from __future__ import annotations

from collections import Counter, defaultdict

from providers.base import Request, Usage
from providers.dialects import Body
from providers.simulated import StandIn

BILLED = ("input_fresh", "cache_read", "cache_write_short", "cache_write_long", "output")


class Tally:
    """The counters. Two calls are the same question when model, content, output bound and seed are the same.

    A call counts as answered when a whole 200 was sent, a part of a batch when its answer is in an ended batch.
    It has used tokens as soon as an answer was made for it, arrived or not: that is what a service bills.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.reset()

    def reset(self) -> None:
        self.requests = 0
        self.peak = self.in_flight
        self.routes: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.asked: Counter[bytes] = Counter()
        self.answered: Counter[bytes] = Counter()
        self._usage: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._calls = 0
        self._seconds = self._slowest = 0.0

    def enter(self, route: str) -> None:
        self.requests += 1
        self.routes[route] += 1
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)

    def time(self, seconds: float) -> None:
        self._calls += 1
        self._seconds += seconds
        self._slowest = max(self._slowest, seconds)

    def work(self, model: str, usage: Usage) -> None:
        """An answer was made for a call to that model."""
        kinds = {name: getattr(usage, name) for name in BILLED}
        self._usage[model].update(kinds, calls=1)

    def counts(self) -> Body:
        """`answered` counts calls and parts of batches, `answered_calls` calls alone; their latency in seconds.

        `usage` holds, by model, the tokens of each kind that is billed by itself, and of how many calls: without
        those of batches.
        """
        answered = self.answered.total()
        return {
            "requests": self.requests,
            "answered": answered,
            "answered_calls": self._calls,
            "questions": len(self.asked),
            "asked_again": self.asked.total() - len(self.asked),
            "answered_again": answered - len(self.answered),
            "routes": dict(self.routes),
            "faults": dict(self.faults),
            "in_flight": self.in_flight,
            "in_flight_peak": self.peak,
            "usage": {model: dict(used) for model, used in self._usage.items()},
            "latency": {"mean": self._seconds / self._calls if self._calls else 0.0, "max": self._slowest},
        }


def key_of(mind: StandIn, question: Request) -> bytes:
    return mind.digest(question)[:16] + question.model.encode()
