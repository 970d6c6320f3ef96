"""What differs from one OpenAI-compatible server to the next."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import providers
from providers.base import Final, Message, ProviderError, Reply, Request, Retryable, Usage
from tests.providers.replay import Replay, replaying, wire

REQUEST = Request("qwen3:8b", "You play.", (Message("user", "?"),), schema={"type": "object"})
ANSWER = '{"rationale": "the centre", "action": 3}'
THOUGHTS = "Look at each column in turn."
BAD = (400, {"error": {"message": "response_format.type must be text or json_object"}})
BROKEN = (500, {"error": {"message": "internal"}})
GOOD = (200, wire("local")["answer"])


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_API_KEY", raising=False)


def calls(*answers: tuple[int, Any], times: int, request: Request = REQUEST) -> tuple[list[Any], Replay]:
    """The outcomes of `times` calls of one provider, in turn."""

    async def main() -> tuple[list[Any], Replay]:
        async with replaying(*answers) as replay:
            provider, found = providers.create("local", base_url=replay.url), []
            for _ in range(times):
                try:
                    found.append(await provider.complete(request))
                except ProviderError as error:
                    found.append(error)
            await provider.aclose()
            return found, replay

    return asyncio.run(main())


def forms(replay: Replay) -> list[str]:
    return [seen.body["response_format"]["type"] for seen in replay.seen]


@pytest.mark.parametrize("case", ["answer", "reasoning", "think", "think_unopened"])
def test_thinking_is_found_wherever_it_stands(case: str) -> None:
    [reply], _ = calls((200, wire("local")[case]), times=1)
    assert (reply.text, reply.reasoning, reply.reasoning_kind) == (ANSWER, THOUGHTS, "raw")


def test_an_answer_cut_off_while_thinking_has_no_text() -> None:
    [reply], _ = calls((200, wire("local")["think_cut"]), times=1)
    assert (reply.text, reply.reasoning, reply.finish) == ("", THOUGHTS, "length")


def test_a_server_that_counts_nothing_is_taken_at_its_word() -> None:
    [reply], _ = calls((200, wire("local")["bare"]), times=1)
    assert (reply.text, reply.usage, reply.reasoning_kind) == (ANSWER, Usage(), "none")


def test_no_key_means_no_header() -> None:
    _, replay = calls(GOOD, times=1)
    assert "Authorization" not in replay.seen[0].headers


@pytest.mark.parametrize("first", [BAD, BROKEN], ids=["400", "500"])
def test_the_older_form_is_tried_next_and_kept(first: tuple[int, Any]) -> None:
    found, replay = calls(first, GOOD, times=3)
    assert isinstance(found[0], Retryable) and found[0].retry_after_s == 0.0
    assert isinstance(found[1], Reply) and isinstance(found[2], Reply)
    assert forms(replay) == ["json_schema", "json_object", "json_object"]
    assert replay.seen[1].body["response_format"]["schema"] == {"type": "object"}


def test_a_form_that_worked_is_not_doubted() -> None:
    found, replay = calls(GOOD, BROKEN, GOOD, times=3)
    assert isinstance(found[1], Retryable) and found[1].kind == "server"
    assert forms(replay) == ["json_schema"] * 3


def test_a_request_that_is_bad_in_both_forms_is_final() -> None:
    found, replay = calls(BAD, BAD, times=2)
    assert isinstance(found[0], Retryable) and isinstance(found[1], Final)
    assert forms(replay) == ["json_schema", "json_object"]


def test_a_400_about_something_else_is_final_at_once() -> None:
    [error], _ = calls((400, wire("errors")["local"]["400 too long"]), times=1)
    assert (type(error), error.kind) == (Final, "too_long")
