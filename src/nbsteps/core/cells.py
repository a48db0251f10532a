"""Cells -> drafts: each cell understood by itself, before any other cell is known."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache

from nbsteps.core import names as name_analysis
from nbsteps.core.errors import Problem
from nbsteps.core.findings import finding
from nbsteps.core.model import Cell, StepOptions
from nbsteps.core.names import Names
from nbsteps.core.options import format_line, parse_line
from nbsteps.core.policy_checks import own_problems
from nbsteps.core.source import PYTHON_BELOW, StepSource, nested_magic, parse, split_cell, stray_tag
from nbsteps.core.terms import NO_TERMS, Terms, terms

NOTHING = name_analysis.analyse("")
PARAMETER_TAGS = frozenset({"parameters", "injected-parameters"})
ANY = "*"
"""Stands for the names that nobody can see a cell assign: a star import, ``%run``, ``exec``."""
MAGIC_LINE = "%%step "
_NO_NAMES: frozenset[str] = frozenset()
_LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """A context cell, understood.

    Attributes:
        index: position among the code cells.
        names: what it reads and writes; nothing where it does not parse.
        touched: names on which a statement calls a method (``sys.path.append(...)``), which may change them.
        shapes: every name whose value this cell makes or may change; :data:`ANY` where it hides some.
        needs: names that must be there when it is executed; what its functions read is among them only where it
            calls them itself.
        parameters: whether papermill's tag marks it.
    """

    cell: Cell
    index: int
    names: Names
    touched: frozenset[str]
    shapes: frozenset[str]
    needs: frozenset[str]
    parameters: bool


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A step cell by itself: inputs and outputs are still as written or as its own text suggests.

    Attributes:
        index: position among the code cells.
        opaque: whether the body's names cannot be seen (another language below a nested magic, a body that does not
            parse), so that inputs and outputs are taken as declared.
        firm: variables that it must have assigned at its end: declared, or surely assigned; mutated inputs follow.
        unable: declared outputs that the body is seen not to assign.
        maybe: variables that it assigns on some paths only, and that it would have to keep if another cell reads them.
        reads: names that it reads from outside, declared or seen, without those of ``--ignore``.
        doubtful: names that it reads only after it may have assigned them itself, none of them in ``reads``.
        terms: what its options refer to, beyond the body.
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
    firm: tuple[str, ...]
    unable: tuple[str, ...]
    maybe: tuple[str, ...]
    reads: frozenset[str]
    doubtful: frozenset[str]
    terms: Terms

    def line(self, **changes: object) -> str:
        """The magic line with some options changed."""
        import dataclasses  # noqa: PLC0415 - only for a message

        return MAGIC_LINE + format_line(self.name, dataclasses.replace(self.options, **changes))  # type: ignore[arg-type]


@lru_cache(maxsize=8192)
def understand(cell: Cell, index: int) -> tuple[Draft | Context, tuple[Problem, ...]]:
    """Turn one cell into a draft step or a context cell, with the problems of its own text."""
    split = split_cell(cell.source)
    return _context(cell, index) if split is None else _step(cell, index, split)


def _step(cell: Cell, index: int, split: StepSource) -> tuple[Draft, tuple[Problem, ...]]:
    name, options, messages = parse_line(split.line)
    problems = tuple(Problem(name, cell.label, text, _whole(hint, options)) for text, hint in messages)
    names, opaque = NOTHING, _is_foreign(split.body)
    try:
        names = name_analysis.analyse(split.body)
    except SyntaxError as error:
        if not opaque:
            problems += (_syntax_problem(name, cell, error, split.line_offset),)
        opaque = True
    if names.stars:
        problems += (_star_problem(name, cell, names),)
    problems += _stray(name, cell, split.body, split.line_offset)
    referred = terms(options)
    reads, doubtful = _reads(names, options)
    firm, maybe = _outputs(names, options)
    if referred is not NO_TERMS:
        reads = reads.difference(referred.bound).union(referred.items)
        doubtful -= referred.bound
        firm, maybe = (tuple(n for n in found if n not in referred.bound) for found in (firm, maybe))
    hidden = opaque or names.dynamic or bool(names.stars)
    problems += own_problems(name, cell.label, options, names.reads, opaque=hidden)
    draft = Draft(
        cell=cell,
        index=index,
        name=name,
        body=split.body,
        line_offset=split.line_offset,
        options=options,
        names=names,
        opaque=opaque,
        problems=problems,
        firm=firm,
        unable=() if hidden or not options.outputs else _unable(names, options),
        maybe=maybe,
        reads=reads,
        doubtful=doubtful,
        terms=referred,
    )
    return draft, problems


def _is_foreign(text: str) -> bool:
    """Whether the text below a cell magic is no Python, or Python that runs elsewhere."""
    nested = nested_magic(text)
    return nested is not None and nested[0] not in PYTHON_BELOW


def _whole(hint: str, options: StepOptions) -> str:
    """A hint that is a magic line, with the options that were understood."""
    return MAGIC_LINE + format_line(hint[len(MAGIC_LINE) :], options) if hint.startswith(MAGIC_LINE) else hint


def _reads(names: Names, options: StepOptions) -> tuple[frozenset[str], frozenset[str]]:
    """What a step surely reads from outside, and what it reads only where it did not assign it itself."""
    declared = options.inputs
    reads, doubtful = names.reads, _NO_NAMES
    if names.unsure:
        doubtful = (names.unsure & names.writes).difference(declared or (), options.mutates, options.ignore)
        reads -= doubtful
    if declared or options.mutates:
        reads = reads.union(declared or (), options.mutates)
    return reads.difference(options.ignore) if options.ignore else reads, doubtful


def _outputs(names: Names, options: StepOptions) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Variables that the step must have assigned, and those that it may have."""
    firm = names.assigned if options.outputs is None else options.outputs
    maybe: tuple[str, ...] = ()
    if options.outputs is None and not names.definite.issuperset(firm):
        maybe = tuple(name for name in firm if name not in names.definite and name not in options.mutates)
        firm = tuple(name for name in firm if name in names.definite)
    return tuple(dict.fromkeys((*firm, *options.mutates))) if options.mutates else firm, maybe


def _unable(names: Names, options: StepOptions) -> tuple[str, ...]:
    able = names.writes.union(options.mutates)
    return tuple(name for name in options.outputs or () if name not in able)


def _context(cell: Cell, index: int) -> tuple[Context, tuple[Problem, ...]]:
    problems: tuple[Problem, ...] = ()
    names, touched, loads = NOTHING, _NO_NAMES, _NO_NAMES
    try:
        names = name_analysis.analyse(cell.source)
        touched, loads = _at_once(cell.source)
    except SyntaxError as error:
        if not _is_foreign(cell.source):
            found = _syntax_problem("", cell, error, 0)
            problems = (Problem("", cell.label, found.message, found.hint, severity="warning"),)
    problems += _stray("", cell, cell.source, 0)
    shapes = names.writes | names.mutated | touched
    later = _later(names, loads) if names.deferred else _NO_NAMES
    context = Context(
        cell=cell,
        index=index,
        names=names,
        touched=touched,
        shapes=shapes | {ANY} if names.stars or names.dynamic else shapes,
        needs=(names.reads - later) | names.mutated | touched,
        parameters=not PARAMETER_TAGS.isdisjoint(cell.tags),
    )
    return context, problems


def _later(names: Names, loads: frozenset[str]) -> frozenset[str]:
    """Names that only functions read which the cell does not call itself."""
    called = set(loads)
    waiting = list(loads.intersection(names.deferred))
    while waiting:
        fresh = names.deferred[waiting.pop()] - called
        called |= fresh
        waiting += fresh.intersection(names.deferred)
    return _NO_NAMES.union(*names.deferred.values()) - called


def _syntax_problem(step: str, cell: Cell, error: SyntaxError, offset: int) -> Problem:
    line = (error.lineno or 1) + offset
    shown = (error.text or "").strip()
    message = f"the body does not parse: {error.msg}, line {line}"
    if shown:
        message += f": {shown}"
    return Problem(step, cell.label, message, f"mend line {line} of {cell.label}")


def _stray(step: str, cell: Cell, text: str, offset: int) -> tuple[Problem, ...]:
    """A ``%%step`` that IPython would not understand, since it is not the cell's first line."""
    found = stray_tag(text)
    if found is None:
        return ()
    line, tag = found[0] + offset, found[1]
    if step:
        message = f"another %%step stands in line {line}: a cell is one step"
        return (Problem(step, cell.label, message, f"split {cell.label} above line {line}: {tag}"),)
    message = f"%%step stands in line {line}, and only the first line of a cell makes it a step"
    return (Problem(step, cell.label, message, f"move this line to the top of {cell.label}: {tag}"),)


def _star_problem(step: str, cell: Cell, names: Names) -> Problem:
    module = names.stars[0]
    message = f"from {module} import * hides which names the body assigns, so inputs and outputs may be missed"
    return Problem(step, cell.label, message, f"import by name: from {module} import ...", severity="warning")


@finding(lambda found: [sorted(names) for names in found], lambda lists: (frozenset(lists[0]), frozenset(lists[1])))
def _at_once(source: str) -> tuple[frozenset[str], frozenset[str]]:
    """Names that statements call methods on, and names that the cell reads while it is executed.

    What stands in a function happens when it is called: its method calls count where they are on global names, its
    reads do not.
    """
    touched, later, loads = set[str](), set[str](), set[str]()
    waiting: list[tuple[ast.AST, bool]] = [(parse(source), True)]
    while waiting:
        node, now = waiting.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            (touched if now else later).update(_receiver(node.value))
        elif now and isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            loads.add(node.id)
        inner = set(map(id, _body(node))) if isinstance(node, _LATER) else ()
        waiting += [(child, now and id(child) not in inner) for child in ast.iter_child_nodes(node)]
    touched.discard("get_ipython")
    return frozenset(touched | (later & name_analysis.analyse(source).reads)), frozenset(loads)


def _body(function: ast.AST) -> list[ast.AST]:
    """The parts of a function or lambda that are executed when it is called."""
    assert isinstance(function, _LATER)  # noqa: S101 - narrows the type for the checker
    return [function.body] if isinstance(function, ast.Lambda) else list[ast.AST](function.body)


def _receiver(call: ast.Call) -> tuple[str, ...]:
    """The name at the root of a method call: ``sys`` of ``sys.path.append(...)``."""
    root: ast.expr = call.func
    while isinstance(root, ast.Attribute | ast.Subscript | ast.Call):
        root = root.func if isinstance(root, ast.Call) else root.value
    return (root.id,) if isinstance(root, ast.Name) and root is not call.func else ()
