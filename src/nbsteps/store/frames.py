"""Tables of pandas, polars and pyarrow as Arrow IPC files: read without unpickling, in place, by other tools too.

What Arrow cannot say is JSON in the schema's metadata under ``nbsteps``. Loaded only when a value is a table.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from nbsteps.core.errors import DamagedValueError
from nbsteps.store import plain
from nbsteps.store.layout import Buffer
from nbsteps.store.plain import RefusedError

_KEY = b"nbsteps"
_PLAIN_TYPES = frozenset(
    {getattr(pa, name)() for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")}
    | {pa.float32(), pa.float64(), pa.bool_(), pa.string()}
    | {pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")}
)


@dataclass(frozen=True, slots=True)
class Frame:
    """An encoded table.

    Attributes:
        parts: buffers whose concatenation is an Arrow IPC file.
        plain: whether the columns' names and types say everything, so that a database can hold it.
        exact: whether decoding is known to give an equal value.
    """

    parts: list[Buffer]
    plain: bool
    exact: bool


def encode(value: Any) -> Frame | None:
    """Encode a table, series or index; None for one that Arrow does not restore exactly."""
    root = type(value).__module__.partition(".")[0]
    try:
        if root == "pandas":
            from nbsteps.store import pandas_frames  # noqa: PLC0415 (keeps pandas out where only Arrow is used)

            table, meta, simple = pandas_frames.encode(value)
            return _file(table, meta, simple=simple, exact=True)
        return _encode_polars(value) if root == "polars" else _encode_pyarrow(value)
    except (RefusedError, pa.ArrowException, UnicodeEncodeError):
        return None


def decode(data: memoryview) -> object:
    """The value that :func:`encode` was given; NumPy columns are writable views of ``data``.

    Raises:
        DamagedValueError: the file does not say what it is.
    """
    table = _read(data)
    about = (table.schema.metadata or {}).get(_KEY)
    if about is None:
        msg = "a stored table does not say what it is"
        raise DamagedValueError(msg, hint="run the step again")
    meta: Any = plain.load(about)
    table = _without_meta(table)
    if meta["kind"].startswith("polars"):
        return _decode_polars(table, meta)
    if meta["kind"] == "RecordBatch":
        return table.combine_chunks().to_batches()[0] if len(table) else pa.RecordBatch.from_pylist([], table.schema)
    if meta["kind"] == "Table":
        return table
    from nbsteps.store import pandas_frames  # noqa: PLC0415 (keeps pandas out where only Arrow is used)

    return pandas_frames.decode(table, meta, data)


def read_table(data: memoryview) -> pa.Table:
    """The columns alone, for SQL: in the value's order, names made unique without regard to case."""
    table = _read(data)
    about: Any = plain.load((table.schema.metadata or {}).get(_KEY, b"{}"))
    order = about.get("order")
    if order is not None:  # columns of one dtype lie together in the file
        at = {column: position for position, column in enumerate(order)}
        table = table.select([at.get(column, column) for column in range(table.num_columns)])
    table = _without_meta(table)
    return table.rename_columns(_unique(table.column_names))


def as_table(value: Any) -> pa.Table | None:
    """A table from a value that was not stored as one, for SQL; None where its columns have no Arrow type."""
    root = type(value).__module__.partition(".")[0]
    try:
        if root == "pandas":
            value = value.rename(columns=str) if value.columns.nlevels == 1 else value.set_axis(map(str, value), axis=1)
            value = value.set_axis(_unique(list(value.columns)), axis=1)
            table = pa.Table.from_pandas(value)
        else:
            table = value.to_arrow() if root == "polars" else value
    except (pa.ArrowException, TypeError, ValueError):
        return None
    return table.rename_columns(_unique(table.column_names)).replace_schema_metadata(None)


def from_plain(type_name: str, table: pa.Table) -> object:
    """The value of a plain table (see :class:`Frame`), from its columns alone."""
    if type_name == "pandas.DataFrame":
        from nbsteps.store import pandas_frames  # noqa: PLC0415 (keeps pandas out where only Arrow is used)

        return pandas_frames.from_plain(table)
    if type_name == "polars.DataFrame":
        import polars as pl  # noqa: PLC0415 (an optional dependency)

        return pl.from_arrow(table)
    return table.replace_schema_metadata(None)


def _encode_polars(value: Any) -> Frame | None:
    import polars as pl  # noqa: PLC0415 (an optional dependency)

    if type(value) is pl.Series:
        frame, meta = value.to_frame(), {"kind": "polars.Series"}
    elif type(value) is pl.DataFrame:
        frame, meta = value, {"kind": "polars.DataFrame"}
    else:
        return None
    if any(dtype == pl.Object for dtype in frame.dtypes):
        return None
    table = frame.to_arrow()
    restored = pl.from_arrow(table.slice(0, 0))
    assert isinstance(restored, pl.DataFrame)  # noqa: S101 (from_arrow gives a frame for a table; for the type checker)
    exact = restored.schema == frame.schema and not any(_pooled(dtype) for dtype in frame.dtypes)
    narrow = pa.schema([_narrow(field) for field in table.schema])
    simple = exact and meta["kind"] == "polars.DataFrame" and _is_plain(narrow)
    return _file(table, meta, simple=simple, exact=exact)


def _narrow(field: pa.Field) -> pa.Field:
    return field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field


def _pooled(dtype: Any) -> bool:
    """Whether a dtype holds categories somewhere, whose encoding depends on more than the column."""
    return any(word in str(dtype) for word in ("Categorical", "Enum", "Extension"))


def _decode_polars(table: pa.Table, meta: dict[str, Any]) -> object:
    import polars as pl  # noqa: PLC0415 (an optional dependency)

    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 (from_arrow gives a frame for a table; for the type checker)
    return frame.to_series() if meta["kind"] == "polars.Series" else frame


def _encode_pyarrow(value: Any) -> Frame | None:
    if type(value) is pa.RecordBatch:
        kind, table = "RecordBatch", pa.Table.from_batches([value])
    elif type(value) is pa.Table:
        kind, table = "Table", value
    else:
        return None
    with contextlib.suppress(pa.ArrowException):
        table = table.unify_dictionaries()
    simple = kind == "Table" and not table.schema.metadata and _is_plain(table.schema)
    return _file(table, {"kind": kind}, simple=simple, exact=simple)


def _is_plain(schema: pa.Schema) -> bool:
    names = {name.casefold() for name in schema.names}
    fields = all(field.nullable and not field.metadata and field.type in _PLAIN_TYPES for field in schema)
    return bool(names) and fields and "" not in names and len(names) == len(schema.names)


def _file(table: pa.Table, meta: dict[str, Any], *, simple: bool, exact: bool) -> Frame | None:
    text = plain.dump(meta)
    if text is None:
        return None
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _KEY: text})
    sink = _Sink()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return Frame(sink.parts, plain=simple, exact=exact)


class _Sink(io.RawIOBase):
    """Keeps what is written to it as it comes: large buffers stay where they are."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Buffer] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = data if isinstance(data, bytes) else memoryview(data).cast("B")
        self.parts.append(view)
        return len(view)


def _read(data: memoryview) -> pa.Table:
    table = pa.ipc.open_file(pa.py_buffer(data)).read_all()
    table.validate()
    return table


def _without_meta(table: pa.Table) -> pa.Table:
    metadata = {key: value for key, value in (table.schema.metadata or {}).items() if key != _KEY}
    return table.replace_schema_metadata(metadata or None)


def _unique(names: list[str]) -> list[str]:
    """Names that differ when case does not count, as in SQL: ``a, A, a`` gives ``a, A_1, a_2``."""
    taken: set[str] = set()
    found = []
    for name in names:
        candidate, number = name, 0
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate.casefold())
        found.append(candidate)
    return found
