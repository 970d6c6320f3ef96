"""What the batches of all services have in common: which requests may go in, what their parts come to.

A batch is answered within a day at a lower price. Its verbs make plain HTTP requests, so they fail as a call
does, with two differences that `verb` makes: nothing but handing a batch in can be billed, and an error of
the whole batch does not carry the body of all its requests along. A part is read as the same answer online
would be; one that was not answered costs nothing.

Left out: waiting, and which requests go together. That is for whoever plays.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from providers import wire
from providers.base import BatchStatus, Capabilities, Final, ProviderError, Reply, Request, Retryable, redact

QUICK_S = 60.0  # for a verb that moves little, and for one that moves a whole batch
LOAD_S = 600.0
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CLOCKS_S = 60.0  # by which our clock may be ahead of a service's
_SHOWN = 10_000  # characters of an unreadable answer that are kept

Part = Reply | ProviderError


def check(name: str, requests: Mapping[str, Request], able: Callable[[str], Capabilities]) -> str:
    """The one model of a batch. Final("bad_request") for requests that cannot go into one together."""
    models = {request.model for request in requests.values()}
    odd = next((id_ for id_ in requests if not _ID.fullmatch(id_)), None)
    if len(models) != 1:
        found = ", ".join(sorted(models)) or "no request"
        raise Final("bad_request", f"{name}: a batch is for one model, got {found}; hand in one for each")
    if odd is not None:
        raise Final("bad_request", f"{name}: the id {odd!r} is not of the form {_ID.pattern}")
    for request in requests.values():
        wire.check(name, request, able(request.model), batch=True)
    return models.pop()


def check_ended(name: str, status: BatchStatus) -> None:
    """Retryable("overloaded") while a batch goes on: what has no result yet is not unanswered."""
    if not status.ended:
        raise Retryable("overloaded", f"{name}: the batch has no results yet ({status.detail})")


@contextmanager
def verb(*, hands_in: bool = False) -> Iterator[None]:
    """Around a verb's HTTP request. `hands_in`: it may leave a batch behind, to be billed."""
    try:
        yield
    except ProviderError as error:
        error.raw_request, error.raw_response = "", error.raw_response[:_SHOWN]
        if isinstance(error, Retryable) and not hands_in:
            error.possibly_billed = False
        if error.kind == "unknown_model" and not hands_in:
            error.kind = "bad_request"  # a 404: the service knows no such batch
        raise


def parsed(text: str, name: str) -> list[Any]:
    """The values of a file with one JSON value a line. Raises Retryable("protocol"): nothing is left out."""
    try:  # not `splitlines`: text in JSON may hold other line breaks
        return [json.loads(line) for line in redact(text).split("\n") if line.strip()]
    except (ValueError, RecursionError) as error:
        raise wire.garbled(name, f"{type(error).__name__}: {error}", "", text) from None


def answered(parse: Callable[[Any], Reply], body: object, name: str, sent: str) -> Part:
    """A part that was answered: its reply, or what is wrong with it. It was billed."""
    text = json.dumps(body, separators=(",", ":"))  # escaped: half a character cannot be written otherwise
    try:
        reply = wire.read(parse, text, name, sent)
    except ProviderError as error:
        return error
    usage = replace(reply.usage, tier="batch")
    return replace(reply, usage=usage, raw_request=redact(sent), raw_response=text)


def refused(name: str, status: int, body: object, sent: str) -> ProviderError:
    """A part that the service refused, as the same status online, but not billed."""
    error = wire.refused(name, status, json.dumps(body), {}, sent)
    if isinstance(error, Retryable):
        error.possibly_billed = False
    return error


def unanswered(name: str, why: str, sent: str) -> Retryable:
    """A part that the batch ended without: `why` is "expired" or "was cancelled"."""
    return Retryable("overloaded", f"{name}: the batch {why} before this was answered", raw_request=sent)


class Listed(NamedTuple):
    """A batch in a service's list. `name` is "" where the service keeps none."""

    id: str
    created_unix: float
    name: str = ""
    ended: bool = False
    total: int = 0


class Page(NamedTuple):
    batches: list[Listed]
    after: str | None  # what the next page is asked for with; None: there is none


async def created_since(
    since_unix: float, page_after: Callable[[str | None], Awaitable[Page]]
) -> AsyncIterator[Listed]:
    """The batches that were created at or after a time, newest first as the services list them.

    Clocks may differ by a minute: an older batch of the same name or ids is still the same batch.
    """
    page, oldest = await page_after(None), int(since_unix - _CLOCKS_S)
    while True:
        recent = [batch for batch in page.batches if batch.created_unix >= oldest]
        for batch in recent:
            yield batch
        if page.after is None or not recent:
            return
        page = await page_after(page.after)
