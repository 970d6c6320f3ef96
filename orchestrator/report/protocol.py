"""How play kept to the rules, and what asking took: legality, forfeits, voids, failed calls, latency, tokens.

A player that plays well but cannot name its move is told from one that plays badly: legal at the first answer, after
being asked again, and what came of it where not. The kind of fault is on record for decisions that ended so; of wrong
answers that were put right only how many there were. Voids are nobody's fault and say nothing of a player.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.ratings.quality import ratio
from orchestrator.record.reading import driver, reading
from orchestrator.report.results import name
from orchestrator.report.section import Column, Estimated, Run, Section, Table, Value, told_apart
from orchestrator.report.tallied import Tallied, of_board, tallies
from orchestrator.standings import Board, Line, boards_of
from orchestrator.words import percent

LEGALITY = (
    Column("player"), Column("board"), Column("decisions", "count"), Column("legal at first", "share"),
    Column("after help", "share"), Column("wrong answers", "count"), Column("fallbacks", "count"),
    Column("forfeits", "count"),
)  # fmt: skip
FAULTS = (
    Column("player"), Column("board"), Column("fault"), Column("fallbacks", "count"), Column("forfeits", "count"),
)  # fmt: skip
VOIDS = (Column("run"), Column("reason"), Column("matches", "count"))
CALLS = (Column("run"), Column("player"), Column("kind"), Column("calls", "count"))
ASKING = (
    Column("player"), Column("board"), Column("calls", "count"), Column("failed", "count"),
    Column("median", "seconds"), Column("95 % in", "seconds"), Column("tokens in/match", "number"),
    Column("of these cached", "share"), Column("tokens out/match", "number"), Column("of these thinking", "share"),
)  # fmt: skip

FAILED = "SELECT player, kind, count(*) FROM call WHERE kind != 'ok' GROUP BY player, kind ORDER BY player, 3 DESC, 2"
FELL_BACK = "SELECT match, player, fault FROM decision WHERE outcome = 'fallback'"
UNDECIDED = "sent"  # the kind of a call that is not back


def sections(runs: Sequence[Run]) -> list[Section]:
    """One, of runs in which a model was asked or a match was void; none of others."""
    boards = boards_of(run.result for run in runs)
    tallied, fell_back = tallies(runs), _fallbacks(runs)
    legality: list[list[Value]] = []
    faults: list[list[Value]] = []
    asking: list[list[Value]] = []
    says: list[str] = []
    for board in boards:
        of, chance = of_board(board, tallied), _by_player(board, fell_back)
        for line in board.ranked():
            if line.total.asked:
                legality.append(_legality(board, line, of[board.key(line)]))
                asking.append(_asking(board, line))
            faults += _faults(board, line, chance[board.key(line)])
        says += _says(board)
    failed, voids = (
        [row for run in runs for row in _failed(run)],
        [row for run in runs for row in _voids(run)],
    )
    tables = [
        told_apart(
            Table("legality", "Legal moves", LEGALITY, legality, LEGALITY_NOTES), "board", len(boards)
        ),
        told_apart(Table("faults", "Faults", FAULTS, faults, FAULT_NOTES), "board", len(boards)),
        told_apart(Table("asking", "What asking took", ASKING, asking, ASKING_NOTES), "board", len(boards)),
        told_apart(Table("calls", "Calls that failed", CALLS, failed, CALL_NOTES), "run", len(runs)),
        told_apart(Table("voids", "Void matches", VOIDS, voids, VOID_NOTES), "run", len(runs)),
    ]
    tables = [table for table in tables if table.rows]
    return [Section("protocol", "Rules kept, and what asking took", says, tables)] if tables else []


LEGALITY_NOTES = (
    "Of a model's decisions: those whose first answer was a legal move, with a 95 % interval by pairs; and those for "
    "which it named one in the end, asked again where that is allowed.",
)
FAULT_NOTES = (
    "Of decisions in which no legal move was named: chance moved for the player (fallback), or the match was lost "
    "(forfeit); by the fault of the last answer.",
)
ASKING_NOTES = (
    "Times are to a decision, of the attempts that succeeded; tokens are of all attempts, void matches too. Calls in a "
    "batch say nothing of time.",
)
CALL_NOTES = (f"By the kind of the failure; {UNDECIDED}: not back when the record was read.",)
VOID_NOTES = ("Nobody's fault, played again where that was allowed, and no part of any result.",)


def _says(board: Board) -> Iterator[str]:
    for line in board.ranked():
        total = line.total
        if total.forfeits:
            kinds = ", ".join(f"{kind} {count}" for kind, count in total.faults.most_common())
            share = percent(total.forfeits, total.matches)
            yield f"{line.name} forfeited {share} of its matches of {board.title}: {kinds}."


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────


def _legality(board: Board, line: Line, tallied: Sequence[Tallied]) -> list[Value]:
    total = line.total
    first: Value = 1 - total.wrong_first / total.asked
    if any(each.row.asked for each in tallied):
        clusters = [each.cluster for each in tallied for _ in range(each.row.asked)]
        parts = [float(k < each.row.wrong_first) for each in tallied for k in range(each.row.asked)]
        wrong = ratio(clusters, parts, [1.0] * len(parts))
        first = Estimated(1 - wrong.high, 1 - wrong.mean, 1 - wrong.low)
    ended = total.fallbacks + total.forfeits
    return [
        line.name, board.title, total.asked, first, max(0.0, 1 - ended / total.asked), total.illegal,
        total.fallbacks, total.forfeits,
    ]  # fmt: skip


def _faults(board: Board, line: Line, fallbacks: Counter[str]) -> list[list[Value]]:
    forfeits = line.total.faults
    kinds = sorted({*forfeits, *fallbacks}, key=lambda kind: (-forfeits[kind] - fallbacks[kind], kind))
    return [[line.name, board.title, kind, fallbacks[kind], forfeits[kind]] for kind in kinds]


def _by_player(board: Board, fell_back: Mapping[str, Sequence[tuple[int, str]]]) -> dict[str, Counter[str]]:
    """How often chance moved for each player of the board, by the fault."""
    found: dict[str, Counter[str]] = {key: Counter() for key in board.lines}
    for part in board.parts:
        for match in part.played.matches:
            for player, fault in fell_back.get(match.id, ()):
                found[part.names[player]][fault] += 1
    return found


def _fallbacks(runs: Sequence[Run]) -> dict[str, list[tuple[int, str]]]:
    """By match: for whom chance moved, and after what fault."""
    found: dict[str, list[tuple[int, str]]] = {}
    for run in runs:
        if any(standing.fallbacks for standing in run.result.standings):
            with reading(run.result.path) as session:
                for match, player, fault in driver(session).execute(FELL_BACK):
                    found.setdefault(match, []).append((player, fault.partition(":")[0]))
    return found


def _asking(board: Board, line: Line) -> list[Value]:
    total = line.total
    middle, slow = total.latency_ms(0.5, 0.95)
    matches = max(1, total.matches)
    return [
        line.name, board.title, total.calls, total.failed_calls,
        None if middle is None else middle / 1000, None if slow is None else slow / 1000,
        total.input_tokens / matches, total.cached_tokens / total.input_tokens if total.input_tokens else None,
        total.output_tokens / matches, total.reasoning_tokens / total.output_tokens if total.output_tokens else None,
    ]  # fmt: skip


def _failed(run: Run) -> list[list[Value]]:
    if not any(standing.failed_calls for standing in run.result.standings):
        return []
    labels = {standing.player.id: standing.player.label for standing in run.result.standings}
    with reading(run.result.path) as session:
        return [
            [name(run), labels[player], kind, many] for player, kind, many in driver(session).execute(FAILED)
        ]


def _voids(run: Run) -> list[list[Value]]:
    reasons = Counter(match.reason for match in run.result.matches if match.status == "void")
    return [[name(run), reason, many] for reason, many in reasons.most_common()]
