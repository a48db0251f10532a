"""pandas objects as Arrow tables and back: exactly, writable, and without copying what is plain memory."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa

from nbsteps.store import columns
from nbsteps.store.columns import Source
from nbsteps.store.plain import RefusedError

_MANY_COLUMNS = 100
"""Columns beyond which pandas warns of a fragmented frame: beyond it columns are sorted by dtype to form blocks."""

_PLAIN = frozenset({"bool", "str:nan", *(f"np:{np.dtype(t).str}" for t in "bhiqBHIQfd"), *(
    f"np:<M8[{unit}]" for unit in ("s", "ms", "us", "ns")
)})  # fmt: skip
_INDEXES = (pd.Index, pd.DatetimeIndex, pd.TimedeltaIndex, pd.CategoricalIndex)

Meta = dict[str, Any]


def encode(value: Any) -> tuple[pa.Table, Meta, bool]:
    """Table, what Arrow cannot say of the value, and whether its columns alone say everything.

    Raises:
        RefusedError: the value would not come back exactly.
    """
    encoder = _ENCODERS.get(type(value))
    if encoder is None:
        raise RefusedError
    table, meta = encoder(value)
    return table, meta, _is_plain(value, meta)


def decode(table: pa.Table, meta: Meta, data: memoryview) -> object:
    """The value; its plain columns are views of ``data``."""
    source = Source(data)
    arrays = [_single(column) for column in table.columns]
    index = _decode_index(meta["index"], arrays[len(meta.get("specs", ())) :], source)
    if meta["kind"] == "Index":
        return index
    if meta["kind"] == "DataFrame":
        value: Any = _decode_frame(meta, arrays, index, source)
    else:
        values = columns.decode(arrays[0], meta["specs"][0], source)
        value = pd.Series(values, index=index, name=meta["name"], dtype=values.dtype, copy=False)
    if meta["attrs"]:
        value.attrs = meta["attrs"]
    return value


def from_plain(table: pa.Table) -> pd.DataFrame:
    """A frame from columns that say everything (:func:`encode` said so), such as DuckDB gives them back."""
    data = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        array, kind = _single(column), column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            data[name] = columns.string_dtype("nan").__from_arrow__(array.cast(pa.large_string()))
        else:
            data[name] = np.array(array.to_numpy(zero_copy_only=False))
    return pd.DataFrame(data, copy=False)


def _encode_frame(frame: pd.DataFrame) -> tuple[pa.Table, Meta]:
    found = [columns.encode(column) for _, column in frame.items()]
    specs = [spec for _, spec in found]
    labels = list(frame.columns)
    order = list(range(len(found)))
    if len(order) > _MANY_COLUMNS:
        order.sort(key=specs.__getitem__)
    index, arrays = _encode_index(frame.index)
    meta = {"kind": "DataFrame", "index": index, "labels": _labels(frame.columns), "specs": specs, **_extras(frame)}
    if order != sorted(order):
        meta["order"] = order
    names = [_field_name(labels[at]) for at in order] + _index_names(frame.index, arrays)
    return pa.Table.from_arrays([found[at][0] for at in order] + arrays, names=names), meta


def _encode_series(series: pd.Series[Any]) -> tuple[pa.Table, Meta]:
    array, spec = columns.encode(series)
    index, arrays = _encode_index(series.index)
    meta = {"kind": "Series", "index": index, "specs": [spec], "name": series.name, **_extras(series)}
    return pa.Table.from_arrays(
        [array, *arrays], names=[_field_name(series.name), *_index_names(series.index, arrays)]
    ), meta


def _encode_bare_index(index: pd.Index[Any]) -> tuple[pa.Table, Meta]:
    described, arrays = _encode_index(index)
    return pa.Table.from_arrays(arrays, names=_index_names(index, arrays)), {"kind": "Index", "index": described}


def _extras(value: Any) -> Meta:
    if not value.flags.allows_duplicate_labels:
        raise RefusedError
    return {"attrs": value.attrs}


def _encode_index(index: pd.Index[Any]) -> tuple[Meta, list[pa.Array]]:
    """What is said of an index as JSON, and its columns: none for a range, one for each level of a multi-index."""
    if type(index) is pd.RangeIndex:
        return {"range": [index.start, index.stop, index.step], "name": index.name}, []
    if isinstance(index, pd.MultiIndex):
        return _encode_levels(index)
    if type(index) not in _INDEXES:
        raise RefusedError
    array, spec = columns.encode(index)
    described = {"spec": spec, "name": index.name}
    freq = getattr(index, "freq", None)
    if freq is not None:
        described["freq"] = _freq(freq)
    return described, [array]


def _encode_levels(index: pd.MultiIndex) -> tuple[Meta, list[pa.Array]]:
    if type(index) is not pd.MultiIndex or getattr(index, "sortorder", None) is not None:
        raise RefusedError
    found = [_encode_index(level) for level in index.levels]
    arrays = []
    for level, codes, (_, encoded) in zip(index.levels, index.codes, found, strict=True):
        dictionary = encoded[0] if encoded else pa.array(level.to_numpy())
        if pa.types.is_dictionary(dictionary.type):
            raise RefusedError  # Arrow's files cannot hold a dictionary of a dictionary: categories are one
        arrays.append(columns.coded(np.asarray(codes), dictionary))
    return {"levels": [described for described, _ in found], "name": list(index.names)}, arrays


def _decode_index(described: Meta, arrays: list[pa.Array], source: Source) -> Any:
    name = described["name"]
    if "range" in described:
        return _range(described)
    if "levels" in described:
        levels = [
            _decode_index(level, [array.dictionary], source)
            for level, array in zip(described["levels"], arrays, strict=True)
        ]
        codes: Any = [columns.codes(array, source) for array in arrays]
        return pd.MultiIndex(levels, codes, names=name, verify_integrity=False)
    values = columns.decode(arrays[0], described["spec"], source)
    index = pd.Index(values, dtype=values.dtype, name=name, copy=False)
    if "freq" in described:
        index = type(index)(index, freq=described["freq"], name=name)
    return index


def _range(described: Meta) -> pd.RangeIndex:
    start, stop, step = described["range"]
    return pd.RangeIndex(start, stop, step, name=described["name"])


def _freq(freq: Any) -> str:
    text = str(freq.freqstr)
    if pd.tseries.frequencies.to_offset(text) != freq:
        raise RefusedError
    return text


def _labels(names: pd.Index[Any]) -> Meta:
    """The columns' index: few enough items to be kept as JSON."""
    if type(names) is pd.RangeIndex:
        return {"range": [names.start, names.stop, names.step], "name": names.name}
    if type(names) is not pd.Index or not (names.dtype == object or names.dtype.kind in "ifb" or _is_str(names)):
        raise RefusedError
    dtype = "str" if _is_str(names) else str(names.dtype)
    return {"items": names.tolist(), "dtype": dtype, "name": names.name}


def _is_str(index: pd.Index[Any]) -> bool:
    dtype = index.dtype
    return isinstance(dtype, pd.StringDtype) and dtype.storage == "pyarrow" and dtype.na_value is not pd.NA


def _decode_labels(described: Meta) -> Any:
    if "range" in described:
        return _range(described)
    items, dtype = described["items"], described["dtype"]
    if dtype == "str":
        return pd.Index(items, dtype=columns.string_dtype("nan"), name=described["name"])
    values = np.empty(len(items), dtype=dtype)
    values[:] = items
    return pd.Index(values, dtype=dtype, name=described["name"], tupleize_cols=False)


def _decode_frame(meta: Meta, arrays: list[pa.Array], index: Any, source: Source) -> pd.DataFrame:
    specs, labels = meta["specs"], _decode_labels(meta["labels"])
    order = meta.get("order") or list(range(len(specs)))
    try:
        from pandas.api.internals import (  # type: ignore[import-not-found]  # noqa: PLC0415 (new in pandas 3.0, no stubs)
            create_dataframe_from_blocks,
        )
    except ImportError:
        decoded = {at: columns.decode(array, specs[at], source) for at, array in zip(order, arrays, strict=False)}
        return _from_columns(decoded, index, labels)
    blocks = []
    start = 0
    while start < len(order):
        stop = _run_end(specs, order, arrays, source, start)
        values = _block(specs[order[start]], arrays[start:stop], source)
        blocks.append((values, np.array(order[start:stop], dtype=np.intp)))
        start = stop
    return cast("pd.DataFrame", create_dataframe_from_blocks(blocks, index=index, columns=labels))


def _from_columns(decoded: dict[int, Any], index: Any, labels: Any) -> pd.DataFrame:
    """The way for pandas before 3.0: a block for each column, joined (copied) if there are many."""
    frame = pd.DataFrame({at: decoded[at] for at in sorted(decoded)}, index=index, copy=False)
    frame.columns = labels
    return frame.copy() if len(decoded) > _MANY_COLUMNS else frame


def _run_end(specs: list[str], order: list[int], arrays: list[pa.Array], source: Source, start: int) -> int:
    """End of the columns from ``start`` on that lie one behind the other with one dtype."""
    dtype = columns.numpy_dtype(specs[order[start]])
    stop = start + 1
    if dtype is None or not len(arrays[start]):
        return stop
    size = len(arrays[start]) * dtype.itemsize
    expected = source.offset(arrays[start], dtype.itemsize)
    while stop < len(order) and expected is not None and specs[order[stop]] == specs[order[start]]:
        expected += size
        if source.offset(arrays[stop], dtype.itemsize) != expected:
            break
        stop += 1
    return stop


def _block(spec: str, arrays: list[pa.Array], source: Source) -> Any:
    """Values of neighbouring columns: a two-dimensional view of plain memory, else an extension array."""
    dtype = columns.numpy_dtype(spec)
    if dtype is None:
        values = columns.decode(arrays[0], spec, source)
        return values.reshape(1, -1) if isinstance(values, np.ndarray) else values
    rows = len(arrays[0])
    offset = source.offset(arrays[0], dtype.itemsize)
    if len(arrays) == 1 or offset is None:
        return source.values(arrays[0], dtype).reshape(1, rows)
    return np.frombuffer(source.data, dtype, rows * len(arrays), offset).reshape(len(arrays), rows)


def _single(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    whole = column.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole


def _field_name(label: object) -> str:
    return label if type(label) is str else repr(label)


def _index_names(index: pd.Index[Any], arrays: list[pa.Array]) -> list[str]:
    return [name if type(name) is str and name else "__index__" for name in index.names][: len(arrays)]


def _is_plain(value: Any, meta: Meta) -> bool:
    """Whether the names and types of the columns say everything, also in a database where case does not count."""
    if meta["kind"] != "DataFrame" or not meta["specs"] or meta["attrs"] or not _PLAIN.issuperset(meta["specs"]):
        return False
    if meta["index"] != {"range": [0, len(value), 1], "name": None}:
        return False
    labels = meta["labels"]
    if labels.get("dtype") != "str" or labels["name"] is not None:
        return False
    names = {str(name).casefold() for name in labels["items"]}
    return "" not in names and len(names) == len(labels["items"])


_ENCODERS: dict[type, Any] = {
    pd.DataFrame: _encode_frame,
    pd.Series: _encode_series,
    **dict.fromkeys((*_INDEXES, pd.RangeIndex, pd.MultiIndex), _encode_bare_index),
}
