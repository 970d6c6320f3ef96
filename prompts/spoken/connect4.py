"""Columns in words: by number, from the left, and by where they are."""

from __future__ import annotations

from collections.abc import Collection

WORDS = ("one", "two", "three", "four", "five", "six", "seven")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
_GERMAN = ("eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben")
_NUMBER = rf"(?:\d+|{'|'.join(WORDS)})"
_ORDINAL = rf"(?:\d(?:st|nd|rd|th)|{'|'.join(ORDINALS)})"
SAYS = (
    rf"(?i:columns?(?: number| no\.)? #?{_NUMBER}(?![\w.-]\w)|{_ORDINAL}[ -]column|col(?:\.|umn)? ?\d"
    r"|(?:the )?(?:far|extreme|outer)[ -]?(?:left|right)(?:most)?(?: (?:edge|column|side))*"
    r"|(?:left|right)[ -]?most(?: (?:edge|column|side))*|(?:left|right) edge(?: column)?"
    r"|(?<!off[ -])(?:cent(?:er|re)|middle|central)(?: column)?"
    rf"|spalte (?:\d|{'|'.join(_GERMAN)})|mitte)"
)


def meant(said: str, legal: Collection[str]) -> tuple[str, ...]:
    words = said.lower().replace("-", " ").replace("#", "")
    for part in words.split():
        if part[:1].isdigit():
            return (part.rstrip("stndrh"),)
        for names in (WORDS, ORDINALS, _GERMAN):
            if part in names:
                return (str(names.index(part) + 1),)
    if "left" in words:
        return ("1",)
    return ("7",) if "right" in words else ("4",)
