"""Where the marks of an axis of seconds stand, and what is written at them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
_STEPS: Final = tuple(
    chain(
        (factor * 10.0**power for power in range(-3, 1) for factor in (1, 2, 5)),
        (10.0, 15.0, 30.0),
        (factor * _MINUTE for factor in (1.0, 2, 5, 10, 15, 30)),
        (factor * _HOUR for factor in (1.0, 2, 6, 12)),
    )
)
"""Distances between marks that people can count in, seconds."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis: its place in seconds, and its text."""

    at: float
    text: str


def time_ticks(total: float, at_most: int = 8) -> tuple[Tick, ...]:
    """Marks from 0 to ``total`` seconds, ``at_most`` of them beyond the first, in steps that people can count in."""
    if not 0 < total < float("inf"):
        return (Tick(0.0, "0"),)
    step = next((step for step in _STEPS if total / step <= at_most), _DAY * -(-total // (_DAY * at_most)))
    places = [round(step * place, 6) for place in range(int(total / step + 1e-9) + 1)]
    brief = places[-1] < 0.0995  # noqa: PLR2004 - as in wording.duration: from here on seconds are shorter
    return tuple(Tick(place, _text(place, brief=brief)) for place in places)


def _text(seconds: float, *, brief: bool) -> str:
    """``0``, ``0.5s``, ``30s``, ``1m 30s``, ``2h 10m``, without what is zero; ``20ms`` on a ``brief`` axis."""
    if not seconds:
        return "0"
    if brief:
        return f"{seconds * 1000:g}ms"
    if seconds < _MINUTE:
        return f"{round(seconds, 2):g}s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return " ".join(f"{amount}{unit}" for amount, unit in parts if amount)
