"""A key identifies parts; the difference of two keys is told in reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nbsteps.core.key import difference, make_key
from nbsteps.core.model import Part, PartKind

TEXTS = st.text(alphabet=st.sampled_from("ab01\0\n\t é\ud800"), max_size=6)
PARTS = st.builds(Part, st.sampled_from(PartKind), TEXTS, TEXTS, TEXTS, st.sampled_from(["", "input", "parameter"]))
BAGS = st.lists(PARTS, max_size=6)


def identity(parts) -> list[tuple[str, ...]]:
    """What should count."""
    return sorted((part.kind, part.name, part.digest) for part in parts)


@given(BAGS, st.randoms())
def test_order_never_counts(parts, random):
    shuffled = list(parts)
    random.shuffle(shuffled)
    assert make_key(shuffled) == make_key(parts)


@given(BAGS, TEXTS, st.sampled_from(["", "input", "constant"]))
def test_details_and_roles_never_count(parts, detail, role):
    assert make_key([replace(part, detail=detail, role=role) for part in parts]) == make_key(parts)


@given(BAGS, BAGS)
def test_keys_are_equal_exactly_where_kinds_names_and_digests_are(one, two):
    assert (make_key(one) == make_key(two)) == (identity(one) == identity(two))


@given(BAGS, st.data())
def test_every_kind_name_and_digest_counts(parts, data):
    assume(parts)
    at = data.draw(st.integers(0, len(parts) - 1))
    part = parts[at]
    changes = {
        "kind": data.draw(st.sampled_from(PartKind)),
        "name": data.draw(TEXTS),
        "digest": data.draw(TEXTS),
    }
    for field, value in changes.items():
        if getattr(part, field) != value:
            other = [*parts[:at], replace(part, **{field: value}), *parts[at + 1 :]]
            assert make_key(other) != make_key(parts)
    assert make_key([*parts, part]) != make_key(parts)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        pytest.param([("ab", "c")], [("a", "bc")], id="name and digest"),
        pytest.param([("a", "b"), ("c", "d")], [("a", "b\nvalue\0001\0c\0001\0d")], id="a digest like another part"),
        pytest.param([("a\0001\0b", "")], [("a", "b")], id="a name like a digest"),
        pytest.param([], [("", "")], id="nothing and an empty part"),
    ],
)
def test_what_is_put_together_differently_differs(one, two):
    first, second = ([Part(PartKind.VALUE, name, digest) for name, digest in parts] for parts in (one, two))
    assert make_key(first) != make_key(second)


def test_a_key_is_the_same_in_every_process():
    parts = [Part(PartKind.CODE, "", "1" * 32), Part(PartKind.VALUE, "raw", "2" * 32)]
    assert make_key(parts) == "7014f1941f78bf88155a0a6271b2d3cc"
    assert make_key([]) == "3b8b5b89366cba864ad67fbac23b381b"


def parts_of(text: str) -> tuple[Part, ...]:
    """``"code=1 value:raw=2:detail"`` as parts; values are inputs, ``parameter:`` and ``constant:`` other values."""
    found = list[Part]()
    for word in text.split():
        head, _, tail = word.partition("=")
        kind, _, name = head.partition(":")
        digest, _, detail = tail.partition(":")
        role = {"value": "input", "parameter": "parameter", "constant": "constant"}.get(kind, "")
        found.append(Part(PartKind.VALUE if role else PartKind(kind), name, digest, detail, role))
    return tuple(found)


@pytest.mark.parametrize(
    ("before", "after", "reasons"),
    [
        ("code=1", "code=1", ""),
        ("code=1", "code=2", "code changed"),
        ("outputs=1", "outputs=2", "outputs changed"),
        ("helper:f=1", "helper:f=2", "helper f changed"),
        ("value:raw=1", "value:raw=2", "input raw changed"),
        ("parameter:date=1", "parameter:date=2", "parameter date changed"),
        ("constant:k=1", "constant:k=2", "constant k changed"),
        ("file:a.csv=1", "file:a.csv=2", "file a.csv changed"),
        ("module:util=1", "module:util=2", "module util changed"),
        ("env:REGION=1", "env:REGION=2", "environment variable REGION changed"),
        ("package:pandas=1:3.0", "package:pandas=2:3.1", "package pandas 3.0 -> 3.1"),
        ("package:pandas=1", "package:pandas=2", "package pandas changed"),
        ("python=1:3.11", "python=2:3.12", "python 3.11 -> 3.12"),
        ("version=1:1", "version=2:2", "version 1 -> 2"),
        ("", "version=2:2", "version none -> 2"),
        ("scheme=1", "scheme=2", "key scheme changed"),
        ("value:a=1 helper:z=1", "value:a=2 helper:z=2", "helper z changed, input a changed"),
        ("code=1 value:b=1 value:a=1", "code=2 value:b=2 value:a=2", "code changed, input a changed, input b changed"),
        ("code=1", "code=2 helper:f=1", "code changed"),
        ("code=1 helper:f=1", "code=1", "helper f changed"),
        ("code=1", "code=1 file:a.csv=1", "file a.csv changed"),
        ("python=1 code=1 value:a=1", "value:a=1 code=1 python=1", ""),
    ],
)
def test_the_difference_of_two_keys_is_told_in_reasons(before, after, reasons):
    assert ", ".join(map(str, difference(parts_of(before), parts_of(after)))) == reasons


@pytest.mark.parametrize(
    ("role", "reason"),
    [
        ("input", "input x changed"),
        ("parameter", "parameter x changed"),
        ("helper", "helper x changed"),
        ("module", "module x changed"),
        ("", "constant x changed"),
        ("constant", "constant x changed"),
    ],
)
def test_a_value_is_called_by_its_role(role, reason):
    before, after = (Part(PartKind.VALUE, "x", digest, role=role) for digest in "12")
    assert ", ".join(map(str, difference([before], [after]))) == reason


def unique(parts):
    return list({(part.kind, part.name): part for part in parts}.values())


@given(BAGS.map(unique), BAGS.map(unique))
def test_keys_that_differ_have_a_reason_and_equal_ones_have_none(one, two):
    assert bool(difference(one, two)) == (make_key(one) != make_key(two))
