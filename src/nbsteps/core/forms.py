"""The form of an approval: how its fields are written, and what may be filled in."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Final, NamedTuple

from nbsteps.core.kinds import read_name
from nbsteps.core.policies import Field

CHOICE: Final = "choice"
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})


class Filled(NamedTuple):
    """A form as filled in.

    Attributes:
        values: field to value, JSON-able: a date is its ISO text. Complete only where there are no messages.
        messages: field to what is wrong with it, in the order of the form; empty for a valid form.
    """

    values: Mapping[str, object]
    messages: Mapping[str, str]


def read_field(text: str) -> Field:
    """The field written as ``amount``, ``amount:float``, ``amount:float=0.5`` or ``size:small|medium|large=medium``.

    Raises:
        ValueError: anything else, or a default that the field itself would not take.
    """
    head, equals, default = text.partition("=")
    name, colon, kind = (part.strip() for part in head.partition(":"))
    name = read_name(name)
    choices: tuple[str, ...] = ()
    if "|" in kind:
        choices = tuple(part.strip() for part in kind.split("|"))
        if not all(choices) or len(set(choices)) < len(choices):
            message = f"the choices of {name} must be different and not empty: {kind}"
            raise ValueError(message)
        kind = CHOICE
    elif (colon and kind not in _READERS) or kind == CHOICE:
        message = f"{kind!r} is no type of a field: {', '.join(_READERS)}, or choices such as {name}:small|large"
        raise ValueError(message)
    field = Field(name, kind or "str", default if equals else None, choices)
    if field.default is not None:
        _read(field, field.default)
    return field


def show_field(field: Field) -> str:
    """The text that :func:`read_field` reads as ``field``."""
    kind = "|".join(field.choices) if field.type == CHOICE else field.type
    head = field.name if kind == "str" else f"{field.name}:{kind}"
    return head if field.default is None else f"{head}={field.default}"


def fill(fields: Sequence[Field], given: Mapping[str, object]) -> Filled:
    """Check what was given for a form: texts from a command line, or values from a page or from Python."""
    values: dict[str, object] = {}
    messages: dict[str, str] = {}
    for field in fields:
        value = given.get(field.name)
        if value is None:
            value = field.default
        try:
            if value is None:
                raise ValueError("it needs a value")  # noqa: TRY301 - all complaints end in the one handler below
            values[field.name] = _read(field, value)
        except ValueError as error:
            messages[field.name] = str(error)
    known = ", ".join(field.name for field in fields) or "none"
    for name in given:
        if all(field.name != name for field in fields):
            messages[name] = f"the form has no such field; its fields: {known}"
    return Filled(values, messages)


def bound(fields: Sequence[Field], values: Mapping[str, object]) -> dict[str, object]:
    """The Python values that a body sees for what :func:`fill` accepted: dates are dates again."""
    types = {field.name: field.type for field in fields}
    return {
        name: date.fromisoformat(value) if types.get(name) == "date" and isinstance(value, str) else value
        for name, value in values.items()
    }


def _read(field: Field, value: object) -> object:
    """One value as the field keeps it.

    Raises:
        ValueError: it is none.
    """
    if field.type == CHOICE:
        if value not in field.choices:
            message = f"{value!r} is none of {', '.join(field.choices)}"
            raise ValueError(message)
        return value
    if value == "" and field.default is None:
        raise ValueError("it needs a value")
    return _READERS[field.type](value)


def _no(value: object, what: str) -> ValueError:
    return ValueError(f"{value!r} is no {what}")


def _text(value: object) -> object:
    if not isinstance(value, str):
        raise _no(value, "text")
    return value


def _integer(value: object) -> object:
    if isinstance(value, bool):
        raise _no(value, "whole number")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int):
        return value
    try:
        return int(value) if isinstance(value, str) else _fail()
    except ValueError:
        raise _no(value, "whole number") from None


def _number(value: object) -> object:
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else _fail()
    except (ValueError, OverflowError):
        raise _no(value, "number") from None
    # Neither has a form in JSON.
    if math.isnan(number) or math.isinf(number):
        raise _no(value, "number")
    return number


def _truth(value: object) -> object:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in _TRUE | _FALSE:
        raise _no(value, "yes or no")
    return word in _TRUE


def _day(value: object) -> object:
    try:
        if type(value) is date:
            return value.isoformat()
        return date.fromisoformat(value.strip()).isoformat() if isinstance(value, str) else _fail()
    except ValueError:
        raise _no(value, "date such as 2026-01-31") from None


def _fail() -> float:
    raise ValueError


_READERS: Mapping[str, Callable[[object], object]] = MappingProxyType(
    {"str": _text, "int": _integer, "float": _number, "bool": _truth, "date": _day}
)
