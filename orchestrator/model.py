"""A language model at the table: asked, read, asked again with the reason; then the declared policy decides.

Every attempt is announced before it leaves, with the most it can cost, and told when it comes back, with what it
did. What was answered before an interruption is taken from the record and not asked again.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import prompts
from engine import View
from orchestrator.lines import Direct, Line
from orchestrator.players import CallMade, Decision, Halt, Seated, Turn, Void
from prompts import Choice, Form, Question, Track, Unreadable
from providers.base import (
    Capabilities,
    Effort,
    Final,
    Message,
    Mode,
    Provider,
    ProviderError,
    Reply,
    Request,
    Retryable,
)
from providers.prices import cost, most
from providers.retry import Attempt, Leaves, RetryPolicy
from providers.retry import complete as complete_with_retry
from providers.wire import CHOICES

EFFORTS = get_args(Effort)
MODES = ("auto", "json", "text", "decision")
READY = Question("", "Answer with one word: ready", {}, ((1, "ready"), (2, "not ready")), "")
READY_TOKENS = 1024  # room for a model that cannot help thinking first


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a model is asked, and what follows when it does not answer with a legal move."""

    style: str = "default"
    track: Track = "open"
    mode: Literal["auto", "json", "text", "decision"] = "auto"  # in which form a model answers
    reasks: int = 2
    fallback: Literal["forfeit", "random"] = "forfeit"
    effort: Effort | None = None
    temperature: float | None = None
    max_tokens: int = 4096
    timeout: float = 120.0
    tier: str = "standard"
    forecast: bool = False  # whether a model is also asked which score it expects

    def __post_init__(self) -> None:
        """Raises ValueError with what was got and what was expected."""
        right = {
            "style": (self.style in prompts.styles(), f"one of {', '.join(prompts.styles())}"),
            "track": (self.track in get_args(Track), "open or rules"),
            "mode": (self.mode in MODES, f"one of {', '.join(MODES)}"),
            "reasks": (0 <= self.reasks <= 99, "0 to 99"),
            "fallback": (self.fallback in ("forfeit", "random"), "forfeit or random"),
            "effort": (self.effort in (None, *EFFORTS), f"one of {', '.join(EFFORTS)}"),
            "temperature": (self.temperature is None or 0 <= self.temperature <= 2, "0 to 2"),
            "max_tokens": (16 <= self.max_tokens <= 1_000_000, "16 to 1000000"),
            "timeout": (0 < self.timeout <= 86_400, "seconds, more than 0"),
            "forecast": (isinstance(self.forecast, bool), "yes or no"),
        }
        for name, (is_right, expected) in right.items():
            if not is_right:
                raise ValueError(f"{name}={getattr(self, name)}: expected {expected}")


class ModelPlayer:
    def __init__(self, seated: Seated, provider: Provider, conduct: Conduct, retry: RetryPolicy) -> None:
        self.seated = seated
        self.provider = provider
        self.line: Line = Direct(provider)
        self.conduct = conduct
        self.retry = retry
        self.can = provider.capabilities(seated.model)
        self.mode = answer_mode(conduct, self.can)

    def in_batches(self, line: Line) -> None:
        """Ask over a line of a batch's waves: the next wave is wait enough, and a wave may take a day."""
        self.line = line
        self.retry = replace(self.retry, total_s=math.inf, first_s=0.0, longest_s=0.0)

    async def choose(self, view: View, turn: Turn) -> Decision:
        if self.mode == "decision" and len(view.legal) == 1:  # no service is asked to choose from one
            return Decision(view.legal[0].id, "ok", self.mode, probabilities={view.legal[0].id: 1.0})
        question = self._question(view)
        if turn.relabelled:
            question = prompts.relabelled(question, view)
        talk = Conversation(question, self.conduct)
        made = Decision(None, "ok", self.mode, question=question)
        while True:
            reply = await self._answer(talk, made, turn)
            read = prompts.parse(reply, view, self.conduct.track, forecast=self.conduct.forecast)
            made.rationale = read.rationale
            made.reasoning, made.reasoning_kind = reply.reasoning, reply.reasoning_kind
            if isinstance(read, Choice):
                return self._decided(made, read, talk)
            if not talk.ask_again(read, reply):
                return self._at_a_loss(made, read, reply, talk, view, turn)

    async def ready(self, turn: Turn) -> None:
        """One tiny call, so that a wrong key or name is found before the first match. Raises Halt, Void."""
        talk = Conversation(
            READY, replace(self.conduct, max_tokens=min(READY_TOKENS, self.conduct.max_tokens))
        )
        await self._call(talk, turn)

    def _question(self, view: View) -> Question:
        conduct = self.conduct
        form = question_form(conduct, self.mode)
        if form == "decision" and len(view.legal) > CHOICES[1]:
            raise Halt(
                f"{self.seated.label}: {len(view.legal)} legal moves, and a native decision is between at most "
                f"{CHOICES[1]}: play {view.game} with mode=json"
            )
        return prompts.render(view, conduct.style, conduct.track, form=form)

    async def _answer(self, talk: Conversation, made: Decision, turn: Turn) -> Reply:
        """The answer to the present ask: from the record if it was paid for, else from the service."""
        reply = turn.answered.get(talk.asks)
        if reply is None:
            reply = await self._call(talk, turn)
        made.latency_s += reply.latency_s
        made.cost_pico += self._cost(reply)
        talk.asks, talk.tried = talk.asks + 1, 0
        return reply

    async def _call(self, talk: Conversation, turn: Turn) -> Reply:
        request = self._request(talk, turn.seed)
        ask, tried = talk.asks, talk.tried  # of a request that was put otherwise before, too
        before = turn.attempts.get(ask, 0) + tried
        worst = self._most(request)

        def made(number: int, started_unix: float, *bill: Any) -> CallMade:
            return CallMade(turn.id, ask, number + before, started_unix, *bill)

        async def send(request: Request, number: int, leaves: Leaves) -> Reply:
            turn.stop.check()
            talk.tried = tried + number
            call = made(number, time.time(), worst, True, self.seated.price is not None)
            await turn.reserve(call)
            return await self.line.send(call.id, request, leaves)

        async def leaving(number: int, started_unix: float) -> None:
            await turn.on_leave(made(number, started_unix, worst, True, self.seated.price is not None))

        def back(attempt: Attempt) -> None:
            bill = self.bill(attempt.reply or attempt.error, worst)
            turn.on_call(made(attempt.number, attempt.started_unix, *bill, attempt))

        try:
            return await complete_with_retry(
                send,
                request,
                policy=self.retry,
                on_start=leaving,
                on_attempt=back,
                sleep=turn.stop.sleep,
            )
        except Retryable as error:
            if error.too_long_wait:
                raise Halt(
                    f"{self.seated.label}: {error.kind}: the service asks to come back in {error.retry_after_s:.0f} s"
                ) from error
            raise Void(f"{self.seated.label}: {error.kind}: {error.message}") from error
        except Final as error:
            if error.kind == "too_long" and not talk.shorten():
                raise Void(f"{self.seated.label}: the prompt is too long for the model") from error
            if error.kind != "too_long" and not (error.kind == "bad_request" and talk.make_do()):
                raise Halt(f"{self.seated.label}: {error.kind}: {error.message}") from error
        return await self._call(talk, turn)

    def _request(self, talk: Conversation, seed: int) -> Request:
        conduct, question = self.conduct, talk.question
        return Request(
            model=self.seated.model,
            system=question.system,
            messages=talk.messages,
            schema=question.schema if self.mode == "json" and question.schema else None,
            choices=question.choices or None,
            mode="text" if question is READY and self.mode == "json" else self.mode,
            effort=conduct.effort,
            max_output_tokens=talk.max_tokens,
            temperature=conduct.temperature,
            seed=(seed + talk.asks) & 0x7FFFFFFF if self.can.seed else None,  # the same would refuse again
            cache_key=talk.cache_key,
            timeout_s=conduct.timeout,
            tier=conduct.tier,
        )

    # ── money ────────────────────────────────────────────────────────────────────────────────────

    def bill(self, outcome: Reply | ProviderError | None, worst_pico: int) -> tuple[int, bool, bool]:
        """What an attempt cost; whether that is only possible; whether anybody knows.

        Of an answer whose price is not known the worst stays on the bill, or a wall would forget it.
        """
        if isinstance(outcome, Reply):
            priced = self._is_priced(outcome)
            return (self._cost(outcome) if priced else worst_pico), not priced and worst_pico > 0, priced
        possibly = isinstance(outcome, Retryable) and outcome.possibly_billed
        return (worst_pico if possibly else 0), possibly, self.seated.price is not None

    def _cost(self, reply: Reply) -> int:
        return cost(self.seated.price, reply.usage) if self.seated.price and self._is_priced(reply) else 0

    def _is_priced(self, reply: Reply) -> bool:
        """A service may serve, and bill, another tier than the one asked for: we then do not know the price."""
        return self.seated.price is not None and reply.usage.tier == self.seated.price.tier

    def _most(self, request: Request) -> int:
        """What an attempt that never came back may have cost: the dearest prompt and the longest answer."""
        if self.seated.price is None:
            return 0
        texts = [request.system, *(message.content for message in request.messages)]
        if request.mode == "decision":
            texts += [
                f'{{"value":"{number}","description":"{text}"}},' for number, text in request.choices or ()
            ]
        if request.schema is not None:
            texts.append(json.dumps(request.schema))
        size = sum(len(text.encode("utf-8", "replace")) for text in texts)
        return most(self.seated.price, size, request.max_output_tokens)

    # ── what comes of it ─────────────────────────────────────────────────────────────────────────

    def _decided(self, made: Decision, read: Choice, talk: Conversation) -> Decision:
        made.action, made.outcome = read.action, "ok" if talk.asks == 1 else "reasked"
        made.forecast, made.probabilities, made.illegal = read.forecast, read.probabilities, talk.wrong
        return made

    def _at_a_loss(
        self, made: Decision, read: Unreadable, reply: Reply, talk: Conversation, view: View, turn: Turn
    ) -> Decision:
        """No legal move after all asks: the declared policy decides."""
        made.fault, made.illegal = read.kind, talk.wrong
        if read.kind == "refusal" and reply.finish_detail:
            made.fault += f": {reply.finish_detail}"
        if self.conduct.fallback == "random":
            made.action, made.outcome = view.legal[turn.rng.below(len(view.legal))].id, "fallback"
        else:
            made.outcome = "forfeit"
        return made


def answer_mode(conduct: Conduct, can: Capabilities) -> Mode:
    """The form in which a model answers: the one asked for, else the strictest that it has."""
    if conduct.mode != "auto":
        return conduct.mode
    return "json" if can.json_schema else "decision" if can.decision else "text"


def question_form(conduct: Conduct, mode: str) -> Form:
    """The form of the question that goes with the form of the answer."""
    if mode == "decision":
        return "decision"
    return "forecast" if conduct.forecast else "json"


class Conversation:
    """The asks of one decision: what is sent next, and whether there is a next."""

    def __init__(self, question: Question, conduct: Conduct) -> None:
        self.question = question
        self.asks = 0  # answered so far
        self.tried = 0  # attempts of the present one
        self.wrong = 0
        self.max_tokens = self._room = conduct.max_tokens
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

    def make_do(self) -> bool:
        """Go back from double room, where a model has none, and ask for a shorter answer; False: it was not double."""
        if self.max_tokens == self._room:
            return False
        self.max_tokens = self._room
        self.messages = self._with_reason(
            "", "Your last answer was cut off at the limit of its length. Be brief."
        )
        return True

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
