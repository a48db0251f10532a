"""The tables of the home: append-only facts in schema ``log``, and the versioned views that people read.

Nothing in ``log`` is stable; the views of ``v1`` are, and the plain names stand for the newest of them.
"""

from __future__ import annotations

from typing import Final

from nbsteps.store import views

VERSION: Final = 1
"""Version of the tables; a store with a higher one is refused."""

REVISION: Final = 5
"""Counts additions within a version: tables, columns at the end of a table, views. An older store is given them.

A store of each revision is kept among the tests, written by ``tests/store/old_stores.py``.
"""

_TEXT, _TIME, _INT, _BOOL, _LIST = "VARCHAR", "DOUBLE", "BIGINT", "BOOLEAN", "VARCHAR[]"

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
    "labels": {"seq": _INT, "run_id": _TEXT, "step": _TEXT, "owner": _TEXT, "tags": _LIST},
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
        "items_total": _INT,
        "items_executed": _INT,
        "items_restored": _INT,
        "items_failed": _INT,
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
        "position": _INT,
        "label": _TEXT,
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
    "retries": {
        "seq": _INT,
        "run_id": _TEXT,
        "step": _TEXT,
        "item": _TEXT,
        "attempt": _INT,
        "at": _TIME,
        "delay": _TIME,
        "until": _TIME,
    },
    "requests": {
        "seq": _INT,
        "request_id": _TEXT,
        "run_id": _TEXT,
        "notebook": _TEXT,
        "step": _TEXT,
        "key": _TEXT,
        "message": _TEXT,
        "at": _TIME,
        "expires_at": _TIME,
        "record": _TEXT,
    },
    "verdicts": {
        "seq": _INT,
        "request_id": _TEXT,
        "run_id": _TEXT,
        "notebook": _TEXT,
        "step": _TEXT,
        "state": _TEXT,
        "at": _TIME,
        "by": _TEXT,
        "comment": _TEXT,
        "values": _TEXT,
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
        "shared": _TEXT,
        "accepted_by": _TEXT,
    },
    "shared_parts": {"id": _TEXT, "parts": _TEXT},
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
    names = ", ".join(f'"{column}"' for column in TABLES[table])
    columns = ", ".join(f"unnest(${n}::{kind}[])" for n, kind in enumerate(TABLES[table].values(), 1))
    return f"INSERT INTO log.{table} ({names}) SELECT {columns}"


def shelf(number: int) -> str:
    """Statement that makes a table of inline values.

    Several small ones: a checkpoint rewrites what a table's unfilled part holds, so one big table would be written
    anew with every merge.
    """
    return f"CREATE TABLE log.values_{number} (digest VARCHAR, payload BLOB)"


_META: Final = "schema_version INTEGER, scheme VARCHAR, next_seq BIGINT, uid VARCHAR, revision INTEGER"


def _columns(table: str) -> str:
    return ", ".join(f'"{column}" {kind}' for column, kind in TABLES[table].items())


def statements(scheme: str) -> list[str]:
    """Everything that makes a new home; ``scheme`` is the version of how keys are made."""
    tables = [f"CREATE TABLE log.{name} ({_columns(name)})" for name in TABLES]
    return [
        "CREATE SCHEMA log",
        "CREATE SCHEMA v1",
        "CREATE SCHEMA tables",
        f"CREATE TABLE log.meta ({_META})",
        f"INSERT INTO log.meta VALUES ({VERSION}, '{scheme}', 1, uuid(), {REVISION})",  # noqa: S608 - our own numbers
        *tables,
        *views.statements(),
    ]


def additions() -> list[str]:
    """Everything that gives a home of this version what later revisions added; harmless where it is there already."""
    tables = [f"CREATE TABLE IF NOT EXISTS log.{name} ({_columns(name)})" for name in TABLES]
    columns = [
        f'ALTER TABLE log.{table} ADD COLUMN IF NOT EXISTS "{column}" {kind}'
        for table, kinds in TABLES.items()
        for column, kind in kinds.items()
    ]
    return [
        *tables,
        *columns,
        "ALTER TABLE log.meta ADD COLUMN IF NOT EXISTS revision INTEGER",
        f"UPDATE log.meta SET revision = {REVISION}",  # noqa: S608 - a number of our own
        *views.statements(),
    ]
