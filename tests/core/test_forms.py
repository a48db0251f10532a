"""Forms: what may be filled in, and what the body sees of it."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsteps.core.forms import bound, fill, read_field, show_field


def check(field: str, given: Any, expect: object) -> None:
    """Assert that a field takes a value as ``expect``."""
    form = (read_field(field),)
    filled = fill(form, {form[0].name: given})
    assert filled.messages == {}
    value = filled.values[form[0].name]
    assert value == expect
    assert type(value) is type(expect)
    assert json.loads(json.dumps(value)) == value
    assert fill(form, filled.values) == filled


@pytest.mark.parametrize(
    ("field", "given", "expect"),
    [
        ("a", "text", "text"),
        ("a", " x ", " x "),
        ("a=", "", ""),
        ("a=x", "", ""),
        ("a=x", None, "x"),
        ("a:int", "3", 3),
        ("a:int", " -3 ", -3),
        ("a:int", 3, 3),
        ("a:int", 3.0, 3),
        ("a:int=7", None, 7),
        ("a:float", "0.5", 0.5),
        ("a:float", 2, 2.0),
        ("a:float", "1e3", 1000.0),
        ("a:float=0.5", None, 0.5),
        ("a:bool", True, True),
        ("a:bool", "Yes", True),
        ("a:bool", "on", True),
        ("a:bool", "0", False),
        ("a:bool=no", None, False),
        ("a:date", "2026-01-31", "2026-01-31"),
        ("a:date", date(2026, 1, 31), "2026-01-31"),
        ("a:x|y", "y", "y"),
        ("a:x|y=x", None, "x"),
        ("a:very small|large", "very small", "very small"),
    ],
)
def test_good_values(field: str, given: Any, expect: object) -> None:
    check(field, given, expect)


@pytest.mark.parametrize(
    ("field", "given", "message"),
    [
        ("a", None, "it needs a value"),
        ("a", "", "it needs a value"),
        ("a", 3, "3 is no text"),
        ("a:int", "3.5", "'3.5' is no whole number"),
        ("a:int", 3.5, "3.5 is no whole number"),
        ("a:int", True, "True is no whole number"),
        ("a:int", float("inf"), "inf is no whole number"),
        ("a:int", [3], "[3] is no whole number"),
        ("a:int=1", "", "'' is no whole number"),
        ("a:float", "much", "'much' is no number"),
        ("a:float", "nan", "'nan' is no number"),
        ("a:float", "inf", "'inf' is no number"),
        ("a:float", False, "False is no number"),
        ("a:float", 10**400, "is no number"),
        ("a:bool", "maybe", "'maybe' is no yes or no"),
        ("a:bool", 1, "1 is no yes or no"),
        ("a:date", "31.1.2026", "'31.1.2026' is no date such as 2026-01-31"),
        ("a:date", "2026-02-30", "is no date"),
        ("a:date", datetime(2026, 1, 31), "is no date"),  # noqa: DTZ001 - one with a time is refused, with a zone or not
        ("a:x|y", "z", "'z' is none of x, y"),
        ("a:x|y", "", "'' is none of x, y"),
        ("a:x|y", None, "it needs a value"),
    ],
)
def test_bad_values(field: str, given: Any, message: str) -> None:
    filled = fill((read_field(field),), {"a": given})
    assert filled.values == {}
    assert message in filled.messages["a"]


def test_every_field_is_answered_for_by_itself() -> None:
    form = tuple(map(read_field, ["a:int", "b:float=0.5", "c"]))
    filled = fill(form, {"a": "x", "d": 1})
    assert filled.values == {"b": 0.5}
    assert dict(filled.messages) == {
        "a": "'x' is no whole number",
        "c": "it needs a value",
        "d": "the form has no such field; its fields: a, b, c",
    }
    assert fill((), {"d": 1}).messages == {"d": "the form has no such field; its fields: none"}
    assert fill((), {}) == ({}, {})


def test_the_body_sees_dates() -> None:
    form = tuple(map(read_field, ["on:date", "text", "n:int"]))
    values = fill(form, {"on": "2026-01-31", "text": "2026-01-31", "n": 1}).values
    assert bound(form, values) == {"on": date(2026, 1, 31), "text": "2026-01-31", "n": 1}


@given(st.text(alphabet="ab:=|, 1.int", max_size=12))
def test_what_is_read_is_shown_and_read_again(text: str) -> None:
    try:
        field = read_field(text)
    except ValueError:
        return
    assert read_field(show_field(field)) == field


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


@given(st.sampled_from(["a", "a:int", "a:float=1", "a:bool", "a:date", "a:x|y"]), JSON)
def test_any_value_is_answered(field: str, value: Any) -> None:
    filled = fill((read_field(field),), {"a": value})
    assert bool(filled.values) != bool(filled.messages)
    json.dumps(dict(filled.values), allow_nan=False)
