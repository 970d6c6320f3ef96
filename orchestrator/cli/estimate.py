"""An estimate as people and programs read it, and the question that comes before much is spent.

Nobody is asked about players that cost nothing, or again about those whose cost nobody knows: going on without
counting was already said with `--unpriced`, and every sum names them.
"""

from __future__ import annotations

import sys
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


def show(estimate: Estimate, console: Console) -> None:
    """Print it in a few lines; nothing, where nobody costs anything or nothing is left to play."""
    if estimate.free or not estimate.total.matches:
        return
    rows = [Row(each.seated.label, _cells(each.figures)) for each in estimate.players if not each.free]
    if len(rows) > 1:
        rows.append(Row("total", _cells(estimate.total, "≥ " if estimate.unpriced else "")))
    columns = fitting(rows, COLUMNS, console.width)
    console.print(f"Estimate for {text.plural(estimate.total.matches, 'match', 'matches')}:")
    console.print(standings(rows, columns))
    for line in _notes(estimate):
        console.print(line, soft_wrap=True)


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
        f"  {text.one_line(each.seated.label, 60)}: {text.one_line(each.source)}"
        for each in estimate.players
        if not each.free
    ]
    if estimate.hours is not None:
        low, expected, high = (text.duration(3600 * hours) for hours in estimate.hours)
        lines.append(f"Time: about {expected} ({low} – {high}).")
    if estimate.total.pico is not None:
        without = f" without {_names(estimate.unpriced)}" if estimate.unpriced else ""
        ceiling = _dollars(estimate.total.ceiling_pico or 0)
        lines.append(
            f"Ceiling{without}: {ceiling}, were every match and every answer as long as can be and all asked again "
            "as often as may be; nine runs in ten lie from low to high."
        )
    if estimate.spent_pico:
        lines.append(f"Spent so far, not counted above: {_dollars(estimate.spent_pico)}.")
    if estimate.unpriced:
        lines.append(f"Plus what {_names(estimate.unpriced)} costs, which is not known.")
    return lines


def _names(players: tuple[PlayerEstimate, ...]) -> str:
    return " and ".join(text.one_line(player.seated.label, 60) for player in players)


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
        "hours": None if estimate.hours is None else [round(hours, 4) for hours in estimate.hours],
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
