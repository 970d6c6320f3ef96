"""What a person or a program sees of a run while it is played: one listener to its events per way of looking.

    live    a table that redraws itself a few times a second, for a terminal
    plain   one line per match and notice, for a log
    json    every event as one line on stdout, for a program
    none    nothing

An event only updates counters; drawing happens on the live table's own clock, so five hundred matches
at once cost no more than one. The result at the end comes from the record (the summary), not from what
was counted here.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from types import TracebackType
from typing import IO, TYPE_CHECKING, Protocol, Self

from orchestrator.cli import text
from orchestrator.cli.result import call_figures, card, met, result_table
from orchestrator.cli.rows import NAME_WIDTH, Row, fitting, standings
from orchestrator.events import Event
from orchestrator.programme import SELF

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live as RichLive
    from rich.table import Table
    from rich.text import Text

    from orchestrator.ratings.bradley_terry import Result
    from orchestrator.record.reading import RunResult

MODES = ("auto", "live", "plain", "json", "none")
NO_MODELS = ("bot", "human", "policy")  # kinds of players who are not asked in words
REDRAWS_PER_S = 4
IN_FLIGHT_SHOWN = 6
LLR_WIDTH = 21  # characters between the bounds of a test
NOTICES_SHOWN = 4
LINES_OF_A_SCREEN = 17  # of the live table without its matches and notices
ROWS_OF_A_SCREEN = 7  # players below each other that take no more than two beside each other
LATENCIES_KEPT = 1000
WAVES_SHOWN, LANES_SHOWN = 4, 3
LANE_NEWS_S = 60.0  # how long the live table tells what a lane's pace came to
LOGGED_EVERY_S = {"limit": 60.0, "progress": 600.0}  # of one lane and of one wave, in a log
CAME_OF_IT = (
    "score",
    "rank",
    "points",
    "first",
    "forfeits",
    "illegal",
)  # columns of a table; the last go first
ASKED = ("cost", "calls", "time to a move")
PLACE = ("games", "W/D/L", "legal", "cost", "forfeits", "decisions", "failed calls")  # of a run for data
OF_ARMS = ("score", "won / drawn / lost", "forfeits", "illegal answers", *ASKED)  # of an ablation
OF_A_TOURNAMENT = (
    "live Elo",
    "score",
    "matches",
    "cost",
    "W/D/L",
    "forfeits",
    "illegal",
    "calls",
    "time to a move",
)
LINES_ABOVE_PLACES = 12  # of the live table of a run for data, with those below


class Display(Protocol):
    """A listener to a run's events, inside `with`."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def __call__(self, event: Event) -> None: ...


def make(mode: str = "auto", *, stream: IO[str] | None = None) -> Display:
    """A display of that mode on `stream` (stdout). ValueError for a mode that does not exist."""
    stream = stream or sys.stdout
    if mode == "auto":
        mode = "live" if _is_live(stream) else "plain"
    if mode == "live":
        return Live(text.console(stream))
    if mode == "plain":
        return Plain(text.console(stream))
    if mode == "json":
        return Json(stream)
    if mode == "none":
        return Silent()
    raise ValueError(f"unknown display {mode!r}: expected one of {', '.join(MODES)}")


def _is_live(stream: IO[str]) -> bool:
    dumb = os.environ.get("TERM", "") in ("dumb", "unknown")
    return stream.isatty() and not dumb and "CI" not in os.environ


class Silent:
    """Shows nothing; also what the other displays begin as."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, event: Event) -> None:
        pass


class Json(Silent):
    """One event, one line of strict ASCII JSON, flushed: safe to pipe into anything that reads lines."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        self._stream.write(json.dumps(event, allow_nan=False) + "\n")
        self._stream.flush()


class Plain(Silent):
    """One line per match that ended and per notice, then the result."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tally = Tally()
        self._logged: dict[str, float] = {}  # when, by lane and by wave

    def __call__(self, event: Event) -> None:
        self._tally.add(event)
        if event["type"] == "summary":
            self._console.print(result_table(event))
            return
        line = self._line(event)
        if line:
            self._console.print(line, soft_wrap=True)

    def _line(self, event: Event) -> str:
        tally = self._tally
        if event["type"] == "run":
            return f"{tally.headline()} · {tally.where()}"
        if event["type"] == "notice":
            return notice(event)
        if event["type"] == "match" and event["status"] in ("finished", "void"):
            return f"[{tally.done}/{tally.planned}] {ended(event, event.get('game', tally.game))}"
        if event["type"] == "budget":
            return f"{purse(event['spent_usd'], event['wall_usd'])}, {text.dollars(event['reserved_usd'])} reserved"
        if event["type"] == "wave":
            return wave(event) if event["status"] != "progress" or self._is_due("progress", event) else ""
        if event["type"] == "limit":
            return lane(event) if self._is_due("limit", event) else ""
        return ""

    def _is_due(self, kind: str, event: Event) -> bool:
        """Whether the log has not heard of this lane or wave for a while."""
        name = event["lane"] if kind == "limit" else event["id"]
        if event["at"] < self._logged.get(name, -LOGGED_EVERY_S[kind]) + LOGGED_EVERY_S[kind]:
            return False
        self._logged[name] = event["at"]
        return True


class Live(Silent):
    """The table that redraws itself; gone at the end, when the result takes its place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tally = Tally()
        self._lock = threading.Lock()  # rich draws on a thread of its own
        self._live: RichLive | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._tally.add(event)
        if event["type"] == "summary":
            self._stop()
            self._console.print(result_table(event))
        elif self._live is None and event["type"] in ("run", "wave"):
            self._start()

    def _start(self) -> None:
        from rich.live import Live as RichLive

        self._live = RichLive(
            console=self._console,
            get_renderable=self.screen,
            refresh_per_second=REDRAWS_PER_S,
            transient=True,
            vertical_overflow="crop",
        )
        self._live.start()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def screen(self) -> RenderableType:
        """All of it, as of now."""
        with self._lock:
            return screen(self._tally, self._console.width, self._console.height)


# ── what was counted ─────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Counts:
    """One player so far; of a run for data, a model and whom it meets in what."""

    games: int = 0  # there: a match against itself is one
    wins: int = 0
    draws: int = 0
    losses: int = 0
    forfeits: int = 0
    score: float = 0.0  # opponents beaten, of all matches together
    rank: int = 0
    firsts: float = 0.0
    paid: int = 0
    points: float = 0.0
    illegal: int = 0
    decisions: int = 0
    wrong: int = 0  # of them, those whose first answer was no move
    calls: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))

    @property
    def matches(self) -> int:
        return self.wins + self.draws + self.losses


@dataclass(slots=True)
class Wave:
    """A wave that is out; `left` is when it left, by this clock."""

    player: str
    number: int
    calls: int
    left: float
    done: int = 0


@dataclass(slots=True)
class Lane:
    """What was last told of a service's pace, and until when that is news, by this clock."""

    reason: str
    news_until: float
    paused_until: float


Place = tuple[str, str]
"""In a run for data: a model, and whom it meets in what."""


@dataclass(slots=True)
class Tally:
    """What events have told. `scores` are player 1's by pair and swap, for the running estimate."""

    kind: str = "duel"
    labels: list[str] = field(default_factory=list)
    most_seats: int = 2
    specs: dict[str, str] = field(default_factory=dict)  # by label
    game: str = ""
    output: str = ""
    seed: int = 0
    concurrency: int = 1
    pairs: int = 0
    planned: int = 0  # matches to be on record when this ends: of a pilot, only the first
    asked: int = 0  # matches of the whole run
    earlier: int = 0  # matches that were on record when the run began again
    spent_usd: float = 0.0  # before and now, with what failed attempts may have cost
    reserved_usd: float = 0.0
    wall_usd: float | None = None
    costs: Counter[str] = field(default_factory=Counter)  # of the matches at the table, by id
    waves: dict[str, Wave] = field(default_factory=dict)  # that are out, by id
    lanes: dict[str, Lane] = field(default_factory=dict)
    test: Event | None = None  # what was last told of the rule to stop by
    paused: bool = False
    done: int = 0
    voids: int = 0
    began: float = field(default_factory=time.monotonic)
    players: dict[str, Counts] = field(default_factory=dict)
    scores: dict[int, dict[int, float]] = field(default_factory=dict)
    moves: dict[str, int] = field(default_factory=dict)  # by match id: a hash of what was chosen so far
    played: dict[int, dict[int, int]] = field(default_factory=dict)  # that hash at a match's end, as `scores`
    flying: dict[str, str] = field(default_factory=dict)  # match id -> what happened last in it
    failures: Counter[str] = field(default_factory=Counter)  # of calls, by kind
    faults: Counter[str] = field(default_factory=Counter)  # of forfeits, likewise
    results: list[Result] = field(default_factory=list)  # of a tournament, as they came
    places: dict[Place, Counts] = field(default_factory=dict)
    at: dict[str, dict[str, Place]] = field(default_factory=dict)  # by match and label, where that counts
    notices: deque[str] = field(default_factory=lambda: deque(maxlen=NOTICES_SHOWN))
    arms: dict[str, str] = field(default_factory=dict)  # of an ablation: what each is called, by label

    def add(self, event: Event) -> None:
        adder = _ADDERS.get(event["type"])
        if adder is not None:
            adder(self, event)

    def headline(self) -> str:
        """Who plays what; `where` says the rest."""
        if self.kind == "generate":
            models = dict.fromkeys(self._named(label) for label in self.labels if self.is_model(label))
            return f"{', '.join(map(text.one_line, models))} · {text.one_line(self.game)}"
        if self.arms:
            return f"{text.one_line(self.specs[self.labels[0]])} and its arms · {text.one_line(self.game)}"
        between = ", " if self.kind in ("probe", "tournament") else " vs "
        return f"{between.join(map(text.one_line, self.labels))} · {text.one_line(self.game)}"

    def where(self) -> str:
        earlier = f" · {text.plural(self.earlier, 'match', 'matches')} played earlier" if self.earlier else ""
        if self.planned < self.asked:
            earlier += f" · the first {self.planned} of {text.plural(self.asked, 'match', 'matches')}"
        return (
            f"{text.plural(self.pairs, self.unit)} · seed {self.seed} · {self.concurrency} at once{earlier}"
            f" · {text.one_line(self.output)}"
        )

    @property
    def unit(self) -> str:
        """What a pair is called among so many."""
        if self.kind == "probe":
            return "question"
        return "deal" if self.most_seats > 2 else "pair"

    def pair_scores(self) -> list[float]:
        """Player 1's mean score of every complete pair."""
        size = len(self.labels)
        return [sum(swaps.values()) / size for swaps in self.scores.values() if len(swaps) == size]

    def complete(self) -> int:
        """Pairs that were played from all sides."""
        if self.kind == "tournament":
            return sum(len(swaps) == self.most_seats for swaps in self.played.values())
        return len(self.pair_scores())

    def distinct_pairs(self) -> int:
        """Complete pairs without exact repeats; matches from before a resume are told apart from later ones."""
        size = len(self.labels)
        return len({tuple(sorted(swaps.items())) for swaps in self.played.values() if len(swaps) == size})

    def independent_pairs(self) -> float:
        """What complete pairs amount to, whose exact repeats carry no news."""
        from orchestrator.ratings.pairs import Repeats

        size = len(self.labels)
        whole = (tuple(sorted(swaps.items())) for swaps in self.played.values() if len(swaps) == size)
        return Repeats(whole).independent

    def per_hour(self) -> float:
        """Matches that came to an end, since this display began."""
        return 3600 * (self.done - self.earlier) / max(1e-9, time.monotonic() - self.began)

    def cost_in_all_usd(self) -> float | None:
        """What the run will have cost at the pace so far; None where there is none yet, or nothing costs."""
        if not self.spent_usd or not 0 < self.done < self.planned:
            return None
        return (self.spent_usd - sum(self.costs.values())) / self.done * self.planned

    def is_model(self, label: str) -> bool:
        return self.specs.get(label, "").partition(":")[0] not in NO_MODELS

    def _named(self, label: str) -> str:
        """Without the number that tells it from those who play exactly as it does."""
        return label.rpartition(" #")[0] if label.rpartition(" #")[2].isdigit() else label

    def _seat(self, match: str, seats: Sequence[str], game: str) -> None:
        """Where what happens in a match counts."""
        if self.kind != "generate":
            return
        self.at[match] = {}
        for label in filter(self.is_model, seats):
            others = [other for other in seats if other != label]
            alike = [SELF if self.specs[one] == self.specs[label] else self._named(one) for one in others]
            place = self._named(label), met(sorted(alike), game if ", " in self.game else "")
            self.at[match][label] = place
            self.places.setdefault(place, Counts())

    def _counts(self, match: str, label: str) -> Iterator[Counts]:
        """A player's counts: over the run and, of a model in a run for data, where it plays."""
        yield self.players[label]
        place = self.at.get(match, {}).get(label)
        if place is not None:
            yield self.places[place]

    def _run(self, event: Event) -> None:
        self.kind = event.get("kind", "duel")
        self.specs = dict(zip(event["players"], event["specs"], strict=True))
        self.labels, self.game, self.output = list(event["players"]), event["game"], event["output"]
        self.seed, self.concurrency = event["seed"], event["concurrency"]
        self.pairs, self.asked = event["pairs"], event["matches"]
        self.planned = event["planned"]
        self.earlier = self.done = self.planned - event["waiting"]
        self.spent_usd, self.wall_usd = event["spent_usd"], event["wall_usd"]
        self.most_seats = max((len(board["players"]) for board in event["boards"]), default=2)
        self.players = {label: Counts() for label in self.labels}
        if self.kind == "ablate":
            from orchestrator.ablation import names

            arms = len({board["players"][0] for board in event["boards"]})  # players begin with the arms
            self.arms = dict(zip(self.labels, names(event["specs"][:arms]), strict=False))
        if self.earlier:
            self._recall()

    def _recall(self) -> None:
        """A resumed run begins with what its record holds."""
        from pathlib import Path

        from orchestrator.record.database import RecordError
        from orchestrator.record.reading import run_result

        try:
            result = run_result(Path(self.output))
        except RecordError:
            return  # the counts then begin at zero; the result at the end is whole anyhow
        if self.kind == "generate":
            self._recall_places(result)
        for standing in result.standings:
            latencies = deque((tenths / 10 for tenths in standing.times.elements()), LATENCIES_KEPT)
            self.players[standing.player.label] = Counts(
                standing.matches,
                standing.wins,
                standing.draws,
                standing.losses,
                standing.forfeits,
                standing.total_score,
                standing.total_rank,
                standing.firsts,
                standing.paid,
                standing.total_points,
                standing.illegal,
                standing.decisions,
                standing.wrong_first,
                standing.calls,
                standing.failed_calls,
                standing.input_tokens,
                standing.output_tokens,
                standing.cost_pico / text.PICO,
                latencies,
            )
        for match in result.matches:
            if match.scores and self.kind in ("duel", "tournament"):
                self.scores.setdefault(match.pair, {})[match.swap] = match.scores.get(1, 0.0)
                self.played.setdefault(match.pair, {})[match.swap] = hash(match.went)
        if self.kind == "tournament":
            self._recall_results(result)

    def _recall_results(self, result: RunResult) -> None:
        labels = {standing.player.id: standing.player.label for standing in result.standings}
        finished = [match for match in result.matches if match.scores]
        for match in sorted(finished, key=lambda match: match.finished or 0.0):
            self._came(
                [labels[player] for player in match.sat], [match.scores[player] for player in match.sat]
            )

    def _came(self, labels: Sequence[str], scores: Sequence[float]) -> None:
        from orchestrator.ratings.bradley_terry import Result

        self.results.append(Result(tuple(labels), tuple(scores)))

    def _recall_places(self, result: RunResult) -> None:
        from orchestrator.summary import lines, plain

        for line in lines(result):
            made = line.standing
            place = plain(line.model), met(line.against, line.game if ", " in self.game else "")
            self.places[place] = Counts(
                line.games,
                made.wins,
                made.draws,
                made.losses,
                made.forfeits,
                made.total_score,
                calls=made.calls,
                failed=made.failed_calls,
                decisions=made.asked,
                wrong=made.wrong_first,
                cost_usd=made.cost_pico / text.PICO,
            )

    def _match(self, event: Event) -> None:
        if event["status"] == "started":
            self._seat(event["id"], event["seats"], event.get("game", ""))
            self.flying[event["id"]] = f"{text.one_line(event['seats'][event['begins']])} begins"
            self.moves[event["id"]] = hash(event["deal"])
            return
        self.flying.pop(event["id"], None)
        self.costs.pop(event["id"], None)
        moves = self.moves.pop(event["id"], 0)
        if event["status"] in ("stopped", "void"):
            self.at.pop(event["id"], None)
        if event["status"] == "stopped":
            return
        if event["status"] == "void":
            self.voids += 1
            self.notices.append(ended(event, ""))
            return
        self.done += 1
        if not event["scores"]:
            return  # it ended with one decision
        self.played.setdefault(event["pair"], {})[event["swap"]] = moves
        if self.kind == "tournament":
            self._came(event["seats"], event["scores"])
        ahead = event["ranks"].count(1)
        for seat, label in enumerate(event["seats"]):
            rank, points = event["ranks"][seat], event["points"][seat]
            for counts in self._counts(event["id"], label):
                counts.wins += rank == ahead == 1
                counts.draws += rank == 1 < ahead
                counts.losses += rank > 1
                counts.forfeits += bool(event["forfeits"][seat])
                counts.score += event["scores"][seat]
                counts.rank += rank
                counts.firsts += 1 / ahead if rank == 1 else 0
                counts.paid += points is not None
                counts.points += points or 0
            if event["forfeits"][seat]:
                self.faults[event["forfeits"][seat].partition(":")[0]] += 1
            if label == self.labels[0] and self.kind == "duel":
                self.scores.setdefault(event["pair"], {})[event["swap"]] = event["scores"][seat]
        for place in set(self.at.pop(event["id"], {}).values()):
            self.places[place].games += 1
        if any(event["forfeits"]):
            self.notices.append(ended(event, ""))

    def _decision(self, event: Event) -> None:
        move = text.one_line(event["move"], 20) or f"no move ({text.one_line(event['fault'], 30)})"
        again = f" after {text.plural(event['illegal'], 'illegal answer')}" if event["illegal"] else ""
        self.flying[event["match"]] = (
            f"ply {event['ply'] + 1:>3}  {text.one_line(event['player'])}: {move}{again}"
        )
        self.moves[event["match"]] = hash((self.moves.get(event["match"], 0), event["player"], event["move"]))
        for counts in self._counts(event["match"], event["player"]):
            counts.decisions += 1
            counts.wrong += event["outcome"] != "ok"
            counts.illegal += event["illegal"]
            if event["latency_ms"]:
                counts.latencies_ms.append(event["latency_ms"])

    def _call(self, event: Event) -> None:
        if not self.labels:
            return  # collected for an earlier process before the run goes on: it is in what is recalled then
        if event["kind"] != "ok":
            self.failures[event["kind"]] += 1
        match = event["decision"].rpartition("-")[0]
        self.spent_usd += event["cost_usd"]
        if match in self.flying:
            self.costs[match] += event["cost_usd"]
        for counts in self._counts(match, event["player"]):
            counts.calls += 1
            counts.failed += event["kind"] != "ok"
            counts.input_tokens += event["input_tokens"]
            counts.output_tokens += event["output_tokens"]
            if not event["possibly_billed"]:
                counts.cost_usd += event["cost_usd"]

    def _budget(self, event: Event) -> None:
        self.spent_usd, self.wall_usd = event["spent_usd"], event["wall_usd"]
        self.reserved_usd = event["reserved_usd"]

    def _wave(self, event: Event) -> None:
        if event["status"] in ("ended", "refused", "left"):
            self.waves.pop(event["id"], None)
            if event["status"] == "refused" or event.get("failed"):
                self.notices.append(wave(event))
            return
        left = time.monotonic() - event["seconds"]
        done = event.get("done", 0) + event.get("failed", 0)
        self.waves[event["id"]] = Wave(event["player"], wave_number(event["id"]), event["calls"], left, done)

    def _limit(self, event: Event) -> None:
        now = time.monotonic()
        until = now + event["paused_s"]
        self.lanes[event["lane"]] = Lane(pace(event), max(until, now + LANE_NEWS_S), until)

    def _test(self, event: Event) -> None:
        self.test = event

    def _notice(self, event: Event) -> None:
        if "status" in event:
            self.paused = event["status"] == "paused"
        self.notices.append(notice(event))


_ADDERS = {
    "run": Tally._run,
    "match": Tally._match,
    "decision": Tally._decision,
    "call": Tally._call,
    "budget": Tally._budget,
    "test": Tally._test,
    "wave": Tally._wave,
    "limit": Tally._limit,
    "notice": Tally._notice,
}


def short(match: str) -> str:
    """A match's id without its run's: `r1k3f0a2b-0007a` -> `0007a`."""
    return match.rpartition("-")[2]


def ended(event: Event, game: str) -> str:
    """One line on a match that finished or is void."""
    seats = [text.one_line(label) for label in event["seats"]]
    if event["status"] == "void":
        return f"{short(event['id'])}  {' vs '.join(seats)}  void: {text.one_line(event['reason'], 200)}"
    if not event["scores"]:
        return f"{short(event['id'])}  {seats[0]}  {game + ', ' if game else ''}asked"
    came = _between_two(seats, event["scores"]) if len(seats) == 2 else _at_a_table(seats, event)
    line = f"{short(event['id'])}  {came}  {game + ', ' if game else ''}{event['plies']} plies"
    for label, why in zip(seats, event["forfeits"], strict=True):
        if why:
            line += f"; {label} forfeits: {text.one_line(why, 80)}"
    return line


def _between_two(seats: Sequence[str], scores: Sequence[float]) -> str:
    return f"{seats[0]} {text.points(scores[0])}–{text.points(scores[1])} {seats[1]}"


def _at_a_table(seats: Sequence[str], event: Event) -> str:
    """A 124, B 96, C 96: the first first. A forfeit leaves no points."""
    ranks, points = event["ranks"], event["points"]
    if None in points:
        return "cut short"
    order = sorted(range(len(seats)), key=lambda seat: ranks[seat])
    return ", ".join(f"{seats[seat]} {text.amount(points[seat])}" for seat in order)


def notice(event: Event) -> str:
    return text.one_line(str(event.get("text", "")), 300)


def purse(spent_usd: float, wall_usd: float | None) -> str:
    """$0.42 of $1.00 spent"""
    of = "" if wall_usd is None else f" of {text.dollars(wall_usd)}"
    return f"{text.dollars(spent_usd)}{of} spent"


def wave(event: Event) -> str:
    """One line on what a wave came to."""
    name = f"{text.one_line(event['player'])}: wave {wave_number(event['id'])}"
    calls, took = text.plural(event["calls"], "call"), text.duration(event["seconds"])
    if event["status"] == "submitted":
        return f"{name}, {calls} handed in"
    if event["status"] == "progress":
        return f"{name}, {calls}, out for {took}, {event['done'] + event['failed']:,} done"
    if event["status"] == "refused":
        return f"{name}, {calls}, refused: {text.one_line(event['error'], 200)}"
    if event["status"] == "left":
        return f"{name}, {calls}, left open after {took}"
    failed = f", {event['failed']:,} of them failed" if event["failed"] else ""
    return f"{name}, {calls}, back after {took}{failed}"


def wave_number(id: str) -> int:
    """Of a wave's id: `r1k3f0a2b-w0003.1` -> 3."""
    return int(id.rpartition("-w")[2].partition(".")[0])


def lane(event: Event) -> str:
    return f"{text.one_line(event['lane'])}: {pace(event)}"


def pace(event: Event) -> str:
    """What was told of a service's pace, in words that fit a line."""
    return text.one_line(event["reason"], 200).replace(" requests per minute", "/min")


# ── the live table ───────────────────────────────────────────────────────────────────────────────────


def screen(tally: Tally, width: int, height: int) -> RenderableType:
    """The live table as of now; what is at the table gives way where the terminal is low."""
    from rich.console import Group
    from rich.text import Text

    notices = [Text(line, "yellow", no_wrap=True, overflow="ellipsis") for line in tally.notices]
    notices += [Text(line, "yellow", no_wrap=True, overflow="ellipsis") for line in failures(tally)]
    data = tally.kind == "generate"
    now = time.monotonic()
    lines = [*rule(tally), *money(tally), *out(tally, now), *paces(tally, now)]
    room = max(2, height - len(notices) - LINES_OF_A_SCREEN - 1)
    told = [Text(line, no_wrap=True, overflow="ellipsis") for line in lines[:room]]
    if not tally.labels:
        return Group(
            Text("What an earlier process left at the services is collected first", "bold"), *told, *notices
        )
    above: list[RenderableType] = [
        Text(tally.headline(), "bold", no_wrap=True, overflow="ellipsis"),
        Text(tally.where(), "dim", no_wrap=True, overflow="ellipsis"),
        Text(""),
        _score_line(tally) if tally.kind in ("duel", "tournament") else _bill_line(tally),
        _bar(tally, width),
        *told,
        Text(""),
    ]
    height -= len(notices) + len(told)
    rows = min(len(tally.places), max(1, height - LINES_ABOVE_PLACES)) if data else len(tally.players)
    players = _places(tally, width, rows) if data else _players(tally, width)
    room = height - LINES_OF_A_SCREEN - max(0, rows - ROWS_OF_A_SCREEN)
    return Group(*above, players, Text(""), _in_flight(tally, max(1, min(IN_FLIGHT_SHOWN, room))), *notices)


def rule(tally: Tally) -> list[str]:
    """How near a rule to stop by is to its end: of a test, where its ratio stands between the two bounds."""
    test = tally.test
    if test is None:
        return []
    if test["rule"] == "until-ci":
        return [f"interval ±{test['half']:.0f} Elo, until ±{test['until']:g}"]
    low, ratio, high = test["llr_low"], test["llr"], test["llr_high"]
    place = round((LLR_WIDTH - 1) * min(1.0, max(0.0, (ratio - low) / (high - low))))
    bar = "─" * place + "●" + "─" * (LLR_WIDTH - 1 - place)
    return [f"H0 ├{bar}┤ H1  LLR {ratio:+.2f} in {low:+.2f} … {high:+.2f}  {test['of']}"]


def money(tally: Tally) -> list[str]:
    """What is spent of what may be, and what all will come to; nothing, where nothing costs."""
    if not tally.spent_usd and tally.wall_usd is None:
        return []
    line = purse(tally.spent_usd, tally.wall_usd)
    if tally.wall_usd is not None and tally.reserved_usd:
        line += f", {text.dollars(tally.reserved_usd)} reserved"
    whole = tally.cost_in_all_usd()
    return [line if whole is None else f"{line} · at this pace about {text.dollars(whole)} in all"]


def out(tally: Tally, now: float) -> list[str]:
    """The waves that are out, the longest first."""
    waves = sorted(tally.waves.values(), key=lambda wave: wave.left)
    lines = []
    for each in waves[:WAVES_SHOWN]:
        took = text.duration(max(1.0, now - each.left))
        done = f", {each.done:,} done" if each.done else ""
        calls = text.plural(each.calls, "call")
        lines.append(f"{text.one_line(each.player)}: wave {each.number}, {calls}, out for {took}{done}")
    if len(waves) > WAVES_SHOWN:
        lines.append(f"and {text.plural(len(waves) - WAVES_SHOWN, 'wave')} more")
    return lines


def paces(tally: Tally, now: float) -> list[str]:
    """Lanes that are paused, and those whose pace changed a while ago; the latest news first."""
    news = sorted(
        ((each, name) for name, each in tally.lanes.items() if each.news_until > now),
        key=lambda one: -one[0].news_until,
    )
    lines = []
    for each, name in news[:LANES_SHOWN]:
        left = each.paused_until - now
        paused = f"paused for {text.duration(max(1.0, left))}: " if left > 0 else ""
        lines.append(f"{text.one_line(name)}: {paused}{each.reason}")
    return lines


def failures(tally: Tally) -> list[str]:
    """Which calls failed and for what was forfeited, by kind."""
    told = {"failed calls": tally.failures, "forfeits": tally.faults}
    parts = [
        f"{what}: {', '.join(f'{text.one_line(kind, 30)} {count:,}' for kind, count in counted.most_common(4))}"
        for what, counted in told.items()
        if counted
    ]
    return [" · ".join(parts)] if parts else []


def _bill_line(tally: Tally) -> Text:
    """Of a run that is no duel: what it has and what that took, over all models."""
    from rich.text import Text

    asked = [counts for label, counts in tally.players.items() if tally.is_model(label)]
    tokens = [sum(getattr(counts, name) for counts in asked) for name in ("input_tokens", "output_tokens")]
    line = Text(f"{sum(counts.decisions for counts in asked):,} decisions", "bold")
    read, written = map(text.count, tokens)
    line.append(f"   {read} / {written} tokens in / out", "default not bold")
    line.append(f"   {text.dollars(sum(counts.cost_usd for counts in asked))}")
    return line


def _places(tally: Tally, width: int, rows: int) -> RenderableType:
    """A line for every model and whom it meets in what; how many more there is no room for is said."""
    from rich.console import Group
    from rich.text import Text

    places = sorted(tally.places.items())
    shown = places if len(places) <= rows else places[: max(1, rows - 1)]
    found = [Row(f"{model} vs {others}", _place_figures(counts)) for (model, others), counts in shown]
    longest = max([NAME_WIDTH, *(len(row.name) for row in found)])
    columns = fitting(found, PLACE, width - min(longest, width // 2) + NAME_WIDTH)
    table = standings(found, columns, name="", cut_to=width)
    left = len(places) - len(shown)
    return Group(table, Text(f"and {left} more", "dim")) if left else table


def _place_figures(counts: Counts) -> dict[str, str]:
    rates = counts.wins, counts.draws, counts.losses
    return {
        "games": f"{counts.games:,}",
        "W/D/L": "/".join(map(str, rates)),
        "legal": text.percent(counts.decisions - counts.wrong, counts.decisions),
        "cost": text.dollars(counts.cost_usd),
        "forfeits": str(counts.forfeits),
        "decisions": f"{counts.decisions:,}",
        "failed calls": str(counts.failed),
    }


def _score_line(tally: Tally) -> Text:
    from rich.text import Text

    from orchestrator.ratings.pairs import estimate

    scores = tally.pair_scores()
    names = [text.one_line(label) for label in tally.labels] if tally.kind == "duel" else []
    reached = [text.points(tally.players[label].score) for label in tally.labels]
    line = Text(f"{names[0]} {reached[0]} – {reached[1]} {names[1]}   " if len(names) == 2 else "", "bold")
    line.append(f"{tally.complete()} of {text.plural(tally.pairs, tally.unit)}", "default not bold")
    estimated = estimate(scores, tally.independent_pairs()) if scores and len(names) == 2 else None
    if estimated is not None:
        interval = text.elo(estimated.elo_low, estimated.elo, estimated.elo_high)
        line.append(f"   {interval} Elo", "green" if estimated.decided else "dim not bold")
    return line


def _bar(tally: Tally, width: int) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    spent = text.duration(time.monotonic() - tally.began)
    if tally.done > tally.earlier and tally.done < tally.planned:
        left = 3600 * (tally.planned - tally.done) / tally.per_hour()
        spent += f" · {text.count(round(tally.per_hour()))}/h · {text.duration(left)} left"
    voids = f" · {text.plural(tally.voids, 'void')}" if tally.voids else ""
    voids += " · paused" if tally.paused else ""
    row = Table.grid(padding=(0, 2))
    row.add_column()
    row.add_column(no_wrap=True, overflow="ellipsis")
    bar = ProgressBar(total=max(1, tally.planned), completed=tally.done, width=max(10, min(40, width - 45)))
    row.add_row(bar, f"{tally.done}/{tally.planned} matches · {spent}{voids}")
    return row


def _players(tally: Tally, width: int) -> Table:
    """Two beside each other; the players of a table below each other, the best first, and arms as they were named."""
    if tally.arms:
        rows = [
            Row(
                tally.arms.get(label, label),
                _live_figures(counts) | {"score": text.percent(counts.score, counts.matches)},
            )
            for label, counts in tally.players.items()
        ]
        return standings(rows, fitting(rows, OF_ARMS, width), name="arm", cut_to=width)
    if tally.kind == "probe":  # nobody wins or loses there
        rows = [Row(label, _live_figures(counts)) for label, counts in tally.players.items()]
        return standings(rows, fitting(rows, ASKED, width), cut_to=width)
    if tally.kind == "tournament" and tally.most_seats == 2:
        return _rated_so_far(tally, width)
    if len(tally.players) <= 2:
        return card({label: _live_figures(counts) for label, counts in tally.players.items()})
    best = sorted(tally.players.items(), key=lambda one: -one[1].score / max(1, one[1].matches))
    rows = [Row(label, _table_figures(counts)) for label, counts in best]
    asked = any(counts.calls for counts in tally.players.values())
    columns = fitting(rows, CAME_OF_IT + ASKED if asked else CAME_OF_IT, width)
    return standings(rows, columns, cut_to=width)


def _rated_so_far(tally: Tally, width: int) -> Table:
    """Everybody by Elo as matches come in: that depends on their order and is no result, but is there at any time."""
    from orchestrator.ratings.elo import START, live

    found = live(tally.results)
    elo = found[-1][1] if found else {}
    best = sorted(tally.players.items(), key=lambda one: -elo.get(one[0], START))
    rows = [
        Row(
            label,
            _table_figures(counts)
            | {
                "live Elo": f"{elo.get(label, START):.0f}",
                "matches": str(counts.matches),
                "W/D/L": f"{counts.wins}/{counts.draws}/{counts.losses}",
            },
        )
        for label, counts in best
    ]
    asked = any(counts.calls for counts in tally.players.values())
    columns = [name for name in OF_A_TOURNAMENT if asked or name not in ASKED]
    return standings(rows, fitting(rows, columns, width), cut_to=width)


def _table_figures(counts: Counts) -> dict[str, str]:
    figures = {
        "score": text.percent(counts.score, counts.matches),
        "rank": f"{counts.rank / counts.matches:.2f}" if counts.matches else text.NOTHING,
        "points": text.amount(counts.points / counts.paid) if counts.paid else text.NOTHING,
        "first": text.amount(counts.firsts),
        "illegal": str(counts.illegal),
    }
    return figures | _live_figures(counts)


def _live_figures(counts: Counts) -> dict[str, str]:
    figures = {
        "won / drawn / lost": f"{counts.wins} / {counts.draws} / {counts.losses}",
        "forfeits": str(counts.forfeits),
        "illegal answers": str(counts.illegal),
    }
    latency = median(counts.latencies_ms) if counts.latencies_ms else None
    return figures | call_figures(
        counts.calls,
        counts.failed,
        counts.input_tokens,
        counts.output_tokens,
        text.dollars(counts.cost_usd),
        latency,
    )


def _in_flight(tally: Tally, room: int) -> Text:
    from rich.text import Text

    shown = list(tally.flying.items())
    if len(shown) > room:
        shown = shown[: room - 1]
    lines = [f"{short(match):>6}  {last}" for match, last in shown]
    if len(tally.flying) > len(shown):
        lines.append(
            f"        {text.plural(len(tally.flying) - len(shown), 'match', 'matches')} more at the table"
        )
    return Text("\n".join(lines), "dim", no_wrap=True, overflow="ellipsis")
