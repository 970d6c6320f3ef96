"""The four wire formats that the stand-in speaks: Anthropic, OpenAI (Responses and Chat Completions), Gemini.

Each is a `Wire`: how a request is read, what of it the vendor would refuse, and how a reply and an error are
written, with envelopes, usage, stop reasons and headers as the vendor sends them. The fields that a request
may have are those of the SDKs' own types (anthropic 2.10, openai 3.51, google-genai 3.3), so that a field
which one service has and another has not fails in a rehearsal as it would fail in earnest.

Left out: what a model of a vendor lacks while others have it, as the stand-in knows no models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from providers.base import EFFORTS, Effort, Message, Reply, Request

Body = dict[str, Any]

EPOCH = 1_700_000_000
NO_LIMIT = 1 << 20  # output tokens, where a request names no bound


def _fields(names: str) -> frozenset[str]:
    return frozenset(names.split())


_ANTHROPIC_FIELDS = _fields(
    """cache_control container diagnostics inference_geo max_tokens messages metadata model output_config
    service_tier speed stop_sequences stream system thinking tool_choice tools user_profile_id
    workspace_id"""
) | {"output_format"}  # what output_config.format was called in its beta, which litellm speaks
_ANTHROPIC_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_ANTHROPIC_TIERS = ("auto", "standard_only")
_RESPONSES_FIELDS = _fields(
    """access_programs background context_management conversation image include input instructions
    max_output_tokens max_tool_calls metadata model moderation parallel_tool_calls previous_response_id prompt
    prompt_cache_key prompt_cache_options prompt_cache_retention reasoning safety_identifier service_tier store
    stream stream_options temperature text tool_choice tools top_logprobs top_p truncation user"""
)
_CHAT_FIELDS = _fields(
    """audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens
    messages metadata modalities model moderation n parallel_tool_calls prediction presence_penalty
    prompt_cache_key prompt_cache_options prompt_cache_retention reasoning_effort response_format
    safety_identifier seed service_tier stop store stream stream_options temperature tool_choice tools
    top_logprobs top_p user verbosity web_search_options"""
)
_OPENAI_TIERS = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")
_GEMINI_FIELDS = _fields(
    """contents model systemInstruction system_instruction generationConfig generation_config tools toolConfig
    tool_config safetySettings safety_settings cachedContent cached_content serviceTier service_tier
    store"""
)
_GEMINI_LEVELS = ("thinking_level_unspecified", "minimal", "low", "medium", "high", "xhigh")
_GEMINI_TIERS = ("unspecified", "flex", "standard", "priority")


class Problem(NamedTuple):
    """One refusal at the door, in the words of each vendor."""

    status: int
    anthropic: str
    openai: str | None
    gemini: str
    message: str


@dataclass(frozen=True, slots=True)
class Wire:
    """One vendor's format: how a request is read, and how each thing that can be said is written."""

    name: str
    read: Callable[[Body, str], Request]  # the body, and the model where the path names it
    refuse: Callable[[Body], str]  # why the vendor would answer 400, "" where it would not
    write: Callable[[Reply, Body], Body]  # the reply, and the body that asked for it
    tally: Callable[[int], Body]  # a token count
    error: Callable[[Problem, float], Body]
    headers: Callable[[str, Body], dict[str, str]]  # the call's id, and the body that is answered


def text_of(content: object) -> str:
    """The text of a string, a block, or a list of blocks."""
    if isinstance(content, list):
        return "\n".join(filter(None, map(text_of, content)))
    if isinstance(content, dict):
        return str(content.get("text", ""))
    return content if isinstance(content, str) else ""


def turns_of(items: list[Body], key: str = "content") -> tuple[Message, ...]:
    """The turns of a conversation; every other kind of item (a reasoning item, a tool's) is passed over."""
    return tuple(
        Message("user" if item.get("role", "user") == "user" else "assistant", text_of(item[key]))
        for item in items
        if key in item
    )


def _effort(word: object, thinks: bool = True) -> Effort | None:
    """A vendor's word for it; words it does not share with us count as none given."""
    if not thinks:
        return "none"
    return next((effort for effort in EFFORTS if effort == word), None)


def unknown(body: Body, fields: frozenset[str]) -> str:
    return next((name for name in body if name not in fields), "")


def _wrong(name: str, word: object, words: tuple[str, ...]) -> str:
    """The complaint about a word that is none of those; none given is none wrong."""
    if word is None or word in words:
        return ""
    return f"{name}: {word!r} is not one of {', '.join(words)}"


def _read_anthropic(body: Body, _: str) -> Request:
    wants = body.get("output_config") or {}
    thinks = (body.get("thinking") or {}).get("type", "disabled") != "disabled"
    return Request(
        model=body["model"],
        system=text_of(body.get("system")),
        messages=turns_of(body["messages"]),
        schema=(wants.get("format") or body.get("output_format") or {}).get("schema"),
        effort=_effort(wants.get("effort"), thinks),
        max_output_tokens=body.get("max_tokens", NO_LIMIT),
    )


def _refuse_anthropic(body: Body) -> str:
    if extra := unknown(body, _ANTHROPIC_FIELDS):
        return f"{extra}: Extra inputs are not permitted"
    if "max_tokens" not in body:
        return "max_tokens: Field required"
    effort = (body.get("output_config") or {}).get("effort")
    wrong = _wrong("output_config.effort", effort, _ANTHROPIC_EFFORTS)
    return wrong or _wrong("service_tier", body.get("service_tier"), _ANTHROPIC_TIERS)


def _marked(value: object) -> bool:
    """Whether anything is marked for the cache; without a mark, Claude caches nothing."""
    if isinstance(value, dict):
        return bool(value.get("cache_control")) or any(map(_marked, value.values()))
    return isinstance(value, list) and any(map(_marked, value))


def _write_anthropic(reply: Reply, body: Body) -> Body:
    usage, refused = reply.usage, reply.finish == "refusal"
    read, written = (usage.cache_read, usage.cache_write_short) if _marked(body) else (0, 0)
    content: list[Body] = []
    if reply.reasoning:
        shown = (body.get("thinking") or {}).get("display", "summarized") != "omitted"
        thinking = reply.reasoning if shown else ""
        content.append({"type": "thinking", "thinking": thinking, "signature": "c2ltdWxhdGVk"})
    if reply.text:
        content.append({"type": "text", "text": reply.text, "citations": None})
    details = {"type": "refusal", "category": "general_harms", "explanation": "a simulated refusal"}
    return {
        "id": f"msg_{reply.request_id}",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": {"length": "max_tokens", "refusal": "refusal"}.get(reply.finish, "end_turn"),
        "stop_sequence": None,
        "stop_details": details if refused else None,
        "container": None,
        "usage": {
            "input_tokens": usage.input - read - written,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
            "output_tokens": usage.output,
            "output_tokens_details": {"thinking_tokens": usage.reasoning},
            "service_tier": "standard",
        },
    }


def _error_anthropic(problem: Problem, _: float) -> Body:
    error = {"type": problem.anthropic, "message": problem.message}
    return {"type": "error", "error": error, "request_id": None}


def _headers_anthropic(request_id: str, _: Body) -> dict[str, str]:
    return {"request-id": request_id}


def _read_responses(body: Body, _: str) -> Request:
    given = body["input"]
    turns = [{"role": "user", "content": given}] if isinstance(given, str) else given
    told = [item for item in turns if item.get("role") in ("system", "developer")]
    effort = (body.get("reasoning") or {}).get("effort")
    instructions = [text_of(body.get("instructions")), text_of([item["content"] for item in told])]
    return Request(
        model=body["model"],
        system="\n".join(filter(None, instructions)),
        messages=turns_of([item for item in turns if item not in told]),
        schema=((body.get("text") or {}).get("format") or {}).get("schema"),
        effort=_effort(effort),
        max_output_tokens=body.get("max_output_tokens") or NO_LIMIT,
    )


def _refuse_responses(body: Body) -> str:
    return _refuse_openai(
        body, _RESPONSES_FIELDS, "reasoning.effort", (body.get("reasoning") or {}).get("effort")
    )


def _refuse_openai(body: Body, fields: frozenset[str], name: str, effort: object) -> str:
    if extra := unknown(body, fields):
        return f"Unknown parameter: '{extra}'."
    return _wrong(name, effort, EFFORTS) or _wrong("service_tier", body.get("service_tier"), _OPENAI_TIERS)


def _served(body: Body) -> str:
    """The tier as OpenAI reports it: the one asked for, as the stand-in is never short of room."""
    word = body.get("service_tier") or "auto"
    return "default" if word == "auto" else str(word)


def _write_responses(reply: Reply, body: Body) -> Body:
    cut = reply.finish == "length"
    output: list[Body] = []
    if reply.usage.reasoning:
        asked = (body.get("reasoning") or {}).get("summary")
        summary = [{"type": "summary_text", "text": reply.reasoning}] if asked else []
        output.append({"type": "reasoning", "id": f"rs_{reply.request_id}", "summary": summary})
    if reply.text or not cut:
        part: Body = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        if reply.finish == "refusal":
            part = {"type": "refusal", "refusal": reply.text}
        message = {"type": "message", "id": f"msg_{reply.request_id}", "role": "assistant", "content": [part]}
        output.append(message | {"status": "incomplete" if cut else "completed"})
    return {
        "id": f"resp_{reply.request_id}",
        "object": "response",
        "created_at": EPOCH,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": None,
        "max_output_tokens": body.get("max_output_tokens"),
        "model": reply.model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": body.get("reasoning"),
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "metadata": {},
        "service_tier": _served(body),
        "usage": {
            "input_tokens": reply.usage.input,
            "input_tokens_details": {"cached_tokens": reply.usage.cache_read, "cache_write_tokens": 0},
            "output_tokens": reply.usage.output,
            "output_tokens_details": {"reasoning_tokens": reply.usage.reasoning},
            "total_tokens": reply.usage.input + reply.usage.output,
        },
    }


def _read_chat(body: Body, _: str) -> Request:
    turns = body["messages"]
    told = [item for item in turns if item.get("role") in ("system", "developer")]
    form = (body.get("response_format") or {}).get("json_schema") or {}
    return Request(
        model=body["model"],
        system=text_of([item["content"] for item in told]),
        messages=turns_of([item for item in turns if item not in told]),
        schema=form.get("schema"),
        effort=_effort(body.get("reasoning_effort")),
        max_output_tokens=body.get("max_completion_tokens") or body.get("max_tokens") or NO_LIMIT,
        seed=body.get("seed"),
    )


def _refuse_chat(body: Body) -> str:
    return _refuse_openai(body, _CHAT_FIELDS, "reasoning_effort", body.get("reasoning_effort"))


def _write_chat(reply: Reply, body: Body) -> Body:
    said, refused = (None, reply.text) if reply.finish == "refusal" else (reply.text, None)
    message: Body = {"role": "assistant", "content": said, "refusal": refused, "annotations": []}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    finish = "length" if reply.finish == "length" else "stop"
    return {
        "id": f"chatcmpl-{reply.request_id}",
        "object": "chat.completion",
        "created": EPOCH,
        "model": reply.model,
        "choices": [{"index": 0, "finish_reason": finish, "logprobs": None, "message": message}],
        "usage": {
            "prompt_tokens": reply.usage.input,
            "prompt_tokens_details": {"cached_tokens": reply.usage.cache_read, "cache_write_tokens": 0},
            "completion_tokens": reply.usage.output,
            "completion_tokens_details": {"reasoning_tokens": reply.usage.reasoning},
            "total_tokens": reply.usage.input + reply.usage.output,
        },
        "service_tier": _served(body),
        "system_fingerprint": "fp_simulated",
    }


def _error_openai(problem: Problem, _: float) -> Body:
    kind = {"insufficient_quota": "insufficient_quota", "rate_limit_exceeded": "requests"}.get(
        problem.openai or "", "server_error" if problem.status >= 500 else "invalid_request_error"
    )
    return {"error": {"message": problem.message, "type": kind, "param": None, "code": problem.openai}}


def _headers_openai(request_id: str, _: Body) -> dict[str, str]:
    return {"x-request-id": request_id, "openai-processing-ms": "1"}


def _either(body: Body, camel: str, snake: str) -> Any:
    """Gemini reads both spellings of a field, and its clients mix them."""
    return body.get(camel, body.get(snake))


def _read_gemini(body: Body, model: str) -> Request:
    wants = _either(body, "generationConfig", "generation_config") or {}
    thinking = _either(wants, "thinkingConfig", "thinking_config") or {}
    level = str(_either(thinking, "thinkingLevel", "thinking_level") or "").lower()
    system = _either(body, "systemInstruction", "system_instruction") or {}
    schema = _either(wants, "responseJsonSchema", "response_json_schema")
    return Request(
        model=model,
        system=text_of(system.get("parts")) if isinstance(system, dict) else text_of(system),
        messages=turns_of(body["contents"], "parts"),
        schema=schema or _either(wants, "responseSchema", "response_schema"),
        effort=_effort(level, _either(thinking, "thinkingBudget", "thinking_budget") != 0),
        max_output_tokens=_either(wants, "maxOutputTokens", "max_output_tokens") or NO_LIMIT,
        seed=wants.get("seed"),
    )


def _refuse_gemini(body: Body) -> str:
    if extra := unknown(body, _GEMINI_FIELDS):
        return f'Invalid JSON payload received. Unknown name "{extra}": Cannot find field.'
    wants = _either(body, "generationConfig", "generation_config") or {}
    thinking = _either(wants, "thinkingConfig", "thinking_config") or {}
    level = _lower(_either(thinking, "thinkingLevel", "thinking_level"))
    wrong = _wrong("generation_config.thinking_config.thinking_level", level, _GEMINI_LEVELS)
    return wrong or _wrong("service_tier", _tier_gemini(body), _GEMINI_TIERS)


def _tier_gemini(body: Body) -> str:
    return _lower(_either(body, "serviceTier", "service_tier")) or "standard"


def _lower(word: object) -> str | None:
    return word.lower() if isinstance(word, str) and word else None


def _headers_gemini(_: str, body: Body) -> dict[str, str]:
    return {"x-gemini-service-tier": _tier_gemini(body)} if body else {}


def _write_gemini(reply: Reply, body: Body) -> Body:
    wants = _either(body, "generationConfig", "generation_config") or {}
    thinking = _either(wants, "thinkingConfig", "thinking_config") or {}
    usage = reply.usage
    answer: Body = {
        "usageMetadata": {
            "promptTokenCount": usage.input,
            "cachedContentTokenCount": usage.cache_read,
            "candidatesTokenCount": usage.output - usage.reasoning,
            "thoughtsTokenCount": usage.reasoning,
            "totalTokenCount": usage.input + usage.output,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input}],
        },
        "modelVersion": reply.model,
        "responseId": reply.request_id,
    }
    if reply.finish_detail == "blocked":
        return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, **answer}
    if reply.finish == "refusal":
        return {"candidates": [{"finishReason": "SAFETY", "index": 0}], **answer}
    parts: list[Body] = []
    if reply.reasoning and _either(thinking, "includeThoughts", "include_thoughts"):
        parts.append({"text": reply.reasoning, "thought": True})
    if reply.text:
        parts.append({"text": reply.text})
    finish = "MAX_TOKENS" if reply.finish == "length" else "STOP"
    content = {"role": "model", "parts": parts} if parts else {"role": "model"}
    return {"candidates": [{"content": content, "finishReason": finish, "index": 0}], **answer}


def _error_gemini(problem: Problem, wait_s: float) -> Body:
    error: Body = {"code": problem.status, "message": problem.message, "status": problem.gemini}
    if problem.status == 429:
        retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{wait_s:g}s"}
        error["details"] = [retry]
    return {"error": error}


ANTHROPIC = Wire(
    "anthropic",
    _read_anthropic,
    _refuse_anthropic,
    _write_anthropic,
    lambda n: {"input_tokens": n},
    _error_anthropic,
    _headers_anthropic,
)
RESPONSES = Wire(
    "responses",
    _read_responses,
    _refuse_responses,
    _write_responses,
    lambda n: {"object": "response.input_tokens", "input_tokens": n},
    _error_openai,
    _headers_openai,
)
CHAT = Wire("chat", _read_chat, _refuse_chat, _write_chat, lambda n: {}, _error_openai, _headers_openai)
GEMINI = Wire(
    "gemini",
    _read_gemini,
    _refuse_gemini,
    _write_gemini,
    lambda n: {"totalTokens": n},
    _error_gemini,
    _headers_gemini,
)
