"""Which move a text commits to: what a model wrote before its move, held against the move itself.

Moves are found in the text by the game's notation, by the numbers of the open track and by the words that
`spoken/` has for the game; each then stands for one letter, so that how people announce, recommend or conclude
on a move is a short list of phrases with a gap (`stated.toml`), the same for every game. A phrase counts unless
it is a question, a condition, a denial, or about somebody else or another time.

A wrong accusation is worse than silence. So a text is silent where it names no move, where it weighs several and
ends with none, and where it commits to two without taking one back. Where words leave several moves open ("a
corner", "a diamond") each of them is meant. A text may commit to a move that is not legal; then none is meant.

A number on the open track is the listed number; where it is also the name of another move, either is meant. In a
game that writes its moves as numbers there is one number for a move, that of its notation (`numbered`).

Left out: what is not said in words (moods, arguments that fit another move better), and any language but English
and the plainest German. Linear in the length of a text, of which only the end is read.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from .question import Track

if TYPE_CHECKING:
    from engine.core import Action

Verdict = Literal["agrees", "differs", "silent"]
Kind = Literal["", "argued", "recommended", "announced", "concluded"]
"""How a text commits, from the weakest to the strongest."""

KINDS: tuple[Kind, ...] = ("", "argued", "recommended", "announced", "concluded")
ANNOUNCED = KINDS.index("announced")
LONGEST = 4000  # characters of a text that are read: its last ones
ENDING = 1200  # likewise of a reasoning, whose end alone says what came of it
QUOTED = 240  # characters of the sentence that is kept

STRONG, WEAK = 0xE000, 0xF000  # where the letters begin that stand for moves; weak ones may be mere numbers
MOST = 0x800  # moves that a text is searched for


class Position(Protocol):
    """As much of a view as is needed."""

    @property
    def game(self) -> str: ...
    @property
    def legal(self) -> Sequence[Action]: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...


class Stated(NamedTuple):
    """What a text commits to. `meant` are ids of legal actions: none where it is silent or `named` is not legal."""

    kind: Kind = ""
    meant: tuple[int, ...] = ()
    named: str = ""  # in the text's own words
    quote: str = ""  # the sentence that it rests on

    @property
    def action(self) -> int | None:
        """The action, where there is exactly one."""
        return self.meant[0] if len(self.meant) == 1 else None

    def verdict(self, played: int) -> Verdict:
        if not self.kind:
            return "silent"
        return "agrees" if played in self.meant else "differs"


SILENT = Stated()


def stated(text: str, view: Position, track: Track = "open") -> Stated:
    """What a rationale commits to. Never raises for what a model wrote."""
    return _settled(_claims(text[-LONGEST:], view, track))


def concluded(text: str, view: Position, track: Track = "open") -> Stated:
    """What a reasoning comes to: the last of what its end announces or concludes."""
    claims = _claims(text[-ENDING:], view, track, ANNOUNCED)
    return claims[-1].stated if claims else SILENT


class _Mention(NamedTuple):
    """A move in a text. `means` are notations, legal or not; None where its words contradict each other."""

    start: int
    end: int
    said: str
    means: tuple[str, ...] | None
    weak: bool


class _Claim(NamedTuple):
    at: int
    sentence: int
    kind: Kind
    revises: bool
    stated: Stated
    void: bool


# ── settling ─────────────────────────────────────────────────────────────────────────────────────────


def _claims(text: str, view: Position, track: Track, least: int = 1) -> list[_Claim]:
    """The commitments of a text, in its order, from the kind of that number on.

    A mere argument is not looked for where there is more than that.
    """
    words = _words(view.game)
    clean = _clean(text)
    names = _names(tuple(view.legal), track, words)
    mentions = _mentions(clean, names, words)
    if not mentions:
        return []
    marked, letters = _marked(clean, mentions)
    found: list[_Claim] = []
    before: tuple[str, ...] = ()  # the moves of the last sentence that named any
    for number, (said, weighs) in enumerate(_sentences(marked)):
        named = tuple(_LETTER.findall(said))
        if not (named or before):
            continue
        sentence = _by_role(said.lower(), view.facts)
        claims = (
            []
            if sentence.rstrip("\"') ").endswith("?")
            else _in_sentence(sentence, named, before, letters, names, max(least, weighs))
        )
        for at, kind, letter in sorted(claims):
            told = _told(kind, letters[letter], names, said, letters)
            if not told.meant and letters[letter].means and KINDS.index(kind) < ANNOUNCED:
                continue  # nobody is accused of an illegal move over a remark about a square
            least = max(least, 2 if KINDS.index(kind) > 1 else 1)
            revises = _phrases().revises.search(sentence) is not None
            found.append(_Claim(at, number, kind, revises, told, letters[letter].means is None))
        before = named or before
    return found


def _told(kind: Kind, mention: _Mention, names: _Names, said: str, letters: Mapping[str, _Mention]) -> Stated:
    """A claim as it is told: with its sentence, the moves in it as they were written."""
    quote = _LETTER.sub(lambda found: letters[found[0]].said, said)
    meant = tuple(names.legal[text] for text in mention.means or () if text in names.legal)
    return Stated(kind, meant, _one_line(mention.said), _one_line(quote)[:QUOTED])


def _sentences(marked: str) -> Iterator[tuple[str, int]]:
    """Each with the least kind that counts in it: in a field that weighs moves, praise is no commitment."""
    for line in marked.split("\n"):
        weighs = ANNOUNCED if _WEIGHS.match(line) else 0
        for sentence in _SENTENCES.split(line):
            yield sentence, weighs


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _settled(claims: Sequence[_Claim]) -> Stated:
    """The one move that all the strongest claims are about, or the last where it takes the others back."""
    if not claims:
        return SILENT
    if len(claims) == 1:
        return SILENT if claims[0].void else claims[0].stated
    most = max(KINDS.index(claim.kind) for claim in claims)
    strong = [claim for claim in claims if KINDS.index(claim.kind) == most]
    last = strong[-1]
    later = [claim for claim in claims if claim.sentence > last.sentence and claim.revises]
    if any(not _compatible(claim, last) and claim.kind != "argued" for claim in later):
        return SILENT
    if any(claim.void for claim in strong):
        return SILENT
    differing = [claim for claim in strong if not _compatible(claim, last)]
    if differing and not (most >= ANNOUNCED and last.revises and last.sentence >= differing[-1].sentence):
        return SILENT
    # Of several that fit together the most exact one says what the others mean: "a corner ... so c3".
    return min(
        (claim.stated for claim in reversed(claims) if _compatible(claim, last) and not claim.void),
        key=lambda told: len(told.meant) if told.meant else 99,
    )


def _compatible(one: _Claim, other: _Claim) -> bool:
    if one.stated.meant or other.stated.meant:
        return bool(set(one.stated.meant) & set(other.stated.meant))
    return one.stated.named.lower() == other.stated.named.lower()


# ── phrases ──────────────────────────────────────────────────────────────────────────────────────────

_SENTENCES = re.compile(r"(?<=[.!?])(?<!\s\d\.)(?<!\s\d\d\.)[\"')\]]*\s+|;\s*")
_WEIGHS = re.compile(r"(?:candidates?|threats|alternatives|options|pros|cons)(?: moves)?:", re.I)
_LETTER = re.compile(r"[\ue000-\uf8ff]")
_CLAUSE = re.compile(
    r",(?! (?:but )?not )|: | - |->|\bso\b(?! that)|\b(?:but|because|since|therefore|though|and i|as i)\b"
)
_ENDS = re.compile(rf"{_CLAUSE.pattern}|\bso that\b|\band\b|\bwhile\b|\bthreatening\b|\bpreparing\b")
_ENUMERATED = re.compile(
    r"[\ue000-\uf8ff]\)?(?:,|,? and|,? or|/|,? nor| over| than)\s*(?:the |column |columns )?$"
)
_OR = re.compile(r"^\)?\s*(?:or|/)\s*[\ue000-\uf8ff]")


class _Phrase(NamedTuple):
    kind: Kind
    rank: int  # of its kind
    pattern: re.Pattern[str]
    loose: bool  # what stands between its words is looked at too


class _Phrases(NamedTuple):
    patterns: tuple[_Phrase, ...]
    condition: re.Pattern[str]
    afresh: re.Pattern[str]
    before: re.Pattern[str]
    times: re.Pattern[str]
    near: re.Pattern[str]
    other: re.Pattern[str]
    after: re.Pattern[str]
    spoils: re.Pattern[str]
    revises: re.Pattern[str]
    units: re.Pattern[str]
    again: tuple[_Phrase, ...]
    counts: re.Pattern[str]


@cache
def _phrases() -> _Phrases:
    data = tomllib.loads((Path(__file__).parent / "stated.toml").read_text("utf-8"))
    words = {name: _one_of(listed) for name, listed in data["words"].items()}
    filler = words.pop("filler")
    bare = r"(?P<move>[\ue000-\uf8ff])"
    gap = rf"(?:[\s:=\"'(#>-]*(?<![\w'])(?:{filler})(?![\w']))*[\s:=\"'(#>-]*{bare}"
    names = re.compile(r"\{(\w+)\}")

    def compiled(name: str) -> list[re.Pattern[str]]:
        phrases = (names.sub(lambda found: rf"(?:{words[found[1]]})", text) for text in data["phrases"][name])
        return [
            re.compile(
                phrase.replace("<move>", gap).replace("<bare>", bare).replace(r"\W", r"[^\w\ue000-\uf8ff]")
            )
            for phrase in phrases
        ]

    patterns: list[_Phrase] = [
        _Phrase(kind, KINDS.index(kind), each, False) for kind in KINDS[:0:-1] for each in compiled(kind)
    ]
    patterns += [_Phrase("argued", 1, each, True) for each in compiled("loose")]
    whole = {
        name: re.compile(rf"(?<![\w']){_group(listed)}(?![\w])") for name, listed in data["vetoes"].items()
    }
    whole["near"] = re.compile(rf"(?<![\w']){_group(data['vetoes']['near'])}(?!\w)[^\ue000-\uf8ff]*$")
    whole["after"] = re.compile(rf"\)?\s*{_group(data['vetoes']['after'])}\b")
    return _Phrases(
        patterns=tuple(patterns),
        **whole,
        revises=re.compile(rf"\b{_group(data['other']['revises'])}"),
        units=re.compile(
            rf"(?:[ -]{_group(data['other']['owned'])})?[ -]{_group(data['other']['units'])}\b", re.I
        ),
        again=tuple(_Phrase("announced", ANNOUNCED, each, False) for each in compiled("again")),
        counts=re.compile(rf"\b{_group(data['other']['counts'])}\s+$", re.I),
    )


def _one_of(listed: Sequence[str]) -> str:
    return "|".join(sorted(listed, key=len, reverse=True))


def _group(listed: Sequence[str]) -> str:
    return f"(?:{_one_of(listed)})"


def _in_sentence(
    sentence: str,
    named: Sequence[str],
    before: Sequence[str],
    letters: Mapping[str, _Mention],
    names: _Names,
    least: int,
) -> Iterator[tuple[int, Kind, str]]:
    """Where a phrase stands that counts, its kind, and the letter of its move; the strongest for each letter."""
    own = _own(sentence, len(named), least)
    yield from own
    if own or not (named or before):
        return
    for (
        phrase
    ) in _phrases().again:  # "so I take it": what was named just before, where that is one legal move
        again = phrase.pattern.search(sentence)
        if again is not None and _counts(sentence, again, again.end(), phrase):
            earlier = [letter for letter in named if sentence.index(letter) < again.start()] or before
            legal = {letter: _legal(letters[letter], names) for letter in earlier}
            if len(set(legal.values()) - {()}) == 1:
                yield again.end(), phrase.kind, next(letter for letter, meant in legal.items() if meant)
                return


@lru_cache(maxsize=4096)
def _own(sentence: str, named: int, least: int) -> tuple[tuple[int, Kind, str], ...]:
    """Of the moves that the sentence itself names. With letters for moves, short ones are the same again and again."""
    taken: dict[int, tuple[int, Kind, str]] = {}
    for phrase in _phrases().patterns if named else ():
        if phrase.rank < least or len(taken) == named or (taken and phrase.rank == 1):
            break
        for found in phrase.pattern.finditer(sentence):
            at = found.start("move")
            if at not in taken and _counts(sentence, found, at + 1, phrase):
                taken[at] = at, phrase.kind, found["move"]
    return tuple(taken.values())


def _legal(mention: _Mention, names: _Names) -> tuple[str, ...]:
    return () if mention.weak else tuple(text for text in mention.means or () if text in names.legal)


_FIRST_PERSON = re.compile(r"(?:and |so |but )?(?:i|we|me)\b")
_LIKEWISE = re.compile(r"\b(?:so|as|neither|nor) (?:does|do|is|are|would|will)\b")
_AFRESH = ("so ", "so:", "so,", "therefore", "thus", "hence", "but ", "and i")


def _last_words(sentence: str, end: int) -> int:
    """Where the two words before a place begin."""
    return end - len(" ".join(sentence[:end].rsplit(None, 2)[-2:])) - 1 if sentence[:end].split() else end


def _counts(sentence: str, found: re.Match[str], end: int, phrase: _Phrase) -> bool:
    """Whether nothing around a phrase, whose move ends there, keeps it from being a commitment."""
    phrases = _phrases()
    opening = len(found[0]) - len(found[0].lstrip(" ,:.-"))
    own = _FIRST_PERSON.match(found[0]) is not None
    fresh = found[0][opening:].startswith(_AFRESH)
    left = sentence[: end - 1 if phrase.loose else found.start() + opening]
    if not fresh and _is_condition(left):
        return False
    begins = max((match.end() for match in _CLAUSE.finditer(left)), default=0)
    if own:  # whoever says "I" begins a clause, which only the words just before it can turn
        begins = max(begins, _last_words(sentence, found.start()))
    clause, rest = left[begins:], sentence[end:]
    anew = found[0].startswith("and ") or (own and fresh)
    if not anew and phrases.times.search(clause):
        return False
    if not (own and fresh) and (phrases.before.search(clause) or phrases.near.search(clause)):
        return False
    if _OR.match(rest) or phrases.after.match(rest):
        return False
    if phrase.rank < ANNOUNCED and _is_spoiled(sentence[: end - 1], rest, found.end() - end):
        return False
    return phrase.kind == "announced" or anew or own or not phrases.other.search(clause)


def _is_condition(left: str) -> bool:
    """Whether what stands before a phrase makes it depend on something."""
    phrases = _phrases()
    afresh = [match.end() for match in phrases.afresh.finditer(left)]
    return phrases.condition.search(left, afresh[-1] if afresh else 0) is not None


def _is_spoiled(left: str, rest: str, inside: int) -> bool:
    """Whether a move that is only praised is one of several, or is spoken ill of before its clause ends.

    `inside` are the characters of `rest` that are the phrase's own.
    """
    if _ENUMERATED.search(left) or _LIKEWISE.search(rest):
        return True
    ended = _ENDS.search(rest, max(inside, 0))
    return _phrases().spoils.search(rest[: ended.start()] if ended else rest) is not None


# ── moves in a text ──────────────────────────────────────────────────────────────────────────────────

_PLAIN = str.maketrans(
    dict.fromkeys("*`_~\r\u200b\ufe0f")
    | dict.fromkeys("‘’", "'")
    | dict.fromkeys("“”„«»", '"')
    | {"–": "-", "−": "-", "—": " - ", "→": "->", "⇒": "=>", "[": "(", "]": ")", "…": "... ", "\u00a0": " "}
)
_BULLET = re.compile(r"^[ \t]*(?:[-•>#+]+[ \t]+)+", re.M)
_LABEL = re.compile(
    r"^(?:simulated answer by [^:\n]{1,40}|rationale|reason|reasoning|explanation|analysis|thoughts?|summary) ?: *",
    re.I | re.M,
)
_SHORT = {"e.g.": "eg", "i.e.": "ie", "vs.": "vs", "etc.": "etc", "No.": "number"}


def _clean(text: str) -> str:
    """Without dressing, in plain quotes, and without the letters that are to stand for moves."""
    text = _LETTER.sub("", text.translate(_PLAIN))
    for long, short in _SHORT.items():
        if long in text:
            text = text.replace(long, short)
    return _LABEL.sub("", _BULLET.sub("", text))


class _Words(NamedTuple):
    """What a game's own file in `spoken/` says."""

    says: str
    notation: str
    meant: Any


@cache
def _words(game: str) -> _Words:
    name = re.sub(r"\(.*", "", game.rpartition(":")[2])
    if not re.fullmatch(r"[a-z]\w*", name) or importlib.util.find_spec(f"prompts.spoken.{name}") is None:
        return _Words("", "", None)
    module = importlib.import_module(f"prompts.spoken.{name}")
    return _Words(module.SAYS, getattr(module, "NOTATION", ""), module.meant)


_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NOT_ONE = "".join(f"(?<!{word} )" for word in ("the", "last", "this", "that", "each", "only", "no", "which"))
_NUMBER_WORD = (
    rf"(?i:{'|'.join(name for name in _NUMBERS if name != 'one')}"
    rf"|{_NOT_ONE}one(?! (?:of|that|which|more|another|is|who|side)\b))"
)


class _Names:
    """The legal moves by every name that a text may use."""

    def __init__(self, legal: Sequence[Action], track: Track, words: _Words) -> None:
        self.legal = {action.text: action.id for action in legal}
        self.digits = any(text.isdigit() for text in self.legal)
        self.numbers: dict[str, tuple[str, ...]] = {text: (text,) for text in self.legal if text.isdigit()}
        if track == "open" and len(self.numbers) < len(self.legal):
            for action in legal:
                number = str(action.id)
                self.numbers[number] = tuple(dict.fromkeys((*self.numbers.get(number, ()), action.text)))
        known = "".join(self.legal)
        self.lower = known.lower() == known
        self._folded = {self._fold(text): text for text in self.legal}
        self._meant = words.meant
        self.shapes = frozenset() if words.notation else frozenset(map(_shape, self.legal)) - {""}

    def _fold(self, text: str) -> str:
        return (text.lower() if self.lower else text).replace("-", "")

    def spoken(self, said: str) -> tuple[str, ...]:
        """The notations that words, or a notation in a game that has words, stand for."""
        known = self._folded.get(self._fold(said))
        return (known,) if known is not None else tuple(self._meant(said, self.legal))

    def notation(self, said: str) -> tuple[str, ...]:
        folded = self._fold(said)
        return (self._folded.get(folded, folded),)

    def number(self, said: str) -> tuple[str, ...]:
        """Nothing for a number that is no move and is not written like one."""
        word = said.lower()
        digits = str(_NUMBERS.index(word)) if word in _NUMBERS else said
        return self.numbers.get(digits) or ((digits,) if self.digits and len(digits) < 3 else ())


@lru_cache(maxsize=512)
def _names(legal: tuple[Action, ...], track: Track, words: _Words) -> _Names:
    """Positions come one after another, and many have the same moves."""
    return _Names(legal, track, words)


def _mentions(text: str, names: _Names, words: _Words) -> list[_Mention]:
    """Every move that a text names, those that stand for each other as one."""
    found: list[_Mention] = []
    for match in _pattern(words, names.shapes, names.lower, names.digits).finditer(text):
        said, weak = match[0], False
        if match.lastgroup == "number":
            before = text[max(0, match.start() - 16) : match.start()]
            if _phrases().counts.search(before):
                continue
            if _phrases().units.match(text, match.end()) and not _BID.search(before):
                continue
            means, weak = names.number(said), _CALLED.search(before) is None
        elif match.lastgroup == "says" or words.notation:
            means = names.spoken(said)
        else:
            means = names.notation(said)
        if means:
            found.append(_Mention(match.start(), match.end(), said, means, weak))
        if len(found) == MOST:
            break
    return _joined(text, found)


_BID = re.compile(r"\bbid(?:ding)?(?: is| of|:)? $", re.I)
_CALLED = re.compile(r"\b(?:action|option|number|choice) (?:number )?#?$", re.I)
_GLUE = re.compile(
    r"\s*(?:[\s(,:=\"'-]|\bat\b|\bin\b|\bon\b|ie|that is|which is|namely|with|\bfor\b)*[\s(\"']*"
    r"(?:(?:ie|the|a|column|square|number|action|cell|move|at|card|spot|option|my|=),?[\s(\"']*)*",
    re.I,
)
_LINE = re.compile(r"\s?-\s?|\s?/\s?|-to-")


def _joined(text: str, found: Sequence[_Mention]) -> list[_Mention]:
    """Two names of one move beside each other as one mention; the ends of a line as none."""
    out: list[_Mention] = []
    lined = False
    for mention in found:
        between = text[out[-1].end : mention.start] if out else ""
        if out and _LINE.fullmatch(between) and not mention.weak:
            out[-1] = mention  # a line is spoken of: neither of its ends is a move
            lined = True
            continue
        if lined:
            out.pop()
            lined = False
        if out and len(between) < 24 and _GLUE.fullmatch(between):
            last = out[-1]
            both = tuple(each for each in last.means or () if each in (mention.means or ()))
            named = mention.said if not mention.weak or last.weak else last.said
            if both or "(" in between or "=" in between:
                end = mention.end + ("(" in between and text[mention.end : mention.end + 1] == ")")
                out[-1] = _Mention(last.start, end, named, both or None, False)
                continue
        out.append(mention)
    if lined:
        out.pop()
    return out


_CLASSES = {"0": r"\d", "a": "[a-z]", "A": "[A-Z]"}


@lru_cache(maxsize=4096)
def _shape(text: str) -> str:
    """What a move looks like: digits and letters of any value; one without a digit is itself. Nothing for what is
    found otherwise (a number) or everywhere (a word of one or two letters)."""
    if text.isdigit():
        return ""
    if not any(char.isdigit() for char in text):
        return re.escape(text) if len(text) > 2 else ""
    shape = re.sub(r"\d", "0", text)
    shape = re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", shape))
    escaped = "".join(_CLASSES.get(char, re.escape(char)) for char in shape)
    return escaped.replace(r"\d[a-z]", r"\d-?[a-z]")  # e2e4 is also written e2-e4


@lru_cache(maxsize=512)
def _pattern(words: _Words, shapes: frozenset[str], lower: bool, digits: bool) -> re.Pattern[str]:
    """All that may be a move, the longest first."""
    number = r"(?<![.,/-])\d{1,5}(?![%/]|-\w|[.,:]\d)"
    if digits:
        number += f"|{_NUMBER_WORD}"
    notation = words.notation or "|".join(sorted(shapes, key=len, reverse=True))
    parts = [f"(?P<says>{words.says})"] if words.says else []
    if notation:
        parts.append(f"(?P<notation>{f'(?i:{notation})' if lower and not words.notation else notation})")
    parts.append(f"(?P<number>{number})")
    return re.compile(rf"(?<![\w])(?:{'|'.join(parts)})(?!\w)")


def _marked(text: str, mentions: Sequence[_Mention]) -> tuple[str, dict[str, _Mention]]:
    """The text with one letter in place of each move, and what each letter stands for."""
    parts: list[str] = []
    letters: dict[str, _Mention] = {}
    at = 0
    for number, mention in enumerate(mentions):
        letter = chr((WEAK if mention.weak else STRONG) + number)
        letters[letter] = mention
        parts += [text[at : mention.start], letter]
        at = mention.end
    return "".join([*parts, text[at:]]), letters


_COLOURS = {"X": ("black",), "O": ("white",)}


def _by_role(text: str, facts: Mapping[str, Any]) -> str:
    """The players' marks as what they are to the speaker, where the game has any."""
    mine, theirs = facts.get("mark"), facts.get("opponent_mark")
    if not (isinstance(mine, str) and isinstance(theirs, str)):
        return text
    return _roles(mine, theirs).sub(lambda found: "me" if found[1] else "opponent", text)


@cache
def _roles(mine: str, theirs: str) -> re.Pattern[str]:
    def names(mark: str) -> str:
        return "|".join(map(re.escape, (mark.lower(), *_COLOURS.get(mark, ()))))

    return re.compile(rf"(?<![\w-])(?:({names(mine)})|({names(theirs)}))(?![\w-])")
