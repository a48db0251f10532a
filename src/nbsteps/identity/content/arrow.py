"""pyarrow: content from Arrow buffers. Loaded when the first such value is met.

Chunks, offsets, slices, padding and what lies under nulls never count: every stream of one column (validity, lengths,
values) is hashed over all chunks in a row, and null values are taken out before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_128

from nbsteps.identity.content.registry import ATTRIBUTE, ITEM, Handler, Part, Refusal

Chunks = list[Any]
_TILE: Final = 1 << 14
"""Lengths that are made at a time: they stay in the processor's cache."""


def handler_for(kind: type) -> Handler | None:
    """The handler of a pyarrow type; None if it goes the structural way."""
    if kind.__module__ == "pyarrow._dataset" and kind.__name__.endswith(_OVER_FILES):
        return _over_files
    for base, handler in _BASES:
        if issubclass(kind, base):
            return handler
    return None


def chunks_of(value: Any) -> Chunks:
    """The pieces of an array or chunked array."""
    return list(value.chunks) if isinstance(value, pa.ChunkedArray) else [value]


def type_bytes(kind: Any) -> bytes:
    """Everything that a type says, as its serialised form: ``str(type)`` leaves out metadata and quotes nothing."""
    return _counted(pa.schema([pa.field("", kind)]).serialize().to_pybytes())


def column_parts(kind: Any, chunks: Chunks, *, decode: bool = False) -> Iterator[Part]:
    """Length, nulls and values of one column, without its type.

    Args:
        kind: the type of every chunk.
        chunks: the pieces of the column.
        decode: take dictionaries for an encoding that no program sees (polars).
    """
    if pa.types.is_run_end_encoded(kind):
        chunks = [pc.run_end_decode(chunk) for chunk in chunks]
        kind = kind.value_type
    if _view(kind):  # many kernels do not take views
        kind = pa.large_binary()
        chunks = [chunk.cast(kind) for chunk in chunks]
    chunks = [chunk for chunk in chunks if len(chunk)]
    yield b"%x;" % sum(map(len, chunks))
    if not chunks or pa.types.is_null(kind):
        return
    if isinstance(kind, pa.BaseExtensionType):
        yield from column_parts(kind.storage_type, [chunk.storage for chunk in chunks], decode=decode)
        return
    if any(chunk.null_count for chunk in chunks):
        yield b"?" + _stream(_raw(pc.is_valid(chunk).cast(pa.uint8()), 1) for chunk in chunks)
        chunks = [chunk.drop_null() if chunk.null_count else chunk for chunk in chunks]
    yield from _values(kind, chunks, decode=decode)


def _counted(data: bytes) -> bytes:
    return b"%x;" % len(data) + data


def _stream(pieces: Iterable[Any]) -> bytes:
    """One hash over all pieces, and how long they are together."""
    hasher, size = xxh3_128(), 0
    for piece in pieces:
        hasher.update(piece)
        size += len(piece)
    return b"%x;" % size + hasher.digest()


def _raw(chunk: Any, width: int) -> Any:
    """The bytes of a chunk of fixed width."""
    buffer = chunk.buffers()[1]
    if buffer is None:
        return b""
    return memoryview(buffer).cast("B")[chunk.offset * width : (chunk.offset + len(chunk)) * width]


def _values(kind: Any, chunks: Chunks, *, decode: bool) -> Iterator[Part]:
    """The values of chunks without nulls."""
    if pa.types.is_boolean(kind):
        yield _stream(_raw(chunk.cast(pa.uint8()), 1) for chunk in chunks)
    elif _has_fixed_width(kind):
        yield _stream(_raw(chunk, kind.bit_width // 8) for chunk in chunks)
    elif _is_binary(kind):
        yield from _binary(kind, chunks)
    elif pa.types.is_dictionary(kind):
        yield from _dictionary(kind, chunks, decode=decode)
    elif pa.types.is_union(kind):
        yield from _union(chunks)
    elif pa.types.is_nested(kind):
        yield from _nested(kind, chunks, decode=decode)
    else:
        raise Refusal(kind, f"arrays of {kind}")


def _union(chunks: Chunks) -> Iterator[Part]:
    yield _stream(_raw(chunk.type_codes, 1) for chunk in chunks)
    for position, item in enumerate(item for chunk in chunks for item in chunk):
        yield (ITEM, position, item.value)


def _has_fixed_width(kind: Any) -> bool:
    return bool(pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_fixed_size_binary(kind))


def _is_binary(kind: Any) -> bool:
    return bool(pa.types.is_large_binary(kind) or pa.types.is_large_string(kind) or _small(kind))


def _small(kind: Any) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_string(kind))


def _view(kind: Any) -> bool:
    return bool(pa.types.is_string_view(kind) or pa.types.is_binary_view(kind))


def _binary(kind: Any, chunks: Chunks) -> Iterator[Part]:
    """Lengths and bytes: the same for every width of offsets, which is part of the type."""
    width = np.dtype(np.int32 if _small(kind) else np.int64)
    spans = [_offsets(chunk, width) for chunk in chunks]
    yield _stream(piece for span in spans for piece in _lengths(span))
    yield _stream(_span(chunk, span) for chunk, span in zip(chunks, spans, strict=True))


def _offsets(chunk: Any, width: np.dtype[Any]) -> np.ndarray[Any, Any]:
    buffer = chunk.buffers()[1]
    if buffer is None or not len(chunk):
        return np.zeros(1, dtype=width)
    return np.frombuffer(buffer, dtype=width, count=len(chunk) + 1, offset=chunk.offset * width.itemsize)


def _lengths(offsets: np.ndarray[Any, Any]) -> Iterator[Any]:
    """How long each value is, as int64; each piece holds until the next one."""
    tile = np.empty(min(_TILE, len(offsets) - 1), dtype=np.int64)
    for first in range(0, len(offsets) - 1, _TILE):
        ends = offsets[first + 1 : first + 1 + _TILE]
        lengths = tile[: len(ends)]
        np.subtract(ends, offsets[first : first + len(ends)], out=lengths)
        yield lengths.view(np.uint8)


def _span(chunk: Any, offsets: np.ndarray[Any, Any]) -> Any:
    buffer = chunk.buffers()[2]
    return b"" if buffer is None else memoryview(buffer).cast("B")[int(offsets[0]) : int(offsets[-1])]


def _dictionary(kind: Any, chunks: Chunks, *, decode: bool) -> Iterator[Part]:
    if decode:
        yield from column_parts(kind.value_type, [chunk.dictionary_decode() for chunk in chunks], decode=True)
        return
    unified = pa.chunked_array(chunks, type=kind).unify_dictionaries().chunks
    yield from column_parts(kind.value_type, [unified[0].dictionary])
    yield from column_parts(kind.index_type, [chunk.indices for chunk in unified])


def _nested(kind: Any, chunks: Chunks, *, decode: bool) -> Iterator[Part]:
    if pa.types.is_struct(kind):
        columns = [chunk.flatten() for chunk in chunks]
        for place in range(kind.num_fields):
            yield from column_parts(kind.field(place).type, [column[place] for column in columns], decode=decode)
        return
    if pa.types.is_map(kind):
        kind = pa.list_(pa.struct([kind.key_field, kind.item_field]))
        chunks = [_entries(chunk, kind) for chunk in chunks]
    lengths = [pc.list_value_length(chunk).cast(pa.int64()) for chunk in chunks]
    yield _stream(_raw(length, 8) for length in lengths)
    yield from column_parts(kind.value_type, [chunk.flatten() for chunk in chunks], decode=decode)


def _entries(chunk: Any, kind: Any) -> Any:
    """A map's chunk as a list of pairs over the same memory."""
    pairs = pa.StructArray.from_arrays([chunk.keys, chunk.items], fields=list(kind.value_type))
    return pa.ListArray.from_arrays(chunk.offsets, pairs, type=kind)


def _tagged(name: bytes, parts: Callable[[Any], Iterator[Part]]) -> Handler:
    def handler(value: Any) -> Iterator[Part]:
        yield name
        yield from parts(value)

    return handler


def _table(value: Any) -> Iterator[Part]:
    yield _counted(value.schema.serialize().to_pybytes())
    yield b"%x;" % value.num_rows
    for place, field in enumerate(value.schema):
        yield from column_parts(field.type, chunks_of(value.column(place)))


def _array(value: Any) -> Iterator[Part]:
    yield type_bytes(value.type)
    yield from column_parts(value.type, chunks_of(value))


def _scalar(value: Any) -> Iterator[Part]:
    yield type_bytes(value.type)
    if not value.is_valid:
        yield b"-"
    elif isinstance(value, pa.UnionScalar):
        yield (ATTRIBUTE, "value", value.value)
    else:
        yield from column_parts(value.type, [pa.array([value], type=value.type)])


def _schema(value: Any) -> Iterator[Part]:
    yield _counted(value.serialize().to_pybytes())


def _field(value: Any) -> Iterator[Part]:
    yield _counted(pa.schema([value]).serialize().to_pybytes())


def _type(value: Any) -> Iterator[Part]:
    yield type_bytes(value)


def _buffer(value: Any) -> Iterator[Part]:
    yield b"%x;" % value.size
    yield memoryview(value).cast("B") if value.size else b""


def _over_files(value: object) -> Iterator[Part]:
    raise Refusal(value, "it reads files that may change; call to_table()")
    yield b""


_OVER_FILES: Final = ("FileSystemDataset", "UnionDataset", "Fragment", "Scanner")
_BASES: Final[tuple[tuple[type, Handler], ...]] = (
    (pa.Table, _tagged(b"(pyarrow.Table;", _table)),
    (pa.RecordBatch, _tagged(b"(pyarrow.RecordBatch;", _table)),
    (pa.ChunkedArray, _tagged(b"(pyarrow.ChunkedArray;", _array)),
    (pa.Array, _tagged(b"(pyarrow.Array;", _array)),
    (pa.Scalar, _tagged(b"(pyarrow.Scalar;", _scalar)),
    (pa.Schema, _tagged(b"(pyarrow.Schema;", _schema)),
    (pa.Field, _tagged(b"(pyarrow.Field;", _field)),
    (pa.DataType, _tagged(b"(pyarrow.DataType;", _type)),
    (pa.Buffer, _tagged(b"(pyarrow.Buffer;", _buffer)),
)
