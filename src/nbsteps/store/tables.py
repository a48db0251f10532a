"""Values that become DuckDB tables of their own, so that anybody can open the store and query them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from nbsteps.core.errors import StoreError
from nbsteps.core.model import Artifact
from nbsteps.store.home import Home
from nbsteps.store.reading import read_table
from nbsteps.store.values import Values

if TYPE_CHECKING:
    import duckdb

_HOLD: Final = 0.1
"""Seconds for which one batch may hold the home."""
_WAITING: Final = "FROM log.artifacts WHERE tabular AND location LIKE 'object:%'"
_PENDING: Final = f"SELECT digest, type, codec, bytes, location, checksum, mac, summary {_WAITING} ORDER BY stored_at"


def any_to_move(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether there is work for :func:`move_tables`, for whoever has the home open: opening it takes 10 ms."""
    return connection.execute(f"SELECT 1 {_WAITING} LIMIT 1").fetchone() is not None


def move_tables(home: Home, values: Values, *, seconds: float) -> int:
    """Move table values from files into the home, in batches that hold it briefly; the rest waits for next time.

    Args:
        home: the DuckDB file.
        values: decodes them.
        seconds: for how long to go on.

    Returns:
        How many were moved.

    Raises:
        StoreError: the home cannot be used.
    """
    deadline = time.monotonic() + seconds
    moved: list[Artifact] = []
    more = True
    while more and time.monotonic() < deadline:
        batch, more = home.use(
            lambda connection, *, writable: _batch(home, connection, values, writable=writable), 0.01
        )
        for artifact, alone in batch:
            if alone:
                values.discard(artifact)
            moved.append(artifact)
    return len(moved)


def _batch(
    home: Home, connection: duckdb.DuckDBPyConnection, values: Values, *, writable: bool
) -> tuple[list[tuple[Artifact, bool]], bool]:
    """Move some; each with whether nothing else uses its file, and whether there are more."""
    moved: list[tuple[Artifact, bool]] = []
    if not writable:
        return moved, False
    start = time.monotonic()
    for row in connection.execute(_PENDING).fetchall():
        if time.monotonic() - start > _HOLD:
            return moved, True
        artifact = Artifact(*row)
        if _move(home, connection, values, artifact):
            query = "SELECT count(*) FROM log.artifacts WHERE location = $1"
            others = connection.execute(query, [artifact.location]).fetchone()
            moved.append((artifact, others == (0,)))
    return moved, False


def _move(home: Home, connection: duckdb.DuckDBPyConnection, values: Values, artifact: Artifact) -> bool:
    """Make one value a table, if what comes back has the same content digest; else it stays a file for good."""
    import duckdb  # noqa: PLC0415 - keeps import nbsteps fast

    name = f"t_{artifact.digest}"
    home.change(connection)
    try:
        table = values.to_arrow(artifact, None)
        connection.register("incoming", table)
        connection.execute(f'CREATE OR REPLACE TABLE tables."{name}" AS SELECT * FROM incoming')  # noqa: S608 - our name
        connection.unregister("incoming")
        at_home = Artifact(artifact.digest, artifact.type, artifact.codec, artifact.bytes, f"table:{name}", "")
        values.from_arrow(artifact, read_table(connection, at_home))
        statement = "UPDATE log.artifacts SET location = $2 WHERE digest = $1"
        connection.execute(statement, [artifact.digest, at_home.location])
        connection.execute("COMMIT")
    except (StoreError, duckdb.Error, ValueError, TypeError):
        connection.execute("ROLLBACK")
        connection.execute("UPDATE log.artifacts SET tabular = false WHERE digest = $1", [artifact.digest])
        return False
    return True
