"""What the body of a function, lambda or comprehension takes from the module's namespace, whenever it may run.

Order does not matter here: a name that a function binds anywhere is local to all of it. What a function reads, writes
and changes globally is collected without regard to order; :mod:`nbsteps.core.flow` decides when that happens.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from nbsteps.core import quoted, syntax
from nbsteps.core.escapes import MAGIC


@dataclass(frozen=True, slots=True)
class Uses:
    """What code that runs later takes from outside itself.

    Attributes:
        reads: names that it may read and does not bind itself.
        surely_global: those of ``reads`` that are global whatever encloses the code (``global x``).
        writes: module-level names that it may assign, through ``global``.
        mutated: names from outside whose attributes or items it assigns or deletes.
        modules: dotted modules that it imports.
    """

    reads: frozenset[str] = frozenset()
    surely_global: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    mutated: frozenset[str] = frozenset()
    modules: tuple[str, ...] = ()


NOTHING = Uses()


def merge(first: Uses, second: Uses) -> Uses:
    """Both together."""
    return Uses(
        first.reads | second.reads,
        first.surely_global | second.surely_global,
        first.writes | second.writes,
        first.mutated | second.mutated,
        first.modules + second.modules,
    )


def function_uses(node: syntax.Function) -> Uses:
    """What the body of a function or lambda uses when it is called; defaults and decorators are not its body."""
    scope = Scope()
    scope.stores.update(argument.arg for argument in syntax.parameters(node.args))
    scope.collect([node.body] if isinstance(node, ast.Lambda) else node.body)
    names, _ = syntax.type_parameters(node)
    return scope.uses(names)


def comprehension_uses(node: syntax.Comprehension) -> tuple[Uses, set[str]]:
    """What a comprehension uses apart from its first iterable, and the names that ``:=`` in it binds outside it."""
    scope = Scope(comprehension=True)
    for position, generator in enumerate(node.generators):
        scope.collect([generator.target, *generator.ifs, *([generator.iter] if position else [])])
    scope.collect([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
    return scope.uses(), scope.walrus


def class_header(node: ast.ClassDef) -> Uses:
    """What the bases, keywords and type parameters of a class statement use; they belong to the scope around it."""
    names, bounds = syntax.type_parameters(node)
    header = Scope()
    header.collect([*bounds, *node.bases, *node.keywords])
    return header.uses(names)


def class_uses(node: ast.ClassDef) -> tuple[Uses, Uses]:
    """What a class body uses when it is executed, and what its methods use when they are called.

    A name that the class has not bound for sure is looked up outside it; functions in it never see its names.
    """
    names, _ = syntax.type_parameters(node)
    now, later, bound, declared = NOTHING, NOTHING, set[str](), set[str]()
    for statement in node.body:
        scope = Scope(class_body=True)
        scope.globals = declared
        scope.collect([statement])
        inner = scope.uses(names)
        hidden = bound - scope.beyond - inner.surely_global
        now = merge(now, replace(inner, reads=inner.reads - hidden, mutated=inner.mutated - bound))
        later = merge(later, scope.later)
        if isinstance(statement, _BINDERS):
            bound |= scope.stores - declared
    return now, without(later, names | {"__class__"})


def without(uses: Uses, names: frozenset[str]) -> Uses:
    """The same, apart from names that something in between binds."""
    return replace(uses, reads=uses.reads - names | uses.surely_global, mutated=uses.mutated - names)


class Scope:
    """One scope being collected: a function, a comprehension, or one statement of a class body.

    In a class body nothing is hidden by what the body binds: :func:`class_uses` sees to that.
    """

    __slots__ = (
        "beyond",
        "class_body",
        "comprehension",
        "globals",
        "later",
        "loads",
        "modules",
        "mutated",
        "nonlocals",
        "stores",
        "surely",
        "walrus",
        "writes",
    )

    def __init__(self, *, comprehension: bool = False, class_body: bool = False) -> None:
        self.comprehension = comprehension
        self.class_body = class_body
        self.loads: set[str] = set()
        self.beyond: set[str] = set()
        self.later = NOTHING
        self.stores: set[str] = set()
        self.walrus: set[str] = set()
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.surely: set[str] = set()
        self.writes: set[str] = set()
        self.mutated: set[str] = set()
        self.modules: list[str] = []

    def collect(self, nodes: Iterable[ast.AST]) -> None:
        """Walk nodes that belong to this scope; nested scopes are entered and what they use is added."""
        stack = list(nodes)
        while stack:
            node = stack.pop()
            if isinstance(node, ast.Name):
                (self.loads if isinstance(node.ctx, ast.Load) else self.stores).add(node.id)
                continue
            handler = _HANDLERS.get(type(node))
            if handler is None or not handler(self, node):
                stack.extend(syntax.children(node))

    def uses(self, also_local: frozenset[str] = frozenset()) -> Uses:
        """Resolve what was collected: what this scope does not bind comes from outside."""
        local = also_local if self.class_body else ((self.stores | also_local) - self.globals - self.nonlocals)
        free = (self.loads | self.beyond | self.nonlocals) - local - {MAGIC}
        surely = self.surely | (free & self.globals)
        return Uses(
            frozenset(free | surely),
            frozenset(surely),
            frozenset(self.writes | (self.stores & self.globals)),
            frozenset(self.mutated - local),
            tuple(self.modules),
        )

    def add(self, inner: Uses) -> None:
        """Take over what a nested scope uses; it does not see the names of a class body around it."""
        (self.beyond if self.class_body else self.loads).update(inner.reads - inner.surely_global)
        self.surely |= inner.surely_global
        self.writes |= inner.writes
        self.mutated |= inner.mutated
        self.modules.extend(inner.modules)

    def add_body(self, inner: Uses) -> None:
        """Take over what a nested function's body uses when it is called."""
        if self.class_body:
            self.later = merge(self.later, inner)
        else:
            self.add(inner)


def _function(scope: Scope, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    scope.stores.add(node.name)
    scope.collect([*node.decorator_list, *syntax.defaults(node.args)])
    names, bounds = syntax.type_parameters(node)
    if names:
        header = Scope()
        header.collect([*bounds, *syntax.annotations_of(node)])
        scope.add(header.uses(names))
    else:
        scope.collect(syntax.annotations_of(node))
    scope.add_body(function_uses(node))
    return True


def _lambda(scope: Scope, node: ast.Lambda) -> bool:
    scope.collect(syntax.defaults(node.args))
    scope.add_body(function_uses(node))
    return True


def _comprehension(scope: Scope, node: syntax.Comprehension) -> bool:
    scope.collect([node.generators[0].iter])
    inner, walrus = comprehension_uses(node)
    scope.add(inner)
    (scope.walrus if scope.comprehension else scope.stores).update(walrus)
    return True


def _class(scope: Scope, node: ast.ClassDef) -> bool:
    scope.stores.add(node.name)
    scope.collect(node.decorator_list)
    scope.loads |= class_header(node).reads
    now, later = class_uses(node)
    scope.add(now)
    scope.add_body(later)
    return True


def _named(scope: Scope, node: ast.NamedExpr) -> bool:
    (scope.walrus if scope.comprehension else scope.stores).add(node.target.id)
    scope.collect([node.value])
    return True


def _annotated(scope: Scope, node: ast.AnnAssign) -> bool:
    if scope.class_body:
        scope.collect([node.annotation])
        if node.value is None and isinstance(node.target, ast.Name):
            return True
    # In a function the annotation of a variable is never evaluated, but makes the name local.
    scope.collect([node.target] if node.value is None else [node.target, node.value])
    return True


def _augmented(scope: Scope, node: ast.AugAssign) -> bool:
    if isinstance(node.target, ast.Name):
        scope.loads.add(node.target.id)
    return False


def _global(scope: Scope, node: ast.Global) -> bool:
    scope.globals.update(node.names)
    return True


def _nonlocal(scope: Scope, node: ast.Nonlocal) -> bool:
    scope.nonlocals.update(node.names)
    return True


def _import(scope: Scope, node: ast.Import | ast.ImportFrom) -> bool:
    for name, module in syntax.imported(node):
        scope.stores.add(name)
        scope.modules.append(module)
    return True


def _handler_or_capture(scope: Scope, node: ast.ExceptHandler | ast.MatchAs | ast.MatchStar) -> bool:
    if node.name:
        scope.stores.add(node.name)
    return False


def _mapping_pattern(scope: Scope, node: ast.MatchMapping) -> bool:
    if node.rest:
        scope.stores.add(node.rest)
    return False


def _part(scope: Scope, node: ast.Attribute | ast.Subscript) -> bool:
    if not isinstance(node.ctx, ast.Load) and (root := syntax.root_name(node)):
        scope.mutated.add(root)
    return False


def _call(scope: Scope, node: ast.Call) -> bool:
    if syntax.method_name(node) in quoted.METHODS:
        scope.loads |= quoted.mentioned(node)
    return False


def _type_alias(scope: Scope, node: Any) -> bool:
    scope.stores.add(node.name.id)
    scope.add_body(alias_uses(node))
    return True


def alias_uses(node: Any) -> Uses:
    """What a ``type`` statement's value uses when it is evaluated, which is when somebody asks for it."""
    names, bounds = syntax.type_parameters(node)
    scope = Scope()
    scope.collect([*bounds, node.value])
    return scope.uses(names)


_BINDERS = (
    ast.Assign,
    ast.AnnAssign,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Import,
    ast.ImportFrom,
)
_HANDLERS: dict[type[ast.AST], Callable[[Scope, Any], bool]] = {
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.Lambda: _lambda,
    ast.ClassDef: _class,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.DictComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.NamedExpr: _named,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Global: _global,
    ast.Nonlocal: _nonlocal,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.ExceptHandler: _handler_or_capture,
    ast.MatchAs: _handler_or_capture,
    ast.MatchStar: _handler_or_capture,
    ast.MatchMapping: _mapping_pattern,
    ast.Attribute: _part,
    ast.Subscript: _part,
    ast.Call: _call,
}
if sys.version_info >= (3, 12):
    _HANDLERS[ast.TypeAlias] = _type_alias
