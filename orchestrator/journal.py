"""What happens in a run, told twice: as rows to the record and as events to whoever watches.

The match loop and the duel speak to this and to nothing else of the record. A decision's calls are
put as they come back, the decision after them; the record keeps that order on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import engine
from engine import Game, Rng, View
from orchestrator.budget import RUN, Budget, Reservation
from orchestrator.events import Events
from orchestrator.fixture import Fixture, Result
from orchestrator.model import ModelPlayer
from orchestrator.players import CallMade, Decision, Gate, Player, StopSign, Turn
from orchestrator.programme import game_text
from orchestrator.record import tables
from orchestrator.record.store import Past, Record, decision_id, now
from providers.base import ProviderError, Reply
from providers.retry import Attempt


class Journal:
    def __init__(
        self,
        record: Record,
        events: Events,
        run: str,
        players: Sequence[Player],
        budget: Budget | None = None,
        apart: Collection[int] = (),
    ) -> None:
        """`apart`: players (from 1) whose chance is their own, see `Terms.apart`."""
        self.record = record
        self.events = events
        self.run = run
        self.players = players
        self.budget = budget or Budget()
        self.stop = StopSign()
        self.gate = Gate()
        self.apart = apart
        self._told_spent = self.budget.spent()
        self._reserved: dict[str, Reservation] = {}  # by call id: what is out
        self._prices = [player.seated.price_id for player in players]
        self._pasts: dict[str, Past] = {}
        self._open: dict[str, tables.Match] = {}

    # ── matches ──────────────────────────────────────────────────────────────────────────────────

    def begin(self, fixture: Fixture, game: Game) -> tuple[tables.Decision, ...]:
        """The match is being played now, from this position; what was decided in it before an interruption."""
        past = self._pasts.get(fixture.id, Past())
        row = tables.Match(
            id=fixture.id,
            run=self.run,
            pair=fixture.pair,
            swap=fixture.swap,
            replay=fixture.replay,
            seed=fixture.seed,
            game=fixture.game,
            variant=dict(fixture.variant),
            opening=list(fixture.opening),
            status="running",
            plies=len(fixture.opening) + len(past.decisions),
            started=past.started or now(),
        )
        self._open[fixture.id] = row
        seats = enumerate(self._seats(fixture))
        self.record.put(row, *(tables.Seat(match=fixture.id, seat=s, player=p) for s, p in seats))
        deal = hashlib.blake2b(game.to_bytes(), digest_size=8).hexdigest()
        self._tell_match(fixture, "started", deal=deal, begins=game.current_player())
        return past.decisions

    def remember(self, match: str, past: Past) -> None:
        """What an interrupted match goes on from when it begins again."""
        self._pasts[match] = past

    def finished(self, fixture: Fixture, result: Result | None) -> None:
        if result is None:
            return self._asked(fixture)
        self._close(fixture, "finished", seats=seat_rows(fixture.id, self._seats(fixture), result))
        self._tell_match(
            fixture,
            "finished",
            scores=list(result.scores),
            ranks=list(result.ranks),
            points=list(result.points),
            plies=result.plies,
            forfeits=list(result.forfeits),
        )

    def _asked(self, fixture: Fixture) -> None:
        """It ended with one decision: nobody has won anything."""
        plies = self._open[fixture.id].plies
        self._close(fixture, "finished")
        self._tell_match(fixture, "finished", scores=[], ranks=[], points=[], plies=plies, forfeits=[])

    def void(self, fixture: Fixture, why: str) -> None:
        """Trouble with a service ended it: it does not count."""
        self._close(fixture, "void", why)
        self._tell_match(fixture, "void", reason=why)

    def stopped(self, fixture: Fixture) -> None:
        """It stands where it is and can be resumed."""
        self._close(fixture, "stopped")
        self._tell_match(fixture, "stopped")

    def _close(self, fixture: Fixture, status: str, why: str = "", seats: Sequence[tables.Seat] = ()) -> None:
        row = self._open.pop(fixture.id)
        self._pasts.pop(fixture.id, None)
        row.status, row.reason, row.finished = status, why, now()
        self.record.put(row, *seats)

    def _tell_match(self, fixture: Fixture, status: str, **more: Any) -> None:
        place = {"pair": fixture.pair, "swap": fixture.swap, "replay": fixture.replay}
        game = game_text(fixture.game, fixture.variant)
        labels = [self.players[player - 1].seated.label for player in self._seats(fixture)]
        self.events.emit("match", id=fixture.id, status=status, game=game, seats=labels, **place, **more)

    def _seats(self, fixture: Fixture) -> list[int]:
        """Player ids, which count from 1 in the order of the command line, by seat."""
        return [player + 1 for player in fixture.seating()]

    # ── decisions and calls ──────────────────────────────────────────────────────────────────────

    def turn(self, fixture: Fixture, view: View) -> Turn:
        """The next decision's own chance, so that the order of matches and a restart change nothing.

        Raises Stopped where the run is to end.
        """
        self.stop.check()
        seed = engine.derive(fixture.seed, "turn", fixture.swap, view.ply)
        player = self._seats(fixture)[view.seat]
        if player in self.apart:
            seed = engine.derive(seed, "apart", player)
        name = decision_id(fixture.id, view.ply)
        turn = self.open_turn(name, player, seed)
        if fixture.start is not None:
            turn = turn._replace(relabelled=fixture.start.relabelled)
        past = self._pasts.get(fixture.id)
        if past is None or past.open != name:
            return turn
        return turn._replace(answered=past.answered, attempts=past.attempts)

    def open_turn(self, name: str, player: int, seed: int) -> Turn:
        """A turn of a player (counted from 1) whose calls go on record under this decision's name."""
        return Turn(
            name,
            Rng(seed),
            seed & 0x7FFFFFFF,
            self.stop,
            partial(self.called, player),
            partial(self.reserve, player),
            partial(self.leaves, player),
        )

    def decided(self, fixture: Fixture, view: View, state: bytes, made: Decision) -> None:
        """A choice was made in a position, whose bytes are `state`; if it was a move, it has been played."""
        self._open[fixture.id].plies += made.action is not None
        question = made.question
        action_text = next((action.text for action in view.legal if action.id == made.action), "")
        player = self._seats(fixture)[view.seat]
        self.record.put_columns(
            tables.Decision,
            id=decision_id(fixture.id, view.ply),
            match=fixture.id,
            ply=view.ply,
            seat=view.seat,
            player=player,
            action=made.action,
            action_text=action_text,
            legal=[action.id for action in view.legal],
            mode=made.mode,
            outcome=made.outcome,
            fault=made.fault,
            illegal=made.illegal,
            rationale=made.rationale,
            forecast=made.forecast,
            probabilities=_json_keys(made.probabilities),
            state=state,
            system_blob=self.record.blob(question.system) if question else None,
            user_blob=self.record.blob(question.user, like=f"user {player}") if question else None,
            style_sha=question.style_sha if question else "",
            latency_ms=made.latency_s * 1000,
            cost_pico=made.cost_pico,
            decided=now(),
        )
        self.events.emit(
            "decision",
            match=fixture.id,
            ply=view.ply,
            seat=view.seat,
            player=self.players[player - 1].seated.label,
            move=action_text,
            outcome=made.outcome,
            fault=made.fault,
            illegal=made.illegal,
            rationale=made.rationale,
            latency_ms=round(made.latency_s * 1000, 1),
            cost_usd=made.cost_pico / 1e12,
        )

    async def reserve(self, player: int, call: CallMade) -> None:
        """Waits until an attempt may go: until its worst case fits under the wall, and while the run is paused.

        In that order, so that whoever gets room during a pause waits for its end. Raises Stopped, WallReached.
        """
        if call.cost_pico:
            room = self.budget.reserve(player, call.cost_pico)
            self._reserved[call.id] = await self.stop.unless_up(room)
        if not self.gate.is_open:
            await self.stop.unless_up(self.gate.passed())

    async def leaves(self, player: int, call: CallMade) -> None:
        """An attempt leaves; one that costs is on disk first, so that no crash can hide it. Raises Stopped."""
        self.stop.check()
        self.called(player, call)
        if call.cost_pico:
            await self.record.durable()

    def called(self, player: int, call: CallMade) -> None:
        """An attempt leaves, or is back: answered or failed. Its row is put both times."""
        seated = self.players[player - 1].seated
        reply = call.attempt.reply if call.attempt else None
        error = call.attempt.error if call.attempt else None
        body, usage = reply or error, call.usage
        kind = "sent" if call.attempt is None else error.kind if error else "ok"
        status = error.status if error else 200 if reply else None
        latency_ms = call.attempt.latency_s * 1000 if call.attempt else 0.0
        self.record.put_columns(
            tables.Call,
            id=call.id,
            decision=call.decision,
            player=player,
            ask=call.ask,
            attempt=call.number,
            kind=kind,
            http_status=status,
            request_id=body.request_id if body else "",
            model_reported=reply.model if reply else "",
            tier=usage.tier,
            input_fresh=usage.input_fresh,
            cache_read=usage.cache_read,
            cache_write_short=usage.cache_write_short,
            cache_write_long=usage.cache_write_long,
            output=usage.output,
            reasoning=usage.reasoning,
            cost_pico=call.cost_pico,
            price=self._prices[player - 1] if call.priced else None,
            possibly_billed=call.possibly_billed,
            latency_ms=latency_ms,
            started=call.started_unix,
            answer=reply.text if reply else None,
            finish=reply.finish if reply else "",
            finish_detail=reply.finish_detail if reply else "",
            reasoning_kind=reply.reasoning_kind if reply else "none",
            probabilities=_json_keys(reply.probabilities) if reply else None,
            texts_blob=self._texts(f"{kind} {player}", reply, body),
            error=error.message if error else "",
        )
        if call.attempt is None:
            return
        if reservation := self._reserved.pop(call.id, None):
            self.budget.settle(reservation, call.cost_pico)
            self._tell_budget()
        self.events.emit(
            "call",
            decision=call.decision,
            player=seated.label,
            kind=kind,
            ask=call.ask,
            attempt=call.number,
            status=status,
            model=reply.model if reply else "",
            input_tokens=usage.input,
            output_tokens=usage.output,
            cost_usd=call.cost_pico / 1e12,
            possibly_billed=call.possibly_billed,
            latency_ms=round(latency_ms, 1),
            error=error.message if error else "",
        )

    def returned(self, call: tables.Call, outcome: Reply | ProviderError) -> None:
        """What came, hours later, of a call of an earlier process whose row says `sent`."""
        player = self.players[call.player - 1]
        assert isinstance(player, ModelPlayer), "nobody else is asked over a wire"
        bill = player.bill(outcome, call.cost_pico)
        reply = outcome if isinstance(outcome, Reply) else None
        error = outcome if isinstance(outcome, ProviderError) else None
        attempt = Attempt(call.attempt, call.started, reply.latency_s if reply else 0.0, reply, error)
        self.budget.settle(
            Reservation(call.player, 0), bill[0] - call.cost_pico
        )  # it was counted at its worst
        self.called(
            call.player,
            CallMade(call.decision, call.ask, call.attempt, call.started, *bill, attempt),
        )

    def _tell_budget(self) -> None:
        """Each time another twentieth of the wall is spent."""
        wall = self.budget.walls.get(RUN)
        if wall is None or self.budget.spent() < self._told_spent + wall // 20:
            return
        self._told_spent = self.budget.spent()
        self.events.emit(
            "budget",
            spent_usd=self.budget.spent() / 1e12,
            reserved_usd=self.budget.reserved() / 1e12,
            wall_usd=wall / 1e12,
        )

    def _texts(self, like: str, reply: Reply | None, body: Reply | ProviderError | None) -> int | None:
        """The reasoning and the two bodies, as the record keeps them together."""
        texts = (reply.reasoning if reply else "", body.raw_response, body.raw_request) if body else ()
        return self.record.blob(*texts, like=like) if any(texts) else None


def seat_rows(match: str, players: Sequence[int], result: Result) -> list[tables.Seat]:
    """Who sat where (players by number, from 1), and what came of it."""
    return [
        tables.Seat(
            match=match,
            seat=seat,
            player=player,
            score=result.scores[seat],
            outcome=result.outcomes[seat],
            rank=result.ranks[seat],
            forfeit=result.forfeits[seat],
            points=result.points[seat],
        )
        for seat, player in enumerate(players)
    ]


def _json_keys(probabilities: Mapping[int, float] | None) -> dict[str, float] | None:
    return None if probabilities is None else {str(action): p for action, p in probabilities.items()}
