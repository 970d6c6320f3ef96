"""Whether forecasts of scores come true: how good they are, and whether they say too much.

A forecast is a number from 0 to 1, and so is what came of it: the score of the match (a draw is ½, at a table it is
the share of opponents beaten). Every figure here is right for the *mean* of such a score, of which a win or a
loss is the special case.

- Brier score: the mean squared error (Brier, Monthly Weather Review 78, 1950). It is reliability - resolution +
  uncertainty (Murphy, J. Applied Meteorology 12, 1973): how far groups of forecasts are off, how different what comes
  of the groups is, and the variance of scores as such. Groups are bins here, so there is a fourth part, `within`,
  for what forecasts of one bin differ by (Stephenson, Coelho and Jolliffe, Weather and Forecasting 23, 2008); the four
  add up exactly. Skill is 1 - Brier / uncertainty: 0 for whoever always says the mean score, in hindsight.
- Log loss, in nats. Forecasts are whole per cents, so that 0 says no more than "below ½ per cent": they are taken at
  least half a per cent away from 0 and 1, where the loss of a surprise is 5.3.
- ECE: by how much forecasts are off, over bins with as many forecasts each. Never 0 even for a perfect forecaster;
  `by_chance` is what such a one would show on average with the same matches, and `excess` is what is left. This is
  the question of a consistency band (Bröcker and Smith, Weather and Forecasting 22, 2007) put to the sum.
- Slope and intercept of logit(score) on logit(forecast) (Cox, Biometrika 45, 1958): 1 and 0 when calibrated; a slope
  below 1 is over-confident, above 1 under-confident.

All forecasts of one match share its one score, so matches are what every interval and test counts, not forecasts:
taken one by one, a calibrated forecaster would be called wrong in a third of all cases at TicTacToe and in two thirds
at Connect 4. Matches that went alike move by move are one.

The test behind `verdict` is Hotelling's T² on two sums for each match: of errors (score less forecast), and of
errors times how far the forecast is from the mean one. If forecasts are calibrated the mean of both is 0, however
decisions of one match hang together and however long it is. What it finds at 5 % is named after the sum that
is further off: the second says over- or under-confident, the first too hopeful or too gloomy. It needs ten matches
that came out otherwise than most. Whoever says 97 % and wins all of 30 matches has errors that hardly vary, and
would be found too gloomy for the one loss in 33 that was not among them: without this, four in five of such
calibrated forecasters are. Below ten, only what no chance explains is named, by a bound on the first forecast of each
match that needs no variance, and otherwise the verdict is `cannot tell`.

By simulation a calibrated forecaster is named in 2 to 7 % of cases at TicTacToe and wherever its forecasts lie between
20 and 80 % (`tests/orchestrator/test_calibration.py`). Who is often surer than that is named too often after few
matches, mostly as under-confident: the rare surprises that make up the variance are still missing. With forecasts
spread evenly over 0 to 100 % that is about 11 % at 25 to 60 matches, and 6 to 8 % at 120. One at TicTacToe whose log
odds are twice too large is named in 54 % of cases after 50 matches, in 89 % after 100, in all after 300.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from orchestrator.ratings.pairs import t95
from orchestrator.ratings.quality import ratio
from orchestrator.ratings.shares import Share

BINS = 10
FEW = 10  # matches that must have come out otherwise than most
LEVEL = 0.05
CLIP = 0.005  # half of the last digit of a whole per cent
FLAT = 1e-12

Verdict = Literal[
    "over-confident", "under-confident", "too hopeful", "too gloomy", "nothing found", "cannot tell"
]


class Forecast(NamedTuple):
    """One forecast, and the score of its match."""

    cluster: Hashable  # equal for forecasts that hang together
    said: float
    came: float


class Bin(NamedTuple):
    """Forecasts of about one size: what was said on average, and what came."""

    said: float
    came: Share
    size: int
    matches: int
    error: float  # standard error of what came less what was said


class Recalibration(NamedTuple):
    """logit(score) = intercept + slope · logit(forecast), with 95 % intervals."""

    slope: Share
    intercept: Share


@dataclass(frozen=True, slots=True)
class Calibration:
    """The figures of some forecasts. `brier` is `reliability - resolution + uncertainty + within`."""

    forecasts: int
    matches: int  # that are independent of each other
    said: float
    came: float
    brier: Share
    reliability: float
    resolution: float
    uncertainty: float
    within: float
    log_loss: float
    ece: float
    by_chance: float
    bins: tuple[Bin, ...]
    recalibration: Recalibration | None  # None where it has no end: all forecasts alike, or all too right
    p: float | None  # of the test; None with too few matches
    verdict: Verdict

    @property
    def skill(self) -> float | None:
        """None where every match had one score."""
        return 1 - self.brier.mean / self.uncertainty if self.uncertainty > FLAT else None

    @property
    def excess(self) -> float:
        """What is left of the ECE beyond what chance alone makes."""
        return max(0.0, self.ece - self.by_chance)


def calibration(forecasts: Iterable[Forecast], bins: int = BINS) -> Calibration | None:
    """The figures of these forecasts; None without any. `bins` at most: equal forecasts are never parted."""
    in_order = list(forecasts)
    found = sorted(in_order, key=lambda each: each.said)
    if not found:
        return None
    count = len(found)
    said, came = (math.fsum(column) / count for column in zip(*[each[1:] for each in found], strict=True))
    brier = _brier(found)
    groups = _equal_mass(found, bins)
    parts = [_bin(group) for group in groups]
    reliability = math.fsum(part.size * (part.said - part.came.mean) ** 2 for part in parts) / count
    resolution = math.fsum(part.size * (part.came.mean - came) ** 2 for part in parts) / count
    uncertainty = math.fsum((each.came - came) ** 2 for each in found) / count
    p, verdict = _judged(in_order, said)
    return Calibration(
        forecasts=count,
        matches=len({each.cluster for each in found}),
        said=said,
        came=came,
        brier=brier,
        reliability=reliability,
        resolution=resolution,
        uncertainty=uncertainty,
        within=brier.mean - (reliability - resolution + uncertainty),
        log_loss=math.fsum(map(_log_loss, found)) / count,
        ece=math.fsum(part.size * abs(part.said - part.came.mean) for part in parts) / count,
        by_chance=math.sqrt(2 / math.pi) * math.fsum(part.size * part.error for part in parts) / count,
        bins=tuple(parts),
        recalibration=recalibrated(found),
        p=p,
        verdict=verdict,
    )


def _equal_mass(found: Sequence[Forecast], most: int) -> list[list[Forecast]]:
    """In order, about as many in each; those of one size stay together."""
    size = len(found) / most
    groups: list[list[Forecast]] = []
    for place, each in enumerate(found):
        begins = not groups or (len(groups[-1]) >= size - 0.5 and found[place - 1].said != each.said)
        if begins:
            groups.append([])
        groups[-1].append(each)
    return groups


def _bin(group: Sequence[Forecast]) -> Bin:
    count = len(group)
    clusters = [each.cluster for each in group]
    said = math.fsum(each.said for each in group) / count
    came = ratio(clusters, [each.came for each in group], [1.0] * count)
    errors = _totals(group, lambda each: each.came - each.said)
    return Bin(said, came, count, len(errors), math.sqrt(math.fsum(each**2 for each in errors)) / count)


def _brier(found: Sequence[Forecast]) -> Share:
    """With the standard error of a ratio of cluster totals; of one match alone the interval is all of the scale."""
    score = math.fsum((each.said - each.came) ** 2 for each in found) / len(found)
    off = _totals(found, lambda each: (each.said - each.came) ** 2 - score)
    count = len(off)
    if count < 2:
        return Share(0.0, score, 1.0)
    reach = t95(count - 1) * math.sqrt(count / (count - 1) * math.fsum(each**2 for each in off)) / len(found)
    return Share(max(0.0, score - reach), score, min(1.0, score + reach))


def _log_loss(each: Forecast) -> float:
    said = _clipped(each.said)
    return -each.came * math.log(said) - (1 - each.came) * math.log1p(-said)


def _clipped(said: float) -> float:
    return min(1 - CLIP, max(CLIP, said))


def _logit(said: float) -> float:
    return math.log(_clipped(said) / (1 - _clipped(said)))


# ── the test ─────────────────────────────────────────────────────────────────────────────────────────


def _judged(found: Sequence[Forecast], middle: float) -> tuple[float | None, Verdict]:
    """The p-value of being calibrated, and what is wrong where that is below the level. `found` is as it was said."""
    first: dict[Hashable, Forecast] = {}
    for each in found:
        first.setdefault(each.cluster, each)
    scores = Counter(each.came for each in first.values())
    if len(first) - max(scores.values()) < FEW:
        p = _hoeffding(list(first.values()))
        if p >= LEVEL:
            return p, "cannot tell"
        early = math.fsum(each.came - _clipped(each.said) for each in first.values())
        return p, "too hopeful" if early < 0 else "too gloomy"
    bias = _totals(found, lambda each: each.came - each.said)
    pull = _totals(found, lambda each: (each.came - each.said) * (each.said - middle))
    p = _hotelling(bias, pull)
    if p >= LEVEL:
        return p, "nothing found"
    off, steep = _student(bias), _student(pull)
    if abs(steep) >= abs(off):
        return p, "over-confident" if steep < 0 else "under-confident"
    return p, "too hopeful" if off < 0 else "too gloomy"


def _hoeffding(first: Sequence[Forecast]) -> float:
    """At most how likely a mean score so far off is, from one forecast for each match (Hoeffding, JASA 58, 1963).

    Whoever rounds 99.7 % to 100 loses now and then: said are what is left of 0 and 1 by rounding, as for the log loss.
    """
    count = len(first)
    said = math.fsum(_clipped(each.said) for each in first) / count
    came = math.fsum(each.came for each in first) / count
    parts = ((came, said), (1 - came, 1 - said))
    divergence = math.fsum(a * math.log(a / b) for a, b in parts if a > 0)
    return min(1.0, 2 * math.exp(-count * divergence))


def _hotelling(first: Sequence[float], second: Sequence[float]) -> float:
    """The p-value of both means being 0 (Hotelling, Annals of Mathematical Statistics 2, 1931), by observations.

    Where one of them does not vary by itself it is Student's test of the other, to normal accuracy.
    """
    count = len(first)
    (a, aa), (b, bb) = _moments(first), _moments(second)
    ab = math.fsum((x - a) * (y - b) for x, y in zip(first, second, strict=True)) / (count - 1)
    determinant = aa * bb - ab * ab
    if determinant <= max(1e-9 * aa * bb, FLAT**2):
        return math.erfc(max(abs(_student(first)), abs(_student(second))) / math.sqrt(2))
    squared = count * (bb * a * a - 2 * ab * a * b + aa * b * b) / determinant
    f = squared * (count - 2) / (2 * (count - 1))
    return float(
        (1 + 2 * f / (count - 2)) ** (-(count - 2) / 2)
    )  # F with two degrees of freedom has this form


def _student(values: Sequence[float]) -> float:
    """Endless where the values are all the same and not 0."""
    mean, variance = _moments(values)
    if variance > FLAT:
        return mean / math.sqrt(variance / len(values))
    return math.copysign(math.inf, mean) if mean * mean > FLAT else 0.0


def _moments(values: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((each - mean) ** 2 for each in values) / (len(values) - 1)


def _totals(found: Iterable[Forecast], value: Callable[[Forecast], float]) -> list[float]:
    """The sum for each match."""
    total: defaultdict[Hashable, float] = defaultdict(float)
    for each in found:
        total[each.cluster] += value(each)
    return list(total.values())


# ── slope and intercept ──────────────────────────────────────────────────────────────────────────────


def recalibrated(found: Sequence[Forecast]) -> Recalibration | None:
    """Fitted by Newton's method, with sandwich intervals by clusters; None where it has no end or one match."""
    table: defaultdict[float, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for each in found:
        row = table[_logit(each.said)]
        row[0] += 1
        row[1] += each.came
    rows = [(x, n, came) for x, (n, came) in table.items()]
    fit = _newton(rows) if len(rows) > 1 else None
    if fit is None:
        return None
    intercept, slope, (aa, ab, bb) = fit
    scores: defaultdict[Hashable, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for each in found:
        x = _logit(each.said)
        error = each.came - _logistic(intercept + slope * x)
        score = scores[each.cluster]
        score[0] += error
        score[1] += error * x
    count = len(scores)
    if count < 2:
        return None
    determinant = aa * bb - ab * ab
    reach = t95(count - 1) * math.sqrt(count / (count - 1)) / determinant
    of_intercept = reach * math.sqrt(math.fsum((bb * u - ab * v) ** 2 for u, v in scores.values()))
    of_slope = reach * math.sqrt(math.fsum((aa * v - ab * u) ** 2 for u, v in scores.values()))
    return Recalibration(
        Share(slope - of_slope, slope, slope + of_slope),
        Share(intercept - of_intercept, intercept, intercept + of_intercept),
    )


def _newton(
    rows: Sequence[tuple[float, float, float]],
) -> tuple[float, float, tuple[float, float, float]] | None:
    """Intercept, slope and information of a logistic fit to (x, how many, sum of scores)."""
    intercept, slope = 0.0, 1.0
    for _ in range(50):
        u = v = aa = ab = bb = 0.0
        for x, n, came in rows:
            p = _logistic(intercept + slope * x)
            error, weight = came - n * p, n * p * (1 - p)
            u, v = u + error, v + error * x
            aa, ab, bb = aa + weight, ab + weight * x, bb + weight * x * x
        determinant = aa * bb - ab * ab
        if determinant <= FLAT * aa * bb or determinant <= 0:
            return None
        up, steeper = (bb * u - ab * v) / determinant, (aa * v - ab * u) / determinant
        shrink = min(1.0, 2 / max(abs(up), abs(steeper), FLAT))  # a step that is too long may never come back
        intercept, slope = intercept + shrink * up, slope + shrink * steeper
        if max(abs(up), abs(steeper)) < 1e-9:
            return intercept, slope, (aa, ab, bb)
        if abs(slope) > 50:
            return None
    return None


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -500 else 0.0
