"""What all services share on the wire: where they are, what they can be asked, and what their failures mean.

One table of HTTP statuses for everybody, so that a 429 is the same thing whichever SDK reports it. The SDKs'
exception classes are read for three facts only (status, headers, body) and then dropped with `from None`:
their texts may hold a key, and nobody outside needs to know which SDK it was. What headers say of limits is
read here, and how a native decision becomes a reply.

Left out: retrying (`retry.py`), and any connection; each provider owns its client.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

from providers.base import (
    Allowance,
    Capabilities,
    Final,
    FinalKind,
    ProviderError,
    Reply,
    Request,
    Retryable,
    RetryKind,
    keep_secret,
    redact,
)

T = TypeVar("T")
_RETRY: Mapping[int, RetryKind] = {
    408: "timeout",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
_RETRY_4XX = (408, 409, 425, 429)
_REHEARSAL_KEY = "rehearsal-no-key"  # loopback servers ask for none, SDKs insist on one
CHOICES = (2, 255)  # between how many a native decision can be made, at every vendor that has them
DECIDE = "Choose the one option that answers the input."

# Words of an error body that say more than its status. Vendors put them in `code`, `type`, `status` or
# `reason`; a few are only said in the message.
_QUOTA = frozenset(
    {"insufficient_quota", "billing_error", "billing_hard_limit_reached", "billing_not_active"}
)
_QUOTA_TEXT = ("credit balance is too low",)
_AUTH = frozenset({"API_KEY_INVALID", "invalid_api_key", "authentication_error", "UNAUTHENTICATED"})
_UNKNOWN_MODEL = frozenset({"model_not_found", "not_found_error"})
_TOO_LONG = frozenset({"context_length_exceeded", "string_above_max_length", "exceed_context_size_error"})
_WORDS = _QUOTA | _AUTH | _UNKNOWN_MODEL | _TOO_LONG
_TOO_LONG_TEXT = (
    "prompt is too long",
    "context length",
    "context window",
    "maximum context",
    "input token count",
    "available context size",
    "exceed context limit",
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service is and what opens it. The key is in no repr."""

    base_url: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Service:
    """The fixed facts of a service: its SDK's import name, the variables of its key and address."""

    name: str
    sdk: str
    url: str
    url_variable: str
    key_variables: tuple[str, ...]
    key_needed: bool = True
    install: str = "duelist"  # what pip must install for it

    def base_url(self, option: str = "") -> str:
        """The option, else the environment, else the service's own address; without a trailing slash."""
        url = (option or os.environ.get(self.url_variable, "") or self.url).rstrip("/")
        if url and not url.startswith(("http://", "https://")):
            raise ValueError(
                f"{self.name}: the base URL must begin with http:// or https://, got {public(url)!r}"
            )
        parts = urlsplit(url)
        if secret := parts.password or parts.username:  # a user alone is a token
            keep_secret(secret)
            keep_secret(unquote(secret))
        return url

    def key(self) -> str:
        """The first key variable that is set, without blanks around it, or ''."""
        return self._key()[1]

    def _key(self) -> tuple[str, str]:
        """(variable, key)."""
        given = ((variable, os.environ.get(variable, "").strip()) for variable in self.key_variables)
        variable, key = next((pair for pair in given if pair[1]), ("", ""))
        keep_secret(key)
        return variable, key

    def endpoint(self, base_url: str = "") -> Endpoint:
        """Address and key. Final("auth") names the variable to set or mend; a loopback server needs none."""
        url, (variable, key) = self.base_url(base_url), self._key()
        if not all("!" <= character <= "~" for character in key):  # no header can carry it
            why = "a key is printable ASCII without spaces; was more than the key copied?"
            raise Final("auth", f"{self.name}: {variable} holds no key: {why}")
        if key and urlsplit(url).username:
            raise Final("auth", f"{self.name}: both a key and a user in the base URL; take one of them away")
        if not key and self.key_needed:
            if not is_loopback(url):
                raise Final("auth", f"{self.name}: no key; set {' or '.join(self.key_variables)}")
            key = _REHEARSAL_KEY
        return Endpoint(url, key)


def is_loopback(url: str) -> bool:
    """Whether the URL names this machine by `localhost` or a loopback address."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def public(url: str) -> str:
    """The URL without user and password, to be shown."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def with_v1(url: str) -> str:
    """OpenAI's base URLs include /v1 by convention; it is added where somebody left it out."""
    return url if url.endswith("/v1") else f"{url}/v1"


def no_options(name: str, options: Mapping[str, str], known: str = "base_url") -> None:
    """ValueError if `options` holds anything: a misspelt option must not be ignored."""
    if options:
        raise ValueError(f"{name} has no option {', '.join(sorted(options))}; there is: {known}")


def check(name: str, request: Request, able: Capabilities, *, batch: bool = False) -> None:
    """Final("bad_request") for what the model cannot honour: nothing asked for is dropped silently.

    A batch takes the tier "batch" and nothing else does. A native decision takes no effort and one tier, and
    it is between 2 and 255 choices: a forced move needs no model, and longer lists are for the mode "json".
    """
    decides, tier = request.mode == "decision", request.tier
    asked = (
        (request.temperature is not None and not able.temperature, "a temperature"),
        (request.seed is not None and not able.seed, "a seed"),
        (request.effort is not None and request.effort not in able.efforts, _effort(request, able)),
        (decides and not able.decision, "the decision mode"),
        (decides and request.effort is not None, "an effort in the decision mode"),
        (tier not in able.tiers, f"the tier {tier!r} (it has {', '.join(able.tiers)})"),
        (decides and tier != "standard", f"the tier {tier!r} in the decision mode"),
        (tier == "batch" and not batch, "the tier 'batch' in a single call (`submit` hands in a batch)"),
        (tier != "batch" and batch, f"the tier {tier!r} in a batch"),
    )
    refused = list(dict.fromkeys(what for wrong, what in asked if wrong))
    if refused:
        raise Final(
            "bad_request", f"{name}:{request.model} does not take {' nor '.join(refused)}; leave it out"
        )
    given, (least, most) = len(request.choices or ()), CHOICES
    if decides and not least <= given <= most:
        raise Final(
            "bad_request",
            f"{name}:{request.model} decides between {least} and {most} choices, got {given}: "
            "play a forced move without asking, and ask about a longer list in the json mode",
        )


def _effort(request: Request, able: Capabilities) -> str:
    return (
        f"the effort {request.effort!r} (it has {', '.join(able.efforts)})" if able.efforts else "an effort"
    )


def dumps(body: object) -> str:
    """Compact JSON, as the SDKs write it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def count(value: object) -> int:
    """A token count; services leave fields out or send null, and none is owed less than nothing."""
    return max(0, value) if isinstance(value, int) else 0


def counted(value: Any) -> int:
    """A count that has to be there. Raises TypeError."""
    if type(value) is not int:
        raise TypeError(f"expected a number of tokens, got {value!r}")
    return value


def filled(value: Any) -> str:
    """A text that has to be there. Raises TypeError."""
    if not isinstance(value, str) or not value:
        raise TypeError(f"expected a text, got {value!r}")
    return value


def read(parse: Callable[[Any], T], text: str, name: str, sent: str) -> T:
    """`parse` of the JSON in `text`; whatever is wrong with its shape or depth is Retryable("protocol")."""
    try:
        return parse(json.loads(text))
    except ProviderError as error:
        error.raw_request, error.raw_response = redact(sent), text
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise garbled(name, f"{type(error).__name__}: {error}", sent, text) from None


def shaped(take: Callable[[], T], name: str) -> T:
    """What `take` takes out of parsed JSON; a shape that it does not expect is Retryable("protocol")."""
    try:
        return take()
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise garbled(name, f"{type(error).__name__}: {error}", "", "") from None


class Answer(NamedTuple):
    """A 200: the body that was sent, the body that came, its headers, and how long it took."""

    sent: str
    text: str
    headers: Mapping[str, str]
    latency_s: float


def replied(parse: Callable[[Any], Reply], answer: Answer, name: str, id_header: str = "") -> Reply:
    """The reply in an answer, with what was said around it. Raises as `read` does."""
    text, left = redact(answer.text), allowance(answer.headers)
    try:
        reply = read(parse, text, name, answer.sent)
    except ProviderError as error:
        error.allowance = left
        raise
    return replace(
        reply,
        request_id=redact(answer.headers.get(id_header) or reply.request_id),
        raw_request=redact(answer.sent),
        raw_response=text,
        latency_s=answer.latency_s,
        allowance=left,
    )


def garbled(name: str, why: str, sent: str, text: str) -> Retryable:
    """A 200 that is no answer."""
    return Retryable(
        "protocol",
        f"{name} answered 200 with a body that cannot be read ({why})",
        status=200,
        possibly_billed=True,
        raw_request=sent,
        raw_response=text,
    )


def refused(name: str, status: int, body: str, headers: Mapping[str, str], sent: str) -> ProviderError:
    """The error that a status other than 200 stands for."""
    message, words, wait = _explain(body)
    header_wait = retry_after(headers)
    about: dict[str, Any] = {
        "status": status,
        "request_id": headers.get("request-id") or headers.get("x-request-id") or "",
        "raw_request": sent,
        "raw_response": body,
        "allowance": allowance(headers),
    }
    text = f"{name} answered {status}: {message or 'no reason given'}"
    final = _final_kind(status, message.lower(), words)
    if final:
        return Final(final, text, **about)
    return Retryable(
        _RETRY.get(status, "server"),
        text,
        retry_after_s=wait if header_wait is None else header_wait,
        possibly_billed=status in (408, 504),
        **about,
    )


def _final_kind(status: int, message: str, words: frozenset[str]) -> FinalKind | None:
    if status == 402 or (status < 500 and (words & _QUOTA or any(t in message for t in _QUOTA_TEXT))):
        return "quota"
    if status >= 500 or status in _RETRY_4XX:
        return None
    if status in (401, 403) or words & _AUTH:
        return "auth"
    if status == 404 or words & _UNKNOWN_MODEL:
        return "unknown_model"
    if words & _TOO_LONG or any(t in message for t in _TOO_LONG_TEXT):
        return "too_long"
    return "bad_request"


def unanswered(
    name: str, url: str, error: BaseException, after_s: float, sent: str, *, opaque: bool = False
) -> Retryable:
    """No answer arrived: too late, cut off, or no connection at all, in which case nothing can be billed.

    Judged by the aiohttp error at the bottom, as one SDK reports a cut connection as a time-out. What has no
    error of a transport in its chain failed before anything was sent, but for an `opaque` error, which hides
    its causes and so may have been billed.
    """
    import aiohttp

    chain = list(_causes(error))
    root = next((e for e in chain if isinstance(e, aiohttp.ClientError)), chain[-1])
    left = opaque or any(_is_transport(e) for e in chain)
    never_sent = not left or isinstance(root, (aiohttp.ClientConnectorError, aiohttp.InvalidURL))
    if any(isinstance(e, TimeoutError) for e in chain) and not never_sent:
        late = f"{name} gave no answer within {after_s:g} s"
        return Retryable("timeout", late, possibly_billed=True, raw_request=sent)
    broken = isinstance(root, aiohttp.ClientPayloadError)
    said = "the answer broke off" if broken else "no connection" if never_sent else "the connection was cut"
    said = said if left else "nothing was sent"
    return Retryable(
        "protocol" if broken else "connection",
        f"{name} at {public(url)}: {said} ({type(root).__name__}: {root})",
        possibly_billed=not never_sent,
        raw_request=sent,
    )


def unsendable(name: str, error: Exception, body: str) -> Final:
    """The request cannot be put on the wire: a lone surrogate in its text, a header of other than ASCII."""
    why = f"{name}: the request cannot be sent ({type(error).__name__}: {error})"
    return Final("bad_request", why, raw_request=body.encode(errors="backslashreplace").decode())


def _is_transport(error: BaseException) -> bool:
    """An error of a connection, by aiohttp, by the system, or by the httpx of either name that SDKs use."""
    import aiohttp

    known = isinstance(error, (aiohttp.ClientError, OSError))
    return known or any(kind.__name__ == "TransportError" for kind in type(error).__mro__)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the service asks, from `retry-after-ms` or `Retry-After` (seconds or a date)."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after")
        if value is None:
            return None
        try:
            return max(0.0, float(value))
        except ValueError:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None  # neither a number nor a date: back off as if nothing was said


def _explain(body: str) -> tuple[str, frozenset[str], float | None]:
    """(message, code words, seconds to wait) of an error body in any vendor's shape, or of plain text."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        said = frozenset(word for word in _WORDS if word in body)
        return body.strip()[:300], said, None
    if isinstance(found, list) and found:  # Gemini wraps some errors in a list
        found = found[0]
    error = found.get("error", found) if isinstance(found, dict) else found
    if not isinstance(error, dict):
        return str(error)[:300], frozenset(), None
    parts = [error, *_dicts(error.get("details"))]
    words = {p[k] for p in parts for k in ("code", "type", "status", "reason") if isinstance(p.get(k), str)}
    waits = [w for p in parts if (w := _seconds(p.get("retryDelay"))) is not None]
    return str(error.get("message", ""))[:1000], frozenset(words), max(waits, default=None)


def _dicts(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (v for v in value if isinstance(v, dict))


def _seconds(text: object) -> float | None:
    """A protobuf duration, '2s' or '0.5s'."""
    try:
        return float(text[:-1]) if isinstance(text, str) and text.endswith("s") else None
    except ValueError:
        return None


# --- what a service will still take


def allowance(headers: Mapping[str, str]) -> Allowance | None:
    """What the headers of an answer say that the service will still take; None where they are silent.

    Claude counts tokens in, tokens out and both, each with a limit of its own: the one counts of which the
    smallest share is left. Its resets are RFC 3339 times, those of GPT durations such as "1m3s" and "6ms".
    """
    for pattern in ("anthropic-ratelimit-{of}-{what}", "x-ratelimit-{what}-{of}"):
        requests = _limit(headers, pattern, "requests")
        kinds = (_limit(headers, pattern, of) for of in ("tokens", "input-tokens", "output-tokens"))
        tokens = min(kinds, key=_share_left)
        if any(value is not None for value in (*requests, *tokens)):
            return Allowance(*requests, *tokens)
    return None


class _Limit(NamedTuple):
    limit: int | None
    left: int | None
    reset_s: float | None


def _limit(headers: Mapping[str, str], pattern: str, of: str) -> _Limit:
    limit, left, reset = (
        headers.get(pattern.format(of=of, what=what), "") for what in ("limit", "remaining", "reset")
    )
    return _Limit(_whole(limit), _whole(left), _until(reset))


def _share_left(of: _Limit) -> float:
    return of.left / of.limit if of.limit and of.left is not None else math.inf


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])", re.ASCII)


def _until(text: str) -> float | None:
    """Seconds from now to a time in RFC 3339, or those of a duration."""
    if parts := _DURATION.findall(text):
        whole = "".join(number + unit for number, unit in parts) == text
        return sum(float(number) * _UNITS[unit] for number, unit in parts) if whole else None
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp() - time.time())


# --- native decisions


def decided(choice: object, table: Mapping[str, Any], request: Request) -> dict[str, Any]:
    """The fields of a Reply that a native decision fills: `text`, `finish`, `finish_detail`, `probabilities`.

    The vendors' values are our numbers as strings. Raises ValueError for a choice that was not offered. A
    table that is none (a number that was not offered, a sum too far from one for rounding to two places) is
    left out: the choice was paid for and stands. What it does not name has probability 0; the sum is made 1.
    """
    offered = [number for number, _ in request.choices or ()]
    if choice not in {str(number) for number in offered}:
        raise ValueError(f"the choice {choice!r} was not offered")
    return {
        "text": dumps({"action": int(str(choice))}),
        "finish": "stop",
        "finish_detail": "choice",
        "probabilities": _distribution(table, offered),
    }


def _distribution(table: Mapping[str, Any], offered: list[int]) -> dict[int, float] | None:
    found = {number: table.get(str(number), 0.0) for number in offered}
    if not table.keys() <= {str(number) for number in offered}:
        return None
    if not all(type(p) in (int, float) and 0 <= p <= 1 for p in found.values()):
        return None
    total = math.fsum(found.values())
    if abs(total - 1) > 0.01 + 0.005 * len(offered) or not total:
        return None
    return {number: p / total for number, p in found.items()}
