"""The one check of what analysis finds in a piece of Python, and tables of its cases."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from nbsteps.core.names import analyse

BUILTINS = frozenset(dir(builtins))


def words(names: Any) -> str:
    """The names as one text, builtins left out."""
    if isinstance(names, tuple):
        return " ".join(names)
    if hasattr(names, "items"):
        return " ".join(
            f"{k}={v}" for k, v in sorted((k, v if isinstance(v, str) else words(v)) for k, v in names.items())
        )
    return " ".join(sorted(name for name in names if name not in BUILTINS))


def check(source: str, **expect: str | bool) -> None:
    """Assert that the analysis of ``source`` has these fields; sets are written as sorted words."""
    names = analyse(source)
    seen = {key: value if isinstance(value := getattr(names, key), bool) else words(value) for key in expect}
    assert seen == expect


def cases(table: list[tuple[str, str]]) -> pytest.MarkDecorator:
    """One test case for each row of source and expected words."""
    return pytest.mark.parametrize(("source", "expect"), table)
