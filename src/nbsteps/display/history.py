"""Tables of the history as a terminal shows them: the columns that matter, short enough for a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from nbsteps.display.rows import item_of
from nbsteps.display.wording import duration, moment, one_line, size, table

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "runs": ("run_id", "notebook", "trigger", "state", "started_at", "duration", "executed", "restored", "failed"),
    "steps": ("run_id", "step", "state", "reason", "started_at", "duration"),
    "attempts": ("run_id", "step", "item", "attempt", "state", "started_at", "duration", "error_message"),
    "events": ("at", "run_id", "step", "item", "event"),
    "artifacts": ("step", "output", "item", "type", "bytes", "stored_at", "run_id"),
    "approvals": ("run_id", "step", "state", "decided_by", "decided_at", "message"),
}
"""Kind of the history to the columns that are shown where nobody asked for all of them."""

_FULL_NAMES: Final[Mapping[str, str]] = {
    "executed": "steps_executed",
    "restored": "steps_restored",
    "failed": "steps_failed",
}
"""Short names of columns whose names are longer than what they hold."""
_WIDEST: Final = 40
_TIMES: Final = frozenset({"at", "started_at", "stored_at", "decided_at"})


def history_lines(kind: str, records: Iterable[Mapping[str, Any]]) -> str:
    """Rows of the history, as :meth:`nbsteps.store.history.History.records` gives them, as aligned lines.

    Columns in which no row holds anything are left out.
    """
    shown = [[_cell(name, _value(kind, name, record)) for name in COLUMNS[kind]] for record in records]
    if not shown:
        return "no rows"
    columns = zip(COLUMNS[kind], *shown, strict=True)
    kept = [(name, *cells) for name, *cells in columns if any(cells)]
    return "\n".join(table(zip(*kept, strict=True)))


def _value(kind: str, name: str, record: Mapping[str, Any]) -> Any:
    if kind == "attempts" and name == "item":
        return item_of(record).removeprefix("item ") if record["label"] else record["item"]
    return record[_FULL_NAMES.get(name, name)]


def _cell(name: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if name in _TIMES:
        return moment(datetime.fromisoformat(value).timestamp())
    if name == "duration":
        return duration(value)
    if name == "bytes":
        return size(value)
    text = one_line(str(value))
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
