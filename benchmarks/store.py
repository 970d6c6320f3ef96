"""What keeping a record costs: rows a second, time until they are durable, bytes on disk; how fast it is read.

    python -m benchmarks.store [--tasks 500] [--decisions 40000] [--rate 5000] [--read 1000000]

Writing: five hundred tasks put what a decision of a model leaves (its call as it leaves and as it is back, the
prompts, the decision) through the real journal rows, and wait before the call "leaves" until that is durable.
Nothing else happens in the loop. Tasks that go on as soon as they can wait for each other: 500 of them at 6,000/s
for 83 ms, by Little's law, however fast a commit is. So the first row has a steady load: each task's decisions
are due at fixed times, and its wait counts from then. The prompts are those of a real match of Connect 4, the
bodies those that the Anthropic SDK sends and gets, with 1500 characters of English prose (Python's own
documentation, a different piece each time) as reasoning: harder to compress than what models write, who repeat
themselves.

Reading: standings over that many decisions, made up with the tallies that the writer would have left.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

SHORT = 60
PROSE = 1500
PLIES = 40


class Load(NamedTuple):
    """`tasks` play a match after the other, `decisions` in all, and think about `prose` characters each time.

    Each call is out for about `pause_s`; with a `rate` (decisions a second, of all) it leaves when it is due.
    """

    tasks: int
    decisions: int
    prose: int
    pause_s: float = 0.0
    rate: float = 0.0


class Written(NamedTuple):
    decisions: int
    wall_s: float
    cpu_s: float
    waits_s: Sequence[float]
    bytes: int

    @property
    def rate(self) -> float:
        return self.decisions / self.wall_s

    @property
    def p99_ms(self) -> float:
        return 1000 * sorted(self.waits_s)[int(0.99 * len(self.waits_s))]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--decisions", type=int, default=40_000)
    parser.add_argument("--rate", type=int, default=5000, help="of the steady load, decisions a second")
    parser.add_argument("--read", type=int, default=1_000_000)
    asked = parser.parse_args()
    print(tables(asked.tasks, asked.decisions, asked.rate, asked.read))


def tables(tasks: int = 500, decisions: int = 40_000, rate: int = 5000, read: int = 1_000_000) -> str:
    """Markdown."""
    lines = [
        f"| {tasks} tasks, {decisions:,} decisions with a call each | decisions/s | CPU µs | durable p50 ms "
        "| p99 ms | bytes |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, load in (
        (f"short thoughts ({SHORT} characters), {rate:,}/s", Load(tasks, decisions, SHORT, rate=rate)),
        ("short thoughts, as fast as it goes", Load(tasks, decisions, SHORT)),
        (f"{PROSE} characters of prose, as fast as it goes", Load(tasks, decisions, PROSE)),
        (f"{PROSE} characters, a model that takes 0.2 s", Load(tasks, decisions, PROSE, pause_s=0.2)),
    ):
        with tempfile.TemporaryDirectory() as directory:
            made = asyncio.run(write(Path(directory), load))
        lines.append(
            f"| {name} | {made.rate:,.0f} | {1e6 * made.cpu_s / made.decisions:.0f} "
            f"| {1000 * median(made.waits_s):.0f} | {made.p99_ms:.0f} | {made.bytes / made.decisions:,.0f} |"
        )
    lines += ["| goal | ≥ 5,000 | ≤ 60 | | ≤ 100 | ≤ 800 |", ""]
    with tempfile.TemporaryDirectory() as directory:
        lines += [f"| {read:,} decisions | seconds | goal |", "| --- | --- | --- |"]
        for name, took in read_back(Path(directory), read):
            lines.append(f"| {name} | {took:.2f} | ≤ 1 |")
    return "\n".join(lines) + "\n"


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────


class Words(NamedTuple):
    """What one decision says."""

    system: str
    user: str
    state: bytes
    legal: list[int]
    thoughts: str
    answer: str
    request: str
    response: str


def words(count: int, prose: int) -> list[Words]:
    """What `count` decisions of matches of Connect 4 say: made before the clock runs."""
    import engine
    import prompts

    dice = random.Random(1)
    english = _prose()
    made: list[Words] = []
    while len(made) < count:
        game = engine.new("connect4", 1)
        while not game.is_terminal() and len(made) < count:
            question = prompts.render(game.view(game.current_player()))
            begin = dice.randrange(len(english) - 2 * prose)
            thoughts = english[begin : begin + dice.randrange(prose // 2, prose + prose // 2)]
            legal = game.legal_actions()
            action = dice.choice(legal)
            answer = json.dumps({"rationale": f"I play column {action + 1}.", "action": action})
            texts = question.system, question.user, dict(question.schema)
            made.append(
                Words(
                    question.system,
                    question.user,
                    game.to_bytes(),
                    legal,
                    thoughts,
                    answer,
                    _request(*texts),
                    _response(dice, thoughts, answer),
                )
            )
            game.apply(action)
    return made


def _prose() -> str:
    from pydoc_data.topics import topics

    return " ".join(" ".join(text.split()) for text in topics.values())


def _request(system: str, user: str, schema: dict[str, Any]) -> str:
    """As the Anthropic SDK puts it on the wire."""
    body = {
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": user}],
        "model": "claude-haiku-5-5",
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": schema}},
        "service_tier": "standard_only",
        "system": [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}],
        "thinking": {"type": "adaptive", "display": "summarized"},
    }
    return json.dumps(body, separators=(",", ":"))


def _response(dice: random.Random, thoughts: str, answer: str) -> str:
    """As the service answers; the thinking is signed."""
    usage = {"input_tokens": 495, "cache_read_input_tokens": 0, "output_tokens": len(thoughts) // 4}
    body = {
        "id": f"msg_01{dice.randbytes(9).hex()}",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-5-5",
        "content": [
            {"type": "thinking", "thinking": thoughts, "signature": dice.randbytes(12).hex()},
            {"type": "text", "text": answer},
        ],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {**usage, "service_tier": "standard"},
    }
    return json.dumps(body, separators=(",", ":"))


async def write(directory: Path, load: Load) -> Written:
    """Put what so many decisions leave, and how long that took."""
    from orchestrator.record.store import RECORD_FILE, Record

    said = words(load.decisions, load.prose)
    with Record(directory) as record:
        put_run(record)
        record.flush()
        matches = itertools.count() if load.rate else iter(range(-(-load.decisions // PLIES)))
        cpu, wall = time.process_time(), time.perf_counter()
        tasks = [Task(record, load, number) for number in range(load.tasks)]
        await asyncio.gather(*(task.play(matches, said) for task in tasks))
        await record.durable()
        took = time.process_time() - cpu, time.perf_counter() - wall
    waits = [wait for task in tasks for wait in task.waits]
    return Written(len(waits), took[1], took[0], waits, (directory / RECORD_FILE).stat().st_size)


class Task:
    """Plays its matches. With a rate the tasks are as if they had been at it for long: each elsewhere in its match."""

    def __init__(self, record: Any, load: Load, number: int) -> None:
        self.waits: list[float] = []
        self._record, self._load = record, load
        self._dice = random.Random(number)
        self._due = time.perf_counter()
        self._every = load.tasks / load.rate if load.rate else 0.0
        self._until = self._due + load.decisions / load.rate if load.rate else math.inf
        self._skip = number * PLIES // load.tasks if load.rate else 0
        self._due += self._every * self._dice.random()

    async def play(self, matches: Iterator[int], said: Sequence[Words]) -> None:
        for number in matches:
            if self._due >= self._until:
                return
            first = number * PLIES % len(said)
            await self._match(number, said[first : first + PLIES])

    async def _match(self, number: int, said: Sequence[Words]) -> None:
        record, name = self._record, match_id(number)
        put_match(record, name, number, "running", [])
        for ply, each in list(enumerate(said))[self._skip :]:
            began = await self._turn()
            if began > self._until:
                return
            put_call(record, name, ply, None)
            await record.durable()
            self.waits.append(time.perf_counter() - began)
            if self._load.pause_s:
                await asyncio.sleep(self._load.pause_s * self._dice.uniform(0.5, 1.5))
            put_call(record, name, ply, each)
            put_decision(record, name, ply, each)
        self._skip = 0
        put_match(record, name, number, "finished", [1.0, 0.0])

    async def _turn(self) -> float:
        """When the next decision is due: now, or at its time."""
        if not self._every:
            return time.perf_counter()
        due, self._due = self._due, self._due + self._every
        if (left := due - time.perf_counter()) > 0:
            await asyncio.sleep(left)
        return due


def match_id(number: int) -> str:
    return f"r1ng05demo00-{number // 2 + 1:04d}{'ab'[number % 2]}"


def put_run(record: Any) -> None:
    from orchestrator.record import tables

    asked = {"game": "connect4", "variant": {}, "pairs": 1}
    run = tables.Run(
        id="r1ng05demo00", kind="duel", status="running", seed=1, request=asked, version="1", created=0.0
    )
    players = [
        tables.Player(id=n, spec=f"sim:{n}", label=f"sim:{n}", kind="sim", parameters={}, hash=f"hash{n}")
        for n in (1, 2)
    ]
    record.put(run, *players)


def put_match(record: Any, name: str, number: int, status: str, scores: Sequence[float]) -> None:
    from orchestrator.record import tables

    match = tables.Match(
        id=name,
        run="r1ng05demo00",
        pair=number // 2,
        swap=number % 2,
        replay=0,
        seed=number // 2,
        game="connect4",
        variant={},
        opening=[],
        status=status,
        plies=PLIES,
        started=0.0,
    )
    players = (2, 1) if number % 2 else (1, 2)
    seats = [tables.Seat(match=name, seat=seat, player=player) for seat, player in enumerate(players)]
    for seat, score in zip(seats, scores, strict=False):
        seat.score, seat.outcome, seat.rank = score, "win" if score else "loss", 1 if score else 2
    record.put(match, *seats)


def put_call(record: Any, match: str, ply: int, said: Words | None) -> None:
    """As the journal does: once as the call leaves and once as it is back."""
    from orchestrator.record import tables
    from orchestrator.record.store import call_id, decision_id

    decision, player = decision_id(match, ply), 1 + ply % 2
    texts = (said.thoughts, said.response, said.request) if said else ()
    record.put_columns(
        tables.Call,
        id=call_id(decision, 0, 1),
        decision=decision,
        player=player,
        ask=0,
        attempt=1,
        kind="ok" if said else "sent",
        http_status=200 if said else None,
        request_id=f"req_011CS{hash(decision) & 0xFFFFFFFFFFFF:x}" if said else "",
        model_reported="claude-haiku-5-5" if said else "",
        tier="standard",
        input_fresh=495 if said else 0,
        cache_read=0,
        cache_write_short=0,
        cache_write_long=0,
        output=400 if said else 0,
        reasoning=300 if said else 0,
        cost_pico=2_495_000_000,
        price="0123456789abcdef",
        possibly_billed=said is None,
        latency_ms=1234.5678 if said else 0.0,
        started=time.time(),
        answer=said.answer if said else None,
        finish="stop" if said else "",
        finish_detail="end_turn" if said else "",
        reasoning_kind="summary" if said else "none",
        texts_blob=record.blob(*texts, like=f"ok {player}") if texts else None,
        error="",
    )


def put_decision(record: Any, match: str, ply: int, said: Words) -> None:
    from orchestrator.record import tables
    from orchestrator.record.store import decision_id

    answer = json.loads(said.answer)
    record.put_columns(
        tables.Decision,
        id=decision_id(match, ply),
        match=match,
        ply=ply,
        seat=ply % 2,
        player=1 + ply % 2,
        action=answer["action"],
        action_text=str(answer["action"] + 1),
        legal=said.legal,
        mode="json",
        outcome="ok",
        fault="",
        illegal=0,
        rationale=answer["rationale"],
        forecast=None,
        probabilities=None,
        state=said.state,
        system_blob=record.blob(said.system),
        user_blob=record.blob(said.user, like=f"user {ply % 2}"),
        style_sha="c0be014c04a4b5b0",
        latency_ms=1234.5678,
        cost_pico=2_495_000_000,
        decided=time.time(),
    )


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────


def read_back(directory: Path, decisions: int) -> Iterator[tuple[str, float]]:
    """What standings over so many decisions take: of the run, and of all of the command."""
    from orchestrator.record.reading import run_result
    from orchestrator.record.store import Record
    from orchestrator.standings import boards_of

    fill(directory, decisions)
    began = time.perf_counter()
    result = run_result(directory)
    yield "its result", time.perf_counter() - began
    boards_of([result])
    yield "the leaderboard", time.perf_counter() - began
    with Record(directory) as record:
        began = time.perf_counter()
        record.spent()
        yield "what is spent so far", time.perf_counter() - began


def fill(directory: Path, decisions: int) -> None:
    """A finished run of so many decisions, every one with its call, without texts; with all tallies."""
    from orchestrator.record.store import RECORD_FILE, Record
    from orchestrator.record.tallies import keep_tallies

    dice = random.Random(2)
    count = -(-decisions // PLIES)
    with Record(directory) as record:
        put_run(record)
        for number in range(count):
            put_match(
                record, match_id(number), number, "running", [1.0, 0.0] if dice.random() < 0.6 else [0.0, 1.0]
            )
    with closing(sqlite3.connect(directory / RECORD_FILE)) as db, db:
        db.execute("UPDATE match SET status = 'finished'")
        names = [match_id(number) for number in range(count)]
        plies = [(name, ply) for name in names for ply in range(PLIES)][:decisions]
        made = (
            (
                f"{name}-{ply:03d}",
                ply,
                ply % 2,
                1 + ply % 2,
                dice.randrange(7),
                dice.lognormvariate(7, 1),
            )
            for name, ply in plies
        )
        db.executemany(
            "INSERT INTO decision VALUES (?, ?, ?, ?, ?, '1', '[0,1,2,3,4,5,6]', 'json', 'ok', '', 0, "
            "'I play column 1.', NULL, NULL, x'00', NULL, NULL, 'c0be014c04a4b5b0', ?, 2495000000, 0.0)",
            made,
        )
        db.execute(
            "INSERT INTO call SELECT id || '.00.01', player, 0, 1, 'ok', 200, 'req_011CSabcdef', "
            "'claude-haiku-5-5', 'standard', 495, 0, 0, 0, 400, 300, 2495000000, '0123456789abcdef', 0, latency_ms, "
            "0.0, '{}', 'stop', 'end_turn', 'summary', NULL, NULL, '' FROM decision ORDER BY id"
        )
        keep_tallies(db, names)


if __name__ == "__main__":
    main()
