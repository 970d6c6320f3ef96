"""Which decisions are worth to be learnt: named filters, each of which says what it kept and what it dropped.

A filter looks at one canonical row. Where it asks for something that nobody knows of a row (a regret, where nothing
was graded), the row is dropped, and counted as unknown. The order is that of the command line: a row is counted
where it falls.

As a sign of a good move "the winner played it" is weak: among decisions that mattered it kept 39 % and was right
in 84 % of them, while a regret of 0 is right by definition (measured on 6,000 mixed matches of TicTacToe). So
`good` goes by grades, and by the result of the match only where there are none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

from orchestrator.export.columns import Row

EPSILON = 0.05  # a regret up to here is none: what a search cannot tell from the best
Keeps = Callable[[Row], bool | None]  # None: unknown


class Kind(NamedTuple):
    """A filter by name: what it asks of a row, what its value is, what it is when none is given."""

    about: str
    make: Callable[[str], Keeps]
    value: str = ""  # what is expected after =, empty where nothing is


def regret(row: Row) -> float | None:
    """What was given away, by a solver if it reached, else by search; None where nobody knows."""
    exact: float | None = row["regret_solver"]
    return row["regret_search"] if exact is None else exact


def _good(_: str) -> Keeps:
    def keeps(row: Row) -> bool | None:
        if row["was_fallback"] or row["action"] is None:
            return False
        lost = regret(row)
        return row["outcome"] >= 0 if lost is None else lost <= EPSILON

    return keeps


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"expected a number, got {text!r}") from None


def _at_most(of: Callable[[Row], float | None]) -> Callable[[str], Keeps]:
    def make(text: str) -> Keeps:
        most = _number(text)

        def keeps(row: Row) -> bool | None:
            value = of(row)
            return None if value is None else value <= most

        return keeps

    return make


def _at_least(of: Callable[[Row], float | None]) -> Callable[[str], Keeps]:
    def make(text: str) -> Keeps:
        least = _number(text)

        def keeps(row: Row) -> bool | None:
            value = of(row)
            return None if value is None else value >= least

        return keeps

    return make


def _is(name: str) -> Callable[[str], Keeps]:
    """A column is one of these, told apart by commas, * for anything."""

    def make(text: str) -> Keeps:
        wanted = [part.strip() for part in text.split(",") if part.strip()]
        if not wanted:
            raise ValueError("expected one name or more, parted by commas")

        def keeps(row: Row) -> bool | None:
            value = row[name]
            return None if value is None else any(fnmatchcase(str(value), each) for each in wanted)

        return keeps

    return make


def _agrees(text: str) -> Keeps:
    if text not in ("solver", "search"):
        raise ValueError(f"expected solver or search, got {text!r}")
    name = f"agrees_{text}"
    return lambda row: row[name]


FILTERS: Mapping[str, Kind] = {
    "good": Kind(
        f"regret of {EPSILON} or less; where nothing is graded, of a match that was won or drawn", _good
    ),
    "legal-first": Kind("the first answer was a legal move", lambda _: lambda row: row["legal_first_try"]),
    "own": Kind(
        "chosen by the player: no fallback, no forfeit",
        lambda _: lambda row: row["action"] is not None and not row["was_fallback"],
    ),
    "won": Kind("the mover won the match", lambda _: lambda row: row["outcome"] > 0),
    "not-lost": Kind("the mover won or drew the match", lambda _: lambda row: row["outcome"] >= 0),
    "agrees": Kind("nothing was better, says a solver or search", _agrees, "solver|search"),
    "max-regret": Kind("gave away at most so much, 0 to 2", _at_most(regret), "NUMBER"),
    "max-difficulty": Kind(
        "at most this share of the moves was best: 0.99 leaves out where nothing could go wrong",
        _at_most(lambda row: row["difficulty"]),
        "SHARE",
    ),
    "min-rating": Kind("by players of at least so many Elo", _at_least(lambda row: row["rating"]), "ELO"),
    "min-ply": Kind("from this ply on, counted from 0", _at_least(lambda row: row["ply"]), "PLY"),
    "max-ply": Kind("up to this ply", _at_most(lambda row: row["ply"]), "PLY"),
    "max-tokens": Kind(
        "answered in at most so many tokens", _at_most(lambda row: row["tokens_out"]), "NUMBER"
    ),
    "game": Kind("of these games", _is("game"), "NAME,..."),
    "player": Kind("by these players, * for anything", _is("player"), "SPEC,..."),
    "kind": Kind("by models, bots, policies, humans", _is("player_kind"), "KIND,..."),
    "reasoning": Kind("with thoughts of these kinds", _is("reasoning_kind"), "raw|summary,..."),
    "faithful": Kind(
        "the text does not name another move than the one that was played",
        lambda _: lambda row: row["stated_action"] in (None, row["action"]),
    ),
}


@dataclass(slots=True)
class Filter:
    """One filter of an export, and what it did so far."""

    text: str
    keeps: Keeps
    counts: Counter[str] = field(default_factory=Counter)  # kept, dropped, unknown

    def __call__(self, row: Row) -> bool:
        said = self.keeps(row)
        self.counts["unknown" if said is None else "kept" if said else "dropped"] += 1
        return bool(said)


def read_filter(text: str) -> Filter:
    """`max-regret=0.1`, `legal-first`, `not-lost`, ... Raises ValueError with what there is."""
    name, equals, value = text.partition("=")
    kind = FILTERS.get(name.strip())
    if kind is None:
        raise ValueError(f"unknown filter {name!r}: expected one of {', '.join(FILTERS)}")
    if bool(equals) != bool(kind.value):
        expected = f"{name}={kind.value}" if kind.value else f"{name} alone"
        raise ValueError(f"filter {text!r}: expected {expected}")
    try:
        return Filter(text, kind.make(value.strip()))
    except ValueError as error:
        raise ValueError(f"filter {text!r}: {error}") from None


def passes(row: Row, filters: Sequence[Filter]) -> bool:
    """Through all of them, in their order."""
    return all(each(row) for each in filters)
