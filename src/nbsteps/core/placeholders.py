"""The ``{name}`` places in the text of ``--approve``: which variables they show, and how they are filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from string import Formatter
from typing import NamedTuple

_ROOT = re.compile(r"[.\[]")
_FORMATTER = Formatter()


class Places(NamedTuple):
    """What a text refers to.

    Attributes:
        names: variables shown, in order.
        problem: why the text cannot be filled in, ``""`` for a good one.
    """

    names: tuple[str, ...] = ()
    problem: str = ""


@lru_cache(maxsize=1024)
def placeholders(text: str) -> Places:
    """The variables that a text shows; places are those of ``str.format``: ``{orders}``, ``{total:,.2f}``."""
    names: dict[str, None] = {}
    waiting = [text]
    try:
        while waiting:
            for _, place, spec, _ in _FORMATTER.parse(waiting.pop()):
                if place is None:
                    continue
                name = _ROOT.split(place, maxsplit=1)[0]
                if not name.isidentifier():
                    return Places(problem=f"{{{place}}} names no variable; double a brace that is meant as one: {{{{")
                names[name] = None
                waiting += [spec] if spec else []
    except ValueError as error:
        return Places(problem=f"{error}; double a brace that is meant as one: {{{{")
    return Places(tuple(names))


class _Filler(Formatter):
    """Formats as ``str.format`` does where a place says how, else by ``show``."""

    def __init__(self, show: Callable[[object], str]) -> None:
        self._show = show

    def format_field(self, value: object, format_spec: str) -> str:
        return format(value, format_spec) if format_spec else self._show(value)


def fill(text: str, values: Mapping[str, object], show: Callable[[object], str] = str) -> str:
    """The text with the values in their places; ``show`` gives those whose place does not say how.

    Raises:
        Exception: whatever a value raises when it is formatted.
    """
    return _Filler(show).vformat(text, (), values)
