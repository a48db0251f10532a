"""Names that a cell reads, assigns, defines and changes, one sentence of Python a case."""

from __future__ import annotations

import argparse
import ast
import builtins
import contextlib
import dataclasses
import difflib
import enum
import inspect
import symtable
import sys
import textwrap
from dataclasses import fields
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsteps.core.names import Names, analyse
from nbsteps.core.scopes import function_uses

BUILTINS = frozenset(dir(builtins))


def words(names: Any) -> str:
    """The names as one text, builtins left out."""
    if isinstance(names, tuple):
        return " ".join(names)
    if hasattr(names, "items"):
        return " ".join(
            f"{k}={v}" for k, v in sorted((k, v if isinstance(v, str) else words(v)) for k, v in names.items())
        )
    return " ".join(sorted(name for name in names if name not in BUILTINS))


def check(source: str, **expect: str | bool) -> None:
    """Assert that the analysis of ``source`` has these fields; sets are written as sorted words."""
    names = analyse(source)
    seen = {key: value if isinstance(value := getattr(names, key), bool) else words(value) for key in expect}
    assert seen == expect


def cases(table: list[tuple[str, str]]) -> pytest.MarkDecorator:
    """One test case for each row of source and expected words."""
    return pytest.mark.parametrize(("source", "expect"), table)


@cases(
    [
        ("", ""),
        ("x", "x"),
        ("x = 1; y = x", ""),
        ("y = x; x = 1", "x"),
        ("x = x + 1", "x"),
        ("x += 1", "x"),
        ("x = 1; x += y", "y"),
        ("x: int = y", "y"),
        ("x: T = 1", "T"),
        ("x: T", "T"),
        ("x: int; y = x", "x"),
        ("a, (b, *c) = d; a; b; c", "d"),
        ("a = b = c; a; b", "c"),
        ("del x", "x"),
        ("x = 1; del x", ""),
        ("x = 1; del x; y = x", "x"),
        ("x.a.b = y", "x y"),
        ("x[i] = y", "i x y"),
        ("x[i:j, ...] += 1", "i j x"),
        ("del x[i].a", "i x"),
        ("x.a: T = 1", "T x"),
        ("f(*a, k=b, **c)", "a b c f"),
        ("global x\nx = 1\ny = x", ""),
        ("if c: x = 1\nprint(x)", "c x"),
        ("if c: x = 1\nelse: x = 2\nprint(x)", "c"),
        ("if c: x = 1\nelif d: x = 2\nprint(x)", "c d x"),
        ("if c: x = 1\nelse: raise E(y)\nx", "E c y"),
        ("if c and (m := f()): m", "c f"),
        ("if c or (m := f()): m", "c f m"),
        ("if not (m := f()): raise E\nm.a", "E f"),
        ("if not c or not (m := f()): raise E\nm.a", "E c f"),
        ("if c and (m := f()): pass\nelse: m", "c f m"),
        ("a if (b := c) else b", "a c"),
        ("x if c else (y := 1)\ny", "c x y"),
        ("(y := 1) if c else (y := 2)\ny", "c"),
        ("a < (b := c) < (d := e)\nb; d", "a c d e"),
        ("if True: x = 1\nx", ""),
        ("if False: x", ""),
        ("if 0: x\nelse: y", "y"),
        ("assert (x := f()), x\nx", "f"),
        ("assert c, d", "c d"),
        ("raise E(x)\ny", "E x"),
        ("for i in xs: y = i\ny", "xs y"),
        ("for i in xs: i\ni", "i xs"),
        ("for i in [1, 2]: y = i\ny; i", ""),
        ("for i in range(3): y = i\ny", ""),
        ("for i in range(0): y = i\ny", "y"),
        ("for i, j in enumerate([1]): y = i\ny", ""),
        ("for i in [*a]: y = i\ny", "a y"),
        ("for i in (1, 2):\n if c: continue\n y = 1\ny", "c y"),
        ("for i in (1, 2):\n if c: break\n y = 1\ny", "c y"),
        ("for i in xs: pass\nelse: y = 1\ny", "xs"),
        ("for i in xs:\n if i: break\nelse: y = 1\ny", "xs y"),
        ("for x.a in xs: pass", "x xs"),
        ("while c: x = 1\nx", "c x"),
        ("while True:\n x = 1\n break\nx", ""),
        ("while True:\n if c: break\n x = 1\nx", "c x"),
        ("while True:\n x = f()\n if x: break\nx", "f"),
        ("while True: f()\nx", "f"),
        ("while (x := f()): x\nx", "f"),
        ("while c: pass\nelse: x = 1\nx", "c"),
        ("try: x = 1\nexcept E: pass\nx", "E x"),
        ("try: x = 1\nexcept E: x = 2\nx", "E"),
        ("try: x = 1\nexcept E: raise\nx", "E"),
        ("try: pass\nexcept E as e: e\ne", "E e"),
        ("e = 1\ntry: pass\nexcept E as e: pass\ne", "E e"),
        ("try: f()\nexcept E: pass\nelse: x = 1\nx", "E f x"),
        ("try: x = 1\nfinally: x", ""),
        ("try: f()\nfinally: x = 1\nx", "f"),
        ("try:\n x = 1\nexcept* E: pass\nx", "E x"),
        ("while c:\n try:\n  if d: break\n  x = 1\n finally: x", "c d x"),
        ("with f() as x: x", "f"),
        ("with f() as (x, y), x: y", "f"),
        ("with f() as h: d = h.read()\nd", "f"),
        ("with suppress(E): d = f()\nd", "E d f suppress"),
        ("with raises(E): raise E\nx", "E raises x"),
        ("match s:\n case 1: x = 1\n case _: x = 2\nx", "s"),
        ("match s:\n case 1: x = 1\nx", "s x"),
        ("match s:\n case [a, *b]: a; b", "s"),
        ("match s:\n case {'k': v, **r}: v; r", "s"),
        ("match s:\n case C(a=1, b=v) | C(v): v", "C s"),
        ("match s:\n case m.K as k if k > g: k", "g m s"),
        ("match s:\n case k: pass\nk", "s"),
        ("match s:\n case _ if c: x = 1\nx", "c s x"),
        ("await f(x)", "f x"),
        ("async for i in xs: i", "xs"),
        ("async with f() as g: g", "f"),
        ("[i async for i in xs]", "xs"),
        ("async def f(): await g()", "g"),
        ("f'{x} {y!r:>{z}}'", "x y z"),
        ("f'{f\"{x}\"}' + f'{ {k: v for k in d} }'", "d v x"),
        ("df.query('a > @lo and b < @hi')", "df hi lo"),
        ("lo = 1; df.query(f'a > @lo + {n}')", "df n"),
        ("pd.eval('x + y')", "pd x y"),
        ("duckdb.sql('select * from orders o, items join rates using (k) where x')", "duckdb items orders rates"),
        ("orders = f(); duckdb.sql('from orders')", "duckdb f"),
        ("q = 'select * from orders'; con.execute(q)", "con orders"),
        ("duckdb.sql(\"from read_csv('x') join s.t\")", "duckdb"),
        ("x = 'from orders'", ""),
        ("%timeit f(x)", "f x"),
        ("%time y = f(x)\ny", "f x"),
        ("!cp {a} $b", "a b"),
        ("y = !ls {d}\ny", "d"),
        ("x?", "x"),
        ("%%time\ny = x\ny", "x"),
        ("%%timeit\ny = x\ny", "x"),
        ("%%bash -s {x}\necho $y", "x"),
        ("import a.b\na.b.c", ""),
        ("import a.b as c\nc; a", "a"),
        ("from . import x\nx", ""),
        ("from m import *\nx", "x"),
    ],
)  # fmt: skip
def test_what_statements_read(source: str, expect: str) -> None:
    check(source, reads=expect)


@cases(
    [
        ("[x for x in xs if x > k]", "k xs"),
        ("[x for x in xs]; x", "x xs"),
        ("x = 1; [x for y in x]", ""),
        ("[x for x in x]", "x"),
        ("[y for x in xs for y in x for z in w]", "w xs"),
        ("{k: v for k, v in d.items() if f(k)}", "d f"),
        ("{x for x in xs}; (y for y in ys)", "xs ys"),
        ("[[x for x in r] for r in rs]", "rs"),
        ("[y for x in xs if (y := f(x))]", "f xs"),
        ("[(y := x) for x in xs]; y", "xs y"),
        ("y = 0; [(y := x) for x in xs]; y", "xs"),
        ("[(lambda: x + k)() for x in xs]", "k xs"),
        ("lambda x: x + k", "k"),
        ("lambda x=d: x", "d"),
        ("lambda *a, b=c, **k: (a, b, k)", "c"),
        ("lambda: (y := k) and y", "k"),
        ("def f(i): return i + j\n[f(i) for j in js for i in j]", "j js"),
        ("def f(x, *a, k=d, **kw): return x + a + k + kw + g", "d g"),
        ("def f(x: T) -> U: pass", "T U"),
        ("from __future__ import annotations\ndef f(x: T) -> C: pass\nclass C: pass", "T"),
        ("from __future__ import annotations\nx: T = 1", ""),
        ("@d(x)\ndef f(): pass", "d x"),
        ("def f(): return f()", ""),
        ("def f(): return x\nx = 1\nf()", ""),
        ("def f(): return x\nf()\nx = 1", "x"),
        ("def f(): return x\nx = 1", ""),
        ("def f(): return x\nif c: x = 1", "c x"),
        ("def f(): return g()\ndef g(): return x\nf()\nx = 1", "x"),
        ("def f(): return x\nh = f\nh()\nx = 1", "x"),
        ("def f(): return x\nh = partial(f, 1)\nx = 1\nh()", "partial x"),
        ("def f(): return x\nh = {'f': f}\nh['f']()\nx = 1", "x"),
        ("f = lambda: x\nx = 1\nf()", ""),
        ("f = lambda: x\nf()\nx = 1", "x"),
        ("def f():\n x = 1\n return x", ""),
        ("def f():\n print(x)\n x = 1", ""),
        ("def f():\n global x\n x = 1\n return x", "x"),
        ("def f():\n x = 1\n def g(): nonlocal x; x += y\n return g", "y"),
        ("def f():\n x = 1\n def g():\n  global x\n  return x\n return g", "x"),
        ("def f():\n global x\n def g(): return x\n return g", "x"),
        ("def f():\n def g(): return x\n x = 1\n return g", ""),
        ("def f():\n for x in xs: pass\n return x", "xs"),
        ("def f():\n with o as x: pass\n import m\n from p import q\n return x, m, q", "o"),
        ("def f():\n try: pass\n except E as e: e\n return e", "E"),
        ("def f(s):\n match s:\n  case {'a': a, **r}: return a, r\n  case [b, *c]: return b, c", ""),
        ("def f():\n x: T = 1\n y: U\n return x, y", ""),
        ("def f():\n [y := x for x in xs]\n return y", "xs"),
        ("def f():\n [[(y := x) for x in r] for r in xs]\n return y", "xs"),
        ("def f(d=[x for x in xs]): return x", "x xs"),
        ("def f(): return df.query('a > @k')", "df k"),
        ("def f():\n x += 1", ""),
        ("def f(a):\n def g(b=a, c=k): return a\n return g", "k"),
        ("async def f():\n async with a as b: return [i async for i in b]", "a"),
        ("def f():\n del x", ""),
        ("class C(B, metaclass=M): x = y", "B M y"),
        ("@d\nclass C: pass", "d"),
        ("class C:\n x = 1\n y = x", ""),
        ("class C:\n y = x\n x = 1", "x"),
        ("class C:\n x = x", "x"),
        ("class C:\n if c: x = 1\n y = x", "c x"),
        ("class C:\n x = 1\n def f(self): return x", "x"),
        ("class C:\n x = 1\n y = [x for i in x]", "x"),
        ("class C:\n x = 1\n y = [i for i in x]", ""),
        ("class C:\n x: T = 1\n y: U", "T U"),
        ("class C:\n def f(self): return super().f(__class__)", ""),
        ("class C:\n def f(self, a=k) -> T: return C", "T k"),
        ("class C:\n def f(self): return helper()\ndef helper(): pass", ""),
        ("class C:\n def f(self): return x\nC().f()\nx = 1", "x"),
        ("class C:\n class D:\n  y = x\n x = 1", "x"),
        ("class C:\n @property\n def f(self): return g\n @f.setter\n def f(self, v): pass", "g"),
        ("class C:\n global x\n x = 1\nprint(x)", "x"),
        ("def f():\n x = 1\n class C:\n  y = x\n  def g(self): return x + y\n return C", "y"),
        ("def f():\n class C:\n  x = x\n return C", "x"),
        ("class C:\n import m\n y = m.z", ""),
        ("class C:\n class D: pass\n class E(D, k=x): pass", "x"),
        ("class C:\n if c:\n  def f(self): return x\n y = f", "c f x"),
    ],
)  # fmt: skip
def test_what_scopes_read(source: str, expect: str) -> None:
    check(source, reads=expect)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="syntax of Python 3.12")
@cases(
    [
        ("def f[T: B](x: T) -> T: return T, x, y", "B y"),
        ("class C[T](Base[T]):\n x: T\n def f(self) -> T: return T", "Base"),
        ("type A[T] = list[T] | B", "B"),
        ("type A = B\nB = 1", ""),
        ("def f():\n type A = B\n return A", "B"),
        ("f'{x['a']} {f'{y}'}'", "x y"),
    ],
)
def test_what_type_parameters_read(source: str, expect: str) -> None:
    check(source, reads=expect)


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
        assert not any("magic" in str(getattr(names, field.name)) for field in fields(Names))


NAMES = st.sampled_from("abc")
SIMPLE = st.one_of(
    st.builds("{} = 1".format, NAMES),
    st.builds("{} = {}".format, NAMES, NAMES),
    st.builds("{} += {}".format, NAMES, NAMES),
    st.builds("use({})".format, NAMES),
    st.builds("del {}".format, NAMES),
    st.builds("use([{0} for {0} in (1, {1})])".format, NAMES, NAMES),
    st.builds("use([({0} := i) for i in (1, {1})])".format, NAMES, NAMES),
    st.builds("use(maybe() and ({} := {}))".format, NAMES, NAMES),
    st.builds("f = lambda: {}".format, NAMES),
    st.builds("def f(): return {}".format, NAMES),
    st.builds("def f():\n    global {0}\n    {0} = 1".format, NAMES),
    st.just("use(call(f))"),
    st.just("raise Fail"),
)


def block(statements: list[str]) -> str:
    """Statements as an indented block."""
    return "\n".join(f"    {line}" for statement in statements for line in statement.split("\n"))


def compound(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Statements that hold others."""
    blocks = st.lists(children, min_size=1, max_size=3).map(block)
    return st.one_of(
        st.builds("if maybe():\n{}\nelse:\n{}".format, blocks, blocks),
        st.builds("if maybe() and ({} := maybe()):\n{}".format, NAMES, blocks),
        st.builds("for {} in some():\n{}\n    if maybe(): break\nelse:\n{}".format, NAMES, blocks, blocks),
        st.builds("for i in (1, 2):\n{}\n    if maybe(): continue\n{}".format, blocks, blocks),
        st.builds("while True:\n{}\n    if maybe(): break".format, blocks),
        st.builds("while maybe():\n{}".format, blocks),
        st.builds("try:\n{}\nexcept Fail as {}:\n{}\nelse:\n{}".format, blocks, NAMES, blocks, blocks),
        st.builds("try:\n{}\nfinally:\n{}".format, blocks, blocks),
        st.builds("match maybe():\n  case True:\n{}\n  case {}:\n{}".format, blocks, NAMES, blocks),
        st.builds("class C:\n{}".format, blocks),
    )


PROGRAMS = st.lists(st.recursive(SIMPLE, compound, max_leaves=8), max_size=6).map("\n".join)


class Stop(BaseException):
    """Ends a program that runs for too long."""


class Watched(dict[str, Any]):
    """A namespace that notes which names are read before the program has assigned them, and what it assigns."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: set[str] = set()
        self.own: set[str] = set()


def run(source: str, choices: list[bool]) -> tuple[set[str], dict[str, Any], bool]:
    """Execute a program with outside values for a, b, c: those that it saw, what it left, whether it ended well."""
    outside = {name: [name] for name in "abc"}
    seen: set[str] = set()
    left = iter(choices)

    def maybe() -> bool:
        for choice in left:
            return choice
        raise Stop

    def use(value: Any) -> None:
        for name, original in outside.items():
            if value is original or (isinstance(value, list) and any(item is original for item in value)):
                seen.add(name)

    def call(function: Any) -> Any:
        return function() if callable(function) else function

    namespace: dict[str, Any] = {**outside, "maybe": maybe, "use": use, "call": call, "some": lambda: [1] * maybe()}
    namespace.update(Fail=type("Fail", (Exception,), {}), f=None)
    succeeded = False
    with contextlib.suppress(Exception, Stop):
        exec(compile(source, "<program>", "exec"), namespace)  # noqa: S102 - the point of the test
        succeeded = True
    return seen, {name: namespace.get(name) for name in "abc" if namespace.get(name) is not outside[name]}, succeeded


@given(PROGRAMS, st.lists(st.booleans(), max_size=30))
def test_whatever_a_program_sees_of_the_outside_is_a_read(source: str, choices: list[bool]) -> None:
    try:
        compile(source, "<program>", "exec")
    except SyntaxError:
        return
    seen, left, succeeded = run(source, choices)
    names = analyse(source)
    if succeeded:
        assert seen <= names.reads
        assert {name for name, value in left.items() if value is not None} <= names.writes


@given(PROGRAMS)
def test_fields_agree_with_each_other(source: str) -> None:
    try:
        ast.parse(source)
    except SyntaxError:
        return
    names = analyse(source)
    assert names.unsure <= names.reads
    assert names.definite <= names.writes
    assert set(names.assigned) <= names.writes
    assert names.defs <= names.writes


def globals_by_python(table: symtable.SymbolTable) -> set[str]:
    """Global names that a scope and those in it refer to, as the compiler sees it."""
    own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced()}
    return own.union(*(globals_by_python(child) for child in table.get_children()))


@pytest.mark.parametrize("module", [argparse, dataclasses, difflib, enum, inspect, textwrap], ids=lambda m: m.__name__)
def test_functions_read_what_the_compiler_says(module: ModuleType) -> None:
    source = inspect.getsource(module)
    scopes = {(t.get_lineno(), t.get_name()): t for t in symtable.symtable(source, "<module>", "exec").get_children()}
    functions = [
        node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and not node.decorator_list
    ]
    assert functions
    for node in functions:
        assert function_uses(node).reads == globals_by_python(scopes[node.lineno, node.name])
