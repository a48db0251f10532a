"""Many plain values at once: one buffer for each type in place of one piece for each value.

Whether a sequence takes this way depends on its content alone, so equal content always takes the same one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final

from nbsteps.identity.content.registry import LEAVES

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


_PACKERS: Final[dict[type, tuple[int, Callable[[Any], Iterator[Any]]]]] = {
    str: (1, _strings),
    int: (2, _integers),
    float: (3, _floats),
    bool: (4, _booleans),
    type(None): (5, _nones),
}
_NUMBERS: Final = {kind: number for kind, (number, _packer) in _PACKERS.items()}


def pack(values: Sequence[Any]) -> Iterator[Any] | None:
    """Buffers that tell a long sequence of plain values; None if it is short or holds anything else.

    Types are compared exactly: a subclass of ``str`` is no string here.
    """
    if len(values) < LEAST or type(values[0]) not in _PACKERS or type(values[-1]) not in _PACKERS:
        return None
    kinds = set(map(type, values))
    if not kinds <= _PACKERS.keys():
        return None
    return _packed(values, kinds)


def _packed(values: Sequence[Any], kinds: set[type]) -> Iterator[Any]:
    yield b"%x;" % len(kinds)
    if len(kinds) == 1:
        number, packer = _PACKERS[kinds.pop()]
        yield b"%x;" % number
        yield from packer(values)
        return
    yield bytes(map(_NUMBERS.__getitem__, map(type, values)))
    for kind in sorted(kinds, key=_NUMBERS.__getitem__):
        yield from _PACKERS[kind][1]([value for value in values if type(value) is kind])


def sort(values: Collection[Any]) -> list[Any] | None:
    """The members of a set in an order of their own; None if they have none (mixed types, floats with NaN)."""
    kinds = set(map(type, values))
    if len(kinds) == 1 and kinds <= {str, int, bytes}:
        return sorted(values)
    return None
