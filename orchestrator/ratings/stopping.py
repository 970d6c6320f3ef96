"""When a duel has seen enough: a rule, fed with whole pairs in the order of their numbers.

Matches end in any order; a rule that took them as they came would prefer whatever ends soon, and one seed would not
give one result. So a pair waits until all before it are complete, or given up because a match of theirs stayed void.
Whether and where the rule stops depends on the pairs alone: one worker or sixteen, at once or resumed, stop at the
same pair. What was under way beyond it comes back and is on record, but is no part of the test or of its figures.

`--sprt` and `--until-ci` are read here; what they do is in `sprt` and `sequence`. The length of the duel and the wall
of its budget end either of them undecided, and the figures stay what they are called.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from orchestrator.ratings.pairs import Repeats
from orchestrator.ratings.sequence import Betting, UntilCi
from orchestrator.ratings.sprt import Sprt

Rule = Sprt | UntilCi
NELO = "nelo:"


def read_sprt(text: str) -> Sprt:
    """`elo0,elo1` or `elo0,elo1,alpha,beta`; in normalized Elo after `nelo:`. Raises ValueError."""
    normalized = text.lower().startswith(NELO)
    numbers = _numbers(text[len(NELO) if normalized else 0 :], (2, 4), "ELO0,ELO1 as in 0,30 or nelo:0,50")
    elo0, elo1, alpha, beta = (*numbers, 0.05, 0.05)[:4]
    return Sprt(elo0, elo1, alpha, beta, normalized)


def read_until_ci(text: str) -> UntilCi:
    """`N`, for ±N Elo, or `N,USEFUL`. Raises ValueError."""
    return UntilCi(*_numbers(text.removeprefix("±"), (1, 2), "N as in 50, or N,USEFUL as in 50,20"))


def read_rule(sprt: str | None, until_ci: str | None) -> Rule | None:
    """The one that is given, if any. Raises ValueError."""
    if sprt is not None and until_ci is not None:
        raise ValueError("a duel stops by one rule: leave sprt or until_ci out")
    if sprt is not None:
        return read_sprt(sprt)
    return None if until_ci is None else read_until_ci(until_ci)


def _numbers(text: str, counts: tuple[int, int], form: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in counts:
        raise ValueError(f"{text!r} cannot be read: give {form}")
    return numbers


class Stopping:
    """A rule over a duel of `planned` pairs between two. `ended` says why it stopped, empty until it does.

    `counted` are the numbers of the pairs that are part of it, in order: from there on none is.
    """

    def __init__(self, rule: Rule, planned: int) -> None:
        self.rule = rule
        self.planned = planned
        self.ended = ""
        self.outcome = ""  # H0, H1, futile; narrow, futile
        self.counted: list[int] = []
        self._next = 0
        self._ready: dict[int, tuple[float, Hashable] | None] = {}
        self._counts = [0] * 5
        self._repeats = Repeats()
        self._betting = Betting()
        self._half = 0.0  # of its interval, in Elo

    def completed(self, pair: int, score: float, went: Hashable) -> None:
        """All matches of a pair (from 0) have a result: player 1's mean score, and how they went (see `Repeats`)."""
        self._put(pair, (score, went))

    def given_up(self, pair: int) -> None:
        """A match of it stayed void: those after it do not wait for it."""
        self._put(pair, None)

    def _put(self, pair: int, seen: tuple[float, Hashable] | None) -> None:
        self._ready[pair] = seen
        while not self.ended and self._next in self._ready:
            found = self._ready.pop(self._next)
            if found is not None:
                self.counted.append(self._next)
                self._see(*found)
            self._next += 1

    def _see(self, score: float, went: Hashable) -> None:
        self._repeats.add(went)
        if isinstance(self.rule, Sprt):
            self._counts[round(4 * score)] += 1
            self._decide(self.rule)
        else:
            self._betting.add(score, went)
            self._look(self.rule)

    def _decide(self, rule: Sprt) -> None:
        left = self.planned - self._next - 1
        outcome = rule.outcome(self._counts, self._repeats.independent, left)
        if outcome is None:
            return
        self.outcome = outcome
        if outcome == "futile":
            self.ended = (
                f"the {left} pairs that are left would hardly bring the test of {rule} to accept the second"
            )
        else:
            first, second = str(rule).split(" against ")
            accepted, size = ("H1", second) if outcome == "H1" else ("H0", f"{first} {second.split()[-1]}")
            self.ended = f"the test of {rule} accepts {accepted}, {size}"

    def _look(self, rule: UntilCi) -> None:
        found = self._betting.interval()
        self._half = found.half
        if found.half <= rule.half:
            self.outcome, self.ended = (
                "narrow",
                f"the interval is ±{found.half:.0f} Elo, ±{rule.half:g} was asked",
            )
        elif rule.useful is not None and found.high < rule.useful:
            self.outcome = "futile"
            self.ended = f"player 1 is less than {rule.useful:+g} Elo ahead: {found.high:+.0f} at most"

    def progress(self) -> dict[str, Any] | None:
        """How near the rule is to its end, without the estimate of `report`; None before the first pair."""
        if not self.counted:
            return None
        if isinstance(self.rule, Sprt):
            low, high = self.rule.bounds
            ratio = self.rule.llr(self._counts, self._repeats.independent)
            told = {"rule": "sprt", "of": str(self.rule), "llr": ratio, "llr_low": low, "llr_high": high}
        else:
            told = {"rule": "until-ci", "half": self._half, "until": self.rule.half}
        rounded = {
            name: round(value, 3) if isinstance(value, float) else value for name, value in told.items()
        }
        return {**rounded, "pairs": len(self.counted)}

    def report(self) -> dict[str, Any] | None:
        """The test as plain JSON values, its own estimate with it; None before the first pair."""
        if not self.counted:
            return None
        common = {"outcome": self.outcome or None, "why": self.ended or None, "pairs": len(self.counted)}
        if isinstance(self.rule, Sprt):
            rule, independent = self.rule, self._repeats.independent
            after, bounds = rule.after(self._counts, independent), rule.bounds
            test: dict[str, Any] = {
                "rule": "sprt",
                "unit": "nelo" if rule.normalized else "elo",
                "elo0": rule.elo0,
                "elo1": rule.elo1,
                "alpha": rule.alpha,
                "beta": rule.beta,
                "llr": round(rule.llr(self._counts, independent), 3),
                "llr_low": round(bounds[0], 3),
                "llr_high": round(bounds[1], 3),
            }
            low, mid, high = after.low, after.elo, after.high
        else:
            test = {"rule": "until-ci", "half": self.rule.half, "useful": self.rule.useful}
            low, mid, high = self._betting.interval()
        found = {"elo": round(mid, 1), "elo_low": round(low, 1), "elo_high": round(high, 1)}
        return {**test, **common, **found}
