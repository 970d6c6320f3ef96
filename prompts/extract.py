"""Where the answer stands in a reply: pure text, no game.

Models that are not held to a schema wrap their answer in thinking tags, code fences, lead-ins and drafts. What
is accepted here is a short list of forms, and everything else is a doubt: a doubt costs one more question, a
wrong guess costs a move that the model never chose. No list of suspicious words could be complete, in one
language or in all, so there is none.

The answer is the last thing in the reply: a JSON object with the key "action" or "move", plain or in a fence or
in one of a few known wrappers, or a last line such as `Action: 3`. Before it there may be nothing, one lead-in
such as `My answer:`, or prose that ends with a finished sentence. Any other object, unless it is the same one
again, any markup that is not known and any earlier line in the form of an answer is a doubt. Prose is never
read as an answer. Linear in the length of the reply, whatever the reply is.
"""

from __future__ import annotations

import json
import re
from itertools import dropwhile
from typing import Any, Literal, NamedTuple

ANSWER_KEYS = ("action", "move")
# These may confirm an answer and never are one.
SECOND_KEYS = ("answer", "choice", "final", "final_action", "final_answer", "final_move")

Doubt = Literal["", "blank", "none", "broken", "several", "unsettled"]

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
_WRAPPER = r"(?:answer|final|final_answer|output|response|json)>|<\|[a-z_]{1,24}\|>"
_OPENED = re.compile(rf"(?:<{_WRAPPER}|(?<=```)json|<\|constrain\|>json)\Z", re.I)
_CLOSED = re.compile(rf"(?:[{_DRESSING}.]|</{_WRAPPER})*", re.I)
_NAME = re.compile(
    r"^[ \t*_`#]*((?:(?:here is|this is)[ \t]+)?(?:(?:my|the)[ \t]+)?(?:(?:final|chosen)[ \t]+)?"
    r"(?:action|move|answer|choice|json|reply|response))[ \t*_`]*(?:is[ \t]*)?[:=](.*)$",
    re.I | re.M,
)
_FORECAST = re.compile(
    r"[ \t*_`#]*(?:my[ \t]+)?forecast[ \t*_`]*[:=][ \t*_`]*([0-9.]{1,12}[ \t]?%?)[ \t\r*_`]*", re.I
)
_TAGS = ("action", "move", "final answer", "final action", "final move")
_FOREIGN = re.compile(r"[<\[{}]|~~|&\w+;|[\"'“”](?:action|move)\s*[\"'“”]\s*:", re.I)


class Conflict:
    """The value of a key that one object holds twice with different values."""


class Extract(NamedTuple):
    """The answer as (key, value) in `values`, keys in lower case, or why there is none in `doubt`."""

    values: tuple[tuple[str, Any], ...]
    fields: dict[str, Any]  # the last answer object, also of a doubtful reply; empty for a tagged line
    doubt: Doubt = ""
    whole: bool = False  # the reply is one JSON object and nothing else


def extract(text: str, forecast: bool = False) -> Extract:
    """The one committed answer of `text`. Never raises.

    With `forecast` one was asked for, and a line such as `Forecast: 60` may stand beside an answer that lacks it.
    """
    whole = _whole(text.strip(_EDGES))
    if values := _answers(whole):
        return Extract(values, whole, whole=True)
    visible = without_thinking(text)
    if not visible.strip(_DRESSING):
        return Extract((), {}, "blank")
    if forecast:
        visible, beside = _without_forecast(visible)
        if beside:
            found = _committed(visible)
            return found._replace(fields={"forecast": beside, **found.fields})
    return _committed(visible)


def _committed(visible: str) -> Extract:
    """The answer of a reply that is more than one JSON object."""
    objects, complete = _objects(visible)
    answer = next((found.value for found in reversed(objects) if _answers(found.value)), None)
    if answer is None:
        return _tagged(visible.strip(_EDGES)) if complete else Extract((), {}, "broken")
    return Extract(_answers(answer), answer, _doubt(visible, objects) if complete else "broken")


def without_thinking(text: str) -> str:
    """The text outside thinking blocks. An unclosed block runs to the end; where the first tag is a closing
    one, the chat template has swallowed the opening one and everything before it was thinking. A block behind
    other text leaves a mark, because what it thinks again is not known."""
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
    kept.append(text[position:] if depth == 0 else "")
    return "<think>".join(dropwhile(lambda part: not part.strip(_EDGES), kept))


def decode(text: str, start: int = 0) -> tuple[Any, int]:
    """The JSON value at `start` and where it ends. ValueError if there is none or it is too deep."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value, end


class _Found(NamedTuple):
    start: int
    end: int
    value: dict[str, Any]


def _whole(text: str) -> dict[str, Any]:
    """The object that this text is, or an empty one."""
    try:
        value, end = decode(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) and end == len(text) else {}


def _objects(text: str) -> tuple[list[_Found], bool]:
    """The objects of `text`, up to the first opening brace that begins none, and whether there is no such."""
    found: list[_Found] = []
    position = 0
    while (start := text.find("{", position)) >= 0:
        try:
            value, position = decode(text, start)
        except ValueError:
            return found, False
        found.append(_Found(start, position, value))
    return found, True


def _answers(value: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    if not any(key in value for key in ANSWER_KEYS):
        return ()
    return tuple((key, value[key]) for key in ANSWER_KEYS + SECOND_KEYS if key in value)


def _doubt(text: str, objects: list[_Found]) -> Doubt:
    """What keeps these objects from being one answer, given once or several times in a row."""
    start, end, _ = objects[0]
    source = text[start:end]
    if any(text[other.start : other.end] != source for other in objects):
        return "several"
    settled = _introduced(text[:start]) and _CLOSED.fullmatch(text[end:].replace(source, ""))
    return "" if settled else "unsettled"


def _tagged(text: str) -> Extract:
    """A last line such as `**Action:** 3`, where no object is an answer."""
    before, _, last = text.rpartition("\n")
    name = _NAME.match(last)
    value = name[2].strip(_DRESSING) if name else ""
    if name is None or not value or name[1].lower() not in _TAGS:
        return Extract((), {}, "none")
    key = "move" if name[1].lower().endswith("move") else "action"
    clear = _clear(before) and "```" not in text
    return Extract(((key, value),), {}, "" if clear else "unsettled")


def _without_forecast(text: str) -> tuple[str, str]:
    """The text without the one line among its last two that is a forecast, and what that says; "" if none is."""
    lines = text.rstrip(_EDGES).split("\n")
    last = [n for n in range(len(lines) - 1, -1, -1) if lines[n].strip(_EDGES)][:2]
    found = [(n, said[1]) for n in last if (said := _FORECAST.fullmatch(lines[n]))]
    if len(found) != 1:
        return text, ""
    ((line, said_there),) = found
    return "\n".join(lines[:line] + lines[line + 1 :]), said_there.strip()


def _introduced(head: str) -> bool:
    """Whether an object after this text stands on a line of its own or behind its own lead-in."""
    said = head.rstrip(_DRESSING)
    for _ in range(3):  # a wrapper, a fence, a wrapper
        said = said[:-40] + _OPENED.sub("", said[-40:])
        said = said.rstrip(_DRESSING)
    before, _, last = said.rpartition("\n")
    if (name := _NAME.match(last)) and not name[2].strip(_DRESSING):
        return _clear(before)
    return _clear(said) and (not said or "\n" in head[len(said) :])


def _clear(said: str) -> bool:
    """Whether the line after this text is the speaker's own: there is nothing, or a sentence has ended."""
    if _FOREIGN.search(said) or _NAME.search(said) or said.count("```") % 2:
        return False
    last = said.rstrip(_DRESSING).rpartition("\n")[2]
    if last.endswith((".", "!")):
        return not last.endswith("..") and len(last.split(None, 3)) > 3  # shorter ones are headings
    return not last or last.endswith(("。", "！"))


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
