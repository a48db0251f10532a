"""The walk over statements: where control may go, and what is surely assigned when it gets there.

Two things are taken as people mean them: a ``with`` block runs to its end unless it is ``suppress(...)``, and a
``finally`` block is reached with what its ``try`` assigned, since after an error that nobody caught the cell failed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable
from typing import Any

from nbsteps.core import syntax
from nbsteps.core.assignments import Path, State, join
from nbsteps.core.flow import Flow
from nbsteps.core.scopes import Scope, alias_uses, class_header, class_uses, function_uses, merge


class _Loop:
    """Where control leaves a loop's body early."""

    __slots__ = ("breaks", "continues")

    def __init__(self) -> None:
        self.breaks: list[State] = []
        self.continues: list[State] = []


class Statements(Flow):
    """One walk over a module."""

    def __init__(self, *, lazy_annotations: bool = False) -> None:
        super().__init__()
        self.lazy_annotations = lazy_annotations
        self.loops: list[_Loop] = []

    def block(self, statements: Iterable[ast.stmt]) -> None:
        """Walk statements in order, up to where control cannot come."""
        for statement in statements:
            if self.path is None:
                return
            _STATEMENTS.get(type(statement), Flow.parts)(self, statement)


def _function(walk: Statements, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    walk.expressions([*node.decorator_list, *syntax.defaults(node.args)])
    names, bounds = syntax.type_parameters(node)
    uses = function_uses(node)
    outer, walk.shadow = walk.shadow, walk.shadow | names
    walk.expressions(bounds)
    if walk.lazy_annotations:
        written = Scope()
        written.collect(syntax.annotations_of(node))
        uses = merge(uses, written.uses(names))
    else:
        walk.expressions(syntax.annotations_of(node))
    walk.shadow = outer
    walk.store(node.name)
    walk.defs.add(node.name)
    walk.define(node.name, uses)


def _class(walk: Statements, node: ast.ClassDef) -> None:
    walk.expressions(node.decorator_list)
    walk.use_now(class_header(node))
    now, later = class_uses(node)
    walk.use_now(now)
    walk.store(node.name)
    walk.defs.add(node.name)
    walk.define(node.name, later)


def _type_alias(walk: Statements, node: Any) -> None:
    walk.store(node.name.id)
    walk.defs.add(node.name.id)
    walk.define(node.name.id, alias_uses(node))


def _assign(walk: Statements, node: ast.Assign) -> None:
    walk.assign(node.targets, node.value)


def _annotated(walk: Statements, node: ast.AnnAssign) -> None:
    if node.value is not None:
        walk.assign([node.target], node.value)
    elif not isinstance(node.target, ast.Name):
        walk.expression(node.target)
    if not walk.lazy_annotations:
        walk.expression(node.annotation)


def _augmented(walk: Statements, node: ast.AugAssign) -> None:
    if isinstance(node.target, ast.Name):
        walk.load(node.target.id)
        walk.expression(node.value)
        walk.store(node.target.id, candidate=True)
    else:
        walk.expression(node.target)
        walk.expression(node.value)


def _import(walk: Statements, node: ast.Import | ast.ImportFrom) -> None:
    for name, module in syntax.imported(node):
        if module == "__future__":
            continue
        walk.modules[module] = None
        if name == "*":
            walk.stars[module] = None
        else:
            walk.store(name)
            walk.imports[name] = module


def _if(walk: Statements, node: ast.If) -> None:
    holds, fails = walk.test(node.test)
    walk.go(holds)
    walk.block(node.body)
    after = walk.path
    walk.go(fails)
    walk.block(node.orelse)
    walk.go(join(after, walk.path))


def _assert(walk: Statements, node: ast.Assert) -> None:
    holds, fails = walk.test(node.test)
    if node.msg is not None and fails is not None:
        walk.go(fails)
        walk.expression(node.msg)
    walk.go(holds)


def _for(walk: Statements, node: ast.For | ast.AsyncFor) -> None:
    walk.awaits |= isinstance(node, ast.AsyncFor)
    walk.expression(node.iter)
    entry = walk.here()
    loop = _Loop()
    walk.loops.append(loop)
    walk.target(node.target, candidate=False)
    walk.block(node.body)
    walk.loops.pop()
    finished = walk.path
    for path in loop.continues:
        finished = join(finished, path)
    _leave_loop(walk, finished if _never_empty(node.iter) else _skipped(entry, finished), loop, node.orelse)


def _while(walk: Statements, node: ast.While) -> None:
    holds, fails = walk.test(node.test)
    loop = _Loop()
    walk.loops.append(loop)
    walk.go(holds)
    walk.block(node.body)
    walk.loops.pop()
    _leave_loop(walk, fails and _skipped(fails, walk.path), loop, node.orelse)


def _skipped(entry: Path, finished: Path) -> Path:
    """After a loop that may not have run at all."""
    return entry if finished is None else join(entry, finished)


def _leave_loop(walk: Statements, exhausted: Path, loop: _Loop, orelse: list[ast.stmt]) -> None:
    walk.go(exhausted)
    walk.block(orelse)
    after = walk.path
    for path in loop.breaks:
        after = join(after, path)
    walk.go(after)


def _never_empty(iterable: ast.expr) -> bool:
    """Whether a loop surely runs at least once: over a display with elements, ``range(3)``, a string."""
    if isinstance(iterable, ast.List | ast.Tuple | ast.Set):
        return any(not isinstance(element, ast.Starred) for element in iterable.elts)
    if isinstance(iterable, ast.Constant):
        return bool(iterable.value)
    if isinstance(iterable, ast.Call) and iterable.args:
        first = iterable.args[0]
        if isinstance(iterable.func, ast.Name) and iterable.func.id in {"enumerate", "sorted", "reversed", "list"}:
            return _never_empty(first)
        is_range = isinstance(iterable.func, ast.Name) and iterable.func.id == "range" and len(iterable.args) == 1
        return is_range and isinstance(first, ast.Constant) and isinstance(first.value, int) and first.value > 0
    return False


def _break(walk: Statements, node: ast.Break | ast.Continue) -> None:
    if walk.loops and walk.path is not None:
        loop = walk.loops[-1]
        (loop.breaks if isinstance(node, ast.Break) else loop.continues).append(walk.path)
    walk.stop()


def _raise(walk: Statements, node: ast.Raise | ast.Return) -> None:
    walk.parts(node)
    walk.stop()


def _try(walk: Statements, node: Any) -> None:
    start = walk.last.copy()
    left = len(walk.loops[-1].breaks) if walk.loops else 0
    walk.block(node.body)
    entry = State(start.bound, start.gone & walk.last.gone)
    walk.block(node.orelse)
    after = walk.path
    for handler in node.handlers:
        walk.go(entry.copy())
        _handler(walk, handler)
        after = join(after, walk.path)
    if node.finalbody:
        _finally(walk, node.finalbody, after, entry, left)
    else:
        walk.go(after)


def _handler(walk: Statements, handler: ast.ExceptHandler) -> None:
    if handler.type is not None:
        walk.expression(handler.type)
    if handler.name:
        # Python deletes the name when the handler ends, so it is bound here and written nowhere.
        walk.last.bound.add(handler.name)
    walk.block(handler.body)
    if handler.name and walk.path is not None:
        walk.path.bound.discard(handler.name)


def _finally(walk: Statements, body: list[ast.stmt], after: Path, entry: State, left: int) -> None:
    """Walk a ``finally`` block; what it reads on the way of an error is no matter: the cell fails then anyway."""
    early = walk.loops[-1].breaks[left:] if walk.loops else []
    for path in early if after is not None or early else [entry]:
        walk.go(path.copy())
        walk.block(body)
    walk.go(after)
    walk.block(body)


def _with(walk: Statements, node: ast.With | ast.AsyncWith) -> None:
    walk.awaits |= isinstance(node, ast.AsyncWith)
    suppresses = False
    for item in node.items:
        walk.expression(item.context_expr)
        call = item.context_expr
        suppresses |= isinstance(call, ast.Call) and syntax.method_name(call) == "suppress"
        if item.optional_vars is not None:
            walk.target(item.optional_vars, candidate=False)
    entry = walk.here()
    walk.block(node.body)
    # A context manager may swallow what its block raises: pytest.raises does.
    if suppresses or walk.path is None:
        walk.go(join(walk.path, entry))


def _match(walk: Statements, node: ast.Match) -> None:
    walk.expression(node.subject)
    entry: Path = walk.path
    after: Path = None
    for case in node.cases:
        if entry is None:
            break
        walk.go(entry.copy())
        _pattern(walk, case.pattern)
        if case.guard is not None:
            walk.go(walk.test(case.guard)[0])
        elif _catches_all(case.pattern):
            entry = None
        walk.block(case.body)
        after = join(after, walk.path)
    walk.go(join(after, entry))


def _pattern(walk: Statements, pattern: ast.pattern) -> None:
    for part in ast.walk(pattern):
        if isinstance(part, ast.MatchValue):
            walk.expression(part.value)
        elif isinstance(part, ast.MatchClass):
            walk.expression(part.cls)
        elif isinstance(part, ast.MatchMapping):
            walk.expressions(part.keys)
            if part.rest:
                walk.store(part.rest)
        elif isinstance(part, ast.MatchAs | ast.MatchStar) and part.name:
            walk.store(part.name)


def _catches_all(pattern: ast.pattern) -> bool:
    if isinstance(pattern, ast.MatchOr):
        return any(_catches_all(option) for option in pattern.patterns)
    return isinstance(pattern, ast.MatchAs) and (pattern.pattern is None or _catches_all(pattern.pattern))


_STATEMENTS: dict[type[ast.AST], Callable[[Any, Any], None]] = {
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.ClassDef: _class,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.If: _if,
    ast.Assert: _assert,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.Break: _break,
    ast.Continue: _break,
    ast.Raise: _raise,
    ast.Return: _raise,
    ast.Try: _try,
    ast.TryStar: _try,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Match: _match,
}
if sys.version_info >= (3, 12):
    _STATEMENTS[ast.TypeAlias] = _type_alias
