"""What the expression of ``--when`` reads: variables, and how other steps ended."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from nbsteps.core.names import analyse

ELSE: Final = "else"
"""The ``--when`` of the member of a branch group that runs if no other did."""
QUESTIONS: Final = frozenset({"failed", "succeeded", "skipped"})
"""Functions that an expression may ask: each takes the name of a step and says whether it ended so."""
_CHANGES = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)


class Condition(NamedTuple):
    """An expression, understood.

    Attributes:
        names: variables that it reads.
        steps: steps whose end it asks for, in order.
        problem: why it cannot be evaluated, ``""`` for a good one.
    """

    names: frozenset[str] = frozenset()
    steps: tuple[str, ...] = ()
    problem: str = ""


@lru_cache(maxsize=1024)
def read_condition(text: str) -> Condition:
    """Understand the text of ``--when``; ``else`` reads nothing."""
    if text.strip() == ELSE:
        return Condition()
    try:
        tree = ast.parse(text.strip(), mode="eval")
        names = analyse(text.strip()).reads
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Condition(problem=f"{text!r} is no Python expression")
    for node in ast.walk(tree):
        if isinstance(node, _CHANGES):
            return Condition(problem=f"{text!r} does more than ask: a condition must not assign or wait")
    asked = {id(call.func): _answerable(call) for call in _questions(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in QUESTIONS and not asked.get(id(node)):
            return Condition(problem=f"{node.id} asks how a step ended and takes its name: {node.id}('step')")
    return Condition(names - QUESTIONS, tuple(dict.fromkeys(name for name in asked.values() if name)))


def _questions(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in QUESTIONS:
            yield node


def _answerable(call: ast.Call) -> str:
    """The step that a question names, ``""`` if it does not name one."""
    if len(call.args) != 1 or call.keywords:
        return ""
    name = call.args[0]
    return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else ""
