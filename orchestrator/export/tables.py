"""The canonical tables as files: Parquet, columns and types as `columns` says, and on request the same as JSONL.

Rows pass between processes as Arrow batches, in the order of the export, and are written in groups of a fixed size: a
file depends on its rows alone. Parquet takes pyarrow, of the extra `data`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.export.columns import VERSION, Column, Row

if TYPE_CHECKING:
    import pyarrow as pa

MISSING = "Parquet needs pyarrow: pip install 'duelist[data]'"
LEFT_OUT = f"the tables are left out: {MISSING}, or say --no-tables"
GROUP = 10_000  # rows that are compressed together
LEVEL = 3  # of zstd


def have_parquet() -> bool:
    """Whether the extra is installed."""
    return find_spec("pyarrow") is not None


def schema(columns: Mapping[str, Column]) -> pa.Schema:
    """Of one of the tables; what a column means goes with it."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "ints": pa.list_(pa.int64()),
        "floats": pa.list_(pa.float64()),
        "strings": pa.list_(pa.string()),
    }
    fields = [
        pa.field(name, types[each.type], metadata={"about": each.about}) for name, each in columns.items()
    ]
    return pa.schema(fields, metadata={"duelist_tables": str(VERSION)})


def batch(rows: Sequence[Row], columns: Mapping[str, Column]) -> bytes:
    """Rows as one Arrow batch on the way between processes. Raises ArrowException for a value of another type."""
    import pyarrow as pa

    made = schema(columns)
    arrays = [pa.array([row[name] for row in rows], made.field(name).type) for name in columns]
    return sent(pa.RecordBatch.from_arrays(arrays, schema=made))


def sent(made: pa.RecordBatch) -> bytes:
    """A batch as bytes."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, made.schema) as stream:
        stream.write_batch(made)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def received(data: bytes) -> pa.Table:
    """The inverse of `sent`."""
    import pyarrow as pa

    return pa.ipc.open_stream(data).read_all()


class Parquet:
    """A file that grows group by group of rows; its schema is that of the first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[pa.Table] = []
        self._writer: Any = None

    def add(self, data: bytes) -> None:
        """Rows as `batch` makes them."""
        self.put(received(data))

    def put(self, table: pa.Table) -> None:
        """Likewise, as a table."""
        import pyarrow.parquet as pq

        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._path, table.schema, compression="zstd", compression_level=LEVEL
            )
        self._waiting.append(table)
        if sum(each.num_rows for each in self._waiting) >= GROUP:
            self._write()

    def _write(self) -> None:
        import pyarrow as pa

        rest = pa.concat_tables(self._waiting)
        while rest.num_rows >= GROUP:
            self._writer.write_table(rest.slice(0, GROUP), row_group_size=GROUP)
            rest = rest.slice(GROUP)
        self._waiting = [rest] if rest.num_rows else []

    def close(self) -> None:
        """With the rows that make no whole group."""
        import pyarrow as pa

        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=GROUP)
        self.drop()

    def drop(self) -> None:
        """Without them."""
        self._waiting = []
        if self._writer is not None:
            self._writer.close()
