"""What a closure of names comes to: parts, variables of steps, and what has no content."""

from __future__ import annotations

import linecache
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from nbsteps.core.model import Part, PartKind
from nbsteps.identity.code import Closure, CodeContext, closure, module_package
from nbsteps.identity.content import digest

CONTEXT = CodeContext()
Notebook = Callable[..., dict[str, Any]]


def close(namespace: dict[str, Any], *reads: str, **options: Any) -> Closure:
    return closure(reads, namespace, **{"stop": (), "context": CONTEXT, **options})


def key(found: Closure) -> set[tuple[str, str, str]]:
    assert not found.uncacheable
    return {(part.kind, part.name, part.digest) for part in found.parts}


def part(found: Closure, name: str) -> Part:
    return next(each for each in found.parts if each.name == name)


def test_parts_say_what_they_stand_for(notebook: Notebook) -> None:
    found = close(
        notebook("import numpy as np\nK = 3\nP = 'day'\ndef f(x):\n    return np.sin(x) * K"),
        *("f", "P", "len", "absent"),
        parameters={"P"},
    )
    assert (part(found, "f").kind, part(found, "f").detail) == (
        PartKind.HELPER,
        "def f(x):\n    return np.sin(x) * K",
    )
    assert (part(found, "K").kind, part(found, "K").role, part(found, "K").detail) == (
        PartKind.VALUE,
        "constant",
        "int 3",
    )
    assert part(found, "P").role == "parameter"
    assert part(found, "numpy").kind == PartKind.PACKAGE
    assert part(found, "absent").detail == "missing"
    assert "len" not in {each.name for each in found.parts}


def test_variables_of_steps_are_collected_and_not_followed(notebook: Notebook) -> None:
    namespace = notebook("raw = object()\ndef f(): return raw")
    found = close(namespace, "f", "other", stop={"raw", "other"})
    assert found.reached == {"raw", "other"}
    assert {each.name for each in found.parts} == {"f"}
    assert not found.uncacheable


def test_ignored_names_do_not_count(notebook: Notebook) -> None:
    namespace = notebook("import threading\nlock = threading.Lock()\ndef f(): return lock")
    assert close(namespace, "f").uncacheable
    found = close(namespace, "f", "raw", stop={"raw"}, ignore={"lock", "raw"})
    assert (found.uncacheable, found.reached) == ((), frozenset())


@pytest.mark.parametrize(
    "cell",
    [
        "conn = C",
        "def conn(x=C): return x",
        "def make(c):\n    def g(): return c\n    return g\nconn = make(C)",
        "class conn:\n    c = C",
        "import functools\nconn = functools.partial(print, C)",
        "conn = [C]",
    ],
)
def test_what_has_no_content_is_named(cell: str, notebook: Notebook) -> None:
    connection = sqlite3.connect(":memory:")
    try:
        namespace = notebook(cell, C=connection)
        (text,) = close(namespace, "conn").uncacheable
    finally:
        connection.close()
    assert text.startswith("conn: sqlite3.Connection")
    assert "no content digest" in text


def test_a_constant_with_no_content_behind_a_helper_is_named_itself(notebook: Notebook) -> None:
    namespace = notebook("lock = (i for i in 'a')\ndef f(): return lock")
    (text,) = close(namespace, "f").uncacheable
    assert text.startswith("lock: generator")


def test_what_the_shell_put_into_the_names_does_not_count() -> None:
    from IPython.core.autocall import ExitAutocall

    assert close({"__name__": "__main__", "exit": ExitAutocall()}, "exit") == Closure()


def test_nothing_is_read_where_all_is_inputs() -> None:
    assert close({}, "a", "len", stop={"a"}) == Closure(reached=frozenset({"a"}))


def test_two_kernels_agree(notebook: Notebook) -> None:
    cell = "K = {'a', 'b', 'c'}\nclass C:\n    k = K\n    def m(s): return K\nx = C()\ndef f(a=C, b=x): return x"
    assert key(close(notebook(cell), "f", "C", "x")) == key(close(notebook(cell), "x", "C", "f"))


def test_mutated_source_is_not_believed(notebook: Notebook) -> None:
    namespace = notebook("def f(): return 1")
    before = key(close(namespace, "f"))
    name = namespace["f"].__code__.co_filename
    edited = notebook("def f(): return 2")
    linecache.cache[edited["f"].__code__.co_filename] = linecache.cache[name]
    assert key(close(edited, "f")) != before


def test_the_shells_own_open_is_the_builtin() -> None:
    from IPython.core.interactiveshell import _modified_open

    assert close({"__name__": "__main__", "open": _modified_open}, "open") == Closure()


def test_two_names_of_one_module_give_one_reason(notebook: Notebook) -> None:
    namespace = notebook("import types\na = b = types.ModuleType('made_up')")
    assert len(close(namespace, "a", "b").uncacheable) == 1


@pytest.mark.parametrize(
    ("module", "env", "expect"),
    [("numpy", "minor", "numpy"), ("numpy", "off", None), ("builtins", "minor", None), ("", "minor", None)],
)
def test_packages_of_modules(module: str, env: str, expect: str | None) -> None:
    part = module_package(module, CodeContext(env=env))
    assert (part and part.name) == expect


def test_pickling_an_instance_leaves_its_class_alike() -> None:
    class Bag(set):  # type: ignore[type-arg]
        """``copyreg`` caches the names of slots in a class when the first instance is reduced."""

    before = digest(Bag([1]))
    Bag([1]).__reduce_ex__(4)
    assert digest(Bag([1])) == before
