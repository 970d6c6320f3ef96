"""Decisions through the SDKs of OpenAI and Google: shapes, sums, refusals, limits, and whole games."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import openai
import pytest
from google import genai
from google.genai import errors, types

import engine
from providers.base import Request
from providers.simulated import Behaviour, StandIn
from providers.stand_in import Limits, Server, serve
from tests.providers.simulated_questions import question
from tests.providers.test_stand_in import post

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


class Said(NamedTuple):
    choice: Any
    confidence: float
    shares: dict[Any, float]
    usage: tuple[int, int]  # tokens in and out
    refusal: str = ""


Ask = Callable[[Request, Mapping[str, str]], Awaitable[Said]]


def choices(*moves: str) -> dict[str, str]:
    """The legal moves of a position: number to notation."""
    state = engine.new("tictactoe", 0)
    for move in moves:
        state.apply(state.parse_action(move))
    return {str(action): state.action_text(action) for action in state.legal_actions()}


@asynccontextmanager
async def by_openai(url: str) -> AsyncIterator[Ask]:
    http = openai.DefaultAioHttpClient()
    async with openai.AsyncOpenAI(
        api_key="k", base_url=f"{url}/v1", max_retries=0, http_client=http
    ) as client:

        async def ask(asked: Request, among: Mapping[str, str]) -> Said:
            made = await client.decisions.create(
                model="gpt-6-luna",
                input=[
                    {"role": "system", "content": asked.system},
                    {"role": "user", "content": asked.messages[0].content},
                ],
                questions=[
                    {
                        "type": "choice",
                        "name": "move",
                        "instructions": "Which move?",
                        "choices": [{"value": value, "description": said} for value, said in among.items()],
                    }
                ],
            )
            assert made.model == "simulated/greedy"
            usage = (made.usage.input_tokens, made.usage.output_tokens)
            (answer,) = made.answers
            assert answer.name == "move"
            if answer.type == "refusal":
                return Said(None, 0, {}, usage, "refusal")
            assert answer.type == "choice"
            shares = {share.value: share.probability for share in answer.probabilities}
            return Said(answer.choice, answer.confidence, shares, usage)

        yield ask


@asynccontextmanager
async def by_gemini(url: str, version: str = "v1beta") -> AsyncIterator[Ask]:
    options = types.HttpOptions(
        base_url=url, api_version=version, retry_options=types.HttpRetryOptions(attempts=1)
    )
    client = genai.Client(api_key="k", http_options=options)

    async def ask(asked: Request, among: Mapping[str, str]) -> Said:
        made = await client.aio.decisions.create(
            model="models/gemini-3.8-flash",
            input=f"{asked.system}\n{asked.messages[0].content}",
            questions={"move": {"type": "choice", "instructions": "Which move?", "criteria": dict(among)}},
        )
        assert made.usage is not None
        usage = (made.usage.total_input_tokens or 0, made.usage.total_output_tokens or 0)
        if made.prompt_feedback is not None:
            return Said(None, 0, {}, usage, str(made.prompt_feedback.block_reason))
        answer = (made.answers or {})["move"]
        assert answer.type == "choice"
        return Said(answer.choice, answer.confidence, dict(answer.probabilities), usage)

    try:
        yield ask
    finally:
        await client.aio.aclose()
        client.close()


CLIENTS = {"openai": by_openai, "gemini": by_gemini}
each_client = pytest.mark.parametrize("wire", CLIENTS)


def run(wire: str, scene: Callable[[Server, Ask], Awaitable[None]], **options: str | float) -> None:
    async def stage() -> None:
        behaviour = Behaviour.of("greedy", **options)
        async with serve(behaviour=behaviour) as server, CLIENTS[wire](server.url) as ask:
            await scene(server, ask)

    asyncio.run(stage())


@each_client
def test_a_choice_comes_with_a_probability_for_each(wire: str) -> None:
    moves = ("a1", "b1", "a2", "b2")

    async def scene(server: Server, ask: Ask) -> None:
        said = await ask(question(*moves), choices(*moves))
        assert said.choice == "6", "the win"
        assert list(said.shares) == list(choices(*moves))
        assert sum(said.shares.values()) == pytest.approx(1)
        assert said.confidence == said.shares["6"] == max(said.shares.values()) > 0.5
        assert said.usage[0] > 60 and said.usage[1] == 0
        assert said == await ask(question(*moves), choices(*moves))
        noted = [await ask(question(*moves, note=str(i)), choices(*moves)) for i in range(5)]
        assert {each.choice for each in noted} == {"6"} and len({each.confidence for each in noted}) == 5
        counts = server.counts
        assert counts["routes"] == {f"{wire} decisions": 7}
        assert (counts["answered"], counts["questions"]) == (7, 6)

    run(wire, scene)


@each_client
def test_a_whole_game_is_decided(wire: str) -> None:
    async def scene(server: Server, ask: Ask) -> None:
        state, moves = engine.new("tictactoe"), list[str]()
        while len(state.legal_actions()) > 1 and not state.is_terminal():
            state.apply(int((await ask(question(*moves, track="rules"), choices(*moves))).choice))
            moves.append(state.history()[-1].text)
        assert len(moves) >= 5 and server.counts["answered"] == len(moves)

    run(wire, scene)


@each_client
def test_choices_that_mean_nothing_are_still_decided(wire: str) -> None:
    async def scene(server: Server, ask: Ask) -> None:
        among = {"refund": "Give it back.", "replace": "", "wait": ""}
        picked = {(await ask(question(note=str(i)), among)).choice for i in range(40)}
        assert picked == set(among)

    run(wire, scene)


@each_client
@pytest.mark.parametrize("demanded", [True, False])
def test_a_refusal_is_the_vendors_own(wire: str, demanded: bool) -> None:
    async def scene(server: Server, ask: Ask) -> None:
        if demanded:
            server.queue("refused")
        said = await ask(question(), choices())
        assert said.refusal == {"openai": "refusal", "gemini": "safety"}[wire] and said.usage[0] > 0

    run(wire, scene, refused=0 if demanded else 1)


@each_client
@pytest.mark.parametrize("count", [0, 1, 2, 255, 256])
def test_there_are_between_2_and_255_choices(wire: str, count: int) -> None:
    async def scene(server: Server, ask: Ask) -> None:
        among = {str(n): f"choice {n}" for n in range(count)}
        if 2 <= count <= 255:
            said = await ask(question(), among)
            assert len(said.shares) == count and sum(said.shares.values()) == pytest.approx(1)
            return
        with pytest.raises(
            (openai.BadRequestError, errors.ClientError, Exception), match="between 2 and 255"
        ):
            await ask(question(), among)
        assert server.counts["answered"] == 0

    run(wire, scene)


@each_client
def test_faults_and_limits_are_those_of_other_calls(wire: str) -> None:
    async def scene(server: Server, ask: Ask) -> None:
        for fault in ("429", "529", "401"):
            server.queue(fault)
            with pytest.raises(Exception, match="simulated"):
                await ask(question(), choices())
        server.limit(Limits(at_once=0, tpm=3))
        with pytest.raises(Exception, match="3 tokens per minute"):
            await ask(question(), choices())
        server.limit(Limits())
        assert (await ask(question(), choices())).choice

    run(wire, scene)


def test_gemini_is_served_under_its_default_version_too() -> None:
    async def scene() -> None:
        async with serve(behaviour=Behaviour.of("greedy")) as server, by_gemini(server.url, "v1") as ask:
            assert (await ask(question(), choices())).choice
            assert server.counts["routes"] == {"gemini decisions": 1}

    asyncio.run(scene())


CHOICE = {"type": "choice", "instructions": "?", "choices": [{"value": "a"}, {"value": "b"}]}
CRITERIA = {"type": "choice", "instructions": "?", "criteria": {"a": "", "b": ""}}


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"questions": [CHOICE], "temperature": 1}, "Unknown parameter: 'temperature'."),
        ({"questions": []}, "unreadable"),
        ({"questions": [CHOICE, CHOICE]}, "one question at a time"),
        ({"questions": [{"type": "predicate", "instructions": "?"}]}, "of type choice"),
        ({"questions": [{**CHOICE, "choices": [{"value": "a"}, {"value": "a"}]}]}, "must be unique"),
        ({"questions": [{**CHOICE, "choices": [{"value": 1}, {"value": 2}]}]}, "strings or booleans"),
        ({"questions": {}}, "unreadable"),
        ({"questions": {"m": CRITERIA}, "seed": 1}, 'Unknown name "seed"'),
        ({"questions": {"m": {**CRITERIA, "criteria": {" a": "", "b": ""}}}}, "leading/trailing whitespace"),
        ({"questions": {"m": CRITERIA, "n": CRITERIA}}, "one question at a time"),
        ({"questions": {"m": {"type": "noul", "instructions": "?"}}}, "of type choice"),
        ([], "unreadable"),
    ],
)
def test_what_a_vendor_refuses_is_refused(body: Any, complaint: str) -> None:
    whole = {"model": "m", "input": "?", **body} if isinstance(body, dict) else body

    async def scene() -> None:
        async with serve() as server:
            status, answer, _ = await post(f"{server.url}/v1/decisions", whole)
            assert status == 400 and complaint in answer["error"]["message"]

    asyncio.run(scene())


def test_openais_choices_are_typed() -> None:
    typed = {**CHOICE, "choices": [{"value": True}, {"value": "True"}, {"value": False}]}
    body = {"model": "m", "input": [{"role": "user", "content": "?"}], "questions": [typed]}

    async def scene() -> None:
        async with serve() as server:
            status, answer, _ = await post(f"{server.url}/v1/decisions", body)
            (said,) = answer["answers"]
            assert status == 200 and said["name"] is None
            assert [share["value"] for share in said["probabilities"]] == [True, "True", False]
            assert answer["usage"]["output_tokens"] == 0

    asyncio.run(scene())


def test_a_decision_is_a_function_of_content_seed_and_choices() -> None:
    def decide(seed: int = 0, **more: Any) -> Any:
        given = {"choices": ((4, "b2"), (8, "c3")), "mode": "decision"} | more
        return StandIn(Behaviour.of("random", seed=seed)).answer(question("a1", **given))

    assert decide() == decide()
    assert decide() != decide(seed=1)
    assert decide().probabilities != decide(choices=((8, "c3"), (4, "b2"))).probabilities
