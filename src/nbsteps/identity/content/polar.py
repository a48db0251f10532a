"""polars: columns through Arrow. Loaded when the first polars value is met, so polars itself is never required."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import polars as pl

from nbsteps.identity.content import arrow, builtin
from nbsteps.identity.content.registry import ATTRIBUTE, CODE, ITEM, Handler, Part, Refusal, sized, text

_CALLS_PYTHON: Final = "a query that calls a Python function; collect() it"
_PICKLES: Final = (
    *(b"\x80%c\x95" % protocol for protocol in (4, 5)),
    *(b"\xcc\x80%c\xcc\x95" % protocol for protocol in (4, 5)),  # as integers in msgpack
    *(b"\x18\x80%c\x18\x95" % protocol for protocol in (4, 5)),  # as integers in CBOR
    b"PLPYFN",
    b"PLPYUDF",
)
"""How pickles begin, in each way that polars has written them, and how it marks them."""


def handler_for(kind: type) -> Handler | None:
    """The handler of a polars type; None if it goes the structural way."""
    if issubclass(kind, type):  # a data type without parameters is a class
        return _dtype if kind.__name__ == "DataTypeClass" else None
    for base, handler in _BASES:
        if issubclass(kind, base):
            return handler
    return None


def _frame(value: pl.DataFrame) -> Iterator[Part]:
    yield b"(polars.DataFrame;"
    yield from _own(value, pl.DataFrame)
    yield b"%x;%x;" % value.shape
    for column in value.get_columns():
        yield from _column(column)


def _series(value: pl.Series) -> Iterator[Part]:
    yield b"(polars.Series;"
    yield from _own(value, pl.Series)
    yield from _column(value)


def _own(value: Any, base: type) -> Iterator[Part]:
    if type(value) is not base:
        yield (CODE, "__class__", type(value))


def _column(value: pl.Series) -> Iterator[Part]:
    yield text(value.name)
    yield from _dtype_parts(value.dtype)
    if value.dtype == pl.Object:
        for position, item in enumerate(value.to_list()):
            yield (ITEM, position, item)
        return
    chunks = arrow.chunks_of(value.to_arrow())
    # The numbers behind categories depend on what the process has seen before; the strings do not.
    yield from arrow.column_parts(chunks[0].type, chunks, decode=True)


def _dtype_parts(dtype: Any) -> Iterator[Part]:
    """Name and parameters of a data type; a class stands for the type without parameters."""
    yield b"(polars.dtype;"
    kind = dtype if isinstance(dtype, type) else type(dtype)
    yield text(f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}")
    settings = {} if isinstance(dtype, type) else vars(dtype)
    yield b"%x;" % len(settings)
    for name in sorted(settings):
        yield text(name)
        yield from _setting(name, settings[name])


def _setting(name: str, value: Any) -> Iterator[Part]:
    if isinstance(value, pl.DataType) or (isinstance(value, type) and issubclass(value, pl.DataType)):
        yield from _dtype_parts(value)
    elif name == "fields":
        yield b"%x;" % len(value)
        for field in value:
            yield text(field.name)
            yield from _dtype_parts(field.dtype)
    elif isinstance(value, pl.Series):
        yield from builtin.items(value.to_list())
    else:
        yield (ATTRIBUTE, name, value)


def _lazy(value: pl.LazyFrame) -> Iterator[Part]:
    plan = value.explain(optimized=False)
    if re.search(r"\bSCAN\b", plan):
        raise Refusal(value, "a query over files that may change; collect() it")
    if re.search("OPAQUE_PYTHON|python_udf", plan):
        raise Refusal(value, _CALLS_PYTHON)
    yield b"(polars.LazyFrame;" + sized(_plan(value, value.serialize()))


def _expression(value: pl.Expr) -> Iterator[Part]:
    yield b"(polars.Expr;" + sized(_plan(value, value.meta.serialize()))


def _plan(value: object, data: bytes) -> bytes:
    """The serialised form of a query, unless it holds a pickle: the source of a function is not in there."""
    if any(mark in data for mark in _PICKLES):
        raise Refusal(value, _CALLS_PYTHON)
    return data


def _dtype(value: Any) -> Iterator[Part]:
    yield from _dtype_parts(value)


_BASES: Final[tuple[tuple[type, Handler], ...]] = (
    (pl.DataFrame, _frame),
    (pl.Series, _series),
    (pl.LazyFrame, _lazy),
    (pl.Expr, _expression),
    (pl.DataType, _dtype),
)
