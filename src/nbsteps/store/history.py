"""The history as data frames, as JSON, and as tables that a query can join with cached values.

Dtypes of the frames: texts ``string``, counts ``Int64``, times ``datetime64[us, UTC]``, durations ``timedelta64[us]``,
and ``object`` for ``reasons`` and ``tags`` (lists), ``parameters``, ``data`` and ``values`` (dicts). Missing is NA.
Newest rows come first, in the order in which the store learned of them.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from nbsteps.core.errors import StoreError, UsageError
from nbsteps.core.model import Artifact
from nbsteps.store.home import Home
from nbsteps.store.reading import Fetched, fetch, to_arrow
from nbsteps.store.records import loads
from nbsteps.store.value_cache import ValueCache
from nbsteps.store.views import COLUMNS, NEWEST

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

    Connection = duckdb.DuckDBPyConnection

_MILLION: Final = 1_000_000
_CURRENT: Final = """
SELECT e.step, o.output, a.digest, a.type, a.codec, a.bytes, a.location, a.checksum, a.mac, a.summary
FROM log.step_ends e JOIN log.outputs o ON o.result = e.result JOIN log.artifacts a ON a.digest = o.digest
WHERE e.result NOT IN (SELECT id FROM log.cleared){more}
QUALIFY row_number() OVER (PARTITION BY e.step, o.output ORDER BY e."at" DESC, e.seq DESC) = 1
"""
"""A step's current outputs: those that it computed or restored most recently."""
_LATEST: Final = """
WITH own AS (FROM log.show_attempts WHERE notebook = $notebook AND step = $step),
newest AS (SELECT arg_max(run_id, (started_at, seq)) AS run_id FROM own)
SELECT {columns}, count(*) OVER () FROM (
    SELECT *, arg_max(state, attempt) OVER (PARTITION BY item) AS came_to FROM own SEMI JOIN newest USING (run_id))
ORDER BY CASE WHEN came_to IN ('failed', 'crashed') THEN 0 WHEN came_to = 'running' THEN 1 ELSE 2 END,
    position NULLS LAST, started_at, seq, attempt
LIMIT $limit
"""
"""The attempts of the run that executed a step last: of a map's items those in trouble first, then those under way."""


class History:
    """Reads the history of a store; what other processes did until now is in it."""

    def __init__(self, home: Home, value_cache: ValueCache, read: Callable[[Callable[[Connection], Any]], Any]) -> None:
        """``read`` folds all journals and does some work with the open home."""
        self._home = home
        self._value_cache = value_cache
        self._read = read

    def runs(self, **filters: Any) -> pd.DataFrame:
        """One row for each run. Filters: ``notebook``, ``run_id``, ``limit``."""
        return self._frame("runs", filters)

    def steps(self, **filters: Any) -> pd.DataFrame:
        """One row for each step of each run. Filters: ``notebook``, ``run_id``, ``step``, ``limit``."""
        return self._frame("steps", filters)

    def attempts(self, **filters: Any) -> pd.DataFrame:
        """One row for each execution of a body. Filters: ``notebook``, ``run_id``, ``step``, ``limit``."""
        return self._frame("attempts", filters)

    def events(self, **filters: Any) -> pd.DataFrame:
        """One row for each event. Filters: ``notebook``, ``run_id``, ``step``, ``limit``."""
        return self._frame("events", filters)

    def artifacts(self, **filters: Any) -> pd.DataFrame:
        """One row for each stored output. Filters: ``notebook``, ``run_id``, ``step``, ``limit``."""
        return self._frame("artifacts", filters)

    def approvals(self, **filters: Any) -> pd.DataFrame:
        """One row for each decision. Filters: ``notebook``, ``run_id``, ``step``, ``limit``."""
        return self._frame("approvals", filters)

    def records(self, kind: str, **filters: Any) -> list[dict[str, Any]]:
        """Rows of a table as JSON-able dicts: times in ISO 8601, durations in seconds, missing as None.

        Raises:
            UsageError: there is no such table.
        """
        return [_record(kind, row) for row in self._rows(*_query(kind, filters))]

    def latest_attempts(self, notebook: str, step: str, limit: int) -> tuple[list[dict[str, Any]], int]:
        """The attempts of the run that executed a step last, as :meth:`records` gives them, and how many there are.

        In order; of a map's items those that failed come first, and then those that are executed.
        """
        columns = ", ".join(f'"{name}"' for name in _columns("attempts"))
        parameters = {"notebook": notebook, "step": step, "limit": limit}
        rows = self._rows(_LATEST.format(columns=columns), parameters)
        return [_record("attempts", row[:-1]) for row in rows], rows[0][-1] if rows else 0

    def _frame(self, kind: str, filters: dict[str, Any]) -> pd.DataFrame:
        import pandas as pd  # noqa: PLC0415 - keeps import nbsteps fast

        columns = _columns(kind)
        rows = self._rows(*_query(kind, filters))
        values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
        return pd.DataFrame(
            {name: _series(list(found), form) for (name, form), found in zip(columns.items(), values, strict=True)}
        )

    def _rows(self, query: str, parameters: list[Any] | dict[str, Any]) -> list[tuple[Any, ...]]:
        if not self._home.path.exists() and not self._home.journals.exists():
            return []
        rows: list[tuple[Any, ...]] = self._read(lambda connection: connection.execute(query, parameters).fetchall())
        return rows

    def artifact(self, step: str, output: str, run_id: str | None = None) -> Artifact:
        """The stored output of a step: the one that it computed or restored last, or the one of a run.

        Raises:
            UsageError: there is none, with what there is.
        """
        more = "" if run_id is None else " AND e.run_id = $run"
        parameters = {} if run_id is None else {"run": run_id}
        rows = self._read(lambda connection: connection.execute(_CURRENT.format(more=more), parameters).fetchall())
        for found_step, found_output, *fields in rows:
            if (found_step, found_output) == (step, output):
                return Artifact(*fields)
        where = "" if run_id is None else f" in run {run_id}"
        stored = sorted(f"{row[0]}.{row[1]}" for row in rows)
        close = difflib.get_close_matches(f"{step}.{output}", stored, n=1)
        hint = f"did you mean {close[0]}?" if close else f"stored: {', '.join(stored)}"
        msg = f"no output {step}.{output} is stored{where}"
        raise UsageError(msg, hint=hint if stored else "run the notebook first")

    def sql(self, query: str) -> pd.DataFrame:
        """Answer a query over the history tables and every cached table as ``step.output``, as last made or restored.

        The query sees copies: it can change neither the store nor any file.

        Raises:
            UsageError: the query is wrong, with what there is to ask for.
        """
        import duckdb  # noqa: PLC0415 - keeps import nbsteps fast

        words = {word.lower() for word in re.findall(r"\w+", query)}
        with duckdb.connect() as memory:
            memory.execute("SET TimeZone = 'UTC'")
            names = self._offer(memory, words)
            memory.execute("SET enable_external_access = false")
            memory.execute("SET lock_configuration = true").fetchall()
            try:
                relation = memory.sql(query)
                answer = _as_frame(memory.sql("SELECT NULL AS done WHERE false") if relation is None else relation)
            except duckdb.Error as error:
                # What DuckDB takes for near is among its own tables.
                said = re.sub(r"\nDid you mean .*", "", str(error)).replace("\n\n", "\n")
                msg = f"the query cannot be answered: {said}"
                raise UsageError(msg, hint=_mend(str(error), names)) from error
        return answer

    def _offer(self, memory: Connection, words: set[str]) -> list[str]:
        """Make what a query mentions visible to it; returns the names of all cached tables."""
        tables = [name for name in COLUMNS if name in words]

        def read(connection: Connection) -> tuple[dict[str, pa.Table], list[tuple[Any, ...]], Fetched]:
            copies = {name: to_arrow(connection, f"FROM v1.{name}") for name in tables}
            newest = connection.execute(_CURRENT.format(more="")).fetchall()
            digests = [row[2] for row in newest if row[0].lower() in words and row[1].lower() in words]
            size = sum(row[5] for row in newest)
            return copies, newest, fetch(connection, digests, size) if digests else Fetched()

        copies, newest, fetched = self._read(read)
        self._value_cache.take(fetched)
        for name, table in copies.items():
            memory.register(name, table)
        for number, (step, output, *fields) in enumerate(newest):
            if step.lower() in words and output.lower() in words:
                self._show(memory, f"cached_{number}", step, output, Artifact(*fields))
        return [f"{step}.{output}" for step, output, *_ in newest]

    def _show(self, memory: Connection, name: str, step: str, output: str, artifact: Artifact) -> None:
        try:
            table = self._value_cache.arrow(artifact)
        except StoreError as error:
            self._home.warn(f"{step}.{output} cannot be queried: {error}")
            return
        if table is None:
            return
        memory.register(name, table)
        memory.execute(f'CREATE SCHEMA IF NOT EXISTS "{step}"')
        memory.execute(f'CREATE OR REPLACE VIEW "{step}"."{output}" AS FROM {name}')


def _mend(message: str, names: list[str]) -> str:
    """What to do about a query that DuckDB refuses."""
    if "(INTERVAL" in message:
        return "durations are intervals; their seconds can be summed: sum(epoch(time_saved))"
    tables = [*COLUMNS, *sorted(names)]
    absent = re.search(r'Table with name "?([^\s"]+)"? does not exist', message)
    close = difflib.get_close_matches(absent[1], tables, n=1) if absent else []
    return f"did you mean {close[0]}?" if close else f"tables: {', '.join(tables)}"


def _as_frame(relation: duckdb.DuckDBPyRelation) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # DuckDB's way of making frames trails pandas'
        frame: pd.DataFrame = relation.df()
    return frame


def _record(kind: str, row: tuple[Any, ...]) -> dict[str, Any]:
    columns = _columns(kind).items()
    return {name: _JSONABLE[form](value) for (name, form), value in zip(columns, row, strict=True)}


def _columns(kind: str) -> dict[str, Any]:
    if kind not in COLUMNS:
        raise UsageError(f"there is no history of {kind!r}", hint=f"choose one of: {', '.join(COLUMNS)}")
    return dict(COLUMNS[kind])


def _query(kind: str, filters: dict[str, Any]) -> tuple[str, list[Any]]:
    """Statement and parameters for a table and filters.

    Raises:
        UsageError: a filter that the table does not have.
    """
    shown = ", ".join(f'"{name}"' for name in _columns(kind))
    filters = {name: value for name, value in filters.items() if value is not None}
    limit = filters.pop("limit", None)
    unknown = filters.keys() - {"notebook", "run_id", "step"} | ({"step"} & filters.keys() if kind == "runs" else set())
    if unknown:
        raise UsageError(
            f"{kind} cannot be filtered by {', '.join(sorted(unknown))}", hint="use run_id, notebook, step"
        )
    if limit is not None and int(limit) < 0:
        msg = f"limit is {limit}: there are no fewer rows than none"
        raise UsageError(msg, hint="limit=20")
    where = " AND ".join(f'"{name}" = ?' for name in filters)
    chosen = f"WHERE {where} " if where else ""
    query = f"SELECT {shown} FROM log.show_{kind} {chosen}ORDER BY {NEWEST[kind]}"  # noqa: S608 - our own names
    parameters = list(filters.values())
    if limit is not None:
        query += " LIMIT ?"
        parameters.append(int(limit))
    return query, parameters


def _series(values: list[Any], form: str) -> Any:
    import pandas as pd  # noqa: PLC0415 - keeps import nbsteps fast

    if form == "text":
        return pd.array(values, dtype="string")
    if form == "int":
        return pd.array(values, dtype="Int64")
    if form in {"json", "list"}:
        shown = [pd.NA if value is None else _JSONABLE[form](value) for value in values]
        return pd.Series(shown, dtype=object)
    whole = pd.array([None if value is None else round(value * _MILLION) for value in values], dtype="Int64")
    if form == "time":
        return pd.Series(pd.to_datetime(whole, unit="us", utc=True)).astype("datetime64[us, UTC]")
    return pd.Series(pd.to_timedelta(whole, unit="us")).astype("timedelta64[us]")


def _iso(value: float | None) -> str | None:
    return None if value is None else datetime.fromtimestamp(value, UTC).isoformat(timespec="microseconds")


_JSONABLE: Final[dict[str, Callable[[Any], Any]]] = {
    "text": lambda value: value,
    "int": lambda value: value,
    "duration": lambda value: value,
    "time": _iso,
    "json": lambda value: None if value is None else loads(value),
    "list": lambda value: value,
}
