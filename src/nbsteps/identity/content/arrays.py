"""numpy: arrays fed from their own memory. Loaded when the first numpy value is met."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from nbsteps.identity.content import builtin
from nbsteps.identity.content.registry import ATTRIBUTE, CODE, HANDLERS, LEAVES, Handler, Part, sized, text

_TILE: Final = 1 << 20
"""Bytes of a strided array copied at a time: they stay in the processor's cache."""
_EXTENDED: Final = np.finfo(np.longdouble).nmant == 63  # noqa: PLR2004  x86: 10 bytes of number, 6 of whatever was there


def _scalar(value: np.generic) -> bytes:
    return b"g" + text(value.dtype.str) + sized(value.tobytes())


for _kind in {np.dtype(code).type for code in "?bhilqBHILQefdFDMmSU"}:
    LEAVES[_kind] = _scalar


def handler_for(kind: type) -> Handler | None:
    """The handler of a numpy type or a subclass of one; None if it goes the structural way."""
    for base, handler in _BASES:
        if issubclass(kind, base):
            return handler
    return None


def _array(value: np.ndarray[Any, Any]) -> Iterator[Part]:
    # A memory map is an array whose bytes live elsewhere: restored values are maps, and must equal what was stored.
    yield b"(ndarray;"
    yield from parts(value)


def parts(value: np.ndarray[Any, Any]) -> Iterator[Part]:
    """Type, shape and content of an array, in C order whatever its layout."""
    yield from dtype_parts(value.dtype)
    yield text(str(value.shape))
    yield from _content(value)


def dtype_parts(dtype: np.dtype[Any]) -> Iterator[Part]:
    """The parts of a numpy dtype: kind, size, byte order, unit, fields with their places, metadata."""
    if dtype.metadata:
        yield (ATTRIBUTE, "metadata", dict(dtype.metadata))
    if dtype.subdtype is not None:
        yield b"(sub;" + text(str(dtype.shape))
        yield from dtype_parts(dtype.base)
    elif dtype.names is not None:
        yield b"(fields;" + text(f"{dtype.type.__name__} {dtype.itemsize} {dtype.isalignedstruct}")
        yield b"%x;" % len(dtype.names)
        for name, (field, offset, *title) in _fields(dtype):
            yield text(name) + b"%x;" % offset + text(str(title[0]) if title else "")
            yield from dtype_parts(field)
    elif dtype.kind == "T" or dtype.isbuiltin == 2:  # noqa: PLR2004  numpy's number for types of other packages
        yield b"(own;" + text(dtype.name)
        yield (CODE, "type", type(dtype))
        if hasattr(dtype, "na_object"):
            yield (ATTRIBUTE, "na_object", dtype.na_object)
        yield text(str(getattr(dtype, "coerce", "")))
    else:
        yield text(dtype.str)


def _fields(dtype: np.dtype[Any]) -> list[tuple[str, Any]]:
    """The fields of a record by name; a title would be a second key of the same field."""
    fields: Any = dtype.fields or {}
    return [(name, fields[name]) for name in dtype.names or ()]


def _content(value: np.ndarray[Any, Any]) -> Iterator[Part]:
    dtype = value.dtype
    if dtype.names is not None and not _is_packed(dtype):
        for name in dtype.names:  # padding between the fields is whatever was in memory
            yield from _content(value[name])
    elif dtype.kind == "O":
        yield from builtin.items(_objects(value))
    elif dtype.kind == "T":
        yield from builtin.items(_objects(value.astype(object)))
    elif dtype.kind in "fc" and dtype.type in {np.longdouble, np.clongdouble} and _EXTENDED:
        flat = np.ascontiguousarray(value).reshape(-1).view(np.uint8).reshape(-1, 16)
        yield np.ascontiguousarray(flat[:, :10]).reshape(-1)
    elif dtype.itemsize and value.size:
        yield from buffers(value)


def _objects(value: np.ndarray[Any, Any]) -> list[Any]:
    objects: list[Any] = value.reshape(-1).tolist()
    return objects


def _is_packed(dtype: np.dtype[Any]) -> bool:
    """Whether every byte of a record belongs to exactly one plain field."""
    if dtype.subdtype is not None:
        return _is_packed(dtype.base)
    if dtype.names is None:
        return dtype.kind in "biuMmSU" or (dtype.kind in "fc" and dtype.type not in {np.longdouble, np.clongdouble})
    end = 0
    for _name, (field, offset, *_title) in sorted(_fields(dtype), key=lambda named: named[1][1]):
        if offset != end or not _is_packed(field):
            return False
        end += field.itemsize
    return end == dtype.itemsize


def buffers(value: np.ndarray[Any, Any]) -> Iterator[Any]:
    """The bytes of an array without objects in C order: its own memory if it lies so, else copied tile by tile."""
    if value.flags.c_contiguous:
        yield np.asarray(value).reshape(-1).view(np.uint8)
    elif value.nbytes <= _TILE or value.ndim == 0:
        yield np.ascontiguousarray(value).reshape(-1).view(np.uint8)
    else:
        step = max(1, _TILE * len(value) // value.nbytes)
        for start in range(0, len(value), step):
            tile = value[start : start + step]
            yield from buffers(tile if step > 1 else tile[0])


def _masked(value: np.ma.MaskedArray[Any, Any]) -> Iterator[Part]:
    yield b"(masked;"
    yield (CODE, "__class__", type(value))
    yield from parts(np.asarray(value.data))
    yield from parts(np.asarray(np.ma.getmaskarray(value)))
    yield text(str(value.hardmask))
    yield (ATTRIBUTE, "fill_value", np.asarray(value.fill_value))


def _subclass(value: np.ndarray[Any, Any]) -> Iterator[Part]:
    yield b"(array subclass;"
    yield (CODE, "__class__", type(value))
    yield from parts(value.view(np.ndarray))
    attributes = getattr(value, "__dict__", None) or {}
    for name in sorted(attributes):
        yield text(name)
        yield (ATTRIBUTE, name, attributes[name])


def _other_scalar(value: np.generic) -> Iterator[Part]:
    yield b"(scalar;"
    yield (CODE, "__class__", type(value))
    yield from parts(np.asarray(value))


def _dtype(value: np.dtype[Any]) -> Iterator[Part]:
    yield b"(dtype;"
    yield from dtype_parts(value)


HANDLERS[np.ndarray] = HANDLERS[np.memmap] = _array
_BASES: Final[tuple[tuple[type, Handler], ...]] = (
    (np.ma.MaskedArray, _masked),
    (np.ndarray, _subclass),
    (np.generic, _other_scalar),
    (np.dtype, _dtype),
)
