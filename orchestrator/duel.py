"""A duel: pairs of matches between players, several at once, on record, resumable at a decision.

A pair is one instance seed played once from each side; at a table of more than two it is a deal, played once
with everybody on every seat. It is the unit of error. A match that trouble with a service ends is void and
played again, at most `REPLAYS` times in one go; a pair that still misses a match is reported and does not count.
A run ends early where a wall of its budget is met, where too many matches are void, or where it is told to; it
then stands at a decision and can go on. Who plays a pair is known from the start, or, where that follows from results,
as soon as these are there: whoever plays waits for it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter, deque
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import engine
import prompts
from orchestrator.batch import Desk, collect, open_waves
from orchestrator.budget import PICO, RUN, Budget, WallReached, names_of, walls
from orchestrator.cassette import Cassette, tape
from orchestrator.events import Events
from orchestrator.fixture import Fixture, around, pair_name
from orchestrator.journal import Journal
from orchestrator.limits import Lanes, Limited, Limits, parse_limits
from orchestrator.match import play
from orchestrator.matchmaking import Matchmaker, matchmaker
from orchestrator.matchmaking import see as tell
from orchestrator.model import ModelPlayer, question_form
from orchestrator.players import Halt, Player, Seated, Stopped, Void
from orchestrator.record import tables
from orchestrator.record.database import RecordError
from orchestrator.record.store import Record, now, ready_id
from orchestrator.request import Request, draw_opening
from orchestrator.stopped import see, stopping
from orchestrator.table import SpecError, Table
from providers.base import BatchProvider, redact
from providers.prices import Price, Rates

REPLAYS = 2
VOIDS_FROM = 10  # matches that have ended, before the share of void ones means anything
INTERRUPTED = "interrupted"
PILOT = "the pilot is played"
ORDERED = "stopped from another shell"


@dataclass(slots=True)
class Ending:
    """Why a run ended before its time, if it did."""

    reason: str = ""  # empty: everything was played
    interrupted: bool = False  # by a person
    walled: bool = False  # by its budget
    decided: bool = False  # by its rule: nothing more is to be played
    voids: int = 0  # matches that stayed void after their replays
    bug: Exception | None = None  # ours, a bot's, the disk's; `reason` says it in words

    @property
    def status(self) -> str:
        if self.interrupted or self.walled:
            return "stopped"
        if self.reason and not self.decided:
            return "failed"
        return "incomplete" if self.voids else "finished"


class Duel:
    """One run of one request on one record; `stop()` drains: calls that are out come back, none leaves."""

    def __init__(
        self, request: Request, record: Record, table: Table, events: Events, pairs: int | None = None
    ) -> None:
        """`pairs`: only the first so many are played this time."""
        self.request = request
        self.pairs = request.pairs if pairs is None else pairs
        self.record = record
        self.events = events
        known = record.run()
        self.players = seat_players(request, table, billed=known is not None)
        self.run = self._begin(known)
        self.budget = Budget(walled(request, self.players), record.spent())
        self.journal = Journal(record, events, self.run.id, self.players, self.budget, request.apart)
        self.cassette = None if request.cassette is None else Cassette(Path(request.cassette))
        self.lanes = Lanes(limited(request, self.players), self._tell_lane)
        self._batched = batched(self.players)
        self.desk = self._desk()
        self._connect()
        self.ending = Ending()
        self.stopping = stopping(request)
        self.matchmaker = matchmaker(request, record)
        self._ended: Counter[str] = Counter()  # matches, by how
        self._walled: set[int] = set()  # players that may spend no more
        self._waiting: deque[Fixture] = deque()
        self._last: dict[tuple[int, int], tables.Match] = {}  # on record when it began, by pair and swap
        self._opened = 0  # pairs whose players are known and whose matches were lined up
        self._at_table = 0  # matches that are played now
        self._news = asyncio.Event()
        self._replays: Counter[tuple[int, int]] = Counter()
        self._tasks: list[asyncio.Task[None]] = []

    # ── the run ──────────────────────────────────────────────────────────────────────────────────

    async def play(self) -> Ending:
        """Play everything that is not yet played; how it ended is said, not raised."""
        await self._all(self._collect())
        self._recall()
        self._look()
        self._open()
        left = self._tell_run()
        self._tell_test()
        if self.request.preflight and self._waiting:
            await self._all(self._preflight())
        workers = left  # a wave holds a move of every match
        if not self._batched:
            workers = min(workers, self.request.concurrency)
        await self._all(*(self._work() for _ in range(workers)))
        if self.matchmaker is not None and self.matchmaker.ended and not self.ending.reason:
            self.ending.reason, self.ending.decided = self.matchmaker.ended, True
        await self.desk.aclose()
        if self.cassette is not None and self.cassette.played:
            self.events.emit(
                "notice", text=f"{self.cassette.played} calls were on the tape: nothing was paid for them now"
            )
        self.run.status, self.run.reason, self.run.finished = self.ending.status, self.ending.reason, now()
        if self.run.status == "finished" and self.pairs < self.request.pairs:
            self.run.status, self.run.reason = "stopped", PILOT
        try:
            self.record.put(self.run)
            self.record.flush()
        except RecordError as error:
            self._broke(error)
        return self.ending

    async def _all(self, *work: Coroutine[Any, Any, None]) -> None:
        self._tasks = [asyncio.create_task(each) for each in work]
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _collect(self) -> None:
        """What an earlier process left at the services, before any match goes on."""
        waves = open_waves(self.record)
        if not waves and not self._batched:
            return
        try:
            await collect(
                self.record,
                waves,
                self._batched,
                self.journal.returned,
                events=self.events,
                stop=self.journal.stop,
            )
        except Stopped:
            pass
        except Halt as trouble:
            self.stop(str(trouble))
        except Exception as bug:
            self._broke(bug)

    def _desk(self) -> Desk:
        desk = Desk(self.record, self.events, self.journal.stop, self.budget, self.journal.gate)
        self.budget.on_wait = desk.look
        return desk

    def _connect(self) -> None:
        """How every model is asked: in batches, or at once within what its service takes."""
        for number, player in enumerate(self.players, 1):
            if not isinstance(player, ModelPlayer):
                continue
            seated, endpoint = player.seated, player.seated.parameters.get("endpoint", "")
            if number in self._batched:
                player.in_batches(self.desk.line(number, self._batched[number], seated.model))
            elif endpoint or self.request.limits:  # what runs in this process takes whatever comes
                lane = self.lanes.lane(seated.provider, endpoint, seated.model)
                player.line = Limited(player.line, lane)
            if self.cassette is not None:
                tape(player, self.cassette)

    def _tell_lane(self, name: str, in_flight: int, paused_s: float, reason: str) -> None:
        try:
            self.events.emit(
                "limit", lane=name, in_flight=in_flight, paused_s=round(paused_s, 1), reason=reason
            )
        except Exception as bug:  # a listener's: the lane must finish what it is about, and then the run ends
            asyncio.get_running_loop().call_soon(self._broke, bug)

    @property
    def farewell(self) -> str:
        """What becomes of the calls that are out when it is told to stop."""
        if self._batched:
            return "waves that are out stay open at their services, and --resume collects what they answer"
        return "calls in flight come back and are recorded"

    def pause(self) -> None:
        """Calls that are out come back and are recorded, no new one leaves until `go_on`."""
        if self.journal.gate.is_open:
            self.journal.gate.shut()
            self.lanes.hold()
            self._tell_status("paused")

    def go_on(self) -> None:
        if not self.journal.gate.is_open:
            self.journal.gate.open()
            self.lanes.go_on()
            self.desk.look()
            self._tell_status("running")

    def _tell_status(self, status: str) -> None:
        self.run.status = status
        self.record.put(self.run)
        self.events.emit("notice", text=f"the run is {status}", status=status)

    def stop(self, reason: str = INTERRUPTED, *, walled: bool = False, decided: bool = False) -> None:
        """Drain: what is out comes back and is recorded, nothing new begins. The first reason is kept."""
        if not self.journal.stop.is_up:
            self.journal.stop.put_up()
            self.lanes.close(Stopped)
            self.ending.reason = redact(reason)
            self.ending.interrupted, self.ending.walled = reason in (INTERRUPTED, ORDERED), walled
            self.ending.decided = decided

    def abandon(self) -> None:
        """Stop at once; calls in flight are lost (they may be billed)."""
        self.stop()
        for task in self._tasks:
            task.cancel()

    async def _preflight(self) -> None:
        """One tiny call to every model, on the bill like all others; what is wrong with one stops the run now."""
        for number, player in enumerate(self.players, 1):
            if isinstance(player, ModelPlayer) and number not in self._batched:
                name = f"{ready_id(self.run.id, number)}-{time.time_ns() // 10**6}"
                try:
                    await player.ready(self.journal.open_turn(name, number, self.request.seed))
                except WallReached as reached:
                    self._meet(reached)
                except (Halt, Void) as trouble:
                    self.stop(str(trouble))
                except Stopped:
                    return
                except Exception as bug:
                    self._broke(bug)

    async def _work(self) -> None:
        while (fixture := await self._next()) is not None:
            self._at_table += 1
            try:
                await self._play_one(fixture)
            except Exception as bug:  # what the others have out still comes back
                self._broke(bug)
                with suppress(Exception):  # the record or a listener may be what broke
                    self.journal.stopped(fixture)
            finally:
                self._at_table -= 1
            if not self._at_table:
                self._rouse()

    async def _next(self) -> Fixture | None:
        """A match to play; waits for one that follows from those that are played now. None: there is none."""
        while not self.journal.stop.is_up:
            while self._waiting:
                fixture = self._waiting.popleft()
                if not self._walled.intersection(fixture.seating()):
                    return fixture
            if self.matchmaker is None or not self._at_table:
                return None
            with suppress(Stopped):
                await self.journal.stop.unless_up(self._news.wait())
        return None

    def _rouse(self) -> None:
        """Whoever waits for a match looks again."""
        self._news.set()  # for those who saw it before, even if they come to wait for it only now
        self._news = asyncio.Event()

    def _broke(self, bug: Exception) -> None:
        self.ending.bug = self.ending.bug or bug
        self.stop(f"{type(bug).__name__}: {bug}")

    async def _play_one(self, fixture: Fixture) -> None:
        seats = [self.players[player] for player in fixture.seating()]
        self.desk.match_begins()
        try:
            result = await play(fixture, seats, self.journal)
        except Void as trouble:
            self.journal.void(fixture, str(trouble))
            self._replay(fixture)
            self._count("void", str(trouble))
        except WallReached as reached:
            self.journal.stopped(fixture)
            self._meet(reached)
        except Halt as trouble:
            self.stop(str(trouble))
            self.journal.stopped(fixture)
        except Stopped:
            self.journal.stopped(fixture)
        except asyncio.CancelledError:
            self.journal.stopped(fixture)
            raise
        else:
            self.journal.finished(fixture, result)
            self._count("finished")
            self._look(fixture.pair)
        finally:
            self.desk.match_ends()

    def _meet(self, reached: WallReached) -> None:
        """The run's wall ends it; a player's keeps that player from the matches that are still to be played."""
        if reached.player == RUN:
            self.stop(f"the budget is reached: {reached}", walled=True)
            return
        self._walled.add(reached.player - 1)
        self.ending.walled = True
        label = self.players[reached.player - 1].seated.label
        self.ending.reason = self.ending.reason or f"the budget of {label} is reached: {reached}"

    def _count(self, ended: str, why: str = "") -> None:
        """A run of which too much is void stops itself: something is broken, and it costs money."""
        self._ended[ended] += 1
        voids, matches = self._ended["void"], self._ended.total()
        if ended == "void" and matches >= VOIDS_FROM and voids > self.request.max_voids * matches:
            self.stop(f"{voids} of {matches} matches were void, the last because of {why}")

    def _replay(self, fixture: Fixture) -> None:
        place = fixture.pair, fixture.swap
        if self._replays[place] == REPLAYS:
            self.ending.voids += 1
            if self.stopping is not None:
                self.stopping.given_up(fixture.pair)
            self._look(fixture.pair)
            return
        self._replays[place] += 1
        again = self._fixture(*place, fixture.replay + 1)
        if self.stopping is None and self.matchmaker is None:
            self._waiting.append(again)
        else:  # the pairs after it wait for it
            self._waiting.appendleft(again)
            self._rouse()

    def _look(self, pair: int | None = None) -> None:
        """What follows now that this pair may be complete (by default all on record): an end, or more to play."""
        if self.stopping is not None:
            seen = len(self.stopping.counted)
            see(self.stopping, self.record, pair)
            if pair is not None and len(self.stopping.counted) > seen:
                self._tell_test()
            if self.stopping.ended:
                self.stop(self.stopping.ended, decided=True)
        if self.matchmaker is not None:
            known = self.matchmaker.known
            tell(self.matchmaker, self.record, REPLAYS, pair)
            if pair is not None and self.matchmaker.known > known:
                self._open()
                self._rouse()

    def _tell_test(self) -> None:
        """How near the rule to stop by is to its end, where there is one that has seen a pair."""
        if self.stopping is not None and (told := self.stopping.progress()) is not None:
            self.events.emit("test", **told)

    def _tell_run(self) -> int:
        """Returns how many matches are left to play."""
        request, wall = self.request, self.budget.walls.get(RUN)
        planned = sum(len(request.board(pair).players) for pair in range(self.pairs))
        left = planned - sum(
            match.status == "finished" and match.pair < self.pairs for match in self._last.values()
        )
        self.events.emit(
            "run",
            run=self.run.id,
            output=str(self.record.directory),
            kind=request.KIND,
            game=", ".join(str(game) for game in request.games),
            players=[player.seated.label for player in self.players],
            specs=[player.seated.spec for player in self.players],
            pairs=request.pairs,
            matches=request.matches,
            boards=[
                {"game": board.game, "variant": dict(board.variant), "players": board.players, "share": share}
                for board, share in request.boards()
            ],
            planned=planned,
            waiting=left,
            spent_usd=self.budget.spent() / PICO,
            wall_usd=None if wall is None else wall / PICO,
            seed=request.seed,
            concurrency=planned if self._batched else request.concurrency,
        )
        return left

    # ── what there is to play ────────────────────────────────────────────────────────────────────

    def _recall(self) -> None:
        """The last match of every place on record."""
        for match in self.record.matches():
            place = match.pair, match.swap
            if place not in self._last or match.replay > self._last[place].replay:
                self._last[place] = match

    def _open(self) -> None:
        """Line up the pairs whose players are known by now."""
        known = self.pairs if self.matchmaker is None else min(self.pairs, self.matchmaker.known)
        self._waiting.extend(self._open_fixtures(range(self._opened, known)))
        self._opened = max(self._opened, known)

    def _open_fixtures(self, pairs: Iterable[int]) -> list[Fixture]:
        """Every match of these without a result; an interrupted one goes on where it stands."""
        course, fixtures = self._course, []
        for place in ((pair, swap) for pair in pairs for swap in range(len(course.board(pair).players))):
            known = self._last.get(place)
            if known is None:
                fixtures.append(self._fixture(*place, 0))
            elif known.status == "void":
                fixtures.append(self._fixture(*place, known.replay + 1))
            elif known.status != "finished":
                fixture = self._fixture(*place, known.replay)
                fixtures.append(
                    replace(fixture, id=known.id)
                )  # an earlier version may have named it otherwise
                self.journal.remember(known.id, self.record.past(known))
        return fixtures

    @property
    def _course(self) -> Request | Matchmaker:
        """Whoever knows which players a pair has."""
        return self.request if self.matchmaker is None else self.matchmaker

    def _fixture(self, pair: int, swap: int, replay: int) -> Fixture:
        return fixture_of(self.request, self._course, self.run.id, pair, swap, replay)

    # ── the record of it ─────────────────────────────────────────────────────────────────────────

    def _begin(self, known: tables.Run | None) -> tables.Run:
        """The run's row: a new one, or the one on record, whose players must be those of today."""
        run = known or tables.Run(
            id=new_run_id(),
            kind=self.request.KIND,
            status="running",
            seed=self.request.seed,
            request=self.request.to_json(),
            version=version(),
            created=now(),
        )
        if known is not None:
            self._recognise(self.record.players(), self.record.prices())
            run.status, run.reason, run.finished = "running", "", None
        run.budget_pico = walled(self.request, self.players).get(RUN)
        rows = [
            player_row(number, player.seated, self._prompts(player))
            for number, player in enumerate(self.players, 1)
        ]
        prices = [price_row(player.seated) for player in self.players if player.seated.price is not None]
        self.record.put(run, *rows, *prices)
        return run

    def _recognise(self, known: list[tables.Player], prices: Mapping[str, tables.Price]) -> None:
        """The players on record: billed, reached and asked as they were when the run began."""
        for player, row in zip(self.players, known, strict=True):
            was, is_now = row.parameters.get("endpoint", ""), player.seated.parameters.get("endpoint", "")
            if was != is_now:
                raise RecordError(
                    f"{row.label} was reached at {was} when {self.record.directory} began, and would be at "
                    f"{is_now} now: set the address back ({row.provider}'s _BASE_URL), or begin a new run"
                )
            if row.parameters.get("prompts", "") != self._prompts(player):
                raise RecordError(
                    f"the prompts of {row.label} have changed since {self.record.directory} began (another version, or "
                    "an edited template): one run asks in one way, so begin a new one"
                )
            frozen = prices.get(row.parameters.get("price", ""))
            player.seated = replace(player.seated, price=read_price(frozen) if frozen else None)

    def _prompts(self, player: Player) -> str:
        """Names every template that takes part in asking a model, + between games, in the order of the request.

        Empty for whoever is not asked in words.
        """
        style, track = player.seated.style, player.seated.track
        if not style:
            return ""
        games = [engine.new(each.game, 0, **each.variant) for each in self.request.games]
        views = [game.view(game.current_player()) for game in games]
        form = question_form(player.conduct, player.mode) if isinstance(player, ModelPlayer) else "json"
        return "+".join(prompts.render(view, style, track, form=form).style_sha for view in views)  # type: ignore[arg-type]


def fixture_of(
    request: Request, course: Request | Matchmaker, run: str, pair: int, swap: int, replay: int = 0
) -> Fixture:
    """A match of a request, by the number of its pair (from 0) and how far everybody has moved on.

    `course` knows which players a pair has: the request itself, or whoever chooses them by results.
    """
    board, deal = course.board(pair), course.deal(pair)
    seed = engine.derive(request.seed, "pair", deal)
    order = around(request.seed, deal, len(board.players))
    again = str(replay + 1) if replay else ""
    start = request.start(pair)
    return Fixture(
        id=f"{run}-{pair_name(pair)}{chr(ord('a') + swap)}{again}",
        pair=pair,
        swap=swap,
        replay=replay,
        seed=seed,
        game=board.game,
        order=tuple(board.players[place] - 1 for place in order) * (start.seats if start else 1),
        variant=board.variant,
        opening=draw_opening(board, request.opening, seed),
        start=start,
    )


def walled(request: Request, players: Sequence[Player]) -> dict[int, int]:
    """The walls of a run in pico-dollars, by player's number or `RUN`.

    Raises ValueError; SpecError where nobody knows what a player costs whom a wall is to hold.
    """
    seated = [player.seated for player in players]
    found = walls(request.max_cost, [names_of(each.label, each.spec, each.model) for each in seated])
    for number, each in enumerate(seated, 1):
        if each.model and each.price is None and (RUN in found or number in found):
            raise SpecError(
                f"nobody knows what {each.label} costs, so no --max-cost can hold: give a --price, or leave it out"
            )
    return found


def limited(request: Request, players: Sequence[Player]) -> dict[str, Limits]:
    """The limits of a run by the name that they were given for, '' for whoever has none. Raises ValueError.

    They are of those who are asked at once: batches have limits of their own at every service.
    """
    asked = [player.seated for player in players if player.seated.model]
    models = [each for each in asked if each.parameters.get("tier") != "batch"]
    if request.limits and asked and not models:
        raise ValueError(
            "--limit is for models that are asked at once, and all are asked in batches: leave it out"
        )
    names = {name for each in models for name in (each.model, f"{each.provider}:{each.model}")}
    found: dict[str, Limits] = {}
    for text in request.limits:
        name, limits = parse_limits(text)
        if name and name not in names:
            known = ", ".join(sorted({each.model for each in models})) or "none"
            raise ValueError(f"--limit {text}: no model is called {name!r}; there are {known}")
        if name in found:
            raise ValueError(
                f"--limit {text}: {name or 'everybody'} is limited twice: say it in one, as rpm=5,tpm=9"
            )
        found[name] = limits
    return found


def batched(players: Sequence[Player]) -> dict[int, BatchProvider]:
    """The services of those who are asked in batches, by the player's number. Raises SpecError."""
    found = {}
    for number, player in enumerate(players, 1):
        if isinstance(player, ModelPlayer) and player.conduct.tier == "batch":
            if not isinstance(player.provider, BatchProvider):
                raise SpecError(
                    f"{player.seated.spec}: {player.provider.name} takes no batches: leave tier=batch out"
                )
            found[number] = player.provider
    return found


def seat_players(request: Request, table: Table, *, billed: bool = False) -> list[Player]:
    """The players of a request, with labels that tell them apart; `billed`: prices are known elsewhere.

    Raises SpecError.
    """

    def seat(spec: str, label: str | None = None) -> Player:
        unpriced = request.unpriced or billed
        return table.seat(spec, request.conduct, price=request.price, unpriced=unpriced, label=label)

    players = [seat(spec) for spec in request.players]
    labels = [player.seated.label for player in players]
    if len(set(labels)) == len(labels):
        return players
    apart = told_apart(labels, [player.seated.spec.partition("?")[2] for player in players])
    return [seat(spec, label) for spec, label in zip(request.players, apart, strict=True)]


def told_apart(labels: Sequence[str], options: Sequence[str]) -> list[str]:
    """Labels that differ: by the options where those do, and by their places where even those are the same."""
    known: dict[str, set[str]] = {}
    for label, option in zip(labels, options, strict=True):
        known.setdefault(label, set()).add(option)
    named = [
        f"{label}?{option}" if option and len(known[label]) > 1 else label
        for label, option in zip(labels, options, strict=True)
    ]
    return [
        f"{name} #{number}" if named.count(name) > 1 else name for number, name in enumerate(named, start=1)
    ]


def new_run_id() -> str:
    """Sorts by time (seconds), unique by chance: r + 7 base-32 digits + 4 random ones."""
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    number, text = int(time.time()), ""
    for _ in range(7):
        number, digit = divmod(number, 32)
        text = digits[digit] + text
    return "r" + text + "".join(secrets.choice(digits) for _ in range(4))


def version() -> str:
    from importlib.metadata import version

    return version("duelist")


def player_row(number: int, seated: Seated, prompts_sha: str) -> tables.Player:
    return tables.Player(
        id=number,
        spec=seated.spec,
        label=seated.label,
        kind=seated.kind,
        provider=seated.provider,
        model=seated.model,
        style=seated.style,
        track=seated.track,
        parameters={**seated.parameters, "price": seated.price_id, "prompts": prompts_sha},
        hash=f"{seated.hash}-{prompts_sha}" if prompts_sha else seated.hash,
    )


def price_row(seated: Seated) -> tables.Price:
    assert seated.price is not None
    numbers = asdict(seated.price)
    about = {name: numbers.pop(name) for name in ("tier", "source", "dated")}
    return tables.Price(
        id=seated.price_id, provider=seated.provider, model=seated.model, numbers=numbers, **about
    )


def read_price(row: tables.Price) -> Price:
    """The inverse of `price_row`."""
    long = row.numbers["long"]
    numbers = {**row.numbers, "long": long and Rates(**long)}
    return Price(**numbers, tier=row.tier, source=row.source, dated=row.dated)
