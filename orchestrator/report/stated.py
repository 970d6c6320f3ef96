"""Whether what models wrote before a move is about the move that they made, per player and game.

Rationales and reasoning are judged apart, and players are joined over runs by their hash, never what the stand-in
answered with what a model answered, and never across games or variants. Texts in the examples are models' own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.record.tables import Player
from orchestrator.report.section import Column, Estimated, Run, Section, Table, Value
from orchestrator.standings import asked_alike, games_of, names, stood_in
from orchestrator.stated import SOURCES, Figures, Judged, Outcome, Source, figures, verdicts

COLUMNS = (
    Column("player"), Column("board"), Column("text"), Column("texts", "count"), Column("commit", "count"),
    Column("agree", "count"), Column("differ", "count"), Column("differing", "share"), Column("silent", "count"),
    Column("regret differing", "number"), Column("regret agreeing", "number"),
)  # fmt: skip
NOTES = (
    "A text commits where it announces, recommends or concludes on a move; it differs where that is not the move "
    "played. The share is of those that commit, with a 95 % interval by matches.",
    "Silent are texts that name no move, weigh several without a conclusion, or contradict themselves: in doubt "
    "nobody is accused, so the share of mismatches is rather too low than too high.",
    "What the check cannot see: an argument that fits another move but names none, a line of play that the move does "
    "not follow, languages other than English and plain German, reasoning that the service does not show.",
    "Of reasoning only the end counts. Regret is the mean of graded decisions: best value less that of the move "
    "played, 0 to 2.",
)
EXAMPLES = (
    Column("player"), Column("board"), Column("match"), Column("move", "count"), Column("text"), Column("named"),
    Column("played"), Column("what it says"),
)  # fmt: skip
EXAMPLE_NOTES = ("The first of each player and board; `orchestrator show MATCH` marks them all.",)
SHOWN = 3  # examples of a player on a board
QUOTED = 160  # characters of an example
NAMED = 24


@dataclass(slots=True)
class Line:
    """One player on one board."""

    board: str
    player: Player
    stand_in: bool
    name: str = ""
    outcomes: dict[Source, list[Outcome]] = field(default_factory=lambda: {source: [] for source in SOURCES})
    examples: list[Judged] = field(default_factory=list)


def sections(runs: Sequence[Run]) -> list[Section]:
    """One, of runs in which a model wrote something with its moves; none of others."""
    lines, unreadable = _lines(runs)
    told = [(line, source, found) for line in lines for source, found in _told(line)]
    if not told:
        return []
    notes = [*NOTES]
    if unreadable:
        notes.append(
            f"{unreadable:,} decisions cannot be judged: their game, or its rules then, is not known here."
        )
    tables = [Table("stated", "Moves stated and played", COLUMNS, [_row(*each) for each in told], notes)]
    examples = [_example(line, judged) for line in lines for judged in line.examples]
    if examples:
        tables.append(
            Table("stated_examples", "Said one move, played another", EXAMPLES, examples, EXAMPLE_NOTES)
        )
    says = [said for each in told if (said := _says(*each))]
    return [Section("stated", "Stated against played", says, tables)]


def _lines(runs: Sequence[Run]) -> tuple[list[Line], int]:
    """Every player of every board, sorted, and how many decisions could not be read."""
    lines: dict[tuple[str, str, str, bool], Line] = {}
    unreadable = 0
    for run in runs:
        players = {standing.player.id: standing for standing in run.result.standings}
        games = games_of(run.result.run)
        for judged in verdicts(run.path):
            if not judged.readable:
                unreadable += 1
                continue
            standing = players[judged.player]
            fake = bool(stood_in(standing.player.spec, standing.reported))
            played = judged.game, json.loads(judged.variant)
            alike = asked_alike(standing.player, games.index(played) if played in games else None)
            key = judged.game, judged.variant, alike, fake
            if key not in lines:
                lines[key] = Line(_board(judged), standing.player, fake)
            _add(lines[key], judged)
    for board in {line.board for line in lines.values()}:
        there = [line for line in lines.values() if line.board == board]
        for line, name in zip(there, names([(each.player, each.stand_in) for each in there]), strict=True):
            line.name = name
    found = sorted(lines.values(), key=lambda line: (line.board, line.name))
    return found, unreadable


def _add(line: Line, judged: Judged) -> None:
    for source in SOURCES:
        if (outcome := judged.outcome(source)) is not None:
            line.outcomes[source].append(outcome)
    if judged.differs and len(line.examples) < SHOWN:
        line.examples.append(judged)


def _board(judged: Judged) -> str:
    variant: Mapping[str, int] = json.loads(judged.variant)
    return judged.game + "".join(f" {key}={value}" for key, value in sorted(variant.items()))


def _told(line: Line) -> Iterator[tuple[Source, Figures]]:
    for source in SOURCES:
        if (found := figures(line.outcomes[source])) is not None:
            yield source, found


def _row(line: Line, source: Source, found: Figures) -> list[Value]:
    rate = found.rate and Estimated(*found.rate)
    return [
        line.name, line.board, source, found.texts, found.committed, found.agreeing, found.differing, rate,
        found.silent, found.regret, found.regret_agreeing,
    ]  # fmt: skip


def _says(line: Line, source: Source, found: Figures) -> str:
    """Of whoever's texts differ at all."""
    if not found.differing or found.rate is None:
        return ""
    rate = found.rate
    return (
        f"{line.name} names another move than it plays in {found.differing:,} of {found.committed:,} texts that "
        f"commit to one ({100 * rate.mean:.1f} %, 95 % interval {100 * rate.low:.1f} to {100 * rate.high:.1f} %; "
        f"{source}, {line.board})."
    )


def _example(line: Line, judged: Judged) -> list[Value]:
    source: Source = "rationale" if judged.verdict("rationale") == "differs" else "reasoning"
    told = judged.said(source)
    assert told is not None
    quote, named = _plain(told.quote, QUOTED), _plain(told.named, NAMED)
    return [line.name, line.board, judged.match, judged.ply + 1, source, named, judged.text, quote]


def _plain(text: str, most: int) -> str:
    """On one line, with nothing invisible in it, and cut."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"
