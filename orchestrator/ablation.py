"""What an ablation found: every arm against the control, deal by deal, and what of that chance alone would make.

An arm is compared in its score and in what playing took (legal first answers, money, tokens, time and, of a run that
was graded, regret), each by the test of `ratings/permutation.py` over the deals that both have played from every seat.
The null arm is the control once more: how far it came out from the control is how far nothing comes out.

Arms on different tracks are compared here, where somebody asked for just that; ratings keep them apart.
Left out: arms against each other. Each answers for what it changes of the control.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl

from orchestrator.ratings.pairs import elo
from orchestrator.ratings.permutation import (
    ALPHA,
    Compared,
    Elo,
    compare,
    detectable,
    elo_between,
    holm,
    least_deals,
    spread,
)
from orchestrator.record.database import RecordError
from orchestrator.record.reading import Played, RunResult, driver, reading
from orchestrator.record.tables import of_match
from orchestrator.record.tallies import times

Role = Literal["control", "null", "arm"]


class Measure(NamedTuple):
    """A figure that arms are compared in. `sign` is +1 where more is better, -1 where less is."""

    key: str
    title: str
    unit: Literal["share", "usd", "count", "seconds", "number"]
    sign: int


MEASURES = (
    Measure("score", "score", "share", 1),
    Measure("legal", "legal at first", "share", 1),
    Measure("cost", "cost of a game", "usd", -1),
    Measure("tokens", "output tokens of a game", "count", -1),
    Measure("latency", "time to a move", "seconds", -1),
    Measure("regret", "regret of a move", "number", -1),
)
SCORE = MEASURES[0]


class Held(NamedTuple):
    """An arm beside the control in one measure, over the deals that both have; `holm` counts the arms, not the null."""

    control: float
    arm: float
    compared: Compared
    holm: float


@dataclass(slots=True)
class Arm:
    """One arm, its figures over all its deals, and how it stands to the control (not the control itself)."""

    player: int
    name: str
    role: Role
    spec: str
    deals: int = 0
    games: int = 0
    means: dict[str, float] = field(default_factory=dict)  # by measure, over its complete deals
    held: dict[str, Held] = field(default_factory=dict)
    elo: Elo | None = None
    finds: float | None = None  # the difference of score that so many deals find with 80 %
    finds_elo: float | None = None

    @property
    def compared(self) -> Compared | None:
        held = self.held.get(SCORE.key)
        return held.compared if held else None

    def found(self, measure: str = SCORE.key) -> bool:
        """Whether it differs from the control beyond what chance makes of so many arms."""
        return measure in self.held and self.held[measure].holm < ALPHA


@dataclass(frozen=True, slots=True)
class Ablation:
    arms: Sequence[Arm]  # the control first, then the null where there is one

    @property
    def control(self) -> Arm:
        return self.arms[0]

    @property
    def null(self) -> Arm | None:
        return next((arm for arm in self.arms if arm.role == "null"), None)

    @property
    def others(self) -> list[Arm]:
        """What was to be judged."""
        return [arm for arm in self.arms if arm.role == "arm"]

    @property
    def floor(self) -> float | None:
        """How far from the control the null may lie: what is smaller than that is noise."""
        null = self.null.compared if self.null else None
        if null is None or null.low is None or null.high is None:
            return None
        return max(-null.low, null.high)


def ablation(result: RunResult) -> Ablation:
    """What came of a run of kind `ablate`. Raises RecordError."""
    arms = _arms(result)
    deals = _deals(result, len(arms))
    for arm in arms:
        mine = [played[arm.player] for played in deals.values() if arm.player in played]
        arm.deals, arm.games = len(mine), sum(each.games for each in mine)
        for measure in MEASURES:
            values = [each.figures[measure.key] for each in mine if measure.key in each.figures]
            if values:
                arm.means[measure.key] = sum(values) / len(values)
    for measure in MEASURES:
        _hold(arms, list(deals.values()), measure)
    return Ablation(arms)


def _arms(result: RunResult) -> list[Arm]:
    try:
        request = result.run.request
        specs = [request["control"], *request["null"] * [request["control"]], *request["arms"]]
        roles = ["control", *request["null"] * ["null"], *("arm" for _ in request["arms"])]
        named = zip(specs, roles, names(specs), strict=True)
        return [Arm(number, name, role, spec) for number, (spec, role, name) in enumerate(named, 1)]
    except (KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"{result.path} does not say which arms it has ({error})") from None


def names(specs: Sequence[str]) -> list[str]:
    """What the arms of canonical specs are called, the first being the control: by what they change of it."""
    return ["control", *(_name(specs[0], spec) for spec in specs[1:])]


def _name(control: str, arm: str) -> str:
    """A spec is taken apart as text: a record is read also where its services are not installed."""
    if arm == control:
        return "null"
    (who, had), (other, has) = (
        (head, dict(parse_qsl(query, keep_blank_values=True)))
        for head, _, query in (control.partition("?"), arm.partition("?"))
    )
    if other != who:
        return arm
    gone = {name: "" for name in had if name not in has}
    changed = {name: value for name, value in has.items() if had.get(name) != value}
    return "&".join(f"{name}={value}" for name, value in sorted((gone | changed).items()))


# ── deal by deal ─────────────────────────────────────────────────────────────────────────────────────


class Deal(NamedTuple):
    """What an arm made of a deal: `went` is equal where two arms' matches went alike move by move."""

    games: int
    went: Hashable
    figures: Mapping[str, float]  # by measure


def _deals(result: RunResult, arms: int) -> dict[Hashable, dict[int, Deal]]:
    """By deal, and by arm, those that were played from every seat."""
    pairs: defaultdict[int, dict[int, Played]] = defaultdict(dict)
    for match in result.matches:
        if match.scores:
            pairs[match.pair][match.swap] = match
    parts = _parts(result)
    found: defaultdict[Hashable, dict[int, Deal]] = defaultdict(dict)
    for sides in pairs.values():
        matches = list(sides.values())
        first = matches[0]
        arm = min(first.sat)
        if len(matches) == len(first.sat) and arm <= arms:
            found[first.seed][arm] = Deal(len(matches), _went(matches, arm), _figures(matches, arm, parts))
    return found


def _went(matches: Iterable[Played], arm: int) -> Hashable:
    return frozenset(
        (tuple(0 if player == arm else player for player in match.sat), match.went or match.id)
        for match in matches
    )


class Part(NamedTuple):
    """What an arm was asked in a match."""

    asked: int
    wrong: int
    cost_pico: int
    tokens: int
    calls: int
    unpriced: int
    tenths: int  # of milliseconds, of all decisions
    regret: float = 0.0
    graded: int = 0


def _figures(matches: Sequence[Played], arm: int, parts: Mapping[tuple[str, int], Part]) -> dict[str, float]:
    """By measure; what does not apply, or is not known, is left out."""
    of = [parts[match.id, arm] for match in matches if (match.id, arm) in parts]
    figures = {SCORE.key: sum(match.scores[arm] for match in matches) / len(matches)}
    asked, graded = sum(part.asked for part in of), sum(part.graded for part in of)
    if asked:
        figures["legal"] = 1 - sum(part.wrong for part in of) / asked
    if asked and (tenths := sum(part.tenths for part in of)):
        figures["latency"] = tenths / 10_000 / asked
    if any(part.calls for part in of):
        figures["tokens"] = sum(part.tokens for part in of) / len(matches)
        if not any(part.unpriced for part in of):
            figures["cost"] = sum(part.cost_pico for part in of) / 1e12 / len(matches)
    if graded:
        figures["regret"] = sum(part.regret for part in of) / graded
    return figures


TALLIED = (
    "SELECT match, player, wrong_first, cost_pico, output_tokens, calls, unpriced_calls, latencies FROM tally"
)
GRADED = f"""
SELECT m.id, d.player, sum(g.regret), count(*)
FROM match m JOIN decision d ON {of_match("d.id", "m.id")} JOIN grade g ON g.decision = d.id
WHERE g.regret IS NOT NULL AND d.outcome IN ('ok', 'reasked') GROUP BY m.id, d.player
"""


def _parts(result: RunResult) -> dict[tuple[str, int], Part]:
    """By match and player, of matches that are over."""
    with reading(result.path) as session:
        db = driver(session)
        found = {}
        for match, player, wrong, cost, tokens, calls, unpriced, latencies in db.execute(TALLIED):
            took = times(latencies)
            found[match, player] = Part(len(took), wrong, cost, tokens, calls, unpriced, sum(took))
        for match, player, regret, graded in db.execute(GRADED):
            if (match, player) in found:
                found[match, player] = found[match, player]._replace(regret=regret, graded=graded)
    return found


# ── against the control ──────────────────────────────────────────────────────────────────────────────


def _hold(arms: Sequence[Arm], deals: Sequence[Mapping[int, Deal]], measure: Measure) -> None:
    """Every arm against the control in one measure."""
    control, *others = arms
    judged = []
    for arm in others:
        both = [
            (deal[control.player], deal[arm.player])
            for deal in deals
            if all(measure.key in deal[one].figures for one in (control.player, arm.player) if one in deal)
            and control.player in deal
            and arm.player in deal
        ]
        first, second = ([sides[one].figures[measure.key] for sides in both] for one in (0, 1))
        went = [frozenset((a.went, b.went)) for a, b in both]
        compared = compare(first, second, went, scores=measure is SCORE, seed=arm.player)
        if compared is None:
            continue
        arm.held[measure.key] = Held(sum(first) / len(first), sum(second) / len(second), compared, compared.p)
        if arm.role == "arm":
            judged.append(arm)
        if measure is SCORE and compared.low is not None:
            arm.elo = elo_between(first, second, compared)
            _say_power(arm, first, second, sum(each.role == "arm" for each in others))
    ps = holm([arm.held[measure.key].compared.p for arm in judged])
    for arm, p in zip(judged, ps, strict=True):
        arm.held[measure.key] = arm.held[measure.key]._replace(holm=p)


def _say_power(arm: Arm, first: Sequence[float], second: Sequence[float], arms: int) -> None:
    """At the level that Holm asks of the best of so many arms, which is the strictest."""
    compared = arm.compared
    assert compared is not None
    alpha = ALPHA / max(1, arms) if arm.role == "arm" else ALPHA
    if compared.independent < least_deals(alpha):
        return
    arm.finds = detectable(spread(first, second, compared.independent), compared.independent, alpha)
    middle = (compared.independent * sum(first) / len(first) + 0.5) / (compared.independent + 1)
    half = arm.finds / 2
    if half < min(middle, 1 - middle):
        arm.finds_elo = elo(middle + half) - elo(middle - half)


# ── in words ─────────────────────────────────────────────────────────────────────────────────────────


def said(found: Ablation) -> list[str]:
    """A sentence on the null, then one on each arm."""
    null = found.null
    lines = [] if null is None else [_said_of_null(null)]
    return lines + [_said_of_arm(arm, found) for arm in found.others]


def differs(found: Ablation) -> bool:
    """Whether the null came out as different, which it is not."""
    compared = found.null.compared if found.null else None
    return compared is not None and compared.p < ALPHA


def _said_of_null(null: Arm) -> str:
    compared = null.compared
    if compared is None or compared.low is None:
        return "The null and the control have too few deals in common to say how large noise is."
    apart = f"{_points(compared.mean)} {_within(compared)} points of score from the control, p {p_text(compared.p)}"
    if compared.p < ALPHA:
        return (
            f"THE NULL DIFFERS: it was asked in the very words of the control, and still came out {apart}. One run in "
            "twenty does so by chance; else something changed while it was played. Believe no arm before a second run."
        )
    return f"Noise: the null, in which nothing is changed, came out {apart}."


def _said_of_arm(arm: Arm, found: Ablation) -> str:
    compared = arm.compared
    if compared is None or compared.low is None:
        few = "no deal" if compared is None else "no two different deals"
        return f"{arm.name}: {few} in common with the control, so nothing can be said."
    apart = f"{_points(compared.mean)} {_within(compared)} points of score"
    p = f"p {p_text(compared.p)}"
    if len(found.others) > 1:
        p += f" ({p_text(arm.held[SCORE.key].holm)} by Holm for {len(found.others)} arms)"
    if arm.found():
        better = "better" if compared.mean > 0 else "worse"
        return f"{arm.name} scores {better} than the control: {apart}, {p}."
    if arm.finds is None:
        few = f"{compared.independent:.3g} different deals cannot tell any two arms apart"
        return (
            f"{arm.name}: {apart}, {p}; {few}: play {least_deals(ALPHA / max(1, len(found.others)))} or more."
        )
    of_elo = "" if arm.finds_elo is None else f" (about {arm.finds_elo:.0f} Elo)"
    return (
        f"{arm.name} is not told from the control: {apart}, {p}. So many deals find a difference of "
        f"{100 * arm.finds:.1f} points{of_elo} four times in five; a smaller one may be there."
    )


def beside(found: Ablation) -> list[str]:
    """What arms differ in beside the score, beyond what chance makes of so many arms: a sentence each."""
    return [
        f"{arm.name}, {measure.title}: {_told(held.control, measure)} → {_told(held.arm, measure)} "
        f"(p {p_text(held.compared.p)}, {p_text(held.holm)} by Holm)."
        for arm in found.others
        for measure in MEASURES
        if measure is not SCORE and (held := arm.held.get(measure.key)) is not None and arm.found(measure.key)
    ]


def repeated(found: Ablation) -> list[str]:
    """Whose deals amount to fewer than they are."""
    return [
        f"{arm.name}: {compared.deals} deals amount to {compared.independent:.3g}, as some went alike move by move; "
        "in another run, --opening makes them differ."
        for arm in found.arms
        if (compared := arm.compared) is not None and compared.independent < 0.95 * compared.deals
    ]


def _told(value: float, measure: Measure) -> str:
    if measure.unit == "share":
        return f"{100 * value:.1f} %"
    sign, unit = ("$" if measure.unit == "usd" else ""), (" s" if measure.unit == "seconds" else "")
    return f"{sign}{value:,.0f}{unit}" if value >= 100 else f"{sign}{value:.3g}{unit}"


def _points(score: float) -> str:
    return f"{100 * score + 0.0:+.1f}"


def _within(compared: Compared) -> str:
    assert compared.low is not None and compared.high is not None
    return f"[{_points(compared.low)}, {_points(compared.high)}]"


def p_text(p: float) -> str:
    """0.034, or <0.001."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"
