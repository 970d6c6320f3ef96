"""From runs to files: look at every decision, choose, write what was chosen; see `select` for the first two.

Both passes read a record in parts of whole matches, in as many processes as there are, and what they make is put
together in the order of the parts: the files are the same, byte by byte, however many processes made them. A file
is written beside its place and moved there when everything is whole.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from orchestrator.export import arrays, kinds, tables
from orchestrator.export.columns import DECISIONS, GAMES, Column, Row
from orchestrator.export.example import Example, Progress, RowError, Split, Tally
from orchestrator.export.figures import Figures
from orchestrator.export.files import Block, File, Files
from orchestrator.export.known import ratings
from orchestrator.export.select import Choice, Chosen, Look, choose, hides, look
from orchestrator.export.shapes import size, tagged
from orchestrator.export.source import Source, Step, opened
from orchestrator.export.splits import SPLITS, Policy
from orchestrator.export.wanted import Wanted
from orchestrator.pool import begin
from orchestrator.record.reading import all_kept

MATCHES = 100  # a part of a record
ROWS = 2000  # written at a time
T = TypeVar("T")


class Part(NamedTuple):
    """Matches of one record that are looked at together, `first` and `last` included."""

    path: Path
    first: str
    last: str


@dataclass(slots=True)
class Exported:
    """What came of an export."""

    wanted: Wanted
    look: Look
    choice: Choice
    records: Mapping[str, Path]  # by run
    files: list[File] = field(default_factory=list)
    repeats: int = 0  # rows that were left out, because their file has the same row already
    lengths: Counter[str] = field(default_factory=Counter)  # of pairs: bytes of the answers, and how many
    figures: Figures = field(default_factory=Figures)  # of what was written


@all_kept()
def prepare(wanted: Wanted, jobs: int = 1, on_progress: Progress = lambda done, of: None) -> Exported:
    """Look and choose; nothing is written. Raises RecordError, and ValueError for two records of one run."""
    records = records_of(wanted.runs)
    wanted = replace(wanted, known=replace(wanted.known, ratings=ratings(wanted.runs)))
    parts = [part for path in records.values() for part in parts_of(path)]
    seen = Look()
    with _Workers(jobs) as workers:
        asked = ((look, (part.path, part.first, part.last, wanted)) for part in parts)
        for done, found in enumerate(workers.in_order(asked), 1):
            seen.add(found)
            on_progress(done, len(parts))
    seen.picks.sort()
    return Exported(wanted, seen, choose(seen.picks, wanted, seen.samples), records)


def records_of(paths: Sequence[Path]) -> dict[str, Path]:
    """By the id of its run. Raises RecordError, and ValueError where two are the same run: its rows would be double."""
    found: dict[str, Path] = {}
    for path in paths:
        with opened(path) as source:
            run = source.run
        if run in found:
            raise ValueError(f"{found[run]} and {path} are the same run: name one of them")
        found[run] = path
    return found


def parts_of(path: Path) -> list[Part]:
    """A record in parts of whole matches. Raises RecordError."""
    with opened(path) as source:
        matches = source.matches()
    return [
        Part(path, group[0], group[-1])
        for group in (matches[at : at + MATCHES] for at in range(0, len(matches), MATCHES))
    ]


@all_kept()
def write(made: Exported, to: Path, jobs: int = 1, on_progress: Progress = lambda done, of: None) -> None:
    """Write the files of what was chosen into a folder: all of them, or none. Raises RowError, OSError."""
    wanted, told = made.wanted, _Told(made)
    asked: list[tuple[Callable[..., Piece], tuple[Any, ...]]] = [
        (_piece, (wanted, made.records, group)) for group in _groups(made.choice.chosen, wanted)
    ]
    if wanted.has_tables:
        asked += [(_games, (wanted, *group)) for group in _games_of(made)]
    with Files(to) as files, _Workers(jobs) as workers:
        for done, piece in enumerate(workers.in_order(asked), 1):
            for part in piece.blocks:
                for block in told(part) if isinstance(part, Lines) else (part,):
                    files.add(block)
            made.figures.join(piece.figures)
            on_progress(done, len(asked))
        told.check()
        made.files += files.keep()
    if "minari" in wanted.written:
        for file in made.files:
            if file.name.endswith(".npz"):
                arrays.to_minari(to / file.name, to / "minari")


class Lines(NamedTuple):
    """Some rows of one part, and of their sidecar."""

    split: Split
    rows: list[bytes]
    names: list[bytes]
    marks: list[bytes]  # equal for equal rows
    tally: Tally
    lengths: Counter[str]


class _Told:
    """What only all rows of an export tell: which of them are equal, and what a file is like as a whole."""

    def __init__(self, made: Exported) -> None:
        self._made = made
        self._known: dict[Split, set[bytes]] = {split: set() for split in SPLITS}
        self._tallies = {split: Tally() for split in SPLITS}

    def __call__(self, part: Lines) -> Iterator[Block]:
        """The rows that are not in their file yet."""
        rows, names = part.rows, part.names
        if self._made.wanted.dedup:
            new = self._new(part)
            self._made.repeats += len(rows) - len(new)
            self._made.figures.rows[part.split] -= len(rows) - len(new)
            rows, names = [rows[at] for at in new], [names[at] for at in new]
        if rows:
            yield Block(f"{part.split}.jsonl", len(rows), b"".join(rows))
            yield Block(f"{part.split}.ids.jsonl", len(rows), b"".join(names))
        tally = self._tallies[part.split]
        before = tally.rows
        tally.add(part.tally)
        tally.rows = before + len(rows)
        self._made.lengths.update(part.lengths)

    def _new(self, part: Lines) -> list[int]:
        known, new = self._known[part.split], []
        for at, mark in enumerate(part.marks):
            if mark not in known:
                known.add(mark)
                new.append(at)
        return new

    def check(self) -> None:
        """Raises RowError for a file that its target would refuse."""
        for split, tally in self._tallies.items():
            if tally.rows:
                self._made.wanted.made.check_file(tally, self._made.wanted.shape, split)


class Piece(NamedTuple):
    """What one process wrote at a time, and what is in it."""

    blocks: Sequence[Block | Lines]
    figures: Figures


def _groups(chosen: Sequence[Chosen], wanted: Wanted) -> Iterator[Sequence[Chosen]]:
    """What is written together: so many rows, of arrays to the end of a match."""
    at = 0
    while at < len(chosen):
        end = min(at + ROWS, len(chosen))
        if wanted.kind == "rl-arrays":
            while end < len(chosen) and _match(chosen[end].ids[0]) == _match(chosen[end - 1].ids[0]):
                end += 1
        yield chosen[at:end]
        at = end


def _games_of(made: Exported) -> Iterator[tuple[Path, frozenset[str]]]:
    """The matches of what was chosen, some of one record at a time."""
    matches = sorted({_match(decision) for one in made.choice.chosen for decision in one.ids})
    for run, path in made.records.items():
        own = [match for match in matches if match.rpartition("-")[0] == run]
        for at in range(0, len(own), MATCHES):
            yield path, frozenset(own[at : at + MATCHES])


def _match(decision: str) -> str:
    return decision.rpartition("-")[0]


# ── in a process ─────────────────────────────────────────────────────────────────────────────────────


@all_kept()
def _piece(wanted: Wanted, records: Mapping[str, Path], group: Sequence[Chosen]) -> Piece:
    figures, splits = Figures(), {one.ids[0]: one.split for one in group}
    if wanted.kind == "rl-arrays":
        steps = _counted(_steps(wanted, records, group), splits, figures)
        blocks: Sequence[Block | Lines] = [
            Block(f"{name}.{suffix}", rows, data)
            for name, rows, data in arrays.blocks(steps, splits)
            for suffix in wanted.written
            if suffix != "minari"  # which is made of the NPZ
        ]
        rows = _read(wanted, records, group) if wanted.has_tables else {}
    else:
        rows = _read(wanted, records, group)
        blocks = [] if wanted.is_plain else _rows(wanted, group, rows, figures)
        for one in group if wanted.is_plain else ():
            figures.add([rows[one.ids[0]]], one.split)
    told = _tabled(wanted, group, rows) if wanted.has_tables else []
    return Piece([*blocks, *told], figures)


def _counted(steps: Iterable[Step], splits: Mapping[str, Split], figures: Figures) -> Iterator[Step]:
    for step in steps:
        figures.add([step.row], splits[step.row["decision_id"]])
        yield step


def _tabled(wanted: Wanted, group: Sequence[Chosen], rows: Mapping[str, Row]) -> list[Block]:
    """Rows of the table of decisions, with what the export knows of them."""
    found = []
    for one in group:
        told = {"split": one.split, "weight": one.weight, "dedup_group": one.group or None}
        told["dedup_count"] = one.same
        found += [rows[decision] | told for decision in one.ids]
    return _table(wanted, "decisions", found, DECISIONS)


def _table(wanted: Wanted, name: str, rows: Sequence[Row], columns: Mapping[str, Column]) -> list[Block]:
    piece: list[Block] = []
    place = "" if wanted.kind == "tables" else "tables/"
    if "parquet" in wanted.table_formats:
        piece.append(Block(f"{place}{name}.parquet", len(rows), tables.batch(rows, columns)))
    if "jsonl" in wanted.table_formats:
        piece.append(Block(f"{place}{name}.jsonl", len(rows), b"".join(map(_line, rows))))
    return piece


@all_kept()
def _games(wanted: Wanted, path: Path, matches: frozenset[str]) -> Piece:
    with opened(path, wanted.ask, wanted.known) as source:
        rows = list(source.games(min(matches), max(matches), matches))
    for row in rows:
        row["split"] = _part(wanted.parted, row)
    return Piece(_table(wanted, "games", rows, GAMES), Figures())


def _part(policy: Policy, row: Row) -> Split | None:
    """Of a match, where all its decisions are in one part."""
    hidden = hides(row["game"], row["variant"])
    if policy.by == "position" or (policy.by == "auto" and not hidden):
        return None
    return policy.split(row, hidden)


def _rows(wanted: Wanted, group: Sequence[Chosen], rows: Mapping[str, Row], figures: Figures) -> list[Lines]:
    """The lines of some rows and of their sidecar, by part. Raises RowError with the decisions of a row."""
    target, shape = wanted.made, wanted.shape
    found = {split: Lines(split, [], [], [], Tally(), Counter()) for split in SPLITS}
    for one, example in zip(group, _examples(wanted, group, rows), strict=True):
        part = found[example.split]
        try:
            row = target.row(example, wanted.carried)
            target.check(row, shape)
        except RowError as error:
            raise RowError(f"{' and '.join(example.ids)}: {error}") from None
        line = _line(row)
        part.tally.see(row)
        figures.add([rows[decision] for decision in example.ids], example.split)
        figures.write(example, row)
        part.rows.append(line)
        part.marks.append(hashlib.blake2b(line, digest_size=12).digest())
        part.names.append(_line(_sidecar(example, one, wanted)))
        if example.answer and example.rejected:
            chosen, rejected = (
                size(tagged(each, wanted.carried)) for each in (example.answer, example.rejected)
            )
            part.lengths.update(pairs=1, chosen=chosen, rejected=rejected)
    return [part for part in found.values() if part.rows]


def _sidecar(example: Example, one: Chosen, wanted: Wanted) -> dict[str, Any]:
    if len(example.ids) == 2:
        return {"ids": example.ids}
    if wanted.kind != "sft":
        return {"decision_id": example.ids[0]}
    told = {"n_samples": one.n_samples, "rank": one.rank, "pass_rate": one.pass_rate}
    return {"decision_id": example.ids[0], **told}


def _examples(wanted: Wanted, group: Sequence[Chosen], rows: Mapping[str, Row]) -> Iterator[Example]:
    for one in group:
        row = rows[one.ids[0]]
        if wanted.kind == "sft":
            yield kinds.sft(row, wanted.form, one.split, one.weight)
        elif wanted.kind == "kto":
            good = kinds.label(row, wanted.epsilon, wanted.margin)
            assert good is not None, "chosen by its label"
            yield kinds.kto(row, wanted.form, one.split, good)
        elif wanted.kind == "pref":
            yield kinds.pref(row, rows[one.ids[1]], wanted.form, one.split)
        elif wanted.kind == "format-pref":
            yield kinds.format_pref(row, wanted.form, one.split)
        else:
            yield kinds.rl_prompt(row, one.split, one.n_samples, one.pass_rate)


def _read(wanted: Wanted, records: Mapping[str, Path], group: Sequence[Chosen]) -> dict[str, Row]:
    """The rows of the decisions of a group, whole where they go into a table."""
    found = {}
    for path, ids in _by_record(records, group):
        with opened(path, wanted.ask, wanted.known) as source:
            found.update({row["decision_id"]: row for row in _found(source, ids, wanted)})
    return found


def _found(source: Source, ids: Sequence[str], wanted: Wanted) -> Iterator[Row]:
    """Of pairs they lie all over the record; else close together, where reading on is quicker than looking up."""
    brief = not wanted.has_tables
    if wanted.kind == "pref":
        return source.chosen(ids, brief=brief)
    return source.decisions(_match(ids[0]), _match(ids[-1]), frozenset(ids), brief=brief)


def _steps(wanted: Wanted, records: Mapping[str, Path], group: Sequence[Chosen]) -> Iterator[Step]:
    for path, ids in _by_record(records, group):
        with opened(path, wanted.ask, wanted.known) as source:
            yield from source.positions(_match(ids[0]), _match(ids[-1]), frozenset(ids))


def _by_record(records: Mapping[str, Path], group: Sequence[Chosen]) -> Iterator[tuple[Path, list[str]]]:
    """The decisions of a group, sorted, by their record."""
    ids = sorted({decision for one in group for decision in one.ids})
    for run, own in groupby(ids, key=lambda decision: decision.rsplit("-", 2)[0]):
        yield records[run], list(own)


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def _line(row: Mapping[str, Any]) -> bytes:
    return _JSON(row).encode("utf-8", "replace") + b"\n"


class _Workers:
    """So many processes, whose results come in the order in which they were asked for; one: here."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None

    def in_order(self, asked: Iterable[tuple[Callable[..., T], tuple[Any, ...]]]) -> Iterator[T]:
        if self._jobs == 1:
            yield from (function(*given) for function, given in asked)
            return
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(self._jobs, context, initializer=begin)
        out: deque[Future[T]] = deque()
        for function, given in asked:
            out.append(self._pool.submit(function, *given))
            if len(out) >= 3 * self._jobs:
                yield out.popleft().result()
        while out:
            yield out.popleft().result()

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=kind is None, cancel_futures=True)
