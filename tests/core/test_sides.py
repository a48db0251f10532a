"""Every reason that something changed shows an old and a new side; the others say why they have none."""

from __future__ import annotations

import json

import pytest

from nbsteps.core.decide import Facts, decide
from nbsteps.core.key import change
from nbsteps.core.model import Artifact, CacheMode, Part, PartKind, Result, StepOptions
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.core.sides import moment

SOURCES = ("def f():\n    return 1", "def f():\n    return 2")
FILES = tuple(json.dumps({"size": size, "mtime_ns": 10**9 * size}) for size in (1200, 1300))
FOLDERS = tuple(json.dumps({"own": [], "count": len(names), "names": names}) for names in (["a"], ["a", "b"]))
LOOKS = tuple(json.dumps({"look": True, "text": text}) for text in ("nothing there", "12 B"))
PARTS = {
    ReasonKind.CODE: (PartKind.CODE, "", ("x = 1", "x = 2")),
    ReasonKind.MAP: (PartKind.MAP, "", ("i=a", "i=b")),
    ReasonKind.OUTPUTS: (PartKind.OUTPUTS, "", ("a", "a b")),
    ReasonKind.HELPER: (PartKind.HELPER, "", SOURCES),
    ReasonKind.INPUT: (PartKind.VALUE, "input", ("int 1", "int 2")),
    ReasonKind.PARAMETER: (PartKind.VALUE, "parameter", ("str 'a'", "str 'b'")),
    ReasonKind.FORM: (PartKind.VALUE, "form", ("int 1", "int 2")),
    ReasonKind.ERROR: (PartKind.VALUE, "error", ("str 'a'", "str 'b'")),
    ReasonKind.CONSTANT: (PartKind.VALUE, "constant", ("int 1", "float 1.0")),
    ReasonKind.FILE: (PartKind.FILE, "", ("missing", "unreadable")),
    ReasonKind.MODULE: (PartKind.MODULE, "", ("0123", "4567")),
    ReasonKind.PACKAGE: (PartKind.PACKAGE, "", ("2.2", "2.3")),
    ReasonKind.ENV: (PartKind.ENV, "", ("set", "not set")),
    ReasonKind.ENVIRONMENT: (PartKind.ENV, "environment", ("", "")),
    ReasonKind.SETTING: (PartKind.VALUE, "setting", ("prec=5", "prec=6")),
    ReasonKind.RANDOM: (PartKind.ENV, "random", ("not seeded", "seeded")),
    ReasonKind.PLACE: (PartKind.FILE, "place", ("one", "two")),
    ReasonKind.STATE: (PartKind.ENV, "state", ("", "")),
    ReasonKind.VERSION: (PartKind.VERSION, "", ("1", "2")),
    ReasonKind.PYTHON: (PartKind.PYTHON, "", ("3.11", "3.12")),
    ReasonKind.SCHEME: (PartKind.SCHEME, "", ("1", "2")),
}
DECIDED = {
    ReasonKind.EXPIRED: (f"computed {moment(0)}", f"expired {moment(60)}"),
    ReasonKind.OTHER_RUN: ("run old", "run new"),
    ReasonKind.RESULT_MISSING: ("x", ""),
}
WITHOUT = {
    ReasonKind.EDITED: "its sides are the texts of the cell, which is no part of a key yet",
    ReasonKind.FORCED: "the user said so",
    ReasonKind.CACHE_OFF: "the option says so",
    ReasonKind.UNCACHEABLE: "its name says what is wrong, a mend stands below it",
    ReasonKind.NEVER_RAN: "there is no old side",
    ReasonKind.FAILED_LAST_TIME: "the history has the error",
    ReasonKind.CANCELLED_LAST_TIME: "a person did it",
    ReasonKind.CRASHED_LAST_TIME: "its process is gone",
    ReasonKind.ITEMS: "it counts items",
    ReasonKind.UPSTREAM: "what it waits for is not known yet",
    ReasonKind.CONDITION: "what it waits for is not known yet",
    ReasonKind.DEPENDS: "what it waits for is not known yet",
    ReasonKind.APPROVAL: "what it waits for is not known yet",
    ReasonKind.SKIPPED: "its name says why",
    ReasonKind.BLOCKED: "its name says why",
}


def reason(kind: ReasonKind, first: str, second: str) -> Reason:
    """The reason for a part of this kind whose details were ``first`` and are ``second``."""
    part, name, _ = PARTS[kind]
    role = name or ("" if part is not PartKind.VALUE else "constant")
    old, new = (Part(part, "x", digest * 32, detail, role) for digest, detail in (("a", first), ("b", second)))
    return change(old, new)


def test_every_kind_is_here() -> None:
    assert set(PARTS) | set(DECIDED) | set(WITHOUT) == set(ReasonKind)


@pytest.mark.parametrize("kind", PARTS)
def test_both_sides_of_what_changed(kind: ReasonKind) -> None:
    first, second = PARTS[kind][2]
    found = reason(kind, first, second)
    assert found.kind is kind
    expect = (first, second) if first else ("content aaaaaaaa", "content bbbbbbbb")
    assert (found.before, found.after) == expect
    assert found.inline == (kind in {ReasonKind.PACKAGE, ReasonKind.PYTHON, ReasonKind.VERSION})


@pytest.mark.parametrize("kind", PARTS)
def test_sides_that_read_the_same_are_told_apart_by_their_digests(kind: ReasonKind) -> None:
    found = reason(kind, "same", "same")
    assert found.before != found.after
    assert found.before.startswith("same")
    assert "aaaaaaaa" in found.before
    assert "bbbbbbbb" in found.after
    assert not found.inline


@pytest.mark.parametrize(
    ("details", "expect"),
    [
        (FILES, (f"1,200 B of {moment(1200)}", f"1,300 B of {moment(1300)}")),
        (FOLDERS, ("1 entries: a", "2 entries: a, b")),
        (LOOKS, ("nothing there", "12 B")),
        (("missing", FILES[0]), ("missing", f"1,200 B of {moment(1200)}")),
        (("12", "{}"), ("12", "")),
    ],
)
def test_sides_of_files(details: tuple[str, str], expect: tuple[str, str]) -> None:
    found = reason(ReasonKind.FILE, *details)
    assert (found.before, found.after) == expect


def test_a_long_folder_names_a_few() -> None:
    told = json.dumps({"own": [], "count": 30, "names": ["a", "b"]})
    assert reason(ReasonKind.FILE, told, "missing").before == "30 entries: a, b, ..."


def test_what_came_or_went_has_one_side() -> None:
    part = Part(PartKind.FILE, "a", "a" * 32, "missing")
    assert (change(None, part).before, change(None, part).after) == ("", "missing")
    assert (change(part, None).before, change(part, None).after) == ("missing", "")


def test_a_side_is_not_kept_whole_where_it_is_long() -> None:
    assert len(reason(ReasonKind.HELPER, "x" * 10**6, "y" * 10**6).before) == 10_000


@pytest.mark.parametrize("kind", DECIDED)
def test_both_sides_of_what_was_decided(kind: ReasonKind) -> None:
    artifact = Artifact("d", "int", "plain", 1, "inline", "c")
    result = Result("k", "s", "nb", "step", "old", {"x": artifact}, ())
    options = {
        ReasonKind.EXPIRED: StepOptions(ttl=60.0),
        ReasonKind.OTHER_RUN: StepOptions(cache=CacheMode.RUN),
        ReasonKind.RESULT_MISSING: StepOptions(),
    }
    missing = frozenset({"d"} if kind is ReasonKind.RESULT_MISSING else ())
    facts = Facts(options[kind], (), candidates=(result,), now=100.0, run_id="new", missing=missing)
    (found,) = decide(facts).reasons
    assert (found.kind, found.before, found.after) == (kind, *DECIDED[kind])


def test_times_that_no_clock_shows() -> None:
    assert moment(1e30) == "an unknown time"
