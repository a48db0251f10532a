"""Definite assignment over the statements of a cell: which global names it reads before it has surely assigned them.

The walk follows Python's order of evaluation and knows at each point the names that are surely assigned on every path
to it. Bodies of functions are looked at when their name is mentioned, since that is the first time they may run.
This module walks expressions, :mod:`nbsteps.core.statements` statements.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nbsteps.core import quoted, syntax
from nbsteps.core.assignments import Ledger, Path, join
from nbsteps.core.escapes import MAGIC
from nbsteps.core.scopes import Uses, function_uses

_WRAPPERS = frozenset({"partial", "partialmethod", "wraps", "cache", "lru_cache", "singledispatch", "vectorize", "jit"})
# Line magics that bind names or run code from elsewhere.
_FOREIGN = re.compile(r"%+(?:run|store\s+-r|pylab|rerun|recall|macro|load)\b")


class Flow(Ledger):
    """One walk over a module's expressions.

    Attributes:
        awaits: whether the module awaits outside functions.
        foreign: whether a magic runs code that cannot be seen here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.awaits = False
        self.foreign = False
        self.nested = 0

    def parts(self, node: ast.AST) -> None:
        """Walk all expressions directly below a node in order."""
        for child in syntax.children(node):
            self.expression(child)

    def expression(self, node: ast.AST) -> None:
        """Walk an expression in order of evaluation."""
        _EXPRESSIONS.get(type(node), Flow.parts)(self, node)

    def expressions(self, nodes: Iterable[ast.AST]) -> None:
        """Walk several expressions in order."""
        for node in nodes:
            self.expression(node)

    def test(self, node: ast.expr) -> tuple[Path, Path]:
        """Walk a condition: where it leads if it holds and where if it does not."""
        if isinstance(node, ast.BoolOp):
            return self._bool_test(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            holds, fails = self.test(node.operand)
            return fails, holds
        self.expression(node)
        if isinstance(node, ast.Constant):
            return (self.path, None) if node.value else (None, self.path)
        return self.path, self.here()

    def _bool_test(self, node: ast.BoolOp) -> tuple[Path, Path]:
        is_and = isinstance(node.op, ast.And)
        short: Path = None
        onward: Path = self.path
        for value in node.values:
            self.go(onward)
            if self.path is None:
                break
            holds, fails = self.test(value)
            onward, leave = (holds, fails) if is_and else (fails, holds)
            short = join(short, leave)
        return (onward, short) if is_and else (short, onward)

    def target(self, node: ast.expr, *, candidate: bool) -> None:
        """Assign to a target, which may be a pattern of names, attributes and items."""
        if isinstance(node, ast.Name):
            self.store(node.id, candidate=candidate)
        elif isinstance(node, ast.Tuple | ast.List):
            for element in node.elts:
                self.target(element, candidate=candidate)
        elif isinstance(node, ast.Starred):
            self.target(node.value, candidate=candidate)
        else:
            self.expression(node)

    def assign(self, targets: list[ast.expr], value: ast.expr) -> None:
        """Evaluate and assign; functions are followed through lambdas, aliases and wrappers."""
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if isinstance(value, ast.Lambda) and len(names) == len(targets):
            self.expressions(syntax.defaults(value.args))
            for name in names:
                self.store(name)
                self.defs.add(name)
                self.define(name, function_uses(value))
            return
        self.expression(value)
        followed = self._functions_in(value)
        for target in targets:
            self.target(target, candidate=True)
        if followed:
            for name in names:
                self.aliases[name] = self.aliases.get(name, frozenset()) | (followed - {name})

    def _functions_in(self, value: ast.expr) -> frozenset[str]:
        """Names in an assigned value through which functions may be reached: what calling the value may need."""
        if isinstance(value, ast.Name):
            return frozenset((value.id,))
        inside: list[ast.AST]
        if isinstance(value, ast.Call):
            wraps = syntax.method_name(value) in _WRAPPERS
            inside = [value] if wraps else [*value.args, *value.keywords]
        elif isinstance(value, ast.Dict | ast.List | ast.Tuple | ast.Set):
            wraps, inside = False, [value]
        else:
            return frozenset()
        if not (wraps or self.bodies or self.aliases):
            return frozenset()
        names = {node.id for part in inside for node in ast.walk(part) if isinstance(node, ast.Name)}
        return frozenset(names if wraps else names & (self.bodies.keys() | self.aliases.keys()))


def _name(flow: Flow, node: ast.Name) -> None:
    if isinstance(node.ctx, ast.Load):
        flow.load(node.id)
    elif isinstance(node.ctx, ast.Store):
        flow.store(node.id)
    else:
        flow.load(node.id)
        flow.last.bound.discard(node.id)
        flow.last.gone.add(node.id)


def _constant(flow: Flow, node: ast.Constant) -> None:
    """Nothing is read or assigned."""


def _part(flow: Flow, node: ast.Attribute | ast.Subscript) -> None:
    if not isinstance(node.ctx, ast.Load):
        root = syntax.root_name(node)
        if root and root not in flow.last.bound and root not in flow.shadow:
            flow.mutated.add(root)
    flow.expression(node.value)
    if isinstance(node, ast.Subscript):
        flow.expression(node.slice)


def _lambda(flow: Flow, node: ast.Lambda) -> None:
    flow.expressions(syntax.defaults(node.args))
    flow.use_now(function_uses(node))


def _named(flow: Flow, node: ast.NamedExpr) -> None:
    flow.expression(node.value)
    flow.store(node.target.id, candidate=flow.nested == 0)


def _comprehension(flow: Flow, node: syntax.Comprehension) -> None:
    generators = node.generators
    flow.awaits |= any(generator.is_async for generator in generators)
    flow.expression(generators[0].iter)
    shadow, bound = flow.shadow, flow.last.bound
    parts = (part for generator in generators for part in ast.walk(generator.target))
    flow.shadow = shadow.union(part.id for part in parts if isinstance(part, ast.Name))
    flow.last.bound = bound.copy()
    flow.nested += 1
    for generator in generators:
        if generator is not generators[0]:
            flow.expression(generator.iter)
        flow.expressions(generator.ifs)
    flow.expressions([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
    flow.nested -= 1
    flow.shadow, flow.last.bound = shadow, bound


def _await(flow: Flow, node: ast.Await) -> None:
    flow.awaits = True
    flow.expression(node.value)


def _call(flow: Flow, node: ast.Call) -> None:
    name = syntax.method_name(node)
    if name in quoted.METHODS:
        flow.use_now(Uses(reads=frozenset(quoted.mentioned(node))))
    elif name == MAGIC:
        _magic(flow, node)
    flow.parts(node)


def _magic(flow: Flow, node: ast.Call) -> None:
    text = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else ""
    flow.foreign |= isinstance(text, str) and _FOREIGN.match(text) is not None


def _binary(flow: Flow, node: ast.BinOp) -> None:
    # Long sums are deep on the left: a loop keeps them from exhausting the stack.
    rights: list[ast.expr] = [node.right]
    left = node.left
    while isinstance(left, ast.BinOp):
        rights.append(left.right)
        left = left.left
    flow.expression(left)
    flow.expressions(reversed(rights))


def _bool(flow: Flow, node: ast.BoolOp) -> None:
    holds, fails = flow.test(node)
    flow.go(join(holds, fails))


def _conditional(flow: Flow, node: ast.IfExp) -> None:
    after: Path = None
    for path, branch in zip(flow.test(node.test), (node.body, node.orelse), strict=True):
        flow.go(path)
        if path is not None:
            flow.expression(branch)
            after = join(after, flow.path)
    flow.go(after)


def _compare(flow: Flow, node: ast.Compare) -> None:
    flow.expression(node.left)
    flow.expression(node.comparators[0])
    if len(node.comparators) > 1:
        short = flow.here()
        flow.expressions(node.comparators[1:])
        flow.go(join(short, flow.path))


_EXPRESSIONS: Mapping[type[ast.AST], Callable[[Flow, Any], None]] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.Attribute: _part,
    ast.Subscript: _part,
    ast.Lambda: _lambda,
    ast.NamedExpr: _named,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.DictComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.Await: _await,
    ast.Call: _call,
    ast.BinOp: _binary,
    ast.BoolOp: _bool,
    ast.IfExp: _conditional,
    ast.Compare: _compare,
}
