"""A few words on a value, for people: never long, never costly, never an error."""

from __future__ import annotations

from typing import Any, Final

_LONGEST: Final = 80
_TEXT: Final = 40
_PLAIN: Final = (int, float, complex, bool, type(None))


def summary(value: object) -> str:
    """Describe a value in at most 80 characters, such as ``DataFrame 336,776 x 19`` or ``list of 3``.

    Strings are cut at 40 characters. No ``__repr__`` of a user is called. Never raises.
    """
    try:
        told = _describe(value)
    except Exception:  # noqa: BLE001  whatever a strange object does, people only wanted a few words
        told = _name(value)
    told = " ".join(told.split())
    return told if len(told) <= _LONGEST else told[: _LONGEST - 1] + "…"


def _name(value: object) -> str:
    return type(value).__name__


def _describe(value: Any) -> str:
    if type(value) in _PLAIN:
        return _number(value)
    if isinstance(value, type):
        return f"class {value.__qualname__}"
    if isinstance(value, (str, bytes, bytearray)):
        return f"{_name(value)} {_cut(value)}"
    return _shaped(value) or _counted(value)


def _number(value: Any) -> str:
    if value is None:
        return "None"
    if type(value) is int and abs(value) >= 10**_TEXT:
        return f"int of {value.bit_length():,} bits"
    return f"{_name(value)} {value!r}"


def _cut(value: Any) -> str:
    plain = value[:_TEXT]
    shown = ascii(str(plain)) if isinstance(plain, str) and not plain.isprintable() else repr(_exact(plain))
    return shown if len(value) <= _TEXT else f"{shown[:-1]}…{shown[-1]}"


def _exact(value: Any) -> Any:
    """The built-in value in a subclass, whose own ``__repr__`` is not to be called."""
    return str.__str__(value) if isinstance(value, str) else bytes(value)


def _shaped(value: Any) -> str | None:
    root = type(value).__module__.partition(".")[0]
    shape = getattr(value, "shape", None) if root in {"numpy", "pandas", "polars", "pyarrow", "scipy"} else None
    if not isinstance(shape, tuple):
        return None
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        return f"{_name(value)} {' x '.join(f'{size:,}' for size in shape)}"
    if not shape and root == "numpy" and not dtype.hasobject:
        return f"{_name(value)} {value}"
    told = str(dtype)[:_TEXT] if root != "polars" else type(dtype).__name__
    return f"{_name(value)} {told} {shape}"


def _counted(value: Any) -> str:
    if hasattr(value, "__qualname__"):
        return f"{_name(value)} {value.__qualname__}"
    module = type(value).__module__
    if module in {"datetime", "decimal", "fractions", "uuid", "pathlib", "zoneinfo"}:
        return f"{_name(value)} {str(value)[:_TEXT]}"
    # Not by isinstance: that asks every protocol there is, and leaves annotations in the class of the value.
    if hasattr(type(value), "__len__"):
        return f"{_name(value)} of {len(value):,}"
    return _name(value)
