"""What crosses the border to a model: one request, one reply, one usage, one error tree.

A provider makes exactly one HTTP attempt per `complete`; retrying is `retry.py`, asking again for a
legal move is the player's. A provider knows no games.

    ProviderError
    ├── Retryable(kind, retry_after_s, possibly_billed)   try the same request again
    └── Final(kind)                                       it will not get better by itself
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args, runtime_checkable

Mode = Literal["json", "decision", "text"]
Finish = Literal["stop", "length", "refusal", "filtered", "other"]
ReasoningKind = Literal["raw", "summary", "none"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
FinalKind = Literal["auth", "quota", "unknown_model", "bad_request", "too_long", "tape"]
RetryKind = Literal["rate_limit", "overloaded", "server", "connection", "timeout", "protocol"]
EFFORTS: tuple[Effort, ...] = get_args(Effort)


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One question to one model. `schema` is a JSON Schema object that the provider enforces if it can."""

    model: str
    system: str
    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    choices: tuple[tuple[int, str], ...] | None = None  # (number, notation) of the legal moves, where shown
    mode: Mode = "json"
    effort: Effort | None = None
    max_output_tokens: int = 4096
    temperature: float | None = None
    seed: int | None = None
    cache_key: str | None = None
    timeout_s: float = 120.0
    tier: str = "standard"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, one meaning for all vendors. `reasoning` is a part of `output`; nothing else overlaps."""

    input_fresh: int = 0
    cache_read: int = 0
    cache_write_short: int = 0
    cache_write_long: int = 0
    output: int = 0
    reasoning: int = 0
    tier: str = "standard"

    @property
    def input(self) -> int:
        """All prompt tokens, cached or not."""
        return self.input_fresh + self.cache_read + self.cache_write_short + self.cache_write_long


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a service says, in the headers of an answer, that it will still take; None where it is silent.

    `*_reset_s` is the number of seconds after which the full `*_limit` is there again.
    """

    requests_limit: int | None = None
    requests_left: int | None = None
    requests_reset_s: float | None = None
    tokens_limit: int | None = None
    tokens_left: int | None = None
    tokens_reset_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `raw_request` and `raw_response` are the exact JSON bodies, without any header."""

    text: str
    usage: Usage
    finish: Finish = "stop"
    finish_detail: str = ""  # the vendor's own word, and a refusal's category
    reasoning: str = ""
    reasoning_kind: ReasoningKind = "none"
    probabilities: Mapping[int, float] | None = None
    model: str = ""  # as the service reported it
    request_id: str = ""
    raw_request: str = ""
    raw_response: str = ""
    latency_s: float = 0.0
    allowance: Allowance | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model at a provider can be asked for; unknown models get the provider's best guess.

    `efforts` are the words that the model itself has ("none" where its thinking can be switched off), empty
    where it takes no effort at all: a word that it lacks is refused and never replaced by the nearest one.
    """

    json_schema: bool = True
    temperature: bool = True
    seed: bool = False
    efforts: tuple[Effort, ...] = EFFORTS
    reasoning: ReasoningKind = "none"
    decision: bool = False
    tiers: tuple[str, ...] = ("standard",)

    @property
    def effort(self) -> bool:
        """Whether an effort can be asked for at all."""
        return bool(self.efforts)


_secrets: set[str] = set()


def keep_secret(value: str) -> None:
    """Never let `value` (a key, a password) out again: `redact` takes it out of every text."""
    if len(value) >= 6:  # a shorter one would blank out innocent text
        _secrets.add(value)


def redact(text: str) -> str:
    """`text` without any kept secret. Services echo keys in error messages; records are for sharing."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, "[redacted]")
    return text


class ProviderError(Exception):
    """Something between us and the model went wrong. `status` is the HTTP status, if there was one.

    Every text it carries is redacted here, so no path to an error can leak a key.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        status: int | None = None,
        request_id: str = "",
        raw_request: str = "",
        raw_response: str = "",
        allowance: Allowance | None = None,
    ) -> None:
        message = redact(message)
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.request_id = redact(request_id)  # a gateway may echo any header there
        self.raw_request = redact(raw_request)
        self.raw_response = redact(raw_response)
        self.allowance = allowance


class Retryable(ProviderError):
    """Nobody's fault and worth another attempt. `possibly_billed`: the prompt may have been charged.

    `too_long_wait` is set by the retry policy where it gave up with attempts left, because the service asked
    for a longer wait than the policy has time for: come back later, nothing is wrong with the request.
    """

    def __init__(
        self,
        kind: RetryKind,
        message: str,
        *,
        retry_after_s: float | None = None,
        possibly_billed: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(kind, message, **more)
        self.retry_after_s = retry_after_s
        self.possibly_billed = possibly_billed
        self.too_long_wait = False


class Final(ProviderError):
    """The same request will fail again: wrong key, no money, unknown model, malformed or too long request.

    "tape": it was to be answered from a tape, which does not have it; no service was asked.
    """

    def __init__(self, kind: FinalKind, message: str, **more: Any) -> None:
        super().__init__(kind, message, **more)


@runtime_checkable
class Provider(Protocol):
    """One service. Made lazily, one per process and key; shared by all matches."""

    name: str

    def capabilities(self, model: str) -> Capabilities: ...

    async def complete(self, request: Request) -> Reply:
        """Exactly one HTTP attempt. Raises Retryable or Final; cancellation passes through."""
        ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """The most that one batch takes; `results_kept_s`: how long after its end its results can be fetched."""

    requests: int
    bytes: int
    results_kept_s: float


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """How far a batch is. `ended`: its results can be fetched, also where it expired or was cancelled.

    Some services count only at the end: `done` and `failed` are then 0 until it is `ended`.
    """

    ended: bool
    total: int = 0
    done: int = 0
    failed: int = 0
    detail: str = ""  # the vendor's own word for its state


@runtime_checkable
class BatchProvider(Provider, Protocol):
    """A service that takes many requests at once, to be answered within a day at a lower price.

    Every verb makes the HTTP requests that it needs once each and raises Retryable or Final, as `complete` does.
    The requests of one batch have one model and the tier "batch"; their replies say that tier.
    """

    def batch_limits(self) -> BatchLimits: ...

    async def submit(self, name: str, requests: Mapping[str, Request]) -> str:
        """Hand in requests by their ids (`[A-Za-z0-9._-]{1,64}`); the service's id of the batch.

        `name` is kept with it where the service has room for one, so that `find` can recognise it.
        """
        ...

    async def find(self, name: str, since_unix: float, ids: Sequence[str]) -> str | None:
        """The batch that was submitted under `name` at or after `since_unix`, with these request ids.

        For a submission whose answer was lost: None if there is none (it may be submitted again).
        """
        ...

    async def poll(self, batch: str) -> BatchStatus: ...

    def results(self, batch: str) -> AsyncIterator[tuple[str, Reply | ProviderError]]:
        """Of an ended batch, every request's id with its reply, or with the error that it came to.

        An expired or cancelled part is Retryable and not billed. Order is the service's.
        """
        ...

    async def cancel(self, batch: str) -> None:
        """Ask the service to stop; what is answered by then is billed and in the results."""
        ...
