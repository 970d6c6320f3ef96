"""An estimate as people and programs read it, and the question that comes before much is spent.

Nobody is asked about players that cost nothing, or again about those whose cost nobody knows: going on without
counting was already said with `--unpriced`, and every sum names them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import text
from orchestrator.cli.rows import Row, fitting, standings

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.estimate import Estimate, Figures, PlayerEstimate, Range

THRESHOLD_PICO = 5 * text.PICO  # what may be spent unasked, where no --max-cost says
COLUMNS = ("expected", "low – high", "calls", "tokens in", "tokens out")
UNPRICED = "unpriced"
TOKENS = ("input_fresh", "cache_read", "cache_write", "output")


def show(
    estimate: Estimate, console: Console, max_cost_pico: int | None = None, pilot: tuple[int, int] = (0, 0)
) -> None:
    """Print it in a few lines; nothing, where nobody costs anything or nothing is left to play.

    `max_cost_pico` is for the whole run; `pilot` says how many matches were just played first, and what they cost.
    """
    if estimate.free or not estimate.total.matches:
        return
    rows = [Row(name, _cells(figures)) for name, figures, _ in _by_model(estimate)]
    if len(rows) > 1:
        rows.append(Row("total", _cells(estimate.total, "≥ " if estimate.unpriced else "")))
    columns = fitting(rows, COLUMNS, console.width)
    if pilot[0]:
        of = text.plural(pilot[0], "match", "matches")
        console.print(f"The pilot of {of} cost {_dollars(pilot[1])}; the rest is estimated from it.")
    console.print(f"Estimate for {text.plural(estimate.total.matches, 'match', 'matches')}:")
    console.print(standings(rows, columns))
    for line in [*_notes(estimate), *_reach(estimate, max_cost_pico)]:
        console.print(line)


def _by_model(estimate: Estimate) -> Iterator[tuple[str, Figures, str]]:
    """Label, figures and source of whoever costs something; a model that plays itself is one.

    What is believed of it is wrong on all its seats alike, so its ranges add up.
    """
    found: dict[str, list[PlayerEstimate]] = {}
    for each in estimate.players:
        if not each.free:
            found.setdefault(each.seated.spec, []).append(each)
    for same in found.values():
        label = same[0].seated.label
        if len(same) == 1:
            yield label, same[0].figures, same[0].source
        else:
            alone = len(found) == 1
            figures = estimate.total if alone else _added([each.figures for each in same])
            yield label.rpartition(" #")[0] or label, figures, same[0].source


def _added(several: Sequence[Figures]) -> Figures:
    """What the table shows of them, in one."""
    from orchestrator.estimate import Range

    def added(name: str) -> Range:
        return Range(*map(sum, zip(*(getattr(each, name) for each in several), strict=True)))

    first = several[0]
    return replace(
        first,
        calls=added("calls"),
        input=added("input"),
        output=added("output"),
        pico=None if first.pico is None else added("pico"),  # one model has one price
    )


def _cells(figures: Figures, sign: str = "") -> dict[str, str]:
    money = figures.pico
    return {
        "expected": sign + _dollars(money.expected) if money else UNPRICED,
        "low – high": f"{sign}{_dollars(money.low)} – {_dollars(money.high)}" if money else text.NOTHING,
        "calls": text.count(round(figures.calls.expected)),
        "tokens in": text.count(round(figures.input.expected)),
        "tokens out": text.count(round(figures.output.expected)),
    }


def _notes(estimate: Estimate) -> list[str]:
    """What the figures rest on, how long it takes, and what stands beside the sum."""
    lines = [
        f"  {text.one_line(label, 60)}: {text.one_line(source)}" for label, _, source in _by_model(estimate)
    ]
    lines.append(f"Time: {_time(estimate)}.")
    if estimate.total.pico is not None:
        without = f" without {_names(estimate.unpriced)}" if estimate.unpriced else ""
        ceiling = _dollars(estimate.total.ceiling_pico or 0)
        lines.append(
            f"Ceiling{without}: {ceiling}, were every match and every answer as long as can be and all asked again "
            "as often as may be; nine runs in ten lie from low to high."
        )
    if estimate.spent_pico:
        out = (
            f", {_dollars(estimate.out_pico)} of it the most that calls still out cost"
            if estimate.out_pico
            else ""
        )
        lines.append(f"Spent so far, not counted above: {_dollars(estimate.spent_pico)}{out}.")
    if estimate.unpriced:
        lines.append(f"Plus what {_names(estimate.unpriced)} costs, which is not known.")
    return lines


def _time(estimate: Estimate) -> str:
    """about 4 min 39 s (57 s – 12 min 44 s); of waves how many there are, and what each of them takes."""
    if estimate.waves is None:
        low, expected, high = (text.duration(3600 * hours) for hours in estimate.hours)
        return f"about {expected} ({low} – {high})"
    from orchestrator.batch import span

    low, expected, high = (span(3600 * hours) for hours in estimate.hours)
    shortest, longest = (span(3600 * hours / estimate.waves.waves) for hours in estimate.hours[::2])
    waves = text.plural(estimate.waves.waves, "wave")
    return (
        f"about {expected} ({low} – {high}): some {waves} one after the other, of {shortest} – {longest} each"
    )


def _reach(estimate: Estimate, max_cost_pico: int | None) -> list[str]:
    """How far a wall reaches that is below what is expected.

    Those at the table when it is met are half played on average, and a resume with a higher wall goes on with
    them. Where all are played at once, they are so evenly, and hardly one is over.
    """
    money = estimate.total.pico
    if money is None or max_cost_pico is None or estimate.spent_pico + money.expected <= max_cost_pico:
        return []
    matches, left = estimate.total.matches, max(0, max_cost_pico - estimate.spent_pico)
    if estimate.at_once >= matches > 1:
        share = round(100 * left / money.expected)
        return [
            f"--max-cost {_given(max_cost_pico)} probably pays for {share} % of that: as all matches are played at "
            "once, few of them would be over by then."
        ]
    over = int(left / (money.expected / matches) - estimate.at_once / 2)
    whole = f"about {over:,} of the {matches:,} matches" if over > 0 else "no whole match"
    return [
        f"--max-cost {_given(max_cost_pico)} probably pays for {whole}, and for a part of {estimate.at_once:,} more."
    ]


def fits(estimate: Estimate, walls: Mapping[int, int]) -> None:
    """Raises ValueError where a wall lets not even one call leave; `walls` by player's number, 0 for the run's."""
    for each in estimate.players:
        for whose in (0, each.number):
            if whose in walls and each.least_pico > walls[whose]:
                name = text.one_line(each.seated.label, 60)
                given = f"{name}={_given(walls[whose])}" if whose else _given(walls[whose])
                raise ValueError(
                    f"no call of {name} fits under --max-cost {given}: one may cost {_dollars(each.least_pico)}; raise "
                    "it or lower --max-tokens"
                )


def _names(players: tuple[PlayerEstimate, ...]) -> str:
    return " and ".join(text.one_line(player.seated.label, 60) for player in players)


def _given(pico: int) -> str:
    """As a person gives it."""
    return f"{pico / text.PICO:g}"


def _dollars(pico: float) -> str:
    return text.money(round(pico))


def as_json(estimate: Estimate) -> dict[str, Any]:
    """For programs: every range as [low, expected, high]; null where no price is known."""
    return {
        "players": [
            {"spec": each.seated.spec, "label": each.seated.label, "source": each.source}
            | _figures(each.figures)
            for each in estimate.players
        ],
        "total": _figures(estimate.total),
        "unpriced": [each.seated.label for each in estimate.unpriced],
        "hours": [round(hours, 4) for hours in estimate.hours],
        "waves": None if estimate.waves is None else estimate.waves.waves,
        "spent_usd": estimate.spent_pico / text.PICO,
    }


def _figures(figures: Figures) -> dict[str, Any]:
    def whole(amounts: Range) -> list[int]:
        return [round(amount) for amount in amounts]

    money, ceiling = figures.pico, figures.ceiling_pico
    return {
        "matches": figures.matches,
        "decisions": whole(figures.decisions),
        "calls": whole(figures.calls),
        "input_tokens": whole(figures.input),
        **{f"{name}_tokens": whole(getattr(figures, name)) for name in TOKENS},
        "cost_usd": None if money is None else [round(pico) / text.PICO for pico in money],
        "ceiling_usd": None if ceiling is None else ceiling / text.PICO,
    }


def confirm(
    estimate: Estimate, max_cost_pico: int | None, yes: bool, threshold_pico: int = THRESHOLD_PICO
) -> bool:
    """Whether to go on: asked where the run may cost more than was allowed, or than goes without saying.

    `max_cost_pico` is for the whole run, what was spent before included. Raises ValueError where somebody would
    have to be asked and nobody is there.
    """
    money = estimate.total.pico
    if yes or money is None or estimate.free or not estimate.total.matches:
        return True
    if max_cost_pico is None:
        if money.high <= threshold_pico:
            return True
        why = f"this may cost {_dollars(money.high)}"
        way = "say --yes to go on, or set a wall with --max-cost USD"
    else:
        if estimate.spent_pico + money.high <= max_cost_pico:
            return True
        before = " more" if estimate.spent_pico else ""
        why = f"this may cost {_dollars(money.high)}{before}, and --max-cost stops it at {_dollars(max_cost_pico)}"
        way = "say --yes to play as far as that goes, ask for fewer --games, or raise --max-cost"
    if estimate.unpriced:
        why += f", without what {_names(estimate.unpriced)} costs"
    if not _somebody_there():
        raise ValueError(f"{why}, and nobody is at the terminal to be asked: {way}")
    return click.confirm(f"{text.clean(why)}. Go on?", default=False, err=True)


def _somebody_there() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()
