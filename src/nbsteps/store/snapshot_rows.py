"""Taking a snapshot of the home, and believing one: the same rows that a look would bring, in the same order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nbsteps.core.model import Result
from nbsteps.store import reading
from nbsteps.store.index import Entry, Index
from nbsteps.store.layout import Buffer
from nbsteps.store.records import decode_result, dumps, loads
from nbsteps.store.snapshot import Snapshot, Table

if TYPE_CHECKING:
    import duckdb

    Connection = duckdb.DuckDBPyConnection

STEPS: Final = 5000
"""Results of steps up to which all are taken; beyond, those that were asked for."""
ITEMS: Final = 5000
"""Results of items that are taken, the newest."""
REQUESTS: Final = 500
"""Requests for approval up to which all are taken; beyond, none."""
VALUES: Final = 10_000
"""Small values that are taken, the newest."""

_NEWEST_ITEMS: Final = """
SELECT r.id, r.key, r.shared, r.record, r.parts FROM log.results r
WHERE r.item <> '' AND r.reusable AND r.id NOT IN (SELECT id FROM log.cleared)
    AND r.key IN (SELECT key FROM log.results WHERE item <> '' ORDER BY seq DESC LIMIT $1)
ORDER BY r.seq DESC, r.id DESC LIMIT $2
"""
_SMALL_VALUES: Final = f"""
SELECT a.digest, a.type, a.codec, a.bytes, a.location, a.checksum, a.mac, a.summary, s.shelf
FROM log.artifacts a JOIN log.shelved s ON s.digest = a.digest
WHERE a.bytes <= {reading.SMALL} AND a.location = 'inline' ORDER BY a.stored_at DESC, a.digest LIMIT {VALUES}
"""  # noqa: S608 - numbers


@dataclass(slots=True)
class Asked:
    """What was asked for, so that a snapshot of a large store holds at least that.

    Attributes:
        steps: with their notebooks.
        statics: static digests.
    """

    steps: set[tuple[str, str]] = field(default_factory=set)
    statics: set[str] = field(default_factory=set)

    def note(self, notebook: str, steps: Collection[str], statics: Collection[str]) -> None:
        """Somebody asks for these."""
        self.steps.update((notebook, step) for step in steps)
        self.statics.update(statics)


def take(connection: Connection, asked: Asked) -> tuple[dict[str, Any], list[Buffer]] | None:
    """What a snapshot says, of the open home; None where it would be too much.

    Returns:
        What is small, and buffers, as :func:`nbsteps.store.snapshot.seal` takes them.
    """
    next_seq, uid, counts = reading.counts(connection)
    complete = counts[0] <= STEPS
    results, latest = reading.every(connection) if complete else reading.some(connection, asked.steps, asked.statics)
    if len(results) > STEPS:
        return None
    items, shared = _items(connection)
    journals, owners = reading.folded(connection)
    about = {
        "uid": str(uid),
        "next_seq": next_seq,
        "counts": counts,
        "complete": complete,
        "every_item": counts[1] <= ITEMS,
        "statics": [] if complete else sorted(asked.statics),
        "steps": [] if complete else sorted(asked.steps),
        "latest": latest,
        "cleared": reading.cleared_of(connection, owners),
        "journals": journals,
        "owners": owners,
        **_requests(connection, counts[2]),
    }
    return about, [*Table.parts(results, 2), *Table.parts(items, 2), shared, *_values(connection)]


def _items(connection: Connection) -> tuple[list[tuple[Any, ...]], bytes]:
    """Every result of the newest items' keys, and the parts that they share."""
    rows = connection.execute(_NEWEST_ITEMS, [ITEMS, 2 * ITEMS + 1]).fetchall()
    if len(rows) > 2 * ITEMS:
        return [], b"{}"  # some key may have more of them
    query = "SELECT id, parts FROM log.shared_parts WHERE id IN (SELECT unnest($1::VARCHAR[]))"
    identifiers = list({row[2] for row in rows if row[2]})
    shared = dict(connection.execute(query, [identifiers]).fetchall()) if identifiers else {}
    return rows, dumps(shared).encode()


def _values(connection: Connection) -> list[Buffer]:
    """The newest small values: what is known of each, and their bytes, one behind the other."""
    known: dict[int, dict[str, tuple[Any, ...]]] = {}
    size = 0
    for *row, shelf in connection.execute(_SMALL_VALUES).fetchall():
        size += row[3]
        if size > reading.SMALL_BYTES:
            break
        known.setdefault(shelf, {})[row[0]] = tuple(row)
    heads, payloads = [], []
    for shelf, rows in known.items():
        query = f"SELECT digest, payload FROM log.values_{shelf} WHERE digest IN (SELECT unnest($1::VARCHAR[]))"  # noqa: S608 - a number
        for digest, payload in connection.execute(query, [list(rows)]).fetchall():
            found = rows.pop(digest, None)
            if found is not None and found[3] == len(payload):
                heads.append(found)
                payloads.append(payload)
    return [dumps(heads).encode(), b"".join(payloads)]


def _requests(connection: Connection, number: int) -> dict[str, Any]:
    """Requests for approval and decisions; None where there are too many."""
    if number > REQUESTS:
        return {"requests": None, "verdicts": None}
    return dict(zip(("requests", "verdicts"), reading.requests(connection), strict=True))


def adopt(snapshot: Snapshot, index: Index) -> None:
    """Fill an empty index with what a snapshot says, as a first look into the home would."""
    about = snapshot.about
    index.home, index.loaded, index.complete = about["uid"], about["next_seq"] - 1, about["complete"]
    index.home_items, index.home_requests = about["counts"][1] > 0, about["counts"][2] > 0
    index.clear(about["cleared"])
    for row in snapshot.results():
        index.add(Entry.stored(tuple(row)))
    for row in about["latest"]:
        index.recorded(*row)
    index.statics.update(about["statics"])
    index.steps.update((notebook, step) for notebook, step in about["steps"])
    if about["requests"] is not None:
        index.home_requests = False  # every one is here
        reading.ask(index, about["requests"], about["verdicts"])


def items(snapshot: Snapshot, index: Index, keys: Collection[str]) -> tuple[dict[str, tuple[Result, ...]], list[str]]:
    """Results of items by key, newest first, as a look would find them, and the keys that only a look can tell of."""
    found: dict[str, tuple[Result, ...]] = {}
    unknown = []
    for key in keys:
        rows = snapshot.items.get(key)
        if rows is None:
            if not snapshot.about["every_item"]:
                unknown.append(key)
            continue
        kept = [row for row in rows if not index.is_cleared(row[0])]
        if kept:
            found[key] = tuple(decode_result(loads(record), own, shared) for _id, _key, record, own, shared in kept)
    return found, unknown


def values(snapshot: Snapshot, digests: Collection[str]) -> reading.Fetched:
    """Those of some values that it holds."""
    held = snapshot.values
    here = {digest: held[digest] for digest in digests if digest in held}
    return reading.Fetched(
        payloads={digest: payload for digest, (_, payload) in here.items()},
        artifacts={digest: artifact for digest, (artifact, _) in here.items()},
    )
