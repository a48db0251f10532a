"""What was found out about a text is the same in another process, and never more than the text says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbsteps
from nbsteps.core import cells, findings, names
from nbsteps.core.model import Cell

SOURCES = tuple(path.read_text("utf-8") for path in sorted(Path(nbsteps.__file__).parent.glob("*/*.py")))
BODIES = (
    "",
    "b = a + 1",
    "a = 'caf\\u00e9 \\ud800'",
    "import os.path as p, sys\nfrom . import x as y\nfrom m import *",
    "def f(q):\n    return g(q) + h\nalias = f\nz = [f(i) for i in range(3)]",
    "for x in xs:\n    total = x\nprint(total)",
    "t['k'] = 1\nu.v.append(2)\n(lambda: w.pop())()",
    "%time q = r\n!ls $s\nglobals()['t' + u]",
    "await fetch(url)\ndel gone",
    "df.query('size > @least')\nspark.sql('select * from orders')",
)


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    elsewhere({})
    yield
    elsewhere({})


def found(text: str) -> tuple[object, object]:
    understood, problems = cells.understand(Cell("cell 1", text), 0)
    assert isinstance(understood, cells.Context)
    seen = (understood.names, understood.touched, understood.shapes, understood.needs)
    return seen, problems


def elsewhere(kept: dict[str, str]) -> None:
    """Go on as another process that was given these findings."""
    findings.forget()
    cells.understand.cache_clear()
    findings.give(kept)


@pytest.mark.parametrize("text", [*BODIES, *SOURCES])
def test_another_process_need_not_parse(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = found(text)
    kept = findings.take()
    elsewhere(kept)
    for module in (names, cells):
        monkeypatch.setattr(module, "parse", None)
    assert found(text) == here
    assert not findings.take(), "nothing was found out"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(BODIES), min_size=1, max_size=4).map("\n".join), st.data())
def test_findings_say_what_the_text_says(text: str, data: st.DataObject) -> None:
    """Also where another process knew only some of them."""
    elsewhere({})
    here = found(text)
    kept = {digest: json.loads(line) for digest, line in findings.take().items()}
    left = {
        digest: json.dumps({name: known[name] for name in data.draw(st.lists(st.sampled_from(sorted(known))))})
        for digest, known in kept.items()
        if known
    }
    elsewhere(left)
    assert found(text) == here


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "3", '{"names.analyse":3}', '{"names.analyse":[[], 3]}', '{"other":1}']
)
def test_what_is_no_finding_is_found_out_again(line: str) -> None:
    names.analyse("b = a")
    (digest,) = findings.take()
    elsewhere({digest: line})
    assert names.analyse("b = a").reads == {"a"}


def test_what_does_not_parse_is_not_remembered() -> None:
    for _ in range(2):
        with pytest.raises(SyntaxError):
            names.analyse("b = = a")
    assert not findings.take()


def test_each_finding_is_handed_out_once() -> None:
    names.analyse("b = a")
    assert len(findings.take()) == 1
    names.analyse("b = a")
    assert not findings.take()
    names.analyse("c = b")
    assert len(findings.take()) == 1


def test_what_is_found_out_later_comes_with_what_was_known() -> None:
    names.analyse("b.append(a)")
    elsewhere(findings.take())
    found("b.append(a)")
    (line,) = findings.take().values()
    assert json.loads(line).keys() == {"names.analyse", "cells.at_once"}


def test_more_texts_than_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "_LIMIT", 3)
    for number in range(8):
        assert names.analyse(f"b = a{number}").reads == {f"a{number}"}
    assert 0 < len(findings.take()) <= 3
