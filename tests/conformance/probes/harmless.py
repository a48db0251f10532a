"""Changes that change nothing: the result must come back from the store."""

# ruff: noqa: E501 - a row of the table is one probe, however long

from __future__ import annotations

from tests.conformance.probe import Probe, step, work

BASE = (
    "import math",
    "RATE = 1.5\nUNUSED = 1",
    "def f(x):\n    return x * RATE\ndef unused(x):\n    return x + 1",
    step("load", "load = [1, 2, 3]"),
    work("total = sum(f(x) for x in load)\nresult = {'total': total, 'root': math.sqrt(total)}", "load"),
)


def same(name, old="", new="", again=None, **more):
    edits = {old: new} if old else {}
    return Probe(f"harmless/{name}", "restore", BASE, edits=edits, again=again, **more)


def harmless(name, cells, **more):
    return Probe(f"harmless/{name}", "restore", cells, **more)


PROBES = (
    same("nothing", sampled=True),
    same("comment in the body", "total = sum", "# why\ntotal = sum"),
    same("comment at the end of a line", "for x in load)", "for x in load)  # all of them"),
    same("blank lines", "\nresult =", "\n\n\nresult ="),
    same("spaces", "x in load", "x   in   load"),
    same("parentheses", "{'total': total, 'root': math.sqrt(total)}", "({'total': (total), 'root': math.sqrt((total))})"),
    same("line breaks", "{'total': total, 'root'", "{\n    'total': total,\n    'root'"),
    same("quotes", "'total'", '"total"'),
    same("docstring of a helper", "    return x * RATE", '    """Scale."""\n    return x * RATE'),
    same("comment in a helper", "    return x * RATE", "    # scale\n    return x * RATE"),
    same("formatting of a helper", "x * RATE", "(x*RATE)"),
    same("renamed step", again=(*BASE[:4], step("works", BASE[4].body, "load", "result")), changed_step="works"),
    same("renamed other step", again=(*BASE[:3], step("fetch", BASE[3].body, writes="load"), BASE[4])),
    same("moved cell", again=(BASE[3], BASE[2], BASE[1], BASE[0], BASE[4])),
    same("cells above", again=("a = 1", "b = a", step("other", "other = 5"), *BASE)),
    same("cells below", again=(*BASE, "print(result)", step("more", "more = result['total']", "result"))),
    same("split cells", again=(BASE[0], "RATE = 1.5", "UNUSED = 1", *BASE[2:])),
    same("merged cells", again=("\n".join(BASE[:3]), *BASE[3:])),
    same("unrelated cell", "UNUSED = 1", "UNUSED = 2"),
    same("unrelated helper", "return x + 1", "return x + 2"),
    same("another import", "import math", "import math, json"),
    same("other options", again=(*BASE[:4], work(BASE[4].body, "load", options="--owner ann --tags nightly"))),
    same("inputs declared", again=(*BASE[:4], work(BASE[4].body, "load", options="--in load --out result,total"))),
    same("expiry that is far away", again=(*BASE[:4], work(BASE[4].body, "load", options="--ttl 30d"))),
    same("constant computed another way", "RATE = 1.5", "RATE = 3 / 2"),
    same("upstream step rewritten", "load = [1, 2, 3]", "load = list(range(1, 4))", sampled=True),
    same("upstream step commented", "load = [1, 2, 3]", "# three\nload = [1, 2, 3]"),
    same("moved notebook", moved="sub/renamed.ipynb", sampled=True),
    same("moved project", moved="../elsewhere/project/analysis.ipynb"),
    same("executed twice", again=BASE, live=True),
    same("type comment", "total = sum(f(x) for x in load)", "total = sum(f(x) for x in load)  # type: float"),
    same("helper redefined the same", again=(BASE[2], BASE[4]), live=True),
    same("helper annotated", "def f(x):", "def f(x: float) -> float:", excused="annotations are run on by libraries"),
    same("local variable of a helper renamed", "def f(x):\n    return x * RATE", "def f(y):\n    return y * RATE", excused="a tree counts with its names"),
    same("statements in another order", "total = sum(f(x) for x in load)\n", "unused_here = 1\ntotal = sum(f(x) for x in load)\n", excused="the body's tree counts as a whole"),
    harmless("docstring of a class", ("class C:\n    n = 1", work("result = C.n")), edits={"    n = 1": '    """C."""\n    n = 1'}),
    harmless("docstring of a method", ("class C:\n    def f(self):\n        return 1", work("result = C().f()")), edits={"        return 1": '        """One."""\n        return 1'}),
    harmless("docstring of a decorated helper", ("import functools\ndef deco(f):\n    @functools.wraps(f)\n    def w():\n        return f()\n    return w\n@deco\ndef f():\n    return 1", work("result = f()")), edits={"    return 1": '    """One."""\n    return 1'}),
    harmless("moved definition of a class", ("class C:\n    def f(self):\n        return 1", work("result = C().f()")), edits={"class C": "\n\n# moved down\nclass C"}),
    harmless("order of methods", ("class C:\n    def f(self):\n        return 1\n    def g(self):\n        return 2", work("result = C().f()")), again=("class C:\n    def g(self):\n        return 2\n    def f(self):\n        return 1", work("result = C().f()"))),
    harmless("lambda moved within its line", ("f = lambda x: x + 1", work("result = f(1)")), edits={"f = lambda x: x + 1": "g = 5; f = lambda x: x + 1"}),
    harmless("two lambdas on a line, the other edited", ("f, g = lambda x: x + 1, lambda x: x + 10", work("result = f(1)")), edits={"+ 10": "+ 20"}),
    harmless("order of keyword arguments of a partial", ("from functools import partial\np = partial(dict, a=1, b=2)", work("result = sorted(p())")), edits={"a=1, b=2": "b=2, a=1"}, excused="the order of keywords can be seen"),
    harmless("enum", ("from enum import Enum\nclass E(Enum):\n    A = 1\nchoice = E.A", work("result = choice.value"))),
    harmless("dataclass", ("from dataclasses import dataclass, field\n@dataclass\nclass D:\n    n: int = 1\n    m: list = field(default_factory=list)\nd = D()", work("result = d.n"))),
    harmless("named tuple", ("from typing import NamedTuple\nclass P(NamedTuple):\n    x: int = 1\np = P()", work("result = p.x"))),
    harmless("abstract class", ("from abc import ABC, abstractmethod\nclass B(ABC):\n    @abstractmethod\n    def f(self): ...\nclass C(B):\n    def f(self):\n        return 1\nc = C()", work("result = c.f() + isinstance(c, B)"))),
    harmless("generic class", ("from typing import Generic, TypeVar\nT = TypeVar('T')\nclass Box(Generic[T]):\n    n = 1", work("result = Box[int]().n"))),
    harmless("protocol", ("from typing import Protocol\nclass P(Protocol):\n    def f(self) -> int: ...\nclass C:\n    def f(self):\n        return 1\nc: P = C()", work("result = c.f()"))),
    harmless("cached function after calls", ("from functools import cache\n@cache\ndef f(x):\n    return x + 1\nf(1)", work("result = f(2)"))),
    harmless("singledispatch after calls", ("from functools import singledispatch\n@singledispatch\ndef f(x):\n    return 0\nf(1)", work("result = f(2)"))),
    harmless("cached_property after use", ("from functools import cached_property\nclass C:\n    @cached_property\n    def v(self):\n        return 1", work("result = C().v"))),
    harmless("context manager", ("from contextlib import contextmanager\n@contextmanager\ndef ctx():\n    yield 1", work("with ctx() as v:\n    result = v"))),
    harmless("attrs class", ("import attrs\n@attrs.define\nclass A:\n    n: int = 1\na = A()", work("result = a.n"))),
    harmless("logger", ("import logging\nlog = logging.getLogger('probe')", work("log.info('x')\nresult = 1"))),
    harmless("pattern", ("import re\npattern = re.compile('a+')", work("result = pattern.findall('aab')"))),
    harmless("path", ("from pathlib import Path\nplace = Path('data')", work("result = str(place / 'x')"))),
    harmless("installed module", ("import numpy as np, pandas as pd", work("result = pd.Series(np.arange(3)).sum()"))),
    harmless("figure", ("import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt", work("fig, ax = plt.subplots()\nax.plot([1, 2])\nplt.close(fig)\nresult = 1")), sampled=False),
    harmless("figure from a module imported by the body", (work("import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nplt.close(fig)\nresult = 1"),), level="process"),
    harmless("fitted model", ("from sklearn.linear_model import LinearRegression", step("model", "model = LinearRegression().fit([[0], [1]], [0, 1])"), work("result = model.predict([[2]]).tolist()", "model"))),
    harmless("printing", (work("print('hello')\nresult = 1"),)),
    harmless("result None", (work("result = None"),)),
    harmless("async helper", ("import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 1", work("result = await f()"))),
    harmless("recursion", ("def f(n):\n    return 1 if n == 0 else n * f(n - 1)", work("result = f(5)"))),
    harmless("threads", ("from concurrent.futures import ThreadPoolExecutor\ndef f(x):\n    return x + 1", work("with ThreadPoolExecutor() as pool:\n    result = list(pool.map(f, [1, 2]))"))),
    harmless("random numbers without a seed", ("import random", work("result = random.random() < 2"))),
    harmless("time", ("import time", work("result = time.time() > 0"))),
    harmless("warnings", ("import warnings\nwarnings.simplefilter('ignore')", work("warnings.warn('x')\nresult = 1"))),
    harmless("progress bar", (work("for i in range(3):\n    print(i, end='\\r')\nresult = 1"),)),
)  # fmt: skip
