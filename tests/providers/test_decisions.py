"""Native decisions: the moves go in, one of them comes out, with a probability for each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

import pytest

import providers
from prompts import Choice, parse, render
from providers.base import Final, Message, ProviderError, Reply, Request, Retryable, Usage
from providers.prices import PriceBook, cost
from tests.prompts.positions import view_of
from tests.providers.replay import Replay, replaying

CHOICES = ((1, "1"), (2, "2"), (5, "5"))
TABLE = {"1": 0.2, "2": 0.1, "5": 0.7}


@dataclass(frozen=True)
class Service:
    name: str
    model: str
    path: str
    answer: Callable[..., dict[str, Any]]
    refusal: dict[str, Any]

    def request(self, **changes: Any) -> Request:
        asked = Request(
            model=self.model,
            system="You play Connect 4.",
            messages=(Message("user", "Your move."),),
            choices=CHOICES,
            mode="decision",
            timeout_s=10.0,
        )
        return replace(asked, **changes)


GPT_USED = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 100},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 1007,
}
GEMINI_USED = {
    "total_input_tokens": 1000,
    "total_cached_tokens": 0,
    "total_output_tokens": 0,
    "total_tokens": 1000,
}


def gpts(choice: Any = "5", table: Any = TABLE) -> dict[str, Any]:
    rows = [{"value": v, "probability": p} for v, p in table.items()] if isinstance(table, dict) else table
    said = {"type": "choice", "name": "answer", "choice": choice, "confidence": 0.7, "probabilities": rows}
    return {"model": "gpt-6-luna", "answers": [said], "usage": GPT_USED}


def geminis(choice: Any = "5", table: Any = TABLE) -> dict[str, Any]:
    said = {"type": "choice", "choice": choice, "confidence": 0.7, "probabilities": table}
    return {"answers": {"answer": said}, "usage": GEMINI_USED}


GPT = Service(
    "openai",
    "gpt-6-luna",
    "/v1/decisions",
    gpts,
    {"model": "gpt-6-luna", "answers": [{"type": "refusal", "name": "answer"}], "usage": GPT_USED},
)
GEMINI = Service(
    "google",
    "gemini-decision-1",
    "/v1beta/decisions",
    geminis,
    {"prompt_feedback": {"block_reason": "safety"}, "usage": GEMINI_USED},
)
ALL = pytest.mark.parametrize("service", [GPT, GEMINI], ids=lambda s: s.name)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC", "OPENAI", "GEMINI"):
        monkeypatch.setenv(f"{name}_API_KEY", "sk-planted-0123456789abcdef")


def play(
    service: Service,
    answer: tuple[int, Any],
    ask: Request | None = None,
    then: Callable[[Any], Coroutine[Any, Any, Any]] | None = None,
    **about: Any,
) -> tuple[Any, Replay]:
    async def main() -> tuple[Any, Replay]:
        async with replaying(answer, **about) as replay:
            provider = providers.create(service.name, base_url=replay.url)
            try:
                found = await (then(provider) if then else provider.complete(ask or service.request()))
            except ProviderError as error:
                found = error
            finally:
                await provider.aclose()
            return found, replay

    return asyncio.run(main())


@ALL
def test_a_decision_becomes_a_reply(service: Service) -> None:
    reply, replay = play(service, (200, service.answer()))
    assert isinstance(reply, Reply)
    assert (json.loads(reply.text), reply.finish, reply.model) == ({"action": 5}, "stop", service.model)
    assert reply.probabilities == pytest.approx({1: 0.2, 2: 0.1, 5: 0.7})
    assert [s.path for s in replay.seen] == [service.path]
    assert reply.raw_request == replay.seen[0].text
    assert json.loads(reply.raw_response) == service.answer()
    assert 0 < reply.latency_s < 10


def test_the_usage_is_the_vendors() -> None:
    assert play(GPT, (200, gpts()))[0].usage == Usage(300, 600, 100, 0, 7, 0, "decision")
    assert play(GEMINI, (200, geminis()))[0].usage == Usage(1000, tier="decision")


def test_gpt_is_given_the_moves_as_declared() -> None:
    _, replay = play(GPT, (200, gpts()), GPT.request(cache_key="duel"))
    assert replay.seen[0].body == {
        "model": "gpt-6-luna",
        "input": [
            {"role": "system", "content": "You play Connect 4."},
            {"role": "user", "content": "Your move."},
        ],
        "questions": [
            {
                "type": "choice",
                "name": "answer",
                "instructions": "Choose the one option that answers the input.",
                "choices": [{"value": number, "description": number} for number in "125"],
            }
        ],
        "prompt_cache_key": "duel",
    }


def test_geminis_request_is_the_one_that_its_sdk_would_send() -> None:
    """The SDK asks over another HTTP library, with retries of its own; ours must not differ in anything else."""
    turns = (Message("user", "Your move."), Message("assistant", "7"), Message("user", "Not legal."))
    _, ours = play(GEMINI, (200, geminis()), GEMINI.request(messages=turns))
    assert [block["text"] for block in ours.seen[0].body["input"]] == [
        "You play Connect 4.",
        "Your move.",
        "Your answer was:\n7",
        "Not legal.",
    ]

    async def theirs_sends(url: str) -> None:
        from google import genai
        from google.genai.types import HttpOptions

        options = HttpOptions(base_url=url, api_version="v1beta")
        client = genai.Client(vertexai=False, api_key="sk-planted-0123456789abcdef", http_options=options)
        try:
            await client.aio.decisions.create(**ours.seen[0].body)
        finally:
            await client.aio.aclose()
            client.close()

    async def main() -> Replay:
        async with replaying((200, geminis())) as theirs:
            await theirs_sends(theirs.url)
            return theirs

    theirs = asyncio.run(main())
    assert [(s.method, s.path, s.body) for s in theirs.seen] == [
        (s.method, s.path, s.body) for s in ours.seen
    ]
    assert theirs.seen[0].headers["x-goog-api-key"] == ours.seen[0].headers["x-goog-api-key"]


@ALL
def test_a_declined_decision_is_a_refusal_that_was_billed(service: Service) -> None:
    reply, _ = play(service, (200, service.refusal))
    assert (reply.text, reply.finish, reply.probabilities) == ("", "refusal", None)
    assert reply.usage.input == 1000


@ALL
@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"1": 0.33, "2": 0.33, "5": 0.33}, {1: 1 / 3, 2: 1 / 3, 5: 1 / 3}),  # rounded by the service
        ({"5": 1.0}, {1: 0.0, 2: 0.0, 5: 1.0}),
        ({"1": 0.5, "2": 0.4, "5": 0.4}, None),
        ({"1": 0.2, "2": 0.1, "5": 0.6, "9": 0.1}, None),
        ({"1": -0.1, "2": 0.1, "5": 1.0}, None),
        ({"1": "0.2", "2": 0.1, "5": 0.7}, None),
        ({"1": None, "2": 0.1, "5": 0.9}, None),
        ({"1": True, "2": 0, "5": 0}, None),
        ({}, None),
    ],
    ids=repr,
)
def test_a_table_that_is_none_is_left_out_and_the_choice_stands(
    service: Service, table: dict[str, Any], expected: dict[int, float] | None
) -> None:
    reply, _ = play(service, (200, service.answer(table=table)))
    assert json.loads(reply.text) == {"action": 5}
    assert reply.probabilities == (expected and pytest.approx(expected))


@ALL
@pytest.mark.parametrize("choice", ["3", 5, True, None, "", " 5", ["5"]], ids=repr)
def test_a_choice_that_was_not_offered_is_no_answer(service: Service, choice: Any) -> None:
    error, _ = play(service, (200, service.answer(choice=choice)))
    assert (type(error), error.kind, error.possibly_billed) == (Retryable, "protocol", True)


@ALL
@pytest.mark.parametrize(
    "body", ["", "{}", "[]", "null", '{"answers": []}', '{"answers": {}}', "\udcff"], ids=repr
)
def test_a_200_that_is_no_decision_may_have_been_billed(service: Service, body: str) -> None:
    error, replay = play(service, (200, body))
    assert (type(error), error.kind, error.possibly_billed) == (Retryable, "protocol", True)
    assert len(replay.seen) == 1


@ALL
@pytest.mark.parametrize("number", [0, 1, 256])
def test_a_forced_move_or_a_long_list_is_refused_before_it_is_sent(service: Service, number: int) -> None:
    choices = tuple((n, str(n)) for n in range(number)) or None
    error, replay = play(service, (200, service.answer()), service.request(choices=choices))
    assert (type(error), error.kind) == (Final, "bad_request")
    assert f"between 2 and 255 choices, got {number}" in str(error)
    assert replay.seen == []


@ALL
def test_as_many_choices_as_there_may_be(service: Service) -> None:
    choices = tuple((n, f"move {n}") for n in range(255))
    table = {str(n): 0.0 for n in range(255)} | {"7": 0.4, "8": 0.3}  # the rest rounded away
    reply, _ = play(service, (200, service.answer("7", table)), service.request(choices=choices))
    assert len(reply.probabilities) == 255 and sum(reply.probabilities.values()) == pytest.approx(1)


@ALL
@pytest.mark.parametrize(
    "asked", [{"effort": "low"}, {"tier": "flex"}, {"tier": "batch"}, {"temperature": 0.5}]
)
def test_what_a_decision_cannot_honour_is_refused(service: Service, asked: dict[str, Any]) -> None:
    error, replay = play(service, (200, service.answer()), service.request(**asked))
    assert (type(error), error.kind, replay.seen) == (Final, "bad_request", [])


@pytest.mark.parametrize(
    ("name", "model", "can"),
    [
        ("openai", "gpt-6-luna", True),
        ("openai", "gpt-6-luna-2026-10-06", True),
        ("openai", "gpt-6-luna-pro", False),
        ("openai", "gpt-6.1-sol", False),
        ("google", "gemini-decision-1", True),
        ("google", "models/gemini-decision-1", True),
        ("google", "gemini-3.8-flash", False),
        ("anthropic", "claude-sonnet-5-5", False),
        ("local", "qwen3:8b", False),
    ],
)
def test_only_some_models_decide(name: str, model: str, can: bool) -> None:
    provider = providers.create(name)
    assert provider.capabilities(model).decision is can
    if not can:
        with pytest.raises(Final, match="does not take the decision mode"):
            asyncio.run(provider.complete(replace(GPT.request(), model=model)))


def test_a_model_that_only_decides_is_asked_for_nothing_else() -> None:
    error, replay = play(GEMINI, (200, geminis()), GEMINI.request(mode="text"))
    assert type(error) is Final and "only decides" in str(error)
    assert replay.seen == []


@ALL
def test_the_errors_are_those_of_every_call(service: Service) -> None:
    for status, kind_of_error, kind in (
        (429, Retryable, "rate_limit"),
        (401, Final, "auth"),
        (400, Final, "bad_request"),
    ):
        error, replay = play(service, (status, {"error": {"message": "no"}}), headers={"Retry-After": "7"})
        assert (type(error), error.kind, len(replay.seen)) == (kind_of_error, kind, 1)
        assert "Your move." in error.raw_request
    error, replay = play(service, (200, "{}"), fault="cut")
    assert (type(error), error.kind, error.possibly_billed) == (Retryable, "connection", True)
    assert len(replay.seen) == 1
    error, _ = play(service, (200, "{}"), service.request(timeout_s=0.3), fault="hang")
    assert (type(error), error.kind) == (Retryable, "timeout")


@ALL
def test_a_decision_is_played_by_its_action(service: Service) -> None:
    """From the question to the legal action: the numbers of the prompt are columns, the actions count from 0."""
    view = view_of("c4")
    question = render(view, form="decision")
    table = {str(number): 0.0 for number, _ in question.choices} | {"5": 0.75, "2": 0.25}
    ask = service.request(
        system=question.system, messages=(Message("user", question.user),), choices=question.choices
    )
    reply, _ = play(service, (200, service.answer("5", table)), ask)
    read = parse(reply, view, "open")
    assert isinstance(read, Choice) and read.action == 4
    assert read.probabilities == {0: 0.0, 1: 0.25, 2: 0.0, 4: 0.75, 5: 0.0, 6: 0.0}


@ALL
def test_only_the_input_of_a_decision_is_billed(service: Service) -> None:
    price = PriceBook.load().price(service.name, service.model, "decision")
    assert price is not None and price.output == 0
    reply, _ = play(service, (200, service.answer()))
    assert cost(price, replace(reply.usage, output=10**6)) == cost(price, reply.usage) > 0
