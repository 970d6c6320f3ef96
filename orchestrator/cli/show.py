"""`orchestrator show MATCH`: one match replayed from its record, move by move; or a run's list of matches.

Boards come from the recorded states, and a wrong answer is read again by the reader that refused it.
A record may be somebody else's: everything in it goes to the screen through `text`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from orchestrator.cli import text

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from engine import Game
    from orchestrator.record.reading import MatchStory, Played, RunResult
    from orchestrator.record.tables import Call, Decision, Player, Seat

RUNS = Path("runs")
SHORT = 500  # characters of one text without --full
BESIDE = 34  # columns that a text needs to stand beside a board
SEAT_STYLES = ("cyan", "magenta", "green", "yellow", "blue", "bright_cyan", "bright_magenta", "bright_green")


@click.command(short_help="Replay a match: boards, all sides' reasoning, cost.")
@click.argument("match")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--ply", type=click.IntRange(min=1), metavar="N", help="Only the Nth move.")
@click.option("--full", is_flag=True, help="Reasoning and answers whole.")
@click.option("--prompts", is_flag=True, help="The exact system and user text of every decision.")
@click.option("--calls", is_flag=True, help="Every attempt: tokens, cost, time, errors.")
@click.option("--json", "as_json", is_flag=True, help="Everything on record, as one JSON object.")
def command(
    match: str, run: Path | None, ply: int | None, full: bool, prompts: bool, calls: bool, as_json: bool
) -> None:
    """Replay a MATCH in the terminal: boards, all sides' reasoning, cost.

    Where hands are hidden each board is what the player who moves could see.

    MATCH is a match's id or the end of one (0007a), looked for in RUN or in all of runs/. A run's directory
    in its place lists the matches of that run.

    \b
    orchestrator show 0007a
    orchestrator show 0007a runs/NAME --full --prompts
    orchestrator show runs/NAME
    """
    from orchestrator.record.database import RecordError
    from orchestrator.record.reading import match_story, run_result

    try:
        if run is None and Path(match).exists():
            _show_run(run_result(Path(match)), as_json)
            return
        story = match_story(*find(match, run))
        if as_json:
            click.echo(json.dumps(story_json(story), indent=2, allow_nan=False))
        else:
            _show_match(story, ply, full=full, prompts=prompts, calls=calls)
    except RecordError as error:
        raise click.UsageError(text.clean(str(error))) from None


def _show_match(story: MatchStory, ply: int | None, *, full: bool, prompts: bool, calls: bool) -> None:
    if ply is not None and not any(decision.ply == ply - 1 for decision in story.decisions):
        known = [decision.ply + 1 for decision in story.decisions]
        there = f"moves {known[0]} to {known[-1]}" if known else "no moves"
        raise click.UsageError(f"{text.one_line(story.match.id)} has {there} on record, got --ply {ply}")
    console = text.console()
    teller = Teller(story, console.width, full=full, prompts=prompts, calls=calls)
    for part in teller.tell(ply):
        console.print(part)


def find(match: str, run: Path | None) -> tuple[Path, str]:
    """The record that holds a match, and the match's whole id. Raises RecordError."""
    from orchestrator.record.database import RecordError
    from orchestrator.record.reading import match_ids
    from orchestrator.record.store import RECORD_FILE

    if run is not None:
        return run, match
    found: list[tuple[Path, str]] = []
    paths = sorted(path.parent for path in RUNS.glob(f"*/{RECORD_FILE}"))
    for path in paths:
        try:
            found += [(path, known) for known in match_ids(path, match)]
        except RecordError:
            continue  # somebody else's file among the runs cannot hold the match
    if len(found) == 1:
        return found[0]
    exact = [place for place in found if place[1] == match]
    if exact:
        return exact[-1]
    if found:
        some = "".join(f"\n  {text.command('show', known, str(path))}" for path, known in found[:8])
        raise RecordError(f"{len(found)} matches end in {match!r}; name one:{some}")
    raise RecordError(
        f"there is no match {match!r} in {text.plural(len(paths), 'record')} below {RUNS}/: give its run's "
        f"directory too, as in `{text.command('show', match, 'DIR')}`, or list a run with `orchestrator show DIR`"
    )


# ── a run ────────────────────────────────────────────────────────────────────────────────────────────


def _show_run(result: RunResult, as_json: bool) -> None:
    from orchestrator.cli.result import result_table
    from orchestrator.summary import summary

    if as_json:
        whole = {**summary(result), "list": [match_json(result, match) for match in result.matches]}
        click.echo(json.dumps(whole, indent=2, allow_nan=False))
        return
    console = text.console()
    console.print(_matches(result))
    console.print(result_table(summary(result), hint=False))
    if result.matches:
        one = text.command("show", result.matches[0].id, str(result.path))
        console.print(f"\nReplay one: {one}", soft_wrap=True)


def match_json(result: RunResult, match: Played) -> dict[str, Any]:
    done = bool(match.scores)
    return {
        "id": match.id,
        "status": match.status,
        "reason": match.reason,
        "plies": match.plies,
        "seats": [player.label for player in result.seated(match)],
        "scores": [place.score for place in match.seats] if done else None,
        "ranks": [place.rank for place in match.seats] if done else None,
        "points": [place.points for place in match.seats] if done else None,
    }


def _matches(result: RunResult) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("match", no_wrap=True)
    two = all(len(match.seats) == 2 for match in result.matches)
    games = len({match.game for match in result.matches}) > 1
    table.add_column("players by seat" if two else "players by seat, with points", overflow="fold")
    table.add_column("result" if two else "first", no_wrap=two, overflow="fold")
    table.add_column("plies", justify="right")
    if games:
        table.add_column("game", overflow="fold")
    for match in result.matches:
        cells = _between_two(result, match) if two else _at_a_table(result, match)
        table.add_row(
            text.one_line(match.id), *cells, str(match.plies), *([text.one_line(match.game)] if games else [])
        )
    return table


def _between_two(result: RunResult, match: Played) -> tuple[str, str]:
    names = " – ".join(text.one_line(player.label) for player in result.seated(match))
    if not match.scores:
        return names, text.one_line(match.status)
    return names, "–".join(text.points(place.score or 0) for place in match.seats)


def _at_a_table(result: RunResult, match: Played) -> tuple[str, str]:
    seats = list(zip(match.seats, result.seated(match), strict=True))
    names = [
        text.one_line(player.label) + ("" if seat.points is None else f" {text.amount(seat.points)}")
        for seat, player in seats
    ]
    if not match.scores:
        return ", ".join(names), text.one_line(match.status)
    return ", ".join(names), ", ".join(
        text.one_line(player.label) for seat, player in seats if seat.rank == 1
    )


# ── a match ──────────────────────────────────────────────────────────────────────────────────────────


class Said(NamedTuple):
    """A recorded answer, as `prompts.parse` takes it."""

    text: str
    finish: str
    probabilities: None = None


class Teller:
    """Tells one match, part by part."""

    def __init__(self, story: MatchStory, width: int, *, full: bool, prompts: bool, calls: bool) -> None:
        self.story = story
        self.width = width
        self.limit = None if full else SHORT
        self.prompts = prompts
        self.calls = calls
        self.two = len(story.seats) <= 2
        self._told_system: set[int] = set()

    def tell(self, ply: int | None = None) -> Iterator[RenderableType]:
        """The head, the moves (or only the one with that number), and the end."""
        yield self._head()
        if ply is None and self.story.match.opening:
            yield self._opening()
        for decision in self.story.decisions:
            if ply is None or decision.ply == ply - 1:
                yield from self._move(decision)
        if ply is None:
            yield from self._left_open()
            yield self._end()

    # ── head and end ─────────────────────────────────────────────────────────────────────────────

    def _head(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        match = self.story.match
        variant = "".join(f" {key}={value}" for key, value in match.variant.items())
        if self.two:
            place = f"pair {match.pair + 1}, seats {'swapped' if match.swap else 'as named'}"
        else:
            place = f"deal {match.pair + 1}, seating {match.swap + 1} of {len(self.story.seats)}"
        if match.replay:
            place += f", replay {match.replay} of a void match"
        players = Table.grid(padding=(0, 2))
        for seat, player in self.story.seats:
            name = Text(f"  {self._name(seat.seat)}", f"bold {_style(seat.seat)}")
            players.add_row(name, Text(_described(player), "dim"))
        return Group(
            Text(text.one_line(f"{match.game}{variant} · {match.id}"), "bold"),
            Text(f"{place} · seed {match.seed}", "dim"),
            players,
            Text(""),
        )

    def _name(self, seat: int) -> str:
        label, mark = self.story.seats[seat][1].label, self._mark(seat)
        return text.one_line(f"{label} ({mark})" if mark else label)

    def _mark(self, seat: int) -> str:
        """How the board writes this seat, where the game says so; at a table what the prompts call it."""
        if not self.two:
            return f"P{seat + 1}"
        for decision in self.story.decisions:
            if decision.seat == seat and (game := _game(decision)) is not None:
                return str(game.facts(seat).get("mark", ""))
        return ""

    def _opening(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        game = _game(self.story.decisions[0]) if self.story.decisions else None
        if game is None:
            return Text(f"opening, nobody's choice: actions {self.story.match.opening}\n", "dim")
        moves = text.moves(move.text for move in game.history()[: len(self.story.match.opening)])
        return Group(
            Text(f"opening, nobody's choice: {moves}", "dim"),
            Text(_board(game, self.story.decisions[0].seat)),
            Text(""),
        )

    def _end(self) -> Text:
        from rich.text import Text

        match = self.story.match
        end = Text()
        if match.status == "finished":
            for seat in self._by_rank():
                why = f" by forfeit: {text.one_line(seat.forfeit, 200)}" if seat.forfeit else ""
                came = seat.outcome or "" if self.two else _came(seat)
                end.append(
                    f"{self._name(seat.seat)}: {text.one_line(came)}{why}\n",
                    f"bold {_style(seat.seat)}",
                )
        else:
            why = f": {text.clean(match.reason, self.limit)}" if match.reason else ""
            end.append(f"{text.one_line(match.status)}{why}\n", "bold yellow")
        calls = [call for made in self.story.calls.values() for call in made]
        parts = [text.plural(len(self.story.decisions), "move")]
        if calls:
            parts += [text.plural(len(calls), "call"), _cost(calls)]
        if match.started and match.finished:
            parts.append(text.duration(match.finished - match.started))
        end.append(" · ".join(parts), "dim not bold")
        return end

    def _by_rank(self) -> list[Seat]:
        """Two in the order of their seats, a table with the first first."""
        seats = [seat for seat, _ in self.story.seats]
        return seats if self.two else sorted(seats, key=lambda seat: seat.rank or 0)

    # ── moves ────────────────────────────────────────────────────────────────────────────────────

    def _move(self, decision: Decision) -> Iterator[RenderableType]:
        from rich.text import Text

        game = _game(decision)
        calls = self.story.calls.get(decision.id, [])
        yield self._move_line(decision, calls, self._named(decision, game))
        if self.prompts:
            yield from self._asked(decision)
        words = self._words(decision, calls, game)
        game = _after(game, decision)
        board = Text(_board(game, decision.seat)) if game is not None else Text("(no board)", "dim")
        yield self._beside(board, words)
        if self.calls and calls:
            yield _call_table(calls)
        yield Text("")

    def _named(self, decision: Decision, game: Game | None) -> str:
        """The other move that the decision's text commits to, if it does."""
        from orchestrator.stated import otherwise

        if game is None or decision.action is None or decision.outcome not in ("ok", "reasked"):
            return ""
        track = self.story.seats[decision.seat][1].track
        thought, kind = self.story.thought(decision.id)
        reasoning = thought if kind in ("raw", "summary") else ""
        return otherwise(decision.action, decision.rationale, reasoning, game.view(decision.seat), track)

    def _move_line(self, decision: Decision, calls: Sequence[Call], named: str = "") -> Text:
        from rich.text import Text

        line = Text()
        line.append(f"{decision.ply + 1:>3}  ", "dim")
        line.append(f"{self._name(decision.seat)} ", f"bold {_style(decision.seat)}")
        if decision.action is None:
            line.append(f"forfeits: {text.one_line(decision.fault, 200)}", "bold red")
        elif decision.outcome == "fallback":
            line.append("is moved at random to ", "red")
            line.append(text.one_line(f"{decision.action_text}: {decision.fault}", 200), "bold red")
        else:
            if named:
                line.append("names ", "yellow")
                line.append(text.one_line(named, 40), "bold yellow")
                line.append(", ", "yellow")
            line.append("plays ")
            line.append(text.one_line(decision.action_text), "bold")
        if calls:
            read = sum(c.input_fresh + c.cache_read + c.cache_write_short + c.cache_write_long for c in calls)
            written = sum(call.output for call in calls)
            tokens = f"{text.count(read)} → {text.count(written)} tokens"
            took = text.duration(decision.latency_ms / 1000)
            line.append(f"   {took} · {_cost(calls)} · {tokens}", "dim")
        return line

    def _asked(self, decision: Decision) -> Iterator[RenderableType]:
        """The exact texts; the system text, the same for a seat over the whole match, only once."""
        from rich.padding import Padding
        from rich.text import Text

        if decision.system_blob is not None and decision.seat not in self._told_system:
            self._told_system.add(decision.seat)
            yield Padding(Text("system", "dim underline"), (0, 0, 0, 5), expand=False)
            yield Padding(Text(text.clean(self.story.text(decision.system_blob))), (0, 0, 1, 5), expand=False)
        if decision.user_blob is not None:
            yield Padding(Text("user", "dim underline"), (0, 0, 0, 5), expand=False)
            yield Padding(Text(text.clean(self.story.text(decision.user_blob))), (0, 0, 1, 5), expand=False)

    def _words(self, decision: Decision, calls: Sequence[Call], game: Game | None) -> Text:
        """What was wrong at first, then what the player thought and said."""
        from rich.text import Text

        parts: list[Text] = []
        answered = [call for call in calls if call.answer is not None]
        # The last answer was the move; where there was none (a forfeit, a fallback) it was wrong too.
        wrong = answered[:-1] if decision.outcome in ("ok", "reasked") else answered
        for call in wrong:
            parts.append(Text(f"wrong: {self._complaint(call, decision, game)}", "yellow"))
            parts.append(Text(f"it said: {self._some(call.answer or '') or '(nothing)'}", "dim"))
        thought, reasoning_kind = self.story.thought(decision.id)
        if thought:
            kind = "" if reasoning_kind in ("raw", "none") else f" ({text.one_line(reasoning_kind)})"
            parts.append(Text(f"thinks{kind}: {self._some(thought)}", "dim italic"))
        if decision.rationale:
            parts.append(Text(self._some(decision.rationale)))
        if decision.forecast is not None:
            parts.append(Text(f"expects to score {text.percent(decision.forecast, 1)}", "dim"))
        return Text("\n").join(parts)

    def _some(self, words: str) -> str:
        words = words.strip()
        if self.limit is None or len(words) <= self.limit:
            return text.clean(words)
        return f"{text.clean(words, self.limit)} ({len(words) - self.limit + 1:,} more characters: --full)"

    def _complaint(self, call: Call, decision: Decision, game: Game | None) -> str:
        """What the reader makes of an answer that was no move."""
        import prompts

        if game is None:
            return "not a legal move"
        player = self.story.seats[decision.seat][1]
        answer = Said(call.answer or "", call.finish)
        track: prompts.Track = "rules" if player.track == "rules" else "open"
        asked = player.parameters.get("forecast") is True
        read = prompts.parse(answer, game.view(decision.seat), track, forecast=asked)
        if isinstance(read, prompts.Choice):
            return "refused then, read as a move today"  # the reader has been changed since
        return f"{read.kind}. {text.clean(read.message, self.limit)}"

    def _beside(self, board: Text, words: Text) -> RenderableType:
        """Words to the right of the board if there is room, else below it."""
        from rich.console import Group
        from rich.padding import Padding
        from rich.table import Table

        if not words:
            return Padding(board, (0, 0, 0, 5), expand=False)
        wide = max(len(line) for line in board.plain.splitlines())
        if self.width - wide - 9 < BESIDE:
            return Padding(Group(board, words), (0, 0, 0, 5), expand=False)
        grid = Table.grid(padding=(0, 4, 0, 0))
        grid.add_column(no_wrap=True, width=wide)
        grid.add_column(overflow="fold", ratio=1)
        grid.add_row(board, words)
        return Padding(grid, (0, 0, 0, 5), expand=False)

    def _left_open(self) -> Iterator[RenderableType]:
        """Calls of a decision that was never made: why a match is void."""
        from rich.text import Text

        made = {decision.id for decision in self.story.decisions}
        for decision, calls in self.story.calls.items():
            if decision not in made:
                ply = decision.rpartition("-")[2]
                number = str(int(ply) + 1) if ply.isdecimal() else "?"
                yield Text(f"{number:>3}  no move; what was tried:", "yellow")
                yield _call_table(calls)
                yield Text("")


def _came(seat: Seat) -> str:
    """rank 1, 124 points"""
    paid = "" if seat.points is None else f", {text.amount(seat.points)} point{'s' * (seat.points != 1)}"
    return f"rank {seat.rank}{paid}"


def _style(seat: int) -> str:
    return SEAT_STYLES[seat % len(SEAT_STYLES)]


def _described(player: Player) -> str:
    words = [player.spec]
    if player.style:
        words += [f"style {player.style}", f"{player.track} track"]
    return text.one_line(", ".join(words))


def _game(decision: Decision) -> Game | None:
    """The game as it stood when that decision was asked for; None if this installation cannot read it."""
    import engine

    try:
        return engine.from_bytes(decision.state)
    except ValueError:
        return None


def _after(game: Game | None, decision: Decision) -> Game | None:
    """The game with that decision made; None if its rules, here, do not allow it."""
    if game is None or decision.action is None:
        return game
    try:
        game.apply(decision.action)
    except ValueError:
        return None
    return game


def _board(game: Game, seat: int) -> str:
    """What that seat may see; cleaned like all foreign text, because a game may come from outside."""
    return text.clean(game.board_text(seat).rstrip("\n"))


def _cost(calls: Sequence[Call]) -> str:
    if any(call.price is None for call in calls):
        return "no price known"
    paid = text.money(sum(call.cost_pico for call in calls if not call.possibly_billed))
    perhaps = sum(call.cost_pico for call in calls if call.possibly_billed)
    return f"{paid} (+ {text.money(perhaps)} possibly billed)" if perhaps else paid


def _call_table(calls: Sequence[Call]) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for name in ("ask", "in", "cached", "out", "think", "cost", "took"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("what came back", overflow="fold")
    for call in calls:
        read = call.input_fresh + call.cache_read + call.cache_write_short + call.cache_write_long
        status = f" {call.http_status}" if call.http_status else ""
        said = call.finish if call.kind == "ok" else f"{call.kind}{status}: {call.error}"
        table.add_row(
            f"{call.ask + 1}.{call.attempt}",
            *map(str, (read, call.cache_read, call.output, call.reasoning)),
            _cost([call]),
            text.duration(call.latency_ms / 1000),
            Text(text.one_line(f"{call.model_reported} {said}", 400)),
        )
    return Padding(table, (0, 0, 0, 5), expand=False)


# ── for programs ─────────────────────────────────────────────────────────────────────────────────────


def story_json(story: MatchStory) -> dict[str, Any]:
    """Everything on record about a match; texts in place of blobs, states as hexadecimal."""
    seats = [_seat_json(seat, player) for seat, player in story.seats]
    decisions = [_decision_json(story, decision) for decision in story.decisions]
    made = {decision.id for decision in story.decisions}
    left = [
        _call_json(story, call) for name, calls in story.calls.items() if name not in made for call in calls
    ]
    return {
        "match": story.match.model_dump(exclude={"went"}),
        "seats": seats,
        "decisions": decisions,
        "open_calls": left,
    }


def _seat_json(seat: Seat, player: Player) -> dict[str, Any]:
    return {**seat.model_dump(exclude={"match"}), "player": player.model_dump()}


def _decision_json(story: MatchStory, decision: Decision) -> dict[str, Any]:
    game = _after(_game(decision), decision)
    reasoning, kind = story.thought(decision.id)
    return {
        **decision.model_dump(exclude={"match", "state", "system_blob", "user_blob"}),
        "state": decision.state.hex(),
        "board": game and game.board_text(decision.seat),
        "system": story.text(decision.system_blob),
        "user": story.text(decision.user_blob),
        "reasoning": reasoning,
        "reasoning_kind": kind,
        "calls": [_call_json(story, call) for call in story.calls.get(decision.id, [])],
    }


def _call_json(story: MatchStory, call: Call) -> dict[str, Any]:
    reasoning, response, request = story.texts(call)
    return {
        **call.model_dump(exclude={"texts_blob"}),
        "reasoning_text": reasoning,
        "request": request,
        "response": response,
    }
