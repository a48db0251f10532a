"""polars frames, series, types and lazy queries."""

import datetime as dt
import decimal
import itertools

import pytest

from nbsteps.core.errors import UndigestibleError
from nbsteps.identity.content import digest

pl = pytest.importorskip("polars")


def check(*values):
    """No two of the values are alike."""
    digests = [digest(value) for value in values]
    for (one, first), (other, second) in itertools.combinations(zip(digests, values, strict=True), 2):
        assert one != other, f"{first!r} and {second!r} digest alike"


def same(*values):
    """All of the values are alike."""
    assert len({digest(value) for value in values}) == 1


def frame(**changes):
    return pl.DataFrame({"a": [1, 2, None], "b": ["x", None, "yy"], "c": [[1], [], None]} | changes)


APART = {
    "frames": [
        frame(),
        frame(a=[1, 2, 3]),
        frame(a=[1.0, 2, None]),
        frame(b=["x", None, "zz"]),
        frame(c=[[1], None, []]),
        frame(c=[[1], [None], None]),
        frame().select("b", "a", "c"),
        frame().rename({"a": "d"}),
        frame().head(2),
        frame().to_dict(as_series=False),
        frame().to_pandas(),
        frame().to_arrow(),
        pl.DataFrame(),
    ],
    "series": [
        pl.Series([1]),
        pl.Series("a", [1]),
        pl.Series([1], dtype=pl.Int8),
        pl.Series([True]),
        pl.Series([None], dtype=pl.Int64),
        pl.Series([None]),
        pl.Series(["1"]),
        pl.Series([b"1"]),
        pl.Series([-0.0]),
        pl.Series([0.0]),
        pl.Series([float("nan")]),
        pl.Series([decimal.Decimal(1)]),
        pl.Series([decimal.Decimal("1.0")]),
    ],
    "times": [
        pl.Series([1], dtype=kind)
        for kind in (
            pl.Date,
            pl.Time,
            pl.Datetime("us"),
            pl.Datetime("ms"),
            pl.Datetime("us", "UTC"),
            pl.Datetime("us", "Europe/Paris"),
            pl.Duration("us"),
            pl.Duration("ms"),
        )
    ],
    "categories": [
        pl.Series(["a", "b"]),
        pl.Series(["a", "b"], dtype=pl.Categorical),
        pl.Series(["b", "a"], dtype=pl.Categorical),
        pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])),
        pl.Series(["a", "b"], dtype=pl.Enum(["b", "a"])),
        pl.Series(["a", "b"], dtype=pl.Enum(["a", "b", "c"])),
        pl.Series([["a", "b"]], dtype=pl.List(pl.Enum(["a", "b"]))),
        pl.Series([["a", "b"]], dtype=pl.List(pl.Enum(["b", "a"]))),
        pl.Series([["a", "b"]], dtype=pl.List(pl.Categorical)),
    ],
    "nested": [
        pl.Series([{"x": 1}]),
        pl.Series([{"y": 1}]),
        pl.Series([{"x": 2}]),
        pl.Series([{"x": 1.0}]),
        pl.Series([None], dtype=pl.Struct({"x": pl.Int64})),
        pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2)),
        pl.Series([[1, 2]]),
        pl.Series([[[1], [2]]]),
    ],
    "objects": [pl.Series([object_], dtype=pl.Object) for object_ in ({1}, {2}, [1], "a")],
    "data types": [
        pl.Int64(),
        pl.Int8(),
        pl.List(pl.Int8),
        pl.Datetime("us"),
        pl.Datetime("ms"),
        pl.Enum(["a"]),
        pl.Enum(["b"]),
    ],
    "data types as classes": [pl.Int64, pl.Int8, pl.Datetime, int],
    "expressions": [pl.col("a"), pl.col("b"), pl.col("a") + 1],
    "lazy queries": [frame().lazy(), frame(a=[1, 2, 3]).lazy(), frame().lazy().select("a"), frame()],
}


@pytest.mark.parametrize("values", APART.values(), ids=APART.keys())
def test_tells_apart(values):
    check(*values)
    check(*([value] for value in values))
    check(*({"a": value} for value in values))


def test_equal_content_is_alike():
    same(frame(), frame(), frame().clone())
    same(frame().lazy(), frame().lazy())


def test_chunks_and_slices_never_count():
    double = pl.concat([frame(), frame()], rechunk=False)
    same(frame(), double.head(3), double.tail(3), pl.concat([frame().head(1), frame().tail(2)], rechunk=False))


def test_what_the_process_saw_before_never_counts():
    before = digest(pl.Series(["y", "x"], dtype=pl.Categorical))
    kept = pl.Series([str(number) for number in range(100)], dtype=pl.Categorical)
    later = pl.Series(["y", "x", "z"], dtype=pl.Categorical).head(2)
    assert digest(later) == before
    assert len(kept) == 100


def test_under_nulls():
    hidden = pl.DataFrame({"a": [1, 7], "keep": [True, False]})
    masked = hidden.select(pl.when("keep").then("a").alias("a"))
    same(masked, pl.DataFrame({"a": [1, None]}))


def test_dates_keep_their_type():
    check(pl.Series([dt.date(2020, 1, 1)]), pl.Series([dt.datetime(2020, 1, 1)]))  # noqa: DTZ001  naive is a case


def test_a_query_over_files_is_refused(tmp_path):
    frame().select("a").write_csv(tmp_path / "a.csv")
    with pytest.raises(UndigestibleError, match="collect"):
        digest(pl.scan_csv(tmp_path / "a.csv"))


def twice(value):
    return value * 2


@pytest.mark.parametrize("function", [twice, lambda value: value])
def test_a_query_that_calls_python_is_refused(function):
    queries = [
        pl.col("a").map_batches(function),
        pl.col("a").rolling_map(function, 2),
        pl.when(pl.col("a").name.map(function)).then(1),
        pl.LazyFrame({"a": [1]}).map_batches(function),
        pl.LazyFrame({"a": [1]}).select(pl.col("a").map_batches(function)),
    ]
    for query in queries:
        with pytest.raises(UndigestibleError, match="Python function"):
            digest([query])
