"""Items of a map in a few words: short, harmless, telling, and without a word of their own."""

from __future__ import annotations

import time
import tracemalloc
from collections import namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsteps.core.mapped import item_name
from nbsteps.engine.maps.words import LONGEST, words

Shop = namedtuple("Shop", "id city")  # noqa: PYI024 - what users have


class Colour(Enum):
    RED = "#f00"


@dataclass
class Login:
    user: str
    password: str
    note: str = field(default="nobody's business", repr=False)


class Hostile:
    """Every method that a description could call."""

    def __repr__(self) -> str:
        raise SystemExit

    __str__ = __repr__

    def __len__(self) -> int:
        raise RuntimeError

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError


class HostileText(str):
    __slots__ = ()

    def __repr__(self) -> str:
        raise SystemExit

    __str__ = __repr__


class Slow:
    def __repr__(self) -> str:
        time.sleep(3600)
        return "late"


def boxed(value: object) -> Any:
    """An array without dimensions that holds an object."""
    box = np.empty((), dtype=object)
    box[()] = value
    return box


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (37, "37"),
        (True, "True"),
        (None, "None"),
        (2.5, "2.5"),
        (10**5000, "int of 16,610 bits"),
        ("2024-03-01.csv", "'2024-03-01.csv'"),
        (b"ab", "b'ab'"),
        ("north", "'north'"),
        (date(2024, 3, 1), "2024-03-01"),
        (datetime(2024, 3, 1, tzinfo=UTC), "2024-03-01 00:00:00+00:00"),
        (Decimal("1.50"), "1.50"),
        (PurePosixPath("data/a.csv"), "'data/a.csv'"),
        (np.int64(4), "4"),
        (pd.Timestamp("2024-03-01"), "2024-03-01 00:00:00"),
        (np.arange(3), "ndarray int64 (3,)"),
        (Colour.RED, "Colour.RED"),
        (("north", 2024), "('north', 2024)"),
        (("north", [1, 2, 3]), "('north', [1, 2, 3])"),
        ([], "[]"),
        (list(range(100)), "list of 100"),
        (Shop(3, "Rome"), "Shop(id=3, city='Rome')"),
        ({"city": "Rome", "population": 3}, "{'city': 'Rome', 'population': 3}"),
        (dict.fromkeys(range(9)), "{0: None, 1: None, 2: None, 3: None, …}"),
        ({"a": {"b": {"c": 1}}}, "{'a': {'b': dict of 1}}"),
        (Login("ana", "hunter2"), "Login(user='ana', password=***)"),
        ({"api_key": "abc"}, "{'api_key': ***}"),
        (Hostile(), "Hostile"),
        ([Hostile()], "[Hostile]"),
        (boxed(Hostile()), "ndarray object ()"),
        (HostileText("x"), "HostileText 'x'"),
        (Slow(), "Slow"),
        ("<script>\x1b[31m\u202e\ud800", r"'<script>\x1b[31m\u202e\ud800'"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_in_a_few_words(value: object, shown: str) -> None:
    assert words(["x"], [value]) == shown


def test_long_texts_keep_both_ends() -> None:
    path = f"/data/{'deep/' * 100}2024-03-01.csv"
    told = words(["path"], [path])
    assert (told[:7], told[-16:], len(told)) == ("'/data/", "/2024-03-01.csv'", LONGEST)
    assert "…" in told
    assert words(["a", "b"], [path, 7]).endswith(".csv', 7")


def test_secrets_are_masked_by_the_names_they_go_by() -> None:
    assert words(["shop", "token"], [3, "abc"]) == "3, ***"
    assert words(["row['password']"], ["hunter2"]) == "***"


@pytest.mark.parametrize("kind", [bytes, str, list, dict])
def test_large_values_are_not_written_out_to_be_cut(kind: type) -> None:
    value = "x" * 10**6 if kind is str else kind(bytes(10**6) if kind is bytes else enumerate(range(10**5)))
    tracemalloc.start()
    try:
        assert len(words(["x"], [value])) <= LONGEST
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), _VALUES, max_size=5))
def test_words_are_short_and_printable(values: dict[str, object]) -> None:
    told = words(list(values), list(values.values()))
    assert len(told) <= LONGEST
    assert told.isprintable()


@pytest.mark.parametrize(
    ("position", "label", "shown"),
    [(37, "'a'", "item 37 ('a')"), (0, "", "item 0"), (None, "", "item 01234567")],
)
def test_an_item_has_a_name(position: int | None, label: str, shown: str) -> None:
    assert item_name(position, label, "0123456789abcdef") == shown
