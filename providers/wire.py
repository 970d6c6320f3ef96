"""What all services share on the wire: where they are, what they can be asked, and what their failures mean.

One table of HTTP statuses for everybody, so that a 429 is the same thing whichever SDK reports it. The SDKs'
exception classes are read for three facts only (status, headers, body) and then dropped with `from None`:
their texts may hold a key, and nobody outside needs to know which SDK it was.

Left out: retrying (`retry.py`), and any connection; each provider owns its client.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

from providers.base import (
    Capabilities,
    Final,
    FinalKind,
    ProviderError,
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
        password = urlsplit(url).password
        if password:
            keep_secret(password)
            keep_secret(unquote(password))
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


def check(name: str, request: Request, able: Capabilities) -> None:
    """Final("bad_request") for what the model cannot honour: nothing asked for is dropped silently."""
    asked = (
        (request.temperature is not None and not able.temperature, "a temperature"),
        (request.seed is not None and not able.seed, "a seed"),
        (request.effort is not None and request.effort not in able.efforts, _effort(request, able)),
        (request.mode == "decision" and not able.decision, "the decision mode"),
        (request.tier not in able.tiers, f"the tier {request.tier!r} (it has {', '.join(able.tiers)})"),
    )
    refused = [what for wrong, what in asked if wrong]
    if refused:
        raise Final(
            "bad_request", f"{name}:{request.model} does not take {' nor '.join(refused)}; leave it out"
        )


def _effort(request: Request, able: Capabilities) -> str:
    return (
        f"the effort {request.effort!r} (it has {', '.join(able.efforts)})" if able.efforts else "an effort"
    )


def dumps(body: object) -> str:
    """Compact JSON, as the SDKs write it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def count(value: object) -> int:
    """A token count; services leave fields out or send null."""
    return value if isinstance(value, int) else 0


def read(parse: Callable[[Any], T], text: str, name: str, sent: str) -> T:
    """`parse` of the JSON in `text`; whatever is wrong with its shape or depth is Retryable("protocol")."""
    try:
        return parse(json.loads(text))
    except ProviderError as error:
        error.raw_request, error.raw_response = redact(sent), text
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise garbled(name, f"{type(error).__name__}: {error}", sent, text) from None


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
