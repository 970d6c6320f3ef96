"""What a model is asked, and how its answer is read: one contract, two halves."""

from .parse import parse
from .question import Answer, Choice, Question, Track, Unreadable, UnreadableKind, numbered
from .render import Templates, render, styles

__all__ = [
    "Answer",
    "Choice",
    "Question",
    "Templates",
    "Track",
    "Unreadable",
    "UnreadableKind",
    "numbered",
    "parse",
    "render",
    "styles",
]
