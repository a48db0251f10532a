"""pyarrow: chunking, offsets, padding and what lies under nulls never count; types, names and metadata do."""

import datetime as dt
import decimal
import itertools

import numpy as np
import pyarrow as pa
import pytest

from nbsteps.identity.content import digest

D = decimal.Decimal


def check(*values):
    """No two of the values are alike."""
    digests = [digest(value) for value in values]
    for (one, first), (other, second) in itertools.combinations(zip(digests, values, strict=True), 2):
        assert one != other, f"{first!r} and {second!r} digest alike"


def same(*values):
    """All of the values are alike."""
    assert len({digest(value) for value in values}) == 1


STRUCT = pa.struct([("x", pa.int8()), ("y", pa.string())])
COLUMNS = {
    "null": (pa.null(), [None] * 7),
    "bool": (pa.bool_(), [True, False, None, True, True, None, False]),
    "int8": (pa.int8(), [1, -1, None, 0, 5, 6, 7]),
    "int64": (pa.int64(), [1, -1, None, 0, 5, 6, 7]),
    "float16": (pa.float16(), [np.float16(v) for v in (1, 2, 0)] + [None] + [np.float16(v) for v in (5, 6, 7)]),
    "float64": (pa.float64(), [1.0, -0.0, None, 0.0, float("nan"), 6, 7]),
    "date32": (pa.date32(), [dt.date(2020, 1, day) if day % 3 else None for day in range(1, 8)]),
    "date64": (pa.date64(), [dt.date(2020, 1, day) if day % 3 else None for day in range(1, 8)]),
    "time": (pa.time32("s"), [dt.time(1, minute) if minute % 3 else None for minute in range(1, 8)]),
    "timestamp": (pa.timestamp("us", "UTC"), [1, 2, None, 4, 5, 6, 7]),
    "duration": (pa.duration("s"), [1, 2, None, 4, 5, 6, 7]),
    "interval": (pa.month_day_nano_interval(), [(1, 2, 3), None, (1, 2, 4), (0, 0, 0), (1, 1, 1), None, (2, 2, 2)]),
    "decimal": (pa.decimal128(20, 2), [D("1.00"), None, D("-1.00"), D(0), D(5), D(6), D(7)]),
    "decimal256": (pa.decimal256(60, 2), [D("1.00"), None, D("-1.00"), D(0), D(5), D(6), D(7)]),
    "fixed binary": (pa.binary(2), [b"ab", None, b"cd", b"\0\0", b"ef", b"gh", None]),
    "binary": (pa.binary(), [b"", None, b"abc", b"d", b"ab", b"cd", None]),
    "string": (pa.string(), ["", None, "abc", "d", "ä", "cd", None]),
    "large string": (pa.large_string(), ["", None, "abc", "d", "ä", "cd", None]),
    "string view": (pa.string_view(), ["", None, "abc", "d" * 50, "ä", "cd", None]),
    "list": (pa.list_(pa.int64()), [[], None, [1, None], [2], [None], [3, 4], None]),
    "large list": (pa.large_list(pa.string()), [[], None, ["a", None], ["b"], [None], ["c", ""], None]),
    "fixed list": (pa.list_(pa.int8(), 2), [[1, 2], None, [3, None], [5, 6], [7, 8], None, [None, None]]),
    "nested lists": (pa.list_(pa.list_(pa.int8())), [[[]], None, [None, [1]], [[1, 2], [3]], [[4]], [], [[None]]]),
    "struct": (
        STRUCT,
        [
            {"x": 1, "y": "a"},
            None,
            {"x": None, "y": "b"},
            {"x": 2, "y": None},
            {"x": 3, "y": ""},
            None,
            {"x": 0, "y": ""},
        ],
    ),
    "list of structs": (pa.list_(STRUCT), [[{"x": 1, "y": "a"}], None, [None], [], [{"x": 2, "y": None}], [], None]),
    "map": (pa.map_(pa.string(), pa.int8()), [[("a", 1)], None, [], [("b", None), ("c", 2)], [("d", 3)], [], None]),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), ["a", None, "b", "a", "c", "a", None]),
}


def column(name, **changes):
    kind, values = COLUMNS[name]
    values = list(values)
    for place, value in changes.items():
        values[int(place[1:])] = value
    return pa.array(values, kind)


@pytest.mark.parametrize("name", COLUMNS)
class TestEveryType:
    """The same for each type of column."""

    def test_slices_are_their_content(self, name):
        kind, values = COLUMNS[name]
        long = pa.array(values * 3, kind)
        same(column(name), long[7:14])
        same(column(name)[:0], pa.array([], kind)) if name != "dictionary" else None
        for start, stop in ((1, 6), (2, 3), (3, 7), (1, 2)):
            if name != "dictionary":  # a slice keeps the whole dictionary, and a program sees it
                same(pa.array(values[start:stop], kind), long[start:stop], long[7 + start : 7 + stop])

    def test_chunks_never_count(self, name):
        kind, values = COLUMNS[name]
        long = pa.array(values * 3, kind)
        whole = pa.chunked_array([column(name)])
        for cuts in ((0, 3, 7), (0, 1, 2, 7), (0, 0, 5, 5, 7)):
            pieces = [long[7 + start : 7 + stop] for start, stop in itertools.pairwise(cuts)]
            same(whole, pa.chunked_array(pieces, type=kind))

    def test_every_row_counts(self, name):
        values = COLUMNS[name][1]
        if name == "null":
            check(pa.array(values), pa.array(values[1:]))
            return
        seen = {digest(column(name))}
        for place in range(7):
            other = next(value for value in values if value is not None and (place, value) != (place, values[place]))
            if str(other) != str(values[place]):
                seen.add(digest(column(name, **{f"p{place}": other})))
            if values[place] is not None:
                seen.add(digest(column(name, **{f"p{place}": None})))
        assert len(seen) >= 8

    def test_nulls_are_not_zeros(self, name):
        kind, values = COLUMNS[name]
        if name in {"int8", "int64", "duration", "timestamp"}:
            check(column(name), pa.array([value or 0 for value in values], kind))
        if name in {"string", "large string", "string view"}:
            check(column(name), pa.array([value or "" for value in values], kind))

    def test_a_table_and_a_batch_of_it(self, name):
        table = pa.table({"a": column(name)})
        check(table, table.to_batches()[0], table["a"], column(name), table.rename_columns(["b"]), pa.table({}))
        same(table, pa.concat_tables([table[:3], table[3:]]))

    def test_scalars(self, name):
        first = column(name)[0]
        same(first, column(name)[0])
        if name != "null":
            check(first, pa.scalar(None, first.type), first.as_py(), column(name)[:1])


def test_types_count():
    kinds = [pa.int8(), pa.int64(), pa.float64(), pa.string(), pa.large_string(), pa.binary(), pa.list_(pa.int8())]
    kinds += [pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("s", "UTC"), pa.dictionary(pa.int8(), pa.string())]
    kinds += [pa.struct([("a: int8, b", pa.int8())]), pa.struct([("a", pa.int8()), ("b", pa.int8())])]
    kinds += [
        pa.dictionary(pa.int8(), pa.string(), ordered=True),
        pa.struct([pa.field("a", pa.int8(), nullable=False)]),
    ]
    check(*(pa.array([], kind) for kind in kinds))
    check(*(pa.nulls(3, kind) for kind in kinds if not kind.equals(kinds[-1])))
    check(*kinds)


def test_schemas_count():
    field = pa.field("a", pa.int8())
    fields = [field, field.with_name("b"), field.with_nullable(False), field.with_metadata({"k": "v"})]
    schemas = [pa.schema([each]) for each in fields] + [pa.schema([field], {"k": "v"}), pa.schema([field], {"k": "w"})]
    check(*schemas, *fields)
    check(*(pa.table([pa.array([1], pa.int8())], schema=schema) for schema in schemas))


def garbage(kind, values, validity, *buffers):
    return pa.Array.from_buffers(kind, len(values), [pa.py_buffer(bytes([validity])), *map(pa.py_buffer, buffers)])


def test_what_lies_under_nulls_never_counts():
    clean = pa.array([1, None, 3], pa.int64())
    same(clean, garbage(pa.int64(), "123", 0b101, np.array([1, 99, 3]).tobytes()))
    same(clean, garbage(pa.int64(), "123", 0b11111101, np.array([1, 99, 3, 77, 78]).tobytes()))
    text = pa.array(["a", None, "b"])
    same(text, garbage(pa.string(), "123", 0b101, np.array([0, 1, 4, 5], "i4").tobytes(), b"aXXXb"))
    same(text, garbage(pa.string(), "123", 0b101, np.array([3, 4, 4, 5], "i4").tobytes(), b"...ab..."))


def test_a_validity_without_nulls_never_counts():
    same(pa.array([1, 2, 3]), garbage(pa.int64(), "123", 0b111, np.array([1, 2, 3]).tobytes()))


def test_nulls_of_a_struct_hide_its_fields():
    fields = [pa.array([1, 7]), pa.array(["a", "hidden"])]
    hidden = pa.StructArray.from_arrays(fields, names=["x", "y"], mask=pa.array([False, True]))
    same(hidden, pa.array([{"x": 1, "y": "a"}, None], hidden.type))


def test_lists_keep_their_borders():
    check(*(pa.array(rows) for rows in ([[1], [2, 3]], [[1, 2], [3]], [[1, 2, 3], []], [[], [1, 2, 3]])))


def test_dictionaries():
    kind = pa.dictionary(pa.int8(), pa.string())

    def coded(codes, words):
        return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), pa.array(words))

    check(
        coded([0, 1], ["a", "b"]), coded([1, 0], ["b", "a"]), coded([0, 1], ["a", "b", "c"]), coded([0, 1], ["a", "c"])
    )
    whole = pa.chunked_array([coded([0, 1, 1, 0], ["a", "b"])])
    same(whole, pa.chunked_array([coded([0, 1], ["a", "b"]), coded([0, 1], ["b", "a"])], type=kind))


def test_run_ends():
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 5], pa.int32()), pa.array(["a", None]))
    split = pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 5], pa.int32()), pa.array(["a", "a", None]))
    same(runs, split)
    check(runs, pa.RunEndEncodedArray.from_arrays(pa.array([3, 5], pa.int32()), pa.array(["a", None])))


def test_unions():
    def union(codes, numbers, words):
        return pa.UnionArray.from_sparse(pa.array(codes, pa.int8()), [pa.array(numbers), pa.array(words)])

    check(union([0, 1], [1, 2], ["a", "b"]), union([1, 0], [1, 2], ["a", "b"]), union([0, 0], [1, 2], ["a", "b"]))
    same(union([0, 1], [1, 2], ["a", "b"]), union([0, 1], [1, 9], ["z", "b"]))


def test_extension_types():
    check(pa.array([b"0" * 16], pa.uuid()), pa.array([b"1" * 16], pa.uuid()), pa.array([b"0" * 16], pa.binary(16)))


def test_buffers():
    check(pa.py_buffer(b"a"), pa.py_buffer(b"b"), b"a", pa.py_buffer(b""))
    same(pa.py_buffer(b"abc").slice(1, 1), pa.py_buffer(b"b"))
