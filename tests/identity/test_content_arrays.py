"""numpy arrays and scalars."""

import itertools
import math

import numpy as np
import pytest

from nbsteps.core.errors import UndigestibleError
from nbsteps.identity.content import arrays, digest

BASE = np.arange(12, dtype=np.int64).reshape(3, 4)
RECORD = [("a", "i4"), ("b", "f8")]


def check(*values):
    """No two of the values are alike."""
    digests = [digest(value) for value in values]
    for (one, first), (other, second) in itertools.combinations(zip(digests, values, strict=True), 2):
        assert one != other, f"{first!r} and {second!r} digest alike"


def same(*values):
    """All of the values are alike."""
    assert len({digest(value) for value in values}) == 1


def masked(fill_value=None, mask=(True, False)):
    return np.ma.MaskedArray([1, 2], mask=mask, fill_value=fill_value)


def records(rows, dtype=RECORD, **options):
    return np.array(rows, dtype=np.dtype(dtype, **options))


class Tagged(np.ndarray):
    """An array with an attribute."""


def tagged(tag):
    made = np.arange(3).view(Tagged)
    made.tag = tag
    return made


class MyStr(str):
    __slots__ = ()


def objects(*items, shape=None):
    made = np.empty(len(items), dtype=object)
    made[:] = items
    return made if shape is None else made.reshape(shape)


def nan(bits):
    return np.array([bits], dtype="u8").view("f8")


APART = {
    "types": [np.zeros(8, code) for code in "?bhilBHILefdgFDGSUOV" if np.dtype(code).itemsize] + [[0] * 8],
    "byte orders": [np.array([1], "<i4"), np.array([1], ">i4"), np.array([1 << 24], "<i4")],
    "shapes": [BASE, BASE.reshape(4, 3), BASE.reshape(12), BASE.reshape(1, 12), BASE.reshape(12, 1), BASE.T],
    "empty": [np.zeros(0), np.zeros((0, 1)), np.zeros((1, 0)), np.zeros(0, "i4"), np.zeros(()), np.zeros(1)],
    "values": [BASE, BASE + 1, BASE * 1.0, BASE.tolist(), np.float64(1), 1.0, np.float32(1), np.array(1.0)],
    "zeros and nans": [np.array([v]) for v in (0.0, -0.0, math.nan, -math.nan, math.inf)] + [nan(0x7FF8000000000001)],
    "units": [np.array([1], f"M8[{unit}]") for unit in ("s", "ms", "us", "ns", "D", "25s")] + [np.array([1], "m8[s]")],
    "not a time": [np.array(["NaT"], "M8[s]"), np.array(["NaT"], "M8[ns]"), np.array(["NaT"], "m8[s]")],
    "texts": [np.array(["a"]), np.array(["a"], "U2"), np.array([b"a"]), np.array(["a"], object), np.array(["a "])],
    "records": [
        records([(1, 2)]),
        records([(2, 1)]),
        records([(1, 2)], align=True),
        records([(1, 2)], [("a", "i4"), ("c", "f8")]),
        records([(1, 2)], [("b", "i4"), ("a", "f8")]),
        records([(1, 2)], [(("title", "a"), "i4"), ("b", "f8")]),
        records([(1, 2)]).view(np.recarray),
        records([(1, (2, 3))], [("a", "i4"), ("b", "f4", (2,))]),
        records([(1, [])], [("a", "i4"), ("b", object)]),
    ],
    "objects": [
        objects(1, "1"),
        objects("1", 1),
        objects(1, 1),
        objects(1.0, 1),
        objects(True, 1),
        objects([1], [2]),
        objects((1,), [2]),
        objects(None, 1),
        objects(math.nan, 1),
        objects(None, None),
        objects(1, "1", shape=(2, 1)),
    ],
    "long object columns": [
        objects(*["a"] * 50),
        objects(*["a"] * 49, MyStr("a")),
        objects(*["a"] * 49, np.str_("a")),
        objects(*["a"] * 49, b"a"),
        objects(*["a"] * 49, None),
        objects(*["a"] * 49, math.nan),
        objects(*["a"] * 49, np.float64(math.nan)),
        np.array(["a"] * 50),
    ],
    "masks": [
        masked(),
        masked(5),
        masked(mask=(False, False)),
        masked(mask=(False, True)),
        np.array([1, 2]),
        np.ma.MaskedArray([7, 2], mask=(True, False)),
    ],
    "subclasses": [np.arange(3), tagged(1), tagged(2), np.arange(3).reshape(1, 3)],
    "metadata": [
        np.array([1], np.dtype("i8", metadata={"a": 1})),
        np.array([1]),
        np.array([1], np.dtype("i8", metadata={"a": 2})),
    ],
    "scalars": [
        *(np.int64(1), np.int32(1), np.uint8(1), np.bool_(True), True, 1, np.str_("1"), np.bytes_(b"1"), "1"),
        *(np.datetime64(1, "s"), np.datetime64(1, "ms"), np.timedelta64(1, "s"), np.longdouble(1), np.complex64(1)),
        *(records([(1, 2)])[0], records([(1, 3)])[0], np.void(b"1"), np.array(1)),
    ],
    "data types": [*map(np.dtype, ("i4", ">i4", "i8", "f4", "U3", "U4", "M8[s]", RECORD)), "int32"],
    "generators": [
        *(np.random.default_rng(1), np.random.default_rng(2), np.random.Generator(np.random.MT19937(1))),
        *(np.random.RandomState(1), np.random.RandomState(2), np.random.PCG64(1), np.random.SeedSequence(1)),
    ],
}


@pytest.mark.parametrize("values", APART.values(), ids=APART.keys())
def test_tells_apart(values):
    check(*values)
    check(*([value] for value in values))


BIG = np.random.default_rng(0).random((700, 700))

ALIKE = {
    "layouts": [BASE, np.asfortranarray(BASE), np.repeat(BASE, 2, axis=0)[::2], BASE[::-1][::-1], BASE.copy()],
    "layouts of large arrays": [BIG, np.asfortranarray(BIG), np.repeat(BIG, 2, axis=1)[:, ::2], BIG.T.copy().T],
    "read-only": [BASE, np.broadcast_to(BASE, BASE.shape)],
    "repeated by strides": [np.broadcast_to(np.arange(4), (3, 4)), np.array([[0, 1, 2, 3]] * 3)],
    "spellings of a type": [np.zeros(3, "q"), np.zeros(3, "l"), np.zeros(3, "int64")],
    "a mask that was never made": [np.ma.MaskedArray([1]), np.ma.MaskedArray([1], mask=[False])],
    "objects": [objects("a", 1, [2]), np.asfortranarray(objects("a", 1, [2]))],
    "object layouts": [objects(1, "a", 2, "b", shape=(2, 2)), np.asfortranarray(objects(1, "a", 2, "b", shape=(2, 2)))],
    "generators": [np.random.default_rng(7), np.random.default_rng(7)],
    "scalars": [np.float64(1.5), np.array([1.5])[0]],
}


@pytest.mark.parametrize("values", ALIKE.values(), ids=ALIKE.keys())
def test_equal_content_is_alike(values):
    same(*values)


def test_a_generator_that_was_used_differs():
    used = np.random.default_rng(1)
    used.random()
    check(used, np.random.default_rng(1))


def test_padding_of_records_never_counts():
    dtype = np.dtype([("a", "i1"), ("b", "i8")], align=True)
    clean, dirty = np.zeros(3, dtype), np.frombuffer(b"\xff" * 3 * dtype.itemsize, dtype).copy()
    dirty["a"] = dirty["b"] = 0
    same(clean, dirty)
    dirty["b"][2] = 1
    check(clean, dirty)


def test_padding_of_long_doubles_never_counts():
    if np.finfo(np.longdouble).nmant != 63:
        pytest.skip("this machine's long double has no padding")
    clean = np.ones(3, np.longdouble)
    dirty = clean.copy()
    dirty.view(np.uint8).reshape(3, 16)[:, 10:] = 255
    same(clean, dirty)
    check(clean, np.array([1, 1, 2], np.longdouble))
    same(clean.astype(np.clongdouble), dirty.astype(np.clongdouble))


def test_every_place_of_a_strided_array_counts():
    seen = {digest(BIG.T)}
    for row, column in ((0, 0), (699, 699), (350, 1), (1, 350)):
        changed = BIG.copy()
        changed[row, column] += 1
        seen |= {digest(changed.T), digest(np.asfortranarray(changed))}
    assert len(seen) == 1 + 2 * 4


def test_strided_arrays_go_tile_by_tile(monkeypatch):
    whole = digest(np.asfortranarray(BIG))
    for size in (1, 100, 5600, 50_000):
        monkeypatch.setattr(arrays, "_TILE", size)
        assert digest(np.asfortranarray(BIG[:20])) == digest(BIG[:20].copy())
    assert digest(BIG) == whole


def test_a_memory_map_is_its_array(tmp_path):
    np.save(tmp_path / "a.npy", BASE)
    same(BASE, np.load(tmp_path / "a.npy", mmap_mode="r"))


def test_variable_width_strings():
    if not hasattr(np.dtypes, "StringDType"):
        pytest.skip("numpy 2 has them")
    kind = np.dtypes.StringDType
    check(
        np.array(["a", "b"], kind()),
        np.array(["a", "c"], kind()),
        np.array(["a", "b"], kind(na_object=None)),
        np.array(["a", None], kind(na_object=None)),
        np.array(["a", "b"], kind(coerce=False)),
        np.array(["a", "b"]),
    )
    same(np.array(["a", "b" * 50], kind()), np.array(["b" * 50, "a"], kind())[::-1])


def test_a_refusal_names_the_place():
    with pytest.raises(UndigestibleError, match=r"generator at \[1\] has no"):
        digest(objects(1, (number for number in "1")))


def test_an_array_that_holds_itself():
    value = objects(1, 2)
    value[1] = value
    other = objects(1, 2)
    other[1] = other
    same(value, other)
