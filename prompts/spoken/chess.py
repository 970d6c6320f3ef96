"""Chess as people write it beside the strict short notation: long moves, signs, castling and pieces in words."""

from __future__ import annotations

import re
from collections.abc import Collection

_PIECES = {"king": "K", "queen": "Q", "rook": "R", "bishop": "B", "knight": "N", "pawn": ""}
_SQUARE = "[a-h][1-8]"
SAYS = (
    rf"(?:(?i:king|queen|rook|bishop|knight|pawn)"
    rf"(?: (?:from {_SQUARE} )?(?:to|takes(?: on)?|captures(?: on)?|x|on) ?){_SQUARE}"
    rf"|(?i:castl(?:e|es|ing)(?: (?:kingside|queenside|short|long|king-side|queen-side))?)|0-0-0|0-0"
    rf"|[KQRBN]?{_SQUARE}[-x]?{_SQUARE}(?:=?[QRBNqrbn])?)"
)
NOTATION = (
    rf"(?:O-O-O|O-O|[KQRBN][a-h]?[1-8]?x?{_SQUARE}|[a-h]x{_SQUARE}(?:=[QRBN])?|{_SQUARE}(?:=[QRBN])?)[+#]?"
)
_LONG = re.compile(rf"([KQRBN]?)({_SQUARE})[-x]?({_SQUARE})=?([QRBNqrbn]?)")
_CASTLING = {"e1g1": "O-O", "e8g8": "O-O", "e1c1": "O-O-O", "e8c8": "O-O-O"}


def meant(said: str, legal: Collection[str]) -> tuple[str, ...]:
    words = said.lower()
    if words.startswith("castl") or words.startswith("0-0"):
        if "short" in words or "king" in words or words == "0-0":
            return _known("O-O", legal)
        if "long" in words or "queen" in words or words == "0-0-0":
            return _known("O-O-O", legal)
        return _known("O-O", legal) + _known("O-O-O", legal)
    if (long := _LONG.fullmatch(said)) is not None:
        piece, start, end, promotion = long.groups()
        if start + end in _CASTLING and (found := _known(_CASTLING[start + end], legal)):
            return found
        pawn = end if start[0] == end[0] else f"{start[0]}x{end}"
        ways = [pawn + (f"={promotion.upper()}" if promotion else "")] if not piece else []
        return tuple(text for way in ways for text in _known(way, legal)) or _pieces(
            piece or "[KQRBN]", end, legal
        )
    if (named := next((name for name in _PIECES if words.startswith(name)), None)) is not None:
        end = said[-2:]
        piece = _PIECES[named]
        return (
            _pieces(piece, end, legal)
            if piece
            else _known(end, legal) + tuple(text for text in legal if re.match(rf"[a-h]x{end}", text))
        )
    known = _known(said, legal)
    if not known and len(said.rstrip("+#")) > 2:
        shape = re.fullmatch(rf"([KQRBN])[a-h]?[1-8]?x?({_SQUARE})[+#]?", said)
        return (shape and _pieces(shape[1], shape[2], legal)) or (said,)
    return known


def _known(said: str, legal: Collection[str]) -> tuple[str, ...]:
    """As it stands among the legal moves, with or without the sign of a check."""
    bare = said.rstrip("+#")
    return tuple(text for text in legal if text.rstrip("+#") == bare)


def _pieces(piece: str, end: str, legal: Collection[str]) -> tuple[str, ...]:
    return tuple(text for text in legal if re.fullmatch(rf"{piece}[a-h]?[1-8]?x?{end}[+#]?", text))
