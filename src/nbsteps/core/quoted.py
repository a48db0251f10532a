"""Variables that code mentions inside strings, because the callee looks them up in the caller's namespace.

pandas does in ``df.query("a > @limit")`` and ``pd.eval("x + y")``, DuckDB and polars in ``sql("from orders")``.
A name found here may be a table or a column instead of a variable: whoever resolves names ignores unknown ones.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

SQL_METHODS = frozenset({"sql", "query", "execute", "from_query", "sql_query", "read_sql", "read_sql_query"})
_AT_METHODS = frozenset({"query", "eval"})
_EVALUATORS = frozenset({("pd", "eval"), ("pandas", "eval"), ("ne", "evaluate"), ("numexpr", "evaluate")})
MAY_HOLD_SQL = re.compile(rf"\b(?:{'|'.join(sorted(SQL_METHODS))})\s*\(")
"""Matches source that calls one of the methods that take SQL."""
METHODS = SQL_METHODS | _AT_METHODS | {"evaluate"}
"""Names of functions and methods that are looked at; calls of others cost nothing."""

_AT = re.compile(r"@([^\W\d]\w*)")
_WORD = r"[^\W\d]\w*(?![\w.(])"
_TABLE = rf"{_WORD}(?:\s+(?:as\s+)?(?!join\b)[^\W\d]\w*)?"
_TABLES = re.compile(rf'\b(?:from|join|into|update|table|using)\s+"?({_TABLE}(?:\s*,\s*{_TABLE})*)', re.IGNORECASE)


def mentioned(call: ast.Call) -> set[str]:
    """Names in the string arguments of a call of one of :data:`METHODS`."""
    function = call.func
    attribute = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    owner = getattr(function.value, "id", "") if isinstance(function, ast.Attribute) else ""
    found: set[str] = set()
    for text in _strings(call):
        if attribute in _AT_METHODS:
            found.update(_AT.findall(text))
        if attribute in SQL_METHODS:
            found |= tables(text)
        if (owner, attribute) in _EVALUATORS:
            found |= _names(text)
    return found


def tables(text: str) -> set[str]:
    """Names in the places of a SQL text where a table may stand."""
    return {part.split()[0] for group in _TABLES.findall(text) for part in group.split(",")}


def tables_in(tree: ast.AST) -> set[str]:
    """Names of tables in all strings of a tree."""
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {name for text in texts if isinstance(text, str) for name in tables(text)}


def _strings(call: ast.Call) -> Iterator[str]:
    """The string constants among the arguments, those of f-strings and concatenations included."""
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        if isinstance(argument, ast.Constant | ast.JoinedStr | ast.BinOp):
            for node in ast.walk(argument):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def _names(text: str) -> set[str]:
    """Names in a string that is a Python expression."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
