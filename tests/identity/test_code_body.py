"""Bodies: what counts in the text of a step, and what never does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from nbsteps.core.model import PartKind
from nbsteps.identity.code import body_part
from nbsteps.identity.trees import body_digest

SAME = {
    "comment": ("a = 1", "a = 1  # one"),
    "comment line": ("a = 1\nb = 2", "a = 1\n# two\nb = 2"),
    "blank lines": ("a = 1\nb = 2", "\n\na = 1\n\n\nb = 2\n"),
    "spaces": ("a = f(1,2)", "a = f( 1, 2 )"),
    "line breaks": ("a = f(1, 2)", "a = f(\n    1,\n    2,\n)"),
    "parentheses": ("a = 1 + 2", "a = (1 + 2)"),
    "quotes": ("a = 'x'", 'a = "x"'),
    "implicit concatenation": ("a = 'xy'", "a = 'x' 'y'"),
    "escapes": ("a = 'x'", "a = '\\x78'"),
    "hexadecimal": ("a = 255", "a = 0xFF"),
    "underscores": ("a = 1000", "a = 1_000"),
    "exponent": ("a = 100.0", "a = 1e2"),
    "u prefix": ("a = 'x'", "a = u'x'"),
    "type comment": ("a = []", "a = []  # type: list[int]"),
    "function docstring added": ("def f():\n    return 1", "def f():\n    'doc'\n    return 1"),
    "function docstring changed": ("def f():\n    'a'\n    return 1", "def f():\n    'b'\n    return 1"),
    "async docstring": ("async def f():\n    return 1", "async def f():\n    'doc'\n    return 1"),
    "class docstring": ("class C:\n    x = 1", "class C:\n    'doc'\n    x = 1"),
    "nested docstring": (
        "class C:\n    def f(s): return 1",
        "class C:\n    def f(s):\n        'doc'\n        return 1",
    ),
    "module docstring": ("a = 1", "'doc'\na = 1"),
    "semicolon between": ("a = 1; b = 2", "a = 1\nb = 2"),
    "semicolon after an assignment": ("a = 1", "a = 1;"),
    "indent width": ("if x:\n  a = 1", "if x:\n        a = 1"),
    "elif as nested if": ("if x:\n  a=1\nelif y:\n  a=2", "if x:\n  a=1\nelse:\n  if y:\n    a=2"),
    "comment in magic-free cell with CRLF": ("a = 1\nb = 2", "a = 1\r\nb = 2\r\n"),
}
CHANGED = {
    "int to float": ("a = 1", "a = 1.0"),
    "int to bool": ("a = 1", "a = True"),
    "int to text": ("a = 1", "a = '1'"),
    "text to bytes": ("a = 'x'", "a = b'x'"),
    "zero to minus zero": ("a = 0.0", "a = -0.0"),
    "int to complex": ("a = 1", "a = 1j"),
    "None to Ellipsis": ("a = None", "a = ..."),
    "name": ("a = b", "a = c"),
    "order of statements": ("a = 1\nb = 2", "b = 2\na = 1"),
    "operator": ("a = b + c", "a = b - c"),
    "operands": ("a = b - c", "a = c - b"),
    "keyword argument": ("f(x=1)", "f(y=1)"),
    "keyword to double star": ("f(x=d)", "f(**d)"),
    "text that is no docstring": ("a = 'x'", "a = 'y'"),
    "string statement below": ("a = 1\n'x'", "a = 1\n'y'"),
    "text that the cell shows": ("'x'", "'y'"),
    "f-string text": ("a = f'{x} b'", "a = f'{x} c'"),
    "f-string conversion": ("a = f'{x!r}'", "a = f'{x!s}'"),
    "f-string format": ("a = f'{x:.2f}'", "a = f'{x:.3f}'"),
    "f-string to text": ("a = f'{x}'", "a = '{x}'"),
    "list to tuple": ("a = [1, 2]", "a = (1, 2)"),
    "set to dict": ("a = {1}", "a = {1: 1}"),
    "nesting of lists": ("a = [[1], 2]", "a = [[1, 2]]"),
    "in or out of the if": ("if x:\n    a = 1\n    b = 2", "if x:\n    a = 1\nb = 2"),
    "else to nothing": ("for i in x:\n    a()\nelse:\n    b()", "for i in x:\n    a()\nb()"),
    "decorator": ("def f(): return 1", "@d\ndef f(): return 1"),
    "async": ("def f(): return 1", "async def f(): return 1"),
    "default": ("def f(x=1): return x", "def f(x=2): return x"),
    "positional only": ("def f(x, /): return x", "def f(x): return x"),
    "annotation": ("a: int = 1", "a: float = 1"),
    "import level": ("from . import a", "from .. import a"),
    "import alias": ("import a as b", "import a as c"),
    "global": ("def f():\n    x = 1", "def f():\n    global x\n    x = 1"),
    "del to load": ("del a", "a"),
    "shell line": ("!ls", "!ls -l"),
    "line magic": ("%time f()", "%time g()"),
    "bash cell": ("%%bash\nls", "%%bash\nls -l"),
    "comment in a bash cell": ("%%bash\nls", "%%bash\nls # all"),
    "quiet last expression": ("a = 1\na", "a = 1\na;"),
    "slice": ("a[1:]", "a[:1]"),
    "huge ints": (f"a = {10**50}", f"a = {10**50 + 1}"),
    "split of names": ("ab, c = x", "a, bc = x"),
}


def check(before: str, after: str, expect: str) -> None:
    same = body_digest(before) == body_digest(after)
    assert ("same" if same else "changed") == expect


@pytest.mark.parametrize("case", SAME)
def test_what_never_counts(case: str) -> None:
    check(*SAME[case], expect="same")


@pytest.mark.parametrize("case", CHANGED)
def test_what_always_counts(case: str) -> None:
    check(*CHANGED[case], expect="changed")


def test_a_semicolon_in_a_comment_or_text_is_none() -> None:
    check("a = 1\na", "a = 1\na  # ;", expect="same")
    check("a = ';'\na", "a = ';'\na ", expect="same")
    check("a;  # quiet", "a;", expect="same")


def test_a_body_that_does_not_parse_is_digested_as_text() -> None:
    check("a = (", "a = (", expect="same")
    check("a = (", "a = [", expect="changed")


def test_deep_trees_do_not_exhaust_the_stack() -> None:
    # The parser itself gives up on some depths: then the text counts.
    long = " + ".join(["a"] * 3000)
    check(f"b = {long}", f"b = {long} + a", expect="changed")


def test_parts_of_a_body() -> None:
    code, outputs = body_part("b = a + 1  # next", ("c", "b"))
    assert (code.kind, code.detail) == (PartKind.CODE, "b = a + 1  # next")
    assert (outputs.kind, outputs.detail) == (PartKind.OUTPUTS, "b c")
    assert outputs == body_part("b = 1", ("b", "c"))[1]
    assert outputs.digest != body_part("b = 1", ("b",))[1].digest
    assert len(code.digest) == 32


@pytest.mark.parametrize("seed", ["1", "2"])
def test_digests_do_not_depend_on_the_hash_seed(seed: str) -> None:
    program = "from nbsteps.identity.trees import body_digest; print(body_digest('a = {1, 2}\\nb = f(x=1)'))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == body_digest("a = {1, 2}\nb = f(x=1)")
