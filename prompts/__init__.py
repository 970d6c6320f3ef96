"""What a model is asked, and how its answer is read: one contract, two halves."""

from .parse import parse
from .question import (
    Answer,
    Choice,
    Form,
    Question,
    Track,
    Unreadable,
    UnreadableKind,
    check_form,
    numbered,
)
from .render import Templates, marks, relabelled, render, styles

__all__ = [
    "Answer",
    "Choice",
    "Form",
    "Question",
    "Templates",
    "Track",
    "Unreadable",
    "UnreadableKind",
    "check_form",
    "marks",
    "numbered",
    "parse",
    "relabelled",
    "render",
    "styles",
]
