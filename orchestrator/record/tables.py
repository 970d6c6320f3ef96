"""The tables of `record.db`, as SQLModel classes: the schema, and what reads come back as.

Writes do not go through these objects (see `writer.py`): plain inserts into the same tables cost a
twentieth of a session. Money is integer pico-dollars (`*_pico`), times are Unix seconds, long texts are
numbers of rows of `blob` (`*_blob`). Ids are short, sort in playing order and are safe in a path:

    run  r1ng05demo00    match  r1ng05demo00-0007a    decision  …-0007a-012    call  …-0007a-012.00.01

An id begins with the id of what it belongs to: which match a decision is of, and which decision a call is of,
are columns that SQLite reads off the id, and all that belongs to one is a range of ids (`of_match`), so that
neither is stored again nor has an index of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy import JSON, Column, Computed, LargeBinary, String
from sqlmodel import Field, SQLModel

SCHEMA_VERSION = 3

BY_KEY = {
    "sqlite_with_rowid": False
}  # rows stand in the index of the key: short ones, where it would be a copy

DIGITS = "0123456789"
MATCH_OF_DECISION = f"rtrim(rtrim(id, '{DIGITS}'), '-')"
DECISION_OF_CALL = f"rtrim(rtrim(rtrim(rtrim(id, '{DIGITS}'), '.'), '{DIGITS}'), '.')"


class Meta(SQLModel, table=True):
    __tablename__: ClassVar[str] = "meta"
    key: str = Field(primary_key=True)
    value: str


class Run(SQLModel, table=True):
    """One invocation of a command. `request` is everything that was asked, so that it can go on alone."""

    __tablename__: ClassVar[str] = "run"
    id: str = Field(primary_key=True)
    kind: str
    status: str  # running finished incomplete stopped failed
    reason: str = ""
    seed: int
    request: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    version: str
    budget_pico: int | None = None
    created: float
    finished: float | None = None


class Player(SQLModel, table=True):
    """Whoever chooses. `hash` covers everything that changes how it plays: spec, style, track, policy."""

    __tablename__: ClassVar[str] = "player"
    id: int = Field(primary_key=True)
    spec: str
    label: str
    kind: str
    provider: str = ""
    model: str = ""
    style: str = ""
    track: str = ""
    parameters: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    hash: str = Field(index=True)  # not unique: a player may play against itself


class Match(SQLModel, table=True):
    """One play of a game. `replay` counts up when a void match is played again; `opening` nobody chose.

    `went` is equal for finished matches that began in one position and went alike, move by move.
    """

    __tablename__: ClassVar[str] = "match"
    id: str = Field(primary_key=True)
    run: str = Field(foreign_key="run.id")
    pair: int
    swap: int
    replay: int
    seed: int
    game: str
    variant: dict[str, int] = Field(sa_column=Column(JSON, nullable=False))
    opening: list[int] = Field(sa_column=Column(JSON, nullable=False))
    status: str  # running finished void stopped; a match that waits has no row yet
    reason: str = ""
    plies: int = 0
    started: float | None = None
    finished: float | None = None
    went: bytes | None = Field(default=None, sa_column=Column(LargeBinary))


class Seat(SQLModel, table=True):
    """Who sat where and what came of it: empty until the match is finished."""

    __tablename__: ClassVar[str] = "seat"
    __table_args__: ClassVar[Mapping[str, Any]] = BY_KEY
    match: str = Field(primary_key=True, foreign_key="match.id")
    seat: int = Field(primary_key=True)
    player: int = Field(foreign_key="player.id")
    score: float | None = None  # the share of opponents beaten, ties half: between two 1, 0.5 or 0
    outcome: str | None = None  # win: first, alone; draw: first, with others; loss
    rank: int | None = None  # 1 + how many did better
    forfeit: str = ""
    points: float | None = None  # what the game paid; null where a forfeit kept it from its end


class Tally(SQLModel, table=True):
    """What a player's part in a match that is over came to: sums over its decisions and calls, made when it ends.

    Standings over a million decisions are read from these. Of a match that is still open there is none.
    `latencies` has the time of each of a model's decisions: little-endian 32-bit tenths of a millisecond.
    """

    __tablename__: ClassVar[str] = "tally"
    __table_args__: ClassVar[Mapping[str, Any]] = BY_KEY
    match: str = Field(primary_key=True, foreign_key="match.id")
    player: int = Field(primary_key=True, foreign_key="player.id")
    decisions: int = 0
    illegal: int = 0  # answers that were not a legal move
    wrong_first: int = 0  # a model's decisions whose first answer was no move
    fallbacks: int = 0
    calls: int = 0
    failed_calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_pico: int = 0
    possibly_pico: int = 0  # at worst: of attempts that may have been billed, and of answers without a price
    unpriced_calls: int = 0
    reported: list[str] = Field(sa_column=Column(JSON, nullable=False))  # models as the service named them
    latencies: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Decision(SQLModel, table=True):
    """One choice at one ply, with everything that led to it. `action` is null where the player forfeited.

    What was said on the way to it, reasoning too, is with its calls.
    """

    __tablename__: ClassVar[str] = "decision"
    id: str = Field(primary_key=True)
    match: str = Field(sa_column=Column(String, Computed(MATCH_OF_DECISION, persisted=False)))
    ply: int
    seat: int
    player: int = Field(foreign_key="player.id")
    action: int | None = None
    action_text: str = ""
    legal: list[int] = Field(sa_column=Column(JSON, nullable=False))
    mode: str  # json decision text; bot or human where no model was asked
    outcome: str  # ok; reasked: more than one answer was needed; fallback; forfeit
    fault: str = ""  # why it was a fallback or a forfeit
    illegal: int = 0  # answers that were not a legal move
    rationale: str = ""
    forecast: float | None = None
    probabilities: dict[str, float] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    state: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    system_blob: int | None = Field(default=None, foreign_key="blob.id")
    user_blob: int | None = Field(default=None, foreign_key="blob.id")
    style_sha: str = ""
    latency_ms: float = 0.0  # of the attempts that succeeded: what counts against a clock
    cost_pico: int = 0
    decided: float


class Call(SQLModel, table=True):
    """One HTTP attempt, failed ones too; of kind `sent` until it is back.

    `texts_blob` has three texts: the reasoning, the response and the request, these two as they were on the
    wire. `answer`, `finish`, the reasoning and the `probabilities` of a native decision, by the number of the choice,
    are what an interrupted decision goes on from.
    """

    __tablename__: ClassVar[str] = "call"
    id: str = Field(primary_key=True)
    decision: str = Field(sa_column=Column(String, Computed(DECISION_OF_CALL, persisted=False)))
    player: int = Field(foreign_key="player.id")
    ask: int
    attempt: int
    kind: str  # sent ok, or the error's kind
    http_status: int | None = None
    request_id: str = ""
    model_reported: str = ""
    tier: str = "standard"
    input_fresh: int = 0
    cache_read: int = 0
    cache_write_short: int = 0
    cache_write_long: int = 0
    output: int = 0
    reasoning: int = 0
    cost_pico: int = 0
    price: str | None = Field(default=None, foreign_key="price.id")
    possibly_billed: bool = False
    latency_ms: float = 0.0
    started: float
    answer: str | None = None
    finish: str = ""
    finish_detail: str = ""
    reasoning_kind: str = "none"
    probabilities: dict[str, float] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    texts_blob: int | None = Field(default=None, foreign_key="blob.id")
    error: str = ""


class Wave(SQLModel, table=True):
    """Calls that were handed to a service together. Their rows say `sent` until the wave's results are in.

    `batch` is the service's own id, empty while that is not known: a crash may have come between.
    """

    __tablename__: ClassVar[str] = "wave"
    id: str = Field(primary_key=True)  # run id, -w, number, player: r1ng05demo00-w0007.1
    run: str = Field(foreign_key="run.id")
    number: int  # among this player's, from 1; what one batch cannot take is several waves
    player: int = Field(foreign_key="player.id")
    batch: str = ""
    status: str  # submitting open closed
    calls: int
    calls_blob: int = Field(foreign_key="blob.id")  # their ids, one a line
    error: str = ""  # why it was refused whole, or never arrived: its calls cost nothing
    submitted: float
    closed: float | None = None


class Grade(SQLModel, table=True):
    """What each legal action of a decision was worth to whoever chose, as far as its method can tell.

    A decision has one: where it is graded by a better method, that replaces it.
    """

    __tablename__: ClassVar[str] = "grade"
    decision: str = Field(primary_key=True, foreign_key="decision.id")
    method: str  # solver:connect4, shares:10000?c=1.4, ...: as the engine names it
    exact: bool
    worth: list[float] = Field(sa_column=Column(JSON, nullable=False))  # -1 to 1, in the order of `legal`
    best: list[int] = Field(sa_column=Column(JSON, nullable=False))  # the actions that nothing beats
    regret: float | None = None  # best value less that of what was played, 0 to 2; null for a forfeit
    visits: list[int] | None = Field(
        default=None, sa_column=Column(JSON(none_as_null=True))
    )  # null where exact
    seconds: float  # of a processor, for the position, which other decisions may share


class Blob(SQLModel, table=True):
    """Texts that belong together, compressed, if there is a `base` with that one as dictionary: see `blobs.py`."""

    __tablename__: ClassVar[str] = "blob"
    id: int = Field(primary_key=True)
    base: int | None = Field(default=None, foreign_key="blob.id")
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Price(SQLModel, table=True):
    """The numbers that calls were billed by (pico-dollars per token): those of the day the run began."""

    __tablename__: ClassVar[str] = "price"
    id: str = Field(primary_key=True)
    provider: str
    model: str
    tier: str
    numbers: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    source: str
    dated: str


OVER = ("finished", "void")
"""The statuses of matches that are over: nothing more is decided, asked or billed in them."""


def of_match(part: str, match: str) -> str:
    """SQL: the id `part` is that of a decision or a call of `match`. A range, which the primary key finds."""
    return f"{part} >= {match} || '-' AND {part} < {match} || '.'"


def of_decision(call: str, decision: str) -> str:
    """SQL: `call` is the id of a call of `decision`, likewise."""
    return f"{call} >= {decision} || '.' AND {call} < {decision} || '/'"


VIEWS: Mapping[str, str] = {
    "v_seat": """
    SELECT s.match, m.game, m.pair, m.swap, m.status, s.seat, p.label AS player,
           s.score, s.rank, s.points, s.outcome, s.forfeit
    FROM seat s JOIN match m ON m.id = s.match JOIN player p ON p.id = s.player
    """,
    "v_match": """
    SELECT m.id AS match, m.run, m.game, m.pair, m.swap, m.replay, m.status, m.reason, m.plies,
           s.players, s.scores, s.points, s.first, s.forfeit,
           c.sure / 1e12 AS cost_usd, c.possible / 1e12 AS possibly_usd,
           datetime(m.started, 'unixepoch') AS started, m.finished - m.started AS seconds
    FROM match m
    LEFT JOIN (
        SELECT match, group_concat(player, ' – ') AS players, group_concat(round(score, 3), ' – ') AS scores,
               group_concat(points, ' – ') AS points, group_concat(iif(rank = 1, player, NULL), ' – ') AS first,
               group_concat(iif(forfeit = '', NULL, player || ': ' || forfeit), ' – ') AS forfeit
        FROM (SELECT * FROM v_seat ORDER BY match, seat) GROUP BY match
    ) s ON s.match = m.id
    LEFT JOIN (
        SELECT rtrim(rtrim(decision, '0123456789'), '-') AS match,
               sum(iif(possibly_billed, 0, cost_pico)) AS sure, sum(iif(possibly_billed, cost_pico, 0)) AS possible
        FROM call GROUP BY 1
    ) c ON c.match = m.id
    """,
    "v_decision": f"""
    SELECT d.id AS decision, d.match, m.game, d.ply, d.seat, p.label AS player, d.action_text AS move,
           d.outcome, d.illegal, d.rationale, d.latency_ms, d.cost_pico / 1e12 AS cost_usd,
           (SELECT count(*) FROM call c WHERE {of_decision("c.id", "d.id")}) AS calls
    FROM decision d JOIN match m ON m.id = d.match JOIN player p ON p.id = d.player
    """,
}
