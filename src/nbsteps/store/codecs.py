"""The codecs by name, which one takes which value, and how other packages add theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

from nbsteps.core.errors import UsageError
from nbsteps.store import arrays, gathered, pickles, plain
from nbsteps.store.layout import Buffer

GROUP = "nbsteps.codecs"
PICKLE = "pickle"


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a codec made of a value.

    Attributes:
        codec: its name.
        suffix: extension of a file in its format.
        parts: buffers whose concatenation is the format.
        exact: whether the codec vouches that decoding gives an equal value; otherwise it is checked.
        unpickles: whether decoding unpickles, so that the bytes must be authenticated.
    """

    codec: str
    suffix: str
    parts: list[Buffer]
    exact: bool = True
    unpickles: bool = False


@runtime_checkable
class Codec(Protocol):
    """A format for values of certain types, as other packages register it.

    Attributes:
        name: stored with each value; lower-case letters, digits and ``-``, unique.
        types: qualified names of the types it takes, such as ``("anndata.AnnData",)``.
        safe: whether :meth:`decode` never runs code that the bytes name (no pickle inside). An unsafe codec's bytes
            are authenticated before they are decoded.
    """

    name: str
    types: tuple[str, ...]
    safe: bool

    def encode(self, value: Any) -> bytes | None:
        """Bytes of the value, or None to leave it to another codec."""

    def decode(self, data: memoryview) -> object:
        """The value; ``data`` is private, writable memory that may be kept."""


_registered: dict[str, Codec] = {}
_by_type: dict[str, Codec] = {}
_discovered: list[bool] = []


def register(codec: Codec) -> None:
    """Add a codec for this process; a package does it for good with an entry point in the group ``nbsteps.codecs``.

    Raises:
        UsageError: the name is taken or malformed, or the object lacks a part of :class:`Codec`.
    """
    if not isinstance(codec, Codec):
        msg = f"{codec!r} is no codec: it needs name, types, safe, encode and decode"
        raise UsageError(msg, hint="see nbsteps.store.codecs.Codec")
    name = codec.name
    if (
        name == PICKLE
        or name in _SAFE
        or _registered.get(name, codec) is not codec
        or not name.replace("-", "").isalnum()
    ):
        msg = f"a codec cannot be called {name!r}: the name is taken or malformed"
        raise UsageError(msg, hint="choose another name of letters, digits and -")
    _registered[name] = codec
    for type_name in codec.types:
        _by_type[type_name] = codec


def encodings(value: object) -> Iterator[Encoded]:
    """Ways to store a value, the best first; the last one raises ``UnstorableValueError`` if it fails too."""
    kind = type(value)
    yield from _safe(value, kind)
    yield Encoded(PICKLE, PICKLE, pickles.encode(value), unpickles=True)


def decode(codec: str, data: memoryview) -> object:
    """Decode with the codec of that name, which is not ``pickle``.

    Raises:
        UsageError: no such codec is registered here.
    """
    decoder = _SAFE.get(codec)
    if decoder is None:
        decoder = _registered_codec(codec).decode
    return decoder(data)


def unpickles(codec: str) -> bool:
    """Whether decoding may run code that the bytes name; unknown codecs count as such."""
    return codec not in _SAFE and (codec == PICKLE or not _registered_codec(codec).safe)


def _safe(value: object, kind: type) -> Iterator[Encoded]:
    if isinstance(value, bytes) and kind is bytes:
        yield Encoded("bytes", "bin", [value])
        return
    root = kind.__module__.partition(".")[0]
    custom = _custom(kind) if root != "builtins" else None
    if custom is not None:
        data = custom.encode(value)
        if data is not None:
            suffix = custom.name.replace("-", "")[:16]
            yield Encoded(custom.name, suffix, [data], exact=False, unpickles=not custom.safe)
    text = plain.dump(value)
    if text is not None:
        yield Encoded("json", "json", [text])
    elif root in _FRAMES or kind.__name__ == "ndarray":
        yield from _columnar(value, root)


def _columnar(value: Any, root: str) -> Iterator[Encoded]:
    if root == "numpy":
        parts = arrays.encode(value)
        if parts is not None:
            yield Encoded("npy", "npy64", parts)
        return
    from nbsteps.store import frames  # noqa: PLC0415 (keeps import nbsteps fast)

    found = frames.encode(value)
    if found is not None:
        yield Encoded("table" if found.plain else "arrow", "arrow", found.parts, exact=found.exact)


def _decode_frame(data: memoryview) -> object:
    from nbsteps.store import frames  # noqa: PLC0415 (keeps import nbsteps fast)

    return frames.decode(data)


@lru_cache(maxsize=512)
def _names(kind: type) -> tuple[str, ...]:
    return tuple(f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__[:-1])


def _custom(kind: type) -> Codec | None:
    """The registered codec of a type or its nearest base."""
    _discover()
    return next((_by_type[name] for name in _names(kind) if name in _by_type), None) if _by_type else None


def _registered_codec(name: str) -> Codec:
    _discover()
    if name not in _registered:
        msg = f"a value was stored with the codec {name!r}, which is not installed here"
        raise UsageError(msg, hint="install the package that brings this codec, or run the step again")
    return _registered[name]


def _discover() -> None:
    """Load the codecs of other packages, once, at the first value that no built-in type covers."""
    if _discovered:
        return
    _discovered.append(True)
    from importlib.metadata import entry_points  # noqa: PLC0415 (keeps import nbsteps fast)

    for point in entry_points(group=GROUP):
        codec = point.load()
        register(codec() if isinstance(codec, type) else codec)


_FRAMES = frozenset({"pandas", "polars", "pyarrow"})
_SAFE: dict[str, Callable[[memoryview], object]] = {
    "json": plain.load,
    "bytes": bytes,
    "npy": arrays.decode,
    "arrow": _decode_frame,
    "table": _decode_frame,
    gathered.CODEC: gathered.load,
}
