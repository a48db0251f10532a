"""How the words of the options for retries, maps, rules and approvals are read as values and written back."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from enum import StrEnum

from nbsteps.core.conditions import read_condition
from nbsteps.core.forms import read_field, show_field
from nbsteps.core.kinds import Kind, UnreadableError, format_duration, none_of, parse_duration, read_name
from nbsteps.core.placeholders import placeholders
from nbsteps.core.policies import Jitter, MapSource, OnExpire, OnReject, Pool, Tolerance, Trigger

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_ALL = 100


def number(value: float) -> str:
    """A number as short as it can be written exactly, without an exponent."""
    return str(int(value)) if value == int(value) else format_duration(value)[:-1]


def _one_of(values: type[StrEnum]) -> Kind:
    def read(word: str) -> StrEnum:
        try:
            return values(word)
        except ValueError:
            raise none_of(word, tuple(values)) from None

    return Kind(read)


def _count(least: int) -> Callable[[str], int]:
    def read(word: str) -> int:
        if not word.isascii() or not word.isdigit() or int(word) < least:
            message = f"{word!r} is no whole number from {least} on"
            raise ValueError(message)
        return int(word)

    return read


def _factor(word: str) -> float:
    value = float(word) if _NUMBER.fullmatch(word) else 0.0
    if not 1 <= value < math.inf:
        message = f"{word!r} is no number from 1 on"
        raise ValueError(message)
    return value


def _limit(word: str) -> float:
    seconds = parse_duration(word)
    if seconds <= 0:
        message = f"{word!r} leaves no time"
        raise ValueError(message)
    return seconds


def _dotted(word: str) -> str:
    return ".".join(read_name(part) for part in word.split("."))


def _map_source(word: str) -> MapSource:
    item, equals, items = word.partition("=")
    if not equals:
        message = f"{word!r} does not say what it runs over; write {word}=ITEMS"
        raise ValueError(message)
    return MapSource(read_name(item.strip()), _items(item.strip(), items.strip()))


def _items(item: str, items: str) -> str:
    """The name of what a map runs over.

    Raises:
        ValueError: it is none; an expression is given a name first, so that its value has one place in the graph.
    """
    if not items or items.isidentifier():
        return read_name(items)
    name = f"{item}_list"
    try:
        ast.parse(items, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        above = f"{name} = ..."
    else:
        above = f"{name} = {items}"
    message = f"{items!r} is no name, and only what has a name can be run over"
    raise UnreadableError(message, f"{above} in a cell above, then --map {item}={name}")


def _expression(word: str) -> str:
    try:
        ast.parse(word.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        message = f"{word!r} is no Python expression"
        raise ValueError(message) from None
    return word


def _condition(word: str) -> str:
    if problem := read_condition(word).problem:
        raise ValueError(problem)
    return word


def _message(word: str) -> str:
    if problem := placeholders(word).problem:
        raise ValueError(problem)
    return word


def _tolerance(word: str) -> Tolerance:
    percent = word.endswith("%")
    digits = word.removesuffix("%")
    value = float(digits) if _NUMBER.fullmatch(digits) else math.inf
    if value == math.inf or (percent and value > _ALL) or (not percent and value != int(value)):
        message = f"{word!r} is neither a number of items nor a share such as 5%"
        raise ValueError(message)
    return Tolerance(value, percent)


def _show_tolerance(value: Tolerance) -> str:
    return number(value.limit) + "%" * value.percent


def _slow(word: str) -> float:
    digits = word.removesuffix("x")
    value = float(digits) if _NUMBER.fullmatch(digits) else 0.0
    if digits == word or not 1 <= value < math.inf:
        message = f"{word!r} is no multiple of the median from 1x on"
        raise ValueError(message)
    return value


def _pool(word: str) -> Pool:
    name, colon, slots = word.rpartition(":")
    if not colon or not name:
        message = f"{word!r} does not say how many may run at once; write {word.strip(':')}:SLOTS"
        raise ValueError(message)
    return Pool(name, _count(1)(slots))


def _show_pool(value: Pool) -> str:
    return f"{value.name}:{value.slots}"


def _show_source(value: MapSource) -> str:
    return f"{value.item}={value.items}"


RETRIES = Kind(_count(0))
SLOTS = Kind(_count(1))
FACTOR = Kind(_factor, show=number)
LIMIT = Kind(_limit, show=format_duration)
JITTER = _one_of(Jitter)
CLASSES = Kind(_dotted, many=True)
MAP = Kind(_map_source, many=True, show=_show_source)
EXPRESSION = Kind(_expression)
TOLERANCE = Kind(_tolerance, show=_show_tolerance)
CONDITION = Kind(_condition)
NAME: Kind = Kind(read_name)
TRIGGER = _one_of(Trigger)
MESSAGE = Kind(_message)
FIELDS: Kind = Kind(read_field, many=True, show=show_field)
ON_EXPIRE = _one_of(OnExpire)
ON_REJECT = _one_of(OnReject)
SLOW = Kind(_slow, show=lambda value: f"{number(value)}x")
POOL = Kind(_pool, show=_show_pool)
