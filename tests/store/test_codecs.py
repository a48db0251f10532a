"""Every kind of value comes back equal in content, by the codec that its reader may expect."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbsteps.core.errors import UntrustedValueError, UsageError
from nbsteps.identity.content import digest
from nbsteps.store import codecs
from nbsteps.store.objects import checksum
from nbsteps.store.values import Values


class _Meter(float):
    """A subclass that must not come back as a float."""


def _mixed() -> pd.DataFrame:
    return pd.DataFrame({"i": [1, 2], "s": ["a", None]})


VALUES: dict[str, tuple[Callable[[], Any], str]] = {
    "none": (lambda: None, "json"),
    "true": (lambda: True, "json"),
    "int": (lambda: 1, "json"),
    "int beyond 64 bits": (lambda: -(2**70), "json"),
    "int of 20,000 bits": (lambda: 2**20_000 + 1, "json"),
    "float": (lambda: 0.1, "json"),
    "negative zero": (lambda: -0.0, "json"),
    "nan": (lambda: math.nan, "json"),
    "minus infinity": (lambda: -math.inf, "json"),
    "complex": (lambda: complex(-0.0, math.inf), "json"),
    "text": (lambda: 'é "\\\n\0🙂', "json"),
    "lone surrogate": (lambda: "\ud83d", "pickle"),
    "surrogates that look like a pair": (lambda: "\ud83d" + "\ude42", "pickle"),
    "bytes": (lambda: b"\0\xff", "bytes"),
    "bytes inside": (lambda: [b"\0\xff", bytearray(b"ab")], "json"),
    "list": (lambda: [1, 1.0, True, "1", None, [], {}], "json"),
    "tuple in list": (lambda: [(1, 2), (), ((),)], "json"),
    "set": (lambda: {1, "a", (2, 3)}, "json"),
    "frozenset": (lambda: frozenset({1, 2}), "json"),
    "dict in order": (lambda: {"b": 1, "a": {"c": [1]}}, "json"),
    "dict with other keys": (lambda: {1: "a", (1, 2): "b", None: "c", 2.5: 3}, "json"),
    "dict with our own mark": (lambda: {"$": "tuple", "v": [1]}, "json"),
    "range": (lambda: range(1, 10, 3), "json"),
    "date": (lambda: dt.date(2026, 1, 2), "json"),
    "time": (lambda: dt.time(1, 2, 3, 4), "json"),
    "datetime": (lambda: dt.datetime(2026, 1, 2, 3, 4, 5, 6), "json"),  # noqa: DTZ001 (naive on purpose)
    "datetime with a zone": (lambda: dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "pickle"),
    "timedelta": (lambda: dt.timedelta(days=-1, microseconds=1), "json"),
    "decimal": (lambda: decimal.Decimal("1.10"), "json"),
    "fraction": (lambda: Fraction(1, 3), "json"),
    "numpy int": (lambda: np.int8(5), "json"),
    "numpy float": (lambda: np.float64("nan"), "json"),
    "numpy bool": (lambda: np.True_, "json"),
    "numpy datetime": (lambda: np.datetime64("2026-01-01T10", "h"), "json"),
    "numpy text": (lambda: np.str_("abc"), "pickle"),
    "long double": (lambda: np.longdouble(1) / 3, "pickle"),
    "timestamp": (lambda: pd.Timestamp("2026-01-01 10:00"), "json"),
    "timestamp with a zone": (lambda: pd.Timestamp("2026-01-01", tz="Europe/Paris"), "pickle"),
    "pandas timedelta": (lambda: pd.Timedelta("1h"), "json"),
    "NaT": (lambda: pd.NaT, "json"),
    "NA": (lambda: pd.NA, "json"),
    "statistics as a dict": (lambda: {"mean": np.float64(1.5), "n": np.int64(3), "at": pd.Timestamp("2026")}, "json"),
    "a subclass of float": (lambda: _Meter(1.5), "pickle"),
    "ordered dict": (lambda: OrderedDict(b=1, a=2), "pickle"),
    "default dict": (lambda: defaultdict(list, a=[1]), "pickle"),
    "long list": (lambda: list(range(30_000)), "pickle"),
    "deep list": (lambda: _nested(150), "pickle"),
    "list of frames": (lambda: [_mixed(), _mixed()], "pickle"),
    "dict of arrays": (lambda: {"a": np.arange(3000.0), "b": np.ones((2, 2))}, "pickle"),
    "array": (lambda: np.arange(6).reshape(2, 3), "npy"),
    "array by columns": (lambda: np.asfortranarray(np.arange(6.0).reshape(2, 3)), "npy"),
    "array with strides": (lambda: np.arange(20)[::3], "npy"),
    "array without dimensions": (lambda: np.array(5), "npy"),
    "array without items": (lambda: np.empty((0, 3), "f4"), "npy"),
    "array of another byte order": (lambda: np.arange(3, dtype=">i2"), "npy"),
    "array of texts": (lambda: np.array(["a", "bcd"]), "npy"),
    "array of bytes": (lambda: np.array([b"a", b"bcd"]), "npy"),
    "array of complex": (lambda: np.array([1j, complex(math.nan, -0.0)]), "npy"),
    "array of times": (lambda: np.array(["2026-01-01", "NaT"], "M8[D]"), "npy"),
    "array of records": (lambda: np.array([(1, 2.5, [1, 2])], [("a", "i4"), ("b", "f8"), ("c", "u1", (2,))]), "npy"),
    "array of nested records": (lambda: np.zeros(2, [("a", [("x", "i1"), ("y", "f8")])]), "npy"),
    "array of aligned records": (lambda: np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)), "pickle"),
    "array of objects": (lambda: np.array([1, "a", None], dtype=object), "pickle"),
    "masked array": (lambda: np.ma.masked_array([1, 2], [True, False]), "pickle"),
}


def _nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


def check(make: Callable[[], Any], codec: str, folder: Path, *, inline: bool) -> None:
    values = Values(folder, inline_limit=10_000_000 if inline else 0, table_limit=8_000_000)
    value = make()
    identity = digest(value)
    stored = values.encode(value, identity)
    found = Values(folder, inline_limit=0, table_limit=0).decode(stored.artifact, stored.payload)
    assert stored.artifact.codec == codec
    assert (stored.payload is not None) is inline
    assert type(found) is type(value)
    assert digest(found) == identity
    assert digest(value) == identity, "encoding changed the value"


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "file"])
@pytest.mark.parametrize("name", VALUES)
def test_values_come_back_equal(name: str, tmp_path: Path, *, inline: bool) -> None:
    check(*VALUES[name], tmp_path, inline=inline)


class _Celsius:
    def __init__(self, degrees: float) -> None:
        self.degrees = degrees


class _CelsiusCodec:
    name = "celsius"
    types = (f"{_Celsius.__module__}.{_Celsius.__qualname__}",)
    safe = True

    def encode(self, value: _Celsius) -> bytes | None:
        return None if math.isnan(value.degrees) else f"{value.degrees:.1f}".encode()

    def decode(self, data: memoryview) -> object:
        return _Celsius(float(bytes(data)))


@pytest.fixture
def _celsius(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "_registered", dict(codecs._registered))
    monkeypatch.setattr(codecs, "_by_type", dict(codecs._by_type))
    codecs.register(_CelsiusCodec())


@pytest.mark.usefixtures("_celsius")
def test_what_a_codec_cannot_read_safely_is_read_only_where_this_user_wrote_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_CelsiusCodec, "safe", False)
    values = Values(tmp_path, inline_limit=1000, table_limit=0)
    stored = values.encode(_Celsius(21.5), digest(_Celsius(21.5)))
    assert (stored.artifact.codec, bool(stored.artifact.mac)) == ("celsius", True)
    found: Any = values.decode(stored.artifact, stored.payload)
    assert found.degrees == 21.5
    forged = b"22.5"
    monkeypatch.setattr(_CelsiusCodec, "decode", lambda *_: pytest.fail("decoded"))
    for artifact in (stored.artifact, replace(stored.artifact, mac="")):
        with pytest.raises(UntrustedValueError):
            values.decode(replace(artifact, checksum=checksum([forged]), bytes=len(forged)), forged)


@pytest.mark.usefixtures("_celsius")
@pytest.mark.parametrize(("degrees", "codec"), [(21.5, "celsius"), (21.57, "pickle"), (math.nan, "pickle")])
def test_a_registered_codec_is_used_where_it_is_exact(degrees: float, codec: str, tmp_path: Path) -> None:
    values = Values(tmp_path, inline_limit=1000, table_limit=0)
    value = _Celsius(degrees)
    stored = values.encode(value, digest(value))
    found: Any = values.decode(stored.artifact, stored.payload)
    assert stored.artifact.codec == codec
    assert found.degrees == degrees or math.isnan(degrees)


@pytest.mark.parametrize("name", ["json", "pickle", "no/path", ""])
def test_a_codec_with_a_bad_name_is_refused(name: str) -> None:
    codec = _CelsiusCodec()
    codec.name = name
    with pytest.raises(UsageError, match="cannot be called"):
        codecs.register(codec)


def test_an_object_that_is_no_codec_is_refused() -> None:
    with pytest.raises(UsageError, match="is no codec"):
        codecs.register(object())  # type: ignore[arg-type]  # on purpose
