"""The batch verbs, decisions and limits of the three services before the stand-in: whole lives, and faults to order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

import providers
from prompts import Choice, parse, render
from providers.base import Final, Message, ProviderError, Reply, Request, Retryable
from providers.simulated import Behaviour
from providers.stand_in import Limits, Server, serve
from tests.prompts.positions import view_of
from tests.providers.simulated_questions import question

MODELS = {"anthropic": "claude-sonnet-5-5", "openai": "gpt-6-luna", "google": "gemini-3.8-flash"}
DECIDES = {"openai": "gpt-6-luna", "google": "gemini-decision-1"}
DAY = 86_400.0
NOW = 1_800_000_000.0
Scene = Callable[[Server, Any], Awaitable[None]]

each_vendor = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for vendor in ("ANTHROPIC", "OPENAI", "GEMINI"):
        monkeypatch.setenv(f"{vendor}_API_KEY", "sk-planted-0123456789abcdef")


def run(name: str, scene: Scene, limits: Limits | None = None, **options: str | float) -> None:
    """Play a scene before a server whose clock stands still until it is put forward."""

    async def stage() -> None:
        behaviour = Behaviour.of("greedy", **options)
        async with serve(behaviour=behaviour, clock=lambda: NOW, limits=limits or Limits()) as server:
            provider = providers.create(name, base_url=server.url)
            try:
                await scene(server, provider)
            finally:
                await provider.aclose()

    asyncio.run(stage())


def wave(name: str, count: int = 6) -> dict[str, Request]:
    asked = {f"r1-m{i}-1.1.1": question("a1", note=f"Note {i}.", tier="batch") for i in range(count)}
    return {id_: replace(request, model=MODELS[name]) for id_, request in asked.items()}


async def collected(provider: Any, batch: str) -> dict[str, Any]:
    return {id_: part async for id_, part in provider.results(batch)}


@each_vendor
def test_a_batch_lives_and_gives_what_is_given_online(name: str) -> None:
    async def scene(server: Server, provider: Any) -> None:
        asked = wave(name)
        batch = await provider.submit("r1-w1", asked)
        assert not (await provider.poll(batch)).ended
        server.advance(100)
        status = await provider.poll(batch)
        assert (status.ended, status.total, status.done, status.failed) == (True, 6, 6, 0)
        found = await collected(provider, batch)
        assert set(found) == set(asked)
        for id_, request in asked.items():
            online = await provider.complete(replace(request, tier="standard"))
            assert (found[id_].text, found[id_].finish) == (online.text, online.finish)
            assert found[id_].usage == replace(online.usage, tier="batch")
            sent, alone = json.loads(found[id_].raw_request), json.loads(online.raw_request)
            alone.pop("service_tier", None) if name == "openai" else None
            assert sent == alone

    run(name, scene, seed=4, batch_latency=100)


@each_vendor
def test_a_submission_whose_answer_was_lost_is_found_and_not_paid_twice(name: str) -> None:
    async def scene(server: Server, provider: Any) -> None:
        asked = wave(name)
        assert await provider.find("r1-w1", NOW, list(asked)) is None
        for fault, made in (("529", False), ("half", True)):
            server.queue(fault, verb="create")
            with pytest.raises(Retryable) as caught:
                await provider.submit("r1-w1", asked)
            assert caught.value.possibly_billed is made
            assert caught.value.raw_request == ""
            assert (await provider.find("r1-w1", NOW, list(asked)) is not None) is made
        assert server.counts["batches"]["created"] == 1
        later = providers.create(name, base_url=server.url)  # another process, which remembers nothing
        batch = await later.find("r1-w1", NOW, list(asked))
        server.finish()
        assert await later.find("r1-w1", NOW, list(asked)) == batch
        found = await collected(later, batch)
        await later.aclose()
        assert {id_ for id_, part in found.items() if isinstance(part, Reply)} == set(asked)

    run(name, scene, batch_latency=100)


@each_vendor
@pytest.mark.parametrize("fault", ["failed", "expired", "part_errored", "part_expired"])
def test_whatever_befalls_a_batch_each_of_its_requests_comes_to_something(name: str, fault: str) -> None:
    async def scene(server: Server, provider: Any) -> None:
        server.queue(fault, verb="batch")
        asked = wave(name)
        batch = await provider.submit("r1-w1", asked)
        server.advance(2 * DAY)
        assert (await provider.poll(batch)).ended
        found = await collected(provider, batch)
        assert set(found) == set(asked)
        errors = [part for part in found.values() if isinstance(part, ProviderError)]
        assert errors
        assert not any(getattr(error, "possibly_billed", False) for error in errors)
        assert all(error.raw_request for error in errors)
        if fault in ("part_errored", "part_expired"):
            assert len(errors) == 1
        if fault != "failed":
            assert all(type(error) is Retryable for error in errors)

    run(name, scene, batch_latency=60)


@each_vendor
def test_a_cancelled_batch_ends(name: str) -> None:
    async def scene(server: Server, provider: Any) -> None:
        asked = wave(name)
        batch = await provider.submit("r1-w1", asked)
        server.advance(35)
        await provider.cancel(batch)
        server.advance(DAY)
        assert (await provider.poll(batch)).ended
        found = await collected(provider, batch)
        assert set(found) == set(asked)
        assert {part.kind for part in found.values() if isinstance(part, ProviderError)} == {"overloaded"}

    run(name, scene, batch_latency=100)


@each_vendor
@pytest.mark.parametrize("fault", ["503", "garbled", "half"])  # aiohttp repeats a cut GET by itself
def test_a_poll_that_fails_can_be_made_again(name: str, fault: str) -> None:
    async def scene(server: Server, provider: Any) -> None:
        batch = await provider.submit("r1-w1", wave(name, 2))
        server.queue(fault, verb="poll")
        with pytest.raises(Retryable) as caught:
            await provider.poll(batch)
        assert not caught.value.possibly_billed
        server.finish()
        assert (await provider.poll(batch)).done == 2
        assert len(await collected(provider, batch)) == 2

    run(name, scene)


def test_a_batch_is_found_behind_many_pages() -> None:
    async def scene(server: Server, provider: Any) -> None:
        wanted = await provider.submit("r1-w0", wave("google", 1))
        for number in range(120):
            await provider.submit(f"r1-w{number + 1}", wave("google", 1))
        assert await provider.find("r1-w0", NOW, []) == wanted

    run("google", scene)


@pytest.mark.parametrize("name", DECIDES)
def test_a_position_is_decided(name: str) -> None:
    async def scene(server: Server, provider: Any) -> None:
        view = view_of("ttt")
        asked = render(view, form="decision")
        reply = await provider.complete(
            Request(
                DECIDES[name],
                asked.system,
                (Message("user", asked.user),),
                choices=asked.choices,
                mode="decision",
            )
        )
        read = parse(reply, view, "open")
        assert isinstance(read, Choice) and read.probabilities is not None
        assert sum(read.probabilities.values()) == pytest.approx(1)
        assert read.probabilities.keys() == {action.id for action in view.legal}
        assert reply.usage.tier == "decision" and reply.usage.input > 0

    run(name, scene)


@each_vendor
def test_limits_are_told(name: str) -> None:
    async def scene(server: Server, provider: Any) -> None:
        request = replace(question(), model=MODELS[name])
        reply = await provider.complete(request)
        with pytest.raises(Retryable) as caught:
            for _ in range(3):
                await provider.complete(request)
        assert caught.value.kind == "rate_limit" and caught.value.retry_after_s
        if name == "google":
            assert reply.allowance is caught.value.allowance is None
            return
        assert reply.allowance.requests_limit == 2
        assert (reply.allowance.requests_left, caught.value.allowance.requests_left) == (1, 0)
        assert reply.allowance.requests_reset_s is not None

    run(name, scene, Limits(rpm=2))


@each_vendor
def test_a_prompt_is_counted_for_nothing(name: str) -> None:
    async def scene(server: Server, provider: Any) -> None:
        request = replace(question(), model=MODELS[name])
        counted = await provider.count_tokens(request)
        assert counted > 10
        assert server.counts["questions"] == 0

    run(name, scene)


@each_vendor
def test_a_model_that_is_not_there_is_told_apart_from_a_batch(name: str) -> None:
    async def scene(server: Server, provider: Any) -> None:
        server.queue("404", verb="create")
        with pytest.raises(Final) as caught:
            await provider.submit("r1-w1", wave(name, 1))
        assert caught.value.kind == "unknown_model"
        with pytest.raises(Final) as caught:
            await provider.poll("batches/none" if name == "google" else "none")
        assert caught.value.kind == "bad_request"

    run(name, scene)
