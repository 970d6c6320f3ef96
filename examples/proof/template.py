"""The chat template of the proof's model: what it reads of a conversation. Training and serving share it.

It is made for a model that knows one game. The system prompt, 1,200 characters that are the same in every row, says
nothing to it and is dropped; of the question it reads whose turn it is, the cells and the numbers of the legal moves.
Which of them is good, or what the numbers mean, it has to learn.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any


def template(messages: Sequence[Mapping[str, str]]) -> str:
    """`X .X..O.... 01356789>` of a question about TicTacToe as the arena asks it. ValueError for any other.

    Of a conversation in which it is asked again, the first question is the one with the position.
    """
    asked = next((message["content"] for message in messages if message["role"] == "user"), "")
    mark = re.match(r"You are ([XO]) ", asked)
    cells = "".join("".join(row) for row in re.findall(r"^\d ([XO.]) ([XO.]) ([XO.])$", asked, re.M))
    numbers = re.findall(r"^(\d): ", asked, re.M)
    if mark is None or len(cells) != 9 or not numbers:
        raise ValueError(f"expected a question about TicTacToe on the track open, got {asked[:60]!r}")
    return f"{mark[1]} {cells} {''.join(numbers)}>"


def conversation(row: Mapping[str, Any]) -> tuple[str, str]:
    """A row of `export sft --target trl` as (prompt, completion)."""
    return template(row["prompt"]), row["completion"][0]["content"]
