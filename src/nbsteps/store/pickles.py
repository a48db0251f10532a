"""Everything else: pickle 5 with out-of-band buffers, laid out so that a memory map serves the buffers in place.

Classes and functions of the notebook itself (``__main__``) are stored by value, with cloudpickle: a fresh kernel may
not have them yet, or may have others of the same name.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from nbsteps.core.errors import DamagedValueError, UnstorableValueError
from nbsteps.store.layout import Buffer, head_size, nbytes, pack, unpack

_OUT_OF_BAND_FROM = 4096
_TRIED_BELOW = 1_000_000
_HINT = "keep such objects out of the step's outputs, make them in a context cell, or use --cache off for this step"


def encode(value: object) -> list[Buffer]:
    """Chunks of the file.

    Raises:
        UnstorableValueError: neither pickle nor cloudpickle can store it, or what they stored does not load.
    """
    parts = _attempt(value, _pickle)
    if isinstance(parts, Exception) or b"__main__" in parts[0]:
        parts = _attempt(value, _cloudpickle)
    if isinstance(parts, Exception):
        name = type(value).__qualname__
        msg = f"a value of type {name} cannot be stored: {parts}"
        raise UnstorableValueError(msg, hint=_HINT) from parts
    return pack(parts)


def authenticate(data: memoryview) -> list[memoryview]:
    """What to verify, and then to hand to :func:`decode`: a copy of the pickle stream, and the buffers behind it.

    The stream is copied because a mapped file could be changed between its verification and its unpickling; the
    buffers are plain data and stay where they are.
    """
    size = head_size(data)
    return [memoryview(bytes(data[:size])), data[size:]]


def decode(data: memoryview, head: memoryview) -> object:
    """Unpickle. Only for bytes that :func:`nbsteps.store.trust.verify` accepted.

    Args:
        data: the file.
        head: the verified copy of its stream.

    Raises:
        DamagedValueError: unpickling fails, for example because a package is not there.
    """
    stream, *buffers = unpack(data, head)
    try:
        return pickle.loads(stream, buffers=buffers)  # noqa: S301 (authenticated by the caller)
    except Exception as error:
        msg = f"a stored value cannot be unpickled: {type(error).__name__}: {error}"
        raise DamagedValueError(msg, hint="run the step again") from error


def _attempt(value: object, dumps: Callable[..., bytes]) -> list[Any] | Exception:
    """Stream and buffers, or why not. Short streams are tried at once: some objects pickle and then do not load."""
    buffers: list[memoryview] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if nbytes(raw) < _OUT_OF_BAND_FROM:
            return True
        buffers.append(raw)
        return False

    try:
        stream = dumps(value, keep)
        if len(stream) < _TRIED_BELOW:
            pickle.loads(stream, buffers=buffers)  # noqa: S301 (written by ourselves, one line above)
    except Exception as error:  # noqa: BLE001 (a user's __reduce__ may raise anything)
        return error
    return [stream, *buffers]


def _pickle(value: object, keep: Callable[[pickle.PickleBuffer], bool]) -> bytes:
    return pickle.dumps(value, 5, buffer_callback=keep)


def _cloudpickle(value: object, keep: Callable[[pickle.PickleBuffer], bool]) -> bytes:
    from nbsteps.store import byvalue  # noqa: PLC0415 (keeps import nbsteps fast)

    return byvalue.dumps(value, keep)
