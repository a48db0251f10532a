"""One file for several buffers, each on a boundary of 64 bytes, so that a memory map serves arrays in place.

The file starts with ``MAGIC``, the number of parts and, for each part, its offset and length (little-endian, 64 bits).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain

from nbsteps.core.errors import DamagedValueError

ALIGNMENT = 64
MAGIC = b"NBSTEPS\x01"

Buffer = bytes | bytearray | memoryview


def nbytes(part: Buffer) -> int:
    """Size of a buffer in bytes, whatever its item size."""
    return part.nbytes if isinstance(part, memoryview) else len(part)


def pack(parts: Sequence[Buffer]) -> list[Buffer]:
    """Lay parts out behind a header; the result joined is the file. Nothing is copied."""
    offset = _aligned(len(MAGIC) + 8 + 16 * len(parts))
    spans, chunks = [], []
    for part in parts:
        size = nbytes(part)
        spans.append((offset, size))
        padding = _aligned(size) - size
        chunks += [part, bytes(padding)] if padding else [part]
        offset += size + padding
    header = MAGIC + struct.pack(f"<{1 + 2 * len(parts)}Q", len(parts), *chain.from_iterable(spans))
    return [header.ljust(_aligned(len(header)), b"\0"), *chunks]


def unpack(data: memoryview, head: memoryview | None = None) -> list[memoryview]:
    """The parts of a file, as views of it.

    Args:
        data: the file.
        head: a copy of its beginning up to :func:`head_size`; header and first part are then taken from the copy.

    Raises:
        DamagedValueError: this is no such file, or it points outside itself.
    """
    head = data if head is None else head
    spans = _spans(head)
    if any(offset + size > len(data) for offset, size in spans):
        raise _damaged("points beyond its end")
    return [(head if offset + size <= len(head) else data)[offset : offset + size] for offset, size in spans]


def head_size(data: memoryview) -> int:
    """Bytes of header and first part.

    Raises:
        DamagedValueError: this is no such file.
    """
    spans = _spans(data)
    return min(sum(spans[0]), len(data)) if spans else len(data)


def _spans(data: memoryview) -> list[tuple[int, int]]:
    """Offset and length of each part."""
    start = len(MAGIC) + 8
    if len(data) < start or bytes(data[: len(MAGIC)]) != MAGIC:
        raise _damaged("does not start as it should")
    (count,) = struct.unpack_from("<Q", data, len(MAGIC))
    if count > (len(data) - start) // 16:
        raise _damaged("claims more parts than it can hold")
    numbers = struct.unpack_from(f"<{2 * count}Q", data, start)
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _damaged(what: str) -> DamagedValueError:
    msg = f"a stored value {what}"
    return DamagedValueError(msg, hint="run the step again")


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
