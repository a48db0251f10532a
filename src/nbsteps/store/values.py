"""Values in and out of the store: which codec, where the bytes go, and every check before they are believed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nbsteps.core.errors import DamagedValueError, StoreError, UntrustedValueError, UsageError
from nbsteps.core.mapped import ItemError, MapOutput
from nbsteps.core.model import Artifact
from nbsteps.store import codecs, gathered, pickles, trust
from nbsteps.store.layout import nbytes
from nbsteps.store.objects import Objects, checksum

if TYPE_CHECKING:
    import pyarrow as pa

Result = TypeVar("Result")

INLINE = "inline"
_FRAME_TYPES = frozenset({"pandas.DataFrame", "polars.DataFrame", "pyarrow.Table"})
_AGAIN = "run the step again"


@dataclass(frozen=True, slots=True)
class Stored:
    """An encoded value.

    Attributes:
        artifact: what a record keeps of it.
        payload: its bytes, exactly if ``artifact.location`` is ``"inline"``; else they are in a file already, durably.
    """

    artifact: Artifact
    payload: bytes | None


class Values:
    """Encodes and decodes values for one store."""

    def __init__(self, folder: Path, *, inline_limit: int, table_limit: int) -> None:
        """Serve the store in ``folder``.

        Args:
            folder: the ``.nbsteps`` folder; files go below ``objects``. It need not exist yet.
            inline_limit: bytes up to which a value is handed back as a payload.
            table_limit: bytes up to which :meth:`tabular` says yes.
        """
        self._objects = Objects(folder)
        self._inline_limit = inline_limit
        self._table_limit = table_limit

    def encode(self, value: object, digest: str) -> Stored:
        """Encode a value; a large one is on disk, synced, on return.

        Args:
            value: anything.
            digest: its content digest. Where a codec does not vouch for an exact round trip, the value is decoded
                again and must have this digest, else another codec is used.

        Raises:
            UnstorableValueError: no codec can store it.
            StoreError: its file cannot be written.
        """
        kind: Any = type(value)
        return self._stored(self._choose(value, digest), digest, _type_name(kind), _summary(value))

    def encode_items(self, artifacts: Sequence[Artifact], errors: Sequence[ItemError], digest: str) -> Stored:
        """Encode the output of a map: which stored values it is made of.

        Raises:
            StoreError: its file cannot be written.
        """
        encoded = codecs.Encoded(gathered.CODEC, "items", [gathered.dump(artifacts, errors)])
        return self._stored(encoded, digest, _type_name(MapOutput), f"MapOutput of {len(artifacts):,}")

    def _stored(self, encoded: codecs.Encoded, digest: str, type_name: str, summary: str) -> Stored:
        parts = encoded.parts
        size = sum(map(nbytes, parts)) if len(parts) > 1 else nbytes(parts[0])
        summed = checksum(parts)
        mac = ""
        if encoded.unpickles:
            mac = trust.sign(parts, codec=encoded.codec, type_name=type_name, digest=digest)
        payload, location = None, INLINE
        if size <= self._inline_limit:
            payload = b"".join(parts)
        else:
            location = self._objects.put(parts, summed, encoded.suffix)
        return Stored(Artifact(digest, type_name, encoded.codec, size, location, summed, mac, summary), payload)

    def decode(self, artifact: Artifact, payload: bytes | None) -> object:
        """The value, verified. Arrays are writable, and changing them never changes the store.

        Args:
            artifact: as :meth:`encode` made it.
            payload: the bytes if the location is ``"inline"``, else None.

        Raises:
            DamagedValueError: the bytes are gone, wrong, or no longer decode: a miss.
            UntrustedValueError: decoding would unpickle bytes that this user did not write.
        """
        data = self._bytes(artifact, payload)
        if not self._unpickles(artifact.codec):
            return _guarded(artifact, lambda: codecs.decode(artifact.codec, data))
        if artifact.codec != codecs.PICKLE:
            private = memoryview(bytearray(data))
            _authenticate(artifact, [private])
            return _guarded(artifact, lambda: codecs.decode(artifact.codec, private))
        parts = pickles.authenticate(data)
        _authenticate(artifact, parts)
        return pickles.decode(data, parts[0])

    def tabular(self, artifact: Artifact) -> bool:
        """Whether the value can be kept as a DuckDB table instead: plain columns, below the limit.

        Whoever moves it there must read it back once with :meth:`from_arrow` before giving up the bytes.
        """
        return artifact.codec == "table" and artifact.bytes <= self._table_limit

    def to_arrow(self, artifact: Artifact, payload: bytes | None) -> pa.Table | None:
        """The value as an Arrow table for SQL, with an index that carries information as columns; None if it is none.

        Raises:
            DamagedValueError: as :meth:`decode`.
            UntrustedValueError: as :meth:`decode`.
        """
        from nbsteps.store import frames  # noqa: PLC0415 (keeps import nbsteps fast)

        if artifact.codec in ("table", "arrow"):
            data = self._bytes(artifact, payload)
            return _guarded(artifact, lambda: frames.read_table(data))
        if artifact.type not in _FRAME_TYPES:
            return None
        return frames.as_table(self.decode(artifact, payload))

    def from_arrow(self, artifact: Artifact, table: pa.Table) -> object:
        """The value from what DuckDB gave back for its table, verified by its content digest.

        Raises:
            DamagedValueError: the content is not what was stored; while moving, this means: keep the bytes.
        """
        from nbsteps.store import frames  # noqa: PLC0415 (keeps import nbsteps fast)

        value = _guarded(artifact, lambda: frames.from_plain(artifact.type, table))
        if _digest(value) != artifact.digest:
            msg = f"the stored table of {artifact.summary or artifact.type} is damaged: its content digest is wrong"
            raise DamagedValueError(msg, hint=_AGAIN)
        return value

    def discard(self, artifact: Artifact) -> None:
        """Delete the value's file if it has one. Other artifacts with the same location lose it too."""
        if artifact.location.startswith("object:"):
            self._objects.discard(artifact.location)

    def sweep(self, older: float = 3600.0) -> int:
        """Delete unfinished files of writers that died over ``older`` seconds ago; returns how many."""
        return self._objects.sweep(older)

    def _choose(self, value: object, digest: str) -> codecs.Encoded:
        """The first encoding that is exact, by the codec's word or by the digest of what it decodes to."""
        for encoded in codecs.encodings(value):
            if encoded.exact or _round_trips(encoded, digest):
                return encoded
        msg = "the last encoding of a value is always exact"
        raise AssertionError(msg)

    def _bytes(self, artifact: Artifact, payload: bytes | None) -> memoryview:
        if artifact.location != INLINE:
            return self._objects.read(artifact.location, artifact.bytes, artifact.checksum)
        if payload is None or checksum([payload]) != artifact.checksum:
            what = "gone" if payload is None else "damaged: its checksum is wrong"
            msg = f"the stored {artifact.type} is {what}"
            raise DamagedValueError(msg, hint=_AGAIN)
        return memoryview(bytearray(payload))

    @staticmethod
    def _unpickles(codec: str) -> bool:
        try:
            return codecs.unpickles(codec)
        except UsageError as error:
            raise DamagedValueError(error.problem.message, hint=error.problem.hint) from error


def _authenticate(artifact: Artifact, parts: list[memoryview]) -> None:
    if not trust.verify(artifact.mac, parts, codec=artifact.codec, type_name=artifact.type, digest=artifact.digest):
        msg = f"the stored {artifact.type} was written by somebody else, and reading it would run what it says"
        raise UntrustedValueError(msg, hint="run the step again, or trust the store: nbsteps trust")


def _guarded(artifact: Artifact, read: Callable[[], Result]) -> Result:
    """Call a decoder: whatever it stumbles over, the stored value is of no use and the caller treats it as a miss."""
    try:
        return read()
    except StoreError:
        raise
    except Exception as error:
        msg = f"the stored {artifact.type} cannot be decoded as {artifact.codec}: {type(error).__name__}: {error}"
        raise DamagedValueError(msg, hint=_AGAIN) from error


def _round_trips(encoded: codecs.Encoded, digest: str) -> bool:
    """Whether decoding gives an equal value; an encoding that does not even decode does not."""
    data = memoryview(bytearray().join(encoded.parts))
    try:
        return _digest(codecs.decode(encoded.codec, data)) == digest
    except Exception:  # noqa: BLE001 (a codec of another package may raise anything)
        return False


def _digest(value: object) -> str:
    from nbsteps.identity import content  # noqa: PLC0415 (keeps import nbsteps fast)

    return content.digest(value)


def _summary(value: object) -> str:
    from nbsteps.identity import content  # noqa: PLC0415 (keeps import nbsteps fast)

    return content.summary(value)


@lru_cache(maxsize=512)
def _type_name(kind: type[Any]) -> str:
    """The shortest public name: ``int``, ``pandas.DataFrame``, ``collections.OrderedDict``, ``mylib.sub.Thing``."""
    name = str(kind.__qualname__)
    if kind.__module__ == "builtins":
        return name
    root = kind.__module__.partition(".")[0]
    public = getattr(sys.modules.get(root), name, None) is kind
    return f"{root if public else kind.__module__}.{name}"
