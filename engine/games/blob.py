"""Blob, of the family of Oh Hell: 3 to 8 players bid how many tricks they will take, and score for exact bids.

Actions 0-51 are cards, suit * 13 + rank, suits spades hearts clubs diamonds and ranks 2 to ace; 52-65 are the
bids 0 to 13. A card is written AS or TD, a bid as its number. A set of cards is an integer of 52 bits.

The variant says how many `players`, how many `cards` each gets in the largest round, and how many `rounds` of
the sequence are played: from the largest round down to one card, one round of one card per player, and up
again. Deals after the first come from a seed that is part of the position, and that no seat sees. Where an
observation or a fact is a share of cards, it is of the cards dealt to each player, not of those left.
"""

from typing import Any, Final, final

from librt.vecs import vec
from mypy_extensions import i32, i64, mypyc_attr

from engine.bits import F32_ONE, bit, f32_bits, f32_ratio, popcount
from engine.core import VALUE_ONE, Game
from engine.deals import Deals, lowest
from engine.rng import Rng

CARDS: Final[i64] = 52
ACTIONS: Final[i64] = 66
DECK: Final[i64] = 0xFFFFFFFFFFFFF
SUIT: Final[i64] = 0x1FFF
NO_TRUMP: Final[i64] = 4
MOST_SEATS: Final[i64] = 8
MOST_CARDS: Final = 13
SUITS: Final = "SHCD"
RANKS: Final = "23456789TJQKA"
SUIT_NAMES: Final = ("spades", "hearts", "clubs", "diamonds")
TRUMPS: Final = ("S", "H", "C", "D", "none")
TEXTS: Final = [rank + suit for suit in SUITS for rank in RANKS] + [str(bid) for bid in range(14)]

# Where things stand in `Blob._seats`.
TOTAL: Final[i64] = 8  # by seat: points of the rounds before this one; hands stand before them
PLAYED: Final[i64] = 16  # the cards of this round in order, eight to a word, six bits each
ROOM: Final = 16 + 7

MINUS_ONE: Final[i64] = f32_bits(-1.0)
SHARES: Final = vec[i64](
    [f32_bits(n / d) if d else 0 for d in range(14) for n in range(14)]
)  # n / d at 14 d + n


@final
@mypyc_attr(acyclic=True)
class Blob(Game):
    """One position: a round with all its cards, and the totals of the rounds before.

    `_bids` and `_won` hold four bits per seat: the bid + 1, 0 before it, and the tricks taken; `_voids` four
    bits per seat: the suits it failed to follow.
    """

    def __init__(self, players: int = 5, cards: int = 0, rounds: int = 0) -> None:
        """`cards` 0: 7, or as many as the deck has for so many players; `rounds` 0: the whole sequence.

        ValueError for what the deck or the sequence does not give.
        """
        if not 3 <= players <= 8:
            raise ValueError(f"blob is for 3 to 8 players, got players={players}")
        most = min(MOST_CARDS, 52 // players)
        if not 0 <= cards <= most:
            raise ValueError(
                f"blob with {players} players deals 1 to {most} cards to each in its largest round "
                f"(0: {min(7, most)}), got cards={cards}"
            )
        self._players: i64 = players
        self._cards: i64 = cards or min(7, most)
        whole: i64 = 2 * (self._cards - 1) + self._players
        if not 0 <= rounds <= whole:
            raise ValueError(
                f"blob with {players} players and {self._cards} cards has 1 to {whole} rounds (0: all), "
                f"got rounds={rounds}"
            )
        self._rounds: i64 = rounds or whole
        self._seats: vec[i64] = vec[i64]([0] * ROOM)
        self._deals: Deals | None = None
        self._narrowed = False  # whether this round is the last for a search
        self._seed: i64 = 0  # of the next deal
        self._round: i64 = 0
        self._dealt: i64 = 0  # cards to each player in this round
        self._trump: i64 = 0
        self._dealer: i64 = 0
        self._who: i64 = -1
        self._bids: i64 = 0
        self._num_bids: i64 = 0
        self._sum_bids: i64 = 0
        self._won: i64 = 0
        self._voids: i64 = 0
        self._seen: i64 = 0  # all cards played in this round
        self._num_played: i64 = 0
        self._tricks: i64 = 0  # completed ones
        self._in_trick: i64 = 0  # cards in the current one
        self._led: i64 = 0  # its suit, once led
        self._follow: i64 = 0  # all cards of that suit; 0 before the lead
        self._strength: i64 = 0  # of the card that wins it so far
        self._winner: i64 = 0  # who played that

    def name(self) -> str:
        return "blob"

    def num_players(self) -> i64:
        return self._players

    def num_actions(self) -> i64:
        return ACTIONS

    def max_plies(self) -> i64:
        plies: i64 = 0
        r: i64 = 0
        while r < self._rounds:
            plies += self._players * (1 + self.cards_of(r))
            r += 1
        return plies

    def hidden_information(self) -> bool:
        return True

    def max_utility(self) -> i64:
        """The points of a seat that bids and takes all tricks of every round."""
        points: i64 = 0
        r: i64 = 0
        while r < self._rounds:
            points += 10 + self.cards_of(r)
            r += 1
        return points

    def variant(self) -> dict[str, int]:
        return {"players": self._players, "cards": self._cards, "rounds": self._rounds}

    def rules_text(self) -> str:
        return rules(self._players, [int(self.cards_of(r)) for r in range(self._rounds)])

    @final
    def cards_of(self, r: i64) -> i64:
        """How many cards each player gets in round `r`, 0-based."""
        falling: i64 = self._cards - 1
        if r < falling:
            return self._cards - r
        if r < falling + self._players:
            return 1
        return r - falling - self._players + 2

    # Play.

    def start(self, rng: Rng) -> None:
        seats = self._seats
        p: i64 = 0
        while p < self._players:
            seats[TOTAL + p] = 0
            p += 1
        self._narrowed = False
        self._reseed(rng)
        self._begin(0)
        self._deal()

    def current_player(self) -> i64:
        return self._who

    def is_terminal(self) -> bool:
        return self._who < 0

    def ply(self) -> i64:
        plies: i64 = self._num_bids + self._num_played
        r: i64 = 0
        while r < self._round:
            plies += self._players * (1 + self.cards_of(r))
            r += 1
        return plies

    def step(self, action: i64) -> None:
        who = self._who
        if action >= CARDS:
            bid: i64 = action - CARDS
            self._bids |= (bid + 1) << (4 * who)
            self._sum_bids += bid
            self._num_bids += 1
            who += 1
            self._who = who if who < self._players else 0
            return
        seats = self._seats
        card: i64 = bit(action)
        seats[who] ^= card
        self._seen |= card
        word: i64 = PLAYED + (self._num_played >> 3)
        shift: i64 = 6 * (self._num_played & 7)
        seats[word] = (seats[word] if shift else 0) | (action << shift)
        self._num_played += 1
        suit: i64 = action // 13
        strength = action
        if suit == self._trump:
            strength += 200
        if self._in_trick == 0:
            self._led = suit
            self._follow = SUIT * bit(13 * suit)
            self._strength = strength + 100
            self._winner = who
        else:
            if suit == self._led:
                strength += 100
            else:
                self._voids |= bit(4 * who + self._led)
            if strength > self._strength:
                self._strength = strength
                self._winner = who
        self._in_trick += 1
        if self._in_trick < self._players:
            who += 1
            self._who = who if who < self._players else 0
        else:
            self._end_trick()

    @final
    def _end_trick(self) -> None:
        self._won += bit(4 * self._winner)
        self._in_trick = 0
        self._follow = 0
        self._tricks += 1
        if self._tricks < self._dealt:
            self._who = self._winner
        elif self._narrowed or self._round + 1 == self._rounds:
            self._who = -1
        else:
            seats = self._seats
            p: i64 = 0
            while p < self._players:
                seats[TOTAL + p] += self.points(p)
                p += 1
            self._begin(self._round + 1)
            self._deal()

    @final
    def _begin(self, r: i64) -> None:
        """Round `r` before its deal."""
        self._round = r
        self._dealt = self.cards_of(r)
        self._trump = r % 5
        self._dealer = r % self._players
        self._who = (r + 1) % self._players
        self._bids = 0
        self._num_bids = 0
        self._sum_bids = 0
        self._won = 0
        self._voids = 0
        self._seen = 0
        self._num_played = 0
        self._tricks = 0
        self._in_trick = 0
        self._follow = 0

    @final
    def _deal(self) -> None:
        """Shuffle by the seed, deal one card at a time from seat 0 on, and leave a new seed."""
        rng = Rng(self._seed)
        seats = self._seats
        deck = vec[i64]([0] * 52)
        i: i64 = 0
        while i < CARDS:
            deck[i] = i
            i += 1
        p: i64 = 0
        while p < self._players:
            seats[p] = 0
            p += 1
        p = 0
        i = 0
        while i < self._players * self._dealt:
            j: i64 = i + rng.below(CARDS - i)
            seats[p] |= bit(deck[j])
            deck[j] = deck[i]
            i += 1
            p = p + 1 if p + 1 < self._players else 0
        self._reseed(rng)

    @final
    def _reseed(self, rng: Rng) -> None:
        self._seed = (rng.next32() << 30) | (rng.next32() >> 2)

    # Scores.

    @final
    def bid_of(self, seat: i64) -> i64:
        """The bid in this round, -1 before it."""
        return ((self._bids >> (4 * seat)) & 15) - 1

    @final
    def tricks_of(self, seat: i64) -> i64:
        """Tricks taken in this round."""
        return (self._won >> (4 * seat)) & 15

    @final
    def points(self, seat: i64) -> i64:
        """What this round is worth to a seat as bids and tricks stand."""
        bid = self.bid_of(seat)
        return 10 + bid if bid == self.tricks_of(seat) else 0

    @final
    def total(self, seat: i64) -> i64:
        """Points of all completed rounds."""
        return self._seats[TOTAL + seat] + (self.points(seat) if self._who < 0 else 0)

    def payoff(self, seat: i64) -> i64:
        return self.total(seat) if self._who < 0 else 0

    def value(self, seat: i64) -> i64:
        """Points less the mean of the others': of the round where that is all, otherwise of the match.

        In units of the most that can be had there.
        """
        if self._who >= 0:
            return 0
        n = self._players
        sum: i64 = 0
        p: i64 = 0
        if self._narrowed or self._rounds == 1:
            while p < n:
                sum += self.points(p)
                p += 1
            return (n * self.points(seat) - sum) * VALUE_ONE // ((n - 1) * (10 + self._dealt))
        while p < n:
            sum += self.total(p)
            p += 1
        return (n * self.total(seat) - sum) * VALUE_ONE // ((n - 1) * self.max_utility())

    def narrow(self) -> None:
        self._narrowed = True

    # Legality.

    @final
    def _forbidden(self) -> i64:
        """The bid that the dealer, to bid now, may not make; negative when there is none."""
        if self._num_bids == self._players - 1:
            return self._dealt - self._sum_bids
        return -1

    @final
    def _playable(self) -> i64:
        """The cards that the seat to move may play."""
        hand = self._seats[self._who]
        follow: i64 = hand & self._follow
        return follow if follow else hand

    def legal_into(self, out: vec[i64]) -> i64:
        if self._who < 0:
            return 0
        n: i64 = 0
        if self._num_bids < self._players:
            forbidden = self._forbidden()
            bid: i64 = 0
            while bid <= self._dealt:
                if bid != forbidden:
                    out[n] = CARDS + bid
                    n += 1
                bid += 1
            return n
        cards = self._playable()
        while cards:
            out[n] = lowest(cards)
            cards &= cards - 1
            n += 1
        return n

    def is_legal(self, action: i64) -> bool:
        if self._who < 0 or action >= ACTIONS:
            return False
        if self._num_bids < self._players:
            bid: i64 = action - CARDS
            return 0 <= bid <= self._dealt and bid != self._forbidden()
        return action < CARDS and ((self._playable() >> action) & 1) != 0

    def random_action(self, rng: Rng) -> i64:
        if self._num_bids < self._players:
            forbidden = self._forbidden()
            if forbidden < 0:
                return CARDS + rng.below(self._dealt + 1)
            bid = rng.below(self._dealt)
            return CARDS + bid if bid < forbidden else CARDS + bid + 1
        cards = self._playable()
        skip = rng.below(popcount(cards))
        while skip:
            cards &= cards - 1
            skip -= 1
        return lowest(cards)

    # Copies and bytes.

    def clone(self) -> "Blob":
        game = Blob(self._players, self._cards, self._rounds)
        game.copy_from(self)
        game.copy_history(self)
        return game

    def copy_from(self, other: Game) -> None:
        assert isinstance(other, Blob)
        mine = self._seats
        theirs = other._seats
        p: i64 = 0
        while p < other._players:
            mine[p] = theirs[p]
            mine[TOTAL + p] = theirs[TOTAL + p]
            p += 1
        p = PLAYED
        end: i64 = PLAYED + ((other._num_played + 7) >> 3)
        while p < end:
            mine[p] = theirs[p]
            p += 1
        self._narrowed = other._narrowed
        self._seed = other._seed
        self._round = other._round
        self._dealt = other._dealt
        self._trump = other._trump
        self._dealer = other._dealer
        self._who = other._who
        self._bids = other._bids
        self._num_bids = other._num_bids
        self._sum_bids = other._sum_bids
        self._won = other._won
        self._voids = other._voids
        self._seen = other._seen
        self._num_played = other._num_played
        self._tricks = other._tricks
        self._in_trick = other._in_trick
        self._led = other._led
        self._follow = other._follow
        self._strength = other._strength
        self._winner = other._winner

    @final
    def card_played(self, i: i64) -> i64:
        """The card that was played as number `i`, 0-based, of this round."""
        return (self._seats[PLAYED + (i >> 3)] >> (6 * (i & 7))) & 63

    @final
    def plays(self) -> list[tuple[int, int]]:
        """The (seat, card) played in this round, in order."""
        n = self._players
        leader = (self._dealer + 1) % n
        trick: list[tuple[int, int]] = []
        found: list[tuple[int, int]] = []
        for i in range(self._num_played):
            trick.append((int((leader + i) % n), int(self.card_played(i))))
            if len(trick) == n:
                found += trick
                leader = trick_winner(trick, self._trump) - (i + 1)
                trick = []
        return found + trick

    def position_bytes(self) -> bytes:
        """The round, its deal, its bids and its plays, from which `set_position` plays it again."""
        n = self._players
        hands = [int(self._seats[p]) for p in range(n)]
        for seat, card in self.plays():
            hands[seat] |= int(bit(card))
        first = (self._dealer + 1) % n
        return (
            bytes([int(self._round), int(self._narrowed), int(self._num_bids), int(self._num_played)])
            + int(self._seed).to_bytes(8, "little")
            + b"".join([int(self._seats[TOTAL + p]).to_bytes(2, "little") for p in range(n)])
            + b"".join([hand.to_bytes(7, "little") for hand in hands])
            + bytes([int(self.bid_of((first + k) % n)) for k in range(self._num_bids)])
            + bytes([int(self.card_played(i)) for i in range(self._num_played)])
        )

    def set_position(self, data: bytes) -> None:
        trial = Blob(self._players, self._cards, self._rounds)
        if not trial._replay(data):
            raise ValueError(f"no position of blob {self.variant()}: {data!r}")
        self.copy_from(trial)

    @final
    def _replay(self, data: bytes) -> bool:
        """Play `position_bytes` again in this new object; False where the rules do not allow it."""
        n = int(self._players)
        start = 12 + 9 * n
        if (
            len(data) < start
            or data[0] >= self._rounds
            or data[1] > 1
            or len(data) != start + data[2] + data[3]
        ):
            return False
        self._begin(data[0])
        self._narrowed = data[1] == 1
        seed = int.from_bytes(data[4:12], "little")
        if data[2] > n or data[3] > n * self._dealt or (data[3] and data[2] < n) or seed >> 62:
            return False
        self._seed = seed
        seen: i64 = 0
        for p in range(n):
            total = int.from_bytes(data[12 + 2 * p : 14 + 2 * p], "little")
            hand_at = 12 + 2 * n + 7 * p
            hand = int.from_bytes(data[hand_at : hand_at + 7], "little")
            if hand >> 52 or hand & int(seen) or popcount(hand) != self._dealt or not self._reachable(total):
                return False
            self._seats[TOTAL + p] = total
            self._seats[p] = hand
            seen |= hand
        last_play = n * int(self._dealt) == data[3]
        if last_play and not (self._narrowed or self._round + 1 == self._rounds):
            return False  # the next round would have begun
        for code in [*[b + int(CARDS) for b in data[start : start + data[2]]], *data[start + data[2] :]]:
            if not self.is_legal(code):
                return False
            self.step(code)
        return True

    @final
    def _reachable(self, total: int) -> bool:
        """Whether a seat can have that many points before this round."""
        sizes = sorted([int(self.cards_of(r)) for r in range(self._round)], reverse=True)
        least = most = 0
        for size in [-10, *sizes]:  # no exact bid, then one more with each round
            most += 10 + size
            if least <= total <= most:
                return True
            least += 10
        return False

    # What a seat may know.

    def determinize(self, seat: i64, rng: Rng) -> None:
        """Other hands uniformly from all that agree with their sizes and shown voids; new deals to come."""
        self._reseed(rng)
        if self._who < 0:
            return
        seats = self._seats
        n = self._players
        sizes = vec[i64]([0] * n)
        p: i64 = 0
        while p < n:
            sizes[p] = self.cards_left(p) if p != seat else 0
            p += 1
        deals = self._deals
        if deals is None:
            deals = Deals()
            self._deals = deals
        deals.draw(DECK ^ (self._seen | seats[seat]), sizes, self._voids, seats, rng)

    @final
    def cards_left(self, seat: i64) -> i64:
        """How many cards a seat holds, by what all have seen."""
        left: i64 = self._dealt - self._tricks
        after: i64 = seat - self._who  # the seats before the mover, as many as cards lie there, have played
        if after < 0:
            after += self._players
        return left - 1 if after >= self._players - self._in_trick else left

    def observation_size(self) -> i64:
        return 170 + 10 * self._players

    def observe_into(self, seat: i64, out: vec[i32], base: i64) -> None:
        """As seen from `seat`; seats in order from it on.

        0-51 own hand; 52-103 the current trick at the card's index: (place in play order) / players;
        104-155 cards played in this round, that trick included; 156-160 trump: spades, hearts, clubs,
        diamonds, none; 161-164 the suit led in the current trick; 165 cards dealt / 13; 166 completed tricks /
        cards dealt; 167 completed rounds / rounds; 168 bidding; 169 the bid that the dealer, to bid now, may
        not make / cards dealt, -1 when there is none.
        Then ten for each seat: bid / cards dealt, -1 before it; tricks / cards dealt; is dealer; is to move;
        wins the current trick so far; lacks spades, hearts, clubs, diamonds; total / most possible total.
        """
        n = self._players
        hand = self._seats[seat]
        seen = self._seen
        c: i64 = 0
        while c < CARDS:
            out[base + c] = i32(((hand >> c) & 1) * F32_ONE)
            out[base + 52 + c] = 0
            out[base + 104 + c] = i32(((seen >> c) & 1) * F32_ONE)
            c += 1
        shares = SHARES
        at = base
        c = 0
        while c < self._in_trick:
            at = base + 52 + self.card_played(self._num_played - self._in_trick + c)
            c += 1
            out[at] = i32(shares[14 * n + c])
        c = 0
        while c < 9:
            out[base + 156 + c] = 0
            c += 1
        out[base + 156 + self._trump] = i32(F32_ONE)
        if self._in_trick:
            out[base + 161 + self._led] = i32(F32_ONE)
        row: i64 = 14 * self._dealt
        bidding = self._num_bids < n
        forbidden = self._forbidden()
        over: i64 = 1 if self._who < 0 else 0
        out[base + 165] = i32(shares[14 * 13 + self._dealt])
        out[base + 166] = i32(shares[row + self._tricks])
        out[base + 167] = i32(f32_ratio(self._round + over, self._rounds))
        out[base + 168] = i32(F32_ONE) if bidding else 0
        out[base + 169] = i32(shares[row + forbidden] if forbidden >= 0 else MINUS_ONE)
        most = self.max_utility()
        at = base + 170
        p = seat
        c = 0
        while c < n:
            bid = self.bid_of(p)
            lacks: i64 = self._voids >> (4 * p)
            out[at] = i32(shares[row + bid] if bid >= 0 else MINUS_ONE)
            out[at + 1] = i32(shares[row + self.tricks_of(p)])
            out[at + 2] = i32(F32_ONE) if p == self._dealer else 0
            out[at + 3] = i32(F32_ONE) if p == self._who else 0
            out[at + 4] = i32(F32_ONE) if self._in_trick and p == self._winner else 0
            out[at + 5] = i32((lacks & 1) * F32_ONE)
            out[at + 6] = i32(((lacks >> 1) & 1) * F32_ONE)
            out[at + 7] = i32(((lacks >> 2) & 1) * F32_ONE)
            out[at + 8] = i32(((lacks >> 3) & 1) * F32_ONE)
            out[at + 9] = i32(f32_ratio(self.total(p), most))
            at += 10
            c += 1
            p = p + 1 if p + 1 < n else 0

    # Words.

    def action_text(self, action: i64) -> str:
        return TEXTS[action]

    def facts(self, seat: i64) -> dict[str, Any]:
        """Cards as text, seats 0-based; `tricks_played` and `trick` are lists of [seat, card] in play order."""
        n = int(self._players)
        played = [[who, TEXTS[card]] for who, card in self.plays()]
        done = int(self._tricks) * n
        forbidden = int(self._forbidden())
        bids = [int(self.bid_of(p)) for p in range(n)]
        return {
            "round": int(self._round) + 1,
            "rounds": int(self._rounds),
            "cards": int(self._dealt),
            "trump": TRUMPS[self._trump],
            "dealer": int(self._dealer),
            "hand": card_texts(self._seats[seat]),
            "hand_sizes": [int(self.cards_left(p)) if self._who >= 0 else 0 for p in range(n)],
            "bids": [bid if bid >= 0 else None for bid in bids],
            "forbidden_bid": forbidden if forbidden >= 0 else None,
            "tricks": [int(self.tricks_of(p)) for p in range(n)],
            "tricks_played": [played[at : at + n] for at in range(0, done, n)],
            "trick": played[done:],
            "voids": [[SUITS[s] for s in range(4) if self.lacks(p, s)] for p in range(n)],
            "scores": [int(self.total(p)) for p in range(n)],
        }

    @final
    def lacks(self, seat: i64, suit: i64) -> bool:
        """Whether a seat has shown that it has no card of a suit."""
        return ((self._voids >> (4 * seat + suit)) & 1) != 0

    def board_text(self, seat: i64) -> str:
        return "\n".join(f"{key}: {value}" for key, value in self.facts(seat).items())


def trick_winner(trick: list[tuple[int, int]], trump: int) -> int:
    """The seat whose card wins a trick of (seat, card) in play order."""
    led = trick[0][1] // 13
    best = max(trick, key=lambda play: (play[1] // 13 == trump, play[1] // 13 == led, play[1]))
    return best[0]


def card_texts(cards: int) -> list[str]:
    """A set of cards by suit, highest first."""
    order = [13 * s + r for s in range(4) for r in range(12, -1, -1)]
    return [TEXTS[card] for card in order if (cards >> card) & 1]


def rules(players: int, sizes: list[int]) -> str:
    """The rules for so many players and rounds of these sizes."""
    return f"Blob for {players} players, rounds of {sizes} cards."


GAME = Blob
