"""Walks a value without recursion and digests every container once.

A container's digest is a hash over its own bytes and the digests of what it holds. So aliasing never counts (a list
that holds one object twice equals a list that holds two equal objects), and what is shared is digested once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from xxhash import xxh3_128, xxh3_128_digest

from nbsteps.core.errors import UndigestibleError
from nbsteps.identity.content import builtin, code
from nbsteps.identity.content.registry import ATTRIBUTE, BAG, CODE, LEAVES, WHOLE, Part, Refusal, find, type_name

MAX_DEPTH: Final = 200_000
"""Deeper values are refused: most often a ``__reduce__`` that makes a new object each time."""


class Cycle(Exception):  # noqa: N818  control flow inside this package
    """A container holds itself: :mod:`cycles` takes over."""


class Frame:
    """A container whose parts are being fed."""

    __slots__ = ("bag", "hasher", "kind", "label", "parts", "value")

    def __init__(self, kind: str, label: object, value: object) -> None:
        self.kind = kind
        self.label = label
        self.value = value
        self.hasher = xxh3_128()
        self.bag: list[bytes] | None = None
        self.parts: Iterator[Part] = iter(())

    def add(self, data: bytes) -> None:
        """Take in the bytes of a child."""
        if self.bag is None:
            self.hasher.update(data)
        else:
            self.bag.append(xxh3_128_digest(data))

    def digest(self) -> bytes:
        """Digest of everything taken in; members of a bag count in sorted order."""
        if self.bag is not None:
            self.hasher.update(b"".join(sorted(self.bag)))
        return self.hasher.digest()


def render(kind: str, label: object) -> str:
    """One piece of a path inside a value, as a reader would write it."""
    if kind in {ATTRIBUTE, CODE}:
        return f".{label}"
    shown = repr(label) if isinstance(label, (int, str, float, bytes)) else f"<{type_name(type(label))}>"
    return f"[{shown[:60]}]"


class _Walk:
    """One digest of one value."""

    def __init__(self) -> None:
        self._stack: list[Frame] = []
        self._open: set[int] = set()
        self._done: dict[int, bytes] = {}
        self._kept: list[object] = []  # what is in _done must stay alive, or its id would be given to another object
        self._codes = code.References()

    def run(self, root: object) -> bytes:
        try:
            self._enter("", "", root)
            while True:
                if self._descend():
                    continue
                digest = self._leave()
                if not self._stack:
                    return digest
                self._stack[-1].add(b"@" + digest)
        except Cycle:
            raise
        except Exception as error:
            raise refused(error, self._stack[-1].value, self._path()) from error

    def _descend(self) -> bool:
        """Feed the top container's parts; True when a child has to be walked first."""
        frame = self._stack[-1]
        for part in frame.parts:
            if type(part) is tuple:
                data = self._known(*part)
                if data is None:
                    self._enter(*part)
                    return True
                frame.add(data)
            elif part is BAG:
                frame.bag = []
            else:
                frame.hasher.update(part)
        return False

    def _known(self, kind: str, label: object, child: Any) -> bytes | None:
        """The bytes of a child that need no walk: code, a leaf, a container seen before or a flat one."""
        digest = self._done.get(id(child))
        if digest is not None and kind is not CODE:
            return b"@" + digest
        try:
            data = self._codes.digest(child) if kind is CODE else outright(child)
        except Exception:
            self._stack.append(Frame(kind, label, child))  # so that the path names it
            raise
        if data is None and id(child) in self._open:
            raise Cycle
        if data is None and type(child) in WHOLE:
            digest = WHOLE[type(child)](child)
            return None if digest is None else b"@" + digest
        return data

    def _enter(self, kind: str, label: object, value: object) -> None:
        frame = Frame(kind, label, value)
        self._stack.append(frame)
        if len(self._stack) > MAX_DEPTH:
            raise Refusal(value, f"nested deeper than {MAX_DEPTH:,}")
        self._open.add(id(value))
        frame.parts = parts_of(value)

    def _leave(self) -> bytes:
        frame = self._stack.pop()
        digest = frame.digest()
        self._open.discard(id(frame.value))
        self._done[id(frame.value)] = digest
        self._kept.append(frame.value)
        return digest

    def _path(self) -> str:
        return "".join(render(frame.kind, frame.label) for frame in self._stack[1:])


def outright(value: Any) -> bytes | None:
    """The bytes of a leaf or of a flat container; None if it has to be walked."""
    kind = type(value)
    if kind not in LEAVES and find(kind) is not None:
        digest = builtin.flat(value)
        return None if digest is None else b"@" + digest
    return LEAVES[kind](value)


def parts_of(value: Any) -> Iterator[Part]:
    """The parts of a container, or of a leaf whose module has just been loaded."""
    handler = find(type(value))
    return iter((LEAVES[type(value)](value),)) if handler is None else handler(value)


def refused(error: Exception, value: object, path: str) -> UndigestibleError:
    """The error for the user: type and path inside the whole value."""
    if len(path) > 300:  # noqa: PLR2004  both ends say enough
        path = f"{path[:150]}...{path[-150:]}"
    if isinstance(error, UndigestibleError):
        return UndigestibleError(error.type_name, path + error.path, error.detail)
    if isinstance(error, Refusal):
        return UndigestibleError(error.type_name, path, error.detail)
    return UndigestibleError(type_name(type(value)), path, f"{type(error).__name__}: {error}"[:300])


def _flat(value: Any) -> bytes | None:
    try:
        return builtin.flat(value)
    except Refusal:  # the walk will meet it again and say where
        return None


def digest_bytes(value: Any) -> bytes:
    """The digest of any value, 16 bytes.

    Raises:
        UndigestibleError: the value, or something inside it, has no content.
    """
    leaf = LEAVES.get(type(value))
    if leaf is not None:
        try:
            return xxh3_128_digest(leaf(value))
        except Exception as error:
            raise refused(error, value, "") from error
    try:
        return _flat(value) or _Walk().run(value)
    except Cycle:
        from nbsteps.identity.content.cycles import digest_graph  # noqa: PLC0415  rarely needed

        return digest_graph(value)
