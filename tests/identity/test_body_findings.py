"""What identity found out about a body is the same in another process, which does not parse it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import nbsteps
from nbsteps.core import findings
from nbsteps.identity import codeobjects, trees

SOURCES = tuple(path.read_text("utf-8") for path in sorted(Path(nbsteps.__file__).parent.glob("*/*.py")))
BODIES = (
    "b = a + 1",
    "b = a % 2\nimport os.path as p\nfrom .near import far, further",
    "%time q = r.s.t\n!ls $s\nx = globals()['frame_' + u]",
    "%%bash\necho $HOME",
    "import importlib\nm = importlib.import_module('pkg.sub')",
    "df.query('size > @least').at('now', zone.localtime())",
    "b = a;",
    "'''a docstring'''\nb = 1.0, -0.0, 1j, b'x', ..., True, 1",
)


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    _forget()
    yield
    _forget()


def _forget() -> None:
    findings.forget()
    codeobjects.body_facts.cache_clear()


def found(body: str) -> tuple[object, ...]:
    return trees.body_digest(body), codeobjects.body_facts(body), codeobjects.magics_of(body)


@pytest.mark.parametrize("body", [*BODIES, *SOURCES])
def test_another_process_need_not_parse(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = found(body)
    kept = findings.take()
    _forget()
    findings.give(kept)
    for module in (trees, codeobjects):
        monkeypatch.setattr(module, "parse", None)
    assert found(body) == here
    assert not findings.take(), "nothing was found out"


def test_a_body_that_does_not_parse_is_digested_as_text_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    body = "b = import a.c % 2"
    here = found(body)
    assert not findings.take()
    monkeypatch.setattr(trees, "parse", lambda _text: ast.parse("b = 1"))
    assert trees.body_digest(body) != here[0], "a parser that takes it finds out what it says"
