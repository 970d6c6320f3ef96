"""Bids and cards in words, and cards as the rest of the world writes them: 10D, K♦, the queen of spades."""

from __future__ import annotations

import re
from collections.abc import Collection

_RANKS = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "T",
    "10": "T",    "jack": "J", "queen": "Q", "king": "K", "ace": "A", "könig": "K", "dame": "Q", "bube": "J",
}  # fmt: skip
_SUITS = {"♠": "S", "♥": "H", "♦": "D", "♣": "C", "pik": "S", "herz": "H", "karo": "D", "kreuz": "C"}
_ENGLISH = {"spade": "S", "heart": "H", "diamond": "D", "club": "C"}
_RANK = rf"(?:10|[2-9tjqka](?![a-z])|{'|'.join(name for name in _RANKS if name.isalpha())})"
_SUIT = r"(?:spade|heart|diamond|club)s?"
SAYS = (
    rf"(?i:{_RANK} of (?:the )?(?:trump )?{_SUIT}|(?:karo|herz|pik|kreuz)[ -](?:könig|dame|bube)|nil\b"
    rf"|(?:a|the|my|low|lowest|high|highest|small) {_SUIT}(?! (?:trick|bid|lead|suit|void|card))"
    r"|\b(?:jack|queen|king|ace)s?\b)|(?:10|[2-9TJQKA])[♠♥♦♣]|[♠♥♦♣](?:10|[2-9TJQKA])|10[SHDC]"
)
NOTATION = r"(?:[2-9TJQKA][SHDC]|[2-9][shdc])"


def meant(said: str, legal: Collection[str]) -> tuple[str, ...]:
    words = re.findall(r"10|[♠♥♦♣]|\w+", said.lower())
    if words == ["nil"]:
        return ("0",)
    if signed := next((_SUITS[char] for char in said if char in "♠♥♦♣"), ""):
        return (said.strip("♠♥♦♣").upper().replace("10", "T") + signed,)
    if len(words) == 1 and len(said) == 2:
        return (said.upper(),)
    if re.fullmatch(r"10[shdc]", said.lower()):
        return ("T" + said[-1].upper(),)
    suit = next((found for word in words if (found := _suit(word))), "")
    rank = (
        _RANKS.get(words[0], words[0].upper())
        if suit and "of" in words
        else _RANKS.get(words[-1].rstrip("s"), "")
    )
    rank = next((_RANKS[word] for word in words if word in ("könig", "dame", "bube")), rank)
    if rank and suit:
        return (rank + suit,)
    return tuple(card for card in legal if len(card) == 2 and (card[0] == rank or card[1] == suit))


def _suit(word: str) -> str:
    return _SUITS.get(word) or _ENGLISH.get(word.removesuffix("s"), "")
