"""Values that sloppy digests confuse, and equal values that are built another way: as a constant and as an input."""

# ruff: noqa: E501 - a row of the table is one probe, however long

from __future__ import annotations

from tests.conformance.probe import Probe, step, work

NP = "import numpy as np\n"
PD = "import pandas as pd\nimport numpy as np\n"
PA = "import pyarrow as pa\n"
PL = "import polars as pl\n"
NAN = "np.frombuffer(bytes.fromhex('{}'), dtype='>f8').astype('<f8')"
FRAME = "pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})"
CUBE = "np.arange(6).reshape(2, 3)"

# name, imports, the value in A, the value in B: apart
APART = (
    ("int or float", "", "1", "1.0"),
    ("int or bool", "", "1", "True"),
    ("int or text", "", "1", "'1'"),
    ("text or bytes", "", "'a'", "b'a'"),
    ("signed zero", "", "0.0", "-0.0"),
    ("None or nan", "", "None", "float('nan')"),
    ("list or tuple", "", "[1, 2]", "(1, 2)"),
    ("set or frozenset", "", "{1, 2}", "frozenset({1, 2})"),
    ("order of a dict", "", "{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"),
    ("type of a key", "", "{1: 'a'}", "{'1': 'a'}"),
    ("split of texts", "", "['ab', 'c']", "['a', 'bc']"),
    ("nesting", "", "[[1], 2]", "[[1, 2]]"),
    ("seven levels down", "", "[[[[[[{'k': (1, 2)}]]]]]]", "[[[[[[{'k': (1, 3)}]]]]]]"),
    ("large int", "", "2**70", "2**70 + 1"),
    ("surrogates", "", r"'\ud800'", r"'\ud801'"),
    ("unicode form", "", r"'\u00e9'", r"'e\u0301'"),
    ("decimal places", "from decimal import Decimal\n", "Decimal('1.0')", "Decimal('1.00')"),
    ("time zone", "import datetime as dt\n", "dt.datetime(2026, 1, 1)", "dt.datetime(2026, 1, 1, tzinfo=dt.UTC)"),
    ("fold", "import datetime as dt\n", "dt.datetime(2026, 1, 1)", "dt.datetime(2026, 1, 1, fold=1)"),
    ("class of a path", "from pathlib import *\n", "PurePosixPath('a')", "PureWindowsPath('a')"),
    ("flags of a pattern", "import re\n", "re.compile('a')", "re.compile('a', re.I)"),
    ("default of a dict", "from collections import *\n", "defaultdict(int)", "defaultdict(list)"),
    ("length of a deque", "from collections import *\n", "deque([1])", "deque([1], maxlen=3)"),
    ("bounds of a range", "", "range(0, 10, 2)", "range(0, 11, 2)"),
    ("dtype", NP, "np.array([1, 2], 'int64')", "np.array([1, 2], 'int32')"),
    ("dtype of a scalar", NP, "np.float32(1)", "np.float64(1)"),
    ("byte order", NP, "np.array([1, 256], '<i4')", "np.array([1, 256], '>i4')"),
    ("same bytes, other dtype", NP, "np.zeros(2, 'i8')", "np.zeros(2, 'f8')"),
    ("shape", NP, "np.arange(6).reshape(2, 3)", "np.arange(6).reshape(3, 2)"),
    ("zero dimensions", NP, "np.array(1)", "np.array([1])"),
    ("empty shape", NP, "np.empty((0, 3))", "np.empty((3, 0))"),
    ("nan in an array", NP, "np.array([0.0, np.nan])", "np.array([-0.0, np.nan])"),
    ("payload of nan", NP, NAN.format("7ff8000000000000"), NAN.format("7ff8000000000001")),
    ("unit of time", NP, "np.array([1], 'datetime64[s]')", "np.array([1], 'datetime64[ms]')"),
    ("names of fields", NP, "np.zeros(1, [('a', 'i4')])", "np.zeros(1, [('b', 'i4')])"),
    ("object array", NP, "np.array([1, '1'], object)", "np.array(['1', 1], object)"),
    ("mask", NP, "np.ma.array([1, 2], mask=[0, 1])", "np.ma.array([1, 2], mask=[1, 0])"),
    ("transposed", NP, CUBE, f"({CUBE}).T"),
    ("one cell of a frame", PD, FRAME, FRAME.replace("'y'", "'z'")),
    ("name of a column", PD, FRAME, FRAME.replace("'b'", "'c'")),
    ("order of columns", PD, FRAME, f"{FRAME}[['b', 'a']]"),
    ("order of rows", PD, FRAME, f"{FRAME}.iloc[::-1]"),
    ("dtype of a column", PD, FRAME, f"{FRAME}.astype({{'a': 'int32'}})"),
    ("nullable dtype", PD, FRAME, f"{FRAME}.astype({{'a': 'Int64'}})"),
    ("object or str", PD, FRAME, f"{FRAME}.astype({{'b': object}})"),
    ("index", PD, FRAME, f"{FRAME}.set_axis([5, 6])"),
    ("name of an index", PD, FRAME, f"{FRAME}.rename_axis('row')"),
    ("name of columns", PD, FRAME, f"{FRAME}.rename_axis('col', axis=1)"),
    ("attrs", PD, FRAME, f"(lambda f: (f.attrs.update(unit='m'), f)[1])({FRAME})"),
    ("name of a series", PD, "pd.Series([1], name='a')", "pd.Series([1], name='b')"),
    ("type of a label", PD, "pd.DataFrame({0: [1]})", "pd.DataFrame({'0': [1]})"),
    (
        "twice the same label",
        PD,
        "pd.DataFrame([[1, 2]], columns=list('aa'))",
        "pd.DataFrame([[2, 1]], columns=list('aa'))",
    ),
    ("categories", PD, "pd.Series(pd.Categorical(['a']))", "pd.Series(pd.Categorical(['a'], ['a', 'b']))"),
    ("order of categories", PD, "pd.Categorical(['a'], ['a', 'b'])", "pd.Categorical(['a'], ['b', 'a'])"),
    ("ordered categories", PD, "pd.Categorical(['a'])", "pd.Categorical(['a'], ordered=True)"),
    (
        "time zone of a column",
        PD,
        "pd.Series(pd.to_datetime(['2026'], utc=True))",
        "pd.Series(pd.to_datetime(['2026']))",
    ),
    ("NaT or NaN", PD, "pd.Series([None], dtype='datetime64[ns]')", "pd.Series([None], dtype='float64')"),
    ("None or NaN in objects", PD, "pd.Series([None], dtype=object)", "pd.Series([np.nan], dtype=object)"),
    ("NA or NaN in objects", PD, "pd.Series([pd.NA], dtype=object)", "pd.Series([np.nan], dtype=object)"),
    ("mixed objects", PD, "pd.Series([1, '1', 1.0], dtype=object)", "pd.Series(['1', 1, 1.0], dtype=object)"),
    ("bool among objects", PD, "pd.Series([1, 0], dtype=object)", "pd.Series([True, False], dtype=object)"),
    ("lists in a column", PD, "pd.Series([[1, 2], [3]])", "pd.Series([[1], [2, 3]])"),
    ("a list or a tuple in a column", PD, "pd.Series([[1, 2]])", "pd.Series([(1, 2)])"),
    (
        "names of levels",
        PD,
        "pd.MultiIndex.from_tuples([(1, 2)], names=['p', 'q'])",
        "pd.MultiIndex.from_tuples([(1, 2)], names=['p', 'r'])",
    ),
    (
        "frequency",
        PD,
        "pd.date_range('2026', periods=2)",
        "pd.DatetimeIndex(pd.date_range('2026', periods=2), freq=None)",
    ),
    ("closed side", PD, "pd.Interval(0, 1)", "pd.Interval(0, 1, 'left')"),
    ("period", PD, "pd.Period('2026-01', 'M')", "pd.Period('2026-01-01', 'D')"),
    ("sparse", PD, "pd.Series([0, 1])", "pd.Series(pd.arrays.SparseArray([0, 1]))"),
    ("Arrow values", PA, "pa.table({'a': [1, None]})", "pa.table({'a': [1, 0]})"),
    ("Arrow type", PA, "pa.array([1], pa.int64())", "pa.array([1], pa.int32())"),
    ("Arrow metadata", PA, "pa.table({'a': [1]})", "pa.table({'a': [1]}).replace_schema_metadata({'k': 'v'})"),
    ("Arrow name", PA, "pa.table({'a': [1]})", "pa.table({'b': [1]})"),
    ("Arrow null or empty", PA, "pa.array([[], [1]])", "pa.array([None, [1]])"),
    ("polars dtype", PL, "pl.DataFrame({'a': [1]})", "pl.DataFrame({'a': [1]}, schema={'a': pl.Int32})"),
    ("polars name", PL, "pl.Series('a', [1])", "pl.Series('b', [1])"),
    ("polars null or nan", PL, "pl.Series('a', [None], dtype=pl.Float64)", "pl.Series('a', [float('nan')])"),
    (
        "polars lazy",
        PL,
        "pl.LazyFrame({'a': [1]}).filter(pl.col('a') > 0)",
        "pl.LazyFrame({'a': [1]}).filter(pl.col('a') > 1)",
    ),
    (
        "sparse matrix",
        "import scipy.sparse as sp\n",
        "sp.eye_array(2, format='csr')",
        "2 * sp.eye_array(2, format='csr')",
    ),
    (
        "a fitted model",
        "from sklearn.linear_model import *\n",
        "LinearRegression().fit([[0], [1]], [0, 1])",
        "LinearRegression().fit([[0], [1]], [0, 2])",
    ),
)

# name, imports, the value in A, the same value built another way in B
ALIKE = (
    ("order of a set", "", "{'a', 'b', 'c'}", "{'c', 'b', 'a'}"),
    ("order in a frozenset in a dict", "", "{'k': frozenset('abc')}", "{'k': frozenset('cba')}"),
    ("identity of texts", "", "['ab', 'ab']", "['ab', ''.join(['a', 'b'])]"),
    ("shared or equal lists", "", "(lambda x: [x, x])([1])", "[[1], [1]]"),
    ("a computed int", "", "1000", "10 ** 3"),
    ("strides", NP, "np.arange(4)", "np.arange(8)[::2] // 2"),
    ("Fortran order", NP, CUBE, f"np.asfortranarray({CUBE})"),
    ("a view", NP, "np.array([1, 2])", "np.arange(5)[1:3]"),
    ("read-only", NP, "np.arange(3)", "(lambda a: (a.setflags(write=False), a)[1])(np.arange(3))"),
    ("RangeIndex or Index", PD, FRAME, f"{FRAME}.set_axis(pd.Index([0, 1]))"),
    ("layout of blocks", PD, "pd.DataFrame({'a': [1], 'b': [2]})", "pd.DataFrame({'a': [1]}).assign(b=2)"),
    ("a slice of a frame", PD, FRAME, "pd.DataFrame({'a': [1, 2, 3], 'b': list('xyz')}).iloc[:2]"),
    ("Arrow chunks", PA, "pa.chunked_array([[1, 2, 3]])", "pa.chunked_array([[1], [2, 3]])"),
    ("Arrow offset", PA, "pa.array([2, 3])", "pa.array([1, 2, 3])[1:]"),
    ("Arrow garbage under nulls", PA, "pa.array([1, None])", "pa.array([1, 5], mask=__import__('numpy').array([False, True]))"),
    ("polars chunks", PL, "pl.Series('a', [1, 2])", "pl.Series('a', [1]).append(pl.Series('a', [2]))"),
    ("order of attributes", "from types import SimpleNamespace as N\n", "N(a=1, b=2)", "N(b=2, a=1)"),
)  # fmt: skip


def _constant(name, imports, old, new, expect):
    cells = (f"{imports}value = {old}", work("result = [value]"))
    changed = (f"{imports}value = {new}", work("result = [value]"))
    return Probe(
        f"values/{name}", expect, cells, again=changed, differs=expect == "rerun", sampled=name in {"dtype", "a view"}
    )


def _input(name, imports, old, new, expect):
    probe = _constant(name, imports, old, new, expect)
    made = [
        (imports or "# nothing to import", step("value", f"value = {v}"), work("result = [value]", "value"))
        for v in (old, new)
    ]
    return Probe(f"inputs/{name}", expect, made[0], again=made[1], differs=probe.differs, sampled=probe.sampled)


PROBES = tuple(
    make(*row, expect)
    for rows, expect in ((APART, "rerun"), (ALIKE, "restore"))
    for row in rows
    for make in (_constant, _input)
)
