"""Digest of a syntax tree: what the code says, not how it is written.

Comments, blank lines, positions, docstrings and type comments never count. Constants count with their type: ``1``,
``1.0`` and ``True`` differ, and so do ``0.0`` and ``-0.0``.
"""

from __future__ import annotations

import ast
import io
import tokenize
from typing import Final

from nbsteps.core.findings import finding
from nbsteps.core.source import parse
from nbsteps.identity.feed import constant_text, digest_text, digest_texts

_WITH_DOCSTRING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_UNCOUNTED: Final = frozenset({"ctx", "type_comment", "type_ignores", "kind"})
_SHAPES: dict[type[ast.AST], tuple[str, tuple[str, ...]]] = {}


def body_digest(source: str) -> str:
    """Digest of a cell body: its tree, and whether a semicolon keeps its last expression from being shown.

    A body that does not parse is digested as text: it cannot have a result, but it can have a key.
    """
    try:
        return _tree_digest(source)
    except SyntaxError:
        return digest_texts("unparsed", source)


@finding(str, str)
def _tree_digest(source: str) -> str:
    body = parse(source).body
    # A text that stands alone is shown by the cell; only above other statements is it a docstring.
    start = 1 if len(body) > 1 and _is_text(body[0]) else 0
    out = [f"B{len(body) - start}"]
    for statement in body[start:]:
        _feed(statement, out)
    if ";" in source and body and isinstance(body[-1], ast.Expr) and _ends_quietly(source):
        out.append("quiet")
    return digest_text("\0".join(out))


def module_digest(tree: ast.Module) -> str:
    """Digest of a module's tree; its docstring does not count."""
    body = tree.body
    start = 1 if body and _is_text(body[0]) else 0
    out = [f"M{len(body) - start}"]
    for statement in body[start:]:
        _feed(statement, out)
    return digest_text("\0".join(out))


def node_digest(node: ast.AST) -> str:
    """Digest of any node: a definition, a lambda, an expression."""
    out: list[str] = []
    _feed(node, out)
    return digest_text("\0".join(out))


def _feed(root: ast.AST, out: list[str]) -> None:
    """Append the content of a tree to ``out``, depth first; a stack of its own, since sums of 5,000 terms are deep."""
    stack: list[object] = [root]
    push, emit = stack.append, out.append
    while stack:
        node = stack.pop()
        if not isinstance(node, ast.AST):
            emit("-" if node is None else str(node))
            continue
        kind = type(node)
        shape = _SHAPES.get(kind) or _shape(kind)
        emit(shape[0])
        if kind is ast.Constant:
            emit(constant_text(node.value))  # type: ignore[attr-defined]  # the class was just checked, fast
            continue
        for field in shape[1]:
            value = getattr(node, field, None)
            if value.__class__ is not list:
                push(value if value is None or isinstance(value, ast.AST) else f"={value}")
                continue
            items = _without_docstring(node, value) if field == "body" else value
            stack.extend(f"={item}" if isinstance(item, str) else item for item in items)
            push(f"[{len(items)}")


def _shape(kind: type[ast.AST]) -> tuple[str, tuple[str, ...]]:
    """Name of a class of nodes and its fields that count, in the order of the stack."""
    shape = _SHAPES[kind] = (kind.__name__, tuple(name for name in kind._fields if name not in _UNCOUNTED))
    return shape


def _without_docstring(node: ast.AST, body: list[ast.AST]) -> list[ast.AST]:
    return body[1:] if body and isinstance(node, _WITH_DOCSTRING) and _is_text(body[0]) else body


def _is_text(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _ends_quietly(source: str) -> bool:
    """Whether the last token that is code is a semicolon: IPython then shows nothing."""
    last = ""
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.OP or token.string.strip():
                last = last if token.type == tokenize.COMMENT else token.string
    except (tokenize.TokenError, SyntaxError):
        return source.rstrip().endswith(";")
    return last == ";"
