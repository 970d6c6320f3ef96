"""Batches of the three vendors through their SDKs: results, states, counts, paging, faults, clocks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors, types

from providers.base import Request
from providers.simulated import Behaviour, StandIn
from providers.stand_in import BATCH_FAULTS, Server, serve
from tests.providers.simulated_questions import question
from tests.providers.test_stand_in import post, turns

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


class Look(NamedTuple):
    """How far a batch is, in one shape for all: the vendor's word, and (done, failed, total)."""

    state: str
    done: int = 0
    failed: int = 0
    total: int = 0


class Result(NamedTuple):
    """What came of a part: its text where it was answered, else the vendor's word for why not."""

    text: str = ""
    why: str = ""
    tier: str = ""


class Claude:
    """Anthropic's batches by its SDK."""

    def __init__(self, client: anthropic.AsyncAnthropic) -> None:
        self.api = client.messages.batches

    @staticmethod
    def body(asked: Request) -> Any:
        return {
            "model": asked.model,
            "max_tokens": asked.max_output_tokens,
            "system": asked.system,
            "messages": turns(asked),
            "output_config": {"format": {"type": "json_schema", "schema": dict(asked.schema or {})}},
        }

    async def submit(self, asked: dict[str, Request], name: str = "") -> str:
        made = await self.api.create(
            requests=[{"custom_id": key, "params": self.body(one)} for key, one in asked.items()]
        )
        assert made.processing_status == "in_progress" and made.request_counts.processing == len(asked)
        assert made.results_url is None and (made.expires_at - made.created_at).total_seconds() == 86_400
        return made.id

    async def look(self, batch: str) -> Look:
        made = await self.api.retrieve(batch)
        counts = made.request_counts
        assert (made.ended_at is not None) is (made.processing_status == "ended")
        failed = counts.errored + counts.canceled + counts.expired
        return Look(made.processing_status, counts.succeeded, failed, failed + counts.succeeded)

    async def results(self, batch: str) -> dict[str, Result]:
        found = {}
        async for line in await self.api.results(batch):
            if line.result.type == "succeeded":
                said = line.result.message
                text = "".join(block.text for block in said.content if block.type == "text")
                found[line.custom_id] = Result(text, "", said.usage.service_tier or "")
            elif line.result.type == "errored":
                found[line.custom_id] = Result("", line.result.error.error.type)
            else:
                found[line.custom_id] = Result("", line.result.type)
        return found

    async def cancel(self, batch: str) -> None:
        await self.api.cancel(batch)

    async def names(self, most: int) -> list[str]:
        return [made.id async for made in self.api.list(limit=most)]


class Gpt:
    """OpenAI's batches and files by its SDK."""

    url = "/v1/responses"

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self.client, self.api = client, client.batches

    @staticmethod
    def body(asked: Request) -> Any:
        return {
            "model": asked.model,
            "instructions": asked.system,
            "input": turns(asked),
            "max_output_tokens": asked.max_output_tokens,
            "text": {"format": {"type": "json_schema", "name": "move", "schema": dict(asked.schema or {})}},
        }

    async def upload(self, lines: list[Any]) -> str:
        data = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
        file = await self.client.files.create(file=("wave.jsonl", data), purpose="batch")
        assert file.purpose == "batch" and file.bytes == len(data)
        return file.id

    async def start(self, file: str, name: str = "") -> str:
        made = await self.api.create(
            input_file_id=file,
            endpoint=self.url,  # type: ignore[arg-type]
            completion_window="24h",
            metadata={"name": name},
        )
        assert made.status == "validating" and made.metadata == {"name": name}
        return made.id

    async def submit(self, asked: dict[str, Request], name: str = "") -> str:
        lines = [
            {"custom_id": key, "method": "POST", "url": self.url, "body": self.body(one)}
            for key, one in asked.items()
        ]
        return await self.start(await self.upload(lines), name)

    async def look(self, batch: str) -> Look:
        made = await self.api.retrieve(batch)
        assert made.request_counts is not None
        return Look(
            made.status, made.request_counts.completed, made.request_counts.failed, made.request_counts.total
        )

    async def results(self, batch: str) -> dict[str, Result]:
        made, found = await self.api.retrieve(batch), {}
        for file in filter(None, (made.output_file_id, made.error_file_id)):
            for text in (await self.client.files.content(file)).text.splitlines():
                line = json.loads(text)
                if line["error"]:
                    found[line["custom_id"]] = Result("", line["error"]["code"])
                elif line["response"]["status_code"] == 200:
                    found[line["custom_id"]] = Result(self.text(line["response"]["body"]))
                else:
                    found[line["custom_id"]] = Result("", line["response"]["body"]["error"]["type"])
        return found

    @staticmethod
    def text(body: Any) -> str:
        items = [item for item in body["output"] if item["type"] == "message"]
        return str(items[0]["content"][0]["text"])

    async def cancel(self, batch: str) -> None:
        await self.api.cancel(batch)

    async def names(self, most: int) -> list[str]:
        return [made.id async for made in self.api.list(limit=most)]


class Chat(Gpt):
    """OpenAI's batches of Chat Completions."""

    url = "/v1/chat/completions"

    @staticmethod
    def body(asked: Request) -> Any:
        told = [{"role": "system", "content": asked.system}, *turns(asked)]
        form = {"name": "move", "schema": dict(asked.schema or {})}
        return {
            "model": asked.model,
            "messages": told,
            "max_completion_tokens": asked.max_output_tokens,
            "response_format": {"type": "json_schema", "json_schema": form},
        }

    @staticmethod
    def text(body: Any) -> str:
        return str(body["choices"][0]["message"]["content"])


class Gemini:
    """Gemini's inline batches by its SDK."""

    def __init__(self, client: genai.Client) -> None:
        self.api = client.aio.batches

    async def submit(self, asked: dict[str, Request], name: str = "") -> str:
        source = [
            types.InlinedRequest(
                contents=one.messages[0].content,
                metadata={"key": key},
                config=types.GenerateContentConfig(
                    system_instruction=one.system,
                    max_output_tokens=one.max_output_tokens,
                    response_mime_type="application/json",
                    response_json_schema=one.schema,
                ),
            )
            for key, one in asked.items()
        ]
        made = await self.api.create(model="greedy", src=source, config={"display_name": name})
        assert made.name and made.state == types.JobState.JOB_STATE_PENDING
        assert made.display_name == name or not name
        return made.name

    async def look(self, batch: str) -> Look:
        made = await self.api.get(name=batch)
        assert made.state is not None and made.model == "models/greedy"
        assert (made.end_time is not None) is made.done
        found = [one.response is not None for one in (made.dest.inlined_responses or [])] if made.dest else []
        return Look(made.state.value, sum(found), len(found) - sum(found), len(found))

    async def results(self, batch: str) -> dict[str, Result]:
        made = await self.api.get(name=batch)
        found = {}
        for one in (made.dest.inlined_responses if made.dest else None) or []:
            assert one.metadata is not None
            if one.response is not None:
                found[one.metadata["key"]] = Result(one.response.text or "")
            else:
                assert one.error is not None
                found[one.metadata["key"]] = Result("", str(one.error.code))
        return found

    async def cancel(self, batch: str) -> None:
        await self.api.cancel(name=batch)

    async def names(self, most: int) -> list[str]:
        listed = await self.api.list(config={"page_size": most})
        return [made.name or "" async for made in listed]


Api = Claude | Gpt | Gemini


@asynccontextmanager
async def by_sdk(wire: str, url: str) -> AsyncIterator[Any]:
    if wire == "anthropic":
        claude_http = anthropic.DefaultAioHttpClient()
        async with anthropic.AsyncAnthropic(
            api_key="k", base_url=url, max_retries=0, http_client=claude_http
        ) as claude:
            yield Claude(claude)
    elif wire == "gemini":
        options = types.HttpOptions(
            base_url=url, api_version="v1beta", retry_options=types.HttpRetryOptions(attempts=1)
        )
        client = genai.Client(api_key="k", http_options=options)
        try:
            yield Gemini(client)
        finally:
            await client.aio.aclose()
            client.close()
    else:
        http = openai.DefaultAioHttpClient()
        async with openai.AsyncOpenAI(
            api_key="k", base_url=f"{url}/v1", max_retries=0, http_client=http
        ) as gpt:
            yield {"openai": Gpt, "chat": Chat}[wire](gpt)


each_vendor = pytest.mark.parametrize("wire", ["anthropic", "openai", "chat", "gemini"])
WORDS = {  # running, ended well, ended by cancelling, ended by expiry
    "anthropic": ("in_progress", "ended", "ended", "ended"),
    "openai": ("in_progress", "completed", "cancelled", "expired"),
    "gemini": ("JOB_STATE_RUNNING", "JOB_STATE_SUCCEEDED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"),
}
WORDS["chat"] = WORDS["openai"]
WHY = {  # a part that erred, expired, was cancelled
    "anthropic": ("api_error", "expired", "canceled"),
    "openai": ("server_error", "batch_expired", "batch_cancelled"),
    "gemini": ("13", "4", "1"),
}
WHY["chat"] = WHY["openai"]


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


def run(wire: str, scene: Callable[[Server, Any, Clock], Awaitable[None]], **options: str | float) -> None:
    """Play a scene with one SDK before a server of that behaviour whose clock stands still."""

    async def stage() -> None:
        clock = Clock()
        async with (
            serve(behaviour=Behaviour.of("greedy", **options), clock=clock) as server,
            by_sdk(wire, server.url) as api,
        ):
            await scene(server, api, clock)

    asyncio.run(stage())


def wave(count: int = 10) -> dict[str, Request]:
    return {f"part-{i}": question("a1", note=f"Note {i}.", max_output_tokens=999) for i in range(count)}


@each_vendor
def test_a_batch_gives_the_answers_that_are_given_online(wire: str) -> None:
    asked, mind = wave(), StandIn(Behaviour.of("greedy", seed=4))

    async def scene(server: Server, api: Any, clock: Clock) -> None:
        running, well, _, _ = WORDS[wire]
        batch = await api.submit(asked, "wave-7")
        clock.time += 50
        assert (await api.look(batch)).state == running
        assert server.counts["batches"] == {
            "created": 1,
            "ended": 0,
            "parts": {"succeeded": 5, "processing": 5},
        }
        clock.time += 50
        assert await api.look(batch) == Look(well, 10, 0, 10)
        found = await api.results(batch)
        assert {key: made.text for key, made in found.items()} == {
            key: mind.answer(one).text for key, one in asked.items()
        }
        assert {made.tier for made in found.values()} == {"batch" if wire == "anthropic" else ""}
        if wire != "gemini":
            assert list(found) != list(asked), "in any order"
        assert (list(found), found) == (list(await api.results(batch)), await api.results(batch))
        counts = server.counts
        assert counts["questions"] == counts["answered"] == 10 and counts["answered_again"] == 0

    run(wire, scene, seed=4, batch_latency=100)


@each_vendor
def test_counts_move_when_the_vendor_moves_them(wire: str) -> None:
    async def scene(server: Server, api: Any, clock: Clock) -> None:
        batch = await api.submit(wave())
        clock.time += 70
        look = await api.look(batch)
        assert look[1:] == ((7, 0, 10) if wire in ("openai", "chat") else (0, 0, 0))

    run(wire, scene, batch_latency=100)


@each_vendor
def test_a_cancelled_batch_keeps_what_was_answered_by_then(wire: str) -> None:
    async def scene(server: Server, api: Any, clock: Clock) -> None:
        batch = await api.submit(wave())
        clock.time += 35
        await api.cancel(batch)
        stopping = {"anthropic": "canceling", "gemini": WORDS["gemini"][0]}.get(wire, "cancelling")
        assert (await api.look(batch)).state == stopping
        clock.time += 11
        assert (await api.look(batch)).state == WORDS[wire][2]
        found = await api.results(batch)
        assert server.counts["answered"] == 3
        if wire == "gemini":
            assert not found
            return
        assert sum(bool(made.text) for made in found.values()) == 3
        assert [made.why for made in found.values() if made.why] == [WHY[wire][2]] * 7
        with pytest.raises((anthropic.BadRequestError, openai.ConflictError)):
            await api.cancel(batch)

    run(wire, scene, batch_latency=100)


@each_vendor
@pytest.mark.parametrize("demanded", [True, False])
def test_what_is_not_answered_in_its_window_expires(wire: str, demanded: bool) -> None:
    async def scene(server: Server, api: Any, clock: Clock) -> None:
        if demanded:
            server.queue("expired", verb="batch")
        batch = await api.submit(wave())
        clock.time += 86_400 * (2 if wire == "gemini" else 1) - 1
        assert (await api.look(batch)).state == WORDS[wire][0] or demanded is False
        clock.time += 1
        assert (await api.look(batch)).state == WORDS[wire][3]
        found = await api.results(batch)
        if wire == "gemini":
            assert not found
            return
        assert sum(bool(made.text) for made in found.values()) == 5
        assert [made.why for made in found.values() if made.why] == [WHY[wire][1]] * 5

    window = 86_400 * (2 if wire == "gemini" else 1)
    run(wire, scene, batch_latency=60 if demanded else 2 * window)


@each_vendor
def test_a_batch_can_fail_as_a_whole(wire: str) -> None:
    async def scene(server: Server, api: Any, clock: Clock) -> None:
        server.queue("failed", verb="batch")
        batch = await api.submit(wave(3))
        state = (await api.look(batch)).state
        assert state == {"anthropic": "ended", "gemini": "JOB_STATE_FAILED"}.get(wire, "failed")
        found = await api.results(batch)
        assert {made.why for made in found.values()} == ({"api_error"} if wire == "anthropic" else set())
        assert server.counts["answered"] == 0 and server.counts["faults"] == {"batch failed": 1}

    run(wire, scene)


@each_vendor
def test_parts_fail_at_their_rates_and_may_succeed_when_handed_in_again(wire: str) -> None:
    asked = wave(200)

    async def scene(server: Server, api: Any, clock: Clock) -> None:
        erred, expired, _ = WHY[wire]
        found = await api.results(await api.submit(asked))
        lost = [key for key, made in found.items() if made.why]
        whys = [found[key].why for key in lost]
        assert 30 < whys.count(erred) < 90 and 10 < whys.count(expired) < 60
        again = await api.results(await api.submit({key: asked[key] for key in lost}))
        assert 0 < sum(bool(made.text) for made in again.values()) < len(lost)
        counts = server.counts
        assert counts["answered_again"] == 0 and counts["asked_again"] == len(lost)
        assert counts["batches"]["ended"] == 2

    run(wire, scene, batch_errored=0.3, batch_expired=0.15)


@each_vendor
def test_one_part_can_be_made_to_fail(wire: str) -> None:
    async def scene(server: Server, api: Any, clock: Clock) -> None:
        server.queue("part_errored", "part_expired", "ok", verb="batch")
        made = [await api.results(await api.submit(wave(3))) for _ in range(3)]
        assert [found["part-0"].why for found in made] == [*WHY[wire][:2], ""]
        assert all(found["part-1"].text for found in made)

    run(wire, scene)


@each_vendor
def test_batches_are_listed_latest_first_and_in_pages(wire: str) -> None:
    async def scene(server: Server, api: Any, clock: Clock) -> None:
        assert await api.names(2) == []
        made = [await api.submit(wave(1)) for _ in range(5)]
        assert await api.names(2) == made[::-1]

    run(wire, scene)


def test_claudes_list_goes_both_ways() -> None:
    async def scene(server: Server, api: Any, clock: Clock) -> None:
        made = [await api.submit(wave(1)) for _ in range(5)]
        page = await api.api.list(before_id=made[0], limit=2)
        assert [batch.id for batch in page.data] == [made[2], made[1]] and page.has_more
        page = await page.get_next_page()
        assert [batch.id for batch in page.data] == [made[4], made[3]] and not page.has_more
        with pytest.raises(anthropic.BadRequestError):
            await api.api.list(after_id="msgbatch_none")

    run("anthropic", scene)


@each_vendor
def test_an_unknown_batch_is_not_found(wire: str) -> None:
    async def scene(server: Server, api: Any, clock: Clock) -> None:
        with pytest.raises((anthropic.NotFoundError, openai.NotFoundError, errors.ClientError)):
            await api.look("batches/none")

    run(wire, scene)


@pytest.mark.parametrize(
    ("requests", "complaint"),
    [
        ([], "at least 1 item"),
        (
            [{"custom_id": "a", "params": {}}, {"custom_id": "a", "params": {}}],
            "requests.1.custom_id: 'a' is",
        ),
        ([{"custom_id": "a.b", "params": {}}], "should match pattern"),
        ([{"custom_id": "a" * 65, "params": {}}], "should match pattern"),
        ([{"custom_id": "a"}], "requests.0.params: Field required"),
    ],
)
def test_claude_checks_the_ids_at_once(requests: list[Any], complaint: str) -> None:
    async def scene(server: Server, api: Any, clock: Clock) -> None:
        with pytest.raises(anthropic.BadRequestError, match=complaint):
            await api.api.create(requests=requests)
        assert server.counts["batches"]["created"] == 0

    run("anthropic", scene)


def test_claude_checks_the_bodies_later() -> None:
    async def scene(server: Server, api: Any, clock: Clock) -> None:
        good = api.body(wave(1)["part-0"])
        bodies = {"good": good, "seeded": good | {"seed": 1}, "endless": {"model": "m", "messages": []}}
        made = await api.api.create(requests=[{"custom_id": k, "params": v} for k, v in bodies.items()])
        found = await api.results(made.id)
        assert found["good"].text and found["seeded"].why == found["endless"].why == "invalid_request_error"

    run("anthropic", scene)


LINE = {"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {"model": "m", "input": "?"}}


@pytest.mark.parametrize(
    ("lines", "codes"),
    [
        ([], [("empty_file", None)]),
        (["{"], [("invalid_json_line", 1)]),
        ([LINE, LINE], [("duplicate_custom_id", 2)]),
        ([LINE, {**LINE, "custom_id": "b", "body": {"model": "n", "input": "?"}}], [("mismatched_model", 2)]),
        ([{**LINE, "url": "/v1/chat/completions"}], [("mismatched_endpoint", 1)]),
        ([LINE, {**LINE, "custom_id": "b", "method": "GET"}], [("invalid_method", 2)]),
        ([{**LINE, "custom_id": None}], [("missing_required_parameter", 1)]),
        ([{**LINE, "body": {}}], [("missing_required_parameter", 1)]),
    ],
)
def test_openai_fails_a_batch_for_its_lines(lines: list[Any], codes: list[tuple[str, int | None]]) -> None:
    async def scene(server: Server, api: Any, clock: Clock) -> None:
        batch = await api.start(await api.upload(lines))
        made = await api.api.retrieve(batch)
        assert (
            made.status == "failed" and made.failed_at and made.output_file_id is made.error_file_id is None
        )
        assert [(error.code, error.line) for error in made.errors.data] == codes
        assert server.counts["answered"] == server.counts["questions"] == 0

    run("openai", scene, batch_latency=100)


def test_openai_errs_for_a_body_alone() -> None:
    async def scene(server: Server, api: Any, clock: Clock) -> None:
        odd = {**LINE, "custom_id": "odd", "body": {"model": "m", "input": "?", "seed": 1}}
        batch = await api.start(await api.upload([LINE, odd]))
        assert (await api.look(batch)) == Look("completed", 1, 1, 2)
        found = await api.results(batch)
        assert found["a"].text and found["odd"].why == "invalid_request_error"
        usage = (await api.api.retrieve(batch)).usage
        assert usage.input_tokens > 0 and usage.total_tokens == usage.input_tokens + usage.output_tokens

    run("openai", scene)


def test_openai_refuses_what_is_no_batch() -> None:
    async def scene(server: Server, api: Any, clock: Clock) -> None:
        file = await api.upload([LINE])
        orders = (
            {"input_file_id": "file-none", "endpoint": "/v1/responses", "completion_window": "24h"},
            {"input_file_id": file, "endpoint": "/v1/embeddings", "completion_window": "24h"},
            {"input_file_id": file, "endpoint": "/v1/responses", "completion_window": "1h"},
            {
                "input_file_id": file,
                "endpoint": "/v1/responses",
                "completion_window": "24h",
                "metadata": {"a": "b" * 513},
            },
        )
        for order in orders:
            with pytest.raises((openai.BadRequestError, openai.NotFoundError)):
                await api.api.create(**order)
        with pytest.raises(openai.BadRequestError, match="purpose"):
            await api.client.files.create(file=b"{}", purpose="vision")
        assert (await api.client.files.retrieve(file)).filename == "wave.jsonl"

    run("openai", scene)


@each_vendor
def test_each_call_of_a_batchs_life_can_fail_to_order(wire: str) -> None:
    broken = (anthropic.APIError, openai.APIError, errors.APIError, Exception)

    async def scene(server: Server, api: Any, clock: Clock) -> None:
        for fault in ("529", "cut", "garbled"):
            server.queue(fault, verb="create")
            with pytest.raises(broken):
                await api.submit(wave(2))
        made = server.counts["batches"]["created"]
        server.queue("half", verb="create")
        with pytest.raises(broken):
            await api.submit(wave(2))
        assert server.counts["batches"]["created"] == made + 1, "its answer was lost, the batch was not"
        (batch, *_) = await api.names(9)
        server.queue("503", verb="poll")
        with pytest.raises(broken):
            await api.look(batch)
        if wire != "gemini":
            server.queue("half", verb="results")
            with pytest.raises(broken):
                await api.results(batch)
        assert len(await api.results(batch)) == 2
        assert server.counts["faults"]["create half"] == server.counts["faults"]["poll 503"] == 1

    run(wire, scene)


def test_the_clock_is_put_forward_and_batches_are_ended_by_order() -> None:
    async def stage() -> None:
        async with (
            serve(behaviour=Behaviour.of("greedy", batch_latency=3600)) as server,
            by_sdk("openai", server.url) as api,
        ):
            control = f"{server.url}/_control"
            batch = await api.submit(wave(2))
            await post(control, {"advance": 1800})
            assert (await api.look(batch)).state == "in_progress"
            await post(control, {"finish": True})
            assert await api.look(batch) == Look("completed", 2, 0, 2)
            await post(control, {"faults": {"batch": ["expired"]}})
            batch = await api.submit(wave(2))
            _, counts, _ = await post(control, {"finish": True})
            assert counts["batches"]["ended"] == 2
            assert (await api.look(batch)).state == "expired"
            for wrong in (
                {"faults": {"batch": ["cut"]}},
                {"faults": {"create": ["prose"]}},
                {"faults": {"x": []}},
            ):
                status, complaint, _ = await post(control, wrong)
                assert status == 400 and "there are: " in complaint["error"]
            assert "failed" in BATCH_FAULTS

    asyncio.run(stage())


def test_how_long_a_batch_takes_is_spread() -> None:
    mind = StandIn(Behaviour.of("greedy", batch_latency=600, batch_spread=0.5))
    taken = [mind.batch_seconds(str(i)) for i in range(2000)]
    assert abs(sum(taken) / len(taken) - 600) < 40 and max(taken) > 1500 and min(taken) < 200
