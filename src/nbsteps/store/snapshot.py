"""What a look into the home would find, in a file beside it, so that a run that changes nothing needs no DuckDB.

It is never stale, and that does not rest on clocks: whoever changes the home holds the merge lock, and removes the
snapshot durably before the transaction begins (:meth:`SnapshotFile.drop`); a new one appears whole, by a rename under
the same lock, after the transaction is on the disk. Whoever dies in between leaves none, and then DuckDB is opened.
A snapshot that can be opened was therefore true at that moment; what was written since is in journals, or in the notes
of folded ones, which the reader has marked before.

Those who know nothing of it (somebody's own DuckDB session, an older nbsteps, a copied or restored folder) change what
the system says of the home's file or leave a log beside it, and neither is believed then.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import xxhash

from nbsteps.core.errors import DamagedValueError
from nbsteps.core.key import SCHEME
from nbsteps.core.model import Artifact
from nbsteps.store import schema
from nbsteps.store.journal import sync, sync_folder
from nbsteps.store.layout import Buffer, pack, unpack
from nbsteps.store.records import dumps, loads

Row = tuple[Any, ...]

_HEAD: Final = struct.Struct("<8sQ")
_MAGIC: Final = b"NBSNAP\x00\x01"
_MARKS: Final = [1, SCHEME, schema.VERSION, schema.REVISION]
"""Who can read it: any other version of its own form, of keys or of tables looks into the home."""
_MOST_BYTES: Final = 32 << 20


class Table:
    """Rows that end in long texts; the texts are JSON, so that none contains a line break.

    Short columns are one JSON text and each long one is lines: splitting is twenty times as fast as decoding.
    """

    @staticmethod
    def parts(rows: Iterable[Row], texts: int) -> list[Buffer]:
        """Buffers of some rows of which the last ``texts`` columns are long.

        Raises:
            ValueError: a text has several lines.
        """
        rows = list(rows)
        columns = ["\n".join(row[place - texts] for row in rows) for place in range(texts)]
        if rows and any(column.count("\n") != len(rows) - 1 for column in columns):
            msg = "a stored text has several lines"
            raise ValueError(msg)
        return [dumps([row[:-texts] for row in rows]).encode(), *(column.encode() for column in columns)]

    @staticmethod
    def rows(parts: list[memoryview]) -> list[list[Any]]:
        """Inverse of :meth:`parts`."""
        heads = loads(str(parts[0], "ascii"))
        columns = [str(part, "utf-8").split("\n") for part in parts[1:]] if heads else []
        return [[*head, *texts] for head, *texts in zip(heads, *columns, strict=True)]


class Snapshot:
    """What one look found.

    Attributes:
        about: what is small: ``marks``, ``home`` (state of the file), ``uid``, ``next_seq``, ``counts`` (of results
            of steps, of items, of requests), ``complete`` and ``every_item`` (whether all of them are here),
            ``statics`` and ``steps`` (what is complete otherwise), ``latest``, ``cleared``, ``requests``,
            ``verdicts``, ``journals`` (name to offset), ``owners`` (to their last frame).
    """

    PARTS: Final = {"results": slice(1, 4), "items": slice(4, 7), "shared": slice(7, 8), "values": slice(8, 10)}

    def __init__(self, parts: list[memoryview]) -> None:
        """From the buffers of :func:`seal`."""
        self._parts = parts
        self.about: dict[str, Any] = loads(str(parts[0], "ascii"))

    def covers(self, steps: Collection[tuple[str, str]], statics: Collection[str]) -> bool:
        """Whether everything about these steps (with their notebooks) and static digests is here."""
        return bool(self.about["complete"]) or (
            {tuple(step) for step in self.about["steps"]}.issuperset(steps)
            and set(self.about["statics"]).issuperset(statics)
        )

    def results(self) -> list[list[Any]]:
        """Rows of steps' results, as :meth:`nbsteps.store.index.Entry.stored` takes them."""
        return Table.rows(self._parts[self.PARTS["results"]])

    @cached_property
    def items(self) -> dict[str, list[list[Any]]]:
        """Key to rows ``id, key, record, parts, shared parts`` of results of items, newest first."""
        (shared,) = (loads(str(part, "ascii")) for part in self._parts[self.PARTS["shared"]])
        found: dict[str, list[list[Any]]] = {}
        for identifier, key, common, record, parts in Table.rows(self._parts[self.PARTS["items"]]):
            found.setdefault(key, []).append([identifier, key, record, parts, shared.get(common, "")])
        return found

    @cached_property
    def values(self) -> dict[str, tuple[Artifact, bytes]]:
        """Digest to what is known of a small value, and its bytes."""
        heads, payloads = self._parts[self.PARTS["values"]]
        found, at = {}, 0
        for row in loads(str(heads, "ascii")):
            artifact, size = Artifact(*row), row[3]
            found[artifact.digest] = (artifact, bytes(payloads[at : at + size]))
            at += size
        return found


def seal(about: dict[str, Any], state: list[int], parts: Iterable[Buffer]) -> bytes:
    """The file's content.

    Args:
        about: see :class:`Snapshot`, without ``marks`` and ``home``.
        state: of the home, see :meth:`SnapshotFile.state`.
        parts: the buffers of :data:`Snapshot.PARTS`.
    """
    first = dumps({"marks": _MARKS, "home": state, **about}).encode()
    body = b"".join(pack([first, *parts]))
    return _HEAD.pack(_MAGIC, xxhash.xxh3_64_intdigest(body)) + body


def unseal(data: bytes) -> Snapshot | None:
    """Inverse of :func:`seal`; None if the content is damaged or not of this version."""
    if len(data) < _HEAD.size:
        return None
    magic, checksum = _HEAD.unpack_from(data)
    body = memoryview(data)[_HEAD.size :]
    if magic != _MAGIC or xxhash.xxh3_64_intdigest(body) != checksum:
        return None
    with suppress(DamagedValueError, ValueError, KeyError, IndexError):
        snapshot = Snapshot(unpack(body))
        if snapshot.about["marks"] == _MARKS:
            return snapshot
    return None


class SnapshotFile:
    """The file, beside the home."""

    def __init__(self, home: Path) -> None:
        """Beside ``home``, the DuckDB file."""
        self.path = home.with_name("store.snapshot")
        self._home = home
        self._log = home.with_name(f"{home.name}.wal")

    def state(self) -> list[int] | None:
        """What tells one state of the home's file from another; None without one, or while it has a log beside it.

        The time of the last change of the inode is in it: no copy, no restored file and no ``touch`` has an old one.
        """
        with suppress(OSError):
            if not self._log.exists():
                status = self._home.stat()
                return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        return None

    def read(self) -> Snapshot | None:
        """What it says; None where there is none that can be believed."""
        try:
            data = self.path.read_bytes()
        except OSError:
            return None
        snapshot = unseal(data)
        return snapshot if snapshot is not None and snapshot.about["home"] == self.state() else None

    def drop(self) -> None:
        """Remove it for good, before the home changes; under the merge lock.

        Raises:
            OSError: it cannot be removed, so the home must not change.
        """
        try:
            self.path.unlink(missing_ok=True)
        except PermissionError:  # Windows: somebody reads it at this moment
            self._spoil()
        # Also where there is none: whoever removed it may have died before that was on the disk.
        sync_folder(self.path.parent)

    def _spoil(self) -> None:
        with self.path.open("r+b") as file:
            file.write(bytes(_HEAD.size))
            file.flush()
            sync(file.fileno())

    def publish(self, data: bytes, state: list[int]) -> None:
        """Put it there if the home is as it was when the content was taken; under the merge lock, the home closed.

        It need not be durable: half of one has a wrong checksum. Where it cannot be written there is none.
        """
        if len(data) > _MOST_BYTES or self.state() != state:
            return
        temporary = self.path.with_name(f"{self.path.name}.tmp")
        try:
            temporary.write_bytes(data)
            temporary.replace(self.path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
