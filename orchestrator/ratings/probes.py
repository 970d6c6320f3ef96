"""Whether a player chooses by the position or by how it is drawn: choices compared over ways to show one position.

Every position is asked as it is (original), again in the same words (repeat), and in other clothes (mirrored,
relabelled). A player with chance in it does not even repeat itself, so consistency under a symmetry says nothing
alone: what counts is by how much it falls below the repeat. Both are compared position by position, which takes out
that some positions have one obvious move and others five good ones.

- same: the share of answers that are the original's choice, mapped back. Positions are what its interval counts, by
  the ratio of cluster totals as in `quality`.
- drop: the repeat's share less the other's, paired by position, from -1 to 1; 95 %, as between two players of a table
  (`shares.lead`). Above 0 the way it is drawn matters.
- fine: the share of answers whose choice is worth no less than the original's, where grades know: between two moves
  that both win it is no fault to change. A choice that is the same is fine; so is a regret larger by no more than
  NOISE, because what a search says of two positions differs a little even where they are one.
- loss: the regret of the other answers less that of original and repeats together, paired by position, in the units of
  `quality`: -2 to 2. Above 0 the player plays worse there.

Answers without a choice of the player's own (forfeits, random fallbacks) compare with nothing and are counted apart.
Left out: whether probabilities overlap where a service gives them.

Sources: metamorphic testing (Chen, Cheung and Yiu, HKUST-CS98-01, 1998) is where follow-up cases with a known relation
come from; the baseline by repetition answers what Atil et al. (arXiv:2408.04667) measured, that models differ from
themselves at temperature 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from math import fsum
from typing import NamedTuple

from orchestrator.ratings.quality import ratio
from orchestrator.ratings.shares import Share, lead

ORIGINAL, REPEAT = "original", "repeat"
NOISE = 0.05


class Shown(NamedTuple):
    """One answer of one player: to a position shown in one way."""

    position: Hashable
    way: str  # ORIGINAL, REPEAT, or what was done to it
    same: bool | None  # as the original's choice; None where one of the two has no choice
    regret: float | None = None  # of what was chosen; None where nobody graded it


class Consistency(NamedTuple):
    """One player shown positions in one way."""

    way: str
    positions: int  # in which both the original and this way were answered
    answers: int
    missing: int  # answers without a choice, or to an original without one
    same: Share | None  # None without an answer
    drop: Share | None  # None for the repeat, and below two positions
    graded: int  # answers of which grades know what they and the original's were worth
    fine: Share | None
    loss: Share | None

    @property
    def depends(self) -> bool:
        """Whether the way that a position is shown changes more choices than chance does."""
        return self.drop is not None and self.drop.low > 0


def consistencies(shown: Iterable[Shown], ways: Sequence[str]) -> list[Consistency]:
    """Of one player, each of these ways that it was asked in; REPEAT is what the others are held against."""
    answers: defaultdict[str, list[Shown]] = defaultdict(list)
    for each in shown:
        answers[each.way].append(each)
    return [_consistency(way, answers) for way in ways if answers[way]]


def pooled(shown: Iterable[Shown], ways: Iterable[str], name: str) -> list[Shown]:
    """The same answers with several ways as one: all symmetries together."""
    several = set(ways)
    return [each._replace(way=name) if each.way in several else each for each in shown]


def _consistency(way: str, answers: Mapping[str, Sequence[Shown]]) -> Consistency:
    told = [each for each in answers[way] if each.same is not None]
    before = {each.position: each.regret for each in answers[ORIGINAL] if each.regret is not None}
    graded = [
        (each.position, bool(each.same) or each.regret - before[each.position] <= NOISE)
        for each in told
        if each.regret is not None and each.position in before
    ]
    return Consistency(
        way,
        len({each.position for each in told}),
        len(told),
        len(answers[way]) - len(told),
        _share([(each.position, bool(each.same)) for each in told]),
        None if way == REPEAT else _drop(answers[REPEAT], told),
        len(graded),
        _share(graded),
        None if way == REPEAT else _loss([*answers[ORIGINAL], *answers[REPEAT]], told),
    )


def _share(found: Sequence[tuple[Hashable, bool]]) -> Share | None:
    """Of what is true, by position; None of nothing."""
    if not found:
        return None
    return ratio([place for place, _ in found], [float(true) for _, true in found], [1.0] * len(found))


def _drop(repeats: Sequence[Shown], others: Sequence[Shown]) -> Share | None:
    def shares(of: Sequence[Shown]) -> dict[Hashable, float]:
        return _means((each.position, float(each.same)) for each in of if each.same is not None)

    return _paired(shares(repeats), shares(others))


def _loss(usual: Sequence[Shown], others: Sequence[Shown]) -> Share | None:
    def regrets(of: Sequence[Shown]) -> dict[Hashable, float]:
        return _means((each.position, each.regret / 2) for each in of if each.regret is not None)

    found = _paired(regrets(others), regrets(usual))
    return found and Share(*(2 * part for part in found))


def _paired(first: Mapping[Hashable, float], second: Mapping[Hashable, float]) -> Share | None:
    """How much more the first than the second, over the positions that both have; each in [0, 1]."""
    both = [place for place in first if place in second]
    return lead([first[place] for place in both], [second[place] for place in both], len(both))


def _means(values: Iterable[tuple[Hashable, float]]) -> dict[Hashable, float]:
    found: defaultdict[Hashable, list[float]] = defaultdict(list)
    for place, value in values:
        found[place].append(value)
    return {place: fsum(each) / len(each) for place, each in found.items()}
