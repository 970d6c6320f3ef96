"""What an answer to a question of this data set is worth. Nothing but Python's own library is needed.

An answer that is no legal move is worth `illegal`: 0, or -1 where rewards go from -1 to 1. A legal one is worth 1
less what it gives away: 1 - (best - played) / (best - worst), over the exact or searched values of all legal moves;
1 where all are worth the same or nothing is known. So format alone does not pay: what is legal and worst is worth 0.

    TRL            GRPOTrainer(reward_funcs=reward, ...)            the columns of the data reach it by name
    OpenAI, Azure  {"type": "python", "name": "move", "source": <this file>}     calls grade(sample, item)
    elsewhere      worth(text, **references), as a Lambda or on Cloud Run; JSON in a text is read

An answer is read as the arena reads it: one JSON object, after any thoughts, that is meant as the answer beyond
doubt. What leaves a doubt (two answers, a field that names another move, a move in a sentence) is no move, or a
model would learn to hedge. The arena also takes a last line such as `Action: 3`; here nothing but an object counts.
"""

import json
import re
from typing import Any

ANSWER_KEYS = ("action", "move")
SECOND_KEYS = (
    "answer",
    "choice",
    "final",
    "final_action",
    "final_answer",
    "final_move",
)  # may confirm an answer
TEXTS = ("candidates", "rationale", "threats", "forecast", "probabilities")  # may speak of any move
DOUBT = object()


def reward(
    prompts: list[Any],
    completions: list[Any],
    legal: list[Any],
    move_values: list[Any],
    notation: list[Any] | None = None,
    track: list[str] | None = None,
    **columns: object,
) -> list[float]:
    """One number per completion, as TRL wants it: a completion is a text or a list of messages."""
    return _rewards(completions, legal, move_values, notation, track, 0.0)


def reward_signed(
    prompts: list[Any],
    completions: list[Any],
    legal: list[Any],
    move_values: list[Any],
    notation: list[Any] | None = None,
    track: list[str] | None = None,
    **columns: object,
) -> list[float]:
    """As `reward`, with -1 for what is no legal move."""
    return _rewards(completions, legal, move_values, notation, track, -1.0)


def grade(sample: dict[str, Any], item: dict[str, Any]) -> float:
    """One number, as OpenAI's python grader wants it."""
    text = sample.get("output_text") or ""
    return worth(text, item["legal"], item["move_values"], item.get("notation"), item.get("track", "open"))


def worth(
    text: str,
    legal: Any,
    move_values: Any,
    notation: Any = None,
    track: str = "open",
    illegal: float = 0.0,
    **columns: object,
) -> float:
    """Of one answer. `legal` are the moves by the names that the question gives them, `notation` as the rules do.

    `move_values` are by the names of `legal`, or null. Lists and objects may be JSON in a text.
    """
    moves, names, values = _read(legal), _read(notation), _read(move_values)
    move = answered(text, moves, names, track)
    if move is None:
        return illegal
    if not values:
        return 1.0
    best, worst = max(values.values()), min(values.values())
    return 1.0 if best == worst else 1.0 - (best - values[move]) / (best - worst)


def answered(
    text: str, legal: list[str], notation: list[str] | None = None, track: str = "open"
) -> str | None:
    """The one of `legal` that an answer names beyond doubt, or None."""
    fields = _object(text)
    if fields is None:
        return None
    moves = _Moves(legal, notation or legal, track)
    named = [moves.read(key, fields[key]) for key in ANSWER_KEYS + SECOND_KEYS if key in fields]
    move = named[0]
    if not isinstance(move, str) or any(other != move for other in named):
        return None
    for key, value in fields.items():
        if key not in ANSWER_KEYS + SECOND_KEYS + TEXTS and (
            isinstance(value, dict | list) or moves.read("action", value) not in (None, move)
        ):
            return None
    return move


def _rewards(
    completions: list[Any], legal: list[Any], values: list[Any], notation: Any, track: Any, illegal: float
) -> list[float]:
    found = []
    for at, one in enumerate(completions):
        text = one if isinstance(one, str) else one[-1].get("content") or ""
        names, way = notation[at] if notation else None, track[at] if track else "open"
        found.append(worth(text, legal[at], values[at], names, way, illegal))
    return found


def _read(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


# ── which move a value names ─────────────────────────────────────────────────────────────────────────

NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")


class _Moves:
    """The legal moves by every name that an answer may use: their numbers on the open track, and their notation."""

    def __init__(self, legal: list[str], notation: list[str], track: str) -> None:
        self.is_open = track == "open"
        self.numbers = {str(name): str(name) for name in legal} if self.is_open else {}
        self.texts = {str(text): str(name) for text, name in zip(notation, legal, strict=True)}

    def read(self, key: str, value: Any) -> Any:
        """One of `legal`, None for no move, DOUBT for two at once."""
        counts = self.is_open and not key.endswith("move")
        if isinstance(value, _Conflict):
            return DOUBT
        if type(value) is int:
            return self.numbers.get(str(value)) if counts else self.named(str(value))
        if not isinstance(value, str):
            return None
        text = value.strip(" \t\r\n")
        text = text if text in self.texts else text[:-1] if text.endswith(".") else text
        named = self.named(text)
        if not (counts and NUMBER.fullmatch(text)):
            return named
        number = self.numbers.get(text)
        return number if named in (None, number) else DOUBT

    def named(self, text: str) -> str | None:
        """By notation; in another case where the notation has but one."""
        if text in self.texts or not text.isascii():
            return self.texts.get(text)
        known = "".join(self.texts)
        folded = text.lower() if known.lower() == known else text.upper() if known.upper() == known else text
        return self.texts.get(folded)


# ── where the answer stands ──────────────────────────────────────────────────────────────────────────

EDGES = " \t\r\n\0\ufeff\u200b\u200e\u200f"
DRESSING = EDGES + "`*_"
THOUGHT = r"(?:think|thinking|thought|thoughts|reasoning|scratchpad|analysis)"
TAG = re.compile(
    rf"<\s?/?\s?(?:\w+:)?{THOUGHT}(?:\s[^<>]{{0,80}})?>|\[/?think\]|◁/?think▷"
    r"|<\|(?:begin|start|end)_(?:of_)?(?:thought|thinking|think)\|>",
    re.I,
)
CLOSING = re.compile(r"\W{1,2}/|<\|end", re.I)
WRAPPER = r"(?:answer|final|final_answer|output|response|json)>|<\|[a-z_]{1,24}\|>"
OPENED = re.compile(rf"(?:<{WRAPPER}|(?<=```)json|<\|constrain\|>json)\Z", re.I)
CLOSED = re.compile(rf"(?:[{DRESSING}.]|</{WRAPPER})*", re.I)
LEAD_IN = re.compile(
    r"^[ \t*_`#]*((?:(?:here is|this is)[ \t]+)?(?:(?:my|the)[ \t]+)?(?:(?:final|chosen)[ \t]+)?"
    r"(?:action|move|answer|choice|json|reply|response))[ \t*_`]*(?:is[ \t]*)?[:=](.*)$",
    re.I | re.M,
)
FOREIGN = re.compile(r"[<\[{}]|~~|&\w+;|[\"'“”](?:action|move)\s*[\"'“”]\s*:", re.I)


class _Conflict:
    """The value of a key that one object holds twice with different values."""


def _object(text: str) -> dict[str, Any] | None:
    """The object that is meant as the answer; None where there is none, or a doubt whether it is."""
    whole = text.strip(EDGES)
    value, end = _decoded(whole, 0)
    if value and end == len(whole):
        return value
    visible = _without_thoughts(text)
    start = visible.find("{")
    if start < 0:
        return None
    value, end = _decoded(visible, start)
    source, rest = visible[start:end], visible[end:]
    if not value or not _introduced(visible[:start]):
        return None
    return value if CLOSED.fullmatch(rest.replace(source, "")) else None  # the same again is no other answer


def _without_thoughts(text: str) -> str:
    """What is outside of thinking blocks; one behind other text leaves a mark, and one that stays open has no end."""
    kept, depth, position = [], 0, 0
    for at, tag in enumerate(TAG.finditer(text)):
        closing = CLOSING.match(tag[0]) is not None
        if depth == 0 and not (at == 0 and closing):  # else the prompt has opened it
            kept.append(text[position : tag.start()])
        depth = max(depth - 1, 0) if closing else depth + 1
        position = tag.end()
    kept.append(text[position:] if depth == 0 else "")
    while kept and not kept[0].strip(EDGES):
        kept.pop(0)
    return "<think>".join(kept)


def _introduced(head: str) -> bool:
    """Whether an object after this text stands on a line of its own or behind its own lead-in."""
    said = head.rstrip(DRESSING)
    for _ in range(3):  # a wrapper, a fence, a wrapper
        said = said[:-40] + OPENED.sub("", said[-40:])
        said = said.rstrip(DRESSING)
    before, _, last = said.rpartition("\n")
    name = LEAD_IN.match(last)
    if name and not name[2].strip(DRESSING):
        return _clear(before)
    return _clear(said) and (not said or "\n" in head[len(said) :])


def _clear(said: str) -> bool:
    """Whether the line after this text is the speaker's own: there is nothing, or a sentence has ended."""
    if FOREIGN.search(said) or LEAD_IN.search(said) or said.count("```") % 2:
        return False
    last = said.rstrip(DRESSING).rpartition("\n")[2]
    if last.endswith((".", "!")):
        return not last.endswith("..") and len(last.split(None, 3)) > 3  # shorter ones are headings
    return not last or last.endswith(("。", "！"))


def _decoded(text: str, start: int) -> tuple[dict[str, Any], int]:
    """The object with an answer at `start`, empty if there is none, and where it ends."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return {}, start
    is_answer = isinstance(value, dict) and any(key in value for key in ANSWER_KEYS)
    return (value if is_answer else {}), end


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        name = key.strip().lower()
        twice = name in out and not (type(out[name]) is type(value) and out[name] == value)
        out[name] = _Conflict() if twice else value
    return out


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= 18 else float("inf")  # no move has that many digits


def _decimal(text: str) -> int | float:
    whole, _, rest = text.partition(".")
    return _integer(whole) if rest and not rest.strip("0") else float(text)  # 3.0 is 3


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=_integer, parse_float=_decimal, strict=False)
