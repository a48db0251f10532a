"""What tells an item of a map from the others, in a few words for people: no code of the user's is called for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from itertools import islice
from pathlib import PurePath
from typing import Any, Final

from nbsteps.core.secrecy import MASKED, is_secret
from nbsteps.identity import content

LONGEST: Final = 60
"""Characters."""
_LEAST: Final = 12
_FEW: Final = 4
_DEEP: Final = 2
_BITS: Final = 128
_EXACT: Final = frozenset({"datetime", "decimal", "fractions", "uuid", "zoneinfo"})
"""Modules of the standard library whose values are written as people write them."""
_SCALARS: Final = frozenset({"Timestamp", "Timedelta", "Period", "Interval", "NaTType"})
"""Of pandas."""
_NUMBERS: Final = "biufcmM"
"""Kinds of NumPy's scalars that hold no object of Python's."""


def words(names: Sequence[str], values: Sequence[object]) -> str:
    """Values and the names they go by in 60 characters at most; those of secrets are masked. Never raises.

    Where each has to be short, what is in the middle is left out: names of files differ at their ends.
    """
    if len(values) == 1:
        told = MASKED if is_secret(names[0]) else _shown(values[0], LONGEST, 0)
    else:
        room = max(LONGEST // max(len(values), 1), _LEAST)
        pairs = zip(names, values, strict=True)
        told = ", ".join([MASKED if is_secret(name) else _shown(value, room, 0) for name, value in pairs])
    if not told.isprintable():
        told = "".join(each if each.isprintable() else "\ufffd" for each in told)
    return told if len(told) <= LONGEST else f"{told[: LONGEST - 1]}…"


def _shown(value: object, room: int, depth: int) -> str:
    try:
        tell = _TELLERS.get(type(value)) or _family(value)
        return content.summary(value) if tell is None else tell(value, room, depth)
    except Exception:  # noqa: BLE001 - whatever a strange object does, people only wanted a few words
        return content.summary(value)


def _plain(value: object, _room: int, _depth: int) -> str:
    return repr(value)


def _whole(value: Any, _room: int, _depth: int) -> str:
    return repr(value) if value.bit_length() <= _BITS else content.summary(value)


def _text(value: Any, room: int, _depth: int) -> str:
    if len(value) + 2 <= room:
        return repr(value)
    start = (room - 3) // 3
    end = room - 3 - start
    return f"{repr(value[:start])[:-1]}…{repr(value[-end:])[-end - 1 :]}"


def _path(value: Any, room: int, depth: int) -> str:
    return _text(str(value), room, depth)


def _exact(value: object, room: int, _depth: int) -> str:
    return str(value)[:room]


def _member(value: Any, _room: int, _depth: int) -> str:
    return f"{type(value).__name__}.{value._name_}"  # its name, whatever the class makes of `name`


def _several(value: Any, room: int, depth: int) -> str:
    if depth >= _DEEP or len(value) > 2 * _FEW:
        return content.summary(value)
    share = _share(len(value), room)
    told = ", ".join([_shown(each, share, depth + 1) for each in value[:_FEW]])
    more = ", …" if len(value) > _FEW else ""
    return f"[{told}{more}]" if type(value) is list else f"({told}{more})"


def _dictionary(value: Any, room: int, depth: int) -> str:
    if depth >= _DEEP:
        return content.summary(value)
    pairs = [(_shown(key, room, _DEEP), each) for key, each in islice(value.items(), _FEW)]
    return f"{{{_each(pairs, len(value), room, depth, ': ')}}}"


def _named(value: Any, room: int, depth: int) -> str:
    """A named tuple, field by field."""
    pairs = list(zip(type(value)._fields, tuple.__iter__(value), strict=True))
    return f"{type(value).__name__}({_each(pairs[:_FEW], len(pairs), room, depth, '=')})"


def _record(value: object, room: int, depth: int) -> str:
    """A data class, field by field; those that its own ``repr`` leaves out stay out."""
    fields = type(value).__dataclass_fields__  # type: ignore[attr-defined]  # seen by the caller
    names = [name for name, field in fields.items() if field.repr]
    pairs = [(name, object.__getattribute__(value, name)) for name in names[:_FEW]]
    return f"{type(value).__name__}({_each(pairs, len(names), room, depth, '=')})"


def _each(pairs: Iterable[tuple[str, object]], number: int, room: int, depth: int, between: str) -> str:
    """The first of so many values, with what they go by."""
    share = _share(number, room)
    told = [f"{name}{between}{MASKED if is_secret(name) else _shown(value, share, depth + 1)}" for name, value in pairs]
    return ", ".join([*told, "…"] if number > _FEW else told)


def _share(number: int, room: int) -> int:
    return max(room // min(max(number, 1), _FEW + 1), _LEAST)


_Teller = Callable[[Any, int, int], str]

_TELLERS: Final[dict[type, _Teller]] = {
    int: _whole,
    str: _text,
    bytes: _text,
    **dict.fromkeys((float, complex, bool, type(None)), _plain),
    tuple: _several,
    list: _several,
    dict: _dictionary,
}


def _is_scalar(value: Any, kind: type) -> bool:
    root = kind.__module__.partition(".")[0]
    if root == "pandas":
        return kind.__name__ in _SCALARS
    return root == "numpy" and getattr(value, "shape", None) == () and value.dtype.kind in _NUMBERS


def _family(value: object) -> _Teller | None:
    """How values of a class are told that is not built in; None where there is no more than a summary."""
    kind = type(value)
    if kind.__module__ in _EXACT or _is_scalar(value, kind):
        return _exact
    if issubclass(kind, PurePath):
        return _path if kind.__module__.partition(".")[0] == "pathlib" else None
    if issubclass(kind, Enum):
        return _member
    if issubclass(kind, tuple) and isinstance(getattr(kind, "_fields", None), Sequence):
        return _named
    return _record if hasattr(kind, "__dataclass_fields__") else None
