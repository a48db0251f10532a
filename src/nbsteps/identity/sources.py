"""The source of loaded code, believed only where it compiles to the very code that is loaded.

A file may have been edited since its import, and a cell's text may be gone; then the code object speaks for itself.
"""

from __future__ import annotations

import ast
import linecache
import tokenize
import warnings
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType
from typing import Final, NamedTuple

from nbsteps.identity.codeobjects import code_digest, nested_codes
from nbsteps.identity.filehash import FileCache
from nbsteps.identity.trees import node_digest

_LIMIT: Final = 8192
_NO_SOURCE: Final = ("", "")
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class _Index(NamedTuple):
    """A parsed source: its definitions by line and name, and the code it compiles to by name and digest."""

    text: str
    nodes: dict[tuple[int, str], list[_Definition]]
    codes: dict[tuple[str, str], list[CodeType]]


_known: dict[int, tuple[CodeType, tuple[str, str]]] = {}


def source_of(code: CodeType) -> tuple[str, str]:
    """Tree digest and text of a function's definition; two empty texts where no source can be believed. Cached."""
    known = _known.get(id(code))
    if known is not None and known[0] is code:
        return known[1]
    text = _text(code.co_filename)
    index = _index(text) if text else None
    node = _find(index, code) if index else None
    found = _NO_SOURCE
    if index is not None and node is not None:
        found = (node_digest(node), _segment(index.text, node))
    if len(_known) > _LIMIT:
        _known.clear()
    _known[id(code)] = (code, found)
    return found


def static_digest(code: CodeType) -> str:
    """Digest of a function's code: its tree where the source can be believed, else its code object."""
    return source_of(code)[0] or code_digest(code)


def _text(filename: str) -> str:
    """The text a file name stands for: a cell that IPython registered, or a file."""
    entry = linecache.cache.get(filename)
    if entry is not None and len(entry) > 1 and entry[1] is None:  # registered for good, not read from a file
        return "".join(entry[2])
    try:
        return _FILES.get(filename)
    except (OSError, SyntaxError, ValueError):
        return ""


def _read(path: str) -> str:
    with tokenize.open(path) as file:
        return file.read()


_FILES: Final = FileCache(_read)


@lru_cache(maxsize=1024)
def _index(text: str) -> _Index | None:
    """Parse and compile a source once."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
            # Top-level await is allowed in cells; it changes nothing where there is none.
            compiled = compile(text, "<source>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    nodes: dict[tuple[int, str], list[_Definition]] = {}
    for node in _definitions(tree):
        nodes.setdefault(_place(node), []).append(node)
    codes: dict[tuple[str, str], list[CodeType]] = {}
    for each in nested_codes(compiled):
        codes.setdefault((each.co_qualname, code_digest(each)), []).append(each)
    return _Index(text, nodes, codes)


def _definitions(tree: ast.AST) -> Iterator[_Definition]:
    for node in ast.walk(tree):
        if isinstance(node, _Definition):
            yield node


def _place(node: _Definition) -> tuple[int, str]:
    """First line, decorators included, and name: what the code object of the definition says too."""
    if isinstance(node, ast.Lambda):
        return node.lineno, "<lambda>"
    return min([node.lineno, *(each.lineno for each in node.decorator_list)]), node.name


def _find(index: _Index, code: CodeType) -> _Definition | None:
    """The one definition that compiles to ``code``; None if there is none, or no telling which."""
    compiled = index.codes.get((code.co_qualname, code_digest(code)), [])
    same_line = [each for each in compiled if each.co_firstlineno == code.co_firstlineno]
    nodes: dict[int, _Definition] = {}
    for each in same_line or compiled:
        for node in index.nodes.get((each.co_firstlineno, each.co_name), []):
            if not isinstance(node, ast.Lambda) or _spans(node, each):
                nodes[id(node)] = node
    found = list(nodes.values())
    if len(found) > 1 and len({node_digest(node) for node in found}) > 1:
        return None
    return found[0] if found else None


def _spans(node: ast.Lambda, code: CodeType) -> bool:
    """Whether some instruction of the code stands for exactly the lambda's body: tells lambdas of one line apart."""
    body = node.body
    wanted = (body.lineno, body.end_lineno, body.col_offset, body.end_col_offset)
    return any(position == wanted for position in code.co_positions())


def _segment(text: str, node: _Definition) -> str:
    """The definition's text, decorators included; a lambda's line may hold more."""
    lines = text.splitlines(keepends=True)
    first, _ = _place(node)
    if isinstance(node, ast.Lambda):
        return ast.get_source_segment(text, node) or ""
    return "".join(lines[first - 1 : node.end_lineno]).rstrip()
