"""Whoever sits down: models, bots and people (`table.py` makes them from their specs).

A player is given a view (only what its seat may know) and gives back a decision. What a model costs,
how often it is asked again and what happens when it cannot find a legal move is settled here; the
match loop sees none of it. Trouble between us and a service is never a player's fault: it leaves as
`Void` (replay the match) or `Halt` (stop the run).
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import prompts
from engine import Bot, Rng, View
from orchestrator.record.store import price_id
from prompts import Choice, Question, Track, Unreadable
from providers.base import Final, Message, Provider, Reply, Request, Retryable, Usage
from providers.prices import Price, cost
from providers.retry import Attempt, RetryPolicy
from providers.retry import complete as complete_with_retry

Outcome = Literal["ok", "reasked", "fallback", "forfeit"]
Fault = Literal["forfeit", "random"]

AskHuman = Callable[[View], int | None]
"""Shows a view to a person and returns the action chosen, or None to resign."""


class Void(Exception):
    """Nobody's fault: the match does not count and is replayed."""


class Halt(Exception):
    """The run cannot go on (a wrong key, no money, no such model): stop at once, resumable."""


class Turn(NamedTuple):
    """What a player needs besides the view: its own chance, and the calls that this decision already had."""

    id: str
    rng: Rng
    seed: int = 0  # of this decision alone, for services that take one
    answered: Mapping[int, Reply] = {}  # by ask number: asked before an interruption, never asked again
    attempts: Mapping[int, int] = {}
    on_call: Callable[[CallMade], None] = lambda call: None


@dataclass(frozen=True, slots=True)
class CallMade:
    """One HTTP attempt, and what it cost: told when it leaves (`attempt` is None) and again when it is back.

    Until it is back, and if it fails after it may have been charged, it counts as possibly billed, at the
    price of its prompt.
    """

    decision: str
    ask: int
    number: int
    started_unix: float
    cost_pico: int
    possibly_billed: bool
    attempt: Attempt | None = None

    @property
    def usage(self) -> Usage:
        return self.attempt.reply.usage if self.attempt and self.attempt.reply else Usage()


@dataclass(slots=True)
class Decision:
    """One choice; `action` is None where the player forfeits, and `fault` then says why."""

    action: int | None
    outcome: Outcome
    mode: str
    fault: str = ""
    illegal: int = 0
    rationale: str = ""
    reasoning: str = ""
    reasoning_kind: str = "none"
    forecast: float | None = None
    probabilities: Mapping[int, float] | None = None
    question: Question | None = None
    latency_s: float = 0.0
    cost_pico: int = 0


class Player(Protocol):
    """Everyone who moves: two members, and what the record keeps of it."""

    seated: Seated

    async def choose(self, view: View, turn: Turn) -> Decision: ...


@dataclass(frozen=True, slots=True)
class Seated:
    """Who a player is, as the record names it."""

    spec: str
    label: str
    kind: str
    provider: str = ""
    model: str = ""
    style: str = ""
    track: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    price: Price | None = None

    @property
    def price_id(self) -> str:
        """Names the numbers this player is billed by; empty where there are none."""
        return price_id(self.provider, self.model, self.price) if self.price else ""


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a model is asked, and what follows when it does not answer with a legal move."""

    style: str = "default"
    track: Track = "open"
    reasks: int = 2
    fallback: Fault = "forfeit"
    effort: str | None = None
    temperature: float | None = None
    max_tokens: int = 4096
    timeout: float = 120.0
    tier: str = "standard"


class BotPlayer:
    """A bot of the engine. It is given a clone in which what its seat cannot know is drawn anew."""

    def __init__(self, seated: Seated, bot: Bot) -> None:
        self.seated = seated
        self.bot = bot

    async def choose(self, view: View, turn: Turn) -> Decision:
        await asyncio.sleep(0)  # a long match between bots must not starve the others
        action = int(self.bot.choose(view.sample(turn.rng), turn.rng))
        return Decision(action, "ok", "bot")


class HumanPlayer:
    """Somebody at a terminal; `ask` blocks until they have chosen."""

    def __init__(self, seated: Seated, ask: AskHuman) -> None:
        self.seated = seated
        self.ask = ask

    async def choose(self, view: View, turn: Turn) -> Decision:
        action = await _in_thread(lambda: self.ask(view))
        if action is None:
            return Decision(None, "forfeit", "human", fault="resigned")
        return Decision(action, "ok", "human")


async def _in_thread(ask: Callable[[], int | None]) -> int | None:
    """Like asyncio.to_thread, but a thread that still waits for a person does not keep the program alive."""
    answer: Future[int | None] = Future()
    answer.set_running_or_notify_cancel()

    def work() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return await asyncio.wrap_future(answer)


class ModelPlayer:
    """A language model behind a provider: asked, read, asked again with the reason, then the policy."""

    def __init__(self, seated: Seated, provider: Provider, conduct: Conduct, retry: RetryPolicy) -> None:
        self.seated = seated
        self.provider = provider
        self.conduct = conduct
        self.retry = retry
        self._can = provider.capabilities(seated.model)

    async def choose(self, view: View, turn: Turn) -> Decision:
        question = prompts.render(view, self.conduct.style, self.conduct.track)
        thread = Thread(question, self.conduct)
        made = Decision(None, "ok", "json" if self._can.json_schema else "text", question=question)
        while True:
            reply = await self._answer(thread, made, turn)
            read = prompts.parse(reply, view, self.conduct.track)
            made.rationale, made.reasoning, made.reasoning_kind = (
                read.rationale,
                reply.reasoning,
                reply.reasoning_kind,
            )
            if isinstance(read, Choice):
                return _decided(made, read, thread)
            if not thread.ask_again(read, reply):
                return self._at_a_loss(made, read, reply, thread, view, turn)

    async def _answer(self, thread: Thread, made: Decision, turn: Turn) -> Reply:
        """The answer to the present ask: from the record if it was paid for, else from the service."""
        reply = turn.answered.get(thread.asks)
        if reply is None:
            reply = await self._call(thread, turn)
        made.latency_s += reply.latency_s
        made.cost_pico += self._cost(reply)
        thread.asks, thread.tried = thread.asks + 1, 0
        return reply

    async def _call(self, thread: Thread, turn: Turn) -> Reply:
        request = self._request(thread, turn.seed)
        before = turn.attempts.get(thread.asks, 0) + thread.tried

        def sent(number: int, started: float) -> None:
            thread.tried = number
            lost = self._prompt_cost(request)
            turn.on_call(CallMade(turn.id, thread.asks, number + before, started, lost, True))

        def back(attempt: Attempt) -> None:
            cost, possibly = self._bill(attempt, request)
            number, started = attempt.number + before, attempt.started_unix
            turn.on_call(CallMade(turn.id, thread.asks, number, started, cost, possibly, attempt))

        try:
            return await complete_with_retry(
                self.provider, request, policy=self.retry, on_start=sent, on_attempt=back
            )
        except Retryable as error:
            raise Void(f"{self.seated.label}: {error.kind}: {error.message}") from error
        except Final as error:
            if error.kind != "too_long":
                raise Halt(f"{self.seated.label}: {error.kind}: {error.message}") from error
            if not thread.shorten():
                raise Void(f"{self.seated.label}: the prompt is too long for the model") from error
        return await self._call(thread, turn)

    def _request(self, thread: Thread, seed: int) -> Request:
        conduct, question = self.conduct, thread.question
        return Request(
            model=self.seated.model,
            system=question.system,
            messages=thread.messages,
            schema=question.schema if self._can.json_schema else None,
            choices=question.choices or None,
            mode="json" if self._can.json_schema else "text",
            effort=conduct.effort,  # type: ignore[arg-type]  # checked when the player was made
            max_output_tokens=thread.max_tokens,
            temperature=conduct.temperature,
            seed=seed if self._can.seed else None,
            cache_key=thread.cache_key,
            timeout_s=conduct.timeout,
            tier=conduct.tier,
        )

    def _bill(self, attempt: Attempt, request: Request) -> tuple[int, bool]:
        """What an attempt cost, and whether that is only possible: it failed, but may have been charged."""
        if attempt.reply is not None:
            return self._cost(attempt.reply), False
        possibly = isinstance(attempt.error, Retryable) and attempt.error.possibly_billed
        return (self._prompt_cost(request) if possibly else 0), possibly

    def _cost(self, reply: Reply) -> int:
        return cost(self.seated.price, reply.usage) if self.seated.price else 0

    def _prompt_cost(self, request: Request) -> int:
        """What a lost attempt may have cost: its prompt, at three characters a token, uncached."""
        if self.seated.price is None:
            return 0
        characters = len(request.system) + sum(len(message.content) for message in request.messages)
        return self.seated.price.input * (characters // 3 + 1)

    def _at_a_loss(
        self, made: Decision, read: Unreadable, reply: Reply, thread: Thread, view: View, turn: Turn
    ) -> Decision:
        """No legal move after all asks: the declared policy decides."""
        made.illegal = thread.wrong
        made.fault = read.kind
        if read.kind == "refusal" and reply.finish_detail:
            made.fault += f": {reply.finish_detail}"
        if self.conduct.fallback == "random":
            made.action = view.legal[turn.rng.below(len(view.legal))].id
            made.outcome = "fallback"
        else:
            made.outcome = "forfeit"
        return made


class Thread:
    """The asks of one decision: what is sent next, and whether there is a next."""

    def __init__(self, question: Question, conduct: Conduct) -> None:
        self.question = question
        self.asks = 0
        self.tried = 0  # attempts of the present ask
        self.wrong = 0
        self.max_tokens = conduct.max_tokens
        self.messages: tuple[Message, ...] = (Message("user", question.user),)
        self.cache_key = "duelist-" + hashlib.blake2b(question.system.encode(), digest_size=8).hexdigest()
        self._reasks = conduct.reasks
        self._refused = False
        self._truncated = False

    def ask_again(self, read: Unreadable, reply: Reply) -> bool:
        """A refusal is put once more unchanged, a cut answer with double room; else the reason is given."""
        if read.kind == "refusal":
            again, self._refused = not self._refused, True
            return again
        if read.kind == "truncated" and not self._truncated:
            self._truncated = True
            self.max_tokens *= 2
            return True
        self.wrong += 1
        self.messages = self._with_reason(reply.text, read.message)
        return self.wrong <= self._reasks

    def shorten(self) -> bool:
        """Leave out what was said before, for a model that finds the prompt too long; False: nothing was."""
        shortened = (Message("user", self.question.user),)
        changed, self.messages = self.messages != shortened, shortened
        return changed

    def _with_reason(self, said: str, reason: str) -> tuple[Message, ...]:
        """Only the last wrong answer is kept, so that the prompt cannot grow without end."""
        user = self.question.user
        if not said.strip():
            return (Message("user", f"{user}\n\n{reason}"),)  # services refuse an empty turn
        return (Message("user", user), Message("assistant", said), Message("user", reason))


def _decided(made: Decision, choice: Choice, thread: Thread) -> Decision:
    made.action = choice.action
    made.outcome = "reasked" if thread.wrong else "ok"
    made.illegal = thread.wrong
    made.forecast, made.probabilities = choice.forecast, choice.probabilities
    return made
