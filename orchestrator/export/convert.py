"""One table from one file format to another, by their suffixes: .jsonl, .parquet, .npz; nothing is lost on the way.

Every format is read into Arrow batches and written from them. JSONL and Parquet stream, so that a file may be larger
than memory; NPZ is read and written a whole column at a time.

Types. Tables of our own (`columns`, `arrays`) are known by their columns. Of other JSONL rows the types are found out
in a first reading: a column of one kind of value, or of lists of one, is that; anything else (objects, lists in
lists, numbers beyond 64 bits, values of several kinds, some null and some missing) is JSON in a string, and marked,
so that the way back gives what was there. A missing value comes back as missing, and null as null; among fractions
1 comes back as 1.0.

In an NPZ a column of texts or of lists has its items in one run and `NAME.lengths` beside it, one with nulls
`NAME.valid`, and `schema` says what they were; arrays of our own are as `orchestrator export rl-arrays` writes them.
NaN, which JSON has not, is null there.
"""

from __future__ import annotations

import base64
import json
import math
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.export import arrays, tables
from orchestrator.export.columns import DECISIONS, GAMES

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

ROWS = 2000  # at a time
SURE = 2**53  # up to here a float is every whole number
MARK = b"duelist_json"  # of a column that holds JSON in strings
SPARSE = b"duelist_sparse"  # of a column whose nulls were missing
INT64 = range(-(2**63), 2**63)


class ConvertError(ValueError):
    """What is wrong with a file, and where."""


class Read(NamedTuple):
    """A file that was begun to be read."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def convert(source: Path, to: Path) -> int:
    """Write `to` as what `source` holds: how many rows. Raises ConvertError, OSError; then there is no `to`."""
    read, write = READERS.get(source.suffix), WRITERS.get(to.suffix)
    for path, known in ((source, read), (to, write)):
        if known is None:
            raise ConvertError(f"{path}: unknown suffix {path.suffix!r}, expected .jsonl, .parquet or .npz")
    assert read is not None and write is not None
    if to.exists():
        raise ConvertError(f"{to} is there already: name a new file")
    part = to.with_name(f".{to.name}.part")
    try:
        found = read(source)
        rows = write(part, found)
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    return rows


# ── JSONL ────────────────────────────────────────────────────────────────────────────────────────────


def read_jsonl(path: Path) -> Read:
    """Known tables by their columns; others are read twice, first for their types."""
    import pyarrow as pa

    first = next(_objects(path), None)
    schema = _known(first or {}) or _inferred(_objects(path))
    if first is not None and not schema.names:
        raise ConvertError(f"{path}: rows without any column")
    kept = set(schema.names)

    def batches() -> Iterator[pa.RecordBatch]:
        for at, rows in _grouped(_objects(path)):
            if strange := {name for row in rows for name in row} - kept - {"meta"}:
                raise ConvertError(
                    f"{path}, lines {at + 1} to {at + len(rows)}: {', '.join(sorted(strange))}: no such columns before"
                )
            yield pa.RecordBatch.from_arrays(
                [_column(path, at, rows, field) for field in schema], schema=schema
            )

    return Read(schema, batches())


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    """Line by line. Raises ConvertError with the line that is none."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ConvertError(f"{path}, line {number}: not JSON: {error}") from None
            if not isinstance(row, dict):
                raise ConvertError(f"{path}, line {number}: expected an object, got {line[:40]!r}")
            yield row


def _grouped(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """So many at a time, with how many came before."""
    at, group = 0, []
    for row in rows:
        group.append(row)
        if len(group) == ROWS:
            yield at, group
            at, group = at + ROWS, []
    if group:
        yield at, group


def _known(row: Mapping[str, Any]) -> pa.Schema | None:
    """The schema of one of our own tables, which has all its columns in every row."""
    for columns in (DECISIONS, GAMES):
        if list(row) == list(columns):
            return tables.schema(columns)
    if list(row) == [*arrays.ARRAYS, "meta"]:
        return arrays.schema(
            {name: len(row[name]) for name, each in arrays.ARRAYS.items() if each.width}, row["meta"]
        )
    return None


def _column(path: Path, at: int, rows: list[dict[str, Any]], field: pa.Field) -> pa.Array:
    import pyarrow as pa

    told = field.metadata or {}
    values: list[Any]
    if MARK in told:
        values = [_JSON(row[field.name]) if field.name in row else None for row in rows]
    elif pa.types.is_floating(field.type) and b"nan" in told:
        values = [math.nan if row[field.name] is None else row[field.name] for row in rows]
    else:
        values = [row.get(field.name) for row in rows]
    try:
        return pa.array(values, field.type)
    except (pa.ArrowException, OverflowError, TypeError, KeyError) as error:
        lines = f"lines {at + 1} to {at + len(rows)}"
        raise ConvertError(f"{path}, {lines}: {field.name} should be {field.type}: {error}") from None


class _Seen:
    """What values a column has."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()
        self.items: set[str] = set()
        self.rows = 0

    def add(self, value: Any) -> None:
        self.rows += 1
        if isinstance(value, list):
            self.kinds.add("list")
            self.items.update(map(_kind, value))
        else:
            self.kinds.add(_kind(value))

    def field(self, name: str, rows: int) -> pa.Field:
        """Its type among so many rows."""
        import pyarrow as pa

        found, metadata = self._type(), {}
        if self.rows < rows:
            metadata = {SPARSE: b"1"}
            if "null" in self.kinds:
                found = None  # some missing, some null: only as JSON they stay apart
        if found is None:
            found, metadata = pa.string(), metadata | {MARK: b"1"}
        return pa.field(name, found, metadata=metadata)

    def _type(self) -> pa.DataType | None:
        import pyarrow as pa

        kinds = self.kinds - {"null"}
        if kinds == {"list"}:
            item = _scalar(self.items - {"null"})
            return None if item is None else pa.list_(item)
        return _scalar(kinds)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if abs(value) <= SURE else "large" if value in INT64 else "other"
    if isinstance(value, float):
        return "float" if math.isfinite(value) else "other"
    return "text" if isinstance(value, str) and _writable(value) else "other"


def _writable(text: str) -> bool:
    """Whether it has a form in UTF-8, which half of a surrogate pair has not."""
    with suppress(UnicodeEncodeError):
        return text.isascii() or bool(text.encode())
    return False


def _scalar(kinds: set[str]) -> pa.DataType | None:
    """Of values of these kinds; None where no type holds them all."""
    import pyarrow as pa

    if not kinds:
        return pa.null()
    if kinds <= {"int", "large"}:
        return pa.int64()
    if kinds <= {"int", "float"}:
        return pa.float64()
    return {"bool": pa.bool_(), "text": pa.string()}.get("".join(sorted(kinds)))


def _inferred(rows: Iterable[dict[str, Any]]) -> pa.Schema:
    import pyarrow as pa

    seen: dict[str, _Seen] = {}
    count = 0
    for row in rows:
        count += 1
        for name, value in row.items():
            if name not in seen:
                seen[name] = _Seen()
            seen[name].add(value)
    return pa.schema([each.field(name, count) for name, each in seen.items()])


_JSON = json.JSONEncoder(separators=(",", ":")).encode  # in ASCII, so that it is text whatever it holds
_STRICT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def write_jsonl(path: Path, found: Read) -> int:
    """A line a row; of our arrays the first says what they are."""
    count = 0
    fields = list(found.schema)
    meta = (found.schema.metadata or {}).get(b"meta")
    with path.open("wb") as out:
        for batch in found.batches:
            for row in zip(*(_values(batch.column(field.name), field) for field in fields), strict=True):
                made = {
                    field.name: value
                    for field, value in zip(fields, row, strict=True)
                    if value is not MISSING
                }
                if meta is not None and count == 0:
                    made["meta"] = meta.decode()
                out.write(_line(path, made))
                count += 1
    return count


MISSING = object()


def _line(path: Path, row: Mapping[str, Any]) -> bytes:
    try:
        return _STRICT(row).encode("utf-8", "surrogatepass") + b"\n"
    except (TypeError, ValueError) as error:
        raise ConvertError(f"{path.name}: a value that JSON has not: {error}") from None


def _values(column: pa.Array, field: pa.Field) -> list[Any]:
    import pyarrow as pa

    told = field.metadata or {}
    values: list[Any] = column.to_pylist()
    if MARK in told:
        values = [MISSING if value is None else json.loads(value) for value in values]
    elif SPARSE in told:
        values = [MISSING if value is None else value for value in values]
    elif pa.types.is_floating(field.type):
        values = [None if value is not None and math.isnan(value) else value for value in values]
    return values


# ── Parquet ──────────────────────────────────────────────────────────────────────────────────────────


def read_parquet(path: Path) -> Read:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pa.ArrowException as error:
        raise ConvertError(f"{path} is no Parquet: {error}") from None
    schema = pa.schema([_own(field) for field in file.schema_arrow], metadata=file.schema_arrow.metadata)
    return Read(schema, (batch.cast(schema) for batch in file.iter_batches(ROWS)))


def _own(field: pa.Field) -> pa.Field:
    """Without the names and numbers that Parquet gives to fields, which would stay in the next file."""
    import pyarrow as pa

    kind = field.type
    if pa.types.is_fixed_size_list(kind):
        kind = pa.list_(_own(kind.value_field).type, kind.list_size)
    elif pa.types.is_list(kind):
        kind = pa.list_(_own(kind.value_field).type)
    told = {name: value for name, value in (field.metadata or {}).items() if name != b"PARQUET:field_id"}
    return pa.field(field.name, kind, field.nullable, metadata=told or None)


def write_parquet(path: Path, found: Read) -> int:
    import pyarrow as pa

    file, count = tables.Parquet(path), 0
    try:
        for batch in found.batches:
            file.put(pa.Table.from_batches([batch], found.schema))
            count += batch.num_rows
        if not count:
            file.put(found.schema.empty_table())
        file.close()
    finally:
        file.drop()
    return count


# ── NPZ ──────────────────────────────────────────────────────────────────────────────────────────────


def read_npz(path: Path) -> Read:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as data:
            held = {name: data[name] for name in data.files}
    except (ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ConvertError(f"{path} is no NPZ without pickles: {error}") from None
    if set(held) == {*arrays.ARRAYS, "meta"}:
        table = arrays.table(held | {"meta": str(held["meta"])})
    elif "schema" in held:
        table = _unpacked(held)
    else:
        table = _plain(path, held)
    return Read(table.schema, iter(table.to_batches(ROWS)))


def _plain(path: Path, held: Mapping[str, np.ndarray]) -> pa.Table:
    """Somebody else's arrays: of one axis or two, all of a length."""
    import pyarrow as pa

    if len({array.shape[:1] for array in held.values()}) != 1 or any(
        array.ndim not in (1, 2) for array in held.values()
    ):
        told = ", ".join(f"{name} {array.shape}" for name, array in held.items())
        raise ConvertError(f"{path}: expected arrays of one axis or two, equally long, got {told}")
    return pa.table({name: arrays.column(array) for name, array in held.items()})


def write_npz(path: Path, found: Read) -> int:
    """Whole columns, one after the other. Raises ConvertError for a type that has no array."""
    import pyarrow as pa

    table = pa.Table.from_batches(list(found.batches), found.schema).combine_chunks()
    told = found.schema.metadata or {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        if table.schema.names == list(arrays.ARRAYS) and b"meta" in told:
            for name in table.schema.names:
                array = arrays.uncolumn(_whole(table[name]))
                arrays.put(packed, name, array.astype(arrays.ARRAYS[name].dtype))
            arrays.put(packed, "meta", told[b"meta"].decode())
            return int(table.num_rows)
        for field in table.schema:
            for suffix, array in _parts(field.name, _whole(table[field.name])):
                arrays.put(packed, f"{field.name}{suffix}", array)
        arrays.put(packed, "schema", base64.b64encode(table.schema.serialize().to_pybytes()).decode())
    return int(table.num_rows)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    return (
        column.chunk(0)
        if column.num_chunks == 1
        else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
    )


def _parts(name: str, column: pa.Array) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of a column, by what follows its name."""
    import numpy as np
    import pyarrow as pa

    if column.null_count:
        yield ".valid", column.is_valid().to_numpy(zero_copy_only=False)
    kind = column.type
    if pa.types.is_null(kind):
        yield "", np.zeros(len(column), "|b1")
    elif pa.types.is_string(kind):
        texts = [text.encode() for text in column.to_pylist() if text is not None]
        yield ".lengths", np.array([len(text) for text in texts], "<i8")
        yield "", np.frombuffer(b"".join(texts), "|u1")
    elif pa.types.is_list(kind):
        given = column.drop_null()
        yield ".lengths", np.asarray(given.value_lengths().to_numpy(zero_copy_only=False), "<i8")
        for suffix, array in _parts(f"{name}.items", given.flatten()):
            yield f".items{suffix}", array
    elif pa.types.is_fixed_size_list(kind) and not column.null_count:
        yield "", arrays.uncolumn(column)
    elif pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        yield "", column.drop_null().to_numpy(zero_copy_only=False)
    else:
        raise ConvertError(f"{name} is {kind}, for which there is no array: write .parquet or .jsonl")


def _unpacked(held: Mapping[str, np.ndarray]) -> pa.Table:
    import pyarrow as pa

    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(str(held["schema"]))))
    return pa.Table.from_arrays([_joined(field.name, field.type, held) for field in schema], schema=schema)


def _joined(name: str, kind: pa.DataType, held: Mapping[str, np.ndarray]) -> pa.Array:
    """The inverse of `_parts`."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_null(kind):
        return pa.nulls(len(held[name]))
    if pa.types.is_string(kind):
        given = _texts(held[name].tobytes(), held[f"{name}.lengths"])
    elif pa.types.is_list(kind):
        ends = np.r_[0, np.cumsum(held[f"{name}.lengths"])]
        items = _joined(f"{name}.items", kind.value_type, held)
        given = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), items).cast(kind)
    elif pa.types.is_fixed_size_list(kind):
        given = arrays.column(held[name])
    else:
        given = pa.array(held[name], kind)
    valid = held.get(f"{name}.valid")
    if valid is None:
        return given.cast(kind)
    places = pa.array(np.where(valid, np.cumsum(valid) - 1, 0), mask=~valid)
    return given.cast(kind).take(places)


def _texts(joined: bytes, lengths: np.ndarray) -> pa.Array:
    import pyarrow as pa

    texts, at = [], 0
    for length in lengths.tolist():
        texts.append(joined[at : at + length].decode())
        at += length
    return pa.array(texts, pa.string())


READERS: Mapping[str, Callable[[Path], Read]] = {
    ".jsonl": read_jsonl,
    ".parquet": read_parquet,
    ".npz": read_npz,
}
WRITERS: Mapping[str, Callable[[Path, Read], int]] = {
    ".jsonl": write_jsonl,
    ".parquet": write_parquet,
    ".npz": write_npz,
}
