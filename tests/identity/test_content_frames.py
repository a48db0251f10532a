"""pandas frames, series, indexes, their types and scalars."""

import copy
import itertools
import math
import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nbsteps.identity.content import digest

NAN = math.nan
HAS_STR = pd.Series(["a"]).dtype != object  # pandas 3 infers str, pandas 2 object


def check(*values):
    """No two of the values are alike."""
    digests = [digest(value) for value in values]
    for (one, first), (other, second) in itertools.combinations(zip(digests, values, strict=True), 2):
        assert one != other, f"{first!r} and {second!r} digest alike"


def same(*values):
    """All of the values are alike."""
    assert len({digest(value) for value in values}) == 1


def frame(**changes):
    columns = {"a": [1, 2, 3], "b": [0.5, NAN, -0.0], "c": ["x", "y", None]} | changes
    return pd.DataFrame(columns)


def series(values, dtype=None, **options):
    return pd.Series(values, dtype=dtype, **options)


def category(values, categories, *, ordered=False):
    return pd.Categorical(values, categories=categories, ordered=ordered)


def with_attrs(value, **attrs):
    value.attrs.update(attrs)
    return value


class Tracked(pd.DataFrame):
    """A frame with an attribute of its own."""

    _metadata = ["source"]  # noqa: RUF012  as pandas documents it

    @property
    def _constructor(self):
        return Tracked


class Plain(pd.DataFrame):
    """A frame that adds nothing."""

    @property
    def _constructor(self):
        return Plain


def tracked(source):
    made = Tracked({"a": [1]})
    made.source = source
    return made


def days(**options):
    return pd.date_range("2020-01-01", periods=3, **options)


def string(storage, na_value=pd.NA):
    try:
        return pd.StringDtype(storage, na_value=na_value)
    except TypeError:  # pandas 2.2 knows one missing value
        return pd.StringDtype(storage)


LISTS = pd.ArrowDtype(pa.list_(pa.int64()))
APART = {
    "columns": [
        frame(),
        frame(a=[1, 2, 4]),
        frame(a=[1.0, 2, 3]),
        frame(b=[0.5, NAN, 0.0]),
        frame(c=["x", "y", "z"]),
        frame()[["b", "a", "c"]],
        frame().rename(columns={"a": "d"}),
        frame().rename(columns={"a": 0}),
        frame(d=1),
        frame()[:2],
        frame()[::-1],
        frame().rename_axis(columns="name"),
        frame().rename_axis(index="name"),
        frame().set_axis([1, 2, 3]),
        frame().set_axis([0.0, 1.0, 2.0]),
        frame().set_axis(["0", "1", "2"]),
        frame().set_flags(allows_duplicate_labels=False),
        with_attrs(frame(), unit="m"),
        with_attrs(frame(), unit="km"),
        frame().to_dict("list"),
    ],
    "integer widths": [
        series([1, 2], kind) for kind in ("i1", "i2", "i4", "i8", "u1", "u8", "f4", "f8", "Int8", "Int64")
    ],
    "missing": [
        series([None, 1], object),
        series([NAN, 1], object),
        series([pd.NA, 1], object),
        series([pd.NaT, 1], object),
        series([0, 1], object),
        series([NAN, 1]),
        series([None, 1], "Int64"),
        series([0, 1], "Int64"),
        series([None, 1], "Float64"),
    ],
    "missing in long columns": [
        series(["a"] * 99 + [missing], object) for missing in (None, NAN, pd.NA, pd.NaT, "", "nan", np.float64("nan"))
    ],
    "zeros": [series([0.0]), series([-0.0]), series([0]), series([False])],
    "nan payloads": [series(np.array([bits], "u8").view("f8")) for bits in (0x7FF8000000000000, 0x7FF8000000000001)],
    "objects": [
        series(values, object) for values in ([1, "1"], ["1", 1], [1, 1], [1.0, 1], [True, 1], [[1], 1], [(1,), 1])
    ],
    "strings": [series(["a", None], kind) for kind in (object, string("python"), string("pyarrow"), "category")]
    + [series(["a", None], pd.ArrowDtype(kind)) for kind in (pa.string(), pa.large_string())]
    + [
        series(["a", "b"], string("pyarrow")),
        series(["", None], string("pyarrow")),
        series([None, "a"], string("pyarrow")),
    ]
    + [series(["", ""], string("pyarrow"))]
    + ([series(["a", None], "str")] if HAS_STR else []),
    "categories": [
        category(["a", "b"], ["a", "b"]),
        category(["a", "b"], ["b", "a"]),
        category(["a", "b"], ["a", "b", "c"]),
        category(["a", "b"], ["a", "b"], ordered=True),
        category(["b", "a"], ["a", "b"]),
        category(["a", None], ["a", "b"]),
        category([1, 2], [1, 2]),
        category([1.0, 2.0], [1.0, 2.0]),
        pd.array(["a", "b"]),
        *([category(["a", "b"], pd.Index(["a", "b"], dtype=object))] if HAS_STR else []),
    ],
    "times": [
        series(pd.array(values, dtype=kind))
        for values, kind in (
            ([1], "M8[ns]"),
            ([1], "M8[us]"),
            ([1], "m8[ns]"),
            ([None], "M8[ns]"),
            ([None], "m8[ns]"),
            (pd.to_datetime([1], utc=True), None),
            (pd.to_datetime([1], utc=True).tz_convert("Europe/Paris"), None),
            (pd.to_datetime([1], utc=True).tz_convert("Europe/Berlin"), None),
            (pd.to_datetime([2], utc=True), None),
        )
    ],
    "periods and intervals": [
        pd.period_range("2020", periods=2, freq="D"),
        pd.period_range("2020", periods=2, freq="M"),
        pd.interval_range(0, 2),
        pd.interval_range(0, 2, closed="left"),
        pd.interval_range(0.0, 2.0),
        pd.interval_range(0, 4, freq=2),
        pd.IntervalIndex.from_tuples([(0, 1), None]),
    ],
    "sparse": [
        pd.arrays.SparseArray([0, 1, 0]),
        pd.arrays.SparseArray([0, 1, 0], fill_value=1),
        pd.arrays.SparseArray([0, 1, 1]),
        pd.arrays.SparseArray([0.0, 1, 0]),
        pd.arrays.SparseArray([0, 1, 0], kind="block"),
        np.array([0, 1, 0]),
    ],
    "nullable": [
        pd.array(values, dtype=kind)
        for values, kind in (
            ([True, None], "boolean"),
            ([False, None], "boolean"),
            ([True, False], "boolean"),
            ([1, None], "Int64"),
            ([1, None], "UInt64"),
            ([1, None], "Float64"),
            ([1, None], "Float32"),
        )
    ],
    "arrow": [pd.array([1, None], dtype=pd.ArrowDtype(kind)) for kind in (pa.int64(), pa.int32(), pa.float64())]
    + [pd.array([[1], None], dtype=LISTS), pd.array([[], None], dtype=LISTS), pd.array([[None], None], dtype=LISTS)],
    "indexes": [
        pd.RangeIndex(3),
        pd.RangeIndex(3, name="a"),
        pd.RangeIndex(3, name=("a",)),
        pd.RangeIndex(1, 4),
        pd.RangeIndex(0, 6, 2),
        pd.Index([0, 1, 2], dtype="i4"),
        pd.Index([0, 1, 2], dtype=object),
        pd.Index(["0", "1", "2"]),
        pd.CategoricalIndex(["0", "1", "2"]),
        days(),
        days(freq="2D"),
        days(name="a"),
        days(tz="UTC"),
        days()._with_freq(None),
        pd.to_timedelta([1, 2, 3]),
        pd.MultiIndex.from_arrays([[0, 1, 2]]),
        series([0, 1, 2]),
        np.arange(3),
        [0, 1, 2],
    ],
    "multi-indexes": [
        pd.MultiIndex.from_product([[1, 2], ["a", "b"]]),
        pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["x", "y"]),
        pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["x", "z"]),
        pd.MultiIndex.from_product([[2, 1], ["a", "b"]]),
        pd.MultiIndex.from_product([[1, 2], ["a", "b", "c"]])[[0, 1, 3, 4]],
        pd.MultiIndex.from_product([["a", "b"], [1, 2]]),
        pd.MultiIndex.from_product([[1.0, 2.0], ["a", "b"]]),
        pd.MultiIndex.from_arrays([[1, 1, 2, None], ["a", "b", "a", "b"]]),
    ],
    "kinds": [frame()[["a"]], frame()["a"], frame()["a"].array, frame()["a"].to_numpy(), frame()["a"].tolist()],
    "series": [
        series([1]),
        series([1], name="a"),
        series([1], name=0),
        series([1], index=[1]),
        with_attrs(series([1]), a=1),
    ],
    "subclasses": [pd.DataFrame({"a": [1]}), Plain({"a": [1]}), tracked("x"), tracked("y")],
    "empty": [
        pd.DataFrame(),
        pd.DataFrame(index=[1]),
        pd.DataFrame(columns=["a"]),
        pd.DataFrame({"a": np.zeros(0)}),
        pd.Series(dtype="f8"),
        pd.Series(dtype=object),
        pd.DataFrame(index=range(2)),
    ],
    "duplicate names": [
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame([[2, 1]], columns=["a", "a"]),
        pd.DataFrame([[1, 2]], columns=["a", "b"]),
    ],
    "scalars": [
        pd.Timestamp(1, unit="s"),
        pd.Timestamp(1, unit="s").as_unit("ns"),
        pd.Timestamp(1, unit="s", tz="UTC"),
        pd.Timestamp(1, unit="s", tz="UTC").tz_convert("Europe/Paris"),
        pd.Timestamp(1, unit="s").to_pydatetime(),
        pd.Timestamp(1, unit="s").to_numpy(),
        pd.Timedelta(1, "s"),
        pd.Timedelta(1, "s").as_unit("ns").as_unit("ms"),
        pd.Timedelta(2, "s"),
        pd.Period("2020", "D"),
        pd.Period("2020", "M"),
        pd.Interval(0, 1),
        pd.Interval(0, 1, "both"),
        pd.Interval(0.0, 1.0),
        pd.NaT,
        pd.NA,
        None,
        NAN,
        pd.offsets.Day(1),
        pd.offsets.Day(2),
        pd.offsets.CustomBusinessDay(holidays=["2020-01-01"]),
        pd.offsets.CustomBusinessDay(),
    ],
    "data types": [
        series([], kind).dtype
        for kind in (
            "i8",
            "Int64",
            "f8",
            "str",
            string("python"),
            "category",
            "M8[ns]",
            "M8[ns, UTC]",
            "Sparse[int]",
            "period[D]",
        )
    ]
    + [pd.CategoricalDtype(["a"]), pd.CategoricalDtype(["a"], ordered=True), pd.IntervalDtype("i8", "left")],
}


@pytest.mark.parametrize("values", APART.values(), ids=APART.keys())
def test_tells_apart(values):
    check(*values)
    check(*([value] for value in values))


@pytest.mark.parametrize("values", APART.values(), ids=APART.keys())
def test_copies_are_alike(values):
    for value in values:
        same(value, copy.deepcopy(value), pickle.loads(pickle.dumps(value)))


@pytest.mark.parametrize(
    "kind", ["categories", "times", "periods and intervals", "sparse", "nullable", "arrow", "strings"]
)
def test_tells_columns_apart(kind):
    check(*(pd.DataFrame({"a": value}) for value in APART[kind]))


class TestAlike:
    """The same content, made in another way."""

    def test_range_index(self):
        same(pd.RangeIndex(3), pd.Index([0, 1, 2]), pd.Index(np.arange(3)))
        same(pd.RangeIndex(200_000, 0, -3), pd.Index(np.arange(200_000, 0, -3)))
        same(pd.RangeIndex(0), pd.RangeIndex(5, 5), pd.Index([], dtype="i8"))
        same(frame(), frame().set_axis([0, 1, 2]))

    @pytest.mark.parametrize("name", [None, "a", 1, 1.0, True, ("a", 1)])
    def test_a_range_whose_integers_are_known_equals_the_index(self, name):
        known = [pd.RangeIndex(1, 7, 2, name=name) for _ in range(2)]
        plain = [pd.Index([1, 3, 5], name=name) for _ in range(2)]
        same(known, plain)
        same(pd.Series([0, 0, 0], index=known[0]), pd.Series([0, 0, 0], index=plain[0]))

    def test_a_range_that_is_renamed(self):
        index = pd.RangeIndex(3, name="a")
        before = digest([index])
        index.name = "b"
        assert digest([index]) != before
        index.name = "a"
        assert digest([index]) == before

    def test_columns_by_position(self):
        same(pd.DataFrame([[1, 2]]), pd.DataFrame([[1, 2]], columns=[0, 1]))

    def test_block_layout(self):
        whole = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=list("abc"))
        pieces = pd.DataFrame({"a": whole["a"].copy()})
        pieces["b"] = whole["b"].copy()
        pieces["c"] = whole["c"].copy()
        same(whole, pieces, pieces.copy(), pd.DataFrame(np.asfortranarray(whole.to_numpy()), columns=list("abc")))

    def test_slices_and_steps(self):
        long = pd.concat([frame(), frame()])
        same(frame(), long[:3], long[3:])
        every = pd.DataFrame({"a": np.arange(1000.0)})
        same(every[::2].reset_index(drop=True), pd.DataFrame({"a": np.arange(0, 1000.0, 2)}))

    def test_under_masks(self):
        mask = np.array([False, True])
        same(*(pd.arrays.IntegerArray(np.array([1, hidden]), mask) for hidden in (0, 7)))
        same(*(pd.arrays.FloatingArray(np.array([1.0, hidden]), mask) for hidden in (0.0, NAN)))
        same(*(pd.arrays.BooleanArray(np.array([True, hidden]), mask) for hidden in (False, True)))

    def test_chunks_of_arrow_columns(self):
        kind = pd.ArrowDtype(pa.string())
        whole = series(["a", "b", None, "c"], kind)
        same(whole, pd.concat([whole[:1], whole[1:]]), pd.concat([whole, whole])[4:])
        text = series(["a", "b", None, "c"], "str")
        same(text, pd.concat([text[:1], text[1:]]), pd.concat([text, text])[4:])

    def test_codes_of_categories(self):
        few = category(["a", "b"], ["a", "b"])
        same(few, category(["a", "b"], [*"ab", *map(str, range(500))]).remove_unused_categories())

    def test_using_a_frame_changes_nothing(self):
        value = frame().set_index("a")
        before = digest(value)
        value.loc[1], value["b"], value.index.is_unique, value.describe(), repr(value), value.attrs  # these fill caches
        assert digest(value) == before

    def test_interned_strings(self):
        same(frame(c=["ab", "ab", "a"]), frame(c=["a" + "xb"[1:], "ab", "a"]))
