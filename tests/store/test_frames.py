"""Every kind of table comes back equal in content, with the codec that its reader may expect."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import polars.testing
import pyarrow as pa
import pytest

from nbsteps.identity.content import digest
from nbsteps.store.values import Values

ROWS = 7
LETTERS = ["x", None, "z", "é", "", "x", "w"]


def _rng() -> np.random.Generator:
    return np.random.default_rng(7)


def _frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns)


def _mixed() -> pd.DataFrame:
    return _frame(
        i=np.arange(ROWS),
        f=[1.5, np.nan, -0.0, 0.0, np.inf, -np.inf, 1e-310],
        b=[True, False] * 3 + [True],
        s=LETTERS,
        t=pd.to_datetime(["2026-01-01", None, "2262-01-01", "1700-01-01", "2026-02-03", None, "1970-01-01"]),
    )


def _with_attrs(frame: pd.DataFrame, **attrs: Any) -> pd.DataFrame:
    frame.attrs.update(attrs)
    return frame


def _times(**options: Any) -> pd.DatetimeIndex:
    return pd.date_range("2026-01-01", periods=ROWS, **options)


def _renamed_axis(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rename_axis(columns="what", index="row")


FRAMES: dict[str, tuple[Callable[[], Any], str]] = {
    # plain tables, that DuckDB can hold too
    "ints, floats, bools, texts, times": (_mixed, "table"),
    "every width of numbers": (
        lambda: _frame(**{f"of {np.dtype(c)}": np.arange(ROWS).astype(c) for c in "bhiqBHIQfd"}),
        "table",
    ),
    "one column": (lambda: _frame(a=[1, 2]), "table"),
    "no rows": (lambda: _mixed().iloc[:0], "table"),
    "texts only": (lambda: _frame(a=["a", "b"], b=["", "\0"]), "table"),
    "times in each unit": (
        lambda: _frame(**{u: pd.Series(_times()).astype(f"M8[{u}]") for u in ("s", "ms", "us", "ns")}),
        "table",
    ),
    "names with blanks and quotes": (lambda: pd.DataFrame({"a b": [1], 'q"': [2], "select": [3]}), "table"),
    "rows of a slice": (lambda: _frame(a=np.arange(100), s=list("ab" * 50))[:ROWS], "table"),
    # Arrow files
    "no columns": (lambda: pd.DataFrame(index=range(3)), "arrow"),
    "nothing": (pd.DataFrame, "arrow"),
    "names that differ in case": (lambda: _frame(a=[1], A=[2]), "arrow"),
    "an empty name": (lambda: pd.DataFrame({"": [1]}), "arrow"),
    "duplicate names": (lambda: pd.DataFrame([[1, 2.5]], columns=["a", "a"]), "arrow"),
    "integer names": (lambda: pd.DataFrame(np.ones((3, 2)), columns=[5, 3]), "arrow"),
    "range of names": (lambda: pd.DataFrame(np.arange(12.0).reshape(4, 3)), "arrow"),
    "float names": (lambda: pd.DataFrame([[1, 2]], columns=[0.5, np.nan]), "arrow"),
    "mixed names": (lambda: pd.DataFrame([[1, 2, 3]], columns=["a", 1, None]), "arrow"),
    "object names": (lambda: pd.DataFrame([[1]], columns=pd.Index(["a"], dtype=object)), "arrow"),
    "tuples as names": (
        lambda: pd.DataFrame([[1]], columns=pd.Index([("a", 1)], dtype=object, tupleize_cols=False)),
        "arrow",
    ),
    "named axes": (lambda: _renamed_axis(_mixed()), "arrow"),
    "attrs": (lambda: _with_attrs(_mixed(), source="web", tries=(1, 2)), "arrow"),
    "range from 5 by 2": (lambda: _mixed().set_axis(pd.RangeIndex(5, 5 + 2 * ROWS, 2)), "arrow"),
    "index of ints": (lambda: _mixed().set_axis([3, 1, 2, 9, 8, 7, 3]), "arrow"),
    "index of floats": (lambda: _mixed().set_index("f"), "arrow"),
    "index of texts": (lambda: _mixed().set_index("s"), "arrow"),
    "index of bools": (lambda: _mixed().set_index("b"), "arrow"),
    "index of times": (lambda: _mixed().set_index("t"), "arrow"),
    "index with a frequency": (lambda: _mixed().set_axis(_times(freq="D", name="day")), "arrow"),
    "index with business days": (lambda: _mixed().set_axis(_times(freq="B")), "arrow"),
    "index with a zone": (lambda: _mixed().set_axis(_times(freq="h", tz="Europe/Paris")), "arrow"),
    "index of durations": (lambda: _mixed().set_axis(pd.timedelta_range("1h", periods=ROWS)), "arrow"),
    "index of categories": (lambda: _mixed().set_axis(pd.CategoricalIndex(list("abcabcd"))), "arrow"),
    "rows taken out of order": (lambda: _mixed().iloc[[3, 1, 0]], "arrow"),
    "zone of the database": (lambda: _frame(t=_times(tz="America/New_York")), "arrow"),
    "zone UTC": (lambda: _frame(t=_times(tz="UTC")), "arrow"),
    "zone in nanoseconds with NaT": (
        lambda: _frame(t=pd.Series(_times(tz="Asia/Tokyo")).astype("M8[ns, Asia/Tokyo]").where([True] * 6 + [False])),
        "arrow",
    ),
    "durations": (lambda: _frame(d=pd.to_timedelta([1, None, 3], unit="h")), "arrow"),
    "durations in seconds": (lambda: _frame(d=np.array([1, 2, "NaT"], "m8[s]")), "arrow"),
    "half floats": (lambda: _frame(a=np.array([1, 2.5], "f2")), "arrow"),
    "categories of texts": (lambda: _frame(c=pd.Categorical(["b", None, "a"], ["b", "a", "unused"])), "arrow"),
    "categories in order": (lambda: _frame(c=pd.Categorical(["b", "a"], ["b", "a"], ordered=True)), "arrow"),
    "categories of ints": (lambda: _frame(c=pd.Categorical([3, 1, 3])), "arrow"),
    "many categories": (lambda: _frame(c=pd.Categorical(np.arange(70_000))), "arrow"),
    "objects that are texts": (lambda: _frame(o=pd.Series(["a", None, "b"], dtype=object)), "arrow"),
    "objects that are texts or NaN": (lambda: _frame(o=pd.Series(["a", np.nan, "b"], dtype=object)), "arrow"),
    "nullable ints": (lambda: _frame(**{k: pd.array([1, None, 3], dtype=k) for k in ("Int8", "UInt64")}), "arrow"),
    "nullable bools": (lambda: _frame(a=pd.array([True, None, False], dtype="boolean")), "arrow"),
    "nullable floats": (lambda: _frame(a=pd.array([1.5, None], dtype="Float64")), "arrow"),
    "nullable texts": (lambda: _frame(a=pd.array(["a", None], dtype="string[pyarrow]")), "arrow"),
    "Arrow numbers and texts": (
        lambda: _frame(
            a=pd.array([1, None], dtype="int32[pyarrow]"), s=pd.array(["a", None], dtype=pd.ArrowDtype(pa.string()))
        ),
        "arrow",
    ),
    "Arrow decimals": (
        lambda: _frame(a=pd.array([decimal.Decimal("1.50"), None], dtype=pd.ArrowDtype(pa.decimal128(9, 2)))),
        "arrow",
    ),
    "Arrow lists": (lambda: _frame(a=pd.array([[1, 2], None], dtype=pd.ArrowDtype(pa.list_(pa.int8())))), "arrow"),
    "Arrow dates": (
        lambda: _frame(a=pd.array([dt.date(2026, 1, 2)], dtype=pd.ArrowDtype(pa.date32()))),
        "arrow",
    ),
    "strided memory": (lambda: pd.DataFrame(_rng().random((50, 40))[::2, ::2]), "arrow"),
    "150 columns of mixed types": (
        lambda: _frame(**{f"c{n}": np.arange(ROWS).astype(("i8", "f8", "M8[us]")[n % 3]) for n in range(150)}),
        "table",
    ),
    "index of two levels": (lambda: _mixed().set_index(["s", "i"]), "arrow"),
    "index of levels with unused values": (
        lambda: _mixed().set_index(["s", "t", "b"]).iloc[2:4],
        "arrow",
    ),
    "groupby of two keys": (lambda: _mixed().groupby(["b", "s"]).agg({"f": "sum", "i": "max"}), "arrow"),
    # pickles
    "columns of two levels": (
        lambda: pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])),
        "pickle",
    ),
    "index of two levels, one of categories": (
        lambda: _mixed().assign(k=pd.Categorical(_mixed()["s"])).set_index(["k", "i"]),
        "pickle",
    ),
    "groupby of categories and another key": (
        _mixed().assign(k=pd.Categorical(_mixed()["s"])).groupby(["k", "b"], observed=False)["f"].sum,
        "pickle",
    ),
    "periods": (lambda: _frame(p=pd.period_range("2026-01", periods=3, freq="M")), "pickle"),
    "index of periods": (lambda: _frame(a=[1, 2]).set_axis(pd.period_range("2026", periods=2, freq="Y")), "pickle"),
    "intervals": (lambda: _frame(a=pd.cut([1, 2, 3], 2)), "pickle"),
    "index of intervals": (lambda: _frame(a=[1, 2]).set_axis(pd.interval_range(0, 2)), "pickle"),
    "sparse": (lambda: _frame(a=pd.arrays.SparseArray([0, 0, 1])), "pickle"),
    "complex numbers": (lambda: _frame(a=[1 + 2j, 3]), "pickle"),
    "big ints": (lambda: _frame(a=pd.Series([2**70, -(2**80)], dtype=object)), "pickle"),
    "mixed objects": (lambda: _frame(a=pd.Series([1, "1", 1.0, True, None, (1,)], dtype=object)), "pickle"),
    "decimals": (
        lambda: _frame(a=pd.Series([decimal.Decimal("1.10"), decimal.Decimal(2)], dtype=object)),
        "pickle",
    ),
    "lists in cells": (lambda: _frame(a=pd.Series([[1, [2]], []], dtype=object)), "pickle"),
    "frames in cells": (lambda: _frame(a=pd.Series([_mixed()], dtype=object)), "pickle"),
    "dates in cells": (lambda: _frame(a=pd.Series([dt.date(2026, 1, 1)], dtype=object)), "pickle"),
    "another byte order": (lambda: _frame(a=np.arange(3).astype(">i4")), "pickle"),
    "fixed offset": (lambda: _frame(t=_times(tz=dt.timezone(dt.timedelta(hours=2)))), "pickle"),
    "attrs with a frame": (lambda: _with_attrs(_mixed(), other=_mixed()), "pickle"),
    "lone surrogates as a name": (lambda: pd.DataFrame([[1]], columns=pd.Index(["\ud800"], dtype=object)), "pickle"),
    "lone surrogates": (lambda: _frame(a=pd.Series(["\ud800"], dtype=object)), "pickle"),
    # series and indexes
    "series": (lambda: _mixed()["f"], "arrow"),
    "series of texts with an index": (lambda: _mixed().set_index("t")["s"], "arrow"),
    "series without a name": (lambda: pd.Series([1, 2]), "arrow"),
    "series with a tuple as its name": (lambda: pd.Series([1, 2], name=("a", 1)), "arrow"),
    "value counts": (_mixed()["s"].value_counts, "arrow"),
    "series of objects": (lambda: pd.Series([1, "a"], dtype=object), "pickle"),
    "range index": (lambda: pd.RangeIndex(3, name="n"), "arrow"),
    "text index": (lambda: pd.Index(["b", "a"]), "arrow"),
    "time index": (lambda: _times(freq="MS"), "arrow"),
    "multi-index": (lambda: pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", None]), "arrow"),
    # polars
    "polars frame": (lambda: pl.from_pandas(_mixed()), "table"),
    "polars nulls, NaN, Int8": (
        lambda: pl.DataFrame({"a": [1, None], "f": [math.nan, None]}, schema={"a": pl.Int8, "f": pl.Float32}),
        "table",
    ),
    "polars without rows": (lambda: pl.DataFrame(schema={"a": pl.String, "b": pl.Int64}), "table"),
    "polars dates, lists, structs": (
        lambda: pl.DataFrame({"d": [dt.date(2026, 1, 1)], "l": [[1, None]], "s": [{"x": 1, "y": "a"}]}),
        "arrow",
    ),
    "polars zone": (
        lambda: pl.DataFrame({"t": [dt.datetime(2026, 1, 1)]}, schema={"t": pl.Datetime("us", "Europe/Paris")}),  # noqa: DTZ001 (the schema brings the zone)
        "arrow",
    ),
    "polars series": (lambda: pl.Series("a", [1, None, 3]), "arrow"),
    # pyarrow
    "Arrow table": (lambda: pa.table({"a": [1, None], "s": ["x", None]}), "table"),
    "Arrow table of chunks": (lambda: pa.concat_tables([pa.table({"a": [1]}), pa.table({"a": [2, 3]})]), "table"),
    "Arrow table with metadata": (lambda: pa.table({"a": [1]}).replace_schema_metadata({"k": "v"}), "arrow"),
    "Arrow table from pandas": (lambda: pa.Table.from_pandas(_mixed()), "arrow"),
    "Arrow large texts": (lambda: pa.table({"s": pa.array(["x"], pa.large_string())}), "arrow"),
    "Arrow table with nested types": (lambda: pa.table({"l": [[1], None], "s": [{"a": 1}, {"a": 2}]}), "arrow"),
    "Arrow field that is not nullable": (
        lambda: pa.table([pa.array([1])], schema=pa.schema([pa.field("a", pa.int64(), nullable=False)])),
        "arrow",
    ),
    "Arrow record batch": (lambda: pa.record_batch({"a": [1, 2]}), "arrow"),
    "Arrow array": (lambda: pa.array([1, None, 3]), "pickle"),
}


def check(make: Callable[[], Any], codec: str, folder: Path, *, inline: bool) -> None:
    values = Values(folder, inline_limit=10_000_000 if inline else 0, table_limit=8_000_000)
    value = make()
    identity = digest(value)
    stored = values.encode(value, identity)
    found = Values(folder, inline_limit=0, table_limit=0).decode(stored.artifact, stored.payload)
    assert stored.artifact.codec == codec
    assert (stored.payload is not None) is inline
    assert type(found) is type(value)
    assert digest(found) == identity
    assert digest(value) == identity, "encoding changed the value"


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "file"])
@pytest.mark.parametrize("name", FRAMES)
def test_tables_come_back_equal(name: str, tmp_path: Path, *, inline: bool) -> None:
    check(*FRAMES[name], tmp_path, inline=inline)


@pytest.mark.parametrize("name", FRAMES)
def test_what_pandas_compares_is_equal_too(name: str, tmp_path: Path) -> None:
    value = FRAMES[name][0]()
    values = Values(tmp_path, inline_limit=10_000_000, table_limit=0)
    stored = values.encode(value, digest(value))
    found = values.decode(stored.artifact, stored.payload)
    compare = {
        pd.DataFrame: pd.testing.assert_frame_equal,
        pd.Series: pd.testing.assert_series_equal,
        pl.DataFrame: pl.testing.assert_frame_equal,
    }.get(type(value))
    if compare is not None and name != "frames in cells":  # pandas cannot compare those
        compare(found, value)
    if isinstance(value, pd.DataFrame):
        assert found.attrs.keys() == value.attrs.keys()
        assert type(found.index) is type(value.index)
        assert type(found.columns) is type(value.columns)


@pytest.mark.parametrize("name", [name for name, (_, codec) in FRAMES.items() if codec == "table"])
def test_plain_tables_come_back_from_duckdb(name: str, tmp_path: Path) -> None:
    value = FRAMES[name][0]()
    values = Values(tmp_path, inline_limit=10_000_000, table_limit=8_000_000)
    stored = values.encode(value, digest(value))
    table = values.to_arrow(stored.artifact, stored.payload)
    assert values.tabular(stored.artifact)
    with duckdb.connect() as connection:
        connection.register("incoming", table)
        connection.execute("CREATE TABLE kept AS SELECT * FROM incoming")
        found = values.from_arrow(stored.artifact, connection.sql("FROM kept").to_arrow_table())
    assert type(found) is type(value)
    assert digest(found) == digest(value)


def test_many_columns_do_not_come_back_fragmented(tmp_path: Path) -> None:
    frame = FRAMES["150 columns of mixed types"][0]()
    values = Values(tmp_path, inline_limit=10_000_000, table_limit=0)
    stored = values.encode(frame, digest(frame))
    found: Any = values.decode(stored.artifact, stored.payload)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found["one more"] = 1
    assert list(found.columns) == [*frame.columns, "one more"]
