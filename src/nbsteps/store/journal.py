"""The write-ahead log of one process: framed, checksummed records, appended to a file that only its owner writes.

A frame is ``salt, length, checksum, kind, body``. The salt is the owner's token, so that a stored value that happens
to contain a journal is never taken for frames. Frames are numbered for each owner without gaps: what had to be written
twice, because a write or a sync failed, counts once.
"""

from __future__ import annotations

import os
import secrets
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import xxhash

from nbsteps.store import locks
from nbsteps.store.records import Record, dumps, loads

HEAD: Final = struct.Struct("<8sIQ")
SEGMENT_BYTES: Final = 4 << 20
BUFFERED_RECORDS: Final = 256
BUFFERED_BYTES: Final = 64 << 10
ABOUT, EVENTS, VALUE, END = b"H", b"E", b"V", b"X"
"""Kinds of frames: who writes, a list of records, an inline value, nothing follows in this segment."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One complete frame with a good checksum.

    Attributes:
        kind: one of ``ABOUT``, ``EVENTS``, ``VALUE``, ``END``.
        number: position among its owner's frames, from 1; 0 for what carries no data.
        content: the records, or the artifact of a value, or the owner's description.
        payload: bytes of a value.
        end: offset behind it.
    """

    kind: bytes
    number: int
    content: Any
    payload: bytes
    end: int


def build(salt: bytes, kind: bytes, number: int, content: Any, payload: bytes = b"") -> bytes:
    """Bytes of a frame."""
    text = dumps([number, content]).encode()
    body = b"".join((kind, len(text).to_bytes(4, "little"), text, payload))
    return HEAD.pack(salt, len(body), xxhash.xxh3_64_intdigest(body)) + body


def parse(data: bytes, salt: bytes, *, base: int = 0, final: bool = False) -> tuple[list[Frame], int, int]:
    """Frames of a piece of a journal.

    Args:
        data: bytes from offset ``base`` on.
        salt: the owner's.
        base: offset of ``data`` in its file.
        final: whether the owner is dead, so that what is incomplete stays so.

    Returns:
        The frames, the offset to read on from, and the number of damaged bytes that were passed over.
    """
    frames: list[Frame] = []
    at = damaged = 0
    while at < len(data):
        frame, waiting = _frame_at(data, at, salt, base)
        if frame is not None:
            frames.append(frame)
            at = frame.end - base
            continue
        if waiting and not final:
            break
        following = _next_good(data, at + 1, salt, base)
        if following < 0:
            break
        damaged += following - at
        at = following
    return frames, base + at, damaged


def _frame_at(data: bytes, at: int, salt: bytes, base: int) -> tuple[Frame | None, bool]:
    """The frame at an offset, or None and whether more bytes could complete it."""
    if len(data) - at < HEAD.size:
        return None, True
    found, length, checksum = HEAD.unpack_from(data, at)
    if found != salt:
        return None, False
    start, end = at + HEAD.size, at + HEAD.size + length
    if end > len(data):
        return None, True
    body = data[start:end]
    if length < 5 or xxhash.xxh3_64_intdigest(body) != checksum:  # noqa: PLR2004 - kind and length of the text
        return None, False
    cut = 5 + int.from_bytes(body[1:5], "little")
    number, content = loads(body[5:cut].decode())
    return Frame(body[:1], number, content, body[cut:], base + end), False


def _next_good(data: bytes, at: int, salt: bytes, base: int) -> int:
    """Offset of the next good frame, or -1."""
    at = data.find(salt, at)
    while at >= 0 and _frame_at(data, at, salt, base)[0] is None:
        at = data.find(salt, at + 1)
    return at


def sync(descriptor: int) -> None:
    """Make a file's bytes durable."""
    if sys.platform == "darwin":
        import fcntl  # noqa: PLC0415 - exists on Unix only

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    elif sys.platform == "linux":
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def segment_name(owner: str, number: int) -> str:
    """File name of a segment; names of one owner sort in writing order."""
    return f"{owner}-{number:06d}.log"


def owner_of(name: str) -> str:
    """Owner of a segment, from its file name."""
    return name.partition("-")[0]


def live_path(folder: Path, owner: str) -> Path:
    """The file whose lock an owner holds while it lives."""
    return folder / f"{owner}.live"


def segments(folder: Path) -> list[str]:
    """Names of all journal segments in a folder, in writing order for each owner."""
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(".log"))  # noqa: PTH208 - half the time
    except (FileNotFoundError, NotADirectoryError):
        return []


def in_order(folder: Path, names: list[str]) -> list[str]:
    """Segments in writing order also among owners, as far as one wrote after the other: by each one's last write."""
    if len({owner_of(name) for name in names}) < 2:  # noqa: PLR2004 - one owner's names are in order
        return names
    last: dict[str, int] = {}
    for name in names:
        with suppress(OSError):
            last[owner_of(name)] = max(last.get(owner_of(name), 0), (folder / name).stat().st_mtime_ns)
    return sorted(names, key=lambda name: (last.get(owner_of(name), 0), name))


@dataclass(slots=True)
class Tail:
    """Reads on in one segment; keeps it open, so that an unlinked one can still be read to its end."""

    folder: Path
    name: str
    offset: int = 0
    damaged: int = 0
    ended: bool = False
    _descriptor: int = field(default=-1, repr=False)

    @property
    def opened(self) -> bool:
        """Whether the file is held open."""
        return self._descriptor >= 0

    def read(self, *, final: bool = False) -> list[Frame]:
        """Complete frames since the last call.

        Raises:
            FileNotFoundError: the segment was unlinked before the first look at it.
        """
        if self._descriptor < 0:
            flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
            self._descriptor = os.open(self.folder / self.name, flags)
        size = os.fstat(self._descriptor).st_size
        if size <= self.offset:
            return []
        data = b"".join(_chunks(self._descriptor, self.offset, size))
        salt = bytes.fromhex(owner_of(self.name))
        frames, self.offset, damaged = parse(data, salt, base=self.offset, final=final)
        self.damaged += damaged
        self.ended = self.ended or any(frame.kind == END for frame in frames)
        return frames

    def close(self) -> None:
        """Let the file go."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _chunks(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        if sys.platform == "win32":
            os.lseek(descriptor, start, os.SEEK_SET)
            data = os.read(descriptor, end - start)
        else:
            data = os.pread(descriptor, end - start, start)
        if not data:
            return
        start += len(data)
        yield data


class Journal:
    """Appends records of this process; files appear with the first write."""

    def __init__(self, folder: Path, about: dict[str, Any], *, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Prepare a journal in ``folder``; ``about`` describes the process to others."""
        self.folder = folder
        self.owner = secrets.token_hex(8)
        self.about = about
        self.unfolded = 0
        self._salt = bytes.fromhex(self.owner)
        self._segment_bytes = segment_bytes
        self._live: locks.Lock | None = None
        self._descriptor = -1
        self._segment = self._size = self._number = self._waiting = 0
        self._records: list[Record] = []
        self._frames: list[bytes] = []
        self._unsynced: list[bytes] = []
        self._failed = False

    @property
    def exists(self) -> bool:
        """Whether anything was written."""
        return self._live is not None

    @property
    def live(self) -> Path:
        """The file whose lock says that this owner lives."""
        return live_path(self.folder, self.owner)

    def appear(self) -> None:
        """Begin anew where another machine took this owner for dead and swept its files away."""
        if self._live is not None and not self.live.exists():
            self.abandon()

    def record(self, record: Record) -> None:
        """Take a record into the buffer; :meth:`sync` makes it durable."""
        self._records.append(record)
        self.unfolded += 1
        if len(self._records) >= BUFFERED_RECORDS:
            self.flush()

    def value(self, artifact: Record, payload: bytes) -> None:
        """Take an inline value into the buffer, ahead of the record that will name it."""
        self._number += 1
        frame = build(self._salt, VALUE, self._number, artifact, payload)
        self._frames.append(frame)
        self._waiting += len(frame)
        if self._waiting > BUFFERED_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand everything buffered to the operating system.

        Raises:
            OSError: two segments could not be written.
        """
        self._write(durable=False)

    def sync(self) -> None:
        """Make everything durable.

        Raises:
            OSError: two segments could not be written.
        """
        self._write(durable=True)

    def close(self) -> None:
        """Write what is buffered and say that this owner writes no more.

        Raises:
            OSError: it could not be written; the liveness lock is released all the same.
        """
        try:
            if self._records or self._frames or self._unsynced:
                self.sync()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Release files and the liveness lock without writing."""
        self._close_segment()
        if self._live is not None:
            self._live.release()
            self._live = None

    def _write(self, *, durable: bool) -> None:
        if self._records:
            self._number += 1
            self._frames.append(build(self._salt, EVENTS, self._number, self._records))
            self._records = []
        fresh, self._frames, self._waiting = self._frames, [], 0
        self._unsynced += fresh
        if not self._unsynced or not (fresh or durable):
            return
        try:
            self._append(self._unsynced if self._failed else fresh, durable=durable)
        except OSError:
            # After a failed write or sync nobody knows which pages reached the disk: all of them again, elsewhere.
            self._close_segment()
            self._failed = True
            self._append(self._unsynced, durable=durable)
        self._failed = False
        if durable:
            self._unsynced = []
            if self._size > self._segment_bytes:
                self._end_segment()

    def _append(self, frames: list[bytes], *, durable: bool) -> None:
        if self._descriptor < 0:
            self._open_segment()
        self._send(b"".join(frames))
        if durable:
            sync(self._descriptor)

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.write(self._descriptor, view)
            self._size += written
            view = view[written:]

    def _open_segment(self) -> None:
        if self._live is None:
            self._announce()
        self._segment += 1
        path = self.folder / segment_name(self.owner, self._segment)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o666)
        locks.forget_in_children(self._descriptor)
        self._size = 0
        self._send(build(self._salt, ABOUT, 0, self.about))
        sync_folder(self.folder)

    def _announce(self) -> None:
        """Create the liveness file, locked before it is visible."""
        self.folder.mkdir(parents=True, exist_ok=True)
        hidden = self.folder / f"{self.owner}.tmp"
        self._live = locks.Lock.acquire(hidden)
        with suppress(OSError):
            hidden.write_text(dumps(self.about), encoding="ascii")
        hidden.rename(live_path(self.folder, self.owner))

    def _end_segment(self) -> None:
        """Mark the segment as complete; if that fails it is merely unlinked later."""
        with suppress(OSError):
            self._send(build(self._salt, END, 0, None))
        self._close_segment()

    def _close_segment(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0 and locks.let_go(descriptor):
            os.close(descriptor)
