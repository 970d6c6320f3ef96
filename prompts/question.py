"""The values that the two halves of a question share, and the one numbering of moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

if TYPE_CHECKING:
    from engine.core import Action, View

Track = Literal["open", "rules"]
Form = Literal["json", "forecast", "decision"]
UnreadableKind = Literal["empty", "truncated", "refusal", "unparsable", "ambiguous", "illegal"]

TRACKS: tuple[Track, ...] = get_args(Track)
FORMS: tuple[Form, ...] = get_args(Form)


class Answer(Protocol):
    """What `parse` needs of a provider's reply; thinking text is deliberately not among it."""

    @property
    def text(self) -> str: ...
    @property
    def finish(self) -> str: ...
    @property
    def probabilities(self) -> Mapping[int, float] | None:
        """By the numbers of the question's choices, where the service gives them."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """`system` is byte-identical for a seat over a whole duel; the position is in `user` only."""

    system: str
    user: str
    schema: Mapping[str, Any]  # shared between questions of one duel: read, never write
    choices: tuple[tuple[int, str], ...]  # (number, notation) of each legal move; empty on the rules track
    style_sha: str  # over every template that took part


@dataclass(frozen=True, slots=True)
class Choice:
    """A legal action, read from an answer. `probabilities` are by action id, over all legal actions, and sum to 1.

    `forecast` is the score that the player expects of the match, 0 to 1: the share of opponents beaten, ties half.
    """

    action: int
    rationale: str = ""
    forecast: float | None = None
    probabilities: Mapping[int, float] | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why an answer is not a move. `message` is what the model is told when it is asked again."""

    kind: UnreadableKind
    message: str
    rationale: str = ""


def numbered(view: View) -> tuple[tuple[int, Action], ...]:
    """Each legal move with the number by which the open track calls it.

    Where every legal move is written as a plain number (the columns of Connect 4) that number is used,
    otherwise the action id: a prompt never shows two numbers for one move.
    """
    named = numbers([action.id for action in view.legal], [action.text for action in view.legal])
    return tuple(zip(named, view.legal, strict=True))


def numbers(ids: Sequence[int], texts: Sequence[str]) -> Sequence[int]:
    """The number of each legal move, from all their action ids and their notation."""
    return [int(text) for text in texts] if all(map(_is_number, texts)) else ids


def check_asked(view: View, track: Track) -> None:
    """Raise ValueError unless `track` exists and the view's own seat is to move."""
    if track not in TRACKS:
        raise ValueError(f"unknown track {track!r}; there are: {', '.join(TRACKS)}")
    if not view.legal:
        raise ValueError(
            f"seat {view.seat} of {view.game} has no legal move at ply {view.ply} (to move: {view.to_move}); "
            "ask only the seat that is to move"
        )


def check_form(form: Form, track: Track) -> None:
    """Raise ValueError unless an answer can be given in `form` on `track`: a decision needs the list of moves.

    "forecast" is the JSON object with one field more; a decision is a choice and nothing else, and has no room for it.
    """
    if form not in FORMS:
        raise ValueError(f"unknown form {form!r}; there are: {', '.join(FORMS)}")
    if form == "decision" and track != "open":
        raise ValueError(
            f"the form 'decision' is a choice from the list of legal moves, which the track {track!r} does not show; "
            "take the track open, or the form json"
        )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9 and str(int(text)) == text
