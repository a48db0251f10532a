"""Which steps an edited context cell concerns: those that read what its new statements make."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_BINDERS: Final = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a cell.

    Attributes:
        text: the same for statements that differ in comments and layout only.
        binds: the names that it makes; None where it may do anything.
        reads: every name that it mentions.
    """

    text: str
    binds: frozenset[str] | None
    reads: frozenset[str]


@lru_cache(maxsize=512)
def statements(source: str) -> tuple[Statement, ...]:
    """The statements of a cell; one for all of it where it is no plain Python."""
    try:
        return tuple(map(_statement, ast.parse(source).body))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return (Statement(source.strip(), None, frozenset()),)


def _statement(node: ast.stmt) -> Statement:
    reads = frozenset(part.id for part in ast.walk(node) if isinstance(part, ast.Name))
    says_nothing = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    binds = frozenset(_made(node)) if isinstance(node, _BINDERS) or says_nothing else None
    return Statement(ast.dump(node), binds, reads)


def _made(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.Import() | ast.ImportFrom():
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Assign():
            yield from _stored(node.targets)
        case _:
            pass


def _stored(targets: Iterable[ast.expr]) -> Iterator[str]:
    """Names that are assigned, and those whose parts are: ``a.b = 1`` changes ``a``."""
    for target in targets:
        yield from (part.id for part in ast.walk(target) if isinstance(part, ast.Name))


def texts(sources: Iterable[str]) -> frozenset[str]:
    """The statements that were executed with these cells."""
    return frozenset(statement.text for source in sources for statement in statements(source))


def concerns(source: str, executed: frozenset[str], wanted: Iterable[str]) -> bool:
    """Whether something is new in a cell that makes, through other statements of it or not, one of these names.

    Args:
        source: of the cell as it is now.
        executed: the statements that were executed.
        wanted: names that the cell is needed for.
    """
    found = statements(source)
    if any(each.binds is None and each.text not in executed for each in found):
        return True
    names, before = frozenset(wanted), frozenset[str]()
    while names != before:
        before = names
        names = names.union(*(each.reads for each in found if each.binds and not each.binds.isdisjoint(names)))
    return any(
        each.text not in executed and bool(each.binds) and not names.isdisjoint(each.binds or ()) for each in found
    )
