"""A cassette: what models answered, kept on files, so that the same question is not paid for twice.

Content names the file and the place names the line. A file is called by the hash of one question (who was asked,
and every field of the request that shapes the answer); in it stands an outcome per place, that is the part
`MATCH-PLY.ASK.ATTEMPT` of a call's id. So a run with another run id finds the answers of an earlier one, identical
questions at different places keep answers of their own, and the order in which matches are played changes nothing.

    DIR/3f/3f9c….jsonl    {"cassette": 1, "service": "anthropic", "endpoint": "…", "request": {…}}
                          {"place": "0001a-000.00.01", "reply": {"text": "…", "usage": {…}, "latency_s": 1.9, …}}
                          {"place": "0002a-000.00.01", "error": {"retryable": true, "kind": "rate_limit", …}, …}

JSON lines in ASCII, so that whatever a model wrote can be looked at in a terminal. A line is appended by one write
under a lock on its file, and a half line that a crash left is cut off by the next; several processes can share a
cassette. Of two lines for a place the later one counts. What a model wrote is never part of a path, and nothing
here knows a key: requests have none, and replies and errors were redacted where they were made.

Left out: a reply's allowance (of a day that is gone), the time-out and cache key of a request (they shape no
answer), and calls that never came back.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from hashlib import blake2b
from io import FileIO
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, TypeVar, get_args

from orchestrator.lines import Line, unheard
from orchestrator.model import Conduct, ModelPlayer
from orchestrator.players import Seated
from orchestrator.table import NOT_ANSWERS, Spec
from providers.base import (
    Final,
    FinalKind,
    Finish,
    ReasoningKind,
    Reply,
    Request,
    Retryable,
    RetryKind,
    Usage,
)
from providers.prices import PriceBook
from providers.retry import Leaves

FORMAT = 1
NOT_SHAPING = ("timeout_s", "cache_key")  # of a request
ABOUT_US = ("auth", "quota")  # errors that a new key or a paid bill mends: worth asking again

TapeMode = Literal["extend", "replay"]
Outcome = Reply | Retryable | Final
T = TypeVar("T", Reply, Usage)


class CassetteError(Exception):
    """A cassette's file cannot be read or written; nothing in it was changed."""


@dataclass(frozen=True)
class Asked:
    """One question to one service. `service` is its kind, with the options that shape its answers."""

    service: str
    endpoint: str
    request: Request

    @cached_property
    def content(self) -> dict[str, Any]:
        """What the tape keeps of it. A field that is None is left out, so that a new one moves no older answer."""
        values = {field.name: getattr(self.request, field.name) for field in fields(Request)}
        values["messages"] = [{"role": each.role, "content": each.content} for each in self.request.messages]
        shaping = {
            name: value for name, value in values.items() if value is not None and name not in NOT_SHAPING
        }
        whole = {"service": self.service, "endpoint": self.endpoint, "request": shaping}
        return json.loads(json.dumps(whole))  # type: ignore[no-any-return]  # tuples are lists from here on

    @cached_property
    def address(self) -> str:
        """32 hexadecimal digits: blake2b-128 of the content as JSON, keys sorted, no blanks, ASCII."""
        text = json.dumps(self.content, sort_keys=True, separators=(",", ":"))
        return blake2b(text.encode(), digest_size=16).hexdigest()


class _Stretch(NamedTuple):
    """Where a line stands in its file, in bytes."""

    offset: int
    length: int


class _Index:
    """Which places a file has, as far as it was read; files only grow."""

    def __init__(self) -> None:
        self.end = 0  # of the last whole line
        self.header: Mapping[str, Any] = {}
        self.places: dict[str, _Stretch] = {}


class Cassette:
    """A directory of tapes; it is made when the first outcome is added."""

    def __init__(self, directory: Path) -> None:
        """Raises CassetteError where something else than a directory stands there."""
        if directory.exists() and not directory.is_dir():
            raise CassetteError(f"{directory} is a file: a cassette is a directory of its own")
        self.directory = directory
        self.played = 0  # outcomes that came from the tape
        self.added = 0  # and that went on it
        self._files: dict[str, _Index] = {}
        self._places: dict[str, list[str]] | None = None

    def find(self, asked: Asked, place: str) -> Outcome | None:
        """The outcome of a question at a place, None if it is not on tape. Raises CassetteError."""
        path = self._path(asked.address)
        try:
            with path.open("rb") as file:
                line = self._line(asked.address, file, place)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CassetteError(f"{path} cannot be read: {error.strerror}") from error
        return None if line is None else _outcome(line, path)

    def add(self, asked: Asked, place: str, outcome: Outcome) -> None:
        """Put an outcome on tape. Raises CassetteError; the file is then as it was."""
        path = self._path(asked.address)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab+", buffering=0) as file:  # closed, it is unlocked again
                self._append(asked, file, _dump({"place": place, **_outcome_json(outcome)}))
        except OSError as error:
            raise CassetteError(f"{path} cannot be written: {error.strerror}") from error
        self.added += 1

    def at(self, place: str) -> list[Mapping[str, Any]]:
        """The contents of all questions that were answered at a place, whatever they were. Raises CassetteError."""
        if self._places is None:  # only looked for where an answer is missing
            self._places = {}
            for path in sorted(self.directory.glob("[0-9a-f][0-9a-f]/*.jsonl")):
                with path.open("rb") as file:
                    index = self._read(path.stem, file)
                for known in index.places:
                    self._places.setdefault(known, []).append(path.stem)
        return [self._files[address].header for address in self._places.get(place, ())]

    def _path(self, address: str) -> Path:
        return self.directory / address[:2] / f"{address}.jsonl"

    def _line(self, address: str, file: IO[bytes], place: str) -> bytes | None:
        found = self._read(address, file).places.get(place)
        if found is None:
            return None
        file.seek(found.offset)
        return file.read(found.length)

    def _read(self, address: str, file: IO[bytes]) -> _Index:
        """The file's index, brought up to date: what was appended since, whole lines only."""
        index = self._files.setdefault(address, _Index())
        size = file.seek(0, os.SEEK_END)
        if size < index.end:  # somebody put another file in its place
            index = self._files[address] = _Index()
        file.seek(index.end)
        data = file.read(size - index.end)
        for line in data[: data.rfind(b"\n") + 1].splitlines(keepends=True):
            path = self._path(address)
            told = _read_line(line, path)
            if index.end:
                index.places[_place(told, path)] = _Stretch(index.end, len(line))
            else:
                index.header = _header(told, path)
            index.end += len(line)
        return index

    def _append(self, asked: Asked, file: FileIO, line: bytes) -> None:
        _lock(file)
        index = self._read(asked.address, file)
        size = file.seek(0, os.SEEK_END)
        if not index.end:
            line = (header := _dump({"cassette": FORMAT, **asked.content})) + line
            file.seek(0)
            if not header.startswith(file.read(size)):
                raise CassetteError(f"{self._path(asked.address)} is no tape of a cassette: move it away")
        if size > index.end:
            file.truncate(index.end)  # half a line, of a process that was killed
        if file.write(line) < len(line):
            file.truncate(index.end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Taped:
    """A line with a tape in it: what is on tape is answered from there, at once and for nothing.

    What is not is asked over `line` and added ("extend"), or refused ("replay", where no line is needed). Errors
    are on tape as answers are and are raised again, without the wait that the service asked for; only errors
    about us (a wrong key, no money) are asked anew when a tape is extended. A reply from the tape carries its usage:
    the ledger shows what it cost when it was made.
    """

    def __init__(
        self, line: Line | None, service: str, endpoint: str, cassette: Cassette, mode: TapeMode = "extend"
    ) -> None:
        self._line = line
        self._who = service, endpoint
        self._cassette = cassette
        self._mode = mode
        self._broken: CassetteError | None = None

    async def send(self, call: str, request: Request, leaves: Leaves = unheard) -> Reply:
        """As the line does it; `leaves` is awaited only where a service is asked.

        Raises Final("tape") where the tape cannot be read or written, and in "replay" for what it does not have,
        saying what differs from the question that it has there.
        """
        asked, place = Asked(*self._who, request), place_of(call)
        try:
            if self._broken is not None:  # what is asked now would be paid for and not kept
                raise self._broken
            outcome = self._cassette.find(asked, place)
        except CassetteError as error:
            raise Final("tape", str(error)) from error
        if isinstance(outcome, Final) and outcome.kind in ABOUT_US and self._mode == "extend":
            outcome = None
        if outcome is None:
            outcome = await self._ask(call, asked, place, leaves)
        else:
            self._cassette.played += 1
        if not isinstance(outcome, Reply):
            raise outcome
        return outcome

    async def _ask(self, call: str, asked: Asked, place: str, leaves: Leaves) -> Outcome:
        if self._mode == "replay" or self._line is None:
            raise Final("tape", self._missing(asked, place))
        outcome: Outcome
        try:
            outcome = await self._line.send(call, asked.request, leaves)
        except (Retryable, Final) as error:
            outcome = error
        try:
            self._cassette.add(asked, place, outcome)
        except CassetteError as error:
            self._broken = error  # this one is paid for: it is played, and the next is not asked
        return outcome

    def _missing(self, asked: Asked, place: str) -> str:
        try:
            known = self._cassette.at(place)
        except (CassetteError, OSError) as error:
            return str(error)
        where = f"{self._cassette.directory} has no answer for {place}"
        if not known:
            return f"{where}: nothing was asked there when it was recorded"
        return f"{where}: asked there was another question ({differences(known[-1], asked.content)})"


def tape(player: ModelPlayer, cassette: Cassette, mode: TapeMode = "extend") -> None:
    """Put a tape into a player's line, outside of everything that waits, limits or gathers calls."""
    line = None if mode == "replay" else player.line
    endpoint = str(player.seated.parameters.get("endpoint", ""))
    player.line = Taped(line, service(player.seated), endpoint, cassette, mode)


def service(seated: Seated) -> str:
    """Who is asked: `anthropic`, `sim?illegal=0.2`: its kind, with the options of its own that shape answers."""
    spec = Spec.parse(seated.spec, PriceBook.load())
    others = {*Conduct.__slots__, "price", *NOT_ANSWERS}
    shaping = {name: value for name, value in spec.options.items() if name not in others}
    return str(Spec(spec.kind, "", shaping))


def place_of(call: str) -> str:
    """`RUN-MATCH-PLY.ASK.ATTEMPT` without the run: the same in every run of one request."""
    return "-".join(call.rsplit("-", 2)[1:])


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which parts of a question differ from the one on tape, and where."""
    flat_was, flat_now = _flat(was), _flat(now)
    return "; ".join(
        f"{name}: {difference(flat_was.get(name), flat_now.get(name))}"
        for name in dict.fromkeys((*flat_was, *flat_now))
        if flat_was.get(name) != flat_now.get(name)
    )


def difference(was: object, now: object) -> str:
    """Two values that differ; of texts the first line in which they do."""
    if not (isinstance(was, str) and isinstance(now, str)):
        return f"{_short(was)} on record, {_short(now)} now"
    lines = was.split("\n"), now.split("\n")
    most = max(map(len, lines))
    left, right = ([*text, *[None] * (most - len(text))] for text in lines)
    number = next(i for i in range(most) if left[i] != right[i])
    at = f"line {number + 1}: " if most > 1 else ""
    return f"{at}{_short(left[number])} on record, {_short(right[number])} now"


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    request = dict(content["request"])
    messages = request.pop("messages", [])
    texts = {f"message {number}": each["content"] for number, each in enumerate(messages, 1)}
    return {"service": content["service"], "endpoint": content["endpoint"], **request, **texts}


def _short(value: object) -> str:
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:119] + "…"


# ── lines of a file ──────────────────────────────────────────────────────────────────────────────────


def _dump(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told).encode() + b"\n"


def _read_line(line: bytes, path: Path) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise CassetteError(f"{path} is damaged: expected a JSON object on each line, got {line[:60]!r}")
    return told


def _header(told: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    version = told.get("cassette")
    if isinstance(version, int) and version > FORMAT:
        raise CassetteError(
            f"{path} was written by a newer version (format {version}, this one knows {FORMAT}): upgrade duelist"
        )
    is_whole = isinstance(told.get("request"), dict) and {"service", "endpoint"} <= told.keys()
    if version != FORMAT or not is_whole:
        raise CassetteError(f"{path} is no tape of a cassette: its first line does not say so")
    return {name: told[name] for name in ("service", "endpoint", "request")}


def _place(told: Mapping[str, Any], path: Path) -> str:
    place = told.get("place")
    if not isinstance(place, str):
        raise CassetteError(f"{path} is damaged: a line names no place")
    return place


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Reply):
        return {"reply": {**_sparse(outcome, "usage", "allowance"), "usage": _sparse(outcome.usage)}}
    error: dict[str, Any] = {
        "retryable": isinstance(outcome, Retryable),
        "kind": outcome.kind,
        "message": outcome.message,
        "status": outcome.status,
        "request_id": outcome.request_id,
        "raw_request": outcome.raw_request,
        "raw_response": outcome.raw_response,
    }
    if isinstance(outcome, Retryable):
        error |= {"retry_after_s": outcome.retry_after_s, "possibly_billed": outcome.possibly_billed}
    return {"error": {name: value for name, value in error.items() if value not in (None, "")}}


def _sparse(value: Reply | Usage, *without: str) -> dict[str, Any]:
    """The fields that are not at their defaults."""
    told = {
        field.name: getattr(value, field.name)
        for field in fields(value)
        if field.name not in without and getattr(value, field.name) != field.default
    }
    if told.get("probabilities"):
        told["probabilities"] = {str(number): p for number, p in told["probabilities"].items()}
    return told


def _outcome(line: bytes, path: Path) -> Outcome:
    told = _read_line(line, path)
    try:
        return _reply(told["reply"]) if "reply" in told else _error(told["error"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CassetteError(f"{path} is damaged at {told.get('place')}: {error}") from error


def _reply(told: Mapping[str, Any]) -> Reply:
    told = {**told, "usage": _made(Usage, told["usage"])}
    if told.get("probabilities") is not None:
        told["probabilities"] = {int(number): float(p) for number, p in told["probabilities"].items()}
    reply = _made(Reply, told)
    if reply.finish not in get_args(Finish) or reply.reasoning_kind not in get_args(ReasoningKind):
        raise ValueError(f"there is no finish {reply.finish!r} or no reasoning {reply.reasoning_kind!r}")
    return reply


def _made(kind: type[T], told: Mapping[str, Any]) -> T:
    """A reply or usage of these fields. Raises TypeError, ValueError for a field that cannot be one of it."""
    for field in fields(kind):
        value = told.get(field.name)
        like = "" if field.default is MISSING and field.name == "text" else field.default
        if field.name not in told or like is MISSING or like is None:
            continue
        right = (int, float) if isinstance(like, float) else type(like)
        if not isinstance(value, right) or isinstance(value, bool):
            raise TypeError(f"{field.name} is {value!r}, expected {type(like).__name__}")
        if isinstance(value, int | float) and not 0 <= value < float("inf"):
            raise ValueError(f"{field.name} is {value}, expected 0 or more")
    return kind(**told)


def _error(told: Mapping[str, Any]) -> Retryable | Final:
    """As it was, but nobody is to wait for it once more."""
    more = dict(told)
    retryable, kind, message = more.pop("retryable"), more.pop("kind"), more.pop("message", "")
    if kind not in get_args(RetryKind if retryable else FinalKind) or not isinstance(message, str):
        raise ValueError(f"there is no error of kind {kind!r}")
    more.pop("retry_after_s", None)
    return Retryable(kind, message, **more) if retryable else Final(kind, message, **more)


def _lock(file: FileIO) -> None:
    """Until the file is closed, nobody else appends to it."""
    try:
        import fcntl
    except ImportError:  # no locks of this kind here: one process at a time is up to the user
        return
    fcntl.flock(file, fcntl.LOCK_EX)
