"""Python's own values: equal content alike, whatever a program could tell apart apart."""

import array
import collections
import datetime as dt
import decimal
import enum
import fractions
import itertools
import math
import pathlib
import struct
import types
import typing
import uuid
import zoneinfo

import pytest

from nbsteps.identity.content import digest

UTC = dt.UTC
PARIS = zoneinfo.ZoneInfo("Europe/Paris")
D = decimal.Decimal
F = fractions.Fraction


class Point(typing.NamedTuple):
    x: object
    y: object


class Pixel(typing.NamedTuple):
    x: object
    y: object


class Colour(enum.Enum):
    RED = 1
    BLUE = 2
    ALSO_BLUE = 2  # noqa: PIE796  an alias is the case


class Shade(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class Flag(enum.Flag):
    A = 1
    B = 2


class MyInt(int):
    pass


class MyStr(str):
    __slots__ = ()


class MyFloat(float):
    pass


class MyList(list):
    pass


class MyDict(dict):
    pass


class MyTuple(tuple):
    __slots__ = ()


class MySet(set):
    pass


class MyFrozen(frozenset):
    __slots__ = ()


class MyBytes(bytes):
    pass


def check(*values):
    """No two of the values are alike."""
    digests = [digest(value) for value in values]
    for (one, first), (other, second) in itertools.combinations(zip(digests, values, strict=True), 2):
        assert one != other, f"{first!r} and {second!r} digest alike"


def same(*values):
    """All of the values are alike."""
    assert len({digest(value) for value in values}) == 1


def nan(bits):
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


APART = {
    "one of each type": (1, 1.0, True, "1", b"1", bytearray(b"1"), memoryview(b"1"), 1 + 0j, D(1), F(1), [1], (1,)),
    "nothing": (None, 0, 0.0, False, "", b"", (), [], {}, set(), frozenset(), ..., NotImplemented, range(0)),
    "integers": (0, -1, 1, 2**63, 2**64, -(2**64), 10**5000, 10**5000 + 1),
    "floats": (0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, nan(0x7FF8000000000001), -math.nan),
    "complex": (0j, complex(-0.0, 0), complex(0, -0.0), 1j, complex(math.nan, 0), complex(0, math.nan)),
    "text": ("a", "A", "a\0", "\0a", "ä", "a\u0308", "\ud83d\ude00", "😀", "\ud83d", "x" * 5000, "x" * 5001),
    "bytes": (b"a" * 5000, b"a" * 5001, b"a" * 4999 + b"b", bytearray(b"a" * 5000)),
    "decimals": (D("1"), D("1.0"), D("1E+2"), D("100"), D("-0"), D("0"), D("NaN"), D("sNaN"), D("NaN1"), D("Inf")),
    "fractions": (F(1, 2), F(1, 3), F(12, 3), F(1, 23)),
    "ranges": (range(3), range(0, 3, 2), range(1, 3), range(-1), range(10**30)),
    "slices": (slice(1), slice(1, None), slice(None, 1, 1), slice("a"), slice([1])),
    "dates": (dt.date(2020, 1, 1), dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, tzinfo=UTC), "2020-01-01"),  # noqa: DTZ001  naive is a case
    "zones": tuple(
        dt.datetime(2020, 1, 1, tzinfo=zone)
        for zone in (None, UTC, PARIS, zoneinfo.ZoneInfo("UTC"), dt.timezone(dt.timedelta(0), "U"))
    ),
    "folds": (
        dt.datetime(2020, 10, 25, 2, tzinfo=PARIS),
        dt.datetime(2020, 10, 25, 2, tzinfo=PARIS, fold=1),
        dt.time(2, fold=1),
        dt.time(2),
        dt.time(2, tzinfo=UTC),
    ),
    "durations": (dt.timedelta(1), dt.timedelta(seconds=1), dt.timedelta(microseconds=1), dt.timedelta(-1)),
    "paths": (pathlib.Path("a"), pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("a"), "a", pathlib.Path("a/b")),
    "ids": (uuid.UUID(int=1), uuid.UUID(int=2), 1),
    "enums": (Colour.RED, Colour.BLUE, Shade.RED, Level.LOW, 1, Flag.A, Flag.B, Flag.A | Flag.B, Flag(0)),
    "subclasses of int": (1, MyInt(1), MyInt(2), True),
    "subclasses of others": ("a", MyStr("a"), b"a", MyBytes(b"a"), 1.0, MyFloat(1)),
    "subclasses of containers": ([1], MyList([1]), (1,), MyTuple((1,)), {1}, MySet({1}), frozenset({1}), MyFrozen({1})),
    "kinds of dict": (
        {"a": 1},
        MyDict(a=1),
        collections.OrderedDict(a=1),
        collections.Counter(a=1),
        collections.defaultdict(int, a=1),
        collections.defaultdict(list, a=1),
        types.MappingProxyType({"a": 1}),
        types.SimpleNamespace(a=1),
    ),
    "named tuples": (Point(1, 2), Pixel(1, 2), (1, 2), Point(2, 1)),
    "deques": (collections.deque([1]), collections.deque([1], 5), collections.deque([1], 6), [1]),
    "machine arrays": (
        array.array("b", [1]),
        array.array("B", [1]),
        array.array("q", [1]),
        array.array("b"),
        array.array("d", [1]),
    ),
    "views": (memoryview(b"12"), memoryview(b"12").cast("c"), memoryview(b"1234").cast("B", (2, 2)), b"12"),
    "order of a dict": ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2, "b": 1}),
    "sides of a dict": ({"a": "b"}, {"b": "a"}, {"a": None, "b": None}, {("a",): ("b",)}),
    "lengths": ([], [[]], [[], []], [[[]]], [()], ((),), ["", ""], ["ab", ""], ["a", "b"], ["", "ab"]),
    "nesting": ([1, [2, 3]], [[1, 2], 3], [1, 2, 3], [1, [2], 3], [1, (2, 3)], [1, {2, 3}], [[1], [2, 3]]),
    "sets": ({1}, {1, 2}, {"1"}, {1.0, 2}, {(1, 2)}, {(2, 1)}, {frozenset({1, 2})}, {None}, {True, 2}),
    "code in the library": (
        int,
        float,
        len,
        math.sin,
        str.lower,
        dict.fromkeys,
        math,
        [].append,
        [1].append,
        list[int],
    ),
}


@pytest.mark.parametrize("values", APART.values(), ids=APART.keys())
def test_tells_apart(values):
    check(*values)
    check(*([value] for value in values))
    check(*({"key": value} for value in values))
    check(*([*range(20), value] for value in values))
    check(*([value] * 20 for value in values))


ALIKE = {
    "integers": lambda: 10**5000,
    "nan": lambda: float("nan"),
    "text": lambda: "".join(["a", "b" * 6000]),
    "surrogates": lambda: "\ud83d",
    "zones": lambda: dt.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo.no_cache("Europe/Paris")),
    "a fixed offset": lambda: dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))),
    "sets": lambda: {str(number) for number in range(100)},
    "mixed sets": lambda: {1, "1", (1, "1"), None, frozenset({"a", "b"}), 2.5},
    "namespaces": lambda: types.SimpleNamespace(a=[1], b={2}),
    "named tuples": lambda: Point([1], {2}),
    "deques": lambda: collections.deque([1, [2]], 5),
    "default dicts": lambda: collections.defaultdict(list, {"a": [1]}),
    "enums": lambda: Colour(2),
    "compiled patterns": lambda: __import__("re").compile("a+", 2),
}


@pytest.mark.parametrize("make", ALIKE.values(), ids=ALIKE.keys())
def test_equal_content_is_alike(make):
    same(make(), make())
    same([make()] * 3, [make(), make(), make()])


def test_aliases_of_an_enum_member_are_the_member():
    same(Colour.BLUE, Colour.ALSO_BLUE)


def test_order_of_a_set_never_counts():
    forward, backward = set(), set()
    for number in range(0, 8000, 8):
        forward.add(("x", number))
    for number in reversed(range(0, 8000, 8)):
        backward.add(("x", number))
    same(forward, backward)
    same(MySet(forward), MySet(backward))


def test_order_of_attributes_never_counts():
    same(types.SimpleNamespace(a=1, b=2), types.SimpleNamespace(b=2, a=1))


def test_aliasing_never_counts():
    shared = [1, [2]]
    same([shared, shared], [[1, [2]], [1, [2]]])


def test_interned_and_built_strings_are_alike():
    same(["ab", "ab"], ["a" + "xb"[1:], "xab"[1:]])


def test_a_slice_of_a_buffer_is_its_content():
    same(memoryview(b"abc"), memoryview(b"xabcx")[1:-1])
    same(memoryview(b"ac"), memoryview(b"abcd")[::2])


def test_context_of_decimals_never_counts():
    with decimal.localcontext() as context:
        context.capitals = 0
        small = digest(D("1E+50"))
    assert digest(D("1E+50")) == small


LONG = {
    "integers": list(range(100)),
    "large integers": [2**70 + number for number in range(100)],
    "floats": [number / 3 for number in range(100)],
    "text": [str(number) for number in range(100)],
    "booleans": [number % 3 == 0 for number in range(100)],
    "mixed": [None, 1, "1", 1.0, True, b"1", D(1), dt.date(2020, 1, 1), 2**70, float("nan")] * 10,
    "with a container": [*range(100), [1]],
    "surrogates": ["\ud83d", "\ude00"] * 50,
}


@pytest.mark.parametrize("values", LONG.values(), ids=LONG.keys())
def test_every_place_of_a_long_sequence_counts(values):
    seen = {digest(values), digest(tuple(values)), digest(values[:-1]), digest(dict(enumerate(values)))}
    for place in (0, 1, 50, len(values) - 1):
        for other in ("other", 7.25, -7, None if values[place] is not None else 0, MyInt(1), [2]):
            changed = list(values)
            changed[place] = other
            seen.add(digest(changed))
    assert len(seen) == 4 + 4 * 6


def test_text_cannot_move_between_neighbours():
    check(["ab"] * 10 + ["c"] * 10, ["a"] * 10 + ["bc"] * 10, ["abc"] + [""] * 19)


def test_types_cannot_trade_places_in_a_long_sequence():
    check(["1", 1] * 10, [1, "1"] * 10, ["1", 1] * 9 + [1, "1"], [1, True] * 10, [True, 1] * 10, [1.0, 1] * 10)


def test_subclasses_do_not_hide_in_a_long_sequence():
    texts = ["a"] * 50
    check(texts, [*texts[:-1], MyStr("a")], [texts[0], MyStr("a"), *texts[2:]], [MyStr("a")] * 50)


def test_digest_is_32_hexadecimal_digits():
    assert len(digest([1])) == 32
    assert int(digest([1]), 16) > 0
