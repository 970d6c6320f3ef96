"""Where the answers stand in a reply: pure text, no game.

Models that are not held to a schema wrap their answer in thinking tags, code fences, second thoughts and
half-quoted drafts. This module finds every place that could be meant as an answer and says how each one
stands in the text; `parse.py` decides what they mean. Where there is room for doubt it says so: a doubt costs
one more question, a wrong guess costs a move that the model never chose.

Two forms count: a JSON object with the key "action" or "move", and a whole line such as `Action: 3`. Prose is
never read as an answer. Linear in the length of the reply, whatever the reply is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

ANSWER_KEYS = ("action", "move")
SECOND_KEYS = ("final", "final_action", "final_answer", "final_move")  # may confirm an answer, never be one
MAX_BROKEN = 64  # failed attempts to read an object; each may cost one pass over the text

# Byte order and direction marks that copying leaves behind; they never carry meaning in an answer.
_EDGES = " \t\r\n\0\ufeff\u200b\u200e\u200f"
_DRESSING = _EDGES + "`*_"

_THOUGHT = r"(?:think|thinking|thought|thoughts|reasoning|scratchpad|analysis)"
_THINK = re.compile(
    rf"<\s?/?\s?(?:\w+:)?{_THOUGHT}(?:\s[^<>]{{0,80}})?>|\[/?think\]|◁/?think▷"
    r"|<\|(?:begin|start|end)_(?:of_)?(?:thought|thinking|think)\|>",
    re.I,
)
_CLOSING = re.compile(r"\W{1,2}/|<\|end", re.I)
_FENCED_THOUGHT = re.compile(rf"^```[ \t]*{_THOUGHT}[ \t]*$.*?(?:```|\Z)", re.I | re.M | re.S)
_WRAPPER = re.compile(r"</?(?:answer|final|final_answer|output|response|json)>|<\|[a-z_]{1,24}\|>", re.I)
_OPENING = re.compile(r'\{\s*"|\[\s*\{|[{}]')
_NOT_MINE = re.compile(  # words in a line such as "Then the opponent plays:" before an object
    r"n['’]t\b|\b(?:not|no|opponent\w*|their|they|then|if|would|could|might|example|like|consider\w*|draft\w*"
    r"|first|initial\w*|earlier|previous\w*|before|bad|wrong|worse|weak\w*|reject\w*|instead|alternative\w*"
    r"|candidate\w*|option\w*|idea|avoid\w*|los\w+|tempt\w*|rather|illegal|invalid)\b",
    re.I,
)
_TAG = re.compile(
    r"^[ \t*_`#]*(?:(?:my|the)[ \t]+)?(?:(?:final|chosen)[ \t]+)?(action|move|answer|choice|final)"
    r"[ \t*_`]*(?:is[ \t]*)?[:=](.*)$",
    re.I | re.M,
)
_BROKEN = re.compile(
    r"[\"'“”{,]\s*\\?[\"'“”]?(?:action|move)\s*\\?[\"'“”]\s*:|\{\s*(?:action|move)\s*:", re.I
)


class Conflict:
    """The value of a key that one object holds twice with different values."""


class Found(NamedTuple):
    """One place that could be meant as the answer. `values` are (key, value), keys in lower case."""

    start: int
    end: int
    values: tuple[tuple[str, Any], ...]
    fields: dict[str, Any]  # the whole object; empty for a tagged line
    committed: bool  # stands on its own, outside any sentence, list or larger broken object


class Extract(NamedTuple):
    """All places in reading order, and what surrounds them."""

    found: tuple[Found, ...]
    whole: bool  # the reply is one JSON object and nothing else
    broken: bool  # something else looks like an answer object but is not valid JSON
    blank: bool  # nothing is left once thinking is taken away
    tail: str  # what follows the last place


def extract(text: str) -> Extract:
    """The places of `text` that could be answers. Never raises."""
    whole = _whole(text.strip(_EDGES))
    if whole is not None:
        return Extract((whole,), True, False, False, "")
    visible = _WRAPPER.sub("\n", without_thinking(text))
    objects, rest, broken = _objects(visible)
    found = sorted([*objects, *_tags(rest)])
    tail = rest[found[-1].end :] if found else rest
    return Extract(
        tuple(found),
        False,
        broken or _BROKEN.search(rest) is not None,
        not visible.strip(_DRESSING),
        tail.strip(_DRESSING),
    )


def without_thinking(text: str) -> str:
    """The text outside thinking blocks. An unclosed block runs to the end; where the first tag is a closing
    one, the chat template has swallowed the opening one and everything before it was thinking."""
    if "<|channel|>" in text:
        return text.rpartition("<|channel|>final")[2] if "<|channel|>final" in text else ""
    kept: list[str] = []
    depth = position = 0
    for at, tag in enumerate(_THINK.finditer(text)):
        closing = _CLOSING.match(tag[0]) is not None
        if depth == 0 and not (at == 0 and closing):
            kept.append(text[position : tag.start()])
        depth = max(depth - 1, 0) if closing else depth + 1
        position = tag.end()
    if depth == 0:
        kept.append(text[position:])
    return _FENCED_THOUGHT.sub("\n", "\n".join(kept))


def decode(text: str, start: int = 0) -> tuple[Any, int]:
    """The JSON value at `start` and where it ends. ValueError if there is none or it is too deep."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value, end


def _whole(text: str) -> Found | None:
    if not text.startswith("{"):
        return None
    try:
        value, end = decode(text)
    except ValueError:
        return None
    values = _answers(value)
    return Found(0, end, values, value, True) if end == len(text) and values else None


def _objects(text: str) -> tuple[list[Found], str, bool]:
    """Top-level answer objects, the text with decoded values blanked out, and whether we had to give up."""
    spans: list[tuple[int, int, Any, int]] = []
    depth = broken = position = 0
    while (opening := _OPENING.search(text, position)) is not None:
        position = opening.start() + 1
        if len(opening[0]) > 1:
            try:
                value, position = decode(text, opening.start())
                spans.append((opening.start(), position, value, depth))
                continue
            except ValueError:
                broken += 1
                if broken > MAX_BROKEN:
                    return [], text, True
        # Not JSON: whatever stands inside these braces belongs to something that we could not read.
        if opening[0][0] == "{":
            depth += 1
        elif opening[0] == "}":
            depth = max(depth - 1, 0)
    return list(_stand(text, spans)), _blanked(text, spans), False


def _stand(text: str, spans: list[tuple[int, int, Any, int]]) -> Iterator[Found]:
    """The spans that hold an answer, each with how it stands in the text."""
    for at, (start, end, value, depth) in enumerate(spans):
        if values := _answers(value):
            before = text[spans[at - 1][1] if at else 0 : start]
            after = text[end : spans[at + 1][0] if at + 1 < len(spans) else None].partition("\n")[0]
            alone = _introduced(before) and not after.strip(_DRESSING + ".")
            yield Found(start, end, values, value if isinstance(value, dict) else {}, alone and depth == 0)


def _introduced(before: str) -> bool:
    """Whether an object after this text is the speaker's own: on a new line, or behind their own colon."""
    head = before.rstrip(_DRESSING)
    if head[-4:].lower() == "json":
        head = head[:-4].rstrip(_DRESSING)
    if head.endswith(":"):
        return not _NOT_MINE.search(head.rpartition("\n")[2])
    return not head or "\n" in before[len(head) :]


def _blanked(text: str, spans: list[tuple[int, int, Any, int]]) -> str:
    parts: list[str] = []
    position = 0
    for start, end, _, _ in spans:
        parts += (text[position:start], " " * (end - start))
        position = end
    return "".join([*parts, text[position:]])


def _answers(value: Any) -> tuple[tuple[str, Any], ...]:
    """The answer keys of an object; a list of answers is a conflict whatever it holds."""
    if isinstance(value, list):
        holds = any(isinstance(item, dict) and _answers(item) for item in value)
        return (("list", Conflict()),) if holds else ()
    if not any(key in value for key in ANSWER_KEYS):
        return ()
    return tuple((key, value[key]) for key in ANSWER_KEYS + SECOND_KEYS if key in value)


def _tags(rest: str) -> Iterator[Found]:
    """Whole lines such as `**Action:** 3`; a tag with nothing after it is a heading."""
    for line in _TAG.finditer(rest):
        value = line[2].strip(_DRESSING + "\"'")
        if value and value.lower() != "json":
            key = "move" if line[1].lower() == "move" else "action"
            yield Found(line.start(), line.end(), ((key, value),), {}, True)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        name = key.strip().lower()
        twice = name in out and not (type(out[name]) is type(value) and out[name] == value)
        out[name] = Conflict() if twice else value
    return out


def _integer(text: str) -> int | float:
    """Python refuses to convert thousands of digits; no move has that many."""
    return int(text) if len(text) <= 18 else float("inf")


def _decimal(text: str) -> int | float:
    """3.0 is the integer 3, but 2.99999999999999999999 is not, though it is the same float."""
    whole, _, rest = text.partition(".")
    return _integer(whole) if rest and not rest.strip("0") else float(text)


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=_integer, parse_float=_decimal, strict=False)
