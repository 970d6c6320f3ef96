"""Batches at the three services that have them: what goes over the wire, what comes of each part.

The answers have the shapes that the SDKs declare; the bodies of the parts are held against those that the same
requests are sent with online.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import providers
from providers import anthropic
from providers.base import (
    BatchProvider,
    BatchStatus,
    Final,
    Message,
    ProviderError,
    Reply,
    Request,
    Retryable,
)
from tests.providers.replay import Replay, Seen, replaying, wire

KEY = "sk-planted-0123456789abcdef"
SCHEMA = {"type": "object", "properties": {"action": {"type": "integer"}}, "required": ["action"]}
IDS = ["r1-m01-4.1.1", "r1-m02_b-4.1.2"]
SINCE = 1_795_000_000.0
CREATED = datetime.fromtimestamp(SINCE + 5, UTC).isoformat().replace("+00:00", "Z")
OLD = datetime.fromtimestamp(SINCE - 3600, UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Service:
    """How one service tells of batches: `told` is a batch in a state, `parts` the answer(s) with its results."""

    name: str
    model: str
    online: str
    id: str
    told: Callable[..., dict[str, Any]]
    parts: Callable[..., list[tuple[int, Any]]]

    def requests(self, **changes: Any) -> dict[str, Request]:
        asked = Request(
            model=self.model,
            system="You play Connect 4.",
            messages=(),
            schema=SCHEMA,
            effort="low",
            cache_key="duel",
            timeout_s=10.0,
            tier="batch",
        )
        asked = replace(asked, **changes)
        return {
            id_: replace(asked, messages=(Message("user", f"Position {number}: \u25cf\u25cb"),))
            for number, id_ in enumerate(IDS)
        }

    def page(self, *listed: dict[str, Any], more: bool = False) -> dict[str, Any]:
        if self.name == "google":
            return {"operations": list(listed), **({"nextPageToken": "next"} if more else {})}
        last = listed[-1]["id"] if listed else None
        return {"data": list(listed), "has_more": more, "last_id": last, "first_id": None, "object": "list"}


def claudes(state: str = "in_progress", created: str = CREATED, **counts: int) -> dict[str, Any]:
    kinds = ("processing", "succeeded", "errored", "canceled", "expired")
    tally = dict.fromkeys(kinds, 0) | (counts or {"processing": 2})
    return {
        "id": "msgbatch_1",
        "type": "message_batch",
        "processing_status": state,
        "request_counts": tally,
        "created_at": created,
        "expires_at": created,
        "ended_at": None,
        "results_url": "http://elsewhere.example/results",
    }


def gpts(
    state: str = "in_progress", created: str = CREATED, name: str = "r1-w1", **more: Any
) -> dict[str, Any]:
    return {
        "id": "batch_1",
        "object": "batch",
        "endpoint": "/v1/responses",
        "completion_window": "24h",
        "input_file_id": "file-in",
        "created_at": int(datetime.fromisoformat(created).timestamp()),
        "status": state,
        "metadata": {"name": name},
        "request_counts": {"total": 2, "completed": 0, "failed": 0},
        **more,
    }


def geminis(
    state: str = "RUNNING", created: str = CREATED, name: str = "r1-w1", **more: Any
) -> dict[str, Any]:
    about = {
        "model": "models/gemini-3.8-flash",
        "displayName": name,
        "createTime": created,
        "state": f"BATCH_STATE_{state}",
        **more.pop("about", {}),
    }
    return {"name": "batches/b1", "metadata": about, **more}


def claudes_parts(*parts: tuple[str, str, Any]) -> list[tuple[int, Any]]:
    shown = {
        "answer": lambda body: {"type": "succeeded", "message": body},
        "error": lambda body: {"type": "errored", "error": body},
        "expired": lambda _: {"type": "expired"},
        "cancelled": lambda _: {"type": "canceled"},
        "odd": lambda body: body,
    }
    rows = [{"custom_id": anthropic._escaped(i), "result": shown[kind](body)} for i, kind, body in parts]
    return [(200, "\n".join(json.dumps(row) for row in rows) + "\n")]


def gpts_parts(*parts: tuple[str, str, Any]) -> list[tuple[int, Any]]:
    def row(id_: str, kind: str, body: Any) -> dict[str, Any]:
        if kind in ("expired", "cancelled"):
            return {
                "id": "x",
                "custom_id": id_,
                "response": None,
                "error": {"code": f"batch_{kind}", "message": "not run"},
            }
        if kind == "odd":
            return {"id": "x", "custom_id": id_, **(body if isinstance(body, dict) else {"response": body})}
        status, said = (200, body) if kind == "answer" else body
        return {
            "id": "x",
            "custom_id": id_,
            "response": {"status_code": status, "request_id": "r", "body": said},
            "error": None,
        }

    lines = [(kind, json.dumps(row(id_, kind, body))) for id_, kind, body in parts]
    good = "\n".join(line for kind, line in lines if kind == "answer")
    bad = "\n".join(line for kind, line in lines if kind != "answer")
    told = gpts(
        "completed", output_file_id="file-out" if good else None, error_file_id="file-err" if bad else None
    )
    return [(200, told), *((200, text) for text in (good, bad) if text)]


def geminis_parts(*parts: tuple[str, str, Any]) -> list[tuple[int, Any]]:
    def row(id_: str, kind: str, body: Any) -> dict[str, Any]:
        shown = {
            "answer": {"response": body},
            "error": {"error": body},
            "expired": {"error": {"code": 1, "message": "expired"}},
            "cancelled": {"error": {"code": 1, "message": "cancelled"}},
            "odd": body if isinstance(body, dict) else {"response": body},
        }
        return {"metadata": {"key": id_}, **shown[kind]}

    output = {"inlinedResponses": {"inlinedResponses": [row(*part) for part in parts]}}
    return [(200, geminis("SUCCEEDED", about={"output": output}, done=True))]


CLAUDE = Service("anthropic", "claude-sonnet-5-5", "/v1/messages", "msgbatch_1", claudes, claudes_parts)
GPT = Service("openai", "gpt-6-luna", "/v1/responses", "batch_1", gpts, gpts_parts)
GEMINI = Service("google", "gemini-3.8-flash", "", "batches/b1", geminis, geminis_parts)
ALL = pytest.mark.parametrize("service", [CLAUDE, GPT, GEMINI], ids=lambda s: s.name)
VARIABLES = {"anthropic": "ANTHROPIC", "openai": "OPENAI", "google": "GEMINI"}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES.values():
        monkeypatch.setenv(f"{name}_API_KEY", KEY)
    for variable in ("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_API_KEY"):
        monkeypatch.delenv(variable, raising=False)


def play(
    service: Service,
    answers: Sequence[tuple[int, Any]],
    then: Callable[[Any], Coroutine[Any, Any, Any]],
    **about: Any,
) -> tuple[Any, Replay]:
    """What `then` returned or raised at a server that gives these answers, and what the server saw."""

    async def main() -> tuple[Any, Replay]:
        async with replaying(*answers, **about) as replay:
            provider = providers.create(service.name, base_url=replay.url)
            try:
                found = await then(provider)
            except ProviderError as error:
                found = error
            finally:
                await provider.aclose()
            return found, replay

    return asyncio.run(main())


def handed_in(service: Service) -> list[tuple[int, Any]]:
    """What a service answers when a batch is handed in."""
    file = [(200, {"id": "file-in", "object": "file", "purpose": "batch"})] if service is GPT else []
    return [*file, (200, service.told())]


async def submitted(provider: Any, service: Service, **changes: Any) -> str:
    return await provider.submit("r1-w1", service.requests(**changes))


async def collected(provider: Any, service: Service) -> dict[str, Any]:
    return {id_: part async for id_, part in provider.results(service.id)}


def read(service: Service, *parts: tuple[str, str, Any]) -> dict[str, Any]:
    """The results of a batch that this process handed in."""

    async def both(provider: Any) -> dict[str, Any]:
        await submitted(provider, service)
        return await collected(provider, service)

    found, _ = play(service, [*handed_in(service), *service.parts(*parts)], both)
    assert isinstance(found, dict), found
    return found


def parts_seen(service: Service, seen: list[Seen]) -> dict[str, Any]:
    """id -> body, of the batch that a server was handed."""
    if service is CLAUDE:
        return {anthropic._unescaped(p["custom_id"]): p["params"] for p in seen[0].body["requests"]}
    if service is GPT:
        lines = [json.loads(line) for line in seen[0].text.splitlines() if line.startswith("{")]
        assert {(line["method"], line["url"]) for line in lines} == {("POST", "/v1/responses")}
        return {line["custom_id"]: line["body"] for line in lines}
    rows = seen[0].body["batch"]["inputConfig"]["requests"]["requests"]
    return {row["metadata"]["key"]: row["request"] for row in rows}


# --- handing in


@ALL
def test_a_service_with_batches_says_so(service: Service) -> None:
    provider = providers.create(service.name)
    assert isinstance(provider, BatchProvider)
    assert "batch" in provider.capabilities(service.model).tiers
    limits = provider.batch_limits()
    assert limits.requests >= 10_000 and limits.bytes >= 10**7 and limits.results_kept_s >= 86_400


@ALL
def test_the_parts_of_a_batch_are_what_is_sent_online(service: Service) -> None:
    batch, replay = play(service, handed_in(service), lambda p: submitted(p, service))
    assert batch == service.id
    assert len(replay.seen) == (2 if service is GPT else 1)
    parts = parts_seen(service, replay.seen)
    assert list(parts) == IDS
    for id_, request in service.requests(tier="standard").items():

        async def ask(provider: Any, request: Request = request) -> Any:
            return await provider.complete(request)

        online = play(service, [(200, wire(service.name)["answer"])], ask)[1].seen[0].body
        online.pop("service_tier") if service is GPT else None  # a batch is a tier of its own
        assert parts[id_] == online


def test_a_gpt_batch_is_made_of_its_file_under_its_name() -> None:
    _, replay = play(GPT, handed_in(GPT), lambda p: submitted(p, GPT))
    assert [(s.method, s.path) for s in replay.seen] == [("POST", "/v1/files"), ("POST", "/v1/batches")]
    assert 'name="purpose"\r\n\r\nbatch\r\n' in replay.seen[0].text
    assert replay.seen[1].body == {
        "input_file_id": "file-in",
        "endpoint": "/v1/responses",
        "completion_window": "24h",
        "metadata": {"name": "r1-w1"},
    }


def test_the_other_batches_go_where_they_are_declared() -> None:
    _, replay = play(CLAUDE, handed_in(CLAUDE), lambda p: submitted(p, CLAUDE))
    assert [(s.method, s.path) for s in replay.seen] == [("POST", "/v1/messages/batches")]
    _, replay = play(GEMINI, handed_in(GEMINI), lambda p: submitted(p, GEMINI))
    assert [s.path for s in replay.seen] == ["/v1beta/models/gemini-3.8-flash:batchGenerateContent"]
    assert replay.seen[0].body["batch"]["displayName"] == "r1-w1"


@ALL
def test_a_batch_takes_only_its_own(service: Service) -> None:
    async def submit(requests: dict[str, Request], provider: Any) -> Any:
        return await provider.submit("r1-w1", requests)

    mine = service.requests()
    for requests, says in (
        (service.requests(tier="standard"), "the tier 'standard' in a batch"),
        (service.requests(mode="decision", effort=None, choices=((1, "1"), (2, "2"))), "decision mode"),
        (mine | {"x": replace(mine[IDS[0]], model=f"{service.model}-2")}, "a batch is for one model"),
        ({}, "got no request"),
        ({"a b": mine[IDS[0]]}, "the id 'a b'"),
    ):
        error, replay = play(service, [(500, "{}")], lambda p, r=requests: submit(r, p))
        assert type(error) is Final and says in str(error), says
        assert replay.seen == []


@ALL
def test_one_call_cannot_have_the_tier_of_a_batch(service: Service) -> None:
    async def ask(provider: Any) -> Any:
        return await provider.complete(service.requests()[IDS[0]])

    error, replay = play(service, [(500, "{}")], ask)
    assert type(error) is Final and error.kind == "bad_request" and "`submit`" in str(error)
    assert replay.seen == []


@given(st.from_regex(r"[A-Za-z0-9._-]{1,32}", fullmatch=True))
def test_an_id_comes_back_as_it_went(id_: str) -> None:
    escaped = anthropic._escaped(id_)
    assert set(escaped) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
    assert anthropic._unescaped(escaped) == id_


def test_an_id_that_grows_too_long_is_refused() -> None:
    assert len(anthropic._escaped("a" * 62 + ".")) == 64
    with pytest.raises(Final, match="too long"):
        anthropic._escaped("a" * 63 + ".")


# --- results


@ALL
def test_an_answered_part_is_the_reply_that_it_would_be_online(service: Service) -> None:
    body = wire(service.name)["answer"]

    async def ask(provider: Any) -> Any:
        return await provider.complete(service.requests(tier="standard")[IDS[0]])

    online, _ = play(service, [(200, body)], ask)
    found = read(service, *((id_, "answer", body) for id_ in reversed(IDS)))
    assert set(found) == set(IDS)
    for number, id_ in enumerate(IDS):
        reply = found[id_]
        assert isinstance(reply, Reply)
        assert reply.usage == replace(online.usage, tier="batch")
        assert f"Position {number}" in reply.raw_request
        assert json.loads(reply.raw_response) == body
        apart = dict.fromkeys(
            ("usage", "raw_request", "raw_response", "latency_s", "request_id", "allowance")
        )
        assert replace(reply, **apart) == replace(online, **apart)


@ALL
@pytest.mark.parametrize("case", ["length", "refusal"])
def test_a_part_may_be_cut_or_declined(service: Service, case: str) -> None:
    found = read(service, (IDS[0], "answer", wire(service.name)[case]))[IDS[0]]
    assert (found.finish, found.usage.tier) == (case, "batch")


INVALID = "max_tokens: too many"
ERRORS = {  # service -> (as told of a part, class, kind)
    "anthropic": [
        (
            {"type": "error", "error": {"type": "invalid_request_error", "message": INVALID}},
            Final,
            "bad_request",
        ),
        ({"type": "error", "error": {"type": "not_found_error", "message": "model"}}, Final, "unknown_model"),
        ({"type": "error", "error": {"type": "billing_error", "message": "pay"}}, Final, "quota"),
        (
            {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}},
            Retryable,
            "overloaded",
        ),
        ({"type": "error", "error": {"type": "api_error", "message": "oops"}}, Retryable, "server"),
        ({"type": "error", "error": {"type": "timeout_error", "message": "late"}}, Retryable, "timeout"),
        ({"type": "error", "error": {"type": "new_error", "message": "?"}}, Retryable, "server"),
        (None, Retryable, "server"),
        ({"error": "text"}, Retryable, "server"),
    ],
    "openai": [
        ((400, {"error": {"message": INVALID, "type": "invalid_request_error"}}), Final, "bad_request"),
        ((404, {"error": {"message": "no", "code": "model_not_found"}}), Final, "unknown_model"),
        ((429, {"error": {"message": "slow down"}}), Retryable, "rate_limit"),
        ((429, {"error": {"message": "pay", "code": "insufficient_quota"}}), Final, "quota"),
        ((500, {"error": {"message": "oops"}}), Retryable, "server"),
        ((504, None), Retryable, "timeout"),
        (("bad", None), Retryable, "server"),
    ],
    "google": [
        ({"code": 3, "message": INVALID, "status": "INVALID_ARGUMENT"}, Final, "bad_request"),
        ({"code": 5, "message": "no model"}, Final, "unknown_model"),
        ({"code": 8, "message": "slow down"}, Retryable, "rate_limit"),
        ({"code": 13, "message": "oops"}, Retryable, "server"),
        ({"code": 14, "message": "busy"}, Retryable, "overloaded"),
        ({"code": 400, "message": INVALID}, Final, "bad_request"),
        ("text", Retryable, "server"),
        ({"code": "x"}, Retryable, "server"),
    ],
}


@pytest.mark.parametrize(
    ("service", "body", "kind_of_error", "kind"),
    [(s, *case) for s in (CLAUDE, GPT, GEMINI) for case in ERRORS[s.name]],
    ids=lambda v: v.name if isinstance(v, Service) else None,
)
def test_a_part_that_failed_is_the_error_of_its_status(
    service: Service, body: Any, kind_of_error: type, kind: str
) -> None:
    error = read(service, (IDS[0], "error", body))[IDS[0]]
    assert (type(error), error.kind) == (kind_of_error, kind)
    assert not getattr(error, "possibly_billed", False)
    assert "Position 0" in error.raw_request
    assert INVALID not in str(body) or INVALID in str(error)


@ALL
@pytest.mark.parametrize("how", ["expired", "cancelled"])
def test_a_part_that_was_not_reached_cost_nothing(service: Service, how: str) -> None:
    error = read(service, (IDS[0], how, None))[IDS[0]]
    assert (type(error), error.kind, error.possibly_billed) == (Retryable, "overloaded", False)


@ALL
@pytest.mark.parametrize("body", [None, [], "text", {}, {"type": "succeeded"}, {"type": 3}], ids=repr)
def test_a_part_of_no_known_shape_is_an_error_of_its_own(service: Service, body: Any) -> None:
    good = wire(service.name)["answer"]
    found = read(service, (IDS[0], "odd", body), (IDS[1], "answer", good))
    assert type(found[IDS[0]]) is Retryable
    assert isinstance(found[IDS[1]], Reply)


@ALL
@pytest.mark.parametrize(
    "text", ["{", "null\n", "[]\n", '{"custom_id": 3}\n', "[" * 100_000], ids=lambda t: t[:9]
)
def test_results_that_cannot_be_read_are_asked_for_again(service: Service, text: str) -> None:
    told = [(200, gpts("completed", output_file_id="file-out", input_file_id=None))] if service is GPT else []
    error, _ = play(service, [*told, (200, text)], lambda p: collected(p, service))
    assert (type(error), error.kind, error.possibly_billed) == (Retryable, "protocol", False)


@pytest.mark.parametrize("service", [GPT, GEMINI], ids=lambda s: s.name)
def test_a_batch_that_goes_on_has_no_results(service: Service) -> None:
    async def early(provider: Any) -> Any:
        await submitted(provider, service)
        return await collected(provider, service)

    error, _ = play(service, [*handed_in(service), (200, service.told())], early)
    assert (type(error), error.kind, error.possibly_billed) == (Retryable, "overloaded", False)


def test_other_line_breaks_do_not_end_a_line() -> None:
    body = json.loads(json.dumps(wire("anthropic")["answer"]))
    body["content"][1]["text"] = "one\u2028two\u0085three"
    row = json.dumps({"custom_id": "a", "result": {"type": "succeeded", "message": body}}, ensure_ascii=False)
    found, _ = play(CLAUDE, [(200, row)], lambda p: collected(p, CLAUDE))
    assert found["a"].text == "one\u2028two\u0085three"


@ALL
def test_a_key_echoed_in_results_is_redacted(service: Service) -> None:
    body = json.loads(json.dumps(wire(service.name)["answer"]).replace("the centre", KEY))
    found = read(service, (IDS[0], "answer", body))
    assert KEY not in repr(found) and "[redacted]" in found[IDS[0]].text


@ALL
def test_results_can_be_read_by_a_later_process(service: Service) -> None:
    body = wire(service.name)["answer"]
    lines = [{"custom_id": id_, "body": {"input": id_}} for id_ in IDS]
    told, *files = service.parts((IDS[0], "answer", body))
    handed = [(200, "\n".join(map(json.dumps, lines)))] if service is GPT else []
    found, _ = play(service, [told, *handed, *files], lambda p: collected(p, service))
    assert isinstance(found[IDS[0]], Reply)
    if service is GPT:  # its file tells what was asked, and what was not answered
        assert json.loads(found[IDS[0]].raw_request) == {"input": IDS[0]}
        assert found[IDS[1]].kind == "overloaded"


def test_claudes_results_are_fetched_from_where_the_api_is() -> None:
    """The address in the batch may be anybody's, and the key would go there."""
    _, replay = play(CLAUDE, claudes_parts(), lambda p: collected(p, CLAUDE))
    assert [s.path for s in replay.seen] == ["/v1/messages/batches/msgbatch_1/results"]


@pytest.mark.parametrize(
    ("code", "kind_of_error", "kind"),
    [
        ("token_limit_exceeded", Retryable, "rate_limit"),
        ("invalid_json_line", Final, "bad_request"),
        ("insufficient_quota", Final, "quota"),
    ],
)
def test_a_gpt_batch_that_failed_as_a_whole_fails_each_of_its_requests(
    code: str, kind_of_error: type, kind: str
) -> None:
    errors = {"object": "list", "data": [{"code": code, "message": "Enqueued too much", "line": None}]}
    told = gpts("failed", errors=errors, request_counts={"total": 0, "completed": 0, "failed": 0})
    lines = "\n".join(json.dumps({"custom_id": id_, "body": {}}) for id_ in IDS)
    found, _ = play(GPT, [(200, told), (200, lines)], lambda p: collected(p, GPT))
    assert set(found) == set(IDS)
    for error in found.values():
        assert (type(error), error.kind) == (kind_of_error, kind)
        assert "Enqueued too much" in str(error)


def test_answers_outlive_the_file_that_was_handed_in() -> None:
    told, output = gpts_parts((IDS[0], "answer", wire("openai")["answer"]))
    gone = (404, {"error": {"message": "No such File object"}})
    found, _ = play(GPT, [told, gone, output], lambda p: collected(p, GPT))
    assert isinstance(found[IDS[0]], Reply) and found[IDS[0]].raw_request == ""


@pytest.mark.parametrize(
    ("state", "error", "kind_of_error", "kind"),
    [
        ("FAILED", {"code": 3, "message": "bad"}, Final, "bad_request"),
        ("FAILED", {"code": 14, "message": "busy"}, Retryable, "overloaded"),
        ("EXPIRED", None, Retryable, "overloaded"),
        ("CANCELLED", {"code": 1, "message": "as asked"}, Retryable, "overloaded"),
    ],
)
def test_a_gemini_batch_that_ended_without_answers_fails_what_is_remembered(
    state: str, error: Any, kind_of_error: type, kind: str
) -> None:
    async def both(provider: Any) -> dict[str, Any]:
        await submitted(provider, GEMINI)
        return await collected(provider, GEMINI)

    told = geminis(state, done=True, **({"error": error} if error else {}))
    found, _ = play(GEMINI, [*handed_in(GEMINI), (200, told)], both)
    assert {(type(e), e.kind, getattr(e, "possibly_billed", False)) for e in found.values()} == {
        (kind_of_error, kind, False)
    }
    assert set(found) == set(IDS)


# --- how far it is


STATES = [
    (CLAUDE, claudes(), BatchStatus(False, 2, 0, 0, "in_progress")),
    (CLAUDE, claudes("canceling"), BatchStatus(False, 2, 0, 0, "canceling")),
    (
        CLAUDE,
        claudes("ended", succeeded=5, errored=1, canceled=1, expired=1),
        BatchStatus(True, 8, 5, 3, "ended"),
    ),
    (GPT, gpts("validating"), BatchStatus(False, 2, 0, 0, "validating")),
    (
        GPT,
        gpts("completed", request_counts={"total": 2, "completed": 1, "failed": 1}),
        BatchStatus(True, 2, 1, 1, "completed"),
    ),
    (
        GPT,
        gpts("failed", request_counts=None, errors={"data": [{"code": "x", "message": "why"}]}),
        BatchStatus(True, 0, 0, 0, "failed: why"),
    ),
    (GPT, gpts("expired", errors=None), BatchStatus(True, 2, 0, 0, "expired")),
    (GPT, gpts("cancelling"), BatchStatus(False, 2, 0, 0, "cancelling")),
    (GEMINI, geminis("PENDING"), BatchStatus(False, 0, 0, 0, "PENDING")),
    (
        GEMINI,
        geminis("RUNNING", about={"batchStats": {"requestCount": "3", "successfulRequestCount": "1"}}),
        BatchStatus(False, 3, 1, 0, "RUNNING"),
    ),
    (
        GEMINI,
        geminis(
            "PARTIALLY_SUCCEEDED", about={"batchStats": {"requestCount": "3", "failedRequestCount": "1"}}
        ),
        BatchStatus(True, 3, 0, 1, "PARTIALLY_SUCCEEDED"),
    ),
    (GEMINI, geminis("FAILED", error={"message": "why"}), BatchStatus(True, 0, 0, 0, "FAILED: why")),
    (GEMINI, geminis("SOMETHING_NEW", done=True), BatchStatus(True, 0, 0, 0, "SOMETHING_NEW")),
]


@pytest.mark.parametrize(("service", "told", "status"), STATES, ids=lambda v: getattr(v, "detail", None))
def test_how_far_a_batch_is(service: Service, told: dict[str, Any], status: BatchStatus) -> None:
    found, replay = play(service, [(200, told)], lambda p: p.poll(service.id))
    assert found == status
    assert [s.method for s in replay.seen] == ["GET"]


CANCELS = {
    "anthropic": "/v1/messages/batches/msgbatch_1/cancel",
    "openai": "/v1/batches/batch_1/cancel",
    "google": "/v1beta/batches/b1:cancel",
}


@ALL
def test_a_batch_can_be_stopped(service: Service) -> None:
    found, replay = play(service, [(200, service.told())], lambda p: p.cancel(service.id))
    assert found is None
    assert [(s.method, s.path) for s in replay.seen] == [("POST", CANCELS[service.name])]


# --- a submission whose answer was lost


@ALL
def test_a_lost_batch_is_found(service: Service) -> None:
    pages = [(200, service.page({**service.told(), **renamed(service, "other")}, more=True))]
    pages += [(200, service.page(service.told()))]
    found, replay = play(service, pages, lambda p: p.find("r1-w1", SINCE, IDS))
    assert found == service.id
    assert len(replay.seen) == 2 and all(s.method == "GET" for s in replay.seen)
    assert set(replay.seen[1].query) - set(replay.seen[0].query) <= {"after_id", "after", "pageToken"}
    assert set(replay.seen[1].query) != set(replay.seen[0].query)


def renamed(service: Service, name: str) -> dict[str, Any]:
    """What makes another batch of one."""
    if service is CLAUDE:
        return {"id": "msgbatch_0", "request_counts": {"processing": 3}}
    if service is GPT:
        return {"id": "batch_0", "metadata": None}
    return {"name": "batches/b0", "metadata": {"createTime": CREATED, "state": "BATCH_STATE_RUNNING"}}


@ALL
def test_an_older_batch_is_not_the_lost_one(service: Service) -> None:
    pages = [(200, service.page(service.told(created=OLD), more=True))]
    found, replay = play(service, pages, lambda p: p.find("r1-w1", SINCE, IDS))
    assert found is None
    assert len(replay.seen) == 1  # the rest of the list is older still


@ALL
def test_an_empty_list_holds_no_batch(service: Service) -> None:
    found, _ = play(service, [(200, service.page())], lambda p: p.find("r1-w1", SINCE, IDS))
    assert found is None


@ALL
@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"data": [3], "operations": [3]}'], ids=repr)
def test_a_list_that_cannot_be_read_says_nothing(service: Service, body: str) -> None:
    error, _ = play(service, [(200, body)], lambda p: p.find("r1-w1", SINCE, IDS))
    assert (type(error), error.kind, error.possibly_billed) == (Retryable, "protocol", False)


def test_claudes_ended_batches_are_told_by_the_ids_of_their_results() -> None:
    ended = claudes("ended", succeeded=2)
    listed = CLAUDE.page({**ended, "id": "msgbatch_0"}, ended)
    theirs = claudes_parts(("x", "expired", None), ("y", "expired", None))
    ours = claudes_parts(*((id_, "expired", None) for id_ in IDS))
    find = [(200, listed), *theirs, *ours]
    found, replay = play(CLAUDE, find, lambda p: p.find("r1-w1", SINCE, IDS))
    assert found == "msgbatch_1"
    assert [s.path for s in replay.seen[1:]] == [
        "/v1/messages/batches/msgbatch_0/results",
        "/v1/messages/batches/msgbatch_1/results",
    ]
    found, _ = play(CLAUDE, [(200, listed), *theirs], lambda p: p.find("r1-w1", SINCE, IDS))
    assert found is None


def test_two_of_claudes_batches_that_go_on_cannot_be_told_apart_yet() -> None:
    listed = CLAUDE.page({**claudes(), "id": "msgbatch_0"}, claudes())
    error, _ = play(CLAUDE, [(200, listed)], lambda p: p.find("r1-w1", SINCE, IDS))
    assert type(error) is Retryable and error.retry_after_s == 60.0


# --- what goes wrong on the way


@ALL
def test_a_submission_without_an_answer_may_have_been_taken(service: Service) -> None:
    error, replay = play(service, handed_in(service), lambda p: submitted(p, service), fault="cut")
    assert (type(error), error.kind) == (Retryable, "connection")
    assert error.possibly_billed is (service is not GPT)  # there it was the file that did not arrive
    assert error.raw_request == ""  # each call of the batch would keep all of it
    assert len(replay.seen) == 1


def test_a_gpt_batch_may_have_been_made_when_its_answer_is_unreadable() -> None:
    file, _ = handed_in(GPT)
    error, replay = play(GPT, [file, (200, "{}")], lambda p: submitted(p, GPT))
    assert (type(error), error.kind, error.possibly_billed) == (Retryable, "protocol", True)
    assert len(replay.seen) == 2


@ALL
@pytest.mark.parametrize(("status", "kind"), [(429, "rate_limit"), (500, "server"), (401, "auth")])
def test_a_refused_submission_is_one_attempt_of_its_kind(service: Service, status: int, kind: str) -> None:
    answers = [(status, {"error": {"message": f"no: {KEY}"}})]
    error, replay = play(service, answers, lambda p: submitted(p, service), headers={"Retry-After": "7"})
    assert (error.kind, error.status) == (kind, status)
    assert not getattr(error, "possibly_billed", False)
    assert KEY not in f"{error} {error.__dict__}"
    assert len(replay.seen) == 1
    if isinstance(error, Retryable):
        assert error.retry_after_s == 7.0


@ALL
@pytest.mark.parametrize("verb", ["poll", "cancel", "results"])
def test_a_batch_that_is_not_there_is_no_missing_model(service: Service, verb: str) -> None:
    async def ask(provider: Any) -> Any:
        return await (
            collected(provider, service) if verb == "results" else getattr(provider, verb)(service.id)
        )

    error, replay = play(service, [(404, {"error": {"message": "no such batch"}})], ask)
    assert (type(error), error.kind, error.status) == (Final, "bad_request", 404)
    assert len(replay.seen) == 1


@ALL
@pytest.mark.parametrize("verb", ["poll", "results"])
def test_reading_is_never_billed(service: Service, verb: str) -> None:
    async def ask(provider: Any) -> Any:
        return await (collected(provider, service) if verb == "results" else provider.poll(service.id))

    for about in ({"fault": "cut"}, {"fault": "half"}):
        error, _ = play(service, [(200, service.told())], ask, **about)
        assert (type(error), error.possibly_billed) == (Retryable, False)
