"""What strength cost: the bill of every player, the price of a match, a win and 100 Elo, and the frontier.

The statistics are those of `orchestrator.ratings.value`: intervals count pairs, who cannot be told from the zero has no
upper end to the price of its Elo, and a player is called dominated only where that is sure. Bots and people cost
nothing and stand on the frontier like anybody. A player of whose calls some have no price has a bill with a hole in
it: it is left out of everything that divides by money, and named.

The bill is the record's, to the last call; what stands beside a board is of its matches, void ones too, since they were
paid for.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from math import log10

from orchestrator.ratings.league import League
from orchestrator.ratings.value import FREE, Cost, Place, Ratio, Spent, cost, per, per_100, places, steps
from orchestrator.record.reading import Standing
from orchestrator.report.ratings import slug
from orchestrator.report.section import (
    Axis,
    Column,
    Estimated,
    Plot,
    Point,
    Run,
    Section,
    Series,
    Table,
    Value,
    told_apart,
)
from orchestrator.report.tallied import Tallied, of_board, tallies
from orchestrator.standings import AS_STAND_IN, Board, boards_of, stood_in
from orchestrator.words import PICO, dollars, plural

BILL = (
    Column("player"), Column("matches", "count"), Column("calls", "count"), Column("cost", "usd"),
    Column("possibly billed", "usd"), Column("without a price", "count"),
)  # fmt: skip
PRICES = (
    Column("player"), Column("board"), Column("$/match", "usd"), Column("$/win", "usd"),
    Column("$/match per 100 Elo", "usd"), Column("tokens/match", "number"), Column("place"),
)  # fmt: skip
STEPS = (
    Column("from"), Column("to"), Column("board"), Column("Elo more", "elo"), Column("$/match per 100 Elo more", "usd"),
)  # fmt: skip
PRICED = "What a match, a win and 100 Elo cost"
WIDE = 10.0  # from where dearest to cheapest a scale of powers shows more


def sections(runs: Sequence[Run]) -> list[Section]:
    """One, of runs in which somebody was asked for money, or may have been; none of others."""
    bills = _bills(runs)
    if not any(each.calls for _, each in bills):
        return []
    tables = [Table("bill", "The bill", BILL, _bill(bills), BILL_NOTES)]
    prices, more, figures, says = [], [], [], _says(bills)
    tallied, boards = tallies(runs), boards_of(run.result for run in runs)
    for board in boards:
        of = of_board(board, tallied)
        costs = {key: known for key in board.lines if (known := _cost(of[key])) is not None}
        found = places(board.league, _rated(costs, board.league)) if board.league else []
        prices += _prices(board, of, costs, {place.player: place for place in found})
        if board.league is not None and any(place.cost.mean for place in found):
            more += _more(board, board.league, found)
            figures.append(_frontier(board, found))
            says += _verdicts(board, found)
    tables += [
        told_apart(Table("prices", PRICED, PRICES, prices, PRICE_NOTES), "board", len(boards)),
        told_apart(Table("steps", "Up the frontier", STEPS, more, STEP_NOTES), "board", len(boards)),
    ]
    return [Section("money", "Money", says, [table for table in tables if table.rows], figures)]


BILL_NOTES = (
    "Cost: what is sure. Possibly billed: at worst, for attempts that failed after they were sent and answers "
    "without a price. Without a price: calls of which nobody knows what they cost.",
)
PRICE_NOTES = (
    "With 95 % intervals by pairs (Fieller); where the upper end is not known, the wins or the Elo that the money is "
    "divided by may be none. Per 100 Elo: above whoever is set to 0 on the board.",
    "Place: frontier where nobody is as strong for no more money, by the estimates; dominated where another is surely "
    "stronger and surely no dearer; open between the two.",
)
STEP_NOTES = (
    "From each player of the frontier to the next: what a match costs more for each 100 Elo more, with its 95 % "
    "interval; without an upper end where it is not sure that the dearer one is stronger.",
)


# ── the bill ─────────────────────────────────────────────────────────────────────────────────────────


def _bills(runs: Iterable[Run]) -> list[tuple[str, Standing]]:
    """Of every player over all runs, by spec; the dearest first."""
    found: dict[str, Standing] = {}
    for standing in (standing for run in runs for standing in run.result.standings):
        spec = standing.player.spec + (
            AS_STAND_IN if stood_in(standing.player.spec, standing.reported) else ""
        )
        found[spec] = found[spec] + standing if spec in found else standing
    return sorted(found.items(), key=lambda one: (-one[1].cost_pico - one[1].possibly_pico, one[0]))


def _bill(bills: Sequence[tuple[str, Standing]]) -> list[list[Value]]:
    rows: list[list[Value]] = [
        [
            spec,
            each.matches,
            each.calls,
            each.cost_pico / PICO,
            each.possibly_pico / PICO,
            each.unpriced_calls,
        ]
        for spec, each in bills
    ]
    totals = [
        sum(getattr(each, part) for _, each in bills)
        for part in ("calls", "cost_pico", "possibly_pico", "unpriced_calls")
    ]
    return [*rows, ["all", None, totals[0], totals[1] / PICO, totals[2] / PICO, totals[3]]]


def _says(bills: Sequence[tuple[str, Standing]]) -> list[str]:
    sure, possibly = (
        sum(getattr(each, part) for _, each in bills) / PICO for part in ("cost_pico", "possibly_pico")
    )
    says = [
        f"{dollars(sure)} in all"
        + (f", and up to {dollars(possibly)} more may have been billed." if possibly else ".")
    ]
    says += [
        f"{spec} has no price for {plural(each.unpriced_calls, 'call')}: what it cost is not known."
        for spec, each in bills
        if each.unpriced_calls
    ]
    return says


# ── prices ───────────────────────────────────────────────────────────────────────────────────────────


def _cost(tallied: Sequence[Tallied]) -> Cost | None:
    """Of a match; None where a price is missing, or nothing was finished."""
    if any(each.row.unpriced for each in tallied):
        return None
    if not any(each.row.cost_pico for each in tallied):
        return FREE if any(each.finished for each in tallied) else None
    return cost(_spent(tallied, lambda each: each.finished))


def _spent(tallied: Sequence[Tallied], unit: Callable[[Tallied], bool]) -> list[Spent]:
    """By cluster; what void matches cost is in it."""
    sums: dict[Hashable, list[float]] = {}
    for each in tallied:
        total = sums.setdefault(each.cluster, [0.0, 0.0])
        total[0] += each.row.cost_pico / PICO
        total[1] += unit(each)
    return [Spent(*total) for total in sums.values()]


def _rated(costs: Mapping[str, Cost], league: League) -> dict[str, Cost]:
    return {key: found for key, found in costs.items() if key in league.players}


def _prices(
    board: Board, of: Mapping[str, Sequence[Tallied]], costs: Mapping[str, Cost], found: Mapping[str, Place]
) -> list[list[Value]]:
    """Of whoever was asked for money."""
    rows: list[list[Value]] = []
    for line in board.ranked():
        key = board.key(line)
        if not line.total.calls:
            continue
        known = costs.get(key)
        wins = per(_spent(of[key], lambda each: each.won), _most(of[key])) if known else None
        tokens = (line.total.input_tokens + line.total.output_tokens) / max(1, line.total.matches)
        rows.append(
            [
                line.name, board.title, _estimated(known and known.within), _estimated(wins),
                _estimated(_of_elo(board, key, known)), tokens, _place(board, found.get(key)),
            ]
        )  # fmt: skip
    return rows


def _most(tallied: Sequence[Tallied]) -> float:
    """How many matches a cluster has, on the mean: more than that it cannot win."""
    return sum(each.finished for each in tallied) / len({each.cluster for each in tallied})


def _of_elo(board: Board, key: str, known: Cost | None) -> Ratio | None:
    league, zero = board.league, board.anchor.player
    if known is None or league is None or key not in league.players or zero not in league.island(key):
        return None
    players = league.players
    degrees = league.ratings.degrees(players.index(key), players.index(zero))
    above = league.rating(key) - league.rating(zero)
    return per_100(known, above, league.ratings.standard_error(key, zero), degrees)


def _estimated(found: Ratio | None) -> Estimated | None:
    return found and Estimated(*found)


def _place(board: Board, place: Place | None) -> str | None:
    if place is None:
        return None
    return f"dominated by {board.lines[place.by].name}" if place.by else place.state


def _more(board: Board, league: League, found: Sequence[Place]) -> list[list[Value]]:
    return [
        [
            board.lines[step.lower].name, board.lines[step.upper].name, board.title,
            Estimated(*league.ratings.difference(step.upper, step.lower)), Estimated(*step.per_100),
        ]
        for step in steps(league, found)
    ]  # fmt: skip


# ── the frontier ─────────────────────────────────────────────────────────────────────────────────────


def _verdicts(board: Board, found: Sequence[Place]) -> list[str]:
    on_it = [board.lines[place.player].name for place in found if place.state == "frontier"]
    sure = [place for place in found if place.state == "dominated"]
    says = [
        f"{board.title}: as far as estimates go, nobody is as strong for less money as {' or '.join(on_it)}."
    ]
    says += [
        f"{board.title}: {board.lines[place.by].name} is stronger than {board.lines[place.player].name} and no dearer."
        for place in sure
        if place.cost.mean
    ]
    return says


def _frontier(board: Board, found: Sequence[Place]) -> Plot:
    paid = [place.cost.mean for place in found if place.cost.mean > 0]
    log = max(paid) / min(paid) >= WIDE
    edge = 10 ** (int(log10(min(paid)) // 1) - 1) if log else 0.0  # where those who are free stand

    def point(place: Place) -> Point:
        line = board.lines[place.player]
        low, mean, high = place.cost.within
        x: float | Estimated = edge
        if place.cost.mean:
            x = Estimated(None if low is None else max(low, edge), mean, high)
        return Point(x, Estimated(*line.elo) if line.elo else 0.0, line.name)

    states = {"frontier": "on the frontier", "open": "open", "dominated": "dominated"}
    series = [
        Series(called, [point(place) for place in found if place.state == state])
        for state, called in states.items()
        if any(place.state == state for place in found)
    ]
    on_it = [point(place) for place in found if place.state == "frontier" and _comparable(board, place)]
    staircase = [Point(_middle(each.x), _middle(each.y)) for each in on_it]
    free = " Who is free stands at the left edge." if log and len(paid) < len(found) else ""
    return Plot(
        f"frontier-{slug(board)}",
        f"Strength and price: {board.title}",
        Axis("$ per match", "usd", log=log, low=edge),
        Axis(f"Elo above {board.zero}", "elo"),
        [*series, Series("frontier", staircase, "steps")],
        says="Up and to the left is better: more Elo for less money." + free,
    )


def _middle(value: float | Estimated) -> float:
    return value.value if isinstance(value, Estimated) else value


def _comparable(board: Board, place: Place) -> bool:
    return board.league is not None and place.player in board.league.islands[0]
