"""Values on their way between processes: a pickle stream, and large buffers in a file that both sides map.

A frame of a gigabyte is written once and mapped by every worker: the copies that workers change are their own
(copy-on-write), what they only read is there once.
"""

from __future__ import annotations

import mmap
import os
import pickle
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nbsteps.core.errors import UnsendableError

_LARGE: Final = 1 << 20
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder in memory, not a predictable file
_ALIGN: Final = 64


@dataclass(frozen=True, slots=True)
class Parcel:
    """A value as it travels.

    Attributes:
        stream: the pickle.
        path: file with the large buffers, ``""`` where there are none.
        spans: start and size of each buffer in the file.
    """

    stream: bytes
    path: str = ""
    spans: tuple[tuple[int, int], ...] = ()

    def drop(self) -> None:
        """Remove the file; maps of it stay valid."""
        if self.path:
            with suppress(OSError):
                os.unlink(self.path)  # noqa: PTH108 - a text


def pack(value: object, *, files: bool = True) -> Parcel:
    """Make a value ready to travel; classes and functions of the notebook travel by value.

    Args:
        value: anything.
        files: whether the other side sees this machine's files.

    Raises:
        UnsendableError: it cannot be pickled.
    """
    import cloudpickle  # noqa: PLC0415 - keeps import nbsteps fast

    large: list[memoryview] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        try:
            raw = buffer.raw()
        except BufferError:  # not contiguous
            return True
        if raw.nbytes < _LARGE:
            return True
        large.append(raw)
        return False

    try:
        stream: bytes = cloudpickle.dumps(value, 5, buffer_callback=keep if files else None)
    except Exception as error:
        raise UnsendableError(f"{type(error).__name__}: {error}") from error
    return Parcel(stream, *_written(large)) if large else Parcel(stream)


def unpack(parcel: Parcel) -> Any:
    """The value; its large buffers are maps that can be written to without anybody else seeing it."""
    return pickle.loads(parcel.stream, buffers=_mapped(parcel))  # noqa: S301 - from our own worker or kernel


def _written(buffers: list[memoryview]) -> tuple[str, tuple[tuple[int, int], ...]]:
    size = sum(raw.nbytes + _ALIGN for raw in buffers)
    descriptor, path = tempfile.mkstemp(prefix="nbsteps-", suffix=".buffers", dir=_place(size))
    spans = []
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
            for raw in buffers:
                file.write(b"\0" * (-file.tell() % _ALIGN))
                spans.append((file.tell(), raw.nbytes))
                file.write(raw)
    except BaseException:
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - a text
        raise
    return path, tuple(spans)


def _place(size: int) -> str | None:
    """Memory where it has room to spare, else the machine's folder for temporary files."""
    with suppress(OSError, AttributeError):
        free = os.statvfs(_SHARED_MEMORY)
        if free.f_bavail * free.f_frsize > 2 * size and os.access(_SHARED_MEMORY, os.W_OK):
            return str(_SHARED_MEMORY)
    return None


def _mapped(parcel: Parcel) -> list[memoryview]:
    if not parcel.path:
        return []
    with open(parcel.path, "rb") as file:  # noqa: PTH123 - a text
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    return [mapped[start : start + size] for start, size in parcel.spans]


def pack_names(values: dict[str, object], pack_one: Callable[[object], Parcel] = pack) -> Parcel:
    """Pack variables together, so that what they share stays shared; an error names the one that cannot travel.

    Raises:
        UnsendableError: the name is in its text.
    """
    try:
        return pack_one(values)
    except UnsendableError:
        for name, value in values.items():
            try:
                pack_one(value).drop()
            except UnsendableError as error:
                raise UnsendableError(f"{name} cannot be sent: {error.args[0]}", hint=f"--ignore {name}") from error
        raise
