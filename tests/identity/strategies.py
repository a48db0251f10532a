"""Values, arrays and frames of any kind, for properties that hold for all of them."""

import datetime as dt
import math

import numpy as np
import pandas as pd
from hypothesis import strategies as st

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(st.characters()),
    st.text(st.characters(categories=["Cs", "Ll"])),
    st.binary(),
    st.decimals(),
    st.fractions(),
    st.dates(),
    st.datetimes(timezones=st.sampled_from([None, dt.UTC, dt.timezone(dt.timedelta(hours=2))])),
    st.timedeltas(),
    st.uuids(),
)
KEYS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.tuples(st.integers(), st.text()))


def containers(inner):
    return st.one_of(
        st.lists(inner, max_size=30),
        st.lists(inner).map(tuple),
        st.dictionaries(KEYS, inner, max_size=30),
        st.sets(KEYS),
        st.frozensets(KEYS),
    )


VALUES = st.recursive(LEAVES, containers, max_leaves=40)


DTYPES = st.sampled_from(["?", "i1", "<i4", ">i4", "i8", "u2", "f4", ">f8", "f8", "c16", "M8[s]", "m8[ns]", "S3", "U2"])


@st.composite
def some_arrays(draw):
    dtype = np.dtype(draw(DTYPES))
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    size = math.prod(shape)
    if dtype.kind in "SU":
        items = draw(st.lists(st.text("ab", max_size=3), min_size=size, max_size=size))
        return np.array(items, dtype=dtype).reshape(shape)
    raw = draw(st.binary(min_size=size * dtype.itemsize, max_size=size * dtype.itemsize))
    if dtype.kind == "b":
        raw = bytes(byte & 1 for byte in raw)
    return np.frombuffer(raw, dtype=dtype).reshape(shape)


COLUMNS = {
    "int64": st.integers(-5, 5),
    "Int64": st.one_of(st.none(), st.integers(-5, 5)),
    "float64": st.floats(),
    "bool": st.booleans(),
    "boolean": st.one_of(st.none(), st.booleans()),
    "object": st.one_of(
        st.none(), st.integers(), st.text(), st.floats(), st.booleans(), st.just(pd.NA), st.just(pd.NaT)
    ),
    "string": st.one_of(st.none(), st.text("aä", max_size=3)),
    "datetime64[ns, UTC]": st.one_of(st.none(), st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2030, 1, 1))),  # noqa: DTZ001  pandas adds the zone
    "category": st.one_of(st.none(), st.sampled_from("abc")),
}


@st.composite
def some_frames(draw):
    rows = draw(st.integers(0, 20))
    columns = {}
    for name in draw(st.lists(st.text("ab", max_size=2), unique=True, max_size=4)):
        dtype = draw(st.sampled_from(sorted(COLUMNS)))
        items = draw(st.lists(COLUMNS[dtype], min_size=rows, max_size=rows))
        columns[name] = column(items, dtype)
    index = draw(st.sampled_from([None, "numbers", "texts"]))
    labels = {None: None, "numbers": [n * 2 for n in range(rows)], "texts": [str(n) for n in range(rows)]}[index]
    return pd.DataFrame(columns, index=range(rows)).set_axis(range(rows) if labels is None else labels)


def column(items, dtype):
    if dtype.startswith("datetime"):
        return pd.Series(pd.to_datetime(items, utc=True)).astype(dtype)
    return pd.Series(items, dtype=pd.CategoricalDtype(list("abc")) if dtype == "category" else dtype)
