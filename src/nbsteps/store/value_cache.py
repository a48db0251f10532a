"""Values in memory on their way in and out: a bounded cache before the journal and the home."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nbsteps.core.errors import DamagedValueError
from nbsteps.core.model import Artifact
from nbsteps.store.reading import Fetched
from nbsteps.store.values import Values

if TYPE_CHECKING:
    import pyarrow as pa

CACHED_BYTES: Final = 128 << 20
INLINE: Final = "inline"


class ValueCache:
    """Finds a value's bytes wherever they are now; a recorded location may be outdated by a merge."""

    def __init__(self, folder: Path, values: Values, fetch: Callable[[list[str]], Fetched]) -> None:
        """Serve the store in ``folder``.

        Args:
            folder: where value files are.
            values: encodes and decodes.
            fetch: reads values, and others that are likely to be asked for, from the home.
        """
        self.codec = values
        self.pinned = False
        self._folder = folder
        self._fetch = fetch
        self._cache: OrderedDict[str, bytes | pa.Table] = OrderedDict()
        self._size = 0
        self._moved: dict[str, Artifact] = {}

    def keep(self, digest: str, content: Any) -> None:
        """Remember a payload or table; the oldest go when there is too much, unless nothing else has them."""
        if digest in self._cache:
            return
        self._cache[digest] = content
        self._size += _size(content)
        while self._size > CACHED_BYTES and len(self._cache) > 1 and not self.pinned:
            _, dropped = self._cache.popitem(last=False)
            self._size -= _size(dropped)

    def has(self, artifact: Artifact) -> bool:
        """Whether a value's bytes exist, as far as can be told without opening the home."""
        return artifact.digest in self._cache or not artifact.location.startswith("object:") or self._file(artifact)

    def missing(self, artifacts: Iterable[Artifact]) -> list[str]:
        """Digests of those that would have to come from the home."""
        return [a.digest for a in artifacts if not a.location.startswith("object:") and a.digest not in self._cache]

    def get(self, artifact: Artifact) -> object:
        """The value, verified.

        Raises:
            DamagedValueError: its bytes are nowhere, or wrong.
            UntrustedValueError: reading means unpickling what somebody else wrote.
        """
        return self.codec.decode(*self.locate(artifact)) if self._as_bytes(artifact) else self._as_table(artifact)

    def arrow(self, artifact: Artifact) -> pa.Table | None:
        """The value as a table for SQL; None if it is none."""
        if self._as_bytes(artifact):
            return self.codec.to_arrow(*self.locate(artifact))
        table: Any = self._cache[artifact.digest]
        return table

    def forget(self, digest: str) -> None:
        """Drop what is in memory of a value."""
        dropped = self._cache.pop(digest, None)
        self._moved.pop(digest, None)
        if dropped is not None:
            self._size -= _size(dropped)

    def locate(self, artifact: Artifact) -> tuple[Artifact, bytes | None]:
        """The artifact as it is to be decoded, and its payload."""
        content = self._cache.get(artifact.digest)
        now = self._moved.get(artifact.digest, artifact)
        if isinstance(content, bytes):
            return replace(now, location=INLINE), content
        return now, None

    def _as_bytes(self, artifact: Artifact) -> bool:
        """Make the value's content available; False if it is a table."""
        digest = artifact.digest
        if digest not in self._cache and not self._file(artifact):
            self._bring(artifact)
        if digest in self._cache:
            self._cache.move_to_end(digest)
        return isinstance(self._cache.get(digest, b""), bytes)

    def _file(self, artifact: Artifact) -> bool:
        """Whether the value is a file that is where the artifact says."""
        with suppress(OSError):
            path = self._folder / artifact.location.removeprefix("object:")
            return artifact.location.startswith("object:") and path.stat().st_size == artifact.bytes
        return False

    def take(self, fetched: Fetched) -> None:
        """Remember what was read from the home."""
        self._moved.update(fetched.artifacts)
        for digest, content in (*fetched.payloads.items(), *fetched.tables.items()):
            self.keep(digest, content)

    def bring(self, artifacts: Iterable[Artifact]) -> None:
        """Have the bytes of several values at hand with one look into the home."""
        absent = self.missing(artifacts)
        if len(absent) > 1:
            self.take(self._fetch(absent))

    def _bring(self, artifact: Artifact) -> None:
        self.take(self._fetch([artifact.digest]))
        found = self._moved.get(artifact.digest)
        if artifact.digest not in self._cache and not (found is not None and self._file(found)):
            msg = f"the stored {artifact.summary or artifact.type} is gone"
            raise DamagedValueError(msg, hint="run the step again")

    def _as_table(self, artifact: Artifact) -> object:
        table: Any = self._cache[artifact.digest]
        return self.codec.from_arrow(self._moved.get(artifact.digest, artifact), table)


def _size(content: Any) -> int:
    return len(content) if isinstance(content, bytes) else int(content.nbytes)
