"""What every prompt must keep, as one function: `faults` says what a folder of templates gets wrong.

It runs on the shipped templates, where it must find nothing, and on templates with a planted bug, where it
must find that one.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

from jinja2 import UndefinedError

import engine
from engine import View
from prompts import Question, Templates, Track, Unreadable, numbered, parse
from tests.engine.short import new
from tests.prompts.positions import Reply, bidding, cards, imagined

ADVICE = re.compile(
    r"\b(cent(er|re)\w*|best|better|good|bad|strong\w*|weak\w*|should|must|fork\w*|block\w*|threat\w*|trap\w*"
    r"|corners?|edges?|tempo|mobility|advantage\w*|strateg\w*|tactic\w*|careful\w*|avoid\w*|prefer\w*|try"
    r"|important\w*|remember|consider\w*|aim|goal|smart\w*|expert\w*|winning|step by step)\b",
    re.IGNORECASE,
)
REFUSED = re.compile(r"\breasoning\b|chain[ -]of[ -]thought|step by step", re.IGNORECASE)
TRACKS: tuple[Track, ...] = ("open", "rules")
PREFIX = 0.8  # of a question that is the same as at the seat's previous turn
WITHOUT_MOVES = {"blob"}  # what was played in earlier rounds is in no question
NOTES = "A note of my own: {{ not a template }}"


def matches() -> dict[str, list[View]]:
    """For each shipped game the views of one match over a spread of moves, each by the seat to move."""
    found: dict[str, list[View]] = {}
    for name in engine.games():
        game = new(name, seed=7)
        views = found.setdefault(name, [])
        while not game.is_terminal():
            view = game.view(game.current_player())
            views.append(view)
            game.apply(view.legal[(3 * len(views)) % len(view.legal)].id)
    return found


def faults(templates: Templates, games: dict[str, list[View]]) -> list[str]:
    """Every way in which these templates break the contract, in words; empty when all is well."""
    found = []
    for style in templates.styles():
        for track in TRACKS:
            where = f"{style}/{track}"
            try:
                for views in games.values():
                    found += [f"{where}: {fault}" for fault in match_faults(templates, views, style, track)]
                found += [f"{where}: {fault}" for fault in size_faults(templates, style, track)]
            except UndefinedError as error:
                found.append(f"{where}: undefined: {error}")
    return found


def match_faults(templates: Templates, views: list[View], style: str, track: Track) -> list[str]:
    """Faults over one match: the constant part, then every position, then neighbouring turns of a seat."""
    asked = [templates.render(view, style, track) for view in views]
    again = Templates(templates.folder).render(views[-1], style, track)  # nothing remembered
    found = []
    if len({question.system for question in [*asked, again]}) != 1:
        found.append("system changes within a match")
    if len({json.dumps(question.schema) for question in asked}) != 1:
        found.append("schema changes within a match")
    for view, question in zip(views, asked, strict=True):
        found += position_faults(view, question, style, track)
        found += seat_faults(templates, view, question, style, track)
    found += note_faults(templates, views[-1], asked[-1], style, track)
    for seat in range(views[0].num_players):
        own = [
            question.system + question.user
            for view, question in zip(views, asked, strict=True)
            if view.seat == seat
        ]
        if any(same_start(before, now) < PREFIX * len(now) for before, now in pairwise(own)):
            found.append("too little stays the same between turns")
    return found


def board_tells_round(view: View) -> bool:
    """Whether the board shows who played what in this round, in order, and who bid what."""
    facts: dict[str, Any] = dict(view.facts)
    count = sum(len(trick) for trick in [*facts["tricks_played"], facts["trick"]])
    played = [(str(move.seat + 1), move.text) for move in view.history[len(view.history) - count :]]
    bids = ["-" if bid is None else str(bid) for bid in facts["bids"]]
    return (
        re.findall(r"\bP(\d) (\w\w)\b", view.board) == played
        and re.findall(r"^P\d +\d+ +(\S+)", view.board, re.MULTILINE) == bids
    )


def same_start(before: str, now: str) -> int:
    """How many characters the two begin with in common."""
    return next((at for at, (a, b) in enumerate(zip(before, now, strict=False)) if a != b), len(before))


def position_faults(view: View, question: Question, style: str, track: Track) -> list[str]:
    """Faults of one question."""
    found = []
    system, lines = question.system.splitlines(), question.user.splitlines()
    moves = f"Moves so far: {' '.join(move.text for move in view.history) or 'none'}"
    told = lines.count(moves) == 1
    if view.game in WITHOUT_MOVES:
        told = "Moves so far" not in question.user and board_tells_round(view)
    if system.count(f"Game: {view.game}") != 1:
        found.append("no line that names the game")
    if not told:
        found.append("moves so far are not the whole history")
    if view.board not in question.user or question.user.find(view.board) < question.user.find(moves):
        found.append("board is missing or not after the moves")
    listed = [line for line in lines if re.fullmatch(r"\d+: \S+", line)]
    columns = [line for line in lines if line.startswith("Legal moves")]
    if track == "open":
        pairs = [f"{number}: {action.text}" for number, action in numbered(view)]
        numbers = " ".join(str(number) for number, _ in numbered(view))
        if listed != pairs and columns != [f"Legal moves, by number: {numbers}"]:
            found.append("legal moves are not listed as they are numbered")
    rest = question.user.replace(view.board, "").replace(moves, "").split("\n", 1)[1]
    shown = {action.text for action in view.legal} & set(re.findall(r"\w+", rest))
    if track == "rules" and (shown or columns):
        found.append("legal moves are shown on the rules track")
    words = question.system.replace('"threats"', "").replace("each side threatens", "")
    if advice := ADVICE.search(words + question.user):
        found.append(f"advice: {advice[0]}")
    if REFUSED.search(question.system + json.dumps(question.schema)):
        found.append("asks for what providers refuse")
    for echo in (question.system, question.user, question.system + question.user, *system, *lines):
        if not isinstance(parse(Reply(echo), view, track), Unreadable):
            found.append("the prompt itself reads as an answer")
    return found


def seat_faults(templates: Templates, view: View, question: Question, style: str, track: Track) -> list[str]:
    """The same position asked of the other seat may differ in that seat's own line and nowhere else."""
    if "opponent_mark" not in view.facts:
        return []
    facts = {**view.facts, "mark": view.facts["opponent_mark"], "opponent_mark": view.facts["mark"]}
    other = view._replace(seat=1 - view.seat, to_move=1 - view.seat, facts=facts)
    mirrored = templates.render(other, style, track)
    mine, theirs = question.user.splitlines(), mirrored.user.splitlines()
    if mirrored.system != question.system or mine[1:] != theirs[1:]:
        return ["the seats are asked differently"]
    for who, line in ((view, mine[0]), (other, theirs[0])):
        if line != f"You are {who.facts['mark']} (seat {who.seat + 1} of {who.num_players}), to move.":
            return [f"seat-blind: {line}"]
    return []


def note_faults(templates: Templates, view: View, question: Question, style: str, track: Track) -> list[str]:
    """Notes are shown verbatim between position and closing line, and nothing else changes."""
    noted = templates.render(view, style, track, NOTES)
    before, _, after = noted.user.partition(f"Your notes:\n{NOTES}\n\n")
    return (
        [] if noted.system == question.system and before + after == question.user else ["notes are not shown"]
    )


def size_faults(templates: Templates, style: str, track: Track) -> list[str]:
    """Other tables than two players in turn."""
    found = []
    three = templates.render(cards(), style, track)
    if "one of 3 players" not in three.system or "(seat 3 of 3)" not in three.user:
        found.append("number of players is hard-coded")
    if "Moves so far: P1:5H P2:KH\n" not in three.user:
        found.append("players of a larger table are not named")
    variant = templates.render(imagined({0: "a"}, variant={"size": 9, "komi": 2}), style, track)
    if "\nVariant: size=9, komi=2\n" not in variant.system:
        found.append("variant is not named")
    if track == "open" and "1: 2\n" not in templates.render(bidding(), style, track).user:
        found.append("mixed notation is not numbered")
    return found
