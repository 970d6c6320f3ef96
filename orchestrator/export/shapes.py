"""What the rows of many targets have in common: messages, and the rules that vendors have and seldom check.

Every `must_*` raises RowError with what was got and what was expected. A rule that a service applies only after the
upload, or quietly not at all, costs a training run: here it is applied to every row.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from orchestrator.export.example import Answer, Example, Reasoning, RowError, Tally

Message = dict[str, Any]


def asked(example: Example) -> list[Message]:
    """The question as messages: system, where there is one, then user."""
    system = [{"role": "system", "content": example.system}] if example.system else []
    return [*system, {"role": "user", "content": example.prompt}]


def tagged(answer: Answer, reasoning: Reasoning) -> str:
    """An answer as text, its thoughts before it in <think> if they go there."""
    if reasoning != "think-tag" or not answer.reasoning:
        return answer.text
    return f"<think>\n{answer.reasoning}\n</think>\n\n{answer.text}"


THOUGHTS = "reasoning_content"  # the field that Axolotl, Fireworks, Together and Qwen's templates know


def said(answer: Answer, reasoning: Reasoning) -> Message:
    """An answer as the assistant's message, its thoughts where they are to go."""
    made: Message = {"role": "assistant", "content": tagged(answer, reasoning)}
    return made | {THOUGHTS: answer.reasoning} if reasoning == "field" and answer.reasoning else made


def kept(example: Example) -> Answer:
    """The answer to learn, to prefer or to judge."""
    if example.answer is None:
        raise RowError(f"an example of kind {example.kind} without an answer")
    return example.answer


def beaten(example: Example) -> Answer:
    """The answer that another one is preferred to."""
    if example.rejected is None:
        raise RowError(f"an example of kind {example.kind} without a rejected answer")
    return example.rejected


# ── rules ────────────────────────────────────────────────────────────────────────────────────────────


def must_be_object(value: object, what: str) -> Mapping[str, Any]:
    """A JSON object."""
    if not isinstance(value, (dict, Mapping)):  # a dict is found sooner so
        raise RowError(f"{what} is {value!r:.60}: expected an object")
    return value


def must_be_list(value: object, what: str) -> Sequence[Any]:
    """A list of at least one."""
    if not isinstance(value, list) or not value:
        raise RowError(f"{what} is {value!r:.60}: expected a list of at least one")
    return value


def must_have_only(
    row: object, needed: Collection[str], allowed: Collection[str] = (), what: str = "the row"
) -> None:
    """An object with these keys and no others."""
    keys = must_be_object(row, what).keys()
    if keys == set(needed):
        return
    if missing := [name for name in needed if name not in keys]:
        raise RowError(f"{what} has no {' and no '.join(missing)}: expected {', '.join(needed)}")
    if strange := [str(name) for name in keys if name not in needed and name not in allowed]:
        raise RowError(f"{what} has {' and '.join(strange)}: expected {', '.join([*needed, *allowed])} alone")


def must_be_text(value: object, what: str) -> None:
    """A text that says something and can be written: no NUL, no half of a surrogate pair."""
    if not isinstance(value, str) or not value.strip():
        raise RowError(f"{what} is {value!r:.60}: expected a text that is not empty")
    if "\0" in value:
        raise RowError(f"{what} holds a NUL character")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise RowError(f"{what} holds half of a surrogate pair, which is no UTF-8") from None


def must_be_messages(
    value: object, last: str, *, system: bool = True, thoughts: str = "", weights: bool = False
) -> None:
    """A conversation: perhaps a system message, then user and assistant in turn, and at the end `last`.

    The assistant's messages may have their thoughts under the name of `thoughts`, and with `weights` a `weight` of
    0 or 1.
    """
    messages = must_be_list(value, "messages")
    for number, message in enumerate(messages, 1):
        what = f"message {number}"
        own = must_be_object(message, what).get("role") == "assistant"
        more = [name for name in (thoughts, "weight" if weights else "") if name] if own else []
        must_have_only(message, ("role", "content"), more, what)
        must_be_text(message["content"], what)
        if thoughts in message:
            must_be_text(message[thoughts], f"{thoughts} of {what}")
        if "weight" in message and (type(message["weight"]) is not int or message["weight"] not in (0, 1)):
            raise RowError(f"the weight of {what} is {message['weight']!r}: expected 0 or 1")
    turns = [message["role"] for message in messages]
    if turns[0] == "system":
        if not system:
            raise RowError("a system message stands among the messages: it is not expected there")
        turns = turns[1:]
    must_take_turns(turns, ("user", "assistant"), last)


def must_take_turns(roles: Sequence[object], expected: tuple[str, str], last: str) -> None:
    """One after the other, the first one first, and at the end `last`."""
    if not roles or list(roles) != [expected[at % 2] for at in range(len(roles))]:
        got = ", ".join(map(str, roles)) or "none"
        raise RowError(f"the roles are {got}: expected {' and '.join(expected)} in turn")
    if roles[-1] != last:
        raise RowError(f"the last message is of {roles[-1]}: expected {last}")


def must_be_answer(value: object, what: str, thoughts: str = "") -> None:
    """One message of the assistant."""
    must_have_only(value, ("role", "content"), (thoughts,) if thoughts else (), what)
    message = must_be_object(value, what)
    if message["role"] != "assistant":
        raise RowError(f"{what} is of {message['role']}: expected assistant")
    must_be_text(message["content"], what)
    if thoughts in message:
        must_be_text(message[thoughts], f"{thoughts} of {what}")


def must_be_one_answer(value: object, what: str, thoughts: str = "") -> None:
    """A list of one message of the assistant."""
    if not isinstance(value, list) or len(value) != 1:
        raise RowError(f"{what} is {value!r:.60}: expected a list of one message")
    must_be_answer(value[0], what, thoughts)


def must_differ(one: object, other: object) -> None:
    """Two answers of which one is preferred."""
    if one == other:
        raise RowError("both answers of the pair are the same")


def must_be_label(value: object) -> None:
    """Of kto."""
    if not isinstance(value, bool):
        raise RowError(f"label is {value!r}: expected true or false")


def must_have_both_labels(tally: Tally, what: str) -> None:
    """Of a file of kto: from answers of one kind nothing is learnt."""
    for label in ("True", "False"):
        if not tally.having[f"label={label}"]:
            raise RowError(f"{what} has no row with the label {label.lower()}: both are needed")


def must_be_at_least(rows: int, least: int, what: str) -> None:
    """A file's number of rows."""
    if rows < least:
        raise RowError(f"{what} has {rows} rows: at least {least} are expected there")


def must_fit(row: object, tokens: int, why: str) -> None:
    """A row's estimated tokens: its UTF-8 over four, which is few; what is above it does not fit by any count."""
    if (most := size(row) // 4) > tokens:
        raise RowError(f"about {most:,} tokens or more: {why} {tokens:,}")


def size(value: object) -> int:
    """Bytes of all the texts in it."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return sum(map(size, inner))


REWARDED = ("decision_id", "game", "track", "legal", "notation", "move_values", "values_by", "difficulty")
"""What goes with a question of rl-prompts: by it `reward.py` judges any answer."""
CURRICULUM = ("n_samples", "pass_rate")
"""And how often it was answered well: what always or never succeeds has no gradient."""


def must_be_rewarded(row: Mapping[str, Any]) -> None:
    """The columns that `reward.py` reads."""
    for name in ("legal", "notation"):
        for move in must_be_list(row[name], name):
            must_be_text(move, f"a move of {name}")
    if len(row["legal"]) != len(row["notation"]) or len(set(row["legal"])) != len(row["legal"]):
        raise RowError("legal and notation do not name the same moves, each once")
    if row["track"] not in ("open", "rules"):
        raise RowError(f"track is {row['track']!r}: expected open or rules")
    try:
        values = json.loads(row["move_values"])
    except (TypeError, ValueError):
        raise RowError(f"move_values is {row['move_values']!r:.60}: expected JSON in a text") from None
    if values is not None and set(must_be_object(values, "move_values")) != set(row["legal"]):
        raise RowError("move_values are not of the legal moves")
