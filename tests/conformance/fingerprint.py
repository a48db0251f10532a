"""A value as a text that tells apart what a program could tell apart; made without any code of nbsteps."""

from __future__ import annotations

import collections
import dataclasses
import enum
import types


def fingerprint(value):
    """The text; equal content gives equal texts in every process."""
    return _show(value, ())


def _show(value, above):  # noqa: C901, PLR0911 - a table of types, each in one line
    kind = type(value)
    if any(each is value for each in above):
        return "<above>"
    if value is None or (isinstance(value, (bool, int, str, bytes)) and kind.__module__ == "builtins"):
        return f"{kind.__name__}:{value!r}"
    if isinstance(value, (float, complex)):
        return f"{kind.__name__}:{_number(value)}"
    above = (*above, value)
    library = kind.__module__.partition(".")[0]
    if library in _LIBRARIES:
        return _LIBRARIES[library](value, above)
    for base, shown in _CONTAINERS.items():
        if isinstance(value, base):
            return f"{kind.__name__}({shown(value, above)})"
    if isinstance(value, (type, types.FunctionType, types.ModuleType)):
        return f"<{value.__name__}>"
    if isinstance(value, enum.Enum):
        return f"{kind.__name__}.{value.name}({_show(value.value, above)})"
    if dataclasses.is_dataclass(value) or hasattr(value, "__dict__"):
        return f"{kind.__name__}({_pairs(sorted(vars(value).items()), above)})"
    return f"{kind.__name__}:{value!r}"


def _number(value):
    if isinstance(value, complex):
        return f"{value.real.hex()} {value.imag.hex()}"
    import struct

    return struct.pack(">d", value).hex()


def _pairs(pairs, above):
    return ", ".join(f"{_show(key, above)}={_show(item, above)}" for key, item in pairs)


def _listed(items, above):
    return ", ".join(_show(item, above) for item in items)


_CONTAINERS = {
    dict: lambda value, above: f"{getattr(value, 'default_factory', '')} {_pairs(value.items(), above)}",
    list: _listed,
    collections.deque: lambda value, above: f"{value.maxlen} {_listed(value, above)}",
    tuple: _listed,
    set: lambda value, above: ", ".join(sorted(_show(item, above) for item in value)),
    frozenset: lambda value, above: ", ".join(sorted(_show(item, above) for item in value)),
}


def _numpy(value, above):
    import numpy as np

    if isinstance(value, np.ndarray):
        body = _listed(value.ravel().tolist(), above) if value.dtype.hasobject else value.tobytes().hex()
        mask = f" mask {value.mask!r}" if isinstance(value, np.ma.MaskedArray) else ""
        form = value.dtype.descr if value.dtype.names else value.dtype.str
        return f"{type(value).__name__}({form} {value.shape} {body}{mask})"
    if isinstance(value, np.generic):
        return f"{value.dtype.str}:{value.tobytes().hex()}"
    if isinstance(value, np.dtype):
        return f"dtype:{value.str}"
    return f"{type(value).__name__}:{value!r}"


def _pandas(value, above):
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        columns = [_pandas(value.iloc[:, at], above) for at in range(value.shape[1])]
        labels = _pandas(value.columns, above)
        return f"DataFrame({labels}; {_pandas(value.index, above)}; {columns}; {_show(value.attrs, above)})"
    if isinstance(value, pd.Series):
        body = _column(value.array, above)
        return f"Series({_show(value.name, above)} {value.dtype!r} {body} {_pandas(value.index, above)})"
    if isinstance(value, pd.MultiIndex):
        return f"MultiIndex({_listed(value.names, above)}; {_listed(value.tolist(), above)})"
    if isinstance(value, pd.Index):
        freq = getattr(value, "freqstr", None)
        return f"Index({_listed(value.names, above)} {value.dtype!r} {freq} {_column(value.array, above)})"
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return f"{value.dtype!r} {_column(value, above)}"
    return f"{type(value).__name__}:{value!r}"


def _column(array, above):
    import numpy as np
    import pandas as pd

    if isinstance(array, pd.Categorical):
        categories = _listed(array.categories.tolist(), above)
        return f"{array.codes.tolist()} of {categories} {array.ordered}"
    if isinstance(array.dtype, np.dtype) and not array.dtype.hasobject:
        return np.asarray(array).tobytes().hex()
    return _listed(list(array), above)


def _polars(value, above):
    import polars as pl

    if isinstance(value, pl.DataFrame):
        return f"pl.DataFrame({value.schema!r} {_listed(value.rows(), above)})"
    if isinstance(value, pl.Series):
        return f"pl.Series({value.name!r} {value.dtype!r} {_listed(value.to_list(), above)})"
    if isinstance(value, pl.LazyFrame):
        return f"pl.LazyFrame({value.explain(optimized=False)})"
    return f"{type(value).__name__}:{value!r}"


def _pyarrow(value, above):
    import pyarrow as pa

    if isinstance(value, (pa.Table, pa.RecordBatch)):
        return f"Table({value.schema.to_string(show_schema_metadata=True)} {_show(value.to_pydict(), above)})"
    if isinstance(value, (pa.Array, pa.ChunkedArray)):
        return f"Array({value.type} {_listed(value.to_pylist(), above)})"
    return f"{type(value).__name__}:{value!r}"


_LIBRARIES = {"numpy": _numpy, "pandas": _pandas, "polars": _polars, "pyarrow": _pyarrow}
