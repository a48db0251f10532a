"""One pandas column as one Arrow array and back, exactly, with numeric memory used in place.

A *spec* is a short text that says what Arrow cannot: ``np:<i8``, ``bool``, ``str:nan``, ``tz:us:zone:Europe/Paris``,
``cat:0:str:nan`` (unordered, categories ``str:nan``). A column without a spec is refused, and pickle takes the frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from nbsteps.store.plain import RefusedError

_UNITS = ("s", "ms", "us", "ns")
_MASKED = {
    "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64", "boolean",
}  # fmt: skip
_NAT = np.iinfo("i8").min


class Source:
    """Memory that Arrow arrays were read from, to make NumPy arrays over the same memory that can be written."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self._start = pa.py_buffer(data).address

    def offset(self, array: pa.Array, itemsize: int) -> int | None:
        """Where in ``data`` the array's items start; None if they are elsewhere."""
        buffer = array.buffers()[1]
        if buffer is None:
            return None
        offset = buffer.address - self._start + array.offset * itemsize
        return offset if 0 <= offset <= len(self.data) - len(array) * itemsize else None

    def values(self, array: pa.Array, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        """The array's items, the ones below nulls included, as writable memory."""
        offset = self.offset(array, dtype.itemsize)
        if offset is not None and len(array):
            return np.frombuffer(self.data, dtype, len(array), offset)
        buffer = array.buffers()[1]
        if buffer is None or not len(array):
            return np.empty(len(array), dtype)
        return np.frombuffer(buffer, dtype, len(array), array.offset * dtype.itemsize).copy()


def encode(column: pd.Series[Any] | pd.Index[Any]) -> tuple[pa.Array, str]:
    """Arrow array and spec of a column.

    Raises:
        RefusedError: the column would not come back exactly.
    """
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return _encode_numpy(column.to_numpy(), dtype)
    for kind, encoder in _EXTENSIONS:
        if isinstance(dtype, kind):
            return encoder(column, dtype)
    if dtype.name in _MASKED and type(dtype).__module__.partition(".")[0] == "pandas":
        return _encode_masked(column.array, dtype)
    raise RefusedError


def decode(array: pa.Array, spec: str, source: Source) -> Any:
    """NumPy array or pandas extension array of a column."""
    head, _, rest = spec.partition(":")
    return _DECODERS[head](array, rest, source)


def numpy_dtype(spec: str) -> np.dtype[Any] | None:
    """The dtype of a column that is plain memory, so that neighbours can be one block; else None."""
    return np.dtype(spec[3:]) if spec.startswith("np:") else None


def _encode_numpy(values: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> tuple[pa.Array, str]:
    if dtype.kind == "O":
        return _strings(values)
    if dtype.kind == "b":
        return pa.array(values), "bool"
    if not dtype.isnative:
        raise RefusedError
    if dtype.kind in "iuf" and dtype.itemsize <= 8:  # noqa: PLR2004 (long doubles have no Arrow type)
        return _primitive(pa.from_numpy_dtype(dtype), values, None), f"np:{dtype.str}"
    if dtype.kind in "mM":
        return _times(values, dtype)
    raise RefusedError


def _primitive(kind: pa.DataType, values: np.ndarray[Any, Any], valid: np.ndarray[Any, Any] | None) -> pa.Array:
    """An Arrow array over NumPy memory, untouched: NaN stays NaN and is no null."""
    flat = np.ascontiguousarray(values)
    bitmap = None if valid is None else pa.array(valid).buffers()[1]
    return pa.Array.from_buffers(kind, len(flat), [bitmap, pa.py_buffer(flat)])


def _valid(numbers: np.ndarray[Any, Any], missing: int) -> np.ndarray[Any, Any] | None:
    valid = numbers != missing
    return None if valid.all() else valid


def _times(values: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> tuple[pa.Array, str]:
    unit, count = np.datetime_data(dtype)
    if unit not in _UNITS or count != 1:
        raise RefusedError
    kind = pa.timestamp(unit) if dtype.kind == "M" else pa.duration(unit)
    numbers = np.ascontiguousarray(values).view("i8")
    return _primitive(kind, numbers, _valid(numbers, _NAT)), f"np:{dtype.str}"


def _strings(values: np.ndarray[Any, Any]) -> tuple[pa.Array, str]:
    """Objects that are all exactly ``str``, with either None or NaN for what is missing."""
    kinds = set(map(type, values))
    missing = "nan" if float in kinds else "none"
    if not kinds <= {str, float if missing == "nan" else type(None)}:
        raise RefusedError
    numbers = {id(value) for value in values if type(value) is float}
    if not numbers <= {id(np.nan)}:  # another NaN may carry other bits, and a number is no missing text
        raise RefusedError
    try:
        return pa.array(values, pa.large_string(), from_pandas=missing == "nan"), f"object:{missing}"
    except (pa.ArrowInvalid, UnicodeEncodeError) as error:
        raise RefusedError from error


def _whole(chunked: Any) -> pa.Array:
    """One contiguous Arrow array."""
    if isinstance(chunked, pa.ChunkedArray):
        chunked = chunked.chunk(0) if chunked.num_chunks == 1 else chunked.combine_chunks()
    if not isinstance(chunked, pa.Array) or isinstance(chunked.type, pa.BaseExtensionType):
        raise RefusedError
    return chunked


def _encode_str(column: Any, dtype: Any) -> tuple[pa.Array, str]:
    missing = "NA" if dtype.na_value is pd.NA else "nan"
    if dtype.storage != "pyarrow" or string_dtype(missing) != dtype:
        raise RefusedError
    array = _whole(column.array.__arrow_array__())
    return array.cast(pa.large_string()), f"str:{missing}"


def string_dtype(missing: str) -> Any:
    """The Arrow-backed string dtype whose missing value is ``nan`` or ``NA``."""
    if missing == "NA":
        return pd.StringDtype("pyarrow")
    try:
        return pd.StringDtype("pyarrow", na_value=np.nan)
    except TypeError:  # pandas before 3.0 does not have it
        raise RefusedError from None


def _encode_zoned(column: Any, dtype: Any) -> tuple[pa.Array, str]:
    zone = _zone_spec(dtype.tz)
    numbers = column.array.asi8
    kind = pa.timestamp(dtype.unit, tz=zone.partition(":")[2])
    return _primitive(kind, numbers, _valid(numbers, _NAT)), f"tz:{dtype.unit}:{zone}"


def _zone_spec(zone: Any) -> str:
    import datetime as dt  # noqa: PLC0415 (for its one use)
    import zoneinfo  # noqa: PLC0415 (for its one use)

    if zone is dt.UTC:
        return "utc:UTC"
    if type(zone) is zoneinfo.ZoneInfo and zone.key and zoneinfo.ZoneInfo(zone.key) is zone:
        return f"zone:{zone.key}"
    raise RefusedError


def coded(codes: np.ndarray[Any, Any], values: pa.Array, *, ordered: bool = False) -> pa.Array:
    """Arrow's form of values given by their position; position -1 is missing."""
    indices = _primitive(pa.from_numpy_dtype(codes.dtype), codes, _valid(codes, -1))
    return pa.DictionaryArray.from_arrays(indices, values, ordered=ordered, safe=False)


def codes(array: pa.Array, source: Source) -> np.ndarray[Any, Any]:
    """The positions that :func:`coded` was given."""
    return source.values(array.indices, np.dtype(array.indices.type.to_pandas_dtype()))


def _encode_categorical(column: Any, dtype: Any) -> tuple[pa.Array, str]:
    if dtype.categories is None or dtype.categories.name is not None:
        raise RefusedError
    if type(dtype.categories) is not pd.Index:
        raise RefusedError
    categories, spec = encode(dtype.categories)
    array = coded(column.array.codes, categories, ordered=bool(dtype.ordered))
    return array, f"cat:{int(dtype.ordered)}:{spec}"


def _encode_arrow(column: Any, _: Any) -> tuple[pa.Array, str]:
    return _whole(column.array.__arrow_array__()), "arrow"


_EXTENSIONS: tuple[tuple[type, Callable[[Any, Any], tuple[pa.Array, str]]], ...] = (
    (pd.StringDtype, _encode_str),
    (pd.DatetimeTZDtype, _encode_zoned),
    (pd.CategoricalDtype, _encode_categorical),
    (pd.ArrowDtype, _encode_arrow),
)


def _decode_numpy(array: pa.Array, rest: str, source: Source) -> Any:
    return source.values(array, np.dtype(rest))


def _decode_bool(array: pa.Array, _: str, __: Source) -> Any:
    return np.array(array.to_numpy(zero_copy_only=False), dtype=bool)


def _decode_object(array: pa.Array, rest: str, _: Source) -> Any:
    """Objects, equal texts being one object as they mostly are in what a program made."""
    coded = array.dictionary_encode()
    texts = np.empty(len(coded.dictionary) + 1, dtype=object)
    texts[-1] = np.nan if rest == "nan" else None
    texts[:-1] = coded.dictionary.to_numpy(zero_copy_only=False)
    return texts[coded.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)]


def _decode_str(array: pa.Array, rest: str, _: Source) -> Any:
    return string_dtype(rest).__from_arrow__(pa.chunked_array([array], type=pa.large_string()))


def _encode_masked(array: Any, dtype: Any) -> tuple[pa.Array, str]:
    """Nullable numbers; NaN and NA stay apart."""
    missing = array.isna()
    values = array.to_numpy(dtype=dtype.numpy_dtype, na_value=0)
    valid = ~missing if missing.any() else None
    if dtype.kind == "b":
        return pa.array(values, mask=missing), f"masked:{dtype.name}"
    return _primitive(pa.from_numpy_dtype(values.dtype), values, valid), f"masked:{dtype.name}"


def _decode_masked(array: pa.Array, rest: str, source: Source) -> Any:
    missing = np.array(array.is_null().to_numpy(zero_copy_only=False))
    if rest == "boolean":
        filled = array.fill_null(False)  # noqa: FBT003 (Arrow takes it by position only)
        values = np.array(filled.to_numpy(zero_copy_only=False))
        return pd.arrays.BooleanArray(values, missing)
    values = source.values(array, np.dtype(rest.lower()))
    make = pd.arrays.FloatingArray if values.dtype.kind == "f" else pd.arrays.IntegerArray
    return make(values, missing)


def _decode_zoned(array: pa.Array, rest: str, source: Source) -> Any:
    import datetime as dt  # noqa: PLC0415 (for its one use)
    import zoneinfo  # noqa: PLC0415 (for its one use)

    unit, kind, key = rest.split(":", 2)
    zone = dt.UTC if kind == "utc" else zoneinfo.ZoneInfo(key)
    naive = pd.DatetimeIndex(source.values(array, np.dtype(f"<M8[{unit}]")), copy=False)
    return naive.tz_localize("UTC").tz_convert(zone).array


def _decode_categorical(array: pa.Array, rest: str, source: Source) -> Any:
    ordered, _, spec = rest.partition(":")
    values = decode(array.dictionary, spec, source)
    categories = pd.Index(values, dtype=getattr(values, "dtype", None), copy=False)
    return pd.Categorical.from_codes(
        codes(array, source), dtype=pd.CategoricalDtype(categories, ordered=ordered == "1")
    )


def _decode_arrow(array: pa.Array, _: str, __: Source) -> Any:
    return pd.arrays.ArrowExtensionArray(pa.chunked_array([array]))


_DECODERS: dict[str, Callable[[pa.Array, str, Source], Any]] = {
    "np": _decode_numpy,
    "bool": _decode_bool,
    "object": _decode_object,
    "str": _decode_str,
    "masked": _decode_masked,
    "tz": _decode_zoned,
    "cat": _decode_categorical,
    "arrow": _decode_arrow,
}
