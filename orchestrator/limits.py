"""How many calls a service is sent: one lane per service, endpoint and model, so that none slows another.

A call leaves when it is its turn and all of these have room: what was set by hand (calls in flight, requests
and tokens per minute), what the headers of the service's answers say is left, and a pace of requests per
second that is found out by being refused. Only a 429 slows that pace: other failures say nothing about what
we may send, and are the retry's business. A Retry-After is obeyed by the whole lane, whether it comes with a
429 or with the 503 or 529 of an overloaded service: whoever went out before then would only use up one of
its attempts. Being overloaded is not about us, though, so it never slows the pace.

Left out: adaptive limits of tokens and of calls at once. Where nothing is said in headers or by hand, the
requests per second stand for the tokens, as the calls of one model are alike; a service that counts calls at
once (a local server) wants `calls=N`. Time is that of the event loop; nothing here polls.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from orchestrator.lines import Line, unheard
from providers.base import Allowance, ProviderError, Reply, Request, Retryable
from providers.retry import Leaves
from providers.wire import is_loopback

CHARACTERS_PER_TOKEN = 3  # on the safe side: English has four, notation and other scripts fewer
FIRST_CALLS = 8  # out at once until the service has answered one: a wrong key must not fail 500 times
NEARBY = 1000.0  # calls per second to begin with where the service is on this machine and has no front door
BURST_S = 6.0  # of a rate set by hand, what may be sent at once after a lull
RESET_S = 60.0  # where a service says what is left but not until when
LONG_S = 5.0  # a wait for a reset that is worth a word
INSTANT_S = 1e-6  # sums of times are not exact, and nobody waits for their last digit

OnChange = Callable[[str, int, float, str], None]
"""`(name, in_flight, paused_s, reason)`: a lane slowed down, waits, or goes on faster. It must not raise."""


# ── set by hand ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Limits:
    """What a person allows; None is found out. A service that allows less is still obeyed."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    in_flight: int | None = None


_WORDS = {"rpm": "requests_per_minute", "tpm": "tokens_per_minute", "calls": "in_flight"}
_EXPECTED = "expected rpm=N,tpm=N,calls=N, any of them, or MODEL:rpm=… for one model"


def parse_limits(text: str) -> tuple[str, Limits]:
    """`rpm=500,tpm=200000,calls=20` or `MODEL:rpm=500`: the model ('' for all) and its limits.

    Raises ValueError with what was got, what was expected and what to try.
    """
    model, _, rest = text.strip().rpartition(":")
    found: dict[str, int] = {}
    for part in rest.split(","):
        word, is_set, number = (piece.strip() for piece in part.partition("="))
        if word not in _WORDS or not is_set:
            raise ValueError(f"unreadable limit {part.strip()!r} in {text!r}: {_EXPECTED}")
        if _WORDS[word] in found:
            raise ValueError(f"{word} is given twice in {text!r}: leave one of them out")
        found[_WORDS[word]] = _whole(number, word, text)
    return model.strip(), Limits(**found)


def limits_of(provider: str, model: str, given: Mapping[str, Limits]) -> Limits | None:
    """Those of one model, where they are given by `provider:model`, by model, or for all as ''."""
    found = (given.get(name) for name in (f"{provider}:{model}", model, ""))
    return next((limits for limits in found if limits is not None), None)


def _whole(number: str, word: str, text: str) -> int:
    digits = number.replace("_", "")
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits[:18]) < 10**12):
        raise ValueError(
            f"{word}={number} in {text!r}: expected a whole number of at least 1, such as {word}=500; "
            f"leave {word} out to have it found out"
        )
    return int(digits)


# ── what has room ────────────────────────────────────────────────────────────────────────────────────


class Bucket:
    """A rate set by hand: fills evenly, holds `BURST_S` of it. What is larger than it leaves when it is full."""

    def __init__(self, per_minute: int, least: float, now: float) -> None:
        self._per_s = per_minute / 60
        self._size = self._level = max(least, self._per_s * BURST_S)
        self._filled = now

    def wait(self, amount: float, now: float) -> float:
        """Seconds until there is room for it."""
        self._level = min(self._size, self._level + (now - self._filled) * self._per_s)
        self._filled = now
        return max(0.0, min(amount, self._size) - self._level) / self._per_s

    def take(self, amount: float) -> None:
        """May go below nothing: what came out dearer than it seemed is waited for by those that follow."""
        self._level -= amount


class Gate:
    """What a service says is left, of requests or of tokens: never more than that until it is reset.

    An answer speaks of the moment at which its own call left, as far as one can rely on it; what has left since
    comes off. The last call to have left knows best.
    """

    def __init__(self) -> None:
        self.reserved = 0.0  # by all calls since the lane's beginning
        self._corrected = 0.0  # what they used beyond that
        self._may_reach = math.inf  # both together
        self._limit = math.inf
        self._reset_at = math.inf
        self._told_by = 0

    def wait(self, amount: float, now: float) -> float:
        used = self.reserved + self._corrected
        if now >= self._reset_at:
            self._may_reach, self._reset_at = used + self._limit, now + RESET_S
        if used + min(amount, self._limit) <= self._may_reach:
            return 0.0
        return self._reset_at - now

    def told(self, number: int, reserved: float, left: int, limit: float, until: float) -> None:
        """By the answer to the call of that number, by which and all before it so much was reserved."""
        if number >= self._told_by:
            self._told_by, self._limit = number, max(limit, left, 1)
            self._may_reach, self._reset_at = reserved + self._corrected + left, until

    def correct(self, number: int, by: float) -> None:
        """The call of that number used more, or less, than was reserved for it."""
        self._corrected += by
        if number <= self._told_by:
            self._may_reach += by  # the service knew


class Pace:
    """Requests per second, where the service alone knows how many it takes.

    It doubles every `DOUBLE_S` until a request is refused. Then it is set somewhat below what the service was
    seen to take, comes back to that along a cubic curve, flat where it was refused before, and leaves it upwards
    ever faster (CUBIC, RFC 9438, in shares of the rate in place of segments); where twice that time has passed
    without a refusal, the service must be taking more by now, and the pace doubles again.

    What a service takes is measured between two refusals: at both its bucket was empty, so what it took in
    between is what was filled in. Where too little was, the pace is halved instead, again and again if need be,
    but remembers where it was when something was last taken.
    """

    FIRST = 4.0  # per second
    SLOWEST = 0.1
    DOUBLE_S = 3.0
    RETURN_S = 0.5  # doubles as fast as that where it was halved more than once
    BELOW, HALF = 0.9, 0.5  # of what was measured; where it was not
    BACK_S, BACK_REQUESTS, BACK_MOST_S = 15.0, 40, 60.0  # the way back, as long as so many requests take
    HALF_S, HALF_REQUESTS, HALF_MOST_S = 3.0, 10, 15.0
    AGAIN = 2.5  # ways back without a refusal
    MEASURED_S, MEASURED_REQUESTS = 5.0, 6  # at least
    STALE = 6.0  # ways back, after which it is not what the service takes now
    LATE_S = 0.1  # a timer that fires late is made up for
    LULL_S = 2.0  # nobody wanted to leave for so long that the service's bucket may have filled up

    def __init__(self, now: float, first: float = FIRST) -> None:
        self.rate = first
        self._goal = math.inf  # what it comes back to; infinite while it doubles
        self._below = self.BELOW
        self._back_s = 0.0
        self._age_s = 0.0  # of the way back, counted only while it was the pace that held calls back
        self._next = self._last = self._paused_until = now
        self._gap_s = 1 / first  # between two departures, lately
        self._slowed_at = -math.inf
        self._left = 0  # departures since
        self._empty_at: float | None = None  # when the service's bucket was known to be empty
        self._taken = 0  # by the service since

    def wait(self, now: float) -> float:
        return max(0.0, max(self._next, self._paused_until) - now)

    def take(self, now: float) -> None:
        due = max(self._next, self._paused_until)
        since, late = now - self._last, now - due
        if late > self.LULL_S:
            self._empty_at = None
        elif late <= max(self.LATE_S, 0.5 / self.rate):
            self._grow(min(since, 2 / self.rate))
        self._gap_s += (min(since, 60.0) - self._gap_s) / 16
        self._last = now
        self._next = max(due, now - self.LATE_S) + 1 / self.rate
        self._taken += 1
        self._left += 1

    def untake(self) -> None:
        """It did not leave after all."""
        self._taken -= 1
        self._left -= 1
        self._next -= 1 / self.rate

    def pause(self, until: float) -> None:
        self._paused_until = max(self._paused_until, until)

    def refused(self, left_at: float, now: float) -> bool:
        """A request that left then was not taken; whether that is news, and no echo of a refusal known."""
        if self._empty_at is not None and left_at > self._empty_at:
            self._taken -= 1
        if left_at <= self._slowed_at:
            return False
        self._slow(min(self.rate, 1 / max(self._gap_s, 1e-3)), self._took(now))
        self._next = max(self._next, now + 1 / self.rate)
        self._slowed_at, self._left = now, 0
        return True

    def _took(self, now: float) -> float | None:
        """Per second since the bucket was known to be empty; None: too little to tell."""
        since, taken = self._empty_at, self._taken
        if since is not None and (now - since < self.MEASURED_S or taken < self.MEASURED_REQUESTS):
            return None
        self._empty_at, self._taken = now, 0
        if since is None or now - since > self.STALE * max(self.BACK_S, self._back_s):
            return None
        return taken / (now - since)

    def _slow(self, lately: float, took: float | None) -> None:
        was_doubling = self._goal == math.inf
        if took is None and self._left <= 1 and not was_doubling:  # nothing was taken since the last time
            self.rate = max(lately / 2, min(self.rate, self.SLOWEST))
        elif took is None:
            self._head_for(lately, self.HALF)
        elif was_doubling:  # it takes more by now: something between what it took and what it refused
            self._head_for(math.sqrt(took * lately), self.HALF)
        else:
            self._head_for(min(took, lately), self.BELOW)

    def _head_for(self, goal: float, below: float) -> None:
        self._goal, self._below, self._age_s = max(goal, self.SLOWEST), below, 0.0
        if below == self.HALF:
            self._back_s = min(max(self.HALF_S, self.HALF_REQUESTS / self._goal), self.HALF_MOST_S)
        else:
            self._back_s = min(max(self.BACK_S, self.BACK_REQUESTS / self._goal), self.BACK_MOST_S)
        self.rate = below * self._goal

    def _grow(self, seconds: float) -> None:
        if self.rate < self._goal * self.HALF < math.inf:
            if self._left:  # the first one tells whether anything is taken again
                self.rate = min(self._goal * self.HALF, self.rate * 2 ** min(1, seconds / self.RETURN_S))
            return
        self._age_s += seconds
        if self._age_s > self.AGAIN * self._back_s:
            self._goal = math.inf
        if self._goal == math.inf:
            self.rate *= 2 ** (seconds / self.DOUBLE_S)
        else:
            x = self._age_s / self._back_s - 1
            self.rate = max(self.rate, self._goal * (1 + (1 - self._below) * x**3))


# ── the lane ─────────────────────────────────────────────────────────────────────────────────────────


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    """Of an event loop, these two."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer: ...


class Place(NamedTuple):
    """A call that has left the lane, and what was reserved for it and for all before it."""

    number: int  # counts from 1
    left_at: float
    tokens: int
    all_requests: float
    all_tokens: float


class _Waiting(NamedTuple):
    place: asyncio.Future[Place]
    request: Request


class Lane:
    """The calls to one model of one service. First come, first served; each costs O(1)."""

    def __init__(
        self,
        name: str,
        limits: Limits | None = None,
        on_change: OnChange = lambda name, in_flight, paused_s, reason: None,
        clock: Clock | None = None,
        first: float = Pace.FIRST,
    ) -> None:
        """`clock` is the running event loop's if None; `first` is the pace to begin with, in calls per second."""
        self.name = name
        self.in_flight = 0
        self.on_change = on_change
        self._limits = limits or Limits()
        self._given_clock = clock
        self._first = first
        self._room: _Room | None = None
        self._waiting: deque[_Waiting] = deque()
        self._timer: tuple[float, Timer] | None = None
        self._closed: Callable[[], Exception] | None = None
        self._is_held = False
        self._answered = False
        self._output: float | None = None  # tokens of an answer, lately
        self._paused_until = -math.inf
        self._told_rate = math.inf

    # ── in and out ───────────────────────────────────────────────────────────────────────────────

    def estimate(self, request: Request) -> int:
        """Tokens that a call will probably use: reserved when it leaves, settled when it is back."""
        characters = len(request.system) + sum(len(message.content) for message in request.messages)
        output = request.max_output_tokens
        if self._output is not None:
            output = min(output, round(self._output))
        return characters // CHARACTERS_PER_TOKEN + output

    async def enter(self, request: Request) -> Place:
        """Waits for room. Whoever enters must say how it ended, by one of the four methods below."""
        if self._closed:
            raise self._closed()
        if not self._waiting and self._wait_s(tokens := self.estimate(request)) <= INSTANT_S:
            return self._depart(tokens)
        waiting = _Waiting(asyncio.get_running_loop().create_future(), request)
        self._waiting.append(waiting)
        self._admit()
        try:
            return await waiting.place
        except asyncio.CancelledError:
            if waiting.place.cancelled():
                self._admit()  # the next one may be smaller
            elif waiting.place.exception() is None:
                self.undo(waiting.place.result())
            raise

    def undo(self, place: Place) -> None:
        """It did not leave after all: everything is given back."""
        room = self._ready()
        room.pace.untake()
        room.correct(place, -1, -place.tokens)
        self._back()

    def lost(self) -> None:
        """It was out and nobody waits for it any more: what it uses of the service's limits is used up."""
        self._back()

    def answered(self, place: Place, reply: Reply) -> None:
        usage = reply.usage
        self._answered = True
        self._output = usage.output if self._output is None else (15 * self._output + usage.output) / 16
        self._heard(place, reply.allowance)
        self._ready().correct(place, 0, usage.input + usage.output - place.tokens)
        self._back()

    def failed(self, place: Place, error: ProviderError) -> None:
        self._heard(place, error.allowance)
        if isinstance(error, Retryable) and error.kind in ("rate_limit", "overloaded"):
            if error.kind == "rate_limit":
                self._refused(place)
            if error.retry_after_s:
                self._pause(error.retry_after_s, error.kind)
        self._back()

    def close(self, error: Callable[[], Exception]) -> None:
        """Nobody leaves any more: all who wait, and all who come, get `error()` raised. Calls out come back."""
        self._closed = error
        while self._waiting:
            place = self._waiting.popleft().place
            if not place.done():
                place.set_exception(error())
        self._wake_at(None)

    def hold(self) -> None:
        """Nobody leaves until `go_on`; whoever comes waits in line, and calls that are out come back."""
        self._is_held = True

    def go_on(self) -> None:
        self._is_held = False
        self._admit()

    # ── room ─────────────────────────────────────────────────────────────────────────────────────

    def _ready(self) -> _Room:
        """Made when first needed, as it is the running loop's clock that it is about."""
        if self._room is None:
            self._clock: Clock = self._given_clock or asyncio.get_running_loop()
            self._room = _Room(self._limits, self._clock.time(), self._first)
        return self._room

    def _wait_s(self, tokens: int) -> float:
        """Seconds until the next call may leave; infinite where something else must happen before."""
        if self._is_held:
            return math.inf
        room = self._ready()
        first = FIRST_CALLS if not self._answered else math.inf
        if self.in_flight >= (self._limits.in_flight or first):
            return math.inf
        return room.wait(tokens, self._clock.time())

    def _depart(self, tokens: int) -> Place:
        room, now = self._ready(), self._clock.time()
        self.in_flight += 1
        self._tell_if_faster(room.pace)
        return room.take(tokens, now)

    def _back(self) -> None:
        self.in_flight -= 1
        self._admit()

    def _admit(self) -> None:
        """Everybody leaves whose turn it is; a timer is set for the next one."""
        while self._waiting:
            place, request = self._waiting[0]
            if not place.done():  # else it was cancelled
                wait_s = self._wait_s(tokens := self.estimate(request))
                if wait_s > INSTANT_S:
                    if not self._is_held:
                        self._tell_if_empty(tokens)
                    self._wake_at(self._clock.time() + wait_s if wait_s < math.inf else None)
                    return
                place.set_result(self._depart(tokens))
            self._waiting.popleft()
        self._wake_at(None)

    def _wake_at(self, when: float | None) -> None:
        if self._timer is not None:
            if self._timer[0] == when:
                return
            self._timer[1].cancel()
        self._timer = None if when is None else (when, self._clock.call_at(when, self._woken))

    def _woken(self) -> None:
        self._timer = None
        self._admit()

    # ── what the service says ────────────────────────────────────────────────────────────────────

    def _heard(self, place: Place, allowance: Allowance | None) -> None:
        if allowance is not None:
            self._ready().told(place, allowance, self._clock.time())

    def _refused(self, place: Place) -> None:
        room = self._ready()
        room.correct(place, 0, -place.tokens)
        before = room.pace.rate
        if room.pace.refused(place.left_at, self._clock.time()):
            self._told_rate = room.pace.rate
            self._tell(f"refused at {_per_minute(before)}: {_per_minute(room.pace.rate)} for now")

    def _pause(self, seconds: float, kind: str) -> None:
        now = self._clock.time()
        self._ready().pace.pause(now + seconds)
        is_news = now + seconds > max(self._paused_until, now) + 1
        self._paused_until = max(self._paused_until, now + seconds)
        if is_news:
            why = "limit reached" if kind == "rate_limit" else "the service is overloaded"
            self._tell(f"{why}: it asks to wait {seconds:.0f} s")

    def _tell_if_faster(self, pace: Pace) -> None:
        if pace.rate > 1.5 * self._told_rate:
            self._told_rate = pace.rate
            self._tell(f"not refused: up to {_per_minute(pace.rate)} by now")

    def _tell_if_empty(self, tokens: int) -> None:
        """With no call out, nothing but a reset brings more."""
        now = self._clock.time()
        wait_s = self._ready().wait_for_reset(tokens, now) if self.in_flight == 0 else 0.0
        if wait_s > LONG_S and now + wait_s > self._paused_until + 1:
            self._paused_until = now + wait_s
            self._tell(f"nothing is left until the service's limits are reset in {wait_s:.0f} s")

    def _tell(self, reason: str) -> None:
        self.on_change(self.name, self.in_flight, max(0.0, self._paused_until - self._clock.time()), reason)


class _Room:
    """Everything that must have room for a call to leave, but for the calls that are out."""

    def __init__(self, limits: Limits, now: float, first: float) -> None:
        self.pace = Pace(now, first)
        self.requests, self.tokens = Gate(), Gate()
        self._departed = 0
        rpm, tpm = limits.requests_per_minute, limits.tokens_per_minute
        self._by_hand = Bucket(rpm, 1, now) if rpm else None
        self._tokens_by_hand = Bucket(tpm, 1, now) if tpm else None

    def wait(self, tokens: int, now: float) -> float:
        return max(
            self.pace.wait(now),
            self.wait_for_reset(tokens, now),
            self._by_hand.wait(1, now) if self._by_hand else 0.0,
            self._tokens_by_hand.wait(tokens, now) if self._tokens_by_hand else 0.0,
        )

    def wait_for_reset(self, tokens: int, now: float) -> float:
        return max(self.requests.wait(1, now), self.tokens.wait(tokens, now))

    def take(self, tokens: int, now: float) -> Place:
        self.pace.take(now)
        self._departed += 1
        self.requests.reserved += 1
        self.tokens.reserved += tokens
        self._take_by_hand(1, tokens)
        return Place(self._departed, now, tokens, self.requests.reserved, self.tokens.reserved)

    def correct(self, place: Place, requests: int, tokens: int) -> None:
        """That call used so many more, or fewer, than were reserved for it."""
        self.requests.correct(place.number, requests)
        self.tokens.correct(place.number, tokens)
        self._take_by_hand(requests, tokens)

    def _take_by_hand(self, requests: int, tokens: int) -> None:
        if self._by_hand:
            self._by_hand.take(requests)
        if self._tokens_by_hand:
            self._tokens_by_hand.take(tokens)

    def told(self, place: Place, a: Allowance, now: float) -> None:
        for gate, used, left, limit, reset_s in (
            (self.requests, place.all_requests, a.requests_left, a.requests_limit, a.requests_reset_s),
            (self.tokens, place.all_tokens, a.tokens_left, a.tokens_limit, a.tokens_reset_s),
        ):
            if left is not None:
                until = now + (RESET_S if reset_s is None else reset_s)
                gate.told(place.number, used, left, math.inf if limit is None else limit, until)


def _per_minute(rate: float) -> str:
    return f"{rate * 60:.0f} requests per minute"


# ── lines ────────────────────────────────────────────────────────────────────────────────────────────


class Limited:
    """A line whose calls wait their turn in a lane."""

    def __init__(self, line: Line, lane: Lane) -> None:
        self._line = line
        self.lane = lane

    async def send(self, call: str, request: Request, leaves: Leaves = unheard) -> Reply:
        """As `Line.send`; what the lane was closed with, where it was."""
        place = await self.lane.enter(request)
        has_left = False

        async def away() -> None:
            nonlocal has_left
            await leaves()
            has_left = True

        try:
            reply = await self._line.send(call, request, away)
        except ProviderError as error:
            self.lane.failed(place, error)
            raise
        except BaseException:
            self.lane.lost() if has_left else self.lane.undo(place)
            raise
        self.lane.answered(place, reply)
        return reply


class Lanes:
    """Hands out the lanes of a run: the same one for the same service, endpoint and model."""

    def __init__(
        self,
        limits: Mapping[str, Limits] | None = None,
        on_change: OnChange = lambda name, in_flight, paused_s, reason: None,
        clock: Clock | None = None,
    ) -> None:
        """`limits` by model, or by `provider:model`, or '' for the others, each: they are not shared."""
        self._limits = limits or {}
        self._on_change = on_change
        self._clock = clock
        self._lanes: dict[tuple[str, str, str], Lane] = {}
        self._closed: Callable[[], Exception] | None = None

    def lane(self, provider: str, endpoint: str, model: str) -> Lane:
        key = provider, endpoint, model
        if key not in self._lanes:
            name, limits = f"{provider}:{model}", limits_of(provider, model, self._limits)
            first = NEARBY if is_loopback(endpoint) else Pace.FIRST
            self._lanes[key] = Lane(name, limits, self._on_change, self._clock, first)
            if self._closed:
                self._lanes[key].close(self._closed)
        return self._lanes[key]

    def close(self, error: Callable[[], Exception]) -> None:
        """Nobody leaves any more, on any lane: `error()` is raised to all who wait and all who come."""
        self._closed = error
        for lane in self._lanes.values():
            lane.close(error)

    def hold(self) -> None:
        """Nobody leaves until `go_on`, on any lane."""
        for lane in self._lanes.values():
            lane.hold()

    def go_on(self) -> None:
        for lane in self._lanes.values():
            lane.go_on()
