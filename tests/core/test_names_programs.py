"""Analysis beside execution: what generated programs see, and what the compiler says of the standard library."""

from __future__ import annotations

import argparse
import ast
import contextlib
import dataclasses
import difflib
import enum
import inspect
import symtable
import textwrap
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsteps.core.names import analyse
from nbsteps.core.scopes import function_uses

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
