"""What a model is asked: `system`, `user` and the schema of the answer, from templates found by name.

The system prompt holds what never changes in a duel (rules, drawing, form of the answer), so that a
provider's prompt cache serves it from the second ply on; it is rendered once and is the same for both
seats. The position comes last, in `user`. No template says what a good move is: the comparison is
between models, not between a model and our advice.

A style is one file in `styles/`. It sets `fields`, the texts that are asked for before the move, and may
override any block of `base.j2`. A game may have a file in `games/` that sets any of `marks` (one per seat),
`drawing` (how to read the board) and the macro `position(view)`, and `moves_in_position`, where that tells the
moves that still count and they are not listed again; a game without one gets its board and facts.

A form in `forms/` says how an answer is given where that is not a JSON object, or one with a forecast in it: it
stands over the style, of which it replaces the blocks that speak of the answer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .question import Form, Question, Track, check_asked, check_form, numbered

if TYPE_CHECKING:
    from jinja2 import Environment, Template

    from engine.core import View

ANSWER_KEY: Mapping[Track, str] = {"open": "action", "rules": "move"}
RESERVED = frozenset({"action", "move", "forecast"})
ENUM_SIZES = (8, 16, 32, 64, 128, 256, 512, 1024)


def render(
    view: View, style: str = "default", track: Track = "open", notes: str = "", form: Form = "json"
) -> Question:
    """The question for the seat that `view` belongs to.

    `notes` is the player's own memory, shown verbatim after the position. The form "decision" is for a
    service that is given the moves and chooses natively: nothing is said of JSON, no texts are asked for. With
    "forecast" the JSON object ends with the score that the player expects, in whole per cent.
    Raises ValueError for an unknown style, track or form (listing what exists), for a decision on the track
    rules, and for a view whose seat is not to move.
    """
    return _shipped().render(view, style, track, notes, form)


def marks(view: View) -> tuple[str, str] | None:
    """How the two seats are called in what is shown, the view's own first; None where they have no marks."""
    own, other = view.facts.get("mark"), view.facts.get("opponent_mark")
    return (own, other) if isinstance(own, str) and isinstance(other, str) else None


def relabelled(question: Question, view: View) -> Question:
    """The question about `view` with the marks of the two seats exchanged wherever they stand alone: X for O.

    In the rules, the drawing and the position alike, so that nothing else has changed. Raises ValueError where seats
    have no marks.
    """
    both = marks(view)
    if both is None:
        raise ValueError(f"the seats of {view.game} have no marks that could be exchanged")
    names = dict([both, both[::-1]])
    alone = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, both))})(?!\w)")

    def exchanged(text: str) -> str:
        return alone.sub(lambda found: names[found[0]], text)

    return replace(question, system=exchanged(question.system), user=exchanged(question.user))


def styles() -> list[str]:
    """Names of the styles, sorted."""
    return _shipped().styles()


@cache
def texts() -> frozenset[str]:
    """Names of the texts that the shipped styles ask for before the move; each may speak of any move."""
    return _shipped().texts()


@cache
def _shipped() -> Templates:
    return Templates(Path(__file__).parent)


class _Fixed(NamedTuple):
    """The part of a question that stays the same over a duel."""

    system: str
    schema: Mapping[str, Any]
    sha: str
    template: Template
    words: object  # the game's own template module, or nothing


class Templates:
    """A folder of templates: `base.j2`, `styles/`, `games/`, `forms/`. Make one to try prompts of your own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._env = _environment(folder)
        self._fixed = lru_cache(maxsize=256)(self._compose)

    def styles(self) -> list[str]:
        """Names of the styles in this folder, sorted."""
        return sorted(path.stem for path in (self.folder / "styles").glob("*.j2"))

    def texts(self) -> frozenset[str]:
        """Names of the texts that the styles ask for before the move; each may speak of any move."""
        from jinja2.nodes import Assign, Expr, Name

        found: set[str] = set()
        for style in self.styles():
            source = (self.folder / f"styles/{style}.j2").read_text("utf-8")
            for node in self._env.parse(source).find_all(Assign):
                named = isinstance(node.target, Name) and node.target.name == "fields"
                if named and isinstance(node.node, Expr):
                    found.update(node.node.as_const())
        return frozenset(found)

    def render(
        self,
        view: View,
        style: str = "default",
        track: Track = "open",
        notes: str = "",
        form: Form = "json",
    ) -> Question:
        """As the function `render`, from this folder."""
        check_asked(view, track)
        check_form(form, track)
        variant = tuple(view.variant.items())
        fixed = self._fixed(
            style, track, form, view.game, variant, view.rules, view.num_players, view.num_actions
        )
        listed = numbered(view) if track == "open" else ()
        choices = tuple((number, action.text) for number, action in listed)
        user = fixed.template.render(
            part="user",
            track=track,
            style=f"styles/{style}.j2",
            words=fixed.words,
            view=view,
            moves=_moves(view),
            choices=choices,
            own_numbers=all(str(number) == text for number, text in choices),
            notes=notes,
        )
        return Question(fixed.system, user.rstrip(), fixed.schema, choices, fixed.sha)

    def _compose(
        self,
        style: str,
        track: Track,
        form: Form,
        game: str,
        variant: tuple[tuple[str, int], ...],
        rules: str,
        num_players: int,
        num_actions: int,
    ) -> _Fixed:
        if style not in (names := self.styles()):
            raise ValueError(f"unknown style {style!r}; there are: {', '.join(names)}")
        style_file, game_file = f"styles/{style}.j2", f"games/{game}.j2"
        has_words = re.fullmatch(r"\w+", game) is not None and (self.folder / game_file).is_file()
        words: object = self._env.get_template(game_file).module if has_words else {}
        files = [style_file] if form == "json" else [f"forms/{form}.j2", style_file]
        template = self._env.get_template(files[0])
        system = template.make_module(
            {
                "part": "system",
                "track": track,
                "style": style_file,
                "words": words,
                "game": game,
                "variant": variant,
                "rules": rules,
                "num_players": num_players,
            }
        )
        fields = _fields(system, style)
        schema = _schema({} if form == "decision" else fields, track, num_actions)
        if form == "forecast":
            _ask_forecast(schema, str(getattr(system, "forecast", "")))
        sha = self._sha([*files, game_file] if has_words else files, track)
        return _Fixed(str(system).rstrip(), schema, sha, template, words)

    def _sha(self, files: list[str], track: Track) -> str:
        """Over the track and every source that took part, parents and imports included."""
        from jinja2.meta import find_referenced_templates

        digest = hashlib.sha256(track.encode())
        for name in files:  # grows while it is walked
            source = (self.folder / name).read_text("utf-8")
            digest.update(f"\0{name}\0{source}".encode())
            referenced = find_referenced_templates(self._env.parse(source))
            files.extend(sorted(other for other in referenced if other and other not in files))
        return digest.hexdigest()[:16]


def _environment(folder: Path) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(  # plain text for a model: nothing to escape
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def _fields(system: object, style: str) -> dict[str, str]:
    fields = getattr(system, "fields", None)
    if not isinstance(fields, dict):
        raise ValueError(
            f"style {style!r} sets no fields; expected {{% set fields = {{name: description}} %}}"
        )
    if taken := RESERVED & fields.keys():
        raise ValueError(f"style {style!r} names a field {min(taken)!r}, which the answer needs; rename it")
    return fields


def _schema(fields: Mapping[str, str], track: Track, num_actions: int) -> dict[str, Any]:
    """Texts first, then the move. Only keywords that every provider enforces: no bounds, no lengths."""
    answer: dict[str, Any] = {"type": "string", "description": "your move, in the notation of the rules"}
    if track == "open":
        answer = {"type": "integer", "description": "the number of your move in the list of legal moves"}
        size = next(
            (size for size in ENUM_SIZES if size > num_actions), None
        )  # one to spare: columns count from 1
        if size is not None:
            answer["enum"] = list(range(size))
    texts = {name: {"type": "string", "description": what} for name, what in fields.items()}
    properties = {**texts, ANSWER_KEY[track]: answer}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _ask_forecast(schema: dict[str, Any], what: str) -> None:
    """As the last field. A whole number: models are used to saying per cent, and without bounds 1.5 could mean both."""
    schema["properties"]["forecast"] = {"type": "integer", "description": what}
    schema["required"] = list(schema["properties"])


def _moves(view: View) -> str:
    """The history in play order, seats named where the order alone does not tell them.

    A blank parts two moves, or a bar where moves have blanks themselves, as `24/20 8/3` in backgammon.
    """
    if not view.history:
        return "none"
    gap = " | " if any(" " in move.text for move in view.history) else " "
    if view.num_players == 2 and all(move.seat == ply % 2 for ply, move in enumerate(view.history)):
        return gap.join([move.text for move in view.history])
    return gap.join([f"P{move.seat + 1}:{move.text}" for move in view.history])
