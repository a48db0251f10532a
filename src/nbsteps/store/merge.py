"""Folding journals into the home: rows and offsets in one transaction, then the note, then the unlinking.

The order makes every crash harmless: before the commit nothing happened; after it the offsets say what was folded; a
journal is unlinked only after the note that tells readers so, and only if its owner's liveness lock was obtained
before its size was read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nbsteps.core.model import Artifact
from nbsteps.store import locks
from nbsteps.store.heartbeat import beats
from nbsteps.store.home import Home
from nbsteps.store.journal import Frame, Tail, in_order, live_path, owner_of, segments, sync
from nbsteps.store.recovery import retire
from nbsteps.store.rows import Rows, artifact_rows
from nbsteps.store.schema import insert, shelf

if TYPE_CHECKING:
    import duckdb

SHELF_BYTES: Final = 16 << 20
_FACTS: Final = (
    "run_starts",
    "run_ends",
    "step_starts",
    "step_ends",
    "attempt_starts",
    "attempt_ends",
    "retries",
    "requests",
    "verdicts",
    "labels",
    "events",
    "results",
    "outputs",
    "cleared",
)
"""Tables whose rows come one by one from events."""
_NOTES_BYTES: Final = 256 << 10


@dataclass(slots=True)
class Batch:
    """What one merge read from the journals.

    Attributes:
        offsets: segment to the offset up to which it is folded.
        frames: owner to the number of the last frame folded.
        ended: segments in which nothing follows.
        dead: owners whose liveness lock this process obtained.
        damaged: bytes that were passed over.
    """

    offsets: dict[str, int] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    damaged: int = 0


def merge(
    home: Home,
    connection: duckdb.DuckDBPyConnection,
    tabular: Callable[[Artifact], bool],
    retiring: str = "",
) -> tuple[dict[str, int], dict[str, int]]:
    """Fold everything that the journals hold; the caller holds the lock and the open file.

    Args:
        home: where the journals are.
        connection: to the open file.
        tabular: says whether a value may become a table of its own.
        retiring: the caller's own owner token where it writes no more.

    Returns:
        The offset up to which each remaining segment is folded, and each living owner's last frame.
    """
    known = dict(connection.execute("SELECT name, folded FROM log.journals").fetchall())
    owners = dict(connection.execute("SELECT owner, frames FROM log.owners").fetchall())
    batch = Batch(frames=dict(owners))
    seq = (connection.execute("SELECT next_seq FROM log.meta").fetchone() or (1,))[0]
    rows = Rows(seq)
    with ExitStack() as stack:
        candidates = {owner_of(name) for name in segments(home.journals)} | owners.keys()
        batch.dead = {owner for owner in candidates if dead(home, owner, retiring, stack)}
        names = segments(home.journals)  # again: the dead can have begun another segment before they died
        for name in in_order(home.journals, names):
            _read(home, name, known.get(name, 0), batch, rows)
        if rows or rows.payloads or batch.dead or batch.offsets != known:
            home.change(connection)
            _store(connection, rows, tabular)
            retire(connection, rows.seq, batch.dead)
            _account(connection, batch, rows)
            connection.execute("COMMIT")
        if batch.damaged:
            home.warn(f"{batch.damaged} damaged bytes in a journal of {home.journals} were passed over")
        _sweep(home, batch, names)
    offsets = {name: offset for name, offset in batch.offsets.items() if name not in batch.ended}
    return offsets, {owner: number for owner, number in batch.frames.items() if owner not in batch.dead}


def dead(home: Home, owner: str, retiring: str, stack: ExitStack) -> bool:
    """Whether an owner writes no more; if so its liveness lock is held until the merge is over."""
    if owner == retiring:
        return True
    path = live_path(home.journals, owner)
    if not path.exists():
        return True
    lock = locks.Lock.acquire(path)
    if lock is None:
        return False
    if beats(path, home.about.get("host", ""), home.now()):
        lock.release()
        return False
    stack.callback(lock.release)
    return True


def _read(home: Home, name: str, folded: int, batch: Batch, rows: Rows) -> None:
    owner = owner_of(name)
    tail = Tail(home.journals, name, folded)
    try:
        frames = tail.read(final=owner in batch.dead)
    except FileNotFoundError:
        return
    finally:
        tail.close()
    rows.take(owner, fresh(frames, batch.frames, owner))
    batch.offsets[name] = tail.offset
    batch.damaged += tail.damaged
    if owner in batch.dead or tail.ended:
        batch.ended.add(name)


def fresh(frames: list[Frame], numbers: dict[str, int], owner: str) -> list[Frame]:
    """Those frames that were not seen: what had to be written twice counts once. ``numbers`` is kept up to date."""
    last = numbers.get(owner, 0)
    found = []
    for frame in frames:
        if frame.number > last:
            last = frame.number
            found.append(frame)
    numbers[owner] = last
    return found


def _store(connection: duckdb.DuckDBPyConnection, rows: Rows, tabular: Callable[[Artifact], bool]) -> None:
    for table in _FACTS:
        _insert(connection, table, rows.columns(table))
    _shared(connection, rows.shared)
    _payloads(connection, rows.payloads)
    _artifacts(connection, artifact_rows(rows, tabular))
    _latest(connection, rows)


def _insert(connection: duckdb.DuckDBPyConnection, table: str, columns: list[list[Any]]) -> None:
    if columns:
        connection.execute(insert(table), columns)


def _shared(connection: duckdb.DuckDBPyConnection, shared: dict[str, str]) -> None:
    """Keep what many items have in common, each once."""
    if shared:
        query = "SELECT id FROM log.shared_parts WHERE id IN (SELECT unnest($1::VARCHAR[]))"
        known = {row[0] for row in connection.execute(query, [list(shared)]).fetchall()}
        new = [(digest, parts) for digest, parts in shared.items() if digest not in known]
        _insert(connection, "shared_parts", [list(column) for column in zip(*new, strict=True)])


def _payloads(connection: duckdb.DuckDBPyConnection, payloads: dict[str, bytes]) -> None:
    """Put inline values on shelves, each once."""
    known = _present(connection, "SELECT digest FROM log.shelved", payloads)
    wanted = {digest: payload for digest, payload in payloads.items() if digest not in known}
    if not wanted:
        return
    newest = connection.execute("SELECT number, bytes FROM log.shelves ORDER BY number DESC LIMIT 1").fetchone()
    number, size = newest or (0, SHELF_BYTES)
    if size >= SHELF_BYTES:
        number, size = number + 1, 0
        connection.execute(shelf(number))
        connection.execute("INSERT INTO log.shelves VALUES (?, 0)", [number])
    digests = list(wanted)
    statement = f"INSERT INTO log.values_{number} SELECT unnest($1::VARCHAR[]), unnest($2::BLOB[])"
    connection.execute(statement, [digests, list(wanted.values())])
    connection.execute("INSERT INTO log.shelved SELECT unnest($1::VARCHAR[]), $2", [digests, number])
    size += sum(map(len, wanted.values()))
    connection.execute("UPDATE log.shelves SET bytes = ? WHERE number = ?", [size, number])


def _present(connection: duckdb.DuckDBPyConnection, query: str, digests: Collection[str]) -> set[str]:
    if not digests:
        return set()
    statement = f"{query} WHERE digest IN (SELECT unnest($1::VARCHAR[]))"
    return {row[0] for row in connection.execute(statement, [list(digests)]).fetchall()}


def _artifacts(connection: duckdb.DuckDBPyConnection, found: list[tuple[Any, ...]]) -> None:
    known = _present(connection, "SELECT digest FROM log.artifacts", [row[0] for row in found])
    rows = [row for row in found if row[0] not in known]
    if rows:
        _insert(connection, "artifacts", [list(column) for column in zip(*rows, strict=True)])


def _latest(connection: duckdb.DuckDBPyConnection, rows: Rows) -> None:
    """Replace the last outcomes of the steps that are among the rows."""
    places = list(rows.latest.keys() | rows.forgotten)
    if not places:
        return
    keys = [[place[0] for place in places], [place[1] for place in places]]
    match = "(notebook, step) IN (SELECT unnest($1::VARCHAR[]), unnest($2::VARCHAR[]))"
    query = f"SELECT notebook, step, result FROM log.latest WHERE {match}"  # noqa: S608 - our own text
    earlier = {(row[0], row[1]): row[2] for row in connection.execute(query, keys).fetchall()}
    connection.execute(f"DELETE FROM log.latest WHERE {match}", keys)  # noqa: S608 - our own text
    new = []
    for place, (seq, state, result) in rows.latest.items():
        kept = None if place in rows.forgotten else earlier.get(place)
        new.append((seq, *place, state, result or kept))
    if new:
        _insert(connection, "latest", [list(column) for column in zip(*new, strict=True)])


def _account(connection: duckdb.DuckDBPyConnection, batch: Batch, rows: Rows) -> None:
    """Write down how far each journal is folded, in the transaction of the rows."""
    connection.execute("DELETE FROM log.journals")
    connection.execute("DELETE FROM log.owners")
    kept = [(name, offset, name in batch.ended) for name, offset in batch.offsets.items()]
    if kept:
        _insert(connection, "journals", [list(column) for column in zip(*kept, strict=True)])
    owners = [(owner, number) for owner, number in batch.frames.items() if owner not in batch.dead]
    if owners:
        _insert(connection, "owners", [list(column) for column in zip(*owners, strict=True)])
    connection.execute("UPDATE log.meta SET next_seq = ?", [rows.seq + 1])


def _sweep(home: Home, batch: Batch, names: list[str]) -> None:
    """Note which journals are folded for good, then unlink them."""
    done = [name for name in names if name in batch.ended]
    if done:
        _note(home, [f"{name} {batch.offsets[name]}" for name in done])
    for name in done:
        with suppress(OSError):  # Windows: somebody still reads it; the next merge tries again
            (home.journals / name).unlink()
    remaining = {owner_of(name) for name in segments(home.journals)} if batch.dead else set()
    for owner in batch.dead - remaining:
        with suppress(OSError):
            live_path(home.journals, owner).unlink()


def _note(home: Home, lines: list[str]) -> None:
    """Append to the notes, durably; begin them anew when they are long."""
    data = "".join(f"{line}\n" for line in lines).encode("ascii")
    with suppress(FileNotFoundError):
        if home.notes.stat().st_size > _NOTES_BYTES:
            fresh_notes = home.notes.with_name("folded.tmp")
            fresh_notes.write_bytes(b"")
            fresh_notes.replace(home.notes)
    descriptor = os.open(home.notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.write(descriptor, data)
        sync(descriptor)
    finally:
        os.close(descriptor)
