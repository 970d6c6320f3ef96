"""A stand-in for a language model that everyone can run: `sim:greedy?latency=0.2&illegal=0.1`.

It sees what a model sees, text, and answers as a model does, in words and JSON: it reads the moves so far
out of the prompt, rebuilds the position, asks a bot of the chosen strength and writes the bot's move into
the form that the schema asks for. Where it cannot rebuild the position (an unknown game, hidden cards) it
picks one of the moves that the prompt lists, whatever its strength; where none is listed either (the track
`rules`) it says so and names no move.
How slowly, how wordily, how wrongly and how unreliably it does so is its `Behaviour`.

An answer is a function of the seeds and of the request's content, so a duel gives the same answers in any
order, at any concurrency and after a restart. Only transport faults also look at how often the very same
request was seen, so that another attempt can succeed. It never pretends: its words, its thinking and the
model that it reports all say "simulated".

Left out: sampling (a temperature is refused) and memory of earlier requests.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import exp, isfinite
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import parse_qsl

from providers import batches, wire
from providers.base import (
    BatchLimits,
    BatchStatus,
    Capabilities,
    Final,
    ProviderError,
    Reply,
    Request,
    Retryable,
    Usage,
)
from providers.outlook import FORECASTERS, Outlook
from providers.reasons import reason

if TYPE_CHECKING:
    from engine import Game

# How an answer can be wrong, and how it can fail to arrive: each is a rate between 0 and 1.
WRONG = ("illegal", "malformed", "truncated", "refused", "prose", "ambiguous", "empty")
FAULTS = ("429", "529", "500", "cut", "hang")
BATCH_FAULTS = ("batch_errored", "batch_expired")  # how a part of a batch can come to nothing

CHARS_PER_TOKEN = 3  # board text measures 3.2 characters per token with a public tokenizer
# Tokens of the shortest prompt that OpenAI caches at all, and Claude but for its smallest models: a rehearsal
# must not promise the discount to the short prompts of most games.
CACHED_FROM = 1024

_EFFORT = {"none": 0.0, "minimal": 0.25, "low": 0.5, "medium": 1.0, "high": 2.0, "xhigh": 3.0, "max": 4.0}
_FILLER = "these words only take the room that the thoughts of a model would take, "
_NORMAL = NormalDist()
_LEAD = 3.0  # by which the chosen move's logit exceeds that of others, before up to 1 of chance

_GAME = re.compile(r"^Game: *(\S+)[ \t]*$", re.MULTILINE)
_VARIANT = re.compile(r"^Variant: *(.+)$", re.MULTILINE)
_MOVES = re.compile(r"^Moves so far: *(.*)$", re.MULTILINE)
# Numbers at the end of the heading's own line, or a line for each: its number and notation, or one for both.
_LEGAL = re.compile(r"^Legal moves.*?((?: \d+)*) *$\n?((?:\d+(?:: .+)?(?:\n|\Z))*)", re.MULTILINE)
_LEGAL_LINE = re.compile(r"^(\d+)(?:: (.+))?$", re.MULTILINE)
_SEAT = re.compile(r"^P\d+:")  # names the mover where the order of the moves does not tell

Rates = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the stand-in plays and misbehaves. Made by `of` (options by name) or `parse` (a spec's tail).

    latency      mean seconds to an answer
    spread       sigma of the latency's lognormal distribution; 0 makes it constant
    tokens       mean thinking tokens at medium effort, evenly between half and one and a half times that
    tokens_spread   sigma of their lognormal distribution in place of the even one: some answers think very long
    words        words of rationale beyond the sentence that names the move
    first        rate of answers that name the first legal move, wherever it stands on the board
    cache        count the system prompt as written to a cache by a game's first question and read from it by
                 the later ones, in prompts that are long enough for a vendor to cache
    retry_after  seconds to wait that a 429 or 529 asks for
    wrong        rates of wrong answers (`WRONG`), one draw per request: together at most 1
    faults       rates of answers that do not arrive (`FAULTS`), one draw per attempt: together at most 1
    unfaithful   in what share of decisions the rationale is about another legal move than the one that is played;
                 given at all, even as 0, every rationale is one of many sentences (`reasons.py`)
    forecaster   how it forecasts where it is asked to (`outlook.FORECASTERS`)
    batch_latency   seconds from handing in a batch to its end, spread by batch_spread as latency is by spread
    batch_faults    rates of parts of a batch that come to nothing (`BATCH_FAULTS`), one draw per attempt
    """

    bot: str = "random"
    seed: int = 0
    latency: float = 0.0
    spread: float = 0.0
    tokens: int = 40
    words: int = 0
    first: float = 0.0
    cache: bool = True
    retry_after: float = 1.0
    wrong: Rates = ()
    faults: Rates = ()
    batch_latency: float = 0.0
    batch_spread: float = 0.0
    batch_faults: Rates = ()
    tokens_spread: float = 0.0
    forecaster: str = "even"
    unfaithful: float | None = None

    @classmethod
    def of(cls, bot: str = "random", /, **options: str | float) -> Self:
        """From options by name. `fail` is shared evenly by 429, 529, 500 and cut; a hang has to be asked for.

        Raises ValueError on an unknown option (all are listed), a value out of range, or rates that exceed 1.
        """
        if unknown := sorted(set(options) - set(OPTIONS)):
            raise ValueError(f"sim:{bot} has no option {', '.join(unknown)}; it has {', '.join(OPTIONS)}")
        text = {name: str(value) for name, value in options.items()}
        fields = {name: read(name, text[name]) for name, read in _SETTINGS.items() if name in text}
        rates = {name: amount(name, text.get(name, "0")) for name in (*WRONG, *FAULTS, *BATCH_FAULTS, "fail")}
        wrong = {name: rates[name] for name in WRONG}
        faults = {name: rates[name] + (rates["fail"] / 4 if name != "hang" else 0.0) for name in FAULTS}
        parts = _rates({name: rates[name] for name in BATCH_FAULTS})
        return cls(bot=bot, wrong=_rates(wrong), faults=_rates(faults), batch_faults=parts, **fields)

    @classmethod
    def parse(cls, spec: str) -> Self:
        """From a player spec's tail: `greedy`, `mcts:200?latency=0.2&seed=7`."""
        bot, _, query = spec.partition("?")
        options = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        return cls.of(bot or "random", **dict(options))


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{name}={text}: expected a whole number, 0 or more")
    return int(text)


def amount(name: str, text: str) -> float:
    """The number that an option was given. Raises ValueError if it is none or below 0."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not (isfinite(value) and value >= 0):
        raise ValueError(f"{name}={text}: expected a number, 0 or more")
    return value


def share(name: str, text: str) -> float:
    """As `amount`, of something that is at most 1."""
    if (value := amount(name, text)) > 1:
        raise ValueError(f"{name}={text}: expected a share, 0 to 1")
    return value


def _forecaster(name: str, text: str) -> str:
    if text not in FORECASTERS:
        raise ValueError(f"{name}={text}: expected one of {', '.join(FORECASTERS)}")
    return text


_SETTINGS: Mapping[str, Callable[[str, str], Any]] = {
    "seed": _whole,
    "latency": amount,
    "spread": amount,
    "tokens": _whole,
    "tokens_spread": amount,
    "words": _whole,
    "first": share,
    "cache": lambda name, text: _whole(name, text) != 0,
    "retry_after": amount,
    "batch_latency": amount,
    "batch_spread": amount,
    "forecaster": _forecaster,
    "unfaithful": share,
}
OPTIONS = (*_SETTINGS, *WRONG, *FAULTS, "fail", *BATCH_FAULTS)


def _rates(rates: Mapping[str, float]) -> Rates:
    if sum(rates.values()) > 1 + 1e-9:
        raise ValueError(f"rates {', '.join(n for n, r in rates.items() if r)} add up to more than 1")
    return tuple((name, rate) for name, rate in rates.items() if rate)


class Ask(NamedTuple):
    """What the stand-in reads out of a prompt. `game` is None where the position cannot be rebuilt."""

    game: Game | None
    listed: tuple[tuple[int, str], ...]  # (number to answer, notation) of each listed legal move
    under_way: bool  # a move has been played


class Pick(NamedTuple):
    """A move as it is written into an answer: a number on the open track, a notation on the rules track."""

    number: int
    text: str


class StandIn:
    """The model itself: no I/O, no clock. `answer` is a function of its argument; `fault` counts attempts."""

    def __init__(self, behaviour: Behaviour) -> None:
        """Raises ValueError if the engine has no bot of that name."""
        import engine

        self._bot = engine.new_bot(behaviour.bot)
        self._outlook = Outlook(behaviour.forecaster)
        self.behaviour = behaviour
        self.model = f"simulated/{behaviour.bot}"
        self._seen: dict[bytes, int] = {}  # only filled where faults have rates; 16 bytes and a count each

    def digest(self, request: Request) -> bytes:
        """48 bytes that stand for the request's content; every draw is cut from them."""
        head = f"{self.behaviour.seed}\0{request.seed}\0{request.max_output_tokens}\0{request.system}"
        parts = [f"\0{message.role}\0{message.content}" for message in request.messages]
        if request.mode == "decision":
            parts.append(f"\0{request.choices}")
        return blake2b((head + "".join(parts)).encode("utf-8", "surrogatepass"), digest_size=48).digest()

    def fault(self, request: Request) -> str:
        """Which of `FAULTS` befalls this attempt, "" for none. Drawn from content and attempt."""
        return self._befalls(self.behaviour.faults, request, b"")

    def batch_fault(self, request: Request) -> str:
        """What befalls this attempt as a part of a batch: errored, expired, or "" for nothing."""
        return self._befalls(self.behaviour.batch_faults, request, b"batch").removeprefix("batch_")

    def _befalls(self, rates: Rates, request: Request, where: bytes) -> str:
        if not rates:
            return ""
        key = where + self.digest(request)[:16]
        attempt = self._seen[key] = self._seen.get(key, 0) + 1
        draw = blake2b(key + b"%d" % attempt, digest_size=8).digest()
        return _choose(rates, _unit(draw, 0))

    def batch_seconds(self, name: str) -> float:
        """How long the batch of that name takes."""
        draw = blake2b(f"{self.behaviour.seed}\0{name}".encode(), digest_size=8).digest()
        return _spread(self.behaviour.batch_latency, self.behaviour.batch_spread, _unit(draw, 0))

    def answer(self, request: Request, wrong: str | None = None) -> Reply:
        """The reply, with the latency it should take. `wrong` (of `WRONG`, or "") overrides the draw.

        In the mode "decision" it is a choice with probabilities; of what is wrong, only a refusal applies to it.
        """
        digest = self.digest(request)
        if wrong is None:
            wrong = _choose(self.behaviour.wrong, _unit(digest, 0))
        ask = read(request)
        if request.mode == "decision":
            return self._decide(request, ask, wrong, digest)
        thinking = self._thinking_tokens(request, _unit(digest, 1))
        text, finish, detail = self._write(request, ask, wrong, int.from_bytes(digest[24:31]))
        room = request.max_output_tokens - thinking
        if finish == "stop" and _tokens(text) > room:
            text, finish = text[: max(room, 0) * CHARS_PER_TOKEN], "length"
        thinking = min(thinking, request.max_output_tokens)
        usage = replace(self._prompt(request, ask), output=thinking + _tokens(text), reasoning=thinking)
        return Reply(
            text=text,
            usage=usage,
            finish=finish,  # type: ignore[arg-type]
            finish_detail=detail,
            reasoning=self._thoughts(thinking),
            reasoning_kind="raw" if thinking else "none",
            model=self.model,
            request_id=f"sim_{digest[:10].hex()}",
            latency_s=_spread(self.behaviour.latency, self.behaviour.spread, _unit(digest, 2)),
        )

    def _decide(self, request: Request, ask: Ask, wrong: str, digest: bytes) -> Reply:
        """The bot's move, and around it a spread over all choices that content and seed fix."""
        refused = wrong == "refused"
        number = self._legal(ask, int.from_bytes(digest[24:31]))[0].number
        return Reply(
            text="" if refused else wire.dumps({"action": number}),
            usage=replace(self._prompt(request, ask), tier="decision"),
            finish="refusal" if refused else "stop",
            finish_detail="refusal" if refused else "choice",
            probabilities=None if refused else _shares([n for n, _ in ask.listed], number, digest),
            model=self.model,
            request_id=f"sim_{digest[:10].hex()}",
            latency_s=_spread(self.behaviour.latency, self.behaviour.spread, _unit(digest, 2)),
        )

    def _prompt(self, request: Request, ask: Ask) -> Usage:
        """What the prompt alone costs."""
        prompt = prompt_tokens(request)
        cached = _tokens(request.system) if self.behaviour.cache and prompt >= CACHED_FROM else 0
        from_cache, to_cache = (cached, 0) if ask.under_way else (0, cached)
        return Usage(prompt - cached, from_cache, to_cache)

    def _thinking_tokens(self, request: Request, draw: float) -> int:
        mean, sigma = (
            self.behaviour.tokens * _EFFORT[request.effort or "medium"],
            self.behaviour.tokens_spread,
        )
        return int(_spread(mean, sigma, draw) if sigma else mean * (0.5 + draw))

    def _thoughts(self, tokens: int) -> str:
        if not tokens:
            return ""
        room = tokens * CHARS_PER_TOKEN
        head = f"Simulated thinking by {self.behaviour.bot}: "
        return (head + _FILLER * (room // len(_FILLER) + 1))[:room]

    def _write(self, request: Request, ask: Ask, wrong: str, seed: int) -> tuple[str, str, str]:
        """Text, finish and finish detail of an answer that is `wrong` in that way."""
        name = self.behaviour.bot
        if wrong == "refused":
            return f"Simulated refusal by {name}: I will not answer this.", "refusal", "simulated"
        if wrong == "empty":
            return "", "stop", ""
        picks = [self._illegal(request, ask, seed)] if wrong == "illegal" else self._legal(ask, seed)
        if not picks:
            return f"Simulated answer by {name}: I can read no position here, so I name no move.", "stop", ""
        if wrong == "prose":
            text = f"Simulated answer by {name}: I would play {picks[0].text}, and I leave it at these words."
            return text, "stop", ""
        text = self._form(request, ask, picks[0], seed)
        if wrong == "malformed":
            text = re.sub(r'("(?:action|move)": )("[^"]*"|-?\d+)', r"\1", text)
        if wrong == "ambiguous":
            other = picks[1] if len(picks) > 1 else self._illegal(request, ask, seed)
            text += "\n" + self._form(request, ask, other, seed)
        if wrong == "truncated":
            return text[: len(text) // 2], "length", ""
        return text, "stop", ""

    def _legal(self, ask: Ask, seed: int) -> list[Pick]:
        """The move to play and, where there is one, another legal move; empty where no move is known."""
        if ask.game is None:
            turn = seed % len(ask.listed) if ask.listed else 0
            return [Pick(*move) for move in (*ask.listed[turn:], *ask.listed[:turn])[:2]]
        import engine

        action = self._bot.choose(ask.game, engine.Rng(seed))
        if engine.Rng(engine.derive(seed, "first")).uniform() < self.behaviour.first:
            action = ask.game.legal_actions()[0]
        others = (other for other in ask.game.legal_actions() if other != action)
        return [_pick(ask, action), *(_pick(ask, other) for other in list(others)[:1])]

    def _illegal(self, request: Request, ask: Ask, seed: int) -> Pick:
        """A well-formed answer that is no legal move; if there is one, of the schema's or the game's own."""
        if ask.listed:
            taken = {number for number, _ in ask.listed}
            spec = (request.schema or {}).get("properties", {}).get("action", {})
            numbers = [n for n in spec.get("enum", ()) if n not in taken] or [max(taken) + 1]
            number = numbers[seed % len(numbers)]
            return Pick(number, str(number))
        if ask.game is None:
            return Pick(999, "999")
        legal = set(ask.game.legal_actions())
        actions = [action for action in range(ask.game.num_actions()) if action not in legal]
        if not actions:
            return Pick(ask.game.num_actions(), str(ask.game.num_actions() + 1))
        return _pick(ask, actions[seed % len(actions)])

    def _form(self, request: Request, ask: Ask, pick: Pick, seed: int) -> str:
        """The JSON object that the schema asks for, in its order.

        Without a schema it is rationale and move, and a forecast where the prompt speaks of one.
        """
        sentence = f"Simulated answer by {self.behaviour.bot}: {self._reason(ask, pick, seed)}"
        if self.behaviour.words:
            filler = _FILLER.split()
            sentence += " " + " ".join(filler[i % len(filler)] for i in range(self.behaviour.words))
        properties = (request.schema or {}).get("properties")
        if not properties:
            properties = {"rationale": {"type": "string"}, "move": {}}
            properties |= {"forecast": {}} if '"forecast"' in request.system else {}
        said = {name: _value(name, spec, pick, sentence) for name, spec in properties.items()}
        if "forecast" in said:
            said["forecast"] = self._forecast(ask, pick, seed)
        return json.dumps(said)

    def _reason(self, ask: Ask, pick: Pick, seed: int) -> str:
        if self.behaviour.unfaithful is None:
            return f"I play {pick.text}."
        legal = _notation(ask.game) if ask.game else {text for _, text in ask.listed}
        return reason(pick.text, sorted(legal - {pick.text}), self.behaviour.unfaithful, seed)

    def _forecast(self, ask: Ask, pick: Pick, seed: int) -> int:
        """In per cent, of the move that the answer names."""
        try:
            action = ask.game.parse_action(pick.text) if ask.game else 0
        except ValueError:  # an answer that is wrong on purpose
            return 50
        draw = blake2b(b"forecast %d" % seed, digest_size=8).digest()
        return self._outlook.per_cent(ask.game, action, _unit(draw, 0), seed)


def read(request: Request) -> Ask:
    """What a request says about a position; the latest message that says it counts."""
    users = [message.content for message in reversed(request.messages) if message.role == "user"]
    moves = next((found[1].strip() for text in users if (found := _MOVES.search(text))), None)
    legal = next((found for text in users if (found := _LEGAL.search(text))), None)
    lines = _LEGAL_LINE.findall("\n".join([*legal[1].split(), legal[2]])) if legal else ()
    listed = tuple((int(number), text or number) for number, text in lines)
    if request.mode == "decision":
        texts = dict(listed)
        listed = tuple((number, texts.get(number, text)) for number, text in request.choices or ())
    rules = request.system or "\n".join(users)  # one vendor's decisions know no system prompt
    game = None if moves is None else _after(rules, "" if moves == "none" else moves)
    if game is not None and listed and {text for _, text in listed} != _notation(game):
        game = None  # chance fell otherwise there: the moves do not tell what the dice show
    return Ask(game, listed, moves not in (None, "", "none"))


def _notation(game: Game) -> set[str]:
    return {game.action_text(action) for action in game.legal_actions()}


def _after(system: str, moves: str) -> Game | None:
    """The game after these moves, which a blank parts or, where moves have blanks themselves, a bar."""
    if " | " in moves:
        return _position(system, moves.split(" | "))
    return _position(system, moves.split()) or (_position(system, [moves]) if " " in moves else None)


def _position(system: str, played: list[str]) -> Game | None:
    """The game after these moves; None if it is unknown, over, hides something, or a move does not fit."""
    import engine

    name = _GAME.search(system)
    if name is None:
        return None
    try:
        game = engine.new(name[1], 0, **dict(_variant(system)))
        if game.hidden_information():
            return None
        for text in played:
            game.apply(game.parse_action(_SEAT.sub("", text)))
    except (ValueError, LookupError, TypeError):
        return None
    return None if game.is_terminal() else game


def _variant(system: str) -> Iterator[tuple[str, int]]:
    line = _VARIANT.search(system)
    for pair in line[1].split(",") if line else ():
        key, _, value = pair.partition("=")
        yield key.strip(), int(value)


def _pick(ask: Ask, action: int) -> Pick:
    """The listed number of an action, found by its notation; its id where it is not listed."""
    assert ask.game is not None
    text = ask.game.action_text(action)
    return Pick(next((number for number, notation in ask.listed if notation == text), action), text)


def _value(name: str, spec: Mapping[str, Any], pick: Pick, sentence: str) -> object:
    """What stands in one field of an answer: the move, the rationale, or anything of the right type."""
    if name == "action":
        return pick.number
    if name == "move":
        return pick.text
    kinds = spec.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if "enum" in spec:
        return spec["enum"][0]
    if kind == "string":
        return sentence if name == "rationale" else f"Simulated {name}."
    return {"number": 0.5, "integer": 0, "boolean": False, "array": [], "object": {}}.get(kind)


def _spread(mean: float, sigma: float, draw: float) -> float:
    """A lognormal amount of that mean, at a draw from the unit interval; sigma 0 makes it the mean itself."""
    if not mean or not sigma:
        return mean
    return mean * exp(sigma * _NORMAL.inv_cdf(max(draw, 1e-12)) - sigma * sigma / 2)


def _choose(rates: Rates, draw: float) -> str:
    """The name on whose stretch of the unit interval a draw falls; "" beyond the last."""
    for name, rate in rates:
        if draw < rate:
            return name
        draw -= rate
    return ""


def _unit(digest: bytes, index: int) -> float:
    """The index-th draw of a digest, in [0, 1)."""
    return int.from_bytes(digest[8 * index : 8 * index + 7]) / (1 << 56)


def _shares(numbers: list[int], best: int, digest: bytes) -> dict[int, float]:
    """A probability for each number, to six places and together 1; the best has the most."""
    pulls = {n: _unit(blake2b(digest + b"%d" % n, digest_size=8).digest(), 0) for n in numbers}
    weights = {n: exp(pull + (_LEAD if n == best else 0.0)) for n, pull in pulls.items()}
    total = sum(weights.values())
    shares = {n: round(weight / total, 6) for n, weight in weights.items()}
    return shares | {best: round(1 - sum(share for n, share in shares.items() if n != best), 6)}


def prompt_tokens(request: Request) -> int:
    """Tokens of the prompt by the rule of thumb, cached or not; a decision's choices are a part of it."""
    choices = request.choices or () if request.mode == "decision" else ()
    texts = [
        request.system,
        *(message.content for message in request.messages),
        *(text for _, text in choices),
    ]
    return sum(map(_tokens, texts))


def _tokens(text: str) -> int:
    return -(-len(text) // CHARS_PER_TOKEN)


@dataclass(slots=True)
class _Wave:
    """A batch in this process: its requests with what was drawn for each, and when they are all answered."""

    name: str
    parts: dict[str, tuple[Request, str]]
    created: float
    due: float
    cancelled: bool = False


class Simulated:
    """The stand-in as a provider: `model` is the strength, its options are the behaviour.

    Its batches live in this process, for rehearsals; those that outlive a client are the server's.
    """

    name = "sim"

    def __init__(self, clock: Callable[[], float] = time.time, /, **options: str) -> None:
        """`clock` tells Unix time, by which batches advance. Raises ValueError as `Behaviour.of` does."""
        self._options = options
        self._clock = clock
        self.behaviour = Behaviour.of(**options)
        self._stand_ins: dict[str, StandIn] = {}
        self._waves: dict[str, _Wave] = {}

    def capabilities(self, model: str) -> Capabilities:
        return Capabilities(
            temperature=False, seed=True, reasoning="raw", decision=True, tiers=("standard", "batch")
        )

    async def complete(self, request: Request) -> Reply:
        """Waits as long as the behaviour says, and raises the faults that it draws."""
        wire.check(self.name, request, self.capabilities(request.model))
        stand_in = self._stand_in(request.model)
        if fault := stand_in.fault(request):
            raise await _error(fault, request, self.behaviour)
        reply = stand_in.answer(request)
        if reply.latency_s > request.timeout_s:
            raise await _error("hang", request, self.behaviour)
        if reply.latency_s:
            await asyncio.sleep(reply.latency_s)
        return reply

    def batch_limits(self) -> BatchLimits:
        return BatchLimits(requests=100_000, bytes=256_000_000, results_kept_s=86_400.0)

    async def submit(self, name: str, requests: Mapping[str, Request]) -> str:
        stand_in = self._stand_in(batches.check(self.name, requests, self.capabilities))
        batch, now = f"batch_sim_{len(self._waves)}", self._clock()
        parts = {id_: (request, stand_in.batch_fault(request)) for id_, request in requests.items()}
        self._waves[batch] = _Wave(name, parts, now, now + stand_in.batch_seconds(batch))
        return batch

    async def find(self, name: str, since_unix: float, ids: Sequence[str]) -> str | None:
        found = (id_ for id_, wave in self._waves.items() if wave.name == name and wave.created >= since_unix)
        return next(found, None)

    async def poll(self, batch: str) -> BatchStatus:
        wave = self._wave(batch)
        total, failed = len(wave.parts), sum(bool(fault) for _, fault in wave.parts.values())
        if wave.cancelled:
            return BatchStatus(True, total, 0, total, "cancelled")
        if self._clock() < wave.due:
            return BatchStatus(False, total, detail="in_progress")
        return BatchStatus(True, total, total - failed, failed, "completed")

    async def results(self, batch: str) -> AsyncIterator[tuple[str, Reply | ProviderError]]:
        wave = self._wave(batch)
        for id_, (request, fault) in wave.parts.items():
            await asyncio.sleep(0)  # an answer may take a bot its time
            if fault == "errored":
                yield id_, Retryable("server", "simulated server error", status=500)
            elif fault or wave.cancelled:
                yield id_, batches.unanswered(self.name, fault or "was cancelled", "")
            else:
                reply = self._stand_in(request.model).answer(request)
                yield id_, replace(reply, usage=replace(reply.usage, tier="batch"))

    async def cancel(self, batch: str) -> None:
        """Before its time none of it is answered."""
        wave = self._wave(batch)
        wave.cancelled = wave.cancelled or self._clock() < wave.due

    def _wave(self, batch: str) -> _Wave:
        if batch not in self._waves:
            raise Final("bad_request", f"sim knows no batch {batch!r}: its batches end with their process")
        return self._waves[batch]

    async def aclose(self) -> None:
        """Nothing to close."""

    def _stand_in(self, model: str) -> StandIn:
        if model not in self._stand_ins:
            try:
                self._stand_ins[model] = StandIn(Behaviour.of(model, **self._options))
            except (ValueError, LookupError) as error:
                raise Final("unknown_model", f"sim:{model} names no bot: {error}") from error
        return self._stand_ins[model]


async def _error(fault: str, request: Request, behaviour: Behaviour) -> Retryable:
    """The error of a fault, after the time that it takes."""
    if fault == "hang":
        await asyncio.sleep(request.timeout_s)
        return Retryable("timeout", f"simulated: no answer in {request.timeout_s:g} s", possibly_billed=True)
    if fault == "cut":
        return Retryable("connection", "simulated: the connection was cut", possibly_billed=True)
    if fault == "500":
        return Retryable("server", "simulated server error", status=500)
    kind, status = ("rate_limit", 429) if fault == "429" else ("overloaded", 529)
    return Retryable(kind, f"simulated {kind}", retry_after_s=behaviour.retry_after, status=status)  # type: ignore[arg-type]


def create(**options: str) -> Simulated:
    """The `sim` provider. Options: see `Behaviour`."""
    return Simulated(**options)
