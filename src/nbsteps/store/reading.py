"""Bulk reads of the home: results into the index, values by their digests."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from nbsteps.core.approvals import Verdict
from nbsteps.core.model import Artifact, Result
from nbsteps.core.states import ApprovalState
from nbsteps.store.index import Entry, Index
from nbsteps.store.records import decode_request, decode_result, loads

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Row = tuple[Any, ...]

WHOLE: Final = 20_000
"""Number of steps' results up to which all of them are read at once; those of items are read when asked for."""

SMALL: Final = 1024
"""Bytes up to which a value is small enough to be read on the way."""
SMALL_BYTES: Final = 4 << 20
"""Bytes of small values that are read on the way."""

_COLUMNS: Final = "seq, id, key, static, notebook, step, reusable, record, parts"
_LATEST: Final = "SELECT notebook, step, state, result FROM log.latest"
_COUNTS: Final = """
SELECT count(*) FILTER (item = ''), count(*) FILTER (item <> ''), (SELECT count(*) FROM log.requests) FROM log.results
"""
_STEPS: Final = "item = ''"
_KEPT: Final = "id NOT IN (SELECT id FROM log.cleared)"
_ITEMS: Final = """
SELECT r.id, r.key, r.record, r.parts, coalesce(s.parts, '')
FROM log.results r LEFT JOIN log.shared_parts s ON s.id = r.shared
WHERE r.key IN (SELECT unnest($1::VARCHAR[])) AND r.item <> '' AND r.reusable
    AND r.id NOT IN (SELECT id FROM log.cleared)
ORDER BY r.seq DESC, r.id DESC
"""


def load(connection: duckdb.DuckDBPyConnection, index: Index, *, anew: bool = False) -> None:
    """Bring an index up to date with the home; the first time, or ``anew``, with everything, if it is not too much."""
    next_seq, uid, (whole, items, requests) = counts(connection)
    if index.loaded >= 0 and index.home != uid:
        index.loaded = 0  # somebody moved a damaged file aside: numbers began anew
    since, index.home = -1 if anew else index.loaded, uid
    index.home_items, index.home_requests = items > 0, requests > 0
    index.asked.clear()
    if since < 0:
        index.complete = whole <= WHOLE
    if index.complete or since >= 0:
        rows = _query(connection, f"SELECT id FROM log.cleared WHERE seq > {since}")  # noqa: S608 - a number
        index.clear([row[0] for row in rows])
        results, latest = every(connection, since)
        _add(index, results)
        _last(index, latest)
    index.loaded = next_seq - 1


def counts(connection: duckdb.DuckDBPyConnection) -> tuple[int, str, list[int]]:
    """Next sequence number, the file's own identifier, and how many results of steps, of items, and requests it has."""
    next_seq, uid = connection.execute("SELECT next_seq, uid FROM log.meta").fetchone() or (1, "")
    return next_seq, str(uid), list(connection.execute(_COUNTS).fetchone() or (0, 0, 0))


def every(connection: duckdb.DuckDBPyConnection, since: int = -1) -> tuple[list[Row], list[Row]]:
    """All results of steps that were folded after ``since`` and are not cleared, and the steps' last outcomes."""
    return _kept(connection, f"seq > {since}", []), _query(connection, f"{_LATEST} WHERE seq > {since}")


def some(
    connection: duckdb.DuckDBPyConnection, steps: Collection[tuple[str, str]], statics: Collection[str]
) -> tuple[list[Row], list[Row]]:
    """Results under some static digests, and the last outcomes of steps (with their notebooks) with their results."""
    places = [[notebook for notebook, _ in steps], [step for _, step in steps]]
    query = f"{_LATEST} WHERE (notebook, step) IN (SELECT unnest($1::VARCHAR[]), unnest($2::VARCHAR[]))"
    latest = _query(connection, query, places)
    identifiers = [row[3] for row in latest if row[3] is not None]
    where = "(static IN (SELECT unnest($1::VARCHAR[])) OR id IN (SELECT unnest($2::VARCHAR[])))"
    return _kept(connection, where, [list(statics), identifiers]), latest


def folded(connection: duckdb.DuckDBPyConnection) -> tuple[dict[str, int], dict[str, int]]:
    """Up to where each journal is folded that something may follow in, and each living owner's last frame."""
    journals = _query(connection, "SELECT name, folded FROM log.journals WHERE NOT ended")
    return dict(journals), dict(_query(connection, "SELECT owner, frames FROM log.owners"))


def cleared_of(connection: duckdb.DuckDBPyConnection, owners: Collection[str]) -> list[str]:
    """Identifiers that were cleared and that a journal may still name: those of living owners, and of requests."""
    query = (
        "SELECT id FROM log.cleared WHERE NOT contains(id, ':') "
        "OR split_part(id, ':', 1) IN (SELECT unnest($1::VARCHAR[]))"
    )
    return [row[0] for row in _query(connection, query, [list(owners)])]


def load_steps(
    connection: duckdb.DuckDBPyConnection,
    index: Index,
    notebook: str,
    steps: Collection[str],
    statics: Collection[str] = (),
) -> None:
    """Read what concerns these steps and static digests, where not everything is in memory."""
    names = list(steps)
    results, latest = some(connection, [(notebook, step) for step in names], statics)
    _add(index, results)
    _last(index, latest)
    index.statics.update(statics)
    index.steps.update((notebook, step) for step in names)


def load_latest(connection: duckdb.DuckDBPyConnection, index: Index, notebook: str, step: str, number: int) -> None:
    """Read a step's latest results."""
    query = f"SELECT id FROM log.results WHERE notebook = $1 AND step = $2 AND {_STEPS} ORDER BY seq DESC LIMIT $3"  # noqa: S608 - our own text
    identifiers = [row[0] for row in _query(connection, query, [notebook, step, number])]
    _results(connection, index, "id IN (SELECT unnest($1::VARCHAR[]))", [identifiers])
    index.timed.add((notebook, step))


def load_key(connection: duckdb.DuckDBPyConnection, index: Index, key: str) -> None:
    """Read the results under one key."""
    _results(connection, index, "key = $1", [key])
    index.keys.add(key)


def load_items(
    connection: duckdb.DuckDBPyConnection, index: Index, keys: Collection[str]
) -> dict[str, tuple[Result, ...]]:
    """Results of items, by key, newest first."""
    found: dict[str, tuple[Result, ...]] = {}
    for identifier, key, record, own, shared in _query(connection, _ITEMS, [list(keys)]):
        if not index.is_cleared(identifier):
            found[key] = (*found.get(key, ()), decode_result(loads(record), own, shared))
    return found


def load_requests(connection: duckdb.DuckDBPyConnection, index: Index, notebook: str) -> None:
    """Read what people were asked about a notebook, and what they decided."""
    ask(index, *requests(connection, notebook))
    index.asked.add(notebook)


def requests(connection: duckdb.DuckDBPyConnection, notebook: str | None = None) -> tuple[list[str], list[Row]]:
    """Records of what people were asked about a notebook, or about any, and rows of what they decided."""
    where, parameters = ("true", []) if notebook is None else ("notebook = $1", [notebook])
    kept = "request_id NOT IN (SELECT id FROM log.cleared)"
    query = f"SELECT record FROM log.requests WHERE {where} AND {kept} ORDER BY seq"  # noqa: S608 - our own text
    asked = [record for (record,) in _query(connection, query, parameters)]
    query = f'SELECT request_id, state, "at", "by", comment, "values" FROM log.verdicts WHERE {where} ORDER BY seq'  # noqa: S608 - our own text
    return asked, _query(connection, query, parameters)


def ask(index: Index, asked: Iterable[str], decided: Iterable[Row]) -> None:
    """Take in what :func:`requests` found."""
    for record in asked:
        index.ask(decode_request(loads(record)))
    for identifier, state, at, by, comment, values in decided:
        index.decide(Verdict(identifier, ApprovalState(state), at, by, comment, loads(values)))


def load_identifiers(connection: duckdb.DuckDBPyConnection, notebook: str, step: str) -> list[str]:
    """Identifiers of every result of a step."""
    query = "SELECT id FROM log.results WHERE notebook = $1 AND step = $2"
    return [row[0] for row in _query(connection, query, [notebook, step])]


def _results(connection: duckdb.DuckDBPyConnection, index: Index, where: str, parameters: list[Any]) -> None:
    _add(index, _kept(connection, where, parameters))


def _kept(connection: duckdb.DuckDBPyConnection, where: str, parameters: list[Any]) -> list[Row]:
    query = f"SELECT {_COLUMNS} FROM log.results WHERE {where} AND {_STEPS} AND {_KEPT} ORDER BY seq"  # noqa: S608 - our own text
    return _query(connection, query, parameters)


def _add(index: Index, rows: Iterable[Row]) -> None:
    for row in rows:
        index.add(Entry.stored(row))


def _last(index: Index, rows: Iterable[Row]) -> None:
    for notebook, step, state, result in rows:
        index.recorded(notebook, step, state, result)


def _query(connection: duckdb.DuckDBPyConnection, query: str, parameters: Any = None) -> list[Row]:
    return connection.execute(query, parameters).fetchall()


@dataclass(slots=True)
class Fetched:
    """Values read from the home.

    Attributes:
        payloads: digest to bytes.
        tables: digest to what DuckDB gives back for a table.
        artifacts: digest to the artifact with its present location.
    """

    payloads: dict[str, bytes] = field(default_factory=dict)
    tables: dict[str, pa.Table] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)


def fetch(connection: duckdb.DuckDBPyConnection, digests: Collection[str], limit: int) -> Fetched:
    """Read values by their digests, the first always, the others as long as they fit into ``limit`` bytes."""
    found = Fetched()
    wanted = list(digests)
    query = (
        "SELECT digest, type, codec, bytes, location, checksum, mac, summary FROM log.artifacts "
        "WHERE digest IN (SELECT unnest($1::VARCHAR[]))"
    )
    known = {row[0]: Artifact(*row) for row in _query(connection, query, [wanted])}
    shelved = "SELECT digest, shelf FROM log.shelved WHERE digest IN (SELECT unnest($1::VARCHAR[]))"
    shelves: dict[int, list[str]] = {}
    for digest, shelf in _query(connection, shelved, [_fitting(wanted, known, limit)]):
        shelves.setdefault(shelf, []).append(digest)
    for shelf, members in shelves.items():
        statement = f"SELECT digest, payload FROM log.values_{shelf} WHERE digest IN (SELECT unnest($1::VARCHAR[]))"  # noqa: S608 - a number
        found.payloads.update(_query(connection, statement, [members]))
    for digest in _fitting(wanted, known, limit):
        artifact = known.get(digest)
        if artifact is not None:
            found.artifacts[digest] = artifact
            if artifact.location.startswith("table:"):
                found.tables[digest] = read_table(connection, artifact)
    for digest in found.payloads.keys() & known.keys():
        if not known[digest].location.startswith("table:"):
            found.artifacts[digest] = replace(known[digest], location="inline")
    return found


def small(artifacts: Iterable[Artifact]) -> list[str]:
    """Digests of those values that can be read on the way: small ones, up to a limit for all."""
    found: dict[str, None] = {}
    size = 0
    for artifact in artifacts:
        if artifact.bytes <= SMALL and artifact.location == "inline":
            size += artifact.bytes
            if size > SMALL_BYTES:
                break
            found[artifact.digest] = None
    return list(found)


def _fitting(wanted: list[str], known: dict[str, Artifact], limit: int) -> list[str]:
    fitting, size = [], 0
    for position, digest in enumerate(wanted):
        size += known[digest].bytes if digest in known and not known[digest].location.startswith("object:") else 0
        if position == 0 or size <= limit:
            fitting.append(digest)
    return fitting


def read_table(connection: duckdb.DuckDBPyConnection, artifact: Artifact) -> pa.Table:
    """What DuckDB gives back for a value that is a table of its own, in the order it was written."""
    name = artifact.location.removeprefix("table:")
    return to_arrow(connection, f'SELECT * FROM tables."{name}"')  # noqa: S608 - our own name


def to_arrow(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Answer of a query as an Arrow table."""
    connection.execute("SELECT 1 WHERE false").fetchall()  # DuckDB 2 refuses a relation while a result is half read
    table: pa.Table = connection.sql(query).to_arrow_table()
    return table


def forget_value(connection: duckdb.DuckDBPyConnection, digest: str) -> None:
    """Drop what is known of a value that turned out to be damaged, so that it can be stored anew."""
    shelves = _query(connection, "SELECT DISTINCT shelf FROM log.shelved WHERE digest = $1", [digest])
    for table in (*(f"values_{shelf}" for (shelf,) in shelves), "shelved", "artifacts"):
        connection.execute(f"DELETE FROM log.{table} WHERE digest = $1", [digest])  # noqa: S608 - our own name
