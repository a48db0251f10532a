"""Builtins as JSON that restores them exactly, types included, and that is read without unpickling.

What JSON has no word for is an object with the key ``$`` that names the type. Whatever would not come back exactly
(subclasses, shared or cyclic containers, lone surrogates) is refused, and another codec takes it.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import struct
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

TAG = "$"
MAX_NODES = 20_000
_MAX_DEPTH = 100
_MAX_INT_BITS = 4096
_MAX_BYTES = 1_000_000
_NUMPY_KINDS = frozenset("biufcmM")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False).encode


class RefusedError(Exception):
    """The value would not come back exactly."""


def dump(value: object) -> bytes | None:
    """JSON text of a value, or None where it would not come back exactly."""
    try:
        return _encode(_Packer().pack(value, 0)).encode()
    except (RefusedError, UnicodeEncodeError):
        return None


def load(data: bytes | bytearray | memoryview) -> object:
    """Rebuild what :func:`dump` wrote.

    Raises:
        ValueError: the text is not what :func:`dump` writes.
    """
    return _decoder.decode(str(data, "utf-8"))


class _Packer:
    """One walk over one value: counts nodes, and refuses a container that is met twice."""

    __slots__ = ("left", "seen")

    def __init__(self) -> None:
        self.left = MAX_NODES
        self.seen: set[int] = set()

    def pack(self, value: object, depth: int) -> Any:
        kind = type(value)
        if kind is str or kind is bool or value is None:
            return value
        packer = _PACKERS.get(kind)
        if packer is not None:
            return packer(self, value, depth)
        module = kind.__module__
        if module == "numpy":
            return _pack_numpy(value)
        if module.startswith("pandas"):
            return _pack_pandas(value)
        raise RefusedError

    def count(self, nodes: int, depth: int) -> None:
        self.left -= nodes + 1
        if self.left < 0 or depth > _MAX_DEPTH:
            raise RefusedError

    def meet(self, value: object) -> None:
        """Take note of an object that can be changed, so that meeting it twice is something a program can tell."""
        if id(value) in self.seen:
            raise RefusedError
        self.seen.add(id(value))

    def enter(self, value: Any, depth: int) -> None:
        self.count(len(value), depth)
        self.meet(value)

    def items(self, values: Any, depth: int) -> list[Any]:
        pack = self.pack
        return [pack(value, depth + 1) for value in values]


def _tag(name: str, value: object) -> dict[str, Any]:
    return {TAG: name, "v": value}


def _pack_int(_: _Packer, value: int, __: int) -> object:
    return value if value.bit_length() <= _MAX_INT_BITS else _tag("int", hex(value))


def _pack_float(_: _Packer, value: float, __: int) -> object:
    return value if math.isfinite(value) else _tag("float", struct.pack("<d", value).hex())


def _pack_complex(_: _Packer, value: complex, __: int) -> object:
    return _tag("complex", struct.pack("<dd", value.real, value.imag).hex())


def _pack_list(packer: _Packer, value: list[Any], depth: int) -> object:
    packer.enter(value, depth)
    return packer.items(value, depth)


def _pack_dict(packer: _Packer, value: dict[Any, Any], depth: int) -> object:
    packer.enter(value, depth)
    pack = packer.pack
    if TAG not in value and all(type(key) is str for key in value):
        return {key: pack(item, depth + 1) for key, item in value.items()}
    return _tag("dict", [[pack(key, depth + 1), pack(item, depth + 1)] for key, item in value.items()])


def _sequence(name: str) -> Callable[[_Packer, Any, int], object]:
    def pack(packer: _Packer, value: Any, depth: int) -> object:
        packer.count(len(value), depth)
        if name == "set":
            packer.meet(value)
        return _tag(name, packer.items(value, depth))

    return pack


def _blob(name: str) -> Callable[[_Packer, Any, int], object]:
    def pack(packer: _Packer, value: Any, _: int) -> object:
        if len(value) > _MAX_BYTES:
            raise RefusedError
        if name == "bytearray":
            packer.meet(value)
        return _tag(name, base64.b85encode(value).decode())

    return pack


def _pack_range(_: _Packer, value: range, __: int) -> object:
    bounds = [value.start, value.stop, value.step]
    if any(bound.bit_length() > _MAX_INT_BITS for bound in bounds):
        raise RefusedError
    return _tag("range", bounds)


def _pack_time(_: _Packer, value: Any, __: int) -> object:
    if getattr(value, "tzinfo", None) is not None or getattr(value, "fold", None):
        raise RefusedError
    return _tag(type(value).__name__, value.isoformat())


def _pack_timedelta(_: _Packer, value: dt.timedelta, __: int) -> object:
    return _tag("timedelta", [value.days, value.seconds, value.microseconds])


def _text(name: str) -> Callable[[_Packer, Any, int], object]:
    def pack(_: _Packer, value: Any, __: int) -> object:
        text = str(value)
        if len(text) > _MAX_INT_BITS:
            raise RefusedError
        return _tag(name, text)

    return pack


def _pack_numpy(value: Any) -> dict[str, Any]:
    dtype = getattr(value, "dtype", None)
    if dtype is None or getattr(value, "shape", None) != () or type(value) is not dtype.type:
        raise RefusedError
    if dtype.kind not in _NUMPY_KINDS or (dtype.kind == "f" and dtype.itemsize > 8) or dtype.itemsize > 16:  # noqa: PLR2004 (long doubles differ between platforms)
        raise RefusedError
    if dtype.name in {"complex256", "clongdouble"}:
        raise RefusedError
    return _tag("numpy", [dtype.newbyteorder("<").str, value.astype(dtype.newbyteorder("<")).tobytes().hex()])


def _pack_pandas(value: Any) -> object:
    import pandas as pd  # noqa: PLC0415 (keeps import nbsteps fast)

    if value is pd.NaT:
        return _tag("NaT", None)
    if value is pd.NA:
        return _tag("NA", None)
    if type(value) is pd.Timestamp and value.tzinfo is None and not value.fold:
        return _tag("Timestamp", _pack_numpy(value.asm8)["v"])
    if type(value) is pd.Timedelta:
        return _tag("Timedelta", _pack_numpy(value.asm8)["v"])
    raise RefusedError


_PACKERS: dict[type, Callable[[_Packer, Any, int], object]] = {
    int: _pack_int,
    float: _pack_float,
    complex: _pack_complex,
    list: _pack_list,
    dict: _pack_dict,
    tuple: _sequence("tuple"),
    set: _sequence("set"),
    frozenset: _sequence("frozenset"),
    bytes: _blob("bytes"),
    bytearray: _blob("bytearray"),
    range: _pack_range,
    dt.date: _pack_time,
    dt.time: _pack_time,
    dt.datetime: _pack_time,
    dt.timedelta: _pack_timedelta,
    Decimal: _text("Decimal"),
    Fraction: _text("Fraction"),
}


def _load_numpy(value: list[str]) -> Any:
    import numpy as np  # noqa: PLC0415 (keeps import nbsteps fast)

    dtype = np.dtype(value[0])
    if dtype.kind not in _NUMPY_KINDS:
        msg = f"no scalar is stored as {value[0]!r}"
        raise ValueError(msg)
    return np.frombuffer(bytes.fromhex(value[1]), dtype)[0]


def _load_pandas(name: str) -> Callable[[Any], object]:
    def load(value: Any) -> object:
        import pandas as pd  # noqa: PLC0415 (keeps import nbsteps fast)

        made = getattr(pd, name)
        return made if value is None else made(_load_numpy(value))

    return load


_LOADERS: dict[str, Callable[[Any], object]] = {
    "int": lambda text: int(text, 16),
    "float": lambda text: struct.unpack("<d", bytes.fromhex(text))[0],
    "complex": lambda text: complex(*struct.unpack("<dd", bytes.fromhex(text))),
    "dict": dict,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "bytes": base64.b85decode,
    "bytearray": lambda text: bytearray(base64.b85decode(text)),
    "range": lambda bounds: range(*bounds),
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "datetime": dt.datetime.fromisoformat,
    "timedelta": lambda parts: dt.timedelta(*parts),
    "Decimal": Decimal,
    "Fraction": Fraction,
    "numpy": _load_numpy,
    "Timestamp": _load_pandas("Timestamp"),
    "Timedelta": _load_pandas("Timedelta"),
    "NaT": _load_pandas("NaT"),
    "NA": _load_pandas("NA"),
}


def _restore(found: dict[str, Any]) -> object:
    name = found.get(TAG)
    if name is None:
        return found
    loader = _LOADERS.get(name)
    if loader is None:
        msg = f"no value is stored as {name!r}"
        raise ValueError(msg)
    return loader(found["v"])


_decoder = json.JSONDecoder(object_hook=_restore)
