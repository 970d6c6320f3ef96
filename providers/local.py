"""Any OpenAI-compatible server, by default the one on this machine: Ollama, llama.cpp, vLLM, LM Studio.

Plain aiohttp, chat completions, no SDK: this dialect is small and every server's is a little different.
Two differences are dealt with here. Thinking comes as `reasoning_content`, as `reasoning`, or inside the
text before `</think>`. And some servers answer 400 or 500 to a `json_schema` response format but know the
older `json_object` with a schema: the first such answer is Retryable, the next attempt tries the older form,
and whichever form works first is kept for that model.

`LOCAL_BASE_URL` (Ollama's port if unset) and, for servers that ask for one, `LOCAL_API_KEY`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from providers import wire
from providers.base import (
    Capabilities,
    Final,
    Finish,
    ProviderError,
    Reply,
    Request,
    Retryable,
    Usage,
    redact,
)

if TYPE_CHECKING:
    import aiohttp

SERVICE = wire.Service(
    name="local",
    sdk="aiohttp",
    url="http://127.0.0.1:11434/v1",
    url_variable="LOCAL_BASE_URL",
    key_variables=("LOCAL_API_KEY",),
    key_needed=False,
)
_FINISH: Mapping[str, Finish] = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "content_filter": "filtered",
}
_FORMS = ("json_schema", "json_object")
_FORM_UNKNOWN = (400, 422, 500, 501)  # what servers answer to a response format they do not know


def create(**options: str) -> Local:
    base_url = options.pop("base_url", "")
    wire.no_options("local", options)
    return Local(base_url)


class Local:
    name = "local"

    def __init__(self, base_url: str = "") -> None:
        self._base_url = wire.with_v1(SERVICE.base_url(base_url))
        self._session: aiohttp.ClientSession | None = None
        self._form: dict[str, str] = {}  # model -> the form to ask for next
        self._settled: set[str] = set()  # models whose form has worked

    def capabilities(self, model: str) -> Capabilities:
        return Capabilities(seed=True, reasoning="raw")

    async def complete(self, request: Request) -> Reply:
        wire.check(self.name, request, self.capabilities(request.model))
        session = self._open()
        import aiohttp

        form = self._form.get(request.model, _FORMS[0]) if wants_form(request) else ""
        sent = wire.dumps(chat_body(request, form))
        data = _bytes(sent)
        started = time.perf_counter()
        try:
            async with (
                asyncio.timeout(request.timeout_s),
                session.post(
                    f"{self._base_url}/chat/completions", data=data, allow_redirects=False
                ) as answer,
            ):
                text = redact(await answer.text(errors="replace"))
        except (TimeoutError, aiohttp.ClientError) as error:
            raise wire.unanswered(self.name, self._base_url, error, request.timeout_s, sent) from None
        latency_s = time.perf_counter() - started
        if answer.status != 200:
            raise self._refused(request.model, form, answer, text, sent)
        found = wire.Answer(sent, text, answer.headers, latency_s)
        reply = wire.replied(chat_reply, found, self.name, "x-request-id")
        if form:
            self._settled.add(request.model)
        return reply

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            key = SERVICE.endpoint(self._base_url).key
            headers = {"Content-Type": "application/json"} | (
                {"Authorization": f"Bearer {key}"} if key else {}
            )
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=None),  # every attempt has its own; the default is 300 s
            )
        return self._session

    def _refused(
        self, model: str, form: str, answer: aiohttp.ClientResponse, text: str, sent: str
    ) -> ProviderError:
        """The error to raise; where the response format may be to blame, it turns to the other one."""
        error = wire.refused(self.name, answer.status, text, answer.headers, sent)
        blameless = isinstance(error, Final) and error.kind != "bad_request"
        if not form or model in self._settled or blameless or answer.status not in _FORM_UNKNOWN:
            return error
        if form == _FORMS[1]:  # it was not the form
            self._form.pop(model, None)
            return error
        self._form[model] = _FORMS[1]
        return Retryable(
            "protocol",
            f"{error.message}; it may not know {form}, so {_FORMS[1]} is tried next",
            status=answer.status,
            retry_after_s=0.0,
            request_id=error.request_id,
            raw_request=sent,
            raw_response=text,
        )


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except ValueError as error:
        raise wire.unsendable(SERVICE.name, error, text) from None


def wants_form(request: Request) -> bool:
    return request.mode == "json" and request.schema is not None


def chat_body(request: Request, form: str) -> dict[str, Any]:
    """A chat completion's request; `form` is one of `_FORMS`, or "" where no form is asked for."""
    body: dict[str, Any] = {
        "model": request.model,
        "messages": chat_messages(request),
        "max_tokens": request.max_output_tokens,
    }
    if form == "json_object":
        body["response_format"] = {"type": form, "schema": request.schema}
    elif form:
        answer = {"name": "answer", "strict": True, "schema": request.schema}
        body["response_format"] = {"type": form, form: answer}
    if request.effort is not None:
        body["reasoning_effort"] = request.effort
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.seed is not None:
        body["seed"] = request.seed
    return body


def chat_messages(request: Request) -> list[dict[str, str]]:
    """System first, where there is one, then the turns."""
    system = [{"role": "system", "content": request.system}] if request.system else []
    return system + [{"role": m.role, "content": m.content} for m in request.messages]


def chat_reply(answer: Any) -> Reply:
    """A chat completion as a Reply; raises LookupError or TypeError if it is not one."""
    choice = answer["choices"][0]
    message = choice["message"]
    text, refusal = message.get("content") or "", message.get("refusal") or ""
    thoughts = message.get("reasoning_content") or message.get("reasoning") or ""
    if not thoughts:
        thoughts, text = _think(text)
    word = choice.get("finish_reason") or ""
    return Reply(
        text=text or refusal,
        usage=chat_usage(answer.get("usage") or {}),
        finish="refusal" if refusal else _FINISH.get(word, "other"),
        finish_detail="refusal" if refusal else word,
        reasoning=thoughts,
        reasoning_kind="raw" if thoughts else "none",
        model=answer.get("model") or "",
        request_id=answer.get("id") or "",
    )


def _think(text: str) -> tuple[str, str]:
    """(thoughts, rest). The opening tag may stand in the model's own template, so the closing one decides."""
    head, closing, rest = text.partition("</think>")
    if closing:
        return head.strip().removeprefix("<think>").strip(), rest.lstrip()
    if text.lstrip().startswith("<think>"):  # cut off in the middle of a thought
        return text.strip().removeprefix("<think>").strip(), ""
    return "", text


def chat_usage(used: Mapping[str, Any]) -> Usage:
    """`prompt_tokens` includes what a cache gave and took, `completion_tokens` the thinking."""
    prompt, output = used.get("prompt_tokens_details") or {}, used.get("completion_tokens_details") or {}
    read = wire.count(prompt.get("cached_tokens"))
    written = wire.count(prompt.get("cache_creation_tokens")) or wire.count(prompt.get("cache_write_tokens"))
    long = wire.count((prompt.get("cache_creation_token_details") or {}).get("ephemeral_1h_input_tokens"))
    return Usage(
        input_fresh=max(0, wire.count(used.get("prompt_tokens")) - read - written),
        cache_read=read,
        cache_write_short=max(0, written - long),
        cache_write_long=long,
        output=wire.count(used.get("completion_tokens")),
        reasoning=wire.count(output.get("reasoning_tokens")),
    )
