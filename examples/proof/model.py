"""The model of the proof: a GPT of a quarter of a million parameters, over characters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

END = 0  # ends an answer, and fills up a row; no text has that character
CHARACTERS = 128
LONGEST = 128
WIDTH, LAYERS, HEADS = 96, 2, 4


def encode(text: str) -> list[int]:
    """Its characters as tokens; what is not ASCII becomes a question mark."""
    return list(text.encode("ascii", "replace"))


class Block(nn.Module):
    """Attention to what came before, then two layers for every token alone."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attend, self.mix = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.think = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, at: Tensor) -> Tensor:
        rows, length, _ = at.shape
        parts = self.attend(self.before(at)).view(rows, length, 3, HEADS, WIDTH // HEADS)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = scaled_dot_product_attention(query, key, value, is_causal=True)
        at = at + self.mix(seen.transpose(1, 2).reshape(rows, length, WIDTH))
        return at + self.think(self.between(at))


class Model(nn.Module):
    """Tokens (rows, length) to logits of the next one (rows, length, CHARACTERS)."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(CHARACTERS, WIDTH), nn.Embedding(LONGEST, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.after, self.out = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CHARACTERS, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        at = self.token(tokens) + self.place(torch.arange(tokens.shape[1]))
        return self.out(self.after(self.blocks(at)))  # type: ignore[no-any-return]

    @torch.no_grad()
    def answer(self, prompts: Sequence[str], most: int = 64) -> list[str]:
        """What it says to prompts of one length: always the likeliest next character, up to `most` of them."""
        tokens = torch.tensor([encode(prompt) for prompt in prompts])
        asked = tokens.shape[1]
        while tokens.shape[1] < min(asked + most, LONGEST) and not (tokens[:, asked:] == END).any(1).all():
            tokens = torch.cat([tokens, self(tokens)[:, -1:].argmax(-1)], 1)
        return [bytes(row).partition(b"\0")[0].decode("ascii") for row in tokens[:, asked:].tolist()]


def load(path: Path) -> Model:
    """A model that `train.py` saved."""
    model = Model()
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()


def parameters(model: Model) -> int:
    """How many numbers it has."""
    return sum(each.numel() for each in model.parameters())
