"""Builtins as JSON: exact for whatever hypothesis thinks of, or refused."""

from __future__ import annotations

import datetime as dt
import json
import struct
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsteps.store import plain

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(width=64)
    | st.complex_numbers()
    | st.text(st.characters(codec="utf-8"))
    | st.binary()
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.timedeltas()
    | st.decimals()
    | st.fractions()
    | st.integers(-(2**63), 2**63 - 1).map(np.int64)
    | st.floats(width=32).map(np.float32)
)
KEYS = ATOMS.filter(lambda key: not isinstance(key, Decimal) or not key.is_snan())
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text(st.characters(codec="utf-8")) | st.just("$") | KEYS, inner)
        | st.frozensets(KEYS)
        | st.sets(KEYS)
    ),
    max_leaves=20,
)


def same(left: Any, right: Any) -> bool:
    """Equal in every way a program could tell, NaN and signs of zero included."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items()))
    if isinstance(left, set | frozenset):
        return sorted(map(repr, left)) == sorted(map(repr, right))
    return bits(left) == bits(right)


def bits(atom: Any) -> object:
    """What makes an atom what it is."""
    if isinstance(atom, np.generic):
        return atom.tobytes()
    return struct.pack("<d", atom) if isinstance(atom, float) else repr(atom)


@given(VALUES)
def test_what_is_taken_comes_back_exactly(value: object) -> None:
    text = plain.dump(value)
    if text is not None:
        assert same(plain.load(text), value)
        json.loads(text)


@given(st.recursive(ATOMS, lambda inner: st.lists(inner) | st.lists(inner).map(tuple), max_leaves=20))
def test_lists_and_tuples_are_taken(value: object) -> None:
    assert plain.dump(value) is not None or "fold=1" in repr(value)


class _Text(str):
    __slots__ = ()


class _Number(int):
    pass


def _cyclic() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def _shared() -> list[Any]:
    inner: list[int] = []
    return [inner, inner]


@pytest.mark.parametrize(
    "value",
    [
        _Text("a"),
        _Number(1),
        [_Number(1)],
        {_Text("a"): 1},
        _cyclic(),
        _shared(),
        {"a": [{1: "\ud800"}]},
        list(range(plain.MAX_NODES + 1)),
        tuple(range(plain.MAX_NODES + 1)),
        [b"x" * 2_000_000],
        range(2**5000),
        [bytearray(b"a")] * 2,
        [{1}] * 2,
        dt.datetime(2026, 10, 25, 2, 30, fold=1),  # noqa: DTZ001 (naive on purpose)
        dt.datetime.now(dt.UTC),
        object(),
        np.arange(3),
        np.longdouble(1),
        np.void(b"ab"),
    ],
    ids=lambda value: repr(value)[:30].partition(" object at")[0],
)
def test_what_would_not_come_back_is_refused(value: object) -> None:
    assert plain.dump(value) is None


@pytest.mark.parametrize("value", [[()] * 2, [(1, 2)] * 3, ["a"] * 3, [b"x"] * 2, [frozenset({1})] * 2])
def test_sharing_what_cannot_change_does_not_matter(value: object) -> None:
    text = plain.dump(value)
    assert text is not None
    assert plain.load(text) == value


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b'{"$":"os.system","v":"true"}', b'{"$":"numpy","v":["O","00"]}', b'{"$":["list"],"v":1}', b"\xff"],
)
def test_what_was_not_written_here_is_an_error(text: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        plain.load(text)
