"""Decisions as OpenAI and Google ask for them: one choice of several, with a probability for each.

Both are a `Wire` like the others, so that faults, limits and counts are the same; they share the path
/v1/decisions and differ in the shape of their questions. Choices whose values are whole numbers keep them,
others are numbered in their order.
Sources: openai 3.51 (`decisions.create`), google-genai 3.3 (`decisions.create`).

Left out: more than one question at a time, predicates and scores; they answer 400.
"""

from __future__ import annotations

from typing import Any

from providers.base import Reply, Request
from providers.dialects import GEMINI, RESPONSES, Body, Wire, text_of, turns_of, unknown

FEWEST, MOST = 2, 255  # choices
_OPENAI_FIELDS = frozenset(
    {"input", "model", "questions", "prompt_cache_key", "prompt_cache_options", "safety_identifier"}
)
_GEMINI_FIELDS = frozenset({"input", "model", "questions"})


def is_gemini(body: Body) -> bool:
    """Google's questions have names, OpenAI's an order."""
    return isinstance(body.get("questions"), dict)


def _numbers(values: list[Any]) -> list[int]:
    """The number of each choice."""
    if all(isinstance(value, str) and value.isascii() and value.isdigit() for value in values):
        numbers = [int(value) for value in values]
        if len(set(numbers)) == len(numbers):
            return numbers
    return list(range(len(values)))


def _request(model: str, system: str, turns: list[Body], instructions: object, options: Body) -> Request:
    """The question as a request: what is asked of it stands at the end, as one more turn."""
    asked = {"role": "user", "content": text_of(instructions)}
    values = list(options)
    choices = zip(_numbers(values), (options[value] or str(value) for value in values), strict=True)
    return Request(
        model=model,
        system=system,
        messages=turns_of([*turns, asked]),
        choices=tuple(choices),
        mode="decision",
        max_output_tokens=0,
    )


def _wrong_choices(values: list[Any]) -> str:
    if not FEWEST <= len(values) <= MOST:
        return f"expected between {FEWEST} and {MOST} choices, got {len(values)}"
    if len({(type(value), value) for value in values}) < len(values):
        return "each choice must be unique"
    return ""


def _read_openai(body: Body, _: str) -> Request:
    given, question = body["input"], body["questions"][0]
    turns = [{"role": "user", "content": given}] if isinstance(given, str) else given
    told = [item for item in turns if item.get("role") in ("system", "developer")]
    return _request(
        body["model"],
        text_of([item["content"] for item in told]),
        [item for item in turns if item not in told],
        question["instructions"],
        {choice["value"]: choice.get("description", "") for choice in question.get("choices", ())},
    )


def _refuse_openai(body: Body) -> str:
    if extra := unknown(body, _OPENAI_FIELDS):
        return f"Unknown parameter: '{extra}'."
    (question, *more) = body["questions"]
    if more or question.get("type") != "choice":
        return "the stand-in answers one question at a time, of type choice"
    values = [choice["value"] for choice in question["choices"]]
    if not all(isinstance(value, str | bool) for value in values):
        return "Invalid 'questions[0].choices': values are strings or booleans"
    wrong = _wrong_choices(values)
    return f"Invalid 'questions[0].choices': {wrong}" if wrong else ""


def _write_openai(reply: Reply, body: Body) -> Body:
    (question,) = body["questions"]
    answer: Body = {"type": "refusal", "name": question.get("name")}
    if reply.probabilities is not None:
        values = [choice["value"] for choice in question["choices"]]
        shares = [reply.probabilities[number] for number in _numbers(values)]
        pairs = list(zip(values, shares, strict=True))
        best, confidence = max(pairs, key=lambda pair: pair[1])
        answer |= {"type": "choice", "choice": best, "confidence": confidence}
        answer["probabilities"] = [{"value": value, "probability": share} for value, share in pairs]
    used = reply.usage
    return {
        "answers": [answer],
        "model": reply.model,
        "usage": {
            "input_tokens": used.input,
            "input_tokens_details": {"cached_tokens": used.cache_read, "cache_write_tokens": 0},
            "output_tokens": used.output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": used.input + used.output,
        },
    }


def _read_gemini(body: Body, _: str) -> Request:
    (question, *_more) = body["questions"].values()
    given = [{"role": "user", "content": body["input"]}]
    model = body["model"].removeprefix("models/")
    return _request(model, "", given, question["instructions"], question.get("criteria", {}))


def _refuse_gemini(body: Body) -> str:
    if extra := unknown(body, _GEMINI_FIELDS):
        return f'Invalid JSON payload received. Unknown name "{extra}": Cannot find field.'
    (question, *more) = body["questions"].values()
    if more or question.get("type") != "choice":
        return "the stand-in answers one question at a time, of type choice"
    values = list(question["criteria"])
    if any(not value or value != value.strip() or not value.isprintable() for value in values):
        return "Option IDs must be non-empty with no control characters or leading/trailing whitespace."
    return _wrong_choices(values)


def _write_gemini(reply: Reply, body: Body) -> Body:
    used = reply.usage
    usage = {
        "total_input_tokens": used.input,
        "total_cached_tokens": used.cache_read,
        "total_output_tokens": used.output,
        "total_thought_tokens": 0,
        "total_tokens": used.input + used.output,
    }
    if reply.probabilities is None:
        blocked = "prohibited_content" if reply.finish_detail == "blocked" else "safety"
        return {"prompt_feedback": {"block_reason": blocked}, "model": reply.model, "usage": usage}
    ((name, question),) = body["questions"].items()
    values = list(question["criteria"])
    shares = {value: reply.probabilities[n] for value, n in zip(values, _numbers(values), strict=True)}
    best = max(shares, key=shares.__getitem__)
    answer = {"type": "choice", "choice": best, "confidence": shares[best], "probabilities": shares}
    return {"answers": {name: answer}, "model": reply.model, "usage": usage}


OPENAI_DECISIONS = Wire(
    "openai decisions",
    _read_openai,
    _refuse_openai,
    _write_openai,
    RESPONSES.tally,
    RESPONSES.error,
    RESPONSES.headers,
)
GEMINI_DECISIONS = Wire(
    "gemini decisions",
    _read_gemini,
    _refuse_gemini,
    _write_gemini,
    GEMINI.tally,
    GEMINI.error,
    GEMINI.headers,
)
