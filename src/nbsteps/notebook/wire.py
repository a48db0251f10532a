"""Cells as JSON-able rows, for the way from the process that starts a kernel into the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nbsteps.core.model import Cell

STATE_KEY = "nbsteps"
"""Metadata key under which outputs, cells and notebooks carry states, for the papermill engine and other tools."""


def cells_as_rows(cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """Cells -> rows."""
    return [{"label": c.label, "source": c.source, "id": c.id, "tags": list(c.tags)} for c in cells]


def rows_as_cells(rows: Iterable[Mapping[str, Any]]) -> tuple[Cell, ...]:
    """Rows -> cells."""
    return tuple(Cell(row["label"], row["source"], row["id"], tuple(row["tags"])) for row in rows)
