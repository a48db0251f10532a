"""Names that a cell assigns, defines and changes, one sentence of Python a case."""

from __future__ import annotations

import contextlib

import pytest

from nbsteps.core.names import analyse
from tests.core.naming import cases, check


@cases(
    [
        ("x = y", ""),
        ("x += 1", ""),
        ("for x in xs: total = x\ntotal", "total"),
        ("if c: x = 1\nx", "x"),
        ("x\nif c: x = 1\nx", ""),
        ("try: x = 1\nexcept E: pass\nx", "x"),
    ],
)
def test_reads_that_the_code_may_have_assigned_itself(source: str, expect: str) -> None:
    check(source, unsure=expect)


@cases(
    [
        ("x = 1; y, (z, *w) = v", "w x y z"),
        ("x: int = 1; y: int", "x"),
        ("x += 1", "x"),
        ("x.a = 1; x[0] = 1", ""),
        ("for i, j in xs: k = 1", "i j k"),
        ("with a as b: pass", "b"),
        ("(x := 1)", "x"),
        ("[y := x for x in xs]", "y"),
        ("import a.b, c as d\nfrom e import f as g, h", "a d g h"),
        ("from a import *", ""),
        ("from __future__ import annotations", ""),
        ("def f(): x = 1", "f"),
        ("class C: x = 1", "C"),
        ("def f():\n global x, y\n x = y", "f x"),
        ("class C:\n def f(self):\n  global x\n  for x in y: pass", "C x"),
        ("class C:\n global x\n x = 1", "C x"),
        ("lambda: [y := 1 for x in xs]", ""),
        ("try: x = 1\nexcept E as e: y = 1", "x y"),
        ("match s:\n case [a, *b]: pass\n case {'k': c, **d}: pass\n case E() as e: pass", "a b c d e"),
        ("x = 1; del x", ""),
        ("x = y = 1\nif c: del x\ndel y", "x"),
        ("x = 1; del x; x = 2", "x"),
        ("for i in xs: pass\ndel i", ""),
        ("x = 1\nif c: del x\nelse: del x", ""),
        ("raise E\nx = 1", ""),
        ("%%capture out\nx = 1", "out x"),
        ("%time x = 1", "x"),
        ("x = !ls", "x"),
    ],
)
def test_what_is_assigned(source: str, expect: str) -> None:
    check(source, writes=expect)


@cases(
    [
        ("b = 1; a = 2; b = 3", "b a"),
        ("a, (b, [*c]) = d", "a b c"),
        ("a: int = 1; b: int; c += 1; (d := 1)", "a c d"),
        ("_a = 1; a = 1", "a"),
        ("if c: x = 1\nelse: y = 1", "x y"),
        ("for i in xs:\n x = i", "x"),
        ("try: x = 1\nexcept E as e: y = 1\nfinally: z = 1", "x y z"),
        ("with f() as h: x = h", "x"),
        ("while c: x = 1", "x"),
        ("match s:\n case a: x = 1", "x"),
        ("import m\ndef f(): pass\nclass C: pass\ng = lambda: 1", ""),
        ("try: import m\nexcept ImportError: m = None", ""),
        ("def f(): pass\nf = jit(f)", ""),
        ("[y := x for x in xs]", ""),
        ("def f():\n global x\n x = 1", ""),
        ("x = 1; del x; y = 1", "y"),
        ("x.a = 1; y[0] = 1", ""),
        ("for x in xs: pass\nx = 1", "x"),
    ],
)
def test_candidates_for_inferred_outputs(source: str, expect: str) -> None:
    check(source, assigned=expect)


@cases(
    [
        ("x = 1\nif c: y = 1", "x"),
        ("for i in xs: pass", ""),
        ("for i in range(2): x = 1", "i x"),
        ("import m\ndef f(): pass", "f m"),
        ("try: x = f()\nexcept E: raise", "x"),
        ("x = 1; del x", ""),
    ],
)
def test_what_is_surely_assigned_at_the_end(source: str, expect: str) -> None:
    check(source, definite=expect)


@cases(
    [
        ("x.a = 1; y[0] = 1; del z.a, w[0]; v.a[0].b += 1", "v w x y z"),
        ("x = {}; x['a'] = 1", ""),
        ("x = 1", ""),
        ("x.append(1)", ""),
        ("f().a = 1", ""),
        ("if c: x = {}\nx[0] = 1", "x"),
        ("def f(): x.a = 1", "x"),
        ("def f(x): x.a = 1", ""),
        ("def f():\n x = {}\n def g(): x[0] = 1", ""),
        ("def f(): x.a = 1\nx = C()\nf()", ""),
        ("class C:\n x = {}\n x[0] = y.a\n z.b = 1", "z"),
        ("x, y.a = 1, 2", "y"),
        ("for x[0] in xs: pass", "x"),
        ("with f() as x.a: pass", "x"),
        ("x.a: int = 1", "x"),
    ],
)
def test_what_is_changed_in_place(source: str, expect: str) -> None:
    check(source, mutated=expect)


@cases(
    [
        ("def f(x): return x + k", "f=k"),
        ("f = lambda x: x + k", "f=k"),
        ("@d\ndef f(): return k", "f=k"),
        ("class C(B):\n x = y\n def f(self): return k", "C=k"),
        ("def f(): return k\ng = f", "f=k g=f"),
        ("g = partial(f, k)", "g=f k partial"),
        ("g = functools.partial(f, k)", "g=f functools k"),
        ("def f(): return k\ng = trace(f)\nx = f(a)\ny = df.apply(f, b)", "f=k g=f y=f"),
        ("def f(): return k\nt = {'f': f, 'a': a}", "f=k t=f"),
        ("x = a + 1; y = g(a)", ""),
        ("if c:\n def f(): return a\nelse:\n def f(): return b", "f=a b"),
        ("def f():\n def g(): return k\n return g", "f=k"),
    ],
)
def test_what_calling_a_name_may_read(source: str, expect: str) -> None:
    check(source, deferred=expect)


def test_imports_are_told_from_other_names() -> None:
    check(
        "import a.b, c as d\nfrom . import e\nfrom ..f import g as h\nfrom i import *\ndef f():\n import j.k",
        imports="a=a.b d=c e=. h=..f",
        modules="a.b c . ..f i j.k",
        stars="i",
        defs="f",
    )


@pytest.mark.parametrize(
    ("source", "expect"),
    [
        ("exec('x = 1')", True),
        ("def f(): return globals()", True),
        ("g = get_ipython", True),
        ("%run other.ipynb", True),
        ("%store -r", True),
        ("!ls", False),
        ("df.eval('a + b')", False),
        ("def vars(): pass\nvars()", False),
        ("%matplotlib inline", False),
    ],
)
def test_code_whose_names_nobody_can_see(source: str, expect: bool) -> None:
    check(source, dynamic=expect)


@pytest.mark.parametrize(
    ("source", "expect"),
    [
        ("await f()", True),
        ("x = [await f()]", True),
        ("async for x in y: pass", True),
        ("async with x: pass", True),
        ("[x async for x in y]", True),
        ("async def f(): await g()", False),
        ("x = 1", False),
    ],
)
def test_top_level_await(source: str, expect: bool) -> None:
    check(source, has_await=expect)


@pytest.mark.parametrize(
    ("source", "error"),
    [("x = (", SyntaxError), ("f(" * 80 + ")" * 80, None), ("x = " + " + ".join(["a"] * 1000), None)],
)
def test_deep_and_broken_source(source: str, error: type[Exception] | None) -> None:
    with pytest.raises(error) if error else contextlib.nullcontext():
        analyse(source)


def test_the_magic_function_is_no_name() -> None:
    for names in (analyse("%m\n!s"), analyse("def f():\n    !s")):
        assert not any("magic" in str(field) for field in names)
