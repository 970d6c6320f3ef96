"""One contract for every service: what a reply holds, what each failure means, one request per attempt."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.util import find_spec
from typing import Any

import pytest

import providers
from providers import anthropic, google, openai
from providers.base import Final, Message, Provider, ProviderError, Reply, Request, Retryable, Usage
from providers.wire import is_loopback, unanswered
from tests.providers.replay import Replay, replaying, wire

KEY = "sk-planted-0123456789abcdef"
THOUGHTS = "Look at each column in turn."
ANSWER = '{"rationale": "the centre", "action": 3}'
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["rationale", "action"],
    "properties": {"rationale": {"type": "string"}, "action": {"type": "integer", "enum": [0, 1, 2, 3]}},
}


@dataclass(frozen=True)
class Service:
    """A provider under test: the words it is asked with and the fixtures that it understands."""

    name: str
    wire: str
    model: str
    key_variable: str
    path: str
    usage: Usage
    reasoning_kind: str = "summary"

    def request(self, **changes: Any) -> Request:
        asked = Request(
            model=self.model,
            system="You play Connect 4.",
            messages=(Message("user", "Your move."),),
            schema=SCHEMA,
            effort="low",
            max_output_tokens=4000,
            timeout_s=10.0,
        )
        return replace(asked, **changes)


CHAT_USAGE = Usage(input_fresh=212, cache_read=1536, output=384, reasoning=256)
SPLIT_USAGE = Usage(212, 1536, 200, 100, 384, 256)
SERVICES = [
    Service("anthropic", "anthropic", "claude-sonnet-5-5", "ANTHROPIC_API_KEY", "/v1/messages", SPLIT_USAGE),
    Service("openai", "openai", "gpt-6-luna", "OPENAI_API_KEY", "/v1/responses", SPLIT_USAGE),
    Service(
        "google",
        "google",
        "gemini-3.8-flash",
        "GEMINI_API_KEY",
        "/v1beta/models/gemini-3.8-flash:generateContent",
        CHAT_USAGE,
    ),
    Service("local", "local", "qwen3:8b", "LOCAL_API_KEY", "/v1/chat/completions", CHAT_USAGE, "raw"),
]
LITELLM = Service(
    "litellm",
    "anthropic",
    "anthropic/claude-sonnet-5-5",
    "ANTHROPIC_API_KEY",
    "/v1/messages",
    SPLIT_USAGE,
)
needs_litellm = pytest.mark.skipif(
    find_spec("litellm") is None, reason="the extra duelist[litellm] is not installed"
)
# litellm warns of its own and other packages' old ways when it is imported and closed
forgiving = pytest.mark.filterwarnings("ignore")
ALL = pytest.mark.parametrize(
    "service",
    [*SERVICES, pytest.param(LITELLM, marks=[needs_litellm, forgiving])],
    ids=lambda s: s.name,
)
OWN = pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in SERVICES:
        monkeypatch.setenv(service.key_variable, KEY)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    for variable in ("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "LOCAL_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)


def play(
    service: Service,
    *answers: tuple[int, Any],
    then: Callable[[Provider], Coroutine[Any, Any, Any]] | None = None,
    ask: Request | None = None,
    **about: Any,
) -> tuple[Any, Replay]:
    """What `complete` returned or raised at a server that gives these answers, and what the server saw."""

    async def main() -> tuple[Any, Replay]:
        async with replaying(*answers, **about) as replay:
            provider = providers.create(service.name, base_url=replay.url)
            try:
                request = ask or service.request()
                found = await (then(provider) if then else provider.complete(request))
            except ProviderError as error:
                found = error
            finally:
                await provider.aclose()
            return found, replay

    return asyncio.run(main())


@ALL
def test_an_answer_becomes_a_reply(service: Service) -> None:
    body = wire(service.wire)["answer"]
    reply, replay = play(service, (200, body))
    assert isinstance(reply, Reply)
    assert (reply.text, reply.finish) == (ANSWER, "stop")
    assert (reply.reasoning, reply.reasoning_kind) == (THOUGHTS, service.reasoning_kind)
    assert reply.usage == service.usage
    assert reply.model == body.get("model", body.get("modelVersion"))
    assert reply.request_id
    assert 0 < reply.latency_s < 10
    assert [seen.path for seen in replay.seen] == [service.path]


@OWN
def test_the_raw_bodies_are_those_on_the_wire(service: Service) -> None:
    body = wire(service.wire)["answer"]
    reply, replay = play(service, (200, body))
    assert reply.raw_request == replay.seen[0].text
    assert reply.raw_response == json.dumps(body)


@ALL
def test_the_question_and_the_form_of_its_answer_are_sent(service: Service) -> None:
    _, replay = play(service, (200, wire(service.wire)["answer"]))
    sent = replay.seen[0].text
    for part in ("You play Connect 4.", "Your move.", "rationale", "enum", "4000"):
        assert part in sent
    assert KEY not in sent and KEY in str(replay.seen[0].headers)


@OWN
def test_text_mode_sends_no_schema(service: Service) -> None:
    _, replay = play(service, (200, wire(service.wire)["answer"]), ask=service.request(mode="text"))
    assert "rationale" not in replay.seen[0].text


@OWN
def test_no_effort_sends_nothing_about_thinking(service: Service) -> None:
    _, replay = play(service, (200, wire(service.wire)["answer"]), ask=service.request(effort=None))
    assert not {"thinking", "reasoning", "reasoning_effort", "thinkingConfig"} & set(
        _keys(replay.seen[0].body)
    )


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(k for v in value.values() for k in _keys(v))]
    return [k for v in value for k in _keys(v)] if isinstance(value, list) else []


KINDS = {
    "429": (Retryable, "rate_limit"),
    "529": (Retryable, "overloaded"),
    "500": (Retryable, "server"),
    "401": (Final, "auth"),
    "404": (Final, "unknown_model"),
    "400": (Final, "bad_request"),
    "400 too long": (Final, "too_long"),
    "400 quota": (Final, "quota"),
    "429 quota": (Final, "quota"),
    "400 key": (Final, "auth"),
}


@ALL
def test_the_errors_of_a_service_are_all_tried(service: Service) -> None:
    assert set(wire("errors")[service.wire]) <= set(KINDS)


@pytest.mark.parametrize(
    ("service", "name"),
    [
        pytest.param(s, name, marks=[needs_litellm, forgiving] if s is LITELLM else [], id=f"{s.name}-{name}")
        for s in (*SERVICES, LITELLM)
        for name in wire("errors")[s.wire]
    ],
)
def test_an_error_status_is_one_attempt_of_its_kind(service: Service, name: str) -> None:
    kind_of_error, kind = KINDS[name]
    status = int(name[:3])
    form_settled = service.request(mode="text")  # `local` would try another form first
    error, replay = play(service, (status, wire("errors")[service.wire][name]), ask=form_settled)
    if service is LITELLM and name == "529":  # a status that litellm does not know
        status, kind = 500, "server"
    assert type(error) is kind_of_error
    assert (error.kind, error.status) == (kind, status)
    assert len(replay.seen) == 1
    assert error.raw_request and str(error)


@OWN
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "2.5"}, 2.5),
        ({"retry-after-ms": "1500", "Retry-After": "9"}, 1.5),
        ({"Retry-After": "in 90 seconds, as a date"}, 90.0),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
    ],
    ids=["seconds", "fraction", "milliseconds", "date", "past date", "nonsense"],
)
def test_retry_after_is_read(service: Service, headers: dict[str, str], seconds: float | None) -> None:
    if seconds == 90:
        headers = {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=90))}
    error, _ = play(service, (503, {"error": {"message": "later"}}), headers=headers)
    if seconds is None:
        assert error.retry_after_s is None
    else:
        assert error.retry_after_s == pytest.approx(seconds, abs=30 if seconds == 90 else 0.01)


def test_gemini_says_in_the_body_how_long_to_wait() -> None:
    error, _ = play(SERVICES[2], (429, wire("errors")["google"]["429"]))
    assert error.retry_after_s == 17.0


@ALL
def test_a_hanging_service_times_out(service: Service) -> None:
    error, replay = play(service, (200, "{}"), fault="hang", ask=service.request(timeout_s=0.3))
    assert (type(error), error.kind, error.possibly_billed) == (Retryable, "timeout", True)
    assert len(replay.seen) == 1
    assert "Your move." in error.raw_request


@ALL
def test_a_cut_connection_is_one_attempt(service: Service) -> None:
    error, replay = play(service, (200, "{}"), fault="cut")
    assert type(error) is Retryable
    assert error.kind == ("server" if service is LITELLM and error.status == 500 else "connection")
    assert error.possibly_billed or service is LITELLM
    assert len(replay.seen) == 1
    assert "Your move." in error.raw_request


@OWN
def test_an_answer_that_breaks_off_may_have_been_billed(service: Service) -> None:
    error, replay = play(service, (200, wire(service.wire)["answer"]), fault="half")
    assert (type(error), error.possibly_billed) == (Retryable, True)
    assert error.kind in ("protocol", "connection")  # as the operating system reports it
    assert len(replay.seen) == 1


@OWN
def test_what_is_not_http_is_a_broken_connection(service: Service) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(babble, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        provider = providers.create(service.name, base_url=f"http://127.0.0.1:{port}")
        with pytest.raises(Retryable) as caught:
            await provider.complete(service.request())
        assert (caught.value.kind, caught.value.possibly_billed) == ("connection", True)
        await provider.aclose()
        server.close()
        await server.wait_closed()

    asyncio.run(main())


@OWN
def test_a_service_that_is_not_there_was_not_billed(service: Service) -> None:
    async def main() -> None:
        provider = providers.create(service.name, base_url="http://127.0.0.1:9")  # the discard port
        try:
            with pytest.raises(Retryable) as caught:
                await provider.complete(service.request())
            assert (caught.value.kind, caught.value.possibly_billed) == ("connection", False)
        finally:
            await provider.aclose()

    asyncio.run(main())


@OWN
@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", '"text"', "{}", '{"content": 3}', "<html>", "\udcff\udcfe"], ids=repr
)
def test_a_200_that_is_no_answer_may_have_been_billed(service: Service, body: str) -> None:
    error, replay = play(service, (200, body))
    assert (type(error), error.kind, error.possibly_billed) == (Retryable, "protocol", True)
    assert error.raw_response == body or not body.isprintable()
    assert len(replay.seen) == 1


@OWN
def test_an_error_page_is_read_by_its_status(service: Service) -> None:
    error, replay = play(service, (502, "<html>Bad gateway</html>"), content_type="text/html")
    assert (type(error), error.kind, error.status) == (Retryable, "server", 502)
    assert "Bad gateway" in str(error)
    assert len(replay.seen) == 1


@OWN
def test_an_error_that_claims_to_be_json_is_read_by_its_status(service: Service) -> None:
    error, _ = play(service, (500, "oops"), ask=service.request(mode="text"))
    assert (type(error), error.kind, error.status) == (Retryable, "server", 500)


@OWN
def test_a_redirect_is_not_followed(service: Service) -> None:
    error, replay = play(service, (307, ""), headers={"Location": "/elsewhere"})
    assert (type(error), error.status) == (Final, 307)
    assert len(replay.seen) == 1


CASES = [
    ("anthropic", "length", "length", "max_tokens"),
    ("anthropic", "window", "length", "model_context_window_exceeded"),
    ("anthropic", "refusal", "refusal", "refusal:reasoning_extraction"),
    ("openai", "length", "length", "incomplete:max_output_tokens"),
    ("openai", "filtered", "filtered", "incomplete:content_filter"),
    ("openai", "refusal", "refusal", "refusal"),
    ("openai", "failed_policy", "filtered", "failed:invalid_prompt"),
    ("google", "length", "length", "MAX_TOKENS"),
    ("google", "continuation", "length", "CONTINUATION"),
    ("google", "filtered", "filtered", "SAFETY"),
    ("google", "no_content", "filtered", "PROHIBITED_CONTENT"),
    ("google", "refusal", "refusal", "blocked:PROHIBITED_CONTENT"),
    ("local", "length", "length", "length"),
    ("local", "filtered", "filtered", "content_filter"),
    ("local", "refusal", "refusal", "refusal"),
]


@pytest.mark.parametrize(("name", "case", "finish", "detail"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES])
def test_an_answer_that_is_not_whole_says_why(name: str, case: str, finish: str, detail: str) -> None:
    service = next(s for s in SERVICES if s.name == name)
    reply, replay = play(service, (200, wire(name)[case]))
    assert (reply.finish, reply.finish_detail) == (finish, detail)
    assert len(replay.seen) == 1


@pytest.mark.parametrize(
    ("name", "case", "kind"),
    [
        ("openai", "failed", "server"),
        ("openai", "failed_limit", "rate_limit"),
        ("google", "malformed", "server"),
        ("google", "other", "server"),
    ],
)
def test_trouble_of_the_service_inside_a_200_is_retryable(name: str, case: str, kind: str) -> None:
    service = next(s for s in SERVICES if s.name == name)
    error, _ = play(service, (200, wire(name)[case]))
    assert (type(error), error.kind, error.possibly_billed) == (Retryable, kind, True)
    assert error.raw_request and error.raw_response


def test_a_failed_response_that_blames_the_request_is_final() -> None:
    error, _ = play(SERVICES[1], (200, wire("openai")["failed_request"]))
    assert (type(error), error.kind) == (Final, "bad_request")


@needs_litellm
@forgiving
@pytest.mark.parametrize(
    ("model", "name", "path", "usage"),
    [
        ("openai/gpt-6-luna", "local", "/v1/chat/completions", CHAT_USAGE),
        # litellm adds up the two lengths of a cache write
        ("openai/responses/gpt-6-luna", "openai", "/v1/responses", Usage(212, 1536, 300, 0, 384, 256)),
        ("gemini/gemini-3.8-flash", "google", "/v1beta/models/gemini-3.8-flash:generateContent", CHAT_USAGE),
    ],
)
def test_litellm_reaches_the_other_vendors(model: str, name: str, path: str, usage: Usage) -> None:
    reply, replay = play(LITELLM, (200, wire(name)["answer"]), ask=LITELLM.request(model=model))
    assert [seen.path for seen in replay.seen] == [path]
    assert (reply.text, reply.finish, reply.reasoning) == (ANSWER, "stop", THOUGHTS)
    assert reply.usage == usage


# --- what a service cannot do is refused before anything is sent


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("anthropic", {"temperature": 0.0}),
        ("anthropic", {"seed": 1}),
        ("anthropic", {"tier": "flex"}),
        ("anthropic", {"model": "claude-haiku-4-5"}),
        ("openai", {"temperature": 0.0}),
        ("openai", {"seed": 1}),
        ("openai", {"model": "gpt-4.1"}),
        ("google", {"tier": "batch"}),
        ("google", {"mode": "decision"}),
        ("local", {"tier": "flex"}),
    ],
)
def test_what_cannot_be_honoured_is_refused_aloud(name: str, asked: dict[str, Any]) -> None:
    service = next(s for s in SERVICES if s.name == name)
    error, replay = play(service, (200, "{}"), ask=service.request(**asked))
    assert (type(error), error.kind) == (Final, "bad_request")
    assert replay.seen == []


def test_sampling_is_sent_where_it_exists() -> None:
    google, local = SERVICES[2], SERVICES[3]
    asked = {"temperature": 0.5, "seed": 7}
    _, replay = play(google, (200, wire("google")["answer"]), ask=google.request(**asked))
    config = replay.seen[0].body["generationConfig"]
    assert (config["temperature"], config["seed"]) == (0.5, 7)
    _, replay = play(local, (200, wire("local")["answer"]), ask=local.request(**asked))
    assert (replay.seen[0].body["temperature"], replay.seen[0].body["seed"]) == (0.5, 7)


# --- keys


@OWN
def test_a_missing_key_is_named_before_anything_is_sent(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    if service.name == "local":
        pytest.skip("local servers ask for no key")
    monkeypatch.delenv(service.key_variable)

    async def main() -> None:
        provider = providers.create(service.name, base_url="https://api.example.com")
        with pytest.raises(Final, match=service.key_variable) as caught:
            await provider.complete(service.request())
        assert caught.value.kind == "auth"
        await provider.aclose()

    asyncio.run(main())


@OWN
@pytest.mark.parametrize("key", ["sk-planted 0123456789", "sk-plänted-0123456789", "sk-planted\n0123456789"])
def test_what_no_header_can_carry_is_no_key(
    service: Service, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(service.key_variable, key)
    error, replay = play(service, (200, wire(service.wire)["answer"]))
    assert (type(error), error.kind, replay.seen) == (Final, "auth", [])
    assert service.key_variable in str(error) and key not in str(error)
    with pytest.raises(Final, match=service.key_variable):
        providers.require_key(service.name)
    assert {s.provider: s for s in providers.key_status()}[service.name].key_set


@OWN
def test_blanks_around_a_key_are_not_of_it(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(service.key_variable, f" {KEY}\r\n")
    reply, replay = play(service, (200, wire(service.wire)["answer"]))
    assert isinstance(reply, Reply)
    assert KEY in str(replay.seen[0].headers)
    monkeypatch.setenv(service.key_variable, " \n")
    if service.name != "local":
        with pytest.raises(Final, match="no key; set"):
            providers.require_key(service.name, "https://api.example.com")


@OWN
def test_what_cannot_be_put_on_the_wire_was_not_billed(service: Service) -> None:
    ask = service.request(messages=(Message("user", "half a character: \ud83d"),))
    error, replay = play(service, (200, wire(service.wire)["answer"]), ask=ask)
    if service.name == "google":  # its SDK escapes everything beyond ASCII
        assert "\\ud83d" in replay.seen[0].text
        return
    assert isinstance(error, ProviderError) and not getattr(error, "possibly_billed", False)
    assert replay.seen == []
    error.raw_request.encode()


def test_a_failure_of_no_transport_was_not_billed() -> None:
    wrapped = RuntimeError("Connection error.")
    wrapped.__cause__ = UnicodeEncodeError("ascii", "ä", 0, 1, "ordinal not in range")
    assert not unanswered("x", "http://x", wrapped, 1.0, "").possibly_billed
    assert unanswered("x", "http://x", wrapped, 1.0, "", opaque=True).possibly_billed
    wrapped.__cause__ = ConnectionResetError()
    assert unanswered("x", "http://x", wrapped, 1.0, "").possibly_billed
    wrapped.__cause__ = type("ReadError", (type("TransportError", (Exception,), {}),), {})()
    assert unanswered("x", "http://x", wrapped, 1.0, "").possibly_billed


@OWN
@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_nested_without_end_is_an_error_of_its_status(service: Service, status: int) -> None:
    deep = '{"error": ' + "[" * 100_000 + "]" * 100_000 + "}"
    error, _ = play(service, (status, deep), ask=service.request(mode="text"))
    assert (type(error), error.kind) == (Retryable, "protocol" if status == 200 else "server")


@OWN
@pytest.mark.parametrize("status", [200, 500])
def test_a_key_echoed_as_the_calls_id_is_redacted(service: Service, status: int) -> None:
    headers = dict.fromkeys(("request-id", "x-request-id", "x-gemini-service-tier"), KEY)
    found, _ = play(service, (status, wire(service.wire)["answer"]), headers=headers)
    assert KEY not in f"{found!r} {found.__dict__ if status == 500 else ''}"
    if service.name != "google":
        assert found.request_id == "[redacted]"


def test_a_local_answer_may_take_as_long_as_the_request_allows() -> None:
    async def limit(provider: Provider) -> float | None:
        session = provider._open()  # type: ignore[attr-defined]
        return session.timeout.total

    assert play(SERVICES[3], (200, "{}"), then=limit)[0] is None


def test_litellm_is_where_its_models_vendor_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert providers.endpoint("litellm", model="openai/gpt-6-luna") == "https://api.openai.com/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "https://me:secret-word@proxy.example/v1")
    assert providers.endpoint("litellm", model="openai/gpt-6-luna") == "https://proxy.example/v1"
    assert providers.endpoint("litellm", "", "gemini/x") == "https://generativelanguage.googleapis.com"
    assert providers.endpoint("litellm", "http://there.example", "mistral/x") == "http://there.example"
    assert providers.endpoint("litellm") == providers.endpoint("litellm", model="mistral/x") == ""
    assert providers.endpoint("openai") == "https://proxy.example/v1"
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(Final, match="ANTHROPIC_API_KEY"):
        providers.require_key("litellm", model="anthropic/claude-sonnet-5-5")
    providers.require_key("litellm", model="mistral/x")


@ALL
def test_a_rehearsal_on_loopback_needs_no_key(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(service.key_variable)
    reply, _ = play(service, (200, wire(service.wire)["answer"]))
    assert isinstance(reply, Reply)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:8080", True),
        ("http://127.0.0.1:8080/v1", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:8080", True),
        ("http://127.0.0.1.example.com", False),
        ("http://localhost.example.com", False),
        ("http://192.168.1.7:8000", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, here: bool) -> None:
    assert is_loopback(url) is here


@ALL
def test_an_echoed_key_is_in_no_error(service: Service) -> None:
    echo = {"error": {"message": f"no such key: {KEY}", "type": "authentication_error"}}
    error, _ = play(service, (401, echo))
    assert "redacted" in str(error).lower()
    assert KEY not in f"{error!r} {error} {error.__dict__}"


@OWN
def test_an_echoed_key_is_in_no_reply(service: Service) -> None:
    body = json.loads(json.dumps(wire(service.wire)["answer"]).replace("the centre", KEY))
    reply, _ = play(service, (200, body))
    assert KEY not in repr(reply) and "[redacted]" in reply.text


def test_a_user_without_a_password_is_a_token_and_shown_nowhere(monkeypatch) -> None:
    """No such port: the library below quotes the whole address."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://tok-PLANTED-1%2F2@127.0.0.1:99999")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    claude = providers.create("anthropic")

    async def ask() -> None:
        try:
            await claude.complete(Request("claude-haiku-5-5", "", (Message("user", "hi"),)))
        finally:
            await claude.aclose()

    with pytest.raises(Retryable) as trouble:
        asyncio.run(ask())
    assert "PLANTED" not in f"{trouble.value} {trouble.value.raw_request}"


@pytest.mark.parametrize("vendor", ["anthropic", "openai", "google"])
def test_nothing_costs_less_than_nothing(vendor) -> None:
    """A count below zero would give back what a wall has counted."""
    usages = {
        "anthropic": lambda n: anthropic._usage({"input_tokens": n, "output_tokens": n}),
        "openai": lambda n: openai._usage(
            {
                "output_tokens": n,
                "input_tokens_details": {"cache_write_tokens_details": {"ttl_12h_tokens": 9}},
            },
            None,
        ),
        "google": lambda n: google._usage(
            {"usageMetadata": {"promptTokenCount": n, "thoughtsTokenCount": n}}
        ),
    }
    used = usages[vendor](-5000)
    assert min(value for value in astuple(used) if isinstance(value, int)) == 0


@OWN
def test_no_repr_shows_a_key_or_a_password(service: Service) -> None:
    provider = providers.create(service.name, base_url="http://user:hunter2hunter2@127.0.0.1:9/v1")

    async def main() -> ProviderError:
        try:
            await provider.complete(service.request())
        except ProviderError as error:
            return error
        finally:
            await provider.aclose()
        raise AssertionError("nobody answers there")

    error = asyncio.run(main())
    assert "hunter2hunter2" not in f"{provider!r} {error!r} {error} {error.__dict__}"
    assert KEY not in f"{provider!r} {error!r}"


# --- clients


@ALL
def test_a_closed_provider_leaves_nothing_open(service: Service) -> None:
    play(service, (200, wire(service.wire)["answer"]))
    gc.collect()  # what was left open warns here, and warnings are errors


@ALL
def test_a_closed_provider_can_be_used_again(service: Service) -> None:
    async def twice(provider: Provider) -> Reply:
        await provider.complete(service.request())
        await provider.aclose()
        await provider.aclose()
        return await provider.complete(service.request())

    reply, replay = play(service, (200, wire(service.wire)["answer"]), then=twice)
    assert reply.text == ANSWER
    assert len(replay.seen) == 2


@OWN
def test_calls_at_the_same_time_do_not_mix(service: Service) -> None:
    def ask(number: int) -> Request:
        return service.request(messages=(Message("user", f"Position {number}."),))

    async def many(provider: Provider) -> list[Reply]:
        return await asyncio.gather(*(provider.complete(ask(n)) for n in range(20)))

    replies, replay = play(service, (200, wire(service.wire)["answer"]), then=many)
    assert [f"Position {n}." in reply.raw_request for n, reply in enumerate(replies)] == [True] * 20
    assert len(replay.seen) == 20


@OWN
def test_a_cancelled_call_is_cancelled(service: Service) -> None:
    async def cancel(provider: Provider) -> bool:
        task = asyncio.create_task(provider.complete(service.request()))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return True

    assert play(service, (200, "{}"), fault="hang", then=cancel)[0] is True


@OWN
def test_the_base_url_comes_from_the_environment(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = {
        "anthropic": "ANTHROPIC_BASE_URL",
        "openai": "OPENAI_BASE_URL",
        "google": "GOOGLE_GEMINI_BASE_URL",
        "local": "LOCAL_BASE_URL",
    }[service.name]

    async def main() -> int:
        async with replaying((200, wire(service.wire)["answer"])) as replay:
            for suffix in ("", "/", "/v1beta" if service.name == "google" else "/v1"):
                monkeypatch.setenv(variable, replay.url + suffix)
                provider = providers.create(service.name)
                await provider.complete(service.request())
                await provider.aclose()
            return len({seen.path for seen in replay.seen})

    assert asyncio.run(main()) == 1


# --- finding providers


def test_names_are_the_services() -> None:
    assert set(providers.names()) >= {"anthropic", "google", "litellm", "local", "openai"}
    for name in providers.names():
        assert callable(providers._module(name).create), f"{name} is no service"


def test_an_unknown_provider_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'antropic'.*anthropic, google"):
        providers.create("antropic")


@OWN
def test_an_unknown_option_is_refused(service: Service) -> None:
    with pytest.raises(ValueError, match="base_ulr"):
        providers.create(service.name, base_ulr="http://127.0.0.1")


def test_warming_litellm_tells_it_to_stay_at_home_first(monkeypatch: pytest.MonkeyPatch) -> None:
    variable = "LITELLM_LOCAL_MODEL_COST_MAP"
    monkeypatch.setenv(variable, "")  # so that it is taken away again
    monkeypatch.delenv(variable)
    told: list[str | None] = []

    def find(name: str, *more: Any) -> Any:
        told.append(os.environ.get(variable))
        return None

    providers._module("litellm")
    finder = type("Finder", (), {"find_spec": staticmethod(find)})
    monkeypatch.delitem(sys.modules, "litellm", raising=False)
    monkeypatch.setattr(sys, "meta_path", [finder])
    with pytest.raises(ImportError):
        providers.warm("litellm")
    assert told[-1] == "True"


def test_a_missing_sdk_is_answered_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "_found", lambda sdk: False)
    with pytest.raises(ImportError, match=r"pip install 'duelist\[litellm\]'"):
        providers.create("litellm")


def test_a_provider_from_outside_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name = "elsewhere"

        def load(self) -> Any:
            from providers import local

            return local

    monkeypatch.setattr(
        providers, "entry_points", lambda group, name=None: [Entry()] if name in (None, "elsewhere") else []
    )
    assert "elsewhere" in providers.names()
    assert isinstance(providers.create("elsewhere"), Provider)


def test_key_status_says_whether_and_never_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://me:secret-word@proxy.example/v1")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    status = {s.provider: s for s in providers.key_status()}
    assert status["openai"].key_set and not status["anthropic"].key_set
    assert status["openai"].base_url == "https://proxy.example/v1"
    assert status["google"].key_variables == ("GEMINI_API_KEY", "GOOGLE_API_KEY")
    assert KEY not in repr(status) and "secret-word" not in repr(status)


def test_importing_every_provider_imports_no_sdk() -> None:
    code = (
        "import sys, providers, providers.retry, providers.prices\n"
        "for name in ('anthropic', 'google', 'litellm', 'local', 'openai'): providers._module(name)\n"
        "heavy = {'anthropic', 'openai', 'google.genai', 'litellm', 'aiohttp', 'pydantic', 'httpx2'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
