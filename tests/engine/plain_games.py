"""Games as a stranger would write them: in plain Python, outside the package.

Nim is as short as a game can be; the base does the rest. Race sets an attribute only at the end and keeps a
dict; Dice has chance that everybody sees. Highcard has three seats and more, chance, hidden cards, a variant,
and moves whose notation depends on the position.
"""

from __future__ import annotations

from typing import Any

from librt.vecs import vec
from mypy_extensions import i64

from engine import Game, Move, Rng


class Nim(Game):
    """Players take 1, 2 or 3 of 12 matches in turn. Whoever takes the last one wins."""

    def name(self) -> str:
        return "nim"

    def num_actions(self) -> int:
        return 3

    def start(self, rng: Rng) -> None:
        self.left = 12
        self.turn = 0

    def current_player(self) -> int:
        return self.turn if self.left else -1

    def step(self, action: int) -> None:
        self.left -= action + 1
        self.turn = 1 - self.turn

    def payoff(self, seat: int) -> int:
        return 0 if self.left else -1 if self.turn == seat else 1

    def legal_into(self, out: vec[i64]) -> int:
        n = min(3, self.left)
        for a in range(n):
            out[a] = a
        return n

    def action_text(self, action: int) -> str:
        return f"take {action + 1}"


class Race(Game):
    """Players add 1 or 2 to a sum in turn. Whoever brings it to 9 wins."""

    winner = -1

    def name(self) -> str:
        return "race"

    def num_actions(self) -> int:
        return 2

    def start(self, rng: Rng) -> None:
        self.track: dict[str, int] = {"z": 0, "a": 0}
        self.turn = 0

    def current_player(self) -> int:
        return self.turn if self.winner < 0 else -1

    def step(self, action: int) -> None:
        letter = "za"[self.turn]
        self.track[letter] = self.track.pop(letter) + action + 1  # whoever moved last stands last
        self.last_step = action
        if sum(self.track.values()) >= 9:
            self.winner = self.turn
        self.turn = 1 - self.turn

    def payoff(self, seat: int) -> int:
        return 0 if self.winner < 0 else 1 if self.winner == seat else -1

    def legal_into(self, out: vec[i64]) -> int:
        if self.winner >= 0:
            return 0
        out[0], out[1] = 0, 1
        return 2


class Dice(Game):
    """Three turns each: keep the die that is shown, or throw another and keep that. The higher sum wins."""

    def name(self) -> str:
        return "dice"

    def num_actions(self) -> int:
        return 2

    def start(self, rng: Rng) -> None:
        self.rng = Rng(rng.next32())
        self._second_rng = Rng(rng.next32())
        self.sums = [0, 0]
        self.turns = 0
        self.die = self.throw()

    def throw(self) -> int:
        return 1 + (self.rng.below(6) + self._second_rng.below(6)) % 6

    def current_player(self) -> int:
        return self.turns % 2 if self.turns < 6 else -1

    def step(self, action: int) -> None:
        self.sums[self.turns % 2] += self.throw() if action else self.die
        self.die = self.throw()
        self.turns += 1

    def payoff(self, seat: int) -> int:
        ahead = self.sums[seat] - self.sums[1 - seat] if self.turns == 6 else 0
        return (ahead > 0) - (ahead < 0)

    def legal_into(self, out: vec[i64]) -> int:
        out[0], out[1] = 0, 1
        return 2 if self.turns < 6 else 0


class Highcard(Game):
    """Each player holds two of 20 cards and lays one, hidden until the end. The highest card wins."""

    def __init__(self, players: int = 3) -> None:
        if not 2 <= players <= 5:
            raise ValueError(f"highcard is for 2 to 5 players, got {players}")
        self.players = players
        self.hands: list[list[int]] = []
        self.laid: list[int] = []
        self.rng = Rng(0)

    def name(self) -> str:
        return "highcard"

    def num_players(self) -> int:
        return self.players

    def num_actions(self) -> int:
        return 2

    def max_plies(self) -> int:
        return 5

    def hidden_information(self) -> bool:
        return True

    def fixed_notation(self) -> bool:
        return False

    def variant(self) -> dict[str, int]:
        return {"players": self.players}

    def start(self, rng: Rng) -> None:
        self.rng = Rng(rng.next32())
        self.laid = []
        self.hands = []
        deck = self.shuffled(list(range(20)))
        self.hands = [sorted(deck[2 * s : 2 * s + 2]) for s in range(self.players)]

    def shuffled(self, cards: list[int]) -> list[int]:
        for i in range(len(cards) - 1, 0, -1):
            j = self.rng.below(i + 1)
            cards[i], cards[j] = cards[j], cards[i]
        return cards

    def current_player(self) -> int:
        return len(self.laid) if len(self.laid) < self.players else -1

    def step(self, action: int) -> None:
        self.laid.append(self.hands[len(self.laid)].pop(action))

    def payoff(self, seat: int) -> int:
        return int(self.laid[seat] == max(self.laid)) if len(self.laid) == self.players else 0

    def legal_into(self, out: vec[i64]) -> int:
        out[0], out[1] = 0, 1
        return 2 if len(self.laid) < self.players else 0

    def determinize(self, seat: int, rng: Rng) -> None:
        known = self.hands[seat] + self.laid[seat : seat + 1]
        self.rng = Rng(rng.next32())
        rest = self.shuffled([card for card in range(20) if card not in known])
        for other in range(self.players):
            if other != seat:
                self.hands[other] = sorted(rest.pop() for _ in self.hands[other])
        for other in range(len(self.laid)):
            if other != seat:
                self.laid[other] = rest.pop()

    def action_text(self, action: int) -> str:
        return f"lay {self.hands[len(self.laid)][action]}"

    def move_as_seen(self, move: Move, seat: int) -> Move:
        return move if seat == move.seat or self.is_terminal() else Move(move.seat, -1, "a hidden card")

    def board_text(self, seat: int) -> str:
        return f"your hand: {self.hands[seat]}; laid: {len(self.laid)}"

    def facts(self, seat: int) -> dict[str, Any]:
        return {"hand": list(self.hands[seat]), "laid": len(self.laid)}
