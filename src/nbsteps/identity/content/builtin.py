"""Digests of Python's own types. Importing this module fills the tables."""

from __future__ import annotations

import array
import datetime as dt
import decimal
import fractions
import itertools
import pathlib
import struct
import types
import uuid
import zoneinfo
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final

from xxhash import xxh3_128_digest

from nbsteps.identity.content import bulk
from nbsteps.identity.content.registry import (
    ATTRIBUTE,
    BAG,
    HANDLERS,
    ITEM,
    LEAVES,
    Handler,
    Leaf,
    Part,
    Refusal,
    sized,
    text,
)

_pack_float = struct.Struct("<d").pack
_pack_complex = struct.Struct("<dd").pack


def _integer(value: int) -> bytes:
    return b"i%x;" % value


def _float(value: float) -> bytes:
    # The bits decide: 0.0 differs from -0.0, and a NaN with another payload or sign is another value.
    return b"f" + _pack_float(value)


def _string(value: str) -> bytes:
    return b"s" + sized(value.encode("utf-8", "surrogatepass"))


def _boolean(value: bool) -> bytes:  # noqa: FBT001  a leaf takes the value alone
    return b"T" if value else b"F"


def _named(name: str) -> Leaf:
    encoded = b"=" + text(name)
    return lambda _value: encoded


def _told(name: str, describe: Any) -> Leaf:
    """A leaf that is fully told by a text."""
    tag = b"t" + text(name)
    return lambda value: tag + text(describe(value))


def _zone(zone: dt.tzinfo | None) -> bytes:
    from nbsteps.identity.content.walk import digest_bytes  # noqa: PLC0415  walk builds on this module

    return b"-" if zone is None else b"@" + digest_bytes(zone)


def _datetime(value: dt.datetime) -> bytes:
    return b"d%d" % value.fold + text(value.replace(tzinfo=None).isoformat()) + _zone(value.tzinfo)


def _time(value: dt.time) -> bytes:
    return b"h%d" % value.fold + text(value.replace(tzinfo=None).isoformat()) + _zone(value.tzinfo)


def _zone_info(value: zoneinfo.ZoneInfo) -> bytes:
    if value.key is None:
        raise Refusal(value, "made from a file, without a key")
    return b"z" + text(value.key)


def _array(value: array.array[Any]) -> bytes:
    data = memoryview(value).cast("B") if len(value) else b""
    return b"a" + value.typecode.encode() + b"%x;%x;" % (value.itemsize, len(value)) + xxh3_128_digest(data)


def _memoryview(value: memoryview) -> bytes:
    data = value.cast("B") if value.c_contiguous and value.nbytes else value.tobytes()
    return b"m" + text(f"{value.format} {value.shape}") + xxh3_128_digest(data)


def _parts_of(name: str, *attributes: str) -> Leaf:
    """A leaf told by integers of any size."""
    tag = b"n" + text(name)
    return lambda value: tag + b",".join(b"%x" % getattr(value, attribute) for attribute in attributes) + b";"


LEAVES.update(
    {
        int: _integer,
        float: _float,
        str: _string,
        bool: _boolean,
        type(None): lambda _value: b"N",
        bytes: lambda value: b"b" + sized(value),
        bytearray: lambda value: b"B" + sized(value),
        complex: lambda value: b"c" + _pack_complex(value.real, value.imag),
        type(...): _named("Ellipsis"),
        type(NotImplemented): _named("NotImplemented"),
        decimal.Decimal: _told("Decimal", lambda value: str(value).upper()),  # the context chooses between e and E
        fractions.Fraction: _parts_of("Fraction", "numerator", "denominator"),
        range: _parts_of("range", "start", "stop", "step"),
        dt.date: _told("date", dt.date.isoformat),
        dt.timedelta: _parts_of("timedelta", "days", "seconds", "microseconds"),
        dt.datetime: _datetime,
        dt.time: _time,
        zoneinfo.ZoneInfo: _zone_info,
        uuid.UUID: _parts_of("UUID", "int"),
        array.array: _array,
        memoryview: _memoryview,
    }
)
for _path in (pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath, pathlib.WindowsPath):
    LEAVES[_path] = _told(_path.__name__, str)


def items(values: Sequence[Any]) -> Iterator[Part]:
    """The parts of a sequence's items, behind their count."""
    yield b"%x;" % len(values)
    yield from _items(values, range(len(values)))


def _items(values: Sequence[Any], labels: Iterable[Any]) -> Iterator[Part]:
    packed = bulk.pack(values)
    if packed is not None:
        yield b"*"
        yield from packed
        return
    for label, value in zip(labels, values, strict=True):
        leaf = LEAVES.get(type(value))
        yield (ITEM, label, value) if leaf is None else leaf(value)


def mapping(value: Any) -> Iterator[Part]:
    """The parts of a mapping in its own order: all keys, then all values."""
    keys = list(value)
    yield from items(keys)
    yield from _items(list(value.values()), keys)


def members(values: Collection[Any]) -> Iterator[Part]:
    """The parts of a set: how many, and each in no order."""
    yield b"%x;" % len(values)
    ordered = bulk.sort(values)
    if ordered is not None:
        yield from items(ordered)
        return
    yield BAG
    for value in values:
        yield (ITEM, "*", value)


def _list(value: list[Any]) -> Iterator[Part]:
    yield b"(list;"
    yield from items(value)


def _tuple(value: tuple[Any, ...]) -> Iterator[Part]:
    yield b"(tuple;"
    yield from items(value)


def _container(name: bytes, parts: Handler) -> Handler:
    def handler(value: Any) -> Iterator[Part]:
        yield name
        yield from parts(value)

    return handler


def _slice(value: slice) -> Iterator[Part]:
    yield b"(slice;"
    for name in ("start", "stop", "step"):
        yield (ATTRIBUTE, name, getattr(value, name))


HANDLERS.update(
    {
        list: _list,
        tuple: _tuple,
        dict: _container(b"(dict;", mapping),
        types.MappingProxyType: _container(b"(mappingproxy;", mapping),
        set: _container(b"(set;", members),
        frozenset: _container(b"(frozenset;", members),
        slice: _slice,
    }
)

_FLAT_TAGS: Final[dict[type, bytes]] = {list: b"(list;", tuple: b"(tuple;", dict: b"(dict;"}


def flat(value: Any) -> bytes | None:
    """Digest of a short list, tuple or dict of leaves, by the same bytes as the long way; None for anything else."""
    tag = _FLAT_TAGS.get(type(value))
    if tag is None or len(value) >= bulk.LEAST:
        return None
    encoded = [tag, b"%x;" % len(value)]
    for item in itertools.chain(value, value.values()) if tag == b"(dict;" else value:
        leaf = LEAVES.get(type(item))
        if leaf is None:
            return None
        encoded.append(leaf(item))
    return xxh3_128_digest(b"".join(encoded))
