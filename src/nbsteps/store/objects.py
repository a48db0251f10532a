"""Content-addressed files: written once under the checksum of their bytes, never changed, read by memory map."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import mmap
import os
import re
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import xxhash

from nbsteps.core.errors import DamagedValueError, StoreError
from nbsteps.store.layout import Buffer, nbytes

MAP_FROM = 8_000_000
"""Bytes from which a file is mapped; a smaller one is read, because each map keeps a file descriptor."""

_PREFIX = "object:"
_LOCATION = re.compile(r"object:objects/[0-9a-f]{2}/[0-9a-f]{30}\.[a-z0-9]{1,16}")
_counter = itertools.count()


def checksum(parts: Iterable[Buffer]) -> str:
    """32 hexadecimal digits over the joined bytes: finds damage at 14 GB/s, does not stop an attacker."""
    state = xxhash.xxh3_128()
    for part in parts:
        state.update(part)
    return state.hexdigest()


class Objects:
    """The files below ``folder/objects``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._verified: dict[tuple[str, str], tuple[int, ...]] = {}

    def put(self, parts: Sequence[Buffer], digest: str, suffix: str) -> str:
        """Write a file under the checksum of its bytes, durably, unless it is there already.

        Args:
            parts: buffers whose concatenation is the file.
            digest: their :func:`checksum`.
            suffix: extension without the dot; it names the codec's format.

        Returns:
            The location, relative to the store's folder.

        Raises:
            StoreError: the disk is full or the folder cannot be written.
        """
        location = f"{_PREFIX}objects/{digest[:2]}/{digest[2:]}.{suffix}"
        path = self._path(location)
        try:
            if not self._present(path, location, sum(map(nbytes, parts)), digest):
                _write(path, parts)
                self._verified[location, digest] = _state(path.stat())
        except OSError as error:
            msg = f"cannot write a value to {path.parent}: {error.strerror or error}"
            raise StoreError(msg, hint="free some space, or let NBSTEPS_STORE name another folder") from error
        return location

    def read(self, location: str, size: int, digest: str) -> memoryview:
        """The bytes of a file, verified, as private writable memory: changing it never changes the file.

        A file is hashed once for each process and state of the file.

        Raises:
            DamagedValueError: the file is gone, or is not what was written.
        """
        path = self._path(location)
        try:
            with path.open("rb", buffering=0) as file:
                status = os.fstat(file.fileno())
                data = self._load(file, size) if status.st_size == size else None
        except OSError as error:
            msg = f"the stored value {path.name} cannot be read: {error.strerror or error}"
            raise DamagedValueError(msg, hint="run the step again") from error
        if data is None:
            msg = f"the stored value {path.name} has {status.st_size:,} bytes instead of {size:,}"
            raise DamagedValueError(msg, hint="run the step again")
        if self._verified.get((location, digest)) != _state(status):
            if checksum([data]) != digest:
                msg = f"the stored value {path.name} is damaged: its checksum is wrong"
                raise DamagedValueError(msg, hint="run the step again")
            self._verified[location, digest] = _state(status)
        return data

    def discard(self, location: str) -> None:
        """Delete a file; one that is gone is fine, one that another process of Windows holds open stays."""
        with contextlib.suppress(FileNotFoundError, PermissionError):
            self._path(location).unlink()

    def sweep(self, older: float) -> int:
        """Delete what writers that died left behind, and return how many files that were.

        Args:
            older: seconds since a file's last change; younger ones may belong to a writer that is at work.
        """
        swept = 0
        for path in (self._folder / "objects").glob("*/.*.tmp"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > older:
                    path.unlink()
                    swept += 1
        return swept

    def _path(self, location: str) -> Path:
        if not _LOCATION.fullmatch(location):
            msg = f"{location!r} is not where a value can be"
            raise DamagedValueError(msg, hint="run the step again")
        return self._folder / location.removeprefix(_PREFIX)

    def _present(self, path: Path, location: str, size: int, digest: str) -> bool:
        """Whether the file is there and whole; a damaged one is written again. Its use is noted for the clean-up."""
        try:
            if path.stat().st_size != size:
                return False
            self.read(location, size, digest)
            os.utime(path)
            self._verified[location, digest] = _state(path.stat())
        except (FileNotFoundError, DamagedValueError):
            return False
        return True

    @staticmethod
    def _load(file: io.FileIO, size: int) -> memoryview:
        if size >= MAP_FROM:
            try:
                return memoryview(_map(file.fileno(), size))
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENOMEM, errno.ENODEV):
                    raise
        data = memoryview(bytearray(size))
        filled = 0
        while filled < size and (got := file.readinto(data[filled:])):
            filled += got
        return data


def _map(descriptor: int, size: int) -> mmap.mmap:
    if sys.version_info >= (3, 13) and sys.platform != "win32":
        return mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY, trackfd=False)
    return mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY)


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _write(path: Path, parts: Sequence[Buffer]) -> None:
    """Temporary name, sync, rename, sync of the folder: a reader sees the whole file or none."""
    fresh = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{next(_counter)}.{os.urandom(4).hex()}.tmp")
    try:
        with temporary.open("xb", buffering=1 << 18) as file:
            for part in parts:
                file.write(part)
            file.flush()
            _sync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)
    if fresh:
        _sync_folder(path.parent.parent)


def _sync(descriptor: int) -> None:
    if sys.platform == "darwin":
        import fcntl  # noqa: PLC0415 (does not exist on Windows)

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":  # a folder cannot be opened there; the rename itself is journalled
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
