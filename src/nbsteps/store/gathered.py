"""The output of a map as it is stored: a list of stored values, so that an item's value is kept once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from nbsteps.core.mapped import ItemError
from nbsteps.core.model import Artifact

CODEC: Final = "items"
_CHUNK_BYTES: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the list is made of.

    Attributes:
        artifacts: the items' outputs, in item order.
        errors: the items that are absent.
    """

    artifacts: tuple[Artifact, ...]
    errors: tuple[ItemError, ...] = ()

    def chunks(self) -> Iterator[tuple[Artifact, ...]]:
        """The artifacts in portions that fit into memory beside what is made of them."""
        chunk: list[Artifact] = []
        size = 0
        for artifact in self.artifacts:
            chunk.append(artifact)
            size += artifact.bytes
            if size > _CHUNK_BYTES:
                yield tuple(chunk)
                chunk, size = [], 0
        if chunk:
            yield tuple(chunk)


def dump(artifacts: Sequence[Artifact], errors: Sequence[ItemError]) -> bytes:
    """JSON text of a list."""
    rows = [[a.digest, a.type, a.codec, a.bytes, a.location, a.checksum, a.mac, a.summary] for a in artifacts]
    told = [[e.index, e.item, e.error_type, e.message] for e in errors]
    return json.dumps([rows, told], separators=(",", ":")).encode()


def load(data: bytes | bytearray | memoryview) -> Gathered:
    """Inverse of :func:`dump`.

    Raises:
        ValueError: the text is not what :func:`dump` writes.
    """
    rows, told = json.loads(bytes(data))
    return Gathered(tuple(Artifact(*row[:8]) for row in rows), tuple(ItemError(*row[:4]) for row in told))
