"""Cells -> drafts: each cell understood by itself, before any other cell is known."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache

from nbsteps.core import names as name_analysis
from nbsteps.core.errors import Problem
from nbsteps.core.model import Cell, StepOptions
from nbsteps.core.names import Names
from nbsteps.core.options import parse_line
from nbsteps.core.source import nested_magic, parse, split_cell

NOTHING = name_analysis.analyse("")
PARAMETER_TAGS = frozenset({"parameters", "injected-parameters"})


@dataclass(frozen=True, slots=True)
class Context:
    """A context cell, understood.

    Attributes:
        index: position among the code cells.
        names: what it reads and writes; nothing where it does not parse.
        touched: names on which a statement calls a method (``sys.path.append(...)``), which may change them.
        parameters: whether papermill's tag marks it.
    """

    cell: Cell
    index: int
    names: Names
    touched: frozenset[str]
    parameters: bool

    @property
    def shapes(self) -> frozenset[str]:
        """Every name whose value this cell makes or may change."""
        return self.names.writes | self.names.mutated | self.touched


@dataclass(frozen=True, slots=True)
class Draft:
    """A step cell by itself: inputs and outputs are still as written or as its own text suggests.

    ``opaque`` is true where the body's names cannot be seen (a nested cell magic, a body that does not parse).
    """

    cell: Cell
    index: int
    name: str
    body: str
    line_offset: int
    options: StepOptions
    names: Names
    opaque: bool
    problems: tuple[Problem, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Declared outputs, else those that the body's public assignments suggest; mutated inputs follow."""
        declared = self.options.outputs
        found = self.names.assigned if declared is None else declared
        return tuple(dict.fromkeys((*found, *self.options.mutates)))


@lru_cache(maxsize=8192)
def understand(cell: Cell, index: int) -> tuple[Draft | Context, tuple[Problem, ...]]:
    """Turn one cell into a draft step or a context cell, with the problems of its own text."""
    split = split_cell(cell.source)
    if split is None:
        return _context(cell, index)
    parsed = parse_line(split.line)
    problems = [Problem(parsed.name, cell.label, message, hint) for message, hint in parsed.messages]
    names, opaque = NOTHING, True
    if nested_magic(split.body) is None:
        try:
            names, opaque = name_analysis.analyse(split.body), False
        except SyntaxError as error:
            problems.append(_syntax_problem(parsed.name, cell, error, split.line_offset))
    draft = Draft(
        cell=cell,
        index=index,
        name=parsed.name,
        body=split.body,
        line_offset=split.line_offset,
        options=parsed.options,
        names=names,
        opaque=opaque,
        problems=tuple(problems),
    )
    return draft, draft.problems


def _context(cell: Cell, index: int) -> tuple[Context, tuple[Problem, ...]]:
    problems: tuple[Problem, ...] = ()
    names, touched = NOTHING, frozenset[str]()
    if nested_magic(cell.source) is None:
        try:
            names = name_analysis.analyse(cell.source)
            touched = _touched(cell.source)
        except SyntaxError as error:
            found = _syntax_problem("", cell, error, 0)
            problems = (Problem("", cell.label, found.message, found.hint, severity="warning"),)
    parameters = not PARAMETER_TAGS.isdisjoint(cell.tags)
    return Context(cell, index, names, touched, parameters), problems


def _syntax_problem(step: str, cell: Cell, error: SyntaxError, offset: int) -> Problem:
    line = (error.lineno or 1) + offset
    shown = (error.text or "").strip()
    message = f"the body does not parse: {error.msg}, line {line}"
    if shown:
        message += f": {shown}"
    return Problem(step, cell.label, message, f"mend line {line} of {cell.label}")


def _touched(source: str) -> frozenset[str]:
    """Names at the root of method calls that stand as statements at the top level."""
    found = set[str]()
    for statement in ast.walk(parse(source)):
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            root: ast.expr = statement.value.func
            while isinstance(root, ast.Attribute | ast.Subscript | ast.Call):
                root = root.func if isinstance(root, ast.Call) else root.value
            if isinstance(root, ast.Name) and root is not statement.value.func:
                found.add(root.id)
    found.discard("get_ipython")
    return frozenset(found)
