"""Small questions about nodes of a syntax tree."""

from __future__ import annotations

import ast

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

_NO_EXPRESSIONS = frozenset({"ctx", "op", "ops", "kind", "type_comment", "conversion", "is_async"})


class FieldTable(dict[type[ast.AST], tuple[str, ...]]):
    """Fields of a node type that can hold expressions or statements, worked out at first use."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        fields = tuple(field for field in kind._fields if field not in _NO_EXPRESSIONS)
        self[kind] = fields
        return fields


FIELDS = FieldTable()


def children(node: ast.AST) -> list[ast.AST]:
    """Nodes directly below ``node``, in source order."""
    found: list[ast.AST] = []
    for field in FIELDS[type(node)]:
        value = getattr(node, field, None)
        if isinstance(value, list):
            found.extend(item for item in value if isinstance(item, ast.AST))
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def method_name(call: ast.Call) -> str:
    """``sql`` for ``duckdb.sql(...)`` and ``sql(...)``."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def root_name(node: ast.expr) -> str:
    """``x`` for ``x.a[0].b``, ``""`` where the innermost value is no plain name."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters in order."""
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    found.extend(argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None)
    return found


def defaults(arguments: ast.arguments) -> list[ast.expr]:
    """Expressions that are evaluated where the function is defined."""
    return [*arguments.defaults, *(default for default in arguments.kw_defaults if default is not None)]


def annotations_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    """Annotations of the parameters and of the return value."""
    found = [argument.annotation for argument in parameters(function.args) if argument.annotation is not None]
    return [*found, function.returns] if function.returns is not None else found


def type_parameters(node: ast.AST) -> tuple[frozenset[str], list[ast.expr]]:
    """Names of a definition's type parameters (Python 3.12), and their bounds and defaults."""
    found = getattr(node, "type_params", None)
    if not found:
        return frozenset(), []
    extras = [getattr(parameter, field, None) for parameter in found for field in ("bound", "default_value")]
    return frozenset(parameter.name for parameter in found), [extra for extra in extras if extra is not None]


def imported(node: ast.Import | ast.ImportFrom) -> list[tuple[str, str]]:
    """Pairs of bound name and dotted module; the name is ``*`` for a star import."""
    if isinstance(node, ast.Import):
        return [(alias.asname or alias.name.partition(".")[0], alias.name) for alias in node.names]
    module = "." * node.level + (node.module or "")
    return [(alias.asname or alias.name, module) for alias in node.names]
