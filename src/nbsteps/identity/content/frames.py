"""pandas: frames, series and indexes column by column. Loaded when the first pandas value is met.

How columns share memory (blocks, consolidation) never counts. A RangeIndex equals the Index of the same integers:
which of the two a frame has is an accident of how it was made.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas as pd
from xxhash import xxh3_128

from nbsteps.identity.content import arrays, arrow
from nbsteps.identity.content.registry import (
    ATTRIBUTE,
    CODE,
    HANDLERS,
    ITEM,
    LEAVES,
    WHOLE,
    Handler,
    Part,
    Refusal,
    text,
)

_RANGE_STEP: Final = 1 << 16
_INDEX: Final = b"(Index;"


def handler_for(kind: type) -> Handler | None:
    """The handler of a pandas type or a subclass of one; None if it goes the structural way."""
    for base, handler in _BASES:
        if issubclass(kind, base):
            return handler
    return None


def _frame(value: pd.DataFrame) -> Iterator[Part]:
    yield b"(DataFrame;"
    yield from _own(value, pd.DataFrame)
    yield b"%x;%x;" % value.shape
    yield (ATTRIBUTE, "index", value.index)
    yield (ATTRIBUTE, "columns", value.columns)
    for name, column in zip(value.columns, _columns(value), strict=True):
        yield from _column(name, column)


def _series(value: pd.Series[Any]) -> Iterator[Part]:
    yield b"(Series;"
    yield from _own(value, pd.Series)
    yield (ATTRIBUTE, "name", value.name)
    yield (ATTRIBUTE, "index", value.index)
    yield from _column("values", value.array)


def _own(value: Any, base: type) -> Iterator[Part]:
    """What a frame or series has beside its data; a subclass declares more in ``_metadata``."""
    _refuse_lost(value)
    yield text(str(value.flags.allows_duplicate_labels))
    yield (ATTRIBUTE, "attrs", value.attrs)
    if type(value) is not base:
        yield (CODE, "__class__", type(value))
        for name in value._metadata:  # noqa: SLF001  the documented place where subclasses declare attributes
            yield (ATTRIBUTE, name, getattr(value, name, None))


def _refuse_lost(value: Any) -> None:
    """What somebody set on the object alone is lost as soon as pandas copies it, and so in the store, too."""
    kept = {"sortorder", *getattr(type(value), "_metadata", ())}
    names = [name for name in getattr(value, "__dict__", ()) if not name.startswith("_") and name not in kept]
    lost = [name for name in names if not hasattr(type(value), name)]
    if lost:
        raise Refusal(value, f"attribute {lost[0]} is not kept by pandas; put it into attrs, or a variable of its own")


def _columns(value: pd.DataFrame) -> Iterator[Any]:
    inner = getattr(value, "_iter_column_arrays", None)  # far cheaper for wide frames than a Series for each column
    if inner is not None:
        yield from inner()
    else:
        for place in range(value.shape[1]):
            yield value.iloc[:, place].array


def _column(label: object, column: Any) -> Iterator[Part]:
    """Numbers are fed from their memory; what has an inside of its own becomes a child, so that errors name it."""
    if isinstance(column, pd.arrays.NumpyExtensionArray):
        column = column.to_numpy()
    if type(column) is np.ndarray and column.dtype.kind != "O":
        yield from arrays.parts(column)
    else:
        yield (ITEM, label, column)


def _index(value: pd.Index[Any]) -> Iterator[Part]:
    _refuse_lost(value)
    yield _INDEX
    if not type(value).__module__.startswith("pandas."):
        yield from _foreign(value)
    yield (ATTRIBUTE, "name", value.name)
    if isinstance(value, pd.RangeIndex):
        yield from _range(value.start, value.step, len(value))
        return
    yield from _column("values", value.array)
    if isinstance(value, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        yield (ATTRIBUTE, "freq", value.freq)


def _foreign(value: Any) -> Iterator[Part]:
    if type(value).__module__ != "pandas":
        yield (CODE, "__class__", type(value))


def _range(start: int, step: int, length: int) -> Iterator[Part]:
    """What an Index of the same integers yields, a piece at a time."""
    yield from arrays.dtype_parts(np.dtype(np.int64))
    yield text(str((length,)))
    for first in range(0, length, _RANGE_STEP):
        count = min(_RANGE_STEP, length - first)
        yield (np.arange(count, dtype=np.int64) * step + (start + first * step)).view(np.uint8)


def _whole_range(value: pd.RangeIndex) -> bytes | None:
    """Three numbers and a name cannot change, and most frames have them: their integers are hashed once."""
    _refuse_lost(value)
    leaf = LEAVES.get(type(value.name))
    return None if leaf is None else _range_digest(value.start, value.step, len(value), leaf(value.name))


@functools.lru_cache(maxsize=256)
def _range_digest(start: int, step: int, length: int, name: bytes) -> bytes:
    hasher = xxh3_128(_INDEX + name)
    for part in _range(start, step, length):
        hasher.update(part)
    return hasher.digest()


def _multi_index(value: pd.MultiIndex) -> Iterator[Part]:
    # Levels count as they are, with their order and unused members: `.levels` shows them.
    _refuse_lost(value)
    yield b"(MultiIndex;"
    yield from _foreign(value)
    yield b"%x;%x;" % (value.nlevels, len(value))
    for place in range(value.nlevels):
        yield (ATTRIBUTE, f"names[{place}]", value.names[place])
        yield (ATTRIBUTE, f"levels[{place}]", value.levels[place].rename(None))
        yield from arrays.parts(np.asarray(value.codes[place], dtype=np.int64))


def _extension(value: Any) -> Iterator[Part]:
    """The parts of an extension array of pandas; those of other packages go the structural way."""
    yield b"(array;" + text(type(value).__name__)
    yield (ATTRIBUTE, "dtype", value.dtype)
    yield b"%x;" % len(value)
    yield from next(parts for base, parts in _EXTENSIONS if isinstance(value, base))(value)


def _instants(value: Any) -> Iterator[Part]:
    yield from arrays.buffers(value.asi8)


def _categorical(value: Any) -> Iterator[Part]:
    yield from arrays.parts(value.codes)


def _interval(value: Any) -> Iterator[Part]:
    yield from _column("left", value.left.array)
    yield from _column("right", value.right.array)


def _sparse(value: Any) -> Iterator[Part]:
    yield text(value.kind)
    yield from arrays.parts(value.sp_index.to_int_index().indices)
    yield from _column("sp_values", value.sp_values)


def _plain(value: Any) -> Iterator[Part]:
    yield from arrays.parts(value.to_numpy())


def _masked(value: Any) -> Iterator[Part]:
    """What lies under missing values is whatever was there: it reads as zero."""
    missing = value.isna()
    yield from arrays.parts(missing)
    kind = value.dtype.numpy_dtype
    yield from arrays.parts(value.to_numpy(dtype=kind, na_value=kind.type(0), copy=False))


def _strings(value: Any) -> Iterator[Part]:
    convert = getattr(value, "__arrow_array__", None)
    if getattr(value.dtype, "storage", "pyarrow") == "pyarrow" and convert is not None:
        chunks = arrow.chunks_of(convert())
        yield from arrow.column_parts(chunks[0].type if chunks else value.dtype.pyarrow_dtype, chunks)
    else:
        yield from arrays.parts(np.asarray(value, dtype=object))


def _dtype(value: Any) -> Iterator[Part]:
    yield b"(dtype;" + text(type(value).__name__)
    if isinstance(value, pd.CategoricalDtype):
        yield text(str(value.ordered))
        yield (ATTRIBUTE, "categories", value.categories)
    elif isinstance(value, pd.ArrowDtype):
        yield arrow.type_bytes(value.pyarrow_dtype)
    else:
        yield text(str(value))
        for name in _DTYPE_DETAILS:
            yield (ATTRIBUTE, name, getattr(value, name, None))


_DTYPE_DETAILS: Final = ("storage", "na_value", "unit", "tz", "freq", "fill_value")


def _timestamp(value: pd.Timestamp) -> Iterator[Part]:
    yield b"(Timestamp;" + text(f"{value.asm8.view('i8')} {value.unit} {value.fold}")
    yield (ATTRIBUTE, "tz", value.tz)


def _timedelta(value: pd.Timedelta) -> Iterator[Part]:
    yield b"(Timedelta;" + text(f"{value.asm8.view('i8')} {value.unit}")


def _period(value: pd.Period) -> Iterator[Part]:
    yield b"(Period;" + text(str(value.ordinal))
    yield (ATTRIBUTE, "freq", value.freq)


def _missing(name: bytes) -> Any:
    return lambda _value: b"=" + name


WHOLE[pd.RangeIndex] = _whole_range
LEAVES[type(pd.NaT)] = _missing(b"pandas.NaT")
LEAVES[type(pd.NA)] = _missing(b"pandas.NA")
HANDLERS[pd.Timestamp] = _timestamp
HANDLERS[pd.Timedelta] = _timedelta
HANDLERS[pd.Period] = _period
_EXTENSIONS: Final[tuple[tuple[Any, Handler], ...]] = (
    (pd.arrays.DatetimeArray, _instants),
    (pd.arrays.TimedeltaArray, _instants),
    (pd.arrays.PeriodArray, _instants),
    (pd.arrays.IntegerArray, _masked),
    (pd.arrays.FloatingArray, _masked),
    (pd.arrays.BooleanArray, _masked),
    (pd.Categorical, _categorical),
    (pd.arrays.ArrowExtensionArray, _strings),
    (pd.arrays.ArrowStringArray, _strings),
    (pd.arrays.StringArray, _strings),
    (pd.arrays.IntervalArray, _interval),
    (pd.arrays.SparseArray, _sparse),
    (pd.arrays.NumpyExtensionArray, _plain),
)
_BASES: Final[tuple[tuple[Any, Handler], ...]] = (
    (pd.DataFrame, _frame),
    (pd.Series, _series),
    (pd.MultiIndex, _multi_index),
    (pd.Index, _index),
    (tuple(base for base, _parts in _EXTENSIONS), _extension),
    (pd.api.extensions.ExtensionDtype, _dtype),
)
