"""Rows against the types of the services' own libraries, as far as these say anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.genai import types as gemini
from mistral_common.protocol.instruct.messages import (
    FinetuningAssistantMessage,
    SystemMessage,
    UserMessage,
)
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import MistralRequestValidatorV3, ValidationMode
from openai.types.chat import ChatCompletionMessageParam
from openai.types.graders import python_grader_param
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

Read = Callable[[str], list[dict[str, Any]]]
MISTRAL = {"system": SystemMessage, "user": UserMessage, "assistant": FinetuningAssistantMessage}
CHAT = TypeAdapter(list[ChatCompletionMessageParam])


class Forbidding(BaseModel):
    model_config = ConfigDict(extra="forbid")


class GeminiSft(Forbidding):
    contents: list[gemini.Content]
    systemInstruction: gemini.Content | None = None


class Completion(Forbidding):
    score: int
    completion: gemini.Content


class GeminiPreference(Forbidding):
    contents: list[gemini.Content]
    completions: list[Completion]
    system_instruction: gemini.Content | None = None


def test_mistral(rows: Read) -> None:
    validator = MistralRequestValidatorV3(mode=ValidationMode.finetuning)
    for row in rows("mistral-sft"):
        messages = [MISTRAL[message["role"]](**message) for message in row["messages"]]
        validator.validate_request(ChatCompletionRequest(messages=messages, model="any"))


def test_gemini(rows: Read) -> None:
    for row in rows("gemini-sft"):
        GeminiSft.model_validate(row)
    for row in rows("gemini-pref"):
        GeminiPreference.model_validate(row)
    for row in rows("gemini-rl-prompts"):
        gemini.ReinforcementTuningExample.model_validate(row)


def test_gemini_does_refuse(rows: Read) -> None:
    row = rows("gemini-rl-prompts")[0]
    with pytest.raises(ValidationError):
        gemini.ReinforcementTuningExample.model_validate(row | {"references": {"legal": ["0"]}})


def test_openai(rows: Read) -> None:
    for name in ("openai-chat-sft", "openai-chat-rl-prompts", "together-sft", "fireworks-sft"):
        for row in rows(name):
            CHAT.validate_python(row["messages"])
    for row in rows("openai-chat-pref"):
        CHAT.validate_python(row["input"]["messages"])
        CHAT.validate_python(row["preferred_output"] + row["non_preferred_output"])


def test_openai_takes_the_grader(files: Path, rows: Read) -> None:
    source = (files / "openai-chat-rl-prompts" / "grader.py").read_text("utf-8")
    grader = {"type": "python", "name": "move", "source": source}
    TypeAdapter(python_grader_param.PythonGraderParam).validate_python(grader)
    room: dict[str, Any] = {}
    exec(compile(source, "grader.py", "exec"), room)
    for row in rows("openai-chat-rl-prompts"):
        item = {name: value for name, value in row.items() if name != "messages"}
        said = {"output_text": '{"action": %s}' % item["legal"][0]}  # noqa: UP031
        assert 0 <= room["grade"](said, item) <= 1
        assert room["grade"]({"output_text": "no move"}, item) == 0


def test_gemini_references_are_what_the_reward_reads(files: Path, rows: Read) -> None:
    room: dict[str, Any] = {}
    exec((files / "gemini-rl-prompts" / "reward.py").read_text("utf-8"), room)
    for row in rows("gemini-rl-prompts"):
        legal = room["json"].loads(row["references"]["legal"])
        worths = [room["worth"]('{"action": %s}' % move, **row["references"]) for move in legal]  # noqa: UP031
        assert max(worths) == 1.0
