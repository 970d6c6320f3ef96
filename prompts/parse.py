"""How an answer is read: exactly, or not at all.

Order: the provider's own word (refusal, cut off), then the whole reply as one JSON object, then what
`extract.py` finds in it: one committed answer or a doubt. Every field that could be meant as the answer must
name the same legal move, otherwise the reply is ambiguous, and the player asks again. A legal move is never
picked out of prose and an illegal one is never replaced, because a substituted move looks like play in the
record and is nobody's.

What one value may mean. Open track: the listed number, as a JSON integer or the same digits in a string; or,
since it cannot mean anything else, the exact notation of a legal move. Rules track: the notation, in any
case unless the game's own notation distinguishes cases; an integer where moves are written as numbers.
On the rules track no message says or hints which moves are legal.

A forecast is read only where one was asked for, and never costs the move: whatever is no number of per cent is
none. A fraction below 1 is none either, because nobody knows whether it was meant as a share.

Where a service gives a probability for each number that it was offered, they are kept by action id: what is
no legal move is dropped, a legal move without one has 0, and the rest is scaled to the sum 1. A table that
leaves nothing, or holds what is no probability, is dropped and the move stands.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from .extract import ANSWER_KEYS, SECOND_KEYS, Conflict, extract
from .question import Answer, Choice, Track, Unreadable, UnreadableKind, check_asked, numbered
from .render import texts

if TYPE_CHECKING:
    from engine.core import View

QUOTED = 80  # characters of the model's own words in a message

_PER_CENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?) ?(%?)")
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")
NO_ANSWER = {*ANSWER_KEYS, *SECOND_KEYS, "forecast", "probabilities"}  # beside the styles' own texts

_TROUBLE: dict[str, tuple[UnreadableKind, str]] = {
    "blank": ("empty", "there was nothing after the thinking"),
    "none": ("unparsable", 'there is no JSON object with the field "{key}" in it'),
    "broken": ("unparsable", "its JSON is not valid"),
    "several": ("ambiguous", "it gives more than one answer"),
    "unsettled": ("ambiguous", "the text around the answer leaves open whether it is meant"),
}
_EXPECTED: dict[Track, str] = {
    "open": (
        "Answer with one JSON object and nothing else, in the form asked for; "
        'its field "action" is one number from the list of legal moves, as an integer.'
    ),
    "rules": (
        "Answer with one JSON object and nothing else, in the form asked for; "
        'its field "move" is one legal move in the notation of the rules, as a string.'
    ),
}


def parse(reply: Answer, view: View, track: Track, *, forecast: bool = False) -> Choice | Unreadable:
    """The legal action that `reply` names, or why it names none. Never raises for what a model wrote.

    `forecast`: one was asked for, too.

    Raises ValueError for an unknown track and for a view whose seat is not to move.
    """
    check_asked(view, track)
    if reply.finish in ("refusal", "filtered"):
        return _unreadable("refusal", "it was declined; this is a game, and a move is asked for", track)
    text = reply.text
    cut = reply.finish == "length"
    if not text.strip():
        if cut:
            return _unreadable("truncated", "it was cut off before any text; answer more briefly", track)
        return _unreadable("empty", "it was empty", track)
    found = extract(text, forecast)
    rationale = _rationale(found.fields)
    if cut and not found.whole:
        return _unreadable(
            "truncated", "it was cut off before it was complete; answer more briefly", track, rationale
        )
    if found.doubt:
        kind, why = _TROUBLE[found.doubt]
        return _unreadable(kind, why.format(key="action" if track == "open" else "move"), track, rationale)
    moves = _Moves(view, track)
    reading = _agreed([moves.read(key, value) for key, value in found.values])
    if reading.action is None:
        return _unreadable(reading.kind, reading.why, track, rationale)
    if (name := _contradiction(found.fields, reading.action, moves)) is not None:
        return _unreadable("ambiguous", f"its field {shown(name)} may name another move", track, rationale)
    return Choice(
        reading.action,
        rationale,
        _forecast(found.fields.get("forecast")) if forecast else None,
        _probabilities(reply.probabilities, moves.by_number),
    )


def shown(text: str) -> str:
    """The model's own words as a message may quote them: short, on one line, with nothing invisible in it."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:QUOTED])
    return f'"{plain}{"..." if len(text) > QUOTED else ""}"'


class _Reading(NamedTuple):
    """What one value means: an action, or why not."""

    action: int | None
    kind: UnreadableKind = "unparsable"
    why: str = ""


class _Moves:
    """The legal moves by every name that an answer may use."""

    def __init__(self, view: View, track: Track) -> None:
        self.track = track
        self.by_number = {number: action.id for number, action in numbered(view)} if track == "open" else {}
        self.by_text = {action.text: action.id for action in view.legal}
        self._played = [move.text for move in view.history]

    def read(self, key: str, value: Any) -> _Reading:
        """What a value under `key` means; under "move" it is notation, never a listed number."""
        counts = self.track == "open" and not key.endswith("move")
        if isinstance(value, Conflict):
            return _Reading(None, "ambiguous", "it gives more than one answer")
        if isinstance(value, str):
            return self._text(value.strip(" \t\r\n"), counts)
        if type(value) is int:  # a bool is no number here
            return self._number(value) if counts else self._text(str(value), False)
        return _Reading(
            None, "unparsable", f"the value of {shown(key)} is {shown(_json(value))}, which is no move"
        )

    def _number(self, number: int) -> _Reading:
        action = self.by_number.get(number)
        if action is None:
            return _Reading(None, "illegal", f"{shown(str(number))} is not the number of a listed legal move")
        return _Reading(action)

    def _text(self, text: str, counts: bool) -> _Reading:
        if text not in self.by_text:
            text = text.removesuffix(".")
        named = self._named(text)
        if not (counts and _NUMBER.fullmatch(text)):
            return _Reading(named) if named is not None else self._unknown(text)
        reading = self._number(int(text))
        if named not in (None, reading.action):
            return _Reading(
                None, "ambiguous", f"{shown(text)} is the number of one move and the name of another"
            )
        return reading

    def _named(self, text: str) -> int | None:
        """By notation. Case is ignored only in a game whose notation, as far as seen, never mixes cases."""
        if text in self.by_text or not text.isascii():
            return self.by_text.get(text)
        return self.by_text.get(self._fold(text))

    @cached_property
    def _fold(self) -> Callable[[str], str]:
        known = "".join([*self.by_text, *self._played])
        return next((fold for fold in (str.lower, str.upper) if fold(known) == known), str)

    def _unknown(self, text: str) -> _Reading:
        if self.track == "open" or not text.isascii() or not 0 < len(text.split()) <= 1 or len(text) > 16:
            return _Reading(None, "unparsable", f"{shown(text)} could not be read as one move")
        return _Reading(None, "illegal", f"{shown(text)} is not a legal move in this position")


def _agreed(readings: Iterable[_Reading]) -> _Reading:
    """The one thing that all readings say."""
    distinct = list(dict.fromkeys(readings))
    if len(distinct) == 1:
        return distinct[0]
    return _Reading(None, "ambiguous", "it gives more than one answer")


def _contradiction(fields: dict[str, Any], action: int, moves: _Moves) -> str | None:
    """The first field, not known to be something else, that names another legal move or hides who knows what."""
    for name, value in fields.items():
        if name in NO_ANSWER or name in texts():
            continue
        reading = moves.read("action", value)
        if (
            isinstance(value, dict | list)
            or reading.kind == "ambiguous"
            or reading.action not in (None, action)
        ):
            return name
    return None


def _rationale(fields: dict[str, Any]) -> str:
    """The texts that came with the answer; named where there are several."""
    skip = {*ANSWER_KEYS, *SECOND_KEYS, "forecast"}
    texts = {name: _plain(value) for name, value in fields.items() if name not in skip}
    text = "\n".join(f"{name}: {text}" if len(texts) > 1 else text for name, text in texts.items() if text)
    return text.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair fits in no file


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else _json(value)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=lambda _: "conflicting values")
    except RecursionError:
        return "a deeply nested value"


def _forecast(value: Any) -> float | None:
    """The share that was given in per cent: a number, or one in a string, where a sign leaves no doubt of the unit."""
    sure = False
    if isinstance(value, str) and (said := _PER_CENT.fullmatch(value.strip())):
        value, sure = float(said[1]), bool(said[2])
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        return None
    return None if 0 < value < 1 and not sure else value / 100


def _probabilities(
    table: Mapping[int, float] | None, by_number: Mapping[int, int]
) -> dict[int, float] | None:
    """A table by number as one by action id, over the legal actions; on the rules track there are no numbers."""
    if table is None or not by_number:
        return None
    found = {action: table.get(number, 0.0) for number, action in by_number.items()}
    total = math.fsum(found.values())
    if not (0 < total < math.inf and all(p >= 0 for p in found.values())):
        return None
    return {action: p / total for action, p in found.items()}


def _unreadable(kind: UnreadableKind, why: str, track: Track, rationale: str = "") -> Unreadable:
    return Unreadable(kind, f"Your answer could not be used: {why}. {_EXPECTED[track]}", rationale)
