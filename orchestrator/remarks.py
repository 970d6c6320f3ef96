"""What must be said beside figures, in sentences: of a run from its summary, and of a board of standings.

Who is ahead and whether that is more than chance, what does not count and why, what an interval rests on, and that a
stand-in answered. A terminal prints these and a report quotes them, so that both claim the same. Labels come from
records and may hold anything: they are put on one line here, and made safe by whoever prints them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator import words
from orchestrator.ratings.league import FEW_CLUSTERS, League
from orchestrator.standings import STAND_IN, Board, stood_in

MISFIT = 0.01  # a chi-square less likely than this is told
WRONG = "Wrong: a model's first answers that were no legal move; of all its moves."


# ── a run ────────────────────────────────────────────────────────────────────────────────────────────


def verdict(summary: Mapping[str, Any]) -> str:
    """The result in words; nobody is ahead while the interval holds equality."""
    names = [_one_line(player["label"]) for player in summary["players"]]
    if len(names) > 2:
        return _verdict_of_a_table(summary)
    if summary["elo"] is None:
        return "No pair was completed, so there is no estimate."
    low, mid, high = summary["elo_low"], summary["elo"], summary["elo_high"]
    if mid < 0:
        names.reverse()
        low, mid, high = -high, -mid, -low
    over = f"{words.elo(low, mid, high)} Elo over {words.plural(summary['pairs'], 'pair')}"
    if _repeats(summary):
        over += f" ({summary['pairs'] - _repeats(summary)} different)"
    if low > 0:
        return f"{names[0]} is ahead of {names[1]}: {over}."
    if round(mid) == 0:
        return f"{names[0]} and {names[1]} are level: {over}; too close to call."
    return f"{names[0]} leads {names[1]} by {over}: too close to call."


def _verdict_of_a_table(summary: Mapping[str, Any]) -> str:
    """Of the first and the second: whether their difference, deal by deal, is more than chance."""
    deals, lead = words.plural(summary["pairs"], "deal"), summary["lead"]
    if lead is None:
        few = f"All {deals} are repeats of one" if summary["pairs"] > 1 else f"Only {deals} was completed"
        return f"{few if summary['pairs'] else 'No deal was completed'}, so nothing can be said of who is better."
    first, second = _one_line(lead["first"]), _one_line(lead["second"])
    low, by, high = (f"{100 * lead[name] + 0.0:+.1f}" for name in ("low", "by", "high"))
    over = f"{by} [{low}, {high}] percentage points of score over {deals}"
    if _repeats(summary):
        over += f" ({summary['distinct_pairs']} different)"
    if lead["low"] > 0:
        return f"{first} is ahead of {second}, who is second: {over}."
    if round(lead["by"], 3) == 0:
        return f"{first} and {second} are level: {over}; too close to call."
    return f"{first} leads {second}, who is second, by {over}: too close to call."


def stand_ins(summary: Mapping[str, Any]) -> list[str]:
    """Who was not answered by the model that was asked, but by the stand-in."""
    lines = []
    for player in summary["players"]:
        if fakes := stood_in(player["spec"], player["reported"]):
            label, answered = _one_line(player["label"]), _one_line(", ".join(fakes))
            lines.append(f"STAND-IN: {label} was answered by {answered}: this says nothing about the model.")
    return lines


def remarks(summary: Mapping[str, Any]) -> list[str]:
    """What one must know to read the figures rightly."""
    kind = summary.get("kind")
    lines = _remarks_on_data(summary) if kind == "generate" else _remarks_on_pairs(summary)
    if summary["voids"]:
        voids = words.plural(summary["voids"], "void match", "void matches")
        lines.append(f"{voids} (trouble with a service, nobody's fault): not counted.")
    if summary["possibly_billed_usd"]:
        lost = words.dollars(summary["possibly_billed_usd"])
        lines.append(f"Up to {lost} more may have been billed for attempts that failed after they were sent.")
    for player in summary["players"]:
        if player["unpriced_calls"]:
            lines.append(f"{_one_line(player['label'])} has no price: its cost is not known.")
        lines += _renamed(player)
    if summary["stopped"]:
        lines.append(f"Stopped early: {_one_line(summary['stopped'], 400)}")
    return lines


def _remarks_on_pairs(summary: Mapping[str, Any]) -> list[str]:
    """Which matches count for what; the other kinds say it of each of their lines."""
    if summary.get("kind") in ("ablate", "probe", "tournament"):
        return []
    lines = []
    players = len(summary["players"])
    alone = summary["matches"] - (summary["pairs"] + summary.get("beyond", 0)) * players
    if alone and players > 2:
        left_out = ", not in the scores" if summary["distinct_pairs"] > 1 else ""
        lines.append(
            f"{words.plural(alone, 'match', 'matches')} of unfinished deals: in the table{left_out}."
        )
    elif alone:
        lines.append(
            f"{words.plural(alone, 'match', 'matches')} without a partner: in the table, not in the Elo."
        )
    if repeats := _repeats(summary):
        unit = "pair" if players == 2 else "deal"
        lines.append(
            f"{repeats} of {words.plural(summary['pairs'], unit)} repeat others move by move: the interval "
            f"counts only the {summary['pairs'] - repeats} different; in another run, --opening makes {unit}s differ."
        )
    return lines + _remarks_on_two(summary)


def _remarks_on_two(summary: Mapping[str, Any]) -> list[str]:
    """What the pairs look like, and what a rule to stop by said."""
    lines = []
    if shape := summary.get("shape"):
        counts = " ".join(map(str, shape["counts"]))
        nelo = words.elo(summary["nelo_low"], summary["nelo"], summary["nelo_high"])
        seat = words.elo(shape["seat_low"], shape["seat_elo"], shape["seat_high"])
        gain = "" if shape["gain"] is None else f"; pairing left {shape['gain']:.0%} of the variance"
        name = _one_line(summary["players"][0]["label"])
        lines.append(
            f"{name} in pairs, from 0 to 2 points: {counts}; {shape['draws']:.0%} of matches drawn; nElo {nelo}; the "
            f"better one with {summary['los']:.1%}. The first seat is worth {seat} Elo{gain}."
        )
    if test := summary.get("test"):
        lines.append(_remark_on_a_test(test))
    if beyond := summary.get("beyond"):
        lines.append(f"{words.plural(beyond, 'pair')} beyond where it stopped: in the table, not in the Elo.")
    return lines


UNITS = {"elo": "Elo", "nelo": "nElo"}


def _remark_on_a_test(test: Mapping[str, Any]) -> str:
    if test["rule"] == "until-ci":
        return "The interval may be looked at after every pair: wider than the usual one, and right wherever one stops."
    ratio = f"log-likelihood ratio {test['llr']:+.2f} of {test['llr_low']:+.2f} … {test['llr_high']:+.2f}"
    undecided = "" if test["outcome"] in ("H0", "H1") else ", undecided"
    return (
        f"Test of {test['elo0']:+g} against {test['elo1']:+g} {UNITS[test['unit']]}: {ratio}{undecided}. "
        "A test that stops at a good moment shows too good a score; the Elo is corrected for that (median-unbiased)."
    )


def _remarks_on_data(summary: Mapping[str, Any]) -> list[str]:
    """What there is less of than it seems."""
    if not summary["repeats"]:
        return []
    of = words.plural(summary["matches"], "match", "matches")
    return [
        f"{summary['repeats']} of {of} went move by move as another: in another run, --opening makes them differ."
    ]


def _repeats(summary: Mapping[str, Any]) -> int:
    """How many pairs are exact repeats of others."""
    return int(summary["pairs"] - summary["distinct_pairs"])


def _renamed(player: Mapping[str, Any]) -> list[str]:
    """A service that reports another name may have asked another model; a date added is no other name."""
    asked = player["model"]
    other = [
        name
        for name in player["reported"]
        if not name.startswith(STAND_IN) and asked.rpartition("/")[2] not in name
    ]
    if not asked or not other:
        return []
    label, reported = _one_line(player["label"]), _one_line(", ".join(other))
    return [f"{label} asked for {_one_line(asked)}; the service reported {reported}."]


# ── a board ──────────────────────────────────────────────────────────────────────────────────────────


def notes(board: Board) -> list[str]:
    """What the figures are; and what they are not."""
    return [*legend(board), WRONG, *found(board)]


def legend(board: Board) -> list[str]:
    """What the ratings of a board rest on, and what its columns say."""
    told = _rating_notes(board)
    if board.seats > 2:
        told.append(
            "Score: the share of opponents beaten, ties half; of all finished matches. First: of its matches; a "
            "shared first place by its share."
        )
    if any(line.total.paid < line.total.matches for line in board.lines.values()) and board.seats > 2:
        told.append(
            "Points: without the matches that a forfeit ended, where nobody knows what they would have paid."
        )
    return told


def found(board: Board) -> list[str]:
    """What there is to know of these players beyond their figures."""
    fit = [] if board.league is None else [*_fit_notes(board, board.league), *_gap_notes(board, board.league)]
    return fit + _stand_ins(board)


def leaders(board: Board) -> str:
    """Who is first, if anybody can be called so; empty where there is no rating."""
    rated = [line for line in board.ranked() if line.rank is not None]
    if not rated or rated[0].rank is None:
        return ""
    assert board.league is not None
    island = board.league.island(board.key(rated[0]))
    names = [
        _one_line(line.name)
        for line in rated
        if board.key(line) in island and line.rank is not None and line.rank.low == 1
    ]
    if len(names) == 1:
        return f"{names[0]} is first, beyond chance."
    return f"Nobody is first beyond chance: {', '.join(names[:-1])} and {names[-1]} may all be."


def _rating_notes(board: Board) -> list[str]:
    if board.league is None:
        return ["No pair was completed: no ratings yet."]
    lines, pair = board.lines.values(), "complete pair" if board.seats == 2 else "complete deal"
    pairs = words.plural(len(board.pairs), pair)
    notes = [f"Elo from {_one_line(board.zero)}, with 95 % intervals, from {pairs}."]
    if repeats := len(board.pairs) - len(board.clusters):
        notes.append(
            f"{words.plural(repeats, 'pair' if board.seats == 2 else 'deal')} repeat others (the same seed, or move "
            f"by move): intervals count only the {len(board.clusters)} different."
        )
    if board.unpaired:
        are = "is" if board.unpaired == 1 else "are"
        notes.append(
            f"{words.plural(board.unpaired, 'match', 'matches')} of incomplete pairs {are} not rated."
        )
    if ruled := sum(part.ruled for part in board.parts):
        notes.append(
            f"{words.plural(ruled, 'run')} with a rule to stop by: all pairs count here, which may show too large a "
            "difference; what such a run says itself heeds the rule."
        )
    if board.trackless:
        matches = words.plural(board.trackless, "match", "matches")
        notes.append(
            f"{matches} of players without a track, who are the same on every track, count on each board."
        )
    notes.append("#: between which ranks, all differences judged at once; a gap parts who can be told apart.")
    if len(board.lines) > 2:
        notes.append("> next: the chance of being stronger than the next below.")
    if board.unclean:
        notes.append(
            f"Clean: Elo without the {words.plural(board.unclean, 'match', 'matches')} that saw a forfeit or a "
            "fallback; who often breaks the rules is judged by its better matches there."
        )
    if any(line.provisional for line in lines):
        notes.append(f"* provisional: fewer than {FEW_CLUSTERS} {pair.split()[1]}s.")
    if any(line.adrift for line in lines):
        notes.append("° only won, or only lost: how far off it stands rests on the prior of 500 Elo.")
    return notes


def _fit_notes(board: Board, league: League) -> list[str]:
    """What else the fit found: seats, draws, and whether one number a player is enough."""
    notes = []
    if board.seats == 2:
        first, ties = league.davidson.seat_effect(2, 0), league.davidson.tie_rate
        draws = f" Equals draw {words.percent(ties.mid, 1)} of their matches." if league.ties else ""
        notes.append(f"Moving first is worth {words.elo_text(first)} Elo, wins to losses.{draws}")
    if league.fitness is not None and league.fitness.p < MISFIT:
        notes.append(
            f"One number a player does not explain these results (chi-square {league.fitness.chi_square:.0f}, "
            f"{words.plural(league.fitness.degrees, 'degree')} of freedom): who meets whom matters."
        )
    for ring in league.rings:
        names = [_one_line(board.lines[name].name) for name in (*ring, ring[0])]
        notes.append(f"In a ring, beyond chance: {' beats '.join(names)}.")
    return notes


def _gap_notes(board: Board, league: League) -> list[str]:
    notes = []
    for island in league.islands[1:]:
        names = ", ".join(_one_line(board.lines[name].name) for name in island)
        notes.append(
            f"Never met the others, not even by way of others; their Elo is from their own mean: {names}."
        )
    return notes


def _stand_ins(board: Board) -> list[str]:
    return [
        f"STAND-IN: {_one_line(line.name)} was answered by {_one_line(', '.join(fakes))}."
        for line in board.ranked()
        if (fakes := stood_in(line.player.spec, line.total.reported))
    ]


def _one_line(foreign: str, limit: int = 4096) -> str:
    told = " ".join(foreign.split())
    return told if len(told) <= limit else told[: limit - 1] + "…"
