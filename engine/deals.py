"""Deals of the cards nobody has shown, uniform over all that agree with hand sizes and shown voids.

A card is suit * 13 + rank, a set of cards an integer of 52 bits, a set of suits one of four. What a seat
knows of a trick game's hidden hands is how many cards each holds and which suits it has shown to lack.
`Deals.draw` gives every deal that agrees with this the same chance.

How: seats that lack the same suits form a class. Classes that lack something are served one after the other;
how many cards of each suit a class takes is drawn by the number of deals that remain possible after it, and
which cards they are does not matter to anyone else. For the last such class the count is one binomial, and
whoever lacks nothing takes from the rest. With up to two classes all numbers are exact; with more, the counts
of later classes are kept to 24 bits in a table, which is remembered for the next draw from the same position
(a search draws thousands of times from one).
"""

from math import comb
from typing import Final, final

from librt.vecs import vec
from mypy_extensions import i64, mypyc_attr

from engine.bits import bit
from engine.rng import Rng

SUIT: Final[i64] = 0x1FFF  # thirteen ranks
MOST_SEATS: Final = 8
MOST_CLASSES: Final = 15  # sets of suits, the empty one aside
PRECISE: Final[i64] = 0xFFFFFF  # what counts in the table are rounded to, beside their exponent
MANTISSA: Final[i64] = 0xFFFFFFFFFF  # a count is mantissa + (exponent << 40)
LEVEL: Final[i64] = 14 * 14 * 14  # entries of the table per class: cards left of the first three suits
MOST_WAYS: Final = 14 * 14  # a class lacks a suit, so that two counts give the third
DRAWABLE: Final[i64] = 0x7FFFFFFF  # no sum larger than this is given to `Rng.below`
INDEX: Final = vec[i64]([next((k for k in range(53) if pow(2, k, 67) == r), -1) for r in range(67)])
CHOOSE: Final = vec[i64]([comb(n, k) for n in range(40) for k in range(40)])  # three suits are 39 cards


def lowest(cards: i64) -> i64:
    """The lowest card of a non-empty set: the powers of two below 2**66 differ modulo 67."""
    low: i64 = cards & -cards
    return INDEX[low % 67]


@final
@mypyc_attr(acyclic=True)
class Deals:
    """Room to draw in, and the table of the last position that needed one."""

    def __init__(self) -> None:
        self.sizes: vec[i64] = vec[i64]([0] * MOST_SEATS)  # by seat: how many cards `draw` gives it
        self._cards: vec[i64] = vec[i64]([0] * 52)  # those of a suit from 13 * suit on
        self._left: vec[i64] = vec[i64]([0] * 4)  # how many are left of each suit
        self._state: vec[i64] = vec[i64]([0] * 4)  # the same while counting
        self._want: vec[i64] = vec[i64]([0] * 4)  # how many of each suit the class being served may take
        self._lack: vec[i64] = vec[i64]([0] * MOST_SEATS)  # by seat: the suits it lacks; -1: gets no card
        self._void: vec[i64] = vec[i64]([0] * (MOST_CLASSES + 1))  # by class: the suits it lacks
        self._size: vec[i64] = vec[i64]([0] * (MOST_CLASSES + 1))  # by class: how many cards it takes
        self._classes: i64 = 0
        self._ways: vec[i64] = vec[i64]([0] * MOST_WAYS)  # counts per suit, four bits each
        self._weight: vec[i64] = vec[i64]([0] * MOST_WAYS)
        self._exponent: vec[i64] = vec[i64]([0] * MOST_WAYS)
        self._num_ways: i64 = 0
        self._top: i64 = 0  # the exponent of the weights' sum
        self._table: vec[i64] = vec[i64]()
        self._known: vec[i64] = vec[i64]([-1] * (MOST_CLASSES + 2))  # what the table was made for

    def draw(self, unseen: i64, seats: i64, voids: i64, hands: vec[i64], rng: Rng) -> None:
        """Give every seat with sizes[seat] > 0 that many of the unseen cards, in hands[seat].

        There are `seats` seats, at most 8; bits 4 * seat to 4 * seat + 3 of `voids` are the suits that a seat
        lacks. At least one deal must exist. Other entries of `hands` stay as they are.
        """
        self._sort_cards(unseen)
        self._sort_seats(seats, voids)
        left = self._left
        want = self._want
        if self._classes > 2:
            self._prepare()
        k: i64 = 0
        while k <= self._classes:
            void: i64 = 0
            if k < self._classes:
                void = self._void[k]
            if k + 1 < self._classes:
                self._choose(k, rng)
            else:
                s: i64 = 0
                while s < 4:
                    want[s] = 0 if (void >> s) & 1 else left[s]
                    s += 1
            self._serve(void, seats, hands, rng)
            k += 1

    def _sort_cards(self, unseen: i64) -> None:
        cards = self._cards
        s: i64 = 0
        while s < 4:
            first: i64 = s * 13
            at: i64 = first
            rest: i64 = unseen & (SUIT * bit(first))
            while rest:
                cards[at] = lowest(rest)
                rest &= rest - 1
                at += 1
            self._left[s] = at - first
            s += 1

    def _sort_seats(self, seats: i64, voids: i64) -> None:
        """Form the classes; lacking a suit of which no card is left says nothing."""
        lack = self._lack
        sizes = self.sizes
        present: i64 = 0
        s: i64 = 0
        while s < 4:
            if self._left[s]:
                present |= bit(s)
            s += 1
        classes: i64 = 0
        seat: i64 = 0
        while seat < seats:
            void: i64 = (voids >> (4 * seat)) & present
            lack[seat] = void if sizes[seat] else -1
            if void and sizes[seat]:
                k: i64 = 0
                while k < classes and self._void[k] != void:
                    k += 1
                if k == classes:
                    self._void[k] = void
                    self._size[k] = 0
                    classes += 1
                self._size[k] += sizes[seat]
            seat += 1
        self._classes = classes

    def _serve(self, void: i64, seats: i64, hands: vec[i64], rng: Rng) -> None:
        """Deal to the seats of a class, from as many cards of each suit as `_want` says."""
        sizes = self.sizes
        want = self._want
        left = self._left
        cards = self._cards
        open_: i64 = want[0] + want[1] + want[2] + want[3]
        seat: i64 = 0
        while seat < seats:
            if self._lack[seat] == void:
                hand: i64 = 0
                more = sizes[seat]
                while more:
                    r = rng.below(open_)
                    s: i64 = 0
                    while r >= want[s]:
                        r -= want[s]
                        s += 1
                    want[s] -= 1
                    open_ -= 1
                    last: i64 = left[s] - 1
                    at: i64 = s * 13 + rng.below(last + 1)
                    hand |= bit(cards[at])
                    cards[at] = cards[s * 13 + last]
                    left[s] = last
                    more -= 1
                hands[seat] = hand
            seat += 1

    def _choose(self, k: i64, rng: Rng) -> None:
        """Draw how many cards of each suit class k takes, into `_want`."""
        s: i64 = 0
        while s < 4:
            self._state[s] = self._left[s]
            s += 1
        total = self._weigh(k)
        weight = self._weight
        shift: i64 = 0
        while (total >> shift) > DRAWABLE:
            shift += 1
        total = 0
        i: i64 = 0
        while i < self._num_ways:
            total += weight[i] >> shift
            i += 1
        r = rng.below(total)
        i = 0
        while r >= (weight[i] >> shift):
            r -= weight[i] >> shift
            i += 1
        s = 0
        while s < 4:
            self._want[s] = (self._ways[i] >> (4 * s)) & 15
            s += 1

    def _weigh(self, k: i64) -> i64:
        """How many deals to class k and later ones there are from `_state`, by what class k takes.

        Fills `_ways` and `_weight` (all in units of 2**_top), returns the sum of the weights.
        """
        state = self._state
        ways = self._ways
        weight = self._weight
        exponent = self._exponent
        size = self._size[k]
        void = self._void[k]
        n0: i64 = state[0]
        n1: i64 = state[1]
        n2: i64 = state[2]
        n3: i64 = state[3]
        most0: i64 = 0 if void & 1 else n0
        most1: i64 = 0 if void & 2 else n1
        most2: i64 = 0 if void & 4 else n2
        most3: i64 = 0 if void & 8 else n3
        count: i64 = 0
        top: i64 = 0
        a0: i64 = 0
        while a0 <= most0 and a0 <= size:
            a1: i64 = 0
            while a1 <= most1 and a0 + a1 <= size:
                a2: i64 = size - a0 - a1 - most3
                if a2 < 0:
                    a2 = 0
                while a2 <= most2 and a0 + a1 + a2 <= size:
                    a3: i64 = size - a0 - a1 - a2
                    later = self._later(k + 1, n0 - a0, n1 - a1, n2 - a2, n3 - a3)
                    if later:
                        ways[count] = a0 | (a1 << 4) | (a2 << 8) | (a3 << 12)
                        here: i64 = CHOOSE[n0 * 40 + a0] * CHOOSE[n1 * 40 + a1]
                        here *= CHOOSE[n2 * 40 + a2] * CHOOSE[n3 * 40 + a3]
                        weight[count] = here * (later & MANTISSA)
                        exponent[count] = later >> 40
                        if exponent[count] > top:
                            top = exponent[count]
                        count += 1
                    a2 += 1
                a1 += 1
            a0 += 1
        total: i64 = 0
        i: i64 = 0
        while i < count:
            down: i64 = top - exponent[i]
            weight[i] = weight[i] >> down if down < 62 else 0
            total += weight[i]
            i += 1
        self._num_ways = count
        self._top = top
        return total

    def _later(self, k: i64, n0: i64, n1: i64, n2: i64, n3: i64) -> i64:
        """How many deals to class k and later ones, from so many cards of each suit."""
        if k + 1 < self._classes:
            return self._table[k * LEVEL + (n0 * 14 + n1) * 14 + n2]
        void = self._void[k]
        allowed: i64 = 0 if void & 1 else n0
        if not void & 2:
            allowed += n1
        if not void & 4:
            allowed += n2
        if not void & 8:
            allowed += n3
        return CHOOSE[allowed * 40 + self._size[k]]

    def _prepare(self) -> None:
        """Make the table, unless it is there: for every class but the first and last, from every state."""
        if self._remembered():
            return
        left = self._left
        if len(self._table) == 0:
            self._table = vec[i64]([0] * (LEVEL * MOST_SEATS))
        cards: i64 = left[0] + left[1] + left[2] + left[3] - self._size[0]
        k: i64 = 1
        while k < self._classes - 1:
            cards -= self._size[k]
            k += 1
        k = self._classes - 2
        while k >= 1:
            cards += self._size[k]
            self._fill(k, cards)
            k -= 1

    def _fill(self, k: i64, cards: i64) -> None:
        """The table's entries of class k, before which so many cards are left."""
        left = self._left
        state = self._state
        n0: i64 = 0
        while n0 <= left[0]:
            n1: i64 = 0
            while n1 <= left[1]:
                n2: i64 = 0
                while n2 <= left[2]:
                    n3: i64 = cards - n0 - n1 - n2
                    if 0 <= n3 <= left[3]:
                        state[0] = n0
                        state[1] = n1
                        state[2] = n2
                        state[3] = n3
                        total = self._weigh(k)
                        up: i64 = self._top
                        while total > PRECISE:
                            total >>= 1
                            up += 1
                        self._table[k * LEVEL + (n0 * 14 + n1) * 14 + n2] = total | (up << 40) if total else 0
                    n2 += 1
                n1 += 1
            n0 += 1

    def _remembered(self) -> bool:
        """Whether the table is for these classes and cards; from now on it is."""
        known = self._known
        left = self._left
        counts: i64 = left[0] | (left[1] << 4) | (left[2] << 8) | (left[3] << 12) | (self._classes << 16)
        same = known[0] == counts
        known[0] = counts
        k: i64 = 0
        while k < self._classes:
            now: i64 = self._void[k] | (self._size[k] << 4)
            same = same and known[k + 1] == now
            known[k + 1] = now
            k += 1
        return same
