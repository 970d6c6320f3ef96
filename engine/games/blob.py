"""Blob, of the family of Oh Hell: 3 to 8 players bid how many tricks they will take; only exact bids score.

Actions 0-51 are cards, suit * 13 + rank, suits spades hearts clubs diamonds and ranks 2 to ace; 52-65 are the
bids 0 to 13. A card is written AS or TD, a bid as its number. A set of cards is an integer of 52 bits.

The variant says how many `players`, how many `cards` each gets in the largest round, and how many `rounds` of
the sequence are played: from the largest round down to one card, one round of one card per player, and up
again. Deals after the first come from a seed that is part of the position, and that no seat sees. Where an
observation holds a share of cards, it is of the cards dealt to each player, not of those left.

Within a round the suits that are not trump are alike: its symmetries exchange them. What is dealt after it
stays as it is, because the next round has another trump.
"""

from itertools import permutations
from typing import Any, Final, final

from librt.vecs import vec
from mypy_extensions import i32, i64, mypyc_attr, u8

from engine.bits import F32_ONE, bit, f32_bits, f32_ratio, popcount, too_short
from engine.core import VALUE_ONE, Game
from engine.deals import Deals, lowest
from engine.rng import Rng

CARDS: Final[i64] = 52
ACTIONS: Final[i64] = 66
DECK: Final[i64] = 0xFFFFFFFFFFFFF
SUIT: Final[i64] = 0x1FFF
ACE: Final[i64] = 12
KING: Final[i64] = 11
TRUMP: Final[i64] = 200  # what a trump's strength is above its id, and a card's of the suit led
LED: Final[i64] = 100
MOST_CARDS: Final = 13
SUITS: Final = "SHCD"
RANKS: Final = "23456789TJQKA"
SUIT_NAMES: Final = ("spades", "hearts", "clubs", "diamonds")
TRUMPS: Final = (*SUIT_NAMES, "none")  # by round, over and over
TEXTS: Final = [rank + suit for suit in SUITS for rank in RANKS] + [str(bid) for bid in range(14)]
BIDS: Final = [[52 + bid for bid in range(dealt + 1)] for dealt in range(14)]  # of a round, none forbidden

# Where things stand in `Blob._seats`, behind the hands.
TOTAL: Final[i64] = 8  # by seat: points of the rounds before this one
SHARE: Final[i64] = 16  # by seat: float32 bits of that / the most possible in a match
PLAYED: Final[i64] = 24  # the cards of this round in order, eight to a word, six bits each
ROOM: Final = 24 + 7


def exchanges(trump: int) -> list[list[int]]:
    """Where each suit goes, for every order of the suits that are not trump; the given order first."""
    alike = [suit for suit in range(4) if suit != trump]
    found = []
    for order in permutations(alike):
        suits = list(range(4))
        for suit, other in zip(alike, order, strict=True):
            suits[suit] = other
        found.append(suits)
    return found


# By trump, where each symmetry puts the four suits: 24 rows of four for each trump, with a trump 6 in use.
MOST_EXCHANGES: Final[i64] = 24
EXCHANGED: Final = vec[i64](
    [
        i64(suit)
        for trump in range(5)
        for suits in (exchanges(trump) + [[0, 1, 2, 3]] * 18)[:24]
        for suit in suits
    ]
)

ORDER: Final = vec[i64]([i64(c) for c in range(52)])  # copied, then shuffled
MINUS_ONE: Final[i64] = f32_bits(-1.0)
THIRTEENTHS: Final[i64] = 14 * 13
SHARES: Final = vec[i64]([f32_bits(n / d) if d else 0 for d in range(14) for n in range(14)])  # at 14 d + n
LEGACY_WINDOW: Final[i64] = 15


@final
@mypyc_attr(acyclic=True)
class Blob(Game):
    """One position: a round with all its cards, and the totals of the rounds before.

    `_bids` and `_won` hold four bits per seat: the bid + 1, 0 before it, and the tricks taken; `_voids` four
    bits per seat: the suits it failed to follow; `_leaders` three bits per trick: who led it.
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
        self._most: i64 = 0  # what max_utility says, once asked
        self._seats: vec[i64] = vec[i64]([0] * ROOM)
        self._shares_of: i64 = -1  # the round for which SHARE holds what it should
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
        self._leaders: i64 = 0
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
        if self._most == 0:
            r: i64 = 0
            while r < self._rounds:
                self._most += 10 + self.cards_of(r)
                r += 1
        return self._most

    def variant(self) -> dict[str, int]:
        return {"players": self._players, "cards": self._cards, "rounds": self._rounds}

    def rules_text(self) -> str:
        return rules(int(self._players), [int(self.cards_of(r)) for r in range(self._rounds)])

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
            strength += TRUMP
        if self._in_trick == 0:
            self._led = suit
            self._follow = SUIT * bit(13 * suit)
            self._strength = strength + LED
            self._winner = who
            self._leaders |= who << (3 * self._tricks)
        else:
            if suit == self._led:
                strength += LED
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
        self._who = self._winner
        if self._tricks == self._dealt:
            self._end_round()

    @final
    def _end_round(self) -> None:
        if self._narrowed or self._round + 1 == self._rounds:
            self._who = -1
            return
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
        self._leaders = 0
        self._follow = 0
        self._shares_of = -1

    @final
    def _deal(self) -> None:
        """Shuffle by the seed, deal one card at a time from seat 0 on, and leave a new seed."""
        rng = Rng(self._seed)
        seats = self._seats
        deck = ORDER[:]
        p: i64 = 0
        while p < self._players:
            seats[p] = 0
            p += 1
        p = 0
        i: i64 = 0
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

    def legal_actions(self) -> list[int]:
        if self._who < 0:
            return []
        if self._num_bids < self._players:
            bids = BIDS[self._dealt].copy()
            forbidden = self._forbidden()
            if forbidden >= 0:
                del bids[forbidden]
            return bids
        ids: list[int] = []
        cards = self._playable()
        while cards:
            ids.append(lowest(cards))
            cards &= cards - 1
        return ids

    def mask_into(self, out: vec[u8]) -> None:
        if len(out) < ACTIONS:  # checked once, gcc clears all at once
            raise too_short(len(out), ACTIONS)
        i: i64 = 0
        while i < ACTIONS:
            out[i] = 0
            i += 1
        if self._who < 0:
            return
        if self._num_bids < self._players:
            i = 0
            while i <= self._dealt:
                out[CARDS + i] = 1
                i += 1
            forbidden = self._forbidden()
            if forbidden >= 0:
                out[CARDS + forbidden] = 0
            return
        cards = self._playable()
        while cards:
            out[lowest(cards)] = 1
            cards &= cards - 1

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

    def playout(self, rng: Rng) -> None:
        while self._who >= 0:
            if self._num_bids < self._players:
                self.step(self.random_action(rng))
            else:
                self._play_on(rng)

    @final
    def _play_on(self, rng: Rng) -> None:
        """Random cards to the end of the round: as `step` plays them, in locals."""
        seats = self._seats
        players = self._players
        trump = self._trump
        dealt = self._dealt
        who = self._who
        won = self._won
        voids = self._voids
        seen = self._seen
        num_played = self._num_played
        tricks = self._tricks
        in_trick = self._in_trick
        leaders = self._leaders
        led = self._led
        follow = self._follow
        strongest = self._strength
        winner = self._winner
        while tricks < dealt:
            hand = seats[who]
            card: i64 = hand & follow
            if card == 0:
                card = hand
            if card & (card - 1):
                skip = rng.below(popcount(card))
                while skip:
                    card &= card - 1
                    skip -= 1
                card &= -card
            seats[who] = hand ^ card
            seen |= card
            action = lowest(card)
            shift: i64 = 6 * (num_played & 7)
            word: i64 = PLAYED + (num_played >> 3)
            seats[word] = (seats[word] if shift else 0) | (action << shift)
            num_played += 1
            suit: i64 = action // 13
            strength = action
            if suit == trump:
                strength += TRUMP
            if in_trick == 0:
                led = suit
                follow = SUIT * bit(13 * suit)
                leaders |= who << (3 * tricks)
                strongest = strength + LED
                winner = who
            else:
                if suit == led:
                    strength += LED
                else:
                    voids |= bit(4 * who + led)
                if strength > strongest:
                    strongest = strength
                    winner = who
            in_trick += 1
            if in_trick < players:
                who += 1
                if who == players:
                    who = 0
            else:
                won += bit(4 * winner)
                in_trick = 0
                follow = 0
                tricks += 1
                who = winner
        self._who = who
        self._won = won
        self._voids = voids
        self._seen = seen
        self._num_played = num_played
        self._tricks = tricks
        self._in_trick = 0
        self._leaders = leaders
        self._led = led
        self._follow = 0
        self._strength = strongest
        self._winner = winner
        self._end_round()

    # Copies and bytes.

    def clone(self) -> "Blob":
        game = Blob(self._players, self._cards, self._rounds)
        game._most = self._most
        game._deals = (
            self._deals
        )  # room to draw in: whoever draws leaves nothing there that another would see
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
        self._leaders = other._leaders
        self._led = other._led
        self._follow = other._follow
        self._strength = other._strength
        self._winner = other._winner
        self._shares_of = -1

    @final
    def card_played(self, i: i64) -> i64:
        """The card that was played as number `i`, 0-based, of this round."""
        return (self._seats[PLAYED + (i >> 3)] >> (6 * (i & 7))) & 63

    @final
    def player_of(self, i: i64) -> i64:
        """Who played card number `i`, 0-based, of this round."""
        trick: i64 = i // self._players
        leader: i64 = (self._leaders >> (3 * trick)) & 7
        return (leader + i - trick * self._players) % self._players

    @final
    def winner_of(self, trick: i64) -> i64:
        """Who won a completed trick, 0-based, of this round: the next one's leader, if that is led."""
        if trick + 1 == self._tricks and self._in_trick == 0:
            return self._winner
        return (self._leaders >> (3 * (trick + 1))) & 7

    @final
    def dealt_to(self, seat: i64) -> i64:
        """The cards that a seat was dealt in this round."""
        hand = self._seats[seat]
        i: i64 = 0
        while i < self._num_played:
            if self.player_of(i) == seat:
                hand |= bit(self.card_played(i))
            i += 1
        return hand

    def position_bytes(self) -> bytes:
        """The round, its deal, its bids and its plays, from which `set_position` plays it again.

        One byte each: round, narrowed, number of bids, number of plays; 8 bytes: the seed; by seat 2 bytes:
        total; by seat 7 bytes: cards dealt; then a byte per bid and one per play, in order.
        """
        n = self._players
        first: i64 = self._dealer + 1
        return (
            bytes([int(self._round), int(self._narrowed), int(self._num_bids), int(self._num_played)])
            + int(self._seed).to_bytes(8, "little")
            + b"".join([int(self._seats[TOTAL + p]).to_bytes(2, "little") for p in range(n)])
            + b"".join([int(self.dealt_to(p)).to_bytes(7, "little") for p in range(n)])
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
        begin = 12 + 9 * n
        if len(data) < begin or data[0] >= self._rounds or data[1] > 1:
            return False
        self._begin(data[0])
        self._narrowed = data[1] == 1
        num_bids, num_played, seed = data[2], data[3], int.from_bytes(data[4:12], "little")
        if seed >> 62 or num_bids > n or len(data) != begin + num_bids + num_played:
            return False
        if num_played == n * self._dealt and not self._narrowed and self._round + 1 < self._rounds:
            return False  # the next round would have begun
        self._seed = seed
        seen: i64 = 0
        for p in range(n):
            total = int.from_bytes(data[12 + 2 * p : 14 + 2 * p], "little")
            at = 12 + 2 * n + 7 * p
            hand: i64 = int.from_bytes(data[at : at + 7], "little")
            if hand & ~DECK or hand & seen or popcount(hand) != self._dealt or not self._reachable(total):
                return False
            self._seats[TOTAL + p] = total
            self._seats[p] = hand
            seen |= hand
        for i in range(begin, len(data)):
            action: i64 = data[i] + 52 if i < begin + num_bids else data[i]
            if not self.is_legal(action):
                return False
            self.step(action)
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

    # Symmetries.

    def num_symmetries(self) -> i64:
        """The orders of the suits that are not trump: 6, and 24 in a round without trump."""
        return 6 if self._trump < 4 else 24

    def symmetry_text(self, symmetry: i64) -> str:
        to = "".join([SUITS[self._suit_at(symmetry, s)] for s in range(4)])
        return f"suits {SUITS} as {to}" if symmetry else "as it is"

    @final
    def _suit_at(self, symmetry: i64, suit: i64) -> i64:
        """Where a suit goes."""
        return EXCHANGED[(self._trump * MOST_EXCHANGES + symmetry) * 4 + suit]

    def transform_action(self, symmetry: i64, action: i64) -> i64:
        if action >= CARDS:
            return action
        suit: i64 = action // 13
        return action + 13 * (self._suit_at(symmetry, suit) - suit)

    def transform_position(self, symmetry: i64) -> None:
        seats = self._seats
        voids: i64 = 0
        p: i64 = 0
        while p < self._players:
            seats[p] = self._exchanged(symmetry, seats[p])
            s: i64 = 0
            while s < 4:
                lacks: i64 = (self._voids >> (4 * p + s)) & 1
                voids |= lacks << (4 * p + self._suit_at(symmetry, s))
                s += 1
            p += 1
        i: i64 = 0
        while i < self._num_played:
            word: i64 = PLAYED + (i >> 3)
            card = self.card_played(i)
            seats[word] += (self.transform_action(symmetry, card) - card) * bit(6 * (i & 7))
            i += 1
        self._voids = voids
        self._seen = self._exchanged(symmetry, self._seen)
        self._follow = self._exchanged(symmetry, self._follow)
        self._led = self._suit_at(symmetry, self._led)
        strongest: i64 = self._strength % LED
        self._strength += self.transform_action(symmetry, strongest) - strongest

    @final
    def _exchanged(self, symmetry: i64, cards: i64) -> i64:
        """A set of cards with its suits exchanged."""
        out: i64 = 0
        s: i64 = 0
        while s < 4:
            suit: i64 = (cards >> (13 * s)) & SUIT
            out |= suit << (13 * self._suit_at(symmetry, s))
            s += 1
        return out

    def moves_transformed(self) -> i64:
        return self._num_bids + self._num_played

    # What a seat may know.

    def determinize(self, seat: i64, rng: Rng) -> None:
        """Other hands uniformly from all that agree with their sizes and shown voids; new deals to come."""
        self._reseed(rng)
        if self._who < 0:
            return
        deals = self._deals
        if deals is None:
            deals = Deals()
            self._deals = deals
        seats = self._seats
        p: i64 = 0
        while p < self._players:
            deals.sizes[p] = self.cards_left(p) if p != seat else 0
            p += 1
        deals.draw(DECK ^ (self._seen | seats[seat]), self._players, self._voids, seats, rng)

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

    def observe_into(self, seat: i64, out: vec[i32]) -> None:
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
        shares = SHARES
        if len(out) < 170:  # checked once, gcc clears all at once
            raise too_short(len(out), self.observation_size())
        i: i64 = 0
        while i < 170:
            out[i] = 0
            i += 1
        write_cards(self._seats[seat], out, 0)
        write_cards(self._seen, out, 104)
        i = 1
        while i <= self._in_trick:
            out[52 + self.card_played(self._num_played - i)] = i32(shares[14 * n + self._in_trick + 1 - i])
            i += 1
        out[156 + self._trump] = i32(F32_ONE)
        if self._in_trick:
            out[161 + self._led] = i32(F32_ONE)
        row: i64 = 14 * self._dealt
        forbidden = self._forbidden()
        out[165] = i32(shares[THIRTEENTHS + self._dealt])
        out[166] = i32(shares[row + self._tricks])
        out[167] = i32(f32_ratio(self._rounds_done(), self._rounds))
        out[168] = i32(F32_ONE) if self._num_bids < n else 0
        out[169] = i32(shares[row + forbidden] if forbidden >= 0 else MINUS_ONE)
        self._write_seats(seat, out, 170)

    @final
    def _write_seats(self, seat: i64, out: vec[i32], base: i64) -> None:
        """Ten floats for each seat, from `seat` on."""
        if self._who < 0 or self._shares_of != self._round:
            self._share()
        seats = self._seats
        shares = SHARES
        row: i64 = 14 * self._dealt
        at = base
        p = seat
        end: i64 = base + 10 * self._players
        while at < end:
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
            out[at + 9] = i32(seats[SHARE + p])
            at += 10
            p = p + 1 if p + 1 < self._players else 0

    @final
    def _share(self) -> None:
        """Bring SHARE up to date: once per round."""
        p: i64 = 0
        while p < self._players:
            self._seats[SHARE + p] = f32_ratio(self.total(p), self.max_utility())
            p += 1
        self._shares_of = self._round

    @final
    def _rounds_done(self) -> i64:
        return self._round + 1 if self._who < 0 else self._round

    def legacy_observation_size(self) -> i64:
        return 256

    def observe_legacy_into(self, seat: i64, out: vec[i32]) -> None:
        """The hand of `seat`, everything else by absolute seat.

        0-51 own hand; 52-103 the current trick at the card's index: place in play order, from 1; 104-155 cards
        played in this round, that trick included; 156-163 bids by seat / cards dealt, -1 before the bid, 0 for
        an absent seat; 164-171 tricks by seat / cards dealt; 172, 173 own bid and tricks likewise; 174 cards
        dealt / 13; 175 completed tricks / cards dealt; 176 how many seats after the dealer / players; 177
        players / 8; 178-181 trump one-hot, all 0 for none; 182 is dealer, while bidding; 183-185 bidding,
        playing, over; 186 cards held / 13; 187 cards played by this seat / 13; 188 cards played by all / cards
        dealt to all; 189 (own tricks - own bid) / cards dealt, 0 before the bid; 190 cards in the current trick
        / players; 191 own trumps / 13; 192-195 own cards by suit / 13; 196-199 by suit 1 with the ace, 0.5 with
        the king only; 200 mean rank of own trumps, 0 for 2 to 1 for ace; 201 the bid that the dealer, to bid
        now, may not make / cards dealt, otherwise -1.
        Only in a match of more than one round: 202-209 totals by seat / (completed rounds * (10 + most cards));
        210, 211 completed and other rounds / rounds; 212 rounds of one card not completed / players; 213 segment
        of the sequence: 0 falling, 0.5 ones, 1 rising; 214-228 cards of the last 15 completed rounds / most
        cards, the latest first; 229 players / 8; 230 most cards / 8. The rest is 0.
        """
        i: i64 = 0
        while i < 256:
            out[i] = 0
            i += 1
        hand = self._seats[seat]
        n = self._players
        shares = SHARES
        row: i64 = 14 * self._dealt
        write_cards(hand, out, 0)
        write_cards(self._seen, out, 104)
        i = 0
        while i < self._in_trick:
            at: i64 = 52 + self.card_played(self._num_played - self._in_trick + i)
            i += 1
            out[at] = i32(f32_ratio(i, 1))
        i = 0
        while i < n:
            bid = self.bid_of(i)
            out[156 + i] = i32(shares[row + bid] if bid >= 0 else MINUS_ONE)
            out[164 + i] = i32(shares[row + self.tricks_of(i)])
            i += 1
        bid = self.bid_of(seat)
        held = popcount(hand)
        out[172] = out[156 + seat]
        out[173] = out[164 + seat]
        out[174] = i32(shares[THIRTEENTHS + self._dealt])
        out[175] = i32(shares[row + self._tricks])
        out[176] = i32(shares[14 * n + (seat + n - self._dealer) % n])
        out[177] = i32(shares[14 * 8 + n])
        if self._trump < 4:
            out[178 + self._trump] = i32(F32_ONE)
        bidding = self._num_bids < n
        out[182] = i32(F32_ONE) if bidding and seat == self._dealer else 0
        out[183 if bidding else 184 if self._who >= 0 else 185] = i32(F32_ONE)
        out[186] = i32(shares[THIRTEENTHS + held])
        out[187] = i32(shares[THIRTEENTHS + self._dealt - held])
        out[188] = i32(f32_ratio(self._num_played, n * self._dealt))
        out[189] = i32(f32_ratio(self.tricks_of(seat) - bid, self._dealt)) if bid >= 0 else 0
        out[190] = i32(shares[14 * n + self._in_trick])
        self._write_suits(hand, out, 191)
        forbidden = self._forbidden()
        out[201] = i32(shares[row + forbidden] if forbidden >= 0 else MINUS_ONE)
        if self._rounds > 1:
            self._write_match(out, 202)

    @final
    def _write_suits(self, hand: i64, out: vec[i32], base: i64) -> None:
        """Legacy 191-200: own trumps, suit lengths, high cards, mean rank of the trumps."""
        s: i64 = 0
        while s < 4:
            suit: i64 = (hand >> (13 * s)) & SUIT
            length = popcount(suit)
            out[base + 1 + s] = i32(SHARES[THIRTEENTHS + length])
            if (suit >> ACE) & 1:
                out[base + 5 + s] = i32(F32_ONE)
            elif (suit >> KING) & 1:
                out[base + 5 + s] = i32(SHARES[14 * 2 + 1])
            if s == self._trump and length:
                out[base] = out[base + 1 + s]
                ranks: i64 = 0
                while suit:
                    ranks += lowest(suit)
                    suit &= suit - 1
                out[base + 9] = i32(f32_ratio(ranks, 12 * length))
            s += 1

    @final
    def _write_match(self, out: vec[i32], base: i64) -> None:
        """Legacy 202-230: how the match stands."""
        n = self._players
        done = self._rounds_done()
        most = self._cards
        p: i64 = 0
        while p < n:
            if done:
                out[base + p] = i32(f32_ratio(self.total(p), done * (10 + most)))
            p += 1
        out[base + 8] = i32(f32_ratio(done, self._rounds))
        out[base + 9] = i32(f32_ratio(self._rounds - done, self._rounds))
        ones: i64 = 0
        r = done
        while r < self._rounds:
            if self.cards_of(r) == 1:
                ones += 1
            r += 1
        out[base + 10] = i32(SHARES[14 * n + ones])
        if self._round >= most - 1:
            out[base + 11] = i32(SHARES[14 * 2 + 1] if self._dealt == 1 else F32_ONE)
        i: i64 = 0
        while i < LEGACY_WINDOW and i < done:
            out[base + 12 + i] = i32(SHARES[14 * most + self.cards_of(done - 1 - i)])
            i += 1
        out[base + 27] = i32(SHARES[14 * 8 + n])
        out[base + 28] = i32(f32_ratio(most, 8))

    # Words.

    def action_text(self, action: i64) -> str:
        return TEXTS[action]

    def facts(self, seat: i64) -> dict[str, Any]:
        """Cards as text, seats 0-based; `trick` and each of `tricks_played` list [seat, card] in play order.

        `winners` are of `tricks_played`; `forbidden_bid` is for the dealer, who bids now.
        """
        n = int(self._players)
        plays = [[int(self.player_of(i)), TEXTS[self.card_played(i)]] for i in range(self._num_played)]
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
            "bids": [bid if bid >= 0 else None for bid in bids],
            "forbidden_bid": forbidden if forbidden >= 0 else None,
            "tricks": [int(self.tricks_of(p)) for p in range(n)],
            "cards_left": [int(self.cards_left(p)) if self._who >= 0 else 0 for p in range(n)],
            "voids": [[SUIT_NAMES[s] for s in range(4) if self.lacks(p, s)] for p in range(n)],
            "scores": [int(self.total(p)) for p in range(n)],
            "tricks_played": [plays[at : at + n] for at in range(0, done, n)],
            "winners": [int(self.winner_of(t)) for t in range(self._tricks)],
            "trick": plays[done:],
        }

    @final
    def lacks(self, seat: i64, suit: i64) -> bool:
        """Whether a seat has shown in this round that it has no card of a suit."""
        return ((self._voids >> (4 * seat + suit)) & 1) != 0

    def board_text(self, seat: i64) -> str:
        return drawn(self.facts(seat), seat)


def write_cards(cards: i64, out: vec[i32], base: i64) -> None:
    """Float32 ones at the indexes of these cards."""
    rest = cards
    while rest:
        out[base + lowest(rest)] = i32(F32_ONE)
        rest &= rest - 1


def card_texts(cards: int) -> list[str]:
    """A set of cards by suit, highest first."""
    order = [13 * s + r for s in range(4) for r in range(12, -1, -1)]
    return [TEXTS[card] for card in order if (cards >> card) & 1]


def drawn(facts: dict[str, Any], seat: int) -> str:
    """The text board: the round, its tricks, a table of the players and the hand of `seat`."""
    lines = [
        f"Round {facts['round']} of {facts['rounds']}: {counted(facts['cards'])} to each player, "
        f"trump {facts['trump']}, dealer P{facts['dealer'] + 1}",
    ]
    if facts["trick"] or facts["winners"]:
        lines.append("")
    for number, (trick, winner) in enumerate(zip(facts["tricks_played"], facts["winners"], strict=True)):
        lines.append(f"Trick {number + 1}: {told(trick)}; won by P{winner + 1}")
    if facts["trick"]:
        lines.append(f"Trick {len(facts['winners']) + 1}: {told(facts['trick'])}; not complete")
    lines += ["", "player  score  bid  tricks  cards left  has shown to lack"]
    for p, score in enumerate(facts["scores"]):
        bid = "-" if facts["bids"][p] is None else facts["bids"][p]
        lacks = ", ".join(facts["voids"][p]) or "-"
        lines.append(
            f"P{p + 1:<6}{score:6}{bid:>5}{facts['tricks'][p]:8}{facts['cards_left'][p]:12}  {lacks}"
        )
    suits = [" ".join([card for card in facts["hand"] if card[1] == suit]) for suit in SUITS]
    hand = " | ".join([cards for cards in suits if cards]) or "no cards"
    return "\n".join([*lines, "", f"Hand of P{seat + 1}: {hand}"])


def told(trick: list[list[Any]]) -> str:
    """A trick's cards in play order."""
    return ", ".join([f"P{seat + 1} {card}" for seat, card in trick])


def rules(players: int, sizes: list[int]) -> str:
    """The rules for so many players and rounds of these sizes."""
    if len(sizes) == 1:
        rounds = f"The match is one round, in which each player is dealt {counted(sizes[0])}. "
        dealer = "Spades are trump, and P1 is the dealer. "
    else:
        rounds = (
            f"The match has {len(sizes)} rounds, in which each player is dealt, in this order, "
            f"{', '.join([str(size) for size in sizes])} cards. "
        )
        dealer = (
            "Trump is spades in the first round, then hearts, clubs, diamonds, none, and so on from spades again. "
            f"P1 is the dealer of the first round, and the next player is the dealer of the next; "
            f"P1 comes after P{players}. "
        )
    return (
        f"Blob is a card game for {players} players, P1 to P{players}, each for themselves. "
        "The deck has 52 cards in four suits: spades (S), hearts (H), clubs (C) and diamonds (D). "
        "In each suit the ranks are, from low to high, 2 3 4 5 6 7 8 9 T J Q K A, T being the ten. "
        f"{rounds}"
        "Players see their own cards only; the cards that are not dealt stay hidden. "
        f"{dealer}"
        "Before the first card is played each player bids, that is, says how many tricks they will take, "
        "from 0 to the number of cards dealt to each. The player after the dealer bids first, the dealer last; "
        "all hear every bid. The dealer may not make the bid with which the sum of all bids would equal the "
        "number of cards dealt to each player. "
        "The player after the dealer leads to the first trick. In a trick each player in turn plays one card. "
        "A player who holds cards of the suit that was led has to play one of them; any other player may play "
        "any card. The trick is won by the highest trump in it, or, if there is none, by the highest card of the "
        "suit that was led. Who wins a trick leads to the next one. "
        "When all cards are played, each player whose number of tricks equals their bid scores 10 points plus "
        "the bid; the others score 0. "
        f"{'The' if len(sizes) == 1 else 'After the last round the'} player with the most points wins; players "
        "with equally many share the win. "
        f"A bid is written as its number, 0 to {max(sizes)}. A card is written as its rank and its suit: AS is "
        "the ace of spades, TD the ten of diamonds."
    )


def counted(cards: int) -> str:
    """A number of cards in words."""
    return "1 card" if cards == 1 else f"{cards} cards"


GAME = Blob
