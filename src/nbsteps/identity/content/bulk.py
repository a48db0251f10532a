"""Many plain values at once: one buffer for each type in place of one piece for each value.

Whether a sequence takes this way depends on its content alone, so equal content always takes the same one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final

from nbsteps.identity.content.registry import LEAVES, find

LEAST: Final = 16
"""Shorter sequences go value by value: that is as fast."""


def _strings(values: Sequence[str]) -> Iterator[Any]:
    yield memoryview(array("q", map(len, values))).cast("B")
    # Lengths count code points, so joining cannot make two lists alike.
    data = "".join(values).encode("utf-8", "surrogatepass")
    yield b"%x;" % len(data)
    yield data


def _integers(values: Sequence[int]) -> Iterator[Any]:
    try:
        data = array("q", values)
    except OverflowError:
        yield b"+"
        yield b"".join(map(LEAVES[int], values))
        return
    yield b"q"
    yield memoryview(data).cast("B")


def _floats(values: Sequence[float]) -> Iterator[Any]:
    yield memoryview(array("d", values)).cast("B")


def _booleans(values: Sequence[bool]) -> Iterator[Any]:
    yield bytes(values)


def _nones(_values: Sequence[None]) -> Iterator[Any]:
    yield b""


_PACKERS: Final[dict[type, tuple[bytes, Callable[[Any], Iterator[Any]]]]] = {
    str: (b"s", _strings),
    int: (b"i", _integers),
    float: (b"f", _floats),
    bool: (b"b", _booleans),
    type(None): (b"n", _nones),
}
_MOST_KINDS: Final = 256


def pack(values: Sequence[Any]) -> Iterator[Any] | None:
    """Buffers that tell a long sequence of leaves; None if it is short or holds anything else.

    Types are compared exactly: a subclass of ``str`` is no string here.
    """
    if len(values) < LEAST or not _is_leaf(type(values[0])) or not _is_leaf(type(values[-1])):
        return None
    kinds = list(dict.fromkeys(map(type, values)))
    if len(kinds) > _MOST_KINDS or not all(map(_is_leaf, kinds)):
        return None
    return _packed(values, kinds)


def _is_leaf(kind: type) -> bool:
    return kind in LEAVES or find(kind) is None


def _packed(values: Sequence[Any], kinds: list[type]) -> Iterator[Any]:
    yield b"%x;" % len(kinds)
    if len(kinds) == 1:
        yield from _same(values, kinds[0])
        return
    numbers = {kind: number for number, kind in enumerate(kinds)}
    yield bytes(map(numbers.__getitem__, map(type, values)))
    for kind in kinds:
        yield from _same([value for value in values if type(value) is kind], kind)


def _same(values: Sequence[Any], kind: type) -> Iterator[Any]:
    """Values of one type; those without a packer tell their type themselves."""
    tag, packer = _PACKERS.get(kind, (b"-", None))
    yield tag
    if packer is not None:
        yield from packer(values)
        return
    yield b"".join(map(LEAVES[kind], values))


def sort(values: Collection[Any]) -> list[Any] | None:
    """The members of a set in an order of their own; None if they have none (mixed types, floats with NaN)."""
    kinds = set(map(type, values))
    if len(kinds) == 1 and kinds <= {str, int, bytes}:
        return sorted(values)
    return None
