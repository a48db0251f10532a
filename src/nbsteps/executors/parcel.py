"""Values on their way between processes: a pickle stream, and large buffers in a file that both sides map.

A frame of a gigabyte is written once and mapped by every worker: the copies that workers change are their own
(copy-on-write), what they only read is there once.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from nbsteps.core.errors import UnsendableError
from nbsteps.executors import buffer_files

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
            buffer_files.let_go()


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


def unpack_reply(parcel: Parcel) -> Any:
    """The same for what comes back to the kernel: its own classes stay as they are.

    A class of the notebook comes back with methods that see the other process's variables. Where cloudpickle finds the
    class that was sent it would put these into it, and from then on the user's methods would read copies.
    """
    return _Returning(io.BytesIO(parcel.stream), buffers=_mapped(parcel)).load()


class _Returning(pickle.Unpickler):
    """Gives a class that is here already no new contents."""

    def __init__(self, file: io.BytesIO, *, buffers: list[memoryview]) -> None:
        super().__init__(file, buffers=buffers)
        self._here: set[type] = set()

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        if module != "cloudpickle.cloudpickle":
            return found
        if name in _TRACKER_AT:
            return partial(self._class, found, _TRACKER_AT[name])
        return partial(self._fill, found) if name == "_class_setstate" else found

    def _class(self, make: Callable[..., type], at: int, *arguments: Any) -> type:
        # cloudpickle has no public word for the classes that it has sent.
        from cloudpickle.cloudpickle import _DYNAMIC_CLASS_TRACKER_BY_ID  # noqa: PLC0415 - keeps import nbsteps fast

        known = _DYNAMIC_CLASS_TRACKER_BY_ID.get(arguments[at])
        if known is None:
            return make(*arguments)
        self._here.add(known)
        return cast("type", known)

    def _fill(self, fill: Callable[..., type], kind: type, state: object) -> type:
        return kind if kind in self._here else fill(kind, state)


_TRACKER_AT: Final = {"_make_skeleton_class": 4, "_make_skeleton_enum": 5}
"""How cloudpickle makes classes: the position of what it knows each by, among the arguments."""


def _written(buffers: list[memoryview]) -> tuple[str, tuple[tuple[int, int], ...]]:
    size = sum(raw.nbytes + _ALIGN for raw in buffers)
    place = _place(size) or tempfile.gettempdir()
    buffer_files.sweep(place)
    descriptor, path = buffer_files.create(place)
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
