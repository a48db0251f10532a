"""A few words on a value, for people."""

import datetime as dt
import threading
from collections.abc import Sized
from enum import Enum
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from nbsteps.identity.content import summary
from nbsteps.identity.descriptions import described

SECRET = "hunter2" * 20


class Rude:
    def __repr__(self):
        pytest.fail("a user's __repr__ was called")

    __str__ = __repr__


class RudeText(str):
    __slots__ = ()

    def __repr__(self):
        pytest.fail("a user's __repr__ was called")

    __str__ = __repr__


class Bad:
    @property
    def shape(self):
        raise RuntimeError

    def __len__(self):
        raise RuntimeError


CASES = [
    (10, "int 10"),
    (1.5, "float 1.5"),
    (True, "bool True"),
    (None, "None"),
    (10**100, "int of 333 bits"),
    (10**10_000, "int of 33,220 bits"),
    ("abc", "str 'abc'"),
    ("a\nb", r"str 'a\nb'"),
    (b"abc", "bytes b'abc'"),
    (bytearray(b"abc"), "bytearray b'abc'"),
    (RudeText("abc"), "RudeText 'abc'"),
    ("x" * 41, "str '" + "x" * 40 + "…'"),
    ([1, 2, 3], "list of 3"),
    ((), "tuple of 0"),
    ({"a": Rude()}, "dict of 1"),
    ({1, 2}, "set of 2"),
    (range(10**6), "range of 1,000,000"),
    (Rude(), "Rude"),
    (Bad(), "Bad"),
    (Rude, "class Rude"),
    (len, "builtin_function_or_method len"),
    (threading.Lock(), "lock"),
    (dt.date(2020, 1, 2), "date 2020-01-02"),
    (np.zeros((3, 4)), "ndarray float64 (3, 4)"),
    (np.float64(1.5), "float64 1.5"),
    (pd.DataFrame({"a": range(1234), "b": 1}), "DataFrame 1,234 x 2"),
    (pd.Series([1]), "Series int64 (1,)"),
    (pd.Index([1]), "Index int64 (1,)"),
    (pl.DataFrame({"a": [1]}), "DataFrame 1 x 1"),
    (pl.Series([1]), "Series Int64 (1,)"),
    (pa.table({"a": [1, 2]}), "Table 2 x 1"),
    (pa.array([1, 2]), "Int64Array of 2"),
]


@pytest.mark.parametrize(("value", "expected"), CASES, ids=[expected for _value, expected in CASES])
def test_says_what_it_is(value, expected):
    assert summary(value) == expected


@pytest.mark.parametrize("make", [str, str.encode, list, lambda text: np.array([text]), lambda text: pd.Index([text])])
def test_long_secrets_do_not_leak(make):
    told = summary(make(SECRET))
    assert len(told) <= 80
    assert SECRET[:42] not in told


@pytest.mark.parametrize("value", [np.str_(SECRET), np.bytes_(SECRET.encode()), np.datetime64("2020"), "\ud83d" * 100])
def test_is_never_long(value):
    assert len(summary(value)) <= 80
    summary(value).encode()


def test_a_category_of_many_is_short():
    assert len(summary(pd.Series(pd.Categorical([str(n) * 20 for n in range(50)])))) <= 80


def test_a_type_with_a_long_name_is_cut():
    assert len(summary(type("T" * 200, (), {})())) == 80


def test_a_summary_leaves_the_class_of_its_value_as_it_is():
    @runtime_checkable
    class Counted(Sized, Protocol):
        """One of these in any library is asked wherever ``isinstance(value, Sized)`` is."""

        size: int

    class Colour(Enum):
        RED = 1

    before = set(vars(Colour))
    assert summary(Colour.RED) == "Colour"
    assert set(vars(Colour)) == before
    assert described(Colour)
    assert set(vars(Colour)) == before
