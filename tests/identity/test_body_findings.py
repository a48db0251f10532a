"""What identity found out about a body is the same in another process, which does not parse it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import nbsteps
from nbsteps.core import findings
from nbsteps.identity import codeobjects, modules, trees

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


@pytest.mark.parametrize(
    "source",
    [
        b"import a.b\nfrom . import c\nx = 1\n",
        b"# -*- coding: latin-1 -*-\nname = '\xe9'\nimport importlib\nimportlib.import_module('pkg.sub')\n",
        "\ufeffname = 'caf\u00e9'\n".encode(),
    ],
)
def test_another_process_need_not_parse_a_module(
    tmp_path: Path, source: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "helpers.py"
    file.write_bytes(source)
    here = modules._scan(str(file))
    kept = findings.take()
    assert len(kept) == 1
    _forget()
    findings.give(kept)
    monkeypatch.setattr(modules, "module_digest", None)
    assert modules._scan(str(file)) == here
    file.write_bytes(source + b"y = 2\n")
    monkeypatch.undo()
    assert modules._scan(str(file)).digest != here.digest


def test_a_module_that_does_not_parse_counts_by_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "helpers.py"
    digests = set()
    for source in (b"import = 1", b"import = 2", b"\xff\xfe", b"x = '\xe9'"):
        file.write_bytes(source)
        digests.add(modules._scan(str(file)).digest)
    assert len(digests) == 4
    assert not findings.take()
