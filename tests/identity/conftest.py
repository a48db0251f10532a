"""A notebook's context, executed as IPython does: each cell under a file name of its own, known to linecache."""

from __future__ import annotations

import linecache
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture
def notebook() -> Iterator[Callable[..., dict[str, Any]]]:
    """Execute context cells in a fresh namespace and give it back."""
    names: list[str] = []

    def run(*cells: str, **values: object) -> dict[str, Any]:
        namespace: dict[str, Any] = {"__name__": "__main__", **values}
        for cell in cells:
            text = textwrap.dedent(cell)
            names.append(f"<cell-{len(names)}>")
            linecache.cache[names[-1]] = (len(text), None, text.splitlines(keepends=True), names[-1])
            exec(compile(text, names[-1], "exec", dont_inherit=True), namespace)  # noqa: S102 - executing cells is meant
        return namespace

    yield run
    for name in names:
        linecache.cache.pop(name, None)
