"""What the expression of ``--when`` reads: variables, and how other steps ended."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Final, NamedTuple

from nbsteps.core.model import StepOptions
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
        questions: pairs of question and step: how it asks which step ended, in order.
        problem: why it cannot be evaluated, ``""`` for a good one.
    """

    names: frozenset[str] = frozenset()
    questions: tuple[tuple[str, str], ...] = ()
    problem: str = ""

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that it asks about."""
        return tuple(dict.fromkeys(step for _, step in self.questions))


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
    asked = {id(call.func): pair for call in ast.walk(tree) if isinstance(call, ast.Call) and (pair := _question(call))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in QUESTIONS and id(node) not in asked:
            return Condition(problem=f"{node.id} asks how a step ended and takes its name: {node.id}('step')")
    return Condition(names - QUESTIONS, tuple(dict.fromkeys(asked.values())))


def _question(call: ast.Call) -> tuple[str, str] | None:
    """A question and the step that it names; None for another call, or for one that names no step."""
    if not isinstance(call.func, ast.Name) or call.func.id not in QUESTIONS or call.keywords or len(call.args) != 1:
        return None
    match call.args[0]:
        case ast.Constant(value=str(step)):
            return call.func.id, step
    return None


def is_default(options: StepOptions) -> bool:
    """Whether a member of a branch group runs whenever its turn comes."""
    return bool(options.branch) and options.when.strip() in {"", ELSE}
