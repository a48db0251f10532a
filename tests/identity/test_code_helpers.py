"""Helpers: an edit to anything behind a name that a body reads changes the parts, nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nbsteps.identity.code import Closure, CodeContext, closure

CONTEXT = CodeContext()
Notebook = Callable[..., dict[str, Any]]


def close(namespace: dict[str, Any], *reads: str, **options: Any) -> Closure:
    return closure(reads, namespace, **{"stop": (), "context": CONTEXT, **options})


def key(found: Closure) -> set[tuple[str, str, str]]:
    assert not found.uncacheable
    return {(part.kind, part.name, part.digest) for part in found.parts}


def changed(notebook: Notebook, before: str, after: str, reads: str = "f") -> set[str]:
    """Names of parts that differ when the context is ``after`` instead of ``before``."""
    difference = key(close(notebook(before), *reads.split())) ^ key(close(notebook(after), *reads.split()))
    return {name for _, name, _ in difference}


def check(notebook: Notebook, before: str, after: str, expect: str, reads: str = "f") -> None:
    assert ("changed" if changed(notebook, before, after, reads) else "same") == expect


WRAPPED = """
import functools
def d(g):
    @functools.wraps(g)
    def w(): return {}
    return w
@d
def f(): return {}
"""
WITH_ARGUMENT = """
def d(n):
    def e(g):
        def w(): return g() * n
        return w
    return e
@d({})
def f(): return 1
"""
SAME = {
    "comment": ("def f(x): return x", "def f(x):\n    # the same\n    return x"),
    "docstring": ("def f(x): return x", "def f(x):\n    'doc'\n    return x"),
    "formatting": ("def f(x): return [x, 1]", "def f(x):\n    return [\n        x,\n        1,\n    ]"),
    "position": ("def f(x): return x", "a = 1\n\n\ndef f(x): return x"),
    "another function": ("def f(): pass\ndef g(): pass", "def f(): pass\ndef g(): return 1"),
    "global that is not read": ("K = 1\ndef f(): pass", "K = 2\ndef f(): pass"),
    "local of the same name": ("K = 1\ndef f():\n    K = 0\n    return K", "K = 2\ndef f():\n    K = 0\n    return K"),
    "attribute of the same name": ("K = 1\ndef f(x): return x.K", "K = 2\ndef f(x): return x.K"),
    "global that is only written": (
        "K = 1\ndef f():\n    global K\n    K = 0",
        "K = 2\ndef f():\n    global K\n    K = 0",
    ),
    "comment in a class": ("class f:\n    x = 1", "class f:\n    # one\n    x = 1"),
    "docstring of a method": (
        "class f:\n    def m(s): return 1",
        "class f:\n    def m(s):\n        'doc'\n        return 1",
    ),
    "comment in a decorator": (
        "def d(g):\n    def w(): return g()\n    return w\n@d\ndef f(): return 1",
        "def d(g):\n    # wraps\n    def w(): return g()\n    return w\n@d\ndef f(): return 1",
    ),
    "comment by a lambda": ("f = lambda x: x + 1", "f = lambda x: x + 1  # next"),
    "order of a set": ("S = {'a', 'b'}\ndef f(): return S", "S = {'b', 'a'}\ndef f(): return S"),
    "dataclass comment": (
        "from dataclasses import dataclass\n@dataclass\nclass f:\n    x: int = 1",
        "from dataclasses import dataclass\n@dataclass\nclass f:\n    # one\n    x: int = 1",
    ),
}
CHANGED = {
    "body": ("def f(x): return x", "def f(x): return x + 1"),
    "constant inside": ("def f(): return 1", "def f(): return 1.0"),
    "default": ("def f(x=1): return x", "def f(x=2): return x"),
    "value of a default": ("D = 1\ndef f(x=D): return x", "D = 2\ndef f(x=D): return x"),
    "value of a keyword default": ("D = 1\ndef f(*, x=D): return x", "D = 2\ndef f(*, x=D): return x"),
    "helper behind": ("def g(): return 1\ndef f(): return g()", "def g(): return 2\ndef f(): return g()"),
    "constant behind": ("K = 1\ndef f(): return K", "K = 2\ndef f(): return K"),
    "constant behind two": (
        "K = 1\ndef g(): return K\ndef f(): return g()",
        "K = 2\ndef g(): return K\ndef f(): return g()",
    ),
    "read in a nested function": (
        "K = 1\ndef f():\n    def h(): return K\n    return h()",
        "K = 2\ndef f():\n    def h(): return K\n    return h()",
    ),
    "read in a comprehension": ("K = 1\ndef f(): return [K for _ in 'a']", "K = 2\ndef f(): return [K for _ in 'a']"),
    "read in a class inside": (
        "K = 1\ndef f():\n    class C:\n        x = K\n    return C.x",
        "K = 2\ndef f():\n    class C:\n        x = K\n    return C.x",
    ),
    "closure variable": (
        "def make(n):\n    def g(): return n\n    return g\nf = make(1)",
        "def make(n):\n    def g(): return n\n    return g\nf = make(2)",
    ),
    "function in a closure": (
        "def make(n):\n    def g(): return n()\n    return g\nf = make(lambda: 1)",
        "def make(n):\n    def g(): return n()\n    return g\nf = make(lambda: 2)",
    ),
    "decorator without wraps": (
        "def d(g):\n    def w(): return g()\n    return w\n@d\ndef f(): return 1",
        "def d(g):\n    def w(): return g() + 1\n    return w\n@d\ndef f(): return 1",
    ),
    "decorated function": (
        "def d(g):\n    def w(): return g()\n    return w\n@d\ndef f(): return 1",
        "def d(g):\n    def w(): return g()\n    return w\n@d\ndef f(): return 2",
    ),
    "decorator with wraps": (
        WRAPPED.format("g()", 1),
        WRAPPED.format("g() + 1", 1),
    ),
    "function under wraps": (
        WRAPPED.format("g()", 1),
        WRAPPED.format("g()", 2),
    ),
    "argument of a decorator": (
        WITH_ARGUMENT.format(1),
        WITH_ARGUMENT.format(2),
    ),
    "constant behind a decorator": (
        "K = 1\ndef d(g):\n    def w(): return g() + K\n    return w\n@d\ndef f(): return 1",
        "K = 2\ndef d(g):\n    def w(): return g() + K\n    return w\n@d\ndef f(): return 1",
    ),
    "lru_cache": (
        "import functools\n@functools.lru_cache\ndef f(): return 1",
        "import functools\n@functools.lru_cache\ndef f(): return 2",
    ),
    "cache of a constant": (
        "import functools\nK = 1\n@functools.cache\ndef f(): return K",
        "import functools\nK = 2\n@functools.cache\ndef f(): return K",
    ),
    "contextmanager": (
        "from contextlib import contextmanager\n@contextmanager\ndef f(): yield 1",
        "from contextlib import contextmanager\n@contextmanager\ndef f(): yield 2",
    ),
    "singledispatch case": (
        "import functools\n@functools.singledispatch\ndef f(x): return 0\n@f.register\ndef _(x: int): return 1",
        "import functools\n@functools.singledispatch\ndef f(x): return 0\n@f.register\ndef _(x: int): return 2",
    ),
    "partial's function": (
        "import functools\ndef g(x): return x\nf = functools.partial(g, 1)",
        "import functools\ndef g(x): return -x\nf = functools.partial(g, 1)",
    ),
    "partial's argument": (
        "import functools\ndef g(x): return x\nf = functools.partial(g, 1)",
        "import functools\ndef g(x): return x\nf = functools.partial(g, 2)",
    ),
    "partial's keyword": (
        "import functools\ndef g(x): return x\nf = functools.partial(g, x=1)",
        "import functools\ndef g(x): return x\nf = functools.partial(g, x=2)",
    ),
    "lambda": ("f = lambda x: x + 1", "f = lambda x: x + 2"),
    "other lambda of a line": ("g, f = lambda x: x + 1, lambda x: x + 2", "f, g = lambda x: x + 1, lambda x: x + 2"),
    "lambda in a list": ("f = [lambda x: x + 1]", "f = [lambda x: x + 2]"),
    "function in a dict": ("def g(): return 1\nf = {'g': g}", "def g(): return 2\nf = {'g': g}"),
    "constant behind a function in a dict": (
        "K = 1\ndef g(): return K\nf = {'g': g}",
        "K = 2\ndef g(): return K\nf = {'g': g}",
    ),
    "function attribute": ("def f(): return f.n\nf.n = 1", "def f(): return f.n\nf.n = 2"),
    "method": ("class f:\n    def m(s): return 1", "class f:\n    def m(s): return 2"),
    "class attribute": ("class f:\n    x = 1", "class f:\n    x = 2"),
    "value of a class attribute": ("K = 1\nclass f:\n    x = K", "K = 2\nclass f:\n    x = K"),
    "patched method": ("class f:\n    def m(s): return 1", "class f:\n    def m(s): return 1\nf.m = lambda s: 2"),
    "patched attribute": ("class f:\n    x = 1", "class f:\n    x = 1\nf.x = 2"),
    "property": (
        "class f:\n    @property\n    def p(s): return 1",
        "class f:\n    @property\n    def p(s): return 2",
    ),
    "static method": (
        "class f:\n    @staticmethod\n    def p(): return 1",
        "class f:\n    @staticmethod\n    def p(): return 2",
    ),
    "class method": (
        "class f:\n    @classmethod\n    def p(c): return 1",
        "class f:\n    @classmethod\n    def p(c): return 2",
    ),
    "cached property": (
        "import functools\nclass f:\n    @functools.cached_property\n    def p(s): return 1",
        "import functools\nclass f:\n    @functools.cached_property\n    def p(s): return 2",
    ),
    "base class": ("class B:\n    x = 1\nclass f(B): pass", "class B:\n    x = 2\nclass f(B): pass"),
    "order of bases": (
        "class A: pass\nclass B: pass\nclass f(A, B): pass",
        "class A: pass\nclass B: pass\nclass f(B, A): pass",
    ),
    "metaclass": (
        "class M(type):\n    def m(c): return 1\nclass f(metaclass=M): pass",
        "class M(type):\n    def m(c): return 2\nclass f(metaclass=M): pass",
    ),
    "constant behind a method": (
        "K = 1\nclass f:\n    def m(s): return K",
        "K = 2\nclass f:\n    def m(s): return K",
    ),
    "dataclass default": (
        "from dataclasses import dataclass\n@dataclass\nclass f:\n    x: int = 1",
        "from dataclasses import dataclass\n@dataclass\nclass f:\n    x: int = 2",
    ),
    "dataclass flag": (
        "from dataclasses import dataclass\n@dataclass\nclass f:\n    x: int = 1",
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass f:\n    x: int = 1",
    ),
    "dataclass metadata": (
        "from dataclasses import *\n@dataclass\nclass f:\n    x: int = field(default=1, metadata={'a': 1})",
        "from dataclasses import *\n@dataclass\nclass f:\n    x: int = field(default=1, metadata={'a': 2})",
    ),
    "dataclass factory": (
        "from dataclasses import *\n@dataclass\nclass f:\n    x: list = field(default_factory=lambda: [1])",
        "from dataclasses import *\n@dataclass\nclass f:\n    x: list = field(default_factory=lambda: [2])",
    ),
    "enum value": ("import enum\nclass f(enum.Enum):\n    A = 1", "import enum\nclass f(enum.Enum):\n    A = 2"),
    "enum method": (
        "import enum\nclass f(enum.Enum):\n    A = 1\n    def m(s): return 1",
        "import enum\nclass f(enum.Enum):\n    A = 1\n    def m(s): return 2",
    ),
    "named tuple's fields": (
        "from collections import namedtuple\nf = namedtuple('f', 'a b')",
        "from collections import namedtuple\nf = namedtuple('f', 'a c')",
    ),
    "typed named tuple's default": (
        "from typing import NamedTuple\nclass f(NamedTuple):\n    a: int = 1",
        "from typing import NamedTuple\nclass f(NamedTuple):\n    a: int = 2",
    ),
    "instance's state": (
        "class C:\n    def __init__(s, x): s.x = x\nf = C(1)",
        "class C:\n    def __init__(s, x): s.x = x\nf = C(2)",
    ),
    "instance's class": (
        "class C:\n    def m(s): return 1\nf = C()",
        "class C:\n    def m(s): return 2\nf = C()",
    ),
    "constant behind an instance's class": (
        "K = 1\nclass C:\n    def m(s): return K\nf = C()",
        "K = 2\nclass C:\n    def m(s): return K\nf = C()",
    ),
    "callable instance as a decorator": (
        "class D:\n    def __init__(s, g): s.g = g\n    def __call__(s): return s.g()\n@D\ndef f(): return 1",
        "class D:\n    def __init__(s, g): s.g = g\n    def __call__(s): return s.g()\n@D\ndef f(): return 2",
    ),
    "bound method's object": (
        "class C:\n    def __init__(s, x): s.x = x\n    def m(s): return s.x\nf = C(1).m",
        "class C:\n    def __init__(s, x): s.x = x\n    def m(s): return s.x\nf = C(2).m",
    ),
    "bound method's code": (
        "class C:\n    def m(s): return 1\nf = C().m",
        "class C:\n    def m(s): return 2\nf = C().m",
    ),
    "method of a builtin": ("f = 'a'.join", "f = 'b'.join"),
    "annotated class": (
        "class A:\n    x = 1\nclass f:\n    a: A",
        "class A:\n    x = 2\nclass f:\n    a: A",
    ),
    "class annotated by name": (
        "from __future__ import annotations\nclass A:\n    x = 1\nclass f:\n    a: list[A]",
        "from __future__ import annotations\nclass A:\n    x = 2\nclass f:\n    a: list[A]",
    ),
    "function to constant": ("def f(): return 1", "f = 1"),
    "installed function for another": ("from math import sqrt as f", "from math import exp as f"),
    "installed function for one of another package": ("from math import sqrt as f", "from numpy import sqrt as f"),
    "module behind an alias": ("import json as f", "import pickle as f"),
    "submodule behind an alias": ("import xml.dom as f", "import xml.sax as f"),
    "module behind an alias in a helper": (
        "import json as m\ndef f(): return m.dumps(1)",
        "import pickle as m\ndef f(): return m.dumps(1)",
    ),
    "name that a helper misses": ("def f(): return g()", "def g(): return 1\ndef f(): return g()"),
    "shadowed builtin": ("def f(): return len('a')", "def len(x): return 0\ndef f(): return len('a')"),
    "mutual recursion": (
        "def f(n): return g(n - 1) if n else 1\ndef g(n): return f(n)",
        "def f(n): return g(n - 1) if n else 1\ndef g(n): return f(n) + 1",
    ),
    "recursion in closures": (
        "def make():\n    def a(n): return b(n)\n    def b(n): return a(n)\n    return a\nf = make()",
        "def make():\n    def a(n): return b(n)\n    def b(n): return a(n) + 1\n    return a\nf = make()",
    ),
    "generator": ("def f(): yield 1", "def f(): return 1"),
    "code made by exec": (
        "d = {}\nexec('def f(): return 1', d)\nf = d['f']",
        "d = {}\nexec('def f(): return 2', d)\nf = d['f']",
    ),
    "dtype of an array": ("import numpy\nf = numpy.array([1, 2])", "import numpy\nf = numpy.array([1.0, 2.0])"),
    "ufunc": ("from numpy import sin as f", "from numpy import cos as f"),
    "vectorized": ("import numpy\nf = numpy.vectorize(lambda x: x)", "import numpy\nf = numpy.vectorize(lambda x: -x)"),
    "operator": ("import operator\nf = operator.itemgetter(1)", "import operator\nf = operator.itemgetter(2)"),
}


@pytest.mark.parametrize("case", SAME)
def test_what_never_counts(case: str, notebook: Notebook) -> None:
    check(notebook, *SAME[case], expect="same")


@pytest.mark.parametrize("case", CHANGED)
def test_what_always_counts(case: str, notebook: Notebook) -> None:
    before, after = CHANGED[case]
    check(notebook, before, after, expect="changed")
    check(notebook, before, before, expect="same")


@pytest.mark.parametrize("case", CHANGED)
def test_code_without_source_is_as_good(case: str, notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbsteps.identity.sources._text", lambda _: "")
    before, after = CHANGED[case]
    check(notebook, before, after, expect="changed")
    check(notebook, before, before, expect="same")


def test_reasons_can_name_what_changed(notebook: Notebook) -> None:
    before = "K = 1\ndef g(): return K\ndef f(): return g()"
    assert changed(notebook, before, before.replace("K = 1", "K = 2")) == {"K"}
    assert changed(notebook, before, before.replace("return K", "return K + 1")) == {"g"}
    assert changed(notebook, before, before.replace("return g()", "return g() + 1")) == {"f"}
    assert changed(notebook, "class C:\n    x = 1\nf = C()", "class C:\n    x = 2\nf = C()") == {"C"}
