"""Everything else, through litellm: `litellm:mistral/…`, `litellm:openai/…`, `litellm:anthropic/…`.

An optional extra: `pip install 'duelist[litellm]'`. It is told to stay at home (price map and header table
from the wheel, not from the network) and to try once. What it loses is lost here too: the status 529, most
Retry-After headers, what the headers of a good answer say of limits, the length of OpenAI's cache writes, and
the exact bodies. Batches and native decisions are for the vendors' own files. `raw_request` is the call as
litellm was asked, `raw_response` its answer in the shape of a chat completion. For the vendors that have a
file here, key and address come from the same variables as there; for all others from those that litellm
reads itself.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from providers import anthropic, google, openai, wire
from providers.base import (
    EFFORTS,
    Capabilities,
    Final,
    ProviderError,
    ReasoningKind,
    Reply,
    Request,
    Usage,
    keep_secret,
    redact,
)
from providers.local import chat_body, chat_reply, wants_form

SERVICE = wire.Service(
    name="litellm",
    sdk="litellm",
    url="",
    url_variable="",
    key_variables=(),
    key_needed=False,
    install="duelist[litellm]",
)
_AT_HOME = ("LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS")
_OURS: Mapping[
    str, tuple[wire.Service, str]
] = {  # prefix -> whose variables, and what litellm adds to the URL
    "anthropic": (anthropic.SERVICE, ""),
    "openai": (openai.SERVICE, "/v1"),
    "gemini": (google.SERVICE, "/v1beta"),
}
_EFFORTS = {"anthropic": anthropic.efforts, "openai": openai.efforts, "gemini": google.efforts}


def service_of(model: str) -> wire.Service:
    """Whose key and address a model's calls use: its vendor's, where that is one of ours."""
    return _OURS.get(model.partition("/")[0], (SERVICE, ""))[0]


def create(**options: str) -> LiteLLM:
    base_url = options.pop("base_url", "")
    wire.no_options("litellm", options)
    return LiteLLM(base_url)


class LiteLLM:
    name = "litellm"

    def __init__(self, base_url: str = "") -> None:
        self._base_url = base_url

    def capabilities(self, model: str) -> Capabilities:
        """What litellm would translate; where a model takes less, its own 400 says so."""
        vendor = model.partition("/")[0]
        shown: ReasoningKind = "summary" if vendor in _OURS else "raw"
        words = _EFFORTS.get(vendor, lambda _: EFFORTS)(model.rpartition("/")[2])
        return Capabilities(seed=vendor != "anthropic", efforts=words, reasoning=shown)

    async def complete(self, request: Request) -> Reply:
        wire.check(self.name, request, able := self.capabilities(request.model))
        form = "json_schema" if wants_form(request) else ""
        body, where = chat_body(request, form), self._where(request.model)
        litellm, sent = load_sdk(), wire.dumps(body)
        from openai import OpenAIError  # all of litellm's errors are made of these

        started = time.perf_counter()
        try:
            async with asyncio.timeout(request.timeout_s):
                answer = await litellm.acompletion(
                    **body, **where, timeout=request.timeout_s, num_retries=0, max_retries=0
                )
        except (TimeoutError, litellm.Timeout):
            raise wire.unanswered(self.name, "", TimeoutError(), request.timeout_s, sent) from None
        except litellm.ContentPolicyViolationError as error:
            return _filtered(error, sent, time.perf_counter() - started)
        except OpenAIError as error:
            raise self._refused(litellm, error, request.timeout_s, sent) from None
        latency_s = time.perf_counter() - started
        text = redact(answer.model_dump_json())
        reply = wire.read(chat_reply, text, self.name, sent)
        return replace(
            reply,
            reasoning_kind=able.reasoning if reply.reasoning else "none",
            raw_request=redact(sent),
            raw_response=text,
            latency_s=latency_s,
        )

    async def aclose(self) -> None:
        """Closes litellm's clients, which are one set for the whole process."""
        import sys

        litellm = sys.modules.get("litellm")
        if litellm is not None:
            await litellm.close_litellm_async_clients()
            litellm.in_memory_llm_clients_cache.flush_cache()

    def _where(self, model: str) -> dict[str, str]:
        """Key and address, where they are ours to know."""
        given = {"api_base": self._base_url} if self._base_url else {}
        service, suffix = _OURS.get(model.partition("/")[0], (None, ""))
        if service is None:
            return given
        at = service.endpoint(self._base_url)
        base = at.base_url.removesuffix(suffix) + suffix
        return {"api_key": at.key, "api_base": base}

    def _refused(self, litellm: Any, error: Any, after_s: float, sent: str) -> ProviderError:
        if isinstance(error, litellm.ContextWindowExceededError):
            return Final("too_long", str(error), status=400, raw_request=sent)
        status = getattr(error, "status_code", None)
        if not isinstance(status, int) or isinstance(error, litellm.APIConnectionError):
            return wire.unanswered(self.name, self._base_url, error, after_s, sent, opaque=True)
        headers = getattr(error, "litellm_response_headers", None) or _headers(error)
        return wire.refused(self.name, status, str(error), headers, sent)


def load_sdk() -> Any:
    """litellm, told before its import to stay at home."""
    for variable in _AT_HOME:
        os.environ.setdefault(variable, "True")
    for name, value in os.environ.items():  # litellm finds its keys itself, and quotes them in errors
        if name.endswith(("_API_KEY", "_API_TOKEN")):
            keep_secret(value)
    import litellm

    litellm.suppress_debug_info = True
    return litellm


def _filtered(error: Exception, sent: str, latency_s: float) -> Reply:
    detail = redact(f"{type(error).__name__}: {error}"[:300])
    return Reply(
        "", Usage(), "filtered", detail, raw_request=redact(sent), raw_response=detail, latency_s=latency_s
    )


def _headers(error: Any) -> Mapping[str, str]:
    found: Mapping[str, str] = getattr(getattr(error, "response", None), "headers", None) or {}
    return found
