"""Which of two hypotheses: the generalised sequential probability ratio test on pentanomial counts.

H0 says that player 1 is elo0 better, H1 that it is elo1 better. The log-likelihood ratio of the counts, each
hypothesis at its most likely distribution of pairs (exact constrained maximum likelihood), is compared with Wald's
bounds ln(β/(1-α)) and ln((1-β)/α) after every pair (Wald 1945; generalised: Van den Bergh, The Generalized Maximum
Likelihood Ratio for the Expectation Value of a Distribution, and Comments on Normalized Elo; fishtest and fastchess
test in this way). Hypotheses are in Elo or in normalized Elo. Empty counts are 0.001.

Exact repeats carry no news: counts weigh what the pairs amount to (`pairs.Repeats`).

Futility: a test of so many pairs is given up when even under H1 fewer than 5 in 100 continuations would still accept
it within the pairs that are left (stochastic curtailment: Lan, Simon & Halperin 1982; Brownian approximation). That
never adds to α, and to β at most a twentieth of it.

A test that stops at a good moment reports too good a mean. `after` is the estimate that does not: median-unbiased, with
a 95 % interval, from the stagewise order of outcomes (Siegmund, Sequential Analysis, 1985, ch. III; fishtest shows
the same), for Brownian motion between the two bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

from orchestrator.ratings.pairs import NELO_PER_SIGMA, Seen, df_of, expected, seen, t95

Outcome = Literal["H0", "H1", "futile"]

EMPTY = 1e-3  # stands for a count of none
FUTILE = 0.05  # conditional power
SIDE = math.sqrt(2)  # standard deviations of a match in one of the mean of a pair
MOST_NELO = 300.0  # beyond it hardly any distribution of pairs fits
MOST_ELO = 1000.0
CLOSE = 1e-6  # of a standard deviation; of a sweep no more than that can be found in floating point
NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Sprt:
    """What is tested. ValueError for what cannot be."""

    elo0: float
    elo1: float
    alpha: float = 0.05
    beta: float = 0.05
    normalized: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError."""
        most = MOST_NELO if self.normalized else MOST_ELO
        if not -most <= self.elo0 < self.elo1 <= most:
            raise ValueError(
                f"hypotheses are {self.elo0:g} and {self.elo1:g}: expected the lower first, both within ±{most:g}"
            )
        if not (0 < self.alpha < 0.5 and 0 < self.beta < 0.5):
            raise ValueError(
                f"alpha and beta are {self.alpha:g} and {self.beta:g}: expected more than 0, less than 0.5"
            )

    @property
    def bounds(self) -> tuple[float, float]:
        """Of the log-likelihood ratio: at or below the first H0 is accepted, at or above the second H1."""
        return math.log(self.beta / (1 - self.alpha)), math.log((1 - self.beta) / self.alpha)

    def __str__(self) -> str:
        unit = "nElo" if self.normalized else "Elo"
        return f"{self.elo0:+g} against {self.elo1:+g} {unit}"

    def llr(self, counts: Sequence[int], independent: float | None = None) -> float:
        """The log-likelihood ratio of pairs with 0, ½, 1, 1½ and 2 points (or of matches lost, drawn, won).

        `independent` is what they amount to, by default all. 0 without any.
        """
        played = sum(counts)
        share = 1.0 if independent is None else independent / played
        return llr(tuple(counts), self.elo0, self.elo1, self.normalized) * share if played else 0.0

    def outcome(self, counts: Sequence[int], independent: float, left: int) -> Outcome | None:
        """What is decided after these pairs, of which `left` more may be played; None: go on."""
        found = self.llr(counts, independent)
        low, high = self.bounds
        if found <= low or found >= high:
            return "H1" if found >= high else "H0"
        if sum(counts) and _power(high - found, self._unit(counts) ** 2 * left) < FUTILE:
            return "futile"
        return None

    def after(self, counts: Sequence[int], independent: float) -> After:
        """The estimate of a test that stood there when it ended, wherever that was. At least one pair.

        The walk is of the score above the middle of both hypotheses. What a mean of μ would have done is told by a
        walk with the variance that `pairs` gives it there, so that a test far from its bounds ends with the interval
        of `pairs.estimate`.
        """
        mean, spread, _ = _seen(counts, independent)
        sigma = math.sqrt(spread * mean * (1 - mean))
        size0, size1 = self._sizes(counts)
        middle = 0.5 + sigma * (size0 + size1) / 2
        place = independent * (mean - middle)
        ratio, bounds = self.llr(counts, independent), self.bounds
        side = (ratio >= bounds[1]) - (ratio <= bounds[0])
        low, high = (bound * sigma / (size1 - size0) for bound in bounds)
        if side * place > 0:  # a bound that was crossed lies where it was crossed
            low, high = (low, place) if side > 0 else (place, high)

        def above(size: float) -> float:
            mu = expected(size)
            own = math.sqrt(spread * mu * (1 - mu))
            walk = Walk(low / own, high / own, independent, place / own, side)
            return walk.above((mu - middle) / own)

        tail = NORMAL.cdf(-t95(df_of(independent)))
        return After(*(_where(above, chance) for chance in (tail, 0.5, 1 - tail)))

    def _sizes(self, counts: Sequence[int]) -> tuple[float, float]:
        """Both hypotheses in standard deviations of a pair; in Elo, of these pairs."""
        if self.normalized:
            return self.elo0 * SIDE / NELO_PER_SIGMA, self.elo1 * SIDE / NELO_PER_SIGMA
        mean, spread, _ = _seen(counts, sum(counts))
        sigma = math.sqrt(spread * mean * (1 - mean))
        return (expected(self.elo0) - 0.5) / sigma, (expected(self.elo1) - 0.5) / sigma

    def _unit(self, counts: Sequence[int]) -> float:
        """The standard deviation of what one pair adds to the ratio."""
        low, high = self._sizes(counts)
        return high - low


@dataclass(frozen=True, slots=True)
class After:
    """Elo after a test: median-unbiased, with its 95 % interval."""

    low: float
    elo: float
    high: float


def _seen(counts: Sequence[int], independent: float) -> Seen:
    return seen({i / (len(counts) - 1): n for i, n in enumerate(counts)}, independent)


def _power(distance: float, variance: float) -> float:
    """P(a ratio that grows as under H1, by half its variance, still gains `distance`). Brownian first passage."""
    if variance <= 0:
        return 0.0
    drift, sigma = variance / 2, math.sqrt(variance)
    return NORMAL.cdf((drift - distance) / sigma) + math.exp(distance) * NORMAL.cdf(
        (-drift - distance) / sigma
    )


# ── the likelihood ratio ─────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=1 << 14)
def llr(counts: tuple[int, ...], elo0: float, elo1: float, normalized: bool) -> float:
    """ln of the ratio of the likelihoods at elo1 and at elo0, from counts at scores evenly between 0 and 1."""
    filled = [n or EMPTY for n in counts]
    total, last = sum(filled), len(filled) - 1
    seen = [n / total for n in filled]
    scores = [i / last for i in range(last + 1)]
    if normalized:
        per_nelo = math.sqrt(last / 2) / NELO_PER_SIGMA
        at0, at1 = (likeliest_at_size(seen, scores, size * per_nelo) for size in (elo0, elo1))
    else:
        at0, at1 = (likeliest_at_mean(seen, scores, expected(size)) for size in (elo0, elo1))
    return total * sum(p * math.log(b / a) for p, a, b in zip(seen, at0, at1, strict=True))


def likeliest_at_mean(seen: Sequence[float], scores: Sequence[float], mean: float) -> list[float]:
    """Of all distributions with that mean, the one under which `seen` (all positive) is likeliest."""
    return _tilted(seen, [score - mean for score in scores])


def likeliest_at_size(seen: Sequence[float], scores: Sequence[float], size: float) -> list[float]:
    """Likewise, of those whose mean is `size` standard deviations above ½.

    Linear in the distribution but for its standard deviation s: with s held, E[φ] = 0 for
    φ = u - size·s/2·(1 + ((u - size·s)/s)²), u = score - ½, touches the constraint where s is the distribution's own.
    So s is iterated, kept where some φ is positive and some negative.
    """
    if size == 0:
        return likeliest_at_mean(seen, scores, 0.5)
    offs = [score - 0.5 for score in scores]
    narrow = 1 / math.hypot(1, size)
    least = min(off for off in offs if off > 0) * (1 - narrow) / abs(size)
    most = min(0.5, (1 + narrow) / (2 * abs(size)))
    sigma = min(max(_sigma([1 / len(offs)] * len(offs), offs), 1.5 * least), 0.999 * most)
    for step in range(300):
        found = _tilted(seen, [u - size / 2 * (sigma + (u - size * sigma) ** 2 / sigma) for u in offs])
        own = _sigma(found, offs)
        new = math.sqrt(least * sigma) if own <= least else (sigma + most) / 2 if own >= most else own
        if abs(new - sigma) < CLOSE:  # each step is some hundred times smaller than the one before
            return found
        sigma = new if step < 20 else (sigma + new) / 2  # rarely it swings to and fro
    raise ArithmeticError(f"no distribution at {size:g} standard deviations was found for {list(seen)}")


def _sigma(chances: Sequence[float], values: Sequence[float]) -> float:
    mean = sum(p * x for p, x in zip(chances, values, strict=True))
    return math.sqrt(sum(p * (x - mean) ** 2 for p, x in zip(chances, values, strict=True)))


def _tilted(seen: Sequence[float], off: Sequence[float]) -> list[float]:
    """p/(1 + θ·off) with the θ at which `off`, of both signs, has mean 0: Newton's steps, halved at the ends."""
    low, high = -1 / max(off), -1 / min(off)
    narrow, theta = 1e-14 * (high - low), 0.0
    for _ in range(200):
        parts = [x / (1 + theta * x) for x in off]
        value = sum(p * x for p, x in zip(seen, parts, strict=True))
        slope = -sum(p * x * x for p, x in zip(seen, parts, strict=True))
        low, high = (theta, high) if value > 0 else (low, theta)
        new = theta - value / slope
        if not low < new < high:
            new = (low + high) / 2
        if abs(new - theta) <= narrow:
            break
        theta = new
    return [p / (1 + theta * x) for p, x in zip(seen, off, strict=True)]


# ── after the test ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Walk:
    """Brownian motion of variance 1 per pair between two bounds, `low` < 0 < `high`, from 0.

    It was seen after `time` pairs: at the upper bound (`side` 1), the lower (-1), or still between (0), at `place`.
    Chances are sums over images of the start, mirrored at the bounds (Feller, volume 2, X.5; the drift by Girsanov).
    """

    low: float
    high: float
    time: float
    place: float
    side: int

    def above(self, drift: float) -> float:
        """P(an outcome at least as much in player 1's favour), which grows with the drift.

        In favour, most first: the upper bound, the sooner the more; not yet at a bound, by the place; the lower bound,
        the later the more.
        """
        if self.side < 0:
            return 1 - Walk(-self.high, -self.low, self.time, -self.place, 1).upper(-drift)
        return self.upper(drift) + (0.0 if self.side else self._between(drift))

    def upper(self, drift: float) -> float:
        """P(the upper bound is met by `time`, and the lower not before)."""
        root, total = math.sqrt(self.time), 0.0
        for k in self._images():
            far = abs(self.high + k)
            soon, late = (far - abs(drift) * self.time) / root, (far + abs(drift) * self.time) / root
            part = _tail(drift * self.high - abs(drift) * far, soon)
            part += _tail(drift * self.high + abs(drift) * far, late)
            total += math.copysign(part, self.high + k)
        return min(1.0, max(0.0, total))

    def _between(self, drift: float) -> float:
        """P(no bound is met by `time`, and the place is then at least `place`)."""
        root, total = math.sqrt(self.time), 0.0
        for k in self._images():
            for start, sign in ((k, 1), (2 * self.high + k, -1)):
                low, high = ((end - start - drift * self.time) / root for end in (self.place, self.high))
                total += sign * _within(drift * start, low, high)
        return min(1.0, max(0.0, total))

    def _images(self) -> list[float]:
        """How far images are moved: by twice the distance of the bounds, as often as adds more than 1e-16."""
        apart = 2 * (self.high - self.low)
        most = 2 + math.ceil(math.sqrt(74 * self.time) / apart)
        return [k * apart for k in range(-most, most + 1)]


def _tail(log: float, z: float) -> float:
    """e^log · P(a standard normal is above z), also where the first is huge and the second tiny."""
    if z < 20:
        return math.exp(min(log, 700.0)) * math.erfc(z / math.sqrt(2)) / 2
    return math.exp(min(log - z * z / 2, 700.0)) * (1 - 1 / z**2) / (z * math.sqrt(2 * math.pi))


def _within(log: float, low: float, high: float) -> float:
    """e^log · P(a standard normal is between), from the side on which both are tails."""
    if low + high > 0:
        return _tail(log, low) - _tail(log, high)
    return _tail(log, -high) - _tail(log, -low)


def _where(rising: Callable[[float], float], value: float, far: float = 2000.0) -> float:
    """Where a function that grows has a value, between -far and far, to a hundredth."""
    low, high = -far, far
    for _ in range(19):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > value else (middle, high)
    return (low + high) / 2


# ── a fixed length instead ───────────────────────────────────────────────────────────────────────────


def promoted(games: int, score: float = 0.5, draws: float = 0.0, mark: str = "0.55") -> float:
    """The exact chance that a player of that true score passes `games` matches with more than `mark` of the points.

    The rule of "55 % of 100 games" beside which the test stands. Matches are independent, `draws` of them drawn.
    ValueError where there cannot be so many draws.
    """
    win = score - draws / 2
    if not 0 <= win <= 1 - draws <= 1:
        raise ValueError(f"a score of {score:g} leaves no room for {draws:.0%} draws")
    needed = math.floor(Fraction(mark) * games * 2) + 1  # half-points
    total = 0.0
    for drawn in range(games + 1 if draws else 1):
        least = max(0, math.ceil((needed - drawn) / 2))
        total += sum(_trinomial(games, won, drawn, win, draws) for won in range(least, games - drawn + 1))
    return total


def _trinomial(games: int, won: int, drawn: int, win: float, draw: float) -> float:
    parts = ((won, win), (drawn, draw), (games - won - drawn, 1 - win - draw))
    if any(n and p <= 0 for n, p in parts):
        return 0.0
    logs = sum(n * math.log(p) - math.lgamma(n + 1) for n, p in parts if n)
    return math.exp(math.lgamma(games + 1) + logs)
