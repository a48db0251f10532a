"""Rows of the history, as every view reads them: dicts of :meth:`History.records`, or rows of a data frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nbsteps.core.mapped import item_name

Row = Mapping[str, Any]


def seconds(value: Any) -> float | None:
    """A time (seconds since the epoch) or a duration as seconds; None for what is missing.

    Takes numbers, ISO 8601, and what has a ``timestamp`` or ``total_seconds`` method.
    """
    if value is None or value != value:  # noqa: PLR0124 - NaN and NaT are not equal to themselves
        return None
    if isinstance(value, str):
        return datetime.fromisoformat(value).timestamp()
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    read = getattr(value, "timestamp", None) or getattr(value, "total_seconds", None)
    return None if read is None else float(read())


def text(row: Row, name: str) -> str:
    """A text of a row; ``""`` where it is missing."""
    value = row.get(name)
    return value if isinstance(value, str) else ""


def count(row: Row, name: str) -> int:
    """A count of a row; 0 where it is missing."""
    value = row.get(name)
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0


def item_of(row: Row) -> str:
    """Which item of a map an attempt was at, as people know it; ``""`` for other attempts."""
    key, position = text(row, "item"), row.get("position")
    known = isinstance(position, int | float) and math.isfinite(position)
    return item_name(int(position or 0) if known else None, text(row, "label"), key) if key else ""
