"""The tables of the home: append-only facts in schema ``log``, and the versioned views that people read.

Nothing in ``log`` is stable; the views of ``v1`` are, and the plain names stand for the newest of them.
"""

from __future__ import annotations

from typing import Final

from nbsteps.store import views

VERSION: Final = 1
"""Version of the tables; a store with a higher one is refused."""

_TEXT, _TIME, _INT, _BLOB, _BOOL = "VARCHAR", "DOUBLE", "BIGINT", "BLOB", "BOOLEAN"

TABLES: Final[dict[str, dict[str, str]]] = {
    "journals": {"name": _TEXT, "folded": _INT, "ended": _BOOL},
    "owners": {"owner": _TEXT, "frames": _INT},
    "run_starts": {
        "seq": _INT,
        "run_id": _TEXT,
        "notebook": _TEXT,
        "trigger": _TEXT,
        "at": _TIME,
        "parameters": _TEXT,
        "steps": _TEXT,
        "steps_total": _INT,
        "host": _TEXT,
        "pid": _INT,
        "user": _TEXT,
        "owner": _TEXT,
    },
    "run_ends": {"seq": _INT, "run_id": _TEXT, "state": _TEXT, "at": _TIME},
    "step_starts": {
        "seq": _INT,
        "run_id": _TEXT,
        "step": _TEXT,
        "key": _TEXT,
        "reason": _TEXT,
        "reasons": _TEXT,
        "at": _TIME,
        "notebook": _TEXT,
        "owner": _TEXT,
    },
    "step_ends": {
        "seq": _INT,
        "run_id": _TEXT,
        "step": _TEXT,
        "notebook": _TEXT,
        "state": _TEXT,
        "reason": _TEXT,
        "reasons": _TEXT,
        "key": _TEXT,
        "at": _TIME,
        "time_saved": _TIME,
        "output_bytes": _INT,
        "result": _TEXT,
    },
    "attempt_starts": {
        "seq": _INT,
        "run_id": _TEXT,
        "step": _TEXT,
        "item": _TEXT,
        "attempt": _INT,
        "at": _TIME,
        "delay": _TIME,
        "executor": _TEXT,
        "host": _TEXT,
        "pid": _INT,
        "owner": _TEXT,
    },
    "attempt_ends": {
        "seq": _INT,
        "run_id": _TEXT,
        "step": _TEXT,
        "item": _TEXT,
        "attempt": _INT,
        "state": _TEXT,
        "at": _TIME,
        "error_type": _TEXT,
        "error_message": _TEXT,
        "traceback": _TEXT,
        "peak_rss": _INT,
    },
    "events": {
        "seq": _INT,
        "at": _TIME,
        "run_id": _TEXT,
        "step": _TEXT,
        "item": _TEXT,
        "event": _TEXT,
        "data": _TEXT,
    },
    "results": {
        "seq": _INT,
        "id": _TEXT,
        "key": _TEXT,
        "static": _TEXT,
        "notebook": _TEXT,
        "step": _TEXT,
        "run_id": _TEXT,
        "item": _TEXT,
        "at": _TIME,
        "reusable": _BOOL,
        "record": _TEXT,
        "parts": _TEXT,
    },
    "outputs": {"seq": _INT, "result": _TEXT, "position": _INT, "output": _TEXT, "digest": _TEXT},
    "artifacts": {
        "digest": _TEXT,
        "type": _TEXT,
        "codec": _TEXT,
        "bytes": _INT,
        "location": _TEXT,
        "checksum": _TEXT,
        "mac": _TEXT,
        "summary": _TEXT,
        "stored_at": _TIME,
        "tabular": _BOOL,
    },
    "cleared": {"seq": _INT, "id": _TEXT},
    "latest": {"seq": _INT, "notebook": _TEXT, "step": _TEXT, "state": _TEXT, "result": _TEXT},
    "shelves": {"number": _INT, "bytes": _INT},
    "shelved": {"digest": _TEXT, "shelf": _INT},
}
"""Table to its columns and their types, in the order of the rows that are folded."""


def insert(table: str) -> str:
    """Statement that inserts many rows from one list for each column: rows one by one take seventy times as long."""
    columns = ", ".join(f"unnest(${n}::{kind}[])" for n, kind in enumerate(TABLES[table].values(), 1))
    return f"INSERT INTO log.{table} SELECT {columns}"


def shelf(number: int) -> str:
    """Statement that makes a table of inline values.

    Several small ones: a checkpoint rewrites what a table's unfilled part holds, so one big table would be written
    anew with every merge.
    """
    return f"CREATE TABLE log.values_{number} (digest VARCHAR, payload BLOB)"


def _columns(table: str) -> str:
    return ", ".join(f'"{column}" {kind}' for column, kind in TABLES[table].items())


def statements(scheme: str) -> list[str]:
    """Everything that makes a new home; ``scheme`` is the version of how keys are made."""
    tables = [f"CREATE TABLE log.{name} ({_columns(name)})" for name in TABLES]
    return [
        "CREATE SCHEMA log",
        "CREATE SCHEMA v1",
        "CREATE SCHEMA tables",
        "CREATE TABLE log.meta (schema_version INTEGER, scheme VARCHAR, next_seq BIGINT, uid VARCHAR)",
        f"INSERT INTO log.meta VALUES ({VERSION}, '{scheme}', 1, uuid())",  # noqa: S608 - numbers of our own
        *tables,
        *views.statements(),
    ]
