"""The loopback server, read by the real SDKs: envelopes, usage, stops, errors, faults and whole games."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import anthropic
import openai
import pytest
from google import genai
from google.genai import errors, types

import engine
from providers import dialects
from providers.base import EFFORTS, Message, Request
from providers.simulated import Behaviour, StandIn
from providers.stand_in import ON_DEMAND, PROBLEMS, Server, serve
from tests.providers.simulated_questions import lengthy, question

# google-genai subclasses aiohttp's session, which warns; nothing of ours is involved.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

LIMIT = 4096


class Said(NamedTuple):
    """What an SDK made of an answer, in one shape for all."""

    text: str
    reasoning: str
    stop: str
    refusal: str
    model: str
    usage: dict[str, int]


Ask = Callable[..., Awaitable[Said]]


def turns(asked: Request) -> list[Any]:
    return [{"role": message.role, "content": message.content} for message in asked.messages]


def demand(fault: str) -> dict[str, str]:
    return {"x-stand-in-fault": fault} if fault else {}


@asynccontextmanager
async def by_anthropic(url: str, key: str = "k", patience_s: float = 20) -> AsyncIterator[Ask]:
    http = anthropic.DefaultAioHttpClient()
    async with anthropic.AsyncAnthropic(
        api_key=key, base_url=url, max_retries=0, timeout=patience_s, http_client=http
    ) as client:

        async def ask(asked: Request, fault: str = "", limit: int = LIMIT) -> Said:
            made = await client.messages.create(
                model=asked.model,
                max_tokens=limit,
                system=[{"type": "text", "text": asked.system, "cache_control": {"type": "ephemeral"}}],
                messages=turns(asked),
                thinking={"type": "adaptive", "display": "summarized"},
                output_config={
                    "effort": "medium",
                    "format": {"type": "json_schema", "schema": dict(asked.schema or {})},
                },
                extra_headers=demand(fault),
            )
            used = made.usage
            assert used.output_tokens_details is not None
            return Said(
                text="".join(block.text for block in made.content if block.type == "text"),
                reasoning="".join(block.thinking for block in made.content if block.type == "thinking"),
                stop=made.stop_reason or "",
                refusal=getattr(made.stop_details, "category", None) or "",
                model=made.model,
                usage={
                    "input": used.input_tokens + (used.cache_read_input_tokens or 0),
                    "cached": used.cache_read_input_tokens or 0,
                    "output": used.output_tokens,
                    "reasoning": used.output_tokens_details.thinking_tokens,
                },
            )

        yield ask


@asynccontextmanager
async def by_responses(url: str, key: str = "k", patience_s: float = 20) -> AsyncIterator[Ask]:
    http = openai.DefaultAioHttpClient()
    async with openai.AsyncOpenAI(
        api_key=key, base_url=f"{url}/v1", max_retries=0, timeout=patience_s, http_client=http
    ) as client:

        async def ask(asked: Request, fault: str = "", limit: int = LIMIT) -> Said:
            made = await client.responses.create(
                model=asked.model,
                instructions=asked.system,
                input=turns(asked),
                store=False,
                max_output_tokens=limit,
                reasoning={"effort": "medium", "summary": "auto"},
                text={
                    "format": {
                        "type": "json_schema",
                        "name": "move",
                        "strict": True,
                        "schema": dict(asked.schema or {}),
                    }
                },
                extra_headers=demand(fault),
            )
            assert made.usage is not None
            parts = [part for item in made.output if item.type == "message" for part in item.content]
            thoughts = [note for item in made.output if item.type == "reasoning" for note in item.summary]
            assert made.status is not None
            return Said(
                text=made.output_text,
                reasoning="".join(note.text for note in thoughts),
                stop=made.incomplete_details.reason or "" if made.incomplete_details else made.status,
                refusal="".join(part.refusal for part in parts if part.type == "refusal"),
                model=made.model,
                usage={
                    "input": made.usage.input_tokens,
                    "cached": made.usage.input_tokens_details.cached_tokens,
                    "output": made.usage.output_tokens,
                    "reasoning": made.usage.output_tokens_details.reasoning_tokens,
                },
            )

        yield ask


@asynccontextmanager
async def by_chat(url: str, key: str = "k", patience_s: float = 20) -> AsyncIterator[Ask]:
    http = openai.DefaultAioHttpClient()
    async with openai.AsyncOpenAI(
        api_key=key, base_url=f"{url}/v1", max_retries=0, timeout=patience_s, http_client=http
    ) as client:

        async def ask(asked: Request, fault: str = "", limit: int = LIMIT) -> Said:
            made = await client.chat.completions.create(
                model=asked.model,
                messages=[{"role": "system", "content": asked.system}, *turns(asked)],
                max_completion_tokens=limit,
                reasoning_effort="medium",
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "move", "strict": True, "schema": dict(asked.schema or {})},
                },
                extra_headers=demand(fault),
            )
            choice, used = made.choices[0], made.usage
            assert used is not None and used.prompt_tokens_details and used.completion_tokens_details
            return Said(
                text=choice.message.content or "",
                reasoning=getattr(choice.message, "reasoning_content", ""),
                stop=choice.finish_reason,
                refusal=choice.message.refusal or "",
                model=made.model,
                usage={
                    "input": used.prompt_tokens,
                    "cached": used.prompt_tokens_details.cached_tokens or 0,
                    "output": used.completion_tokens,
                    "reasoning": used.completion_tokens_details.reasoning_tokens or 0,
                },
            )

        yield ask


@asynccontextmanager
async def by_gemini(
    url: str, key: str = "k", patience_s: float = 20, version: str = "v1beta"
) -> AsyncIterator[Ask]:
    client = genai.Client(
        api_key=key,
        http_options=types.HttpOptions(
            base_url=url,
            api_version=version,
            timeout=int(patience_s * 1000),
            retry_options=types.HttpRetryOptions(attempts=1),
        ),
    )

    async def ask(asked: Request, fault: str = "", limit: int = LIMIT) -> Said:
        roles = {"user": "user", "assistant": "model"}
        made = await client.aio.models.generate_content(
            model=asked.model,
            contents=[
                types.Content(role=roles[message.role], parts=[types.Part(text=message.content)])
                for message in asked.messages
            ],
            config=types.GenerateContentConfig(
                system_instruction=asked.system,
                max_output_tokens=limit,
                response_mime_type="application/json",
                response_json_schema=asked.schema,
                thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_level="MEDIUM"),  # type: ignore[arg-type]
                http_options=types.HttpOptions(headers=demand(fault)),
            ),
        )
        candidate = made.candidates[0] if made.candidates else types.Candidate()
        parts = (candidate.content.parts if candidate.content else None) or []
        used, blocked = made.usage_metadata, made.prompt_feedback
        assert used is not None
        thoughts = used.thoughts_token_count or 0
        return Said(
            text="".join(part.text or "" for part in parts if not part.thought),
            reasoning="".join(part.text or "" for part in parts if part.thought),
            stop=candidate.finish_reason.value if candidate.finish_reason else "",
            refusal=blocked.block_reason.value if blocked and blocked.block_reason else "",
            model=made.model_version or "",
            usage={
                "input": used.prompt_token_count or 0,
                "cached": used.cached_content_token_count or 0,
                "output": (used.candidates_token_count or 0) + thoughts,
                "reasoning": thoughts,
            },
        )

    try:
        yield ask
    finally:
        await client.aio.aclose()
        client.close()


CLIENTS = {"anthropic": by_anthropic, "responses": by_responses, "chat": by_chat, "gemini": by_gemini}
each_client = pytest.mark.parametrize("wire", CLIENTS)


def run(wire: str, scene: Callable[[Server, Ask], Awaitable[None]], **options: str | float) -> None:
    """Play a scene with one SDK before a server of that behaviour."""

    async def stage() -> None:
        async with (
            serve(behaviour=Behaviour.of("greedy", **options)) as server,
            CLIENTS[wire](server.url) as ask,
        ):
            await scene(server, ask)

    asyncio.run(stage())


@each_client
def test_an_answer_is_the_stand_ins_own_in_every_format(wire: str) -> None:
    asked = lengthy(question("a1", "b1", "a2", "b2", max_output_tokens=LIMIT))
    expected = StandIn(Behaviour.of("greedy", seed=4, tokens=60)).answer(asked)

    async def scene(server: Server, ask: Ask) -> None:
        said = await ask(asked)
        assert said.text == expected.text and json.loads(said.text)["action"] == 6
        assert said.reasoning == expected.reasoning != ""
        assert (
            said.stop
            == {"anthropic": "end_turn", "responses": "completed", "chat": "stop", "gemini": "STOP"}[wire]
        )
        assert said.model == "simulated/greedy"
        used = expected.usage
        assert said.usage == {
            "input": used.input,
            "cached": used.cache_read,
            "output": used.output,
            "reasoning": used.reasoning,
        }
        assert used.cache_read > 0 and used.reasoning > 0

    run(wire, scene, seed=4, tokens=60)


@each_client
def test_a_conversation_keeps_its_roles(wire: str) -> None:
    first = question("a1", max_output_tokens=LIMIT)
    talk = (*first.messages, Message("assistant", '{"action": 0}'), Message("user", "0 is taken. Again."))
    asked = Request(first.model, first.system, talk, schema=first.schema, max_output_tokens=LIMIT)

    async def scene(server: Server, ask: Ask) -> None:
        assert (await ask(asked)).text == StandIn(Behaviour.of("greedy")).answer(asked).text

    run(wire, scene)


@each_client
def test_a_refusal_is_the_vendors_own(wire: str) -> None:
    words = "Simulated refusal by greedy: I will not answer this."
    expected = {
        "anthropic": (words, "refusal", "general_harms"),
        "responses": ("", "completed", words),
        "chat": ("", "stop", words),
        "gemini": ("", "SAFETY", ""),
    }

    async def scene(server: Server, ask: Ask) -> None:
        said = await ask(question())
        assert (said.text, said.stop, said.refusal) == expected[wire]
        assert said.usage["output"] > 0

    run(wire, scene, refused=1)


def test_gemini_blocks_a_prompt_on_demand() -> None:
    async def scene(server: Server, ask: Ask) -> None:
        said = await ask(question(), "blocked")
        assert (said.text, said.stop, said.refusal) == ("", "", "PROHIBITED_CONTENT")

    run("gemini", scene)


@each_client
def test_a_truncated_answer_says_so(wire: str) -> None:
    stop = {
        "anthropic": "max_tokens",
        "responses": "max_output_tokens",
        "chat": "length",
        "gemini": "MAX_TOKENS",
    }

    async def scene(server: Server, ask: Ask) -> None:
        drawn = await ask(question(), "truncated")
        assert (
            drawn.stop == stop[wire] and drawn.text.startswith('{"rationale"') and "action" not in drawn.text
        )
        bounded = await ask(question(), limit=45)
        assert bounded.stop == stop[wire] and bounded.usage["output"] == 45
        starved = await ask(question(), limit=5)
        assert starved.stop == stop[wire] and starved.text == "" and starved.usage["output"] == 5

    run(wire, scene)


STATUS = {
    "anthropic": {
        "400": anthropic.BadRequestError,
        "401": anthropic.AuthenticationError,
        "403": anthropic.PermissionDeniedError,
        "404": anthropic.NotFoundError,
        "413": anthropic.RequestTooLargeError,
        "429": anthropic.RateLimitError,
        "500": anthropic.InternalServerError,
        "503": anthropic.ServiceUnavailableError,
        "504": anthropic.DeadlineExceededError,
        "529": anthropic.OverloadedError,
        "quota": anthropic.RateLimitError,
        "too_long": anthropic.BadRequestError,
    },
    "openai": {
        "400": openai.BadRequestError,
        "401": openai.AuthenticationError,
        "403": openai.PermissionDeniedError,
        "404": openai.NotFoundError,
        "413": openai.APIStatusError,
        "429": openai.RateLimitError,
        "500": openai.InternalServerError,
        "503": openai.InternalServerError,
        "504": openai.InternalServerError,
        "529": openai.InternalServerError,
        "quota": openai.RateLimitError,
        "too_long": openai.BadRequestError,
    },
}


@each_client
def test_every_problem_is_the_sdks_own_exception(wire: str) -> None:
    async def scene(server: Server, ask: Ask) -> None:
        for name, problem in PROBLEMS.items():
            with pytest.raises((anthropic.APIError, openai.APIError, errors.APIError)) as caught:
                await ask(question(), name)
            error: Any = caught.value
            waits = problem.status in (429, 503, 529)
            if wire == "gemini":
                assert (error.code, error.status) == (problem.status, problem.gemini)
                assert isinstance(error, errors.ClientError if problem.status < 500 else errors.ServerError)
                retry = [detail["retryDelay"] for detail in error.details["error"].get("details", ())]
                assert retry == (["0.5s"] if problem.status == 429 else [])
                continue
            expected = STATUS["anthropic" if wire == "anthropic" else "openai"][name]
            assert isinstance(error, expected), (name, error)
            assert error.status_code == problem.status and error.request_id.startswith("req_simulated_")
            assert error.response.headers.get("retry-after") == ("0.5" if waits else None)
            code = error.body["error"]["type"] if wire == "anthropic" else error.code
            assert code == (problem.anthropic if wire == "anthropic" else problem.openai)
        assert server.counts["faults"] == dict.fromkeys(PROBLEMS, 1)
        assert server.counts["answered"] == 0

    run(wire, scene, retry_after=0.5)


@each_client
@pytest.mark.parametrize("fault", ["cut", "half", "garbled", "hang"])
def test_transport_faults_reach_the_sdk(wire: str, fault: str) -> None:
    trouble = (
        anthropic.APIConnectionError,
        anthropic.APIResponseValidationError,
        openai.APIConnectionError,
        openai.APIResponseValidationError,
        aiohttp.ClientError,
        TimeoutError,
        json.JSONDecodeError,
        errors.UnknownApiResponseError,
    )

    async def stage() -> None:
        async with serve(behaviour=Behaviour.of("greedy")) as server:
            async with CLIENTS[wire](server.url, patience_s=0.2 if fault == "hang" else 20) as ask:
                with pytest.raises(trouble) as caught:
                    await ask(question(), fault)
                if fault == "hang":
                    assert "Timeout" in type(caught.value).__name__
            assert (server.counts["requests"], server.counts["answered"]) == (1, 0)
            await settled(server)

    asyncio.run(stage())


async def settled(server: Server) -> None:
    """Until the server has noticed that its clients are gone."""
    async with asyncio.timeout(10):
        while server.counts["in_flight"]:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.005)


@each_client
def test_a_whole_game_through_an_sdk(wire: str) -> None:
    async def scene(server: Server, ask: Ask) -> None:
        state, moves = engine.new("tictactoe"), list[str]()
        track = "rules" if wire in ("chat", "gemini") else "open"
        while not state.is_terminal():
            said = json.loads((await ask(question(*moves, track=track))).text)
            state.apply(said["action"] if track == "open" else state.parse_action(said["move"]))
            moves.append(state.history()[-1].text)
        counts = server.counts
        assert len(moves) >= 5
        assert counts["answered"] == counts["requests"] == counts["questions"] == len(moves)
        assert counts["asked_again"] == counts["answered_again"] == 0
        assert counts["routes"] == {wire: len(moves)}

    run(wire, scene)


def test_a_game_survives_faults_at_rates_when_calls_are_repeated() -> None:
    async def scene(server: Server, ask: Ask) -> None:
        state, moves = engine.new("tictactoe"), list[str]()
        while not state.is_terminal():
            try:
                said = await ask(question(*moves))
            except anthropic.APIError:
                continue
            state.apply(json.loads(said.text)["action"])
            moves.append(state.history()[-1].text)
        counts = server.counts
        assert counts["answered"] == len(moves) and counts["answered_again"] == 0
        assert counts["requests"] == len(moves) + sum(counts["faults"].values())
        assert counts["asked_again"] == sum(counts["faults"].values()) > 0
        assert all(answered == 1 <= asked for asked, answered in server.questions.values())

    run("anthropic", scene, fail=0.5, retry_after=0)


async def post(
    url: str, body: Mapping[str, Any] | bytes, **headers: str
) -> tuple[int, Any, Mapping[str, str]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with aiohttp.ClientSession() as session, session.post(url, data=data, headers=headers) as answer:
        return answer.status, json.loads(await answer.read()), answer.headers


def chat(asked: Request, **more: Any) -> dict[str, Any]:
    told = [{"role": "system", "content": asked.system}, *turns(asked)]
    return {"model": asked.model, "messages": told, **more}


def test_two_hundred_at_once() -> None:
    async def scene() -> None:
        async with (
            serve(behaviour=Behaviour.of("random", latency=0.2)) as server,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        ):

            async def one(number: int) -> str:
                body = chat(question(note=str(number)))
                async with session.post(f"{server.url}/v1/chat/completions", json=body) as answer:
                    return str((await answer.json())["choices"][0]["message"]["content"])

            texts = await asyncio.gather(*map(one, range(200)))
            assert len(texts) == 200 and all(texts)
            assert server.counts["in_flight_peak"] > 100
            assert server.counts["answered"] == server.counts["questions"] == 200
            assert server.counts["latency"]["max"] >= server.counts["latency"]["mean"] >= 0.19

    asyncio.run(scene())


def test_faults_and_behaviour_on_demand_by_control() -> None:
    async def scene() -> None:
        async with serve(behaviour=Behaviour.of("greedy")) as server:
            url = f"{server.url}/v1/chat/completions"
            status, _, _ = await post(f"{server.url}/_control", {"faults": ["529", "ok", "refused"]})
            assert status == 200
            got = [await post(url, chat(question("a1"))) for _ in range(4)]
            assert [answer[0] for answer in got] == [529, 200, 200, 200]
            messages = [answer[1]["choices"][0]["message"] for answer in got[1:]]
            assert [message["refusal"] is not None for message in messages] == [False, True, False]

            order = {"behaviour": {"bot": "random", "empty": 1}, "reset": True}
            status, counts, _ = await post(f"{server.url}/_control", order)
            assert status == 200 and counts["requests"] == 0
            _, answer, _ = await post(url, chat(question("a1")))
            assert answer["model"] == "simulated/random" and answer["choices"][0]["message"]["content"] == ""

            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{server.url}/_control?questions") as tell,
            ):
                told = await tell.json()
            assert list(told["by_question"].values()) == [[1, 1]]
            assert told["routes"] == {"chat": 1}

            for wrong in (
                {"faults": ["boom"]},
                {"behaviour": {"bott": 1}},
                {"behaviour": {"bot": "nobody"}},
                {"f": 1},
            ):
                status, complaint, _ = await post(f"{server.url}/_control", wrong)
                assert status == 400 and complaint["error"], wrong

    asyncio.run(scene())


def test_models_have_behaviours_of_their_own() -> None:
    async def scene() -> None:
        models = {"shy": Behaviour.parse("random?refused=1")}
        async with serve(behaviour=Behaviour.of("greedy"), models=models) as server:
            url = f"{server.url}/v1/chat/completions"
            _, shy, _ = await post(url, chat(question()) | {"model": "shy"})
            _, other, _ = await post(url, chat(question()) | {"model": "gpt-6-luna"})
            assert shy["model"] == "simulated/random" and shy["choices"][0]["message"]["refusal"]
            assert other["model"] == "simulated/greedy" and other["choices"][0]["message"]["refusal"] is None
            assert server.counts["questions"] == 2, "the same words to two models are two questions"

    asyncio.run(scene())


@each_client
def test_a_required_key_is_checked(wire: str) -> None:
    async def scene() -> None:
        async with serve(behaviour=Behaviour.of("greedy"), require_key="right") as server:
            async with CLIENTS[wire](server.url, key="right") as ask:
                assert (await ask(question())).text
            async with CLIENTS[wire](server.url, key="wrong") as ask:
                with pytest.raises(
                    (anthropic.AuthenticationError, openai.AuthenticationError, errors.ClientError)
                ):
                    await ask(question())
            assert server.counts["answered"] == 1

    asyncio.run(scene())


def test_gemini_is_served_in_both_versions_and_spellings() -> None:
    asked = question("a1", "b1", "a2", "b2")

    async def scene() -> None:
        async with serve(behaviour=Behaviour.of("greedy")) as server:
            async with by_gemini(server.url, version="v1") as ask:
                assert json.loads((await ask(asked)).text)["action"] == 6
            body = {
                "contents": [{"role": "user", "parts": [{"text": asked.messages[0].content}]}],
                "system_instruction": {"parts": [{"text": asked.system}]},
                "generation_config": {
                    "response_json_schema": asked.schema,
                    "max_output_tokens": 20,
                    "thinking_config": {"thinking_budget": 0},
                },
            }
            _, answer, _ = await post(f"{server.url}/v1beta/models/any/name:generateContent?key=k", body)
            assert answer["candidates"][0]["finishReason"] == "MAX_TOKENS"
            assert answer["usageMetadata"]["thoughtsTokenCount"] == 0
            assert answer["usageMetadata"]["candidatesTokenCount"] == 20

    asyncio.run(scene())


def test_tokens_are_counted_as_they_are_billed() -> None:
    asked = question("a1")
    expected = StandIn(Behaviour()).answer(asked).usage.input

    async def scene() -> None:
        async with serve(behaviour=Behaviour.of("greedy")) as server:
            async with anthropic.AsyncAnthropic(api_key="k", base_url=server.url, max_retries=0) as claude:
                counted = await claude.messages.count_tokens(
                    model="m", system=asked.system, messages=turns(asked)
                )
                assert counted.input_tokens == expected
                assert [model.id async for model in claude.models.list()] == ["simulated/greedy"]
            async with openai.AsyncOpenAI(api_key="k", base_url=f"{server.url}/v1", max_retries=0) as gpt:
                told = await gpt.responses.input_tokens.count(
                    model="m", instructions=asked.system, input=turns(asked)
                )
                assert told.input_tokens == expected
                assert [model.id async for model in gpt.models.list()] == ["simulated/greedy"]
            gemini = genai.Client(
                api_key="k", http_options=types.HttpOptions(base_url=server.url, api_version="v1beta")
            )
            text = f"{asked.system}{asked.messages[0].content}"
            total = await gemini.aio.models.count_tokens(model="m", contents=text)
            assert total.total_tokens == -(-len(text) // 3)
            await gemini.aio.aclose()
            gemini.close()
            assert server.counts["requests"] == 0

    asyncio.run(scene())


def test_headers_are_the_vendors() -> None:
    async def scene() -> None:
        async with serve(behaviour=Behaviour.of("greedy")) as server:
            asked = question()
            _, _, openais = await post(f"{server.url}/v1/chat/completions", chat(asked))
            assert openais["x-request-id"] and not any("ratelimit" in name for name in openais)
            body = {"model": "m", "max_tokens": 99, "system": asked.system, "messages": turns(asked)}
            _, answer, claudes = await post(f"{server.url}/v1/messages", body)
            assert claudes["request-id"] and not any("ratelimit" in name for name in claudes)
            assert [block["type"] for block in answer["content"]] == ["text"], "thinking was not asked for"

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"{", "unreadable"),
        (b"[]", "unreadable"),
        ({"model": "m"}, "messages"),
        ({"stream": True}, "does not stream"),
    ],
)
def test_an_unreadable_request_is_a_vendors_400(body: Any, complaint: str) -> None:
    async def scene() -> None:
        async with serve() as server:
            for path in ("/v1/messages", "/v1/chat/completions"):
                status, answer, _ = await post(f"{server.url}{path}", body)
                assert status == 400 and complaint in answer["error"]["message"]
            headers = {"x-stand-in-fault": "boom"}
            status, answer, _ = await post(f"{server.url}/v1/messages", chat(question()), **headers)
            assert status == 400 and all(name in answer["error"]["message"] for name in ON_DEMAND)

    asyncio.run(scene())


def test_claude_writes_what_is_marked_for_the_cache_and_reads_it_later() -> None:
    def body(
        *moves: str, marked: bool = True, asks: Callable[[Request], Request] = lengthy
    ) -> dict[str, Any]:
        asked = asks(question(*moves))
        mark = {"cache_control": {"type": "ephemeral"}} if marked else {}
        system = [{"type": "text", "text": asked.system, **mark}]
        return {"model": "m", "max_tokens": 999, "system": system, "messages": turns(asked)}

    async def scene() -> None:
        async with serve() as server:

            async def cached(asked: dict[str, Any]) -> tuple[int, int]:
                _, answer, _ = await post(f"{server.url}/v1/messages", asked)
                used = answer["usage"]
                written = used["cache_creation_input_tokens"]
                assert used["cache_creation"]["ephemeral_5m_input_tokens"] == written
                total = await post(f"{server.url}/v1/messages/count_tokens", asked)
                assert (
                    total[1]["input_tokens"]
                    == used["input_tokens"] + written + used["cache_read_input_tokens"]
                )
                return written, used["cache_read_input_tokens"]

            system = -(-len(lengthy(question()).system) // 3)
            assert await cached(body()) == (system, 0)
            assert await cached(body("a1")) == (0, system)
            assert await cached(body("a1", marked=False)) == (0, 0)
            assert await cached(body(marked=False)) == (0, 0)
            assert await cached(body(asks=lambda short: short)) == (0, 0)

    asyncio.run(scene())


def test_the_tier_that_was_asked_for_is_the_one_served() -> None:
    asked = question()
    gemini = {"contents": [{"role": "user", "parts": [{"text": "?"}]}]}
    claude = {"model": "m", "max_tokens": 99, "messages": turns(asked), "service_tier": "standard_only"}

    async def scene() -> None:
        async with serve() as server:
            for path, body in (
                ("chat/completions", chat(asked)),
                ("responses", {"model": "m", "input": "?"}),
            ):
                for given, served in (("flex", "flex"), ("auto", "default"), (None, "default")):
                    more = {"service_tier": given} if given else {}
                    _, answer, _ = await post(f"{server.url}/v1/{path}", {**body, **more})
                    assert answer["service_tier"] == served
            url = f"{server.url}/v1beta/models/m:generateContent"
            for more, served in (({"serviceTier": "flex"}, "flex"), ({}, "standard")):
                _, _, headers = await post(url, {**gemini, **more})
                assert headers["x-gemini-service-tier"] == served
            _, answer, _ = await post(f"{server.url}/v1/messages", claude)
            assert answer["usage"]["service_tier"] == "standard"

    asyncio.run(scene())


REFUSALS = [
    ("messages", {"max_tokens": None}, "max_tokens: Field required"),
    ("messages", {"temperature": 0.5}, "temperature: Extra inputs are not permitted"),
    ("messages", {"top_p": 0.5}, "top_p: Extra"),
    ("messages", {"seed": 1}, "seed: Extra"),
    ("messages", {"output_config": {"effort": "minimal"}}, "low, medium, high, xhigh, max"),
    ("messages", {"service_tier": "flex"}, "auto, standard_only"),
    ("responses", {"seed": 1}, "Unknown parameter: 'seed'."),
    ("responses", {"reasoning": {"effort": "lots"}}, "minimal, low"),
    ("responses", {"service_tier": "cheap"}, "auto, default, flex"),
    ("chat/completions", {"effort": "low"}, "Unknown parameter: 'effort'."),
    ("chat/completions", {"reasoning_effort": "lots"}, "minimal, low"),
    ("gemini", {"temperature": 1}, 'Unknown name "temperature"'),
    ("gemini", {"generationConfig": {"thinkingConfig": {"thinkingLevel": "MAX"}}}, "minimal, low"),
    ("gemini", {"serviceTier": "cheap"}, "flex, standard"),
]


@pytest.mark.parametrize(("path", "change", "complaint"), REFUSALS)
def test_what_a_vendor_refuses_is_refused(path: str, change: dict[str, Any], complaint: str) -> None:
    turn = [{"role": "user", "content": "?"}]
    bodies: dict[str, dict[str, Any]] = {
        "messages": {"model": "m", "max_tokens": 99, "messages": turn},
        "responses": {"model": "m", "input": "?"},
        "chat/completions": {"model": "m", "messages": turn},
        "gemini": {"contents": [{"role": "user", "parts": [{"text": "?"}]}]},
    }
    body = {name: value for name, value in {**bodies[path], **change}.items() if value is not None}

    async def scene() -> None:
        async with serve() as server:
            where = "v1beta/models/m:generateContent" if path == "gemini" else f"v1/{path}"
            assert (await post(f"{server.url}/{where}", bodies[path]))[0] == 200
            status, answer, _ = await post(f"{server.url}/{where}", body)
            assert status == 400 and complaint in answer["error"]["message"]
            assert server.counts["answered"] == 1

    asyncio.run(scene())


def test_the_known_fields_and_words_are_those_of_the_sdks() -> None:
    from typing import get_args, get_type_hints

    from anthropic.types import OutputConfigParam
    from anthropic.types.message_create_params import MessageCreateParamsNonStreaming as Messages
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming as Chat
    from openai.types.responses import ServiceTier
    from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming as Responses
    from openai.types.shared import ReasoningEffort

    fields = (
        dialects._ANTHROPIC_FIELDS - {"output_format"},
        dialects._RESPONSES_FIELDS,
        dialects._CHAT_FIELDS,
    )
    assert [*map(set, fields)] == [
        params.__required_keys__ | params.__optional_keys__ for params in (Messages, Responses, Chat)
    ]

    def words(of: Any) -> tuple[str, ...]:
        return get_args(next(part for part in get_args(of) if part is not type(None)))

    assert words(get_type_hints(OutputConfigParam)["effort"]) == dialects._ANTHROPIC_EFFORTS
    assert words(ReasoningEffort) == EFFORTS
    assert words(ServiceTier) == dialects._OPENAI_TIERS
    levels = tuple(level.value.lower() for level in types.ThinkingLevel)
    assert levels == dialects._GEMINI_LEVELS
    assert {tier.value for tier in types.ServiceTier} == set(dialects._GEMINI_TIERS)


def test_it_says_what_it_is() -> None:
    async def scene() -> None:
        async with serve() as server, aiohttp.ClientSession() as session, session.get(server.url) as answer:
            assert "stand-in" in await answer.text()

    asyncio.run(scene())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::"])
def test_only_loopback_is_served(host: str) -> None:
    async def scene() -> None:
        async with serve(host=host):
            pass

    with pytest.raises(ValueError, match="not a loopback address"):
        asyncio.run(scene())


def test_a_client_that_leaves_early_was_not_answered() -> None:
    async def scene() -> None:
        async with serve(behaviour=Behaviour.of("random", latency=30)) as server:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await post(f"{server.url}/v1/chat/completions", chat(question()))
            await settled(server)
            assert (server.counts["requests"], server.counts["answered"]) == (1, 0)

    asyncio.run(scene())


def test_the_server_ends_although_a_call_hangs() -> None:
    async def scene() -> None:
        async with serve() as server:
            hung = asyncio.create_task(
                post(f"{server.url}/v1/chat/completions", chat(question()), **demand("hang"))
            )
            async with asyncio.timeout(10):
                while not server.counts["faults"]:  # noqa: ASYNC110 - the server has no event for it
                    await asyncio.sleep(0.005)
        with pytest.raises(aiohttp.ClientError):
            await hung

    asyncio.run(scene())
