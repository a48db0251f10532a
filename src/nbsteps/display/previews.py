"""The first rows of a table as texts. Tables are told by what they can do, so that no library need be loaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from nbsteps.display.wording import one_line

ROWS: Final = 5
COLUMNS: Final = 12
_LONGEST: Final = 80


@dataclass(frozen=True, slots=True)
class Preview:
    """Names of columns and texts of cells; both empty for what is no table."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def preview(value: Any) -> Preview:
    """The upper left corner of a pandas or polars frame; empty for anything else."""
    if not hasattr(value, "head") or not hasattr(value, "columns"):
        return Preview()
    names = [str(name) for name in islice(value.columns, COLUMNS)]
    return Preview(tuple(map(_cell, names)), tuple(tuple(map(_cell, row)) for row in _rows(value.head(ROWS))))


def _rows(head: Any) -> Iterable[Iterable[Any]]:
    rows = head.iter_rows() if hasattr(head, "iter_rows") else head.itertuples(index=False, name=None)
    return (islice(row, COLUMNS) for row in rows)


def _cell(value: Any) -> str:
    shown = one_line(str(value))
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."
