"""Squares in words: by where they are on the board, row 1 on top."""

from __future__ import annotations

from collections.abc import Collection

CORNERS = ("a1", "c1", "a3", "c3")
_ROW = {"top": "1", "upper": "1", "bottom": "3", "lower": "3"}
_FILE = {"left": "a", "right": "c"}
_SQUARE = r"(?: (?:corner|edge|square|cell|side))*"
_MIDDLE = r"(?:cent(?:er|re)|middle|mid|central)"
SAYS = (
    rf"(?i:(?:top|upper|bottom|lower)[ -](?:left|right|{_MIDDLE}){_SQUARE}|(?:left|right)[ -]{_MIDDLE}{_SQUARE}"
    rf"|{_MIDDLE}[ -](?:left|right|top|bottom){_SQUARE}|{_MIDDLE}(?: (?:square|cell))?(?! (?:row|column|file))|mitte"
    r"|(?:the )?(?:opposite |adjacent |other |remaining )?corner(?: square)?)"
)


def meant(said: str, legal: Collection[str]) -> tuple[str, ...]:
    words = said.lower().replace("-", " ").split()
    row = next((_ROW[word] for word in words if word in _ROW), None)
    file = next((_FILE[word] for word in words if word in _FILE), None)
    if row is None and file is None and "corner" in words:
        return () if {"opposite", "adjacent", "other"} & set(words) else CORNERS
    return (f"{file or 'b'}{row or '2'}",)
