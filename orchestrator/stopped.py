"""Where a duel stops by its rule: the pairs on its record, told to `ratings.stopping`.

While it is played and after it is over the same pairs are seen, so that what stopped it is what its summary says. How
a match went is known to the record once the match is over, which is why a running duel asks it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import text

from orchestrator.ratings.stopping import Stopping, read_rule
from orchestrator.record.reading import RunResult
from orchestrator.record.store import Record
from orchestrator.request import DuelRequest, Request

SEEN = """
    SELECT m.pair, m.swap, m.went, p.seat, p.player, p.score FROM match m JOIN seat p ON p.match = m.id
    WHERE m.status = 'finished' AND m.pair BETWEEN :first AND :last ORDER BY m.pair, m.swap, p.seat
"""


def stopping(request: Request) -> Stopping | None:
    """None for a run that is played to its end."""
    return None if request.rule is None else Stopping(request.rule, request.pairs)


def see(found: Stopping, record: Record, pair: int | None = None) -> None:
    """Tell the rule of that pair, if it is complete; of all complete ones by default."""
    first, last = (0, found.planned - 1) if pair is None else (pair, pair)
    record.flush()
    with record.session() as session:
        rows = session.connection().execute(text(SEEN), {"first": first, "last": last}).all()
    for number, places in groupby(rows, key=lambda row: int(row.pair)):
        _tell(found, number, [(row.swap, row.player, row.score, row.went) for row in places])


def _tell(found: Stopping, pair: int, places: Iterable[tuple[int, int, float, Any]]) -> None:
    listed = list(places)
    sides = {swap: [place for place in listed if place[0] == swap] for swap in (0, 1)}
    if all(sides.values()):
        score = sum(score for _, player, score, _ in listed if player == 1) / 2
        went = frozenset((tuple(place[1] for place in side), side[0][3]) for side in sides.values())
        found.completed(pair, score, went)


def stopped(result: RunResult) -> Stopping | None:
    """The rule of a duel after its pairs on record; None for a run that has none."""
    asked = result.run.request
    rule = (
        read_rule(asked.get("sprt"), asked.get("until_ci")) if result.run.kind == DuelRequest.KIND else None
    )
    if rule is None:
        return None
    found = Stopping(rule, asked["pairs"])
    for pair, matches in groupby(result.matches, key=lambda match: match.pair):
        last = {match.swap: match for match in matches}  # the last replay of each side
        if any(match.status == "void" for match in last.values()):
            found.given_up(pair)
        _tell(found, pair, _places(last))
    return found


def _places(last: Mapping[int, Any]) -> Iterator[tuple[int, int, float, Any]]:
    for swap, match in last.items():
        for place in match.seats:
            if match.scores:
                yield swap, place.player, match.scores[place.player], match.went
