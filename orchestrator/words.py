"""Figures as words: what a terminal, a page and a sentence of a report say alike.

Plain text for people, in English; nothing here knows a screen. Whoever prints foreign text beside them makes it safe
(`orchestrator.cli.text`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.ratings.bradley_terry import Interval
    from orchestrator.ratings.league import Rank

PICO = 10**12
NOTHING = "–"  # a figure that does not apply, such as the cost of a bot


def money(pico: int) -> str:
    """Pico-dollars as dollars: $12.31, $0.0044; what is not nothing never reads as nothing."""
    if pico == 0:
        return "$0"
    if pico < PICO // 10_000:
        return "<$0.0001"
    cents = pico >= PICO * 99_995 // 100_000  # from where four decimals would read $1.0000
    return f"${pico / PICO:,.2f}" if cents else f"${pico / PICO:.4f}"


def dollars(usd: float) -> str:
    """As `money`, from the dollars that events carry."""
    return money(round(usd * PICO))


def percent(part: float, whole: float) -> str:
    """A share with one decimal; what is neither none nor all never reads so."""
    if not whole:
        return NOTHING
    share = round(100 * part / whole, 9)  # the same of 24.5 of 40 as of 0.6125 of 1
    if 0 < share < 0.1:
        return "<0.1 %"
    if 99.9 < share < 100:
        return ">99.9 %"
    return f"{share:.0f} %" if share in (0, 100) else f"{share:.1f} %"


def duration(seconds: float) -> str:
    """340 ms, 1.2 s, 48 s, 3 min 20 s, 1 h 05 min."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def count(number: int) -> str:
    """987, 12.3k, 272k, 4.5M."""
    if number < 1000:
        return str(number)
    if number < 999_950:
        return f"{number / 1000:.1f}".removesuffix(".0") + "k"
    return f"{number / 1e6:,.1f}".removesuffix(".0") + "M"


def elo(low: float, mid: float, high: float) -> str:
    """+35 [-12, +84]"""
    return f"{signed(mid)} [{signed(low)}, {signed(high)}]"


def elo_text(found: Interval | None) -> str:
    """+35 ±12, or +35 [-12, +84] where one side is wider."""
    if found is None:
        return NOTHING
    if found.low == found.high:
        return signed(found.mid) if round(found.mid) else "0"
    if abs(found.high + found.low - 2 * found.mid) < 1e-6:
        return f"{signed(found.mid)} ±{found.high - found.mid:.0f}"
    return elo(*found)


def rank_text(rank: Rank | None) -> str:
    if rank is None:
        return NOTHING
    return str(rank.low) if rank.low == rank.high else f"{rank.low}–{rank.high}"


def chance_text(chance: float | None) -> str:
    if chance is None:
        return NOTHING
    return ">99 %" if chance > 0.99 else "<1 %" if chance < 0.01 else f"{100 * chance:.0f} %"


def signed(number: float) -> str:
    return f"{round(number) or 0:+d}"


def points(number: float) -> str:
    """A score as it is written in games: 1, ½, 12½; thirds and the like as decimals."""
    whole, half = divmod(number, 1)
    if half == 0:
        return f"{whole:.0f}"
    if half == 0.5:
        return f"{whole:.0f}½" if whole else "½"
    return f"{number:.2f}"


def amount(number: float) -> str:
    """What a game paid, or a mean of it: 124, -3, 96.25."""
    return f"{round(number, 2) + 0.0:.2f}".rstrip("0").rstrip(".")  # + 0.0: no -0


def plural(number: int, noun: str, many: str = "") -> str:
    """1 match, 2 matches."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"
