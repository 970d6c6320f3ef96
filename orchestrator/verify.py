"""What today's prompts and today's reader would make of a run: its decisions looked at again, none played.

For every decision that a model was asked for, the question is rendered from the recorded position and compared
with the texts that were sent, and the recorded answers are read one after the other, through the same
conversation as in play. A decision is listed as asked differently where a text differs, and as read differently
where another move, outcome, fault, number of illegal answers, rationale or forecast would come of its answers.

A reason for asking again is compared with the body of the call where that is on record: its text must be
in it. Decisions that were never made (the run ended before) are counted and not judged, as there is nothing
to compare with; of a fallback the move is not, as chance drew it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlmodel import Session, select

import engine
import prompts
from engine import View
from orchestrator.model import Conduct, Conversation, question_form
from orchestrator.record import tables
from orchestrator.record.database import RecordError
from orchestrator.record.store import blob_text, blob_texts
from orchestrator.record.untouched import untouched
from orchestrator.request import ProbeRequest
from prompts import Choice, Question
from providers.base import Reply, Usage

READ = ("action", "outcome", "fault", "illegal", "rationale", "forecast")  # columns that an answer decides


class Changed(NamedTuple):
    """One thing of a decision that would be another today."""

    decision: str
    what: str  # system, user, ask N; action, outcome, ...
    was: Any
    now: Any


@dataclass(slots=True)
class Verified:
    """`asked` and `read` list what would be asked and read differently, in playing order."""

    run: str
    decisions: int = 0
    answers: int = 0
    unmade: int = 0  # asked for when the run ended
    asked: list[Changed] = field(default_factory=list)
    read: list[Changed] = field(default_factory=list)

    @property
    def same(self) -> bool:
        return not (self.asked or self.read)


class Answer(NamedTuple):
    """What was said to one ask."""

    text: str
    finish: str
    finish_detail: str
    texts: int | None  # the blob that holds the body that was sent
    probabilities: None  # they are a service's own, and not read from its words
    as_planned: bool  # the service took the ask as it was put first, and did not have it made shorter

    def reply(self) -> Reply:
        return Reply(self.text, Usage(), self.finish, self.finish_detail)  # type: ignore[arg-type]


def verify(path: Path) -> Verified:
    """Look at every decision of a run again. Raises RecordError; the record is not touched."""
    with untouched(path) as session:
        run = session.exec(select(tables.Run)).first()
        if run is None:
            raise RecordError(f"{path} holds no run that began")
        found = Verified(run.id)
        conducts = {player.id: _conduct(player, path) for player in session.exec(select(tables.Player))}
        relabelled = _relabelled(run)
        answers = _answers(session)
        if not answers:
            raise RecordError(f"no model answered in {path}: there is nothing to verify")
        for row in session.execute(
            text(f"SELECT {_COLUMNS} FROM decision d JOIN match m ON m.id = d.match {_ORDER}")
        ):
            said = answers.pop(row.id, None)
            if said is not None:
                found.decisions += 1
                found.answers += len(said)
                _look(session, row, said, conducts[row.player], row.pair in relabelled, found)
        found.unmade = len(answers)
    return found


def _relabelled(run: tables.Run) -> set[int]:
    """The pairs in which the marks of the seats were exchanged."""
    if run.kind != ProbeRequest.KIND:
        return set()
    asked = ProbeRequest.from_json(run.request).questions
    return {pair for pair, question in enumerate(asked) if question.ask.kind == "relabel"}


_COLUMNS = "m.pair, d.id, d.seat, d.player, d.mode, d.state, d.system_blob, d.user_blob, " + ", ".join(
    f"d.{name}" for name in READ
)
_ORDER = "ORDER BY m.pair, m.swap, m.replay, d.ply"


def _answers(session: Session) -> dict[str, list[Answer]]:
    """By decision, what was answered to its asks, in order."""
    query = f"""
        SELECT c.decision, c.answer, c.finish, c.finish_detail, c.texts_blob, NULL, NOT EXISTS (
            SELECT 1 FROM call e WHERE {tables.of_decision("e.id", "c.decision")} AND e.ask = c.ask
            AND e.kind IN ('bad_request', 'too_long')
        )
        FROM call c WHERE c.answer IS NOT NULL AND instr(c.decision, '-ready') = 0 ORDER BY c.id
    """
    found: dict[str, list[Answer]] = {}
    for decision, *answer in session.execute(text(query)):
        found.setdefault(decision, []).append(Answer(*answer))
    return found


def _conduct(player: tables.Player, path: Path) -> Conduct | None:
    """How a model was asked; None for whoever is none."""
    if not player.style:
        return None
    known = {name: player.parameters[name] for name in Conduct.__slots__ if name in player.parameters}
    try:
        return Conduct(**known)
    except (TypeError, ValueError) as error:
        raise RecordError(f"{player.label} of {path} cannot be asked as it was: {error}") from error


def _look(
    session: Session, row: Any, said: list[Answer], conduct: Conduct | None, exchanged: bool, found: Verified
) -> None:
    """One decision: its question, its answers, what came of them."""
    try:
        view = engine.from_bytes(row.state).view(row.seat)
        if conduct is None:
            raise ValueError("its player is no model")
        form = question_form(conduct, row.mode)
        question = prompts.render(view, conduct.style, conduct.track, form=form)
        if exchanged:
            question = prompts.relabelled(question, view)
    except ValueError as error:
        found.asked.append(Changed(row.id, "position", "on record", f"cannot be asked about: {error}"))
        return
    for name, stored, asked in (
        ("system", row.system_blob, question.system),
        ("user", row.user_blob, question.user),
    ):
        if (known := blob_text(session, stored)) != asked:
            found.asked.append(Changed(row.id, name, known, asked))
    now, reasons = _read(question, view, said, conduct)
    for ask, reason, texts in reasons:
        sent = blob_texts(session, texts)[2]
        if sent and not _holds(_body(sent), reason):
            found.asked.append(Changed(row.id, f"ask {ask}", None, reason))
    was = {name: getattr(row, name) for name in READ}
    if was["outcome"] == now["outcome"] == "fallback":
        now["action"] = was["action"]
    found.read += [Changed(row.id, name, was[name], now[name]) for name in READ if was[name] != now[name]]


class Reason(NamedTuple):
    """Why it is asked again, as today's reader says it, and the blob of the body in which it was said then."""

    ask: int  # counted from 1
    text: str
    texts: int


def _read(
    question: Question, view: View, said: Iterable[Answer], conduct: Conduct
) -> tuple[dict[str, Any], list[Reason]]:
    """What would come of these answers now, and why it would be asked again.

    Answers too many, and one too few, are an outcome of their own.
    """
    talk, reasons, over = Conversation(question, conduct), list[Reason](), False
    now: dict[str, Any] = dict.fromkeys(READ)
    for answer in said:
        if over:
            now["outcome"] = f"{now['outcome']}, after {talk.asks} of its answers"
            return now, reasons
        if talk.asks and answer.texts is not None and answer.as_planned:
            reasons.append(Reason(talk.asks + 1, talk.messages[-1].content, answer.texts))
        talk.asks += 1
        read = prompts.parse(answer, view, conduct.track, forecast=conduct.forecast)
        now["rationale"] = read.rationale
        if isinstance(read, Choice):
            outcome = "ok" if talk.asks == 1 else "reasked"
            now |= {"action": read.action, "outcome": outcome, "fault": "", "forecast": read.forecast}
            over = True
        elif not talk.ask_again(read, answer.reply()):
            ending = "fallback" if conduct.fallback == "random" else "forfeit"
            detail = f": {answer.finish_detail}" if read.kind == "refusal" and answer.finish_detail else ""
            now |= {"outcome": ending, "fault": read.kind + detail}
            over = True
        now["illegal"] = talk.wrong
    if not over:
        now |= {"outcome": "asked again", "fault": ""}
    return now, reasons


def _body(sent: str) -> Any:
    try:
        return json.loads(sent)
    except ValueError:
        return sent


def _holds(body: Any, text: str) -> bool:
    """Whether a text stands somewhere in a JSON body, whatever a service's form is."""
    if isinstance(body, str):
        return text in body
    parts = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    return any(_holds(part, text) for part in parts)
